//! Synapses, noise, gap junctions, the voltage clamp.

use host_shim::cell::JunctionPlacement;
use host_shim::{DensityPaint, GapJunction, IClamp, Network, Probe, ProbeKind, Schedule, Simulation};

use crate::patch::{AREA_UM2, DT_MS, MIDDLE, Patch, close, library, point_state, record, voltage, within};

/// Of an event; what Arbor's 32 bits make of it is exact here.
const WEIGHT: f32 = 0.0078125;
const WEIGHT_US: f64 = 0.0078125;
/// Fine enough to see a rise of 0.3 ms; the step's error is (dt/tau)²/12.
const FINE_MS: f64 = 0.001;
const EVENT_MS: f64 = 1.0;

/// The conductance of `mechanism` in every step after one event, µS: the difference of two states, or one.
fn conductance(mechanism: &str, parameters: &[(&str, f64)], states: &[&str], over_ms: f64) -> Vec<f64> {
    let kinds: Vec<ProbeKind> = states.iter().map(|s| point_state(0, s)).collect();
    let lanes = Patch::held(-65.0, 37.0)
        .point(mechanism, parameters, WEIGHT, &[EVENT_MS])
        .run(EVENT_MS + over_ms, FINE_MS, &kinds);
    match lanes.as_slice() {
        [one] => one.clone(),
        [up, down] => down.iter().zip(up).map(|(d, u)| d - u).collect(),
        other => unreachable!("{} states", other.len()),
    }
}

/// Rise and decay of all synapses with two exponentials: the conductance is greatest, and equal to the event's weight
/// (times `share`), rise·decay/(decay - rise)·ln(decay/rise) after the event.
#[test]
fn conductances_peak_at_the_weight_when_they_should() {
    let rows = [
        ("exp2syn", 0.5, 2.0, 1.0),
        ("exp2syn", 0.2, 1.7, 1.0),
        ("gaba", 0.3, 6.0, 1.0),
        ("gaba", 1.0, 20.0, 1.0),
        ("ampa_nmda", 3.0, 70.0, 0.5),
        ("ampa_nmda", 2.0, 40.0, 1.5),
    ];
    for (mechanism, rise, decay, share) in rows {
        let mut parameters = vec![("rise", rise), ("decay", decay)];
        if mechanism == "ampa_nmda" {
            parameters.push(("ratio", share));
        }
        let peak_ms = rise * decay / (decay - rise) * f64::ln(decay / rise);
        let g = conductance(mechanism, &parameters, &["up", "down"], 2.0 * peak_ms);
        let at = (0..g.len()).max_by(|&i, &j| g[i].total_cmp(&g[j])).expect("samples");
        let when = FINE_MS * at as f64 - EVENT_MS;
        assert!(
            (when - peak_ms).abs() <= 2.0 * FINE_MS,
            "{mechanism}: peak after {when} ms, not {peak_ms}"
        );
        close(mechanism, g[at], share * WEIGHT_US, 1e-5);
        let late = g.len() - 1;
        let t = FINE_MS * late as f64 - EVENT_MS;
        let form = |t: f64| (-t / decay).exp() - (-t / rise).exp();
        close("later", g[late] / g[at], form(t) / form(peak_ms), 2e-3);
    }
}

/// The single exponential: the weight at once, 1/e of it after tau.
#[test]
fn the_single_exponential_decays_with_its_time_constant() {
    for (mechanism, state, tau) in [("expsyn", "g", 2.0), ("expsyn", "g", 5.0), ("ampa_nmda", "ampa", 2.0)] {
        let g = conductance(mechanism, &[("tau", tau)], &[state], 3.0 * tau);
        let first = g.iter().position(|&x| x > 0.0).expect("an event");
        close("arrival, ms", FINE_MS * first as f64, EVENT_MS, 1.5 * FINE_MS);
        close("jump", g[first], WEIGHT_US, 1e-12);
        let later = first + crate::patch::steps(tau, FINE_MS);
        close("after tau", g[later] / g[first], (-1f64).exp(), 1e-6);
    }
}

/// The current through NMDA receptors alone, as a share of what would flow without magnesium.
fn unblocked(v_mv: f64, mg_mm: f64) -> f64 {
    // 40 AMPA time constants after the event only NMDA is left
    let current = |mg: f64| {
        let kinds = [
            ProbeKind::MembraneCurrent { at: MIDDLE },
            point_state(0, "up"),
            point_state(0, "down"),
        ];
        let lanes = Patch::held(v_mv, 37.0)
            .point("ampa_nmda", &[("mg", mg), ("tau", 1.0)], WEIGHT, &[EVENT_MS])
            .run(42.0, DT_MS, &kinds);
        let last = lanes[0].len() - 1;
        let nanoamp = lanes[0][last] * AREA_UM2 * 1e-3;
        nanoamp / ((lanes[2][last] - lanes[1][last]) * v_mv)
    };
    close("without magnesium the current is ohmic", current(0.0), 1.0, 1e-9);
    current(mg_mm) / current(0.0)
}

/// Jahr's and Stevens's curve at 1 mM: 4.4 % at -70 mV, half at -20.5 mV; and its dependence on magnesium.
#[test]
fn magnesium_blocks_nmda_as_published() {
    let rows = [(-70.0, 0.0445), (-40.0, 0.2302), (-20.0, 0.5082), (20.0, 0.9250)];
    for (v, want) in rows {
        close(&format!("at {v} mV"), unblocked(v, 1.0), want, 1e-3);
    }
    for mg in [0.1f64, 1.0, 2.0] {
        let half_mv = (mg / 3.57).ln() / 0.062;
        close(&format!("half blocked by {mg} mM"), unblocked(half_mv, mg), 0.5, 1e-9);
    }
}

/// Chloride's synapse draws no current at -75 mV and changes sign there; the excitatory ones at 0 mV.
#[test]
fn synaptic_currents_reverse() {
    let rows = [("gaba", -75.0), ("expsyn", 0.0), ("exp2syn", 0.0), ("ampa_nmda", 0.0)];
    for (mechanism, reversal) in rows {
        let current = |v: f64| {
            let lanes = Patch::held(v, 37.0).point(mechanism, &[], WEIGHT, &[EVENT_MS]).run(
                3.0,
                DT_MS,
                &[ProbeKind::MembraneCurrent { at: MIDDLE }],
            );
            *lanes[0].last().expect("samples")
        };
        let above = current(reversal + 1.0);
        within(&format!("{mechanism} above"), above, 1e-3..=1e3);
        within(
            &format!("{mechanism} below"),
            current(reversal - 1.0) / above,
            -1.1..=-0.9,
        );
        within(
            &format!("{mechanism} at {reversal} mV"),
            (current(reversal) / above).abs(),
            0.0..=1e-9,
        );
    }
}

const SIGMA: f64 = 0.2;
const MEAN: f64 = 0.1;
const TAU_MS: f64 = 5.0;
const NOISE_DT_MS: f64 = 0.1;

fn noise(seed: u64, t_ms: f64) -> Vec<f64> {
    let parameters = [("mean", MEAN), ("sigma", SIGMA), ("tau", TAU_MS)];
    let mut patch = Patch::held(-65.0, 37.0).point("ou_noise", &parameters, 0.0, &[]);
    patch.network.seed = seed;
    patch.run(t_ms, NOISE_DT_MS, &[point_state(0, "x")]).remove(0)
}

/// Mean, variance and correlation of the process as it is stepped, a = dt/tau: sigma²/(1 - a/2) and (1 - a)^k. Over the
/// time T the relative standard error of the variance is sqrt(2 tau/T), that of the mean sigma·sqrt(2 tau/T), that of a
/// correlation at most sqrt(2 tau/T); four of these are allowed, and the seed is fixed.
#[test]
fn noise_has_its_moments() {
    let t_ms = 100_000.0;
    let error = (2.0 * TAU_MS / t_ms).sqrt();
    let skip = 500; // ten time constants from the start at the mean
    for seed in [1, 2] {
        let x = &noise(seed, t_ms)[skip..];
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        assert!((mean - MEAN).abs() < 4.0 * error * SIGMA, "mean {mean}");
        let moment = |lag: usize| {
            let pairs = x.iter().zip(&x[lag..]).map(|(a, b)| (a - MEAN) * (b - MEAN));
            pairs.sum::<f64>() / (n - lag as f64)
        };
        let a = NOISE_DT_MS / TAU_MS;
        close("variance", moment(0), SIGMA * SIGMA / (1.0 - a / 2.0), 4.0 * error);
        for lag in [1u8, 10, 50, 100] {
            let want = (1.0 - a).powi(i32::from(lag));
            let got = moment(usize::from(lag)) / moment(0);
            // the correlation of neighbours is far better known than that of strangers
            let allowed = 4.0 * error * (1.0 - want * want);
            assert!(
                (got - want).abs() < allowed,
                "correlation at {lag} steps: {got}, not {want}"
            );
        }
    }
}

/// The increments are what the equation says, with standard normal numbers: their first four moments, and no correlation
/// from one to the next.
#[test]
fn noise_is_white_and_normal() {
    let x = noise(3, 20_000.0);
    let a = NOISE_DT_MS / TAU_MS;
    let z: Vec<f64> = x
        .windows(2)
        .map(|w| (w[1] - w[0] - a * (MEAN - w[0])) / (SIGMA * (2.0 * a).sqrt()))
        .collect();
    let n = z.len() as f64;
    let average = |f: &dyn Fn(f64) -> f64| z.iter().map(|&v| f(v)).sum::<f64>() / n;
    let next = z.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / n;
    // variances of these averages, times n: 1, 2, 15, 96, 1
    let rows = [
        ("mean", average(&|v| v), 0.0, 1.0),
        ("variance", average(&|v| v * v), 1.0, 2.0),
        ("third moment", average(&|v| v.powi(3)), 0.0, 15.0),
        ("fourth moment", average(&|v| v.powi(4)), 3.0, 96.0),
        ("correlation", next, 0.0, 1.0),
    ];
    for (what, got, want, variance) in rows {
        let allowed = 4.0 * f64::sqrt(variance / n);
        assert!((got - want).abs() < allowed, "{what}: {got}, not {want} ± {allowed}");
    }
}

/// The same seed, the same noise; another seed, another.
#[test]
fn noise_follows_the_seed() {
    let bits = |seed| -> Vec<u64> { noise(seed, 50.0).into_iter().map(f64::to_bits).collect() };
    assert_eq!(bits(7), bits(7));
    assert_ne!(bits(7), bits(8));
}

/// Two leaky cells and a junction, current into one: Kirchhoff's laws.
#[test]
fn a_gap_junction_is_a_resistor() {
    let (g_s_per_cm2, e_mv, injected_na, junction_us) = (1e-4, -65.0, 0.01, 0.002);
    let cell = |injected: f64| {
        let mut patch = Patch::free(e_mv, 6.3, 0.01).with("pas", &[("g", g_s_per_cm2), ("e", e_mv)]);
        patch.cell.clamps.push(IClamp::pulse(MIDDLE, 0.0, 1e6, injected));
        patch.cell.junctions.push(JunctionPlacement {
            mechanism: "gap".into(),
            at: MIDDLE,
            parameters: [("g".to_owned(), junction_us)].into(),
        });
        patch.cell
    };
    let joined = |local: usize| GapJunction {
        local_cell: local,
        local_site: 0,
        peer_cell: 1 - local,
        peer_site: 0,
        weight: 1.0,
    };
    let network = Network {
        gap_junctions: vec![joined(0), joined(1)],
        ..Network::default()
    };
    let groups = vec![vec![cell(injected_na), cell(0.0)]];
    let mut simulation =
        Simulation::with_network(groups, std::slice::from_ref(library()), &network).expect("two sound cells");
    let probes = [0, 1].map(|cell| Probe { cell, kind: voltage() });
    let samples = simulation
        .record(500.0, DT_MS, &Schedule::EveryStep, &probes)
        .expect("a stable run");
    let leak_us = g_s_per_cm2 * AREA_UM2 * 1e-2;
    let per = injected_na / (leak_us * (leak_us + 2.0 * junction_us));
    let last = |probe| samples.probe(probe).last().expect("samples") - e_mv;
    close("near", last(0), per * (leak_us + junction_us), 1e-9);
    close("far", last(1), per * junction_us, 1e-9);
}

/// Whatever flows, the voltage is the clamp's at the end of every step, but for rounding of the voltage that it replaces.
#[test]
fn the_clamp_holds_the_voltage() {
    for hold in [-80.0, -20.0, 15.0] {
        let mut patch = Patch::free(-65.0, 6.3, 0.01).with("hh", &[]);
        let everywhere = patch.cell.densities[0].cables.clone();
        let clamp = DensityPaint::new("v_clamp", everywhere).with("hold", hold);
        patch.cell.voltage_processes.push(clamp);
        let lane = record(&mut patch.simulation(), 20.0, DT_MS, &[voltage()]).remove(0);
        assert_eq!(lane.len(), 800);
        for v in &lane[1..] {
            close("held, mV", *v, hold, 1e-15);
        }
    }
}
