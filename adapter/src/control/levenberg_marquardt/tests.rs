use super::*;

fn example() -> (DVector<f64>, DMatrix<f64>) {
    let jacobian = DMatrix::from_fn(9, 3, |i, k| ((i * 3 + k) as f64).powf(1.4).cos() * [1.0, 30.0, 1e-3][k]);
    (DVector::from_fn(9, |i, _| (i as f64 * 1.7).sin()), jacobian)
}

fn prepared(r: &DVector<f64>, jacobian: &DMatrix<f64>, damping: f64) -> (LevenbergMarquardt, Linearisation) {
    let linear = Linearisation::new(r, jacobian.clone());
    let mut lm = LevenbergMarquardt::new(
        &LmSettings {
            initial_damping: damping,
            ..LmSettings::default()
        },
        jacobian.ncols(),
    );
    lm.observe(&linear);
    (lm, linear)
}

fn proposal(r: &DVector<f64>, jacobian: &DMatrix<f64>, damping: f64) -> Proposal {
    let (mut lm, linear) = prepared(r, jacobian, damping);
    lm.propose(&LmSettings::default(), &linear).unwrap()
}

#[test]
fn step_solves_the_damped_normal_equations() {
    let (r, j) = example();
    for damping in [1e-6, 1e-2, 1.0, 100.0] {
        let d2 = DMatrix::from_diagonal(&DVector::from_iterator(
            3,
            j.column_iter().map(|c| damping * c.norm_squared()),
        ));
        let expected = (j.tr_mul(&j) + d2).cholesky().unwrap().solve(&-j.tr_mul(&r));
        let p = proposal(&r, &j, damping);
        for (h, e) in p.step.iter().zip(&expected) {
            assert!((h / e - 1.0).abs() < 1e-11, "{h} {e}");
        }
        let h = DVector::from_vec(p.step);
        let model_decrease = r.norm_squared() - (&r + &j * h).norm_squared();
        assert!((p.predicted / model_decrease - 1.0).abs() < 1e-12);
    }
}

#[test]
fn gradient_and_loss_come_out_of_the_decomposition() {
    let (r, j) = example();
    let linear = Linearisation::new(&r, j.clone());
    assert!((linear.gradient() - j.tr_mul(&r) * 2.0).amax() < 1e-12);
    assert!((linear.loss - r.norm_squared()).abs() < 1e-15);
}

#[test]
fn a_floor_damps_weak_slots_as_if_they_were_stronger() {
    let (r, j) = example();
    let damping = 1e-2;
    let norms: Vec<f64> = j.column_iter().map(|c| c.norm()).collect();
    for scale_floor in [0.0, 0.02, 0.5, 1.0] {
        let settings = LmSettings {
            scale_floor,
            ..LmSettings::default()
        };
        let (mut lm, linear) = prepared(&r, &j, damping);
        // column 1 is the strongest by construction
        let scale = DVector::from_iterator(3, norms.iter().map(|n| n.max(scale_floor * norms[1])));
        let d2 = DMatrix::from_diagonal(&scale.map(|d| damping * d * d));
        let expected = (j.tr_mul(&j) + d2).cholesky().unwrap().solve(&-j.tr_mul(&r));
        let p = lm.propose(&settings, &linear).unwrap();
        for (h, e) in p.step.iter().zip(&expected) {
            assert!((h / e - 1.0).abs() < 1e-11, "{scale_floor}: {h} {e}");
        }
        let h = DVector::from_vec(p.step);
        let model_decrease = r.norm_squared() - (&r + &j * h).norm_squared();
        assert!((p.predicted / model_decrease - 1.0).abs() < 1e-12);
    }
}

#[test]
fn step_does_not_depend_on_units() {
    let (r, j) = example();
    let mut rescaled = j.clone();
    rescaled.column_mut(1).scale_mut(1e6);
    let (a, b) = (proposal(&r, &j, 0.1), proposal(&r, &rescaled, 0.1));
    assert!((a.step[1] / (b.step[1] * 1e6) - 1.0).abs() < 1e-12 && (a.step[0] / b.step[0] - 1.0).abs() < 1e-12);
}

#[test]
fn slot_without_effect_stays_and_disturbs_nobody() {
    let (r, j) = example();
    let with_idle = j.clone().insert_column(1, 0.0);
    let (a, b) = (proposal(&r, &j, 0.1), proposal(&r, &with_idle, 0.1));
    assert_eq!(b.step[1].abs().to_bits(), 0.0_f64.to_bits());
    assert!((a.step[0] / b.step[0] - 1.0).abs() < 1e-12 && (a.step[2] / b.step[3] - 1.0).abs() < 1e-12);
}

#[test]
fn fewer_residuals_than_slots_still_give_a_step() {
    // One residual x₀ + x₁ − 2 at 0: by symmetry h₀ = h₁ = 1/(1 + μ/2) → D = 1, JᵀJ + μ = ((1+μ, 1), (1, 1+μ)).
    let p = proposal(&DVector::from_element(1, -2.0), &DMatrix::from_element(1, 2, 1.0), 0.5);
    for h in p.step {
        assert!((h - 2.0 / 2.5).abs() < 1e-14, "{h}");
    }
}

#[test]
fn damping_follows_the_gain() {
    let settings = LmSettings::default();
    let p = Proposal {
        step: vec![1.0],
        predicted: 2.0,
    };
    let judged = |actual: Option<f64>| {
        let mut lm = LevenbergMarquardt {
            damping: 0.3,
            growth: 4.0,
            scale: vec![1.0],
        };
        let accepted = lm.judge(&settings, &p, actual);
        (accepted, lm.damping, lm.growth)
    };
    let close = |found: (bool, f64, f64), expected: (bool, f64, f64)| {
        assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-15 && (found.2 - expected.2).abs() < 1e-15);
    };
    close(judged(Some(2.0)), (true, 0.1, 2.0)); // ρ = 1: μ/3
    close(judged(Some(1.0)), (true, 0.3, 2.0)); // ρ = 1/2: unchanged
    close(judged(Some(0.5)), (true, 0.3 * 1.125, 2.0)); // ρ = 1/4: 1 + 1/8
    close(judged(Some(0.0)), (false, 1.2, 8.0));
    close(judged(Some(-1.0)), (false, 1.2, 8.0));
    close(judged(None), (false, 1.2, 8.0));
    close(judged(Some(f64::NAN)), (false, 1.2, 8.0));
}

#[test]
fn damping_has_a_floor() {
    let mut lm = LevenbergMarquardt {
        damping: DAMPING_FLOOR,
        growth: 2.0,
        scale: vec![1.0],
    };
    assert!(lm.judge(
        &LmSettings::default(),
        &Proposal {
            step: vec![1.0],
            predicted: 1.0
        },
        Some(1.0)
    ));
    assert_eq!(lm.damping.to_bits(), DAMPING_FLOOR.to_bits());
}

#[test]
fn long_steps_raise_the_damping() {
    let (r, j) = example();
    let (mut lm, linear) = prepared(&r, &j, 1e-6);
    let free = lm.propose(&LmSettings::default(), &linear).unwrap();
    assert!(free.step.iter().any(|h| h.abs() > 1.0));
    let limited = lm
        .propose(
            &LmSettings {
                max_step: Some(0.5),
                ..LmSettings::default()
            },
            &linear,
        )
        .unwrap();
    assert!(limited.step.iter().all(|h| h.abs() <= 0.5) && lm.damping > 1e-6);
    assert!(limited.predicted > 0.0 && limited.predicted < free.predicted);
}

#[test]
fn scaling_never_shrinks() {
    let (r, j) = example();
    let (mut lm, _) = prepared(&r, &j, 1e-3);
    let before = lm.scale.clone();
    lm.observe(&Linearisation::new(&r, j.clone() * 0.1));
    assert_eq!(lm.scale, before);
    lm.observe(&Linearisation::new(&r, j * 10.0));
    assert!((lm.scale[0] / before[0] - 10.0).abs() < 1e-12);
}

#[test]
fn refuses_constants_outside_their_range() {
    let d = LmSettings::default();
    for (settings, field) in [
        (
            LmSettings {
                initial_damping: 0.0,
                ..d
            },
            "initial_damping",
        ),
        (LmSettings { min_gain: 1.0, ..d }, "min_gain"),
        (LmSettings { max_trials: 0, ..d }, "max_trials"),
        (LmSettings { scale_floor: 1.01, ..d }, "scale_floor"),
        (
            LmSettings {
                max_step: Some(0.0),
                ..d
            },
            "max_step",
        ),
    ] {
        assert_eq!(settings.validate(), Err(field));
    }
    assert_eq!(d.validate(), Ok(()));
}
