//! Unit texts, and the UNITS block with its named constants.

use std::f64::consts::PI;

use super::{Parsed, Parser};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::ast::{Ident, UnitDef};

/// Elementary charge, C. Exact: SI Brochure, 9th edition (2019), table 1; NEURON 9's nrnunits.lib has the same.
const ELEMENTARY_CHARGE: f64 = 1.602176634e-19;
/// Boltzmann constant, J/K. Exact, same source.
const BOLTZMANN: f64 = 1.380649e-23;
/// Avogadro constant, 1/mol. Exact, same source.
const AVOGADRO: f64 = 6.02214076e23;

/// What a unit of the UNITS table measures, as far as named constants need it.
#[derive(PartialEq)]
enum Dimension {
    Charge,
    EnergyPerKelvin,
    One,
}

/// A named quantity of NEURON's unit table in SI units; `(k-mole)` is Boltzmann times Avogadro, the gas constant.
fn constant(name: &str) -> Option<(f64, Dimension)> {
    Some(match name {
        "faraday" | "e-mole" | "mole-e" => (AVOGADRO * ELEMENTARY_CHARGE, Dimension::Charge),
        "e" => (ELEMENTARY_CHARGE, Dimension::Charge),
        "k-mole" | "mole-k" | "gasconstant" | "R" => (BOLTZMANN * AVOGADRO, Dimension::EnergyPerKelvin),
        "k" | "boltzmann" => (BOLTZMANN, Dimension::EnergyPerKelvin),
        "mole" => (AVOGADRO, Dimension::One),
        "pi" => (PI, Dimension::One),
        _ => return None,
    })
}

/// How many SI units one of the given unit is.
fn scale(unit: &str) -> Option<(f64, Dimension)> {
    // `10000 coulomb`
    let (factor, unit) = match unit.split_once(' ') {
        Some((number, rest)) => (number.parse().ok()?, rest),
        None => (1.0, unit),
    };
    let (size, dimension) = match unit {
        "1" => (1.0, Dimension::One),
        "coul" | "coulomb" | "coulombs" => (1.0, Dimension::Charge),
        "kilocoul" | "kilocoulomb" | "kilocoulombs" => (1e3, Dimension::Charge),
        "joule/degC" | "joule/K" | "joules/degC" | "joule/degK" | "volt-coul/degC" | "volt-coulomb/degC" => {
            (1.0, Dimension::EnergyPerKelvin)
        }
        "mV-coul/degC" | "mV-coulomb/degC" | "millijoule/degC" | "millijoule/K" => (1e-3, Dimension::EnergyPerKelvin),
        _ => return None,
    };
    Some((factor * size, dimension))
}

/// The value of `NAME = (name) (unit)`, if we know both and they fit.
fn named_constant(name: &str, unit: &str) -> Option<f64> {
    // `(k mole)` and `(k-mole)` both are products; so are the spaces of `(10000 coulomb)`.
    let words = |text: &str, glue: &str| text.split_whitespace().collect::<Vec<_>>().join(glue);
    let (value, kind) = constant(&words(name, "-"))?;
    let (size, target) = scale(&words(unit, " "))?;
    (kind == target).then_some(value / size)
}

impl Parser<'_> {
    /// `(…)` to its text without the parentheses. Unit texts are not made of tokens, so this reads the source.
    pub(super) fn unit(&mut self) -> Parsed<String> {
        let open = self.peek().span;
        let line = &self.source[open.end..];
        let line = &line[..line.find('\n').unwrap_or(line.len())];
        let Some(len) = line
            .find([')', '{', '}', ':', '?'])
            .filter(|&n| line[n..].starts_with(')'))
        else {
            let message = "this unit has no closing parenthesis";
            let diagnostic = Diagnostic::error(Code::UnexpectedToken, open, message);
            return Err(self.report(diagnostic.help("close the parenthesis on the same line")));
        };
        let close = open.end + len + 1;
        while self.peek().span.start < close && !self.at_end() {
            self.advance();
        }
        Ok(line[..len].trim().to_owned())
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
        named_constant(constant, unit).ok_or_else(|| {
            let message = format!("no value is known for ({constant}) in ({unit})");
            let help = format!("write the number: NAME = 1.23 ({unit})");
            self.diagnostics
                .push(Diagnostic::error(Code::Unsupported, span, message).help(help));
            super::Reported
        })
    }
}
