//! Why a command could not do its job: the error, its exit code, and the next step.

use std::fmt::Write as _;

use compiler::CompileError;
use compiler::emit::build::BuildError;
use host_shim::LoadError;

use super::ExitStatus;
use crate::report;

/// An error on its way to the user. There is none without advice.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub status: ExitStatus,
    /// What went wrong, with its causes.
    pub error: anyhow::Error,
    /// What to do next.
    pub help: String,
}

impl Failure {
    /// `error`, which ends the command with `status`; `help` says what to do next.
    pub fn new(status: ExitStatus, error: impl Into<anyhow::Error>, help: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
            help: help.into(),
        }
    }

    /// A message of its own that ends the command with `status`.
    pub fn message(status: ExitStatus, message: impl std::fmt::Display, help: impl Into<String>) -> Self {
        Self::new(status, anyhow::anyhow!("{message}"), help)
    }

    /// The message, the chain of its causes, and the advice, one per line, without a final line feed.
    pub fn render(&self) -> String {
        let mut out = format!("error: {}", self.error.to_string().trim_end());
        for cause in self.error.chain().skip(1) {
            // what other programs said may end in a line feed of its own
            let _ = write!(out, "\n  because: {}", cause.to_string().trim_end());
        }
        let _ = write!(out, "\n  help: {}", self.help);
        out
    }
}

/// Gives any error an exit code and a next step: `parse(text).or_exit(ExitStatus::Rejected, "…")?`.
pub trait OrExit<T> {
    /// The value, or a [`Failure`].
    ///
    /// # Errors
    /// The error, as a [`Failure`] with this status and advice.
    fn or_exit(self, status: ExitStatus, help: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, status: ExitStatus, help: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(status, error, help))
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        use LoadError as E;
        let (status, help) = match &error {
            E::Read { .. } => (ExitStatus::Environment, "check the path and the permissions"),
            E::NotElf { .. } => (
                ExitStatus::Rejected,
                "name the .so file that `graddiff build` or `arbor-build-catalogue` wrote",
            ),
            E::Truncated { .. } => (ExitStatus::Rejected, "build or copy the catalogue again"),
            E::ForeignMachine { .. } => (ExitStatus::Rejected, "build the catalogue on this machine"),
            E::Open { .. } => (
                ExitStatus::Environment,
                "install what the dynamic linker misses, if that is the reason, or build the catalogue on this machine",
            ),
            E::Symbol { .. } => (
                ExitStatus::Rejected,
                "name a catalogue: NEURON's libnrnmech.so and ordinary libraries are none",
            ),
            E::AbiLevelMismatch { .. } => (
                ExitStatus::Rejected,
                "leave out --abi: a catalogue of graddiff says its level itself",
            ),
            E::InfoVersion { .. } | E::StructSize { .. } | E::UnknownAbiLevel { .. } => (
                ExitStatus::Rejected,
                "build the catalogue again with this version of graddiff",
            ),
            _ => (
                ExitStatus::Rejected,
                "the catalogue is damaged or of another ABI level: build it again, or, if Arbor 0.9 or 0.10 built it, try --abi 0.6",
            ),
        };
        Self::new(status, error, help)
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let help = match &error {
            BuildError::NoCompiler { .. } => {
                "Debian and Ubuntu: apt install gcc; macOS: xcode-select --install; or set CC to your compiler; then run `graddiff doctor`"
            }
            BuildError::Compiler { .. } => {
                "run `graddiff doctor`: if the compiler fails there too, repair it or set CC to another one; if not, please report this"
            }
            BuildError::Io { .. } => "check that the folder exists, is writable and has room",
        };
        Self::new(ExitStatus::Environment, error, help)
    }
}

impl From<CompileError> for Failure {
    fn from(error: CompileError) -> Self {
        let (status, help) = match &error {
            CompileError::Rejected(_) => (
                ExitStatus::Rejected,
                "correct the sources; `graddiff check FILE.mod` looks at them without building",
            ),
            CompileError::DuplicateMechanism { .. } => (
                ExitStatus::Rejected,
                "give one of them another SUFFIX, or leave one out: a catalogue holds each name once",
            ),
            CompileError::UnknownMechanism { .. } => {
                (ExitStatus::Usage, "add the mechanism's .mod file, or correct the name")
            }
            CompileError::DuplicateSlot { .. } => (ExitStatus::Usage, "rename one of the parameters, or leave one out"),
            CompileError::BadSlotName { .. } => (
                ExitStatus::Usage,
                "rename the mechanism or the parameter: the slot's name is made of both, and graddiff reserves `__`",
            ),
        };
        Self::new(status, error, help)
    }
}

impl From<report::Error> for Failure {
    fn from(error: report::Error) -> Self {
        use report::Error as E;
        let (status, help) = match &error {
            E::Io { .. } => (
                ExitStatus::Environment,
                "check the path, the permissions and the room on the disk",
            ),
            E::Npz { .. } | E::Traces { .. } | E::Json { .. } => {
                (ExitStatus::Rejected, "correct the file, or make it again")
            }
            E::Drawing { .. } => (
                ExitStatus::Bug,
                "please report this with the command and its input files",
            ),
        };
        Self::new(status, error, help)
    }
}
