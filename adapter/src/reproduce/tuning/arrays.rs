//! The data. Counted, not timed: a second computation writes the same bytes.

use super::Computed;
use super::searches::{Point, truth};
use crate::control::Traces;
use crate::outcome::Named;
use crate::reproduce::olive::CONDUCTANCES;

/// Everything that the figures show.
pub(super) fn arrays(readings: &[Computed]) -> Vec<Named> {
    let n_slots = CONDUCTANCES.len();
    let per_slot = [n_slots];
    let mut all = vec![Named::new("target", "1", "target over start, slot", &per_slot, truth())];
    for computed in readings {
        let (ground, (spans, rows)) = (&computed.ground, &computed.cut);
        let letter = ground.reading.letter();
        let mut add = |name: &str, unit: &str, meaning: &str, shape: &[usize], data: Vec<f64>| {
            all.push(Named::new(&format!("{letter}_{name}"), unit, meaning, shape, data));
        };
        let trace = |t: &Traces| ([t.times_ms.len()], t.values.clone());
        let (shape, values) = trace(&ground.target);
        add("t_ms", "ms", "sample times", &shape, ground.target.times_ms.clone());
        add("target_v", "mV", "target, time", &shape, values);
        let (shape, values) = trace(&ground.noisy_target);
        add("target_v_noisy", "mV", "target with noise, time", &shape, values);
        let shape = [rows.len(), spans.len()];
        add("cut_spans_ms", "ms", "spans of the loss", &[spans.len()], spans.clone());
        let meaning = "loss on the line from start to target, point × span";
        add("cut_loss", "mV²", meaning, &shape, rows.concat());
        let values = computed.identified.spectrum.values.clone();
        add(
            "eigenvalues",
            "mV²",
            "of JᵀJ at the target, descending",
            &per_slot,
            values,
        );
        for search in &computed.searches {
            let stem = search.method.name.replace('-', "_");
            let shape = [search.curve.len()];
            let mut of = |name: &str, unit: &str, meaning: &str, value: &dyn Fn(&Point) -> f64| {
                let values = search.curve.iter().map(value).collect();
                add(&format!("{stem}_{name}"), unit, meaning, &shape, values);
            };
            of("loss", "mV²", "over the whole trace, without noise, point", &|p| {
                p.loss
            });
            of("horizon_ms", "ms", "what the search looked at, point", &|p| {
                p.horizon_ms
            });
            of("plain_s", "s", "simulated so far without sensitivities, point", &|p| {
                p.plain_s()
            });
            of("tangent_s", "s", "simulated so far with sensitivities, point", &|p| {
                p.tangent_s()
            });
            add(
                &format!("{stem}_start"),
                "1",
                "start, slot",
                &per_slot,
                search.start.clone(),
            );
            add(&format!("{stem}_found"), "1", "found, slot", &per_slot, search.found());
        }
    }
    all
}
