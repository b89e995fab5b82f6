//! The Python helper (issue 6, deliver 4 and 6): its own tests, the example scripts, ranks and threads that change
//! nothing; and the paper's R1 in the paper's simulator (acceptance 1).

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use graddiff::reproduce::carriers::arbor_0_9::MEASURED;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Python that a variable or a folder names.
fn python_of(variable: &str, folder: &str, script: &str) -> PathBuf {
    let python = std::env::var_os(variable).map_or(root().join(folder).join("bin/python"), PathBuf::from);
    assert!(
        python.exists(),
        "no Python at {}: run {script}, or set {variable}",
        python.display()
    );
    python
}

fn python() -> PathBuf {
    python_of("GRADDIFF_PYTHON", ".venv", "tests/venv")
}

/// The program, built as these tests are: cargo builds it only for the tests of its own package.
fn graddiff() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "-p", "graddiff", "--bin", "graddiff"])
            .arg("--message-format=json")
            .current_dir(root())
            .output()
            .expect("cargo starts");
        let text = text(&build.stdout);
        assert!(build.status.success(), "{text}{}", self::text(&build.stderr));
        let mut built = text.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).expect("one document a line");
            message["executable"].as_str().map(PathBuf::from)
        });
        built.next_back().expect("cargo says what it has built")
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command that finds the package, the program and the simulators' tools.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let tools = python()
        .parent()
        .map(Path::to_path_buf)
        .expect("a program lies in a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path))).expect("a PATH");
    let mut command = Command::new(program);
    command
        .env("PATH", path)
        .env("GRADDIFF", graddiff())
        .env("PYTHONPATH", root().join("python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root());
    command
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("it starts; mpiexec is of Debian's openmpi-bin");
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"))
}

/// Runs the package's tests of one simulator: all of them, none skipped.
fn unittests(module: &str, tests: usize) {
    let output = succeeds(command(python()).args(["-m", "unittest", &format!("python/tests/{module}.py")]));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("Ran {tests} tests")), "{said}");
    assert!(said.trim_end().ends_with("\nOK"), "{said}");
}

#[test]
fn the_package_in_arbor() {
    unittests("test_arbor", 17);
}

#[test]
fn the_package_in_neuron() {
    unittests("test_neuron", 13);
}

#[test]
fn a_script_for_arbor_finds_its_conductance() {
    let output = succeeds(command(python()).arg("examples/python/arbor_script.py"));
    assert!(text(&output.stdout).ends_with("found 0.120000000 S/cm2\n"));
}

#[test]
fn a_script_for_neuron_finds_its_conductance() {
    let output = succeeds(command(python()).arg("examples/python/neuron_script.py"));
    assert!(text(&output.stdout).ends_with("found 0.120000000 S/cm2\n"));
}

/// What the cells of a population found, and how often those of the ring fired.
fn found(results: &str) -> (Vec<f64>, usize) {
    let results: Value = serde_json::from_str(results).expect("JSON");
    // a list of cells, or cells by number
    let cells = |key: &str| -> Vec<Value> {
        match &results[key] {
            Value::Array(cells) => cells.clone(),
            Value::Object(cells) => cells.values().cloned().collect(),
            other => unreachable!("{key}: {other}"),
        }
    };
    let spikes = cells("ring")
        .iter()
        .filter_map(|c| c["spikes_ms"].as_array().map(Vec::len))
        .sum();
    let slopes = cells("ring")
        .iter()
        .all(|c| c["greatest"].as_f64().is_some_and(|u| u > 10.0));
    assert!(slopes, "sensitivities in the ring");
    let found = cells("population")
        .iter()
        .filter_map(|c| c["gnabar"].as_f64())
        .collect();
    (found, spikes)
}

/// Of `run` on one and on two: the same bytes, all cells tuned, spikes that went round.
fn same_on_two(name: &str, run: impl Fn(usize, &Path)) {
    let results: Vec<String> = [1, 2]
        .into_iter()
        .map(|n| {
            let file = scratch(&format!("{name}-{n}.json"));
            run(n, &file);
            std::fs::read_to_string(&file).expect("the script has written it")
        })
        .collect();
    assert_eq!(results[0], results[1]);
    let (found, spikes) = found(&results[0]);
    assert_eq!(found.len(), 8);
    for (k, gnabar) in found.iter().enumerate() {
        let target = 0.107 + 0.024 * k as f64 / 7.0;
        assert!((gnabar - target).abs() < 1e-6, "cell {k}: {gnabar} for {target}");
    }
    assert!(spikes >= 15, "{spikes} spikes");
}

/// Issue 6, acceptance 6.
#[test]
fn ranks_of_neuron_compute_the_same() {
    same_on_two("ranks", |n, file| {
        let mut run = command("mpiexec");
        run.args(["--allow-run-as-root", "--oversubscribe", "-n", &n.to_string()])
            .args(["nrniv", "-mpi", "-python", "examples/python/neuron_mpi.py"])
            .arg(file);
        let output = succeeds(&mut run);
        let line = format!("{n} ranks: 8 cells tuned");
        assert!(text(&output.stdout).contains(&line), "{}", text(&output.stdout));
    });
}

#[test]
fn threads_of_arbor_compute_the_same() {
    same_on_two("threads", |n, file| {
        let mut run = command(python());
        run.args(["examples/python/arbor_population.py", &n.to_string()])
            .arg(file);
        succeeds(&mut run);
    });
}

/// Issue 6, acceptance 1: the paper's set-up, in the simulator it used.
#[test]
fn r1_in_arbor_0_9_has_the_papers_error() {
    let python = python_of("GRADDIFF_PYTHON_ARBOR_09", ".venv-arbor-0.9", "tests/venv-arbor-0.9");
    let file = scratch("r1.json");
    let mut run = command(python);
    run.arg("tests/paper/r1_in_arbor_09.py")
        .arg("--graddiff")
        .arg(graddiff())
        .arg("--json")
        .arg(&file);
    succeeds(&mut run);
    let rows: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("written")).expect("JSON");
    // what `reproduce carriers` reports
    for (k, reported) in MEASURED.into_iter().enumerate() {
        let measured = rows[0]["published"][k].as_f64().expect("a number");
        assert!((measured - reported).abs() < 0.001, "{rows}");
    }
}
