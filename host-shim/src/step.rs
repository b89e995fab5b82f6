//! Initialisation and one time step of a group, in the order that Arbor runs them (host-numerics.md §3.2, §3.3).
//!
//! The step is split at the point where samples are taken: [`Group::currents`] before, [`Group::advance`] after. Events
//! and junctions enter `currents`, diffusion, noise and post-events `advance`.

use crate::deliver::StepEvents;
use crate::detector::Spike;
use crate::group::Group;
use crate::load::{Hook, run, run_events};
use crate::sim_error::SimError;

impl Group {
    /// Back to t = 0. Parameters keep the values last set; everything else is as after construction, so that a run after
    /// a reset repeats the first one bit by bit.
    ///
    /// INITIAL runs twice: the second time it sees concentrations to which the first has contributed.
    pub(crate) fn reset(&mut self) {
        self.shared.voltage_mv.copy_from_slice(&self.v_init_mv);
        for ion in &mut self.shared.ions {
            ion.reset();
        }
        for mechanism in &mut self.mechanisms {
            mechanism.reset_states();
        }
        self.stimuli.iter_mut().for_each(crate::stimulus::Stimulus::reset);
        self.shared.zero_currents();
        self.run_all(Hook::Init, 0.0);
        self.update_ions(0.0);
        self.shared.zero_currents();
        self.run_all(Hook::Init, 0.0);
        for watcher in &mut self.watchers {
            watcher.reset(&self.shared.voltage_mv);
        }
    }

    /// Currents and conductances at the start of the step, from the state there.
    ///
    /// A mechanism receives its events right before it computes its currents: one that comes before it in the order of
    /// names has computed its own without them.
    pub(crate) fn currents(&mut self, t_ms: f64, dt_ms: f64, events: &StepEvents) {
        self.shared.zero_currents();
        for (k, mechanism) in self.mechanisms.iter_mut().enumerate() {
            events.sorted_into(k, &mut self.arrived);
            if !self.arrived.is_empty() {
                run_events(&self.arrived, mechanism, &mut self.shared, dt_ms);
            }
            run(Hook::ComputeCurrents, mechanism, &mut self.shared, dt_ms);
        }
        for stimulus in &mut self.stimuli {
            stimulus.add(t_ms, &mut self.shared.current);
        }
    }

    /// From the currents to the state at the end of the step; appends spikes.
    ///
    /// # Errors
    /// [`SimError::NonFinite`] if a voltage is infinite or NaN. The states are then of no more use.
    pub(crate) fn advance(&mut self, t0_ms: f64, t1_ms: f64, spikes: &mut Vec<Spike>) -> Result<(), SimError> {
        let dt_ms = t1_ms - t0_ms;
        let shared = &mut self.shared;
        self.solver.solve(
            &mut shared.voltage_mv,
            &shared.current,
            &shared.conductance,
            &shared.area_um2,
            dt_ms,
        );
        if let Some(error) = self.first_non_finite(t1_ms) {
            return Err(error);
        }
        self.run_all(Hook::AdvanceState, dt_ms);
        self.update_ions(dt_ms);
        for watcher in &mut self.watchers {
            spikes.extend(watcher.test(&self.shared.voltage_mv, t0_ms, t1_ms));
        }
        Ok(())
    }

    fn run_all(&mut self, hook: Hook, dt_ms: f64) {
        for mechanism in &mut self.mechanisms {
            run(hook, mechanism, &mut self.shared, dt_ms);
        }
    }

    /// Written concentrations: the part that no writer covers, plus what the writers contribute.
    fn update_ions(&mut self, dt_ms: f64) {
        for ion in &mut self.shared.ions {
            ion.init_concentrations();
        }
        self.run_all(Hook::WriteIons, dt_ms);
    }

    fn first_non_finite(&self, t_ms: f64) -> Option<SimError> {
        let voltage = &self.shared.voltage_mv;
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
