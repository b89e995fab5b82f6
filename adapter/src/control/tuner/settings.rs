//! What the user decides about a tuning run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::adam::AdamSettings;
use crate::control::cma_es::CmaEsSettings;
use crate::control::horizon::Horizon;
use crate::control::levenberg_marquardt::LmSettings;
use crate::control::transforms::{Transform, TransformError};

/// Which optimiser, with its constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimiser {
    /// See [`crate::control::adam`].
    Adam(AdamSettings),
    /// See [`crate::control::levenberg_marquardt`].
    LevenbergMarquardt(LmSettings),
    /// See [`crate::control::cma_es`]. Plain runs only; an iteration is a generation of `population` runs.
    CmaEs(CmaEsSettings),
}

/// The paper's choice.
impl Default for Optimiser {
    fn default() -> Self {
        Optimiser::Adam(AdamSettings::default())
    }
}

impl Optimiser {
    /// Whether it asks for sensitivities.
    pub fn needs_sensitivities(&self) -> bool {
        match self {
            Optimiser::Adam(_) | Optimiser::LevenbergMarquardt(_) => true,
            Optimiser::CmaEs(_) => false,
        }
    }
}

/// "No progress": the best loss at the full horizon improved by less than `tolerance`, relative, over `iterations`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// Iterations without progress, ≥ 1.
    pub iterations: u32,
    /// Relative improvement that counts as progress, in [0, 1).
    pub tolerance: f64,
}

/// When to stop. Target and stall are tested at the full horizon only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stop {
    /// Iterations at most.
    pub max_iterations: u32,
    /// Loss at or below which the run has succeeded, probe unit squared.
    pub target_loss: Option<f64>,
    /// No progress; `None`: never (Levenberg–Marquardt still stops when no step descends).
    pub stall: Option<Stall>,
    /// Consecutive points with a non-finite loss that are answered by halving the last step.
    pub max_retreats: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            max_iterations: 200,
            target_loss: None,
            stall: None,
            max_retreats: 8,
        }
    }
}

/// Everything that determines a run, given the model, the objective and the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// One per slot.
    pub transforms: Vec<Transform>,
    /// The optimiser.
    pub optimiser: Optimiser,
    /// Simulated span.
    pub horizon: Horizon,
    /// When to stop.
    pub stop: Stop,
}

/// Settings that do not make sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// Not one transform per slot.
    #[error("{transforms} transforms for {slots} slots")]
    Slots {
        /// Transforms given.
        transforms: usize,
        /// Start values given.
        slots: usize,
    },
    /// A transform is void, or the start value lies outside its domain.
    #[error("slot {slot} has no valid start")]
    Transform {
        /// Index of the slot.
        slot: usize,
        /// What is wrong.
        source: TransformError,
    },
    /// An optimiser constant is outside its range.
    #[error("{field} is outside its range")]
    Optimiser {
        /// Which constant.
        field: &'static str,
    },
    /// The horizon is not positive and finite, or never reaches its end.
    #[error("horizon from {} by {} to {} ms does not reach its end", .0.start_ms, .0.step_ms, .0.end_ms)]
    Horizon(Horizon),
    /// The random starts cannot be drawn.
    #[error("starts: {field} is outside its range")]
    Starts {
        /// Which number.
        field: &'static str,
    },
    /// A stop rule is outside its range.
    #[error("stop rule {field} is outside its range")]
    Stop {
        /// Which rule.
        field: &'static str,
    },
}

impl Settings {
    /// Checks all constants and maps the start `x0` (slot units) to `y0`.
    ///
    /// # Errors
    /// [`SettingsError`], the first that applies.
    pub fn start(&self, x0: &[f64]) -> Result<Vec<f64>, SettingsError> {
        if self.transforms.len() != x0.len() {
            return Err(SettingsError::Slots {
                transforms: self.transforms.len(),
                slots: x0.len(),
            });
        }
        match &self.optimiser {
            Optimiser::Adam(settings) => settings.validate(),
            Optimiser::LevenbergMarquardt(settings) => settings.validate(),
            Optimiser::CmaEs(settings) => settings.validate(),
        }
        .map_err(|field| SettingsError::Optimiser { field })?;
        if !self.horizon.is_valid() {
            return Err(SettingsError::Horizon(self.horizon));
        }
        if self.stop.target_loss.is_some_and(|l| !l.is_finite()) {
            return Err(SettingsError::Stop { field: "target_loss" });
        }
        if self
            .stop
            .stall
            .is_some_and(|s| s.iterations == 0 || !(0.0..1.0).contains(&s.tolerance))
        {
            return Err(SettingsError::Stop { field: "stall" });
        }
        let coordinates = self.transforms.iter().zip(x0).enumerate();
        coordinates
            .map(|(slot, (t, &x))| t.inverse(x).map_err(|source| SettingsError::Transform { slot, source }))
            .collect()
    }
}
