//! Cells, run through time. The front door of the crate.

use std::ops::Range;
use std::sync::Arc;

use crate::Catalogue;
use crate::cell::CellDescription;
use crate::deliver::StepEvents;
use crate::detector::Spike;
use crate::discretise::Discretisation;
use crate::epoch::{Schedule, Steps};
use crate::group::Group;
use crate::probe::{Place, Probe, Tap};
use crate::sim_error::SimError;
use crate::storage::MechanismStorage;

/// A set of cells with their state.
///
/// Time starts at 0 and only [`Simulation::reset`] turns it back; consecutive runs continue from where the last ended.
#[derive(Debug)]
pub struct Simulation {
    groups: Vec<Group>,
    /// Cell to (group, cell of the group).
    cells: Vec<(usize, usize)>,
    descriptions: Vec<CellDescription>,
    time_ms: f64,
    spikes: Vec<Spike>,
}

/// One moment of a run, as a [`Sink`] sees it.
#[derive(Debug)]
pub struct SampleView<'a> {
    /// Start of the step in which the sample was taken, ms.
    pub time_ms: f64,
    /// One value per probe.
    pub values: &'a [f64],
    simulation: (&'a [Group], &'a [(usize, usize)]),
}

impl SampleView<'_> {
    /// Voltage of every CV of a cell, mV; none if there is no such cell.
    pub fn voltage(&self, cell: usize) -> Option<&[f64]> {
        let (groups, cells) = self.simulation;
        let &(group, in_group) = cells.get(cell)?;
        let group = &groups[group];
        Some(&group.shared.voltage_mv[group.cells[in_group].cvs.clone()])
    }
}

/// Receives samples as they are taken.
pub trait Sink {
    /// Called once per sample, in the order of time.
    fn sample(&mut self, view: &SampleView<'_>);
}

impl<F: FnMut(&SampleView<'_>)> Sink for F {
    fn sample(&mut self, view: &SampleView<'_>) {
        self(view);
    }
}

/// Recorded samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Times, ms.
    pub times_ms: Vec<f64>,
    /// `values[sample * n_probes + probe]`.
    pub values: Vec<f64>,
    /// Number of probes.
    pub n_probes: usize,
}

impl Samples {
    /// Values of one probe in the order of time.
    pub fn probe(&self, probe: usize) -> impl Iterator<Item = f64> {
        self.values.iter().skip(probe).step_by(self.n_probes.max(1)).copied()
    }
}

impl Sink for Samples {
    fn sample(&mut self, view: &SampleView<'_>) {
        self.times_ms.push(view.time_ms);
        self.values.extend_from_slice(view.values);
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSummary {
    /// Time steps taken.
    pub steps: usize,
    /// Samples handed to the sink.
    pub samples: usize,
}

impl Simulation {
    /// Builds the cells of each group and initialises them. Cells are numbered through, group after group. Cells of one
    /// group share arrays and kernels' calls; results do not depend on the grouping but for rounding.
    ///
    /// # Errors
    /// A [`SimError`] that names the cell and what is wrong with it.
    pub fn new(groups: Vec<Vec<CellDescription>>, catalogues: &[Arc<Catalogue>]) -> Result<Self, SimError> {
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let descriptions: Vec<CellDescription> = groups.into_iter().flatten().collect();
        let mut built = Vec::with_capacity(sizes.len());
        let mut cells = Vec::with_capacity(descriptions.len());
        for (group, size) in sizes.into_iter().enumerate() {
            let first = cells.len();
            let members: Vec<_> = (first..first + size).map(|i| (i, &descriptions[i])).collect();
            built.push(Group::new(&members, catalogues)?);
            cells.extend((0..size).map(|in_group| (group, in_group)));
        }
        Ok(Self {
            groups: built,
            cells,
            descriptions,
            time_ms: 0.0,
            spikes: Vec::new(),
        })
    }

    /// Number of cells.
    pub fn n_cells(&self) -> usize {
        self.cells.len()
    }

    /// Present time, ms.
    pub fn time_ms(&self) -> f64 {
        self.time_ms
    }

    /// Spikes since the last reset, in the order in which steps found them.
    pub fn spikes(&self) -> &[Spike] {
        &self.spikes
    }

    /// Back to t = 0: voltages, concentrations and states as after construction, with the parameters as they are now.
    pub fn reset(&mut self) {
        self.groups.iter_mut().for_each(Group::reset);
        self.time_ms = 0.0;
        self.spikes.clear();
    }

    /// Runs to `t_end_ms` in steps of `dt_ms`; the last step ends there exactly. Samples are taken in steps chosen by
    /// `schedule` and handed to `sink`.
    ///
    /// # Errors
    /// Malformed times or schedule, a probe that cannot be resolved, or a voltage that is no number. After the last the
    /// simulation must be reset before it can be used.
    pub fn run(
        &mut self,
        t_end_ms: f64,
        dt_ms: f64,
        schedule: &Schedule,
        probes: &[Probe],
        sink: &mut dyn Sink,
    ) -> Result<RunSummary, SimError> {
        if !(dt_ms.is_finite() && dt_ms > 0.0) {
            return Err(SimError::TimeStep { dt_ms });
        }
        if !t_end_ms.is_finite() || t_end_ms < self.time_ms {
            return Err(SimError::EndTime {
                t_end_ms,
                now_ms: self.time_ms,
            });
        }
        schedule.check()?;
        let place = Place {
            groups: &self.groups,
            cells: &self.cells,
            descriptions: &self.descriptions,
        };
        let taps: Vec<Tap> = probes
            .iter()
            .enumerate()
            .map(|(i, p)| place.resolve(i, p))
            .collect::<Result<_, _>>()?;
        // Without connections nothing cuts the interval: one epoch.
        let steps = Steps::new(self.time_ms, t_end_ms, dt_ms);
        let due = schedule.steps(&steps);
        let mut due = due.iter().peekable();
        let mut values = vec![0.0; taps.len()];
        let events = StepEvents::default();
        let mut samples = 0;
        for step in 0..steps.len() {
            let (t0_ms, t1_ms) = steps.edges(step);
            for group in &mut self.groups {
                group.currents(t0_ms, t1_ms - t0_ms, &events);
            }
            while due.next_if(|&&at| at == step).is_some() {
                for (value, tap) in values.iter_mut().zip(&taps) {
                    *value = tap.read(&self.groups);
                }
                let simulation = (self.groups.as_slice(), self.cells.as_slice());
                sink.sample(&SampleView {
                    time_ms: t0_ms,
                    values: &values,
                    simulation,
                });
                samples += 1;
            }
            for group in &mut self.groups {
                group.advance(t0_ms, t1_ms, &mut self.spikes)?;
            }
            self.time_ms = t1_ms;
        }
        Ok(RunSummary {
            steps: steps.len(),
            samples,
        })
    }

    /// As [`Simulation::run`], collecting the samples.
    ///
    /// # Errors
    /// As [`Simulation::run`].
    pub fn record(
        &mut self,
        t_end_ms: f64,
        dt_ms: f64,
        schedule: &Schedule,
        probes: &[Probe],
    ) -> Result<Samples, SimError> {
        let mut samples = Samples {
            n_probes: probes.len(),
            ..Samples::default()
        };
        self.run(t_end_ms, dt_ms, schedule, probes, &mut samples)?;
        Ok(samples)
    }

    /// The control volumes of a cell.
    ///
    /// # Errors
    /// [`SimError::NoSuchCell`].
    pub fn discretisation(&self, cell: usize) -> Result<&Discretisation, SimError> {
        let (group, in_group) = self.place(cell)?;
        Ok(&self.groups[group].cells[in_group].discretisation)
    }

    /// Voltage of every CV of a cell, mV.
    ///
    /// # Errors
    /// [`SimError::NoSuchCell`].
    pub fn voltage(&self, cell: usize) -> Result<&[f64], SimError> {
        let (group, in_group) = self.place(cell)?;
        let group = &self.groups[group];
        Ok(&group.shared.voltage_mv[group.cells[in_group].cvs.clone()])
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
        let row = parameter_row(cell, set, parameter)?;
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
        let row = parameter_row(cell, set, parameter)?;
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

    fn place(&self, cell: usize) -> Result<(usize, usize), SimError> {
        self.cells.get(cell).copied().ok_or(SimError::NoSuchCell {
            cell,
            n_cells: self.cells.len(),
        })
    }

    /// (group, mechanism of the group).
    fn mechanism(&self, cell: usize, mechanism: &str) -> Result<(usize, usize), SimError> {
        let (group, in_group) = self.place(cell)?;
        let found = self.groups[group].cells[in_group].names.get(mechanism);
        let k = *found.ok_or_else(|| SimError::NotPainted {
            cell,
            mechanism: mechanism.to_owned(),
        })?;
        Ok((group, k))
    }

    fn set(&self, cell: usize, mechanism: &str) -> Result<(&MechanismStorage, Range<usize>), SimError> {
        let (_, in_group) = self.place(cell)?;
        let (group, k) = self.mechanism(cell, mechanism)?;
        let group = &self.groups[group];
        Ok((&group.mechanisms[k], group.cells[in_group].instances[k].clone()))
    }
}

fn parameter_row(cell: usize, set: &MechanismStorage, parameter: &str) -> Result<usize, SimError> {
    let info = set.info();
    info.parameter(parameter).ok_or_else(|| SimError::UnknownParameter {
        cell,
        mechanism: set.name().to_owned(),
        parameter: parameter.to_owned(),
        is_global: info.global(parameter).is_some(),
    })
}
