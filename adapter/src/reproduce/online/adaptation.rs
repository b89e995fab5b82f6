//! R8a: a cell that returns to its rate after a channel block, a changed input and a warmer bath, and does not without
//! control. Cell, law and numbers are ours.

use serde_json::{Value, json};

use super::{Bench, check, check_line, numbers};
use crate::hosts::ControlledRun;
use crate::outcome::{Folder, column};
use crate::plan::Plan;
use crate::report::plot::{LinePlot, Panel, Series, Stroke};
use crate::report::{Column, Table};
use crate::reproduce::{Agreement, Comparison, Error, Job, Outcome, Part};

/// The experiment, as users have it.
const EXPERIMENT: &str = include_str!("../../../../examples/homeostasis/adapt.json");
/// How close to its target the rate must be.
const CLOSE: f64 = 0.1;
/// Part of the time after a perturbation over which the rate is judged: the last.
const JUDGED: f64 = 0.2;

/// Mean rate over the last part before each perturbation and before the end, Hz.
fn rates(plan: &Plan, run: &ControlledRun) -> Vec<f64> {
    let mut edges: Vec<f64> = plan.perturbations.iter().map(|p| p.at_ms).collect();
    edges.push(plan.experiment.simulation.duration_ms);
    let rate = column(&run.traces, 0);
    let mut begin = 0.0;
    let mut means = Vec::new();
    for end in edges {
        let from = end - JUDGED * (end - begin);
        let within = run
            .traces
            .times_ms
            .iter()
            .zip(&rate)
            .filter(|(t, _)| (from..end).contains(*t));
        let (sum, n) = within.fold((0.0, 0.0), |(sum, n), (_, r)| (sum + r, n + 1.0));
        means.push(sum / n);
        begin = end;
    }
    means
}

fn plot(plan: &Plan, with: &ControlledRun, without: &ControlledRun, target: f64) -> LinePlot {
    let seconds = |times: &[f64]| -> Vec<f64> { times.iter().map(|t| t / 1000.0).collect() };
    let end_s = plan.experiment.simulation.duration_ms / 1000.0;
    let rates = Panel::new("rate (Hz)")
        .series(Series::new(
            "with control",
            seconds(&with.traces.times_ms),
            column(&with.traces, 0),
        ))
        .series(Series::new(
            "without",
            seconds(&without.traces.times_ms),
            column(&without.traces, 0),
        ))
        .series(Series::new("target", vec![0.0, end_s], vec![target; 2]).stroke(Stroke::Dashed));
    let mut slots = Panel::new("θ / start (1)");
    let mut sensitivities = Panel::new("θ₀ ∂e/∂θ (Hz² ms)");
    let n = plan.control.as_ref().map_or(0, |c| c.slots.len());
    for (which, (k, how)) in plan.control.iter().flat_map(|c| &c.slots).enumerate() {
        let name = &plan.slots[*k].name;
        let theta = crate::controlled::slot(plan, with, *k)
            .into_iter()
            .map(|x| x / how.start)
            .collect();
        slots = slots.series(Series::new(name, seconds(&with.times_ms), theta));
        let moved = crate::controlled::sensitivity(with, n, which);
        let moved = moved.into_iter().map(|e| e * how.scale).collect();
        sensitivities = sensitivities.series(Series::new(name, seconds(&with.times_ms), moved));
    }
    let mut plot = LinePlot::new("A disturbed cell keeps its rate (R8a)", "time (s)")
        .panel(rates)
        .panel(slots)
        .panel(sensitivities);
    for (perturbation, name) in plan.perturbations.iter().zip(["K block", "input", "warmer"]) {
        plot = plot.mark(perturbation.at_ms / 1000.0, name);
    }
    plot
}

/// The result in the table of results.
pub const PART: Part = Part {
    name: "adaptation",
    title: "a disturbed cell keeps its rate",
    place: "version 4, activity adaptation",
    takes_morphology: false,
    run,
};

fn run(job: &Job<'_>) -> Result<Outcome, Error> {
    let output = job.output;
    let bench = Bench::new(output)?;
    let experiment: Value = serde_json::from_str(EXPERIMENT).unwrap_or_default();
    let plan = bench.plan(&experiment)?;
    let target = experiment["cells"][0]["paint"][0]["parameters"]["f_target"]
        .as_f64()
        .unwrap_or(50.0);
    let verdict = check(&bench, &experiment, plan.experiment.verify.duration_ms.unwrap_or(100.0))?;
    let host = bench.host(&plan, None)?;
    let with = host.run_controlled(&plan)?;
    let free = Plan {
        control: None,
        ..plan.clone()
    };
    let without = host.run_controlled(&free)?;

    let mut folder = Folder::create(
        output,
        &plan,
        "reproduce adaptation",
        "shim",
        "Adaptation of a disturbed cell (R8a)",
    )?;
    let (held, lost) = (rates(&plan, &with), rates(&plan, &without));
    let close = |rate: &f64| (rate / target - 1.0).abs() <= CLOSE;
    let passed = verdict.passed && held[1..].iter().all(close) && !lost[1..].iter().any(close);
    folder.report.summary(&[
        (
            "returned after".to_string(),
            format!("{} of 3 perturbations", held[1..].iter().filter(|r| close(r)).count()),
        ),
        (
            "without control".to_string(),
            format!("{} of 3", lost[1..].iter().filter(|r| close(r)).count()),
        ),
        (
            "sensitivities against central differences".to_string(),
            check_line(&verdict),
        ),
    ]);
    folder.report.paragraph(
        "Cell, law and numbers are ours. The cell fires on its own; control moves its conductances and drive by \
         θ' = −α θ₀ ∂e/∂θ with e' = (f − f*)²/2. Three tenths of its potassium channels are blocked, then the current injected \
         into it doubles, then its bath warms by 2 °C. What is left of the channels still follows their slot.",
    );
    let caption = "Rate with and without control, what control moves, and the sensitivities of the objective.";
    folder.figure("adaptation", &plot(&plan, &with, &without, target), caption)?;
    let columns = vec![
        Column::text("after"),
        Column::number("with control (Hz)"),
        Column::number("without (Hz)"),
    ];
    let mut table = Table::new(
        "Mean rate over the last fifth of the time until the next perturbation.",
        columns,
    );
    for (name, (with, without)) in ["start", "potassium block", "input", "warmer bath"]
        .iter()
        .zip(held.iter().zip(&lost))
    {
        table.row([(*name).to_string(), format!("{with:.2}"), format!("{without:.2}")]);
    }
    folder.report.table(&table);
    if let Some(table) = crate::controlled::perturbations(&plan) {
        folder.report.table(&table);
    }
    folder.arrays("with-control.npz", &crate::controlled::arrays(&plan, &with))?;
    folder.arrays("without-control.npz", &crate::controlled::arrays(&free, &without))?;
    let report = folder.finish()?;
    Ok(Outcome {
        passed,
        summary: format!(
            "target {target} Hz; with control {:.1}, {:.1}, {:.1} Hz after the perturbations, without {:.1}, {:.1}, {:.1} Hz",
            held[1], held[2], held[3], lost[1], lost[2], lost[3]
        ),
        numbers: numbers(
            json!({ "with_hz": held, "without_hz": lost, "target_hz": target, "verify": verdict.max_rel_error }),
        ),
        comparisons: vec![Comparison::new(
            "rate after three perturbations (Hz)",
            "returns to the target",
            &format!("{:.1}, {:.1}, {:.1} for {target}", held[1], held[2], held[3]),
            if passed { Agreement::Agrees } else { Agreement::Differs },
            "cell, law and perturbations are ours; without control it does not return",
        )],
        report,
    })
}
