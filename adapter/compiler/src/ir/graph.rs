//! The expression graph: pure, hash-consed, without a notion of time, target language or sensitivity.
//!
//! Equal expressions are one node, so whatever is written twice (each `exp` of a rate, shared by V, the states and all
//! sensitivities) is evaluated once. Nodes are numbered in creation order and refer only to smaller numbers, so the
//! numbering is a topological order and everything derived from it is deterministic.
//!
//! The builders simplify as they go: constants fold, neutral and absorbing elements vanish, operands of commutative
//! operations are ordered, small integer powers become products, and divisions go where that is certain to be less work
//! (`graph/simplify.rs`). `0·x = 0` is applied although `x` might be infinite: derivatives would otherwise drag every dead
//! term along.

mod simplify;

use std::collections::BTreeMap;

/// A node of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub(crate) u32);

impl ExprId {
    /// Position in the graph.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a kernel reads from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaf {
    /// Membrane voltage, mV: V(t) while currents are computed, V(t+dt) while states advance.
    Voltage,
    /// Voltage at the other side of a junction, mV.
    PeerVoltage,
    /// Length of the step, ms.
    Dt,
    /// Temperature, °C.
    Celsius,
    /// Diameter, µm.
    Diam,
    /// Membrane area, µm².
    Area,
    /// A per-instance parameter, by position in the mechanism's parameter table.
    Parameter(u32),
    /// A scalar parameter, by position in the mechanism's table of globals.
    Global(u32),
    /// A stored variable as it was before the kernel, by position in the mechanism's state table.
    State(u32),
    /// An ion quantity the host supplies, by position in the mechanism's table of ion reads.
    IonRead(u32),
    /// A standard normal number, drawn by the host for each step, by position in the mechanism's table of noises.
    Noise(u32),
    /// The weight of the event being received.
    EventWeight,
    /// Time since the spike being told of, ms.
    SinceSpike,
    /// A placeholder of a pass; never survives into a kernel.
    Placeholder(u32),
}

/// Functions of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the functions' usual names")]
pub enum Unary {
    Neg,
    Exp,
    Log,
    Sqrt,
    Sin,
    Cos,
    Asin,
    Acos,
    Atan,
    Tanh,
    Abs,
    Floor,
    Ceil,
    Trunc,
    /// `x / (e^x − 1)`, 1 at 0.
    Exprelr,
    /// The derivative of [`Unary::Exprelr`], −1/2 at 0.
    DExprelr,
    /// Logical negation; the only one over truth values.
    Not,
}

/// Functions of two arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the operations' usual names")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
    Lt,
    Le,
    Eq,
    Ne,
    And,
    Or,
}

impl Binary {
    fn commutes(self) -> bool {
        match self {
            Binary::Add | Binary::Mul | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => true,
            // min and max do not commute where an operand is NaN
            Binary::Sub | Binary::Div | Binary::Pow | Binary::Min | Binary::Max | Binary::Lt | Binary::Le => false,
        }
    }
}

/// One expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A number, by its bits (so that equality is exact and total).
    Const(u64),
    /// An input.
    Leaf(Leaf),
    /// `f(a)`
    Unary(Unary, ExprId),
    /// `f(a, b)`
    Binary(Binary, ExprId, ExprId),
    /// `c ? a : b`; both are evaluated, one is kept.
    Select(ExprId, ExprId, ExprId),
}

/// Whether a node is a number or a truth value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A double.
    Number,
    /// The result of a comparison.
    Truth,
}

/// The expressions of one mechanism.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    index: BTreeMap<Node, ExprId>,
}

impl Graph {
    /// The node's content.
    pub fn node(&self, id: ExprId) -> Node {
        self.nodes[id.index()]
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True before the first node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes in topological order.
    pub fn ids(&self) -> impl Iterator<Item = ExprId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(ExprId)
    }

    /// What a node depends on directly.
    pub fn operands(&self, id: ExprId) -> Vec<ExprId> {
        match self.node(id) {
            Node::Const(_) | Node::Leaf(_) => Vec::new(),
            Node::Unary(_, a) => vec![a],
            Node::Binary(_, a, b) => vec![a, b],
            Node::Select(c, a, b) => vec![c, a, b],
        }
    }

    /// Number or truth value.
    pub fn type_of(&self, id: ExprId) -> Type {
        match self.node(id) {
            Node::Const(_) | Node::Leaf(_) | Node::Select(..) => Type::Number,
            Node::Unary(Unary::Not, _) => Type::Truth,
            Node::Unary(..) => Type::Number,
            Node::Binary(op, ..) => match op {
                Binary::Lt | Binary::Le | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => Type::Truth,
                Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow | Binary::Min | Binary::Max => {
                    Type::Number
                }
            },
        }
    }

    fn intern(&mut self, node: Node) -> ExprId {
        if let Some(&id) = self.index.get(&node) {
            return id;
        }
        let id = ExprId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        self.index.insert(node, id);
        id
    }

    /// A number. Negative zero becomes zero: no kernel may tell them apart.
    pub fn constant(&mut self, value: f64) -> ExprId {
        let value = if value.to_bits() == (-0.0f64).to_bits() {
            0.0
        } else {
            value
        };
        self.intern(Node::Const(value.to_bits()))
    }

    /// Zero.
    pub fn zero(&mut self) -> ExprId {
        self.constant(0.0)
    }

    /// An input.
    pub fn leaf(&mut self, leaf: Leaf) -> ExprId {
        self.intern(Node::Leaf(leaf))
    }

    /// The value, if it is a number known now.
    pub fn as_constant(&self, id: ExprId) -> Option<f64> {
        match self.node(id) {
            Node::Const(bits) => Some(f64::from_bits(bits)),
            Node::Leaf(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => None,
        }
    }

    fn is(&self, id: ExprId, value: f64) -> bool {
        self.as_constant(id).is_some_and(|c| c.to_bits() == value.to_bits())
    }

    /// True for the constant zero.
    pub fn is_zero(&self, id: ExprId) -> bool {
        self.is(id, 0.0)
    }

    /// True for the constant one.
    pub fn is_one(&self, id: ExprId) -> bool {
        self.is(id, 1.0)
    }

    /// `f(a)`
    pub fn unary(&mut self, op: Unary, a: ExprId) -> ExprId {
        if let (Some(x), true) = (self.as_constant(a), op != Unary::Not) {
            let folded = crate::ir::interp::unary_f64(op, x);
            return self.constant(folded);
        }
        match (op, self.node(a)) {
            (Unary::Neg, Node::Unary(Unary::Neg, b)) | (Unary::Not, Node::Unary(Unary::Not, b)) => b,
            // −(a − b) = b − a
            (Unary::Neg, Node::Binary(Binary::Sub, x, y)) => self.sub(y, x),
            _ => self.intern(Node::Unary(op, a)),
        }
    }

    /// `−a`
    pub fn neg(&mut self, a: ExprId) -> ExprId {
        self.unary(Unary::Neg, a)
    }

    /// `a + b`
    pub fn add(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.binary(Binary::Add, a, b)
    }

    /// `a − b`
    pub fn sub(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.binary(Binary::Sub, a, b)
    }

    /// `a · b`
    pub fn mul(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.binary(Binary::Mul, a, b)
    }

    /// `a / b`
    pub fn div(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.binary(Binary::Div, a, b)
    }

    /// `f(a, b)`
    pub fn binary(&mut self, op: Binary, a: ExprId, b: ExprId) -> ExprId {
        if let (Some(x), Some(y)) = (self.as_constant(a), self.as_constant(b))
            && let Some(value) = crate::ir::interp::arithmetic_f64(op, x, y)
        {
            return self.constant(value);
        }
        if let Some(simpler) = self.simplify_binary(op, a, b) {
            return simpler;
        }
        let (a, b) = if op.commutes() && b < a { (b, a) } else { (a, b) };
        self.intern(Node::Binary(op, a, b))
    }

    /// `c ? a : b`
    pub fn select(&mut self, condition: ExprId, a: ExprId, b: ExprId) -> ExprId {
        if a == b {
            return a;
        }
        if let Node::Binary(op, x, y) = self.node(condition)
            && let (Some(x), Some(y)) = (self.as_constant(x), self.as_constant(y))
        {
            return if crate::ir::interp::compare_f64(op, x, y) { a } else { b };
        }
        self.intern(Node::Select(condition, a, b))
    }

    /// `a` as a truth value: itself if it is one, else `a ≠ 0`.
    pub fn truth(&mut self, a: ExprId) -> ExprId {
        match self.type_of(a) {
            Type::Truth => a,
            Type::Number => {
                let zero = self.zero();
                self.binary(Binary::Ne, a, zero)
            }
        }
    }

    /// `a` as a number: itself if it is one, else 1 or 0.
    pub fn number(&mut self, a: ExprId) -> ExprId {
        match self.type_of(a) {
            Type::Number => a,
            Type::Truth => {
                let (one, zero) = (self.constant(1.0), self.zero());
                self.select(a, one, zero)
            }
        }
    }

    /// Rebuilds `roots` with some leaves replaced.
    pub fn substitute(&mut self, roots: &[ExprId], replace: &BTreeMap<Leaf, ExprId>) -> Vec<ExprId> {
        let order = self.reachable(roots);
        let mut image: BTreeMap<ExprId, ExprId> = BTreeMap::new();
        for id in order {
            let new = match self.node(id) {
                Node::Const(_) => id,
                Node::Leaf(leaf) => replace.get(&leaf).copied().unwrap_or(id),
                Node::Unary(op, a) => self.unary(op, image[&a]),
                Node::Binary(op, a, b) => self.binary(op, image[&a], image[&b]),
                Node::Select(c, a, b) => self.select(image[&c], image[&a], image[&b]),
            };
            image.insert(id, new);
        }
        roots.iter().map(|r| image[r]).collect()
    }

    /// Everything `roots` need, in topological order.
    pub fn reachable(&self, roots: &[ExprId]) -> Vec<ExprId> {
        self.reachable_until(roots, |_| false)
    }

    /// As [`Graph::reachable`], without what lies below the nodes at which `stop` says so.
    pub(crate) fn reachable_until(&self, roots: &[ExprId], stop: impl Fn(ExprId) -> bool) -> Vec<ExprId> {
        let mut seen = vec![false; self.nodes.len()];
        for root in roots {
            seen[root.index()] = true;
        }
        for i in (0..self.nodes.len()).rev() {
            let id = ExprId(u32::try_from(i).unwrap_or(u32::MAX));
            if seen[i] && !stop(id) {
                for operand in self.operands(id) {
                    seen[operand.index()] = true;
                }
            }
        }
        self.ids().filter(|id| seen[id.index()]).collect()
    }

    /// For every node whether it may have no finite value where the function it is a partial of has one: it contains a
    /// logarithm, a power, or a division by a root.
    pub(crate) fn diverging(&self) -> Vec<bool> {
        let mut out = vec![false; self.nodes.len()];
        for (i, &node) in self.nodes.iter().enumerate() {
            out[i] = match node {
                Node::Unary(Unary::Log, _) | Node::Binary(Binary::Pow, ..) => true,
                Node::Binary(Binary::Div, a, b) => {
                    matches!(self.node(b), Node::Unary(Unary::Sqrt, _)) || out[a.index()] || out[b.index()]
                }
                Node::Const(_) | Node::Leaf(_) => false,
                Node::Unary(_, a) => out[a.index()],
                Node::Binary(_, a, b) => out[a.index()] || out[b.index()],
                Node::Select(c, a, b) => out[c.index()] || out[a.index()] || out[b.index()],
            };
        }
        out
    }

    /// The inputs `roots` read, sorted.
    pub fn leaves(&self, roots: &[ExprId]) -> Vec<Leaf> {
        let mut leaves: Vec<Leaf> = self
            .reachable(roots)
            .into_iter()
            .filter_map(|id| match self.node(id) {
                Node::Leaf(leaf) => Some(leaf),
                Node::Const(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => None,
            })
            .collect();
        leaves.sort_unstable();
        leaves
    }
}
