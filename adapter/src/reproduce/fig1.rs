//! Figure 1B and C of the paper: the wave of ∂V/∂w along an axon, w the weight of a stimulus at the soma.
//!
//! The published sensitivities rest on ion diffusion and are wrong on this cell by a factor of about seven (its soma and
//! axon differ in diameter); ours come with the central difference of the same simulation beside them.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::{Agreement, Carried, Comparison, Error, Job, Outcome, Part, unpack};
use crate::control::{Model, Traces};
use crate::hosts::{HostError, ShimHost};
use crate::outcome::{Folder, Named, column, sensitivity, trace_arrays};
use crate::plan::Plan;
use crate::report::plot::{
    ColourMap, Columns, HeatMap, LinePlot, MorphologyPlot, Panel, Projection, Segment, Series, Stroke, palette,
};
use crate::report::{self, Column, Table};
use crate::verify::{Verdict, lanes, verify};

/// Control volumes of the cell: soma and ten axon segments.
const CVS: usize = 11;
/// What each CV is probed for, in the order of the experiment's probes.
const VARIABLES: [&str; 4] = ["V", "m", "h", "n"];
/// The window the paper shows, ms.
const WINDOW_MS: (f64, f64) = (92.0, 108.0);

/// The experiment, and its mechanism.
pub(super) const INPUTS: [Carried; 2] = [
    Carried {
        path: "examples/r1.json",
        text: include_str!("../../../examples/r1.json"),
    },
    Carried {
        path: "mechanisms/r1/r1.mod",
        text: include_str!("../../../mechanisms/r1/r1.mod"),
    },
];

/// The result in the table of results.
pub const PART: Part = Part {
    name: "fig1",
    title: "the gradient wave along an axon",
    place: "figure 1B and C",
    takes_morphology: false,
    run: part,
};

/// What came out.
#[derive(Debug)]
pub struct Fig1 {
    /// The check against central differences.
    pub verdict: Verdict,
    /// Peak of |∂V/∂w| per CV, mV, in the window.
    pub peaks: Vec<f64>,
    /// The report.
    pub report: PathBuf,
}

/// Computes the figure into `output`.
///
/// # Errors
/// [`Error`].
pub fn run(output: &Path) -> Result<Fig1, Error> {
    let inputs = output.join("inputs");
    unpack(&inputs, &INPUTS)?;
    let plan = Plan::load(&inputs.join(INPUTS[0].path))?;
    let mut folder = Folder::create(output, &plan, "reproduce fig1", "shim", "Figure 1: the gradient wave")?;
    let mut host = ShimHost::new(&plan, &output.join("r1-catalogue.so"))?;
    let x = plan.values();
    let duration = plan.experiment.simulation.duration_ms;
    let traces = host.simulate(&x, duration, true)?;

    let lanes = lanes(&plan);
    let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    let tolerance = plan.experiment.verify.tolerance;
    let verdict = verify(&mut host, &slots, &x, duration, tolerance, &lanes, |_| ())?;
    // the step at which a plain difference is best, not the one that suits the extrapolation
    let sweep = verdict.parameters.iter().flat_map(|r| &r.sweep);
    let step = sweep
        .min_by(|a, b| a.rel_error.total_cmp(&b.rel_error))
        .map_or(1e-4, |p| p.step);
    let difference = central_difference(&mut host, &x, step, duration)?;

    let mut arrays = trace_arrays(&traces);
    let shape = [traces.times_ms.len(), traces.n_probes];
    let meaning = "central difference d(value)/dw, time × probe";
    arrays.push(Named::new(
        "central_difference",
        "probe's",
        meaning,
        &shape,
        difference.values.clone(),
    ));
    folder.arrays("fig1.npz", &arrays)?;

    let peaks = peaks(&traces);
    write_report(&mut folder, &plan, &traces, &difference, &verdict, &peaks)?;
    let report = folder.finish()?;
    Ok(Fig1 { verdict, peaks, report })
}

fn part(job: &Job<'_>) -> Result<Outcome, Error> {
    let Fig1 { verdict, peaks, report } = run(job.output)?;
    let error = verdict
        .max_rel_error
        .map_or_else(|| "unknown".into(), |e| format!("{e:.1e}"));
    let passed = verdict.passed;
    let word = if passed { "passed" } else { "NOT PASSED" };
    let mut numbers = serde_json::Map::new();
    numbers.insert("max_rel_error".into(), verdict.max_rel_error.into());
    numbers.insert("peak_dv_dw_mv".into(), peaks.clone().into());
    let (soma, end) = (peaks[0], peaks[CVS - 1]);
    let comparisons = vec![
        Comparison::new(
            "the gradient travels along the axon with the action potential",
            "shown",
            "shown",
            Agreement::Agrees,
            "The shape of the published wave is right: against central differences of its own simulation its cosine is 0.973 to 0.997.",
        ),
        Comparison::new(
            "error of ∂V/∂w against central differences of the same simulation",
            "relative L2 error 0.86 (measured by us with the public code)",
            &format!("{error} of the greatest"),
            Agreement::Differs,
            "Ion diffusion is not the axial term where diameters differ; the tangent of the voltage's own matrix is.",
        ),
        Comparison::new(
            "peak of ∂V/∂w, soma and end of the axon",
            "about 7 times smaller",
            &format!("{soma:.1} mV and {end:.1} mV"),
            Agreement::Differs,
            "For the same reason; Adam hides a wrong scale, since it rescales each component.",
        ),
    ];
    Ok(Outcome {
        passed,
        summary: format!("error of the sensitivities against central differences {error} ({word})"),
        comparisons,
        numbers,
        report,
    })
}

/// (y(w+h) − y(w−h))/2h of all probes, as traces.
fn central_difference(host: &mut ShimHost, x: &[f64], h: f64, t_end_ms: f64) -> Result<Traces, HostError> {
    let mut at = |shift: f64| {
        let moved: Vec<f64> = x.iter().map(|w| w + shift).collect();
        host.simulate(&moved, t_end_ms, false)
    };
    let (plus, minus) = (at(h)?, at(-h)?);
    let values = plus
        .values
        .iter()
        .zip(&minus.values)
        .map(|(p, m)| (p - m) / (2.0 * h))
        .collect();
    Ok(Traces { values, ..plus })
}

fn probe(cv: usize, variable: usize) -> usize {
    cv * VARIABLES.len() + variable
}

fn in_window(t: f64) -> bool {
    (WINDOW_MS.0..=WINDOW_MS.1).contains(&t)
}

fn peaks(traces: &Traces) -> Vec<f64> {
    (0..CVS)
        .map(|cv| {
            let u = sensitivity(traces, probe(cv, 0), 0);
            let shown = traces.times_ms.iter().zip(u).filter(|(t, _)| in_window(**t));
            shown.map(|(_, u)| u.abs()).fold(0.0, f64::max)
        })
        .collect()
}

fn write_report(
    folder: &mut Folder,
    plan: &Plan,
    traces: &Traces,
    difference: &Traces,
    verdict: &Verdict,
    peaks: &[f64],
) -> Result<(), report::Error> {
    let error = |e: Option<f64>| e.map_or_else(|| "-".into(), |e| format!("{e:.1e}"));
    let row = verdict.parameters.first();
    let facts = [
        ("error against central differences", error(verdict.max_rel_error)),
        (
            "uncertainty of the difference",
            error(row.and_then(|r| r.fd_error_estimate)),
        ),
        ("peak of ∂V/∂w at the soma", format!("{:.2} mV", peaks[0])),
        ("peak at the axon's end", format!("{:.2} mV", peaks[CVS - 1])),
    ];
    folder.report.summary(&facts.each_ref().map(|(a, b)| (*a, b.as_str())));
    folder.figure("wave", &wave(traces), "Voltage, and the sensitivities of voltage and gates to the stimulus weight w, per control volume: soma (0) to the end of the axon (10).")?;
    folder.figure(
        "wave-map",
        &map(traces),
        "The same ∂V/∂w as an image: the gradient travels with the action potential.",
    )?;
    folder.figure(
        "morphology",
        &morphology(plan, peaks),
        "The cell, coloured by the peak of ∂V/∂w between 92 and 108 ms.",
    )?;
    folder.report.section("Check");
    folder.report.paragraph(
        "The curves above are the tangent of the discrete steps. Below they are compared with the central difference of the same simulation, computed without any derivative.",
    );
    folder.figure(
        "check",
        &check(traces, difference),
        "∂V/∂w and its central difference (dashed), and their distance.",
    )?;
    folder.figure("sweep", &sweep(verdict), "Distance from the extrapolated difference against the step of a plain central difference: truncation on the right, rounding on the left.")?;
    let columns = ["CV", "peak ∂V/∂w (mV)", "greatest distance from the difference (mV)"]
        .map(Column::number)
        .to_vec();
    let mut table = Table::new(
        "Peaks in the window, and the check per control volume over the whole run.",
        columns,
    );
    for (cv, peak) in peaks.iter().enumerate() {
        let (u, d) = (sensitivity(traces, probe(cv, 0), 0), column(difference, probe(cv, 0)));
        let distance = u.iter().zip(&d).map(|(u, d)| (u - d).abs()).fold(0.0, f64::max);
        table.row([cv.to_string(), format!("{peak:.4}"), format!("{distance:.1e}")]);
    }
    folder.report.table(&table);
    Ok(())
}

fn cv_name(cv: usize) -> String {
    if cv == 0 { "soma".into() } else { format!("axon {cv}") }
}

fn wave(traces: &Traces) -> LinePlot {
    let mut plot = LinePlot::new("The gradient wave (R1)", "time (ms)");
    plot.x_range = Some(WINDOW_MS);
    plot.panel_height = 150.0;
    let mut panel = |label: &str, y: &dyn Fn(usize) -> Vec<f64>| {
        let mut panel = Panel::new(label);
        for cv in 0..CVS {
            panel = panel.series(Series::new(&cv_name(cv), traces.times_ms.clone(), y(cv)));
        }
        plot.panels.push(panel);
    };
    panel("V (mV)", &|cv| column(traces, probe(cv, 0)));
    panel("∂V/∂w (mV)", &|cv| sensitivity(traces, probe(cv, 0), 0));
    for (variable, name) in VARIABLES.iter().enumerate().skip(1) {
        panel(&format!("∂{name}/∂w (1)"), &|cv| {
            sensitivity(traces, probe(cv, variable), 0)
        });
    }
    plot
}

fn map(traces: &Traces) -> HeatMap {
    let shown: Vec<usize> = (0..traces.times_ms.len())
        .filter(|&i| in_window(traces.times_ms[i]))
        .collect();
    let mut values = Array2::zeros((CVS, shown.len()));
    for cv in 0..CVS {
        let u = sensitivity(traces, probe(cv, 0), 0);
        for (j, &i) in shown.iter().enumerate() {
            values[[cv, j]] = u[i];
        }
    }
    let columns = Columns::Range {
        start: WINDOW_MS.0,
        end: WINDOW_MS.1,
    };
    HeatMap::new("∂V/∂w along the axon", values, "∂V/∂w (mV)", columns, "time (ms)")
        .rows("CV", (0..CVS).map(cv_name).collect())
}

fn morphology(plan: &Plan, peaks: &[f64]) -> MorphologyPlot {
    let segments = plan.cells[0].morphology.segment_tree().segments();
    let xyz = |p: &host_shim::Point| [p.x, p.y, p.z];
    let drawn = segments
        .iter()
        .zip(peaks)
        .map(|(s, &peak)| Segment {
            proximal_um: xyz(&s.prox),
            distal_um: xyz(&s.dist),
            proximal_radius_um: s.prox.radius,
            distal_radius_um: s.dist.radius,
            value: Some(peak),
        })
        .collect();
    MorphologyPlot::new("Peak of ∂V/∂w", drawn, "max |∂V/∂w| (mV)", ColourMap::Sequential).projection(Projection::Xy)
}

fn check(traces: &Traces, difference: &Traces) -> LinePlot {
    let mut plot = LinePlot::new("Against the central difference", "time (ms)");
    plot.x_range = Some(WINDOW_MS);
    let mut curves = Panel::new("∂V/∂w (mV)");
    let mut distances = Panel::new("distance (mV)").log();
    for (i, cv) in [0, CVS / 2, CVS - 1].into_iter().enumerate() {
        let (u, d) = (sensitivity(traces, probe(cv, 0), 0), column(difference, probe(cv, 0)));
        let distance = u.iter().zip(&d).map(|(u, d)| (u - d).abs()).collect();
        let t = traces.times_ms.clone();
        let difference = Series::new(&format!("{}, difference", cv_name(cv)), t.clone(), d).stroke(Stroke::Dashed);
        curves = curves
            .series(Series::new(&cv_name(cv), t.clone(), u).colour(palette(i)))
            .series(difference.colour(palette(3 + i)));
        distances = distances.series(Series::new(&cv_name(cv), t, distance).colour(palette(i)));
    }
    plot.panel(curves).panel(distances)
}

fn sweep(verdict: &Verdict) -> LinePlot {
    let mut panel = Panel::new("relative distance (1)").log();
    for row in &verdict.parameters {
        let x = row.sweep.iter().map(|p| p.step).collect();
        let y = row.sweep.iter().map(|p| p.rel_error).collect();
        panel = panel.series(Series::new(&row.name, x, y).stroke(Stroke::LineAndPoints));
    }
    LinePlot::new("Step of the central difference", "step in w")
        .log_x()
        .panel(panel)
}
