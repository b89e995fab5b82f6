//! Sensitivities against references that share nothing with us: diffsol's forward sensitivities of the Hodgkin-Huxley
//! equations written out by hand, and closed forms of passive membranes.

mod support;

use std::f64::consts::PI;

use compiler::{AbiLevel, Integrator};
use diffsol::{NalgebraLU, NalgebraMat, OdeBuilder, SensitivitiesOdeSolverMethod};
use host_shim::{CellDescription, CvPolicy, DensityPaint, IClamp, Location, Probe, ProbeKind, Schedule, Simulation};
use support::{Built, add_carrier, build, cylinder, everywhere, one_compartment, slot};

/// A first-order method halves its error with the step; a second-order one divides it by nine when the mesh is three
/// times as fine. Terms of higher order bend that.
const ORDER_ONE: std::ops::RangeInclusive<f64> = 1.8..=2.2;
const ORDER_TWO: std::ops::RangeInclusive<f64> = 8.5..=9.5;

fn catalogue(mechanism: &str, parameters: &[&str]) -> Built {
    let slots = parameters.iter().map(|p| slot(mechanism, p)).collect();
    build(&[mechanism], slots, Integrator::Arbor, AbiLevel::V0_7)
}

/// Paints `gd_mechanism` with its seeds, `values` besides, and the carrier.
fn paint(cell: &mut CellDescription, built: &Built, mechanism: &str, values: &[(&str, f64)]) {
    let mut paint = DensityPaint::new(format!("gd_{mechanism}"), everywhere());
    for seed in &built.compiled.slots.seeds {
        paint = paint.with(seed.field.clone(), 1.0);
    }
    for &(name, value) in values {
        paint = paint.with(name, value);
    }
    cell.densities.push(paint);
    add_carrier(cell, &built.compiled.slots.names);
}

/// V (by location), then each slot's u, at the start of every step; rows per quantity.
fn run(cell: CellDescription, built: &Built, t_ms: f64, dt_ms: f64, cv: usize, at: Location) -> Vec<Vec<f64>> {
    let mut kinds = vec![ProbeKind::Voltage { at }];
    kinds.extend(
        built
            .compiled
            .slots
            .names
            .iter()
            .map(|s| ProbeKind::IonInternalInterpolated {
                ion: format!("gd_u__{s}"),
                weights: vec![(cv, 1.0)],
            }),
    );
    let probes: Vec<Probe> = kinds.into_iter().map(|kind| Probe { cell: 0, kind }).collect();
    let mut simulation = Simulation::new(vec![vec![cell]], std::slice::from_ref(&built.catalogue)).expect("a cell");
    let samples = simulation
        .record(t_ms, dt_ms, &Schedule::EveryStep, &probes)
        .expect("a stable run");
    (0..probes.len()).map(|i| samples.probe(i).collect()).collect()
}

fn largest(x: impl IntoIterator<Item = f64>) -> f64 {
    x.into_iter()
        .fold(0.0, |a, b| if b.is_nan() { b } else { f64::max(a, b.abs()) })
}

/// Each error of a column over the next; the table and whether all lie in `order`.
fn convergence(header: &str, rows: &[(f64, Vec<f64>)], order: &std::ops::RangeInclusive<f64>) -> (String, bool) {
    let mut table = format!("{header}\n");
    let mut sound = true;
    for (i, (step, errors)) in rows.iter().enumerate() {
        table += &format!("{step:>10}");
        for (column, error) in errors.iter().enumerate() {
            table += &format!("  {error:.3e}");
            if i > 0 {
                let ratio = rows[i - 1].1[column] / error;
                sound &= order.contains(&ratio);
                table += &format!(" ({ratio:.3})");
            }
        }
        table += "\n";
    }
    (table, sound)
}

// The squid axon at 6.3 °C, with derivatives; ms, mV. vtrap(x, y) = x/(e^{x/y} − 1) stays clear of x = 0.

fn vtrap(x: f64, y: f64) -> (f64, f64) {
    let e = (x / y).exp();
    (x / (e - 1.0), (e - 1.0 - x / y * e) / ((e - 1.0) * (e - 1.0)))
}

/// (α, α′, β, β′) of m, h, n.
fn rates(v: f64) -> [[f64; 4]; 3] {
    let (am, dam) = vtrap(-(v + 40.0), 10.0);
    let (an, dan) = vtrap(-(v + 55.0), 10.0);
    let decay = |scale: f64, shift: f64, width: f64| {
        let e = scale * (-(v + shift) / width).exp();
        (e, -e / width)
    };
    let ((bm, dbm), (ah, dah), (bn, dbn)) = (
        decay(4.0, 65.0, 18.0),
        decay(0.07, 65.0, 20.0),
        decay(0.125, 65.0, 80.0),
    );
    let e = (-(v + 35.0) / 10.0).exp();
    let bh = 1.0 / (e + 1.0);
    let dbh = 0.1 * e * bh * bh;
    [
        [0.1 * am, -0.1 * dam, bm, dbm],
        [ah, dah, bh, dbh],
        [0.01 * an, -0.01 * dan, bn, dbn],
    ]
}

const E_NA: f64 = 50.0;
const E_K: f64 = -77.0;
/// gnabar, gkbar, gl in S/cm², el in mV.
const THETA: [f64; 4] = [0.12, 0.036, 0.0003, -54.387];
/// mA/cm².
const STIMULUS: f64 = 0.01;
/// mV/ms per mA/cm², at 1 µF/cm².
const PER_CAPACITANCE: f64 = 1000.0;

fn hh_rhs(y: &[f64], p: &[f64], _t: f64, dy: &mut [f64]) {
    let (v, m, h, n) = (y[0], y[1], y[2], y[3]);
    let i = p[0] * m.powi(3) * h * (v - E_NA) + p[1] * n.powi(4) * (v - E_K) + p[2] * (v - p[3]);
    dy[0] = PER_CAPACITANCE * (STIMULUS - i);
    for (k, [a, _, b, _]) in rates(v).into_iter().enumerate() {
        dy[k + 1] = a * (1.0 - y[k + 1]) - b * y[k + 1];
    }
}

fn hh_jacobian(y: &[f64], p: &[f64], _t: f64, x: &[f64], out: &mut [f64]) {
    let (v, m, h, n) = (y[0], y[1], y[2], y[3]);
    let di = (p[0] * m.powi(3) * h + p[1] * n.powi(4) + p[2]) * x[0]
        + 3.0 * p[0] * m * m * h * (v - E_NA) * x[1]
        + p[0] * m.powi(3) * (v - E_NA) * x[2]
        + 4.0 * p[1] * n.powi(3) * (v - E_K) * x[3];
    out[0] = -PER_CAPACITANCE * di;
    for (k, [a, da, b, db]) in rates(v).into_iter().enumerate() {
        out[k + 1] = (da * (1.0 - y[k + 1]) - db * y[k + 1]) * x[0] - (a + b) * x[k + 1];
    }
}

fn hh_by_theta(y: &[f64], p: &[f64], _t: f64, x: &[f64], out: &mut [f64]) {
    let (v, m, h, n) = (y[0], y[1], y[2], y[3]);
    let di = m.powi(3) * h * (v - E_NA) * x[0] + n.powi(4) * (v - E_K) * x[1] + (v - p[3]) * x[2] - p[2] * x[3];
    out.fill(0.0);
    out[0] = -PER_CAPACITANCE * di;
}

fn hh_start(_p: &[f64], _t: f64, y: &mut [f64]) {
    y[0] = -65.0;
    for (k, [a, _, b, _]) in rates(-65.0).into_iter().enumerate() {
        y[k + 1] = a / (a + b);
    }
}

/// V, then ∂V/∂θ, at `times`.
fn diffsol_hh(times: &[f64]) -> Vec<Vec<f64>> {
    let problem = OdeBuilder::<NalgebraMat<f64>>::new()
        .rtol(1e-10)
        .atol([1e-10])
        .sens_rtol(1e-9)
        .sens_atol([1e-9])
        .p(THETA)
        .rhs_sens_implicit(hh_rhs, hh_jacobian, hh_by_theta)
        .init_sens(
            hh_start,
            |_p: &[f64], _t: f64, _x: &[f64], out: &mut [f64]| out.fill(0.0),
            4,
        )
        .build()
        .expect("a sound problem");
    let mut solver = problem.bdf_sens::<NalgebraLU<f64>>().expect("a solver");
    let (y, sensitivities, _) = solver.solve_dense_sensitivities(times).expect("a solution");
    let row = |m: &dyn Fn(usize) -> f64| (0..times.len()).map(m).collect::<Vec<f64>>();
    let mut out = vec![row(&|j| y[(0, j)])];
    out.extend(sensitivities.iter().map(|s| row(&|j| s[(0, j)])));
    out
}

/// The derivative of the discrete step tends to the derivative of the differential equation, with the step's order.
#[test]
fn sensitivities_converge_to_diffsols() {
    let times: Vec<f64> = (1..=24).map(|k| 0.5 * f64::from(k)).collect();
    let want = diffsol_hh(&times);
    assert!(want[0].iter().any(|&v| v > 0.0), "no spike in {:?}", want[0]);
    let built = catalogue("hh", &["gnabar", "gkbar", "gl", "el"]);
    let mut rows = Vec::new();
    for halvings in 0..4 {
        let per_half_ms = 100 << halvings;
        let dt = 0.5 / f64::from(per_half_ms);
        let mut cell = one_compartment(20.0, 10.0);
        let middle = Location::new(0, 0.5);
        let nanoamp = STIMULUS * 1e-2 * 2.0 * PI * 10.0 * 20.0;
        cell.clamps.push(IClamp::pulse(middle, 0.0, 100.0, nanoamp));
        paint(&mut cell, &built, "hh", &[]);
        let lanes = run(cell, &built, 12.0 + dt, dt, 0, middle);
        let errors = lanes.iter().zip(&want).map(|(got, want)| {
            let at = |k: usize| got[(k + 1) * usize::try_from(per_half_ms).expect("small")];
            largest(want.iter().enumerate().map(|(k, w)| at(k) - w)) / largest(want.iter().copied())
        });
        rows.push((dt, errors.collect()));
    }
    let (table, sound) = convergence(
        "dt/ms, then max error/max of V and of dV/d(gnabar, gkbar, gl, el)",
        &rows,
        &ORDER_ONE,
    );
    println!("{table}");
    assert!(sound, "not of order 1:\n{table}");
}

const G: f64 = 2e-4;
const E: f64 = -70.0;

/// A charged membrane: V = e + J/g (1 − e^{−gt/C}) from V(0) = e.
#[test]
fn a_membranes_charging_is_the_closed_form() {
    let built = catalogue("pas", &["g", "e"]);
    let (t_end, per_capacitance) = (20.0, PER_CAPACITANCE);
    let drive = 0.001; // mA/cm²
    let mut rows = Vec::new();
    for halvings in 0..4 {
        let dt = 0.1 / f64::from(1 << halvings);
        let mut cell = one_compartment(20.0, 10.0);
        cell.properties.v_init_mv.set_default(E).expect("finite");
        let middle = Location::new(0, 0.5);
        cell.clamps
            .push(IClamp::pulse(middle, 0.0, 100.0, drive * 1e-2 * 2.0 * PI * 10.0 * 20.0));
        paint(&mut cell, &built, "pas", &[("g", G), ("e", E)]);
        let lanes = run(cell, &built, t_end, dt, 0, middle);
        let exact = |t: f64| {
            let decay = (-G * per_capacitance * t).exp();
            let by_g = -drive / (G * G) * (1.0 - decay) + drive / G * per_capacitance * t * decay;
            [drive / G * (1.0 - decay), by_g, 1.0 - decay]
        };
        let errors = (0..3).map(|lane| {
            let shift = if lane == 0 { E } else { 0.0 };
            let want: Vec<f64> = (0..lanes[lane].len()).map(|k| exact(k as f64 * dt)[lane]).collect();
            let off = lanes[lane].iter().zip(&want).map(|(got, want)| got - shift - want);
            largest(off) / largest(want.iter().copied())
        });
        rows.push((dt, errors.collect()));
    }
    let (table, sound) = convergence("dt/ms, then max error/max of V and of dV/d(g, e)", &rows, &ORDER_ONE);
    println!("{table}");
    assert!(sound, "not of order 1:\n{table}");
}

/// A uniform cable with sealed ends and a current I into one of them:
/// V = e + I q/(π d g) cosh(q (L − x))/sinh(q L), q² = 4 r g/d.
///
/// # Reference
/// Rall W (1977) Core conductor theory and cable properties of neurons. Handbook of Physiology, cable with sealed end.
#[test]
fn a_cables_steady_state_is_the_closed_form() {
    let built = catalogue("pas", &["g", "e"]);
    // cm, Ohm cm, A; the host's units in the comments
    let (length, diameter, resistivity, current) = (0.1, 2e-4, 100.0, 1e-11); // 1000 um, 2 um, 0.01 nA
    let q = (4.0 * resistivity * G / diameter).sqrt();
    let steady = |x: f64| {
        let (s, c) = ((q * length).sinh(), (q * length).cosh());
        let (sx, cx) = ((q * (length - x)).sinh(), (q * (length - x)).cosh());
        let scale = current / (PI * diameter) * 1e3; // mV
        let dq = q / (2.0 * G);
        let value = scale * q / G * cx / s;
        // d(q/g)/dg = (dq − q/g)/g; d(cosh/sinh)/dq by the quotient rule
        let by_g =
            scale * ((dq - q / G) / G * cx / s + q / G * dq * ((length - x) * sx / s - cx * length * c / (s * s)));
        (value, by_g)
    };
    let mut rows = Vec::new();
    let mut by_e: f64 = 0.0;
    // Every third centre of a mesh is one of the mesh before: errors are compared at the same places.
    let coarsest = 25;
    for n in [25, 75, 225] {
        let places: Vec<usize> = (0..coarsest).map(|i| (i * n + n / 2) / coarsest).collect();
        let mut cell = CellDescription::new(
            cylinder(1000.0, 1.0),
            CvPolicy::FixedPerBranch {
                n,
                interior_forks: false,
            },
        );
        cell.properties.v_init_mv.set_default(E).expect("finite");
        cell.properties.rl_ohm_cm.set_default(resistivity).expect("positive");
        cell.clamps.push(IClamp::pulse(Location::new(0, 0.0), 0.0, 1e9, 0.01));
        paint(&mut cell, &built, "pas", &[("g", G), ("e", E)]);
        let probes: Vec<Probe> = (0..n)
            .flat_map(|cv| ["gd_u__pas_g", "gd_u__pas_e"].map(|ion| (cv, ion)))
            .map(|(cv, ion)| Probe {
                cell: 0,
                kind: ProbeKind::IonInternalInterpolated {
                    ion: ion.into(),
                    weights: vec![(cv, 1.0)],
                },
            })
            .collect();
        let mut simulation = Simulation::new(vec![vec![cell]], std::slice::from_ref(&built.catalogue)).expect("a cell");
        // the membrane's time constant is 5 ms: steps of 5 ms halve each transient, 200 of them end it
        let samples = simulation
            .record(1000.0, 5.0, &Schedule::EveryStep, &probes)
            .expect("a stable run");
        let last = &samples.values[samples.values.len() - probes.len()..];
        let voltage = simulation.voltage(0).expect("cell 0");
        let want: Vec<(f64, f64)> = (0..n).map(|i| steady((i as f64 + 0.5) * length / n as f64)).collect();
        let off_v = largest(places.iter().map(|&i| voltage[i] - E - want[i].0)) / largest(want.iter().map(|w| w.0));
        let off_g = largest(places.iter().map(|&i| last[2 * i] - want[i].1)) / largest(want.iter().map(|w| w.1));
        by_e = by_e.max(largest((0..n).map(|i| last[2 * i + 1] - 1.0)));
        rows.push((1000.0 / n as f64, vec![off_v, off_g]));
    }
    let (table, sound) = convergence("dx/um, then max error/max of V and of dV/dg", &rows, &ORDER_TWO);
    println!("{table}dV/de − 1: {by_e:.1e}");
    assert!(sound, "not of order 2:\n{table}");
    // the battery moves everything with it, whatever the mesh
    assert!(by_e < 1e-12, "dV/de = 1 + {by_e:e}");
}
