//! The in-process host: a plan in `host-shim`.
//!
//! Two simulations of the same cells are kept: one of the plain mechanisms, one with sensitivities and the carrier. Slot
//! values are written into their parameter arrays between runs, p = p₀ + Σ seed·x, so nothing is rebuilt while tuning.
//!
//! Independent runs (differences, candidates of a search) go to replicas, which share the loaded catalogue, the cells'
//! descriptions and everything else that does not change; only arrays are copied.
//!
//! Except where slots move synapses, junctions or reversal methods: equal synapses of a control volume are merged into
//! one instance, and which are equal depends on the slots' values, so the cells are built anew for each.

mod online;
mod timing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use compiler::emit::Names;
use compiler::emit::build::{BuildError, build};
use compiler::{Dropped, Pruned};
use host_shim::{AbiChoice, Catalogue, LoadError, Probe, ProbeKind, SampleView, Schedule, SimError, Simulation, Spike};
use rayon::prelude::*;

use super::ProcessError;
use super::readers::Readers;
use crate::control::{Model, Traces};
use crate::plan::export::{ExportError, sample_times_ms};
use crate::plan::{Plan, PlannedCell, Variant, describe, draws_noise};

pub use timing::Timing;

/// Sees the samples of a run while it goes on: time (ms), values by probe, and sensitivities as a row of
/// [`Traces::sens`], empty where they were not asked for.
pub type Watcher<'a> = dyn FnMut(f64, &[f64], &[f64]) + Send + 'a;

/// What can go wrong between a plan and its traces.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The catalogue could not be built.
    #[error("the catalogue cannot be built")]
    Build(#[from] BuildError),
    /// The catalogue could not be loaded.
    #[error("the catalogue cannot be loaded")]
    Load(#[from] LoadError),
    /// The simulation could not be set up or run.
    #[error("the simulation failed")]
    Simulation(#[from] SimError),
    /// The number of slot values is wrong.
    #[error("{found} slot values for {expected} slots")]
    Slots {
        /// Given.
        found: usize,
        /// Wanted.
        expected: usize,
    },
    /// Under control, the gradient of the objective became infinite or NaN.
    #[error("the sensitivity of the objective of control is not finite at {t_ms} ms")]
    Control {
        /// When it was asked for, ms.
        t_ms: f64,
    },
    /// A probe asks for what was left out since nothing depends on it.
    #[error(
        "`{variable}` was pruned from `{mechanism}`, since nothing depends on it and no probe of the plan reads it"
    )]
    Pruned {
        /// What the probe names: a variable, or a variable's sensitivity.
        variable: String,
        /// The mechanism in its source.
        mechanism: String,
    },
    /// A probe asks for a state's sensitivity, and the plan's probes do not.
    #[error(
        "`{variable}` of `{mechanism}` has no place of its own: no probe of the plan reads it; add one of the state"
    )]
    InRows {
        /// The sensitivity.
        variable: String,
        /// The mechanism in its source.
        mechanism: String,
    },
    /// A simulator in another process cannot be started, or did not answer.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The plan cannot be told to a simulator in another process.
    #[error("the experiment cannot be handed to another simulator")]
    Export(#[from] ExportError),
    /// Files for a simulator in another process cannot be written.
    #[error(transparent)]
    Report(#[from] crate::report::Error),
    /// A simulator in another process refuses.
    #[error("{host} does not run this experiment: {message} ({kind})")]
    Refused {
        /// Its name.
        host: &'static str,
        /// See [`Failure::kind`](crate::plan::export::Failure).
        kind: String,
        /// Its words.
        message: String,
    },
    /// A probe's value is infinite or NaN in another simulator.
    #[error("the value of probe `{probe}` is not finite at {t_ms} ms")]
    NonFinite {
        /// The probe.
        probe: String,
        /// When, ms.
        t_ms: f64,
    },
}

impl HostError {
    /// Whether the slot values are at fault: the state diverged.
    pub fn is_divergence(&self) -> bool {
        matches!(
            self,
            HostError::Simulation(SimError::NonFinite { .. })
                | HostError::NonFinite { .. }
                | HostError::Export(ExportError::NotFinite { .. })
        )
    }
}

/// One parameter of one mechanism on one cell that slots move.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) cell: usize,
    pub(super) mechanism: String,
    pub(super) parameter: String,
    /// Per instance: the value where all slots are 0.
    pub(super) base: Vec<f64>,
    /// Per slot that moves it: ∂(parameter)/∂(slot) per instance.
    pub(super) slopes: Vec<(usize, Vec<f64>)>,
}

/// A plan in the shim.
///
/// # Memory
/// Two simulations: the plain one and, if there are slots, the one with sensitivities. Runs at several points at once
/// ([`Model::simulate_many`]) add copies of the one that they need, as many as threads, and keep them.
#[derive(Debug)]
pub struct ShimHost {
    setup: Arc<Setup>,
    plain: Simulation,
    tangent: Option<Simulation>,
    /// Copies for runs at several points at once, plain and with sensitivities.
    copies: (Vec<Simulation>, Vec<Simulation>),
    /// Whether the last run was with sensitivities.
    last_augmented: bool,
}

/// What does not change from run to run, shared by replicas.
#[derive(Debug)]
struct Setup {
    moved: Vec<Moved>,
    /// What cells are built from, where they must be for each set of slot values.
    blueprint: Option<(Plan, Arc<Catalogue>)>,
    /// Whether every run is with sensitivities, for the sake of the random numbers (see [`draws_noise`]).
    noisy: bool,
    n_slots: usize,
    dt_ms: f64,
    schedule: Schedule,
    value_probes: (Vec<Probe>, Vec<Probe>),
    /// Probes of sensitivities, and the position of each in a row of `n_probes * n_slots`.
    sensitivity_probes: Vec<(usize, Probe)>,
    catalogue: PathBuf,
    pruned: Vec<Pruned>,
    /// Who reads ∂V/∂slot, where the sensitivities are in rows and states' ones have no names.
    in_rows: Option<Readers>,
    /// Mechanism of each target of events, by cell.
    targets: Vec<Vec<String>>,
}

impl ShimHost {
    /// Builds the plan's catalogue as `catalogue` and the cells on it.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn new(plan: &Plan, catalogue: &Path) -> Result<Self, HostError> {
        build(plan.c_for_shim(), catalogue)?;
        let loaded = crate::catalogue::load_catalogue(catalogue, AbiChoice::Auto)?;
        Self::assemble(plan, &loaded, catalogue, true)
    }

    /// The same on a catalogue that [`ShimHost::new`] built for a plan with the same [`Plan::c_for_shim`].
    ///
    /// # Errors
    /// [`HostError`].
    pub fn on_built(plan: &Plan, catalogue: &Path) -> Result<Self, HostError> {
        let loaded = crate::catalogue::load_catalogue(catalogue, AbiChoice::Auto)?;
        Self::assemble(plan, &loaded, catalogue, true)
    }

    /// The cells on a loaded catalogue. Without `tangents` there is but the plain simulation, at the plan's slot values.
    fn assemble(plan: &Plan, loaded: &Arc<Catalogue>, catalogue: &Path, tangents: bool) -> Result<Self, HostError> {
        let n_slots = plan.slots.len();
        let tangents = tangents && n_slots > 0;
        let rebuilt = plan.cells.iter().any(PlannedCell::moves_points);
        let x = if rebuilt || !tangents {
            plan.values()
        } else {
            vec![0.0; n_slots]
        };
        let plain = simulation(plan, loaded, &x, Variant::Plain)?;
        let tangent = if tangents {
            Some(simulation(plan, loaded, &x, Variant::Augmented)?)
        } else {
            None
        };
        let moved = match &tangent {
            Some(simulation) if !rebuilt => moved(plan, simulation)?,
            _ => Vec::new(),
        };
        let probes = |wanted| -> Vec<Probe> {
            let values = plan.probes.iter().map(|p| Probe {
                cell: p.cell,
                kind: plan.value_probe(p, wanted),
            });
            values.collect()
        };
        let mut sensitivity_probes = Vec::new();
        for (i, probe) in plan.probes.iter().enumerate() {
            for k in 0..n_slots {
                if let Some(kind) = plan.sensitivity_probe(probe, k) {
                    sensitivity_probes.push((i * n_slots + k, Probe { cell: probe.cell, kind }));
                }
            }
        }
        let setup = Setup {
            moved,
            blueprint: rebuilt.then(|| (plan.clone(), Arc::clone(loaded))),
            noisy: draws_noise(&plan.compiled),
            n_slots,
            dt_ms: plan.experiment.simulation.dt_ms,
            schedule: Schedule::Explicit(sample_times_ms(&plan.experiment.simulation)),
            value_probes: (probes(Variant::Plain), probes(Variant::Augmented)),
            sensitivity_probes,
            catalogue: catalogue.to_path_buf(),
            pruned: plan.compiled.pruned.clone(),
            in_rows: plan.in_rows().then(|| Readers::of(plan)),
            targets: plan
                .cells
                .iter()
                .map(|c| c.synapses.iter().map(|s| s.mechanism.clone()).collect())
                .collect(),
        };
        Ok(Self {
            setup: Arc::new(setup),
            plain,
            tangent,
            copies: (Vec::new(), Vec::new()),
            last_augmented: false,
        })
    }

    /// Another host of the same plan, to run beside this one. It shares the catalogue and all that does not change.
    pub fn replicate(&self) -> Self {
        Self {
            setup: Arc::clone(&self.setup),
            plain: self.plain.clone(),
            tangent: self.tangent.clone(),
            copies: (Vec::new(), Vec::new()),
            last_augmented: false,
        }
    }

    /// As many further hosts as the threads can use for so many independent runs: none where the cells occupy the
    /// threads by themselves, since copies would only cost memory.
    pub fn replicas(&self, runs: usize) -> Vec<Self> {
        let threads = rayon::current_num_threads();
        let enough = self.n_batches() >= 2 * threads;
        let hosts = if enough { 1 } else { threads.min(runs) };
        (1..hosts).map(|_| self.replicate()).collect()
    }

    /// The shared object in use.
    pub fn catalogue(&self) -> &Path {
        &self.setup.catalogue
    }

    /// Parts of the cells that run independently (see [`Simulation::n_batches`]).
    pub fn n_batches(&self) -> usize {
        self.plain.n_batches()
    }

    /// What slots move.
    pub(super) fn moved(&self) -> &[Moved] {
        &self.setup.moved
    }

    /// Control volumes of a cell that have a mechanism, called as in the variant.
    pub(super) fn instances(&self, variant: Variant, cell: usize, name: &str) -> Result<Vec<usize>, SimError> {
        match (&self.tangent, variant) {
            (Some(tangent), Variant::Augmented) => tangent.instances(cell, name),
            (Some(_) | None, Variant::Plain) | (None, Variant::Augmented) => self.plain.instances(cell, name),
        }
    }

    /// Spikes of the last run, of all cells, numbered as in the plan; none after runs at several points at once.
    pub fn spikes(&self) -> &[Spike] {
        match &self.tangent {
            Some(tangent) if self.last_augmented => tangent.spikes(),
            _ => self.plain.spikes(),
        }
    }

    /// Which mechanisms run when sensitivities are wanted (`tangent`) or not.
    pub fn variant(&self, tangent: bool) -> Variant {
        if self.tangent.is_some() && (tangent || self.setup.noisy) {
            Variant::Augmented
        } else {
            Variant::Plain
        }
    }

    /// Runs from rest with slot values `x`, recording further probes of the simulation with (`tangent`) or without
    /// sensitivities. Mechanisms carry the names of [`ShimHost::variant`], or of [`PlannedCell::variant`] where that says
    /// that a cell runs plain in either.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn record(
        &mut self,
        x: &[f64],
        t_end_ms: f64,
        tangent: bool,
        probes: &[Probe],
    ) -> Result<host_shim::Samples, HostError> {
        probes.iter().try_for_each(|probe| self.setup.check_present(probe))?;
        let variant = self.variant(tangent);
        let (setup, simulation, _) = self.parts(variant);
        setup.record(simulation, variant, x, t_end_ms, probes)
    }

    /// [`Model::simulate`], with each sample shown as soon as the host has it.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn simulate_watched(
        &mut self,
        x: &[f64],
        t_end_ms: f64,
        tangent: bool,
        watcher: &mut Watcher<'_>,
    ) -> Result<Traces, HostError> {
        let with_tangent = tangent && self.tangent.is_some();
        let variant = self.variant(with_tangent);
        let (setup, simulation, _) = self.parts(variant);
        setup.simulate(simulation, variant, x, t_end_ms, with_tangent, watcher)
    }

    /// What a run needs, and the copies of its simulation; notes that this is now the last run.
    fn parts(&mut self, variant: Variant) -> (&Setup, &mut Simulation, &mut Vec<Simulation>) {
        self.last_augmented = variant == Variant::Augmented;
        match &mut self.tangent {
            Some(tangent) if self.last_augmented => (&self.setup, tangent, &mut self.copies.1),
            _ => (&self.setup, &mut self.plain, &mut self.copies.0),
        }
    }
}

impl Setup {
    /// Runs from rest with slot values `x`.
    fn record(
        &self,
        simulation: &mut Simulation,
        variant: Variant,
        x: &[f64],
        t_end_ms: f64,
        probes: &[Probe],
    ) -> Result<host_shim::Samples, HostError> {
        self.set(simulation, variant, x, probes)?;
        Ok(simulation.record(t_end_ms, self.dt_ms, &self.schedule, probes)?)
    }

    /// Refuses probes of what the compiler left out: the simulation would only say that there is no such thing.
    fn check_present(&self, probe: &Probe) -> Result<(), HostError> {
        let (mechanism, variable) = match &probe.kind {
            ProbeKind::State { mechanism, state, .. } => (mechanism.as_str(), state),
            ProbeKind::PointState { target, state } => {
                let of_cell = self.targets.get(probe.cell);
                match of_cell.and_then(|all| all.get(*target)) {
                    Some(mechanism) => (mechanism.as_str(), state),
                    None => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        let source = mechanism.strip_prefix(Names::AUGMENTED_PREFIX).unwrap_or(mechanism);
        let sensitivity = |p: &Pruned| variable.starts_with(&Names::sensitivity(&p.variable, ""));
        let is = |p: &&Pruned| {
            let value = p.dropped == Dropped::Value && p.variable == *variable;
            p.mechanism == source && (value || sensitivity(p))
        };
        match self.pruned.iter().find(is) {
            None if self.in_rows.is_some() && source != mechanism && Names::is_sensitivity(variable) => {
                Err(HostError::InRows {
                    variable: variable.clone(),
                    mechanism: source.to_string(),
                })
            }
            None => Ok(()),
            Some(p) => Err(HostError::Pruned {
                variable: variable.clone(),
                mechanism: p.mechanism.clone(),
            }),
        }
    }

    /// Writes the slots' values into a simulation, for a run with these probes, and turns its clock back.
    fn set(&self, simulation: &mut Simulation, variant: Variant, x: &[f64], probes: &[Probe]) -> Result<(), HostError> {
        if x.len() != self.n_slots {
            return Err(HostError::Slots {
                found: x.len(),
                expected: self.n_slots,
            });
        }
        if let Some((plan, catalogue)) = &self.blueprint {
            *simulation = self::simulation(plan, catalogue, x, variant)?;
        }
        for m in &self.moved {
            let mut values = m.base.clone();
            for (slot, slopes) in &m.slopes {
                for (value, slope) in values.iter_mut().zip(slopes) {
                    *value += slope * x[*slot];
                }
            }
            // a cell that a slot moves runs with sensitivities where they are wanted
            let name = variant.name(&m.mechanism);
            simulation.set_parameter(m.cell, &name, &m.parameter, &values)?;
        }
        if let (Some(readers), Variant::Augmented) = (&self.in_rows, variant) {
            readers.tell(simulation, probes)?;
        } else if self.blueprint.is_some() {
            // cells just built are at rest
            return Ok(());
        }
        simulation.reset();
        Ok(())
    }

    /// Runs from rest with slot values `x`, recording the plan's probes, and their sensitivities if asked for.
    fn simulate(
        &self,
        simulation: &mut Simulation,
        variant: Variant,
        x: &[f64],
        t_end_ms: f64,
        with_tangent: bool,
        watcher: &mut Watcher<'_>,
    ) -> Result<Traces, HostError> {
        let n_probes = self.value_probes.0.len();
        let mut probes = match variant {
            Variant::Augmented => self.value_probes.1.clone(),
            Variant::Plain => self.value_probes.0.clone(),
        };
        if with_tangent {
            probes.extend(self.sensitivity_probes.iter().map(|(_, p)| p.clone()));
        }
        self.set(simulation, variant, x, &probes)?;
        let mut traces = Traces {
            n_probes,
            n_slots: self.n_slots,
            ..Traces::default()
        };
        let mut sample = |view: &SampleView<'_>| {
            let (row, start) = (traces.values.len(), traces.sens.len());
            traces.times_ms.push(view.time_ms);
            traces.values.extend_from_slice(&view.values[..n_probes]);
            if with_tangent {
                traces.sens.resize(start + n_probes * self.n_slots, 0.0);
                for ((position, _), value) in self.sensitivity_probes.iter().zip(&view.values[n_probes..]) {
                    traces.sens[start + position] = *value;
                }
            }
            watcher(view.time_ms, &traces.values[row..], &traces.sens[start..]);
        };
        simulation.run(t_end_ms, self.dt_ms, &self.schedule, &probes, &mut sample)?;
        Ok(traces)
    }
}

impl Model for ShimHost {
    type Error = HostError;

    fn n_slots(&self) -> usize {
        self.setup.n_slots
    }

    fn is_divergence(error: &HostError) -> bool {
        error.is_divergence()
    }

    fn simulate(&mut self, x: &[f64], t_end_ms: f64, tangent: bool) -> Result<Traces, HostError> {
        self.simulate_watched(x, t_end_ms, tangent, &mut |_, _, _| {})
    }

    /// On as many threads as there are. Each run is the same as alone.
    fn simulate_many(&mut self, points: &[Vec<f64>], t_end_ms: f64, tangent: bool) -> Vec<Result<Traces, HostError>> {
        let with_tangent = tangent && self.tangent.is_some();
        let variant = self.variant(with_tangent);
        let (setup, simulation, copies) = self.parts(variant);
        let threads = rayon::current_num_threads();
        // Cells that occupy the threads by themselves need no copies, which would only cost memory.
        let enough = simulation.n_batches() >= 2 * threads;
        let workers = if enough { 1 } else { threads.min(points.len()).max(1) };
        while copies.len() + 1 < workers {
            copies.push(simulation.clone());
        }
        let next = AtomicUsize::new(0);
        let work = |simulation: &mut Simulation| {
            let taken = std::iter::from_fn(|| {
                let k = next.fetch_add(1, Ordering::Relaxed);
                Some((k, points.get(k)?))
            });
            let run = |(k, x): (usize, &Vec<f64>)| {
                let nobody = &mut |_: f64, _: &[f64], _: &[f64]| {};
                let result = setup.simulate(simulation, variant, x, t_end_ms, with_tangent, nobody);
                (k, result)
            };
            taken.map(run).collect::<Vec<_>>()
        };
        let mut done: Vec<(usize, Result<Traces, HostError>)> = if workers == 1 {
            work(simulation)
        } else {
            let simulations = std::iter::once(&mut *simulation).chain(copies.iter_mut());
            let simulations: Vec<&mut Simulation> = simulations.take(workers).collect();
            simulations
                .into_par_iter()
                .with_max_len(1)
                .flat_map_iter(work)
                .collect()
        };
        // Who took which point is chance, and so would be the spikes left behind.
        simulation.reset();
        done.sort_by_key(|(k, _)| *k);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// The cells of a plan and what joins them, plain or with sensitivities.
fn simulation(plan: &Plan, catalogue: &Arc<Catalogue>, x: &[f64], variant: Variant) -> Result<Simulation, SimError> {
    let cell = |&c: &usize| describe(plan, &plan.cells[c], x, variant);
    let groups = plan.groups.iter().map(|members| members.iter().map(cell).collect());
    Simulation::with_network(groups.collect(), std::slice::from_ref(catalogue), &plan.network)
}

/// Reads back what painting made of bases and seeds: the host averages both over each CV in the same way.
fn moved(plan: &Plan, simulation: &Simulation) -> Result<Vec<Moved>, SimError> {
    let mut moved: Vec<Moved> = Vec::new();
    for (c, cell) in plan.cells.iter().enumerate() {
        for piece in &cell.pieces {
            for seed in &piece.seeds {
                let known = moved
                    .iter()
                    .any(|m| m.cell == c && m.mechanism == piece.mechanism && m.parameter == seed.parameter);
                if known {
                    continue;
                }
                let name = Names::augmented(&piece.mechanism);
                let base = simulation.parameter(c, &name, &seed.parameter)?;
                let mut slopes = Vec::new();
                for declared in &plan.compiled.slots.seeds {
                    if declared.mechanism == piece.mechanism && declared.parameter == seed.parameter {
                        // of the slots that share this one, the cell is reached by one at most
                        let own = |&&slot: &&usize| plan.slots[slot].in_catalogue == declared.slot;
                        if let Some(&slot) = cell.slots.iter().find(own) {
                            slopes.push((slot, simulation.parameter(c, &name, &declared.field)?));
                        }
                    }
                }
                moved.push(Moved {
                    cell: c,
                    mechanism: piece.mechanism.clone(),
                    parameter: seed.parameter.clone(),
                    base,
                    slopes,
                });
            }
        }
    }
    Ok(moved)
}
