use std::ops::ControlFlow;

use expect_test::{Expect, expect};

use super::settings::{Optimiser, Stall, Stop};
use super::*;
use crate::control::test_models::{Analytic, AnalyticError};
use crate::control::{AdamSettings, CmaEsSettings, Horizon, Schedule, Target, Transform};

mod generation;
mod resume;

const TRUTH: [f64; 4] = [1.0, 0.5, -0.5, 2.0];
const START: [f64; 4] = [1.3, 0.4, -0.3, 1.5];

fn lm() -> Optimiser {
    Optimiser::LevenbergMarquardt(LmSettings::default())
}

fn cma_es(seed: u64) -> Optimiser {
    Optimiser::CmaEs(CmaEsSettings {
        seed,
        population: Some(10),
        sigma: 0.3,
    })
}

fn adam(rate: f64) -> Optimiser {
    Optimiser::Adam(AdamSettings {
        learning_rate: Schedule::Constant { rate },
        ..AdamSettings::default()
    })
}

fn settings(n_slots: usize, optimiser: Optimiser, end_ms: f64, max_iterations: u32) -> Settings {
    let stop = Stop {
        max_iterations,
        target_loss: Some(1e-24),
        ..Stop::default()
    };
    Settings {
        transforms: vec![Transform::Identity; n_slots],
        optimiser,
        horizon: Horizon::fixed(end_ms),
        stop,
    }
}

fn tuner(model: &Analytic, settings: Settings, truth: &[f64], x0: &[f64]) -> Tuner {
    let target = model.target(truth, settings.horizon.end_ms);
    Tuner::new(settings, Objective::new(target, vec![], &[]).unwrap(), x0).unwrap()
}

fn run(model: &mut Analytic, tuner: &mut Tuner) -> Termination {
    tuner.run(model, |_| ControlFlow::Continue(())).unwrap()
}

/// The work done, as text: a slower algorithm shows as a diff even when the answer is still right.
fn check_work(tuner: &Tuner, expect: Expect) {
    let Counts {
        plain,
        tangent,
        plain_ms,
        tangent_ms,
    } = tuner.counts();
    let ended = tuner.termination();
    let iterations = tuner.history().len();
    let losses: Vec<String> = tuner
        .history()
        .iter()
        .map(|r| format!("{:.0e}", r.loss.unwrap_or(f64::NAN)))
        .collect();
    let work =
        format!("{ended:?} {iterations} iterations, {plain} plain {plain_ms} ms, {tangent} tangent {tangent_ms} ms");
    expect.assert_eq(&format!("{work}\n{}\n", losses.join(" ")));
}

#[test]
fn levenberg_marquardt_descends_rosenbrocks_valley() {
    let mut model = Analytic::rosenbrock();
    let target = Target {
        times_ms: vec![0.0, 1.0],
        n_probes: 1,
        values: vec![0.0, 0.0],
    };
    let objective = Objective::new(target, vec![], &[]).unwrap();
    let mut tuner = Tuner::new(settings(2, lm(), 2.0, 100), objective, &[-1.2, 1.0]).unwrap();
    assert_eq!(run(&mut model, &mut tuner), Termination::TargetReached);
    let best = tuner.best().unwrap();
    assert!((best.x[0] - 1.0).abs() < 1e-10 && (best.x[1] - 1.0).abs() < 1e-10);
    check_work(
        &tuner,
        expect![[r#"
        Some(TargetReached) 17 iterations, 20 plain 40 ms, 17 tangent 34 ms
        1e1 2e0 2e0 1e0 8e-1 4e-1 2e-1 1e-1 5e-2 2e-2 7e-3 1e-3 1e-4 6e-7 4e-10 4e-14 5e-19
    "#]],
    );
}

#[test]
fn levenberg_marquardt_recovers_two_exponentials() {
    let mut model = Analytic::exponentials();
    let mut tuner = tuner(&model, settings(4, lm(), 5.0, 100), &TRUTH, &START);
    assert_eq!(run(&mut model, &mut tuner), Termination::TargetReached);
    let best = tuner.best().unwrap();
    for (x, truth) in best.x.iter().zip(TRUTH) {
        assert!((x - truth).abs() < 1e-9, "{x} {truth}");
    }
    // Zero residuals at the solution: with vanishing damping the last steps must be better than linear.
    let losses: Vec<f64> = tuner.history().iter().filter_map(|r| r.next_loss).collect();
    let drops: Vec<f64> = losses.windows(2).map(|l| l[1] / l[0]).collect();
    assert!(
        drops[drops.len() - 1] < 1e-4 && drops[drops.len() - 1] < drops[drops.len() - 3],
        "{drops:?}"
    );
    check_work(
        &tuner,
        expect![[r#"
        Some(TargetReached) 7 iterations, 7 plain 35 ms, 7 tangent 35 ms
        7e-2 2e-3 4e-6 2e-10 1e-14 1e-18 9e-24
    "#]],
    );
}

#[test]
fn adam_descends_and_keeps_the_best() {
    let mut model = Analytic::exponentials();
    let mut tuner = tuner(&model, settings(4, adam(0.02), 5.0, 300), &TRUTH, &START);
    assert_eq!(run(&mut model, &mut tuner), Termination::MaxIters);
    let losses: Vec<f64> = tuner.history().iter().filter_map(|r| r.loss).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = tuner.best().unwrap();
    assert_eq!(best.loss.to_bits(), lowest.to_bits());
    assert_eq!(best.x, tuner.history()[best.iteration as usize].x);
    assert!(lowest < 1e-3 * losses[0], "{lowest}");
    assert_eq!((tuner.counts().plain, tuner.counts().tangent), (0, 300));
}

#[test]
fn growing_horizon_crosses_slipped_cycles() {
    // 200 ms at ω = 0.5 against 0.65: 4.8 cycles slipped, hence a local minimum near each of them.
    let (truth, start) = ([0.5, 1.0], [0.65, 0.8]);
    let mut model = Analytic::oscillator();
    let mut whole = tuner(&model, settings(2, lm(), 200.0, 100), &truth, &start);
    assert_eq!(run(&mut model, &mut whole), Termination::Stalled);
    assert!(whole.best().unwrap().loss > 0.1);

    let mut growing = settings(2, lm(), 200.0, 100);
    growing.horizon = Horizon {
        start_ms: 10.0,
        step_ms: 10.0,
        end_ms: 200.0,
    };
    let mut growing = tuner(&model, growing, &truth, &start);
    assert_eq!(run(&mut model, &mut growing), Termination::TargetReached);
    assert!((growing.best().unwrap().x[0] - 0.5).abs() < 1e-12);
    check_work(
        &growing,
        expect![[r#"
        Some(TargetReached) 20 iterations, 7 plain 280 ms, 20 tangent 2100 ms
        2e-1 6e-2 8e-3 4e-5 2e-10 5e-20 5e-30 0e0 0e0 0e0 0e0 0e0 0e0 0e0 0e0 0e0 0e0 0e0 0e0 0e0
    "#]],
    );
}

#[test]
fn trials_are_judged_at_the_horizon_of_their_linearisation() {
    let mut model = Analytic::oscillator();
    let mut s = settings(2, lm(), 60.0, 100);
    s.horizon = Horizon {
        start_ms: 10.0,
        step_ms: 10.0,
        end_ms: 60.0,
    };
    let mut tuner = tuner(&model, s, &[0.5, 1.0], &[0.6, 0.8]);
    run(&mut model, &mut tuner);
    let mut horizon_ms = 0.0;
    for &(_, t_end_ms, tangent) in &model.calls {
        if tangent {
            assert!(t_end_ms >= horizon_ms);
            horizon_ms = t_end_ms;
        }
        assert_eq!(t_end_ms.to_bits(), horizon_ms.to_bits());
    }
    let spans: Vec<f64> = tuner.history().iter().map(|r| r.horizon_ms).collect();
    assert_eq!(spans[..6], [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    // And the counters are what the model saw.
    let sum = |which: bool| {
        let calls = model.calls.iter().filter(|c| c.2 == which);
        calls.fold((0, 0.0), |(n, ms), c| (n + 1, ms + c.1))
    };
    let counts = tuner.counts();
    assert_eq!((counts.plain, counts.plain_ms, counts.tangent, counts.tangent_ms), {
        let (plain, tangent) = (sum(false), sum(true));
        (plain.0, plain.1, tangent.0, tangent.1)
    });
}

#[test]
fn success_at_a_short_horizon_does_not_stop_the_run() {
    // The start is exact, so every loss is 0; only the full horizon may say so.
    let mut model = Analytic::oscillator();
    let mut s = settings(2, lm(), 40.0, 100);
    s.horizon = Horizon {
        start_ms: 10.0,
        step_ms: 10.0,
        end_ms: 40.0,
    };
    let mut tuner = tuner(&model, s, &[0.5, 1.0], &[0.5, 1.0]);
    assert_eq!(run(&mut model, &mut tuner), Termination::TargetReached);
    assert_eq!(tuner.best().unwrap().horizon_ms.to_bits(), 40.0_f64.to_bits());
    assert_eq!((tuner.counts().plain, tuner.counts().tangent), (0, 4));
}

#[test]
fn gradient_follows_the_transform() {
    let transforms = [
        Transform::Identity,
        Transform::Log,
        Transform::Bounded { low: 0.2, high: 1.5 },
    ];
    for (transform, optimiser) in transforms.into_iter().flat_map(|t| [(t, lm()), (t, adam(0.01))]) {
        let mut model = Analytic::new(1, 0.5, |x, t| vec![((-x[0] * t).exp(), vec![-t * (-x[0] * t).exp()])]);
        let mut s = settings(1, optimiser, 4.0, 1);
        s.transforms = vec![transform];
        let mut tuner = tuner(&model, s, &[0.9], &[0.6]);
        let y = transform.inverse(0.6).unwrap();
        let loss = |y: f64| {
            let traces = model.traces(&[transform.forward(y)], 4.0, false);
            tuner.objective().loss(&traces, 4.0).unwrap()
        };
        let h = 1e-3;
        let difference = (8.0 * (loss(y + h) - loss(y - h)) - (loss(y + 2.0 * h) - loss(y - 2.0 * h))) / (12.0 * h);
        tuner.step(&mut model).unwrap();
        let norm = tuner.history()[0].gradient_norm.unwrap();
        assert!(
            (norm / difference.abs() - 1.0).abs() < 1e-9,
            "{transform:?} {norm} {difference}"
        );
    }
}

#[test]
fn stall_rule_counts_iterations_without_progress() {
    // V = x² + 1 against 0: the loss cannot fall below 1, and Adam creeps towards it.
    let mut model = Analytic::new(1, 1.0, |x, _| vec![(x[0] * x[0] + 1.0, vec![2.0 * x[0]])]);
    let mut s = settings(1, adam(0.05), 1.0, 10_000);
    s.stop.stall = Some(Stall {
        iterations: 5,
        tolerance: 1e-3,
    });
    let target = Target {
        times_ms: vec![0.0],
        n_probes: 1,
        values: vec![0.0],
    };
    let mut tuner = Tuner::new(s, Objective::new(target, vec![], &[]).unwrap(), &[1.0]).unwrap();
    assert_eq!(run(&mut model, &mut tuner), Termination::Stalled);
    let losses: Vec<f64> = tuner.history().iter().filter_map(|r| r.loss).collect();
    // Replayed by hand: the clock restarts at each loss that undercuts its reference by 0.1 %.
    let (mut reference, mut age, mut stop_at) = (losses[0], 0, None);
    for (i, &loss) in losses.iter().enumerate().skip(1) {
        if loss < reference * (1.0 - 1e-3) {
            (reference, age) = (loss, 0);
        } else {
            age += 1;
        }
        if age == 5 {
            stop_at = Some(i);
            break;
        }
    }
    assert_eq!(stop_at, Some(losses.len() - 1));
}

#[test]
fn levenberg_marquardt_stalls_where_nothing_descends() {
    let mut model = Analytic::new(1, 1.0, |x, _| vec![(x[0] * x[0] + 1.0, vec![2.0 * x[0]])]);
    let target = Target {
        times_ms: vec![0.0],
        n_probes: 1,
        values: vec![0.0],
    };
    let mut tuner = Tuner::new(
        settings(1, lm(), 1.0, 500),
        Objective::new(target, vec![], &[]).unwrap(),
        &[1.0],
    )
    .unwrap();
    assert_eq!(run(&mut model, &mut tuner), Termination::Stalled);
    // Gauss–Newton is only linear on a large residual; the point must still be the minimum to √ε.
    assert!((tuner.best().unwrap().loss - 1.0).abs() < 1e-14 && tuner.best().unwrap().x[0].abs() < 1e-6);
}

#[test]
fn diverging_points_are_retreated_from() {
    // V = x against 1, undefined below −1. Adam's first step is its rate: 3 → −2, then half-way back to 0.5.
    let mut model = Analytic::new(1, 1.0, |x, _| {
        vec![(if x[0] < -1.0 { f64::NAN } else { x[0] }, vec![1.0])]
    });
    let mut s = settings(1, adam(5.0), 1.0, 200);
    s.stop.target_loss = Some(1e-6);
    let mut tuner = tuner(&model, s, &[1.0], &[3.0]);
    assert_eq!(run(&mut model, &mut tuner), Termination::TargetReached);
    let start: Vec<(f64, bool)> = tuner.history()[..3]
        .iter()
        .map(|r| (r.x[0], r.loss.is_some()))
        .collect();
    for (found, expected) in start.iter().zip([(3.0, true), (-2.0, false), (0.5, true)]) {
        assert!(
            (found.0 - expected.0).abs() < 1e-7 && found.1 == expected.1,
            "{start:?}"
        );
    }
    let failed = &tuner.history()[1];
    assert!(!failed.accepted && failed.gradient_norm.is_none());
    // Momentum is forgotten: the next step follows the new gradient, upwards.
    assert!(tuner.history()[3].x[0] > 0.5);
}

#[test]
fn longer_horizon_may_refuse_what_a_shorter_one_liked() {
    // V = x against 1; from 1 ms on undefined below 1.5. The first step, 3 → 1 (nearly), is good until the horizon
    // grows.
    let mut model = Analytic::new(1, 1.0, |x, t| {
        vec![(if t > 0.5 && x[0] < 1.5 { f64::NAN } else { x[0] }, vec![1.0])]
    });
    let mut s = settings(1, lm(), 2.0, 3);
    s.horizon = Horizon {
        start_ms: 1.0,
        step_ms: 1.0,
        end_ms: 2.0,
    };
    let mut t = tuner(&model, s, &[1.6], &[3.0]);
    t.objective = Objective::new(
        Target {
            times_ms: vec![0.0, 1.0],
            n_probes: 1,
            values: vec![1.0, 1.0],
        },
        vec![],
        &[],
    )
    .unwrap();
    let damping = |t: &Tuner| match &t.state.engine {
        Engine::LevenbergMarquardt(_, lm) => lm.damping,
        Engine::Adam(..) | Engine::CmaEs(..) => f64::NAN,
    };
    t.step(&mut model).unwrap();
    let before = damping(&t);
    t.step(&mut model).unwrap();
    let rows = t.history();
    assert!(rows[0].accepted && rows[1].loss.is_none() && !rows[1].accepted);
    assert!((t.x()[0] - 0.5 * (rows[0].x[0] + rows[1].x[0])).abs() < 1e-15);
    assert!(
        (damping(&t) / before - 2.0).abs() < 1e-15,
        "a retreat counts as a rejected step"
    );
}

#[test]
fn failed_search_lengthens_the_horizon_and_leaves_the_damping() {
    // The sensitivity has the wrong sign: no step descends.
    let mut model = Analytic::new(1, 1.0, |x, _| vec![(x[0], vec![-1.0])]);
    let mut s = settings(1, lm(), 3.0, 10);
    s.horizon = Horizon {
        start_ms: 1.0,
        step_ms: 1.0,
        end_ms: 3.0,
    };
    let mut t = tuner(&model, s, &[1.0], &[2.0]);
    assert_eq!(run(&mut model, &mut t), Termination::Stalled);
    let rows: Vec<(f64, bool, f64)> = t
        .history()
        .iter()
        .map(|r| (r.horizon_ms, r.accepted, r.damping.unwrap()))
        .collect();
    assert_eq!(rows, [(1.0, false, 1e-3), (2.0, false, 1e-3), (3.0, false, 1e-3)]);
    assert_eq!(t.counts().plain, 3 * LmSettings::default().max_trials);
}

#[test]
fn hopeless_divergence_ends_the_run() {
    for optimiser in [lm(), adam(0.1)] {
        let mut model = Analytic::exponentials();
        model.limit = (1.0, AnalyticError::Diverged);
        // From the start: no point to retreat to.
        let mut t = tuner(&model, settings(4, optimiser, 5.0, 60), &TRUTH, &START);
        assert_eq!(run(&mut model, &mut t), Termination::NonFiniteLoss);
        assert!(t.best().is_none() && t.history().len() == 1 && t.history()[0].loss.is_none());
    }
    // A derivative that is not finite is no better than a loss that is not.
    let mut model = Analytic::new(1, 1.0, |x, _| vec![(x[0], vec![f64::NAN])]);
    for optimiser in [lm(), adam(0.1)] {
        let mut t = tuner(&model, settings(1, optimiser, 5.0, 60), &[1.0], &[2.0]);
        assert_eq!(run(&mut model, &mut t), Termination::NonFiniteLoss);
    }
    // Finite only at the start: every trial fails.
    let mut model = Analytic::new(1, 1.0, |x, _| {
        vec![(if x[0] < 2.0 { f64::NAN } else { x[0] }, vec![1.0])]
    });
    let target = Target {
        times_ms: vec![0.0],
        n_probes: 1,
        values: vec![1.0],
    };
    let mut t = Tuner::new(
        settings(1, lm(), 1.0, 60),
        Objective::new(target, vec![], &[]).unwrap(),
        &[2.0],
    )
    .unwrap();
    assert_eq!(run(&mut model, &mut t), Termination::NonFiniteLoss);
    assert_eq!(t.counts().plain, LmSettings::default().max_trials);
}

#[test]
fn overflowing_transform_never_reaches_the_model() {
    // One step of α = 2000 in ln x overflows; the step is halved until it does not.
    let mut model = Analytic::new(1, 1.0, |x, _| vec![(x[0], vec![1.0])]);
    let mut s = settings(1, adam(2000.0), 1.0, 3);
    s.transforms = vec![Transform::Log];
    let mut t = tuner(&model, s, &[5.0], &[1.0]);
    run(&mut model, &mut t);
    assert!(model.calls.len() > 1 && model.calls.iter().all(|(x, ..)| x[0].is_finite()));
}

#[test]
fn environment_errors_end_the_call_not_the_run() {
    let mut model = Analytic::exponentials();
    let mut t = tuner(&model, settings(4, lm(), 5.0, 60), &TRUTH, &START);
    model.limit = (0.0, AnalyticError::Environment);
    let error = t.run(&mut model, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(
        error,
        TuneError::Model {
            source: AnalyticError::Environment,
            ..
        }
    ));
    assert!(t.termination().is_none() && t.history().is_empty());
    model.limit = (f64::INFINITY, AnalyticError::Environment);
    assert_eq!(run(&mut model, &mut t), Termination::TargetReached);
}

#[test]
fn slot_counts_are_checked() {
    let model = Analytic::exponentials();
    let mut t = tuner(&model, settings(4, lm(), 5.0, 60), &TRUTH, &START);
    let error = t.step(&mut Analytic::rosenbrock()).unwrap_err();
    assert!(matches!(
        error,
        TuneError::Slots {
            what: "the model",
            found: 2,
            expected: 4
        }
    ));

    struct NoTangent(Analytic);
    impl Model for NoTangent {
        type Error = AnalyticError;
        fn n_slots(&self) -> usize {
            4
        }
        fn simulate(&mut self, x: &[f64], t_end_ms: f64, _tangent: bool) -> Result<Traces, AnalyticError> {
            Ok(self.0.traces(x, t_end_ms, false))
        }
    }
    let error = t.step(&mut NoTangent(model)).unwrap_err();
    assert!(matches!(
        error,
        TuneError::Slots {
            what: "the sensitivities",
            found: 0,
            expected: 4
        }
    ));
}

#[test]
fn observer_sees_every_iteration_and_may_cancel() {
    let mut model = Analytic::exponentials();
    let mut t = tuner(&model, settings(4, lm(), 5.0, 60), &TRUTH, &START);
    let mut seen = Vec::new();
    let ended = t.run(&mut model, |t| {
        seen.push(t.history().last().unwrap().iteration);
        if seen.len() == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!((ended.unwrap(), seen), (Termination::Cancelled, vec![0, 1, 2]));
    assert_eq!(t.termination(), Some(Termination::Cancelled));
}

#[test]
fn senseless_settings_are_named() {
    let model = Analytic::exponentials();
    let objective = Objective::new(model.target(&TRUTH, 5.0), vec![], &[]).unwrap();
    let refuse = |change: fn(&mut Settings)| {
        let mut s = settings(4, lm(), 5.0, 60);
        change(&mut s);
        Tuner::new(s, objective.clone(), &START).unwrap_err()
    };
    assert_eq!(
        refuse(|s| s.transforms.truncate(3)),
        SettingsError::Slots {
            transforms: 3,
            slots: 4
        }
    );
    assert!(matches!(
        refuse(|s| s.transforms[2] = Transform::Log),
        SettingsError::Transform { slot: 2, .. }
    ));
    assert!(matches!(refuse(|s| s.horizon.end_ms = 6.0), SettingsError::Horizon(_)));
    assert_eq!(
        refuse(|s| s.optimiser = adam(0.0)),
        SettingsError::Optimiser { field: "learning_rate" }
    );
    for (population, sigma, field) in [
        (Some(3), 0.1, "population"),
        (Some(0), 0.1, "population"),
        (None, 0.0, "sigma"),
        (None, f64::INFINITY, "sigma"),
    ] {
        let settings = CmaEsSettings {
            seed: 1,
            population,
            sigma,
        };
        assert_eq!(settings.validate(), Err(field));
    }
    assert_eq!(
        refuse(|s| s.stop.target_loss = Some(f64::NAN)),
        SettingsError::Stop { field: "target_loss" }
    );
    assert_eq!(
        refuse(|s| s.stop.stall = Some(Stall {
            iterations: 0,
            tolerance: 0.0
        })),
        SettingsError::Stop { field: "stall" }
    );
}
