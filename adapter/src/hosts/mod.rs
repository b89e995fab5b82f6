//! Simulators that can run a plan: graddiff's own, in this process, and others as child processes.
//!
//! A [`Host`] sets parameters, starts from rest, advances, samples, and hands back what the controller wants to know. These
//! are one operation here, [`Host::simulate_watched`], since the controller asks for pure functions of the slot values:
//! a host that keeps something from one run to the next has no means to show it. Behind it, each has its own way: the shim
//! writes parameter arrays, Arbor gets a description of the cells and is told to go on, part by part.

pub mod arbor;
mod inside;
pub mod neuron;
mod online;
pub mod process;
mod readers;
pub mod remote;
pub mod shim;

use host_shim::Spike;

use crate::control::{Model, Traces};

pub use online::{ControlledRun, RowWatcher};
pub use process::ProcessError;
pub use remote::RemoteHost;
pub use shim::{HostError, ShimHost, Timing, Watcher};

/// Who runs an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// As `--host` names it.
    pub name: &'static str,
    /// Of a simulator that is not part of graddiff.
    pub version: Option<&'static str>,
}

impl std::fmt::Display for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.version {
            None => f.write_str(self.name),
            Some(version) => write!(f, "{} {version}", self.name),
        }
    }
}

/// A plan in a simulator.
pub trait Host: Send {
    /// Who it is.
    fn describe(&self) -> Description;

    /// Number of slots.
    fn n_slots(&self) -> usize;

    /// [`Model::simulate`], with each sample shown as soon as the host has it.
    ///
    /// # Errors
    /// [`HostError`].
    fn simulate_watched(
        &mut self,
        x: &[f64],
        t_end_ms: f64,
        tangent: bool,
        watcher: &mut Watcher<'_>,
    ) -> Result<Traces, HostError>;

    /// [`Model::simulate_many`].
    fn simulate_many(&mut self, points: &[Vec<f64>], t_end_ms: f64, tangent: bool) -> Vec<Result<Traces, HostError>>;

    /// Spikes of the last run, of all cells, numbered as in the plan; none after runs at several points at once.
    fn spikes(&self) -> &[Spike];

    /// As many further hosts of the same plan as can be of use for so many independent runs.
    fn replicas(&self, runs: usize) -> Vec<Box<dyn Host>>;
}

impl Host for ShimHost {
    fn describe(&self) -> Description {
        Description {
            name: "shim",
            version: None,
        }
    }

    fn n_slots(&self) -> usize {
        Model::n_slots(self)
    }

    fn simulate_watched(
        &mut self,
        x: &[f64],
        t_end_ms: f64,
        tangent: bool,
        watcher: &mut Watcher<'_>,
    ) -> Result<Traces, HostError> {
        ShimHost::simulate_watched(self, x, t_end_ms, tangent, watcher)
    }

    fn simulate_many(&mut self, points: &[Vec<f64>], t_end_ms: f64, tangent: bool) -> Vec<Result<Traces, HostError>> {
        Model::simulate_many(self, points, t_end_ms, tangent)
    }

    fn spikes(&self) -> &[Spike] {
        ShimHost::spikes(self)
    }

    fn replicas(&self, runs: usize) -> Vec<Box<dyn Host>> {
        let boxed = |host| -> Box<dyn Host> { Box::new(host) };
        ShimHost::replicas(self, runs).into_iter().map(boxed).collect()
    }
}

impl Model for Box<dyn Host> {
    type Error = HostError;

    fn n_slots(&self) -> usize {
        (**self).n_slots()
    }

    fn is_divergence(error: &HostError) -> bool {
        error.is_divergence()
    }

    fn simulate(&mut self, x: &[f64], t_end_ms: f64, tangent: bool) -> Result<Traces, HostError> {
        (**self).simulate_watched(x, t_end_ms, tangent, &mut |_, _, _| {})
    }

    fn simulate_many(&mut self, points: &[Vec<f64>], t_end_ms: f64, tangent: bool) -> Vec<Result<Traces, HostError>> {
        (**self).simulate_many(points, t_end_ms, tangent)
    }
}
