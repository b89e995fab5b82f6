//! CV policies: where the boundaries between control volumes lie (host-numerics §4.2), and the CVs they make (§4.3).

mod partition;
#[cfg(test)]
mod tests;

pub(crate) use partition::partition;

use crate::error::GeometryError;
use crate::morphology::{Location, Morphology};

/// More CVs than this are a mistake in the argument, not a model.
const MAX_CVS: f64 = 1e8;

/// How a cell is cut into control volumes.
#[derive(Debug, Clone, PartialEq)]
pub enum CvPolicy {
    /// One CV for the whole cell (one per root branch, and a root without area, where the cell forks at its root).
    Single,
    /// `n` CVs of equal length on each branch.
    FixedPerBranch {
        /// CVs per branch; with interior forks the number of boundaries, each in the middle of a stretch.
        n: usize,
        /// Forks lie inside CVs instead of becoming CVs without area.
        interior_forks: bool,
    },
    /// CVs of equal length on each branch, none longer than `um`.
    MaxExtent {
        /// The greatest length, um.
        um: f64,
        /// Forks lie inside CVs instead of becoming CVs without area.
        interior_forks: bool,
    },
    /// One CV per segment, and forks between.
    EverySegment,
    /// Boundaries exactly here, and at the root where the cell forks there; those at terminals have no effect.
    Explicit(Vec<Location>),
}

impl Default for CvPolicy {
    /// Arbor's: one CV per branch.
    fn default() -> Self {
        CvPolicy::FixedPerBranch {
            n: 1,
            interior_forks: false,
        }
    }
}

impl CvPolicy {
    /// The boundary points on a morphology, sorted, without repetition.
    ///
    /// # Errors
    /// [`GeometryError::BadPolicy`], or a location that the morphology does not have.
    pub fn boundaries(&self, m: &Morphology) -> Result<Vec<Location>, GeometryError> {
        let branches = 0..m.n_branches();
        // The completed boundary of the whole cell: heads of the root branches, ends of the terminal ones.
        let heads = m.root_branches().iter().map(|&b| Location::new(b, 0.0));
        let terminals = branches
            .clone()
            .filter(|&b| m.branch_children(b).is_empty())
            .map(|b| Location::new(b, 1.0));
        let mut points: Vec<Location> = heads.chain(terminals).collect();
        match self {
            CvPolicy::Single => {}
            CvPolicy::FixedPerBranch { n, interior_forks } => {
                let per_branch = count("fixed-per-branch", *n as f64, m.n_branches())?;
                for b in branches {
                    divide(&mut points, b, per_branch, 1.0 / per_branch, *interior_forks);
                }
            }
            CvPolicy::MaxExtent { um, interior_forks } => {
                let bad = || GeometryError::BadPolicy {
                    policy: "max-extent",
                    value: *um,
                };
                if um.is_nan() || *um <= 0.0 || um.is_infinite() {
                    return Err(bad());
                }
                for b in branches {
                    let n = (m.branch_length_by_difference_um(b) * (1.0 / um)).ceil().max(1.0);
                    let per_branch = count("max-extent", n, m.n_branches()).map_err(|_| bad())?;
                    divide(&mut points, b, per_branch, 1.0 / per_branch, *interior_forks);
                }
            }
            CvPolicy::EverySegment => points.extend(m.segment_ends()),
            CvPolicy::Explicit(at) => {
                at.iter().try_for_each(|at| m.check_location(at))?;
                points.extend(at);
            }
        }
        points.sort_by(|a, b| a.branch.cmp(&b.branch).then(a.pos.total_cmp(&b.pos)));
        points.dedup();
        Ok(points)
    }
}

/// `n` if it is a sensible number of CVs.
fn count(policy: &'static str, n: f64, n_branches: usize) -> Result<f64, GeometryError> {
    let fits = n >= 1.0 && n * n_branches as f64 <= MAX_CVS;
    if fits {
        Ok(n)
    } else {
        Err(GeometryError::BadPolicy { policy, value: n })
    }
}

/// `n` equal stretches: their ends, or with interior forks their middles. The order of operations is Arbor's, so that
/// positions agree to the last bit.
fn divide(points: &mut Vec<Location>, branch: usize, n: f64, scale: f64, interior_forks: bool) {
    let mut i = 0.0;
    while i < n {
        let pos = if interior_forks {
            (1.0 + 2.0 * i) * scale / 2.0
        } else {
            i * scale
        };
        points.push(Location::new(branch, pos));
        i += 1.0;
    }
    if !interior_forks {
        points.push(Location::new(branch, 1.0));
    }
}
