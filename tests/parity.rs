//! Forward parity (issue 3, acceptance 2): mechanisms compiled by graddiff and by the simulators' own compilers compute
//! the same. The scripts in `parity/` run both, compare, and print one row per mechanism; on any folder by hand.

#![expect(clippy::print_stdout, reason = "the rows are the result: shown by --nocapture")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Issue 3, acceptance 2.
const TOLERANCE_ARBOR: f64 = 1e-9;
const TOLERANCE_NEURON: f64 = 1e-6;
/// Issue 6, acceptance 4.
const TOLERANCE_EMITTED: f64 = 1e-6;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn python() -> PathBuf {
    let python = std::env::var_os("GRADDIFF_PYTHON").map_or(root().join(".venv/bin/python"), PathBuf::from);
    assert!(
        python.exists(),
        "no Python with Arbor and NEURON at {}: run tests/run, or set GRADDIFF_PYTHON",
        python.display()
    );
    python
}

/// The program, built as these tests are: cargo builds it only for the tests of its own package.
fn graddiff() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    let build = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "-p",
            "graddiff",
            "--bin",
            "graddiff",
            "--message-format=json",
        ])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    let text = String::from_utf8(build.stdout).expect("cargo writes UTF-8");
    assert!(
        build.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&build.stderr)
    );
    let mut executable = text.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).expect("one document a line");
        message["executable"].as_str().map(PathBuf::from)
    });
    executable.next_back().expect("cargo says what it has built")
}

/// Runs a script; its rows, as JSON. A disagreement fails the test with all it prints.
fn rows(script: &str, name: &str, arguments: &[&str]) -> Value {
    let json = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("parity-{name}.json"));
    let output = Command::new(python())
        .arg(root().join("tests/parity").join(script))
        .arg("--graddiff")
        .arg(graddiff())
        .arg("--json")
        .arg(&json)
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("Python starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    println!("{printed}");
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&std::fs::read_to_string(json).expect("the script has written it")).expect("JSON")
}

fn names(value: &Value, key: &str) -> Vec<String> {
    let rows = value.as_array().expect("a list");
    rows.iter()
        .map(|row| row[key].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn the_library_follows_arbors_compiler() {
    let report = rows("with_arbor.py", "library", &["mechanisms", "tests/mod"]);
    let [library, fixtures] = report.as_array().map(Vec::as_slice).expect("folders") else {
        unreachable!("one report a folder")
    };
    // r1 is solved by euler; the fixtures have TABLE, derivimplicit, and SOLVEs that modcc does not take
    assert_eq!(library["refused"], serde_json::json!(["r1"]));
    assert!(
        fixtures["rows"].as_array().is_some_and(|rows| rows.len() >= 2),
        "{fixtures}"
    );
    let compared = names(&library["rows"], "mechanism");
    for kind in [
        "ca_pool",
        "expsyn",
        "gap",
        "hh",
        "na_markov",
        "nernst",
        "ou_noise",
        "v_clamp",
        "hh_homeo",
    ] {
        assert!(compared.iter().any(|name| name == kind), "{kind} is not compared");
    }
    let all = library["rows"]
        .as_array()
        .into_iter()
        .chain(fixtures["rows"].as_array())
        .flatten();
    for row in all {
        let error = row["simd"]["error"].as_f64().or(row["scalar"]["error"].as_f64());
        assert!(error.is_some_and(|e| e <= TOLERANCE_ARBOR), "{row}");
    }
}

#[test]
fn the_hosts_mechanisms_follow_arbors_compiler() {
    let report = rows("with_arbor.py", "mechanics", &["host-shim/tests/mechanics"]);
    assert_eq!(report[0]["refused"], serde_json::json!([]));
    assert_eq!(names(&report[0]["rows"], "mechanism").len(), 16);
}

#[test]
fn neurons_mechanisms_follow_neuron() {
    let report = rows("with_neuron.py", "neuron", &[]);
    let cases = report.as_array().expect("a list");
    assert!(cases.len() >= 11, "{} cases", cases.len());
    for case in cases {
        let errors = case["errors"].as_object().expect("by trace");
        assert!(
            errors
                .values()
                .all(|e| e.as_f64().is_some_and(|e| e <= TOLERANCE_NEURON)),
            "{case}"
        );
    }
}

/// Issue 6, acceptance 4: every mechanism written for Arbor passes its compiler and runs with the original's voltages.
#[test]
fn what_is_emitted_for_arbor_runs_as_the_original() {
    let report = rows("emitted_in_arbor.py", "emitted-arbor", &["mechanisms", "tests/mod"]);
    let compared = names(&report["rows"], "mechanism");
    assert_eq!(
        compared.len(),
        mod_files("mechanisms") + mod_files("tests/mod"),
        "all of them"
    );
    for row in report["rows"].as_array().into_iter().flatten() {
        assert!(row["error"].as_f64().is_some_and(|e| e <= TOLERANCE_EMITTED), "{row}");
        assert_eq!(row["acts"], true, "{row}");
    }
    // euler; the fixtures have TABLE, derivimplicit, and what modcc does not take besides
    let refused: Vec<&str> = report["refused"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(refused, ["branchy", "nonlinear_coupled", "pursuer", "r1", "two_solves"]);
}

/// The same in NEURON, save for what it has no words for; that is refused.
#[test]
fn what_is_emitted_for_neuron_runs_as_the_original() {
    let report = rows("emitted_in_neuron.py", "emitted-neuron", &["mechanisms", "tests/mod"]);
    let refused: Vec<&String> = report["refused"]
        .as_object()
        .into_iter()
        .flat_map(|o| o.keys())
        .collect();
    assert_eq!(refused, ["hh_homeo", "nernst", "ou_noise", "pursuer", "v_clamp"]);
    let compared = names(&report["rows"], "mechanism");
    assert_eq!(
        compared.len() + refused.len(),
        mod_files("mechanisms") + mod_files("tests/mod"),
        "all of them"
    );
    for row in report["rows"].as_array().into_iter().flatten() {
        assert_eq!(row["good"], true, "{row}");
    }
}

/// Issue 6, acceptance 1: u by the `clone` carrier at four steps. The script asks for at most 1 % at the last, and for
/// errors that at least halve.
fn clones(script: &str, name: &str, slots: usize) {
    let report = rows(script, name, &[]);
    let rows = report["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), slots);
    for row in rows {
        let errors: Vec<f64> = row["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .collect();
        assert_eq!(errors.len(), 4, "{row}");
        assert!(
            errors[3] <= 0.01 && errors.windows(2).all(|pair| pair[1] <= 0.55 * pair[0]),
            "{row}"
        );
    }
}

#[test]
fn clones_carry_sensitivities_in_arbor() {
    clones("clone_in_arbor.py", "clone-arbor", 3);
}

#[test]
fn clones_carry_sensitivities_in_neuron() {
    clones("clone_in_neuron.py", "clone-neuron", 4);
}

/// Issue 6, acceptance 1: u by the `diffusion` carrier. The scripts ask on a uniform cable for errors that fall with the
/// step, and on a tree for errors that stay above what the warning in the files tells of.
fn diffusion(script: &str, name: &str, least: f64) {
    let report = rows(script, name, &[]);
    assert_eq!(report["least"].as_f64(), Some(least));
    let rows = report["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), 9, "three cells, three slots");
    for row in rows {
        let errors: Vec<f64> = row["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .collect();
        assert_eq!(errors.len(), 4, "{row}");
        let good = match row["cell"].as_str() {
            Some("uniform") => errors[3] <= 0.01 && errors.windows(2).all(|pair| pair[1] <= 0.65 * pair[0]),
            Some("spiking") => errors.windows(2).all(|pair| pair[1] <= 0.65 * pair[0]),
            Some("branched") => errors.iter().all(|&e| e > least) && errors[3] > 0.9 * errors[2],
            _ => false,
        };
        assert!(good, "{row}");
    }
}

#[test]
fn diffusion_carries_sensitivities_roughly_in_arbor() {
    diffusion("diffusion_in_arbor.py", "diffusion-arbor", 0.05);
}

#[test]
fn diffusion_carries_sensitivities_roughly_in_neuron() {
    diffusion("diffusion_in_neuron.py", "diffusion-neuron", 0.01);
}

/// How many .mod files there are below a folder.
fn mod_files(folder: &str) -> usize {
    let mut count = 0;
    let mut todo = vec![root().join(folder)];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "mod") {
                count += 1;
            }
        }
    }
    count
}

/// Issue 5, 3: the law in NMODL, in simulators that nobody controls.
#[test]
fn cells_control_themselves_in_unmodified_simulators() {
    let report = rows("controlled.py", "controlled", &[]);
    let all = report.as_array().expect("a list");
    let simulators = names(&report, "simulator");
    assert_eq!(simulators, ["arbor", "neuron", "arbor", "neuron"]);
    for row in all {
        let moved = row["moved"].as_array().expect("a list");
        assert!(
            moved.iter().all(|m| m.as_f64().is_some_and(|m| m > 1e-3)),
            "hardly moved: {row}"
        );
    }
}
