//! Things at a place: point processes, sites of gap junctions, clamps, detectors.

use std::collections::BTreeMap;

use host_shim::{Cable, Detector, IClamp, Location};

use super::PlanError;
use super::cell::{Cx, Seeding, geometry};
use super::sources::Kind;
use crate::experiment::{self, Placement, Uniform};
use crate::random::{SplitMix64, derived};

/// More places than this under one label are a slip of the pen.
const MAX_PLACES: usize = 1_000_000;

/// A point process, or a site of gap junctions.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPoint {
    /// Label.
    pub label: String,
    /// Number among the places of the label.
    pub number: usize,
    /// The mechanism's name in its source.
    pub mechanism: String,
    /// Where.
    pub at: Location,
    /// Parameters that no slot moves.
    pub parameters: BTreeMap<String, f64>,
    /// Parameters that slots move.
    pub seeds: Vec<Seeding>,
}

/// What `synapses` and `junctions` have in common.
struct Given<'a> {
    label: &'a str,
    mechanism: &'a str,
    at: &'a Placement,
    parameters: &'a BTreeMap<String, f64>,
    kind: Kind,
    place: String,
}

/// True if `reference` is `label`, or `label[number]`.
fn names(reference: &str, label: &str, number: usize) -> bool {
    match reference.strip_prefix(label) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('[').and_then(|r| r.strip_suffix(']')) == Some(number.to_string().as_str()),
        None => false,
    }
}

/// Positions of the places that `label` or `label[i]` means.
pub(super) fn find(
    points: &[PlannedPoint],
    reference: &str,
    what: &'static str,
    place: &str,
) -> Result<Vec<usize>, PlanError> {
    let found: Vec<usize> = points
        .iter()
        .enumerate()
        .filter(|(_, p)| names(reference, &p.label, p.number))
        .map(|(i, _)| i)
        .collect();
    if found.is_empty() {
        let mut known: Vec<String> = points.iter().map(|p| p.label.clone()).collect();
        known.dedup();
        return Err(PlanError::Unknown {
            place: place.into(),
            what,
            name: reference.into(),
            known,
        });
    }
    Ok(found)
}

impl Cx<'_> {
    pub(super) fn synapses(
        &self,
        globals: &mut BTreeMap<String, BTreeMap<String, f64>>,
    ) -> Result<Vec<PlannedPoint>, PlanError> {
        let given = self.cell.synapses.iter().enumerate().map(|(i, s)| Given {
            label: &s.label,
            mechanism: &s.mechanism,
            at: &s.at,
            parameters: &s.parameters,
            kind: Kind::Point,
            place: format!("{}.synapses[{i}]", self.place),
        });
        self.points(given, "synapse", globals)
    }

    pub(super) fn junctions(
        &self,
        globals: &mut BTreeMap<String, BTreeMap<String, f64>>,
    ) -> Result<Vec<PlannedPoint>, PlanError> {
        let given = self.cell.junctions.iter().enumerate().map(|(i, j)| Given {
            label: &j.label,
            mechanism: &j.mechanism,
            at: &j.at,
            parameters: &j.parameters,
            kind: Kind::Junction,
            place: format!("{}.junctions[{i}]", self.place),
        });
        self.points(given, "junction", globals)
    }

    fn points<'a>(
        &self,
        given: impl Iterator<Item = Given<'a>>,
        what: &'static str,
        globals: &mut BTreeMap<String, BTreeMap<String, f64>>,
    ) -> Result<Vec<PlannedPoint>, PlanError> {
        let mut points: Vec<PlannedPoint> = Vec::new();
        for given in given {
            let place = &given.place;
            check_label(given.label, place)?;
            if points.iter().any(|p| p.label == given.label) {
                return Err(PlanError::Duplicate {
                    place: place.clone(),
                    what,
                    name: given.label.into(),
                });
            }
            let mechanism = self.mechanism(given.mechanism, &format!("{place}.mechanism"))?;
            self.of_kind(mechanism, &[given.kind], place)?;
            let ranged = self.split_globals(mechanism, given.parameters, globals, place)?;
            for (number, at) in self.places(given.at, &format!("{place}.at"))?.into_iter().enumerate() {
                let (mut parameters, mut seeds) = (ranged.clone(), Vec::new());
                for (slot, target, here) in self.targets(&mechanism.name) {
                    let meant = target.synapse.as_ref().is_none_or(|s| names(s, given.label, number));
                    if meant && holds(&self.cables(&target.region, &here)?, &at) {
                        self.seed(&mut parameters, &mut seeds, mechanism, slot, &target.parameter, &here)?;
                    }
                }
                self.all_set(mechanism, &parameters, &seeds, place)?;
                points.push(PlannedPoint {
                    label: given.label.into(),
                    number,
                    mechanism: mechanism.name.clone(),
                    at,
                    parameters,
                    seeds,
                });
            }
        }
        Ok(points)
    }

    fn places(&self, at: &Placement, place: &str) -> Result<Vec<Location>, PlanError> {
        match at {
            Placement::One(at) => Ok(vec![self.location(*at, place)?]),
            Placement::Several(all) if all.is_empty() => Err(PlanError::Empty {
                place: place.into(),
                what: "a place",
            }),
            Placement::Several(all) => all.iter().map(|&at| self.location(at, place)).collect(),
            Placement::Uniform(uniform) => self.uniform(uniform, place),
        }
    }

    fn uniform(&self, uniform: &Uniform, place: &str) -> Result<Vec<Location>, PlanError> {
        if !(1..=MAX_PLACES).contains(&uniform.count) {
            return Err(PlanError::Value {
                place: format!("{place}.count"),
                value: uniform.count as f64,
                rule: "at least 1 and at most a million",
            });
        }
        let cables = self.cables(&uniform.region, place)?;
        let lengths: Vec<f64> = cables.iter().map(|c| self.morphology.length_um(c)).collect();
        let total: f64 = lengths.iter().sum();
        let (Some(last), true) = (cables.last(), total > 0.0) else {
            return Err(PlanError::NoLength {
                place: format!("{place}.region"),
            });
        };
        let mut stream = SplitMix64::new(derived(uniform.seed, self.number));
        let mut drawn: Vec<Location> = (0..uniform.count)
            .map(|_| {
                let mut rest = stream.unit() * total;
                for (cable, &length) in cables.iter().zip(&lengths) {
                    if rest < length {
                        let pos = cable.prox + rest / length * (cable.dist - cable.prox);
                        return Location::new(cable.branch, pos.min(cable.dist));
                    }
                    rest -= length;
                }
                Location::new(last.branch, last.dist)
            })
            .collect();
        drawn.sort_by(|a, b| a.branch.cmp(&b.branch).then(a.pos.total_cmp(&b.pos)));
        Ok(drawn)
    }

    fn location(&self, at: experiment::Location, place: &str) -> Result<Location, PlanError> {
        let at = Location::new(at.branch, at.pos);
        self.morphology
            .check_location(&at)
            .map_err(geometry(place.to_string()))?;
        Ok(at)
    }

    pub(super) fn clamps(&self) -> Result<Vec<IClamp>, PlanError> {
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

    /// Detectors, and their labels.
    pub(super) fn detectors(&self) -> Result<(Vec<Detector>, Vec<Option<String>>), PlanError> {
        let (mut detectors, mut labels) = (Vec::new(), Vec::new());
        for (i, d) in self.cell.detectors.iter().enumerate() {
            let place = format!("{}.detectors[{i}]", self.place);
            if let Some(label) = &d.label {
                check_label(label, &place)?;
                if labels.contains(&d.label) {
                    return Err(PlanError::Duplicate {
                        place,
                        what: "detector",
                        name: label.clone(),
                    });
                }
            }
            detectors.push(Detector {
                at: self.location(d.at, &place)?,
                threshold_mv: d.threshold_mv,
            });
            labels.push(d.label.clone());
        }
        Ok((detectors, labels))
    }
}

fn check_label(label: &str, place: &str) -> Result<(), PlanError> {
    let letters = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if label.is_empty() || !label.chars().all(letters) {
        return Err(PlanError::BadLabel {
            place: place.into(),
            label: label.into(),
        });
    }
    Ok(())
}

fn holds(cables: &[Cable], at: &Location) -> bool {
    cables
        .iter()
        .any(|c| c.branch == at.branch && (c.prox..=c.dist).contains(&at.pos))
}
