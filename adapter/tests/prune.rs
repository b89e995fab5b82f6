//! What a plan leaves out changes no number: against the same experiment with every slot on every cell.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use compiler::{Keep, Options, SlotSpec};
use graddiff::control::{Model, Traces};
use graddiff::hosts::{HostError, ShimHost};
use graddiff::plan::{Plan, Variant};
use graddiff::verify::{lanes, verify};
use host_shim::{Location, Probe, ProbeKind};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/experiments")
}

/// `apart.json`: a and b have two slots each, no slot reaches c.
fn apart(change: impl FnOnce(&mut Value)) -> Plan {
    let text = fs::read_to_string(folder().join("apart.json")).expect("an experiment of ours");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut json);
    let experiment = serde_json::from_value(json).expect("an experiment");
    Plan::of(experiment, folder(), Vec::new()).expect("a sound experiment")
}

fn host(plan: &Plan) -> ShimHost {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let (process, n) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("prune-{process}-{n}-catalogue.so"));
    let host = ShimHost::new(plan, &path).expect("a host");
    fs::remove_file(path).expect("our own file; the mapping outlives its name");
    host
}

/// The same with nothing left out: every slot on every cell, under its own name, and every variable.
fn everything(plan: &Plan) -> Plan {
    let mut all = plan.clone();
    let spec = |slot: &graddiff::experiment::Slot| SlotSpec {
        name: slot.name.clone(),
        targets: slot
            .targets
            .iter()
            .map(|t| (t.mechanism.clone(), t.parameter.clone()))
            .collect(),
    };
    let stored = ["m", "h", "n", "minf", "mtau", "hinf", "htau", "ninf", "ntau"];
    let options = Options {
        slots: plan.experiment.slots.iter().map(spec).collect(),
        keep: Keep::Named(stored.iter().map(|s| ("hh".into(), (*s).into())).collect()),
        ..Options::default()
    };
    all.compiled = compiler::compile(&plan.sources, &options).expect("it did before");
    assert_eq!(all.compiled.pruned, Vec::new());
    for slot in &mut all.slots {
        slot.in_catalogue.clone_from(&slot.name);
    }
    for cell in &mut all.cells {
        cell.slots = (0..plan.slots.len()).collect();
        cell.carries = true;
    }
    all
}

fn run(plan: &Plan) -> (Traces, Traces) {
    let mut host = host(plan);
    let end = plan.experiment.simulation.duration_ms;
    let plain = host.simulate(&plan.values(), end, false).expect("a run");
    let tangent = host.simulate(&plan.values(), end, true).expect("a run");
    (plain, tangent)
}

/// Position of the first difference in bits.
fn difference(a: &[f64], b: &[f64]) -> Option<usize> {
    assert_eq!(a.len(), b.len());
    // what is left out is +0, what is computed may be −0
    a.iter()
        .zip(b)
        .position(|(a, b)| (a + 0.0).to_bits() != (b + 0.0).to_bits())
}

fn same_as_everything(plan: &Plan) -> Traces {
    let (plain, pruned) = run(plan);
    let (_, full) = run(&everything(plan));
    for (what, found, wanted) in [
        ("values with and without sensitivities", &pruned.values, &plain.values),
        ("values of pruned and full", &pruned.values, &full.values),
        ("sensitivities of pruned and full", &pruned.sens, &full.sens),
    ] {
        assert_eq!(difference(found, wanted), None, "{what}");
    }
    pruned
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.slots.iter().map(|s| s.in_catalogue.as_str()).collect()
}

fn slots(plan: &Plan) -> Vec<(&str, &[usize], bool)> {
    let cells = plan.cells.iter();
    cells
        .map(|c| (c.name.as_str(), c.slots.as_slice(), c.carries))
        .collect()
}

#[test]
fn slots_of_different_cells_share_and_a_cell_without_runs_plain() {
    let plan = apart(|_| ());
    assert_eq!(
        slots(&plan),
        [("a", &[0, 1][..], true), ("b", &[2, 3], true), ("c", &[], false)]
    );
    // gk_a and gk_b have the same target, so they go together
    assert_eq!(names(&plan), ["shared1", "shared2", "shared2", "shared1"]);
    assert_eq!(plan.compiled.slots.names, ["shared1", "shared2"]);
    assert_eq!(plan.pruned.cells, ["c"]);
    assert_eq!(plan.pruned.shared_slots, [["gna_a", "g_b"], ["gk_a", "gk_b"]]);
    let hh = &plan.pruned.mechanisms[0];
    assert_eq!(
        (hh.mechanism.as_str(), hh.values.len()),
        ("hh", 5),
        "all but minf, which is probed"
    );

    let traces = same_as_everything(&plan);
    let moves = |probe: usize, slot: usize| {
        let of_probe = traces
            .sens
            .chunks_exact(traces.n_slots)
            .skip(probe)
            .step_by(traces.n_probes);
        of_probe.map(|row| row[slot].abs()).fold(0.0, f64::max) > 0.0
    };
    for (k, probe) in plan.probes.iter().enumerate() {
        let reached: Vec<usize> = (0..4).filter(|&s| moves(k, s)).collect();
        assert_eq!(reached, plan.cells[probe.cell].slots, "{}", probe.name);
    }
}

/// Slots cross junctions, and then no cell in the junctions' group may be left out.
#[test]
fn gap_junctions_carry_slots_to_other_cells() {
    let join = |json: &mut Value| {
        json["mechanisms"]
            .as_array_mut()
            .expect("a list")
            .push(json!("../../mechanisms/junction/gap.mod"));
        for cell in [0, 2] {
            let at = json!({ "branch": 0, "pos": 0.5 });
            json["cells"][cell]["junctions"] =
                json!([{ "label": "gap", "mechanism": "gap", "at": at, "parameters": { "g": 0.001 } }]);
        }
        let site = |cell| json!({ "cell": cell, "junction": "gap" });
        json["gap_junctions"] = json!([{ "a": site("a"), "b": site("c") }]);
        let mut bystander = json["cells"][1].clone();
        bystander["name"] = json!("bystander");
        json["cells"].as_array_mut().expect("a list").push(bystander);
        json["groups"] = json!([["a", "bystander"]]);
    };
    let plan = apart(join);
    assert_eq!(
        slots(&plan),
        [
            ("a", &[0, 1][..], true),
            ("c", &[0, 1], true),
            ("bystander", &[], true),
            ("b", &[2, 3], true)
        ]
    );
    assert_eq!(plan.pruned.cells, [""; 0]);
    same_as_everything(&plan);
    let end = plan.experiment.simulation.duration_ms;
    let names: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    let x = plan.values();
    let verdict = verify(&mut host(&plan), &names, &x, end, 1e-6, &lanes(&plan), |_| ()).expect("runs");
    assert!(verdict.passed, "{verdict:?}");
}

/// A group alone is no reason: plain and augmented cells share arrays.
#[test]
fn cells_of_a_group_may_differ() {
    let plan = apart(|json| json["groups"] = json!([["a", "c", "b"]]));
    assert_eq!(plan.groups, [[0, 1, 2]]);
    assert_eq!(
        slots(&plan),
        [("a", &[0, 1][..], true), ("b", &[2, 3], true), ("c", &[], false)]
    );
    same_as_everything(&plan);
}

/// The carrier has a short way for cells of one control volume: the same bits as beside a tree.
#[test]
fn a_cell_of_one_cv_has_the_same_bits_alone() {
    let plan = apart(|json| {
        let slot = json!({ "name": "gna_c", "targets": [{ "mechanism": "hh", "parameter": "gnabar", "cell": "c" }] });
        json["slots"] = json!([slot]);
    });
    assert_eq!(
        slots(&plan),
        [("a", &[][..], false), ("b", &[], false), ("c", &[0], true)]
    );
    let traces = same_as_everything(&plan);
    assert!(traces.sens.iter().any(|s| *s != 0.0));
}

/// A slot that all cells have keeps its name; a name that is taken is not given again.
#[test]
fn shared_names_are_new() {
    let plan = apart(|json| {
        json["slots"][0]["name"] = json!("shared1");
        let all = json!({ "name": "el", "targets": [{ "mechanism": "hh", "parameter": "el" }] });
        json["slots"].as_array_mut().expect("a list").push(all);
    });
    assert_eq!(names(&plan), ["shared2", "shared3", "shared3", "shared2", "el"]);
    assert_eq!(plan.pruned.cells, [""; 0]);
    same_as_everything(&plan);
}

/// Where slots do not meet, their number costs nothing: what a cell keeps per CV is that of its own slots.
#[test]
fn many_cells_with_slots_of_their_own_cost_as_one() {
    let plan = apart(|json| {
        let cell = json["cells"][0].clone();
        json["connections"] = json!([]);
        let copy = |i: usize| {
            let mut copy = cell.clone();
            copy["name"] = json!(format!("c{i}"));
            copy
        };
        json["cells"] = (0..10).map(copy).collect();
        let slot = |i: usize, parameter: &str| {
            let target = json!({ "mechanism": "hh", "parameter": parameter, "cell": format!("c{i}") });
            json!({ "name": format!("{parameter}{i}"), "targets": [target] })
        };
        json["slots"] = (0..10).flat_map(|i| [slot(i, "gnabar"), slot(i, "gkbar")]).collect();
        json["probes"] = json!([{ "name": "v", "cell": "c7", "at": { "branch": 0, "pos": 0.5 } }]);
    });
    assert_eq!(plan.slots.len(), 20);
    assert_eq!(plan.compiled.slots.names, ["shared1", "shared2"]);
    assert_eq!(plan.compiled.slots.seeds.len(), 2);
    assert_eq!(plan.pruned.shared_slots.len(), 2);
}

#[test]
fn probing_what_was_pruned_says_so() {
    let mut plan = apart(|json| {
        let probe = json!({ "name": "a", "cell": "a", "at": { "branch": 0, "pos": 0.5 } });
        json["probes"] = json!([probe]);
    });
    // where sensitivities have names
    plan.compiled.c_in_rows = None;
    let mut host = host(&plan);
    let mut record = |mechanism: String, state: &str| {
        let (mechanism, state, at) = (mechanism, state.to_string(), Location::new(0, 0.5));
        let kind = ProbeKind::State { mechanism, state, at };
        host.record(&plan.values(), 1.0, true, &[Probe { cell: 0, kind }])
            .map(|_| ())
    };
    let augmented = Variant::Augmented.name("hh");
    for variable in ["htau", "d_htau__shared1"] {
        match record(augmented.clone(), variable) {
            Err(HostError::Pruned { variable: v, mechanism }) => {
                assert_eq!((v.as_str(), mechanism.as_str()), (variable, "hh"))
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(record(augmented.clone(), "m").is_ok() && record(augmented.clone(), "d_m__shared1").is_ok());
    // what was never there is another matter
    assert!(matches!(record(augmented, "q"), Err(HostError::Simulation(_))));
}
