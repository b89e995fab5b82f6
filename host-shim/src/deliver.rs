//! Events on their way into one step of a group, and where a cell's targets live in it.
//!
//! Who sends when is the network's business; here events have arrived, and know nothing of time.

use mech_abi::EventData;

/// The instance of a point process that receives the events of one target. Several targets may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetInstance {
    /// Mechanism of the group.
    pub(crate) mechanism: usize,
    /// Instance of the mechanism, counted over all cells of the group.
    pub(crate) instance: u32,
}

/// Events of one step, by mechanism of the group. Keeps its memory from step to step.
#[derive(Debug, Clone, Default)]
pub(crate) struct StepEvents {
    lists: Vec<Vec<EventData>>,
    /// Whether there is one at all.
    filled: bool,
}

impl StepEvents {
    /// Adds an event for an instance of a mechanism, in any order.
    pub(crate) fn push(&mut self, mechanism: usize, instance: u32, weight: f32) {
        if self.lists.len() <= mechanism {
            self.lists.resize_with(mechanism + 1, Vec::new);
        }
        self.filled = true;
        self.lists[mechanism].push(EventData {
            mech_index: instance,
            weight,
        });
    }

    /// Forgets all events.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.filled) {
            self.lists.iter_mut().for_each(Vec::clear);
        }
    }

    /// Whether there are events for a mechanism.
    pub(crate) fn any(&self, mechanism: usize) -> bool {
        self.filled && self.lists.get(mechanism).is_some_and(|list| !list.is_empty())
    }

    /// Copies the events of one mechanism into `sorted`, in the order in which Arbor delivers them: by instance, then by
    /// weight. Their order of time within the step is lost, as it is there.
    pub(crate) fn sorted_into(&self, mechanism: usize, sorted: &mut Vec<EventData>) {
        sorted.clear();
        sorted.extend(self.lists.get(mechanism).into_iter().flatten());
        sorted.sort_unstable_by(|a, b| {
            let by_instance = a.mech_index.cmp(&b.mech_index);
            by_instance.then(a.weight.total_cmp(&b.weight))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sorted_by_instance_and_weight() {
        let mut events = StepEvents::default();
        for (instance, weight) in [(3, 0.5), (1, 2.0), (3, -0.5), (1, 1.0)] {
            events.push(2, instance, weight);
        }
        let mut sorted = Vec::new();
        events.sorted_into(2, &mut sorted);
        let pairs: Vec<_> = sorted.iter().map(|e| (e.mech_index, e.weight)).collect();
        assert_eq!(pairs, [(1, 1.0), (1, 2.0), (3, -0.5), (3, 0.5)]);
        for other in [0, 7] {
            events.sorted_into(other, &mut sorted);
            assert!(sorted.is_empty());
        }
        events.clear();
        events.sorted_into(2, &mut sorted);
        assert!(sorted.is_empty());
    }
}
