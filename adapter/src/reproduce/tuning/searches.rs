//! One reading of the cell: its experiment, its target, and all searches on it.
//!
//! A search leaves a checkpoint in `searches/`, and a later run with `--resume` goes on from there.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::methods::{Extent, FORGETTING_PER_MS, Family, Method, SEED, Start, levenberg_marquardt, lm_stop};
use crate::bench::bench;
use crate::control::{
    Checkpoint, Counts, Model, Objective, Optimiser, Settings, Target, Termination, Traces, Transform, Tuner, run_all,
};
use crate::experiment::{self, Carrier, Tune};
use crate::hosts::ShimHost;
use crate::plan::Plan;
use crate::random::{SplitMix64, derived};
use crate::report::{self, Progress, create_dir, write_atomic};
use crate::reproduce::olive::{CONDUCTANCES, OliveCell, Reading};
use crate::reproduce::{Error, Job};
use crate::verify::{Verdict, lanes, verify};

/// Iterations between checkpoints: a second or two of work.
const KEEP_EVERY: usize = 5;

/// Where the check of the sensitivities starts, mV: every channel opens on the way down.
const CHECK_FROM_MV: f64 = -20.0;
/// Conductances that are raised for it. At their own values they move the soma by so little that differences lose them in
/// the voltage's rounding: an error of 2e-6 with an uncertainty of 2e-6, which is no verdict.
const RAISED: [(&str, f64); 3] = [("Na_s", 10.0), ("Na_a", 10.0), ("la", 100.0)];
/// The same in the experiment.
pub(super) const CHECK: &str = "The sensitivities of the olive cell are checked from −20 mV, where every channel acts, with \
    Na_s and Na_a ten times and la a hundred times what they are: at the published start some of these move the soma by less \
    than differences can resolve.";

/// A reading, made ready.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) reading: Reading,
    pub(super) plan: Plan,
    host: ShimHost,
    /// The same cell with other sensitivities, for the searches of these families.
    others: Vec<(Family, ShimHost)>,
    /// Traces at the target.
    pub(super) target: Traces,
    /// The same with 1 mV of noise.
    pub(super) noisy_target: Traces,
    /// Mean square distance from the target without noise.
    pub(super) objective: Objective,
    noisy: Objective,
    /// Time of a tangent second over that of a plain one.
    pub(super) multiple: f64,
    /// Wall time of a plain second of the cell, s.
    pub(super) plain_s: f64,
    /// The check of the sensitivities.
    pub(super) verdict: Verdict,
}

/// A search that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) method: Method,
    pub(super) start: Vec<f64>,
    pub(super) tuner: Tuner,
    pub(super) termination: Termination,
    /// Losses on the way, over the whole trace and without noise.
    pub(super) curve: Vec<Point>,
}

/// A point of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) iteration: u32,
    /// Mean square distance from the target without noise over the whole trace, mV²; NaN where the cell diverges.
    pub(super) loss: f64,
    /// What the search itself looked at, ms.
    pub(super) horizon_ms: f64,
    /// Simulated time so far.
    counts: Counts,
}

impl Point {
    /// Simulated without sensitivities so far, s.
    pub(super) fn plain_s(&self) -> f64 {
        self.counts.plain_ms / 1000.0
    }

    /// Simulated with sensitivities so far, s.
    pub(super) fn tangent_s(&self) -> f64 {
        self.counts.tangent_ms / 1000.0
    }

    /// Simulated time of the cell so far, s.
    pub(super) fn cell_s(&self) -> f64 {
        self.plain_s() + self.tangent_s()
    }

    /// The same in plain seconds, a tangent second being so many.
    pub(super) fn cost(&self, multiple: f64) -> f64 {
        self.tangent_s().mul_add(multiple, self.plain_s())
    }
}

impl Ended {
    /// The point found.
    pub(super) fn found(&self) -> Vec<f64> {
        self.tuner.best().map_or_else(|| self.tuner.x(), |b| b.x.clone())
    }

    /// The first point below a loss.
    pub(super) fn first_below(&self, level: f64) -> Option<&Point> {
        self.curve.iter().find(|p| p.loss < level)
    }

    /// Its last point.
    pub(super) fn last(&self) -> Option<&Point> {
        self.curve.last()
    }

    /// Loss at its end; NaN if there is none.
    pub(super) fn loss(&self) -> f64 {
        self.last().map_or(f64::NAN, |p| p.loss)
    }
}

/// The target as factors of the start.
pub(super) fn truth() -> Vec<f64> {
    CONDUCTANCES.iter().map(|g| g.target_factor()).collect()
}

impl Ground {
    /// Builds the cell and the target, verifies the sensitivities at the start, and measures what a run costs.
    pub(super) fn prepare(job: &Job<'_>, cell: &OliveCell, reading: Reading, extent: &Extent) -> Result<Self, Error> {
        let letter = reading.letter();
        let mut made = cell.experiment(&format!("olive-{letter}"), reading);
        made.description = Some(format!(
            "Inferior-olive cell, reading {letter}: twelve conductances from the published start to the published target, \
             by Levenberg–Marquardt with a growing horizon."
        ));
        made.simulation.duration_ms = extent.end_ms;
        made.verify.duration_ms = Some(extent.verified_ms);
        made.tune = Some(tune(extent));
        let plan = Plan::load(&cell.write(&made)?)?;
        let mut host = ShimHost::new(&plan, &job.output.join(format!("olive-{letter}-catalogue.so")))?;
        let mut others = Vec::new();
        for family in [Family::Forgetting, Family::Diffusion] {
            let mut made = made.clone();
            let name = match family {
                Family::Forgetting => {
                    made.forgetting_per_ms = FORGETTING_PER_MS;
                    "forgetting"
                }
                Family::Diffusion => {
                    made.carrier = Carrier::Diffusion;
                    "diffusion"
                }
                Family::Adam | Family::Evolution | Family::LevenbergMarquardt => continue,
            };
            made.name = format!("olive-{letter}-{name}");
            let plan = Plan::load(&cell.write(&made)?)?;
            let catalogue = job.output.join(format!("{}-catalogue.so", made.name));
            others.push((family, ShimHost::new(&plan, &catalogue)?));
        }
        let target = host.simulate(&truth(), extent.end_ms, false)?;
        let noisy_target = with_noise(&target);
        let objective = |t: &Traces| {
            let target = Target {
                times_ms: t.times_ms.clone(),
                n_probes: t.n_probes,
                values: t.values.clone(),
            };
            Objective::new(target, Vec::new(), &[])
        };
        let verdict = check(job, cell, reading, extent)?;
        let timed = bench(&plan, &mut host, extent.timed, |_| ())?;
        Ok(Self {
            reading,
            objective: objective(&target)?,
            noisy: objective(&noisy_target)?,
            target,
            noisy_target,
            multiple: timed.ratio.unwrap_or(f64::NAN),
            plain_s: timed.plain.ms_per_model_second / 1000.0,
            verdict,
            host,
            others,
            plan,
        })
    }

    /// Mean square of the target's distance from its mean: what the best constant trace would reach, mV².
    pub(super) fn best_constant(&self) -> f64 {
        let n = self.target.values.len() as f64;
        let mean = self.target.values.iter().sum::<f64>() / n;
        self.target.values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n
    }

    /// Traces at a point, over the whole span.
    pub(super) fn simulate(&mut self, x: &[f64], tangent: bool) -> Result<Traces, Error> {
        Ok(self
            .host
            .simulate(x, self.plan.experiment.simulation.duration_ms, tangent)?)
    }

    /// Losses at points, without noise, over each of these spans, point by point; NaN where the cell diverges.
    pub(super) fn losses(&mut self, points: &[Vec<f64>], horizons_ms: &[f64]) -> Result<Vec<Vec<f64>>, Error> {
        let end_ms = self.plan.experiment.simulation.duration_ms;
        let mut losses = Vec::with_capacity(points.len());
        // a chunk's traces are in memory, not all
        for chunk in points.chunks(64) {
            for run in self.host.simulate_many(chunk, end_ms, false) {
                losses.push(match run {
                    Ok(traces) => horizons_ms
                        .iter()
                        .map(|h| self.objective.loss(&traces, *h))
                        .collect::<Result<_, _>>()?,
                    Err(error) if ShimHost::is_divergence(&error) => vec![f64::NAN; horizons_ms.len()],
                    Err(error) => return Err(error.into()),
                });
            }
        }
        Ok(losses)
    }

    /// All searches, in the order of `methods`.
    pub(super) fn search(
        &mut self,
        job: &Job<'_>,
        methods: &[Method],
        extent: &Extent,
        progress: &Mutex<Progress>,
        done: &mut u64,
    ) -> Result<Vec<Ended>, Error> {
        let folder = job.output.join("searches");
        create_dir(&folder)?;
        let transforms = vec![Transform::Identity; CONDUCTANCES.len()];
        let published = self.plan.values();
        let random = extent.draws().draw(&transforms, &published)?;
        let mut ended: Vec<Option<Ended>> = methods.iter().map(|_| None).collect();
        let known: Vec<Family> = self.others.iter().map(|(family, _)| *family).collect();
        for other in std::iter::once(None).chain((0..known.len()).map(Some)) {
            let mut kept = Vec::new();
            let (mut tuners, mut starts, mut places) = (Vec::new(), Vec::new(), Vec::new());
            for (i, method) in methods.iter().enumerate() {
                if known.iter().position(|family| *family == method.family) != other {
                    continue;
                }
                let start = match method.from {
                    Start::Published => published.clone(),
                    Start::Random(k) => random.get(k).cloned().unwrap_or_else(|| published.clone()),
                };
                let objective = if method.noisy { &self.noisy } else { &self.objective };
                let settings = Settings {
                    transforms: transforms.clone(),
                    optimiser: method.optimiser,
                    horizon: method.horizon,
                    stop: method.stop,
                };
                let keep = Keep {
                    path: folder.join(format!("{}-{}.json", self.reading.letter(), method.name)),
                    // what makes a checkpoint another search's: cell, code, target's noise, start
                    fingerprint: format!(
                        "{} {} {} {start:?}",
                        self.plan.fingerprint(),
                        env!("CARGO_PKG_VERSION"),
                        method.name
                    ),
                };
                tuners.push(keep.tuner(job.resume, settings, objective, &start)?);
                kept.push(keep);
                starts.push(start);
                places.push(i);
            }
            let host = match other {
                Some(i) => &mut self.others[i].1,
                None => &mut self.host,
            };
            let mut replicas = host.replicas(tuners.len());
            let hosts = std::iter::once(host).chain(&mut replicas).collect();
            let failed: Mutex<Option<report::Error>> = Mutex::new(None);
            let before = *done;
            let finished = Mutex::new(0);
            let terminations = run_all(&mut tuners, hosts, |k, tuner| {
                let n = tuner.history().len();
                if n.is_multiple_of(KEEP_EVERY)
                    && let Err(error) = kept[k].save(tuner)
                {
                    *lock(&failed) = Some(error);
                }
                if tuner.termination().is_some() {
                    *lock(&finished) += 1;
                }
                let loss = tuner.history().last().and_then(|r| r.loss);
                let loss = loss.map_or_else(|| "loss not finite".into(), |l| format!("loss {l:.3e}"));
                let message = format!("{} {}: {loss}", self.reading.letter(), methods[places[k]].name);
                lock(progress).set(before + *lock(&finished), &message);
                if lock(&failed).is_some() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
                return Err(error.into());
            }
            *done += places.len() as u64;
            let results = tuners.into_iter().zip(starts).zip(terminations).zip(&kept);
            for ((((tuner, start), termination), keep), &i) in results.zip(&places) {
                keep.save(&tuner)?;
                let termination = termination?;
                let curve = self.curve(&tuner)?;
                ended[i] = Some(Ended {
                    method: methods[i].clone(),
                    start,
                    tuner,
                    termination,
                    curve,
                });
            }
        }
        Ok(ended.into_iter().flatten().collect())
    }

    /// The losses of a search over the whole trace and without noise. Where the search has not looked at that itself, it
    /// is simulated afterwards, at no cost to the search.
    fn curve(&mut self, tuner: &Tuner) -> Result<Vec<Point>, Error> {
        let end_ms = self.plan.experiment.simulation.duration_ms;
        let rows = tuner.history();
        let known = match tuner.settings().optimiser {
            Optimiser::Adam(_) | Optimiser::CmaEs(_) => true,
            Optimiser::LevenbergMarquardt(_) => false,
        };
        let mut curve: Vec<Point> = rows
            .iter()
            .map(|row| Point {
                iteration: row.iteration,
                loss: row.loss.unwrap_or(f64::NAN),
                horizon_ms: row.horizon_ms,
                counts: row.counts,
            })
            .collect();
        if !known {
            let mut points: Vec<Vec<f64>> = rows.iter().map(|r| r.x.clone()).collect();
            if let (Some(best), Some(last)) = (tuner.best(), curve.last().copied()) {
                points.push(best.x.clone());
                curve.push(Point {
                    iteration: last.iteration + 1,
                    ..last
                });
            }
            // a point was found by the last trial of the iteration before
            let counts: Vec<Counts> = curve.iter().map(|p| p.counts).collect();
            let before = std::iter::once(Counts::default()).chain(counts);
            for ((point, counts), loss) in curve.iter_mut().zip(before).zip(self.losses(&points, &[end_ms])?) {
                point.counts = counts;
                point.loss = loss[0];
            }
        }
        Ok(curve)
    }
}

/// A search's checkpoint.
struct Keep {
    path: PathBuf,
    fingerprint: String,
}

impl Keep {
    /// The search as it was left, if it may be resumed and the checkpoint is this search's; else from its start.
    fn tuner(&self, resume: bool, settings: Settings, objective: &Objective, start: &[f64]) -> Result<Tuner, Error> {
        if resume
            && let Ok(text) = std::fs::read_to_string(&self.path)
            && let Ok(checkpoint) = Checkpoint::from_json(&text)
            && let Ok(tuner) = Tuner::resume(checkpoint, settings.clone(), objective.clone(), &self.fingerprint)
        {
            return Ok(tuner);
        }
        Ok(Tuner::new(settings, objective.clone(), start)?)
    }

    fn save(&self, tuner: &Tuner) -> Result<(), report::Error> {
        // numbers and text only: they always are JSON
        let text = tuner.checkpoint(&self.fingerprint).to_json().unwrap_or_default();
        write_atomic(&self.path, text.as_bytes())
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Verifies the sensitivities where each of them can be: from a voltage at which all channels act, and with the faintest
/// conductances raised.
fn check(job: &Job<'_>, cell: &OliveCell, reading: Reading, extent: &Extent) -> Result<Verdict, Error> {
    let name = format!("olive-{}-check", reading.letter());
    let mut made = cell.experiment(&name, reading);
    made.description = Some(CHECK.into());
    made.simulation.duration_ms = extent.verified_ms;
    for cell in &mut made.cells {
        cell.properties.v_init_mv = Some(CHECK_FROM_MV);
    }
    for slot in &mut made.slots {
        let raised = RAISED.iter().find(|(name, _)| *name == slot.name);
        slot.value = raised.map(|(_, factor)| *factor);
    }
    let plan = Plan::load(&cell.write(&made)?)?;
    let mut host = ShimHost::new(&plan, &job.output.join(format!("{name}-catalogue.so")))?;
    let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    let (x, tolerance) = (plan.values(), plan.experiment.verify.tolerance);
    let verdict = verify(
        &mut host,
        &slots,
        &x,
        extent.verified_ms,
        tolerance,
        &lanes(&plan),
        |_| (),
    )?;
    let text = serde_json::to_string_pretty(&verdict).unwrap_or_default();
    write_atomic(
        &job.output.join(format!("verify-{}.json", reading.letter())),
        text.as_bytes(),
    )?;
    Ok(verdict)
}

/// What the experiment says of tuning, so that `graddiff tune` makes the first search of all again.
fn tune(extent: &Extent) -> Tune {
    let target: BTreeMap<String, f64> = CONDUCTANCES
        .iter()
        .map(|g| (g.name.to_owned(), g.target_factor()))
        .collect();
    Tune {
        target: experiment::Target::Simulated(target),
        weights: BTreeMap::new(),
        windows: Vec::new(),
        start: BTreeMap::new(),
        starts: None,
        optimiser: Optimiser::LevenbergMarquardt(levenberg_marquardt()),
        horizon: Some(extent.horizon()),
        stop: lm_stop(extent),
    }
}

/// Adds independent normal numbers with a standard deviation of 1 (mV).
///
/// # Reference
/// Box & Muller 1958, doi:10.1214/aoms/1177706645
fn with_noise(traces: &Traces) -> Traces {
    let mut stream = SplitMix64::new(derived(SEED, 0));
    let mut noisy = traces.clone();
    for value in &mut noisy.values {
        // 1 − u lies in (0, 1]
        let radius = (-2.0 * (1.0 - stream.unit()).ln()).sqrt();
        *value += radius * (std::f64::consts::TAU * stream.unit()).cos();
    }
    noisy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_mean_zero_and_variance_one_and_is_the_same_each_time() {
        let n: u16 = 20_000;
        let still = Traces {
            times_ms: (0..n).map(f64::from).collect(),
            n_probes: 1,
            values: vec![-60.0; usize::from(n)],
            ..Traces::default()
        };
        let noisy = with_noise(&still);
        assert_eq!(noisy, with_noise(&still));
        let count = f64::from(n);
        let mean = noisy.values.iter().map(|v| v + 60.0).sum::<f64>() / count;
        let variance = noisy.values.iter().map(|v| (v + 60.0 - mean).powi(2)).sum::<f64>() / count;
        // five standard errors
        assert!(mean.abs() < 5.0 / count.sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{variance}");
        let successive = noisy
            .values
            .windows(2)
            .map(|w| (w[0] + 60.0) * (w[1] + 60.0))
            .sum::<f64>()
            / count;
        assert!(successive.abs() < 5.0 / count.sqrt(), "{successive}");
    }
}
