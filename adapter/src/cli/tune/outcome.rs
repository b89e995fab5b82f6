//! What a search leaves in the output folder.

use serde_json::json;

use crate::cli::Failure;
use crate::control::{Counts, Row, Termination, Traces, Tuner};
use crate::outcome::{Folder, Named, comparison_plot, trace_arrays};
use crate::plan::Plan;
use crate::report::plot::{LinePlot, Panel, Series, Stroke};
use crate::report::{Column, Table};

/// Probes that the comparison shows at most.
const PANELS: usize = 6;

/// What came out of one search: the only one, or the best.
pub(super) struct Outcome<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tuner: &'a Tuner,
    pub(super) start: &'a [f64],
    pub(super) truth: Option<&'a [f64]>,
    pub(super) found: &'a [f64],
    /// Simulations of all searches.
    pub(super) counts: Counts,
}

impl Outcome<'_> {
    pub(super) fn arrays(&self, folder: &mut Folder, before: &Traces, after: &Traces) -> Result<(), Failure> {
        let history = self.tuner.history();
        let (n, k) = (history.len(), self.start.len());
        let losses = history.iter().map(|r| r.loss.unwrap_or(f64::NAN)).collect();
        let horizons = history.iter().map(|r| r.horizon_ms).collect();
        let points = history.iter().flat_map(|r| r.x.clone()).collect();
        folder.arrays(
            "tune.npz",
            &[
                Named::new("loss", "probe's squared", "loss, iteration", &[n], losses),
                Named::new("horizon_ms", "ms", "horizon, iteration", &[n], horizons),
                Named::new("x", "slot's", "slot values, iteration × slot", &[n, k], points),
            ],
        )?;
        let mut arrays = trace_arrays(after);
        let shape = [before.times_ms.len(), before.n_probes];
        arrays.push(Named::new(
            "before",
            "probe's",
            "probe values at the start",
            &shape,
            before.values.clone(),
        ));
        let target = self.tuner.objective().target();
        arrays.push(Named::new(
            "target_t_ms",
            "ms",
            "target's times",
            &[target.times_ms.len()],
            target.times_ms.clone(),
        ));
        let shape = [target.times_ms.len(), target.n_probes];
        arrays.push(Named::new(
            "target",
            "probe's",
            "target, time × probe",
            &shape,
            target.values.clone(),
        ));
        folder.arrays("traces.npz", &arrays)?;
        Ok(())
    }

    pub(super) fn pictures(
        &self,
        folder: &mut Folder,
        before: &Traces,
        after: &Traces,
        termination: Termination,
    ) -> Result<(), Failure> {
        let counts = self.counts;
        let loss = |row: Option<&Row>| {
            row.and_then(|r| r.loss)
                .map_or_else(|| "-".into(), |l| format!("{l:.4e}"))
        };
        let best = self
            .tuner
            .best()
            .map_or_else(|| "-".into(), |b| format!("{:.4e}", b.loss));
        let facts = [
            ("ended", ended(termination).to_string()),
            ("iterations", self.tuner.history().len().to_string()),
            ("loss at the start", loss(self.tuner.history().first())),
            ("best loss", best),
            ("runs with sensitivities", counts.tangent.to_string()),
            ("runs without", counts.plain.to_string()),
        ];
        folder.report.summary(&facts.each_ref().map(|(a, b)| (*a, b.as_str())));
        folder.report.table(&self.parameters());
        let target = self.tuner.objective().target();
        let target = Traces {
            times_ms: target.times_ms.clone(),
            n_probes: target.n_probes,
            values: target.values.clone(),
            ..Traces::default()
        };
        let counted: Vec<usize> = (0..self.plan.probes.len())
            .filter(|&i| self.weight(i) > 0.0)
            .take(PANELS)
            .collect();
        let runs = [("target", &target), ("before", before), ("after", after)];
        let plot = comparison_plot(self.plan, "Before and after", &counted, &runs);
        folder.figure(
            "traces",
            &plot,
            "Target, and the model before and after tuning, at the probes that count.",
        )?;
        folder.figure(
            "history",
            &self.history(),
            "Loss, and slots relative to where they started.",
        )?;
        Ok(())
    }

    fn weight(&self, probe: usize) -> f64 {
        let Some(tune) = &self.plan.experiment.tune else {
            return 0.0;
        };
        if tune.weights.is_empty() {
            return 1.0;
        }
        tune.weights.get(&self.plan.probes[probe].name).copied().unwrap_or(0.0)
    }

    fn history(&self) -> LinePlot {
        let rows = self.tuner.history();
        let x: Vec<f64> = rows.iter().map(|r| f64::from(r.iteration)).collect();
        let losses = rows.iter().map(|r| r.loss.unwrap_or(f64::NAN)).collect();
        let mut slots = Panel::new("slot / start (1)");
        for (k, slot) in self.plan.slots.iter().enumerate() {
            let scale = if self.start[k].abs() > 0.0 { self.start[k] } else { 1.0 };
            let y: Vec<f64> = rows.iter().map(|r| r.x[k] / scale).collect();
            slots = slots.series(Series::new(&slot.name, x.clone(), y));
            if let Some(truth) = self.truth {
                let colour = crate::report::plot::palette(k);
                let level = Series::new("", x.clone(), vec![truth[k] / scale; x.len()]);
                slots = slots.series(level.stroke(Stroke::Dashed).colour(colour));
                if let Some(first) = slots.series.iter_mut().rev().nth(1) {
                    first.colour = Some(colour);
                }
            }
        }
        LinePlot::new("Tuning", "iteration")
            .panel(
                Panel::new("loss (mV²)")
                    .log()
                    .series(Series::new("loss", x.clone(), losses)),
            )
            .panel(slots)
    }

    fn parameters(&self) -> Table {
        let mut columns = vec![
            Column::text("slot"),
            Column::text("unit"),
            Column::number("start"),
            Column::number("found"),
        ];
        if self.truth.is_some() {
            columns.extend([Column::number("target"), Column::number("deviation (%)")]);
        }
        let mut table = Table::new("Slots.", columns);
        for (k, slot) in self.plan.slots.iter().enumerate() {
            let unit = if slot.unit.is_empty() {
                "1".into()
            } else {
                slot.unit.clone()
            };
            let mut row = vec![
                slot.name.clone(),
                unit,
                format!("{:.6}", self.start[k]),
                format!("{:.6}", self.found[k]),
            ];
            if let Some(truth) = self.truth {
                row.extend([
                    format!("{:.6}", truth[k]),
                    format!("{:+.4}", deviation(self.found[k], truth[k])),
                ]);
            }
            table.row(row);
        }
        table
    }

    pub(super) fn table(&self) -> String {
        let width = self.plan.slots.iter().map(|s| s.name.len()).max().unwrap_or(0).max(4);
        let mut out = format!("{:width$}  {:>12}  {:>12}", "slot", "start", "found");
        if self.truth.is_some() {
            out.push_str(&format!("  {:>12}  {:>10}", "target", "deviation"));
        }
        for (k, slot) in self.plan.slots.iter().enumerate() {
            out.push_str(&format!(
                "\n{:width$}  {:>12.6}  {:>12.6}",
                slot.name, self.start[k], self.found[k]
            ));
            if let Some(truth) = self.truth {
                out.push_str(&format!(
                    "  {:>12.6}  {:>+9.4}%",
                    truth[k],
                    deviation(self.found[k], truth[k])
                ));
            }
        }
        out
    }

    pub(super) fn sentence(&self, termination: Termination) -> String {
        let loss = self
            .tuner
            .best()
            .map_or_else(|| "no finite loss".into(), |b| format!("loss {:.3e}", b.loss));
        let n = self.tuner.history().len();
        format!(
            "{} after {n} iterations, {loss}, {}",
            ended(termination),
            simulated(self.counts)
        )
    }

    pub(super) fn result(&self, termination: Termination) -> serde_json::Value {
        let slots: Vec<serde_json::Value> = self
            .plan
            .slots
            .iter()
            .enumerate()
            .map(|(k, s)| {
                json!({
                    "name": s.name, "unit": s.unit, "start": self.start[k], "found": self.found[k],
                    "target": self.truth.map(|t| t[k]),
                })
            })
            .collect();
        json!({
            "experiment": self.plan.experiment.name,
            "termination": termination,
            "iterations": self.tuner.history().len(),
            "loss": self.tuner.best().map(|b| b.loss),
            "initial_loss": self.tuner.history().first().and_then(|r| r.loss),
            "counts": self.counts,
            "slots": slots,
            "pruned": self.plan.pruned,
            "caveat": self.plan.caveat(),
        })
    }
}

fn deviation(found: f64, truth: f64) -> f64 {
    if truth.abs() > 0.0 {
        100.0 * (found / truth - 1.0)
    } else {
        found
    }
}

pub(super) fn ended(termination: Termination) -> &'static str {
    match termination {
        Termination::MaxIters => "iteration limit",
        Termination::TargetReached => "target loss reached",
        Termination::Stalled => "no further progress",
        Termination::NonFiniteLoss => "loss not finite",
        Termination::Cancelled => "cancelled",
    }
}

fn simulated(counts: Counts) -> String {
    format!(
        "{} runs with and {} without sensitivities ({:.2} s and {:.2} s of model time)",
        counts.tangent,
        counts.plain,
        counts.tangent_ms / 1000.0,
        counts.plain_ms / 1000.0
    )
}
