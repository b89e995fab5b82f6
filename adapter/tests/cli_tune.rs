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

/// `tiny` with a second leak of the same reversal potential: only the sum of both conductances can be known.
fn leaky(folder: &Path) -> PathBuf {
    let slot =
        |name: &str, mechanism: &str| json!({"name": name, "targets": [{"mechanism": mechanism, "parameter": name}]});
    let path = tiny(folder, "leaky", json!({"start": {}, "stop": {"max_iterations": 2}}));
    let mut experiment: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let pas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mechanisms/pas/pas.mod");
    experiment["mechanisms"].as_array_mut().unwrap().push(json!(pas));
    let leak = json!({"mechanism": "pas", "parameters": {"g": 0.0002, "e": -54.387}});
    experiment["cells"][0]["paint"].as_array_mut().unwrap().push(leak);
    experiment["slots"] = json!([slot("gl", "hh"), slot("g", "pas"), slot("gkbar", "hh")]);
    fs::write(&path, experiment.to_string()).unwrap();
    path
}

#[test]
fn identifiability_finds_what_only_a_sum_determines() {
    let folder = TempDir::new().unwrap();
    let leaky = leaky(folder.path());
    for (argument, file) in [
        ("--identifiability", "result.json"),
        ("--identifiability=start", "identifiability.json"),
    ] {
        let out = folder.path().join(file);
        let said = tune(&leaky, &out, &[argument], 0);
        let found: Value = serde_json::from_slice(&read(&out, file)).unwrap();
        let found = &found["identifiability"];
        let verdicts: Vec<&Value> = (0..3).map(|k| &found["slots"][k]["verdict"]).collect();
        assert_eq!(verdicts, ["undetermined", "undetermined", "determined"], "{found}");
        assert!(found["slots"][0]["standard_error"].is_null(), "{found}");
        assert_eq!(found["entries"], 100);
        // Each leak by itself would be known, and the same current has the same precision.
        let alone = |k: usize| found["slots"][k]["relative_error_alone"].as_f64().unwrap();
        let ratio = alone(0) * 0.0003 / (alone(1) * 0.0002);
        assert!((ratio - 1.0).abs() < 1e-9, "{ratio}");
        let last = &found["combinations"][2];
        let component = |name: &str| last["components"][name].as_f64().unwrap();
        assert!((component("gl") + component("g")).abs() < 1e-6, "{last}");
        assert!((component("gl").abs() - 0.5_f64.sqrt()).abs() < 1e-6, "{last}");
        let eigenvalue = |j: usize| found["combinations"][j]["eigenvalue"].as_f64().unwrap();
        assert!(
            eigenvalue(2) < 1e-18 * eigenvalue(0) && eigenvalue(1) > 1e-9 * eigenvalue(0),
            "{found}"
        );

        let arrays = read_npz(&out.join("identifiability.npz")).unwrap();
        assert!(arrays["standard_error"][[1]].is_infinite());
        assert_eq!(
            json!(arrays["standard_error"][[2]]),
            found["slots"][2]["standard_error"]
        );
        assert_eq!(json!(arrays["eigenvectors"][[0, 2]]), last["components"]["gl"]);
        let report = String::from_utf8(read(&out, "report.html")).unwrap();
        for word in ["<h2>Identifiability</h2>", "∞", "+0.71 g", "−0.71 g"] {
            assert!(report.contains(word), "the report has no `{word}`");
        }
        for picture in ["identifiability", "eigenvectors"] {
            assert!(out.join(format!("{picture}.svg")).exists() && out.join(format!("{picture}.png")).exists());
        }
        assert!(said.contains("∞"), "{said}");
        assert_eq!(
            out.join("checkpoint.json").exists(),
            file == "result.json",
            "=start tunes nothing"
        );
    }
}

/// The standard error is what an estimate scatters by: the curvature of the loss, from losses alone.
#[test]
fn standard_errors_are_those_of_the_losses_curvature() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str, gnabar: f64, arguments: &[&str]| {
        // One slot, the target at its value: L = mean (V − V*)², and one sample's noise is 1 mV.
        let experiment = tiny(
            folder.path(),
            name,
            json!({"start": {"gnabar": gnabar, "gkbar": 0.036},
            "stop": {"max_iterations": 1}}),
        );
        let out = folder.path().join(name);
        tune(&experiment, &out, arguments, 0);
        out
    };
    let out = at("truth", 0.12, &["--identifiability=start"]);
    let found: Value = serde_json::from_slice(&read(&out, "identifiability.json")).unwrap();
    let alone = found["identifiability"]["slots"][0]["relative_error_alone"]
        .as_f64()
        .unwrap();
    // L(x + h) ≈ h² ‖J‖² / n on both sides; ‖J‖ = 1 / (alone · x).
    let h = 1e-5;
    let loss = |name: &str, x: f64| result(&at(name, x, &[]))["initial_loss"].as_f64().unwrap();
    let curvature = (loss("above", 0.12 * (1.0 + h)) + loss("below", 0.12 * (1.0 - h))) / 2.0;
    let expected = 1.0 / (curvature * 100.0 / (h * h)).sqrt();
    assert!((alone / expected - 1.0).abs() < 1e-6, "{alone} {expected}");
}

#[test]
fn evolution_runs_plain_and_resumes_to_the_same_bits_on_any_number_of_threads() {
    const FILES: [&str; 3] = ["result.json", "tune.npz", "traces.npz"];
    let folder = TempDir::new().unwrap();
    let optimiser = json!({"cma_es": {"seed": 2, "population": 6, "sigma": 0.2}});
    let stop = json!({"max_iterations": 8});
    let weights = json!({"v": 1, "i": 10});
    let experiment = tiny(
        folder.path(),
        "evolution",
        json!({"optimiser": optimiser, "weights": weights, "stop": stop}),
    );
    // A probe without sensitivities counts: none are asked for.
    let mut changed: Value = serde_json::from_slice(&fs::read(&experiment).unwrap()).unwrap();
    let current = json!({"name": "i", "at": {"branch": 0, "pos": 0.5}, "variable": "i_membrane"});
    changed["probes"].as_array_mut().unwrap().push(current);
    fs::write(&experiment, changed.to_string()).unwrap();
    let [one, three, paused] = ["one", "three", "paused"].map(|name| folder.path().join(name));
    tune(&experiment, &one, &["--threads", "1"], 0);
    tune(&experiment, &three, &["--threads", "3"], 0);
    assert_same(&one, &three, &FILES);
    for threads in ["2", "1"] {
        tune(
            &experiment,
            &paused,
            &["--resume", "--pause-after", "3", "--threads", threads],
            0,
        );
    }
    let said = tune(&experiment, &paused, &["--resume"], 0);
    assert!(said.contains("resuming after iteration 6"), "{said}");
    assert_same(&one, &paused, &FILES);
    let found = result(&one);
    assert_eq!(found["counts"]["tangent"], 0);
    assert_eq!(found["counts"]["plain"], 48);
    let (first, best) = (found["initial_loss"].as_f64().unwrap(), found["loss"].as_f64().unwrap());
    assert!(best < first, "{best} {first}");

    let blind = "`i` counts in the loss but carries no sensitivities";
    let said = tune(&experiment, &folder.path().join("blind"), &["--identifiability"], 1);
    assert!(said.contains(blind), "{said}");
    changed["tune"]["optimiser"] = json!({"adam": {}});
    fs::write(&experiment, changed.to_string()).unwrap();
    let said = tune(&experiment, &folder.path().join("adam"), &[], 1);
    assert!(
        said.contains("`i` counts in the loss but carries no sensitivities"),
        "{said}"
    );

    for (constants, word) in [
        (json!({"population": 6}), "seed"),
        (json!({"seed": 1, "population": 3}), "population"),
        (json!({"seed": 1, "sigma": 0}), "sigma"),
    ] {
        let experiment = tiny(folder.path(), "bad", json!({"optimiser": {"cma_es": constants}}));
        let said = tune(&experiment, &folder.path().join("bad"), &[], 1);
        assert!(said.contains(word) && said.contains("help: "), "{said}");
    }
}

#[test]
fn a_landscape_is_the_loss_at_its_points() {
    let folder = TempDir::new().unwrap();
    let stop = json!({"max_iterations": 1});
    let experiment = tiny(folder.path(), "tiny", json!({"stop": stop}));
    let out = folder.path().join("out");
    tune(&experiment, &out, &["--landscape", "gkbar,gnabar", "--threads", "2"], 0);
    let arrays = read_npz(&out.join("landscape.npz")).unwrap();
    let loss = &arrays["loss"];
    assert_eq!(loss.shape(), [21, 21]);
    assert!(loss.iter().all(|l| l.is_finite()));
    // exp and ln of the start, so to rounding
    let near = |(found, expected): (&f64, f64)| (found / expected - 1.0).abs() < 1e-15;
    assert!(arrays["at"].iter().zip([0.1, 0.045]).all(near), "{}", arrays["at"]);
    // The middle is the point found, which is the start after one iteration; the rest is what a search begins with.
    let found = result(&out)["initial_loss"].as_f64().unwrap();
    assert!(
        (loss[[10, 10]] / found - 1.0).abs() < 1e-9,
        "{} {found}",
        loss[[10, 10]]
    );
    for (i, j) in [(0, 0), (3, 17), (20, 5)] {
        let start = json!({"gkbar": arrays["gkbar"][[i]], "gnabar": arrays["gnabar"][[j]]});
        let name = format!("point-{i}");
        let alone = folder.path().join(&name);
        tune(
            &tiny(folder.path(), &name, json!({"start": start, "stop": stop})),
            &alone,
            &[],
            0,
        );
        let expected = result(&alone)["initial_loss"].as_f64().unwrap();
        assert!(
            (loss[[i, j]] / expected - 1.0).abs() < 1e-9,
            "{i} {j}: {} {expected}",
            loss[[i, j]]
        );
    }
    let report = String::from_utf8(read(&out, "report.html")).unwrap();
    assert!(report.contains("<h2>Landscape</h2>") && out.join("landscape.png").exists());

    let line = folder.path().join("line");
    tune(
        &experiment,
        &line,
        &["--identifiability=start", "--landscape", "gnabar"],
        0,
    );
    assert_eq!(read_npz(&line.join("landscape.npz")).unwrap()["loss"].shape(), [41]);

    for (names, word) in [
        ("gnabra", "did you mean `gnabar`?"),
        ("gnabar,gnabar", "different"),
        ("gnabar,gkbar,gl", "gl"),
    ] {
        let refused = folder.path().join("refused");
        let said = tune(&experiment, &refused, &["--landscape", names], 2);
        assert!(said.contains(word) && said.contains("help: "), "{said}");
        assert!(!refused.exists(), "a wrong name is found before anything runs");
    }
}
