//! Symbolic linear algebra: small dense systems over the expression graph.

use super::graph::{ExprId, Graph};
use super::mechanism::{Factors, LinearSolve};

/// Nodes at which an elimination is given up: a system whose factors fill up multiplies them.
pub(crate) const NODE_LIMIT: usize = 100_000;

impl Factors {
    /// Gaussian elimination over the structure: each step takes the entry with the least fill (Markowitz 1957,
    /// doi:10.1287/mnsc.3.3.255), the diagonal first among equals. There is no numerical pivoting: `I − dt J` of a kinetic
    /// scheme is diagonally dominant by columns under any symmetric order, which is why the simulators' compilers do
    /// without it too. None if the matrix is structurally singular, or the graph
    /// has outgrown [`NODE_LIMIT`].
    pub(crate) fn new(g: &mut Graph, matrix: &[Vec<ExprId>]) -> Option<Self> {
        let n = matrix.len();
        let mut a = matrix.to_vec();
        let mut rows: Vec<usize> = (0..n).collect();
        let mut columns: Vec<usize> = (0..n).collect();
        for k in 0..n {
            if g.len() > NODE_LIMIT {
                return None;
            }
            let (i, j) = least_fill(g, &a, (&rows, &columns), k)?;
            rows.swap(k, i);
            columns.swap(k, j);
            let pivot_row = a[rows[k]].clone();
            for &row in &rows[k + 1..] {
                if g.is_zero(a[row][columns[k]]) {
                    continue;
                }
                let multiplier = g.div(a[row][columns[k]], pivot_row[columns[k]]);
                a[row][columns[k]] = multiplier;
                for &column in &columns[k + 1..] {
                    let product = g.mul(multiplier, pivot_row[column]);
                    a[row][column] = g.sub(a[row][column], product);
                }
            }
        }
        let entries = rows
            .iter()
            .map(|&r| columns.iter().map(|&c| a[r][c]).collect())
            .collect();
        Some(Self { rows, columns, entries })
    }

    /// Solves `M x = b`.
    pub(crate) fn solve(&self, g: &mut Graph, b: &[ExprId]) -> Vec<ExprId> {
        let n = b.len();
        let mut x: Vec<ExprId> = self.rows.iter().map(|&r| b[r]).collect();
        for i in 0..n {
            for j in 0..i {
                let product = g.mul(self.entries[i][j], x[j]);
                x[i] = g.sub(x[i], product);
            }
        }
        for i in (0..n).rev() {
            for j in i + 1..n {
                let product = g.mul(self.entries[i][j], x[j]);
                x[i] = g.sub(x[i], product);
            }
            x[i] = g.div(x[i], self.entries[i][i]);
        }
        let mut out = b.to_vec();
        for (&column, value) in self.columns.iter().zip(x) {
            out[column] = value;
        }
        out
    }
}

/// The entry of the remaining matrix that fills least when it becomes the `k`-th pivot.
fn least_fill(g: &Graph, a: &[Vec<ExprId>], (rows, columns): (&[usize], &[usize]), k: usize) -> Option<(usize, usize)> {
    let filled = |i: usize, j: usize| !g.is_zero(a[rows[i]][columns[j]]);
    let n = rows.len();
    let in_row: Vec<usize> = (k..n).map(|i| (k..n).filter(|&j| filled(i, j)).count()).collect();
    let in_column: Vec<usize> = (k..n).map(|j| (k..n).filter(|&i| filled(i, j)).count()).collect();
    (k..n)
        .flat_map(|i| (k..n).map(move |j| (i, j)))
        .filter(|&(i, j)| filled(i, j))
        .min_by_key(|&(i, j)| {
            let cost = (in_row[i - k] - 1) * (in_column[j - k] - 1);
            (cost, rows[i] != columns[j], i, j)
        })
}

impl LinearSolve {
    /// Factors and solves; none if the matrix is structurally singular.
    pub(crate) fn new(g: &mut Graph, matrix: Vec<Vec<ExprId>>, rhs: Vec<ExprId>) -> Option<Self> {
        let factors = Factors::new(g, &matrix)?;
        let solution = factors.solve(g, &rhs);
        Some(Self {
            matrix,
            rhs,
            factors,
            solution,
        })
    }

    /// With every expression replaced by `map`, which is called once: it may have to look at the whole graph.
    pub(crate) fn map(&self, map: impl FnOnce(&[ExprId]) -> Vec<ExprId>) -> Self {
        let entries = &self.factors.entries;
        let all: Vec<ExprId> = self
            .matrix
            .iter()
            .chain(entries)
            .flatten()
            .chain(&self.rhs)
            .chain(&self.solution)
            .copied()
            .collect();
        let mut images = map(&all).into_iter();
        let mut take = |n: usize| -> Vec<ExprId> { images.by_ref().take(n).collect() };
        Self {
            matrix: self.matrix.iter().map(|row| take(row.len())).collect(),
            factors: Factors {
                rows: self.factors.rows.clone(),
                columns: self.factors.columns.clone(),
                entries: entries.iter().map(|row| take(row.len())).collect(),
            },
            rhs: take(self.rhs.len()),
            solution: take(self.solution.len()),
        }
    }
}

#[cfg(test)]
mod tests;
