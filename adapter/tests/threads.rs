//! Results do not depend on the number of threads, to the last bit; nor do errors.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use graddiff::control::{Model, Traces};
use graddiff::hosts::{HostError, ShimHost};
use graddiff::plan::Plan;
use host_shim::{SimError, Spike};
use rayon::ThreadPool;
use serde_json::{Value, json};

/// More than processors, too: threads that wait for a processor finish in another order.
const THREADS: [usize; 4] = [1, 2, 3, 8];

fn pool(threads: usize) -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn plan(experiment: Value) -> Plan {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Plan::of(serde_json::from_value(experiment).unwrap(), base, Vec::new()).unwrap()
}

fn host(plan: &Plan) -> ShimHost {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(
        "threads-{}-{}-catalogue.so",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let host = ShimHost::new(plan, &path).unwrap();
    std::fs::remove_file(path).unwrap();
    host
}

/// Cells connected at random, with noise.
fn network() -> Value {
    json!({
        "name": "net",
        "mechanisms": ["mechanisms/hh/hh.mod", "mechanisms/synapses/expsyn.mod", "mechanisms/noise/ou_noise.mod"],
        "populations": [{
            "name": "p",
            "count": 60,
            "cell": {
                "morphology": { "segments": [
                    { "dist": [20, 0, 0, 10], "tag": 1, "prox": [0, 0, 0, 10] },
                    { "dist": [120, 0, 0, 0.8], "tag": 3, "parent": 0, "prox": [20, 0, 0, 1] }
                ] },
                "cv_policy": { "fixed_per_branch": { "n": 8 } },
                "paint": [{ "mechanism": "hh" }],
                "synapses": [
                    { "label": "in", "mechanism": "expsyn", "at": { "branch": 0, "pos": 0.5 } },
                    { "label": "noise", "mechanism": "ou_noise", "at": { "branch": 0, "pos": 0.2 },
                      "parameters": { "mean": 0.05, "sigma": 0.3 } }
                ],
                "generators": [{ "target": "in", "weight": 0.01,
                                 "poisson": { "rate_hz": 60, "seed": 5, "start_ms": 1, "stop_ms": 30 } }],
                "detectors": [{ "at": { "branch": 0, "pos": 0.5 }, "threshold_mv": -10 }]
            }
        }],
        "connections": [
            { "from": { "cell": "p" }, "to": { "cell": "p", "synapse": "in" },
              "rule": { "indegree": 2, "seed": 4 }, "weight": 0.006, "delay_ms": 1.05 }
        ],
        "simulation": { "duration_ms": 30, "dt_ms": 0.025, "sample_every_ms": 0.1, "seed": 7 },
        "slots": [
            { "name": "gnabar", "targets": [{ "mechanism": "hh", "parameter": "gnabar" }] },
            { "name": "sigma", "targets": [{ "mechanism": "ou_noise", "parameter": "sigma" }] }
        ],
        "probes": (0..60).step_by(7).map(|k| json!({
            "name": format!("v{k}"), "cell": format!("p[{k}]"), "at": { "branch": 0, "pos": 0.9 }
        })).collect::<Vec<_>>()
    })
}

/// Cells that do not know each other, driven more and more.
fn crowd() -> Value {
    let cell = |k: usize| {
        json!({
            "name": format!("c{k}"),
            "morphology": { "cylinder": { "length_um": 500, "diameter_um": 5 } },
            "cv_policy": { "fixed_per_branch": { "n": 10 } },
            "paint": [{ "mechanism": "hh" }],
            "stimuli": [{ "at": { "branch": 0, "pos": 0 },
                          "pulses": [{ "start_ms": 1, "duration_ms": 20, "amplitude_na": 0.02 * k as f64 }] }],
            "detectors": [{ "at": { "branch": 0, "pos": 1 }, "threshold_mv": 0 }]
        })
    };
    json!({
        "name": "crowd",
        "mechanisms": ["mechanisms/hh/hh.mod"],
        "cells": (0..100).map(cell).collect::<Vec<_>>(),
        "simulation": { "duration_ms": 20, "dt_ms": 0.025, "sample_every_ms": 0.5 },
        "slots": [{ "name": "gkbar", "targets": [{ "mechanism": "hh", "parameter": "gkbar" }] }],
        "probes": (0..100).map(|k| json!({
            "name": format!("v{k}"), "cell": format!("c{k}"), "at": { "branch": 0, "pos": 1 }
        })).collect::<Vec<_>>()
    })
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Runs on each number of threads; checks that all are the same and returns one.
fn the_same_everywhere(plan: &Plan, least_batches: usize) -> (Traces, Vec<Spike>) {
    let mut host = host(plan);
    assert!(host.n_batches() >= least_batches, "{} batches", host.n_batches());
    let end_ms = plan.experiment.simulation.duration_ms;
    let mut run = |threads| {
        pool(threads).install(|| {
            let traces = host.simulate(&plan.values(), end_ms, true).unwrap();
            (traces, host.spikes().to_vec())
        })
    };
    let (traces, spikes) = run(THREADS[0]);
    for threads in &THREADS[1..] {
        let (others, their_spikes) = run(*threads);
        assert_eq!(traces.times_ms, others.times_ms);
        assert_eq!(bits(&traces.values), bits(&others.values), "{threads} threads");
        assert_eq!(bits(&traces.sens), bits(&others.sens), "{threads} threads");
        assert_eq!(spikes, their_spikes, "{threads} threads");
    }
    assert!(spikes.is_sorted_by(|a, b| (a.time_ms, a.cell, a.detector) <= (b.time_ms, b.cell, b.detector)));
    (traces, spikes)
}

#[test]
fn a_noisy_network_is_the_same_on_any_number_of_threads() {
    let (traces, spikes) = the_same_everywhere(&plan(network()), 4);
    assert!(spikes.len() > 100, "{} spikes prove little", spikes.len());
    let (a, b): (Vec<f64>, Vec<f64>) = traces
        .values
        .chunks(traces.n_probes)
        .map(|row| (row[0], row[1]))
        .unzip();
    assert_ne!(bits(&a), bits(&b), "every cell has noise of its own");
}

#[test]
fn a_hundred_cells_are_the_same_on_any_number_of_threads() {
    let (traces, spikes) = the_same_everywhere(&plan(crowd()), 4);
    assert_eq!(traces.n_probes, 100);
    assert!(spikes.len() > 50, "{} spikes prove little", spikes.len());
}

/// Points run side by side give what each gives alone, in their order.
#[test]
fn several_points_at_once_are_as_one_by_one() {
    let mut experiment = network();
    // one batch, so that the points and not the cells are dealt out
    experiment["populations"][0]["count"] = json!(8);
    experiment["probes"] = json!([{ "name": "v", "cell": "p[3]", "at": { "branch": 0, "pos": 0.9 } }]);
    let plan = plan(experiment);
    let points: Vec<Vec<f64>> = (0..7).map(|k| vec![0.12 + 0.001 * f64::from(k), 0.3]).collect();
    let mut host = host(&plan);
    assert_eq!(host.n_batches(), 1);
    for tangent in [false, true] {
        let alone: Vec<Traces> = points
            .iter()
            .map(|x| host.simulate(x, 20.0, tangent).unwrap())
            .collect();
        assert_ne!(alone[0], alone[1]);
        for threads in THREADS {
            let together = pool(threads).install(|| host.simulate_many(&points, 20.0, tangent));
            assert_eq!(together.len(), alone.len());
            for (a, b) in alone.iter().zip(together) {
                let b = b.unwrap();
                assert_eq!(
                    (bits(&a.values), bits(&a.sens)),
                    (bits(&b.values), bits(&b.sens)),
                    "{threads} threads"
                );
            }
            assert!(host.spikes().is_empty(), "whose they would be is chance");
        }
    }
}

/// A replica shares nothing that a run changes.
#[test]
fn a_replica_is_independent() {
    let plan = plan(crowd());
    let mut first = host(&plan);
    let before = first.simulate(&plan.values(), 5.0, true).unwrap();
    let mut second = first.replicate();
    let other = second.simulate(&[0.05], 5.0, true).unwrap();
    assert_ne!(bits(&before.values), bits(&other.values));
    assert_eq!(first.simulate(&plan.values(), 5.0, true).unwrap(), before);
    assert_eq!(second.simulate(&plan.values(), 5.0, true).unwrap(), before);
}

/// Cells that blow up at different times: the first in time is told, then the first by number, and the samples before it.
#[test]
fn the_first_failure_is_told_on_any_number_of_threads() {
    let mut experiment = crowd();
    let cells = experiment["cells"].as_array_mut().unwrap();
    for (k, start_ms) in [(20, 9.0), (55, 4.0), (70, 4.0), (90, 6.0)] {
        cells[k]["stimuli"] = json!([{ "at": { "branch": 0, "pos": 0 },
            "pulses": [{ "start_ms": start_ms, "duration_ms": 1, "amplitude_na": 1e308 }] }]);
    }
    let plan = plan(experiment);
    let mut host = host(&plan);
    assert!(host.n_batches() >= 4);
    for threads in THREADS {
        let error = pool(threads)
            .install(|| host.simulate(&plan.values(), 20.0, false))
            .unwrap_err();
        match error {
            HostError::Simulation(SimError::NonFinite { t_ms, cell, .. }) => {
                assert_eq!(cell, 55, "{threads} threads");
                assert!((4.0..4.5).contains(&t_ms), "{t_ms}");
            }
            other => unreachable!("{other}"),
        }
    }
}
