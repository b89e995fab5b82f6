//! Passes: syntax tree to mechanism, mechanism to its tangent, and what of both nobody needs.

pub mod differentiate;
pub mod lower;
pub mod prune;
