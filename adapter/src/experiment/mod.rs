//! The experiment file: what to simulate, what to tune, what to record. Data only, in users' units.
//!
//! The types are the format: the JSON Schema in `adapter/schema/experiment.schema.json` is generated from them, and a
//! test keeps it current. [`read`] turns text into an [`Experiment`] or a message with line and column.

pub mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{Horizon, Optimiser, Stop, Transform, Window};

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
    pub cells: Vec<Cell>,
    /// Cells that are simulated as one group, by name; the others get a group each.
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
    /// What `tune` minimises, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune: Option<Tune>,
    /// How `verify` checks the sensitivities.
    #[serde(default)]
    pub verify: Verify,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(x: &f64) -> bool {
    x.to_bits() == 0
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

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub morphology: Morphology,
    /// How branches are cut into control volumes; one per branch if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cv_policy: Option<CvPolicy>,
    /// Cable properties of the whole cell.
    #[serde(default)]
    pub properties: Properties,
    /// Ions: changes of, and additions to, Arbor's defaults for na, k and ca.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ions: BTreeMap<String, Ion>,
    /// Named regions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<String, Region>,
    /// What is painted where.
    pub paint: Vec<Paint>,
    /// Current clamps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stimuli: Vec<Stimulus>,
    /// Spike detectors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<Detector>,
}

/// The shape of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Morphology {
    /// An SWC file, relative to this file, read as Arbor does.
    Swc(PathBuf),
    /// An SWC file read as NEURON does (a soma of one sample becomes a cylinder).
    SwcNeuron(PathBuf),
    /// One unbranched cylinder, tag 1.
    Cylinder {
        /// Length, µm.
        length_um: f64,
        /// Diameter, µm.
        diameter_um: f64,
    },
    /// Segments, each a frustum.
    Segments(Vec<Segment>),
}

/// One frustum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Index of the segment it continues; absent for a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// Proximal end [x, y, z, radius], µm; the parent's distal end if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prox: Option<[f64; 4]>,
    /// Distal end [x, y, z, radius], µm.
    pub dist: [f64; 4],
    /// Tag: 1 soma, 2 axon, 3 dendrite, 4 apical dendrite, others free.
    #[serde(default = "soma_tag")]
    pub tag: i32,
}

fn soma_tag() -> i32 {
    1
}

/// How branches are cut into control volumes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CvPolicy {
    /// One for the whole cell.
    Single,
    /// The same number on every branch.
    FixedPerBranch {
        /// How many.
        n: usize,
        /// Forks lie inside control volumes.
        #[serde(default)]
        interior_forks: bool,
    },
    /// None longer than this.
    MaxExtent {
        /// Greatest length, µm.
        um: f64,
        /// Forks lie inside control volumes.
        #[serde(default)]
        interior_forks: bool,
    },
    /// One per segment.
    EverySegment,
    /// Boundaries at these places.
    Explicit(Vec<Location>),
}

/// A place on a cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Branch, numbered as Arbor does.
    pub branch: usize,
    /// Relative position, 0 at the proximal end, 1 at the distal end.
    pub pos: f64,
}

/// Cable properties. Defaults are Arbor's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Properties {
    /// Initial voltage, mV (−65).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v_init_mv: Option<f64>,
    /// Temperature, °C (6.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_degc: Option<f64>,
    /// Axial resistivity, Ω·cm (35.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rl_ohm_cm: Option<f64>,
    /// Membrane capacitance, F/m² (0.01).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cm_f_per_m2: Option<f64>,
}

/// An ion species.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ion {
    /// Charge number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valence: Option<i32>,
    /// Internal concentration, mM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_mm: Option<f64>,
    /// External concentration, mM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_mm: Option<f64>,
    /// Reversal potential, mV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal_mv: Option<f64>,
}

/// A part of a cell: the name of a region, `"all"`, or an expression.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Region {
    /// `"all"`, or a name from the cell's `regions`.
    Named(String),
    /// An expression.
    Expr(RegionExpr),
}

impl Region {
    /// Everything.
    pub fn all() -> Self {
        Region::Named("all".into())
    }
}

/// An expression that names a part of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RegionExpr {
    /// Segments with this tag.
    Tag(i32),
    /// One branch.
    Branch(usize),
    /// Part of a branch.
    Cable {
        /// Branch.
        branch: usize,
        /// Proximal end, 0 to 1.
        prox: f64,
        /// Distal end, 0 to 1.
        dist: f64,
    },
    /// One segment, by its index.
    Segment(usize),
    /// Path length from the root.
    Distance {
        /// Least, µm.
        #[serde(default)]
        from_um: f64,
        /// Greatest, µm; no limit if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_um: Option<f64>,
    },
    /// In any of these.
    Union(Vec<Region>),
    /// In all of these.
    Intersection(Vec<Region>),
    /// In the first, outside the second.
    Difference(Box<[Region; 2]>),
    /// Outside.
    Complement(Box<Region>),
}

/// A mechanism, or cable properties, on a part of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paint {
    /// Where.
    #[serde(default = "Region::all")]
    pub region: Region,
    /// The density mechanism, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// Its parameters, in the units of its source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, f64>,
    /// Cable properties, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Properties>,
}

/// A current clamp: a pulse or an envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stimulus {
    /// Where.
    pub at: Location,
    /// A pulse, or several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pulses: Vec<Pulse>,
    /// Points [time in ms, current in nA], linearly interpolated; the last amplitude persists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub envelope: Vec<[f64; 2]>,
    /// Frequency of a sine that multiplies the amplitude, kHz; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frequency_khz: f64,
    /// Its phase, rad.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub phase_rad: f64,
}

/// A rectangular pulse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pulse {
    /// Start, ms.
    pub start_ms: f64,
    /// Length, ms.
    pub duration_ms: f64,
    /// Current into the cell, nA.
    pub amplitude_na: f64,
}

/// A spike detector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Where.
    pub at: Location,
    /// Threshold, mV.
    pub threshold_mv: f64,
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
}

/// One parameter that a slot moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotTarget {
    /// The mechanism.
    pub mechanism: String,
    /// Its parameter.
    pub parameter: String,
    /// Where; the part of it that carries the mechanism.
    #[serde(default = "Region::all")]
    pub region: Region,
    /// On this cell only; on all cells if absent.
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
    /// Where.
    pub at: Location,
    /// `v` (mV), `i_membrane` (A/m²), `MECHANISM.STATE`, `MECHANISM.PARAMETER`, or an ion's `iX` (A/m²), `eX` (mV),
    /// `Xi`, `Xo` (mM).
    #[serde(default = "voltage")]
    pub variable: String,
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
    /// The optimiser.
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
