//! Symbolic partials against dual numbers, which know nothing of them, and the graph's simplifications against a naive
//! evaluation that knows nothing of the graph.

use std::fs;
use std::path::{Path, PathBuf};

use compiler::ir::graph::{Binary, ExprId, Graph, Leaf, Node, Type, Unary};
use compiler::ir::interp::{Dual, evaluate};
use compiler::ir::mechanism::{Hook, IonQuantity, Mechanism, Output};
use compiler::ir::verify::verify;
use compiler::pass::differentiate::{Partials, derivatives};
use compiler::{Integrator, Keep, Options, SlotSpec, Source, compile};
use proptest::prelude::*;

/// Partials and dual numbers order their operations differently: relative to the largest intermediate derivative.
const PARTIALS: f64 = 1e-12;
/// Rewriting reorders no sum and no product, but for the squaring of integer powers and `b^x = e^(x ln b)`.
const REWRITES: f64 = 1e-12;

const N_LEAVES: usize = 4;

/// An expression as written, without sharing or simplification.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(usize),
    Const(f64),
    Unary(Unary, Box<Tree>),
    Binary(Binary, Box<Tree>, Box<Tree>),
    /// `a < b ? c : d`, with the comparison and whether it is negated.
    Select(Binary, bool, [Box<Tree>; 4]),
}

fn leaf(i: usize) -> Leaf {
    [Leaf::Voltage, Leaf::Dt, Leaf::State(0), Leaf::Parameter(0)][i]
}

/// x/(e^x − 1), from its definition, which is good away from 0, and its series near it.
fn exprelr(x: f64) -> f64 {
    if x.abs() < 1e-3 {
        1.0 - x / 2.0 + x * x / 12.0
    } else {
        x / (x.exp() - 1.0)
    }
}

impl Tree {
    fn build(&self, g: &mut Graph) -> ExprId {
        match self {
            Tree::Leaf(i) => g.leaf(leaf(*i)),
            Tree::Const(c) => g.constant(*c),
            Tree::Unary(op, a) => {
                let a = a.build(g);
                g.unary(*op, a)
            }
            Tree::Binary(op, a, b) => {
                let (a, b) = (a.build(g), b.build(g));
                g.binary(*op, a, b)
            }
            Tree::Select(op, negated, [a, b, c, d]) => {
                let (a, b) = (a.build(g), b.build(g));
                let mut condition = g.binary(*op, a, b);
                if *negated && g.type_of(condition) == Type::Truth {
                    condition = g.unary(Unary::Not, condition);
                }
                let (c, d) = (c.build(g), d.build(g));
                g.select(condition, c, d)
            }
        }
    }

    /// The value and the largest magnitude met on the way, which scales the rounding error.
    fn value(&self, x: &[f64; N_LEAVES], scale: &mut f64) -> f64 {
        let value = match self {
            Tree::Leaf(i) => x[*i],
            Tree::Const(c) => *c,
            Tree::Unary(op, a) => {
                let a = a.value(x, scale);
                match op {
                    Unary::Neg => -a,
                    Unary::Exp => a.exp(),
                    Unary::Log => a.ln(),
                    Unary::Sqrt => a.sqrt(),
                    Unary::Sin => a.sin(),
                    Unary::Cos => a.cos(),
                    Unary::Asin => a.asin(),
                    Unary::Acos => a.acos(),
                    Unary::Atan => a.atan(),
                    Unary::Tanh => a.tanh(),
                    Unary::Abs => a.abs(),
                    Unary::Floor => a.floor(),
                    Unary::Ceil => a.ceil(),
                    Unary::Trunc => a.trunc(),
                    Unary::Exprelr => exprelr(a),
                    Unary::DExprelr | Unary::Not => unreachable!("not generated"),
                }
            }
            Tree::Binary(op, a, b) => {
                let (a, b) = (a.value(x, scale), b.value(x, scale));
                match op {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Pow => a.powf(b),
                    Binary::Min => a.min(b),
                    Binary::Max => a.max(b),
                    Binary::Lt | Binary::Le | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => {
                        unreachable!("not generated")
                    }
                }
            }
            Tree::Select(op, negated, [a, b, c, d]) => {
                let (a, b) = (a.value(x, scale), b.value(x, scale));
                let (c, d) = (c.value(x, scale), d.value(x, scale));
                let truth = match op {
                    Binary::Lt => a < b,
                    _ => a <= b,
                };
                if truth != *negated { c } else { d }
            }
        };
        // NaN must stick: f64::max would drop it
        if value.is_nan() || value.abs() > *scale {
            *scale = value.abs();
        }
        value
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let constants = prop_oneof![
        Just(0.0),
        Just(1.0),
        Just(-1.0),
        Just(2.0),
        Just(0.5),
        Just(3.0),
        Just(-2.0),
        -3.0..3.0f64
    ];
    let atom = prop_oneof![3 => (0..N_LEAVES).prop_map(Tree::Leaf), 1 => constants.prop_map(Tree::Const)];
    let unary = prop::sample::select(vec![
        Unary::Neg,
        Unary::Exp,
        Unary::Log,
        Unary::Sqrt,
        Unary::Sin,
        Unary::Cos,
        Unary::Asin,
        Unary::Acos,
        Unary::Atan,
        Unary::Tanh,
        Unary::Abs,
        Unary::Floor,
        Unary::Ceil,
        Unary::Trunc,
        Unary::Exprelr,
    ]);
    let binary = prop::sample::select(vec![
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Pow,
        Binary::Min,
        Binary::Max,
    ]);
    atom.prop_recursive(6, 48, 4, move |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            2 => (unary.clone(), boxed()).prop_map(|(op, a)| Tree::Unary(op, a)),
            4 => (binary.clone(), boxed(), boxed()).prop_map(|(op, a, b)| Tree::Binary(op, a, b)),
            1 => (prop::sample::select(vec![Binary::Lt, Binary::Le]), any::<bool>(), boxed(), boxed(), boxed(), boxed())
                .prop_map(|(op, negated, a, b, c, d)| Tree::Select(op, negated, [a, b, c, d])),
        ]
    })
}

fn read(x: [f64; N_LEAVES]) -> impl Fn(Leaf) -> f64 {
    move |l| (0..N_LEAVES).find(|&i| leaf(i) == l).map_or(f64::NAN, |i| x[i])
}

/// True if a varying power has a negative base, where an integer exponent gives it a value but no slope in the exponent,
/// or is 0^b near 0^0.
fn powerless(g: &Graph, nodes: &[ExprId], at: &dyn Fn(Leaf) -> f64) -> bool {
    nodes.iter().any(|&id| match g.node(id) {
        Node::Binary(Binary::Pow, a, b) if g.as_constant(b).is_none() => {
            let values = evaluate(g, &[a, b], at);
            values[0] < 0.0 || (values[0] <= 0.0 && values[1] < 1.0)
        }
        _ => false,
    })
}

/// Compares every partial of `roots` with dual numbers; returns how many could be compared.
fn partials_agree(g: &mut Graph, roots: &[ExprId], leaves: &[Leaf], at: &dyn Fn(Leaf) -> f64) -> Result<usize, String> {
    let mut compared = 0;
    for &wrt in leaves {
        let before = g.len();
        let partials = derivatives(g, roots, wrt);
        let symbolic: Vec<f64> = evaluate(g, &partials, at);
        let all: Vec<ExprId> = g.ids().take(before).filter(|&i| g.type_of(i) == Type::Number).collect();
        let dual = |l: Leaf| Dual::new(at(l), if l == wrt { 1.0 } else { 0.0 });
        let duals: Vec<Dual> = evaluate(g, roots, dual);
        // Errors are relative to what was added up: the largest value or derivative below the root.
        for ((root, got), want) in roots.iter().zip(symbolic).zip(duals) {
            let below = g.reachable(&[*root]);
            let scale = all
                .iter()
                .zip(evaluate(g, &all, dual))
                .filter(|(id, _)| below.contains(id))
                .map(|(_, d)| {
                    d.tangent.abs().max(if d.value.is_finite() {
                        d.value.abs()
                    } else {
                        f64::INFINITY
                    })
                })
                .fold(1.0f64, |a, b| if b.is_nan() { f64::INFINITY } else { a.max(b) });
            if scale >= 1e6 || !want.tangent.is_finite() || powerless(g, &below, at) {
                continue; // a pole, or so near one that rounding decides
            }
            compared += 1;
            let error = (got - want.tangent).abs();
            if error.is_nan() || error > PARTIALS * scale {
                return Err(format!(
                    "∂/∂{wrt:?}: symbolic {got:e}, dual {:e}, scale {scale:e}",
                    want.tangent
                ));
            }
        }
    }
    Ok(compared)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, max_global_rejects: 5000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(14), ..ProptestConfig::default() })]

    #[test]
    fn partials_of_random_expressions_equal_dual_numbers(
        trees in prop::collection::vec(tree(), 1..4),
        x in prop::array::uniform4(-2.0..2.0f64),
    ) {
        let mut g = Graph::default();
        let roots: Vec<ExprId> = trees.iter().map(|t| t.build(&mut g)).collect();
        let leaves: Vec<Leaf> = (0..N_LEAVES).map(leaf).collect();
        partials_agree(&mut g, &roots, &leaves, &read(x)).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn simplification_preserves_values(t in tree(), x in prop::array::uniform4(-2.0..2.0f64)) {
        let mut scale = 1.0;
        let want = t.value(&x, &mut scale);
        // 0·x = 0 is applied to infinite and undefined x on purpose, so those are not compared
        prop_assume!(scale < 1e6);
        let mut g = Graph::default();
        let root = t.build(&mut g);
        let got: f64 = evaluate(&g, &[root], read(x))[0];
        prop_assert!((got - want).abs() <= REWRITES * scale, "{} for {}", got, want);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The mechanism library and the test mechanisms.
fn library() -> Vec<Source> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let folder = |p: PathBuf| {
        fs::read_dir(p)
            .expect("a folder of the repository")
            .map(|e| e.expect("an entry").path())
    };
    for catalogue in folder(root().join("mechanisms")).filter(|p| p.is_dir()) {
        paths.extend(folder(catalogue));
    }
    paths.extend(folder(root().join("tests/mod")));
    paths.retain(|p| p.extension().is_some_and(|e| e == "mod"));
    paths.sort();
    let read = |p: PathBuf| Source {
        name: p.display().to_string(),
        text: fs::read_to_string(&p).expect("a mechanism is UTF-8"),
    };
    paths.into_iter().map(read).collect()
}

/// One slot per parameter of the mechanism, RANGE or not.
fn every_parameter(m: &Mechanism) -> Vec<SlotSpec> {
    let fields = m.parameters.iter().chain(&m.globals);
    fields
        .map(|f| SlotSpec {
            name: f.name.clone(),
            targets: vec![(m.name.clone(), f.name.clone())],
        })
        .collect()
}

/// Inputs of a mechanism, random but physiological.
fn inputs(m: &Mechanism, draw: &mut dyn FnMut(f64, f64) -> f64) -> Box<dyn Fn(Leaf) -> f64> {
    let states: Vec<f64> = m
        .states
        .iter()
        .map(|s| {
            if s.unit == "ms" {
                draw(0.0, 320.0)
            } else {
                draw(0.01, 0.99)
            }
        })
        .collect();
    let near = |fields: &[compiler::ir::mechanism::Field], draw: &mut dyn FnMut(f64, f64) -> f64| -> Vec<f64> {
        fields
            .iter()
            .map(|f| f.default * draw(0.8, 1.2) + draw(0.0, 0.01))
            .collect()
    };
    let parameters = near(&m.parameters, draw);
    let globals = near(&m.globals, draw);
    let reversals: Vec<f64> = m
        .ion_reads
        .iter()
        .map(|r| match r.quantity {
            IonQuantity::ReversalPotential | IonQuantity::Current => draw(-90.0, 140.0),
            IonQuantity::Internal | IonQuantity::External | IonQuantity::Diffusive => draw(1e-5, 3.0),
            IonQuantity::Charge => 2.0,
        })
        .collect();
    let events: Vec<f64> = (0..3).map(|_| draw(-1.0, 1.0)).collect();
    let (v, dt, celsius) = (draw(-120.0, 60.0), draw(0.005, 0.1), draw(5.0, 37.0));
    Box::new(move |l| match l {
        Leaf::Voltage => v,
        Leaf::Dt => dt,
        Leaf::Celsius => celsius,
        Leaf::Diam => 2.0,
        Leaf::Area => 100.0,
        Leaf::Parameter(i) => parameters[i as usize],
        Leaf::Global(i) => globals[i as usize],
        Leaf::State(i) => states[i as usize],
        Leaf::IonRead(i) => reversals[i as usize],
        Leaf::PeerVoltage => events[0] * 60.0,
        Leaf::Noise(_) => events[1],
        Leaf::EventWeight => events[2],
        Leaf::SinceSpike | Leaf::Placeholder(_) => f64::NAN,
    })
}

fn draws(seed: u64) -> impl FnMut(f64, f64) -> f64 {
    let mut state = seed;
    move |low, high| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * (state >> 11) as f64 * 2f64.powi(-53)
    }
}

/// Every kernel of every mechanism: the tangent that is emitted, against dual numbers through the kernel itself. Where
/// the tangent has no entry, the dual number must say zero.
#[test]
fn tangents_of_the_library_equal_dual_numbers() {
    let library = library();
    assert!(library.len() >= 9, "only {} mechanisms found", library.len());
    // with Keep::Named of nothing as much is pruned as can be
    for (source, integrator, keep) in library.iter().flat_map(|s| {
        let none = Keep::Named(Vec::new());
        [
            (s, Integrator::Arbor, Keep::Readable),
            (s, Integrator::Neuron, Keep::Readable),
            (s, Integrator::Arbor, none),
        ]
    }) {
        let options = |slots| Options {
            slots,
            integrator,
            keep: keep.clone(),
            ..Options::default()
        };
        let plain = compile(std::slice::from_ref(source), &options(Vec::new())).unwrap();
        let slots = every_parameter(&plain.mechanisms[0]);
        let compiled = compile(std::slice::from_ref(source), &options(slots)).unwrap();
        let t = &compiled.tangents[0];
        let m = &t.mechanism;
        assert_eq!(verify(m), Vec::new());
        let mut kernels: Vec<(ExprId, Partials)> = Vec::new();
        for hook in Hook::ALL {
            for &(output, expr) in &m.kernel(hook).outputs {
                let found = t.kernel(hook).iter().find(|(o, _)| *o == output);
                let carried = match output {
                    Output::State(s) => t.active.contains(&s),
                    Output::Current | Output::Conductance | Output::Voltage => true,
                    Output::IonCurrent(i) | Output::Reversal(i) | Output::Diffusive(i) => t.ions.contains(&i),
                };
                if carried {
                    kernels.push((expr, found.map(|(_, p)| p.clone()).unwrap_or_default()));
                }
            }
        }
        let leaf = |i: usize| u32::try_from(i).unwrap();
        let mut wrt: Vec<Leaf> = vec![Leaf::Voltage];
        // what is carried depends on nothing that was pruned: there is no sensitivity to multiply
        let read = kernels.iter().flat_map(|(_, p)| p);
        let idle = |l: &Leaf| matches!(l, Leaf::State(s) if !t.active.contains(&(*s as usize)));
        assert!(!read.into_iter().any(|(l, _)| idle(l)), "{}", m.name);
        wrt.extend(t.active.iter().chain(&t.pruned).map(|&s| Leaf::State(leaf(s))));
        wrt.extend(t.parameters.iter().map(|&p| Leaf::Parameter(leaf(p))));
        let read = kernels.iter().flat_map(|(_, p)| p).map(|&(l, _)| l);
        wrt.extend(read.filter(|l| matches!(l, Leaf::IonRead(_) | Leaf::PeerVoltage)));
        wrt.sort_unstable();
        wrt.dedup();
        let outputs: Vec<ExprId> = kernels.iter().map(|k| k.0).collect();
        let numbers: Vec<ExprId> = m
            .graph
            .reachable(&outputs)
            .into_iter()
            .filter(|&i| m.graph.type_of(i) == Type::Number)
            .collect();
        let below: Vec<Vec<ExprId>> = outputs.iter().map(|&o| m.graph.reachable(&[o])).collect();
        let mut draw = draws(7);
        for _ in 0..50 {
            let at = inputs(m, &mut draw);
            for &x in &wrt {
                let all = evaluate(&m.graph, &numbers, |l| Dual::new(at(l), if l == x { 1.0 } else { 0.0 }));
                let at_node = |id: ExprId| all[numbers.iter().position(|&n| n == id).unwrap()];
                for ((output, partials), below) in kernels.iter().zip(&below) {
                    let symbolic = partials.iter().find(|p| p.0 == x).map(|p| p.1);
                    let got: f64 = symbolic.map_or(0.0, |e| evaluate(&m.graph, &[e], &at)[0]);
                    let want = at_node(*output).tangent;
                    let scale = below
                        .iter()
                        .filter(|id| numbers.contains(id))
                        .map(|&id| at_node(id).tangent.abs())
                        .fold(want.abs(), f64::max);
                    assert!(
                        (got - want).abs() <= PARTIALS * scale,
                        "{} ({integrator:?}): {got:e}, dual numbers {want:e}, scale {scale:e}, wrt {x:?}",
                        m.name
                    );
                }
            }
        }
    }
}
