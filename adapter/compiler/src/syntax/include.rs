//! `INCLUDE "file"`: another file's text in the statement's place. Knows no file system: a closure reads.
//!
//! The text is put on the line of its INCLUDE, so that all lines of the including file keep their numbers: comments and
//! TITLE disappear, and [`LINE_END`], which ends lines for the parser but not for whoever counts them, stands for the
//! ends of lines.

use std::fmt::Display;

use super::lexer::{Kind, Token, lex};
use crate::diagnostic::{Code, Diagnostic, Span};

/// What ends a line of an included text: a vertical tab.
pub const LINE_END: char = '\u{b}';

/// Files included in files included … this deep; deeper only if they reach themselves under ever new names.
pub const MAX_DEPTH: usize = 16;

/// INCLUDEs of one file, nested ones counted: files that each include the next one twice would grow without bound.
pub const MAX_INCLUDES: usize = 1000;

/// Longest text with everything included, bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// A text with its INCLUDEs replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// The text; an INCLUDE that failed still stands in it, so that no compiler accepts it.
    pub text: String,
    /// Why some INCLUDEs failed; the spans are places of `text`.
    pub failures: Vec<Diagnostic>,
}

impl Expanded {
    /// What is `found` in the text, with the reasons of its failures; see [`complete`].
    pub fn complete(&self, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        complete(found, &self.failures)
    }
}

/// What is `found` in an expanded text, completed: the reason that an INCLUDE failed in place of the refusal of what is
/// left of it.
pub fn complete(mut found: Vec<Diagnostic>, failures: &[Diagnostic]) -> Vec<Diagnostic> {
    found.retain(|d| !failures.iter().any(|f| f.span.start == d.span.start));
    found.extend(failures.iter().cloned());
    found.sort_by_key(|d| (d.span, d.code));
    found
}

/// Replaces every `INCLUDE "file"` of `text` by what `read` returns for the file, and so on within that.
///
/// `read` gets paths that start where those of `text` do: the folder of an including file is put before a relative path.
/// `.` and `x/..` in them are left for `read` to resolve.
pub fn expand<E: Display>(text: &str, mut read: impl FnMut(&str) -> Result<String, E>) -> Expanded {
    let mut work = Work {
        read: &mut |path| read(path).map_err(|e| e.to_string()),
        above: Vec::new(),
        includes: 0,
        bytes: 0,
    };
    let (tokens, _) = lex(text);
    let mut expanded = Expanded {
        text: String::with_capacity(text.len()),
        failures: Vec::new(),
    };
    let mut copied = 0;
    for (i, keyword) in tokens.iter().enumerate() {
        let Some(name) = included_at(text, &tokens, i) else {
            continue;
        };
        let out = &mut expanded.text;
        out.push_str(&text[copied..keyword.span.start]);
        copied = keyword.span.start;
        match work.include(&text[name.start..name.end]) {
            Ok(included) => {
                out.push_str(&included);
                copied = name.end;
            }
            Err(reason) => {
                let span = Span::new(out.len(), out.len() + name.end - copied);
                let failure = Diagnostic::error(Code::BadInclude, span, reason);
                expanded.failures.push(failure);
            }
        }
    }
    expanded.text.push_str(&text[copied..]);
    expanded
}

/// The quoted file name, if the `i`-th token is the INCLUDE before it.
fn included_at(text: &str, tokens: &[Token], i: usize) -> Option<Span> {
    let of = |t: &Token| &text[t.span.start..t.span.end];
    let is_keyword = tokens[i].kind == Kind::Word && of(&tokens[i]) == "INCLUDE";
    let name = tokens.get(i + 1).filter(|n| is_keyword && n.kind == Kind::Text)?;
    (name.span.end - name.span.start > 1 && of(name).ends_with('"')).then_some(name.span)
}

struct Work<'r> {
    read: &'r mut dyn FnMut(&str) -> Result<String, String>,
    /// Paths of the files being included, outermost first.
    above: Vec<String>,
    includes: usize,
    bytes: usize,
}

impl Work<'_> {
    /// The text of the file in one line, or why there is none.
    fn include(&mut self, quoted: &str) -> Result<String, String> {
        let name = quoted.trim_matches('"').trim();
        if name.is_empty() {
            return Err("INCLUDE names no file".into());
        }
        let folder = match self.above.last() {
            Some(by) if !name.starts_with('/') => by.rfind('/').map_or("", |slash| &by[..=slash]),
            _ => "",
        };
        let path = format!("{folder}{name}");
        if self.above.iter().any(|a| plain(a) == plain(&path)) {
            return Err(format!("`{path}` includes itself"));
        }
        self.includes += 1;
        if self.above.len() >= MAX_DEPTH || self.includes > MAX_INCLUDES {
            return Err(format!(
                "this includes too many files: {MAX_DEPTH} within one another and {MAX_INCLUDES} together are the limits"
            ));
        }
        let text = (self.read)(&path).map_err(|reason| format!("cannot read `{path}`: {reason}"))?;
        self.bytes += text.len();
        if self.bytes > MAX_BYTES {
            return Err(format!("the included files are longer than {MAX_BYTES} bytes"));
        }
        self.above.push(path.clone());
        let out = self.one_line(&text, &path);
        self.above.pop();
        out
    }

    fn one_line(&mut self, text: &str, path: &str) -> Result<String, String> {
        let (tokens, unclosed) = lex(text);
        if let Some(d) = unclosed.first() {
            let (line, _) = crate::diagnostic::line_col(text, d.span.start);
            return Err(format!("in `{path}`, line {line}: {}", d.message));
        }
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for (i, token) in tokens.iter().enumerate() {
            if token.kind == Kind::Title || token.span.start < end {
                continue; // the latter is the name of a file that stands here already
            }
            let gap = &text[end..token.span.start];
            end = token.span.end;
            if token.first {
                out.push(LINE_END);
            } else if gap.trim().is_empty() {
                out.push_str(gap); // some blanks stand in the text of a unit
            } else {
                out.push(' ');
            }
            if let Some(name) = included_at(text, &tokens, i) {
                let included = self.include(&text[name.start..name.end]);
                out.push_str(&included.map_err(|reason| format!("{reason} (included by `{path}`)"))?);
                end = name.end;
                continue;
            }
            // VERBATIM is one token of several lines
            let line_end = |c| if c == '\n' { LINE_END } else { c };
            out.extend(text[token.span.start..token.span.end].chars().map(line_end));
        }
        Ok(out)
    }
}

/// The path without `.` and `x/..`.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|p| *p != ".") {
        if part == ".." && parts.last().is_some_and(|p| *p != ".." && !p.is_empty()) {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
