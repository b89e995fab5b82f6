//! A run killed between any two iterations and resumed from JSON ends with the same bits.

use super::*;
use crate::control::CheckpointError;

const FINGERPRINT: &str = "experiment 1";

/// Slots under each transform, a horizon that grows, and points that diverge: every part of the state is in use.
fn rich(optimiser: Optimiser) -> (Analytic, Settings) {
    let mut model = Analytic::exponentials();
    model.limit = (2.05, AnalyticError::Diverged);
    let mut s = settings(4, optimiser, 5.0, 25);
    s.transforms = vec![
        Transform::Log,
        Transform::Bounded { low: 0.1, high: 0.9 },
        Transform::Identity,
        Transform::Bounded { low: 0.5, high: 8.0 },
    ];
    s.horizon = Horizon {
        start_ms: 1.0,
        step_ms: 0.3,
        end_ms: 5.0,
    };
    s.stop.stall = Some(Stall {
        iterations: 20,
        tolerance: 1e-9,
    });
    (model, s)
}

fn optimisers() -> [Optimiser; 3] {
    let learning_rate = Schedule::Cosine {
        rate: 2.0,
        floor: 1e-3,
        steps: 20,
    };
    let clipped = AdamSettings {
        learning_rate,
        clip_norm: Some(0.1),
        clip_value: Some(0.05),
        ..AdamSettings::default()
    };
    [Optimiser::Adam(clipped), lm(), cma_es(5)]
}

/// JSON distinguishes all bits of a finite number, the sign of zero included.
fn bits(tuner: &Tuner) -> String {
    tuner.checkpoint(FINGERPRINT).to_json().unwrap()
}

fn revive(text: &str, tuner: &Tuner) -> Tuner {
    let checkpoint = Checkpoint::from_json(text).unwrap();
    Tuner::resume(
        checkpoint,
        tuner.settings().clone(),
        tuner.objective().clone(),
        FINGERPRINT,
    )
    .unwrap()
}

#[test]
fn killing_at_any_iteration_changes_no_bit() {
    for optimiser in optimisers() {
        let (mut model, s) = rich(optimiser);
        let mut straight = tuner(&model, s, &TRUTH, &START);
        let mut saved = vec![bits(&straight)];
        straight
            .run(&mut model, |t| {
                saved.push(bits(t));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(saved.len() > 5, "{}", saved.len());
        let is_adam = matches!(optimiser, Optimiser::Adam(_));
        assert_eq!(
            straight.history().iter().any(|r| r.loss.is_none()),
            is_adam,
            "Adam's rate is meant to diverge once"
        );
        for text in &saved {
            let mut resumed = revive(text, &straight);
            assert_eq!(run(&mut model, &mut resumed), straight.termination().unwrap());
            assert_eq!(bits(&resumed), bits(&straight));
        }
        // And once more with a kill after every single iteration.
        let mut killed = revive(&saved[0], &straight);
        while killed.step(&mut model).unwrap().is_none() {
            killed = revive(&bits(&killed), &straight);
        }
        assert_eq!(bits(&killed), bits(&straight));
    }
}

#[test]
fn killing_does_not_reset_the_stall_clock() {
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
    let mut straight = Tuner::new(s, Objective::new(target, vec![], &[]).unwrap(), &[1.0]).unwrap();
    let mut killed = straight.clone();
    assert_eq!(run(&mut model, &mut straight), Termination::Stalled);
    while killed.step(&mut model).unwrap().is_none() {
        killed = revive(&bits(&killed), &straight);
    }
    assert_eq!(bits(&killed), bits(&straight));
}

#[test]
fn json_returns_every_bit_of_awkward_numbers() {
    // Fails if serde_json loses its `float_roundtrip` feature: without it the fast parser is off by one ulp on some of
    // these.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        // SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let value = f64::from_bits(z ^ (z >> 31));
        if value.is_finite() {
            let back: f64 = serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
            assert_eq!(back.to_bits(), value.to_bits(), "{value}");
        }
    }
    let zero: f64 = serde_json::from_str(&serde_json::to_string(&-0.0).unwrap()).unwrap();
    assert_eq!(zero.to_bits(), (-0.0_f64).to_bits());
}

#[test]
fn cancelled_run_goes_on() {
    for optimiser in optimisers() {
        let (mut model, s) = rich(optimiser);
        let mut straight = tuner(&model, s, &TRUTH, &START);
        let mut cancelled = straight.clone();
        run(&mut model, &mut straight);
        cancelled
            .run(&mut model, |t| {
                if t.history().len() == 4 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
        assert_eq!(cancelled.termination(), Some(Termination::Cancelled));
        let mut resumed = revive(&bits(&cancelled), &cancelled);
        assert_eq!(resumed.termination(), None);
        run(&mut model, &mut resumed);
        assert_eq!(bits(&resumed), bits(&straight));
    }
}

#[test]
fn raising_the_iteration_limit_continues_the_same_run() {
    for optimiser in optimisers() {
        let (mut model, long) = rich(optimiser);
        let mut short = long.clone();
        short.stop.max_iterations = 7;
        let mut straight = tuner(&model, long.clone(), &TRUTH, &START);
        run(&mut model, &mut straight);
        let mut first = tuner(&model, short, &TRUTH, &START);
        assert_eq!(run(&mut model, &mut first), Termination::MaxIters);
        // Under the same rules there is nothing to do.
        let mut same = revive(&bits(&first), &first);
        assert_eq!(run(&mut model, &mut same), Termination::MaxIters);
        assert_eq!(bits(&same), bits(&first));
        let mut resumed = Tuner::resume(
            first.checkpoint(FINGERPRINT),
            long,
            first.objective().clone(),
            FINGERPRINT,
        )
        .unwrap();
        run(&mut model, &mut resumed);
        assert_eq!(bits(&resumed), bits(&straight));
    }
}

#[test]
fn foreign_checkpoints_are_refused() {
    let (model, s) = rich(lm());
    let t = tuner(&model, s, &TRUTH, &START);
    let refuse = |checkpoint: Checkpoint, change: fn(&mut Settings), fingerprint: &str| {
        let mut s = t.settings().clone();
        change(&mut s);
        Tuner::resume(checkpoint, s, t.objective().clone(), fingerprint).unwrap_err()
    };
    let good = || t.checkpoint(FINGERPRINT);
    assert!(matches!(
        refuse(good(), |_| (), "experiment 2"),
        CheckpointError::Fingerprint { .. }
    ));
    let field = |change| {
        let CheckpointError::Settings { field } = refuse(good(), change, FINGERPRINT) else {
            return "another error";
        };
        field
    };
    assert_eq!(field(|s| s.transforms[0] = Transform::Identity), "transforms");
    assert_eq!(field(|s| s.optimiser = adam(0.1)), "optimiser");
    assert_eq!(field(|s| s.horizon.end_ms = 4.0), "horizon");
    let mut damaged = good();
    damaged.state.y.pop();
    assert!(matches!(
        refuse(damaged, |_| (), FINGERPRINT),
        CheckpointError::Shape {
            field: "y",
            found: 3,
            expected: 4
        }
    ));
    let mut damaged = good();
    damaged.state.engine = Engine::Adam(AdamSettings::default(), crate::control::adam::Adam::new(4));
    assert!(matches!(
        refuse(damaged, |_| (), FINGERPRINT),
        CheckpointError::Settings { field: "optimiser" }
    ));

    let text = bits(&t);
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(
        Checkpoint::from_json(&newer),
        Err(CheckpointError::Version { found: 2, expected: 1 })
    ));
    for cut in 0..text.len() {
        assert!(
            matches!(Checkpoint::from_json(&text[..cut]), Err(CheckpointError::Json(_))),
            "{cut}"
        );
    }
}
