//! Cells that control themselves in a simulator that only advances states: Arbor is told nothing but parameters.

use std::path::Path;

use host_shim::Spike;

use super::{ControlledRun, HostError, RemoteHost};
use crate::control::Traces;
use crate::plan::export::Request;
use crate::plan::{Plan, Variant};

impl RemoteHost {
    /// Runs from rest at the plan's slot values, under the law that its mechanisms hold. Rows of slots are as often as
    /// samples, and at their times. `catalogue` is the plan's.
    ///
    /// # Errors
    /// [`HostError`]; [`HostError::Refused`] for a controller or perturbations: see [`RemoteHost::run_controlled_watched`].
    pub fn run_controlled(&mut self, plan: &Plan, catalogue: &Path) -> Result<ControlledRun, HostError> {
        let within = plan.control.as_ref().is_some_and(|c| c.within.is_some());
        if !within || !plan.perturbations.is_empty() {
            return Err(HostError::Refused {
                host: "Arbor",
                kind: "unsupported".into(),
                message: "control by the mechanism (`\"within\": \"mechanism\"`) takes no perturbations there".into(),
            });
        }
        let absolute = std::path::absolute(catalogue).unwrap_or_else(|_| catalogue.to_path_buf());
        let request = Request::new(plan, &absolute, &plan.values(), Variant::Augmented)?.under_law(plan);
        let run = self.run(&request)?;
        let all = request.traces(&run)?;
        let (n_probes, n_slots) = (plan.probes.len(), plan.slots.len());
        let controlled: Vec<usize> = plan
            .control
            .iter()
            .flat_map(|c| &c.slots)
            .map(|(slot, _)| *slot)
            .collect();
        let n = controlled.len();
        let mut out = ControlledRun {
            traces: Traces {
                n_probes,
                n_slots,
                times_ms: all.times_ms.clone(),
                ..Traces::default()
            },
            times_ms: all.times_ms,
            ..ControlledRun::default()
        };
        let start = plan.values();
        for (row, t_ms) in all.values.chunks(n_probes + 2 * n).zip(&out.times_ms) {
            if let Some(at) = row.iter().position(|v| !v.is_finite()) {
                return Err(HostError::NonFinite {
                    probe: request.probes[at].name.clone(),
                    t_ms: *t_ms,
                });
            }
            out.traces.values.extend_from_slice(&row[..n_probes]);
            let first = out.slots.len();
            out.slots.extend_from_slice(&start);
            for (slot, value) in controlled.iter().zip(&row[n_probes..]) {
                out.slots[first + slot] = *value;
            }
            out.sensitivities.extend_from_slice(&row[n_probes + n..]);
        }
        let spike = |&(time_ms, cell, detector): &(f64, usize, usize)| Spike {
            time_ms,
            cell,
            detector,
        };
        out.spikes = run.spikes.iter().map(spike).collect();
        Ok(out)
    }
}
