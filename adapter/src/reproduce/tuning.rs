//! R4: the olive cell tuned to a trace of its own, by Adam, by evolution and by Levenberg–Marquardt.
//!
//! One trace of the soma's voltage, sampled each ms for 1000 ms, twelve relative conductances, loss
//! `mean((V − V*)²)`. Both readings of the mixed control volumes ([`Reading`]) are computed. The searches are
//! [`crate::control`]'s, the same that `graddiff tune` offers; `inputs/olive-W.json` and `inputs/olive-P.json` make the
//! first of them again.
//!
//! Costs are counted, not timed: simulated seconds of the cell, a second with sensitivities being as many plain ones as
//! it took on this machine.

mod arrays;
mod methods;
mod pictures;
mod searches;
mod words;

use std::sync::{Mutex, PoisonError};

use super::olive::{OliveCell, Reading};
use super::{Error, Job, Outcome, Part, Scale};
use crate::control::{Identifiability, Traces, identify};
use crate::outcome::Folder;
use crate::report::{self, Progress};
use methods::{Extent, methods};
use pictures::{Against, Side};
use searches::{Ended, Ground, Point, truth};

/// The result in the table of results.
pub const PART: Part = Part {
    name: "tuning",
    title: "tuning the olive cell: Adam, CMA-ES, Levenberg–Marquardt",
    place: "figure 3",
    takes_morphology: true,
    run: part,
};

/// Spans of the loss whose cuts are drawn, ms.
const SPANS_MS: [f64; 4] = [100.0, 200.0, 500.0, 1000.0];
/// Searches whose traces are drawn.
const DRAWN: [&str; 5] = ["lm", "adam-1e-2", "adam-3e-2", "adam-diffusion", "cma-20-seed-1"];

/// Loss over several spans along the line from start to target, one row per point.
type Cut = (Vec<f64>, Vec<Vec<f64>>);

/// One reading, computed.
struct Computed {
    ground: Ground,
    searches: Vec<Ended>,
    /// Along the line from start to target.
    cut: Cut,
    /// What the target tells, at the target.
    identified: Identifiability,
    /// Traces at the start …
    before: Traces,
    /// … and where some of the searches ended, with the search's position.
    after: Vec<(usize, Traces)>,
}

fn part(job: &Job<'_>) -> Result<Outcome, Error> {
    let extent = Extent::of(job.scale);
    let cell = OliveCell::prepare(&job.output.join("inputs"), job.morphology)?;
    let all = compute(job, &cell, &extent)?;
    let sides: Vec<Side<'_>> = all
        .iter()
        .map(|c| Side {
            ground: &c.ground,
            searches: &c.searches,
        })
        .collect();
    // a quick run promises nothing but that it works
    let checks = match job.scale {
        Scale::Quick => Vec::new(),
        Scale::Default | Scale::Full => words::checks(&sides),
    };
    let kept = checks.iter().filter(|c| c.passed).count();
    let promises = match checks.len() {
        0 => "none are made by a quick run".to_owned(),
        n => format!("{kept} of {n} promises kept"),
    };
    let mut errors = all.iter().map(|c| c.ground.verdict.max_rel_error);
    let error = errors.try_fold(0.0, |worst, e| Some(f64::max(worst, e?)));
    let error = error.map_or_else(|| "unknown".into(), |e| format!("{e:.1e}"));

    let title = "Tuning the olive cell (R4)";
    let mut folder = Folder::create(job.output, &all[0].ground.plan, "reproduce tuning", "shim", title)?;
    let multiples: Vec<String> = all.iter().map(|c| format!("{:.2}", c.ground.multiple)).collect();
    let facts = [
        ("error of the sensitivities against central differences", error.clone()),
        ("span of that check", format!("{:.0} ms", extent.verified_ms)),
        ("promises", promises.clone()),
        (
            "a second with sensitivities, W and P",
            format!("{} plain ones", multiples.join(" and ")),
        ),
    ];
    folder.report.summary(&facts.each_ref().map(|(a, b)| (*a, b.as_str())));
    preface(&mut folder, &cell, job, &extent);
    if !checks.is_empty() {
        folder.report.table(&words::check_table(&checks));
    }
    folder.arrays("tuning.npz", &arrays::arrays(&all))?;
    report(&mut folder, &all, &sides)?;
    // what is promised is promised for the paper's cell
    let verified = all.iter().all(|c| c.ground.verdict.passed);
    let passed = verified && (job.morphology.is_none() || kept == checks.len());
    let word = if passed { "passed" } else { "NOT PASSED" };
    Ok(Outcome {
        passed,
        summary: format!("error of the sensitivities {error}; promises: {promises} ({word})"),
        comparisons: words::comparisons(&sides),
        numbers: numbers(&sides),
        report: folder.finish()?,
    })
}

/// Both readings, with all searches.
fn compute(job: &Job<'_>, cell: &OliveCell, extent: &Extent) -> Result<Vec<Computed>, Error> {
    let methods = methods(extent);
    let readings = [Reading::Weighted, Reading::Published];
    let total = (readings.len() * methods.len()) as u64;
    let progress = Mutex::new(Progress::new(job.progress, "searches", total));
    let mut done = 0;
    let mut all = Vec::new();
    for reading in readings {
        let mut ground = Ground::prepare(job, cell, reading, extent)?;
        let searches = ground.search(job, &methods, extent, &progress, &mut done)?;
        let before = ground.simulate(&ground.plan.values(), false)?;
        let mut after = Vec::new();
        for (i, search) in searches.iter().enumerate() {
            if DRAWN.contains(&search.method.name.as_str()) {
                after.push((i, ground.simulate(&search.found(), false)?));
            }
        }
        all.push(Computed {
            cut: cut(&mut ground, extent)?,
            identified: at_target(&mut ground, extent)?,
            ground,
            searches,
            before,
            after,
        });
    }
    progress.into_inner().unwrap_or_else(PoisonError::into_inner).finish("");
    Ok(all)
}

/// The sections with figures and tables.
fn report(folder: &mut Folder, all: &[Computed], sides: &[Side<'_>]) -> Result<(), report::Error> {
    folder.report.section("Searches from the published start");
    for against in Against::ALL {
        folder.figure(against.stem(), &pictures::losses(sides, against), against.caption())?;
    }
    for side in sides {
        folder.report.table(&words::search_table(side));
    }
    folder.report.section("Before and after");
    for (computed, side) in all.iter().zip(sides) {
        let after: Vec<(&Ended, &Traces)> = computed.after.iter().map(|(i, t)| (&side.searches[*i], t)).collect();
        let stem = format!("traces-{}", side.ground.reading.letter());
        let caption = "The soma's voltage at the start and where some searches ended (dashed), with the target.";
        folder.figure(&stem, &pictures::traces(side, &computed.before, &after), caption)?;
    }
    folder.report.section("Other starts, and noise");
    folder.report.paragraph(
        "Levenberg–Marquardt from random starts, each slot up to half of its value away from the published start, all from \
         one seed; without and with 1 mV of white noise on the target. Losses are against the target without noise.",
    );
    let caption = "Loss over the whole trace against simulated time of the cell, per start.";
    for (noisy, stem) in [(false, "starts"), (true, "starts-noise")] {
        folder.figure(stem, &pictures::starts(sides, noisy), caption)?;
    }
    folder.report.section("Parameters, and what the trace determines");
    let caption = "What every search found against the target. Pale is recovered, and beyond ±1 all is equally lost; a \
                   vanishing loss does not mean that conductances are found.";
    for side in sides {
        folder.report.table(&words::parameter_table(side));
        let stem = format!("parameters-{}", side.ground.reading.letter());
        folder.figure(&stem, &pictures::parameters(side, false), caption)?;
    }
    let caption = "Spectrum of JᵀJ at the target, J the derivatives of all samples by the relative conductances.";
    let named: Vec<(&str, &Identifiability)> = all.iter().map(|c| (c.ground.reading.letter(), &c.identified)).collect();
    folder.figure("spectrum", &pictures::spectrum(&named), caption)?;
    folder.report.table(&words::precision_table(&named));
    folder.report.section("Why the horizon grows");
    let caption = "Loss over the first part of the trace, and over all of it, on the straight line from start to target. A \
                   barrier that is there for the long trace and not for the short one is a cycle slipped.";
    let cuts: Vec<(&str, &Cut)> = all.iter().map(|c| (c.ground.reading.letter(), &c.cut)).collect();
    folder.figure("cuts", &pictures::cuts(&cuts), caption)?;
    Ok(())
}

/// What was computed, and what was not.
fn preface(folder: &mut Folder, cell: &OliveCell, job: &Job<'_>, extent: &Extent) {
    let shape = if cell.generated {
        "The cell's shape is our generated tree, since none was given (`--morphology`): numbers differ from those on the \
         paper's cell, C4A."
    } else {
        "The cell's shape is the file that was given."
    };
    let scale = match job.scale {
        Scale::Quick => "This is a quick run: a short trace, and few iterations.",
        Scale::Default => {
            "CMA-ES ends after 400 cell-seconds each where it does not reach a loss of 1 mV² before, and Adam on sensitivities \
             that forget after 150 steps; --full gives them 6000 and 300."
        }
        Scale::Full => "CMA-ES ends after 6000 cell-seconds each where it does not reach a loss of 1 mV² before.",
    };
    folder.report.paragraph(&format!(
        "{shape} One control volume per branch. W weighs the mechanisms of a mixed control volume by area, as Arbor does; P \
         has the soma's alone, unweighted and without a conductance in the matrix, as the public code. The trace is {:.0} ms \
         long. {scale}",
        extent.end_ms
    ));
    folder.report.paragraph(searches::CHECK);
    folder.report.paragraph(
        "Searches labelled approximate follow the paper's own gradient, by ion diffusion with the rule of Arbor 0.9, which is \
         wrong on a branched cell; all others follow the exact one, or none.",
    );
}

/// The loss along the line from start to target.
fn cut(ground: &mut Ground, extent: &Extent) -> Result<Cut, Error> {
    let (start, truth) = (ground.plan.values(), truth());
    let last = f64::from(extent.cut - 1);
    let point = |i: u32| -> Vec<f64> {
        let way = f64::from(i) / last;
        start.iter().zip(&truth).map(|(a, b)| a + way * (b - a)).collect()
    };
    let points: Vec<Vec<f64>> = (0..extent.cut).map(point).collect();
    let spans: Vec<f64> = SPANS_MS.into_iter().filter(|s| *s <= extent.end_ms).collect();
    let rows = ground.losses(&points, &spans)?;
    Ok((spans, rows))
}

/// What the target tells, at the target.
fn at_target(ground: &mut Ground, extent: &Extent) -> Result<Identifiability, Error> {
    let truth = truth();
    let traces = ground.simulate(&truth, true)?;
    let transforms: Vec<_> = ground.plan.slots.iter().map(|s| s.transform).collect();
    Ok(identify(
        &ground.objective,
        &traces,
        extent.end_ms,
        &transforms,
        &truth,
    )?)
}

/// For `--json`.
fn numbers(sides: &[Side<'_>]) -> serde_json::Map<String, serde_json::Value> {
    let mut all = serde_json::Map::new();
    for side in sides {
        let search = |s: &Ended| {
            let value = serde_json::json!({
                "loss": s.loss(),
                "iterations": s.tuner.history().len(),
                "cell_s": s.last().map(Point::cell_s),
                "cell_s_to_loss_1": s.first_below(methods::LEVEL).map(Point::cell_s),
            });
            (s.method.name.clone(), value)
        };
        let searches: serde_json::Map<String, serde_json::Value> = side.searches.iter().map(search).collect();
        let value = serde_json::json!({
            "max_rel_error": side.ground.verdict.max_rel_error,
            "best_constant_loss": side.ground.best_constant(),
            "tangent_over_plain": side.ground.multiple,
            "searches": searches,
        });
        all.insert(side.ground.reading.letter().into(), value);
    }
    all
}
