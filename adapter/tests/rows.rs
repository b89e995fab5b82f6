//! Sensitivities in rows are those in columns, bit by bit: another order in memory, the same arithmetic.

use std::fs;
use std::path::{Path, PathBuf};

use compiler::emit::Names;
use graddiff::control::{Model, Traces};
use graddiff::hosts::{HostError, ShimHost};
use graddiff::plan::Plan;
use host_shim::{Location, Probe, ProbeKind};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/experiments")
}

fn run(plan: &Plan, name: &str) -> Traces {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rows-{name}-catalogue.so"));
    let mut host = ShimHost::new(plan, &path).expect("a host");
    let end = plan.experiment.simulation.duration_ms.min(10.0);
    host.simulate(&plan.values(), end, true).expect("a run")
}

fn same(plan: &Plan, name: &str) {
    let mut columns = plan.clone();
    columns.compiled.c_in_rows = None;
    assert!(!columns.in_rows());
    let (rows, columns) = (run(plan, name), run(&columns, &format!("{name}-columns")));
    let bits = |values: &[f64]| -> Vec<u64> { values.iter().map(|v| v.to_bits()).collect() };
    assert_eq!(bits(&rows.values), bits(&columns.values), "{name}");
    assert!(rows.sens.iter().any(|u| *u != 0.0), "{name}: nothing moves");
    // a slot that has no say in a block is added as +0 in rows
    let unsigned = |values: &[f64]| bits(&values.iter().map(|v| v + 0.0).collect::<Vec<_>>());
    assert_eq!(unsigned(&rows.sens), unsigned(&columns.sens), "{name}");
}

/// Every experiment whose sensitivities are in rows; a change that leaves few of them is noticed.
#[test]
fn rows_and_columns_have_the_same_bits() {
    let mut names: Vec<PathBuf> = fs::read_dir(folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    names.sort();
    let mut found = Vec::new();
    for path in names {
        let plan = Plan::load(&path).expect("a sound experiment");
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if plan.in_rows() {
            same(&plan, &name);
            found.push(name);
        }
    }
    assert!(found.len() >= 5, "only {found:?}");
}

/// `overlapping-channels` with one more channel, and sensitivities that fade.
fn channels(change: impl FnOnce(&mut Value)) -> Plan {
    let text = fs::read_to_string(folder().join("overlapping-channels.json")).expect("an experiment of ours");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    let mut push = |list: &str, value: Value| json[list].as_array_mut().expect("a list").push(value);
    push("mechanisms", json!("../../mechanisms/k/km.mod"));
    push(
        "slots",
        json!({"name": "vhalf", "targets": [{"mechanism": "km", "parameter": "vhalf", "region": "far"}]}),
    );
    let paint = json["cells"][0]["paint"].as_array_mut().expect("a list");
    paint.push(json!({"mechanism": "km"}));
    json["forgetting_per_ms"] = json!(0.02);
    change(&mut json);
    let experiment = serde_json::from_value(json).expect("an experiment");
    Plan::of(experiment, folder(), Vec::new()).expect("a sound experiment")
}

/// The first `count` of forty slots on half branches; some move two parameters of a mechanism, some its rates.
fn slots(count: usize) -> Plan {
    let moved: [&[(&str, &str)]; 4] = [
        &[("pas", "g"), ("pas", "e")],
        &[("km", "gbar")],
        &[("km", "vhalf")],
        &[("km", "q10")],
    ];
    let slot = |k: usize| {
        let (half, parameters) = (k / moved.len(), moved[k % moved.len()]);
        let prox = 0.5 * (half % 2) as f64;
        let region = json!({"cable": {"branch": half / 2, "prox": prox, "dist": prox + 0.5}});
        let target = |(m, p): &(&str, &str)| json!({"mechanism": m, "parameter": p, "region": region});
        let targets: Vec<Value> = parameters.iter().map(target).collect();
        json!({"name": format!("s{k}"), "scale": "relative", "targets": targets})
    };
    channels(|json| {
        json["slots"] = (0..count).map(slot).collect();
        json["name"] = json!(format!("rows-{count}"));
    })
}

/// One lane, full chunks, and a rest of each width.
#[test]
fn any_number_of_slots_goes_into_rows() {
    for count in [1, 8, 12, 14, 31] {
        let plan = slots(count);
        assert!(plan.in_rows());
        same(&plan, &format!("{count}-slots"));
    }
}

/// Who asks for a state's sensitivities finds them: then they are in columns. Who asks too late is told.
#[test]
fn named_sensitivities_keep_their_columns() {
    let plan = channels(|json| {
        let probe = json!({"name": "n", "variable": "km.n", "at": {"branch": 0, "pos": 0.5}});
        json["probes"].as_array_mut().expect("probes").push(probe);
    });
    assert!(plan.compiled.c_in_rows.is_some() && !plan.in_rows());
    assert!(run(&plan, "named").sens.iter().any(|u| *u != 0.0));
    let plan = channels(|_| ());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rows-unnamed-catalogue.so");
    let kind = ProbeKind::State {
        mechanism: "gd_km".into(),
        state: "d_n__gpas".into(),
        at: Location { branch: 0, pos: 0.5 },
    };
    let mut host = ShimHost::new(&plan, &path).expect("a host");
    let refused = host.record(&plan.values(), 1.0, true, &[Probe { cell: 0, kind }]);
    let error = refused.expect_err("it has no name");
    assert!(matches!(error, HostError::InRows { .. }), "{error}");
}

/// Rows hand ∂V/∂slot out where somebody asks for it, and nowhere else: who asks for other places in each run gets them.
#[test]
fn whoever_asks_for_a_place_is_told() {
    let plan = channels(|_| ());
    let mut columns = plan.clone();
    columns.compiled.c_in_rows = None;
    let recorded = |plan: &Plan, name: &str| -> Vec<Vec<u64>> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rows-{name}-catalogue.so"));
        let mut host = ShimHost::new(plan, &path).expect("a host");
        let mut at = |cv: usize| {
            let kind = ProbeKind::IonInternalInterpolated {
                ion: Names::voltage_ion("gpas"),
                weights: vec![(cv, 1.0)],
            };
            let probe = Probe { cell: 0, kind };
            let samples = host.record(&plan.values(), 3.0, true, &[probe]).expect("a run");
            let values: Vec<u64> = samples.probe(0).map(|u| (u + 0.0).to_bits()).collect();
            assert!(values.iter().any(|&u| u != 0), "{name}: nothing moves at {cv}");
            values
        };
        [0, 3, 0].map(&mut at).to_vec()
    };
    assert_eq!(recorded(&plan, "places"), recorded(&columns, "places-columns"));
}

/// Mechanisms, states and what is read may be called what C calls others.
#[test]
fn names_do_not_clash() {
    let write = |name: &str, conductance: &str| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.mod"));
        let source = format!(
            "NEURON {{ SUFFIX {name} NONSPECIFIC_CURRENT i RANGE g }}
PARAMETER {{ g = 0.0001 (S/cm2) }}
ASSIGNED {{ v (mV) i (mA/cm2) area (micron2) celsius (degC) }}
STATE {{ m s_m }}
BREAKPOINT {{
    SOLVE states METHOD cnexp
    if (celsius > 0 && v < 100) {{ i = {conductance}*m*s_m*(v + 60) }} else {{ i = 0 }}
}}
INITIAL {{ m = 0.1 s_m = 0.2 }}
DERIVATIVE states {{
    m' = (1/(1 + exp(-(v + 40)/10)) - m)/5
    s_m' = (1/(1 + exp(-(v + 50)/10)) - s_m)/3
}}
"
        );
        fs::write(&file, source).expect("a writable folder");
        file
    };
    let files = [
        ("clash", write("clash", "g")),
        ("clash_step_and", write("clash_step_and", "g*(1 + area/1000)")),
    ];
    let plan = channels(|json| {
        for (name, file) in &files {
            let push = |list: &mut Value, value: Value| list.as_array_mut().expect("a list").push(value);
            push(&mut json["mechanisms"], json!(file));
            push(&mut json["cells"][0]["paint"], json!({"mechanism": name}));
        }
    });
    same(&plan, "clash");
}
