//! Which combinations of slots a trace determines.
//!
//! The eigenvalues of `JᵀJ` (Gauss–Newton Hessian; up to the noise variance, the Fisher information of Gaussian
//! residuals) say how sharply the data fix each eigenvector. They come from the singular values of `J`, `λ_i = σ_i²`:
//! forming `JᵀJ` would lose every eigenvalue below `ε λ_max`, and sloppy models have many.
//!
//! # Reference
//! Gutenkunst et al. 2007, *Universally sloppy parameter sensitivities in systems biology models*,
//! doi:10.1371/journal.pcbi.0030189

use nalgebra::{DMatrix, SVD};

/// Eigenvalues, descending, and eigenvectors of `JᵀJ`.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// `n` eigenvalues, descending, ≥ 0; unit: (residual unit / slot unit)².
    pub values: Vec<f64>,
    /// `n × n`; column `i` is the unit eigenvector of `values[i]`, its largest component positive.
    pub vectors: DMatrix<f64>,
}

/// The Jacobian holds a NaN or an infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Jacobian of {rows} residuals by {columns} slots is not finite")]
pub struct NonFiniteJacobian {
    /// Residuals.
    pub rows: usize,
    /// Slots.
    pub columns: usize,
}

impl Spectrum {
    /// Number of eigenvalues of at least `relative` times the largest one (of those above zero).
    pub fn n_above(&self, relative: f64) -> usize {
        let largest = self.values.first().copied().unwrap_or(0.0);
        self.values
            .iter()
            .filter(|&&v| v > 0.0 && v >= relative * largest)
            .count()
    }
}

/// Spectrum of `JᵀJ` for a residual Jacobian of `m` residuals by `n` slots; `m < n` is allowed and gives zero
/// eigenvalues.
///
/// # Errors
/// [`NonFiniteJacobian`]: the decomposition has no meaning then, and need not end.
pub fn spectrum(jacobian: &DMatrix<f64>) -> Result<Spectrum, NonFiniteJacobian> {
    let (rows, columns) = jacobian.shape();
    if jacobian.iter().any(|v| !v.is_finite()) {
        return Err(NonFiniteJacobian { rows, columns });
    }
    if columns == 0 {
        return Ok(Spectrum {
            values: Vec::new(),
            vectors: DMatrix::zeros(0, 0),
        });
    }
    // Tall J is reduced to its triangular factor first (same singular values and right vectors); zero rows below a
    // wide one change neither, and give the missing right vectors.
    let square = if rows > columns {
        jacobian.clone().qr().r()
    } else {
        jacobian.clone().resize_vertically(columns, 0.0)
    };
    let svd = SVD::new(square, false, true);
    let mut vectors = svd
        .v_t
        .map_or_else(|| DMatrix::identity(columns, columns), |v_t| v_t.transpose());
    for mut column in vectors.column_iter_mut() {
        let pivot = column[column.iamax()];
        if pivot < 0.0 {
            column.neg_mut();
        }
    }
    Ok(Spectrum {
        values: svd.singular_values.iter().map(|s| s * s).collect(),
        vectors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonal_jacobian_has_squared_entries() {
        let j = DMatrix::from_row_slice(3, 2, &[0.0, 3.0, 1e-9, 0.0, 0.0, 0.0]);
        let s = spectrum(&j).unwrap();
        assert!((s.values[0] - 9.0).abs() < 1e-14);
        // Forming JᵀJ first would return 1e-18 with an absolute error of about 9 ε.
        assert!((s.values[1] / 1e-18 - 1.0).abs() < 1e-6);
        assert!((s.vectors[(1, 0)] - 1.0).abs() < 1e-14 && (s.vectors[(0, 1)] - 1.0).abs() < 1e-14);
        assert_eq!((s.n_above(1e-3), s.n_above(1e-30)), (1, 2));
    }

    #[test]
    fn eigenvectors_satisfy_their_equation() {
        let j = DMatrix::from_fn(7, 4, |i, k| {
            ((i * 4 + k) as f64 * 0.7).sin() * [1.0, 0.1, 0.01, 0.001][k]
        });
        let s = spectrum(&j).unwrap();
        let h = j.transpose() * &j;
        for (i, &value) in s.values.iter().enumerate() {
            let v = s.vectors.column(i);
            assert!((&h * v - v * value).norm() < 1e-13 * s.values[0]);
            assert!((v.norm() - 1.0).abs() < 1e-13);
        }
        assert!(s.values.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn fewer_residuals_than_slots_leave_null_directions() {
        // One residual sees only x0 + x1: the difference is free.
        let s = spectrum(&DMatrix::from_row_slice(1, 2, &[1.0, 1.0])).unwrap();
        assert!((s.values[0] - 2.0).abs() < 1e-14 && s.values[1] < 1e-30);
        assert!((s.vectors[(0, 1)] + s.vectors[(1, 1)]).abs() < 1e-14);
        assert_eq!(s.n_above(1e-12), 1);
    }

    #[test]
    fn refuses_a_non_finite_jacobian() {
        let refused = spectrum(&DMatrix::from_element(2, 1, f64::NAN));
        assert_eq!(refused, Err(NonFiniteJacobian { rows: 2, columns: 1 }));
    }
}
