//! What a run shows while it runs.

use crate::epoch::{Schedule, Steps};
use crate::group::Group;
use crate::probe::Tap;

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

/// What a run samples, and where to.
pub(super) struct Recorder<'a> {
    schedule: &'a Schedule,
    taps: Vec<Tap>,
    values: Vec<f64>,
    /// Steps to sample in the present epoch, ascending, and how many of them have been.
    due: Vec<usize>,
    pub(super) taken: usize,
    sink: &'a mut dyn Sink,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(schedule: &'a Schedule, taps: Vec<Tap>, sink: &'a mut dyn Sink) -> Self {
        Self {
            schedule,
            values: vec![0.0; taps.len()],
            taps,
            due: Vec::new(),
            taken: 0,
            sink,
        }
    }

    pub(super) fn begin_epoch(&mut self, steps: &Steps) {
        self.schedule.steps(steps, &mut self.due);
        self.taken = 0;
    }

    pub(super) fn sample(&mut self, step: usize, time_ms: f64, groups: &[Group], cells: &[(usize, usize)]) {
        while self.due.get(self.taken) == Some(&step) {
            for (value, tap) in self.values.iter_mut().zip(&self.taps) {
                *value = tap.read(groups);
            }
            self.sink.sample(&SampleView {
                time_ms,
                values: &self.values,
                simulation: (groups, cells),
            });
            self.taken += 1;
        }
    }
}
