//! R7: where online control is stable, tried on a linear cell and compared with the line of Routh and Hurwitz.
//!
//! A leak's reversal potential, θ times a pattern over the cable, is controlled so that V goes to 0 at the first control
//! volume: C V' = −g (V − θ) in the pattern, e' = V²/2, E' = u V − λ E, θ' = −α E, u the sensitivity ∂V/∂θ at rest. With the
//! decay rate a of the pattern the loop's polynomial is (s + a)(s + λ) s + α u g/C, stable iff
//!
//! ```text
//! α < λ a (a + λ) C/(g u)
//! ```
//!
//! The paper sets u to 1, which gives its line. Here u forgets as everything does: u = (g/C)/(a + λ).

use rayon::prelude::*;
use serde_json::{Value, json};

use super::{Bench, check, check_line, numbers};
use crate::controlled;
use crate::hosts::ShimHost;
use crate::outcome::{Folder, Named};
use crate::plan::Plan;
use crate::report::plot::{LinePlot, Panel, Series, Stroke, palette};
use crate::report::{Column, Table};
use crate::reproduce::{Agreement, Comparison, Error, Job, Outcome, Part, Scale};

/// Points per axis.
const GRID: usize = 10;
/// Leak over capacitance, 1/ms: 0.3 mS/cm² on 1 µF/cm².
const LEAK_PER_MS: f64 = 0.3;
const DT_MS: f64 = 0.05;
/// Control volumes of the cable of modes above 0.
const CVS: usize = 11;
/// What acceptance asks of the mode 0, of all its points.
const DEMANDED: usize = 95;

/// Powers of ten between two exponents, ends included.
fn decades(from: f64, to: f64) -> Vec<f64> {
    let step = (to - from) / (GRID - 1) as f64;
    (0..GRID).map(|i| 10f64.powf(from + step * i as f64)).collect()
}

/// Forgetting rates, 1/ms.
fn lambdas() -> Vec<f64> {
    decades(-3.0, -0.5)
}

/// Gains around the line of a mode with this decay rate, 1/ms².
fn alphas(decay_per_ms: f64) -> Vec<f64> {
    let line = (decay_per_ms / LEAK_PER_MS).powi(2);
    decades(-4.5, 0.5).into_iter().map(|alpha| alpha * line).collect()
}

/// The cable of a mode, without patterns: one CV is enough for mode 0.
fn cable(mode: usize) -> usize {
    if mode == 0 { 1 } else { CVS }
}

/// Decay rate of a mode, 1/ms.
fn decay_per_ms(mode: usize, plan: &Plan) -> f64 {
    let cable = &plan.cells[0].discretisation;
    let face = |i: usize| cable.g_face_us.get(i).copied().unwrap_or(0.0);
    let half = std::f64::consts::PI * mode as f64 / (2.0 * CVS as f64);
    // µS over pF is 1/µs; a sealed end is a half pattern, so that cosines are the modes of equal control volumes
    LEAK_PER_MS + 1e3 * 4.0 * face(1) / cable.cap_pf[0] * half.sin().powi(2)
}

/// One mode of the cable.
struct Mode {
    number: usize,
    /// Decay rate a, 1/ms.
    decay_per_ms: f64,
    /// Per λ and α: stable?
    stable: Vec<bool>,
}

impl Mode {
    /// The greatest stable gain of the loop as the paper has it, with u = 1.
    fn published(&self, lambda: f64) -> f64 {
        let a = self.decay_per_ms;
        lambda * a * (a + lambda) / LEAK_PER_MS
    }

    /// The same with the sensitivity that forgets.
    fn forgetting(&self, lambda: f64) -> f64 {
        self.published(lambda) * (self.decay_per_ms + lambda) / LEAK_PER_MS
    }

    /// Points on the side that a line predicts.
    fn agreeing(&self, line: impl Fn(f64) -> f64) -> usize {
        let alphas = alphas(self.decay_per_ms);
        let rows = lambdas().into_iter().zip(self.stable.chunks(GRID));
        rows.map(|(lambda, row)| {
            let greatest = line(lambda);
            row.iter()
                .zip(&alphas)
                .filter(|(stable, alpha)| **stable == (**alpha < greatest))
                .count()
        })
        .sum()
    }
}

/// Ten cells, one per gain.
fn experiment(mode: usize, row: usize, alphas: &[f64], length: Scale) -> Value {
    let (n, lambda) = (cable(mode), lambdas()[row]);
    let paint: Vec<Value> = (0..n)
        .map(|i| {
            let cosine = |i: f64| (std::f64::consts::PI * mode as f64 * (i + 0.5) / n as f64).cos();
            // 1 where the objective looks
            let pattern = cosine(i as f64) / cosine(0.0);
            let cable = json!({ "branch": 0, "prox": i as f64 / n as f64, "dist": (i + 1) as f64 / n as f64 });
            json!({
                "mechanism": "setpoint", "region": { "cable": cable },
                "parameters": { "g": LEAK_PER_MS * 1e-3, "el": pattern },
            })
        })
        .collect();
    let gains: serde_json::Map<String, Value> = alphas
        .iter()
        .enumerate()
        .map(|(i, alpha)| (format!("theta_{i}"), json!({ "gain": alpha, "min": -1e6, "max": 1e6 })))
        .collect();
    let settled = match length {
        Scale::Quick => 20.0,
        Scale::Default => 60.0,
        Scale::Full => 200.0,
    };
    let duration_ms = (settled / lambda).max(600.0).ceil();
    json!({
        "$schema": "https://graddiff.invalid/experiment.schema.json",
        "name": format!("stability-mode{mode}-lambda{row}"),
        "mechanisms": ["setpoint.mod"],
        "populations": [{ "name": "p", "count": GRID, "cell": {
            "morphology": { "cylinder": { "length_um": 1500, "diameter_um": 2 } },
            "cv_policy": { "fixed_per_branch": { "n": n } },
            "properties": { "v_init_mv": 0, "rl_ohm_cm": 100, "cm_f_per_m2": 0.01 },
            "paint": paint,
        } }],
        "slots": [{
            "name": "theta", "each_cell": true, "scale": "relative", "value": 1,
            "targets": [{ "mechanism": "setpoint", "parameter": "el" }],
        }],
        "probes": [{
            "name": "e", "cell": "p", "each_cell": true, "variable": "setpoint.e",
            "at": { "branch": 0, "pos": 0.5 / n as f64 },
        }],
        "forgetting_per_ms": lambda,
        "control": { "objective": "e", "slots": gains },
        "simulation": { "duration_ms": duration_ms, "dt_ms": DT_MS, "sample_every_ms": DT_MS * (duration_ms / 600.0).ceil().min(20.0) },
    })
}

/// Whether each gain's loop comes to rest: θ swings less in the last third than in the one before.
fn stable(plan: &Plan, host: &ShimHost) -> Result<Vec<bool>, Error> {
    let run = host.run_controlled(plan)?;
    let judged = (0..GRID).map(|slot| {
        let theta = controlled::slot(plan, &run, slot);
        let third = theta.len() / 3;
        let swing = |part: &[f64]| part.iter().fold(0.0, |greatest: f64, x| greatest.max(x.abs()));
        let (middle, last) = (swing(&theta[third..2 * third]), swing(&theta[2 * third..]));
        // at the bounds of control the loop has long been lost; at rounding, long been found
        last < 1e5 && (last < middle || last < 1e-12)
    });
    Ok(judged.collect())
}

fn try_mode(bench: &Bench, number: usize, length: Scale) -> Result<Mode, Error> {
    let first = bench.plan(&experiment(number, 0, &alphas(LEAK_PER_MS), length))?;
    let like = bench.host(&first, None)?;
    let decay_per_ms = decay_per_ms(number, &first);
    let alphas = alphas(decay_per_ms);
    let row = |row: usize| {
        let plan = bench.plan(&experiment(number, row, &alphas, length))?;
        let host = bench.host(&plan, Some((&first, &like)))?;
        stable(&plan, &host)
    };
    let rows: Vec<Vec<bool>> = (0..GRID).into_par_iter().map(row).collect::<Result<_, Error>>()?;
    Ok(Mode {
        number,
        decay_per_ms,
        stable: rows.concat(),
    })
}

fn plot(mode: &Mode) -> LinePlot {
    let (lambdas, alphas) = (lambdas(), alphas(mode.decay_per_ms));
    let points = |wanted: bool| -> (Vec<f64>, Vec<f64>) {
        let all = mode.stable.iter().enumerate().filter(|(_, stable)| **stable == wanted);
        all.map(|(i, _)| (lambdas[i / GRID].log10(), alphas[i % GRID])).unzip()
    };
    let line = |of: &dyn Fn(f64) -> f64| -> (Vec<f64>, Vec<f64>) {
        lambdas.iter().map(|lambda| (lambda.log10(), of(*lambda))).unzip()
    };
    let (rest, swing) = (points(true), points(false));
    let (published, forgetting) = (line(&|l| mode.published(l)), line(&|l| mode.forgetting(l)));
    let panel = Panel::new("gain α (1/ms²)")
        .log()
        .series(
            Series::new("comes to rest", rest.0, rest.1)
                .stroke(Stroke::Points)
                .colour(palette(0)),
        )
        .series(
            Series::new("does not", swing.0, swing.1)
                .stroke(Stroke::Points)
                .colour(palette(1)),
        )
        .series(Series::new("Routh's line, u = 1 (paper)", published.0, published.1).colour(palette(2)))
        .series(
            Series::new("Routh's line, u forgets", forgetting.0, forgetting.1)
                .stroke(Stroke::Dashed)
                .colour(palette(3)),
        );
    let title = format!("Mode {} of the cable, decay {:.3}/ms", mode.number, mode.decay_per_ms);
    let mut plot = LinePlot::new(&title, "log₁₀ forgetting rate λ (1/ms)").panel(panel);
    plot.panel_height = 320.0;
    plot.x_range = Some((-3.1, -0.4));
    plot
}

/// The result in the table of results.
pub const PART: Part = Part {
    name: "stability",
    title: "where online control is stable",
    place: "stability analysis",
    takes_morphology: false,
    run,
};

fn run(job: &Job<'_>) -> Result<Outcome, Error> {
    let (output, length) = (job.output, job.scale);
    let bench = Bench::new(output)?;
    let first = experiment(1, 0, &alphas(LEAK_PER_MS), length);
    let plan = bench.plan(&first)?;
    let verdict = check(&bench, &first, 20.0)?;
    let title = "Stability of online control (R7)";
    let mut folder = Folder::create(output, &plan, "reproduce stability", "shim", title)?;
    let modes = match length {
        Scale::Quick => 0..1,
        Scale::Default | Scale::Full => 0..3,
    };
    let modes = modes
        .map(|number| try_mode(&bench, number, length))
        .collect::<Result<Vec<Mode>, _>>()?;

    let counts: Vec<(usize, usize)> = modes
        .iter()
        .map(|m| (m.agreeing(|l| m.published(l)), m.agreeing(|l| m.forgetting(l))))
        .collect();
    let passed = counts[0].0 >= DEMANDED && verdict.passed;
    folder.report.summary(&[
        (
            "points on the side of the paper's line, mode 0".to_string(),
            format!("{} of {}", counts[0].0, GRID * GRID),
        ),
        (
            "of the line with the sensitivity that forgets".to_string(),
            format!("{} of {}", counts[0].1, GRID * GRID),
        ),
        (
            "sensitivities against central differences".to_string(),
            check_line(&verdict),
        ),
    ]);
    folder.report.paragraph(
        "Every point is a simulation under control: a leak whose reversal potential the controller moves, at every time \
         step, until the voltage is 0. It comes to rest, or swings ever further. The lines are the bounds of Routh and \
         Hurwitz for the linear loop; the paper's, with the sensitivity set to 1, and ours, where the sensitivity forgets \
         as the objective does. They part where λ is no longer small beside the membrane's own decay.",
    );
    for mode in &modes {
        let caption = format!("Mode {}: each point is one simulation of the loop.", mode.number);
        folder.figure(&format!("mode{}", mode.number), &plot(mode), &caption)?;
    }
    let columns = vec![
        Column::number("mode"),
        Column::number("decay (1/ms)"),
        Column::number("agree with u = 1"),
        Column::number("agree with u that forgets"),
    ];
    let mut table = Table::new("Points, of 100, on the side that each line predicts.", columns);
    let mut arrays = vec![Named::new(
        "lambda_per_ms",
        "1/ms",
        "forgetting rates",
        &[GRID],
        lambdas(),
    )];
    for (mode, (published, forgetting)) in modes.iter().zip(&counts) {
        let decay = format!("{:.4}", mode.decay_per_ms);
        table.row([
            mode.number.to_string(),
            decay,
            published.to_string(),
            forgetting.to_string(),
        ]);
        let stable = mode.stable.iter().map(|s| f64::from(u8::from(*s))).collect();
        let gains = alphas(mode.decay_per_ms);
        arrays.push(Named::new(
            &format!("alpha_mode{}", mode.number),
            "1/ms2",
            "gains",
            &[GRID],
            gains,
        ));
        let name = format!("stable_mode{}", mode.number);
        arrays.push(Named::new(
            &name,
            "1",
            "1 where the loop comes to rest, λ × α",
            &[GRID, GRID],
            stable,
        ));
    }
    folder.report.table(&table);
    folder.arrays("stability.npz", &arrays)?;
    let report = folder.finish()?;
    Ok(Outcome {
        passed,
        summary: format!(
            "{} of 100 points on the side of the published line, {} of ours",
            counts[0].0, counts[0].1
        ),
        numbers: numbers(json!({
            "agree_published": counts.iter().map(|c| c.0).collect::<Vec<_>>(),
            "agree_forgetting": counts.iter().map(|c| c.1).collect::<Vec<_>>(),
            "verify": verdict.max_rel_error,
        })),
        comparisons: vec![Comparison::new(
            "grid points on the predicted side of Routh's line, mode 0",
            "100 of 100",
            &format!("{} of 100", counts[0].0),
            if counts[0].0 >= DEMANDED {
                Agreement::Agrees
            } else {
                Agreement::Differs
            },
            "the sensitivity forgets too, which the paper's linear loop leaves out: the lines part at large λ",
        )],
        report,
    })
}
