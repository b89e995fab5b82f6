//! Several figures in one picture, row by row.

use super::Figure;
use super::scene::{Anchor, LARGE, Scene, Shape};

/// Figures side by side. Each keeps its own width: those meant for a montage of two columns should be 450 px wide.
pub struct Montage<'a> {
    /// Title above everything; may be empty.
    pub title: String,
    /// From left to right, then from top to bottom.
    pub figures: Vec<&'a dyn Figure>,
    /// How many stand side by side.
    pub columns: usize,
}

impl std::fmt::Debug for Montage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Montage({:?}, {} figures)", self.title, self.figures.len())
    }
}

/// Room for the title, px.
const HEAD: f64 = 34.0;

impl Figure for Montage<'_> {
    fn scene(&self) -> Scene {
        let scenes: Vec<Scene> = self.figures.iter().map(|f| f.scene()).collect();
        let columns = self.columns.max(1);
        let pitch = scenes.iter().map(|s| s.width).fold(0.0, f64::max);
        let width = (pitch * columns.min(scenes.len().max(1)) as f64).max(200.0);
        let mut y = if self.title.is_empty() { 0.0 } else { HEAD };
        let mut shapes = Vec::new();
        for row in scenes.chunks(columns) {
            let height = row.iter().map(|s| s.height).fold(0.0, f64::max);
            for (i, scene) in row.iter().enumerate() {
                let by = (pitch * i as f64, y);
                shapes.extend(scene.shapes.iter().map(|s| moved(s, by)));
            }
            y += height;
        }
        let mut scene = Scene::new(&self.title, width, y.max(50.0));
        if !self.title.is_empty() {
            scene.text((14.0, HEAD / 2.0), &self.title, LARGE, Anchor::Start);
        }
        scene.shapes.append(&mut shapes);
        scene
    }
}

/// The same shape elsewhere.
fn moved(shape: &Shape, (dx, dy): (f64, f64)) -> Shape {
    let all = |points: &[(f64, f64)]| points.iter().map(|(x, y)| (x + dx, y + dy)).collect();
    let mut shape = shape.clone();
    match &mut shape {
        Shape::Rect { x, y, .. } | Shape::Image { x, y, .. } => (*x, *y) = (*x + dx, *y + dy),
        Shape::Line { points, .. } | Shape::Polygon { points, .. } => *points = all(points),
        Shape::Disc { centre, .. } => *centre = (centre.0 + dx, centre.1 + dy),
        Shape::Text { at, .. } => *at = (at.0 + dx, at.1 + dy),
    }
    shape
}
