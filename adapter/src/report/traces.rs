//! Target traces: a time axis in ms and named columns, from `.csv`, `.npz` or `.npy`.
//!
//! CSV: one header line; the first column is the time in ms, strictly increasing; `#` starts a comment line.
//! NPZ: `t_ms` (or `time_ms`, `t`, `time`) of rank 1; every other array has as many rows, and rank 2 gives `name[0]`, `name[1]` ….
//! NPY: rank 2, one row per time, the first column is the time.
//! A trace with a hole cannot be compared with a simulation, so NaN and infinities are refused, not skipped.

use std::fs;
use std::path::Path;

use ndarray::{ArrayD, Axis, Ix2};

use super::error::{Error, Operation};
use super::npz::{Arrays, read_npy, read_npz};

/// Names under which an `.npz` file may hold its time axis, in order of preference.
const TIME_NAMES: [&str; 4] = ["t_ms", "time_ms", "t", "time"];

/// Named traces on one time axis.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetTraces {
    /// Sample times, ms, strictly increasing.
    pub time_ms: Vec<f64>,
    /// Column names, without the time; unique.
    pub names: Vec<String>,
    /// One vector per name, each as long as `time_ms`; finite, in the unit its producer says.
    pub columns: Vec<Vec<f64>>,
}

impl TargetTraces {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        self.names
            .iter()
            .position(|n| n == name)
            .map(|i| self.columns[i].as_slice())
    }
}

/// Why traces are unusable. Lines and columns count from 1; for arrays, `line` is the row.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// No header line, or no data after it.
    #[error("no {missing}; expected a header line, then one line of numbers per time")]
    Empty {
        /// `header line` or `data`.
        missing: &'static str,
    },
    /// The first line holds a number.
    #[error(
        "line {line}, column {column}: `{text}` is a number; the first line must name the columns, as in `t_ms,v_mv`"
    )]
    HeaderIsNumber {
        /// Line of the header.
        line: u64,
        /// The offending column.
        column: usize,
        /// The field.
        text: String,
    },
    /// A column without a name, or two of one name.
    #[error("line {line}, column {column}: the column name `{name}` is empty or used twice")]
    BadColumnName {
        /// Line of the header.
        line: u64,
        /// The offending column.
        column: usize,
        /// The name.
        name: String,
    },
    /// A line with more or fewer fields than the header.
    #[error("line {line}: {found} columns, but the header names {expected}")]
    Ragged {
        /// The line.
        line: u64,
        /// Fields on it.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// A field that is not a number.
    #[error("line {line}, column {column} (`{name}`): `{text}` is not a number")]
    NotANumber {
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The column's name.
        name: String,
        /// The field.
        text: String,
    },
    /// NaN or an infinity.
    #[error("line {line}, column {column} (`{name}`): {value} is not finite; remove the line or fill the hole")]
    NotFinite {
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The column's name.
        name: String,
        /// The value.
        value: f64,
    },
    /// A time that is not later than the one before.
    #[error("line {line}: time {found} ms does not come after {previous} ms")]
    TimeNotIncreasing {
        /// The line.
        line: u64,
        /// The time before.
        previous: f64,
        /// The time found.
        found: f64,
    },
    /// A byte that is not UTF-8.
    #[error("line {line}: not UTF-8 text; save the file as UTF-8")]
    NotUtf8 {
        /// The line.
        line: u64,
    },
    /// The csv crate refused a line.
    #[error("not readable as CSV")]
    Csv(#[from] csv::Error),
    /// An `.npz` without a time axis.
    #[error("no time axis; expected a one-dimensional array `t_ms`, found {found:?}")]
    NoTimeAxis {
        /// The arrays' names.
        found: Vec<String>,
    },
    /// An array whose shape does not go with the time axis.
    #[error("array `{name}` has shape {shape:?}; expected {expected}")]
    Shape {
        /// The array.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The rule.
        expected: String,
    },
    /// A file name that ends in none of `.csv`, `.npz`, `.npy`.
    #[error("unknown kind of file; expected .csv, .npz or .npy")]
    UnknownKind,
}

/// Reads traces from a `.csv`, `.npz` or `.npy` file, by its extension.
///
/// # Errors
/// [`Error::Io`], [`Error::Npz`], or [`Error::Traces`] with line and column.
pub fn read_traces(path: &Path) -> Result<TargetTraces, Error> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let traces = match extension.as_deref() {
        Some("csv") => {
            let bytes = fs::read(path).map_err(|e| Error::io(Operation::Read, path, e))?;
            parse_csv(&bytes)
        }
        Some("npz") => from_arrays(&read_npz(path)?),
        Some("npy") => from_matrix(read_npy(path)?),
        _ => Err(TraceError::UnknownKind),
    };
    traces.map_err(|source| Error::Traces {
        path: path.to_path_buf(),
        source,
    })
}

/// Parses the contents of a CSV file.
///
/// # Errors
/// [`TraceError`] with the line and column of the first fault.
pub fn parse_csv(bytes: &[u8]) -> Result<TargetTraces, TraceError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes); // spreadsheets write a byte order mark
    let not_utf8 = |e: std::str::Utf8Error| TraceError::NotUtf8 {
        line: line_of(bytes, e.valid_up_to()),
    };
    let text = std::str::from_utf8(bytes)
        .map_err(not_utf8)?
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    // Line by line, because the csv crate counts a record's line from the comments and blanks before it.
    let is_record = |line: &&(u64, &str)| !line.1.trim().is_empty() && !line.1.trim_start().starts_with('#');
    let lines: Vec<(u64, &str)> = (1u64..).zip(text.split('\n')).collect();
    let mut records = lines.iter().filter(is_record);
    let &(header_line, header) = records.next().ok_or(TraceError::Empty { missing: "header line" })?;
    let header = fields(header)?;
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (i, field) in header.iter().enumerate() {
        let (line, column) = (header_line, i + 1);
        if field.parse::<f64>().is_ok_and(|v| v.is_finite()) {
            return Err(TraceError::HeaderIsNumber {
                line,
                column,
                text: field.to_owned(),
            });
        }
        if field.is_empty() || names.iter().any(|n| n == field) {
            return Err(TraceError::BadColumnName {
                line,
                column,
                name: field.to_owned(),
            });
        }
        names.push(field.to_owned());
    }
    let mut build = Builder::new(names);
    for &(line, record) in records {
        let record = fields(record)?;
        if record.len() != build.names.len() {
            return Err(TraceError::Ragged {
                line,
                found: record.len(),
                expected: build.names.len(),
            });
        }
        for (i, text) in record.iter().enumerate() {
            let Ok(value) = text.parse::<f64>() else {
                return Err(TraceError::NotANumber {
                    line,
                    column: i + 1,
                    name: build.names[i].clone(),
                    text: text.to_owned(),
                });
            };
            build.push(line, i, value)?;
        }
    }
    build.finish()
}

/// The fields of one line, quotes undone.
fn fields(line: &str) -> Result<csv::StringRecord, TraceError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record)?;
    Ok(record)
}

fn line_of(bytes: &[u8], offset: usize) -> u64 {
    (1u64..)
        .zip(bytes[..offset].split(|b| *b == b'\n'))
        .last()
        .map_or(1, |(line, _)| line)
}

/// Collects values column by column, checking what every source must satisfy.
struct Builder {
    names: Vec<String>,
    values: Vec<Vec<f64>>,
}

impl Builder {
    fn new(names: Vec<String>) -> Self {
        let values = vec![Vec::new(); names.len()];
        Self { names, values }
    }

    fn push(&mut self, line: u64, i: usize, value: f64) -> Result<(), TraceError> {
        if !value.is_finite() {
            return Err(TraceError::NotFinite {
                line,
                column: i + 1,
                name: self.names[i].clone(),
                value,
            });
        }
        if i == 0
            && let Some(&previous) = self.values[0].last()
            && value <= previous
        {
            return Err(TraceError::TimeNotIncreasing {
                line,
                previous,
                found: value,
            });
        }
        self.values[i].push(value);
        Ok(())
    }

    fn finish(mut self) -> Result<TargetTraces, TraceError> {
        if self.values.len() < 2 || self.values[0].is_empty() {
            return Err(TraceError::Empty { missing: "data" });
        }
        let time_ms = self.values.remove(0);
        self.names.remove(0);
        Ok(TargetTraces {
            time_ms,
            names: self.names,
            columns: self.values,
        })
    }
}

fn from_arrays(arrays: &Arrays) -> Result<TargetTraces, TraceError> {
    let time_name = TIME_NAMES
        .iter()
        .find(|n| arrays.get(**n).is_some_and(|a| a.ndim() == 1));
    let Some(&time_name) = time_name else {
        return Err(TraceError::NoTimeAxis {
            found: arrays.keys().cloned().collect(),
        });
    };
    let time = &arrays[time_name];
    let mut columns: Vec<(String, Vec<f64>)> = vec![(time_name.to_owned(), time.iter().copied().collect())];
    for (name, array) in arrays.iter().filter(|(n, _)| *n != time_name) {
        if !(1..=2).contains(&array.ndim()) || array.shape()[0] != time.len() {
            return Err(TraceError::Shape {
                name: name.clone(),
                shape: array.shape().to_vec(),
                expected: format!("{} rows, like `{time_name}`, in one or two dimensions", time.len()),
            });
        }
        if array.ndim() == 1 {
            columns.push((name.clone(), array.iter().copied().collect()));
        } else {
            let lanes = array.axis_iter(Axis(1)).enumerate();
            columns.extend(lanes.map(|(k, lane)| (format!("{name}[{k}]"), lane.iter().copied().collect())));
        }
    }
    build_columns(columns)
}

fn from_matrix(array: ArrayD<f64>) -> Result<TargetTraces, TraceError> {
    let shape = array.shape().to_vec();
    let matrix = array.into_dimensionality::<Ix2>().map_err(|_| TraceError::Shape {
        name: "array".to_owned(),
        shape,
        expected: "two dimensions: one row per time, the time in the first column".to_owned(),
    })?;
    let name = |k: usize| {
        if k == 0 {
            "t_ms".to_owned()
        } else {
            format!("column {k}")
        }
    };
    build_columns(
        matrix
            .columns()
            .into_iter()
            .enumerate()
            .map(|(k, c)| (name(k), c.to_vec()))
            .collect(),
    )
}

fn build_columns(columns: Vec<(String, Vec<f64>)>) -> Result<TargetTraces, TraceError> {
    let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let mut build = Builder::new(names);
    for (i, column) in values.into_iter().enumerate() {
        for (line, value) in (1u64..).zip(column) {
            build.push(line, i, value)?;
        }
    }
    build.finish()
}

#[cfg(test)]
mod tests;
