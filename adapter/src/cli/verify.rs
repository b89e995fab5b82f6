//! `graddiff verify`: sensitivities against central differences of the same host.

use super::load::{self, ExperimentArgs};
use super::{Context, ExitStatus, Failure};
use crate::report::Progress;
use crate::verify::{Row, Verdict, lanes, verify};

/// Check an experiment's sensitivities against central differences.
///
/// Runs the same host (--host) with every slot moved up and down by a sweep of steps, extrapolates the differences to step 0, and
/// compares. The error of a slot is max|u - d| / max|d| over all probes and samples. A slot whose differences are
/// themselves less certain than the tolerance is `unresolved`, never passed. Exit code 1 unless every slot passes.
///
/// In NEURON sensitivities are carried by clones, and right up to the time step: the tolerance there is 1 % at least,
/// unless one is given; where it is not met, halve `dt_ms`. If another simulator dies, the finished slots are shown.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: ExperimentArgs,
    /// Greatest error that passes; the experiment's `verify.tolerance` if absent.
    #[arg(long)]
    tolerance: Option<f64>,
    /// Print the sweep of every slot: error against step.
    #[arg(long)]
    sweep: bool,
}

/// What passes of clones unless the user says otherwise: issue 6 asks for it at dt 0.005 ms.
const OF_CLONES: f64 = 0.01;

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    args.input.threads.start()?;
    let plan = load::plan(&args.input, context)?;
    if plan.slots.is_empty() {
        return Err(Failure::message(
            ExitStatus::Rejected,
            format!(
                "{} has no slots: there is nothing to verify",
                args.input.experiment.display()
            ),
            "add `slots` to the experiment",
        ));
    }
    let own = plan.experiment.verify.tolerance;
    let tolerance = args
        .tolerance
        .unwrap_or(if plan.clones { own.max(OF_CLONES) } else { own });
    if !(tolerance > 0.0 && tolerance < 1.0) {
        return Err(Failure::message(
            ExitStatus::Usage,
            format!("--tolerance {tolerance} is not between 0 and 1"),
            "give a relative error such as 1e-6",
        ));
    }
    let mut running = load::start(&args.input, &plan, None)?;
    let settings = plan.experiment.verify;
    let t_end_ms = settings.duration_ms.unwrap_or(plan.experiment.simulation.duration_ms);
    let (_, spikes) = running.simulate(&plan.values(), t_end_ms, false)?;
    let lanes = lanes(&plan);
    let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    let mut progress = Progress::new(context.progress, "verify", slots.len() as u64);
    let mut finished: Vec<Row> = Vec::new();
    let verdict = verify(
        &mut running.host,
        &slots,
        &plan.values(),
        t_end_ms,
        tolerance,
        &lanes,
        |rows| {
            finished = rows.to_vec();
            progress.set(rows.len() as u64, slots.get(rows.len()).map_or("", String::as_str));
        },
    );
    let mut verdict = match verdict {
        Ok(verdict) => verdict,
        Err(error) => {
            progress.finish("");
            return Err(broken_off(&finished, slots.len(), error.into(), context));
        }
    };
    progress.finish("");
    verdict.host = running.host.describe().to_string();
    let has_detectors = plan.cells.iter().any(|c| !c.detectors.is_empty());
    verdict.spikes = has_detectors.then_some(spikes.len());
    let status = if verdict.passed {
        ExitStatus::Done
    } else {
        ExitStatus::Rejected
    };
    if context.json {
        let bug = |e| Failure::new(ExitStatus::Bug, e, "please report this");
        let mut value = serde_json::to_value(&verdict).map_err(bug)?;
        if let Some(caveat) = plan.caveat() {
            value["caveat"] = caveat.into();
        }
        value["pruned"] = serde_json::to_value(&plan.pruned).map_err(bug)?;
        context.print_json(&value)?;
        return Ok(status);
    }
    context.print(&table(&verdict))?;
    if args.sweep {
        context.print(&sweeps(&verdict))?;
    }
    Ok(status)
}

/// Shows what was finished before the host failed.
fn broken_off(finished: &[Row], slots: usize, mut failure: Failure, context: &Context) -> Failure {
    if finished.is_empty() {
        return failure;
    }
    let shown = if context.json {
        context.print_json(&serde_json::json!({ "finished": false, "parameters": finished }))
    } else {
        context.print(rows(finished).trim_end())
    };
    failure.help = format!(
        "{} of {slots} slots were finished, see above; {}",
        finished.len(),
        failure.help
    );
    shown.err().unwrap_or(failure)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |v| format!("{v:.2e}"))
}

fn rows(parameters: &[Row]) -> String {
    let width = parameters.iter().map(|r| r.name.len()).max().unwrap_or(0).max(4);
    let mut out = format!(
        "{:width$}  {:>12}  {:>10}  {:>12}  {:>10}  verdict\n",
        "slot", "value", "error", "uncertainty", "best step"
    );
    for Row {
        name,
        value,
        rel_error,
        fd_error_estimate,
        best_step,
        status,
        ..
    } in parameters
    {
        let word = status.as_str();
        out.push_str(&format!(
            "{name:width$}  {value:>12.6}  {:>10}  {:>12}  {best_step:>10.2e}  {word}\n",
            number(*rel_error),
            number(*fd_error_estimate)
        ));
    }
    out
}

fn table(verdict: &Verdict) -> String {
    let mut out = rows(&verdict.parameters);
    let spikes = verdict.spikes.map_or_else(String::new, |n| format!(", {n} spikes"));
    out.push_str(&format!(
        "{}{}: greatest error {} (tolerance {:.0e}), {} ms{spikes}, {} samples of {}",
        if verdict.passed { "passed" } else { "NOT PASSED" },
        match verdict.host.as_str() {
            "shim" => String::new(),
            host => format!(" in {host}"),
        },
        number(verdict.max_rel_error),
        verdict.tolerance,
        verdict.duration_ms,
        verdict.n_samples,
        verdict.probes.join(", ")
    ));
    if verdict.value_difference.is_nan() || verdict.value_difference > verdict.tolerance {
        out.push_str(&format!(
            "\nthe values with sensitivities differ from those without by {:.2e}",
            verdict.value_difference
        ));
    }
    if !verdict.skipped_probes.is_empty() {
        out.push_str(&format!(
            "\nnot compared, for they carry no sensitivities: {}",
            verdict.skipped_probes.join(", ")
        ));
    }
    out
}

fn sweeps(verdict: &Verdict) -> String {
    let mut out = String::new();
    for row in &verdict.parameters {
        out.push_str(&format!(
            "{}: step, error against its plain central difference\n",
            row.name
        ));
        for point in &row.sweep {
            out.push_str(&format!("  {:>10.2e}  {:>10.2e}\n", point.step, point.rel_error));
        }
    }
    out.trim_end().to_string()
}
