//! One compartment, stepped by the book over the compiler's reference interpreter, with any kind of number: doubles give
//! voltages, dual numbers give sensitivities. Knows nothing of `pass::differentiate`, of C, or of the carrier.

use compiler::ir::graph::{Binary, ExprId, Leaf};
use compiler::ir::interp::{Scalar, evaluate};
use compiler::ir::mechanism::{IonQuantity, Kernel, Mechanism, Output};

/// What to simulate.
pub(crate) struct Model<'a> {
    /// In the order of their names.
    pub(crate) mechanisms: Vec<&'a Mechanism>,
    pub(crate) area_um2: f64,
    pub(crate) cm_f_per_m2: f64,
    pub(crate) v_init_mv: f64,
    pub(crate) celsius: f64,
    pub(crate) diam_um: f64,
    /// (start, duration in ms, amplitude in nA).
    pub(crate) pulses: Vec<(f64, f64, f64)>,
    pub(crate) dt_ms: f64,
    pub(crate) steps: usize,
}

/// The voltage and the states of every mechanism at the start of each step.
pub(crate) struct Moment<T> {
    pub(crate) v: T,
    pub(crate) states: Vec<Vec<T>>,
}

fn add<T: Scalar>(a: T, b: T) -> T {
    a.binary(Binary::Add, b)
}

fn sub<T: Scalar>(a: T, b: T) -> T {
    a.binary(Binary::Sub, b)
}

fn mul<T: Scalar>(a: f64, b: T) -> T {
    T::constant(a).binary(Binary::Mul, b)
}

/// Arbor's default ions (host-numerics.md §5.1).
fn reversal_mv(ion: &str) -> f64 {
    match ion {
        "na" => 50.0,
        "k" => -77.0,
        "ca" => 12.5 * (2.0f64 / 5e-5).ln(),
        other => unreachable!("the library uses no {other}"),
    }
}

impl Model<'_> {
    fn input<T: Scalar>(&self, m: &Mechanism, leaf: Leaf, v: T, dt: f64, states: &[T], parameters: &[T]) -> T {
        match leaf {
            Leaf::Voltage => v,
            Leaf::Dt => T::constant(dt),
            Leaf::Celsius => T::constant(self.celsius),
            Leaf::Diam => T::constant(self.diam_um),
            Leaf::Area => T::constant(self.area_um2),
            Leaf::Parameter(i) => parameters[i as usize],
            Leaf::Global(i) => T::constant(m.globals[i as usize].default),
            Leaf::State(i) => states[i as usize],
            Leaf::IonRead(i) => {
                let read = m.ion_reads[i as usize];
                assert_eq!(read.quantity, IonQuantity::ReversalPotential);
                T::constant(reversal_mv(&m.ions[read.ion].name))
            }
            _ => unreachable!("the mechanisms of these tests read no {leaf:?}"),
        }
    }

    /// Runs, with `parameter` giving the value of each parameter of each mechanism from its default.
    pub(crate) fn run<T: Scalar>(&self, parameter: &dyn Fn(&str, &str, f64) -> T) -> Vec<Moment<T>> {
        let parameters: Vec<Vec<T>> = self
            .mechanisms
            .iter()
            .map(|m| {
                m.parameters
                    .iter()
                    .map(|p| parameter(&m.name, &p.name, p.default))
                    .collect()
            })
            .collect();
        let mut v = T::constant(self.v_init_mv);
        let mut states: Vec<Vec<T>> = self
            .mechanisms
            .iter()
            .map(|m| vec![T::constant(f64::NAN); m.states.len()])
            .collect();
        let kernel = |k: usize, roots: &[ExprId], v: T, dt: f64, s: &[T]| -> Vec<T> {
            let m = self.mechanisms[k];
            evaluate(&m.graph, roots, |leaf| self.input(m, leaf, v, dt, s, &parameters[k]))
        };
        let update = |k: usize, of: &Kernel, v: T, dt: f64, s: &mut [T]| {
            let updates: Vec<(usize, ExprId)> = of.states().collect();
            let roots: Vec<ExprId> = updates.iter().map(|u| u.1).collect();
            for (&(state, _), value) in updates.iter().zip(kernel(k, &roots, v, dt, s)) {
                s[state] = value;
            }
        };
        for (k, m) in self.mechanisms.iter().enumerate() {
            update(k, &m.init, v, 0.0, &mut states[k]);
        }
        let capacitance = self.cm_f_per_m2 * self.area_um2;
        let mut out = Vec::with_capacity(self.steps);
        for step in 0..self.steps {
            let (t0, t1) = (step as f64 * self.dt_ms, (step + 1) as f64 * self.dt_ms);
            let dt = t1 - t0;
            // A/m2 and kS/m2, as the kernels accumulate them
            let (mut i, mut g) = (T::constant(0.0), T::constant(0.0));
            for (k, m) in self.mechanisms.iter().enumerate() {
                let results = [Output::Current, Output::Conductance].map(|o| m.currents.get(o));
                if let [Some(current), Some(conductance)] = results {
                    let values = kernel(k, &[current, conductance], v, dt, &states[k]);
                    i = add(i, mul(10.0, values[0]));
                    g = add(g, mul(10.0, values[1]));
                }
                update(k, &m.currents, v, dt, &mut states[k]);
            }
            for &(start, duration, amplitude) in &self.pulses {
                if start <= t0 && t0 < start + duration {
                    i = sub(i, T::constant(amplitude * 1000.0 / self.area_um2));
                }
            }
            out.push(Moment {
                v,
                states: states.clone(),
            });
            // (C/dt + g) V' = (C/dt + g) V - i
            let area = 1e-3 * self.area_um2;
            let own = add(T::constant(1e-3 / dt * capacitance), mul(area, g));
            let right = sub(own.binary(Binary::Mul, v), mul(area, i));
            v = right.binary(Binary::Div, own);
            for (k, m) in self.mechanisms.iter().enumerate() {
                update(k, &m.advance, v, dt, &mut states[k]);
            }
        }
        out
    }
}
