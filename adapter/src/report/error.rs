//! What can go wrong between a result and its file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::npz::NpzError;
use super::traces::TraceError;

/// What was being done to a file when the operating system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Making a folder.
    CreateDir,
    /// Opening or reading.
    Read,
    /// Making the temporary file beside the target.
    CreateTemporary,
    /// Writing the contents.
    Write,
    /// Flushing to the device.
    Sync,
    /// Moving the temporary file over the target.
    Rename,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::CreateDir => "create folder",
            Operation::Read => "read",
            Operation::CreateTemporary => "create a temporary file for",
            Operation::Write => "write",
            Operation::Sync => "flush to disk",
            Operation::Rename => "replace",
        })
    }
}

/// An environment failure or a file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused; `source` has its words (disk full, permission, no such folder).
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was attempted.
        operation: Operation,
        /// The file or folder the caller named, never the temporary one.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A `.npz` or `.npy` file could not be encoded or decoded.
    #[error("bad array file {}", path.display())]
    Npz {
        /// The file.
        path: PathBuf,
        /// Which array, and why.
        source: NpzError,
    },
    /// A target trace file does not hold usable traces.
    #[error("bad trace file {}", path.display())]
    Traces {
        /// The file.
        path: PathBuf,
        /// Where in the file, and why.
        source: TraceError,
    },
    /// A manifest could not be encoded or decoded.
    #[error("bad JSON in {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Position and reason.
        source: serde_json::Error,
    },
    /// The drawing library failed; this does not depend on the data and is a bug of ours.
    #[error("cannot draw a {} picture: {reason}", format)]
    Drawing {
        /// `SVG` or `PNG`.
        format: &'static str,
        /// The library's words.
        reason: String,
    },
}

impl Error {
    pub(super) fn io(operation: Operation, path: &Path, source: io::Error) -> Self {
        Error::Io {
            operation,
            path: path.to_path_buf(),
            source,
        }
    }
}
