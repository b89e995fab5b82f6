//! Control by the mechanism itself: which law the compiler adds, what it may move, and what is painted for it.
//!
//! The law knows one instance: its own parameters, and the sensitivities of its own objective. So a slot must move that
//! instance alone, and nothing else may hear of the slot. Everything else is a controller's business.

use std::collections::BTreeSet;

use compiler::emit::Names;
use compiler::{Compiled, Law as Emitted};

use super::control::Expanded;
use super::{Measured, Plan, PlanError, PlannedCell, PlannedControl, PlannedProbe, Variant};
use crate::control::Memory;
use crate::experiment::{Control, Experiment, Law, Within};

/// Where the law of a controlled slot runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLaw {
    /// The cell.
    pub cell: usize,
    /// The mechanism in its source.
    pub mechanism: String,
    /// The control volume of the instance.
    pub cv: usize,
}

/// A number painted on all instances of a mechanism of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Painted {
    pub(crate) cell: usize,
    /// Name in the catalogue.
    pub(crate) mechanism: String,
    pub(crate) parameter: String,
    pub(crate) value: f64,
}

/// What the compiler is asked for; none if a controller moves slots, or if what is named does not exist.
pub(super) fn wanted(experiment: &Experiment, expanded: &Expanded) -> Option<Emitted> {
    let control = experiment.control.as_ref().filter(|c| c.within == Within::Mechanism)?;
    let &first = expanded.probes.get(&control.objective)?.first()?;
    let (mechanism, objective) = experiment.probes.get(first)?.variable.split_once('.')?;
    let meant = control
        .slots
        .keys()
        .filter_map(|name| expanded.slots.get(name))
        .flatten();
    let meant: BTreeSet<usize> = meant.copied().collect();
    Some(Emitted {
        mechanism: mechanism.into(),
        objective: objective.into(),
        slots: meant.into_iter().map(|k| experiment.slots[k].name.clone()).collect(),
        increment: control.memory == Memory::Increment,
        clips: control.clip.is_some(),
    })
}

/// The same for slots of the catalogue that stand for several.
pub(super) fn renamed(law: Emitted, slots: &[String], in_catalogue: &[String]) -> Emitted {
    let mut names: Vec<String> = Vec::new();
    for (slot, name) in slots.iter().zip(in_catalogue) {
        if law.slots.contains(slot) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    Emitted { slots: names, ..law }
}

fn refused(place: &str, name: &str, why: &'static str) -> PlanError {
    PlanError::Uncontrollable {
        place: place.into(),
        name: name.into(),
        why,
    }
}

/// What the law cannot do whatever the cells are.
pub(super) fn check_settings(control: &Control, every_ms: f64, dt_ms: f64) -> Result<(), PlanError> {
    match control.law {
        Law::Gradient => (),
        Law::Adam(_) => {
            let why = "for a controller only; a mechanism moves its parameters by the law `gradient`, so take `adam` or \
                       `within` out";
            return Err(refused("control.law", "adam", why));
        }
    }
    if (every_ms / dt_ms).round() > 1.0 {
        let why =
            "for a controller only; a mechanism moves its parameters at every step, so take `every_ms` or `within` out";
        return Err(refused("control.every_ms", "every_ms", why));
    }
    if control.clip.is_some() && control.start_ms > 0.0 {
        let why =
            "to begin with the run where a mechanism clips its sensitivities; take `start_ms`, `clip` or `within` out";
        return Err(refused("control.start_ms", "start_ms", why));
    }
    Ok(())
}

/// Where each controlled slot's law runs.
pub(super) fn places(
    control: &Control,
    planned: &PlannedControl,
    compiled: &Compiled,
    cells: &[PlannedCell],
    probes: &[PlannedProbe],
    names: &[String],
) -> Result<Vec<PlannedLaw>, PlanError> {
    let Some(law) = &compiled.slots.law else {
        let why = "no variable of a density mechanism without POST_EVENT, so no law can stand beside it; take `within` out \
                   for a controller";
        return Err(refused("control.objective", &control.objective, why));
    };
    let mut out = Vec::new();
    for (slot, _) in &planned.slots {
        let name = &names[*slot];
        let refuse = |why| Err(refused("control.within", name, why));
        let mut touched: BTreeSet<(usize, &str, usize)> = BTreeSet::new();
        for (c, cell) in cells.iter().enumerate() {
            for piece in cell.pieces.iter().filter(|p| p.seeds.iter().any(|s| s.slot == *slot)) {
                let overlap = cell.discretisation.overlap(&cell.morphology, &piece.cables);
                touched.extend(overlap.iter().map(|&(cv, _)| (c, piece.mechanism.as_str(), cv)));
            }
        }
        let mut touched = touched.into_iter();
        let elsewhere = cells.iter().any(|c| c.moves_point(*slot));
        let (Some((cell, mechanism, cv)), None, false) = (touched.next(), touched.next(), elsewhere) else {
            return refuse(
                "a slot that moves more than one instance, and a law inside a mechanism knows its own only: cut it into \
                 slots of one control volume and mechanism (`each_cell` for one of each cell), or take `within` out for a \
                 controller",
            );
        };
        let is_own = |p: &PlannedProbe| match &p.measured {
            Measured::ActiveState { mechanism: of, state } => {
                *of == law.mechanism
                    && *state == law.objective
                    && of == mechanism
                    && p.cell == cell
                    && cells[cell].discretisation.cv_nonempty(&p.at) == cv
            }
            Measured::Voltage { .. }
            | Measured::InertState { .. }
            | Measured::Ion { .. }
            | Measured::Plain(_)
            | Measured::Parameter { .. } => false,
        };
        if !planned.objective.iter().any(|&p| is_own(&probes[p])) {
            return refuse(
                "a slot that moves another instance than the one with the objective, which alone knows the law: let both \
                 be of one mechanism in one control volume, or take `within` out for a controller",
            );
        }
        let others = planned.objective.iter().filter(|&&p| !is_own(&probes[p]));
        if others.into_iter().any(|&p| cells[probes[p].cell].slots.contains(slot)) {
            return refuse(
                "a slot on which objectives elsewhere depend, which a law inside a mechanism cannot know; name one \
                 objective, part the cells, or take `within` out for a controller",
            );
        }
        out.push(PlannedLaw {
            cell,
            mechanism: mechanism.into(),
            cv,
        });
    }
    Ok(out)
}

impl Plan {
    /// What turns the law on that waits in mechanisms; nothing without one.
    pub(crate) fn law_paintings(&self) -> Vec<Painted> {
        let Some((control, laws)) = self.control.as_ref().and_then(|c| Some((c, c.within.as_ref()?))) else {
            return Vec::new();
        };
        let mut painted = Vec::new();
        for ((slot, how), law) in control.slots.iter().zip(laws) {
            let name = &self.slots[*slot].in_catalogue;
            let mechanism = Variant::Augmented.name(&law.mechanism);
            // no host takes infinities in JSON, and a bound that far binds nothing
            let finite = |x: f64| x.clamp(f64::MIN, f64::MAX);
            let numbers = [
                (Names::start(name), how.start),
                (Names::gain(name), how.gain),
                (Names::scale(name), how.scale),
                (Names::max_rate(name), finite(how.max_rate)),
                (Names::least(name), finite(how.min)),
                (Names::greatest(name), finite(how.max)),
                (Names::BEGIN.to_string(), control.start_ms),
            ];
            for (parameter, value) in numbers {
                let one = Painted {
                    cell: law.cell,
                    mechanism: mechanism.clone(),
                    parameter,
                    value,
                };
                // when control begins, slots of one mechanism say alike
                if !painted.contains(&one) {
                    painted.push(one);
                }
            }
        }
        let Some(value) = control.clip else { return painted };
        for (c, cell) in self.cells.iter().enumerate().filter(|(_, cell)| cell.carries) {
            let mut mechanisms: BTreeSet<String> = BTreeSet::from([Names::CARRIER.to_string()]);
            for tangent in self.compiled.tangents.iter().filter(|t| !t.active.is_empty()) {
                let name = &tangent.mechanism.name;
                if cell.pieces.iter().any(|p| p.mechanism == *name) {
                    mechanisms.insert(Variant::Augmented.name(name));
                }
            }
            painted.extend(mechanisms.into_iter().map(|mechanism| Painted {
                cell: c,
                mechanism,
                parameter: Names::CLIP.into(),
                value,
            }));
        }
        painted
    }

    /// The stored variable that shows the present value of a parameter that a law in its mechanism moves.
    pub(super) fn present(&self, mechanism: &str, parameter: &str) -> Option<String> {
        let slots = &self.compiled.slots;
        let law = slots.law.as_ref().filter(|law| law.mechanism == mechanism)?;
        let mut seeds = slots
            .seeds
            .iter()
            .filter(|s| s.mechanism == mechanism && s.parameter == parameter);
        seeds
            .any(|s| law.slots.contains(&s.slot))
            .then(|| Names::present(parameter))
    }
}
