//! R6: ten homeostatic cells that excite each other, each controlled by its own objective.

use serde_json::{Value, json};

use super::homeostasis::{FORGETTING_PER_MS, MAX_RATE};
use super::{Bench, check, check_line, mean_from, numbers, thinned};
use crate::hosts::ControlledRun;
use crate::outcome::{Folder, column};
use crate::plan::Plan;
use crate::report::plot::{LinePlot, Panel, Rgb, Series, Stroke, palette};
use crate::report::{Column, Table};
use crate::reproduce::{Agreement, Comparison, Error, Job, Outcome, Part, Scale};

const CELLS: usize = 10;
const SOURCES: usize = 5;
const TARGETS: [f64; 2] = [1.0, 4.0];
/// The paper's length, ms.
const PAPER_MS: f64 = 2e7;
/// How close to its target the mean rate must come.
const CLOSE: f64 = 0.15;
/// Parts of the run in which rates are shown.
const BINS: usize = 30;
/// The greatest of ours in R5.
const GAIN: f64 = 4e-3;
/// Ten lines behind their mean.
const CELL_COLOUR: Rgb = Rgb(0xb8, 0xb8, 0xb8);
/// The drive of the check, µA/cm².
const CHECK_GAIN: f64 = 4.0;
/// Horizon of the check, ms.
const CHECK_MS: f64 = 40.0;

fn experiment(target: f64, duration_ms: f64) -> Value {
    let at = json!({ "branch": 0, "pos": 0.5 });
    let slot = |name: &str| json!({ "name": name, "each_cell": true, "targets": [{ "mechanism": "hh_homeo", "parameter": name }] });
    let slots = ["gna", "gk", "gain"].map(slot);
    let how = json!({ "gain": GAIN, "min": 0, "max_rate": MAX_RATE });
    json!({
        "$schema": "https://graddiff.invalid/experiment.schema.json",
        "name": format!("network-{target}hz"),
        "mechanisms": ["hh_homeo.mod", "expsyn.mod"],
        "populations": [{ "name": "p", "count": CELLS, "cell": {
            "morphology": { "cylinder": { "length_um": 10, "diameter_um": 2 } },
            "cv_policy": "single",
            "properties": { "v_init_mv": -53, "cm_f_per_m2": 0.01, "rl_ohm_cm": 100 },
            "paint": [{ "mechanism": "hh_homeo", "parameters": { "f_target": target } }],
            "synapses": [{ "label": "s", "mechanism": "expsyn", "at": at }],
            "detectors": [{ "at": at, "threshold_mv": -10 }],
        } }],
        "connections": [{
            "from": { "cell": "p" }, "to": { "cell": "p", "synapse": "s" },
            "rule": { "indegree": SOURCES, "seed": 1 }, "weight": 1e-5, "delay_ms": 10,
        }],
        "slots": slots,
        "probes": [
            { "name": "rate", "cell": "p", "each_cell": true, "at": at, "variable": "hh_homeo.f" },
            { "name": "e", "cell": "p", "each_cell": true, "at": at, "variable": "hh_homeo.e" },
        ],
        "forgetting_per_ms": FORGETTING_PER_MS,
        "control": { "objective": "e", "every_ms": 1, "slots": { "gna": how, "gk": how, "gain": how } },
        "simulation": {
            "duration_ms": duration_ms, "dt_ms": 0.005, "seed": 1, "sample_every_ms": (duration_ms / 4000.0).max(1.0),
        },
    })
}

/// The network for the check: driven so hard that every cell spikes within the horizon (see R5).
fn driven(duration_ms: f64) -> Value {
    let mut experiment = experiment(TARGETS[0], duration_ms);
    experiment["name"] = "network".into();
    experiment["populations"][0]["cell"]["paint"][0]["parameters"]["gain"] = CHECK_GAIN.into();
    experiment
}

/// Mean rate of the cells over the last fifth, Hz, and of their spikes.
fn rates(plan: &Plan, run: &ControlledRun) -> (f64, f64) {
    let duration_ms = plan.experiment.simulation.duration_ms;
    let from_ms = 0.8 * duration_ms;
    let own = (0..CELLS).map(|i| mean_from(run, i, from_ms)).sum::<f64>() / CELLS as f64;
    let spikes = run.spikes.iter().filter(|s| s.time_ms >= from_ms).count() as f64;
    (own, spikes / CELLS as f64 / (duration_ms - from_ms) * 1000.0)
}

/// What the legend calls a cell: ten lines of one colour have one entry.
fn one_name(cell: usize) -> &'static str {
    if cell == 0 { "each cell" } else { "" }
}

/// Rate of each cell in 30 bins, and their mean.
fn plot(plan: &Plan, run: &ControlledRun, target: f64) -> LinePlot {
    let duration_s = plan.experiment.simulation.duration_ms / 1000.0;
    let mut panel = Panel::new("rate (Hz)");
    let mut mean = vec![0.0; BINS];
    let centres: Vec<f64> = (0..BINS).map(|b| (b as f64 + 0.5) * duration_s / BINS as f64).collect();
    for cell in 0..CELLS {
        let rate = column(&run.traces, cell);
        let per = rate.len().div_ceil(BINS).max(1);
        let binned: Vec<f64> = rate
            .chunks(per)
            .map(|c| c.iter().sum::<f64>() / c.len() as f64)
            .collect();
        binned.iter().zip(&mut mean).for_each(|(r, m)| *m += r / CELLS as f64);
        panel = panel.series(Series::new(one_name(cell), centres.clone(), binned).colour(CELL_COLOUR));
    }
    panel = panel
        .series(
            Series::new("mean", centres, mean)
                .stroke(Stroke::LineAndPoints)
                .colour(palette(0)),
        )
        .series(
            Series::new("target", vec![0.0, duration_s], vec![target; 2])
                .stroke(Stroke::Dashed)
                .colour(palette(1)),
        );
    let mut gains = Panel::new("gain / start (1)");
    let own = plan.slots.iter().enumerate();
    let own: Vec<_> = own.filter(|(_, slot)| slot.name.starts_with("gain_")).collect();
    let times = thinned(run.times_ms.iter().map(|t| t / 1000.0).collect(), 800);
    let mut mean = vec![0.0; times.len()];
    for (cell, (k, slot)) in own.into_iter().enumerate() {
        let values = crate::controlled::slot(plan, run, k);
        let values: Vec<f64> = values.into_iter().map(|g| g / slot.value).collect();
        let values = thinned(values, 800);
        values.iter().zip(&mut mean).for_each(|(g, m)| *m += g / CELLS as f64);
        gains = gains.series(Series::new(one_name(cell), times.clone(), values).colour(CELL_COLOUR));
    }
    gains = gains.series(Series::new("mean", times, mean).colour(palette(0)));
    let mut plot = LinePlot::new(&format!("Ten cells, target {target} Hz"), "time (s)")
        .panel(panel)
        .panel(gains);
    plot.panel_height = 220.0;
    plot
}

/// The result in the table of results.
pub const PART: Part = Part {
    name: "network",
    title: "ten cells held at a rate",
    place: "homeostatic control, network",
    takes_morphology: false,
    run,
};

fn run(job: &Job<'_>) -> Result<Outcome, Error> {
    let (output, length) = (job.output, job.scale);
    let bench = Bench::new(output)?;
    let duration_ms = match length {
        Scale::Quick => 5e3,
        Scale::Default => 2e5,
        Scale::Full => PAPER_MS,
    };
    let plans = TARGETS.map(|target| bench.plan(&experiment(target, duration_ms)));
    let [low, high] = plans;
    let (low, high) = (low?, high?);
    let verdict = check(&bench, &driven(duration_ms), CHECK_MS)?;
    let host = bench.host(&low, None)?;
    let other = bench.host(&high, Some((&low, &host)))?;
    let (first, second) = rayon::join(|| host.run_controlled(&low), || other.run_controlled(&high));
    let runs = [(&low, first?), (&high, second?)];

    let mut folder = Folder::create(
        output,
        &low,
        "reproduce network",
        "shim",
        "Homeostasis of a network (R6)",
    )?;
    let reached: Vec<(f64, f64)> = runs.iter().map(|(plan, run)| rates(plan, run)).collect();
    let distance: Vec<f64> = reached
        .iter()
        .zip(TARGETS)
        .map(|((r, _), t)| (r / t - 1.0).abs())
        .collect();
    let close = distance.iter().all(|d| *d <= CLOSE);
    folder.report.summary(&[
        (
            "mean rate at target 1 Hz".to_string(),
            format!("{:.2} Hz", reached[0].0),
        ),
        (
            "mean rate at target 4 Hz".to_string(),
            format!("{:.2} Hz", reached[1].0),
        ),
        (
            "sensitivities against central differences".to_string(),
            check_line(&verdict),
        ),
        (
            "length".to_string(),
            format!("{} s; the paper's is {} s", duration_ms / 1e3, PAPER_MS / 1e3),
        ),
    ]);
    folder.report.paragraph(
        "Ten cells of R5, each excited by five others drawn at random (exponential synapse, delay 10 ms, threshold −10 mV), \
         each with its own three slots and its own objective. The law and its settings are those called ours in R5. Spikes \
         carry no sensitivities from cell to cell, so each controller takes the others for noise. The weight is ours: 0.01 nS, \
         16 µS/cm² on a cell this small, which leaves single spikes subthreshold. The paper says 0.01 without a unit; in the \
         µS of an exponential synapse that is fifty times the cell's leak, and every spike would set off all its targets.",
    );
    let columns = vec![
        Column::number("target (Hz)"),
        Column::number("mean rate (Hz)"),
        Column::number("distance (%)"),
        Column::number("spikes (Hz)"),
    ];
    let mut table = Table::new("Means over cells and the last fifth of the run.", columns);
    for (((plan, run), target), ((rate, spikes), distance)) in
        runs.iter().zip(TARGETS).zip(reached.iter().zip(&distance))
    {
        let stem = format!("target{target}");
        let caption = "Rate of each cell in 30 parts of the run, and the gain of its drive.";
        folder.figure(&stem, &plot(plan, run, target), caption)?;
        folder.arrays(&format!("{stem}.npz"), &crate::controlled::arrays(plan, run))?;
        let cells = [
            format!("{target}"),
            format!("{rate:.2}"),
            format!("{:.0}", 100.0 * distance),
            format!("{spikes:.2}"),
        ];
        table.row(cells);
    }
    folder.report.table(&table);
    let report = folder.finish()?;
    let passed = verdict.passed && (close || length == Scale::Quick);
    let agreement = match (length, close) {
        (Scale::Quick, _) => Agreement::New,
        (Scale::Default | Scale::Full, true) => Agreement::Agrees,
        (Scale::Default | Scale::Full, false) => Agreement::Differs,
    };
    let ours = format!("{:.2} and {:.2}", reached[0].0, reached[1].0);
    let why = "exact sensitivities with our settings, on a shorter run";
    let comparisons = vec![Comparison::new(
        "mean rate of ten cells (Hz)",
        "1 and 4",
        &ours,
        agreement,
        why,
    )];
    Ok(Outcome {
        passed,
        summary: format!(
            "mean rates {:.2} Hz (target 1) and {:.2} Hz (target 4)",
            reached[0].0, reached[1].0
        ),
        numbers: numbers(json!({
            "rates_hz": reached.iter().map(|r| r.0).collect::<Vec<_>>(),
            "verify": verdict.max_rel_error,
            "duration_ms": duration_ms,
        })),
        comparisons,
        report,
    })
}
