//! When generators send: regular, listed, or Poisson, epoch by epoch.

use crate::epoch::Schedule;
use crate::network::EventTimes;
use crate::threefry2::{threefry2x64, u01};

/// Events per millisecond beyond which a generator is taken for a mistake: one epoch must fit in memory.
const MAX_RATE_PER_MS: f64 = 1e6;
const TOO_MANY: &str = "more than 10⁶ events per ms";

/// The times of one generator, asked for in ascending intervals.
#[derive(Debug, Clone)]
pub(crate) enum Times {
    Schedule(Schedule),
    Poisson(Poisson),
}

impl Times {
    pub(crate) fn new(times: &EventTimes) -> Self {
        match *times {
            EventTimes::Schedule(ref schedule) => Self::Schedule(schedule.clone()),
            EventTimes::Poisson {
                start_ms,
                rate_per_ms,
                seed,
                stop_ms,
            } => Self::Poisson(Poisson::new(start_ms, rate_per_ms, seed, stop_ms)),
        }
    }

    /// Calls `send` with the times in `[t0_ms, t1_ms)`, ascending.
    pub(crate) fn within(&mut self, t0_ms: f64, t1_ms: f64, send: impl FnMut(f64)) {
        match self {
            Self::Schedule(schedule) => schedule.within(t0_ms, t1_ms, send),
            Self::Poisson(poisson) => poisson.within(t0_ms, t1_ms, send),
        }
    }

    /// Back to the first time.
    pub(crate) fn reset(&mut self) {
        if let Self::Poisson(p) = self {
            *p = Poisson::new(p.start_ms, p.rate_per_ms, p.seed, p.stop_ms);
        }
    }
}

/// What is wrong with a generator's times, if anything.
pub(crate) fn defect(times: &EventTimes) -> Option<&'static str> {
    match times {
        EventTimes::Schedule(Schedule::EveryStep) => Some("times must not depend on the time step"),
        EventTimes::Schedule(schedule) => schedule.defect().or(match schedule {
            Schedule::Regular { step_ms, .. } if *step_ms < 1.0 / MAX_RATE_PER_MS => Some(TOO_MANY),
            _ => None,
        }),
        EventTimes::Poisson {
            start_ms,
            rate_per_ms,
            stop_ms,
            ..
        } => {
            if !(start_ms.is_finite() && *start_ms >= 0.0) {
                Some("the start must be finite and not negative")
            } else if stop_ms.is_nan() || stop_ms < start_ms {
                Some("the stop must not precede the start")
            } else if !(rate_per_ms.is_finite() && *rate_per_ms >= 0.0) {
                Some("the rate must be finite and not negative")
            } else if *rate_per_ms > MAX_RATE_PER_MS {
                Some(TOO_MANY)
            } else {
                None
            }
        }
    }
}

/// Exponential intervals from the start: the j-th is −ln(1 − u_j) / rate, u from Threefry2x64-20 with key (seed, 0) and
/// counters (0, 0), (1, 0), …, two numbers each (host-numerics.md §3.9).
#[derive(Debug, Clone)]
pub(crate) struct Poisson {
    start_ms: f64,
    rate_per_ms: f64,
    seed: u64,
    stop_ms: f64,
    next_ms: f64,
    counter: u64,
    /// Second number of the last pair.
    spare: Option<f64>,
}

impl Poisson {
    fn new(start_ms: f64, rate_per_ms: f64, seed: u64, stop_ms: f64) -> Self {
        let mut poisson = Self {
            start_ms,
            rate_per_ms,
            seed,
            stop_ms,
            next_ms: start_ms,
            counter: 0,
            spare: None,
        };
        if rate_per_ms > 0.0 {
            poisson.step();
        } else {
            poisson.next_ms = f64::INFINITY;
        }
        poisson
    }

    fn step(&mut self) {
        let u = self.spare.take().unwrap_or_else(|| {
            let [first, second] = threefry2x64([self.counter, 0], [self.seed, 0]);
            self.counter += 1;
            self.spare = Some(u01(second));
            u01(first)
        });
        // Not ln_1p: Arbor takes the logarithm of the rounded difference. u = 1 gives an infinite interval: no more
        // events, there as here.
        self.next_ms += -(1.0 - u).ln() / self.rate_per_ms;
    }

    fn within(&mut self, t0_ms: f64, t1_ms: f64, mut send: impl FnMut(f64)) {
        if t0_ms >= self.stop_ms {
            return;
        }
        while self.next_ms < t0_ms {
            self.step();
        }
        while self.next_ms < t1_ms.min(self.stop_ms) {
            send(self.next_ms);
            self.step();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(times: &mut Times, edges: &[f64]) -> Vec<f64> {
        let mut found = Vec::new();
        for epoch in edges.windows(2) {
            times.within(epoch[0], epoch[1], |t| found.push(t));
        }
        found
    }

    fn poisson(start_ms: f64, rate_per_ms: f64, seed: u64, stop_ms: f64) -> EventTimes {
        EventTimes::Poisson {
            start_ms,
            rate_per_ms,
            seed,
            stop_ms,
        }
    }

    /// What `arbor.poisson_schedule(…).events(0 ms, 12 ms)` of Arbor 0.12.2 returned.
    #[test]
    fn poisson_times_are_arbors() {
        let first = [
            0.49825471872661975,
            0.9493598715251431,
            1.144732830747167,
            3.109998265659253,
            4.127174869133351,
            6.906509394520022,
            9.82072327433892,
            10.33022601427208,
            11.723912428096678,
        ];
        let second = [
            4.27661040426108,
            5.1821250403345855,
            5.215652503333208,
            7.5513224465350754,
            8.416066908051697,
            8.917818607125623,
        ];
        for (schedule, expected) in [
            (poisson(0.0, 0.5, 42, f64::INFINITY), first.as_slice()),
            (poisson(3.25, 0.8, (1 << 63) + 7, 9.0), &second),
        ] {
            let mut schedule = Times::new(&schedule);
            assert_eq!(times(&mut schedule, &[0.0, 12.0]), expected);
            // However the time is cut, and again after a reset.
            schedule.reset();
            assert_eq!(times(&mut schedule, &[0.0, 0.525, 1.05, 4.3, 4.3, 12.0]), expected);
        }
    }

    #[test]
    fn schedules_are_asked_epoch_by_epoch() {
        let regular = EventTimes::Schedule(Schedule::Regular {
            start_ms: 0.5,
            step_ms: 0.75,
            stop_ms: 3.0,
        });
        assert_eq!(
            times(&mut Times::new(&regular), &[0.0, 0.75, 2.0, 9.0]),
            [0.75, 1.5, 2.25]
        );
        let listed = EventTimes::Schedule(Schedule::Explicit(vec![0.0, 1.0, 1.0, 2.5, 4.0]));
        assert_eq!(times(&mut Times::new(&listed), &[0.0, 1.0, 4.0]), [0.0, 1.0, 1.0, 2.5]);
        assert!(times(&mut Times::new(&poisson(0.0, 0.0, 1, 9.0)), &[0.0, 9.0]).is_empty());
    }

    #[test]
    fn bad_times_are_refused() {
        for bad in [
            EventTimes::Schedule(Schedule::EveryStep),
            EventTimes::Schedule(Schedule::every_ms(0.0)),
            EventTimes::Schedule(Schedule::every_ms(f64::NAN)),
            EventTimes::Schedule(Schedule::every_ms(1e-9)),
            EventTimes::Schedule(Schedule::Explicit(vec![2.0, 1.0])),
            poisson(-1.0, 1.0, 0, 2.0),
            poisson(f64::NAN, 1.0, 0, 2.0),
            poisson(3.0, 1.0, 0, 2.0),
            poisson(0.0, -1.0, 0, 2.0),
            poisson(0.0, f64::INFINITY, 0, 2.0),
            poisson(0.0, 1e300, 0, 2.0),
        ] {
            assert!(defect(&bad).is_some(), "{bad:?}");
        }
        assert_eq!(defect(&poisson(0.0, 0.5, 0, f64::INFINITY)), None);
        assert_eq!(defect(&EventTimes::Schedule(Schedule::every_ms(0.1))), None);
    }
}
