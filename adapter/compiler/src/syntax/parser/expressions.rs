//! Expressions, by precedence climbing.
//!
//! From loose to tight: `||`, `&&`, `== !=`, `< <= > >=`, `+ -`, `* /`, signs and `!`, `^`. All associate to the left
//! but `^`, which associates to the right and binds tighter than a sign on its left: `-x^2` is `-(x^2)`.

use super::{Parsed, Parser};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::syntax::lexer::Kind;

/// An expression and the height of its tree.
type Tall = (Expr, usize);

/// An infix operator other than `^`, and how tightly it binds.
fn infix(symbol: &str) -> Option<(BinaryOp, u8)> {
    Some(match symbol {
        "||" => (BinaryOp::Or, 1),
        "&&" => (BinaryOp::And, 2),
        "==" => (BinaryOp::Eq, 3),
        "!=" => (BinaryOp::Ne, 3),
        "<" => (BinaryOp::Lt, 4),
        "<=" => (BinaryOp::Le, 4),
        ">" => (BinaryOp::Gt, 4),
        ">=" => (BinaryOp::Ge, 4),
        "+" => (BinaryOp::Add, 5),
        "-" => (BinaryOp::Sub, 5),
        "*" => (BinaryOp::Mul, 6),
        "/" => (BinaryOp::Div, 6),
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        Ok(self.binary(1)?.0)
    }

    fn binary(&mut self, loosest: u8) -> Parsed<Tall> {
        let mut left = self.unary()?;
        loop {
            let token = self.peek();
            if self.at_symbol("%") {
                let message = "the remainder operator is not supported by this version";
                return Err(self.unsupported(
                    token.span,
                    message,
                    "it cannot be differentiated; rewrite the expression",
                ));
            }
            let operator = if token.kind == Kind::Symbol {
                infix(self.text(token))
            } else {
                None
            };
            let Some((op, precedence)) = operator.filter(|(_, p)| *p >= loosest) else {
                return Ok(left);
            };
            self.advance();
            let right = self.binary(precedence + 1)?;
            left = self.join(op, token.span, left, right)?;
        }
    }

    /// `left op right`, if the tree does not grow too high; `at` is the operator.
    pub(super) fn join(&mut self, op: BinaryOp, at: Span, left: Tall, right: Tall) -> Parsed<Tall> {
        let height = left.1.max(right.1) + 1;
        if height > super::MAX_EXPR_HEIGHT {
            return Err(self.too_deep(at));
        }
        let span = left.0.span.to(right.0.span);
        Ok((
            Expr {
                kind: ExprKind::Binary(op, Box::new(left.0), Box::new(right.0)),
                span,
            },
            height,
        ))
    }

    fn unary(&mut self) -> Parsed<Tall> {
        let start = self.peek().span;
        let op = if self.eat_symbol("-") {
            Some(UnaryOp::Neg)
        } else if self.eat_symbol("!") {
            Some(UnaryOp::Not)
        } else if self.eat_symbol("+") {
            None
        } else {
            return self.power();
        };
        let (operand, height) = self.nested(Self::unary)?;
        let span = start.to(operand.span);
        let kind = match op {
            Some(op) => ExprKind::Unary(op, Box::new(operand)),
            None => operand.kind,
        };
        Ok((Expr { kind, span }, height + 1))
    }

    fn power(&mut self) -> Parsed<Tall> {
        let base = self.primary()?;
        let at = self.peek().span;
        if !self.eat_symbol("^") {
            return Ok(base);
        }
        // `unary` also reads a power without a sign, so a^b^c and a^-b^c both group to the right.
        let exponent = self.nested(Self::unary)?;
        self.join(BinaryOp::Pow, at, base, exponent)
    }

    fn primary(&mut self) -> Parsed<Tall> {
        let token = self.peek();
        match token.kind {
            Kind::Word | Kind::Number if token.kind == Kind::Number || self.defined().is_some() => {
                let (value, span) = self.number("a number")?;
                self.expr_unit()?;
                Ok((
                    Expr {
                        kind: ExprKind::Number(value),
                        span,
                    },
                    1,
                ))
            }
            Kind::Symbol if self.at_symbol("(") => {
                self.advance();
                let (inner, height) = self.nested(|p| p.binary(1))?;
                let close = self.expect_symbol(")", "an operator or `)`")?;
                Ok((
                    Expr {
                        kind: inner.kind,
                        span: token.span.to(close),
                    },
                    height,
                ))
            }
            Kind::Word if self.at_name() => {
                let callee = self.name("an expression")?;
                if let (Some(index), height) = self.optional_index()? {
                    let span = self.since(callee.span.start);
                    let kind = ExprKind::Element(callee, Box::new(index));
                    return Ok((Expr { kind, span }, height + 1));
                }
                if !self.at_symbol("(") {
                    return Ok((
                        Expr {
                            kind: ExprKind::Name(callee.name),
                            span: callee.span,
                        },
                        1,
                    ));
                }
                let (args, height) = self.nested(Self::arguments)?;
                let span = self.since(callee.span.start);
                Ok((
                    Expr {
                        kind: ExprKind::Call(callee, args),
                        span,
                    },
                    height + 1,
                ))
            }
            Kind::Text => {
                let message = "quoted text has no value";
                Err(self.unsupported(token.span, message, "remove the printf or similar call"))
            }
            Kind::Word
            | Kind::Number
            | Kind::Symbol
            | Kind::BadNumber
            | Kind::Title
            | Kind::Verbatim
            | Kind::Unknown
            | Kind::End => Err(self.unexpected("an expression")),
        }
    }

    /// `[i]` and the height of i, or nothing and 0.
    pub(super) fn optional_index(&mut self) -> Parsed<(Option<Expr>, usize)> {
        if !self.eat_symbol("[") {
            return Ok((None, 0));
        }
        let (index, height) = self.nested(|p| p.binary(1))?;
        self.expect_symbol("]", "an operator or `]`")?;
        Ok((Some(index), height))
    }

    /// `(a, b)` with the height of the tallest argument.
    fn arguments(&mut self) -> Parsed<(Vec<Expr>, usize)> {
        self.expect_symbol("(", "`(`")?;
        let (mut args, mut tallest) = (Vec::new(), 0);
        while !self.at_symbol(")") {
            let (arg, height) = self.binary(1)?;
            args.push(arg);
            tallest = tallest.max(height);
            if !self.eat_symbol(",") && !self.at_symbol(")") {
                return Err(self.unexpected("an operator, `,` or `)`"));
            }
        }
        self.advance();
        Ok((args, tallest))
    }

    /// The arguments of a call statement.
    pub(super) fn call_arguments(&mut self) -> Parsed<Vec<Expr>> {
        Ok(self.nested(Self::arguments)?.0)
    }

    /// A number that must be here, with its span.
    pub(super) fn number(&mut self, wanted: &str) -> Parsed<(f64, Span)> {
        let token = self.peek();
        let value = if token.kind == Kind::Number {
            self.text(token).parse().ok()
        } else {
            self.defined().map(f64::from)
        };
        match value {
            Some(value) => {
                self.advance();
                Ok((value, token.span))
            }
            None => Err(self.unexpected(wanted)),
        }
    }

    /// A unit behind a number, as NEURON allows in expressions: no call and no grouping can stand there.
    fn expr_unit(&mut self) -> Parsed<()> {
        if !self.at_symbol("(") || self.peek().first {
            return Ok(());
        }
        let start = self.pos;
        let at = self.peek().span;
        let unit = self.unit()?;
        // A sum is never a unit, except in numbers such as 1+8: somebody forgot an operator.
        let sum = unit
            .find(['+', '('])
            .is_some_and(|n| !unit[..n].ends_with(|c: char| c.is_ascii_digit()));
        let span = self.since(at.start);
        if sum || unit.contains(',') {
            self.pos = start;
            let message = format!("expected an operator between the number and `({unit})`");
            return Err(self.report(Diagnostic::error(Code::UnexpectedToken, span, message).help("write `*`")));
        }
        self.expr_units.push(span);
        Ok(())
    }

    /// Refuses `x[…]` where it cannot stand; `name` is x.
    pub(super) fn no_array(&mut self, name: Span, message: &str, help: &str) -> super::Reported {
        let span = name.to(self.peek().span);
        self.unsupported(span, message, help)
    }

    /// Whether an operator could continue an expression here, on the same line.
    pub(super) fn at_stray(&self) -> bool {
        let token = self.peek();
        let ends = matches!(token.kind, Kind::End | Kind::Verbatim | Kind::Word) || self.at_symbol("}");
        !(token.first || ends || self.at_symbol("{") || self.at_symbol("~"))
    }
}
