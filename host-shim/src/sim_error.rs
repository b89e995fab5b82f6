//! Why a simulation cannot be built or run. One variant per defect, with the offending values.

use thiserror::Error;

use crate::catalogue::MechanismKind;
use crate::error::GeometryError;
use crate::morphology::{Cable, Location};

/// An entry of a [`crate::Network`], by its position in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// Of `connections`.
    Connection(usize),
    /// Of `gap_junctions`.
    GapJunction(usize),
    /// Of `generators`.
    Generator(usize),
}

impl std::fmt::Display for Joint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection(k) => write!(f, "connection {k}"),
            Self::GapJunction(k) => write!(f, "gap junction {k}"),
            Self::Generator(k) => write!(f, "generator {k}"),
        }
    }
}

/// Defects of a cell description, a request, or of the solution itself.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimError {
    /// The cell's shape, policy or properties.
    #[error("cell {cell}: {source}")]
    Geometry {
        /// The cell.
        cell: usize,
        /// The defect.
        source: GeometryError,
    },
    /// No catalogue has that mechanism.
    #[error("cell {cell}: no catalogue holds a mechanism `{mechanism}`")]
    UnknownMechanism {
        /// The cell.
        cell: usize,
        /// Name painted.
        mechanism: String,
    },
    /// Two catalogues define the same mechanism.
    #[error("mechanism `{mechanism}` is in more than one of the catalogues")]
    AmbiguousMechanism {
        /// The name.
        mechanism: String,
    },
    /// A mechanism used as what it is not.
    #[error("cell {cell}: `{mechanism}` is a {found}, used as a {expected}")]
    Kind {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// What it is.
        found: MechanismKind,
        /// What it is used as.
        expected: MechanismKind,
    },
    /// A derived name whose part after the slash cannot be read.
    #[error("cell {cell}: `{assignment}` in `{mechanism}` is neither global=number nor ion=ion")]
    DerivedName {
        /// The cell.
        cell: usize,
        /// Name painted.
        mechanism: String,
        /// The offending part.
        assignment: String,
    },
    /// A derived name that gives two of a mechanism's ions the same name.
    #[error("cell {cell}: `{mechanism}` uses ion `{ion}` in two roles")]
    IonBoundTwice {
        /// The cell.
        cell: usize,
        /// Name painted.
        mechanism: String,
        /// The ion.
        ion: String,
    },
    /// No such global.
    #[error("cell {cell}: mechanism `{mechanism}` has no global `{global}`")]
    UnknownGlobal {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// Name asked for.
        global: String,
    },
    /// A global outside the range that the mechanism declares.
    #[error("cell {cell}: global `{global}` of `{mechanism}` is {value}, admissible is [{low}, {high}]")]
    GlobalRange {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The global.
        global: String,
        /// Value asked for.
        value: f64,
        /// Lowest admissible value.
        low: f64,
        /// Highest admissible value.
        high: f64,
    },
    /// Globals given for a mechanism that is not painted on the cell.
    #[error("cell {cell}: globals are given for `{mechanism}`, which is not painted there")]
    UnusedGlobals {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
    },
    /// No such parameter.
    #[error("cell {cell}: mechanism `{mechanism}` has no RANGE parameter `{parameter}`{}", if *.is_global { " (it is a global)" } else { "" })]
    UnknownParameter {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// Name asked for.
        parameter: String,
        /// A global has that name.
        is_global: bool,
    },
    /// A parameter that is infinite or NaN.
    #[error("cell {cell}: parameter `{parameter}` of `{mechanism}` is {value}")]
    BadParameter {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The parameter.
        parameter: String,
        /// Value given.
        value: f64,
    },
    /// A parameter without default that nobody sets.
    #[error("cell {cell}: parameter `{parameter}` of `{mechanism}` has no default and is not set{}", .cable.map(|c| format!(" on {c}")).unwrap_or_default())]
    UnsetParameter {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The parameter.
        parameter: String,
        /// Where, for a mechanism that has a place.
        cable: Option<Cable>,
    },
    /// Two voltage processes in the same place.
    #[error("cell {cell}: voltage processes on {first} and {second} overlap")]
    OverlappingVoltage {
        /// The cell.
        cell: usize,
        /// One of the cables.
        first: Cable,
        /// The other.
        second: Cable,
    },
    /// A point process or junction where there is no membrane.
    #[error("cell {cell}: `{mechanism}` at {at} lies on a CV without membrane")]
    NoMembrane {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The place.
        at: Location,
    },
    /// One mechanism painted twice over the same place.
    #[error("cell {cell}: `{mechanism}` is painted on {first} and again on {second}, which overlap")]
    OverlappingPaint {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// One of the cables.
        first: Cable,
        /// The other.
        second: Cable,
    },
    /// Two mechanisms write the same concentration in the same place.
    #[error("cell {cell}: more than one mechanism writes the {side} concentration of `{ion}` on {first} and {second}")]
    OverlappingWriters {
        /// The cell.
        cell: usize,
        /// The ion.
        ion: String,
        /// `internal` or `external`.
        side: &'static str,
        /// One of the cables.
        first: Cable,
        /// The other.
        second: Cable,
    },
    /// A mechanism uses an ion that the cell does not declare.
    #[error("cell {cell}: mechanism `{mechanism}` uses ion `{ion}`, which the cell does not declare")]
    UnknownIon {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The ion.
        ion: String,
    },
    /// An ion property that is not finite, or a negative concentration.
    #[error("cell {cell}: {what} of ion `{ion}` is {value}")]
    BadIon {
        /// The cell.
        cell: usize,
        /// The ion.
        ion: String,
        /// Which property.
        what: &'static str,
        /// Value given.
        value: f64,
    },
    /// A mechanism insists on another valence.
    #[error("cell {cell}: mechanism `{mechanism}` expects valence {expected} of ion `{ion}`, it is {found}")]
    Valence {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The ion.
        ion: String,
        /// Valence declared by the cell.
        found: i32,
        /// Valence wanted.
        expected: i32,
    },
    /// A mechanism uses the diffusive concentration of an ion without diffusivity.
    #[error("cell {cell}: mechanism `{mechanism}` uses the diffusive concentration of `{ion}`, which does not diffuse")]
    NotDiffusive {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The ion.
        ion: String,
    },
    /// A mechanism uses an ion in a place where no density mechanism or point process uses it. Voltage processes, gap
    /// junctions and reversal potential mechanisms give an ion no place of its own.
    #[error("cell {cell}: mechanism `{mechanism}` uses ion `{ion}` on CV {cv}, where the ion has no record")]
    IonAbsent {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The ion.
        ion: String,
        /// CV of the cell.
        cv: usize,
    },
    /// A reversal potential mechanism that does not do what it is named for.
    #[error("cell {cell}: reversal potential method `{mechanism}` of ion `{ion}` {what}")]
    Reversal {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The ion.
        ion: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Cells of one group disagree about an ion's valence.
    #[error("cell {cell}: ion `{ion}` has valence {found}, another cell of its group says {expected}")]
    GroupValence {
        /// The cell.
        cell: usize,
        /// The ion.
        ion: String,
        /// Valence here.
        found: i32,
        /// Valence there.
        expected: i32,
    },
    /// A clamp with times that do not ascend, or numbers that are not finite.
    #[error("cell {cell}: clamp {clamp} {what}")]
    Clamp {
        /// The cell.
        cell: usize,
        /// The clamp.
        clamp: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A detector whose threshold is not finite.
    #[error("cell {cell}: detector {detector} has threshold {threshold_mv} mV")]
    Threshold {
        /// The cell.
        cell: usize,
        /// The detector.
        detector: usize,
        /// Threshold given.
        threshold_mv: f64,
    },
    /// A schedule that makes no sense.
    #[error("schedule: {what}")]
    Schedule {
        /// What is wrong.
        what: &'static str,
    },
    /// A time step that is not positive and finite.
    #[error("time step {dt_ms} ms is not positive and finite")]
    TimeStep {
        /// Step asked for, ms.
        dt_ms: f64,
    },
    /// An end that is not finite, or lies in the past.
    #[error("cannot run to {t_end_ms} ms: time is {now_ms} ms")]
    EndTime {
        /// End asked for, ms.
        t_end_ms: f64,
        /// Present time, ms.
        now_ms: f64,
    },
    /// A step longer than an epoch.
    #[error("time step {dt_ms} ms exceeds {longest_ms} ms, half the least delay of the connections")]
    StepExceedsEpoch {
        /// Step asked for, ms.
        dt_ms: f64,
        /// Length of an epoch, ms.
        longest_ms: f64,
    },
    /// Epochs too short to be told apart at that time.
    #[error("half the least delay, {epoch_ms} ms, is below the rounding error of {t_end_ms} ms")]
    EpochTooShort {
        /// Length of an epoch, ms.
        epoch_ms: f64,
        /// End asked for, ms.
        t_end_ms: f64,
    },
    /// The network names a cell that does not exist.
    #[error("{joint}: there is no cell {cell}, there are {n_cells}")]
    NetworkCell {
        /// Where.
        joint: Joint,
        /// Cell named.
        cell: usize,
        /// Number of cells.
        n_cells: usize,
    },
    /// The network names a part that its cell does not have.
    #[error("{joint}: cell {cell} has no {kind} {index}, it has {n}")]
    NetworkEnd {
        /// Where.
        joint: Joint,
        /// The cell.
        cell: usize,
        /// `detector`, `target` or `junction site`.
        kind: &'static str,
        /// Part named.
        index: usize,
        /// Number of such parts.
        n: usize,
    },
    /// A weight that is not finite.
    #[error("{joint} has weight {weight}")]
    NetworkWeight {
        /// Where.
        joint: Joint,
        /// Weight given.
        weight: f64,
    },
    /// A delay that is not positive and finite.
    #[error("connection {connection} has delay {delay_ms} ms, which is not positive and finite")]
    Delay {
        /// The connection.
        connection: usize,
        /// Delay given, ms.
        delay_ms: f32,
    },
    /// A gap junction between cells that do not share a group, and so do not see each other's voltage.
    #[error("gap junction {junction} joins cells {local_cell} and {peer_cell}, which are in different groups")]
    JunctionAcrossGroups {
        /// The gap junction.
        junction: usize,
        /// Cell of its local side.
        local_cell: usize,
        /// Cell of its peer side.
        peer_cell: usize,
    },
    /// A generator whose times make no sense.
    #[error("generator {generator}: {what}")]
    GeneratorTimes {
        /// The generator.
        generator: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// No such target.
    #[error("cell {cell} has no target {target}, it has {n_targets}")]
    NoSuchTarget {
        /// The cell.
        cell: usize,
        /// Target asked for.
        target: usize,
        /// Number of targets.
        n_targets: usize,
    },
    /// No such cell.
    #[error("no cell {cell}: there are {n_cells}")]
    NoSuchCell {
        /// Cell asked for.
        cell: usize,
        /// Number of cells.
        n_cells: usize,
    },
    /// The mechanism is not on that cell.
    #[error("mechanism `{mechanism}` is not painted on cell {cell}")]
    NotPainted {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
    },
    /// No such state.
    #[error("mechanism `{mechanism}` has no state `{state}`")]
    UnknownState {
        /// The mechanism.
        mechanism: String,
        /// Name asked for.
        state: String,
    },
    /// A vector of the wrong length.
    #[error("parameter `{parameter}` of `{mechanism}` on cell {cell} has {expected} instances, {found} values given")]
    Length {
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The parameter.
        parameter: String,
        /// Values given.
        found: usize,
        /// Instances.
        expected: usize,
    },
    /// A probe of a mechanism that does not cover the place.
    #[error("probe {probe}: mechanism `{mechanism}` does not cover {at} of cell {cell}")]
    ProbeUncovered {
        /// Position in the list of probes.
        probe: usize,
        /// The cell.
        cell: usize,
        /// The mechanism.
        mechanism: String,
        /// The place.
        at: Location,
    },
    /// A probe of an ion that no mechanism uses there.
    #[error("probe {probe}: no mechanism uses ion `{ion}` on CV {cv} of cell {cell}")]
    ProbeIon {
        /// Position in the list of probes.
        probe: usize,
        /// The cell.
        cell: usize,
        /// The ion.
        ion: String,
        /// CV of the cell.
        cv: usize,
    },
    /// A probe weight that is not finite, or on a CV that the cell does not have.
    #[error("probe {probe}: weight {weight} on CV {cv} of cell {cell}, which has {n_cvs} CVs")]
    ProbeWeight {
        /// Position in the list of probes.
        probe: usize,
        /// The cell.
        cell: usize,
        /// CV asked for.
        cv: usize,
        /// Weight given.
        weight: f64,
        /// CVs of the cell.
        n_cvs: usize,
    },
    /// The voltage became infinite or NaN.
    #[error("voltage of CV {cv} of cell {cell} is {v_mv} at {t_ms} ms")]
    NonFinite {
        /// End of the step in which it happened, ms.
        t_ms: f64,
        /// The cell.
        cell: usize,
        /// First such CV of the cell.
        cv: usize,
        /// The value.
        v_mv: f64,
    },
    /// A handle is asked for on something that steps compute anew, or on a sum.
    #[error("probe {probe} on cell {cell} cannot be set: only states, parameters and internal concentrations can")]
    NotSettable {
        /// Position in the list of probes.
        probe: usize,
        /// The cell.
        cell: usize,
    },
    /// A current clamp that does not exist.
    #[error("cell {cell} has {n_clamps} current clamps, so none with number {clamp}")]
    NoSuchClamp {
        /// The cell.
        cell: usize,
        /// Number asked for, from 0.
        clamp: usize,
        /// How many there are.
        n_clamps: usize,
    },
    /// Our bug: instances that do not fit the mechanism's tables.
    #[error("internal error: instances of `{mechanism}` do not fit its tables")]
    Layout {
        /// The mechanism.
        mechanism: String,
    },
}
