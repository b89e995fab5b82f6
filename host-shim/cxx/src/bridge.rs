//! What C++ sees; cxx makes both sides of it.

use super::{Model, Tuner, load, new_tuner};

#[cxx::bridge(namespace = "graddiff::bridge")]
pub(crate) mod ffi {
    /// Sampled outputs of one simulation; shapes as in `graddiff.hpp`.
    struct Traces {
        times_ms: Vec<f64>,
        n_probes: usize,
        n_slots: usize,
        values: Vec<f64>,
        sensitivities: Vec<f64>,
    }

    /// A loss and its gradient.
    struct LossGradient {
        loss: f64,
        gradient: Vec<f64>,
    }

    extern "Rust" {
        type Model;
        fn load(experiment: &str) -> Result<Box<Model>>;
        fn slot_names(self: &Model) -> Vec<String>;
        fn slot_values(self: &Model) -> Vec<f64>;
        fn probe_names(self: &Model) -> Vec<String>;
        fn probe_units(self: &Model) -> Vec<String>;
        fn duration_ms(self: &Model) -> f64;
        fn start_values(self: &mut Model) -> Result<Vec<f64>>;
        fn simulate(self: &mut Model, values: &[f64], t_end_ms: f64, sensitivities: bool) -> Result<Traces>;
        fn gradient(self: &mut Model, values: &[f64]) -> Result<LossGradient>;

        type Tuner;
        fn new_tuner(model: &mut Model) -> Result<Box<Tuner>>;
        fn step(self: &mut Tuner, model: &mut Model) -> Result<bool>;
        fn iteration(self: &Tuner) -> u32;
        fn loss(self: &Tuner) -> f64;
        fn values(self: &Tuner) -> Vec<f64>;
        fn best_loss(self: &Tuner) -> f64;
        fn best_values(self: &Tuner) -> Vec<f64>;
        fn ended(self: &Tuner) -> String;
    }
}
