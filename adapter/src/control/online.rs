//! Online control: slots that move while the simulation runs, down the gradient of an objective that accumulates.
//!
//! The objective e is a state of a mechanism, e' = r(t) ≥ 0 (for a firing rate f, r = (f − f*)²/2), and `E_k = ∂e/∂θ_k`
//! its sensitivity, which obeys `E_k' = ∂r/∂θ_k − λ E_k` with the forgetting rate λ. At each move, every T ms,
//!
//! ```text
//! θ_k ← bounds(θ_k − T α_k s_k g_k)          g_k = E_k                              memory: accumulated
//!                                            g_k = (E_k − e^(−λT) E_k before)/T     memory: increment
//! ```
//!
//! with a gain α and a scale s (the slot's magnitude at the start), and the change bounded by T s times a greatest rate. For T → 0 these are two laws:
//!
//! * *accumulated*, θ' = −α s E, is that of the paper: E is the gradient of r, low-passed with the time constant 1/λ and
//!   multiplied by 1/λ. Together θ'' = −λ θ' − α s ∂r/∂θ, a ball that rolls with friction λ: without forgetting it never
//!   comes to rest, and it is stable only up to a gain that grows with λ (R7).
//! * *increment*, θ' = −α s ∂r/∂θ, follows what the objective gains now, and needs no forgetting to be stable.
//!
//! λ also decides how far back ∂r/∂θ itself looks, since the sensitivities of voltage and states forget with it.
//!
//! # Units
//! Times in ms, θ in the slot's unit, e in its own; α such that α s g is the slot's unit per ms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adam::{Adam, AdamSettings};

/// Which gradient online control follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// That of the objective itself, which accumulates and forgets with λ.
    #[default]
    Accumulated,
    /// That of what the objective has gained since the last move, per ms.
    Increment,
}

/// A slot under control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OnlineSlot {
    /// Value at the start.
    pub start: f64,
    /// Gain α; of no effect with Adam.
    pub gain: f64,
    /// Scale s > 0.
    pub scale: f64,
    /// Greatest speed, scales per ms.
    pub max_rate: f64,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
}

/// The law, and where it has led.
#[derive(Debug, Clone)]
pub struct Online {
    slots: Vec<OnlineSlot>,
    memory: Memory,
    /// What is left of a sensitivity after the time between moves.
    kept: f64,
    every_ms: f64,
    adam: Option<(AdamSettings, Adam)>,
    values: Vec<f64>,
    before: Vec<f64>,
    gradient: Vec<f64>,
}

impl Online {
    /// Slots at their start, moved every `every_ms`, with sensitivities that forget at `forgetting_per_ms`; by Adam if it
    /// has settings.
    pub fn new(
        slots: Vec<OnlineSlot>,
        memory: Memory,
        every_ms: f64,
        forgetting_per_ms: f64,
        adam: Option<AdamSettings>,
    ) -> Self {
        let n = slots.len();
        Self {
            values: slots.iter().map(|s| s.start).collect(),
            slots,
            memory,
            kept: (-forgetting_per_ms * every_ms).exp(),
            every_ms,
            adam: adam.map(|settings| (settings, Adam::new(n))),
            before: vec![0.0; n],
            gradient: vec![0.0; n],
        }
    }

    /// The slots' values.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The gradient of the last move.
    pub fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    /// The sensitivities from which increments are counted, when control begins late.
    pub fn begin(&mut self, sensitivities: &[f64]) {
        self.before.copy_from_slice(sensitivities);
    }

    /// One move, given ∂e/∂θ now. False, and nothing moved, if that is not finite.
    pub fn step(&mut self, sensitivities: &[f64]) -> bool {
        if sensitivities.iter().any(|e| !e.is_finite()) {
            return false;
        }
        for (k, &now) in sensitivities.iter().enumerate() {
            self.gradient[k] = match self.memory {
                Memory::Accumulated => now,
                Memory::Increment => (now - self.kept * self.before[k]) / self.every_ms,
            };
            self.before[k] = now;
        }
        let moves: Vec<f64> = match &mut self.adam {
            Some((settings, adam)) => {
                let scaled: Vec<f64> = self
                    .slots
                    .iter()
                    .zip(&self.gradient)
                    .map(|(s, g)| s.scale * g)
                    .collect();
                let steps = adam.step(settings, &scaled);
                self.slots.iter().zip(steps).map(|(s, step)| s.scale * step).collect()
            }
            None => {
                let slope = |(s, g): (&OnlineSlot, &f64)| -self.every_ms * s.gain * s.scale * g;
                self.slots.iter().zip(&self.gradient).map(slope).collect()
            }
        };
        for ((value, slot), step) in self.values.iter_mut().zip(&self.slots).zip(moves) {
            let most = slot.max_rate * slot.scale * self.every_ms;
            // `max` and `min` rather than `clamp`, which panics where bounds cross
            *value = (*value + step.max(-most).min(most)).max(slot.min).min(slot.max);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(gain: f64) -> OnlineSlot {
        OnlineSlot {
            start: 2.0,
            gain,
            scale: 2.0,
            max_rate: f64::INFINITY,
            min: 0.0,
            max: f64::INFINITY,
        }
    }

    /// θ'' = −λ θ' − α s (θ − c), from rest: the closed form of a damped oscillator, met to first order in the step.
    #[test]
    fn the_accumulated_law_is_a_damped_oscillator() {
        let (lambda, gain, aim, t_end_ms) = (0.1, 0.02, 3.0, 60.0);
        let error = |n: u32| {
            let every_ms = t_end_ms / f64::from(n);
            let mut law = Online::new(vec![slot(gain)], Memory::Accumulated, every_ms, lambda, None);
            let mut e = 0.0;
            let mut worst: f64 = 0.0;
            for i in 1..=n {
                e = (e + every_ms * (law.values()[0] - aim)) * (-lambda * every_ms).exp();
                assert!(law.step(&[e]));
                let t = f64::from(i) * every_ms;
                let damped = (gain * 2.0 - lambda * lambda / 4.0).sqrt();
                let swing = (damped * t).cos() + lambda / (2.0 * damped) * (damped * t).sin();
                let exact = aim + (2.0 - aim) * (-lambda * t / 2.0).exp() * swing;
                worst = worst.max((law.values()[0] - exact).abs());
            }
            worst
        };
        let (coarse, fine) = (error(3000), error(6000));
        assert!(
            coarse < 1e-2 && (1.8..2.2).contains(&(coarse / fine)),
            "{coarse} {fine}"
        );
    }

    /// θ' = −α s (θ − c), whatever is forgotten: every move is that of explicit Euler.
    #[test]
    fn increments_do_not_accumulate() {
        let (lambda, gain, every_ms) = (0.3_f64, 0.02, 0.5_f64);
        let mut law = Online::new(vec![slot(gain)], Memory::Increment, every_ms, lambda, None);
        let kept = (-lambda * every_ms).exp();
        let (mut e, mut expected) = (7.0, 2.0);
        law.begin(&[e]);
        for _ in 0..50 {
            let rate = law.values()[0] - 3.0;
            e = e * kept + every_ms * rate;
            expected -= every_ms * gain * 2.0 * (expected - 3.0);
            assert!(law.step(&[e]));
            assert!((law.values()[0] - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn bounds_hold_and_what_is_no_number_moves_nothing() {
        let mut law = Online::new(vec![slot(1.0)], Memory::Accumulated, 1.0, 0.0, None);
        assert!(law.step(&[100.0]));
        assert_eq!(law.values(), [0.0]);
        law.slots[0].max_rate = 0.25;
        assert!(law.step(&[-100.0]));
        assert_eq!(law.values(), [0.5]);
        law.values[0] = 0.0;
        assert!(!law.step(&[f64::NAN]));
        assert_eq!(law.values(), [0.0]);
    }

    /// Adam's first step has the length of its rate, in units of the slot's scale, whatever the gradient's.
    #[test]
    fn adam_steps_in_units_of_the_scale() {
        let adam = AdamSettings::default();
        let mut law = Online::new(vec![slot(0.0)], Memory::Accumulated, 1.0, 0.0, Some(adam));
        assert!(law.step(&[1e3]));
        assert!(
            (law.values()[0] - (2.0 - 2.0 * 1e-2)).abs() < 1e-9,
            "{:?}",
            law.values()
        );
    }
}
