//! What is emitted compiles whatever things are called, and keeps cells apart.

use std::fs;
use std::path::{Path, PathBuf};

use graddiff::control::Model;
use graddiff::hosts::ShimHost;
use graddiff::plan::Plan;
use graddiff::verify::{lanes, verify};
use serde_json::{Value, json};

/// A point process's state may be called what C calls the calcium that NET_RECEIVE reads, and hooks what C calls tables.
#[test]
fn names_of_events_and_writers_do_not_clash() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("events");
    fs::create_dir_all(&folder).expect("a writable folder");
    let pool = |name: &str, ion: &str| {
        format!(
            "NEURON {{ SUFFIX {name} USEION {ion} WRITE {ion}i RANGE k }}
PARAMETER {{ k = 1e-5 }}
ASSIGNED {{ v (mV) }}
STATE {{ {ion}i }}
INITIAL {{ {ion}i = 5e-5 }}
BREAKPOINT {{ SOLVE states METHOD cnexp }}
DERIVATIVE states {{ {ion}i' = k*(v + 70) - ({ion}i - 5e-5)/10 }}
"
        )
    };
    let synapse = "NEURON { POINT_PROCESS pt NONSPECIFIC_CURRENT i USEION ca READ cai RANGE g }
PARAMETER { g = 1e-2 }
ASSIGNED { v (mV) i (nA) }
STATE { e_cai }
INITIAL { e_cai = 0.1 }
BREAKPOINT { SOLVE states METHOD cnexp i = g*e_cai*v }
DERIVATIVE states { e_cai' = -e_cai/2 }
NET_RECEIVE(weight) { e_cai = e_cai*0.9 + weight*(1 + 1000*cai) }
";
    for (name, text) in [
        ("pool.mod", pool("pool", "ca")),
        ("pool_write.mod", pool("pool_write", "k")),
        ("pt.mod", synapse.into()),
    ] {
        fs::write(folder.join(name), text).expect("a writable folder");
    }
    let slot = |mechanism: &str, parameter: &str| {
        let targets = [json!({"mechanism": mechanism, "parameter": parameter})];
        json!({"name": format!("{mechanism}_{parameter}"), "targets": targets})
    };
    let json = json!({
        "name": "events",
        "mechanisms": ["pool.mod", "pool_write.mod", "pt.mod"],
        "cells": [{
            "name": "c",
            "morphology": {"cylinder": {"length_um": 300, "diameter_um": 3}},
            "cv_policy": {"fixed_per_branch": {"n": 3}},
            "paint": [{"mechanism": "pool"}, {"mechanism": "pool_write"}],
            "synapses": [{"label": "s", "mechanism": "pt", "at": [{"branch": 0, "pos": 0.3}]}],
            "generators": [{"target": "s", "weight": 0.1, "times_ms": [0.5, 1.5]}],
        }],
        "simulation": {"duration_ms": 3},
        "slots": [slot("pt", "g"), slot("pool", "k")],
        "probes": [{"name": "v", "at": {"branch": 0, "pos": 0.5}}],
    });
    let experiment = serde_json::from_value(json).expect("an experiment");
    let plan = Plan::of(experiment, folder.clone(), Vec::new()).expect("a sound experiment");
    let mut host = ShimHost::new(&plan, &folder.join("catalogue.so")).expect("a host");
    let names = ["pt_g".to_owned(), "pool_k".to_owned()];
    let verdict = verify(&mut host, &names, &plan.values(), 3.0, 1e-6, &lanes(&plan), |_| ()).expect("a run");
    assert!(verdict.passed, "{verdict:?}");
}

/// What is not a number in one cell stays there.
#[test]
fn cells_do_not_spoil_each_other() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("saturated.mod");
    let source = "NEURON { SUFFIX saturated NONSPECIFIC_CURRENT i RANGE g }
PARAMETER { g = 0.0001 (S/cm2) }
ASSIGNED { v (mV) i (mA/cm2) }
STATE { s }
INITIAL { s = 0.1 }
BREAKPOINT { SOLVE states METHOD cnexp i = g*s*(v + 60) }
DERIVATIVE states { s' = (1/(1 + exp(-(v - 10)/0.1)) - s)/3 }
";
    fs::write(&file, source).expect("a writable folder");
    let cell = |name: &str, paint: Value| {
        json!({
            "name": name,
            "morphology": {"cylinder": {"length_um": 100, "diameter_um": 2}},
            "cv_policy": {"fixed_per_branch": {"n": 2}},
            "paint": paint,
        })
    };
    let pas = json!({"mechanism": "pas", "parameters": {"e": -66}});
    let json = json!({
        "name": "cells",
        "mechanisms": [file, "pas/pas.mod"],
        "cells": [cell("healthy", json!([pas])), cell("sick", json!([pas, {"mechanism": "saturated"}]))],
        "simulation": {"duration_ms": 2},
        "slots": [{"name": "g", "targets": [{"mechanism": "pas", "parameter": "g"}]}],
        "probes": [
            {"name": "healthy", "cell": "healthy", "at": {"branch": 0, "pos": 0.5}},
            {"name": "sick", "cell": "sick", "at": {"branch": 0, "pos": 0.5}},
        ],
    });
    let mechanisms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mechanisms");
    let experiment = serde_json::from_value(json).expect("an experiment");
    let plan = Plan::of(experiment, mechanisms, Vec::new()).expect("a sound experiment");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cells-catalogue.so");
    let mut host = ShimHost::new(&plan, &path).expect("a host");
    let sens = host.simulate(&plan.values(), 2.0, true).expect("a run").sens;
    assert!(sens.iter().step_by(2).all(|u| u.is_finite()), "{sens:?}");
    assert!(
        sens.iter().skip(1).step_by(2).any(|u| !u.is_finite()),
        "the other cell is well: {sens:?}"
    );
}
