//! What can be wrong with a cell's geometry, as data.
//!
//! [`SwcError`] is about a text and names line and column; [`GeometryError`] is about a tree, a region or a discretisation
//! and names branch and position.

use crate::morphology::{Cable, Location};

/// A defect of an SWC text. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SwcError {
    /// No sample at all.
    #[error("no sample in the SWC text; it needs lines of `id tag x y z radius parent`")]
    Empty,
    /// A line ends before the seventh column.
    #[error(
        "line {line}, column {column}: `{field}` is missing after {found} of 7 columns; write `id tag x y z radius parent`"
    )]
    MissingColumn {
        /// Line.
        line: usize,
        /// Where the column should have started.
        column: usize,
        /// The first missing column's name.
        field: &'static str,
        /// How many columns the line has.
        found: usize,
    },
    /// A column that is not a number of its kind.
    #[error("line {line}, column {column}: `{text}` is not a valid {field}; write {expected}")]
    BadNumber {
        /// Line.
        line: usize,
        /// Column of the text's first character.
        column: usize,
        /// The column's name.
        field: &'static str,
        /// What stands there.
        text: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// NaN, an infinity, or a number too large for the geometry to stay finite.
    #[error("line {line}, column {column}: {field} `{text}` is not finite or exceeds 1e9 um; give it in um")]
    NotFinite {
        /// Line.
        line: usize,
        /// Column of the text's first character.
        column: usize,
        /// The column's name.
        field: &'static str,
        /// What stands there.
        text: String,
    },
    /// A radius of zero or less.
    #[error("line {line}, column {column}: radius {radius_um} um is not positive; measure it or interpolate")]
    NonPositiveRadius {
        /// Line.
        line: usize,
        /// Column of the radius.
        column: usize,
        /// The radius.
        radius_um: f64,
    },
    /// A sample id below zero.
    #[error("line {line}, column {column}: sample id {id} is negative; number the samples from 1")]
    NegativeId {
        /// Line.
        line: usize,
        /// Column of the id.
        column: usize,
        /// The id.
        id: i64,
    },
    /// An id that an earlier line has.
    #[error("line {line}: sample id {id} is already used on line {first_line}; renumber one of them")]
    DuplicateId {
        /// Line of the second use.
        line: usize,
        /// The id.
        id: i64,
        /// Line of the first use.
        first_line: usize,
    },
    /// A parent that no line defines.
    #[error(
        "line {line}, column {column}: sample {id} names parent {parent}, which does not exist; use -1 for the root"
    )]
    UnknownParent {
        /// Line.
        line: usize,
        /// Column of the parent.
        column: usize,
        /// The sample.
        id: i64,
        /// The parent it names.
        parent: i64,
    },
    /// More than one sample without parent.
    #[error(
        "line {line}: sample {id} is a second root (the first is {first_id} on line {first_line}); give it a parent"
    )]
    SeveralRoots {
        /// Line of the second root.
        line: usize,
        /// The second root.
        id: i64,
        /// Line of the first root.
        first_line: usize,
        /// The first root.
        first_id: i64,
    },
    /// Samples that are their own ancestors.
    #[error("line {line}: sample {id} is its own ancestor; correct the parents along the cycle")]
    Cycle {
        /// Line of the cycle's lowest-numbered sample.
        line: usize,
        /// The cycle's lowest-numbered sample.
        id: i64,
    },
    /// A parent id not below the sample's id, as Arbor demands.
    #[error(
        "line {line}, column {column}: sample {id} has the later sample {parent} as parent; renumber from the root"
    )]
    ParentAfterChild {
        /// Line.
        line: usize,
        /// Column of the parent.
        column: usize,
        /// The sample.
        id: i64,
        /// Its parent.
        parent: i64,
    },
    /// One sample only: a point has no axis (Arbor's reading).
    #[error("line {line}: a single sample makes no segment; add a second one, or read the file as NEURON does")]
    SingleSample {
        /// Line.
        line: usize,
    },
    /// The root sample has no child of its own tag (Arbor's reading), so it would be a sphere.
    #[error(
        "line {line}: root sample {id} (tag {tag}) has no child of the same tag, so it is a sphere; add a sample to the soma, or read the file as NEURON does"
    )]
    SphericalSoma {
        /// Line.
        line: usize,
        /// The root sample.
        id: i64,
        /// Its tag.
        tag: i32,
    },
    /// A tag other than 1 to 4 (NEURON's reading).
    #[error("line {line}: tag {tag} of sample {id} is not soma 1, axon 2, dendrite 3 or apical 4; retag it")]
    UnsupportedTag {
        /// Line.
        line: usize,
        /// The sample.
        id: i64,
        /// Its tag.
        tag: i32,
    },
    /// The tag changes away from the soma (NEURON's reading).
    #[error("line {line}: sample {id} has tag {tag}, its parent {parent_tag}; only children of the soma may differ")]
    MismatchedTags {
        /// Line.
        line: usize,
        /// The sample.
        id: i64,
        /// Its tag.
        tag: i32,
        /// Its parent's tag.
        parent_tag: i32,
    },
}

/// A defect of a morphology, region, painting or discretisation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// A morphology without segments.
    #[error("the morphology has no segments; append at least one")]
    EmptyMorphology,
    /// A segment whose parent does not precede it.
    #[error("segment {segment} names parent {parent}, which does not precede it; append parents first")]
    UnknownSegmentParent {
        /// The segment.
        segment: usize,
        /// The parent it names.
        parent: usize,
    },
    /// A coordinate or radius that is not finite, a negative radius, or a size above 1e9 um.
    #[error("segment {segment}: {field} = {value} um; coordinates must be finite and within 1e9 um, radii also >= 0")]
    BadPoint {
        /// The segment.
        segment: usize,
        /// Which number.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// A branch that does not exist.
    #[error("branch {branch} does not exist; the morphology has branches 0 to {}", .n_branches - 1)]
    NoSuchBranch {
        /// The branch.
        branch: usize,
        /// How many there are.
        n_branches: usize,
    },
    /// A segment that does not exist.
    #[error("segment {segment} does not exist; the morphology has segments 0 to {}", .n_segments - 1)]
    NoSuchSegment {
        /// The segment.
        segment: usize,
        /// How many there are.
        n_segments: usize,
    },
    /// A position outside [0, 1], or NaN.
    #[error("position {} on branch {} is not within 0 to 1", .at.pos, .at.branch)]
    BadLocation {
        /// The location.
        at: Location,
    },
    /// A cable that ends before it begins, leaves [0, 1], or has a NaN end.
    #[error("cable {cable} needs 0 <= prox <= dist <= 1")]
    BadCable {
        /// The cable.
        cable: Cable,
    },
    /// A distance or radius in a region expression that makes no sense there.
    #[error("region {region}: {value} um is not a valid bound")]
    BadBound {
        /// Which kind of region.
        region: &'static str,
        /// The bound.
        value: f64,
    },
    /// A CV policy with no CVs per branch, or an extent that is not positive.
    #[error("CV policy {policy} cannot take {value}; it must be positive{}", if *.value > 0.0 { " and make at most 10^8 CVs" } else { "" })]
    BadPolicy {
        /// Which policy.
        policy: &'static str,
        /// Its argument.
        value: f64,
    },
    /// A property painted twice on the same stretch.
    #[error("{property} is painted twice: {new} overlaps {old}; split the regions")]
    PaintOverlap {
        /// Which property.
        property: &'static str,
        /// What was painted first.
        old: Cable,
        /// What overlaps it.
        new: Cable,
    },
    /// A property value outside its range.
    #[error("{property} cannot be {value}; it must be finite{}", if *.positive { " and positive" } else { "" })]
    BadProperty {
        /// Which property.
        property: &'static str,
        /// The value.
        value: f64,
        /// Whether it must be positive.
        positive: bool,
    },
    /// A face between CVs with no finite, positive conductance: zero length or zero radius along the span.
    #[error(
        "the stretch {span} between CV {cv} and its parent has resistance integral {ixa_rl}: zero length or radius; remove it or move the CV boundaries"
    )]
    BadFace {
        /// The child CV.
        cv: usize,
        /// The stretch between the two reference points.
        span: Cable,
        /// Its integral of rL/(pi r^2), Ohm cm/um.
        ixa_rl: f64,
    },
    /// A CV without area whose parent CV has none either: the carrier keeps one virtual node per fork.
    #[error("CVs {parent} and {cv} at {at} have no area, one after the other; move the CV boundaries apart")]
    ChainedZeroArea {
        /// The child.
        cv: usize,
        /// Its parent.
        parent: usize,
        /// Where the child begins.
        at: Location,
    },
    /// No CV has any area.
    #[error("no CV has any membrane area; check the radii")]
    NoArea,
}
