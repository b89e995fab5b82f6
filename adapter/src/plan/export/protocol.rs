//! The protocol between graddiff and a simulator in another process. Data only; units are in the names.
//!
//! The simulator says [`Answer::Hello`] and then answers one [`Question`] after the other. Both are JSON, one line each;
//! an [`Answer::Advanced`] or [`Answer::Numbers`] is followed by as many 64-bit floats, little endian, as it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::neuron::Sections;

/// What a host must find in [`Request::protocol`] before it reads on.
pub const PROTOCOL: u32 = 4;

/// A stretch of a branch: [branch, proximal end, distal end], positions from 0 to 1.
pub type CableRow = (usize, f64, f64);
/// A place: [branch, position].
pub type Place = (usize, f64);

/// One simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// The shared object with all mechanisms, absolute.
    pub catalogue: PathBuf,
    /// Charge numbers of all ions.
    pub valences: BTreeMap<String, i32>,
    /// The cells.
    pub cells: Vec<CellRow>,
    /// Cells by group; each cell is in one.
    pub groups: Vec<Vec<usize>>,
    /// Connections.
    pub connections: Vec<ConnectionRow>,
    /// Gap junctions, each felt by the local side only.
    pub gap_junctions: Vec<GapRow>,
    /// Sources of events that are no cells.
    pub generators: Vec<GeneratorRow>,
    /// Seed of the noise that mechanisms draw.
    pub seed: u64,
    /// Arbor's property of that name.
    pub coalesce_synapses: bool,
    /// On how many threads to compute; results do not depend on it.
    pub threads: usize,
    /// What to sample.
    pub record: Vec<Quantity>,
    /// What the samples mean.
    pub probes: Vec<ProbeRow>,
    /// Time step, ms.
    pub dt_ms: f64,
    /// Length, ms.
    pub duration_ms: f64,
    /// When to sample, ms: ascending, each meaning the state at the start of the step it falls into.
    pub samples_ms: Vec<f64>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRow {
    /// Its name.
    pub name: String,
    /// The shape, parents first.
    pub segments: Vec<SegmentRow>,
    /// Arbor's S-expression.
    pub cv_policy: String,
    /// Initial voltage, mV.
    pub v_init_mv: Property,
    /// Temperature, K.
    pub temperature_k: Property,
    /// Axial resistivity, Ω·cm.
    pub rl_ohm_cm: Property,
    /// Membrane capacitance, F/m².
    pub cm_f_per_m2: Property,
    /// Ions by name.
    pub ions: BTreeMap<String, IonRow>,
    /// Density mechanisms; those of one name do not overlap.
    pub paint: Vec<PaintRow>,
    /// Voltage processes.
    pub voltage_processes: Vec<PaintRow>,
    /// Point processes; their positions here number the targets of events.
    pub synapses: Vec<PointRow>,
    /// Sites of gap junctions.
    pub junctions: Vec<PointRow>,
    /// Parameters of a mechanism that hold for the whole cell.
    pub globals: BTreeMap<String, BTreeMap<String, f64>>,
    /// Current clamps.
    pub clamps: Vec<ClampRow>,
    /// Spike detectors.
    pub detectors: Vec<DetectorRow>,
}

/// A frustum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentRow {
    /// Index of the segment whose distal end it starts at; none for a root.
    pub parent: Option<usize>,
    /// x, y, z, radius, µm.
    pub prox: [f64; 4],
    /// x, y, z, radius, µm.
    pub dist: [f64; 4],
    /// Tag.
    pub tag: i32,
}

/// A piecewise constant property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Property {
    /// Where nothing is painted.
    pub default: f64,
    /// Disjoint stretches and their values.
    pub painted: Vec<(CableRow, f64)>,
}

/// An ion on one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IonRow {
    /// Internal concentration, mM.
    pub internal_mm: f64,
    /// External concentration, mM.
    pub external_mm: f64,
    /// Reversal potential, mV.
    pub reversal_mv: f64,
    /// Diffusivity, m²/s, as Arbor means it.
    pub diffusivity_m2_per_s: f64,
    /// What computes the reversal potential, if anything.
    pub reversal_method: Option<MethodRow>,
}

/// A reversal potential mechanism.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodRow {
    /// Name in the catalogue, with ions bound anew and globals behind a slash.
    pub mechanism: String,
    /// RANGE parameters; the others take their defaults.
    pub parameters: BTreeMap<String, f64>,
}

/// A mechanism at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointRow {
    /// Name in the catalogue.
    pub mechanism: String,
    /// Where.
    pub at: Place,
    /// RANGE parameters, seeds of sensitivities among them; the others take their defaults.
    pub parameters: BTreeMap<String, f64>,
}

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Cell and its detector.
    pub from: (usize, usize),
    /// Cell and its synapse.
    pub to: (usize, usize),
    /// Weight, in the unit of the point process; a 32-bit float.
    pub weight: f64,
    /// Delay, ms; a 32-bit float.
    pub delay_ms: f64,
}

/// One direction of a gap junction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GapRow {
    /// Cell and site that feel the other.
    pub local: (usize, usize),
    /// Cell and site that are felt.
    pub peer: (usize, usize),
    /// Factor on the current.
    pub weight: f64,
}

/// Events from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeneratorRow {
    /// Cell and its synapse.
    pub to: (usize, usize),
    /// Weight of each event; a 32-bit float.
    pub weight: f64,
    /// When.
    pub times: Times,
}

/// Times of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Times {
    /// Whole multiples of the interval, from the start on, before the stop.
    Regular {
        /// ms.
        start_ms: f64,
        /// ms.
        interval_ms: f64,
        /// ms; none for no end.
        stop_ms: Option<f64>,
    },
    /// These.
    Explicit {
        /// Ascending.
        times_ms: Vec<f64>,
    },
    /// As Arbor's Poisson schedule.
    Poisson {
        /// ms.
        start_ms: f64,
        /// 1/ms.
        rate_per_ms: f64,
        /// Seed.
        seed: u64,
        /// ms; none for no end.
        stop_ms: Option<f64>,
    },
}

/// A density mechanism on a part of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaintRow {
    /// Name in the catalogue.
    pub mechanism: String,
    /// Where.
    pub cables: Vec<CableRow>,
    /// RANGE parameters, seeds of sensitivities among them; the others take their defaults.
    pub parameters: BTreeMap<String, f64>,
}

/// A current clamp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClampRow {
    /// Where.
    pub at: Place,
    /// [time in ms, current in nA], linearly interpolated; of coincident points the later wins; the last one persists.
    pub envelope: Vec<(f64, f64)>,
    /// Frequency of a sine that multiplies it, kHz; 0 for none.
    pub frequency_khz: f64,
    /// Phase of the sine, rad.
    pub phase_rad: f64,
}

/// A spike detector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DetectorRow {
    /// Where.
    pub at: Place,
    /// Threshold, mV.
    pub threshold_mv: f64,
}

/// One number that a host samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// The cell.
    pub cell: usize,
    /// What of it.
    #[serde(flatten)]
    pub of: Variable,
}

/// What a host samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Variable {
    /// Voltage at a place, interpolated between CVs, mV.
    Voltage {
        /// Where.
        at: Place,
    },
    /// Voltage of one CV, mV.
    CvVoltage {
        /// Its number.
        cv: usize,
    },
    /// A state of a density mechanism that covers the place.
    State {
        /// Painted name.
        mechanism: String,
        /// STATE or ASSIGNED variable.
        state: String,
        /// Where.
        at: Place,
    },
    /// A RANGE parameter of a density mechanism that covers the place.
    Parameter {
        /// Painted name.
        mechanism: String,
        /// The parameter.
        parameter: String,
        /// Where.
        at: Place,
    },
    /// A state of a point process.
    PointState {
        /// Its number among the cell's synapses.
        target: usize,
        /// Name in the catalogue.
        mechanism: String,
        /// STATE or ASSIGNED variable.
        state: String,
    },
    /// A RANGE parameter of a point process.
    PointParameter {
        /// Its number among the cell's synapses.
        target: usize,
        /// The parameter.
        parameter: String,
    },
    /// Diffusive concentration of an ion, mM.
    IonDiffusive {
        /// The ion.
        ion: String,
        /// Where.
        at: Place,
    },
    /// Total current density through the membrane, A/m².
    MembraneCurrent {
        /// Where.
        at: Place,
    },
    /// Current density of an ion, A/m².
    IonCurrent {
        /// The ion.
        ion: String,
        /// Where.
        at: Place,
    },
    /// Reversal potential of an ion, mV.
    IonReversal {
        /// The ion.
        ion: String,
        /// Where.
        at: Place,
    },
    /// Internal concentration of an ion, mM.
    IonInternal {
        /// The ion.
        ion: String,
        /// Where.
        at: Place,
    },
    /// External concentration of an ion, mM.
    IonExternal {
        /// The ion.
        ion: String,
        /// Where.
        at: Place,
    },
}

/// A weighted sum of samples: (index in [`Request::record`], weight).
pub type Terms = Vec<(usize, f64)>;

/// A probe of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeRow {
    /// Its name.
    pub name: String,
    /// The value.
    pub value: Terms,
    /// ∂value/∂slot, one per slot; empty where it is zero or unknown. No entries without sensitivities.
    pub sensitivities: Vec<Terms>,
}

/// What a simulator is asked.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Question<'a> {
    /// Compile the mechanisms of a folder.
    Compile {
        /// The folder, absolute.
        mechanisms: &'a Path,
    },
    /// Make these cells and be at rest.
    Start(Start<'a>),
    /// Go on, and tell the samples taken since.
    Advance {
        /// To this time, ms.
        until_ms: f64,
    },
    /// These numbers will be read and written between steps.
    Watch {
        /// Which; their positions here stand for them.
        numbers: &'a [Address],
    },
    /// Tell all of them.
    Read {},
    /// Set some of them, and what else can change between steps.
    Write(&'a Changes),
}

/// The cells, as the simulator takes them.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Start<'a> {
    /// Arbor.
    Arbor(&'a Request),
    /// NEURON.
    Neuron(&'a Sections),
}

/// One number of a simulation that can be read and written between steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Address {
    /// In Arbor's checkpoint.
    Stored {
        /// The cell group.
        group: usize,
        /// The mechanism's number in the group.
        storage: usize,
        /// Position among the numbers of all its instances.
        at: usize,
        /// How many numbers these are.
        of: usize,
    },
    /// A RANGE variable in NEURON.
    Range {
        /// The cell.
        cell: usize,
        /// On the clone of this slot; without one on the cell itself, and a parameter then on all its clones as well.
        slot: Option<usize>,
        /// The mechanism in its source.
        mechanism: String,
        /// The variable.
        variable: String,
        /// The control volume.
        cv: usize,
    },
}

/// What is set between steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// Position among the watched numbers, and the new value.
    pub numbers: Vec<(usize, f64)>,
    /// Cell, current clamp of the cell, and what its envelope is multiplied by from now on.
    pub clamps: Vec<(usize, usize, f64)>,
    /// The temperature of all cells, °C.
    pub celsius: Option<f64>,
}

/// What a simulator answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is there; comes first, and unasked.
    Hello(Hello),
    /// The cells are there, or the mechanisms.
    Started {},
    /// It went on.
    Advanced(Advanced),
    /// So many numbers, which follow.
    Numbers(Numbers),
    /// The changes are made.
    Written {},
    /// It could not.
    Failed(Failure),
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Name of the simulator.
    pub host: String,
    /// Its version.
    pub version: String,
}

/// What follows this header: times of the samples (ms), the samples of each quantity, and of each spike the time (ms),
/// cell and detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advanced {
    /// Samples taken since the last answer.
    pub samples: usize,
    /// Spikes since.
    pub spikes: usize,
    /// Floats that follow.
    pub numbers: usize,
}

/// What follows this header: the watched numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Floats that follow.
    pub numbers: usize,
}

/// A part of a simulation, or all of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// Starts of the steps in which samples were taken, ms.
    pub times_ms: Vec<f64>,
    /// Samples of each quantity: `values[quantity][sample]`.
    pub values: Vec<Vec<f64>>,
    /// Spikes in the order of time: (time in ms, cell, detector).
    pub spikes: Vec<(f64, usize, usize)>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `missing` (the simulator), `protocol`, `question`, `unsupported` (it cannot do that), `catalogue` (it does not load
    /// it), `mechanisms` (nrnivmodl does not compile them), or the name of the simulator's own exception.
    pub kind: String,
    /// Its words.
    pub message: String,
}
