//! Sensitivities in rows: the slots of an instance side by side ([`Layout::Rows`]).
//!
//! The memory of a mechanism's sensitivities, and that of u, is cut into chunks of [`LANES`] slots, the last one of a
//! multiple of four. In a chunk each instance has a row; in a row each active state has its slots side by side. Every
//! number is worked out as in columns, in the same order, so both layouts give the same bits.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::block::{PartialText, hook_name};
use super::kernel;
use super::mechanism::Unit;
use super::terms::Term;
use super::{Layout, Names};
use crate::ir::graph::{Binary, ExprId, Leaf, Node, Unary};
use crate::ir::mechanism::{Hook, IonQuantity, Kind, Output};
use crate::pass::differentiate::Partials;

/// Slots of a full chunk: `GD_LANES`.
const LANES: usize = 12;

/// Slots with those that fill up the last chunk.
pub(super) fn lanes(slots: usize) -> usize {
    slots.next_multiple_of(4)
}

/// What mechanisms and carrier know of each other's rows; precedes them.
pub(super) fn shared(slots: usize, layout: Layout) -> String {
    match layout {
        Layout::Columns => String::new(),
        Layout::Rows => format!(
            "#define GD_IN_ROWS 1\n#define GD_ROW_COLUMNS {}\n{}\n",
            lanes(slots),
            include_str!("gd_moved.h")
        ),
    }
}

/// Arithmetic on single numbers as that on four.
pub(super) fn by_quads(text: &str) -> String {
    text.replace("gd_fma(", "gd_row_fma(")
        .replace("gd_moved(", "gd_row_moved(")
}

/// What a hook does to a row, quad by quad: what is read for a row and for a quad, what becomes of it, and of which states.
pub(super) struct RowStep {
    pub(super) pointers: String,
    pub(super) loads: String,
    pub(super) lines: String,
    pub(super) sets: Vec<usize>,
    reads_u: bool,
}

impl Unit<'_> {
    /// Whether a catalogue with this mechanism can be in rows.
    pub(super) fn fits_rows(&self) -> bool {
        let own = |hook: Hook| {
            self.own_sums(hook).iter().all(|(output, sum)| {
                matches!(output, Output::State(_))
                    && sum
                        .iter()
                        .all(|(leaf, _)| matches!(leaf, Leaf::Voltage | Leaf::State(_) | Leaf::Parameter(_)))
            })
        };
        match self.mechanism.kind {
            Kind::Density => {
                self.tangent.is_none_or(|(t, _)| t.ions.is_empty())
                    && self.fleeting().is_empty()
                    // where u stands, the right-hand side is added up
                    && self.terms().iter().all(|t| t.leaf != Leaf::Voltage || self.is_own(t))
                    && [Hook::Init, Hook::Advance].into_iter().all(own)
                    && [Hook::Currents, Hook::NetReceive, Hook::PostEvent]
                        .into_iter()
                        .all(|hook| self.own_sums(hook).is_empty())
            }
            Kind::Point | Kind::Junction | Kind::ReversalPotential => true,
            // it sets u
            Kind::Voltage => false,
        }
    }

    /// Whether the terms' weights are worked out when the carrier asks for them, from what `compute_currents` saw: what is
    /// kept from there to here costs more than a few products do. What has exponentials is kept.
    pub(super) fn weighs_afresh(&self) -> bool {
        let m = self.mechanism;
        let sums = self.sums(Hook::Currents);
        let roots: Vec<ExprId> = sums.iter().flat_map(|(_, sum)| sum).map(|&(_, e)| e).collect();
        let plain = |&id: &ExprId| match m.graph.node(id) {
            Node::Unary(op, _) => matches!(op, Unary::Neg | Unary::Not | Unary::Abs),
            Node::Binary(op, ..) => op != Binary::Pow,
            Node::Leaf(Leaf::Celsius) => false,
            // others have added to the current since
            Node::Leaf(Leaf::IonRead(r)) => !matches!(
                m.ion_reads[r as usize].quantity,
                IonQuantity::Current | IonQuantity::Diffusive
            ),
            Node::Leaf(_) | Node::Const(_) | Node::Select(..) => true,
        };
        let sets = m.currents.states().next().is_some();
        self.layout == Layout::Rows && !sets && m.graph.reachable(&roots).iter().all(plain)
    }

    /// The terms that `compute_currents` stores.
    pub(super) fn stored_terms(&self, hook: Hook) -> Vec<(usize, String, ExprId)> {
        if hook == Hook::Currents && !self.weighs_afresh() {
            self.term_columns()
        } else {
            Vec::new()
        }
    }

    /// As `weigh`, from the partials themselves.
    pub(super) fn weigh_afresh(&self, terms: &[Term]) -> String {
        let m = self.mechanism;
        let results: Vec<ExprId> = m.currents.outputs.iter().map(|&(_, e)| e).collect();
        let roots: Vec<ExprId> = (self.sums(Hook::Currents).iter())
            .flat_map(|(_, sum)| sum)
            .map(|&(_, e)| e)
            .collect();
        let code = kernel::write(m, &results, &roots, &|leaf| self.leaf_name(leaf));
        // the voltage has moved on
        let (pointers, loads) = self.inputs_at(Hook::Currents, &code, ("rows->v_prev", "at"));
        let (mut columns, mut lines, mut after) = (String::new(), String::new(), "");
        for term in terms {
            let name = self.leaf_name(term.leaf);
            let mut partial = |of: Option<(usize, ExprId)>, prefix: &str| {
                let (_, expr) = of?;
                let _ = writeln!(
                    lines,
                    "            const double {prefix}_{name} = w * ({});",
                    code.values[&expr]
                );
                Some(format!("{prefix}_{name}"))
            };
            let (current, conductance) = (partial(term.current, "di"), partial(term.conductance, "dg"));
            let Some(weight) = super::terms::weight(current.as_ref(), conductance.as_ref()) else {
                continue;
            };
            if self.is_own(term) {
                columns.push_str("        double own__here[GD_BLOCK];\n        double* restrict own = gd_open(rows->own, at, n, own__here);\n");
                let _ = writeln!(lines, "            own[j] += {weight};");
                after = "        gd_close(rows->own, at, n, own__here, own);\n";
            } else if let Some(column) = term.weight() {
                let _ = writeln!(
                    columns,
                    "        double* restrict w_{name} = pp->state_vars[{column}] + begin;"
                );
                let _ = writeln!(lines, "            w_{name}[j] = {weight};");
            }
        }
        format!(
            "GD_LOCAL void {}_weigh(arb_mechanism_ppack* pp, const gd_rows* rows) {{
{}{}    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {{
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        const int32_t* at = {}.index + begin;
        const double* weight__at = pp->weight + begin;
        double shared_area__here[GD_BLOCK], shared_fallen__here[GD_BLOCK];
        const double* shared_area = gd_gather(rows->area, at, n, shared_area__here);
        const double* shared_fallen = gd_gather(rows->fallen, at, n, shared_fallen__here);
{pointers}{columns}        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {{
{loads}            const double w = {}weight__at[j];
{}{lines}        }}
{after}    }}
}}

",
            Names::symbol(&self.name),
            self.scalars(&code.leaves),
            code.hoisted,
            self.carrier_ion("0"),
            self.current_scale(),
            code.body,
        )
    }

    /// The first slot of the chunk that is not full, and its lanes; a loop over all full ones comes before.
    pub(super) fn chunks(&self) -> (usize, usize) {
        let full = self.n_slots() / LANES * LANES;
        (full, lanes(self.n_slots() - full))
    }

    /// Name of the function that works through rows in a hook.
    pub(super) fn row_function(&self, hook: Hook) -> String {
        format!("{}_{}_rows", Names::symbol(&self.name), hook_name(hook))
    }

    /// Whether states depend on so many others that a row's step is work rather than traffic: then it has one loop, faded or
    /// not, lest the C takes long to compile, and is not put off, lest the partials take much memory.
    pub(super) fn is_dense(&self, hook: Hook) -> bool {
        let sums = self.own_sums(hook);
        let partials: BTreeSet<ExprId> = sums.iter().flat_map(|(_, sum)| sum).map(|&(_, expr)| expr).collect();
        partials.len() > 4 * self.active_count()
    }

    /// In place of the second loop: all chunks of a block.
    pub(super) fn row_calls(&self, hook: Hook, partials: &PartialText) -> String {
        if self.puts_off(hook) {
            return String::new();
        }
        let (name, (rest, lanes)) = (self.row_function(hook), self.chunks());
        let given = if partials.is_empty() { "" } else { "partial, " };
        let all = |indent: &str, decay: &str| {
            let mut text = String::new();
            if rest > 0 {
                let _ = writeln!(
                    text,
                    "{indent}for (uint32_t k = 0; k < {rest}; k += GD_LANES) {name}(pp, begin, n, {given}{decay}, k, GD_LANES);"
                );
            }
            if lanes > 0 {
                let _ = writeln!(text, "{indent}{name}(pp, begin, n, {given}{decay}, {rest}, {lanes});");
            }
            text
        };
        if self.forgets(hook) && self.is_dense(hook) {
            all("        ", "decay")
        } else if self.forgets(hook) {
            let (kept, fading) = (all("            ", "1.0"), all("            ", "decay"));
            format!("        if (decay == 1.0) {{\n{kept}        }} else {{\n{fading}        }}\n")
        } else {
            all("        ", "1.0")
        }
    }

    /// What a hook does to a row.
    pub(super) fn row_step(&self, hook: Hook, sums: &[(Output, Partials)], partials: &PartialText) -> RowStep {
        let reads = |leaf: Leaf| sums.iter().flat_map(|(_, sum)| sum).any(|&(l, _)| l == leaf);
        let (mut pointers, mut loads, mut lines) = (String::new(), String::new(), String::new());
        let mut named: Vec<usize> = Vec::new();
        for (output, sum) in sums {
            if let Output::State(s) = output {
                named.push(*s);
            }
            for (leaf, _) in sum {
                if let Leaf::State(s) = leaf {
                    named.push(*s as usize);
                }
            }
        }
        named.sort_unstable();
        named.dedup();
        for state in named {
            let (name, place) = (self.state_name(state), self.active(state).unwrap_or(0));
            let _ = writeln!(pointers, "        double* w_{name} = row + {place} * (size_t)lanes;");
            if reads(Leaf::State(u32::try_from(state).unwrap_or(u32::MAX))) {
                let _ = writeln!(loads, "            const gd_row old_{name} = gd_load(w_{name} + l);");
            }
        }
        let used: BTreeSet<ExprId> = (sums.iter().flat_map(|(_, sum)| sum))
            .filter(|(leaf, _)| !matches!(leaf, Leaf::Parameter(_)))
            .map(|&(_, expr)| expr)
            .collect();
        let quads: PartialText = (used.iter().enumerate())
            .map(|(k, &expr)| (expr, format!("p{k}")))
            .collect();
        let mut sets = Vec::new();
        for &(output, ref sum) in sums {
            if let Output::State(s) = output {
                let total = match self.total(hook, output, sum, &quads).as_str() {
                    "0.0" => "gd_all(0.0)".into(),
                    total => by_quads(total),
                };
                let name = self.state_name(s);
                let _ = writeln!(lines, "            const gd_row new_{name} = {total};");
                let _ = writeln!(lines, "            gd_store(w_{name} + l, new_{name});");
                sets.push(s);
            }
        }
        for (partial, quad) in partials
            .iter()
            .filter_map(|(expr, text)| Some((text, quads.get(expr)?)))
        {
            let _ = writeln!(pointers, "        const gd_row {quad} = gd_all({partial});");
        }
        let reads_u = reads(Leaf::Voltage);
        RowStep {
            pointers,
            loads,
            lines,
            sets,
            reads_u,
        }
    }

    /// Where the rows of a block are.
    pub(super) fn rows_here(&self, qualifier: &str) -> String {
        format!(
            "    {qualifier} rows = pp->state_vars[{}] + {} * ((size_t)first * pp->width + (size_t)lanes * begin);\n",
            self.mechanism.states.len(),
            self.active_count()
        )
    }

    /// The function itself; precedes the hook, or for a step put off what the carrier calls.
    pub(super) fn row_loop(&self, hook: Hook, sums: &[(Output, Partials)], partials: &PartialText) -> String {
        if self.layout != Layout::Rows || self.tangent.is_none() || sums.is_empty() {
            return String::new();
        }
        let step = self.row_step(hook, sums, partials);
        let late = self.puts_off(hook);
        let (mut at, mut u) = (String::new(), "");
        if step.reads_u {
            u = "            const gd_row u = gd_load(us + (size_t)lanes * j + l);\n";
            if !late {
                at = format!(
                    "    double buffer[GD_LANES * GD_BLOCK];\n    const double* const us = gd_rows_of_u({}.index + begin, n, first, lanes, buffer);\n",
                    self.carrier_ion("0")
                );
            }
        }
        let (mut given, mut after) = ("double (*partial)[GD_BLOCK], ", "");
        if partials.is_empty() {
            given = "";
        }
        if late {
            (given, after) = ("const double* us, ", "    (void)us;\n");
            at = self.late_partials("    const double* const").0;
        }
        format!(
            "GD_INLINE void {}(arb_mechanism_ppack* pp, const uint32_t begin, const uint32_t n,
        {given}const double kept, const uint32_t first, const uint32_t lanes) {{
    const gd_row decay = gd_all(kept);
{}{at}    for (uint32_t j = 0; j < n; ++j) {{
        double* row = rows + {} * (size_t)lanes * j;
{}        for (uint32_t l = 0; l < lanes; l += 4) {{
{u}{}{}        }}
    }}
{}    (void)decay;
{after}}}

",
            self.row_function(hook),
            self.rows_here("double* const"),
            self.active_count(),
            step.pointers,
            step.loads,
            step.lines,
            self.seeds_of_rows(hook, sums, partials)
        )
    }

    /// For each parameter that slots move, a loop over these slots.
    pub(super) fn seeds_of_rows(&self, hook: Hook, sums: &[(Output, Partials)], partials: &PartialText) -> String {
        let mut text = String::new();
        let active = self.active_count();
        for (parameter, moved, count) in self.moved_parameters() {
            let leaf = Leaf::Parameter(u32::try_from(parameter).unwrap_or(u32::MAX));
            let (mut lines, mut before) = (String::new(), String::new());
            for &(output, ref sum) in sums {
                let (Output::State(s), Some(&(_, expr))) = (output, sum.iter().find(|&&(l, _)| l == leaf)) else {
                    continue;
                };
                let (name, place) = (self.state_name(s), self.active(s).unwrap_or(0));
                let term = self.term(expr, &partials[&expr], "seed[j]");
                let factor = if self.forgets(hook) { "kept * " } else { "" };
                let _ = writeln!(
                    before,
                    "        double* restrict w_{name} = rows + {place} * (size_t)lanes + l;"
                );
                let _ = writeln!(
                    lines,
                    "            w_{name}[{active} * (size_t)lanes * j] += {factor}({term});"
                );
            }
            if lines.is_empty() {
                continue;
            }
            let name = &self.mechanism.parameters[parameter].name;
            let _ = write!(
                text,
                "    /* d({name})/d(slot) */
    static const uint32_t moved_{name}[][2] = {{{moved}}};
    for (uint32_t m = 0; m < {count}; ++m) {{
        const uint32_t l = moved_{name}[m][0] - first;
        if (l >= lanes) continue; /* slots before the first wrap around */
        const double* seed = pp->parameters[moved_{name}[m][1]] + begin;
        if (!gd_any(seed, n)) continue; /* most slots move a parameter in a part of the cell only */
{before}        for (uint32_t j = 0; j < n; ++j) {{
{lines}        }}
    }}
"
            );
        }
        text
    }

    /// Parameters that slots move, with the table of slots and seed columns in C, and its length.
    pub(super) fn moved_parameters(&self) -> Vec<(usize, String, usize)> {
        let columns = self.seed_columns();
        let mut parameters: Vec<usize> = columns.iter().map(|&(_, parameter, _)| parameter).collect();
        parameters.sort_unstable();
        parameters.dedup();
        let table = |parameter: usize| {
            let moved: Vec<String> = (columns.iter())
                .filter(|&&(_, of, _)| of == parameter)
                .map(|(slot, _, column)| format!("{{{slot}, {column}}}"))
                .collect();
            (parameter, moved.join(", "), moved.len())
        };
        parameters.into_iter().map(table).collect()
    }
}
