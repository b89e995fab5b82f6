//! Line plots: panels stacked over one x axis.

mod legend;
mod trace;

use super::Figure;
use super::axis::{Axis, Ticks, extent};
use super::colour::{GRID, INK, MUTED, RULE, Rgb, WHITE};
use super::scene::{Anchor, LARGE, NORMAL, SMALL, Scene, fitted, text_width};
use legend::Legend;

/// Stacked panels of series over a shared x axis.
#[derive(Debug, Clone, PartialEq)]
pub struct LinePlot {
    /// Title above everything; may be empty.
    pub title: String,
    /// Label of the x axis with its unit, such as `time (ms)`.
    pub x_label: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
    /// Vertical dashed lines through all panels.
    pub marks: Vec<Mark>,
    /// Range of x; the extent of the data if `None`. Data outside is cut off.
    pub x_range: Option<(f64, f64)>,
    /// Logarithmic x axis; points whose x is not positive are left out.
    pub log_x: bool,
    /// Width of the picture, px.
    pub width: f64,
    /// Height of one panel's plotting area, px.
    pub panel_height: f64,
}

/// One plotting area.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// Title above the panel; may be empty.
    pub title: String,
    /// Label of the y axis with its unit, such as `V (mV)`.
    pub y_label: String,
    /// Logarithmic y axis; values that are not positive become gaps.
    pub log_y: bool,
    /// Range of y; the extent of the data if `None`. Data outside is cut off.
    pub y_range: Option<(f64, f64)>,
    /// Drawn in this order.
    pub series: Vec<Series>,
}

/// One curve. Non-finite values are gaps; if lengths differ, the longer is cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend; may be empty.
    pub name: String,
    /// Abscissae.
    pub x: Vec<f64>,
    /// Ordinates.
    pub y: Vec<f64>,
    /// Colour; if `None`, the palette's, or shades in order when a panel has more than eight series.
    pub colour: Option<Rgb>,
    /// How it is drawn.
    pub stroke: Stroke,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stroke {
    /// A solid line.
    #[default]
    Line,
    /// A dashed line.
    Dashed,
    /// Dots only.
    Points,
    /// Dots joined by a line.
    LineAndPoints,
}

/// A vertical line at some x.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// Text above the topmost panel; may be empty.
    pub label: String,
}

impl LinePlot {
    /// A plot 900 px wide without panels.
    pub fn new(title: &str, x_label: &str) -> Self {
        Self {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            panels: Vec::new(),
            marks: Vec::new(),
            x_range: None,
            log_x: false,
            width: 900.0,
            panel_height: 190.0,
        }
    }

    /// Adds a panel below the others.
    #[must_use]
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Makes the x axis logarithmic.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.log_x = true;
        self
    }

    /// Adds a vertical line at `x`.
    #[must_use]
    pub fn mark(mut self, x: f64, label: &str) -> Self {
        self.marks.push(Mark {
            x,
            label: label.to_owned(),
        });
        self
    }
}

impl Panel {
    /// An empty panel with a linear y axis.
    pub fn new(y_label: &str) -> Self {
        Self {
            y_label: y_label.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a series.
    #[must_use]
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Makes the y axis logarithmic.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.log_y = true;
        self
    }

    fn y_axis(&self, x_range: Option<(f64, f64)>, top: f64, bottom: f64) -> Option<Axis> {
        let visible = |x: f64| x_range.is_none_or(|(lo, hi)| (lo..=hi).contains(&x));
        let values = self
            .series
            .iter()
            .flat_map(|s| s.points().filter(|p| visible(p.0)).map(|p| p.1));
        let range = match self.log_y {
            true => extent(values.filter(|v| *v > 0.0)),
            false => extent(values),
        }?;
        let given = self.y_range.filter(|r| !self.log_y || (r.0 > 0.0 && r.1 > 0.0));
        Some(Axis::new(
            given.unwrap_or(range),
            self.log_y,
            if given.is_some() { 0.0 } else { 0.05 },
            (bottom, top),
        ))
    }
}

impl Series {
    /// A solid line in the palette's next colour.
    pub fn new(name: &str, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            x,
            y,
            colour: None,
            stroke: Stroke::Line,
        }
    }

    /// Drawn that way.
    #[must_use]
    pub fn stroke(mut self, stroke: Stroke) -> Self {
        self.stroke = stroke;
        self
    }

    /// In that colour.
    #[must_use]
    pub fn colour(mut self, colour: Rgb) -> Self {
        self.colour = Some(colour);
        self
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.x.iter().copied().zip(self.y.iter().copied())
    }
}

/// Blank margin around everything.
const MARGIN: f64 = 14.0;
/// Space between tick labels and what they label.
const GAP: f64 = 6.0;
/// Height of a row of text.
const ROW: f64 = 18.0;
/// Length of a tick mark.
const TICK: f64 = 4.0;
/// Least horizontal room per x tick, px.
const X_TICK_ROOM: f64 = 85.0;
/// Least vertical room per y tick, px.
const Y_TICK_ROOM: f64 = 24.0;

/// A panel's place and axis, before anything is drawn.
struct Placed {
    axis: Option<Axis>,
    ticks: Ticks,
    top: f64,
    bottom: f64,
    legend: Legend,
    label_lines: Vec<String>,
}

impl Figure for LinePlot {
    fn scene(&self) -> Scene {
        let width = self.width.max(200.0);
        let shared = self.shared_legend();
        let placed: Vec<Placed> = self.panels.iter().map(|p| self.measure(p, shared)).collect();
        let (left, right) = (left_margin(&placed), width - MARGIN - 10.0);
        let x_values = self
            .panels
            .iter()
            .flat_map(|p| p.series.iter().flat_map(|s| s.points().map(|q| q.0)));
        let given = self.x_range.filter(|r| !self.log_x || (r.0 > 0.0 && r.1 > 0.0));
        let x_range = given.or_else(|| extent(x_values.filter(|x| !self.log_x || *x > 0.0)));
        let blank = if self.log_x { (1.0, 10.0) } else { (0.0, 1.0) };
        let x_axis = Axis::new(x_range.unwrap_or(blank), self.log_x, 0.0, (left, right));

        let top_legend = match (shared, self.panels.first()) {
            (true, Some(panel)) => Legend::of(&panel.series),
            _ => Legend::default(),
        };
        let mut scene = Scene::new(&self.title, width, 10.0);
        let mut shapes = Scene::new("", width, 0.0);
        let mut y = MARGIN;
        if !self.title.is_empty() {
            shapes.text(
                (left, y + LARGE / 2.0),
                &fitted(&self.title, LARGE, right - left),
                LARGE,
                Anchor::Start,
            );
            y += LARGE + 10.0;
        }
        y = top_legend.draw(&mut shapes, (left, right), y);
        y = self.draw_mark_labels(&mut shapes, &x_axis, (left, right), y);
        let mut frames = Vec::new();
        for (panel, mut place) in self.panels.iter().zip(placed) {
            y = draw_header(&mut shapes, panel, &mut place, (left, right), y);
            (place.top, place.bottom) = (y, y + self.height());
            place.axis = panel.y_axis(self.x_range, place.top, place.bottom);
            place.ticks = place.axis.map_or_else(Ticks::default, |a| a.ticks(self.y_ticks()));
            y = place.bottom + 12.0;
            frames.push(place);
        }
        let x_ticks = x_axis.ticks(most((right - left) / X_TICK_ROOM));
        for (i, (panel, place)) in self.panels.iter().zip(&frames).enumerate() {
            let is_last = i + 1 == frames.len();
            self.draw_panel(&mut shapes, panel, place, &x_axis, &x_ticks, (left, right), is_last);
        }
        let bottom = frames.last().map_or(y, |p| p.bottom);
        let end = self.draw_x_axis(&mut shapes, &x_ticks, (left, right), bottom);
        scene.height = end.ceil();
        scene.rect(0.0, 0.0, width, scene.height, WHITE);
        scene.shapes.append(&mut shapes.shapes);
        scene
    }
}

impl LinePlot {
    fn height(&self) -> f64 {
        self.panel_height.max(40.0)
    }

    fn y_ticks(&self) -> usize {
        most(self.height() / Y_TICK_ROOM)
    }

    /// Several panels whose series have the same names, colours and strokes share one legend.
    fn shared_legend(&self) -> bool {
        let key = |p: &Panel| {
            p.series
                .iter()
                .map(|s| (s.name.clone(), s.colour, s.stroke))
                .collect::<Vec<_>>()
        };
        let mut keys = self.panels.iter().map(key);
        let first = keys.next();
        self.panels.len() > 1 && first.is_some_and(|first| keys.all(|k| k == first))
    }

    /// What must be known of a panel before the left margin is.
    fn measure(&self, panel: &Panel, shared: bool) -> Placed {
        let axis = panel.y_axis(self.x_range, 0.0, self.height());
        let ticks = axis.map_or_else(Ticks::default, |a| a.ticks(self.y_ticks()));
        let legend = if shared {
            Legend::default()
        } else {
            Legend::of(&panel.series)
        };
        let label_lines = broken(&panel.y_label, self.height());
        Placed {
            axis,
            ticks,
            top: 0.0,
            bottom: 0.0,
            legend,
            label_lines,
        }
    }

    /// Labels of marks in as many rows as they need not to touch; returns the y below them.
    fn draw_mark_labels(&self, scene: &mut Scene, x_axis: &Axis, (left, right): (f64, f64), y: f64) -> f64 {
        let mut marks: Vec<(f64, &str)> = self.visible_marks(x_axis, (left, right));
        marks.retain(|m| !m.1.is_empty());
        marks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut rows: Vec<f64> = Vec::new(); // right end of each row so far
        let mut placed = Vec::new();
        for (px, label) in marks {
            let half = text_width(label, SMALL) / 2.0;
            let centre = px.clamp((left + half).min(right - half), right - half);
            let row = rows
                .iter()
                .position(|end| centre - half > end + 8.0)
                .unwrap_or(rows.len());
            if row == rows.len() {
                rows.push(0.0);
            }
            rows[row] = centre + half;
            placed.push((centre, row, label));
        }
        let bottom = y + rows.len() as f64 * (ROW - 3.0);
        for (centre, row, label) in placed {
            let at = (centre, bottom - (row as f64 + 0.5) * (ROW - 3.0));
            scene.coloured_text(at, label, SMALL, Anchor::Middle, MUTED);
        }
        bottom
    }

    fn visible_marks(&self, x_axis: &Axis, (left, right): (f64, f64)) -> Vec<(f64, &str)> {
        let inside = |px: &f64| *px >= left - 0.5 && *px <= right + 0.5;
        self.marks
            .iter()
            .filter_map(|m| Some((x_axis.px(m.x).filter(inside)?, m.label.as_str())))
            .collect()
    }

    #[expect(clippy::too_many_arguments, reason = "one panel's place in the figure")]
    fn draw_panel(
        &self,
        scene: &mut Scene,
        panel: &Panel,
        place: &Placed,
        x_axis: &Axis,
        x_ticks: &Ticks,
        (left, right): (f64, f64),
        is_last: bool,
    ) {
        let (top, bottom) = (place.top, place.bottom);
        for tick in &place.ticks.major {
            scene.line(vec![(left, tick.px), (right, tick.px)], 0.8, GRID);
        }
        for tick in &x_ticks.major {
            scene.line(vec![(tick.px, top), (tick.px, bottom)], 0.8, GRID);
        }
        for (px, _) in self.visible_marks(x_axis, (left, right)) {
            scene.dashed(&[(px, top), (px, bottom)], 1.0, RULE, (4.0, 3.0));
        }
        let colours = legend::colours(&panel.series);
        if let Some(y_axis) = &place.axis {
            let bounds = trace::Bounds {
                left,
                right,
                top,
                bottom,
            };
            for (series, colour) in panel.series.iter().zip(colours) {
                trace::draw(scene, series, colour, (x_axis, y_axis), bounds);
            }
        } else {
            let text = if panel.log_y && panel.series.iter().any(|s| !s.y.is_empty()) {
                "no positive data"
            } else {
                "no data"
            };
            let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
            scene.coloured_text(middle, text, NORMAL, Anchor::Middle, MUTED);
        }
        // Axes last, over curves that run along them.
        scene.line(vec![(left, top), (left, bottom), (right, bottom)], 1.0, INK);
        for tick in &place.ticks.major {
            scene.line(vec![(left - TICK, tick.px), (left, tick.px)], 1.0, INK);
            scene.text((left - TICK - 3.0, tick.px), &tick.label, SMALL, Anchor::End);
        }
        for px in &place.ticks.minor_px {
            scene.line(vec![(left - TICK / 2.0, *px), (left, *px)], 0.8, INK);
        }
        for px in &x_ticks.minor_px {
            scene.line(vec![(*px, bottom), (*px, bottom + TICK / 2.0)], 0.8, INK);
        }
        for tick in &x_ticks.major {
            let length = if is_last { TICK } else { TICK / 2.0 };
            scene.line(vec![(tick.px, bottom), (tick.px, bottom + length)], 1.0, INK);
        }
        for (i, text) in place.label_lines.iter().enumerate() {
            let x = MARGIN + NORMAL / 2.0 + i as f64 * (NORMAL + 3.0);
            scene.upright((x, (top + bottom) / 2.0), text, NORMAL, Anchor::Middle);
        }
    }

    /// Returns the y below everything.
    fn draw_x_axis(&self, scene: &mut Scene, ticks: &Ticks, (left, right): (f64, f64), bottom: f64) -> f64 {
        let row = bottom + TICK + 5.0 + SMALL / 2.0;
        for tick in &ticks.major {
            scene.text((tick.px, row), &tick.label, SMALL, Anchor::Middle);
        }
        let label_row = row + SMALL / 2.0 + 5.0 + NORMAL / 2.0;
        let factor_room = text_width(&ticks.factor, SMALL) + 10.0;
        let label = fitted(&self.x_label, NORMAL, right - left - 2.0 * factor_room);
        scene.text(((left + right) / 2.0, label_row), &label, NORMAL, Anchor::Middle);
        scene.text((right, label_row), &ticks.factor, SMALL, Anchor::End);
        label_row + NORMAL / 2.0 + MARGIN - 4.0
    }
}

/// Title, legend and factor above a panel; returns the panel's top.
fn draw_header(scene: &mut Scene, panel: &Panel, place: &mut Placed, (left, right): (f64, f64), y: f64) -> f64 {
    let mut y = y;
    let title_width = text_width(&panel.title, NORMAL);
    let beside = place.legend.width() + title_width + 24.0 <= right - left;
    if !panel.title.is_empty() {
        scene.text(
            (left, y + ROW / 2.0),
            &fitted(&panel.title, NORMAL, right - left),
            NORMAL,
            Anchor::Start,
        );
        if !beside {
            y += ROW;
        }
    }
    let start = if beside { right - place.legend.width() } else { left };
    let below = place.legend.draw(scene, (start, right), y);
    let below = if beside && !panel.title.is_empty() {
        below.max(y + ROW)
    } else {
        below
    };
    // The factor stands over the tick labels, so it needs a row even when there is nothing else.
    let top = if place.ticks.factor.is_empty() {
        below + 4.0
    } else {
        (below + 4.0).max(y + ROW + 2.0)
    };
    scene.text((left - TICK - 3.0, top - 13.0), &place.ticks.factor, SMALL, Anchor::End);
    top
}

fn label_room(ticks: &Ticks) -> f64 {
    ticks
        .major
        .iter()
        .map(|t| text_width(&t.label, SMALL))
        .fold(0.0, f64::max)
}

fn left_margin(placed: &[Placed]) -> f64 {
    let room = |p: &Placed| {
        let label = p.label_lines.len() as f64 * (NORMAL + 3.0);
        (label_room(&p.ticks) + GAP + label).max(text_width(&p.ticks.factor, SMALL)) + TICK + 3.0
    };
    MARGIN + placed.iter().map(room).fold(20.0, f64::max)
}

/// A label that is too long for the panel's height, broken before its unit, and shortened if still too long.
fn broken(label: &str, height: f64) -> Vec<String> {
    if label.is_empty() {
        return Vec::new();
    }
    let lines = match label.rfind(" (") {
        Some(at) if text_width(label, NORMAL) > height => vec![&label[..at], &label[at + 1..]],
        _ => vec![label],
    };
    lines.into_iter().map(|l| fitted(l, NORMAL, height)).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 3..=12 first"
)]
fn most(n: f64) -> usize {
    n.clamp(3.0, 12.0) as usize
}
