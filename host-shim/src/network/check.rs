//! Whether a network fits its cells.

use super::Network;
use crate::cell::CellDescription;
use crate::generator::defect;
use crate::sim_error::{Joint, SimError};

/// `group_of[cell]` is the group of each cell.
///
/// # Errors
/// The first entry that names what does not exist, or has a number that makes no sense.
pub(crate) fn check(network: &Network, cells: &[CellDescription], group_of: &[usize]) -> Result<(), SimError> {
    let ends = Ends { cells };
    for (k, c) in network.connections.iter().enumerate() {
        let joint = Joint::Connection(k);
        ends.detector(joint, c.source_cell, c.detector)?;
        ends.target(joint, c.target.cell, c.target.target)?;
        finite(joint, f64::from(c.weight))?;
        if !(c.delay_ms.is_finite() && c.delay_ms > 0.0) {
            return Err(SimError::Delay {
                connection: k,
                delay_ms: c.delay_ms,
            });
        }
    }
    for (k, j) in network.gap_junctions.iter().enumerate() {
        let joint = Joint::GapJunction(k);
        ends.site(joint, j.local_cell, j.local_site)?;
        ends.site(joint, j.peer_cell, j.peer_site)?;
        finite(joint, j.weight)?;
        if group_of.get(j.local_cell) != group_of.get(j.peer_cell) {
            return Err(SimError::JunctionAcrossGroups {
                junction: k,
                local_cell: j.local_cell,
                peer_cell: j.peer_cell,
            });
        }
    }
    for (k, g) in network.generators.iter().enumerate() {
        let joint = Joint::Generator(k);
        ends.target(joint, g.target.cell, g.target.target)?;
        finite(joint, f64::from(g.weight))?;
        if let Some(what) = defect(&g.times) {
            return Err(SimError::GeneratorTimes { generator: k, what });
        }
    }
    Ok(())
}

fn finite(joint: Joint, weight: f64) -> Result<(), SimError> {
    let bad = SimError::NetworkWeight { joint, weight };
    weight.is_finite().then_some(()).ok_or(bad)
}

struct Ends<'a> {
    cells: &'a [CellDescription],
}

impl Ends<'_> {
    fn cell(&self, joint: Joint, cell: usize) -> Result<&CellDescription, SimError> {
        self.cells.get(cell).ok_or(SimError::NetworkCell {
            joint,
            cell,
            n_cells: self.cells.len(),
        })
    }

    fn detector(&self, joint: Joint, cell: usize, detector: usize) -> Result<(), SimError> {
        let n = self.cell(joint, cell)?.detectors.len();
        part(joint, cell, "detector", detector, n)
    }

    fn target(&self, joint: Joint, cell: usize, target: usize) -> Result<(), SimError> {
        let n = self.cell(joint, cell)?.synapses.iter().map(|s| s.at.len()).sum();
        part(joint, cell, "target", target, n)
    }

    fn site(&self, joint: Joint, cell: usize, site: usize) -> Result<(), SimError> {
        let n = self.cell(joint, cell)?.junctions.len();
        part(joint, cell, "junction site", site, n)
    }
}

fn part(joint: Joint, cell: usize, kind: &'static str, index: usize, n: usize) -> Result<(), SimError> {
    let missing = SimError::NetworkEnd {
        joint,
        cell,
        kind,
        index,
        n,
    };
    (index < n).then_some(()).ok_or(missing)
}

#[cfg(test)]
mod tests;
