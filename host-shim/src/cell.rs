//! What a cell is made of: shape, cable properties, ions, channels, clamps, detectors. Data only.

use std::collections::BTreeMap;

use crate::detector::Detector;
use crate::discretise::CableProperties;
use crate::morphology::{Cable, Location, Morphology};
use crate::policy::CvPolicy;
use crate::stimulus::IClamp;

/// A cell, as [`crate::Simulation::new`] takes it.
#[derive(Debug, Clone)]
pub struct CellDescription {
    /// Shape.
    pub morphology: Morphology,
    /// How branches are cut into CVs.
    pub policy: CvPolicy,
    /// Capacitance, resistivity, initial voltage, temperature.
    pub properties: CableProperties,
    /// Ions by name; those that no mechanism uses cost nothing.
    pub ions: BTreeMap<String, IonProperties>,
    /// Density mechanisms. Several paints of one mechanism make one set of instances, and must not overlap.
    pub densities: Vec<DensityPaint>,
    /// Overrides of mechanisms' globals: painted name → global → value. As the derived mechanism `name/global=value`,
    /// which may also be painted by that name.
    pub globals: BTreeMap<String, BTreeMap<String, f64>>,
    /// Voltage processes, painted as densities are.
    pub voltage_processes: Vec<DensityPaint>,
    /// Point processes, in the order in which Arbor's decor would place them; the targets of events are numbered through
    /// all of them (see [`SynapsePlacement`]).
    pub synapses: Vec<SynapsePlacement>,
    /// Whether point processes that superpose and have equal parameters may share one instance, as Arbor's property of
    /// that name says. A shared instance's states are sums.
    pub coalesce_synapses: bool,
    /// Sites of gap junctions.
    pub junctions: Vec<JunctionPlacement>,
    /// Current clamps.
    pub clamps: Vec<IClamp>,
    /// Threshold detectors.
    pub detectors: Vec<Detector>,
    /// Global id, which keys the random numbers; the cell's position in the simulation if absent.
    pub gid: Option<u32>,
}

impl CellDescription {
    /// A cell with Arbor's default properties and ions, and nothing painted or placed.
    pub fn new(morphology: Morphology, policy: CvPolicy) -> Self {
        Self {
            morphology,
            policy,
            properties: CableProperties::default(),
            ions: default_ions(),
            densities: Vec::new(),
            globals: BTreeMap::new(),
            voltage_processes: Vec::new(),
            synapses: Vec::new(),
            coalesce_synapses: true,
            junctions: Vec::new(),
            clamps: Vec::new(),
            detectors: Vec::new(),
            gid: None,
        }
    }
}

/// An ion species on one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct IonProperties {
    /// Charge number.
    pub valence: i32,
    /// Initial internal concentration, mM.
    pub int_mm: f64,
    /// Initial external concentration, mM.
    pub ext_mm: f64,
    /// Initial reversal potential, mV.
    pub rev_mv: f64,
    /// Diffusivity of Xd, m²/s, the same on the whole cell; 0 for an ion that does not diffuse.
    pub diffusivity_m2_per_s: f64,
    /// The reversal potential mechanism that sets eX, by its full name (`nernst/x=ca`), if any.
    pub reversal_method: Option<ReversalMethod>,
    /// Whether mechanisms may add to the ion's current, so that each step has to start it from zero. False is a promise, for
    /// an ion that mechanisms only tell each other something by; if they declare no other quantity either, it has but an
    /// internal concentration.
    pub carries_current: bool,
}

impl IonProperties {
    /// An ion that neither diffuses nor has its reversal potential computed.
    pub fn new(valence: i32, int_mm: f64, ext_mm: f64, rev_mv: f64) -> Self {
        Self {
            valence,
            int_mm,
            ext_mm,
            rev_mv,
            diffusivity_m2_per_s: 0.0,
            reversal_method: None,
            carries_current: true,
        }
    }
}

/// A reversal potential mechanism and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct ReversalMethod {
    /// Name in a catalogue, or a derived name (`nernst/x=ca`).
    pub mechanism: String,
    /// Values of RANGE parameters.
    pub parameters: BTreeMap<String, f64>,
}

/// na, k and ca as NEURON and Arbor set them.
///
/// # Reference
/// Arbor 0.12.2 `neuron_parameter_defaults`; eca = 12.5·ln(2 / 5e-5) mV.
pub fn default_ions() -> BTreeMap<String, IonProperties> {
    let ion = IonProperties::new;
    BTreeMap::from([
        ("na".to_owned(), ion(1, 10.0, 140.0, 50.0)),
        ("k".to_owned(), ion(1, 54.4, 2.5, -77.0)),
        ("ca".to_owned(), ion(2, 5e-5, 2.0, 12.5 * (2.0f64 / 5e-5).ln())),
    ])
}

/// A density mechanism over a part of the membrane.
#[derive(Debug, Clone, PartialEq)]
pub struct DensityPaint {
    /// Name in a catalogue, or a derived name `name/global=value,…`.
    pub mechanism: String,
    /// Disjoint cables.
    pub cables: Vec<Cable>,
    /// Values of RANGE parameters; the others take their defaults.
    pub parameters: BTreeMap<String, f64>,
}

impl DensityPaint {
    /// `mechanism` with default parameters.
    pub fn new(mechanism: impl Into<String>, cables: Vec<Cable>) -> Self {
        Self {
            mechanism: mechanism.into(),
            cables,
            parameters: BTreeMap::new(),
        }
    }

    /// Sets one parameter.
    #[must_use]
    pub fn with(mut self, parameter: impl Into<String>, value: f64) -> Self {
        self.parameters.insert(parameter.into(), value);
        self
    }
}

/// Point processes of one kind at some places. Each place is one target of events; targets are numbered placement after
/// placement, within one in the order of `at`.
#[derive(Debug, Clone, PartialEq)]
pub struct SynapsePlacement {
    /// Name in a catalogue, or a derived name.
    pub mechanism: String,
    /// Where; Arbor sorts a locset by (branch, position), so sorted places keep its numbering.
    pub at: Vec<Location>,
    /// Values of RANGE parameters; the others take their defaults.
    pub parameters: BTreeMap<String, f64>,
}

/// A site of gap junctions: where a cell may be connected, and by what mechanism it feels the peer.
#[derive(Debug, Clone, PartialEq)]
pub struct JunctionPlacement {
    /// Name in a catalogue, or a derived name.
    pub mechanism: String,
    /// Where.
    pub at: Location,
    /// Values of RANGE parameters; the others take their defaults.
    pub parameters: BTreeMap<String, f64>,
}
