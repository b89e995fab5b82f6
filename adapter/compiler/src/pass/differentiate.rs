//! The sensitivity transform: the tangent of every kernel, as partial derivatives over the mechanism's own graph.
//!
//! A kernel's output y(V, s, p) has the tangent dy = ∂y/∂V·u + Σ_j ∂y/∂s_j·w_j + Σ_p ∂y/∂p·seed_p for each slot. The
//! partials do not depend on the slot, so they are computed once; what runs per slot is that sum. Since the graph is
//! hash-consed, every `exp` of the original serves its derivatives too.

pub mod prune;

use std::collections::BTreeMap;

use super::lower::Kink;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::{Binary, ExprId, Graph, Leaf, Node, Type, Unary};
use crate::ir::mechanism::{Hook, LinearSolve, Mechanism, Output, Storage};

/// ∂root/∂leaf.
pub fn derivative(g: &mut Graph, root: ExprId, leaf: Leaf) -> ExprId {
    derivatives(g, &[root], leaf)[0]
}

/// ∂root/∂leaf of several roots that share terms.
pub fn derivatives(g: &mut Graph, roots: &[ExprId], leaf: Leaf) -> Vec<ExprId> {
    derivatives_given(g, roots, leaf, &BTreeMap::new())
}

/// As [`derivatives`], where the derivatives of some nodes are `known` and what lies below them is not looked at.
pub(crate) fn derivatives_given(
    g: &mut Graph,
    roots: &[ExprId],
    leaf: Leaf,
    known: &BTreeMap<ExprId, ExprId>,
) -> Vec<ExprId> {
    let zero = g.zero();
    let mut d: BTreeMap<ExprId, ExprId> = BTreeMap::new();
    for id in g.reachable_until(roots, |id| known.contains_key(&id)) {
        let slope = match g.node(id) {
            _ if known.contains_key(&id) => known[&id],
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
    let quotient = g.div(da, b);
    unless_still(g, da, quotient)
}

/// `slope`, and 0 where da = 0.
fn unless_still(g: &mut Graph, da: ExprId, slope: ExprId) -> ExprId {
    let zero = g.zero();
    let still = g.binary(Binary::Eq, da, zero);
    g.select(still, zero, slope)
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
            // a^(b−1) is infinite at a = 0 for b < 1, where a base that stays at 0 makes no difference
            let tame = g.as_constant(b).is_some_and(|b| b >= 1.0);
            let by_base = if tame { by_base } else { unless_still(g, da, by_base) };
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

/// The tangent of one result: its nonzero partials by the input they multiply.
pub type Partials = Vec<(Leaf, ExprId)>;

/// A mechanism with the tangent of its kernels.
#[derive(Debug, Clone)]
pub struct Tangent {
    /// The mechanism; its graph now holds the partials too.
    pub mechanism: Mechanism,
    /// Parameters that some slot can move, by position in the parameter table.
    pub parameters: Vec<usize>,
    /// Stored variables that carry sensitivities, in order.
    pub active: Vec<usize>,
    /// Stored variables that slots move, but on whose sensitivities nothing depends: they carry none.
    pub pruned: Vec<usize>,
    /// Ions that have a tangent ion, by position in the ion table.
    pub ions: Vec<usize>,
    kernels: BTreeMap<Hook, Vec<(Output, Partials)>>,
}

impl Tangent {
    /// The tangent of what a hook computes.
    pub fn kernel(&self, hook: Hook) -> &[(Output, Partials)] {
        self.kernels.get(&hook).map_or(&[], Vec::as_slice)
    }

    /// Drops the stored variables without a place, which no kernel reads.
    pub(crate) fn drop_values(&mut self, places: &[Option<usize>]) {
        prune::drop_values(&mut self.mechanism, places);
        for list in [&mut self.active, &mut self.pruned] {
            *list = list.iter().filter_map(|&s| places[s]).collect();
        }
        for kernel in self.kernels.values_mut() {
            kernel.retain_mut(|(output, _)| prune::renumber(output, places));
        }
    }
}

/// What the slots can move besides the mechanism's own states.
#[derive(Debug, Clone, Default)]
pub(crate) struct Movable {
    /// Positions in the parameter table.
    pub(crate) parameters: Vec<usize>,
    /// Positions in the table of ion reads.
    pub(crate) reads: Vec<usize>,
    /// Positions in the ion table: ions that have a tangent ion.
    pub(crate) ions: Vec<usize>,
    /// Positions in the table of stored variables: those whose sensitivities users read.
    pub(crate) read_back: Vec<usize>,
}

/// Derives the tangent. The diagnostics name the places where it is one-sided, and what cannot be differentiated.
pub(crate) fn differentiate(mechanism: Mechanism, kinks: &[Kink], movable: Movable) -> (Tangent, Vec<Diagnostic>) {
    let mut m = mechanism;
    let mut moved = Moved {
        movable: &movable,
        active: Vec::new(),
    };
    moved.find_active(&m);
    let warnings = moved.one_sided(&m, kinks);
    // what no kernel reads moves nothing else
    let unread = |&s: &usize| m.states[s].storage == Storage::Observed && !movable.read_back.contains(&s);
    let (mut pruned, moving): (Vec<usize>, Vec<usize>) = moved.active.into_iter().partition(unread);
    moved.active = moving;
    let mut kernels: BTreeMap<Hook, Vec<(Output, Partials)>> = Hook::ALL
        .into_iter()
        .map(|hook| (hook, moved.kernel(&mut m, hook)))
        .collect();
    let needed = prune::needed(&m, &kernels, &movable.ions, &movable.read_back);
    let (active, idle): (Vec<usize>, Vec<usize>) = moved.active.into_iter().partition(|&s| needed[s]);
    pruned.extend(idle);
    pruned.sort_unstable();
    for kernel in kernels.values_mut() {
        kernel.retain(|(output, _)| !matches!(output, Output::State(s) if !needed[*s]));
    }
    let tangent = Tangent {
        mechanism: m,
        active,
        pruned,
        kernels,
        parameters: movable.parameters,
        ions: movable.ions,
    };
    (tangent, warnings)
}

fn leaf_at(i: u32, positions: &[usize]) -> bool {
    positions.contains(&(i as usize))
}

/// What the slots can move.
struct Moved<'a> {
    movable: &'a Movable,
    active: Vec<usize>,
}

impl Moved<'_> {
    /// True if the input can change with a slot.
    fn moves(&self, leaf: Leaf) -> bool {
        match leaf {
            Leaf::Voltage | Leaf::PeerVoltage => true,
            Leaf::State(i) => leaf_at(i, &self.active),
            Leaf::Parameter(i) => leaf_at(i, &self.movable.parameters),
            Leaf::IonRead(i) => leaf_at(i, &self.movable.reads),
            Leaf::Dt | Leaf::Celsius | Leaf::Diam | Leaf::Area | Leaf::Global(_) | Leaf::Noise(_) => false,
            // the weight itself is a parameter's business; the time of a spike is held fixed
            Leaf::EventWeight | Leaf::SinceSpike | Leaf::Placeholder(_) => false,
        }
    }

    /// For every node whether it can change with a slot.
    fn moved_nodes(&self, g: &Graph) -> Vec<bool> {
        let mut moved = vec![false; g.len()];
        for id in g.ids() {
            moved[id.index()] = match g.node(id) {
                Node::Leaf(leaf) => self.moves(leaf),
                Node::Const(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => {
                    g.operands(id).iter().any(|o| moved[o.index()])
                }
            };
        }
        moved
    }

    /// Stored variables that a slot can reach: through V, an ion, a parameter, or one another.
    fn find_active(&mut self, m: &Mechanism) {
        loop {
            let before = self.active.len();
            let moved = self.moved_nodes(&m.graph);
            for (state, value) in Hook::ALL.into_iter().flat_map(|hook| m.kernel(hook).states()) {
                if !self.active.contains(&state) && moved[value.index()] {
                    self.active.push(state);
                }
            }
            if self.active.len() == before {
                self.active.sort_unstable();
                return;
            }
        }
    }

    fn one_sided(&self, m: &Mechanism, kinks: &[Kink]) -> Vec<Diagnostic> {
        let moved = self.moved_nodes(&m.graph);
        let mut spans: Vec<(Span, &'static str)> = kinks
            .iter()
            .filter(|k| k.decided_by.iter().any(|e| moved[e.index()]))
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

    /// Whether the tangent of this result is wanted.
    fn carries(&self, output: Output) -> bool {
        match output {
            Output::State(s) => self.active.contains(&s),
            Output::Current | Output::Conductance | Output::Voltage => true,
            Output::IonCurrent(i) | Output::Reversal(i) | Output::Diffusive(i) => self.movable.ions.contains(&i),
        }
    }

    fn kernel(&self, m: &mut Mechanism, hook: Hook) -> Vec<(Output, Partials)> {
        let kernel = m.kernel(hook).clone();
        let wanted: Vec<(Output, ExprId)> = kernel.outputs.into_iter().filter(|&(o, _)| self.carries(o)).collect();
        let roots: Vec<ExprId> = wanted.iter().map(|&(_, e)| e).collect();
        let solves = needed(&m.graph, &roots, &kernel.solves);
        let mut out: Vec<(Output, Partials)> = wanted.iter().map(|&(o, _)| (o, Partials::new())).collect();
        let inputs: Vec<Leaf> = m.graph.leaves(&roots).into_iter().filter(|&l| self.moves(l)).collect();
        for leaf in inputs {
            let g = &mut m.graph;
            let mut known = BTreeMap::new();
            for solve in &solves {
                let column = tangent_of_solve(g, solve, leaf, &known);
                known.extend(solve.solution.iter().copied().zip(column));
            }
            for ((_, partials), slope) in out.iter_mut().zip(derivatives_given(g, &roots, leaf, &known)) {
                if !g.is_zero(slope) {
                    partials.push((leaf, slope));
                }
            }
        }
        // what is added may be left out; what replaces something must replace its tangent too, though by nothing
        let adds = |o| matches!(o, Output::Current | Output::Conductance | Output::IonCurrent(_));
        out.retain(|&(output, ref partials)| !adds(output) || !partials.is_empty());
        out
    }
}

/// The solves that `roots` contain, in order.
fn needed(g: &Graph, roots: &[ExprId], solves: &[LinearSolve]) -> Vec<LinearSolve> {
    let mut roots = roots.to_vec();
    let mut out: Vec<LinearSolve> = Vec::new();
    for solve in solves.iter().rev() {
        let reached = g.reachable(&roots);
        if solve.solution.iter().any(|x| reached.binary_search(x).is_ok()) {
            roots.extend(solve.matrix.iter().flatten().chain(&solve.rhs));
            out.push(solve.clone());
        }
    }
    out.reverse();
    out
}

/// dx of M x = r: M dx = dr − dM x, with the factors of the solve itself.
fn tangent_of_solve(g: &mut Graph, solve: &LinearSolve, leaf: Leaf, known: &BTreeMap<ExprId, ExprId>) -> Vec<ExprId> {
    let n = solve.rhs.len();
    let entries: Vec<ExprId> = solve.rhs.iter().chain(solve.matrix.iter().flatten()).copied().collect();
    let slopes = derivatives_given(g, &entries, leaf, known);
    let (of_rhs, of_matrix) = slopes.split_at(n);
    let rhs: Vec<ExprId> = (0..n)
        .map(|i| {
            (0..n).fold(of_rhs[i], |sum, j| {
                let term = g.mul(of_matrix[i * n + j], solve.solution[j]);
                g.sub(sum, term)
            })
        })
        .collect();
    if rhs.iter().all(|&r| g.is_zero(r)) {
        return rhs;
    }
    solve.factors.solve(g, &rhs)
}
