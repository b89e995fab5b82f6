//! Malformed experiments: every defect has its own code or variant, a place, and a next step, and none panics.
//!
//! A fixture is `reject_json/NAME.json`. What it provokes stands in [`ROWS`]; how that reads for a user, in
//! `reject_json/messages.txt` (`UPDATE_EXPECT=1` rewrites it).

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use compiler::CompileError;
use expect_test::expect_file;
use graddiff::cli::Failure;
use graddiff::cli::diagnostics::{Style, render_all};
use graddiff::experiment::Experiment;
use graddiff::experiment::read::{JsonCode, parse};
use graddiff::plan::{Plan, PlanError};
use proptest::prelude::*;

/// Malformed inputs of all kinds that issue 2 asks for; the sum of all fixtures is far above it.
const DEMANDED: usize = 30;

/// (fixture, code of the text or variant of the plan, `line:column` or place in the experiment or file).
const ROWS: [(&str, &str, &str); 151] = [
    ("ambiguous-value", "AmbiguousValue", "slots[0]"),
    ("bad-label", "BadLabel", "cells[0].synapses[0]"),
    ("bad-name", "BadName", "name"),
    ("choice-of-generator", "Choice", "cells[0].generators[0]"),
    ("choice-of-probe", "Choice", "probes[0]"),
    ("choice-of-probe-none", "Choice", "probes[0]"),
    ("circular-region", "CircularRegion", "cells[0].paint[0].region"),
    ("compile-rejected", "Compile", "unknown-name"),
    ("compile-slot-name", "Compile", "g__1"),
    ("compile-slot-of-unknown-mechanism", "Compile", "g"),
    ("compile-slot-of-unknown-parameter", "Compile", "unknown-slot-parameter"),
    ("compile-slot-twice", "Compile", "g"),
    ("compile-twice-the-same", "Compile", "pas"),
    ("control-bounds", "Value", "control.slots.gna: the start value"),
    ("control-every", "Value", "control.every_ms"),
    ("control-gain-missing", "Uncontrollable", "control.slots.gna"),
    ("control-no-slots", "Empty", "control.slots"),
    ("control-objective", "Uncontrollable", "control.objective"),
    ("control-unknown-objective", "Unknown", "control.objective"),
    ("control-unknown-slot", "Unknown", "control.slots.gk"),
    ("control-within-adam", "Uncontrollable", "control.law"),
    ("control-within-another-mechanism", "Uncontrollable", "control.within"),
    ("control-within-clip-late", "Uncontrollable", "control.start_ms"),
    ("control-within-every", "Uncontrollable", "control.every_ms"),
    ("control-within-several-cvs", "Uncontrollable", "control.within"),
    ("control-within-two-cells", "Uncontrollable", "control.within"),
    ("detector-missing", "Detector", "connections[0].from.detector"),
    ("duplicate-cell", "Duplicate", "cells[1]"),
    ("duplicate-detector", "Duplicate", "cells[0].detectors[1]"),
    ("duplicate-in-groups", "Duplicate", "groups[1]"),
    ("duplicate-key", "duplicate-key", "3:8"),
    ("duplicate-key-of-parameters", "duplicate-key", "8:66"),
    ("duplicate-population", "Duplicate", "populations[0]"),
    ("duplicate-probe", "Duplicate", "probes[1]"),
    ("duplicate-synapse", "Duplicate", "cells[0].synapses[1]"),
    ("empty-cells", "Empty", "cells"),
    ("empty-paint", "EmptyPaint", "cells[0].paint[1]"),
    ("empty-places", "Empty", "cells[0].synapses[0].at"),
    ("empty-probes", "Empty", "probes"),
    ("empty-targets", "UnreachedSlot", "slots[0]"),
    ("encoding-of-experiment", "Encoding", "encoding-of-experiment.json"),
    ("encoding-of-mechanism", "Encoding", "latin1.mod"),
    ("encoding-of-swc", "Encoding", "latin1.swc"),
    ("event-times", "EventTimes", "cells[0].generators[0].times_ms"),
    ("geometry-detector-position", "Geometry", "cells[0].detectors[0]"),
    ("geometry-flat-cylinder", "Geometry", "cells[0]"),
    (
        "geometry-negative-capacitance",
        "Geometry",
        "cells[0].properties.cm_f_per_m2",
    ),
    ("geometry-no-cvs", "Geometry", "cells[0]"),
    ("geometry-painted-twice", "Geometry", "cells[0].paint[2].rl_ohm_cm"),
    ("geometry-probe-branch", "Geometry", "probes[0].at"),
    ("geometry-region-cable", "Geometry", "cells[0].paint[0].region"),
    ("geometry-segment-order", "Geometry", "cells[0].morphology.segments[0]"),
    ("geometry-synapse", "Geometry", "cells[0].synapses[0].at"),
    ("global-twice", "GlobalTwice", "cells[0].paint[2]"),
    ("incomplete-ion", "IncompleteIon", "cells[0].ions.mg"),
    ("indegree", "Indegree", "connections[0].rule.indegree"),
    ("kind-of-method", "Kind", "cells[0].ions.ca.reversal_method.mechanism"),
    ("kind-of-paint", "Kind", "cells[0].paint[0].mechanism"),
    ("kind-of-probe", "Kind", "probes[0].variable"),
    ("kind-of-synapse", "Kind", "cells[0].synapses[0].mechanism"),
    ("loose-segment", "LooseSegment", "cells[0].morphology.segments[0]"),
    ("missing-key", "missing-key", "7:55"),
    ("missing-key-at-top", "missing-key", "13:1"),
    ("missing-key-of-placement", "missing-key", "9:77"),
    ("missing-key-of-rule", "missing-key", "11:116"),
    ("missing-rule", "missing-key", "11:112"),
    ("no-length", "NoLength", "cells[0].synapses[0].at.region"),
    ("other-ion", "OtherIon", "cells[0].ions.ca.reversal_method"),
    ("overlap", "Overlap", "cells[0].paint[1]"),
    ("perturbation-choice", "Choice", "perturbations[0].change.parameter"),
    (
        "perturbation-stimulus",
        "Value",
        "perturbations[0].change.stimulus.number",
    ),
    ("perturbation-time", "Value", "perturbations[0].at_ms"),
    ("population-of-none", "Value", "populations[0].count"),
    ("population-too-large", "Value", "populations[0].count"),
    ("read-no-mechanism", "Read", "nowhere.mod"),
    ("read-no-swc", "Read", "nowhere.swc"),
    ("self-junction", "SelfJunction", "gap_junctions[0]"),
    ("several-cells", "Several", "probes[0]"),
    ("several-places", "Several", "probes[0].synapse"),
    ("shared-parameter", "SharedParameter", "slots[1].targets[0]"),
    ("stimulus-backwards", "Stimulus", "cells[0].stimuli[0]"),
    ("stimulus-nothing", "Stimulus", "cells[0].stimuli[0]"),
    ("stimulus-overlapping-pulses", "Stimulus", "cells[0].stimuli[0]"),
    ("swc-as-neuron", "Swc", "retagged.swc"),
    ("swc-columns", "Swc", "columns.swc"),
    ("swc-cycle", "Swc", "cycle.swc"),
    ("syntax-comma", "json-syntax", "4:13"),
    ("syntax-comment", "json-syntax", "4:3"),
    ("syntax-nan", "json-syntax", "11:34"),
    ("syntax-trailing-text", "json-syntax", "15:1"),
    ("too-deep", "too-deep", "8:2002"),
    ("transform", "Transform", "slots[0].transform"),
    ("truncated", "json-truncated", "8:29"),
    ("truncated-empty", "json-truncated", "1:1"),
    ("uncovered-probe", "UncoveredProbe", "probes[0].variable"),
    ("unequal", "Unequal", "connections[0].rule"),
    ("unknown-cell", "Unknown", "probes[0]"),
    ("unknown-detector", "Unknown", "connections[0].from.detector"),
    ("unknown-ion-of-method", "Unknown", "cells[0].ions.ca.reversal_method"),
    ("unknown-junction", "Unknown", "gap_junctions[0].a.junction"),
    ("unknown-key", "unknown-key", "11:30"),
    ("unknown-key-of-cell", "unknown-key", "8:16"),
    ("unknown-key-of-placement", "unknown-key", "9:100"),
    ("unknown-key-of-rule", "unknown-key", "11:147"),
    ("unknown-key-unlike-any", "unknown-key", "2:25"),
    ("unknown-mechanism", "Unknown", "cells[0].paint[0].mechanism"),
    ("unknown-mechanism-of-synapse", "Unknown", "probes[0].variable"),
    ("unknown-member", "Unknown", "groups[0]"),
    ("unknown-method", "Unknown", "cells[0].ions.ca.reversal_method"),
    ("unknown-parameter", "Unknown", "cells[0].paint[0].parameters"),
    ("unknown-place", "Unknown", "probes[0].synapse"),
    ("unknown-region", "Unknown", "cells[0].paint[0].region"),
    ("unknown-sender", "Unknown", "connections[0].from.cell"),
    ("unknown-state", "Unknown", "probes[0].variable"),
    ("unknown-synapse-of-connection", "Unknown", "connections[0].to.synapse"),
    (
        "unknown-synapse-of-generator",
        "Unknown",
        "cells[0].generators[0].target",
    ),
    ("unknown-synapse-of-probe", "Unknown", "probes[0].synapse"),
    ("unknown-synapse-of-slot", "Unknown", "slots[0].targets[0].synapse"),
    ("unknown-variable", "Unknown", "probes[0].variable"),
    ("unknown-variant", "unknown-variant", "7:32"),
    ("unknown-variant-of-region", "unknown-variant", "8:57"),
    ("unknown-variant-of-rule", "unknown-variant", "11:111"),
    ("unreached-slot", "UnreachedSlot", "slots[0]"),
    ("unset", "Unset", "cells[0].paint[1]"),
    ("value-count-of-places", "Value", "cells[0].synapses[0].at.count"),
    ("value-delay-short", "Value", "connections[0].delay_ms"),
    ("value-delay-zero", "Value", "connections[0].delay_ms"),
    ("value-diffusivity", "Value", "cells[0].ions.ca.diffusivity_m2_per_s"),
    ("value-dt", "Value", "simulation.dt_ms"),
    ("value-forgetting", "Value", "forgetting_per_ms"),
    ("value-interval", "Value", "cells[0].generators[0].regular.interval_ms"),
    ("value-probability", "Value", "connections[0].rule.probability"),
    ("value-rate", "Value", "cells[0].generators[0].poisson.rate_hz"),
    ("value-stop", "Value", "cells[0].generators[0].poisson.stop_ms"),
    ("value-tolerance", "Value", "verify.tolerance"),
    ("value-verify-span", "Value", "verify.duration_ms"),
    ("value-weight", "Value", "connections[0].weight"),
    ("whole-cell", "WholeCell", "slots[0].targets[0]"),
    ("wrong-type-fraction", "wrong-type", "13:50"),
    ("wrong-type-list-for-region", "wrong-type", "8:51"),
    ("wrong-type-list-for-rule", "wrong-type", "11:101"),
    ("wrong-type-negative-index", "wrong-type", "13:49"),
    ("wrong-type-negative-seed", "wrong-type", "11:46"),
    ("wrong-type-number-for-list", "wrong-type", "3:17"),
    ("wrong-type-number-for-method", "wrong-type", "9:44"),
    ("wrong-type-number-for-rule", "wrong-type", "11:100"),
    ("wrong-type-number-overflow", "wrong-type", "11:38"),
    ("wrong-type-short-point", "wrong-type", "7:57"),
    ("wrong-type-text-for-number", "wrong-type", "7:53"),
    ("wrong-type-text-for-placement", "wrong-type", "9:67"),
    ("wrong-type-two-shapes", "wrong-type", "7:72"),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    repository().join("tests/reject_json")
}

fn load(name: &str) -> PlanError {
    match Plan::load(&folder().join(format!("{name}.json"))) {
        Ok(_) => panic!("{name} is accepted"),
        Err(error) => error,
    }
}

/// All variants of [`PlanError`], as [`describe`] names them; [`PlanError::Experiment`] is told apart by its code.
const VARIANTS: [&str; 36] = [
    "Read",
    "Encoding",
    "Compile",
    "Swc",
    "Geometry",
    "Value",
    "BadName",
    "Unknown",
    "Duplicate",
    "LooseSegment",
    "IncompleteIon",
    "CircularRegion",
    "EmptyPaint",
    "Overlap",
    "Unset",
    "GlobalTwice",
    "SharedParameter",
    "UnreachedSlot",
    "AmbiguousValue",
    "Transform",
    "UncoveredProbe",
    "Stimulus",
    "Empty",
    "Several",
    "Kind",
    "BadLabel",
    "Choice",
    "Detector",
    "NoLength",
    "EventTimes",
    "Unequal",
    "Indegree",
    "SelfJunction",
    "OtherIon",
    "WholeCell",
    "Uncontrollable",
];

/// What an error is, and where. A new variant does not compile until it is here, nor pass until it has a fixture.
fn describe(error: &PlanError) -> (String, String) {
    let file = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (kind, place) = match error {
        PlanError::Experiment { defect, .. } => (defect.code.as_str(), format!("{}:{}", defect.line, defect.column)),
        PlanError::Read { path, .. } => ("Read", file(path)),
        PlanError::Encoding { path } => ("Encoding", file(path)),
        PlanError::Compile { source, .. } => (
            "Compile",
            match source {
                CompileError::Rejected(found) => found.iter().map(|(_, d)| d.code.to_string()).collect(),
                CompileError::DuplicateMechanism { name, .. } => name.clone(),
                CompileError::UnknownMechanism { slot, .. }
                | CompileError::DuplicateSlot { slot }
                | CompileError::BadSlotName { slot } => slot.clone(),
            },
        ),
        PlanError::Swc { path, .. } => ("Swc", file(path)),
        PlanError::Geometry { place, .. } => ("Geometry", place.clone()),
        PlanError::Value { place, .. } => ("Value", place.clone()),
        PlanError::BadName { .. } => ("BadName", "name".to_owned()),
        PlanError::Unknown { place, .. } => ("Unknown", place.clone()),
        PlanError::Duplicate { place, .. } => ("Duplicate", place.clone()),
        PlanError::LooseSegment { place } => ("LooseSegment", place.clone()),
        PlanError::IncompleteIon { place, .. } => ("IncompleteIon", place.clone()),
        PlanError::CircularRegion { place, .. } => ("CircularRegion", place.clone()),
        PlanError::EmptyPaint { place } => ("EmptyPaint", place.clone()),
        PlanError::Overlap { place, .. } => ("Overlap", place.clone()),
        PlanError::Unset { place, .. } => ("Unset", place.clone()),
        PlanError::GlobalTwice { place, .. } => ("GlobalTwice", place.clone()),
        PlanError::SharedParameter { place, .. } => ("SharedParameter", place.clone()),
        PlanError::UnreachedSlot { place, .. } => ("UnreachedSlot", place.clone()),
        PlanError::AmbiguousValue { place, .. } => ("AmbiguousValue", place.clone()),
        PlanError::Transform { place, .. } => ("Transform", place.clone()),
        PlanError::UncoveredProbe { place, .. } => ("UncoveredProbe", place.clone()),
        PlanError::Stimulus { place } => ("Stimulus", place.clone()),
        PlanError::Empty { place, .. } => ("Empty", place.clone()),
        PlanError::Several { place, .. } => ("Several", place.clone()),
        PlanError::Kind { place, .. } => ("Kind", place.clone()),
        PlanError::BadLabel { place, .. } => ("BadLabel", place.clone()),
        PlanError::NoLength { place, .. } => ("NoLength", place.clone()),
        PlanError::Choice { place, .. } => ("Choice", place.clone()),
        PlanError::EventTimes { place, .. } => ("EventTimes", place.clone()),
        PlanError::Unequal { place, .. } => ("Unequal", place.clone()),
        PlanError::Indegree { place, .. } => ("Indegree", place.clone()),
        PlanError::Detector { place, .. } => ("Detector", place.clone()),
        PlanError::SelfJunction { place, .. } => ("SelfJunction", place.clone()),
        PlanError::OtherIon { place, .. } => ("OtherIon", place.clone()),
        PlanError::WholeCell { place, .. } => ("WholeCell", place.clone()),
        PlanError::Uncontrollable { place, .. } => ("Uncontrollable", place.clone()),
    };
    (kind.to_owned(), place)
}

/// What the command line prints, without this machine's paths.
fn rendered(error: PlanError) -> String {
    let mut out = String::new();
    if let PlanError::Compile {
        sources,
        source: CompileError::Rejected(found),
    } = &error
    {
        out += &render_all(sources, found, Style::Plain);
        out.push('\n');
    }
    out += &Failure::from(error).render();
    out.replace(&format!("{}/", folder().display()), "")
        .replace(&format!("{}/", repository().display()), "")
        .replace("../../", "")
}

#[test]
fn each_defect_has_its_kind_and_its_place() {
    let mut wrong = String::new();
    for (name, kind, place) in ROWS {
        let got = describe(&load(name));
        if (got.0.as_str(), got.1.as_str()) != (kind, place) {
            let _ = writeln!(wrong, "    (\"{name}\", \"{}\", \"{}\"),", got.0, got.1);
        }
    }
    assert!(wrong.is_empty(), "these differ:\n{wrong}");
}

#[test]
fn every_fixture_has_its_row() {
    let entries = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path());
    let mut found: Vec<String> = entries
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, ROWS.map(|(name, _, _)| name.to_owned()));
}

#[test]
fn every_kind_has_a_fixture() {
    let covered: BTreeSet<&str> = ROWS.iter().map(|(_, kind, _)| *kind).collect();
    let all: BTreeSet<&str> = VARIANTS
        .into_iter()
        .chain(JsonCode::ALL.map(JsonCode::as_str))
        .collect();
    assert_eq!(covered, all);
}

#[test]
fn messages_read_well() {
    let mut all = String::new();
    for (name, _, _) in ROWS {
        let text = rendered(load(name));
        let help = text.rsplit_once("\n  help: ").map(|(_, help)| help.trim());
        assert!(help.is_some_and(|h| !h.is_empty()), "{name}: no next step in\n{text}");
        assert!(
            text.lines().all(|l| l.chars().count() <= 300),
            "{name}: a line too long in\n{text}"
        );
        let _ = writeln!(all, "# {name}\n{text}\n");
    }
    expect_file![folder().join("messages.txt")].assert_eq(&format!("{}\n", all.trim_end()));
}

/// Rows of a Rust test's table: lines that hold `mark`.
fn rows(file: &str, mark: &str) -> usize {
    let text = fs::read_to_string(repository().join(file)).unwrap();
    text.lines().filter(|l| l.contains(mark)).count()
}

#[test]
fn there_are_enough_malformed_inputs() {
    let files = |folder: &str, extension: &str| {
        let entries = fs::read_dir(repository().join(folder))
            .unwrap()
            .map(|e| e.unwrap().path());
        entries
            .filter(|p| p.extension().is_some_and(|e| e == extension))
            .count()
    };
    let counts = [
        (".mod", files("adapter/compiler/tests/reject", "mod")),
        (".swc", rows("host-shim/src/swc/tests.rs", "=> SwcError::")),
        (".json", ROWS.len()),
        (".so", files("host-shim/tests/fixtures/bad", "c")),
    ];
    for (kind, count) in counts {
        println!("{kind:>6} {count:>4}");
        assert!(count >= 10, "{kind}: {count}");
    }
    let total: usize = counts.iter().map(|(_, n)| n).sum();
    println!("   all {total:>4}");
    assert!(total >= DEMANDED);
}

/// Texts to maul: sound ones and broken ones.
fn seeds() -> Vec<String> {
    let names = [
        "overlapping-channels",
        "two-cells-root-fork",
        "explicit-painted",
        "swc-max-extent",
        "neuron-integrator",
    ];
    let mut files: Vec<PathBuf> = names
        .iter()
        .map(|name| repository().join(format!("tests/experiments/{name}.json")))
        .collect();
    files.push(folder().join("wrong-type-short-point.json"));
    files.into_iter().map(|f| fs::read_to_string(f).unwrap()).collect()
}

/// Pieces that mean something somewhere in an experiment.
const PIECES: [&str; 24] = [
    "null",
    "-1",
    "0",
    "1e308",
    "1e-320",
    "0.5",
    "99999999999999999999",
    "\"\"",
    "\"v\"",
    "\"all\"",
    "[]",
    "{}",
    ",",
    ":",
    "}",
    "]",
    "{\"tag\": 1}",
    "\"single\"",
    "\"µ\\u0000\"",
    "true",
    "\"every_segment\"",
    "2147483648",
    "[[]]",
    "\"hh.m\"",
];

/// Cut marks: borders of JSON's words, where an exchange makes a text that is still likely to parse.
fn words(text: &str) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut start = None;
    for (i, c) in text.char_indices() {
        let inside = c.is_alphanumeric() || "+-._\"$/".contains(c);
        match (inside, start) {
            (true, None) => start = Some(i),
            (false, Some(s)) => {
                out.push((s, i));
                start = None;
                out.push((i, i + c.len_utf8()));
            }
            (false, None) => out.push((i, i + c.len_utf8())),
            (true, Some(_)) => {}
        }
    }
    out
}

/// Reads and plans; whatever happens must be a value.
fn survive(text: &str) -> Option<bool> {
    let experiment: Experiment = match parse(text) {
        Ok(experiment) => experiment,
        Err(error) => {
            assert!(error.line >= 1 && error.column >= 1 && !error.help.is_empty() && !error.message.is_empty());
            assert!(
                error.line <= text.lines().count().max(1) + 1,
                "line {} of\n{text}",
                error.line
            );
            return None;
        }
    };
    // A policy that asks for millions of control volumes is legal; this test has no time for it.
    let base = repository().join("tests/experiments");
    match Plan::of(experiment, base, Vec::new()) {
        Ok(_) => Some(true),
        Err(error) => {
            assert!(!Failure::from(error).render().is_empty());
            Some(false)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        survive(&text);
    }

    #[test]
    fn no_mauled_experiment_panics(
        seed in 0usize..6,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..PIECES.len(), 0u8..3), 1..4),
    ) {
        let mut text = seeds()[seed].clone();
        for (index, piece, action) in cuts {
            let words = words(&text);
            let (start, end) = words[index.index(words.len())];
            match action {
                0 => text.replace_range(start..end, PIECES[piece]),
                1 => text.replace_range(start..end, ""),
                _ => text.insert_str(end, PIECES[piece]),
            }
        }
        survive(&text);
    }
}

/// Each scalar of a sound experiment in turn is exchanged for each piece: the plan sees every field out of range.
#[test]
fn no_field_out_of_range_panics() {
    let (mut planned, mut refused, mut unread) = (0, 0, 0);
    let text = fs::read_to_string(folder().join("../experiments/explicit-painted.json")).unwrap();
    for (start, end) in words(&text) {
        let word = &text[start..end];
        let number = word.parse::<f64>().is_ok();
        for piece in ["-1", "1e308", "1e-320", "7"] {
            if number {
                let mauled = format!("{}{piece}{}", &text[..start], &text[end..]);
                match survive(&mauled) {
                    Some(true) => planned += 1,
                    Some(false) => refused += 1,
                    None => unread += 1,
                }
            }
        }
    }
    println!("{planned} planned, {refused} refused by the plan, {unread} by the format");
    assert!(planned > 20 && refused > 20 && unread > 20);
}
