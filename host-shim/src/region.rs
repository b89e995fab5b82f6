//! Regions: expressions that name a part of a morphology, and their evaluation to stretches of branches.
//!
//! The meaning is Arbor's (closed sets, so that complementary regions share their boundary points). Knows no properties.

#[cfg(test)]
mod tests;

use crate::error::GeometryError;
use crate::morphology::{Cable, Location, Morphology};

/// A part of a morphology.
#[derive(Debug, Clone, PartialEq)]
pub enum Region {
    /// Everything.
    All,
    /// Nothing.
    Nil,
    /// All segments with a tag.
    Tag(i32),
    /// One branch.
    Branch(usize),
    /// One stretch.
    Cable(Cable),
    /// Several stretches, which may overlap.
    Cables(Vec<Cable>),
    /// One segment, by its index in the segment tree.
    Segment(usize),
    /// What lies between two path lengths from the root, um; `to_um` may be infinite.
    DistanceFromRoot {
        /// Least path length, um.
        from_um: f64,
        /// Greatest path length, um.
        to_um: f64,
    },
    /// Where the radius is below a bound, um.
    RadiusBelow(f64),
    /// Where the radius is above a bound, um.
    RadiusAbove(f64),
    /// The path from a location towards the root, up to a length; `um` may be infinite.
    ProximalInterval {
        /// Where it ends.
        end: Location,
        /// Its length, um.
        um: f64,
    },
    /// Everything distal to a location, up to a path length; `um` may be infinite.
    DistalInterval {
        /// Where it starts.
        start: Location,
        /// Its depth, um.
        um: f64,
    },
    /// In any of these; nothing for an empty list.
    Join(Vec<Region>),
    /// In all of these; everything for an empty list.
    Intersect(Vec<Region>),
    /// In the first, outside the second.
    Difference(Box<Region>, Box<Region>),
    /// Outside.
    Complement(Box<Region>),
}

impl Region {
    /// The stretches the region covers: sorted, disjoint, merged where they touch. Can contain stretches of zero length
    /// (closed regions that touch intersect in a point).
    ///
    /// # Errors
    /// A branch, segment, cable or location that the morphology does not have; a bound that is NaN or negative.
    pub fn evaluate(&self, m: &Morphology) -> Result<Vec<Cable>, GeometryError> {
        Ok(match self {
            Region::All => all(m),
            Region::Nil => Vec::new(),
            Region::Tag(tag) => tagged(m, *tag),
            Region::Branch(branch) => {
                m.check_branch(*branch)?;
                vec![Cable::new(*branch, 0.0, 1.0)]
            }
            Region::Cable(cable) => {
                m.check_cable(cable)?;
                vec![*cable]
            }
            Region::Cables(cables) => {
                cables.iter().try_for_each(|cable| m.check_cable(cable))?;
                merge(cables.clone())
            }
            Region::Segment(segment) => {
                let n_segments = m.segment_tree().segments().len();
                let cable = m.segment_cable(*segment);
                vec![cable.ok_or(GeometryError::NoSuchSegment {
                    segment: *segment,
                    n_segments,
                })?]
            }
            Region::DistanceFromRoot { from_um, to_um } => {
                check_bound("distance from root", *from_um)?;
                if to_um.is_nan() || to_um < from_um {
                    return Err(GeometryError::BadBound {
                        region: "distance from root",
                        value: *to_um,
                    });
                }
                (0..m.n_branches())
                    .filter_map(|b| between(m, b, *from_um, *to_um))
                    .collect()
            }
            Region::RadiusBelow(um) => {
                check_bound("radius below", *um)?;
                merge(
                    (0..m.n_branches())
                        .flat_map(|b| m.radius_stretches(b, *um, |r| r < *um))
                        .collect(),
                )
            }
            Region::RadiusAbove(um) => {
                check_bound("radius above", *um)?;
                merge(
                    (0..m.n_branches())
                        .flat_map(|b| m.radius_stretches(b, *um, |r| r > *um))
                        .collect(),
                )
            }
            Region::ProximalInterval { end, um } => {
                m.check_location(end)?;
                check_bound("proximal interval", *um)?;
                merge(proximal(m, end, *um))
            }
            Region::DistalInterval { start, um } => {
                m.check_location(start)?;
                check_bound("distal interval", *um)?;
                merge(distal(m, start, *um))
            }
            Region::Join(regions) => {
                let mut cables = Vec::new();
                for region in regions {
                    cables.extend(region.evaluate(m)?);
                }
                merge(cables)
            }
            Region::Intersect(regions) => {
                let mut common = all(m);
                for region in regions {
                    common = intersect(&common, &region.evaluate(m)?);
                }
                common
            }
            Region::Difference(of, without) => intersect(&of.evaluate(m)?, &complement(m, &without.evaluate(m)?)),
            Region::Complement(of) => complement(m, &of.evaluate(m)?),
        })
    }
}

/// Infinite bounds are fine, NaN and negative ones are not.
fn check_bound(region: &'static str, value: f64) -> Result<(), GeometryError> {
    if value >= 0.0 {
        Ok(())
    } else {
        Err(GeometryError::BadBound { region, value })
    }
}

fn all(m: &Morphology) -> Vec<Cable> {
    (0..m.n_branches()).map(|b| Cable::new(b, 0.0, 1.0)).collect()
}

fn tagged(m: &Morphology, tag: i32) -> Vec<Cable> {
    let segments = m.segment_tree().segments().iter().enumerate();
    merge(
        segments
            .filter(|(_, s)| s.tag == tag)
            .filter_map(|(i, _)| m.segment_cable(i))
            .collect(),
    )
}

/// Sorts, and joins what overlaps or touches.
pub(crate) fn merge(mut cables: Vec<Cable>) -> Vec<Cable> {
    cables.sort_by(Cable::total_cmp);
    let mut merged: Vec<Cable> = Vec::with_capacity(cables.len());
    for cable in cables {
        match merged.last_mut() {
            Some(last) if last.branch == cable.branch && last.dist >= cable.prox => {
                last.dist = last.dist.max(cable.dist)
            }
            _ => merged.push(cable),
        }
    }
    merged
}

/// Both arguments sorted and disjoint, as is the result.
fn intersect(a: &[Cable], b: &[Cable]) -> Vec<Cable> {
    let before = |x: &Cable, y: &Cable| x.branch < y.branch || (x.branch == y.branch && x.dist < y.prox);
    let (mut i, mut j) = (0, 0);
    let mut common = Vec::new();
    while i < a.len() && j < b.len() {
        let (x, y) = (&a[i], &b[j]);
        if before(x, y) {
            i += 1;
        } else if before(y, x) {
            j += 1;
        } else {
            common.push(Cable::new(x.branch, x.prox.max(y.prox), x.dist.min(y.dist)));
            if x.dist < y.dist { i += 1 } else { j += 1 }
        }
    }
    common
}

/// The closure of everything outside; the argument sorted and disjoint, as is the result.
fn complement(m: &Morphology, of: &[Cable]) -> Vec<Cable> {
    let mut outside = Vec::new();
    let mut rest = of.iter().peekable();
    for branch in 0..m.n_branches() {
        let mut from = 0.0;
        while let Some(cable) = rest.next_if(|cable| cable.branch == branch) {
            if cable.prox > from {
                outside.push(Cable::new(branch, from, cable.prox));
            }
            from = cable.dist;
        }
        if from < 1.0 {
            outside.push(Cable::new(branch, from, 1.0));
        }
    }
    // A point removed from a stretch leaves it whole.
    merge(outside)
}

/// The part of a branch between two path lengths from the root, unless it is empty or a point.
fn between(m: &Morphology, branch: usize, from_um: f64, to_um: f64) -> Option<Cable> {
    let (start_um, length_um) = (m.distance_from_root_um(branch), m.branch_length_um(branch));
    if length_um > 0.0 {
        let pos = |um: f64| ((um - start_um) / length_um).clamp(0.0, 1.0);
        let (prox, dist) = (pos(from_um), pos(to_um));
        (prox < dist).then(|| Cable::new(branch, prox, dist))
    } else {
        (from_um <= start_um && start_um <= to_um).then(|| Cable::new(branch, 0.0, 1.0))
    }
}

fn proximal(m: &Morphology, end: &Location, um: f64) -> Vec<Cable> {
    let mut found = Vec::new();
    let mut rest_um = um;
    let mut next = Some((end.branch, end.pos));
    while let Some((branch, dist)) = next {
        let prox = dist - rest_um / m.branch_length_um(branch);
        if prox >= 0.0 {
            found.push(Cable::new(branch, prox, dist));
            break;
        }
        found.push(Cable::new(branch, 0.0, dist));
        rest_um -= dist * m.branch_length_um(branch);
        next = m.branch_parent(branch).map(|parent| (parent, 1.0));
    }
    found
}

fn distal(m: &Morphology, start: &Location, um: f64) -> Vec<Cable> {
    let mut found = Vec::new();
    let mut reached = vec![(start.branch, start.pos, um)];
    while let Some((branch, prox, rest_um)) = reached.pop() {
        let length_um = m.branch_length_um(branch);
        let dist = if prox < 1.0 {
            rest_um / length_um + prox
        } else {
            f64::INFINITY
        };
        if dist <= 1.0 {
            found.push(Cable::new(branch, prox, dist));
        } else {
            found.push(Cable::new(branch, prox, 1.0));
            let rest_um = rest_um - (1.0 - prox) * length_um;
            reached.extend(m.branch_children(branch).iter().map(|&child| (child, 0.0, rest_um)));
        }
    }
    found
}
