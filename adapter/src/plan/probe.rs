//! Probes: what a variable's name means, and whether sensitivities follow it.

use compiler::Compiled;
use compiler::emit::Names;
use host_shim::{Location, ProbeKind};

use super::PlanError;
use super::cell::{PlannedCell, catalogue_ions};
use super::point::find;
use super::roster::Roster;
use crate::experiment::{self, Experiment};

/// What a probe measures.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// Membrane voltage, interpolated; u_k with the same weights over CVs.
    Voltage {
        /// (CV, weight) of the sensitivities.
        weights: Vec<(usize, f64)>,
    },
    /// A stored variable that carries sensitivities.
    ActiveState {
        /// The mechanism in its source.
        mechanism: String,
        /// The variable.
        state: String,
    },
    /// A stored variable that no slot can reach: its sensitivities are zero.
    InertState {
        /// The mechanism in its source.
        mechanism: String,
        /// The variable.
        state: String,
    },
    /// Something without sensitivities.
    Plain(ProbeKind),
    /// A parameter.
    Parameter {
        /// The mechanism in its source.
        mechanism: String,
        /// The parameter.
        parameter: String,
    },
}

/// A probe made concrete.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedProbe {
    /// Name.
    pub name: String,
    /// Cell.
    pub cell: usize,
    /// Where.
    pub at: Location,
    /// The point process whose variable it is, by its number among the cell's.
    pub target: Option<usize>,
    /// Variable as the experiment names it.
    pub variable: String,
    /// Unit.
    pub unit: String,
    /// What it measures.
    pub measured: Measured,
}

impl PlannedProbe {
    /// True if the probe's sensitivities are known (possibly zero).
    pub fn has_sensitivities(&self) -> bool {
        match self.measured {
            Measured::Voltage { .. } | Measured::ActiveState { .. } | Measured::InertState { .. } => true,
            Measured::Plain(_) | Measured::Parameter { .. } => false,
        }
    }

    /// The probe of the value itself, for mechanisms named by `name`.
    pub fn value(&self, name: impl Fn(&str) -> String) -> ProbeKind {
        let at = self.at;
        match &self.measured {
            Measured::Voltage { .. } => ProbeKind::Voltage { at },
            Measured::ActiveState { mechanism, state } | Measured::InertState { mechanism, state } => {
                ProbeKind::State {
                    mechanism: name(mechanism),
                    state: state.clone(),
                    at,
                }
            }
            Measured::Parameter { mechanism, parameter } => ProbeKind::Parameter {
                mechanism: name(mechanism),
                parameter: parameter.clone(),
                at,
            },
            Measured::Plain(kind) => kind.clone(),
        }
    }

    /// The probe of the value's sensitivity to a slot; none where it is zero or unknown.
    pub fn sensitivity(&self, slot: &str) -> Option<ProbeKind> {
        match &self.measured {
            Measured::Voltage { weights } => Some(ProbeKind::IonInternalInterpolated {
                ion: Names::voltage_ion(slot),
                weights: weights.clone(),
            }),
            Measured::ActiveState { mechanism, state } => Some(ProbeKind::State {
                mechanism: Names::augmented(mechanism),
                state: Names::sensitivity(state, slot),
                at: self.at,
            }),
            Measured::InertState { .. } | Measured::Plain(_) | Measured::Parameter { .. } => None,
        }
    }
}

pub(super) fn plan(
    experiment: &Experiment,
    roster: &Roster,
    compiled: &Compiled,
    cells: &[PlannedCell],
) -> Result<Vec<PlannedProbe>, PlanError> {
    if experiment.probes.is_empty() {
        return Err(PlanError::Empty {
            place: "probes".into(),
            what: "a probe",
        });
    }
    let mut probes: Vec<PlannedProbe> = Vec::new();
    for (i, probe) in experiment.probes.iter().enumerate() {
        let place = format!("probes[{i}]");
        if probes.iter().any(|p| p.name == probe.name) {
            return Err(PlanError::Duplicate {
                place,
                what: "probe",
                name: probe.name.clone(),
            });
        }
        let index = roster.one(probe.cell.as_deref(), &place)?;
        let cell = &cells[index];
        let (at, target) = whereabouts(probe, cell, &place)?;
        cell.morphology
            .check_location(&at)
            .map_err(|source| PlanError::Geometry {
                place: format!("{place}.at"),
                source,
            })?;
        let (measured, unit) = measured(probe, &place, at, cell, compiled)?;
        probes.push(PlannedProbe {
            name: probe.name.clone(),
            cell: index,
            at,
            target,
            variable: probe.variable.clone(),
            unit,
            measured,
        });
    }
    Ok(probes)
}

/// Where a probe is, and the target of events it looks at.
fn whereabouts(
    probe: &experiment::Probe,
    cell: &PlannedCell,
    place: &str,
) -> Result<(Location, Option<usize>), PlanError> {
    match (&probe.at, &probe.synapse) {
        (Some(at), None) => Ok((Location::new(at.branch, at.pos), None)),
        (None, Some(label)) => match find(&cell.synapses, label, "synapse", &format!("{place}.synapse"))?.as_slice() {
            [only] => Ok((cell.synapses[*only].at, Some(*only))),
            several => Err(PlanError::Several {
                place: format!("{place}.synapse"),
                name: label.clone(),
                count: several.len(),
            }),
        },
        _ => Err(PlanError::Choice {
            place: place.into(),
            fields: "`at` and `synapse`",
        }),
    }
}

fn measured(
    probe: &experiment::Probe,
    place: &str,
    at: Location,
    cell: &PlannedCell,
    compiled: &Compiled,
) -> Result<(Measured, String), PlanError> {
    let variable = probe.variable.as_str();
    if variable == "v" {
        let weights = match &cell.tree {
            Some(tree) => tree
                .voltage_weights(&cell.discretisation, &cell.morphology, &cell.properties, &at)
                .into_iter()
                .map(|(instance, weight)| (tree.cv[instance], weight))
                .collect(),
            None => Vec::new(),
        };
        return Ok((Measured::Voltage { weights }, "mV".into()));
    }
    if variable == "i_membrane" {
        return Ok((Measured::Plain(ProbeKind::MembraneCurrent { at }), "A/m2".into()));
    }
    if let Some((name, field)) = variable.split_once('.') {
        return of_mechanism(name, field, place, &at, cell, compiled);
    }
    let ions = catalogue_ions(compiled);
    for ion in &ions {
        let ion_name = ion.clone();
        let found = if *variable == format!("i{ion}") {
            Some((ProbeKind::IonCurrent { ion: ion_name, at }, "A/m2"))
        } else if *variable == format!("e{ion}") {
            Some((ProbeKind::IonReversal { ion: ion_name, at }, "mV"))
        } else if *variable == format!("{ion}i") {
            Some((ProbeKind::IonInternal { ion: ion_name, at }, "mM"))
        } else if *variable == format!("{ion}o") {
            Some((ProbeKind::IonExternal { ion: ion_name, at }, "mM"))
        } else {
            None
        };
        if let Some((kind, unit)) = found {
            return Ok((Measured::Plain(kind), unit.into()));
        }
    }
    let mut known = vec!["v".to_string(), "i_membrane".to_string()];
    known.extend(
        ions.iter()
            .flat_map(|x| [format!("i{x}"), format!("e{x}"), format!("{x}i"), format!("{x}o")]),
    );
    known.extend(
        compiled
            .mechanisms
            .iter()
            .flat_map(|m| m.states.iter().map(|s| format!("{}.{}", m.name, s.name))),
    );
    Err(PlanError::Unknown {
        place: format!("{place}.variable"),
        what: "variable",
        name: variable.into(),
        known,
    })
}

fn of_mechanism(
    name: &str,
    field: &str,
    place: &str,
    at: &Location,
    cell: &PlannedCell,
    compiled: &Compiled,
) -> Result<(Measured, String), PlanError> {
    let place = format!("{place}.variable");
    let Some(index) = compiled.mechanisms.iter().position(|m| m.name == name) else {
        return Err(PlanError::Unknown {
            place,
            what: "mechanism",
            name: name.into(),
            known: compiled.mechanisms.iter().map(|m| m.name.clone()).collect(),
        });
    };
    let m = &compiled.mechanisms[index];
    let cv = cell.discretisation.cv_nonempty(at);
    let covered = cell.pieces.iter().filter(|p| p.mechanism == name).any(|p| {
        cell.discretisation
            .overlap(&cell.morphology, &p.cables)
            .iter()
            .any(|&(covered, _)| covered == cv)
    });
    if !covered {
        return Err(PlanError::UncoveredProbe {
            place,
            variable: field.into(),
            mechanism: name.into(),
        });
    }
    if let Some(state) = m.states.iter().position(|s| s.name == field) {
        let unit = m.states[state].unit.clone();
        let (mechanism, state_name) = (name.to_string(), field.to_string());
        let observed = m.states[state].storage == compiler::ir::mechanism::Storage::Observed;
        let measured = match compiled.tangents.get(index) {
            Some(tangent) if tangent.active.contains(&state) => Measured::ActiveState {
                mechanism,
                state: state_name,
            },
            // assigned for recording only: its sensitivity is not carried
            Some(_) | None if observed => Measured::Plain(ProbeKind::State {
                mechanism,
                state: state_name,
                at: *at,
            }),
            Some(_) | None => Measured::InertState {
                mechanism,
                state: state_name,
            },
        };
        return Ok((measured, unit));
    }
    if let Some(parameter) = m.parameters.iter().find(|p| p.name == field) {
        let measured = Measured::Parameter {
            mechanism: name.into(),
            parameter: field.into(),
        };
        return Ok((measured, parameter.unit.clone()));
    }
    Err(PlanError::Unknown {
        place,
        what: "variable",
        name: field.into(),
        known: m
            .states
            .iter()
            .map(|s| s.name.clone())
            .chain(m.parameters.iter().map(|p| p.name.clone()))
            .collect(),
    })
}
