//! Analytic models with closed-form sensitivities, for tests.

use super::{Model, Traces};

/// The point is outside the model's domain.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub(super) enum AnalyticError {
    #[error("state diverged")]
    Diverged,
    #[error("environment failed")]
    Environment,
}

/// `(x, t)` to value and derivatives of each probe.
type Formula = fn(&[f64], f64) -> Vec<(f64, Vec<f64>)>;

/// A trace given by a formula.
pub(super) struct Analytic {
    pub(super) n_slots: usize,
    pub(super) dt_ms: f64,
    pub(super) formula: Formula,
    /// Fails with this when any `|x|` exceeds the limit.
    pub(super) limit: (f64, AnalyticError),
    /// Every call: slot values, span, tangent.
    pub(super) calls: Vec<(Vec<f64>, f64, bool)>,
}

impl Analytic {
    pub(super) fn new(n_slots: usize, dt_ms: f64, formula: Formula) -> Self {
        Self {
            n_slots,
            dt_ms,
            formula,
            limit: (f64::INFINITY, AnalyticError::Environment),
            calls: Vec::new(),
        }
    }

    /// `V = a e^(−b t) + c e^(−d t)` and a second probe `V²`; x = (a, b, c, d).
    pub(super) fn exponentials() -> Self {
        Self::new(4, 0.25, |x, t| {
            let (p, q) = ((-x[1] * t).exp(), (-x[3] * t).exp());
            let v = x[0] * p + x[2] * q;
            let dv = vec![p, -t * x[0] * p, q, -t * x[2] * q];
            let dv2 = dv.iter().map(|d| 2.0 * v * d).collect();
            vec![(v, dv), (v * v, dv2)]
        })
    }

    /// Rosenbrock's valley as two samples: `r = (10 (x₁ − x₀²), 1 − x₀)`.
    pub(super) fn rosenbrock() -> Self {
        Self::new(2, 1.0, |x, t| {
            let first = (10.0 * (x[1] - x[0] * x[0]), vec![-20.0 * x[0], 10.0]);
            vec![if t < 0.5 { first } else { (1.0 - x[0], vec![-1.0, 0.0]) }]
        })
    }

    /// `V = a sin(ω t)`; x = (ω, a). Its sensitivity to ω grows linearly in time, as a phase drift does.
    pub(super) fn oscillator() -> Self {
        Self::new(2, 1.0, |x, t| {
            let (sin, cos) = (x[0] * t).sin_cos();
            vec![(x[1] * sin, vec![x[1] * t * cos, sin])]
        })
    }

    /// Traces at `x`, without sensitivities, without counting.
    pub(super) fn target(&self, x: &[f64], t_end_ms: f64) -> super::Target {
        let traces = self.traces(x, t_end_ms, false);
        super::Target {
            times_ms: traces.times_ms,
            n_probes: traces.n_probes,
            values: traces.values,
        }
    }

    /// Samples at `0, dt, 2 dt, … < t_end`.
    pub(super) fn traces(&self, x: &[f64], t_end_ms: f64, tangent: bool) -> Traces {
        let mut traces = Traces {
            n_slots: self.n_slots,
            ..Traces::default()
        };
        for sample in 0_u32.. {
            let t = f64::from(sample) * self.dt_ms;
            if t >= t_end_ms {
                break;
            }
            let probes = (self.formula)(x, t);
            traces.times_ms.push(t);
            traces.n_probes = probes.len();
            for (value, sens) in probes {
                traces.values.push(value);
                if tangent {
                    traces.sens.extend(sens);
                }
            }
        }
        traces
    }
}

impl Model for Analytic {
    type Error = AnalyticError;

    fn n_slots(&self) -> usize {
        self.n_slots
    }

    fn simulate(&mut self, x: &[f64], t_end_ms: f64, tangent: bool) -> Result<Traces, AnalyticError> {
        self.calls.push((x.to_vec(), t_end_ms, tangent));
        if x.iter().any(|x| x.abs() > self.limit.0) {
            return Err(self.limit.1);
        }
        Ok(self.traces(x, t_end_ms, tangent))
    }

    fn is_divergence(error: &AnalyticError) -> bool {
        *error == AnalyticError::Diverged
    }
}
