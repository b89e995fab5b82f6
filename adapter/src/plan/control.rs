//! Online control and perturbations made concrete; slots and probes that stand for one per cell.

use std::collections::{BTreeMap, BTreeSet};

use compiler::Compiled;
use compiler::emit::Names;
use host_shim::{ProbeKind, Region};

use super::cell::{Cx, PlannedCell};
use super::region::stretches;
use super::roster::Roster;
use super::sources::{Kind, kind};
use super::{Measured, PlanError, PlannedLaw, PlannedProbe, PlannedSlot, law};
use crate::control::{AdamSettings, Memory, OnlineSlot};
use crate::experiment::{Change, Experiment, Law, Slot, Within};

/// Online control made concrete.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedControl {
    /// The probes whose sum is the objective.
    pub objective: Vec<usize>,
    /// What moves: slot and how.
    pub slots: Vec<(usize, OnlineSlot)>,
    /// Time between moves, ms.
    pub every_ms: f64,
    /// The first move is one such time after this, ms.
    pub start_ms: f64,
    /// Which gradient.
    pub memory: Memory,
    /// Adam's settings, if it is Adam that moves.
    pub adam: Option<AdamSettings>,
    /// Bound on sensitivities.
    pub clip: Option<f64>,
    /// Where the law runs if mechanisms hold it, in the order of `slots`; none if a controller does.
    pub within: Option<Vec<PlannedLaw>>,
}

/// A change at some time, of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPerturbation {
    /// When, ms.
    pub at_ms: f64,
    /// The cell.
    pub cell: usize,
    /// What.
    pub change: PlannedChange,
}

/// What a perturbation changes on a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum PlannedChange {
    /// A parameter of a density mechanism in some control volumes: p becomes `factor·p + value`, slots included.
    Parameter {
        /// The mechanism in its source.
        mechanism: String,
        /// The parameter.
        parameter: String,
        /// Control volumes of the cell.
        cvs: Vec<usize>,
        /// What is left of it.
        factor: f64,
        /// What is added.
        value: f64,
    },
    /// The current of a clamp.
    Stimulus {
        /// Its number.
        number: usize,
        /// What its description is multiplied by.
        factor: f64,
    },
    /// The temperature of the whole cell, °C.
    Temperature(f64),
}

/// What names of the experiment mean, once slots and probes of each cell are written out.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub(super) slots: BTreeMap<String, Vec<usize>>,
    pub(super) probes: BTreeMap<String, Vec<usize>>,
}

/// Writes out slots and probes that stand for one per cell.
pub(super) fn expand(experiment: &mut Experiment, roster: &Roster) -> Result<Expanded, PlanError> {
    let mut expanded = Expanded::default();
    let mut slots: Vec<Slot> = Vec::new();
    for (k, slot) in experiment.slots.iter().enumerate() {
        let first = slots.len();
        if slot.each_cell {
            let mut meant = BTreeSet::new();
            for (t, target) in slot.targets.iter().enumerate() {
                match &target.cell {
                    Some(name) => meant.extend(roster.find(name, &format!("slots[{k}].targets[{t}]"))?),
                    None => meant.extend(0..roster.members.len()),
                }
            }
            for (i, &cell) in meant.iter().enumerate() {
                let mut one = slot.clone();
                one.each_cell = false;
                one.name = format!("{}_{i}", slot.name);
                one.targets.retain(|t| match &t.cell {
                    Some(name) => roster.find(name, "").is_ok_and(|cells| cells.contains(&cell)),
                    None => true,
                });
                for target in &mut one.targets {
                    target.cell = Some(roster.members[cell].cell.name.clone());
                }
                slots.push(one);
            }
        } else {
            slots.push(slot.clone());
        }
        for (i, one) in slots.iter().enumerate().skip(first) {
            expanded.slots.insert(one.name.clone(), vec![i]);
        }
        expanded.slots.insert(slot.name.clone(), (first..slots.len()).collect());
    }
    let mut probes = Vec::new();
    for (k, probe) in experiment.probes.iter().enumerate() {
        let first = probes.len();
        if probe.each_cell {
            let meant = match &probe.cell {
                Some(name) => roster.find(name, &format!("probes[{k}]"))?,
                None => (0..roster.members.len()).collect(),
            };
            for (i, &cell) in meant.iter().enumerate() {
                let mut one = probe.clone();
                one.each_cell = false;
                one.name = format!("{}[{i}]", probe.name);
                one.cell = Some(roster.members[cell].cell.name.clone());
                probes.push(one);
            }
        } else {
            probes.push(probe.clone());
        }
        for (i, one) in probes.iter().enumerate().skip(first) {
            expanded.probes.insert(one.name.clone(), vec![i]);
        }
        expanded
            .probes
            .insert(probe.name.clone(), (first..probes.len()).collect());
    }
    experiment.slots = slots;
    experiment.probes = probes;
    Ok(expanded)
}

/// A number out of range.
fn value(place: String, value: f64, rule: &'static str) -> PlanError {
    PlanError::Value { place, value, rule }
}

pub(super) fn plan(
    experiment: &Experiment,
    expanded: &Expanded,
    compiled: &Compiled,
    cells: &[PlannedCell],
    slots: &[PlannedSlot],
    probes: &[PlannedProbe],
) -> Result<Option<PlannedControl>, PlanError> {
    let Some(control) = &experiment.control else {
        return Ok(None);
    };
    let unknown = |place: &str, what, name: &str, known: &BTreeMap<String, Vec<usize>>| PlanError::Unknown {
        place: place.into(),
        what,
        name: name.into(),
        known: known.keys().cloned().collect(),
    };
    let place = "control.objective";
    let Some(objective) = expanded.probes.get(&control.objective) else {
        return Err(unknown(place, "probe", &control.objective, &expanded.probes));
    };
    for &p in objective {
        if !matches!(probes[p].measured, Measured::ActiveState { .. }) {
            return Err(PlanError::Uncontrollable {
                place: place.into(),
                name: control.objective.clone(),
                why: "not a variable of a mechanism that slots can move; name the probe of such a STATE",
            });
        }
    }
    let dt_ms = experiment.simulation.dt_ms;
    let every_ms = control.every_ms.unwrap_or(dt_ms);
    let steps = every_ms / dt_ms;
    if !(every_ms.is_finite() && steps > 0.5 && (steps - steps.round()).abs() < 1e-6 * steps) {
        let rule = "a whole number of time steps (`simulation.dt_ms`)";
        return Err(value("control.every_ms".into(), every_ms, rule));
    }
    if !(control.start_ms.is_finite() && control.start_ms >= 0.0) {
        return Err(value(
            "control.start_ms".into(),
            control.start_ms,
            "finite and not negative",
        ));
    }
    if let Some(clip) = control.clip.filter(|clip| !(clip.is_finite() && *clip > 0.0)) {
        return Err(value("control.clip".into(), clip, "positive and finite"));
    }
    let adam = match control.law {
        Law::Gradient => None,
        Law::Adam(settings) => Some(settings),
    };
    if let Some(Err(field)) = adam.map(|settings| settings.validate()) {
        return Err(PlanError::Uncontrollable {
            place: "control.law.adam".into(),
            name: field.into(),
            why: "out of range; see the ranges in the schema's descriptions",
        });
    }
    if control.slots.is_empty() {
        return Err(PlanError::Empty {
            place: "control.slots".into(),
            what: "a slot that control moves",
        });
    }
    let mut planned = Vec::new();
    for (name, how) in &control.slots {
        let place = format!("control.slots.{name}");
        let Some(meant) = expanded.slots.get(name) else {
            return Err(unknown(&place, "slot", name, &expanded.slots));
        };
        match (how.gain, adam) {
            (Some(gain), None) if !(gain.is_finite() && gain >= 0.0) => {
                return Err(value(format!("{place}.gain"), gain, "finite and not negative"));
            }
            (Some(_), None) | (None, Some(_)) => (),
            (None, None) | (Some(_), Some(_)) => {
                return Err(PlanError::Uncontrollable {
                    place,
                    name: name.clone(),
                    why: "moved with a `gain` by the law `gradient` and without one by `adam`; add it or leave it out",
                });
            }
        }
        for &slot in meant {
            let start = slots[slot].value;
            let scale = how.scale.unwrap_or(start.abs());
            if !(scale.is_finite() && scale > 0.0) {
                let rule = "positive and finite; it must be given where the slot starts at 0";
                return Err(value(format!("{place}.scale"), scale, rule));
            }
            let (min, max) = (how.min.unwrap_or(f64::NEG_INFINITY), how.max.unwrap_or(f64::INFINITY));
            if !(min <= start && start <= max) {
                let rule = "inside the bounds `min` and `max` of control";
                return Err(value(format!("{place}: the start value"), start, rule));
            }
            let gain = how.gain.unwrap_or(0.0);
            let max_rate = how.max_rate.unwrap_or(f64::INFINITY);
            if max_rate.is_nan() || max_rate <= 0.0 {
                return Err(value(format!("{place}.max_rate"), max_rate, "positive"));
            }
            planned.push((
                slot,
                OnlineSlot {
                    start,
                    gain,
                    scale,
                    max_rate,
                    min,
                    max,
                },
            ));
        }
    }
    if let Some(cell) = cells.iter().find(|c| c.moves_rigid()) {
        return Err(PlanError::Uncontrollable {
            place: "control".into(),
            name: cell.name.clone(),
            why: "a cell where slots move junctions, reversal potentials or clamped voltages, which control cannot; \
                  leave these slots out",
        });
    }
    planned.sort_by_key(|(slot, _)| *slot);
    let mut all = PlannedControl {
        objective: objective.clone(),
        slots: planned,
        every_ms,
        start_ms: control.start_ms,
        memory: control.memory,
        adam,
        clip: control.clip,
        within: None,
    };
    if control.within == Within::Mechanism {
        law::check_settings(control, every_ms, dt_ms)?;
        let names: Vec<String> = slots.iter().map(|s| s.name.clone()).collect();
        all.within = Some(law::places(control, &all, compiled, cells, probes, &names)?);
    }
    Ok(Some(all))
}

/// Perturbations in the order of time; those of one time in the order of the experiment.
pub(super) fn perturbations(
    experiment: &Experiment,
    roster: &Roster,
    compiled: &Compiled,
    cells: &[PlannedCell],
) -> Result<Vec<PlannedPerturbation>, PlanError> {
    let mut planned = Vec::new();
    for (i, perturbation) in experiment.perturbations.iter().enumerate() {
        let place = format!("perturbations[{i}]");
        let at_ms = perturbation.at_ms;
        if !(at_ms.is_finite() && at_ms >= 0.0) {
            return Err(value(format!("{place}.at_ms"), at_ms, "finite and not negative"));
        }
        let meant = match &perturbation.cell {
            Some(name) => roster.find(name, &format!("{place}.cell"))?,
            None => (0..cells.len()).collect(),
        };
        for cell in meant {
            let member = &roster.members[cell];
            let cx = Cx {
                experiment,
                roster,
                cell: &member.cell,
                index: cell,
                number: member.number,
                place: place.clone(),
                morphology: &cells[cell].morphology,
                compiled,
            };
            let change = change(&perturbation.change, &place, &cx, &cells[cell])?;
            planned.push(PlannedPerturbation { at_ms, cell, change });
        }
    }
    planned.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    Ok(planned)
}

fn change(change: &Change, place: &str, cx: &Cx<'_>, cell: &PlannedCell) -> Result<PlannedChange, PlanError> {
    let compiled = cx.compiled;
    let finite = |field: &str, x: f64| match x.is_finite() {
        true => Ok(x),
        false => Err(value(format!("{place}.change.{field}"), x, "finite")),
    };
    match change {
        Change::Parameter {
            mechanism,
            parameter,
            region,
            factor,
            value,
        } => {
            let (factor, value) = match (factor, value) {
                (Some(factor), None) => (finite("parameter.factor", *factor)?, 0.0),
                (None, Some(value)) => (0.0, finite("parameter.value", *value)?),
                (None, None) | (Some(_), Some(_)) => {
                    return Err(PlanError::Choice {
                        place: format!("{place}.change.parameter"),
                        fields: "`factor` and `value`",
                    });
                }
            };
            let here = format!("{place}.change.parameter");
            let Some(known) = compiled.mechanisms.iter().find(|m| m.name == *mechanism) else {
                return Err(PlanError::Unknown {
                    place: format!("{here}.mechanism"),
                    what: "mechanism",
                    name: mechanism.clone(),
                    known: compiled.mechanisms.iter().map(|m| m.name.clone()).collect(),
                });
            };
            if kind(known) != Kind::Density {
                return Err(PlanError::Kind {
                    place: format!("{here}.mechanism"),
                    mechanism: mechanism.clone(),
                    found: kind(known).what(),
                    belongs: "perturbations change density mechanisms only",
                });
            }
            if !known.parameters.iter().any(|p| p.name == *parameter) {
                return Err(PlanError::Unknown {
                    place: format!("{here}.parameter"),
                    what: "RANGE parameter",
                    name: parameter.clone(),
                    known: known.parameters.iter().map(|p| p.name.clone()).collect(),
                });
            }
            let cables = cx.cables(region, &here)?;
            let mut cvs = BTreeSet::new();
            for piece in cell.pieces.iter().filter(|p| p.mechanism == *mechanism) {
                let parts = [&piece.cables, &cables].map(|cables| Region::Cables(cables.clone()));
                let both = stretches(&Region::Intersect(parts.to_vec()), &cell.morphology, here.clone())?;
                let overlap = cell.discretisation.overlap(&cell.morphology, &both);
                cvs.extend(overlap.iter().map(|&(cv, _)| cv));
            }
            if cvs.is_empty() {
                return Err(PlanError::UncoveredProbe {
                    place: here,
                    variable: parameter.clone(),
                    mechanism: mechanism.clone(),
                });
            }
            Ok(PlannedChange::Parameter {
                mechanism: mechanism.clone(),
                parameter: parameter.clone(),
                cvs: cvs.into_iter().collect(),
                factor,
                value,
            })
        }
        Change::Stimulus { number, factor } => {
            if *number >= cell.clamps.len() {
                return Err(value(
                    format!("{place}.change.stimulus.number"),
                    *number as f64,
                    "below the number of the cell's current clamps",
                ));
            }
            Ok(PlannedChange::Stimulus {
                number: *number,
                factor: finite("stimulus.factor", *factor)?,
            })
        }
        Change::TemperatureDegc(celsius) => {
            if !(celsius.is_finite() && *celsius > -273.15) {
                let rule = "finite and above absolute zero";
                return Err(value(format!("{place}.change.temperature_degc"), *celsius, rule));
            }
            Ok(PlannedChange::Temperature(*celsius))
        }
    }
}

/// The sensitivities that are clipped together, on a cell: per variable and instance, those to all slots of the cell.
/// Names in the catalogue, as (mechanism, variables); and the ions of u, by slot.
pub(crate) fn clipped(
    compiled: &Compiled,
    cell: &PlannedCell,
    slots: &[PlannedSlot],
) -> (Vec<(String, Vec<String>)>, Vec<String>) {
    let names: Vec<&str> = cell.slots.iter().map(|&k| slots[k].in_catalogue.as_str()).collect();
    let mut groups = Vec::new();
    let painted: BTreeSet<&str> = cell.pieces.iter().map(|p| p.mechanism.as_str()).collect();
    for (mechanism, tangent) in compiled.mechanisms.iter().zip(&compiled.tangents) {
        if !painted.contains(mechanism.name.as_str()) {
            continue;
        }
        for &state in &tangent.active {
            let variable = &mechanism.states[state].name;
            let columns = names.iter().map(|slot| Names::sensitivity(variable, slot));
            groups.push((Names::augmented(&mechanism.name), columns.collect()));
        }
    }
    (groups, names.iter().map(|slot| Names::voltage_ion(slot)).collect())
}

/// The internal concentration of an ion in one control volume.
pub(crate) fn in_cv(ion: &str, cv: usize) -> ProbeKind {
    ProbeKind::IonInternalInterpolated {
        ion: ion.into(),
        weights: vec![(cv, 1.0)],
    }
}
