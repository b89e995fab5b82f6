//! Passes: syntax tree to mechanism, mechanism to its tangent.

pub mod differentiate;
pub mod lower;
