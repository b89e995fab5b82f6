//! Integrals over stretches of branches, exact within frusta.
//!
//! With r linear from r0 to r1 over an axial length dx:
//! area = pi (r0 + r1) sqrt(dx^2 + (r1 - r0)^2); ixa = integral of dx/(pi r^2) = dx/(pi r0 r1).
//! A radius that jumps between consecutive segments adds no area. A segment of zero length whose radii differ adds the
//! ring between them, to the stretch that ends at or beyond it and begins before it (as in Arbor: right-continuous).

use super::{Cable, Location, Morphology, Piece};
use crate::discretise::PropertyMap;
use std::f64::consts::PI;

impl Piece {
    /// The part of the piece within [from, to], as relative positions on the piece; `None` where they do not overlap.
    fn overlap(&self, from: f64, to: f64) -> Option<(f64, f64)> {
        let width = self.dist - self.prox;
        let (from, to) = (from.max(self.prox), to.min(self.dist));
        let end = if to < self.dist { (to - self.prox) / width } else { 1.0 };
        (width > 0.0 && from < to).then(|| ((from - self.prox) / width, end))
    }

    fn radius(&self, u: f64) -> f64 {
        // The ends must be met exactly: r0 + (r1 - r0) * 1 need not be r1.
        if u >= 1.0 {
            self.r1
        } else {
            self.r0 + (self.r1 - self.r0) * u
        }
    }

    fn area_um2(&self, from: f64, to: f64) -> f64 {
        let sum = self.r0 + self.r1;
        let Some((a, b)) = self.overlap(from, to) else {
            // A ring of zero length.
            let inside = self.prox >= self.dist && from < self.prox && self.prox <= to && self.prox < 1.0;
            return if inside { self.area } else { 0.0 };
        };
        if sum > 0.0 {
            self.area * (b - a) * ((self.radius(a) + self.radius(b)) / sum)
        } else {
            0.0
        }
    }

    fn ixa_per_um(&self, from: f64, to: f64) -> f64 {
        match self.overlap(from, to) {
            Some((a, b)) if self.dx > 0.0 => self.dx * (b - a) / (PI * self.radius(a) * self.radius(b)),
            _ => 0.0,
        }
    }
}

impl Morphology {
    /// The segments of a branch that touch [from, to]; branches can have thousands, stretches few.
    fn pieces(&self, branch: usize, from: f64, to: f64) -> impl Iterator<Item = &Piece> {
        let pieces = &self.branches[branch].pieces;
        let start = pieces.partition_point(|piece| piece.dist < from);
        pieces[start..].iter().take_while(move |piece| piece.prox <= to)
    }

    /// Length of a stretch, um.
    pub fn length_um(&self, cable: &Cable) -> f64 {
        (cable.dist - cable.prox) * self.branches[cable.branch].length_um
    }

    /// Lateral area of a stretch, um2.
    pub fn area_um2(&self, cable: &Cable) -> f64 {
        let on = self.pieces(cable.branch, cable.prox, cable.dist);
        on.map(|piece| piece.area_um2(cable.prox, cable.dist)).sum()
    }

    /// Integral of dx/(pi r^2) over a stretch, 1/um. Infinite where the radius reaches zero.
    pub fn ixa_per_um(&self, cable: &Cable) -> f64 {
        let on = self.pieces(cable.branch, cable.prox, cable.dist);
        on.map(|piece| piece.ixa_per_um(cable.prox, cable.dist)).sum()
    }

    /// Integral of a property over the lateral area of a stretch, um2 times the property's unit.
    pub fn area_weighted(&self, cable: &Cable, property: &PropertyMap) -> f64 {
        property
            .over(cable)
            .map(|(part, value)| value * self.area_um2(&part))
            .sum()
    }

    /// Integral of a property times dx/(pi r^2) over a stretch, the property's unit per um.
    pub fn ixa_weighted(&self, cable: &Cable, property: &PropertyMap) -> f64 {
        property
            .over(cable)
            .map(|(part, value)| value * self.ixa_per_um(&part))
            .sum()
    }

    /// Radius at a location, um; where segments meet with different radii, the distal one's.
    pub fn radius_um(&self, at: &Location) -> f64 {
        let pieces = &self.branches[at.branch].pieces;
        let i = pieces.partition_point(|piece| piece.prox <= at.pos).max(1) - 1;
        let piece = &pieces[i];
        if piece.dist > piece.prox {
            piece.radius((at.pos - piece.prox) / (piece.dist - piece.prox))
        } else {
            piece.r0
        }
    }

    /// Stretches of a branch where the radius, linear within each segment, satisfies `holds` at the right ends.
    ///
    /// `holds` must be a comparison with `bound_um`; the stretches are closed, in order, and may touch.
    pub(crate) fn radius_stretches(&self, branch: usize, bound_um: f64, holds: impl Fn(f64) -> bool) -> Vec<Cable> {
        let mut found = Vec::new();
        for piece in &self.branches[branch].pieces {
            let edge = || {
                let u = (bound_um - piece.r0) / (piece.r1 - piece.r0);
                piece.prox + (piece.dist - piece.prox) * u
            };
            match (holds(piece.r0), holds(piece.r1)) {
                (true, true) => found.push(Cable::new(branch, piece.prox, piece.dist)),
                (true, false) => found.push(Cable::new(branch, piece.prox, edge())),
                (false, true) => found.push(Cable::new(branch, edge(), piece.dist)),
                (false, false) => {}
            }
        }
        found
    }
}
