//! A minimal, fast host for Arbor mechanism catalogues: cable cells, cut and stepped exactly as Arbor does it.
//!
//! Geometry, from shape to numbers: [`swc`] → [`morphology`] → [`region`], [`policy`] → [`mod@discretise`] → [`tree_table`].
//!
//! Time: [`load`] a catalogue, describe [`cell`]s and the [`network`] that joins them, run a [`simulation`], record
//! [`probe`]s.

mod batch;
mod cable;
pub mod catalogue;
pub mod cell;
mod deliver;
pub mod detector;
mod diffusion;
pub mod discretise;
pub mod epoch;
pub mod error;
mod event;
mod generator;
mod group;
mod layout;
pub mod load;
pub mod morphology;
mod name;
pub mod network;
mod noise;
pub mod policy;
pub mod probe;
pub mod region;
pub mod sim_error;
pub mod simulation;
mod step;
pub mod stimulus;
mod storage;
pub mod swc;
mod threefry2;
mod tree;
pub mod tree_table;
mod wiring;

pub use catalogue::{AbiChoice, CatalogueInfo, FieldInfo, IonDependency, MechanismInfo, MechanismKind, Seed};
pub use cell::{
    CellDescription, DensityPaint, IonProperties, JunctionPlacement, ReversalMethod, SynapsePlacement, default_ions,
};
pub use detector::{Detector, Spike};
pub use discretise::{CableProperties, Discretisation, PropertyMap, discretise};
pub use epoch::{Schedule, Steps};
pub use error::{GeometryError, SwcError};
pub use load::{Catalogue, LoadError};
pub use mech_abi::AbiLevel;
pub use morphology::{Cable, Location, Morphology, Point, Segment, SegmentTree};
pub use network::{Connection, EventTimes, GapJunction, Generator, Network, Target};
pub use policy::CvPolicy;
pub use probe::{Probe, ProbeKind};
pub use region::Region;
pub use sim_error::{Joint, SimError};
pub use simulation::{Controller, Handle, Present, RunSummary, SampleView, Samples, Simulation, Sink};
pub use stimulus::IClamp;
pub use swc::{load_swc_arbor, load_swc_neuron};
pub use tree_table::TreeTable;
