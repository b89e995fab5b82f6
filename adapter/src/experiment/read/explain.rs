//! What serde says about a text, in the words of the people who wrote the text.

use serde::de::IgnoredAny;

use super::{JsonCode, JsonError, closest};

/// Deepest nesting that serde_json reads; deeper texts would exhaust the stack.
const DEEPEST: &str = "127";

pub(super) fn explain(text: &str, path: &str, error: &serde_json::Error) -> JsonError {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let said = said.strip_suffix(&place).unwrap_or(&said);
    let (code, message, help) = judge(text, said, error);
    JsonError {
        code,
        line: error.line().max(1),
        column: error.column().max(1),
        path: shorten(path),
        message,
        help,
    }
}

fn judge(text: &str, said: &str, error: &serde_json::Error) -> (JsonCode, String, String) {
    if error.is_eof() {
        let help = "complete it; brackets, braces and quotes must close";
        return (JsonCode::Truncated, "the text ends early".into(), help.into());
    }
    if said == "recursion limit exceeded" {
        let help = format!("simplify it; at most {DEEPEST} brackets may be open at once");
        return (JsonCode::TooDeep, "the nesting is too deep".into(), help);
    }
    if said == "number out of range" {
        let help = "write a number below 1.8e308".into();
        return (JsonCode::WrongType, "the number is out of range".into(), help);
    }
    if error.is_syntax() {
        // Serde ends an enum after its first key and then misses the brace, though the JSON is sound.
        if serde_json::from_str::<IgnoredAny>(text).is_ok() {
            let help = "keep one of its keys".into();
            return (JsonCode::WrongType, "this object may have one key only".into(), help);
        }
        let help =
            "correct the JSON here; a comma too many or missing is the usual cause, and comments are not allowed";
        return (JsonCode::Syntax, format!("this is not JSON: {said}"), help.into());
    }
    let mut quoted = said.split('`').skip(1).step_by(2);
    let name = quoted.next().unwrap_or_default();
    if said.starts_with("unknown field") {
        let message = format!("no key `{name}` here");
        return (JsonCode::UnknownKey, message, suggest(name, quoted, "key"));
    }
    if said.starts_with("unknown variant") {
        let message = format!("there is no `{name}` to choose here");
        return (JsonCode::UnknownVariant, message, suggest(name, quoted, "name"));
    }
    if said.starts_with("missing field") {
        let help = "add it; experiment.schema.json describes the format";
        return (
            JsonCode::MissingKey,
            format!("the key `{name}` is missing"),
            help.into(),
        );
    }
    if said.starts_with("duplicate field") {
        let message = format!("the key `{name}` stands here twice");
        return (JsonCode::DuplicateKey, message, "keep one of the two".into());
    }
    let help = "experiment.schema.json describes what may stand here";
    (JsonCode::WrongType, mismatch(said), help.into())
}

/// "did you mean", or everything that there is.
fn suggest<'a>(found: &str, known: impl Iterator<Item = &'a str>, what: &str) -> String {
    let known: Vec<&str> = known.collect();
    match closest(found, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => format!("remove the {what}"),
        None => format!("use one of: {}", known.join(", ")),
    }
}

/// `invalid type: string "20", expected f64` in plain words.
fn mismatch(said: &str) -> String {
    let Some((found, expected)) = said.rsplit_once(", expected ") else {
        return said.to_owned();
    };
    let found = ["invalid type: ", "invalid value: ", "invalid "]
        .iter()
        .find_map(|start| found.strip_prefix(start))
        .unwrap_or(found);
    let found = match found.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("length", n)) => format!("a list of {n}"),
        _ if found.contains('`') => found.split('`').nth(1).unwrap_or(found).to_owned(),
        _ => match found {
            "sequence" => "a list".into(),
            "map" => "an object".into(),
            "unit variant" => "the bare name".into(),
            other => other.into(),
        },
    };
    let expected = match expected {
        "f64" => "a number",
        "usize" | "u32" | "u64" => "a whole number, 0 or more",
        "i32" | "i64" => "a whole number",
        "a string" => "a text in quotes",
        "path string" => "the name of a file in quotes",
        "a sequence" => "a list",
        "a map" => "an object",
        "an array of length 2" => "a list of 2",
        "an array of length 4" => "a list of 4",
        "unit variant" => "the bare name",
        "string or map" => "a name, or an object with one key",
        "newtype variant" | "struct variant" | "tuple variant" => "an object with this name as its key",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("expected {expected}, found {found}")
}

/// Without the question mark of a place that serde never reached, and without the middle of a very long one.
fn shorten(path: &str) -> String {
    const LONGEST: usize = 80;
    let path = path.trim_end_matches('?').trim_end_matches('.');
    if path.chars().count() <= LONGEST {
        return path.to_owned();
    }
    let start: String = path.chars().take(LONGEST).collect();
    format!("{start}…")
}
