use super::*;
use crate::control::test_models::{Analytic, AnalyticError};
use crate::control::{AdamSettings, Horizon, LmSettings, Objective, Optimiser, Settings, Stop};

const BOUNDED: Transform = Transform::Bounded { low: -2.0, high: 5.0 };

fn starts(count: u32, seed: u64, spread: f64) -> Starts {
    Starts { count, seed, spread }
}

/// Per transform and centre: the open interval that a spread of 0.5 allows.
#[test]
fn draws_fill_their_interval_and_stay_inside() {
    let e = 0.5f64.exp();
    let rows = [
        (Transform::Identity, 4.0, 2.0, 6.0),
        (Transform::Identity, -4.0, -6.0, -2.0),
        (Transform::Identity, 0.0, -0.5, 0.5),
        (Transform::Log, 3.0, 3.0 / e, 3.0 * e),
        (BOUNDED, 4.9, -2.0, 5.0),
    ];
    let transforms = rows.map(|r| r.0);
    let drawn = starts(2000, 1, 0.5).draw(&transforms, &rows.map(|r| r.1)).unwrap();
    for (slot, (transform, _, low, high)) in rows.into_iter().enumerate() {
        let mut x: Vec<f64> = drawn.iter().map(|p| p[slot]).collect();
        x.sort_by(f64::total_cmp);
        assert!(low < x[0] && x[1999] < high, "{transform:?}: {} to {}", x[0], x[1999]);
        // The chance that 2000 draws leave 1 % at an end is 2e-9.
        let margin = 0.01 * (high - low);
        assert!(x[0] < low + margin && high - margin < x[1999], "{transform:?}");
        assert!(x.iter().all(|&x| transform.inverse(x).is_ok()));
    }
    // The slots of a start are drawn apart: no two are one number in two scales.
    let unit = |p: &Vec<f64>| [(p[0] - 2.0) / 4.0, p[2] + 0.5, (p[4] + 2.0) / 7.0];
    assert!(
        drawn
            .iter()
            .map(unit)
            .all(|[a, b, c]| (a - b).abs() > 1e-9 && (b - c).abs() > 1e-9)
    );
}

#[test]
fn a_start_depends_on_its_seed_and_position_alone() {
    let draw = |count, seed| {
        starts(count, seed, 0.5)
            .draw(&[Transform::Log, BOUNDED], &[1.0, 1.0])
            .unwrap()
    };
    assert_eq!(draw(3, 7), draw(8, 7)[..3]);
    assert_ne!(draw(3, 7), draw(3, 8));
    assert_ne!(draw(2, 7)[0], draw(2, 7)[1]);
}

#[test]
fn refuses_what_cannot_be_drawn() {
    for (starts, expected) in [
        (starts(0, 1, 0.5), "count"),
        (starts(1, 1, 0.0), "spread"),
        (starts(1, 1, -1.0), "spread"),
        (starts(1, 1, f64::NAN), "spread"),
        (starts(1, 1, f64::INFINITY), "spread"),
    ] {
        let refused = starts.draw(&[Transform::Log], &[1.0]);
        assert!(
            matches!(refused, Err(SettingsError::Starts { field }) if field == expected),
            "{starts:?}"
        );
    }
}

/// Tuners of the exponential model from drawn starts. Adam and a limit, so that some starts diverge.
fn tuners(optimiser: Optimiser, count: u32) -> Vec<Tuner> {
    let model = Analytic::exponentials();
    let settings = Settings {
        transforms: vec![Transform::Identity; 4],
        optimiser,
        horizon: Horizon::fixed(5.0),
        stop: Stop {
            max_iterations: 40,
            target_loss: Some(1e-20),
            ..Stop::default()
        },
    };
    let objective = Objective::new(model.target(&[1.0, 0.5, -0.5, 2.0], 5.0), vec![], &[]).unwrap();
    let points = starts(count, 3, 0.5)
        .draw(&settings.transforms, &[1.3, 0.4, -0.3, 1.5])
        .unwrap();
    let tuner = |x: &Vec<f64>| Tuner::new(settings.clone(), objective.clone(), x).unwrap();
    points.iter().map(tuner).collect()
}

fn model(limit: (f64, AnalyticError)) -> Analytic {
    Analytic {
        limit,
        ..Analytic::exponentials()
    }
}

fn bits(tuner: &Tuner) -> String {
    tuner.checkpoint("").to_json().unwrap()
}

#[test]
fn every_search_is_the_one_made_alone_on_any_number_of_models() {
    let optimisers = [
        Optimiser::Adam(AdamSettings::default()),
        Optimiser::LevenbergMarquardt(LmSettings::default()),
    ];
    let limit = (2.1, AnalyticError::Diverged);
    for optimiser in optimisers {
        let mut alone = tuners(optimiser, 7);
        for tuner in &mut alone {
            tuner.run(&mut model(limit), |_| ControlFlow::Continue(())).unwrap();
        }
        for n_models in [1, 2, 5, 9] {
            let mut together = tuners(optimiser, 7);
            let mut models: Vec<Analytic> = (0..n_models).map(|_| model(limit)).collect();
            let ended = run_all(&mut together, models.iter_mut().collect(), |_, _| {
                ControlFlow::Continue(())
            });
            assert_eq!(ended.len(), 7);
            for ((ended, a), b) in ended.into_iter().zip(&alone).zip(&together) {
                assert_eq!(Some(ended.unwrap()), b.termination());
                assert_eq!(bits(a), bits(b));
            }
        }
    }
}

#[test]
fn a_failing_or_cancelled_search_leaves_the_others_alone() {
    let optimiser = Optimiser::Adam(AdamSettings::default());
    let first = |t: &Tuner| t.x()[0];
    let mut together = tuners(optimiser, 6);
    // Between the greatest and the second greatest start: one search fails at once.
    let reach = |t: &Tuner| t.x().iter().fold(0.0, |m: f64, x| x.abs().max(m));
    let mut x: Vec<f64> = together.iter().map(reach).collect();
    x.sort_by(f64::total_cmp);
    let farthest = together.iter().position(|t| reach(t) >= x[5]).unwrap();
    assert_ne!(farthest, 0, "that one is cancelled");
    let limit = (0.5 * (x[4] + x[5]), AnalyticError::Environment);
    let mut models = [model(limit), model(limit)];
    let cancelled = first(&together[0]).to_bits();
    let ended = run_all(&mut together, models.iter_mut().collect(), |k, tuner| {
        assert_eq!(
            k == 0,
            tuner.history()[0].x[0].to_bits() == cancelled,
            "the position is the tuner's"
        );
        if k == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(ended[0], Ok(Termination::Cancelled)));
    assert_eq!(together[0].history().len(), 1);
    assert!(ended[farthest].is_err());
    assert_eq!(
        ended.iter().filter(|e| matches!(e, Ok(Termination::MaxIters))).count(),
        4
    );
}

#[test]
fn the_best_is_the_lowest_loss_at_the_longest_horizon() {
    let mut all = tuners(Optimiser::LevenbergMarquardt(LmSettings::default()), 5);
    assert_eq!(best_of(&all), 0, "nothing is known yet");
    for (k, tuner) in all.iter_mut().enumerate().skip(1) {
        // The longer, the better, but one that was stopped early.
        let mut left = if k == 4 { 1 } else { 2 * k };
        let observer = |_: &Tuner| {
            left -= 1;
            if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        tuner
            .run(&mut model((f64::INFINITY, AnalyticError::Environment)), observer)
            .unwrap();
    }
    let losses: Vec<f64> = all[1..].iter().map(|t| t.best().unwrap().loss).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = best_of(&all);
    assert_eq!(all[best].best().unwrap().loss.to_bits(), least.to_bits());
    assert!(best > 1, "the first is not the best by chance: {losses:?}");
}
