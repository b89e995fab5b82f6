//! Experiment text to [`Experiment`], or a message that says where and what instead.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::{Experiment, Region, RegionExpr};

/// Kinds of defects of an experiment's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonCode {
    /// Not JSON.
    Syntax,
    /// The text ends early.
    Truncated,
    /// A key that the format does not have.
    UnknownKey,
    /// A variant that the format does not have.
    UnknownVariant,
    /// A key that must be there.
    MissingKey,
    /// The same key twice.
    DuplicateKey,
    /// A value of the wrong type or range.
    WrongType,
}

impl JsonCode {
    /// All codes.
    pub const ALL: [JsonCode; 7] = [
        JsonCode::Syntax,
        JsonCode::Truncated,
        JsonCode::UnknownKey,
        JsonCode::UnknownVariant,
        JsonCode::MissingKey,
        JsonCode::DuplicateKey,
        JsonCode::WrongType,
    ];

    /// The kebab-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            JsonCode::Syntax => "json-syntax",
            JsonCode::Truncated => "json-truncated",
            JsonCode::UnknownKey => "unknown-key",
            JsonCode::UnknownVariant => "unknown-variant",
            JsonCode::MissingKey => "missing-key",
            JsonCode::DuplicateKey => "duplicate-key",
            JsonCode::WrongType => "wrong-type",
        }
    }
}

/// A defect of an experiment's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// Which kind.
    pub code: JsonCode,
    /// One-based line.
    pub line: usize,
    /// One-based column.
    pub column: usize,
    /// Where in the structure: `cells[0].paint[1]`.
    pub path: String,
    /// The fact.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {} [{}]",
            self.line,
            self.column,
            self.message,
            self.code.as_str()
        )?;
        if !self.path.is_empty() && self.path != "." {
            write!(f, " at {}", self.path)?;
        }
        write!(f, "; {}", self.help)
    }
}

impl std::error::Error for JsonError {}

/// Reads an experiment.
///
/// # Errors
/// The first defect of the text.
pub fn parse(text: &str) -> Result<Experiment, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let experiment =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|e| explain(&e.path().to_string(), e.inner()))?;
    deserializer.end().map_err(|e| explain("", &e))?;
    Ok(experiment)
}

fn explain(path: &str, error: &serde_json::Error) -> JsonError {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text).to_string();
    let (code, help) = if error.is_eof() {
        (
            JsonCode::Truncated,
            "complete the file; brackets and braces must close".into(),
        )
    } else if error.is_syntax() {
        (
            JsonCode::Syntax,
            "correct the JSON at this place (a comma too many or missing is the usual cause)".into(),
        )
    } else if message.starts_with("unknown field") {
        (JsonCode::UnknownKey, suggest(&message, "key"))
    } else if message.starts_with("unknown variant") {
        (JsonCode::UnknownVariant, suggest(&message, "name"))
    } else if message.starts_with("missing field") {
        (
            JsonCode::MissingKey,
            "add it; the format is described by experiment.schema.json".into(),
        )
    } else if message.starts_with("duplicate field") {
        (JsonCode::DuplicateKey, "keep one of the two".into())
    } else {
        (
            JsonCode::WrongType,
            "see experiment.schema.json for what may stand here".into(),
        )
    };
    JsonError {
        code,
        line: error.line().max(1),
        column: error.column().max(1),
        path: path.to_string(),
        message,
        help,
    }
}

/// "did you mean" from serde's own list of what it expected: the names between backticks, the first being the culprit.
fn suggest(message: &str, what: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(found) = quoted.next() else {
        return format!("remove the {what}");
    };
    let known: Vec<&str> = quoted.collect();
    match closest(found, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => format!("remove the {what}"),
        None => format!("use one of: {}", known.join(", ")),
    }
}

/// The most similar of some names, if one is similar at all.
pub fn closest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A string is a name, an object an expression; written by hand because serde's untagged enums lose the position.
impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RegionVisitor;
        impl<'de> Visitor<'de> for RegionVisitor {
            type Value = Region;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a region, or an object such as {\"tag\": 1}")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Region, E> {
                Ok(Region::Named(name.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Region, A::Error> {
                RegionExpr::deserialize(MapAccessDeserializer::new(map)).map(Region::Expr)
            }
        }
        deserializer.deserialize_any(RegionVisitor)
    }
}

/// The JSON Schema of the format, as text.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Experiment);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
