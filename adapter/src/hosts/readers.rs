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
    /// A reversal potential is worked out on the whole cell, and may depend on the voltage.
    All,
    /// Those of its point processes.
    Cvs(Vec<usize>),
}

/// The instances of one cell's carrier.
struct Marks {
    cvs: Vec<usize>,
    read: Vec<f64>,
}

impl Marks {
    /// Control volumes that the cell does not have are refused elsewhere.
    fn mark(&mut self, cv: usize) {
        if let Ok(i) = self.cvs.binary_search(&cv) {
            self.read[i] = 1.0;
        }
    }
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
        let mut cells = Vec::new();
        for (cell, standing) in self.standing.iter().enumerate() {
            let Some(standing) = standing else {
                cells.push(None);
                continue;
            };
            let cvs = simulation.instances(cell, Names::CARRIER)?;
            let mut marks = Marks {
                read: vec![0.0; cvs.len()],
                cvs,
            };
            match standing {
                Standing::All => marks.read.fill(1.0),
                Standing::Cvs(cvs) => cvs.iter().for_each(|&cv| marks.mark(cv)),
            }
            cells.push(Some(marks));
        }
        for probe in probes {
            let Some(Some(marks)) = cells.get_mut(probe.cell) else {
                continue;
            };
            match &probe.kind {
                ProbeKind::IonInternalInterpolated { weights, .. } => {
                    weights.iter().for_each(|&(cv, _)| marks.mark(cv));
                }
                // asked for by hand, which is rare: everywhere
                ProbeKind::IonInternal { .. } => marks.read.fill(1.0),
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
        for (cell, marks) in cells.into_iter().enumerate() {
            if let Some(marks) = marks {
                simulation.set_parameter(cell, Names::CARRIER, Names::READ, &marks.read)?;
            }
        }
        Ok(())
    }
}
