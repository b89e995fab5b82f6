//! A laid-out figure: shapes in CSS pixels, y downwards, later shapes on top.

use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::colour::{INK, Rgb};

/// Family under which the embedded font is registered, and the generic family the SVG names.
pub(super) const FAMILY: &str = "sans-serif";
/// Height of the embedded font's line box in em (DejaVu Sans `hhea`: ascent 1901, descent 483, of 2048 units).
/// plotters' `ab_glyph` sizes fonts by this height, its SVG backend by 1.24 em.
pub(super) const LINE_BOX_EM: f64 = (1901.0 + 483.0) / 2048.0;
/// Half the height of a capital in em (DejaVu Sans: 0.729); text is centred on it.
pub(super) const HALF_CAPITAL_EM: f64 = 0.3645;

/// Text size of tick labels and legends, px.
pub(super) const SMALL: f64 = 12.0;
/// Text size of axis labels, px.
pub(super) const NORMAL: f64 = 13.0;
/// Text size of the figure's title, px.
pub(super) const LARGE: f64 = 16.0;

/// A point, px.
pub(super) type Point = (f64, f64);

/// Where a text's anchor lies along its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// One thing to draw.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Rect {
        x: f64,
        y: f64,
        w: f64,
        h: f64,
        fill: Rgb,
    },
    /// Connected line segments.
    Line {
        points: Vec<Point>,
        width: f64,
        colour: Rgb,
    },
    /// A filled convex polygon.
    Polygon {
        points: Vec<Point>,
        fill: Rgb,
    },
    /// A filled circle.
    Disc {
        centre: Point,
        radius: f64,
        fill: Rgb,
    },
    /// `at` is on the line through the middle of the capitals; upright text reads upwards.
    Text {
        at: Point,
        text: String,
        size: f64,
        colour: Rgb,
        anchor: Anchor,
        upright: bool,
    },
    /// A grid of cells, row by row from the top left.
    Image {
        x: f64,
        y: f64,
        w: f64,
        h: f64,
        columns: usize,
        pixels: Vec<Rgb>,
    },
}

/// The shapes of one figure; made by [`Figure::scene`](super::Figure::scene).
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Spoken description.
    pub(super) title: String,
    pub(super) shapes: Vec<Shape>,
}

impl Scene {
    pub(super) fn new(title: &str, width: f64, height: f64) -> Self {
        Self {
            width,
            height: height.ceil(),
            title: title.to_owned(),
            shapes: Vec::new(),
        }
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, w: f64, h: f64, fill: Rgb) {
        self.shapes.push(Shape::Rect { x, y, w, h, fill });
    }

    pub(super) fn line(&mut self, points: Vec<Point>, width: f64, colour: Rgb) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, width, colour });
        }
    }

    /// A line of dashes and gaps, px.
    pub(super) fn dashed(&mut self, points: &[Point], width: f64, colour: Rgb, (dash, gap): (f64, f64)) {
        let (mut drawn, mut left, mut piece) = (true, dash, Vec::from_iter(points.first().copied()));
        for pair in points.windows(2) {
            let (mut a, b) = (pair[0], pair[1]);
            let mut length = (b.0 - a.0).hypot(b.1 - a.1);
            while length > left {
                let f = left / length;
                a = (a.0 + f * (b.0 - a.0), a.1 + f * (b.1 - a.1));
                length -= left;
                if drawn {
                    piece.push(a);
                    self.line(std::mem::take(&mut piece), width, colour);
                } else {
                    piece = vec![a];
                }
                drawn = !drawn;
                left = if drawn { dash } else { gap };
            }
            left -= length;
            if drawn {
                piece.push(b);
            }
        }
        self.line(piece, width, colour);
    }

    pub(super) fn text(&mut self, at: Point, text: &str, size: f64, anchor: Anchor) {
        self.coloured_text(at, text, size, anchor, INK);
    }

    pub(super) fn coloured_text(&mut self, at: Point, text: &str, size: f64, anchor: Anchor, colour: Rgb) {
        if !text.is_empty() {
            self.shapes.push(Shape::Text {
                at,
                text: printable(text),
                size,
                colour,
                anchor,
                upright: false,
            });
        }
    }

    pub(super) fn upright(&mut self, at: Point, text: &str, size: f64, anchor: Anchor) {
        if !text.is_empty() {
            let text = printable(text);
            self.shapes.push(Shape::Text {
                at,
                text,
                size,
                colour: INK,
                anchor,
                upright: true,
            });
        }
    }
}

/// XML forbids control characters, and plotters does not filter them.
fn printable(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') {
            '\u{FFFD}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// Makes the embedded font known to plotters; `false` only if the font is broken, which a test excludes.
pub(super) fn font_ready() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    *READY.get_or_init(|| register_font(FAMILY, FontStyle::Normal, dejavu::sans::regular()).is_ok())
}

/// Width of `text` in the embedded font, px. Other sans-serif fonts are rarely wider: DejaVu is a wide one.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    /// Measured large, because plotters rounds widths to whole pixels.
    const MEASURE_AT: f64 = 1000.0;
    if !font_ready() {
        return 0.6 * size * text.chars().count() as f64;
    }
    let font = FontDesc::new(FontFamily::SansSerif, MEASURE_AT * LINE_BOX_EM, FontStyle::Normal);
    font.layout_box(text)
        .map_or(0.0, |((x0, _), (x1, _))| f64::from(x1 - x0) / MEASURE_AT * size)
}

/// `text`, shortened with an ellipsis until it fits `width` px.
pub(super) fn fitted(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut chars: Vec<char> = text.chars().collect();
    while chars.pop().is_some() {
        let shorter: String = chars.iter().collect::<String>().trim_end().to_owned() + "…";
        if text_width(&shorter, size) <= width {
            return shorter;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_font_knows_the_symbols_we_use() {
        assert!(font_ready());
        for symbol in "µ·²⁻⁰×−°Ω∂θΔλτ→≤₀…|".chars() {
            assert!(text_width(&symbol.to_string(), 10.0) > 0.5, "{symbol}");
        }
    }

    #[test]
    fn widths_are_those_of_the_font() {
        // DejaVu Sans: `0` advances 1303 of 2048 units.
        assert!((text_width("0000000000", 20.0) - 10.0 * 20.0 * 1303.0 / 2048.0).abs() < 0.1);
    }

    #[test]
    fn long_text_is_shortened_to_fit() {
        let text = fitted("a rather long label", 12.0, 60.0);
        assert!(text.ends_with('…') && text_width(&text, 12.0) <= 60.0 && text.len() > 5);
        assert_eq!(fitted("ok", 12.0, 60.0), "ok");
        assert_eq!(fitted("any", 12.0, 0.0), "");
    }

    #[test]
    fn dashes_cover_the_line_and_leave_the_gaps() {
        let mut scene = Scene::new("", 10.0, 10.0);
        scene.dashed(&[(0.0, 0.0), (4.0, 0.0), (20.0, 0.0)], 1.0, INK, (6.0, 4.0));
        let ends: Vec<_> = scene
            .shapes
            .iter()
            .map(|s| match s {
                Shape::Line { points, .. } => (points[0].0, points[points.len() - 1].0),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ends, [(0.0, 6.0), (10.0, 16.0)]);
    }
}
