//! Which searches are made, from where and for how long.

use crate::control::{AdamSettings, CmaEsSettings, Horizon, LmSettings, Optimiser, Schedule, Stall, Starts, Stop};
use crate::reproduce::Scale;

/// The horizon of Levenberg–Marquardt: first, and growth per iteration, ms. On P there is a barrier between start and
/// target at 1000 ms and none at 200.
const HORIZON_MS: (f64, f64) = (100.0, 50.0);
/// Where Levenberg–Marquardt may stop, mV²: a hundredth of what the issue asks for, so that parameters have settled too.
const SETTLED: f64 = 1e-3;
/// Where evolution may stop, mV²: the level at which costs are compared.
pub(super) const LEVEL: f64 = 1.0;
/// Populations of the paper.
pub(super) const POPULATIONS: [u32; 2] = [20, 50];
/// Forgetting rate λ, 1/ms.
pub(super) const FORGETTING_PER_MS: f64 = 1.0 / 30.0;
/// Random starts: up to half of every value away, all from one seed.
pub(super) const SPREAD: f64 = 0.5;
/// Their seed, and that of the noise.
pub(super) const SEED: u64 = 1;

/// How much is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Length of the traces, ms.
    pub(super) end_ms: f64,
    /// Iterations of Adam.
    adam: u32,
    /// Iterations of Adam on sensitivities that forget.
    adam_forgetting: u32,
    /// Iterations of Levenberg–Marquardt at most.
    lm: u32,
    /// Cell-seconds of each evolution at most.
    evolution_s: f64,
    /// Seeds of evolution.
    seeds: u64,
    /// Random starts.
    pub(super) starts: u32,
    /// Points of the cut from start to target.
    pub(super) cut: u32,
    /// Span over which sensitivities are verified, ms.
    pub(super) verified_ms: f64,
    /// Runs of each kind that are timed.
    pub(super) timed: usize,
}

impl Extent {
    pub(super) fn of(scale: Scale) -> Self {
        let whole = Self {
            end_ms: 1000.0,
            adam: 300,
            adam_forgetting: 300,
            lm: 60,
            evolution_s: 6000.0,
            seeds: 3,
            starts: 8,
            cut: 51,
            verified_ms: 50.0,
            timed: 5,
        };
        match scale {
            Scale::Quick => Self {
                end_ms: 200.0,
                adam: 6,
                adam_forgetting: 6,
                lm: 6,
                evolution_s: 12.0,
                seeds: 1,
                starts: 2,
                cut: 11,
                verified_ms: 20.0,
                timed: 1,
            },
            // half an hour for all results on two cores is what is left to go round
            Scale::Default => Self {
                adam_forgetting: 150,
                evolution_s: 400.0,
                ..whole
            },
            Scale::Full => whole,
        }
    }

    /// The growing horizon.
    pub(super) fn horizon(&self) -> Horizon {
        Horizon {
            start_ms: HORIZON_MS.0,
            step_ms: HORIZON_MS.1,
            end_ms: self.end_ms,
        }
    }

    /// The random starts.
    pub(super) fn draws(&self) -> Starts {
        Starts {
            count: self.starts,
            seed: SEED,
            spread: SPREAD,
        }
    }
}

/// What kind of search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Adam on the exact gradient.
    Adam,
    /// Adam on sensitivities that forget.
    Forgetting,
    /// Adam on the paper's sensitivities, by ion diffusion: APPROXIMATE.
    Diffusion,
    /// CMA-ES, without gradient.
    Evolution,
    /// Levenberg–Marquardt with the growing horizon.
    LevenbergMarquardt,
}

/// Where a search starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// The published start: all slots 1.
    Published,
    /// One of the random starts.
    Random(usize),
}

/// One search, on either reading.
#[derive(Debug, Clone)]
pub(super) struct Method {
    /// Part of file and array names.
    pub(super) name: String,
    /// In legends and tables.
    pub(super) label: String,
    pub(super) family: Family,
    pub(super) from: Start,
    /// Whether the target carries noise.
    pub(super) noisy: bool,
    pub(super) optimiser: Optimiser,
    pub(super) horizon: Horizon,
    pub(super) stop: Stop,
}

/// Levenberg–Marquardt's constants. Slots are relative, and some hardly act: these wait at the start. No step is longer
/// than the start itself: without that limit, the first step on P multiplies three conductances by five, and the search ends
/// in another valley.
pub(super) fn levenberg_marquardt() -> LmSettings {
    LmSettings {
        scale_floor: 1.0,
        max_step: Some(1.0),
        ..LmSettings::default()
    }
}

/// When Levenberg–Marquardt stops.
pub(super) fn lm_stop(extent: &Extent) -> Stop {
    Stop {
        max_iterations: extent.lm,
        target_loss: Some(SETTLED),
        // with noise, what is left is a slow drift along conductances that the trace does not determine
        stall: Some(Stall {
            iterations: 4,
            tolerance: 1e-3,
        }),
        ..Stop::default()
    }
}

/// All searches: what a killed run has by then is the most telling. The generations of CMA-ES, last, occupy all threads.
pub(super) fn methods(extent: &Extent) -> Vec<Method> {
    let mut all = Vec::new();
    let fixed = Horizon::fixed(extent.end_ms);
    let generations = |population: u32| {
        let per_generation = f64::from(population) * extent.end_ms / 1000.0;
        let mut n = 1;
        while f64::from(n + 1) * per_generation <= extent.evolution_s {
            n += 1;
        }
        n
    };
    for noisy in [false, true] {
        let (suffix, with) = if noisy { ("-noise", ", 1 mV noise") } else { ("", "") };
        let lm = |name: String, label: String, from: Start| Method {
            name,
            label,
            family: Family::LevenbergMarquardt,
            from,
            noisy,
            optimiser: Optimiser::LevenbergMarquardt(levenberg_marquardt()),
            horizon: extent.horizon(),
            stop: lm_stop(extent),
        };
        all.push(lm(
            format!("lm{suffix}"),
            format!("Levenberg–Marquardt{with}"),
            Start::Published,
        ));
        for k in 0..extent.starts as usize {
            all.push(lm(
                format!("lm-start-{k}{suffix}"),
                format!("Levenberg–Marquardt, start {k}{with}"),
                Start::Random(k),
            ));
        }
    }
    let adam = |name: &str, label: &str, family: Family, rate: f64| Method {
        name: name.into(),
        label: label.into(),
        family,
        from: Start::Published,
        noisy: false,
        optimiser: Optimiser::Adam(AdamSettings {
            learning_rate: Schedule::Constant { rate },
            ..AdamSettings::default()
        }),
        horizon: fixed,
        stop: Stop {
            max_iterations: match family {
                Family::Forgetting => extent.adam_forgetting,
                Family::Adam | Family::Diffusion | Family::Evolution | Family::LevenbergMarquardt => extent.adam,
            },
            ..Stop::default()
        },
    };
    all.push(adam("adam-1e-2", "Adam 0.01", Family::Adam, 1e-2));
    all.push(adam("adam-3e-2", "Adam 0.03", Family::Adam, 3e-2));
    all.push(adam(
        "adam-forgetting",
        "Adam 0.01, λ = 1/30 per ms",
        Family::Forgetting,
        1e-2,
    ));
    all.push(adam(
        "adam-diffusion",
        "Adam 0.01, the paper's gradient (approximate)",
        Family::Diffusion,
        1e-2,
    ));
    for seed in 1..=extent.seeds {
        for population in POPULATIONS {
            all.push(Method {
                name: format!("cma-{population}-seed-{seed}"),
                label: format!("CMA-ES {population}, seed {seed}"),
                family: Family::Evolution,
                from: Start::Published,
                noisy: false,
                optimiser: Optimiser::CmaEs(CmaEsSettings {
                    seed,
                    population: Some(population),
                    sigma: 0.1,
                }),
                horizon: fixed,
                stop: Stop {
                    max_iterations: generations(population),
                    target_loss: Some(LEVEL),
                    ..Stop::default()
                },
            });
        }
    }
    all
}
