//! Cells: paintings cut into pieces of constant parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use compiler::Compiled;
use compiler::ir::mechanism::Mechanism;
use host_shim::{
    Cable, CableProperties, CvPolicy, Detector, Discretisation, IClamp, IonProperties, Location, Morphology, Region,
    TreeTable, discretise,
};

use super::carrier::diffuse;
use super::ion::PlannedMethod;
use super::point::PlannedPoint;
use super::region::stretches;
use super::roster::Roster;
use super::shape::shape;
use super::sources::{Kind, kind};
use super::{Input, PlanError, Variant};
use crate::experiment::{self, Carrier, Experiment, Scale, SlotTarget};

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
    /// Whether it is a voltage process; else a density mechanism.
    pub voltage: bool,
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
    /// What the `diffusion` carrier scales its rows by, 1/pF, per row of `tree`; absent with the exact one.
    pub per_cap: Option<Vec<f64>>,
    /// Ions, without those of slots, and without their methods.
    pub ions: BTreeMap<String, IonProperties>,
    /// How reversal potentials are computed, by ion.
    pub methods: BTreeMap<String, PlannedMethod>,
    /// What is painted.
    pub pieces: Vec<Piece>,
    /// Slots that reach the cell, ascending: directly, or through gap junctions. Filled in when all cells are planned.
    pub slots: Vec<usize>,
    /// Whether the cell runs with sensitivities where they are wanted. Filled in with `slots`.
    pub carries: bool,
    /// Values of parameters that are not RANGE, by mechanism.
    pub globals: BTreeMap<String, BTreeMap<String, f64>>,
    /// Point processes; each is one target of events.
    pub synapses: Vec<PlannedPoint>,
    /// Sites of gap junctions.
    pub junctions: Vec<PlannedPoint>,
    /// Current clamps.
    pub clamps: Vec<IClamp>,
    /// Spike detectors.
    pub detectors: Vec<Detector>,
    /// Their labels.
    pub detector_labels: Vec<Option<String>>,
}

impl PlannedCell {
    /// Whether slots move anything but what is painted.
    pub(crate) fn moves_points(&self) -> bool {
        let points = self.synapses.iter().chain(&self.junctions);
        points
            .map(|p| &p.seeds)
            .chain(self.methods.values().map(|m| &m.seeds))
            .any(|s| !s.is_empty())
            || self.pieces.iter().any(|p| p.voltage && !p.seeds.is_empty())
    }

    /// Whether slots move what can only be set before a run: junctions, reversal potentials, voltage processes.
    pub(crate) fn moves_rigid(&self) -> bool {
        self.junctions.iter().any(|p| !p.seeds.is_empty())
            || self.methods.values().any(|m| !m.seeds.is_empty())
            || self.pieces.iter().any(|p| p.voltage && !p.seeds.is_empty())
    }

    /// Whether a slot moves synapses.
    pub(super) fn moves_point(&self, slot: usize) -> bool {
        let seeds = self.synapses.iter().flat_map(|p| &p.seeds);
        seeds.into_iter().any(|s| s.slot == slot)
    }

    /// What runs on the cell where `wanted` runs in the simulation.
    pub fn variant(&self, wanted: Variant) -> Variant {
        if self.carries { wanted } else { Variant::Plain }
    }

    /// How slots move anything on the cell.
    pub fn seeds(&self) -> impl Iterator<Item = &Seeding> {
        let points = self.synapses.iter().chain(&self.junctions).flat_map(|p| &p.seeds);
        let methods = self.methods.values().flat_map(|m| &m.seeds);
        self.pieces.iter().flat_map(|p| &p.seeds).chain(points).chain(methods)
    }
}

pub(super) fn plan(
    experiment: &Experiment,
    roster: &Roster,
    base: &Path,
    compiled: &Compiled,
    inputs: &mut Vec<Input>,
) -> Result<Vec<PlannedCell>, PlanError> {
    let mut cells = Vec::with_capacity(roster.members.len());
    // the members of a population share a shape, and its file is read once
    let mut shapes: BTreeMap<usize, Morphology> = BTreeMap::new();
    for (index, member) in roster.members.iter().enumerate() {
        let known = member.population.and_then(|p| shapes.get(&p)).cloned();
        let morphology = match known {
            Some(morphology) => morphology,
            None => shape(&member.cell.morphology, base, &member.place, inputs)?,
        };
        let cx = Cx {
            experiment,
            roster,
            cell: &member.cell,
            index,
            number: member.number,
            place: member.place.clone(),
            morphology: &morphology,
            compiled,
        };
        cells.push(cx.plan()?);
        if let Some(population) = member.population {
            shapes.entry(population).or_insert(morphology);
        }
    }
    Ok(cells)
}

pub(super) fn geometry(place: String) -> impl FnOnce(host_shim::GeometryError) -> PlanError {
    move |source| PlanError::Geometry { place, source }
}

/// What planning one cell needs.
pub(super) struct Cx<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) roster: &'a Roster,
    pub(super) cell: &'a experiment::Cell,
    pub(super) index: usize,
    /// In its population.
    pub(super) number: usize,
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
                self.of_kind(mechanism, &[Kind::Density, Kind::Voltage], &place)?;
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
        let (mut tree, mut per_cap) = (None, None);
        if !self.experiment.slots.is_empty() {
            let mut table = TreeTable::new(&discretisation).map_err(geometry(self.place.clone()))?;
            per_cap = match self.experiment.carrier {
                Carrier::Cable => None,
                Carrier::Diffusion => {
                    let rows = diffuse(&mut table, &discretisation, self.morphology, &properties);
                    Some(rows.map_err(geometry(self.place.clone()))?)
                }
            };
            tree = Some(table);
        }
        let synapses = self.synapses(&mut globals)?;
        let junctions = self.junctions(&mut globals)?;
        let (detectors, detector_labels) = self.detectors()?;
        Ok(PlannedCell {
            name: self.cell.name.clone(),
            policy,
            properties,
            discretisation,
            tree,
            per_cap,
            ions: self.ions()?,
            methods: self.methods()?,
            pieces,
            slots: Vec::new(),
            carries: false,
            globals,
            synapses,
            junctions,
            clamps: self.clamps()?,
            detectors,
            detector_labels,
            morphology: self.morphology.clone(),
        })
    }

    /// Refuses a mechanism that belongs elsewhere.
    pub(super) fn of_kind(&self, mechanism: &Mechanism, admitted: &[Kind], place: &str) -> Result<(), PlanError> {
        let found = kind(mechanism);
        if admitted.contains(&found) {
            return Ok(());
        }
        Err(PlanError::Kind {
            place: format!("{place}.mechanism"),
            mechanism: mechanism.name.clone(),
            found: found.what(),
            belongs: found.belongs(),
        })
    }

    /// Targets of slots that move `mechanism` on this cell: slot, target, place in the experiment.
    pub(super) fn targets(&self, mechanism: &str) -> Vec<(usize, &SlotTarget, String)> {
        let mut found = Vec::new();
        for (k, slot) in self.experiment.slots.iter().enumerate() {
            for (t, target) in slot.targets.iter().enumerate() {
                let here = format!("slots[{k}].targets[{t}]");
                let meant = |name| {
                    self.roster
                        .find(name, &here)
                        .is_ok_and(|cells| cells.contains(&self.index))
                };
                if target.mechanism == mechanism && target.cell.as_deref().is_none_or(meant) {
                    found.push((k, target, here));
                }
            }
        }
        found
    }

    pub(super) fn mechanism(&self, name: &str, place: &str) -> Result<&Mechanism, PlanError> {
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
    pub(super) fn split_globals(
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
            voltage: kind(mechanism) == Kind::Voltage,
            cables,
            parameters: given.clone(),
            seeds: Vec::new(),
        }];
        for (slot, target, here) in self.targets(&mechanism.name) {
            if target.synapse.is_some() {
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
                    let (parameters, seeds) = (&mut moved.parameters, &mut moved.seeds);
                    self.seed(parameters, seeds, mechanism, slot, &target.parameter, &here)?;
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
        for piece in &pieces {
            self.all_set(mechanism, &piece.parameters, &piece.seeds, place)?;
        }
        Ok(pieces)
    }

    /// Refuses parameters without a value.
    pub(super) fn all_set(
        &self,
        mechanism: &Mechanism,
        parameters: &BTreeMap<String, f64>,
        seeds: &[Seeding],
        place: &str,
    ) -> Result<(), PlanError> {
        let unset = mechanism.parameters.iter().find(|p| {
            p.default.is_nan() && !parameters.contains_key(&p.name) && !seeds.iter().any(|s| s.parameter == p.name)
        });
        match unset {
            None => Ok(()),
            Some(parameter) => Err(PlanError::Unset {
                place: place.into(),
                mechanism: mechanism.name.clone(),
                parameter: parameter.name.clone(),
            }),
        }
    }

    /// Hands a parameter over to a slot.
    pub(super) fn seed(
        &self,
        parameters: &mut BTreeMap<String, f64>,
        seeds: &mut Vec<Seeding>,
        mechanism: &Mechanism,
        slot: usize,
        parameter: &str,
        place: &str,
    ) -> Result<(), PlanError> {
        let slots = &self.experiment.slots;
        if let Some(other) = seeds.iter().find(|s| s.parameter == parameter) {
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
        let painted = parameters.remove(parameter).unwrap_or(default);
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
        seeds.push(Seeding {
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
