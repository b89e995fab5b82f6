//! The published JSON Schema is the format: it is current, it describes every field, it accepts every experiment of the
//! repository, and it refuses what the reader refuses.

#![expect(
    clippy::panic,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use graddiff::experiment::read::{JsonCode, parse, schema};
use serde_json::Value;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn experiments(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(repository().join(folder)).expect("a folder of experiments");
        files.extend(entries.map(|e| e.expect("a readable entry").path()));
    }
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    files.sort();
    files
}

fn published() -> Value {
    serde_json::from_str(&schema()).expect("a schema is JSON")
}

/// Where `value` breaks `schema`, by the rules of JSON Schema 2020-12 for the keywords that schemars writes. A keyword
/// that is not known here fails the test instead of passing unseen.
fn violations(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let rules = match schema {
        Value::Bool(true) => return Vec::new(),
        Value::Object(rules) => rules,
        other => panic!("{other} is no schema"),
    };
    let count = |branches: &Value| -> usize {
        let branches = branches.as_array().expect("a list of schemas");
        branches
            .iter()
            .filter(|s| violations(root, s, value, at).is_empty())
            .count()
    };
    let mut out = Vec::new();
    for (keyword, rule) in rules {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "$defs" => true,
            // A hint for programs; ranges that matter stand in `minimum`.
            "format" => true,
            "$ref" => {
                let pointer = rule
                    .as_str()
                    .and_then(|r| r.strip_prefix('#'))
                    .expect("a local reference");
                let target = root
                    .pointer(pointer)
                    .unwrap_or_else(|| panic!("{pointer} leads nowhere"));
                out.extend(violations(root, target, value, at));
                true
            }
            "type" => {
                let names: Vec<&Value> = rule.as_array().map_or(vec![rule], |list| list.iter().collect());
                names
                    .iter()
                    .any(|name| match name.as_str().expect("the name of a type") {
                        "object" => value.is_object(),
                        "array" => value.is_array(),
                        "string" => value.is_string(),
                        "number" => value.is_number(),
                        "integer" => value.is_i64() || value.is_u64(),
                        "boolean" => value.is_boolean(),
                        "null" => value.is_null(),
                        other => panic!("type {other}"),
                    })
            }
            "const" => value == rule,
            "enum" => rule.as_array().expect("a list").contains(value),
            "oneOf" => count(rule) == 1,
            "anyOf" => count(rule) >= 1,
            "minimum" => value.as_f64().is_none_or(|v| v >= rule.as_f64().expect("a number")),
            "minItems" => value
                .as_array()
                .is_none_or(|v| v.len() as u64 >= rule.as_u64().expect("a number")),
            "maxItems" => value
                .as_array()
                .is_none_or(|v| v.len() as u64 <= rule.as_u64().expect("a number")),
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    out.extend(violations(root, rule, item, &format!("{at}[{i}]")));
                }
                true
            }
            "properties" => {
                for (key, inner) in rule.as_object().expect("schemas by key") {
                    if let Some(field) = value.get(key) {
                        out.extend(violations(root, inner, field, &format!("{at}.{key}")));
                    }
                }
                true
            }
            "required" => {
                let keys = rule.as_array().expect("a list of keys");
                !value.is_object() || keys.iter().all(|k| value.get(k.as_str().expect("a key")).is_some())
            }
            "additionalProperties" => {
                for (key, field) in value.as_object().into_iter().flatten() {
                    let known = rules.get("properties").is_some_and(|p| p.get(key).is_some());
                    match rule {
                        _ if known => {}
                        Value::Bool(false) => out.push(format!("{at}.{key} is unknown")),
                        inner => out.extend(violations(root, inner, field, &format!("{at}.{key}"))),
                    }
                }
                true
            }
            other => panic!("the check does not know the keyword {other}"),
        };
        if !holds {
            out.push(format!("{at} breaks {keyword}: {rule}"));
        }
    }
    out
}

#[test]
fn the_published_schema_is_current() {
    expect_file![repository().join("adapter/schema/experiment.schema.json")].assert_eq(&schema());
}

#[test]
fn every_experiment_is_valid_and_names_its_schema() {
    let root = published();
    let files = experiments(&["examples", "tests/experiments"]);
    assert!(files.len() >= 16, "only {} experiments found", files.len());
    for file in files {
        let value: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let broken = violations(&root, &root, &value, "");
        assert!(broken.is_empty(), "{}: {broken:#?}", file.display());
        let link = value["$schema"]
            .as_str()
            .unwrap_or_else(|| panic!("{} names no schema", file.display()));
        assert!(
            file.with_file_name(link).exists(),
            "{}: {link} does not exist",
            file.display()
        );
    }
}

/// The reader and the schema agree on every fixture that is JSON at all; what only the plan can know passes both.
#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let root = published();
    let (mut both, mut neither) = (0, 0);
    for file in experiments(&["tests/reject_json"]) {
        let Ok(text) = fs::read_to_string(&file) else {
            continue; // not UTF-8, on purpose
        };
        let read = parse(&text);
        // Keys that stand twice, and depth, are beyond what a schema can say.
        let beyond = [
            JsonCode::Syntax,
            JsonCode::Truncated,
            JsonCode::DuplicateKey,
            JsonCode::TooDeep,
        ];
        if read.as_ref().is_err_and(|e| beyond.contains(&e.code)) {
            continue;
        }
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            continue; // a number that no double holds
        };
        let broken = violations(&root, &root, &value, "");
        assert_eq!(
            read.is_ok(),
            broken.is_empty(),
            "{}: {read:?} {broken:?}",
            file.display()
        );
        *if read.is_ok() { &mut neither } else { &mut both } += 1;
    }
    assert!(both >= 10 && neither >= 30, "{both} refused, {neither} accepted");
}

/// Objects and choices without a sentence of their own.
fn undescribed(schema: &Value, at: &str, out: &mut Vec<String>) {
    let described = |s: &Value| s.get("description").is_some();
    for (key, field) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let here = format!("{at}.{key}");
        // The one key of a choice is described by the choice.
        let choice = described(schema) && schema["properties"].as_object().is_some_and(|p| p.len() == 1);
        if !described(field) && !choice {
            out.push(here.clone());
        }
        undescribed(field, &here, out);
    }
    for keyword in ["oneOf", "anyOf"] {
        for (i, branch) in schema
            .get(keyword)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            let here = format!("{at}.{keyword}[{i}]");
            if keyword == "oneOf" && !described(branch) {
                out.push(here.clone());
            }
            undescribed(branch, &here, out);
        }
    }
    for (name, definition) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
        if !described(definition) {
            out.push(name.clone());
        }
        undescribed(definition, name, out);
    }
}

#[test]
fn everything_is_described() {
    let mut root = published();
    let mut out = Vec::new();
    undescribed(&root, "", &mut out);
    assert!(out.is_empty(), "without description: {out:#?}");

    // The search finds what is there to be found, at the top and inside a choice.
    for place in [
        "/properties/probes",
        "/$defs/Morphology/oneOf/2/properties/cylinder/properties/length_um",
    ] {
        let field = root.pointer_mut(place).and_then(Value::as_object_mut);
        field
            .and_then(|f| f.remove("description"))
            .unwrap_or_else(|| panic!("{place} is gone"));
    }
    undescribed(&root, "", &mut out);
    assert_eq!(out.len(), 2, "{out:?}");
}
