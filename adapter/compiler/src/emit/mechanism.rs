//! One mechanism in C: its hooks and its tables.
//!
//! Instances are worked through in blocks of `GD_BLOCK` ([`super::block`]). In each block a first loop evaluates the
//! mechanism and the partials of its tangent; a second loop ([`super::slots`]) runs over the slots and applies the
//! partials to that slot's sensitivities; what goes into the carrier's equations it asks for itself ([`super::terms`]).
//! Events and spikes come one by one ([`super::single`]). The text does not grow
//! with the number of slots, except for the tables and the list of seeds.

use std::fmt::Write as _;

use super::{IonRow, Layout, Names, Seed, Slots, rows};
use crate::ir::graph::{ExprId, Leaf};
use crate::ir::mechanism::{Field, Hook, IonQuantity, Kind, Mechanism, Output, Storage};
use crate::pass::differentiate::{Partials, Tangent};

/// What is emitted under one name: the mechanism alone, or with its sensitivities.
pub(super) struct Unit<'a> {
    /// Name in the catalogue.
    pub(super) name: String,
    pub(super) mechanism: &'a Mechanism,
    pub(super) tangent: Option<(&'a Tangent, &'a Slots)>,
    /// By node: whether a partial may be infinite.
    pub(super) diverging: Vec<bool>,
    /// Its place among the mechanisms that report to the carrier.
    pub(super) contributor: usize,
    /// How its sensitivities lie in memory.
    pub(super) layout: Layout,
}

/// The C identifier of a name: elements of arrays are spelt `ca__3`.
pub(super) fn identifier(name: &str) -> String {
    name.replace('[', "__").replace(']', "")
}

impl<'a> Unit<'a> {
    /// A mechanism with its sensitivities.
    pub(super) fn augmented(tangent: &'a Tangent, slots: &'a Slots, contributor: usize, layout: Layout) -> Self {
        Self {
            name: Names::augmented(&tangent.mechanism.name),
            mechanism: &tangent.mechanism,
            tangent: Some((tangent, slots)),
            diverging: tangent.mechanism.graph.diverging(),
            contributor,
            layout,
        }
    }

    /// A partial times what it belongs to.
    pub(super) fn term(&self, partial: ExprId, text: &str, factor: &str) -> String {
        if self.diverging.get(partial.index()).is_some_and(|&d| d) {
            format!("gd_moved({text}, {factor})")
        } else {
            product(text, factor)
        }
    }

    /// `sum` plus a partial times what it belongs to.
    pub(super) fn plus_term(&self, sum: Option<String>, partial: ExprId, text: &str, factor: &str) -> String {
        let fused = !self.diverging.get(partial.index()).is_some_and(|&d| d) && text != super::kernel::literal(1.0);
        match sum {
            None => self.term(partial, text, factor),
            Some(sum) if fused => format!("gd_fma({text}, {factor}, {sum})"),
            Some(sum) => format!("{sum} + {}", self.term(partial, text, factor)),
        }
    }

    pub(super) fn seeds(&self) -> Vec<&Seed> {
        match self.tangent {
            Some((_, slots)) => slots
                .seeds
                .iter()
                .filter(|s| s.mechanism == self.mechanism.name)
                .collect(),
            None => Vec::new(),
        }
    }

    pub(super) fn n_slots(&self) -> usize {
        self.tangent.map_or(0, |(_, slots)| slots.names.len())
    }

    /// The mechanism's parameter table: its own, then the seeds, then the numbers of a control law.
    pub(super) fn parameters(&self) -> Vec<Field> {
        let seeds = self.seeds().into_iter().map(|s| Field {
            name: s.field.clone(),
            unit: String::new(),
            default: 0.0,
            limits: (f64::MIN, f64::MAX),
        });
        let own = self.mechanism.parameters.iter().cloned();
        own.chain(seeds).chain(self.law_parameters()).collect()
    }

    /// The mechanism's globals: its own, then the forgetting rate.
    pub(super) fn globals(&self) -> Vec<Field> {
        let mut globals = self.mechanism.globals.clone();
        if self.tangent.is_some() {
            globals.push(super::forgetting());
        }
        globals
    }

    /// The state table: stored variables, then per slot the sensitivities of the active ones, then what the
    /// carrier and a control law keep here.
    pub(super) fn states(&self) -> Vec<Field> {
        let field = |name: String, unit: &str| Field {
            name,
            unit: unit.into(),
            default: 0.0,
            limits: (f64::MIN, f64::MAX),
        };
        let mut states: Vec<Field> = self
            .mechanism
            .states
            .iter()
            .map(|s| field(s.name.clone(), &s.unit))
            .collect();
        match (self.tangent, self.layout) {
            (Some((tangent, slots)), Layout::Columns) => {
                for slot in &slots.names {
                    for &i in &tangent.active {
                        states.push(field(Names::sensitivity(&self.mechanism.states[i].name, slot), ""));
                    }
                }
            }
            (Some(_), Layout::Rows) => {
                states.extend((0..self.sensitivity_columns()).map(|k| field(format!("gd__rows_{k}"), "")));
            }
            (None, _) => {}
        }
        states.extend(self.term_states());
        states.extend(self.law_states());
        states
    }

    /// C's name of an input.
    pub(super) fn leaf_name(&self, leaf: Leaf) -> String {
        let name = identifier(&crate::ir::print::leaf_name(self.mechanism, leaf));
        match leaf {
            Leaf::Voltage | Leaf::PeerVoltage | Leaf::Dt | Leaf::Celsius | Leaf::Diam | Leaf::Area => name,
            Leaf::EventWeight | Leaf::SinceSpike => name,
            Leaf::Parameter(_) => format!("p_{name}"),
            Leaf::Global(_) => format!("g_{name}"),
            Leaf::State(_) => format!("s_{name}"),
            Leaf::IonRead(_) => format!("e_{name}"),
            Leaf::Noise(_) => format!("n_{name}"),
            Leaf::Placeholder(i) => format!("placeholder_{i}"),
        }
    }

    /// C's name of a stored variable.
    pub(super) fn state_name(&self, state: usize) -> String {
        identifier(&self.mechanism.states[state].name)
    }

    /// Definitions, before the loops, of what does not depend on the instance.
    pub(super) fn scalars(&self, leaves: &[Leaf]) -> String {
        let mut text = String::new();
        for &leaf in leaves {
            match leaf {
                Leaf::Dt => text.push_str("    const double dt = pp->dt;\n"),
                Leaf::Global(i) => {
                    let _ = writeln!(text, "    const double {} = pp->globals[{i}];", self.leaf_name(leaf));
                }
                Leaf::Voltage
                | Leaf::PeerVoltage
                | Leaf::Celsius
                | Leaf::Diam
                | Leaf::Area
                | Leaf::Parameter(_)
                | Leaf::State(_)
                | Leaf::IonRead(_)
                | Leaf::Noise(_)
                | Leaf::EventWeight
                | Leaf::SinceSpike
                | Leaf::Placeholder(_) => {}
            }
        }
        text
    }

    /// The tangent of one hook.
    pub(super) fn sums(&self, hook: Hook) -> &[(Output, Partials)] {
        match self.tangent {
            Some((tangent, _)) => tangent.kernel(hook),
            None => &[],
        }
    }

    /// How many stored variables carry sensitivities.
    pub(super) fn active_count(&self) -> usize {
        self.tangent.map_or(0, |(t, _)| t.active.len())
    }

    /// Position of a state among those that carry sensitivities.
    pub(super) fn active(&self, state: usize) -> Option<usize> {
        self.tangent
            .and_then(|(t, _)| t.active.iter().position(|&a| a == state))
    }

    /// How many state columns hold sensitivities.
    pub(super) fn sensitivity_columns(&self) -> usize {
        match self.layout {
            Layout::Columns => self.n_slots() * self.active_count(),
            Layout::Rows => rows::lanes(self.n_slots()) * self.active_count(),
        }
    }

    /// The state column that holds the sensitivity of an active state; `slot` is C.
    pub(super) fn sensitivity_column(&self, active: usize, slot: &str) -> String {
        let (n_own, n_active) = (self.mechanism.states.len(), self.active_count());
        format!("pp->state_vars[{n_own} + {n_active} * {slot} + {active}]")
    }

    /// Whether the mechanism reads u or contributes to its equation. One that does not (a pool, a reversal potential) may
    /// stand where the carrier's ions do not exist, such as on forks without membrane.
    fn is_carried(&self) -> bool {
        let touches = |&(output, ref partials): &(Output, Partials)| {
            matches!(output, Output::Current | Output::Conductance | Output::Voltage)
                || partials
                    .iter()
                    .any(|(l, _)| matches!(l, Leaf::Voltage | Leaf::PeerVoltage))
        };
        Hook::ALL.into_iter().flat_map(|hook| self.sums(hook)).any(touches)
    }

    /// The ion that carries u of a slot; `slot` is C.
    pub(super) fn carrier_ion(&self, slot: &str) -> String {
        format!("pp->ion_states[{} + {slot}]", self.mechanism.ions.len())
    }

    /// The tangent ion of an ion for a slot; `slot` is C.
    pub(super) fn tangent_ion(&self, ion: usize, slot: &str) -> String {
        let ions = self.tangent.map_or(&[][..], |(t, _)| &t.ions);
        let carriers = if self.is_carried() { self.n_slots() } else { 0 };
        let first = self.mechanism.ions.len() + carriers;
        match ions.iter().position(|&i| i == ion) {
            Some(at) => format!("pp->ion_states[{} + {} * {slot}]", first + at, ions.len()),
            // a slip of ours must not become another ion's memory: this does not compile
            None => format!("no_tangent_of_ion_{ion}"),
        }
    }

    /// True if several instances may share a CV, or instances are not in the order of their CVs.
    pub(super) fn repeats(&self) -> bool {
        matches!(self.mechanism.kind, Kind::Point | Kind::Junction)
    }

    /// From the source's unit of currents to the host's A/m² per weight: mA/cm² of densities.
    pub(super) fn current_scale(&self) -> &'static str {
        if self.repeats() { "" } else { "10.0 * " }
    }

    /// From the host's unit of ion currents to the source's.
    pub(super) fn read_scale(&self, quantity: IonQuantity) -> &'static str {
        if quantity == IonQuantity::Current && !self.repeats() {
            "0.1 * "
        } else {
            ""
        }
    }

    /// Hooks and tables; `advance_state`, which takes longest to compile, is a part of its own.
    pub(super) fn emit(&self) -> [String; 2] {
        let n_slots = self.n_slots();
        let (mut head, mut foot) = (format!("/* ---- {} ---- */\n", self.name), "");
        if n_slots > 0 {
            let _ = writeln!(head, "#define N_SLOTS {n_slots}u\n");
            foot = "#undef N_SLOTS\n\n";
        }
        let advance = format!("{head}{}{foot}", self.block_hook(Hook::Advance));
        let (m, mut out) = (self.mechanism, head);
        out.extend(self.seed_list().map(|(table, _)| table));
        for hook in [Hook::Init, Hook::Currents] {
            out.push_str(&self.block_hook(hook));
        }
        out.push_str(&self.contribution());
        for hook in [Hook::NetReceive, Hook::PostEvent] {
            if !m.kernel(hook).outputs.is_empty() {
                out.push_str(&self.single_hook(hook));
            }
        }
        if !m.concentrations.is_empty() {
            out.push_str(&self.write_ions());
        }
        out.push_str(foot);
        out.push_str(&super::tables(&super::Tables {
            name: &self.name,
            kind: m.kind,
            linear: m.linear,
            globals: &self.globals(),
            states: &self.states(),
            parameters: &self.parameters(),
            ions: &self.ions(),
            noise: &m.noise,
            events: !m.net_receive.outputs.is_empty(),
            post_events: !m.post_event.outputs.is_empty(),
            writes: !m.concentrations.is_empty(),
        }));
        [advance, out]
    }

    /// Contributions to concentrations: the covered part's share of the CV's average.
    fn write_ions(&self) -> String {
        let mut out = format!(
            "static void {}_write(arb_mechanism_ppack* pp) {{\n    for (uint32_t i = 0; i < pp->width; ++i) {{\n        const double w = pp->weight[i];\n",
            Names::symbol(&self.name)
        );
        let array = |quantity| match quantity {
            IonQuantity::External => "external_concentration",
            IonQuantity::Internal
            | IonQuantity::Diffusive
            | IonQuantity::ReversalPotential
            | IonQuantity::Current
            | IonQuantity::Charge => "internal_concentration",
        };
        for c in &self.mechanism.concentrations {
            let (ion, array) = (c.ion, array(c.quantity));
            let _ = writeln!(
                out,
                "        pp->ion_states[{ion}].{array}[pp->ion_states[{ion}].index[i]] += w * pp->state_vars[{}][i];",
                c.state
            );
        }
        let carried: Vec<(usize, &str, usize)> = self
            .mechanism
            .concentrations
            .iter()
            // where nobody reads the concentration there is no tangent ion to tell
            .filter(|c| self.tangent.is_some_and(|(t, _)| t.ions.contains(&c.ion)))
            .filter_map(|c| Some((c.ion, array(c.quantity), self.active(c.state)?)))
            .collect();
        if !carried.is_empty() {
            out.push_str("        for (uint32_t k = 0; k < N_SLOTS; ++k) {\n");
            for (ion, array, active) in carried {
                let (ion, column) = (self.tangent_ion(ion, "k"), self.sensitivity_column(active, "k"));
                let _ = writeln!(out, "            {ion}.{array}[{ion}.index[i]] += w * {column}[i];");
            }
            out.push_str("        }\n");
        }
        out.push_str("    }\n}\n\n");
        out
    }

    /// Instances that were merged count as many: their states superpose, and so do the sensitivities.
    pub(super) fn multiplicity(&self) -> String {
        let m = self.mechanism;
        let mut columns: Vec<String> = Vec::new();
        let mut carried: Vec<String> = Vec::new();
        for (s, _) in m.init.states().filter(|&(s, _)| m.states[s].storage == Storage::State) {
            columns.push(format!("pp->state_vars[{s}]"));
            carried.extend(self.active(s).map(|a| self.sensitivity_column(a, "k")));
        }
        if !m.linear || columns.is_empty() || self.layout == Layout::Rows {
            return String::new();
        }
        let mut out = String::from(
            "    for (uint32_t i = 0; pp->multiplicity && i < pp->width; ++i) {\n        const double m = pp->multiplicity[i];\n",
        );
        for column in columns {
            let _ = writeln!(out, "        {column}[i] *= m;");
        }
        for column in carried {
            let _ = writeln!(out, "        for (uint32_t k = 0; k < N_SLOTS; ++k) {column}[i] *= m;");
        }
        out.push_str("    }\n");
        out
    }

    fn ions(&self) -> Vec<IonRow> {
        let m = self.mechanism;
        let row = |i: usize, name: String| {
            let reads = |quantity| m.ion_reads.iter().any(|r| r.ion == i && r.quantity == quantity);
            let contributes = |quantity| m.concentrations.iter().any(|c| c.ion == i && c.quantity == quantity);
            let yields = |output| Hook::ALL.into_iter().any(|h| m.kernel(h).get(output).is_some());
            IonRow {
                name,
                valence: None,
                reads_reversal: reads(IonQuantity::ReversalPotential),
                reads_internal: reads(IonQuantity::Internal),
                reads_external: reads(IonQuantity::External),
                reads_charge: reads(IonQuantity::Charge),
                writes_internal: contributes(IonQuantity::Internal),
                writes_external: contributes(IonQuantity::External),
                writes_reversal: yields(Output::Reversal(i)),
                diffuses: reads(IonQuantity::Diffusive) || yields(Output::Diffusive(i)),
            }
        };
        let mut rows: Vec<IonRow> = m
            .ions
            .iter()
            .enumerate()
            .map(|(i, ion)| IonRow {
                valence: ion.valence,
                ..row(i, ion.name.clone())
            })
            .collect();
        if let Some((tangent, slots)) = self.tangent {
            if self.is_carried() {
                rows.extend(super::carrier_ions(slots));
            }
            for slot in &slots.names {
                for &i in &tangent.ions {
                    rows.push(IonRow {
                        reads_charge: false,
                        ..row(i, Names::tangent_ion(&m.ions[i].name, slot))
                    });
                }
            }
        }
        rows
    }
}

/// `partial * factor`, without a factor of one.
fn product(partial: &str, factor: &str) -> String {
    if partial == super::kernel::literal(1.0) {
        factor.to_string()
    } else if partial.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c)) {
        format!("{partial} * {factor}")
    } else {
        format!("({partial}) * {factor}")
    }
}
