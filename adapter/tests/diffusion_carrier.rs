//! The published carrier against a dense solve of what it is meant to be, written down by hand.

use std::path::Path;

use graddiff::control::Model;
use graddiff::experiment::Carrier;
use graddiff::hosts::ShimHost;
use graddiff::plan::Plan;
use nalgebra::{DMatrix, DVector};
use serde_json::json;

/// Rounding over a few hundred steps.
const ROUNDING: f64 = 1e-11;
const DT_MS: f64 = 0.025;
const STEPS: usize = 400;
const G_S_PER_CM2: f64 = 3e-4;
const E_MV: f64 = -65.0;
const CM_F_PER_M2: f64 = 0.01;
const RL_OHM_CM: f64 = 100.0;

/// A trunk of radius 1 µm and 100 µm, two branches of 0.5 µm and 60 µm, two CVs on each: the fork is CV 2, without area.
fn experiment(folder: &Path) -> Plan {
    let pas = concat!(env!("CARGO_MANIFEST_DIR"), "/../mechanisms/pas/pas.mod");
    let probe = |name: &str, branch: usize, pos: f64| json!({"name": name, "at": {"branch": branch, "pos": pos}});
    let text = json!({
        "name": "fork",
        "mechanisms": [pas],
        "cells": [{
            "name": "cell",
            "morphology": {"segments": [
                {"prox": [0, 0, 0, 1], "dist": [100, 0, 0, 1], "tag": 1},
                {"parent": 0, "prox": [100, 0, 0, 0.5], "dist": [100, 60, 0, 0.5], "tag": 3},
                {"parent": 0, "prox": [100, 0, 0, 0.5], "dist": [100, -60, 0, 0.5], "tag": 4},
            ]},
            "cv_policy": {"fixed_per_branch": {"n": 2}},
            "properties": {"rl_ohm_cm": RL_OHM_CM, "cm_f_per_m2": CM_F_PER_M2, "v_init_mv": E_MV},
            "paint": [{"mechanism": "pas", "parameters": {"g": G_S_PER_CM2, "e": E_MV}}],
            "stimuli": [{"at": {"branch": 0, "pos": 0}, "envelope": [[0, 0.05], [100, 0.05]]}],
        }],
        "simulation": {"duration_ms": STEPS as f64 * DT_MS, "dt_ms": DT_MS, "sample_every_ms": DT_MS},
        // only one of the branches, so that the halves differ
        "slots": [{"name": "g", "targets": [{"mechanism": "pas", "parameter": "g", "region": {"tag": 3}}]}],
        "probes": [
            probe("0", 0, 0.25), probe("1", 0, 0.75),
            probe("3", 1, 0.25), probe("4", 1, 0.75),
            probe("5", 2, 0.25), probe("6", 2, 0.75),
        ],
    });
    let path = folder.join("fork.json");
    std::fs::write(&path, text.to_string()).expect("a file");
    Plan::load_with(&path, |e| e.carrier = Carrier::Diffusion).expect("a sound experiment")
}

/// (child, parent, rate per µs): β/(A ∫dx/πr²), A that of the child and left out at the fork; β = 100/(rL cm) = 100.
fn rates() -> [(usize, usize, f64); 6] {
    let beta = 100.0 / (RL_OHM_CM * CM_F_PER_M2);
    let pi = std::f64::consts::PI;
    let of = |area: f64, length: f64, r: f64| beta / (area * length / (pi * r * r));
    let (trunk, branch) = (2.0 * pi * 50.0, 2.0 * pi * 0.5 * 30.0);
    [
        (1, 0, of(trunk, 50.0, 1.0)),
        (2, 1, of(1.0, 25.0, 1.0)),
        (3, 2, of(branch, 15.0, 0.5)),
        (4, 3, of(branch, 30.0, 0.5)),
        (5, 2, of(branch, 15.0, 0.5)),
        (6, 5, of(branch, 30.0, 0.5)),
    ]
}

#[test]
fn the_carrier_solves_what_arbor_0_9_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = experiment(folder.path());
    assert!(plan.caveat().is_some());
    let mut host = ShimHost::new(&plan, &folder.path().join("fork-catalogue.so")).expect("a host");
    let t_end_ms = STEPS as f64 * DT_MS;
    let traces = host.simulate(&plan.values(), t_end_ms, true).expect("a run");
    assert_eq!(traces.times_ms.len(), STEPS);

    // everything per capacitance and per ms: with C = cm A the area cancels
    let leak = 10.0 * G_S_PER_CM2 / CM_F_PER_M2;
    let seed = |cv: usize| if [3, 4].contains(&cv) { 10.0 / CM_F_PER_M2 } else { 0.0 };
    let mut matrix = DMatrix::<f64>::zeros(7, 7);
    for cv in 0..7 {
        matrix[(cv, cv)] = 1.0 / DT_MS + if cv == 2 { 0.0 } else { leak };
    }
    for (child, parent, per_us) in rates() {
        let x = 1e3 * per_us;
        matrix[(child, child)] += x;
        matrix[(parent, parent)] += x;
        matrix[(child, parent)] -= x;
        matrix[(parent, child)] -= x;
    }
    let factors = matrix.lu();
    let probes = [0, 1, 3, 4, 5, 6];
    let v = |step: usize, probe: usize| traces.values[step * 6 + probe];
    let mut u = DVector::<f64>::zeros(7);
    let mut greatest = 0.0f64;
    for step in 1..STEPS {
        let mut rhs = &u / DT_MS;
        for (probe, &cv) in probes.iter().enumerate() {
            let (old, new) = (v(step - 1, probe), v(step, probe));
            // g u − Di + Dg (V − V'), Di = g u + seed (V − e), Dg = seed
            rhs[cv] += -seed(cv) * (old - E_MV) + seed(cv) * (old - new);
        }
        u = factors.solve(&rhs).expect("a regular matrix");
        for (probe, &cv) in probes.iter().enumerate() {
            greatest = greatest.max(u[cv].abs());
            let found = traces.sens[step * 6 + probe];
            assert!(
                (found - u[cv]).abs() <= ROUNDING * greatest,
                "step {step}, CV {cv}: {found} is not {}",
                u[cv]
            );
        }
    }
    assert!(greatest > 1.0, "nothing moved: {greatest}");
}
