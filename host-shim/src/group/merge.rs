//! Cells of a group, laid out one by one, put together.

use std::collections::BTreeMap;
use std::ops::Range;

use mech_abi::AbiLevel;

use super::{asks_for_spikes, int};
use crate::catalogue::MechanismKind;
use crate::cell::CellDescription;
use crate::diffusion::DiffusionSolver;
use crate::layout::{CellIon, CellLayout, CellMechanism};
use crate::load::MechanismHandle;
use crate::noise::NoiseKeys;
use crate::sim_error::SimError;
use crate::storage::{InstanceLayout, IonInitial, IonStorage, SharedLayout, SharedStorage};

/// Instances of one mechanism over all cells of the group.
pub(super) struct Merged {
    pub(super) handle: MechanismHandle,
    pub(super) layout: InstanceLayout,
    pub(super) instances: Vec<Range<usize>>,
}

pub(super) fn shared_storage(
    cells: &[(usize, &CellDescription)],
    laid_out: &[CellLayout],
    spans: &[Range<usize>],
) -> Result<SharedStorage, SimError> {
    let mut sets = laid_out.iter().flat_map(|c| c.mechanisms.values());
    let post_events = sets.any(|set| asks_for_spikes(set.handle.info()));
    let n_detectors = cells.iter().map(|(_, c)| c.detectors.len()).max();
    let mut layout = SharedLayout {
        temperature_k: Vec::new(),
        diam_um: Vec::new(),
        area_um2: Vec::new(),
        cell: Vec::new(),
        n_cells: cells.len(),
        n_detectors: n_detectors.filter(|_| post_events).unwrap_or(0),
    };
    for (k, cell) in laid_out.iter().enumerate() {
        let d = &cell.discretisation;
        layout.temperature_k.extend(&d.temperature_k);
        layout.diam_um.extend(&d.diam_um);
        layout.area_um2.extend(&d.area_um2);
        layout.cell.extend(std::iter::repeat_n(int(k), d.n_cvs()));
    }
    let mut merged: BTreeMap<String, (i32, Vec<i32>, IonInitial)> = BTreeMap::new();
    for ((cell, span), &(index, _)) in laid_out.iter().zip(spans).zip(cells) {
        for (name, ion) in &cell.ions {
            let (valence, cv, initial) = merged
                .entry(name.clone())
                .or_insert_with(|| (ion.valence, Vec::new(), IonInitial::default()));
            if *valence != ion.valence {
                let (found, expected) = (ion.valence, *valence);
                return Err(SimError::GroupValence {
                    cell: index,
                    ion: name.clone(),
                    found,
                    expected,
                });
            }
            cv.extend(ion.cv.iter().map(|&cv| int(cv + span.start)));
            append_ion(initial, ion, &cell.discretisation.area_um2);
        }
    }
    let mut sets = laid_out.iter().flat_map(|c| c.mechanisms.values());
    let with_conductivity = sets.any(|set| set.handle.abi() == AbiLevel::V0_6);
    let ions = merged
        .into_iter()
        .map(|(name, (valence, cv, initial))| IonStorage::new(name, valence, cv, initial, with_conductivity));
    Ok(SharedStorage::new(&layout, ions.collect()))
}

fn append_ion(initial: &mut IonInitial, ion: &CellIon, area_um2: &[f64]) {
    // On a CV without membrane, where only a diffusing ion has a record, all is zero.
    let share = |cv: &usize| if area_um2[*cv] > 0.0 { 1.0 } else { 0.0 };
    let shares: Vec<f64> = ion.cv.iter().map(share).collect();
    let whole = |value: f64| shares.iter().map(move |share| share * value);
    let part = |unwritten: &[f64], value: f64| -> Vec<f64> {
        let pairs = unwritten.iter().zip(&shares);
        pairs.map(|(free, share)| free * share * value).collect()
    };
    let (internal, external) = (&ion.internal, &ion.external);
    initial.reversal_mv.extend(whole(ion.reversal_mv));
    initial.reset_internal_mm.extend(whole(internal.initial_mm));
    initial.reset_external_mm.extend(whole(external.initial_mm));
    let init_internal = part(&internal.unwritten, internal.initial_mm);
    let init_external = part(&external.unwritten, external.initial_mm);
    initial.init_internal_mm.extend(init_internal);
    initial.init_external_mm.extend(init_external);
    initial.carries_current |= ion.carries_current;
    initial.complete |= ion.complete;
    initial.internal_written |= internal.written;
    initial.external_written |= external.written;
}

pub(super) fn mechanisms(laid_out: &[CellLayout], spans: &[Range<usize>]) -> BTreeMap<String, Merged> {
    let mut merged: BTreeMap<String, Merged> = BTreeMap::new();
    for (full, set) in laid_out.iter().flat_map(|cell| &cell.mechanisms) {
        merged.entry(full.clone()).or_insert_with(|| Merged {
            handle: set.handle.clone(),
            // Part of the full name, so equal in all cells.
            layout: InstanceLayout {
                globals: set.globals.clone(),
                ions: set.ions.clone(),
                parameters: vec![Vec::new(); set.parameters.len()],
                ..InstanceLayout::default()
            },
            instances: Vec::new(),
        });
    }
    for (full, all) in &mut merged {
        for (cell, span) in laid_out.iter().zip(spans) {
            let start = all.layout.cv.len();
            if let Some(set) = cell.mechanisms.get(full) {
                append_instances(&mut all.layout, set, span.start);
            }
            all.instances.push(start..all.layout.cv.len());
        }
    }
    merged
}

fn append_instances(layout: &mut InstanceLayout, set: &CellMechanism, first_cv: usize) {
    layout.cv.extend(set.cv.iter().map(|&cv| int(cv + first_cv)));
    layout.weight.extend(&set.weight);
    layout.multiplicity.extend(set.multiplicity.iter().map(|&n| int(n)));
    layout.peer.extend(set.peer.iter().map(|&cv| int(cv)));
    for (all, own) in layout.parameters.iter_mut().zip(&set.parameters) {
        all.extend(own);
    }
}

/// Global id of the cell of each CV of the group.
pub(super) fn gids(cells: &[(usize, &CellDescription)], spans: &[Range<usize>]) -> Vec<u32> {
    let per_cell = cells.iter().zip(spans).map(|(&(index, cell), span)| {
        let gid = cell.gid.unwrap_or(u32::try_from(index).unwrap_or(u32::MAX));
        std::iter::repeat_n(gid, span.len())
    });
    per_cell.flatten().collect()
}

/// Who draws the random numbers of each mechanism of `merged`, in its order: as in Arbor, were it told of the `families`
/// only, the groups that the caller made.
pub(super) fn noise_keys(
    seed: u64,
    merged: &BTreeMap<String, Merged>,
    families: &[Range<usize>],
    spans: &[Range<usize>],
    gids: &[u32],
) -> Vec<NoiseKeys> {
    let start = NoiseKeys {
        seed,
        instances: Vec::new(),
    };
    let mut all = vec![start; merged.len()];
    for family in families {
        let cvs = spans[family.start].start..spans[family.end - 1].end;
        let gids = &gids[cvs.clone()];
        let instances = |set: &Merged| set.instances[family.start].start..set.instances[family.end - 1].end;
        let present = merged
            .values()
            .zip(&mut all)
            .filter(|(set, _)| !instances(set).is_empty());
        for (position, (set, keys)) in (0..).zip(present) {
            if set.handle.info().random_variables.is_empty() {
                continue;
            }
            let own = &set.layout.cv[instances(set)];
            match set.handle.info().kind {
                // Arbor looks up the number of the instance where the number of its CV is meant. In a group of one cell
                // it makes no difference; in others the numbers are only the same if we do so too.
                MechanismKind::Density | MechanismKind::Voltage => keys.append(position, &gids[..own.len()]),
                // Arbor gives junctions no keys and reads what it does not have; they are keyed like point processes.
                MechanismKind::Point | MechanismKind::GapJunction | MechanismKind::ReversalPotential => {
                    let of = |&cv: &i32| gids.get(usize::try_from(cv).ok()?.checked_sub(cvs.start)?).copied();
                    keys.append(position, &own.iter().filter_map(of).collect::<Vec<u32>>());
                }
            }
        }
    }
    all
}

/// A solver per ion that diffuses in some cell of the group.
pub(super) fn diffusion(
    laid_out: &[CellLayout],
    spans: &[Range<usize>],
    shared: &SharedStorage,
) -> Vec<DiffusionSolver> {
    let mut solvers = Vec::new();
    for (k, ion) in shared.ions.iter().enumerate() {
        let mut cells = Vec::new();
        let n = ion.cv.len();
        let (mut parent, mut faces, mut volume) = (vec![None; n], vec![0.0; n], vec![0.0; n]);
        for (layout, span) in laid_out.iter().zip(spans) {
            let own_faces = layout.ions.get(&ion.name).and_then(|i| i.diffusive_faces.as_ref());
            let (Some(own_faces), Some(first)) = (own_faces, ion.position(span.start)) else {
                continue;
            };
            // It diffuses, so all CVs of the cell have a record, one after the other.
            let cell = first..first + span.len();
            for (cv, (at, &face)) in cell.clone().zip(own_faces).enumerate() {
                parent[at] = layout.discretisation.parent[cv].map(|p| p + first);
                faces[at] = face;
                volume[at] = layout.discretisation.volume_um3(cv);
            }
            cells.push(cell);
        }
        if !cells.is_empty() {
            solvers.push(DiffusionSolver::new(k, &parent, cells, &faces, volume));
        }
    }
    solvers
}
