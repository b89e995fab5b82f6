//! The work of every kernel of the mechanism library, as a table to read in a diff: `UPDATE_EXPECT=1` writes it anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use compiler::ir::graph::{Binary, ExprId, Graph, Leaf, Node, Unary};
use compiler::ir::mechanism::{Hook, Mechanism, Output};
use compiler::pass::differentiate::{Partials, Tangent};
use compiler::pass::economise::economise;
use compiler::{Compiled, Integrator, Options, SlotSpec, Source, compile};
use expect_test::expect_file;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every `.mod` of the library, by path.
fn library() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in fs::read_dir(root().join("mechanisms")).expect("the library").flatten() {
        let files = fs::read_dir(folder.path()).into_iter().flatten().flatten();
        paths.extend(
            files
                .map(|f| f.path())
                .filter(|p| p.extension().is_some_and(|e| e == "mod")),
        );
    }
    paths.sort();
    let source = |path: &PathBuf| Source {
        name: path.display().to_string(),
        text: fs::read_to_string(path).expect("a file of the library"),
    };
    paths.iter().map(source).collect()
}

fn compiled(source: &Source, integrator: Integrator, parameters: &[String]) -> Compiled {
    let mechanism = compiler::syntax::parse(&source.text)
        .0
        .neuron
        .suffix
        .expect("a SUFFIX")
        .name;
    let slot = |p: &String| SlotSpec {
        name: p.clone(),
        targets: vec![(mechanism.clone(), p.clone())],
    };
    let options = Options {
        slots: parameters.iter().map(slot).collect(),
        integrator,
        ..Options::default()
    };
    compile(std::slice::from_ref(source), &options).expect("the library compiles, whatever has a slot")
}

/// All that can have a slot.
fn parameters(m: &Mechanism) -> Vec<String> {
    m.parameters.iter().chain(&m.globals).map(|f| f.name.clone()).collect()
}

#[derive(Default)]
struct Counts {
    exp: usize,
    log: usize,
    pow: usize,
    other: usize,
    div: usize,
    mul: usize,
    add: usize,
    select: usize,
}

/// Operations of each instance, as emitted: what depends on dt, globals and the temperature alone is computed once, before
/// the loop.
fn count(m: &Mechanism, values: &[ExprId], roots: &[ExprId]) -> Counts {
    let economised = economise(m, values, roots);
    let g = &economised.graph;
    let roots: Vec<ExprId> = economised.image.values().copied().collect();
    let mut n = Counts::default();
    let mut varies = vec![false; g.len()];
    for id in g.reachable(&roots) {
        varies[id.index()] = match g.node(id) {
            Node::Const(_) | Node::Leaf(Leaf::Dt | Leaf::Global(_) | Leaf::Celsius) => false,
            Node::Leaf(_) => true,
            Node::Unary(..) | Node::Binary(..) | Node::Select(..) => g.operands(id).iter().any(|o| varies[o.index()]),
        };
        if !varies[id.index()] {
            continue;
        }
        let counter = match g.node(id) {
            // x/(e^x - 1) is one exponential and one division more, its derivative likewise
            Node::Unary(Unary::Exp | Unary::Exprelr | Unary::DExprelr, _) => &mut n.exp,
            Node::Unary(Unary::Log, _) => &mut n.log,
            Node::Unary(
                Unary::Sqrt | Unary::Sin | Unary::Cos | Unary::Asin | Unary::Acos | Unary::Atan | Unary::Tanh,
                _,
            ) => &mut n.other,
            Node::Binary(Binary::Pow, ..) => &mut n.pow,
            Node::Binary(Binary::Div, ..) => &mut n.div,
            Node::Binary(Binary::Mul, ..) => &mut n.mul,
            Node::Binary(Binary::Add | Binary::Sub, ..) => &mut n.add,
            Node::Select(..) | Node::Binary(Binary::Min | Binary::Max, ..) => &mut n.select,
            // signs and comparisons are next to nothing
            Node::Const(_)
            | Node::Leaf(_)
            | Node::Unary(Unary::Neg | Unary::Abs | Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Not, _)
            | Node::Binary(Binary::Lt | Binary::Le | Binary::Eq | Binary::Ne | Binary::And | Binary::Or, ..) => {
                continue;
            }
        };
        *counter += 1;
    }
    n
}

/// Products and sums for each slot: a partial times what it multiplies, added up, and weighed on the way to the host.
fn per_slot(g: &Graph, sums: &[(Output, Partials)]) -> (usize, usize) {
    let (mut mul, mut add) = (0, 0);
    for (output, partials) in sums {
        let terms = || partials.iter().filter(|(l, _)| !matches!(l, Leaf::Parameter(_)));
        mul += terms().filter(|(_, e)| g.as_constant(*e) != Some(1.0)).count();
        add += terms().count().saturating_sub(1);
        if matches!(output, Output::Current | Output::Conductance | Output::IonCurrent(_)) {
            mul += 1;
            add += 1;
        }
    }
    (mul, add)
}

/// Seeds times partials, all slots together: each seed belongs to one.
fn seeded(sums: &[(Output, Partials)]) -> usize {
    let all = sums.iter().flat_map(|(_, p)| p);
    all.filter(|(l, _)| matches!(l, Leaf::Parameter(_))).count()
}

fn rows(table: &mut String, form: &str, m: &Mechanism, t: &Tangent) {
    for hook in Hook::ALL.into_iter().filter(|&hook| !m.kernel(hook).outputs.is_empty()) {
        let g = &t.mechanism.graph;
        let sums = t.kernel(hook);
        let values = t.mechanism.kernel(hook).roots();
        let mut full = values.clone();
        full.extend(sums.iter().flat_map(|(_, p)| p).map(|&(_, e)| e));
        let (a, b) = (
            count(m, &m.kernel(hook).roots(), &m.kernel(hook).roots()),
            count(&t.mechanism, &values, &full),
        );
        let columns = [
            (a.exp, b.exp),
            (a.log, b.log),
            (a.pow, b.pow),
            (a.other, b.other),
            (a.div, b.div),
            (a.mul, b.mul),
            (a.add, b.add),
            (a.select, b.select),
        ];
        let _ = write!(table, "{:<11}{form:<7}{:<12}", m.name, hook.name());
        for (plain, with) in columns {
            let _ = write!(table, "{:>11}", format!("{plain} -> {with}"));
        }
        let (mul, add) = per_slot(g, sums);
        let _ = writeln!(table, "{mul:>10}{add:>5}{:>7}", seeded(sums));
    }
}

/// A change here is a change in speed.
#[test]
fn operations_of_the_library() {
    let mut table = String::from(
        "Operations of each kernel per instance and step, without -> with the partials that a slot of every PARAMETER needs\n\
         (their number does not depend on the number of slots); then what every slot costs on top: products and sums of\n\
         partials with sensitivities; then the products of partials with seeds, each for the slots that move the PARAMETER.\n\
         exp counts exprelr and its derivative too; select counts min and max; signs and comparisons are not counted.\n\n",
    );
    let _ = write!(table, "{:<11}{:<7}{:<12}", "name", "form", "kernel");
    for column in ["exp", "log", "pow", "other", "div", "mul", "add", "select"] {
        let _ = write!(table, "{column:>11}");
    }
    let _ = writeln!(table, "{:>10}{:>5}{:>7}", "slot: mul", "add", "seeds");
    let library = library();
    assert!(library.len() >= 25, "the library has {} mechanisms", library.len());
    for source in &library {
        for integrator in [Integrator::Arbor, Integrator::Neuron] {
            let plain = compiled(source, integrator, &[]);
            let c = compiled(source, integrator, &parameters(&plain.mechanisms[0]));
            rows(&mut table, integrator.as_str(), &plain.mechanisms[0], &c.tangents[0]);
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/operations.txt");
    expect_file![golden].assert_eq(&table);
}
