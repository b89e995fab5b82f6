//! What is emitted after the last pass has the values that the passes before it had in mind: both graphs, evaluated on
//! the same numbers, for every kernel of the library and all its partials.

use std::fs;
use std::path::{Path, PathBuf};

use compiler::ir::graph::{ExprId, Leaf};
use compiler::ir::interp::evaluate;
use compiler::ir::mechanism::{Hook, Mechanism, Output};
use compiler::pass::economise::economise;
use compiler::{Integrator, Options, SlotSpec, Source, compile};

/// New states, of the order of 1: rounding, up to a power of 16.
const STATES: f64 = 1e-12;
/// Partials, and conductances that are difference quotients over a microvolt: behind cancellations.
const OTHERS: f64 = 1e-9;

/// xorshift64*
struct Random(u64);

impl Random {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let unit = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64;
        low + (high - low) * unit
    }
}

fn library() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["mechanisms", "tests"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder").flatten() {
            // benchmarks hold derivatives written by hand, which cancel twice
            if entry.file_name() == "bench" {
                continue;
            }
            let files = fs::read_dir(entry.path()).into_iter().flatten().flatten();
            paths.extend(
                files
                    .map(|f| f.path())
                    .filter(|p| p.extension().is_some_and(|e| e == "mod")),
            );
        }
    }
    paths.sort();
    paths
}

/// Plausible values of all leaves of a mechanism, the same for the same leaf.
fn input(m: &Mechanism, seed: u64) -> impl Fn(Leaf) -> f64 {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0xd134_2543_de82_ef95));
    let mut parameter = |default: f64| {
        if default.is_finite() {
            default * random.between(0.8, 1.2)
        } else {
            1.0
        }
    };
    let parameters: Vec<f64> = m.parameters.iter().map(|p| parameter(p.default)).collect();
    let globals: Vec<f64> = m.globals.iter().map(|p| parameter(p.default)).collect();
    let states: Vec<f64> = m.states.iter().map(|_| random.between(0.01, 0.99)).collect();
    let reads: Vec<f64> = m.ion_reads.iter().map(|_| random.between(0.01, 60.0)).collect();
    let (v, peer, celsius) = (
        random.between(-100.0, 60.0),
        random.between(-100.0, 60.0),
        random.between(5.0, 37.0),
    );
    move |leaf| match leaf {
        Leaf::Voltage => v,
        Leaf::PeerVoltage => peer,
        Leaf::Dt => 0.025,
        Leaf::Celsius => celsius,
        Leaf::Diam => 3.0,
        Leaf::Area => 200.0,
        Leaf::Parameter(i) => parameters[i as usize],
        Leaf::Global(i) => globals[i as usize],
        Leaf::State(i) => states[i as usize],
        Leaf::IonRead(i) => reads[i as usize],
        Leaf::Noise(_) => 0.3,
        Leaf::EventWeight => 0.01,
        Leaf::SinceSpike => 0.01,
        Leaf::Placeholder(_) => f64::NAN,
    }
}

#[test]
fn the_library_keeps_its_values() {
    let (mut compared, mut fewer) = (0, 0);
    for path in library() {
        let name = path.display().to_string();
        // among the tests' files are some that are no text
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for integrator in [Integrator::Arbor, Integrator::Neuron] {
            let plain = |slots| {
                let source = Source {
                    name: name.clone(),
                    text: text.clone(),
                };
                compile(
                    &[source],
                    &Options {
                        slots,
                        integrator,
                        ..Options::default()
                    },
                )
            };
            let Ok(first) = plain(Vec::new()) else { continue };
            let m = &first.mechanisms[0];
            let slots = m.parameters.iter().map(|p| SlotSpec {
                name: p.name.clone(),
                targets: vec![(m.name.clone(), p.name.clone())],
            });
            let Ok(compiled) = plain(slots.collect()) else { continue };
            let Some(tangent) = compiled.tangents.first() else {
                continue;
            };
            let m = &tangent.mechanism;
            for hook in Hook::ALL {
                let values = m.kernel(hook).roots();
                let is_state = |k: usize| {
                    m.kernel(hook)
                        .outputs
                        .get(k)
                        .is_some_and(|(o, _)| matches!(o, Output::State(_)))
                };
                let mut roots = values.clone();
                roots.extend(tangent.kernel(hook).iter().flat_map(|(_, p)| p).map(|&(_, e)| e));
                let out = economise(m, &values, &roots);
                let images: Vec<ExprId> = roots.iter().map(|r| out.image[r]).collect();
                fewer += m
                    .graph
                    .reachable(&roots)
                    .len()
                    .saturating_sub(out.graph.reachable(&images).len());
                for seed in 0..200 {
                    let leaves = input(m, seed);
                    let before: Vec<f64> = evaluate(&m.graph, &roots, &leaves);
                    let after: Vec<f64> = evaluate(&out.graph, &images, &leaves);
                    for (k, (a, b)) in before.iter().zip(&after).enumerate() {
                        let (tolerance, floor) = if is_state(k) { (STATES, 1.0) } else { (OTHERS, 1e-3) };
                        let close = (a - b).abs() <= tolerance * (a.abs().max(floor))
                            || (a.is_nan() && b.is_nan())
                            || a.to_bits() == b.to_bits();
                        assert!(close, "{name} {} root {k} seed {seed}: {a:e} became {b:e}", hook.name());
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(
        compared > 100_000 && fewer > 0,
        "compared {compared} values, saved {fewer} nodes"
    );
}
