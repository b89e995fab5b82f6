//! Networks of the shim against Arbor 0.12.2 on the same catalogue (issue 3, acceptance 4).
//!
//! Ten Hodgkin–Huxley cells with dendrites; synapses of three kinds, of which one depends on the order of events within a
//! step; delays that divide by the time step and such that do not; generators instead of current clamps.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]
#![expect(clippy::print_stdout, reason = "the figures are the result: shown by --nocapture")]
#![expect(unsafe_code, reason = "loads a catalogue that this test has just built")]

use host_shim::{
    AbiChoice, Cable, Catalogue, CellDescription, Connection, CvPolicy, DensityPaint, Detector, EventTimes, Generator,
    Location, Morphology, Network, Point, Schedule, SegmentTree, SimError, Simulation, Spike, SynapsePlacement, Target,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

const DT_MS: f64 = 0.025;
const N_CELLS: usize = 10;
/// Issue 3, acceptance 4.
const SPIKE_TOLERANCE_MS: f64 = 1e-9;

/// Hodgkin and Huxley, J. Physiol. 117 (1952) 500–544, eqs 3–26, rest shifted to −65 mV.
const AXON: &str = "
NEURON {
    SUFFIX axon
    USEION na READ ena WRITE ina
    USEION k READ ek WRITE ik
    NONSPECIFIC_CURRENT il
    RANGE gna
}
PARAMETER { gna = 0.12 (S/cm2) }
STATE { m h n }
BREAKPOINT {
    SOLVE gates METHOD cnexp
    ina = gna*m*m*m*h*(v - ena)
    ik = 0.036*n*n*n*n*(v - ek)
    il = 0.0003*(v + 54.3)
}
INITIAL {
    m = opening(-(v + 40)/10)/(opening(-(v + 40)/10) + 4*exp(-(v + 65)/18))
    h = 0.07*exp(-(v + 65)/20)/(0.07*exp(-(v + 65)/20) + 1/(exp(-(v + 35)/10) + 1))
    n = 0.1*opening(-(v + 55)/10)/(0.1*opening(-(v + 55)/10) + 0.125*exp(-(v + 65)/80))
}
DERIVATIVE gates {
    LOCAL a
    a = opening(-(v + 40)/10)
    m' = a - (a + 4*exp(-(v + 65)/18))*m
    a = 0.07*exp(-(v + 65)/20)
    h' = a - (a + 1/(exp(-(v + 35)/10) + 1))*h
    a = 0.1*opening(-(v + 55)/10)
    n' = a - (a + 0.125*exp(-(v + 65)/80))*n
}
FUNCTION opening(x) { opening = exprelr(x) }
";

/// A conductance that jumps and decays. Linear in its state, so Arbor merges equal ones.
const JUMP: &str = "
NEURON {
    POINT_PROCESS jump
    NONSPECIFIC_CURRENT i
    RANGE e, tau
}
PARAMETER {
    e = 0 (mV)
    tau = 2 (ms)
}
STATE { g }
INITIAL { g = 0 }
BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = g*(v - e)
}
DERIVATIVE decay { g' = -g/tau }
NET_RECEIVE(weight) { g = g + weight }
";

/// A conductance that rises and decays, scaled so that an event of weight 1 peaks near 1 uS. Two states, linear.
const SWELL: &str = "
NEURON {
    POINT_PROCESS swell
    NONSPECIFIC_CURRENT i
    RANGE e, rise, fall
}
PARAMETER {
    e = 0 (mV)
    rise = 0.6 (ms)
    fall = 4 (ms)
}
ASSIGNED { scale }
STATE { a b }
INITIAL {
    LOCAL t_peak
    t_peak = rise*fall/(fall - rise)*log(fall/rise)
    scale = 1/(exp(-t_peak/fall) - exp(-t_peak/rise))
    a = 0
    b = 0
}
BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = (b - a)*(v - e)
}
DERIVATIVE decay {
    a' = -a/rise
    b' = -b/fall
}
NET_RECEIVE(weight) {
    a = a + weight*scale
    b = b + weight*scale
}
";

/// A conductance that saturates: what an event adds depends on what came before it, so the order within a step counts,
/// and Arbor merges nothing. Sorts before the channel.
const AFULL: &str = "
NEURON {
    POINT_PROCESS afull
    NONSPECIFIC_CURRENT i
    RANGE e, tau, top
}
PARAMETER {
    e = 0 (mV)
    tau = 3 (ms)
    top = 0.05 (uS)
}
STATE { g }
INITIAL { g = 0 }
BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = g*(v - e)
}
DERIVATIVE decay { g' = -g/tau }
NET_RECEIVE(weight) {
    g = g + weight*(1 - g*g/(top*top))
}
";

const MODS: [(&str, &str); 4] = [("axon", AXON), ("jump", JUMP), ("swell", SWELL), ("afull", AFULL)];

fn python() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = std::env::var_os("GRADDIFF_PYTHON").map_or(root.join(".venv/bin/python"), PathBuf::from);
    assert!(
        path.exists(),
        "no Python with Arbor at {}: run tests/run, or set GRADDIFF_PYTHON",
        path.display()
    );
    // Absolute, not canonical: the venv's `python` is a link, and its neighbours are beside the link.
    std::path::absolute(path).unwrap()
}

/// Built by Arbor's own tools, with SIMD kernels as they come.
fn catalogue() -> Arc<Catalogue> {
    static BUILT: OnceLock<Arc<Catalogue>> = OnceLock::new();
    Arc::clone(BUILT.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network-parity");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("mod")).unwrap();
        for (name, text) in MODS {
            std::fs::write(dir.join(format!("mod/{name}.mod")), text).unwrap();
        }
        let bin = python().parent().unwrap().to_owned();
        // It calls cmake, which lives in the same environment.
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let output = Command::new(python())
            .arg(bin.join("arbor-build-catalogue"))
            .args(["network", "mod"])
            .env("PATH", path)
            .current_dir(&dir)
            .output()
            .expect("Python starts");
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "arbor-build-catalogue failed\n{}",
            String::from_utf8_lossy(&said)
        );
        // SAFETY: built a moment ago by Arbor's own tools from the text above.
        unsafe { Catalogue::load(dir.join("network-catalogue.so"), AbiChoice::Auto) }.unwrap()
    }))
}

/// Soma and two dendrites, which fork from its end.
fn segments() -> Value {
    json!([
        [null, [0, 0, 0, 9], [0, 0, 18, 9], 1],
        [0, [0, 0, 18, 1.2], [0, 0, 170, 0.7], 3],
        [0, [0, 0, 18, 0.9], [90, 0, 60, 0.6], 3]
    ])
}

fn cell(gna: f64) -> CellDescription {
    let mut tree = SegmentTree::default();
    for s in segments().as_array().unwrap() {
        let number = |v: &Value| v.as_f64().unwrap();
        let point = |p: &Value| Point::new(number(&p[0]), number(&p[1]), number(&p[2]), number(&p[3]));
        let parent = s[0].as_u64().map(|p| usize::try_from(p).unwrap());
        tree.append(parent, point(&s[1]), point(&s[2]), if parent.is_none() { 1 } else { 3 })
            .unwrap();
    }
    let policy = CvPolicy::FixedPerBranch {
        n: 2,
        interior_forks: false,
    };
    let mut cell = CellDescription::new(Morphology::new(tree).unwrap(), policy);
    let all = (0..3).map(|b| Cable::new(b, 0.0, 1.0)).collect();
    cell.densities = vec![DensityPaint::new("axon", all).with("gna", gna)];
    let detector = |at, threshold_mv| Detector { at, threshold_mv };
    cell.detectors = vec![
        detector(Location::new(0, 0.5), -10.0),
        detector(Location::new(1, 1.0), -20.0),
    ];
    cell
}

fn synapse(mechanism: &str, branch: usize, pos: f64, parameters: &[(&str, f64)]) -> SynapsePlacement {
    SynapsePlacement {
        mechanism: mechanism.to_owned(),
        at: vec![Location::new(branch, pos)],
        parameters: parameters
            .iter()
            .map(|&(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

/// Targets of every cell: 0, 1 and 4 are equal and share a CV, 2 is another kind, 3 inhibits, 5 and 6 saturate.
const N_TARGETS: usize = 7;

fn population() -> Vec<CellDescription> {
    let synapses = [
        synapse("jump", 1, 0.3, &[]),
        synapse("jump", 1, 0.45, &[]),
        synapse("swell", 2, 0.8, &[("fall", 3.5)]),
        synapse("jump", 0, 0.5, &[("e", -80.0), ("tau", 6.0)]),
        synapse("jump", 1, 0.2, &[]),
        synapse("afull", 1, 0.9, &[]),
        synapse("afull", 1, 0.9, &[]),
    ];
    let gna = |k: usize| 0.11 + 0.002 * k as f64;
    let with_synapses = |mut c: CellDescription| {
        c.synapses = synapses.to_vec();
        c
    };
    (0..N_CELLS).map(|k| with_synapses(cell(gna(k)))).collect()
}

/// Knuth's linear congruential generator (MMIX): which cells are connected need not be more random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, faces: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % faces as u64).unwrap()
    }
}

fn connection(source: (usize, usize), cell: usize, target: usize, weight: f32, delay_ms: f32) -> Connection {
    Connection {
        source_cell: source.0,
        detector: source.1,
        target: Target { cell, target },
        weight,
        delay_ms,
    }
}

fn generator(cell: usize, target: usize, weight: f32, times: EventTimes) -> Generator {
    Generator {
        target: Target { cell, target },
        weight,
        times,
    }
}

/// A ring with a delay of 5 ms, chords with delays from 1.05 ms up, and a drive for every cell.
fn ring_with_chords(stop_ms: f64) -> Network {
    let ring = (0..N_CELLS).map(|k| connection((k, 0), (k + 1) % N_CELLS, 0, 0.03, 5.0));
    let mut dice = Dice(20);
    let chords = (0..25).map(|k| {
        let source = (dice.roll(N_CELLS), dice.roll(2));
        let (cell, target) = (dice.roll(N_CELLS), 1 + dice.roll(N_TARGETS - 1));
        let delay_ms = if k == 0 {
            1.05
        } else {
            [1.05, 1.7, 2.35, 3.3, 7.125][dice.roll(5)]
        };
        connection(source, cell, target, [0.001, 0.002, 0.003][dice.roll(3)], delay_ms)
    });
    let regular = Schedule::Regular {
        start_ms: 0.5,
        step_ms: 17.3,
        stop_ms,
    };
    let poisson = |seed| EventTimes::Poisson {
        start_ms: 2.0,
        rate_per_ms: 0.03,
        seed,
        stop_ms,
    };
    let mut generators = vec![generator(0, 2, 0.02, EventTimes::Schedule(regular))];
    generators.extend((0..N_CELLS).map(|k| generator(k, 5, 0.03, poisson(100 + k as u64))));
    Network {
        connections: ring.chain(chords).collect(),
        generators,
        ..Network::default()
    }
}

/// What network_run.py reads.
fn spec(cells: &[CellDescription], network: &Network, group_size: usize, dt_ms: f64, ends_ms: &[f64]) -> Value {
    let cells = cells.iter().map(|c| {
        let paints = c.densities.iter().map(|p| json!([p.mechanism, p.parameters]));
        let targets = c.synapses.iter().flat_map(|s| {
            s.at.iter()
                .map(move |at| json!([s.mechanism, s.parameters, at.branch, at.pos]))
        });
        let detectors = c
            .detectors
            .iter()
            .map(|d| json!([d.at.branch, d.at.pos, d.threshold_mv]));
        json!({
            "segments": segments(),
            "policy": "(fixed-per-branch 2 (all) (flag-none))",
            "paints": paints.collect::<Vec<_>>(),
            "targets": targets.collect::<Vec<_>>(),
            "detectors": detectors.collect::<Vec<_>>(),
        })
    });
    let connections = network.connections.iter().map(|c| {
        let (to, at) = (c.target.cell, c.target.target);
        // The shortest decimals: Arbor rounds them to the same 32 bits.
        json!([c.source_cell, c.detector, to, at, c.weight, decimal(c.delay_ms)])
    });
    let generators = network.generators.iter().map(|g| {
        let when = match &g.times {
            EventTimes::Schedule(Schedule::Regular {
                start_ms,
                step_ms,
                stop_ms,
            }) => json!(["regular", start_ms, step_ms, stop_ms]),
            EventTimes::Schedule(Schedule::Explicit(times)) => json!(["explicit", times]),
            EventTimes::Poisson {
                start_ms,
                rate_per_ms,
                seed,
                stop_ms,
            } => json!(["poisson", start_ms, rate_per_ms, seed, stop_ms]),
            other @ EventTimes::Schedule(_) => unreachable!("no generator: {other:?}"),
        };
        json!([g.target.cell, g.target.target, g.weight, when])
    });
    json!({
        "catalogue": catalogue().path(),
        "cells": cells.collect::<Vec<_>>(),
        "connections": connections.collect::<Vec<_>>(),
        "generators": generators.collect::<Vec<_>>(),
        "group_size": group_size,
        "dt_ms": dt_ms,
        "ends_ms": ends_ms,
    })
}

fn decimal(x: f32) -> f64 {
    x.to_string().parse().unwrap()
}

fn ask_arbor(spec: &Value) -> Value {
    let mut child = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network_run.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let text = spec.to_string();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "network_run.py failed: its messages are above");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["version"], "0.12.2", "the reference is Arbor 0.12.2");
    answer
}

/// Spike times by (cell, detector).
type Trains = BTreeMap<(usize, usize), Vec<f64>>;

fn trains(spikes: impl Iterator<Item = (f64, usize, usize)>) -> Trains {
    let mut trains = Trains::new();
    for (time, cell, detector) in spikes {
        trains.entry((cell, detector)).or_default().push(time);
    }
    trains.values_mut().for_each(|t| t.sort_by(f64::total_cmp));
    trains
}

fn arbor_trains(answer: &Value) -> Trains {
    assert_eq!(answer["refused"], Value::Null);
    let index = |v: &Value| usize::try_from(v.as_u64().unwrap()).unwrap();
    let spikes = answer["spikes"].as_array().unwrap().iter();
    trains(spikes.map(|s| (s[0].as_f64().unwrap(), index(&s[1]), index(&s[2]))))
}

fn shim_trains(spikes: &[Spike]) -> Trains {
    assert!(
        spikes.is_sorted_by(|a, b| a.time_ms <= b.time_ms),
        "spikes should be in order"
    );
    trains(spikes.iter().map(|s| (s.time_ms, s.cell, s.detector)))
}

/// Cells in groups of `group_size`, in order.
fn simulation(cells: &[CellDescription], network: &Network, group_size: usize) -> Simulation {
    let groups = cells.chunks(group_size).map(<[CellDescription]>::to_vec).collect();
    Simulation::with_network(groups, &[catalogue()], network).unwrap()
}

fn run(sim: &mut Simulation, ends_ms: &[f64]) -> Vec<Spike> {
    for &end in ends_ms {
        sim.run(
            end,
            DT_MS,
            &Schedule::EveryStep,
            &[],
            &mut |_: &host_shim::simulation::SampleView<'_>| (),
        )
        .unwrap();
    }
    sim.spikes().to_vec()
}

fn same(label: &str, ours: &Trains, theirs: &Trains, least: usize) {
    let count = |t: &Trains| t.iter().map(|(k, t)| (*k, t.len())).collect::<Vec<_>>();
    assert_eq!(count(ours), count(theirs), "{label}: numbers of spikes");
    let pairs = ours.values().flatten().zip(theirs.values().flatten());
    let late = pairs.fold(0f64, |worst, (a, b)| worst.max((a - b).abs()));
    let n = ours.values().map(Vec::len).sum::<usize>();
    println!("{label}: {n} spikes of {} detectors within {late:.1e} ms", ours.len());
    assert!(n >= least, "{label}: {n} spikes prove little");
    assert!(late <= SPIKE_TOLERANCE_MS, "{label}: spike times differ by {late:e} ms");
}

fn compare(label: &str, network: &Network, group_size: usize, ends_ms: &[f64], least: usize) {
    let cells = population();
    let theirs = arbor_trains(&ask_arbor(&spec(&cells, network, group_size, DT_MS, ends_ms)));
    let ours = run(&mut simulation(&cells, network, group_size), ends_ms);
    same(label, &shim_trains(&ours), &theirs, least);
}

/// Acceptance 4.
#[test]
fn ten_cells_fire_as_in_arbor_for_a_second() {
    compare("1 s, ten groups", &ring_with_chords(1000.0), 1, &[1000.0], 400);
}

#[test]
fn ten_cells_in_one_group_fire_as_in_arbor() {
    compare("200 ms, one group", &ring_with_chords(200.0), N_CELLS, &[200.0], 80);
}

/// Epochs begin anew with each run, and what is under way arrives in the next.
#[test]
fn runs_continue_as_in_arbor() {
    let ends = [7.3, 7.3 + DT_MS, 8.11, 60.0, 63.9, 150.0];
    let network = ring_with_chords(150.0);
    compare("six runs", &network, 1, &ends, 60);
    let split = run(&mut simulation(&population(), &network, 1), &ends);
    let whole = run(&mut simulation(&population(), &network, 1), &ends[5..]);
    assert_ne!(split, whole, "the grid should have moved");
}

/// Short and long delays, weights of both signs, several connections of one pair, several events at one time, on and
/// between the edges of steps.
#[test]
fn weights_and_delays_of_all_sorts() {
    let mut connections = Vec::new();
    let mut dice = Dice(7);
    for k in 0..60 {
        let delay_ms = [0.3, 0.31, 0.5, 2.0, 12.75, 40.0][if k == 0 { 0 } else { dice.roll(6) }];
        let weight = [0.0, 0.003, 0.001, 0.007, -0.0005][dice.roll(5)];
        let source = (dice.roll(N_CELLS), dice.roll(2));
        connections.push(connection(
            source,
            dice.roll(N_CELLS),
            dice.roll(N_TARGETS),
            weight,
            delay_ms,
        ));
    }
    // The same pair again: two events at one time, of different weights, on a synapse that feels their order.
    let order = |w| connection((0, 0), 1, 5, w, 3.0);
    connections.extend([order(0.009), order(0.002), order(0.004)]);
    let times = |at: &[f64]| EventTimes::Schedule(Schedule::Explicit(at.to_vec()));
    let mut generators = Vec::new();
    for k in 0..N_CELLS {
        let at: Vec<f64> = (0..14)
            .map(|i| (1.0 + k as f64).mul_add(1.3, 13.025 * f64::from(i)))
            .collect();
        generators.push(generator(k, 0, 0.02, times(&at)));
        generators.push(generator(k, 6, 0.004, times(&at)));
        generators.push(generator(k, 6, 0.011, times(&[0.0, 0.0, 0.3, 0.6, 0.6, 100.0])));
    }
    let network = Network {
        connections,
        generators,
        ..Network::default()
    };
    compare("weights and delays", &network, 5, &[200.0], 100);
}

/// Without connections the steps start at 0 and their edges at multiples of 0.5 ms are exact: an event there belongs to
/// the step that begins.
#[test]
fn events_on_the_edges_of_steps() {
    let on_edges = |first: u32| (0..9).map(|i| 0.5 * f64::from(first + 25 * i)).collect();
    let drive = |k: usize| EventTimes::Schedule(Schedule::Explicit(on_edges(u32::try_from(k).unwrap())));
    let network = Network {
        generators: (0..N_CELLS).map(|k| generator(k, 0, 0.03, drive(k))).collect(),
        ..Network::default()
    };
    compare("edges of steps", &network, 2, &[120.0], 60);
}

/// A synapse changed after construction behaves as one built so.
#[test]
fn parameters_of_targets_can_be_set() {
    let network = ring_with_chords(100.0);
    let mut changed = population();
    changed[0].synapses[2].parameters = BTreeMap::from([("fall".to_owned(), 6.0), ("e".to_owned(), -10.0)]);
    changed[4].synapses[5].parameters = BTreeMap::from([("tau".to_owned(), 9.0)]);
    let theirs = arbor_trains(&ask_arbor(&spec(&changed, &network, 1, DT_MS, &[100.0])));
    let mut sim = simulation(&population(), &network, 1);
    let before = shim_trains(&run(&mut sim, &[100.0]));
    assert_eq!(sim.target_parameter(0, 2, "fall").unwrap().to_bits(), 3.5f64.to_bits());
    for (cell, target, parameter, value) in [(0, 2, "fall", 6.0), (0, 2, "e", -10.0), (4, 5, "tau", 9.0)] {
        sim.set_target_parameter(cell, target, parameter, value).unwrap();
        assert_eq!(
            sim.target_parameter(cell, target, parameter).unwrap().to_bits(),
            f64::to_bits(value)
        );
    }
    sim.reset();
    let after = shim_trains(&run(&mut sim, &[100.0]));
    assert_ne!(before, after);
    same("targets changed", &after, &theirs, 40);

    // Targets 0 and 1 were merged, 5 and 6 were not.
    sim.set_target_parameter(2, 1, "tau", 2.5).unwrap();
    assert_eq!(sim.target_parameter(2, 0, "tau").unwrap().to_bits(), 2.5f64.to_bits());
    assert_eq!(sim.target_parameter(4, 6, "tau").unwrap().to_bits(), 3f64.to_bits());

    let set = |sim: &mut Simulation, target, name, value| sim.set_target_parameter(0, target, name, value);
    let error = set(&mut sim, N_TARGETS, "tau", 1.0);
    assert!(
        matches!(
            error,
            Err(SimError::NoSuchTarget {
                n_targets: N_TARGETS,
                ..
            })
        ),
        "{error:?}"
    );
    let error = set(&mut sim, 0, "fall", 1.0);
    assert!(matches!(error, Err(SimError::UnknownParameter { .. })), "{error:?}");
    let error = set(&mut sim, 0, "tau", f64::NAN);
    assert!(matches!(error, Err(SimError::BadParameter { .. })), "{error:?}");
    let error = sim.target_parameter(N_CELLS, 0, "tau");
    assert!(matches!(error, Err(SimError::NoSuchCell { .. })), "{error:?}");
}

#[test]
fn a_reset_repeats_the_run_bit_by_bit() {
    let mut sim = simulation(&population(), &ring_with_chords(80.0), 1);
    let first = run(&mut sim, &[80.0]);
    // Reset with events under way.
    sim.reset();
    run(&mut sim, &[33.3]);
    sim.reset();
    let again = run(&mut sim, &[80.0]);
    assert!(first.len() > 30);
    assert_eq!(first, again);
}

/// Half of 1.05 ms, and a margin of 1.2e-6 ms because delays are 32-bit floats.
#[test]
fn steps_longer_than_an_epoch_are_refused_as_in_arbor() {
    let (cells, network) = (population(), ring_with_chords(10.0));
    for (dt_ms, accepted) in [(0.525, true), (0.525_001, true), (0.525_002, false), (1.0, false)] {
        let answer = ask_arbor(&spec(&cells, &network, 1, dt_ms, &[2.0]));
        assert_eq!(
            answer["refused"].is_null(),
            accepted,
            "Arbor, {dt_ms}: {}",
            answer["refused"]
        );
        let mut sim = simulation(&cells, &network, 1);
        let ours = sim.record(2.0, dt_ms, &Schedule::EveryStep, &[]);
        assert_eq!(ours.is_ok(), accepted, "{dt_ms}");
        if !accepted {
            assert!(matches!(ours, Err(SimError::StepExceedsEpoch { .. })), "{ours:?}");
        }
    }
}

#[test]
fn a_network_that_does_not_fit_its_cells_is_refused() {
    let mut network = ring_with_chords(10.0);
    network.connections[7].target.target = N_TARGETS;
    let error = Simulation::with_network(vec![population()], &[catalogue()], &network).unwrap_err();
    let expected = "connection 7: cell 8 has no target 7, it has 7";
    assert!(matches!(error, SimError::NetworkEnd { .. }), "{error}");
    assert_eq!(error.to_string(), expected);

    // Delays so short that epochs vanish in the rounding of the time.
    network.connections[7] = connection((0, 0), 1, 0, 0.0, 1e-30);
    let mut sim = Simulation::with_network(vec![population()], &[catalogue()], &network).unwrap();
    let error = sim.record(1.0, 1e-6, &Schedule::EveryStep, &[]).unwrap_err();
    assert!(matches!(error, SimError::EpochTooShort { .. }), "{error}");
}
