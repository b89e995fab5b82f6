//! From boundary points to control volumes: a depth-first walk from the root (host-numerics §4.3).

use crate::morphology::{Cable, Location, Morphology};

/// The control volumes of a cell: parents precede children.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partition {
    /// Per CV its stretches, sorted by branch and position.
    pub(crate) cables: Vec<Vec<Cable>>,
    /// Per CV the CV it continues; `None` for the first only.
    pub(crate) parent: Vec<Option<usize>>,
}

/// Where a CV begins: before every root branch, or at a boundary.
#[derive(Clone, Copy)]
enum Head {
    Root,
    At(Location),
}

/// Cuts a morphology at boundaries, which must be sorted and without repetition.
pub(crate) fn partition(m: &Morphology, mut boundaries: Vec<Location>) -> Partition {
    // Boundaries at the very ends would make CVs without area that no fork needs.
    boundaries.retain(|at| {
        let at_root = at.pos <= 0.0 && at.branch == 0 && m.root_branches().len() == 1;
        let at_terminal = at.pos >= 1.0 && m.branch_children(at.branch).is_empty();
        !at_root && !at_terminal
    });
    let first_not_before = |branch: usize, pos: f64, strictly: bool| {
        let before = |at: &Location| {
            at.branch < branch || (at.branch == branch && (at.pos < pos || (strictly && at.pos <= pos)))
        };
        boundaries
            .get(boundaries.partition_point(before))
            .filter(|at| at.branch == branch)
            .copied()
    };

    let mut result = Partition {
        cables: Vec::new(),
        parent: Vec::new(),
    };
    // Last in, first out, with heads pushed from high branches to low: low branches get low CV numbers.
    let mut heads = vec![(Head::Root, None)];
    let mut branches: Vec<usize> = Vec::new();
    while let Some((head, parent)) = heads.pop() {
        let cv = result.cables.len();
        let mut cables = Vec::new();
        match head {
            Head::Root => branches.extend(m.root_branches()),
            Head::At(at) => branches.push(at.branch),
        }
        while let Some(b) = branches.pop() {
            let (prox, end) = match head {
                Head::At(at) if at.branch == b => (at.pos, first_not_before(b, at.pos, true)),
                _ => (0.0, first_not_before(b, 0.0, false)),
            };
            cables.push(Cable::new(b, prox, end.map_or(1.0, |at| at.pos)));
            match end {
                Some(at) => heads.push((Head::At(at), Some(cv))),
                None => branches.extend(m.branch_children(b)),
            }
        }
        cables.sort_by(Cable::total_cmp);
        result.cables.push(cables);
        result.parent.push(parent);
    }
    result
}
