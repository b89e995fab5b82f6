//! Requests for runs in which mechanisms control themselves.

use compiler::emit::Names;
use host_shim::ProbeKind;

use super::{ProbeRow, Request, inside};
use crate::plan::{Plan, Variant};

impl Request {
    /// The same simulation with the law on that waits in mechanisms ([`Within::Mechanism`]), and further probes: the
    /// value of each controlled slot, then ∂(objective)/∂(slot) of each. The request must be of [`Variant::Augmented`].
    ///
    /// [`Within::Mechanism`]: crate::experiment::Within::Mechanism
    #[must_use]
    pub fn under_law(mut self, plan: &Plan) -> Self {
        for painted in plan.law_paintings() {
            let Some(cell) = self.cells.get_mut(painted.cell) else {
                continue;
            };
            for paint in cell.paint.iter_mut().filter(|p| p.mechanism == painted.mechanism) {
                paint.parameters.insert(painted.parameter.clone(), painted.value);
            }
        }
        let Some((control, laws)) = plan.control.as_ref().and_then(|c| Some((c, c.within.as_ref()?))) else {
            return self;
        };
        let mut values = Vec::new();
        let mut sensitivities = Vec::new();
        for ((slot, _), law) in control.slots.iter().zip(laws) {
            let planned = &plan.slots[*slot];
            let cell = &plan.cells[law.cell];
            let at = inside(cell, law.cv).map(|(branch, pos)| host_shim::Location::new(branch, pos));
            let theta = at.map(|at| ProbeKind::State {
                mechanism: Variant::Augmented.name(&law.mechanism),
                state: Names::controlled(&planned.in_catalogue),
                at,
            });
            let mut terms = |of: usize, kind| {
                let cell = &plan.cells[of];
                self.terms(of, cell, cell.variant(Variant::Augmented), kind)
            };
            values.push(ProbeRow {
                name: planned.name.clone(),
                value: theta.map(|kind| terms(law.cell, kind)).unwrap_or_default(),
                sensitivities: Vec::new(),
            });
            let of_objective = control.objective.iter().filter_map(|&p| {
                let probe = &plan.probes[p];
                Some((probe.cell, plan.sensitivity_probe(probe, *slot)?))
            });
            sensitivities.push(ProbeRow {
                name: format!("d/d({})", planned.name),
                value: of_objective.flat_map(|(of, kind)| terms(of, kind)).collect(),
                sensitivities: Vec::new(),
            });
        }
        // what is sampled of the plan's own probes is their value
        self.probes.iter_mut().for_each(|p| p.sensitivities.clear());
        self.probes.extend(values);
        self.probes.extend(sensitivities);
        self
    }
}
