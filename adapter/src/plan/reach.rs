//! Which cells slots reach, and which slots can be computed as one.
//!
//! A slot moves what it is painted on, the voltage carries that through the cell, and gap junctions into the cells they
//! join; spikes carry nothing. Slots that meet on no cell need not be told apart by the catalogue: they share one slot
//! of the catalogue, whose seeds are painted on each cell as they are for the slot that reaches it. Ten cells with two
//! slots of their own each cost two slots per cell, not twenty.

use std::collections::BTreeSet;

use compiler::{Dropped, SlotSpec};
use host_shim::Network;

use super::{PlannedCell, PlannedSlot};
use crate::report::{Pruned, PrunedMechanism};

/// Cells joined by gap junctions have the same number.
fn joined(n_cells: usize, network: &Network) -> Vec<usize> {
    let mut part: Vec<usize> = (0..n_cells).collect();
    for gap in &network.gap_junctions {
        let (a, b) = (part[gap.local_cell], part[gap.peer_cell]);
        part.iter_mut().filter(|p| **p == a).for_each(|p| *p = b);
    }
    part
}

/// Tells every cell which slots reach it, and whether it runs with sensitivities.
///
/// In a group with gap junctions all cells do if one does: junctions find the sensitivity of the peer's voltage by
/// counting the group's control volumes.
pub(super) fn reach(cells: &mut [PlannedCell], groups: &[Vec<usize>], network: &Network) {
    let part = joined(cells.len(), network);
    let mut slots: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); cells.len()];
    for (cell, &part) in cells.iter().zip(&part) {
        slots[part].extend(cell.seeds().map(|s| s.slot));
    }
    for (cell, &part) in cells.iter_mut().zip(&part) {
        cell.slots = slots[part].iter().copied().collect();
        cell.carries = !cell.slots.is_empty();
    }
    for group in groups {
        let joins = network.gap_junctions.iter().any(|g| group.contains(&g.local_cell));
        if joins && group.iter().any(|&c| cells[c].carries) {
            group.iter().for_each(|&c| cells[c].carries = true);
        }
    }
}

/// The catalogue's slots for the experiment's `slots`, and which of them each becomes.
///
/// Each takes the first that is free on all its cells, one with the same targets if there is one: a seed more costs
/// little, but not nothing.
pub(super) fn shared(slots: &[SlotSpec], cells: &[PlannedCell]) -> (Vec<SlotSpec>, Vec<usize>) {
    let mut cells_of: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); slots.len()];
    for (c, cell) in cells.iter().enumerate() {
        for &slot in &cell.slots {
            cells_of[slot].insert(c);
        }
    }
    let mut taken: Vec<BTreeSet<usize>> = Vec::new();
    let mut specs: Vec<SlotSpec> = Vec::new();
    let mut place = Vec::new();
    for (slot, own) in slots.iter().zip(&cells_of) {
        let free: Vec<usize> = (0..specs.len()).filter(|&s| taken[s].is_disjoint(own)).collect();
        let alike = free.iter().find(|&&s| specs[s].targets == slot.targets);
        match alike.or(free.first()) {
            Some(&s) => {
                taken[s].extend(own);
                for target in &slot.targets {
                    if !specs[s].targets.contains(target) {
                        specs[s].targets.push(target.clone());
                    }
                }
                place.push(s);
            }
            None => {
                place.push(specs.len());
                taken.push(own.clone());
                specs.push(slot.clone());
            }
        }
    }
    rename(slots, &mut specs, &place);
    (specs, place)
}

/// A slot of several is called by none of their names.
fn rename(slots: &[SlotSpec], specs: &mut [SlotSpec], place: &[usize]) {
    let mut number = 0;
    for (s, spec) in specs.iter_mut().enumerate() {
        if place.iter().filter(|&&p| p == s).count() < 2 {
            continue;
        }
        loop {
            number += 1;
            spec.name = format!("shared{number}");
            if slots.iter().all(|slot| slot.name != spec.name) {
                break;
            }
        }
    }
}

/// What the plan leaves out.
pub(super) fn pruned(
    compiled: &[compiler::Pruned],
    cells: &[PlannedCell],
    slots: &[PlannedSlot],
    shared: &[SlotSpec],
) -> Pruned {
    let mut pruned = of_mechanisms(compiled);
    if !slots.is_empty() {
        let plain = cells.iter().filter(|c| !c.carries);
        pruned.cells = plain.map(|c| c.name.clone()).collect();
    }
    let named = |spec: &SlotSpec| -> Vec<String> {
        let of = slots.iter().filter(|s| s.in_catalogue == spec.name);
        of.map(|s| s.name.clone()).collect()
    };
    let several = shared.iter().map(named).filter(|names| names.len() > 1);
    pruned.shared_slots = several.collect();
    pruned
}

/// What the compiler left out.
pub(crate) fn of_mechanisms(compiled: &[compiler::Pruned]) -> Pruned {
    let mut mechanisms: Vec<PrunedMechanism> = Vec::new();
    for one in compiled {
        let at = mechanisms.iter().position(|m| m.mechanism == one.mechanism);
        let at = at.unwrap_or_else(|| {
            mechanisms.push(PrunedMechanism {
                mechanism: one.mechanism.clone(),
                ..PrunedMechanism::default()
            });
            mechanisms.len() - 1
        });
        match one.dropped {
            Dropped::Sensitivities => &mut mechanisms[at].sensitivities,
            Dropped::Value => &mut mechanisms[at].values,
        }
        .push(one.variable.clone());
    }
    Pruned {
        mechanisms,
        ..Pruned::default()
    }
}
