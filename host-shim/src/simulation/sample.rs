//! What a run shows while it runs, and how samples travel from the groups to the sink.

use std::ops::Range;

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
}

/// Receives samples. They come in the order of time, some steps after they were taken. `Send`, because the thread that
/// runs the simulation need not be the one that asked for it; calls never overlap.
pub trait Sink: Send {
    /// Called once per sample, in the order of time.
    fn sample(&mut self, view: &SampleView<'_>);
}

impl<F: FnMut(&SampleView<'_>) + Send> Sink for F {
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

/// Most steps that groups take on their own before samples and spikes are collected.
const MAX_STEPS: usize = 1024;
/// Most values kept until then, all probes together: 1 MiB.
const MAX_VALUES: usize = 1 << 17;

/// What a run samples, and where to.
pub(super) struct Recorder<'a> {
    schedule: &'a Schedule,
    /// Per group, what it samples.
    pub(super) tracks: Vec<Track>,
    n_probes: usize,
    /// Steps to sample in the present chunk, ascending.
    pub(super) due: Vec<usize>,
    row: Vec<f64>,
    sink: &'a mut dyn Sink,
}

/// The samples of one group.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// With the positions of their probes.
    taps: Vec<(usize, Tap)>,
    /// Sample after sample.
    values: Vec<f64>,
}

impl Track {
    pub(super) fn sample(&mut self, group: &Group) {
        self.values.extend(self.taps.iter().map(|(_, tap)| tap.read(group)));
    }
}

impl<'a> Recorder<'a> {
    pub(super) fn new(schedule: &'a Schedule, taps: Vec<Tap>, n_groups: usize, sink: &'a mut dyn Sink) -> Self {
        let n_probes = taps.len();
        let mut tracks: Vec<Track> = (0..n_groups).map(|_| Track::default()).collect();
        for (probe, tap) in taps.into_iter().enumerate() {
            tracks[tap.group()].taps.push((probe, tap));
        }
        Self {
            schedule,
            tracks,
            n_probes,
            due: Vec::with_capacity(MAX_STEPS),
            row: vec![0.0; n_probes],
            sink,
        }
    }

    /// The next steps that groups may take on their own, from `first`, none of them beyond `limit`. Forgets the samples
    /// of the last.
    pub(super) fn begin(&mut self, steps: &Steps, first: usize, limit: usize) -> Range<usize> {
        let mut chunk = first..limit.min(first + MAX_STEPS);
        self.schedule.steps(steps, chunk.clone(), &mut self.due);
        let most = (MAX_VALUES / self.n_probes.max(1)).max(1);
        if let Some(&step) = self.due.get(most) {
            // Samples of one step stay together.
            chunk.end = step.max(first + 1);
            self.due.truncate(self.due.partition_point(|&due| due < chunk.end));
        }
        for track in &mut self.tracks {
            track.values.clear();
            track.values.reserve(self.due.len() * track.taps.len());
        }
        chunk
    }

    /// Hands over the samples of the steps before `end`; their number.
    pub(super) fn deliver(&mut self, steps: &Steps, end: usize) -> usize {
        let taken = self.due.partition_point(|&due| due < end);
        for (sample, &step) in self.due[..taken].iter().enumerate() {
            for track in &self.tracks {
                let values = &track.values[sample * track.taps.len()..];
                for (&(probe, _), &value) in track.taps.iter().zip(values) {
                    self.row[probe] = value;
                }
            }
            self.sink.sample(&SampleView {
                time_ms: steps.edges(step).0,
                values: &self.row,
            });
        }
        taken
    }
}
