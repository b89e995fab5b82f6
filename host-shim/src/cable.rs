//! The voltage step: backward Euler on the tree of CVs, solved by Hines elimination (host-numerics.md §3.5).
//!
//! Per cell, with A = 1e-3·area (so that A·vec_g is µS, A·vec_i is nA) and w = 1e-3/dt (1/µs):
//! ```text
//! (w·C + A·g + Σ_f g_f) V'_i − Σ_f g_f V'_j = (w·C + A·g) V_i − A·i
//! ```
//! which is implicit in V with the currents linearised, i(V') = i(V) + g·(V' − V).
//!
//! Reference: Hines, Int. J. Biomed. Comput. 15 (1984) 69–76, doi:10.1016/0020-7101(84)90008-4.

use std::ops::Range;

use crate::tree::Tree;

/// The voltage system of one cell group.
#[derive(Debug, Clone)]
pub(crate) struct CableSolver {
    /// Off-diagonal elements are conductances, µS.
    tree: Tree,
    /// In the tree's order.
    capacitance_pf: Vec<f64>,
    /// 1e-3 of the area, µm², in the tree's order.
    scaled_area: Vec<f64>,
}

impl CableSolver {
    /// `parent`, `face_us` (conductance to the parent), `capacitance_pf` and `area_um2` per CV; `cells` tiles the CVs, and
    /// no face crosses from one cell to another.
    pub(crate) fn new(
        parent: &[Option<usize>],
        cells: &[Range<usize>],
        capacitance_pf: &[f64],
        area_um2: &[f64],
        face_us: &[f64],
    ) -> Self {
        let tree = Tree::new(parent, cells, face_us);
        Self {
            capacitance_pf: tree.ordered(capacitance_pf),
            scaled_area: tree.ordered(area_um2).into_iter().map(|area| 1e-3 * area).collect(),
            tree,
        }
    }

    /// Bytes of the arrays.
    pub(crate) fn bytes(&self) -> usize {
        self.tree.bytes() + size_of_val(self.capacitance_pf.as_slice()) + size_of_val(self.scaled_area.as_slice())
    }

    /// Advances `voltage_mv` by `dt_ms`, given `current` (A/m²) and `conductance` (kS/m²) of the membrane.
    pub(crate) fn solve(&mut self, voltage_mv: &mut [f64], current: &[f64], conductance: &[f64], dt_ms: f64) {
        let per_us = 1e-3 / dt_ms;
        let n = self.capacitance_pf.len();
        // Equal lengths, so that one bounds check serves both.
        let (i, g) = (&current[..n], &conductance[..n]);
        let (area, c) = (&self.scaled_area[..n], &self.capacitance_pf[..n]);
        self.tree.solve(&mut voltage_mv[..n], |k, cv, v| {
            let own = per_us * c[k] + area[k] * g[cv];
            (own, own * v - area[k] * i[cv])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Solves `m x = b` by Gaussian elimination with partial pivoting: the oracle, which knows nothing of trees.
    fn dense_solve(mut m: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
        let n = b.len();
        for k in 0..n {
            let pivot = (k..n).max_by(|&i, &j| m[i][k].abs().total_cmp(&m[j][k].abs())).unwrap();
            m.swap(k, pivot);
            b.swap(k, pivot);
            let pivot_row = m[k].clone();
            for r in k + 1..n {
                let f = m[r][k] / pivot_row[k];
                for (x, p) in m[r].iter_mut().zip(&pivot_row).skip(k) {
                    *x -= f * p;
                }
                b[r] -= f * b[k];
            }
        }
        for k in (0..n).rev() {
            let known: f64 = (k + 1..n).map(|c| m[k][c] * b[c]).sum();
            b[k] = (b[k] - known) / m[k][k];
        }
        b
    }

    /// xorshift64*, so that trees are random but the same every time.
    struct Random(u64);

    impl Random {
        fn unit(&mut self) -> f64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
        }

        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small and non-negative"
        )]
        fn below(&mut self, n: usize) -> usize {
            (self.unit() * n as f64) as usize
        }
    }

    #[test]
    fn agrees_with_a_dense_solve_on_random_trees() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..50 {
            let sizes = [1 + random.below(30), 1 + random.below(30)];
            let n: usize = sizes.iter().sum();
            let cells = vec![0..sizes[0], sizes[0]..n];
            let mut parent = vec![None; n];
            for cell in &cells {
                for (k, parent) in parent[cell.clone()].iter_mut().enumerate().skip(1) {
                    *parent = Some(cell.start + random.below(k));
                }
            }
            let mut column =
                |low: f64, high: f64| (0..n).map(|_| low + (high - low) * random.unit()).collect::<Vec<_>>();
            let (mut area, mut capacitance, face) = (column(1.0, 500.0), column(0.1, 5.0), column(1e-3, 10.0));
            let (mut current, mut conductance, v) = (column(-1.0, 1.0), column(0.0, 2.0), column(-90.0, 40.0));
            // A trivial fork: no area, no capacitance, an algebraic row.
            if sizes[0] > 2 {
                let fork = parent[sizes[0] - 1].unwrap();
                (area[fork], capacitance[fork], current[fork], conductance[fork]) = (0.0, 0.0, 0.0, 0.0);
            }
            let dt = 0.025;
            let mut m = vec![vec![0.0; n]; n];
            let mut b = vec![0.0; n];
            for k in 0..n {
                let own = 1e-3 / dt * capacitance[k] + 1e-3 * area[k] * conductance[k];
                m[k][k] += own;
                b[k] = own * v[k] - 1e-3 * area[k] * current[k];
                if let Some(p) = parent[k] {
                    m[k][k] += face[k];
                    m[p][p] += face[k];
                    m[k][p] -= face[k];
                    m[p][k] -= face[k];
                }
            }
            let expected = dense_solve(m, b);
            let mut solver = CableSolver::new(&parent, &cells, &capacitance, &area, &face);
            let mut solved = v;
            solver.solve(&mut solved, &current, &conductance, dt);
            for (x, e) in solved.iter().zip(&expected) {
                assert!((x - e).abs() <= 1e-10 * (1.0 + e.abs()), "{x} {e}");
            }
        }
    }

    /// Cells of one CV are solved apart from trees; each must come out as it does beside a cell that has a face.
    #[test]
    fn single_nodes_have_the_bits_of_those_in_trees() {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let n = 11;
        let mut column = |low: f64, high: f64| {
            (0..n + 2)
                .map(|_| low + (high - low) * random.unit())
                .collect::<Vec<_>>()
        };
        let (area, mut capacitance, face) = (column(1.0, 500.0), column(0.1, 5.0), column(1e-3, 10.0));
        let (current, mut conductance, v) = (column(-1.0, 1.0), column(0.0, 2.0), column(-90.0, 40.0));
        (capacitance[3], conductance[3]) = (0.0, 0.0);
        let cells: Vec<Range<usize>> = (0..n).map(|k| k..k + 1).collect();
        let mut solved = v[..n].to_vec();
        CableSolver::new(&vec![None; n], &cells, &capacitance[..n], &area[..n], &vec![0.0; n]).solve(
            &mut solved,
            &current[..n],
            &conductance[..n],
            0.025,
        );
        let mut parent = vec![None; n + 2];
        parent[n + 1] = Some(n);
        let with_tree: Vec<Range<usize>> = cells.into_iter().chain(std::iter::once(n..n + 2)).collect();
        let mut beside = v;
        CableSolver::new(&parent, &with_tree, &capacitance, &area, &face).solve(
            &mut beside,
            &current,
            &conductance,
            0.025,
        );
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&solved), bits(&beside[..n]));
    }

    #[test]
    fn leaves_a_cell_without_any_equation_alone() {
        let mut solver = CableSolver::new(&[None], std::slice::from_ref(&(0..1)), &[0.0], &[0.0], &[0.0]);
        let mut v = vec![-65.0];
        solver.solve(&mut v, &[0.0], &[0.0], 0.025);
        // Arbor leaves the right-hand side there, which is 0 for an empty row.
        assert_eq!(v, [0.0]);
    }
}
