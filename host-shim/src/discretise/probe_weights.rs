//! The voltage at a location as a combination of CV voltages: linear in axial resistance between the reference points of
//! two neighbouring CVs, and extrapolated beyond the outermost ones (Arbor's `fvm_interpolate_voltage`).

use super::{CableProperties, Discretisation};
use crate::morphology::{Cable, Location, Morphology};

/// A CV and the position, on the probe's branch, where its voltage is taken to hold.
#[derive(Clone, Copy)]
struct Reference {
    cv: usize,
    pos: f64,
}

impl Discretisation {
    /// Weights of CV voltages whose sum is the voltage Arbor's probe reports at a location; one or two, summing to 1.
    /// The location must be on the morphology, `m` and `props` those of the discretisation.
    pub fn voltage_weights(&self, m: &Morphology, props: &CableProperties, at: &Location) -> Vec<(usize, f64)> {
        let (near, far) = self.references(m, at);
        let Some(far) = far else { return vec![(near.cv, 1.0)] };
        let resistance = |from: f64, to: f64| m.ixa_weighted(&Cable::new(at.branch, from, to), &props.rl_ohm_cm);
        let whole = resistance(near.pos, far.pos);
        let part = if at.pos < near.pos {
            -resistance(at.pos, near.pos)
        } else {
            resistance(near.pos, at.pos)
        };
        let share = part / whole;
        let mut weights = vec![(near.cv, 1.0 - share), (far.cv, share)];
        // A location at a reference point depends on that CV alone, whatever the other holds.
        weights.retain(|&(_, weight)| weight.abs() > 0.0);
        weights
    }

    /// The proximal and the distal reference; only one where the location lies between forks of one CV, or in the cell's
    /// only CV.
    fn references(&self, m: &Morphology, at: &Location) -> (Reference, Option<Reference>) {
        let branch = at.branch;
        let cv = self.cv_empty(at);
        let unbranched_middle = |cv: usize| match self.cables[cv].as_slice() {
            [only] => Some(only.midpoint()),
            _ => None,
        };
        let (pos, look_up, look_down) = match unbranched_middle(cv) {
            Some(pos) => (pos, true, true),
            None if self.holds_fork(m, cv, &Location::new(branch, 0.0)) => (0.0, false, true),
            None => (1.0, true, false),
        };
        let own = Reference { cv, pos };
        let parent = self.parent[cv].filter(|_| look_up);
        let parent = parent.map(|cv| Reference {
            cv,
            pos: unbranched_middle(cv).unwrap_or(0.0),
        });
        let child = if look_down { self.child_on(cv, branch) } else { None };
        let child = child.map(|cv| Reference {
            cv,
            pos: unbranched_middle(cv).unwrap_or(1.0),
        });
        match (parent, child) {
            (Some(parent), Some(_)) if at.pos < own.pos => (parent, Some(own)),
            (_, Some(child)) => (own, Some(child)),
            (Some(parent), None) => (parent, Some(own)),
            (None, None) => (own, None),
        }
    }

    /// The first child CV that begins on a branch.
    fn child_on(&self, cv: usize, branch: usize) -> Option<usize> {
        // It must be the owner of the tile after the CV's last one on the branch: CVs tile branches in order.
        let tiles = &self.tiles[branch];
        let last = tiles.iter().rposition(|tile| tile.cv == cv)?;
        let next = tiles
            .get(last + 1)
            .map(|tile| tile.cv)
            .filter(|&next| self.parent[next] == Some(cv))?;
        (self.cables[next][0].branch == branch).then_some(next)
    }

    /// Whether a CV also holds another branch's end that coincides with the end of this one.
    fn holds_fork(&self, m: &Morphology, cv: usize, end: &Location) -> bool {
        let holds = |branch: usize, pos: f64| {
            self.cables[cv]
                .iter()
                .any(|cable| cable.branch == branch && cable.prox <= pos && pos <= cable.dist)
        };
        let parent = m.branch_parent(end.branch);
        let siblings = parent.map_or(m.root_branches(), |parent| m.branch_children(parent));
        parent.is_some_and(|parent| holds(parent, 1.0))
            || siblings
                .iter()
                .any(|&sibling| sibling != end.branch && holds(sibling, 0.0))
    }
}
