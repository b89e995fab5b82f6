//! Tables, checks and the comparison with the paper.

use super::methods::{LEVEL, POPULATIONS, Start};
use super::pictures::Side;
use super::searches::{Ended, truth};
use crate::control::{Identifiability, Termination, Verdict};
use crate::report::{Column, Table};
use crate::reproduce::olive::CONDUCTANCES;
use crate::reproduce::{Agreement, Comparison};

/// Conductances that the trace determines.
const IDENTIFIABLE: [&str; 3] = ["CaL", "K_Ca", "CaH"];

/// Something this result promises.
#[derive(Debug, Clone)]
pub(super) struct Check {
    what: String,
    wanted: String,
    found: String,
    pub(super) passed: bool,
}

impl Check {
    fn new(what: String, wanted: &str, found: String, passed: bool) -> Self {
        Self {
            what,
            wanted: wanted.into(),
            found,
            passed,
        }
    }
}

fn by_name<'a>(side: &Side<'a>, name: &str) -> Option<&'a Ended> {
    side.searches.iter().find(|s| s.method.name == name)
}

fn ended(termination: Termination) -> &'static str {
    match termination {
        Termination::MaxIters => "iteration limit",
        Termination::TargetReached => "target loss reached",
        Termination::Stalled => "no further descent",
        Termination::NonFiniteLoss => "loss not finite",
        Termination::Cancelled => "cancelled",
    }
}

/// The greatest distance from the target of what is identifiable, relative.
fn worst_identifiable(search: &Ended) -> f64 {
    let truth = truth();
    let found = search.found();
    let rows = CONDUCTANCES.iter().zip(found.iter().zip(&truth));
    let rows = rows.filter(|(g, _)| IDENTIFIABLE.contains(&g.name));
    rows.map(|(_, (x, t))| (x / t - 1.0).abs()).fold(0.0, f64::max)
}

/// Cost until the loss is below [`LEVEL`], plain seconds of the cell: the first point, and whether it was reached at all.
fn cost(side: &Side<'_>, search: &Ended) -> (f64, bool) {
    let multiple = side.ground.multiple;
    match search.first_below(LEVEL) {
        Some(point) => (point.cost(multiple), true),
        None => (search.last().map_or(f64::NAN, |p| p.cost(multiple)), false),
    }
}

fn shown((cost, reached): (f64, bool)) -> String {
    format!("{}{cost:.1}", if reached { "" } else { "> " })
}

/// Median cost of evolution with one population; a search that never arrives counts as longer than all that do.
fn median_cost(side: &Side<'_>, population: u32) -> Option<(f64, bool)> {
    let prefix = format!("cma-{population}-");
    let of = side.searches.iter().filter(|s| s.method.name.starts_with(&prefix));
    let mut costs: Vec<(f64, bool)> = of.map(|s| cost(side, s)).collect();
    costs.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.total_cmp(&b.0)));
    costs.get(costs.len() / 2).copied()
}

/// What the result promises on the paper's cell.
pub(super) fn checks(sides: &[Side<'_>]) -> Vec<Check> {
    let mut all = Vec::new();
    for side in sides {
        let letter = side.ground.reading.letter();
        let within = if letter == "W" { 25.0 } else { 50.0 };
        if let Some(lm) = by_name(side, "lm") {
            let first = lm.first_below(0.1).map(super::searches::Point::cell_s);
            all.push(Check::new(
                format!("{letter}: Levenberg–Marquardt from the published start, loss below 0.1 mV²"),
                &format!("within {within:.0} cell-seconds"),
                first.map_or_else(
                    || format!("never; {:.2e} at the end", lm.loss()),
                    |s| format!("after {s:.1}"),
                ),
                first.is_some_and(|s| s <= within),
            ));
            let worst = worst_identifiable(lm);
            all.push(Check::new(
                format!("{letter}: CaL, K_Ca and CaH, distance from the target"),
                "at most 5 %",
                format!("{:.2} %", 100.0 * worst),
                worst <= 0.05,
            ));
            for population in POPULATIONS {
                let Some(evolution) = median_cost(side, population) else {
                    continue;
                };
                let own = cost(side, lm);
                let fraction = own.0 / evolution.0;
                all.push(Check::new(
                    format!("{letter}: cost to a loss below 1 mV² against the median of CMA-ES {population}"),
                    "at most 1/20",
                    format!("{} against {} plain seconds", shown(own), shown(evolution)),
                    own.1 && fraction <= 0.05,
                ));
            }
        }
        let random = |s: &&Ended| matches!(s.method.from, Start::Random(_)) && !s.method.noisy;
        let of: Vec<&Ended> = side.searches.iter().filter(random).collect();
        let good = of
            .iter()
            .filter(|s| s.first_below(1.0).is_some_and(|p| p.cell_s() <= 50.0))
            .count();
        all.push(Check::new(
            format!("{letter}: random starts with a loss below 1 mV² within 50 cell-seconds"),
            "at least 6 of 8",
            format!("{good} of {}", of.len()),
            good >= 6,
        ));
        if letter == "W" {
            for (name, most) in [("adam-1e-2", 10.0), ("adam-3e-2", 1.0)] {
                let Some(adam) = by_name(side, name) else { continue };
                all.push(Check::new(
                    format!("W: {}, loss after {} steps", adam.method.label, adam.curve.len()),
                    &format!("below {most:.0} mV²"),
                    format!("{:.3}", adam.loss()),
                    adam.loss() < most,
                ));
            }
        }
    }
    all
}

/// The checks as a table.
pub(super) fn check_table(checks: &[Check]) -> Table {
    let columns = ["what", "wanted", "found", ""].map(Column::text);
    let mut table = Table::new("What this result promises on the paper's cell.", columns.to_vec());
    for check in checks {
        let word = if check.passed { "yes" } else { "NO" };
        table.row([check.what.as_str(), &check.wanted, &check.found, word]);
    }
    table
}

/// All searches of a reading.
pub(super) fn search_table(side: &Side<'_>) -> Table {
    let mut columns = vec![Column::text("search"), Column::text("ended by")];
    columns.extend(
        [
            "iterations",
            "loss at the end (mV²)",
            "cell-seconds",
            "cost (plain s)",
            "cell-seconds to loss < 1",
            "cost to loss < 1",
            "wall time to loss < 1 (s)",
        ]
        .map(Column::number),
    );
    let ground = side.ground;
    let caption = format!(
        "Searches on reading {}. Losses are over the whole trace and without noise. A second with sensitivities costs {:.2} \
         plain ones, and a plain one {:.3} s of one thread of this machine.",
        ground.reading.letter(),
        ground.multiple,
        ground.plain_s,
    );
    let mut table = Table::new(&caption, columns);
    for search in side.searches {
        let last = search.last();
        let first = search.first_below(LEVEL);
        let number = |v: Option<f64>| v.map_or_else(|| "-".into(), |v| format!("{v:.1}"));
        table.row([
            search.method.label.clone(),
            ended(search.termination).into(),
            search.tuner.history().len().to_string(),
            format!("{:.3e}", search.loss()),
            number(last.map(|p| p.cell_s())),
            number(last.map(|p| p.cost(ground.multiple))),
            number(first.map(|p| p.cell_s())),
            number(first.map(|p| p.cost(ground.multiple))),
            number(first.map(|p| p.cost(ground.multiple) * ground.plain_s)),
        ]);
    }
    table
}

/// Start, target and what the main searches found.
pub(super) fn parameter_table(side: &Side<'_>) -> Table {
    let names = [
        "lm",
        "lm-noise",
        "adam-1e-2",
        "adam-3e-2",
        "adam-forgetting",
        "adam-diffusion",
        "cma-20-seed-1",
    ];
    let searches: Vec<&Ended> = names.iter().filter_map(|n| by_name(side, n)).collect();
    let mut columns = vec![
        Column::text("conductance"),
        Column::number("start"),
        Column::number("target"),
    ];
    columns.extend(searches.iter().map(|s| Column::number(&s.method.label)));
    let caption = format!(
        "Conductances of reading {}, A/m²/mV (10 of them are 1 S/cm²), and what the searches from the published start \
         found, as a multiple of the target.",
        side.ground.reading.letter()
    );
    let mut table = Table::new(&caption, columns);
    let truth = truth();
    for (k, g) in CONDUCTANCES.iter().enumerate() {
        let mut row = vec![g.name.to_owned(), format!("{}", g.start), format!("{}", g.target)];
        row.extend(searches.iter().map(|s| format!("{:.4}", s.found()[k] / truth[k])));
        table.row(row);
    }
    table
}

/// How precisely the target determines each conductance.
pub(super) fn precision_table(found: &[(&str, &Identifiability)]) -> Table {
    let mut columns = vec![Column::text("conductance")];
    for (letter, _) in found {
        columns.push(Column::number(&format!("{letter}: standard error (%)")));
        columns.push(Column::text(&format!("{letter}: determined")));
    }
    let caption = "Relative standard error of each conductance at the target, if each of the 1 ms samples carries 1 mV of \
                   independent noise; all errors are proportional to it.";
    let mut table = Table::new(caption, columns);
    for (k, g) in CONDUCTANCES.iter().enumerate() {
        let mut row = vec![g.name.to_owned()];
        for (_, identified) in found {
            let Some(slot) = identified.slots.get(k) else { continue };
            let error = 100.0 * slot.relative;
            row.push(if error <= 1000.0 {
                format!("{error:.2}")
            } else {
                "> 1000".into()
            });
            row.push(
                match slot.verdict() {
                    Verdict::Determined => "yes",
                    Verdict::Weak => "weakly",
                    Verdict::Undetermined => "no",
                }
                .into(),
            );
        }
        table.row(row);
    }
    table
}

/// The overall table's rows.
pub(super) fn comparisons(sides: &[Side<'_>]) -> Vec<Comparison> {
    let mut all = Vec::new();
    for side in sides {
        let letter = side.ground.reading.letter();
        let line = |name: &str| {
            by_name(side, name).map_or_else(
                || "-".into(),
                |s| format!("{:.2e} mV² after {} steps", s.loss(), s.tuner.history().len()),
            )
        };
        all.push(Comparison::new(
            &format!("{letter}: Adam 0.01 on the paper's gradient, by ion diffusion (approximate)"),
            "tunes the cell within 300 steps",
            &line("adam-diffusion"),
            match by_name(side, "adam-diffusion") {
                Some(s) if s.loss() < LEVEL => Agreement::Agrees,
                Some(_) | None => Agreement::Differs,
            },
            "The ion damps the sensitivities, a hidden forgetting that smooths the loss: Adam, which rescales each component, \
             needs no more than the gradient's rough direction.",
        ));
        all.push(Comparison::new(
            &format!("{letter}: Adam on the exact gradient, learning rate 0.01 (and 0.03)"),
            "not computed",
            &format!("{} ({})", line("adam-1e-2"), line("adam-3e-2")),
            Agreement::New,
            "The exact gradient of a long trace sees every slipped cycle; it is not a better gradient for Adam.",
        ));
        let forgetting = by_name(side, "adam-forgetting");
        if let Some(search) = forgetting {
            all.push(Comparison::new(
                &format!("{letter}: Adam on sensitivities that forget (λ = 1/30 per ms)"),
                "forgetting is proposed for online control only",
                &format!("{:.2e} mV² after {} steps", search.loss(), search.tuner.history().len()),
                Agreement::New,
                "What the ion did by accident, on purpose.",
            ));
        }
        let medians: Vec<String> = POPULATIONS
            .iter()
            .filter_map(|p| Some(format!("{p}: {}", shown(median_cost(side, *p)?))))
            .collect();
        if let Some(lm) = by_name(side, "lm") {
            all.push(Comparison::new(
                &format!("{letter}: cost to a loss below 1 mV², plain seconds of the cell"),
                "Adam needs fewer iterations than CMA-ES",
                &format!(
                    "Levenberg–Marquardt {}; CMA-ES (median) {}",
                    shown(cost(side, lm)),
                    medians.join(", ")
                ),
                Agreement::New,
                "Exactness pays through the Jacobian: every sample of every sensitivity is used, not their sum.",
            ));
        }
    }
    all
}
