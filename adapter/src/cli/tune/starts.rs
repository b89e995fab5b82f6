//! Searches from several starts, side by side.

use serde_json::{Value, json};

use super::outcome::ended;
use crate::cli::Failure;
use crate::control::{Termination, Tuner};
use crate::outcome::{Folder, Named};
use crate::plan::Plan;
use crate::report::plot::{ColourMap, LinePlot, Panel, Rgb, Series, Stroke};
use crate::report::{Column, Table};

/// All searches of an experiment with `tune.starts`.
pub(super) struct Several<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tuners: &'a [Tuner],
    /// Where each began, slot units.
    pub(super) starts: Vec<&'a [f64]>,
    pub(super) ended: &'a [Termination],
    /// Position of the best.
    pub(super) best: usize,
}

impl Several<'_> {
    /// The best point of a search; where it stands if no loss was finite.
    fn found(&self, k: usize) -> Vec<f64> {
        let tuner = &self.tuners[k];
        tuner.best().map_or_else(|| tuner.x(), |b| b.x.clone())
    }

    /// The loss of that point, NaN if none was finite.
    fn loss(&self, k: usize) -> f64 {
        self.tuners[k].best().map_or(f64::NAN, |b| b.loss)
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.tuners.len()
    }

    /// `starts.npz`.
    pub(super) fn arrays(&self, folder: &mut Folder) -> Result<(), Failure> {
        let (n, slots) = (self.tuners.len(), self.plan.slots.len());
        let longest = self.tuners.iter().map(|t| t.history().len()).max().unwrap_or(0);
        let mut losses = Vec::with_capacity(n * longest);
        for tuner in self.tuners {
            let rows = tuner.history().iter().map(|r| r.loss.unwrap_or(f64::NAN));
            losses.extend(rows.chain(std::iter::repeat(f64::NAN)).take(longest));
        }
        let start = self.starts.iter().flat_map(|x| x.iter().copied()).collect();
        let found = self.all().flat_map(|k| self.found(k)).collect();
        let best = self.all().map(|k| self.loss(k)).collect();
        let squared = "probe's squared";
        let history = "loss, start × iteration, NaN where not finite and after the end";
        folder.arrays(
            "starts.npz",
            &[
                Named::new("start", "slot's", "where each began, start × slot", &[n, slots], start),
                Named::new(
                    "found",
                    "slot's",
                    "best point of each, start × slot",
                    &[n, slots],
                    found,
                ),
                Named::new("best_loss", squared, "loss of that point, start", &[n], best),
                Named::new("loss", squared, history, &[n, longest], losses),
            ],
        )?;
        Ok(())
    }

    /// A section with the losses of all searches and what they found.
    pub(super) fn report(&self, folder: &mut Folder) -> Result<(), Failure> {
        folder.report.section("Starts");
        folder.report.table(&self.table());
        let caption = "Loss of every start. The best is dashed.";
        folder.figure("starts", &self.plot(), caption)?;
        Ok(())
    }

    fn table(&self) -> Table {
        let mut columns = vec![
            Column::number("start"),
            Column::text("ended"),
            Column::number("iterations"),
            Column::number("first loss"),
            Column::number("best loss"),
        ];
        for slot in &self.plan.slots {
            columns.push(Column::number(&format!("{} from", slot.name)));
            columns.push(Column::number("to"));
        }
        let caption = format!("Random starts; number {} is the best.", self.best);
        let mut table = Table::new(&caption, columns);
        for k in self.all() {
            let history = self.tuners[k].history();
            let first = history.first().and_then(|r| r.loss).unwrap_or(f64::NAN);
            let mut row = vec![
                k.to_string(),
                ended(self.ended[k]).to_string(),
                history.len().to_string(),
                format!("{first:.4e}"),
                format!("{:.4e}", self.loss(k)),
            ];
            for (from, to) in self.starts[k].iter().zip(self.found(k)) {
                row.extend([format!("{from:.6}"), format!("{to:.6}")]);
            }
            table.row(row);
        }
        table
    }

    /// Shades in order: starts have no meaning that a colour could carry.
    fn shade(&self, k: usize) -> Rgb {
        let last = self.tuners.len().saturating_sub(1).max(1);
        ColourMap::Sequential.at(k as f64 / last as f64)
    }

    fn plot(&self) -> LinePlot {
        let mut panel = Panel::new("loss (probe's unit squared)").log();
        for k in self.all() {
            let rows = self.tuners[k].history();
            let x = rows.iter().map(|r| f64::from(r.iteration)).collect();
            let y = rows.iter().map(|r| r.loss.unwrap_or(f64::NAN)).collect();
            let best = if k == self.best { " (best)" } else { "" };
            let series = Series::new(&format!("start {k}{best}"), x, y);
            let stroke = if k == self.best { Stroke::Dashed } else { Stroke::Line };
            panel = panel.series(series.stroke(stroke).colour(self.shade(k)));
        }
        LinePlot::new("Starts", "iteration").panel(panel)
    }

    /// Adds `best_start` and `starts` to the result.
    pub(super) fn result(&self, result: &mut Value) {
        let values = |x: &[f64]| -> Value {
            let slots = self.plan.slots.iter().zip(x);
            slots.map(|(s, x)| (s.name.clone(), json!(x))).collect()
        };
        let start = |k: usize| {
            let tuner = &self.tuners[k];
            json!({
                "termination": self.ended[k],
                "iterations": tuner.history().len(),
                "initial_loss": tuner.history().first().and_then(|r| r.loss),
                "loss": tuner.best().map(|b| b.loss),
                "counts": tuner.counts(),
                "start": values(self.starts[k]),
                "found": values(&self.found(k)),
            })
        };
        result["best_start"] = json!(self.best);
        result["starts"] = self.all().map(start).collect();
    }
}
