//! What `run`, `verify`, `tune` and `reproduce` share: an experiment, made concrete, in a host.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compiler::CompileError;
use compiler::emit::build::build;
use host_shim::Spike;

use super::diagnostics::{self, Style};
use super::threads::Threads;
use super::{Context, ExitStatus, Failure};
use crate::control::{Model as _, Traces};
use crate::experiment::{Carrier, Experiment};
use crate::hosts::process::python;
use crate::hosts::{
    ControlledRun, Description, Host, HostError, ProcessError, RemoteHost, RowWatcher, ShimHost, Watcher,
};
use crate::plan::export::ExportError;
use crate::plan::{Plan, PlanError};

/// Where an experiment runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum HostName {
    /// graddiff's own host, in this process.
    #[default]
    Shim,
    /// An unmodified Arbor 0.12.2 in a Python of its own.
    Arbor,
    /// An unmodified NEURON 9.0.2: fixed steps; sensitivities by clones, right up to the time step.
    Neuron,
}

impl HostName {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            HostName::Shim => "shim",
            HostName::Arbor => "arbor",
            HostName::Neuron => "neuron",
        }
    }
}

/// What brings the voltage's sensitivities along the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum CarrierName {
    /// The voltage's own matrix: exact.
    Cable,
    /// The paper's ion diffusion: approximate, to reproduce the paper and to show its error.
    Diffusion,
}

/// Which experiment, and where it runs.
#[derive(Debug, clap::Args)]
pub(super) struct ExperimentArgs {
    /// The experiment.
    #[arg(value_name = "EXPERIMENT.json")]
    pub(super) experiment: PathBuf,
    /// Where it runs.
    #[arg(long, value_enum, default_value_t)]
    pub(super) host: HostName,
    /// The Python that has Arbor or NEURON; GRADDIFF_PYTHON, .venv/bin/python or python3 if absent.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Give up on a host in another process that says nothing for so long (it speaks after every 2000 steps).
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// What brings the sensitivities along the tree, whatever the experiment says.
    #[arg(long, value_enum)]
    pub(super) carrier: Option<CarrierName>,
    #[command(flatten)]
    pub(super) threads: Threads,
}

/// Reads the experiment and shows the compiler's warnings.
pub(super) fn plan(args: &ExperimentArgs, context: &Context) -> Result<Plan, Failure> {
    let change = |experiment: &mut Experiment| match args.carrier {
        None => {}
        Some(CarrierName::Cable) => experiment.carrier = Carrier::Cable,
        Some(CarrierName::Diffusion) => experiment.carrier = Carrier::Diffusion,
    };
    let mut plan = Plan::load_with(&args.experiment, change).map_err(|error| reject(error, context))?;
    plan.clones = args.host == HostName::Neuron;
    if let Some(caveat) = plan.caveat().filter(|_| !context.json) {
        context.warn(&format!("warning: {caveat}"));
    }
    if !plan.warnings().is_empty() && !context.json && !context.quiet {
        let style = Style::choose(&io::stderr());
        context.warn(&diagnostics::render_all(&plan.sources, plan.warnings(), style));
    }
    Ok(plan)
}

/// Shows the compiler's diagnostics, which the error itself only counts.
pub(super) fn reject(error: PlanError, context: &Context) -> Failure {
    if let PlanError::Compile {
        sources,
        source: CompileError::Rejected(found),
    } = &error
    {
        let style = Style::choose(&io::stderr());
        context.warn(&diagnostics::render_all(sources, found, style));
    }
    error.into()
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let (status, help) = match &error {
            PlanError::Read { .. } => (
                ExitStatus::Environment,
                "check the path (paths in an experiment start from its own folder)",
            ),
            PlanError::Compile { .. } => (
                ExitStatus::Rejected,
                "correct the .mod files; `graddiff check FILE.mod` looks at them alone",
            ),
            PlanError::Swc { .. } => (ExitStatus::Rejected, "correct the morphology at the line named"),
            PlanError::Experiment { .. } => (
                ExitStatus::Rejected,
                "correct the experiment at the line and column named; editors check it with experiment.schema.json",
            ),
            _ => (ExitStatus::Rejected, "correct the experiment at the place named"),
        };
        Self::new(status, error, help)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Build(build) => build.into(),
            HostError::Load(load) => load.into(),
            HostError::Simulation(_) => Self::new(
                ExitStatus::Rejected,
                error,
                "correct the experiment; if a voltage is not finite, look for a too long dt_ms or parameters out of range",
            ),
            HostError::Pruned { .. } | HostError::InRows { .. } => Self::new(
                ExitStatus::Rejected,
                error,
                "name it in a probe of the experiment, as `mechanism.variable`: then it is kept, with its sensitivities",
            ),
            HostError::Control { .. } => Self::new(
                ExitStatus::Rejected,
                error,
                "raise `forgetting_per_ms`, set `control.clip`, or lower the gains: sensitivities of cells that spike grow",
            ),
            HostError::Slots { .. } => Self::new(ExitStatus::Bug, error, "please report this"),
            HostError::Process(process) => process.into(),
            HostError::Export(ref export) => match export {
                ExportError::Shape { .. } | ExportError::Slots { .. } => {
                    Self::new(ExitStatus::Bug, error, "please report this")
                }
                ExportError::Neuron(_) | ExportError::Valence { .. } | ExportError::NotFinite { .. } => Self::new(
                    ExitStatus::Rejected,
                    error,
                    "correct the experiment, or run it in the shim, without --host",
                ),
            },
            HostError::Refused { ref kind, .. } if kind == "catalogue" => Self::new(
                ExitStatus::Environment,
                error,
                "the catalogue was built a moment ago: run `graddiff doctor` to see whether the C compiler works",
            ),
            HostError::Refused { ref kind, .. } if kind == "mechanisms" => Self::new(
                ExitStatus::Environment,
                error,
                "nrnivmodl needs make and a C++ compiler; if it has them, please report this",
            ),
            HostError::Report(report) => report.into(),
            HostError::Refused { .. } => Self::new(
                ExitStatus::Rejected,
                error,
                "change what is named in the experiment, or run it in the shim, without --host",
            ),
            HostError::NonFinite { .. } => Self::new(
                ExitStatus::Rejected,
                error,
                "look for a too long dt_ms or parameters out of range",
            ),
        }
    }
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        let help = match &error {
            ProcessError::Start { .. } => {
                "name a Python with --python or GRADDIFF_PYTHON; `graddiff doctor` says which one it finds"
            }
            ProcessError::Missing { host: "NEURON", .. } | ProcessError::Version { host: "NEURON", .. } => {
                "install it there (python -m pip install neuron==9.0.2), or name another Python with --python or GRADDIFF_PYTHON"
            }
            ProcessError::Missing { .. } | ProcessError::Version { .. } => {
                "install it there (python -m pip install arbor==0.12.2), or name another Python with --python or GRADDIFF_PYTHON"
            }
            ProcessError::Protocol { .. } => "name a plain Python with --python or GRADDIFF_PYTHON",
            ProcessError::Ended { .. } => {
                "if it was killed, look for memory and limits of this machine; if it fails again, please report this"
            }
            ProcessError::Silent { .. } => "if the cells are large, give it longer with --timeout SECONDS",
            ProcessError::Answer { .. } => {
                "see whether something that Python loads at its start writes to standard output (-vv logs what it says)"
            }
        };
        Self::new(ExitStatus::Environment, error, help)
    }
}

/// A host, and the folder that holds its catalogue if nobody asked for one.
pub(super) struct Running<H> {
    pub(super) host: H,
    _folder: Option<tempfile::TempDir>,
}

/// Builds the plan's catalogue in `folder`, or in a temporary one, and the cells on it, in the host that was asked for.
pub(super) fn start(
    args: &ExperimentArgs,
    plan: &Plan,
    folder: Option<&Path>,
) -> Result<Running<Box<dyn Host>>, Failure> {
    let (path, kept) = place(plan, folder)?;
    let host: Box<dyn Host> = match args.host {
        HostName::Shim => Box::new(ShimHost::new(plan, &path)?),
        HostName::Arbor | HostName::Neuron => Box::new(remote(args, plan, &path)?),
    };
    Ok(Running { host, _folder: kept })
}

/// A host for a run under control.
pub(super) enum Controlled {
    Shim(Box<ShimHost>),
    Remote(Box<RemoteHost>, PathBuf),
}

impl Controlled {
    pub(super) fn describe(&self) -> Description {
        match self {
            Controlled::Shim(host) => host.describe(),
            Controlled::Remote(host, _) => host.describe(),
        }
    }
}

impl Running<Controlled> {
    /// A run under control and perturbations.
    pub(super) fn run_controlled(
        &mut self,
        plan: &Plan,
        watcher: &mut Watcher<'_>,
        rows: &mut RowWatcher<'_>,
    ) -> Result<ControlledRun, Failure> {
        Ok(match &mut self.host {
            Controlled::Shim(host) => host.run_controlled_watched(plan, watcher, rows)?,
            Controlled::Remote(host, catalogue) => host.run_controlled_watched(catalogue, watcher, rows)?,
        })
    }
}

/// As [`start`], for a run under control.
pub(super) fn start_controlled(
    args: &ExperimentArgs,
    plan: &Plan,
    folder: Option<&Path>,
) -> Result<Running<Controlled>, Failure> {
    let (path, kept) = place(plan, folder)?;
    let host = match args.host {
        HostName::Shim => Controlled::Shim(Box::new(ShimHost::new(plan, &path)?)),
        HostName::Arbor | HostName::Neuron => {
            let host = remote(args, plan, &path)?;
            if args.host == HostName::Neuron {
                build(&plan.compiled.c_source, &path)?;
            }
            Controlled::Remote(Box::new(host), path)
        }
    };
    Ok(Running { host, _folder: kept })
}

/// A host in another process, whose catalogue, if it needs one, is `path`.
fn remote(args: &ExperimentArgs, plan: &Plan, path: &Path) -> Result<RemoteHost, Failure> {
    let (python, _) = python(args.python.as_deref());
    tracing::info!(python = %python.display(), host = args.host.as_str(), "starting");
    let patience = Duration::from_secs(args.timeout);
    Ok(match args.host {
        HostName::Neuron => {
            let folder = path.with_file_name(format!("{}-neuron", plan.experiment.name));
            RemoteHost::neuron(plan, &folder, python, patience)?
        }
        HostName::Shim | HostName::Arbor => RemoteHost::arbor(plan, path, python, patience)?,
    })
}

/// The same in the shim, for what only the shim can do.
pub(super) fn start_shim(plan: &Plan, folder: Option<&Path>) -> Result<Running<ShimHost>, Failure> {
    let (path, kept) = place(plan, folder)?;
    Ok(Running {
        host: ShimHost::new(plan, &path)?,
        _folder: kept,
    })
}

/// Where the catalogue goes.
fn place(plan: &Plan, folder: Option<&Path>) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    let (folder, kept): (PathBuf, Option<tempfile::TempDir>) = match folder {
        Some(folder) => (folder.to_path_buf(), None),
        None => {
            let temporary = tempfile::tempdir().map_err(|error| {
                Failure::new(
                    ExitStatus::Environment,
                    error,
                    "make room in the folder for temporary files, or set TMPDIR",
                )
            })?;
            (temporary.path().to_path_buf(), Some(temporary))
        }
    };
    let path = folder.join(format!("{}-catalogue.so", plan.experiment.name));
    tracing::info!(catalogue = %path.display(), "building");
    Ok((path, kept))
}

impl<H> Running<H> {
    /// A host whose catalogue is the user's.
    pub(super) fn around(host: H) -> Self {
        Self { host, _folder: None }
    }
}

impl Running<Box<dyn Host>> {
    /// One run, with its spikes.
    pub(super) fn simulate(
        &mut self,
        x: &[f64],
        t_end_ms: f64,
        tangent: bool,
    ) -> Result<(Traces, Vec<Spike>), Failure> {
        let traces = self.host.simulate(x, t_end_ms, tangent)?;
        Ok((traces, self.host.spikes().to_vec()))
    }

    /// As [`Running::simulate`], with each sample shown as soon as the host has it.
    pub(super) fn simulate_watched(
        &mut self,
        x: &[f64],
        t_end_ms: f64,
        tangent: bool,
        watcher: &mut Watcher<'_>,
    ) -> Result<(Traces, Vec<Spike>), Failure> {
        let traces = self.host.simulate_watched(x, t_end_ms, tangent, watcher)?;
        Ok((traces, self.host.spikes().to_vec()))
    }
}
