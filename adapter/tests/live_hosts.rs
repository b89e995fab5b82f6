//! NEURON as a live host, and online control in Arbor and NEURON: the shim's numbers, to what each can do.
//! Rows of data; a missing Python fails.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use graddiff::control::Traces;
use graddiff::hosts::{ControlledRun, Host, RemoteHost, ShimHost};
use graddiff::plan::Plan;
use graddiff::plan::Variant;
use graddiff::plan::export::Sections;
use graddiff::report::read_npz;
use graddiff::verify::{lanes, verify};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Steps and arithmetic are the same, but NEURON takes conductances from differences of currents.
const SAME_IN_NEURON: f64 = 1e-6;
/// Issue 6, acceptance 1: of sensitivities at dt 0.005 ms, and what halving dt leaves of an error at most.
const CLONES: f64 = 0.01;
const HALF: f64 = 0.55;
/// Issue 6, acceptance 2 and 3.
const SAME_PARAMETERS: f64 = 0.02;
const SAME_IN_ARBOR: f64 = 1e-6;
/// What the clones' error makes of a controlled run at dt 0.05 ms.
const SMALL: f64 = 1e-3;

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
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

/// An experiment of the repository, changed; paths of its mechanisms become absolute.
fn experiment(file: &str, change: impl Fn(&mut Value)) -> Value {
    let path = root().join(file);
    let mut experiment: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for mechanism in experiment["mechanisms"].as_array_mut().unwrap() {
        let full = path.parent().unwrap().join(mechanism.as_str().unwrap());
        *mechanism = json!(fs::canonicalize(full).unwrap());
    }
    change(&mut experiment);
    experiment
}

fn plan(experiment: &Value) -> Plan {
    let experiment = serde_json::from_value(experiment.clone()).unwrap();
    Plan::of(experiment, root(), Vec::new()).unwrap()
}

fn neuron(plan: &Plan, folder: &Path) -> RemoteHost {
    RemoteHost::neuron(plan, &folder.join("neuron"), python(), Duration::from_secs(600)).unwrap()
}

fn shim(plan: &Plan, folder: &Path) -> ShimHost {
    ShimHost::new(plan, &folder.join("c-catalogue.so")).unwrap()
}

/// max|a − b| / max|b|, probe by probe.
fn distance(a: &Traces, b: &Traces) -> f64 {
    assert_eq!((a.values.len(), a.n_probes), (b.values.len(), b.n_probes));
    let of = |probe: usize| {
        let lane = || a.values.iter().zip(&b.values).skip(probe).step_by(a.n_probes);
        let scale = lane().fold(f64::MIN_POSITIVE, |m, (_, b)| m.max(b.abs()));
        lane().map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
    };
    (0..a.n_probes).map(of).fold(0.0, f64::max)
}

/// Branches, tapers, regions, synapses with events, weights as slots: values are the shim's, spikes too. With NEURON's
/// arithmetic: Arbor's conductances leave out what a FUNCTION makes of the voltage.
#[test]
fn neuron_gives_the_values_of_the_shim() {
    for (file, spikes) in [
        ("tests/experiments/uniform-axon.json", 4),
        ("tests/experiments/synapses.json", 5),
    ] {
        let folder = TempDir::new().unwrap();
        let plan = plan(&experiment(file, |e| e["integrator"] = json!("neuron")));
        let (mut neuron, mut shim) = (neuron(&plan, folder.path()), shim(&plan, folder.path()));
        let end_ms = plan.experiment.simulation.duration_ms;
        let nobody = &mut |_: f64, _: &[f64], _: &[f64]| {};
        let ours = shim.simulate_watched(&plan.values(), end_ms, false, nobody).unwrap();
        for tangent in [false, true] {
            let theirs = neuron
                .simulate_watched(&plan.values(), end_ms, tangent, nobody)
                .unwrap();
            let error = distance(&theirs, &ours);
            println!(
                "{file}, sensitivities {tangent}: {error:.1e}, {} spikes",
                neuron.spikes().len()
            );
            assert!(error < SAME_IN_NEURON, "{file}: {error:.1e}");
            assert_eq!(neuron.spikes().len(), spikes, "{file}");
            for (a, b) in neuron.spikes().iter().zip(shim.spikes()) {
                assert!((a.time_ms - b.time_ms).abs() < 1e-5 && a.cell == b.cell, "{a:?} {b:?}");
            }
        }
    }
}

/// Issue 6, acceptance 1: errors against NEURON's own differences.
#[test]
fn clones_in_neuron_are_right_up_to_the_time_step() {
    let mut errors = Vec::new();
    for dt_ms in [0.02, 0.01, 0.005] {
        let folder = TempDir::new().unwrap();
        let plan = plan(&experiment("adapter/tests/cli_dynamic/tiny.json", |e| {
            e["simulation"]["dt_ms"] = json!(dt_ms);
        }));
        let mut host: Box<dyn Host> = Box::new(neuron(&plan, folder.path()));
        let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
        let mut rows = 0;
        let verdict = verify(&mut host, &slots, &plan.values(), 10.0, CLONES, &lanes(&plan), |done| {
            rows = done.len();
        });
        let verdict = verdict.unwrap();
        assert_eq!(rows, slots.len());
        assert!(
            verdict.value_difference < 1e-12,
            "clones do not touch the cell: {:.1e}",
            verdict.value_difference
        );
        assert!(verdict.parameters.iter().all(|r| r.fd_error_estimate.unwrap() < 1e-4));
        errors.push(verdict.max_rel_error.unwrap());
    }
    println!("{errors:?}");
    assert!(errors[2] <= CLONES, "{errors:?}");
    assert!(errors.windows(2).all(|pair| pair[1] <= HALF * pair[0]), "{errors:?}");
}

/// What has no counterpart, and the words that name it.
#[test]
fn what_neuron_cannot_do_is_named() {
    let folder = TempDir::new().unwrap();
    let refused = |experiment: &Value, words: &str| {
        let plan = plan(experiment);
        let end_ms = plan.experiment.simulation.duration_ms;
        let variant = if plan.slots.is_empty() {
            Variant::Plain
        } else {
            Variant::Augmented
        };
        let error = Sections::new(&plan, folder.path(), &plan.values(), variant, end_ms).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let forks = |e: &mut Value| e["cells"][0]["cv_policy"] = json!("single");
    refused(
        &experiment("tests/experiments/synapses.json", forks),
        "control volume 0 spans a fork",
    );
    let part = |e: &mut Value| {
        e["cells"][0]["paint"][0]["region"] = json!({ "cable": { "branch": 0, "prox": 0, "dist": 0.51 } });
    };
    refused(
        &experiment("tests/experiments/uniform-axon.json", part),
        "covers 0.300 of control volume 15",
    );
    refused(
        &experiment("tests/experiments/calcium.json", |_| {}),
        "which graddiff does not bring into NEURON",
    );
    refused(
        &experiment("tests/experiments/network.json", |_| {}),
        "which graddiff does not bring into NEURON",
    );
    let warm = |e: &mut Value| {
        e["cells"][0]["properties"]["painted"] = json!([]);
        e["carrier"] = json!("diffusion");
        e["cells"][0]["properties"].as_object_mut().unwrap().remove("painted");
    };
    refused(
        &experiment("tests/experiments/uniform-axon.json", warm),
        "the carrier `diffusion`",
    );
}

/// A radius that jumps inside a control volume has another surface in NEURON: said by NEURON's own numbers.
#[test]
fn segments_that_are_not_the_control_volumes_are_refused() {
    let folder = TempDir::new().unwrap();
    let plan = plan(&experiment("tests/experiments/stepped-tapered.json", |_| {}));
    let mut host = neuron(&plan, folder.path());
    let nobody = &mut |_: f64, _: &[f64], _: &[f64]| {};
    let error = host
        .simulate_watched(&plan.values(), 1.0, false, nobody)
        .unwrap_err()
        .to_string();
    assert!(error.contains("the surface of control volume 1 of cell `c`"), "{error}");
}

fn graddiff(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("GRADDIFF_PYTHON", python());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// Issue 6, acceptance 2: both searches end at the same parameters.
#[test]
fn tune_in_neuron_finds_the_parameters_of_the_shim() {
    let folder = TempDir::new().unwrap();
    let tiny = experiment("adapter/tests/cli_dynamic/tiny.json", |e| {
        e["tune"]["optimiser"] = json!({ "levenberg_marquardt": {} });
    });
    fs::write(folder.path().join("tiny.json"), tiny.to_string()).unwrap();
    let found = |host: &str| {
        let (code, said) = graddiff(&["tune", "tiny.json", "--host", host, "-o", host], folder.path());
        assert_eq!(code, Some(0), "{said}");
        if host == "neuron" {
            assert!(said.contains("APPROXIMATE: NEURON carries them by clones"), "{said}");
        }
        let arrays = read_npz(&folder.path().join(host).join("tune.npz")).unwrap();
        let slots = arrays["x"].as_slice().unwrap().to_vec();
        slots[slots.len() - 2..].to_vec()
    };
    let (neuron, shim) = (found("neuron"), found("shim"));
    println!("{neuron:?} {shim:?}");
    for (a, b) in neuron.iter().zip(&shim) {
        assert!((a / b - 1.0).abs() < SAME_PARAMETERS, "{neuron:?} {shim:?}");
    }
    assert!(
        (shim[0] / 0.12 - 1.0).abs() < 0.02,
        "the search does find them: {shim:?}"
    );
}

/// A missing wheel, another version, mechanisms that do not compile: exit code 3 and a next step.
#[test]
fn what_is_wrong_with_a_neuron_is_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let script = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script(
        "bare",
        &format!("#!/bin/sh\nexec {} -S -I \"$@\"\n", python().display()),
    );
    let hello = |version: &str| format!(r#"{{"hello":{{"protocol":4,"host":"NEURON","version":"{version}"}}}}"#);
    script("old", &format!("#!/bin/sh\necho '{}'\nsleep 1000\n", hello("8.2.6")));
    let failed = r#"{"failed":{"kind":"mechanisms","message":"nrnivmodl fails: no compiler"}}"#;
    script(
        "broken",
        &format!("#!/bin/sh\necho '{}'\nread line\necho '{failed}'\n", hello("9.0.2")),
    );
    let tiny = experiment("adapter/tests/cli_dynamic/tiny.json", |_| {});
    fs::write(folder.path().join("tiny.json"), tiny.to_string()).unwrap();
    for (python, words, help) in [
        ("./bare", "has no NEURON", "pip install neuron==9.0.2"),
        ("./old", "has NEURON 8.2.6", "pip install neuron==9.0.2"),
        ("./broken", "nrnivmodl fails: no compiler", "C++ compiler"),
    ] {
        let arguments = ["run", "tiny.json", "--host", "neuron", "--python", python, "-o", "out"];
        let (code, said) = graddiff(&arguments, folder.path());
        assert_eq!(code, Some(3), "{python}: {said}");
        assert!(said.contains(words) && said.contains(help), "{python}: {said}");
    }
}

/// Slots that a host has finished are shown when it dies.
#[test]
fn verify_keeps_what_was_finished() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    // flat traces: each slot takes a sweep of 18 runs, and the first three runs are references
    let text = r#"import json, struct, sys
print('{"hello":{"protocol":4,"host":"Arbor","version":"0.12.2"}}', flush=True)
runs = 0
for line in sys.stdin:
    question = json.loads(line)
    if "start" in question:
        request, runs = question["start"], runs + 1
        if runs > 30:
            sys.exit("out of cheese")
        print('{"started": {}}', flush=True)
        continue
    samples = request["samples_ms"]
    numbers = list(samples) + len(request["record"]) * len(samples) * [1.0]
    print(json.dumps({"advanced": {"samples": len(samples), "spikes": 0, "numbers": len(numbers)}}), flush=True)
    sys.stdout.buffer.write(struct.pack("<%dd" % len(numbers), *numbers))
    sys.stdout.flush()
"#;
    let path = folder.path().join("mortal");
    fs::write(&path, format!("#!{}\n{text}", python().display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let tiny = experiment("adapter/tests/cli_dynamic/tiny.json", |_| {});
    fs::write(folder.path().join("tiny.json"), tiny.to_string()).unwrap();
    let common = [
        "verify",
        "tiny.json",
        "--host",
        "arbor",
        "--python",
        "./mortal",
        "--threads",
        "1",
    ];
    let (code, said) = graddiff(&common, folder.path());
    assert_eq!(code, Some(3), "{said}");
    for words in [
        "\ngnabar",
        "UNRESOLVED",
        "out of cheese",
        "1 of 2 slots were finished, see above",
    ] {
        assert!(said.contains(words), "`{words}` in {said}");
    }
    assert!(!said.contains("\ngkbar"), "{said}");
    let (_, said) = graddiff(&[common.as_slice(), &["--json"]].concat(), folder.path());
    assert!(said.contains("\"finished\": false"), "{said}");
}

/// A leak whose reversal potential control moves, in cells of their own: linear, so rounding stays small.
fn linear(control: Value) -> Value {
    json!({
        "name": "linear",
        "mechanisms": [root().join("examples/homeostasis/setpoint.mod")],
        "populations": [{ "name": "p", "count": 2, "cell": {
            "morphology": { "cylinder": { "length_um": 200, "diameter_um": 2 } },
            "cv_policy": { "fixed_per_branch": { "n": 5 } },
            "properties": { "v_init_mv": 0.5, "cm_f_per_m2": 0.01 },
            "paint": [{ "mechanism": "setpoint", "parameters": { "g": 3e-4, "el": 2 } }],
            "stimuli": [{ "at": { "branch": 0, "pos": 0.5 }, "envelope": [[0, 0.001], [40, 0.003]] }],
        } }],
        "slots": [
            { "name": "el", "each_cell": true, "targets": [{ "mechanism": "setpoint", "parameter": "el" }] },
            { "name": "g", "each_cell": true, "targets": [{ "mechanism": "setpoint", "parameter": "g" }] },
        ],
        "probes": [
            { "name": "v", "cell": "p", "each_cell": true, "at": { "branch": 0, "pos": 0.5 } },
            { "name": "e", "cell": "p", "each_cell": true, "at": { "branch": 0, "pos": 0.7 }, "variable": "setpoint.e" },
        ],
        "forgetting_per_ms": 0.1,
        "control": control,
        "perturbations": [
            { "at_ms": 20, "cell": "p[0]", "change": { "parameter": { "mechanism": "setpoint", "parameter": "g", "factor": 0.8 } } },
            { "at_ms": 30, "change": { "stimulus": { "number": 0, "factor": 2 } } },
            { "at_ms": 35.01, "change": { "stimulus": { "number": 0, "factor": -1 } } },
            { "at_ms": 50, "change": { "parameter": { "mechanism": "setpoint", "parameter": "v_target", "value": 0.5 } } },
        ],
        "simulation": { "duration_ms": 80, "dt_ms": 0.05, "sample_every_ms": 0.5 },
    })
}

/// The same with a gap junction: then the cells share a group, and their numbers stand in the same arrays.
fn joined(mut experiment: Value) -> Value {
    let gap = root().join("mechanisms/junction/gap.mod");
    experiment["mechanisms"].as_array_mut().unwrap().push(json!(gap));
    let site =
        json!({ "label": "gap", "mechanism": "gap", "at": { "branch": 0, "pos": 0.9 }, "parameters": { "g": 1e-4 } });
    experiment["populations"][0]["cell"]["junctions"] = json!([site]);
    let end = |cell: &str| json!({ "cell": cell, "junction": "gap" });
    experiment["gap_junctions"] = json!([{ "a": end("p[0]"), "b": end("p[1]") }]);
    experiment
}

fn online(every_ms: f64) -> Value {
    let slots = json!({ "el": { "gain": 1e-3 }, "g": { "gain": 1e-7 } });
    json!({ "objective": "e", "slots": slots, "every_ms": every_ms, "start_ms": 5 })
}

fn controlled(host: &mut RemoteHost, catalogue: &Path) -> ControlledRun {
    host.run_controlled_watched(catalogue, &mut |_, _, _| {}, &mut |_, _| {})
        .unwrap()
}

/// max|a − b| / max|b| over one slot's or one sensitivity's rows.
fn apart(a: &[f64], b: &[f64], n: usize) -> f64 {
    assert_eq!(a.len(), b.len());
    let of = |k: usize| {
        let lane = || a.iter().zip(b).skip(k).step_by(n);
        let scale = lane().fold(f64::MIN_POSITIVE, |m, (_, b)| m.max(b.abs()));
        lane().map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
    };
    (0..n).map(of).fold(0.0, f64::max)
}

/// Issue 6, deliver 2 and 3: the same law, the same updates, the same perturbations.
#[test]
fn control_moves_slots_in_arbor_and_neuron_as_in_the_shim() {
    for (every_ms, coupled) in [(0.05, false), (2.0, false), (2.0, true)] {
        let folder = TempDir::new().unwrap();
        let alone = linear(online(every_ms));
        let plan = plan(&if coupled { joined(alone) } else { alone });
        let shim = shim(&plan, folder.path());
        let ours = shim.run_controlled(&plan).unwrap();
        let n = plan.slots.len();
        let last = ours.slots.len() - n;
        for k in 0..n {
            let moved = (ours.slots[last + k] / ours.slots[k] - 1.0).abs();
            assert!(moved > 0.05, "control moves slot {k}: {moved}");
        }
        assert!(
            (ours.slots[last] / ours.slots[last + 1] - 1.0).abs() > 1e-3,
            "cells differ"
        );
        let arbor = RemoteHost::arbor_on(&plan, shim.catalogue(), python(), Duration::from_secs(600));
        let mut hosts = vec![("arbor", arbor.unwrap(), SAME_IN_ARBOR, SAME_IN_ARBOR)];
        if !coupled {
            // clones are of second order here
            hosts.push(("neuron", neuron(&plan, folder.path()), SMALL, SMALL));
        }
        for (name, mut host, values, slots) in hosts {
            let theirs = controlled(&mut host, shim.catalogue());
            assert_eq!(theirs.times_ms.len(), ours.times_ms.len());
            let of_slots = apart(&theirs.slots, &ours.slots, n);
            let of_values = distance(&theirs.traces, &ours.traces);
            println!("{name}, every {every_ms} ms: slots {of_slots:.1e}, values {of_values:.1e}");
            assert!(of_slots < slots, "{name}: {of_slots:.1e}");
            assert!(of_values < values, "{name}: {of_values:.1e}");
            let of_gradient = apart(&theirs.sensitivities, &ours.sensitivities, n);
            assert!(of_gradient < slots, "{name}: {of_gradient:.1e}");
        }
    }
}

/// What cannot change in the midst of a run of Arbor's.
#[test]
fn what_a_checkpoint_does_not_hold_is_named() {
    let folder = TempDir::new().unwrap();
    let clipped = {
        let mut control = online(2.0);
        control["clip"] = json!(10);
        linear(control)
    };
    let mut warm = linear(online(2.0));
    warm["perturbations"] = json!([{ "at_ms": 20, "change": { "temperature_degc": 30 } }]);
    for (experiment, words) in [
        (clipped, "`control.clip` would change"),
        (warm, "changes the temperature"),
    ] {
        let plan = plan(&experiment);
        let catalogue = folder.path().join("c-catalogue.so");
        let mut host = RemoteHost::arbor(&plan, &catalogue, python(), Duration::from_secs(600)).unwrap();
        let run = host.run_controlled_watched(&catalogue, &mut |_, _, _| {}, &mut |_, _| {});
        let error = run.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
