//! `report.html`: one file with everything in it, for a browser without a network, on screen or on paper.
//!
//! No scripts, no external references. All text is escaped; pictures are [`Svg`]s, which only graddiff makes.
//! The output is also well-formed XML, which is how the tests know that nothing was left unclosed.

use std::fmt::Write as _;
use std::path::Path;

use super::error::Error;
use super::file::write_atomic;
use super::manifest::Manifest;
use super::plot::Svg;

const STYLE: &str = include_str!("report.css");

/// A report under construction; pieces appear in the order they are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    title: String,
    body: String,
    figures: usize,
    tables: usize,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Text above the table; may be empty.
    pub caption: String,
    /// Headings and alignment.
    pub columns: Vec<Column>,
    /// Cells, row by row; a short row is filled with blanks, a long one cut.
    pub rows: Vec<Vec<String>>,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading, with the unit.
    pub heading: String,
    /// Numbers are set to the right, in figures of equal width.
    pub is_number: bool,
    /// Short words that no line should break.
    pub is_word: bool,
}

impl Table {
    /// A table of these columns without rows.
    pub fn new(caption: &str, columns: Vec<Column>) -> Self {
        Self {
            caption: caption.to_owned(),
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) -> &mut Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }
}

impl Column {
    /// A column of words.
    pub fn text(heading: &str) -> Self {
        Self {
            heading: heading.to_owned(),
            is_number: false,
            is_word: false,
        }
    }

    /// A column of single words.
    pub fn word(heading: &str) -> Self {
        Self {
            is_word: true,
            ..Self::text(heading)
        }
    }

    /// A column of numbers.
    pub fn number(heading: &str) -> Self {
        Self {
            heading: heading.to_owned(),
            is_number: true,
            is_word: false,
        }
    }
}

impl Report {
    /// An empty report.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            body: String::new(),
            figures: 0,
            tables: 0,
        }
    }

    /// A heading.
    pub fn section(&mut self, heading: &str) -> &mut Self {
        self.add(format_args!("<h2>{}</h2>\n", escaped(heading)))
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) -> &mut Self {
        self.add(format_args!("<p>{}</p>\n", escaped(text)))
    }

    /// Facts at a glance: name and value.
    pub fn summary<S: AsRef<str>>(&mut self, facts: &[(S, S)]) -> &mut Self {
        self.add(format_args!("<dl class=\"summary\">\n"));
        for (name, value) in facts {
            let (name, value) = (escaped(name.as_ref()), escaped(value.as_ref()));
            self.add(format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
        }
        self.add(format_args!("</dl>\n"))
    }

    /// A table; its caption gets a number.
    pub fn table(&mut self, table: &Table) -> &mut Self {
        self.add(format_args!("<div class=\"scroll\"><table>\n"));
        if !table.caption.is_empty() {
            self.tables += 1;
            let (number, caption) = (self.tables, escaped(&table.caption));
            self.add(format_args!("<caption><b>Table {number}.</b> {caption}</caption>\n"));
        }
        let class = |c: &Column| match (c.is_number, c.is_word) {
            (true, _) => " class=\"number\"",
            (false, true) => " class=\"word\"",
            (false, false) => "",
        };
        self.add(format_args!("<thead><tr>"));
        for column in &table.columns {
            self.add(format_args!(
                "<th scope=\"col\"{}>{}</th>",
                class(column),
                escaped(&column.heading)
            ));
        }
        self.add(format_args!("</tr></thead>\n<tbody>\n"));
        for row in &table.rows {
            self.add(format_args!("<tr>"));
            for (i, column) in table.columns.iter().enumerate() {
                let cell = row.get(i).map_or("", String::as_str);
                self.add(format_args!("<td{}>{}</td>", class(column), escaped(cell)));
            }
            self.add(format_args!("</tr>\n"));
        }
        self.add(format_args!("</tbody>\n</table></div>\n"))
    }

    /// A picture; its caption gets a number.
    pub fn figure(&mut self, svg: &Svg, caption: &str) -> &mut Self {
        self.figures += 1;
        let (number, caption) = (self.figures, escaped(caption));
        let svg = svg.as_str();
        self.add(format_args!(
            "<figure>\n{svg}<figcaption><b>Figure {number}.</b> {caption}</figcaption>\n</figure>\n"
        ))
    }

    /// Links to files beside the report: path relative to it, and text. Nothing if there is none.
    pub fn links(&mut self, links: &[(String, String)]) -> &mut Self {
        if links.is_empty() {
            return self;
        }
        self.add(format_args!("<ul>\n"));
        for (path, text) in links {
            let (path, text) = (escaped(path), escaped(text));
            self.add(format_args!("<li><a href=\"{path}\">{text}</a></li>\n"));
        }
        self.add(format_args!("</ul>\n"))
    }

    /// What the reader should know before trusting the numbers; nothing if there is none.
    pub fn warnings<S: AsRef<str>>(&mut self, warnings: &[S]) -> &mut Self {
        if warnings.is_empty() {
            return self;
        }
        self.add(format_args!("<aside class=\"warning\"><h3>Warnings</h3><ul>\n"));
        for warning in warnings {
            self.add(format_args!("<li>{}</li>\n", escaped(warning.as_ref())));
        }
        self.add(format_args!("</ul></aside>\n"))
    }

    /// Where the numbers come from: run, inputs with their hashes, arrays.
    pub fn provenance(&mut self, manifest: &Manifest) -> &mut Self {
        self.section("Provenance");
        let mut run = Table::new("The run.", vec![Column::text("what"), Column::text("value")]);
        for (what, value) in run_facts(manifest) {
            run.row([what.to_owned(), value]);
        }
        self.table(&run);
        if let Some(pruned) = &manifest.pruned {
            self.add(format_args!(
                "<h3>Not computed, since nothing depends on it</h3>\n<ul>\n"
            ));
            for line in pruned.lines() {
                self.add(format_args!("<li>{}</li>\n", escaped(&line)));
            }
            self.add(format_args!("</ul>\n"));
        }
        if !manifest.inputs.is_empty() {
            let columns = ["read as", "file", "SHA-256"].map(Column::text).to_vec();
            let mut inputs = Table::new("Files read.", columns);
            for input in &manifest.inputs {
                inputs.row([
                    input.role.clone(),
                    input.path.display().to_string(),
                    input.sha256.clone(),
                ]);
            }
            self.table(&inputs);
        }
        if !manifest.arrays.is_empty() {
            let columns = ["file", "array", "shape", "unit", "meaning"].map(Column::text).to_vec();
            let mut arrays = Table::new("Arrays written.", columns);
            for a in &manifest.arrays {
                let shape = a.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
                arrays.row([a.file.clone(), a.name.clone(), shape, a.unit.clone(), a.meaning.clone()]);
            }
            self.table(&arrays);
        }
        self
    }

    /// The document.
    pub fn to_html(&self) -> String {
        let title = escaped(&self.title);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{}</main>\n\
             <footer>Made by graddiff {}. This file needs no network and runs no scripts.</footer>\n</body>\n</html>\n",
            self.body,
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// Writes the document.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_atomic(path, self.to_html().as_bytes())
    }

    fn add(&mut self, html: std::fmt::Arguments<'_>) -> &mut Self {
        let _ = self.body.write_fmt(html); // writing to a String cannot fail
        self
    }
}

/// Longer lists of names are cut.
const MOST_NAMES: usize = 24;

fn run_facts(m: &Manifest) -> Vec<(&'static str, String)> {
    // the manifest has them all
    let list = |names: &[String]| match names {
        [] => None,
        [first @ .., last] if first.len() > MOST_NAMES => {
            let shown = first[..MOST_NAMES / 2].join(", ");
            Some(format!("{shown}, … {last} ({} in all)", names.len()))
        }
        _ => Some(names.join(", ")),
    };
    let joined = |a: &Option<String>, b: &Option<String>| {
        a.as_ref()
            .map(|a| b.as_ref().map_or_else(|| a.clone(), |b| format!("{a} {b}")))
    };
    let facts = [
        ("graddiff", Some(m.graddiff_version.clone())),
        ("command", m.command.clone()),
        ("experiment", Some(m.experiment.clone())),
        ("host", joined(&m.host, &m.host_version)),
        ("integrator", m.integrator.clone()),
        ("carrier", m.carrier.clone()),
        ("mechanism ABI", m.abi_level.clone()),
        ("time step", m.dt_ms.map(|v| format!("{v} ms"))),
        ("simulated time", m.duration_ms.map(|v| format!("{v} ms"))),
        ("slots", list(&m.slots)),
        ("probes", list(&m.probes)),
        ("seed", m.seed.map(|v| v.to_string())),
        ("loss evaluations", m.loss_evaluations.map(|v| v.to_string())),
        ("gradient evaluations", m.gradient_evaluations.map(|v| v.to_string())),
        ("time steps", m.steps.map(|v| v.to_string())),
        ("wall time", m.wall_s.map(|v| format!("{v:.1} s"))),
    ];
    facts
        .into_iter()
        .filter_map(|(what, value)| Some((what, value?)))
        .collect()
}

/// `text` as HTML or XML text or attribute; characters XML forbids become U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
