//! The cells as NEURON is told them. Data only; units are in the names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::export::protocol::{ConnectionRow, ProbeRow, Quantity};

/// One simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sections {
    /// [`PROTOCOL`](super::super::PROTOCOL).
    pub protocol: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// The folder of the .mod files and of the library that nrnivmodl makes of them, absolute.
    pub mechanisms: PathBuf,
    /// What mechanisms are called in NEURON, by their name in the source.
    pub names: BTreeMap<String, NamesRow>,
    /// The cells.
    pub cells: Vec<NeuronCell>,
    /// Temperature of all of them, °C.
    pub celsius: f64,
    /// Values of GLOBAL parameters, by mechanism.
    pub globals: BTreeMap<String, BTreeMap<String, f64>>,
    /// Connections.
    pub connections: Vec<ConnectionRow>,
    /// Events from outside.
    pub events: Vec<Received>,
    /// Rate at which sensitivities are forgotten, 1/ms.
    pub forgetting_per_ms: f64,
    /// What to sample.
    pub record: Vec<SectionQuantity>,
    /// What the samples mean.
    pub probes: Vec<ProbeRow>,
    /// Time step, ms.
    pub dt_ms: f64,
    /// Length, ms.
    pub duration_ms: f64,
    /// When to sample, ms; each means the state at the start of the step it falls into.
    pub samples_ms: Vec<f64>,
}

/// A mechanism in NEURON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamesRow {
    /// Its name.
    pub name: String,
    /// That of its clone.
    pub clone: String,
    /// Ions whose reversal potentials it reads: parameters of the clone.
    pub reversals: Vec<String>,
    /// Variables of the clone that are derivatives.
    pub sensitivities: Vec<String>,
}

/// A number that is sampled, of the cell or of the clone of a slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SectionQuantity {
    /// The cell, and what of it; mechanisms by their names in the source.
    #[serde(flatten)]
    pub of: Quantity,
    /// The control volume.
    pub cv: usize,
    /// The slot.
    pub slot: Option<usize>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeuronCell {
    /// Its name.
    pub name: String,
    /// Parents first.
    pub sections: Vec<SectionRow>,
    /// Where control volumes are: section, and position on it.
    pub places: Vec<(usize, f64)>,
    /// Control volumes with membrane.
    pub membranes: Vec<usize>,
    /// Their parents.
    pub parents: Vec<Option<usize>>,
    /// Their surface, µm².
    pub area_um2: Vec<f64>,
    /// Resistance to the parent's middle, or to the fork they begin at, MΩ; 0 at a root.
    pub resistance_mohm: Vec<f64>,
    /// Their capacitance, µF/cm².
    pub cm_uf_per_cm2: Vec<f64>,
    /// Their initial voltage, mV.
    pub v_init_mv: Vec<f64>,
    /// Reversal potentials of ions, mV.
    pub reversal_mv: BTreeMap<String, f64>,
    /// Density mechanisms.
    pub densities: Vec<DensityRow>,
    /// Point processes, in the order of targets.
    pub synapses: Vec<SynapseRow>,
    /// Current clamps.
    pub clamps: Vec<ElectrodeRow>,
    /// Spike detectors: control volume and threshold (mV).
    pub detectors: Vec<(usize, f64)>,
    /// The clones, if sensitivities are wanted.
    pub clones: Vec<CloneRow>,
}

/// A current clamp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElectrodeRow {
    /// Where.
    pub cv: usize,
    /// As [`ClampRow::envelope`](super::super::ClampRow).
    pub envelope: Vec<(f64, f64)>,
    /// Frequency of a sine that multiplies it, kHz; 0 for none.
    pub frequency_khz: f64,
    /// Phase of the sine, rad.
    pub phase_rad: f64,
}

/// A stretch of a branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SectionRow {
    /// The section it continues, and at which end; none for the first.
    pub parent: Option<(usize, f64)>,
    /// Number of segments.
    pub segments: usize,
    /// Axial resistivity, Ω·cm.
    pub rl_ohm_cm: f64,
    /// Shape: arc length and diameter, µm.
    pub points: Vec<(f64, f64)>,
}

/// A density mechanism.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DensityRow {
    /// In its source.
    pub mechanism: String,
    /// Control volumes.
    pub cvs: Vec<usize>,
    /// Parameters, by control volume; the others take their defaults.
    pub parameters: BTreeMap<String, Vec<f64>>,
}

/// A point process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SynapseRow {
    /// In its source.
    pub mechanism: String,
    /// Where.
    pub cv: usize,
    /// Parameters; the others take their defaults.
    pub parameters: BTreeMap<String, f64>,
}

/// A copy of a cell whose voltage is ∂V/∂slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloneRow {
    /// The slot.
    pub slot: usize,
    /// ∂parameter/∂slot: density mechanism by its position, parameter, and values by control volume.
    pub densities: Vec<(usize, String, Vec<f64>)>,
    /// The same of synapses.
    pub synapses: Vec<(usize, String, f64)>,
}

/// Events of one weight to one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Cell and synapse.
    pub to: (usize, usize),
    /// Weight.
    pub weight: f64,
    /// When, ms: starts of the steps that deliver them.
    pub times_ms: Vec<f64>,
}
