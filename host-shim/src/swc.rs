//! SWC text to segment trees, in Arbor's reading and in NEURON's.
//!
//! The text is parsed by hand: the crate swc-neuron (0.5.3) reports neither line nor column, takes a missing parent column for
//! a root, accepts NaN, and stops at the first defect without saying where.
//!
//! A sample is a line `id tag x y z radius parent`; `#` starts a comment, blank lines are skipped, columns beyond the seventh
//! are ignored (as in Arbor; some tools append their own). Stricter than Arbor: a line that is no sample is an error, where
//! Arbor silently drops it and the rest of the file; radii must be positive and all numbers finite.

mod parse;
#[cfg(test)]
mod tests;

use crate::error::{GeometryError, SwcError};
use crate::morphology::{Point, SegmentTree};
use parse::{Sample, parse};

const SOMA: i32 = 1;

/// Reads SWC text as Arbor's `load_swc_arbor` does: every sample but the first makes the segment that joins it to its parent.
/// The root must have a child of its own tag, so single-sample somata are refused.
///
/// # Errors
/// The first defect found, by line: numbers first, then ids, then the tree.
///
/// # Reference
/// Cannon et al. 1998, doi:10.1016/S0165-0270(98)00091-0 (the format).
pub fn load_swc_arbor(text: &str) -> Result<SegmentTree, SwcError> {
    segments_between_samples(&parse(text)?)
}

/// Reads SWC text as NEURON's Import3D and Arbor's `load_swc_neuron` do.
///
/// A single-sample soma becomes two cylinders of the sample's radius, left and right of it along x; subtrees of another tag
/// attach to the soma without a segment from its axis to their first sample, and a subtree that is one sample gets a cylinder
/// of that sample's radius. If the root is not a soma, the reading is Arbor's.
///
/// # Errors
/// As [`load_swc_arbor`]; also tags other than 1 to 4, and tags that change outside the soma.
pub fn load_swc_neuron(text: &str) -> Result<SegmentTree, SwcError> {
    let samples = parse(text)?;
    let root = &samples[0];
    if root.tag != SOMA {
        if let Some(stray) = samples.iter().find(|sample| sample.tag == SOMA) {
            return Err(mismatched(&samples, stray));
        }
        return segments_between_samples(&samples);
    }
    let mut n_children = vec![0_usize; samples.len()];
    let mut n_soma = 0;
    for sample in &samples {
        if !(1..=4).contains(&sample.tag) {
            return Err(SwcError::UnsupportedTag {
                line: sample.line,
                id: sample.id,
                tag: sample.tag,
            });
        }
        n_soma += usize::from(sample.tag == SOMA);
        if let Some(parent) = sample.parent {
            n_children[parent] += 1;
            if sample.tag != samples[parent].tag && samples[parent].tag != SOMA {
                return Err(mismatched(&samples, sample));
            }
        }
    }

    let mut tree = SegmentTree::default();
    // Per sample, the segment that its children continue.
    let mut end_of: Vec<Option<usize>> = vec![None; samples.len()];
    if n_soma == 1 {
        let Point { x, y, z, radius } = root.point;
        let at = |x: f64| Point::new(x, y, z, radius);
        let left = append(&mut tree, root, None, at(x - radius), at(x))?;
        append(&mut tree, root, Some(left), at(x), at(x + radius))?;
        end_of[0] = Some(left);
    }
    for (i, sample) in samples.iter().enumerate() {
        let Some(parent) = sample.parent else { continue };
        let from = samples[parent].point;
        end_of[i] = if sample.tag == samples[parent].tag {
            Some(append(&mut tree, sample, end_of[parent], from, sample.point)?)
        } else if n_children[i] > 0 {
            end_of[parent]
        } else {
            let from = Point {
                radius: sample.point.radius,
                ..from
            };
            Some(append(&mut tree, sample, end_of[parent], from, sample.point)?)
        };
    }
    if tree.segments().is_empty() {
        return Err(SwcError::SingleSample { line: root.line });
    }
    Ok(tree)
}

fn segments_between_samples(samples: &[Sample]) -> Result<SegmentTree, SwcError> {
    let root = &samples[0];
    if samples.len() == 1 {
        return Err(SwcError::SingleSample { line: root.line });
    }
    if !samples
        .iter()
        .any(|sample| sample.parent == Some(0) && sample.tag == root.tag)
    {
        return Err(SwcError::SphericalSoma {
            line: root.line,
            id: root.id,
            tag: root.tag,
        });
    }
    let mut tree = SegmentTree::default();
    for sample in samples {
        let Some(parent) = sample.parent else { continue };
        // Sample i > 0 makes segment i - 1.
        append(
            &mut tree,
            sample,
            parent.checked_sub(1),
            samples[parent].point,
            sample.point,
        )?;
    }
    Ok(tree)
}

fn append(
    tree: &mut SegmentTree,
    sample: &Sample,
    parent: Option<usize>,
    prox: Point,
    dist: Point,
) -> Result<usize, SwcError> {
    tree.append(parent, prox, dist, sample.tag)
        .map_err(|error| too_large(sample, &error))
}

/// The parser checks every number; only a soma's ends, sample plus radius, can still leave the permitted range.
fn too_large(sample: &Sample, error: &GeometryError) -> SwcError {
    SwcError::NotFinite {
        line: sample.line,
        column: 1,
        field: "extent",
        text: error.to_string(),
    }
}

fn mismatched(samples: &[Sample], sample: &Sample) -> SwcError {
    let parent_tag = sample.parent.map_or(sample.tag, |parent| samples[parent].tag);
    SwcError::MismatchedTags {
        line: sample.line,
        id: sample.id,
        tag: sample.tag,
        parent_tag,
    }
}
