//! Laws inside mechanisms on the command line: `build` and `emit` with `--objective`, `run --host arbor`.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::path::Path;
use std::process::{Command, Output};

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn graddiff(arguments: &str, folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    command.args(arguments.split_whitespace()).current_dir(folder);
    let python = std::env::var_os("GRADDIFF_PYTHON").unwrap_or(repository().join(".venv/bin/python").into());
    command.env("GRADDIFF_PYTHON", python).output().unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let examples = repository().join("examples/homeostasis");
    for name in ["setpoint.mod", "hh_adapt.mod"] {
        std::fs::copy(examples.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn objectives_that_cannot_be_are_refused_with_a_way_out() {
    let folder = folder();
    let emit = "emit setpoint.mod hh_adapt.mod --to c -o out";
    for (options, says) in [
        ("--wrt el --objective e", "not of the form MECH.STATE"),
        (
            "--wrt setpoint.el --objective setpoint.f",
            "name one of: setpoint.e, hh_adapt.m",
        ),
        (
            "--wrt setpoint.el,hh_adapt.gk --objective setpoint.e",
            "`gk` moves another mechanism than `setpoint`",
        ),
        ("--objective setpoint.e", "--wrt"),
    ] {
        let done = graddiff(&format!("{emit} {options}"), folder.path());
        let told = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{options}: {told}");
        assert!(told.contains(says), "{options}: {told}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_catalogue_with_a_law_says_what_is_painted() {
    let folder = folder();
    let build = "build setpoint.mod --wrt el,g --objective setpoint.e -o own-catalogue.so";
    let done = graddiff(build, folder.path());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let listed = graddiff("inspect own-catalogue.so --json", folder.path());
    let text = String::from_utf8(listed.stdout).unwrap();
    for name in [
        "gd__gain_el",
        "gd__start_g",
        "gd__clip",
        "gd__begin",
        "gd__theta_el",
        "gd__now_g",
    ] {
        assert!(text.contains(&format!("\"{name}\"")), "{name} is not in {text}");
    }
}

/// A law inside the mechanism needs nobody's help, so nobody can disturb the cell either.
#[test]
fn a_law_in_the_mechanism_runs_in_arbor_undisturbed() {
    let folder = folder();
    let example = repository().join("examples/homeostasis/within.json");
    let mut experiment: serde_json::Value = serde_json::from_slice(&std::fs::read(example).unwrap()).unwrap();
    experiment["simulation"]["duration_ms"] = 200.into();
    experiment["control"]["start_ms"] = 50.into();
    let write = |name: &str, experiment: &serde_json::Value| {
        std::fs::write(folder.path().join(name), experiment.to_string()).unwrap();
    };
    write("within.json", &experiment);
    let block = serde_json::json!({ "mechanism": "hh_adapt", "parameter": "gk", "factor": 0.7 });
    experiment["perturbations"] = serde_json::json!([{ "at_ms": 100, "change": { "parameter": block } }]);
    write("disturbed.json", &experiment);
    let refused = graddiff("run disturbed.json --host arbor -o out", folder.path());
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("takes no perturbations"), "{told}");

    let run = |host: &str| {
        let done = graddiff(
            &format!("--json run within.json --host {host} -o {host}"),
            folder.path(),
        );
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert!(folder.path().join(host).join("control.png").exists());
        told["slots"]["drive"].as_f64().unwrap()
    };
    let (arbor, shim) = (run("arbor"), run("shim"));
    // the shim's last row is the end of the run, Arbor's a sample before it
    assert!(
        (arbor - shim).abs() < 0.02 * shim && (arbor - 1.5).abs() > 1e-4,
        "{arbor} {shim}"
    );
}
