//! Instances of what is painted: density mechanisms and voltage processes.
//!
//! The weight of an instance is the covered part of its CV's area; a parameter is its area-weighted average over the
//! covered part.

use std::collections::BTreeMap;

use super::{CellMechanism, Context, overlapping, sorted};
use crate::catalogue::MechanismKind;
use crate::cell::DensityPaint;
use crate::morphology::Cable;
use crate::sim_error::SimError;

impl Context<'_> {
    /// Adds a set of instances per mechanism that covers any membrane; returns which cables each covers.
    pub(super) fn paint(
        &self,
        paints: &[DensityPaint],
        kind: MechanismKind,
        mechanisms: &mut BTreeMap<String, CellMechanism>,
    ) -> Result<Vec<(String, Vec<Cable>)>, SimError> {
        let geometry = |source| SimError::Geometry {
            cell: self.index,
            source,
        };
        for cable in paints.iter().flat_map(|p| &p.cables) {
            self.cell.morphology.check_cable(cable).map_err(geometry)?;
        }
        let mut sets: BTreeMap<String, (CellMechanism, Vec<&DensityPaint>)> = BTreeMap::new();
        let mut full_names: BTreeMap<&str, String> = BTreeMap::new();
        for paint in paints {
            // Cells may have a paint per CV: a name is resolved once.
            let full = match full_names.get(paint.mechanism.as_str()) {
                Some(full) => full.clone(),
                None => {
                    let (full, set) = self.named(&paint.mechanism, kind)?;
                    full_names.insert(&paint.mechanism, full.clone());
                    let (known, _) = sets.entry(full.clone()).or_insert_with(|| (set, Vec::new()));
                    if !known.painted.contains(&paint.mechanism) {
                        known.painted.push(paint.mechanism.clone());
                    }
                    full
                }
            };
            if let Some((_, paints)) = sets.get_mut(&full) {
                paints.push(paint);
            }
        }
        let mut supports = Vec::new();
        for (full, (mut set, paints)) in sets {
            let cables = self.disjoint(&full, &paints)?;
            self.cover(&mut set, &paints)?;
            if !set.cv.is_empty() {
                supports.push((full.clone(), cables));
                mechanisms.insert(full, set);
            }
        }
        Ok(supports)
    }

    /// All cables of a mechanism, sorted; an error if two overlap in more than a point.
    fn disjoint(&self, mechanism: &str, paints: &[&DensityPaint]) -> Result<Vec<Cable>, SimError> {
        let cables = sorted(paints.iter().flat_map(|p| &p.cables).copied());
        match overlapping(&cables) {
            Some((first, second)) => Err(SimError::OverlappingPaint {
                cell: self.index,
                mechanism: mechanism.to_owned(),
                first,
                second,
            }),
            None => Ok(cables),
        }
    }

    fn cover(&self, set: &mut CellMechanism, paints: &[&DensityPaint]) -> Result<(), SimError> {
        let info = set.handle.info();
        let values = paints
            .iter()
            .map(|p| self.values(info, &p.mechanism, &p.parameters, p.cables.first().copied()))
            .collect::<Result<Vec<_>, _>>()?;
        // (CV, covered area, paint)
        let mut parts: Vec<(usize, f64, usize)> = Vec::new();
        for (k, paint) in paints.iter().enumerate() {
            let overlap = self.discretisation.overlap(&self.cell.morphology, &paint.cables);
            parts.extend(overlap.into_iter().map(|(cv, area)| (cv, area, k)));
        }
        // Stable, so that sums run in the order of the paints.
        parts.sort_by_key(|&(cv, ..)| cv);
        for parts in parts.chunk_by(|a, b| a.0 == b.0) {
            let here = parts[0].0;
            let covered: f64 = parts.iter().map(|p| p.1).sum();
            set.cv.push(here);
            // Sums of parts may exceed the whole by rounding.
            set.weight.push((covered / self.discretisation.area_um2[here]).min(1.0));
            for (row, column) in set.parameters.iter_mut().enumerate() {
                column.push(average(
                    parts.iter().map(|&(_, area, k)| (area, values[k][row])),
                    covered,
                ));
            }
        }
        Ok(())
    }
}

/// Area-weighted average; exact if all values agree, since integer parameters must survive it.
fn average(parts: impl Iterator<Item = (f64, f64)> + Clone, area: f64) -> f64 {
    let mut values = parts.clone().map(|p| p.1);
    let first = values.next().unwrap_or(f64::NAN);
    if values.all(|v| v.to_bits() == first.to_bits()) {
        return first;
    }
    parts.map(|(a, v)| a * v).sum::<f64>() / area
}
