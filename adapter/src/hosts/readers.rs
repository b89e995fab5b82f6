//! Control volumes in which somebody reads ∂V/∂slot from its ion: where the sensitivities are in rows the carrier puts it
//! nowhere else.

use compiler::emit::Names;
use host_shim::{Probe, ProbeKind, SimError, Simulation};

use crate::plan::Plan;

/// Control volumes of cells, whoever is probed.
#[derive(Debug)]
pub(super) struct Readers {
    /// By cell; none for a cell without a carrier.
    standing: Vec<Option<Standing>>,
}

#[derive(Debug)]
enum Standing {
    All,
    /// Those of its point processes.
    Cvs(Vec<usize>),
}

impl Readers {
    pub(super) fn of(plan: &Plan) -> Self {
        let standing = plan.cells.iter().map(|cell| {
            let points = cell.synapses.iter().chain(&cell.junctions);
            let cvs = points.map(|p| cell.discretisation.cv_nonempty(&p.at)).collect();
            cell.carries.then_some(if cell.methods.is_empty() {
                Standing::Cvs(cvs)
            } else {
                Standing::All
            })
        });
        Self {
            standing: standing.collect(),
        }
    }

    /// Tells the carriers of a simulation, for a run with these probes; from the next reset on.
    pub(super) fn tell(&self, simulation: &mut Simulation, probes: &[Probe]) -> Result<(), SimError> {
        for (cell, standing) in self.standing.iter().enumerate() {
            let Some(standing) = standing else { continue };
            let instances = simulation.instances(cell, Names::CARRIER)?;
            let mut read = vec![0.0; instances.len()];
            let mut mark = |cv: usize| {
                if let Ok(i) = instances.binary_search(&cv) {
                    read[i] = 1.0;
                }
            };
            match standing {
                Standing::All => instances.iter().copied().for_each(&mut mark),
                Standing::Cvs(cvs) => cvs.iter().copied().for_each(&mut mark),
            }
            for probe in probes.iter().filter(|p| p.cell == cell) {
                match &probe.kind {
                    ProbeKind::IonInternalInterpolated { weights, .. } => weights.iter().for_each(|&(cv, _)| mark(cv)),
                    ProbeKind::IonInternal { at, .. } => mark(simulation.discretisation(cell)?.cv_nonempty(at)),
                    ProbeKind::Voltage { .. }
                    | ProbeKind::CvVoltage { .. }
                    | ProbeKind::State { .. }
                    | ProbeKind::Parameter { .. }
                    | ProbeKind::MembraneCurrent { .. }
                    | ProbeKind::IonCurrent { .. }
                    | ProbeKind::IonReversal { .. }
                    | ProbeKind::IonExternal { .. }
                    | ProbeKind::IonDiffusive { .. }
                    | ProbeKind::PointState { .. }
                    | ProbeKind::PointParameter { .. } => {}
                }
            }
            simulation.set_parameter(cell, Names::CARRIER, Names::READ, &read)?;
        }
        Ok(())
    }
}
