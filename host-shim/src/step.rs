//! Initialisation and one time step of a group, in the order that Arbor runs them (host-numerics.md §3.2, §3.3).
//!
//! The step is split at the point where samples are taken: [`Group::currents`] before, [`Group::advance`] after. Events
//! and junctions enter `currents`, diffusion, noise and post-events `advance`.

use crate::deliver::StepEvents;
use crate::group::{Group, Lists};
use crate::load::{Hook, run, run_events};
use crate::sim_error::SimError;

impl Group {
    /// Back to t = 0. Parameters keep the values last set; everything else is as after construction, so that a run after
    /// a reset repeats the first one bit by bit. In Arbor the random numbers would go on where they are.
    ///
    /// INITIAL runs twice: the second time it sees concentrations to which the first has contributed.
    pub(crate) fn reset(&mut self) {
        self.shared.voltage_mv.copy_from_slice(&self.v_init_mv);
        self.spikes.clear();
        self.shared.time_since_spike_ms.fill(-1.0);
        for ion in &mut self.shared.ions {
            ion.reset();
        }
        for mechanism in &mut self.mechanisms {
            mechanism.reset_states();
            mechanism.reset_noise();
        }
        self.stimuli.iter_mut().for_each(crate::stimulus::Stimulus::reset);
        self.shared.zero_currents();
        self.run_all(Hook::Init, |lists| &lists.voltage, 0.0);
        self.run_all(Hook::Init, |lists| &lists.reversal, 0.0);
        self.run_all(Hook::Init, |lists| &lists.main, 0.0);
        self.update_ions(0.0);
        self.shared.zero_currents();
        self.run_all(Hook::Init, |lists| &lists.reversal, 0.0);
        self.run_all(Hook::Init, |lists| &lists.main, 0.0);
        self.run_all(Hook::Init, |lists| &lists.voltage, 0.0);
        for watcher in &mut self.watchers {
            watcher.reset(&self.shared.voltage_mv);
        }
    }

    /// Reversal potentials, then currents and conductances at the start of the step, from the state there.
    ///
    /// A mechanism receives its events right before it computes its currents: one that comes before it in the order of
    /// names has computed its own without them.
    pub(crate) fn currents(&mut self, t_ms: f64, dt_ms: f64, events: &StepEvents) {
        self.run_all(Hook::ComputeCurrents, |lists| &lists.reversal, dt_ms);
        self.shared.zero_currents();
        for &k in &self.lists.main {
            let mechanism = &mut self.mechanisms[k];
            if events.any(k) {
                events.sorted_into(k, &mut self.arrived);
                run_events(&self.arrived, mechanism, &mut self.shared, dt_ms);
            }
            run(Hook::ComputeCurrents, mechanism, &mut self.shared, dt_ms);
        }
        for stimulus in &mut self.stimuli {
            stimulus.add(t_ms, &mut self.shared.current);
        }
    }

    /// From the currents to the state at the end of the step; appends to the group's spikes.
    ///
    /// # Errors
    /// [`SimError::NonFinite`] if a voltage is infinite or NaN. The states are then of no more use.
    pub(crate) fn advance(&mut self, t0_ms: f64, t1_ms: f64) -> Result<(), SimError> {
        let dt_ms = t1_ms - t0_ms;
        let shared = &mut self.shared;
        self.solver
            .solve(&mut shared.voltage_mv, &shared.current, &shared.conductance, dt_ms);
        for solver in &mut self.diffusion {
            solver.solve(&mut shared.ions[solver.ion].diffusive_mm, dt_ms);
        }
        if let Some(error) = self.first_non_finite(t1_ms) {
            return Err(error);
        }
        self.advance_states(|lists| &lists.main, dt_ms);
        self.update_ions(dt_ms);
        if !self.lists.voltage.is_empty() {
            self.run_all(Hook::ComputeCurrents, |lists| &lists.voltage, dt_ms);
            self.advance_states(|lists| &lists.voltage, dt_ms);
            if let Some(error) = self.first_non_finite(t1_ms) {
                return Err(error);
            }
        }
        for watcher in &mut self.watchers {
            let spike = watcher.test(&self.shared.voltage_mv, t0_ms, t1_ms);
            if let Some(since) = self.shared.time_since_spike_ms.get_mut(watcher.slot) {
                *since = spike.map_or(-1.0, |s| t1_ms - s.time_ms);
            }
            self.spikes.extend(spike);
        }
        if self.lists.post_events {
            self.run_all(Hook::PostEvent, |lists| &lists.main, dt_ms);
        }
        Ok(())
    }

    fn run_all(&mut self, hook: Hook, list: fn(&Lists) -> &Vec<usize>, dt_ms: f64) {
        for &k in list(&self.lists) {
            run(hook, &mut self.mechanisms[k], &mut self.shared, dt_ms);
        }
    }

    fn advance_states(&mut self, list: fn(&Lists) -> &Vec<usize>, dt_ms: f64) {
        for &k in list(&self.lists) {
            self.mechanisms[k].refresh_noise();
            run(Hook::AdvanceState, &mut self.mechanisms[k], &mut self.shared, dt_ms);
        }
    }

    /// Written concentrations: the part that no writer covers, plus what the writers contribute.
    fn update_ions(&mut self, dt_ms: f64) {
        self.shared.init_concentrations();
        self.run_all(Hook::WriteIons, |lists| &lists.writers, dt_ms);
    }

    fn first_non_finite(&self, t_ms: f64) -> Option<SimError> {
        let voltage = &self.shared.voltage_mv;
        if all_finite(voltage) {
            return None;
        }
        let cv = voltage.iter().position(|v| !v.is_finite())?;
        let cell = self.cells.iter().find(|cell| cell.cvs.contains(&cv))?;
        Some(SimError::NonFinite {
            t_ms,
            cell: cell.index,
            cv: cv - cell.cvs.start,
            v_mv: voltage[cv],
        })
    }
}

/// Without branches, so that it is done by the vector.
#[inline]
fn all_finite(values: &[f64]) -> bool {
    const LANES: usize = 8;
    if let [only] = values {
        return only.is_finite();
    }
    // 0 · x is 0 for a finite x, NaN for others; one sum per lane, because a single one would be a chain.
    let mut sums = [0.0; LANES];
    let mut blocks = values.chunks_exact(LANES);
    for block in &mut blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += 0.0 * x;
        }
    }
    let rest: f64 = blocks.remainder().iter().map(|x| 0.0 * x).sum();
    (sums.iter().sum::<f64>() + rest).is_finite()
}

#[cfg(test)]
mod tests {
    use super::all_finite;

    #[test]
    fn what_is_not_finite_is_seen_wherever_it_is() {
        for n in [1, 7, 8, 29] {
            let mut values = vec![-f64::MAX; n];
            assert!(all_finite(&values));
            for at in 0..n {
                for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    values[at] = bad;
                    assert!(!all_finite(&values), "{bad} at {at} of {n}");
                }
                values[at] = 1.0;
            }
        }
        assert!(all_finite(&[]));
    }
}
