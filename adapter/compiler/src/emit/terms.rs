//! What a mechanism adds to the equations that the carrier solves, slot by slot.
//!
//! Per slot the carrier's right-hand side holds −a Di + a Dg (V(t) − V(t+dt)), where Di and Dg sum partials times tangents.
//! The partials are known at `compute_currents`, the voltage V(t+dt) only after the solve, and most tangents are the same at
//! both times; of the others a copy is kept. So `compute_currents` leaves the partials in columns (`gd__di_…`, `gd__dg_…`) and reports the mechanism to
//! the carrier, which merges the two partials of an input into one weight (`weigh`) and then asks for sums of weights times
//! tangents (`contribute`) where it needs them: no slot's Di or Dg ever stands in memory.

use std::fmt::Write as _;

use super::mechanism::Unit;
use super::{Layout, Names};
use crate::ir::graph::{ExprId, Leaf};
use crate::ir::mechanism::{Field, Hook, IonQuantity, Output};
use crate::pass::differentiate::Partials;

/// An input that currents depend on, and where its partials stand.
pub(super) struct Term {
    pub(super) leaf: Leaf,
    /// Column and partial of the current.
    pub(super) current: Option<(usize, ExprId)>,
    /// Column and partial of the conductance.
    pub(super) conductance: Option<(usize, ExprId)>,
}

/// Whether the tangent of a result goes to the carrier this way.
fn is_carried(output: Output) -> bool {
    matches!(output, Output::Current | Output::Conductance)
}

impl Unit<'_> {
    /// The sums of a hook that its own second loop works out.
    pub(super) fn own_sums(&self, hook: Hook) -> Vec<(Output, Partials)> {
        let own = |&&(output, _): &&(Output, Partials)| hook != Hook::Currents || !is_carried(output);
        self.sums(hook).iter().filter(own).cloned().collect()
    }

    /// The mechanism's terms in the carrier's equations, by input.
    pub(super) fn terms(&self) -> Vec<Term> {
        let carried = || {
            self.sums(Hook::Currents)
                .iter()
                .filter(|(output, _)| is_carried(*output))
        };
        let mut leaves: Vec<Leaf> = carried().flat_map(|(_, sum)| sum).map(|&(leaf, _)| leaf).collect();
        leaves.sort_unstable();
        leaves.dedup();
        let mut column = self.mechanism.states.len() + self.sensitivity_columns();
        let afresh = self.weighs_afresh();
        let partial = |of: Output, leaf: Leaf| {
            let (_, sum) = carried().find(|(output, _)| *output == of)?;
            sum.iter().find(|&&(l, _)| l == leaf).map(|&(_, expr)| expr)
        };
        let mut terms = Vec::new();
        for leaf in leaves {
            let current = partial(Output::Current, leaf).map(|expr| (column, expr));
            column += usize::from(current.is_some() && !afresh);
            let conductance = partial(Output::Conductance, leaf).map(|expr| (column, expr));
            column += usize::from(afresh || conductance.is_some());
            terms.push(Term {
                leaf,
                current,
                conductance,
            });
        }
        terms
    }

    /// Where the first loop of `compute_currents` leaves a partial: its column and name.
    pub(super) fn term_columns(&self) -> Vec<(usize, String, ExprId)> {
        let mut columns = Vec::new();
        let afresh = self.weighs_afresh();
        for term in self.terms() {
            if afresh {
                let name = format!("w_{}", self.leaf_name(term.leaf));
                columns.extend(
                    term.current
                        .or(term.conductance)
                        .map(|(column, expr)| (column, name, expr)),
                );
                continue;
            }
            for (prefix, place) in [("di", term.current), ("dg", term.conductance)] {
                let name = format!("{prefix}_{}", self.leaf_name(term.leaf));
                columns.extend(place.map(|(column, expr)| (column, name, expr)));
            }
        }
        columns
    }

    /// Inputs whose tangents change between `compute_currents` and the solve, be it by `compute_currents` itself: a copy is
    /// kept for each slot.
    pub(super) fn fleeting(&self) -> Vec<Leaf> {
        let own = self.own_sums(Hook::Currents);
        let sets = |s: usize| own.iter().any(|(output, _)| *output == Output::State(s));
        let changes = |leaf: &Leaf| match leaf {
            Leaf::State(s) => sets(*s as usize),
            Leaf::IonRead(r) => {
                let quantity = self.mechanism.ion_reads[*r as usize].quantity;
                matches!(quantity, IonQuantity::Current | IonQuantity::Diffusive)
            }
            Leaf::Voltage
            | Leaf::PeerVoltage
            | Leaf::Dt
            | Leaf::Celsius
            | Leaf::Diam
            | Leaf::Area
            | Leaf::Parameter(_)
            | Leaf::Global(_)
            | Leaf::Noise(_)
            | Leaf::EventWeight
            | Leaf::SinceSpike
            | Leaf::Placeholder(_) => false,
        };
        self.terms().iter().map(|t| t.leaf).filter(changes).collect()
    }

    /// The state column of such a copy; `slot` is C.
    fn copy_column(&self, leaf: Leaf, slot: &str) -> Option<String> {
        let fleeting = self.fleeting();
        let at = fleeting.iter().position(|&l| l == leaf)?;
        let first = self.mechanism.states.len() + self.sensitivity_columns() + self.term_columns().len();
        Some(format!("pp->state_vars[{first} + {} * {slot} + {at}]", fleeting.len()))
    }

    /// The states that hold partials, copies, and in rows the list of seeds and the step put off.
    pub(super) fn term_states(&self) -> Vec<Field> {
        let field = |name: String| Field {
            name,
            unit: String::new(),
            default: 0.0,
            limits: (f64::MIN, f64::MAX),
        };
        let mut states: Vec<Field> = (self.term_columns().into_iter())
            .map(|(_, name, _)| field(format!("gd__{name}")))
            .collect();
        states.extend(self.list_field().map(field));
        states.extend(self.late_fields().into_iter().map(field));
        if let Some((_, slots)) = self.tangent {
            for slot in &slots.names {
                for leaf in self.fleeting() {
                    states.push(field(format!("gd__old_{}__{slot}", self.leaf_name(leaf))));
                }
            }
        }
        states
    }

    /// Copies tangents that will have changed when the carrier asks for them; before anything changes them.
    pub(super) fn copies(&self) -> String {
        let mut text = String::new();
        for leaf in self.fleeting() {
            let source = match leaf {
                Leaf::IonRead(r) => {
                    let of = self.mechanism.ion_reads[r as usize];
                    let (ion, array) = (self.tangent_ion(of.ion, "k"), super::block::ion_array(of.quantity));
                    format!("{ion}.{array}[{ion}.index[begin + j]]")
                }
                Leaf::State(s) => {
                    let column = self.sensitivity_column(self.active(s as usize).unwrap_or(0), "k");
                    format!("{column}[begin + j]")
                }
                Leaf::Voltage
                | Leaf::PeerVoltage
                | Leaf::Dt
                | Leaf::Celsius
                | Leaf::Diam
                | Leaf::Area
                | Leaf::Parameter(_)
                | Leaf::Global(_)
                | Leaf::Noise(_)
                | Leaf::EventWeight
                | Leaf::SinceSpike
                | Leaf::Placeholder(_) => continue,
            };
            let Some(column) = self.copy_column(leaf, "k") else {
                continue;
            };
            let _ = write!(
                text,
                "        for (uint32_t k = 0; k < N_SLOTS; ++k) {{
            for (uint32_t j = 0; j < n; ++j) {column}[begin + j] = {source};
        }}
"
            );
        }
        text
    }

    /// The two functions that the carrier calls; none for a mechanism that has nothing to add.
    pub(super) fn contribution(&self) -> String {
        let terms = self.terms();
        if terms.is_empty() {
            return String::new();
        }
        let mut out = self.weigh(&terms);
        if self.layout == Layout::Rows {
            return out + &self.contribution_in_rows(&terms);
        }
        let symbol = Names::symbol(&self.name);
        let _ = writeln!(
            out,
            "GD_LOCAL void {symbol}_contribute(arb_mechanism_ppack* pp, const uint32_t begin, const uint32_t n, const uint32_t first,\n        const uint32_t used, double* restrict sums, const double* own, const double* us) {{
    (void)own;
    (void)us;"
        );
        let (mut pointers, mut sum) = (String::new(), None);
        for term in &terms {
            let Some(column) = term.weight() else { continue };
            if matches!(term.leaf, Leaf::Parameter(_)) || self.is_own(term) {
                continue;
            }
            let name = self.leaf_name(term.leaf);
            let _ = writeln!(
                out,
                "    const double* const w_{name} = pp->state_vars[{column}] + begin;"
            );
            pointers.push_str(&self.tangent_pointer(term.leaf));
            let mut tangent = format!("d_{name}[j]");
            if let Leaf::IonRead(r) = term.leaf {
                let scale = self.read_scale(self.mechanism.ion_reads[r as usize].quantity);
                tangent = format!("{scale}{tangent}");
            }
            sum = Some(self.plus_weighed(sum, term, &format!("w_{name}[j]"), &tangent));
        }
        if let Some(sum) = sum {
            let _ = write!(
                out,
                "    for (uint32_t l = 0; l < used; ++l) {{
        const uint32_t k = first + l;
{pointers}        double* restrict to = sums + GD_BLOCK * l;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) to[j] += {sum};
    }}
"
            );
        }
        out.push_str(&self.seed_terms(&terms));
        out.push_str("}\n\n");
        out
    }

    /// Whether a partial of a term may be infinite where its tangent is 0.
    pub(super) fn diverges(&self, term: &Term) -> bool {
        term.partials()
            .any(|e| self.diverging.get(e.index()).is_some_and(|&d| d))
    }

    /// Whether the carrier can take a term as part of what multiplies u in its row.
    pub(super) fn is_own(&self, term: &Term) -> bool {
        term.leaf == Leaf::Voltage && !self.diverges(term)
    }

    /// `sum` plus a term's weight times a tangent.
    pub(super) fn plus_weighed(&self, sum: Option<String>, term: &Term, weight: &str, tangent: &str) -> String {
        let diverges = self.diverges(term);
        match sum {
            None if diverges => format!("gd_moved({weight}, {tangent})"),
            None => format!("{weight} * {tangent}"),
            Some(sum) if diverges => format!("{sum} + gd_moved({weight}, {tangent})"),
            Some(sum) => format!("gd_fma({weight}, {tangent}, {sum})"),
        }
    }

    /// A pointer to the tangents of an input, in the loop over slots.
    fn tangent_pointer(&self, leaf: Leaf) -> String {
        let name = self.leaf_name(leaf);
        if let Some(column) = self.copy_column(leaf, "k") {
            return format!("        const double* const d_{name} = {column} + begin;\n");
        }
        match leaf {
            Leaf::State(s) => {
                let column = self.sensitivity_column(self.active(s as usize).unwrap_or(0), "k");
                format!("        const double* const d_{name} = {column} + begin;\n")
            }
            Leaf::IonRead(r) => {
                let of = self.mechanism.ion_reads[r as usize];
                let (ion, gather) = (self.tangent_ion(of.ion, "k"), self.gather());
                let array = super::block::ion_array(of.quantity);
                format!(
                    "        double d_{name}__buffer[GD_BLOCK];\n        const double* const d_{name} = {gather}({ion}.{array}, {ion}.index + begin, n, d_{name}__buffer);\n"
                )
            }
            Leaf::PeerVoltage => {
                let ion = self.carrier_ion("k");
                format!(
                    "        double d_{name}[GD_BLOCK];\n        for (uint32_t j = 0; j < n; ++j) {{\n            const int32_t at = gd_position(pp, pp->node_index[begin + j], {ion}.index[begin + j], pp->peer_index[begin + j]);\n            d_{name}[j] = {ion}.internal_concentration[at];\n        }}\n"
                )
            }
            Leaf::Voltage => {
                let (ion, gather) = (self.carrier_ion("k"), self.gather());
                format!(
                    "        double d_{name}__buffer[GD_BLOCK];\n        const double* const d_{name} = {gather}({ion}.internal_concentration, {ion}.index + begin, n, d_{name}__buffer);\n"
                )
            }
            Leaf::Dt
            | Leaf::Celsius
            | Leaf::Diam
            | Leaf::Area
            | Leaf::Parameter(_)
            | Leaf::Global(_)
            | Leaf::Noise(_)
            | Leaf::EventWeight
            | Leaf::SinceSpike
            | Leaf::Placeholder(_) => format!("        no_tangent_of_{name};\n"),
        }
    }

    /// Merges the partials: a term's weight is −a di + a dg (V(t) − V(t+dt)); that of u goes to the carrier's own
    /// unless it may be infinite.
    fn weigh(&self, terms: &[Term]) -> String {
        if self.weighs_afresh() {
            return self.weigh_afresh(terms);
        }
        let (gather, open) = if self.repeats() {
            ("gd_gather_each", "gd_open_each")
        } else {
            ("gd_gather", "gd_open")
        };
        let (mut pointers, mut lines, mut after) = (String::new(), String::new(), "");
        for term in terms {
            let name = self.leaf_name(term.leaf);
            let read = |place: Option<(usize, ExprId)>, prefix: &str, pointers: &mut String| {
                let (column, _) = place?;
                let restrict = "double* restrict";
                let _ = writeln!(
                    pointers,
                    "        {restrict} {prefix}_{name} = pp->state_vars[{column}] + begin;"
                );
                Some(format!("{prefix}_{name}[j]"))
            };
            let current = read(term.current, "di", &mut pointers);
            let conductance = read(term.conductance, "dg", &mut pointers);
            let Some(weight) = weight(current.as_ref(), conductance.as_ref()) else {
                continue;
            };
            if self.is_own(term) {
                let _ = writeln!(pointers, "        double own__here[GD_BLOCK];");
                let _ = writeln!(
                    pointers,
                    "        double* restrict own = {open}(rows->own, at, n, own__here);"
                );
                let _ = writeln!(lines, "            own[j] += {weight};");
                after = "        gd_close(rows->own, at, n, own__here, own);\n";
            } else if let Some(target) = current.or(conductance) {
                let _ = writeln!(lines, "            {target} = {weight};");
            }
        }
        format!(
            "GD_LOCAL void {}_weigh(arb_mechanism_ppack* pp, const gd_rows* rows) {{
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {{
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        const int32_t* at = {}.index + begin;
        double shared_area__here[GD_BLOCK], shared_fallen__here[GD_BLOCK];
        const double* shared_area = {gather}(rows->area, at, n, shared_area__here);
        const double* shared_fallen = {gather}(rows->fallen, at, n, shared_fallen__here);
{pointers}        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {{
{lines}        }}
{after}    }}
}}

",
            Names::symbol(&self.name),
            self.carrier_ion("0"),
        )
    }

    /// For each parameter that slots move, a loop over these slots.
    fn seed_terms(&self, terms: &[Term]) -> String {
        let (all, mut text) = (self.moved_parameters(), String::new());
        for term in terms {
            let (Leaf::Parameter(parameter), Some(weight)) = (term.leaf, term.weight()) else {
                continue;
            };
            let Some((_, moved, count)) = all.iter().find(|(p, ..)| *p == parameter as usize) else {
                continue;
            };
            let name = &self.leaf_name(term.leaf);
            let sum = self.plus_weighed(None, term, "w[j]", "seed[j]");
            let _ = write!(
                text,
                "    static const uint32_t moved_{name}[][2] = {{{moved}}};
    for (uint32_t m = 0; m < {count}; ++m) {{
        const uint32_t l = moved_{name}[m][0] - first;
        if (l >= used) continue; /* slots before the first wrap around */
        const double *seed = pp->parameters[moved_{name}[m][1]] + begin, *w = pp->state_vars[{weight}] + begin;
        if (!gd_any(seed, n)) continue; /* most slots move a parameter in a part of the cell only */
        double* restrict to = sums + GD_BLOCK * l;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) to[j] += {sum};
    }}
"
            );
        }
        text
    }
}

/// What a tangent is multiplied by on its way into the right-hand side, given both partials.
pub(super) fn weight(current: Option<&String>, conductance: Option<&String>) -> Option<String> {
    match (current, conductance) {
        (Some(di), Some(dg)) => Some(format!("shared_fallen[j] * {dg} - shared_area[j] * {di}")),
        (Some(di), None) => Some(format!("-shared_area[j] * {di}")),
        (None, Some(dg)) => Some(format!("shared_fallen[j] * {dg}")),
        (None, None) => None,
    }
}

impl Term {
    /// The column that holds the weight after `weigh`.
    pub(super) fn weight(&self) -> Option<usize> {
        self.current.or(self.conductance).map(|(column, _)| column)
    }

    /// The partials behind the weight.
    fn partials(&self) -> impl Iterator<Item = ExprId> {
        self.current.into_iter().chain(self.conductance).map(|(_, expr)| expr)
    }
}
