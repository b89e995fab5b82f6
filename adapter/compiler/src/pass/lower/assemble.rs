//! From executed blocks to a mechanism: stored variables are found and numbered, results get their destinations.

use std::collections::{BTreeMap, BTreeSet};

use super::execute::{self, Env, Kink};
use super::symbols::{Role, Symbol, Symbols};
use super::{Executed, Integrator, Kernels, Lowered, solve};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::graph::{Binary, ExprId, Graph, Leaf, Node, Type, Unary};
use crate::ir::mechanism::{Concentration, Hook, IonRead, Kernel, Kind, Mechanism, Output, StateVar, Storage};
use crate::pass::differentiate::derivative;
use crate::syntax::ast::Ast;

/// The kernels before stored variables are numbered.
pub(super) struct Assembly<'a, 's> {
    pub(super) symbols: &'s Symbols<'a>,
    pub(super) kernels: Kernels,
    pub(super) integrator: Integrator,
    pub(super) spoken: Vec<execute::Spoken>,
    pub(super) stood_for: Vec<BTreeMap<Leaf, ExprId>>,
}

fn sum(graph: &mut Graph, terms: impl Iterator<Item = ExprId>) -> ExprId {
    let zero = graph.zero();
    terms.fold(zero, |a, b| graph.add(a, b))
}

/// NEURON's conductance: (I(v + δ) − I(v))/δ with δ = 0.001 mV.
fn secant_conductance(graph: &mut Graph, total: ExprId) -> ExprId {
    let delta = graph.constant(0.001);
    let v = graph.leaf(Leaf::Voltage);
    let shifted = graph.add(v, delta);
    let above = graph.substitute(&[total], &BTreeMap::from([(Leaf::Voltage, shifted)]))[0];
    let difference = graph.sub(above, total);
    graph.div(difference, delta)
}

fn u32_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// New numbers of what the graph reads.
struct Numbering {
    /// Stored variables by position in the table of variables.
    states: BTreeMap<usize, usize>,
    leaves: BTreeMap<Leaf, ExprId>,
    ion_reads: Vec<IonRead>,
}

impl Assembly<'_, '_> {
    fn executed(&self, hook: Hook) -> Option<&Executed> {
        match hook {
            Hook::Init => Some(&self.kernels.init),
            Hook::Currents => Some(&self.kernels.currents),
            Hook::Advance => Some(&self.kernels.advance),
            Hook::NetReceive => self.kernels.net_receive.as_ref(),
            Hook::PostEvent => self.kernels.post_event.as_ref(),
        }
    }

    /// Everything that runs after INITIAL.
    fn running(&self) -> impl Iterator<Item = &Env> {
        Hook::ALL[1..].iter().filter_map(|&h| self.executed(h)).map(|e| &e.env)
    }

    fn is_stored(&self, variable: usize) -> bool {
        matches!(self.symbols.entry(variable), Leaf::State(_))
    }

    /// True if a kernel gives the variable a new value.
    fn sets(&self, graph: &mut Graph, env: &Env, variable: usize) -> bool {
        let entry = graph.leaf(self.symbols.entry(variable));
        env.variables[variable].is_some_and(|value| value != entry)
    }

    /// Results of the currents that are no stored variables.
    fn currents(&self, graph: &mut Graph) -> Vec<(Output, ExprId)> {
        let env = &self.kernels.currents.env;
        let vars = &self.symbols.currents;
        let mut out = Vec::new();
        if !vars.is_empty() {
            let mut outward = |values: &[Option<ExprId>]| {
                let terms: Vec<ExprId> = vars
                    .iter()
                    .zip(values)
                    .filter_map(|(var, value)| {
                        let value = (*value)?;
                        Some(if var.inward { graph.neg(value) } else { value })
                    })
                    .collect();
                sum(graph, terms.into_iter())
            };
            let total = outward(&env.currents);
            let symbolic = outward(&env.conductances);
            let conductance = match self.integrator {
                Integrator::Arbor => symbolic,
                Integrator::Neuron if !env.hints.is_empty() => sum(graph, env.hints.iter().copied()),
                Integrator::Neuron => secant_conductance(graph, total),
            };
            out.extend([(Output::Current, total), (Output::Conductance, conductance)]);
        }
        out.extend(
            vars.iter()
                .zip(&env.currents)
                .filter_map(|(var, value)| Some((Output::IonCurrent(var.ion?), (*value)?))),
        );
        if self.symbols.kind == Kind::Voltage && env.voltage != graph.leaf(Leaf::Voltage) {
            out.push((Output::Voltage, env.voltage));
        }
        out
    }

    /// What a kernel gives an ion directly.
    fn ion_outputs(&self, graph: &mut Graph, env: &Env) -> Vec<(Output, ExprId)> {
        let mut out = Vec::new();
        for (i, variable) in self.symbols.variables.iter().enumerate() {
            let output = match variable.role {
                Role::Diffusive { ion, .. } => Output::Diffusive(ion),
                Role::Reversal { ion, .. } => Output::Reversal(ion),
                Role::State
                | Role::Assigned
                | Role::Static
                | Role::Adjusted(_)
                | Role::Concentration { .. }
                | Role::Time => continue,
            };
            if let (true, Some(value)) = (self.sets(graph, env, i), env.variables[i]) {
                out.push((output, value));
            }
        }
        out
    }

    /// Reversal potentials change where currents are computed and nowhere else: hosts expect it, and whoever reads one
    /// could not know which of two values is meant.
    fn refuse_stray_reversal(&self, hook: Hook, outputs: &[(Output, ExprId)], diagnostics: &mut Vec<Diagnostic>) {
        if hook == Hook::Currents || !outputs.iter().any(|(o, _)| matches!(o, Output::Reversal(_))) {
            return;
        }
        for variable in &self.symbols.variables {
            if let Role::Reversal { .. } = variable.role {
                diagnostics.push(
                    Diagnostic::error(
                        Code::Unsupported,
                        variable.span,
                        format!("`{}` is set outside BREAKPOINT", variable.name),
                    )
                    .note("BREAKPOINT sets a reversal potential in every step, before anything reads it")
                    .help(format!("set `{}` in BREAKPOINT only", variable.name)),
                );
            }
        }
    }

    /// Variables that users want to see though no kernel needs them.
    fn observed(&self, graph: &mut Graph) -> Vec<bool> {
        let envs: Vec<&Env> = std::iter::once(&self.kernels.init.env).chain(self.running()).collect();
        (0..self.symbols.variables.len())
            .map(|i| {
                self.symbols.variables[i].is_range
                    && self.is_stored(i)
                    && envs.iter().any(|env| self.sets(graph, env, i))
            })
            .collect()
    }

    /// Variables whose stored value some kernel reads, from the results backwards.
    fn live(&self, graph: &mut Graph, results: &[ExprId], observed: &[bool]) -> Vec<bool> {
        let kept = |role: Role| matches!(role, Role::State | Role::Concentration { .. });
        let mut live: Vec<bool> = self.symbols.variables.iter().map(|v| kept(v.role)).collect();
        loop {
            let mut roots = results.to_vec();
            for i in (0..live.len()).filter(|&i| live[i] || observed[i]) {
                roots.extend(self.running().filter_map(|env| env.variables[i]).filter(|&e| {
                    // that it keeps its value is no reason to store it
                    e != graph.leaf(self.symbols.entry(i)) || live[i]
                }));
            }
            let mut next = live.clone();
            for leaf in graph.leaves(&roots) {
                if let Leaf::State(i) = leaf {
                    next[i as usize] = true;
                }
            }
            if next == live {
                return live;
            }
            live = next;
        }
    }

    /// Numbers the stored variables and puts the mechanism together.
    pub(super) fn finish(
        self,
        ast: &Ast,
        mut graph: Graph,
        mut kinks: Vec<Kink>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Lowered {
        let mut results = self.currents(&mut graph);
        let mut of_ions: BTreeMap<Hook, Vec<(Output, ExprId)>> = BTreeMap::new();
        for hook in Hook::ALL {
            if let Some(executed) = self.executed(hook) {
                let outputs = self.ion_outputs(&mut graph, &executed.env);
                self.refuse_stray_reversal(hook, &outputs, diagnostics);
                of_ions.insert(hook, outputs);
            }
        }
        let mut roots: Vec<ExprId> = results.iter().map(|&(_, e)| e).collect();
        roots.extend(
            of_ions
                .iter()
                .filter(|(h, _)| **h != Hook::Init)
                .flat_map(|(_, o)| o)
                .map(|&(_, e)| e),
        );
        let observed = self.observed(&mut graph);
        let live = self.live(&mut graph, &roots, &observed);
        let (states, positions) = self.number(&live, &observed);
        if let Some(currents) = of_ions.get_mut(&Hook::Currents) {
            results.append(currents);
            *currents = results;
        }

        let mut outputs: BTreeMap<Hook, Vec<(Output, ExprId)>> = BTreeMap::new();
        for hook in Hook::ALL {
            let Some(executed) = self.executed(hook) else { continue };
            let mut out = of_ions.remove(&hook).unwrap_or_default();
            for (&variable, &state) in &positions {
                let value = executed.env.variables[variable];
                let value = match (hook, value) {
                    (Hook::Init, None) => {
                        self.default_initial(&mut graph, variable, states[state].storage, &roots, diagnostics)
                    }
                    (Hook::Init, Some(value)) => value,
                    (_, Some(value)) if value != graph.leaf(self.symbols.entry(variable)) => value,
                    _ => continue,
                };
                out.push((Output::State(state), value));
            }
            outputs.insert(hook, out);
        }
        let numbering = self.numbering(&mut graph, &outputs, positions);
        self.renumber_kinks(&mut graph, &numbering, &mut kinks);
        let mut kernels: BTreeMap<Hook, Kernel> = BTreeMap::new();
        for (hook, out) in outputs {
            let solves = self.executed(hook).map_or(&[][..], |e| &e.solves);
            let exprs: Vec<ExprId> = out.iter().map(|&(_, e)| e).collect();
            let exprs = graph.substitute(&exprs, &numbering.leaves);
            let mut outputs: Vec<(Output, ExprId)> = out.iter().map(|&(o, _)| o).zip(exprs).collect();
            outputs.sort_unstable();
            let solves = solves
                .iter()
                .map(|s| s.map(|e| graph.substitute(e, &numbering.leaves)))
                .collect();
            kernels.insert(hook, Kernel { outputs, solves });
        }
        self.refuse_stray_noise(&graph, &kernels, ast, diagnostics);
        let spoken = self.spoken(&graph, &numbering);
        let mut take = |hook| kernels.remove(&hook).unwrap_or_default();
        let mut mechanism = Mechanism {
            name: ast.neuron.suffix.as_ref().map(|s| s.name.clone()).unwrap_or_default(),
            kind: self.symbols.kind,
            globals: self.symbols.globals.clone(),
            parameters: self.symbols.parameters.clone(),
            ranged: self.symbols.ranged.clone(),
            ions: self.symbols.ions.clone(),
            noise: self.symbols.noise.clone(),
            init: take(Hook::Init),
            currents: take(Hook::Currents),
            advance: take(Hook::Advance),
            net_receive: take(Hook::NetReceive),
            post_event: take(Hook::PostEvent),
            concentrations: self.concentrations(&numbering),
            ion_reads: numbering.ion_reads,
            states,
            linear: false,
            graph,
            spoken,
        };
        mechanism.linear = superposes(&mut mechanism);
        Lowered { mechanism, kinks }
    }

    /// The table of stored variables, and the position in it of each variable that is stored.
    fn number(&self, live: &[bool], observed: &[bool]) -> (Vec<StateVar>, BTreeMap<usize, usize>) {
        let mut states = Vec::new();
        let mut positions = BTreeMap::new();
        let storage_of = |i: usize| {
            let variable = &self.symbols.variables[i];
            match variable.role {
                Role::Diffusive { .. } | Role::Reversal { .. } => None,
                Role::State => Some(Storage::State),
                Role::Concentration { .. } if variable.is_state => Some(Storage::State),
                Role::Concentration { .. } => Some(Storage::Carried),
                Role::Time => live[i].then_some(Storage::Time),
                Role::Assigned | Role::Static | Role::Adjusted(_) if live[i] => Some(Storage::Carried),
                Role::Assigned | Role::Static | Role::Adjusted(_) => observed[i].then_some(Storage::Observed),
            }
        };
        // STATE in the order of their declaration, wherever USEION has put those that are concentrations
        let mut order: Vec<usize> = (0..self.symbols.variables.len()).collect();
        order.sort_by_key(|&i| (self.symbols.variables[i].span, i));
        // what no kernel reads comes last, so that it can be dropped without renumbering the rest
        for storage in [Storage::State, Storage::Carried, Storage::Time, Storage::Observed] {
            for &i in order.iter().filter(|&&i| storage_of(i) == Some(storage)) {
                positions.insert(i, states.len());
                states.push(StateVar {
                    name: self.symbols.variables[i].name.clone(),
                    unit: self.symbols.variables[i].unit.clone(),
                    storage,
                });
            }
        }
        (states, positions)
    }

    fn numbering(
        &self,
        graph: &mut Graph,
        outputs: &BTreeMap<Hook, Vec<(Output, ExprId)>>,
        states: BTreeMap<usize, usize>,
    ) -> Numbering {
        let mut leaves: BTreeMap<Leaf, ExprId> = BTreeMap::new();
        for (&variable, &state) in &states {
            let leaf = graph.leaf(Leaf::State(u32_of(state)));
            leaves.insert(Leaf::State(u32_of(variable)), leaf);
        }
        let roots: Vec<ExprId> = outputs.values().flatten().map(|&(_, e)| e).collect();
        let mut ion_reads = Vec::new();
        let mut read = graph.leaves(&roots);
        // what replaces a part of Xd needs to know what was there
        for variable in &self.symbols.variables {
            if let Role::Diffusive { read: of, .. } = variable.role {
                read.push(Leaf::IonRead(of));
            }
        }
        read.sort_unstable();
        read.dedup();
        for leaf in read {
            if let Leaf::IonRead(read) = leaf {
                let renamed = graph.leaf(Leaf::IonRead(u32_of(ion_reads.len())));
                leaves.insert(leaf, renamed);
                ion_reads.push(self.symbols.ion_reads[read as usize]);
            }
        }
        Numbering {
            states,
            leaves,
            ion_reads,
        }
    }

    /// Kinks were met while placeholders stood for old states; they only ask what decides them.
    fn renumber_kinks(&self, graph: &mut Graph, numbering: &Numbering, kinks: &mut [Kink]) {
        let mut of_kinks = numbering.leaves.clone();
        of_kinks.insert(execute::V_OF_CURRENT, graph.leaf(Leaf::Voltage));
        for variable in 0..self.symbols.variables.len() {
            let entry = self.symbols.entry(variable);
            let stored = match (entry, numbering.leaves.get(&entry)) {
                (_, Some(&renamed)) => renamed,
                _ => graph.zero(),
            };
            of_kinks.insert(entry, stored);
            of_kinks.insert(solve::old(variable), stored);
        }
        for read in 0..self.symbols.ion_reads.len() {
            let leaf = Leaf::IonRead(u32_of(read));
            let zero = graph.zero();
            of_kinks.entry(leaf).or_insert(zero);
        }
        // one pass for all: a file may hold thousands
        let all: Vec<ExprId> = kinks.iter().flat_map(|k| &k.decided_by).copied().collect();
        let mut renumbered = graph.substitute(&all, &of_kinks).into_iter();
        for kink in kinks {
            kink.decided_by = renumbered.by_ref().take(kink.decided_by.len()).collect();
        }
    }

    /// The source's names of expressions that have come through lowering. Worked out on a copy of the graph: another
    /// order of its nodes would be another order of operands.
    fn spoken(&self, graph: &Graph, numbering: &Numbering) -> Vec<(ExprId, String)> {
        let mut scratch = graph.clone();
        let mut out: Vec<(ExprId, String)> = Vec::new();
        for block in 0..=self.stood_for.len() {
            let of_block: Vec<&execute::Spoken> = self.spoken.iter().filter(|s| s.block == block).collect();
            let mut values: Vec<ExprId> = of_block.iter().map(|s| s.value).collect();
            if let Some(stood_for) = self.stood_for.get(block) {
                values = scratch.substitute(&values, stood_for);
            }
            let values = scratch.substitute(&values, &numbering.leaves);
            out.extend(values.into_iter().zip(of_block.iter().map(|s| s.name.clone())));
        }
        out.retain(|(value, _)| value.index() < graph.len());
        let mut seen = BTreeSet::new();
        out.retain(|(value, _)| seen.insert(*value));
        out
    }

    fn concentrations(&self, numbering: &Numbering) -> Vec<Concentration> {
        self.symbols
            .variables
            .iter()
            .enumerate()
            .filter_map(|(i, variable)| {
                let Role::Concentration { ion, quantity, .. } = variable.role else {
                    return None;
                };
                Some(Concentration {
                    ion,
                    quantity,
                    state: *numbering.states.get(&i)?,
                })
            })
            .collect()
    }

    /// The initial value of a stored variable that INITIAL leaves alone, with a warning where it is a guess.
    fn default_initial(
        &self,
        graph: &mut Graph,
        variable: usize,
        storage: Storage,
        results: &[ExprId],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> ExprId {
        let declared = &self.symbols.variables[variable];
        if let Role::Concentration { read, .. } = declared.role {
            return graph.leaf(Leaf::IonRead(read));
        }
        if let Role::Adjusted(leaf) = declared.role {
            return graph.leaf(leaf);
        }
        if declared.is_state {
            let name = declared.name.split('[').next().unwrap_or_default();
            match self.symbols.by_name.get(&format!("{name}0")) {
                Some(&Symbol::Parameter(i)) => return graph.leaf(Leaf::Parameter(i)),
                Some(&Symbol::Global(i)) => return graph.leaf(Leaf::Global(i)),
                _ => {}
            }
        }
        let what = match storage {
            Storage::State => Some((
                Code::UninitialisedState,
                format!("INITIAL does not set STATE `{}`, which starts at 0", declared.name),
            )),
            Storage::Carried if declared.role == Role::Assigned && self.is_read_first(graph, variable, results) => {
                Some((
                    Code::ReadBeforeWrite,
                    format!("`{}` is read before anything sets it, and is 0 there", declared.name),
                ))
            }
            Storage::Carried | Storage::Observed | Storage::Time => None,
        };
        if let Some((code, message)) = what {
            diagnostics.push(
                Diagnostic::warning(code, declared.span, message)
                    .note("NEURON starts it at 0; in Arbor it is not a number"),
            );
        }
        graph.zero()
    }

    /// Currents run before the first advance: what they set and do not read needs no initial value.
    fn is_read_first(&self, graph: &mut Graph, variable: usize, results: &[ExprId]) -> bool {
        let own = graph.leaf(self.symbols.entry(variable));
        let env = &self.kernels.currents.env;
        let mut roots: Vec<ExprId> = env.variables.iter().flatten().copied().filter(|&r| r != own).collect();
        roots.extend(results);
        let read = graph.leaves(&roots).contains(&self.symbols.entry(variable));
        read || !self.sets(graph, env, variable)
    }

    /// Only the equations of a `stochastic` step may read noise.
    fn refuse_stray_noise(
        &self,
        graph: &Graph,
        kernels: &BTreeMap<Hook, Kernel>,
        ast: &Ast,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        for (_, kernel) in kernels.iter().filter(|(h, _)| **h != Hook::Advance) {
            for leaf in graph.leaves(&kernel.roots()) {
                if let Leaf::Noise(i) = leaf {
                    let ident = &ast.white_noise[i as usize];
                    diagnostics.push(
                        Diagnostic::error(
                            Code::UnknownMethod,
                            ident.span,
                            format!("`{}` is read outside of a stochastic equation", ident.name),
                        )
                        .help("use it in the DERIVATIVE block of a SOLVE with METHOD stochastic"),
                    );
                }
            }
        }
    }
}

/// Whether instances with equal parameters may be merged: currents and steps are linear and homogeneous in the states,
/// events add to them, and nothing else remembers.
fn superposes(m: &mut Mechanism) -> bool {
    let remembers = Hook::ALL[1..]
        .iter()
        .flat_map(|&h| m.kernel(h).states())
        .any(|(s, _)| matches!(m.states[s].storage, Storage::Carried | Storage::Time));
    if m.kind != Kind::Point || !m.noise.is_empty() || !m.concentrations.is_empty() || remembers {
        return false;
    }
    if !m.post_event.outputs.is_empty() {
        return false;
    }
    let own: Vec<Leaf> = (0..m.states.len())
        .filter(|&s| m.states[s].storage == Storage::State)
        .map(|s| Leaf::State(u32_of(s)))
        .collect();
    let g = &mut m.graph;
    let zero = g.zero();
    let at_rest: BTreeMap<Leaf, ExprId> = own.iter().map(|&l| (l, zero)).collect();
    for &(output, e) in m.currents.outputs.iter().chain(&m.advance.outputs) {
        if matches!(output, Output::Diffusive(_)) || !is_zero_sum(g, e, &at_rest) || bends(g, e, &own) {
            return false;
        }
        for &leaf in &own {
            let slope = derivative(g, e, leaf);
            if g.leaves(&[slope]).iter().any(|l| own.contains(l)) {
                return false;
            }
        }
    }
    for &(output, e) in &m.net_receive.outputs {
        let Output::State(s) = output else { return false };
        if bends(g, e, &own) {
            return false;
        }
        for &leaf in &own {
            let slope = derivative(g, e, leaf);
            let expected = if leaf == Leaf::State(u32_of(s)) { 1.0 } else { 0.0 };
            if g.as_constant(slope)
                .is_none_or(|c| c.to_bits() != f64::to_bits(expected))
            {
                return false;
            }
        }
    }
    true
}

/// Whether a condition or a jump in `e` looks at the states: equal slopes on both sides do not make it linear.
fn bends(g: &Graph, e: ExprId, own: &[Leaf]) -> bool {
    let mut reads = vec![false; g.len()];
    for id in g.reachable(&[e]) {
        let node = g.node(id);
        reads[id.index()] = match node {
            Node::Leaf(leaf) => own.contains(&leaf),
            Node::Const(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => {
                g.operands(id).iter().any(|o| reads[o.index()])
            }
        };
        let kinked = g.type_of(id) == Type::Truth
            || matches!(
                node,
                Node::Unary(Unary::Abs | Unary::Floor | Unary::Ceil | Unary::Trunc, _)
                    | Node::Binary(Binary::Min | Binary::Max, ..)
            );
        if kinked && reads[id.index()] {
            return true;
        }
    }
    false
}

fn is_zero_sum(g: &mut Graph, e: ExprId, at_rest: &BTreeMap<Leaf, ExprId>) -> bool {
    let rest = g.substitute(&[e], at_rest)[0];
    g.is_zero(rest)
}
