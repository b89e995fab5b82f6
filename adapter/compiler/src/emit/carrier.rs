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
//! The matrix is factorised once a step. The sweeps are chains of dependent operations, so twelve slots are solved side by
//! side, their right-hand sides interleaved (the C is in `gd_tree.h` and its neighbours).

use std::fmt::Write as _;

use super::law::clip_parameter;
use super::{Layout, Names, Slots, Tables, carrier_ions, forgetting, rows, tables};
use crate::ir::mechanism::{Field, Kind};

/// What brings u = ∂V/∂θ along the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// The voltage's own matrix: exact on every tree.
    #[default]
    Cable,
    /// The published carrier, ion diffusion by the rule of Arbor 0.9: exact on a uniform unbranched cable only. Kept to
    /// reproduce the paper and to show its error.
    Diffusion,
}

impl Carrier {
    /// Its name in a catalogue's self-description.
    pub fn as_str(self) -> &'static str {
        match self {
            Carrier::Cable => "cable",
            Carrier::Diffusion => "diffusion",
        }
    }
}

/// A further parameter of the diffusion carrier, after the others: 1/capacitance of the CV (name, unit).
pub const PER_CAP: (&str, &str) = ("per_cap", "/pF");

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
const SCRATCH: [(&str, &str); 10] = [
    ("v_prev", "mV"),
    ("g_sum", "uS"),
    ("inverse", "1/uS"),
    ("factor", ""),
    ("chained", ""),
    ("fork_inverse", "1/uS"),
    ("fork_number", ""),
    ("own", "uS"),
    ("area", "1e3 um2"),
    ("fallen", "1e3 um2 mV"),
];

/// Columns of room for right-hand sides: 12 slots side by side, and as much for forks, of which there are at most half as
/// many as instances.
const ROOM: usize = 18;

/// The part of it for forks.
const FORK_ROOM: usize = 6;

/// What mechanisms need to report to the carrier; precedes them.
const REPORTS: &str = r"/* Who computed currents in this step, by its place among the contributors; several of one kind if their globals differ.
 * `next`: the first instance that a pass over the CVs is not done with. */
typedef struct gd_report { arb_mechanism_ppack* pp; uint32_t by, next; } gd_report;
/* A host's thread works on one group of cells at a time. The carrier, whose compute_currents comes first, empties it. */
typedef struct gd_told { gd_report* list; uint32_t count, room; int lost; } gd_told;
GD_COMMON _Thread_local gd_told gd_reports;

static void gd_tell(uint32_t by, arb_mechanism_ppack* pp) {
    if (gd_reports.count == gd_reports.room) {
        const uint32_t room = 2 * gd_reports.room + 8;
        gd_report* list = realloc(gd_reports.list, room * sizeof *list);
        gd_reports.lost |= !list;
        if (!list) return;
        gd_reports.list = list;
        gd_reports.room = room;
    }
    const gd_report report = {pp, by, 0};
    gd_reports.list[gd_reports.count++] = report;
}

/* Common to the right-hand sides of all slots, by CV: rhs = own u - area Di + fallen Dg; and who contributes to them. */
typedef struct gd_rows { double *own, *area, *fallen, *v_prev; gd_report* reports; uint32_t count; } gd_rows;

/* Slots are solved GD_LANES at a time, side by side: the sweeps along the tree are chains of dependent operations, and
 * this many of them run in the time of one. */
enum { GD_LANES = 12 };

";

const CONTRIBUTOR: &str = r"/* What the carrier asks of a mechanism: to merge its partials, and to add its terms for `used` slots from `first` on, in
 * the n instances from `begin` on: in columns to sums, of which each slot has GD_BLOCK; in rows to these, which are
 * multiplied by `own` first, if there is one; then follow the rows of u as they stood before. `ordered`: one instance on
 * each CV at most, in their order; u: where the slots' ions begin. */
typedef struct gd_contributor {
    void (*weigh)(arb_mechanism_ppack*, const gd_rows*);
    void (*contribute)(arb_mechanism_ppack*, uint32_t, uint32_t, uint32_t, uint32_t, double*, const double*,
                       const double*);
    bool ordered;
    uint32_t u;
} gd_contributor;
";

/// What precedes the mechanisms.
pub(super) fn reports(slots: usize, layout: Layout) -> String {
    REPORTS.to_string() + include_str!("gd_row.h") + "\n" + &rows::shared(slots, layout)
}

const TREE: &str = include_str!("gd_tree.h");
const COLUMNS: &str = include_str!("gd_columns.h");
const ROWS: &str = include_str!("gd_rows.h");
const KERNELS: &str = include_str!("gd_carrier.h");

/// A mechanism that the carrier asks for terms.
pub(super) struct Contributor {
    pub(super) symbol: String,
    /// Whether its instances come in the order of their CVs, one on each.
    pub(super) ordered: bool,
    /// Number of its own ions; those of the carrier follow.
    pub(super) ions: usize,
}

/// What the carrier asks mechanisms with, which may be compiled apart.
pub(super) fn declarations(contributors: &[Contributor]) -> String {
    let mut out = String::new();
    for Contributor { symbol, .. } in contributors {
        let _ = writeln!(
            out,
            "GD_LOCAL void {symbol}_weigh(arb_mechanism_ppack*, const gd_rows*);
GD_LOCAL void {symbol}_contribute(arb_mechanism_ppack*, uint32_t, uint32_t, uint32_t, uint32_t, double*, const double*,
    const double*);"
        );
    }
    out
}

/// Hooks and tables of the carrier; follows the mechanisms.
pub(super) fn emit(slots: &Slots, contributors: &[Contributor], layout: Layout) -> String {
    let diffuses = match slots.carrier {
        Carrier::Cable => false,
        Carrier::Diffusion => true,
    };
    let mut out = format!(
        "/* ---- {} ---- */\n#define N_SLOTS {}u\n{}",
        Names::CARRIER,
        slots.names.len(),
        if diffuses { "#define GD_DIFFUSES 1\n" } else { "" }
    );
    if slots.clips() {
        let _ = writeln!(out, "#define GD_CLIP {}", PARAMETERS.len() + usize::from(diffuses));
    }
    if layout == Layout::Rows {
        let before = PARAMETERS.len() + usize::from(diffuses) + usize::from(slots.clips());
        let _ = writeln!(out, "#define GD_READ {before}");
    }
    out.push_str(CONTRIBUTOR);
    out.push_str("static const gd_contributor gd_contributors[] = {\n");
    for Contributor { symbol, ordered, ions } in contributors {
        let _ = writeln!(out, "    {{{symbol}_weigh, {symbol}_contribute, {ordered}, {ions}}},");
    }
    out.push_str("    {0}\n};\n\n");
    let solver = match layout {
        Layout::Columns => COLUMNS,
        Layout::Rows => ROWS,
    };
    for part in [TREE, solver] {
        out.push_str(part);
        out.push('\n');
    }
    out.push_str(KERNELS);
    out.push_str("#undef N_SLOTS\n\n");
    let field = |name: &str, unit: &str, default: f64| Field {
        name: name.into(),
        unit: unit.into(),
        default,
        limits: (f64::MIN, f64::MAX),
    };
    let further = diffuses.then_some(&PER_CAP);
    let mut parameters: Vec<Field> = PARAMETERS
        .iter()
        .chain(further)
        .map(|(n, u)| field(n, u, 0.0))
        .collect();
    parameters.extend(slots.clips().then(clip_parameter));
    parameters.extend((layout == Layout::Rows).then(|| field(Names::READ, "", 1.0)));
    let mut states: Vec<Field> = SCRATCH.iter().map(|(n, u)| field(n, u, 0.0)).collect();
    let room = match layout {
        Layout::Columns => ROOM,
        Layout::Rows => FORK_ROOM,
    };
    states.extend((0..room).map(|i| field(&format!("room_{i}"), "", 0.0)));
    if layout == Layout::Rows {
        states.extend((0..rows::lanes(slots.names.len())).map(|k| field(&format!("gd__rows_{k}"), "", 0.0)));
        states.push(field("gd__shown", "", 0.0));
    }
    if diffuses {
        states.extend((0..slots.names.len()).map(|k| field(&format!("fork_u_{k}"), "", 0.0)));
    }
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
