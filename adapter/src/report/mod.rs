//! Results and pictures: pure data in, files out.
//!
//! Knows arrays, tables and figures; knows neither hosts nor experiments nor parameters.
//! Three promises hold for every file written here:
//! - **whole or not at all**: a killed run or a full disk leaves the previous file ([`write_atomic`]);
//! - **the same input gives the same bytes**: no clock, no hash order, no random identifiers;
//! - **self-contained**: pictures need no installed font, `report.html` needs no network.

mod error;
mod file;
mod html;
pub mod manifest;
mod npz;
pub mod plot;
mod progress;
mod pruned;
mod traces;

pub use error::{Error, Operation};
pub use file::{create_dir, write_atomic, write_atomic_with};
pub use html::{Column, Report, Table};
pub use manifest::{ArrayInfo, InputFile, Manifest, sha256_hex};
pub use npz::{Arrays, NpzError, npz_bytes, read_npy, read_npz, write_npz};
pub use plot::{Figure, Picture, Svg};
pub use progress::{Progress, ProgressMode};
pub use pruned::{Pruned, PrunedMechanism};
pub use traces::{TargetTraces, TraceError, parse_csv, read_traces};
