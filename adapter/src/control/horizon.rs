//! How much of the trace the loss looks at, iteration by iteration.
//!
//! A model that oscillates a little too fast drifts out of phase; over a long trace the loss then has a minimum for
//! each cycle slipped. Over a short trace it has one. The horizon starts short, and each iteration lengthens it while
//! the phase error is already small. Measured on a 12-parameter olive cell: barrier between start and target at 1000
//! ms, none at 200 ms.
//!
//! Losses at two horizons are two different functions. So: an acceptance test compares two points at the *same*
//! horizon; the horizon grows between iterations only; the best point is the best one at the *longest* horizon seen;
//! and target and stall are tested at the full horizon only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Simulated span of each iteration, ms: `min(start + step · n, end)` after `n` growths.
///
/// It grows after each accepted iteration, and when Levenberg–Marquardt finds no further descent at a horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Horizon {
    /// First horizon, ms.
    pub start_ms: f64,
    /// Growth per accepted iteration, ms.
    pub step_ms: f64,
    /// Last horizon, ms. Samples at or after it never count.
    pub end_ms: f64,
}

impl Horizon {
    /// The same span for every iteration.
    pub fn fixed(end_ms: f64) -> Self {
        Self {
            start_ms: end_ms,
            step_ms: 0.0,
            end_ms,
        }
    }

    /// Span after `growths` growths, ms.
    pub fn at(&self, growths: u32) -> f64 {
        (self.start_ms + self.step_ms * f64::from(growths)).min(self.end_ms)
    }

    /// Whether the span after `growths` growths is the last one.
    pub fn is_full(&self, growths: u32) -> bool {
        self.at(growths) >= self.end_ms
    }

    /// Whether `0 < start ≤ end`, all finite, and the end can be reached.
    pub fn is_valid(&self) -> bool {
        let reaches = self.step_ms > 0.0 || self.start_ms >= self.end_ms;
        self.start_ms > 0.0
            && self.start_ms <= self.end_ms
            && self.end_ms.is_finite()
            && self.step_ms.is_finite()
            && reaches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_end_and_stays() {
        let h = Horizon {
            start_ms: 100.0,
            step_ms: 50.0,
            end_ms: 220.0,
        };
        let spans: Vec<f64> = (0..5).map(|n| h.at(n)).collect();
        assert_eq!(spans, [100.0, 150.0, 200.0, 220.0, 220.0]);
        assert!(!h.is_full(2) && h.is_full(3) && h.is_valid());
        assert!(Horizon::fixed(10.0).is_valid() && Horizon::fixed(10.0).is_full(0));
    }

    #[test]
    fn refuses_a_horizon_that_never_arrives() {
        for (start_ms, step_ms, end_ms) in [
            (10.0, 0.0, 20.0),
            (10.0, -1.0, 20.0),
            (0.0, 1.0, 2.0),
            (3.0, 1.0, 2.0),
            (1.0, f64::NAN, 2.0),
            (1.0, 1.0, f64::INFINITY),
        ] {
            assert!(
                !Horizon {
                    start_ms,
                    step_ms,
                    end_ms
                }
                .is_valid(),
                "{start_ms} {step_ms} {end_ms}"
            );
        }
    }
}
