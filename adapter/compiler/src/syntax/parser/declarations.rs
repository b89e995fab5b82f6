//! PARAMETER, CONSTANT, ASSIGNED, STATE, DEFINE and LOCAL at file level.

use super::{MAX_ARRAY_LEN, Parsed, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{ParameterDecl, VariableDecl};

impl Parser<'_> {
    /// PARAMETER or CONSTANT: `name = 1 (unit) <low, high>`, of which only the name must be there.
    pub(super) fn parameter_block(&mut self, constant: bool) -> Parsed<()> {
        self.advance();
        let open = self.expect_symbol("{", "`{`")?;
        self.entries(open, |p| {
            let entry = p.parameter()?;
            if constant {
                p.ast.constants.push(entry)
            } else {
                p.ast.parameters.push(entry)
            }
            Ok(())
        });
        Ok(())
    }

    fn parameter(&mut self) -> Parsed<ParameterDecl> {
        let start = self.peek().span.start;
        let name = self.name("the name of a parameter or `}`")?;
        if self.at_symbol("[") {
            let help = "declare it in ASSIGNED and set its elements in INITIAL";
            return Err(self.no_array(
                name.span,
                "a parameter has one value; arrays of them are not supported",
                help,
            ));
        }
        let value = if self.eat_symbol("=") {
            Some(self.signed_number("the default, a number")?)
        } else {
            None
        };
        let unit = self.optional_unit()?;
        let mut limits = None;
        if self.eat_symbol("<") {
            let low = self.signed_number("the lower limit, a number")?;
            self.expect_symbol(",", "`,` between the limits")?;
            let high = self.signed_number("the upper limit, a number")?;
            self.expect_symbol(">", "`>` after the limits")?;
            limits = Some((low, high));
        }
        self.end_of_entry("a unit, limits, or the next parameter (defaults are plain numbers)")?;
        Ok(ParameterDecl {
            name,
            value,
            unit,
            limits,
            span: self.since(start),
        })
    }

    /// ASSIGNED or STATE: `name (unit)`, with FROM … TO …, START and tolerance, which change no value here.
    pub(super) fn variable_block(&mut self, state: bool) -> Parsed<()> {
        self.advance();
        let open = self.expect_symbol("{", "`{`")?;
        self.entries(open, |p| {
            let entry = p.variable()?;
            if state {
                p.ast.states.push(entry)
            } else {
                p.ast.assigned.push(entry)
            }
            Ok(())
        });
        Ok(())
    }

    fn variable(&mut self) -> Parsed<VariableDecl> {
        let start = self.peek().span.start;
        let name = self.name("the name of a variable or `}`")?;
        let len = self.optional_len()?;
        if self.eat_word("FROM") {
            self.signed_number("the lower bound, a number")?;
            if !self.eat_word("TO") {
                return Err(self.unexpected("TO and the upper bound"));
            }
            self.signed_number("the upper bound, a number")?;
        }
        if self.eat_word("START") {
            self.signed_number("the start value, a number")?;
        }
        let unit = self.optional_unit()?;
        if self.eat_symbol("<") {
            self.signed_number("the tolerance, a number")?;
            self.expect_symbol(">", "`>` after the tolerance")?;
        }
        // Commas between the entries are not NMODL, but harmless.
        self.eat_symbol(",");
        self.end_of_entry("a unit or the next variable")?;
        Ok(VariableDecl {
            name,
            len,
            unit,
            span: self.since(start),
        })
    }

    /// `[10]`, or nothing.
    fn optional_len(&mut self) -> Parsed<Option<usize>> {
        if !self.eat_symbol("[") {
            return Ok(None);
        }
        let token = self.peek();
        let written = self.defined().map_or(self.text(token).to_owned(), |n| n.to_string());
        let (_, span) = self.number("the length of the array, a whole number")?;
        let len = written.parse().ok().filter(|n| (1..=MAX_ARRAY_LEN).contains(n));
        let Some(len) = len else {
            let message = format!("the length of an array is a whole number from 1 to {MAX_ARRAY_LEN}");
            let diagnostic = Diagnostic::error(Code::BadNumber, span, message);
            return Err(self.report(diagnostic.help("write a[10] or the like")));
        };
        self.expect_symbol("]", "`]` after the length")?;
        Ok(Some(len))
    }

    /// `LOCAL a, b[10]` outside all blocks.
    pub(super) fn file_locals(&mut self) -> Parsed<()> {
        self.advance();
        loop {
            let name = self.name("the name of a local variable")?;
            let len = self.optional_len()?;
            let span = self.since(name.span.start);
            self.ast.file_locals.push(VariableDecl {
                name,
                len,
                unit: String::new(),
                span,
            });
            if !self.eat_symbol(",") {
                return self.end_of_entry("`,` and another name");
            }
        }
    }

    /// `DEFINE NAME 10`
    pub(super) fn define(&mut self) -> Parsed<()> {
        self.advance();
        let at = self.peek();
        self.name("the name of an integer")?;
        let token = self.peek();
        let Ok(value) = self.text(token).parse() else {
            return Err(self.unexpected("a whole number without a sign"));
        };
        self.advance();
        self.defines.insert(self.text(at), value);
        self.end_of_entry("the end of the line")
    }

    fn end_of_entry(&mut self, wanted: &str) -> Parsed<()> {
        if self.at_stray() {
            Err(self.unexpected(wanted))
        } else {
            Ok(())
        }
    }

    /// `1`, `-1`, `+1`.
    pub(super) fn signed_number(&mut self, wanted: &str) -> Parsed<f64> {
        let negative = self.eat_symbol("-");
        if !negative {
            self.eat_symbol("+");
        }
        let (value, _) = self.number(wanted)?;
        Ok(if negative { -value } else { value })
    }
}
