//! `graddiff tune`: gradient-based optimisation of an experiment's slots.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use super::load::{self, ExperimentArgs};
use super::{Context, ExitStatus, Failure};
use crate::control::{Counts, Row, Termination, Traces, TuneError, Tuner};
use crate::hosts::HostError;
use crate::outcome::{Folder, Named, comparison_plot, trace_arrays};
use crate::plan::Plan;
use crate::report::plot::{LinePlot, Panel, Series, Stroke};
use crate::report::{Column, Progress, Table, write_atomic};
use crate::tune::{Setup, TuneSetupError, prepare};

/// Tune an experiment's slots until the probes show what `tune.target` asks for.
///
/// Writes a checkpoint after every iteration; --resume continues from it and ends with the same bits as a run that was
/// never interrupted. Results: result.json, tune.npz (history), traces.npz (before, after, target), pictures, report.html
/// and the catalogue. Exit code 1 if the target loss was not reached or the loss was not finite.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: ExperimentArgs,
    /// The folder for the results; made if it does not exist.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Continue from the checkpoint in the output folder, if there is one.
    #[arg(long)]
    resume: bool,
    /// Stop after this many iterations in this call (a checkpoint is left; --resume goes on).
    #[arg(long, value_name = "N")]
    pause_after: Option<u32>,
}

/// Probes that the comparison shows at most.
const PANELS: usize = 6;
const CHECKPOINT: &str = "checkpoint.json";

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    args.input.threads.start()?;
    let started = Instant::now();
    let plan = load::plan(&args.input, context)?;
    let title = format!("{}: tuning", plan.experiment.name);
    let mut folder = Folder::create(&args.output, &plan, "tune", args.input.host.as_str(), &title)?;
    let mut running = load::start(&plan, Some(&args.output))?;
    let checkpoint = args.output.join(CHECKPOINT);
    let Setup {
        mut tuner,
        start,
        truth,
        fingerprint,
        resumed,
    } = prepare(&plan, &mut running.host, args.resume.then_some(checkpoint.as_path()))?;
    if resumed > 0 && !context.json {
        context.summary(&format!("resuming after iteration {resumed}"))?;
    }
    let termination = iterate(
        args,
        context,
        &plan,
        &mut tuner,
        &mut running,
        &checkpoint,
        &fingerprint,
    )?;
    let Some(termination) = termination else {
        context.summary(&format!(
            "paused after {} iterations; --resume goes on",
            tuner.history().len()
        ))?;
        return Ok(ExitStatus::Done);
    };

    let found = tuner.best().map_or_else(|| tuner.x(), |b| b.x.clone());
    let duration = plan.experiment.simulation.duration_ms;
    let before = running.simulate(&start, duration, false)?.0;
    let after = running.simulate(&found, duration, true)?.0;
    let outcome = Outcome {
        plan: &plan,
        tuner: &tuner,
        start: &start,
        truth: truth.as_deref(),
        found: &found,
    };
    outcome.arrays(&mut folder, &before, &after)?;
    outcome.pictures(&mut folder, &before, &after, termination)?;
    let result = outcome.result(termination);
    let text = format!("{result:#}\n");
    write_atomic(&args.output.join("result.json"), text.as_bytes())?;
    let counts = tuner.counts();
    folder.manifest.loss_evaluations = Some(counts.plain.into());
    folder.manifest.gradient_evaluations = Some(counts.tangent.into());
    folder.manifest.wall_s = Some(started.elapsed().as_secs_f64());
    let report = folder.finish()?;
    if context.json {
        context.print_json(&result)?;
    } else {
        context.print(&outcome.table())?;
        context.summary(&format!("{}; see {}", outcome.sentence(termination), report.display()))?;
    }
    let wanted = plan.experiment.tune.as_ref().and_then(|t| t.stop.target_loss);
    Ok(match (termination, wanted) {
        (Termination::TargetReached, _) => ExitStatus::Done,
        (Termination::MaxIters | Termination::Stalled, None) => ExitStatus::Done,
        (Termination::MaxIters | Termination::Stalled, Some(_)) => ExitStatus::Rejected,
        (Termination::NonFiniteLoss | Termination::Cancelled, _) => ExitStatus::Rejected,
    })
}

/// The loop, with a checkpoint after each iteration; none if it was paused.
fn iterate(
    args: &Args,
    context: &Context,
    plan: &Plan,
    tuner: &mut Tuner,
    running: &mut load::Running,
    checkpoint: &std::path::Path,
    fingerprint: &str,
) -> Result<Option<Termination>, Failure> {
    let limit = plan.experiment.tune.as_ref().map_or(0, |t| t.stop.max_iterations);
    let mut progress = Progress::new(context.progress, "tune", limit.into());
    let mut failure: Option<Failure> = None;
    let mut done_here = 0;
    let mut paused = false;
    let ended = tuner.run(&mut running.host, |tuner| {
        if let Some(row) = tuner.history().last() {
            progress.set(u64::from(row.iteration) + 1, &describe(row));
        }
        let saved = tuner
            .checkpoint(fingerprint)
            .to_json()
            .map_err(|e| Failure::new(ExitStatus::Bug, e, "please report this"))
            .and_then(|text| Ok(write_atomic(checkpoint, text.as_bytes())?));
        if let Err(error) = saved {
            failure = Some(error);
            return ControlFlow::Break(());
        }
        done_here += 1;
        if args.pause_after.is_some_and(|n| done_here >= n) {
            paused = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    progress.finish("");
    if let Some(failure) = failure {
        return Err(failure);
    }
    let ended = ended?;
    Ok(if paused && ended == Termination::Cancelled {
        None
    } else {
        Some(ended)
    })
}

fn describe(row: &Row) -> String {
    row.loss
        .map_or_else(|| "loss not finite".into(), |loss| format!("loss {loss:.3e}"))
}

impl From<TuneError<HostError>> for Failure {
    fn from(error: TuneError<HostError>) -> Self {
        match error {
            TuneError::Model { source, .. } => source.into(),
            TuneError::Objective(_) => Self::new(
                ExitStatus::Rejected,
                error,
                "sample the target at the experiment's times (simulation.sample_every_ms)",
            ),
            TuneError::Slots { .. } => Self::new(ExitStatus::Bug, error, "please report this"),
        }
    }
}

impl From<TuneSetupError<HostError>> for Failure {
    fn from(error: TuneSetupError<HostError>) -> Self {
        match error {
            TuneSetupError::Plan(plan) => (*plan).into(),
            TuneSetupError::Report(report) => report.into(),
            TuneSetupError::Model(host) => host.into(),
            TuneSetupError::Read { .. } => Self::new(ExitStatus::Environment, error, "check the file's permissions"),
            TuneSetupError::Checkpoint { .. } => Self::new(
                ExitStatus::Rejected,
                error,
                "leave out --resume to start afresh, or restore the experiment the checkpoint belongs to",
            ),
            TuneSetupError::Missing { .. }
            | TuneSetupError::Insensitive { .. }
            | TuneSetupError::NoColumn { .. }
            | TuneSetupError::Objective(_)
            | TuneSetupError::Settings(_) => Self::new(ExitStatus::Rejected, error, "correct `tune` in the experiment"),
        }
    }
}

/// What came out.
struct Outcome<'a> {
    plan: &'a Plan,
    tuner: &'a Tuner,
    start: &'a [f64],
    truth: Option<&'a [f64]>,
    found: &'a [f64],
}

impl Outcome<'_> {
    fn arrays(&self, folder: &mut Folder, before: &Traces, after: &Traces) -> Result<(), Failure> {
        let history = self.tuner.history();
        let (n, k) = (history.len(), self.start.len());
        let losses = history.iter().map(|r| r.loss.unwrap_or(f64::NAN)).collect();
        let horizons = history.iter().map(|r| r.horizon_ms).collect();
        let points = history.iter().flat_map(|r| r.x.clone()).collect();
        folder.arrays(
            "tune.npz",
            &[
                Named::new("loss", "probe's squared", "loss, iteration", &[n], losses),
                Named::new("horizon_ms", "ms", "horizon, iteration", &[n], horizons),
                Named::new("x", "slot's", "slot values, iteration × slot", &[n, k], points),
            ],
        )?;
        let mut arrays = trace_arrays(after);
        let shape = [before.times_ms.len(), before.n_probes];
        arrays.push(Named::new(
            "before",
            "probe's",
            "probe values at the start",
            &shape,
            before.values.clone(),
        ));
        let target = self.tuner.objective().target();
        arrays.push(Named::new(
            "target_t_ms",
            "ms",
            "target's times",
            &[target.times_ms.len()],
            target.times_ms.clone(),
        ));
        let shape = [target.times_ms.len(), target.n_probes];
        arrays.push(Named::new(
            "target",
            "probe's",
            "target, time × probe",
            &shape,
            target.values.clone(),
        ));
        folder.arrays("traces.npz", &arrays)?;
        Ok(())
    }

    fn pictures(
        &self,
        folder: &mut Folder,
        before: &Traces,
        after: &Traces,
        termination: Termination,
    ) -> Result<(), Failure> {
        let counts = self.tuner.counts();
        let loss = |row: Option<&Row>| {
            row.and_then(|r| r.loss)
                .map_or_else(|| "-".into(), |l| format!("{l:.4e}"))
        };
        let best = self
            .tuner
            .best()
            .map_or_else(|| "-".into(), |b| format!("{:.4e}", b.loss));
        let facts = [
            ("ended", ended(termination).to_string()),
            ("iterations", self.tuner.history().len().to_string()),
            ("loss at the start", loss(self.tuner.history().first())),
            ("best loss", best),
            ("runs with sensitivities", counts.tangent.to_string()),
            ("runs without", counts.plain.to_string()),
        ];
        folder.report.summary(&facts.each_ref().map(|(a, b)| (*a, b.as_str())));
        folder.report.table(&self.parameters());
        let target = self.tuner.objective().target();
        let target = Traces {
            times_ms: target.times_ms.clone(),
            n_probes: target.n_probes,
            values: target.values.clone(),
            ..Traces::default()
        };
        let counted: Vec<usize> = (0..self.plan.probes.len())
            .filter(|&i| self.weight(i) > 0.0)
            .take(PANELS)
            .collect();
        let runs = [("target", &target), ("before", before), ("after", after)];
        let plot = comparison_plot(self.plan, "Before and after", &counted, &runs);
        folder.figure(
            "traces",
            &plot,
            "Target, and the model before and after tuning, at the probes that count.",
        )?;
        folder.figure(
            "history",
            &self.history(),
            "Loss, and slots relative to where they started.",
        )?;
        Ok(())
    }

    fn weight(&self, probe: usize) -> f64 {
        let Some(tune) = &self.plan.experiment.tune else {
            return 0.0;
        };
        if tune.weights.is_empty() {
            return 1.0;
        }
        tune.weights.get(&self.plan.probes[probe].name).copied().unwrap_or(0.0)
    }

    fn history(&self) -> LinePlot {
        let rows = self.tuner.history();
        let x: Vec<f64> = rows.iter().map(|r| f64::from(r.iteration)).collect();
        let losses = rows.iter().map(|r| r.loss.unwrap_or(f64::NAN)).collect();
        let mut slots = Panel::new("slot / start (1)");
        for (k, slot) in self.plan.slots.iter().enumerate() {
            let scale = if self.start[k].abs() > 0.0 { self.start[k] } else { 1.0 };
            let y: Vec<f64> = rows.iter().map(|r| r.x[k] / scale).collect();
            slots = slots.series(Series::new(&slot.name, x.clone(), y));
            if let Some(truth) = self.truth {
                let colour = crate::report::plot::palette(k);
                let level = Series::new("", x.clone(), vec![truth[k] / scale; x.len()]);
                slots = slots.series(level.stroke(Stroke::Dashed).colour(colour));
                if let Some(first) = slots.series.iter_mut().rev().nth(1) {
                    first.colour = Some(colour);
                }
            }
        }
        LinePlot::new("Tuning", "iteration")
            .panel(
                Panel::new("loss (mV²)")
                    .log()
                    .series(Series::new("loss", x.clone(), losses)),
            )
            .panel(slots)
    }

    fn parameters(&self) -> Table {
        let mut columns = vec![
            Column::text("slot"),
            Column::text("unit"),
            Column::number("start"),
            Column::number("found"),
        ];
        if self.truth.is_some() {
            columns.extend([Column::number("target"), Column::number("deviation (%)")]);
        }
        let mut table = Table::new("Slots.", columns);
        for (k, slot) in self.plan.slots.iter().enumerate() {
            let unit = if slot.unit.is_empty() {
                "1".into()
            } else {
                slot.unit.clone()
            };
            let mut row = vec![
                slot.name.clone(),
                unit,
                format!("{:.6}", self.start[k]),
                format!("{:.6}", self.found[k]),
            ];
            if let Some(truth) = self.truth {
                row.extend([
                    format!("{:.6}", truth[k]),
                    format!("{:+.4}", deviation(self.found[k], truth[k])),
                ]);
            }
            table.row(row);
        }
        table
    }

    fn table(&self) -> String {
        let width = self.plan.slots.iter().map(|s| s.name.len()).max().unwrap_or(0).max(4);
        let mut out = format!("{:width$}  {:>12}  {:>12}", "slot", "start", "found");
        if self.truth.is_some() {
            out.push_str(&format!("  {:>12}  {:>10}", "target", "deviation"));
        }
        for (k, slot) in self.plan.slots.iter().enumerate() {
            out.push_str(&format!(
                "\n{:width$}  {:>12.6}  {:>12.6}",
                slot.name, self.start[k], self.found[k]
            ));
            if let Some(truth) = self.truth {
                out.push_str(&format!(
                    "  {:>12.6}  {:>+9.4}%",
                    truth[k],
                    deviation(self.found[k], truth[k])
                ));
            }
        }
        out
    }

    fn sentence(&self, termination: Termination) -> String {
        let loss = self
            .tuner
            .best()
            .map_or_else(|| "no finite loss".into(), |b| format!("loss {:.3e}", b.loss));
        let n = self.tuner.history().len();
        format!(
            "{} after {n} iterations, {loss}, {}",
            ended(termination),
            simulated(self.tuner.counts())
        )
    }

    fn result(&self, termination: Termination) -> serde_json::Value {
        let slots: Vec<serde_json::Value> = self
            .plan
            .slots
            .iter()
            .enumerate()
            .map(|(k, s)| {
                json!({
                    "name": s.name, "unit": s.unit, "start": self.start[k], "found": self.found[k],
                    "target": self.truth.map(|t| t[k]),
                })
            })
            .collect();
        json!({
            "experiment": self.plan.experiment.name,
            "termination": termination,
            "iterations": self.tuner.history().len(),
            "loss": self.tuner.best().map(|b| b.loss),
            "initial_loss": self.tuner.history().first().and_then(|r| r.loss),
            "counts": self.tuner.counts(),
            "slots": slots,
            "pruned": self.plan.pruned,
            "caveat": self.plan.caveat(),
        })
    }
}

fn deviation(found: f64, truth: f64) -> f64 {
    if truth.abs() > 0.0 {
        100.0 * (found / truth - 1.0)
    } else {
        found
    }
}

fn ended(termination: Termination) -> &'static str {
    match termination {
        Termination::MaxIters => "iteration limit",
        Termination::TargetReached => "target loss reached",
        Termination::Stalled => "no further progress",
        Termination::NonFiniteLoss => "loss not finite",
        Termination::Cancelled => "cancelled",
    }
}

fn simulated(counts: Counts) -> String {
    format!(
        "{} runs with and {} without sensitivities ({:.2} s and {:.2} s of model time)",
        counts.tangent,
        counts.plain,
        counts.tangent_ms / 1000.0,
        counts.plain_ms / 1000.0
    )
}
