//! SOLVE: one time step of a DERIVATIVE or KINETIC block, or the solution of a system of equations, as expressions.
//!
//! With f_i the rates, a_i = ∂f_i/∂s_i and z_i = a_i dt:
//!
//! - `cnexp`, Arbor: s⁺ = s + dt f / (1 − z/2), the Padé(1,1) step (s (2+z) + 2 dt b)/(2 − z) without its division by a;
//! - `cnexp`, NEURON: s⁺ = s + dt f (e^z − 1)/z, the exponential step;
//! - `sparse`, `derivimplicit`: backward Euler, s⁺ = s + dt f(s⁺): one elimination if f is linear, else three Newton
//!   iterations from the old state, as Arbor's compiler does;
//! - `STEADYSTATE sparse`: f(s⁺) = 0 where CONSERVE makes that unique, else a backward Euler step of 10⁹ ms, as NEURON
//!   takes it;
//! - `stochastic`: Euler–Maruyama in Itô's sense, s⁺ = s + dt f + Σ_k L_k √dt N_k, equation after equation;
//! - `euler`: s⁺ = s + dt f;
//! - LINEAR: one elimination; NONLINEAR: Newton's iteration from the present values.

use std::collections::BTreeMap;

use super::Integrator;
use super::execute::{Env, Executor, InPlace};
use super::kinetic::FLUXES;
use super::symbols::Solvable;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::{ExprId, Leaf, Unary};
use crate::ir::linear::NODE_LIMIT;
use crate::ir::mechanism::LinearSolve;
use crate::pass::differentiate::{derivative, derivatives};
use crate::syntax::ast::{Callable, Ident, Statement, StatementKind};

/// Newton iterations of a nonlinear implicit step (host-numerics.md §7.3).
const NEWTON_ITERATIONS: usize = 3;
/// Newton iterations towards a steady state or the solution of a NONLINEAR block.
const ROOT_ITERATIONS: usize = 12;
/// The step of a STEADYSTATE without CONSERVE, ms.
const STEADY_DT_MS: f64 = 1e9;

/// Placeholder of a state's old value while its rates are analysed; 0 is taken by the conductance.
pub(super) fn old(state: usize) -> Leaf {
    Leaf::Placeholder(u32::try_from(state + 1).unwrap_or(u32::MAX))
}

/// Placeholder of the `k`-th state that a `stochastic` block has moved, of a file with `n` variables.
pub(super) fn moved(n: usize, k: usize) -> Leaf {
    old(n + k)
}

/// The equations of one block over placeholders.
struct System {
    states: Vec<usize>,
    rates: Vec<ExprId>,
    spans: Vec<Span>,
    /// (sum − total, span) of CONSERVE, with the volumes of its species.
    conserved: Vec<(ExprId, ExprId, Span)>,
    /// What each placeholder stands for.
    values: BTreeMap<Leaf, ExprId>,
}

/// Which problem an elimination solves.
#[derive(Clone, Copy, PartialEq)]
enum Problem {
    /// s⁺ − s = dt f(s⁺)
    Step,
    /// 0 = f(s⁺)
    Steady,
    /// s⁺ − s = 10⁹ ms f(s⁺)
    LongStep,
}

impl Executor<'_, '_> {
    /// Executes `SOLVE block METHOD method` on `env`.
    pub(super) fn solve(&mut self, block: &Ident, method: Option<&Ident>, steady: Option<&Ident>, env: &mut Env) {
        let outer = env.enter();
        self.solve_block(block, method, steady, env);
        env.leave(outer);
    }

    fn solve_block(&mut self, block: &Ident, method: Option<&Ident>, steady: Option<&Ident>, env: &mut Env) {
        if let Some(&procedure) = self.symbols.procedures.get(&block.name)
            && method.is_none_or(|m| ["after_cvode", "cvode_t", "cvode_t_v"].contains(&m.name.as_str()))
        {
            self.block(&procedure.body, env);
            return;
        }
        let Some(&(solvable, callable)) = self.symbols.solvables.get(&block.name) else {
            self.error(
                Code::UnknownBlock,
                block.span,
                format!("there is no block `{}` to solve", block.name),
            );
            return;
        };
        let Some(method) = method.or(steady) else {
            match solvable {
                Solvable::Linear => self.linear(callable, env),
                Solvable::Nonlinear => self.nonlinear(callable, env),
                Solvable::Derivative | Solvable::Kinetic => self.error(
                    Code::UnknownMethod,
                    block.span,
                    format!("SOLVE {} has no METHOD", block.name),
                ),
            }
            return;
        };
        match (solvable, method.name.as_str()) {
            (Solvable::Linear, _) => self.linear(callable, env),
            (Solvable::Nonlinear, _) => self.nonlinear(callable, env),
            (Solvable::Derivative, "cnexp") if steady.is_none() => {
                self.step(solvable, callable, Some(InPlace::Cnexp), env, Self::cnexp);
            }
            (Solvable::Derivative, "stochastic") if steady.is_none() => {
                self.step(solvable, callable, Some(InPlace::Stochastic), env, Self::stochastic);
            }
            (_, "euler") if steady.is_none() => self.step(solvable, callable, None, env, Self::euler),
            (_, "sparse" | "derivimplicit") if steady.is_some() => {
                self.step(solvable, callable, None, env, Self::steady_state);
            }
            (_, "sparse" | "derivimplicit") => {
                self.step(solvable, callable, None, env, |s, system, _| {
                    s.implicit(system, Problem::Step)
                });
            }
            (_, other) => {
                self.error(
                    Code::UnknownMethod,
                    method.span,
                    format!("METHOD {other} is not supported here"),
                );
            }
        }
    }

    /// Runs a block of equations and moves its states by `method`.
    fn step(
        &mut self,
        solvable: Solvable,
        callable: &Callable,
        in_place: Option<InPlace>,
        env: &mut Env,
        method: impl FnOnce(&mut Self, &System, &Env) -> Vec<ExprId>,
    ) {
        let mut values = self.place_holders(env);
        self.in_place = in_place;
        self.run_equations(callable, env);
        self.in_place = None;
        for (placeholder, value) in std::mem::take(&mut self.moved) {
            let value = self.graph.substitute(&[value], &values)[0];
            values.insert(placeholder, value);
        }
        self.stood_for.push(values.clone());
        let rates = std::mem::take(&mut env.rates);
        let parts = std::mem::take(&mut env.system);
        if rates.is_empty() {
            self.error(
                Code::StateWithoutEquation,
                callable.name.span,
                "this block has no equation `x' = …` and no reaction",
            );
            return;
        }
        let mut system = System {
            states: rates.keys().copied().collect(),
            rates: rates.values().map(|&(rate, _)| rate).collect(),
            spans: rates.values().map(|&(_, span)| span).collect(),
            conserved: Vec::new(),
            values,
        };
        for (state, rate) in system.states.iter().zip(&mut system.rates) {
            if let Some(&volume) = parts.volumes.get(state) {
                *rate = self.graph.div(*rate, volume);
            }
        }
        for (sum, total, span) in parts.conserved {
            let scaled: BTreeMap<Leaf, ExprId> = parts
                .volumes
                .iter()
                .map(|(&state, &volume)| {
                    let amount = self.graph.leaf(old(state));
                    (old(state), self.graph.mul(volume, amount))
                })
                .collect();
            let sum = self.graph.substitute(&[sum], &scaled)[0];
            system.conserved.push((sum, total, span));
        }
        if in_place != Some(InPlace::Stochastic) {
            self.refuse_noise(&system);
        }
        let next = method(self, &system, env);
        // what a DERIVATIVE block assigns besides sees the old states; a reaction's fluxes are those of the step taken
        let mut seen = system.values.clone();
        if solvable == Solvable::Kinetic {
            seen.extend(system.states.iter().map(|&s| old(s)).zip(next.iter().copied()));
        }
        self.settle(&seen, env);
        for (&state, &value) in system.states.iter().zip(&next) {
            env.variables[state] = Some(value);
        }
    }

    /// Replaces every state by a placeholder; returns what they stand for.
    fn place_holders(&mut self, env: &mut Env) -> BTreeMap<Leaf, ExprId> {
        let mut values = BTreeMap::new();
        for i in (0..self.symbols.variables.len()).filter(|&i| self.symbols.variables[i].is_state) {
            let value = match env.variables[i] {
                Some(value) => value,
                None => self.start(i),
            };
            values.insert(old(i), value);
            env.variables[i] = Some(self.graph.leaf(old(i)));
        }
        values
    }

    fn run_equations(&mut self, callable: &Callable, env: &mut Env) {
        env.rates.clear();
        env.system = super::execute::SystemParts::default();
        let fluxes = FLUXES.map(|name| (name, None));
        self.block_with(&callable.body, &fluxes, env);
    }

    /// Puts values in the place of the placeholders.
    fn settle(&mut self, values: &BTreeMap<Leaf, ExprId>, env: &mut Env) {
        for variable in &mut env.variables {
            if let Some(value) = *variable {
                *variable = self.graph.substitute(&[value], values).first().copied();
            }
        }
    }

    fn refuse_noise(&mut self, system: &System) {
        for (&rate, &span) in system.rates.iter().zip(&system.spans) {
            if self.graph.leaves(&[rate]).iter().any(|l| matches!(l, Leaf::Noise(_))) {
                self.diagnostics.push(
                    Diagnostic::error(Code::UnknownMethod, span, "this equation contains white noise")
                        .help("solve it with METHOD stochastic"),
                );
            }
        }
    }

    fn euler(&mut self, system: &System, _: &Env) -> Vec<ExprId> {
        let g = &mut self.graph;
        let dt = g.leaf(Leaf::Dt);
        let mut next = Vec::new();
        for (&state, &rate) in system.states.iter().zip(&system.rates) {
            let s = g.leaf(old(state));
            let increment = g.mul(dt, rate);
            let moved = g.add(s, increment);
            next.push(g.substitute(&[moved], &system.values)[0]);
        }
        next
    }

    /// One `cnexp` step from the state's placeholder.
    pub(super) fn cnexp_step(&mut self, state: usize, rate: ExprId) -> ExprId {
        let a = derivative(&mut self.graph, rate, old(state));
        let integrator = self.integrator;
        let g = &mut self.graph;
        let (s, dt) = (g.leaf(old(state)), g.leaf(Leaf::Dt));
        let z = g.mul(a, dt);
        let denominator = match integrator {
            Integrator::Arbor => {
                let (one, half) = (g.constant(1.0), g.constant(0.5));
                let half_z = g.mul(half, z);
                g.sub(one, half_z)
            }
            // z / (e^z − 1), finite at z = 0
            Integrator::Neuron => g.unary(Unary::Exprelr, z),
        };
        let increment = g.mul(dt, rate);
        let increment = g.div(increment, denominator);
        g.add(s, increment)
    }

    fn cnexp(&mut self, system: &System, _: &Env) -> Vec<ExprId> {
        let mut next = Vec::new();
        for ((&state, &rate), &span) in system.states.iter().zip(&system.rates).zip(&system.spans) {
            let leaves = self.graph.leaves(&[rate]);
            let a = derivative(&mut self.graph, rate, old(state));
            if let Some(&other) = system.states.iter().find(|&&o| o != state && leaves.contains(&old(o))) {
                let (name, other) = (&self.symbols.variables[state].name, &self.symbols.variables[other].name);
                self.diagnostics.push(
                    Diagnostic::error(
                        Code::CoupledCnexp,
                        span,
                        format!("the equation of `{name}` depends on `{other}`"),
                    )
                    .note("cnexp integrates each equation alone, with everything else held constant"),
                );
            } else if self.graph.leaves(&[a]).contains(&old(state)) {
                let name = &self.symbols.variables[state].name;
                self.diagnostics.push(
                    Diagnostic::error(Code::NonlinearCnexp, span, format!("the equation of `{name}` is not linear in it"))
                        .note("cnexp is exact for linear equations; Arbor's compiler accepts others and integrates them wrongly"),
                );
            }
            let moved = self.cnexp_step(state, rate);
            next.push(self.graph.substitute(&[moved], &system.values)[0]);
        }
        next
    }

    /// The states as the equations have left them.
    fn stochastic(&mut self, system: &System, env: &Env) -> Vec<ExprId> {
        let mut next = Vec::new();
        for &state in &system.states {
            let moved = env.variables[state].unwrap_or_else(|| self.graph.zero());
            next.push(self.graph.substitute(&[moved], &system.values)[0]);
        }
        next
    }

    /// s + dt f + Σ_k L_k √dt N_k from the state as it is now.
    pub(super) fn stochastic_step(&mut self, now: ExprId, rate: ExprId, span: Span) -> ExprId {
        let noises: Vec<Leaf> = self
            .graph
            .leaves(&[rate])
            .into_iter()
            .filter(|l| matches!(l, Leaf::Noise(_)))
            .collect();
        let g = &mut self.graph;
        let (dt, zero) = (g.leaf(Leaf::Dt), g.zero());
        let silent: BTreeMap<Leaf, ExprId> = noises.iter().map(|&n| (n, zero)).collect();
        let drift = g.substitute(&[rate], &silent)[0];
        let increment = g.mul(dt, drift);
        let mut next = g.add(now, increment);
        let root = g.unary(Unary::Sqrt, dt);
        let mut linear = true;
        for &noise in &noises {
            let strength = derivative(g, rate, noise);
            linear &= !g.leaves(&[strength]).iter().any(|l| matches!(l, Leaf::Noise(_)));
            let number = g.leaf(noise);
            let scaled = g.mul(strength, root);
            let kick = g.mul(scaled, number);
            next = g.add(next, kick);
        }
        if !linear {
            self.error(
                Code::NotDifferentiable,
                span,
                "this equation is not linear in its white noise",
            );
        }
        next
    }

    fn steady_state(&mut self, system: &System, _: &Env) -> Vec<ExprId> {
        let problem = if system.conserved.is_empty() {
            Problem::LongStep
        } else {
            Problem::Steady
        };
        self.implicit(system, problem)
    }

    fn implicit(&mut self, system: &System, problem: Problem) -> Vec<ExprId> {
        let n = system.states.len();
        let leaves: Vec<Leaf> = system.states.iter().map(|&s| old(s)).collect();
        let g = &mut self.graph;
        let by_state: Vec<Vec<ExprId>> = leaves.iter().map(|&l| derivatives(g, &system.rates, l)).collect();
        let mut slopes: Vec<Vec<ExprId>> = (0..n).map(|i| (0..n).map(|j| by_state[j][i]).collect()).collect();
        let dt = match problem {
            Problem::Step => g.leaf(Leaf::Dt),
            Problem::Steady => g.constant(1.0),
            Problem::LongStep => g.constant(STEADY_DT_MS),
        };
        // row i: A_i δ = r_i, all over placeholders of the iterate
        let mut residuals: Vec<ExprId> = Vec::new();
        for (i, row) in slopes.iter_mut().enumerate() {
            let increment = g.mul(dt, system.rates[i]);
            residuals.push(increment);
            for (j, entry) in row.iter_mut().enumerate() {
                let scaled = g.mul(dt, *entry);
                let inertia = g.constant(if i == j && problem != Problem::Steady { 1.0 } else { 0.0 });
                *entry = g.sub(inertia, scaled);
            }
        }
        let mut replaced = vec![false; n];
        for &(sum, total, span) in &system.conserved {
            let weights: Vec<ExprId> = leaves.iter().map(|&l| derivative(g, sum, l)).collect();
            let row = (0..n).find(|&i| !replaced[i] && !g.is_zero(weights[i]));
            let Some(row) = row else {
                self.error(
                    Code::SingularSystem,
                    span,
                    "this CONSERVE says nothing new about the states of the block",
                );
                return self.as_they_were(system);
            };
            replaced[row] = true;
            residuals[row] = g.sub(total, sum);
            slopes[row] = weights;
        }
        let inertial: Vec<bool> = replaced.iter().map(|&r| !r && problem != Problem::Steady).collect();
        let rounds = match problem {
            Problem::Step => NEWTON_ITERATIONS,
            Problem::Steady | Problem::LongStep => ROOT_ITERATIONS,
        };
        let newton = Newton {
            span: system.spans.first().copied().unwrap_or_default(),
            leaves,
            matrix: slopes,
            residuals,
            inertial,
            rounds,
        };
        self.newton(&newton, &system.values).unwrap_or_else(|| {
            let span = system.spans.first().copied().unwrap_or_default();
            self.error(Code::SingularSystem, span, "these equations have no unique solution");
            self.as_they_were(system)
        })
    }

    fn as_they_were(&self, system: &System) -> Vec<ExprId> {
        system.states.iter().map(|&s| system.values[&old(s)]).collect()
    }

    /// The solution after the given number of iterations, or after one if the problem is linear. None if the matrix is
    /// structurally singular.
    fn newton(&mut self, problem: &Newton, values: &BTreeMap<Leaf, ExprId>) -> Option<Vec<ExprId>> {
        let g = &mut self.graph;
        let entries: Vec<ExprId> = problem.matrix.iter().flatten().copied().collect();
        let of = g.leaves(&entries);
        let linear = problem.leaves.iter().all(|l| !of.contains(l));
        let start: Vec<ExprId> = problem.leaves.iter().map(|l| values[l]).collect();
        let mut current = start.clone();
        let rounds = if linear { 1 } else { problem.rounds };
        for round in 1..=rounds {
            let mut here = values.clone();
            here.extend(problem.leaves.iter().copied().zip(current.iter().copied()));
            let all: Vec<ExprId> = entries.iter().chain(&problem.residuals).copied().collect();
            let mut images = g.substitute(&all, &here);
            let mut rhs = images.split_off(entries.len());
            let matrix = images.chunks(rhs.len().max(1)).map(<[ExprId]>::to_vec).collect();
            for (i, r) in rhs.iter_mut().enumerate().filter(|&(i, _)| problem.inertial[i]) {
                let moved = g.sub(current[i], start[i]);
                *r = g.sub(*r, moved);
            }
            let Some(solve) = LinearSolve::new(g, matrix, rhs) else {
                return if g.len() > NODE_LIMIT {
                    self.too_large(problem.span);
                    Some(current)
                } else {
                    None
                };
            };
            current = current
                .iter()
                .zip(&solve.solution)
                .map(|(&s, &d)| g.add(s, d))
                .collect();
            self.solves.push(solve);
            if g.len() > NODE_LIMIT && round < rounds {
                self.too_large(problem.span);
                return Some(current);
            }
        }
        Some(current)
    }

    fn too_large(&mut self, span: Span) {
        let what = "these equations are too large: each elimination is written out";
        let said = Diagnostic::error(Code::NestingTooDeep, span, what);
        self.diagnostics
            .push(said.help("make the system smaller, or couple fewer of its states"));
    }

    /// The equations of a LINEAR or NONLINEAR block, and the states they are about.
    fn equations(
        &mut self,
        callable: &Callable,
        env: &mut Env,
    ) -> Option<(Vec<usize>, Newton, BTreeMap<Leaf, ExprId>)> {
        let values = self.place_holders(env);
        self.run_equations(callable, env);
        let equations = std::mem::take(&mut env.system).equations;
        let of: Vec<ExprId> = equations.iter().map(|&(e, _)| e).collect();
        let read = self.graph.leaves(&of);
        let states: Vec<usize> = (0..self.symbols.variables.len())
            .filter(|&i| self.symbols.variables[i].is_state && read.contains(&old(i)))
            .collect();
        if states.is_empty() || states.len() != equations.len() {
            self.error(
                Code::SingularSystem,
                callable.name.span,
                format!("{} equations for {} states", equations.len(), states.len()),
            );
            self.settle(&values, env);
            return None;
        }
        let leaves: Vec<Leaf> = states.iter().map(|&s| old(s)).collect();
        let g = &mut self.graph;
        let by_state: Vec<Vec<ExprId>> = leaves.iter().map(|&l| derivatives(g, &of, l)).collect();
        let matrix = (0..of.len())
            .map(|i| by_state.iter().map(|column| column[i]).collect())
            .collect();
        let residuals = of.iter().map(|&e| g.neg(e)).collect();
        let newton = Newton {
            span: callable.name.span,
            inertial: vec![false; leaves.len()],
            leaves,
            matrix,
            residuals,
            rounds: ROOT_ITERATIONS,
        };
        Some((states, newton, values))
    }

    fn linear(&mut self, callable: &Callable, env: &mut Env) {
        let Some((states, mut newton, mut values)) = self.equations(callable, env) else {
            return;
        };
        let entries: Vec<ExprId> = newton.matrix.iter().flatten().copied().collect();
        let read = self.graph.leaves(&entries);
        if newton.leaves.iter().any(|l| read.contains(l)) {
            self.error(
                Code::SingularSystem,
                callable.name.span,
                "these equations are not linear in the states; make the block NONLINEAR",
            );
            self.settle(&values, env);
            return;
        }
        // the solution does not depend on where the states are
        let zero = self.graph.zero();
        let from_zero: BTreeMap<Leaf, ExprId> = newton.leaves.iter().map(|&l| (l, zero)).collect();
        newton.residuals = self.graph.substitute(&newton.residuals, &from_zero);
        let started: Vec<(Leaf, ExprId)> = newton.leaves.iter().map(|&l| (l, values[&l])).collect();
        values.extend(from_zero);
        self.finish_equations(callable, &states, &newton, (values, started), env);
    }

    fn nonlinear(&mut self, callable: &Callable, env: &mut Env) {
        if let Some((states, newton, values)) = self.equations(callable, env) {
            self.finish_equations(callable, &states, &newton, (values, Vec::new()), env);
        }
    }

    fn finish_equations(
        &mut self,
        callable: &Callable,
        states: &[usize],
        newton: &Newton,
        (mut values, started): (BTreeMap<Leaf, ExprId>, Vec<(Leaf, ExprId)>),
        env: &mut Env,
    ) {
        let solution = self.newton(newton, &values);
        values.extend(started);
        let Some(solution) = solution else {
            self.error(
                Code::SingularSystem,
                callable.name.span,
                "these equations have no unique solution",
            );
            self.settle(&values, env);
            return;
        };
        values.extend(newton.leaves.iter().copied().zip(solution.iter().copied()));
        self.settle(&values, env);
        for (&state, &value) in states.iter().zip(&solution) {
            env.variables[state] = Some(value);
        }
    }

    /// Warns of states that nothing ever moves.
    pub(super) fn warn_constant_states(&mut self, kernels: &[&Env]) {
        for (i, variable) in self.symbols.variables.iter().enumerate().filter(|(_, v)| v.is_state) {
            let unchanged = Some(self.graph.leaf(self.symbols.entry(i)));
            if kernels.iter().all(|env| env.variables[i] == unchanged) {
                self.diagnostics.push(Diagnostic::warning(
                    Code::StateWithoutEquation,
                    variable.span,
                    format!("STATE `{}` keeps its initial value", variable.name),
                ));
            }
        }
    }

    /// Executes the SOLVE statements of BREAKPOINT in order.
    pub(super) fn advance(&mut self, statements: &[Statement], env: &mut Env) {
        for statement in statements {
            if let StatementKind::Solve {
                block,
                method,
                steadystate,
            } = &statement.kind
            {
                self.solve(block, method.as_ref(), steadystate.as_ref(), env);
            }
        }
    }
}

/// A root-finding problem over placeholders: `M δ = r` moves the iterate by δ.
struct Newton {
    span: Span,
    leaves: Vec<Leaf>,
    matrix: Vec<Vec<ExprId>>,
    residuals: Vec<ExprId>,
    /// Rows from whose residual what the iterate has moved is taken.
    inertial: Vec<bool>,
    rounds: usize,
}
