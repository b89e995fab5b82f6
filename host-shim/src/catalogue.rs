//! What a catalogue says of itself, as owned data: nothing here points into the library.
//!
//! The shapes mirror `mech_abi.h`; [`crate::load`] fills them and is the only module that knows pointers.

use mech_abi::AbiLevel;

/// `arb_mechanism_kind`, as the host distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MechanismKind {
    /// Placed at points; currents in nA.
    Point,
    /// Painted on membrane; current densities.
    Density,
    /// Computes a reversal potential from concentrations.
    ReversalPotential,
    /// Gap junction.
    GapJunction,
    /// Writes the membrane voltage.
    Voltage,
}

impl MechanismKind {
    /// The kind with that number in the ABI.
    pub fn from_abi(kind: u32) -> Option<Self> {
        Some(match kind {
            mech_abi::kind::POINT => Self::Point,
            mech_abi::kind::DENSITY => Self::Density,
            mech_abi::kind::REVERSAL_POTENTIAL => Self::ReversalPotential,
            mech_abi::kind::GAP_JUNCTION => Self::GapJunction,
            mech_abi::kind::VOLTAGE => Self::Voltage,
            _ => return None,
        })
    }
}

impl std::fmt::Display for MechanismKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Point => "point process",
            Self::Density => "density mechanism",
            Self::ReversalPotential => "reversal-potential mechanism",
            Self::GapJunction => "gap junction",
            Self::Voltage => "voltage process",
        })
    }
}

/// One row of a table of globals, states or parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldInfo {
    /// NMODL name.
    pub name: String,
    /// Unit as the source spells it; may be empty.
    pub unit: String,
    /// Default, or none if the catalogue gives none (NaN in the table): a state that INITIAL sets, a parameter
    /// that must be set, a global that is set or not used.
    pub default: Option<f64>,
    /// Lowest admissible value.
    pub low: f64,
    /// Highest admissible value.
    pub high: f64,
}

/// How a mechanism uses one ion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IonDependency {
    /// Ion name, e.g. `ca`.
    pub name: String,
    /// Writes Xi.
    pub write_internal: bool,
    /// Writes Xo.
    pub write_external: bool,
    /// Reads Xi. Not recorded at ABI level 0.6, where it is always false.
    pub read_internal: bool,
    /// Reads Xo. Not recorded at ABI level 0.6, where it is always false.
    pub read_external: bool,
    /// Uses the diffusive concentration Xd.
    pub use_diffusive: bool,
    /// Writes eX.
    pub write_reversal: bool,
    /// Reads eX.
    pub read_reversal: bool,
    /// Reads the valence.
    pub read_valence: bool,
    /// The valence that the ion must have, if the mechanism insists on one.
    pub expected_valence: Option<i32>,
}

/// Everything a mechanism declares.
#[derive(Debug, Clone, PartialEq)]
pub struct MechanismInfo {
    /// Name under which it is painted.
    pub name: String,
    /// Fingerprint; modcc writes a placeholder.
    pub fingerprint: String,
    /// Kind.
    pub kind: MechanismKind,
    /// Linear and homogeneous in its states, so that equal synapses may be merged.
    pub is_linear: bool,
    /// Has a POST_EVENT block.
    pub has_post_events: bool,
    /// Scalars, shared by all instances.
    pub globals: Vec<FieldInfo>,
    /// STATE and ASSIGNED variables, one value per instance.
    pub states: Vec<FieldInfo>,
    /// RANGE parameters, one value per instance.
    pub parameters: Vec<FieldInfo>,
    /// Ions, in the order of the kernel's ion views.
    pub ions: Vec<IonDependency>,
    /// White-noise variables.
    pub random_variables: Vec<RandomVariable>,
    /// SIMD width of the kernels in doubles; 1 for scalar kernels.
    pub partition_width: usize,
    /// Alignment of arrays that the kernels ask for, bytes.
    pub alignment: usize,
}

impl MechanismInfo {
    /// Position of a parameter in the table.
    pub fn parameter(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|f| f.name == name)
    }

    /// Position of a state in the table.
    pub fn state(&self, name: &str) -> Option<usize> {
        self.states.iter().position(|f| f.name == name)
    }

    /// Position of a global in the table.
    pub fn global(&self, name: &str) -> Option<usize> {
        self.globals.iter().position(|f| f.name == name)
    }
}

/// A white-noise variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomVariable {
    /// NMODL name.
    pub name: String,
    /// Index into the kernel's table of random buffers.
    pub index: u32,
}

/// graddiff's self-description (`graddiff_catalogue_info`), owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueInfo {
    /// ABI level the catalogue was built for.
    pub abi: AbiLevel,
    /// graddiff that built it.
    pub graddiff_version: String,
    /// Integrator of the emitted kernels, `arbor` or `neuron`.
    pub integrator: String,
    /// Carrier of ∂V/∂θ, `none` or `cable`.
    pub carrier: String,
    /// Slot names, θ_0 first.
    pub slots: Vec<String>,
    /// Which RANGE parameters hold the seeds of which slot.
    pub seeds: Vec<Seed>,
}

/// d(parameter)/d(θ_slot) on each CV is the RANGE parameter [`Seed::seed`] of [`Seed::mechanism`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Index into [`CatalogueInfo::slots`].
    pub slot: usize,
    /// Mechanism of this catalogue.
    pub mechanism: String,
    /// Parameter that the slot moves.
    pub parameter: String,
    /// RANGE parameter that carries the seed.
    pub seed: String,
}

/// Which binary layout to assume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AbiChoice {
    /// What the self-description says; 0.7 for a foreign catalogue, which cannot say.
    #[default]
    Auto,
    /// This level; an error if the self-description says otherwise.
    Level(AbiLevel),
}
