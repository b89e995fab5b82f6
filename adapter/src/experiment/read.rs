//! Experiment text to [`Experiment`], or a message that says where and what instead.

mod choices;
mod explain;

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Experiment;

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
    /// More brackets inside one another than a reader can follow.
    TooDeep,
}

impl JsonCode {
    /// All codes.
    pub const ALL: [JsonCode; 8] = [
        JsonCode::Syntax,
        JsonCode::Truncated,
        JsonCode::UnknownKey,
        JsonCode::UnknownVariant,
        JsonCode::MissingKey,
        JsonCode::DuplicateKey,
        JsonCode::WrongType,
        JsonCode::TooDeep,
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
            JsonCode::TooDeep => "too-deep",
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
        if !self.path.is_empty() {
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
    let experiment = read(text)?;
    // A map keeps the last of two equal keys and says nothing, so that a parameter would silently lose its value.
    read::<Distinct>(text)?;
    Ok(experiment)
}

fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|e| explain::explain(text, &e.path().to_string(), e.inner()))?;
    deserializer.end().map_err(|e| explain::explain(text, "", &e))?;
    Ok(value)
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

/// Any JSON in which no object has a key twice.
struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DistinctVisitor;
        impl<'de> Visitor<'de> for DistinctVisitor {
            type Value = Distinct;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_str<E>(self, _: &str) -> Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_unit<E>(self) -> Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Distinct, A::Error> {
                while list.next_element::<Distinct>()?.is_some() {}
                Ok(Distinct)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Distinct, A::Error> {
                let mut seen = BTreeSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    if seen.contains(&key) {
                        return Err(de::Error::custom(format_args!("duplicate field `{key}`")));
                    }
                    map.next_value::<Distinct>()?;
                    seen.insert(key);
                }
                Ok(Distinct)
            }
        }
        deserializer.deserialize_any(DistinctVisitor)
    }
}

/// The JSON Schema of the format, as text.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Experiment);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
