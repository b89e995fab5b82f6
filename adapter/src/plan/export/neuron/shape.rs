//! Sections and segments: where control volumes are on them.

use std::collections::BTreeMap;

use host_shim::{Cable, Morphology};

use super::rows::{DensityRow, SectionRow};
use super::{NeuronError, SAME};
use crate::plan::PlannedCell;
use crate::plan::export::ExportError;

/// A control volume's own stretch, if it has membrane.
pub(super) fn stretch(cell: &PlannedCell, cv: usize) -> Result<Option<Cable>, ExportError> {
    let mut long = cell.discretisation.cables[cv].iter().filter(|c| c.prox < c.dist);
    match (long.next(), long.next()) {
        (Some(cable), None) => Ok(Some(*cable)),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => {
            let cell = cell.name.clone();
            Err(NeuronError::Fork { cell, cv }.into())
        }
    }
}

/// Sections, and where on them control volumes are.
pub(super) type Cut = (Vec<SectionRow>, Vec<(usize, f64)>);

/// Runs of equally long control volumes, and where each control volume is.
pub(super) fn sections(cell: &PlannedCell, densities: &[DensityRow]) -> Result<Cut, ExportError> {
    let m = &cell.morphology;
    let mut painted: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for row in densities {
        for cv in &row.cvs {
            painted.entry(*cv).or_default().push(&row.mechanism);
        }
    }
    let mut by_branch: Vec<Vec<(usize, Cable)>> = vec![Vec::new(); m.n_branches()];
    let mut forks = Vec::new();
    for cv in 0..cell.discretisation.n_cvs() {
        match stretch(cell, cv)? {
            Some(cable) => by_branch[cable.branch].push((cv, cable)),
            None => forks.push(cv),
        }
    }
    let mut rows: Vec<SectionRow> = Vec::new();
    let mut places = vec![(0, 0.0); cell.discretisation.n_cvs()];
    // the last section of each branch
    let mut ends: Vec<usize> = Vec::new();
    for (branch, cvs) in by_branch.iter().enumerate() {
        let mut parent = match m.branch_parent(branch) {
            Some(parent) => Some((ends[parent], 1.0)),
            None if rows.is_empty() => None,
            None => Some((0, 0.0)),
        };
        let length = |c: &Cable| c.dist - c.prox;
        let rl = |c: &Cable| resistivity(cell, c);
        // NEURON inserts mechanisms into whole sections
        let alike = |a: &(usize, Cable), b: &(usize, Cable)| {
            let same = |x: f64, y: f64| (x - y).abs() <= SAME * x.abs();
            same(length(&a.1), length(&b.1)) && same(rl(&a.1), rl(&b.1)) && painted.get(&a.0) == painted.get(&b.0)
        };
        for run in cvs.chunk_by(alike) {
            let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else {
                continue;
            };
            for (k, (cv, _)) in run.iter().enumerate() {
                places[*cv] = (rows.len(), (k as f64 + 0.5) / run.len() as f64);
            }
            let whole = Cable::new(branch, first.prox, last.dist);
            rows.push(SectionRow {
                parent,
                segments: run.len(),
                rl_ohm_cm: rl(first),
                points: points(m, &whole),
            });
            parent = Some((rows.len() - 1, 1.0));
        }
        ends.push(rows.len().saturating_sub(1));
    }
    for cv in forks {
        let at = cell.discretisation.cables[cv].first();
        if let Some(at) = at {
            places[cv] = match (at.prox > 0.5, m.branch_parent(at.branch)) {
                (true, _) => (ends[at.branch], 1.0),
                (false, Some(parent)) => (ends[parent], 1.0),
                (false, None) => (0, 0.0),
            };
        }
    }
    Ok((rows, places))
}

/// The resistivity of a stretch: where it varies, that of its middle, which the check of resistances then refuses.
fn resistivity(cell: &PlannedCell, cable: &Cable) -> f64 {
    let map = &cell.properties.rl_ohm_cm;
    let middle = 0.5 * (cable.prox + cable.dist);
    let holds = |c: &Cable| c.branch == cable.branch && c.prox <= middle && middle < c.dist;
    let painted = map.painted().iter().find(|(c, _)| holds(c));
    painted.map_or(map.default_value(), |(_, value)| *value)
}

/// Arc length from the start of a stretch and diameter there, µm, at all ends of its frusta.
fn points(m: &Morphology, cable: &Cable) -> Vec<(f64, f64)> {
    let length = m.branch_length_um(cable.branch);
    let mut points = Vec::new();
    for segment in m.branch_segments(cable.branch) {
        let Some(own) = m.segment_cable(segment) else { continue };
        let shape = m.segment_tree().segments()[segment];
        let (from, to) = (own.prox.max(cable.prox), own.dist.min(cable.dist));
        if from >= to {
            continue;
        }
        let radius = |at: f64| {
            let share = (at - own.prox) / (own.dist - own.prox);
            shape.prox.radius + share * (shape.dist.radius - shape.prox.radius)
        };
        for at in [from, to] {
            let point = ((at - cable.prox) * length, 2.0 * radius(at));
            if points.last() != Some(&point) {
                points.push(point);
            }
        }
    }
    points
}
