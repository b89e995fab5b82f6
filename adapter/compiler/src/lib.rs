//! graddiff's compiler: NMODL in, sensitivity-augmented mechanism catalogues out.
#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

pub mod diagnostic;
pub mod syntax;
