//! A network at work: spikes become events, generators send, queues hold what is under way (host-numerics.md §3.9, §6).
//!
//! Arbor runs an epoch while it exchanges the spikes of the one before, so that they are heard from the second next on.
//! Epochs of half the least delay make that early enough. Here spikes are exchanged as soon as their epoch has ended,
//! which delivers the same events in the same steps.

use crate::deliver::{StepEvents, TargetInstance};
use crate::detector::Spike;
use crate::event::{Event, Queue};
use crate::generator::Times;
use crate::group::Group;
use crate::network::{Network, Target};
use crate::sim_error::SimError;

/// The run-time side of a [`Network`].
#[derive(Debug, Clone)]
pub(crate) struct Wiring {
    /// Longest epoch, ms: half the least delay.
    pub(crate) interval_ms: f64,
    /// By source (cell, detector), then as given.
    edges: Vec<Edge>,
    feeds: Vec<Feed>,
    /// One per group.
    pub(crate) inboxes: Vec<Inbox>,
}

/// Where the events of one group wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox {
    queue: Queue,
    step: StepEvents,
}

impl Inbox {
    /// What the group receives in the step that ends at `t1_ms`.
    pub(crate) fn due(&mut self, t1_ms: f64) -> &StepEvents {
        self.queue.deliver(t1_ms, &mut self.step);
        &self.step
    }
}

/// A point process of some group.
#[derive(Debug, Clone, Copy)]
struct Post {
    group: usize,
    to: TargetInstance,
    weight: f32,
}

/// A connection.
#[derive(Debug, Clone)]
struct Edge {
    source: (usize, usize),
    post: Post,
    delay_ms: f64,
}

/// A generator.
#[derive(Debug, Clone)]
struct Feed {
    times: Times,
    post: Post,
}

impl Wiring {
    /// `cells` maps a cell to its group and its place there.
    ///
    /// # Errors
    /// [`SimError::NoSuchTarget`]; not after [`crate::network::check`].
    pub(crate) fn new(network: &Network, groups: &[Group], cells: &[(usize, usize)]) -> Result<Self, SimError> {
        let post = |target: Target, weight| {
            let (group, to) = resolve(target, groups, cells)?;
            Ok::<_, SimError>(Post { group, to, weight })
        };
        let edges = network.connections.iter().map(|c| {
            Ok(Edge {
                source: (c.source_cell, c.detector),
                post: post(c.target, c.weight)?,
                delay_ms: f64::from(c.delay_ms),
            })
        });
        let mut edges = edges.collect::<Result<Vec<Edge>, SimError>>()?;
        edges.sort_by_key(|e| e.source);
        let feeds = network.generators.iter().map(|g| {
            Ok(Feed {
                times: Times::new(&g.times),
                post: post(g.target, g.weight)?,
            })
        });
        let least_ms = edges.iter().map(|e| e.delay_ms).fold(f64::MAX, f64::min);
        Ok(Self {
            interval_ms: least_ms / 2.0,
            feeds: feeds.collect::<Result<_, SimError>>()?,
            edges,
            inboxes: groups.iter().map(|_| Inbox::default()).collect(),
        })
    }

    /// Lets the generators send for the epoch `[t0_ms, t1_ms)`.
    pub(crate) fn begin_epoch(&mut self, t0_ms: f64, t1_ms: f64) {
        for feed in &mut self.feeds {
            let Post { group, to, weight } = feed.post;
            let queue = &mut self.inboxes[group].queue;
            feed.times
                .within(t0_ms, t1_ms, |time_ms| queue.push(Event { time_ms, to, weight }));
        }
        self.inboxes.iter_mut().for_each(|inbox| inbox.queue.settle());
    }

    /// Sends the spikes of an epoch on their way.
    pub(crate) fn end_epoch(&mut self, spikes: &[Spike]) {
        for spike in spikes {
            let source = (spike.cell, spike.detector);
            let first = self.edges.partition_point(|e| e.source < source);
            for edge in self.edges[first..].iter().take_while(|e| e.source == source) {
                self.inboxes[edge.post.group].queue.push(Event {
                    time_ms: spike.time_ms + edge.delay_ms,
                    to: edge.post.to,
                    weight: edge.post.weight,
                });
            }
        }
    }

    /// Back to t = 0: nothing under way, generators at their beginning.
    pub(crate) fn reset(&mut self) {
        self.inboxes.iter_mut().for_each(|inbox| inbox.queue.clear());
        self.feeds.iter_mut().for_each(|feed| feed.times.reset());
    }
}

/// The group of a target, and the instance that receives its events.
///
/// # Errors
/// [`SimError::NoSuchCell`], [`SimError::NoSuchTarget`].
pub(crate) fn resolve(
    target: Target,
    groups: &[Group],
    cells: &[(usize, usize)],
) -> Result<(usize, TargetInstance), SimError> {
    let Target { cell, target } = target;
    let n_cells = cells.len();
    let &(group, in_group) = cells.get(cell).ok_or(SimError::NoSuchCell { cell, n_cells })?;
    let targets = &groups[group].cells[in_group].targets;
    let n_targets = targets.len();
    let to = targets.get(target).ok_or(SimError::NoSuchTarget {
        cell,
        target,
        n_targets,
    })?;
    Ok((group, *to))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only spikes of the connected detector, at the sum in 64 bits of their time and the 32-bit delay.
    #[test]
    fn a_spike_arrives_after_its_delay() {
        let to = TargetInstance {
            mechanism: 2,
            instance: 7,
        };
        let edge = |source, weight| Edge {
            source,
            post: Post { group: 1, to, weight },
            delay_ms: f64::from(1.05f32),
        };
        let mut wiring = Wiring {
            interval_ms: 0.5,
            edges: vec![
                edge((3, 0), 1.0),
                edge((3, 1), 2.0),
                edge((3, 1), 3.0),
                edge((4, 0), 4.0),
            ],
            feeds: Vec::new(),
            inboxes: vec![Inbox::default(), Inbox::default()],
        };
        let spike = |cell, detector| Spike {
            time_ms: 1000.1,
            cell,
            detector,
        };
        wiring.end_epoch(&[spike(2, 0), spike(3, 1), spike(5, 0)]);
        wiring.begin_epoch(1000.5, 1001.5);
        let arrival_ms = 1000.1 + 1.0499999523162842;
        let mut weights = |group: usize, t1_ms| {
            let mut sorted = Vec::new();
            wiring.inboxes[group].due(t1_ms).sorted_into(2, &mut sorted);
            sorted.iter().map(|e| (e.mech_index, e.weight)).collect::<Vec<_>>()
        };
        assert_eq!(weights(0, 2000.0), []);
        assert_eq!(weights(1, arrival_ms), []);
        assert_eq!(weights(1, f64::next_up(arrival_ms)), [(7, 2.0), (7, 3.0)]);
        assert_eq!(weights(1, 2000.0), []);
    }
}
