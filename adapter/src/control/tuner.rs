//! The loop: simulate, compare, step, record, until a stop rule holds.
//!
//! One iteration:
//! 1. simulate with sensitivities at the present point up to the present horizon;
//! 2. if the loss is not finite, retreat half-way to the last good point; after too many retreats in a row, stop;
//! 3. record the point; stop at the full horizon if the target is reached or progress has stalled;
//! 4. step. Adam takes one step. Levenberg–Marquardt tries damped steps, each judged by a plain simulation *at the same
//!    horizon* (a cheap one first: a tangent run costs several plain ones), until one descends or none will;
//! 5. grow the horizon.
//!
//! An iteration of CMA-ES is a generation instead: all points of it are simulated without sensitivities, the best is
//! recorded, and the stop rules look at that.
//!
//! Stopping is data ([`Termination`]), not an error. The observer watches; all it may do is cancel.

pub mod checkpoint;
mod generation;
pub mod record;
pub mod settings;

use std::ops::ControlFlow;

use nalgebra::DVector;

use super::adam::{Adam, AdamSettings};
use super::levenberg_marquardt::{LevenbergMarquardt, Linearisation, LmSettings};
use super::objective::Objective;
use super::{Model, Traces};
use checkpoint::{CHECKPOINT_VERSION, Checkpoint, CheckpointError, Engine, StallClock, State};
pub use record::{Best, Counts, Row, Termination, TuneError};
use settings::{Settings, SettingsError};

/// Halvings of an Adam step whose physical values overflow; 2^−64 of any sensible step is below rounding.
const MAX_HALVINGS: u32 = 64;

/// A tuning run.
#[derive(Debug, Clone)]
pub struct Tuner {
    settings: Settings,
    objective: Objective,
    state: State,
}

/// Loss and derivative at a point, in `y`.
struct Point {
    loss: f64,
    gradient_norm: f64,
    slope: Slope,
}

/// The derivative as its optimiser wants it, with a copy of that optimiser. The copy replaces the original when the
/// iteration is complete: an error in between leaves the memory as it was.
enum Slope {
    Adam(AdamSettings, Adam, Vec<f64>),
    LevenbergMarquardt(LmSettings, LevenbergMarquardt, Linearisation),
}

/// Outcome of the trials of one linearisation.
enum Descent {
    Moved {
        y: Vec<f64>,
        loss: f64,
    },
    /// Nothing left to gain, or not found.
    Exhausted,
    /// Trials were made, and none had a finite loss.
    Diverged,
}

impl Tuner {
    /// A run from slot values `x0`.
    ///
    /// # Errors
    /// [`SettingsError`], the first that applies.
    pub fn new(settings: Settings, objective: Objective, x0: &[f64]) -> Result<Self, SettingsError> {
        let y = settings.start(x0)?;
        Ok(Self {
            state: State::new(&settings, y),
            settings,
            objective,
        })
    }

    /// Continues a run. Stop rules may differ from the checkpoint's; all other settings must be equal.
    ///
    /// # Errors
    /// [`CheckpointError`], the first that applies.
    pub fn resume(
        checkpoint: Checkpoint,
        settings: Settings,
        objective: Objective,
        fingerprint: &str,
    ) -> Result<Self, CheckpointError> {
        let state = checkpoint.open(&settings, fingerprint)?;
        Ok(Self {
            settings,
            objective,
            state,
        })
    }

    /// The run as it stands, under the caller's fingerprint of experiment, target and catalogue.
    pub fn checkpoint(&self, fingerprint: &str) -> Checkpoint {
        Checkpoint {
            version: CHECKPOINT_VERSION,
            fingerprint: fingerprint.to_owned(),
            settings: self.settings.clone(),
            state: self.state.clone(),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The objective.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// One row per iteration.
    pub fn history(&self) -> &[Row] {
        &self.state.history
    }

    /// The best point so far; `None` before the first finite loss.
    pub fn best(&self) -> Option<&Best> {
        self.state.best.as_ref()
    }

    /// Simulations so far.
    pub fn counts(&self) -> Counts {
        self.state.counts
    }

    /// Why the run has ended; `None` while it goes on.
    pub fn termination(&self) -> Option<Termination> {
        self.state.termination
    }

    /// The present point, slot units (for Adam not yet simulated: see [`Tuner::best`]).
    pub fn x(&self) -> Vec<f64> {
        let slots = self.settings.transforms.iter().zip(&self.state.y);
        slots.map(|(t, &y)| t.forward(y)).collect()
    }

    /// Iterates until a stop rule holds, calling `observer` after each iteration.
    ///
    /// # Errors
    /// [`TuneError`]; the run may be continued after the cause is removed, and loses at most the present iteration.
    pub fn run<M: Model>(
        &mut self,
        model: &mut M,
        mut observer: impl FnMut(&Tuner) -> ControlFlow<()>,
    ) -> Result<Termination, TuneError<M::Error>> {
        loop {
            let rows = self.state.history.len();
            let ended = self.step(model)?;
            let cancelled = self.state.history.len() > rows && observer(self).is_break();
            // A run that has just met a stop rule stays "stopped by that rule".
            if let Some(termination) = ended.or(cancelled.then_some(Termination::Cancelled)) {
                self.state.termination = Some(termination);
                return Ok(termination);
            }
        }
    }

    /// One iteration, or none if the run has ended. Returns why it has, if it has.
    ///
    /// # Errors
    /// As [`Tuner::run`].
    pub fn step<M: Model>(&mut self, model: &mut M) -> Result<Option<Termination>, TuneError<M::Error>> {
        if self.state.termination.is_none() && self.state.iteration >= self.settings.stop.max_iterations {
            self.state.termination = Some(Termination::MaxIters);
        }
        if self.state.termination.is_some() {
            return Ok(self.state.termination);
        }
        let expected = self.settings.transforms.len();
        if model.n_slots() != expected {
            return Err(TuneError::Slots {
                what: "the model",
                found: model.n_slots(),
                expected,
            });
        }
        let horizon_ms = self.horizon_ms();
        let mut row = Row {
            iteration: self.state.iteration,
            horizon_ms,
            x: self.x(),
            loss: None,
            gradient_norm: None,
            accepted: false,
            next_loss: None,
            damping: None,
            counts: Counts::default(),
        };
        let mut ended = match &self.state.engine {
            Engine::CmaEs(settings, search) => self.generation(model, *settings, search.clone(), &mut row)?,
            Engine::Adam(..) | Engine::LevenbergMarquardt(..) => self.descent(model, &mut row)?,
        };
        row.counts = self.state.counts;
        self.state.history.push(row);
        self.state.iteration += 1;
        if ended.is_none() && self.state.iteration >= self.settings.stop.max_iterations {
            ended = Some(Termination::MaxIters);
        }
        self.state.termination = ended;
        Ok(ended)
    }

    /// One step along a derivative.
    fn descent<M: Model>(&mut self, model: &mut M, row: &mut Row) -> Result<Option<Termination>, TuneError<M::Error>> {
        let Some(point) = self.linearise(model, &row.x)? else {
            return Ok(self.retreat());
        };
        row.loss = Some(point.loss);
        row.gradient_norm = Some(point.gradient_norm);
        self.state.retreats = 0;
        self.note_best(row.horizon_ms, point.loss, &row.x);
        match self.met_stop_rule(point.loss) {
            None => self.advance(model, point, row),
            met => Ok(met),
        }
    }

    fn horizon_ms(&self) -> f64 {
        self.settings.horizon.at(self.state.growths)
    }

    fn at_full_horizon(&self) -> bool {
        self.settings.horizon.is_full(self.state.growths)
    }

    /// `T(y)`, if finite.
    fn physical(&self, y: &[f64]) -> Option<Vec<f64>> {
        let x: Vec<f64> = self
            .settings
            .transforms
            .iter()
            .zip(y)
            .map(|(t, &y)| t.forward(y))
            .collect();
        x.iter().all(|x| x.is_finite()).then_some(x)
    }

    /// Counts and runs one simulation up to the present horizon; `None` if it diverged.
    fn simulate<M: Model>(
        &mut self,
        model: &mut M,
        x: &[f64],
        tangent: bool,
    ) -> Result<Option<Traces>, TuneError<M::Error>> {
        let t_end_ms = self.horizon_ms();
        let counts = &mut self.state.counts;
        if tangent {
            counts.tangent += 1;
            counts.tangent_ms += t_end_ms;
        } else {
            counts.plain += 1;
            counts.plain_ms += t_end_ms;
        }
        match model.simulate(x, t_end_ms, tangent) {
            Ok(traces) => {
                let found = if traces.sens.is_empty() { 0 } else { traces.n_slots };
                let expected = x.len();
                if tangent && found != expected {
                    return Err(TuneError::Slots {
                        what: "the sensitivities",
                        found,
                        expected,
                    });
                }
                Ok(Some(traces))
            }
            Err(source) if M::is_divergence(&source) => Ok(None),
            Err(source) => Err(TuneError::Model {
                x: x.to_vec(),
                t_end_ms,
                source,
            }),
        }
    }

    /// Loss and derivative at the present point; `None` if either is not finite.
    fn linearise<M: Model>(&mut self, model: &mut M, x: &[f64]) -> Result<Option<Point>, TuneError<M::Error>> {
        let Some(traces) = self.simulate(model, x, true)? else {
            return Ok(None);
        };
        let horizon_ms = self.horizon_ms();
        let slots = self.settings.transforms.iter().zip(&self.state.y);
        let dx_dy: Vec<f64> = slots.map(|(t, &y)| t.derivative(y)).collect();
        let point = match &self.state.engine {
            Engine::Adam(settings, adam) => {
                let (loss, mut gradient) = self.objective.gradient(&traces, horizon_ms)?;
                gradient.iter_mut().zip(&dx_dy).for_each(|(g, d)| *g *= d);
                let gradient_norm = DVector::from_row_slice(&gradient).norm();
                Point {
                    loss,
                    gradient_norm,
                    slope: Slope::Adam(*settings, adam.clone(), gradient),
                }
            }
            Engine::LevenbergMarquardt(settings, lm) => {
                // The loss is taken as trials take theirs, so that a gain never compares two ways of summing.
                let loss = self.objective.loss(&traces, horizon_ms)?;
                let mut residuals = self.objective.residuals(&traces, horizon_ms)?;
                for (mut column, d) in residuals.jacobian.column_iter_mut().zip(&dx_dy) {
                    column *= *d;
                }
                // Before the decomposition: it has no meaning on infinities.
                if !loss.is_finite() || residuals.jacobian.iter().any(|v| !v.is_finite()) {
                    return Ok(None);
                }
                let linear = Linearisation::new(&residuals.values, residuals.jacobian);
                let gradient_norm = linear.gradient().norm();
                Point {
                    loss,
                    gradient_norm,
                    slope: Slope::LevenbergMarquardt(*settings, lm.clone(), linear),
                }
            }
            // without derivatives there is no slope
            Engine::CmaEs(..) => return Ok(None),
        };
        Ok((point.loss.is_finite() && point.gradient_norm.is_finite()).then_some(point))
    }

    fn note_best(&mut self, horizon_ms: f64, loss: f64, x: &[f64]) {
        let better = self
            .state
            .best
            .as_ref()
            .is_none_or(|b| horizon_ms > b.horizon_ms || loss < b.loss);
        if better {
            self.state.best = Some(Best {
                iteration: self.state.iteration,
                horizon_ms,
                loss,
                x: x.to_vec(),
            });
        }
    }

    /// Target and stall, at the full horizon; advances the stall clock.
    fn met_stop_rule(&mut self, loss: f64) -> Option<Termination> {
        if !self.at_full_horizon() {
            return None;
        }
        if self.settings.stop.target_loss.is_some_and(|target| loss <= target) {
            return Some(Termination::TargetReached);
        }
        let rule = self.settings.stop.stall?;
        match &mut self.state.stall {
            Some(clock) if loss >= clock.loss * (1.0 - rule.tolerance) => {
                clock.age += 1;
                (clock.age >= rule.iterations).then_some(Termination::Stalled)
            }
            clock => {
                *clock = Some(StallClock { loss, age: 0 });
                None
            }
        }
    }

    /// One optimiser step from a finite point, and the growth of the horizon.
    fn advance<M: Model>(
        &mut self,
        model: &mut M,
        point: Point,
        row: &mut Row,
    ) -> Result<Option<Termination>, TuneError<M::Error>> {
        let next = match point.slope {
            Slope::Adam(settings, mut adam, gradient) => {
                let step = adam.step(&settings, &gradient);
                self.state.engine = Engine::Adam(settings, adam);
                self.nearest_physical(&step)
            }
            Slope::LevenbergMarquardt(settings, mut lm, linear) => {
                let descent = self.descend(model, &settings, &mut lm, &linear, point.loss)?;
                row.damping = Some(lm.damping);
                self.state.engine = Engine::LevenbergMarquardt(settings, lm);
                match descent {
                    Descent::Moved { y, loss } => {
                        row.next_loss = Some(loss);
                        y
                    }
                    Descent::Diverged => return Ok(Some(Termination::NonFiniteLoss)),
                    Descent::Exhausted if self.at_full_horizon() => return Ok(Some(Termination::Stalled)),
                    Descent::Exhausted => {
                        self.state.growths += 1;
                        return Ok(None);
                    }
                }
            }
        };
        row.accepted = true;
        self.state.previous = Some(std::mem::replace(&mut self.state.y, next));
        let mut ended = None;
        if let Some(loss) = row.next_loss {
            self.note_best(row.horizon_ms, loss, &self.x());
            let reached = self.settings.stop.target_loss.is_some_and(|target| loss <= target);
            ended = (reached && self.at_full_horizon()).then_some(Termination::TargetReached);
        }
        if ended.is_none() && !self.at_full_horizon() {
            self.state.growths += 1;
        }
        Ok(ended)
    }

    /// Tries damped steps until one descends.
    fn descend<M: Model>(
        &mut self,
        model: &mut M,
        settings: &LmSettings,
        lm: &mut LevenbergMarquardt,
        linear: &Linearisation,
        loss: f64,
    ) -> Result<Descent, TuneError<M::Error>> {
        lm.observe(linear);
        let (damping, growth) = (lm.damping, lm.growth);
        let (mut trials, mut finite) = (0, 0);
        while trials < settings.max_trials {
            let Some(proposal) = lm.propose(settings, linear) else {
                break;
            };
            // A promise below the rounding of the loss cannot be tested.
            if proposal.predicted <= f64::EPSILON * loss {
                finite += 1;
                break;
            }
            let y: Vec<f64> = self.state.y.iter().zip(&proposal.step).map(|(y, h)| y + h).collect();
            let mut next = None;
            if let Some(x) = self.physical(&y)
                && let Some(traces) = self.simulate(model, &x, false)?
            {
                next = Some(self.objective.loss(&traces, self.horizon_ms())?).filter(|l| l.is_finite());
            }
            trials += 1;
            finite += u32::from(next.is_some());
            if let (true, Some(next)) = (lm.judge(settings, &proposal, next.map(|next| loss - next)), next) {
                return Ok(Descent::Moved { y, loss: next });
            }
        }
        // The damping of a failed search says nothing about the next, longer horizon.
        (lm.damping, lm.growth) = (damping, growth);
        Ok(if trials > 0 && finite == 0 {
            Descent::Diverged
        } else {
            Descent::Exhausted
        })
    }

    /// `y + step`, the step halved until all physical values are finite.
    fn nearest_physical(&self, step: &[f64]) -> Vec<f64> {
        let mut fraction = 1.0;
        for _ in 0..MAX_HALVINGS {
            let y: Vec<f64> = self.state.y.iter().zip(step).map(|(y, h)| y + fraction * h).collect();
            if self.physical(&y).is_some() {
                return y;
            }
            fraction *= 0.5;
        }
        self.state.y.clone()
    }

    /// Answers a non-finite loss: half-way back to the last good point, and more careful from there.
    fn retreat(&mut self) -> Option<Termination> {
        self.state.retreats += 1;
        match &mut self.state.engine {
            // Momentum would carry Adam straight back.
            Engine::Adam(_, adam) => adam.halt(),
            Engine::LevenbergMarquardt(_, lm) => lm.reject(),
            Engine::CmaEs(..) => {}
        }
        match &self.state.previous {
            Some(previous) if self.state.retreats <= self.settings.stop.max_retreats => {
                self.state
                    .y
                    .iter_mut()
                    .zip(previous)
                    .for_each(|(y, p)| *y = p + 0.5 * (*y - p));
                None
            }
            _ => Some(Termination::NonFiniteLoss),
        }
    }
}

#[cfg(test)]
mod tests;
