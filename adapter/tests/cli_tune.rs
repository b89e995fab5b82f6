//! `graddiff tune` beyond one search: what several starts promise, as a process.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use graddiff::report::read_npz;
use serde_json::{Value, json};
use tempfile::TempDir;

/// `cli_dynamic/tiny.json` with another `tune`, as a file in `folder`.
fn tiny(folder: &Path, name: &str, tune: Value) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(here.join("tests/cli_dynamic/tiny.json")).unwrap();
    let mut experiment: Value = serde_json::from_str(&text).unwrap();
    experiment["mechanisms"] = json!([here.join("../mechanisms/hh/hh.mod")]);
    for (key, value) in tune.as_object().unwrap() {
        experiment["tune"][key] = value.clone();
    }
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, format!("{experiment:#}")).unwrap();
    path
}

/// Runs `tune`; its output on both channels.
fn tune(experiment: &Path, out: &Path, arguments: &[&str], code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    command.arg("tune").arg(experiment).arg("-o").arg(out).args(arguments);
    let output = command.output().expect("graddiff starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(code), "{}\n{}", said[0], said[1]);
    said.concat()
}

fn read(folder: &Path, file: &str) -> Vec<u8> {
    let path = folder.join(file);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn result(folder: &Path) -> Value {
    serde_json::from_slice(&read(folder, "result.json")).unwrap()
}

fn assert_same(a: &Path, b: &Path, files: &[&str]) {
    for file in files {
        assert!(read(a, file) == read(b, file), "{file} of {} differs", b.display());
    }
}

/// Five starts; Adam, so that each takes all its iterations.
fn five(folder: &Path) -> PathBuf {
    let starts = json!({"count": 5, "seed": 3, "spread": 0.3});
    tiny(folder, "five", json!({"starts": starts, "stop": {"max_iterations": 6}}))
}

#[test]
fn starts_depend_on_neither_threads_nor_interruptions() {
    const FILES: [&str; 4] = ["result.json", "starts.npz", "tune.npz", "traces.npz"];
    let folder = TempDir::new().unwrap();
    let five = five(folder.path());
    let [one, three, paused] = ["one", "three", "paused"].map(|name| folder.path().join(name));
    tune(&five, &one, &["--threads", "1"], 0);
    tune(&five, &three, &["--threads", "3"], 0);
    assert_same(&one, &three, &FILES);

    for (threads, done) in [("2", 10), ("3", 20)] {
        let pause = ["--resume", "--pause-after", "2", "--threads", threads];
        let said = tune(&five, &paused, &pause, 0);
        assert!(said.contains(&format!("paused after {done} iterations")), "{said}");
        assert!(!paused.join("result.json").exists(), "a paused run has no result");
    }
    let said = tune(&five, &paused, &["--resume"], 0);
    assert!(said.contains("resuming 5 starts after 20 iterations"), "{said}");
    assert_same(&one, &paused, &FILES);
}

#[test]
fn every_start_is_the_search_made_alone_and_the_best_is_kept() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let said = tune(&five(folder.path()), &out, &[], 0);
    let all = result(&out);
    let starts = all["starts"].as_array().unwrap();
    assert_eq!(starts.len(), 5);
    for (k, start) in starts.iter().enumerate() {
        let name = format!("alone-{k}");
        let alone = json!({"start": start["start"], "stop": {"max_iterations": 6}});
        let out = folder.path().join(&name);
        tune(&tiny(folder.path(), &name, alone), &out, &[], 0);
        let alone = result(&out);
        for key in ["loss", "initial_loss", "iterations", "counts", "termination"] {
            assert_eq!(alone[key], start[key], "start {k}: {key}");
        }
        for slot in alone["slots"].as_array().unwrap() {
            assert_eq!(
                slot["found"],
                start["found"][slot["name"].as_str().unwrap()],
                "start {k}"
            );
        }
    }
    let loss = |start: &Value| start["loss"].as_f64().unwrap();
    let least = starts.iter().map(loss).fold(f64::INFINITY, f64::min);
    let best = usize::try_from(all["best_start"].as_u64().unwrap()).unwrap();
    assert_eq!(loss(&starts[best]).to_bits(), least.to_bits());
    assert_eq!(all["loss"], starts[best]["loss"]);
    assert_eq!(all["slots"][0]["start"], starts[best]["start"]["gnabar"]);
    assert_eq!(all["counts"]["tangent"], 30, "the cost is that of all starts");
    assert!(said.contains(&format!("best of 5 starts (start {best})")), "{said}");

    let arrays = read_npz(&out.join("starts.npz")).unwrap();
    assert_eq!(arrays["loss"].shape(), [5, 6]);
    for (k, start) in starts.iter().enumerate() {
        assert_eq!(json!(arrays["loss"][[k, 0]]), start["initial_loss"]);
        assert_eq!(json!(arrays["best_loss"][[k]]), start["loss"]);
        assert_eq!(json!(arrays["start"][[k, 1]]), start["start"]["gkbar"]);
        assert_eq!(json!(arrays["found"][[k, 1]]), start["found"]["gkbar"]);
    }
    let report = String::from_utf8(read(&out, "report.html")).unwrap();
    for word in ["<h2>Starts</h2>", "start 4", "gkbar from"] {
        assert!(report.contains(word), "the report has no `{word}`");
    }
    assert!(out.join("starts.svg").exists() && out.join("starts.png").exists());
}

#[test]
fn a_checkpoint_of_another_start_is_refused() {
    let folder = TempDir::new().unwrap();
    let (five, out) = (five(folder.path()), folder.path().join("out"));
    tune(&five, &out, &["--pause-after", "1"], 0);
    fs::copy(out.join("checkpoint-0.json"), out.join("checkpoint-3.json")).unwrap();
    let said = tune(&five, &out, &["--resume"], 1);
    for word in ["checkpoint-3.json", "another", "help: "] {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
}

#[test]
fn senseless_starts_are_named() {
    let folder = TempDir::new().unwrap();
    for (starts, word) in [
        (json!({"count": 0, "seed": 1}), "count"),
        (json!({"count": 2, "seed": 1, "spread": -0.5}), "spread"),
        (json!({"count": 2}), "seed"),
        (json!({"count": -2, "seed": 1}), "starts.count"),
        (json!({"count": 2, "seed": 1, "number": 3}), "number"),
    ] {
        let experiment = tiny(folder.path(), "bad", json!({"starts": starts}));
        let said = tune(&experiment, &folder.path().join("out"), &[], 1);
        assert!(said.contains(word) && said.contains("help: "), "{said}");
    }
}
