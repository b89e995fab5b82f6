//! Numbers of twice the precision: an unevaluated sum of two doubles, good to about 1e-31 relative. The oracle for
//! `gd_math.h`; shares no formula with it, except what the functions are.
//!
//! # Reference
//! Dekker T J (1971) A floating-point technique for extending the available precision. Numer Math 18:224-242.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `hi + lo`, with |lo| at most half an ulp of hi.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DoubleDouble {
    pub(crate) hi: f64,
    pub(crate) lo: f64,
}

/// ln 2 to 107 bits.
const LN_2: DoubleDouble = DoubleDouble {
    hi: std::f64::consts::LN_2,
    lo: 2.319_046_813_846_299_6e-17,
};

fn quick_two_sum(a: f64, b: f64) -> DoubleDouble {
    let hi = a + b;
    DoubleDouble { hi, lo: b - (hi - a) }
}

fn two_sum(a: f64, b: f64) -> DoubleDouble {
    let hi = a + b;
    let of_b = hi - a;
    DoubleDouble {
        hi,
        lo: (a - (hi - of_b)) + (b - of_b),
    }
}

impl From<f64> for DoubleDouble {
    fn from(hi: f64) -> Self {
        Self { hi, lo: 0.0 }
    }
}

impl Add for DoubleDouble {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        let s = two_sum(self.hi, b.hi);
        let t = two_sum(self.lo, b.lo);
        let s = quick_two_sum(s.hi, s.lo + t.hi);
        quick_two_sum(s.hi, s.lo + t.lo)
    }
}

impl Neg for DoubleDouble {
    type Output = Self;
    fn neg(self) -> Self {
        Self {
            hi: -self.hi,
            lo: -self.lo,
        }
    }
}

impl Sub for DoubleDouble {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        self + -b
    }
}

impl Mul for DoubleDouble {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        let hi = self.hi * b.hi;
        let lo = self.hi.mul_add(b.hi, -hi) + (self.hi * b.lo + self.lo * b.hi);
        quick_two_sum(hi, lo)
    }
}

impl Div for DoubleDouble {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let first = self.hi / b.hi;
        let rest = self - b * first.into();
        let second = rest.hi / b.hi;
        let rest = rest - b * second.into();
        quick_two_sum(first, second) + (rest.hi / b.hi).into()
    }
}

impl DoubleDouble {
    /// Times 2^k; exact unless the result is subnormal.
    pub(crate) fn scale(self, k: i32) -> Self {
        let half = 2f64.powi(k / 2);
        let rest = 2f64.powi(k - k / 2);
        Self {
            hi: self.hi * half * rest,
            lo: self.lo * half * rest,
        }
    }

    /// How many units in the last place `got` is off, in units of the double nearest to `self`.
    pub(crate) fn ulps(self, got: f64) -> f64 {
        let exponent = (self.hi.abs().to_bits() >> 52).max(1);
        let ulp = if exponent > 52 {
            f64::from_bits((exponent - 52) << 52)
        } else {
            f64::from_bits(1 << (exponent - 1))
        };
        (((got - self.hi) - self.lo) / ulp).abs()
    }
}

/// (k, e^x 2^-k − 1 for the reduced x): x = k ln 2 + r; e^r − 1 by Taylor's series at r/256 and eight doublings.
fn reduced(x: f64) -> (i32, DoubleDouble) {
    let k = (x / LN_2.hi).round();
    let r = DoubleDouble::from(x) - LN_2 * k.into();
    let y = r.scale(-8);
    let mut sum = DoubleDouble::from(0.0);
    for n in (1..=14).rev() {
        sum = (sum + 1.0.into()) * y / f64::from(n).into();
    }
    for _ in 0..8 {
        sum = sum * (sum + 2.0.into());
    }
    #[expect(clippy::cast_possible_truncation, reason = "|x| < 800, so |k| < 1200")]
    (k as i32, sum)
}

pub(crate) fn exp(x: f64) -> DoubleDouble {
    let (k, em) = reduced(x);
    (em + 1.0.into()).scale(k)
}

pub(crate) fn expm1(x: f64) -> DoubleDouble {
    if x.abs() < 1e-100 {
        return x.into();
    }
    let (k, em) = reduced(x);
    if k == 0 { em } else { exp(x) - 1.0.into() }
}

/// One Newton step from the double nearest: log x = y + (x e^−y − 1) up to the square of the last.
pub(crate) fn log(x: f64) -> DoubleDouble {
    if x < 1e-290 {
        return log(x * 2f64.powi(100)) - LN_2 * 100.0.into();
    }
    let y = x.ln();
    let excess = if y.abs() < 0.3 {
        two_sum(x, -1.0) + expm1(-y) * x.into()
    } else {
        exp(-y) * x.into() - 1.0.into()
    };
    DoubleDouble::from(y) + excess - excess * excess * 0.5.into()
}

/// x/(e^x − 1)
pub(crate) fn exprelr(x: f64) -> DoubleDouble {
    if x > 30.0 {
        let q = exp(-x);
        return q * x.into() / (DoubleDouble::from(1.0) - q);
    }
    if x.abs() < 1e-100 {
        return 1.0.into();
    }
    DoubleDouble::from(x) / expm1(x.max(-800.0))
}

/// Its derivative, (e^x − 1 − x e^x)/(e^x − 1)²; below 1e-8 the first two terms of the series, the third being < 1e-26.
pub(crate) fn exprelr_derivative(x: f64) -> DoubleDouble {
    if x.abs() < 1e-8 {
        return DoubleDouble::from(-0.5) + DoubleDouble::from(x) / 6.0.into();
    }
    let one = DoubleDouble::from(1.0);
    if x > 30.0 {
        let q = exp(-x);
        return q * (one - x.into() - q) / ((one - q) * (one - q));
    }
    let x = x.max(-800.0);
    let em = expm1(x);
    (em - (em + one) * x.into()) / (em * em)
}

pub(crate) fn tanh(x: f64) -> DoubleDouble {
    let t = expm1(2.0 * x.clamp(-40.0, 40.0));
    t / (t + 2.0.into())
}
