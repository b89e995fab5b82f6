use std::path::PathBuf;

use compiler::emit::Names;
use host_shim::Location;

use super::*;
use crate::experiment::Simulation;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn plan(name: &str) -> Plan {
    Plan::load(&root().join("tests/experiments").join(name)).unwrap()
}

fn request(plan: &Plan, variant: Variant) -> Request {
    Request::new(plan, Path::new("/c.so"), &plan.values(), variant).unwrap()
}

#[test]
fn samples_fall_into_the_middle_of_steps_where_they_can() {
    let times = |duration_ms, dt_ms, sample_every_ms| {
        sample_times_ms(&Simulation {
            duration_ms,
            dt_ms,
            sample_every_ms,
            seed: 0,
        })
    };
    assert_eq!(times(1.0, 0.25, 0.5), [0.125, 0.625]);
    assert_eq!(times(1.0, 0.25, 0.25), [0.125, 0.375, 0.625, 0.875]);
    assert_eq!(times(1.0, 0.25, 0.375), [0.0, 0.375, 0.75]);
    // 0.1 is not a multiple of 0.025 in floating point, but meant as one; a 3000th of a step is not
    assert_eq!(times(50.0, 0.025, 0.1).len(), 500);
    assert_eq!(times(0.3, 0.1, 0.2 + 1e-4), [0.0, 0.2 + 1e-4]);
}

#[test]
fn policies_are_spelled_as_arbor_reads_them() {
    let all = |n, interior_forks| policy(&CvPolicy::FixedPerBranch { n, interior_forks });
    assert_eq!(all(7, false), "(fixed-per-branch 7)");
    assert_eq!(all(7, true), "(fixed-per-branch 7 (all) (flag-interior-forks))");
    assert_eq!(
        policy(&CvPolicy::MaxExtent {
            um: 10.0,
            interior_forks: false
        }),
        "(max-extent 10.0)"
    );
    assert_eq!(policy(&CvPolicy::Single), "(single)");
    assert_eq!(policy(&CvPolicy::EverySegment), "(every-segment)");
    let explicit = |at: &[f64]| policy(&CvPolicy::Explicit(at.iter().map(|&x| Location::new(2, x)).collect()));
    assert_eq!(explicit(&[]), "(explicit (locset-nil))");
    assert_eq!(explicit(&[0.1]), "(explicit (location 2 0.1))");
    assert_eq!(
        explicit(&[0.1, 0.5, 0.1]),
        "(explicit (sum (location 2 0.1) (location 2 0.5)))"
    );
}

#[test]
fn json_keeps_every_bit() {
    for name in ["overlapping-channels.json", "two-cells-root-fork.json"] {
        let sent = request(&plan(name), Variant::Augmented);
        let text = serde_json::to_string(&sent).unwrap();
        assert!(!text.contains('\n'), "one request, one line");
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), sent);
    }
}

#[test]
fn slots_move_parameters_and_seeds_do_not_depend_on_them() {
    let plan = plan("overlapping-channels.json");
    let mut x = plan.values();
    let soma = plan.slot("gna_soma").unwrap();
    x[soma] *= 2.0;
    let before = request(&plan, Variant::Augmented);
    let after = Request::new(&plan, Path::new("/c.so"), &x, Variant::Augmented).unwrap();
    let mut changed = 0;
    for (old, new) in before.cells[0].paint.iter().zip(&after.cells[0].paint) {
        if old == new {
            continue;
        }
        changed += 1;
        assert_eq!(new.mechanism, "gd_na");
        let mut expected = old.clone();
        *expected.parameters.get_mut("gbar").unwrap() *= 2.0;
        assert_eq!((&expected, new.parameters["seed_gbar__gna_soma"]), (new, 1.0));
    }
    assert_eq!(changed, 1);
    let plain = request(&plan, Variant::Plain);
    let names = |r: &Request| r.cells[0].paint.iter().map(|p| p.mechanism.clone()).collect::<Vec<_>>();
    assert!(
        names(&plain).iter().all(|n| !n.starts_with("gd")),
        "{:?}",
        names(&plain)
    );
    assert!(
        plain.cells[0]
            .paint
            .iter()
            .all(|p| p.parameters.keys().all(|k| !k.starts_with("seed")))
    );
    assert!(plain.valences.keys().all(|ion| !ion.starts_with("gd")));
    // one carrier per CV with area, a table's row each
    let carriers = before.cells[0].paint.iter().filter(|p| p.mechanism == Names::CARRIER);
    let tree = plan.cells[0].tree.as_ref().unwrap();
    assert_eq!(carriers.clone().count(), tree.n_instances());
    assert!(
        carriers
            .zip(&tree.cap_pf)
            .all(|(row, cap)| row.parameters["cap"].to_bits() == cap.to_bits())
    );
}

#[test]
fn forgetting_reaches_every_augmented_mechanism() {
    let mut plan = plan("two-cells-root-fork.json");
    assert!(
        request(&plan, Variant::Augmented)
            .cells
            .iter()
            .all(|c| c.globals.is_empty())
    );
    plan.experiment.forgetting_per_ms = 0.5;
    assert!(
        request(&plan, Variant::Plain)
            .cells
            .iter()
            .all(|c| c.globals.is_empty())
    );
    for cell in request(&plan, Variant::Augmented).cells {
        for paint in &cell.paint {
            assert_eq!(
                cell.globals[&paint.mechanism],
                BTreeMap::from([("gd__forgetting".into(), 0.5)])
            );
        }
    }
}

#[test]
fn answers_become_traces() {
    let plan = plan("branched-trivial-forks.json");
    let request = request(&plan, Variant::Augmented);
    let n = request.samples_ms.len();
    let run = Run {
        times_ms: request.samples_ms.clone(),
        values: (0..request.record.len()).map(|i| vec![i as f64; n]).collect(),
        spikes: Vec::new(),
    };
    let traces = request.traces(&run).unwrap();
    assert_eq!((traces.n_probes, traces.n_slots), (plan.probes.len(), 3));
    for (probe, row) in request.probes.iter().enumerate() {
        let direct = |terms: &Terms| terms.iter().map(|&(i, w)| i as f64 * w).sum::<f64>();
        assert_eq!(
            traces.values[traces.n_probes + probe].to_bits(),
            direct(&row.value).to_bits()
        );
        for slot in 0..3 {
            let at = (traces.n_probes + probe) * 3 + slot;
            assert_eq!(traces.sens[at].to_bits(), direct(&row.sensitivities[slot]).to_bits());
        }
    }
    let mut short = run.clone();
    short.values[0].pop();
    assert!(matches!(
        request.traces(&short),
        Err(ExportError::Shape { what: "samples", .. })
    ));
    short.values.remove(0);
    assert!(matches!(
        request.traces(&short),
        Err(ExportError::Shape { what: "quantities", .. })
    ));
}

/// Arbor's own interpolation is right for the first cell of a group only.
#[test]
fn voltages_of_later_cells_are_sums_over_cvs() {
    let request = request(&plan("two-cells-root-fork.json"), Variant::Plain);
    for (row, (cell, own)) in request
        .probes
        .iter()
        .zip([(0, true), (0, true), (1, false), (1, false)])
    {
        assert!((row.value.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-15);
        for quantity in row.value.iter().map(|&(i, _)| &request.record[i]) {
            assert_eq!(
                (quantity.cell, matches!(quantity.of, Variable::Voltage { .. })),
                (cell, own)
            );
        }
    }
}

#[test]
fn what_json_or_arbor_cannot_say_is_refused() {
    let mut plan = plan("two-cells-root-fork.json");
    let new = |plan: &Plan, x: &[f64]| Request::new(plan, Path::new("/c.so"), x, Variant::Plain);
    assert_eq!(new(&plan, &[1.0]), Err(ExportError::Slots { found: 1, expected: 3 }));
    let mut x = plan.values();
    x[1] = f64::INFINITY;
    let value = f64::INFINITY;
    assert_eq!(
        new(&plan, &x),
        Err(ExportError::NotFinite {
            slot: "gpas".into(),
            value
        })
    );
    plan.cells[1].ions.get_mut("k").unwrap().valence = 3;
    let refused = ExportError::Valence {
        ion: "k".into(),
        first: 1,
        second: 3,
        cell: "tree".into(),
    };
    assert_eq!(new(&plan, &plan.values()), Err(refused));
}
