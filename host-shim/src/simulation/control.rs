//! Between steps: reading and writing numbers of a simulation without stopping it.
//!
//! A controller is asked at the ends of steps, on the thread that runs the simulation, while no cell is under way. What it
//! sees and sets is the state at that time; what it leaves alone keeps every bit. Handles are resolved once, so asking
//! every step is affordable.

use super::Simulation;
use crate::group::Group;
use crate::network::Target;
use crate::probe::{Array, Probe, Tap};
use crate::sim_error::SimError;
use crate::wiring::resolve;

/// Looks at a simulation, and changes it, between steps. `Send`, for the thread that runs the simulation need not be the
/// one that asked for it; calls never overlap.
pub trait Controller: Send {
    /// Called before the first step and then at the end of the first step that ends at the time last returned, ms, or
    /// later; with infinity, never again. None ends the run here.
    fn control(&mut self, now: &mut Present<'_>) -> Option<f64>;
}

/// Nobody.
pub(super) struct Absent;

impl Controller for Absent {
    fn control(&mut self, _: &mut Present<'_>) -> Option<f64> {
        Some(f64::INFINITY)
    }
}

/// One number of a simulation that can be read and set between steps: a state or a parameter of an instance, or an
/// internal concentration. Valid for the simulation that gave it out and for its clones.
#[derive(Debug, Clone, Copy)]
pub struct Handle {
    group: usize,
    array: Array,
    at: usize,
}

/// The state of a simulation between two steps.
#[derive(Debug)]
pub struct Present<'a> {
    pub(super) groups: &'a mut [Group],
    /// Cell to (group, cell of the group).
    pub(super) cells: &'a [(usize, usize)],
    pub(super) time_ms: f64,
}

impl Present<'_> {
    /// The time, ms: the end of the last step.
    pub fn time_ms(&self) -> f64 {
        self.time_ms
    }

    /// The number now. NaN for a handle of another simulation that is smaller.
    pub fn read(&self, handle: &Handle) -> f64 {
        let Handle { group, array, at } = *handle;
        let group = self.groups.get(group);
        group
            .and_then(|group| array.of(group).get(at).copied())
            .unwrap_or(f64::NAN)
    }

    /// Sets the number. Takes effect in the next step; values that are no numbers are for the next voltage to show.
    pub fn write(&mut self, handle: &Handle, value: f64) {
        let Handle { group, array, at } = *handle;
        let array = self.groups.get_mut(group).and_then(|group| array.settable(group));
        if let Some(number) = array.and_then(|numbers| numbers.get_mut(at)) {
            *number = value;
        }
    }

    /// Sets the temperature of some CVs of a cell, °C; CVs that it does not have are passed over.
    ///
    /// # Errors
    /// [`SimError::NoSuchCell`].
    pub fn set_temperature(&mut self, cell: usize, cvs: &[usize], celsius: f64) -> Result<(), SimError> {
        let n_cells = self.cells.len();
        let &(group, in_group) = self.cells.get(cell).ok_or(SimError::NoSuchCell { cell, n_cells })?;
        let group = &mut self.groups[group];
        let span = group.cells[in_group].cvs.clone();
        for cv in cvs.iter().map(|cv| span.start + cv).filter(|cv| span.contains(cv)) {
            group.shared.temperature_degc[cv] = celsius;
        }
        Ok(())
    }

    /// Multiplies the current of one clamp of a cell, by its number in the cell's description, by `factor`; not by the
    /// product of all factors so far.
    ///
    /// # Errors
    /// [`SimError::NoSuchCell`], [`SimError::NoSuchClamp`].
    pub fn scale_clamp(&mut self, cell: usize, clamp: usize, factor: f64) -> Result<(), SimError> {
        let n_cells = self.cells.len();
        let &(group, _) = self.cells.get(cell).ok_or(SimError::NoSuchCell { cell, n_cells })?;
        let stimuli = &mut self.groups[group].stimuli;
        match stimuli.iter_mut().find(|s| s.origin() == (cell, clamp)) {
            Some(stimulus) => {
                stimulus.factor = factor;
                Ok(())
            }
            None => Err(SimError::NoSuchClamp {
                cell,
                clamp,
                n_clamps: stimuli.iter().filter(|s| s.origin().0 == cell).count(),
            }),
        }
    }
}

impl Simulation {
    /// What probes stand for, to be read and set between steps.
    ///
    /// # Errors
    /// That of a probe that cannot be resolved; [`SimError::NotSettable`] for what each step computes anew (voltages,
    /// currents, reversal potentials, concentrations other than internal) and for sums.
    pub fn handles(&self, probes: &[Probe]) -> Result<Vec<Handle>, SimError> {
        let taps = self.resolve(probes)?;
        let handle = |(k, (probe, tap)): (usize, (&Probe, Tap))| {
            let (array, at) = tap.single().ok_or(SimError::NotSettable {
                probe: k,
                cell: probe.cell,
            })?;
            let group = tap.group();
            Ok(Handle { group, array, at })
        };
        probes.iter().zip(taps).enumerate().map(handle).collect()
    }

    /// Handles of a parameter of a density mechanism, one per instance on the cell, in the order of
    /// [`Simulation::instances`].
    ///
    /// # Errors
    /// As [`Simulation::parameter`].
    pub fn parameter_handles(&self, cell: usize, mechanism: &str, parameter: &str) -> Result<Vec<Handle>, SimError> {
        let (set, range) = self.set(cell, mechanism)?;
        let row = set.parameter_row(cell, parameter)?;
        let (group, k) = self.mechanism(cell, mechanism)?;
        let handle = |at| Handle {
            group,
            array: Array::Parameter(k, row),
            at,
        };
        Ok(range.map(handle).collect())
    }

    /// The handle of a parameter of a point process, found by the number under which events reach it. Targets that were
    /// merged when the cell was built have one handle.
    ///
    /// # Errors
    /// As [`Simulation::target_parameter`].
    pub fn target_handle(&self, cell: usize, target: usize, parameter: &str) -> Result<Handle, SimError> {
        let (group, to) = resolve(Target { cell, target }, &self.groups, &self.cells)?;
        let row = self.groups[group].mechanisms[to.mechanism].parameter_row(cell, parameter)?;
        Ok(Handle {
            group,
            array: Array::Parameter(to.mechanism, row),
            at: to.instance as usize,
        })
    }

    /// As [`Simulation::parameter_handles`], of a STATE or ASSIGNED variable.
    ///
    /// # Errors
    /// As [`Simulation::state`].
    pub fn state_handles(&self, cell: usize, mechanism: &str, state: &str) -> Result<Vec<Handle>, SimError> {
        let (set, range) = self.set(cell, mechanism)?;
        let unknown = || SimError::UnknownState {
            mechanism: mechanism.to_owned(),
            state: state.to_owned(),
        };
        let row = set.info().state(state).ok_or_else(unknown)?;
        let (group, k) = self.mechanism(cell, mechanism)?;
        let handle = |at| Handle {
            group,
            array: Array::State(k, row),
            at,
        };
        Ok(range.map(handle).collect())
    }
}
