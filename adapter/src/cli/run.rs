//! `graddiff run`: one simulation, with its sensitivities.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::live::LiveArgs;
use super::load::{self, ExperimentArgs};
use super::{Context, ExitStatus, Failure, count};
use crate::control::Traces;
use crate::controlled;
use crate::hosts::ControlledRun;
use crate::live::{About, Live, RunView};
use crate::outcome::{
    Folder, Named, raster_plot, sensitivity_plot, spike_arrays, spike_table, trace_arrays, trace_plot,
};
use crate::plan::Plan;
use crate::report::{Column, Table, write_npz};

/// Run an experiment and record its probes, with their sensitivities to all slots.
///
/// With `control` or `perturbations` in the experiment, slots move and changes happen while it runs: then traces.npz holds
/// slots and sensitivities of the objective through time instead of all sensitivities.
///
/// Writes traces.npz, spikes.csv, manifest.json, pictures (SVG and PNG), report.html and the catalogue into the output folder.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: ExperimentArgs,
    /// The folder for the results; made if it does not exist.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    args.input.threads.start()?;
    let started = Instant::now();
    let plan = load::plan(&args.input, context)?;
    let mut folder = Folder::create(
        &args.output,
        &plan,
        "run",
        args.input.host.as_str(),
        &plan.experiment.name,
    )?;
    if plan.control.is_some() || !plan.perturbations.is_empty() {
        let mut running = load::start_controlled(&args.input, &plan, Some(&args.output))?;
        folder.manifest.host = Some(running.host.describe().to_string());
        let x = plan.values();
        let live = args.live.start(context, || About {
            axis: "time (ms)".into(),
            ..About::of(&plan, "run", &x, None)
        })?;
        let run = match &live {
            None => running.run_controlled(&plan, &mut |_, _, _| {}, &mut |_, _| {})?,
            Some(live) => {
                let mut view = RunView::new(live, &plan, &x, false, "");
                let mut rows = 0;
                let watch = &mut |t_ms: f64, values: &[f64], sens: &[f64]| view.sample(t_ms, values, sens);
                let moved = &mut |t_ms: f64, x: &[f64]| {
                    live.row(rows, t_ms, None, x);
                    rows += 1;
                };
                let run = running.run_controlled(&plan, watch, moved)?;
                view.publish();
                run
            }
        };
        folder.arrays("traces.npz", &controlled::arrays(&plan, &run))?;
        return finish(args, context, &plan, folder, &run, (started, live));
    }
    let mut running = load::start(&args.input, &plan, Some(&args.output))?;
    folder.manifest.host = Some(running.host.describe().to_string());
    let x = plan.values();
    let t_end_ms = plan.experiment.simulation.duration_ms;
    let live = args.live.start(context, || About::of(&plan, "run", &x, None))?;
    // what another process has sampled must not be lost with it
    let mut kept = running.host.describe().version.map(|_| Kept::of(&plan, &args.output));
    let mut simulate = |tangent: bool, label: &str| {
        let mut view = live.as_ref().map(|live| RunView::new(live, &plan, &x, tangent, label));
        if view.is_none() && kept.is_none() {
            return running.simulate(&x, t_end_ms, tangent);
        }
        let mut begun = false;
        let watch = &mut |t_ms: f64, values: &[f64], sens: &[f64]| {
            if let Some(view) = &mut view {
                view.sample(t_ms, values, sens);
            }
            if let Some(kept) = &mut kept {
                kept.sample(!begun, t_ms, values, sens);
            }
            begun = true;
        };
        let done = running.simulate_watched(&x, t_end_ms, tangent, watch);
        if let Some(view) = &view {
            view.publish();
        }
        match &kept {
            Some(kept) => done.map_err(|failure| kept.save(failure)),
            None => done,
        }
    };
    let (_, spikes) = simulate(false, "first without sensitivities")?;
    let (traces, _) = simulate(true, "")?;
    if let Some(kept) = &kept {
        kept.forget();
    }
    if let Some(at) = traces.sens.iter().position(|u| !u.is_finite()) {
        let (lane, slot) = (at / traces.n_slots, at % traces.n_slots);
        let (sample, probe) = (lane / traces.n_probes, lane % traces.n_probes);
        return Err(Failure::message(
            ExitStatus::Rejected,
            format!(
                "the sensitivity of probe `{}` to slot `{}` is not finite at {} ms, though its value is",
                plan.probes[probe].name, plan.slots[slot].name, traces.times_ms[sample]
            ),
            "look for sqrt, log or a power at 0 in the mechanisms: their derivative is infinite there",
        ));
    }
    let mut arrays = trace_arrays(&traces);
    arrays.push(Named::new("slots", "slot's", "slot values", &[x.len()], x.clone()));
    arrays.extend(spike_arrays(&spikes));
    folder.arrays("traces.npz", &arrays)?;
    folder.text("spikes.csv", &spike_table(&plan, &spikes))?;
    folder.report.summary(
        &[
            ("duration", format!("{t_end_ms} ms")),
            ("samples", traces.times_ms.len().to_string()),
            ("spikes", spikes.len().to_string()),
            ("slots", plan.slots.len().to_string()),
        ]
        .each_ref()
        .map(|(a, b)| (*a, b.as_str())),
    );
    folder.figure("traces", &trace_plot(&plan, "Probes", &traces), "All probes.")?;
    if let Some(plot) = raster_plot(&plan, &spikes) {
        folder.figure(
            "spikes",
            &plot,
            "Spikes of all cells, in the order of the manifest's list of cells.",
        )?;
    }
    if let Some(plot) = sensitivity_plot(&plan, &traces, &x) {
        let caption = "Sensitivity of each voltage probe, times the slot's value: the change for 100 % of the slot, to first order.";
        folder.figure("sensitivities", &plot, caption)?;
    }
    if !plan.slots.is_empty() {
        let columns = vec![Column::text("slot"), Column::number("value"), Column::text("unit")];
        let mut table = Table::new("Slots.", columns);
        for slot in &plan.slots {
            table.row([slot.name.clone(), format!("{}", slot.value), slot.unit.clone()]);
        }
        folder.report.table(&table);
    }
    folder.manifest.wall_s = Some(started.elapsed().as_secs_f64());
    let report = folder.finish()?;
    if context.json {
        context.print_json(&serde_json::json!({
            "output": args.output.display().to_string(),
            "spikes": spikes.len(),
            "samples": traces.times_ms.len(),
            "pruned": plan.pruned,
            "caveat": plan.caveat(),
        }))?;
    } else {
        context.summary(&format!(
            "{} spikes, {} samples; see {}",
            spikes.len(),
            traces.times_ms.len(),
            report.display()
        ))?;
    }
    let told = format!(
        "done: {}, {}",
        count(spikes.len(), "spike"),
        count(traces.times_ms.len(), "sample")
    );
    args.live.end(context, live, &told, &serde_json::json!({}));
    Ok(ExitStatus::Done)
}

/// What a run has sampled so far, for the case that it does not end well.
struct Kept {
    path: PathBuf,
    traces: Traces,
}

impl Kept {
    fn of(plan: &Plan, folder: &Path) -> Self {
        Self {
            path: folder.join("partial.npz"),
            traces: Traces {
                n_probes: plan.probes.len(),
                n_slots: plan.slots.len(),
                ..Traces::default()
            },
        }
    }

    /// A sample, the `first` of its run or not: what an earlier run has sampled then makes way.
    fn sample(&mut self, first: bool, t_ms: f64, values: &[f64], sens: &[f64]) {
        if first {
            self.traces.times_ms.clear();
            self.traces.values.clear();
            self.traces.sens.clear();
        }
        self.traces.times_ms.push(t_ms);
        self.traces.values.extend_from_slice(values);
        self.traces.sens.extend_from_slice(sens);
    }

    /// Writes what there is, and says so in the advice.
    fn save(&self, mut failure: Failure) -> Failure {
        let Some(last_ms) = self.traces.times_ms.last() else {
            return failure;
        };
        let arrays = trace_arrays(&self.traces);
        let views: Vec<_> = arrays.iter().map(|a| (a.name.as_str(), a.data.view())).collect();
        // the failure itself matters more than one to keep what came before it
        if write_npz(&self.path, &views).is_ok() {
            failure.help = format!(
                "{}; samples up to {last_ms} ms are in {}",
                failure.help,
                self.path.display()
            );
        }
        failure
    }

    /// Removes what an earlier run of the same folder has left.
    fn forget(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The rest of the folder, of a run under control.
fn finish(
    args: &Args,
    context: &Context,
    plan: &Plan,
    mut folder: Folder,
    run: &ControlledRun,
    (started, live): (Instant, Option<Live>),
) -> Result<ExitStatus, Failure> {
    folder.text("spikes.csv", &spike_table(plan, &run.spikes))?;
    let moved = plan.control.as_ref().map_or(0, |c| c.slots.len());
    folder.report.summary(
        &[
            ("duration", format!("{} ms", plan.experiment.simulation.duration_ms)),
            ("spikes", run.spikes.len().to_string()),
            ("slots under control", moved.to_string()),
            ("perturbations", plan.perturbations.len().to_string()),
        ]
        .each_ref()
        .map(|(a, b)| (*a, b.as_str())),
    );
    let traces = controlled::marked(plan, trace_plot(plan, "Probes", &run.traces));
    let caption = "All probes; dashed lines where the cells were perturbed.";
    folder.figure("traces", &traces, caption)?;
    if let Some(plot) = controlled::plot(plan, run) {
        let caption = "Slots in units of their scale, and the scaled sensitivities of the objective that move them.";
        folder.figure("control", &plot, caption)?;
    }
    for table in [controlled::table(plan, run), controlled::perturbations(plan)]
        .into_iter()
        .flatten()
    {
        folder.report.table(&table);
    }
    if let Some(plot) = raster_plot(plan, &run.spikes) {
        folder.figure(
            "spikes",
            &plot,
            "Spikes of all cells, in the order of the manifest's list of cells.",
        )?;
    }
    folder.manifest.wall_s = Some(started.elapsed().as_secs_f64());
    let report = folder.finish()?;
    let last = run.slots.len().saturating_sub(plan.slots.len());
    let ends: Vec<_> = plan
        .slots
        .iter()
        .map(|s| s.name.clone())
        .zip(run.slots[last..].iter().copied())
        .collect();
    if context.json {
        context.print_json(&serde_json::json!({
            "output": args.output.display().to_string(),
            "spikes": run.spikes.len(),
            "samples": run.traces.times_ms.len(),
            "slots": ends.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        }))?;
    } else {
        context.summary(&format!(
            "{} spikes, {moved} slots under control, {} perturbations; see {}",
            run.spikes.len(),
            plan.perturbations.len(),
            report.display()
        ))?;
    }
    let told = format!(
        "done: {}, {moved} slots under control",
        count(run.spikes.len(), "spike")
    );
    args.live.end(context, live, &told, &serde_json::json!({}));
    Ok(ExitStatus::Done)
}
