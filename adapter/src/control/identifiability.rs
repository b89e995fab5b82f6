//! What a target tells about the slots: how precisely each, and which combinations.
//!
//! The target is taken as the model's output with independent Gaussian noise. To first order in the noise, the least
//! squares estimate of the coordinates `y` then scatters with the covariance `σ² (JᵀJ)⁻¹`:
//!
//! ```text
//! J_ik      = √w_i ∂V_i/∂y_k        noise of entry i: σ/√w_i (weights are inverse variances)
//! JᵀJ       = Σ_j λ_j e_j e_jᵀ      standard error of the combination e_j·y: σ/√λ_j
//! se(y_k)²  = σ² [(JᵀJ)⁻¹]_kk       se(x_k) = |dx_k/dy_k| se(y_k)
//! ```
//!
//! Eigenvalues and eigenvectors depend on the coordinates; the standard errors of slots do not.
//! All is for σ = 1 probe unit (1 mV for voltages): errors are proportional to σ.
//!
//! # Assumptions
//! The noise is small enough for the model to be linear in it, and it is independent from sample to sample: a thousand
//! samples of a noise that stays the same over ten of them tell as much as a hundred.
//!
//! # Reference
//! Seber & Wild 2003, *Nonlinear regression*, section 2.1.2 (asymptotic covariance); Transtrum, Machta & Sethna 2011,
//! doi:10.1103/PhysRevE.83.036701 (combinations that data do not determine)

use nalgebra::DMatrix;
use serde::Serialize;

use super::Traces;
use super::objective::{Objective, ObjectiveError};
use super::spectrum::{NonFiniteJacobian, Spectrum, spectrum};
use super::transforms::{Transform, TransformError};

/// Singular values below this, relative to the largest (columns scaled to length 1), are rounding: sensitivities are
/// sums of thousands of steps, exact to about 1e-12.
const NULL: f64 = 1e-10;
/// Components of a null direction below this are rounding, too: they are about 1e-12 over the gap to the other values.
const TOUCHED: f64 = 1e-4;
/// Greatest relative standard error of a slot that counts as determined …
const DETERMINED: f64 = 0.1;
/// … and as weakly determined: beyond, not even the sign is known.
const WEAK: f64 = 1.0;

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IdentifiabilityError {
    /// Traces and target do not fit.
    #[error("the traces cannot be compared with the target")]
    Objective(#[from] ObjectiveError),
    /// A slot's value is outside its transform's domain.
    #[error("slot {slot} has no coordinate")]
    Transform {
        /// Index of the slot.
        slot: usize,
        /// What is wrong.
        source: TransformError,
    },
    /// Not one transform and value per slot.
    #[error("{found} slots in the traces, expected {expected}")]
    Slots {
        /// In the traces.
        found: usize,
        /// Transforms and values.
        expected: usize,
    },
    /// The sensitivities are not finite.
    #[error("the sensitivities are not finite")]
    NonFinite(#[from] NonFiniteJacobian),
}

/// Whether a slot can be found from the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Relative standard error at most 10 %.
    Determined,
    /// At most 100 %.
    Weak,
    /// More, or no bound at all.
    Undetermined,
}

/// What the target tells about one slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision {
    /// Standard error for noise of 1 probe unit, slot unit; infinite if the target does not bound it.
    pub standard_error: f64,
    /// The same over the slot's magnitude (over 1 where the value is 0).
    pub relative: f64,
    /// The same if all other slots were known: 1/‖column of J‖, relative.
    pub relative_alone: f64,
}

impl Precision {
    /// In words.
    pub fn verdict(&self) -> Verdict {
        match self.relative {
            r if r <= DETERMINED => Verdict::Determined,
            r if r <= WEAK => Verdict::Weak,
            _ => Verdict::Undetermined,
        }
    }
}

/// What the target tells at one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Identifiability {
    /// Entries of the target that count.
    pub n_entries: usize,
    /// Of `JᵀJ` in the tuned coordinates.
    pub spectrum: Spectrum,
    /// One per slot.
    pub slots: Vec<Precision>,
}

impl Identifiability {
    /// Standard error of the combination along eigenvector `j`, unit of the coordinates.
    pub fn direction_error(&self, j: usize) -> f64 {
        1.0 / self.spectrum.values[j].sqrt()
    }

    /// Eigenvectors whose combination has a standard error of at most 10 % (of 1, for coordinates with a unit).
    pub fn n_determined(&self) -> usize {
        (0..self.spectrum.values.len())
            .filter(|&j| self.direction_error(j) <= DETERMINED)
            .count()
    }
}

/// Analyses traces with sensitivities at the point `x`, over the samples before the horizon that count.
///
/// # Errors
/// [`IdentifiabilityError`].
pub fn identify(
    objective: &Objective,
    traces: &Traces,
    horizon_ms: f64,
    transforms: &[Transform],
    x: &[f64],
) -> Result<Identifiability, IdentifiabilityError> {
    let expected = transforms.len();
    let mut jacobian = objective.residuals(traces, horizon_ms)?.jacobian;
    if let Some(&found) = [jacobian.ncols(), x.len()].iter().find(|n| **n != expected) {
        return Err(IdentifiabilityError::Slots { found, expected });
    }
    // The loss is a mean, the likelihood a sum.
    jacobian *= objective.total_weight(horizon_ms)?.sqrt();
    let errors_of_x = standard_errors(&jacobian)?;
    let norms: Vec<f64> = jacobian.column_iter().map(|c| c.norm()).collect();
    let slots = x
        .iter()
        .zip(&errors_of_x)
        .zip(&norms)
        .map(|((x, &standard_error), norm)| {
            let scale = if x.abs() > 0.0 { x.abs() } else { 1.0 };
            Precision {
                standard_error,
                relative: standard_error / scale,
                relative_alone: 1.0 / (norm * scale),
            }
        });
    let slots = slots.collect();
    for (slot, (transform, &x)) in transforms.iter().zip(x).enumerate() {
        let y = transform.inverse(x);
        let y = y.map_err(|source| IdentifiabilityError::Transform { slot, source })?;
        let mut column = jacobian.column_mut(slot);
        column *= transform.derivative(y);
    }
    Ok(Identifiability {
        n_entries: jacobian.nrows(),
        spectrum: spectrum(&jacobian)?,
        slots,
    })
}

/// `√[(JᵀJ)⁻¹]_kk`, infinite for columns that others can imitate.
///
/// From the singular values of `J` with columns of length 1: what is a small value must not depend on units.
fn standard_errors(jacobian: &DMatrix<f64>) -> Result<Vec<f64>, NonFiniteJacobian> {
    let norms: Vec<f64> = jacobian.column_iter().map(|c| c.norm()).collect();
    let mut scaled = jacobian.clone();
    for (mut column, norm) in scaled.column_iter_mut().zip(&norms) {
        if *norm > 0.0 {
            column /= *norm;
        }
    }
    let Spectrum { values, vectors } = spectrum(&scaled)?;
    let null = values.first().copied().unwrap_or(0.0) * NULL * NULL;
    let error = |k: usize| {
        let mut variance = 0.0;
        for (value, component) in values.iter().zip(vectors.row(k).iter()) {
            if *value > null {
                variance += component * component / value;
            } else if component.abs() > TOUCHED {
                return f64::INFINITY;
            }
        }
        variance.sqrt() / norms[k]
    };
    Ok((0..norms.len()).map(error).collect())
}

#[cfg(test)]
mod tests;
