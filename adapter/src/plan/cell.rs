//! Cells: paintings cut into pieces of constant parameters; ions, clamps and detectors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use compiler::Compiled;
use compiler::ir::mechanism::Mechanism;
use host_shim::{
    Cable, CableProperties, CvPolicy, Detector, Discretisation, IClamp, IonProperties, Location, Morphology, Region,
    TreeTable, default_ions, discretise,
};

use super::region::stretches;
use super::shape::shape;
use super::{Input, PlanError};
use crate::experiment::{self, Experiment, Scale};

/// How one slot moves one parameter on one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Seeding {
    /// The slot.
    pub slot: usize,
    /// The parameter.
    pub parameter: String,
    /// ∂(parameter)/∂(slot).
    pub slope: f64,
    /// The painted value.
    pub painted: f64,
}

/// A part of a cell on which a mechanism has constant parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// The mechanism's name in its source.
    pub mechanism: String,
    /// Where.
    pub cables: Vec<Cable>,
    /// Parameters that no slot moves.
    pub parameters: BTreeMap<String, f64>,
    /// Parameters that slots move: each is `slope · x`.
    pub seeds: Vec<Seeding>,
}

/// A cell made concrete.
#[derive(Debug, Clone)]
pub struct PlannedCell {
    /// Name.
    pub name: String,
    /// Shape.
    pub morphology: Morphology,
    /// CV policy.
    pub policy: CvPolicy,
    /// Cable properties.
    pub properties: CableProperties,
    /// Control volumes.
    pub discretisation: Discretisation,
    /// The tree as the carrier needs it; only where there are slots.
    pub tree: Option<TreeTable>,
    /// Ions, without the carrier's.
    pub ions: BTreeMap<String, IonProperties>,
    /// What is painted.
    pub pieces: Vec<Piece>,
    /// Values of parameters that are not RANGE, by mechanism.
    pub globals: BTreeMap<String, BTreeMap<String, f64>>,
    /// Current clamps.
    pub clamps: Vec<IClamp>,
    /// Spike detectors.
    pub detectors: Vec<Detector>,
}

/// Index of a cell by name.
pub(super) fn find(experiment: &Experiment, name: &str, place: &str) -> Result<usize, PlanError> {
    experiment
        .cells
        .iter()
        .position(|c| c.name == name)
        .ok_or_else(|| PlanError::Unknown {
            place: place.into(),
            what: "cell",
            name: name.into(),
            known: experiment.cells.iter().map(|c| c.name.clone()).collect(),
        })
}

pub(super) fn plan(
    experiment: &Experiment,
    base: &Path,
    compiled: &Compiled,
    inputs: &mut Vec<Input>,
) -> Result<Vec<PlannedCell>, PlanError> {
    if experiment.cells.is_empty() {
        return Err(PlanError::Empty {
            place: "cells",
            what: "a cell",
        });
    }
    let mut cells: Vec<PlannedCell> = Vec::new();
    for (i, cell) in experiment.cells.iter().enumerate() {
        let place = format!("cells[{i}]");
        if cells.iter().any(|c| c.name == cell.name) {
            return Err(PlanError::Duplicate {
                place,
                what: "cell",
                name: cell.name.clone(),
            });
        }
        let morphology = shape(&cell.morphology, base, &place, inputs)?;
        let cx = Cx {
            experiment,
            cell,
            index: i,
            place,
            morphology: &morphology,
            compiled,
        };
        cells.push(cx.plan()?);
    }
    Ok(cells)
}

pub(super) fn geometry(place: String) -> impl FnOnce(host_shim::GeometryError) -> PlanError {
    move |source| PlanError::Geometry { place, source }
}

/// What planning one cell needs.
pub(super) struct Cx<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) cell: &'a experiment::Cell,
    pub(super) index: usize,
    pub(super) place: String,
    pub(super) morphology: &'a Morphology,
    pub(super) compiled: &'a Compiled,
}

impl Cx<'_> {
    fn plan(&self) -> Result<PlannedCell, PlanError> {
        let mut properties = CableProperties::default();
        apply(
            &mut properties,
            &self.cell.properties,
            None,
            &format!("{}.properties", self.place),
        )?;
        let mut pieces: Vec<(usize, Piece)> = Vec::new();
        let mut globals: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for (i, paint) in self.cell.paint.iter().enumerate() {
            let place = format!("{}.paint[{i}]", self.place);
            if paint.mechanism.is_none() && paint.properties.is_none() {
                return Err(PlanError::EmptyPaint { place });
            }
            let cables = self.cables(&paint.region, &place)?;
            if let Some(painted) = &paint.properties {
                apply(&mut properties, painted, Some(&cables), &place)?;
            }
            if let Some(name) = &paint.mechanism {
                let mechanism = self.mechanism(name, &format!("{place}.mechanism"))?;
                self.no_overlap(i, name, &cables, &pieces)?;
                let ranged = self.split_globals(mechanism, &paint.parameters, &mut globals, &place)?;
                for piece in self.cut(mechanism, cables, &ranged, &place)? {
                    pieces.push((i, piece));
                }
            }
        }
        let pieces: Vec<Piece> = pieces.into_iter().map(|(_, p)| p).collect();
        let policy = self.policy();
        let discretisation = discretise(self.morphology, &policy, &properties).map_err(geometry(self.place.clone()))?;
        let tree = if self.experiment.slots.is_empty() {
            None
        } else {
            Some(TreeTable::new(&discretisation).map_err(geometry(self.place.clone()))?)
        };
        Ok(PlannedCell {
            name: self.cell.name.clone(),
            policy,
            properties,
            discretisation,
            tree,
            ions: self.ions()?,
            pieces,
            globals,
            clamps: self.clamps()?,
            detectors: self.detectors()?,
            morphology: self.morphology.clone(),
        })
    }

    fn mechanism(&self, name: &str, place: &str) -> Result<&Mechanism, PlanError> {
        self.compiled
            .mechanisms
            .iter()
            .find(|m| m.name == name)
            .ok_or_else(|| PlanError::Unknown {
                place: place.into(),
                what: "mechanism",
                name: name.into(),
                known: self.compiled.mechanisms.iter().map(|m| m.name.clone()).collect(),
            })
    }

    fn no_overlap(
        &self,
        paint: usize,
        name: &str,
        cables: &[Cable],
        pieces: &[(usize, Piece)],
    ) -> Result<(), PlanError> {
        for (earlier, piece) in pieces.iter().filter(|(_, p)| p.mechanism == name) {
            let both = Region::Intersect(vec![
                Region::Cables(piece.cables.clone()),
                Region::Cables(cables.to_vec()),
            ]);
            let place = format!("{}.paint[{paint}]", self.place);
            if !stretches(&both, self.morphology, place.clone())?.is_empty() {
                return Err(PlanError::Overlap {
                    place,
                    earlier: format!("{}.paint[{earlier}]", self.place),
                    mechanism: name.into(),
                });
            }
        }
        Ok(())
    }

    /// Parameters that are not RANGE hold for the whole cell.
    fn split_globals(
        &self,
        mechanism: &Mechanism,
        given: &BTreeMap<String, f64>,
        globals: &mut BTreeMap<String, BTreeMap<String, f64>>,
        place: &str,
    ) -> Result<BTreeMap<String, f64>, PlanError> {
        let mut ranged = BTreeMap::new();
        for (name, &value) in given {
            if !value.is_finite() {
                return Err(PlanError::Value {
                    place: format!("{place}.parameters.{name}"),
                    value,
                    rule: "finite",
                });
            }
            if mechanism.parameters.iter().any(|p| p.name == *name) {
                ranged.insert(name.clone(), value);
            } else if mechanism.globals.iter().any(|g| g.name == *name) {
                let set = globals.entry(mechanism.name.clone()).or_default();
                if set
                    .insert(name.clone(), value)
                    .is_some_and(|old| old.to_bits() != value.to_bits())
                {
                    return Err(PlanError::GlobalTwice {
                        place: place.into(),
                        mechanism: mechanism.name.clone(),
                        parameter: name.clone(),
                    });
                }
            } else {
                return Err(PlanError::Unknown {
                    place: format!("{place}.parameters"),
                    what: "parameter",
                    name: name.clone(),
                    known: mechanism
                        .parameters
                        .iter()
                        .chain(&mechanism.globals)
                        .map(|f| f.name.clone())
                        .collect(),
                });
            }
        }
        Ok(ranged)
    }

    /// Cuts a painting along the regions of the slots that move it.
    fn cut(
        &self,
        mechanism: &Mechanism,
        cables: Vec<Cable>,
        given: &BTreeMap<String, f64>,
        place: &str,
    ) -> Result<Vec<Piece>, PlanError> {
        let mut pieces = vec![Piece {
            mechanism: mechanism.name.clone(),
            cables,
            parameters: given.clone(),
            seeds: Vec::new(),
        }];
        for (k, slot) in self.experiment.slots.iter().enumerate() {
            for (t, target) in slot.targets.iter().enumerate() {
                let here = format!("slots[{k}].targets[{t}]");
                let elsewhere = match &target.cell {
                    Some(name) => find(self.experiment, name, &here)? != self.index,
                    None => false,
                };
                if target.mechanism != mechanism.name || elsewhere {
                    continue;
                }
                let region = Region::Cables(self.cables(&target.region, &here)?);
                let mut next = Vec::new();
                for piece in pieces {
                    let all = Region::Cables(piece.cables.clone());
                    let inside = Region::Intersect(vec![all.clone(), region.clone()]);
                    let inside = stretches(&inside, self.morphology, here.clone())?;
                    let outside = Region::Difference(Box::new(all), Box::new(region.clone()));
                    let outside = stretches(&outside, self.morphology, here.clone())?;
                    if !inside.is_empty() {
                        let mut moved = Piece {
                            cables: inside,
                            ..piece.clone()
                        };
                        self.seed(&mut moved, mechanism, k, &target.parameter, &here)?;
                        next.push(moved);
                    }
                    if !outside.is_empty() {
                        next.push(Piece {
                            cables: outside,
                            ..piece
                        });
                    }
                }
                pieces = next;
            }
        }
        for piece in &pieces {
            let unset = mechanism.parameters.iter().find(|p| {
                p.default.is_nan()
                    && !piece.parameters.contains_key(&p.name)
                    && !piece.seeds.iter().any(|s| s.parameter == p.name)
            });
            if let Some(parameter) = unset {
                return Err(PlanError::Unset {
                    place: place.into(),
                    mechanism: mechanism.name.clone(),
                    parameter: parameter.name.clone(),
                });
            }
        }
        Ok(pieces)
    }

    fn seed(
        &self,
        piece: &mut Piece,
        mechanism: &Mechanism,
        slot: usize,
        parameter: &str,
        place: &str,
    ) -> Result<(), PlanError> {
        let slots = &self.experiment.slots;
        if let Some(other) = piece.seeds.iter().find(|s| s.parameter == parameter) {
            return Err(PlanError::SharedParameter {
                place: place.into(),
                first: slots[other.slot].name.clone(),
                second: slots[slot].name.clone(),
                mechanism: mechanism.name.clone(),
                parameter: parameter.into(),
            });
        }
        let default = mechanism
            .parameters
            .iter()
            .find(|p| p.name == parameter)
            .map_or(f64::NAN, |p| p.default);
        let painted = piece.parameters.remove(parameter).unwrap_or(default);
        let needs_painted = slots[slot].scale == Scale::Relative || slots[slot].value.is_none();
        if needs_painted && painted.is_nan() {
            return Err(PlanError::Unset {
                place: place.into(),
                mechanism: mechanism.name.clone(),
                parameter: parameter.into(),
            });
        }
        let slope = match slots[slot].scale {
            Scale::Absolute => 1.0,
            Scale::Relative => painted,
        };
        piece.seeds.push(Seeding {
            slot,
            parameter: parameter.into(),
            slope,
            painted,
        });
        Ok(())
    }

    fn policy(&self) -> CvPolicy {
        match self.cell.cv_policy.as_ref() {
            None => CvPolicy::default(),
            Some(experiment::CvPolicy::Single) => CvPolicy::Single,
            Some(&experiment::CvPolicy::FixedPerBranch { n, interior_forks }) => {
                CvPolicy::FixedPerBranch { n, interior_forks }
            }
            Some(&experiment::CvPolicy::MaxExtent { um, interior_forks }) => CvPolicy::MaxExtent { um, interior_forks },
            Some(experiment::CvPolicy::EverySegment) => CvPolicy::EverySegment,
            Some(experiment::CvPolicy::Explicit(at)) => {
                CvPolicy::Explicit(at.iter().map(|l| Location::new(l.branch, l.pos)).collect())
            }
        }
    }

    fn ions(&self) -> Result<BTreeMap<String, IonProperties>, PlanError> {
        let mut ions = default_ions();
        for (name, given) in &self.cell.ions {
            let old = ions.get(name).cloned();
            let missing = |field: &'static str| PlanError::IncompleteIon {
                place: format!("{}.ions.{name}", self.place),
                field,
            };
            let number =
                |value: Option<f64>, old: Option<f64>, field: &'static str| value.or(old).ok_or_else(|| missing(field));
            let of = |field: fn(&IonProperties) -> f64| old.as_ref().map(field);
            let ion = IonProperties::new(
                given
                    .valence
                    .or(old.as_ref().map(|o| o.valence))
                    .ok_or_else(|| missing("valence"))?,
                number(given.internal_mm, of(|o| o.int_mm), "internal_mm")?,
                number(given.external_mm, of(|o| o.ext_mm), "external_mm")?,
                number(given.reversal_mv, of(|o| o.rev_mv), "reversal_mv")?,
            );
            ions.insert(name.clone(), ion);
        }
        Ok(ions)
    }

    fn location(&self, at: experiment::Location, place: &str) -> Result<Location, PlanError> {
        let at = Location::new(at.branch, at.pos);
        self.morphology
            .check_location(&at)
            .map_err(geometry(place.to_string()))?;
        Ok(at)
    }

    fn clamps(&self) -> Result<Vec<IClamp>, PlanError> {
        let mut clamps = Vec::new();
        for (i, stimulus) in self.cell.stimuli.iter().enumerate() {
            let place = format!("{}.stimuli[{i}]", self.place);
            let mut envelope: Vec<(f64, f64)> = stimulus.envelope.iter().map(|&[t, a]| (t, a)).collect();
            if stimulus.pulses.is_empty() == envelope.is_empty() {
                return Err(PlanError::Stimulus { place });
            }
            for p in &stimulus.pulses {
                let end = p.start_ms + p.duration_ms;
                envelope.extend([
                    (p.start_ms, 0.0),
                    (p.start_ms, p.amplitude_na),
                    (end, p.amplitude_na),
                    (end, 0.0),
                ]);
            }
            let ascending = envelope.windows(2).all(|w| w[0].0 <= w[1].0);
            if !ascending || envelope.iter().any(|(t, a)| !t.is_finite() || !a.is_finite()) {
                return Err(PlanError::Stimulus { place });
            }
            clamps.push(IClamp {
                at: self.location(stimulus.at, &place)?,
                envelope,
                frequency_khz: stimulus.frequency_khz,
                phase_rad: stimulus.phase_rad,
            });
        }
        Ok(clamps)
    }

    fn detectors(&self) -> Result<Vec<Detector>, PlanError> {
        let mut detectors = Vec::new();
        for (i, d) in self.cell.detectors.iter().enumerate() {
            let place = format!("{}.detectors[{i}]", self.place);
            detectors.push(Detector {
                at: self.location(d.at, &place)?,
                threshold_mv: d.threshold_mv,
            });
        }
        Ok(detectors)
    }
}

/// Sets defaults (`cables` absent) or paints.
fn apply(
    to: &mut CableProperties,
    given: &experiment::Properties,
    cables: Option<&[Cable]>,
    place: &str,
) -> Result<(), PlanError> {
    let rows = [
        (&mut to.v_init_mv, given.v_init_mv, "v_init_mv"),
        (
            &mut to.temperature_k,
            given.temperature_degc.map(|c| c + 273.15),
            "temperature_degc",
        ),
        (&mut to.rl_ohm_cm, given.rl_ohm_cm, "rl_ohm_cm"),
        (&mut to.cm_f_per_m2, given.cm_f_per_m2, "cm_f_per_m2"),
    ];
    for (map, value, field) in rows {
        let Some(value) = value else { continue };
        let done = match cables {
            None => map.set_default(value),
            Some(cables) => map.paint(cables, value),
        };
        done.map_err(geometry(format!("{place}.{field}")))?;
    }
    Ok(())
}

/// Names of all ions of a compiled catalogue.
pub(super) fn catalogue_ions(compiled: &Compiled) -> BTreeSet<String> {
    compiled
        .mechanisms
        .iter()
        .flat_map(|m| m.ions.iter().map(|i| i.name.clone()))
        .collect()
}
