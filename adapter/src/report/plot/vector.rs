//! A scene as SVG, through plotters' SVG backend.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle};

use super::colour::Rgb;
use super::raster::encode;
use super::scene::{Anchor, HALF_CAPITAL_EM, Scene, Shape, font_ready};
use crate::report::error::Error;

/// plotters' coordinates are integers: draw ten times as large, and let the view box undo it.
const UNITS_PER_PX: f64 = 10.0;
/// plotters' SVG backend divides font sizes by this number.
const SVG_FONT_FACTOR: f64 = 1.24;
/// plotters centres text by moving its baseline down half an x-height; x-heights of sans-serif fonts are near 0.53 em.
const CENTRE_SHIFT_EM: f64 = 0.53 / 2.0;
/// Grids up to this many cells are drawn as rectangles, sharp at any zoom; larger ones as an embedded PNG, which is smaller.
const MOST_RECTANGLES: usize = 2500;

/// An SVG document that graddiff drew: well-formed, without scripts and external references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svg(String);

impl Svg {
    /// The document, without an XML declaration, so that HTML can hold it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Draws `scene`.
pub(super) fn render(scene: &Scene) -> Result<Svg, Error> {
    let mut document = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0}\" height=\"{1:.0}\" viewBox=\"0 0 {2:.0} {3:.0}\" \
         role=\"img\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n<title>{4}</title>\n",
        scene.width,
        scene.height,
        scene.width * UNITS_PER_PX,
        scene.height * UNITS_PER_PX,
        crate::report::html::escaped(&scene.title),
    );
    let is_image = |s: &Shape| matches!(s, Shape::Image { .. });
    for part in scene.shapes.chunk_by(|a, b| !is_image(a) && !is_image(b)) {
        match part {
            [
                Shape::Image {
                    x,
                    y,
                    w,
                    h,
                    columns,
                    pixels,
                },
            ] if pixels.len() > MOST_RECTANGLES => {
                document += &embedded((*x, *y, *w, *h), *columns, pixels)?;
            }
            // Smoothed edges between neighbouring cells would show the page through.
            [Shape::Image { .. }] => {
                document += &format!("<g shape-rendering=\"crispEdges\">\n{}</g>\n", body(scene, part)?);
            }
            _ => document += &body(scene, part)?,
        }
    }
    document += "</svg>\n";
    Ok(Svg(document))
}

fn embedded((x, y, w, h): (f64, f64, f64, f64), columns: usize, pixels: &[Rgb]) -> Result<String, Error> {
    let png = encode(
        columns,
        pixels.len() / columns,
        pixels.iter().flat_map(|p| [p.0, p.1, p.2]).collect(),
    )?;
    Ok(format!(
        "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
         style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n",
        units(x),
        units(y),
        units(w),
        units(h),
        STANDARD.encode(png)
    ))
}

/// What plotters draws, without its outermost element.
fn body(scene: &Scene, shapes: &[Shape]) -> Result<String, Error> {
    font_ready();
    let mut text = String::new();
    let mut backend = SVGBackend::with_string(&mut text, (extent(scene.width), extent(scene.height)));
    for shape in shapes {
        draw(&mut backend, shape).map_err(|e| failure(&e))?;
    }
    backend.present().map_err(|e| failure(&e))?;
    drop(backend);
    let inside = text
        .split_once(">\n")
        .and_then(|(_, rest)| rest.strip_suffix("</svg>\n"));
    let unexpected = || Error::Drawing {
        format: "SVG",
        reason: "plotters' document has an unexpected frame".to_owned(),
    };
    Ok(inside.ok_or_else(unexpected)?.to_owned())
}

fn failure(reason: &impl ToString) -> Error {
    Error::Drawing {
        format: "SVG",
        reason: reason.to_string(),
    }
}

type Drawn = Result<(), plotters::prelude::DrawingAreaErrorKind<std::io::Error>>;

fn draw(backend: &mut SVGBackend<'_>, shape: &Shape) -> Drawn {
    use plotters::prelude::DrawingAreaErrorKind::BackendError;
    let result = match shape {
        Shape::Rect { x, y, w, h, fill } => backend.draw_rect(
            (units(*x), units(*y)),
            (units(x + w), units(y + h)),
            &colour(*fill),
            true,
        ),
        Shape::Line {
            points,
            width,
            colour: c,
        } => {
            let style = ShapeStyle {
                color: colour(*c).into(),
                filled: false,
                stroke_width: extent(*width).max(1),
            };
            backend.draw_path(points.iter().map(|p| (units(p.0), units(p.1))), &style)
        }
        Shape::Polygon { points, fill } => {
            backend.fill_polygon(points.iter().map(|p| (units(p.0), units(p.1))), &colour(*fill))
        }
        Shape::Disc { centre, radius, fill } => backend.draw_circle(
            (units(centre.0), units(centre.1)),
            extent(*radius),
            &colour(*fill),
            true,
        ),
        Shape::Text {
            at,
            text,
            size,
            colour: c,
            anchor,
            upright,
        } => {
            // Move the anchor so that, after plotters' own shift, the capitals are centred on `at`.
            let shift = (HALF_CAPITAL_EM - CENTRE_SHIFT_EM) * size;
            let at = if *upright {
                (at.0 + shift, at.1)
            } else {
                (at.0, at.1 + shift)
            };
            let style = text_style(size * SVG_FONT_FACTOR * UNITS_PER_PX, *c, *anchor, *upright);
            backend.draw_text(text, &style, (units(at.0), units(at.1)))
        }
        Shape::Image {
            x,
            y,
            w,
            h,
            columns,
            pixels,
        } => {
            let rows = pixels.len() / columns;
            let (cw, ch) = (w / *columns as f64, h / rows as f64);
            for (i, pixel) in pixels.iter().enumerate() {
                let (left, top) = (x + cw * (i % columns) as f64, y + ch * (i / columns) as f64);
                let (a, b) = ((units(left), units(top)), (units(left + cw), units(top + ch)));
                backend.draw_rect(a, b, &colour(*pixel), true).map_err(BackendError)?;
            }
            Ok(())
        }
    };
    result.map_err(BackendError)
}

/// A plotters text style, centred vertically.
fn text_style(size: f64, c: Rgb, anchor: Anchor, upright: bool) -> TextStyle<'static> {
    let h_pos = match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let font = FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal);
    let font = if upright {
        font.transform(FontTransform::Rotate270)
    } else {
        font
    };
    TextStyle {
        color: colour(c).to_backend_color(),
        pos: Pos::new(h_pos, VPos::Center),
        ..TextStyle::from(font)
    }
}

/// A plotters colour.
pub(super) fn colour(c: Rgb) -> RGBColor {
    RGBColor(c.0, c.1, c.2)
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a figure; the cast saturates")]
fn units(px: f64) -> i32 {
    (px * UNITS_PER_PX).round() as i32
}

fn extent(px: f64) -> u32 {
    u32::try_from(units(px)).unwrap_or(0)
}
