//! Heat maps: a matrix in colour, such as CV × time or state × parameter.

use ndarray::Array2;

use super::Figure;
use super::axis::{Axis, plain};
use super::colour::{ColourMap, ColourScale, INK, MUTED, NO_VALUE, Rgb, WHITE};
use super::scene::{Anchor, LARGE, NORMAL, SMALL, Scene, Shape, fitted, text_width};

/// A matrix drawn in colour, first row on top.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// Title; may be empty.
    pub title: String,
    /// The numbers; NaN and infinities are grey.
    pub values: Array2<f64>,
    /// What the numbers are, with their unit; beside the colour bar.
    pub value_label: String,
    /// One name per row; missing ones stay blank.
    pub rows: Vec<String>,
    /// Heading of the row names.
    pub row_label: String,
    /// What the columns are.
    pub columns: Columns,
    /// Label below the columns, with its unit.
    pub column_label: String,
    /// Colours: symmetric about zero, or from smallest to largest.
    pub map: ColourMap,
    /// Divides each row by its largest magnitude, which is then written at the row's end.
    pub per_row: bool,
    /// Width of the picture, px.
    pub width: f64,
}

/// What the columns of a [`HeatMap`] are.
#[derive(Debug, Clone, PartialEq)]
pub enum Columns {
    /// Named; missing names stay blank.
    Names(Vec<String>),
    /// Equidistant numbers from the left edge of the first column to the right edge of the last.
    Range {
        /// Left edge.
        start: f64,
        /// Right edge.
        end: f64,
    },
}

impl HeatMap {
    /// A diverging map, 900 px wide, without names.
    pub fn new(title: &str, values: Array2<f64>, value_label: &str, columns: Columns, column_label: &str) -> Self {
        Self {
            title: title.to_owned(),
            values,
            value_label: value_label.to_owned(),
            rows: Vec::new(),
            row_label: String::new(),
            columns,
            column_label: column_label.to_owned(),
            map: ColourMap::Diverging,
            per_row: false,
            width: 900.0,
        }
    }

    /// With these row names under that heading.
    #[must_use]
    pub fn rows(mut self, row_label: &str, names: Vec<String>) -> Self {
        (self.row_label, self.rows) = (row_label.to_owned(), names);
        self
    }

    /// Divides each row by its largest magnitude.
    #[must_use]
    pub fn per_row(mut self) -> Self {
        self.per_row = true;
        self
    }

    /// The drawn values, and the magnitude each row was divided by.
    fn normalised(&self) -> (Array2<f64>, Vec<f64>) {
        let mut values = self.values.clone();
        let mut divisors = Vec::new();
        for mut row in values.rows_mut() {
            let largest = row
                .iter()
                .filter(|v| v.is_finite())
                .fold(0.0_f64, |m, v| m.max(v.abs()));
            divisors.push(largest);
            if self.per_row && largest > 0.0 {
                row.mapv_inplace(|v| v / largest);
            }
        }
        (values, divisors)
    }
}

const MARGIN: f64 = 14.0;
const GAP: f64 = 8.0;
/// Width of the colour bar, px.
const BAR: f64 = 14.0;
/// Most columns drawn one by one, px; more are pooled, since a screen cannot show them.
const MOST_COLUMNS: usize = 900;
/// Least distance between the names of rows, px.
const ROW_PITCH: f64 = 14.0;

impl Figure for HeatMap {
    fn scene(&self) -> Scene {
        let (n_rows, n_columns) = self.values.dim();
        let (values, divisors) = self.normalised();
        let scale = ColourScale::spanning(self.map, values.iter().copied());
        let width = self.width.max(300.0);
        let body_height = (n_rows as f64 * 24.0).clamp(150.0, 520.0);

        let name_room = self
            .rows
            .iter()
            .take(n_rows)
            .map(|n| text_width(n, SMALL))
            .fold(0.0, f64::max)
            .min(width / 4.0);
        let heading_room = if self.row_label.is_empty() { 0.0 } else { NORMAL + GAP };
        let left = MARGIN + heading_room + name_room + if name_room > 0.0 { GAP } else { 0.0 };
        let bar = Bar::new(
            &scale,
            body_height,
            if self.per_row {
                "value / row maximum"
            } else {
                &self.value_label
            },
        );
        let divisor_texts: Vec<String> = divisors.iter().map(|d| plain(*d)).collect();
        let divisor_heading = "row max.";
        let divisor_room = if self.per_row {
            divisor_texts
                .iter()
                .map(|t| text_width(t, SMALL))
                .fold(text_width(divisor_heading, SMALL), f64::max)
                + GAP
        } else {
            0.0
        };
        let right = width - MARGIN - bar.width() - 2.0 * GAP - divisor_room;

        let mut scene = Scene::new(&self.title, width, 10.0);
        scene.rect(0.0, 0.0, width, 10.0, WHITE); // replaced below, when the height is known
        let mut top = MARGIN;
        if !self.title.is_empty() {
            scene.text(
                (left, top + LARGE / 2.0),
                &fitted(&self.title, LARGE, width - MARGIN - left),
                LARGE,
                Anchor::Start,
            );
            top += LARGE + 14.0;
        } else if !bar.factor.is_empty() {
            top += SMALL; // the bar's factor stands above it
        }
        if self.per_row {
            if !self.value_label.is_empty() {
                let label = fitted(&self.value_label, NORMAL, right - left);
                scene.coloured_text((left, top + 6.0), &label, NORMAL, Anchor::Start, MUTED);
            }
            scene.coloured_text((right + GAP, top + 6.0), divisor_heading, SMALL, Anchor::Start, MUTED);
            top += 20.0;
        }
        let bottom = top + body_height;
        if n_rows == 0 || n_columns == 0 {
            scene.coloured_text(
                ((left + right) / 2.0, (top + bottom) / 2.0),
                "no data",
                NORMAL,
                Anchor::Middle,
                MUTED,
            );
        } else {
            let (columns, pixels) = cells(&values, &scale);
            scene.shapes.push(Shape::Image {
                x: left,
                y: top,
                w: right - left,
                h: body_height,
                columns,
                pixels,
            });
        }
        frame(&mut scene, (left, right), (top, bottom));

        let pitch = body_height / n_rows.max(1) as f64;
        let every = step(ROW_PITCH / pitch);
        for i in (0..n_rows).step_by(every) {
            let y = top + (i as f64 + 0.5) * pitch;
            let name = self.rows.get(i).map_or("", String::as_str);
            scene.text(
                (left - GAP, y),
                &fitted(name, SMALL, name_room + 1.0),
                SMALL,
                Anchor::End,
            );
            if self.per_row {
                scene.text((right + GAP, y), &divisor_texts[i], SMALL, Anchor::Start);
            }
        }
        let heading = fitted(&self.row_label, NORMAL, body_height);
        scene.upright(
            (MARGIN + NORMAL / 2.0, (top + bottom) / 2.0),
            &heading,
            NORMAL,
            Anchor::Middle,
        );
        let mut end = self.draw_columns(&mut scene, (left, right), bottom, n_columns);
        let has_holes = values.iter().any(|v| !v.is_finite());
        bar.draw(&mut scene, right + divisor_room + 2.0 * GAP, (top, bottom));
        if has_holes {
            end = end.max(draw_no_value(&mut scene, width - MARGIN, bottom + GAP));
        }
        scene.height = (end + MARGIN - 2.0).ceil();
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

impl HeatMap {
    /// Names or ticks below the map, and the label; returns the y below them.
    fn draw_columns(&self, scene: &mut Scene, (left, right): (f64, f64), bottom: f64, n_columns: usize) -> f64 {
        let mut y = bottom + 4.0;
        let mut factor = String::new();
        match &self.columns {
            Columns::Range { start, end } => {
                let axis = Axis::new((*start, *end), false, 0.0, (left, right));
                let ticks = axis.ticks(step((right - left) / 85.0));
                for tick in &ticks.major {
                    scene.line(vec![(tick.px, bottom), (tick.px, bottom + 4.0)], 1.0, INK);
                    scene.text((tick.px, y + 5.0 + SMALL / 2.0), &tick.label, SMALL, Anchor::Middle);
                }
                factor = ticks.factor;
                y += SMALL + 5.0;
            }
            Columns::Names(names) => {
                let pitch = (right - left) / n_columns.max(1) as f64;
                let names: Vec<&str> = names.iter().take(n_columns).map(String::as_str).collect();
                let longest = names.iter().map(|n| text_width(n, SMALL)).fold(0.0, f64::max);
                let lies = longest + 6.0 <= pitch;
                let every = if lies { 1 } else { step(ROW_PITCH / pitch) };
                let room = if lies { SMALL } else { longest.min(140.0) };
                for (i, name) in names.iter().enumerate().step_by(every) {
                    let x = left + (i as f64 + 0.5) * pitch;
                    if lies {
                        scene.text((x, y + 3.0 + SMALL / 2.0), name, SMALL, Anchor::Middle);
                    } else {
                        scene.upright((x, y + 3.0), &fitted(name, SMALL, room), SMALL, Anchor::End);
                    }
                }
                y += room + 3.0;
            }
        }
        if !self.column_label.is_empty() || !factor.is_empty() {
            y += 6.0 + NORMAL / 2.0;
            let label = fitted(
                &self.column_label,
                NORMAL,
                right - left - 2.0 * text_width(&factor, SMALL),
            );
            scene.text(((left + right) / 2.0, y), &label, NORMAL, Anchor::Middle);
            scene.text((right, y), &factor, SMALL, Anchor::End);
            y += NORMAL / 2.0;
        }
        y
    }
}

/// Colours row by row; more columns than can be shown are pooled into their value of largest magnitude, so that a
/// short event never disappears.
fn cells(values: &Array2<f64>, scale: &ColourScale) -> (usize, Vec<Rgb>) {
    let n = values.ncols();
    let columns = n.min(MOST_COLUMNS);
    let mut pixels = Vec::with_capacity(values.nrows() * columns);
    for row in values.rows() {
        for c in 0..columns {
            let pool = (c * n / columns..(c + 1) * n / columns)
                .map(|i| row[i])
                .filter(|v| v.is_finite());
            let extreme = pool.max_by(|a, b| a.abs().total_cmp(&b.abs()));
            pixels.push(scale.at(extreme.unwrap_or(f64::NAN)));
        }
    }
    (columns, pixels)
}

fn frame(scene: &mut Scene, (left, right): (f64, f64), (top, bottom): (f64, f64)) {
    let corners = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    scene.line(corners, 1.0, INK);
}

/// The explanation of grey cells, right-aligned at `right`; returns the y below it.
fn draw_no_value(scene: &mut Scene, right: f64, y: f64) -> f64 {
    let start = right - text_width("no value", SMALL);
    scene.rect(start - 18.0, y, 12.0, 12.0, NO_VALUE);
    scene.text((start, y + 6.0), "no value", SMALL, Anchor::Start);
    y + 12.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least 1; the cast saturates"
)]
fn step(n: f64) -> usize {
    n.ceil().max(1.0) as usize
}

/// An upright colour bar.
struct Bar<'a> {
    scale: &'a ColourScale,
    label: &'a str,
    tick_room: f64,
    factor: String,
}

impl<'a> Bar<'a> {
    fn new(scale: &'a ColourScale, height: f64, label: &'a str) -> Self {
        let ticks = Axis::new((scale.lo, scale.hi), false, 0.0, (height, 0.0)).ticks(step(height / 40.0));
        let room = ticks
            .major
            .iter()
            .map(|t| text_width(&t.label, SMALL))
            .fold(0.0, f64::max);
        Self {
            scale,
            label,
            tick_room: room.max(text_width(&ticks.factor, SMALL) - BAR),
            factor: ticks.factor,
        }
    }

    fn width(&self) -> f64 {
        BAR + 7.0 + self.tick_room + if self.label.is_empty() { 0.0 } else { GAP + NORMAL }
    }

    fn draw(&self, scene: &mut Scene, x: f64, (top, bottom): (f64, f64)) {
        const STEPS: usize = 128;
        let shade = |i: usize| self.scale.map.at(1.0 - (i as f64 + 0.5) / STEPS as f64);
        let pixels = (0..STEPS).map(shade).collect();
        scene.shapes.push(Shape::Image {
            x,
            y: top,
            w: BAR,
            h: bottom - top,
            columns: 1,
            pixels,
        });
        frame(scene, (x, x + BAR), (top, bottom));
        let ticks =
            Axis::new((self.scale.lo, self.scale.hi), false, 0.0, (bottom, top)).ticks(step((bottom - top) / 40.0));
        for tick in &ticks.major {
            scene.line(vec![(x + BAR, tick.px), (x + BAR + 4.0, tick.px)], 1.0, INK);
            scene.text((x + BAR + 7.0, tick.px), &tick.label, SMALL, Anchor::Start);
        }
        scene.text((x, top - 11.0), &self.factor, SMALL, Anchor::Start);
        let label_x = x + BAR + 7.0 + self.tick_room + GAP + NORMAL / 2.0;
        let label = fitted(self.label, NORMAL, bottom - top);
        scene.upright((label_x, (top + bottom) / 2.0), &label, NORMAL, Anchor::Middle);
    }
}
