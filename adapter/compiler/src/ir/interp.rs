//! The reference interpreter: evaluates a graph over any [`Scalar`], in particular over doubles and over
//! [`Dual`] numbers. Slow, obvious, and the oracle for emitted code and for symbolic derivatives: the dual numbers know
//! nothing of `pass::differentiate`.

use super::graph::{Binary, ExprId, Graph, Leaf, Node, Unary};

/// What the interpreter computes with.
pub trait Scalar: Copy {
    /// A constant.
    fn constant(value: f64) -> Self;
    /// The value that comparisons look at.
    fn value(self) -> f64;
    /// `f(self)` for a numeric function.
    #[must_use]
    fn unary(self, op: Unary) -> Self;
    /// `f(self, other)` for a numeric operation; comparisons never come here.
    #[must_use]
    fn binary(self, op: Binary, other: Self) -> Self;
}

/// Evaluates one unary function in double precision.
pub(crate) fn unary_f64(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Neg => -x,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Asin => x.asin(),
        Unary::Acos => x.acos(),
        Unary::Atan => x.atan(),
        Unary::Tanh => x.tanh(),
        Unary::Abs => x.abs(),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Trunc => x.trunc(),
        Unary::Exprelr => exprelr(x),
        Unary::DExprelr => exprelr_derivative(x),
        Unary::Not => f64::from(u8::from(x == 0.0)),
    }
}

/// Evaluates one arithmetic operation in double precision; `None` for comparisons.
pub(crate) fn arithmetic_f64(op: Binary, x: f64, y: f64) -> Option<f64> {
    match op {
        Binary::Add => Some(x + y),
        Binary::Sub => Some(x - y),
        Binary::Mul => Some(x * y),
        Binary::Div => Some(x / y),
        Binary::Pow => Some(x.powf(y)),
        // the C form, including what it does with NaN
        Binary::Min => Some(if x < y { x } else { y }),
        Binary::Max => Some(if x > y { x } else { y }),
        Binary::Lt | Binary::Le | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => None,
    }
}

/// Evaluates one comparison; `false` for arithmetic, which never comes here.
#[expect(clippy::float_cmp, reason = "NMODL's == compares exactly")]
pub(crate) fn compare_f64(op: Binary, x: f64, y: f64) -> bool {
    match op {
        Binary::Lt => x < y,
        Binary::Le => x <= y,
        Binary::Eq => x == y,
        Binary::Ne => x != y,
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::Div
        | Binary::Pow
        | Binary::Min
        | Binary::Max
        | Binary::And
        | Binary::Or => false,
    }
}

/// `x / (e^x − 1)` with the removable singularity filled, as Arbor's `exprelr`.
#[expect(clippy::float_cmp, reason = "asks whether x vanishes beside 1, exactly")]
fn exprelr(x: f64) -> f64 {
    if 1.0 + x == 1.0 { 1.0 } else { x / x.exp_m1() }
}

/// d/dx of `x / (e^x − 1)`: `(e^x (1 − x) − 1) / (e^x − 1)²`, by its Bernoulli series near 0.
fn exprelr_derivative(x: f64) -> f64 {
    if x.abs() < 0.2 {
        // Σ B_n x^(n-1)/(n-1)!, B_2 = 1/6, B_4 = −1/30, …  (Abramowitz & Stegun 23.1.1)
        let y = x * x;
        return -0.5
            + x * (1.0 / 6.0
                + y * (-1.0 / 180.0
                    + y * (1.0 / 5040.0
                        + y * (-1.0 / 151_200.0 + y * (1.0 / 4_790_016.0 - y * 691.0 / 108_972_864_000.0)))));
    }
    if x > 700.0 {
        return 0.0;
    }
    let em = x.exp_m1();
    // (e^x − 1 − x e^x)/(e^x − 1)² with e^x = em + 1
    (em - x * (em + 1.0)) / (em * em)
}

impl Scalar for f64 {
    fn constant(value: f64) -> Self {
        value
    }

    fn value(self) -> f64 {
        self
    }

    fn unary(self, op: Unary) -> Self {
        unary_f64(op, self)
    }

    fn binary(self, op: Binary, other: Self) -> Self {
        arithmetic_f64(op, self, other).unwrap_or(f64::NAN)
    }
}

/// `value + tangent·ε`, ε² = 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// Its derivative along one direction.
    pub tangent: f64,
}

impl Dual {
    /// A value with its tangent.
    pub fn new(value: f64, tangent: f64) -> Self {
        Self { value, tangent }
    }
}

impl Scalar for Dual {
    fn constant(value: f64) -> Self {
        Dual::new(value, 0.0)
    }

    fn value(self) -> f64 {
        self.value
    }

    fn unary(self, op: Unary) -> Self {
        let x = self.value;
        let slope = match op {
            Unary::Neg => -1.0,
            Unary::Exp => x.exp(),
            Unary::Log => 1.0 / x,
            Unary::Sqrt => 0.5 / x.sqrt(),
            Unary::Sin => x.cos(),
            Unary::Cos => -x.sin(),
            Unary::Asin => 1.0 / (1.0 - x * x).sqrt(),
            Unary::Acos => -1.0 / (1.0 - x * x).sqrt(),
            Unary::Atan => 1.0 / (1.0 + x * x),
            Unary::Tanh => {
                let c = x.cosh();
                1.0 / (c * c)
            }
            Unary::Abs => {
                if x < 0.0 {
                    -1.0
                } else {
                    1.0
                }
            }
            Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Not => 0.0,
            Unary::Exprelr => exprelr_derivative(x),
            // second derivatives are taken of no kernel; a central difference would hide that
            Unary::DExprelr => f64::NAN,
        };
        // a constant stays one even where its slope is infinite
        let tangent = if self.tangent == 0.0 { 0.0 } else { slope * self.tangent };
        Dual::new(unary_f64(op, x), tangent)
    }

    fn binary(self, op: Binary, other: Self) -> Self {
        let (x, y, dx, dy) = (self.value, other.value, self.tangent, other.tangent);
        let value = x.binary(op, y);
        let tangent = match op {
            Binary::Add => dx + dy,
            Binary::Sub => dx - dy,
            Binary::Mul => dx * y + x * dy,
            Binary::Div => (dx - value * dy) / y,
            Binary::Pow => {
                let by_base = if dx == 0.0 { 0.0 } else { y * x.powf(y - 1.0) * dx };
                let by_exponent = if dy == 0.0 { 0.0 } else { value * x.ln() * dy };
                by_base + by_exponent
            }
            Binary::Min => {
                if x < y {
                    dx
                } else {
                    dy
                }
            }
            Binary::Max => {
                if x > y {
                    dx
                } else {
                    dy
                }
            }
            Binary::Lt | Binary::Le | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => f64::NAN,
        };
        Dual::new(value, tangent)
    }
}

/// Evaluates `roots` (numbers) with the given inputs.
pub fn evaluate<T: Scalar>(graph: &Graph, roots: &[ExprId], input: impl Fn(Leaf) -> T) -> Vec<T> {
    let mut value: Vec<Option<T>> = vec![None; graph.len()];
    let mut truth: Vec<bool> = vec![false; graph.len()];
    let nan = T::constant(f64::NAN);
    for id in graph.reachable(roots) {
        let number = |e: ExprId| value[e.index()].unwrap_or(nan);
        let i = id.index();
        match graph.node(id) {
            Node::Const(bits) => value[i] = Some(T::constant(f64::from_bits(bits))),
            Node::Leaf(leaf) => value[i] = Some(input(leaf)),
            Node::Unary(Unary::Not, a) => truth[i] = !truth[a.index()],
            Node::Unary(op, a) => value[i] = Some(number(a).unary(op)),
            Node::Binary(Binary::And, a, b) => truth[i] = truth[a.index()] && truth[b.index()],
            Node::Binary(Binary::Or, a, b) => truth[i] = truth[a.index()] || truth[b.index()],
            Node::Binary(op @ (Binary::Lt | Binary::Le | Binary::Eq | Binary::Ne), a, b) => {
                truth[i] = compare_f64(op, number(a).value(), number(b).value());
            }
            Node::Binary(op, a, b) => value[i] = Some(number(a).binary(op, number(b))),
            Node::Select(c, a, b) => value[i] = Some(if truth[c.index()] { number(a) } else { number(b) }),
        }
    }
    roots.iter().map(|r| value[r.index()].unwrap_or(nan)).collect()
}
