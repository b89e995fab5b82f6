//! Lines of KINETIC, LINEAR and NONLINEAR blocks: reactions, fluxes, equations, CONSERVE and COMPARTMENT.

use super::{Parsed, Parser, Tilde};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Ident, Place, Species, StatementKind, UnaryOp};
use crate::syntax::lexer::Kind;

impl Parser<'_> {
    /// A line that starts with `~`.
    pub(super) fn tilde_line(&mut self) -> Parsed<StatementKind> {
        match self.tilde {
            Tilde::Reaction => self.reaction(),
            Tilde::Equation => self.equation(),
            Tilde::Refused => {
                let help = "write reactions in a KINETIC block, equations in a LINEAR or NONLINEAR block";
                let message = "`~` belongs in a KINETIC, LINEAR or NONLINEAR block";
                let span = self.peek().span;
                Err(self.report(Diagnostic::error(Code::UnexpectedToken, span, message).help(help)))
            }
        }
    }

    /// `~ left = right`
    fn equation(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let left = self.expression()?;
        self.expect_symbol("=", "an operator or the `=` of the equation")?;
        let right = self.expression()?;
        self.end_of_statement()?;
        Ok(StatementKind::Equation { left, right })
    }

    /// `~ a + 2 b <-> c (f, r)`, `~ a -> b (f)`, `~ a << (rate)`; on the right of `->` there may be nothing.
    fn reaction(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let start = self.peek().span;
        let mut left = self.side()?;
        if self.eat_symbol("<<") {
            let span = self.since(start.start);
            let rate = self.rates()?.0;
            let species = left.pop();
            return match (species, left.is_empty()) {
                (Some(species), true) => Ok(StatementKind::Influx { species, rate }),
                _ => {
                    let message = "a flux `<<` goes into one species";
                    let diagnostic = Diagnostic::error(Code::UnexpectedToken, span, message);
                    Err(self.report(diagnostic.help("write one line with `<<` for each species")))
                }
            };
        }
        let one_way = self.at_symbol("->");
        if !one_way && !self.at_symbol("<->") {
            return Err(self.unexpected("`+`, `<->`, `->` or `<<`"));
        }
        self.advance();
        let right = if one_way && self.at_symbol("(") {
            Vec::new()
        } else {
            self.side()?
        };
        let open = self.peek().span;
        let (forward, backward) = self.rates()?;
        if one_way == backward.is_some() {
            let (message, help) = if one_way {
                ("a reaction `->` has one rate", "write `<->` if it goes both ways")
            } else {
                (
                    "a reaction `<->` has two rates",
                    "write (forward, backward), or `->` if it goes one way",
                )
            };
            let span = self.since(open.start);
            let span = if self.source[span.start..span.end].contains('\n') {
                open
            } else {
                span
            };
            return Err(self.report(Diagnostic::error(Code::UnexpectedToken, span, message).help(help)));
        }
        Ok(StatementKind::Reaction {
            left,
            right,
            forward,
            backward,
        })
    }

    /// `(f)` or `(f, r)`, and the end of the line.
    fn rates(&mut self) -> Parsed<(Expr, Option<Expr>)> {
        self.expect_symbol("(", "`+`, or `(` and the rate")?;
        let first = self.expression()?;
        let second = if self.eat_symbol(",") {
            Some(self.expression()?)
        } else {
            None
        };
        self.expect_symbol(")", "an operator or the `)` after the rates")?;
        self.end_of_statement()?;
        Ok((first, second))
    }

    /// `a + 2 b[i]`
    fn side(&mut self) -> Parsed<Vec<Species>> {
        let mut side = vec![self.species()?];
        while self.eat_symbol("+") {
            side.push(self.species()?);
        }
        Ok(side)
    }

    fn species(&mut self) -> Parsed<Species> {
        if let Some(glued) = self.glued_species()? {
            return Ok(glued);
        }
        let count = self.count()?.map_or(1.0, |(count, _)| count);
        let place = self.place("a species")?.0;
        Ok(Species { count, place })
    }

    /// `2a`: Arbor reads it as `2 a`, which makes no number that we could read as anything else.
    fn glued_species(&mut self) -> Parsed<Option<Species>> {
        let token = self.peek();
        let text = self.text(token);
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, name) = text.split_at(digits);
        let count = count.parse::<u32>().unwrap_or_default();
        if token.kind != Kind::BadNumber || count == 0 || name.contains('.') {
            return Ok(None);
        }
        self.advance();
        let name = Ident {
            name: name.to_owned(),
            span: Span::new(token.span.start + digits, token.span.end),
        };
        let index = self.optional_index()?.0;
        Ok(Some(Species {
            count: f64::from(count),
            place: Place { name, index },
        }))
    }

    /// The whole number before a species, if any.
    fn count(&mut self) -> Parsed<Option<(f64, Span)>> {
        if self.at_name() || self.word().is_some() && self.defined().is_none() {
            return Ok(None);
        }
        let (count, span) = self.number("a species, or how many of it")?;
        if count < 1.0 || count.fract().total_cmp(&0.0).is_ne() {
            let message = "how many of a species react is a whole number";
            let diagnostic = Diagnostic::error(Code::BadNumber, span, message);
            return Err(self.report(diagnostic.help("write 2 a + b or the like")));
        }
        Ok(Some((count, span)))
    }

    /// `a` or `a[i]`, and the height of the index.
    pub(super) fn place(&mut self, wanted: &str) -> Parsed<(Place, usize)> {
        let name = self.name(wanted)?;
        let (index, height) = self.optional_index()?;
        Ok((Place { name, index }, height))
    }

    /// `CONSERVE a + 2 b - c[0] = total`
    pub(super) fn conserve(&mut self) -> Parsed<StatementKind> {
        self.kinetics_only("CONSERVE")?;
        self.advance();
        let mut sum = self.conserved_term()?;
        loop {
            let op = if self.at_symbol("+") {
                BinaryOp::Add
            } else if self.at_symbol("-") {
                BinaryOp::Sub
            } else {
                break;
            };
            let at = self.advance().span;
            let term = self.conserved_term()?;
            sum = self.join(op, at, sum, term)?;
        }
        self.expect_symbol("=", "`+`, `-`, or `=` and the conserved total")?;
        let total = self.expression()?;
        self.end_of_statement()?;
        Ok(StatementKind::Conserve { sum: sum.0, total })
    }

    /// `a`, `2 a`, `2*a[i]`, `-a`
    fn conserved_term(&mut self) -> Parsed<(Expr, usize)> {
        let start = self.peek().span;
        let negative = self.eat_symbol("-");
        let count = self.count()?;
        if count.is_some() {
            self.eat_symbol("*");
        }
        let from = self.peek().span;
        let (Place { name, index }, mut height) = self.place("a species")?;
        let kind = match index {
            Some(index) => ExprKind::Element(name, Box::new(index)),
            None => ExprKind::Name(name.name),
        };
        let mut term = Expr {
            kind,
            span: self.since(from.start),
        };
        height += 1;
        if let Some((count, span)) = count {
            let count = Expr {
                kind: ExprKind::Number(count),
                span,
            };
            (term, height) = self.join(BinaryOp::Mul, span, (count, 1), (term, height))?;
        }
        if negative {
            let span = start.to(term.span);
            term = Expr {
                kind: ExprKind::Unary(UnaryOp::Neg, Box::new(term)),
                span,
            };
            height += 1;
        }
        Ok((term, height))
    }

    /// `COMPARTMENT volume { a b }`, `COMPARTMENT i, volume { a, b }`
    pub(super) fn compartment(&mut self) -> Parsed<StatementKind> {
        self.kinetics_only("COMPARTMENT")?;
        self.advance();
        let index = if self.at_name() && self.nth_is_symbol(1, ",") {
            let index = self.name("an index")?;
            self.local_names.insert(index.name.clone());
            self.advance();
            Some(index)
        } else {
            None
        };
        let volume = self.expression()?;
        self.expect_symbol("{", "an operator, or `{` and the species")?;
        let mut species: Vec<Ident> = Vec::new();
        while !self.eat_symbol("}") {
            match self.name("a species or `}`") {
                Ok(name) => species.push(name),
                Err(reported) => {
                    // The brace that ends this list must not end the block.
                    while !self.at_end() && !self.at_symbol("}") && !self.peek().first {
                        self.advance();
                    }
                    self.eat_symbol("}");
                    return Err(reported);
                }
            }
            self.eat_symbol(",");
        }
        Ok(StatementKind::Compartment { index, volume, species })
    }

    fn kinetics_only(&mut self, what: &str) -> Parsed<()> {
        if self.tilde != Tilde::Refused {
            return Ok(());
        }
        let message = format!("{what} belongs in a KINETIC block");
        let span = self.peek().span;
        Err(self.report(
            Diagnostic::error(Code::UnexpectedToken, span, message).help("move it next to the reactions it is about"),
        ))
    }
}
