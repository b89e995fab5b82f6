//! One mechanism in C: its hooks and its tables.
//!
//! Instances are worked through in blocks of `GD_BLOCK`. In each block a first loop evaluates the mechanism and the
//! partials of its tangent; a second loop runs over the slots and applies the partials to that slot's sensitivities. The
//! text does not grow with the number of slots, except for the tables and the list of seeds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::kernel::{self, Code, literal};
use super::{Names, Seed, Slots};
use crate::ir::graph::{ExprId, Leaf};
use crate::ir::mechanism::{Field, IonQuantity, Mechanism, Updates};
use crate::pass::differentiate::{Partials, Tangent};

/// What is emitted under one name: the mechanism alone, or with its sensitivities.
pub(super) struct Unit<'a> {
    /// Name in the catalogue.
    pub(super) name: String,
    pub(super) mechanism: &'a Mechanism,
    pub(super) tangent: Option<(&'a Tangent, &'a Slots)>,
}

/// Where a sum of partials goes.
enum Target {
    /// The sensitivity of an active state, by position in [`Tangent::active`].
    State(usize),
    /// Di of the slot.
    Current,
    /// Dg of the slot.
    Conductance,
}

/// Which hook; they differ in what is loaded and where results go.
#[derive(Clone, Copy, PartialEq)]
enum Hook {
    Init,
    Currents,
    Advance,
}

/// A partial as C: an expression that is valid in the second loop.
type PartialText = BTreeMap<ExprId, String>;

impl Unit<'_> {
    fn seeds(&self) -> Vec<&Seed> {
        match self.tangent {
            Some((_, slots)) => slots
                .seeds
                .iter()
                .filter(|s| s.mechanism == self.mechanism.name)
                .collect(),
            None => Vec::new(),
        }
    }

    /// The mechanism's parameter table: its own, then the seeds.
    pub(super) fn parameters(&self) -> Vec<Field> {
        let seeds = self.seeds().into_iter().map(|s| Field {
            name: s.field.clone(),
            unit: String::new(),
            default: 0.0,
            limits: (f64::MIN, f64::MAX),
        });
        self.mechanism.parameters.iter().cloned().chain(seeds).collect()
    }

    /// The mechanism's globals: its own, then the forgetting rate.
    pub(super) fn globals(&self) -> Vec<Field> {
        let mut globals = self.mechanism.globals.clone();
        if self.tangent.is_some() {
            globals.push(super::forgetting());
        }
        globals
    }

    /// The state table: stored variables, then per slot the sensitivities of the active ones.
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
        if let Some((tangent, slots)) = self.tangent {
            for slot in &slots.names {
                for &i in &tangent.active {
                    states.push(field(Names::sensitivity(&self.mechanism.states[i].name, slot), ""));
                }
            }
        }
        states
    }

    fn leaf_name(&self, leaf: Leaf) -> String {
        let m = self.mechanism;
        let name = crate::ir::print::leaf_name(m, leaf);
        match leaf {
            Leaf::Voltage | Leaf::Dt | Leaf::Celsius | Leaf::Diam | Leaf::Area => name,
            Leaf::Parameter(_) => format!("p_{name}"),
            Leaf::Global(_) => format!("g_{name}"),
            Leaf::State(_) => format!("s_{name}"),
            Leaf::IonRead(_) => format!("e_{name}"),
            Leaf::Placeholder(i) => format!("placeholder_{i}"),
        }
    }

    /// Pointers to the block's inputs and to the states it sets, before the loop; the loads, in the loop.
    fn inputs(&self, leaves: &[Leaf], updates: &Updates) -> (String, String) {
        let (mut pointers, mut loads) = (String::new(), String::new());
        for &(state, _) in updates {
            let name = &self.mechanism.states[state].name;
            let _ = writeln!(
                pointers,
                "        double* restrict s_{name}__at = pp->state_vars[{state}] + begin;"
            );
        }
        for &leaf in leaves {
            let name = self.leaf_name(leaf);
            let gathered = |array: &str, index: &str| {
                format!(
                    "        double {name}__buffer[GD_BLOCK];\n        const double* {name}__at = gd_gather({array}, {index} + begin, n, {name}__buffer);\n"
                )
            };
            match leaf {
                Leaf::Dt | Leaf::Global(_) | Leaf::Placeholder(_) => continue,
                Leaf::Voltage => pointers.push_str(&gathered("pp->vec_v", "pp->node_index")),
                Leaf::Celsius => pointers.push_str(&gathered("pp->temperature_degC", "pp->node_index")),
                Leaf::Diam => pointers.push_str(&gathered("pp->diam_um", "pp->node_index")),
                Leaf::Area => pointers.push_str(&gathered("pp->area_um2", "pp->node_index")),
                Leaf::Parameter(i) => {
                    let _ = writeln!(
                        pointers,
                        "        const double* {name}__at = pp->parameters[{i}] + begin;"
                    );
                }
                Leaf::State(i) if updates.iter().any(|&(s, _)| s == i as usize) => {}
                Leaf::State(i) => {
                    let _ = writeln!(
                        pointers,
                        "        const double* {name}__at = pp->state_vars[{i}] + begin;"
                    );
                }
                Leaf::IonRead(i) => {
                    let read = self.mechanism.ion_reads[i as usize];
                    let array = match read.quantity {
                        IonQuantity::ReversalPotential => "reversal_potential",
                        IonQuantity::Internal => "internal_concentration",
                        IonQuantity::External => "external_concentration",
                    };
                    let ion = format!("pp->ion_states[{}]", read.ion);
                    pointers.push_str(&gathered(&format!("{ion}.{array}"), &format!("{ion}.index")));
                }
            }
            let _ = writeln!(loads, "            const double {name} = {name}__at[j];");
        }
        (pointers, loads)
    }

    fn scalars(&self, leaves: &[Leaf]) -> String {
        let mut text = String::new();
        for &leaf in leaves {
            match leaf {
                Leaf::Dt => text.push_str("    const double dt = pp->dt;\n"),
                Leaf::Global(i) => {
                    let _ = writeln!(text, "    const double {} = pp->globals[{i}];", self.leaf_name(leaf));
                }
                Leaf::Voltage | Leaf::Celsius | Leaf::Diam | Leaf::Area => {}
                Leaf::Parameter(_) | Leaf::State(_) | Leaf::IonRead(_) | Leaf::Placeholder(_) => {}
            }
        }
        text
    }

    /// The sums of partials that one hook applies per slot.
    fn sums(&self, hook: Hook) -> Vec<(Target, Partials)> {
        let Some((tangent, _)) = self.tangent else {
            return Vec::new();
        };
        let of_states = |updates: &[(usize, Partials)]| -> Vec<(Target, Partials)> {
            updates
                .iter()
                .filter_map(|(state, p)| {
                    let position = tangent.active.iter().position(|a| a == state)?;
                    Some((Target::State(position), p.clone()))
                })
                .collect()
        };
        match hook {
            Hook::Init => of_states(&tangent.init),
            Hook::Advance => of_states(&tangent.advance),
            Hook::Currents => {
                let mut sums = vec![
                    (Target::Current, tangent.current.clone()),
                    (Target::Conductance, tangent.conductance.clone()),
                ];
                sums.retain(|(_, p)| !p.is_zero());
                sums.extend(of_states(&tangent.current_updates));
                sums
            }
        }
    }

    fn hook(&self, hook: Hook) -> String {
        let m = self.mechanism;
        let updates: &Updates = match hook {
            Hook::Init => &m.init,
            Hook::Currents => &m.currents.updates,
            Hook::Advance => &m.advance,
        };
        let sums = self.sums(hook);
        let mut roots: Vec<ExprId> = updates.iter().map(|&(_, e)| e).collect();
        if hook == Hook::Currents {
            roots.extend([m.currents.total, m.currents.conductance]);
            roots.extend(m.currents.ions.iter().map(|&(_, e)| e));
        }
        for (_, partials) in &sums {
            roots.extend(partials.roots());
        }
        let name = match hook {
            Hook::Init => "init",
            Hook::Currents => "compute_currents",
            Hook::Advance => "advance_state",
        };
        let mut out = format!(
            "static void {}_{name}(arb_mechanism_ppack* pp) {{\n",
            Names::symbol(&self.name)
        );
        if roots.is_empty() {
            out.push_str("    (void)pp;\n}\n\n");
            return out;
        }
        let code = kernel::write(&m.graph, &roots, &|leaf| self.leaf_name(leaf));
        out.push_str(&self.scalars(&code.leaves));
        out.push_str(&code.hoisted);
        if self.forgets(hook, &sums) {
            let _ = writeln!(
                out,
                "    const double decay = exp(-pp->globals[{}] * pp->dt);",
                m.globals.len()
            );
        }
        out.push_str("    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {\n");
        out.push_str("        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;\n");
        let (evaluation, partials) = self.first_loop(hook, updates, &sums, &code);
        out.push_str(&evaluation);
        if hook == Hook::Currents {
            out.push_str(&self.accumulate());
        }
        out.push_str(&self.second_loop(hook, &sums, &partials));
        out.push_str("    }\n}\n\n");
        out
    }

    fn forgets(&self, hook: Hook, sums: &[(Target, Partials)]) -> bool {
        hook == Hook::Advance
            && sums
                .iter()
                .any(|(_, p)| !p.states.is_empty() || !p.parameters.is_empty())
    }

    /// Evaluates the mechanism and its partials over one block.
    fn first_loop(
        &self,
        hook: Hook,
        updates: &Updates,
        sums: &[(Target, Partials)],
        code: &Code,
    ) -> (String, PartialText) {
        let m = self.mechanism;
        let (pointers, loads) = self.inputs(&code.leaves, updates);
        let mut declarations = String::new();
        let mut stores = String::new();
        let mut partials = PartialText::new();
        if hook == Hook::Currents {
            declarations.push_str("        const double* weight__at = pp->weight + begin;\n");
            let mut buffers = vec![
                ("i".to_string(), m.currents.total),
                ("g".to_string(), m.currents.conductance),
            ];
            buffers.extend(
                m.currents
                    .ions
                    .iter()
                    .map(|&(ion, e)| (format!("i_{}", m.ions[ion].name), e)),
            );
            for (buffer, expr) in buffers {
                let _ = writeln!(declarations, "        double {buffer}__sum[GD_BLOCK];");
                let _ = writeln!(stores, "            {buffer}__sum[j] = w * ({});", code.values[&expr]);
            }
        }
        for &(state, expr) in updates {
            let name = &m.states[state].name;
            let _ = writeln!(stores, "            s_{name}__at[j] = {};", code.values[&expr]);
        }
        let mut count = 0;
        for expr in sums.iter().flat_map(|(_, sum)| sum.roots()) {
            if partials.contains_key(&expr) {
                continue;
            }
            if code.uniform.contains(&expr) {
                partials.insert(expr, code.values[&expr].clone());
                continue;
            }
            count += 1;
            let _ = writeln!(declarations, "        double d{count}[GD_BLOCK];");
            let _ = writeln!(stores, "            d{count}[j] = {};", code.values[&expr]);
            partials.insert(expr, format!("d{count}[j]"));
        }
        let mut text = declarations;
        text.push_str(&pointers);
        text.push_str("        GD_VECTORISE\n        for (uint32_t j = 0; j < n; ++j) {\n");
        text.push_str(&loads);
        if hook == Hook::Currents {
            text.push_str("            const double w = 10.0 * weight__at[j];\n");
        }
        text.push_str(&code.body);
        text.push_str(&stores);
        text.push_str("        }\n");
        (text, partials)
    }

    fn accumulate(&self) -> String {
        let mut text = String::from(
            "        gd_scatter_add(pp->vec_i, pp->node_index + begin, n, i__sum);\n        gd_scatter_add(pp->vec_g, pp->node_index + begin, n, g__sum);\n",
        );
        for &(ion, _) in &self.mechanism.currents.ions {
            let _ = writeln!(
                text,
                "        gd_scatter_add(pp->ion_states[{ion}].current_density, pp->ion_states[{ion}].index + begin, n, i_{}__sum);",
                self.mechanism.ions[ion].name
            );
        }
        text
    }

    /// Applies the partials to every slot, then the seeds to theirs.
    fn second_loop(&self, hook: Hook, sums: &[(Target, Partials)], partials: &PartialText) -> String {
        let Some((tangent, slots)) = self.tangent else {
            return String::new();
        };
        if sums.is_empty() {
            return String::new();
        }
        let m = self.mechanism;
        let (n_own, n_active, n_ions) = (m.states.len(), tangent.active.len(), m.ions.len());
        let active_of = |state: usize| tangent.active.iter().position(|&a| a == state).unwrap_or(0);
        let mut read: Vec<usize> = sums
            .iter()
            .flat_map(|(_, p)| p.states.iter().map(|&(s, _)| active_of(s)))
            .collect();
        let mut touched = read.clone();
        touched.extend(sums.iter().filter_map(|(target, _)| match target {
            Target::State(position) => Some(*position),
            Target::Current | Target::Conductance => None,
        }));
        for list in [&mut read, &mut touched] {
            list.sort_unstable();
            list.dedup();
        }
        let name_of = |position: usize| &m.states[tangent.active[position]].name;
        let uses_u = sums.iter().any(|(_, p)| p.voltage.is_some());
        let weighted = |target: &Target| matches!(target, Target::Current | Target::Conductance);
        let ion = |offset: &str| format!("pp->ion_states[{n_ions} + 2 * k{offset}]");

        let mut text = String::from("        for (uint32_t k = 0; k < N_SLOTS; ++k) {\n");
        if uses_u {
            let _ = writeln!(
                text,
                "            double u_buffer[GD_BLOCK];\n            const double* u = gd_gather({0}.internal_concentration, {0}.index + begin, n, u_buffer);",
                ion("")
            );
        }
        for &position in &touched {
            let _ = writeln!(
                text,
                "            double* restrict w_{} = pp->state_vars[{n_own} + {n_active} * k + {position}] + begin;",
                name_of(position)
            );
        }
        for (buffer, wanted) in [("di", true), ("dg", false)] {
            let present = sums.iter().any(|(t, _)| match t {
                Target::Current => wanted,
                Target::Conductance => !wanted,
                Target::State(_) => false,
            });
            if present {
                let _ = writeln!(text, "            double {buffer}[GD_BLOCK];");
            }
        }
        text.push_str("            GD_VECTORISE\n            for (uint32_t j = 0; j < n; ++j) {\n");
        for &position in &read {
            let _ = writeln!(
                text,
                "                const double old_{0} = w_{0}[j];",
                name_of(position)
            );
        }
        for (target, sum) in sums {
            let by_states: Vec<String> = sum
                .states
                .iter()
                .map(|&(s, e)| product(&partials[&e], &format!("old_{}", name_of(active_of(s)))))
                .collect();
            let by_voltage: Option<String> = sum.voltage.map(|e| product(&partials[&e], "u[j]"));
            let decays = hook == Hook::Advance && !by_states.is_empty();
            let mut terms: Vec<String> = Vec::new();
            if decays {
                terms.push(format!("decay * ({})", by_states.join(" + ")));
            } else {
                terms.extend(by_states);
            }
            terms.extend(by_voltage);
            let total = if terms.is_empty() {
                "0.0".to_string()
            } else {
                terms.join(" + ")
            };
            let line = match target {
                Target::State(position) => format!("w_{}[j] = {total};", name_of(*position)),
                Target::Current => format!("di[j] = 10.0 * weight__at[j] * ({total});"),
                Target::Conductance => format!("dg[j] = 10.0 * weight__at[j] * ({total});"),
            };
            let _ = writeln!(text, "                {line}");
        }
        text.push_str("            }\n");
        for (target, _) in sums.iter().filter(|(t, _)| weighted(t)) {
            let (buffer, offset) = if matches!(target, Target::Current) {
                ("di", "")
            } else {
                ("dg", " + 1")
            };
            let _ = writeln!(
                text,
                "            gd_scatter_add({0}.current_density, {0}.index + begin, n, {buffer});",
                ion(offset)
            );
        }
        text.push_str("        }\n");
        text.push_str(&self.seed_loops(hook, sums, partials, slots, tangent));
        text
    }

    fn seed_loops(
        &self,
        hook: Hook,
        sums: &[(Target, Partials)],
        partials: &PartialText,
        slots: &Slots,
        tangent: &Tangent,
    ) -> String {
        let m = self.mechanism;
        let (n_own, n_active, n_ions) = (m.states.len(), tangent.active.len(), m.ions.len());
        let mut text = String::new();
        for (position, seed) in self.seeds().into_iter().enumerate() {
            let Some(slot) = slots.names.iter().position(|n| *n == seed.slot) else {
                continue;
            };
            let column = m.parameters.len() + position;
            let mut lines = String::new();
            let mut after = String::new();
            for (target, sum) in sums {
                let Some(&(_, expr)) = sum
                    .parameters
                    .iter()
                    .find(|&&(p, _)| m.parameters[p].name == seed.parameter)
                else {
                    continue;
                };
                let term = product(&partials[&expr], "seed[j]");
                match target {
                    Target::State(state) => {
                        let state_name = &m.states[tangent.active[*state]].name;
                        let factor = if hook == Hook::Advance { "decay * " } else { "" };
                        let _ = writeln!(
                            after,
                            "            double* restrict w_{state_name} = pp->state_vars[{}] + begin;",
                            n_own + n_active * slot + state
                        );
                        let _ = writeln!(lines, "                w_{state_name}[j] += {factor}({term});");
                    }
                    Target::Current | Target::Conductance => {
                        let current = matches!(target, Target::Current);
                        let buffer = if current { "di" } else { "dg" };
                        let _ = writeln!(after, "            double {buffer}[GD_BLOCK];");
                        let _ = writeln!(lines, "                {buffer}[j] = 10.0 * weight__at[j] * ({term});");
                    }
                }
            }
            if lines.is_empty() {
                continue;
            }
            let _ = writeln!(text, "        {{ /* d({})/d({}) */", seed.parameter, seed.slot);
            let _ = writeln!(
                text,
                "            const double* seed = pp->parameters[{column}] + begin;"
            );
            text.push_str(&after);
            text.push_str("            GD_VECTORISE\n            for (uint32_t j = 0; j < n; ++j) {\n");
            text.push_str(&lines);
            text.push_str("            }\n");
            for (buffer, offset) in [("di", 0), ("dg", 1)] {
                if after.contains(&format!("double {buffer}[")) {
                    let _ = writeln!(
                        text,
                        "            gd_scatter_add(pp->ion_states[{0}].current_density, pp->ion_states[{0}].index + begin, n, {buffer});",
                        n_ions + 2 * slot + offset
                    );
                }
            }
            text.push_str("        }\n");
        }
        text
    }

    /// Hooks and tables.
    pub(super) fn emit(&self) -> String {
        let n_slots = self.tangent.map_or(0, |(_, slots)| slots.names.len());
        let mut out = format!("/* ---- {} ---- */\n", self.name);
        if n_slots > 0 {
            let _ = writeln!(out, "#define N_SLOTS {n_slots}u\n");
        }
        for hook in [Hook::Init, Hook::Currents, Hook::Advance] {
            out.push_str(&self.hook(hook));
        }
        if n_slots > 0 {
            out.push_str("#undef N_SLOTS\n\n");
        }
        let mut ions: Vec<super::IonRow> = self
            .mechanism
            .ions
            .iter()
            .enumerate()
            .map(|(i, ion)| super::IonRow {
                name: ion.name.clone(),
                valence: ion.valence,
                reads_reversal: self.reads(i, IonQuantity::ReversalPotential),
                reads_internal: self.reads(i, IonQuantity::Internal),
                reads_external: self.reads(i, IonQuantity::External),
            })
            .collect();
        if let Some((_, slots)) = self.tangent {
            ions.extend(super::carrier_ions(slots));
        }
        out.push_str(&super::tables(
            &self.name,
            &self.globals(),
            &self.states(),
            &self.parameters(),
            &ions,
        ));
        out
    }

    fn reads(&self, ion: usize, quantity: IonQuantity) -> bool {
        self.mechanism
            .ion_reads
            .iter()
            .any(|r| r.ion == ion && r.quantity == quantity)
    }
}

/// `partial * factor`, without a factor of one.
fn product(partial: &str, factor: &str) -> String {
    if partial == literal(1.0) {
        factor.to_string()
    } else if partial.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c)) {
        format!("{partial} * {factor}")
    } else {
        format!("({partial}) * {factor}")
    }
}
