//! One controlled cell in three hosts: ours, and Arbor and NEURON as their users install them. A potassium block and a
//! stronger input hit it; the law and its numbers are the same in all. The paper's claim is that nothing else is needed
//! but what simulators offer; cell, law and numbers are ours.

use serde_json::{Value, json};

use super::{Bench, check, check_line, numbers};
use crate::hosts::process::python;
use crate::hosts::{ControlledRun, HostError, RemoteHost};
use crate::outcome::{Folder, column};
use crate::plan::Plan;
use crate::report::plot::{LinePlot, Panel, Series, Stroke};
use crate::report::{Column, Table};
use crate::reproduce::{Agreement, Comparison, Error, Job, Outcome, Part, Scale};

/// The experiment, as users have it.
const EXPERIMENT: &str = include_str!("../../../../examples/homeostasis/hosts.json");
/// How close to its target the rate must be.
const CLOSE: f64 = 0.1;
/// Part of the time after a perturbation over which the rate is judged: the last.
const JUDGED: f64 = 0.2;
/// The same law gives the same slots in Arbor, relative to their scale, until the loop has amplified rounding.
const SAME: f64 = 1e-6;
/// For how long after control begins, ms. The loop amplifies a difference tenfold in some 150 ms.
const HORIZON_MS: f64 = 500.0;
/// An answer of another simulator comes sooner than this, s.
const PATIENCE_S: u64 = 600;

/// The result in the table of results.
pub const PART: Part = Part {
    name: "hosts",
    title: "a controlled cell in unmodified Arbor and NEURON",
    place: "the method, within the public interface",
    takes_morphology: false,
    run,
};

/// A run, or why there is none.
struct Ran {
    name: &'static str,
    run: Result<ControlledRun, HostError>,
}

/// Mean rate over the last part before each perturbation and before the end, Hz.
fn rates(plan: &Plan, run: &ControlledRun) -> Vec<f64> {
    let mut edges: Vec<f64> = plan.perturbations.iter().map(|p| p.at_ms).collect();
    edges.push(plan.experiment.simulation.duration_ms);
    let rate = column(&run.traces, 0);
    let mut begin = 0.0;
    let mut means = Vec::new();
    for end in edges {
        let from = end - JUDGED * (end - begin);
        let samples = run.traces.times_ms.iter().zip(&rate);
        let within = samples.filter(|(t, _)| (from..end).contains(*t));
        let (sum, n) = within.fold((0.0, 0.0), |(sum, n), (_, r)| (sum + r, n + 1.0));
        means.push(sum / n);
        begin = end;
    }
    means
}

/// The greatest difference of slots over their scales, up to a time.
fn difference(plan: &Plan, a: &ControlledRun, b: &ControlledRun, until_ms: f64) -> f64 {
    let n = plan.slots.len();
    let rows = a.times_ms.partition_point(|t| *t <= until_ms);
    let mut worst = 0.0f64;
    for (k, how) in plan.control.iter().flat_map(|c| &c.slots) {
        for row in 0..rows.min(b.times_ms.len()) {
            let apart = (a.slots[row * n + k] - b.slots[row * n + k]).abs() / how.scale;
            worst = if apart.is_nan() { f64::NAN } else { worst.max(apart) };
        }
    }
    worst
}

fn plot(plan: &Plan, held: &[(&str, &ControlledRun)], without: &ControlledRun, target: f64) -> LinePlot {
    let seconds = |times: &[f64]| -> Vec<f64> { times.iter().map(|t| t / 1000.0).collect() };
    let end_s = plan.experiment.simulation.duration_ms / 1000.0;
    let mut rates = Panel::new("rate (Hz)");
    for (name, run) in held {
        rates = rates.series(Series::new(name, seconds(&run.traces.times_ms), column(&run.traces, 0)));
    }
    rates = rates
        .series(Series::new(
            "without control",
            seconds(&without.traces.times_ms),
            column(&without.traces, 0),
        ))
        .series(Series::new("target", vec![0.0, end_s], vec![target; 2]).stroke(Stroke::Dashed));
    let mut plot = LinePlot::new("One controlled cell in three hosts", "time (s)").panel(rates);
    for (k, how) in plan.control.iter().flat_map(|c| &c.slots) {
        let mut panel = Panel::new(&format!("{} / start (1)", plan.slots[*k].name));
        for (name, run) in held {
            let theta = crate::controlled::slot(plan, run, *k)
                .into_iter()
                .map(|x| x / how.start);
            panel = panel.series(Series::new(name, seconds(&run.times_ms), theta.collect()));
        }
        plot = plot.panel(panel);
    }
    for (perturbation, name) in plan.perturbations.iter().zip(["K block", "input"]) {
        plot = plot.mark(perturbation.at_ms / 1000.0, name);
    }
    plot
}

/// A third of the time and the first perturbation, for a quick look.
fn quick(experiment: &mut Value) {
    experiment["simulation"]["duration_ms"] = 5000.into();
    if let Some(all) = experiment["perturbations"].as_array_mut() {
        all.truncate(1);
        all[0]["at_ms"] = 2500.into();
    }
}

fn run(job: &Job<'_>) -> Result<Outcome, Error> {
    let output = job.output;
    let bench = Bench::new(output)?;
    let mut experiment: Value = serde_json::from_str(EXPERIMENT).unwrap_or_default();
    if job.scale == Scale::Quick {
        quick(&mut experiment);
    }
    let plan = bench.plan(&experiment)?;
    let parameters = &experiment["cells"][0]["paint"][0]["parameters"];
    let target = parameters["f_target"].as_f64().unwrap_or(50.0);
    let verdict = check(&bench, &experiment, plan.experiment.verify.duration_ms.unwrap_or(100.0))?;
    let host = bench.host(&plan, None)?;
    let shim = host.run_controlled(&plan)?;
    let free = Plan {
        control: None,
        ..plan.clone()
    };
    let without = host.run_controlled(&free)?;
    let others = elsewhere(&bench, &plan, host.catalogue());

    let mut folder = Folder::create(
        output,
        &plan,
        "reproduce hosts",
        "shim",
        "One controlled cell in three hosts",
    )?;
    let close = |rate: &f64| (rate / target - 1.0).abs() <= CLOSE;
    let lost = rates(&plan, &without);
    let mut held: Vec<(&str, &ControlledRun)> = vec![("shim", &shim)];
    held.extend(
        others
            .iter()
            .filter_map(|o| o.run.as_ref().ok().map(|run| (o.name, run))),
    );
    let horizon_ms = plan.control.as_ref().map_or(0.0, |c| c.start_ms) + HORIZON_MS;
    let arbor = others
        .iter()
        .find(|o| o.name == "Arbor")
        .and_then(|o| o.run.as_ref().ok());
    let apart = arbor.map(|run| difference(&plan, run, &shim, horizon_ms));
    let columns = || {
        let mut columns = vec![Column::text("host"), Column::number("before (Hz)")];
        columns.extend(["potassium block (Hz)", "stronger input (Hz)"].map(Column::number));
        columns.truncate(2 + plan.perturbations.len());
        columns
    };
    let mut table = Table::new(
        "Mean rate over the last fifth of the time until the next perturbation.",
        columns(),
    );
    let mut numbers_of = serde_json::Map::new();
    let mut row = |name: &str, means: &[f64]| {
        let mut cells = vec![name.to_string()];
        cells.extend(means.iter().map(|r| format!("{r:.2}")));
        table.row(cells);
        numbers_of.insert(name.to_lowercase().replace(' ', "_"), json!(means));
    };
    let mut all_held = others.iter().all(|o| o.run.is_ok());
    for (name, run) in &held {
        let means = rates(&plan, run);
        all_held &= means.iter().all(close);
        row(name, &means);
    }
    row("without control", &lost);
    let same = apart.is_some_and(|d| d <= SAME);
    let passed = verdict.passed && all_held && same && !lost[1..].iter().any(close);
    let found = apart.map_or_else(|| "not compared".into(), |d| format!("{d:.1e} of their scale"));
    let between = format!("slots in Arbor and in the shim, up to {horizon_ms} ms");
    folder.report.summary(&[
        ("hosts that hold the rate".to_string(), {
            let holding = held.iter().filter(|(_, run)| rates(&plan, run).iter().all(close));
            format!("{} of 3", holding.count())
        }),
        (between, found.clone()),
        (
            "sensitivities against central differences".to_string(),
            check_line(&verdict),
        ),
    ]);
    folder.report.paragraph(
        "Cell, law and numbers are ours. In Arbor 0.12.2 parameters change in its own checkpoint (serialised, edited, \
         deserialised) between segments of one run; in NEURON 9.0.2 by writing RANGE variables. Both are as pip installs \
         them. The controller outside is the same, and asks every 5 ms. NEURON's sensitivities are those of clones, right up \
         to the time step. The loop amplifies rounding, so runs part at last; what they are to hold is the rate.",
    );
    for other in &others {
        if let Err(error) = &other.run {
            folder.report.warnings(&[&format!("no run in {}: {error}", other.name)]);
        }
    }
    let caption = "Rate and slots in each host; dashed lines where the cell was perturbed.";
    folder.figure("hosts", &plot(&plan, &held, &without, target), caption)?;
    folder.report.table(&table);
    if let Some(table) = crate::controlled::perturbations(&plan) {
        folder.report.table(&table);
    }
    for (name, run) in &held {
        let file = format!("{}.npz", name.to_lowercase());
        folder.arrays(&file, &crate::controlled::arrays(&plan, run))?;
    }
    folder.arrays("without-control.npz", &crate::controlled::arrays(&free, &without))?;
    let report = folder.finish()?;
    numbers_of.extend(numbers(json!({
        "target_hz": target,
        "arbor_shim": apart,
        "verify": verdict.max_rel_error,
    })));
    let line = |(name, run): &(&str, &ControlledRun)| {
        let means: Vec<String> = rates(&plan, run)[1..].iter().map(|r| format!("{r:.1}")).collect();
        format!("{name} {}", means.join(", "))
    };
    let missing = others
        .iter()
        .filter_map(|o| o.run.as_ref().err().map(|e| format!("; no {}: {e}", o.name)));
    let ours = held.iter().map(line).collect::<Vec<_>>().join("; ");
    Ok(Outcome {
        passed,
        summary: format!(
            "target {target} Hz, after the perturbations: {ours}; slots in Arbor and shim differ by {found}{}",
            missing.collect::<String>()
        ),
        comparisons: vec![Comparison::new(
            "rate under control in unmodified simulators (Hz)",
            "the method needs their public interface only",
            &format!("{ours} for {target}"),
            if passed { Agreement::Agrees } else { Agreement::Differs },
            "cell, law and perturbations are ours; Arbor through its checkpoint, NEURON through RANGE variables",
        )],
        numbers: numbers_of,
        report,
    })
}

/// The same in Arbor and in NEURON.
fn elsewhere(bench: &Bench, plan: &Plan, catalogue: &std::path::Path) -> Vec<Ran> {
    let (python, _) = python(None);
    let patience = std::time::Duration::from_secs(PATIENCE_S);
    let controlled = |host: Result<RemoteHost, HostError>| {
        host?.run_controlled_watched(catalogue, &mut |_, _, _| {}, &mut |_, _| {})
    };
    let folder = bench.inputs.join(format!("{}-neuron", plan.experiment.name));
    vec![
        Ran {
            name: "Arbor",
            run: controlled(RemoteHost::arbor_on(plan, catalogue, python.clone(), patience)),
        },
        Ran {
            name: "NEURON",
            run: controlled(RemoteHost::neuron(plan, &folder, python, patience)),
        },
    ]
}
