//! The shim against Arbor 0.12.2 on the same catalogue: point processes and their events, gap junctions, reversal
//! potentials, voltage processes, diffusing ions, noise and POST_EVENT. Mechanisms are those in `mechanics/`, as SIMD and
//! as scalar kernels; cells branch and taper, and form one group.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]
#![expect(clippy::print_stdout, reason = "the figures are the result: shown by --nocapture")]
#![expect(
    unsafe_code,
    reason = "the shared helpers load catalogues that this test has just built"
)]

mod support;

use host_shim::{
    Cable, Catalogue, CellDescription, CvPolicy, DensityPaint, Detector, EventTimes, GapJunction, Generator, IClamp,
    IonProperties, JunctionPlacement, Location, Network, Probe, ProbeKind, ReversalMethod, Schedule, SimError,
    Simulation, Steps, SynapsePlacement, Target,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use support::{Mod, branched, morphology, python};

const DT_MS: f64 = 0.025;
/// Issue 3, acceptance 4, and what the host has kept to since issue 2.
const V_TOLERANCE_MV: f64 = 1e-8;
/// Of states and concentrations, relative to the largest value.
const RELATIVE_TOLERANCE: f64 = 1e-9;

const MODS: [Mod; 16] = [
    ("squid", include_str!("mechanics/squid.mod")),
    ("leak", include_str!("mechanics/leak.mod")),
    ("alphasyn", include_str!("mechanics/alphasyn.mod")),
    ("saturating", include_str!("mechanics/saturating.mod")),
    ("pairing", include_str!("mechanics/pairing.mod")),
    ("ohmic", include_str!("mechanics/ohmic.mod")),
    ("closing", include_str!("mechanics/closing.mod")),
    ("nernsteq", include_str!("mechanics/nernsteq.mod")),
    ("both", include_str!("mechanics/both.mod")),
    ("hold", include_str!("mechanics/hold.mod")),
    ("injector", include_str!("mechanics/injector.mod")),
    ("uptake", include_str!("mechanics/uptake.mod")),
    ("restless", include_str!("mechanics/restless.mod")),
    ("jitter", include_str!("mechanics/jitter.mod")),
    ("pool", include_str!("mechanics/pool.mod")),
    ("influx", include_str!("mechanics/influx.mod")),
];

fn simd() -> Arc<Catalogue> {
    static BUILT: OnceLock<Arc<Catalogue>> = OnceLock::new();
    Arc::clone(BUILT.get_or_init(|| support::simd("mechanics", &MODS)))
}

fn scalar() -> Arc<Catalogue> {
    static BUILT: OnceLock<Arc<Catalogue>> = OnceLock::new();
    Arc::clone(BUILT.get_or_init(|| support::scalar("mechanics", &MODS)))
}

/// A cell in both languages: morphology and policy are given twice, all else is translated.
struct Cell {
    segments: Value,
    policy: String,
    description: CellDescription,
}

/// The branched cell with `n` CVs a branch, a leak, and spikes if asked for.
fn cell(n: usize, spiking: bool) -> Cell {
    cell_of(branched(), n, spiking)
}

fn cell_of(segments: Value, n: usize, spiking: bool) -> Cell {
    let policy = CvPolicy::FixedPerBranch {
        n,
        interior_forks: false,
    };
    let mut description = CellDescription::new(morphology(&segments), policy);
    let all = whole(&description);
    description.densities.push(DensityPaint::new("leak", all.clone()));
    if spiking {
        description.densities.push(DensityPaint::new("squid", all));
        description.clamps = vec![IClamp::pulse(at(0, 0.5), 1.0, 20.0, 0.9)];
    }
    description.detectors = vec![Detector {
        at: at(0, 0.5),
        threshold_mv: -10.0,
    }];
    Cell {
        segments,
        policy: format!("(fixed-per-branch {n} (all) (flag-none))"),
        description,
    }
}

/// An unbranched, tapering cell.
fn rod() -> Value {
    json!([
        [null, [0, 0, 0, 3], [0, 0, 150, 2], 1],
        [0, [0, 0, 150, 2], [0, 0, 320, 0.5], 3]
    ])
}

fn whole(description: &CellDescription) -> Vec<Cable> {
    let branches = 0..description.morphology.n_branches();
    branches.map(|b| Cable::new(b, 0.0, 1.0)).collect()
}

fn at(branch: usize, pos: f64) -> Location {
    Location::new(branch, pos)
}

fn parameters(values: &[(&str, f64)]) -> BTreeMap<String, f64> {
    values.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
}

fn synapses(mechanism: &str, places: &[Location], values: &[(&str, f64)]) -> SynapsePlacement {
    SynapsePlacement {
        mechanism: mechanism.to_owned(),
        at: places.to_vec(),
        parameters: parameters(values),
    }
}

fn site(mechanism: &str, at: Location, values: &[(&str, f64)]) -> JunctionPlacement {
    JunctionPlacement {
        mechanism: mechanism.to_owned(),
        at,
        parameters: parameters(values),
    }
}

/// Events at explicit times.
fn events(cell: usize, target: usize, weight: f32, times_ms: &[f64]) -> Generator {
    Generator {
        target: Target { cell, target },
        weight,
        times: EventTimes::Schedule(Schedule::Explicit(times_ms.to_vec())),
    }
}

/// One every `every_ms` from `first_ms` to the end of a short run.
fn train(cell: usize, target: usize, weight: f32, first_ms: f64, every_ms: f64) -> Generator {
    let times: Vec<f64> = (0..)
        .map(|k| first_ms + f64::from(k) * every_ms)
        .take_while(|&t| t < 24.0)
        .collect();
    events(cell, target, weight, &times)
}

fn paint_spec(cell: &CellDescription, paints: &[DensityPaint]) -> Value {
    let paint = |p: &DensityPaint| {
        let cables: Vec<_> = p.cables.iter().map(|c| json!([c.branch, c.prox, c.dist])).collect();
        assert!(!cell.globals.contains_key(&p.mechanism), "not translated");
        json!({"mechanism": p.mechanism, "cables": cables, "parameters": p.parameters})
    };
    paints.iter().map(paint).collect()
}

fn place(l: Location) -> Value {
    json!([l.branch, l.pos])
}

impl Cell {
    fn spec(&self) -> Value {
        let d = &self.description;
        let ions: BTreeMap<_, _> = d
            .ions
            .iter()
            .map(|(name, i)| {
                let method = i.reversal_method.as_ref();
                let method = method.map(|m| json!({"mechanism": m.mechanism, "parameters": m.parameters}));
                let row = json!({
                    "int_mm": i.int_mm, "ext_mm": i.ext_mm, "rev_mv": i.rev_mv,
                    "diffusivity": i.diffusivity_m2_per_s, "method": method,
                });
                (name, row)
            })
            .collect();
        let targets = d
            .synapses
            .iter()
            .flat_map(|s| s.at.iter().map(|&l| json!([s.mechanism, s.parameters, place(l)])));
        let sites = d
            .junctions
            .iter()
            .map(|j| json!([j.mechanism, j.parameters, place(j.at)]));
        let clamps = d
            .clamps
            .iter()
            .map(|c| json!({"at": place(c.at), "envelope": c.envelope}));
        let detectors = d
            .detectors
            .iter()
            .map(|x| json!([x.at.branch, x.at.pos, x.threshold_mv]));
        json!({
            "segments": self.segments,
            "policy": self.policy,
            "rl_ohm_cm": d.properties.rl_ohm_cm.default_value(),
            "cm_f_per_m2": d.properties.cm_f_per_m2.default_value(),
            "ions": ions,
            "densities": paint_spec(d, &d.densities),
            "voltage_processes": paint_spec(d, &d.voltage_processes),
            "targets": targets.collect::<Vec<_>>(),
            "sites": sites.collect::<Vec<_>>(),
            "clamps": clamps.collect::<Vec<_>>(),
            "detectors": detectors.collect::<Vec<_>>(),
        })
    }
}

/// What both hosts do, and how long.
struct Run {
    label: &'static str,
    cells: Vec<Cell>,
    network: Network,
    /// Besides voltages at some places of every cell.
    probes: Vec<Probe>,
    end_ms: f64,
}

impl Run {
    fn new(label: &'static str, cells: Vec<Cell>) -> Self {
        Self {
            label,
            cells,
            network: Network::default(),
            probes: Vec::new(),
            end_ms: 25.0,
        }
    }

    fn probe(&mut self, cell: usize, kind: ProbeKind) {
        self.probes.push(Probe { cell, kind });
    }

    fn state(&mut self, cell: usize, target: usize, state: &str) {
        let state = state.to_owned();
        self.probe(cell, ProbeKind::PointState { target, state });
    }

    /// Voltages first, on every branch of every cell; then the other probes.
    fn all_probes(&self) -> (usize, Vec<Probe>) {
        let voltages = self.cells.iter().enumerate().flat_map(|(cell, c)| {
            let places =
                (0..c.description.morphology.n_branches()).flat_map(|b| [at(b, 0.04), at(b, 0.55), at(b, 1.0)]);
            places.map(move |at| Probe {
                cell,
                kind: ProbeKind::Voltage { at },
            })
        });
        let mut probes: Vec<Probe> = voltages.collect();
        // Arbor interpolates voltages in all cells of a group with the resistivity of the first, and fails where that has
        // fewer branches; the cells here agree in resistivity, and none has more branches than the first.
        let n = probes.len();
        probes.extend(self.probes.iter().cloned());
        (n, probes)
    }

    fn probe_spec(&self, p: &Probe) -> Value {
        let target_mechanism = |target: usize| {
            let placements = self.cells[p.cell].description.synapses.iter();
            let mut names = placements.flat_map(|s| s.at.iter().map(|_| s.mechanism.clone()));
            names.nth(target).unwrap()
        };
        match &p.kind {
            ProbeKind::Voltage { at } => json!({"cell": p.cell, "kind": "voltage", "at": place(*at)}),
            ProbeKind::State { mechanism, state, at } => {
                json!({"cell": p.cell, "kind": "state", "mechanism": mechanism, "state": state, "at": place(*at)})
            }
            ProbeKind::PointState { target, state } => {
                let mechanism = target_mechanism(*target);
                json!({"cell": p.cell, "kind": "point", "target": target, "mechanism": mechanism, "state": state})
            }
            ProbeKind::IonInternal { ion, at } => {
                json!({"cell": p.cell, "kind": "internal", "ion": ion, "at": place(*at)})
            }
            ProbeKind::IonReversal { ion, at } => {
                json!({"cell": p.cell, "kind": "reversal", "ion": ion, "at": place(*at)})
            }
            ProbeKind::IonDiffusive { ion, at } => {
                json!({"cell": p.cell, "kind": "diffusive", "ion": ion, "at": place(*at)})
            }
            other => unreachable!("no Arbor counterpart in this test: {other:?}"),
        }
    }

    fn ask_arbor(&self, catalogue: &Catalogue, probes: &[Probe]) -> Value {
        let steps = Steps::new(0.0, self.end_ms, DT_MS);
        // In the middle of each step: on its edge, rounding would choose the step.
        let middle = |(t0, t1): (f64, f64)| 0.5 * (t0 + t1);
        let times = |g: &Generator| match &g.times {
            EventTimes::Schedule(Schedule::Explicit(times)) => times.clone(),
            other => unreachable!("not translated: {other:?}"),
        };
        let events = self.network.generators.iter().map(|g| {
            json!({
                "cell": g.target.cell, "target": g.target.target,
                "weight": f64::from(g.weight), "times_ms": times(g),
            })
        });
        let junctions = self.network.gap_junctions.iter();
        let junctions = junctions.map(|j| json!([j.local_cell, j.local_site, j.peer_cell, j.peer_site, j.weight]));
        let spec = json!({
            "catalogue": catalogue.path(),
            "dt_ms": DT_MS,
            "end_ms": self.end_ms,
            "seed": self.network.seed,
            "samples_ms": (0..steps.len()).map(|i| middle(steps.edges(i))).collect::<Vec<_>>(),
            "cells": self.cells.iter().map(Cell::spec).collect::<Vec<_>>(),
            "events": events.collect::<Vec<_>>(),
            "junctions": junctions.collect::<Vec<_>>(),
            "probes": probes.iter().map(|p| self.probe_spec(p)).collect::<Vec<_>>(),
        });
        let mut child = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mechanics_run.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(spec.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "mechanics_run.py failed: its messages are above"
        );
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["version"], "0.12.2", "the reference is Arbor 0.12.2");
        answer
    }

    fn simulation(&self, catalogue: &Arc<Catalogue>) -> Simulation {
        let group = self.cells.iter().map(|c| c.description.clone()).collect();
        Simulation::with_network(vec![group], std::slice::from_ref(catalogue), &self.network).unwrap()
    }

    /// Both hosts, both kinds of kernel. Every probe must move, and differ from Arbor's by rounding only.
    fn agrees(&self) {
        for (kind, catalogue) in [("SIMD", simd()), ("scalar", scalar())] {
            self.agrees_with(kind, &catalogue);
        }
    }

    fn agrees_with(&self, kind: &str, catalogue: &Arc<Catalogue>) {
        let label = format!("{}, {kind}", self.label);
        let (n_voltages, probes) = self.all_probes();
        let arbor = self.ask_arbor(catalogue, &probes);
        let mut sim = self.simulation(catalogue);
        let samples = sim.record(self.end_ms, DT_MS, &Schedule::EveryStep, &probes).unwrap();
        let n_steps = samples.times_ms.len();
        assert!(n_steps >= 400, "{label}: {n_steps} steps");
        let (mut worst_mv, mut worst) = (0f64, 0f64);
        for (k, theirs) in arbor["probes"].as_array().unwrap().iter().enumerate() {
            let theirs: Vec<f64> = theirs.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            assert_eq!(theirs.len(), n_steps, "{label}: probe {k}");
            let (mut off, mut size, mut low, mut high) = (0f64, 0f64, f64::MAX, f64::MIN);
            for (step, (ours, theirs)) in samples.probe(k).zip(&theirs).enumerate() {
                assert!(ours.is_finite(), "{label}: probe {k}, step {step}");
                off = off.max((ours - theirs).abs());
                size = size.max(theirs.abs());
                (low, high) = (low.min(*theirs), high.max(*theirs));
            }
            assert!(high > low, "{label}: {:?} never changes", probes[k]);
            if k < n_voltages {
                worst_mv = worst_mv.max(off);
            } else {
                worst = worst.max(off / size);
                assert!(
                    off <= RELATIVE_TOLERANCE * size,
                    "{label}: {:?} differs by {off:e} of {size:e}",
                    probes[k]
                );
            }
        }
        let mut ours: Vec<(f64, usize, usize)> = sim.spikes().iter().map(|s| (s.time_ms, s.cell, s.detector)).collect();
        ours.sort_by(|a, b| a.0.total_cmp(&b.0));
        let theirs = arbor["spikes"].as_array().unwrap();
        println!(
            "{label}: {n_steps} steps, max|dV| {worst_mv:.2e} mV, others {worst:.1e}, {} spikes",
            ours.len()
        );
        assert!(worst_mv <= V_TOLERANCE_MV, "{label}: max|dV| = {worst_mv:e} mV");
        assert_eq!(ours.len(), theirs.len(), "{label}");
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a.0 - b[0].as_f64().unwrap()).abs() <= 1e-9, "{label}: {a:?} {b}");
            assert_eq!(
                (Some(a.1 as u64), Some(a.2 as u64)),
                (b[1].as_u64(), b[2].as_u64()),
                "{label}"
            );
        }
    }
}

/// Equal placements share an instance, in whatever order they are made; targets still are told apart by number. Weights
/// of a step are applied smallest first, and only that makes `saturating` agree.
#[test]
fn synapses_are_ordered_merged_and_driven_as_in_arbor() {
    let mut first = cell(3, true);
    let (here, there) = (at(2, 0.5), at(0, 0.2));
    first.description.synapses = vec![
        synapses("alphasyn", &[here, at(4, 0.9)], &[("tau", 3.0), ("start", 1e-4)]),
        synapses("saturating", &[here, there], &[("gmax", 0.004)]),
        synapses("alphasyn", &[there, here, here], &[("start", 1e-4)]),
        synapses("alphasyn", &[here, at(4, 0.9)], &[("start", 1e-4), ("tau", 3.0)]),
        // Where three branches meet there is no membrane; the synapse goes to a neighbour.
        synapses("alphasyn", &[at(1, 1.0), at(2, 0.0)], &[("e", -70.0)]),
        synapses("saturating", &[here], &[("gmax", 0.004), ("fall", 2.0)]),
    ];
    let mut second = cell_of(rod(), 4, false);
    second.description.synapses = vec![
        synapses("saturating", &[at(0, 0.9)], &[]),
        synapses("alphasyn", &[at(0, 0.6), at(0, 0.6), at(0, 0.1)], &[("e", -10.0)]),
    ];
    let mut run = Run::new("synapses", vec![first, second]);
    run.network.generators = vec![
        train(0, 0, 0.0004, 0.5, 1.3),
        train(0, 1, 0.0003, 0.2, 2.1),
        train(0, 2, 0.4, 1.0, 2.0),
        train(0, 2, 0.1, 1.01, 2.0),
        train(0, 2, 0.25, 1.015, 2.0),
        train(0, 3, 0.3, 3.0, 3.1),
        train(0, 5, 0.0007, 2.0, 0.7),
        train(0, 6, -0.0001, 2.0, 1.7),
        train(0, 7, 0.0002, 2.2, 1.9),
        train(0, 10, 0.0009, 0.0, 4.1),
        train(0, 11, 0.5, 6.0, 4.0),
        train(1, 0, 0.8, 1.0, 5.0),
        train(1, 1, 0.001, 2.0, 5.0),
        train(1, 2, 0.0005, 4.0, 5.0),
    ];
    for target in [0, 1, 4, 5, 6, 7, 8, 10] {
        run.state(0, target, "g");
    }
    for target in [2, 3, 11] {
        run.state(0, target, "a");
        run.state(0, target, "b");
    }
    run.state(1, 0, "b");
    run.state(1, 1, "g");
    run.agrees();

    let sim = run.simulation(&scalar());
    // (2, 0.5) with tau 3: targets 0 and 7; (4, 0.9): 1 and 8; (2, 0.5) with tau 2: 5 and 6; alone: 4, 9 and 10.
    let merged = sim.state(0, "alphasyn", "g").unwrap();
    // INITIAL multiplies by how many were merged.
    let mut starts: Vec<f64> = merged.iter().map(|g| (g * 1e4).round()).collect();
    starts.sort_by(f64::total_cmp);
    assert_eq!(starts, [0.0, 0.0, 1.0, 2.0, 2.0, 2.0]);
    assert_eq!(sim.state(0, "saturating", "a").unwrap().len(), 3);
}

#[test]
fn spikes_reach_post_event_blocks() {
    let mut silent = cell_of(rod(), 4, false);
    silent.description.detectors.clear();
    silent.description.synapses = vec![synapses("pairing", &[at(0, 0.3)], &[])];
    let mut spiking = cell(3, true);
    spiking.description.detectors.push(Detector {
        at: at(3, 0.9),
        threshold_mv: -20.0,
    });
    spiking.description.synapses = vec![
        synapses("pairing", &[at(2, 0.3), at(2, 0.3), at(0, 0.5)], &[]),
        synapses("alphasyn", &[at(2, 0.3)], &[]),
    ];
    let mut run = Run::new("POST_EVENT", vec![spiking, silent]);
    run.network.generators = vec![
        train(0, 0, 1.0, 0.5, 3.1),
        train(0, 1, 0.5, 1.5, 2.7),
        train(0, 2, 1.5, 2.5, 3.7),
        train(0, 3, 0.0004, 2.5, 3.7),
        train(1, 0, 1.5, 2.5, 3.7),
    ];
    for target in 0..3 {
        for state in ["g", "pre", "post", "w", "late"] {
            run.state(0, target, state);
        }
    }
    run.state(1, 0, "pre");
    run.agrees();
}

#[test]
fn gap_junctions_feel_their_peers() {
    let mut first = cell(3, true);
    let mut second = cell(2, false);
    let mut third = cell_of(rod(), 5, false);
    first.description.junctions = vec![
        site("ohmic", at(3, 0.9), &[]),
        site("closing", at(0, 0.5), &[("g", 0.004)]),
        site("ohmic", at(0, 0.6), &[("g", 0.003)]),
    ];
    second.description.junctions = vec![site("closing", at(1, 0.4), &[]), site("ohmic", at(0, 0.5), &[])];
    third.description.junctions = vec![
        site("ohmic", at(0, 0.0), &[]),
        site("ohmic", at(0, 1.0), &[("g", 0.0005)]),
    ];
    let mut run = Run::new("gap junctions", vec![first, second, third]);
    let join = |local_cell, local_site, peer_cell, peer_site, weight| GapJunction {
        local_cell,
        local_site,
        peer_cell,
        peer_site,
        weight,
    };
    run.network.gap_junctions = vec![
        join(0, 2, 1, 1, 1.0),
        join(1, 1, 0, 2, 1.0),
        join(2, 0, 0, 0, 0.8),
        join(0, 0, 2, 0, 1.2),
        join(0, 1, 1, 0, 1.0),
        join(1, 0, 0, 1, 0.5),
        join(1, 0, 0, 0, 0.7),
        join(2, 1, 1, 1, 1.5),
        join(2, 0, 2, 1, 0.3),
    ];
    run.agrees();
    // Not only the peers: without junctions the others would rest.
    let mut alone = Run::new("alone", vec![cell(2, false)]);
    alone.end_ms = 10.0;
    let mut sim = alone.simulation(&scalar());
    sim.record(10.0, DT_MS, &Schedule::EveryStep, &[]).unwrap();
    assert!(sim.voltage(0).unwrap().iter().all(|v| (v + 65.0).abs() < 1e-6));
}

fn method(mechanism: &str, values: &[(&str, f64)]) -> Option<ReversalMethod> {
    Some(ReversalMethod {
        mechanism: mechanism.to_owned(),
        parameters: parameters(values),
    })
}

/// A pool on part of the membrane moves cai, a method rebound to ca computes eca; one method serves na and k.
#[test]
fn reversal_potentials_follow_concentrations() {
    let mut c = cell(3, true);
    let all = whole(&c.description);
    let shell: Vec<Cable> = all.iter().map(|c| Cable::new(c.branch, 0.1, 0.85)).collect();
    c.description.densities.push(DensityPaint::new("pool", shell));
    c.description.densities.push(DensityPaint::new("influx", all));
    let ions = &mut c.description.ions;
    ions.get_mut("ca").unwrap().reversal_method = method("nernsteq/offset=-2.5,x=ca", &[]);
    ions.get_mut("na").unwrap().reversal_method = method("both", &[("shift", 1.25)]);
    ions.get_mut("k").unwrap().reversal_method = method("both", &[("shift", 1.25)]);
    let mut run = Run::new("reversal potentials", vec![c]);
    let ca = || "ca".to_owned();
    for place in [at(1, 0.5), at(1, 0.05)] {
        run.probe(0, ProbeKind::IonInternal { ion: ca(), at: place });
        run.probe(0, ProbeKind::IonReversal { ion: ca(), at: place });
    }
    run.agrees();
    // `both` sets what nothing changes: constant, so no probe above.
    let mut sim = run.simulation(&simd());
    let probes = ["na", "k"].map(|ion| Probe {
        cell: 0,
        kind: ProbeKind::IonReversal {
            ion: ion.to_owned(),
            at: at(2, 0.5),
        },
    });
    let samples = sim.record(1.0, DT_MS, &Schedule::EveryStep, &probes).unwrap();
    let rt_f = 1000.0 * 8.314_459_8 * 279.45 / 96_485.332_89;
    let expected = [rt_f * (140.0f64 / 10.0).ln() - 1.25, rt_f * (2.5f64 / 54.4).ln() + 1.25];
    for (k, e) in expected.into_iter().enumerate() {
        assert!(
            samples.probe(k).all(|x| (x - e).abs() < 1e-10),
            "{:?}",
            samples.probe(k).next()
        );
    }
}

#[test]
fn a_held_voltage_reaches_the_neighbours() {
    let mut c = cell(3, true);
    let paint = |cables: &[Cable], level: f64| DensityPaint::new("hold", cables.to_vec()).with("level", level);
    c.description.voltage_processes = vec![
        paint(&[Cable::new(1, 0.0, 0.3)], -40.0),
        paint(&[Cable::new(4, 0.5, 1.0)], -75.0).with("drift", 0.4),
    ];
    // Arbor has no probe of its state; the voltage drifts with it.
    Run::new("voltage process", vec![c]).agrees();
}

/// Injected by events, exchanged across forks without membrane, taken up everywhere, feeding a current.
#[test]
fn ions_diffuse() {
    let diffusing = |n, shape| {
        let mut c = cell_of(shape, n, false);
        let mut s = IonProperties::new(1, 0.1, 0.0, 0.0);
        s.diffusivity_m2_per_s = 3e-7;
        c.description.ions.insert("s".to_owned(), s);
        c
    };
    let mut first = diffusing(3, branched());
    let all = whole(&first.description);
    first.description.densities.push(DensityPaint::new("uptake", all));
    first.description.synapses = vec![
        synapses("injector", &[at(0, 0.5), at(4, 0.5)], &[("amount", 2.0)]),
        synapses("alphasyn", &[at(4, 0.5)], &[]),
    ];
    let mut second = diffusing(6, rod());
    second.description.synapses = vec![synapses("injector", &[at(0, 0.8)], &[])];
    let mut run = Run::new("diffusion", vec![first, second]);
    run.network.generators = vec![
        train(0, 0, 1.0, 1.0, 4.0),
        train(0, 1, 0.5, 2.0, 3.0),
        train(0, 2, 0.0005, 2.0, 3.0),
        train(1, 0, 3.0, 2.0, 3.0),
    ];
    let probe = |at| ProbeKind::IonDiffusive {
        ion: "s".to_owned(),
        at,
    };
    for place in [
        at(0, 0.5),
        at(1, 0.1),
        at(1, 0.9),
        at(2, 0.5),
        at(3, 1.0),
        at(4, 0.5),
        at(5, 0.2),
    ] {
        run.probe(0, probe(place));
    }
    for place in [at(0, 0.1), at(0, 0.8)] {
        run.probe(1, probe(place));
    }
    run.agrees();
}

fn noisy_cells() -> Vec<Cell> {
    let mut first = cell(2, true);
    // Of the branched cell only a part, so that instances and CVs of the group differ in number.
    let part: Vec<Cable> = (1..4).map(|b| Cable::new(b, 0.2, 1.0)).collect();
    first.description.densities.push(DensityPaint::new("restless", part));
    first.description.synapses = vec![synapses("jitter", &[at(2, 0.5), at(2, 0.5), at(0, 0.5)], &[])];
    let mut second = cell_of(rod(), 5, true);
    second.description.clamps.clear();
    let all = whole(&second.description);
    second.description.densities.push(DensityPaint::new("restless", all));
    second.description.synapses = vec![synapses("jitter", &[at(0, 0.5), at(0, 0.1)], &[("sd", 0.03)])];
    vec![first, second]
}

/// Acceptance 4: the same seed, 200 ms, 1e-8 mV; two cells in one group, points and densities that draw.
#[test]
fn noise_is_arbors_for_200_ms() {
    let mut run = Run::new("noise", noisy_cells());
    run.network.seed = 20_261_122;
    run.end_ms = 200.0;
    for target in 0..3 {
        run.state(0, target, "x");
    }
    run.state(1, 1, "x");
    for state in ["e", "h"] {
        for (cell, place) in [(0, at(3, 0.7)), (1, at(0, 0.5))] {
            let (mechanism, state) = ("restless".to_owned(), state.to_owned());
            run.probe(
                cell,
                ProbeKind::State {
                    mechanism,
                    state,
                    at: place,
                },
            );
        }
    }
    run.agrees();
}

/// The seed matters, a reset starts the numbers again, and two placements in one CV draw apart.
#[test]
fn noise_repeats_after_a_reset() {
    let mut run = Run::new("noise", noisy_cells());
    let probes: Vec<Probe> = (0..3)
        .map(|target| Probe {
            cell: 0,
            kind: ProbeKind::PointState {
                target,
                state: "x".to_owned(),
            },
        })
        .collect();
    let record = |sim: &mut Simulation| sim.record(5.05, DT_MS, &Schedule::EveryStep, &probes).unwrap();
    let mut sim = run.simulation(&simd());
    let first = record(&mut sim);
    sim.reset();
    assert_eq!(first, record(&mut sim));
    assert!(first.probe(0).zip(first.probe(1)).any(|(a, b)| (a - b).abs() > 1e-4));
    run.network.seed = 1;
    assert_ne!(first, record(&mut run.simulation(&simd())));
    // A cell's numbers follow its gid, not its place.
    run.network.seed = 0;
    run.cells.swap(0, 1);
    run.cells[0].description.gid = Some(1);
    run.cells[1].description.gid = Some(0);
    let probes: Vec<Probe> = probes.iter().map(|p| Probe { cell: 1, ..p.clone() }).collect();
    let swapped = run
        .simulation(&simd())
        .record(5.05, DT_MS, &Schedule::EveryStep, &probes)
        .unwrap();
    assert_eq!(first, swapped);
}

/// Each defect has its own variant.
#[test]
fn defective_placements_are_refused() {
    let build = |change: &dyn Fn(&mut CellDescription)| {
        let mut c = cell(2, true).description;
        change(&mut c);
        Simulation::new(vec![vec![c]], &[scalar()]).err()
    };
    macro_rules! refused {
        ($change:expr, $pattern:pat) => {
            let error = build(&$change);
            assert!(matches!(error, Some($pattern)), "{error:?}");
        };
    }
    type C = CellDescription;
    let everywhere = |c: &C, name: &str| DensityPaint::new(name, whole(c));
    assert!(build(&|_| ()).is_none());
    for wrong in ["alphasyn", "ohmic", "nernsteq", "hold"] {
        refused!(
            |c: &mut C| c.densities.push(everywhere(c, wrong)),
            SimError::Kind { .. }
        );
    }
    refused!(
        |c: &mut C| c.voltage_processes.push(everywhere(c, "uptake")),
        SimError::Kind { .. }
    );
    refused!(
        |c: &mut C| c.synapses.push(synapses("leak", &[at(0, 0.5)], &[])),
        SimError::Kind { .. }
    );
    refused!(
        |c: &mut C| c.junctions.push(site("alphasyn", at(0, 0.5), &[])),
        SimError::Kind { .. }
    );
    refused!(
        |c: &mut C| c.ions.get_mut("ca").unwrap().reversal_method = method("leak", &[]),
        SimError::Kind { .. }
    );
    refused!(
        |c: &mut C| c.synapses.push(synapses("alphasyn", &[at(77, 0.5)], &[])),
        SimError::Geometry { .. }
    );
    refused!(
        |c: &mut C| c.synapses.push(synapses("alphasyn", &[at(0, 0.5)], &[("tao", 1.0)])),
        SimError::UnknownParameter { .. }
    );
    refused!(
        |c: &mut C| c.junctions.push(site("ohmic", at(0, 0.5), &[("g", f64::NAN)])),
        SimError::BadParameter { .. }
    );
    refused!(
        |c: &mut C| c.voltage_processes = vec![everywhere(c, "hold"), everywhere(c, "hold").with("level", 1.0)],
        SimError::OverlappingPaint { .. }
    );
    // Na and k share `both`; ca has its own. `both` writes neither ca, nor k alone.
    refused!(
        |c: &mut C| c.ions.get_mut("ca").unwrap().reversal_method = method("both", &[]),
        SimError::Reversal { .. }
    );
    refused!(
        |c: &mut C| c.ions.get_mut("k").unwrap().reversal_method = method("both", &[]),
        SimError::Reversal { .. }
    );
    refused!(
        |c: &mut C| {
            c.ions.get_mut("k").unwrap().reversal_method = method("both", &[]);
            c.ions.get_mut("na").unwrap().reversal_method = method("both", &[("shift", 1.0)]);
        },
        SimError::Reversal { .. }
    );
    refused!(
        |c: &mut C| c.ions.get_mut("na").unwrap().reversal_method = method("nernsteq/x=k", &[]),
        SimError::Reversal { .. }
    );
    refused!(
        |c: &mut C| c.ions.get_mut("na").unwrap().reversal_method = method("nernsteq/x=", &[]),
        SimError::UnknownIon { .. }
    );
    refused!(
        |c: &mut C| c.ions.get_mut("na").unwrap().reversal_method = method("both/na=k", &[]),
        SimError::IonBoundTwice { .. }
    );
    // `both` reads k where only na has a record.
    refused!(
        |c: &mut C| {
            c.densities.retain(|p| p.mechanism != "squid");
            c.densities
                .push(DensityPaint::new("influx/ca=na", vec![Cable::new(1, 0.0, 1.0)]));
            for ion in ["k", "na"] {
                c.ions.get_mut(ion).unwrap().reversal_method = method("both", &[]);
            }
        },
        SimError::IonAbsent { .. }
    );
    let mut s = IonProperties::new(1, 0.0, 0.0, 0.0);
    let with_s = |s: &IonProperties, c: &mut C| {
        c.ions.insert("s".to_owned(), s.clone());
        c.densities.push(everywhere(c, "uptake"));
    };
    refused!(|c: &mut C| with_s(&s, c), SimError::NotDiffusive { .. });
    s.diffusivity_m2_per_s = -1e-9;
    refused!(|c: &mut C| with_s(&s, c), SimError::BadIon { .. });
    s.diffusivity_m2_per_s = 1e-9;
    assert!(build(&|c: &mut C| with_s(&s, c)).is_none());

    let mut sim = Simulation::new(vec![vec![cell(2, true).description]], &[scalar()]).unwrap();
    let mut probe = |kind| {
        let probes = [Probe { cell: 0, kind }];
        sim.record(1.0, 0.1, &Schedule::EveryStep, &probes).unwrap_err()
    };
    let (target, state) = (0, "g".to_owned());
    let error = probe(ProbeKind::PointState { target, state });
    assert!(matches!(error, SimError::NoSuchTarget { n_targets: 0, .. }), "{error}");
    let ion = "na".to_owned();
    let error = probe(ProbeKind::IonDiffusive { ion, at: at(0, 0.5) });
    assert!(matches!(error, SimError::ProbeIon { .. }), "{error}");
}
