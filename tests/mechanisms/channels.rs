//! Gates, currents and a Markov scheme.

use host_shim::ProbeKind;

use crate::patch::{DT_MS, FARADAY, GAS, MIDDLE, Patch, close, state, time_constant, within};

/// Of a few operations.
const ROUNDING: f64 = 1e-12;
/// Of time constants: the step's own error, (dt/tau)²/12, at the fastest gate.
const OF_THE_STEP: f64 = 2e-4;

fn boltzmann(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A channel without conductance, so that only its gates act.
fn gates(mechanism: &str, v_mv: f64, celsius: f64) -> Patch {
    let none = if mechanism == "ca_lva" { "pbar" } else { "gbar" };
    Patch::held(v_mv, celsius).with(mechanism, &[(none, 0.0)])
}

/// Half-activation, half-inactivation and slopes, mV.
#[test]
fn gates_are_half_open_where_published() {
    // mechanism, gate, half, slope (negative for inactivation)
    let rows = [
        ("ca_lva", "m", -57.0, 6.2),
        ("ca_lva", "h", -81.0, -4.0),
        ("km", "n", -35.0, 10.0),
    ];
    for (mechanism, gate, half, slope) in rows {
        for x in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let got = gates(mechanism, half + x * slope, 24.0).initial(mechanism, gate);
            close(
                &format!("{mechanism}.{gate} at {x} slopes"),
                got,
                boltzmann(x),
                ROUNDING,
            );
        }
    }
}

/// m²h is open a little between -75 and -55 mV, and nowhere else: the window.
#[test]
fn the_t_current_has_a_small_window() {
    let open = |v: f64| {
        let m = gates("ca_lva", v, 24.0).initial("ca_lva", "m");
        m * m * gates("ca_lva", v, 24.0).initial("ca_lva", "h")
    };
    let peak = (-90..=-40)
        .map(|v| (f64::from(v), open(f64::from(v))))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("voltages");
    within("peak of the window, mV", peak.0, -70.0..=-63.0);
    within("height of the window", peak.1, 5e-4..=1e-3);
    within("at -100 mV", open(-100.0) / peak.1, 0.0..=0.01);
    within("at -35 mV", open(-35.0) / peak.1, 0.0..=0.02);
}

/// Time constants of the T current, ms, at 24 °C and 2.5 times faster at 34 °C.
#[test]
fn the_t_current_relaxes_as_published() {
    let tau_m = |v: f64| 0.612 + 1.0 / ((-(v + 132.0) / 16.7).exp() + ((v + 16.8) / 18.2).exp());
    let rows = [
        ("m", -100.0, -40.0, boltzmann(17.0 / 6.2), tau_m(-40.0)),
        ("m", -40.0, -65.0, boltzmann(-8.0 / 6.2), tau_m(-65.0)),
        (
            "h",
            -100.0,
            -60.0,
            boltzmann(-21.0 / 4.0),
            28.0 + (38.0f64 / 10.5).exp(),
        ),
        ("h", -60.0, -90.0, boltzmann(9.0 / 4.0), (377.0f64 / 66.6).exp()),
    ];
    for (gate, from, to, target, tau) in rows {
        for (celsius, speed) in [(24.0, 1.0), (34.0, 2.5)] {
            let patch = gates("ca_lva", from, celsius);
            let got = time_constant(patch, ("ca_lva", gate), to, target, 2.0 * tau / speed);
            close(
                &format!("{gate} at {to} mV, {celsius} °C"),
                got,
                tau / speed,
                OF_THE_STEP,
            );
        }
    }
}

/// The T current, mA/cm², of `pbar` cm/s with gates at their steady state.
fn t_current(v_mv: f64, celsius: f64, pbar: f64, (inside, outside): (f64, f64)) -> f64 {
    let probe = ProbeKind::IonCurrent {
        ion: "ca".into(),
        at: MIDDLE,
    };
    let lane = &Patch::held(v_mv, celsius)
        .with("ca_lva", &[("pbar", pbar)])
        .ion("ca", 2, inside, outside)
        .run(2.0 * DT_MS, DT_MS, &[probe])[0];
    0.1 * lane[0] // the host has A/m²
}

/// Goldman's, Hodgkin's and Katz's current: none at the Nernst potential, z F (inside - outside) per permeability at
/// 0 mV, and the textbook formula elsewhere.
#[test]
fn the_t_current_obeys_the_constant_field() {
    let (inside, outside, celsius, pbar) = (2.4e-4, 2.0, 36.0, 1e-4);
    let thermal_mv = 1000.0 * GAS * (celsius + 273.15) / (2.0 * FARADAY);
    let gate = |v: f64| boltzmann((v + 57.0) / 6.2).powi(2) * boltzmann(-(v + 81.0) / 4.0);
    let current = |v: f64| t_current(v, celsius, pbar, (inside, outside));
    // cm/s · mM = 1e-2 mol/(m² s); times C/mol, A/m² · 1e-2, of which 0.1 mA/cm² each
    let scale = 1e-2 * 0.1 * pbar * 2.0 * FARADAY;
    close("0 mV", current(0.0), scale * gate(0.0) * (inside - outside), 1e-9);
    for v in [-90.0, -60.0, -20.0, -0.05, 0.05, 30.0] {
        let x = v / thermal_mv;
        let field = x * (inside - outside * (-x).exp()) / (1.0 - (-x).exp());
        close(&format!("{v} mV"), current(v), scale * gate(v) * field, 1e-9);
    }
    let reversal = thermal_mv * (outside / inside).ln();
    let steepness = (current(reversal + 1.0) - current(reversal - 1.0)).abs();
    within(
        "at the Nernst potential",
        current(reversal).abs() / steepness,
        0.0..=1e-9,
    );
}

/// Half-activation at 0.43 µM, fourfold-and-more cooperativity: the Hill coefficient is the slope of the logit.
#[test]
fn sk_is_gated_by_calcium_as_published() {
    let open = |cai: f64| gates("sk", -65.0, 37.0).ion("ca", 2, cai, 2.0).initial("sk", "z");
    close("0.43 µM", open(0.43e-3), 0.5, ROUNDING);
    for cai in [0.1e-3f64, 0.2e-3, 0.6e-3, 1e-3] {
        let logit = (open(cai) / (1.0 - open(cai))).ln();
        close("Hill coefficient", logit / (cai / 0.43e-3).ln(), 4.8, 1e-9);
    }
    assert_eq!(open(0.0).to_bits(), 0f64.to_bits(), "open without calcium");
}

/// Where half of the BK channels are open at `cai`, mV.
fn bk_half(cai: f64, celsius: f64, parameters: &[(&str, f64)]) -> f64 {
    let open = |v: f64| {
        Patch::held(v, celsius)
            .with("bk", parameters)
            .ion("ca", 2, cai, 2.0)
            .initial("bk", "o")
    };
    let (mut low, mut high) = (-200.0, 300.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if open(middle) < 0.5 {
            low = middle
        } else {
            high = middle
        }
    }
    0.5 * (low + high)
}

/// Calcium shifts the activation curve to the left, per tenfold concentration by RT ln 10/(2 F d) with a d between the two
/// bindings' shares of the field, 0.84 and 1; half of the channels are open where opening and closing balance.
#[test]
fn calcium_shifts_bk_to_lower_voltages() {
    let celsius = 23.0;
    let decade_mv = 1000.0 * GAS * (celsius + 273.15) * 10f64.ln() / FARADAY;
    let model = [0.28, 0.48, 0.48e-3, 0.13e-6]; // Migliore et al.
    let muscle = [0.48, 0.28, 0.18, 0.011]; // channel A of Moczydlowski and Latorre
    for [opening, closing, k1, k2] in [model, muscle] {
        let parameters = [("opening", opening), ("closing", closing), ("k1", k1), ("k2", k2)];
        let halves: Vec<f64> = [1e-4, 1e-3, 1e-2, 1e-1]
            .iter()
            .map(|&cai| {
                let v = bk_half(cai, celsius, &parameters);
                let affinity = |k: f64, d: f64| k * (-2.0 * d * v * 10f64.ln() / decade_mv).exp();
                let alpha = opening / (1.0 + affinity(k1, 0.84) / cai);
                let beta = closing / (1.0 + cai / affinity(k2, 1.0));
                close(&format!("rates at {v} mV, {cai} mM"), alpha, beta, 1e-9);
                v
            })
            .collect();
        for pair in halves.windows(2) {
            within(
                "shift per decade, mV",
                pair[0] - pair[1],
                decade_mv / 2.0..=decade_mv / 1.68,
            );
        }
    }
}

/// Slowest at half-activation, 1/6.6 s at 21 °C, and equally fast at equal distances on both sides.
#[test]
fn the_m_current_is_slowest_at_half_activation() {
    let tau = |to: f64, celsius: f64| {
        let patch = gates("km", to - 40.0, celsius);
        time_constant(patch, ("km", "n"), to, boltzmann((to + 35.0) / 10.0), 100.0)
    };
    close("peak, ms", tau(-35.0, 21.0), 1000.0 / 6.6, 1e-6);
    close("at 31 °C", tau(-35.0, 31.0), 1000.0 / 6.6 / 2.3, 1e-6);
    for x in [5.0f64, 20.0, 40.0] {
        let want = 1000.0 / 6.6 / (x / 20.0).cosh();
        close("below", tau(-35.0 - x, 21.0), want, 1e-6);
        close("above", tau(-35.0 + x, 21.0), want, 1e-6);
    }
}

const SCHEME: [&str; 13] = [
    "c0", "c1", "c2", "c3", "c4", "o", "s", "i0", "i1", "i2", "i3", "i4", "i5",
];

/// Occupancies in equilibrium, from the rate constants alone: products of ratios along any path, normalised.
fn equilibrium(v_mv: f64) -> Vec<f64> {
    let choose = [1.0, 4.0, 6.0, 4.0, 1.0];
    let step = 50.0 * (v_mv / 10.0).exp(); // alpha/beta = 150/3 e^(v/10)
    let mut weights: Vec<f64> = (0..5u8)
        .map(|k| choose[usize::from(k)] * step.powi(i32::from(k)))
        .collect();
    let open = weights[4] * 150.0 / 40.0;
    weights.push(open);
    weights.push(open * 1.75 / 0.03 * (v_mv / 25.0).exp());
    // from i5 to o is 0.005/0.75, from i0 to c0 0.5/0.005; four equal factors between
    let favour = (150.0f64 * 100.0).powf(0.25);
    for k in 0..5u8 {
        weights.push(0.01 * choose[usize::from(k)] * (step * favour).powi(i32::from(k)));
    }
    weights.push(open * 150.0);
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

fn occupancies(patch: Patch, t_ms: f64) -> Vec<Vec<f64>> {
    patch.run(t_ms, DT_MS, &SCHEME.map(|s| state("na_markov", s)))
}

/// INITIAL finds the equilibrium, and there every single transition is balanced.
#[test]
fn the_markov_channel_starts_in_detailed_balance() {
    for v in [-110.0, -90.0, -70.0, -55.0, -40.0, 0.0, 40.0] {
        for celsius in [22.0, 34.0] {
            let lanes = occupancies(gates("na_markov", v, celsius), 100.0 * DT_MS);
            for ((lane, want), name) in lanes.iter().zip(equilibrium(v)).zip(SCHEME) {
                for (when, got) in [("INITIAL", lane[0]), ("100 steps later", lane[99])] {
                    let error = (got - want).abs();
                    assert!(error <= 1e-11, "{name} at {v} mV, {when}: {got} instead of {want}");
                }
            }
        }
    }
}

/// Half of the channels can be opened from -55 mV, nearly all from -100 mV, hardly any from -35 mV.
#[test]
fn the_markov_channel_inactivates_in_the_steady_state() {
    let closed = |v: f64| -> f64 {
        let lanes = occupancies(gates("na_markov", v, 22.0), DT_MS);
        (0..5).map(|k| lanes[k][0]).sum()
    };
    let rows = [
        (-100.0, 0.98..=1.0),
        (-70.0, 0.93..=0.98),
        (-55.0, 0.45..=0.55),
        (-35.0, 0.0..=0.02),
    ];
    for (v, range) in rows {
        within(&format!("available at {v} mV"), closed(v), range);
    }
}

/// Through steps of voltage the occupancies stay probabilities, and end in the equilibrium of where the voltage is.
#[test]
fn occupancies_sum_to_one_through_voltage_steps() {
    let patch = gates("na_markov", -90.0, 22.0)
        .step_to(1.0, 30.0)
        .step_to(11.0, -40.0)
        .step_to(111.0, -70.0);
    let lanes = occupancies(patch, 1111.0);
    for at in 0..lanes[0].len() {
        let sum: f64 = lanes.iter().map(|l| l[at]).sum();
        assert!((sum - 1.0).abs() < 1e-12, "sum {sum} at step {at}");
        assert!(
            lanes.iter().all(|l| l[at] > -1e-15),
            "a negative occupancy at step {at}"
        );
    }
    for ((lane, want), name) in lanes.iter().zip(equilibrium(-70.0)).zip(SCHEME) {
        let got = *lane.last().expect("samples");
        assert!((got - want).abs() < 1e-9, "{name}: {got} instead of {want}");
    }
}

/// The resurgent current: at +30 mV the channel opens, then blocks and inactivates; back at -40 mV it opens again as the
/// block comes off, some 5 ms later and far above what is open there in the end.
#[test]
fn sodium_current_resurges_on_repolarisation() {
    let open = SCHEME.iter().position(|&s| s == "o").expect("listed");
    let lanes = occupancies(
        gates("na_markov", -90.0, 22.0).step_to(1.0, 30.0).step_to(11.0, -40.0),
        60.0,
    );
    let peak = |from_ms: f64, to_ms: f64| {
        let at = |t: f64| crate::patch::steps(t, DT_MS);
        let lane = &lanes[open][at(from_ms)..at(to_ms)];
        let k = (0..lane.len())
            .max_by(|&a, &b| lane[a].total_cmp(&lane[b]))
            .expect("samples");
        (from_ms + DT_MS * f64::from(u32::try_from(k).expect("few")), lane[k])
    };
    let (transient_ms, transient) = peak(1.0, 11.0);
    let before = lanes[open][crate::patch::steps(10.9, DT_MS)];
    let (resurgent_ms, resurgent) = peak(11.05, 60.0);
    within("transient peak after, ms", transient_ms - 1.0, 0.02..=0.3);
    within("left open at the end of the step", before / transient, 0.0..=0.02);
    within("resurgent peak after, ms", resurgent_ms - 11.0, 3.0..=7.0);
    within("resurgent opening over that before it", resurgent / before, 5.0..=10.0);
    within(
        "resurgent over equilibrium",
        resurgent / equilibrium(-40.0)[open],
        3.0..=7.0,
    );
}
