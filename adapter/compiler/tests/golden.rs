//! What the compiler makes of the mechanism library, as files to read in a diff: `UPDATE_EXPECT=1` writes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use compiler::ir::graph::{Binary, ExprId, Graph, Node, Unary};
use compiler::ir::mechanism::{Hook, Mechanism};
use compiler::pass::differentiate::Tangent;
use compiler::{Compiled, Integrator, Options, SlotSpec, Source, compile};
use expect_test::expect_file;

/// Name, file relative to the repository, and the parameters that get a slot: a conductance and, where the kernels
/// depend on one nonlinearly, another.
const LIBRARY: [(&str, &str, &[&str]); 9] = [
    ("branchy", "tests/mod/branchy.mod", &["gbar", "shift"]),
    ("ca_hva", "mechanisms/ca_hva/ca_hva.mod", &["gbar"]),
    ("coupled", "tests/mod/coupled.mod", &["gbar", "vhalf"]),
    ("hh", "mechanisms/hh/hh.mod", &["gnabar", "gkbar"]),
    ("ih", "mechanisms/ih/ih.mod", &["gbar"]),
    ("kv", "mechanisms/kv/kv.mod", &["gbar"]),
    ("na", "mechanisms/na/na.mod", &["gbar"]),
    ("pas", "mechanisms/pas/pas.mod", &["g", "e"]),
    ("r1", "mechanisms/r1/r1.mod", &["w"]),
];

fn compiled(name: &str, file: &str, parameters: &[&str], integrator: Integrator) -> Compiled {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let source = Source {
        name: file.into(),
        text: fs::read_to_string(path).expect("a mechanism of the repository"),
    };
    let slot = |p: &&str| SlotSpec {
        name: (*p).into(),
        targets: vec![(name.into(), (*p).into())],
    };
    let slots = parameters.iter().map(slot).collect();
    let options = Options {
        slots,
        integrator,
        ..Options::default()
    };
    compile(&[source], &options).expect("the library compiles")
}

fn golden(path: impl Into<PathBuf>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(path.into())
}

#[test]
fn mechanisms_as_json() {
    for (name, file, parameters) in LIBRARY {
        let json = compiled(name, file, parameters, Integrator::Arbor).json();
        assert_eq!(json.len(), 1);
        assert_eq!(json[0].0, name);
        expect_file![golden(format!("json/{name}.json"))].assert_eq(&json[0].1);
    }
}

/// The smallest catalogue with a slot. Header and numerics are files of their own, so the golden begins after them.
#[test]
fn pas_with_one_slot_as_c() {
    let (name, file, _) = LIBRARY[7];
    let c = compiled(name, file, &["g"], Integrator::Arbor).c_source;
    let start = c.find("static void gd_nothing").expect("the end of the preamble");
    expect_file![golden("c/pas.c")].assert_eq(&c[start..]);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for (name, file, parameters) in LIBRARY {
        for integrator in [Integrator::Arbor, Integrator::Neuron] {
            let once = compiled(name, file, parameters, integrator);
            let again = compiled(name, file, parameters, integrator);
            assert!(once.c_source == again.c_source, "{name}");
            assert_eq!(once.json(), again.json());
        }
    }
}

/// What costs: transcendental functions and divisions, then products and sums.
#[derive(Default)]
struct Counts {
    functions: usize,
    div: usize,
    mul: usize,
    add: usize,
    select: usize,
}

fn count(g: &Graph, roots: &[ExprId]) -> Counts {
    let mut n = Counts::default();
    for id in g.reachable(roots) {
        match g.node(id) {
            Node::Unary(
                Unary::Exp
                | Unary::Log
                | Unary::Sqrt
                | Unary::Sin
                | Unary::Cos
                | Unary::Asin
                | Unary::Acos
                | Unary::Atan
                | Unary::Tanh
                | Unary::Exprelr
                | Unary::DExprelr,
                _,
            )
            | Node::Binary(Binary::Pow, ..) => n.functions += 1,
            Node::Binary(Binary::Div, ..) => n.div += 1,
            Node::Binary(Binary::Mul, ..) => n.mul += 1,
            Node::Binary(Binary::Add | Binary::Sub, ..) => n.add += 1,
            Node::Select(..) => n.select += 1,
            Node::Const(_)
            | Node::Leaf(_)
            | Node::Unary(Unary::Neg | Unary::Abs | Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Not, _)
            | Node::Binary(
                Binary::Min
                | Binary::Max
                | Binary::Lt
                | Binary::Le
                | Binary::Eq
                | Binary::Ne
                | Binary::And
                | Binary::Or,
                ..,
            ) => {}
        }
    }
    n
}

/// (kernel, roots of the mechanism alone, roots with the partials).
fn kernels(m: &Mechanism, t: &Tangent) -> Vec<(&'static str, Vec<ExprId>, Vec<ExprId>)> {
    Hook::ALL
        .into_iter()
        .filter(|&hook| !m.kernel(hook).outputs.is_empty())
        .map(|hook| {
            let mut with = t.mechanism.kernel(hook).roots();
            with.extend(t.kernel(hook).iter().flat_map(|(_, p)| p).map(|&(_, e)| e));
            (hook.name(), m.kernel(hook).roots(), with)
        })
        .collect()
}

/// The work per instance and step, independent of the number of slots; what comes on top per slot are the sums over
/// the partials. A change here is a change in speed.
#[test]
fn operation_counts() {
    let mut table = String::from(
        "operations per instance: plain -> with the partials of the tangent\n\
         functions: exp, log, sqrt, sin, …, pow; exprelr and its derivative count as one\n\n",
    );
    let _ = writeln!(
        table,
        "{:<8} {:<7} {:<9} {:>10} {:>10} {:>12} {:>12} {:>10}",
        "name", "form", "kernel", "functions", "div", "mul", "add", "select"
    );
    for (name, file, parameters) in LIBRARY {
        for integrator in [Integrator::Arbor, Integrator::Neuron] {
            let c = compiled(name, file, parameters, integrator);
            let (m, t) = (&c.mechanisms[0], &c.tangents[0]);
            for (kernel, plain, full) in kernels(m, t) {
                let (a, b) = (count(&m.graph, &plain), count(&t.mechanism.graph, &full));
                let pair = |x: usize, y: usize| format!("{x} -> {y}");
                let _ = writeln!(
                    table,
                    "{name:<8} {:<7} {kernel:<9} {:>10} {:>10} {:>12} {:>12} {:>10}",
                    integrator.as_str(),
                    pair(a.functions, b.functions),
                    pair(a.div, b.div),
                    pair(a.mul, b.mul),
                    pair(a.add, b.add),
                    pair(a.select, b.select)
                );
            }
        }
    }
    expect_file![golden("operations.txt")].assert_eq(&table);
}
