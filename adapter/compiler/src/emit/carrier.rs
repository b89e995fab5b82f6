//! The `cable` carrier: solves the tangent's tree system for all slots inside the plugin.
//!
//! Per slot, with the matrix of the voltage solve (areas in 10³ µm², conductances in µS):
//!
//! ```text
//! (c_i + a_i g_i) u'_i + Σ_f g_f (u'_i − u'_j) = (c_i + a_i g_i) u_i − a_i Di_i + a_i Dg_i (V_n − V_{n+1})_i
//! ```
//!
//! A zero-area fork carries no instance; its row Σ_f g_f (u'_fork − u'_j) = 0 is a virtual node kept by its host, the
//! first instance below it. Instances come in the order of their CVs, so parents precede children and one sweep each way
//! solves the tree; offsets are relative, so several cells in a group need no bookkeeping.
//!
//! The matrix is factorised once a step. The sweeps are chains of dependent operations, so eight slots are solved side by
//! side, their right-hand sides interleaved (the C is in `gd_carrier.h`).

use super::{Names, Slots, Tables, carrier_ions, forgetting, tables};
use crate::ir::mechanism::{Field, Kind};

/// Per-CV parameters, in the order of the host's tree table: (name, unit).
pub const PARAMETERS: [(&str, &str); 7] = [
    ("parent_offset", ""),
    ("g_face", "uS"),
    ("via_fork", ""),
    ("fork_offset", ""),
    ("fork_g", "uS"),
    ("hosts_fork", ""),
    ("cap", "pF"),
];

/// What the solve keeps between its sweeps.
const SCRATCH: [(&str, &str); 7] = [
    ("v_prev", "mV"),
    ("g_sum", "uS"),
    ("inverse", "1/uS"),
    ("factor", ""),
    ("chained", ""),
    ("fork_inverse", "1/uS"),
    ("fork_number", ""),
];

/// Columns of room for right-hand sides: 8 slots side by side, and as much for forks, of which there are at most half as
/// many as instances.
const ROOM: usize = 12;

const KERNELS: &str = include_str!("gd_carrier.h");

/// Hooks and tables of the carrier.
pub(super) fn emit(slots: &Slots) -> String {
    let mut out = format!(
        "/* ---- {} ---- */\n#define N_SLOTS {}u\n",
        Names::CARRIER,
        slots.names.len()
    );
    out.push_str(KERNELS);
    out.push_str("#undef N_SLOTS\n\n");
    let field = |name: &str, unit: &str, default: f64| Field {
        name: name.into(),
        unit: unit.into(),
        default,
        limits: (f64::MIN, f64::MAX),
    };
    let parameters: Vec<Field> = PARAMETERS.iter().map(|(n, u)| field(n, u, 0.0)).collect();
    let mut states: Vec<Field> = SCRATCH.iter().map(|(n, u)| field(n, u, 0.0)).collect();
    states.extend((0..ROOM).map(|i| field(&format!("room_{i}"), "", 0.0)));
    states.extend(
        slots
            .names
            .iter()
            .map(|s| field(&Names::sensitivity("v", s), "mV", 0.0)),
    );
    out.push_str(&tables(&Tables {
        name: Names::CARRIER,
        kind: Kind::Density,
        linear: false,
        globals: &[forgetting()],
        states: &states,
        parameters: &parameters,
        ions: &carrier_ions(slots),
        noise: &[],
        events: false,
        post_events: false,
        writes: false,
    }));
    out
}
