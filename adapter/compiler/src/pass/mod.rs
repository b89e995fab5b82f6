//! Passes: syntax tree to mechanism, mechanism to its tangent, both to fewer operations.

pub(crate) mod alone;
pub(crate) mod clone_carrier;
pub mod differentiate;
pub(crate) mod diffusion_carrier;
pub mod economise;
pub mod lower;
