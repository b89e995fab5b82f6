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
    /// A name that means several things where one is needed.
    #[error("{place} names `{name}`, which are {count}; name one of them, as in `{name}[0]`")]
    Several {
        /// Where in the experiment.
        place: String,
        /// The name.
        name: String,
        /// How many it means.
        count: usize,
    },
    /// A mechanism of one kind where another kind is needed.
    #[error("{place}: `{mechanism}` is a {found}; {belongs}")]
    Kind {
        /// Where in the experiment.
        place: String,
        /// The mechanism.
        mechanism: String,
        /// What it is.
        found: &'static str,
        /// Where it belongs.
        belongs: &'static str,
    },
    /// A label that cannot be referred to.
    #[error("{place} has the label `{label}`, but must have one made of letters, digits, `_`, `-` and `.`")]
    BadLabel {
        /// Where in the experiment.
        place: String,
        /// The label.
        label: String,
    },
    /// A region without length, where places are to be drawn.
    #[error("{place} has no length, so no place can be drawn there; choose a region with length")]
    NoLength {
        /// Where in the experiment.
        place: String,
    },
    /// Of several keys, exactly one must be there.
    #[error("{place} needs exactly one of {fields}")]
    Choice {
        /// Where in the experiment.
        place: String,
        /// The keys.
        fields: &'static str,
    },
    /// Times of events that do not ascend.
    #[error("{place} must be finite, not negative, and ascend")]
    EventTimes {
        /// Where in the experiment.
        place: String,
    },
    /// One to one, with unequal numbers.
    #[error("{place} is `one_to_one`, but there are {sources} sources and {targets} targets; name as many of each")]
    Unequal {
        /// Where in the experiment.
        place: String,
        /// Sources.
        sources: usize,
        /// Targets.
        targets: usize,
    },
    /// More sources wanted than there are, or none.
    #[error("{place} is {indegree}, but must be at least 1 and at most {sources}, for so many sources can send there")]
    Indegree {
        /// Where in the experiment.
        place: String,
        /// What is wanted.
        indegree: usize,
        /// What there is.
        sources: usize,
    },
    /// A source cell whose detector is not unique.
    #[error("{place} is missing, and cell `{cell}` has {count} detectors; give it one, or name one by its label")]
    Detector {
        /// Where in the experiment.
        place: String,
        /// The cell.
        cell: String,
        /// How many it has.
        count: usize,
    },
    /// A gap junction of a cell with itself.
    #[error("{place} joins a cell to itself only; name two cells")]
    SelfJunction {
        /// Where in the experiment.
        place: String,
    },
    /// A reversal potential mechanism that is bound to other ions.
    #[error(
        "{place}: `{method}` does not compute the reversal potential of `{ion}`; bind its ion, as in `nernst/x={ion}`"
    )]
    OtherIon {
        /// Where in the experiment.
        place: String,
        /// The method.
        method: String,
        /// The ion.
        ion: String,
    },
    /// A slot that restricts a reversal potential mechanism to a part of the cell.
    #[error("{place}: `{mechanism}` has one set of parameters per cell; leave out `region` and `synapse`")]
    WholeCell {
        /// Where in the experiment.
        place: String,
        /// The mechanism.
        mechanism: String,
    },
    /// Something that online control cannot use.
    #[error("{place}: `{name}` is {why}")]
    Uncontrollable {
        /// Where in the experiment.
        place: String,
        /// What is named.
        name: String,
        /// What it is, and what to do.
        why: &'static str,
    },
    /// Nothing to do.
    #[error("{place} is empty; add {what}")]
    Empty {
        /// Where in the experiment.
        place: String,
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
