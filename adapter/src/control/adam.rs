//! Adam: stochastic gradient descent with per-coordinate step sizes from running moments.
//!
//! ```text
//! m_t = β₁ m_{t−1} + (1 − β₁) g_t          m̂ = m_t / (1 − β₁^t)
//! v_t = β₂ v_{t−1} + (1 − β₂) g_t²         v̂ = v_t / (1 − β₂^t)
//! y_t = y_{t−1} − α(t) m̂ / (√v̂ + ε)
//! ```
//!
//! The step has the unit of `y` and does not change when the loss is scaled (while `√v̂ ≫ ε`).
//!
//! # Reference
//! Kingma & Ba 2015, *Adam: a method for stochastic optimization*, Algorithm 1, doi:10.48550/arXiv.1412.6980

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Learning rate α over steps `n = 0, 1, 2, …`; unit of `y`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// `α = rate`.
    Constant {
        /// Rate of every step.
        rate: f64,
    },
    /// `α = rate · factor^⌊n / every⌋`.
    Step {
        /// Rate of the first step.
        rate: f64,
        /// Factor per stage, in (0, 1].
        factor: f64,
        /// Steps per stage, ≥ 1.
        every: u32,
    },
    /// `α = rate · factor^n`.
    Exponential {
        /// Rate of the first step.
        rate: f64,
        /// Factor per step, in (0, 1].
        factor: f64,
    },
    /// `α = floor + (rate − floor) (1 + cos(π n / steps)) / 2` up to `n = steps`, then `floor`
    /// (one half-cycle of Loshchilov & Hutter 2017, doi:10.48550/arXiv.1608.03983, equation 5).
    Cosine {
        /// Rate of the first step.
        rate: f64,
        /// Rate at the end.
        floor: f64,
        /// Steps from `rate` to `floor`, ≥ 1.
        steps: u32,
    },
}

impl Schedule {
    /// α of step `n`, counted from 0.
    pub fn rate(&self, n: u32) -> f64 {
        match *self {
            Self::Constant { rate } => rate,
            Self::Step { rate, factor, every } => rate * factor.powf(f64::from(n / every)),
            Self::Exponential { rate, factor } => rate * factor.powf(f64::from(n)),
            Self::Cosine { rate, floor, steps } => {
                let phase = std::f64::consts::PI * f64::from(n.min(steps)) / f64::from(steps);
                floor + (rate - floor) * (1.0 + phase.cos()) / 2.0
            }
        }
    }

    fn is_valid(&self) -> bool {
        let rate_ok = |rate: f64| rate > 0.0 && rate.is_finite();
        let factor_ok = |factor: f64| factor > 0.0 && factor <= 1.0;
        match *self {
            Self::Constant { rate } => rate_ok(rate),
            Self::Step { rate, factor, every } => rate_ok(rate) && factor_ok(factor) && every > 0,
            Self::Exponential { rate, factor } => rate_ok(rate) && factor_ok(factor),
            Self::Cosine { rate, floor, steps } => rate_ok(rate) && (0.0..=rate).contains(&floor) && steps > 0,
        }
    }
}

/// Adam's constants. The default is the paper's, with the learning rate 0.01 of Gradient Diffusion (arXiv 2412.07327).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamSettings {
    /// Step size α.
    pub learning_rate: Schedule,
    /// Memory of the mean gradient, in [0, 1).
    pub beta1: f64,
    /// Memory of the mean square, in [0, 1).
    pub beta2: f64,
    /// Guard of the division, unit of the gradient, > 0.
    pub epsilon: f64,
    /// Each component of the gradient is limited to ± this (before the norm).
    pub clip_value: Option<f64>,
    /// A gradient with a larger Euclidean norm is scaled down to this one.
    pub clip_norm: Option<f64>,
}

impl Default for AdamSettings {
    fn default() -> Self {
        let learning_rate = Schedule::Constant { rate: 1e-2 };
        Self {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            clip_value: None,
            clip_norm: None,
        }
    }
}

impl AdamSettings {
    /// The name of the first constant outside its range.
    ///
    /// # Errors
    /// That name.
    pub fn validate(&self) -> Result<(), &'static str> {
        let positive = |limit: Option<f64>| limit.is_none_or(|l| l > 0.0 && l.is_finite());
        let checks = [
            ("learning_rate", self.learning_rate.is_valid()),
            ("beta1", (0.0..1.0).contains(&self.beta1)),
            ("beta2", (0.0..1.0).contains(&self.beta2)),
            ("epsilon", self.epsilon > 0.0 && self.epsilon.is_finite()),
            ("clip_value", positive(self.clip_value)),
            ("clip_norm", positive(self.clip_norm)),
        ];
        checks.iter().find(|(_, ok)| !ok).map_or(Ok(()), |(name, _)| Err(name))
    }
}

/// Adam's memory between steps: everything that a resumed run needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    /// Steps taken.
    pub t: u32,
    /// First moment, one per slot.
    pub m: Vec<f64>,
    /// Second moment, one per slot.
    pub v: Vec<f64>,
    /// `β₁^t`, kept as a running product: cheaper than a power, and the same bits after a resume.
    pub beta1_power: f64,
    /// `β₂^t`.
    pub beta2_power: f64,
}

impl Adam {
    /// Memory before the first step.
    pub fn new(n_slots: usize) -> Self {
        Self {
            t: 0,
            m: vec![0.0; n_slots],
            v: vec![0.0; n_slots],
            beta1_power: 1.0,
            beta2_power: 1.0,
        }
    }

    /// Forgets the direction of travel and keeps the scale: the next steps are short and follow the gradient alone.
    pub fn halt(&mut self) {
        self.m.fill(0.0);
    }

    /// One step: the increment of `y` for the gradient `∂L/∂y` (finite, one entry per slot).
    pub fn step(&mut self, settings: &AdamSettings, gradient: &[f64]) -> Vec<f64> {
        let AdamSettings {
            beta1, beta2, epsilon, ..
        } = *settings;
        let rate = settings.learning_rate.rate(self.t);
        self.t += 1;
        self.beta1_power *= beta1;
        self.beta2_power *= beta2;
        let gradient = clip(gradient, settings.clip_value, settings.clip_norm);
        let moments = self.m.iter_mut().zip(&mut self.v);
        let step = gradient.iter().zip(moments).map(|(&g, (m, v))| {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            let m_hat = *m / (1.0 - self.beta1_power);
            let v_hat = *v / (1.0 - self.beta2_power);
            -rate * m_hat / (v_hat.sqrt() + epsilon)
        });
        step.collect()
    }
}

/// Limits each component, then the Euclidean norm (Pascanu, Mikolov & Bengio 2013, doi:10.48550/arXiv.1211.5063).
fn clip(gradient: &[f64], value: Option<f64>, norm: Option<f64>) -> Vec<f64> {
    let mut g = gradient.to_vec();
    if let Some(limit) = value {
        g.iter_mut().for_each(|c| *c = c.clamp(-limit, limit));
    }
    if let Some(limit) = norm {
        let length = g.iter().map(|c| c * c).sum::<f64>().sqrt();
        if length > limit {
            g.iter_mut().for_each(|c| *c *= limit / length);
        }
    }
    g
}

#[cfg(test)]
mod tests;
