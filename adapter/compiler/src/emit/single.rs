//! Hooks that meet instances one by one: events, and spikes of the own cell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Names;
use super::block::{hook_name, ion_array};
use super::kernel;
use super::mechanism::Unit;
use crate::ir::graph::{ExprId, Leaf};
use crate::ir::mechanism::{Hook, IonQuantity, Output};

impl Unit<'_> {
    /// `apply_events` or `post_event`.
    pub(super) fn single_hook(&self, hook: Hook) -> String {
        let m = self.mechanism;
        let sums = self.sums(hook);
        let outputs = &m.kernel(hook).outputs;
        let results: Vec<ExprId> = outputs.iter().map(|&(_, e)| e).collect();
        let mut roots = results.clone();
        roots.extend(sums.iter().flat_map(|(_, p)| p).map(|&(_, e)| e));
        let code = kernel::write(m, &results, &roots, &|leaf| self.leaf_name(leaf));
        let events = if hook == Hook::NetReceive {
            ", arb_deliverable_event_stream* events"
        } else {
            ""
        };
        let mut out = format!(
            "static void {}_{}(arb_mechanism_ppack* pp{events}) {{\n",
            Names::symbol(&self.name),
            hook_name(hook)
        );
        out.push_str(&self.scalars(&code.leaves));
        out.push_str(&code.hoisted);
        if hook == Hook::NetReceive {
            out.push_str("    for (const arb_deliverable_event_data* event = events->begin; event != events->end; ++event) {\n        const uint32_t i = event->mech_index;\n");
            if code.leaves.contains(&Leaf::EventWeight) {
                out.push_str("            const double event_weight = event->weight;\n");
            }
        } else {
            out.push_str("    for (uint32_t i = 0; i < pp->width; ++i)\n    for (int32_t detector = 0; detector < pp->n_detectors; ++detector) {\n        const double since_spike = pp->time_since_spike[pp->n_detectors * pp->vec_ci[pp->node_index[i]] + detector];\n        if (since_spike < 0.0) continue;\n");
        }
        for &leaf in &code.leaves {
            if let Some(value) = self.single_load(leaf) {
                let _ = writeln!(out, "            const double {} = {value};", self.leaf_name(leaf));
            }
        }
        out.push_str(&code.climate);
        out.push_str(&code.body);
        out.push_str(&self.single_tangent(hook, &code.values));
        for &(output, expr) in outputs {
            let value = &code.values[&expr];
            match output {
                Output::State(s) => {
                    let _ = writeln!(out, "            pp->state_vars[{s}][i] = {value};");
                }
                Output::Diffusive(ion) => {
                    let ion = format!("pp->ion_states[{ion}]");
                    let at = format!("{ion}.diffusive_concentration[{ion}.index[i]]");
                    let _ = writeln!(out, "            {at} += {} * (({value}) - {at});", self.single_share());
                }
                Output::Current
                | Output::Conductance
                | Output::IonCurrent(_)
                | Output::Reversal(_)
                | Output::Voltage => {}
            }
        }
        out.push_str("    }\n}\n\n");
        out
    }

    fn single_share(&self) -> &'static str {
        if self.repeats() { "1.0" } else { "pp->weight[i]" }
    }

    fn single_load(&self, leaf: Leaf) -> Option<String> {
        let of_cv = |array: &str| Some(format!("pp->{array}[pp->node_index[i]]"));
        match leaf {
            Leaf::Voltage => of_cv("vec_v"),
            Leaf::Celsius => of_cv("temperature_degC"),
            Leaf::Diam => of_cv("diam_um"),
            Leaf::Area => of_cv("area_um2"),
            Leaf::PeerVoltage => Some("pp->vec_v[pp->peer_index[i]]".into()),
            Leaf::Parameter(p) => Some(format!("pp->parameters[{p}][i]")),
            Leaf::State(s) => Some(format!("pp->state_vars[{s}][i]")),
            Leaf::Noise(r) => Some(format!("pp->random_numbers[{r}][i]")),
            Leaf::IonRead(r) => {
                let read = self.mechanism.ion_reads[r as usize];
                let ion = format!("pp->ion_states[{}]", read.ion);
                Some(if read.quantity == IonQuantity::Charge {
                    format!("{ion}.ionic_charge[0]")
                } else {
                    format!(
                        "{}{ion}.{}[{ion}.index[i]]",
                        self.read_scale(read.quantity),
                        ion_array(read.quantity)
                    )
                })
            }
            Leaf::Dt | Leaf::Global(_) | Leaf::EventWeight | Leaf::SinceSpike | Leaf::Placeholder(_) => None,
        }
    }

    /// The tangent of an input for slot `k`.
    fn single_tangent_of(&self, leaf: Leaf) -> String {
        match leaf {
            Leaf::State(_) | Leaf::IonRead(_) => format!("old_{}", self.leaf_name(leaf)),
            Leaf::PeerVoltage => {
                let ion = self.carrier_ion("k");
                let at = format!("gd_position(pp, pp->node_index[i], {ion}.index[i], pp->peer_index[i])");
                format!("{ion}.internal_concentration[{at}]")
            }
            Leaf::Voltage
            | Leaf::Dt
            | Leaf::Celsius
            | Leaf::Diam
            | Leaf::Area
            | Leaf::Parameter(_)
            | Leaf::Global(_)
            | Leaf::Noise(_)
            | Leaf::EventWeight
            | Leaf::SinceSpike
            | Leaf::Placeholder(_) => {
                let ion = self.carrier_ion("k");
                format!("{ion}.internal_concentration[{ion}.index[i]]")
            }
        }
    }

    /// Moves the sensitivities, all in terms of the old ones.
    fn single_tangent(&self, hook: Hook, values: &BTreeMap<ExprId, String>) -> String {
        let sums = self.sums(hook);
        if sums.is_empty() {
            return String::new();
        }
        let mut text = String::from("            for (uint32_t k = 0; k < N_SLOTS; ++k) {\n");
        let mut read: Vec<Leaf> = sums.iter().flat_map(|(_, p)| p).map(|&(l, _)| l).collect();
        read.sort_unstable();
        read.dedup();
        for leaf in read {
            let old = match leaf {
                Leaf::State(s) => {
                    let column = self.sensitivity_column(self.active(s as usize).unwrap_or(0), "k");
                    format!("{column}[i]")
                }
                Leaf::IonRead(r) => {
                    let of = self.mechanism.ion_reads[r as usize];
                    let (ion, scale) = (self.tangent_ion(of.ion, "k"), self.read_scale(of.quantity));
                    let array = ion_array(of.quantity);
                    format!("{scale}{ion}.{array}[{ion}.index[i]]")
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
            let _ = writeln!(
                text,
                "                const double old_{} = {old};",
                self.leaf_name(leaf)
            );
        }
        for &(output, ref sum) in sums {
            let terms: Vec<String> = sum
                .iter()
                .filter(|(l, _)| !matches!(l, Leaf::Parameter(_)))
                .map(|&(leaf, e)| self.term(e, &values[&e], &self.single_tangent_of(leaf)))
                .collect();
            let total = if terms.is_empty() {
                "0.0".into()
            } else {
                terms.join(" + ")
            };
            if let Some((target, share)) = self.single_target(output, "k") {
                let line = match share {
                    Some(share) => format!("{target} += {share} * ({total} - {target});"),
                    None => format!("{target} = {total};"),
                };
                let _ = writeln!(text, "                {line}");
            }
        }
        text.push_str("            }\n");
        for (slot, parameter, column) in self.seed_columns() {
            let leaf = Leaf::Parameter(u32::try_from(parameter).unwrap_or(u32::MAX));
            for &(output, ref sum) in sums {
                let Some(&(_, e)) = sum.iter().find(|&&(l, _)| l == leaf) else {
                    continue;
                };
                let term = self.term(e, &values[&e], &format!("pp->parameters[{column}][i]"));
                if let Some((target, share)) = self.single_target(output, &slot.to_string()) {
                    let share = share.map_or(String::new(), |s| format!("{s} * "));
                    let _ = writeln!(text, "            {target} += {share}({term});");
                }
            }
        }
        text
    }

    /// Where the tangent of a result goes; the share by which it replaces what is there, if it is shared.
    fn single_target(&self, output: Output, slot: &str) -> Option<(String, Option<&'static str>)> {
        match output {
            Output::State(s) => Some((format!("{}[i]", self.sensitivity_column(self.active(s)?, slot)), None)),
            Output::Diffusive(ion) => {
                let ion = self.tangent_ion(ion, slot);
                let target = format!("{ion}.diffusive_concentration[{ion}.index[i]]");
                Some((target, Some(self.single_share())))
            }
            Output::Current | Output::Conductance | Output::IonCurrent(_) | Output::Reversal(_) | Output::Voltage => {
                None
            }
        }
    }
}
