//! The NEURON block.

use super::{Parsed, Parser};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::ast::{Ident, Process, UseIon};
use crate::syntax::keywords;

impl Parser<'_> {
    pub(super) fn neuron_block(&mut self) -> Parsed<()> {
        let keyword = self.advance();
        let again = !self.ast.neuron.span.is_empty();
        if again {
            let message = "a second NEURON block";
            self.diagnostics
                .push(Diagnostic::error(Code::DuplicateDefinition, keyword.span, message));
        }
        let open = self.expect_symbol("{", "`{`")?;
        self.entries(open, Self::neuron_entry);
        if !again {
            self.ast.neuron.span = self.since(keyword.span.start);
        }
        Ok(())
    }

    fn neuron_entry(&mut self) -> Parsed<()> {
        let word = self.word().unwrap_or_default();
        let keyword = self.peek();
        match word {
            "SUFFIX" | "POINT_PROCESS" | "ARTIFICIAL_CELL" | "JUNCTION_PROCESS" | "VOLTAGE_PROCESS" => {
                self.advance();
                let name = self.name("the mechanism's name")?;
                if self.ast.neuron.suffix.is_some() {
                    let message = "the mechanism has a name already";
                    let span = keyword.span.to(name.span);
                    return Err(self.report(Diagnostic::error(Code::DuplicateDefinition, span, message)));
                }
                self.ast.neuron.suffix = Some(name);
                self.ast.neuron.process = match word {
                    "POINT_PROCESS" => Process::Point,
                    "ARTIFICIAL_CELL" => Process::ArtificialCell,
                    "JUNCTION_PROCESS" => Process::Junction,
                    "VOLTAGE_PROCESS" => Process::Voltage,
                    _ => Process::Density,
                };
            }
            "USEION" => {
                let ion = self.use_ion()?;
                self.ast.neuron.ions.push(ion);
            }
            "NONSPECIFIC_CURRENT" | "ELECTRODE_CURRENT" | "RANGE" | "GLOBAL" => {
                self.advance();
                let mut names = self.names("a name")?;
                let list = match word {
                    "RANGE" => &mut self.ast.neuron.range,
                    "GLOBAL" => &mut self.ast.neuron.global,
                    "ELECTRODE_CURRENT" => &mut self.ast.neuron.electrode,
                    _ => &mut self.ast.neuron.nonspecific,
                };
                list.append(&mut names);
            }
            "THREADSAFE" => {
                self.advance();
                // Names may follow that the simulator should protect; here nothing is shared between threads.
                if self.at_name() && !self.peek().first {
                    self.names("a name")?;
                }
                self.ast.neuron.threadsafe = true;
            }
            _ => match keywords::find(&keywords::REFUSED_NEURON, word) {
                Some(refused) => self.skip_refused(refused),
                None => {
                    let wanted =
                        "SUFFIX, POINT_PROCESS, USEION, NONSPECIFIC_CURRENT, RANGE, GLOBAL or the like, or `}`";
                    return Err(self.unexpected_word(wanted, &keywords::NEURON_ENTRIES));
                }
            },
        }
        Ok(())
    }

    /// `USEION na READ ena, nai WRITE ina VALENCE 1`
    fn use_ion(&mut self) -> Parsed<UseIon> {
        self.advance();
        let ion = self.name("the name of an ion")?;
        let (mut read, mut write): (Vec<Ident>, Vec<Ident>) = (Vec::new(), Vec::new());
        let (mut valence, mut valence_name) = (None, None);
        loop {
            let start = self.peek().span;
            if self.eat_word("READ") {
                read.append(&mut self.names("a variable of the ion")?);
            } else if self.eat_word("WRITE") {
                write.append(&mut self.names("a variable of the ion")?);
            } else if self.eat_word("VALENCE") {
                if self.at_name() {
                    valence_name = Some(self.name("the ion's charge")?);
                } else {
                    valence = Some(self.valence(start)?);
                }
            } else {
                return Ok(UseIon {
                    ion,
                    read,
                    write,
                    valence,
                    valence_name,
                });
            }
        }
    }

    fn valence(&mut self, start: Span) -> Parsed<i32> {
        let value = self.signed_number("the ion's charge, a whole number or a name")?;
        // Charges beyond this are not ions; the bound makes the conversion exact.
        let whole = (-100..=100).find(|&z| f64::from(z).total_cmp(&(value + 0.0)).is_eq());
        whole.ok_or_else(|| {
            let message = "the charge of an ion is a whole number";
            let span = self.since(start.start);
            self.diagnostics
                .push(Diagnostic::error(Code::BadNumber, span, message).help("write VALENCE 2 or the like"));
            super::Reported
        })
    }

    /// Every mechanism has a name.
    pub(super) fn check_suffix(&mut self) {
        let neuron = &self.ast.neuron;
        if neuron.suffix.is_some() {
            return;
        }
        let keyword = Span::new(
            neuron.span.start,
            neuron.span.end.min(neuron.span.start + "NEURON".len()),
        );
        let inside = |d: &Diagnostic| d.span.start >= neuron.span.start && d.span.end <= neuron.span.end;
        // Something unreadable in the block may well have been the name.
        if !neuron.span.is_empty() && self.diagnostics.iter().any(inside) {
            return;
        }
        let message = if neuron.span.is_empty() {
            "this file has no NEURON block"
        } else {
            "nothing names this mechanism"
        };
        self.diagnostics
            .push(Diagnostic::error(Code::MissingSuffix, keyword, message));
    }
}
