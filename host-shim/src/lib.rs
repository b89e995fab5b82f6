//! A minimal, fast host for Arbor mechanism catalogues: cable cells, cut and stepped exactly as Arbor does it.
//!
//! Geometry, from shape to numbers: [`swc`] → [`morphology`] → [`region`], [`policy`] → [`mod@discretise`] → [`tree_table`].

pub mod discretise;
pub mod error;
pub mod morphology;
pub mod policy;
pub mod region;
pub mod swc;
pub mod tree_table;

pub use discretise::{CableProperties, Discretisation, PropertyMap, discretise};
pub use error::{GeometryError, SwcError};
pub use morphology::{Cable, Location, Morphology, Point, Segment, SegmentTree};
pub use policy::CvPolicy;
pub use region::Region;
pub use swc::{load_swc_arbor, load_swc_neuron};
pub use tree_table::TreeTable;
