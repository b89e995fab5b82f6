use super::*;

#[test]
fn first_three_steps_by_hand() {
    // g = 1, −2, 0.5 with the paper's constants and α = 0.1. By hand:
    //   m = 0.1, −0.11, −0.049;          1 − β₁^t = 0.1, 0.19, 0.271
    //   v = 0.001, 0.004999, 0.005244001; 1 − β₂^t = 0.001, 0.001999, 0.002997001
    //   Δ = −α m̂ / (√v̂ + ε), evaluated in 30-digit decimal arithmetic.
    let expected = [-0.09999999900000001, 0.03661035247207510, 0.01366906620174664];
    let settings = AdamSettings {
        learning_rate: Schedule::Constant { rate: 0.1 },
        ..AdamSettings::default()
    };
    let mut adam = Adam::new(1);
    for (g, expected) in [1.0, -2.0, 0.5].into_iter().zip(expected) {
        let step = adam.step(&settings, &[g])[0];
        assert!((step / expected - 1.0).abs() < 1e-13, "{step} {expected}");
    }
    assert_eq!(adam.t, 3);
    assert!((adam.m[0] + 0.049).abs() < 1e-16 && (adam.v[0] - 0.005_244_001).abs() < 1e-17);
}

#[test]
fn first_step_has_the_length_of_the_rate_whatever_the_loss_scale() {
    for scale in [1e-3, 1.0, 1e6] {
        let step = Adam::new(2).step(&AdamSettings::default(), &[scale, -scale]);
        assert!((step[0] + 0.01).abs() < 1e-6 && (step[1] - 0.01).abs() < 1e-6);
    }
}

#[test]
fn schedules_at_hand_computed_steps() {
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-15, "{a} {b}");
    close(Schedule::Constant { rate: 0.3 }.rate(7), 0.3);
    let step = Schedule::Step {
        rate: 1.0,
        factor: 0.5,
        every: 10,
    };
    close(step.rate(9), 1.0);
    close(step.rate(10), 0.5);
    close(step.rate(25), 0.25);
    close(Schedule::Exponential { rate: 2.0, factor: 0.5 }.rate(3), 0.25);
    let cosine = Schedule::Cosine {
        rate: 1.0,
        floor: 0.2,
        steps: 6,
    };
    for (n, rate) in [(0, 1.0), (2, 0.8), (3, 0.6), (6, 0.2), (100, 0.2)] {
        close(cosine.rate(n), rate);
    }
}

#[test]
fn clips_by_value_then_by_norm() {
    assert_eq!(clip(&[3.0, -40.0], None, None), [3.0, -40.0]);
    assert_eq!(clip(&[3.0, -40.0], Some(4.0), None), [3.0, -4.0]);
    // (3, −4) has norm 5.
    let both = clip(&[3.0, -40.0], Some(4.0), Some(1.0));
    assert!((both[0] - 0.6).abs() < 1e-15 && (both[1] + 0.8).abs() < 1e-15);
    assert_eq!(clip(&[0.3, 0.4], None, Some(1.0)), [0.3, 0.4]);
}

#[test]
fn memory_survives_json_bit_for_bit() {
    let settings = AdamSettings::default();
    let gradient = |n: u32| [(f64::from(n) * 0.7).sin() * 1e-7, 1.0 / f64::from(n + 3)];
    let mut straight = Adam::new(2);
    let mut interrupted = Adam::new(2);
    for n in 0..50 {
        let text = serde_json::to_string(&interrupted).unwrap();
        interrupted = serde_json::from_str(&text).unwrap();
        let a = straight.step(&settings, &gradient(n));
        let b = interrupted.step(&settings, &gradient(n));
        assert_eq!(a.map_bits(), b.map_bits(), "step {n}");
    }
}

trait MapBits {
    fn map_bits(&self) -> Vec<u64>;
}

impl MapBits for Vec<f64> {
    fn map_bits(&self) -> Vec<u64> {
        self.iter().map(|v| v.to_bits()).collect()
    }
}

#[test]
fn refuses_constants_outside_their_range() {
    let d = AdamSettings::default();
    let zero_rate = Schedule::Constant { rate: 0.0 };
    let no_stage = Schedule::Step {
        rate: 1.0,
        factor: 0.5,
        every: 0,
    };
    let rising = Schedule::Cosine {
        rate: 1.0,
        floor: 2.0,
        steps: 5,
    };
    for (settings, field) in [
        (
            AdamSettings {
                learning_rate: zero_rate,
                ..d
            },
            "learning_rate",
        ),
        (
            AdamSettings {
                learning_rate: no_stage,
                ..d
            },
            "learning_rate",
        ),
        (
            AdamSettings {
                learning_rate: rising,
                ..d
            },
            "learning_rate",
        ),
        (AdamSettings { beta1: 1.0, ..d }, "beta1"),
        (AdamSettings { beta2: -0.1, ..d }, "beta2"),
        (AdamSettings { epsilon: 0.0, ..d }, "epsilon"),
        (
            AdamSettings {
                clip_value: Some(f64::NAN),
                ..d
            },
            "clip_value",
        ),
        (
            AdamSettings {
                clip_norm: Some(0.0),
                ..d
            },
            "clip_norm",
        ),
    ] {
        assert_eq!(settings.validate(), Err(field));
    }
    assert_eq!(d.validate(), Ok(()));
}
