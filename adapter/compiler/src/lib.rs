//! graddiff's compiler: NMODL in, sensitivity-augmented mechanism catalogues out.
//!
//! The pipeline is the list of modules: [`syntax`] reads a file, [`pass::lower`] turns it into kernels over an
//! expression graph ([`ir`]), [`pass::differentiate`] adds the tangent of the discrete step without what nothing depends
//! on, [`emit`] writes C.
//! [`compile()`] runs it all; [`check()`] stops after lowering. Only [`emit::build`] touches files or runs programs.
#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

pub mod compile;
pub mod diagnostic;
pub mod emit;
pub mod ir;
pub mod pass;
pub mod syntax;

pub use compile::{CompileError, Compiled, FileDiagnostic, Options, SlotSpec, Source, check, compile};
pub use diagnostic::{Code, Diagnostic, Severity, Span};
pub use emit::Law;
pub use emit::carrier::Carrier;
pub use mech_abi::AbiLevel;
pub use pass::differentiate::prune::{Dropped, Keep, Pruned};
pub use pass::lower::Integrator;
