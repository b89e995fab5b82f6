//! Unit texts, and the UNITS block with its named constants.

use super::quantity::{evaluate, ratio};
use super::{Parsed, Parser};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::ast::{Ident, UnitDef};

impl Parser<'_> {
    /// `(…)` to its text without the parentheses. Unit texts are not made of tokens, so this reads the source.
    pub(super) fn unit(&mut self) -> Parsed<String> {
        let open = self.peek().span;
        let text = &self.source[open.end..];
        let Some(len) = text
            .find([')', '{', '}', ':', '?', '\n'])
            .filter(|&n| text[n..].starts_with(')'))
        else {
            let message = "this unit has no closing parenthesis";
            let diagnostic = Diagnostic::error(Code::UnexpectedToken, open, message);
            return Err(self.report(diagnostic.help("close the parenthesis on the same line")));
        };
        let close = open.end + len + 1;
        while self.peek().span.start < close && !self.at_end() {
            self.advance();
        }
        Ok(text[..len].trim().to_owned())
    }

    /// A unit if there is one, else the empty text.
    pub(super) fn optional_unit(&mut self) -> Parsed<String> {
        if self.at_symbol("(") {
            self.unit()
        } else {
            Ok(String::new())
        }
    }

    pub(super) fn units_block(&mut self) -> Parsed<()> {
        self.advance();
        let open = self.expect_symbol("{", "`{`")?;
        self.entries(open, |p| {
            let entry = p.unit_definition()?;
            p.ast.units.push(entry);
            Ok(())
        });
        Ok(())
    }

    fn unit_definition(&mut self) -> Parsed<UnitDef> {
        let start = self.peek().span;
        if self.at_symbol("(") {
            let name = Ident {
                name: self.unit()?,
                span: self.since(start.start),
            };
            self.expect_symbol("=", "`=` and the unit's definition")?;
            let unit = self.required_unit("the unit's definition in parentheses")?;
            if let Some(quantity) = evaluate(&unit, &self.units) {
                self.units.insert(name.name.clone(), quantity);
            }
            return Ok(UnitDef {
                name,
                value: None,
                unit,
                is_unit: true,
            });
        }
        let name = self.name("a unit in parentheses, the name of a constant, or `}`")?;
        self.expect_symbol("=", "`=` and the constant's value")?;
        if !self.at_symbol("(") {
            let value = Some(self.signed_number("a number or a named constant in parentheses")?);
            let unit = self.optional_unit()?;
            return Ok(UnitDef {
                name,
                value,
                unit,
                is_unit: false,
            });
        }
        let constant = self.unit()?;
        let unit = self.required_unit("the constant's unit in parentheses")?;
        let span = self.since(start.start);
        let value = self.value_of(&constant, &unit, span)?;
        Ok(UnitDef {
            name,
            value: Some(value),
            unit,
            is_unit: false,
        })
    }

    fn required_unit(&mut self, wanted: &str) -> Parsed<String> {
        if self.at_symbol("(") {
            self.unit()
        } else {
            Err(self.unexpected(wanted))
        }
    }

    fn value_of(&mut self, constant: &str, unit: &str, span: Span) -> Parsed<f64> {
        let (quantity, in_unit) = (evaluate(constant, &self.units), evaluate(unit, &self.units));
        let message = match (quantity, in_unit) {
            (Some(quantity), Some(in_unit)) => match ratio(quantity, in_unit) {
                Some(value) => return Ok(value),
                None => format!("({constant}) is not measured in ({unit})"),
            },
            _ => format!("no value is known for ({constant}) in ({unit})"),
        };
        let help = format!("write the number: NAME = 1.23 ({unit})");
        self.diagnostics
            .push(Diagnostic::error(Code::Unsupported, span, message).help(help));
        Err(super::Reported)
    }
}
