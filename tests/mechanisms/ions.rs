//! Reversal potentials and concentrations.

use host_shim::ProbeKind;
use host_shim::cell::ReversalMethod;

use crate::patch::{DT_MS, FARADAY, GAS, MIDDLE, Patch, close};

/// The reversal potential that nernst gives `ion`, mV.
fn reversal_mv(ion: &str, valence: i32, (inside, outside): (f64, f64), celsius: f64) -> f64 {
    let mut patch = Patch::held(-65.0, celsius)
        .with("hh", &[])
        .with("ca_hva", &[])
        .ion(ion, valence, inside, outside);
    patch.cell.ions.get_mut(ion).expect("inserted").reversal_method = Some(ReversalMethod {
        mechanism: format!("nernst/x={ion}"),
        parameters: Default::default(),
    });
    let probe = ProbeKind::IonReversal {
        ion: ion.into(),
        at: MIDDLE,
    };
    patch.run(4.0 * DT_MS, DT_MS, &[probe])[0][2]
}

/// RT/zF ln(outside/inside), with the defaults' concentrations.
#[test]
fn reversal_potentials_are_nernsts() {
    let ions = [("na", 1, 10.0, 140.0), ("k", 1, 54.4, 2.5), ("ca", 2, 5e-5, 2.0)];
    for celsius in [6.3, 37.0] {
        for (ion, valence, inside, outside) in ions {
            let thermal_mv = 1000.0 * GAS * (celsius + 273.15) / (f64::from(valence) * FARADAY);
            let got = reversal_mv(ion, valence, (inside, outside), celsius);
            close(ion, got, thermal_mv * (outside / inside).ln(), 1e-9);
        }
    }
}

/// What textbooks give a tenfold ratio: 58.17 mV at 20 °C, 61.54 mV at 37 °C, half of it for calcium.
#[test]
fn a_tenfold_ratio_is_58_millivolts() {
    let rows = [("k", 1, 20.0, 58.17), ("k", 1, 37.0, 61.54), ("ca", 2, 20.0, 29.085)];
    for (ion, valence, celsius, want) in rows {
        let got = reversal_mv(ion, valence, (1.0, 10.0), celsius);
        close(ion, got, want, 1e-4);
    }
}

/// Depth, time constant, rest, unbound share, current: cai settles where influx and removal balance, exponentially.
#[test]
fn calcium_settles_and_decays_with_its_time_constant() {
    let rows = [
        (1.0, 5.0, 2.4e-4, 1.0, -1e-3),
        (0.1, 80.0, 1e-4, 0.05, -2e-3),
        (0.5, 20.0, 1e-4, 0.3, -5e-4),
        (1.0, 5.0, 2.4e-4, 1.0, 0.0),
    ];
    for (depth, tau, rest, unbound, density) in rows {
        let pool = [("depth", depth), ("tau", tau), ("rest", rest), ("unbound", unbound)];
        let probe = ProbeKind::IonInternal {
            ion: "ca".into(),
            at: MIDDLE,
        };
        let lane = &Patch::held(-65.0, 37.0)
            .with("ca_pool", &pool)
            .with("influx", &[("density", density)])
            .run(25.0 * tau, DT_MS, &[probe])[0];
        // mA/cm² over C/mol is 1e-8 mol/(m² s) · 1e3; over a depth in µm, mol/m³ per second, that is mM/s
        let per_s = -density * 10.0 / (2.0 * FARADAY) / (depth * 1e-6) * unbound;
        let settled = rest + per_s * 1e-3 * tau;
        close("at the start", lane[0], rest, 1e-12);
        close("settled", *lane.last().expect("samples"), settled, 1e-9);
        if density < 0.0 {
            // the step's error in the time constant is (dt/tau)²/12
            let at = |t: f64| lane[crate::patch::steps(t, DT_MS)] - settled;
            close("e-fold", at(tau) / at(2.0 * tau), 1f64.exp(), 1e-5);
        }
    }
}
