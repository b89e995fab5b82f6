//! SOLVE: one time step of a DERIVATIVE block, as expressions.
//!
//! With f_i the rates, a_i = ∂f_i/∂s_i and z_i = a_i dt:
//!
//! - `cnexp`, Arbor: s⁺ = s + dt f / (1 − z/2), the Padé(1,1) step (s (2+z) + 2 dt b)/(2 − z) without its division by a;
//! - `cnexp`, NEURON: s⁺ = s + dt f (e^z − 1)/z, the exponential step;
//! - `sparse`, `derivimplicit`: backward Euler, s⁺ = s + dt f(s⁺): one elimination if f is linear, else three Newton
//!   iterations from the old state, as Arbor's compiler does;
//! - `euler`: s⁺ = s + dt f.

use std::collections::BTreeMap;

use super::execute::{Env, Executor};
use super::{Integrator, state_leaf};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::{ExprId, Graph, Leaf, Unary};
use crate::ir::mechanism::LinearStep;
use crate::pass::differentiate::derivative;
use crate::syntax::ast::{Callable, Ident, StatementKind};

/// Newton iterations of a nonlinear implicit step (host-numerics.md §7.3).
const NEWTON_ITERATIONS: usize = 3;

/// Placeholder of a state's old value while its rates are analysed; 0 is taken by the conductance.
pub(super) fn old(state: usize) -> Leaf {
    Leaf::Placeholder(u32::try_from(state + 1).unwrap_or(u32::MAX))
}

/// The rates of one DERIVATIVE block over placeholders.
struct System {
    states: Vec<usize>,
    rates: Vec<ExprId>,
    spans: Vec<Span>,
    /// What each placeholder stands for.
    values: BTreeMap<Leaf, ExprId>,
}

impl Executor<'_, '_> {
    /// Executes `SOLVE block METHOD method` on `env`.
    pub(super) fn solve(&mut self, block: &Ident, method: Option<&Ident>, env: &mut Env) -> Option<LinearStep> {
        if let (Some(&procedure), None) = (self.symbols.procedures.get(&block.name), method) {
            self.block(&procedure.body, env);
            return None;
        }
        let Some(&callable) = self.symbols.derivatives.get(&block.name) else {
            self.error(
                Code::UnknownBlock,
                block.span,
                format!("there is no DERIVATIVE block `{}`", block.name),
            );
            return None;
        };
        let Some(method) = method else {
            self.error(
                Code::UnknownMethod,
                block.span,
                format!("SOLVE {} has no METHOD", block.name),
            );
            return None;
        };
        self.steps_in_place = method.name == "cnexp";
        let system = self.rates(callable, env);
        self.steps_in_place = false;
        let system = system?;
        match method.name.as_str() {
            "cnexp" => self.cnexp(&system, env),
            "euler" => self.euler(&system, env),
            "sparse" | "derivimplicit" => return self.implicit(&system, env),
            other => {
                self.error(
                    Code::UnknownMethod,
                    method.span,
                    format!("METHOD {other} is not supported"),
                );
            }
        }
        None
    }

    fn rates(&mut self, callable: &Callable, env: &mut Env) -> Option<System> {
        let mut values = BTreeMap::new();
        for (i, variable) in self.symbols.variables.iter().enumerate().filter(|(_, v)| v.is_state) {
            let Some(value) = env.variables[i] else {
                let (name, span) = (variable.name.clone(), variable.span);
                self.error(Code::ReadBeforeWrite, span, format!("`{name}` has no value"));
                return None;
            };
            values.insert(old(i), value);
            env.variables[i] = Some(self.graph.leaf(old(i)));
        }
        env.rates.clear();
        self.block(&callable.body, env);
        let rates = std::mem::take(&mut env.rates);
        // Whatever the block assigned besides saw the old states.
        for variable in &mut env.variables {
            if let Some(value) = *variable {
                *variable = self.graph.substitute(&[value], &values).first().copied();
            }
        }
        if rates.is_empty() {
            self.error(
                Code::StateWithoutEquation,
                callable.name.span,
                "this block has no equation `x' = …`",
            );
            return None;
        }
        Some(System {
            states: rates.keys().copied().collect(),
            rates: rates.values().map(|&(rate, _)| rate).collect(),
            spans: rates.values().map(|&(_, span)| span).collect(),
            values,
        })
    }

    fn store(&mut self, system: &System, state: usize, next: ExprId, env: &mut Env) -> ExprId {
        let next = self.graph.substitute(&[next], &system.values)[0];
        env.variables[state] = Some(next);
        next
    }

    fn euler(&mut self, system: &System, env: &mut Env) {
        for (&state, &rate) in system.states.iter().zip(&system.rates) {
            let g = &mut self.graph;
            let (s, dt) = (g.leaf(old(state)), g.leaf(Leaf::Dt));
            let increment = g.mul(dt, rate);
            let next = g.add(s, increment);
            self.store(system, state, next, env);
        }
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

    fn cnexp(&mut self, system: &System, env: &mut Env) {
        for ((&state, &rate), &span) in system.states.iter().zip(&system.rates).zip(&system.spans) {
            let leaves = self.graph.leaves(&[rate]);
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
                continue;
            }
            let a = derivative(&mut self.graph, rate, old(state));
            if self.graph.leaves(&[a]).contains(&old(state)) {
                let name = &self.symbols.variables[state].name;
                self.diagnostics.push(
                    Diagnostic::error(Code::NonlinearCnexp, span, format!("the equation of `{name}` is not linear in it"))
                        .note("cnexp is exact for linear equations; Arbor's compiler accepts others and integrates them wrongly"),
                );
                continue;
            }
            let next = self.cnexp_step(state, rate);
            self.store(system, state, next, env);
        }
    }

    fn implicit(&mut self, system: &System, env: &mut Env) -> Option<LinearStep> {
        let n = system.states.len();
        let leaves: Vec<Leaf> = system.states.iter().map(|&s| old(s)).collect();
        let g = &mut self.graph;
        let jacobian: Vec<Vec<ExprId>> = system
            .rates
            .iter()
            .map(|&f| leaves.iter().map(|&leaf| derivative(g, f, leaf)).collect())
            .collect();
        let entries: Vec<ExprId> = jacobian.iter().flatten().copied().collect();
        let of = g.leaves(&entries);
        let linear = leaves.iter().all(|l| !of.contains(l));

        let start: Vec<ExprId> = leaves.iter().map(|&l| g.leaf(l)).collect();
        let mut current = start.clone();
        let mut factors = Vec::new();
        for _ in 0..if linear { 1 } else { NEWTON_ITERATIONS } {
            let here: BTreeMap<Leaf, ExprId> = leaves.iter().copied().zip(current.iter().copied()).collect();
            let slopes = g.substitute(&entries, &here);
            let rates = g.substitute(&system.rates, &here);
            let dt = g.leaf(Leaf::Dt);
            // (I − dt J) δ = dt f(s_m) − (s_m − s)
            let matrix: Vec<Vec<ExprId>> = (0..n)
                .map(|i| {
                    (0..n)
                        .map(|j| {
                            let scaled = g.mul(dt, slopes[i * n + j]);
                            let identity = g.constant(if i == j { 1.0 } else { 0.0 });
                            g.sub(identity, scaled)
                        })
                        .collect()
                })
                .collect();
            let residual: Vec<ExprId> = (0..n)
                .map(|i| {
                    let moved = g.sub(current[i], start[i]);
                    let increment = g.mul(dt, rates[i]);
                    g.sub(increment, moved)
                })
                .collect();
            factors = factorise(g, matrix);
            let delta = substitute_factors(g, &factors, &residual);
            current = current.iter().zip(delta).map(|(&s, d)| g.add(s, d)).collect();
        }
        let next: Vec<ExprId> = system
            .states
            .iter()
            .zip(&current)
            .map(|(&state, &value)| self.store(system, state, value, env))
            .collect();
        let g = &mut self.graph;
        // The tangent's shortcut puts the new states where the rates read the old ones, and takes the old ones for leaves.
        // Both hold unless an earlier SOLVE moved the states, or made of them something that the rates read.
        let own: Vec<Leaf> = system.states.iter().map(|&s| state_leaf(s)).collect();
        let untouched = leaves
            .iter()
            .zip(&own)
            .all(|(old, &leaf)| system.values[old] == g.leaf(leaf));
        let others: BTreeMap<Leaf, ExprId> = system
            .values
            .iter()
            .filter(|(l, _)| !leaves.contains(l))
            .map(|(&l, &e)| (l, e))
            .collect();
        let rates = g.substitute(&system.rates, &others);
        let read = g.leaves(&rates);
        let first = untouched && own.iter().all(|leaf| !read.contains(leaf));
        (linear && first).then(|| LinearStep {
            states: system.states.clone(),
            rates: g.substitute(&system.rates, &system.values),
            factors: factors.iter().map(|row| g.substitute(row, &system.values)).collect(),
            next,
        })
    }

    /// Warns of states that nothing ever advances.
    pub(super) fn warn_constant_states(&mut self, advance: &Env, currents: &Env) {
        for (i, variable) in self.symbols.variables.iter().enumerate().filter(|(_, v)| v.is_state) {
            let unchanged = Some(self.graph.leaf(state_leaf(i)));
            if advance.variables[i] == unchanged && currents.variables[i] == unchanged {
                self.diagnostics.push(Diagnostic::warning(
                    Code::StateWithoutEquation,
                    variable.span,
                    format!("STATE `{}` keeps its initial value", variable.name),
                ));
            }
        }
    }

    /// Executes the SOLVE statements of BREAKPOINT in order.
    pub(super) fn advance(&mut self, statements: &[crate::syntax::ast::Statement], env: &mut Env) -> Vec<LinearStep> {
        let mut steps = Vec::new();
        for statement in statements {
            if let StatementKind::Solve {
                block,
                method,
                steadystate,
            } = &statement.kind
            {
                if let Some(method) = steadystate {
                    self.error(Code::Unsupported, method.span, "STEADYSTATE is not supported yet");
                    continue;
                }
                steps.extend(self.solve(block, method.as_ref(), env));
            }
        }
        steps
    }
}

/// Doolittle elimination without pivoting, in place: U above, L's multipliers below the diagonal. `I − dt J` of a
/// kinetic scheme is diagonally dominant, which is why the simulators' compilers do without pivots too.
fn factorise(g: &mut Graph, mut a: Vec<Vec<ExprId>>) -> Vec<Vec<ExprId>> {
    let n = a.len();
    for k in 0..n {
        let pivot_row = a[k].clone();
        for row in &mut a[k + 1..] {
            if g.is_zero(row[k]) {
                continue;
            }
            let multiplier = g.div(row[k], pivot_row[k]);
            row[k] = multiplier;
            for (entry, &above) in row.iter_mut().zip(&pivot_row).skip(k + 1) {
                let product = g.mul(multiplier, above);
                *entry = g.sub(*entry, product);
            }
        }
    }
    a
}

/// Solves `L U x = b`.
pub(crate) fn substitute_factors(g: &mut Graph, factors: &[Vec<ExprId>], b: &[ExprId]) -> Vec<ExprId> {
    let n = b.len();
    let mut x = b.to_vec();
    for i in 0..n {
        for j in 0..i {
            let product = g.mul(factors[i][j], x[j]);
            x[i] = g.sub(x[i], product);
        }
    }
    for i in (0..n).rev() {
        for j in i + 1..n {
            let product = g.mul(factors[i][j], x[j]);
            x[i] = g.sub(x[i], product);
        }
        x[i] = g.div(x[i], factors[i][i]);
    }
    x
}
