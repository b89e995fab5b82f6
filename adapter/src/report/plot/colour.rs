//! Colours that survive colour blindness and grey printing.

/// An opaque sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

pub(super) const WHITE: Rgb = Rgb(255, 255, 255);
pub(super) const INK: Rgb = Rgb(34, 34, 34);
pub(super) const MUTED: Rgb = Rgb(102, 102, 102);
pub(super) const RULE: Rgb = Rgb(140, 140, 140);
pub(super) const GRID: Rgb = Rgb(232, 232, 232);
/// A place without a value; unlike every colour of both maps.
pub(super) const NO_VALUE: Rgb = Rgb(205, 205, 205);

/// The eight-colour set of Okabe and Ito, the ones that show best on white first.
///
/// # Reference
/// Okabe and Ito 2008, "Color universal design", jfly.uni-koeln.de/color.
const OKABE_ITO: [Rgb; 8] = [
    Rgb(0, 114, 178),
    Rgb(213, 94, 0),
    Rgb(0, 158, 115),
    Rgb(204, 121, 167),
    Rgb(230, 159, 0),
    Rgb(86, 180, 233),
    Rgb(0, 0, 0),
    Rgb(240, 228, 66),
];

/// The `i`-th colour for unordered things; repeats after eight.
pub fn palette(i: usize) -> Rgb {
    OKABE_ITO[i % OKABE_ITO.len()]
}

/// Colours for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourMap {
    /// Dark to light, for magnitudes and ordered series (viridis, without its palest end, which vanishes on white).
    Sequential,
    /// Blue, grey, brown, for signed values; zero is grey.
    #[default]
    Diverging,
}

/// Nine equidistant samples of viridis.
///
/// # Reference
/// van der Walt and Smith 2015, matplotlib; CC0.
const VIRIDIS: [Rgb; 9] = [
    Rgb(68, 1, 84),
    Rgb(71, 44, 122),
    Rgb(59, 81, 139),
    Rgb(44, 113, 142),
    Rgb(33, 144, 141),
    Rgb(39, 173, 129),
    Rgb(92, 200, 99),
    Rgb(170, 220, 50),
    Rgb(253, 231, 37),
];

/// Blue and brown, because those two stay apart in all three kinds of colour blindness; equidistant.
const BLUE_BROWN: [Rgb; 9] = [
    Rgb(5, 45, 105),
    Rgb(20, 95, 165),
    Rgb(85, 150, 205),
    Rgb(165, 203, 230),
    Rgb(244, 244, 244),
    Rgb(248, 200, 155),
    Rgb(232, 138, 72),
    Rgb(190, 80, 20),
    Rgb(120, 38, 5),
];

/// How much of viridis is used.
const VIRIDIS_TO: f64 = 0.93;

impl ColourMap {
    /// The colour at `t`, 0 to 1; beyond is clamped, NaN is the grey of "no value".
    pub fn at(self, t: f64) -> Rgb {
        if t.is_nan() {
            return NO_VALUE;
        }
        let t = t.clamp(0.0, 1.0);
        match self {
            ColourMap::Sequential => interpolate(&VIRIDIS, t * VIRIDIS_TO),
            ColourMap::Diverging => interpolate(&BLUE_BROWN, t),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "t is in 0..=1, so indices and bytes fit"
)]
fn interpolate(anchors: &[Rgb; 9], t: f64) -> Rgb {
    let position = t * 8.0;
    let i = (position.floor() as usize).min(7);
    let f = position - i as f64;
    let (a, b) = (anchors[i], anchors[i + 1]);
    let mix = |a: u8, b: u8| (f64::from(a) + f * (f64::from(b) - f64::from(a))).round() as u8;
    Rgb(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// A map with the interval it spans.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColourScale {
    pub(super) map: ColourMap,
    pub(super) lo: f64,
    pub(super) hi: f64,
}

impl ColourScale {
    /// Spans the finite `values`; symmetric about zero if diverging, never empty.
    pub(super) fn spanning(map: ColourMap, values: impl Iterator<Item = f64>) -> Self {
        let (lo, hi) = super::axis::extent(values).unwrap_or((0.0, 0.0));
        let (lo, hi) = match map {
            ColourMap::Diverging => {
                let m = lo.abs().max(hi.abs());
                let m = if m > 0.0 { m } else { 1.0 };
                (-m, m)
            }
            ColourMap::Sequential if super::axis::same(lo, hi) => super::axis::widened(lo, hi),
            ColourMap::Sequential => (lo, hi),
        };
        Self { map, lo, hi }
    }

    pub(super) fn at(&self, value: f64) -> Rgb {
        self.map.at(if value.is_finite() {
            (value - self.lo) / (self.hi - self.lo)
        } else {
            f64::NAN
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_are_the_anchors() {
        assert_eq!(ColourMap::Diverging.at(0.5), Rgb(244, 244, 244));
        assert_eq!(ColourMap::Diverging.at(-3.0), Rgb(5, 45, 105));
        assert_eq!(ColourMap::Diverging.at(f64::INFINITY), Rgb(120, 38, 5));
        assert_eq!(ColourMap::Sequential.at(0.0), Rgb(68, 1, 84));
        assert_eq!(ColourMap::Sequential.at(f64::NAN), NO_VALUE);
    }

    #[test]
    fn both_halves_of_the_diverging_map_darken_evenly() {
        let luminance = |c: Rgb| 0.2126 * f64::from(c.0) + 0.7152 * f64::from(c.1) + 0.0722 * f64::from(c.2);
        for i in 0..8 {
            let (near, far) = (f64::from(i) / 16.0, f64::from(i + 1) / 16.0);
            for side in [-1.0, 1.0] {
                let at = |d: f64| luminance(ColourMap::Diverging.at(0.5 + side * d));
                assert!(at(far) < at(near), "{side} {far}");
            }
            let (minus, plus) = (ColourMap::Diverging.at(0.5 - far), ColourMap::Diverging.at(0.5 + far));
            assert!((luminance(minus) - luminance(plus)).abs() < 25.0, "{far}");
        }
    }

    #[test]
    fn scales_are_never_empty() {
        for map in [ColourMap::Sequential, ColourMap::Diverging] {
            for values in [vec![], vec![f64::NAN], vec![3.0, 3.0], vec![0.0], vec![-1e-300, 1e-300]] {
                let scale = ColourScale::spanning(map, values.into_iter());
                assert!(scale.hi > scale.lo);
            }
        }
    }
}
