//! Parameters and states of a simulation between runs.

use std::ops::Range;

use super::Simulation;
use crate::network::Target;
use crate::sim_error::SimError;
use crate::storage::MechanismStorage;
use crate::wiring::resolve;

impl Simulation {
    /// Bytes of all arrays that a step touches: voltages, currents, ions, parameters, states, random numbers, the trees.
    /// Descriptions of cells, allocators' overhead and loaded code are not counted.
    pub fn state_bytes(&self) -> usize {
        self.groups.iter().map(crate::group::Group::state_bytes).sum()
    }

    /// CVs of the cell on which a mechanism has instances, ascending; the order of all per-instance values.
    ///
    /// # Errors
    /// [`SimError::NoSuchCell`], [`SimError::NotPainted`].
    pub fn instances(&self, cell: usize, mechanism: &str) -> Result<Vec<usize>, SimError> {
        let (set, range) = self.set(cell, mechanism)?;
        let (group, in_group) = self.place(cell)?;
        let first = self.groups[group].cells[in_group].cvs.start;
        Ok(set.cvs()[range]
            .iter()
            .filter_map(|&cv| usize::try_from(cv).ok())
            .map(|cv| cv - first)
            .collect())
    }

    /// A RANGE parameter, one value per instance.
    ///
    /// # Errors
    /// [`SimError::NoSuchCell`], [`SimError::NotPainted`], [`SimError::UnknownParameter`].
    pub fn parameter(&self, cell: usize, mechanism: &str, parameter: &str) -> Result<Vec<f64>, SimError> {
        let (set, range) = self.set(cell, mechanism)?;
        let row = set.parameter_row(cell, parameter)?;
        Ok(set.parameter(row)[range].to_vec())
    }

    /// Sets a RANGE parameter, one value per instance. Takes effect at once; INITIAL sees it at the next reset.
    ///
    /// # Errors
    /// As [`Simulation::parameter`], and [`SimError::Length`], [`SimError::BadParameter`].
    pub fn set_parameter(
        &mut self,
        cell: usize,
        mechanism: &str,
        parameter: &str,
        values: &[f64],
    ) -> Result<(), SimError> {
        let (set, range) = self.set(cell, mechanism)?;
        let row = set.parameter_row(cell, parameter)?;
        let names = || (mechanism.to_owned(), parameter.to_owned());
        if values.len() != range.len() {
            let ((mechanism, parameter), found, expected) = (names(), values.len(), range.len());
            return Err(SimError::Length {
                cell,
                mechanism,
                parameter,
                found,
                expected,
            });
        }
        if let Some(&value) = values.iter().find(|v| !v.is_finite()) {
            let (mechanism, parameter) = names();
            return Err(SimError::BadParameter {
                cell,
                mechanism,
                parameter,
                value,
            });
        }
        let (group, k) = self.mechanism(cell, mechanism)?;
        self.groups[group].mechanisms[k].parameter_mut(row)[range].copy_from_slice(values);
        Ok(())
    }

    /// A STATE or ASSIGNED variable, one value per instance.
    ///
    /// # Errors
    /// [`SimError::NoSuchCell`], [`SimError::NotPainted`], [`SimError::UnknownState`].
    pub fn state(&self, cell: usize, mechanism: &str, state: &str) -> Result<Vec<f64>, SimError> {
        let (set, range) = self.set(cell, mechanism)?;
        let unknown = || SimError::UnknownState {
            mechanism: mechanism.to_owned(),
            state: state.to_owned(),
        };
        let row = set.info().state(state).ok_or_else(unknown)?;
        Ok(set.state(row)[range].to_vec())
    }

    /// A RANGE parameter of a point process, found by the number under which events reach it.
    ///
    /// # Errors
    /// [`SimError::NoSuchCell`], [`SimError::NoSuchTarget`], [`SimError::UnknownParameter`].
    pub fn target_parameter(&self, cell: usize, target: usize, parameter: &str) -> Result<f64, SimError> {
        let (group, to) = resolve(Target { cell, target }, &self.groups, &self.cells)?;
        let set = &self.groups[group].mechanisms[to.mechanism];
        let row = set.parameter_row(cell, parameter)?;
        let instance = to.instance as usize;
        Ok(set.parameter(row)[instance])
    }

    /// Sets a RANGE parameter of a point process. Takes effect at once; INITIAL sees it at the next reset. Targets that were
    /// merged when the cell was built, because they were equal, stay merged: all of them change.
    ///
    /// # Errors
    /// As [`Simulation::target_parameter`], and [`SimError::BadParameter`].
    pub fn set_target_parameter(
        &mut self,
        cell: usize,
        target: usize,
        parameter: &str,
        value: f64,
    ) -> Result<(), SimError> {
        let (group, to) = resolve(Target { cell, target }, &self.groups, &self.cells)?;
        let set = &mut self.groups[group].mechanisms[to.mechanism];
        let row = set.parameter_row(cell, parameter)?;
        if !value.is_finite() {
            return Err(SimError::BadParameter {
                cell,
                mechanism: set.name().to_owned(),
                parameter: parameter.to_owned(),
                value,
            });
        }
        let instance = to.instance as usize;
        set.parameter_mut(row)[instance] = value;
        Ok(())
    }

    /// (group, mechanism of the group).
    pub(super) fn mechanism(&self, cell: usize, mechanism: &str) -> Result<(usize, usize), SimError> {
        let (group, in_group) = self.place(cell)?;
        let found = self.groups[group].cells[in_group].names.get(mechanism);
        let k = *found.ok_or_else(|| SimError::NotPainted {
            cell,
            mechanism: mechanism.to_owned(),
        })?;
        Ok((group, k))
    }

    pub(super) fn set(&self, cell: usize, mechanism: &str) -> Result<(&MechanismStorage, Range<usize>), SimError> {
        let (_, in_group) = self.place(cell)?;
        let (group, k) = self.mechanism(cell, mechanism)?;
        let group = &self.groups[group];
        Ok((&group.mechanisms[k], group.cells[in_group].instances[k].clone()))
    }
}
