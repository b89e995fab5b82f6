//! C to shared object: the one place of this crate that runs a program and touches files.
//!
//! Large texts are compiled in parts, as many at a time as there are processors. Which parts depends on the text alone.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::catalogue::PART;

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
const FLAGS: [&str; 9] = [
    "-std=c11",
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-fvisibility=hidden",
    "-Wall",
    "-Wno-unknown-pragmas",
];

/// Characters that are worth a process of their own: each reads what precedes the parts again.
const SHARE: usize = 40_000;

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
    let objects: Vec<(PathBuf, u64)> = (shares(c_source).into_iter().enumerate())
        .map(|(k, parts)| (part(&format!(".{k}.o")), parts))
        .collect();
    let result = compile(&c_path, &objects, &so_path);
    for (object, _) in &objects {
        // one that failed may not be there
        let _ = std::fs::remove_file(object);
    }
    let cleaned = std::fs::remove_file(&c_path);
    if let Err(error) = result {
        // the object, if any, is useless; the compiler's message matters more than a failed clean-up
        let _ = std::fs::remove_file(&so_path);
        return Err(error);
    }
    cleaned.map_err(io(&c_path))?;
    std::fs::rename(&so_path, output).map_err(io(output))
}

/// Which parts of a text go to which process, by bits; nothing if it is not worth more than one.
fn shares(c_source: &str) -> Vec<u64> {
    let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
    for text in c_source.split(PART).skip(1) {
        let number = text.split(' ').next().and_then(|n| n.parse().ok());
        let Some(number) = number.filter(|&n: &u32| n < 64) else {
            return Vec::new();
        };
        *sizes.entry(number).or_default() += text.len();
    }
    let count = (sizes.values().sum::<usize>() / SHARE).min(sizes.len());
    if count < 2 {
        return Vec::new();
    }
    // the largest first, each to who has least
    let mut sizes: Vec<(u32, usize)> = sizes.into_iter().collect();
    sizes.sort_by_key(|&(_, size)| Reverse(size));
    let mut shares = vec![(0, 0); count];
    for (number, size) in sizes {
        if let Some((held, parts)) = shares.iter_mut().min_by_key(|(held, _)| *held) {
            *held += size;
            *parts |= 1 << number;
        }
    }
    shares.into_iter().map(|(_, parts)| parts).collect()
}

fn compile(c_path: &Path, objects: &[(PathBuf, u64)], so_path: &Path) -> Result<(), BuildError> {
    if objects.is_empty() {
        return run(|process| process.arg("-shared").arg("-o").arg(so_path).arg(c_path).arg("-lm"));
    }
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((object, parts)) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
            run(|process| {
                let parts = format!("-DGD_MADE={parts}ull");
                process.args(["-c", &parts, "-o"]).arg(object).arg(c_path)
            })?;
        }
        Ok(())
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors.min(objects.len())).map(|_| scope.spawn(work)).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| worker.join().unwrap_or_else(|e| resume_unwind(e));
        workers.into_iter().map(join).collect::<Result<Vec<()>, _>>()
    })?;
    run(|process| {
        let objects = objects.iter().map(|(object, _)| object);
        process.arg("-shared").arg("-o").arg(so_path).args(objects).arg("-lm")
    })
}

/// Runs the C compiler with some more words.
fn run(more: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), BuildError> {
    let command = compiler_command();
    let mut words = command.split_whitespace();
    let mut process = Command::new(words.next().unwrap_or("cc"));
    process.args(words).args(FLAGS);
    if cfg!(target_arch = "x86_64") {
        process.arg("-march=native");
    }
    more(&mut process);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sizes: &[usize]) -> String {
        let part = |(k, &size): (usize, &usize)| format!("{PART}{k} & 1\n{}\n#endif\n", "x".repeat(size));
        sizes.iter().enumerate().map(part).collect()
    }

    #[test]
    fn every_part_is_compiled_once_and_shares_are_even() {
        for (sizes, expected) in [
            (vec![SHARE, SHARE], vec![0b01, 0b10]),
            (vec![SHARE / 2; 4], vec![0b0101, 0b1010]),
            (vec![SHARE / 2, SHARE, SHARE / 2], vec![0b010, 0b101]),
            (vec![SHARE / 3; 3], Vec::new()),
            (Vec::new(), Vec::new()),
        ] {
            assert_eq!(shares(&text(&sizes)), expected, "{sizes:?}");
        }
    }
}
