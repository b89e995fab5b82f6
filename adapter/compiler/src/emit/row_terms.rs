//! What a mechanism in rows adds to the carrier's equations, and the step of its rows that is put off until then.
//!
//! `advance_state` leaves its partials in memory; one time step on, when the carrier asks for the terms, the rows take their
//! step and add what they have become. So the rows, the bulk of a model's memory, go through the processor once per step.

use std::fmt::Write as _;

use super::block::PartialText;
use super::mechanism::Unit;
use super::rows::{RowStep, by_quads};
use super::terms::Term;
use super::{Layout, Names};
use crate::ir::graph::{ExprId, Leaf};
use crate::ir::mechanism::Hook;

/// A loop over the rows of right-hand sides under a condition: what `x[l]` becomes, four by four.
fn sum_loop(condition: &str, row: &str, becomes: &str) -> String {
    format!(
        "    for (uint32_t j = 0; {condition} && j < n; ++j) {{
        double* x = to + (size_t)lanes * j;
{row}        for (uint32_t l = 0; l < lanes; l += 4) gd_store(x + l, {becomes});
    }}
"
    )
}

impl Unit<'_> {
    /// Whether a hook's step of the rows is put off until the carrier asks what they add, one time step on: what it leaves
    /// is what the carrier reads, so they are passed over once and not twice. `advance_state` keeps the partials.
    pub(super) fn puts_off(&self, hook: Hook) -> bool {
        let works = |layout| layout == Layout::Rows && !self.own_sums(hook).is_empty();
        hook == Hook::Advance && works(self.layout) && !self.terms().is_empty() && !self.is_dense(hook)
    }

    /// The state columns of a step put off: first the factor by which the rows fade, negative while there is none to make,
    /// in their first number; then the partials.
    fn late_columns(&self) -> (usize, Vec<(usize, String, ExprId)>) {
        let first = self.list_column() + usize::from(self.list_field().is_some());
        let mut partials: Vec<(usize, String, ExprId)> = Vec::new();
        for &(_, expr) in self.own_sums(Hook::Advance).iter().flat_map(|(_, sum)| sum) {
            if partials.iter().all(|&(_, _, known)| known != expr) {
                let k = partials.len() + 1;
                partials.push((first + k, format!("late_{k}"), expr));
            }
        }
        (first, partials)
    }

    /// Their fields.
    pub(super) fn late_fields(&self) -> Vec<String> {
        if !self.puts_off(Hook::Advance) {
            return Vec::new();
        }
        let (_, partials) = self.late_columns();
        let names = partials.into_iter().map(|(_, name, _)| format!("gd__{name}"));
        std::iter::once("gd__late".into()).chain(names).collect()
    }

    /// Pointers to the partials of a step put off, and what they are called.
    pub(super) fn late_partials(&self, qualifier: &str) -> (String, PartialText) {
        let mut pointers = String::new();
        let (_, columns) = self.late_columns();
        for (column, name, _) in &columns {
            let _ = writeln!(pointers, "{qualifier} {name} = pp->state_vars[{column}] + begin;");
        }
        let text = |(_, name, expr): (usize, String, ExprId)| (expr, format!("{name}[j]"));
        (pointers, columns.into_iter().map(text).collect())
    }

    /// What a hook says of a step put off, after its loop.
    pub(super) fn late_note(&self, hook: Hook) -> String {
        let note = match hook {
            Hook::Init => "-1.0",
            Hook::Advance if self.forgets(hook) => "decay",
            Hook::Advance => "1.0",
            Hook::Currents | Hook::NetReceive | Hook::PostEvent => return String::new(),
        };
        if !self.puts_off(Hook::Advance) {
            return String::new();
        }
        format!(
            "    if (pp->width) pp->state_vars[{}][0] = {note};\n",
            self.late_columns().0
        )
    }

    /// The terms of states in a row: pointers to their weights, what a row needs, and their sum. After a step in the same
    /// loop, tangents are what it made of them.
    fn row_sum(&self, terms: &[Term], step: Option<&RowStep>) -> (String, String, Option<String>) {
        let (mut weights, mut row, mut sum) = (String::new(), String::new(), None);
        for term in terms {
            let (Some(column), Leaf::State(s)) = (term.weight(), term.leaf) else {
                continue;
            };
            let (s, name) = (s as usize, self.leaf_name(term.leaf));
            let _ = writeln!(
                weights,
                "    const double* const weight_{name}__at = pp->state_vars[{column}] + begin;"
            );
            let _ = writeln!(
                row,
                "        const gd_row weight_{name} = gd_all(weight_{name}__at[j]);"
            );
            let tangent = if step.is_some_and(|step| step.sets.contains(&s)) {
                format!("new_{}", self.state_name(s))
            } else {
                let place = self.active(s).unwrap_or(0);
                let _ = writeln!(row, "        const double* d_{name} = row + {place} * (size_t)lanes;");
                format!("gd_load(d_{name} + l)")
            };
            sum = Some(self.plus_weighed(sum, term, &format!("weight_{name}"), &tangent));
        }
        (weights, row, sum.map(|sum| by_quads(&sum)))
    }

    /// The step put off, and in the same loop the first terms of a right-hand side; rows do not fade.
    fn step_and_add(&self, terms: &[Term], step: &RowStep) -> String {
        let (weights, row, sum) = self.row_sum(terms, Some(step));
        format!(
            "GD_INLINE void gd_step_{}(arb_mechanism_ppack* pp, const uint32_t begin, const uint32_t n,
        const uint32_t first, const uint32_t lanes, double* to, const double* own) {{
    const gd_row decay = gd_all(1.0);
{}{weights}{}    for (uint32_t j = 0; j < n; ++j) {{
        double *x = to + (size_t)lanes * j, *row = rows + {} * (size_t)lanes * j;
{row}{}        for (uint32_t l = 0; l < lanes; l += 4) {{
            const gd_row u = gd_load(x + l);
{}{}            gd_store(x + l, gd_all(own[j]) * u{});
        }}
    }}
    (void)decay;
}}

",
            Names::symbol(&self.name),
            self.rows_here("double* const"),
            self.late_partials("    const double* const").0,
            self.active_count(),
            step.pointers,
            step.loads,
            step.lines,
            sum.map_or(String::new(), |sum| format!(" + {sum}")),
        )
    }

    /// The mechanism's terms in the carrier's equations, added to the rows of a chunk.
    pub(super) fn contribution_in_rows(&self, terms: &[Term]) -> String {
        let symbol = Names::symbol(&self.name);
        let (weights, row, sum) = self.row_sum(terms, None);
        let (mut out, mut late, mut condition) = (String::new(), String::new(), "own");
        if self.puts_off(Hook::Advance) {
            let sums = self.own_sums(Hook::Advance);
            let partials = self.late_partials("").1;
            out.push_str(&self.row_loop(Hook::Advance, &sums, &partials));
            let catch_up = format!(
                "if (late >= 0.0) {}(pp, begin, n, us, late, first, lanes);\n",
                self.row_function(Hook::Advance)
            );
            let _ = writeln!(
                late,
                "    const double late = pp->state_vars[{}][0];",
                self.late_columns().0
            );
            // what seeds add to rows comes in loops of their own
            if self.seeds_of_rows(Hook::Advance, &sums, &partials).is_empty() {
                out.push_str(&self.step_and_add(terms, &self.row_step(Hook::Advance, &sums, &partials)));
                let _ = write!(
                    late,
                    "    const bool done = late == 1.0 && own;
    if (done) gd_step_{symbol}(pp, begin, n, first, lanes, to, own);
    else {catch_up}"
                );
                condition = "own && !done";
            } else {
                let _ = write!(late, "    {catch_up}");
            }
        }
        let _ = write!(
            out,
            "GD_INLINE void {symbol}_add(arb_mechanism_ppack* pp, const uint32_t begin, const uint32_t n, const uint32_t first,
        const uint32_t lanes, double* to, const double* own, const double* us) {{
    (void)us;
{late}{weights}",
        );
        let mut here = String::new();
        if !row.is_empty() {
            out.push_str(&self.rows_here("const double* const"));
            here = format!(
                "        const double* row = rows + {} * (size_t)lanes * j;\n{row}",
                self.active_count()
            );
        }
        let plus = sum.as_ref().map_or(String::new(), |sum| format!(" + {sum}"));
        out.push_str(&sum_loop(
            condition,
            &here,
            &format!("gd_all(own[j]) * gd_load(x + l){plus}"),
        ));
        if sum.is_some() {
            out.push_str(&sum_loop("!own", &here, &format!("gd_load(x + l){plus}")));
        }
        out.push_str(&self.listed_seeds(terms));
        let _ = write!(
            out,
            "}}

GD_LOCAL void {symbol}_contribute(arb_mechanism_ppack* pp, const uint32_t begin, const uint32_t n, const uint32_t first,
        const uint32_t used, double* to, const double* own, const double* us) {{
"
        );
        let (rest, lanes) = self.chunks();
        if rest > 0 {
            let _ = writeln!(
                out,
                "    if (used == GD_LANES) {symbol}_add(pp, begin, n, first, GD_LANES, to, own, us);"
            );
        }
        if lanes > 0 {
            let _ = writeln!(
                out,
                "    if (used < GD_LANES) {symbol}_add(pp, begin, n, first, {lanes}, to, own, us);"
            );
        }
        out.push_str("}\n\n");
        out
    }

    /// The seeds of the terms: slot, column of the seed, column of the weight; and whether a weight may be infinite.
    fn moved_terms(&self, terms: &[Term]) -> (Vec<String>, bool) {
        let (mut rows, mut diverges) = (Vec::new(), false);
        for term in terms {
            let (Leaf::Parameter(parameter), Some(weight)) = (term.leaf, term.weight()) else {
                continue;
            };
            for (slot, of, column) in self.seed_columns() {
                if of == parameter as usize {
                    rows.push(format!("{{{slot}, {column}, {weight}}}"));
                    diverges |= self.diverges(term);
                }
            }
        }
        (rows, diverges)
    }

    /// The state column that lists, block by block, which seeds are not 0 everywhere: most slots move a parameter in a
    /// part of the cell only.
    fn list_column(&self) -> usize {
        self.mechanism.states.len() + self.sensitivity_columns() + self.term_columns().len()
    }

    /// That column's field; it exists in rows only, where seeds change between runs alone.
    pub(super) fn list_field(&self) -> Option<String> {
        let listed = self.layout == Layout::Rows && !self.moved_terms(&self.terms()).0.is_empty();
        listed.then(|| "gd__moved".into())
    }

    /// The table of seeds, which precedes the hooks, and what writes a block's list at INITIAL.
    pub(super) fn seed_list(&self) -> Option<(String, String)> {
        self.list_field()?;
        let (moved, _) = self.moved_terms(&self.terms());
        let symbol = Names::symbol(&self.name);
        let table = format!(
            "static const gd_moved_by {symbol}_moved[] = {{{}}};\n\n",
            moved.join(", ")
        );
        let writes = format!(
            "        gd_list_moved(pp, {symbol}_moved, {}, pp->state_vars[{}] + begin, begin, n);\n",
            moved.len(),
            self.list_column()
        );
        Some((table, writes))
    }

    /// Adds weights times seeds to rows.
    fn listed_seeds(&self, terms: &[Term]) -> String {
        let (moved, diverges) = self.moved_terms(terms);
        if moved.is_empty() {
            return String::new();
        }
        format!(
            "    gd_add_moved(pp, {}_moved, {}, pp->state_vars[{}], begin, n, first, lanes, to, {});\n",
            Names::symbol(&self.name),
            moved.len(),
            self.list_column(),
            i32::from(diverges)
        )
    }
}
