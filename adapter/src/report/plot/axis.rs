//! Axis arithmetic: ranges that are never empty, ticks at round numbers, labels without repetition.

/// Values beyond are drawn as gaps: their differences overflow.
const LARGEST: f64 = 1e300;
/// Ranges narrower than this, relative to the values, are rounding noise and shown as constant.
const NOISE: f64 = 1e-12;

/// Smallest and largest drawable value.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| drawable(*v)).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((lo, hi)) => Some((lo.min(v), hi.max(v))),
    })
}

/// Finite, and not so large that arithmetic overflows.
pub(super) fn drawable(v: f64) -> bool {
    v.abs() <= LARGEST
}

/// Equal but for rounding noise.
pub(super) fn same(lo: f64, hi: f64) -> bool {
    hi - lo <= NOISE * lo.abs().max(hi.abs()).max(1e-290)
}

/// A range around a constant: ±10 % of it, or ±1 about zero.
pub(super) fn widened(lo: f64, hi: f64) -> (f64, f64) {
    let mid = lo + (hi - lo) / 2.0;
    let half = if mid.abs() > 1e-290 { 0.1 * mid.abs() } else { 1.0 };
    (mid - half, mid + half)
}

/// Maps values to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    lo: f64,
    hi: f64,
    log: bool,
    px_lo: f64,
    px_hi: f64,
}

/// A tick: its value's pixel and its label; minor ticks have none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) px: f64,
    pub(super) label: String,
}

/// The ticks of an axis, and the power of ten taken out of the labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Ticks {
    pub(super) major: Vec<Tick>,
    pub(super) minor_px: Vec<f64>,
    /// `×10⁻⁶`, or empty.
    pub(super) factor: String,
}

impl Axis {
    /// `range` on `px_lo..px_hi`, padded by the fraction `pad` at both ends. With `log`, both ends must be positive.
    pub(super) fn new((lo, hi): (f64, f64), log: bool, pad: f64, (px_lo, px_hi): (f64, f64)) -> Self {
        let (lo, hi) = if lo <= hi { (lo, hi) } else { (hi, lo) };
        let (lo, hi) = if log { (lo.log10(), hi.log10()) } else { (lo, hi) };
        let (lo, hi) = match (same(lo, hi), log) {
            (true, true) => (lo - 0.5, hi + 0.5),
            (true, false) => widened(lo, hi),
            (false, _) => (lo - pad * (hi - lo), hi + pad * (hi - lo)),
        };
        Self {
            lo,
            hi,
            log,
            px_lo,
            px_hi,
        }
    }

    /// Pixel of a value; `None` for what cannot be drawn.
    pub(super) fn px(&self, v: f64) -> Option<f64> {
        let v = if self.log {
            if v > 0.0 { v.log10() } else { return None }
        } else {
            v
        };
        drawable(v).then(|| self.px_lo + (v - self.lo) / (self.hi - self.lo) * (self.px_hi - self.px_lo))
    }

    /// Ticks, at most about `most`.
    pub(super) fn ticks(&self, most: usize) -> Ticks {
        if self.log {
            self.log_ticks(most)
        } else {
            self.linear_ticks(most)
        }
    }

    fn linear_ticks(&self, most: usize) -> Ticks {
        // A range between round numbers may hold few of a coarse step; an axis with a single tick says nothing.
        let attempt = |most| nice_step(self.hi - self.lo, most);
        let enough = |step: &f64| multiples(self.lo, self.hi, *step).len() >= 3;
        let step = (most..most + 4)
            .map(attempt)
            .find(enough)
            .unwrap_or_else(|| attempt(most + 4));
        let values = multiples(self.lo, self.hi, step);
        let (labels, factor) = labels(&values, step);
        let tick = |(v, label): (&f64, String)| {
            Some(Tick {
                px: self.px(*v)?,
                label,
            })
        };
        Ticks {
            major: values.iter().zip(labels).filter_map(tick).collect(),
            minor_px: Vec::new(),
            factor,
        }
    }

    /// Decades, thinned when many; with less than two decades, round numbers within them.
    fn log_ticks(&self, most: usize) -> Ticks {
        let decades = multiples(self.lo, self.hi, nice_step(self.hi - self.lo, most).max(1.0));
        if decades.len() < 2 {
            let mut values = Vec::new();
            for decade in multiples(self.lo.floor(), self.hi, 1.0) {
                values.extend([1.0, 2.0, 5.0].map(|m| m * 10f64.powf(decade)));
            }
            let inside = |v: &f64| (self.lo..=self.hi).contains(&v.log10());
            let major = values.into_iter().filter(inside).filter_map(|v| {
                Some(Tick {
                    px: self.px(v)?,
                    label: plain(v),
                })
            });
            return Ticks {
                major: major.collect(),
                ..Ticks::default()
            };
        }
        let at = |log10: f64| self.px_lo + (log10 - self.lo) / (self.hi - self.lo) * (self.px_hi - self.px_lo);
        let major = decades
            .iter()
            .map(|&d| Tick {
                px: at(d),
                label: power_of_ten(d),
            })
            .collect();
        let every = if self.hi - self.lo > 8.0 { 0..0 } else { 2..10 };
        let minor = multiples(self.lo.floor(), self.hi, 1.0)
            .into_iter()
            .flat_map(|d| every.clone().map(move |m| d + f64::from(m).log10()))
            .filter(|d| (self.lo..=self.hi).contains(d));
        Ticks {
            major,
            minor_px: minor.map(at).collect(),
            factor: String::new(),
        }
    }
}

/// 1, 2 or 5 times a power of ten, so that at most about `most` multiples lie in `span`.
pub(super) fn nice_step(span: f64, most: usize) -> f64 {
    let rough = (span / most.max(1) as f64).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(rough.log10().floor());
    let m = rough / power;
    let m = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|n| m <= n * (1.0 + 1e-9))
        .unwrap_or(10.0);
    m * power
}

/// The multiples of `step` in `lo..=hi`, each computed afresh so that errors do not add up.
fn multiples(lo: f64, hi: f64, step: f64) -> Vec<f64> {
    const MOST: usize = 1000; // guards against a step lost in rounding
    let first = (lo / step - 1e-9).ceil();
    (0..MOST)
        .map(|i| (first + i as f64) * step)
        .take_while(|v| *v <= hi + 1e-9 * step)
        .map(|v| if v.abs() < 1e-9 * step { 0.0 } else { v })
        .collect()
}

/// Labels with just enough decimals, and the common factor taken out where numbers are very large or small.
pub(super) fn labels(values: &[f64], step: f64) -> (Vec<String>, String) {
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let exponent = if largest > 0.0 {
        (largest * (1.0 + 1e-9)).log10().floor()
    } else {
        0.0
    };
    let exponent = if (-3.0..5.0).contains(&exponent) { 0.0 } else { exponent };
    let decimals = decimals_of(step.log10() - exponent);
    // Two steps, because 10^−exponent itself overflows for the smallest numbers.
    let half = 10f64.powf(-(exponent / 2.0).trunc());
    let rest = 10f64.powf(-(exponent - (exponent / 2.0).trunc()));
    let texts = values.iter().map(|v| fixed(v * half * rest, decimals)).collect();
    let factor = if exponent.abs() < 0.5 {
        String::new()
    } else {
        format!("×{}", power_of_ten(exponent))
    };
    (texts, factor)
}

/// Decimals that show a step of size 10^`log10_step`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=12 first"
)]
fn decimals_of(log10_step: f64) -> usize {
    (-(log10_step + 1e-9).floor()).clamp(0.0, 12.0) as usize
}

fn fixed(v: f64, decimals: usize) -> String {
    let text = format!("{v:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// A single number with three significant digits, as text: `0.00123`, `−4.5×10⁷`.
pub(super) fn plain(v: f64) -> String {
    if !v.is_finite() {
        return "–".to_owned();
    }
    let exponent = if v.abs() > 0.0 { v.abs().log10().floor() } else { 0.0 };
    if (-4.0..5.0).contains(&exponent) {
        let text = fixed(v, decimals_of(exponent - 2.0));
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
    }
    let text = format!("{v:.2e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.').replace('-', "−");
    format!("{mantissa}×{}", power_of_ten(power.parse().unwrap_or(0.0)))
}

/// `10` with a superscript exponent.
pub(super) fn power_of_ten(exponent: f64) -> String {
    let superscript = |c: char| match c {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        other => other,
    };
    "10".chars()
        .chain(format!("{exponent:.0}").chars().map(superscript))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticks(lo: f64, hi: f64, log: bool) -> (Vec<String>, String) {
        let ticks = Axis::new((lo, hi), log, 0.0, (0.0, 100.0)).ticks(6);
        (ticks.major.into_iter().map(|t| t.label).collect(), ticks.factor)
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(ticks(0.0, 100.0, false).0, ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(
            ticks(-0.31, 0.29, false).0,
            ["−0.3", "−0.2", "−0.1", "0.0", "0.1", "0.2"]
        );
        assert_eq!(
            ticks(0.0, 3e-7, false),
            (
                ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"].map(Into::into).into(),
                "×10⁻⁷".into()
            )
        );
        assert_eq!(ticks(0.0, 2e6, false).1, "×10⁶");
        assert_eq!(
            ticks(1e-4, 1e2, true).0,
            ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰", "10¹", "10²"]
        );
        assert_eq!(ticks(3.0, 30.0, true).0, ["5", "10", "20"]);
    }

    #[test]
    fn plain_numbers() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (-0.00123, "−0.00123"),
            (123456.0, "1.23×10⁵"),
            (-4.5e-9, "−4.5×10⁻⁹"),
        ];
        for (v, text) in cases {
            assert_eq!(plain(v), text);
        }
        assert_eq!(plain(f64::NAN), "–");
    }

    #[test]
    fn constants_are_in_the_middle_of_a_range() {
        for v in [0.0, 3.0, -65.0, 1e-200, 1e299] {
            let px = Axis::new((v, v), false, 0.05, (0.0, 100.0)).px(v).unwrap();
            assert!((px - 50.0).abs() < 1e-6, "{v}: {px}");
        }
    }

    proptest! {
        #[test]
        fn any_range_has_distinct_labels_inside_it(a in -1e300f64..1e300, scale in -300i32..0, width in 1e-9f64..2.0) {
            let lo = a * 10f64.powi(scale);
            let hi = lo + width * lo.abs();
            let ticks = Axis::new((lo, hi), false, 0.0, (0.0, 100.0)).ticks(6);
            prop_assert!(ticks.major.len() <= 9);
            for pair in ticks.major.windows(2) {
                prop_assert!(pair[0].px < pair[1].px);
                prop_assert_ne!(&pair[0].label, &pair[1].label);
            }
            for tick in &ticks.major {
                prop_assert!((-0.01..100.01).contains(&tick.px));
            }
        }
    }
}
