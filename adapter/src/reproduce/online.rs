//! Online control in the paper: homeostasis of a cell (R5) and of a network (R6), stability (R7), a cell that keeps its
//! rate while it is disturbed (R8a), in other simulators too, and plasticity rules (R8b, R8c).

pub mod adaptation;
pub mod homeostasis;
pub mod hosts;
pub mod network;
pub mod plasticity;
pub mod stability;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Carried, Error, unpack};
use crate::hosts::{ControlledRun, HostError, ShimHost};
use crate::plan::Plan;
use crate::report::write_atomic;
use crate::verify::{Verdict, lanes, verify};

/// The mechanisms of all experiments below.
const MECHANISMS: [Carried; 7] = [
    Carried {
        path: "hh_homeo.mod",
        text: include_str!("../../../mechanisms/homeostasis/hh_homeo.mod"),
    },
    Carried {
        path: "expsyn.mod",
        text: include_str!("../../../mechanisms/synapses/expsyn.mod"),
    },
    Carried {
        path: "hh_published.mod",
        text: include_str!("../../../examples/homeostasis/hh_published.mod"),
    },
    Carried {
        path: "hh_adapt.mod",
        text: include_str!("../../../examples/homeostasis/hh_adapt.mod"),
    },
    Carried {
        path: "setpoint.mod",
        text: include_str!("../../../examples/homeostasis/setpoint.mod"),
    },
    Carried {
        path: "clopath.mod",
        text: include_str!("../../../examples/plasticity/clopath.mod"),
    },
    Carried {
        path: "scaled.mod",
        text: include_str!("../../../examples/plasticity/scaled.mod"),
    },
];

/// Where experiments are written and catalogues built.
struct Bench {
    inputs: PathBuf,
}

impl Bench {
    fn new(output: &Path) -> Result<Self, Error> {
        let inputs = output.join("inputs");
        unpack(&inputs, &MECHANISMS)?;
        Ok(Self { inputs })
    }

    /// Writes an experiment, where the user can look at it and run it again, and makes it concrete.
    fn plan(&self, experiment: &Value) -> Result<Plan, Error> {
        let name = experiment["name"].as_str().unwrap_or("experiment");
        let path = self.inputs.join(format!("{name}.json"));
        write_atomic(&path, format!("{experiment:#}\n").as_bytes())?;
        Ok(Plan::load(&path)?)
    }

    /// The plan in a host. `like` is one whose catalogue serves if it has the same code.
    fn host(&self, plan: &Plan, like: Option<(&Plan, &ShimHost)>) -> Result<ShimHost, HostError> {
        match like {
            Some((other, host)) if other.c_for_shim() == plan.c_for_shim() => {
                ShimHost::on_built(plan, host.catalogue())
            }
            Some(_) | None => {
                let file = format!("{}-catalogue.so", plan.experiment.name);
                ShimHost::new(plan, &self.inputs.join(file))
            }
        }
    }
}

/// The sensitivities of an experiment, with nothing forgotten and nothing controlled, against central differences.
fn check(bench: &Bench, experiment: &Value, horizon_ms: f64) -> Result<Verdict, Error> {
    let mut experiment = experiment.clone();
    let name = experiment["name"].as_str().unwrap_or("experiment").to_string();
    experiment["name"] = format!("{name}-verify").into();
    experiment["simulation"]["duration_ms"] = horizon_ms.into();
    experiment["simulation"]["sample_every_ms"] = (horizon_ms / 200.0).into();
    if let Some(keys) = experiment.as_object_mut() {
        for key in ["control", "perturbations", "forgetting_per_ms"] {
            keys.remove(key);
        }
    }
    let plan = bench.plan(&experiment)?;
    let mut host = bench.host(&plan, None)?;
    let slots: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    let x = plan.values();
    let tolerance = plan.experiment.verify.tolerance;
    Ok(verify(
        &mut host,
        &slots,
        &x,
        horizon_ms,
        tolerance,
        &lanes(&plan),
        |_| (),
    )?)
}

/// How a check came out, in words.
fn check_line(verdict: &Verdict) -> String {
    format!(
        "{} over {} ms ({})",
        verdict
            .max_rel_error
            .map_or_else(|| "unknown".into(), |e| format!("{e:.1e}")),
        verdict.duration_ms,
        if verdict.passed { "passed" } else { "NOT PASSED" }
    )
}

/// Mean of one probe over samples from `from_ms` on.
fn mean_from(run: &ControlledRun, probe: usize, from_ms: f64) -> f64 {
    let first = run.traces.times_ms.partition_point(|t| *t < from_ms);
    let n = run.traces.n_probes.max(1);
    let values = run.traces.values.iter().skip(first * n + probe).step_by(n);
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    sum / count
}

/// Every `stride`-th of some values, so that a plot of a long run stays small.
fn thinned(values: Vec<f64>, most: usize) -> Vec<f64> {
    let stride = values.len().div_ceil(most).max(1);
    values.into_iter().step_by(stride).collect()
}

/// Numbers of a result for programs.
fn numbers(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(numbers) => numbers,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => serde_json::Map::new(),
    }
}
