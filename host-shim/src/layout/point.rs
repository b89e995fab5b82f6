//! Instances of point processes: their order, and which placements share one (host-numerics.md §6).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{CellMechanism, Context};
use crate::catalogue::{MechanismInfo, MechanismKind};
use crate::morphology::Cable;
use crate::sim_error::SimError;

/// nA/µm² to A/m².
pub(super) const NA_PER_UM2: f64 = 1000.0;

/// One placement of a point process at one place.
struct Placed {
    cv: usize,
    /// In the order of the parameter table.
    values: Vec<f64>,
    target: usize,
}

impl Context<'_> {
    /// Adds a set of instances per point process; returns the instance of each target.
    pub(super) fn points(
        &self,
        mechanisms: &mut BTreeMap<String, CellMechanism>,
    ) -> Result<Vec<(String, usize)>, SimError> {
        let mut sets: BTreeMap<String, (CellMechanism, Vec<Placed>)> = BTreeMap::new();
        let mut n_targets = 0;
        for placement in &self.cell.synapses {
            let name = &placement.mechanism;
            let (full, set) = self.named(name, MechanismKind::Point)?;
            let (set, placed) = sets.entry(full).or_insert_with(|| (set, Vec::new()));
            if !set.painted.contains(name) {
                set.painted.push(name.clone());
            }
            for at in &placement.at {
                let cv = self.membrane(name, at)?;
                let place = Cable::new(at.branch, at.pos, at.pos);
                placed.push(Placed {
                    cv,
                    values: self.values(set.handle.info(), name, &placement.parameters, Some(place))?,
                    target: n_targets,
                });
                n_targets += 1;
            }
        }
        let mut targets = vec![(String::new(), 0); n_targets];
        for (full, (mut set, placed)) in sets {
            for (target, instance) in self.merge(&mut set, placed) {
                targets[target] = (full.clone(), instance);
            }
            if !set.cv.is_empty() {
                mechanisms.insert(full, set);
            }
        }
        Ok(targets)
    }

    /// Fills in the instances; returns (target, instance) of each placement.
    fn merge(&self, set: &mut CellMechanism, mut placed: Vec<Placed>) -> Vec<(usize, usize)> {
        let info = set.handle.info();
        let mut by_name: Vec<usize> = (0..info.parameters.len()).collect();
        by_name.sort_by(|&a, &b| info.parameters[a].name.cmp(&info.parameters[b].name));
        // Values are finite; -0 and 0 count as equal, as they do for Arbor.
        let by_values = |a: &Placed, b: &Placed| {
            let pairs = by_name.iter().map(|&row| (a.values[row], b.values[row]));
            pairs
                .map(|(a, b)| a.partial_cmp(&b).unwrap_or(Ordering::Equal))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        };
        placed.sort_by(|a, b| {
            let by_cv = a.cv.cmp(&b.cv);
            by_cv.then_with(|| by_values(a, b)).then(a.target.cmp(&b.target))
        });
        let merges = self.cell.coalesce_synapses && merges(info);
        let mut instances = Vec::with_capacity(placed.len());
        for (k, here) in placed.iter().enumerate() {
            let previous = k.checked_sub(1).map(|k| &placed[k]).filter(|_| merges);
            let same = previous.is_some_and(|p| p.cv == here.cv && by_values(p, here).is_eq());
            if same && let Some(count) = set.multiplicity.last_mut() {
                *count += 1;
            } else {
                set.cv.push(here.cv);
                set.weight.push(NA_PER_UM2 / self.discretisation.area_um2[here.cv]);
                for (column, &value) in set.parameters.iter_mut().zip(&here.values) {
                    column.push(value);
                }
                if merges {
                    set.multiplicity.push(1);
                }
            }
            instances.push((here.target, set.cv.len() - 1));
        }
        instances
    }
}

/// Whether equal instances of a point process may be merged into one: only if its states depend linearly on events, and
/// no two of them draw numbers of their own.
fn merges(info: &MechanismInfo) -> bool {
    info.is_linear && info.random_variables.is_empty()
}
