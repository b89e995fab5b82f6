//! `graddiff tune`: gradient-based optimisation of an experiment's slots.

mod identifiability;
mod landscape;
mod outcome;
mod starts;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::json;

use super::live::LiveArgs;
use super::load::{self, ExperimentArgs};
use super::{Context, ExitStatus, Failure, count};
use crate::control::{Optimiser, Row, Termination, TuneError, Tuner, best_of, run_all};
use crate::hosts::{Host, HostError};
use crate::live::{About, TuneView, Watched};
use crate::outcome::Folder;
use crate::plan::Plan;
use crate::report::{Progress, write_atomic};
use crate::tune::{Problem, Setup, TuneSetupError, checkpoint_name, prepare_all, problem};
use identifiability::{At, Identified};
use landscape::Cut;
use outcome::Outcome;
use starts::Several;

/// Tune an experiment's slots until the probes show what `tune.target` asks for.
///
/// Writes a checkpoint after every iteration; --resume continues from it and ends with the same bits as a run that was
/// never interrupted. Results: result.json, tune.npz (history), traces.npz (before, after, target), pictures, report.html
/// and the catalogue. With `tune.starts` it searches from several random starts, each with a checkpoint of its own, keeps
/// the best, and compares them in the report and in starts.npz. Exit code 1 if the target loss was not reached or the loss was not finite.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: ExperimentArgs,
    /// The folder for the results; made if it does not exist.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Continue from the checkpoints in the output folder, if there are any.
    #[arg(long)]
    resume: bool,
    /// Stop after this many iterations of each start in this call (a checkpoint is left; --resume goes on).
    #[arg(long, value_name = "N")]
    pause_after: Option<u32>,
    /// Tell how precisely the target determines each slot and which combinations, from the spectrum of JᵀJ at the point
    /// found, in the report and identifiability.npz; with `=start`, at `tune.start`, and nothing is tuned.
    #[arg(long, value_name = "AT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "found")]
    identifiability: Option<At>,
    /// Draw the loss along one slot, or over two (A,B), around the point found, and write it to landscape.npz; around
    /// `tune.start` with --identifiability=start.
    #[arg(long, value_name = "SLOT[,SLOT]", value_delimiter = ',')]
    landscape: Vec<String>,
    #[command(flatten)]
    live: LiveArgs,
}

impl Args {
    /// The landscape that was asked for.
    fn cut<'a>(&self, plan: &'a Plan) -> Result<Option<Cut<'a>>, Failure> {
        match self.landscape.as_slice() {
            [] => Ok(None),
            names => Cut::along(plan, names).map(Some),
        }
    }
}

/// What belongs to a search besides its tuner.
struct Search {
    start: Vec<f64>,
    fingerprint: String,
    checkpoint: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    args.input.threads.start()?;
    let started = Instant::now();
    let plan = load::plan(&args.input, context)?;
    let cut = args.cut(&plan)?;
    let title = format!("{}: tuning", plan.experiment.name);
    let mut folder = Folder::create(&args.output, &plan, "tune", args.input.host.as_str(), &title)?;
    let mut running = load::start(&args.input, &plan, Some(&args.output))?;
    folder.manifest.host = Some(running.host.describe().to_string());
    let mut problem = problem(&plan, &mut running.host)?;
    if running.host.describe().version.is_some() {
        // a search goes on where it began, to the last bit
        problem.fingerprint.push_str(&format!("/{}", running.host.describe()));
    }
    let problem = problem;
    if args.identifiability.is_some() {
        problem.sees::<HostError>()?;
    }
    if args.identifiability == Some(At::Start) {
        return at_start(args, context, &plan, &problem, cut.as_ref(), folder, running);
    }
    let setups = prepare_all::<HostError>(&plan, &problem, args.resume.then_some(args.output.as_path()))?;
    resuming(&setups, context)?;
    let (mut tuners, mut searches) = (Vec::new(), Vec::new());
    for (k, setup) in setups.into_iter().enumerate() {
        tuners.push(setup.tuner);
        searches.push(Search {
            start: setup.start,
            fingerprint: setup.fingerprint,
            checkpoint: args.output.join(checkpoint_name(&plan, k)),
        });
    }
    let live = args.live.start(context, || {
        let start = searches.first().map_or(problem.start.as_slice(), |s| &s.start);
        let total = u64::from(problem.settings.stop.max_iterations) * tuners.len() as u64;
        About::search(&plan, &problem.objective, start, problem.truth.as_deref(), total)
    })?;
    let view = live.as_ref().map(|l| TuneView::new(l, &plan, &problem.objective));
    if let Some(view) = &view {
        tuners.iter().enumerate().for_each(|(k, tuner)| view.resume(k, tuner));
    }
    let Some(ended) = iterate(args, context, &mut tuners, &searches, &mut running, view.as_ref())? else {
        let done: usize = tuners.iter().map(|t| t.history().len()).sum();
        let told = format!("paused after {done} iterations; --resume goes on");
        context.summary(&told)?;
        args.live.end(context, live, &told, &json!({}));
        return Ok(ExitStatus::Done);
    };

    let best = best_of(&tuners);
    let (tuner, start, termination) = (&tuners[best], &searches[best].start, ended[best]);
    let found = tuner.best().map_or_else(|| tuner.x(), |b| b.x.clone());
    let duration = plan.experiment.simulation.duration_ms;
    let before = running.simulate(start, duration, false)?.0;
    let after = running.simulate(&found, duration, true)?.0;
    let outcome = Outcome {
        plan: &plan,
        tuner,
        start,
        truth: problem.truth.as_deref(),
        found: &found,
        counts: tuners.iter().map(Tuner::counts).sum(),
    };
    outcome.arrays(&mut folder, &before, &after)?;
    outcome.pictures(&mut folder, &before, &after, termination)?;
    let mut result = outcome.result(termination);
    let mut sentence = outcome.sentence(termination);
    if plan.experiment.tune.as_ref().is_some_and(|t| t.starts.is_some()) {
        let starts = Several {
            plan: &plan,
            tuners: &tuners,
            starts: searches.iter().map(|s| s.start.as_slice()).collect(),
            ended: &ended,
            best,
        };
        starts.arrays(&mut folder)?;
        starts.report(&mut folder)?;
        starts.result(&mut result);
        sentence = format!("best of {} (start {best}): {sentence}", count(tuners.len(), "start"));
    }
    let identified = match args.identifiability {
        None => None,
        Some(at) => Some(Identified::new(&plan, &problem, at, &found, &after)?),
    };
    if let Some(identified) = &identified {
        identified.write(&mut folder)?;
        result["identifiability"] = identified.json();
    }
    if let Some(cut) = &cut {
        cut.write(context, &problem, &mut running.host, &found, &mut folder)?;
    }
    if let Some(advice) = advice(&plan) {
        folder.report.paragraph(advice);
    }
    let text = format!("{result:#}\n");
    write_atomic(&args.output.join("result.json"), text.as_bytes())?;
    folder.manifest.loss_evaluations = Some(outcome.counts.plain.into());
    folder.manifest.gradient_evaluations = Some(outcome.counts.tangent.into());
    folder.manifest.wall_s = Some(started.elapsed().as_secs_f64());
    let report = folder.finish()?;
    if context.json {
        context.print_json(&result)?;
    } else {
        context.print(&outcome.table())?;
        if let Some(identified) = &identified {
            context.print(&identified.text())?;
        }
        context.summary(&format!("{sentence}; see {}", report.display()))?;
        if let Some(advice) = advice(&plan) {
            context.summary(advice)?;
        }
    }
    if let Some(view) = &view {
        view.show("found", &after);
    }
    let told = json!({"loss": result["loss"], "iterations": result["iterations"], "found": found});
    args.live.end(context, live, &sentence, &told);
    let wanted = plan.experiment.tune.as_ref().and_then(|t| t.stop.target_loss);
    Ok(match (termination, wanted) {
        (Termination::TargetReached, _) => ExitStatus::Done,
        (Termination::MaxIters | Termination::Stalled, None) => ExitStatus::Done,
        (Termination::MaxIters | Termination::Stalled, Some(_)) => ExitStatus::Rejected,
        (Termination::NonFiniteLoss | Termination::Cancelled, _) => ExitStatus::Rejected,
    })
}

/// What is worth knowing about the optimiser that was chosen. Every loss here compares traces.
fn advice(plan: &Plan) -> Option<&'static str> {
    match plan.experiment.tune.as_ref()?.optimiser {
        Optimiser::Adam(_) => Some(
            "adam follows the gradient, a sum over the trace; levenberg_marquardt uses every sample of every sensitivity: \
             with a growing horizon it brought the paper's olive cell below a loss of 0.1 mV² within 3 simulated seconds, \
             where 300 of adam's, at its default rate, did not (graddiff reproduce tuning)",
        ),
        Optimiser::LevenbergMarquardt(_) | Optimiser::CmaEs(_) => None,
    }
}

/// Only the analysis, at `tune.start`.
fn at_start(
    args: &Args,
    context: &Context,
    plan: &Plan,
    problem: &Problem,
    cut: Option<&Cut<'_>>,
    mut folder: Folder,
    mut running: load::Running<Box<dyn Host>>,
) -> Result<ExitStatus, Failure> {
    let duration = plan.experiment.simulation.duration_ms;
    let traces = running.simulate(&problem.start, duration, true)?.0;
    let identified = Identified::new(plan, problem, At::Start, &problem.start, &traces)?;
    identified.write(&mut folder)?;
    if let Some(cut) = cut {
        cut.write(context, problem, &mut running.host, &problem.start, &mut folder)?;
    }
    let result = json!({"experiment": plan.experiment.name, "identifiability": identified.json()});
    write_atomic(
        &args.output.join("identifiability.json"),
        format!("{result:#}\n").as_bytes(),
    )?;
    folder.manifest.gradient_evaluations = Some(1);
    let report = folder.finish()?;
    if context.json {
        context.print_json(&result)?;
    } else {
        context.print(&identified.text())?;
        context.summary(&format!("{}; see {}", identified.sentence(), report.display()))?;
    }
    Ok(ExitStatus::Done)
}

/// Tells what checkpoints brought.
fn resuming(setups: &[Setup], context: &Context) -> Result<(), Failure> {
    let done: usize = setups.iter().map(|s| s.resumed).sum();
    if done == 0 || context.json {
        return Ok(());
    }
    match setups {
        [_] => context.summary(&format!("resuming after iteration {done}")),
        _ => context.summary(&format!("resuming {} starts after {done} iterations", setups.len())),
    }
}

/// The searches, with a checkpoint after each iteration of each; how they ended, or none if one was paused.
fn iterate(
    args: &Args,
    context: &Context,
    tuners: &mut [Tuner],
    searches: &[Search],
    running: &mut load::Running<Box<dyn Host>>,
    view: Option<&TuneView<'_>>,
) -> Result<Option<Vec<Termination>>, Failure> {
    let before: Vec<usize> = tuners.iter().map(|t| t.history().len()).collect();
    let limits = tuners.iter().map(|t| u64::from(t.settings().stop.max_iterations));
    let total = limits.sum();
    let progress = Progress::new(context.progress, "tune", total);
    let shown = Mutex::new((progress, before.iter().sum::<usize>() as u64));
    let failure: Mutex<Option<Failure>> = Mutex::new(None);
    let mut replicas = running.host.replicas(tuners.len());
    let hosts = std::iter::once(&mut running.host).chain(&mut replicas);
    let mut models: Vec<_> = hosts.map(|host| Watched::new(host, view)).collect();
    let ended = run_all(tuners, models.iter_mut().collect(), |k, tuner| {
        if let Some(view) = view {
            view.iteration(k, tuner);
        }
        if let Some(row) = tuner.history().last() {
            let (progress, done) = &mut *guard(&shown);
            *done += 1;
            progress.set(*done, &describe(row));
        }
        if let Err(error) = save(tuner, &searches[k]) {
            *guard(&failure) = Some(error);
        }
        let done_here = tuner.history().len() - before[k];
        let pause = args.pause_after.is_some_and(|n| done_here >= n as usize);
        if pause || guard(&failure).is_some() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    guard(&shown).0.finish("");
    if let Some(failure) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure);
    }
    let ended = ended.into_iter().collect::<Result<Vec<_>, _>>();
    let ended = ended.map_err(|error| {
        let mut failure = Failure::from(error);
        if tuners.iter().any(|t| !t.history().is_empty()) {
            failure.help = format!("{}; --resume goes on after the last finished iteration", failure.help);
        }
        failure
    })?;
    Ok(if ended.contains(&Termination::Cancelled) {
        None
    } else {
        Some(ended)
    })
}

fn guard<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn save(tuner: &Tuner, search: &Search) -> Result<(), Failure> {
    let text = tuner
        .checkpoint(&search.fingerprint)
        .to_json()
        .map_err(|e| Failure::new(ExitStatus::Bug, e, "please report this"))?;
    Ok(write_atomic(&search.checkpoint, text.as_bytes())?)
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
