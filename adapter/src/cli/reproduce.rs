//! `graddiff reproduce`: results of the paper, computed again.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};

use super::threads::Threads;
use super::{Context, ExitStatus, Failure};
use crate::reproduce::all::{self, Finished};
use crate::reproduce::olive::OliveError;
use crate::reproduce::{Error, Job, PARTS, Scale, part};

/// The word for every result.
const ALL: &str = "all";

/// Compute results of the paper Gradient Diffusion (arXiv 2412.07327) again.
///
/// Each result comes with its data (npz), figures (SVG and PNG), the check of its sensitivities, and a report. `all` makes
/// a folder of each, one after the other, and a report that puts our numbers beside the paper's; a result that fails does
/// not stop the others, and shows in the exit code.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which result.
    #[arg(value_parser = PossibleValuesParser::new(values()))]
    what: String,
    /// The folder for the results; made if it does not exist.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Less of everything, to see that it works: a minute for each result at most.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The paper's own lengths, where they take hours.
    #[arg(long)]
    full: bool,
    /// The olive cell's shape (the paper's is C4A); a generated tree of similar size if absent. Tags: 1 soma, 2 axon, 3 dendrite.
    #[arg(long, value_name = "FILE.swc")]
    morphology: Option<PathBuf>,
    /// Go on from what an earlier run with the same options left in this folder: results that `all` has finished, and
    /// searches of `tuning`.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    threads: Threads,
}

fn values() -> Vec<PossibleValue> {
    let every = PossibleValue::new(ALL).help("every result, and a report over all");
    let parts = PARTS
        .iter()
        .map(|p| PossibleValue::new(p.name).help(format!("{}: {}", p.place, p.title)));
    parts.chain([every]).collect()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Plan(plan) => (*plan).into(),
            Error::Host(host) => host.into(),
            Error::Report(report) => report.into(),
            Error::Cable(cable) => Failure::new(ExitStatus::Bug, cable, "please report this"),
            Error::Search(search) => (*search).into(),
            Error::Identifiability(none) => none.into(),
            Error::Settings(_) | Error::Objective(_) | Error::Problem(_) => {
                Failure::new(ExitStatus::Bug, error, "please report this")
            }
            Error::Olive(olive) => {
                let help = match &olive {
                    OliveError::Read { .. } => "check the path and the permissions",
                    OliveError::Swc { .. } | OliveError::Geometry { .. } => {
                        "correct the file; Arbor's reading of SWC applies"
                    }
                    OliveError::NoRegion { .. } => {
                        "tag the samples: 1 soma, 2 axon, 3 dendrite; the olive cell needs all three"
                    }
                };
                Failure::new(ExitStatus::Rejected, olive, help)
            }
        }
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    args.threads.start()?;
    let job = Job {
        output: &args.output,
        scale: match (args.quick, args.full) {
            (true, _) => Scale::Quick,
            (false, true) => Scale::Full,
            (false, false) => Scale::Default,
        },
        morphology: args.morphology.as_deref(),
        resume: args.resume,
        progress: context.progress,
    };
    let Some(part) = part(&args.what) else {
        return run_all(args, &job, context);
    };
    if args.morphology.is_some() && !part.takes_morphology {
        let takers = PARTS.iter().filter(|p| p.takes_morphology).map(|p| p.name);
        let takers = takers.chain([ALL]).collect::<Vec<_>>().join(", ");
        return Err(Failure::message(
            ExitStatus::Usage,
            format!("{} does not know --morphology", part.name),
            format!("leave it out; it belongs to: {takers}"),
        ));
    }
    let outcome = (part.run)(&job)?;
    if context.json {
        let mut document = serde_json::Map::new();
        document.insert("result".into(), part.name.into());
        document.insert("output".into(), args.output.display().to_string().into());
        document.insert("passed".into(), outcome.passed.into());
        document.extend(outcome.numbers);
        context.print_json(&document.into())?;
    } else {
        context.print(&format!("{}: {}", part.name, outcome.summary))?;
        context.summary(&format!("see {}", outcome.report.display()))?;
    }
    Ok(status(outcome.passed))
}

fn status(passed: bool) -> ExitStatus {
    if passed { ExitStatus::Done } else { ExitStatus::Rejected }
}

/// The gravest of two ends: a bug before a machine that lacks something, that before a rejected result.
fn gravest(a: ExitStatus, b: ExitStatus) -> ExitStatus {
    if a as u8 >= b as u8 { a } else { b }
}

fn run_all(args: &Args, job: &Job<'_>, context: &Context) -> Result<ExitStatus, Failure> {
    let mut worst = ExitStatus::Done;
    let mut results = Vec::new();
    let mut told = Ok(());
    let report = all::run(job, args.resume, &mut |finished| {
        let Finished { part, result } = finished;
        let (line, entry) = match result {
            Ok(outcome) => {
                worst = gravest(worst, status(outcome.passed));
                let mut entry = outcome.numbers.clone();
                entry.insert("passed".into(), outcome.passed.into());
                (outcome.summary.clone(), entry)
            }
            Err(error) => {
                let failure = Failure::from(error);
                worst = gravest(worst, failure.status);
                context.warn(&format!("{}: {}", part.name, failure.render()));
                let mut entry = serde_json::Map::new();
                entry.insert("passed".into(), false.into());
                entry.insert("error".into(), failure.render().into());
                ("FAILED, see the message on standard error".into(), entry)
            }
        };
        results.push((part.name.to_string(), serde_json::Value::Object(entry)));
        if !context.json && told.is_ok() {
            told = context.print(&format!("{}: {line}", part.name));
        }
    })?;
    told?;
    if context.json {
        let results: serde_json::Map<String, serde_json::Value> = results.into_iter().collect();
        context.print_json(&serde_json::json!({
            "result": ALL,
            "output": args.output.display().to_string(),
            "passed": worst == ExitStatus::Done,
            "results": results,
        }))?;
    } else {
        context.summary(&format!("see {}", report.display()))?;
    }
    Ok(worst)
}
