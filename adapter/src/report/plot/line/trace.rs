//! From samples to as few line segments as the eye can tell apart.

use super::{Series, Stroke};
use crate::report::plot::axis::Axis;
use crate::report::plot::colour::Rgb;
use crate::report::plot::scene::{Point, Scene, Shape};

/// Width of a curve, px.
const WIDTH: f64 = 1.6;
/// Radius of a dot, px.
const DOT: f64 = 2.6;
/// Dash and gap, px.
pub(super) const DASHES: (f64, f64) = (6.0, 4.0);
/// Samples within this width are reduced to their first, lowest, highest and last, px.
const COLUMN: f64 = 0.5;

/// The plotting area, px.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Bounds {
    fn contains(&self, (x, y): Point) -> bool {
        // The extremes of an axis computed from the data may miss its ends by rounding.
        let slack = 1e-6;
        x >= self.left - slack && x <= self.right + slack && y >= self.top - slack && y <= self.bottom + slack
    }
}

/// Draws one series.
pub(super) fn draw(scene: &mut Scene, series: &Series, colour: Rgb, (x, y): (&Axis, &Axis), bounds: Bounds) {
    let mut runs: Vec<Vec<Point>> = vec![Vec::new()];
    for (vx, vy) in series.points() {
        match (x.px(vx), y.px(vy)) {
            (Some(px), Some(py)) => runs.last_mut().into_iter().for_each(|run| run.push((px, py))),
            _ => runs.push(Vec::new()), // a gap
        }
    }
    let has_dots = matches!(series.stroke, Stroke::Points | Stroke::LineAndPoints);
    for run in runs.iter().filter(|r| !r.is_empty()) {
        for piece in clipped(&reduced(run), bounds) {
            match series.stroke {
                Stroke::Line | Stroke::LineAndPoints => scene.line(piece, WIDTH, colour),
                Stroke::Dashed => scene.dashed(&piece, WIDTH, colour, DASHES),
                Stroke::Points => {}
            }
        }
        // A sample between two gaps would be invisible as a line.
        let is_lone = run.len() == 1;
        for &point in run.iter().filter(|p| (has_dots || is_lone) && bounds.contains(**p)) {
            dot(scene, point, colour);
        }
    }
}

/// A data point.
pub(super) fn dot(scene: &mut Scene, centre: Point, fill: Rgb) {
    scene.shapes.push(Shape::Disc {
        centre,
        radius: DOT,
        fill,
    });
}

/// Keeps, per column, the first, lowest, highest and last sample: the picture stays the same, its size does not grow.
fn reduced(run: &[Point]) -> Vec<Point> {
    if run.len() < 16 || !run.is_sorted_by(|a, b| a.0 <= b.0) {
        return run.to_vec();
    }
    let column = |p: &Point| (p.0 / COLUMN).floor();
    let mut out: Vec<Point> = Vec::new();
    let mut start = 0;
    while start < run.len() {
        let this = column(&run[start]);
        let end = start + run[start..].iter().take_while(|p| column(p) <= this).count();
        let by_y = |a: &usize, b: &usize| run[*a].1.total_cmp(&run[*b].1);
        let mut keep = vec![start, end - 1];
        keep.extend((start..end).min_by(by_y));
        keep.extend((start..end).max_by(by_y));
        keep.sort_unstable();
        keep.dedup();
        out.extend(keep.into_iter().map(|i| run[i]));
        start = end;
    }
    out
}

/// The parts of a line inside the bounds.
fn clipped(run: &[Point], bounds: Bounds) -> Vec<Vec<Point>> {
    if run.iter().all(|p| bounds.contains(*p)) {
        return vec![run.to_vec()];
    }
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in run.windows(2) {
        let Some((a, b)) = clipped_segment(pair[0], pair[1], bounds) else {
            continue;
        };
        match pieces.last_mut().filter(|piece| piece.last() == Some(&a)) {
            Some(piece) => piece.push(b),
            None => pieces.push(vec![a, b]),
        }
    }
    pieces
}

/// # Reference
/// Liang and Barsky 1984, ACM Transactions on Graphics 3(1), doi 10.1145/357332.357333.
fn clipped_segment(a: Point, b: Point, bounds: Bounds) -> Option<(Point, Point)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut t0, mut t1) = (0.0_f64, 1.0_f64);
    let edges = [
        (-dx, a.0 - bounds.left),
        (dx, bounds.right - a.0),
        (-dy, a.1 - bounds.top),
        (dy, bounds.bottom - a.1),
    ];
    for (p, q) in edges {
        if p < 0.0 {
            t0 = t0.max(q / p);
        } else if p > 0.0 {
            t1 = t1.min(q / p);
        } else if q < 0.0 {
            return None;
        }
    }
    let at = |t: f64| (a.0 + t * dx, a.1 + t * dy);
    let (start, end) = (if t0 > 0.0 { at(t0) } else { a }, if t1 < 1.0 { at(t1) } else { b });
    (t0 <= t1).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        left: 0.0,
        right: 10.0,
        top: 0.0,
        bottom: 10.0,
    };

    #[test]
    fn reduction_keeps_every_extreme() {
        let spike = |i: usize| if i == 4321 { 99.0 } else { (i as f64 * 0.01).sin() };
        let run: Vec<Point> = (0..10_000).map(|i| (i as f64 * 0.01, spike(i))).collect();
        let out = reduced(&run);
        assert!(out.len() <= 4 * 200 + 4, "{}", out.len());
        assert!(out.contains(&run[4321]));
        assert_eq!((out[0], out[out.len() - 1]), (run[0], run[9_999]));
        assert!(out.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn lines_are_cut_at_the_bounds() {
        let run = [(-5.0, 5.0), (5.0, 5.0), (5.0, 20.0), (7.0, 20.0), (7.0, 5.0)];
        let pieces = clipped(&run, BOUNDS);
        assert_eq!(
            pieces,
            [vec![(0.0, 5.0), (5.0, 5.0), (5.0, 10.0)], vec![(7.0, 10.0), (7.0, 5.0)]]
        );
        assert!(clipped(&[(20.0, 0.0), (30.0, 9.0)], BOUNDS).is_empty());
    }
}
