//! Clamps and detectors of a group.

use crate::cell::CellDescription;
use crate::detector::Watcher;
use crate::layout::CellLayout;
use crate::sim_error::SimError;
use crate::stimulus::Stimulus;

pub(super) fn place_clamps(
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
        stimuli.push(Stimulus::new(clamp, first_cv + cv, area_um2, (index, k)));
    }
    // Arbor's order, in which currents on one CV are summed.
    stimuli.sort_by_key(Stimulus::cv);
    Ok(stimuli)
}

pub(super) fn place_detectors(
    index: usize,
    cell: &CellDescription,
    layout: &CellLayout,
    first_cv: usize,
    slot: impl Fn(usize) -> usize,
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
        watchers.push(Watcher::new(first_cv + cv, index, k, threshold_mv, slot(k)));
    }
    Ok(watchers)
}
