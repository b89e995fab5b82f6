//! Blocks of statements.

use std::collections::BTreeSet;

use super::{Parsed, Parser};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::ast::{Block, Expr, Ident, Place, Statement, StatementKind};
use crate::syntax::keywords;
use crate::syntax::lexer::Kind;

/// The words of a block up to some token, collected only when a LOCAL asks for them.
struct Before<'s> {
    next: usize,
    words: BTreeSet<&'s str>,
}

impl<'s> Parser<'s> {
    /// `{ LOCAL …  statements }`. Errors inside are reported and skipped; only a missing `{` fails.
    pub(super) fn block(&mut self) -> Parsed<Block> {
        self.block_with(&mut |_| Ok(false))
    }

    /// A block in which `special` reads whatever is not a statement, and says whether it did.
    pub(super) fn block_with(&mut self, special: &mut dyn FnMut(&mut Self) -> Parsed<bool>) -> Parsed<Block> {
        self.nested(|p| {
            let open = p.expect_symbol("{", "`{`")?;
            let mut block = Block::default();
            let mut before = Before {
                next: p.pos,
                words: BTreeSet::new(),
            };
            p.entries(open, |p| {
                if p.at_word("LOCAL") {
                    block.locals.append(&mut p.locals(&mut before)?);
                } else if p.at_word("MUTEXLOCK") || p.at_word("MUTEXUNLOCK") {
                    let span = p.advance().span;
                    p.ignored(
                        span,
                        "locks are not needed: nothing is shared between threads",
                        "remove it",
                    );
                    p.end_of_statement()?;
                } else if !special(p)? {
                    block.statements.push(p.statement()?);
                }
                Ok(())
            });
            block.span = p.since(open.start);
            Ok(block)
        })
    }

    /// Reads entries up to the closing brace of the block that opened at `open`, recovering after each.
    pub(super) fn entries(&mut self, open: Span, mut entry: impl FnMut(&mut Self) -> Parsed<()>) {
        loop {
            if self.eat_symbol("}") {
                return;
            }
            if self.at_end() || self.at_file_level_line() {
                // An error at the end of the file has most likely said the same thing already.
                if self.reported_at != Some(self.pos) {
                    let message = "this block is never closed";
                    let diagnostic = Diagnostic::error(Code::UnterminatedBlock, open, message);
                    self.report(diagnostic.help("add a closing brace"));
                }
                return;
            }
            let before = self.pos;
            if entry(self).is_err() {
                // An entry that broke off at the end of its line leaves the next one whole.
                if self.pos > before && self.peek().first && !self.goes_on() {
                    continue;
                }
                self.skip_line();
                // A stray closing parenthesis or the like must not stop the show.
                if self.pos == before && !self.at_symbol("}") {
                    self.skip_one();
                }
            }
        }
    }

    /// `LOCAL a, b`: here both simulators want the commas. Arbor's own files have it in the middle of blocks, too;
    /// that is fine unless the name meant something else further up.
    fn locals(&mut self, before: &mut Before<'s>) -> Parsed<Vec<Ident>> {
        for at in before.next..self.pos {
            if self.tokens[at].kind == Kind::Word {
                before.words.insert(self.text(self.tokens[at]));
            }
        }
        before.next = self.pos;
        self.advance();
        let mut names = Vec::new();
        loop {
            let name = self.name("the name of a local variable")?;
            if self.at_symbol("[") {
                let help = "declare the array in ASSIGNED, or as LOCAL outside all blocks";
                return Err(self.no_array(name.span, "an array cannot be LOCAL to a block", help));
            }
            if before.words.contains(name.name.as_str()) {
                let message = format!("{} is used before this LOCAL declares it", name.name);
                let diagnostic = Diagnostic::error(Code::UnexpectedToken, name.span, message);
                return Err(self.report(diagnostic.help("move the declaration to the start of the block")));
            }
            self.local_names.insert(name.name.clone());
            names.push(name);
            if !self.eat_symbol(",") {
                self.end_of_statement()?;
                return Ok(names);
            }
        }
    }

    fn statement(&mut self) -> Parsed<Statement> {
        // PROTECT guards against other threads; the statement is what follows.
        while self.eat_word("PROTECT") {}
        let token = self.peek();
        let text = if matches!(token.kind, Kind::Word | Kind::Symbol) {
            self.text(token)
        } else {
            ""
        };
        let kind = match text {
            "IF" | "if" => self.conditional()?,
            "SOLVE" => self.solve()?,
            "CONDUCTANCE" => self.conductance()?,
            "TABLE" => self.table()?,
            "FROM" => self.counted_loop()?,
            "WHILE" | "while" => self.while_loop()?,
            "~" => self.tilde_line()?,
            "CONSERVE" => self.conserve()?,
            "COMPARTMENT" => self.compartment()?,
            "{" => StatementKind::Block(self.block()?),
            "else" | "ELSE" => return Err(self.unexpected("a statement (there is no IF before this)")),
            _ => match keywords::find(&keywords::REFUSED_STATEMENTS, text) {
                Some(refused) => {
                    let span = token.span;
                    return Err(self.refuse(refused, span));
                }
                None => self.simple()?,
            },
        };
        Ok(Statement {
            kind,
            span: self.since(token.span.start),
        })
    }

    /// An assignment, a derivative or a call.
    fn simple(&mut self) -> Parsed<StatementKind> {
        let name = self.name("a statement")?;
        if self.at_symbol("(") {
            let args = self.call_arguments()?;
            self.end_of_statement()?;
            return Ok(StatementKind::Call { callee: name, args });
        }
        // The prime may stand on either side of an index.
        let mut derivative = self.eat_symbol("'");
        let index = self.optional_index()?.0;
        if !derivative {
            derivative = self.eat_symbol("'");
        }
        if derivative && self.at_symbol("'") {
            let span = name.span.to(self.peek().span);
            let help = "introduce a state for the first derivative: x' = y, y' = …";
            return Err(self.unsupported(span, "second derivatives are not supported", help));
        }
        let target = Place { name, index };
        if self.at_symbol("==") {
            let message = "`==` compares; an assignment is written with `=`";
            return Err(
                self.report(Diagnostic::error(Code::UnexpectedToken, self.peek().span, message).help("write `=`"))
            );
        }
        self.expect_symbol("=", "`=`, `'` or `(` after the name")?;
        let value = self.expression()?;
        self.end_of_statement()?;
        Ok(if derivative {
            StatementKind::Derivative { state: target, value }
        } else {
            StatementKind::Assign { target, value }
        })
    }

    /// `FROM i = a TO b BY c { … }`
    fn counted_loop(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let variable = self.name("the variable of the loop")?;
        self.local_names.insert(variable.name.clone());
        self.expect_symbol("=", "`=` and the first value")?;
        let from = self.expression()?;
        if !self.eat_word("TO") {
            return Err(self.unexpected("an operator, or TO and the last value"));
        }
        let to = self.expression()?;
        let by = if self.eat_word("BY") {
            Some(self.expression()?)
        } else {
            None
        };
        let body = self.block()?;
        Ok(StatementKind::For {
            variable,
            from,
            to,
            by,
            body,
        })
    }

    fn while_loop(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let condition = self.condition()?;
        let body = self.block()?;
        Ok(StatementKind::While { condition, body })
    }

    /// Nothing but the start of another statement may follow on the same line.
    pub(super) fn end_of_statement(&mut self) -> Parsed<()> {
        if self.at_stray() {
            Err(self.unexpected("an operator or the end of the statement"))
        } else {
            Ok(())
        }
    }

    /// `(c)`
    fn condition(&mut self) -> Parsed<Expr> {
        self.expect_symbol("(", "`(` and the condition")?;
        let condition = self.expression()?;
        self.expect_symbol(")", "an operator or the `)` of the condition")?;
        Ok(condition)
    }

    fn conditional(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let condition = self.condition()?;
        let then = self.block()?;
        let mut otherwise = None;
        if self.eat_word("ELSE") || self.eat_word("else") {
            let start = self.peek().span.start;
            otherwise = Some(if self.at_word("IF") || self.at_word("if") {
                let kind = self.nested(Self::conditional)?;
                let span = self.since(start);
                Block {
                    locals: Vec::new(),
                    statements: vec![Statement { kind, span }],
                    span,
                }
            } else {
                self.block()?
            });
        }
        Ok(StatementKind::If {
            condition,
            then,
            otherwise,
        })
    }

    fn solve(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let block = self.name("the name of the block to solve")?;
        let (mut method, mut steadystate) = (None, None);
        if self.eat_word("METHOD") || self.eat_word("USING") {
            method = Some(self.name("a method, such as cnexp")?);
        } else if self.eat_word("STEADYSTATE") {
            steadystate = Some(self.name("a method, such as sparse")?);
        }
        if self.at_word("IFERROR") {
            let span = self.advance().span;
            self.block()?;
            let help = "remove it, or check the result of the step in a statement of its own";
            self.ignored(
                span,
                "IFERROR is read and ignored: the solvers report no errors to the model",
                help,
            );
        }
        self.end_of_statement()?;
        Ok(StatementKind::Solve {
            block,
            method,
            steadystate,
        })
    }

    fn conductance(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let conductance = self.name("the name of the conductance")?;
        let ion = if self.eat_word("USEION") {
            Some(self.name("the name of the ion")?)
        } else {
            None
        };
        self.end_of_statement()?;
        Ok(StatementKind::Conductance { conductance, ion })
    }

    fn table(&mut self) -> Parsed<StatementKind> {
        self.advance();
        // In a FUNCTION the tabulated name is the function itself and may be left out.
        let names = if self.at_name() {
            self.names("a name to tabulate")?
        } else {
            Vec::new()
        };
        if self.eat_word("DEPEND") {
            self.names("a name that the table depends on")?;
        }
        for (word, wanted) in [("FROM", "DEPEND or FROM"), ("TO", "TO"), ("WITH", "WITH")] {
            if !self.eat_word(word) {
                return Err(self.unexpected(wanted));
            }
            self.expression()?;
        }
        self.end_of_statement()?;
        Ok(StatementKind::Table { names })
    }
}
