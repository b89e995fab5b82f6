//! Recursive descent over the tokens of one file.
//!
//! The parser never gives up: a statement, entry or block that cannot be read is reported once, skipped to the next
//! line or balanced brace, and reading goes on. The cursor only moves forward, so time is linear in the source; nesting
//! is bounded by [`MAX_NESTING`] and [`MAX_EXPR_HEIGHT`], so neither the parser nor those who walk the tree overflow.

mod declarations;
mod expressions;
mod neuron;
mod statements;
mod units;

use std::collections::BTreeSet;

use super::ast::{Ast, Callable, Ident};
use super::keywords::{self, Refused};
use super::lexer::{Kind, Token, lex};
use crate::diagnostic::{Code, Diagnostic, Span};

/// Deepest nesting of blocks, parentheses, signs and powers together.
pub const MAX_NESTING: usize = 100;

/// Greatest height of one expression's tree: a sum of 500 terms is one of height 500.
pub const MAX_EXPR_HEIGHT: usize = 500;

/// Marks that a diagnostic has been pushed; whoever gets it skips and goes on.
pub(super) struct Reported;

pub(super) type Parsed<T> = Result<T, Reported>;

pub(super) struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Token>,
    pos: usize,
    depth: usize,
    /// The token that the last diagnostic was about: one report per place.
    reported_at: Option<usize>,
    /// Units that followed a number inside an expression.
    expr_units: Vec<Span>,
    /// Every LOCAL and formal parameter of the file.
    local_names: BTreeSet<String>,
    ast: Ast,
    diagnostics: Vec<Diagnostic>,
}

/// Reads one file.
pub(super) fn parse(source: &str) -> (Ast, Vec<Diagnostic>) {
    let (tokens, diagnostics) = lex(source);
    let mut parser = Parser {
        source,
        tokens,
        pos: 0,
        depth: 0,
        reported_at: None,
        expr_units: Vec::new(),
        local_names: BTreeSet::new(),
        ast: Ast::default(),
        diagnostics,
    };
    while !parser.at_end() {
        parser.file_level();
    }
    parser.check_suffix();
    parser.check_expr_units();
    parser.diagnostics.sort_by_key(|d| d.span);
    (parser.ast, parser.diagnostics)
}

// Looking and moving.
impl<'s> Parser<'s> {
    fn peek(&self) -> Token {
        self.peek_nth(0)
    }

    /// The token `n` ahead; past the end, the end.
    fn peek_nth(&self, n: usize) -> Token {
        // The lexer always ends with an End token, and `advance` never passes it.
        self.tokens[(self.pos + n).min(self.tokens.len() - 1)]
    }

    fn text(&self, token: Token) -> &'s str {
        &self.source[token.span.start..token.span.end]
    }

    fn at_end(&self) -> bool {
        self.peek().kind == Kind::End
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        self.nth_is_symbol(0, symbol)
    }

    fn nth_is_symbol(&self, n: usize, symbol: &str) -> bool {
        let token = self.peek_nth(n);
        token.kind == Kind::Symbol && self.text(token) == symbol
    }

    fn at_word(&self, word: &str) -> bool {
        self.peek().kind == Kind::Word && self.text(self.peek()) == word
    }

    /// The word here, keyword or name.
    fn word(&self) -> Option<&'s str> {
        (self.peek().kind == Kind::Word).then(|| self.text(self.peek()))
    }

    fn at_name(&self) -> bool {
        self.word().is_some_and(|w| !keywords::is_keyword(w))
    }

    /// Whether a line starts here with a word that only makes sense at file level: something was left open.
    fn at_file_level_line(&self) -> bool {
        let token = self.peek();
        token.kind == Kind::Title || token.first && self.word().is_some_and(keywords::is_file_level)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek();
        if token.kind != Kind::End {
            self.pos += 1;
        }
        token
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let here = self.at_symbol(symbol);
        if here {
            self.advance();
        }
        here
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let here = self.at_word(word);
        if here {
            self.advance();
        }
        here
    }

    fn expect_symbol(&mut self, symbol: &str, wanted: &str) -> Parsed<Span> {
        if self.at_symbol(symbol) {
            Ok(self.advance().span)
        } else {
            Err(self.unexpected(wanted))
        }
    }

    fn name(&mut self, wanted: &str) -> Parsed<Ident> {
        if !self.at_name() {
            return Err(self.unexpected(wanted));
        }
        let token = self.advance();
        Ok(Ident {
            name: self.text(token).to_owned(),
            span: token.span,
        })
    }

    /// `a, b c`: commas may be left out on one line, never at its end.
    fn names(&mut self, wanted: &str) -> Parsed<Vec<Ident>> {
        let mut names = vec![self.name(wanted)?];
        loop {
            if self.eat_symbol(",") {
                names.push(self.name("a name after the comma")?);
            } else if self.at_name() && !self.peek().first {
                names.push(self.name(wanted)?);
            } else {
                return Ok(names);
            }
        }
    }

    /// The span from byte `start` to the end of the token just consumed.
    fn since(&self, start: usize) -> Span {
        let end = self.pos.checked_sub(1).map_or(start, |last| self.tokens[last].span.end);
        Span::new(start, end.max(start))
    }

    /// Runs `inner` one level deeper, unless that is too deep.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_NESTING {
            return Err(self.too_deep(self.peek().span));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

// Reporting.
impl Parser<'_> {
    fn report(&mut self, diagnostic: Diagnostic) -> Reported {
        if self.reported_at != Some(self.pos) {
            self.reported_at = Some(self.pos);
            self.diagnostics.push(diagnostic);
        }
        Reported
    }

    fn too_deep(&mut self, span: Span) -> Reported {
        let message = "this is nested deeper than the compiler follows";
        let limits = format!("the limits are {MAX_NESTING} nested levels and {MAX_EXPR_HEIGHT} chained operators");
        self.report(Diagnostic::error(Code::NestingTooDeep, span, message).note(limits))
    }

    /// Reports the token here, which is not what the grammar wants.
    fn unexpected(&mut self, wanted: &str) -> Reported {
        let token = self.peek();
        let found = self.text(token);
        let error = |code, message: String| Diagnostic::error(code, token.span, message);
        let diagnostic = match token.kind {
            Kind::Unknown => error(
                Code::UnexpectedCharacter,
                format!("{found:?} belongs to no NMODL word or number"),
            ),
            Kind::BadNumber => error(Code::BadNumber, format!("`{found}` is not a number")),
            Kind::Verbatim => return self.refuse_verbatim(),
            Kind::End => {
                // There is nothing to point at behind the last character; point at what came last.
                let span = self
                    .pos
                    .checked_sub(1)
                    .map_or(token.span, |last| self.tokens[last].span);
                let message = format!("expected {wanted}, but the file ends here");
                Diagnostic::error(Code::UnexpectedToken, span, message)
            }
            Kind::Word if keywords::is_keyword(found) => error(
                Code::UnexpectedToken,
                format!("expected {wanted}, found the keyword `{found}`"),
            ),
            Kind::Word | Kind::Number | Kind::Text | Kind::Title | Kind::Symbol => {
                error(Code::UnexpectedToken, format!("expected {wanted}, found `{found}`"))
            }
        };
        self.report(diagnostic)
    }

    /// The same where one of a few words could stand, of which this may be a misspelling.
    fn unexpected_word(&mut self, wanted: &str, candidates: &[&str]) -> Reported {
        let (before, word) = (self.diagnostics.len(), self.word().unwrap_or_default());
        let reported = self.unexpected(wanted);
        // Nothing is pushed if this place has been reported before.
        if let (Some(nearest), Some(d)) = (keywords::nearest(word, candidates), self.diagnostics.get_mut(before)) {
            d.help = Some(format!("did you mean `{nearest}`?"));
        }
        reported
    }

    /// Reports the VERBATIM block here, at its keyword.
    fn refuse_verbatim(&mut self) -> Reported {
        let start = self.peek().span.start;
        let span = Span::new(start, start + "VERBATIM".len());
        let message = "VERBATIM holds C, which cannot be read and so not be differentiated";
        self.report(Diagnostic::error(Code::Verbatim, span, message))
    }

    /// Reports an unsupported construct; `span` is its header.
    fn refuse(&mut self, refused: &Refused, span: Span) -> Reported {
        let message = format!("not supported by this version: {}", refused.what);
        self.report(Diagnostic::error(Code::Unsupported, span, message).help(refused.help))
    }

    fn unsupported(&mut self, span: Span, message: &str, help: &str) -> Reported {
        self.report(Diagnostic::error(Code::Unsupported, span, message).help(help))
    }
}

// Skipping.
impl Parser<'_> {
    /// Skips one token, or all of a brace group; stops early where a file-level word shows that it was left open.
    fn skip_one(&mut self) {
        if !self.at_symbol("{") {
            self.advance();
            return;
        }
        let mut open = 0_usize;
        loop {
            if self.at_symbol("{") {
                open += 1;
            } else if self.at_symbol("}") {
                open -= 1;
            // INITIAL may stand inside NET_RECEIVE, which is skipped as a whole.
            } else if self.at_end() || self.at_file_level_line() && !self.at_word("INITIAL") {
                return;
            }
            self.advance();
            if open == 0 {
                return;
            }
        }
    }

    /// After an error: skips to the next line, or to a brace that closes the block around.
    fn skip_line(&mut self) {
        while !self.at_end() && !self.at_symbol("}") {
            self.skip_one();
            let goes_on = matches!(self.word(), Some("else" | "ELSE"));
            if self.peek().first && !goes_on && !self.at_symbol("{") {
                return;
            }
        }
    }

    /// Reports the construct here as unsupported and skips it: the rest of its line, and its braces if it has any.
    fn skip_refused(&mut self, refused: &Refused) {
        let mut header = self.peek().span;
        let next = self.peek_nth(1);
        if next.kind == Kind::Word && !next.first && !keywords::is_keyword(self.text(next)) {
            header = header.to(next.span);
        }
        self.refuse(refused, header);
        self.advance();
        if !self.peek().first || self.at_symbol("{") {
            self.skip_line();
        }
    }
}

// File level.
impl Parser<'_> {
    fn file_level(&mut self) {
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
            "DERIVATIVE" | "PROCEDURE" | "FUNCTION" => self.callable_block(word),
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
            let refused_here = |p: &Self| p.word().is_some_and(keywords::is_file_level);
            if self.peek().span == token.span {
                self.skip_one();
            }
            while !self.at_end() && !refused_here(self) && !matches!(self.peek().kind, Kind::Title | Kind::Verbatim) {
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
        let message = format!("a second {} block", self.text(keyword));
        self.diagnostics.push(
            Diagnostic::error(Code::DuplicateDefinition, keyword.span, message)
                .note("a mechanism has one of them; only the first is read"),
        );
        Ok(())
    }

    /// DERIVATIVE, PROCEDURE or FUNCTION.
    fn callable_block(&mut self, keyword: &str) -> Parsed<()> {
        let start = self.advance().span.start;
        let name = self.name("the block's name")?;
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
        self.optional_unit()?;
        let body = self.block()?;
        let callable = Callable {
            name,
            params,
            body,
            span: self.since(start),
        };
        match keyword {
            "DERIVATIVE" => self.ast.derivatives.push(callable),
            "PROCEDURE" => self.ast.procedures.push(callable),
            _ => self.ast.functions.push(callable),
        }
        Ok(())
    }

    /// A unit behind a number is skipped, which is wrong if the writer meant a product.
    fn check_expr_units(&mut self) {
        if self.expr_units.is_empty() {
            return;
        }
        let parameters = self.ast.parameters.iter().chain(&self.ast.constants).map(|p| &p.name);
        let variables = self.ast.assigned.iter().chain(&self.ast.states).map(|v| &v.name);
        let declared: BTreeSet<&str> = parameters.chain(variables).map(|i| i.name.as_str()).collect();
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
