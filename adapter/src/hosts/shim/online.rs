//! Runs under control: slots move and perturbations happen between steps, without a restart.

use compiler::emit::Names;
use host_shim::{Controller, Handle, Present, Probe, SampleView, Samples, Simulation, Spike};

use super::{HostError, Setup, ShimHost, Watcher};
use crate::control::{Online, Traces};
use crate::plan::control::{clipped, in_cv};
use crate::plan::{Plan, PlannedChange, PlannedControl, PlannedLaw, PlannedPerturbation, Variant};

/// Sees the slots of a run under control while it goes on: time (ms) and the values of all slots.
pub type RowWatcher<'a> = dyn FnMut(f64, &[f64]) + Send + 'a;

/// What a run under control shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ControlledRun {
    /// The plan's probes, without sensitivities.
    pub traces: Traces,
    /// Times of the rows below, ms: ends of steps, about as often as samples.
    pub times_ms: Vec<f64>,
    /// Values of all slots of the plan, row by row.
    pub slots: Vec<f64>,
    /// ∂(objective)/∂(slot) for the controlled slots, in the order of the plan's control, row by row.
    pub sensitivities: Vec<f64>,
    /// Spikes of all cells.
    pub spikes: Vec<Spike>,
}

impl ShimHost {
    /// Runs from rest at the plan's slot values, under its control and perturbations; the host itself is left as it is.
    /// `plan` is the one that the host was made of, or one that differs in `control`, `perturbations` and times only.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn run_controlled(&self, plan: &Plan) -> Result<ControlledRun, HostError> {
        self.run_controlled_watched(plan, &mut |_, _, _| {}, &mut |_, _| {})
    }

    /// [`ShimHost::run_controlled`], with samples (without sensitivities) and rows of slots shown as soon as the host has
    /// them.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn run_controlled_watched(
        &self,
        plan: &Plan,
        watcher: &mut Watcher<'_>,
        rows: &mut RowWatcher<'_>,
    ) -> Result<ControlledRun, HostError> {
        let variant = match &plan.control {
            Some(_) => self.variant(true),
            None => self.variant(false),
        };
        let mut simulation = match (&self.tangent, variant) {
            (Some(tangent), Variant::Augmented) => tangent.clone(),
            (Some(_) | None, Variant::Plain) | (None, Variant::Augmented) => self.plain.clone(),
        };
        let setup = &*self.setup;
        setup.set(&mut simulation, variant, &plan.values())?;
        let painted = plan.law_paintings();
        for one in &painted {
            let n = simulation.instances(one.cell, &one.mechanism)?.len();
            simulation.set_parameter(one.cell, &one.mechanism, &one.parameter, &vec![one.value; n])?;
        }
        if !painted.is_empty() {
            // INITIAL puts slots at their start
            simulation.reset();
        }
        let mut driver = Driver::new(setup, plan, &simulation, variant, rows)?;
        let mut samples = Samples {
            n_probes: plan.probes.len(),
            ..Samples::default()
        };
        let probes = match variant {
            Variant::Augmented => &setup.value_probes.1,
            Variant::Plain => &setup.value_probes.0,
        };
        let time = &plan.experiment.simulation;
        simulation.run_controlled(
            time.duration_ms,
            setup.dt_ms,
            &host_shim::Schedule::Explicit(crate::plan::export::sample_times_ms(time)),
            probes,
            &mut |view: &SampleView<'_>| {
                samples.times_ms.push(view.time_ms);
                samples.values.extend_from_slice(view.values);
                watcher(view.time_ms, view.values, &[]);
            },
            &mut driver,
        )?;
        if let Some(error) = driver.error {
            return Err(error);
        }
        Ok(ControlledRun {
            traces: Traces {
                n_probes: samples.n_probes,
                n_slots: setup.n_slots,
                times_ms: samples.times_ms,
                values: samples.values,
                sens: Vec::new(),
            },
            spikes: simulation.spikes().to_vec(),
            ..driver.run
        })
    }
}

/// A parameter that slots move on a cell.
struct Parameter {
    cell: usize,
    mechanism: String,
    parameter: String,
    cvs: Vec<usize>,
    handles: Vec<Handle>,
    base: Vec<f64>,
    /// Per slot: ∂p/∂θ, and where the mechanism is told of it.
    slopes: Vec<(usize, Vec<f64>, Vec<Handle>)>,
    controlled: bool,
}

impl Parameter {
    fn write(&self, x: &[f64], now: &mut Present<'_>) {
        for (i, handle) in self.handles.iter().enumerate() {
            // as when slots are set between runs, so that the same values give the same bits
            let mut value = self.base[i];
            for (slot, slopes, _) in &self.slopes {
                value += slopes[i] * x[*slot];
            }
            now.write(handle, value);
        }
    }
}

/// A change with what it touches.
enum Change {
    /// A parameter that slots move: position in the list, instances.
    Moved(usize, Vec<usize>, f64, f64),
    /// One that they do not.
    Fixed(Vec<Handle>, f64, f64),
    Stimulus(usize, f64),
    Temperature(Vec<usize>, f64),
}

struct Governor {
    law: Online,
    /// Slot of the plan, and the sensitivities whose sum its gradient is.
    gradient: Vec<(usize, Vec<Handle>)>,
    /// Sensitivities that are clipped together.
    groups: Vec<Vec<Handle>>,
    clip: f64,
    every_ms: f64,
    start_ms: f64,
    moves: u64,
    sensitivities: Vec<f64>,
}

impl Governor {
    fn gather(&mut self, now: &Present<'_>) {
        for (sum, (_, handles)) in self.sensitivities.iter_mut().zip(&self.gradient) {
            *sum = handles.iter().map(|handle| now.read(handle)).sum();
        }
    }

    fn clip(&self, now: &mut Present<'_>) {
        for group in &self.groups {
            let square = |handle| now.read(handle) * now.read(handle);
            let norm = group.iter().map(square).sum::<f64>().sqrt();
            if norm > self.clip {
                let scale = self.clip / norm;
                for handle in group {
                    let scaled = now.read(handle) * scale;
                    now.write(handle, scaled);
                }
            }
        }
    }

    fn next_ms(&self) -> f64 {
        self.start_ms + self.moves as f64 * self.every_ms
    }
}

/// Sees what mechanisms with a law of their own do.
struct Onlooker {
    /// Slot of the plan, and its present value.
    slots: Vec<(usize, Handle)>,
    /// ∂(objective)/∂(slot).
    sensitivities: Vec<Vec<Handle>>,
}

/// What happens between steps.
struct Driver<'a> {
    /// Times that differ by less are the same.
    slack_ms: f64,
    parameters: Vec<Parameter>,
    x: Vec<f64>,
    governor: Option<Governor>,
    onlooker: Option<Onlooker>,
    /// With their time and cell, the last first.
    changes: Vec<(f64, usize, Change)>,
    sample_every_ms: f64,
    rows: u64,
    run: ControlledRun,
    watcher: &'a mut RowWatcher<'a>,
    error: Option<HostError>,
}

impl<'a> Driver<'a> {
    fn new(
        setup: &Setup,
        plan: &Plan,
        simulation: &Simulation,
        variant: Variant,
        watcher: &'a mut RowWatcher<'a>,
    ) -> Result<Self, HostError> {
        let mut parameters = points(plan, simulation)?;
        // where cells are built anew for each set of slot values, nobody has read back what painting made of them
        let read_back = match &setup.blueprint {
            Some((_, catalogue)) if plan.control.is_some() => {
                let at_zero = super::simulation(plan, catalogue, &vec![0.0; setup.n_slots], Variant::Augmented)?;
                super::moved(plan, &at_zero)?
            }
            Some(_) | None => Vec::new(),
        };
        for m in setup.moved.iter().chain(&read_back) {
            let name = plan.cells[m.cell].variant(variant).name(&m.mechanism);
            let mut slopes = Vec::new();
            for (slot, values) in &m.slopes {
                let own = &plan.slots[*slot].in_catalogue;
                let seeds = plan.compiled.slots.seeds.iter();
                let mut seeds = seeds.filter(|s| s.mechanism == m.mechanism && s.parameter == m.parameter);
                let handles = match seeds.find(|s| s.slot == *own) {
                    Some(seed) if variant == Variant::Augmented => {
                        simulation.parameter_handles(m.cell, &name, &seed.field)?
                    }
                    Some(_) | None => Vec::new(),
                };
                slopes.push((*slot, values.clone(), handles));
            }
            parameters.push(Parameter {
                cell: m.cell,
                mechanism: m.mechanism.clone(),
                parameter: m.parameter.clone(),
                cvs: simulation.instances(m.cell, &name)?,
                handles: simulation.parameter_handles(m.cell, &name, &m.parameter)?,
                base: m.base.clone(),
                controlled: slopes.iter().any(|(slot, ..)| moves(plan, *slot)),
                slopes,
            });
        }
        let (mut conductor, mut onlooker) = (None, None);
        if let Some(control) = &plan.control {
            match &control.within {
                Some(laws) => onlooker = Some(self::onlooker(plan, control, laws, simulation)?),
                None => conductor = Some(governor(plan, control, simulation)?),
            }
        }
        let mut changes = Vec::new();
        for perturbation in &plan.perturbations {
            let change = change(plan, perturbation, &parameters, simulation, variant)?;
            changes.push((perturbation.at_ms, perturbation.cell, change));
        }
        changes.reverse();
        Ok(Self {
            slack_ms: 1e-6 * setup.dt_ms,
            parameters,
            x: plan.values(),
            governor: conductor,
            onlooker,
            changes,
            sample_every_ms: plan.experiment.simulation.sample_every_ms,
            rows: 0,
            run: ControlledRun::default(),
            watcher,
            error: None,
        })
    }

    fn apply(&mut self, cell: usize, change: Change, now: &mut Present<'_>) -> Result<(), HostError> {
        match change {
            Change::Moved(at, instances, factor, value) => {
                let parameter = &mut self.parameters[at];
                for i in instances {
                    parameter.base[i] = factor * parameter.base[i] + value;
                    for (_, slopes, seeds) in &mut parameter.slopes {
                        slopes[i] *= factor;
                        if let Some(seed) = seeds.get(i) {
                            now.write(seed, slopes[i]);
                        }
                    }
                }
                parameter.write(&self.x, now);
            }
            Change::Fixed(handles, factor, value) => {
                for handle in &handles {
                    let changed = factor * now.read(handle) + value;
                    now.write(handle, changed);
                }
            }
            Change::Stimulus(number, factor) => now.scale_clamp(cell, number, factor)?,
            Change::Temperature(cvs, celsius) => now.set_temperature(cell, &cvs, celsius)?,
        }
        Ok(())
    }

    fn act(&mut self, now: &mut Present<'_>) -> Result<(), HostError> {
        let t_ms = now.time_ms() + self.slack_ms;
        while let Some((_, cell, change)) = self.changes.pop_if(|(at_ms, ..)| *at_ms <= t_ms) {
            self.apply(cell, change, now)?;
        }
        if let Some(governor) = &mut self.governor
            && governor.next_ms() <= t_ms
        {
            governor.clip(now);
            governor.gather(now);
            if governor.moves == 0 {
                governor.law.begin(&governor.sensitivities);
            } else if governor.law.step(&governor.sensitivities) {
                for ((slot, _), value) in governor.gradient.iter().zip(governor.law.values()) {
                    self.x[*slot] = *value;
                }
                let moving = self.parameters.iter().filter(|p| p.controlled);
                moving.for_each(|p| p.write(&self.x, now));
            } else {
                return Err(HostError::Control { t_ms: now.time_ms() });
            }
            governor.moves += 1;
        }
        if self.rows as f64 * self.sample_every_ms <= t_ms {
            self.rows += 1;
            self.run.times_ms.push(now.time_ms());
            let first = self.run.slots.len();
            self.run.slots.extend_from_slice(&self.x);
            if let Some(onlooker) = &self.onlooker {
                for (slot, handle) in &onlooker.slots {
                    self.run.slots[first + slot] = now.read(handle);
                }
                let sum = |handles: &Vec<Handle>| handles.iter().map(|handle| now.read(handle)).sum::<f64>();
                self.run.sensitivities.extend(onlooker.sensitivities.iter().map(sum));
            }
            (self.watcher)(now.time_ms(), &self.run.slots[first..]);
            if let Some(governor) = &mut self.governor {
                governor.gather(now);
                self.run.sensitivities.extend_from_slice(&governor.sensitivities);
            }
        }
        Ok(())
    }
}

impl Controller for Driver<'_> {
    fn control(&mut self, now: &mut Present<'_>) -> Option<f64> {
        if let Err(error) = self.act(now) {
            self.error = Some(error);
            return None;
        }
        let next_row = self.rows as f64 * self.sample_every_ms;
        let next_move = self.governor.as_ref().map_or(f64::INFINITY, Governor::next_ms);
        let next_change = self.changes.last().map_or(f64::INFINITY, |(at_ms, ..)| *at_ms);
        Some(next_row.min(next_move).min(next_change))
    }
}

/// Whether control moves a slot.
fn moves(plan: &Plan, slot: usize) -> bool {
    plan.control.iter().flat_map(|c| &c.slots).any(|(k, _)| *k == slot)
}

/// The parameters of synapses that slots move. Equal ones that were merged are written once each, with one value.
fn points(plan: &Plan, simulation: &Simulation) -> Result<Vec<Parameter>, HostError> {
    let mut parameters = Vec::new();
    for (cell, planned) in plan.cells.iter().enumerate() {
        for (target, synapse) in planned.synapses.iter().enumerate() {
            for seed in &synapse.seeds {
                parameters.push(Parameter {
                    cell,
                    mechanism: synapse.mechanism.clone(),
                    parameter: seed.parameter.clone(),
                    cvs: Vec::new(),
                    handles: vec![simulation.target_handle(cell, target, &seed.parameter)?],
                    base: vec![0.0],
                    slopes: vec![(seed.slot, vec![seed.slope], Vec::new())],
                    controlled: moves(plan, seed.slot),
                });
            }
        }
    }
    Ok(parameters)
}

/// Per controlled slot: the sensitivities whose sum its gradient is.
fn gradient(
    plan: &Plan,
    control: &PlannedControl,
    simulation: &Simulation,
) -> Result<Vec<(usize, Vec<Handle>)>, HostError> {
    let mut gradient = Vec::new();
    for (slot, _) in &control.slots {
        let mut probes = Vec::new();
        for &p in &control.objective {
            let probe = &plan.probes[p];
            if let Some(kind) = plan.sensitivity_probe(probe, *slot) {
                probes.push(Probe { cell: probe.cell, kind });
            }
        }
        gradient.push((*slot, simulation.handles(&probes)?));
    }
    Ok(gradient)
}

fn onlooker(
    plan: &Plan,
    control: &PlannedControl,
    laws: &[PlannedLaw],
    simulation: &Simulation,
) -> Result<Onlooker, HostError> {
    let mut slots = Vec::new();
    for ((slot, _), law) in control.slots.iter().zip(laws) {
        let name = Variant::Augmented.name(&law.mechanism);
        let state = Names::controlled(&plan.slots[*slot].in_catalogue);
        let all = simulation.state_handles(law.cell, &name, &state)?;
        let instances = simulation.instances(law.cell, &name)?;
        let own = instances.iter().zip(all).filter(|(cv, _)| **cv == law.cv);
        slots.extend(own.map(|(_, handle)| (*slot, handle)));
    }
    let sensitivities = gradient(plan, control, simulation)?;
    Ok(Onlooker {
        slots,
        sensitivities: sensitivities.into_iter().map(|(_, handles)| handles).collect(),
    })
}

fn governor(plan: &Plan, control: &PlannedControl, simulation: &Simulation) -> Result<Governor, HostError> {
    let gradient = gradient(plan, control, simulation)?;
    let mut groups = Vec::new();
    if control.clip.is_some() {
        for (c, cell) in plan.cells.iter().enumerate().filter(|(_, cell)| cell.carries) {
            let (states, ions) = clipped(&plan.compiled, cell, &plan.slots);
            for (mechanism, columns) in states {
                let columns = columns
                    .iter()
                    .map(|state| simulation.state_handles(c, &mechanism, state));
                let columns = columns.collect::<Result<Vec<Vec<Handle>>, _>>()?;
                let instances = columns.first().map_or(0, Vec::len);
                groups.extend((0..instances).map(|i| columns.iter().map(|column| column[i]).collect()));
            }
            let area = &cell.discretisation.area_um2;
            for cv in (0..area.len()).filter(|&cv| area[cv] > 0.0) {
                let probe = |ion: &String| Probe {
                    cell: c,
                    kind: in_cv(ion, cv),
                };
                let probes: Vec<Probe> = ions.iter().map(probe).collect();
                groups.push(simulation.handles(&probes)?);
            }
        }
    }
    let slots = control.slots.iter().map(|(_, how)| *how).collect();
    let forgetting = plan.experiment.forgetting_per_ms;
    Ok(Governor {
        law: Online::new(slots, control.memory, control.every_ms, forgetting, control.adam),
        sensitivities: vec![0.0; gradient.len()],
        gradient,
        groups,
        clip: control.clip.unwrap_or(f64::INFINITY),
        every_ms: control.every_ms,
        start_ms: control.start_ms,
        moves: 0,
    })
}

fn change(
    plan: &Plan,
    perturbation: &PlannedPerturbation,
    parameters: &[Parameter],
    simulation: &Simulation,
    variant: Variant,
) -> Result<Change, HostError> {
    let cell = perturbation.cell;
    Ok(match &perturbation.change {
        PlannedChange::Parameter {
            mechanism,
            parameter,
            cvs,
            factor,
            value,
        } => {
            let touched = |all: &[usize]| -> Vec<usize> {
                let positions = all.iter().enumerate().filter(|(_, cv)| cvs.contains(cv));
                positions.map(|(i, _)| i).collect()
            };
            let is = |p: &Parameter| p.cell == cell && p.mechanism == *mechanism && p.parameter == *parameter;
            match parameters.iter().position(is) {
                Some(at) => Change::Moved(at, touched(&parameters[at].cvs), *factor, *value),
                None => {
                    let name = plan.cells[cell].variant(variant).name(mechanism);
                    let all = simulation.parameter_handles(cell, &name, parameter)?;
                    let instances = touched(&simulation.instances(cell, &name)?);
                    Change::Fixed(instances.iter().map(|&i| all[i]).collect(), *factor, *value)
                }
            }
        }
        PlannedChange::Stimulus { number, factor } => Change::Stimulus(*number, *factor),
        PlannedChange::Temperature(celsius) => {
            let n_cvs = plan.cells[cell].discretisation.n_cvs();
            Change::Temperature((0..n_cvs).collect(), *celsius)
        }
    })
}
