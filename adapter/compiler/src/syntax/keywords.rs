//! The words that NMODL reserves, and what we say about those that we do not support.

/// Words that open a block or declaration at file level. First on a line they also end whatever was left open.
pub(super) const FILE_LEVEL: [&str; 13] = [
    "NEURON",
    "UNITS",
    "PARAMETER",
    "CONSTANT",
    "ASSIGNED",
    "STATE",
    "INITIAL",
    "BREAKPOINT",
    "DERIVATIVE",
    "PROCEDURE",
    "FUNCTION",
    "INDEPENDENT",
    "TITLE",
];

/// Words that start an entry of the NEURON block.
pub(super) const NEURON_ENTRIES: [&str; 6] = [
    "SUFFIX",
    "USEION",
    "NONSPECIFIC_CURRENT",
    "RANGE",
    "GLOBAL",
    "THREADSAFE",
];

/// A construct of the language that this version refuses.
pub(super) struct Refused {
    /// The keyword that starts it.
    pub(super) word: &'static str,
    /// How to name it in a message.
    pub(super) what: &'static str,
    /// An honest way out.
    pub(super) help: &'static str,
}

const fn refused(word: &'static str, what: &'static str, help: &'static str) -> Refused {
    Refused { word, what, help }
}

const AS_DERIVATIVE: &str = "write it as a DERIVATIVE block solved with METHOD sparse";
const AS_STATEMENTS: &str = "solve the equations by hand and write the result as assignments";
const DENSITY_ONLY: &str = "only density mechanisms (SUFFIX) are differentiated by this version";
const WITHOUT_EVENTS: &str =
    "leave this mechanism to the simulator, undifferentiated: events are not read by this version";
const UNROLL: &str = "write the iterations out";
const INLINE_NUMBER: &str = "write the number where the name is used";
const DROP: &str = "remove it; it does not belong to the model's equations";
const NO_POINTER: &str = "read the quantity as a RANGE variable or through an ion instead";

/// Refused at file level.
pub(super) const REFUSED_BLOCKS: [Refused; 21] = [
    refused("KINETIC", "reaction schemes", AS_DERIVATIVE),
    refused("LINEAR", "LINEAR systems", AS_STATEMENTS),
    refused("NONLINEAR", "NONLINEAR systems", AS_STATEMENTS),
    refused("DISCRETE", "DISCRETE equations", AS_DERIVATIVE),
    refused("PARTIAL", "partial differential equations", AS_DERIVATIVE),
    refused("NET_RECEIVE", "events", WITHOUT_EVENTS),
    refused("POST_EVENT", "events", WITHOUT_EVENTS),
    refused(
        "WHITE_NOISE",
        "stochastic mechanisms",
        "drive the cell with a recorded noise current instead",
    ),
    refused(
        "FUNCTION_TABLE",
        "tables filled from outside",
        "write the function as a formula",
    ),
    refused(
        "BEFORE",
        "BEFORE blocks",
        "compute it in BREAKPOINT or in the DERIVATIVE block",
    ),
    refused(
        "AFTER",
        "AFTER blocks",
        "compute it in BREAKPOINT or in the DERIVATIVE block",
    ),
    refused("DEFINE", "named integers", INLINE_NUMBER),
    refused("INCLUDE", "included files", "copy the text of the file to this place"),
    refused(
        "LOCAL",
        "file-level LOCAL variables",
        "declare it in ASSIGNED, or as LOCAL in each block that uses it",
    ),
    refused("CONSTRUCTOR", "constructors", DROP),
    refused("DESTRUCTOR", "destructors", DROP),
    refused("TERMINAL", "TERMINAL blocks", DROP),
    refused("STEPPED", "STEPPED variables", DROP),
    refused("DEPENDENT", "DEPENDENT variables", "declare them in ASSIGNED"),
    refused("PLOT", "PLOT", DROP),
    refused("MODEL_LEVEL", "MODEL_LEVEL", DROP),
];

/// Refused in the NEURON block.
pub(super) const REFUSED_NEURON: [Refused; 14] = [
    refused("POINT_PROCESS", "point processes", DENSITY_ONLY),
    refused("ARTIFICIAL_CELL", "artificial cells", DENSITY_ONLY),
    refused("JUNCTION_PROCESS", "junction processes", DENSITY_ONLY),
    refused("VOLTAGE_PROCESS", "voltage processes", DENSITY_ONLY),
    refused(
        "ELECTRODE_CURRENT",
        "electrode currents",
        "write it as a NONSPECIFIC_CURRENT with the opposite sign",
    ),
    refused("POINTER", "pointers", NO_POINTER),
    refused("BBCOREPOINTER", "pointers", NO_POINTER),
    refused("EXTERNAL", "variables of other mechanisms", NO_POINTER),
    refused(
        "RANDOM",
        "random numbers",
        "drive the cell with a recorded noise current instead",
    ),
    refused("NETSEND", "events", WITHOUT_EVENTS),
    refused("NETRECEIVE", "events", WITHOUT_EVENTS),
    refused("SECTION", "section variables", "declare it as RANGE"),
    refused(
        "VALENCE",
        "a VALENCE apart from its USEION",
        "put it at the end of the USEION line",
    ),
    refused("REPRESENTS", "REPRESENTS", "remove it; it only annotates"),
];

/// Refused among statements.
pub(super) const REFUSED_STATEMENTS: [Refused; 19] = [
    refused("WHILE", "loops", UNROLL),
    refused("while", "loops", UNROLL),
    refused("FROM", "loops", UNROLL),
    refused("FORALL", "loops", UNROLL),
    refused("FOR_NETCONS", "events", WITHOUT_EVENTS),
    refused("WATCH", "events", WITHOUT_EVENTS),
    refused("PUTQ", "event queues", WITHOUT_EVENTS),
    refused("GETQ", "event queues", WITHOUT_EVENTS),
    refused("~", "reactions and linear equations", AS_DERIVATIVE),
    refused(
        "CONSERVE",
        "CONSERVE",
        "write the dependent state as one minus the others",
    ),
    refused("COMPARTMENT", "COMPARTMENT", AS_DERIVATIVE),
    refused(
        "LONGITUDINAL_DIFFUSION",
        "longitudinal diffusion",
        "leave this mechanism to the simulator, undifferentiated",
    ),
    refused("PROTECT", "PROTECT", "write the statement without it"),
    refused("MUTEXLOCK", "locks", DROP),
    refused("MUTEXUNLOCK", "locks", DROP),
    refused("SENS", "SENS", "remove it: name the parameters with --wrt"),
    refused("RESET", "RESET", DROP),
    refused("LAG", "LAG", "keep the earlier value as a state of its own"),
    refused("MATCH", "MATCH", DROP),
];

/// Reserved words that start nothing by themselves, or something we do support inside a block.
const OTHERS: [&str; 28] = [
    "SUFFIX",
    "USEION",
    "READ",
    "WRITE",
    "NONSPECIFIC_CURRENT",
    "RANGE",
    "GLOBAL",
    "THREADSAFE",
    "SOLVE",
    "METHOD",
    "USING",
    "STEADYSTATE",
    "IFERROR",
    "CONDUCTANCE",
    "TABLE",
    "DEPEND",
    "TO",
    "WITH",
    "BY",
    "START",
    "IF",
    "ELSE",
    "if",
    "else",
    "ENDCOMMENT",
    "ENDVERBATIM",
    "EQUATION",
    "SOLVEFOR",
];

/// Whether the word may not be a name.
pub(super) fn is_keyword(word: &str) -> bool {
    // Names with a small letter are the common case, and only four keywords have any.
    if word.bytes().any(|b| b.is_ascii_lowercase()) {
        return matches!(word, "if" | "else" | "while");
    }
    FILE_LEVEL.contains(&word)
        || OTHERS.contains(&word)
        || find(&REFUSED_BLOCKS, word).is_some()
        || find(&REFUSED_NEURON, word).is_some()
        || find(&REFUSED_STATEMENTS, word).is_some()
}

/// Whether the word opens something at file level, supported or not.
pub(super) fn is_file_level(word: &str) -> bool {
    // LOCAL opens a statement far more often than a file-level declaration.
    FILE_LEVEL.contains(&word) || (word != "LOCAL" && find(&REFUSED_BLOCKS, word).is_some())
}

/// The entry for a word.
pub(super) fn find<'t>(table: &'t [Refused], word: &str) -> Option<&'t Refused> {
    table.iter().find(|r| r.word == word)
}

/// What a misspelt word was probably meant to be: the candidate at most two edits away, the nearest first in the list.
pub(super) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    // Longer words are no misspelt keywords, and the distance takes quadratic time.
    if word.len() > 24 {
        return None;
    }
    let word = word.to_ascii_uppercase();
    let (distance, best) = candidates
        .iter()
        .map(|c| (edit_distance(&word, c), *c))
        .min_by_key(|(d, _)| *d)?;
    (distance <= 2).then_some(best)
}

/// Levenshtein's distance in bytes, by rows.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
