//! Instances of gap junctions: one per connection, on the side that feels the other (host-numerics.md §6).

use std::ops::Range;

use super::point::NA_PER_UM2;
use super::{CellLayout, CellMechanism, Context};
use crate::catalogue::MechanismKind;
use crate::morphology::Cable;
use crate::network::Network;
use crate::sim_error::{Joint, SimError};

/// Where a junction may be made, and what it would be.
pub(super) struct Site {
    /// Full name of the mechanism.
    full: String,
    /// Without instances.
    pub(super) set: CellMechanism,
    cv: usize,
    values: Vec<f64>,
}

impl Context<'_> {
    pub(super) fn sites(&self) -> Result<Vec<Site>, SimError> {
        let site = |placement: &crate::cell::JunctionPlacement| {
            let name = &placement.mechanism;
            let (full, set) = self.named(name, MechanismKind::GapJunction)?;
            let (at, cv) = (placement.at, self.membrane(name, &placement.at)?);
            let place = Cable::new(at.branch, at.pos, at.pos);
            let values = self.values(set.handle.info(), name, &placement.parameters, Some(place))?;
            Ok(Site { full, set, cv, values })
        };
        self.cell.junctions.iter().map(site).collect()
    }
}

/// One connection, as its local cell sees it.
struct Contact {
    cv: usize,
    /// CV of the group.
    peer: usize,
    site: usize,
    weight: f64,
}

/// Adds the junctions that the cells of a group feel. `cells` are their positions in the simulation, `spans` their CVs in
/// the group.
pub(crate) fn connect(
    laid_out: &mut [CellLayout],
    cells: &[usize],
    spans: &[Range<usize>],
    network: &Network,
) -> Result<(), SimError> {
    let mut contacts: Vec<Vec<Contact>> = laid_out.iter().map(|_| Vec::new()).collect();
    for (junction, j) in network.gap_junctions.iter().enumerate() {
        let member = |cell: usize| cells.iter().position(|&c| c == cell);
        let (local, peer) = match (member(j.local_cell), member(j.peer_cell)) {
            (Some(local), Some(peer)) => (local, peer),
            (None, None) => continue,
            _ => {
                return Err(SimError::JunctionAcrossGroups {
                    junction,
                    local_cell: j.local_cell,
                    peer_cell: j.peer_cell,
                });
            }
        };
        let site = |member: usize, index: usize| {
            let sites = &laid_out[member].sites;
            let missing = || SimError::NetworkEnd {
                joint: Joint::GapJunction(junction),
                cell: cells[member],
                kind: "junction site",
                index,
                n: sites.len(),
            };
            sites.get(index).map(|s| s.cv).ok_or_else(missing)
        };
        let cv = site(local, j.local_site)?;
        let peer = spans[peer].start + site(peer, j.peer_site)?;
        contacts[local].push(Contact {
            cv,
            peer,
            site: j.local_site,
            weight: j.weight,
        });
    }
    for (layout, mut contacts) in laid_out.iter_mut().zip(contacts) {
        contacts.sort_by(|a, b| {
            let places = (a.cv, a.peer, a.site).cmp(&(b.cv, b.peer, b.site));
            places.then(a.weight.total_cmp(&b.weight))
        });
        for contact in contacts {
            let site = &layout.sites[contact.site];
            let set = layout
                .mechanisms
                .entry(site.full.clone())
                .or_insert_with(|| site.set.clone());
            for name in &site.set.painted {
                if !set.painted.contains(name) {
                    set.painted.push(name.clone());
                }
            }
            set.cv.push(contact.cv);
            set.peer.push(contact.peer);
            set.weight
                .push(contact.weight * NA_PER_UM2 / layout.discretisation.area_um2[contact.cv]);
            for (column, &value) in set.parameters.iter_mut().zip(&site.values) {
                column.push(value);
            }
        }
    }
    Ok(())
}
