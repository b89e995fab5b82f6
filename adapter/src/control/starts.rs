//! Several starts: where to begin when one start may lie in the wrong valley, and how to search from all of them.
//!
//! A start `k` is drawn around a centre `x₀`, each slot on its own:
//!
//! ```text
//! identity   x = x₀ (1 + s u)         x = s u where x₀ = 0
//! log        x = x₀ e^(s u)
//! bounded    x = low + (high − low) w                        u uniform in (−1, 1), w in (0, 1), s the spread
//! ```
//!
//! Each start has a stream of numbers of its own, so start `k` is the same however many there are, and each search is
//! the one that [`Tuner`] alone would make: neither the other starts nor the number of threads change a bit of it.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::transforms::Transform;
use super::tuner::{Termination, TuneError, Tuner};
use super::{Model, SettingsError};
use crate::random::{SplitMix64, derived};

/// Random starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Starts {
    /// How many, at least 1.
    pub count: u32,
    /// Seed of the draws.
    pub seed: u64,
    /// How far from `start` they lie: slots with `log` by a factor between e^-spread and e^spread, slots without
    /// transform by at most this fraction of their value (of 1 where it is 0). Slots with bounds are drawn between
    /// these, wherever `start` is.
    #[serde(default = "default_spread")]
    pub spread: f64,
}

/// Half of the value, or a factor up to 1.65 either way, e between the extremes: conductances of one type of cell differ
/// two- to sixfold between animals (Marder & Goaillard 2006, doi:10.1038/nrn1949).
fn default_spread() -> f64 {
    0.5
}

impl Starts {
    /// The starts around `centre`, slot units.
    ///
    /// # Errors
    /// [`SettingsError::Starts`] if a number is outside its range.
    pub fn draw(&self, transforms: &[Transform], centre: &[f64]) -> Result<Vec<Vec<f64>>, SettingsError> {
        if self.count == 0 {
            return Err(SettingsError::Starts { field: "count" });
        }
        if !(self.spread > 0.0 && self.spread.is_finite()) {
            return Err(SettingsError::Starts { field: "spread" });
        }
        let start = |k: u32| -> Vec<f64> {
            // the first user of a seed takes it as it is, and may be a painter of cells with the same seed
            let mut stream = SplitMix64::new(derived(self.seed, k as usize + 1));
            let slots = transforms.iter().zip(centre);
            slots
                .map(|(t, &x)| near(t, x, self.spread, inside(&mut stream)))
                .collect()
        };
        Ok((0..self.count).map(start).collect())
    }
}

/// A value near `x` in the transform's own scale; `w` in [0, 1] says where: 0.5 is `x` itself, or the middle between the
/// bounds.
pub(super) fn near(transform: &Transform, x: f64, spread: f64, w: f64) -> f64 {
    let offset = spread * (2.0 * w - 1.0);
    match *transform {
        Transform::Identity if x.abs() > 0.0 => x * (1.0 + offset),
        Transform::Identity => offset,
        Transform::Log => x * offset.exp(),
        Transform::Bounded { low, high } => low + (high - low) * w,
    }
}

/// In (0, 1), never at an end: a value at a bound has no finite coordinate.
fn inside(stream: &mut SplitMix64) -> f64 {
    0.5f64.mul_add(f64::EPSILON, stream.unit() * (1.0 - f64::EPSILON))
}

/// Runs all tuners to their ends, on as many threads as there are models, and returns how each ended, in their order.
/// `observer` hears of each iteration of each, with its position, from whichever thread made it; where it breaks, that
/// tuner is cancelled.
///
/// # Errors
/// Of each tuner by itself; the others go on.
pub fn run_all<M: Model + Send>(
    tuners: &mut [Tuner],
    models: Vec<&mut M>,
    observer: impl Fn(usize, &Tuner) -> ControlFlow<()> + Sync,
) -> Vec<Result<Termination, TuneError<M::Error>>> {
    let waiting = Mutex::new(tuners.iter_mut().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = |model: &mut M| {
        let mut done = Vec::new();
        while let Some((k, tuner)) = next() {
            done.push((k, tuner.run(model, |tuner| observer(k, tuner))));
        }
        done
    };
    let mut done: Vec<_> = models.into_par_iter().with_max_len(1).flat_map_iter(work).collect();
    done.sort_by_key(|(k, _)| *k);
    done.into_iter().map(|(_, ended)| ended).collect()
}

/// Which of these runs found the best point: the lowest loss of those at the longest horizon, the first among equals; 0
/// if none has a finite loss.
pub fn best_of(tuners: &[Tuner]) -> usize {
    let mut best = 0;
    for (k, tuner) in tuners.iter().enumerate() {
        let better = match (tuner.best(), tuners[best].best()) {
            (Some(new), Some(old)) => {
                new.horizon_ms > old.horizon_ms || (new.horizon_ms >= old.horizon_ms && new.loss < old.loss)
            }
            (Some(_), None) => true,
            (None, _) => false,
        };
        if better {
            best = k;
        }
    }
    best
}

#[cfg(test)]
mod tests;
