//! Probes: what a variable's name means, and whether sensitivities follow it.

use compiler::emit::Names;
use compiler::ir::mechanism::Mechanism;
use compiler::{Compiled, Dropped, Keep};
use host_shim::{Location, ProbeKind};

use super::PlanError;
use super::cell::{PlannedCell, catalogue_ions};
use super::point::find;
use super::roster::Roster;
use super::sources::{Kind, kind};
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
    /// A quantity of an ion that slots can move: its tangent ions hold the sensitivities.
    Ion {
        /// The ion.
        ion: String,
        /// Which of its quantities.
        quantity: IonQuantity,
    },
    /// Something without sensitivities that no mechanism's name stands for.
    Plain(ProbeKind),
    /// A parameter.
    Parameter {
        /// The mechanism in its source.
        mechanism: String,
        /// The parameter.
        parameter: String,
    },
}

/// What an ion holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IonQuantity {
    /// `iX`, A/m².
    Current,
    /// `eX`, mV.
    Reversal,
    /// `Xi`, mM.
    Internal,
    /// `Xo`, mM.
    External,
    /// `Xd`, mM.
    Diffusive,
}

impl IonQuantity {
    const ALL: [IonQuantity; 5] = [
        IonQuantity::Current,
        IonQuantity::Reversal,
        IonQuantity::Internal,
        IonQuantity::External,
        IonQuantity::Diffusive,
    ];

    /// As NMODL names it.
    fn name(self, ion: &str) -> String {
        match self {
            IonQuantity::Current => format!("i{ion}"),
            IonQuantity::Reversal => format!("e{ion}"),
            IonQuantity::Internal => format!("{ion}i"),
            IonQuantity::External => format!("{ion}o"),
            IonQuantity::Diffusive => format!("{ion}d"),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            IonQuantity::Current => "A/m2",
            IonQuantity::Reversal => "mV",
            IonQuantity::Internal | IonQuantity::External | IonQuantity::Diffusive => "mM",
        }
    }

    fn probe(self, ion: String, at: Location) -> ProbeKind {
        match self {
            IonQuantity::Current => ProbeKind::IonCurrent { ion, at },
            IonQuantity::Reversal => ProbeKind::IonReversal { ion, at },
            IonQuantity::Internal => ProbeKind::IonInternal { ion, at },
            IonQuantity::External => ProbeKind::IonExternal { ion, at },
            IonQuantity::Diffusive => ProbeKind::IonDiffusive { ion, at },
        }
    }
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
            Measured::Voltage { .. }
            | Measured::ActiveState { .. }
            | Measured::InertState { .. }
            | Measured::Ion { .. } => true,
            Measured::Plain(_) | Measured::Parameter { .. } => false,
        }
    }

    /// The probe of the value itself, for mechanisms named by `name`.
    pub(super) fn value(&self, name: impl Fn(&str) -> String) -> ProbeKind {
        let at = self.at;
        match &self.measured {
            Measured::Voltage { .. } => ProbeKind::Voltage { at },
            Measured::ActiveState { mechanism, state } | Measured::InertState { mechanism, state } => {
                self.state(name(mechanism), state.clone())
            }
            Measured::Parameter { mechanism, parameter } => match self.target {
                Some(target) => ProbeKind::PointParameter {
                    target,
                    parameter: parameter.clone(),
                },
                None => ProbeKind::Parameter {
                    mechanism: name(mechanism),
                    parameter: parameter.clone(),
                    at,
                },
            },
            Measured::Ion { ion, quantity } => quantity.probe(ion.clone(), at),
            Measured::Plain(kind) => kind.clone(),
        }
    }

    fn state(&self, mechanism: String, state: String) -> ProbeKind {
        match self.target {
            Some(target) => ProbeKind::PointState { target, state },
            None => ProbeKind::State {
                mechanism,
                state,
                at: self.at,
            },
        }
    }

    /// The probe of the value's sensitivity to a slot of the catalogue; none where it is zero or unknown.
    pub(super) fn sensitivity(&self, slot: &str) -> Option<ProbeKind> {
        match &self.measured {
            Measured::Voltage { weights } => Some(ProbeKind::IonInternalInterpolated {
                ion: Names::voltage_ion(slot),
                weights: weights.clone(),
            }),
            Measured::ActiveState { mechanism, state } => {
                Some(self.state(Names::augmented(mechanism), Names::sensitivity(state, slot)))
            }
            Measured::Ion { ion, quantity } => Some(quantity.probe(Names::tangent_ion(ion, slot), self.at)),
            Measured::InertState { .. } | Measured::Plain(_) | Measured::Parameter { .. } => None,
        }
    }
}

/// The variables of mechanisms that probes read.
pub(super) fn read_back(experiment: &Experiment) -> Keep {
    let names = experiment.probes.iter().filter_map(|p| p.variable.split_once('.'));
    Keep::Named(
        names
            .map(|(mechanism, variable)| (mechanism.into(), variable.into()))
            .collect(),
    )
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
        let (measured, unit) = Where {
            place: format!("{place}.variable"),
            at,
            target,
            cell,
            compiled,
        }
        .measured(&probe.variable)?;
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

/// Where a variable is looked for.
struct Where<'a> {
    place: String,
    at: Location,
    target: Option<usize>,
    cell: &'a PlannedCell,
    compiled: &'a Compiled,
}

impl Where<'_> {
    fn measured(&self, variable: &str) -> Result<(Measured, String), PlanError> {
        let at = self.at;
        if variable == "v" {
            let cell = self.cell;
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
            return self.of_mechanism(name, field);
        }
        let ions = catalogue_ions(self.compiled);
        let moved = &self.compiled.tangent_ions;
        for ion in ions.iter().chain(self.cell.methods.keys()) {
            for quantity in IonQuantity::ALL {
                if variable == quantity.name(ion) {
                    let ion = ion.clone();
                    let measured = if moved.contains(&ion) {
                        Measured::Ion { ion, quantity }
                    } else {
                        Measured::Plain(quantity.probe(ion, at))
                    };
                    return Ok((measured, quantity.unit().into()));
                }
            }
        }
        let mut known = vec!["v".to_string(), "i_membrane".to_string()];
        for ion in &ions {
            known.extend(IonQuantity::ALL.map(|quantity| quantity.name(ion)));
        }
        for m in &self.compiled.mechanisms {
            known.extend(self.variables(m).map(|variable| format!("{}.{variable}", m.name)));
        }
        Err(self.unknown("variable", variable, known))
    }

    /// What a mechanism stores, or would if it were probed.
    fn variables<'m>(&'m self, m: &'m Mechanism) -> impl Iterator<Item = &'m str> {
        let unread = self.compiled.pruned.iter();
        let unread = unread.filter(|p| p.mechanism == m.name && p.dropped == Dropped::Value);
        let stored = m.states.iter().map(|s| s.name.as_str());
        stored.chain(unread.map(|p| p.variable.as_str()))
    }

    fn unknown(&self, what: &'static str, name: &str, known: Vec<String>) -> PlanError {
        PlanError::Unknown {
            place: self.place.clone(),
            what,
            name: name.into(),
            known,
        }
    }

    /// Refuses a mechanism that is not here.
    fn check_present(&self, m: &Mechanism, field: &str) -> Result<(), PlanError> {
        if let Some(target) = self.target {
            let here = &self.cell.synapses[target].mechanism;
            return match *here == m.name {
                true => Ok(()),
                false => Err(self.unknown("mechanism", &m.name, vec![here.clone()])),
            };
        }
        if !matches!(kind(m), Kind::Density | Kind::Voltage) {
            return Err(PlanError::Kind {
                place: self.place.clone(),
                mechanism: m.name.clone(),
                found: kind(m).what(),
                belongs: "probe the variables of synapses by `synapse`, and of no other such mechanisms",
            });
        }
        let cv = self.cell.discretisation.cv_nonempty(&self.at);
        let covers = |cables| {
            let overlap = self.cell.discretisation.overlap(&self.cell.morphology, cables);
            overlap.iter().any(|&(covered, _)| covered == cv)
        };
        match self
            .cell
            .pieces
            .iter()
            .any(|p| p.mechanism == m.name && covers(&p.cables))
        {
            true => Ok(()),
            false => Err(PlanError::UncoveredProbe {
                place: self.place.clone(),
                variable: field.into(),
                mechanism: m.name.clone(),
            }),
        }
    }

    fn of_mechanism(&self, name: &str, field: &str) -> Result<(Measured, String), PlanError> {
        let compiled = self.compiled;
        let Some(index) = compiled.mechanisms.iter().position(|m| m.name == name) else {
            let known = compiled.mechanisms.iter().map(|m| m.name.clone()).collect();
            return Err(self.unknown("mechanism", name, known));
        };
        let m = &compiled.mechanisms[index];
        self.check_present(m, field)?;
        if let Some(state) = m.states.iter().position(|s| s.name == field) {
            let unit = m.states[state].unit.clone();
            let (mechanism, state_name) = (name.to_string(), field.to_string());
            let measured = match compiled.tangents.get(index) {
                Some(tangent) if tangent.active.contains(&state) => Measured::ActiveState {
                    mechanism,
                    state: state_name,
                },
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
        let states = self.variables(m).map(str::to_string);
        let known = states.chain(m.parameters.iter().map(|p| p.name.clone())).collect();
        Err(self.unknown("variable", field, known))
    }
}
