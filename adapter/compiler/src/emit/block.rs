//! Hooks that work through all instances, block by block: the first loop evaluates the mechanism and its partials.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::kernel::{self, Code};
use super::mechanism::Unit;
use super::{Layout, Names};
use crate::ir::graph::{ExprId, Leaf};
use crate::ir::mechanism::{Hook, IonQuantity, Output};
use crate::pass::differentiate::Partials;

/// Statements of a loop beyond which it is not optimised as usual.
const LARGE: usize = 600;

/// A partial as C: an expression that is valid in the second loop.
pub(super) type PartialText = BTreeMap<ExprId, String>;

/// The host's array of an ion quantity.
pub(super) fn ion_array(quantity: IonQuantity) -> &'static str {
    match quantity {
        IonQuantity::ReversalPotential => "reversal_potential",
        IonQuantity::Internal => "internal_concentration",
        IonQuantity::External => "external_concentration",
        IonQuantity::Diffusive => "diffusive_concentration",
        IonQuantity::Current => "current_density",
        IonQuantity::Charge => "ionic_charge",
    }
}

/// C's name of the host's function behind a hook.
pub(super) fn hook_name(hook: Hook) -> &'static str {
    match hook {
        Hook::Init => "init",
        Hook::Currents => "compute_currents",
        Hook::Advance => "advance_state",
        Hook::NetReceive => "apply_events",
        Hook::PostEvent => "post_event",
    }
}

/// Where a result goes in the host's memory; none for stored variables.
pub(super) struct Destination {
    /// Name of the block's buffer.
    pub(super) buffer: String,
    pub(super) array: String,
    pub(super) index: String,
    pub(super) rule: Rule,
}

/// How a result gets there.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// Times weight and the unit's scale, added.
    AddCurrent,
    /// Moves the old value by the covered part of the difference.
    Mix,
    /// Takes its place.
    Store,
}

impl Unit<'_> {
    /// Where a result goes.
    pub(super) fn destination(&self, hook: Hook, output: Output) -> Option<Destination> {
        let ion = |i: usize| format!("pp->ion_states[{i}]");
        let of_ion = |prefix: &str, i: usize, array: &str, rule| {
            let name = &self.mechanism.ions[i].name;
            Some(Destination {
                buffer: format!("{prefix}_{name}__sum"),
                array: format!("{}.{array}", ion(i)),
                index: format!("{}.index", ion(i)),
                rule,
            })
        };
        let of_cv = |buffer: &str, array: &str, rule| {
            Some(Destination {
                buffer: buffer.into(),
                array: format!("pp->{array}"),
                index: "pp->node_index".into(),
                rule,
            })
        };
        match output {
            Output::State(_) => None,
            Output::Current => of_cv("i__sum", "vec_i", Rule::AddCurrent),
            Output::Conductance => of_cv("g__sum", "vec_g", Rule::AddCurrent),
            Output::Voltage => of_cv("v__sum", "vec_v", Rule::Store),
            Output::IonCurrent(i) => of_ion("i", i, "current_density", Rule::AddCurrent),
            Output::Reversal(i) => of_ion("e", i, "reversal_potential", Rule::Store),
            Output::Diffusive(i) => {
                let rule = if hook == Hook::Init { Rule::Store } else { Rule::Mix };
                of_ion("d", i, "diffusive_concentration", rule)
            }
        }
    }

    /// The input that a mixing result replaces.
    pub(super) fn mixed_leaf(&self, output: Output) -> Option<Leaf> {
        let Output::Diffusive(ion) = output else { return None };
        let read = self
            .mechanism
            .ion_reads
            .iter()
            .position(|r| r.ion == ion && r.quantity == IonQuantity::Diffusive)?;
        Some(Leaf::IonRead(u32::try_from(read).ok()?))
    }

    fn needs_weight(&self, hook: Hook) -> bool {
        self.mechanism
            .kernel(hook)
            .outputs
            .iter()
            .filter_map(|&(o, _)| self.destination(hook, o))
            .any(|d| d.rule != Rule::Store)
    }

    /// The share of its CV that an instance stands for, as `weight` of a mixing result.
    pub(super) fn share(&self, instance: &str) -> String {
        if self.repeats() {
            "1.0".into()
        } else {
            format!("weight__at[{instance}]")
        }
    }

    pub(super) fn gather(&self) -> &'static str {
        if self.repeats() { "gd_gather_each" } else { "gd_gather" }
    }

    pub(super) fn scatter(&self, rule: Rule) -> &'static str {
        match rule {
            Rule::Store => "gd_scatter",
            Rule::AddCurrent | Rule::Mix if self.repeats() => "gd_scatter_add_each",
            Rule::AddCurrent | Rule::Mix => "gd_scatter_add",
        }
    }

    /// The declaration of a result's buffer; sums are kept where they belong if that can be.
    pub(super) fn opening(&self, d: &Destination, indent: &str) -> String {
        let Destination {
            buffer,
            array,
            index,
            rule,
        } = d;
        if *rule != Rule::AddCurrent {
            return format!("{indent}double {buffer}[GD_BLOCK];\n");
        }
        // a current that is read and added to must not change while it is read
        let reads_currents = self
            .mechanism
            .ion_reads
            .iter()
            .any(|r| r.quantity == IonQuantity::Current);
        let open = if self.repeats() || reads_currents {
            "gd_open_each"
        } else {
            "gd_open"
        };
        format!(
            "{indent}double {buffer}__own[GD_BLOCK];\n{indent}double* restrict {buffer} = {open}({array}, {index} + begin, n, {buffer}__own);\n"
        )
    }

    /// What brings a result from its buffer to where it belongs.
    pub(super) fn closing(&self, d: &Destination, indent: &str) -> String {
        let Destination {
            buffer,
            array,
            index,
            rule,
        } = d;
        if *rule == Rule::AddCurrent {
            return format!("{indent}gd_close({array}, {index} + begin, n, {buffer}__own, {buffer});\n");
        }
        format!(
            "{indent}{}({array}, {index} + begin, n, {buffer});\n",
            self.scatter(*rule)
        )
    }

    /// Pointers to the block's inputs and to the states it sets, before the loop; the loads, in the loop.
    fn inputs(&self, hook: Hook, code: &Code) -> (String, String) {
        self.inputs_at(hook, code, ("pp->vec_v", "pp->node_index + begin"))
    }

    /// The same, with the array of the voltage and its index.
    pub(super) fn inputs_at(&self, hook: Hook, code: &Code, voltage: (&str, &str)) -> (String, String) {
        let (mut pointers, mut loads) = (String::new(), String::new());
        let set: Vec<usize> = self.mechanism.kernel(hook).states().map(|(s, _)| s).collect();
        for &state in &set {
            let name = self.state_name(state);
            let _ = writeln!(
                pointers,
                "        double* restrict s_{name}__at = pp->state_vars[{state}] + begin;"
            );
        }
        for &leaf in &code.leaves {
            let name = self.leaf_name(leaf);
            let gathered = |gather: &str, array: &str, index: &str| {
                format!(
                    "        double {name}__buffer[GD_BLOCK];\n        const double* {name}__at = {gather}({array}, {index}, n, {name}__buffer);\n"
                )
            };
            let of_cv = |array: &str| gathered(self.gather(), &format!("pp->{array}"), "pp->node_index + begin");
            let mut scale = "";
            match leaf {
                Leaf::Dt | Leaf::Global(_) | Leaf::Placeholder(_) | Leaf::EventWeight | Leaf::SinceSpike => continue,
                Leaf::Voltage => pointers.push_str(&gathered(self.gather(), voltage.0, voltage.1)),
                Leaf::PeerVoltage => {
                    pointers.push_str(&gathered("gd_gather_each", "pp->vec_v", "pp->peer_index + begin"))
                }
                Leaf::Celsius => pointers.push_str(&of_cv("temperature_degC")),
                Leaf::Diam => pointers.push_str(&of_cv("diam_um")),
                Leaf::Area => pointers.push_str(&of_cv("area_um2")),
                Leaf::Parameter(i) => {
                    let _ = writeln!(
                        pointers,
                        "        const double* {name}__at = pp->parameters[{i}] + begin;"
                    );
                    if let Some((law, value)) = self.moving_parameter(hook, i as usize) {
                        pointers.push_str(&law);
                        let _ = writeln!(loads, "            const double {name} = {value};");
                        continue;
                    }
                }
                Leaf::Noise(i) => {
                    let _ = writeln!(
                        pointers,
                        "        const double* {name}__at = pp->random_numbers[{i}] + begin;"
                    );
                }
                Leaf::State(i) if set.contains(&(i as usize)) => {}
                Leaf::State(i) => {
                    let _ = writeln!(
                        pointers,
                        "        const double* {name}__at = pp->state_vars[{i}] + begin;"
                    );
                }
                Leaf::IonRead(i) => {
                    let read = self.mechanism.ion_reads[i as usize];
                    let ion = format!("pp->ion_states[{}]", read.ion);
                    if read.quantity == IonQuantity::Charge {
                        let _ = writeln!(loads, "            const double {name} = {ion}.ionic_charge[0];");
                        continue;
                    }
                    scale = self.read_scale(read.quantity);
                    let array = format!("{ion}.{}", ion_array(read.quantity));
                    pointers.push_str(&gathered(self.gather(), &array, &format!("{ion}.index + begin")));
                }
            }
            if leaf != Leaf::Celsius || code.reads_temperature {
                let _ = writeln!(loads, "            const double {name} = {scale}{name}__at[j];");
            }
        }
        for name in &code.climate_names {
            let _ = writeln!(loads, "            const double {name} = {name}__at[j];");
        }
        (pointers, loads)
    }

    /// A hook over all instances.
    pub(super) fn block_hook(&self, hook: Hook) -> String {
        let m = self.mechanism;
        let sums = self.sums(hook);
        let outputs = &m.kernel(hook).outputs;
        let results: Vec<ExprId> = outputs.iter().map(|&(_, e)| e).collect();
        let mut roots = results.clone();
        let afresh = hook == Hook::Currents && self.weighs_afresh();
        roots.extend(sums.iter().filter(|_| !afresh).flat_map(|(_, p)| p).map(|&(_, e)| e));
        let signature = format!(
            "{} void {}_{}(arb_mechanism_ppack* pp) {{\n",
            match hook {
                Hook::Init => "GD_ONCE static",
                Hook::Advance => "GD_LOCAL",
                Hook::Currents | Hook::NetReceive | Hook::PostEvent => "static",
            },
            Names::symbol(&self.name),
            hook_name(hook)
        );
        let listed = self.seed_list().filter(|_| hook == Hook::Init);
        let listed = listed.map_or(String::new(), |(_, writes)| writes);
        let note = self.late_note(hook);
        if roots.is_empty() && listed.is_empty() && note.is_empty() {
            return signature + "    (void)pp;\n}\n\n";
        }
        let mut code = kernel::write(m, &results, &roots, &|leaf| self.leaf_name(leaf));
        let mixed = outputs.iter().filter_map(|&(o, _)| {
            let mixes = self.destination(hook, o).is_some_and(|d| d.rule == Rule::Mix);
            self.mixed_leaf(o).filter(|_| mixes)
        });
        code.leaves.extend(mixed);
        code.leaves.sort_unstable();
        code.leaves.dedup();
        let large = code.body.lines().count() > LARGE;
        let mut out = if large {
            format!("GD_LARGE {signature}")
        } else {
            signature
        };
        if hook == Hook::Currents && !self.terms().is_empty() {
            let _ = writeln!(out, "    gd_tell({}, pp);", self.contributor);
        }
        out.push_str(&self.scalars(&code.leaves));
        out.push_str(&code.hoisted);
        if self.forgets(hook) {
            let _ = writeln!(
                out,
                "    const double decay = gd_decay(pp->globals[{}], pp->dt);",
                m.globals.len()
            );
        }
        if !code.climate_names.is_empty() {
            out.push_str("    double climate = NAN;\n");
            for name in &code.climate_names {
                let _ = writeln!(out, "    double {name}__at[GD_BLOCK];");
            }
        }
        out.push_str("    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {\n");
        out.push_str("        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;\n");
        let (evaluation, partials) = self.first_loop(hook, &code);
        out.push_str(&evaluation);
        for destination in outputs.iter().filter_map(|&(o, _)| self.destination(hook, o)) {
            out.push_str(&self.closing(&destination, "        "));
        }
        if hook == Hook::Currents {
            out.push_str(&self.copies());
        }
        let own_sums = self.own_sums(hook);
        out.push_str(&self.second_loop(hook, &own_sums, &partials));
        out.push_str(&self.law_block(hook));
        out.push_str(&listed);
        out.push_str("    }\n");
        if hook == Hook::Init {
            out.push_str(&self.multiplicity());
        }
        out.push_str(&note);
        out.push_str("}\n\n");
        if self.puts_off(hook) {
            return out;
        }
        self.row_loop(hook, &own_sums, &partials) + &out
    }

    /// Whether the hook makes sensitivities fade.
    pub(super) fn forgets(&self, hook: Hook) -> bool {
        let fades = |p: &Partials| p.iter().any(|(l, _)| matches!(l, Leaf::State(_) | Leaf::Parameter(_)));
        hook == Hook::Advance
            && self
                .sums(hook)
                .iter()
                .any(|(o, p)| matches!(o, Output::State(_)) && fades(p))
    }

    /// Evaluates the mechanism and its partials over one block.
    fn first_loop(&self, hook: Hook, code: &Code) -> (String, PartialText) {
        let m = self.mechanism;
        let (pointers, loads) = self.inputs(hook, code);
        let mut declarations = String::new();
        let mut stores = String::new();
        let mut partials = PartialText::new();
        if self.needs_weight(hook) {
            declarations.push_str("        const double* weight__at = pp->weight + begin;\n");
        }
        for &(output, expr) in &m.kernel(hook).outputs {
            let value = &code.values[&expr];
            match (output, self.destination(hook, output)) {
                (Output::State(state), _) => {
                    let _ = writeln!(stores, "            s_{}__at[j] = {value};", self.state_name(state));
                }
                (_, Some(destination)) => {
                    declarations.push_str(&self.opening(&destination, "        "));
                    let Destination { buffer, rule, .. } = destination;
                    let text = match rule {
                        Rule::AddCurrent => format!("w * ({value})"),
                        Rule::Store => value.clone(),
                        Rule::Mix => {
                            let old = self.mixed_leaf(output).map_or("0.0".into(), |l| self.leaf_name(l));
                            format!("{} * (({value}) - {old})", self.share("j"))
                        }
                    };
                    let assign = if rule == Rule::AddCurrent { "+=" } else { "=" };
                    let _ = writeln!(stores, "            {buffer}[j] {assign} {text};");
                }
                (_, None) => {}
            }
        }
        let (mut count, weighed, late) = (0, self.weighs_partials(hook), self.puts_off(hook));
        for &(_, expr) in self.own_sums(hook).iter().flat_map(|(_, sum)| sum) {
            if partials.contains_key(&expr) {
                continue;
            }
            if code.uniform.contains(&expr) && !weighed && self.layout == Layout::Columns {
                partials.insert(expr, code.values[&expr].clone());
                continue;
            }
            count += 1;
            let name = match self.layout {
                Layout::Columns => {
                    let _ = writeln!(declarations, "        double d{count}[GD_BLOCK];");
                    format!("d{count}[j]")
                }
                Layout::Rows if late => format!("late_{count}[j]"),
                Layout::Rows => format!("partial[{}][j]", count - 1),
            };
            let value = &code.values[&expr];
            let value = if weighed {
                format!("w * ({value})")
            } else {
                value.clone()
            };
            let _ = writeln!(stores, "            {name} = {value};");
            partials.insert(expr, name);
        }
        if late {
            declarations.push_str(&self.late_partials("        double* restrict").0);
        } else if self.layout == Layout::Rows && count > 0 {
            let _ = writeln!(declarations, "        double partial[{count}][GD_BLOCK];");
        }
        for (column, name, expr) in self.stored_terms(hook) {
            let _ = writeln!(
                declarations,
                "        double* restrict {name} = pp->state_vars[{column}] + begin;"
            );
            let _ = writeln!(stores, "            {name}[j] = w * ({});", code.values[&expr]);
        }
        let mut text = declarations;
        text.push_str(&pointers);
        text.push_str(&climate_loop(code));
        text.push_str("        GD_VECTORISE\n        for (uint32_t j = 0; j < n; ++j) {\n");
        text.push_str(&loads);
        if stores.contains("= w * (") {
            let _ = writeln!(
                text,
                "            const double w = {}weight__at[j];",
                self.current_scale()
            );
        }
        text.push_str(&code.body);
        text.push_str(&stores);
        text.push_str("        }\n");
        (text, partials)
    }
}

/// Evaluates what depends on the temperature: once for all blocks of the same temperature, else for each instance.
fn climate_loop(code: &Code) -> String {
    if code.climate_names.is_empty() {
        return String::new();
    }
    let (mut stores, mut spread) = (String::new(), String::new());
    for name in &code.climate_names {
        let _ = writeln!(stores, "                {name}__at[j] = {name};");
        let _ = writeln!(spread, "                {name}__at[j] = {name}__at[0];");
    }
    format!(
        "        const int level = gd_level(celsius__at, n);
        if (!level || celsius__at[0] != climate) {{
            for (uint32_t j = 0; j < (level ? 1 : n); ++j) {{
                const double celsius = celsius__at[j];
{}{stores}            }}
            for (uint32_t j = 1; level && j < GD_BLOCK; ++j) {{
{spread}            }}
            climate = level ? celsius__at[0] : NAN;
        }}
",
        code.climate.replace("            const", "                const")
    )
}
