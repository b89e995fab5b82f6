use super::super::{Binary, ExprId, Graph, Leaf, Node};
use crate::ir::interp::evaluate;

/// x, y, m and s.
const VALUES: [f64; 4] = [0.9, -3.5, 0.2, 11.0];

type Build = fn(&mut Graph, [ExprId; 4]) -> ExprId;
type Worth = fn([f64; 4]) -> f64;

/// What is written, what it is worth, and how many divisions are left.
const QUOTIENTS: &[(&str, Build, Worth, usize)] = &[
    (
        "(x/y - m)/(1/(s y))",
        |g, [x, y, m, s]| {
            let (one, sum) = (g.constant(1.0), g.mul(s, y));
            let (tau, limit) = (g.div(one, sum), g.div(x, y));
            let distance = g.sub(limit, m);
            g.div(distance, tau)
        },
        |[x, y, m, s]| s * (x - m * y),
        0,
    ),
    (
        "(m + x/y)/((2/y)/s)",
        |g, [x, y, m, s]| {
            let two = g.constant(2.0);
            let (tau, limit) = (g.div(two, y), g.div(x, y));
            let (tau, sum) = (g.div(tau, s), g.add(m, limit));
            g.div(sum, tau)
        },
        |[x, y, m, s]| (m + x / y) * y * s / 2.0,
        0,
    ),
    (
        "(x/y - m) s keeps its division",
        |g, [x, y, m, s]| {
            let limit = g.div(x, y);
            let distance = g.sub(limit, m);
            g.mul(distance, s)
        },
        |[x, y, m, s]| (x / y - m) * s,
        1,
    ),
    (
        "(x - m)/(1.5 e^y)",
        |g, [x, y, m, _]| {
            let (factor, power) = (g.constant(1.5), g.unary(super::Unary::Exp, y));
            let (tau, distance) = (g.mul(factor, power), g.sub(x, m));
            g.div(distance, tau)
        },
        |[x, y, m, _]| (x - m) / (1.5 * y.exp()),
        1, // by the number
    ),
    (
        "x/(m + 1/s) keeps its divisions",
        |g, [x, _, m, s]| {
            let one = g.constant(1.0);
            let inverse = g.div(one, s);
            let sum = g.add(m, inverse);
            g.div(x, sum)
        },
        |[x, _, m, s]| x / (m + 1.0 / s),
        2,
    ),
];

#[test]
fn quotients() {
    for (what, build, worth, divisions) in QUOTIENTS {
        let mut g = Graph::default();
        let leaves = [0, 1, 2, 3].map(|k| g.leaf(Leaf::State(k)));
        let root = build(&mut g, leaves);
        let value = evaluate(&g, &[root], |leaf| {
            let at = leaves.iter().position(|&l| g.node(l) == Node::Leaf(leaf));
            VALUES[at.unwrap()]
        })[0];
        let expected = worth(VALUES);
        assert!(
            (value / expected - 1.0).abs() < 1e-15 * 8.0,
            "{what}: {value}, not {expected}"
        );
        let left = g.reachable(&[root]);
        let left = left
            .iter()
            .filter(|&&id| matches!(g.node(id), Node::Binary(Binary::Div, ..)));
        assert_eq!(left.count(), *divisions, "{what}");
    }
}

/// A chain in which each product has the two before it as factors: looking for a factor in all of it would take 2^60 steps.
#[test]
fn long_products_end() {
    let mut g = Graph::default();
    let [x, y, m] = [0, 1, 2].map(|k| g.leaf(Leaf::State(k)));
    let (mut before, mut product) = (m, x);
    for _ in 0..60 {
        (before, product) = (product, g.mul(before, product));
    }
    let limit = g.div(x, y);
    let distance = g.sub(limit, m);
    let all = g.mul(distance, product);
    assert!(matches!(g.node(all), Node::Binary(Binary::Mul, ..)));
}
