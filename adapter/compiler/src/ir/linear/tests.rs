use super::*;
use crate::ir::graph::Leaf;
use crate::ir::interp::evaluate;

/// Rounding of at most eight steps on matrices of condition below 100.
const ROUNDING: f64 = 1e-12;

/// Steele, Lea and Flood's SplitMix64 (2014), as numbers in −1 … 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn below(&mut self, n: usize) -> usize {
        (0..n)
            .rfind(|&i| (i as f64) <= (self.next() + 1.0) / 2.0 * n as f64)
            .unwrap_or(0)
    }

    fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            let j = self.below(i + 1);
            order.swap(i, j);
        }
        order
    }

    /// `I − dt J` of a scheme: sparse, and dominated by the diagonal in every column.
    fn scheme(&mut self, n: usize) -> Vec<Vec<f64>> {
        let mut m = vec![vec![0.0; n]; n];
        for (i, row) in m.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                if i != j && self.next() < -0.2 {
                    *entry = self.next();
                }
            }
        }
        for j in 0..n {
            let rest: f64 = m.iter().map(|row| row[j].abs()).sum();
            m[j][j] = 0.5 + rest;
        }
        m
    }
}

/// Elimination with partial pivoting.
fn dense(mut m: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| m[i][k].abs().total_cmp(&m[j][k].abs())).unwrap();
        m.swap(k, pivot);
        b.swap(k, pivot);
        let pivot_row = m[k].clone();
        for i in k + 1..n {
            let factor = m[i][k] / pivot_row[k];
            for (x, p) in m[i].iter_mut().zip(&pivot_row).skip(k) {
                *x -= factor * p;
            }
            b[i] -= factor * b[k];
        }
    }
    for i in (0..n).rev() {
        for j in i + 1..n {
            b[i] -= m[i][j] * b[j];
        }
        b[i] /= m[i][i];
    }
    b
}

/// A system whose entries other than 0 are inputs, so that nothing folds.
struct Symbolic {
    graph: Graph,
    values: Vec<f64>,
    matrix: Vec<Vec<ExprId>>,
    rhs: Vec<ExprId>,
}

impl Symbolic {
    fn new(m: &[Vec<f64>], b: &[f64]) -> Self {
        let (mut graph, mut values) = (Graph::default(), Vec::new());
        let mut input = |x: f64| {
            if x == 0.0 {
                return graph.zero();
            }
            values.push(x);
            graph.leaf(Leaf::Parameter(u32::try_from(values.len() - 1).unwrap()))
        };
        let matrix = m.iter().map(|row| row.iter().map(|&x| input(x)).collect()).collect();
        let rhs = b.iter().map(|&x| input(x)).collect();
        Self {
            graph,
            values,
            matrix,
            rhs,
        }
    }

    fn solve(&mut self) -> Option<LinearSolve> {
        LinearSolve::new(&mut self.graph, self.matrix.clone(), self.rhs.clone())
    }

    fn evaluate(&self, roots: &[ExprId]) -> Vec<f64> {
        evaluate(&self.graph, roots, |leaf| {
            let Leaf::Parameter(i) = leaf else {
                unreachable!("{leaf:?} is no entry")
            };
            self.values[i as usize]
        })
    }
}

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    let size = expected.iter().fold(1.0_f64, |s, x| s.max(x.abs()));
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= ROUNDING * size,
            "{what}: {found:?} is not {expected:?}"
        );
    }
}

/// Checks the solution, and that the factors are those of the permuted matrix.
fn check(m: &[Vec<f64>], b: &[f64], what: &str) {
    let n = b.len();
    let mut system = Symbolic::new(m, b);
    let solve = system.solve().unwrap_or_else(|| unreachable!("{what} is regular"));
    assert_close(&system.evaluate(&solve.solution), &dense(m.to_vec(), b.to_vec()), what);

    let Factors { rows, columns, entries } = &solve.factors;
    for order in [rows, columns] {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..n).collect::<Vec<_>>(), "{what}: not a permutation");
    }
    let lu = system.evaluate(&entries.concat());
    let (l, u) = (
        |i: usize, k: usize| if i == k { 1.0 } else { lu[i * n + k] },
        |k: usize, j: usize| lu[k * n + j],
    );
    for i in 0..n {
        for j in 0..n {
            let product: f64 = (0..=i.min(j)).map(|k| l(i, k) * u(k, j)).sum();
            assert_close(&[product], &[m[rows[i]][columns[j]]], what);
        }
    }
}

#[test]
fn schemes_are_solved_as_dense_elimination_solves_them() {
    let mut random = Random(1);
    for n in 1..=8 {
        for round in 0..40 {
            let m = random.scheme(n);
            let b: Vec<f64> = (0..n).map(|_| random.next()).collect();
            check(&m, &b, &format!("n = {n}, round {round}"));
        }
    }
}

#[test]
fn pivots_are_found_off_the_diagonal() {
    let mut random = Random(2);
    for n in 1..=8 {
        for round in 0..20 {
            // a triangle, its rows and columns shuffled: one order of pivots needs no fill
            let (rows, columns) = (random.permutation(n), random.permutation(n));
            let mut m = vec![vec![0.0; n]; n];
            for i in 0..n {
                for j in 0..=i {
                    m[rows[i]][columns[j]] = if i == j { 2.0 } else { random.next() / n as f64 };
                }
            }
            let b: Vec<f64> = (0..n).map(|_| random.next()).collect();
            let what = format!("n = {n}, round {round}");
            check(&m, &b, &what);
            let mut system = Symbolic::new(&m, &b);
            let factors = system.solve().unwrap().factors;
            let filled = |rows: &[Vec<ExprId>]| rows.iter().flatten().filter(|&&e| !system.graph.is_zero(e)).count();
            assert_eq!(filled(&factors.entries), filled(&system.matrix), "{what}: fill");
        }
    }
}

#[test]
fn other_right_hand_sides_reuse_the_factors() {
    let mut random = Random(3);
    for n in 2..=6 {
        let m = random.scheme(n);
        let first: Vec<f64> = (0..n).map(|_| random.next()).collect();
        let mut system = Symbolic::new(&m, &first);
        let solve = system.solve().unwrap();
        let second: Vec<f64> = (0..n).map(|_| random.next()).collect();
        let b: Vec<ExprId> = second.iter().map(|&x| system.graph.constant(x)).collect();
        let x = solve.factors.solve(&mut system.graph, &b);
        assert_close(&system.evaluate(&x), &dense(m, second), "another right-hand side");
    }
}

#[test]
fn what_no_order_of_pivots_solves_is_refused() {
    let empty_row = vec![vec![1.0, 2.0], vec![0.0, 0.0]];
    let empty_column = vec![vec![0.0, 2.0], vec![0.0, 1.0]];
    // three equations in two unknowns, the third by itself
    let narrow = vec![
        vec![1.0, 2.0, 0.0, 0.0],
        vec![3.0, 4.0, 0.0, 0.0],
        vec![5.0, 6.0, 0.0, 0.0],
        vec![7.0, 8.0, 9.0, 1.0],
    ];
    for m in [empty_row, empty_column, narrow] {
        let b = vec![1.0; m.len()];
        assert_eq!(Symbolic::new(&m, &b).solve(), None, "{m:?}");
    }
}
