//! `tune --identifiability`: what the target tells about the slots, as table, arrays, pictures and JSON.

use ndarray::Array2;
use serde_json::{Value, json};

use crate::cli::{ExitStatus, Failure};
use crate::control::{Identifiability, IdentifiabilityError, Precision, Traces, Verdict, identify};
use crate::outcome::{Folder, Named};
use crate::plan::Plan;
use crate::report::plot::{ColourMap, Columns, HeatMap, LinePlot, Panel, Series, Stroke};
use crate::report::{Column, Table};
use crate::tune::Problem;

/// Components of an eigenvector that are left out of its description.
const SMALL: f64 = 0.1;

/// The point to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum At {
    /// `tune.start`; nothing is tuned.
    Start,
    /// What the search finds.
    Found,
}

impl At {
    fn as_str(self) -> &'static str {
        match self {
            At::Start => "start",
            At::Found => "found",
        }
    }
}

/// An analysis, and where it was made.
pub(super) struct Identified<'a> {
    plan: &'a Plan,
    at: At,
    x: &'a [f64],
    found: Identifiability,
}

impl From<IdentifiabilityError> for Failure {
    fn from(error: IdentifiabilityError) -> Self {
        match error {
            IdentifiabilityError::Slots { .. } => Self::new(ExitStatus::Bug, error, "please report this"),
            IdentifiabilityError::Objective(_)
            | IdentifiabilityError::Transform { .. }
            | IdentifiabilityError::NonFinite(_) => Self::new(
                ExitStatus::Rejected,
                error,
                "correct `tune` in the experiment; if sensitivities are not finite, look for parameters out of range",
            ),
        }
    }
}

impl<'a> Identified<'a> {
    /// Analyses traces with sensitivities at `x`, over the whole horizon.
    pub(super) fn new(
        plan: &'a Plan,
        problem: &Problem,
        at: At,
        x: &'a [f64],
        traces: &Traces,
    ) -> Result<Self, Failure> {
        let settings = &problem.settings;
        let found = identify(
            &problem.objective,
            traces,
            settings.horizon.end_ms,
            &settings.transforms,
            x,
        )?;
        Ok(Self { plan, at, x, found })
    }

    fn n(&self) -> usize {
        self.x.len()
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.plan.slots.iter().map(|s| s.name.as_str())
    }

    /// `+0.71 gna −0.70 gk`: the components of eigenvector `j`, largest first.
    fn combination(&self, j: usize) -> String {
        let column = self.found.spectrum.vectors.column(j);
        let mut parts: Vec<(f64, &str)> = column.iter().copied().zip(self.names()).collect();
        parts.retain(|(component, _)| component.abs() >= SMALL);
        parts.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        let part = |&(component, name): &(f64, &str)| {
            let sign = if component < 0.0 { '−' } else { '+' };
            format!("{sign}{:.2} {name}", component.abs())
        };
        parts.iter().map(part).collect::<Vec<_>>().join(" ")
    }

    /// `identifiability.npz`, a section of the report with two tables and two pictures.
    pub(super) fn write(&self, folder: &mut Folder) -> Result<(), Failure> {
        let n = self.n();
        let spectrum = &self.found.spectrum;
        let vectors = spectrum
            .vectors
            .row_iter()
            .flat_map(|r| r.iter().copied().collect::<Vec<_>>());
        let of = |field: fn(&Precision) -> f64| self.found.slots.iter().map(field).collect();
        let squared = "(probe's / coordinate's)²";
        folder.arrays(
            "identifiability.npz",
            &[
                Named::new("x", "slot's", "the point, slot", &[n], self.x.to_vec()),
                Named::new(
                    "eigenvalues",
                    squared,
                    "of JᵀJ, descending",
                    &[n],
                    spectrum.values.clone(),
                ),
                Named::new(
                    "eigenvectors",
                    "1",
                    "of JᵀJ in the tuned coordinates, slot × eigenvalue",
                    &[n, n],
                    vectors.collect(),
                ),
                Named::new(
                    "standard_error",
                    "slot's",
                    "for noise of 1 probe unit, infinite without bound, slot",
                    &[n],
                    of(|s| s.standard_error),
                ),
                Named::new(
                    "relative_error",
                    "1",
                    "the same over |slot|, slot",
                    &[n],
                    of(|s| s.relative),
                ),
                Named::new(
                    "relative_error_alone",
                    "1",
                    "the same if all other slots were known, slot",
                    &[n],
                    of(|s| s.relative_alone),
                ),
            ],
        )?;
        folder.report.section("Identifiability");
        folder.report.paragraph(&format!(
            "What {} entries of the target tell at the {} point, if each carries independent noise of 1 probe unit (1 mV \
             for voltages) over the square root of its weight. All errors are proportional to the noise. Eigenvectors are \
             in the tuned coordinates: the logarithm of a slot with `log`, for instance, where a component is a relative \
             change. {} of {n} combinations have a standard error of at most 10 %.",
            self.found.n_entries,
            self.at.as_str(),
            self.found.n_determined(),
        ));
        folder.report.table(&self.slot_table());
        folder.report.table(&self.combination_table());
        folder.figure(
            "identifiability",
            &self.spectrum_plot(),
            "Spectrum of JᵀJ; eigenvalues that are 0 are left out. Dashed: a standard error of 10 %.",
        )?;
        let caption = "Eigenvectors of JᵀJ, from the best determined combination of slots to the worst.";
        folder.figure("eigenvectors", &self.vectors_plot(), caption)?;
        Ok(())
    }

    fn slot_table(&self) -> Table {
        let columns = vec![
            Column::text("slot"),
            Column::number("value"),
            Column::number("standard error"),
            Column::number("relative (%)"),
            Column::number("if the others were known (%)"),
            Column::text("the target determines it"),
        ];
        let mut table = Table::new("Slots, for noise of 1 probe unit.", columns);
        for ((name, x), slot) in self.names().zip(self.x).zip(&self.found.slots) {
            table.row([
                name.to_string(),
                format!("{x:.6}"),
                figure(slot.standard_error),
                figure(100.0 * slot.relative),
                figure(100.0 * slot.relative_alone),
                verdict(slot.verdict()).to_string(),
            ]);
        }
        table
    }

    fn combination_table(&self) -> Table {
        let columns = vec![
            Column::number("eigenvalue"),
            Column::number("of the largest"),
            Column::number("standard error"),
            Column::text("combination of coordinates"),
        ];
        let mut table = Table::new("Combinations, the best determined first.", columns);
        let largest = self.found.spectrum.values.first().copied().unwrap_or(0.0);
        for (j, value) in self.found.spectrum.values.iter().enumerate() {
            table.row([
                format!("{value:.3e}"),
                format!("{:.1e}", value / largest),
                figure(self.found.direction_error(j)),
                self.combination(j),
            ]);
        }
        table
    }

    fn spectrum_plot(&self) -> LinePlot {
        let x: Vec<f64> = (1..=self.n()).map(|j| j as f64).collect();
        let (least, most) = (0.5, self.n() as f64 + 0.5);
        let values = Series::new("eigenvalue", x, self.found.spectrum.values.clone());
        // an error of 10 % is an eigenvalue of 100
        let level = Series::new("10 %", vec![least, most], vec![100.0, 100.0]).stroke(Stroke::Dashed);
        let panel = Panel::new("eigenvalue of JᵀJ").log();
        let mut plot = LinePlot::new("Identifiability", "combination")
            .panel(panel.series(values.stroke(Stroke::LineAndPoints)).series(level));
        plot.x_range = Some((least, most));
        plot
    }

    fn vectors_plot(&self) -> HeatMap {
        let vectors = &self.found.spectrum.vectors;
        let values = Array2::from_shape_fn((self.n(), self.n()), |(slot, j)| vectors[(slot, j)]);
        let columns = (1..=self.n()).map(|j| j.to_string()).collect();
        let mut map = HeatMap::new(
            "Eigenvectors",
            values,
            "component",
            Columns::Names(columns),
            "combination",
        )
        .rows("", self.names().map(str::to_owned).collect());
        map.map = ColourMap::Diverging;
        map
    }

    /// The table for the terminal.
    pub(super) fn text(&self) -> String {
        let width = self.names().map(str::len).max().unwrap_or(0).max(4);
        let mut out = format!("{:width$}  {:>12}  {:>12}  determined", "slot", "at", "error (%)");
        for ((name, x), slot) in self.names().zip(self.x).zip(&self.found.slots) {
            let error = figure(100.0 * slot.relative);
            let verdict = verdict(slot.verdict());
            out.push_str(&format!("\n{name:width$}  {x:>12.6}  {error:>12}  {verdict}"));
        }
        out
    }

    /// One line: how much is determined.
    pub(super) fn sentence(&self) -> String {
        format!(
            "{} of {} combinations known to 10 % from noise of 1 probe unit at the {} point",
            self.found.n_determined(),
            self.n(),
            self.at.as_str()
        )
    }

    /// JSON; infinite errors are null.
    pub(super) fn json(&self) -> Value {
        let finite = |v: f64| v.is_finite().then_some(v);
        let slots = self
            .names()
            .zip(self.x)
            .zip(&self.found.slots)
            .map(|((name, x), slot)| {
                json!({
                    "name": name, "value": x, "standard_error": finite(slot.standard_error),
                    "relative_error": finite(slot.relative), "relative_error_alone": finite(slot.relative_alone),
                    "verdict": slot.verdict(),
                })
            });
        let combination = |j: usize| -> Value {
            let components = self.found.spectrum.vectors.column(j);
            let components: Value = self
                .names()
                .zip(components.iter())
                .map(|(n, c)| (n.to_owned(), json!(c)))
                .collect();
            json!({
                "eigenvalue": self.found.spectrum.values[j],
                "standard_error": finite(self.found.direction_error(j)),
                "components": components,
            })
        };
        json!({
            "at": self.at.as_str(),
            "noise": 1.0,
            "entries": self.found.n_entries,
            "determined": self.found.n_determined(),
            "slots": slots.collect::<Value>(),
            "combinations": (0..self.n()).map(combination).collect::<Value>(),
        })
    }
}

fn figure(error: f64) -> String {
    if error.is_finite() {
        format!("{error:.3e}")
    } else {
        "∞".into()
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Determined => "yes",
        Verdict::Weak => "weakly",
        Verdict::Undetermined => "no",
    }
}
