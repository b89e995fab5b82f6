//! The compiled catalogue, run by the host, against the reference interpreter: voltages and states over doubles,
//! sensitivities over dual numbers.

#[path = "support/mini.rs"]
mod mini;
mod support;

use std::sync::OnceLock;

use compiler::ir::interp::Dual;
use compiler::{AbiLevel, Integrator, SlotSpec};
use host_shim::{CellDescription, DensityPaint, IClamp, Location, Probe, ProbeKind, Samples, Schedule, Simulation};
use mini::{Model, Moment};
use support::{Built, MECHANISMS, build};

/// Relative to the largest value of the lane, over the first [`SHORT`] steps and over all. `exp` differs between C and
/// Rust by an ulp, which the upstroke of a spike amplifies a few hundred times.
const TOLERANCE: f64 = 1e-12;
/// The same where NEURON's conductance is asked for: (I(v + δ) − I(v))/δ with δ = 0.001 mV loses five digits of I, so
/// that a last place of I comes back as 1.1e-16 · |v − e|/δ = 1.1e-11 of the conductance, |v − e| being about 100 mV.
const SECANT_TOLERANCE: f64 = 1e-11;
const SHORT: usize = 200;
const STEPS: usize = 4000;
const DT_MS: f64 = 0.025;

const LENGTH_UM: f64 = 20.0;
const RADIUS_UM: f64 = 10.0;

/// Channels on one compartment, and what makes them spike.
struct Case {
    channels: &'static [&'static str],
    cm_f_per_m2: f64,
    amplitude_na: f64,
    /// Least number of times V must cross -20 mV upwards.
    spikes: usize,
}

const fn case(channels: &'static [&'static str], cm_f_per_m2: f64, amplitude_na: f64, spikes: usize) -> Case {
    Case {
        channels,
        cm_f_per_m2,
        amplitude_na,
        spikes,
    }
}

/// In the order of their names, as mechanisms run.
const CASES: [Case; 11] = [
    case(&["hh"], 0.01, 0.6, 4),
    case(&["r1"], 0.001, 0.03, 4),
    case(&["pas"], 0.01, 0.6, 0),
    case(&["ih", "pas"], 0.01, 0.6, 0),
    case(&["kv", "pas"], 0.01, 1.2, 0),
    case(&["na", "pas"], 0.01, 0.6, 4),
    case(&["ca_hva", "pas"], 0.01, 0.8, 0),
    case(&["coupled", "pas"], 0.01, 0.8, 0),
    case(&["branchy", "pas"], 0.01, 0.6, 4),
    case(&["branchy", "coupled", "pas"], 0.01, 1.0, 4),
    case(&["ca_hva", "ih", "kv", "na", "pas"], 0.01, 0.8, 4),
];

/// r1's own stimulus is off by default.
fn parameter(mechanism: &str, name: &str, default: f64) -> f64 {
    if (mechanism, name) == ("r1", "iapp") {
        0.1
    } else {
        default
    }
}

fn names() -> Vec<&'static str> {
    MECHANISMS.iter().map(|m| m.0).collect()
}

/// The whole library with a slot for every parameter, built once for all tests.
fn library(integrator: Integrator) -> &'static Built {
    static ARBOR: OnceLock<Built> = OnceLock::new();
    static NEURON: OnceLock<Built> = OnceLock::new();
    let cell = match integrator {
        Integrator::Arbor => &ARBOR,
        Integrator::Neuron => &NEURON,
    };
    cell.get_or_init(|| build(&names(), all_slots(&names()), integrator, AbiLevel::V0_7))
}

/// One slot for every parameter of every mechanism, RANGE and GLOBAL.
fn all_slots(names: &[&str]) -> Vec<SlotSpec> {
    let sources = support::sources(names);
    let compiled = compiler::compile(&sources, &compiler::Options::default()).expect("the library compiles");
    let fields = compiled
        .mechanisms
        .iter()
        .flat_map(|m| m.parameters.iter().chain(&m.globals).map(move |f| (m, f)));
    fields.map(|(m, f)| support::slot(&m.name, &f.name)).collect()
}

/// (start, duration in ms, amplitude in nA): the first spike falls into the short comparison.
fn pulses(case: &Case) -> Vec<(f64, f64, f64)> {
    [0.5, 25.5, 50.5, 75.5]
        .map(|start| (start, 3.0, case.amplitude_na))
        .to_vec()
}

fn middle() -> Location {
    Location::new(0, 0.5)
}

/// The cell with the case's channels, `prefix`ed.
fn cell(case: &Case, prefix: &str) -> CellDescription {
    let mut cell = support::one_compartment(LENGTH_UM, RADIUS_UM);
    cell.properties
        .cm_f_per_m2
        .set_default(case.cm_f_per_m2)
        .expect("positive");
    for &channel in case.channels {
        let mut paint = DensityPaint::new(format!("{prefix}{channel}"), support::everywhere());
        if channel == "r1" {
            paint = paint.with("iapp", parameter("r1", "iapp", 0.0));
        }
        cell.densities.push(paint);
    }
    for (start, duration, amplitude) in pulses(case) {
        cell.clamps.push(IClamp::pulse(middle(), start, duration, amplitude));
    }
    cell
}

fn record(cell: CellDescription, built: &Built, kinds: Vec<ProbeKind>) -> Samples {
    let probes: Vec<Probe> = kinds.into_iter().map(|kind| Probe { cell: 0, kind }).collect();
    let mut simulation =
        Simulation::new(vec![vec![cell]], std::slice::from_ref(&built.catalogue)).expect("a sound cell");
    let samples = simulation
        .record(STEPS as f64 * DT_MS, DT_MS, &Schedule::EveryStep, &probes)
        .expect("a stable run");
    assert_eq!(samples.times_ms.len(), STEPS);
    samples
}

/// What one probe must show at each step.
struct Lane {
    name: String,
    kind: ProbeKind,
    want: Vec<f64>,
}

fn lanes(case: &Case, built: &Built) -> Vec<Lane> {
    let compiled = &built.compiled;
    let chosen: Vec<usize> = (0..compiled.mechanisms.len())
        .filter(|&i| case.channels.contains(&compiled.mechanisms[i].name.as_str()))
        .collect();
    let mut mechanisms: Vec<_> = chosen.iter().map(|&i| &compiled.mechanisms[i]).collect();
    mechanisms.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(
        mechanisms.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
        case.channels
    );
    let model = Model {
        mechanisms,
        area_um2: std::f64::consts::TAU * RADIUS_UM * LENGTH_UM,
        cm_f_per_m2: case.cm_f_per_m2,
        v_init_mv: -65.0,
        celsius: 6.3,
        diam_um: 2.0 * RADIUS_UM,
        pulses: pulses(case),
        dt_ms: DT_MS,
        steps: STEPS,
    };
    let state = |k: usize, name: String| ProbeKind::State {
        mechanism: format!("gd_{}", case.channels[k]),
        state: name,
        at: middle(),
    };
    let mut lanes = Vec::new();
    let plain: Vec<Moment<f64>> = model.run(&parameter);
    let trace = |read: &dyn Fn(&Moment<f64>) -> f64| plain.iter().map(read).collect::<Vec<_>>();
    lanes.push(Lane {
        name: "V".into(),
        kind: ProbeKind::Voltage { at: middle() },
        want: trace(&|m| m.v),
    });
    for (k, m) in model.mechanisms.iter().enumerate() {
        for (s, variable) in m.states.iter().enumerate() {
            if variable.storage == compiler::ir::mechanism::Storage::Observed {
                continue; // written for the user, read by nobody
            }
            lanes.push(Lane {
                name: format!("{}.{}", m.name, variable.name),
                kind: state(k, variable.name.clone()),
                want: trace(&|moment| moment.states[k][s]),
            });
        }
    }
    for seed in compiled
        .slots
        .seeds
        .iter()
        .filter(|s| case.channels.contains(&s.mechanism.as_str()))
    {
        let moved = |mechanism: &str, name: &str, default: f64| {
            let own = mechanism == seed.mechanism && name == seed.parameter;
            Dual::new(parameter(mechanism, name, default), if own { 1.0 } else { 0.0 })
        };
        let dual: Vec<Moment<Dual>> = model.run(&moved);
        let slot = &seed.slot;
        lanes.push(Lane {
            name: format!("dV/d{slot}"),
            kind: ProbeKind::IonInternalInterpolated {
                ion: format!("gd_u__{slot}"),
                weights: vec![(0, 1.0)],
            },
            want: dual.iter().map(|m| m.v.tangent).collect(),
        });
        for (k, m) in model.mechanisms.iter().enumerate() {
            let tangent = compiled
                .tangents
                .iter()
                .find(|t| t.mechanism.name == m.name)
                .expect("a tangent");
            for &s in &tangent.active {
                let variable = &m.states[s].name;
                lanes.push(Lane {
                    name: format!("d{}.{variable}/d{slot}", m.name),
                    kind: state(k, format!("d_{variable}__{slot}")),
                    want: dual.iter().map(|moment| moment.states[k][s].tangent).collect(),
                });
            }
        }
    }
    lanes
}

/// max |got - want| / max |want|; exact zeros must stay zeros.
fn relative(got: &[f64], want: &[f64]) -> f64 {
    let largest = want.iter().map(|x| x.abs()).fold(0.0, f64::max);
    let error = got
        .iter()
        .zip(want)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |a, b| if b.is_nan() { b } else { b.max(a) });
    if error == 0.0 { 0.0 } else { error / largest }
}

/// Some cases on one catalogue; a line per case, with the worst lane.
fn check(label: &str, built: &Built, integrator: Integrator, cases: &[Case]) -> String {
    let slots = &built.compiled.slots.names;
    let mut report = format!("{label}: {} slots\n", slots.len());
    let mut failures = String::new();
    let tolerance = match integrator {
        Integrator::Arbor => TOLERANCE,
        Integrator::Neuron => SECANT_TOLERANCE,
    };
    for case in cases {
        let lanes = lanes(case, built);
        let mut augmented = cell(case, "gd_");
        for paint in &mut augmented.densities {
            for seed in built
                .compiled
                .slots
                .seeds
                .iter()
                .filter(|s| format!("gd_{}", s.mechanism) == paint.mechanism)
            {
                paint.parameters.insert(seed.field.clone(), 1.0);
            }
        }
        support::add_carrier(&mut augmented, slots);
        let samples = record(augmented, built, lanes.iter().map(|l| l.kind.clone()).collect());
        let (mut short, mut long) = ((0.0, ""), (0.0, ""));
        for (i, lane) in lanes.iter().enumerate() {
            let got: Vec<f64> = samples.probe(i).collect();
            for (worst, n) in [(&mut short, SHORT), (&mut long, STEPS)] {
                let error = relative(&got[..n], &lane.want[..n]);
                if error.is_nan() || error > tolerance {
                    failures += &format!("{label} {:?}: {} over {n} steps: {error:e}\n", case.channels, lane.name);
                }
                if error.is_nan() || error > worst.0 {
                    *worst = (error, lane.name.as_str());
                }
            }
        }
        let spikes = lanes[0]
            .want
            .windows(2)
            .filter(|w| w[0] < -20.0 && w[1] >= -20.0)
            .count();
        if spikes < case.spikes {
            failures += &format!("{label} {:?}: {spikes} spikes, not {}\n", case.channels, case.spikes);
        }
        report += &format!(
            "  {:<28} {:>3} lanes {spikes:>2} spikes  {SHORT} steps {:.1e} ({})  {STEPS} steps {:.1e} ({})\n",
            case.channels.join("+"),
            lanes.len(),
            short.0,
            short.1,
            long.0,
            long.1
        );
    }
    assert!(failures.is_empty(), "{report}\n{failures}");
    report
}

#[test]
fn arbor_catalogues_equal_the_interpreter() {
    println!(
        "{}",
        check("arbor, 0.7", library(Integrator::Arbor), Integrator::Arbor, &CASES)
    );
}

#[test]
fn neuron_catalogues_equal_the_interpreter() {
    println!(
        "{}",
        check("neuron, 0.7", library(Integrator::Neuron), Integrator::Neuron, &CASES)
    );
}

/// The level changes tables and pointers, not kernels: two cells see all of them.
#[test]
fn level_0_6_catalogues_equal_the_interpreter() {
    for (integrator, case) in [(Integrator::Arbor, &CASES[10..]), (Integrator::Neuron, &CASES[..1])] {
        let names = case[0].channels;
        let built = build(names, all_slots(names), integrator, AbiLevel::V0_6);
        println!(
            "{}",
            check(&format!("{}, 0.6", integrator.as_str()), &built, integrator, case)
        );
    }
}

/// A catalogue without slots, and one with: the same voltages to the last bit.
#[test]
fn sensitivities_leave_the_voltage_alone() {
    for integrator in [Integrator::Arbor, Integrator::Neuron] {
        let plain = build(&names(), Vec::new(), integrator, AbiLevel::V0_7);
        let slotted = library(integrator);
        let voltage = || vec![ProbeKind::Voltage { at: middle() }];
        for case in &CASES {
            let mut augmented = cell(case, "gd_");
            support::add_carrier(&mut augmented, &slotted.compiled.slots.names);
            let want = record(cell(case, ""), &plain, voltage());
            for got in [
                record(cell(case, ""), slotted, voltage()),
                record(augmented, slotted, voltage()),
            ] {
                let same = want.probe(0).zip(got.probe(0)).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{:?} with {integrator:?}", case.channels);
            }
        }
    }
}
