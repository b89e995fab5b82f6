//! Why an experiment cannot be made concrete.

use std::path::PathBuf;

use compiler::{CompileError, Source};
use host_shim::{GeometryError, SwcError};

use crate::control::TransformError;
use crate::experiment::read::JsonError;

/// A defect of an experiment or of a file it names. `place` is a path into the experiment, `cells[0].paint[1]`.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is not UTF-8.
    #[error("{} is not UTF-8 text; save it as UTF-8", path.display())]
    Encoding {
        /// Which.
        path: PathBuf,
    },
    /// The experiment's text is malformed.
    #[error("{}:{defect}", path.display())]
    Experiment {
        /// The file.
        path: PathBuf,
        /// The defect; its text follows the path, so it is no cause of its own.
        defect: JsonError,
    },
    /// The mechanisms were rejected.
    #[error("the mechanisms do not compile")]
    Compile {
        /// Their texts, for rendering.
        sources: Vec<Source>,
        /// The reason.
        source: CompileError,
    },
    /// An SWC file is malformed.
    #[error("{} is not a valid morphology", path.display())]
    Swc {
        /// Which.
        path: PathBuf,
        /// The defect.
        source: SwcError,
    },
    /// A shape, region, location or property is not valid.
    #[error("{place} is not valid")]
    Geometry {
        /// Where in the experiment.
        place: String,
        /// The defect.
        source: GeometryError,
    },
    /// The experiment's name cannot be part of a file name.
    #[error("name is `{name}`, but must be made of letters, digits, `_`, `-` and `.`, and not begin with `.`")]
    BadName {
        /// The name.
        name: String,
    },
    /// A number is out of range.
    #[error("{place} is {value}, but must be {rule}")]
    Value {
        /// Where in the experiment.
        place: String,
        /// The number.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A name that means nothing here.
    #[error("{place} names {what} `{name}`, which does not exist; {}", hint(name, known))]
    Unknown {
        /// Where in the experiment.
        place: String,
        /// What kind of thing.
        what: &'static str,
        /// The name.
        name: String,
        /// What exists.
        known: Vec<String>,
    },
    /// A name used twice.
    #[error("{place} uses the name of {what} `{name}` a second time; rename one, or leave it out")]
    Duplicate {
        /// Where in the experiment.
        place: String,
        /// What kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A segment that starts nowhere.
    #[error("{place} has neither `parent` nor `prox`; give it one of them")]
    LooseSegment {
        /// Where in the experiment.
        place: String,
    },
    /// An ion without defaults that is not fully described.
    #[error("{place} has no `{field}`; set it, for only na, k and ca have defaults")]
    IncompleteIon {
        /// Where in the experiment.
        place: String,
        /// What is missing.
        field: &'static str,
    },
    /// A named region that is defined by itself.
    #[error("{place}: region `{name}` is defined by itself; break the circle")]
    CircularRegion {
        /// Where in the experiment.
        place: String,
        /// The region.
        name: String,
    },
    /// A paint that paints nothing.
    #[error("{place} paints neither a mechanism nor properties; add `mechanism` or `properties`")]
    EmptyPaint {
        /// Where in the experiment.
        place: String,
    },
    /// One mechanism painted twice at the same place.
    #[error("{place} paints `{mechanism}` where {earlier} has painted it already; give them disjoint regions")]
    Overlap {
        /// Where in the experiment.
        place: String,
        /// Which paint came first.
        earlier: String,
        /// The mechanism.
        mechanism: String,
    },
    /// A parameter without default that nothing sets.
    #[error("{place}: parameter `{parameter}` of `{mechanism}` has no default; set it")]
    Unset {
        /// Where in the experiment.
        place: String,
        /// The mechanism.
        mechanism: String,
        /// The parameter.
        parameter: String,
    },
    /// A GLOBAL parameter with different values on one cell.
    #[error(
        "{place} sets `{parameter}` of `{mechanism}`, not RANGE, to a second value on one cell; set one, or make it RANGE"
    )]
    GlobalTwice {
        /// Where in the experiment.
        place: String,
        /// The mechanism.
        mechanism: String,
        /// The parameter.
        parameter: String,
    },
    /// Two slots move one parameter at one place.
    #[error(
        "{place}: slots `{first}` and `{second}` both move `{parameter}` of `{mechanism}`; give them disjoint regions"
    )]
    SharedParameter {
        /// Where in the experiment.
        place: String,
        /// One slot.
        first: String,
        /// The other.
        second: String,
        /// The mechanism.
        mechanism: String,
        /// The parameter.
        parameter: String,
    },
    /// A slot whose targets are painted nowhere.
    #[error("{place}: slot `{slot}` moves nothing; paint its mechanisms in its regions, or correct its targets")]
    UnreachedSlot {
        /// Where in the experiment.
        place: String,
        /// The slot.
        slot: String,
    },
    /// An absolute slot over different painted values.
    #[error("{place}: slot `{slot}` covers painted values {first} and {other}; give it a `value`, or make it relative")]
    AmbiguousValue {
        /// Where in the experiment.
        place: String,
        /// The slot.
        slot: String,
        /// One painted value.
        first: f64,
        /// Another.
        other: f64,
    },
    /// A slot's value lies outside its transform.
    #[error("{place}: the value of slot `{slot}` does not fit its transform; change one of them")]
    Transform {
        /// Where in the experiment.
        place: String,
        /// The slot.
        slot: String,
        /// The reason.
        source: TransformError,
    },
    /// A group whose cells are not neighbours in the list.
    #[error(
        "{place}: cell `{cell}` is not beside the others of its group; list the cells of a group one after another"
    )]
    ScatteredGroup {
        /// Where in the experiment.
        place: String,
        /// The cell.
        cell: String,
    },
    /// A probe of a mechanism's variable outside the mechanism's region.
    #[error(
        "{place} asks for `{variable}` where `{mechanism}` is not painted; move the probe, or paint the mechanism there"
    )]
    UncoveredProbe {
        /// Where in the experiment.
        place: String,
        /// The variable.
        variable: String,
        /// The mechanism.
        mechanism: String,
    },
    /// A stimulus with both or neither of pulses and envelope, or with times that do not ascend.
    #[error("{place} needs either `pulses` that follow one another or an `envelope` of ascending times")]
    Stimulus {
        /// Where in the experiment.
        place: String,
    },
    /// Nothing to do.
    #[error("{place} is empty; add {what}")]
    Empty {
        /// Where in the experiment.
        place: &'static str,
        /// What is missing.
        what: &'static str,
    },
}

fn hint(name: &str, known: &[String]) -> String {
    match crate::experiment::read::closest(name, known.iter().map(String::as_str)) {
        Some(close) => format!("did you mean `{close}`?"),
        None if known.is_empty() => "there are none".into(),
        None => format!("there are: {}", known.join(", ")),
    }
}
