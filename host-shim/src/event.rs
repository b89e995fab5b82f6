//! Events on their way to the point processes of a group.

use crate::deliver::{StepEvents, TargetInstance};

/// What a point process of a group will receive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Event {
    pub(crate) time_ms: f64,
    pub(crate) to: TargetInstance,
    pub(crate) weight: f32,
}

/// Events of one group that have not been delivered yet.
///
/// Filled between epochs in any order, emptied step by step. [`StepEvents`] orders what falls into one step, so the
/// order of events at one time needs no rule here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue {
    /// Up to `next`, delivered; from there to the end, by time once settled.
    events: Vec<Event>,
    next: usize,
}

impl Queue {
    /// Admits an event. [`Queue::settle`] must follow before the next [`Queue::deliver`].
    pub(crate) fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Forgets what was delivered and sorts the rest by time.
    pub(crate) fn settle(&mut self) {
        self.events.drain(..self.next);
        self.next = 0;
        self.events.sort_unstable_by(|a, b| a.time_ms.total_cmp(&b.time_ms));
    }

    /// Hands over all that is due before `t1_ms`.
    pub(crate) fn deliver(&mut self, t1_ms: f64, step: &mut StepEvents) {
        step.clear();
        while let Some(event) = self.events.get(self.next).filter(|e| e.time_ms < t1_ms) {
            step.push(event.to.mechanism, event.to.instance, event.weight);
            self.next += 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(queue: &mut Queue, t1_ms: f64) -> Vec<u32> {
        let mut step = StepEvents::default();
        // Something left over from the step before.
        step.push(0, 99, 0.0);
        queue.deliver(t1_ms, &mut step);
        let mut sorted = Vec::new();
        step.sorted_into(0, &mut sorted);
        sorted.iter().map(|e| e.mech_index).collect()
    }

    #[test]
    fn an_event_is_due_in_the_step_that_contains_it() {
        let mut queue = Queue::default();
        let event = |time_ms, instance| Event {
            time_ms,
            to: TargetInstance { mechanism: 0, instance },
            weight: 1.0,
        };
        for e in [event(0.3, 3), event(0.1, 1), event(0.2, 2), event(0.7, 7)] {
            queue.push(e);
        }
        queue.settle();
        assert_eq!(delivered(&mut queue, 0.1), [] as [u32; 0]);
        assert_eq!(delivered(&mut queue, 0.2), [1]);
        assert_eq!(delivered(&mut queue, 0.2), [] as [u32; 0]);
        // New ones join those that wait.
        queue.push(event(0.5, 5));
        queue.settle();
        assert_eq!(delivered(&mut queue, 0.6), [2, 3, 5]);
        queue.clear();
        assert_eq!(delivered(&mut queue, 1.0), [] as [u32; 0]);
    }
}
