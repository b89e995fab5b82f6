//! Text to tokens. Knows spelling only: what a parenthesis means, a unit or a grouping, is the parser's business.
//!
//! Comments (`:` and `?` to the end of the line, COMMENT … ENDCOMMENT), UNITSON/UNITSOFF and REPRESENTS with its
//! argument disappear here.
//! Bytes that start no token and numbers that cannot be read become tokens of their own, so that they are reported
//! only where they matter: inside a unit text or a skipped block they do not.

use super::include::LINE_END;
use crate::diagnostic::{Code, Diagnostic, Span};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or keyword.
    Word,
    /// A finite decimal number.
    Number,
    /// Starts like a number, but is none.
    BadNumber,
    /// A quoted text.
    Text,
    /// `TITLE` and the rest of its line.
    Title,
    /// `VERBATIM … ENDVERBATIM`, all of it.
    Verbatim,
    /// Punctuation or operator, one to three characters.
    Symbol,
    /// A run of characters that start no token.
    Unknown,
    /// The end of the source; the last token, and the only one that is empty.
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
    /// Whether nothing but blanks and comments precede it on its line.
    pub(super) first: bool,
}

/// Operators longer than one character, longest first.
const LONG_SYMBOLS: [&str; 9] = ["<->", "<<", "->", "<=", ">=", "==", "!=", "&&", "||"];

/// Splits the source into tokens; the last one is [`Kind::End`]. The diagnostics are about unclosed constructs.
pub(super) fn lex(source: &str) -> (Vec<Token>, Vec<Diagnostic>) {
    let mut lexer = Lexer {
        source,
        at: 0,
        first: true,
        tokens: Vec::new(),
        diagnostics: Vec::new(),
    };
    if source.starts_with('\u{feff}') {
        lexer.at = '\u{feff}'.len_utf8();
    }
    while lexer.at < source.len() {
        lexer.step();
    }
    lexer.push(Kind::End, source.len());
    (lexer.tokens, lexer.diagnostics)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    first: bool,
    tokens: Vec<Token>,
    diagnostics: Vec<Diagnostic>,
}

impl Lexer<'_> {
    /// Consumes one token, comment or blank; always advances.
    fn step(&mut self) {
        let rest = &self.source[self.at..];
        let bytes = rest.as_bytes();
        match bytes[0] {
            b'\n' | b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.skip_to(self.at + 1),
            b':' | b'?' => self.skip_to(self.end_of_line()),
            b'"' => self.quoted(),
            b'.' if bytes.get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            _ => match symbol_len(rest) {
                Some(n) => self.push(Kind::Symbol, self.at + n),
                None => {
                    let n = rest
                        .char_indices()
                        .find(|&(i, c)| i > 0 && !is_unknown(c))
                        .map_or(rest.len(), |(i, _)| i);
                    self.push(Kind::Unknown, self.at + n);
                }
            },
        }
    }

    fn push(&mut self, kind: Kind, end: usize) {
        self.tokens.push(Token {
            kind,
            span: Span::new(self.at, end),
            first: self.first,
        });
        self.skip_to(end);
        self.first = self.source.as_bytes()[..end].last() == Some(&b'\n');
    }

    /// Moves on to byte `end`.
    fn skip_to(&mut self, end: usize) {
        self.first |= self.source[self.at..end].contains(['\n', LINE_END]);
        self.at = end;
    }

    fn end_of_line(&self) -> usize {
        self.source[self.at..]
            .find('\n')
            .map_or(self.source.len(), |n| self.at + n)
    }

    fn unterminated(&mut self, n: usize, what: &str, help: &str) {
        let span = Span::new(self.at, self.at + n);
        self.diagnostics
            .push(Diagnostic::error(Code::UnterminatedBlock, span, what).help(help));
    }

    fn quoted(&mut self) {
        let start = self.at + 1;
        let end = self.source[start..]
            .find(['"', '\n'])
            .map_or(self.source.len(), |n| start + n);
        if self.source[end..].starts_with('"') {
            self.push(Kind::Text, end + 1);
            return;
        }
        self.unterminated(
            end - self.at,
            "this quoted text has no end",
            "close it on the same line with \"",
        );
        self.push(Kind::Text, end);
    }

    fn number(&mut self) {
        let bytes = self.source.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut end = digits(self.at);
        if bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        let finite = self.source[self.at..end].parse::<f64>().is_ok_and(f64::is_finite);
        // What still hangs on makes it unreadable: 1.2.3, 3x, 1e, 1e5.2.
        let tail = bytes[end..]
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
            .count();
        self.push(
            if finite && tail == 0 {
                Kind::Number
            } else {
                Kind::BadNumber
            },
            end + tail,
        );
    }

    fn word(&mut self) {
        let rest = &self.source[self.at..];
        let len = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        let end = self.at + len;
        match &rest[..len] {
            "UNITSON" | "UNITSOFF" => self.skip_to(end),
            "REPRESENTS" => self.skip_to(self.ontology_end(end)),
            "TITLE" if self.first => self.push(Kind::Title, self.end_of_line()),
            "COMMENT" => {
                let close = self.block_end(len, "ENDCOMMENT", "this COMMENT has no ENDCOMMENT");
                self.skip_to(close);
            }
            "VERBATIM" => {
                let close = self.block_end(len, "ENDVERBATIM", "this VERBATIM has no ENDVERBATIM");
                self.push(Kind::Verbatim, close);
            }
            _ => self.push(Kind::Word, end),
        }
    }

    /// One past the identifier of an ontology that starts after `at`, such as `NCIT:C17145` or `[CHEBI:29108]`. It only
    /// annotates, and its colon starts no comment.
    fn ontology_end(&self, at: usize) -> usize {
        let start = at
            + self.source[at..]
                .bytes()
                .take_while(|b| matches!(b, b' ' | b'\t'))
                .count();
        let rest = &self.source[start..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || "[]:_-.".contains(c);
        start + rest.find(|c| !is_part(c)).unwrap_or(rest.len())
    }

    /// One past the closing word; without one, everything is inside.
    fn block_end(&mut self, len: usize, close: &str, message: &str) -> usize {
        if let Some(n) = self.source[self.at + len..].find(close) {
            return self.at + len + n + close.len();
        }
        self.unterminated(len, message, &format!("add {close}"));
        self.source.len()
    }
}

fn symbol_len(rest: &str) -> Option<usize> {
    let long = LONG_SYMBOLS.iter().find(|s| rest.starts_with(**s)).map(|s| s.len());
    let short = || {
        rest.starts_with(|c: char| "+-*/^=<>!(){}[],'~%".contains(c))
            .then_some(1)
    };
    long.or_else(short)
}

fn is_unknown(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || c == '\u{b}' || "_.:?\"+-*/^=<>!(){}[],'~%&|".contains(c))
}
