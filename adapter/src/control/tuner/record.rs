//! What a run leaves behind: history, counters, the best point, and why it ended.

use serde::{Deserialize, Serialize};

use crate::control::objective::ObjectiveError;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Termination {
    /// The iteration limit.
    MaxIters,
    /// The loss at the full horizon is at or below the target.
    TargetReached,
    /// No progress, or (Levenberg–Marquardt) no descending step at the full horizon.
    Stalled,
    /// The loss stayed non-finite after all retreats.
    NonFiniteLoss,
    /// The observer asked for it.
    Cancelled,
}

/// Simulations so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Simulations without sensitivities.
    pub plain: u32,
    /// Simulations with sensitivities.
    pub tangent: u32,
    /// Simulated time of the plain ones, ms (a diverging run counts in full). Times the number of cells: cell-ms.
    pub plain_ms: f64,
    /// Simulated time of the tangent ones, ms.
    pub tangent_ms: f64,
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            plain: a.plain.saturating_add(b.plain),
            tangent: a.tangent.saturating_add(b.tangent),
            plain_ms: a.plain_ms + b.plain_ms,
            tangent_ms: a.tangent_ms + b.tangent_ms,
        })
    }
}

/// One iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Counted from 0.
    pub iteration: u32,
    /// Simulated span, ms.
    pub horizon_ms: f64,
    /// The point, slot units.
    pub x: Vec<f64>,
    /// Loss at `x`, probe unit squared; `None`: not finite.
    pub loss: Option<f64>,
    /// `‖∂L/∂y‖`; `None`: not finite.
    pub gradient_norm: Option<f64>,
    /// Whether a step was taken from here.
    pub accepted: bool,
    /// Loss after the step at the same horizon, where the optimiser looked (Levenberg–Marquardt).
    pub next_loss: Option<f64>,
    /// μ after the iteration (Levenberg–Marquardt).
    pub damping: Option<f64>,
    /// Simulations up to and including this iteration.
    pub counts: Counts,
}

/// The best point: of those simulated at the longest horizon so far, the one with the lowest loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The iteration that found it.
    pub iteration: u32,
    /// Horizon of its loss, ms; less than the full one if the run ended early.
    pub horizon_ms: f64,
    /// Its loss, probe unit squared.
    pub loss: f64,
    /// The point, slot units.
    pub x: Vec<f64>,
}

/// What stops a run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TuneError<E: std::error::Error + 'static> {
    /// The simulator failed, and not because of the point.
    #[error("simulation over {t_end_ms} ms failed at {x:?}")]
    Model {
        /// Slot values.
        x: Vec<f64>,
        /// Simulated span, ms.
        t_end_ms: f64,
        /// The simulator's own error.
        source: E,
    },
    /// Traces and target do not fit.
    #[error("traces cannot be compared with the target")]
    Objective(#[from] ObjectiveError),
    /// Model or sensitivities do not have one entry per transform.
    #[error("{what} has {found} slots, expected {expected}")]
    Slots {
        /// Who.
        what: &'static str,
        /// Its number of slots.
        found: usize,
        /// Number of transforms.
        expected: usize,
    },
}
