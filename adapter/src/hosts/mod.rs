//! Simulators that can run a plan.

pub mod shim;

pub use shim::{HostError, ShimHost, Timing, Watcher};
