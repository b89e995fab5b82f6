//! Passes: syntax tree to mechanism, mechanism to its tangent, both to fewer operations.

pub mod differentiate;
pub mod economise;
pub mod lower;
