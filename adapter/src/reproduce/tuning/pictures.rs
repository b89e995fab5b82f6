//! The figures.

use ndarray::Array2;

use super::Cut;
use super::methods::{Family, Start};
use super::searches::{Ended, Ground, Point, truth};
use crate::control::{Identifiability, Traces};
use crate::outcome::column;
use crate::report::plot::{ColourMap, Columns, HeatMap, LinePlot, Panel, Rgb, Series, Stroke, palette};
use crate::reproduce::olive::CONDUCTANCES;

/// What others are compared with.
const REFERENCE: Rgb = Rgb(120, 120, 120);
/// What follows the paper's gradient.
const APPROXIMATE: Rgb = Rgb(130, 70, 40);
/// Losses below are drawn at it: nobody needs the floor of rounding.
const FLOOR: f64 = 1e-4;

/// A reading with its searches.
pub(super) struct Side<'a> {
    pub(super) ground: &'a Ground,
    pub(super) searches: &'a [Ended],
}

/// What the searches are drawn against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    Iterations,
    CellSeconds,
    Cost,
}

impl Against {
    pub(super) const ALL: [Against; 3] = [Against::Iterations, Against::CellSeconds, Against::Cost];

    pub(super) fn stem(self) -> &'static str {
        match self {
            Against::Iterations => "loss-iterations",
            Against::CellSeconds => "loss-cell-seconds",
            Against::Cost => "loss-cost",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Against::Iterations => "iteration (Levenberg–Marquardt), step (Adam) or generation (CMA-ES)",
            Against::CellSeconds => "simulated time of the cell (s)",
            Against::Cost => "cost (plain seconds of the cell)",
        }
    }

    pub(super) fn caption(self) -> &'static str {
        match self {
            Against::Iterations => {
                "Loss of the searches from the published start, over the whole trace and without noise, against iterations. \
                 An iteration of CMA-ES is a generation of 20 or 50 runs, its loss that of its best member; all seeds in one colour."
            }
            Against::CellSeconds => {
                "The same against simulated time of the cell, with and without sensitivities alike."
            }
            Against::Cost => {
                "The same against cost: a second with sensitivities counts as many plain ones as it took here. Levenberg–Marquardt's \
                 losses over the whole trace were computed afterwards; the search itself looked at its horizon."
            }
        }
    }

    fn of(self, point: &Point, multiple: f64) -> f64 {
        match self {
            Against::Iterations => f64::from(point.iteration),
            Against::CellSeconds => point.cell_s(),
            Against::Cost => point.cost(multiple),
        }
    }
}

fn colour(search: &Ended) -> Rgb {
    let place = match (search.method.family, search.method.name.as_str()) {
        (Family::LevenbergMarquardt, _) => 0,
        (Family::Adam, "adam-1e-2") => 1,
        (Family::Adam, _) => 2,
        (Family::Forgetting, _) => 3,
        (Family::Diffusion, _) => return APPROXIMATE,
        (Family::Evolution, name) if name.starts_with("cma-20") => 4,
        (Family::Evolution, _) => 5,
    };
    palette(place)
}

fn floored(loss: f64) -> f64 {
    if loss < FLOOR { FLOOR } else { loss }
}

/// Loss of the searches from the published start.
pub(super) fn losses(sides: &[Side<'_>], against: Against) -> LinePlot {
    let mut plot = LinePlot::new("Tuning the olive cell (R4)", against.label());
    plot.panel_height = 260.0;
    plot.log_x = against != Against::Iterations;
    for side in sides {
        let mut panel = Panel::new("loss (mV²)").log();
        panel.title = format!("Reading {}", side.ground.reading.letter());
        let shown = |s: &&Ended| s.method.from == Start::Published && !s.method.noisy;
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for search in side.searches.iter().filter(shown) {
            // of several seeds, the first gives its name to all
            let name = match (search.method.family, search.method.name.ends_with("-seed-1")) {
                (Family::Evolution, true) => search.method.label.replace(", seed 1", ""),
                (Family::Evolution, false) => String::new(),
                (Family::Adam | Family::Forgetting | Family::Diffusion | Family::LevenbergMarquardt, _) => {
                    search.method.label.clone()
                }
            };
            let x: Vec<f64> = search
                .curve
                .iter()
                .map(|p| against.of(p, side.ground.multiple))
                .collect();
            let y = search.curve.iter().map(|p| floored(p.loss)).collect();
            // a logarithmic axis has no 0
            let drawn = x.iter().copied().filter(|x| !plot.log_x || *x > 0.0);
            (least, most) = drawn.fold((least, most), |(least, most), x| (least.min(x), most.max(x)));
            panel = panel.series(Series::new(&name, x, y).colour(colour(search)));
        }
        let constant = side.ground.best_constant();
        let level = Series::new("best constant trace", vec![least, most], vec![constant; 2]);
        panel = panel.series(level.colour(REFERENCE).stroke(Stroke::Dashed));
        plot.panels.push(panel);
    }
    plot
}

/// Levenberg–Marquardt from the random starts.
pub(super) fn starts(sides: &[Side<'_>], noisy: bool) -> LinePlot {
    let title = if noisy {
        "Random starts, 1 mV of noise on the target"
    } else {
        "Random starts"
    };
    let mut plot = LinePlot::new(title, "simulated time of the cell (s)");
    plot.panel_height = 220.0;
    for side in sides {
        let mut panel = Panel::new("loss (mV²)").log();
        panel.title = format!("Levenberg–Marquardt, reading {}", side.ground.reading.letter());
        for search in side.searches.iter().filter(|s| s.method.noisy == noisy) {
            let Start::Random(k) = search.method.from else { continue };
            let x = search.curve.iter().map(Point::cell_s).collect();
            let y = search.curve.iter().map(|p| floored(p.loss)).collect();
            let series = Series::new(&format!("start {k}"), x, y);
            panel = panel.series(series.colour(shade(k, side)));
        }
        plot.panels.push(panel);
    }
    plot
}

/// The colour of a random start.
fn shade(k: usize, side: &Side<'_>) -> Rgb {
    let random = |s: &&Ended| matches!(s.method.from, Start::Random(_)) && !s.method.noisy;
    let last = side.searches.iter().filter(random).count().saturating_sub(1).max(1);
    ColourMap::Sequential.at(k as f64 / last as f64)
}

/// Target, start, and what some searches found.
pub(super) fn traces(side: &Side<'_>, before: &Traces, found: &[(&Ended, &Traces)]) -> LinePlot {
    let letter = side.ground.reading.letter();
    let mut plot = LinePlot::new(&format!("Traces before and after, reading {letter}"), "time (ms)");
    let mut panel = |title: &str, name: &str, traces: &Traces, colour: Rgb| {
        let mut panel = Panel::new("V (mV)");
        panel.title = title.into();
        let target = &side.ground.target;
        let target = Series::new("target", target.times_ms.clone(), column(target, 0)).colour(palette(6));
        let tuned = Series::new(name, traces.times_ms.clone(), column(traces, 0));
        plot.panels
            .push(panel.series(target).series(tuned.colour(colour).stroke(Stroke::Dashed)));
    };
    panel("Before: the published start", "start", before, REFERENCE);
    for (search, traces) in found {
        let title = format!("{} (loss {:.2e} mV²)", search.method.label, search.loss());
        panel(&title, "found", traces, colour(search));
    }
    plot
}

/// Found parameters over the target's, less 1.
pub(super) fn parameters(side: &Side<'_>, noisy: bool) -> HeatMap {
    let truth = truth();
    let rows: Vec<&Ended> = side.searches.iter().filter(|s| s.method.noisy == noisy).collect();
    let mut values = Array2::zeros((rows.len(), truth.len()));
    for (i, search) in rows.iter().enumerate() {
        for (k, (found, target)) in search.found().iter().zip(&truth).enumerate() {
            // beyond ±1 all is equally lost
            values[[i, k]] = (found / target - 1.0).clamp(-1.0, 1.0);
        }
    }
    let title = format!(
        "Parameters against the target, reading {}",
        side.ground.reading.letter()
    );
    let columns = Columns::Names(CONDUCTANCES.iter().map(|g| g.name.to_owned()).collect());
    let label = "found / target − 1";
    let mut map = HeatMap::new(&title, values, label, columns, "conductance");
    map.map = ColourMap::Diverging;
    map.rows("", rows.iter().map(|s| s.method.label.clone()).collect())
}

/// Eigenvalues of JᵀJ at the target, relative to the largest.
pub(super) fn spectrum(found: &[(&str, &Identifiability)]) -> LinePlot {
    let mut panel = Panel::new("eigenvalue of JᵀJ / the largest").log();
    for (i, (letter, identified)) in found.iter().enumerate() {
        let values = &identified.spectrum.values;
        let largest = values.first().copied().unwrap_or(1.0);
        let x = (1..=values.len()).map(|j| j as f64).collect();
        let y = values.iter().map(|v| v / largest).collect();
        let series = Series::new(&format!("reading {letter}"), x, y);
        panel = panel.series(series.colour(palette(i)).stroke(Stroke::LineAndPoints));
    }
    let mut plot = LinePlot::new("What the trace determines", "combination of conductances").panel(panel);
    plot.x_range = Some((0.5, CONDUCTANCES.len() as f64 + 0.5));
    plot
}

/// Loss along the line from start to target: per reading, spans and one row of losses per point of the line.
pub(super) fn cuts(cuts: &[(&str, &Cut)]) -> LinePlot {
    let mut plot = LinePlot::new("The line from start to target", "way from start (0) to target (1)");
    plot.panel_height = 220.0;
    for (letter, (spans, rows)) in cuts {
        let mut panel = Panel::new("loss (mV²)");
        panel.title = format!("Reading {letter}");
        let last = (rows.len() - 1).max(1) as f64;
        for (j, span) in spans.iter().enumerate() {
            let x = (0..rows.len()).map(|i| i as f64 / last).collect();
            let y = rows.iter().map(|r| r[j]).collect();
            panel = panel.series(Series::new(&format!("first {span:.0} ms"), x, y).colour(palette(j)));
        }
        plot.panels.push(panel);
    }
    plot
}
