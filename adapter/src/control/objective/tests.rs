use super::*;
use crate::control::test_models::Analytic;
use proptest::prelude::*;

const X: [f64; 4] = [1.3, 0.4, -0.7, 1.9];
const X_TARGET: [f64; 4] = [1.0, 0.5, -0.5, 2.0];

fn windows() -> Vec<Window> {
    vec![
        Window {
            from_ms: 0.5,
            to_ms: 2.0,
            weight: 2.0,
        },
        Window {
            from_ms: 1.5,
            to_ms: 3.0,
            weight: 0.5,
        },
    ]
}

fn weighted() -> Objective {
    Objective::new(
        Analytic::exponentials().target(&X_TARGET, 5.0),
        vec![1.0, 0.3],
        &windows(),
    )
    .unwrap()
}

/// Three samples, one probe, by hand: V* = (1, 2, 3).
fn by_hand(windows: &[Window]) -> Objective {
    let target = Target {
        times_ms: vec![0.0, 1.0, 2.0],
        n_probes: 1,
        values: vec![1.0, 2.0, 3.0],
    };
    Objective::new(target, vec![], windows).unwrap()
}

fn traces_by_hand() -> Traces {
    Traces {
        times_ms: vec![0.0, 1.0, 2.0],
        n_probes: 1,
        values: vec![2.0, 4.0, 0.0],
        n_slots: 2,
        sens: vec![1.0, 0.0, 0.5, -1.0, 2.0, 3.0],
    }
}

#[test]
fn unit_weights_give_the_plain_mean_square() {
    let (o, t) = (by_hand(&[]), traces_by_hand());
    // errors 1, 2, −3: L = 14/3; ∂L/∂x = 2/3 (1·1 + 2·0.5 − 3·2, −2·1 − 3·3)
    assert!((o.loss(&t, 10.0).unwrap() - 14.0 / 3.0).abs() < 1e-15);
    let (loss, gradient) = o.gradient(&t, 10.0).unwrap();
    assert!((loss - 14.0 / 3.0).abs() < 1e-15);
    assert!((gradient[0] + 8.0 / 3.0).abs() < 1e-15 && (gradient[1] + 22.0 / 3.0).abs() < 1e-15);
}

#[test]
fn windows_add_and_are_half_open() {
    let w = |from_ms, to_ms, weight| Window { from_ms, to_ms, weight };
    // Weights (1, 1 + 2, 0).
    let o = by_hand(&[w(0.0, 2.0, 1.0), w(1.0, 2.0, 2.0)]);
    assert!((o.loss(&traces_by_hand(), 10.0).unwrap() - (1.0 + 3.0 * 4.0) / 4.0).abs() < 1e-15);
}

#[test]
fn horizon_drops_samples_at_or_after_it() {
    let (o, t) = (by_hand(&[]), traces_by_hand());
    assert!((o.loss(&t, 2.0).unwrap() - 2.5).abs() < 1e-15);
    // An accumulated clock that lags a rounding behind still counts as the horizon.
    assert_eq!(o.n_samples_before(1.0 + 1e-10), 1);
    assert_eq!(o.residuals(&t, 2.0).unwrap().values.len(), 2);
}

#[test]
fn nan_without_weight_is_harmless_and_with_weight_shows() {
    let w = |from_ms, to_ms| Window {
        from_ms,
        to_ms,
        weight: 1.0,
    };
    let mut t = traces_by_hand();
    t.values[1] = f64::NAN;
    let o = by_hand(&[w(0.0, 1.0), w(2.0, 3.0)]);
    assert!((o.loss(&t, 10.0).unwrap() - 5.0).abs() < 1e-15);
    assert!(by_hand(&[]).loss(&t, 10.0).unwrap().is_nan());
}

#[test]
fn residuals_and_gradient_tell_the_same_story() {
    let (o, t) = (weighted(), Analytic::exponentials().traces(&X, 5.0, true));
    for horizon_ms in [1.0, 2.3, 5.0] {
        let (loss, gradient) = o.gradient(&t, horizon_ms).unwrap();
        let r = o.residuals(&t, horizon_ms).unwrap();
        assert!((r.values.norm_squared() / loss - 1.0).abs() < 1e-14);
        let from_residuals = r.jacobian.tr_mul(&r.values) * 2.0;
        for (a, b) in gradient.iter().zip(&from_residuals) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
    }
}

proptest! {
    #[test]
    fn derivatives_are_central_differences(
        x in proptest::array::uniform4(0.2..2.0_f64),
        horizon_ms in 1.0..5.0_f64,
    ) {
        let (o, model) = (weighted(), Analytic::exponentials());
        let traces = model.traces(&x, 5.0, true);
        let (_, gradient) = o.gradient(&traces, horizon_ms).unwrap();
        let jacobian = o.residuals(&traces, horizon_ms).unwrap().jacobian;
        for slot in 0..4 {
            let at = |h: f64| {
                let mut moved = x;
                moved[slot] += h;
                let traces = model.traces(&moved, 5.0, false);
                (o.loss(&traces, horizon_ms).unwrap(), o.residuals(&traces, horizon_ms).unwrap().values)
            };
            // Richardson over h and 2h: truncation O(h⁴) ≈ 1e-13 · f⁽⁵⁾, rounding ε L / h ≈ 1e-13 · L.
            let h = 5e-4;
            let ((l1, r1), (l2, r2), (l3, r3), (l4, r4)) = (at(h), at(-h), at(2.0 * h), at(-2.0 * h));
            let dl = (8.0 * (l1 - l2) - (l3 - l4)) / (12.0 * h);
            let dr = ((r1 - r2) * 8.0 - (r3 - r4)) / (12.0 * h);
            prop_assert!((gradient[slot] - dl).abs() <= 1e-9 * (1.0 + dl.abs()), "{} {dl}", gradient[slot]);
            prop_assert!((jacobian.column(slot) - dr).amax() <= 1e-9);
        }
    }
}

#[test]
fn mismatched_traces_are_named() {
    let o = by_hand(&[]);
    let good = traces_by_hand();
    let refuse = |change: fn(&mut Traces)| {
        let mut t = good.clone();
        change(&mut t);
        o.gradient(&t, 10.0).unwrap_err()
    };
    assert_eq!(
        refuse(|t| t.n_probes = 3),
        ObjectiveError::Probes { target: 1, traces: 3 }
    );
    assert_eq!(
        refuse(|t| t.times_ms[1] = 1.1),
        ObjectiveError::Grid {
            sample: 1,
            target_ms: 1.0,
            traces_ms: 1.1
        }
    );
    assert!(matches!(
        refuse(|t| t.times_ms[1] = f64::NAN),
        ObjectiveError::Grid { sample: 1, .. }
    ));
    assert_eq!(
        refuse(|t| t.sens.clear()),
        ObjectiveError::Shape {
            field: "sensitivities",
            found: 0,
            expected: 6
        }
    );
    assert_eq!(
        refuse(|t| {
            t.times_ms.pop();
        }),
        ObjectiveError::Shape {
            field: "trace values",
            found: 3,
            expected: 2
        }
    );
    assert_eq!(
        refuse(|t| {
            t.times_ms.pop();
            t.values.pop();
            t.sens.truncate(4);
        }),
        ObjectiveError::Samples {
            target: 3,
            traces: 2,
            horizon_ms: 10.0
        }
    );
    assert_eq!(
        o.loss(&good, 0.0).unwrap_err(),
        ObjectiveError::NoWeight { horizon_ms: 0.0 }
    );
}

#[test]
fn bad_targets_and_weights_are_named() {
    let target = |times_ms: &[f64], values: &[f64]| Target {
        times_ms: times_ms.to_vec(),
        n_probes: 1,
        values: values.to_vec(),
    };
    let good = target(&[0.0, 1.0], &[1.0, 2.0]);
    let refuse = |t: &Target, probes: &[f64], windows: &[Window]| {
        Objective::new(t.clone(), probes.to_vec(), windows).unwrap_err()
    };
    assert_eq!(
        refuse(&target(&[0.0, 1.0], &[1.0]), &[], &[]),
        ObjectiveError::Shape {
            field: "target values",
            found: 1,
            expected: 2
        }
    );
    assert_eq!(
        refuse(&target(&[1.0, 1.0], &[1.0, 2.0]), &[], &[]),
        ObjectiveError::TimeOrder {
            sample: 1,
            previous_ms: 1.0,
            time_ms: 1.0
        }
    );
    assert!(matches!(
        refuse(&target(&[0.0, f64::NAN], &[1.0, 2.0]), &[], &[]),
        ObjectiveError::TimeOrder { .. }
    ));
    assert_eq!(
        refuse(&target(&[0.0, 1.0], &[1.0, f64::NAN]), &[], &[]),
        ObjectiveError::TargetValue { sample: 1, probe: 0 }
    );
    assert_eq!(
        refuse(&good, &[-1.0], &[]),
        ObjectiveError::ProbeWeight { probe: 0, weight: -1.0 }
    );
    assert_eq!(
        refuse(&good, &[1.0, 1.0], &[]),
        ObjectiveError::Shape {
            field: "probe weights",
            found: 2,
            expected: 1
        }
    );
    let empty = Window {
        from_ms: 1.0,
        to_ms: 1.0,
        weight: 1.0,
    };
    assert!(matches!(
        refuse(&good, &[], &[empty]),
        ObjectiveError::BadWindow { index: 0, .. }
    ));
    let late = Window {
        from_ms: 5.0,
        to_ms: 6.0,
        weight: 1.0,
    };
    assert!(matches!(refuse(&good, &[], &[late]), ObjectiveError::NoWeight { .. }));
    assert!(matches!(refuse(&good, &[0.0], &[]), ObjectiveError::NoWeight { .. }));
    assert!(matches!(
        refuse(&target(&[], &[]), &[], &[]),
        ObjectiveError::NoWeight { .. }
    ));
}
