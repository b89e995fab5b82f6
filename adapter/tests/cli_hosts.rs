//! Arbor as a live host of the command line: the same numbers as the shim, and what goes wrong with a simulator that is
//! somebody else's: missing, of another version, dead, dumb or mad. Nothing may be left running.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use graddiff::hosts::RemoteHost;
use graddiff::plan::Plan;
use graddiff::report::{Arrays, read_npz};
use graddiff::verify::{lanes, verify};
use serde_json::{Value, json};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The Python with Arbor.
fn python() -> PathBuf {
    let python = std::env::var_os("GRADDIFF_PYTHON").map_or(root().join(".venv/bin/python"), PathBuf::from);
    assert!(
        python.exists(),
        "no Python with Arbor at {}: run tests/run, or set GRADDIFF_PYTHON",
        python.display()
    );
    python
}

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli_dynamic/tiny.json")
}

/// `tiny.json`, changed, in a folder of its own.
fn changed(folder: &Path, change: impl Fn(&mut Value)) -> PathBuf {
    let mut experiment: Value = serde_json::from_str(&fs::read_to_string(tiny()).unwrap()).unwrap();
    experiment["mechanisms"] = json!([fs::canonicalize(root().join("mechanisms/hh/hh.mod")).unwrap()]);
    change(&mut experiment);
    let path = folder.join("changed.json");
    fs::write(&path, experiment.to_string()).unwrap();
    path
}

/// A command in Arbor; see [`in_host`].
fn in_arbor(command: &str, experiment: &Path, folder: &Path) -> Command {
    in_host("arbor", command, experiment, folder)
}

/// A command in a simulator. Its standard error goes to a pipe, its folder for results is `out`.
fn in_host(host: &str, command: &str, experiment: &Path, folder: &Path) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    process.arg(command).arg(experiment).args(["--host", host]);
    if command != "verify" {
        process.arg("-o").arg(folder.join("out"));
    }
    process.env("GRADDIFF_PYTHON", python());
    for name in ["RUST_LOG", "RUST_BACKTRACE", "NO_COLOR"] {
        process.env_remove(name);
    }
    process
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard error of a command that must end with this code.
fn ends(mut command: Command, code: i32) -> String {
    ended(&command.output().unwrap(), code)
}

fn ended(output: &Output, code: i32) -> String {
    let complaint = text(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}\n{complaint}",
        text(&output.stdout)
    );
    assert!(!complaint.contains("panicked"), "{complaint}");
    complaint
}

/// An executable file that a shell or a Python runs.
fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Processes of a group, or children of a process, that are alive.
fn alive(is: impl Fn(i32, i32) -> bool) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // behind the name in parentheses: state, parent, group
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let number = |k: usize| fields[k].parse::<i32>().unwrap();
        if fields[0] != "Z" && is(number(1), number(2)) {
            found.push(stat.split(' ').next().unwrap().parse().unwrap());
        }
    }
    found
}

/// Waits until `done`; a machine may be slow, but what never comes must not hang the tests.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(120), "{what} has not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A program that writes down its group, says `words`, and waits: it must not survive.
fn stub(folder: &Path, words: &str, then: &str) -> PathBuf {
    let group = folder.join("group");
    let text = format!("#!/bin/sh\necho $$ > {}\necho '{words}'\n{then}\n", group.display());
    script(folder, "stub", &text)
}

fn nothing_is_left(folder: &Path) {
    let group: i32 = fs::read_to_string(folder.join("group"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    until("the end of the stub's processes", || {
        alive(|_, g| g == group).is_empty()
    });
}

const HELLO: &str = r#"{"hello":{"protocol":4,"host":"Arbor","version":"0.12.2"}}"#;

fn column<'a>(arrays: &'a Arrays, name: &str) -> &'a [f64] {
    arrays[name].as_slice().unwrap()
}

/// max|a − b| / max|b|.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

fn in_shim(command: &str, experiment: &Path, folder: &Path) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    process.arg(command).arg(experiment).arg("-o").arg(folder);
    ends(process, 0);
}

#[test]
fn run_gives_the_numbers_of_the_shim() {
    let folder = TempDir::new().unwrap();
    // more steps than a part has
    let experiment = changed(folder.path(), |e| e["simulation"]["duration_ms"] = json!(120));
    ends(in_arbor("run", &experiment, folder.path()), 0);
    in_shim("run", &experiment, &folder.path().join("shim"));
    let read = |of: &str| read_npz(&folder.path().join(of).join("traces.npz")).unwrap();
    let (arbor, shim) = (read("out"), read("shim"));
    for name in ["t_ms", "values", "sensitivities", "spike_times_ms"] {
        let error = distance(column(&arbor, name), column(&shim, name));
        assert!(error < 1e-9, "{name}: {error:.1e}");
    }
    assert!(!column(&arbor, "spike_times_ms").is_empty());
    let manifest = fs::read_to_string(folder.path().join("out/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["host"], "arbor 0.12.2");
    assert!(!folder.path().join("out/partial.npz").exists());
}

/// Issue 6, acceptance 2: 20 iterations.
#[test]
fn tune_gives_the_losses_of_the_shim() {
    let folder = TempDir::new().unwrap();
    ends(in_arbor("tune", &tiny(), folder.path()), 0);
    in_shim("tune", &tiny(), &folder.path().join("shim"));
    let read = |of: &str| read_npz(&folder.path().join(of).join("tune.npz")).unwrap();
    let (arbor, shim) = (read("out"), read("shim"));
    let (arbor, shim) = (column(&arbor, "loss"), column(&shim, "loss"));
    assert_eq!((arbor.len(), shim.len()), (20, 20));
    let errors = arbor.iter().zip(shim).map(|(a, b)| ((a - b) / b).abs());
    let worst = errors.fold(0.0, f64::max);
    println!("losses of 20 iterations differ by {worst:.1e} of themselves");
    assert!(worst < 1e-6, "{worst:.1e}");
    assert!(shim[19] < 0.9 * shim[0], "it does tune");
    // a search goes on where it began
    let refused = ends(
        {
            let mut command = Command::new(env!("CARGO_BIN_EXE_graddiff"));
            command
                .arg("tune")
                .arg(tiny())
                .arg("--resume")
                .arg("-o")
                .arg(folder.path().join("out"));
            command
        },
        1,
    );
    assert!(refused.contains("cannot resume"), "{refused}");
}

/// Issue 6, acceptance 1, and more: every experiment, at the tolerance of the first issue. The differences are Arbor's own,
/// of plain runs.
#[test]
fn sensitivities_are_arbors_own_differences_on_every_experiment() {
    let folder = TempDir::new().unwrap();
    let mut table = String::new();
    let mut all_pass = true;
    let mut names: Vec<PathBuf> = fs::read_dir(root().join("tests/experiments"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    names.sort();
    assert!(names.len() >= 26, "{names:?}");
    for path in &names {
        let plan = Plan::load(path).unwrap();
        let catalogue = folder.path().join(format!("{}-catalogue.so", plan.experiment.name));
        let host = RemoteHost::arbor(&plan, &catalogue, python(), Duration::from_secs(600)).unwrap();
        let mut host: Box<dyn graddiff::hosts::Host> = Box::new(host);
        let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
        let settings = plan.experiment.verify;
        let end_ms = settings.duration_ms.unwrap_or(plan.experiment.simulation.duration_ms);
        let verdict = verify(&mut host, &slots, &plan.values(), end_ms, 1e-6, &lanes(&plan), |_| {}).unwrap();
        all_pass &= verdict.passed;
        table.push_str(&format!(
            "{:28} {:>3} slots  error {:>8.1e}  values {:>8.1e}  {}\n",
            plan.experiment.name,
            slots.len(),
            verdict.max_rel_error.unwrap_or(f64::NAN),
            verdict.value_difference,
            if verdict.passed { "pass" } else { "FAIL" }
        ));
    }
    println!("{table}");
    assert!(all_pass, "\n{table}");
}

#[test]
fn a_python_that_is_not_there() {
    let folder = TempDir::new().unwrap();
    let mut command = in_arbor("run", &tiny(), folder.path());
    command.args(["--python", "/nowhere/python"]);
    let said = ends(command, 3);
    assert!(
        said.contains("cannot run `/nowhere/python`") && said.contains("--python"),
        "{said}"
    );
}

#[test]
fn a_python_without_arbor() {
    let folder = TempDir::new().unwrap();
    // -S: without site-packages
    let bare = script(
        folder.path(),
        "bare",
        &format!("#!/bin/sh\nexec {} -S -I \"$@\"\n", python().display()),
    );
    for command in ["run", "verify", "tune"] {
        let mut command = in_arbor(command, &tiny(), folder.path());
        command.arg("--python").arg(&bare);
        let said = ends(command, 3);
        assert!(
            said.contains("has no Arbor") && said.contains("pip install arbor==0.12.2"),
            "{said}"
        );
    }
}

#[test]
fn another_version_of_arbor() {
    let folder = TempDir::new().unwrap();
    let package = folder.path().join("modules/arbor");
    fs::create_dir_all(&package).unwrap();
    fs::write(
        package.join("__init__.py"),
        "__version__ = '0.10.0'\nclass recipe:\n    pass\n",
    )
    .unwrap();
    fs::write(package.join("units.py"), "mV = Kelvin = Ohm = cm = F = m2 = 1\n").unwrap();
    let mut command = in_arbor("verify", &tiny(), folder.path());
    command.env("PYTHONPATH", folder.path().join("modules"));
    let said = ends(command, 3);
    assert!(said.contains("Arbor 0.10.0") && said.contains("Arbor 0.12.2"), "{said}");
}

/// Where graddiff is called, files may have any name.
#[test]
fn modules_of_the_current_folder_are_not_loaded() {
    let folder = TempDir::new().unwrap();
    for name in ["arbor.py", "json.py", "queue.py"] {
        fs::write(folder.path().join(name), "raise SystemExit('not me')\n").unwrap();
    }
    let mut command = in_arbor("run", &tiny(), folder.path());
    command.current_dir(folder.path());
    command.env(
        "GRADDIFF_PYTHON",
        fs::canonicalize(python().parent().unwrap()).unwrap().join("python"),
    );
    ends(command, 0);
}

#[test]
fn another_version_of_the_protocol() {
    let folder = TempDir::new().unwrap();
    let stub = stub(folder.path(), &HELLO.replace(":4", ":2"), "sleep 1000");
    let mut command = in_arbor("run", &tiny(), folder.path());
    command.arg("--python").arg(stub);
    let said = ends(command, 3);
    assert!(said.contains("version 2 of the protocol, graddiff speaks 4"), "{said}");
    nothing_is_left(folder.path());
}

#[test]
fn a_host_that_talks_nonsense() {
    let folder = TempDir::new().unwrap();
    let stub = stub(folder.path(), "Welcome to Python!", "sleep 1000");
    let mut command = in_arbor("run", &tiny(), folder.path());
    command.arg("--python").arg(stub);
    let said = ends(command, 3);
    assert!(
        said.contains("does not understand") && said.contains("Welcome to Python!"),
        "{said}"
    );
    nothing_is_left(folder.path());
}

#[test]
fn a_host_that_says_nothing() {
    let folder = TempDir::new().unwrap();
    let stub = stub(folder.path(), HELLO, "sleep 1000");
    let mut command = in_arbor("run", &tiny(), folder.path());
    command.args(["--timeout", "1", "--python"]).arg(stub);
    let said = ends(command, 3);
    assert!(
        said.contains("has said nothing for 1 s") && said.contains("--timeout"),
        "{said}"
    );
    nothing_is_left(folder.path());
}

#[test]
fn a_host_that_gives_up_is_quoted() {
    let folder = TempDir::new().unwrap();
    let stub = stub(folder.path(), HELLO, "read line; echo out of cheese >&2; exit 5");
    let mut command = in_arbor("run", &tiny(), folder.path());
    command.arg("--python").arg(stub);
    let said = ends(command, 3);
    for part in ["ended while setting up the cells", "exit code 5", "out of cheese"] {
        assert!(said.contains(part), "{said}");
    }
    nothing_is_left(folder.path());
}

/// What was sampled before the end is kept.
#[test]
fn a_host_that_dies_in_the_midst_of_a_run_leaves_its_samples() {
    let folder = TempDir::new().unwrap();
    let text = format!(
        r#"#!{}
import array, json, os, sys
print('{HELLO}', flush=True)
quantities = len(json.loads(sys.stdin.readline())["start"]["record"])
print('{{"started": {{}}}}', flush=True)
sys.stdin.readline()
numbers = array.array("d", [0.0, 0.1] + quantities * [-65.0, -64.0])
print(json.dumps({{"advanced": {{"samples": 2, "spikes": 0, "numbers": len(numbers)}}}}), flush=True)
sys.stdout.buffer.write(numbers.tobytes())
sys.stdout.flush()
sys.stdin.readline()
os.kill(os.getpid(), 9)
"#,
        fs::canonicalize(python().parent().unwrap())
            .unwrap()
            .join("python")
            .display()
    );
    let stub = script(folder.path(), "stub", &text);
    let experiment = changed(folder.path(), |e| e["simulation"]["duration_ms"] = json!(120));
    let mut command = in_arbor("run", &experiment, folder.path());
    command.arg("--python").arg(stub);
    let said = ends(command, 3);
    assert!(
        said.contains("killed by signal 9") && said.contains("partial.npz"),
        "{said}"
    );
    let kept = read_npz(&folder.path().join("out/partial.npz")).unwrap();
    assert_eq!(column(&kept, "t_ms"), [0.0, 0.1]);
    assert_eq!(column(&kept, "values"), [-65.0, -65.0, -64.0, -64.0]);
}

/// What Arbor is told to load is no shared object.
#[test]
fn a_broken_catalogue() {
    let folder = TempDir::new().unwrap();
    let compiler = script(
        folder.path(),
        "broken-cc",
        "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && echo junk > \"$2\"; shift; done\n",
    );
    let mut command = in_arbor("run", &tiny(), folder.path());
    command.env("CC", compiler);
    let said = ends(command, 3);
    assert!(
        said.contains("(catalogue)") && said.contains("graddiff doctor"),
        "{said}"
    );
}

/// An experiment that runs for hours.
fn endless(host: &str, folder: &Path) -> Command {
    let experiment = changed(folder, |e| {
        e["simulation"] = json!({ "duration_ms": 1e7, "dt_ms": 0.025, "sample_every_ms": 1e4 });
    });
    let mut command = in_host(host, "run", &experiment, folder);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The Python that graddiff has started, once it runs.
fn child_of(graddiff: &Child, title: &str) -> i32 {
    let parent = i32::try_from(graddiff.id()).unwrap();
    let mut found = None;
    until(title, || {
        let host = |pid: &i32| {
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.contains(&format!("unmodified {title}"))
        };
        found = alive(|p, _| p == parent).into_iter().find(host);
        found.is_some()
    });
    found.unwrap()
}

fn kill(pid: i32) {
    signal("-9", pid);
}

fn signal(which: &str, pid: i32) {
    assert!(
        Command::new("kill")
            .args([which, &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_killed_simulator_ends_the_command() {
    for (host, title) in [("arbor", "Arbor"), ("neuron", "NEURON")] {
        let folder = TempDir::new().unwrap();
        let graddiff = endless(host, folder.path()).spawn().unwrap();
        let group = child_of(&graddiff, title);
        kill(group);
        let said = ended(&graddiff.wait_with_output().unwrap(), 3);
        let told = format!("{title} ended while");
        assert!(said.contains(&told) && said.contains("killed by signal 9"), "{said}");
        // its compiler, too, if it was at work
        until("the end of its children", || alive(|_, of| of == group).is_empty());
    }
}

/// Even where graddiff has no time to say goodbye, and Arbor waits for a question that never comes.
#[test]
fn a_killed_graddiff_leaves_no_arbor() {
    let folder = TempDir::new().unwrap();
    let mut graddiff = endless("arbor", folder.path()).spawn().unwrap();
    let arbor = child_of(&graddiff, "Arbor");
    // so far that it computes: with the catalogue there, the next thing is the run
    until("the catalogue", || folder.path().join("out/tiny-catalogue.so").exists());
    signal("-STOP", i32::try_from(graddiff.id()).unwrap());
    // soon it has answered, and sleeps; should it be slow, the test only sees less
    let mut sleeps = 0;
    until("Arbor's patience", || {
        let stat = fs::read_to_string(format!("/proc/{arbor}/stat")).unwrap();
        sleeps = if stat.contains(") S ") { sleeps + 1 } else { 0 };
        sleeps > 50
    });
    graddiff.kill().unwrap();
    graddiff.wait().unwrap();
    until("the end of Arbor", || alive(|_, group| group == arbor).is_empty());
}

#[test]
fn what_arbor_cannot_sample_is_named() {
    let folder = TempDir::new().unwrap();
    let experiment = changed(folder.path(), |e| {
        let at = json!({ "branch": 0, "pos": 0.5 });
        let probe = json!({ "name": "conductance", "at": at, "variable": "hh.gkbar" });
        e["probes"].as_array_mut().unwrap().push(probe);
    });
    let said = ends(in_arbor("run", &experiment, folder.path()), 1);
    assert!(
        said.contains("probe `conductance` asks for the parameter `gkbar`"),
        "{said}"
    );
}
