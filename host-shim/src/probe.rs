//! Probes: what to record, resolved once into weighted sums over the group's arrays.
//!
//! Every probe is a linear functional Σ w·x of one array, so that recording costs the same whatever it is about.

use crate::catalogue::MechanismKind;
use crate::cell::CellDescription;
use crate::discretise::Discretisation;
use crate::group::Group;
use crate::morphology::Location;
use crate::sim_error::SimError;

/// One recorded quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Cell, in the order in which the simulation was given them.
    pub cell: usize,
    /// What to record there.
    pub kind: ProbeKind,
}

/// What a probe records. Locations of densities and ions mean the CV that holds them; where CVs meet, the distal one.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeKind {
    /// Membrane voltage, mV, interpolated in axial resistance as Arbor's probe does.
    Voltage {
        /// Where.
        at: Location,
    },
    /// Membrane voltage of a CV of the cell, mV.
    CvVoltage {
        /// The CV.
        cv: usize,
    },
    /// A state of a density mechanism.
    State {
        /// Painted name.
        mechanism: String,
        /// STATE or ASSIGNED variable.
        state: String,
        /// Where.
        at: Location,
    },
    /// A RANGE parameter of a density mechanism.
    Parameter {
        /// Painted name.
        mechanism: String,
        /// The parameter.
        parameter: String,
        /// Where.
        at: Location,
    },
    /// Total current density through the membrane, A/m², outward positive, injected current counted as inward.
    MembraneCurrent {
        /// Where.
        at: Location,
    },
    /// Current density of an ion, A/m².
    IonCurrent {
        /// The ion.
        ion: String,
        /// Where.
        at: Location,
    },
    /// Reversal potential of an ion, mV.
    IonReversal {
        /// The ion.
        ion: String,
        /// Where.
        at: Location,
    },
    /// Internal concentration of an ion, mM.
    IonInternal {
        /// The ion.
        ion: String,
        /// Where.
        at: Location,
    },
    /// External concentration of an ion, mM.
    IonExternal {
        /// The ion.
        ion: String,
        /// Where.
        at: Location,
    },
    /// Diffusive concentration of an ion, mM.
    IonDiffusive {
        /// The ion.
        ion: String,
        /// Where.
        at: Location,
    },
    /// A state of the point process that a target is. Targets merged into one instance share its states.
    PointState {
        /// Number of the target (see [`crate::cell::SynapsePlacement`]).
        target: usize,
        /// STATE or ASSIGNED variable.
        state: String,
    },
    /// A RANGE parameter of the point process that a target is.
    PointParameter {
        /// Number of the target.
        target: usize,
        /// The parameter.
        parameter: String,
    },
    /// Σ w·Xi over CVs of the cell. graddiff's carriers keep ∂V/∂θ in the internal concentration of a made-up ion; with
    /// the weights of a voltage probe this is that probe's sensitivity. Where sensitivities are in rows and the carrier's
    /// `gd__read` is 0, NaN stands there.
    IonInternalInterpolated {
        /// The ion.
        ion: String,
        /// (CV of the cell, weight).
        weights: Vec<(usize, f64)>,
    },
}

/// An array of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Array {
    Voltage,
    MembraneCurrent,
    IonCurrent(usize),
    IonReversal(usize),
    IonInternal(usize),
    IonExternal(usize),
    IonDiffusive(usize),
    State(usize, usize),
    Parameter(usize, usize),
}

impl Array {
    pub(crate) fn of(self, group: &Group) -> &[f64] {
        match self {
            Self::Voltage => &group.shared.voltage_mv,
            Self::MembraneCurrent => &group.shared.current,
            Self::IonCurrent(ion) => &group.shared.ions[ion].current,
            Self::IonReversal(ion) => &group.shared.ions[ion].reversal_mv,
            Self::IonInternal(ion) => &group.shared.ions[ion].internal_mm,
            Self::IonExternal(ion) => &group.shared.ions[ion].external_mm,
            Self::IonDiffusive(ion) => &group.shared.ions[ion].diffusive_mm,
            Self::State(mechanism, row) => group.mechanisms[mechanism].state(row),
            Self::Parameter(mechanism, row) => group.mechanisms[mechanism].parameter(row),
        }
    }

    /// The numbers that may be set; none of arrays that every step computes anew.
    pub(crate) fn settable(self, group: &mut Group) -> Option<&mut [f64]> {
        match self {
            Self::State(mechanism, row) => Some(group.mechanisms[mechanism].state_mut(row)),
            Self::Parameter(mechanism, row) => Some(group.mechanisms[mechanism].parameter_mut(row)),
            Self::IonInternal(ion) => Some(&mut group.shared.ions[ion].internal_mm),
            Self::Voltage
            | Self::MembraneCurrent
            | Self::IonCurrent(_)
            | Self::IonReversal(_)
            | Self::IonExternal(_)
            | Self::IonDiffusive(_) => None,
        }
    }
}

/// A probe, resolved.
#[derive(Debug, Clone)]
pub(crate) struct Tap {
    group: usize,
    array: Array,
    /// (position in the array, weight).
    terms: Vec<(usize, f64)>,
}

impl Tap {
    /// Position of the group that it reads.
    pub(crate) fn group(&self) -> usize {
        self.group
    }

    /// The value now, given that group.
    pub(crate) fn read(&self, group: &Group) -> f64 {
        let array = self.array.of(group);
        self.terms.iter().map(|&(at, weight)| weight * array[at]).sum()
    }

    /// The array and the position in it, if it is one number of an array with [`Array::settable`] ones.
    pub(crate) fn single(&self) -> Option<(Array, usize)> {
        let settable = match self.array {
            Array::State(..) | Array::Parameter(..) | Array::IonInternal(_) => true,
            Array::Voltage
            | Array::MembraneCurrent
            | Array::IonCurrent(_)
            | Array::IonReversal(_)
            | Array::IonExternal(_)
            | Array::IonDiffusive(_) => false,
        };
        match self.terms.as_slice() {
            [(at, weight)] if settable && weight.to_bits() == 1f64.to_bits() => Some((self.array, *at)),
            _ => None,
        }
    }
}

/// Where a probe's cell lives.
pub(crate) struct Place<'a> {
    pub(crate) groups: &'a [Group],
    /// (group, cell of the group).
    pub(crate) cells: &'a [(usize, usize)],
    pub(crate) descriptions: &'a [CellDescription],
}

impl Place<'_> {
    /// Resolves the `index`-th probe of a list.
    pub(crate) fn resolve(&self, index: usize, probe: &Probe) -> Result<Tap, SimError> {
        let n_cells = self.cells.len();
        let no_cell = || SimError::NoSuchCell {
            cell: probe.cell,
            n_cells,
        };
        let &(group_index, in_group) = self.cells.get(probe.cell).ok_or_else(no_cell)?;
        let cx = Resolver {
            index,
            cell: probe.cell,
            group_index,
            in_group,
            group: &self.groups[group_index],
            description: &self.descriptions[probe.cell],
            discretisation: &self.groups[group_index].cells[in_group].discretisation,
        };
        match &probe.kind {
            ProbeKind::Voltage { at } => cx.voltage(at),
            ProbeKind::CvVoltage { cv } => {
                cx.check_weights(&[(*cv, 1.0)])?;
                Ok(cx.tap(Array::Voltage, vec![(cx.first() + cv, 1.0)]))
            }
            ProbeKind::MembraneCurrent { at } => {
                Ok(cx.tap(Array::MembraneCurrent, vec![(cx.first() + cx.cv(at)?, 1.0)]))
            }
            ProbeKind::State { mechanism, state, at } => {
                let (k, instance) = cx.instance(mechanism, at)?;
                cx.state(k, instance, state)
            }
            ProbeKind::Parameter {
                mechanism,
                parameter,
                at,
            } => {
                let (k, instance) = cx.instance(mechanism, at)?;
                cx.parameter(k, instance, parameter)
            }
            ProbeKind::IonCurrent { ion, at } => cx.ion(ion, &[(cx.cv(at)?, 1.0)], Array::IonCurrent),
            ProbeKind::IonReversal { ion, at } => cx.ion(ion, &[(cx.cv(at)?, 1.0)], Array::IonReversal),
            ProbeKind::IonInternal { ion, at } => cx.ion(ion, &[(cx.cv(at)?, 1.0)], Array::IonInternal),
            ProbeKind::IonExternal { ion, at } => cx.ion(ion, &[(cx.cv(at)?, 1.0)], Array::IonExternal),
            ProbeKind::IonDiffusive { ion, at } => cx.ion_diffusive(ion, cx.cv(at)?),
            ProbeKind::PointState { target, state } => {
                let (k, instance) = cx.target(*target)?;
                cx.state(k, instance, state)
            }
            ProbeKind::PointParameter { target, parameter } => {
                let (k, instance) = cx.target(*target)?;
                cx.parameter(k, instance, parameter)
            }
            ProbeKind::IonInternalInterpolated { ion, weights } => {
                cx.check_weights(weights)?;
                cx.ion(ion, weights, Array::IonInternal)
            }
        }
    }
}

struct Resolver<'a> {
    index: usize,
    cell: usize,
    group_index: usize,
    in_group: usize,
    group: &'a Group,
    description: &'a CellDescription,
    discretisation: &'a Discretisation,
}

impl Resolver<'_> {
    fn first(&self) -> usize {
        self.group.cells[self.in_group].cvs.start
    }

    fn tap(&self, array: Array, terms: Vec<(usize, f64)>) -> Tap {
        Tap {
            group: self.group_index,
            array,
            terms,
        }
    }

    fn check(&self, at: &Location) -> Result<(), SimError> {
        let geometry = |source| SimError::Geometry {
            cell: self.cell,
            source,
        };
        self.description.morphology.check_location(at).map_err(geometry)
    }

    /// Refuses CVs that the cell does not have, and weights that are no numbers.
    fn check_weights(&self, weights: &[(usize, f64)]) -> Result<(), SimError> {
        let n_cvs = self.discretisation.n_cvs();
        match weights.iter().find(|(cv, w)| *cv >= n_cvs || !w.is_finite()) {
            Some(&(cv, weight)) => Err(SimError::ProbeWeight {
                probe: self.index,
                cell: self.cell,
                cv,
                weight,
                n_cvs,
            }),
            None => Ok(()),
        }
    }

    /// CV of the cell.
    fn cv(&self, at: &Location) -> Result<usize, SimError> {
        self.check(at)?;
        Ok(self.discretisation.cv_nonempty(at))
    }

    fn voltage(&self, at: &Location) -> Result<Tap, SimError> {
        self.check(at)?;
        let cell = self.description;
        let weights = self
            .discretisation
            .voltage_weights(&cell.morphology, &cell.properties, at);
        let first = self.first();
        Ok(self.tap(
            Array::Voltage,
            weights.into_iter().map(|(cv, w)| (first + cv, w)).collect(),
        ))
    }

    /// Mechanism of the group, and instance that covers the location.
    fn instance(&self, mechanism: &str, at: &Location) -> Result<(usize, usize), SimError> {
        let cell = &self.group.cells[self.in_group];
        let not_painted = || SimError::NotPainted {
            cell: self.cell,
            mechanism: mechanism.to_owned(),
        };
        let &k = cell.names.get(mechanism).ok_or_else(not_painted)?;
        let cv = i32::try_from(self.first() + self.cv(at)?);
        // Several point processes may sit in one CV; they are known by their targets.
        let kind = self.group.mechanisms[k].info().kind;
        if matches!(kind, MechanismKind::Point | MechanismKind::GapJunction) {
            return Err(SimError::Kind {
                cell: self.cell,
                mechanism: mechanism.to_owned(),
                found: kind,
                expected: MechanismKind::Density,
            });
        }
        let range = cell.instances[k].clone();
        let cvs = &self.group.mechanisms[k].cvs()[range.clone()];
        let found = cv.ok().and_then(|cv| cvs.binary_search(&cv).ok());
        let uncovered = || SimError::ProbeUncovered {
            probe: self.index,
            cell: self.cell,
            mechanism: mechanism.to_owned(),
            at: *at,
        };
        Ok((k, range.start + found.ok_or_else(uncovered)?))
    }

    /// Mechanism of the group, and instance that a target is.
    fn target(&self, target: usize) -> Result<(usize, usize), SimError> {
        let at = self.group.find_target(self.in_group, target)?;
        Ok((at.mechanism, at.instance as usize))
    }

    fn state(&self, k: usize, instance: usize, state: &str) -> Result<Tap, SimError> {
        let set = &self.group.mechanisms[k];
        let unknown = || SimError::UnknownState {
            mechanism: set.name().to_owned(),
            state: state.to_owned(),
        };
        let row = set.info().state(state).ok_or_else(unknown)?;
        Ok(self.tap(Array::State(k, row), vec![(instance, 1.0)]))
    }

    fn parameter(&self, k: usize, instance: usize, parameter: &str) -> Result<Tap, SimError> {
        let row = self.group.mechanisms[k].parameter_row(self.cell, parameter)?;
        Ok(self.tap(Array::Parameter(k, row), vec![(instance, 1.0)]))
    }

    /// Without diffusivity there is no diffusive concentration, though its memory is there.
    fn ion_diffusive(&self, ion: &str, cv: usize) -> Result<Tap, SimError> {
        let diffuses = |i: &crate::cell::IonProperties| i.diffusivity_m2_per_s > 0.0;
        if !self.description.ions.get(ion).is_some_and(diffuses) {
            return Err(SimError::ProbeIon {
                probe: self.index,
                cell: self.cell,
                ion: ion.to_owned(),
                cv,
            });
        }
        self.ion(ion, &[(cv, 1.0)], Array::IonDiffusive)
    }

    fn ion(&self, ion: &str, cvs: &[(usize, f64)], array: fn(usize) -> Array) -> Result<Tap, SimError> {
        let first = self.first();
        let missing = |cv| SimError::ProbeIon {
            probe: self.index,
            cell: self.cell,
            ion: ion.to_owned(),
            cv,
        };
        let Some(k) = self.group.shared.ions.iter().position(|i| i.name == ion) else {
            return Err(missing(cvs.first().map_or(0, |c| c.0)));
        };
        let store = &self.group.shared.ions[k];
        let terms = cvs
            .iter()
            .map(|&(cv, w)| Ok((store.position(first + cv).ok_or_else(|| missing(cv))?, w)));
        let (array, terms) = (array(k), terms.collect::<Result<Vec<_>, SimError>>()?);
        let held = array.of(self.group).len();
        match cvs.iter().zip(&terms).find(|(_, (at, _))| *at >= held) {
            Some(((cv, _), _)) => Err(missing(*cv)),
            None => Ok(self.tap(array, terms)),
        }
    }
}
