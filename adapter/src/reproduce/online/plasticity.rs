//! R8b and R8c: a plasticity rule whose coefficients are tuned through the sensitivities of the weights, and a network
//! whose plasticity rule is the running controller. Cells, rules and numbers are ours.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::{Bench, check, check_line, numbers};
use crate::control::{Model, Traces};
use crate::hosts::{ControlledRun, HostError, ShimHost};
use crate::outcome::{Folder, column};
use crate::plan::{Plan, PlannedCell};
use crate::report::plot::{LinePlot, Panel, Rgb, Series, Stroke, palette};
use crate::report::{Column, Table};
use crate::reproduce::{Agreement, Comparison, Error, Job, Outcome, Part, Scale};
use crate::tune::prepare;

/// The experiments, as users have them.
const PAIRING: &str = include_str!("../../../../examples/plasticity/pairing.json");
const SCALING: &str = include_str!("../../../../examples/plasticity/scaling.json");
/// How close to its true value a coefficient must come, relative.
const RECOVERED: f64 = 1e-3;
/// How close to their target the cells' mean rate must come.
const CLOSE: f64 = 0.1;
/// Part of the time before and after the perturbation over which rates are judged: the last.
const JUDGED: f64 = 0.4;
/// A quick run's share of the network's time.
const QUICK: f64 = 0.1;
/// Ten lines behind their mean.
const CELL_COLOUR: Rgb = Rgb(0xb8, 0xb8, 0xb8);

/// The result in the table of results.
pub const PART: Part = Part {
    name: "plasticity",
    title: "plasticity rules, tuned and controlled",
    place: "version 4, plasticity",
    takes_morphology: false,
    run,
};

fn run(job: &Job<'_>) -> Result<Outcome, Error> {
    let bench = Bench::new(job.output)?;
    let pairing = Pairing::compute(&bench)?;
    let network = Network::compute(&bench, job.scale)?;
    let title = "Plasticity rules (R8b, R8c)";
    let mut folder = Folder::create(job.output, &pairing.plan, "reproduce plasticity", "shim", title)?;
    let worst = pairing.worst();
    let [before, after] = network.means(&network.with);
    let free = network.means(&network.without)[1];
    folder.report.summary(&[
        (
            "coefficients of the rule, greatest error".to_string(),
            format!("{worst:.1e}"),
        ),
        (
            "mean rate of the network before and after the leak grows".to_string(),
            format!("{before:.2} and {after:.2} Hz for {} Hz", network.target),
        ),
        ("without the controller".to_string(), format!("{free:.2} Hz after")),
        (
            "weights' sensitivities against central differences".to_string(),
            check_line(&pairing.verdict),
        ),
        ("network's sensitivities".to_string(), check_line(&network.verdict)),
    ]);
    pairing.report(&mut folder)?;
    network.report(&mut folder)?;
    let close = |rate: f64| (rate / network.target - 1.0).abs() <= CLOSE;
    let held = close(before) && close(after) && !close(free);
    let verified = pairing.verdict.passed && network.verdict.passed;
    let found = worst <= RECOVERED;
    // too short a run says nothing about rates
    let passed = verified && found && (held || job.scale == Scale::Quick);
    let agreement = |yes: bool| if yes { Agreement::Agrees } else { Agreement::Differs };
    let comparisons = vec![
        Comparison::new(
            "coefficients of a plasticity rule, tuned",
            "proposed",
            &format!("four of four within {worst:.1e}"),
            agreement(found),
            "the weights after pairings determine them; rule and protocol are ours",
        ),
        Comparison::new(
            "a network's rate under the controller as its plasticity (Hz)",
            "proposed",
            &format!("{before:.1} and {after:.1} for {}", network.target),
            if job.scale == Scale::Quick {
                Agreement::New
            } else {
                agreement(held)
            },
            "synaptic scaling by each cell's own sensitivity; network and perturbation are ours",
        ),
    ];
    Ok(Outcome {
        passed,
        summary: format!(
            "coefficients within {worst:.1e}; network at {before:.1} Hz, {after:.1} Hz after the leak grows (target {}), {free:.1} \
             Hz without control",
            network.target
        ),
        comparisons,
        numbers: numbers(json!({
            "coefficients_error": worst,
            "rates_hz": [before, after],
            "rate_without_hz": free,
            "verify": [pairing.verdict.max_rel_error, network.verdict.max_rel_error],
        })),
        report: folder.finish()?,
    })
}

/// R8b.
struct Pairing {
    plan: Plan,
    verdict: crate::verify::Verdict,
    /// Time of the postsynaptic spike less that of the presynaptic one, ms, per cell.
    lags_ms: Vec<f64>,
    start: Vec<f64>,
    found: Vec<f64>,
    truth: Vec<f64>,
    /// Loss per iteration.
    losses: Vec<f64>,
    /// Weights at start, target and found.
    weights: [Traces; 3],
}

impl Pairing {
    fn compute(bench: &Bench) -> Result<Self, Error> {
        let experiment: Value = serde_json::from_str(PAIRING).unwrap_or_default();
        let plan = bench.plan(&local(experiment.clone()))?;
        let horizon_ms = plan.experiment.verify.duration_ms.unwrap_or(100.0);
        let verdict = check(bench, &local(experiment.clone()), horizon_ms)?;
        let mut host = bench.host(&plan, None)?;
        let setup = prepare(&plan, &mut host, None);
        let mut setup = setup.map_err(|e| Error::Problem(Box::new(e)))?;
        setup.tuner.run(&mut host, |_| ControlFlow::Continue(()))?;
        let found = setup
            .tuner
            .best()
            .map_or_else(|| setup.start.clone(), |best| best.x.clone());
        let truth = plan.values();
        let end_ms = plan.experiment.simulation.duration_ms;
        let mut weights = |x: &[f64]| -> Result<Traces, HostError> { host.simulate(x, end_ms, false) };
        let weights = [weights(&setup.start)?, weights(&truth)?, weights(&found)?];
        let lag = |cell: &Value| {
            let pulse = &cell["stimuli"][0]["pulses"][0];
            // the pulse ends where the spike is wanted
            let post = pulse["start_ms"].as_f64()? + pulse["duration_ms"].as_f64()?;
            Some(post - cell["generators"][0]["times_ms"][0].as_f64()?)
        };
        let cells = experiment["cells"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Self {
            verdict,
            lags_ms: cells.iter().map(|c| lag(c).unwrap_or(f64::NAN)).collect(),
            losses: setup
                .tuner
                .history()
                .iter()
                .map(|row| row.loss.unwrap_or(f64::NAN))
                .collect(),
            start: setup.start,
            found,
            truth,
            weights,
            plan,
        })
    }

    /// The greatest relative distance of a coefficient from its true value.
    fn worst(&self) -> f64 {
        let distances = self.found.iter().zip(&self.truth).map(|(x, t)| (x / t - 1.0).abs());
        distances.fold(0.0, f64::max)
    }

    fn report(&self, folder: &mut Folder) -> Result<(), Error> {
        folder
            .report
            .section("A plasticity rule tuned through its own sensitivities (R8b)");
        folder.report.paragraph(
            "A voltage-based rule (Clopath et al. 2010, without its homeostatic factor) changes the strength w of each synapse. \
             Measured are the strengths through time; sought are four coefficients of the rule. ∂w/∂coefficient goes \
             through events, traces, rectified voltages and the cell's own spikes, and Levenberg–Marquardt uses all of it.",
        );
        let last = |traces: &Traces| -> Vec<f64> {
            let from = traces.values.len().saturating_sub(traces.n_probes);
            traces.values[from..].iter().map(|w| 100.0 * (w - 1.0)).collect()
        };
        let [start, truth, found] = self.weights.each_ref().map(last);
        let panel = Panel::new("change of w (%)")
            .series(
                Series::new("start", self.lags_ms.clone(), start)
                    .stroke(Stroke::LineAndPoints)
                    .colour(palette(3)),
            )
            .series(
                Series::new("target", self.lags_ms.clone(), truth)
                    .stroke(Stroke::Points)
                    .colour(palette(1)),
            )
            .series(Series::new("found", self.lags_ms.clone(), found).colour(palette(0)));
        let plot = LinePlot::new("Strength after ten pairings", "postsynaptic less presynaptic time (ms)").panel(panel);
        folder.figure(
            "pairing",
            &plot,
            "What the rule does before and after tuning, and what it was to do.",
        )?;
        let iterations = (0..self.losses.len()).map(|i| i as f64).collect();
        let panel = Panel::new("loss (1)")
            .log()
            .series(Series::new("", iterations, self.losses.clone()));
        let plot = LinePlot::new("Levenberg–Marquardt", "iteration").panel(panel);
        folder.figure("pairing-loss", &plot, "Mean square of w − w* over cells and samples.")?;
        let columns = vec![
            Column::text("coefficient"),
            Column::number("target"),
            Column::number("start / target"),
            Column::number("found / target"),
        ];
        let mut table = Table::new("Coefficients of the rule.", columns);
        for (k, slot) in self.plan.slots.iter().enumerate() {
            let painted = self
                .plan
                .cells
                .iter()
                .flat_map(PlannedCell::seeds)
                .find(|s| s.slot == k);
            let ratio = |x: &[f64]| format!("{:.6}", x[k] / self.truth[k]);
            let target = painted.map_or_else(|| "-".into(), |seed| format!("{}", seed.slope * self.truth[k]));
            table.row([slot.name.clone(), target, ratio(&self.start), ratio(&self.found)]);
        }
        folder.report.table(&table);
        folder.arrays("pairing.npz", &crate::outcome::trace_arrays(&self.weights[2]))?;
        Ok(())
    }
}

/// R8c.
struct Network {
    plan: Plan,
    verdict: crate::verify::Verdict,
    target: f64,
    at_ms: f64,
    with: ControlledRun,
    without: ControlledRun,
}

impl Network {
    fn compute(bench: &Bench, scale: Scale) -> Result<Self, Error> {
        let mut experiment: Value = local(serde_json::from_str(SCALING).unwrap_or_default());
        if scale == Scale::Quick {
            let shorter = |x: &mut Value| *x = (x.as_f64().unwrap_or(0.0) * QUICK).into();
            shorter(&mut experiment["simulation"]["duration_ms"]);
            shorter(&mut experiment["perturbations"][0]["at_ms"]);
        }
        let plan = bench.plan(&experiment)?;
        let verdict = check(bench, &experiment, plan.experiment.verify.duration_ms.unwrap_or(100.0))?;
        let host: ShimHost = bench.host(&plan, None)?;
        let free = Plan {
            control: None,
            ..plan.clone()
        };
        let (with, without) = rayon::join(|| host.run_controlled(&plan), || host.run_controlled(&free));
        let parameters = &experiment["populations"][0]["cell"]["paint"][0]["parameters"];
        Ok(Self {
            target: parameters["f_target"].as_f64().unwrap_or(f64::NAN),
            at_ms: plan.perturbations.first().map_or(f64::NAN, |p| p.at_ms),
            with: with?,
            without: without?,
            verdict,
            plan,
        })
    }

    fn n_cells(&self) -> usize {
        self.plan.cells.len()
    }

    /// Mean rate of the cells, Hz, late before and late after the perturbation.
    fn means(&self, run: &ControlledRun) -> [f64; 2] {
        let end_ms = self.plan.experiment.simulation.duration_ms;
        [(0.0, self.at_ms), (self.at_ms, end_ms)].map(|(begin, end)| {
            let from = end - JUDGED * (end - begin);
            let mut sum = (0.0, 0.0);
            for cell in 0..self.n_cells() {
                for (t, rate) in run.traces.times_ms.iter().zip(column(&run.traces, cell)) {
                    if (from..end).contains(t) {
                        sum = (sum.0 + rate, sum.1 + 1.0);
                    }
                }
            }
            sum.0 / sum.1
        })
    }

    /// Grey lines of the cells, and their mean.
    fn lines(panel: Panel, times: &[f64], cells: &[Vec<f64>], mean_name: &str) -> Panel {
        let mut mean = vec![0.0; times.len()];
        let mut panel = panel;
        for (k, values) in cells.iter().enumerate() {
            values
                .iter()
                .zip(&mut mean)
                .for_each(|(v, m)| *m += v / cells.len() as f64);
            let name = if k == 0 { "each cell" } else { "" };
            panel = panel.series(Series::new(name, times.to_vec(), values.clone()).colour(CELL_COLOUR));
        }
        panel.series(Series::new(mean_name, times.to_vec(), mean).colour(palette(0)))
    }

    fn plot(&self) -> LinePlot {
        let seconds = |times: &[f64]| -> Vec<f64> { times.iter().map(|t| t / 1000.0).collect() };
        let n = self.n_cells();
        let times = seconds(&self.with.traces.times_ms);
        let rates: Vec<Vec<f64>> = (0..n).map(|i| column(&self.with.traces, i)).collect();
        let free: Vec<Vec<f64>> = (0..n).map(|i| column(&self.without.traces, i)).collect();
        let mean = |k: usize| free.iter().map(|rate| rate[k]).sum::<f64>() / n as f64;
        let end_s = self.plan.experiment.simulation.duration_ms / 1000.0;
        let panel = Self::lines(Panel::new("rate (Hz)"), &times, &rates, "mean, with control")
            .series(
                Series::new("mean, without", times.clone(), (0..times.len()).map(mean).collect()).colour(palette(1)),
            )
            .series(
                Series::new("target", vec![0.0, end_s], vec![self.target; 2])
                    .stroke(Stroke::Dashed)
                    .colour(palette(2)),
            );
        let scales: Vec<Vec<f64>> = (0..self.plan.slots.len())
            .map(|k| crate::controlled::slot(&self.plan, &self.with, k))
            .collect();
        let strength = Self::lines(
            Panel::new("synaptic scale (1)"),
            &seconds(&self.with.times_ms),
            &scales,
            "mean",
        );
        LinePlot::new("A network scales its synapses", "time (s)")
            .panel(panel)
            .panel(strength)
            .mark(self.at_ms / 1000.0, "leak × 1.3")
    }

    fn report(&self, folder: &mut Folder) -> Result<(), Error> {
        folder
            .report
            .section("The running controller as the plasticity of a network (R8c)");
        folder.report.paragraph(
            "Ten cells, each excited by random events from outside and by five of the others. All synapses of a cell share a \
             scale, which the controller moves by θ' = −α θ₀ ∂e/∂θ with the cell's own e' = (f − f*)²/2: synaptic scaling, \
             with the sensitivity in place of a rule made by hand. Half way through, the leak of every cell grows by three tenths.",
        );
        folder.figure("scaling", &self.plot(), "Rates and synaptic scales.")?;
        let columns = vec![
            Column::text(""),
            Column::number("with control (Hz)"),
            Column::number("without (Hz)"),
        ];
        let mut table = Table::new(
            "Mean rate of the cells over the last two fifths of the time before and after the leak grows.",
            columns,
        );
        let (with, without) = (self.means(&self.with), self.means(&self.without));
        for (k, name) in ["before", "after"].into_iter().enumerate() {
            table.row([
                name.to_string(),
                format!("{:.2}", with[k]),
                format!("{:.2}", without[k]),
            ]);
        }
        folder.report.table(&table);
        folder.arrays("scaling.npz", &crate::controlled::arrays(&self.plan, &self.with))?;
        Ok(())
    }
}

/// An experiment with its mechanisms beside it.
fn local(mut experiment: Value) -> Value {
    if let Some(mechanisms) = experiment["mechanisms"].as_array_mut() {
        for path in mechanisms {
            let name = path
                .as_str()
                .and_then(|p| p.rsplit('/').next())
                .unwrap_or_default()
                .to_owned();
            *path = name.into();
        }
    }
    experiment
}
