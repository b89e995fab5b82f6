//! What a run under control leaves behind: arrays, plots and tables.

use crate::hosts::ControlledRun;
use crate::outcome::{Named, spike_arrays, trace_arrays};
use crate::plan::{Plan, PlannedChange, PlannedPerturbation};
use crate::report::plot::{LinePlot, Panel, Series};
use crate::report::{Column, Table};

/// Probes, slots and sensitivities through time, and spikes.
pub fn arrays(plan: &Plan, run: &ControlledRun) -> Vec<Named> {
    let mut arrays = trace_arrays(&run.traces);
    let (rows, slots) = (run.times_ms.len(), plan.slots.len());
    let times = run.times_ms.clone();
    arrays.push(Named::new(
        "control_t_ms",
        "ms",
        "times of slots and sensitivities",
        &[rows],
        times,
    ));
    let meaning = "slot values through time, time × slot";
    arrays.push(Named::new(
        "slots",
        "slot's",
        meaning,
        &[rows, slots],
        run.slots.clone(),
    ));
    if let Some(control) = &plan.control {
        let meaning = "d(objective)/d(slot) through time, time × controlled slot";
        let shape = [rows, control.slots.len()];
        let values = run.sensitivities.clone();
        arrays.push(Named::new(
            "objective_sensitivities",
            "objective's / slot's",
            meaning,
            &shape,
            values,
        ));
        let which = control.slots.iter().map(|(slot, _)| *slot as f64).collect();
        let meaning = "positions of the controlled slots among the slots";
        arrays.push(Named::new("controlled", "1", meaning, &[control.slots.len()], which));
    }
    arrays.extend(spike_arrays(&run.spikes));
    arrays
}

/// One slot's values through time.
pub fn slot(plan: &Plan, run: &ControlledRun, slot: usize) -> Vec<f64> {
    run.slots
        .iter()
        .skip(slot)
        .step_by(plan.slots.len().max(1))
        .copied()
        .collect()
}

/// One controlled slot's sensitivities through time, by its position in the plan's control.
pub fn sensitivity(run: &ControlledRun, n_controlled: usize, which: usize) -> Vec<f64> {
    run.sensitivities
        .iter()
        .skip(which)
        .step_by(n_controlled.max(1))
        .copied()
        .collect()
}

/// Slots relative to their start, and the sensitivities that move them. None if nothing is controlled.
pub fn plot(plan: &Plan, run: &ControlledRun) -> Option<LinePlot> {
    let control = plan.control.as_ref()?;
    let n = control.slots.len();
    let mut slots = Panel::new("θ / scale (1)");
    let mut sensitivities = Panel::new("scale · ∂e/∂θ (unit of e)");
    for (which, (k, how)) in control.slots.iter().enumerate() {
        let name = &plan.slots[*k].name;
        let scaled = |y: Vec<f64>, factor: f64| y.into_iter().map(|y| y * factor).collect();
        let theta = scaled(slot(plan, run, *k), 1.0 / how.scale);
        slots = slots.series(Series::new(name, run.times_ms.clone(), theta));
        let moved_by = scaled(sensitivity(run, n, which), how.scale);
        sensitivities = sensitivities.series(Series::new(name, run.times_ms.clone(), moved_by));
    }
    let plot = LinePlot::new("Slots under control", "time (ms)");
    Some(marked(plan, plot.panel(slots).panel(sensitivities)))
}

/// The plot with a line at each perturbation.
pub fn marked(plan: &Plan, mut plot: LinePlot) -> LinePlot {
    let mut marks: Vec<f64> = plan.perturbations.iter().map(|p| p.at_ms).collect();
    marks.dedup();
    for at_ms in marks {
        plot = plot.mark(at_ms, "");
    }
    plot
}

/// Where the controlled slots began and ended.
pub fn table(plan: &Plan, run: &ControlledRun) -> Option<Table> {
    let control = plan.control.as_ref()?;
    let columns = vec![
        Column::text("slot"),
        Column::number("start"),
        Column::number("end"),
        Column::text("unit"),
    ];
    let mut table = Table::new("Slots under control.", columns);
    let last = run.slots.len().saturating_sub(plan.slots.len());
    for (slot, how) in &control.slots {
        let end = run.slots.get(last + slot).copied().unwrap_or(f64::NAN);
        let planned = &plan.slots[*slot];
        table.row([
            planned.name.clone(),
            format!("{}", how.start),
            format!("{end:.6}"),
            planned.unit.clone(),
        ]);
    }
    Some(table)
}

/// Perturbations in words.
pub fn perturbations(plan: &Plan) -> Option<Table> {
    let columns = vec![
        Column::number("time (ms)"),
        Column::text("cell"),
        Column::text("change"),
    ];
    let mut table = Table::new("Perturbations.", columns);
    for perturbation in &plan.perturbations {
        let PlannedPerturbation { at_ms, cell, change } = perturbation;
        let what = match change {
            PlannedChange::Parameter {
                mechanism,
                parameter,
                factor,
                value,
                ..
            } => match *value == 0.0 {
                true => format!("{mechanism}.{parameter} times {factor}"),
                false => format!("{mechanism}.{parameter} set to {value}"),
            },
            PlannedChange::Stimulus { number, factor } => format!("current clamp {number} at {factor} of its current"),
            PlannedChange::Temperature(celsius) => format!("{celsius} °C"),
        };
        table.row([format!("{at_ms}"), plan.cells[*cell].name.clone(), what]);
    }
    (!plan.perturbations.is_empty()).then_some(table)
}
