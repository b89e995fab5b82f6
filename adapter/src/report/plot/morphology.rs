//! Morphologies: segments projected on a plane, as thick as they are, coloured by a value.

use nalgebra::{Matrix3, SymmetricEigen, Vector3};

use super::Figure;
use super::axis::{Axis, nice_step, plain};
use super::colour::{ColourMap, ColourScale, INK, MUTED, NO_VALUE, Rgb, WHITE, palette};
use super::raster::thick_segment;
use super::scene::{Anchor, LARGE, NORMAL, Point, SMALL, Scene, Shape, fitted, text_width};

/// A cell drawn in colour.
#[derive(Debug, Clone, PartialEq)]
pub struct MorphologyPlot {
    /// Title; may be empty.
    pub title: String,
    /// The truncated cones.
    pub segments: Vec<Segment>,
    /// What the values are, with their unit; above the colour bar.
    pub value_label: String,
    /// Colours: symmetric about zero, or from smallest to largest.
    pub map: ColourMap,
    /// The plane.
    pub projection: Projection,
    /// Places to point out, such as probes.
    pub sites: Vec<Site>,
    /// Width of the picture, px.
    pub width: f64,
}

/// A truncated cone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Centre of one end, µm.
    pub proximal_um: [f64; 3],
    /// Centre of the other end, µm.
    pub distal_um: [f64; 3],
    /// Radius at the proximal end, µm.
    pub proximal_radius_um: f64,
    /// Radius at the distal end, µm.
    pub distal_radius_um: f64,
    /// Value to colour by; `None` or NaN is grey.
    pub value: Option<f64>,
}

/// A place on the cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Where, µm.
    pub at_um: [f64; 3],
    /// Its name in the legend.
    pub name: String,
}

/// The plane a morphology is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Projection {
    /// x to the right, y up.
    #[default]
    Xy,
    /// The two directions of largest extent (principal axes), the largest to the right.
    Principal,
}

impl MorphologyPlot {
    /// Drawn on x and y, 900 px wide, without sites.
    pub fn new(title: &str, segments: Vec<Segment>, value_label: &str, map: ColourMap) -> Self {
        Self {
            title: title.to_owned(),
            segments,
            value_label: value_label.to_owned(),
            map,
            projection: Projection::Xy,
            sites: Vec::new(),
            width: 900.0,
        }
    }

    /// Drawn on that plane.
    #[must_use]
    pub fn projection(mut self, projection: Projection) -> Self {
        self.projection = projection;
        self
    }

    /// Points out a place.
    #[must_use]
    pub fn site(mut self, at_um: [f64; 3], name: &str) -> Self {
        self.sites.push(Site {
            at_um,
            name: name.to_owned(),
        });
        self
    }
}

const MARGIN: f64 = 16.0;
/// Least and greatest height of the drawing itself, px.
const HEIGHTS: (f64, f64) = (90.0, 640.0);
/// Least half-width of a segment, px: thinner ones would vanish.
const LEAST_HALF_WIDTH: f64 = 0.9;
/// Outline around the segments, px: keeps pale colours visible on white.
const OUTLINE: f64 = 0.7;
const OUTLINE_COLOUR: Rgb = Rgb(120, 120, 120);
/// Length of the colour bar, px.
const BAR: f64 = 260.0;

/// A projected segment: its ends and radii, in µm.
type Flat = (Point, Point, f64, f64, Option<f64>);

impl Figure for MorphologyPlot {
    fn scene(&self) -> Scene {
        let plane = self.plane();
        let usable = |v: &[f64; 3]| v.iter().all(|c| c.is_finite());
        let flat: Vec<Flat> = self
            .segments
            .iter()
            .filter(|s| usable(&s.proximal_um) && usable(&s.distal_um))
            .map(|s| {
                let (a, b) = (plane(s.proximal_um), plane(s.distal_um));
                (
                    a,
                    b,
                    radius(s.proximal_radius_um),
                    radius(s.distal_radius_um),
                    s.value.filter(|v| v.is_finite()),
                )
            })
            .collect();
        let width = self.width.max(400.0);
        let room = width - 2.0 * MARGIN;
        let bounds = Bounds::of(&flat);
        let px_per_um = (room / bounds.width()).min(HEIGHTS.1 / bounds.height());
        let height = (bounds.height() * px_per_um).max(HEIGHTS.0);

        let mut scene = Scene::new(&self.title, width, 10.0);
        scene.rect(0.0, 0.0, width, 10.0, WHITE); // replaced below, when the height is known
        let mut y = MARGIN;
        if !self.title.is_empty() {
            scene.text(
                (MARGIN, y + LARGE / 2.0),
                &fitted(&self.title, LARGE, room),
                LARGE,
                Anchor::Start,
            );
            y += LARGE + 10.0;
        }
        y = self.draw_site_names(&mut scene, room, y) + 6.0;
        let middle = (width / 2.0, y + height / 2.0);
        let centre = bounds.centre();
        let place = |p: Point| {
            (
                middle.0 + (p.0 - centre.0) * px_per_um,
                middle.1 - (p.1 - centre.1) * px_per_um,
            )
        };
        let scale = ColourScale::spanning(self.map, flat.iter().filter_map(|f| f.4));
        draw_segments(&mut scene, &flat, &scale, px_per_um, place);
        for (i, site) in self.sites.iter().enumerate().filter(|(_, s)| usable(&s.at_um)) {
            draw_site(&mut scene, place(plane(site.at_um)), i);
        }
        if flat.is_empty() {
            scene.coloured_text(middle, "no segments", NORMAL, Anchor::Middle, MUTED);
        }
        y += height + 22.0;
        if !flat.is_empty() {
            draw_scale_bar(&mut scene, px_per_um, (MARGIN, y + 22.0), room / 3.0);
        }
        let has_holes = flat.iter().any(|f| f.4.is_none());
        if flat.iter().any(|f| f.4.is_some()) {
            self.draw_colour_bar(&mut scene, &scale, width - MARGIN, y, has_holes);
        }
        scene.height = (y + 54.0 + MARGIN - 6.0).ceil();
        scene.shapes[0] = Shape::Rect {
            x: 0.0,
            y: 0.0,
            w: width,
            h: scene.height,
            fill: WHITE,
        };
        scene
    }
}

impl MorphologyPlot {
    /// The projection, µm to µm.
    fn plane(&self) -> impl Fn([f64; 3]) -> Point + use<> {
        let (e1, e2) = match self.projection {
            Projection::Xy => (Vector3::x(), Vector3::y()),
            Projection::Principal => principal(&self.segments),
        };
        move |p| {
            let p = Vector3::from(p);
            (e1.dot(&p), e2.dot(&p))
        }
    }

    /// One row: a ring and a name per site; returns the y below it.
    fn draw_site_names(&self, scene: &mut Scene, room: f64, y: f64) -> f64 {
        if self.sites.is_empty() {
            return y;
        }
        let share = room / self.sites.len() as f64;
        let mut x = MARGIN;
        for (i, site) in self.sites.iter().enumerate() {
            draw_site(scene, (x + 6.0, y + 9.0), i);
            let name = fitted(&site.name, SMALL, (share - 34.0).max(20.0));
            scene.text((x + 17.0, y + 9.0), &name, SMALL, Anchor::Start);
            x += 17.0 + text_width(&name, SMALL) + 16.0;
        }
        y + 18.0
    }

    /// A lying bar that ends at `right`, its label above and its ticks below.
    fn draw_colour_bar(&self, scene: &mut Scene, scale: &ColourScale, right: f64, y: f64, has_holes: bool) {
        const STEPS: usize = 128;
        const HEIGHT: f64 = 12.0;
        let (left, top) = (right - BAR, y + 16.0);
        let pixels = (0..STEPS)
            .map(|i| scale.map.at((i as f64 + 0.5) / STEPS as f64))
            .collect();
        scene.shapes.push(Shape::Image {
            x: left,
            y: top,
            w: BAR,
            h: HEIGHT,
            columns: STEPS,
            pixels,
        });
        let (bottom, corners) = (
            top + HEIGHT,
            [(left, top), (right, top), (right, top + HEIGHT), (left, top + HEIGHT)],
        );
        scene.line(corners.into_iter().chain([corners[0]]).collect(), 1.0, INK);
        let ticks = Axis::new((scale.lo, scale.hi), false, 0.0, (left, right)).ticks(5);
        for tick in &ticks.major {
            scene.line(vec![(tick.px, bottom), (tick.px, bottom + 4.0)], 1.0, INK);
            scene.text(
                (tick.px, bottom + 7.0 + SMALL / 2.0),
                &tick.label,
                SMALL,
                Anchor::Middle,
            );
        }
        let factor_room = text_width(&ticks.factor, SMALL);
        scene.text((right, y + 4.0), &ticks.factor, SMALL, Anchor::End);
        let label = fitted(&self.value_label, NORMAL, BAR - factor_room - 8.0);
        scene.text((left, y + 4.0), &label, NORMAL, Anchor::Start);
        if has_holes {
            let end = left - 24.0;
            let start = end - text_width("no value", SMALL);
            scene.rect(start - 18.0, top, HEIGHT, HEIGHT, NO_VALUE);
            scene.text((start, top + HEIGHT / 2.0), "no value", SMALL, Anchor::Start);
        }
    }
}

fn radius(r: f64) -> f64 {
    if r.is_finite() { r.max(0.0) } else { 0.0 }
}

/// Extent of the projected cell with its thickness, µm; never empty.
struct Bounds {
    x: (f64, f64),
    y: (f64, f64),
}

impl Bounds {
    fn of(flat: &[Flat]) -> Self {
        let mut bounds = Self {
            x: (f64::INFINITY, f64::NEG_INFINITY),
            y: (f64::INFINITY, f64::NEG_INFINITY),
        };
        for &(a, b, ra, rb, _) in flat {
            for (p, r) in [(a, ra), (b, rb)] {
                bounds.x = (bounds.x.0.min(p.0 - r), bounds.x.1.max(p.0 + r));
                bounds.y = (bounds.y.0.min(p.1 - r), bounds.y.1.max(p.1 + r));
            }
        }
        if flat.is_empty() {
            Self {
                x: (0.0, 1.0),
                y: (0.0, 1.0),
            }
        } else {
            bounds
        }
    }

    fn width(&self) -> f64 {
        (self.x.1 - self.x.0).max(1e-6)
    }

    fn height(&self) -> f64 {
        (self.y.1 - self.y.0).max(1e-6)
    }

    fn centre(&self) -> Point {
        ((self.x.0 + self.x.1) / 2.0, (self.y.0 + self.y.1) / 2.0)
    }
}

/// The two leading eigenvectors of the segments' covariance, weighted by length.
/// An eigenvector's sign is arbitrary: its largest component is made positive, so that pictures do not flip.
fn principal(segments: &[Segment]) -> (Vector3<f64>, Vector3<f64>) {
    let ends = segments.iter().flat_map(|s| {
        let (a, b) = (Vector3::from(s.proximal_um), Vector3::from(s.distal_um));
        let weight = (b - a).norm();
        [(a, weight), (b, weight)]
    });
    let ends: Vec<_> = ends
        .filter(|(p, w)| w.is_finite() && p.iter().all(|c| c.is_finite()))
        .collect();
    let total: f64 = ends.iter().map(|e| e.1).sum();
    if total <= 0.0 {
        return (Vector3::x(), Vector3::y());
    }
    let mean = ends.iter().map(|(p, w)| p * *w).sum::<Vector3<f64>>() / total;
    let covariance = ends
        .iter()
        .map(|(p, w)| (p - mean) * (p - mean).transpose() * *w)
        .sum::<Matrix3<f64>>()
        / total;
    let eigen = SymmetricEigen::new(covariance);
    let mut order = [0, 1, 2];
    order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
    let axis = |k: usize| {
        let v: Vector3<f64> = eigen.eigenvectors.column(order[k]).into();
        if v[v.iamax()] < 0.0 { -v } else { v }
    };
    (axis(0), axis(1))
}

/// Outlines below, then colours, thick segments first so that thin ones stay visible.
fn draw_segments(
    scene: &mut Scene,
    flat: &[Flat],
    scale: &ColourScale,
    px_per_um: f64,
    place: impl Fn(Point) -> Point,
) {
    let mut order: Vec<&Flat> = flat.iter().collect();
    order.sort_by(|a, b| (b.2 + b.3).total_cmp(&(a.2 + a.3)));
    for extra in [OUTLINE, 0.0] {
        for &&(a, b, ra, rb, value) in &order {
            let fill = if extra > 0.0 {
                OUTLINE_COLOUR
            } else {
                value.map_or(NO_VALUE, |v| scale.at(v))
            };
            let half = |r: f64| (r * px_per_um).max(LEAST_HALF_WIDTH) + extra;
            let (a, b) = lengthened(place(a), place(b), extra);
            let points = thick_segment(a, b, half(ra), half(rb));
            if !points.is_empty() {
                scene.shapes.push(Shape::Polygon { points, fill });
            }
            // Round joints for cables; a thick end (a soma drawn as a cylinder) stays flat.
            for (end, r) in [(a, half(ra)), (b, half(rb))] {
                if r < 3.0 || b == a {
                    scene.shapes.push(Shape::Disc {
                        centre: end,
                        radius: r,
                        fill,
                    });
                }
            }
        }
    }
}

/// A segment longer by `by` px at both ends.
fn lengthened(a: Point, b: Point, by: f64) -> (Point, Point) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let f = by / dx.hypot(dy);
    if f.is_finite() {
        ((a.0 - f * dx, a.1 - f * dy), (b.0 + f * dx, b.1 + f * dy))
    } else {
        (a, b)
    }
}

fn draw_site(scene: &mut Scene, centre: Point, i: usize) {
    for (radius, fill) in [(6.0, WHITE), (5.2, palette(i)), (2.4, WHITE)] {
        scene.shapes.push(Shape::Disc { centre, radius, fill });
    }
}

/// A round length, at most `most` px long, with its length in words.
fn draw_scale_bar(scene: &mut Scene, px_per_um: f64, (x, y): Point, most: f64) {
    let mut length_um = nice_step(0.45 * most / px_per_um, 1);
    while length_um * px_per_um > most {
        length_um /= 2.0;
    }
    scene.rect(x, y - 1.5, length_um * px_per_um, 3.0, INK);
    let text = format!("{} µm", plain(length_um));
    scene.text((x, y + 15.0), &text, SMALL, Anchor::Start);
}
