//! What an operation on nodes is instead, where that is simpler. Values change by rounding only; limits at 0 and at
//! infinity stay.

use super::{Binary, ExprId, Graph, Node, Unary};

/// Nested products in which a factor is looked for.
const DEEPEST_PRODUCT: usize = 8;

impl Graph {
    pub(super) fn simplify_binary(&mut self, op: Binary, a: ExprId, b: ExprId) -> Option<ExprId> {
        match op {
            Binary::Add if self.is_zero(a) => Some(b),
            Binary::Add if self.is_zero(b) => Some(a),
            Binary::Add => match (self.negated(a), self.negated(b)) {
                (_, Some(y)) => Some(self.sub(a, y)),
                (Some(x), None) => Some(self.sub(b, x)),
                (None, None) => None,
            },
            Binary::Sub if self.is_zero(b) => Some(a),
            Binary::Sub if self.is_zero(a) => Some(self.neg(b)),
            Binary::Sub if a == b => Some(self.zero()),
            Binary::Sub => self.negated(b).map(|y| self.add(a, y)),
            Binary::Mul if self.is_zero(a) || self.is_zero(b) => Some(self.zero()),
            Binary::Mul if self.is_one(a) => Some(b),
            Binary::Mul if self.is_one(b) => Some(a),
            Binary::Mul if self.is(a, -1.0) => Some(self.neg(b)),
            Binary::Mul if self.is(b, -1.0) => Some(self.neg(a)),
            Binary::Mul => self.simplify_product(a, b),
            Binary::Div if self.is_zero(a) => Some(self.zero()),
            Binary::Div if self.is_one(b) => Some(a),
            Binary::Div => self.simplify_quotient(a, b),
            Binary::Pow => self.simplify_pow(a, b),
            Binary::And | Binary::Or | Binary::Min | Binary::Max if a == b => Some(a),
            Binary::And
            | Binary::Or
            | Binary::Min
            | Binary::Max
            | Binary::Lt
            | Binary::Le
            | Binary::Eq
            | Binary::Ne => None,
        }
    }

    fn simplify_product(&mut self, a: ExprId, b: ExprId) -> Option<ExprId> {
        if let Some(product) = self.cancelled(a, b).or_else(|| self.cancelled(b, a)) {
            return Some(product);
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => Some(self.mul(x, y)),
            (Some(x), None) => {
                let product = self.mul(x, b);
                Some(self.neg(product))
            }
            (None, Some(y)) => {
                let product = self.mul(a, y);
                Some(self.neg(product))
            }
            (None, None) => None,
        }
    }

    /// `(x / y - m) · (c y)` as `c · (x - m y)`: with `inf = a / (a + b)` and `tau = 1 / (a + b)`, `(inf - m) / tau` and its
    /// derivatives do not divide.
    fn cancelled(&mut self, a: ExprId, b: ExprId) -> Option<ExprId> {
        let Node::Binary(op @ (Binary::Add | Binary::Sub), left, right) = self.node(a) else {
            return None;
        };
        for (quotient, other) in [(left, right), (right, left)] {
            let Node::Binary(Binary::Div, x, y) = self.node(quotient) else {
                continue;
            };
            if let Some(rest) = self.without_factor(b, y, DEEPEST_PRODUCT) {
                let other = self.mul(other, y);
                let sum = if quotient == left {
                    self.binary(op, x, other)
                } else {
                    self.binary(op, other, x)
                };
                return Some(self.mul(rest, sum));
            }
        }
        None
    }

    /// What is left of a product without one of its factors; none if that is not among those nested `depth` deep.
    fn without_factor(&mut self, product: ExprId, factor: ExprId, depth: usize) -> Option<ExprId> {
        if product == factor {
            return Some(self.constant(1.0));
        }
        let deeper = depth.checked_sub(1)?;
        match self.node(product) {
            Node::Binary(Binary::Mul, p, q) => {
                let (rest, other) = match self.without_factor(p, factor, deeper) {
                    Some(rest) => (rest, q),
                    None => (self.without_factor(q, factor, deeper)?, p),
                };
                Some(self.mul(rest, other))
            }
            Node::Binary(Binary::Div, p, q) => {
                let rest = self.without_factor(p, factor, deeper)?;
                Some(self.div(rest, q))
            }
            Node::Const(_) | Node::Leaf(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => None,
        }
    }

    fn simplify_quotient(&mut self, a: ExprId, b: ExprId) -> Option<ExprId> {
        if let Some(inverse) = self.reciprocal(b) {
            return Some(self.mul(a, inverse));
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => Some(self.div(x, y)),
            (Some(x), None) => {
                let quotient = self.div(x, b);
                Some(self.neg(quotient))
            }
            (None, Some(y)) => {
                let quotient = self.div(a, y);
                Some(self.neg(quotient))
            }
            (None, None) => None,
        }
    }

    /// `1 / a` where that is no division: of `c / y`, of `e^x`, and of their products and quotients with others.
    fn reciprocal(&mut self, a: ExprId) -> Option<ExprId> {
        match self.node(a) {
            Node::Unary(Unary::Exp, x) => {
                let negative = self.neg(x);
                Some(self.unary(Unary::Exp, negative))
            }
            Node::Binary(Binary::Div, p, q) if self.as_constant(p).is_some() => Some(self.div(q, p)),
            Node::Binary(Binary::Div, p, q) => {
                let inverse = self.reciprocal(p)?;
                Some(self.mul(inverse, q))
            }
            Node::Binary(Binary::Mul, p, q) => {
                let (number, other) = if self.as_constant(p).is_some() { (p, q) } else { (q, p) };
                self.as_constant(number)?;
                let inverse = self.reciprocal(other)?;
                Some(self.div(inverse, number))
            }
            Node::Const(_) | Node::Leaf(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => None,
        }
    }

    /// `x` of `-x`
    fn negated(&self, id: ExprId) -> Option<ExprId> {
        match self.node(id) {
            Node::Unary(Unary::Neg, x) => Some(x),
            Node::Const(_) | Node::Leaf(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => None,
        }
    }

    /// Integer powers up to 16 become products by squaring (so that negative bases work, as in C's `pow`); a positive
    /// constant base becomes an exponential.
    fn simplify_pow(&mut self, base: ExprId, exponent: ExprId) -> Option<ExprId> {
        if let Some(n) = self.as_constant(exponent) {
            if n.to_bits() == 0.5f64.to_bits() {
                return Some(self.unary(Unary::Sqrt, base));
            }
            if n.fract() == 0.0 && n.abs() <= 16.0 {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "an integer in 0..=16"
                )]
                let power = self.integer_power(base, n.abs() as u32);
                if n >= 0.0 {
                    return Some(power);
                }
                let one = self.constant(1.0);
                return Some(self.div(one, power));
            }
        }
        match self.as_constant(base) {
            Some(b) if b > 0.0 => {
                let ln = self.constant(b.ln());
                let scaled = self.mul(ln, exponent);
                Some(self.unary(Unary::Exp, scaled))
            }
            Some(_) | None => None,
        }
    }

    fn integer_power(&mut self, base: ExprId, n: u32) -> ExprId {
        match n {
            0 => self.constant(1.0),
            1 => base,
            _ => {
                let half = self.integer_power(base, n / 2);
                let square = self.mul(half, half);
                if n.is_multiple_of(2) {
                    square
                } else {
                    self.mul(square, base)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
