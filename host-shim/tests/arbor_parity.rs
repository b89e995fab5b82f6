//! The shim against Arbor 0.12.2 on the same catalogue: the same kernels, so every difference is the host's.
//!
//! Catalogues are built from the .mod text below by `arbor-build-catalogue` (SIMD kernels) and by `modcc` with a C++
//! compiler (scalar kernels). Cells branch and taper, channels cover parts of CVs, and fire repeatedly for 1000 steps.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]
#![expect(clippy::print_stdout, reason = "the figures are the result: shown by --nocapture")]
#![expect(unsafe_code, reason = "loads catalogues that this test has just built")]

mod support;

use host_shim::{
    Cable, Catalogue, CellDescription, CvPolicy, DensityPaint, Detector, IClamp, Location, MechanismKind, Morphology,
    Network, Probe, ProbeKind, SampleView, Schedule, SimError, Simulation, Steps,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use support::{Mod, branched, morphology, python};

const DT_MS: f64 = 0.025;
const STEPS: usize = 1000;
/// Issue 2, acceptance 2.
const V_TOLERANCE_MV: f64 = 1e-8;

/// Hodgkin and Huxley, J. Physiol. 117 (1952) 500–544, eqs 3–26, rest shifted to −65 mV; rates scaled by
/// 3^((T − 6.3)/10).
const SQUID: &str = "
NEURON {
    SUFFIX squid
    USEION na READ ena WRITE ina
    USEION k READ ek WRITE ik
    NONSPECIFIC_CURRENT il
    RANGE gna, gk, gl
    GLOBAL el
}
PARAMETER {
    gna = 0.12 (S/cm2)
    gk = 0.036 (S/cm2)
    gl = 0.0003 (S/cm2)
    el = -54.4 (mV)
    celsius (degC)
}
STATE { m h n }
BREAKPOINT {
    SOLVE gates METHOD cnexp
    ina = gna*m*m*m*h*(v - ena)
    ik = gk*n*n*n*n*(v - ek)
    il = gl*(v - el)
}
INITIAL {
    m = am(v)/(am(v) + bm(v))
    h = ah(v)/(ah(v) + bh(v))
    n = an(v)/(an(v) + bn(v))
}
DERIVATIVE gates {
    LOCAL q
    q = 3^((celsius - 6.3)/10)
    m' = q*(am(v) - (am(v) + bm(v))*m)
    h' = q*(ah(v) - (ah(v) + bh(v))*h)
    n' = q*(an(v) - (an(v) + bn(v))*n)
}
FUNCTION am(u) { am = exprelr(-(u + 40)/10) }
FUNCTION bm(u) { bm = 4*exp(-(u + 65)/18) }
FUNCTION ah(u) { ah = 0.07*exp(-(u + 65)/20) }
FUNCTION bh(u) { bh = 1/(exp(-(u + 35)/10) + 1) }
FUNCTION an(u) { an = 0.1*exprelr(-(u + 55)/10) }
FUNCTION bn(u) { bn = 0.125*exp(-(u + 65)/80) }
";

/// A leak with a GLOBAL reversal potential, to be overridden per cell.
const LEAK: &str = "
NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
    GLOBAL e
}
PARAMETER {
    g = 0.0001 (S/cm2)
    e = -65 (mV) <-120, 0>
}
BREAKPOINT { i = g*(v - e) }
INITIAL {}
";

/// Hyperpolarisation-activated current: Kole, Hallermann and Stuart, J. Neurosci. 26 (2006) 1677–1687.
const HCN: &str = "
NEURON {
    SUFFIX hcn
    NONSPECIFIC_CURRENT ih
    RANGE gmax
    GLOBAL eh
}
PARAMETER {
    gmax = 0.0001 (S/cm2)
    eh = -45 (mV)
}
STATE { q }
BREAKPOINT {
    SOLVE gate METHOD cnexp
    ih = gmax*q*(v - eh)
}
INITIAL { q = opening(v)/(opening(v) + closing(v)) }
DERIVATIVE gate { q' = opening(v)*(1 - q) - closing(v)*q }
FUNCTION opening(u) { opening = 0.001*6.43*11.9*exprelr((u + 154.9)/11.9) }
FUNCTION closing(u) { closing = 0.001*193*exp(u/33.1) }
";

/// High-voltage-activated calcium: Reuveni, Friedman, Amitai and Gutnick, J. Neurosci. 13 (1993) 4609–4621.
const CAHVA: &str = "
NEURON {
    SUFFIX cahva
    USEION ca READ eca WRITE ica
    RANGE gmax
}
PARAMETER { gmax = 0.0001 (S/cm2) }
STATE { p r }
BREAKPOINT {
    SOLVE gates METHOD cnexp
    ica = gmax*p*p*r*(v - eca)
}
INITIAL {
    p = ap(v)/(ap(v) + bp(v))
    r = ar(v)/(ar(v) + br(v))
}
DERIVATIVE gates {
    p' = ap(v)*(1 - p) - bp(v)*p
    r' = ar(v)*(1 - r) - br(v)*r
}
FUNCTION ap(u) { ap = 0.055*3.8*exprelr(-(27 + u)/3.8) }
FUNCTION bp(u) { bp = 0.94*exp(-(75 + u)/17) }
FUNCTION ar(u) { ar = 0.000457*exp(-(13 + u)/50) }
FUNCTION br(u) { br = 0.0065/(exp(-(15 + u)/28) + 1) }
";

/// Calcium in a shell under the membrane, driven by ica, decaying to rest: Destexhe, Mainen and Sejnowski, Neural Comput.
/// 6 (1994) 14–18. Sorts after the channel, and writes a concentration: update order and masks matter.
const CASHELL: &str = "
NEURON {
    SUFFIX cashell
    USEION ca READ ica WRITE cai
    RANGE depth, tau, rest
}
PARAMETER {
    depth = 0.1 (um)
    tau = 80 (ms)
    rest = 0.0001 (mM)
}
STATE { cai }
BREAKPOINT {
    SOLVE pool METHOD cnexp
}
INITIAL { cai = rest }
DERIVATIVE pool { cai' = -ica*0.05/(2*0.0965*depth) - (cai - rest)/tau }
";

/// Made up: external calcium that starts from the internal one. INITIAL runs twice, and what the first pass wrote from
/// the reset concentration is what `kca` remembers in the second.
const CAOUT: &str = "
NEURON {
    SUFFIX caout
    USEION ca READ cai WRITE cao
}
STATE { cao }
BREAKPOINT {
    SOLVE outside METHOD cnexp
}
INITIAL { cao = 2 + 10000*cai }
DERIVATIVE outside { cao' = (2 - cao)/50 }
";

/// Potassium current gated by calcium, instantaneous: reads what the shell wrote in the step before.
const KCA: &str = "
NEURON {
    SUFFIX kca
    USEION k READ ek WRITE ik
    USEION ca READ cai, cao
    RANGE gmax
}
PARAMETER { gmax = 0.001 (S/cm2) }
ASSIGNED { open start }
BREAKPOINT {
    open = cai/(cai + 0.001)
    ik = gmax*open*start*(v - ek)
}
INITIAL {
    open = cai/(cai + 0.001)
    start = 0.5*cao
}
";

const MODS: [Mod; 7] = [
    ("squid", SQUID),
    ("leak", LEAK),
    ("hcn", HCN),
    ("cahva", CAHVA),
    ("cashell", CASHELL),
    ("caout", CAOUT),
    ("kca", KCA),
];

fn simd() -> Arc<Catalogue> {
    static BUILT: OnceLock<Arc<Catalogue>> = OnceLock::new();
    Arc::clone(BUILT.get_or_init(|| support::simd("parity", &MODS)))
}

fn scalar() -> Arc<Catalogue> {
    static BUILT: OnceLock<Arc<Catalogue>> = OnceLock::new();
    Arc::clone(BUILT.get_or_init(|| support::scalar("parity", &MODS)))
}

/// A cell in both languages. Morphology and policy are given twice; all else is translated.
struct Cell {
    segments: Value,
    policy_text: String,
    description: CellDescription,
    rl_ohm_cm: f64,
    cm_f_per_m2: f64,
}

fn cell(segments: Value, policy: CvPolicy, policy_text: &str) -> Cell {
    let mut description = CellDescription::new(morphology(&segments), policy);
    let (rl_ohm_cm, cm_f_per_m2) = (110.0, 0.0095);
    description.properties.rl_ohm_cm.set_default(rl_ohm_cm).unwrap();
    description.properties.cm_f_per_m2.set_default(cm_f_per_m2).unwrap();
    Cell {
        segments,
        policy_text: policy_text.to_owned(),
        description,
        rl_ohm_cm,
        cm_f_per_m2,
    }
}

fn whole(morphology: &Morphology) -> Vec<Cable> {
    (0..morphology.n_branches()).map(|b| Cable::new(b, 0.0, 1.0)).collect()
}

/// Channels all over, some only on parts of CVs, one painted twice with different parameters.
fn spiking(policy: CvPolicy, policy_text: &str) -> Cell {
    let mut c = cell(branched(), policy, policy_text);
    let all = whole(&c.description.morphology);
    let n = c.description.morphology.n_branches();
    let partly: Vec<Cable> = (0..n).map(|b| Cable::new(b, 0.17, 0.71)).collect();
    c.description.densities = vec![
        DensityPaint::new("squid", vec![all[0], Cable::new(1, 0.0, 0.43)]).with("gna", 0.15),
        DensityPaint::new("squid", [&[Cable::new(1, 0.43, 1.0)], &all[2..]].concat()).with("gk", 0.03),
        DensityPaint::new("leak", all).with("g", 1.3e-4),
        DensityPaint::new("hcn", partly.clone()),
        DensityPaint::new("cahva", partly).with("gmax", 3e-4),
    ];
    c.description.clamps = vec![IClamp::pulse(Location::new(0, 0.5), 1.0, 23.0, 0.9)];
    c.description.detectors = vec![
        Detector {
            at: Location::new(0, 0.5),
            threshold_mv: -10.0,
        },
        Detector {
            at: Location::new(n - 1, 1.0),
            threshold_mv: 0.0,
        },
    ];
    c
}

impl Cell {
    fn spec(&self) -> Value {
        let d = &self.description;
        let paints = d.densities.iter().map(|p| {
            let mut name = p.mechanism.clone();
            let globals = d.globals.get(&p.mechanism);
            for (k, (global, value)) in globals.into_iter().flatten().enumerate() {
                name += &format!("{}{global}={value}", if k == 0 { "/" } else { "," });
            }
            let cables: Vec<_> = p.cables.iter().map(|c| json!([c.branch, c.prox, c.dist])).collect();
            json!({"mechanism": name, "cables": cables, "parameters": p.parameters})
        });
        let clamps = d.clamps.iter().map(|c| {
            let at = [json!(c.at.branch), json!(c.at.pos)];
            json!({"at": at, "envelope": c.envelope, "khz": c.frequency_khz, "rad": c.phase_rad})
        });
        let detectors = d
            .detectors
            .iter()
            .map(|x| json!([x.at.branch, x.at.pos, x.threshold_mv]));
        json!({
            "segments": self.segments,
            "policy": self.policy_text,
            "v_init_mv": -65.0,
            "temperature_k": 279.45,
            "rl_ohm_cm": self.rl_ohm_cm,
            "cm_f_per_m2": self.cm_f_per_m2,
            "paints": paints.collect::<Vec<_>>(),
            "clamps": clamps.collect::<Vec<_>>(),
            "detectors": detectors.collect::<Vec<_>>(),
        })
    }
}

fn probe_spec(p: &Probe) -> Value {
    let at = |l: &Location| json!([l.branch, l.pos]);
    match &p.kind {
        ProbeKind::Voltage { at: l } => json!({"cell": p.cell, "kind": "voltage", "at": at(l)}),
        ProbeKind::State {
            mechanism,
            state,
            at: l,
        } => {
            json!({"cell": p.cell, "kind": "state", "mechanism": mechanism, "state": state, "at": at(l)})
        }
        ProbeKind::IonCurrent { ion, at: l } => {
            json!({"cell": p.cell, "kind": "ion-current", "ion": ion, "at": at(l)})
        }
        ProbeKind::IonInternal { ion, at: l } => {
            json!({"cell": p.cell, "kind": "ion-internal", "ion": ion, "at": at(l)})
        }
        other => unreachable!("no Arbor counterpart in this test: {other:?}"),
    }
}

/// Where to sample so that each step is sampled once: on its edge, rounding would choose the step.
fn step_middles(ends_ms: &[f64]) -> Vec<f64> {
    let starts = [&[0.0], ends_ms].concat();
    let epochs = starts.iter().zip(ends_ms).map(|(&t0, &t1)| Steps::new(t0, t1, DT_MS));
    let middle = |(t0, t1): (f64, f64)| 0.5 * (t0 + t1);
    epochs
        .flat_map(|epoch| (0..epoch.len()).map(move |i| middle(epoch.edges(i))))
        .collect()
}

fn ask_arbor(catalogue: &Catalogue, cells: &[Cell], probes: &[Probe], ends_ms: &[f64]) -> Value {
    let spec = json!({
        "catalogue": catalogue.path(),
        "dt_ms": DT_MS,
        "samples_ms": step_middles(ends_ms),
        "ends_ms": ends_ms,
        "cells": cells.iter().map(Cell::spec).collect::<Vec<_>>(),
        "probes": probes.iter().map(probe_spec).collect::<Vec<_>>(),
    });
    let mut child = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/arbor_run.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(spec.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "arbor_run.py failed: its messages are above");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["version"], "0.12.2", "the reference is Arbor 0.12.2");
    answer
}

fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Runs the cells as one group in both hosts and compares voltages of all CVs at all steps, probes and spikes.
fn compare(label: &str, catalogue: &Arc<Catalogue>, cells: &[Cell], probes: &[Probe], ends_ms: &[f64]) {
    let arbor = ask_arbor(catalogue, cells, probes, ends_ms);
    let descriptions = cells.iter().map(|c| c.description.clone()).collect();
    let mut sim = Simulation::new(vec![descriptions], std::slice::from_ref(catalogue)).unwrap();
    let mut v: Vec<Vec<Vec<f64>>> = vec![Vec::new(); cells.len()];
    let n_cvs: Vec<usize> = (0..cells.len())
        .map(|c| sim.discretisation(c).unwrap().n_cvs())
        .collect();
    let all = n_cvs.iter().enumerate().flat_map(|(cell, &n)| {
        let kind = |cv| ProbeKind::CvVoltage { cv };
        (0..n).map(move |cv| Probe { cell, kind: kind(cv) })
    });
    let probed = [probes.to_vec(), all.collect()].concat();
    let (mut values, mut times) = (Vec::new(), Vec::new());
    for &end in ends_ms {
        let mut sink = |view: &SampleView<'_>| {
            times.push(view.time_ms);
            let (asked, mut rest) = view.values.split_at(probes.len());
            values.push(asked.to_vec());
            for (v, &n) in v.iter_mut().zip(&n_cvs) {
                let (own, others) = rest.split_at(n);
                v.push(own.to_vec());
                rest = others;
            }
        };
        sim.run(end, DT_MS, &Schedule::EveryStep, &probed, &mut sink).unwrap();
    }
    let their_times = numbers(&arbor["times"]);
    assert_eq!(times.len(), STEPS, "{label}");
    assert_eq!(their_times.len(), STEPS, "{label}");
    assert!(
        times.iter().zip(&their_times).all(|(a, b)| a.to_bits() == b.to_bits()),
        "{label}: step edges differ"
    );

    let (mut worst, mut peak) = (0f64, f64::MIN);
    for (ours, theirs) in v.iter().zip(arbor["v"].as_array().unwrap()) {
        for (ours, theirs) in ours.iter().zip(theirs.as_array().unwrap()) {
            let theirs = numbers(theirs);
            assert_eq!(ours.len(), theirs.len(), "{label}: CVs");
            for (a, b) in ours.iter().zip(&theirs) {
                assert!(a.is_finite() && b.is_finite(), "{label}");
                worst = worst.max((a - b).abs());
                peak = peak.max(*b);
            }
        }
    }
    let mut probe_worst = Vec::new();
    for (k, theirs) in arbor["probes"].as_array().unwrap().iter().enumerate() {
        let theirs = numbers(theirs);
        assert_eq!(theirs.len(), STEPS, "{label}: probe {k}");
        let scale = theirs.iter().fold(0f64, |s, x| s.max(x.abs()));
        let off = values
            .iter()
            .zip(&theirs)
            .fold(0f64, |w, (row, b)| w.max((row[k] - b).abs()));
        probe_worst.push(off / scale);
    }
    let mut ours: Vec<(f64, usize, usize)> = sim.spikes().iter().map(|s| (s.time_ms, s.cell, s.detector)).collect();
    ours.sort_by(|a, b| a.0.total_cmp(&b.0));
    let theirs = arbor["spikes"].as_array().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{label}: spikes {ours:?} {theirs:?}");
    let mut late = 0f64;
    for (a, b) in ours.iter().zip(theirs) {
        late = late.max((a.0 - b[0].as_f64().unwrap()).abs());
        assert_eq!(
            (Some(a.1 as u64), Some(a.2 as u64)),
            (b[1].as_u64(), b[2].as_u64()),
            "{label}: {ours:?}"
        );
    }
    println!(
        "{label}: {} CVs, max|dV| {worst:.2e} mV (peak {peak:.1} mV), {} spikes within {late:.1e} ms, probes {}",
        v.iter().map(|v| v[0].len()).sum::<usize>(),
        ours.len(),
        probe_worst.iter().map(|w| format!("{w:.1e} ")).collect::<String>(),
    );
    assert!(worst <= V_TOLERANCE_MV, "{label}: max|dV| = {worst:e} mV");
    assert!(
        probe_worst.iter().all(|&w| w <= 1e-9),
        "{label}: probes differ by {probe_worst:?}, relative"
    );
    assert!(late <= 1e-9, "{label}: spike times differ by {late:e} ms");
    assert!(
        ours.len() >= 4,
        "{label}: the cell should fire several times, not {} times",
        ours.len()
    );
    assert!(peak > 10.0, "{label}: peak {peak} mV is no action potential");
}

fn end_ms() -> f64 {
    STEPS as f64 * DT_MS
}

fn both(label: &str, cells: &[Cell], probes: &[Probe]) {
    compare(&format!("{label}, SIMD"), &simd(), cells, probes, &[end_ms()]);
    compare(&format!("{label}, scalar"), &scalar(), cells, probes, &[end_ms()]);
}

fn voltage_probes() -> Vec<Probe> {
    [(0, 0.3), (1, 0.999), (2, 0.0), (3, 1.0)]
        .map(|(branch, pos)| Probe {
            cell: 0,
            kind: ProbeKind::Voltage {
                at: Location::new(branch, pos),
            },
        })
        .to_vec()
}

#[test]
fn branched_tapered_cell_with_trivial_forks() {
    let policy = CvPolicy::FixedPerBranch {
        n: 7,
        interior_forks: false,
    };
    let cell = spiking(policy, "(fixed-per-branch 7 (all) (flag-none))");
    both("trivial forks", &[cell], &voltage_probes());
}

#[test]
fn branched_tapered_cell_with_interior_forks() {
    let policy = CvPolicy::MaxExtent {
        um: 17.0,
        interior_forks: true,
    };
    let cell = spiking(policy, "(max-extent 17 (all) (flag-interior-forks))");
    both("interior forks", &[cell], &voltage_probes());
}

/// A calcium channel that reads eca, a shell that writes cai on part of the membrane, and a channel that reads it.
#[test]
fn calcium_written_on_part_of_the_membrane() {
    let policy = CvPolicy::FixedPerBranch {
        n: 5,
        interior_forks: false,
    };
    let mut cell = spiking(policy, "(fixed-per-branch 5 (all) (flag-none))");
    let n = cell.description.morphology.n_branches();
    let shell: Vec<Cable> = (0..n).map(|b| Cable::new(b, 0.1, 0.85)).collect();
    cell.description.densities.push(DensityPaint::new("cashell", shell));
    let outer: Vec<Cable> = (0..n).map(|b| Cable::new(b, 0.33, 1.0)).collect();
    cell.description.densities.push(DensityPaint::new("caout", outer));
    let all = whole(&cell.description.morphology);
    cell.description
        .densities
        .push(DensityPaint::new("kca", all).with("gmax", 5e-5));
    cell.description.ions.get_mut("ca").unwrap().int_mm = 5e-5;
    let at = Location::new(1, 0.5);
    let edge = Location::new(1, 0.05);
    let probe = |kind| Probe { cell: 0, kind };
    let ca = || "ca".to_owned();
    let probes = [
        probe(ProbeKind::IonInternal { ion: ca(), at }),
        probe(ProbeKind::IonInternal { ion: ca(), at: edge }),
        probe(ProbeKind::IonCurrent { ion: ca(), at }),
        probe(ProbeKind::IonCurrent {
            ion: "k".to_owned(),
            at,
        }),
        probe(ProbeKind::State {
            mechanism: "cahva".to_owned(),
            state: "p".to_owned(),
            at,
        }),
        probe(ProbeKind::State {
            mechanism: "kca".to_owned(),
            state: "open".to_owned(),
            at: edge,
        }),
    ];
    both("calcium", &[cell], &probes);
}

/// Different cells in one group share arrays; one overrides a global, which makes a second set of instances.
#[test]
fn two_cells_in_one_group() {
    let policy = CvPolicy::FixedPerBranch {
        n: 3,
        interior_forks: false,
    };
    let first = spiking(policy, "(fixed-per-branch 3 (all) (flag-none))");
    let rod = json!([
        [null, [0, 0, 0, 3], [0, 0, 150, 2], 1],
        [0, [0, 0, 150, 2], [0, 0, 320, 0.5], 3]
    ]);
    let policy = CvPolicy::MaxExtent {
        um: 21.0,
        interior_forks: false,
    };
    let mut second = cell(rod, policy, "(max-extent 21 (all) (flag-none))");
    let all = whole(&second.description.morphology);
    second.description.densities = vec![
        DensityPaint::new("squid", all.clone()),
        DensityPaint::new("leak", all).with("g", 2e-4),
    ];
    second.description.globals = BTreeMap::from([("leak".to_owned(), BTreeMap::from([("e".to_owned(), -61.5)]))]);
    let mut clamp = IClamp::pulse(Location::new(0, 0.1), 2.0, 18.0, 0.8);
    clamp.envelope.insert(1, (8.0, 0.4));
    second.description.clamps = vec![
        clamp,
        IClamp {
            at: Location::new(0, 0.1),
            envelope: vec![(0.0, 0.3)],
            frequency_khz: 0.13,
            phase_rad: 0.4,
        },
    ];
    second.description.detectors = vec![Detector {
        at: Location::new(0, 1.0),
        threshold_mv: -20.0,
    }];
    let probes = [Probe {
        cell: 1,
        kind: ProbeKind::Voltage {
            at: Location::new(0, 0.77),
        },
    }];
    both("two cells", &[first, second], &probes);
}

/// Time goes on across runs, and the first run ends between steps of the nominal grid.
#[test]
fn consecutive_runs() {
    let policy = CvPolicy::FixedPerBranch {
        n: 2,
        interior_forks: false,
    };
    let cell = spiking(policy, "(fixed-per-branch 2 (all) (flag-none))");
    // 7.31 ms needs a short 293rd step; the second run takes the remaining 707.
    let split = 7.31;
    compare("two runs", &simd(), &[cell], &[], &[split, split + 707.0 * DT_MS]);
}

#[test]
fn a_reset_repeats_the_run_bit_by_bit() {
    let policy = CvPolicy::FixedPerBranch {
        n: 3,
        interior_forks: false,
    };
    let cell = spiking(policy, "").description;
    let mut sim = Simulation::new(vec![vec![cell]], &[simd()]).unwrap();
    let probes = voltage_probes();
    let mut once = || {
        sim.reset();
        sim.record(10.0, DT_MS, &Schedule::every_ms(0.1), &probes).unwrap()
    };
    let (first, second) = (once(), once());
    assert_eq!(first.times_ms.len(), 100);
    assert!(
        first
            .values
            .iter()
            .zip(&second.values)
            .all(|(a, b)| a.to_bits() == b.to_bits())
    );
}

/// Grouping is a matter of memory only.
#[test]
fn cells_do_not_feel_their_group() {
    let policy = CvPolicy::FixedPerBranch {
        n: 3,
        interior_forks: false,
    };
    let mut weak = spiking(policy.clone(), "").description;
    weak.densities[0].parameters.insert("gna".to_owned(), 0.1);
    let strong = spiking(policy, "").description;
    let probes: Vec<Probe> = (0..2)
        .map(|cell| Probe {
            cell,
            kind: ProbeKind::Voltage {
                at: Location::new(1, 0.6),
            },
        })
        .collect();
    let run = |groups| {
        let mut sim = Simulation::unbatched(groups, &[scalar()], &Network::default()).unwrap();
        sim.record(15.0, DT_MS, &Schedule::EveryStep, &probes).unwrap()
    };
    let together = run(vec![vec![weak.clone(), strong.clone()]]);
    let apart = run(vec![vec![weak], vec![strong]]);
    assert_eq!(together.times_ms, apart.times_ms);
    assert!(
        together
            .values
            .iter()
            .zip(&apart.values)
            .all(|(a, b)| a.to_bits() == b.to_bits())
    );
    assert!(
        together
            .probe(0)
            .zip(together.probe(1))
            .any(|(a, b)| (a - b).abs() > 1.0),
        "the cells should differ"
    );
}

/// What graddiff's carrier needs: one paint per CV, thousands of them, exact values.
#[test]
fn per_cv_paints_reach_their_instances() {
    let rod = json!([[null, [0, 0, 0, 2], [0, 0, 1000, 1], 1]]);
    let mut description = CellDescription::new(
        morphology(&rod),
        CvPolicy::FixedPerBranch {
            n: 4000,
            interior_forks: false,
        },
    );
    let cvs = host_shim::discretise(&description.morphology, &description.policy, &description.properties).unwrap();
    description.densities = (0..cvs.n_cvs())
        .map(|cv| DensityPaint::new("leak", cvs.cables[cv].clone()).with("g", 1.0 / (1.0 + cv as f64)))
        .collect();
    let start = std::time::Instant::now();
    let mut sim = Simulation::new(vec![vec![description]], &[scalar()]).unwrap();
    println!("{} paints laid out in {:.0?}", cvs.n_cvs(), start.elapsed());
    assert_eq!(sim.instances(0, "leak").unwrap(), (0..4000).collect::<Vec<_>>());
    let g = sim.parameter(0, "leak", "g").unwrap();
    assert!(
        g.iter()
            .enumerate()
            .all(|(cv, g)| g.to_bits() == (1.0 / (1.0 + cv as f64)).to_bits())
    );
    let twice: Vec<f64> = g.iter().map(|g| 2.0 * g).collect();
    sim.set_parameter(0, "leak", "g", &twice).unwrap();
    assert_eq!(sim.parameter(0, "leak", "g").unwrap(), twice);
}

#[test]
fn foreign_catalogues_are_described() {
    let catalogue = simd();
    assert!(catalogue.info().is_none());
    let squid = catalogue.mechanism("squid").unwrap();
    assert_eq!(squid.kind, MechanismKind::Density);
    let names = |fields: &[host_shim::FieldInfo]| fields.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&squid.states), ["m", "h", "n"]);
    assert!(squid.states.iter().all(|s| s.default.is_none()));
    let mut parameters = names(&squid.parameters);
    parameters.sort();
    assert_eq!(parameters, ["gk", "gl", "gna"]);
    let e = &catalogue.mechanism("leak").unwrap().globals[0];
    assert_eq!(
        (e.name.as_str(), e.default, e.low, e.high),
        ("e", Some(-65.0), -120.0, 0.0)
    );
    let ca = &catalogue.mechanism("cashell").unwrap().ions[0];
    assert!(ca.write_internal && !ca.write_external && ca.name == "ca");
}

/// Each defect of a description has its own variant.
#[test]
fn defective_cells_are_refused() {
    let policy = || CvPolicy::FixedPerBranch {
        n: 2,
        interior_forks: false,
    };
    let build = |change: &dyn Fn(&mut CellDescription)| {
        let mut cell = spiking(policy(), "").description;
        change(&mut cell);
        Simulation::new(vec![vec![cell]], &[scalar()]).err()
    };
    let paint = |mechanism: &str| DensityPaint::new(mechanism, vec![Cable::new(0, 0.0, 0.2)]);
    assert!(build(&|_| ()).is_none());
    macro_rules! refused {
        ($change:expr, $pattern:pat) => {
            let error = build(&$change);
            assert!(matches!(error, Some($pattern)), "{error:?}");
        };
    }
    refused!(
        |c: &mut CellDescription| c.densities.push(paint("nowhere")),
        SimError::UnknownMechanism { .. }
    );
    refused!(
        |c: &mut CellDescription| c.densities.push(paint("leak")),
        SimError::OverlappingPaint { .. }
    );
    refused!(
        |c: &mut CellDescription| c.densities[0].parameters = BTreeMap::from([("gnaa".into(), 1.0)]),
        SimError::UnknownParameter { is_global: false, .. }
    );
    refused!(
        |c: &mut CellDescription| c.densities[2].parameters = BTreeMap::from([("e".into(), 1.0)]),
        SimError::UnknownParameter { is_global: true, .. }
    );
    refused!(
        |c: &mut CellDescription| c.densities[0].parameters = BTreeMap::from([("gna".into(), f64::NAN)]),
        SimError::BadParameter { .. }
    );
    refused!(
        |c: &mut CellDescription| c.densities[2].mechanism = "leak/e=5".into(),
        SimError::GlobalRange { .. }
    );
    refused!(
        |c: &mut CellDescription| c.densities[2].mechanism = "leak/f=5".into(),
        SimError::UnknownGlobal { .. }
    );
    refused!(
        |c: &mut CellDescription| c.densities[2].mechanism = "leak/e".into(),
        SimError::DerivedName { .. }
    );
    refused!(
        |c: &mut CellDescription| c.globals = BTreeMap::from([("kca".into(), BTreeMap::new())]),
        SimError::UnusedGlobals { .. }
    );
    refused!(
        |c: &mut CellDescription| c.ions.retain(|name, _| name != "ca"),
        SimError::UnknownIon { .. }
    );
    refused!(
        |c: &mut CellDescription| c.ions.get_mut("ca").unwrap().rev_mv = f64::NAN,
        SimError::BadIon { .. }
    );
    refused!(
        |c: &mut CellDescription| c.clamps[0].envelope.reverse(),
        SimError::Clamp { .. }
    );
    refused!(
        |c: &mut CellDescription| c.clamps[0].at.branch = 99,
        SimError::Geometry { .. }
    );
    refused!(
        |c: &mut CellDescription| c.detectors[0].threshold_mv = f64::NAN,
        SimError::Threshold { .. }
    );
    refused!(
        |c: &mut CellDescription| c.densities[0].cables[0].dist = 2.0,
        SimError::Geometry { .. }
    );
}

#[test]
fn defective_requests_are_refused() {
    let cell = || {
        let mut cell = spiking(
            CvPolicy::FixedPerBranch {
                n: 2,
                interior_forks: false,
            },
            "",
        )
        .description;
        cell.densities[3].cables.truncate(2);
        cell
    };
    let mut sim = Simulation::new(vec![vec![cell()]], &[scalar()]).unwrap();
    let mut run = |t, dt, schedule, kind: Option<ProbeKind>| {
        let probes: Vec<Probe> = kind.map(|kind| Probe { cell: 0, kind }).into_iter().collect();
        sim.record(t, dt, &schedule, &probes).err()
    };
    let at = Location::new(0, 0.05);
    assert!(matches!(
        run(1.0, 0.0, Schedule::EveryStep, None),
        Some(SimError::TimeStep { .. })
    ));
    assert!(matches!(
        run(-1.0, 0.1, Schedule::EveryStep, None),
        Some(SimError::EndTime { .. })
    ));
    assert!(matches!(
        run(1.0, 0.1, Schedule::every_ms(0.0), None),
        Some(SimError::Schedule { .. })
    ));
    let uncovered = ProbeKind::State {
        mechanism: "hcn".into(),
        state: "q".into(),
        at: Location::new(5, 0.9),
    };
    assert!(matches!(
        run(1.0, 0.1, Schedule::EveryStep, Some(uncovered)),
        Some(SimError::ProbeUncovered { .. })
    ));
    let state = ProbeKind::State {
        mechanism: "squid".into(),
        state: "q".into(),
        at,
    };
    assert!(matches!(
        run(1.0, 0.1, Schedule::EveryStep, Some(state)),
        Some(SimError::UnknownState { .. })
    ));
    let absent = ProbeKind::State {
        mechanism: "kca".into(),
        state: "open".into(),
        at,
    };
    assert!(matches!(
        run(1.0, 0.1, Schedule::EveryStep, Some(absent)),
        Some(SimError::NotPainted { .. })
    ));
    let ion = ProbeKind::IonInternal { ion: "cl".into(), at };
    assert!(matches!(
        run(1.0, 0.1, Schedule::EveryStep, Some(ion)),
        Some(SimError::ProbeIon { .. })
    ));
    let weights = ProbeKind::IonInternalInterpolated {
        ion: "ca".into(),
        weights: vec![(10_000, 1.0)],
    };
    assert!(matches!(
        run(1.0, 0.1, Schedule::EveryStep, Some(weights)),
        Some(SimError::ProbeWeight { .. })
    ));

    let mut broken = cell();
    broken.densities[0].parameters.insert("gl".to_owned(), f64::MAX);
    let mut sim = Simulation::new(vec![vec![broken]], &[scalar()]).unwrap();
    let error = sim.record(1.0, 0.1, &Schedule::EveryStep, &[]).unwrap_err();
    assert!(matches!(error, SimError::NonFinite { cell: 0, .. }), "{error}");
    assert!(matches!(
        sim.parameter(1, "squid", "gna"),
        Err(SimError::NoSuchCell { .. })
    ));
    assert!(matches!(
        sim.set_parameter(0, "squid", "gna", &[1.0]),
        Err(SimError::Length { .. })
    ));
}
