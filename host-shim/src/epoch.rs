//! The time grid: how an interval is cut into steps, and at which steps a schedule samples (host-numerics.md §3.9).
//!
//! An epoch is an interval in which cell groups run without hearing of each other; without connections it is the whole
//! of a `run`. Steps restart at each epoch's start, so the grid depends on where epochs begin.

use std::ops::Range;

use crate::sim_error::SimError;

/// The steps of one epoch `[t0, t1)`: equal, but for the last, which ends at `t1` exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    t0_ms: f64,
    t1_ms: f64,
    dt_ms: f64,
    n: usize,
}

impl Steps {
    /// Cuts `[t0_ms, t1_ms)` into steps of `dt_ms`. A last step shorter than the rounding error of its own end is
    /// merged into the one before, as in Arbor.
    pub fn new(t0_ms: f64, t1_ms: f64, dt_ms: f64) -> Self {
        let dt_ms = dt_ms.max(f64::MIN_POSITIVE);
        let length = if t1_ms > t0_ms { t1_ms - t0_ms } else { 0.0 };
        let m = whole(length / dt_ms);
        let whole_steps = m as f64;
        let enough = whole_steps * dt_ms + f64::EPSILON * t1_ms * whole_steps >= length;
        Self {
            t0_ms,
            t1_ms,
            dt_ms,
            n: if enough { m } else { m + 1 },
        }
    }

    /// Start and end of the epoch, ms.
    pub(crate) fn span_ms(&self) -> (f64, f64) {
        (self.t0_ms, self.t1_ms)
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.n
    }

    /// No step at all.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Start and end of step `i`, ms.
    pub fn edges(&self, i: usize) -> (f64, f64) {
        // Fused: Arbor's wheel is compiled so, and edges of an epoch that starts late differ by an ulp otherwise.
        let edge = |i: usize| (i as f64).mul_add(self.dt_ms, self.t0_ms);
        (edge(i), if i + 1 >= self.n { self.t1_ms } else { edge(i + 1) })
    }

    /// The first step from `from` on that ends at `t_ms` or later, by no less than a millionth of a step.
    pub(crate) fn ending_at(&self, t_ms: f64, from: usize) -> Option<usize> {
        let t_ms = t_ms - 1e-6 * self.dt_ms;
        if t_ms > self.t1_ms || from >= self.n {
            return None;
        }
        let mut step = whole(((t_ms - self.t0_ms) / self.dt_ms).max(0.0)).saturating_sub(1);
        step = step.min(self.n - 1).max(from);
        while step + 1 < self.n && self.edges(step).1 < t_ms {
            step += 1;
        }
        Some(step)
    }

    /// The step that contains `t_ms`, judged by the edges as computed.
    fn find(&self, t_ms: f64) -> Option<usize> {
        if self.n == 0 || t_ms < self.t0_ms || t_ms >= self.t1_ms {
            return None;
        }
        let guess = whole((t_ms - self.t0_ms) / self.dt_ms).min(self.n - 1);
        let (start, end) = self.edges(guess);
        Some(if t_ms < start {
            guess.saturating_sub(1)
        } else if t_ms < end {
            guess
        } else {
            (guess + 1).min(self.n - 1)
        })
    }
}

/// When to sample. The value is that at the start of the step into which a time falls, and so is the time recorded.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// At the start of every step.
    EveryStep,
    /// At the multiples of `step_ms` in `[start_ms, stop_ms)`: absolute multiples, not offsets from the start.
    ///
    /// Times that should coincide with step edges may fall one step early by rounding (with a step of 0.025 ms, 0.3 ms
    /// samples 0.275 ms); [`Schedule::EveryStep`] does not suffer from it.
    Regular {
        /// First time admitted, ms.
        start_ms: f64,
        /// Spacing, ms.
        step_ms: f64,
        /// First time no more admitted, ms; infinite for no end.
        stop_ms: f64,
    },
    /// At these times, ms, ascending.
    Explicit(Vec<f64>),
}

impl Schedule {
    /// Every multiple of `step_ms`.
    pub fn every_ms(step_ms: f64) -> Self {
        Self::Regular {
            start_ms: 0.0,
            step_ms,
            stop_ms: f64::INFINITY,
        }
    }

    /// # Errors
    /// [`SimError::Schedule`] for a spacing that is not positive, times that are not finite, negative or unsorted.
    pub(crate) fn check(&self) -> Result<(), SimError> {
        self.defect().map_or(Ok(()), |what| Err(SimError::Schedule { what }))
    }

    /// What is wrong, if anything.
    pub(crate) fn defect(&self) -> Option<&'static str> {
        match self {
            Self::EveryStep => None,
            Self::Regular {
                start_ms,
                step_ms,
                stop_ms,
            } => {
                if !(step_ms.is_finite() && *step_ms > 0.0) {
                    Some("the spacing must be positive and finite")
                } else if !(start_ms.is_finite() && *start_ms >= 0.0) {
                    Some("the start must be finite and not negative")
                } else if stop_ms.is_nan() || stop_ms < start_ms {
                    Some("the stop must not precede the start")
                } else {
                    None
                }
            }
            Self::Explicit(times) => {
                if !times.iter().all(|t| t.is_finite() && *t >= 0.0) {
                    Some("times must be finite and not negative")
                } else if !times.is_sorted() {
                    Some("times must ascend")
                } else {
                    None
                }
            }
        }
    }

    /// The step of each sample in some steps of the epoch, ascending, into `due`; a step occurs once per time that falls
    /// into it.
    pub(crate) fn steps(&self, epoch: &Steps, range: Range<usize>, due: &mut Vec<usize>) {
        due.clear();
        if range.is_empty() {
            return;
        }
        if matches!(self, Self::EveryStep) {
            due.extend(range);
        } else {
            let (from_ms, to_ms) = (epoch.edges(range.start).0, epoch.edges(range.end - 1).1);
            self.within(from_ms, to_ms, |t| due.extend(epoch.find(t)));
        }
    }

    /// Calls `at` with the times in `[t0_ms, t1_ms)`, ascending; none for [`Schedule::EveryStep`], which has no times of
    /// its own.
    pub(crate) fn within(&self, t0_ms: f64, t1_ms: f64, at: impl FnMut(f64)) {
        match self {
            Self::EveryStep => (),
            Self::Regular {
                start_ms,
                step_ms,
                stop_ms,
            } => {
                let (from, to) = (t0_ms.max(*start_ms), t1_ms.min(*stop_ms));
                // As Arbor: multiply by the reciprocal, then correct upwards; multiples are k·step, never sums.
                let mut k = whole(from * (1.0 / step_ms));
                while (k as f64) * step_ms < from {
                    k += 1;
                }
                (k..).map(|k| k as f64 * step_ms).take_while(|t| *t < to).for_each(at);
            }
            Self::Explicit(times) => {
                let from = times.partition_point(|t| *t < t0_ms);
                times[from..].iter().copied().take_while(|t| *t < t1_ms).for_each(at);
            }
        }
    }
}

/// The integer part of a non-negative number; saturates, NaN becomes 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "truncation is what is wanted; `as` saturates"
)]
fn whole(x: f64) -> usize {
    x as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(t0: f64, t1: f64, dt: f64) -> Vec<(f64, f64)> {
        let steps = Steps::new(t0, t1, dt);
        (0..steps.len()).map(|i| steps.edges(i)).collect()
    }

    /// Starts of the steps sampled.
    fn sampled(schedule: &Schedule, steps: &Steps) -> Vec<f64> {
        let mut due = vec![usize::MAX];
        schedule.steps(steps, 0..steps.len(), &mut due);
        let mut parts = Vec::new();
        let mut part = Vec::new();
        for k in 0..steps.len() {
            schedule.steps(steps, k..k + 1, &mut part);
            parts.append(&mut part);
        }
        assert_eq!(due, parts, "cut anywhere, the samples are the same");
        due.iter().map(|&i| steps.edges(i).0).collect()
    }

    #[test]
    fn last_step_ends_exactly_at_the_end() {
        assert_eq!(edges(0.0, 1.0, 0.25).len(), 4);
        // 0.1 is not a dyadic number: ten of it exceed 1 by rounding, and must not leave an eleventh step.
        let tenth = edges(0.0, 1.0, 0.1);
        assert_eq!(tenth.len(), 10);
        assert_eq!(tenth[9].1.to_bits(), 1f64.to_bits());
        let short = edges(0.0, 1.0, 0.3);
        assert_eq!(short.len(), 4);
        assert!((short[3].0 - 0.9).abs() < 1e-15 && (short[3].1 - 1.0).abs() < 1e-15);
        assert!(edges(1.0, 1.0, 0.1).is_empty());
        assert!(edges(2.0, 1.0, 0.1).is_empty());
    }

    /// Half of float32(1.05) is 0.52499998…: the grid that Arbor 0.12.2 shows for a delay of 1.05 ms, step 0.1 ms.
    #[test]
    fn steps_restart_at_each_epoch() {
        let t_int = f64::from(1.05f32) / 2.0;
        let first = edges(0.0, t_int, 0.1);
        assert_eq!(first.len(), 6);
        assert!((first[5].0 - 0.5).abs() < 1e-15 && (first[5].1 - 0.524_999_98).abs() < 1e-7);
        let second = edges(t_int, 2.0 * t_int, 0.1);
        assert!((second[0].1 - 0.624_999_98).abs() < 1e-7);
    }

    #[test]
    fn regular_times_are_absolute_multiples() {
        let steps = Steps::new(0.0, 3.5, 0.5);
        let schedule = Schedule::Regular {
            start_ms: 0.5,
            step_ms: 1.0,
            stop_ms: 3.0,
        };
        assert_eq!(sampled(&schedule, &steps), [1.0, 2.0]);
    }

    /// The two cases that host-numerics.md §3.9 measured in Arbor.
    #[test]
    fn a_time_on_an_edge_may_fall_one_step_early() {
        let steps = Steps::new(0.0, 1.0, 0.025);
        let at = |t| sampled(&Schedule::Explicit(vec![t]), &steps);
        assert!((at(0.03)[0] - 0.025).abs() < 1e-15);
        assert!((at(0.3)[0] - 0.275).abs() < 1e-15);
        assert!(at(1.0).is_empty());
    }

    #[test]
    fn bad_schedules_are_refused() {
        for schedule in [
            Schedule::every_ms(0.0),
            Schedule::every_ms(f64::NAN),
            Schedule::Regular {
                start_ms: -1.0,
                step_ms: 1.0,
                stop_ms: 2.0,
            },
            Schedule::Regular {
                start_ms: 3.0,
                step_ms: 1.0,
                stop_ms: 2.0,
            },
            Schedule::Explicit(vec![1.0, 0.5]),
            Schedule::Explicit(vec![f64::INFINITY]),
        ] {
            assert!(
                matches!(schedule.check(), Err(SimError::Schedule { .. })),
                "{schedule:?}"
            );
        }
    }
}
