//! The commands that run simulations, as processes: what they write, what they print, how they end, and that a killed
//! tuning run loses nothing.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use graddiff::report::read_npz;
use serde_json::Value;
use tempfile::TempDir;

/// What a command left behind.
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    fn of(mut command: Command) -> Self {
        let output = command.output().expect("graddiff starts");
        let text = |bytes| String::from_utf8(bytes).expect("graddiff writes UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in {}", self.stdout))
    }
}

fn experiment(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli_dynamic")
        .join(format!("{name}.json"))
}

fn graddiff(command: &str, experiment: &Path, arguments: &[&str]) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    process.arg(command).arg(experiment).args(arguments);
    for name in ["RUST_LOG", "RUST_BACKTRACE", "NO_COLOR"] {
        process.env_remove(name);
    }
    process
}

fn run(command: &str, experiment: &Path, arguments: &[&str]) -> Outcome {
    Outcome::of(graddiff(command, experiment, arguments))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn read(folder: &Path, file: &str) -> Vec<u8> {
    let path = folder.join(file);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every address in a page, whatever holds it.
fn addresses(html: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for mark in [
        "src=\"",
        "src='",
        "href=\"",
        "href='",
        "url(",
        "@import ",
        "srcset=\"",
        "data=\"",
    ] {
        out.extend(html.split(mark).skip(1).map(|rest| {
            let end = rest.find(['"', '\'', ')', ' ', '>']).unwrap_or(rest.len());
            &rest[..end]
        }));
    }
    out
}

/// The page stands alone: it shows its pictures without a network and without its folder.
fn assert_self_contained(html: &str) {
    for address in addresses(html) {
        assert!(
            address.starts_with("data:") || address.starts_with('#'),
            "the report needs {address}"
        );
    }
    // Names of XML vocabularies look like addresses, and nobody fetches them.
    let elsewhere = html
        .replace("http://www.w3.org/2000/svg", "")
        .replace("http://www.w3.org/1999/xlink", "");
    for scheme in ["http:", "https:", "file:", "//cdn"] {
        assert!(!elsewhere.contains(scheme), "the report mentions {scheme}");
    }
    assert!(html.contains("<svg"), "the report has no picture");
}

fn assert_pictures(folder: &Path, stem: &str) {
    let svg = String::from_utf8(read(folder, &format!("{stem}.svg"))).unwrap();
    let picture = roxmltree::Document::parse(&svg).unwrap();
    assert_eq!(picture.root_element().tag_name().name(), "svg");
    let decoder = png::Decoder::new(std::io::Cursor::new(read(folder, &format!("{stem}.png"))));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size()];
    reader.next_frame(&mut pixels).unwrap();
    assert!(pixels.iter().any(|p| *p != pixels[0]), "{stem}.png is blank");
}

#[test]
fn run_writes_what_it_promises() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("new/out");
    let outcome = run("run", &experiment("tiny"), &["--json", "-o", text(&out)]).expect(0);
    assert_eq!(outcome.json()["spikes"], 1);

    let arrays = read_npz(&out.join("traces.npz")).unwrap();
    assert_eq!(arrays["t_ms"].shape(), [100]);
    assert_eq!(arrays["values"].shape(), [100, 2]);
    assert_eq!(arrays["sensitivities"].shape(), [100, 2, 2]);
    assert_eq!(arrays["spike_times_ms"].shape(), [1]);
    assert!(
        arrays["values"]
            .iter()
            .chain(&arrays["sensitivities"])
            .all(|v| v.is_finite())
    );
    assert!(arrays["sensitivities"].iter().any(|v| v.abs() > 1.0));

    let manifest: Value = serde_json::from_slice(&read(&out, "manifest.json")).unwrap();
    assert_eq!(manifest["slots"], serde_json::json!(["gnabar", "gkbar"]));
    let listed: Vec<&str> = manifest["arrays"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["name"].as_str().unwrap())
        .collect();
    for name in arrays.keys() {
        assert!(listed.contains(&name.as_str()), "{name} is not in the manifest");
    }
    assert_pictures(&out, "traces");
    assert_pictures(&out, "sensitivities");
    assert_self_contained(&String::from_utf8(read(&out, "report.html")).unwrap());
    assert!(out.join("tiny-catalogue.so").exists());
}

/// hh with its parameters in a file of its own, from the folder of the mechanism.
#[test]
fn an_included_file_is_an_input_of_the_run() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    let hh = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../mechanisms/hh/hh.mod")).unwrap();
    let start = hh.find("PARAMETER").unwrap();
    let end = start + hh[start..].find('}').unwrap() + 1;
    let (before, parameters, after) = (&hh[..start], &hh[start..end], &hh[end..]);
    fs::create_dir(file("mod")).unwrap();
    fs::write(file("mod/parameters.inc"), parameters).unwrap();
    fs::write(file("mod/hh.mod"), format!("{before}INCLUDE \"parameters.inc\"{after}")).unwrap();
    let sound = fs::read_to_string(experiment("tiny")).unwrap();
    let changed = sound.replace("../../../mechanisms/hh/hh.mod", "mod/hh.mod");
    fs::write(file("tiny.json"), changed).unwrap();

    let (whole, split) = (file("whole"), file("split"));
    run("run", &experiment("tiny"), &["-q", "-o", text(&whole)]).expect(0);
    run("run", &file("tiny.json"), &["-q", "-o", text(&split)]).expect(0);
    assert!(
        read(&whole, "traces.npz") == read(&split, "traces.npz"),
        "other numbers"
    );
    let manifest: Value = serde_json::from_slice(&read(&split, "manifest.json")).unwrap();
    let inputs = manifest["inputs"].as_array().unwrap();
    let included = inputs.iter().find(|i| i["role"] == "include").unwrap();
    assert!(included.to_string().contains("parameters.inc"), "{included}");

    fs::remove_file(file("mod/parameters.inc")).unwrap();
    let outcome = run("run", &file("tiny.json"), &["-q", "-o", text(&split)]).expect(1);
    let line = before.matches('\n').count() + 1;
    let said = format!("hh.mod:{line}:1: error[bad-include]: cannot read `parameters.inc`: ");
    assert!(outcome.stderr.contains(&said), "{}", outcome.stderr);
}

#[test]
fn run_is_deterministic_to_the_bit() {
    let folder = TempDir::new().unwrap();
    let outs = ["a", "b"].map(|name| folder.path().join(name));
    for out in &outs {
        run("run", &experiment("tiny"), &["-q", "-o", text(out)]).expect(0);
    }
    let [a, b] = outs.map(|out| read(&out, "traces.npz"));
    assert!(a == b, "two runs of one experiment differ");
}

#[test]
fn verify_prints_one_object() {
    let verdict = run("verify", &experiment("tiny"), &["--json"]).expect(0).json();
    assert_eq!(verdict["host"], "shim");
    assert_eq!(verdict["tolerance"], 1e-6);
    let worst = verdict["max_rel_error"].as_f64().unwrap();
    assert!(worst > 0.0 && worst <= 1e-7, "{worst}");
    let rows = verdict["parameters"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["gnabar", "gkbar"]);
    let errors = rows.iter().map(|r| r["rel_error"].as_f64().unwrap());
    assert_eq!(errors.fold(0.0, f64::max).to_bits(), worst.to_bits());
    for row in rows {
        assert!(row["best_step"].as_f64().unwrap() > 0.0);
        assert_eq!(row["status"], "pass");
    }
}

#[test]
fn verify_fails_below_what_differences_can_tell() {
    let verdict = run("verify", &experiment("tiny"), &["--json", "--tolerance", "1e-14"])
        .expect(1)
        .json();
    assert_eq!(verdict["tolerance"], 1e-14);
    for row in verdict["parameters"].as_array().unwrap() {
        assert_ne!(row["status"], "pass", "no difference is certain to 1e-14: {row}");
    }
}

/// The files in which a resumed run must not differ from one that was never interrupted.
const RESULTS: [&str; 3] = ["result.json", "tune.npz", "traces.npz"];

fn assert_same_results(a: &Path, b: &Path) {
    for file in RESULTS {
        assert!(read(a, file) == read(b, file), "{file} differs");
    }
}

/// Iterations in a folder's checkpoint; 0 before the first.
fn iterations(folder: &Path) -> usize {
    let Ok(bytes) = fs::read(folder.join("checkpoint.json")) else {
        return 0;
    };
    let checkpoint: Value = serde_json::from_slice(&bytes).expect("a checkpoint is whole at any time");
    checkpoint["state"]["history"].as_array().expect("a history").len()
}

/// Starts a run and kills it (SIGKILL) once its checkpoint has three iterations. False if it was faster than we.
fn kill_midway(out: &Path) -> bool {
    let mut command = graddiff("tune", &experiment("tiny"), &["-q", "-o", text(out)]);
    let mut child: Child = command.stdout(Stdio::null()).spawn().expect("graddiff starts");
    while iterations(out) < 3 {
        assert!(child.try_wait().unwrap().is_none_or(|s| s.success()), "the run failed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    !out.join("result.json").exists()
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let folder = TempDir::new().unwrap();
    let whole = folder.path().join("whole");
    run("tune", &experiment("tiny"), &["-q", "-o", text(&whole)]).expect(0);
    // The results tell something: 20 iterations, and the loss fell.
    assert_eq!(iterations(&whole), 20);
    let loss = &read_npz(&whole.join("tune.npz")).unwrap()["loss"];
    assert!(loss[[19]] < 0.5 * loss[[0]], "{loss}");

    let killed = (0..20)
        .map(|attempt| folder.path().join(format!("killed-{attempt}")))
        .find(|out| kill_midway(out))
        .expect("one of twenty runs can be caught before its end");
    let done = iterations(&killed);
    assert!((3..20).contains(&done), "{done} iterations");
    let outcome = run("tune", &experiment("tiny"), &["--resume", "-o", text(&killed)]).expect(0);
    let told = format!("resuming after iteration {done}");
    assert!(
        outcome.stdout.contains(&told) || outcome.stderr.contains(&told),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    assert_same_results(&whole, &killed);
    assert_pictures(&killed, "traces");
    assert_self_contained(&String::from_utf8(read(&killed, "report.html")).unwrap());

    let paused = folder.path().join("paused");
    for done in [7, 14] {
        run(
            "tune",
            &experiment("tiny"),
            &["-q", "--resume", "--pause-after", "7", "-o", text(&paused)],
        )
        .expect(0);
        assert_eq!(iterations(&paused), done);
        assert!(!paused.join("result.json").exists(), "a paused run has no result");
    }
    run("tune", &experiment("tiny"), &["-q", "--resume", "-o", text(&paused)]).expect(0);
    assert_same_results(&whole, &paused);
}

#[test]
fn a_checkpoint_of_another_experiment_is_refused() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    run(
        "tune",
        &experiment("tiny"),
        &["-q", "--pause-after", "2", "-o", text(&out)],
    )
    .expect(0);
    let before = read(&out, "checkpoint.json");
    let mechanism = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mechanisms/hh/hh.mod");
    let sound = fs::read_to_string(experiment("tiny"))
        .unwrap()
        .replace("../../../mechanisms/hh/hh.mod", text(&mechanism));
    let changed = folder.path().join("changed.json");
    fs::write(
        &changed,
        sound.replace("\"amplitude_na\": 0.2", "\"amplitude_na\": 0.21"),
    )
    .unwrap();
    let outcome = run("tune", &changed, &["-q", "--resume", "-o", text(&out)]).expect(1);
    assert!(outcome.stderr.contains("checkpoint"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("help: "), "{}", outcome.stderr);
    assert!(
        read(&out, "checkpoint.json") == before,
        "the refused checkpoint was touched"
    );

    fs::write(out.join("checkpoint.json"), &before[..before.len() / 2]).unwrap();
    let outcome = run("tune", &experiment("tiny"), &["-q", "--resume", "-o", text(&out)]).expect(1);
    assert!(outcome.stderr.contains("checkpoint.json"), "{}", outcome.stderr);
}

#[test]
fn a_folder_that_cannot_be_made_is_the_environments_fault() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let out = file.join("out");
    for command in ["run", "tune"] {
        let outcome = run(command, &experiment("tiny"), &["-q", "-o", text(&out)]).expect(3);
        assert!(outcome.stderr.contains(text(&file)), "{command}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("help: "), "{command}: {}", outcome.stderr);
    }
    assert_eq!(read(folder.path(), "file"), b"not a folder");
}

#[test]
fn a_missing_experiment_is_the_environments_fault() {
    for command in [
        &["verify"][..],
        &["run", "-o", "/dev/null/x"],
        &["tune", "-o", "/dev/null/x"],
    ] {
        let outcome = run(command[0], &experiment("nowhere"), &command[1..]).expect(3);
        assert!(outcome.stderr.contains("nowhere.json"), "{}", outcome.stderr);
    }
}

#[test]
fn an_explosion_names_time_and_place_and_leaves_earlier_results() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    run("run", &experiment("tiny"), &["-q", "-o", text(&out)]).expect(0);
    let kept = ["traces.npz", "manifest.json", "report.html", "traces.svg"].map(|file| (file, read(&out, file)));
    for command in [&["verify"][..], &["run", "-o", text(&out)], &["tune", "-o", text(&out)]] {
        let outcome = run(command[0], &experiment("stiff"), &command[1..]).expect(1);
        let said = &outcome.stderr;
        for word in ["NaN", " ms", "help: ", "dt_ms"] {
            assert!(said.contains(word), "{}: no `{word}` in {said}", command[0]);
        }
        assert!(
            said.contains("CV 0") || said.contains("branch 0"),
            "{}: no place in {said}",
            command[0]
        );
    }
    for (file, bytes) in kept {
        assert!(read(&out, file) == bytes, "{file} changed");
    }
}

/// Mean square of all probes over all samples, and its derivative by each slot, from what `run` has written.
fn loss_of(folder: &Path) -> (f64, Vec<f64>) {
    let arrays = read_npz(&folder.join("traces.npz")).unwrap();
    let (values, sensitivities) = (&arrays["values"], &arrays["sensitivities"]);
    let (n, slots) = (values.len() as f64, sensitivities.shape()[2]);
    let loss = values.iter().map(|v| v * v).sum::<f64>() / n;
    let of_slot = |k: usize| {
        let u = sensitivities.iter().skip(k).step_by(slots);
        values.iter().zip(u).map(|(v, u)| 2.0 * v * u).sum::<f64>() / n
    };
    (loss, (0..slots).map(of_slot).collect())
}

fn close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found} {expected}");
}

#[test]
fn bench_times_what_run_computes() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    run("run", &experiment("tiny"), &["-o", text(&out)]).expect(0);
    let (loss, gradient) = loss_of(&out);
    let result = run(
        "bench",
        &experiment("tiny"),
        &["--json", "--runs", "2", "--threads", "3"],
    )
    .expect(0)
    .json();
    let counts = [
        ("cells", 1),
        ("cvs", 1),
        ("slots", 2),
        ("steps", 400),
        ("runs", 2),
        ("threads", 3),
    ];
    for (key, count) in counts {
        assert_eq!(result[key], count, "{key}");
    }
    close(&result["loss"], loss);
    for (found, expected) in result["gradient"].as_array().unwrap().iter().zip(&gradient) {
        close(found, *expected);
    }
    assert_eq!(result["gradient"].as_array().unwrap().len(), gradient.len());
    let seconds = |kind: &str| result[kind]["seconds"].as_f64().unwrap();
    for kind in ["plain", "with_sensitivities"] {
        let runs: Vec<f64> = serde_json::from_value(result[kind]["seconds_of_runs"].clone()).unwrap();
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().all(|s| *s > 0.0));
        close(&result[kind]["seconds"], 0.5 * (runs[0] + runs[1]));
        close(&result[kind]["ns_per_cv_step"], 1e9 * seconds(kind) / 400.0);
        close(&result[kind]["ms_per_model_second"], 1e6 * seconds(kind) / 10.0);
    }
    close(&result["ratio"], seconds("with_sensitivities") / seconds("plain"));
    let bytes = |kind: &str| result[kind]["state_bytes_per_cv"].as_f64().unwrap();
    // One control volume: voltage, three states, four parameters, and more; with two slots at least a tangent of each.
    assert!(bytes("plain") >= 64.0 && bytes("with_sensitivities") >= bytes("plain") + 64.0);
    close(&result["state_bound_bytes_per_cv"], 8.0 * (3.0 + 2.0 * 5.0 + 30.0));
    if cfg!(target_os = "linux") {
        assert!(result["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
    }
    let table = run("bench", &experiment("tiny"), &["--runs", "1", "--threads", "1"])
        .expect(0)
        .stdout;
    for part in [
        "10 ms of model time; 1 thread\n",
        "ns per CV-step",
        "times as long as plain; medians of 1 run;",
    ] {
        assert!(table.contains(part), "{table}");
    }
}

#[test]
fn bench_runs_a_catalogue_made_elsewhere() {
    let folder = TempDir::new().unwrap();
    let catalogue = folder.path().join("mine-catalogue.so");
    let hh = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mechanisms/hh/hh.mod");
    run("build", &hh, &["-o", text(&catalogue)]).expect(0);
    let arguments = ["--json", "--runs", "1", "--catalogue", text(&catalogue)];
    let theirs = run("bench", &experiment("tiny"), &arguments).expect(0).json();
    let ours = run("bench", &experiment("tiny"), &arguments[..3]).expect(0).json();
    assert!(theirs["with_sensitivities"].is_null() && theirs["ratio"].is_null());
    close(&theirs["loss"], ours["loss"].as_f64().unwrap());

    let pas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mechanisms/pas/pas.mod");
    run("build", &pas, &["-o", text(&catalogue)]).expect(0);
    let outcome = run("bench", &experiment("tiny"), &arguments).expect(1);
    assert!(outcome.stderr.contains("hh"), "{}", outcome.stderr);
}

#[test]
fn bench_rejects_no_runs_and_missing_catalogues() {
    run("bench", &experiment("tiny"), &["--runs", "0"]).expect(2);
    run("bench", &experiment("tiny"), &["--catalogue", "nowhere-catalogue.so"]).expect(3);
    run("bench", &experiment("tiny"), &["--catalogue", "a.so", "--export", "b"]).expect(2);
}

#[test]
fn bench_takes_turns() {
    use std::io::{BufRead, BufReader, Write};
    let mut process = graddiff("bench", &experiment("tiny"), &["--json", "--paced", "--runs", "2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut stdin = process.stdin.take().unwrap();
    for _ in 0..3 {
        assert_eq!(asked.next().unwrap().unwrap(), "waiting for a line on standard input");
        assert!(process.try_wait().unwrap().is_none(), "it did not wait");
        writeln!(stdin, "on").unwrap();
    }
    assert!(asked.next().is_none());
    let output = process.wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["plain"]["seconds_of_runs"].as_array().unwrap().len(), 2);
}

#[test]
fn bench_exports_what_another_simulator_runs() {
    use graddiff::plan::export::Request;
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("new/out");
    run("bench", &experiment("tiny"), &["--export", text(&out)]).expect(0);
    let request = |file| serde_json::from_slice::<Request>(&read(&out, file)).unwrap();
    let names = |request: &Request| -> Vec<String> {
        let paint = request.cells[0].paint.iter();
        paint.map(|p| p.mechanism.clone()).collect()
    };
    let (plain, tangent) = (request("plain.json"), request("sensitivities.json"));
    assert_eq!(names(&plain), ["hh"]);
    assert_eq!(names(&tangent), ["gd_hh", "gd0_cable"]);
    assert!(plain.catalogue.is_absolute() && plain.catalogue.is_file());
}
