//! The experiment file: what to simulate, what to tune, what to record. Data only, in users' units.
//!
//! The types are the format: the JSON Schema in `adapter/schema/experiment.schema.json` is generated from them, and a
//! test keeps it current. [`read`] turns text into an [`Experiment`] or a message with line and column.

mod cell;
mod control;
mod network;
pub mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{Horizon, Optimiser, Starts, Stop, Transform, Window};

pub use cell::{
    Cell, CvPolicy, Detector, Ion, Location, Morphology, Paint, Properties, Pulse, Region, RegionExpr,
    ReversalMechanism, ReversalMethod, Segment, Stimulus, Template,
};
pub use control::{Change, Control, Controlled, Law, Perturbation, Within};
pub use network::{
    Connection, GapJunction, Generator, Indegree, Junction, NamedRule, Placement, Poisson, Population, Probability,
    Receiver, Regular, Rule, Sender, Site, Synapse, Uniform,
};

/// One experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Where editors find the JSON Schema.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Short name, used in file names and titles.
    pub name: String,
    /// What it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// NMODL files, relative to this file.
    pub mechanisms: Vec<PathBuf>,
    /// Whose arithmetic the mechanisms follow.
    #[serde(default)]
    pub integrator: Integrator,
    /// The cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<Cell>,
    /// Cells in numbers. Wherever a cell is named, a population or one of its members (`name[0]`, …) may be named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub populations: Vec<Population>,
    /// Connections from detectors to synapses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<Connection>,
    /// Gap junctions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gap_junctions: Vec<GapJunction>,
    /// Cells that are simulated as one group, by name; the others get a group each. Gap junctions merge groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<String>>,
    /// Time.
    pub simulation: Simulation,
    /// Tunable quantities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Slot>,
    /// Recorded quantities.
    pub probes: Vec<Probe>,
    /// Forgetting rate λ of the sensitivities, 1/ms; 0 keeps them exact.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgetting_per_ms: f64,
    /// What brings the voltage's sensitivities along the tree.
    #[serde(default, skip_serializing_if = "is_default_carrier")]
    pub carrier: Carrier,
    /// What `tune` minimises, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune: Option<Tune>,
    /// What moves slots while `run` runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// What is done to the cells while `run` runs; not under `verify` and `tune`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perturbations: Vec<Perturbation>,
    /// How `verify` checks the sensitivities.
    #[serde(default)]
    pub verify: Verify,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(x: &f64) -> bool {
    x.to_bits() == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_default_carrier(carrier: &Carrier) -> bool {
    *carrier == Carrier::Cable
}

/// What brings the voltage's sensitivities along the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// The voltage's own matrix: exact on every tree.
    #[default]
    Cable,
    /// The paper's, ion diffusion by the rule of Arbor 0.9: APPROXIMATE, wrong wherever diameters differ or branches meet.
    Diffusion,
}

impl From<Carrier> for compiler::Carrier {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Cable => compiler::Carrier::Cable,
            Carrier::Diffusion => compiler::Carrier::Diffusion,
        }
    }
}

/// Whose arithmetic: the form of `cnexp` and the conductance of a current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Integrator {
    /// Arbor's compiler.
    #[default]
    Arbor,
    /// NEURON's compiler.
    Neuron,
}

impl From<Integrator> for compiler::Integrator {
    fn from(integrator: Integrator) -> Self {
        match integrator {
            Integrator::Arbor => compiler::Integrator::Arbor,
            Integrator::Neuron => compiler::Integrator::Neuron,
        }
    }
}

/// Time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// Length, ms.
    pub duration_ms: f64,
    /// Time step, ms.
    #[serde(default = "default_dt")]
    pub dt_ms: f64,
    /// Sampling interval, ms.
    #[serde(default = "default_sampling")]
    pub sample_every_ms: f64,
    /// Seed of the noise that mechanisms draw.
    #[serde(default, skip_serializing_if = "is_default_seed")]
    pub seed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_default_seed(seed: &u64) -> bool {
    *seed == 0
}

fn default_dt() -> f64 {
    0.025
}

fn default_sampling() -> f64 {
    0.1
}

/// A tunable quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Name; an identifier without double underscores.
    pub name: String,
    /// What it moves.
    pub targets: Vec<SlotTarget>,
    /// Whether the slot's value is the parameter itself, or a factor on the painted value.
    #[serde(default)]
    pub scale: Scale,
    /// Its value; if absent, the painted one (`absolute`) or 1 (`relative`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// How `tune` walks: in the value itself, in its logarithm, or between bounds.
    #[serde(default)]
    pub transform: Transform,
    /// One slot per cell that the targets mean, named `name_0`, `name_1`, …, instead of one for all.
    #[serde(default, skip_serializing_if = "is_false")]
    pub each_cell: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(x: &bool) -> bool {
    !*x
}

/// One parameter that a slot moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotTarget {
    /// The mechanism; of a reversal potential mechanism, the name in its source.
    pub mechanism: String,
    /// Its parameter. Every point process has `weight`, the factor on the weights of the events it receives.
    pub parameter: String,
    /// Where; the part of it that carries the mechanism.
    #[serde(default = "Region::all")]
    pub region: Region,
    /// Of synapses or sites of gap junctions, those with this label only (`label`, or `label[i]` for one place).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synapse: Option<String>,
    /// On this cell or population only; on all cells if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
}

/// What a slot's value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The parameter, in its own unit.
    #[default]
    Absolute,
    /// A factor on the painted parameter.
    Relative,
}

/// A recorded quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Name, used for columns and legends.
    pub name: String,
    /// Cell; the first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// Where; either this or `synapse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Location>,
    /// The synapse whose variable it is, by label: `label`, or `label[i]` for one of several places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synapse: Option<String>,
    /// `v` (mV), `i_membrane` (A/m²), `MECHANISM.STATE`, `MECHANISM.PARAMETER`, or an ion's `iX` (A/m²), `eX` (mV),
    /// `Xi`, `Xo`, `Xd` (mM).
    #[serde(default = "voltage")]
    pub variable: String,
    /// One probe per cell of the population that `cell` names, or of all cells, named `name[0]`, `name[1]`, ….
    #[serde(default, skip_serializing_if = "is_false")]
    pub each_cell: bool,
}

fn voltage() -> String {
    "v".into()
}

/// What `tune` minimises, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// What the probes should show.
    pub target: Target,
    /// Weight of each probe in the loss, by name; probes that are not named here do not count. All probes with weight 1
    /// if absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    /// Windows of time that count; everything with weight 1 if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Where the search starts, by slot; slots that are not named start at their value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub start: BTreeMap<String, f64>,
    /// Searches from several random starts around `start`, instead of from `start` itself; the best is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Starts>,
    /// The optimiser; Adam with its defaults if absent.
    #[serde(default)]
    pub optimiser: Optimiser,
    /// A horizon that grows; the whole duration if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Horizon>,
    /// When to stop.
    #[serde(default)]
    pub stop: Stop,
}

/// What the probes should show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// The same model with these slot values; slots that are not named keep their value.
    Simulated(BTreeMap<String, f64>),
    /// A `.csv` (first column time in ms) or `.npz` file with one column per probe that counts, relative to this file.
    File(PathBuf),
}

/// How `verify` checks the sensitivities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Verify {
    /// Greatest relative error that passes.
    pub tolerance: f64,
    /// Span, ms; the whole duration if absent.
    pub duration_ms: Option<f64>,
}

impl Default for Verify {
    fn default() -> Self {
        Self {
            tolerance: 1e-6,
            duration_ms: None,
        }
    }
}
