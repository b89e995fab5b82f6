//! A scene as PNG, through plotters' bitmap backend.
//!
//! plotters' thick lines have holes and spikes at sharp corners, and only some of its edges are smoothed.
//! So everything is drawn from convex pieces on a canvas several times too large, which is then averaged down.

use ab_glyph::{Font, FontRef, ScaleFont, point};
use plotters::backend::{BitMapBackend, DrawingBackend, RGBPixel};
use plotters::style::Color;

use super::colour::Rgb;
use super::scene::{Anchor, HALF_CAPITAL_EM, LINE_BOX_EM, Point, Scene, Shape, text_width};
use super::vector::colour;
use crate::report::error::Error;

/// Pixels of the file per CSS pixel.
const PIXELS_PER_PX: usize = 2;
/// Canvas pixels per pixel of the file, in each direction: ten grey levels at an edge.
const OVERSAMPLING: usize = 3;
/// Canvas pixels per CSS pixel.
const SCALE: f64 = (PIXELS_PER_PX * OVERSAMPLING) as f64;
/// Resolution noted in the file: 300 dpi.
const PIXELS_PER_METRE: u32 = 11811;

type Canvas<'a> = BitMapBackend<'a, RGBPixel>;
type Drawn = Result<(), Error>;

/// Draws `scene`.
pub(super) fn render(scene: &Scene) -> Result<Vec<u8>, Error> {
    let (width, height) = (count(scene.width) * PIXELS_PER_PX, count(scene.height) * PIXELS_PER_PX);
    let mut pixels = vec![255u8; width * height * OVERSAMPLING * OVERSAMPLING * 3];
    let size = (as_u32(width * OVERSAMPLING)?, as_u32(height * OVERSAMPLING)?);
    {
        let mut canvas = Canvas::with_buffer_and_format(&mut pixels, size).map_err(|e| failure(&e))?;
        for shape in &scene.shapes {
            draw(&mut canvas, shape)?;
        }
        canvas.present().map_err(|e| failure(&e))?;
    }
    encode(width, height, averaged(&pixels, width, height))
}

fn draw(canvas: &mut Canvas<'_>, shape: &Shape) -> Drawn {
    match shape {
        Shape::Rect { x, y, w, h, fill } => fill_rect(canvas, (*x, *y), (x + w, y + h), *fill),
        Shape::Line { points, width, colour } => {
            for pair in points.windows(2) {
                fill_convex(
                    canvas,
                    &thick_segment(pair[0], pair[1], width / 2.0, width / 2.0),
                    *colour,
                )?;
                fill_convex(canvas, &disc(pair[0], width / 2.0), *colour)?;
            }
            points
                .last()
                .map_or(Ok(()), |p| fill_convex(canvas, &disc(*p, width / 2.0), *colour))
        }
        Shape::Polygon { points, fill } => fill_convex(canvas, points, *fill),
        Shape::Disc { centre, radius, fill } => fill_convex(canvas, &disc(*centre, *radius), *fill),
        Shape::Text {
            at,
            text,
            size,
            colour,
            anchor,
            upright,
        } => draw_text(canvas, *at, text, (*size, *colour), *anchor, *upright),
        Shape::Image {
            x,
            y,
            w,
            h,
            columns,
            pixels,
        } => {
            let (cw, ch) = (w / *columns as f64, h / (pixels.len() / columns) as f64);
            for (i, p) in pixels.iter().enumerate() {
                let (left, top) = (x + cw * (i % columns) as f64, y + ch * (i / columns) as f64);
                fill_rect(canvas, (left, top), (left + cw, top + ch), *p)?;
            }
            Ok(())
        }
    }
}

/// The four corners of a segment with half-widths `ra` at `a` and `rb` at `b`; a point has none.
pub(super) fn thick_segment(a: Point, b: Point, ra: f64, rb: f64) -> Vec<Point> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy);
    if length <= 0.0 {
        return Vec::new();
    }
    let (nx, ny) = (-dy / length, dx / length);
    vec![
        (a.0 + ra * nx, a.1 + ra * ny),
        (b.0 + rb * nx, b.1 + rb * ny),
        (b.0 - rb * nx, b.1 - rb * ny),
        (a.0 - ra * nx, a.1 - ra * ny),
    ]
}

fn disc(centre: Point, radius: f64) -> Vec<Point> {
    let corners = if radius < 4.0 { 16 } else { 64 };
    let corner = |i: u32| {
        let angle = std::f64::consts::TAU * f64::from(i) / f64::from(corners);
        (centre.0 + radius * angle.cos(), centre.1 + radius * angle.sin())
    };
    (0..corners).map(corner).collect()
}

/// Draws text glyph by glyph: plotters ignores the blank before each glyph, which makes its spacing uneven.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the font library computes in f32; canvas pixels fit i32"
)]
fn draw_text(
    canvas: &mut Canvas<'_>,
    at: Point,
    text: &str,
    (size, fill): (f64, Rgb),
    anchor: Anchor,
    upright: bool,
) -> Drawn {
    let font = FontRef::try_from_slice(dejavu::sans::regular()).map_err(|e| failure(&e))?;
    let font = font.as_scaled((size * LINE_BOX_EM * SCALE) as f32);
    let width = text_width(text, size) * SCALE;
    let mut pen = match anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -width / 2.0,
        Anchor::End => -width,
    } as f32;
    let baseline = (HALF_CAPITAL_EM * size * SCALE) as f32;
    let mut covered: Vec<(i32, i32, f32)> = Vec::new();
    let mut previous = None;
    for c in text.chars() {
        let id = font.glyph_id(c);
        pen += previous.map_or(0.0, |p| font.kern(p, id));
        if let Some(outline) = font.outline_glyph(id.with_scale_and_position(font.scale(), point(pen, baseline))) {
            let corner = outline.px_bounds().min;
            outline
                .draw(|x, y, cover| covered.push(((corner.x + x as f32) as i32, (corner.y + y as f32) as i32, cover)));
        }
        pen += font.h_advance(id);
        previous = Some(id);
    }
    let (left, top) = (pixel(at.0), pixel(at.1));
    let (last_x, last_y) = canvas.get_size();
    for (x, y, cover) in covered {
        let (x, y) = if upright {
            (left + y, top - x)
        } else {
            (left + x, top + y)
        };
        let inside = u32::try_from(x).is_ok_and(|x| x < last_x) && u32::try_from(y).is_ok_and(|y| y < last_y);
        if inside && cover > 0.0 {
            let ink = colour(fill).mix(f64::from(cover.min(1.0))).to_backend_color();
            canvas.draw_pixel((x, y), ink).map_err(|e| failure(&e))?;
        }
    }
    Ok(())
}

fn fill_rect(canvas: &mut Canvas<'_>, a: Point, b: Point, fill: Rgb) -> Drawn {
    // plotters leaves out the right and lower edge, so that neighbours share no pixel.
    let (a, b) = ((pixel(a.0), pixel(a.1)), (pixel(b.0), pixel(b.1)));
    canvas.draw_rect(a, b, &colour(fill), true).map_err(|e| failure(&e))
}

/// Fills the canvas pixels whose centres lie inside the polygon, one run per line.
fn fill_convex(canvas: &mut Canvas<'_>, points: &[Point], fill: Rgb) -> Drawn {
    let points: Vec<Point> = points.iter().map(|p| (p.0 * SCALE - 0.5, p.1 * SCALE - 0.5)).collect();
    let Some((top, bottom)) = super::axis::extent(points.iter().map(|p| p.1)) else {
        return Ok(());
    };
    let last_line = f64::from(canvas.get_size().1);
    let (mut y, bottom) = (top.ceil().max(0.0), bottom.min(last_line));
    while y <= bottom {
        let mut run = (f64::INFINITY, f64::NEG_INFINITY);
        for (i, &a) in points.iter().enumerate() {
            let b = points[(i + 1) % points.len()];
            if (a.1 <= y) != (b.1 <= y) {
                let x = a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0);
                run = (run.0.min(x), run.1.max(x));
            }
        }
        let (x0, x1) = (to_i32(run.0.ceil()), to_i32(run.1.floor()));
        if x0 <= x1 {
            let line = to_i32(y);
            canvas
                .draw_rect((x0, line), (x1 + 1, line + 1), &colour(fill), true)
                .map_err(|e| failure(&e))?;
        }
        y += 1.0;
    }
    Ok(())
}

/// Each pixel of the file is the mean of its block of canvas pixels.
#[expect(clippy::cast_possible_truncation, reason = "a mean of bytes is a byte")]
fn averaged(canvas: &[u8], width: usize, height: usize) -> Vec<u8> {
    let n = OVERSAMPLING;
    let stride = width * n * 3;
    let mut out = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let mut sum = 0usize;
                for row in 0..n {
                    let start = (y * n + row) * stride + x * n * 3 + channel;
                    sum += (0..n)
                        .map(|column| usize::from(canvas[start + column * 3]))
                        .sum::<usize>();
                }
                out.push(((sum + n * n / 2) / (n * n)) as u8);
            }
        }
    }
    out
}

/// The bytes of a PNG file; `rgb` is row by row, three bytes a pixel.
pub(super) fn encode(width: usize, height: usize, rgb: Vec<u8>) -> Result<Vec<u8>, Error> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, as_u32(width)?, as_u32(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_adaptive_filter(png::AdaptiveFilterType::Adaptive);
    let (xppu, yppu) = (PIXELS_PER_METRE, PIXELS_PER_METRE);
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu,
        yppu,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().map_err(|e| failure(&e))?;
    writer.write_image_data(&rgb).map_err(|e| failure(&e))?;
    writer.finish().map_err(|e| failure(&e))?;
    Ok(file)
}

fn failure(reason: &impl ToString) -> Error {
    Error::Drawing {
        format: "PNG",
        reason: reason.to_string(),
    }
}

fn as_u32(n: usize) -> Result<u32, Error> {
    u32::try_from(n).map_err(|e| failure(&e))
}

fn pixel(px: f64) -> i32 {
    to_i32((px * SCALE).round())
}

#[expect(clippy::cast_possible_truncation, reason = "canvas pixels; the cast saturates")]
fn to_i32(v: f64) -> i32 {
    v as i32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates at 0"
)]
fn count(px: f64) -> usize {
    px.ceil().max(1.0) as usize
}
