//! Weighted mean square distance between traces and a target, its gradient, and its residuals.
//!
//! ```text
//! L(x)      = Σ_i w_i (V_i − V*_i)² / W        W = Σ_i w_i,   i over samples before the horizon and probes
//! ∂L/∂x_k   = 2 Σ_i w_i (V_i − V*_i) u_ik / W  u_ik = ∂V_i/∂x_k
//! r_i       = √(w_i/W) (V_i − V*_i)            L = ‖r‖²
//! ∂r_i/∂x_k = √(w_i/W) u_ik                    ∂L/∂x = 2 Jᵀr
//! ```
//!
//! `w_i` is the probe's weight times the sample's. With all weights 1, `L` is `mean((V − V*)²)`.

use nalgebra::{DMatrix, DVector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Traces;

/// Largest difference of two sample times that counts as equal, ms.
/// Far above the rounding of an accumulated clock or of a target printed with nine digits, far below any time step.
const SAME_TIME_MS: f64 = 1e-6;

/// What the probes should have shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Target {
    /// Sample times, ms, ascending.
    pub times_ms: Vec<f64>,
    /// Probes per sample.
    pub n_probes: usize,
    /// `values[sample * n_probes + probe]`, in each probe's own unit.
    pub values: Vec<f64>,
}

/// Samples with `from_ms ≤ t < to_ms` get this weight; where windows overlap, weights add; outside all windows it is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First instant that counts, ms.
    pub from_ms: f64,
    /// First instant that no longer counts, ms.
    pub to_ms: f64,
    /// Weight per sample, dimensionless, ≥ 0.
    pub weight: f64,
}

/// Why a loss cannot be defined or computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ObjectiveError {
    /// An array does not have the size that its companions imply.
    #[error("{field} has {found} entries, expected {expected}")]
    Shape {
        /// Which array.
        field: &'static str,
        /// Its length.
        found: usize,
        /// The length implied by the other fields.
        expected: usize,
    },
    /// Target times do not ascend.
    #[error("target time {time_ms} ms (sample {sample}) does not follow {previous_ms} ms")]
    TimeOrder {
        /// Index of the offending sample.
        sample: usize,
        /// Time of the sample before, ms.
        previous_ms: f64,
        /// Its own time, ms.
        time_ms: f64,
    },
    /// A target value is NaN or infinite.
    #[error("target value of probe {probe} at sample {sample} is not finite")]
    TargetValue {
        /// Index of the sample.
        sample: usize,
        /// Index of the probe.
        probe: usize,
    },
    /// A probe weight is negative or not finite.
    #[error("weight {weight} of probe {probe} is not a finite number ≥ 0")]
    ProbeWeight {
        /// Index of the probe.
        probe: usize,
        /// Its weight.
        weight: f64,
    },
    /// A window is empty, or its weight is negative or not finite.
    #[error("window {index} ({from_ms} to {to_ms} ms, weight {weight}) is empty or has no valid weight")]
    BadWindow {
        /// Index in the list given.
        index: usize,
        /// Start, ms.
        from_ms: f64,
        /// End, ms.
        to_ms: f64,
        /// Weight.
        weight: f64,
    },
    /// Target and traces have different numbers of probes.
    #[error("target has {target} probes, the traces have {traces}")]
    Probes {
        /// Probes of the target.
        target: usize,
        /// Probes of the traces.
        traces: usize,
    },
    /// The traces end before the target does (before the horizon).
    #[error("target has {target} samples before {horizon_ms} ms, the traces have {traces}")]
    Samples {
        /// Samples of the target before the horizon.
        target: usize,
        /// Samples of the traces.
        traces: usize,
        /// The horizon, ms.
        horizon_ms: f64,
    },
    /// Target and traces are sampled at different times.
    #[error("sample {sample} is at {traces_ms} ms in the traces, at {target_ms} ms in the target")]
    Grid {
        /// Index of the first sample that differs.
        sample: usize,
        /// Its time in the target, ms.
        target_ms: f64,
        /// Its time in the traces, ms.
        traces_ms: f64,
    },
    /// Nothing before the horizon carries weight: the loss is 0/0.
    #[error("no sample before {horizon_ms} ms carries weight")]
    NoWeight {
        /// The horizon, ms.
        horizon_ms: f64,
    },
}

/// A target with its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    target: Target,
    probe_weights: Vec<f64>,
    sample_weights: Vec<f64>,
}

/// Residuals that carry weight, and their derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Residuals {
    /// `r_i`, probe unit; sample-major, probes inner; entries without weight are left out.
    pub values: DVector<f64>,
    /// `∂r_i/∂x_k`, one column per slot; no columns when the traces carry no sensitivities.
    pub jacobian: DMatrix<f64>,
}

/// One weighted entry of the sum.
struct Term {
    /// Index into `values`.
    at: usize,
    /// `w_i / W`.
    share: f64,
    /// `V_i − V*_i`.
    error: f64,
}

impl Objective {
    /// A target with one weight per probe and a list of windows; an empty list of either means weight 1 everywhere.
    ///
    /// # Errors
    /// `Shape`, `TimeOrder`, `TargetValue`, `ProbeWeight`, `BadWindow`; `NoWeight` when all weights are zero.
    pub fn new(target: Target, probe_weights: Vec<f64>, windows: &[Window]) -> Result<Self, ObjectiveError> {
        let n_probes = target.n_probes;
        check_shape("target values", target.values.len(), target.times_ms.len() * n_probes)?;
        // Asks for `Less`, not for the absence of `Greater`: a NaN must fail as well.
        for (sample, pair) in target.times_ms.windows(2).enumerate() {
            if !matches!(pair[0].partial_cmp(&pair[1]), Some(std::cmp::Ordering::Less)) {
                return Err(ObjectiveError::TimeOrder {
                    sample: sample + 1,
                    previous_ms: pair[0],
                    time_ms: pair[1],
                });
            }
        }
        if let Some(at) = target.values.iter().position(|v| !v.is_finite()) {
            return Err(ObjectiveError::TargetValue {
                sample: at / n_probes,
                probe: at % n_probes,
            });
        }
        let probe_weights = if probe_weights.is_empty() {
            vec![1.0; n_probes]
        } else {
            probe_weights
        };
        check_shape("probe weights", probe_weights.len(), n_probes)?;
        if let Some(probe) = probe_weights.iter().position(|&w| !is_weight(w)) {
            return Err(ObjectiveError::ProbeWeight {
                probe,
                weight: probe_weights[probe],
            });
        }
        for (index, &Window { from_ms, to_ms, weight }) in windows.iter().enumerate() {
            if !(from_ms < to_ms && is_weight(weight)) {
                return Err(ObjectiveError::BadWindow {
                    index,
                    from_ms,
                    to_ms,
                    weight,
                });
            }
        }
        let weight_at = |t: f64| -> f64 {
            if windows.is_empty() {
                return 1.0;
            }
            windows
                .iter()
                .filter(|w| w.from_ms - SAME_TIME_MS <= t && t < w.to_ms - SAME_TIME_MS)
                .map(|w| w.weight)
                .sum()
        };
        let sample_weights = target.times_ms.iter().map(|&t| weight_at(t)).collect();
        let objective = Self {
            target,
            probe_weights,
            sample_weights,
        };
        objective.total_weight(f64::INFINITY)?;
        Ok(objective)
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// One weight per probe, as given.
    pub fn weights(&self) -> &[f64] {
        &self.probe_weights
    }

    /// Number of samples `t < horizon_ms`.
    pub fn n_samples_before(&self, horizon_ms: f64) -> usize {
        self.target.times_ms.partition_point(|&t| t < horizon_ms - SAME_TIME_MS)
    }

    /// `L`, probe unit squared. Not finite when a weighted trace value is not.
    ///
    /// # Errors
    /// `Probes`, `Samples`, `Grid`, `Shape`: traces do not fit the target; `NoWeight`.
    pub fn loss(&self, traces: &Traces, horizon_ms: f64) -> Result<f64, ObjectiveError> {
        Ok(self
            .terms(traces, horizon_ms)?
            .map(|t| t.share * t.error * t.error)
            .sum())
    }

    /// `L` and `∂L/∂x`, probe unit squared, and that per slot unit.
    ///
    /// # Errors
    /// As [`Objective::loss`]; `Shape` when the traces carry no sensitivities.
    pub fn gradient(&self, traces: &Traces, horizon_ms: f64) -> Result<(f64, Vec<f64>), ObjectiveError> {
        let n_slots = traces.n_slots;
        check_shape("sensitivities", traces.sens.len(), traces.values.len() * n_slots)?;
        let mut loss = 0.0;
        let mut gradient = vec![0.0; n_slots];
        for term in self.terms(traces, horizon_ms)? {
            loss += term.share * term.error * term.error;
            for (g, u) in gradient.iter_mut().zip(&traces.sens[term.at * n_slots..]) {
                *g += 2.0 * term.share * term.error * u;
            }
        }
        Ok((loss, gradient))
    }

    /// `r` and `J = ∂r/∂x`.
    ///
    /// # Errors
    /// As [`Objective::loss`]; `Shape` when sensitivities are present but not one per value and slot.
    pub fn residuals(&self, traces: &Traces, horizon_ms: f64) -> Result<Residuals, ObjectiveError> {
        let n_slots = if traces.sens.is_empty() { 0 } else { traces.n_slots };
        check_shape("sensitivities", traces.sens.len(), traces.values.len() * n_slots)?;
        let terms: Vec<Term> = self.terms(traces, horizon_ms)?.collect();
        let values = DVector::from_iterator(terms.len(), terms.iter().map(|t| t.share.sqrt() * t.error));
        let jacobian = DMatrix::from_fn(terms.len(), n_slots, |i, slot| {
            terms[i].share.sqrt() * traces.sens[terms[i].at * n_slots + slot]
        });
        Ok(Residuals { values, jacobian })
    }

    /// Weighted entries before the horizon, in storage order; entries without weight are skipped, so that a NaN there
    /// is harmless.
    fn terms<'a>(
        &'a self,
        traces: &'a Traces,
        horizon_ms: f64,
    ) -> Result<impl Iterator<Item = Term> + 'a, ObjectiveError> {
        let n_probes = self.target.n_probes;
        let n_samples = self.n_samples_before(horizon_ms);
        if traces.n_probes != n_probes {
            return Err(ObjectiveError::Probes {
                target: n_probes,
                traces: traces.n_probes,
            });
        }
        check_shape("trace values", traces.values.len(), traces.times_ms.len() * n_probes)?;
        if traces.times_ms.len() < n_samples {
            return Err(ObjectiveError::Samples {
                target: n_samples,
                traces: traces.times_ms.len(),
                horizon_ms,
            });
        }
        let times = self.target.times_ms.iter().zip(&traces.times_ms).take(n_samples);
        for (sample, (&target_ms, &traces_ms)) in times.enumerate() {
            let apart_ms = (target_ms - traces_ms).abs();
            if apart_ms.is_nan() || apart_ms > SAME_TIME_MS {
                return Err(ObjectiveError::Grid {
                    sample,
                    target_ms,
                    traces_ms,
                });
            }
        }
        let total = self.total_weight(horizon_ms)?;
        Ok((0..n_samples * n_probes).filter_map(move |at| {
            let weight = self.sample_weights[at / n_probes] * self.probe_weights[at % n_probes];
            (weight > 0.0).then(|| Term {
                at,
                share: weight / total,
                error: traces.values[at] - self.target.values[at],
            })
        }))
    }

    /// `W`, the sum of all weights before the horizon: `W r²` is a residual as the weights say, not as a mean.
    ///
    /// # Errors
    /// `NoWeight`.
    pub fn total_weight(&self, horizon_ms: f64) -> Result<f64, ObjectiveError> {
        // the double sum factorises
        let samples: f64 = self.sample_weights[..self.n_samples_before(horizon_ms)].iter().sum();
        let total = samples * self.probe_weights.iter().sum::<f64>();
        if total > 0.0 {
            Ok(total)
        } else {
            Err(ObjectiveError::NoWeight { horizon_ms })
        }
    }
}

fn is_weight(w: f64) -> bool {
    w.is_finite() && w >= 0.0
}

fn check_shape(field: &'static str, found: usize, expected: usize) -> Result<(), ObjectiveError> {
    if found == expected {
        Ok(())
    } else {
        Err(ObjectiveError::Shape { field, found, expected })
    }
}

#[cfg(test)]
mod tests;
