//! Diagnostics for people (coloured on a terminal, greppable in a log) and for programs (JSON).

use std::fmt::{self, Write as _};
use std::io::IsTerminal;

use compiler::diagnostic::line_col;
use compiler::syntax::include::LINE_END;
use compiler::{Diagnostic, FileDiagnostic, Severity, Source, Span};
use miette::{LabeledSpan, MietteHandler, MietteHandlerOpts, NamedSource, ReportHandler};
use serde_json::{Value, json};

/// How to lay out a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// First line `file:line:column: severity[code]: message`, as compilers write it and editors read it.
    Plain,
    /// miette's drawing.
    Fancy {
        /// With colours.
        colour: bool,
    },
}

impl Style {
    /// Fancy on a terminal, in colour unless NO_COLOR is set; else plain.
    pub fn choose(stream: &impl IsTerminal) -> Self {
        if stream.is_terminal() {
            Style::Fancy {
                colour: std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
            }
        } else {
            Style::Plain
        }
    }
}

/// How many of each severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
}

impl Tally {
    /// Counts.
    pub fn of<'a>(diagnostics: impl IntoIterator<Item = &'a FileDiagnostic>) -> Self {
        let mut tally = Self::default();
        for (_, diagnostic) in diagnostics {
            match diagnostic.severity {
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
            }
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (errors, warnings) = (
            super::count(self.errors, "error"),
            super::count(self.warnings, "warning"),
        );
        match (self.errors, self.warnings) {
            (0, 0) => f.write_str("no errors"),
            (0, _) => write!(f, "no errors, {warnings}"),
            (_, 0) => f.write_str(&errors),
            _ => write!(f, "{errors}, {warnings}"),
        }
    }
}

/// All diagnostics, one after the other, without a final line feed.
pub fn render_all(sources: &[Source], diagnostics: &[FileDiagnostic], style: Style) -> String {
    // The excerpts go to a terminal: escape sequences in the file must not.
    let sources: Vec<Source> = sources
        .iter()
        .map(|s| Source {
            name: s.name.clone(),
            text: printable(&s.text),
        })
        .collect();
    let rendered: Vec<String> = diagnostics
        .iter()
        .filter_map(|(file, diagnostic)| Some(render(sources.get(*file)?, diagnostic, style)))
        .collect();
    rendered.join(if style == Style::Plain { "\n" } else { "\n\n" })
}

fn render(source: &Source, diagnostic: &Diagnostic, style: Style) -> String {
    let text = match style {
        Style::Plain => plain(source, diagnostic),
        Style::Fancy { colour } => {
            let handler = MietteHandlerOpts::new().unicode(true).color(colour).build();
            let report = Report {
                text: NamedSource::new(&source.name, source.text.replace(LINE_END, " ")),
                diagnostic,
            };
            let mut out = String::new();
            // miette refuses spans it cannot place; the user still gets the message
            match write!(out, "{:?}", Drawing(&handler, &report)) {
                Ok(()) => out,
                Err(fmt::Error) => plain(source, diagnostic),
            }
        }
    };
    text.trim_end().to_string()
}

/// All diagnostics as one JSON array; lines and columns count from 1, columns in characters, the end is exclusive.
pub fn to_json(sources: &[Source], diagnostics: &[FileDiagnostic]) -> Value {
    let row = |(file, d): &FileDiagnostic| {
        let source = sources.get(*file)?;
        let (line, column) = line_col(&source.text, d.span.start);
        let (end_line, end_column) = line_col(&source.text, d.span.end.max(d.span.start));
        Some(json!({
            "file": source.name,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "code": d.code.as_str(),
            "severity": severity(d.severity),
            "message": d.message,
            "notes": d.notes,
            "help": d.help_text(),
        }))
    };
    diagnostics.iter().filter_map(row).collect()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The same number of bytes without control characters but those that end lines, so that spans still fit.
fn printable(text: &str) -> String {
    let replace = |c: char| match c {
        '\n' | '\r' | '\t' | LINE_END => c,
        c if c.is_ascii_control() => '?',
        // all of these take two bytes in UTF-8, like the middle dot
        c if c.is_control() => '·',
        c => c,
    };
    text.chars().map(replace).collect()
}

fn plain(source: &Source, d: &Diagnostic) -> String {
    let (line, column) = line_col(&source.text, d.span.start);
    let mut out = format!(
        "{}:{line}:{column}: {}[{}]: {}\n",
        source.name,
        severity(d.severity),
        d.code,
        d.message
    );
    if let Some((text, carets)) = excerpt(&source.text, d.span) {
        let number = line.to_string();
        let gap = " ".repeat(number.len());
        let _ = write!(out, " {number} | {text}\n {gap} | {carets}\n");
    }
    for note in &d.notes {
        let _ = writeln!(out, "   note: {note}");
    }
    let _ = writeln!(out, "   help: {}", d.help_text());
    out
}

/// The first line that a span touches, tabs as four spaces, and the carets under the span.
fn excerpt(text: &str, span: Span) -> Option<(String, String)> {
    let widen = |part: &str| part.replace('\t', "    ");
    let start = span.start.min(text.len());
    // of an included text, which stands in one line, only the line it had in its file
    let line_start = text.get(..start)?.rfind(['\n', LINE_END]).map_or(0, |i| i + 1);
    let rest = text.get(line_start..)?;
    let line = rest.lines().next().unwrap_or_default();
    let line = line.split(LINE_END).next().unwrap_or_default();
    let before = line.get(..(start - line_start).min(line.len()))?;
    let end = span.end.min(line_start + line.len()).max(line_start + before.len());
    let under = text.get(line_start + before.len()..end)?;
    let carets = widen(under).chars().count().max(1);
    let indent = widen(before).chars().count();
    Some((widen(line), format!("{}{}", " ".repeat(indent), "^".repeat(carets))))
}

/// A diagnostic as miette wants it.
#[derive(Debug)]
struct Report<'a> {
    text: NamedSource<String>,
    diagnostic: &'a Diagnostic,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let d = self.diagnostic;
        Some(Box::new(format!("{}[{}]", severity(d.severity), d.code)))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let mut text = self.diagnostic.help_text().to_string();
        for note in &self.diagnostic.notes {
            let _ = write!(text, "\nnote: {note}");
        }
        Some(Box::new(text))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        // miette panics on spans outside the text
        let (span, size) = (self.diagnostic.span, self.text.inner().len());
        let start = span.start.min(size);
        let length = span.end.clamp(start, size) - start;
        Some(Box::new(std::iter::once(LabeledSpan::new(None, start, length))))
    }
}

/// Runs a miette handler where a `Display` is wanted.
struct Drawing<'a>(&'a MietteHandler, &'a Report<'a>);

impl fmt::Debug for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(self.1, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::Code;
    use expect_test::expect;

    fn one(text: &str, start: usize, end: usize, style: Style) -> String {
        let source = Source {
            name: "x.mod".into(),
            text: text.into(),
        };
        let d = Diagnostic::error(Code::UnknownName, Span::new(start, end), "nothing declares `gg`").note("the rule");
        render_all(&[source], &[(0, d)], style)
    }

    #[test]
    fn plain_is_one_greppable_line_and_an_excerpt() {
        expect![[r#"
            x.mod:2:6: error[unknown-name]: nothing declares `gg`
             2 |     i = gg*v
               |         ^^
               note: the rule
               help: declare it in PARAMETER, ASSIGNED, STATE or as LOCAL"#]]
        .assert_eq(&one("µ\n\ti = gg*v\n", 8, 10, Style::Plain));
    }

    #[test]
    fn fancy_shows_place_note_and_help() {
        expect![[r#"
            error[unknown-name]

              × nothing declares `gg`
               ╭─[x.mod:2:5]
             1 │ a
             2 │ b = gg*v
               ·     ──
             3 │ c
               ╰────
              help: declare it in PARAMETER, ASSIGNED, STATE or as LOCAL
                    note: the rule"#]]
        .assert_eq(&one("a\nb = gg*v\nc\n", 6, 8, Style::Fancy { colour: false }));
    }

    #[test]
    fn odd_spans_and_escape_sequences_are_harmless() {
        for style in [Style::Plain, Style::Fancy { colour: false }] {
            for text in ["", "a", "a\n", "a\r\nb\r\n", "é\n\u{1b}[2J\u{9b}2J\n"] {
                for start in (0..=text.len() + 2).filter(|&i| i > text.len() || text.is_char_boundary(i)) {
                    for end in (start..=text.len() + 2).filter(|&i| i > text.len() || text.is_char_boundary(i)) {
                        let out = one(text, start, end, style);
                        assert!(out.contains("nothing declares"), "{text:?} {start}..{end}: {out}");
                        assert!(!out.contains(['\u{1b}', '\u{9b}']), "{out:?}");
                    }
                }
            }
        }
    }
}
