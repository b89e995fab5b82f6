//! Syntax tree to mechanism: names resolved, calls inlined, steps taken, stored variables found.

mod assemble;
mod assign;
mod assigned;
mod branch;
mod builtin;
mod evaluate;
mod execute;
mod kinetic;
mod solve;
mod symbols;

pub(crate) use execute::Kink;
pub(crate) use symbols::{WEIGHT_FACTOR, has_weight};

use crate::diagnostic::{Code, Diagnostic, has_errors};
use crate::ir::graph::{ExprId, Leaf};
use crate::ir::mechanism::{LinearSolve, Mechanism};
use crate::syntax::ast::{Ast, Process, StatementKind};
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
    let Some(kernels) = run_blocks(ast, &mut executor) else {
        diagnostics.append(&mut executor.diagnostics);
        if ast.neuron.process == Process::ArtificialCell {
            return (None, diagnostics); // the refusal has been said
        }
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
    for (var, value) in symbols.currents.iter().zip(&kernels.currents.env.currents) {
        if value.is_none() {
            executor.diagnostics.push(Diagnostic::warning(
                Code::Ignored,
                var.span,
                format!("current `{}` is declared and never set", var.name),
            ));
        }
    }
    let (graph, kinks) = (std::mem::take(&mut executor.graph), std::mem::take(&mut executor.kinks));
    let spoken = std::mem::take(&mut executor.spoken);
    let stood_for = std::mem::take(&mut executor.stood_for);
    diagnostics.append(&mut executor.diagnostics);
    let assembly = assemble::Assembly {
        symbols: &symbols,
        kernels,
        integrator,
        spoken,
        stood_for,
    };
    let lowered = assembly.finish(ast, graph, kinks, &mut diagnostics);
    diagnostics.sort_by_key(|d| (d.span, d.code));
    diagnostics.dedup();
    let sound = !has_errors(&diagnostics);
    (sound.then_some(lowered), diagnostics)
}

/// A block as executed.
struct Executed {
    env: Env,
    solves: Vec<LinearSolve>,
}

/// All blocks of a file as executed.
struct Kernels {
    init: Executed,
    currents: Executed,
    advance: Executed,
    net_receive: Option<Executed>,
    post_event: Option<Executed>,
}

/// Executes every block; none if there is no BREAKPOINT.
fn run_blocks(ast: &Ast, executor: &mut Executor<'_, '_>) -> Option<Kernels> {
    let done = |executor: &mut Executor<'_, '_>, env: Env| Executed {
        env,
        solves: std::mem::take(&mut executor.solves),
    };
    let mut init = executor.blank();
    executor.solves_here = true;
    if let Some(block) = &ast.initial {
        executor.block(block, &mut init);
    }
    executor.solves_here = false;
    if let Some(receive) = &ast.net_receive
        && let Some(block) = &receive.initial
    {
        let weight: Vec<(&str, _)> = receive.params.iter().take(1).map(|p| (p.name.as_str(), None)).collect();
        executor.block_with(block, &weight, &mut init);
    }
    let init = done(executor, init);

    let breakpoint = ast.breakpoint.as_ref()?;
    let mut currents = executor.entry();
    if executor.integrator == Integrator::Neuron {
        // NEURON evaluates currents in the middle of the step
        let (dt, half) = (executor.graph.leaf(Leaf::Dt), executor.graph.constant(0.5));
        let half_step = executor.graph.mul(half, dt);
        currents.time = executor.graph.add(currents.time, half_step);
    }
    executor.filtered_block(breakpoint, &mut currents, |s| !matches!(s, StatementKind::Solve { .. }));
    let currents = done(executor, currents);

    let mut advance = executor.entry();
    let dt = executor.graph.leaf(Leaf::Dt);
    advance.time = executor.graph.add(advance.time, dt);
    advance.variables[executor.symbols.time()] = Some(advance.time);
    executor.advance(&breakpoint.statements, &mut advance);
    let advance = done(executor, advance);

    let net_receive = ast.net_receive.as_ref().map(|receive| {
        let mut env = executor.entry();
        let mut weight = executor.graph.leaf(Leaf::EventWeight);
        if let Some(factor) = executor.symbols.weight_factor {
            let factor = executor.graph.leaf(Leaf::Parameter(factor));
            weight = executor.graph.mul(factor, weight);
        }
        // an event from outside; mechanisms send none
        let zero = executor.graph.zero();
        let mut bound: Vec<(&str, Option<ExprId>)> = vec![("flag", Some(zero))];
        bound.extend(receive.params.iter().take(1).map(|p| (p.name.as_str(), Some(weight))));
        executor.block_with(&receive.body, &bound, &mut env);
        done(executor, env)
    });
    let post_event = ast.post_event.as_ref().map(|callable| {
        let mut env = executor.entry();
        let since = executor.graph.leaf(Leaf::SinceSpike);
        let bound: Vec<(&str, Option<ExprId>)> = callable
            .params
            .iter()
            .take(1)
            .map(|p| (p.name.as_str(), Some(since)))
            .collect();
        executor.block_with(&callable.body, &bound, &mut env);
        done(executor, env)
    });
    if !has_errors(&executor.diagnostics) {
        let moving: Vec<&Env> = [
            Some(&currents),
            Some(&advance),
            net_receive.as_ref(),
            post_event.as_ref(),
        ]
        .into_iter()
        .flatten()
        .map(|e| &e.env)
        .collect();
        executor.warn_constant_states(&moving);
    }
    Some(Kernels {
        init,
        currents,
        advance,
        net_receive,
        post_event,
    })
}
