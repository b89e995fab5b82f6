//! The functions that NMODL files may call without defining them, Arbor's and NEURON's.

use crate::ir::graph::{Binary, ExprId, Graph, Unary};

struct Builtin {
    name: &'static str,
    arity: usize,
    /// What to call it where its derivative is one-sided.
    kink: Option<&'static str>,
    build: fn(&mut Graph, &[ExprId]) -> ExprId,
}

const fn smooth(name: &'static str, arity: usize, build: fn(&mut Graph, &[ExprId]) -> ExprId) -> Builtin {
    Builtin {
        name,
        arity,
        kink: None,
        build,
    }
}

const fn kinked(
    name: &'static str,
    arity: usize,
    kink: &'static str,
    build: fn(&mut Graph, &[ExprId]) -> ExprId,
) -> Builtin {
    Builtin {
        name,
        arity,
        kink: Some(kink),
        build,
    }
}

/// (e^x ± e^−x)/2
fn hyperbolic(g: &mut Graph, x: ExprId, op: Binary) -> ExprId {
    let plus = g.unary(Unary::Exp, x);
    let minus = g.neg(x);
    let minus = g.unary(Unary::Exp, minus);
    let sum = g.binary(op, plus, minus);
    let half = g.constant(0.5);
    g.mul(half, sum)
}

/// `x ≥ 0 ? a : b`
fn by_sign(g: &mut Graph, x: ExprId, a: f64, at_zero: f64, b: f64) -> ExprId {
    let zero = g.zero();
    let (a, at_zero, b) = (g.constant(a), g.constant(at_zero), g.constant(b));
    let positive = g.binary(Binary::Lt, zero, x);
    let negative = g.binary(Binary::Lt, x, zero);
    let rest = g.select(negative, b, at_zero);
    g.select(positive, a, rest)
}

const BUILTINS: &[Builtin] = &[
    smooth("exp", 1, |g, a| g.unary(Unary::Exp, a[0])),
    smooth("log", 1, |g, a| g.unary(Unary::Log, a[0])),
    smooth("log10", 1, |g, a| {
        let ln = g.unary(Unary::Log, a[0]);
        let scale = g.constant(std::f64::consts::LOG10_E);
        g.mul(scale, ln)
    }),
    smooth("sqrt", 1, |g, a| g.unary(Unary::Sqrt, a[0])),
    smooth("sin", 1, |g, a| g.unary(Unary::Sin, a[0])),
    smooth("cos", 1, |g, a| g.unary(Unary::Cos, a[0])),
    smooth("tan", 1, |g, a| {
        let (s, c) = (g.unary(Unary::Sin, a[0]), g.unary(Unary::Cos, a[0]));
        g.div(s, c)
    }),
    smooth("asin", 1, |g, a| g.unary(Unary::Asin, a[0])),
    smooth("acos", 1, |g, a| g.unary(Unary::Acos, a[0])),
    smooth("atan", 1, |g, a| g.unary(Unary::Atan, a[0])),
    smooth("sinh", 1, |g, a| hyperbolic(g, a[0], Binary::Sub)),
    smooth("cosh", 1, |g, a| hyperbolic(g, a[0], Binary::Add)),
    smooth("tanh", 1, |g, a| g.unary(Unary::Tanh, a[0])),
    smooth("pow", 2, |g, a| g.binary(Binary::Pow, a[0], a[1])),
    smooth("exprelr", 1, |g, a| g.unary(Unary::Exprelr, a[0])),
    smooth("safeinv", 1, |g, a| {
        // Arbor: 1/x, and 1/ε where x vanishes beside 1
        let one = g.constant(1.0);
        let shifted = g.add(one, a[0]);
        let vanishes = g.binary(Binary::Eq, shifted, one);
        let inverse = g.div(one, a[0]);
        let huge = g.constant(1.0 / f64::EPSILON);
        g.select(vanishes, huge, inverse)
    }),
    smooth("sigmoid", 1, |g, a| {
        let one = g.constant(1.0);
        let minus = g.neg(a[0]);
        let e = g.unary(Unary::Exp, minus);
        let denominator = g.add(one, e);
        g.div(one, denominator)
    }),
    kinked("fabs", 1, "fabs", |g, a| g.unary(Unary::Abs, a[0])),
    kinked("abs", 1, "abs", |g, a| g.unary(Unary::Abs, a[0])),
    kinked("floor", 1, "floor", |g, a| g.unary(Unary::Floor, a[0])),
    kinked("ceil", 1, "ceil", |g, a| g.unary(Unary::Ceil, a[0])),
    kinked("fmod", 2, "fmod", |g, a| {
        let quotient = g.div(a[0], a[1]);
        let whole = g.unary(Unary::Trunc, quotient);
        let multiple = g.mul(a[1], whole);
        g.sub(a[0], multiple)
    }),
    kinked("min", 2, "min", |g, a| g.binary(Binary::Min, a[0], a[1])),
    kinked("max", 2, "max", |g, a| g.binary(Binary::Max, a[0], a[1])),
    kinked("relu", 1, "relu", |g, a| {
        let zero = g.zero();
        g.binary(Binary::Max, a[0], zero)
    }),
    kinked("step", 1, "step", |g, a| by_sign(g, a[0], 1.0, 0.5, 0.0)),
    kinked("step_right", 1, "step_right", |g, a| by_sign(g, a[0], 1.0, 1.0, 0.0)),
    kinked("step_left", 1, "step_left", |g, a| by_sign(g, a[0], 1.0, 0.0, 0.0)),
    kinked("signum", 1, "signum", |g, a| by_sign(g, a[0], 1.0, 0.0, -1.0)),
];

fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|b| b.name == name)
}

/// Number of arguments, if there is such a function.
pub(super) fn arity(name: &str) -> Option<usize> {
    find(name).map(|b| b.arity)
}

/// How to name the function where its derivative is one-sided; none for smooth ones.
pub(super) fn kink(name: &str) -> Option<&'static str> {
    find(name).and_then(|b| b.kink)
}

/// False for the functions whose presence makes modcc 0.12.2 drop a current's conductance (found by running it).
pub(super) fn modcc_differentiates(name: &str) -> bool {
    !["fabs", "abs", "min", "max", "exprelr", "safeinv"].contains(&name)
}

/// The expression of a call; the caller has checked name and argument count.
pub(super) fn build(graph: &mut Graph, name: &str, args: &[ExprId]) -> ExprId {
    match find(name) {
        Some(builtin) if builtin.arity == args.len() => (builtin.build)(graph, args),
        Some(_) | None => graph.constant(f64::NAN),
    }
}
