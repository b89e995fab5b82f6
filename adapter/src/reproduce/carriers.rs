//! The carriers of ∂V/∂θ and their errors: the paper's relation β·cm·rL = 100, and what it is worth off uniform cables.
//!
//! First the relation itself (`relation`): on uniform cables drawn at random an ion with diffusivity β, by the rule of
//! Arbor 0.9, does what the voltage does. Then the error of each carrier on cells that are not uniform. The exact
//! carrier is checked against central differences; the published one is then measured against the exact one, since
//! differences would only blur what is 20 % or more.

pub mod arbor_0_9;
mod relation;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::fig1::INPUTS as R1;
use super::{Agreement, Carried, Comparison, Error, Job, Outcome, Part, Scale, unpack};
use crate::control::{Model, Traces};
use crate::experiment::{Carrier, Experiment};
use crate::hosts::ShimHost;
use crate::outcome::{Folder, Named, sensitivity};
use crate::plan::Plan;
use crate::report::plot::{LinePlot, Panel, Series, Stroke, palette};
use crate::report::{self, Column, Progress, Table, write_atomic};
use crate::verify::{Verdict, lanes, verify};
use relation::Relation;

/// The result in the table of results.
pub const PART: Part = Part {
    name: "carriers",
    title: "the relation β·cm·rL = 100, and the error of each carrier",
    place: "methods",
    takes_morphology: false,
    run,
};

const PAS: Carried = Carried {
    path: "mechanisms/pas/pas.mod",
    text: include_str!("../../../mechanisms/pas/pas.mod"),
};
/// Time steps of the refinement, ms.
const STEPS_MS: [f64; 4] = [0.1, 0.05, 0.025, 0.0125];
/// What counts as the same for two computations of one thing in different order.
const ROUNDING: f64 = 1e-9;

/// A segment: its parent, its ends with radii in µm, its tag.
type Frustum = (Option<usize>, [f64; 4], [f64; 4], i32);

/// A passive cell.
struct Shape {
    name: &'static str,
    what: &'static str,
    segments: &'static [Frustum],
}

/// Tag 1 is the near half, tag 3 the far one; each has a slot of its own.
const SHAPES: [Shape; 5] = [
    Shape {
        name: "uniform",
        what: "uniform cable",
        segments: &[
            (None, [0.0, 0.0, 0.0, 1.0], [100.0, 0.0, 0.0, 1.0], 1),
            (Some(0), [100.0, 0.0, 0.0, 1.0], [200.0, 0.0, 0.0, 1.0], 3),
        ],
    },
    Shape {
        name: "stepped",
        what: "step of the radius, 1 to 0.5 µm",
        segments: &[
            (None, [0.0, 0.0, 0.0, 1.0], [100.0, 0.0, 0.0, 1.0], 1),
            (Some(0), [100.0, 0.0, 0.0, 0.5], [200.0, 0.0, 0.0, 0.5], 3),
        ],
    },
    Shape {
        name: "tapered",
        what: "taper, 1.5 to 0.5 µm",
        segments: &[
            (None, [0.0, 0.0, 0.0, 1.5], [100.0, 0.0, 0.0, 1.0], 1),
            (Some(0), [100.0, 0.0, 0.0, 1.0], [200.0, 0.0, 0.0, 0.5], 3),
        ],
    },
    Shape {
        name: "branched",
        what: "fork, one radius",
        segments: &[
            (None, [0.0, 0.0, 0.0, 1.0], [100.0, 0.0, 0.0, 1.0], 1),
            (Some(0), [100.0, 0.0, 0.0, 1.0], [170.0, 70.0, 0.0, 1.0], 3),
            (Some(0), [100.0, 0.0, 0.0, 1.0], [170.0, -70.0, 0.0, 1.0], 3),
        ],
    },
    Shape {
        name: "mixed",
        what: "soma, step, fork and taper",
        segments: &[
            (None, [0.0, 0.0, 0.0, 5.0], [20.0, 0.0, 0.0, 5.0], 1),
            (Some(0), [20.0, 0.0, 0.0, 1.5], [100.0, 0.0, 0.0, 1.0], 1),
            (Some(1), [100.0, 0.0, 0.0, 1.0], [170.0, 70.0, 0.0, 0.5], 3),
            (Some(1), [100.0, 0.0, 0.0, 0.7], [170.0, -70.0, 0.0, 0.3], 3),
        ],
    },
];

impl Shape {
    fn experiment(&self) -> serde_json::Value {
        let segments: Vec<serde_json::Value> = self
            .segments
            .iter()
            .map(|(parent, prox, dist, tag)| match parent {
                None => json!({"prox": prox, "dist": dist, "tag": tag}),
                Some(parent) => json!({"parent": parent, "prox": prox, "dist": dist, "tag": tag}),
            })
            .collect();
        let far = self.segments.iter().filter(|s| s.3 == 3).count().saturating_sub(1);
        let start = json!({"branch": 0, "pos": 0});
        json!({
            "name": self.name,
            "description": format!("Passive: {}.", self.what),
            "mechanisms": [PAS.path],
            "cells": [{
                "name": "cell",
                "morphology": {"segments": segments},
                "cv_policy": {"max_extent": {"um": 10}},
                "properties": {"rl_ohm_cm": 100, "cm_f_per_m2": 0.01, "v_init_mv": -65},
                "paint": [{"mechanism": "pas", "parameters": {"g": 3e-4, "e": -65}}],
                "stimuli": [{"at": start, "pulses": [{"start_ms": 1, "duration_ms": 10, "amplitude_na": 0.05}]}],
            }],
            "simulation": {"duration_ms": 20, "dt_ms": 0.025, "sample_every_ms": 0.1},
            "slots": [
                {"name": "g_near", "targets": [{"mechanism": "pas", "parameter": "g", "region": {"tag": 1}}]},
                {"name": "g_far", "targets": [{"mechanism": "pas", "parameter": "g", "region": {"tag": 3}}]},
            ],
            "probes": [
                {"name": "start", "at": start},
                {"name": "end", "at": {"branch": if far > 0 { 2 } else { 0 }, "pos": 1}},
            ],
        })
    }
}

/// One cell with both carriers.
struct Measured {
    name: String,
    what: String,
    verdict: Verdict,
    exact: Traces,
    published: Traces,
    /// Of each probe, its name and position among the probes.
    probes: Vec<(String, usize)>,
    slots: Vec<String>,
    /// Their units.
    units: Vec<String>,
}

impl Measured {
    /// Of every probe and slot: relative L2 error, cosine, and ratio of the greatest magnitudes.
    fn rows(&self) -> Vec<(String, String, [f64; 3])> {
        let mut rows = Vec::new();
        for (name, probe) in &self.probes {
            for (k, slot) in self.slots.iter().enumerate() {
                let (u, ion) = (
                    sensitivity(&self.exact, *probe, k),
                    sensitivity(&self.published, *probe, k),
                );
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                let greatest = |a: &[f64]| a.iter().fold(0.0f64, |m, v| m.max(v.abs()));
                let away: Vec<f64> = ion.iter().zip(&u).map(|(a, b)| a - b).collect();
                let (error, length) = (dot(&away, &away).sqrt(), dot(&u, &u).sqrt());
                let cosine = dot(&u, &ion) / (length * dot(&ion, &ion).sqrt());
                let numbers = [error / length, cosine, greatest(&ion) / greatest(&u)];
                rows.push((name.clone(), slot.clone(), numbers));
            }
        }
        rows
    }

    fn worst(&self) -> f64 {
        self.rows().iter().map(|r| r.2[0]).fold(0.0, f64::max)
    }
}

fn run(job: &Job<'_>) -> Result<Outcome, Error> {
    let inputs = job.output.join("inputs");
    unpack(&inputs, &[PAS])?;
    unpack(&inputs, &R1)?;
    let mut files = Vec::new();
    for shape in &SHAPES {
        let path = inputs.join(format!("{}.json", shape.name));
        write_atomic(&path, format!("{:#}\n", shape.experiment()).as_bytes())?;
        files.push((shape.name, shape.what, path));
    }
    files.push(("r1", "the paper's axon, figure 1", inputs.join(R1[0].path)));
    let plan = Plan::load(&files[0].2)?;
    let mut folder = Folder::create(
        job.output,
        &plan,
        "reproduce carriers",
        "shim",
        "The carriers of ∂V/∂θ and their errors",
    )?;
    let n_steps = (files.len() + SHAPES.len()) as u64;
    let mut progress = Progress::new(job.progress, "carriers", n_steps);
    let relation = Relation::draw(if job.scale == Scale::Quick { 5 } else { 20 })?;
    let mut catalogues = Catalogues::default();
    let mut cells = Vec::new();
    for (i, (name, what, path)) in files.iter().enumerate() {
        progress.set(i as u64, name);
        cells.push(measure(name, what, path, job.output, &mut catalogues)?);
    }
    let mut refined = Vec::new();
    for (i, (name, _, path)) in files.iter().take(SHAPES.len()).enumerate() {
        progress.set((files.len() + i) as u64, &format!("{name}, time steps"));
        refined.push((*name, refine(path, job.output, &mut catalogues)?));
    }
    progress.finish("");
    folder.arrays("carriers.npz", &arrays(&cells, &refined, &relation))?;
    write_report(&mut folder, &cells, &refined, &relation)?;
    let report = folder.finish()?;
    let in_arbor = arbor_0_9::comparison(&job.output.join("inputs"));
    Ok(outcome(&cells, &refined, &relation, in_arbor, report))
}

/// Catalogues by the code they were built from: all passive cells share one per carrier.
#[derive(Default)]
struct Catalogues(Vec<(String, PathBuf)>);

/// One run of an experiment with a carrier and a time step.
fn trace(
    path: &Path,
    output: &Path,
    catalogues: &mut Catalogues,
    change: impl FnOnce(&mut Experiment),
) -> Result<(Plan, ShimHost, Traces), Error> {
    let plan = Plan::load_with(path, change)?;
    let code = plan.c_for_shim();
    let known = catalogues
        .0
        .iter()
        .find(|(c, _)| c == code)
        .map(|(_, file)| file.clone());
    let mut host = match known {
        Some(file) => ShimHost::on_built(&plan, &file)?,
        None => {
            let file = output.join(format!("{}-catalogue.so", plan.experiment.name));
            catalogues.0.push((code.to_string(), file.clone()));
            ShimHost::new(&plan, &file)?
        }
    };
    let traces = host.simulate(&plan.values(), plan.experiment.simulation.duration_ms, true)?;
    Ok((plan, host, traces))
}

fn measure(name: &str, what: &str, path: &Path, output: &Path, catalogues: &mut Catalogues) -> Result<Measured, Error> {
    let (plan, mut host, exact) = trace(path, output, catalogues, |_| ())?;
    let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    let tolerance = plan.experiment.verify.tolerance;
    let span = plan.experiment.simulation.duration_ms;
    let verdict = verify(
        &mut host,
        &slots,
        &plan.values(),
        span,
        tolerance,
        &lanes(&plan),
        |_| (),
    )?;
    let (_, _, published) = trace(path, output, catalogues, |e| {
        e.carrier = Carrier::Diffusion;
        e.name = format!("{name}-diffusion");
    })?;
    let voltages: Vec<(String, usize)> = plan
        .probes
        .iter()
        .enumerate()
        .filter(|(_, p)| p.variable == "v")
        .map(|(i, p)| (p.name.clone(), i))
        .collect();
    // of many probes along a cable the ends and the middle tell enough
    let probes = match voltages.len() {
        0..=3 => voltages,
        n => [0, n / 2, n - 1].map(|i| voltages[i].clone()).to_vec(),
    };
    Ok(Measured {
        name: name.into(),
        what: what.into(),
        verdict,
        exact,
        published,
        probes,
        slots,
        units: plan.slots.iter().map(|s| s.unit.clone()).collect(),
    })
}

/// The published carrier's greatest relative L2 error at each of the time steps.
fn refine(path: &Path, output: &Path, catalogues: &mut Catalogues) -> Result<Vec<f64>, Error> {
    let mut errors = Vec::new();
    for dt_ms in STEPS_MS {
        let (_, _, exact) = trace(path, output, catalogues, |e| e.simulation.dt_ms = dt_ms)?;
        let (plan, _, published) = trace(path, output, catalogues, |e| {
            e.simulation.dt_ms = dt_ms;
            e.carrier = Carrier::Diffusion;
            e.name = format!("{}-diffusion", e.name);
        })?;
        let both = (0..plan.probes.len()).flat_map(|p| (0..plan.slots.len()).map(move |k| (p, k)));
        let error = |(p, k)| super::fig2::relative_l2(&sensitivity(&published, p, k), &sensitivity(&exact, p, k));
        errors.push(both.map(error).fold(0.0, f64::max));
    }
    Ok(errors)
}

fn arrays(cells: &[Measured], refined: &[(&str, Vec<f64>)], relation: &Relation) -> Vec<Named> {
    let mut arrays = relation.arrays();
    for c in cells {
        let times = &c.exact.times_ms;
        let name = format!("{}_t_ms", c.name);
        arrays.push(Named::new(&name, "ms", "sample times", &[times.len()], times.clone()));
        for (which, traces) in [("exact", &c.exact), ("diffusion", &c.published)] {
            let u: Vec<f64> = c
                .probes
                .iter()
                .flat_map(|(_, p)| (0..c.slots.len()).map(|k| sensitivity(traces, *p, k)))
                .flatten()
                .collect();
            arrays.push(Named::new(
                &format!("{}_{which}", c.name),
                "mV / slot's",
                "dV/d(slot), probe × slot × time",
                &[c.probes.len(), c.slots.len(), times.len()],
                u,
            ));
        }
    }
    arrays.push(Named::new(
        "dt_ms",
        "ms",
        "time steps",
        &[STEPS_MS.len()],
        STEPS_MS.to_vec(),
    ));
    let errors: Vec<f64> = refined.iter().flat_map(|(_, e)| e.iter().copied()).collect();
    arrays.push(Named::new(
        "error_by_dt",
        "1",
        "greatest relative L2 error of the published carrier, passive cell × time step",
        &[refined.len(), STEPS_MS.len()],
        errors,
    ));
    arrays
}

fn greatest_check(cells: &[Measured]) -> f64 {
    let errors = cells.iter().map(|c| c.verdict.max_rel_error.unwrap_or(f64::INFINITY));
    errors.fold(0.0, f64::max)
}

fn outcome(
    cells: &[Measured],
    refined: &[(&str, Vec<f64>)],
    relation: &Relation,
    in_arbor: Comparison,
    report: std::path::PathBuf,
) -> Outcome {
    let of = |name: &str| cells.iter().find(|c| c.name == name).map_or(f64::NAN, Measured::worst);
    let verified = cells.iter().all(|c| c.verdict.passed);
    let holds = relation.worst() <= ROUNDING && of("uniform") <= ROUNDING;
    let check = greatest_check(cells);
    let mixed = refined.iter().find(|(n, _)| *n == "mixed").map(|(_, e)| e.clone());
    let steps = mixed.unwrap_or_default();
    let steps: Vec<String> = steps.iter().map(|e| format!("{:.0} %", 100.0 * e)).collect();
    let percent = |e: f64| format!("{:.0} %", 100.0 * e);
    let comparisons = vec![
        Comparison::new(
            "voltage and ion agree if β·cm·rL = 100, uniform cables drawn at random",
            "agree (numpy.allclose)",
            &format!(
                "greatest distance {:.1e} of the perturbation, {} cables",
                relation.worst(),
                relation.len()
            ),
            if holds { Agreement::Agrees } else { Agreement::Differs },
            "Both systems have the same matrix if all control volumes have the same area.",
        ),
        Comparison::new(
            "the same with β wrong by 1 %",
            "not given",
            &format!("up to {:.1e} of the perturbation", relation.worst_off()),
            Agreement::New,
            "The check can fail.",
        ),
        Comparison::new(
            "error of the paper's carrier: step, taper, fork of one radius, all of them",
            "not given; used on branched cells",
            &["stepped", "tapered", "branched", "mixed"]
                .map(|name| percent(of(name)))
                .join(", "),
            Agreement::Differs,
            "The voltage's row i is scaled by 1/C of CV i, Arbor 0.9's ion has one number in both rows of a face: the same on uniform cables only.",
        ),
        Comparison::new(
            &format!(
                "does that error shrink with dt? ({} ms)",
                STEPS_MS.map(|d| d.to_string()).join(", ")
            ),
            "not given",
            &steps.join(", "),
            Agreement::Differs,
            "It is no error of integration: the matrix is another.",
        ),
        Comparison::new(
            "error of the paper's carrier on the cell of figure 1, relative L2",
            "0.86 to 0.87 (measured by us with the public code)",
            &format!("{:.2}", of("r1")),
            Agreement::Agrees,
            "The same matrix in our host; everything else of the step is exact here, so the matrix alone makes the error.",
        ),
        in_arbor,
        Comparison::new(
            "error of the exact carrier on all these cells",
            "-",
            &format!("{check:.1e} against central differences"),
            Agreement::New,
            "The voltage's own matrix, with the exact tangent of the currents.",
        ),
    ];
    let mut numbers = serde_json::Map::new();
    numbers.insert("relation_worst".into(), relation.worst().into());
    numbers.insert("max_rel_error".into(), check.into());
    for c in cells {
        numbers.insert(format!("diffusion_relative_l2_{}", c.name), c.worst().into());
    }
    let word = if verified && holds { "passed" } else { "NOT PASSED" };
    Outcome {
        passed: verified && holds,
        summary: format!(
            "exact carrier {check:.1e}; the paper's {:.0e} on a uniform cable, {} with step, fork and taper ({word})",
            of("uniform"),
            percent(of("mixed"))
        ),
        comparisons,
        numbers,
        report,
    }
}

fn write_report(
    folder: &mut Folder,
    cells: &[Measured],
    refined: &[(&str, Vec<f64>)],
    relation: &Relation,
) -> Result<(), report::Error> {
    folder.report.warnings(&[
        "Everything called `diffusion` or published here is the paper's carrier, ion diffusion by the rule of Arbor 0.9: APPROXIMATE, kept to reproduce the paper and to show its error.",
    ]);
    folder.report.section("The relation β·cm·rL = 100");
    folder.report.paragraph("Uniform cables drawn at random: rL 0.1 to 1000 Ω·cm, cm 0.1 to 100 F/m², radius 0.1 to 100 µm, length 1 to 2000 µm, 2 to 50 control volumes. Part of the cable is perturbed; the voltage spreads in our host, the ion by Arbor 0.9's rule. The distance is the greatest over all control volumes and 200 steps, over the size of the perturbation.");
    folder.figure("relation", &relation.plot(), "Distance of voltage and ion, with β by the relation and with β wrong by 1 %: 1e-16 is rounding. Cables so short that both are at rest after one step show little of a wrong β.")?;
    folder.report.table(&relation.table());
    folder.report.section("Cells that are not uniform");
    folder.report.paragraph("Passive cells with a current into one end, the slots being the leak conductances of the near and the far part; and the axon of figure 1. The exact carrier is checked against central differences of the same simulation; the published carrier's ∂V/∂θ is compared with the exact one.");
    let columns = vec![
        Column::text("cell"),
        Column::text("probe"),
        Column::text("slot"),
        Column::number("exact: error against differences"),
        Column::number("published: relative L2 error"),
        Column::number("cosine"),
        Column::number("size, published over exact"),
    ];
    let mut table = Table::new("The error of each carrier.", columns);
    for c in cells {
        for (probe, slot, [error, cosine, ratio]) in c.rows() {
            let of_slot = c.verdict.parameters.iter().find(|r| r.name == slot);
            let check = of_slot.and_then(|r| r.rel_error);
            let check = check.map_or_else(|| "-".into(), |e| format!("{e:.1e}"));
            let error = if error < 1e-3 {
                format!("{error:.1e}")
            } else {
                format!("{error:.3}")
            };
            table.row([
                format!("{}: {}", c.name, c.what),
                probe,
                slot,
                check,
                error,
                format!("{cosine:.4}"),
                format!("{ratio:.3}"),
            ]);
        }
    }
    folder.report.table(&table);
    for c in cells.iter().filter(|c| ["mixed", "r1"].contains(&c.name.as_str())) {
        let caption = format!(
            "∂V/∂θ on {}: exact, and by the published carrier (dashed, APPROXIMATE).",
            c.what
        );
        folder.figure(&format!("carriers-{}", c.name), &traces_plot(c), &caption)?;
    }
    folder.figure("refinement", &refinement(refined), "The published carrier's greatest relative L2 error against the time step. Only on the uniform cable it is rounding; elsewhere no step is short enough.")?;
    Ok(())
}

fn traces_plot(c: &Measured) -> LinePlot {
    let mut plot = LinePlot::new(&c.what, "time (ms)");
    for (k, slot) in c.slots.iter().enumerate() {
        let mut panel = Panel::new(&match c.units[k].as_str() {
            "" | "1" => "∂V/∂θ (mV)".into(),
            unit => format!("∂V/∂θ (mV per {unit})"),
        });
        panel.title = format!("slot {slot}");
        for (i, (name, probe)) in c.probes.iter().enumerate() {
            let t = &c.exact.times_ms;
            let exact = Series::new(name, t.clone(), sensitivity(&c.exact, *probe, k));
            let label = format!("{name}, published");
            let ion = Series::new(&label, t.clone(), sensitivity(&c.published, *probe, k)).stroke(Stroke::Dashed);
            panel = panel.series(exact.colour(palette(i))).series(ion.colour(palette(i)));
        }
        plot = plot.panel(panel);
    }
    // where the axon of figure 1 does something
    if c.name == "r1" {
        plot.x_range = Some((92.0, 108.0));
    }
    plot
}

fn refinement(refined: &[(&str, Vec<f64>)]) -> LinePlot {
    let mut panel = Panel::new("relative L2 error (1)").log();
    for (name, errors) in refined {
        let series = Series::new(name, STEPS_MS.to_vec(), errors.clone());
        panel = panel.series(series.stroke(Stroke::LineAndPoints));
    }
    let mut plot = LinePlot::new("The published carrier against the time step", "time step (ms)").panel(panel);
    plot.x_range = Some((0.0, 0.105));
    plot
}
