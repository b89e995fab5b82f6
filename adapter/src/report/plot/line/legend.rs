//! Legends stand beside the data, never on it.

use super::{ROW, Series, Stroke};
use crate::report::plot::colour::{ColourMap, MUTED, Rgb, palette};
use crate::report::plot::scene::{Anchor, SMALL, Scene, text_width};

/// Series beyond which unnamed colours become shades in order.
const MOST_PALETTE: usize = 8;
/// Entries beyond which only every n-th is named.
const MOST_ENTRIES: usize = 16;
/// Width of the sample of the line.
const SAMPLE: f64 = 22.0;
/// Space between the sample and the name.
const AFTER_SAMPLE: f64 = 6.0;
/// Space after the name.
const AFTER_NAME: f64 = 16.0;

/// The colour of each series.
pub(super) fn colours(series: &[Series]) -> Vec<Rgb> {
    let many = series.len() > MOST_PALETTE;
    let shade = |i: usize| ColourMap::Sequential.at(i as f64 / (series.len() - 1) as f64);
    let colour = |(i, s): (usize, &Series)| s.colour.unwrap_or_else(|| if many { shade(i) } else { palette(i) });
    series.iter().enumerate().map(colour).collect()
}

/// The names of a panel's series.
#[derive(Debug, Default)]
pub(super) struct Legend {
    entries: Vec<(String, Rgb, Stroke)>,
    /// Said after the entries when not all are named.
    remark: String,
}

impl Legend {
    pub(super) fn of(series: &[Series]) -> Self {
        let named = series.iter().zip(colours(series)).filter(|(s, _)| !s.name.is_empty());
        let all: Vec<_> = named.map(|(s, c)| (s.name.clone(), c, s.stroke)).collect();
        if all.len() <= MOST_ENTRIES {
            return Self {
                entries: all,
                remark: String::new(),
            };
        }
        let every = all.len().div_ceil(MOST_ENTRIES / 2);
        let remark = format!("(one in {every} named)");
        Self {
            entries: all.into_iter().step_by(every).collect(),
            remark,
        }
    }

    /// Width in a single row, px.
    pub(super) fn width(&self) -> f64 {
        self.items().map(|(w, _)| w).sum::<f64>() - if self.entries.is_empty() { 0.0 } else { AFTER_NAME }
    }

    fn items(&self) -> impl Iterator<Item = (f64, Option<&(String, Rgb, Stroke)>)> {
        let entry = |e| {
            let (name, _, _): &(String, Rgb, Stroke) = e;
            (SAMPLE + AFTER_SAMPLE + text_width(name, SMALL) + AFTER_NAME, Some(e))
        };
        let remark = (!self.remark.is_empty()).then(|| (text_width(&self.remark, SMALL) + AFTER_NAME, None));
        self.entries.iter().map(entry).chain(remark)
    }

    /// Draws rows from `y` down; returns the y below them.
    pub(super) fn draw(&self, scene: &mut Scene, (left, right): (f64, f64), y: f64) -> f64 {
        if self.entries.is_empty() {
            return y;
        }
        let (mut x, mut y) = (left, y);
        for (width, entry) in self.items() {
            if x > left && x + width - AFTER_NAME > right + 0.5 {
                (x, y) = (left, y + ROW);
            }
            let middle = y + ROW / 2.0;
            match entry {
                Some((name, colour, stroke)) => {
                    sample(scene, (x, middle), *colour, *stroke);
                    scene.text((x + SAMPLE + AFTER_SAMPLE, middle), name, SMALL, Anchor::Start);
                }
                None => scene.coloured_text((x, middle), &self.remark, SMALL, Anchor::Start, MUTED),
            }
            x += width;
        }
        y + ROW
    }
}

fn sample(scene: &mut Scene, (x, y): (f64, f64), colour: Rgb, stroke: Stroke) {
    let line = [(x, y), (x + SAMPLE, y)];
    match stroke {
        Stroke::Line | Stroke::LineAndPoints => scene.line(line.to_vec(), 2.2, colour),
        Stroke::Dashed => scene.dashed(&line, 2.2, colour, super::trace::DASHES),
        Stroke::Points => {}
    }
    if matches!(stroke, Stroke::Points | Stroke::LineAndPoints) {
        super::trace::dot(scene, (x + SAMPLE / 2.0, y), colour);
    }
}
