//! Graph to C: the body of one loop over instances.
//!
//! Whatever depends on no instance (dt, globals) is hoisted before the loop. In the loop, shared or long expressions get
//! a temporary and the rest is written in place. The evaluation order is the graph's, so the text is deterministic and
//! every compiler rounds alike.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::ir::graph::{Binary, ExprId, Graph, Leaf, Node, Type, Unary};

/// Longest expression that is written in place.
const INLINE_LIMIT: usize = 72;

/// C's binding strengths, as far as we use them.
mod strength {
    pub(super) const SELECT: u8 = 1;
    pub(super) const OR: u8 = 2;
    pub(super) const AND: u8 = 3;
    pub(super) const EQUALITY: u8 = 4;
    pub(super) const ORDER: u8 = 5;
    pub(super) const SUM: u8 = 6;
    pub(super) const PRODUCT: u8 = 7;
    pub(super) const PREFIX: u8 = 8;
    pub(super) const ATOM: u8 = 9;
}

/// A double as a C literal that reads back exactly.
pub(crate) fn literal(value: f64) -> String {
    if value.is_nan() {
        "NAN".into()
    } else if value.is_infinite() {
        if value > 0.0 {
            "HUGE_VAL".into()
        } else {
            "-HUGE_VAL".into()
        }
    } else {
        format!("{value:?}")
    }
}

/// The statements of a kernel: `hoisted` before the loop over blocks, `body` inside the loop over instances.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) hoisted: String,
    pub(super) body: String,
    /// Outputs by expression: the C expression of each root, valid after `body` (or everywhere if uniform).
    pub(super) values: BTreeMap<ExprId, String>,
    /// Roots that do not vary over instances.
    pub(super) uniform: Vec<ExprId>,
    /// Inputs the kernel reads.
    pub(super) leaves: Vec<Leaf>,
}

struct Writer<'a> {
    graph: &'a Graph,
    leaf_name: &'a dyn Fn(Leaf) -> String,
    uses: Vec<u32>,
    varying: Vec<bool>,
    /// How to write a node: text and binding strength.
    text: BTreeMap<ExprId, (String, u8)>,
    code: Code,
    temporaries: usize,
    hoisted: usize,
}

/// Writes the evaluation of `roots`.
pub(super) fn write(graph: &Graph, roots: &[ExprId], leaf_name: &dyn Fn(Leaf) -> String) -> Code {
    let order = graph.reachable(roots);
    let mut uses = vec![0u32; graph.len()];
    let mut varying = vec![false; graph.len()];
    for &id in &order {
        varying[id.index()] = match graph.node(id) {
            Node::Const(_) => false,
            Node::Leaf(leaf) => !matches!(leaf, Leaf::Dt | Leaf::Global(_)),
            Node::Unary(..) | Node::Binary(..) | Node::Select(..) => {
                graph.operands(id).iter().any(|o| varying[o.index()])
            }
        };
        for operand in graph.operands(id) {
            uses[operand.index()] += 1;
        }
    }
    for root in roots {
        uses[root.index()] += 1;
    }
    let mut writer = Writer {
        graph,
        leaf_name,
        uses,
        varying,
        text: BTreeMap::new(),
        code: Code {
            leaves: graph.leaves(roots),
            ..Code::default()
        },
        temporaries: 0,
        hoisted: 0,
    };
    for id in order {
        writer.node(id);
    }
    let mut code = writer.code;
    for &root in roots {
        code.values.insert(root, writer.text[&root].0.clone());
        if !writer.varying[root.index()] {
            code.uniform.push(root);
        }
    }
    code
}

impl Writer<'_> {
    fn node(&mut self, id: ExprId) {
        let (text, binding) = self.expression(id);
        let varying = self.varying[id.index()];
        let trivial = matches!(self.graph.node(id), Node::Const(_) | Node::Leaf(_));
        let used_by_loop = !varying && !trivial;
        let keep = !trivial && (used_by_loop || self.uses[id.index()] > 1 || text.len() > INLINE_LIMIT);
        if !keep {
            self.text.insert(id, (text, binding));
            return;
        }
        let kind = if self.graph.type_of(id) == Type::Truth {
            "int"
        } else {
            "double"
        };
        let name = if varying {
            self.temporaries += 1;
            let name = format!("t{}", self.temporaries);
            let _ = writeln!(self.code.body, "            const {kind} {name} = {text};");
            name
        } else {
            self.hoisted += 1;
            let name = format!("h{}", self.hoisted);
            let _ = writeln!(self.code.hoisted, "    const {kind} {name} = {text};");
            name
        };
        self.text.insert(id, (name, strength::ATOM));
    }

    /// An operand, in parentheses if it binds less tightly than `least`.
    fn operand(&self, id: ExprId, least: u8) -> String {
        let (text, binding) = &self.text[&id];
        if *binding < least {
            format!("({text})")
        } else {
            text.clone()
        }
    }

    fn expression(&self, id: ExprId) -> (String, u8) {
        match self.graph.node(id) {
            Node::Const(bits) => {
                let value = f64::from_bits(bits);
                (
                    literal(value),
                    if value.is_sign_negative() {
                        strength::PREFIX
                    } else {
                        strength::ATOM
                    },
                )
            }
            Node::Leaf(leaf) => ((self.leaf_name)(leaf), strength::ATOM),
            Node::Unary(Unary::Neg, a) => (format!("-{}", self.operand(a, strength::ATOM)), strength::PREFIX),
            Node::Unary(Unary::Not, a) => (format!("!{}", self.operand(a, strength::ATOM)), strength::PREFIX),
            Node::Unary(op, a) => (format!("{}({})", function(op), self.operand(a, 0)), strength::ATOM),
            Node::Binary(op, a, b) => self.infix(op, a, b),
            Node::Select(c, a, b) => {
                let text = format!(
                    "{} ? {} : {}",
                    self.operand(c, strength::OR),
                    self.operand(a, strength::OR),
                    self.operand(b, strength::OR)
                );
                (text, strength::SELECT)
            }
        }
    }

    fn call(&self, name: &str, a: ExprId, b: ExprId) -> (String, u8) {
        (
            format!("{name}({}, {})", self.operand(a, 0), self.operand(b, 0)),
            strength::ATOM,
        )
    }

    fn infix(&self, op: Binary, a: ExprId, b: ExprId) -> (String, u8) {
        let (symbol, own) = match op {
            Binary::Add => ("+", strength::SUM),
            Binary::Sub => ("-", strength::SUM),
            Binary::Mul => ("*", strength::PRODUCT),
            Binary::Div => ("/", strength::PRODUCT),
            Binary::Lt => ("<", strength::ORDER),
            Binary::Le => ("<=", strength::ORDER),
            Binary::Eq => ("==", strength::EQUALITY),
            Binary::Ne => ("!=", strength::EQUALITY),
            Binary::And => ("&", strength::AND),
            Binary::Or => ("|", strength::OR),
            Binary::Pow => return self.call("pow", a, b),
            Binary::Min => return self.call("gd_min", a, b),
            Binary::Max => return self.call("gd_max", a, b),
        };
        // truth values combine by bit, so that no branch is needed; parentheses keep C's odd precedence out of sight
        let least = if matches!(op, Binary::And | Binary::Or) {
            strength::ATOM
        } else {
            own
        };
        (
            format!(
                "{} {symbol} {}",
                self.operand(a, least),
                self.operand(b, least.saturating_add(1).min(9))
            ),
            own,
        )
    }
}

fn function(op: Unary) -> &'static str {
    match op {
        Unary::Exp => "gd_exp",
        Unary::Log => "gd_log",
        Unary::Exprelr => "gd_exprelr",
        Unary::DExprelr => "gd_dexprelr",
        Unary::Tanh => "gd_tanh",
        Unary::Neg
        | Unary::Sqrt
        | Unary::Sin
        | Unary::Cos
        | Unary::Asin
        | Unary::Acos
        | Unary::Atan
        | Unary::Abs
        | Unary::Floor
        | Unary::Ceil
        | Unary::Trunc
        | Unary::Not => crate::ir::print::unary_name(op),
    }
}
