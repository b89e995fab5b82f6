//! Steps of a catalogue with sensitivities under valgrind's memory check: the host's arrays, the emitted kernels, the
//! carrier's trees.
//!
//! valgrind runs this very program again, with the one test [`steps`]. Its processor knows no AVX-512, so the catalogue
//! is built without.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use graddiff::control::Model;
use graddiff::hosts::ShimHost;
use graddiff::plan::Plan;

/// Says what to break in the catalogue that [`steps`] runs, so that valgrind has something to find.
const SPOIL: &str = "GRADDIFF_VALGRIND_SPOIL";
/// valgrind's exit code if it found an error; no Rust test ends with it.
const FOUND: i32 = 9;
/// Experiments that together have forks of both kinds, two cells in a group, partial cover, and every kind of kernel.
const EXPERIMENTS: [&str; 4] = [
    "two-cells-root-fork",
    "overlapping-channels",
    "explicit-painted",
    "nonlinear-coupled",
];
const STEPS: f64 = 8.0;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the kernels read and write beyond their instances, if [`SPOIL`] asks for it. The host pads its arrays, so the
/// error must be larger than the padding.
fn spoil(c_source: &mut String) {
    let honest = "memcpy(pp->state_vars[GD_V_PREV] + begin, v, n * sizeof(double));";
    assert!(
        c_source.contains(honest),
        "the carrier has changed; adapt the spoilt line"
    );
    let spoilt = match std::env::var(SPOIL).as_deref() {
        Ok("overrun") => format!(
            "{honest} for (uint32_t i = 0; i < n + 100000u; ++i) {{ const double volatile x = pp->vec_v[begin + i]; (void)x; }}"
        ),
        Ok("uninitialised") => {
            format!(
                "{honest} {{ double* volatile p = malloc(8); if (*p > 1) pp->state_vars[GD_V_PREV][0] += 1; free(p); }}"
            )
        }
        Ok(other) => panic!("{SPOIL} has no meaning for {other}"),
        Err(_) => return,
    };
    *c_source = c_source.replace(honest, &spoilt);
}

/// A few steps of each experiment, plain and with sensitivities in both layouts; a test of its own, and valgrind's.
#[test]
fn steps() {
    // One is enough to find what was put there to be found.
    let count = if std::env::var_os(SPOIL).is_some() {
        1
    } else {
        EXPERIMENTS.len()
    };
    for name in &EXPERIMENTS[..count] {
        let mut plan = Plan::load(&repository().join(format!("tests/experiments/{name}.json"))).unwrap();
        spoil(&mut plan.compiled.c_source);
        plan.compiled.c_in_rows.iter_mut().for_each(spoil);
        let mut columns = plan.clone();
        let in_rows = columns.compiled.c_in_rows.take().is_some();
        for plan in [&columns, &plan].into_iter().take(1 + usize::from(in_rows)) {
            let path = folder().join(format!("{name}-{}-catalogue.so", std::process::id()));
            let mut host = ShimHost::new(plan, &path).unwrap();
            std::fs::remove_file(path).unwrap();
            let end_ms = STEPS * plan.experiment.simulation.dt_ms;
            let plain = host.simulate(&plan.values(), end_ms, false).unwrap();
            let tangent = host.simulate(&plan.values(), end_ms, true).unwrap();
            assert_eq!(plain.values, tangent.values, "{name}");
            assert!(tangent.sens.iter().all(|u| u.is_finite()), "{name}");
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

fn valgrind(spoil: Option<&str>) -> Output {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--leak-check=no", "--track-origins=no"])
        .arg(format!("--error-exitcode={FOUND}"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "steps", "--test-threads=1", "--nocapture"])
        .env(
            "CC",
            if cfg!(target_arch = "x86_64") {
                format!("{compiler} -mno-avx512f")
            } else {
                compiler
            },
        )
        .env_remove(SPOIL);
    if let Some(what) = spoil {
        command.env(SPOIL, what);
    }
    command
        .output()
        .unwrap_or_else(|e| panic!("valgrind does not start ({e}): this check needs it; Debian: apt install valgrind"))
}

#[test]
fn valgrind_finds_nothing_in_our_steps() {
    let output = valgrind(None);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "valgrind ran no test:\n{stdout}\n{stderr}");
}

/// The check above can fail: it sees a kernel that leaves its arrays, and a decision on memory that nobody wrote.
#[test]
fn valgrind_finds_spoilt_kernels() {
    for (what, report) in [("overrun", "Invalid read"), ("uninitialised", "uninitialised value")] {
        let output = valgrind(Some(what));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(report), "{what}:\n{stderr}");
        // An overrun may also end the process before valgrind can.
        assert_ne!(output.status.code(), Some(0), "{what}:\n{stderr}");
    }
}
