//! A plan as data for a simulator in another process: a [`Request`] goes in, a [`Run`] comes back, in parts.
//!
//! Neutral where simulators agree (shapes, paintings, times), Arbor's where somebody must decide: numbers of branches,
//! positions on them, CVs and the S-expression of the CV policy. Units are in the names; numbers survive the trip to
//! the last bit. The Python side for Arbor is `hosts/arbor_host.py`.

mod controlled;
mod neuron;
mod protocol;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use host_shim::{CvPolicy, EventTimes, ProbeKind, PropertyMap, Schedule};

use super::describe::{Variant, describe};
use super::{Plan, PlannedCell};
use crate::control::Traces;

pub(crate) use neuron::sensitivity;
pub use neuron::{
    CloneRow, DensityRow, ElectrodeRow, NamesRow, NeuronCell, NeuronError, Received, SectionQuantity, SectionRow,
    Sections, SynapseRow,
};
pub use protocol::{
    Address, Advanced, Answer, CableRow, CellRow, Changes, ClampRow, ConnectionRow, DetectorRow, Failure, GapRow,
    GeneratorRow, Hello, IonRow, MethodRow, Numbers, PROTOCOL, PaintRow, Place, PointRow, ProbeRow, Property, Quantity,
    Question, Request, Run, SegmentRow, Start, Terms, Times, Variable,
};

/// A plan that cannot be put into a request, or an answer that does not fit it.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ExportError {
    /// The number of slot values is wrong.
    #[error("{found} slot values for {expected} slots")]
    Slots {
        /// Given.
        found: usize,
        /// Wanted.
        expected: usize,
    },
    /// JSON has no such numbers.
    #[error("the value of slot `{slot}` is {value}; it must be finite")]
    NotFinite {
        /// The slot.
        slot: String,
        /// Its value.
        value: f64,
    },
    /// Arbor knows one charge number per ion for all cells.
    #[error("ion `{ion}` has valence {first} on one cell and {second} on cell `{cell}`; give it one valence")]
    Valence {
        /// The ion.
        ion: String,
        /// On an earlier cell.
        first: i32,
        /// On this one.
        second: i32,
        /// Name of the cell.
        cell: String,
    },
    /// NEURON has nothing that does this.
    #[error(transparent)]
    Neuron(#[from] NeuronError),
    /// An answer does not have the shape that was asked for.
    #[error("the host answered with {found} {what}, {expected} were asked for")]
    Shape {
        /// Of what.
        what: &'static str,
        /// In the answer.
        found: usize,
        /// In the request.
        expected: usize,
    },
}

impl Request {
    /// The plan at slot values `x`, on the mechanisms of `catalogue`.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn new(plan: &Plan, catalogue: &Path, x: &[f64], variant: Variant) -> Result<Self, ExportError> {
        check_values(plan, x)?;
        let mut valences = BTreeMap::new();
        let mut cells = Vec::new();
        for planned in &plan.cells {
            let description = describe(plan, planned, x, variant);
            for (name, ion) in &description.ions {
                let first = *valences.entry(name.clone()).or_insert(ion.valence);
                if first != ion.valence {
                    let (ion, second, cell) = (name.clone(), ion.valence, planned.name.clone());
                    return Err(ExportError::Valence {
                        ion,
                        first,
                        second,
                        cell,
                    });
                }
            }
            cells.push(cell_row(&planned.name, description));
        }
        let time = &plan.experiment.simulation;
        let mut request = Self {
            protocol: PROTOCOL,
            experiment: plan.experiment.name.clone(),
            catalogue: catalogue.to_path_buf(),
            valences,
            cells,
            groups: plan.groups.clone(),
            connections: plan.network.connections.iter().map(connection_row).collect(),
            gap_junctions: plan.network.gap_junctions.iter().map(gap_row).collect(),
            generators: plan.network.generators.iter().map(generator_row).collect(),
            seed: plan.network.seed,
            coalesce_synapses: plan.coalesces(),
            threads: 1,
            record: Vec::new(),
            probes: Vec::new(),
            dt_ms: time.dt_ms,
            duration_ms: time.duration_ms,
            samples_ms: sample_times_ms(time),
        };
        for probe in &plan.probes {
            let cell = &plan.cells[probe.cell];
            let own = cell.variant(variant);
            let mut terms = |kind| request.terms(probe.cell, cell, own, kind);
            let value = terms(plan.value_probe(probe, variant));
            let sensitivities = match variant {
                Variant::Plain => Vec::new(),
                Variant::Augmented => {
                    let of_slot = |slot| plan.sensitivity_probe(probe, slot).map(&mut terms).unwrap_or_default();
                    (0..plan.slots.len()).map(of_slot).collect()
                }
            };
            request.probes.push(ProbeRow {
                name: probe.name.clone(),
                value,
                sensitivities,
            });
        }
        Ok(request)
    }

    /// Adds what a probe of the shim means to the list of what is sampled.
    fn terms(&mut self, index: usize, cell: &PlannedCell, variant: Variant, kind: ProbeKind) -> Terms {
        let place = |at: host_shim::Location| (at.branch, at.pos);
        let of = match kind {
            ProbeKind::Voltage { at } if self.leads_group(index) => Variable::Voltage { at: place(at) },
            ProbeKind::Voltage { at } => {
                let weights = cell
                    .discretisation
                    .voltage_weights(&cell.morphology, &cell.properties, &at);
                return self.sum(index, weights, |cv| Some(Variable::CvVoltage { cv }));
            }
            ProbeKind::CvVoltage { cv } => Variable::CvVoltage { cv },
            ProbeKind::State { mechanism, state, at } => Variable::State {
                mechanism,
                state,
                at: place(at),
            },
            ProbeKind::Parameter {
                mechanism,
                parameter,
                at,
            } => Variable::Parameter {
                mechanism,
                parameter,
                at: place(at),
            },
            ProbeKind::MembraneCurrent { at } => Variable::MembraneCurrent { at: place(at) },
            ProbeKind::IonCurrent { ion, at } => Variable::IonCurrent { ion, at: place(at) },
            ProbeKind::IonReversal { ion, at } => Variable::IonReversal { ion, at: place(at) },
            ProbeKind::IonInternal { ion, at } => Variable::IonInternal { ion, at: place(at) },
            ProbeKind::IonExternal { ion, at } => Variable::IonExternal { ion, at: place(at) },
            ProbeKind::IonDiffusive { ion, at } => Variable::IonDiffusive { ion, at: place(at) },
            ProbeKind::PointState { target, state } => Variable::PointState {
                target,
                mechanism: variant.name(&cell.synapses[target].mechanism),
                state,
            },
            ProbeKind::PointParameter { target, parameter } => Variable::PointParameter { target, parameter },
            ProbeKind::IonInternalInterpolated { ion, weights } => {
                let at_cv = |cv| {
                    Some(Variable::IonInternal {
                        ion: ion.clone(),
                        at: inside(cell, cv)?,
                    })
                };
                return self.sum(index, weights, at_cv);
            }
        };
        self.record.push(Quantity { cell: index, of });
        vec![(self.record.len() - 1, 1.0)]
    }

    /// A sum over CVs.
    fn sum(&mut self, cell: usize, weights: Terms, of: impl Fn(usize) -> Option<Variable>) -> Terms {
        let mut terms = Terms::new();
        for (cv, weight) in weights {
            if let Some(of) = of(cv) {
                terms.push((self.record.len(), weight));
                self.record.push(Quantity { cell, of });
            }
        }
        terms
    }

    /// Arbor 0.12.2 interpolates the voltage of every cell of a group with the resistivity of the first, and fails if
    /// that has fewer branches (`fvm_interpolate_voltage`); the others' voltages are put together from CVs.
    fn leads_group(&self, cell: usize) -> bool {
        self.groups.iter().any(|members| members.first() == Some(&cell))
    }

    /// The same simulation, up to `t_end_ms`.
    #[must_use]
    pub fn until(mut self, t_end_ms: f64) -> Self {
        self.duration_ms = t_end_ms;
        self.samples_ms.retain(|t| *t < t_end_ms);
        self
    }
}

impl Request {
    /// [`traces`] of this request.
    ///
    /// # Errors
    /// As [`traces`].
    pub fn traces(&self, run: &Run) -> Result<Traces, ExportError> {
        traces(&self.probes, self.record.len(), run)
    }
}

/// The experiment's probes, from what the host sampled of `quantities`, all of the run or its beginning.
///
/// # Errors
/// [`ExportError::Shape`] if the samples belong to another request.
pub fn traces(probes: &[ProbeRow], quantities: usize, run: &Run) -> Result<Traces, ExportError> {
    let shape = |what, found, expected| {
        if found == expected {
            Ok(())
        } else {
            Err(ExportError::Shape { what, found, expected })
        }
    };
    shape("quantities", run.values.len(), quantities)?;
    run.values
        .iter()
        .try_for_each(|samples| shape("samples", samples.len(), run.times_ms.len()))?;
    let n_slots = probes.first().map_or(0, |p| p.sensitivities.len());
    let mut traces = Traces {
        n_probes: probes.len(),
        n_slots,
        ..Traces::default()
    };
    traces.times_ms.clone_from(&run.times_ms);
    for sample in 0..run.times_ms.len() {
        let sum = |terms: &Terms| {
            terms
                .iter()
                .map(|&(i, weight)| weight * run.values[i][sample])
                .sum::<f64>()
        };
        traces.values.extend(probes.iter().map(|p| sum(&p.value)));
        traces
            .sens
            .extend(probes.iter().flat_map(|p| &p.sensitivities).map(sum));
    }
    Ok(traces)
}

/// The experiment's sample times, ms. Where the interval is a whole number of steps, each falls into the middle of its
/// step: at the edge itself, rounding would take some samples one step early (host-numerics.md §3.9).
pub fn sample_times_ms(time: &crate::experiment::Simulation) -> Vec<f64> {
    let steps = time.sample_every_ms / time.dt_ms;
    let whole = (steps - steps.round()).abs() <= 1e-6 && steps >= 0.5;
    let (interval, shift, last) = if whole {
        (
            steps.round() * time.dt_ms,
            0.5 * time.dt_ms,
            time.duration_ms - 0.25 * time.dt_ms,
        )
    } else {
        (time.sample_every_ms, 0.0, time.duration_ms)
    };
    let mut times = Vec::new();
    let mut k = 0.0;
    while k * interval < last {
        times.push(k * interval + shift);
        k += 1.0;
    }
    times
}

/// As many slot values as slots, all finite.
fn check_values(plan: &Plan, x: &[f64]) -> Result<(), ExportError> {
    if x.len() != plan.slots.len() {
        return Err(ExportError::Slots {
            found: x.len(),
            expected: plan.slots.len(),
        });
    }
    if let Some((slot, &value)) = plan.slots.iter().zip(x).find(|(_, value)| !value.is_finite()) {
        return Err(ExportError::NotFinite {
            slot: slot.name.clone(),
            value,
        });
    }
    Ok(())
}

/// A place inside a CV that has a length.
pub fn inside(cell: &PlannedCell, cv: usize) -> Option<Place> {
    let cable = cell.discretisation.cables.get(cv)?.iter().find(|c| c.prox < c.dist)?;
    Some((cable.branch, 0.5 * (cable.prox + cable.dist)))
}

fn cable_row(cable: &host_shim::Cable) -> CableRow {
    (cable.branch, cable.prox, cable.dist)
}

fn cell_row(name: &str, cell: host_shim::CellDescription) -> CellRow {
    let corner = |p: host_shim::Point| [p.x, p.y, p.z, p.radius];
    let place = |at: host_shim::Location| (at.branch, at.pos);
    let property = |map: &PropertyMap| Property {
        default: map.default_value(),
        painted: map
            .painted()
            .iter()
            .map(|(cable, value)| (cable_row(cable), *value))
            .collect(),
    };
    let ion = |ion: host_shim::IonProperties| IonRow {
        internal_mm: ion.int_mm,
        external_mm: ion.ext_mm,
        reversal_mv: ion.rev_mv,
        diffusivity_m2_per_s: ion.diffusivity_m2_per_s,
        reversal_method: ion.reversal_method.map(|method| MethodRow {
            mechanism: method.mechanism,
            parameters: method.parameters,
        }),
    };
    let segment = |s: &host_shim::Segment| SegmentRow {
        parent: s.parent,
        prox: corner(s.prox),
        dist: corner(s.dist),
        tag: s.tag,
    };
    let paint = |d: host_shim::DensityPaint| PaintRow {
        mechanism: d.mechanism,
        cables: d.cables.iter().map(cable_row).collect(),
        parameters: d.parameters,
    };
    let clamp = |c: host_shim::IClamp| ClampRow {
        at: place(c.at),
        envelope: c.envelope,
        frequency_khz: c.frequency_khz,
        phase_rad: c.phase_rad,
    };
    let detector = |d: host_shim::Detector| DetectorRow {
        at: place(d.at),
        threshold_mv: d.threshold_mv,
    };
    let site = |j: host_shim::JunctionPlacement| PointRow {
        mechanism: j.mechanism,
        at: place(j.at),
        parameters: j.parameters,
    };
    let mut synapses = Vec::new();
    for s in cell.synapses {
        synapses.extend(s.at.iter().map(|&at| PointRow {
            mechanism: s.mechanism.clone(),
            at: place(at),
            parameters: s.parameters.clone(),
        }));
    }
    CellRow {
        name: name.to_string(),
        segments: cell.morphology.segment_tree().segments().iter().map(segment).collect(),
        cv_policy: policy(&cell.policy),
        v_init_mv: property(&cell.properties.v_init_mv),
        temperature_k: property(&cell.properties.temperature_k),
        rl_ohm_cm: property(&cell.properties.rl_ohm_cm),
        cm_f_per_m2: property(&cell.properties.cm_f_per_m2),
        ions: cell
            .ions
            .into_iter()
            .map(|(name, properties)| (name, ion(properties)))
            .collect(),
        paint: cell.densities.into_iter().map(paint).collect(),
        voltage_processes: cell.voltage_processes.into_iter().map(paint).collect(),
        synapses,
        junctions: cell.junctions.into_iter().map(site).collect(),
        globals: cell.globals,
        clamps: cell.clamps.into_iter().map(clamp).collect(),
        detectors: cell.detectors.into_iter().map(detector).collect(),
    }
}

fn connection_row(c: &host_shim::Connection) -> ConnectionRow {
    ConnectionRow {
        from: (c.source_cell, c.detector),
        to: (c.target.cell, c.target.target),
        weight: f64::from(c.weight),
        delay_ms: f64::from(c.delay_ms),
    }
}

fn gap_row(g: &host_shim::GapJunction) -> GapRow {
    GapRow {
        local: (g.local_cell, g.local_site),
        peer: (g.peer_cell, g.peer_site),
        weight: g.weight,
    }
}

fn generator_row(g: &host_shim::Generator) -> GeneratorRow {
    // JSON has no infinity
    let end = |stop_ms: f64| stop_ms.is_finite().then_some(stop_ms);
    let times = match &g.times {
        EventTimes::Schedule(Schedule::Regular {
            start_ms,
            step_ms,
            stop_ms,
        }) => Times::Regular {
            start_ms: *start_ms,
            interval_ms: *step_ms,
            stop_ms: end(*stop_ms),
        },
        EventTimes::Schedule(Schedule::Explicit(times_ms)) => Times::Explicit {
            times_ms: times_ms.clone(),
        },
        // the plan makes none of these
        EventTimes::Schedule(Schedule::EveryStep) => Times::Explicit { times_ms: Vec::new() },
        EventTimes::Poisson {
            start_ms,
            rate_per_ms,
            seed,
            stop_ms,
        } => Times::Poisson {
            start_ms: *start_ms,
            rate_per_ms: *rate_per_ms,
            seed: *seed,
            stop_ms: end(*stop_ms),
        },
    };
    GeneratorRow {
        to: (g.target.cell, g.target.target),
        weight: f64::from(g.weight),
        times,
    }
}

/// Arbor's S-expression of a policy. `{:?}` prints the shortest number that reads back the same.
fn policy(policy: &CvPolicy) -> String {
    let flag = |interior_forks: bool| {
        if interior_forks {
            " (all) (flag-interior-forks)"
        } else {
            ""
        }
    };
    match policy {
        CvPolicy::Single => "(single)".into(),
        CvPolicy::FixedPerBranch { n, interior_forks } => format!("(fixed-per-branch {n}{})", flag(*interior_forks)),
        CvPolicy::MaxExtent { um, interior_forks } => format!("(max-extent {um:?}{})", flag(*interior_forks)),
        CvPolicy::EverySegment => "(every-segment)".into(),
        CvPolicy::Explicit(at) => {
            let mut places: Vec<String> = Vec::new();
            for place in at {
                let place = format!("(location {} {:?})", place.branch, place.pos);
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            match places.as_slice() {
                [] => "(explicit (locset-nil))".into(),
                [place] => format!("(explicit {place})"),
                // Arbor 0.12.2 takes a `join` here for one of policies, and fails
                _ => format!("(explicit (sum {}))", places.join(" ")),
            }
        }
    }
}
