//! Cells, run through time. The front door of the crate.

mod access;
mod advance;
mod control;
mod sample;

pub use control::{Controller, Handle, Present};
use sample::Recorder;
pub use sample::{SampleView, Samples, Sink};

use std::ops::Range;
use std::sync::Arc;

use crate::Catalogue;
use crate::batch::batches;
use crate::cell::CellDescription;
use crate::detector::Spike;
use crate::discretise::Discretisation;
use crate::epoch::Schedule;
use crate::group::Group;
use crate::layout::{CellLayout, lay_out};
use crate::network::{self, Network};
use crate::probe::{Place, Probe, Tap};
use crate::sim_error::SimError;
use crate::wiring::Wiring;

/// A set of cells with their state.
///
/// A clone is an independent copy at the same time and in the same state. It shares the catalogues and the descriptions, so
/// it is the cheap way to run the same cells several times at once.
///
/// Time starts at 0 and only [`Simulation::reset`] turns it back; consecutive runs continue from where the last ended.
#[derive(Debug, Clone)]
pub struct Simulation {
    groups: Vec<Group>,
    /// Cell to (group, cell of the group).
    cells: Vec<(usize, usize)>,
    descriptions: Arc<[CellDescription]>,
    wiring: Wiring,
    time_ms: f64,
    spikes: Vec<Spike>,
    n_cvs: usize,
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
    /// Builds the cells of each group and initialises them. Cells are numbered through, group after group.
    ///
    /// A group is what Arbor calls a cell group: gap junctions may join its cells, and the random numbers of WHITE_NOISE
    /// are keyed by a mechanism's place in it. Which cells share arrays and kernels' calls, and which run on different
    /// threads, is decided here, by the sizes of the cells alone: small groups run as one, and results do not depend on
    /// that but for the rounding of foreign kernels, nor on the number of threads at all.
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
        Self::build(groups, catalogues, network, batches)
    }

    /// As [`Simulation::with_network`], but every group has arrays and kernels' calls of its own: for tests and
    /// measurements of what that makes.
    ///
    /// # Errors
    /// As [`Simulation::with_network`].
    pub fn unbatched(
        groups: Vec<Vec<CellDescription>>,
        catalogues: &[Arc<Catalogue>],
        network: &Network,
    ) -> Result<Self, SimError> {
        let apart = |families: &[Range<usize>], _: &[CellLayout]| (0..families.len()).map(|k| k..k + 1).collect();
        Self::build(groups, catalogues, network, apart)
    }

    fn build(
        groups: Vec<Vec<CellDescription>>,
        catalogues: &[Arc<Catalogue>],
        network: &Network,
        batches: impl Fn(&[Range<usize>], &[CellLayout]) -> Vec<Range<usize>>,
    ) -> Result<Self, SimError> {
        let mut families: Vec<Range<usize>> = Vec::with_capacity(groups.len());
        for group in groups.iter().filter(|group| !group.is_empty()) {
            let first = families.last().map_or(0, |f| f.end);
            families.push(first..first + group.len());
        }
        let descriptions: Vec<CellDescription> = groups.into_iter().flatten().collect();
        let family_of: Vec<usize> = (0..)
            .zip(&families)
            .flat_map(|(k, family)| std::iter::repeat_n(k, family.len()))
            .collect();
        network::check(network, &descriptions, &family_of)?;
        let laid_out = descriptions.iter().enumerate().map(|(i, c)| lay_out(i, c, catalogues));
        let laid_out = laid_out.collect::<Result<Vec<CellLayout>, SimError>>()?;
        let n_cvs = laid_out.iter().map(|c| c.discretisation.n_cvs()).sum();
        let batches = batches(&families, &laid_out);
        // Taken one by one, so that layouts and groups are not all in memory at once.
        let mut laid_out = laid_out.into_iter();
        let mut built = Vec::with_capacity(batches.len());
        let mut cells = Vec::with_capacity(descriptions.len());
        for (group, batch) in batches.into_iter().enumerate() {
            let first = cells.len();
            let own = &families[batch];
            let size = own.iter().map(Range::len).sum();
            let members: Vec<_> = (first..first + size).map(|i| (i, &descriptions[i])).collect();
            let own: Vec<Range<usize>> = own.iter().map(|f| f.start - first..f.end - first).collect();
            let layouts = laid_out.by_ref().take(size).collect();
            built.push(Group::new(&members, layouts, &own, network)?);
            cells.extend((0..size).map(|in_group| (group, in_group)));
        }
        Ok(Self {
            wiring: Wiring::new(network, &built, &cells)?,
            groups: built,
            cells,
            descriptions: descriptions.into(),
            time_ms: 0.0,
            spikes: Vec::new(),
            n_cvs,
        })
    }

    /// Parts that run independently within an epoch: batches of cells. More threads than that are of no use.
    pub fn n_batches(&self) -> usize {
        self.groups.len()
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
    /// Batches of cells run on the threads of the present rayon pool: the global one (as many as processors, or
    /// RAYON_NUM_THREADS), unless this is called inside another's `install`.
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
        self.run_controlled(t_end_ms, dt_ms, schedule, probes, sink, &mut control::Absent)
    }

    /// As [`Simulation::run`], with `controller` between steps. Where it changes nothing, no bit of the run differs: steps
    /// and epochs are the same with and without it.
    ///
    /// # Errors
    /// As [`Simulation::run`].
    pub fn run_controlled(
        &mut self,
        t_end_ms: f64,
        dt_ms: f64,
        schedule: &Schedule,
        probes: &[Probe],
        sink: &mut dyn Sink,
        controller: &mut dyn Controller,
    ) -> Result<RunSummary, SimError> {
        self.check_times(t_end_ms, dt_ms)?;
        schedule.check()?;
        let taps = self.resolve(probes)?;
        let mut recorder = Recorder::new(schedule, taps, self.groups.len(), sink);
        if self.groups.len() > 1 && rayon::current_num_threads() > 1 {
            // Once into the pool and not at every epoch: waking a thread from outside takes longer than a short epoch.
            rayon::scope(|_| self.advance(t_end_ms, dt_ms, &mut recorder, controller))
        } else {
            self.advance(t_end_ms, dt_ms, &mut recorder, controller)
        }
    }

    fn resolve(&self, probes: &[Probe]) -> Result<Vec<Tap>, SimError> {
        let place = Place {
            groups: &self.groups,
            cells: &self.cells,
            descriptions: &self.descriptions,
        };
        probes.iter().enumerate().map(|(i, p)| place.resolve(i, p)).collect()
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
