use super::*;

/// y = e^(x₀ t) + noise, with a sensitivity that can be spoilt.
struct Exponential {
    spoil: f64,
    noise: f64,
    /// What sensitivities do to the values, which they should not.
    drift: f64,
    runs: u64,
}

impl Model for Exponential {
    type Error = std::convert::Infallible;

    fn n_slots(&self) -> usize {
        2
    }

    fn simulate(&mut self, x: &[f64], _: f64, tangent: bool) -> Result<Traces, Self::Error> {
        self.runs += 1;
        let jitter = if self.runs.is_multiple_of(2) {
            self.noise
        } else {
            -self.noise
        };
        let times_ms: Vec<f64> = (0..10u8).map(|i| f64::from(i) / 10.0).collect();
        let drift = if tangent { self.drift } else { 0.0 };
        let values = times_ms.iter().map(|t| (x[0] * t).exp() + jitter + drift).collect();
        let sens = times_ms
            .iter()
            .flat_map(|t| [t * (x[0] * t).exp() * (1.0 + self.spoil), 0.0])
            .collect();
        Ok(Traces {
            times_ms,
            n_probes: 1,
            values,
            n_slots: 2,
            sens: if tangent { sens } else { Vec::new() },
        })
    }
}

fn check(spoil: f64, noise: f64) -> Verdict {
    check_drifting(spoil, noise, 0.0)
}

fn check_drifting(spoil: f64, noise: f64, drift: f64) -> Verdict {
    let lane = Lane {
        name: "y".into(),
        unit: "mV".into(),
        compared: true,
    };
    let slots = ["rate".to_string(), "idle".to_string()];
    let mut model = Exponential {
        spoil,
        noise,
        drift,
        runs: 0,
    };
    verify(&mut model, &slots[..], &[1.5, 1.0], 1.0, 1e-6, &[lane], |_| ()).unwrap()
}

#[test]
fn exact_sensitivities_pass_far_below_the_tolerance() {
    let row = &check(0.0, 0.0).parameters[0];
    assert_eq!(row.status, Status::Pass);
    assert!(row.rel_error.unwrap() < 1e-10, "{row:?}");
}

#[test]
fn an_error_just_above_the_tolerance_fails() {
    assert_eq!(check(2e-6, 0.0).parameters[0].status, Status::Fail);
    assert_eq!(check(-2e-6, 0.0).parameters[0].status, Status::Fail);
}

#[test]
fn noisy_differences_are_unresolved_not_passed() {
    let verdict = check(0.0, 1e-6);
    assert_ne!(verdict.parameters[0].status, Status::Pass);
    assert!(!verdict.passed);
}

#[test]
fn a_slot_without_effect_is_unresolved() {
    let row = check(0.0, 0.0).parameters[1].clone();
    assert_eq!(row.status, Status::Unresolved);
    assert_eq!(row.rel_error, None);
}

#[test]
fn sensitivities_of_another_simulation_do_not_pass() {
    for drift in [1e-4, f64::NAN] {
        let verdict = check_drifting(0.0, 0.0, drift);
        assert_eq!(verdict.parameters[0].status, Status::Pass);
        assert!(!verdict.passed, "{verdict:?}");
        assert!(
            verdict.value_difference.is_nan() || verdict.value_difference > 1e-6,
            "{verdict:?}"
        );
    }
}
