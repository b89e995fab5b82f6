//! The shape of a cell: segments (frusta) in a tree, and the branches they make. Knows no CVs and no properties.
//!
//! A branch is a maximal unbranched run of segments, numbered by its first segment. A position on a branch is its arc
//! length from the proximal end, relative to the branch's length, in [0, 1] (host-numerics §4.1).
//! Also the integrals over stretches of branches.

mod embedding;
#[cfg(test)]
mod tests;

use crate::error::GeometryError;
use std::f64::consts::PI;
use std::fmt;

/// Coordinates and radii above this (um) are refused, so that no length or area overflows.
pub(crate) const MAX_UM: f64 = 1e9;

/// A point of the cell's axis, with the radius there; all um.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// x, um.
    pub x: f64,
    /// y, um.
    pub y: f64,
    /// z, um.
    pub z: f64,
    /// Radius, um.
    pub radius: f64,
}

impl Point {
    /// The point (x, y, z) with a radius; all um.
    pub fn new(x: f64, y: f64, z: f64, radius: f64) -> Self {
        Self { x, y, z, radius }
    }

    fn distance(&self, to: &Point) -> f64 {
        let (dx, dy, dz) = (self.x - to.x, self.y - to.y, self.z - to.z);
        // Fused as in Arbor's 0.12.2 wheel (found by trying all orders), so that positions agree to the last bit.
        dz.mul_add(dz, dx.mul_add(dx, dy * dy)).sqrt()
    }
}

/// A frustum between two points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// The segment it continues; `None` at the root.
    pub parent: Option<usize>,
    /// Proximal end.
    pub prox: Point,
    /// Distal end.
    pub dist: Point,
    /// Label, as in SWC: 1 soma, 2 axon, 3 dendrite, 4 apical dendrite.
    pub tag: i32,
}

/// Segments in an order in which parents precede children.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SegmentTree {
    segments: Vec<Segment>,
}

impl SegmentTree {
    /// Appends a segment and returns its index.
    ///
    /// # Errors
    /// [`GeometryError::UnknownSegmentParent`] and [`GeometryError::BadPoint`].
    pub fn append(
        &mut self,
        parent: Option<usize>,
        prox: Point,
        dist: Point,
        tag: i32,
    ) -> Result<usize, GeometryError> {
        let segment = self.segments.len();
        if let Some(parent) = parent.filter(|&parent| parent >= segment) {
            return Err(GeometryError::UnknownSegmentParent { segment, parent });
        }
        let named = |p: &Point, names: [&'static str; 4]| names.into_iter().zip([p.x, p.y, p.z, p.radius]);
        let all = named(&prox, ["prox x", "prox y", "prox z", "prox radius"])
            .chain(named(&dist, ["dist x", "dist y", "dist z", "dist radius"]));
        for (field, value) in all {
            // Written so that NaN fails.
            let fits = value.abs() <= MAX_UM && (value >= 0.0 || !field.ends_with("radius"));
            if !fits {
                return Err(GeometryError::BadPoint { segment, field, value });
            }
        }
        self.segments.push(Segment {
            parent,
            prox,
            dist,
            tag,
        });
        Ok(segment)
    }

    /// Appends a segment that starts where its parent ends, with the parent's distal radius.
    ///
    /// # Errors
    /// As [`SegmentTree::append`].
    pub fn extend(&mut self, parent: usize, dist: Point, tag: i32) -> Result<usize, GeometryError> {
        let Some(prox) = self.segments.get(parent).map(|segment| segment.dist) else {
            return Err(GeometryError::UnknownSegmentParent {
                segment: self.segments.len(),
                parent,
            });
        };
        self.append(Some(parent), prox, dist, tag)
    }

    /// The segments.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

/// A point on a branch.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Location {
    /// The branch.
    pub branch: usize,
    /// Relative arc length, in [0, 1].
    pub pos: f64,
}

impl Location {
    /// The point at relative arc length `pos` of a branch.
    pub fn new(branch: usize, pos: f64) -> Self {
        Self { branch, pos }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(location {} {})", self.branch, self.pos)
    }
}

/// A closed stretch of a branch. May have zero length.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Cable {
    /// The branch.
    pub branch: usize,
    /// Proximal end, relative arc length.
    pub prox: f64,
    /// Distal end, relative arc length.
    pub dist: f64,
}

impl Cable {
    /// The stretch from `prox` to `dist` of a branch.
    pub fn new(branch: usize, prox: f64, dist: f64) -> Self {
        Self { branch, prox, dist }
    }

    /// The middle by arc length.
    pub(crate) fn midpoint(&self) -> f64 {
        (self.prox + self.dist) / 2.0
    }

    /// Sort key order: branch, then ends.
    pub(crate) fn total_cmp(&self, other: &Cable) -> std::cmp::Ordering {
        let by_ends = || self.prox.total_cmp(&other.prox).then(self.dist.total_cmp(&other.dist));
        self.branch.cmp(&other.branch).then_with(by_ends)
    }
}

impl fmt::Display for Cable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(cable {} {} {})", self.branch, self.prox, self.dist)
    }
}

/// One segment's place on its branch.
#[derive(Debug, Clone, Copy)]
struct Piece {
    segment: usize,
    prox: f64,
    dist: f64,
    /// Radii at the two ends, um.
    r0: f64,
    r1: f64,
    /// Length along the axis, um.
    dx: f64,
    /// Lateral area pi (r0 + r1) slant, um2. Positive also for the ring a zero-length segment makes.
    area: f64,
}

#[derive(Debug, Clone)]
struct Branch {
    parent: Option<usize>,
    children: Vec<usize>,
    pieces: Vec<Piece>,
    length_um: f64,
    /// Path length from the root to the branch's proximal end.
    from_root_um: f64,
}

/// A segment tree, seen as branches, with the integrals that discretisation needs.
#[derive(Debug, Clone)]
pub struct Morphology {
    branches: Vec<Branch>,
    root_branches: Vec<usize>,
    tree: SegmentTree,
    /// Per segment, where it lies.
    segment_cables: Vec<Cable>,
}

impl Morphology {
    /// Groups segments into branches.
    ///
    /// # Errors
    /// [`GeometryError::EmptyMorphology`].
    pub fn new(tree: SegmentTree) -> Result<Self, GeometryError> {
        if tree.segments.is_empty() {
            return Err(GeometryError::EmptyMorphology);
        }
        let mut n_children = vec![0_usize; tree.segments.len()];
        for parent in tree.segments.iter().filter_map(|segment| segment.parent) {
            n_children[parent] += 1;
        }
        let mut branch_of = Vec::with_capacity(tree.segments.len());
        let mut parents = Vec::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (i, segment) in tree.segments.iter().enumerate() {
            let branch = match segment.parent {
                Some(p) if n_children[p] == 1 => branch_of[p],
                parent => {
                    parents.push(parent.map(|p| branch_of[p]));
                    members.push(Vec::new());
                    parents.len() - 1
                }
            };
            branch_of.push(branch);
            members[branch].push(i);
        }

        let mut segment_cables = vec![Cable::new(0, 0.0, 0.0); tree.segments.len()];
        let mut branches: Vec<Branch> = Vec::with_capacity(parents.len());
        let mut root_branches = Vec::new();
        for (b, (parent, members)) in parents.into_iter().zip(members).enumerate() {
            let from_root_um = match parent {
                Some(p) => {
                    branches[p].children.push(b);
                    branches[p].from_root_um + branches[p].length_um
                }
                None => {
                    root_branches.push(b);
                    0.0
                }
            };
            let (pieces, length_um) = lay_out(&members, &tree.segments);
            for piece in &pieces {
                segment_cables[piece.segment] = Cable::new(b, piece.prox, piece.dist);
            }
            branches.push(Branch {
                parent,
                children: Vec::new(),
                pieces,
                length_um,
                from_root_um,
            });
        }
        Ok(Self {
            branches,
            root_branches,
            tree,
            segment_cables,
        })
    }

    /// Number of branches, at least 1.
    pub fn n_branches(&self) -> usize {
        self.branches.len()
    }

    /// The branch that a branch continues; `None` at the root.
    pub fn branch_parent(&self, branch: usize) -> Option<usize> {
        self.branches[branch].parent
    }

    /// The branches that continue a branch, ascending.
    pub fn branch_children(&self, branch: usize) -> &[usize] {
        &self.branches[branch].children
    }

    /// The branches that start at the root, ascending.
    pub fn root_branches(&self) -> &[usize] {
        &self.root_branches
    }

    /// Length of a branch, um.
    pub fn branch_length_um(&self, branch: usize) -> f64 {
        self.branches[branch].length_um
    }

    /// Path length from the root to the proximal end of a branch, um.
    pub fn distance_from_root_um(&self, branch: usize) -> f64 {
        self.branches[branch].from_root_um
    }

    /// The segments of a branch, proximal first.
    pub fn branch_segments(&self, branch: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.branches[branch].pieces.iter().map(|piece| piece.segment)
    }

    /// The segments it was made of.
    pub fn segment_tree(&self) -> &SegmentTree {
        &self.tree
    }

    /// Where a segment lies; `None` if it does not exist.
    pub fn segment_cable(&self, segment: usize) -> Option<Cable> {
        self.segment_cables.get(segment).copied()
    }

    /// Both ends of every segment, by branch and position, repeated where segments meet.
    pub(crate) fn segment_ends(&self) -> impl Iterator<Item = Location> + '_ {
        self.branches.iter().enumerate().flat_map(|(b, branch)| {
            branch
                .pieces
                .iter()
                .flat_map(move |piece| [Location::new(b, piece.prox), Location::new(b, piece.dist)])
        })
    }

    /// The length of a branch as the difference of path lengths from the root.
    ///
    /// Arbor computes it so; `max-extent` rounds the number of CVs up, so the last bit counts.
    pub(crate) fn branch_length_by_difference_um(&self, branch: usize) -> f64 {
        let branch = &self.branches[branch];
        (branch.from_root_um + branch.length_um) - branch.from_root_um
    }

    /// Checks that a location is on the morphology.
    ///
    /// # Errors
    /// [`GeometryError::NoSuchBranch`], [`GeometryError::BadLocation`].
    pub fn check_location(&self, at: &Location) -> Result<(), GeometryError> {
        self.check_branch(at.branch)?;
        if !(0.0..=1.0).contains(&at.pos) {
            return Err(GeometryError::BadLocation { at: *at });
        }
        Ok(())
    }

    /// Checks that a cable is on the morphology.
    ///
    /// # Errors
    /// [`GeometryError::NoSuchBranch`], [`GeometryError::BadCable`].
    pub fn check_cable(&self, cable: &Cable) -> Result<(), GeometryError> {
        self.check_branch(cable.branch)?;
        let inside = 0.0 <= cable.prox && cable.prox <= cable.dist && cable.dist <= 1.0;
        if !inside {
            return Err(GeometryError::BadCable { cable: *cable });
        }
        Ok(())
    }

    pub(crate) fn check_branch(&self, branch: usize) -> Result<(), GeometryError> {
        if branch >= self.branches.len() {
            return Err(GeometryError::NoSuchBranch {
                branch,
                n_branches: self.branches.len(),
            });
        }
        Ok(())
    }
}

/// Positions of a branch's segments, and the branch's length in um.
fn lay_out(members: &[usize], segments: &[Segment]) -> (Vec<Piece>, f64) {
    let mut ends = vec![0.0];
    let mut length_um = 0.0;
    for &segment in members {
        length_um += segments[segment].prox.distance(&segments[segment].dist);
        ends.push(length_um);
    }
    if length_um > 0.0 {
        ends.iter_mut().for_each(|end| *end /= length_um);
    } else {
        // A branch of no length still has two ends.
        ends[members.len()] = 1.0;
    }
    let pieces = members.iter().zip(ends.windows(2)).map(|(&segment, ends)| {
        let (r0, r1) = (segments[segment].prox.radius, segments[segment].dist.radius);
        let dx = (ends[1] - ends[0]) * length_um;
        let slant = (dx * dx + (r1 - r0) * (r1 - r0)).sqrt();
        Piece {
            segment,
            prox: ends[0],
            dist: ends[1],
            r0,
            r1,
            dx,
            area: PI * (r0 + r1) * slant,
        }
    });
    (pieces.collect(), length_um)
}
