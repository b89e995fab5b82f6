//! Levenberg–Marquardt: Gauss–Newton on the residual Jacobian, damped until the linear model can be trusted.
//!
//! ```text
//! h     = argmin ‖r + J h‖² + μ ‖D h‖²                      D_j = max(n_j, φ max_i n_i),
//!                                                           n_j = max over iterations of ‖J_j‖, φ the scale floor
//! ρ     = (‖r(y)‖² − ‖r(y + h)‖²) / (‖J h‖² + 2 μ ‖D h‖²)   gain: actual over predicted decrease
//! ρ > ρ_min:  y ← y + h,  μ ← μ max(1/3, 1 − (2ρ − 1)³),  ν ← 2
//! otherwise:              μ ← μ ν,  ν ← 2 ν
//! ```
//!
//! With vanishing residuals the convergence is superlinear: μ falls by 3 per good step, and the error by about μ.
//!
//! `D` makes `μ` dimensionless (columns scaled to norm ≤ 1) and, with φ = 0, the step independent of the units of `y`
//! (Moré). Coordinates that hardly act are then hardly damped, and may run away before the others have converged. Where all
//! coordinates have the same unit (relative or logarithmic slots), φ = 1 damps all alike (Levenberg), and those stay near
//! the start until the trace says something about them.
//!
//! The damped problem is solved by a QR decomposition of `[R; √μ D]`, where `J = Q R` is decomposed once per
//! linearisation: a rejected step costs one 2n × n decomposition. QR, not a Cholesky decomposition of `JᵀJ + μD²`:
//! sensitivity Jacobians are sloppy, and squaring the condition number would drown their weak directions in rounding.
//! No fallback is needed, since `√μ D` has full rank.
//!
//! # References
//! * Levenberg 1944, doi:10.1090/qam/10666; Marquardt 1963, doi:10.1137/0111030: the damping.
//! * Moré 1978, doi:10.1007/BFb0067700: the scaling that never shrinks, the QR form, the acceptance
//!   threshold.
//! * Nielsen 1999, IMM-REP-1999-05; Madsen, Nielsen & Tingleff 2004, *Methods for non-linear least squares problems*,
//!   2nd edition, IMM DTU, Algorithm 3.16: the update of μ.

use nalgebra::{DMatrix, DVector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Below this, `√μ D` no longer regularises a 2n × n decomposition in double precision (`√1e-15` ≈ 3e-8 ≈ 2 √ε).
const DAMPING_FLOOR: f64 = 1e-15;
/// Raises of μ within one proposal before a step counts as unlimitable; μ has then grown by 4^60 ≈ 1e36.
const MAX_SHORTENINGS: u32 = 60;

/// Levenberg–Marquardt's constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LmSettings {
    /// First μ, dimensionless. 1e-3 trusts the start moderately (Madsen et al.: 1e-6 if it is good, up to 1 if not).
    pub initial_damping: f64,
    /// Smallest gain ρ that is accepted (1e-4 in Moré's MINPACK).
    pub min_gain: f64,
    /// Trials per linearisation before it counts as exhausted. μ grows by 2^(n(n+1)/2), so 10 trials span 1e16.
    pub max_trials: u32,
    /// Longest step of any coordinate, unit of `y`; longer ones raise μ without a simulation. About 1 is sensible for
    /// logarithmic or relative slots: weakly determined combinations otherwise run away (Transtrum & Sethna 2012,
    /// doi:10.48550/arXiv.1201.5885).
    pub max_step: Option<f64>,
    /// φ: the weakest slot is damped as if it had at least this fraction of the strongest one's effect, 0 to 1. 0 makes steps
    /// independent of units; 1 damps all slots alike, which suits relative and logarithmic slots of which some hardly act.
    pub scale_floor: f64,
}

impl Default for LmSettings {
    fn default() -> Self {
        Self {
            initial_damping: 1e-3,
            min_gain: 1e-4,
            max_trials: 10,
            max_step: None,
            scale_floor: 0.0,
        }
    }
}

impl LmSettings {
    /// The name of the first constant outside its range.
    ///
    /// # Errors
    /// That name.
    pub fn validate(&self) -> Result<(), &'static str> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let checks = [
            ("initial_damping", positive(self.initial_damping)),
            ("min_gain", (0.0..1.0).contains(&self.min_gain)),
            ("max_trials", self.max_trials > 0),
            ("max_step", self.max_step.is_none_or(positive)),
            ("scale_floor", (0.0..=1.0).contains(&self.scale_floor)),
        ];
        checks.iter().find(|(_, ok)| !ok).map_or(Ok(()), |(name, _)| Err(name))
    }
}

/// Damping and scaling between iterations: everything that a resumed run needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevenbergMarquardt {
    /// μ, dimensionless.
    pub damping: f64,
    /// ν: the factor of the next rejection.
    pub growth: f64,
    /// `D`: the largest norm of each column so far, residual unit per unit of `y`; 0 while a slot has had no effect.
    pub scale: Vec<f64>,
}

/// `r` and `J` at one point, decomposed.
#[derive(Debug, Clone)]
pub struct Linearisation {
    /// `‖r‖²`: the loss.
    pub loss: f64,
    /// Upper trapezoidal factor of `J`, min(m, n) × n.
    r_factor: DMatrix<f64>,
    /// First min(m, n) entries of `Qᵀr`.
    qt_r: DVector<f64>,
}

/// A trial step.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Increment of `y`.
    pub step: Vec<f64>,
    /// Decrease of `‖r‖²` that the damped linear model promises, ≥ 0.
    pub predicted: f64,
}

impl Linearisation {
    /// Decomposes `J` (`∂r/∂y`, m × n, finite) at a point with residuals `r` (m).
    pub fn new(r: &DVector<f64>, jacobian: DMatrix<f64>) -> Self {
        let rank = jacobian.nrows().min(jacobian.ncols());
        let qr = jacobian.qr();
        let mut qt_r = r.clone();
        qr.q_tr_mul(&mut qt_r);
        Self {
            loss: r.norm_squared(),
            r_factor: qr.r(),
            qt_r: qt_r.rows(0, rank).into_owned(),
        }
    }

    /// `∂L/∂y = 2 Jᵀr`.
    pub fn gradient(&self) -> DVector<f64> {
        self.r_factor.tr_mul(&self.qt_r) * 2.0
    }

    /// Norms of the columns of `J`.
    fn column_norms(&self) -> impl Iterator<Item = f64> + '_ {
        self.r_factor.column_iter().map(|c| c.norm())
    }
}

impl LevenbergMarquardt {
    /// Memory before the first iteration.
    pub fn new(settings: &LmSettings, n_slots: usize) -> Self {
        Self {
            damping: settings.initial_damping,
            growth: 2.0,
            scale: vec![0.0; n_slots],
        }
    }

    /// Takes a new linearisation into the scaling.
    pub fn observe(&mut self, linear: &Linearisation) {
        for (scale, norm) in self.scale.iter_mut().zip(linear.column_norms()) {
            *scale = scale.max(norm);
        }
    }

    /// The step for the present damping; raises the damping until no coordinate exceeds `max_step`.
    /// `None` when there is no finite step of that length.
    pub fn propose(&mut self, settings: &LmSettings, linear: &Linearisation) -> Option<Proposal> {
        let limit = settings.max_step.unwrap_or(f64::INFINITY);
        for _ in 0..MAX_SHORTENINGS {
            if let Some(proposal) = self.solve(settings, linear)
                && proposal.step.iter().all(|h| h.is_finite() && h.abs() <= limit)
            {
                return Some(proposal);
            }
            self.damping *= 4.0;
        }
        None
    }

    /// Updates the damping after a trial. `actual` is the decrease of `‖r‖²` at the same horizon, `None` when the
    /// trial's loss was not finite. Returns whether the step is to be taken.
    pub fn judge(&mut self, settings: &LmSettings, proposal: &Proposal, actual: Option<f64>) -> bool {
        let gain = actual.map_or(f64::NEG_INFINITY, |a| a / proposal.predicted);
        let accepted = gain > settings.min_gain;
        if accepted {
            self.damping = (self.damping * (1.0 - (2.0 * gain - 1.0).powi(3)).max(1.0 / 3.0)).max(DAMPING_FLOOR);
            self.growth = 2.0;
        } else {
            self.reject();
        }
        accepted
    }

    /// Raises the damping after a step that failed.
    pub fn reject(&mut self) {
        self.damping *= self.growth;
        self.growth *= 2.0;
    }

    /// Solves `[R; √μ D] h ≈ −[Qᵀr; 0]`. A slot without effect here stays where it is, exactly; one that never had any
    /// gets `D_j = 1` to keep the matrix regular.
    fn solve(&self, settings: &LmSettings, linear: &Linearisation) -> Option<Proposal> {
        let (rank, n) = linear.r_factor.shape();
        let root = self.damping.sqrt();
        let floor = settings.scale_floor * self.scale.iter().copied().fold(0.0, f64::max);
        let scaled = self.scale.iter().map(|&s| s.max(floor));
        let scale: Vec<f64> = scaled.map(|s| if s > 0.0 { s } else { 1.0 }).collect();
        let mut stacked = DMatrix::zeros(rank + n, n);
        stacked.rows_mut(0, rank).copy_from(&linear.r_factor);
        for (j, s) in scale.iter().enumerate() {
            stacked[(rank + j, j)] = root * s;
        }
        let mut rhs = DVector::zeros(rank + n);
        rhs.rows_mut(0, rank).copy_from(&(-&linear.qt_r));
        let qr = stacked.qr();
        qr.q_tr_mul(&mut rhs);
        let mut h = qr.r().solve_upper_triangular(&rhs.rows(0, n))?;
        for (h, norm) in h.iter_mut().zip(linear.column_norms()) {
            // Its exact solution; the computed one is rounding of ‖r‖, magnified by 1/√μ.
            *h = if norm > 0.0 { *h } else { 0.0 };
        }
        let linear_part = (&linear.r_factor * &h).norm_squared();
        let damped_part: f64 = h.iter().zip(&scale).map(|(h, s)| (s * h).powi(2)).sum();
        Some(Proposal {
            predicted: linear_part + 2.0 * self.damping * damped_part,
            step: h.as_slice().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests;
