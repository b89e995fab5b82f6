//! `tune --landscape`: cuts through the loss around a point, as arrays and a picture.

use ndarray::Array2;

use crate::cli::{Context, ExitStatus, Failure};
use crate::control::{GridAxis, landscape};
use crate::experiment::read::closest;
use crate::hosts::Host;
use crate::outcome::{Folder, Named};
use crate::plan::Plan;
use crate::report::Progress;
use crate::report::plot::{ColourMap, Columns, HeatMap, LinePlot, Panel, Series, Stroke};
use crate::tune::Problem;

/// Points of a cut along one slot …
const LINE: u32 = 41;
/// … and along each of two.
const SQUARE: u32 = 21;
/// Every so many-th value of an axis is written beside a heat map; more would not fit.
const NAMED: usize = 5;

/// The slots to cut along.
pub(super) struct Cut<'a> {
    plan: &'a Plan,
    slots: Vec<usize>,
}

impl<'a> Cut<'a> {
    /// Looks the names up.
    pub(super) fn along(plan: &'a Plan, names: &[String]) -> Result<Self, Failure> {
        let known: Vec<&str> = plan.slots.iter().map(|s| s.name.as_str()).collect();
        let find = |name: &String| {
            plan.slot(name).ok_or_else(|| {
                let help = match closest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the experiment's slots: {}", known.join(", ")),
                };
                Failure::message(
                    ExitStatus::Usage,
                    format_args!("--landscape: there is no slot `{name}`"),
                    help,
                )
            })
        };
        let slots = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let different = slots.iter().skip(1).all(|s| *s != slots[0]);
        if !(different && (1..=2).contains(&slots.len())) {
            let help = "for instance --landscape gnabar,gkbar";
            return Err(Failure::message(
                ExitStatus::Usage,
                "--landscape takes one or two different slots",
                help,
            ));
        }
        Ok(Self { plan, slots })
    }

    /// Computes the cut around `x` and puts `landscape.npz`, a picture and a section into the folder.
    pub(super) fn write(
        &self,
        context: &Context,
        problem: &Problem,
        host: &mut Box<dyn Host>,
        x: &[f64],
        folder: &mut Folder,
    ) -> Result<(), Failure> {
        let n = if self.slots.len() == 1 { LINE } else { SQUARE };
        let transforms = &problem.settings.transforms;
        let axis = |&slot: &usize| GridAxis::around(slot, &transforms[slot], x[slot], n);
        let axes: Vec<GridAxis> = self.slots.iter().map(axis).collect();
        let shape: Vec<usize> = axes.iter().map(|a| a.values.len()).collect();
        let total: usize = shape.iter().product();
        let mut progress = Progress::new(context.progress, "landscape", total as u64);
        let end_ms = problem.settings.horizon.end_ms;
        let losses = landscape(host, &problem.objective, end_ms, x, &axes, |n| {
            progress.set(n as u64, "")
        })?;
        progress.finish("");

        let mut arrays = Vec::new();
        for axis in &axes {
            let name = &self.plan.slots[axis.slot].name;
            arrays.push(Named::new(
                name,
                "slot's",
                "values along the axis",
                &[axis.values.len()],
                axis.values.clone(),
            ));
        }
        arrays.push(Named::new(
            "at",
            "slot's",
            "the point the cut goes around, slot",
            &[x.len()],
            x.to_vec(),
        ));
        let meaning = "loss, first axis × second, NaN where the model diverges";
        arrays.push(Named::new("loss", "probe's squared", meaning, &shape, losses.clone()));
        folder.arrays("landscape.npz", &arrays)?;
        folder.report.section("Landscape");
        let caption = "Loss around the point found (around the start if nothing was tuned), all other slots fixed.";
        match axes.as_slice() {
            [rows, columns] => folder.figure("landscape", &self.map(rows, columns, &losses), caption)?,
            [axis, ..] => folder.figure("landscape", &self.line(problem, axis, x, losses), caption)?,
            [] => return Ok(()),
        };
        Ok(())
    }

    fn label(&self, slot: usize) -> String {
        let slot = &self.plan.slots[slot];
        let unit = if slot.unit.is_empty() { "1" } else { &slot.unit };
        format!("{} ({unit})", slot.name)
    }

    fn line(&self, problem: &Problem, axis: &GridAxis, x: &[f64], losses: Vec<f64>) -> LinePlot {
        let series = Series::new("loss", axis.values.clone(), losses).stroke(Stroke::LineAndPoints);
        let panel = Panel::new("loss (probe's unit squared)").log().series(series);
        let plot = LinePlot::new("Landscape", &self.label(axis.slot)).panel(panel);
        let plot = plot.mark(x[axis.slot], "here");
        match &problem.truth {
            Some(truth) => plot.mark(truth[axis.slot], "target"),
            None => plot,
        }
    }

    fn map(&self, rows: &GridAxis, columns: &GridAxis, losses: &[f64]) -> HeatMap {
        let (n, m) = (rows.values.len(), columns.values.len());
        // the first row is on top, and the largest value belongs there
        let values = Array2::from_shape_fn((n, m), |(i, j)| losses[(n - 1 - i) * m + j].log10());
        let name = |(i, value): (usize, &f64)| {
            if i % NAMED == 0 {
                // four figures; powers of ten only where zeros would hide them
                let bounds = [1e3, 1e2, 10.0, 1.0, 0.1, 0.01];
                match bounds.iter().position(|bound| value.abs() >= *bound) {
                    Some(decimals) if value.abs() < 1e4 => format!("{value:.decimals$}"),
                    Some(_) | None => format!("{value:.3e}"),
                }
            } else {
                String::new()
            }
        };
        let mut row_names: Vec<String> = rows.values.iter().enumerate().map(name).collect();
        row_names.reverse();
        let column_names = columns.values.iter().enumerate().map(name).collect();
        let title = "Landscape, log₁₀ of the loss (grey: 0 or not finite)";
        let label = self.label(columns.slot);
        let mut map = HeatMap::new(title, values, "log₁₀ loss", Columns::Names(column_names), &label)
            .rows(&self.label(rows.slot), row_names);
        map.map = ColourMap::Sequential;
        map
    }
}
