//! Diffusion of an ion along the tree of CVs, by backward Euler (host-numerics.md §3.6):
//! ```text
//! w·Vol_i (X'_i − X_i) + Σ_f x_f (X'_i − X'_j) = 0,   w = 1e-3/dt (1/µs)
//! ```
//! It couples neither to the ion's current nor to the voltage.

use std::ops::Range;

use crate::tree::Tree;

/// The system of one ion, over its records in a group.
#[derive(Debug, Clone)]
pub(crate) struct DiffusionSolver {
    /// The ion's position in the group.
    pub(crate) ion: usize,
    tree: Tree,
    volume_um3: Vec<f64>,
}

impl DiffusionSolver {
    /// `parent`, `faces` and `volume_um3` have one entry per record of the ion; `cells` are the records of the cells where
    /// it diffuses.
    pub(crate) fn new(
        ion: usize,
        parent: &[Option<usize>],
        cells: Vec<Range<usize>>,
        faces: &[f64],
        volume_um3: Vec<f64>,
    ) -> Self {
        Self {
            ion,
            tree: Tree::new(parent, &cells, faces),
            volume_um3,
        }
    }

    /// Bytes of the arrays.
    pub(crate) fn bytes(&self) -> usize {
        self.tree.bytes() + size_of_val(self.volume_um3.as_slice())
    }

    /// Advances the concentrations by `dt_ms`.
    pub(crate) fn solve(&mut self, concentration_mm: &mut [f64], dt_ms: f64) {
        let per_us = 1e-3 / dt_ms;
        let volume = &self.volume_um3;
        self.tree.solve(concentration_mm, |_, k, x| {
            let own = per_us * volume[k];
            (own, own * x)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two CVs by hand, beside a cell in which the ion does not diffuse.
    #[test]
    fn two_volumes_exchange_and_a_cell_without_diffusion_keeps_its_values() {
        let (x, volumes, dt) = (2e-3, [3.0, 5.0], 0.5);
        let parent = [None, None, Some(1)];
        let cells = std::iter::once(1..3).collect();
        let mut solver = DiffusionSolver::new(0, &parent, cells, &[0.0, 0.0, x], vec![9.0, volumes[0], volumes[1]]);
        let mut c = [7.0, 1.0, 0.0];
        solver.solve(&mut c, dt);
        let w = 1e-3 / dt;
        let determinant = (w * volumes[0] + x) * (w * volumes[1] + x) - x * x;
        let expected = [
            w * volumes[0] * (w * volumes[1] + x) / determinant,
            w * volumes[0] * x / determinant,
        ];
        assert_eq!(c[0].to_bits(), 7.0f64.to_bits());
        assert!(
            (c[1] - expected[0]).abs() < 1e-14 && (c[2] - expected[1]).abs() < 1e-14,
            "{c:?}"
        );
        let total = volumes[0] * c[1] + volumes[1] * c[2];
        assert!((total - volumes[0]).abs() < 1e-14, "amount is kept");
    }
}
