//! Whole cells: the inferior olive and the homeostatic one.

use std::f64::consts::PI;

use host_shim::{CellDescription, CvPolicy, DensityPaint, Detector, IClamp, Morphology, Point, Probe};
use host_shim::{ProbeKind, Schedule, SegmentTree, Simulation};

use crate::patch::{DT_MS, MIDDLE, Patch, close, library, state, voltage, within};

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + x.exp())
}

fn exprel_inverse(x: f64) -> f64 {
    x / x.exp_m1()
}

/// Outward current of the soma, the dendrite and the axon in the steady state, A/m², as paper and table give it: written
/// out, calcium at 3.715.
fn olive_current(part: &str, v: f64) -> f64 {
    let cube = |x: f64| x * x * x;
    let m3 = cube(logistic(-(v + 30.0) / 5.5));
    let slow = {
        let (a, b) = (
            1.3 * exprel_inverse(-(v + 25.0) / 10.0),
            1.69 * (-(v + 35.0) / 80.0).exp(),
        );
        (a / (a + b)).powi(4)
    };
    match part {
        "olive_soma" => {
            let calcium = cube(logistic(-(v + 61.0) / 4.2)) * logistic((v + 85.0) / 8.5);
            1.3e-5 * (v - 10.0)
                + 0.015 * calcium * (v - 120.0)
                + 0.03 * m3 * logistic((v + 70.0) / 5.8) * (v - 55.0)
                + 0.03 * logistic(-(v + 3.0) / 10.0).powi(4) * (v + 75.0)
                + 0.015 * slow * (v + 75.0)
        }
        "olive_dend" => {
            let alpha: f64 = 2e-5 * 3.715;
            1.3e-5 * (v - 10.0)
                + 0.3 * alpha / (alpha + 0.015) * (v + 75.0)
                + 0.025 * logistic((v + 80.0) / 4.0) * (v + 43.0)
        }
        "olive_axon" => {
            1.3e-5 * (v - 10.0) + 0.2 * m3 * logistic((v + 60.0) / 5.8) * (v - 55.0) + 0.2 * slow * (v + 75.0)
        }
        other => unreachable!("{other}"),
    }
}

/// The conductances multiply mV and give A/m²: what the membrane draws in the first step.
#[test]
fn olive_currents_are_those_of_the_paper() {
    for part in ["olive_soma", "olive_dend", "olive_axon"] {
        for v in [-85.0, -60.0, -45.0, -20.0, 10.0] {
            let probe = ProbeKind::MembraneCurrent { at: MIDDLE };
            let got = Patch::held(v, 6.3).with(part, &[]).run(2.0 * DT_MS, DT_MS, &[probe])[0][0];
            close(&format!("{part} at {v} mV"), got, olive_current(part, v), 1e-9);
        }
    }
}

/// Calcium in the dendrite settles at 40 gcah r² (120 - V); the potassium channels' opening saturates at a calcium of 500.
#[test]
fn olive_calcium_settles() {
    let mut saturated = 0;
    for (v, gcah) in [(-60.0, 0.09), (-30.0, 0.09), (0.0, 0.09), (30.0, 0.16), (0.0, 0.2)] {
        let lanes = Patch::held(v, 6.3).with("olive_dend", &[("gcah", gcah)]).run(
            2000.0,
            DT_MS,
            &[state("olive_dend", "ca"), state("olive_dend", "s")],
        );
        let (alpha, beta) = (1.7 * logistic(-(v - 5.0) / 13.9), 0.1 * exprel_inverse((v + 8.5) / 5.0));
        let r = alpha / (alpha + beta);
        let calcium = 40.0 * gcah * r * r * (120.0 - v);
        let last = |lane: &Vec<f64>| *lane.last().expect("samples");
        close(&format!("calcium at {v} mV"), last(&lanes[0]), calcium, 1e-9);
        let opening = (2e-5 * calcium).min(0.01);
        saturated += usize::from(calcium > 500.0);
        close(
            &format!("s at {v} mV"),
            last(&lanes[1]),
            opening / (opening + 0.015),
            1e-9,
        );
    }
    assert!((1..5).contains(&saturated), "{saturated} of 5 saturated");
}

/// Soma with four dendrites and an axon; the start of the paper's tuning, or its target.
fn olive_cell(target: bool) -> CellDescription {
    let mut tree = SegmentTree::default();
    let at = |x: f64, y: f64, r: f64| Point::new(x, y, 0.0, r);
    let soma = tree
        .append(None, at(0.0, 0.0, 8.0), at(16.0, 0.0, 8.0), 1)
        .expect("a soma");
    for k in 0..4u8 {
        let end = at(66.0, 50.0 * f64::from(k), 0.5);
        tree.append(Some(soma), at(16.0, 0.0, 0.5), end, 3).expect("a dendrite");
    }
    tree.append(None, at(0.0, 0.0, 0.6), at(-30.0, 0.0, 0.6), 2)
        .expect("an axon");
    let morphology = Morphology::new(tree).expect("a tree");
    let policy = CvPolicy::FixedPerBranch {
        n: 1,
        interior_forks: false,
    };
    let mut cell = CellDescription::new(morphology, policy);
    cell.properties.rl_ohm_cm.set_default(100.0).expect("a resistivity");
    cell.properties.v_init_mv.set_default(-60.0).expect("a voltage");
    let segments = |tag: i32| -> Vec<host_shim::Cable> {
        let tree = cell.morphology.segment_tree();
        let tagged = (0..tree.segments().len()).filter(|&s| tree.segments()[s].tag == tag);
        tagged.filter_map(|s| cell.morphology.segment_cable(s)).collect()
    };
    let mut soma = DensityPaint::new("olive_soma", segments(1));
    let mut dend = DensityPaint::new("olive_dend", segments(3));
    let mut axon = DensityPaint::new("olive_axon", segments(2));
    if target {
        soma = soma.with("gcal", 0.003).with("gkdr", 0.04).with("gks", 0.02);
        dend = dend.with("gcah", 0.16).with("gkca", 0.25);
        axon = axon.with("gnaa", 0.25).with("gka", 0.25);
    }
    cell.densities.extend([soma, dend, axon]);
    cell
}

/// (greatest, least, cycles per second) of the soma's voltage from the second to the fourth second.
fn oscillation(cell: CellDescription) -> (f64, f64, f64) {
    let probe = Probe {
        cell: 0,
        kind: voltage(),
    };
    let mut simulation = Simulation::new(vec![vec![cell]], std::slice::from_ref(library())).expect("a cell");
    let samples = simulation
        .record(4000.0, DT_MS, &Schedule::every_ms(0.5), &[probe])
        .expect("a stable run");
    let lane: Vec<f64> = samples.probe(0).skip(4000).collect();
    let (high, low) = lane
        .iter()
        .fold((f64::MIN, f64::MAX), |(h, l), &v| (h.max(v), l.min(v)));
    let middle = 0.5 * (high + low);
    let cycles = lane.windows(2).filter(|w| w[0] < middle && w[1] >= middle).count();
    (high, low, cycles as f64 / 2.0)
}

/// Olive cells oscillate below threshold, a few times a second; the calcium current of low threshold drives it.
#[test]
fn the_olive_oscillates_below_threshold() {
    let (high, low, hertz) = oscillation(olive_cell(false));
    within("frequency, Hz", hertz, 4.0..=10.0);
    within("crest, mV", high, -40.0..=-15.0);
    within("trough, mV", low, -75.0..=-65.0);
    let target = oscillation(olive_cell(true));
    within("the target's frequency, Hz", target.2, 4.0..=10.0);
    within(
        "the target's amplitude over the start's",
        (target.0 - target.1) / (high - low),
        0.2..=0.8,
    );
    let mut without = olive_cell(false);
    without.densities[0].parameters.insert("gcal".into(), 0.0);
    let rest = oscillation(without);
    within("amplitude without the T current, mV", rest.0 - rest.1, 0.0..=1.0);
}

/// The step of the homeostatic cell; the paper's.
const HOMEO_DT_MS: f64 = 0.005;

/// The homeostatic cell, excited by `n` pulses one after the other, without noise if `quiet`.
fn homeostatic(n: u8, quiet: bool) -> Patch {
    let sigma = if quiet { 0.0 } else { 0.7 };
    let mut patch = Patch::free(-53.0, 6.3, 0.01).with("hh_homeo", &[("sigma", sigma), ("tau_f", 1000.0)]);
    let area_cm2 = 2.0 * PI * crate::patch::RADIUS_UM * crate::patch::LENGTH_UM * 1e-8;
    for k in 0..n {
        // 80 µA/cm² for 2 ms
        let amplitude_na = 80.0 * area_cm2 * 1e3;
        patch
            .cell
            .clamps
            .push(IClamp::pulse(MIDDLE, 20.0 + 50.0 * f64::from(k), 2.0, amplitude_na));
    }
    patch.cell.detectors.push(Detector {
        at: MIDDLE,
        threshold_mv: 0.0,
    });
    patch
}

/// tau_f f' = rate - f, so that tau_f (f at the end - f at the start) + ∫ f dt counts turns of the phase: one per spike,
/// though nothing looks at the voltage.
#[test]
fn the_rate_estimate_counts_spikes() {
    for n in [1, 5, 20] {
        let end_ms = 20.0 + 50.0 * f64::from(n);
        let mut simulation = homeostatic(n, true).simulation();
        let f = &crate::patch::record(&mut simulation, end_ms, HOMEO_DT_MS, &[state("hh_homeo", "f")])[0];
        assert_eq!(simulation.spikes().len(), usize::from(n));
        let (last, before) = f.split_last().expect("samples");
        let turns = (1000.0 * (last - f[0]) + HOMEO_DT_MS * before.iter().sum::<f64>()) / 1000.0;
        within(&format!("turns of {n} spikes"), turns - f64::from(n), -0.02..=0.02);
    }
}

/// At rest f stays at zero and e grows by half the squared target per ms; after a spike f decays with tau_f.
#[test]
fn the_silent_cell_is_off_its_target() {
    let lanes = homeostatic(0, true).run(200.0, HOMEO_DT_MS, &[state("hh_homeo", "f"), state("hh_homeo", "e")]);
    let at = |lane: &Vec<f64>, t: f64| lane[crate::patch::steps(t, HOMEO_DT_MS)];
    within("f at rest", at(&lanes[0], 199.0).abs(), 0.0..=1e-6);
    close(
        "e over 100 ms",
        at(&lanes[1], 199.0) - at(&lanes[1], 99.0),
        100.0 * 0.5,
        1e-5,
    );
    let lane = &homeostatic(1, true).run(400.0, HOMEO_DT_MS, &[state("hh_homeo", "f")])[0];
    close("decay of f", at(lane, 399.0) / at(lane, 199.0), (-0.2f64).exp(), 1e-3);
}

/// The noise behind the drive has the standard deviation sigma/sqrt(2 relax) and makes the cell fire.
#[test]
fn noise_drives_the_homeostatic_cell() {
    let t_ms = 5000.0;
    let mut patch = homeostatic(0, false);
    patch.network.seed = 5;
    let mut simulation = patch.simulation();
    let ou = &crate::patch::record(&mut simulation, t_ms, HOMEO_DT_MS, &[state("hh_homeo", "ou")])[0];
    assert!(!simulation.spikes().is_empty(), "no spike");
    let square = ou.iter().map(|x| x * x).sum::<f64>() / ou.len() as f64;
    // four standard errors of a variance, sqrt(2 tau/T) each
    close("variance", square, 0.49 / 0.2, 4.0 * (2.0 * 10.0 / t_ms).sqrt());
}
