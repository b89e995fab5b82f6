use nalgebra::DVector;

use super::*;
use crate::control::test_models::Analytic;
use crate::control::{Target, Window};

const LOG: Transform = Transform::Log;
const IDENTITY: Transform = Transform::Identity;
const BOUNDED: Transform = Transform::Bounded { low: -1.0, high: 9.0 };

/// `V = a + b t`, four samples: JᵀJ = [[4, 6], [6, 14]], its inverse [[14, −6], [−6, 4]]/20.
fn line() -> Analytic {
    Analytic::new(2, 1.0, |x, t| vec![(x[0] + x[1] * t, vec![1.0, t])])
}

/// `V = a b t + c`: a and b only as a product.
fn product() -> Analytic {
    Analytic::new(3, 1.0, |x, t| {
        vec![(x[0] * x[1] * t + x[2], vec![x[1] * t, x[0] * t, 1.0])]
    })
}

fn identified(
    model: &Analytic,
    end_ms: f64,
    weights: &[f64],
    windows: &[Window],
    transforms: &[Transform],
    x: &[f64],
) -> Identifiability {
    let traces = model.traces(x, end_ms, true);
    let target = Target {
        times_ms: traces.times_ms.clone(),
        n_probes: traces.n_probes,
        values: vec![0.0; traces.values.len()],
    };
    let objective = Objective::new(target, weights.to_vec(), windows).unwrap();
    identify(&objective, &traces, end_ms, transforms, x).unwrap()
}

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-13 * expected.abs(), "{found} {expected}");
}

#[test]
fn errors_of_a_straight_line_in_any_coordinates() {
    let x = [5.0, 0.25];
    for transforms in [[IDENTITY, IDENTITY], [LOG, LOG], [BOUNDED, LOG], [IDENTITY, BOUNDED]] {
        let found = identified(&line(), 4.0, &[], &[], &transforms, &x);
        let [a, b] = [0.7_f64.sqrt(), 0.2_f64.sqrt()];
        for (slot, error, x) in [(0, a, x[0]), (1, b, x[1])] {
            assert_close(found.slots[slot].standard_error, error);
            assert_close(found.slots[slot].relative, error / x);
        }
        assert_close(found.slots[0].relative_alone, 0.5 / x[0]);
        assert_close(found.slots[1].relative_alone, 1.0 / (14.0_f64.sqrt() * x[1]));
        assert_eq!(found.n_entries, 4);
        assert_eq!(
            found.slots.iter().map(Precision::verdict).collect::<Vec<_>>(),
            [Verdict::Weak, Verdict::Undetermined]
        );
    }
}

#[test]
fn the_spectrum_is_that_of_the_tuned_coordinates() {
    let x = [5.0, 0.25];
    // Trace and determinant of JᵀJ for y: columns times dx/dy. Bounded at 5: 10 · 0.6 · 0.4.
    for (transforms, [da, db]) in [
        ([IDENTITY, IDENTITY], [1.0, 1.0]),
        ([LOG, LOG], [5.0, 0.25]),
        ([BOUNDED, IDENTITY], [2.4, 1.0]),
    ] {
        let found = identified(&line(), 4.0, &[], &[], &transforms, &x);
        let [first, second] = [found.spectrum.values[0], found.spectrum.values[1]];
        assert_close(first + second, 4.0 * da * da + 14.0 * db * db);
        assert_close(first * second, 20.0 * da * da * db * db);
        assert_close(found.direction_error(1), 1.0 / second.sqrt());
    }
}

#[test]
fn a_product_leaves_its_quotient_undetermined_and_nothing_else() {
    // Third: factors so unequal that unscaled columns would hide the third slot below the first two.
    for x in [[2.0, 3.0, 4.0], [0.5, 7.0, -4.0], [1e9, 3e-3, 1e-6]] {
        let found = identified(&product(), 4.0, &[], &[], &[LOG, LOG, IDENTITY], &x);
        let verdicts: Vec<bool> = found.slots.iter().map(|s| s.standard_error.is_finite()).collect();
        assert_eq!(verdicts, [false, false, true], "{x:?}: {:?}", found.slots);
        assert_close(found.slots[2].standard_error, 0.7_f64.sqrt());
        assert_eq!(found.slots[0].verdict(), Verdict::Undetermined);
        // Each by itself would be known: both columns are a b t in relative terms.
        assert_close(found.slots[0].relative_alone, found.slots[1].relative_alone);
        assert!(found.slots[0].relative_alone.is_finite());
        let last = found.spectrum.vectors.column(2);
        let half = 0.5_f64.sqrt();
        let distance = (last - DVector::from_row_slice(&[half, -half, 0.0])).norm();
        let opposite = (last + DVector::from_row_slice(&[half, -half, 0.0])).norm();
        assert!(distance.min(opposite) < 1e-7, "{x:?}: {last}");
        assert!(found.spectrum.values[2] < 1e-20 * found.spectrum.values[0]);
    }
}

#[test]
fn a_slot_without_effect_has_no_bound_and_costs_the_others_nothing() {
    let idle = Analytic::new(3, 1.0, |x, t| vec![(x[0] + x[2] * t, vec![1.0, 0.0, t])]);
    let found = identified(&idle, 4.0, &[], &[], &[IDENTITY; 3], &[0.0, 1.0, 1.0]);
    assert_close(found.slots[0].standard_error, 0.7_f64.sqrt());
    assert_close(found.slots[0].relative, 0.7_f64.sqrt());
    assert!(found.slots[1].standard_error.is_infinite() && found.slots[1].relative_alone.is_infinite());
    assert_close(found.slots[2].standard_error, 0.2_f64.sqrt());
    assert_eq!(found.n_determined(), 0);
    assert!(found.direction_error(2).is_infinite());
}

#[test]
fn weights_are_inverse_variances_and_windows_choose_samples() {
    let plain = identified(&line(), 4.0, &[], &[], &[IDENTITY; 2], &[1.0, 1.0]);
    let heavy = identified(&line(), 4.0, &[9.0], &[], &[IDENTITY; 2], &[1.0, 1.0]);
    for (plain, heavy) in plain.slots.iter().zip(&heavy.slots) {
        assert_close(heavy.standard_error, plain.standard_error / 3.0);
    }
    let window = Window {
        from_ms: 0.5,
        to_ms: 2.5,
        weight: 1.0,
    };
    // Samples at 1 and 2: JᵀJ = [[2, 3], [3, 5]], inverse [[5, −3], [−3, 2]].
    let two = identified(&line(), 4.0, &[], &[window], &[IDENTITY; 2], &[1.0, 1.0]);
    assert_eq!(two.n_entries, 2);
    assert_close(two.slots[0].standard_error, 5.0_f64.sqrt());
    assert_close(two.slots[1].standard_error, 2.0_f64.sqrt());
    // Fewer samples than slots.
    let one = identified(&line(), 0.5, &[], &[], &[IDENTITY; 2], &[1.0, 1.0]);
    assert_close(one.slots[0].standard_error, 1.0);
    assert!(one.slots[1].standard_error.is_infinite());
}

#[test]
fn refuses_what_has_no_answer() {
    let model = line();
    let traces = model.traces(&[1.0, 1.0], 4.0, true);
    let objective = Objective::new(model.target(&[1.0, 1.0], 4.0), vec![], &[]).unwrap();
    let ask = |traces: &Traces, transforms: &[Transform], x: &[f64]| identify(&objective, traces, 4.0, transforms, x);
    let found = ask(&traces, &[LOG, LOG], &[1.0, -1.0]);
    assert!(
        matches!(found, Err(IdentifiabilityError::Transform { slot: 1, .. })),
        "{found:?}"
    );
    let found = ask(&traces, &[LOG], &[1.0]);
    assert!(
        matches!(found, Err(IdentifiabilityError::Slots { found: 2, expected: 1 })),
        "{found:?}"
    );
    let found = ask(&traces, &[LOG, LOG], &[1.0]);
    assert!(
        matches!(found, Err(IdentifiabilityError::Slots { found: 1, expected: 2 })),
        "{found:?}"
    );
    let plain = model.traces(&[1.0, 1.0], 4.0, false);
    let found = ask(&plain, &[LOG, LOG], &[1.0, 1.0]);
    assert!(
        matches!(found, Err(IdentifiabilityError::Slots { found: 0, expected: 2 })),
        "{found:?}"
    );
    let mut broken = traces;
    broken.sens[3] = f64::NAN;
    let found = ask(&broken, &[LOG, LOG], &[1.0, 1.0]);
    assert!(matches!(found, Err(IdentifiabilityError::NonFinite(_))), "{found:?}");
}
