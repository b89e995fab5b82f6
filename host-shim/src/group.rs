//! A cell group: cells that share arrays and run in one pass. Building it from laid-out cells.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use mech_abi::EventData;

use crate::Catalogue;
use crate::cable::CableSolver;
use crate::cell::CellDescription;
use crate::deliver::TargetInstance;
use crate::detector::Watcher;
use crate::discretise::Discretisation;
use crate::layout::{CellIon, CellLayout, CellMechanism, lay_out};
use crate::load::MechanismHandle;
use crate::sim_error::SimError;
use crate::stimulus::Stimulus;
use crate::storage::{InstanceLayout, IonInitial, IonStorage, MechanismStorage, SharedLayout, SharedStorage};

/// State of a cell group. Owns all that its step touches, so groups can run on different threads.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) shared: SharedStorage,
    /// In byte order of full names, which is the order of every hook.
    pub(crate) mechanisms: Vec<MechanismStorage>,
    pub(crate) cells: Vec<GroupCell>,
    pub(crate) solver: CableSolver,
    pub(crate) stimuli: Vec<Stimulus>,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) v_init_mv: Vec<f64>,
    /// Scratch space: the events of one mechanism in one step.
    pub(crate) arrived: Vec<EventData>,
}

/// One cell of a group.
#[derive(Debug)]
pub(crate) struct GroupCell {
    /// Position in the simulation.
    pub(crate) index: usize,
    pub(crate) cvs: Range<usize>,
    /// Instances of each mechanism of the group.
    pub(crate) instances: Vec<Range<usize>>,
    /// Painted and full names to mechanisms of the group.
    pub(crate) names: BTreeMap<String, usize>,
    /// Where events go, by target number.
    pub(crate) targets: Vec<TargetInstance>,
    pub(crate) discretisation: Discretisation,
}

/// Instances of one mechanism over all cells of the group.
struct Merged {
    handle: MechanismHandle,
    layout: InstanceLayout,
    instances: Vec<Range<usize>>,
}

impl Group {
    /// `cells` with their positions in the simulation.
    pub(crate) fn new(cells: &[(usize, &CellDescription)], catalogues: &[Arc<Catalogue>]) -> Result<Self, SimError> {
        let laid_out = cells
            .iter()
            .map(|&(i, cell)| lay_out(i, cell, catalogues))
            .collect::<Result<Vec<CellLayout>, _>>()?;
        let mut end = 0;
        let spans: Vec<Range<usize>> = laid_out
            .iter()
            .map(|cell| {
                let start = end;
                end += cell.discretisation.n_cvs();
                start..end
            })
            .collect();

        let shared = shared_storage(cells, &laid_out, &spans)?;
        let merged = merge_mechanisms(&laid_out, &spans);
        let mut names = vec![BTreeMap::new(); cells.len()];
        let mut instances = vec![Vec::with_capacity(merged.len()); cells.len()];
        let mut mechanisms = Vec::with_capacity(merged.len());
        for (k, (full, set)) in merged.into_iter().enumerate() {
            for (cell, range) in set.instances.into_iter().enumerate() {
                instances[cell].push(range);
                if let Some(own) = laid_out[cell].mechanisms.get(&full) {
                    names[cell].insert(full.clone(), k);
                    names[cell].extend(own.painted.iter().map(|name| (name.clone(), k)));
                }
            }
            let storage = MechanismStorage::new(full.clone(), set.handle, &set.layout, &shared);
            mechanisms.push(storage.ok_or(SimError::Layout { mechanism: full })?);
        }

        let concatenated =
            |of: fn(&CellLayout) -> &Vec<f64>| laid_out.iter().flat_map(of).copied().collect::<Vec<f64>>();
        let parent: Vec<Option<usize>> = laid_out
            .iter()
            .zip(&spans)
            .flat_map(|(cell, span)| cell.discretisation.parent.iter().map(|p| p.map(|p| p + span.start)))
            .collect();
        let solver = CableSolver::new(
            &parent,
            spans.clone(),
            concatenated(|c| &c.discretisation.cap_pf),
            &concatenated(|c| &c.discretisation.g_face_us),
        );
        let mut stimuli = Vec::new();
        let mut watchers = Vec::new();
        for ((&(index, cell), layout), span) in cells.iter().zip(&laid_out).zip(&spans) {
            stimuli.extend(place_clamps(index, cell, layout, span.start)?);
            watchers.extend(place_detectors(index, cell, layout, span.start)?);
        }
        let v_init_mv = concatenated(|c| &c.discretisation.v_init_mv);
        let members = cells.iter().zip(spans).zip(laid_out).zip(instances).zip(names);
        let group_cells = members.map(|((((&(index, _), cvs), layout), instances), names)| {
            let discretisation = layout.discretisation;
            GroupCell {
                index,
                cvs,
                instances,
                names,
                targets: Vec::new(),
                discretisation,
            }
        });
        let group_cells = group_cells.collect();
        let mut group = Self {
            shared,
            mechanisms,
            cells: group_cells,
            solver,
            stimuli,
            watchers,
            v_init_mv,
            arrived: Vec::new(),
        };
        group.reset();
        Ok(group)
    }
}

fn shared_storage(
    cells: &[(usize, &CellDescription)],
    laid_out: &[CellLayout],
    spans: &[Range<usize>],
) -> Result<SharedStorage, SimError> {
    let mut layout = SharedLayout {
        temperature_k: Vec::new(),
        diam_um: Vec::new(),
        area_um2: Vec::new(),
        cell: Vec::new(),
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
            append_ion(initial, ion);
        }
    }
    let ions = merged
        .into_iter()
        .map(|(name, (valence, cv, initial))| IonStorage::new(name, valence, cv, initial));
    Ok(SharedStorage::new(&layout, ions.collect()))
}

fn append_ion(initial: &mut IonInitial, ion: &CellIon) {
    let n = ion.cv.len();
    initial.reversal_mv.extend(std::iter::repeat_n(ion.reversal_mv, n));
    initial
        .reset_internal_mm
        .extend(std::iter::repeat_n(ion.internal.initial_mm, n));
    initial
        .reset_external_mm
        .extend(std::iter::repeat_n(ion.external.initial_mm, n));
    initial
        .init_internal_mm
        .extend(ion.internal.unwritten.iter().map(|free| free * ion.internal.initial_mm));
    initial
        .init_external_mm
        .extend(ion.external.unwritten.iter().map(|free| free * ion.external.initial_mm));
    initial.internal_written |= ion.internal.written;
    initial.external_written |= ion.external.written;
}

fn merge_mechanisms(laid_out: &[CellLayout], spans: &[Range<usize>]) -> BTreeMap<String, Merged> {
    let mut merged: BTreeMap<String, Merged> = BTreeMap::new();
    for (full, set) in laid_out.iter().flat_map(|cell| &cell.mechanisms) {
        merged.entry(full.clone()).or_insert_with(|| Merged {
            handle: set.handle.clone(),
            // Part of the full name, so equal in all cells.
            layout: InstanceLayout {
                globals: set.globals.clone(),
                ..InstanceLayout::default()
            },
            instances: Vec::new(),
        });
    }
    for (full, all) in &mut merged {
        all.layout.parameters = vec![Vec::new(); all.handle.info().parameters.len()];
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
    for (all, own) in layout.parameters.iter_mut().zip(&set.parameters) {
        all.extend(own);
    }
}

fn place_clamps(
    index: usize,
    cell: &CellDescription,
    layout: &CellLayout,
    first_cv: usize,
) -> Result<Vec<Stimulus>, SimError> {
    let mut stimuli = Vec::with_capacity(cell.clamps.len());
    for (k, clamp) in cell.clamps.iter().enumerate() {
        let bad = |what| SimError::Clamp {
            cell: index,
            clamp: k,
            what,
        };
        let geometry = |source| SimError::Geometry { cell: index, source };
        cell.morphology.check_location(&clamp.at).map_err(geometry)?;
        if !clamp.envelope.iter().all(|(t, a)| t.is_finite() && a.is_finite()) {
            return Err(bad("has a time or amplitude that is not finite"));
        }
        if !clamp.envelope.is_sorted_by(|a, b| a.0 <= b.0) {
            return Err(bad("has times that do not ascend"));
        }
        if !(clamp.frequency_khz.is_finite() && clamp.phase_rad.is_finite()) {
            return Err(bad("has a frequency or phase that is not finite"));
        }
        let cv = layout.discretisation.cv_nonempty(&clamp.at);
        let area_um2 = layout.discretisation.area_um2[cv];
        if area_um2 <= 0.0 {
            return Err(bad("lies on a CV without membrane"));
        }
        stimuli.push(Stimulus::new(clamp, first_cv + cv, area_um2));
    }
    // Arbor's order, in which currents on one CV are summed.
    stimuli.sort_by_key(Stimulus::cv);
    Ok(stimuli)
}

fn place_detectors(
    index: usize,
    cell: &CellDescription,
    layout: &CellLayout,
    first_cv: usize,
) -> Result<Vec<Watcher>, SimError> {
    let mut watchers = Vec::with_capacity(cell.detectors.len());
    for (k, detector) in cell.detectors.iter().enumerate() {
        let geometry = |source| SimError::Geometry { cell: index, source };
        cell.morphology.check_location(&detector.at).map_err(geometry)?;
        let threshold_mv = detector.threshold_mv;
        if !threshold_mv.is_finite() {
            return Err(SimError::Threshold {
                cell: index,
                detector: k,
                threshold_mv,
            });
        }
        let cv = layout.discretisation.cv_empty(&detector.at);
        watchers.push(Watcher::new(first_cv + cv, index, k, threshold_mv));
    }
    Ok(watchers)
}

/// CV numbers fit the ABI's 32-bit indices: discretisation makes at most 10⁸ CVs a cell, and [`MechanismStorage::new`]
/// refuses what saturates here because it would repeat or leave the group.
fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
