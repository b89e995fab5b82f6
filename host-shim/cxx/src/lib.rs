//! graddiff for C++: an experiment, made concrete, in our host, and the search that tunes it.
//!
//! C++ programs include `include/graddiff.hpp`, which wraps this bridge in the types of the standard library and is its
//! documentation. Every error arrives there as an exception; a panic would end the process, as C++ expects of `noexcept`.

use anyhow::{Context, Result};
use compiler::CompileError;
use graddiff::cli::diagnostics::{Style, render_all};
use graddiff::control::{Model as _, Termination};
use graddiff::hosts::{HostError, ShimHost};
use graddiff::plan::{Plan, PlanError};
use graddiff::tune::{Problem, prepare, problem};

use bridge::ffi;

#[expect(
    unsafe_code,
    unreachable_pub,
    clippy::multiple_unsafe_ops_per_block,
    reason = "cxx writes the boundary; nothing of ours in it is unsafe"
)]
mod bridge;

/// A plan in the host.
#[derive(Debug)]
struct Model {
    plan: Plan,
    host: ShimHost,
    /// What `tune` asks for; made once, since its target may have to be simulated.
    problem: Option<Problem>,
    /// Holds the catalogue.
    _folder: tempfile::TempDir,
}

/// Reads an experiment, differentiates and compiles its mechanisms, and builds its cells.
fn load(experiment: &str) -> Result<Box<Model>> {
    let plan = Plan::load(experiment.as_ref()).map_err(legible)?;
    let folder = tempfile::tempdir().context("no folder for the catalogue")?;
    let catalogue = folder.path().join(format!("{}-catalogue.so", plan.experiment.name));
    let host = ShimHost::new(&plan, &catalogue)?;
    Ok(Box::new(Model {
        plan,
        host,
        problem: None,
        _folder: folder,
    }))
}

/// A plan's error; the compiler's diagnostics with their places where it has some.
fn legible(error: PlanError) -> anyhow::Error {
    let found = match &error {
        PlanError::Compile {
            sources,
            source: CompileError::Rejected(found),
        } => Some(render_all(sources, found, Style::Plain)),
        _ => None,
    };
    match found {
        None => whole(error.into()),
        Some(found) => anyhow::anyhow!("{error}\n{}", found.trim_end()),
    }
}

/// An error and its causes in one line: C++ sees nothing but the text.
fn whole(error: anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

impl Model {
    fn slot_names(&self) -> Vec<String> {
        self.plan.slots.iter().map(|s| s.name.clone()).collect()
    }

    fn slot_values(&self) -> Vec<f64> {
        self.plan.values()
    }

    fn probe_names(&self) -> Vec<String> {
        self.plan.probes.iter().map(|p| p.name.clone()).collect()
    }

    fn probe_units(&self) -> Vec<String> {
        self.plan.probes.iter().map(|p| p.unit.clone()).collect()
    }

    fn duration_ms(&self) -> f64 {
        self.plan.experiment.simulation.duration_ms
    }

    fn simulate(&mut self, values: &[f64], t_end_ms: f64, sensitivities: bool) -> Result<ffi::Traces> {
        self.check(values)?;
        let simulated = self.host.simulate(values, t_end_ms, sensitivities);
        let traces = simulated.map_err(|e| whole(e.into()))?;
        Ok(ffi::Traces {
            times_ms: traces.times_ms,
            n_probes: traces.n_probes,
            n_slots: traces.n_slots,
            values: traces.values,
            sensitivities: traces.sens,
        })
    }

    fn gradient(&mut self, values: &[f64]) -> Result<ffi::LossGradient> {
        self.check(values)?;
        self.problem()?.sees::<HostError>()?;
        let t_end_ms = self.duration_ms();
        let simulated = self.host.simulate(values, t_end_ms, true);
        let traces = simulated.map_err(|e| whole(e.into()))?;
        let (loss, gradient) = self.problem()?.objective.gradient(&traces, t_end_ms)?;
        Ok(ffi::LossGradient { loss, gradient })
    }

    /// Where the search of `tune` starts.
    fn start_values(&mut self) -> Result<Vec<f64>> {
        Ok(self.problem()?.start.clone())
    }

    fn problem(&mut self) -> Result<&Problem> {
        let problem = match self.problem.take() {
            Some(problem) => problem,
            None => problem(&self.plan, &mut self.host).map_err(|e| whole(e.into()))?,
        };
        Ok(self.problem.insert(problem))
    }

    fn check(&self, values: &[f64]) -> Result<()> {
        let expected = self.plan.slots.len();
        anyhow::ensure!(values.len() == expected, "{} values for {expected} slots", values.len());
        Ok(())
    }
}

/// A search under way.
#[derive(Debug)]
struct Tuner(graddiff::control::Tuner);

/// A search as the experiment's `tune` says, from `tune.start`.
fn new_tuner(model: &mut Model) -> Result<Box<Tuner>> {
    let setup = prepare(&model.plan, &mut model.host, None).map_err(|e| whole(e.into()))?;
    Ok(Box::new(Tuner(setup.tuner)))
}

impl Tuner {
    /// One iteration. False once the search has ended.
    fn step(&mut self, model: &mut Model) -> Result<bool> {
        let ended = self.0.step(&mut model.host).map_err(|e| whole(e.into()))?;
        Ok(ended.is_none())
    }

    fn iteration(&self) -> u32 {
        self.0.history().last().map_or(0, |row| row.iteration)
    }

    fn loss(&self) -> f64 {
        self.0.history().last().and_then(|row| row.loss).unwrap_or(f64::NAN)
    }

    fn values(&self) -> Vec<f64> {
        self.0.x()
    }

    fn best_loss(&self) -> f64 {
        self.0.best().map_or(f64::NAN, |best| best.loss)
    }

    fn best_values(&self) -> Vec<f64> {
        self.0.best().map_or_else(Vec::new, |best| best.x.clone())
    }

    /// Why the search has ended; empty while it has not.
    fn ended(&self) -> String {
        let word = match self.0.termination() {
            None => "",
            Some(Termination::MaxIters) => "iteration limit",
            Some(Termination::TargetReached) => "target loss reached",
            Some(Termination::Stalled) => "no progress",
            Some(Termination::NonFiniteLoss) => "loss not finite",
            Some(Termination::Cancelled) => "cancelled",
        };
        word.into()
    }
}
