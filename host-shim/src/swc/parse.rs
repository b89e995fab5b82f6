//! SWC lines to samples, sorted by id, parents before children.

use crate::error::SwcError;
use crate::morphology::{MAX_UM, Point};
use std::collections::BTreeMap;
use std::str::FromStr;

const FIELDS: [&str; 7] = ["id", "tag", "x", "y", "z", "radius", "parent"];
const NO_PARENT: i64 = -1;

/// One sample of a checked file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) line: usize,
    pub(super) id: i64,
    pub(super) tag: i32,
    pub(super) point: Point,
    /// Index into the sorted samples; `None` for the first only.
    pub(super) parent: Option<usize>,
}

/// A sample as written.
struct Row {
    line: usize,
    /// Column of the parent.
    column: usize,
    id: i64,
    tag: i32,
    point: Point,
    parent: i64,
}

/// Reads and checks all samples: sorted by id, the first is the root, every other's parent comes before it.
///
/// # Errors
/// The first defect.
pub(super) fn parse(text: &str) -> Result<Vec<Sample>, SwcError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let code = line.split('#').next().unwrap_or_default();
        if !code.trim().is_empty() {
            rows.push(row(i + 1, code)?);
        }
    }
    if rows.is_empty() {
        return Err(SwcError::Empty);
    }
    let mut line_of = BTreeMap::new();
    for row in &rows {
        if let Some(first_line) = line_of.insert(row.id, row.line) {
            return Err(SwcError::DuplicateId {
                line: row.line,
                id: row.id,
                first_line,
            });
        }
    }
    rows.sort_by_key(|row| row.id);
    link(&rows)
}

/// Turns parent ids into indices.
fn link(rows: &[Row]) -> Result<Vec<Sample>, SwcError> {
    let mut root: Option<&Row> = None;
    let mut parents = Vec::with_capacity(rows.len());
    for row in rows {
        if row.parent == NO_PARENT {
            if let Some(first) = root {
                // By line, not by id: the later one in the file is the surplus one.
                let (first, second) = if first.line < row.line {
                    (first, row)
                } else {
                    (row, first)
                };
                let (first_line, first_id) = (first.line, first.id);
                return Err(SwcError::SeveralRoots {
                    line: second.line,
                    id: second.id,
                    first_line,
                    first_id,
                });
            }
            root = Some(row);
            parents.push(None);
            continue;
        }
        let Ok(parent) = rows.binary_search_by_key(&row.parent, |other| other.id) else {
            let Row {
                line,
                column,
                id,
                parent,
                ..
            } = *row;
            return Err(SwcError::UnknownParent {
                line,
                column,
                id,
                parent,
            });
        };
        parents.push(Some(parent));
    }
    if let Some(i) = lowest_on_cycle(&parents) {
        return Err(SwcError::Cycle {
            line: rows[i].line,
            id: rows[i].id,
        });
    }
    if let Some(row) = rows.iter().find(|row| row.parent >= row.id) {
        let Row {
            line,
            column,
            id,
            parent,
            ..
        } = *row;
        return Err(SwcError::ParentAfterChild {
            line,
            column,
            id,
            parent,
        });
    }
    let samples = rows.iter().zip(parents);
    let sample = |(row, parent): (&Row, _)| Sample {
        line: row.line,
        id: row.id,
        tag: row.tag,
        point: row.point,
        parent,
    };
    Ok(samples.map(sample).collect())
}

/// The lowest index that is its own ancestor.
fn lowest_on_cycle(parents: &[Option<usize>]) -> Option<usize> {
    // The walk that first reached a sample; every sample is walked once.
    let mut walk_of: Vec<Option<usize>> = vec![None; parents.len()];
    for start in 0..parents.len() {
        let mut at = start;
        while walk_of[at].is_none() {
            walk_of[at] = Some(start);
            match parents[at] {
                Some(parent) => at = parent,
                None => break,
            }
        }
        // Met the same walk again, and not at a root: `at` is on a cycle.
        if walk_of[at] == Some(start) && parents[at].is_some() {
            let mut lowest = at;
            let mut next = parents[at];
            while let Some(sample) = next.filter(|&sample| sample != at) {
                lowest = lowest.min(sample);
                next = parents[sample];
            }
            return Some(lowest);
        }
    }
    None
}

fn row(line: usize, code: &str) -> Result<Row, SwcError> {
    let mut words = Words { code, line, at: 0 };
    let (id_column, id) = words.integer::<i64>(0, "a whole number")?;
    if id < 0 {
        return Err(SwcError::NegativeId {
            line,
            column: id_column,
            id,
        });
    }
    let (_, tag) = words.integer::<i32>(1, "a whole number, 1 soma, 2 axon, 3 dendrite, 4 apical")?;
    let (_, x) = words.um(2)?;
    let (_, y) = words.um(3)?;
    let (_, z) = words.um(4)?;
    let (column, radius) = words.um(5)?;
    if radius <= 0.0 {
        return Err(SwcError::NonPositiveRadius {
            line,
            column,
            radius_um: radius,
        });
    }
    let (column, parent) = words.integer::<i64>(6, "a sample id, or -1 for the root")?;
    Ok(Row {
        line,
        column,
        id,
        tag,
        point: Point::new(x, y, z, radius),
        parent,
    })
}

/// The words of one line.
struct Words<'a> {
    code: &'a str,
    line: usize,
    /// Byte offset of what is not read yet.
    at: usize,
}

impl<'a> Words<'a> {
    /// The next word and its column.
    fn word(&mut self, field: usize) -> Result<(usize, &'a str), SwcError> {
        let rest = &self.code[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let word = self.code[start..].split_whitespace().next();
        let column_of = |byte: usize| self.code[..byte].chars().count() + 1;
        match word {
            Some(word) => {
                self.at = start + word.len();
                Ok((column_of(start), word))
            }
            None => {
                let column = column_of(self.code.trim_end().len());
                Err(SwcError::MissingColumn {
                    line: self.line,
                    column,
                    field: FIELDS[field],
                    found: field,
                })
            }
        }
    }

    fn bad(&self, column: usize, field: usize, text: &str, expected: &'static str) -> SwcError {
        SwcError::BadNumber {
            line: self.line,
            column,
            field: FIELDS[field],
            text: text.to_owned(),
            expected,
        }
    }

    fn integer<T: FromStr>(&mut self, field: usize, expected: &'static str) -> Result<(usize, T), SwcError> {
        let (column, text) = self.word(field)?;
        text.parse()
            .map(|number| (column, number))
            .map_err(|_| self.bad(column, field, text, expected))
    }

    /// A coordinate or radius.
    fn um(&mut self, field: usize) -> Result<(usize, f64), SwcError> {
        let (column, text) = self.word(field)?;
        let number: f64 = text
            .parse()
            .map_err(|_| self.bad(column, field, text, "a number in um"))?;
        // Written so that NaN fails.
        if number.abs() <= MAX_UM {
            Ok((column, number))
        } else {
            Err(SwcError::NotFinite {
                line: self.line,
                column,
                field: FIELDS[field],
                text: text.to_owned(),
            })
        }
    }
}
