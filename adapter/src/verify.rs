//! Sensitivities against central differences of the same host.
//!
//! For each slot, D(h) = (y(x+h) − y(x−h))/2h over a sweep of steps h₀, h₀/4, h₀/16, …, and Richardson's extrapolation of
//! neighbours to h → 0 (Ridders 1982, *Advances in Engineering Software* 4:75, doi:10.1016/S0141-1195(82)80057-0). The
//! tableau's entry that differs least from the two it was made of is the reference d; that difference is its error
//! estimate. With shrinking h the estimate first falls (truncation), then rises (rounding): its floor is the best that
//! differences can say, and a slot whose floor lies above the tolerance is *unresolved*, never passed.
//!
//! A slot may be so weak that its effect drowns in rounding even at the first steps: where the best entry lies at the top
//! of the sweep and does not do, the sweep is repeated with steps 4096 times as long, which a weak slot bears, and counts
//! if its reference is more certain.
//!
//! The error of a slot is max|u − d| / max|d| over all samples and probes; probes of different units are compared unit by
//! unit, and the worst one counts.

use serde::Serialize;

use crate::control::{Model, Traces};
use crate::plan::{Plan, PlannedProbe};

/// First step, relative to the slot's value (or absolute where that is 0).
const FIRST_STEP: f64 = 1e-2;
/// Ratio of consecutive steps.
const RATIO: f64 = 4.0;
/// Steps of the sweep: down to about 2e-7.
const STEPS: usize = 9;
/// How much longer the steps are for a slot whose effect drowns in rounding at the first sweep's.
const STRETCH: f64 = 4096.0;
/// Estimate above which a reference is little but rounding.
const NOISE: f64 = 0.1;
/// How many times its estimate such a reference may be wrong: where numbers agree by chance the estimate says little.
const DOUBT: f64 = 10.0;
/// Highest order of extrapolation: h², h⁴, h⁶.
const ORDERS: usize = 4;

/// What became of one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The error is at most the tolerance, and so is that of the reference.
    Pass,
    /// The error exceeds the tolerance.
    Fail,
    /// The reference itself is less certain than the tolerance, or the slot has no effect at all.
    Unresolved,
}

impl Status {
    /// In a table.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Fail => "FAIL",
            Status::Unresolved => "UNRESOLVED",
        }
    }
}

/// One step of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SweepRow {
    /// Step in the slot's unit.
    pub step: f64,
    /// Error of the sensitivities against the plain central difference of this step.
    pub rel_error: f64,
}

/// One slot's verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The slot.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// max|u − d| / max|d|; none if the slot has no effect.
    pub rel_error: Option<f64>,
    /// Error estimate of d, relative like `rel_error`.
    pub fd_error_estimate: Option<f64>,
    /// The step of d, in the slot's unit.
    pub best_step: f64,
    /// max|d|, over the probes of the unit that counts, in that unit per slot unit.
    pub max_sensitivity: f64,
    /// The verdict.
    pub status: Status,
    /// The sweep, for the V-shaped curve.
    pub sweep: Vec<SweepRow>,
}

/// The verdict on all slots.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Which host.
    pub host: String,
    /// The greatest error of all slots; none if some slot has none.
    pub max_rel_error: Option<f64>,
    /// Greatest difference between the values with and without sensitivities, relative to the greatest of their probe:
    /// the sensitivities must be those of the same simulation.
    pub value_difference: f64,
    /// What passes.
    pub tolerance: f64,
    /// True if every slot passes, and the values agree as well.
    pub passed: bool,
    /// Simulated span, ms.
    pub duration_ms: f64,
    /// Samples compared.
    pub n_samples: usize,
    /// Probes compared.
    pub probes: Vec<String>,
    /// Probes without sensitivities, which were not compared.
    pub skipped_probes: Vec<String>,
    /// Spikes in the reference run, where the host counts them.
    pub spikes: Option<usize>,
    /// One row per slot.
    pub parameters: Vec<Row>,
}

/// What is compared: one entry per probe of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Name of the probe.
    pub name: String,
    /// Its unit: lanes of one unit share a scale.
    pub unit: String,
    /// False if the host has no sensitivities for it.
    pub compared: bool,
}

/// What is compared of a plan.
pub fn lanes(plan: &Plan) -> Vec<Lane> {
    let lane = |p: &PlannedProbe| Lane {
        name: p.name.clone(),
        unit: p.unit.clone(),
        compared: p.has_sensitivities(),
    };
    plan.probes.iter().map(lane).collect()
}

/// A difference quotient over all samples and probes.
type Field = Vec<f64>;

/// Checks the sensitivities of `model` at `x`. `progress` sees the rows of all finished slots after each.
///
/// # Errors
/// The model's own.
pub fn verify<M: Model>(
    model: &mut M,
    slots: &[String],
    x: &[f64],
    t_end_ms: f64,
    tolerance: f64,
    lanes: &[Lane],
    mut progress: impl FnMut(&[Row]),
) -> Result<Verdict, M::Error> {
    let exact = model.simulate(x, t_end_ms, true)?;
    let plain = model.simulate(x, t_end_ms, false)?;
    let value_difference = difference(&plain.values, &exact.values, lanes.len());
    let n = exact.values.len();
    let mut rows = Vec::new();
    for (k, name) in slots.iter().enumerate() {
        let u: Field = (0..n).map(|i| exact.sens[i * exact.n_slots + k]).collect();
        rows.push(slot(model, name, k, x, t_end_ms, tolerance, lanes, &u)?);
        progress(&rows);
    }
    let max_rel_error = rows
        .iter()
        .map(|r| r.rel_error)
        .try_fold(0.0f64, |a, b| b.map(|b| a.max(b)));
    let names = |compared: bool| {
        lanes
            .iter()
            .filter(|l| l.compared == compared)
            .map(|l| l.name.clone())
            .collect()
    };
    Ok(Verdict {
        host: "shim".into(),
        max_rel_error,
        value_difference,
        tolerance,
        passed: value_difference <= tolerance && !rows.is_empty() && rows.iter().all(|r| r.status == Status::Pass),
        duration_ms: t_end_ms,
        n_samples: exact.times_ms.len(),
        probes: names(true),
        skipped_probes: names(false),
        spikes: None,
        parameters: rows,
    })
}

/// The greatest difference of two recordings, relative to the greatest value of its probe.
fn difference(a: &[f64], b: &[f64], n_probes: usize) -> f64 {
    // not a number must not pass for equal
    let greatest = |m: f64, d: f64| if m.is_nan() || d <= m { m } else { d };
    let of = |k: usize| {
        let lane = || a.iter().zip(b).skip(k).step_by(n_probes);
        let scale = lane().fold(f64::MIN_POSITIVE, |m, (v, _)| m.max(v.abs()));
        lane().map(|(a, b)| (a - b).abs() / scale).fold(0.0, greatest)
    };
    (0..n_probes).map(of).fold(0.0, greatest)
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call site; a struct would only rename them"
)]
fn slot<M: Model>(
    model: &mut M,
    name: &str,
    k: usize,
    x: &[f64],
    t_end_ms: f64,
    tolerance: f64,
    lanes: &[Lane],
    u: &Field,
) -> Result<Row, M::Error> {
    let row = swept(model, name, k, x, t_end_ms, tolerance, lanes, u, FIRST_STEP)?;
    let drowned = row.status != Status::Pass && row.sweep.iter().take(3).any(|p| p.step <= row.best_step);
    if !drowned {
        return Ok(row);
    }
    // so far from the point a model may well fail, which says nothing about its sensitivities
    let far = swept(model, name, k, x, t_end_ms, tolerance, lanes, u, FIRST_STEP * STRETCH);
    Ok(match far {
        Ok(far) if surer(&far, &row) => far,
        Ok(_) | Err(_) => row,
    })
}

/// Whether the first row's reference is more certain.
fn surer(a: &Row, b: &Row) -> bool {
    match (a.fd_error_estimate, b.fd_error_estimate) {
        (Some(a), Some(b)) => a < b,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// One slot, with steps from `first` on, relative to the slot's value.
#[expect(
    clippy::too_many_arguments,
    reason = "two call sites, side by side; a struct would only rename them"
)]
fn swept<M: Model>(
    model: &mut M,
    name: &str,
    k: usize,
    x: &[f64],
    t_end_ms: f64,
    tolerance: f64,
    lanes: &[Lane],
    u: &Field,
    first: f64,
) -> Result<Row, M::Error> {
    let scale = if x[k].abs() > 0.0 { x[k].abs() } else { 1.0 };
    let step = |j: usize| scale * first * RATIO.powi(-i32::try_from(j).unwrap_or(0));
    let steps: Vec<f64> = (0..STEPS).map(step).collect();
    let moved = |shift: f64| {
        let mut moved = x.to_vec();
        moved[k] += shift;
        moved
    };
    // Above and below for each step: all of them at once, for they are independent.
    let points: Vec<Vec<f64>> = steps.iter().flat_map(|&h| [moved(h), moved(-h)]).collect();
    let traces = model.simulate_many(&points, t_end_ms, false);
    let traces = traces.into_iter().collect::<Result<Vec<Traces>, M::Error>>()?;
    let mut tableau: Vec<Vec<Field>> = Vec::new();
    for (j, (pair, values)) in points.chunks_exact(2).zip(traces.chunks_exact(2)).enumerate() {
        // the step that was taken in floating point, not the one asked for
        let width = pair[0][k] - pair[1][k];
        let (plus, minus) = (&values[0].values, &values[1].values);
        let quotient: Field = plus.iter().zip(minus).map(|(p, m)| (p - m) / width).collect();
        let mut row = vec![quotient];
        for order in 1..=j.min(ORDERS - 1) {
            let weight = RATIO.powi(2 * i32::try_from(order).unwrap_or(1));
            let finer = &row[order - 1];
            let coarser = &tableau[j - 1][order - 1];
            let next = finer
                .iter()
                .zip(coarser)
                .map(|(f, c)| (weight * f - c) / (weight - 1.0))
                .collect();
            row.push(next);
        }
        tableau.push(row);
    }
    let mut best: Option<(f64, usize, usize)> = None;
    for j in 1..STEPS {
        for order in 1..tableau[j].len() {
            let d = &tableau[j][order];
            let from_finer = distance(d, &tableau[j][order - 1], d, lanes);
            let from_coarser = distance(d, &tableau[j - 1][order - 1], d, lanes);
            let (Some(a), Some(b)) = (from_finer, from_coarser) else {
                continue;
            };
            let estimate = a.max(b);
            if estimate.is_finite() && best.is_none_or(|(e, _, _)| estimate < e) {
                best = Some((estimate, j, order));
            }
        }
    }
    let Some((estimate, j, order)) = best else {
        return Ok(Row {
            name: name.into(),
            value: x[k],
            rel_error: None,
            fd_error_estimate: None,
            best_step: 0.0,
            max_sensitivity: 0.0,
            status: Status::Unresolved,
            sweep: Vec::new(),
        });
    };
    let d = &tableau[j][order];
    let rel_error = distance(u, d, d, lanes).filter(|e| e.is_finite());
    let doubt = if estimate > NOISE { DOUBT * estimate } else { estimate };
    let status = match rel_error {
        Some(error) if error > tolerance + doubt => Status::Fail,
        Some(error) if estimate <= tolerance && error <= tolerance => Status::Pass,
        Some(_) if estimate > tolerance => Status::Unresolved,
        Some(_) => Status::Fail,
        None => Status::Fail,
    };
    let sweep = steps
        .iter()
        .zip(&tableau)
        .map(|(&step, row)| SweepRow {
            step,
            rel_error: distance(u, &row[0], d, lanes).unwrap_or(f64::NAN),
        })
        .collect();
    let max_sensitivity = compared(d, lanes).map(|(_, v)| v.abs()).fold(0.0, f64::max);
    Ok(Row {
        name: name.into(),
        value: x[k],
        rel_error,
        fd_error_estimate: Some(estimate),
        best_step: steps[j],
        max_sensitivity,
        status,
        sweep,
    })
}

/// Entries of a field that count, with their lane.
fn compared<'a>(field: &'a Field, lanes: &'a [Lane]) -> impl Iterator<Item = (usize, f64)> + 'a {
    let n = lanes.len().max(1);
    field
        .iter()
        .enumerate()
        .map(move |(i, &v)| (i % n, v))
        .filter(|(lane, _)| lanes[*lane].compared)
}

/// max|a − b| / max|scale| per unit, the worst of all units; none if `scale` vanishes everywhere or a number is missing.
fn distance(a: &Field, b: &Field, scale: &Field, lanes: &[Lane]) -> Option<f64> {
    let mut worst: Option<f64> = None;
    let mut units: Vec<&str> = lanes.iter().filter(|l| l.compared).map(|l| l.unit.as_str()).collect();
    units.sort_unstable();
    units.dedup();
    for unit in units {
        let (mut error, mut size) = (0.0f64, 0.0f64);
        let entries = compared(a, lanes).zip(compared(b, lanes)).zip(compared(scale, lanes));
        for (((lane, a), (_, b)), (_, s)) in entries {
            if lanes[lane].unit == unit {
                if !(a.is_finite() && b.is_finite()) {
                    return None;
                }
                error = error.max((a - b).abs());
                size = size.max(s.abs());
            }
        }
        if size > 0.0 {
            worst = Some(worst.unwrap_or(0.0).max(error / size));
        } else if error > 0.0 {
            return Some(f64::INFINITY);
        }
    }
    worst
}

#[cfg(test)]
mod tests;
