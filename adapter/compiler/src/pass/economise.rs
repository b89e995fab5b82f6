//! The same values for fewer exponentials and divisions, right before kernels are written.
//!
//! - `e^(k x + c)` with numbers k and c becomes `e^c · e^(k x)`, and where k is a small multiple n of the k′ of another
//!   exponential of the same x, `e^c · (e^(k′ x))^n`. Which ones serve as bases is decided on the values alone, so a
//!   mechanism rounds alike with and without its partials.
//! - `a / b` becomes `a · (1/b)`: the reciprocal is one node however many quotients and derivatives divide by b. A
//!   reciprocal of a reciprocal is what it was made of.
//! - In products, factors that do not vary over instances (numbers, dt, globals, temperature) are brought together.
//!
//! Values change by rounding only: a few units in the last place, up to 16 of them behind a power (and as
//! much more where the source lets them cancel, as in e^x - 1 near 0, which is rounding there already). What
//! overflows earlier than before are reciprocals of numbers below 1e-308 and bases of exponentials above e^650.

use std::collections::BTreeMap;

use crate::ir::graph::{Binary, ExprId, Graph, Leaf, Node, Unary};
use crate::ir::mechanism::Mechanism;

/// Greatest power of an exponential that replaces another exponential.
const LARGEST_POWER: f64 = 16.0;

/// Greatest |c| that is taken out of an exponent.
const LARGEST_SHIFT: f64 = 50.0;

/// What `economise` made of an expression.
#[derive(Debug)]
pub struct Economised {
    /// Its own graph: smaller, and numbered afresh.
    pub graph: Graph,
    /// From the roots given to their images.
    pub image: BTreeMap<ExprId, ExprId>,
}

/// Rewrites `roots` of `m`; `values` are those of them that are not partials.
pub fn economise(m: &Mechanism, values: &[ExprId], roots: &[ExprId]) -> Economised {
    let graph = &m.graph;
    let bases = Bases::of(graph, values);
    let mut out = Rewriter {
        old: graph,
        new: Graph::default(),
        ranged: &m.ranged,
        bases,
        image: BTreeMap::new(),
        constant_over_instances: Vec::new(),
    };
    for id in graph.reachable(roots) {
        let image = out.rewrite(id);
        out.image.insert(id, image);
    }
    Economised {
        image: roots.iter().map(|&r| (r, out.image[&r])).collect(),
        graph: out.new,
    }
}

/// `k·x + c` with numbers k and c.
#[derive(Debug, Clone, Copy)]
struct Affine {
    x: ExprId,
    k: f64,
    c: f64,
}

impl Affine {
    fn of(g: &Graph, id: ExprId) -> Self {
        let scaled = |a: Affine, factor: f64| Affine {
            k: a.k * factor,
            c: a.c * factor,
            ..a
        };
        let shifted = |a: Affine, by: f64| Affine { c: a.c + by, ..a };
        match g.node(id) {
            Node::Unary(Unary::Neg, a) => scaled(Affine::of(g, a), -1.0),
            Node::Binary(op, a, b) => match (op, g.as_constant(a), g.as_constant(b)) {
                (Binary::Add, Some(c), None) => shifted(Affine::of(g, b), c),
                (Binary::Add, None, Some(c)) => shifted(Affine::of(g, a), c),
                (Binary::Sub, None, Some(c)) => shifted(Affine::of(g, a), -c),
                (Binary::Sub, Some(c), None) => shifted(scaled(Affine::of(g, b), -1.0), c),
                (Binary::Mul, Some(c), None) => scaled(Affine::of(g, b), c),
                (Binary::Mul, None, Some(c)) => scaled(Affine::of(g, a), c),
                (Binary::Div, None, Some(c)) if c != 0.0 => scaled(Affine::of(g, a), 1.0 / c),
                _ => Self::bare(id),
            },
            Node::Const(_) | Node::Leaf(_) | Node::Unary(..) | Node::Select(..) => Self::bare(id),
        }
    }

    fn bare(x: ExprId) -> Self {
        Affine { x, k: 1.0, c: 0.0 }
    }
}

/// Exponents that are evaluated, by what they multiply.
#[derive(Debug, Default)]
struct Bases(BTreeMap<ExprId, Vec<f64>>);

impl Bases {
    fn of(g: &Graph, values: &[ExprId]) -> Self {
        let mut exponents: BTreeMap<ExprId, Vec<f64>> = BTreeMap::new();
        for id in g.reachable(values) {
            if let Node::Unary(Unary::Exp, a) = g.node(id) {
                let Affine { x, k, .. } = Affine::of(g, a);
                exponents.entry(x).or_default().push(k);
            }
        }
        let mut bases = Self::default();
        for (x, mut ks) in exponents {
            ks.sort_by(|a, b| a.abs().total_cmp(&b.abs()).then(a.total_cmp(b)));
            for k in ks {
                if bases.find(x, k).is_none() {
                    bases.0.entry(x).or_default().push(k);
                }
            }
        }
        bases
    }

    /// The base of `e^(k x)` and its power.
    fn find(&self, x: ExprId, k: f64) -> Option<(f64, f64)> {
        self.0.get(&x)?.iter().find_map(|&base| {
            let power = (k / base).round();
            let fits = (1.0..=LARGEST_POWER).contains(&power) && (k / base - power).abs() <= 1e-14 * power;
            fits.then_some((base, power))
        })
    }
}

struct Rewriter<'a> {
    old: &'a Graph,
    new: Graph,
    /// Parameters that are globals but for a slot.
    ranged: &'a [u32],
    bases: Bases,
    image: BTreeMap<ExprId, ExprId>,
    /// By node of the new graph, as far as asked for.
    constant_over_instances: Vec<bool>,
}

impl Rewriter<'_> {
    fn rewrite(&mut self, id: ExprId) -> ExprId {
        match self.old.node(id) {
            Node::Const(bits) => self.new.constant(f64::from_bits(bits)),
            Node::Leaf(leaf) => self.new.leaf(leaf),
            Node::Unary(Unary::Exp, a) => self.exponential(a),
            Node::Unary(op, a) => self.new.unary(op, self.image[&a]),
            Node::Binary(Binary::Mul, a, b) => self.product(self.image[&a], self.image[&b]),
            Node::Binary(Binary::Div, a, b) => {
                let reciprocal = self.reciprocal(self.image[&b]);
                self.product(self.image[&a], reciprocal)
            }
            Node::Binary(op, a, b) => self.new.binary(op, self.image[&a], self.image[&b]),
            Node::Select(c, a, b) => self.new.select(self.image[&c], self.image[&a], self.image[&b]),
        }
    }

    fn exponential(&mut self, argument: ExprId) -> ExprId {
        let Affine { x, k, c } = Affine::of(self.old, argument);
        if !k.is_finite() || !c.is_finite() || c.abs() > LARGEST_SHIFT || self.old.as_constant(argument).is_some() {
            return self.new.unary(Unary::Exp, self.image[&argument]);
        }
        let (base, power) = self.bases.find(x, k).unwrap_or((k, 1.0));
        let k = self.new.constant(base);
        let exponent = self.new.mul(k, self.image[&x]);
        let e = self.new.unary(Unary::Exp, exponent);
        let power = self.new.constant(power);
        // small integer powers become products
        let e = self.new.binary(Binary::Pow, e, power);
        let shift = self.new.constant(c.exp());
        self.product(shift, e)
    }

    /// `1 / b`
    fn reciprocal(&mut self, b: ExprId) -> ExprId {
        let one = self.new.constant(1.0);
        match self.new.node(b) {
            Node::Unary(Unary::Neg, a) => {
                let positive = self.reciprocal(a);
                self.new.neg(positive)
            }
            Node::Binary(Binary::Div, a, z) if self.new.is_one(a) => z,
            Node::Binary(Binary::Mul, p, q) if self.splits(p) || self.splits(q) => {
                let (p, q) = (self.reciprocal(p), self.reciprocal(q));
                self.product(p, q)
            }
            Node::Const(_) | Node::Leaf(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => {
                self.new.div(one, b)
            }
        }
    }

    /// Whether the reciprocal of a factor costs nothing in the loop.
    fn splits(&mut self, factor: ExprId) -> bool {
        let reciprocal = matches!(self.new.node(factor), Node::Binary(Binary::Div, a, _) if self.new.is_one(a));
        reciprocal || self.is_even(factor)
    }

    /// `a · b` with the factors that do not vary over instances brought together.
    fn product(&mut self, a: ExprId, b: ExprId) -> ExprId {
        let (even, varying) = match (self.is_even(a), self.is_even(b)) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            (true, true) | (false, false) => return self.new.mul(a, b),
        };
        match self.new.node(varying) {
            Node::Binary(Binary::Mul, p, q) if self.is_even(p) => {
                let even = self.new.mul(even, p);
                self.new.mul(even, q)
            }
            Node::Binary(Binary::Mul, p, q) if self.is_even(q) => {
                let even = self.new.mul(even, q);
                self.new.mul(even, p)
            }
            Node::Const(_) | Node::Leaf(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => {
                self.new.mul(even, varying)
            }
        }
    }

    /// Whether a node of the new graph depends on nothing but numbers, dt, globals and temperature: what a slot makes per
    /// instance counts as a global, so that products round alike with and without it.
    fn is_even(&mut self, id: ExprId) -> bool {
        for i in self.constant_over_instances.len()..=id.index() {
            let node = ExprId(u32::try_from(i).unwrap_or(u32::MAX));
            let even = match self.new.node(node) {
                Node::Leaf(Leaf::Parameter(p)) => self.ranged.contains(&p),
                Node::Leaf(leaf) => matches!(leaf, Leaf::Dt | Leaf::Global(_) | Leaf::Celsius),
                Node::Const(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => {
                    let operands = self.new.operands(node);
                    operands.iter().all(|o| self.constant_over_instances[o.index()])
                }
            };
            self.constant_over_instances.push(even);
        }
        self.constant_over_instances[id.index()]
    }
}
