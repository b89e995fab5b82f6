//! graddiff: exact parameter gradients for neuron models, in the simulator you already use.
//!
//! An [`experiment`] file becomes a [`plan`] (files read, mechanisms compiled, regions cut), which a host of [`hosts`]
//! runs; [`control`] sees parameters, traces and sensitivities, never a cable; [`report`] writes what came out. [`cli`]
//! ties them to commands.

pub mod bench;
pub mod catalogue;
pub mod cli;
pub mod control;
pub mod controlled;
pub mod experiment;
pub mod hosts;
pub mod live;
pub mod outcome;
pub mod plan;
mod random;
pub mod report;
pub mod reproduce;
pub mod tune;
pub mod verify;
