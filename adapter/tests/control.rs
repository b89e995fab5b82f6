//! Online control and perturbations in the host: against a loop written by hand, against runs without them, and on any
//! number of threads.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::path::{Path, PathBuf};

use graddiff::hosts::{ControlledRun, ShimHost};
use graddiff::plan::Plan;
use serde_json::{Value, json};

const DT_MS: f64 = 0.05;
/// Leak over capacitance, 1/ms.
const LEAK: f64 = 0.3;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// One-CV cells with a leak whose reversal potential is controlled towards 0 mV.
fn linear(cells: usize, lambda: f64, control: Value) -> Value {
    json!({
        "name": "linear",
        "mechanisms": [repository().join("examples/homeostasis/setpoint.mod")],
        "populations": [{ "name": "p", "count": cells, "cell": {
            "morphology": { "cylinder": { "length_um": 20, "diameter_um": 20 } },
            "cv_policy": "single",
            "properties": { "v_init_mv": 0.5, "cm_f_per_m2": 0.01 },
            "paint": [{ "mechanism": "setpoint", "parameters": { "g": LEAK * 1e-3, "el": 2 } }],
        } }],
        "slots": [{ "name": "el", "each_cell": true, "targets": [{ "mechanism": "setpoint", "parameter": "el" }] }],
        "probes": [
            { "name": "v", "cell": "p", "each_cell": true, "at": { "branch": 0, "pos": 0.5 } },
            { "name": "e", "cell": "p", "each_cell": true, "at": { "branch": 0, "pos": 0.5 }, "variable": "setpoint.e" },
        ],
        "forgetting_per_ms": lambda,
        "control": control,
        "simulation": { "duration_ms": 100, "dt_ms": DT_MS, "sample_every_ms": DT_MS },
    })
}

fn plan(experiment: &Value) -> Plan {
    let experiment = serde_json::from_value(experiment.clone()).unwrap();
    Plan::of(experiment, repository().to_path_buf(), Vec::new()).unwrap()
}

fn catalogue(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("control-{name}-catalogue.so"))
}

fn run(name: &str, experiment: &Value) -> (Plan, ControlledRun) {
    let plan = plan(experiment);
    let host = ShimHost::new(&plan, &catalogue(name)).unwrap();
    let run = host.run_controlled(&plan).unwrap();
    (plan, run)
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// The loop in a few lines: implicit Euler for V and u, which forgets; E accumulates with the new V; then θ moves along E,
/// or along what E has gained since the last move.
#[test]
fn the_loop_is_the_one_written_by_hand() {
    let (lambda, every, steps) = (0.05, 4, 4);
    let every_ms = f64::from(every) * DT_MS;
    for (memory, gain) in [("accumulated", 0.004), ("increment", 0.04)] {
        let slots = json!({ "el": { "gain": gain } });
        let control = json!({ "objective": "e", "slots": slots, "every_ms": every_ms, "memory": memory });
        let (_, found) = run(&format!("by-hand-{memory}"), &linear(1, lambda, control));
        let (kept, z) = ((-lambda * DT_MS).exp(), LEAK * DT_MS);
        let (mut v, mut u, mut e_sens, mut before, mut theta) = (0.5, 0.0, 0.0, 0.0, 2.0);
        let (mut worst, mut swing): (f64, f64) = (0.0, 0.0);
        for step in 1..found.times_ms.len() {
            v = (v + z * theta) / (1.0 + z);
            u = kept * (u + z) / (1.0 + z);
            // the term through u has forgotten already
            e_sens = kept * e_sens + DT_MS * v * u;
            if step % steps == 0 {
                let gained = (e_sens - kept.powi(every) * before) / every_ms;
                let along = if memory == "increment" { gained } else { e_sens };
                theta -= every_ms * gain * 2.0 * along;
                before = e_sens;
            }
            worst = worst
                .max((found.slots[step] - theta).abs())
                .max((found.sensitivities[step] - e_sens).abs());
            swing = swing.max((theta - 2.0).abs());
        }
        assert!(swing > 1.0, "{memory}: the loop hardly moved: {swing}");
        assert!(worst < 1e-11, "{memory}: off by {worst:e}");
    }
}

/// The same with a synapse whose strength is controlled besides: it is written through the synapse's own number, and what
/// is painted beside it still moves.
#[test]
fn a_synapse_is_controlled_as_if_by_hand() {
    let (lambda, every, gains) = (0.05, 4, [0.004, 0.002]);
    let every_ms = f64::from(every) * DT_MS;
    let slots = json!({ "el": { "gain": gains[0] }, "scale": { "gain": gains[1] } });
    let control = json!({ "objective": "e", "slots": slots, "every_ms": every_ms });
    let mut experiment = linear(1, lambda, control);
    let mechanism = json!(repository().join("examples/plasticity/scaled.mod"));
    experiment["mechanisms"].as_array_mut().unwrap().push(mechanism);
    let cell = &mut experiment["populations"][0]["cell"];
    let (reversal, tau, weight, first_ms, apart_ms) = (10.0, 5.0, 1e-3_f32, 1.01, 5.0);
    let at = json!({ "branch": 0, "pos": 0.5 });
    let parameters = json!({ "e": reversal, "tau": tau });
    cell["synapses"] = json!([{ "label": "s", "mechanism": "scaled", "at": at, "parameters": parameters }]);
    let times_ms: Vec<f64> = (0..20).map(|k| first_ms + f64::from(k) * apart_ms).collect();
    cell["generators"] = json!([{ "target": "s", "times_ms": times_ms, "weight": f64::from(weight) }]);
    let scale =
        json!({ "name": "scale", "each_cell": true, "targets": [{ "mechanism": "scaled", "parameter": "scale" }] });
    experiment["slots"].as_array_mut().unwrap().push(scale);
    let (_, found) = run("synapse", &experiment);

    // µF: 1 µF/cm² on a cylinder of 20 by 20 µm
    let capacitance = std::f64::consts::PI * 20.0 * 20.0 * 1e-8;
    let (kept, z, per_us) = ((-lambda * DT_MS).exp(), LEAK * DT_MS, DT_MS * 1e-3 / capacitance);
    let (mut v, mut g, mut u, mut e_sens, mut theta) = (0.5, 0.0, [0.0; 2], [0.0; 2], [2.0, 1.0]);
    let (mut worst, mut events): (f64, f64) = (0.0, 0.0);
    for step in 1..found.times_ms.len() {
        let start_ms = f64::from(u32::try_from(step).unwrap() - 1) * DT_MS;
        if start_ms + 0.5 * DT_MS > first_ms + events * apart_ms {
            events += 1.0;
            g += f64::from(weight);
        }
        let y = per_us * g;
        let all = 1.0 + z + y * theta[1];
        v = (v + z * theta[0] + y * theta[1] * reversal) / all;
        u = [kept * (u[0] + z) / all, kept * (u[1] - y * (v - reversal)) / all];
        // Arbor's exponential
        g *= (1.0 - 0.5 * DT_MS / tau) / (1.0 + 0.5 * DT_MS / tau);
        for k in 0..2 {
            e_sens[k] = kept * e_sens[k] + DT_MS * v * u[k];
            if step % 4 == 0 {
                theta[k] -= every_ms * gains[k] * [2.0, 1.0][k] * e_sens[k];
            }
            worst = worst.max((found.slots[2 * step + k] - theta[k]).abs());
            worst = worst.max((found.sensitivities[2 * step + k] - e_sens[k]).abs());
        }
    }
    assert!(
        (theta[0] - 2.0).abs() > 0.5 && (theta[1] - 1.0).abs() > 0.05,
        "hardly moved: {theta:?}"
    );
    assert!(worst < 1e-11, "off by {worst:e}");
}

/// A controller that sets what is there already changes no bit, however often it does.
#[test]
fn setting_the_same_values_changes_nothing() {
    let mut idle = linear(3, 0.05, json!({ "objective": "e", "slots": { "el": { "gain": 0 } } }));
    let (_, watched) = run("idle", &idle);
    idle["control"].take();
    let plan = plan(&idle);
    let mut host = ShimHost::new(&plan, &catalogue("idle-free")).unwrap();
    let alone = graddiff::control::Model::simulate(&mut host, &plan.values(), 100.0, true).unwrap();
    assert_eq!(bits(&watched.traces.values), bits(&alone.values));
    assert_eq!(watched.slots, vec![2.0; watched.slots.len()]);
    // the controller sees the state at the end of the step whose start the next sample shows
    let n = alone.n_probes * alone.n_slots;
    for (row, sens) in alone.sens.chunks(n).enumerate() {
        let of_cell = |c: usize| sens[(3 + c) * 3 + c];
        assert_eq!(
            bits(&watched.sensitivities[3 * row..3 * row + 3]),
            bits(&[0, 1, 2].map(of_cell))
        );
    }
}

/// Each cell follows its own objective: cells with one gain each move as they do alone.
#[test]
fn every_cell_is_controlled_by_its_own_objective() {
    let gains = json!({ "el_0": { "gain": 0.001 }, "el_1": { "gain": 0.004 } });
    let (_, both) = run("both", &linear(2, 0.05, json!({ "objective": "e", "slots": gains })));
    for (cell, gain) in [(0, 0.001), (1, 0.004)] {
        let control = json!({ "objective": "e", "slots": { "el": { "gain": gain } } });
        let (_, alone) = run(&format!("alone{cell}"), &linear(1, 0.05, control));
        let of_cell: Vec<f64> = both.slots.iter().skip(cell).step_by(2).copied().collect();
        assert_eq!(bits(&of_cell), bits(&alone.slots));
    }
}

/// 200 cells are several batches, which several threads share.
#[test]
fn the_number_of_threads_changes_no_bit() {
    let control = json!({ "objective": "e", "slots": { "el": { "gain": 0.004 } }, "every_ms": 1, "clip": 0.5 });
    let mut experiment = linear(200, 0.05, control);
    experiment["simulation"]["duration_ms"] = 20.into();
    experiment["simulation"]["sample_every_ms"] = 1.into();
    let plan = plan(&experiment);
    let host = ShimHost::new(&plan, &catalogue("threads")).unwrap();
    assert!(host.n_batches() > 1);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| host.run_controlled(&plan)).unwrap()
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(bits(&one.traces.values), bits(&three.traces.values));
    assert_eq!(bits(&one.slots), bits(&three.slots));
    assert_eq!(bits(&one.sensitivities), bits(&three.sensitivities));
}

/// Two slots whose sensitivities together exceed the bound are scaled down together, and keep their ratio.
#[test]
fn clipping_bounds_the_norm_over_slots() {
    let clipped = |clip: Option<f64>| {
        let slots = json!({ "el": { "gain": 0 }, "g": { "gain": 0 } });
        let mut experiment = linear(1, 0.0, json!({ "objective": "e", "slots": slots }));
        let g = json!({ "name": "g", "scale": "relative", "targets": [{ "mechanism": "setpoint", "parameter": "g" }] });
        let all = experiment["slots"].as_array_mut().unwrap();
        all.push(g);
        if let Some(clip) = clip {
            experiment["control"]["clip"] = clip.into();
        }
        run(&format!("clip-{}", clip.is_some()), &experiment).1
    };
    let norms = |run: &ControlledRun| -> Vec<f64> { run.sensitivities.chunks(2).map(|e| e[0].hypot(e[1])).collect() };
    let (free, bound) = (norms(&clipped(None)), norms(&clipped(Some(5.0))));
    assert!(free.last().unwrap() > &10.0);
    assert!(bound.iter().all(|norm| *norm <= 5.0 * (1.0 + 1e-12)));
    assert!((bound.last().unwrap() - 5.0).abs() < 1e-9);
    let below = free.iter().take_while(|norm| **norm < 4.0).count();
    assert!(below > 2, "{below}");
    assert_eq!(bits(&free[..below]), bits(&bound[..below]));
}

/// What a perturbation does at the start is what an experiment painted so would have done.
#[test]
fn perturbations_are_other_experiments_from_then_on() {
    let control = json!({ "objective": "e", "slots": { "el": { "gain": 0.004 } } });
    let mut perturbed = linear(2, 0.05, control.clone());
    let parameter = |name: &str, how: &str, x: f64| json!({ "at_ms": 0, "change": { "parameter": { "mechanism": "setpoint", "parameter": name, how: x } } });
    perturbed["perturbations"] = json!([parameter("g", "factor", 2.0), parameter("v_target", "value", 0.25)]);
    let mut painted = linear(2, 0.05, control.clone());
    let parameters = &mut painted["populations"][0]["cell"]["paint"][0]["parameters"];
    parameters["g"] = (2.0 * LEAK * 1e-3).into();
    parameters["v_target"] = 0.25.into();
    let ((_, a), (_, b)) = (run("perturbed", &perturbed), run("painted", &painted));
    assert_eq!(bits(&a.slots), bits(&b.slots));
    assert_eq!(bits(&a.traces.values[4..]), bits(&b.traces.values[4..]));

    // a slot's own parameter that is set: the slot moves it no more, and nothing depends on the slot
    let mut set = linear(1, 0.05, control.clone());
    set["perturbations"] = json!([parameter("el", "value", 1.5)]);
    let (_, fixed) = run("set", &set);
    let mut v = 0.5;
    for step in fixed.traces.values.chunks(2) {
        assert!((step[0] - v).abs() < 1e-12, "{} instead of {v}", step[0]);
        v = (v + LEAK * DT_MS * 1.5) / (1.0 + LEAK * DT_MS);
    }
    assert!(fixed.sensitivities.iter().all(|e| *e == 0.0));

    // a slot's own parameter: half of it is left, and the sensitivity knows; only on the cell named
    let mut halved = linear(2, 0.05, control);
    halved["perturbations"] = json!([parameter("el", "factor", 0.5)]);
    halved["perturbations"][0]["cell"] = "p[1]".into();
    let (_, run) = run("halved", &halved);
    let last = run.times_ms.len() - 1;
    let first: Vec<f64> = run.sensitivities.chunks(2).map(|e| e[0]).collect();
    assert!(run.sensitivities[2 * 10] > 1.5 * run.sensitivities[2 * 10 + 1]);
    assert!(first[10] > 0.0 && (run.slots[2 * last] - run.slots[2 * last + 1]).abs() > 1e-3);
    let v = |cell: usize| run.traces.values[4 * 20 + cell];
    assert!(v(0) > v(1));
}

/// The stimulus and the temperature change when they are told to, and not a step before.
#[test]
fn stimuli_and_temperature_change_on_time() {
    let experiment = |perturbations: Value| {
        let text = include_str!("../../examples/homeostasis/adapt.json");
        let mut experiment: Value = serde_json::from_str(text).unwrap();
        experiment["mechanisms"] = json!([repository().join("examples/homeostasis/hh_adapt.mod")]);
        experiment["simulation"] = json!({ "duration_ms": 40, "dt_ms": 0.025, "sample_every_ms": 0.025 });
        experiment["control"].take();
        experiment["verify"] = json!({});
        experiment["perturbations"] = perturbations;
        experiment
    };
    let plain = plan(&experiment(json!([])));
    let host = ShimHost::new(&plain, &catalogue("on-time")).unwrap();
    let with = |change: Value| {
        let perturbed = plan(&experiment(json!([{ "at_ms": 20, "change": change }])));
        let (a, b) = (
            host.run_controlled(&plain).unwrap(),
            host.run_controlled(&perturbed).unwrap(),
        );
        let pairs = a.traces.values.chunks(2).zip(b.traces.values.chunks(2));
        let differs = pairs.map(|(a, b)| bits(a) != bits(b)).position(|d| d);
        a.traces.times_ms[differs.unwrap()]
    };
    for change in [
        json!({ "stimulus": { "number": 0, "factor": 2 } }),
        json!({ "temperature_degc": 38 }),
        json!({ "parameter": { "mechanism": "hh_adapt", "parameter": "ek", "value": -80 } }),
    ] {
        let t_ms = with(change.clone());
        assert!((20.0..20.2).contains(&t_ms), "{change}: first seen at {t_ms} ms");
    }
}
