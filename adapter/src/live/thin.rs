//! A curve with at most so many points, however many samples it is made of.
//!
//! Time is cut into equal spans; of each span the least and the greatest value are kept, so no spike disappears.

use std::fmt::Write as _;

/// Spans per curve: two points in each of them are more than a screen shows side by side.
const SPANS: usize = 600;

/// A curve that stays small.
#[derive(Debug, Clone, Default)]
pub(super) struct Curve {
    span_ms: f64,
    /// Of each span that has samples: its number, the least and the greatest.
    spans: Vec<(u64, Point, Point)>,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    t_ms: f64,
    value: f64,
}

impl Curve {
    /// A curve over `[0, t_end_ms]`, without points.
    pub(super) fn new(t_end_ms: f64) -> Self {
        Self {
            span_ms: t_end_ms / SPANS as f64,
            spans: Vec::new(),
        }
    }

    /// A curve of known samples; times ascend.
    pub(super) fn of(t_end_ms: f64, samples: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut curve = Self::new(t_end_ms);
        samples.for_each(|(t_ms, value)| curve.push(t_ms, value));
        curve
    }

    /// Adds a sample; times ascend. Values that are not finite are left out: there is no place for them in a picture.
    pub(super) fn push(&mut self, t_ms: f64, value: f64) {
        if !value.is_finite() {
            return;
        }
        let point = Point { t_ms, value };
        let span = self.span(t_ms);
        match self.spans.last_mut() {
            // also after the end, should samples come from there
            Some((last, least, greatest)) if span <= *last => {
                if value < least.value {
                    *least = point;
                }
                if value > greatest.value {
                    *greatest = point;
                }
            }
            _ => self.spans.push((span, point, point)),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the number is at most SPANS"
    )]
    fn span(&self, t_ms: f64) -> u64 {
        let span = t_ms / self.span_ms;
        if span.is_finite() {
            span.min(SPANS as f64) as u64
        } else {
            0
        }
    }

    /// Least and greatest of each span in the order of time.
    fn points(&self) -> impl Iterator<Item = Point> {
        self.spans.iter().flat_map(|&(_, least, greatest)| {
            let first_is_least = least.t_ms <= greatest.t_ms;
            let (first, second) = if first_is_least {
                (least, greatest)
            } else {
                (greatest, least)
            };
            let second = (second.t_ms > first.t_ms).then_some(second);
            std::iter::once(first).chain(second)
        })
    }

    /// `"t":[…],"y":[…]`: what a page draws. Seven digits, which are more than a screen shows.
    pub(super) fn write_json(&self, out: &mut String) {
        let mut list = |opening: &str, number: fn(Point) -> f64| {
            out.push_str(opening);
            for (i, point) in self.points().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                let _ = write!(out, "{comma}{:.6e}", number(point));
            }
            out.push(']');
        };
        list("\"t\":[", |p| p.t_ms);
        list(",\"y\":[", |p| p.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(curve: &Curve) -> serde_json::Value {
        let mut out = String::from("{");
        curve.write_json(&mut out);
        serde_json::from_str(&(out + "}")).unwrap()
    }

    #[test]
    fn few_samples_stay_as_they_are() {
        let curve = Curve::of(1.0, [(0.0, -65.0), (0.5, 20.0), (1.0, -70.0)].into_iter());
        let json = json(&curve);
        assert_eq!(json["t"], serde_json::json!([0.0, 0.5, 1.0]));
        assert_eq!(json["y"], serde_json::json!([-65.0, 20.0, -70.0]));
    }

    #[test]
    fn a_million_samples_become_few_and_keep_their_spike() {
        let n = 1_000_000;
        let sample = |i: u32| {
            (
                f64::from(i) * 1e-3,
                if i == 654_321 { 40.0 } else { -65.0 - f64::from(i % 2) },
            )
        };
        let curve = Curve::of(1000.0, (0..n).map(sample));
        let json = json(&curve);
        let (t, y) = (json["t"].as_array().unwrap(), json["y"].as_array().unwrap());
        assert!(t.len() <= 2 * (SPANS + 1) && t.len() == y.len(), "{}", t.len());
        let spike = y.iter().position(|v| v == 40.0).unwrap();
        assert_eq!(t[spike], 654.321);
        assert!(t.windows(2).all(|w| w[0].as_f64() < w[1].as_f64()));
        assert_eq!(y.iter().filter(|v| **v == -66.0).count(), SPANS);
    }

    #[test]
    fn strange_times_and_values_are_harmless() {
        for t_end_ms in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut curve = Curve::new(t_end_ms);
            for t in [0.0, 1.0, 1e300] {
                curve.push(t, f64::NAN);
                curve.push(t, f64::INFINITY);
                curve.push(t, 3.0);
            }
            assert!(json(&curve)["y"].as_array().unwrap().len() <= 6);
        }
    }
}
