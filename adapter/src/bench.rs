//! What an experiment costs on this machine: runs without and with sensitivities in turn, medians.
//!
//! In turn, so that a machine that slows down or speeds up meanwhile does so for both; their ratio is worth more than
//! either.

use serde::Serialize;

use crate::hosts::{HostError, ShimHost, Timing};
use crate::plan::{Plan, Variant};

/// What one kind of run costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Median wall time of the steps, s.
    pub seconds: f64,
    /// Of every run, in their order.
    pub seconds_of_runs: Vec<f64>,
    /// Median per step and control volume, ns.
    pub ns_per_cv_step: f64,
    /// Wall time per simulated second, ms.
    pub ms_per_model_second: f64,
    /// Bytes of all arrays that a step touches, per control volume.
    pub state_bytes_per_cv: f64,
}

/// What an experiment costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bench {
    /// Name of the experiment.
    pub name: String,
    /// Cells.
    pub cells: usize,
    /// Control volumes of all cells.
    pub cvs: usize,
    /// Slots.
    pub slots: usize,
    /// Steps of a run.
    pub steps: usize,
    /// Simulated time of a run, ms.
    pub duration_ms: f64,
    /// Runs of each kind.
    pub runs: usize,
    /// Without sensitivities.
    pub plain: Cost,
    /// With all of them, and the gradient of a loss; none without slots, or on a foreign catalogue.
    pub with_sensitivities: Option<Cost>,
    /// Time with sensitivities over time without.
    pub ratio: Option<f64>,
    /// What a control volume may take with sensitivities: 8·(s + P·(s + 2) + 30) bytes for P slots and, on average over the
    /// control volumes, s states.
    pub state_bound_bytes_per_cv: f64,
    /// The loss that both kinds computed (see [`Timing::loss`]).
    pub loss: f64,
    /// Its derivative by each slot.
    pub gradient: Vec<f64>,
}

/// Runs the plan `runs` times (at least once) plain and, where the host can, as often with sensitivities; `done` is told
/// how many runs have ended.
///
/// # Errors
/// [`HostError`].
pub fn bench(plan: &Plan, host: &mut ShimHost, runs: usize, mut done: impl FnMut(usize)) -> Result<Bench, HostError> {
    let x = plan.values();
    let t_end_ms = plan.experiment.simulation.duration_ms;
    let variants = [Variant::Plain, Variant::Augmented];
    let variants = &variants[..1 + usize::from(host.has_sensitivities())];
    let runs = runs.max(1);
    let mut timings: [Vec<Timing>; 2] = [Vec::with_capacity(runs), Vec::with_capacity(runs)];
    let mut ended = 0;
    for _ in 0..runs {
        for (variant, timings) in variants.iter().zip(&mut timings) {
            timings.push(host.time(&x, t_end_ms, *variant)?);
            ended += 1;
            done(ended);
        }
    }
    let cvs: usize = plan.cells.iter().map(|c| c.discretisation.n_cvs()).sum();
    let cost = |timings: &[Timing], variant| {
        let seconds_of_runs: Vec<f64> = timings.iter().map(|t| t.seconds).collect();
        let seconds = median(&seconds_of_runs);
        let steps = timings.first().map_or(0, |t| t.steps);
        Cost {
            seconds,
            seconds_of_runs,
            ns_per_cv_step: 1e9 * seconds / (cvs * steps).max(1) as f64,
            ms_per_model_second: 1e6 * seconds / t_end_ms,
            state_bytes_per_cv: host.state_bytes(variant) as f64 / cvs.max(1) as f64,
        }
    };
    let [plain, augmented] = &timings;
    let last = augmented.last().or(plain.last());
    let plain_cost = cost(plain, Variant::Plain);
    let with_sensitivities = (!augmented.is_empty()).then(|| cost(augmented, Variant::Augmented));
    Ok(Bench {
        name: plan.experiment.name.clone(),
        cells: plan.cells.len(),
        cvs,
        slots: plan.slots.len(),
        steps: last.map_or(0, |t| t.steps),
        duration_ms: t_end_ms,
        runs,
        ratio: with_sensitivities.as_ref().map(|c| c.seconds / plain_cost.seconds),
        plain: plain_cost,
        with_sensitivities,
        state_bound_bytes_per_cv: bound(host.n_states(plan), cvs, plan.slots.len()),
        loss: last.map_or(0.0, |t| t.loss),
        gradient: last.map_or_else(Vec::new, |t| t.gradient.clone()),
    })
}

/// Middle value; mean of the two middle ones of an even number.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n.is_multiple_of(2) => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
        n => sorted[n / 2],
    }
}

/// [`Bench::state_bound_bytes_per_cv`] for `states` on all control volumes together.
fn bound(states: usize, cvs: usize, slots: usize) -> f64 {
    let (per_cv, slots) = (states as f64 / cvs.max(1) as f64, slots as f64);
    8.0 * (per_cv + slots * (per_cv + 2.0) + 30.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).to_bits(), 2.5_f64.to_bits());
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_bound_is_the_published_one() {
        // hh: three states; twelve slots; half of two control volumes covered
        assert_eq!(
            bound(6, 2, 12).to_bits(),
            (8.0_f64 * (3.0 + 12.0 * 5.0 + 30.0)).to_bits()
        );
        assert_eq!(bound(3, 2, 0).to_bits(), (8.0_f64 * 31.5).to_bits());
    }
}
