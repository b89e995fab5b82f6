//! A planned cell as any host paints it: mechanisms plain or with sensitivities, parameters and seeds at given slot values,
//! the carrier and its ions, the forgetting rate. The one place that knows what the generated mechanisms need.

use std::collections::BTreeMap;

use compiler::emit::{Names, carrier};
use host_shim::{CellDescription, DensityPaint, IonProperties, JunctionPlacement, ReversalMethod, SynapsePlacement};

use super::{Plan, PlannedCell, PlannedMethod, Seeding};

/// Which of a catalogue's mechanisms run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// As in the sources.
    Plain,
    /// With sensitivities, and the carrier beside them.
    Augmented,
}

impl Variant {
    /// Name under which a mechanism is painted.
    pub fn name(self, mechanism: &str) -> String {
        match self {
            Variant::Plain => mechanism.to_string(),
            Variant::Augmented => Names::augmented(mechanism),
        }
    }
}

/// The cell with slot values `x`, one per slot of the plan, in a simulation with or without sensitivities (`wanted`).
pub(crate) fn describe(plan: &Plan, cell: &PlannedCell, x: &[f64], wanted: Variant) -> CellDescription {
    let variant = cell.variant(wanted);
    let writer = Writer { plan, x, variant };
    let mut description = CellDescription::new(cell.morphology.clone(), cell.policy.clone());
    description.properties = cell.properties.clone();
    description.ions = cell.ions.clone();
    description.clamps = cell.clamps.clone();
    description.detectors = cell.detectors.clone();
    description.globals = cell
        .globals
        .iter()
        .map(|(m, values)| (variant.name(m), values.clone()))
        .collect();
    for piece in &cell.pieces {
        let mut paint = DensityPaint::new(variant.name(&piece.mechanism), piece.cables.clone());
        paint.parameters = writer.parameters(&piece.parameters, &piece.seeds);
        let list = if piece.voltage {
            &mut description.voltage_processes
        } else {
            &mut description.densities
        };
        list.push(paint);
    }
    description.coalesce_synapses = plan.coalesces();
    for point in &cell.synapses {
        description.synapses.push(SynapsePlacement {
            mechanism: variant.name(&point.mechanism),
            at: vec![point.at],
            parameters: writer.parameters(&point.parameters, &point.seeds),
        });
    }
    for site in &cell.junctions {
        description.junctions.push(JunctionPlacement {
            mechanism: variant.name(&site.mechanism),
            at: site.at,
            parameters: writer.parameters(&site.parameters, &site.seeds),
        });
    }
    for (ion, method) in &cell.methods {
        if let Some(ion) = description.ions.get_mut(ion) {
            ion.reversal_method = Some(ReversalMethod {
                mechanism: method_name(plan, method, variant),
                parameters: writer.parameters(&method.parameters, &method.seeds),
            });
        }
    }
    if variant == Variant::Augmented {
        carry(plan, cell, &mut description);
    }
    description
}

/// What parameters depend on.
struct Writer<'a> {
    plan: &'a Plan,
    x: &'a [f64],
    variant: Variant,
}

impl Writer<'_> {
    /// Parameters, those that slots move, and their seeds.
    fn parameters(&self, fixed: &BTreeMap<String, f64>, seeds: &[Seeding]) -> BTreeMap<String, f64> {
        let mut parameters = fixed.clone();
        for seed in seeds {
            parameters.insert(seed.parameter.clone(), seed.slope * self.x[seed.slot]);
            if self.variant == Variant::Augmented {
                let slot = &self.plan.slots[seed.slot].in_catalogue;
                parameters.insert(Names::seed(&seed.parameter, slot), seed.slope);
            }
        }
        parameters
    }
}

/// The full name of a reversal potential mechanism: base, ions bound anew, globals. With sensitivities, the tangents of
/// an ion are bound as it is.
pub(crate) fn method_name(plan: &Plan, method: &PlannedMethod, variant: Variant) -> String {
    let tangent = &plan.compiled.tangent_ions;
    let mut assignments = Vec::new();
    let bound = |from: &str, to: &str| (from != to).then(|| format!("{from}={to}"));
    for (from, to) in &method.ions {
        assignments.extend(bound(from, to));
        if variant == Variant::Augmented && tangent.contains(from) {
            for slot in &plan.compiled.slots.names {
                let (from, to) = (Names::tangent_ion(from, slot), Names::tangent_ion(to, slot));
                assignments.extend(bound(&from, &to));
            }
        }
    }
    // `{:?}` prints the shortest number that reads back the same
    assignments.extend(method.globals.iter().map(|(name, value)| format!("{name}={value:?}")));
    let forgetting = plan.experiment.forgetting_per_ms;
    if variant == Variant::Augmented && forgetting > 0.0 {
        assignments.push(format!("{}={forgetting:?}", Names::FORGETTING));
    }
    let base = variant.name(&method.mechanism);
    if assignments.is_empty() {
        base
    } else {
        format!("{base}/{}", assignments.join(","))
    }
}

/// Paints the carrier and declares the ions of the slots.
fn carry(plan: &Plan, cell: &PlannedCell, description: &mut CellDescription) {
    if let Some(tree) = &cell.tree {
        for (i, &cv) in tree.cv.iter().enumerate() {
            let mut paint = DensityPaint::new(Names::CARRIER, cell.discretisation.cables[cv].clone());
            for ((name, _), value) in carrier::PARAMETERS.iter().zip(tree.row(i)) {
                paint.parameters.insert((*name).to_string(), value);
            }
            if let Some(value) = cell.per_cap.as_ref().and_then(|rows| rows.get(i)) {
                paint.parameters.insert(carrier::PER_CAP.0.into(), *value);
            }
            description.densities.push(paint);
        }
    }
    let nothing = IonProperties {
        carries_current: false,
        ..IonProperties::new(1, 0.0, 0.0, 0.0)
    };
    let moving = moving_ions(plan, cell);
    // a mechanism that computes several ions' reversal potentials must be named by each of them
    let methods: BTreeMap<String, Option<ReversalMethod>> = moving
        .iter()
        .map(|ion| ((*ion).clone(), description.ions[*ion].reversal_method.clone()))
        .collect();
    for slot in &plan.compiled.slots.names {
        description.ions.insert(Names::voltage_ion(slot), nothing.clone());
        for ion in &moving {
            // charge and diffusivity are the ion's own: the derivative of its concentration spreads as the ion does
            let mut tangent = IonProperties::new(cell.ions[*ion].valence, 0.0, 0.0, 0.0);
            tangent.diffusivity_m2_per_s = cell.ions[*ion].diffusivity_m2_per_s;
            tangent.reversal_method = methods.get(*ion).cloned().flatten();
            description.ions.insert(Names::tangent_ion(ion, slot), tangent);
        }
    }
    let forgetting = plan.experiment.forgetting_per_ms;
    if forgetting > 0.0 {
        let painted = description.densities.iter().chain(&description.voltage_processes);
        let painted = painted.map(|d| d.mechanism.clone());
        let placed = description.synapses.iter().map(|s| s.mechanism.clone());
        let joined = description.junctions.iter().map(|s| s.mechanism.clone());
        let all: Vec<String> = painted.chain(placed).chain(joined).collect();
        for mechanism in all {
            let globals = description.globals.entry(mechanism).or_default();
            globals.insert(Names::FORGETTING.to_string(), forgetting);
        }
    }
}

/// Ions of the cell whose quantities slots can move: those the sources name, and those bound to them.
fn moving_ions<'a>(plan: &Plan, cell: &'a PlannedCell) -> Vec<&'a String> {
    let tangent = &plan.compiled.tangent_ions;
    let bound = |ion: &String| {
        let of_method = |m: &PlannedMethod| m.ions.iter().any(|(from, to)| to == ion && tangent.contains(from));
        cell.methods.values().any(of_method)
    };
    cell.ions
        .keys()
        .filter(|ion| tangent.contains(ion) || bound(ion))
        .collect()
}
