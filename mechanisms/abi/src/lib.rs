//! Arbor's C mechanism ABI as `repr(C)` types, for both levels that are in use, and graddiff's self-description.
//!
//! [`HEADER`] (`include/mech_abi.h`) is the normative description of every field: when it is set, who owns it, its unit.
//! This file mirrors it; the test `abi` compares sizes and offsets with a C compiler's.
//! No dependencies, no `unsafe`, no behaviour.
#![forbid(unsafe_code)]

use std::ffi::{c_char, c_void};

/// The C header, for emitted code and hand-written fixtures.
pub const HEADER: &str = include_str!("../include/mech_abi.h");

/// The symbol every catalogue exports.
pub const GET_CATALOGUE: &str = "get_catalogue";
/// The symbol graddiff's own catalogues export besides.
pub const CATALOGUE_INFO: &str = "graddiff_catalogue_info_v1";
/// First bytes of [`CatalogueInfo`].
pub const INFO_MAGIC: [u8; 8] = *b"graddiff";
/// Version of [`CatalogueInfo`]'s layout.
pub const INFO_VERSION: u32 = 1;
/// The only `abi_version` Arbor accepts, at either level.
pub const ABI_VERSION: u64 = 0;

/// Which of the two binary layouts a catalogue uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum AbiLevel {
    /// 0.6.0: Arbor 0.9 and 0.10.
    V0_6,
    /// 0.7.0: Arbor 0.11 to 0.12.2.
    #[default]
    V0_7,
}

impl AbiLevel {
    /// The minor number, as stored in [`CatalogueInfo::abi_level`].
    pub fn number(self) -> u32 {
        match self {
            AbiLevel::V0_6 => 6,
            AbiLevel::V0_7 => 7,
        }
    }

    /// The level with that minor number.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            6 => Some(AbiLevel::V0_6),
            7 => Some(AbiLevel::V0_7),
            _ => None,
        }
    }
}

impl std::fmt::Display for AbiLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0.{}", self.number())
    }
}

/// `arb_mechanism_kind` values.
pub mod kind {
    /// Point process.
    pub const POINT: u32 = 1;
    /// Density channel.
    pub const DENSITY: u32 = 2;
    /// Reversal-potential mechanism.
    pub const REVERSAL_POTENTIAL: u32 = 3;
    /// Gap junction.
    pub const GAP_JUNCTION: u32 = 4;
    /// Voltage process.
    pub const VOLTAGE: u32 = 5;
}

/// `arb_backend_kind_cpu`.
pub const BACKEND_CPU: u32 = 1;

/// `arb_ion_state`, level 0.7.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct IonState {
    /// A/m².
    pub current_density: *mut f64,
    /// mV.
    pub reversal_potential: *mut f64,
    /// mM.
    pub internal_concentration: *mut f64,
    /// mM.
    pub external_concentration: *mut f64,
    /// mM.
    pub diffusive_concentration: *mut f64,
    /// Length 1.
    pub ionic_charge: *mut f64,
    /// Instance to position in the ion's arrays.
    pub index: *mut i32,
}

/// `arb_ion_state`, level 0.6.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct IonState06 {
    /// A/m².
    pub current_density: *mut f64,
    /// kS/m².
    pub conductivity: *mut f64,
    /// mV.
    pub reversal_potential: *mut f64,
    /// mM.
    pub internal_concentration: *mut f64,
    /// mM.
    pub external_concentration: *mut f64,
    /// mM.
    pub diffusive_concentration: *mut f64,
    /// Length 1.
    pub ionic_charge: *mut f64,
    /// Instance to position in the ion's arrays.
    pub index: *mut i32,
}

/// `arb_deliverable_event_data`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventData {
    /// Instance.
    pub mech_index: u32,
    /// Weight.
    pub weight: f32,
}

/// `arb_deliverable_event_stream`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct EventStream {
    /// First event.
    pub begin: *const EventData,
    /// One past the last.
    pub end: *const EventData,
}

/// `arb_constraint_partition`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ConstraintPartition {
    /// Length of `contiguous` in ints (two per range in Arbor 0.12).
    pub n_contiguous: u32,
    /// Length of `constant`.
    pub n_constant: u32,
    /// Length of `independent`.
    pub n_independent: u32,
    /// Length of `none`.
    pub n_none: u32,
    /// `[start, end)` instance ranges.
    pub contiguous: *mut i32,
    /// Block starts.
    pub constant: *mut i32,
    /// Block starts.
    pub independent: *mut i32,
    /// Block starts.
    pub none: *mut i32,
}

/// `arb_mechanism_ppack`. `ion_states` points at [`IonState`] or [`IonState06`] by level.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct Ppack {
    pub width: u32,
    pub n_detectors: i32,
    pub vec_ci: *mut i32,
    pub dt: f64,
    pub vec_v: *mut f64,
    pub vec_i: *mut f64,
    pub vec_g: *mut f64,
    pub temperature_degc: *mut f64,
    pub diam_um: *mut f64,
    pub area_um2: *mut f64,
    pub time_since_spike: *mut f64,
    pub node_index: *mut i32,
    pub peer_index: *mut i32,
    pub multiplicity: *mut i32,
    pub weight: *mut f64,
    pub mechanism_id: u32,
    pub events: EventStream,
    pub index_constraints: ConstraintPartition,
    pub parameters: *mut *mut f64,
    pub state_vars: *mut *mut f64,
    pub globals: *mut f64,
    pub ion_states: *mut c_void,
    pub random_numbers: *const *const f64,
}

/// `arb_mechanism_method`.
pub type Method = unsafe extern "C" fn(*mut Ppack);
/// `arb_mechanism_method_events`.
pub type EventsMethod = unsafe extern "C" fn(*mut Ppack, *mut EventStream);

/// `arb_mechanism_interface`. A hook that is `None` is a defect the loader refuses.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct Interface {
    pub backend: u32,
    pub partition_width: u32,
    pub alignment: u32,
    pub init: Option<Method>,
    pub compute_currents: Option<Method>,
    pub apply_events: Option<EventsMethod>,
    pub advance_state: Option<Method>,
    pub write_ions: Option<Method>,
    pub post_event: Option<Method>,
}

/// `arb_field_info`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct FieldInfo {
    pub name: *const c_char,
    pub unit: *const c_char,
    pub default_value: f64,
    pub range_low: f64,
    pub range_high: f64,
}

/// `arb_ion_info`, level 0.7. Flags are bytes: 0 or 1, anything else is a defect of the catalogue.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct IonInfo {
    pub name: *const c_char,
    pub write_int_concentration: u8,
    pub write_ext_concentration: u8,
    pub read_int_concentration: u8,
    pub read_ext_concentration: u8,
    pub use_diff_concentration: u8,
    pub write_rev_potential: u8,
    pub read_rev_potential: u8,
    pub read_valence: u8,
    pub verify_valence: u8,
    pub expected_valence: i32,
}

/// `arb_ion_info`, level 0.6.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct IonInfo06 {
    pub name: *const c_char,
    pub write_int_concentration: u8,
    pub write_ext_concentration: u8,
    pub use_diff_concentration: u8,
    pub write_rev_potential: u8,
    pub read_rev_potential: u8,
    pub read_valence: u8,
    pub verify_valence: u8,
    pub expected_valence: i32,
}

/// `arb_random_variable_info`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct RandomVariableInfo {
    pub name: *const c_char,
    pub index: u32,
}

/// `arb_mechanism_type`, returned by value.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct MechanismType {
    pub abi_version: std::ffi::c_ulong,
    pub fingerprint: *const c_char,
    pub name: *const c_char,
    pub kind: u32,
    pub is_linear: u8,
    pub has_post_events: u8,
    pub globals: *const FieldInfo,
    pub n_globals: u32,
    pub state_vars: *const FieldInfo,
    pub n_state_vars: u32,
    pub parameters: *const FieldInfo,
    pub n_parameters: u32,
    pub ions: *const c_void,
    pub n_ions: u32,
    pub random_variables: *const RandomVariableInfo,
    pub n_random_variables: u32,
}

/// `arb_mechanism`: one entry of a catalogue.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct Mechanism {
    pub mech_type: Option<unsafe extern "C" fn() -> MechanismType>,
    pub i_cpu: Option<unsafe extern "C" fn() -> *mut Interface>,
    pub i_gpu: Option<unsafe extern "C" fn() -> *mut Interface>,
}

/// `get_catalogue`.
pub type GetCatalogue = unsafe extern "C" fn(*mut i32) -> *const Mechanism;

/// `graddiff_seed`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct Seed {
    pub slot: u32,
    pub mechanism: *const c_char,
    pub parameter: *const c_char,
    pub seed: *const c_char,
}

/// `graddiff_catalogue_info`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header documents each field once")]
pub struct CatalogueInfo {
    pub magic: [u8; 8],
    pub info_version: u32,
    pub info_size: u32,
    pub abi_level: u32,
    pub sizeof_ppack: u32,
    pub sizeof_type: u32,
    pub sizeof_interface: u32,
    pub sizeof_field_info: u32,
    pub sizeof_ion_info: u32,
    pub sizeof_ion_state: u32,
    pub n_mechanisms: u32,
    pub graddiff_version: *const c_char,
    pub integrator: *const c_char,
    pub carrier: *const c_char,
    pub slots: *const *const c_char,
    pub seeds: *const Seed,
    pub n_slots: u32,
    pub n_seeds: u32,
}
