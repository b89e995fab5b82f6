//! As much of Markdown as links and formulas need: what is code and what is not.

/// Text outside of code, or code as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Prose, with its line feeds.
    Text(&'a str),
    /// A fenced block, or what stands between backticks, with its marks.
    Code(&'a str),
}

/// Cuts a page into prose and code; together they are the page.
pub fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut fence: Option<&str> = None;
    for line in page.split_inclusive('\n') {
        let bare = line.trim_start();
        let marks = bare.len() - bare.trim_start_matches('`').len();
        let next = at + line.len();
        match fence {
            Some(open) if bare.trim_end() == open => {
                out.push(Piece::Code(&page[start..next]));
                (start, fence) = (next, None);
            }
            None if marks >= 3 => {
                inline(&page[start..at], &mut out);
                (start, fence) = (at, Some(&bare[..marks]));
            }
            Some(_) | None => {}
        }
        at = next;
    }
    match fence {
        Some(_) => out.push(Piece::Code(&page[start..])),
        None => inline(&page[start..], &mut out),
    }
    out
}

/// Prose with code between backticks.
fn inline<'a>(text: &'a str, out: &mut Vec<Piece<'a>>) {
    let mut rest = text;
    while let Some(open) = rest.find('`') {
        let marks = rest[open..].len() - rest[open..].trim_start_matches('`').len();
        let mark = &rest[open..open + marks];
        let Some(close) = rest[open + marks..].find(mark) else {
            break;
        };
        let end = open + marks + close + marks;
        out.push(Piece::Text(&rest[..open]));
        out.push(Piece::Code(&rest[open..end]));
        rest = &rest[end..];
    }
    out.push(Piece::Text(rest));
}

/// From docs/book/src to the root of the repository.
const OUTWARD: &str = "](../../../";

/// `[…](../../../FILE)` leaves the book.
pub fn mark_outward_links(page: &str) -> String {
    let change = |piece: Piece<'_>| match piece {
        Piece::Text(text) => text.replace(OUTWARD, "](repo:"),
        Piece::Code(code) => code.to_owned(),
    };
    pieces(page).into_iter().map(change).collect()
}

/// Targets of `[…](TARGET)`.
pub fn links(page: &str) -> Vec<String> {
    // code in a link's text must not hide the link
    let text: String = pieces(page)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Code(_) => "code",
        })
        .collect();
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ', '\n']).next());
    targets.filter(|t| !t.is_empty()).map(str::to_owned).collect()
}

/// Names of a page's headings, as GitHub gives them to links.
pub fn anchors(page: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let prose: String = pieces(page)
        .into_iter()
        .map(|piece| match piece {
            Piece::Code(code) if code.starts_with("```") => "\n",
            Piece::Text(text) | Piece::Code(text) => text,
        })
        .collect();
    for line in prose.lines() {
        let level = line.len() - line.trim_start_matches('#').len();
        if !(1..=6).contains(&level) || !line[level..].starts_with(' ') {
            continue;
        }
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
        let name: String = line[level..].trim().to_lowercase().chars().filter(kept).collect();
        let name = name.replace(' ', "-");
        let again = out.iter().filter(|n| **n == name).count();
        out.push(if again == 0 { name } else { format!("{name}-{again}") });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A `b` c\n[x](y.md#z) `[no](no)` [`q`](w)\n```sh\n# no\n[no](no)\n```\n## A b c\n";

    #[test]
    fn pieces_are_the_page() {
        for page in [PAGE, "", "`", "```", "a `` ` `` b ` c", "x\n```\ny"] {
            let whole: String = pieces(page)
                .into_iter()
                .map(|p| match p {
                    Piece::Text(t) | Piece::Code(t) => t,
                })
                .collect();
            assert_eq!(whole, page);
        }
    }

    #[test]
    fn code_has_neither_links_nor_headings() {
        assert_eq!(links(PAGE), ["y.md#z", "w"]);
        assert_eq!(anchors(PAGE), ["a-b-c", "a-b-c-1"]);
        assert_eq!(
            mark_outward_links("[a](../../../B.md) `](../../../`"),
            "[a](repo:B.md) `](../../../`"
        );
    }
}
