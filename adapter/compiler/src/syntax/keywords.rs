//! The words that NMODL reserves, and what we say about those that we do not support.

/// Words that open a block or declaration at file level. First on a line they also end whatever was left open.
pub(super) const FILE_LEVEL: [&str; 20] = [
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
    "KINETIC",
    "LINEAR",
    "NONLINEAR",
    "NET_RECEIVE",
    "POST_EVENT",
    "WHITE_NOISE",
    "DEFINE",
    "INDEPENDENT",
    "TITLE",
];

/// Words that start an entry of the NEURON block.
pub(super) const NEURON_ENTRIES: [&str; 11] = [
    "SUFFIX",
    "POINT_PROCESS",
    "ARTIFICIAL_CELL",
    "JUNCTION_PROCESS",
    "VOLTAGE_PROCESS",
    "USEION",
    "NONSPECIFIC_CURRENT",
    "ELECTRODE_CURRENT",
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

const WITHOUT_EVENTS: &str =
    "let an event change the states in NET_RECEIVE, and leave the decision when to fire to the cell's threshold";
const EVERY_STEP: &str = "compute it in BREAKPOINT or in the solved block, which run in every step";
const AS_DERIVATIVE: &str = "write the continuous equations in a DERIVATIVE block";
const NO_RANDOM: &str = "declare a WHITE_NOISE name and add it to an equation solved with METHOD stochastic, or drive the cell with a \
     recorded noise current";
const DROP: &str = "remove it; it does not belong to the model's equations";
const NO_POINTER: &str =
    "read the quantity through an ion (USEION), through v_peer of a JUNCTION_PROCESS, or give it as a RANGE parameter";

/// Refused at file level.
pub(super) const REFUSED_BLOCKS: [Refused; 13] = [
    refused("DISCRETE", "DISCRETE equations", AS_DERIVATIVE),
    refused(
        "PARTIAL",
        "partial differential equations",
        "write one state per compartment in a KINETIC block, with a reaction between neighbours",
    ),
    refused(
        "FUNCTION_TABLE",
        "tables filled from outside",
        "write the function as a formula in a FUNCTION block",
    ),
    refused("BEFORE", "BEFORE blocks", EVERY_STEP),
    refused("AFTER", "AFTER blocks", EVERY_STEP),
    refused(
        "INCLUDE",
        "an INCLUDE that names no file in quotes",
        "write INCLUDE \"file\", with a path that starts from the folder of this file",
    ),
    refused("CONSTRUCTOR", "constructors", "set the variables in INITIAL"),
    refused("DESTRUCTOR", "destructors", DROP),
    refused("TERMINAL", "TERMINAL blocks", DROP),
    refused("STEPPED", "STEPPED variables", DROP),
    refused("DEPENDENT", "DEPENDENT variables", "declare them in ASSIGNED"),
    refused("PLOT", "PLOT", DROP),
    refused("MODEL_LEVEL", "MODEL_LEVEL", DROP),
];

/// Refused in the NEURON block.
pub(super) const REFUSED_NEURON: [Refused; 8] = [
    refused("POINTER", "pointers", NO_POINTER),
    refused("BBCOREPOINTER", "pointers", NO_POINTER),
    refused("EXTERNAL", "variables of other mechanisms", NO_POINTER),
    refused("RANDOM", "random numbers", NO_RANDOM),
    refused("NETSEND", "events", WITHOUT_EVENTS),
    refused("NETRECEIVE", "events", WITHOUT_EVENTS),
    refused("SECTION", "section variables", "declare it as RANGE"),
    refused(
        "VALENCE",
        "a VALENCE apart from its USEION",
        "put it at the end of the USEION line",
    ),
];

/// Refused among statements.
pub(super) const REFUSED_STATEMENTS: [Refused; 10] = [
    refused("FORALL", "FORALL", "write a FROM loop over the elements"),
    refused(
        "FOR_NETCONS",
        "loops over connections",
        "keep what belongs to one connection in further arguments of NET_RECEIVE",
    ),
    refused("WATCH", "events from a threshold", WITHOUT_EVENTS),
    refused("PUTQ", "event queues", WITHOUT_EVENTS),
    refused("GETQ", "event queues", WITHOUT_EVENTS),
    refused(
        "LONGITUDINAL_DIFFUSION",
        "longitudinal diffusion",
        "use the host's diffusion of an ion: read and write its Xd",
    ),
    refused("SENS", "SENS", "remove it: name the parameters with --wrt"),
    refused("RESET", "RESET", DROP),
    refused("LAG", "LAG", "keep the earlier value as a state of its own"),
    refused("MATCH", "MATCH", DROP),
];

/// Reserved words that start nothing by themselves, or something we do support inside a block.
const OTHERS: [&str; 43] = [
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
    "LOCAL",
    "EQUATION",
    "SOLVEFOR",
    "POINT_PROCESS",
    "ARTIFICIAL_CELL",
    "JUNCTION_PROCESS",
    "VOLTAGE_PROCESS",
    "ELECTRODE_CURRENT",
    "REPRESENTS",
    "WHILE",
    "while",
    "CONSERVE",
    "COMPARTMENT",
    "PROTECT",
    "MUTEXLOCK",
    "MUTEXUNLOCK",
    "FROM",
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
    // LOCAL is not among them: it opens a statement far more often than a file-level declaration.
    FILE_LEVEL.contains(&word) || find(&REFUSED_BLOCKS, word).is_some()
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
