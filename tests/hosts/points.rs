//! What is compared, on every CV, in both hosts' terms.

use std::collections::BTreeMap;

use compiler::emit::Names;
use graddiff::plan::export::{Place, Quantity, Variable, inside};
use graddiff::plan::{Plan, PlannedCell, Variant};
use host_shim::{Location, ProbeKind};

/// Where a CV's own voltage is read: no neighbour enters.
pub(crate) fn centre(cell: &PlannedCell, cv: usize) -> Location {
    let at = match cell.discretisation.cables[cv].as_slice() {
        [only] => (only.prox + only.dist) / 2.0,
        [first, ..] if first.dist < 1.0 => 0.0,
        _ => 1.0,
    };
    let at = Location::new(cell.discretisation.cables[cv][0].branch, at);
    let weights = cell
        .discretisation
        .voltage_weights(&cell.morphology, &cell.properties, &at);
    assert_eq!(weights, [(cv, 1.0)], "the test's own idea of reference points");
    at
}

/// One place per CV that a mechanism covers.
pub(crate) fn covered(cell: &PlannedCell, mechanism: &str) -> BTreeMap<usize, Place> {
    let mut places = BTreeMap::new();
    let painted = cell
        .pieces
        .iter()
        .filter(|p| p.mechanism == mechanism)
        .flat_map(|p| &p.cables);
    for paint in painted {
        for (cv, cables) in cell.discretisation.cables.iter().enumerate() {
            for cable in cables.iter().filter(|c| c.branch == paint.branch) {
                let (from, to) = (cable.prox.max(paint.prox), cable.dist.min(paint.dist));
                if from < to {
                    places.insert(cv, (cable.branch, 0.5 * (from + to)));
                }
            }
        }
    }
    places
}

/// What is compared, in both hosts' terms. Lanes share a scale.
pub(crate) struct Point {
    pub(crate) lane: String,
    pub(crate) arbor: Quantity,
    pub(crate) shim: ProbeKind,
}

/// Voltage of every CV, every state wherever its mechanism is.
pub(crate) fn values(plan: &Plan, variant: Variant) -> Vec<Point> {
    let mut points = Vec::new();
    for (c, cell) in plan.cells.iter().enumerate() {
        for cv in 0..cell.discretisation.n_cvs() {
            points.push(Point {
                lane: "V".into(),
                arbor: Quantity {
                    cell: c,
                    of: Variable::CvVoltage { cv },
                },
                shim: ProbeKind::Voltage { at: centre(cell, cv) },
            });
        }
        for (m, tangent) in plan.compiled.mechanisms.iter().zip(&plan.compiled.tangents) {
            for &state in &tangent.active {
                let name = &m.states[state].name;
                let painted = cell.variant(variant).name(&m.name);
                points.extend(states(c, cell, &m.name, &painted, name, name));
            }
        }
    }
    points
}

pub(crate) fn states(
    c: usize,
    cell: &PlannedCell,
    source: &str,
    mechanism: &str,
    state: &str,
    lane: &str,
) -> Vec<Point> {
    let point = |at: Place| Point {
        lane: format!("{source}.{lane}"),
        arbor: Quantity {
            cell: c,
            of: Variable::State {
                mechanism: mechanism.into(),
                state: state.into(),
                at,
            },
        },
        shim: ProbeKind::State {
            mechanism: mechanism.into(),
            state: state.into(),
            at: Location::new(at.0, at.1),
        },
    };
    covered(cell, source).into_values().map(point).collect()
}

/// Whether a cell holds the sensitivities to a slot, rather than none or those to one that shares its name in the
/// catalogue.
fn holds(plan: &Plan, cell: &PlannedCell, slot: usize) -> bool {
    let name = |s: usize| &plan.slots[s].in_catalogue;
    cell.carries && cell.slots.iter().all(|&s| s == slot || name(s) != name(slot))
}

/// For one slot: u wherever the carrier is, and the sensitivities of all states.
pub(crate) fn sensitivities(plan: &Plan, slot: usize) -> Vec<Point> {
    let mut points = Vec::new();
    let holding = |(_, cell): &(usize, &PlannedCell)| holds(plan, cell, slot);
    let slot = plan.slots[slot].in_catalogue.as_str();
    for (c, cell) in plan.cells.iter().enumerate().filter(holding) {
        let tree = cell.tree.as_ref().expect("there are slots");
        for &cv in &tree.cv {
            let (ion, at) = (Names::voltage_ion(slot), inside(cell, cv));
            let at = at.expect("CVs of the carrier have a length");
            points.push(Point {
                lane: "V".into(),
                arbor: Quantity {
                    cell: c,
                    of: Variable::IonInternal { ion: ion.clone(), at },
                },
                shim: ProbeKind::IonInternalInterpolated {
                    ion,
                    weights: vec![(cv, 1.0)],
                },
            });
        }
        for (m, tangent) in plan.compiled.mechanisms.iter().zip(&plan.compiled.tangents) {
            for &state in &tangent.active {
                let name = &m.states[state].name;
                let augmented = Names::augmented(&m.name);
                points.extend(states(
                    c,
                    cell,
                    &m.name,
                    &augmented,
                    &Names::sensitivity(name, slot),
                    name,
                ));
            }
        }
    }
    points
}

/// The plain points whose derivatives [`sensitivities`] are, in the same order.
pub(crate) fn originals(plan: &Plan, slot: usize) -> Vec<Point> {
    let has_area = |q: &Quantity| match q.of {
        Variable::CvVoltage { cv } => plan.cells[q.cell].discretisation.area_um2[cv] > 0.0,
        _ => true,
    };
    values(plan, Variant::Plain)
        .into_iter()
        .filter(|p| has_area(&p.arbor) && holds(plan, &plan.cells[p.arbor.cell], slot))
        .collect()
}

/// Per lane, the largest difference over the largest value: the worst lane, and its name.
pub(crate) fn distance<'a>(
    points: &[Point],
    found: impl Iterator<Item = &'a [f64]>,
    wanted: &[Vec<f64>],
) -> (f64, String) {
    let mut lanes: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for ((point, found), wanted) in points.iter().zip(found).zip(wanted) {
        assert_eq!(found.len(), wanted.len());
        let lane = lanes.entry(&point.lane).or_default();
        for (f, w) in found.iter().zip(wanted) {
            assert!(f.is_finite() && w.is_finite(), "{}: {f} {w}", point.lane);
            *lane = (lane.0.max((f - w).abs()), lane.1.max(w.abs()));
        }
    }
    let row = |(name, (difference, scale)): (&str, (f64, f64))| (relative(difference, scale), name.to_string());
    lanes
        .into_iter()
        .map(row)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .expect("there are lanes")
}

/// A lane that a slot cannot reach must be zero in both: infinite if it is not.
pub(crate) fn relative(difference: f64, scale: f64) -> f64 {
    if difference == 0.0 { 0.0 } else { difference / scale }
}
