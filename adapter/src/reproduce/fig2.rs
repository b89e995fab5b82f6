//! Figure 2 of the paper: what every state of the olive cell owes to every conductance, at seven moments of its
//! oscillation.
//!
//! Eleven states by twelve conductances; an entry is ∂s/∂θ averaged over the CVs of the state's region, divided by its
//! temporal standard deviation. θ are the factors on the conductances. The same with the published carrier shows what
//! of the paper's matrices survives its error: a wrong scale cancels in the division, a wrong shape does not.

use std::path::Path;
use std::time::Instant;

use ndarray::Array2;

use super::olive::{CONDUCTANCES, OliveCell, Reading, STATES, probe};
use super::{Agreement, Comparison, Error, Job, Outcome, Part, Scale};
use crate::control::{Model, Traces};
use crate::experiment::{Carrier, Experiment};
use crate::hosts::ShimHost;
use crate::outcome::{Folder, Named, column, sensitivity};
use crate::plan::Plan;
use crate::report::plot::{
    ColourMap, Columns, Figure, HeatMap, LinePlot, Montage, MorphologyPlot, Panel, Projection, Segment, Series,
};
use crate::report::{self, Column, Progress, Table};
use crate::verify::{Lane, Verdict, verify};

/// The result in the table of results.
pub const PART: Part = Part {
    name: "fig2",
    title: "sensitivity matrices of an olivary neuron",
    place: "figure 2",
    takes_morphology: true,
    run,
};

/// When the paper looks, ms.
const MOMENTS_MS: [f64; 7] = [680.0, 695.0, 713.0, 728.0, 792.0, 837.0, 843.0];
/// Slots whose ∂V/∂θ is drawn on the cell.
const DRAWN: [&str; 3] = ["CaL", "K_Ca", "h"];
/// Seconds that the public code takes for the 1000 ms, on two cores (measured: 12.5 s for 200 ms).
const PUBLIC_CODE_S: f64 = 60.0;

/// Span of the check, ms: the first oscillation, without which the fast conductances do nothing that a difference could
/// see; or that and the way to the next.
fn horizon_ms(scale: Scale) -> f64 {
    match scale {
        Scale::Quick => 120.0,
        Scale::Default | Scale::Full => 200.0,
    }
}

/// Probes of one state, or of the voltage: which of the traces' probes, one per CV.
struct Lanes {
    voltage: Vec<usize>,
    states: Vec<Vec<usize>>,
}

fn run(job: &Job<'_>) -> Result<Outcome, Error> {
    let cell = OliveCell::prepare(&job.output.join("inputs"), job.morphology)?;
    let (experiment, at) = experiment(&cell, job.scale);
    let plan = Plan::load(&cell.write(&experiment)?)?;
    let mut folder = Folder::create(
        job.output,
        &plan,
        "reproduce fig2",
        "shim",
        "Figure 2: sensitivity matrices of an olivary neuron",
    )?;
    let mut host = ShimHost::new(&plan, &job.output.join("olive-catalogue.so"))?;
    let x = plan.values();
    let duration = plan.experiment.simulation.duration_ms;
    let started = Instant::now();
    let traces = host.simulate(&x, duration, true)?;
    let wall_s = started.elapsed().as_secs_f64();
    let verdict = check(&mut host, &plan, &x, job)?;
    let diffused = published(&cell, &experiment, job.output)?;

    let (exact, theirs) = (Figure2::new(&traces, &at), Figure2::new(&diffused, &at));
    folder.arrays("fig2.npz", &exact.arrays(&traces, &at))?;
    let facts = Facts {
        wall_s,
        verdict,
        carrier_errors: (0..CONDUCTANCES.len())
            .map(|k| relative_l2(&sensitivity(&diffused, 0, k), &sensitivity(&traces, 0, k)))
            .collect(),
        cosines: (0..MOMENTS_MS.len())
            .map(|m| cosine(&theirs.matrices[m], &exact.matrices[m]))
            .collect(),
    };
    write_report(&mut folder, &cell, &traces, &exact, &theirs, &facts)?;
    let report = folder.finish()?;
    Ok(outcome(&facts, report))
}

/// The model with a probe of each state on each CV that has it; and where they are.
fn experiment(cell: &OliveCell, scale: Scale) -> (Experiment, Lanes) {
    let mut experiment = cell.experiment("olive", Reading::Weighted);
    experiment.description = Some(format!(
        "The olive cell of Gradient Diffusion, figure 2, on {}, one control volume per branch; soma and dendrite share \
         control volumes by area.",
        if cell.generated {
            "a generated tree of similar size"
        } else {
            "the morphology given"
        }
    ));
    experiment.verify.duration_ms = Some(horizon_ms(scale));
    let mut lanes = Lanes {
        voltage: Vec::new(),
        states: Vec::new(),
    };
    for branch in 0..cell.morphology.n_branches() {
        lanes.voltage.push(experiment.probes.len());
        experiment.probes.push(probe(&format!("V{branch}"), branch, 0.5, "v"));
    }
    for (mechanism, state) in STATES {
        let mut all = Vec::new();
        for (branch, pos) in cell.places(mechanism) {
            all.push(experiment.probes.len());
            let variable = format!("{mechanism}.{state}");
            experiment
                .probes
                .push(probe(&format!("{variable}{branch}"), branch, pos, &variable));
        }
        lanes.states.push(all);
    }
    (experiment, lanes)
}

/// Against central differences; voltages, gates and calcium each on a scale of their own.
fn check(host: &mut ShimHost, plan: &Plan, x: &[f64], job: &Job<'_>) -> Result<Verdict, Error> {
    let lanes: Vec<Lane> = plan
        .probes
        .iter()
        .map(|p| Lane {
            name: p.name.clone(),
            unit: match p.variable.as_str() {
                "v" => "mV".into(),
                "olive_dend.ca" => "calcium".into(),
                _ => "gate".into(),
            },
            compared: true,
        })
        .collect();
    let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    let mut progress = Progress::new(job.progress, "fig2: check", slots.len() as u64);
    let settings = plan.experiment.verify;
    let span = horizon_ms(job.scale);
    let verdict = verify(host, &slots, x, span, settings.tolerance, &lanes, |rows| {
        progress.set(rows.len() as u64, slots.get(rows.len()).map_or("", String::as_str));
    })?;
    progress.finish("");
    Ok(verdict)
}

/// The same run with the published carrier.
fn published(cell: &OliveCell, experiment: &Experiment, output: &Path) -> Result<Traces, Error> {
    let theirs = Experiment {
        name: "olive-diffusion".into(),
        carrier: Carrier::Diffusion,
        ..experiment.clone()
    };
    let plan = Plan::load(&cell.write(&theirs)?)?;
    let mut host = ShimHost::new(&plan, &output.join("olive-diffusion-catalogue.so"))?;
    Ok(host.simulate(&plan.values(), plan.experiment.simulation.duration_ms, true)?)
}

/// What the figure shows of one run.
struct Figure2 {
    /// Sample of each moment.
    moments: Vec<usize>,
    /// Per state and slot, ∂s/∂θ averaged over the region, over time.
    means: Vec<Vec<Vec<f64>>>,
    /// Per moment, state × slot.
    matrices: Vec<Array2<f64>>,
}

impl Figure2 {
    fn new(traces: &Traces, at: &Lanes) -> Self {
        let nearest = |t: f64| {
            let times = traces.times_ms.iter().enumerate();
            times
                .min_by(|a, b| (a.1 - t).abs().total_cmp(&(b.1 - t).abs()))
                .map_or(0, |(i, _)| i)
        };
        let moments: Vec<usize> = MOMENTS_MS.iter().map(|&t| nearest(t)).collect();
        let means: Vec<Vec<Vec<f64>>> = at
            .states
            .iter()
            .map(|probes| (0..CONDUCTANCES.len()).map(|k| mean(traces, probes, k)).collect())
            .collect();
        let matrices = moments
            .iter()
            .map(|&i| {
                Array2::from_shape_fn((STATES.len(), CONDUCTANCES.len()), |(s, k)| {
                    means[s][k][i] / deviation(&means[s][k])
                })
            })
            .collect();
        Self {
            moments,
            means,
            matrices,
        }
    }

    fn arrays(&self, traces: &Traces, at: &Lanes) -> Vec<Named> {
        let (n, k) = (traces.times_ms.len(), CONDUCTANCES.len());
        let states = STATES.len();
        let matrices: Vec<f64> = self.matrices.iter().flat_map(|m| m.iter().copied()).collect();
        let means: Vec<f64> = self.means.iter().flatten().flatten().copied().collect();
        let mut u = Vec::new();
        for &i in &self.moments {
            for &p in &at.voltage {
                u.extend_from_slice(&traces.sens[(i * traces.n_probes + p) * k..][..k]);
            }
        }
        vec![
            Named::new("t_ms", "ms", "sample times", &[n], traces.times_ms.clone()),
            Named::new("v", "mV", "voltage at the root of the soma", &[n], column(traces, 0)),
            Named::new(
                "moments_ms",
                "ms",
                "the seven moments",
                &[MOMENTS_MS.len()],
                MOMENTS_MS.to_vec(),
            ),
            Named::new(
                "matrices",
                "1",
                "d(state)/d(slot), mean over the region over its temporal deviation, moment × state × slot",
                &[MOMENTS_MS.len(), states, k],
                matrices,
            ),
            Named::new(
                "means",
                "state's",
                "d(state)/d(slot), mean over the CVs of the region, state × slot × time",
                &[states, k, n],
                means,
            ),
            Named::new(
                "dv",
                "mV",
                "dV/d(slot) in the middle of each branch, moment × branch × slot",
                &[MOMENTS_MS.len(), at.voltage.len(), k],
                u,
            ),
        ]
    }
}

fn mean(traces: &Traces, probes: &[usize], slot: usize) -> Vec<f64> {
    let mut sum = vec![0.0; traces.times_ms.len()];
    for &p in probes {
        for (s, u) in sum.iter_mut().zip(sensitivity(traces, p, slot)) {
            *s += u;
        }
    }
    sum.iter().map(|s| s / probes.len() as f64).collect()
}

/// Standard deviation over time; NaN, which is drawn grey, where nothing moves.
fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    if variance > 0.0 { variance.sqrt() } else { f64::NAN }
}

/// |a − b| / |b|.
pub(super) fn relative_l2(a: &[f64], b: &[f64]) -> f64 {
    let distance: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    let length: f64 = b.iter().map(|b| b * b).sum();
    (distance / length).sqrt()
}

/// Cosine of the angle between two matrices, over entries that both have.
fn cosine(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let both = || a.iter().zip(b).filter(|(a, b)| a.is_finite() && b.is_finite());
    let dot: f64 = both().map(|(a, b)| a * b).sum();
    let (aa, bb) = both().fold((0.0, 0.0), |(aa, bb), (a, b)| (aa + a * a, bb + b * b));
    dot / (aa * bb).sqrt()
}

struct Facts {
    wall_s: f64,
    verdict: Verdict,
    /// Per slot, the published carrier's ∂V/∂θ at the root of the soma against ours.
    carrier_errors: Vec<f64>,
    /// Per moment, between the published carrier's matrix and ours.
    cosines: Vec<f64>,
}

impl Facts {
    fn error(&self) -> String {
        let error = self.verdict.max_rel_error;
        error.map_or_else(|| "unknown".into(), |e| format!("{e:.1e}"))
    }

    fn carrier_range(&self) -> String {
        let (low, high) = range(&self.carrier_errors);
        format!("{low:.2} to {high:.2}")
    }

    fn cosine_range(&self) -> String {
        let (low, high) = range(&self.cosines);
        format!("{low:.2} to {high:.2}")
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    let fold = |f: fn(f64, f64) -> f64, start| values.iter().copied().fold(start, f);
    (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY))
}

fn outcome(facts: &Facts, report: std::path::PathBuf) -> Outcome {
    let verdict = &facts.verdict;
    let (error, span) = (facts.error(), verdict.duration_ms);
    let comparisons = vec![
        Comparison::new(
            "sensitivities of 11 states to 12 conductances, and of the voltage, in one run",
            "132 and 12 per control volume",
            "132 and 12 per control volume",
            Agreement::Agrees,
            "The same model. The morphology is C4A if --morphology names it, else a generated tree of similar size.",
        ),
        Comparison::new(
            "error against central differences of the same simulation",
            "70 to 98 % (measured by us)",
            &format!("{error} of the greatest, over {span} ms"),
            Agreement::Differs,
            "Ours is the tangent of the discrete step; the paper's ion does not obey the voltage's equation on a branched tree.",
        ),
        Comparison::new(
            "∂V/∂θ at the soma with the paper's carrier, relative L2 error per conductance",
            "not given",
            &facts.carrier_range(),
            Agreement::New,
            "The same experiment with --carrier diffusion: exchange by Arbor 0.9's rule, everything else exact.",
        ),
        Comparison::new(
            "the matrices, each entry over its temporal deviation: cosine of theirs and ours",
            "1 is meant",
            &format!("{} over the seven moments", facts.cosine_range()),
            if range(&facts.cosines).0 > 0.95 {
                Agreement::Agrees
            } else {
                Agreement::Differs
            },
            "The division by the deviation removes the wrong scale of the ion's sensitivities; what is left is the error of their shape and phase.",
        ),
        Comparison::new(
            "time for 1000 ms with all sensitivities",
            &format!("{PUBLIC_CODE_S} s (public code, two cores)"),
            &format!("{:.2} s", facts.wall_s),
            Agreement::Differs,
            "Compiled loops over symbolic partials, instead of Python called by the simulator in every step.",
        ),
    ];
    let mut numbers = serde_json::Map::new();
    numbers.insert("max_rel_error".into(), verdict.max_rel_error.into());
    numbers.insert("verify_duration_ms".into(), span.into());
    numbers.insert("wall_s".into(), facts.wall_s.into());
    numbers.insert("diffusion_relative_l2".into(), facts.carrier_errors.clone().into());
    numbers.insert("diffusion_matrix_cosines".into(), facts.cosines.clone().into());
    let word = if verdict.passed { "passed" } else { "NOT PASSED" };
    Outcome {
        passed: verdict.passed,
        summary: format!("error of the sensitivities against central differences {error} over {span} ms ({word})"),
        comparisons,
        numbers,
        report,
    }
}

fn write_report(
    folder: &mut Folder,
    cell: &OliveCell,
    traces: &Traces,
    ours: &Figure2,
    theirs: &Figure2,
    facts: &Facts,
) -> Result<(), report::Error> {
    let span = format!("{} ms", facts.verdict.duration_ms);
    let at_a_glance = [
        ("error against central differences", facts.error()),
        ("span of that check", span),
        (
            "time for 1000 ms with all sensitivities",
            format!("{:.2} s", facts.wall_s),
        ),
        ("error of the paper's carrier at the soma", facts.carrier_range()),
    ];
    folder
        .report
        .summary(&at_a_glance.each_ref().map(|(a, b)| (*a, b.as_str())));
    folder.figure("trace", &trace(traces), "Voltage at the root of the soma, and its sensitivities to the factors on four conductances; dashed lines mark the seven moments.")?;
    folder.report.section("The matrices");
    folder.report.paragraph("An entry is ∂(state)/∂θ, averaged over the control volumes of the state's region and divided by its standard deviation over the 1000 ms. Rows by region: soma k to x, dendrite r to ca, axon h and x. Each matrix has a colour bar of its own.");
    montage(
        folder,
        "matrices",
        "Exact sensitivities",
        ours,
        "What each state owes to each conductance, at the seven moments.",
    )?;
    folder.report.section("On the cell");
    for name in DRAWN {
        let Some(k) = CONDUCTANCES.iter().position(|g| g.name == name) else {
            continue;
        };
        let figures: Vec<MorphologyPlot> = [1, 2, 3, 5]
            .iter()
            .map(|&m| morphology(cell, traces, ours.moments[m], k, MOMENTS_MS[m]))
            .collect();
        let all = Montage {
            title: format!("∂V/∂θ for {name}"),
            figures: figures.iter().map(|f| f as &dyn Figure).collect(),
            columns: 2,
        };
        let caption = format!("∂V/∂θ of every control volume for the factor on g_{name}, at four of the moments.");
        folder.figure(&format!("morphology-{}", name.to_lowercase()), &all, &caption)?;
    }
    folder.report.section("What the paper's carrier gives");
    folder.report.paragraph("The same run with the carrier `diffusion`: ∂V/∂θ as the concentration of an ion that diffuses by the rule of Arbor 0.9. APPROXIMATE: wrong wherever diameters differ or branches meet. Dividing by the temporal deviation hides a wrong scale, so the matrices look better than the gradients are.");
    montage(
        folder,
        "matrices-diffusion",
        "Published carrier (approximate)",
        theirs,
        "The same matrices from the published carrier: APPROXIMATE.",
    )?;
    folder.report.table(&carrier_table(facts));
    folder.report.section("Check");
    folder.report.table(&check_table(&facts.verdict));
    Ok(())
}

fn montage(folder: &mut Folder, stem: &str, title: &str, figure: &Figure2, caption: &str) -> Result<(), report::Error> {
    let maps: Vec<HeatMap> = figure
        .matrices
        .iter()
        .zip(MOMENTS_MS)
        .map(|(values, t)| heat_map(values.clone(), t))
        .collect();
    let all = Montage {
        title: title.into(),
        figures: maps.iter().map(|m| m as &dyn Figure).collect(),
        columns: 2,
    };
    folder.figure(stem, &all, caption)?;
    Ok(())
}

fn heat_map(values: Array2<f64>, t_ms: f64) -> HeatMap {
    let columns = Columns::Names(CONDUCTANCES.iter().map(|g| g.name.into()).collect());
    let rows = STATES.iter().map(|(mechanism, state)| {
        let region = mechanism.trim_start_matches("olive_");
        format!("{region} {state}")
    });
    let mut map = HeatMap::new(
        &format!("{t_ms} ms"),
        values,
        "over deviation (1)",
        columns,
        "factor on g",
    )
    .rows("state", rows.collect());
    map.width = 450.0;
    map
}

fn trace(traces: &Traces) -> LinePlot {
    let mut plot = LinePlot::new("The olive cell", "time (ms)");
    let voltage = Panel::new("V (mV)").series(Series::new("soma", traces.times_ms.clone(), column(traces, 0)));
    let mut tangents = Panel::new("∂V/∂θ (mV)");
    for name in ["CaL", "K_Ca", "CaH", "h"] {
        if let Some(k) = CONDUCTANCES.iter().position(|g| g.name == name) {
            tangents = tangents.series(Series::new(name, traces.times_ms.clone(), sensitivity(traces, 0, k)));
        }
    }
    plot = plot.panel(voltage).panel(tangents);
    for t in MOMENTS_MS {
        plot = plot.mark(t, &format!("{t}"));
    }
    plot
}

fn morphology(cell: &OliveCell, traces: &Traces, sample: usize, slot: usize, t_ms: f64) -> MorphologyPlot {
    let m = &cell.morphology;
    let segments = m.segment_tree().segments();
    let xyz = |p: &host_shim::Point| [p.x, p.y, p.z];
    let (mut drawn, mut values) = (Vec::new(), Vec::new());
    for branch in 0..m.n_branches() {
        // the root of the soma is probe 0, the branches follow
        let u = traces.sens[(sample * traces.n_probes + 1 + branch) * traces.n_slots + slot];
        values.push(u);
        drawn.extend(m.branch_segments(branch).map(|s| Segment {
            proximal_um: xyz(&segments[s].prox),
            distal_um: xyz(&segments[s].dist),
            proximal_radius_um: segments[s].prox.radius,
            distal_radius_um: segments[s].dist.radius,
            value: Some(u),
        }));
    }
    // a scale about zero would show a cell of one sign in one colour
    let (low, high) = range(&values);
    let map = if low < 0.0 && high > 0.0 {
        ColourMap::Diverging
    } else {
        ColourMap::Sequential
    };
    let mut plot =
        MorphologyPlot::new(&format!("{t_ms} ms"), drawn, "∂V/∂θ (mV)", map).projection(Projection::Principal);
    plot.width = 450.0;
    plot
}

fn carrier_table(facts: &Facts) -> Table {
    let columns = vec![
        Column::text("conductance"),
        Column::number("relative L2 error of ∂V/∂θ at the soma"),
    ];
    let mut table = Table::new(
        "The published carrier against the exact one, over the whole run.",
        columns,
    );
    for (g, error) in CONDUCTANCES.iter().zip(&facts.carrier_errors) {
        table.row([g.name.to_string(), format!("{error:.2}")]);
    }
    table
}

/// The check, slot by slot.
pub(super) fn check_table(verdict: &Verdict) -> Table {
    let columns = vec![
        Column::text("slot"),
        Column::number("error"),
        Column::number("uncertainty of the difference"),
        Column::text("verdict"),
    ];
    let caption = format!(
        "Sensitivities against extrapolated central differences of the same host over {} ms.",
        verdict.duration_ms
    );
    let mut table = Table::new(&caption, columns);
    let number = |e: Option<f64>| e.map_or_else(|| "-".into(), |e| format!("{e:.1e}"));
    for row in &verdict.parameters {
        table.row([
            row.name.clone(),
            number(row.rel_error),
            number(row.fd_error_estimate),
            row.status.as_str().into(),
        ]);
    }
    table
}
