//! Online control: parameters that follow an objective while the simulation runs, and what is done to it meanwhile.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Region;
use crate::control::{AdamSettings, Memory};

/// Moves slots while the simulation runs, down the sensitivities of an objective. `run` obeys it; `verify` and `tune` do
/// not, and check or tune what is controlled at fixed slots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The probe that is to become small, by name: a variable of a mechanism that carries sensitivities. With `each_cell`,
    /// the sum over the cells: slots of a cell then follow the cell's own.
    pub objective: String,
    /// Where the law runs.
    #[serde(default, skip_serializing_if = "Within::is_controller")]
    pub within: Within,
    /// The slots that move, by name.
    pub slots: BTreeMap<String, Controlled>,
    /// How often slots are moved, ms; every time step if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<f64>,
    /// When control begins, ms.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_ms: f64,
    /// How slots move.
    #[serde(default)]
    pub law: Law,
    /// Which gradient they follow.
    #[serde(default)]
    pub memory: Memory,
    /// Bound on the norm over the slots of the sensitivities of each variable, per instance, and of the voltage, per
    /// control volume: larger ones are scaled down at each move. The sensitivities are no longer exact where that happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(x: &f64) -> bool {
    x.to_bits() == 0
}

/// Where the law of control runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// In a controller that reads sensitivities and writes parameters between steps.
    #[default]
    Controller,
    /// In the generated mechanism that carries the objective, at each step: a simulator that only advances states runs the
    /// controlled cell. Law `gradient` only, for slots that move parameters of that mechanism in one control volume.
    Mechanism,
}

impl Within {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_controller(&self) -> bool {
        *self == Within::Controller
    }
}

/// A slot that control moves.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Controlled {
    /// Gain α of the law `gradient`; per ms, over the unit of the objective per unit of the slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain: Option<f64>,
    /// The slot's scale s; the magnitude of its value at the start if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Greatest speed, scales per ms. Sensitivities of cells that spike have rare, huge values; this keeps one of them from
    /// deciding everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<f64>,
    /// Least value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Greatest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// How control moves slots.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Law {
    /// θ' = −α s g.
    #[default]
    Gradient,
    /// A step of Adam in θ/s at each move, along s g.
    Adam(AdamSettings),
}

/// Something done to the cells at some time of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Perturbation {
    /// When, ms: at the end of the first step that ends then or later.
    pub at_ms: f64,
    /// On this cell or population only; on all cells if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// What.
    pub change: Change,
}

/// What a perturbation changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A RANGE parameter of a density mechanism.
    Parameter {
        /// The mechanism.
        mechanism: String,
        /// Its parameter.
        parameter: String,
        /// Where: control volumes of which any part lies there.
        #[serde(default = "Region::all")]
        region: Region,
        /// What it is multiplied by, whatever slots make of it; either this or `value`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        factor: Option<f64>,
        /// What it is set to. Slots move it no more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<f64>,
    },
    /// A current clamp.
    Stimulus {
        /// Its number in the cell's list, from 0.
        number: usize,
        /// What the current of the list is multiplied by from now on.
        factor: f64,
    },
    /// The temperature, °C.
    TemperatureDegc(f64),
}
