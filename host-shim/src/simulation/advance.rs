//! The loop over time: epochs, chunks of epochs, and groups on as many threads as there are.
//!
//! Within an epoch groups do not hear of each other, so each takes its steps on its own, a chunk of them at a time, on
//! whatever thread is free. Samples and spikes stay with the group and are put in order afterwards: nothing depends on
//! the number of threads.

use rayon::prelude::*;

use super::control::{Controller, Present};
use super::sample::{Recorder, Track};
use super::{RunSummary, Simulation};
use crate::detector::Spike;
use crate::epoch::Steps;
use crate::group::Group;
use crate::sim_error::SimError;
use crate::wiring::Inbox;

/// CVs times steps below which waking another thread takes longer than it saves: some tens of microseconds.
const WORTH_A_THREAD: usize = 2000;

/// Where and why a group stopped.
type Stop = Option<(usize, SimError)>;

impl Simulation {
    /// Runs to `t_end_ms`, in epochs.
    pub(super) fn advance(
        &mut self,
        t_end_ms: f64,
        dt_ms: f64,
        recorder: &mut Recorder<'_>,
        controller: &mut dyn Controller,
    ) -> Result<RunSummary, SimError> {
        let mut summary = RunSummary { steps: 0, samples: 0 };
        let mut next_ms = self.consult(controller);
        while let Some(wanted_ms) = next_ms
            && self.time_ms < t_end_ms
        {
            let t1_ms = t_end_ms.min(self.time_ms + self.wiring.interval_ms);
            let steps = Steps::new(self.time_ms, t1_ms, dt_ms);
            next_ms = self.run_epoch(&steps, recorder, controller, wanted_ms, &mut summary)?;
        }
        Ok(summary)
    }

    /// Shows a controller the present; when it wants to be asked again, or none if the run is to end.
    fn consult(&mut self, controller: &mut dyn Controller) -> Option<f64> {
        controller.control(&mut Present {
            groups: &mut self.groups,
            cells: &self.cells,
            time_ms: self.time_ms,
        })
    }

    /// Runs through one epoch, asking the controller from `next_ms` on. As [`Simulation::consult`].
    fn run_epoch(
        &mut self,
        steps: &Steps,
        recorder: &mut Recorder<'_>,
        controller: &mut dyn Controller,
        mut next_ms: f64,
        summary: &mut RunSummary,
    ) -> Result<Option<f64>, SimError> {
        let before = self.spikes.len();
        let (start_ms, end_ms) = steps.span_ms();
        self.wiring.begin_epoch(start_ms, end_ms);
        let mut first = 0;
        while first < steps.len() {
            let limit = steps.ending_at(next_ms, first).map_or(steps.len(), |step| step + 1);
            let chunk = recorder.begin(steps, first, limit);
            let stop = self.run_chunk(steps, chunk.clone(), recorder);
            // Of a failed run only what precedes the failure is shown, whatever other groups have done meanwhile.
            let reached = stop.as_ref().map_or(chunk.end, |(step, _)| step + 1);
            let until_ms = steps.edges(reached - 1).1;
            self.collect_spikes(until_ms);
            summary.samples += recorder.deliver(steps, reached);
            if let Some((step, error)) = stop {
                self.time_ms = steps.edges(step).0;
                return Err(error);
            }
            summary.steps += chunk.len();
            self.time_ms = until_ms;
            first = chunk.end;
            if steps.ending_at(next_ms, first.saturating_sub(1)) == first.checked_sub(1) {
                match self.consult(controller) {
                    Some(wanted_ms) => next_ms = wanted_ms,
                    None => {
                        self.wiring.end_epoch(&self.spikes[before..]);
                        return Ok(None);
                    }
                }
            }
        }
        self.wiring.end_epoch(&self.spikes[before..]);
        Ok(Some(next_ms))
    }

    /// Lets every group take the steps of `chunk`. The first failure, if there is one; of several in one step that of the
    /// first group, so of the first cell.
    fn run_chunk(&mut self, steps: &Steps, chunk: std::ops::Range<usize>, recorder: &mut Recorder<'_>) -> Stop {
        let due = recorder.due.as_slice();
        let run = |((group, inbox), track): ((&mut Group, &mut Inbox), &mut Track)| {
            run_group(group, inbox, track, steps, chunk.clone(), due)
        };
        let earlier = |a: Stop, b: Stop| match (a, b) {
            (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
            (a, b) => a.or(b),
        };
        let (groups, inboxes) = (&mut self.groups, &mut self.wiring.inboxes);
        let worthwhile = groups.len() > 1 && chunk.len().saturating_mul(self.n_cvs) >= WORTH_A_THREAD;
        if worthwhile && rayon::current_num_threads() > 1 {
            let lanes = groups.par_iter_mut().zip(inboxes).zip(&mut recorder.tracks);
            // Ordered by position, so that `earlier` sees groups from left to right however they are dealt out.
            lanes.with_max_len(1).map(run).reduce(|| None, earlier)
        } else {
            let lanes = groups.iter_mut().zip(inboxes).zip(&mut recorder.tracks);
            lanes.map(run).fold(None, earlier)
        }
    }

    /// Takes the groups' spikes up to `until_ms`, in order.
    fn collect_spikes(&mut self, until_ms: f64) {
        let found = self.spikes.len();
        for group in &mut self.groups {
            self.spikes
                .extend(group.spikes.drain(..).filter(|s| s.time_ms <= until_ms));
        }
        self.spikes[found..].sort_unstable_by(order);
    }
}

fn order(a: &Spike, b: &Spike) -> std::cmp::Ordering {
    let by_time = a.time_ms.total_cmp(&b.time_ms);
    by_time.then((a.cell, a.detector).cmp(&(b.cell, b.detector)))
}

fn run_group(
    group: &mut Group,
    inbox: &mut Inbox,
    track: &mut Track,
    steps: &Steps,
    chunk: std::ops::Range<usize>,
    mut due: &[usize],
) -> Stop {
    let mut t0_ms = steps.edges(chunk.start).0;
    for step in chunk {
        let t1_ms = steps.edges(step).1;
        group.currents(t0_ms, t1_ms - t0_ms, inbox.due(t1_ms));
        while let Some((_, rest)) = due.split_first().filter(|(next, _)| **next == step) {
            track.sample(group);
            due = rest;
        }
        if let Err(error) = group.advance(t0_ms, t1_ms) {
            return Some((step, error));
        }
        t0_ms = t1_ms;
    }
    None
}
