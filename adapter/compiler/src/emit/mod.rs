//! Mechanisms to text: C behind Arbor's mechanism ABI, and JSON.

mod block;
pub mod build;
pub mod carrier;
pub mod catalogue;
pub mod json;
mod kernel;
mod law;
mod mechanism;
pub mod nmodl;
mod row_terms;
mod rows;
mod single;
mod slots;
mod terms;

use std::fmt::Write as _;

use crate::ir::mechanism::{Field, Kind};
use kernel::literal;

pub use law::Law;

/// Every generated name, spelled in one place. `__` is refused in sources, so none can collide.
#[derive(Debug)]
pub struct Names;

impl Names {
    /// The carrier; `0` sorts before `_`, so it runs before every augmented mechanism.
    pub const CARRIER: &str = "gd0_cable";
    /// What the name of every mechanism with sensitivities begins with.
    pub const AUGMENTED_PREFIX: &str = "gd_";
    /// The global that holds the forgetting rate λ, 1/ms.
    pub const FORGETTING: &str = "gd__forgetting";

    /// What the C symbols of a mechanism begin with.
    pub fn symbol(mechanism: &str) -> String {
        format!("mech_{mechanism}")
    }

    /// The mechanism with sensitivities.
    pub fn augmented(mechanism: &str) -> String {
        format!("{}{mechanism}", Self::AUGMENTED_PREFIX)
    }

    /// ∂variable/∂slot.
    pub fn sensitivity(variable: &str, slot: &str) -> String {
        format!("d_{}__{slot}", mechanism::identifier(variable))
    }

    /// Whether a name is that of a [`Names::sensitivity`].
    pub fn is_sensitivity(name: &str) -> bool {
        name.starts_with("d_") && name.contains("__")
    }

    /// ∂parameter/∂slot on each CV.
    pub fn seed(parameter: &str, slot: &str) -> String {
        format!("seed_{parameter}__{slot}")
    }

    /// The bound on sensitivities, of a mechanism and of the carrier.
    pub const CLIP: &str = "gd__clip";
    /// A parameter of the carrier in rows ([`Layout::Rows`]), 1 by default: 0 where nobody reads ∂V/∂slot by the name of its
    /// ion, so that it need not be put there. Density mechanisms find it in its rows.
    pub const READ: &str = "gd__read";
    /// When control begins, ms.
    pub const BEGIN: &str = "gd__begin";
    /// What is left of that time, ms.
    pub(crate) const WAIT: &str = "gd__wait";

    /// The present value of a controlled slot.
    pub fn controlled(slot: &str) -> String {
        format!("gd__theta_{slot}")
    }

    /// The present value of a parameter that controlled slots move.
    pub fn present(parameter: &str) -> String {
        format!("gd__now_{parameter}")
    }

    /// ∂e/∂θ of the step before.
    pub(crate) fn before(slot: &str) -> String {
        format!("gd__before_{slot}")
    }

    /// A controlled slot's value at the start.
    pub fn start(slot: &str) -> String {
        format!("gd__start_{slot}")
    }

    /// Its gain.
    pub fn gain(slot: &str) -> String {
        format!("gd__gain_{slot}")
    }

    /// Its scale.
    pub fn scale(slot: &str) -> String {
        format!("gd__scale_{slot}")
    }

    /// Its greatest speed, scales per ms.
    pub fn max_rate(slot: &str) -> String {
        format!("gd__max_rate_{slot}")
    }

    /// Its least value.
    pub fn least(slot: &str) -> String {
        format!("gd__min_{slot}")
    }

    /// Its greatest value.
    pub fn greatest(slot: &str) -> String {
        format!("gd__max_{slot}")
    }

    /// The ion whose internal concentration is u.
    pub fn voltage_ion(slot: &str) -> String {
        format!("gd_u__{slot}")
    }

    /// The ion that holds ∂/∂slot of everything that an ion holds.
    pub fn tangent_ion(ion: &str, slot: &str) -> String {
        format!("gd_ion_{ion}__{slot}")
    }
}

/// How sensitivities lie in a catalogue's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// In one state column each, under a name: every host runs it, every reader finds them.
    #[default]
    Columns,
    /// All slots of a CV side by side, without names: fewer cache lines, no transposing. For our own host.
    Rows,
}

/// One seed: how a slot moves a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Slot name.
    pub slot: String,
    /// Mechanism name in its source.
    pub mechanism: String,
    /// Parameter name.
    pub parameter: String,
    /// The per-CV parameter that holds ∂parameter/∂slot.
    pub field: String,
}

/// The slots of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slots {
    /// Slot names in order.
    pub names: Vec<String>,
    /// Seeds, by slot, then as given.
    pub seeds: Vec<Seed>,
    /// What brings ∂V/∂slot along the tree.
    pub carrier: carrier::Carrier,
    /// A law by which slots move by themselves.
    pub law: Option<Law>,
}

impl Slots {
    /// Whether sensitivities are clipped.
    fn clips(&self) -> bool {
        self.law.as_ref().is_some_and(|law| law.clips)
    }
}

/// A row of a mechanism's ion table.
#[derive(Default)]
struct IonRow {
    name: String,
    valence: Option<i32>,
    reads_reversal: bool,
    reads_internal: bool,
    reads_external: bool,
    reads_charge: bool,
    writes_internal: bool,
    writes_external: bool,
    writes_reversal: bool,
    diffuses: bool,
}

/// The made-up ion of each slot, in slot order.
fn carrier_ions(slots: &Slots) -> Vec<IonRow> {
    let row = |name: String| IonRow {
        name,
        reads_internal: true,
        ..IonRow::default()
    };
    slots.names.iter().map(|s| row(Names::voltage_ion(s))).collect()
}

fn forgetting() -> Field {
    Field {
        name: Names::FORGETTING.into(),
        unit: "/ms".into(),
        default: 0.0,
        limits: (0.0, f64::MAX),
    }
}

fn field_table(name: &str, fields: &[Field]) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let mut out = format!("static arb_field_info {name}[] = {{\n");
    for f in fields {
        let _ = writeln!(
            out,
            "    {{\"{}\", \"{}\", {}, {}, {}}},",
            f.name,
            f.unit.replace(['"', '\\', '\n'], ""),
            literal(f.default),
            literal(f.limits.0),
            literal(f.limits.1)
        );
    }
    out.push_str("};\n");
    out
}

fn ion_table(name: &str, ions: &[IonRow]) -> String {
    if ions.is_empty() {
        return String::new();
    }
    let mut out = format!("static arb_ion_info {name}[] = {{\n");
    for ion in ions {
        let flags = [
            ("write_int_concentration", ion.writes_internal),
            ("write_ext_concentration", ion.writes_external),
            ("use_diff_concentration", ion.diffuses),
            ("write_rev_potential", ion.writes_reversal),
            ("read_rev_potential", ion.reads_reversal),
            ("read_valence", ion.reads_charge),
            ("verify_valence", ion.valence.is_some()),
        ];
        let set: String = flags
            .iter()
            .filter(|(_, on)| *on)
            .map(|(flag, _)| format!(", .{flag} = true"))
            .collect();
        let _ = writeln!(
            out,
            "    {{.name = \"{}\", GD_READS({}, {}) .expected_valence = {}{set}}},",
            ion.name,
            ion.reads_internal,
            ion.reads_external,
            ion.valence.unwrap_or(0)
        );
    }
    out.push_str("};\n");
    out
}

/// What a mechanism tells the host about itself.
struct Tables<'a> {
    name: &'a str,
    kind: Kind,
    linear: bool,
    globals: &'a [Field],
    states: &'a [Field],
    parameters: &'a [Field],
    ions: &'a [IonRow],
    noise: &'a [String],
    events: bool,
    post_events: bool,
    writes: bool,
}

/// The tables of a mechanism and the two functions that hand them out.
fn tables(t: &Tables<'_>) -> String {
    let mut out = String::new();
    let name = Names::symbol(t.name);
    for (what, fields) in [
        ("globals", t.globals),
        ("states", t.states),
        ("parameters", t.parameters),
    ] {
        out.push_str(&field_table(&format!("{name}_{what}"), fields));
    }
    out.push_str(&ion_table(&format!("{name}_ions"), t.ions));
    if !t.noise.is_empty() {
        let _ = writeln!(out, "static arb_random_variable_info {name}_noise[] = {{");
        for (i, noise) in t.noise.iter().enumerate() {
            let _ = writeln!(out, "    {{\"{noise}\", {i}}},");
        }
        out.push_str("};\n");
    }
    let kind = match t.kind {
        Kind::Density => "density",
        Kind::Point => "point",
        Kind::ReversalPotential => "reversal_potential",
        Kind::Junction => "gap_junction",
        Kind::Voltage => "voltage",
    };
    let _ = write!(
        out,
        "\nGD_LOCAL arb_mechanism_type {name}_type(void) {{\n    arb_mechanism_type t = {{0}};\n    t.abi_version = ARB_MECH_ABI_VERSION;\n    t.fingerprint = \"graddiff-{}\";\n    t.name = \"{}\";\n    t.kind = arb_mechanism_kind_{kind};\n",
        env!("CARGO_PKG_VERSION"),
        t.name
    );
    for (flag, on) in [("is_linear", t.linear), ("has_post_events", t.post_events)] {
        if on {
            let _ = writeln!(out, "    t.{flag} = true;");
        }
    }
    for (what, field, count) in [
        ("globals", "globals", t.globals.len()),
        ("states", "state_vars", t.states.len()),
        ("parameters", "parameters", t.parameters.len()),
        ("ions", "ions", t.ions.len()),
        ("noise", "random_variables", t.noise.len()),
    ] {
        if count > 0 {
            let _ = writeln!(out, "    t.{field} = {name}_{what};\n    t.n_{field} = {count};");
        }
    }
    let hook = |own: bool, suffix: &str, nothing: &str| {
        if own {
            format!("{name}_{suffix}")
        } else {
            nothing.to_string()
        }
    };
    let _ = write!(
        out,
        "    return t;\n}}\n\nGD_LOCAL arb_mechanism_interface* {name}_interface(void) {{\n    static arb_mechanism_interface i = {{arb_backend_kind_cpu, 1, 8, {name}_init, {name}_compute_currents,\n        {}, {name}_advance_state, {}, {}}};\n    return &i;\n}}\n\n",
        hook(t.events, "apply_events", "gd_no_events"),
        hook(t.writes, "write", "gd_nothing"),
        hook(t.post_events, "post_event", "gd_nothing"),
    );
    out
}
