//! Maps between the optimiser's coordinate `y ∈ ℝ` and the physical slot value `x = T(y)`.
//!
//! ```text
//! identity   x = y                              dx/dy = 1
//! log        x = e^y                            dx/dy = e^y
//! bounded    x = low + (high − low) σ(y)        dx/dy = (high − low) σ(y) σ(−y)        σ(y) = 1/(1 + e^−y)
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How one slot value is parametrised. `y` is dimensionless except for [`Transform::Identity`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Transform {
    /// `x = y`, any sign.
    #[default]
    Identity,
    /// `x = e^y`, positive. A step in `y` is a relative step in `x`.
    Log,
    /// `x` strictly between two bounds, logistic in `y`. Near a bound the derivative vanishes, and so does any
    /// gradient.
    Bounded {
        /// Lower bound, unit of the slot.
        low: f64,
        /// Upper bound, unit of the slot.
        high: f64,
    },
}

/// A value outside a transform's domain.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TransformError {
    /// The bounds do not span an interval of finite width.
    #[error("bounds {low} and {high} do not span a finite interval")]
    Bounds {
        /// Lower bound as given.
        low: f64,
        /// Upper bound as given.
        high: f64,
    },
    /// The physical value has no finite coordinate.
    #[error("{x} is not strictly between {low} and {high}")]
    Domain {
        /// The value as given.
        x: f64,
        /// Infimum of the domain.
        low: f64,
        /// Supremum of the domain.
        high: f64,
    },
}

impl Transform {
    /// Checks the transform's own constants.
    ///
    /// # Errors
    /// [`TransformError::Bounds`] unless `low < high` and their distance is finite.
    pub fn validate(&self) -> Result<(), TransformError> {
        match *self {
            Self::Identity | Self::Log => Ok(()),
            Self::Bounded { low, high } if low < high && (high - low).is_finite() => Ok(()),
            Self::Bounded { low, high } => Err(TransformError::Bounds { low, high }),
        }
    }

    /// `x = T(y)`. May overflow to infinity ([`Transform::Log`] above `y ≈ 709.8`) or saturate at a bound.
    pub fn forward(&self, y: f64) -> f64 {
        match *self {
            Self::Identity => y,
            Self::Log => y.exp(),
            // Measured from the nearer bound: small distances keep their relative precision.
            Self::Bounded { low, high } if y < 0.0 => low + (high - low) * logistic(y),
            Self::Bounded { low, high } => high - (high - low) * logistic(-y),
        }
    }

    /// `y = T⁻¹(x)`.
    ///
    /// # Errors
    /// [`TransformError::Domain`] when `x` has no finite coordinate; [`TransformError::Bounds`] as
    /// [`Transform::validate`].
    pub fn inverse(&self, x: f64) -> Result<f64, TransformError> {
        self.validate()?;
        let (low, high, y) = match *self {
            Self::Identity => (f64::NEG_INFINITY, f64::INFINITY, x),
            Self::Log => (0.0, f64::INFINITY, x.ln()),
            Self::Bounded { low, high } => (low, high, ((x - low) / (high - x)).ln()),
        };
        // `y` is tested too: one ulp inside a bound the quotient can still overflow.
        if low < x && x < high && y.is_finite() {
            Ok(y)
        } else {
            Err(TransformError::Domain { x, low, high })
        }
    }

    /// `dx/dy` at `y`, slot unit per unit of `y`.
    pub fn derivative(&self, y: f64) -> f64 {
        match *self {
            Self::Identity => 1.0,
            Self::Log => y.exp(),
            Self::Bounded { low, high } => (high - low) * logistic(y) * logistic(-y),
        }
    }
}

/// `1/(1 + e^−y)` without overflow.
fn logistic(y: f64) -> f64 {
    if y < 0.0 {
        let e = y.exp();
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + (-y).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_transform() -> impl Strategy<Value = Transform> {
        prop_oneof![
            Just(Transform::Identity),
            Just(Transform::Log),
            (-100.0..100.0, 1e-3..100.0).prop_map(|(low, width)| Transform::Bounded { low, high: low + width }),
        ]
    }

    proptest! {
        #[test]
        fn derivative_is_the_central_difference(t in any_transform(), y in -6.0..6.0_f64) {
            let h = 1e-4;
            // Richardson: error O(h⁴) ≈ 1e-16, rounding ≈ ε |x| / h.
            let d = |h: f64| (t.forward(y + h) - t.forward(y - h)) / (2.0 * h);
            let difference = (4.0 * d(h) - d(2.0 * h)) / 3.0;
            let scale = t.derivative(y).abs() + t.forward(y).abs();
            prop_assert!((t.derivative(y) - difference).abs() <= 1e-10 * scale, "{} {difference}", t.derivative(y));
        }

        #[test]
        fn inverse_undoes_forward(t in any_transform(), y in -6.0..6.0_f64) {
            // x carries a relative error ε, which T⁻¹ amplifies by |x| / (dx/dy).
            let amplification = 1.0 + t.forward(y).abs() / t.derivative(y);
            prop_assert!((t.inverse(t.forward(y)).unwrap() - y).abs() <= 1e-14 * amplification * (1.0 + y.abs()));
        }

        #[test]
        fn bounded_never_leaves_its_bounds(y in -1e3..1e3_f64) {
            let x = Transform::Bounded { low: -2.0, high: 3.0 }.forward(y);
            prop_assert!((-2.0..=3.0).contains(&x));
        }
    }

    #[test]
    fn values_at_hand_computed_points() {
        let t = Transform::Bounded { low: 1.0, high: 3.0 };
        assert_eq!(t.forward(0.0).to_bits(), 2.0_f64.to_bits());
        assert_eq!(t.derivative(0.0).to_bits(), 0.5_f64.to_bits());
        // σ(ln 3) = 3/4
        assert!((t.forward(3.0_f64.ln()) - 2.5).abs() < 1e-15);
        assert!((t.inverse(2.5).unwrap() - 3.0_f64.ln()).abs() < 1e-15);
        assert!((Transform::Log.forward(0.12_f64.ln()) - 0.12).abs() < 1e-16);
    }

    #[test]
    fn refuses_values_outside_the_domain() {
        let bounded = Transform::Bounded { low: 0.0, high: 1.0 };
        for x in [0.0, 1.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(bounded.inverse(x), Err(TransformError::Domain { .. })), "{x}");
        }
        for x in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                matches!(Transform::Log.inverse(x), Err(TransformError::Domain { .. })),
                "{x}"
            );
        }
        assert!(matches!(
            Transform::Identity.inverse(f64::NAN),
            Err(TransformError::Domain { .. })
        ));
        for (low, high) in [
            (1.0, 1.0),
            (2.0, 1.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (-f64::MAX, f64::MAX),
        ] {
            let refused = Transform::Bounded { low, high }.validate();
            assert!(matches!(refused, Err(TransformError::Bounds { .. })), "{low} {high}");
        }
    }
}
