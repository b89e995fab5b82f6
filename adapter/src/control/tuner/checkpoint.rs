//! A run between two iterations, as data.
//!
//! A resumed run is bit-identical to one that was never interrupted, given the same model, objective and binary. That
//! rests on two facts: between iterations nothing lives outside the state stored here, and every `f64` in it is
//! finite, so that JSON (with serde_json's `float_roundtrip`) returns the same bits. Non-finite losses are stored as
//! absent.

use serde::{Deserialize, Serialize};

use super::settings::{Optimiser, Settings};
use super::{Best, Counts, Row, Termination};
use crate::control::adam::{Adam, AdamSettings};
use crate::control::cma_es::{CmaEs, CmaEsSettings};
use crate::control::levenberg_marquardt::{LevenbergMarquardt, LmSettings};

/// Format of [`Checkpoint`]; rises with every incompatible change.
pub const CHECKPOINT_VERSION: u32 = 1;

/// Everything needed to continue a run, except the model and the objective: the fingerprint vouches for those.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// [`CHECKPOINT_VERSION`] of the writer.
    pub version: u32,
    /// The caller's digest of experiment, target and catalogue.
    pub fingerprint: String,
    pub(super) settings: Settings,
    pub(super) state: State,
}

/// What changes from iteration to iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Present point; every `T(y)` is finite.
    pub(super) y: Vec<f64>,
    /// Last point whose loss was finite, where a retreat leads.
    pub(super) previous: Option<Vec<f64>>,
    /// Times the horizon has grown.
    pub(super) growths: u32,
    /// Iterations done.
    pub(super) iteration: u32,
    /// Consecutive points with a non-finite loss.
    pub(super) retreats: u32,
    pub(super) engine: Engine,
    pub(super) counts: Counts,
    pub(super) history: Vec<Row>,
    pub(super) best: Option<Best>,
    pub(super) stall: Option<StallClock>,
    pub(super) termination: Option<Termination>,
}

/// An optimiser with its constants and its memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Engine {
    Adam(AdamSettings, Adam),
    LevenbergMarquardt(LmSettings, LevenbergMarquardt),
    CmaEs(CmaEsSettings, CmaEs),
}

/// The loss that has to be undercut, and for how many iterations it has not been.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct StallClock {
    pub(super) loss: f64,
    pub(super) age: u32,
}

/// Why a checkpoint cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not JSON, or not a checkpoint of this version.
    #[error("not a readable checkpoint")]
    Json(#[from] serde_json::Error),
    /// Written by an incompatible version of graddiff.
    #[error("checkpoint has format {found}, this program reads {expected}")]
    Version {
        /// Format of the file.
        found: u32,
        /// Format of this program.
        expected: u32,
    },
    /// Belongs to another experiment, target or catalogue.
    #[error("checkpoint belongs to another experiment (fingerprint {found}, expected {expected})")]
    Fingerprint {
        /// Fingerprint in the checkpoint.
        found: String,
        /// Fingerprint of the caller.
        expected: String,
    },
    /// Transforms, optimiser or horizon differ from those of the run so far.
    #[error("{field} differs from the checkpoint's")]
    Settings {
        /// Which part.
        field: &'static str,
    },
    /// An array in the checkpoint does not have one entry per slot.
    #[error("{field} of the checkpoint has {found} entries, expected {expected}")]
    Shape {
        /// Which array.
        field: &'static str,
        /// Its length.
        found: usize,
        /// Number of slots.
        expected: usize,
    },
}

impl Checkpoint {
    /// JSON text, one line.
    ///
    /// # Errors
    /// [`CheckpointError::Json`]; does not happen for a checkpoint taken from a [`Tuner`](super::Tuner).
    pub fn to_json(&self) -> Result<String, CheckpointError> {
        Ok(serde_json::to_string(self)?)
    }

    /// Reads what [`Checkpoint::to_json`] wrote. The version is looked at before the rest.
    ///
    /// # Errors
    /// [`CheckpointError::Json`], [`CheckpointError::Version`].
    pub fn from_json(text: &str) -> Result<Self, CheckpointError> {
        #[derive(Deserialize)]
        struct Header {
            version: u32,
        }
        let Header { version: found } = serde_json::from_str(text)?;
        if found != CHECKPOINT_VERSION {
            return Err(CheckpointError::Version {
                found,
                expected: CHECKPOINT_VERSION,
            });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The state, if it continues this run.
    pub(super) fn open(self, settings: &Settings, fingerprint: &str) -> Result<State, CheckpointError> {
        if self.version != CHECKPOINT_VERSION {
            return Err(CheckpointError::Version {
                found: self.version,
                expected: CHECKPOINT_VERSION,
            });
        }
        if self.fingerprint != fingerprint {
            return Err(CheckpointError::Fingerprint {
                found: self.fingerprint,
                expected: fingerprint.to_owned(),
            });
        }
        let same = [
            ("transforms", self.settings.transforms == settings.transforms),
            ("optimiser", self.settings.optimiser == settings.optimiser),
            ("horizon", self.settings.horizon == settings.horizon),
        ];
        if let Some((field, _)) = same.iter().find(|(_, same)| !same) {
            return Err(CheckpointError::Settings { field });
        }
        let mut state = self.state;
        state.check(settings)?;
        // A cancelled run goes on; one that met its stop rules goes on only under other rules.
        if state.termination == Some(Termination::Cancelled) || self.settings.stop != settings.stop {
            state.termination = None;
        }
        Ok(state)
    }
}

impl State {
    pub(super) fn new(settings: &Settings, y: Vec<f64>) -> Self {
        Self {
            engine: match settings.optimiser {
                Optimiser::Adam(s) => Engine::Adam(s, Adam::new(y.len())),
                Optimiser::LevenbergMarquardt(s) => Engine::LevenbergMarquardt(s, LevenbergMarquardt::new(&s, y.len())),
                Optimiser::CmaEs(s) => Engine::CmaEs(s, CmaEs::default()),
            },
            y,
            previous: None,
            growths: 0,
            iteration: 0,
            retreats: 0,
            counts: Counts::default(),
            history: Vec::new(),
            best: None,
            stall: None,
            termination: None,
        }
    }

    /// Array lengths and the optimiser's kind: a damaged file must not panic later.
    fn check(&self, settings: &Settings) -> Result<(), CheckpointError> {
        let expected = settings.transforms.len();
        let (first, second, optimiser) = match &self.engine {
            Engine::Adam(s, adam) => (adam.m.len(), adam.v.len(), Optimiser::Adam(*s)),
            Engine::LevenbergMarquardt(s, lm) => (lm.scale.len(), expected, Optimiser::LevenbergMarquardt(*s)),
            Engine::CmaEs(s, cma) => (cma.n_slots().unwrap_or(expected), expected, Optimiser::CmaEs(*s)),
        };
        if optimiser != settings.optimiser {
            return Err(CheckpointError::Settings { field: "optimiser" });
        }
        let previous = self.previous.as_ref().map_or(expected, Vec::len);
        let sizes = [
            ("y", self.y.len()),
            ("previous", previous),
            ("optimiser memory", first),
            ("optimiser memory", second),
        ];
        match sizes.iter().find(|(_, found)| *found != expected) {
            Some(&(field, found)) => Err(CheckpointError::Shape { field, found, expected }),
            None => Ok(()),
        }
    }
}
