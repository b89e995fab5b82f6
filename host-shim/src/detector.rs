//! Threshold detectors: when the voltage of a CV rises through a threshold (host-numerics.md §3.8).

use crate::morphology::Location;
use crate::stimulus::lerp;

/// A threshold detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    /// Where; the voltage is that of the CV there, not interpolated.
    pub at: Location,
    /// Threshold, mV.
    pub threshold_mv: f64,
}

/// A threshold crossing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spike {
    /// Time, linearly interpolated within the step, ms.
    pub time_ms: f64,
    /// Cell, in the order in which the simulation was given them.
    pub cell: usize,
    /// Detector, in the order of [`crate::CellDescription::detectors`].
    pub detector: usize,
}

/// State of one detector.
#[derive(Debug, Clone)]
pub(crate) struct Watcher {
    pub(crate) cv: usize,
    pub(crate) cell: usize,
    pub(crate) detector: usize,
    /// Where the time since its last spike is kept for POST_EVENT blocks.
    pub(crate) slot: usize,
    threshold_mv: f64,
    crossed: bool,
    // Arbor keeps the previous voltage per CV and updates it detector by detector, so that a second detector on the
    // same CV interpolates with a zero denominator. One value per detector is what is meant.
    previous_mv: f64,
}

impl Watcher {
    pub(crate) fn new(cv: usize, cell: usize, detector: usize, threshold_mv: f64, slot: usize) -> Self {
        Self {
            cv,
            cell,
            detector,
            slot,
            threshold_mv,
            crossed: false,
            previous_mv: 0.0,
        }
    }

    /// A voltage already above threshold is no crossing.
    pub(crate) fn reset(&mut self, voltage_mv: &[f64]) {
        self.previous_mv = voltage_mv[self.cv];
        self.crossed = self.previous_mv >= self.threshold_mv;
    }

    /// The spike in the step that led to `voltage_mv`, if there is one.
    pub(crate) fn test(&mut self, voltage_mv: &[f64], t0_ms: f64, t1_ms: f64) -> Option<Spike> {
        let v = voltage_mv[self.cv];
        let before = std::mem::replace(&mut self.previous_mv, v);
        let above = v >= self.threshold_mv;
        let was_above = std::mem::replace(&mut self.crossed, above);
        (above && !was_above).then(|| Spike {
            time_ms: lerp(t0_ms, t1_ms, (self.threshold_mv - before) / (v - before)),
            cell: self.cell,
            detector: self.detector,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_each_rise_once_with_the_interpolated_time() {
        let trace = [-65.0, -20.0, 20.0, 30.0, -10.0, 10.0];
        let mut watcher = Watcher::new(0, 3, 1, 0.0, 0);
        watcher.reset(&[trace[0]]);
        let spikes: Vec<Spike> = (1..trace.len())
            .filter_map(|k| watcher.test(&[trace[k]], (k - 1) as f64 * 0.1, k as f64 * 0.1))
            .collect();
        let times: Vec<f64> = spikes.iter().map(|s| s.time_ms).collect();
        assert_eq!(spikes.len(), 2);
        assert!(
            (times[0] - 0.15).abs() < 1e-14 && (times[1] - 0.45).abs() < 1e-14,
            "{times:?}"
        );
        assert!(spikes.iter().all(|s| s.cell == 3 && s.detector == 1));
    }

    #[test]
    fn starting_above_threshold_is_no_spike() {
        let mut watcher = Watcher::new(0, 0, 0, 0.0, 0);
        watcher.reset(&[10.0]);
        assert_eq!(watcher.test(&[20.0], 0.0, 0.1), None);
        assert_eq!(watcher.test(&[-5.0], 0.1, 0.2), None);
        assert!(watcher.test(&[5.0], 0.2, 0.3).is_some());
    }
}
