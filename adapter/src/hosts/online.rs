//! Runs under control: slots move and perturbations happen between steps, without a restart.
//!
//! [`Driver`] is the same in every host. What it asks of a simulation is to find numbers ([`Find`]), and between steps to
//! read and write them ([`Now`]).

use super::HostError;
use super::shim::Moved;
use crate::control::{Online, Traces};
use crate::plan::{Plan, PlannedChange, PlannedControl, PlannedLaw, PlannedPerturbation};
use host_shim::Spike;

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

/// Finds the numbers of a simulation. Mechanisms bear the names of their sources; lists are in the order of instances.
pub(super) trait Find {
    /// One number.
    type Handle: Clone;

    /// Control volumes of the cell that have the mechanism.
    fn instances(&self, cell: usize, mechanism: &str) -> Result<Vec<usize>, HostError>;

    /// A parameter.
    fn parameter(&mut self, cell: usize, mechanism: &str, parameter: &str) -> Result<Vec<Self::Handle>, HostError>;

    /// A parameter of a point process, by its number among the cell's targets; those that were merged have one handle.
    fn target(&mut self, cell: usize, target: usize, parameter: &str) -> Result<Self::Handle, HostError>;

    /// ∂(parameter)/∂(slot); none without sensitivities.
    fn seeds(
        &mut self,
        cell: usize,
        mechanism: &str,
        parameter: &str,
        slot: usize,
    ) -> Result<Vec<Self::Handle>, HostError>;

    /// ∂(probe)/∂(slot); none where it is zero.
    fn gradient(&mut self, probe: usize, slot: usize) -> Result<Option<Self::Handle>, HostError>;

    /// The present value of a slot that a mechanism moves by a law of its own.
    fn present(&mut self, slot: usize, law: &PlannedLaw) -> Result<Option<Self::Handle>, HostError>;

    /// Sensitivities that are clipped together: per variable and instance, and of the voltage per control volume.
    fn clipped(&mut self) -> Result<Vec<Vec<Self::Handle>>, HostError>;
}

/// A simulation between steps.
pub(super) trait Now<H> {
    /// The end of the last step, ms.
    fn time_ms(&self) -> f64;

    /// A number.
    fn read(&self, handle: &H) -> f64;

    /// Sets a number, for the next step.
    fn write(&mut self, handle: &H, value: f64);

    /// Multiplies the current of a clamp of a cell from now on; not by the product of all factors so far.
    fn scale_clamp(&mut self, cell: usize, number: usize, factor: f64) -> Result<(), HostError>;

    /// Sets the temperature of a cell, °C.
    fn set_temperature(&mut self, cell: usize, celsius: f64) -> Result<(), HostError>;
}

/// A parameter that slots move on a cell.
struct Parameter<H> {
    cell: usize,
    mechanism: String,
    parameter: String,
    cvs: Vec<usize>,
    handles: Vec<H>,
    base: Vec<f64>,
    /// Per slot: ∂p/∂θ, and where the mechanism is told of it.
    slopes: Vec<(usize, Vec<f64>, Vec<H>)>,
    controlled: bool,
}

impl<H> Parameter<H> {
    fn write(&self, x: &[f64], now: &mut impl Now<H>) {
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
enum Change<H> {
    /// A parameter that slots move: position in the list, instances.
    Moved(usize, Vec<usize>, f64, f64),
    /// One that they do not.
    Fixed(Vec<H>, f64, f64),
    Stimulus(usize, f64),
    Temperature(f64),
}

struct Governor<H> {
    law: Online,
    /// Slot of the plan, and the sensitivities whose sum its gradient is.
    gradient: Gradient<H>,
    /// Sensitivities that are clipped together.
    groups: Vec<Vec<H>>,
    clip: f64,
    every_ms: f64,
    start_ms: f64,
    moves: u64,
    sensitivities: Vec<f64>,
}

impl<H> Governor<H> {
    fn gather(&mut self, now: &impl Now<H>) {
        for (sum, (_, handles)) in self.sensitivities.iter_mut().zip(&self.gradient) {
            *sum = handles.iter().map(|handle| now.read(handle)).sum();
        }
    }

    fn clip(&self, now: &mut impl Now<H>) {
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
struct Onlooker<H> {
    /// Slot of the plan, and its present value.
    slots: Vec<(usize, H)>,
    /// ∂(objective)/∂(slot).
    sensitivities: Vec<Vec<H>>,
}

/// What happens between steps.
pub(super) struct Driver<'a, H> {
    /// Times that differ by less are the same.
    slack_ms: f64,
    parameters: Vec<Parameter<H>>,
    x: Vec<f64>,
    governor: Option<Governor<H>>,
    onlooker: Option<Onlooker<H>>,
    /// With their time and cell, the last first.
    changes: Vec<(f64, usize, Change<H>)>,
    sample_every_ms: f64,
    rows: u64,
    pub(super) run: ControlledRun,
    watcher: &'a mut RowWatcher<'a>,
    pub(super) error: Option<HostError>,
}

impl<'a, H: Clone> Driver<'a, H> {
    /// `moved` is what slots move of what is painted.
    pub(super) fn new<'m>(
        moved: impl IntoIterator<Item = &'m Moved>,
        plan: &Plan,
        find: &mut impl Find<Handle = H>,
        watcher: &'a mut RowWatcher<'a>,
    ) -> Result<Self, HostError> {
        let mut parameters = points(plan, find)?;
        for m in moved {
            let mut slopes = Vec::new();
            for (slot, values) in &m.slopes {
                let seeds = find.seeds(m.cell, &m.mechanism, &m.parameter, *slot)?;
                slopes.push((*slot, values.clone(), seeds));
            }
            parameters.push(Parameter {
                cell: m.cell,
                mechanism: m.mechanism.clone(),
                parameter: m.parameter.clone(),
                cvs: find.instances(m.cell, &m.mechanism)?,
                handles: find.parameter(m.cell, &m.mechanism, &m.parameter)?,
                base: m.base.clone(),
                controlled: slopes.iter().any(|(slot, ..)| moves(plan, *slot)),
                slopes,
            });
        }
        let (mut conductor, mut onlooker) = (None, None);
        if let Some(control) = &plan.control {
            match &control.within {
                Some(laws) => onlooker = Some(self::onlooker(control, laws, find)?),
                None => conductor = Some(governor(plan, control, find)?),
            }
        }
        let mut changes = Vec::new();
        for perturbation in &plan.perturbations {
            let change = change(perturbation, &parameters, find)?;
            changes.push((perturbation.at_ms, perturbation.cell, change));
        }
        changes.reverse();
        let time = &plan.experiment.simulation;
        Ok(Self {
            slack_ms: 1e-6 * time.dt_ms,
            parameters,
            x: plan.values(),
            governor: conductor,
            onlooker,
            changes,
            sample_every_ms: time.sample_every_ms,
            rows: 0,
            run: ControlledRun::default(),
            watcher,
            error: None,
        })
    }

    fn apply(&mut self, cell: usize, change: Change<H>, now: &mut impl Now<H>) -> Result<(), HostError> {
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
            Change::Temperature(celsius) => now.set_temperature(cell, celsius)?,
        }
        Ok(())
    }

    fn act(&mut self, now: &mut impl Now<H>) -> Result<(), HostError> {
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
                let sum = |handles: &Vec<H>| handles.iter().map(|handle| now.read(handle)).sum::<f64>();
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

    /// Acts, and says when to be asked again, ms; none ends the run, for an error.
    pub(super) fn control(&mut self, now: &mut impl Now<H>) -> Option<f64> {
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
fn points<F: Find>(plan: &Plan, find: &mut F) -> Result<Vec<Parameter<F::Handle>>, HostError> {
    let mut parameters = Vec::new();
    for (cell, planned) in plan.cells.iter().enumerate() {
        for (target, synapse) in planned.synapses.iter().enumerate() {
            for seed in &synapse.seeds {
                parameters.push(Parameter {
                    cell,
                    mechanism: synapse.mechanism.clone(),
                    parameter: seed.parameter.clone(),
                    cvs: Vec::new(),
                    handles: vec![find.target(cell, target, &seed.parameter)?],
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
type Gradient<H> = Vec<(usize, Vec<H>)>;

fn gradient<F: Find>(control: &PlannedControl, find: &mut F) -> Result<Gradient<F::Handle>, HostError> {
    let mut gradient = Vec::new();
    for (slot, _) in &control.slots {
        let mut handles = Vec::new();
        for &probe in &control.objective {
            handles.extend(find.gradient(probe, *slot)?);
        }
        gradient.push((*slot, handles));
    }
    Ok(gradient)
}

fn onlooker<F: Find>(
    control: &PlannedControl,
    laws: &[PlannedLaw],
    find: &mut F,
) -> Result<Onlooker<F::Handle>, HostError> {
    let mut slots = Vec::new();
    for ((slot, _), law) in control.slots.iter().zip(laws) {
        slots.extend(find.present(*slot, law)?.map(|handle| (*slot, handle)));
    }
    let sensitivities = gradient(control, find)?;
    Ok(Onlooker {
        slots,
        sensitivities: sensitivities.into_iter().map(|(_, handles)| handles).collect(),
    })
}

fn governor<F: Find>(plan: &Plan, control: &PlannedControl, find: &mut F) -> Result<Governor<F::Handle>, HostError> {
    let gradient = gradient(control, find)?;
    let groups = match control.clip {
        Some(_) => find.clipped()?,
        None => Vec::new(),
    };
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

fn change<F: Find>(
    perturbation: &PlannedPerturbation,
    parameters: &[Parameter<F::Handle>],
    find: &mut F,
) -> Result<Change<F::Handle>, HostError> {
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
            let is =
                |p: &Parameter<F::Handle>| p.cell == cell && p.mechanism == *mechanism && p.parameter == *parameter;
            match parameters.iter().position(is) {
                Some(at) => Change::Moved(at, touched(&parameters[at].cvs), *factor, *value),
                None => {
                    let instances = touched(&find.instances(cell, mechanism)?);
                    let all = find.parameter(cell, mechanism, parameter)?;
                    Change::Fixed(instances.iter().map(|&i| all[i].clone()).collect(), *factor, *value)
                }
            }
        }
        PlannedChange::Stimulus { number, factor } => Change::Stimulus(*number, *factor),
        PlannedChange::Temperature(celsius) => Change::Temperature(*celsius),
    })
}
