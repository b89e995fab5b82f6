//! What the steps of a run cost: time, steps, memory. Building, INITIAL and the reading of files are not counted.

use std::path::Path;
use std::time::Instant;

use compiler::ir::mechanism::{Mechanism, Storage};
use host_shim::{AbiChoice, SampleView};

use super::{HostError, ShimHost};
use crate::plan::{Plan, Variant};

/// One timed run.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// Wall time of the steps, s.
    pub seconds: f64,
    /// Steps taken.
    pub steps: usize,
    /// Mean square of the probes' values over all samples, each in its own unit squared: a loss whose target is 0.
    pub loss: f64,
    /// Its derivative by each slot; empty without sensitivities.
    pub gradient: Vec<f64>,
}

impl ShimHost {
    /// As [`ShimHost::new`], but on a catalogue made elsewhere, whose plain mechanisms bear the plan's names. Such a host
    /// has no sensitivities, whatever slots the plan has.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn on_catalogue(plan: &Plan, catalogue: &Path, abi: AbiChoice) -> Result<Self, HostError> {
        let loaded = crate::catalogue::load_catalogue(catalogue, abi)?;
        Self::assemble(plan, &loaded, catalogue, false)
    }

    /// Whether the host can run with sensitivities.
    pub fn has_sensitivities(&self) -> bool {
        self.tangent.is_some()
    }

    /// Runs from rest with slot values `x` and times the steps, with the experiment's samples. With sensitivities the loss's
    /// gradient is summed up on the way, and that counts. Unlike [`ShimHost::record`], a plain run is plain even where
    /// mechanisms draw random numbers.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn time(&mut self, x: &[f64], t_end_ms: f64, variant: Variant) -> Result<Timing, HostError> {
        let augmented = variant == Variant::Augmented && self.has_sensitivities();
        let variant = if augmented { variant } else { Variant::Plain };
        let settable = self.has_sensitivities();
        let (setup, simulation, _) = self.parts(variant);
        let n_slots = if augmented { setup.n_slots } else { 0 };
        let mut probes = if augmented {
            setup.value_probes.1.clone()
        } else {
            setup.value_probes.0.clone()
        };
        let n_probes = probes.len();
        // of each sensitivity: which probe's, to which slot
        let mut of = Vec::new();
        if augmented {
            probes.extend(setup.sensitivity_probes.iter().map(|(_, p)| p.clone()));
            of.extend(setup.sensitivity_probes.iter().map(|(k, _)| (k / n_slots, k % n_slots)));
        }
        if settable {
            setup.set(simulation, variant, x, &probes)?;
        } else {
            simulation.reset();
        }
        let mut timing = Timing {
            seconds: 0.0,
            steps: 0,
            loss: 0.0,
            gradient: vec![0.0; n_slots],
        };
        let (mut samples, loss, gradient) = (0_usize, &mut timing.loss, &mut timing.gradient);
        let mut sink = |view: &SampleView<'_>| {
            let (values, sensitivities) = view.values.split_at(n_probes);
            *loss += values.iter().map(|v| v * v).sum::<f64>();
            for (&(probe, slot), u) in of.iter().zip(sensitivities) {
                gradient[slot] += 2.0 * values[probe] * u;
            }
            samples += 1;
        };
        let start = Instant::now();
        let summary = simulation.run(t_end_ms, setup.dt_ms, &setup.schedule, &probes, &mut sink)?;
        timing.seconds = start.elapsed().as_secs_f64();
        timing.steps = summary.steps;
        let scale = 1.0 / (samples * n_probes).max(1) as f64;
        timing.loss *= scale;
        timing.gradient.iter_mut().for_each(|g| *g *= scale);
        Ok(timing)
    }

    /// STATE variables of all instances of all mechanisms.
    pub fn n_states(&self, plan: &Plan) -> usize {
        let of = |cell: usize, mechanism: &Mechanism| {
            let states = mechanism.states.iter().filter(|s| s.storage == Storage::State).count();
            // a mechanism that is not on the cell has no instances there
            let instances = self.plain.instances(cell, &mechanism.name).map_or(0, |cvs| cvs.len());
            states * instances
        };
        let mechanisms = &plan.compiled.mechanisms;
        (0..plan.cells.len())
            .flat_map(|cell| mechanisms.iter().map(move |m| of(cell, m)))
            .sum()
    }

    /// Bytes of all arrays of the simulation with or without sensitivities; see [`host_shim::Simulation::state_bytes`].
    pub fn state_bytes(&self, variant: Variant) -> usize {
        let tangent = self.tangent.as_ref().filter(|_| variant == Variant::Augmented);
        tangent.unwrap_or(&self.plain).state_bytes()
    }
}
