//! A planned cell as any host paints it: mechanisms plain or with sensitivities, parameters and seeds at given slot values,
//! the carrier and its ions, the forgetting rate. The one place that knows what the generated mechanisms need.

use compiler::emit::{Names, carrier};
use host_shim::{CellDescription, DensityPaint, IonProperties};

use super::{Plan, PlannedCell};

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

/// The cell with slot values `x`, one per slot of the plan.
pub(crate) fn describe(plan: &Plan, cell: &PlannedCell, x: &[f64], variant: Variant) -> CellDescription {
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
        paint.parameters.extend(piece.parameters.clone());
        for seed in &piece.seeds {
            paint
                .parameters
                .insert(seed.parameter.clone(), seed.slope * x[seed.slot]);
            if variant == Variant::Augmented {
                let slot = &plan.slots[seed.slot].name;
                paint.parameters.insert(Names::seed(&seed.parameter, slot), seed.slope);
            }
        }
        description.densities.push(paint);
    }
    if variant == Variant::Augmented {
        carry(plan, cell, &mut description);
    }
    description
}

/// Paints the carrier and declares its ions.
fn carry(plan: &Plan, cell: &PlannedCell, description: &mut CellDescription) {
    if let Some(tree) = &cell.tree {
        for (i, &cv) in tree.cv.iter().enumerate() {
            let mut paint = DensityPaint::new(Names::CARRIER, cell.discretisation.cables[cv].clone());
            for ((name, _), value) in carrier::PARAMETERS.iter().zip(tree.row(i)) {
                paint.parameters.insert((*name).to_string(), value);
            }
            description.densities.push(paint);
        }
    }
    let nothing = IonProperties::new(1, 0.0, 0.0, 0.0);
    for slot in &plan.slots {
        description.ions.insert(Names::voltage_ion(&slot.name), nothing.clone());
        description
            .ions
            .insert(Names::conductance_ion(&slot.name), nothing.clone());
    }
    let forgetting = plan.experiment.forgetting_per_ms;
    if forgetting > 0.0 {
        let painted: Vec<String> = description.densities.iter().map(|d| d.mechanism.clone()).collect();
        for mechanism in painted {
            let globals = description.globals.entry(mechanism).or_default();
            globals.insert(Names::FORGETTING.to_string(), forgetting);
        }
    }
}
