//! The C++ example, built as a user would build it: installed header and library, the system's compiler. What it prints is
//! compared with what the command line says of the same experiment.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} failed\n{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// Installs into a scratch folder and compiles the example there.
fn example() -> PathBuf {
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix");
    done(
        Command::new(repository().join("host-shim/cxx/install"))
            .arg(&prefix)
            .arg("dev"),
    );
    let program = prefix.join("gradient");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    done(
        Command::new(compiler)
            .args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1", "-I"])
            .arg(prefix.join("include"))
            .arg(repository().join("host-shim/cxx/examples/gradient.cpp"))
            .arg("-L")
            .arg(prefix.join("lib"))
            .args(["-lgraddiff", "-lpthread", "-ldl", "-lm", "-o"])
            .arg(&program),
    );
    program
}

/// Word after `key` in a line.
fn after(line: &str, key: &str) -> f64 {
    let mut words = line.split_whitespace().skip_while(|word| *word != key);
    words
        .nth(1)
        .unwrap_or_else(|| panic!("no {key} in {line}"))
        .parse()
        .unwrap()
}

#[test]
fn a_cpp_program_sees_what_the_command_line_says() {
    let program = example();
    let experiment = repository().join("examples/hh-axon.json");
    let output = done(Command::new(&program).arg(&experiment).arg("3"));
    let text = String::from_utf8(output.stdout).unwrap();

    // The greatest sensitivities are those that `verify` compares with differences.
    let plan = graddiff::plan::Plan::load(&experiment).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut host = graddiff::hosts::ShimHost::new(&plan, &folder.path().join("a-catalogue.so")).unwrap();
    let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    let lanes = graddiff::verify::lanes(&plan);
    let t_end_ms = plan.experiment.simulation.duration_ms;
    let verdict = graddiff::verify::verify(&mut host, &slots, &plan.values(), t_end_ms, 1e-6, &lanes, |_| {}).unwrap();
    assert!(verdict.passed, "{verdict:?}");
    let lines: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once(' ')).collect();
    for row in &verdict.parameters {
        let line = lines[row.name.as_str()];
        let (ours, theirs) = (after(line, "greatest"), row.max_sensitivity);
        assert!((ours / theirs - 1.0).abs() < 1e-5, "{}: {ours} {theirs}", row.name);
        let (gradient, difference) = (after(line, "gradient"), after(line, "difference"));
        assert!((gradient / difference - 1.0).abs() < 1e-5, "{line}");
    }

    // The search is the one of `tune`, to the last bit.
    let mut setup = graddiff::tune::prepare(&plan, &mut host, None).unwrap();
    for i in 0..3 {
        let _ = setup.tuner.step(&mut host).unwrap();
        let row = setup.tuner.history().last().unwrap();
        let line = text.lines().filter(|l| l.starts_with("iteration ")).nth(i).unwrap();
        assert_eq!(after(line, "loss").to_bits(), row.loss.unwrap().to_bits(), "{line}");
    }

    // An error is an exception that names file and place.
    let bad = folder.path().join("bad.json");
    std::fs::write(&bad, "{\n \"name\": 3\n}").unwrap();
    let refused = Command::new(&program).arg(&bad).output().unwrap();
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{message}");
    assert!(message.contains("bad.json:2:"), "{message}");
}
