//! A tuning run of a plan: target, objective, settings, checkpoints. The optimisers are [`crate::control`]'s.

use std::path::{Path, PathBuf};

use crate::control::{
    Checkpoint, CheckpointError, Horizon, Model, Objective, ObjectiveError, Settings, SettingsError, Target, Traces,
    Tuner,
};
use crate::experiment;
use crate::plan::{Plan, PlanError};
use crate::report;

/// Why a tuning run cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TuneSetupError<E: std::error::Error + 'static> {
    /// The experiment does not say what to tune.
    #[error("the experiment has no `{what}`; add it to tune")]
    Missing {
        /// The key.
        what: &'static str,
    },
    /// A name in `tune` means nothing.
    #[error(transparent)]
    Plan(Box<PlanError>),
    /// A probe that counts has no sensitivities.
    #[error("probe `{probe}` counts in the loss but carries no sensitivities; give it no weight in tune.weights")]
    Insensitive {
        /// The probe.
        probe: String,
    },
    /// The target file cannot be used.
    #[error(transparent)]
    Report(#[from] report::Error),
    /// The target file lacks a column.
    #[error("{} has no column `{probe}` (it has: {})", path.display(), columns.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The probe.
        probe: String,
        /// What there is.
        columns: Vec<String>,
    },
    /// Target, weights or windows do not fit.
    #[error("the objective is not valid")]
    Objective(#[from] ObjectiveError),
    /// Optimiser, transforms, horizon or start are not valid.
    #[error("the settings are not valid")]
    Settings(#[from] SettingsError),
    /// The checkpoint cannot be continued.
    #[error("cannot resume from {}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CheckpointError,
    },
    /// The checkpoint cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The target could not be simulated.
    #[error("the target simulation failed")]
    Model(#[source] E),
}

impl<E: std::error::Error + 'static> From<PlanError> for TuneSetupError<E> {
    fn from(error: PlanError) -> Self {
        TuneSetupError::Plan(Box::new(error))
    }
}

/// What an experiment asks to be solved, before any search.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The loss.
    pub objective: Objective,
    /// Transforms, optimiser, horizon and stop rules.
    pub settings: Settings,
    /// `tune.start`, completed by the slots' values.
    pub start: Vec<f64>,
    /// What a search should find, where the target was simulated.
    pub truth: Option<Vec<f64>>,
    /// Digest of everything that determines a search from `start`.
    pub fingerprint: String,
    /// A probe that counts and carries no sensitivities, if there is one.
    pub blind: Option<String>,
}

/// A tuner, ready to go.
#[derive(Debug)]
pub struct Setup {
    /// The loop.
    pub tuner: Tuner,
    /// Where it starts (or started, if resumed).
    pub start: Vec<f64>,
    /// What it should find, where the target was simulated.
    pub truth: Option<Vec<f64>>,
    /// Digest of everything that determines the run.
    pub fingerprint: String,
    /// Iterations taken from a checkpoint.
    pub resumed: usize,
}

/// Reads or simulates the target and checks the rest of `tune`.
///
/// # Errors
/// [`TuneSetupError`].
pub fn problem<M: Model>(plan: &Plan, model: &mut M) -> Result<Problem, TuneSetupError<M::Error>> {
    let tune = section(plan)?;
    if plan.slots.is_empty() {
        return Err(TuneSetupError::Missing { what: "slots" });
    }
    let mut fingerprint = plan.fingerprint();
    let weights = weights(plan, tune)?;
    let (target, truth) = match &tune.target {
        experiment::Target::Simulated(values) => {
            let truth = named(plan, values, "tune.target.simulated")?;
            let duration = plan.experiment.simulation.duration_ms;
            let traces = model.simulate(&truth, duration, false).map_err(TuneSetupError::Model)?;
            (of_traces(&traces), Some(truth))
        }
        experiment::Target::File(file) => {
            let path = crate::plan::join(&plan.base, file);
            fingerprint.push_str(&report::InputFile::read("target", &path)?.sha256);
            (of_file(plan, &path, &weights)?, None)
        }
    };
    let blind = plan.probes.iter().zip(&weights);
    let blind = blind.filter(|(p, w)| **w > 0.0 && !p.has_sensitivities());
    let blind = blind.map(|(p, _)| p.name.clone()).next();
    let problem = Problem {
        objective: Objective::new(target, weights, &tune.windows)?,
        settings: Settings {
            transforms: plan.slots.iter().map(|s| s.transform).collect(),
            optimiser: tune.optimiser,
            horizon: tune
                .horizon
                .unwrap_or(Horizon::fixed(plan.experiment.simulation.duration_ms)),
            stop: tune.stop,
        },
        start: named(plan, &tune.start, "tune.start")?,
        truth,
        fingerprint,
        blind,
    };
    if tune.optimiser.needs_sensitivities() {
        problem.sees()?;
    }
    Ok(problem)
}

/// Prepares the search from `tune.start`, from the checkpoint in `resume` if it exists.
///
/// # Errors
/// [`TuneSetupError`].
pub fn prepare<M: Model>(plan: &Plan, model: &mut M, resume: Option<&Path>) -> Result<Setup, TuneSetupError<M::Error>> {
    let problem = problem(plan, model)?;
    let (start, fingerprint) = (problem.start.clone(), problem.fingerprint.clone());
    problem.search(start, fingerprint, resume)
}

/// Prepares the search from each of `tune.starts`, or the one from `tune.start` if there are none, from the checkpoints
/// in the folder `resume` that exist ([`checkpoint_name`]).
///
/// # Errors
/// [`TuneSetupError`].
pub fn prepare_all<E: std::error::Error>(
    plan: &Plan,
    problem: &Problem,
    resume: Option<&Path>,
) -> Result<Vec<Setup>, TuneSetupError<E>> {
    let tune = section(plan)?;
    let points = match &tune.starts {
        None => vec![problem.start.clone()],
        Some(starts) => starts.draw(&problem.settings.transforms, &problem.start)?,
    };
    let searches = points.into_iter().enumerate().map(|(k, point)| {
        let path = resume.map(|folder| folder.join(checkpoint_name(plan, k)));
        let mut fingerprint = problem.fingerprint.clone();
        if tune.starts.is_some() {
            // a renamed checkpoint of another start is refused
            fingerprint.push_str(&format!("/{k}"));
        }
        problem.search(point, fingerprint, path.as_deref())
    });
    searches.collect()
}

/// The file name of the checkpoint of search `k` of an experiment.
pub fn checkpoint_name(plan: &Plan, k: usize) -> String {
    match plan.experiment.tune.as_ref().and_then(|t| t.starts) {
        None => "checkpoint.json".into(),
        Some(_) => format!("checkpoint-{k}.json"),
    }
}

impl Problem {
    /// Whether every probe that counts carries sensitivities.
    ///
    /// # Errors
    /// [`TuneSetupError::Insensitive`] names one that does not.
    pub fn sees<E: std::error::Error>(&self) -> Result<(), TuneSetupError<E>> {
        match &self.blind {
            None => Ok(()),
            Some(probe) => Err(TuneSetupError::Insensitive { probe: probe.clone() }),
        }
    }

    /// A search from `start`, or from the checkpoint in `resume` if it exists.
    fn search<E: std::error::Error>(
        &self,
        start: Vec<f64>,
        fingerprint: String,
        resume: Option<&Path>,
    ) -> Result<Setup, TuneSetupError<E>> {
        let (settings, objective) = (self.settings.clone(), self.objective.clone());
        let (tuner, resumed) = match resume.filter(|path| path.exists()) {
            None => (Tuner::new(settings, objective, &start)?, 0),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| TuneSetupError::Read {
                    path: path.to_path_buf(),
                    source,
                })?;
                let broken = |source| TuneSetupError::Checkpoint {
                    path: path.to_path_buf(),
                    source,
                };
                let checkpoint = Checkpoint::from_json(&text).map_err(broken)?;
                let tuner = Tuner::resume(checkpoint, settings, objective, &fingerprint).map_err(broken)?;
                let done = tuner.history().len();
                (tuner, done)
            }
        };
        Ok(Setup {
            tuner,
            start,
            truth: self.truth.clone(),
            fingerprint,
            resumed,
        })
    }
}

/// The experiment's `tune`.
fn section<E: std::error::Error>(plan: &Plan) -> Result<&experiment::Tune, TuneSetupError<E>> {
    let tune = plan.experiment.tune.as_ref();
    tune.ok_or(TuneSetupError::Missing { what: "tune" })
}

/// The plan's slot values with some replaced by name.
fn named<E: std::error::Error>(
    plan: &Plan,
    values: &std::collections::BTreeMap<String, f64>,
    place: &str,
) -> Result<Vec<f64>, TuneSetupError<E>> {
    let mut x = plan.values();
    for (name, &value) in values {
        let slot = plan.slot(name).ok_or_else(|| PlanError::Unknown {
            place: place.into(),
            what: "slot",
            name: name.clone(),
            known: plan.slots.iter().map(|s| s.name.clone()).collect(),
        })?;
        x[slot] = value;
    }
    Ok(x)
}

fn weights<E: std::error::Error>(plan: &Plan, tune: &experiment::Tune) -> Result<Vec<f64>, TuneSetupError<E>> {
    let mut weights = vec![if tune.weights.is_empty() { 1.0 } else { 0.0 }; plan.probes.len()];
    for (name, &weight) in &tune.weights {
        let probe = plan
            .probes
            .iter()
            .position(|p| p.name == *name)
            .ok_or_else(|| PlanError::Unknown {
                place: "tune.weights".into(),
                what: "probe",
                name: name.clone(),
                known: plan.probes.iter().map(|p| p.name.clone()).collect(),
            })?;
        weights[probe] = weight;
    }
    Ok(weights)
}

fn of_traces(traces: &Traces) -> Target {
    Target {
        times_ms: traces.times_ms.clone(),
        n_probes: traces.n_probes,
        values: traces.values.clone(),
    }
}

/// Columns by probe name; probes without weight need none.
fn of_file<E: std::error::Error>(plan: &Plan, path: &Path, weights: &[f64]) -> Result<Target, TuneSetupError<E>> {
    let file = report::read_traces(path)?;
    let n = file.time_ms.len();
    let n_probes = plan.probes.len();
    let mut values = vec![0.0; n * n_probes];
    for (i, probe) in plan.probes.iter().enumerate().filter(|(i, _)| weights[*i] > 0.0) {
        let column = file.column(&probe.name).ok_or_else(|| TuneSetupError::NoColumn {
            path: path.to_path_buf(),
            probe: probe.name.clone(),
            columns: file.names.clone(),
        })?;
        for (sample, value) in column.iter().enumerate() {
            values[sample * n_probes + i] = *value;
        }
    }
    Ok(Target {
        times_ms: file.time_ms,
        n_probes,
        values,
    })
}
