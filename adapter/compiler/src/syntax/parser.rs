//! Recursive descent over the tokens of one file.
//!
//! The parser never gives up: a statement, entry or block that cannot be read is reported once, skipped to the next
//! line or balanced brace, and reading goes on. The cursor only moves forward, so time is linear in the source; nesting
//! is bounded by [`MAX_NESTING`] and [`MAX_EXPR_HEIGHT`], so neither the parser nor those who walk the tree overflow.

mod declarations;
mod events;
mod expressions;
mod file_level;
mod kinetics;
mod neuron;
mod quantity;
mod statements;
mod units;

use std::collections::{BTreeMap, BTreeSet};

use self::quantity::Known;
use super::ast::{Ast, Ident};
use super::keywords::{self, Refused};
use super::lexer::{Kind, Token, lex};
use crate::diagnostic::{Code, Diagnostic, Span};

/// Deepest nesting of blocks, parentheses, signs and powers together.
pub const MAX_NESTING: usize = 100;

/// Greatest height of one expression's tree: a sum of 500 terms is one of height 500.
pub const MAX_EXPR_HEIGHT: usize = 500;

/// Longest array; more elements than any discretised mechanism has, few enough to be unrolled.
pub const MAX_ARRAY_LEN: usize = 1000;

/// What a line with `~` is, by the block around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tilde {
    /// Nothing.
    Refused,
    /// A reaction: KINETIC.
    Reaction,
    /// An equation: LINEAR and NONLINEAR.
    Equation,
}

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
    /// Every LOCAL, loop variable and formal parameter of the file.
    local_names: BTreeSet<String>,
    /// The names that DEFINE made integers.
    defines: BTreeMap<&'s str, u32>,
    /// The units that UNITS defined, as far as their value is known.
    units: Known,
    tilde: Tilde,
    /// Inside NET_RECEIVE, where INITIAL is a part of the block.
    in_net_receive: bool,
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
        defines: BTreeMap::new(),
        units: Known::new(),
        tilde: Tilde::Refused,
        in_net_receive: false,
        ast: Ast::default(),
        diagnostics,
    };
    while !parser.at_end() {
        parser.file_level();
    }
    parser.check_suffix();
    parser.check_names();
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
        self.word()
            .is_some_and(|w| !keywords::is_keyword(w) && !self.defines.contains_key(w))
    }

    /// The integer that DEFINE gave to the name here.
    fn defined(&self) -> Option<u32> {
        self.word().and_then(|w| self.defines.get(w)).copied()
    }

    /// Whether a line starts here with a word that only makes sense at file level: something was left open.
    fn at_file_level_line(&self) -> bool {
        let token = self.peek();
        let opens = |w| keywords::is_file_level(w) && !(self.in_net_receive && w == "INITIAL");
        token.kind == Kind::Title || token.first && self.word().is_some_and(opens)
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
            Kind::Word if self.defines.contains_key(found) => error(
                Code::UnexpectedToken,
                format!("expected {wanted}, found `{found}`, which DEFINE made a number"),
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

    /// Says that something was read and has no effect.
    fn ignored(&mut self, span: Span, message: &str, help: &str) {
        self.diagnostics
            .push(Diagnostic::warning(Code::Ignored, span, message).help(help));
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
            if self.peek().first && !self.goes_on() {
                return;
            }
        }
    }

    /// Whether what stands here belongs to the statement before, even on a line of its own.
    fn goes_on(&self) -> bool {
        self.at_symbol("{") || matches!(self.word(), Some("else" | "ELSE"))
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
