//! Current clamps: piecewise linear envelopes, optionally modulated by a sine, evaluated at the start of each step
//! (host-numerics.md §3.7).

use crate::morphology::Location;

/// A current clamp.
#[derive(Debug, Clone, PartialEq)]
pub struct IClamp {
    /// Where the current enters; it charges the CV there.
    pub at: Location,
    /// (time in ms, amplitude in nA), times ascending. Zero before the first point, linear between points, the last
    /// amplitude persists; at coincident times the later point wins. Empty: no current.
    pub envelope: Vec<(f64, f64)>,
    /// Frequency in kHz; 0 for no modulation.
    pub frequency_khz: f64,
    /// Phase at t = 0, rad.
    pub phase_rad: f64,
}

impl IClamp {
    /// `amplitude_na` from `start_ms` for `duration_ms`: on for step starts in [start, start + duration).
    pub fn pulse(at: Location, start_ms: f64, duration_ms: f64, amplitude_na: f64) -> Self {
        let end_ms = start_ms + duration_ms;
        let envelope = vec![(start_ms, amplitude_na), (end_ms, amplitude_na), (end_ms, 0.0)];
        Self {
            at,
            envelope,
            frequency_khz: 0.0,
            phase_rad: 0.0,
        }
    }
}

/// One clamp of a group, scaled to its CV.
#[derive(Debug, Clone)]
pub(crate) struct Stimulus {
    cv: usize,
    /// (ms, A/m²).
    envelope: Vec<(f64, f64)>,
    frequency_khz: f64,
    phase_rad: f64,
    /// The envelope point at or before the last time asked for: time only moves forward between resets.
    cursor: usize,
    /// The cell of the simulation, and the clamp's number there.
    origin: (usize, usize),
    /// What the current is multiplied by.
    pub(crate) factor: f64,
}

impl Stimulus {
    /// `clamp` on a CV of that area (positive); `origin` is its cell and its number there.
    pub(crate) fn new(clamp: &IClamp, cv: usize, area_um2: f64, origin: (usize, usize)) -> Self {
        let scale = 1000.0 / area_um2;
        Self {
            cv,
            envelope: clamp
                .envelope
                .iter()
                .map(|&(t, nanoamp)| (t, nanoamp * scale))
                .collect(),
            frequency_khz: clamp.frequency_khz,
            phase_rad: clamp.phase_rad,
            cursor: 0,
            origin,
            factor: 1.0,
        }
    }

    pub(crate) fn origin(&self) -> (usize, usize) {
        self.origin
    }

    pub(crate) fn cv(&self) -> usize {
        self.cv
    }

    pub(crate) fn reset(&mut self) {
        self.cursor = 0;
    }

    /// Current density at `t_ms`, A/m², inward positive.
    fn density(&mut self, t_ms: f64) -> f64 {
        let points = &self.envelope;
        if points.first().is_none_or(|&(first, _)| t_ms < first) {
            return 0.0;
        }
        while points.get(self.cursor + 1).is_some_and(|&(next, _)| next <= t_ms) {
            self.cursor += 1;
        }
        let (t0, j0) = points[self.cursor];
        let mut j = j0;
        if let Some(&(t1, j1)) = points.get(self.cursor + 1) {
            let u = (t_ms - t0) / (t1 - t0);
            j = lerp(j0, j1, u);
        }
        if self.frequency_khz != 0.0 {
            j *= (std::f64::consts::TAU * self.frequency_khz * t_ms + self.phase_rad).sin();
        }
        j
    }

    /// Step 5 of the loop.
    pub(crate) fn add(&mut self, t_ms: f64, current: &mut [f64]) {
        current[self.cv] -= self.density(t_ms) * self.factor;
    }
}

/// (1 − u)·a + u·b, exact at both ends, with Arbor's rounding.
pub(crate) fn lerp(a: f64, b: f64, u: f64) -> f64 {
    u.mul_add(b, (-u).mul_add(a, a))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "amplitudes at envelope points are exact")]
mod tests {
    use super::*;

    fn at(clamp: &IClamp, times: &[f64]) -> Vec<f64> {
        // On 1000 µm², nA and A/m² are the same number.
        let mut stimulus = Stimulus::new(clamp, 0, 1000.0, (0, 0));
        times.iter().map(|&t| stimulus.density(t)).collect()
    }

    fn clamp(envelope: Vec<(f64, f64)>) -> IClamp {
        IClamp {
            at: Location { branch: 0, pos: 0.5 },
            envelope,
            frequency_khz: 0.0,
            phase_rad: 0.0,
        }
    }

    #[test]
    fn a_pulse_is_on_from_its_start_to_just_before_its_end() {
        let pulse = IClamp::pulse(Location { branch: 0, pos: 0.5 }, 1.0, 2.0, 0.5);
        assert_eq!(
            at(&pulse, &[0.0, 0.999, 1.0, 2.5, 2.999, 3.0, 4.0]),
            [0.0, 0.0, 0.5, 0.5, 0.5, 0.0, 0.0]
        );
    }

    #[test]
    fn ramps_interpolate_and_the_last_amplitude_persists() {
        let ramp = clamp(vec![(1.0, 0.0), (3.0, 4.0)]);
        assert_eq!(
            at(&ramp, &[0.5, 1.0, 1.5, 2.0, 3.0, 99.0]),
            [0.0, 0.0, 1.0, 2.0, 4.0, 4.0]
        );
        assert_eq!(at(&clamp(vec![]), &[0.0, 1.0]), [0.0, 0.0]);
    }

    #[test]
    fn a_frequency_modulates() {
        let mut sine = clamp(vec![(0.0, 2.0)]);
        sine.frequency_khz = 0.25;
        let values = at(&sine, &[0.0, 1.0, 2.0, 3.0]);
        for (v, e) in values.iter().zip([0.0, 2.0, 0.0, -2.0]) {
            assert!((v - e).abs() < 1e-15, "{values:?}");
        }
    }

    #[test]
    fn several_add_up() {
        let mut current = [0.0];
        for amplitude in [1.0, 0.25] {
            Stimulus::new(&clamp(vec![(0.0, amplitude)]), 0, 1000.0, (0, 0)).add(5.0, &mut current);
        }
        assert_eq!(current, [-1.25]);
    }
}
