//! Control by the mechanism itself: against the controller that acts at every step, whatever the settings, and against
//! runs without control where gains are 0.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use graddiff::control::Model;
use graddiff::hosts::{ControlledRun, RemoteHost, ShimHost};
use graddiff::plan::Plan;
use serde_json::{Value, json};

const DT_MS: f64 = 0.05;
/// Both laws are the same numbers added in another order.
const ROUNDING: f64 = 1e-12;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn plan(experiment: &Value) -> Plan {
    let experiment = serde_json::from_value(experiment.clone()).unwrap();
    Plan::of(experiment, repository().to_path_buf(), Vec::new()).unwrap()
}

fn catalogue(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("control-within-{name}-catalogue.so"))
}

fn run(name: &str, experiment: &Value) -> (Plan, ControlledRun) {
    let plan = plan(experiment);
    let host = ShimHost::new(&plan, &catalogue(name)).unwrap();
    let run = host.run_controlled(&plan).unwrap();
    (plan, run)
}

/// Greatest difference, relative to the greatest number.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().chain(b).fold(0.0_f64, |m, x| m.max(x.abs()));
    let worst = a.iter().zip(b).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst.is_finite() && largest > 0.0, "{worst} of {largest}");
    worst / largest
}

/// One-CV cells with a leak whose conductance and reversal potential are controlled towards 0 mV.
fn linear(control: &Value) -> Value {
    let slot = |name: &str| json!({ "name": name, "each_cell": true, "targets": [{ "mechanism": "setpoint", "parameter": name }] });
    let mut slots = [slot("el"), slot("g")];
    slots[1]["scale"] = "relative".into();
    let at = json!({ "branch": 0, "pos": 0.5 });
    json!({
        "name": "linear",
        "mechanisms": [repository().join("examples/homeostasis/setpoint.mod")],
        "populations": [{ "name": "p", "count": 3, "cell": {
            "morphology": { "cylinder": { "length_um": 20, "diameter_um": 20 } },
            "cv_policy": "single",
            "properties": { "v_init_mv": 0.5, "cm_f_per_m2": 0.01 },
            "paint": [{ "mechanism": "setpoint", "parameters": { "g": 3e-4, "el": 2 } }],
        } }],
        "slots": slots,
        "probes": [
            { "name": "v", "cell": "p", "each_cell": true, "at": at },
            { "name": "e", "cell": "p", "each_cell": true, "at": at, "variable": "setpoint.e" },
        ],
        "forgetting_per_ms": 0.05,
        "control": control,
        "simulation": { "duration_ms": 100, "dt_ms": DT_MS, "sample_every_ms": DT_MS },
    })
}

/// The settings of a controller at every step, and of the mechanism.
fn both(name: &str, experiment: &Value) -> [ControlledRun; 2] {
    let mut inside = experiment.clone();
    inside["control"]["within"] = "mechanism".into();
    [
        run(&format!("{name}-outside"), experiment).1,
        run(&format!("{name}-inside"), &inside).1,
    ]
}

fn agree(name: &str, [outside, inside]: &[ControlledRun; 2], tolerance: f64) {
    assert_eq!(outside.times_ms, inside.times_ms);
    assert_eq!(outside.traces.times_ms, inside.traces.times_ms);
    let pairs = [
        ("slots", &outside.slots, &inside.slots),
        ("sensitivities", &outside.sensitivities, &inside.sensitivities),
        ("values", &outside.traces.values, &inside.traces.values),
    ];
    for (what, a, b) in pairs {
        let apart = apart(a, b);
        assert!(apart < tolerance, "{name}: {what} are apart by {apart:e}");
    }
}

#[test]
fn the_mechanism_does_what_a_controller_at_every_step_does() {
    let gains = |el: f64, g: f64| json!({ "el": { "gain": el }, "g": { "gain": g } });
    let controls = [
        ("accumulated", json!({ "slots": gains(0.004, 0.001) })),
        (
            "increment",
            json!({ "slots": gains(0.04, 0.01), "memory": "increment" }),
        ),
        ("late", json!({ "slots": gains(0.004, 0.001), "start_ms": 20 })),
        (
            "between-steps",
            json!({ "slots": gains(0.04, 0.01), "start_ms": 20.01, "memory": "increment" }),
        ),
        ("clipped", json!({ "slots": gains(0.004, 0.004), "clip": 0.3 })),
        (
            "bounded",
            json!({ "slots": {
            "el": { "gain": 0.04, "min": 0.5, "max": 2.5, "max_rate": 0.02 },
            "g": { "gain": 0.01, "scale": 2, "max": 1.01 },
        } }),
        ),
        ("one-of-two", json!({ "slots": { "el_1": { "gain": 0.004 } } })),
    ];
    for (name, mut control) in controls {
        control["objective"] = "e".into();
        let runs = both(name, &linear(&control));
        agree(name, &runs, ROUNDING);
        let (first, last) = (&runs[1].slots[..6], &runs[1].slots[runs[1].slots.len() - 6..]);
        assert!(apart(first, last) > 0.05, "{name}: hardly moved: {last:?}");
        let rows: Vec<&[f64]> = runs[1].slots.chunks(6).collect();
        match name {
            "bounded" => {
                // slots are el of the three cells, then g
                assert!(rows.iter().all(|r| (0.5..=2.5).contains(&r[0]) && r[3] <= 1.01));
                assert!(rows.iter().any(|r| r[0].to_bits() == 0.5_f64.to_bits()));
                let fastest = rows.windows(2).fold(0.0_f64, |m, w| m.max((w[1][0] - w[0][0]).abs()));
                assert!((fastest / (0.02 * 2.0 * DT_MS) - 1.0).abs() < 1e-9, "{fastest}");
            }
            "clipped" => {
                let norm = |e: &[f64]| e[0].hypot(e[3]);
                let largest = runs[1].sensitivities.chunks(6).map(norm).fold(0.0, f64::max);
                assert!((largest - 0.3).abs() < 1e-9, "{largest}");
            }
            "late" => {
                let begun = rows.iter().position(|r| r[0].to_bits() != 2.0_f64.to_bits()).unwrap();
                assert!(
                    (runs[1].times_ms[begun] - 20.0 - DT_MS).abs() < 1e-9,
                    "{}",
                    runs[1].times_ms[begun]
                );
            }
            _ => (),
        }
    }
}

/// A cable whose end controls itself, with a slot elsewhere that nobody controls, beside a mechanism that sorts before it:
/// clipping takes in the sensitivities of both, and of the voltage everywhere.
#[test]
fn a_part_of_a_cell_controls_itself() {
    let cell = json!({
        "name": "c",
        "morphology": { "cylinder": { "length_um": 500, "diameter_um": 4 } },
        "cv_policy": { "fixed_per_branch": { "n": 5 } },
        "properties": { "v_init_mv": -60, "cm_f_per_m2": 0.01 },
        "paint": [
            { "mechanism": "hh", "region": { "cable": { "branch": 0, "prox": 0.2, "dist": 1 } } },
            { "mechanism": "setpoint", "region": { "cable": { "branch": 0, "prox": 0, "dist": 0.2 } },
              "parameters": { "g": 1e-3, "el": -60, "v_target": -50 } },
        ],
    });
    let mut experiment = linear(&json!({ "objective": "e", "slots": { "el": { "gain": 1e-3 } }, "clip": 0.4 }));
    let fields = experiment.as_object_mut().unwrap();
    fields.remove("populations");
    fields["mechanisms"]
        .as_array_mut()
        .unwrap()
        .push(json!(repository().join("mechanisms/hh/hh.mod")));
    fields.insert("cells".into(), json!([cell]));
    fields["slots"] = json!([
        { "name": "el", "targets": [{ "mechanism": "setpoint", "parameter": "el" }] },
        { "name": "gl", "scale": "relative", "targets": [{ "mechanism": "hh", "parameter": "gl" }] },
    ]);
    fields["probes"] = json!([
        { "name": "v", "at": { "branch": 0, "pos": 0.9 } },
        { "name": "e", "at": { "branch": 0, "pos": 0.1 }, "variable": "setpoint.e" },
    ]);
    fields["simulation"] = json!({ "duration_ms": 30, "dt_ms": 0.025, "sample_every_ms": 0.25 });
    let runs = both("part", &experiment);
    agree("part", &runs, 10.0 * ROUNDING);
    let moved = runs[1].slots[runs[1].slots.len() - 2] - runs[1].slots[0];
    assert!(moved > 1e-3, "hardly moved: {moved}");
    let largest = runs[1].sensitivities.iter().fold(0.0_f64, |m, e| m.max(e.abs()));
    assert!(largest <= 0.4 && largest > 0.1, "{largest}");
    // unclipped it is another run
    experiment["control"]["clip"] = 1e9.into();
    let (_, free) = run("part-free", &experiment);
    assert!(apart(&free.slots, &runs[0].slots) > 1e-5);
}

/// Where nothing is gained nothing moves, and the law that stands in the catalogue changes no bit.
#[test]
fn without_gain_the_law_changes_nothing() {
    let slots = json!({ "el": { "gain": 0 }, "g": { "gain": 0 } });
    let mut experiment = linear(&json!({ "objective": "e", "slots": slots, "within": "mechanism", "clip": 1e6 }));
    let (idle, watched) = run("idle", &experiment);
    let law = idle.compiled.slots.law.as_ref().unwrap();
    assert_eq!((law.objective.as_str(), law.slots.len()), ("e", 2));
    let mut host = ShimHost::new(&idle, &catalogue("idle-law")).unwrap();
    experiment["control"].take();
    let free = plan(&experiment);
    assert!(free.compiled.slots.law.is_none());
    let mut without = ShimHost::new(&free, &catalogue("idle-free")).unwrap();
    let bits = |values: &[f64]| -> Vec<u64> { values.iter().map(|v| v.to_bits()).collect() };
    let [a, b] = [&mut host, &mut without].map(|h| Model::simulate(h, &free.values(), 100.0, true).unwrap());
    assert_eq!(bits(&a.values), bits(&b.values));
    assert_eq!(bits(&a.sens), bits(&b.sens));
    assert_eq!(bits(&watched.traces.values), bits(&b.values));
    assert!(watched.slots.chunks(6).all(|row| bits(row) == bits(&free.values())));
    // verify and tune look at the model at fixed slots, whatever the gains
    experiment["control"] = json!({ "objective": "e", "slots": { "el": { "gain": 0.1 } }, "within": "mechanism" });
    let gained = plan(&experiment);
    let mut host = ShimHost::new(&gained, &catalogue("idle-gained")).unwrap();
    let fixed = Model::simulate(&mut host, &free.values(), 100.0, true).unwrap();
    assert_eq!(bits(&fixed.sens), bits(&b.sens));
    let moved = host.run_controlled(&gained).unwrap();
    assert!(apart(&moved.traces.values, &b.values) > 0.05);
    // and again after a run under control
    let again = Model::simulate(&mut host, &free.values(), 100.0, true).unwrap();
    assert_eq!(bits(&again.sens), bits(&b.sens));
}

/// A cell that spikes, is perturbed, and has more in its parameters than the law moves; and what probes show of them.
#[test]
fn a_spiking_cell_adapts_alike_through_perturbations() {
    let text = include_str!("../../examples/homeostasis/adapt.json");
    let mut experiment: Value = serde_json::from_str(text).unwrap();
    experiment["mechanisms"] = json!([repository().join("examples/homeostasis/hh_adapt.mod")]);
    let dt_ms = 0.025;
    experiment["simulation"] = json!({ "duration_ms": 400, "dt_ms": dt_ms, "sample_every_ms": 1 });
    experiment["verify"] = json!({});
    let at = json!({ "branch": 0, "pos": 0.5 });
    let probes = experiment["probes"].as_array_mut().unwrap();
    for name in ["gna", "gk", "ek"] {
        probes.push(json!({ "name": name, "at": at, "variable": format!("hh_adapt.{name}") }));
    }
    let control = &mut experiment["control"];
    control.as_object_mut().unwrap().remove("every_ms");
    control["start_ms"] = 100.into();
    for slot in ["gna", "gk", "drive"] {
        control["slots"][slot]["gain"] = 1e-5.into();
    }
    experiment["perturbations"] = json!([
        { "at_ms": 200, "change": { "parameter": { "mechanism": "hh_adapt", "parameter": "gk", "factor": 0.7 } } },
        { "at_ms": 250, "change": { "stimulus": { "number": 0, "factor": 2 } } },
        { "at_ms": 300, "change": { "temperature_degc": 38 } },
    ]);
    let runs = both("adapt", &experiment);
    assert!(runs[1].spikes.len() > 3, "{}", runs[1].spikes.len());
    assert_eq!(runs[0].spikes.len(), runs[1].spikes.len());
    // spikes magnify rounding
    let tolerance = 1e4 * ROUNDING;
    assert!(apart(&runs[0].slots, &runs[1].slots) < tolerance);
    assert!(apart(&runs[0].sensitivities, &runs[1].sensitivities) < tolerance);
    // the mechanism shows what it has read: a perturbation one step late
    let (outside, inside) = (&runs[0].traces, &runs[1].traces);
    let differs = |k: usize| {
        let pairs = outside.values[k..]
            .iter()
            .step_by(5)
            .zip(inside.values[k..].iter().step_by(5));
        pairs.filter(|(a, b)| (*a - *b).abs() > 1e-6 * a.abs()).count()
    };
    assert_eq!([0, 1, 2, 4].map(differs), [0; 4]);
    assert!(differs(3) <= 1, "{}", differs(3));
    let moved = |k: usize| inside.values[inside.values.len() - 5 + k] / inside.values[k] - 1.0;
    assert!(
        moved(2).abs() > 1e-3 && moved(3).abs() > 0.2,
        "{} {}",
        moved(2),
        moved(3)
    );
}

/// Arbor as installed, which is told nothing but parameters: three linear cells, and one that spikes.
#[test]
fn cells_control_themselves_in_arbor() {
    let venv = repository().join(".venv/bin/python");
    let python = std::env::var_os("GRADDIFF_PYTHON").map_or(venv, PathBuf::from);
    assert!(
        python.exists(),
        "no Python with Arbor at {}: run tests/run",
        python.display()
    );
    let slots = json!({ "el": { "gain": 0.004, "max": 2.2 }, "g": { "gain": 0.001 } });
    let simple =
        linear(&json!({ "objective": "e", "slots": slots, "within": "mechanism", "clip": 2, "memory": "increment" }));
    let text = include_str!("../../examples/homeostasis/within.json");
    let mut spiking: Value = serde_json::from_str(text).unwrap();
    spiking["mechanisms"] = json!([repository().join("examples/homeostasis/hh_adapt.mod")]);
    spiking["simulation"]["duration_ms"] = 300.into();
    spiking["control"]["start_ms"] = 50.into();
    for (name, experiment, tolerance) in [("linear", simple, ROUNDING), ("spiking", spiking, 1e4 * ROUNDING)] {
        let plan = plan(&experiment);
        let path = catalogue(&format!("arbor-{name}"));
        let shim = ShimHost::new(&plan, &path).unwrap().run_controlled(&plan).unwrap();
        let mut arbor = RemoteHost::arbor_on(&plan, &path, python.clone(), Duration::from_secs(120)).unwrap();
        let found = arbor.run_controlled(&plan, &path).unwrap();
        // the shim has a row at the end too
        let n = found.slots.len();
        assert_eq!(found.traces.times_ms.len(), shim.traces.times_ms.len());
        assert_eq!(shim.slots.len(), n + plan.slots.len());
        let worst = [
            apart(&found.traces.values, &shim.traces.values),
            apart(&found.slots, &shim.slots[..n]),
            apart(&found.sensitivities, &shim.sensitivities[..n]),
        ];
        assert!(worst.iter().all(|w| *w < tolerance), "{name}: {worst:?}");
        let last = &found.slots[n - plan.slots.len()..];
        let moved = last
            .iter()
            .zip(plan.values())
            .map(|(now, start)| (now / start - 1.0).abs());
        assert!(moved.fold(0.0, f64::max) > 1e-2, "{name}: hardly moved: {last:?}");
        assert_eq!(found.spikes.len(), shim.spikes.len());
    }
    let controller = linear(&json!({ "objective": "e", "slots": { "el": { "gain": 0.004 } } }));
    let plan = plan(&controller);
    let mut arbor = RemoteHost::arbor_on(&plan, &catalogue("arbor-no"), python, Duration::from_secs(120)).unwrap();
    assert!(matches!(
        arbor.run_controlled(&plan, &catalogue("arbor-no")),
        Err(graddiff::hosts::HostError::Refused { .. })
    ));
}
