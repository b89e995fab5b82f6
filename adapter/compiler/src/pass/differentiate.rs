//! The sensitivity transform: the tangent of every kernel, as partial derivatives over the mechanism's own graph.
//!
//! A kernel's output y(V, s, p) has the tangent dy = ∂y/∂V·u + Σ_j ∂y/∂s_j·w_j + Σ_p ∂y/∂p·seed_p for each slot. The
//! partials do not depend on the slot, so they are computed once; what runs per slot is that sum. Since the graph is
//! hash-consed, every `exp` of the original serves its derivatives too.

use std::collections::BTreeMap;

use super::lower::{Kink, substitute_factors};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::{Binary, ExprId, Graph, Leaf, Node, Type, Unary};
use crate::ir::mechanism::{LinearStep, Mechanism, Storage, Updates};

/// ∂root/∂leaf.
pub fn derivative(g: &mut Graph, root: ExprId, leaf: Leaf) -> ExprId {
    derivatives(g, &[root], leaf)[0]
}

/// ∂root/∂leaf of several roots that share terms.
pub fn derivatives(g: &mut Graph, roots: &[ExprId], leaf: Leaf) -> Vec<ExprId> {
    let zero = g.zero();
    let mut d: BTreeMap<ExprId, ExprId> = BTreeMap::new();
    for id in g.reachable(roots) {
        let slope = match g.node(id) {
            Node::Const(_) => zero,
            Node::Leaf(l) if l == leaf => g.constant(1.0),
            Node::Leaf(_) => zero,
            _ if g.type_of(id) == Type::Truth => zero,
            Node::Unary(op, a) => unary_derivative(g, op, a, id, d[&a]),
            Node::Binary(op, a, b) => binary_derivative(g, op, (a, b), id, (d[&a], d[&b])),
            Node::Select(c, a, b) => g.select(c, d[&a], d[&b]),
        };
        d.insert(id, slope);
    }
    roots.iter().map(|r| d[r]).collect()
}

/// d f(a), where `f` is the node of `f(a)` itself.
fn unary_derivative(g: &mut Graph, op: Unary, a: ExprId, f: ExprId, da: ExprId) -> ExprId {
    if g.is_zero(da) {
        return da;
    }
    let one = g.constant(1.0);
    match op {
        Unary::Neg => g.neg(da),
        Unary::Exp => g.mul(f, da),
        Unary::Log => g.div(da, a),
        Unary::Sqrt => {
            let half = g.constant(0.5);
            let slope = quotient_unless_still(g, da, f);
            g.mul(half, slope)
        }
        Unary::Sin => {
            let cos = g.unary(Unary::Cos, a);
            g.mul(cos, da)
        }
        Unary::Cos => {
            let sin = g.unary(Unary::Sin, a);
            let slope = g.mul(sin, da);
            g.neg(slope)
        }
        Unary::Asin | Unary::Acos => {
            let square = g.mul(a, a);
            let rest = g.sub(one, square);
            let root = g.unary(Unary::Sqrt, rest);
            let slope = quotient_unless_still(g, da, root);
            if op == Unary::Asin { slope } else { g.neg(slope) }
        }
        Unary::Atan => {
            let square = g.mul(a, a);
            let denominator = g.add(one, square);
            g.div(da, denominator)
        }
        Unary::Tanh => {
            let square = g.mul(f, f);
            let slope = g.sub(one, square);
            g.mul(slope, da)
        }
        Unary::Abs => {
            let zero = g.zero();
            let negative = g.binary(Binary::Lt, a, zero);
            let minus = g.neg(da);
            g.select(negative, minus, da)
        }
        Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Not => g.zero(),
        Unary::Exprelr => {
            let slope = g.unary(Unary::DExprelr, a);
            g.mul(slope, da)
        }
        Unary::DExprelr => {
            // f = x/(e^x − 1) obeys x f' = f (1 − f) − x f, hence x f'' = −2 f f' − f − x f'. Not defined at 0:
            // second derivatives are a later version's, and only NEURON's exponential step asks for one.
            let first = g.unary(Unary::Exprelr, a);
            let two = g.constant(2.0);
            let product = g.mul(first, f);
            let product = g.mul(two, product);
            let shifted = g.mul(a, f);
            let sum = g.add(product, first);
            let sum = g.add(sum, shifted);
            let quotient = g.div(sum, a);
            let slope = g.neg(quotient);
            g.mul(slope, da)
        }
    }
}

/// `da / b`, and 0 where da = 0 even if b = 0 too: sqrt(max(x, 0)) stays at 0 for x < 0, and so does its slope.
fn quotient_unless_still(g: &mut Graph, da: ExprId, b: ExprId) -> ExprId {
    let zero = g.zero();
    let still = g.binary(Binary::Eq, da, zero);
    let quotient = g.div(da, b);
    g.select(still, zero, quotient)
}

/// d f(a, b), where `f` is the node of `f(a, b)` itself.
fn binary_derivative(
    g: &mut Graph,
    op: Binary,
    (a, b): (ExprId, ExprId),
    f: ExprId,
    (da, db): (ExprId, ExprId),
) -> ExprId {
    if g.is_zero(da) && g.is_zero(db) {
        return da;
    }
    match op {
        Binary::Add => g.add(da, db),
        Binary::Sub => g.sub(da, db),
        Binary::Mul => {
            let left = g.mul(da, b);
            let right = g.mul(a, db);
            g.add(left, right)
        }
        Binary::Div => {
            let correction = g.mul(f, db);
            let numerator = g.sub(da, correction);
            g.div(numerator, b)
        }
        Binary::Pow => {
            let one = g.constant(1.0);
            let lowered = g.sub(b, one);
            let power = g.binary(Binary::Pow, a, lowered);
            let by_base = g.mul(b, power);
            let by_base = g.mul(by_base, da);
            if g.is_zero(db) {
                return by_base;
            }
            // a^b log a, which vanishes with a^b: a gate may be 0 where its exponent is tuned
            let log = g.unary(Unary::Log, a);
            let by_exponent = g.mul(f, log);
            let zero = g.zero();
            let vanishes = g.binary(Binary::Eq, f, zero);
            let by_exponent = g.select(vanishes, zero, by_exponent);
            let by_exponent = g.mul(by_exponent, db);
            g.add(by_base, by_exponent)
        }
        // the side that interp and the emitted code take
        Binary::Min => {
            let left = g.binary(Binary::Lt, a, b);
            g.select(left, da, db)
        }
        Binary::Max => {
            let left = g.binary(Binary::Lt, b, a);
            g.select(left, da, db)
        }
        Binary::Lt | Binary::Le | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => g.zero(),
    }
}

/// The tangent of one kernel output: its nonzero partials.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Partials {
    /// ∂/∂V.
    pub voltage: Option<ExprId>,
    /// ∂/∂s_j by stored variable.
    pub states: Vec<(usize, ExprId)>,
    /// ∂/∂p by parameter.
    pub parameters: Vec<(usize, ExprId)>,
}

impl Partials {
    /// All expressions.
    pub fn roots(&self) -> Vec<ExprId> {
        self.voltage
            .into_iter()
            .chain(self.states.iter().chain(&self.parameters).map(|&(_, e)| e))
            .collect()
    }

    /// True if nothing reaches the output.
    pub fn is_zero(&self) -> bool {
        self.roots().is_empty()
    }
}

/// A mechanism with the tangent of its kernels.
#[derive(Debug, Clone)]
pub struct Tangent {
    /// The mechanism; its graph now holds the partials too.
    pub mechanism: Mechanism,
    /// Parameters that some slot can move, by position in the parameter table.
    pub parameters: Vec<usize>,
    /// Stored variables that carry sensitivities, in order.
    pub active: Vec<usize>,
    /// INITIAL: (state, partials).
    pub init: Vec<(usize, Partials)>,
    /// ∂(total current), mA/cm².
    pub current: Partials,
    /// ∂(conductance), S/cm².
    pub conductance: Partials,
    /// BREAKPOINT's own assignments.
    pub current_updates: Vec<(usize, Partials)>,
    /// The step of the states.
    pub advance: Vec<(usize, Partials)>,
}

/// Derives the tangent with respect to the given parameters. The warnings name the places where it is one-sided.
pub(crate) fn differentiate(
    mechanism: Mechanism,
    kinks: &[Kink],
    parameters: Vec<usize>,
) -> (Tangent, Vec<Diagnostic>) {
    let mut m = mechanism;
    let active = active_states(&m, &parameters);
    let warnings = one_sided(&m, kinks, &active, &parameters);
    let moved = Moved {
        active: &active,
        parameters: &parameters,
    };
    let init = moved.updates(&mut m, |m| &m.init, &[]);
    let roots = [m.currents.total, m.currents.conductance];
    let mut both = moved.partials(&mut m.graph, &roots);
    let conductance = both.pop().unwrap_or_default();
    let current = both.pop().unwrap_or_default();
    let current_updates = moved.updates(&mut m, |m| &m.currents.updates, &[]);
    // a state that something moves again after its implicit step has another tangent
    let last = |step: &&LinearStep| {
        step.states
            .iter()
            .zip(&step.next)
            .all(|(&s, &e)| m.advance.contains(&(s, e)))
    };
    let steps: Vec<LinearStep> = m.linear_steps.iter().filter(last).cloned().collect();
    let advance = moved.updates(&mut m, |m| &m.advance, &steps);
    let tangent = Tangent {
        mechanism: m,
        parameters,
        active,
        init,
        current,
        conductance,
        current_updates,
        advance,
    };
    (tangent, warnings)
}

fn leaf_of_state(i: usize) -> Leaf {
    Leaf::State(u32::try_from(i).unwrap_or(u32::MAX))
}

fn leaf_of_parameter(i: usize) -> Leaf {
    Leaf::Parameter(u32::try_from(i).unwrap_or(u32::MAX))
}

/// True if a value over these leaves can change with a slot.
fn moves(leaves: &[Leaf], active: &[usize], parameters: &[usize]) -> bool {
    leaves.iter().any(|leaf| match *leaf {
        Leaf::Voltage => true,
        Leaf::State(i) => active.contains(&(i as usize)),
        Leaf::Parameter(i) => parameters.contains(&(i as usize)),
        Leaf::Dt | Leaf::Celsius | Leaf::Diam | Leaf::Area | Leaf::Global(_) | Leaf::IonRead(_) => false,
        Leaf::Placeholder(_) => false,
    })
}

/// Stored variables that a slot can reach: through V, through a parameter, or through one another.
fn active_states(m: &Mechanism, parameters: &[usize]) -> Vec<usize> {
    let mut active: Vec<usize> = Vec::new();
    loop {
        let before = active.len();
        for updates in [&m.init, &m.currents.updates, &m.advance] {
            for &(state, value) in updates {
                if m.states[state].storage != Storage::Observed
                    && !active.contains(&state)
                    && moves(&m.graph.leaves(&[value]), &active, parameters)
                {
                    active.push(state);
                }
            }
        }
        if active.len() == before {
            active.sort_unstable();
            return active;
        }
    }
}

fn one_sided(m: &Mechanism, kinks: &[Kink], active: &[usize], parameters: &[usize]) -> Vec<Diagnostic> {
    let mut spans: Vec<(Span, &'static str)> = kinks
        .iter()
        .filter(|k| moves(&m.graph.leaves(&k.decided_by), active, parameters))
        .map(|k| (k.span, k.what))
        .collect();
    spans.sort_unstable();
    spans.dedup();
    // a condition that compares fabs(x) is one kink, not two
    let all = spans.clone();
    spans.retain(|(span, _)| {
        !all.iter()
            .any(|(o, _)| o != span && o.start <= span.start && span.end <= o.end)
    });
    spans
        .into_iter()
        .map(|(span, what)| {
            Diagnostic::warning(
                Code::OneSidedDerivative,
                span,
                format!("{what} depends on the voltage, a state or a tuned parameter"),
            )
            .note("the sensitivity is that of the branch taken; the jump itself contributes nothing")
        })
        .collect()
}

/// What the slots can move.
struct Moved<'a> {
    active: &'a [usize],
    parameters: &'a [usize],
}

impl Moved<'_> {
    fn partials(&self, g: &mut Graph, roots: &[ExprId]) -> Vec<Partials> {
        let mut out = vec![Partials::default(); roots.len()];
        for (partials, slope) in out.iter_mut().zip(derivatives(g, roots, Leaf::Voltage)) {
            partials.voltage = (!g.is_zero(slope)).then_some(slope);
        }
        for &state in self.active {
            for (partials, slope) in out.iter_mut().zip(derivatives(g, roots, leaf_of_state(state))) {
                if !g.is_zero(slope) {
                    partials.states.push((state, slope));
                }
            }
        }
        for &parameter in self.parameters {
            for (partials, slope) in out.iter_mut().zip(derivatives(g, roots, leaf_of_parameter(parameter))) {
                if !g.is_zero(slope) {
                    partials.parameters.push((parameter, slope));
                }
            }
        }
        out
    }

    fn updates(
        &self,
        m: &mut Mechanism,
        which: impl Fn(&Mechanism) -> &Updates,
        steps: &[LinearStep],
    ) -> Vec<(usize, Partials)> {
        let wanted: Updates = which(m)
            .iter()
            .filter(|(s, _)| self.active.contains(s))
            .copied()
            .collect();
        let in_step = |state: usize| steps.iter().any(|step| step.states.contains(&state));
        let (implicit, explicit): (Updates, Updates) = wanted.into_iter().partition(|&(s, _)| in_step(s));
        let roots: Vec<ExprId> = explicit.iter().map(|&(_, e)| e).collect();
        let mut out: Vec<(usize, Partials)> = explicit
            .iter()
            .map(|&(s, _)| s)
            .zip(self.partials(&mut m.graph, &roots))
            .collect();
        for step in steps
            .iter()
            .filter(|s| implicit.iter().any(|(i, _)| s.states.contains(i)))
        {
            out.extend(self.implicit(&mut m.graph, step));
        }
        out.sort_by_key(|&(s, _)| s);
        out
    }

    /// The tangent of s⁺ = s + dt f(s⁺, x): (I − dt J) ds⁺ = ds + dt ∂f/∂x dx, with the factors of the step itself.
    fn implicit(&self, g: &mut Graph, step: &LinearStep) -> Vec<(usize, Partials)> {
        let at_next: BTreeMap<Leaf, ExprId> = step
            .states
            .iter()
            .zip(&step.next)
            .map(|(&s, &next)| (leaf_of_state(s), next))
            .collect();
        let mut out: Vec<(usize, Partials)> = step.states.iter().map(|&s| (s, Partials::default())).collect();
        let dt = g.leaf(Leaf::Dt);
        let column = |g: &mut Graph, leaf: Leaf| -> Vec<ExprId> {
            let rhs: Vec<ExprId> = if let Some(i) = step.states.iter().position(|&s| leaf_of_state(s) == leaf) {
                (0..step.states.len())
                    .map(|j| g.constant(if i == j { 1.0 } else { 0.0 }))
                    .collect()
            } else {
                let slopes = derivatives(g, &step.rates, leaf);
                let slopes = g.substitute(&slopes, &at_next);
                slopes.into_iter().map(|slope| g.mul(dt, slope)).collect()
            };
            substitute_factors(g, &step.factors, &rhs)
        };
        for (row, slope) in column(g, Leaf::Voltage).into_iter().enumerate() {
            out[row].1.voltage = (!g.is_zero(slope)).then_some(slope);
        }
        for &state in self.active {
            for (row, slope) in column(g, leaf_of_state(state)).into_iter().enumerate() {
                if !g.is_zero(slope) {
                    out[row].1.states.push((state, slope));
                }
            }
        }
        for &parameter in self.parameters {
            for (row, slope) in column(g, leaf_of_parameter(parameter)).into_iter().enumerate() {
                if !g.is_zero(slope) {
                    out[row].1.parameters.push((parameter, slope));
                }
            }
        }
        out
    }
}
