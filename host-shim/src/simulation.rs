//! Cells, run through time. The front door of the crate.

mod access;
mod sample;

use sample::Recorder;
pub use sample::{SampleView, Samples, Sink};

use std::sync::Arc;

use crate::Catalogue;
use crate::cell::CellDescription;
use crate::detector::Spike;
use crate::discretise::Discretisation;
use crate::epoch::{Schedule, Steps};
use crate::group::Group;
use crate::network::{self, Network};
use crate::probe::{Place, Probe, Tap};
use crate::sim_error::SimError;
use crate::wiring::Wiring;

/// A set of cells with their state.
///
/// Time starts at 0 and only [`Simulation::reset`] turns it back; consecutive runs continue from where the last ended.
#[derive(Debug)]
pub struct Simulation {
    groups: Vec<Group>,
    /// Cell to (group, cell of the group).
    cells: Vec<(usize, usize)>,
    descriptions: Vec<CellDescription>,
    wiring: Wiring,
    time_ms: f64,
    spikes: Vec<Spike>,
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
        Self::with_network(groups, catalogues, &Network::default())
    }

    /// As [`Simulation::new`], with what joins the cells.
    ///
    /// # Errors
    /// As [`Simulation::new`]; or a [`SimError`] that names the connection, gap junction or generator, and what is wrong
    /// with it.
    pub fn with_network(
        groups: Vec<Vec<CellDescription>>,
        catalogues: &[Arc<Catalogue>],
        network: &Network,
    ) -> Result<Self, SimError> {
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let descriptions: Vec<CellDescription> = groups.into_iter().flatten().collect();
        let group_of: Vec<usize> = (0..)
            .zip(&sizes)
            .flat_map(|(g, &n)| std::iter::repeat_n(g, n))
            .collect();
        network::check(network, &descriptions, &group_of)?;
        let mut built = Vec::with_capacity(sizes.len());
        let mut cells = Vec::with_capacity(descriptions.len());
        for (group, size) in sizes.into_iter().enumerate() {
            let first = cells.len();
            let members: Vec<_> = (first..first + size).map(|i| (i, &descriptions[i])).collect();
            built.push(Group::new(&members, catalogues, network)?);
            cells.extend((0..size).map(|in_group| (group, in_group)));
        }
        Ok(Self {
            wiring: Wiring::new(network, &built, &cells)?,
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

    /// Spikes since the last reset, in the order of time; at the same time by cell and detector.
    pub fn spikes(&self) -> &[Spike] {
        &self.spikes
    }

    /// Back to t = 0: voltages, concentrations and states as after construction, with the parameters as they are now.
    /// Nothing is under way, generators and noise start afresh: a run after a reset repeats the first bit by bit. (In Arbor
    /// a reset does not rewind the random numbers of WHITE_NOISE.)
    pub fn reset(&mut self) {
        self.groups.iter_mut().for_each(Group::reset);
        self.wiring.reset();
        self.time_ms = 0.0;
        self.spikes.clear();
    }

    /// Runs to `t_end_ms` in steps of `dt_ms`; the last step ends there exactly. Samples are taken in steps chosen by
    /// `schedule` and handed to `sink`.
    ///
    /// With connections, time is cut into epochs of half the least delay, one after the other from the start of each run;
    /// the grid of steps begins anew in each, so an epoch that is no multiple of `dt_ms` ends in a shorter step, as in
    /// Arbor.
    ///
    /// # Errors
    /// Malformed times or schedule, a step longer than an epoch, a probe that cannot be resolved, or a voltage that is no
    /// number. After the last the simulation must be reset before it can be used.
    pub fn run(
        &mut self,
        t_end_ms: f64,
        dt_ms: f64,
        schedule: &Schedule,
        probes: &[Probe],
        sink: &mut dyn Sink,
    ) -> Result<RunSummary, SimError> {
        self.check_times(t_end_ms, dt_ms)?;
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
        let mut recorder = Recorder::new(schedule, taps, sink);
        let mut summary = RunSummary { steps: 0, samples: 0 };
        while self.time_ms < t_end_ms {
            let t1_ms = t_end_ms.min(self.time_ms + self.wiring.interval_ms);
            let steps = Steps::new(self.time_ms, t1_ms, dt_ms);
            summary.steps += steps.len();
            summary.samples += self.run_epoch(&steps, &mut recorder)?;
        }
        Ok(summary)
    }

    fn check_times(&self, t_end_ms: f64, dt_ms: f64) -> Result<(), SimError> {
        if !(dt_ms.is_finite() && dt_ms > 0.0) {
            return Err(SimError::TimeStep { dt_ms });
        }
        if !t_end_ms.is_finite() || t_end_ms < self.time_ms {
            return Err(SimError::EndTime {
                t_end_ms,
                now_ms: self.time_ms,
            });
        }
        let longest_ms = self.wiring.interval_ms;
        // Arbor's margin: delays are rounded to 32 bits.
        if dt_ms - longest_ms > 10.0 * f64::from(f32::EPSILON) {
            return Err(SimError::StepExceedsEpoch { dt_ms, longest_ms });
        }
        if t_end_ms + longest_ms <= t_end_ms {
            let epoch_ms = longest_ms;
            return Err(SimError::EpochTooShort { epoch_ms, t_end_ms });
        }
        Ok(())
    }

    /// Runs through one epoch; the number of samples taken.
    fn run_epoch(&mut self, steps: &Steps, recorder: &mut Recorder<'_>) -> Result<usize, SimError> {
        let before = self.spikes.len();
        let (start_ms, end_ms) = steps.span_ms();
        self.wiring.begin_epoch(start_ms, end_ms);
        recorder.begin_epoch(steps);
        for step in 0..steps.len() {
            let (t0_ms, t1_ms) = steps.edges(step);
            for (k, group) in self.groups.iter_mut().enumerate() {
                group.currents(t0_ms, t1_ms - t0_ms, self.wiring.due(k, t1_ms));
            }
            recorder.sample(step, t0_ms, &self.groups, &self.cells);
            let found = self.spikes.len();
            for group in &mut self.groups {
                group.advance(t0_ms, t1_ms, &mut self.spikes)?;
            }
            self.spikes[found..].sort_unstable_by(|a, b| {
                let by_time = a.time_ms.total_cmp(&b.time_ms);
                by_time.then((a.cell, a.detector).cmp(&(b.cell, b.detector)))
            });
            self.time_ms = t1_ms;
        }
        self.wiring.end_epoch(&self.spikes[before..]);
        Ok(recorder.taken)
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

    fn place(&self, cell: usize) -> Result<(usize, usize), SimError> {
        self.cells.get(cell).copied().ok_or(SimError::NoSuchCell {
            cell,
            n_cells: self.cells.len(),
        })
    }
}
