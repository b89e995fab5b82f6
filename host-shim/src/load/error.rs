//! Why a file is not a catalogue that this host will run. One variant per defect, with the data that shows it.

use std::path::PathBuf;

use mech_abi::AbiLevel;
use thiserror::Error;

/// Defects found while loading a catalogue, in the order in which the loader looks for them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read catalogue `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is no shared object at all.
    #[error("`{}` is not a shared object: it starts with {found:02x?}, not with 7f 45 4c 46 (ELF)", path.display())]
    NotElf {
        /// The file.
        path: PathBuf,
        /// Its first bytes (up to four).
        found: Vec<u8>,
    },
    /// The file ends before the end of what its own headers announce; mapping it could raise SIGBUS.
    #[error("`{}` is truncated: {found} bytes, its headers need {needed}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Size of the file, bytes.
        found: u64,
        /// Size that the headers need, bytes.
        needed: u64,
    },
    /// A shared object for another machine.
    #[error("`{}` is built for another machine: ELF class {class}, machine {machine}", path.display())]
    ForeignMachine {
        /// The file.
        path: PathBuf,
        /// ELF class (2 = 64 bit).
        class: u8,
        /// ELF machine number (62 = x86-64, 183 = aarch64).
        machine: u16,
    },
    /// The dynamic linker refused it.
    #[error("cannot open `{}` as a shared object", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The dynamic linker's reason.
        source: libloading::Error,
    },
    /// It lacks the one symbol that makes it a catalogue.
    #[error("`{}` exports no symbol `{symbol}`: not an Arbor mechanism catalogue", path.display())]
    Symbol {
        /// The file.
        path: PathBuf,
        /// The missing symbol.
        symbol: &'static str,
        /// The dynamic linker's reason.
        source: libloading::Error,
    },
    /// The self-description does not start with its magic.
    #[error("`{}`: self-description starts with {found:?}, not with {expected:?}", path.display())]
    InfoMagic {
        /// The file.
        path: PathBuf,
        /// First bytes found.
        found: [u8; 8],
        /// First bytes wanted.
        expected: [u8; 8],
    },
    /// The self-description has a layout that this loader does not know.
    #[error("`{}`: self-description version {found}, this loader reads {expected}", path.display())]
    InfoVersion {
        /// The file.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Version known.
        expected: u32,
    },
    /// A struct of the catalogue's ABI has another size than ours.
    #[error("`{}`: sizeof({structure}) is {found} in the catalogue, {expected} in the host", path.display())]
    StructSize {
        /// The file.
        path: PathBuf,
        /// C name of the struct.
        structure: &'static str,
        /// Size in the catalogue.
        found: u32,
        /// Size in the host.
        expected: usize,
    },
    /// The self-description names an ABI level that does not exist.
    #[error("`{}`: unknown ABI level 0.{found}; known are 0.6 and 0.7", path.display())]
    UnknownAbiLevel {
        /// The file.
        path: PathBuf,
        /// Level found.
        found: u32,
    },
    /// The self-description contradicts the level asked for.
    #[error("`{}` is built for ABI level {found}, asked for {expected}", path.display())]
    AbiLevelMismatch {
        /// The file.
        path: PathBuf,
        /// Level of the catalogue.
        found: AbiLevel,
        /// Level asked for.
        expected: AbiLevel,
    },
    /// A string or table of the self-description is missing or unreadable.
    #[error("`{}`: self-description field `{field}` is null, too long or not UTF-8", path.display())]
    InfoField {
        /// The file.
        path: PathBuf,
        /// Field of `graddiff_catalogue_info`.
        field: &'static str,
    },
    /// A seed of the self-description refers to a slot, mechanism or seed parameter that is not there.
    #[error("`{}`: seed {seed} of the self-description refers to an unknown {what}", path.display())]
    InfoSeed {
        /// The file.
        path: PathBuf,
        /// Index of the seed.
        seed: usize,
        /// What is unknown: `slot`, `mechanism` or `seed parameter`.
        what: &'static str,
    },
    /// No mechanisms, or an absurd number of them.
    #[error("`{}` reports {found} mechanisms", path.display())]
    MechanismCount {
        /// The file.
        path: PathBuf,
        /// Number reported; −1 if the count was not written.
        found: i32,
    },
    /// The self-description and `get_catalogue` disagree.
    #[error("`{}`: self-description announces {expected} mechanisms, the catalogue holds {found}", path.display())]
    CountMismatch {
        /// The file.
        path: PathBuf,
        /// Number that `get_catalogue` reports.
        found: i32,
        /// Number in the self-description.
        expected: u32,
    },
    /// `get_catalogue` returned null or a misaligned pointer.
    #[error("`{}`: get_catalogue returns no usable table", path.display())]
    NullCatalogue {
        /// The file.
        path: PathBuf,
    },
    /// An entry without description or without CPU kernels.
    #[error("`{}`: entry {entry} has no `{function}`", path.display())]
    NullEntry {
        /// The file.
        path: PathBuf,
        /// Position in the catalogue.
        entry: usize,
        /// `type` or `i_cpu`.
        function: &'static str,
    },
    /// Built for an ABI version that Arbor refuses as well.
    #[error("`{}`: entry {entry} has abi_version {found}, expected {expected}", path.display())]
    AbiVersion {
        /// The file.
        path: PathBuf,
        /// Position in the catalogue.
        entry: usize,
        /// Version found.
        found: u64,
        /// The only version accepted.
        expected: u64,
    },
    /// A mechanism without a usable name.
    #[error("`{}`: entry {entry} has {problem}", path.display())]
    MechanismName {
        /// The file.
        path: PathBuf,
        /// Position in the catalogue.
        entry: usize,
        /// What is wrong with the name.
        problem: NameProblem,
    },
    /// Two mechanisms of one name.
    #[error("`{}` holds mechanism `{mechanism}` twice", path.display())]
    DuplicateMechanism {
        /// The file.
        path: PathBuf,
        /// The name.
        mechanism: String,
    },
    /// A kind that the ABI does not define.
    #[error("`{}`: mechanism `{mechanism}` has unknown kind {found}", path.display())]
    UnknownKind {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// Kind found.
        found: u32,
    },
    /// A flag byte that is neither 0 nor 1: reading it as a C `bool` would be undefined.
    #[error("`{}`: flag `{field}` of mechanism `{mechanism}` is {found}, expected 0 or 1", path.display())]
    Flag {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// The flag.
        field: &'static str,
        /// Byte found.
        found: u8,
    },
    /// A random variable whose buffer the host would not have: there are as many as variables.
    #[error("`{}`: random variable `{variable}` of mechanism `{mechanism}` has index {index}, of {n}", path.display())]
    RandomIndex {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// The variable.
        variable: String,
        /// Its index.
        index: u32,
        /// Number of variables.
        n: usize,
    },
    /// A table longer than any mechanism's.
    #[error("`{}`: table `{table}` of mechanism `{mechanism}` claims {found} rows, at most {limit} are plausible", path.display())]
    TableLength {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// C name of the table.
        table: &'static str,
        /// Rows claimed.
        found: u32,
        /// Rows accepted.
        limit: u32,
    },
    /// A table with rows but without a usable address.
    #[error("`{}`: table `{table}` of mechanism `{mechanism}` is null or misaligned, but claims {rows} rows", path.display())]
    NullTable {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// C name of the table.
        table: &'static str,
        /// Rows claimed.
        rows: u32,
    },
    /// A row without a usable name.
    #[error("`{}`: row {row} of table `{table}` of mechanism `{mechanism}` has {problem}", path.display())]
    FieldName {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// C name of the table.
        table: &'static str,
        /// The row.
        row: usize,
        /// What is wrong with the name.
        problem: NameProblem,
    },
    /// The same name twice in one table.
    #[error("`{}`: table `{table}` of mechanism `{mechanism}` names `{field}` twice", path.display())]
    DuplicateField {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// C name of the table.
        table: &'static str,
        /// The name.
        field: String,
    },
    /// An infinite default.
    #[error("`{}`: default of `{field}` in mechanism `{mechanism}` is {found}", path.display())]
    Default {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// The field.
        field: String,
        /// Value found.
        found: f64,
    },
    /// A range with NaN, or upside down.
    #[error("`{}`: range of `{field}` in mechanism `{mechanism}` is [{low}, {high}]", path.display())]
    Range {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// The field.
        field: String,
        /// Lower end found.
        low: f64,
        /// Upper end found.
        high: f64,
    },
    /// The CPU interface is for another backend.
    #[error("`{}`: CPU interface of mechanism `{mechanism}` is for backend {found}", path.display())]
    Backend {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// Backend found.
        found: u32,
    },
    /// A SIMD width or alignment that no kernel has.
    #[error("`{}`: `{field}` of mechanism `{mechanism}` is {found}, expected a power of two up to {limit}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// `partition_width` or `alignment`.
        field: &'static str,
        /// Value found.
        found: u32,
        /// Largest value accepted.
        limit: u32,
    },
    /// A hook is missing.
    #[error("`{}`: hook `{hook}` of mechanism `{mechanism}` is null", path.display())]
    NullHook {
        /// The file.
        path: PathBuf,
        /// The mechanism.
        mechanism: String,
        /// C name of the hook.
        hook: &'static str,
    },
}

/// What can be wrong with a C string that should be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameProblem {
    /// Null pointer.
    #[error("a null name")]
    Null,
    /// Empty string.
    #[error("an empty name")]
    Empty,
    /// No terminator within the length any identifier has.
    #[error("a name without an end")]
    Unterminated,
    /// Not UTF-8.
    #[error("a name that is not UTF-8")]
    NotUtf8,
    /// Not letters, digits and underscores.
    #[error("the name `{0}`, which is no identifier")]
    NotIdentifier(String),
}
