//! `graddiff reproduce`: results of the paper, computed again.

use std::path::PathBuf;

use super::threads::Threads;
use super::{Context, ExitStatus, Failure};
use crate::reproduce::fig1::{self, Fig1Error};

/// Compute results of the paper Gradient Diffusion (arXiv 2412.07327) again.
///
/// Each result comes with its data (npz), figures (SVG and PNG), the check of its sensitivities, and a report. This version
/// knows fig1, the gradient wave along an axon.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which result.
    #[arg(value_enum)]
    what: What,
    /// The folder for the results; made if it does not exist.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    threads: Threads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Figure 1B and C: the gradient wave.
    Fig1,
}

impl From<Fig1Error> for Failure {
    fn from(error: Fig1Error) -> Self {
        match error {
            Fig1Error::Plan(plan) => (*plan).into(),
            Fig1Error::Host(host) => host.into(),
            Fig1Error::Report(report) => report.into(),
        }
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    args.threads.start()?;
    let What::Fig1 = args.what;
    let result = fig1::run(&args.output)?;
    let error = result.verdict.max_rel_error;
    if context.json {
        context.print_json(&serde_json::json!({
            "result": "fig1",
            "output": args.output.display().to_string(),
            "passed": result.verdict.passed,
            "max_rel_error": error,
            "peak_dv_dw_mv": result.peaks,
        }))?;
    } else {
        context.print(&format!(
            "fig1: error of the sensitivities against central differences {} ({})",
            error.map_or_else(|| "unknown".into(), |e| format!("{e:.1e}")),
            if result.verdict.passed { "passed" } else { "NOT PASSED" }
        ))?;
        context.summary(&format!("see {}", result.report.display()))?;
    }
    Ok(if result.verdict.passed {
        ExitStatus::Done
    } else {
        ExitStatus::Rejected
    })
}
