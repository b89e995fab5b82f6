//! Expressions as text.

use super::write::{Body, NOW, NOW_NAME, Writer, held_name, is_name};
use crate::ir::graph::{Binary, ExprId, Leaf, Node, Unary};
use crate::ir::print::unary_name;

/// NMODL's binding strengths.
pub(super) mod strength {
    pub(in super::super) const OR: u8 = 1;
    pub(in super::super) const AND: u8 = 2;
    pub(in super::super) const ORDER: u8 = 3;
    pub(in super::super) const SUM: u8 = 4;
    pub(in super::super) const PRODUCT: u8 = 5;
    pub(in super::super) const ATOM: u8 = 6;
}

impl Writer<'_> {
    fn operand(body: &Body, id: ExprId, least: u8) -> String {
        let (text, binding) = &body.text[&id];
        if *binding < least {
            format!("({text})")
        } else {
            text.clone()
        }
    }

    pub(super) fn expression(&mut self, body: &Body, id: ExprId) -> (String, u8) {
        match self.m.graph.node(id) {
            Node::Const(bits) => constant(f64::from_bits(bits)),
            Node::Leaf(Leaf::Placeholder(NOW)) => (NOW_NAME.into(), strength::ATOM),
            Node::Leaf(Leaf::Placeholder(held)) => (held_name(held), strength::ATOM),
            Node::Leaf(leaf) => (self.leaf(leaf), strength::ATOM),
            // binds like a product: `-a*b` is read as -(a*b), which is the same number
            Node::Unary(Unary::Neg, a) => (format!("-{}", Self::operand(body, a, strength::ATOM)), strength::SUM),
            Node::Unary(Unary::Not, a) => (self.negated(body, a), strength::OR),
            Node::Unary(op, a) => {
                let argument = Self::operand(body, a, 0);
                let function = match op {
                    Unary::Exprelr => {
                        self.exprelr = true;
                        "exprelr_of"
                    }
                    Unary::DExprelr => {
                        self.dexprelr = true;
                        "dexprelr_of"
                    }
                    Unary::Neg
                    | Unary::Not
                    | Unary::Exp
                    | Unary::Log
                    | Unary::Sqrt
                    | Unary::Sin
                    | Unary::Cos
                    | Unary::Asin
                    | Unary::Acos
                    | Unary::Atan
                    | Unary::Tanh
                    | Unary::Abs
                    | Unary::Floor
                    | Unary::Ceil
                    | Unary::Trunc => unary_name(op),
                };
                (format!("{function}({argument})"), strength::ATOM)
            }
            Node::Binary(op, a, b) => self.infix(body, op, a, b),
            // written as statements
            Node::Select(..) => (String::new(), strength::ATOM),
        }
    }

    fn infix(&self, body: &Body, op: Binary, a: ExprId, b: ExprId) -> (String, u8) {
        let g = &self.m.graph;
        let fixed = |id| g.as_constant(id).is_some();
        let inline = |id: ExprId, what: Binary| {
            matches!(g.node(id), Node::Binary(o, ..) if o == what) && !is_name(&body.text[&id].0)
        };
        let (symbol, own, a, b) = match op {
            // chains to the left, numbers last in sums and first in products: the same value
            Binary::Add if fixed(a) || inline(b, op) && !inline(a, op) && !fixed(b) => (" + ", strength::SUM, b, a),
            Binary::Add => (" + ", strength::SUM, a, b),
            Binary::Sub => (" - ", strength::SUM, a, b),
            Binary::Mul if fixed(b) || inline(b, op) && !inline(a, op) && !fixed(a) => ("*", strength::PRODUCT, b, a),
            Binary::Mul => ("*", strength::PRODUCT, a, b),
            Binary::Div => ("/", strength::PRODUCT, a, b),
            Binary::Lt if fixed(a) => (" > ", strength::ORDER, b, a),
            Binary::Le if fixed(a) => (" >= ", strength::ORDER, b, a),
            Binary::Lt => (" < ", strength::ORDER, a, b),
            Binary::Le => (" <= ", strength::ORDER, a, b),
            Binary::Eq => (" == ", strength::ORDER, a, b),
            Binary::Ne => (" != ", strength::ORDER, a, b),
            Binary::And => (" && ", strength::AND, a, b),
            Binary::Or => (" || ", strength::OR, a, b),
            Binary::Pow => {
                let (x, y) = (
                    Self::operand(body, a, strength::ATOM),
                    Self::operand(body, b, strength::ATOM),
                );
                return (format!("{x}^{y}"), strength::PRODUCT);
            }
            Binary::Min | Binary::Max => {
                let (x, y) = (Self::operand(body, a, 0), Self::operand(body, b, 0));
                let name = if op == Binary::Min { "min" } else { "max" };
                return (format!("{name}({x}, {y})"), strength::ATOM);
            }
        };
        let negative = |id| g.as_constant(id).is_some_and(|c| c < 0.0);
        if own == strength::PRODUCT && negative(a) {
            // -(2*x) is (-2)*x, so the sign may stand before the product
            let text = format!("{}{symbol}{}", body.text[&a].0, Self::operand(body, b, own + 1));
            return (text, strength::SUM);
        }
        let text = format!(
            "{}{symbol}{}",
            Self::operand(body, a, own),
            Self::operand(body, b, own + 1)
        );
        (text, own)
    }

    /// The opposite of a condition, since modcc has no `!`.
    fn negated(&self, body: &Body, id: ExprId) -> String {
        let of = |id| Self::operand(body, id, strength::SUM);
        match self.m.graph.node(id) {
            Node::Binary(Binary::And, a, b) => format!("{} || {}", self.negated(body, a), self.negated(body, b)),
            Node::Binary(Binary::Or, a, b) => format!("({}) && ({})", self.negated(body, a), self.negated(body, b)),
            Node::Binary(op, a, b) => {
                let symbol = match op {
                    Binary::Lt => ">=",
                    Binary::Le => ">",
                    Binary::Eq => "!=",
                    Binary::Ne
                    | Binary::Add
                    | Binary::Sub
                    | Binary::Mul
                    | Binary::Div
                    | Binary::Pow
                    | Binary::Min
                    | Binary::Max
                    | Binary::And
                    | Binary::Or => "==",
                };
                format!("{} {symbol} {}", of(a), of(b))
            }
            // a double negation, which the graph does not build
            Node::Unary(_, a) => body.text[&a].0.clone(),
            Node::Const(_) | Node::Leaf(_) | Node::Select(..) => format!("{} == 0", of(id)),
        }
    }

    /// FUNCTIONs of the text's own: x/(e^x − 1) and its derivative, from their series where the quotients cancel.
    pub(super) fn functions(&self) -> String {
        let mut out = String::new();
        if self.exprelr {
            out.push_str(EXPRELR);
        }
        if self.dexprelr {
            out.push_str(DEXPRELR);
        }
        out
    }
}

const EXPRELR: &str = "
: x/(exp(x) - 1) without its removable singularity.
FUNCTION exprelr_of(x) {
    if (fabs(x) < 0.01) {
        exprelr_of = 1 - x/2 + x*x/12 - x*x*x*x/720
    } else {
        exprelr_of = x/(exp(x) - 1)
    }
}
";

const DEXPRELR: &str = "
: Its derivative.
FUNCTION dexprelr_of(x) {
    if (fabs(x) < 0.03) {
        dexprelr_of = -0.5 + x/6 - x*x*x/180 + x*x*x*x*x/5040
    } else {
        dexprelr_of = (exp(x) - 1 - x*exp(x))/((exp(x) - 1)*(exp(x) - 1))
    }
}
";

/// A number that reads back exactly.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:?}");
    match text.strip_suffix(".0") {
        Some(whole) if whole.len() > 6 => format!("{value:e}"),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// A number in an expression. What is none is written as an expression that makes it.
fn constant(value: f64) -> (String, u8) {
    if value.is_nan() {
        ("log(-1)".into(), strength::ATOM)
    } else if value.is_infinite() {
        let sign = if value > 0.0 { "-" } else { "" };
        (format!("{sign}log(0)"), strength::SUM)
    } else {
        let binding = if value < 0.0 { strength::SUM } else { strength::ATOM };
        (number(value), binding)
    }
}
