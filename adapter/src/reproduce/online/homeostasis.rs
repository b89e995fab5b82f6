//! R5: a noise-driven cell that is to fire at a given rate, five targets × five gains, by three laws.
//!
//! * *as published*: a mechanism that carries the law and its sensitivities as the paper's code has them, deviations from
//!   the derivative included (`hh_published.mod`), at that code's tenfold speed of the voltage;
//! * *corrected*: the same law, gains, forgetting and clipping with the exact sensitivities of the simulation, in
//!   consistent units, clipped and moved at every step by the generated mechanism itself;
//! * *ours*: the same law and exact sensitivities with settings that suit them (see the report's reasons).

use serde_json::{Value, json};

use super::{Bench, check, check_line, mean_from, numbers, thinned};
use crate::hosts::ControlledRun;
use crate::outcome::{Folder, column};
use crate::plan::Plan;
use crate::report::plot::{LinePlot, Panel, Series, Stroke, palette};
use crate::report::{Column, Table};
use crate::reproduce::{Agreement, Comparison, Error, Job, Outcome, Part, Scale};

/// Target rates, Hz.
const TARGETS: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];
/// The paper's factors on the gain 1e-5.
const FACTORS: [f64; 5] = [0.1, 0.2, 0.3, 0.4, 0.5];
/// The paper's length, ms.
const PAPER_MS: f64 = 2e6;
/// What is tuned, with its start.
const TUNED: [&str; 3] = ["gna", "gk", "gain"];
/// How close to its target a rate must come.
const CLOSE: f64 = 0.1;
/// Our forgetting rate, 1/ms: a few times the length of a spike.
pub(super) const FORGETTING_PER_MS: f64 = 0.3;
/// Our gain at factor 1.
const GAIN: f64 = 8e-3;
/// Time constant of the rate's low-pass, ms.
const TAU_F_MS: f64 = 1e4;
/// Forgetting of the paper, 1/ms, and its leak over capacitance, 1/ms: what the line of R7 is made of.
const PAPER_FORGETTING_PER_MS: f64 = 1e-4;
const LEAK_PER_MS: f64 = 0.3;
/// Our bound on the speed of a parameter, start values per ms.
pub(super) const MAX_RATE: f64 = 2e-3;

/// The drive of the check, µA/cm²: ten times the start.
const CHECK_GAIN: f64 = 0.6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Law {
    Published,
    Corrected,
    Ours,
}

impl Law {
    const ALL: [Law; 3] = [Law::Published, Law::Corrected, Law::Ours];

    fn name(self) -> &'static str {
        match self {
            Law::Published => "as-published",
            Law::Corrected => "corrected",
            Law::Ours => "ours",
        }
    }
}

/// What is run: the same for all laws.
struct Grid {
    cells: Vec<(f64, f64)>,
    duration_ms: f64,
    /// What gains of the paper are multiplied by, so that parameters can go as far as in the paper's time.
    speed: f64,
}

impl Grid {
    fn new(length: Scale) -> Self {
        let (duration_ms, factors): (f64, &[f64]) = match length {
            Scale::Quick => (5e3, &FACTORS[4..]),
            Scale::Default => (2e5, &FACTORS),
            Scale::Full => (PAPER_MS, &FACTORS),
        };
        let cells = TARGETS.iter().flat_map(|&t| factors.iter().map(move |&f| (t, f)));
        Self {
            cells: cells.collect(),
            duration_ms,
            speed: PAPER_MS / duration_ms,
        }
    }

    fn experiment(&self, law: Law) -> Value {
        let (mechanism, cm) = match law {
            Law::Published => ("hh_published", 0.001),
            Law::Corrected | Law::Ours => ("hh_homeo", 0.01),
        };
        let cells: Vec<Value> = (0..self.cells.len())
            .map(|i| self.cell(law, mechanism, cm, i))
            .collect();
        let at = json!({ "branch": 0, "pos": 0.5 });
        let mut probes = vec![
            json!({ "name": "rate", "each_cell": true, "at": at, "variable": format!("{mechanism}.f") }),
            json!({ "name": "e", "each_cell": true, "at": at, "variable": format!("{mechanism}.e") }),
        ];
        for name in TUNED {
            let variable = format!("{mechanism}.{name}");
            probes.push(json!({ "name": name, "each_cell": true, "at": at, "variable": variable }));
        }
        let mut experiment = json!({
            "$schema": "https://graddiff.invalid/experiment.schema.json",
            "name": format!("homeostasis-{}", law.name()),
            "mechanisms": [format!("{mechanism}.mod")],
            "cells": cells,
            "probes": probes,
            "simulation": {
                "duration_ms": self.duration_ms, "dt_ms": 0.005, "seed": 1,
                "sample_every_ms": (self.duration_ms / 4000.0).max(1.0),
            },
        });
        let (gain, forgetting) = match law {
            Law::Published => return experiment,
            Law::Corrected => (1e-5 * self.speed, PAPER_FORGETTING_PER_MS),
            Law::Ours => (GAIN, FORGETTING_PER_MS),
        };
        let slot = |name: &&str| json!({ "name": name, "each_cell": true, "targets": [{ "mechanism": mechanism, "parameter": name }] });
        experiment["slots"] = TUNED.iter().map(slot).collect();
        experiment["forgetting_per_ms"] = forgetting.into();
        let mut slots = serde_json::Map::new();
        for name in TUNED {
            for (i, (_, factor)) in self.cells.iter().enumerate() {
                let mut how = json!({ "gain": gain * factor, "min": 0 });
                if law == Law::Ours {
                    how["max_rate"] = MAX_RATE.into();
                }
                slots.insert(format!("{name}_{i}"), how);
            }
        }
        experiment["control"] = match law {
            // nothing to be done between steps: 2.4 times as fast as a controller, for the same numbers to 1e-13
            Law::Published | Law::Corrected => {
                json!({ "objective": "e", "slots": slots, "clip": 1, "within": "mechanism" })
            }
            Law::Ours => json!({ "objective": "e", "slots": slots, "every_ms": 1 }),
        };
        experiment
    }

    fn cell(&self, law: Law, mechanism: &str, cm: f64, i: usize) -> Value {
        let (target, factor) = self.cells[i];
        let mut parameters = json!({ "f_target": target });
        if law == Law::Published {
            parameters["alpha"] = (1e-5 * factor * self.speed).into();
        }
        json!({
            "name": format!("c{i}"),
            "morphology": { "cylinder": { "length_um": 10, "diameter_um": 2 } },
            "cv_policy": "single",
            "properties": { "v_init_mv": -53, "cm_f_per_m2": cm, "rl_ohm_cm": 100 },
            "paint": [{ "mechanism": mechanism, "parameters": parameters }],
        })
    }

    /// Per cell: mean rate over the last fifth, Hz.
    fn rates(&self, run: &ControlledRun) -> Vec<f64> {
        let from_ms = 0.8 * self.duration_ms;
        (0..self.cells.len()).map(|i| mean_from(run, i, from_ms)).collect()
    }

    /// Per target: the relative distance of the gain that comes closest.
    fn closest(&self, rates: &[f64]) -> Vec<f64> {
        let best = |(target, own): (&f64, &[f64])| {
            own.iter()
                .map(|rate| (rate / target - 1.0).abs())
                .fold(f64::INFINITY, f64::min)
        };
        TARGETS.iter().zip(rates.chunks(self.n_factors())).map(best).collect()
    }

    /// Cells of one target, which follow each other.
    fn n_factors(&self) -> usize {
        self.cells.len() / TARGETS.len()
    }

    /// Rates of one factor, and the targets.
    fn plot(&self, law: Law, run: &ControlledRun) -> LinePlot {
        let t_s = |times: &[f64]| thinned(times.iter().map(|t| t / 1000.0).collect(), 800);
        let (n, n_factors) = (self.cells.len(), self.n_factors());
        let factor = self.cells[n_factors / 2].1;
        let mut panel = Panel::new("rate (Hz)");
        let mut gains = Panel::new("gain / start (1)");
        for (k, target) in TARGETS.iter().enumerate() {
            let (i, colour) = (k * n_factors + n_factors / 2, palette(k));
            let name = format!("target {target} Hz");
            let rate = thinned(column(&run.traces, i), 800);
            let gain = thinned(column(&run.traces, 4 * n + i), 800);
            let start = gain.first().copied().unwrap_or(1.0);
            let times = t_s(&run.traces.times_ms);
            let ends = vec![0.0, self.duration_ms / 1000.0];
            panel = panel
                .series(Series::new(&name, times.clone(), rate).colour(colour))
                .series(
                    Series::new("", ends, vec![*target; 2])
                        .stroke(Stroke::Dashed)
                        .colour(colour),
                );
            let gain = gain.into_iter().map(|g| g / start).collect();
            gains = gains.series(Series::new(&name, times, gain).colour(colour));
        }
        let mut plot = LinePlot::new(&format!("Law {}, factor {factor}", law.name()), "time (s)");
        plot = plot.panel(panel).panel(gains);
        plot.panel_height = 200.0;
        plot
    }
}

/// The result in the table of results.
pub const PART: Part = Part {
    name: "homeostasis",
    title: "a cell held at a rate",
    place: "homeostatic control, single cell",
    takes_morphology: false,
    run,
};

fn run(job: &Job<'_>) -> Result<Outcome, Error> {
    let (output, length) = (job.output, job.scale);
    let bench = Bench::new(output)?;
    let grid = Grid::new(length);
    let plans: Vec<Plan> = Law::ALL
        .iter()
        .map(|&law| bench.plan(&grid.experiment(law)))
        .collect::<Result<_, Error>>()?;
    let verdict = check(&bench, &single(&grid), 50.0)?;
    let one = |plan: &Plan| -> Result<ControlledRun, Error> { Ok(bench.host(plan, None)?.run_controlled(plan)?) };
    let ((published, corrected), ours) =
        rayon::join(|| rayon::join(|| one(&plans[0]), || one(&plans[1])), || one(&plans[2]));
    let runs = [published?, corrected?, ours?];

    let title = "Homeostasis of a cell (R5)";
    let mut folder = Folder::create(output, &plans[2], "reproduce homeostasis", "shim", title)?;
    let closest: Vec<Vec<f64>> = runs.iter().map(|run| grid.closest(&grid.rates(run))).collect();
    let reached = |law: usize| closest[law].iter().filter(|d| **d <= CLOSE).count();
    let mut facts: Vec<(String, String)> = Law::ALL
        .iter()
        .enumerate()
        .map(|(k, law)| {
            (
                format!("targets reached, {}", law.name()),
                format!("{} of {}", reached(k), TARGETS.len()),
            )
        })
        .collect();
    facts.push(("sensitivities against central differences".into(), check_line(&verdict)));
    facts.push((
        "length".into(),
        format!("{} s; the paper's is {} s", grid.duration_ms / 1e3, PAPER_MS / 1e3),
    ));
    folder.report.summary(&facts);
    explain(&mut folder, &grid, &plans[1], &runs[1]);
    if length != Scale::Quick {
        folder.report.paragraph(
            "How close a rate can be seen to come is limited by counting. Spikes of a noise-driven cell come nearly at random; \
             those at a rate f, through a low-pass of τ_f, give an estimate that fluctuates by 1/√(2 f τ_f) of its mean, and \
             its mean over a time T still by 1/√(f T). At 1 Hz single cells are therefore off by more than the tenth that is \
             asked for about as often as not, on either side, whatever holds them; the mean over the gains is surer.",
        );
        folder.report.table(&noise_table(&grid, &runs[2]));
    }
    for ((law, run), plan) in Law::ALL.iter().zip(&runs).zip(&plans) {
        folder.report.section(&format!("Law {}", law.name()));
        let who = match law {
            Law::Published => "The law and its sensitivities are the paper's, written out in a mechanism.",
            Law::Corrected => {
                "The law is in the mechanism, as in the paper: generated beside the exact sensitivities, it moves the cell's \
                 parameters and clips at every step, and nothing is read or written from outside."
            }
            Law::Ours => "A controller reads the sensitivities every millisecond and moves the slots.",
        };
        folder.report.paragraph(who);
        let caption = "Rate as the cell estimates it (dashed: targets), and the gain of its drive.";
        folder.figure(law.name(), &grid.plot(*law, run), caption)?;
        folder.report.table(&rates_table(&grid, run));
        folder.arrays(&format!("{}.npz", law.name()), &crate::controlled::arrays(plan, run))?;
    }
    let report = folder.finish()?;
    // too short a run says nothing about rates
    let all = reached(1) == TARGETS.len() || reached(2) == TARGETS.len();
    let passed = verdict.passed && (length == Scale::Quick || all);
    let comparison = |k: usize, quantity: &str, why: &str| {
        let agreement = match (length, reached(k) == TARGETS.len()) {
            (Scale::Quick, _) => Agreement::New,
            (Scale::Default | Scale::Full, true) => Agreement::Agrees,
            (Scale::Default | Scale::Full, false) => Agreement::Differs,
        };
        Comparison::new(quantity, "all of 5", &format!("{} of 5", reached(k)), agreement, why)
    };
    let comparisons = vec![
        comparison(
            0,
            "targets reached, law as published",
            "its deviations from the derivative are what steers it",
        ),
        comparison(
            1,
            "targets reached, exact sensitivities, published settings",
            "along one path ∂f/∂θ averages to nothing: forgetting is too slow for it to see spikes appear",
        ),
        comparison(
            2,
            "targets reached, exact sensitivities, our settings",
            "forgetting as fast as a spike",
        ),
    ];
    Ok(Outcome {
        passed,
        summary: format!(
            "targets reached of {}: as published {}, corrected {}, ours {}",
            TARGETS.len(),
            reached(0),
            reached(1),
            reached(2)
        ),
        numbers: numbers(json!({
            "closest": { "as_published": closest[0], "corrected": closest[1], "ours": closest[2] },
            "verify": verdict.max_rel_error,
            "duration_ms": grid.duration_ms,
        })),
        comparisons,
        report,
    })
}

/// One cell of ours, for the check: driven so hard that it spikes within the horizon. At rest the channels are shut, and
/// what they do to the rate is below the rounding of differences.
fn single(grid: &Grid) -> Value {
    let mut experiment = grid.experiment(Law::Ours);
    experiment["name"] = "homeostasis".into();
    if let Some(cells) = experiment["cells"].as_array_mut() {
        cells.truncate(1);
        cells[0]["paint"][0]["parameters"]["gain"] = CHECK_GAIN.into();
    }
    experiment
}

fn rates_table(grid: &Grid, run: &ControlledRun) -> Table {
    let mut columns = vec![Column::number("target (Hz)")];
    let mut factors: Vec<f64> = grid.cells.iter().map(|c| c.1).collect();
    factors.truncate(grid.n_factors());
    columns.extend(factors.iter().map(|f| Column::number(&format!("factor {f}"))));
    columns.push(Column::number("mean of factors"));
    let mut table = Table::new("Mean rate over the last fifth of the run, Hz.", columns);
    let rates = grid.rates(run);
    for (target, row) in TARGETS.iter().zip(rates.chunks(factors.len())) {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let cells = row.iter().chain([&mean]).map(|r| format!("{r:.2}"));
        table.row(std::iter::once(format!("{target}")).chain(cells));
    }
    table
}

/// How much the estimate fluctuates under our law, beside what random spikes would do.
fn noise_table(grid: &Grid, run: &ControlledRun) -> Table {
    let columns = vec![
        Column::number("target (Hz)"),
        Column::number("random spikes (%)"),
        Column::number("measured (%)"),
        Column::number("mean of last fifth, random spikes (%)"),
    ];
    let mut table = Table::new(
        "Fluctuation of the estimated rate, relative to its mean: random spikes, and law ours over the last half of the run, \
         root mean square over the gains.",
        columns,
    );
    let n_factors = grid.n_factors();
    for (k, target) in TARGETS.iter().enumerate() {
        let squares = (k * n_factors..(k + 1) * n_factors).map(|i| {
            let rate = column(&run.traces, i);
            let half = &rate[rate.len() / 2..];
            let n = half.len().max(1) as f64;
            let mean = half.iter().sum::<f64>() / n;
            half.iter().map(|r| (r / mean - 1.0).powi(2)).sum::<f64>() / n
        });
        let measured = (squares.sum::<f64>() / n_factors as f64).sqrt();
        let low_passed = (2.0 * target * TAU_F_MS / 1e3).sqrt().recip();
        let averaged = (target * 0.2 * grid.duration_ms / 1e3).sqrt().recip();
        let percent = |x: f64| format!("{:.0}", 100.0 * x);
        table.row([
            format!("{target}"),
            percent(low_passed),
            percent(measured),
            percent(averaged),
        ]);
    }
    table
}

/// Why the laws behave as they do, with the numbers of this run.
fn explain(folder: &mut Folder, grid: &Grid, plan: &Plan, corrected: &ControlledRun) {
    let report = &mut folder.report;
    report.paragraph(&format!(
        "What was scaled: the runs last {} s instead of {} s, so the gains of the paper are multiplied by {}; the rates are \
         estimated with the paper's 10 s. Three laws move g_Na, g_K and the gain of the noise: θ' = −α θ₀ ∂e/∂θ with \
         e' = (f − f*)²/2.",
        grid.duration_ms / 1e3,
        PAPER_MS / 1e3,
        grid.speed
    ));
    report.paragraph(
        "Why the exact gradient needs other settings. The rate counts turns of (m, h), and between spikes of a noise-driven \
         cell the noise brings two neighbouring trajectories together again: ∂φ/∂θ of the phase returns to almost nothing \
         after every spike. Its derivative by time, which is what ∂f/∂θ averages, therefore averages to almost nothing as \
         well: the derivative along one path does not see that a spike appears or vanishes. With a forgetting rate λ the mean \
         of ∂f/∂θ becomes λ times the mean of ∂φ/∂θ, so forgetting must be about as fast as a spike for the sensitivity to \
         tell the direction; λ = 1e-4/ms is not. The published law moves the rate all the same, since its deviations from \
         the derivative spoil that cancellation: its bias is what steers it.",
    );
    let line = PAPER_FORGETTING_PER_MS * (PAPER_FORGETTING_PER_MS + LEAK_PER_MS);
    let (least, most) = (1e-5 * FACTORS[0], 1e-5 * FACTORS[FACTORS.len() - 1]);
    report.paragraph(&format!(
        "Stability is not what the published settings lack: the paper's gains, {least:.0e} to {most:.0e}, lie {:.0} to {:.0} \
         times below the line of the linear loop (R7), α < λ (λ + g_l/C_m) = {line:.1e}/ms². Times {} for the shorter run they \
         lie between {:.2} and {:.2} of it, so the greatest may swing here where they would not in the paper's time.",
        line / most,
        line / least,
        grid.speed,
        least * grid.speed / line,
        most * grid.speed / line,
    ));
    let drift = |which: usize| -> f64 {
        let values =
            crate::controlled::sensitivity(corrected, plan.control.as_ref().map_or(0, |c| c.slots.len()), which);
        let n = values.len().max(1) as f64;
        values.iter().sum::<f64>() / n
    };
    let n = grid.cells.len();
    // slots of the plan are ordered by what they tune, then by cell
    let mean = (2 * n..3 * n).map(drift).map(f64::abs).sum::<f64>() / n as f64;
    report.paragraph(&format!(
        "Measured here: with the published forgetting and clipping, |mean over time| of ∂e/∂gain is {mean:.1e} on average over \
         the cells, clipped to at most 1 (units of e per µA/cm²); the law moves the gain by α θ₀ times that. Ours: λ = \
         {FORGETTING_PER_MS}/ms, no clipping, α = factor · {GAIN}, a move every ms of at most {MAX_RATE} of the start value per \
         ms, because the phase's derivative has a pole at (1/2, 1/2) and rare passages near it would otherwise decide \
         everything.",
    ));
}
