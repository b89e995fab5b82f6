//! `graddiff bench`: what an experiment costs on this machine.

use std::path::{Path, PathBuf};
use std::time::Instant;

use host_shim::AbiChoice;
use serde_json::{Map, Value, json};

use super::load::{self, ExperimentArgs, HostName, Running};
use super::{Context, ExitStatus, Failure, count};
use crate::bench::{Bench, Cost, bench};
use crate::hosts::ShimHost;
use crate::plan::export::Request;
use crate::plan::{Plan, Variant};
use crate::report::Progress;

/// Time an experiment's steps, plain and with all sensitivities.
///
/// Builds the catalogue once, then runs the experiment plain and with sensitivities, in turn, and prints medians: what a
/// run costs, what a gradient costs, and so how long `tune` takes per iteration. Only the steps are timed, with the
/// experiment's samples; a run with sensitivities also sums up the gradient of a loss (mean square of the probes).
/// A CV-step is one step of one control volume; ms per model second is what a simulated second takes. To compare with
/// figures for one core give --threads 1.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: ExperimentArgs,
    /// Runs of each kind; the medians are printed.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Before each round, and at the end, wait for a line on standard input: so a script lets programs take turns.
    #[arg(long)]
    paced: bool,
    /// Run the mechanisms of this catalogue (ABI 0.7), whatever built it, plain. They are found by the names in the
    /// experiment's .mod files, which are not built.
    #[arg(long, value_name = "FILE-catalogue.so", conflicts_with = "export")]
    catalogue: Option<PathBuf>,
    /// Run nothing: write what another simulator needs to run the same, into this folder: the catalogue, plain.json and
    /// sensitivities.json (requests for adapter/src/hosts/arbor_host.py).
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    match args.input.host {
        HostName::Shim => {}
        HostName::Arbor | HostName::Neuron => {
            return Err(Failure::message(
                ExitStatus::Usage,
                "bench times the steps of the shim only",
                "leave out --host; tests/bench/run times Arbor on the same requests (bench --export)",
            ));
        }
    }
    args.input.threads.start()?;
    let started = Instant::now();
    let plan = load::plan(&args.input, context)?;
    let read_s = started.elapsed().as_secs_f64();
    if let Some(folder) = &args.export {
        return export(&plan, folder, context);
    }
    let built = Instant::now();
    let mut running = match &args.catalogue {
        Some(file) => Running::around(ShimHost::on_catalogue(&plan, file, AbiChoice::Auto)?),
        None => load::start_shim(&plan, None)?,
    };
    let build_s = built.elapsed().as_secs_f64();
    let runs = usize::from(args.runs);
    let total = runs * (1 + usize::from(running.host.has_sensitivities()));
    let mut progress = Progress::new(context.progress, "bench", total as u64);
    if args.paced {
        wait(context);
    }
    let result = bench(&plan, &mut running.host, runs, |done| {
        progress.set(done as u64, "");
        if args.paced && done.is_multiple_of(total / runs) {
            wait(context);
        }
    })?;
    progress.finish("");
    let peak_rss_bytes = peak_rss_bytes();
    let threads = rayon::current_num_threads();
    if context.json {
        let mut document = members(&result)?;
        document.insert("threads".into(), json!(threads));
        document.insert("read_s".into(), json!(read_s));
        document.insert("build_s".into(), json!(build_s));
        document.insert("peak_rss_bytes".into(), json!(peak_rss_bytes));
        document.insert("host".into(), json!(args.input.host.as_str()));
        document.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
        context.print_json(&Value::Object(document))?;
    } else {
        context.print(&table(&result, threads, read_s, build_s, peak_rss_bytes))?;
    }
    Ok(ExitStatus::Done)
}

/// Returns when a line has come, or no more can.
fn wait(context: &Context) {
    context.warn("waiting for a line on standard input");
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn members(result: &Bench) -> Result<Map<String, Value>, Failure> {
    match serde_json::to_value(result) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(Failure::message(
            ExitStatus::Bug,
            format!("{other} is no object"),
            "please report this",
        )),
        Err(error) => Err(Failure::new(ExitStatus::Bug, error, "please report this")),
    }
}

/// The most memory that this process has had, as Linux tells; none elsewhere.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn table(result: &Bench, threads: usize, read_s: f64, build_s: f64, peak_rss_bytes: Option<u64>) -> String {
    let mut out = format!(
        "{}: {}, {}, {}; {} in {} ms of model time; {}\n",
        result.name,
        count(result.cells, "cell"),
        count(result.cvs, "control volume"),
        count(result.slots, "slot"),
        count(result.steps, "step"),
        result.duration_ms,
        count(threads, "thread")
    );
    out.push_str(&format!(
        "{:20}  {:>10}  {:>14}  {:>19}  {:>20}\n",
        "", "seconds", "ns per CV-step", "ms per model second", "array bytes per CV"
    ));
    let mut row = |name: &str, cost: &Cost| {
        out.push_str(&format!(
            "{name:20}  {:>10.4}  {:>14.2}  {:>19.1}  {:>20.0}\n",
            cost.seconds, cost.ns_per_cv_step, cost.ms_per_model_second, cost.state_bytes_per_cv
        ));
    };
    row("plain", &result.plain);
    if let Some(cost) = &result.with_sensitivities {
        row("with sensitivities", cost);
    }
    if let Some(ratio) = result.ratio {
        out.push_str(&format!("with sensitivities {ratio:.2} times as long as plain; "));
    }
    out.push_str(&format!(
        "medians of {}; catalogue and cells {build_s:.2} s, reading and differentiating {read_s:.2} s",
        count(result.runs, "run")
    ));
    if let Some(bytes) = peak_rss_bytes {
        out.push_str(&format!("; peak memory {:.1} MiB", bytes as f64 / f64::from(1 << 20)));
    }
    out
}

fn export(plan: &Plan, folder: &Path, context: &Context) -> Result<ExitStatus, Failure> {
    let full = |error| {
        let help = "check that the folder can be made and has room";
        Failure::new(ExitStatus::Environment, anyhow::Error::new(error), help)
    };
    std::fs::create_dir_all(folder).map_err(full)?;
    let folder = folder.canonicalize().map_err(full)?;
    let catalogue = folder.join(format!("{}-catalogue.so", plan.experiment.name));
    compiler::emit::build::build(&plan.compiled.c_source, &catalogue)?;
    let mut variants = vec![("plain.json", Variant::Plain)];
    if !plan.slots.is_empty() {
        variants.push(("sensitivities.json", Variant::Augmented));
    }
    for (name, variant) in variants {
        let request = Request::new(plan, &catalogue, &plan.values(), variant).map_err(|error| {
            let help = "give every ion one charge in all cells, and every slot a finite value";
            Failure::new(ExitStatus::Rejected, error, help)
        })?;
        let text = serde_json::to_string(&request)
            .map_err(|error| Failure::new(ExitStatus::Bug, error, "please report this"))?;
        std::fs::write(folder.join(name), text + "\n").map_err(full)?;
    }
    context.summary(&format!("requests and catalogue in {}", folder.display()))?;
    Ok(ExitStatus::Done)
}
