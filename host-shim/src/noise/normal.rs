//! Standard normal numbers from random words, many side by side, with the very bits that the C library gives.
//!
//! Logarithm, sine and cosine are evaluated without branches and to more than double precision: a value `high + low`,
//! off by less than [`OWN_ERROR`] units in the last place of `high`. A library's function that is off by at most
//! [`LIBRARY_ERROR`] of them cannot but return `high` unless `low` is nearly half a unit; then, one time in twelve, it is
//! asked. So the numbers are those that Arbor draws, which asks each time.
//!
//! Reference: Box and Muller, Ann. Math. Stat. 29 (1958) 610–611; Gladman, Innocente, Mather and Zimmermann, "Accuracy of
//! mathematical functions in single, double, extended double and quadruple precision" (2024), hal-03141101: the greatest
//! errors known of glibc's sine, cosine and logarithm are 0.516, 0.516 and 0.519 units.

use std::f64::consts::{FRAC_2_PI, PI, SQRT_2};

use pulp::{Simd, WithSimd};

use super::{GROUPS, KEY_TAIL, threefry};

/// Numbers that are worked on side by side: four registers of AVX2, so that one need not wait for the other.
pub(super) const LANES: usize = 16;
/// Greatest error of the library's functions, units in the last place.
const LIBRARY_ERROR: f64 = 0.53;
/// Greatest error of `high + low` here, units in the last place of `high`; measured below 0.008.
const OWN_ERROR: f64 = 0.01;

/// One value per lane.
pub(super) type Row<T> = [T; LANES];

/// π/2 = `HALF_PI[0] + HALF_PI[1]`, each the nearest double.
const HALF_PI: [f64; 2] = [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17];
/// ln 2 in two parts, the first short enough to be multiplied by any exponent.
const LN_2: [f64; 2] = [0.693_147_180_559_890_3, 5.497_923_018_708_371e-14];
/// −1/6, 1/24 and 2/3 as `[0] + [1]`.
const SIXTH: [f64; 2] = [-1.0 / 6.0, -9.251_858_538_542_97e-18];
const TWENTY_FOURTH: [f64; 2] = [1.0 / 24.0, 2.312_964_634_635_743e-18];

const TWO_THIRDS: [f64; 2] = [2.0 / 3.0, 3.700_743_415_417_188e-17];

/// A value as the sum of two numbers, the second below half a unit in the last place of the first.
#[derive(Debug, Clone, Copy)]
struct Twofold {
    high: f64,
    low: f64,
}

/// `a + b` without rounding, if |a| ≥ |b| or a = 0.
#[inline(always)]
fn sum(a: f64, b: f64) -> Twofold {
    let high = a + b;
    Twofold {
        high,
        low: b - (high - a),
    }
}

/// `x y`, up to the product of the low parts.
#[inline(always)]
fn product(x: Twofold, y: Twofold) -> Twofold {
    let high = x.high * y.high;
    let low = x.high.mul_add(y.high, -high) + x.high.mul_add(y.low, x.low * y.high);
    Twofold { high, low }
}

/// The polynomial with these coefficients, the last that of the highest power; by halves, which wait for each other less
/// than Horner's steps.
#[inline(always)]
fn polynomial(x: f64, c: [f64; 8]) -> f64 {
    let (x2, pair) = (x * x, |k: usize| x.mul_add(c[k + 1], c[k]));
    let four = |k: usize| x2.mul_add(pair(k + 2), pair(k));
    (x2 * x2).mul_add(four(4), four(0))
}

/// `x + a` where |a| is below |x|/8, so that the leading part stays exact.
#[inline(always)]
fn grown(x: Twofold, a: Twofold) -> Twofold {
    let s = sum(x.high, a.high);
    sum(s.high, s.low + (x.low + a.low))
}

/// sin r and cos r for |r| ≤ π/4: Taylor series, their first coefficients twofold. Truncated below 2⁻⁷¹.
#[inline(always)]
fn sin_cos_reduced(r: Twofold) -> (Twofold, Twofold) {
    let y = product(r, r);
    let tail = polynomial(
        y.high,
        [
            1.0 / 120.0,
            -1.0 / 5040.0,
            1.0 / 362_880.0,
            -1.0 / 39_916_800.0,
            1.0 / 6_227_020_800.0,
            -1.0 / 1_307_674_368_000.0,
            1.0 / 355_687_428_096_000.0,
            -1.0 / 121_645_100_408_832_000.0,
        ],
    );
    let p = sum(SIXTH[0], y.high * tail);
    let p = Twofold {
        low: p.low + SIXTH[1],
        ..p
    };
    let sin = grown(r, product(r, product(y, p)));
    let tail = polynomial(
        y.high,
        [
            -1.0 / 720.0,
            1.0 / 40_320.0,
            -1.0 / 3_628_800.0,
            1.0 / 479_001_600.0,
            -1.0 / 87_178_291_200.0,
            1.0 / 20_922_789_888_000.0,
            -1.0 / 6_402_373_705_728_000.0,
            1.0 / 2_432_902_008_176_640_000.0,
        ],
    );
    let q = sum(TWENTY_FOURTH[0], y.high * tail);
    let q = Twofold {
        low: q.low + TWENTY_FOURTH[1],
        ..q
    };
    let w = product(y, q);
    let p = sum(-0.5, w.high);
    let p = Twofold {
        low: p.low + w.low,
        ..p
    };
    let one = Twofold { high: 1.0, low: 0.0 };
    (sin, grown(one, product(y, p)))
}

/// sin and cos of |angle| ≤ π.
#[inline(always)]
fn sin_cos(angle: f64) -> (Twofold, Twofold) {
    // To the nearest integer, by the rounding of a sum.
    const SHIFT: f64 = 1.5 * (1u64 << 52) as f64;
    let shifted = angle.mul_add(FRAC_2_PI, SHIFT);
    let quarter = shifted - SHIFT;
    // Exact: the two are within a factor of 2, or the second is 0.
    let near = (-quarter).mul_add(HALF_PI[0], angle);
    let high = (-quarter).mul_add(HALF_PI[1], near);
    let low = (-quarter).mul_add(HALF_PI[1], near - high);
    let (sin, cos) = sin_cos_reduced(Twofold { high, low });
    let turn = shifted.to_bits();
    let swapped = turn & 1 == 1;
    let (s, c) = if swapped { (cos, sin) } else { (sin, cos) };
    let flip = |x: Twofold, bit: u64| {
        let sign = bit << 63;
        Twofold {
            high: f64::from_bits(x.high.to_bits() ^ sign),
            low: f64::from_bits(x.low.to_bits() ^ sign),
        }
    };
    (flip(s, turn >> 1 & 1), flip(c, (turn + 1) >> 1 & 1))
}

/// ln x of a normal positive number: x = 2ᵏ m, ln m = 2 artanh((m − 1)/(m + 1)). Truncated below 2⁻⁶⁷.
#[inline(always)]
fn ln(x: f64) -> Twofold {
    const ROOT_HALF: u64 = (SQRT_2 / 2.0).to_bits();
    const EXPONENT: u64 = 0x7ff << 52;
    // How often 2 divides what is above √½, a negative number as a rule.
    let above = x.to_bits().wrapping_sub(ROOT_HALF);
    let power = above & !((1 << 52) - 1);
    let m = f64::from_bits(x.to_bits().wrapping_sub(power));
    // The exponent as a double, without an integer conversion: 2⁵² + (power + 2⁶³) 2⁻⁵², read as a number.
    let biased = (power ^ (1 << 63)) >> 52;
    let k = f64::from_bits(biased | (0x433 << 52)) - ((1u64 << 52) as f64 + 2048.0);
    debug_assert!(x.to_bits() < EXPONENT && x >= f64::MIN_POSITIVE);
    let f = m - 1.0;
    let d = sum(m.max(1.0), m.min(1.0));
    let inverse = 1.0 / d.high;
    let high = f * inverse;
    let low = ((-high).mul_add(d.high, f) - high * d.low) * inverse;
    let s = Twofold { high, low };
    let y = product(s, s);
    let tail = polynomial(
        y.high,
        [
            2.0 / 5.0,
            2.0 / 7.0,
            2.0 / 9.0,
            2.0 / 11.0,
            2.0 / 13.0,
            2.0 / 15.0,
            2.0 / 17.0,
            2.0 / 19.0,
        ],
    );
    let y8 = (y.high * y.high) * (y.high * y.high);
    let tail = (y8 * y8).mul_add(y.high.mul_add(2.0 / 23.0, 2.0 / 21.0), tail);
    let p = sum(TWO_THIRDS[0], y.high * tail);
    let p = Twofold {
        low: p.low + TWO_THIRDS[1],
        ..p
    };
    let twice = Twofold {
        high: 2.0 * high,
        low: 2.0 * low,
    };
    let ln_m = grown(twice, product(s, product(y, p)));
    let whole = sum(k * LN_2[0], ln_m.high);
    sum(whole.high, whole.low + k.mul_add(LN_2[1], ln_m.low))
}

/// Whether the library's function may return something else than `high`.
#[inline(always)]
fn in_doubt(x: Twofold) -> bool {
    const SIGNIFICANT: u64 = 0x7ff << 52;
    const UNIT: f64 = 1.0 / (1u64 << 52) as f64;
    // The power of two below, so that it is that of the neighbours on both sides; infinite for 0, which is exact.
    let below = f64::from_bits(x.high.to_bits().wrapping_sub(1) & SIGNIFICANT);
    x.low.abs() >= below * (UNIT * (1.0 - LIBRARY_ERROR - OWN_ERROR))
}

/// The angle in (−π, π) that a word stands for.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "the word is taken as a signed fraction of π")]
fn angle(word: u64) -> f64 {
    PI * (word as i64 as f64 * 0.5f64.powi(63) + 0.5f64.powi(64))
}

/// The number in (0, 1] that a word stands for.
#[inline(always)]
fn uniform(word: u64) -> f64 {
    word as f64 * 0.5f64.powi(64) + 0.5f64.powi(65)
}

/// What [`Cipher`] and [`Transform`] make of some lanes. All of them are worked through, in use or not.
#[derive(Debug)]
pub(super) struct Draws {
    /// By lane: mechanism, numbers drawn before, global id of the cell, instance.
    pub(super) who: [Row<u64>; 4],
    words: [Row<u64>; 4],
    sin: [Row<f64>; 2],
    cos: [Row<f64>; 2],
    log: [Row<f64>; 2],
    /// What the library has to be asked for: a bit per lane and kind, for each pair of words.
    doubts: [[u64; 3]; 2],
    /// The numbers of four steps.
    pub(super) numbers: [Row<f64>; 4],
}

impl Draws {
    pub(super) fn new() -> Self {
        let zero = [0.0; LANES];
        Self {
            who: [[0; LANES]; 4],
            words: [[0; LANES]; 4],
            sin: [zero; 2],
            cos: [zero; 2],
            log: [zero; 2],
            doubts: [[0; 3]; 2],
            numbers: [zero; 4],
        }
    }

    /// Four standard normal numbers per lane, for a variable of a simulation with that seed.
    pub(super) fn draw(&mut self, arch: pulp::Arch, seed: u64, variable: u64) {
        arch.dispatch(Cipher {
            draws: self,
            seed,
            variable,
        });
        self.ask_the_library();
        arch.dispatch(Transform { draws: self });
    }

    fn ask_the_library(&mut self) {
        for (pair, kinds) in self.doubts.iter().enumerate() {
            let (u, v) = (&self.words[2 * pair], &self.words[2 * pair + 1]);
            lanes(kinds[0], |j| self.sin[pair][j] = angle(u[j]).sin());
            lanes(kinds[1], |j| self.cos[pair][j] = angle(u[j]).cos());
            lanes(kinds[2], |j| self.log[pair][j] = uniform(v[j]).ln());
        }
    }
}

/// Calls `of` for each bit that is set.
fn lanes(mut bits: u64, mut of: impl FnMut(usize)) {
    while bits != 0 {
        of(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

/// Random words and the functions of Box and Muller, those in doubt noted.
struct Cipher<'a> {
    draws: &'a mut Draws,
    seed: u64,
    variable: u64,
}

impl WithSimd for Cipher<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Draws {
            who,
            words,
            sin,
            cos,
            log,
            doubts,
            ..
        } = self.draws;
        for j in 0..LANES {
            let key = [who[2][j], who[3][j], KEY_TAIL[0], KEY_TAIL[1]];
            let counter = [self.seed, who[0][j], self.variable, who[1][j]];
            let drawn = threefry::<GROUPS>(counter, key);
            (words[0][j], words[1][j]) = (drawn[0], drawn[1]);
            (words[2][j], words[3][j]) = (drawn[2], drawn[3]);
        }
        for pair in 0..2 {
            let (u, v) = (&words[2 * pair], &words[2 * pair + 1]);
            let (sin, cos, log) = (&mut sin[pair], &mut cos[pair], &mut log[pair]);
            let mut bits = [[0u64; LANES]; 3];
            for j in 0..LANES {
                let (s, c) = sin_cos(angle(u[j]));
                let l = ln(uniform(v[j]));
                (sin[j], cos[j], log[j]) = (s.high, c.high, l.high);
                bits[0][j] = u64::from(in_doubt(s)) << j;
                bits[1][j] = u64::from(in_doubt(c)) << j;
                bits[2][j] = u64::from(in_doubt(l)) << j;
            }
            for (kind, bits) in doubts[pair].iter_mut().zip(&bits) {
                *kind = bits.iter().fold(0, |all, bit| all | bit);
            }
        }
    }
}

/// Box and Muller's products.
struct Transform<'a> {
    draws: &'a mut Draws,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Draws {
            sin, cos, log, numbers, ..
        } = self.draws;
        for pair in 0..2 {
            for j in 0..LANES {
                let radius = (-2.0 * log[pair][j]).sqrt();
                numbers[2 * pair][j] = radius * sin[pair][j];
                numbers[2 * pair + 1][j] = radius * cos[pair][j];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At the ends of the words' range and where sine, cosine or logarithm vanish.
    #[test]
    #[expect(clippy::cast_sign_loss, reason = "words are fractions")]
    fn the_ends_are_the_librarys_too() {
        let quarter = 1 << 61;
        let centres = [
            0,
            u64::MAX,
            1 << 63,
            quarter,
            2 * quarter,
            3 * quarter,
            5 * quarter,
            6 * quarter,
        ];
        for centre in centres {
            for k in 0..1 << 12 {
                let word = centre.wrapping_add((k as i64 - (1 << 11)).wrapping_mul(0x1_2345) as u64);
                let ((sin, cos), log) = (sin_cos(angle(word)), ln(uniform(word)));
                let (a, x) = (angle(word), uniform(word));
                for (own, library) in [(sin, a.sin()), (cos, a.cos()), (log, x.ln())] {
                    assert!(
                        in_doubt(own) || own.high.to_bits() == library.to_bits(),
                        "{word}: {own:?} {library}"
                    );
                }
            }
        }
    }

    /// What is in doubt is so because `low` is large, and that is rare enough to ask.
    #[test]
    fn one_in_twelve_is_in_doubt() {
        let mut word = 1u64;
        let mut doubts = [0; 3];
        for _ in 0..10_000 {
            word = word
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (sin, cos) = sin_cos(angle(word));
            for (count, value) in doubts.iter_mut().zip([sin, cos, ln(uniform(word))]) {
                *count += u32::from(in_doubt(value));
            }
        }
        assert!(doubts.iter().all(|count| (700..1000).contains(count)), "{doubts:?}");
    }
}
