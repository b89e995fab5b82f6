//! CMA-ES: a search by samples, without derivatives.
//!
//! Each generation draws λ points `y ~ N(m, σ²C)`, and their ranks move the mean, the step size and the covariance. The
//! algorithm is `basin`'s (Hansen's with negative weights); this module turns it inside out, so that whoever owns the
//! simulator evaluates a generation, several points at once: [`CmaEs::ask`] for the points, [`CmaEs::tell`] the losses.
//!
//! The library calls for losses where it needs them. So a generation is computed twice: once with losses that do not
//! matter, to see the points, which depend on the generations before only; and once with the right ones. Either takes
//! microseconds. Between generations all of the library's state is text, in which each number has its bits: a run that is
//! resumed goes on as if nothing had been.
//!
//! # Reference
//! Hansen 2016, *The CMA evolution strategy: a tutorial*, arXiv:1604.00772, equations 38 to 47 and table 1

use std::cell::RefCell;
use std::convert::Infallible;

use basin::{CostFunction, DenseMatrix, PopulationProgress, Problem, Solver};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The loss of points that have none: worse than all others, and finite, since JSON has no infinity.
const WORST: f64 = f64::MAX;
/// Standard deviation along the longest axis, relative to the first, at which a search has nothing left to look at
/// (TolX: Hansen 2016, B.3).
const COLLAPSED: f64 = 1e-12;
/// The smallest population: below, ranks carry too little (the same, footnote 30).
const SMALLEST: u32 = 4;

type Search = (basin::CmaEs<Vec<f64>, DenseMatrix<f64>>, PopulationProgress<Vec<f64>>);

/// CMA-ES's constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CmaEsSettings {
    /// Seed of the draws.
    pub seed: u64,
    /// Points per generation λ, at least 4; 4 + ⌊3 ln(slots)⌋ if absent. More look further and cost more.
    #[serde(default)]
    pub population: Option<u32>,
    /// First standard deviation, unit of `y`: about a third of how far from the start the search should look.
    #[serde(default = "default_sigma")]
    pub sigma: f64,
}

/// As in the paper (Gradient Diffusion, arXiv 2412.07327).
fn default_sigma() -> f64 {
    0.1
}

impl CmaEsSettings {
    /// The name of the first constant outside its range.
    ///
    /// # Errors
    /// That name.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.population.is_some_and(|p| p < SMALLEST) {
            return Err("population");
        }
        if !(self.sigma > 0.0 && self.sigma.is_finite()) {
            return Err("sigma");
        }
        Ok(())
    }

    fn fresh(&self, centre: &[f64]) -> Search {
        let search =
            basin::CmaEs::new(self.seed, self.sigma).with_absolute_distribution_size_tolerance(COLLAPSED * self.sigma);
        let search = match self.population {
            None => search,
            Some(population) => search.with_lambda(population.max(SMALLEST) as usize),
        };
        (search, PopulationProgress::from_point(centre.to_vec()))
    }
}

/// The search between generations: everything that a resumed run needs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CmaEs {
    /// The library's solver and population as JSON; none before the first generation.
    memory: Option<String>,
}

/// How a generation left the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// It goes on.
    Open,
    /// All points are one, to rounding: nothing is left to look at.
    Collapsed,
}

/// The numbers of the search have left the range of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the search's own numbers are not finite")]
pub struct Lost;

/// Hands out losses in the order of evaluation, and notes the points.
struct Losses<'a> {
    losses: &'a [Option<f64>],
    asked: RefCell<Vec<Vec<f64>>>,
}

impl CostFunction for Losses<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    type Error = Infallible;

    fn cost(&self, y: &Vec<f64>) -> Result<f64, Infallible> {
        let mut asked = self.asked.borrow_mut();
        asked.push(y.clone());
        Ok(self.losses.get(asked.len() - 1).copied().flatten().unwrap_or(WORST))
    }
}

impl CmaEs {
    /// The points of the next generation, around `centre` if it is the first.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn ask(&self, settings: &CmaEsSettings, centre: &[f64]) -> Result<Vec<Vec<f64>>, Lost> {
        let (_, _, mut asked) = self.generation(settings, centre, &[])?;
        // last comes the mean, of which the search only tells the loss
        asked.pop();
        let finite = asked.iter().flatten().all(|y| y.is_finite());
        if finite { Ok(asked) } else { Err(Lost) }
    }

    /// Takes the losses of the points that [`CmaEs::ask`] gave, in their order; none for points without finite loss.
    ///
    /// # Errors
    /// [`Lost`]; the search is then as it was.
    pub fn tell(&mut self, settings: &CmaEsSettings, centre: &[f64], losses: &[Option<f64>]) -> Result<Spread, Lost> {
        let (search, collapsed, _) = self.generation(settings, centre, losses)?;
        self.memory = Some(serde_json::to_string(&search).map_err(|_| Lost)?);
        Ok(if collapsed { Spread::Collapsed } else { Spread::Open })
    }

    /// Number of slots of the search; none before the first generation, 0 if the memory is damaged.
    pub(super) fn n_slots(&self) -> Option<usize> {
        let memory = self.memory.as_deref()?;
        let Ok((search, _)) = serde_json::from_str::<Search>(memory) else {
            return Some(0);
        };
        let sizes = search.distribution().map(|d| {
            let vectors = [d.mean, d.principal_axis_stds, d.covariance_path, d.step_size_path].map(Vec::len);
            let equal = vectors.iter().all(|n| *n == vectors[0]) && d.covariance.nrows() == vectors[0];
            if equal { vectors[0] } else { 0 }
        });
        Some(sizes.unwrap_or(0))
    }

    /// One generation with these losses: the search after it, whether it has collapsed, and all points evaluated.
    fn generation(
        &self,
        settings: &CmaEsSettings,
        centre: &[f64],
        losses: &[Option<f64>],
    ) -> Result<(Search, bool, Vec<Vec<f64>>), Lost> {
        let mut problem = Problem::new(Losses {
            losses,
            asked: RefCell::default(),
        });
        let (solver, state, failed) = match &self.memory {
            None => {
                let (mut solver, state) = settings.fresh(centre);
                let Ok(state) = solver.init(&mut problem, state);
                (solver, state, false)
            }
            Some(memory) => {
                let (mut solver, state) = serde_json::from_str::<Search>(memory).map_err(|_| Lost)?;
                let Ok(step) = solver.next_iter(&mut problem, state);
                (solver, step.state, step.termination.is_some())
            }
        };
        if failed {
            return Err(Lost);
        }
        let collapsed = Solver::<Losses<'_>, _>::terminate(&solver, &state).is_some();
        Ok(((solver, state), collapsed, problem.into_inner().asked.into_inner()))
    }
}

#[cfg(test)]
mod tests;
