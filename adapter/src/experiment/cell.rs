//! A cell: shape, cable properties, ions, regions, what is painted and placed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_zero;
use super::network::{Generator, Junction, Synapse};

/// The two types that say what a cell is made of: with a name, and without one for populations. One list of fields, so
/// that what one can say the other can.
macro_rules! cell_types {
    ($($(#[$attribute:meta])* $field:ident: $type:ty,)*) => {
        /// One cell.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Cell {
            /// Its name.
            pub name: String,
            $($(#[$attribute])* pub $field: $type,)*
        }

        /// A cell without a name: what the members of a population are made of.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Template {
            $($(#[$attribute])* pub $field: $type,)*
        }

        impl Template {
            /// The same with a name.
            pub fn named(&self, name: String) -> Cell {
                Cell { name, $($field: self.$field.clone(),)* }
            }
        }
    };
}

cell_types! {
    /// Its shape.
    morphology: Morphology,
    /// How branches are cut into control volumes; one per branch if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cv_policy: Option<CvPolicy>,
    /// Cable properties of the whole cell.
    #[serde(default)]
    properties: Properties,
    /// Ions: changes of, and additions to, Arbor's defaults for na, k and ca.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ions: BTreeMap<String, Ion>,
    /// Named regions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    regions: BTreeMap<String, Region>,
    /// What is painted where.
    paint: Vec<Paint>,
    /// Point processes: what receives events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    synapses: Vec<Synapse>,
    /// Sites of gap junctions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    junctions: Vec<Junction>,
    /// Current clamps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stimuli: Vec<Stimulus>,
    /// Events for the cell's own synapses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    generators: Vec<Generator>,
    /// Spike detectors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    detectors: Vec<Detector>,
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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
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
    /// Diffusivity inside the cell, m²/s, in Arbor's sense; 0 for an ion that does not diffuse.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub diffusivity_m2_per_s: f64,
    /// The mechanism that computes the reversal potential from the concentrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal_method: Option<ReversalMethod>,
}

/// A reversal potential mechanism: its name, with ions named anew where needed (`nernst/x=ca`), or name and parameters.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ReversalMethod {
    /// With the parameters of its source.
    Named(String),
    /// With parameters.
    With(ReversalMechanism),
}

/// A reversal potential mechanism with parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReversalMechanism {
    /// Its name, with ions named anew where needed: `nernst/x=ca`.
    pub mechanism: String,
    /// Its parameters, in the units of its source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, f64>,
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
    /// The density mechanism or voltage process, if any.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Where.
    pub at: Location,
    /// Threshold, mV.
    pub threshold_mv: f64,
    /// Name for connections; needed where a cell has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}
