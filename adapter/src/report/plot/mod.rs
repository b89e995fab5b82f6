//! Pictures: line plots, heat maps and morphologies, each as SVG and as PNG.
//!
//! A [`Figure`] describes itself once, as a list of shapes in units of one CSS pixel; plotters draws that list twice.
//! Knows numbers and labels only; every input, however odd (NaN, constant, empty, huge), gives a picture.
//! Text in PNG uses the embedded DejaVu Sans, so a machine without fonts will do; SVG names the generic `sans-serif`.

mod axis;
mod colour;
mod heat_map;
mod line;
mod montage;
mod morphology;
mod raster;
mod scene;
mod vector;

use std::path::{Path, PathBuf};

pub use colour::{ColourMap, Rgb, palette};
pub use heat_map::{Columns, HeatMap};
pub use line::{LinePlot, Mark, Panel, Series, Stroke};
pub use montage::Montage;
pub use morphology::{MorphologyPlot, Projection, Segment, Site};
pub use scene::Scene;
pub use vector::Svg;

use super::error::Error;
use super::file::write_atomic;

/// Something that can be drawn.
pub trait Figure {
    /// The shapes, laid out.
    fn scene(&self) -> Scene;

    /// The SVG document.
    ///
    /// # Errors
    /// [`Error::Drawing`], a bug of ours.
    fn svg(&self) -> Result<Svg, Error> {
        vector::render(&self.scene())
    }

    /// The bytes of a PNG file with two pixels per CSS pixel, 300 dpi at 6 inches for the usual 900.
    ///
    /// # Errors
    /// [`Error::Drawing`], a bug of ours.
    fn png(&self) -> Result<Vec<u8>, Error> {
        raster::render(&self.scene())
    }

    /// Writes `dir/stem.svg` and `dir/stem.png`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Drawing`].
    fn save(&self, dir: &Path, stem: &str) -> Result<Picture, Error> {
        let scene = self.scene();
        let svg = vector::render(&scene)?;
        let (svg_path, png_path) = (dir.join(format!("{stem}.svg")), dir.join(format!("{stem}.png")));
        write_atomic(&svg_path, svg.as_str().as_bytes())?;
        write_atomic(&png_path, &raster::render(&scene)?)?;
        Ok(Picture {
            svg,
            svg_path,
            png_path,
        })
    }
}

/// A saved figure.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The document, for [`Report::figure`](super::Report::figure).
    pub svg: Svg,
    /// Where the SVG is.
    pub svg_path: PathBuf,
    /// Where the PNG is.
    pub png_path: PathBuf,
}

#[cfg(test)]
mod tests;
