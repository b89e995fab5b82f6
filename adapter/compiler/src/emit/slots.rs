//! The second loop of a block: the partials, applied to every slot's sensitivities.

use std::fmt::Write as _;

use super::Layout;
use super::block::{Destination, PartialText, Rule, ion_array};
use super::mechanism::Unit;
use crate::ir::graph::Leaf;
use crate::ir::mechanism::{Hook, Output};
use crate::pass::differentiate::Partials;

impl Unit<'_> {
    /// Where the tangent of a result goes; like the result's own destination, in the slot's ions.
    fn tangent_destination(&self, hook: Hook, output: Output, slot: &str) -> Option<Destination> {
        let of = |buffer: String, ion: String, array: &str, rule| {
            Some(Destination {
                buffer,
                array: format!("{ion}.{array}"),
                index: format!("{ion}.index"),
                rule,
            })
        };
        let name = |i: usize| &self.mechanism.ions[i].name;
        match output {
            Output::State(_) | Output::Current | Output::Conductance => None,
            Output::Voltage => of(
                "dv".into(),
                self.carrier_ion(slot),
                "internal_concentration",
                Rule::Store,
            ),
            Output::IonCurrent(i) => of(
                format!("di_{}", name(i)),
                self.tangent_ion(i, slot),
                "current_density",
                Rule::AddCurrent,
            ),
            Output::Reversal(i) => of(
                format!("de_{}", name(i)),
                self.tangent_ion(i, slot),
                "reversal_potential",
                Rule::Store,
            ),
            Output::Diffusive(i) => {
                let rule = if hook == Hook::Init { Rule::Store } else { Rule::Mix };
                of(
                    format!("dd_{}", name(i)),
                    self.tangent_ion(i, slot),
                    "diffusive_concentration",
                    rule,
                )
            }
        }
    }

    /// Whether the first loop weighs the partials, because all of them go into currents.
    pub(super) fn weighs_partials(&self, hook: Hook) -> bool {
        self.own_sums(hook).iter().all(|&(output, _)| {
            self.tangent_destination(hook, output, "k")
                .is_some_and(|d| d.rule == Rule::AddCurrent)
        })
    }

    /// What weighs a tangent on its way into the host's memory.
    fn weighting(&self, hook: Hook, rule: Rule, instance: &str) -> String {
        match rule {
            Rule::AddCurrent if self.weighs_partials(hook) => String::new(),
            Rule::AddCurrent => format!("{}weight__at[{instance}] * ", self.current_scale()),
            Rule::Mix => format!("{} * ", self.share(instance)),
            Rule::Store => String::new(),
        }
    }

    /// C's name of the tangent of an input that is not a parameter.
    fn tangent_of(&self, leaf: Leaf) -> String {
        match leaf {
            Leaf::Voltage if self.layout == Layout::Rows => "u".into(),
            Leaf::Voltage => "u[j]".into(),
            Leaf::PeerVoltage => "u_peer[j]".into(),
            Leaf::State(s) => format!("old_{}", self.state_name(s as usize)),
            Leaf::Dt
            | Leaf::Celsius
            | Leaf::Diam
            | Leaf::Area
            | Leaf::Parameter(_)
            | Leaf::Global(_)
            | Leaf::IonRead(_)
            | Leaf::Noise(_)
            | Leaf::EventWeight
            | Leaf::SinceSpike
            | Leaf::Placeholder(_) => format!("d_{}[j]", self.leaf_name(leaf)),
        }
    }

    /// Pointers to the slot's inputs, and the loads of old sensitivities.
    fn slot_inputs(&self, sums: &[(Output, Partials)]) -> (String, String) {
        let (mut pointers, mut loads) = (String::new(), String::new());
        let mut leaves: Vec<Leaf> = sums.iter().flat_map(|(_, p)| p).map(|&(l, _)| l).collect();
        let read: Vec<Leaf> = leaves.clone();
        leaves.extend(sums.iter().filter_map(|(o, _)| {
            let Output::State(s) = o else { return None };
            Some(Leaf::State(u32::try_from(*s).unwrap_or(u32::MAX)))
        }));
        leaves.sort_unstable();
        leaves.dedup();
        for leaf in leaves {
            match leaf {
                Leaf::Voltage => {
                    let ion = self.carrier_ion("k");
                    let gather = self.gather();
                    let _ = writeln!(
                        pointers,
                        "            double u_buffer[GD_BLOCK];\n            const double* u = {gather}({ion}.internal_concentration, {ion}.index + begin, n, u_buffer);"
                    );
                }
                Leaf::PeerVoltage => {
                    let ion = self.carrier_ion("k");
                    let _ = writeln!(
                        pointers,
                        "            double u_peer[GD_BLOCK];\n            for (uint32_t j = 0; j < n; ++j) {{\n                const int32_t at = gd_position(pp, pp->node_index[begin + j], {ion}.index[begin + j], pp->peer_index[begin + j]);\n                u_peer[j] = {ion}.internal_concentration[at];\n            }}"
                    );
                }
                Leaf::State(s) => {
                    let name = self.state_name(s as usize);
                    let column = self.sensitivity_column(self.active(s as usize).unwrap_or(0), "k");
                    let _ = writeln!(pointers, "            double* restrict w_{name} = {column} + begin;");
                    if read.contains(&leaf) {
                        let _ = writeln!(loads, "                const double old_{name} = w_{name}[j];");
                    }
                }
                Leaf::IonRead(r) => {
                    let of = self.mechanism.ion_reads[r as usize];
                    let (ion, gather) = (self.tangent_ion(of.ion, "k"), self.gather());
                    let (name, array) = (self.leaf_name(leaf), ion_array(of.quantity));
                    let _ = writeln!(
                        pointers,
                        "            double d_{name}__buffer[GD_BLOCK];\n            const double* d_{name} = {gather}({ion}.{array}, {ion}.index + begin, n, d_{name}__buffer);"
                    );
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
                | Leaf::Placeholder(_) => {}
            }
        }
        (pointers, loads)
    }

    /// The sum of partials times tangents, without the seeds.
    pub(super) fn total(&self, hook: Hook, output: Output, sum: &Partials, partials: &PartialText) -> String {
        // u and the ions have faded already
        let fades = |leaf| matches!(leaf, Leaf::State(_)) && matches!(output, Output::State(_)) && self.forgets(hook);
        let moved = || sum.iter().filter(|(leaf, _)| !matches!(leaf, Leaf::Parameter(_)));
        let mut total = None;
        for &(leaf, expr) in moved().filter(|&&(leaf, _)| fades(leaf)) {
            total = Some(self.plus_term(total, expr, &partials[&expr], &self.tangent_of(leaf)));
        }
        total = total.map(|fading| format!("decay * ({fading})"));
        for &(leaf, expr) in moved().filter(|&&(leaf, _)| !fades(leaf)) {
            let mut tangent = self.tangent_of(leaf);
            if let Leaf::IonRead(r) = leaf {
                let scale = self.read_scale(self.mechanism.ion_reads[r as usize].quantity);
                tangent = format!("{scale}{tangent}");
            }
            total = Some(self.plus_term(total, expr, &partials[&expr], &tangent));
        }
        total.unwrap_or_else(|| "0.0".into())
    }

    /// The old tangent that a mixing result replaces.
    fn mixed_tangent(&self, output: Output, sums: &[(Output, Partials)]) -> (String, String) {
        let (Output::Diffusive(ion), Some(leaf)) = (output, self.mixed_leaf(output)) else {
            return (String::new(), "0.0".into());
        };
        let name = self.leaf_name(leaf);
        let loaded = sums.iter().flat_map(|(_, p)| p).any(|&(l, _)| l == leaf);
        let (of, gather) = (self.tangent_ion(ion, "k"), self.gather());
        let pointer = if loaded {
            String::new()
        } else {
            format!(
                "            double d_{name}__buffer[GD_BLOCK];\n            const double* d_{name} = {gather}({of}.diffusive_concentration, {of}.index + begin, n, d_{name}__buffer);\n"
            )
        };
        (pointer, format!("d_{name}[j]"))
    }

    /// Applies the partials to every slot, then the seeds to theirs.
    pub(super) fn second_loop(&self, hook: Hook, sums: &[(Output, Partials)], partials: &PartialText) -> String {
        if self.tangent.is_none() || sums.is_empty() {
            return String::new();
        }
        if self.layout == Layout::Rows {
            return self.row_calls(hook, partials);
        }
        let (mut pointers, loads) = self.slot_inputs(sums);
        let mut lines = String::new();
        let mut scatters = String::new();
        for &(output, ref sum) in sums {
            let total = self.total(hook, output, sum, partials);
            let line = match (output, self.tangent_destination(hook, output, "k")) {
                (Output::State(s), _) => format!("w_{}[j] = {total};", self.state_name(s)),
                (_, None) => continue,
                (_, Some(destination)) => {
                    pointers.push_str(&self.opening(&destination, "            "));
                    scatters.push_str(&self.closing(&destination, "            "));
                    let Destination { buffer, rule, .. } = destination;
                    let mut change = total;
                    if rule == Rule::Mix {
                        let (pointer, old) = self.mixed_tangent(output, sums);
                        pointers.push_str(&pointer);
                        change = format!("{change} - {old}");
                    }
                    let assign = if rule == Rule::AddCurrent { "+=" } else { "=" };
                    let weighting = self.weighting(hook, rule, "j");
                    if weighting.is_empty() {
                        format!("{buffer}[j] {assign} {change};")
                    } else {
                        format!("{buffer}[j] {assign} {weighting}({change});")
                    }
                }
            };
            let _ = writeln!(lines, "                {line}");
        }
        let mut text = String::from("        for (uint32_t k = 0; k < N_SLOTS; ++k) {\n");
        text.push_str(&pointers);
        text.push_str("            GD_VECTORISE\n            for (uint32_t j = 0; j < n; ++j) {\n");
        text.push_str(&loads);
        text.push_str(&lines);
        text.push_str("            }\n");
        text.push_str(&scatters);
        text.push_str("        }\n");
        text.push_str(&self.seed_loops(hook, sums, partials));
        text
    }

    /// The seeds with the slot they belong to and the parameter column that holds them.
    pub(super) fn seed_columns(&self) -> Vec<(usize, usize, usize)> {
        let Some((_, slots)) = self.tangent else {
            return Vec::new();
        };
        self.seeds()
            .iter()
            .enumerate()
            .filter_map(|(position, seed)| {
                let slot = slots.names.iter().position(|n| *n == seed.slot)?;
                let parameter = self
                    .mechanism
                    .parameters
                    .iter()
                    .position(|p| p.name == seed.parameter)?;
                Some((slot, parameter, self.mechanism.parameters.len() + position))
            })
            .collect()
    }

    /// For each parameter that slots move, a loop over these slots.
    fn seed_loops(&self, hook: Hook, sums: &[(Output, Partials)], partials: &PartialText) -> String {
        let mut text = String::new();
        for (parameter, moved, count) in self.moved_parameters() {
            let leaf = Leaf::Parameter(u32::try_from(parameter).unwrap_or(u32::MAX));
            let (mut lines, mut before, mut after) = (String::new(), String::new(), String::new());
            for &(output, ref sum) in sums {
                let Some(&(_, expr)) = sum.iter().find(|&&(l, _)| l == leaf) else {
                    continue;
                };
                let term = self.term(expr, &partials[&expr], "seed[j]");
                match (output, self.tangent_destination(hook, output, "k")) {
                    (Output::State(s), _) => {
                        let name = self.state_name(s);
                        let factor = if self.forgets(hook) { "decay * " } else { "" };
                        let state = self.sensitivity_column(self.active(s).unwrap_or(0), "k");
                        let _ = writeln!(before, "            double* restrict w_{name} = {state} + begin;");
                        let _ = writeln!(lines, "                w_{name}[j] += {factor}({term});");
                    }
                    (_, None) => {}
                    (_, Some(destination)) => {
                        // the slot's own value stands already: the seed is added to it, whatever the rule
                        let weighting = self.weighting(hook, destination.rule, "j");
                        let added = Destination {
                            rule: Rule::AddCurrent,
                            ..destination
                        };
                        before.push_str(&self.opening(&added, "            "));
                        after.push_str(&self.closing(&added, "            "));
                        let _ = writeln!(lines, "                {}[j] += {weighting}({term});", added.buffer);
                    }
                }
            }
            if lines.is_empty() {
                continue;
            }
            let name = &self.mechanism.parameters[parameter].name;
            let _ = write!(
                text,
                "        /* d({name})/d(slot) */
        static const uint32_t moved_{name}[][2] = {{{moved}}};
        for (uint32_t m = 0; m < {count}; ++m) {{
            const uint32_t k = moved_{name}[m][0];
            const double* seed = pp->parameters[moved_{name}[m][1]] + begin;
            if (!gd_any(seed, n)) continue; /* most slots move a parameter in a part of the cell only */
"
            );
            text.push_str(&before);
            text.push_str("            GD_VECTORISE\n            for (uint32_t j = 0; j < n; ++j) {\n");
            text.push_str(&lines);
            text.push_str("            }\n");
            text.push_str(&after);
            text.push_str("        }\n");
        }
        text
    }
}
