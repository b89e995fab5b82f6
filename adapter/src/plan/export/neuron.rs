//! A plan as sections of NEURON: one per stretch of a branch whose control volumes are equally long, one segment per
//! control volume. Forks that are control volumes of their own, without membrane, are the ends of sections.
//!
//! That is exact where NEURON's segments have the same surface and the same resistance between their middles, which
//! `neuron_host.py` checks when it has built them. A mechanism covers a control volume wholly or not at all, since a segment
//! has no parts. Whatever NEURON has no counterpart for is refused by name.
//!
//! Sensitivities are carried by clones: for each slot that reaches a cell one more set of its sections, whose voltage is
//! u = ∂V/∂slot (`compiler::pass::clone_carrier`).

mod rows;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use compiler::emit::Names;
use compiler::emit::nmodl::{Simulator, name_in};
use compiler::ir::mechanism::{IonQuantity, IonRead};

use super::protocol::{PROTOCOL, ProbeRow, Quantity, Terms, Variable};
use super::{ExportError, connection_row, sample_times_ms};
use crate::experiment::Carrier;
use crate::plan::{Measured, Plan, PlannedCell, PlannedProbe, Seeding, Variant};

pub use rows::{
    CloneRow, DensityRow, ElectrodeRow, NamesRow, NeuronCell, Received, SectionQuantity, SectionRow, Sections,
    SynapseRow,
};
use shape::{sections, stretch};

/// Lengths, shares and temperatures that differ by less are the same.
const SAME: f64 = 1e-9;

/// What NEURON has no counterpart for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NeuronError {
    /// A control volume with membrane on several branches.
    #[error("cell `{cell}`: control volume {cv} spans a fork, and a segment of NEURON lies on one section")]
    Fork {
        /// The cell.
        cell: String,
        /// The control volume.
        cv: usize,
    },
    /// A mechanism on a part of a control volume.
    #[error(
        "cell `{cell}`: `{mechanism}` covers {share:.3} of control volume {cv}, and NEURON paints whole segments only"
    )]
    Partial {
        /// The cell.
        cell: String,
        /// The mechanism.
        mechanism: String,
        /// The control volume.
        cv: usize,
        /// Covered part of its membrane.
        share: f64,
    },
    /// Something that differs where NEURON knows one value only.
    #[error("{what} differs between {between}, and NEURON has one value of it for all")]
    Several {
        /// What.
        what: String,
        /// Between what.
        between: &'static str,
    },
    /// Something that cannot be there.
    #[error("{what}, which graddiff does not bring into NEURON")]
    Absent {
        /// What.
        what: String,
    },
}

fn absent(what: String) -> ExportError {
    NeuronError::Absent { what }.into()
}

impl Sections {
    /// The plan at slot values `x`, on the mechanisms of a folder, up to `t_end_ms`.
    ///
    /// # Errors
    /// [`ExportError`], with what NEURON has no counterpart for.
    pub fn new(
        plan: &Plan,
        mechanisms: &Path,
        x: &[f64],
        variant: Variant,
        t_end_ms: f64,
    ) -> Result<Self, ExportError> {
        super::check_values(plan, x)?;
        if !plan.network.gap_junctions.is_empty() {
            return Err(absent("the experiment has gap junctions".into()));
        }
        if plan.experiment.carrier == Carrier::Diffusion && !plan.slots.is_empty() {
            return Err(absent("the experiment asks for the carrier `diffusion`".into()));
        }
        if plan.control.as_ref().is_some_and(|c| c.within.is_some()) {
            return Err(absent("the law of control is in a mechanism".into()));
        }
        let time = &plan.experiment.simulation;
        let cells = plan.cells.iter().map(|cell| neuron_cell(plan, cell, x, variant));
        let mut sections = Self {
            protocol: PROTOCOL,
            experiment: plan.experiment.name.clone(),
            mechanisms: mechanisms.to_path_buf(),
            names: names(plan),
            cells: cells.collect::<Result<_, _>>()?,
            celsius: celsius(plan)?,
            globals: globals(plan)?,
            connections: plan.network.connections.iter().map(connection_row).collect(),
            events: Vec::new(),
            forgetting_per_ms: plan.experiment.forgetting_per_ms,
            record: Vec::new(),
            probes: Vec::new(),
            dt_ms: time.dt_ms,
            duration_ms: t_end_ms,
            samples_ms: sample_times_ms(time),
        };
        sections.samples_ms.retain(|t| *t < t_end_ms);
        for generator in &plan.network.generators {
            // an event acts in the step into which it falls; NEURON delivers at its start what is not later than its middle
            let starts = generator.times.before(t_end_ms).into_iter();
            sections.events.push(Received {
                to: (generator.target.cell, generator.target.target),
                weight: f64::from(generator.weight),
                times_ms: starts.map(|t| (t / time.dt_ms + 1e-9).floor() * time.dt_ms).collect(),
            });
        }
        for probe in &plan.probes {
            let value = sections.terms(plan, probe, None)?;
            let mut sensitivities = Vec::new();
            if variant == Variant::Augmented {
                for slot in 0..plan.slots.len() {
                    let reached = plan.cells[probe.cell].slots.contains(&slot);
                    sensitivities.push(match reached {
                        true => sections.terms(plan, probe, Some(slot))?,
                        false => Terms::new(),
                    });
                }
            }
            sections.probes.push(ProbeRow {
                name: probe.name.clone(),
                value,
                sensitivities,
            });
        }
        Ok(sections)
    }

    /// Adds what a probe means to what is sampled; of its sensitivities that to a slot.
    fn terms(&mut self, plan: &Plan, probe: &PlannedProbe, slot: Option<usize>) -> Result<Terms, ExportError> {
        let cell = &plan.cells[probe.cell];
        let refused = || absent(format!("probe `{}` asks for `{}`", probe.name, probe.variable));
        let variable = |state: &str| match slot {
            None => plain(state),
            Some(_) => sensitivity(state),
        };
        let cv = cell.discretisation.cv_nonempty(&probe.at);
        let one = match &probe.measured {
            Measured::Voltage { weights } => {
                let mut terms = Terms::new();
                for &(cv, weight) in weights {
                    terms.push((self.add(probe.cell, Variable::CvVoltage { cv }, cv, slot), weight));
                }
                return Ok(terms);
            }
            Measured::InertState { .. } if slot.is_some() => return Ok(Terms::new()),
            Measured::ActiveState { mechanism, state } | Measured::InertState { mechanism, state } => {
                match probe.target {
                    Some(target) => Variable::PointState {
                        target,
                        mechanism: mechanism.clone(),
                        state: variable(state),
                    },
                    None => Variable::State {
                        mechanism: mechanism.clone(),
                        state: variable(state),
                        at: (probe.at.branch, probe.at.pos),
                    },
                }
            }
            Measured::Parameter { .. } | Measured::Plain(_) if slot.is_some() => return Ok(Terms::new()),
            Measured::Parameter { mechanism, parameter } => match probe.target {
                Some(target) => Variable::PointParameter {
                    target,
                    parameter: parameter.clone(),
                },
                None => Variable::Parameter {
                    mechanism: mechanism.clone(),
                    parameter: parameter.clone(),
                    at: (probe.at.branch, probe.at.pos),
                },
            },
            Measured::Ion { .. } | Measured::Plain(_) => return Err(refused()),
        };
        Ok(vec![(self.add(probe.cell, one, cv, slot), 1.0)])
    }

    fn add(&mut self, cell: usize, of: Variable, cv: usize, slot: Option<usize>) -> usize {
        let of = Quantity { cell, of };
        self.record.push(SectionQuantity { of, cv, slot });
        self.record.len() - 1
    }
}

/// Mechanisms in NEURON, and their clones.
fn names(plan: &Plan) -> BTreeMap<String, NamesRow> {
    let mut names = BTreeMap::new();
    for (k, m) in plan.compiled.mechanisms.iter().enumerate() {
        let reversal = |r: &&IonRead| r.quantity == IonQuantity::ReversalPotential;
        let active = plan
            .compiled
            .tangents
            .get(k)
            .map(|t| t.active.as_slice())
            .unwrap_or_default();
        let row = NamesRow {
            name: name_in(m, Simulator::Neuron),
            clone: Names::augmented(&m.name),
            reversals: m
                .ion_reads
                .iter()
                .filter(reversal)
                .map(|r| m.ions[r.ion].name.clone())
                .collect(),
            sensitivities: active.iter().map(|&s| sensitivity(&m.states[s].name)).collect(),
        };
        names.insert(m.name.clone(), row);
    }
    names
}

/// A variable, and on a clone its derivative.
pub(crate) fn sensitivity(variable: &str) -> String {
    format!("d_{}", plain(variable))
}

/// NEURON's name of an element of an array.
fn plain(variable: &str) -> String {
    variable.replace('[', "_").replace(']', "")
}

fn celsius(plan: &Plan) -> Result<f64, ExportError> {
    let of = |cell: &PlannedCell| cell.discretisation.temperature_k.clone();
    let all: Vec<f64> = plan.cells.iter().flat_map(of).collect();
    let first = all.first().copied().unwrap_or(279.45);
    if all.iter().any(|t| (t - first).abs() > SAME * first) {
        return Err(several("the temperature", "parts of the cells"));
    }
    Ok(first - 273.15)
}

fn several(what: &str, between: &'static str) -> ExportError {
    let what = what.to_string();
    NeuronError::Several { what, between }.into()
}

fn globals(plan: &Plan) -> Result<BTreeMap<String, BTreeMap<String, f64>>, ExportError> {
    let first = plan.cells.first().map(|c| c.globals.clone()).unwrap_or_default();
    if let Some(other) = plan.cells.iter().find(|c| c.globals != first) {
        let named = |cell: &BTreeMap<String, BTreeMap<String, f64>>| cell.keys().next().cloned();
        let mechanism = named(&first).or_else(|| named(&other.globals)).unwrap_or_default();
        return Err(several(&format!("a GLOBAL parameter of `{mechanism}`"), "cells"));
    }
    Ok(first)
}

fn neuron_cell(plan: &Plan, cell: &PlannedCell, x: &[f64], variant: Variant) -> Result<NeuronCell, ExportError> {
    let refuse = |what: &str| Err(absent(format!("cell `{}` has {what}", cell.name)));
    if !cell.junctions.is_empty() {
        return refuse("sites of gap junctions");
    }
    if let Some(ion) = cell.methods.keys().next() {
        return refuse(&format!("a mechanism that computes the reversal potential of `{ion}`"));
    }
    if let Some(piece) = cell.pieces.iter().find(|p| p.voltage) {
        return refuse(&format!("the voltage process `{}`", piece.mechanism));
    }
    if let Some((ion, _)) = cell.ions.iter().find(|(_, ion)| ion.diffusivity_m2_per_s > 0.0) {
        return refuse(&format!("the diffusing ion `{ion}`"));
    }
    check_ions(plan, cell)?;
    let d = &cell.discretisation;
    let membranes: Vec<usize> = (0..d.n_cvs()).filter(|&cv| d.area_um2[cv] > 0.0).collect();
    (0..d.n_cvs()).try_for_each(|cv| stretch(cell, cv).map(|_| ()))?;
    let densities = densities(plan, cell, x)?;
    let (sections, places) = sections(cell, &densities)?;
    let of = |values: &[f64]| membranes.iter().map(|&cv| values[cv]).collect::<Vec<f64>>();
    let synapse = |point: &crate::plan::PlannedPoint| SynapseRow {
        mechanism: point.mechanism.clone(),
        cv: d.cv_nonempty(&point.at),
        parameters: {
            let mut parameters = point.parameters.clone();
            let moved = point.seeds.iter().map(|s| (s.parameter.clone(), s.slope * x[s.slot]));
            parameters.extend(moved);
            parameters
        },
    };
    let clamp = |c: &host_shim::IClamp| ElectrodeRow {
        cv: d.cv_nonempty(&c.at),
        envelope: c.envelope.clone(),
        frequency_khz: c.frequency_khz,
        phase_rad: c.phase_rad,
    };
    let clones = match cell.variant(variant) {
        Variant::Plain => Vec::new(),
        Variant::Augmented => clones(cell, &densities)?,
    };
    Ok(NeuronCell {
        name: cell.name.clone(),
        sections,
        places,
        parents: membranes.iter().map(|&cv| d.parent[cv]).collect(),
        area_um2: of(&d.area_um2),
        resistance_mohm: membranes.iter().map(|&cv| resistance(d.g_face_us[cv])).collect(),
        // pF/µm² are 100 µF/cm²
        cm_uf_per_cm2: membranes
            .iter()
            .map(|&cv| 100.0 * d.cap_pf[cv] / d.area_um2[cv])
            .collect(),
        v_init_mv: d.v_init_mv.clone(),
        membranes,
        reversal_mv: cell.ions.iter().map(|(name, ion)| (name.clone(), ion.rev_mv)).collect(),
        densities,
        synapses: cell.synapses.iter().map(synapse).collect(),
        clamps: cell.clamps.iter().map(clamp).collect(),
        detectors: cell
            .detectors
            .iter()
            .map(|x| (d.cv_empty(&x.at), x.threshold_mv))
            .collect(),
        clones,
    })
}

fn resistance(g_us: f64) -> f64 {
    if g_us > 0.0 { 1.0 / g_us } else { 0.0 }
}

/// Mechanisms may exchange currents and read constant reversal potentials; what else they have with ions is not brought
/// into NEURON, whose own rules for concentrations are others.
fn check_ions(plan: &Plan, cell: &PlannedCell) -> Result<(), ExportError> {
    let here: BTreeSet<&str> = cell.pieces.iter().map(|p| p.mechanism.as_str()).collect();
    for m in plan
        .compiled
        .mechanisms
        .iter()
        .filter(|m| here.contains(m.name.as_str()))
    {
        let reads = m
            .ion_reads
            .iter()
            .find(|r| r.quantity != IonQuantity::ReversalPotential);
        if let Some(read) = reads {
            let ion = &m.ions[read.ion].name;
            return Err(absent(format!(
                "`{}` reads more of ion `{ion}` than its reversal potential",
                m.name
            )));
        }
        if let Some(held) = m.concentrations.first() {
            let ion = &m.ions[held.ion].name;
            return Err(absent(format!("`{}` sets a concentration of ion `{ion}`", m.name)));
        }
    }
    Ok(())
}

/// Averages over control volumes, as the hosts take them; a constant stays what it is.
fn average(parts: &[(f64, f64)]) -> f64 {
    match parts {
        [] => f64::NAN,
        [(_, first), rest @ ..] if rest.iter().all(|(_, v)| v.to_bits() == first.to_bits()) => *first,
        _ => {
            let area: f64 = parts.iter().map(|(a, _)| a).sum();
            parts.iter().map(|(a, v)| a * v).sum::<f64>() / area
        }
    }
}

/// By control volume: the pieces of a mechanism on it, with the area of each.
fn covered(cell: &PlannedCell, mechanism: &str) -> Result<BTreeMap<usize, Vec<(f64, usize)>>, ExportError> {
    let d = &cell.discretisation;
    let mut parts: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (k, piece) in cell.pieces.iter().enumerate().filter(|(_, p)| p.mechanism == mechanism) {
        for (cv, area) in d.overlap(&cell.morphology, &piece.cables) {
            parts.entry(cv).or_default().push((area, k));
        }
    }
    for (&cv, of) in &parts {
        let share = of.iter().map(|(area, _)| area).sum::<f64>() / d.area_um2[cv];
        if (share - 1.0).abs() > 1e-6 {
            return Err(NeuronError::Partial {
                cell: cell.name.clone(),
                mechanism: mechanism.into(),
                cv,
                share,
            }
            .into());
        }
    }
    Ok(parts)
}

fn densities(plan: &Plan, cell: &PlannedCell, x: &[f64]) -> Result<Vec<DensityRow>, ExportError> {
    let names: BTreeSet<&str> = cell.pieces.iter().map(|p| p.mechanism.as_str()).collect();
    let mut rows = Vec::new();
    for name in names {
        let parts = covered(cell, name)?;
        let Some(m) = plan.compiled.mechanisms.iter().find(|m| m.name == name) else {
            continue;
        };
        let mut parameters = BTreeMap::new();
        for field in &m.parameters {
            let own = |k: usize| {
                let piece = &cell.pieces[k];
                let moved = piece.seeds.iter().find(|s| s.parameter == field.name);
                let moved = moved.map(|s| s.slope * x[s.slot]);
                moved.or_else(|| piece.parameters.get(&field.name).copied())
            };
            let given = parts.values().flatten().any(|&(_, k)| own(k).is_some());
            if given {
                let value = |of: &Vec<(f64, usize)>| {
                    let values: Vec<(f64, f64)> = of
                        .iter()
                        .map(|&(area, k)| (area, own(k).unwrap_or(field.default)))
                        .collect();
                    average(&values)
                };
                parameters.insert(field.name.clone(), parts.values().map(value).collect());
            }
        }
        rows.push(DensityRow {
            mechanism: name.into(),
            cvs: parts.keys().copied().collect(),
            parameters,
        });
    }
    Ok(rows)
}

fn clones(cell: &PlannedCell, densities: &[DensityRow]) -> Result<Vec<CloneRow>, ExportError> {
    let mut rows = Vec::new();
    for &slot in &cell.slots {
        let own = |seeds: &[Seeding]| -> BTreeSet<String> {
            seeds
                .iter()
                .filter(|s| s.slot == slot)
                .map(|s| s.parameter.clone())
                .collect()
        };
        let slope = |seeds: &[Seeding], parameter: &str| -> f64 {
            let of = seeds.iter().filter(|s| s.slot == slot && s.parameter == parameter);
            of.map(|s| s.slope).sum()
        };
        let mut clone = CloneRow {
            slot,
            densities: Vec::new(),
            synapses: Vec::new(),
        };
        for (k, row) in densities.iter().enumerate() {
            let of = |p: &&crate::plan::Piece| p.mechanism == row.mechanism;
            let moved: BTreeSet<String> = cell.pieces.iter().filter(of).flat_map(|p| own(&p.seeds)).collect();
            let parts = covered(cell, &row.mechanism)?;
            for parameter in moved {
                let value = |of: &Vec<(f64, usize)>| {
                    let values: Vec<(f64, f64)> = of
                        .iter()
                        .map(|&(area, k)| (area, slope(&cell.pieces[k].seeds, &parameter)))
                        .collect();
                    average(&values)
                };
                let values = parts.values().map(value).collect();
                clone.densities.push((k, parameter.clone(), values));
            }
        }
        for (k, point) in cell.synapses.iter().enumerate() {
            let moved = own(&point.seeds).into_iter();
            clone
                .synapses
                .extend(moved.map(|p| (k, p.clone(), slope(&point.seeds, &p))));
        }
        rows.push(clone);
    }
    Ok(rows)
}
