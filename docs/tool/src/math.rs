//! Formulas: `$…$` within a line and `$$` … `$$` on lines of their own become MathML, which browsers set by themselves.

use anyhow::{Result, bail, ensure};
use pulldown_latex::config::DisplayMode;
use pulldown_latex::{Parser, RenderConfig, Storage, push_mathml};

use crate::markdown::{Piece, pieces};

/// A page with its formulas set.
pub fn set(page: &str) -> Result<String> {
    let mut out = String::with_capacity(2 * page.len());
    for piece in pieces(page) {
        match piece {
            Piece::Code(code) => out.push_str(code),
            Piece::Text(text) => prose(text, &mut out)?,
        }
    }
    Ok(out)
}

fn prose(text: &str, out: &mut String) -> Result<()> {
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        if rest[..start].ends_with('\\') {
            out.push_str(&rest[..start - 1]);
            out.push('$');
            rest = &rest[start + 1..];
            continue;
        }
        out.push_str(&rest[..start]);
        let display = rest[start..].starts_with("$$");
        let mark = if display { "$$" } else { "$" };
        let formula = &rest[start + mark.len()..];
        let Some(end) = formula.find(mark) else {
            bail!(
                "a formula is not closed: {}",
                formula.lines().next().unwrap_or_default()
            );
        };
        ensure!(
            display || !formula[..end].contains('\n'),
            "a formula runs over the end of its line: ${}$",
            &formula[..end]
        );
        out.push_str(&mathml(&formula[..end], display)?);
        rest = &formula[end + mark.len()..];
    }
    out.push_str(rest);
    Ok(())
}

fn mathml(latex: &str, display: bool) -> Result<String> {
    let storage = Storage::new();
    let events = Parser::new(latex, &storage).collect::<Result<Vec<_>, _>>();
    let events = match events {
        Ok(events) => events,
        Err(error) => bail!("cannot set {latex}: {error}"),
    };
    let config = RenderConfig {
        display_mode: if display {
            DisplayMode::Block
        } else {
            DisplayMode::Inline
        },
        ..RenderConfig::default()
    };
    let mut set = String::new();
    let events = events.into_iter().map(Ok::<_, std::convert::Infallible>);
    push_mathml(&mut set, events, config)?;
    Ok(inert(&set))
}

/// What would mean something to Markdown, in text outside of tags, as entities; one line.
fn inert(mathml: &str) -> String {
    let mut out = String::with_capacity(mathml.len());
    let mut inside = false;
    for c in mathml.chars() {
        match c {
            '<' | '>' => {
                inside = c == '<';
                out.push(c);
            }
            '\n' => out.push(' '),
            '*' | '_' | '\\' | '`' | '[' | ']' | '|' | '~' | '$' | '{' | '}' if !inside => {
                out.push_str(&format!("&#{};", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_set_and_code_is_not() {
        let set = set("a $x_1$ `$y$`\n\n$$\n\\frac{a}{b}\n$$\n\n```sh\necho $HOME $PATH\n```\n").unwrap();
        assert!(
            set.contains("<math") && set.contains("<mfrac>") && set.contains("display=\"block\""),
            "{set}"
        );
        assert!(set.contains("`$y$`") && set.contains("echo $HOME $PATH"));
        assert!(!set.contains("\\frac"));
    }

    #[test]
    fn what_cannot_be_set_is_an_error() {
        for wrong in ["$x", "$$\nx", "$a\nb$", "$\\nosuchcommand$", "$\\frac{a$"] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
        assert_eq!(set("5 \\$").unwrap(), "5 $");
    }

    #[test]
    fn no_mark_of_markdown_is_left() {
        let set = set("$a * b | [c] \\{ d \\}$").unwrap();
        let text: String = set.split('<').filter_map(|part| part.split('>').nth(1)).collect();
        assert!(!text.contains(['*', '|', '[', '{']), "{set}");
    }
}
