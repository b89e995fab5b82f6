//! Shapes: SWC files and listed segments become morphologies.

use std::path::Path;

use host_shim::{Morphology, Point, SegmentTree};

use super::cell::geometry;
use super::{Input, PlanError};
use crate::experiment;

fn point(p: [f64; 4]) -> Point {
    Point::new(p[0], p[1], p[2], p[3])
}

/// Reads a shape; SWC files join the inputs.
pub(super) fn shape(
    morphology: &experiment::Morphology,
    base: &Path,
    place: &str,
    inputs: &mut Vec<Input>,
) -> Result<Morphology, PlanError> {
    let place = format!("{place}.morphology");
    let mut swc = |file: &Path, load: fn(&str) -> Result<SegmentTree, host_shim::SwcError>| {
        let path = super::join(base, file);
        let bytes = super::read(&path)?;
        let text = String::from_utf8(bytes.clone()).map_err(|_| PlanError::Encoding { path: path.clone() })?;
        let tree = load(&text).map_err(|source| PlanError::Swc {
            path: path.clone(),
            source,
        })?;
        inputs.push(Input {
            role: "morphology",
            path,
            bytes,
        });
        Ok(tree)
    };
    let tree = match morphology {
        experiment::Morphology::Swc(file) => swc(file, host_shim::load_swc_arbor)?,
        experiment::Morphology::SwcNeuron(file) => swc(file, host_shim::load_swc_neuron)?,
        experiment::Morphology::Cylinder { length_um, diameter_um } => {
            let mut tree = SegmentTree::default();
            let r = diameter_um / 2.0;
            tree.append(
                None,
                Point::new(0.0, 0.0, 0.0, r),
                Point::new(*length_um, 0.0, 0.0, r),
                1,
            )
            .map_err(geometry(place.clone()))?;
            tree
        }
        experiment::Morphology::Segments(segments) => {
            let mut tree = SegmentTree::default();
            for (i, s) in segments.iter().enumerate() {
                let here = format!("{place}.segments[{i}]");
                let added = match (s.prox, s.parent) {
                    (Some(prox), parent) => tree.append(parent, point(prox), point(s.dist), s.tag),
                    (None, Some(parent)) => tree.extend(parent, point(s.dist), s.tag),
                    (None, None) => {
                        return Err(PlanError::LooseSegment { place: here });
                    }
                };
                added.map_err(geometry(here))?;
            }
            tree
        }
    };
    Morphology::new(tree).map_err(geometry(place))
}
