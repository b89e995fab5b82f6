//! Syntax tree to mechanism: names resolved, calls inlined, steps taken, stored variables found.

mod builtin;
mod execute;
mod solve;
mod symbols;

pub(crate) use execute::Kink;
pub(crate) use solve::substitute_factors;

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, has_errors};
use crate::ir::graph::{ExprId, Graph, Leaf};
use crate::ir::mechanism::{Currents, LinearStep, Mechanism, StateVar, Storage, Updates};
use crate::syntax::ast::{Ast, StatementKind};
use execute::{Env, Executor};
use symbols::Symbols;

/// Whose arithmetic a mechanism follows: the form of `cnexp` and the conductance of a current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Integrator {
    /// Arbor's compiler: Padé step, symbolic conductance of the first assignment.
    #[default]
    Arbor,
    /// NEURON's: exponential step, conductance by a difference over 0.001 mV.
    Neuron,
}

impl Integrator {
    /// `arbor` or `neuron`.
    pub fn as_str(self) -> &'static str {
        match self {
            Integrator::Arbor => "arbor",
            Integrator::Neuron => "neuron",
        }
    }
}

/// A mechanism and the places where its derivative may be one-sided.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// The mechanism.
    pub mechanism: Mechanism,
    pub(crate) kinks: Vec<Kink>,
}

/// Lowers one file. `ranged` names parameters that become per-instance. The mechanism is there iff no diagnostic is an
/// error.
pub fn lower(ast: &Ast, integrator: Integrator, ranged: &[String]) -> (Option<Lowered>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let symbols = Symbols::collect(ast, ranged, &mut diagnostics);
    let mut executor = Executor::new(&symbols, integrator);

    let init = match &ast.initial {
        Some(block) => {
            let mut env = executor.blank();
            executor.block(block, &mut env);
            env
        }
        None => executor.blank(),
    };
    let Some(breakpoint) = &ast.breakpoint else {
        diagnostics.append(&mut executor.diagnostics);
        diagnostics.push(
            Diagnostic::error(
                Code::MissingBlock,
                ast.neuron.suffix.as_ref().map_or(ast.neuron.span, |s| s.span),
                "there is no BREAKPOINT block",
            )
            .help("add BREAKPOINT { … } with the currents and the SOLVE statements"),
        );
        return (None, diagnostics);
    };
    let mut currents = executor.entry();
    executor.filtered_block(breakpoint, &mut currents, |s| !matches!(s, StatementKind::Solve { .. }));
    let mut advance = executor.entry();
    let linear_steps = executor.advance(&breakpoint.statements, &mut advance);
    if !has_errors(&executor.diagnostics) {
        executor.warn_constant_states(&advance, &currents);
    }

    let total = sum(&mut executor.graph, currents.currents.iter().flatten().copied());
    let conductance = match integrator {
        Integrator::Arbor => sum(&mut executor.graph, currents.conductances.iter().flatten().copied()),
        Integrator::Neuron if !currents.hints.is_empty() => sum(&mut executor.graph, currents.hints.iter().copied()),
        Integrator::Neuron => secant_conductance(&mut executor.graph, total),
    };
    let ions = symbols
        .currents
        .iter()
        .zip(&currents.currents)
        .filter_map(|(var, value)| Some((var.ion?, (*value)?)))
        .collect();
    for (var, value) in symbols.currents.iter().zip(&currents.currents) {
        if value.is_none() {
            executor.diagnostics.push(Diagnostic::warning(
                Code::Ignored,
                var.span,
                format!("current `{}` is declared and never set", var.name),
            ));
        }
    }
    let (graph, kinks) = (std::mem::take(&mut executor.graph), std::mem::take(&mut executor.kinks));
    diagnostics.append(&mut executor.diagnostics);

    let assembly = Assembly {
        symbols: &symbols,
        init,
        currents,
        advance,
        total,
        conductance,
        ions,
        linear_steps,
    };
    let lowered = assembly.finish(ast, graph, kinks, &mut diagnostics);
    diagnostics.sort_by_key(|d| (d.span, d.code));
    diagnostics.dedup();
    let sound = !has_errors(&diagnostics);
    (sound.then_some(lowered), diagnostics)
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

/// The kernels as environments, before stored variables are numbered.
struct Assembly<'a, 's> {
    symbols: &'s Symbols<'a>,
    init: Env,
    currents: Env,
    advance: Env,
    total: ExprId,
    conductance: ExprId,
    ions: Vec<(usize, ExprId)>,
    linear_steps: Vec<LinearStep>,
}

impl Assembly<'_, '_> {
    /// True if a kernel gives the variable a new value.
    fn sets(graph: &mut Graph, env: &Env, variable: usize) -> bool {
        let old = graph.leaf(state_leaf(variable));
        env.variables[variable].is_some_and(|value| value != old)
    }

    /// Variables whose stored value some kernel reads, from the currents and states backwards.
    fn live(&self, graph: &mut Graph) -> Vec<bool> {
        let mut live: Vec<bool> = self.symbols.variables.iter().map(|v| v.is_state).collect();
        loop {
            let mut roots = vec![self.total, self.conductance];
            roots.extend(self.ions.iter().map(|&(_, e)| e));
            for (i, _) in live.iter().enumerate().filter(|&(_, &l)| l) {
                roots.extend(self.currents.variables[i]);
                roots.extend(self.advance.variables[i]);
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
    fn finish(self, ast: &Ast, mut graph: Graph, mut kinks: Vec<Kink>, diagnostics: &mut Vec<Diagnostic>) -> Lowered {
        let live = self.live(&mut graph);
        let mut states = Vec::new();
        let mut position: BTreeMap<usize, usize> = BTreeMap::new();
        for storage in [Storage::State, Storage::Carried, Storage::Observed] {
            for (i, variable) in self.symbols.variables.iter().enumerate() {
                let set = [&self.init, &self.currents, &self.advance];
                let wanted = match storage {
                    Storage::State => variable.is_state,
                    Storage::Carried => !variable.is_state && live[i],
                    Storage::Observed => {
                        !live[i] && variable.is_range && set.iter().any(|env| Self::sets(&mut graph, env, i))
                    }
                };
                if wanted {
                    position.insert(i, states.len());
                    states.push(StateVar {
                        name: variable.name.clone(),
                        unit: variable.unit.clone(),
                        storage,
                    });
                }
            }
        }
        let mut init: Vec<(usize, ExprId)> = Vec::new();
        for (&variable, &state) in &position {
            match self.init.variables[variable] {
                Some(value) => init.push((state, value)),
                None => init.extend(
                    self.default_initial(&mut graph, variable, states[state].storage, diagnostics)
                        .map(|v| (state, v)),
                ),
            }
        }
        let updates = |graph: &mut Graph, env: &Env| -> Vec<(usize, ExprId)> {
            let changed: Vec<(usize, ExprId)> = position
                .iter()
                .filter_map(|(&variable, &state)| Some((state, env.variables[variable]?, variable)))
                .filter(|&(_, value, variable)| value != graph.leaf(state_leaf(variable)))
                .map(|(state, value, _)| (state, value))
                .collect();
            changed
        };
        let in_currents = updates(&mut graph, &self.currents);
        let in_advance = updates(&mut graph, &self.advance);

        let numbering: BTreeMap<Leaf, ExprId> = position
            .iter()
            .map(|(&variable, &state)| (state_leaf(variable), graph.leaf(state_leaf(state))))
            .collect();
        let renumber = |graph: &mut Graph, updates: Vec<(usize, ExprId)>| -> Updates {
            let exprs: Vec<ExprId> = updates.iter().map(|&(_, e)| e).collect();
            let exprs = graph.substitute(&exprs, &numbering);
            let mut out: Updates = updates.iter().map(|&(s, _)| s).zip(exprs).collect();
            out.sort_unstable();
            out
        };
        let one = |graph: &mut Graph, e: ExprId| graph.substitute(&[e], &numbering)[0];
        let linear_steps = self
            .linear_steps
            .iter()
            .map(|step| LinearStep {
                states: step.states.iter().map(|s| position[s]).collect(),
                rates: graph.substitute(&step.rates, &numbering),
                factors: step
                    .factors
                    .iter()
                    .map(|row| graph.substitute(row, &numbering))
                    .collect(),
                next: graph.substitute(&step.next, &numbering),
            })
            .collect();
        // Kinks were met while placeholders stood for old states; they only ask what decides them.
        let mut of_kinks = numbering.clone();
        of_kinks.insert(execute::V_OF_CURRENT, graph.leaf(Leaf::Voltage));
        for variable in 0..self.symbols.variables.len() {
            let stored = match position.get(&variable) {
                Some(&state) => graph.leaf(state_leaf(state)),
                None => graph.zero(),
            };
            of_kinks.insert(state_leaf(variable), stored);
            of_kinks.insert(solve::old(variable), stored);
        }
        for kink in &mut kinks {
            kink.decided_by = graph.substitute(&kink.decided_by, &of_kinks);
        }
        let mechanism = Mechanism {
            name: ast.neuron.suffix.as_ref().map(|s| s.name.clone()).unwrap_or_default(),
            globals: self.symbols.globals.clone(),
            parameters: self.symbols.parameters.clone(),
            states,
            ions: self.symbols.ions.clone(),
            ion_reads: self.symbols.ion_reads.clone(),
            init: renumber(&mut graph, init),
            currents: Currents {
                total: one(&mut graph, self.total),
                conductance: one(&mut graph, self.conductance),
                ions: renumber(&mut graph, self.ions.clone()),
                updates: renumber(&mut graph, in_currents),
            },
            advance: renumber(&mut graph, in_advance),
            linear_steps,
            graph,
        };
        Lowered { mechanism, kinks }
    }

    /// The initial value of a stored variable that INITIAL leaves alone, if that is no mistake.
    fn default_initial(
        &self,
        graph: &mut Graph,
        variable: usize,
        storage: Storage,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<ExprId> {
        let declared = &self.symbols.variables[variable];
        match storage {
            Storage::State => {
                diagnostics.push(Diagnostic::error(
                    Code::UninitialisedState,
                    declared.span,
                    format!("INITIAL does not set STATE `{}`", declared.name),
                ));
                None
            }
            Storage::Observed => Some(graph.zero()),
            Storage::Carried => {
                // Currents run before the first advance: what they set and do not read needs no initial value.
                let mut roots: Vec<ExprId> = self.currents.variables.iter().flatten().copied().collect();
                let own = graph.leaf(state_leaf(variable));
                roots.retain(|&r| r != own);
                roots.extend([self.total, self.conductance]);
                roots.extend(self.ions.iter().map(|&(_, e)| e));
                let read = graph.leaves(&roots).contains(&state_leaf(variable));
                if Self::sets(graph, &self.currents, variable) && !read {
                    return Some(graph.zero());
                }
                diagnostics.push(Diagnostic::error(
                    Code::ReadBeforeWrite,
                    declared.span,
                    format!("`{}` is read before anything sets it", declared.name),
                ));
                None
            }
        }
    }
}

fn state_leaf(i: usize) -> Leaf {
    Leaf::State(u32::try_from(i).unwrap_or(u32::MAX))
}
