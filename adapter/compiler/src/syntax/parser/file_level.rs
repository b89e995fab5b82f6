//! The blocks of a file, and what can be said of it once all of them are read.

use std::collections::BTreeSet;

use super::{Parsed, Parser, Tilde};
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Callable, Ident};
use crate::syntax::keywords;
use crate::syntax::lexer::Kind;

impl Parser<'_> {
    /// Reads what stands here; always advances.
    pub(super) fn file_level(&mut self) {
        let token = self.peek();
        let word = self.word().unwrap_or_default();
        let refused = keywords::find(&keywords::REFUSED_BLOCKS, word);
        let read = match word {
            "NEURON" => self.neuron_block(),
            "UNITS" => self.units_block(),
            "PARAMETER" => self.parameter_block(false),
            "CONSTANT" => self.parameter_block(true),
            "ASSIGNED" => self.variable_block(false),
            "STATE" => self.variable_block(true),
            "INITIAL" | "BREAKPOINT" => self.plain_block(word == "INITIAL"),
            "DERIVATIVE" | "PROCEDURE" | "FUNCTION" | "KINETIC" | "LINEAR" | "NONLINEAR" => self.callable_block(word),
            "NET_RECEIVE" => self.net_receive(),
            "POST_EVENT" => self.post_event(),
            "WHITE_NOISE" => self.white_noise(),
            "DEFINE" => self.define(),
            "LOCAL" => self.file_locals(),
            "INDEPENDENT" => {
                // Time is the independent variable, whatever the block says; the simulators ignore it too.
                self.advance();
                self.expect_block_ahead().map(|()| self.skip_one())
            }
            _ if token.kind == Kind::Title => {
                self.advance();
                let title = self.text(token)["TITLE".len()..].trim();
                self.ast.title.get_or_insert_with(|| title.to_owned());
                Ok(())
            }
            _ if token.kind == Kind::Verbatim => {
                self.refuse_verbatim();
                self.advance();
                Ok(())
            }
            _ => match refused {
                Some(refused) => {
                    self.skip_refused(refused);
                    Ok(())
                }
                None => {
                    Err(self.unexpected_word("a block such as NEURON, PARAMETER or BREAKPOINT", &keywords::FILE_LEVEL))
                }
            },
        };
        if read.is_err() {
            // At least one token, then up to the next thing that can stand here.
            let opens = |p: &Self| {
                let local = p.peek().first && p.at_word("LOCAL");
                local || p.word().is_some_and(keywords::is_file_level)
            };
            if self.peek().span == token.span {
                self.skip_one();
            }
            while !self.at_end() && !opens(self) && !matches!(self.peek().kind, Kind::Title | Kind::Verbatim) {
                self.skip_one();
            }
        }
    }

    fn expect_block_ahead(&mut self) -> Parsed<()> {
        if self.at_symbol("{") {
            Ok(())
        } else {
            Err(self.unexpected("`{`"))
        }
    }

    /// INITIAL or BREAKPOINT.
    fn plain_block(&mut self, initial: bool) -> Parsed<()> {
        let keyword = self.advance();
        let block = self.block()?;
        let slot = if initial {
            &mut self.ast.initial
        } else {
            &mut self.ast.breakpoint
        };
        if slot.is_none() {
            *slot = Some(block);
            return Ok(());
        }
        self.second(keyword.span, if initial { "INITIAL block" } else { "BREAKPOINT block" });
        Ok(())
    }

    /// DERIVATIVE, PROCEDURE, FUNCTION, KINETIC, LINEAR or NONLINEAR.
    fn callable_block(&mut self, keyword: &str) -> Parsed<()> {
        let start = self.advance().span.start;
        let name = self.name("the block's name")?;
        let params = self.optional_params()?;
        self.optional_unit()?;
        self.tilde = match keyword {
            "KINETIC" => Tilde::Reaction,
            "LINEAR" | "NONLINEAR" => Tilde::Equation,
            _ => Tilde::Refused,
        };
        let body = self.block();
        self.tilde = Tilde::Refused;
        let callable = Callable {
            name,
            params,
            body: body?,
            span: self.since(start),
        };
        match keyword {
            "DERIVATIVE" => self.ast.derivatives.push(callable),
            "PROCEDURE" => self.ast.procedures.push(callable),
            "KINETIC" => self.ast.kinetics.push(callable),
            "LINEAR" => self.ast.linears.push(callable),
            "NONLINEAR" => self.ast.nonlinears.push(callable),
            _ => self.ast.functions.push(callable),
        }
        Ok(())
    }

    /// `(a (mV), b)`, or nothing.
    pub(super) fn optional_params(&mut self) -> Parsed<Vec<Ident>> {
        let mut params = Vec::new();
        if self.eat_symbol("(") {
            while !self.at_symbol(")") {
                let param = self.name("a formal parameter or `)`")?;
                self.local_names.insert(param.name.clone());
                params.push(param);
                self.optional_unit()?;
                if !self.eat_symbol(",") && !self.at_symbol(")") {
                    return Err(self.unexpected("`,` or `)`"));
                }
            }
            self.advance();
        }
        Ok(params)
    }

    /// What only the whole file shows about names: a unit behind a number that is a variable is skipped, which is wrong
    /// if the writer meant a product; and a name that DEFINE made a number further down meant something else above.
    pub(super) fn check_names(&mut self) {
        let parameters = self.ast.parameters.iter().chain(&self.ast.constants).map(|p| &p.name);
        let variables = [&self.ast.assigned, &self.ast.states, &self.ast.file_locals];
        let variables = variables.into_iter().flatten().map(|v| &v.name);
        let declared: Vec<&Ident> = parameters.chain(variables).collect();
        for &ident in &declared {
            if self.defines.contains_key(ident.name.as_str()) {
                let message = format!("{} is declared here and made a number by DEFINE", ident.name);
                self.diagnostics
                    .push(Diagnostic::error(Code::DuplicateDefinition, ident.span, message));
            }
        }
        let declared: BTreeSet<&str> = declared.iter().map(|i| i.name.as_str()).collect();
        let is_variable = |text: &str| declared.contains(text) || self.local_names.contains(text);
        for &span in &self.expr_units {
            let text = self.source[span.start + 1..span.end - 1].trim();
            if is_variable(text) {
                let message = format!("`({text})` behind a number is a unit, but {text} is a variable of this file");
                let help = format!("write `* {text}` for a product; otherwise drop the unit or rename the variable");
                self.diagnostics
                    .push(Diagnostic::error(Code::UnexpectedToken, span, message).help(help));
            }
        }
    }
}
