//! The controller: from traces and sensitivities to better parameters.
//!
//! It knows parameters, traces and sensitivities; it knows no cable, no mechanism and no file. A simulator enters
//! through [`Model`], a target through [`Objective`], and [`Tuner`] runs the loop with one of three optimisers:
//!
//! * [`Adam`](adam::Adam): first order, one gradient per iteration, robust and slow;
//! * [`LevenbergMarquardt`](levenberg_marquardt::LevenbergMarquardt): uses every trace `u_k = ∂V/∂x_k` as a column of
//!   the residual Jacobian, and a [`Horizon`] that grows so that phase errors stay below one cycle;
//! * [`CmaEs`](cma_es::CmaEs): generations of plain runs, no sensitivities; global, and by far the most expensive.
//!
//! [`starts`] searches from several points at once.
//!
//! Optimisers see coordinates `y`; the simulator sees physical values `x = T(y)`, one [`Transform`] per slot.
//!
//! ```text
//! y ──T──▶ x ──Model──▶ V, u = ∂V/∂x ──Objective──▶ loss, ∂L/∂x or r, ∂r/∂x ──T'──▶ ∂/∂y ──Optimiser──▶ y
//! ```
//!
//! # Units
//! Times in ms. Values in the unit of the probe (mV for voltages, not converted); a loss has that unit squared. Slot
//! values in whatever unit the experiment gave them; sensitivities in probe unit per slot unit.

pub mod adam;
pub mod cma_es;
pub mod horizon;
pub mod identifiability;
pub mod landscape;
pub mod levenberg_marquardt;
pub mod objective;
pub mod online;
pub mod spectrum;
pub mod starts;
pub mod transforms;
pub mod tuner;

pub use adam::{AdamSettings, Schedule};
pub use cma_es::CmaEsSettings;
pub use horizon::Horizon;
pub use identifiability::{Identifiability, IdentifiabilityError, Precision, Verdict, identify};
pub use landscape::{GridAxis, landscape};
pub use levenberg_marquardt::LmSettings;
pub use objective::{Objective, ObjectiveError, Target, Window};
pub use online::{Memory, Online, OnlineSlot};
pub use spectrum::{Spectrum, spectrum};
pub use starts::{Starts, best_of, run_all};
pub use transforms::{Transform, TransformError};
pub use tuner::checkpoint::{Checkpoint, CheckpointError};
pub use tuner::settings::{Optimiser, Settings, SettingsError, Stall, Stop};
pub use tuner::{Best, Counts, Row, Termination, TuneError, Tuner};

#[cfg(test)]
mod test_models;

/// Sampled outputs of one simulation.
///
/// # Shapes
/// `values[sample * n_probes + probe]`; `sens[(sample * n_probes + probe) * n_slots + slot]` = ∂value/∂x_slot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Traces {
    /// Sample times, ms, ascending.
    pub times_ms: Vec<f64>,
    /// Probes per sample.
    pub n_probes: usize,
    /// Probe values, in each probe's own unit.
    pub values: Vec<f64>,
    /// Slots per sensitivity row.
    pub n_slots: usize,
    /// Sensitivities, probe unit per slot unit; empty when they were not asked for.
    pub sens: Vec<f64>,
}

/// A simulator seen from the controller: slot values in, traces out.
///
/// # Assumptions
/// `simulate` is a pure function of its arguments (noise, if any, from a fixed seed), or resumed runs and the
/// acceptance test of Levenberg–Marquardt lose their meaning. It is causal: a longer run repeats the samples of a
/// shorter one.
pub trait Model {
    /// What can go wrong in the simulator.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Number of slots: the length of `x`.
    fn n_slots(&self) -> usize;

    /// Runs from rest to `t_end_ms` with slot values `x`; with `tangent`, also computes sensitivities.
    ///
    /// # Errors
    /// Whatever the simulator reports.
    fn simulate(&mut self, x: &[f64], t_end_ms: f64, tangent: bool) -> Result<Traces, Self::Error>;

    /// Runs at several points; the results in their order, each as [`Model::simulate`] alone would give it. A model that
    /// can run several at once does.
    fn simulate_many(&mut self, points: &[Vec<f64>], t_end_ms: f64, tangent: bool) -> Vec<Result<Traces, Self::Error>> {
        points.iter().map(|x| self.simulate(x, t_end_ms, tangent)).collect()
    }

    /// Whether this error says that the point `x` is at fault (the state diverged), not the environment.
    /// The tuner then treats the point as one with a non-finite loss and steps back; any other error ends the run.
    fn is_divergence(_error: &Self::Error) -> bool {
        false
    }
}
