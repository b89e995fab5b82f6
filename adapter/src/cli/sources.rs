//! Text files from the user: read whole, bounded, UTF-8.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use compiler::syntax::include::expand;
use compiler::{Diagnostic, FileDiagnostic, Source};

use super::{ExitStatus, Failure};

/// Longest `.mod` file read, bytes. The largest on ModelDB are a few hundred kilobytes.
pub const MAX_MOD_BYTES: u64 = 4 << 20;

/// Why a text file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Longer than any file of its kind.
    #[error("{} is longer than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes that would have been read.
        limit: u64,
    },
    /// Bytes that are no text.
    #[error("{}:{line}:{column}: byte 0x{byte:02x} is not UTF-8 text", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
        /// The byte.
        byte: u8,
    },
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let (status, help) = match &error {
            ReadError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => (
                ExitStatus::Environment,
                "check the spelling and the folder you are in".into(),
            ),
            ReadError::Io { .. } => (ExitStatus::Environment, "name a regular file that you may read".into()),
            ReadError::TooLarge { .. } => (ExitStatus::Rejected, "check that this is the file you mean".into()),
            ReadError::NotUtf8 { path, .. } => (
                ExitStatus::Rejected,
                format!(
                    "if it is an older text file, convert it: iconv -f latin1 -t utf-8 {0} > new && mv new {0}",
                    path.display()
                ),
            ),
        };
        Self::new(status, error, help)
    }
}

/// The text of `path`, which has at most `limit` bytes. Never reads more than that, whatever the file is.
///
/// # Errors
/// A [`ReadError`].
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    let io_error = |source| ReadError::Io {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io_error)?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(ReadError::TooLarge {
            path: path.into(),
            limit,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let (good, bad) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let good = String::from_utf8_lossy(good);
        let (line, column) = compiler::diagnostic::line_col(&good, good.len());
        ReadError::NotUtf8 {
            path: path.into(),
            line,
            column,
            byte: bad.first().copied().unwrap_or_default(),
        }
    })
}

/// Mechanisms as read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mods {
    /// Their sources, named by their paths, with what they INCLUDE.
    pub sources: Vec<Source>,
    /// The INCLUDEs that failed.
    pub failures: Vec<FileDiagnostic>,
}

impl Mods {
    /// The INCLUDEs of one file that failed.
    pub fn failures_of(&self, file: usize) -> Vec<Diagnostic> {
        let own = self.failures.iter().filter(|(i, _)| *i == file);
        own.map(|(_, d)| d.clone()).collect()
    }
}

/// Mechanism sources and what they INCLUDE.
///
/// # Errors
/// The [`ReadError`] of the first file that cannot be read; a file that is only included is no error, but a diagnostic.
pub fn read_mods(paths: &[PathBuf]) -> Result<Mods, ReadError> {
    let mut mods = Mods::default();
    for (file, path) in paths.iter().enumerate() {
        let text = read_text(path, MAX_MOD_BYTES)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let expanded = expand(&text, |name| {
            read_text(&folder.join(name), MAX_MOD_BYTES).map_err(|error| match error {
                ReadError::Io { source, .. } => source.to_string(), // the diagnostic names the file
                ReadError::TooLarge { .. } | ReadError::NotUtf8 { .. } => error.to_string(),
            })
        });
        mods.failures.extend(expanded.failures.into_iter().map(|d| (file, d)));
        mods.sources.push(Source {
            name: path.display().to_string(),
            text: expanded.text,
        });
    }
    Ok(mods)
}
