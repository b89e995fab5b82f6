//! Instructions that a step takes, counted by valgrind's callgrind: the regression gate of speed. Unlike time they do not
//! depend on what else the machine does; the kernels are built for one fixed processor (x86-64-v3, which valgrind knows),
//! so they depend on it little.
//!
//! valgrind runs this very program with the one test [`work`], which takes two numbers of steps; the difference, per step
//! and control volume, holds nothing of starting, reading and building. `tests/instructions.txt` holds the accepted
//! counts: more than 10 % above fails, and so does more than 10 % below, until `UPDATE_EXPECT=1` accepts the gain. Compilers
//! differ: the counts in the repository are those of gcc 12.2.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use graddiff::hosts::ShimHost;
use graddiff::plan::{Plan, Variant};

/// Experiment, steps, variant for [`work`]: `NAME STEPS plain|tangent`.
const WHAT: &str = "GRADDIFF_INSTRUCTIONS";
/// Change that passes.
const TOLERANCE: f64 = 0.1;
/// Steps of the two runs whose difference counts.
const STEPS: [u32; 2] = [20, 60];
/// Names of the experiments in `tests/instructions/`, and which variants of each are counted.
const WORKS: [(&str, &[&str]); 3] = [
    ("cable-3", &["plain", "tangent"]),
    ("cable-12", &["tangent"]),
    ("olive-12", &["plain", "tangent"]),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("instructions")
}

/// Stands in for the C compiler: kernels for a processor that valgrind 3.19 knows (AVX2, no AVX-512), each text compiled
/// once. graddiff's own `-march=native` comes behind `CC` and would win over a flag there.
fn compiler() -> PathBuf {
    let real = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let script = format!(
        "#!/bin/sh
set -e
for word do
    shift
    case $word in
    -march=native) word=-march=x86-64-v3 ;;
    -DGD_MADE=*) part=$word ;;
    *.c) kept={folder}/$(cksum <$word | tr ' ' -)$part ;;
    esac
    [ \"$before\" != -o ] || out=$word
    before=$word
    set -- \"$@\" \"$word\"
done
[ \"$kept\" ] || exec {real} \"$@\"
[ -f \"$kept\" ] || {{ {real} \"$@\" && cp \"$out\" \"$kept.$$\" && mv \"$kept.$$\" \"$kept\"; }}
cp \"$kept\" \"$out\"
",
        folder = scratch().display()
    );
    let path = scratch().join("cc");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

fn plan(name: &str) -> Plan {
    Plan::load(&repository().join(format!("tests/instructions/{name}.json"))).unwrap()
}

/// A run of one experiment; what valgrind counts. Without [`WHAT`] a short one of the smallest, so that it is tested alone.
#[test]
fn work() {
    let what = std::env::var(WHAT).unwrap_or_else(|_| "cable-3 5 tangent".into());
    let words: Vec<&str> = what.split(' ').collect();
    let [name, steps, variant] = words[..] else {
        panic!("{WHAT}={what} is not `NAME STEPS plain|tangent`")
    };
    let plan = plan(name);
    let path = scratch().join(format!("{name}-{}-catalogue.so", std::process::id()));
    std::fs::create_dir_all(scratch()).unwrap();
    let mut host = ShimHost::new(&plan, &path).unwrap();
    let variant = if variant == "plain" {
        Variant::Plain
    } else {
        Variant::Augmented
    };
    let steps: u32 = steps.parse().unwrap();
    let timing = host
        .time(
            &plan.values(),
            f64::from(steps) * plan.experiment.simulation.dt_ms,
            variant,
        )
        .unwrap();
    assert_eq!(timing.steps, steps as usize, "{name}");
    assert!(
        timing.loss.is_finite() && timing.gradient.iter().all(|g| g.is_finite()),
        "{name}"
    );
    let _ = std::fs::remove_file(path);
}

/// All instructions of a run of `work`.
fn instructions(compiler: &Path, what: &str) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "work", "--test-threads=1"])
        .env(WHAT, what)
        .env("CC", compiler)
        // idle threads look for work, and that would count
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap_or_else(|e| panic!("valgrind does not start ({e}): this check needs it; Debian: apt install valgrind"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{what}:\n{stdout}\n{stderr}"
    );
    let line = stderr.lines().find_map(|l| l.split_once("Collected :"));
    let count = line.and_then(|(_, count)| count.trim().parse().ok());
    count.unwrap_or_else(|| panic!("callgrind tells no count:\n{stderr}"))
}

/// Per step and control volume.
fn measured() -> Vec<(String, f64)> {
    let _ = std::fs::remove_dir_all(scratch());
    std::fs::create_dir_all(scratch()).unwrap();
    let compiler = compiler();
    let mut counts = Vec::new();
    for (name, variants) in WORKS {
        let cvs: usize = plan(name).cells.iter().map(|c| c.discretisation.n_cvs()).sum();
        for variant in variants {
            let run = |steps: u32| instructions(&compiler, &format!("{name} {steps} {variant}"));
            let [short, long] = STEPS.map(run);
            let per_step = (long - short) / f64::from(STEPS[1] - STEPS[0]);
            counts.push((format!("{name} {variant}"), per_step / cvs as f64));
        }
    }
    counts
}

/// What the counts say against the accepted ones: a message for each that moved too far, and for each that has none.
fn moved(golden: &str, counts: &[(String, f64)]) -> Vec<String> {
    let accepted = |work: &str| -> Option<f64> {
        let line = golden.lines().find_map(|l| l.strip_prefix(work)?.strip_prefix(':'));
        line?.trim().parse().ok()
    };
    let judge = |(work, count): &(String, f64)| match accepted(work) {
        None => Some(format!(
            "{work}: {count:.1}, and none accepted yet; UPDATE_EXPECT=1 accepts it"
        )),
        Some(before) if *count > before * (1.0 + TOLERANCE) => Some(format!(
            "{work}: {count:.1} instructions per CV-step, {before:.1} accepted: slower"
        )),
        Some(before) if *count < before * (1.0 - TOLERANCE) => Some(format!(
            "{work}: {count:.1} instructions per CV-step, {before:.1} accepted: faster; UPDATE_EXPECT=1 keeps the gain"
        )),
        Some(_) => None,
    };
    counts.iter().filter_map(judge).collect()
}

#[test]
fn steps_take_no_more_instructions_than_accepted() {
    let path = repository().join("tests/instructions.txt");
    let counts = measured();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let mut text = String::from("# Instructions per control volume and step; see tests/instructions.rs.\n");
        for (work, count) in &counts {
            writeln!(text, "{work}: {count:.1}").unwrap();
        }
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let found = moved(&golden, &counts);
    assert!(found.is_empty(), "{}\nnow:\n{counts:#?}", found.join("\n"));
}

/// The gate closes in both directions, and does not open for a work that it does not know.
#[test]
fn changes_beyond_the_tolerance_are_told() {
    let golden = "# comment\na plain: 100.0\na tangent: 50\n";
    let told = |work: &str, count: f64| moved(golden, &[(work.to_owned(), count)]).len();
    assert_eq!(
        [told("a plain", 109.0), told("a plain", 91.0), told("a tangent", 50.0)],
        [0, 0, 0]
    );
    assert_eq!(
        [told("a plain", 111.0), told("a plain", 89.0), told("a tangent", 60.0)],
        [1, 1, 1]
    );
    assert_eq!([told("a", 100.0), told("b plain", 100.0)], [1, 1]);
}
