//! From tuners and simulations to what the page shows.

use std::sync::Arc;

use super::thin::Curve;
use super::{About, AboutSlot, Live, Panel};
use crate::control::{Model, Objective, Traces, Tuner};
use crate::plan::{Plan, PlannedProbe};

/// Diagrams of traces at most, and curves in one of them.
const PANELS: usize = 6;
const SERIES: usize = 8;

/// A loss and its unit, if all probes that count have the same.
fn loss_label(plan: &Plan, objective: &Objective) -> String {
    let counted = plan.probes.iter().zip(objective.weights()).filter(|(_, w)| **w > 0.0);
    let mut units = counted.map(|(p, _)| p.unit.as_str());
    match units.next() {
        Some("mV") if units.all(|u| u == "mV") => "loss (mV²)".into(),
        _ => "loss".into(),
    }
}

impl About {
    /// A search for the slots of a plan by tuners with this objective, the first of which starts at `start`. `total`
    /// iterations will be made at most, of all tuners together.
    pub fn search(plan: &Plan, objective: &Objective, start: &[f64], truth: Option<&[f64]>, total: u64) -> Self {
        Self {
            axis: "iteration".into(),
            loss: loss_label(plan, objective),
            total: Some(total),
            ..Self::of(plan, "tune", start, truth)
        }
    }

    /// A plan's name and slots; those start at `start` and should become `truth`.
    pub fn of(plan: &Plan, command: &str, start: &[f64], truth: Option<&[f64]>) -> Self {
        let slot = |k: usize| {
            let slot = &plan.slots[k];
            let unit = if slot.unit.is_empty() { "1" } else { &slot.unit };
            AboutSlot {
                name: slot.name.clone(),
                unit: unit.into(),
                start: start.get(k).copied().unwrap_or(slot.value),
                target: truth.and_then(|t| t.get(k).copied()),
            }
        };
        Self {
            title: plan.experiment.name.clone(),
            command: command.into(),
            slots: (0..plan.slots.len()).map(slot).collect(),
            ..Self::default()
        }
    }
}

fn axis_label(probe: &PlannedProbe) -> String {
    match probe.unit.as_str() {
        "mV" => "V (mV)".into(),
        "" | "1" => "state (1)".into(),
        unit => format!("({unit})"),
    }
}

/// What probes of this unit show together.
fn title(unit: &str) -> &'static str {
    match unit {
        "mV" => "Voltages",
        "" | "1" => "States",
        _ => "Probes",
    }
}

fn curve(t_end_ms: f64, times_ms: &[f64], values: &[f64], n_probes: usize, probe: usize) -> Arc<Curve> {
    let column = values.iter().skip(probe).step_by(n_probes.max(1));
    Arc::new(Curve::of(t_end_ms, times_ms.iter().copied().zip(column.copied())))
}

/// Shows the traces of a search beside its target.
#[derive(Debug)]
pub struct TuneView<'a> {
    live: &'a Live,
    t_end_ms: f64,
    /// Probes shown: position, title, label, target.
    probes: Vec<(usize, String, String, Arc<Curve>)>,
}

impl<'a> TuneView<'a> {
    /// The first probes that count.
    pub fn new(live: &'a Live, plan: &Plan, objective: &Objective) -> Self {
        let t_end_ms = plan.experiment.simulation.duration_ms;
        let (target, weights) = (objective.target(), objective.weights());
        let counted = (0..plan.probes.len()).filter(|&i| weights.get(i).is_some_and(|w| *w > 0.0));
        let probe = |i: usize| {
            let wanted = curve(t_end_ms, &target.times_ms, &target.values, target.n_probes, i);
            (i, plan.probes[i].name.clone(), axis_label(&plan.probes[i]), wanted)
        };
        Self {
            live,
            t_end_ms,
            probes: counted.take(PANELS).map(probe).collect(),
        }
    }

    /// [`Live::iteration`].
    pub fn iteration(&self, run: usize, tuner: &Tuner) {
        self.live.iteration(run, tuner);
    }

    /// [`Live::resume`].
    pub fn resume(&self, run: usize, tuner: &Tuner) {
        self.live.resume(run, tuner);
    }

    /// Publishes these traces, however long ago the last ones were.
    pub fn show(&self, label: &str, traces: &Traces) {
        let panel = |(i, title, label, target): &(usize, String, String, Arc<Curve>)| {
            let now = curve(self.t_end_ms, &traces.times_ms, &traces.values, traces.n_probes, *i);
            Panel {
                title: title.clone(),
                label: label.clone(),
                series: vec![("target".into(), Arc::clone(target)), ("model".into(), now)],
            }
        };
        let panels: Vec<Panel> = self.probes.iter().map(panel).collect();
        self.live.traces(label, &panels);
    }
}

/// A model whose runs are shown. It computes what the model computes.
#[derive(Debug)]
pub struct Watched<'a, M> {
    model: &'a mut M,
    view: Option<&'a TuneView<'a>>,
}

impl<'a, M> Watched<'a, M> {
    /// Without a view it is but the model.
    pub fn new(model: &'a mut M, view: Option<&'a TuneView<'a>>) -> Self {
        Self { model, view }
    }

    fn show(&self, traces: &Traces) {
        if let Some(view) = self.view
            && view.live.takes_traces()
        {
            view.show("the latest simulation", traces);
        }
    }
}

impl<M: Model> Model for Watched<'_, M> {
    type Error = M::Error;

    fn n_slots(&self) -> usize {
        self.model.n_slots()
    }

    fn simulate(&mut self, x: &[f64], t_end_ms: f64, tangent: bool) -> Result<Traces, M::Error> {
        let result = self.model.simulate(x, t_end_ms, tangent);
        if let Ok(traces) = &result
            && tangent
        {
            // plain ones are trials, most of which are given up
            self.show(traces);
        }
        result
    }

    fn simulate_many(&mut self, points: &[Vec<f64>], t_end_ms: f64, tangent: bool) -> Vec<Result<Traces, M::Error>> {
        let results = self.model.simulate_many(points, t_end_ms, tangent);
        if let Some(traces) = results.iter().flatten().next() {
            self.show(traces);
        }
        results
    }

    fn is_divergence(error: &M::Error) -> bool {
        M::is_divergence(error)
    }
}

/// Shows one simulation as it goes on: probes by unit, then the sensitivities of the first voltages, times the slot's
/// value.
#[derive(Debug)]
pub struct RunView<'a> {
    live: &'a Live,
    label: String,
    lanes: Vec<Lane>,
    panels: Vec<(String, String)>,
    samples: u64,
}

/// A curve, the panel it belongs to, and where its numbers come from.
#[derive(Debug)]
struct Lane {
    panel: usize,
    name: String,
    from: Source,
    curve: Curve,
}

#[derive(Debug)]
enum Source {
    Value(usize),
    Sensitivity(usize, f64),
}

/// The clock is read once in so many samples.
const SAMPLES: u64 = 64;

impl<'a> RunView<'a> {
    /// A simulation of `plan` with slot values `x`, with sensitivities or without.
    pub fn new(live: &'a Live, plan: &Plan, x: &[f64], tangent: bool, label: &str) -> Self {
        let t_end_ms = plan.experiment.simulation.duration_ms;
        let mut view = Self {
            live,
            label: label.into(),
            lanes: Vec::new(),
            panels: Vec::new(),
            samples: 0,
        };
        let mut units: Vec<String> = Vec::new();
        for (i, probe) in plan.probes.iter().enumerate() {
            let panel = match units.iter().position(|u| *u == probe.unit) {
                Some(panel) => panel,
                None if units.len() < PANELS => {
                    units.push(probe.unit.clone());
                    view.panels.push((title(&probe.unit).into(), axis_label(probe)));
                    view.panels.len() - 1
                }
                None => continue,
            };
            view.lane(panel, &probe.name, Source::Value(i), t_end_ms);
        }
        let voltages = plan.probes.iter().enumerate().filter(|(_, p)| p.variable == "v");
        for (i, probe) in voltages.take(if tangent { PANELS } else { 0 }) {
            let title = format!("Sensitivities of {}", probe.name);
            view.panels.push((title, "θ ∂V/∂θ (mV)".into()));
            let panel = view.panels.len() - 1;
            for (k, slot) in plan.slots.iter().enumerate() {
                let scale = x.get(k).copied().filter(|x| x.abs() > 0.0).unwrap_or(1.0);
                let from = Source::Sensitivity(i * plan.slots.len() + k, scale);
                view.lane(panel, &slot.name, from, t_end_ms);
            }
        }
        view
    }

    fn lane(&mut self, panel: usize, name: &str, from: Source, t_end_ms: f64) {
        if self.lanes.iter().filter(|l| l.panel == panel).count() < SERIES {
            self.lanes.push(Lane {
                panel,
                name: name.into(),
                from,
                curve: Curve::new(t_end_ms),
            });
        }
    }

    /// A sample: `values[probe]`, `sens[probe * n_slots + slot]` (empty without sensitivities).
    pub fn sample(&mut self, t_ms: f64, values: &[f64], sens: &[f64]) {
        for lane in &mut self.lanes {
            let value = match lane.from {
                Source::Value(i) => values.get(i).copied(),
                Source::Sensitivity(i, scale) => sens.get(i).map(|u| u * scale),
            };
            if let Some(value) = value {
                lane.curve.push(t_ms, value);
            }
        }
        self.samples += 1;
        if self.samples.is_multiple_of(SAMPLES) && self.live.takes_traces() {
            self.publish();
        }
    }

    /// Publishes what there is, however long ago the last was.
    pub fn publish(&self) {
        let panel = |(p, (title, label)): (usize, &(String, String))| Panel {
            title: title.clone(),
            label: label.clone(),
            series: self
                .lanes
                .iter()
                .filter(|l| l.panel == p)
                .map(|l| (l.name.clone(), Arc::new(l.curve.clone())))
                .collect(),
        };
        let panels: Vec<Panel> = self.panels.iter().enumerate().map(panel).collect();
        self.live.traces(&self.label, &panels);
    }
}
