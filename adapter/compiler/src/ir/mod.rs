//! The intermediate representation: an expression graph, kernels over it, its verifier and its reference interpreter.
//! Knows neither NMODL's grammar nor C.

pub mod graph;
pub mod interp;
pub(crate) mod linear;
pub mod mechanism;
pub mod print;
pub mod verify;
