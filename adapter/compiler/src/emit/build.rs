//! C to shared object: the one place of this crate that runs a program and touches files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why there is no shared object.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The C compiler could not be started.
    #[error("cannot run the C compiler `{compiler}`; install gcc or clang, or set CC")]
    NoCompiler {
        /// What was tried.
        compiler: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The C compiler rejected our text: a bug of ours, or a broken installation.
    #[error("`{command}` failed with {status}:\n{stderr}")]
    Compiler {
        /// The command line.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// A file could not be written.
    #[error("cannot write {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Flags besides the optimisation level. Contraction into fused multiply-adds is off so that a mechanism gives the same
/// voltages with and without sensitivities, whatever the compiler; `errno` and traps are off because nobody looks and
/// they forbid vectorisation. None of these changes a result, unlike `-ffast-math`.
const FLAGS: [&str; 10] = [
    "-std=c11",
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-Wall",
    "-Wno-unknown-pragmas",
];

/// Builds so far, so that threads which build the same file do not share its parts.
static BUILDS: AtomicU64 = AtomicU64::new(0);

/// The compiler's command: `CC`, or `cc`.
pub fn compiler_command() -> String {
    std::env::var("CC")
        .ok()
        .filter(|c| !c.trim().is_empty())
        .unwrap_or_else(|| "cc".into())
}

/// Compiles `c_source` to the shared object `output`, for the machine it runs on. The object appears complete or not at
/// all.
///
/// # Errors
/// [`BuildError`] if the compiler is missing or fails, or a file cannot be written.
pub fn build(c_source: &str, output: &Path) -> Result<(), BuildError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| BuildError::Io { path, source }
    };
    let folder = output
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    let stem = output
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (process, build) = (std::process::id(), BUILDS.fetch_add(1, Ordering::Relaxed));
    let part = |suffix: &str| folder.join(format!(".{stem}.{process}-{build}{suffix}"));
    let (c_path, so_path) = (part(".c"), part(".so"));
    std::fs::write(&c_path, c_source).map_err(io(&c_path))?;
    let result = run(&c_path, &so_path);
    let cleaned = std::fs::remove_file(&c_path);
    if let Err(error) = result {
        // the object, if any, is useless; the compiler's message matters more than a failed clean-up
        let _ = std::fs::remove_file(&so_path);
        return Err(error);
    }
    cleaned.map_err(io(&c_path))?;
    std::fs::rename(&so_path, output).map_err(io(output))
}

fn run(c_path: &Path, so_path: &Path) -> Result<(), BuildError> {
    let command = compiler_command();
    let mut words = command.split_whitespace();
    let mut process = Command::new(words.next().unwrap_or("cc"));
    process.args(words).args(FLAGS);
    if cfg!(target_arch = "x86_64") {
        process.arg("-march=native");
    }
    process.arg("-o").arg(so_path).arg(c_path).arg("-lm");
    let output = process.output().map_err(|source| BuildError::NoCompiler {
        compiler: command.clone(),
        source,
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(BuildError::Compiler {
        command: format!("{process:?}"),
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
