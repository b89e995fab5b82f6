//! Whatever the text, the parser ends soon, does not panic, and points into the source.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use compiler::syntax::{CODES, parse, sexpr};
use proptest::prelude::*;

/// Far above what linear time needs for the sources below, far below what quadratic time would take.
const PATIENCE: Duration = Duration::from_secs(10);

fn check(source: &str) {
    let started = Instant::now();
    let (ast, diagnostics) = parse(source);
    // Walking the tree recursively must be safe, too.
    let _ = sexpr::ast(&ast);
    assert!(
        started.elapsed() < PATIENCE,
        "{} bytes took {:?}",
        source.len(),
        started.elapsed()
    );
    for d in &diagnostics {
        assert!(d.span.start <= d.span.end && d.span.end <= source.len(), "{d:?}");
        assert!(
            source.is_char_boundary(d.span.start) && source.is_char_boundary(d.span.end),
            "{d:?}"
        );
        assert!(CODES.contains(&d.code), "{d:?}");
    }
    assert!(diagnostics.is_sorted_by_key(|d| d.span), "unsorted");
    assert!(
        ast.neuron.suffix.is_some() || !diagnostics.is_empty(),
        "no SUFFIX and no complaint"
    );
}

fn library() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [
        "mechanisms/hh/hh.mod",
        "mechanisms/r1/r1.mod",
        "tests/mod/branchy.mod",
        "tests/mod/coupled.mod",
        "adapter/compiler/tests/syntax/calcium.mod",
        "adapter/compiler/tests/syntax/synapse.mod",
    ];
    files
        .iter()
        .map(|f| fs::read_to_string(root.join(f)).expect("a file of the library"))
        .collect()
}

/// Words, numbers, blanks and single characters of a source; joined they are the source again.
fn pieces(source: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for c in source.chars() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        match pieces.last_mut() {
            Some(last) if word(c) && last.chars().all(word) => last.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

#[derive(Debug, Clone)]
enum Edit {
    Delete,
    Duplicate,
    Swap(usize),
    Insert(&'static str),
    /// Cuts the file here.
    Truncate,
}

const SOUP: &[&str] = &[
    "NEURON",
    "SUFFIX",
    "USEION",
    "READ",
    "WRITE",
    "RANGE",
    "PARAMETER",
    "ASSIGNED",
    "STATE",
    "INITIAL",
    "BREAKPOINT",
    "SOLVE",
    "METHOD",
    "DERIVATIVE",
    "PROCEDURE",
    "FUNCTION",
    "LOCAL",
    "IF",
    "if",
    "ELSE",
    "else",
    "TABLE",
    "DEPEND",
    "FROM",
    "TO",
    "WITH",
    "KINETIC",
    "NET_RECEIVE",
    "VERBATIM",
    "ENDVERBATIM",
    "COMMENT",
    "ENDCOMMENT",
    "TITLE",
    "UNITS",
    "UNITSOFF",
    "WHILE",
    "CONDUCTANCE",
    "VALENCE",
    "INDEPENDENT",
    "DEFINE",
    "POINT_PROCESS",
    "ARTIFICIAL_CELL",
    "JUNCTION_PROCESS",
    "VOLTAGE_PROCESS",
    "ELECTRODE_CURRENT",
    "REPRESENTS",
    "LINEAR",
    "NONLINEAR",
    "POST_EVENT",
    "WHITE_NOISE",
    "CONSERVE",
    "COMPARTMENT",
    "PROTECT",
    "MUTEXLOCK",
    "IFERROR",
    "STEADYSTATE",
    "BY",
    "while",
    "WATCH",
    "RANDOM",
    "POINTER",
    "DISCRETE",
    "DEFINE N 3",
    "N",
    "2a",
    "x[1]",
    "~",
    "<->",
    "->",
    "<<",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "<=",
    "==",
    "=",
    "'",
    ",",
    "+",
    "-",
    "*",
    "/",
    "^",
    "!",
    "&&",
    "||",
    "%",
    ":",
    "?",
    "\"",
    "\n",
    " ",
    "x",
    "v",
    "m",
    "1",
    "2.5",
    "1e-3",
    "1.2.3",
    "3x",
    "(mV)",
    "(S/cm2)",
    "é",
    "\u{2028}",
    "\0",
    "@",
    "faraday",
];

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        Just(Edit::Delete),
        Just(Edit::Duplicate),
        any::<usize>().prop_map(Edit::Swap),
        prop::sample::select(SOUP).prop_map(Edit::Insert),
        Just(Edit::Truncate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn characters_are_survived(text in "\\PC*") {
        check(&text);
    }

    #[test]
    fn tokens_in_any_order_are_survived(words in prop::collection::vec(prop::sample::select(SOUP), 0..300), blanks: bool) {
        check(&words.join(if blanks { " " } else { "" }));
    }

    #[test]
    fn mutated_library_files_are_survived(which in 0..6_usize, edits in prop::collection::vec((any::<usize>(), edit()), 1..12)) {
        let mut pieces = pieces(&library()[which]);
        for (at, edit) in edits {
            if pieces.is_empty() {
                break;
            }
            let at = at % pieces.len();
            match edit {
                Edit::Delete => drop(pieces.remove(at)),
                Edit::Duplicate => pieces.insert(at, pieces[at].clone()),
                Edit::Swap(other) => {
                    let other = other % pieces.len();
                    pieces.swap(at, other);
                }
                Edit::Insert(text) => pieces.insert(at, text.to_owned()),
                Edit::Truncate if at > pieces.len() / 2 => pieces.truncate(at),
                Edit::Truncate => {}
            }
        }
        check(&pieces.concat());
    }

    /// A tree without errors prints the same when every blank between its tokens is doubled.
    #[test]
    fn blanks_mean_nothing(which in 0..6_usize, stretch in 1..4_usize) {
        let source = &library()[which];
        let stretched = source.replace(' ', &" ".repeat(stretch));
        let strip = |text: &str| {
            let (mut ast, diagnostics) = parse(text);
            ast.title = None;
            (sexpr::ast(&ast), diagnostics.len())
        };
        prop_assert_eq!(strip(source), strip(&stretched));
    }
}

#[test]
fn hostile_repetition_is_survived() {
    const N: usize = 100_000;
    let block = |body: String| format!("NEURON {{ SUFFIX t }}\nBREAKPOINT {{\n x = {body}\n}}\n");
    for piece in ["a + ", "2 ", "2a + ", "a[", "a[1] + ", "a <-> ", "a << (", "a -> ("] {
        check(&format!("KINETIC k {{ ~ {}", piece.repeat(N)));
        check(&format!("KINETIC k {{ CONSERVE {}", piece.repeat(N)));
        check(&format!("LINEAR k {{ ~ {}", piece.repeat(N)));
    }
    let openers = [
        "(",
        "-",
        "!",
        "f(",
        "a^",
        "a+",
        "a^-",
        "1(",
        "1 (mV) + ",
        "a[",
        "{",
        "}",
        ")",
        "!(-",
    ];
    for piece in openers {
        check(&block(piece.repeat(N)));
        check(&piece.repeat(N));
    }
    let statements = [
        "if (a) { ",
        "if (a) { } else ",
        "if (a) { x = 1 } else if (b) { y = 2 }\n",
        "LOCAL a\n",
        "LOCAL a a = 1\n",
        "{ LOCAL b\n",
        "x = \n",
        "x' = 1 ",
        "VERBATIM ENDVERBATIM\n",
        "VERBATIM ",
        "COMMENT ",
        "~ a <-> b (1, 2)\n",
        "WHILE (1) {\n",
        "TABLE a\n",
        "\"",
        "\" \n",
        "@ ",
        "é",
        "SOLVE x METHOD cnexp\n",
        "x = 1(x)\n",
        "BREAKPOINT {\n",
        "INITIAL {\n",
        "KINETIC k {\n",
        "NEURON {\n",
        "POINT_PROCESS p ",
        "RANGE a, ",
        "USEION a READ b\n",
        "TITLE t\n",
        ": c\n",
        "UNITS { (a) = (b) ",
        "F = (faraday) ",
        "ELSE ",
        "DEFINE N 1\n",
        "PROTECT ",
        "MUTEXLOCK\n",
        "FROM i = 0 TO 1 {\n",
        "COMPARTMENT a {b ",
        "CONSERVE a + a\n",
        "REPRESENTS [",
        "NET_RECEIVE (w) { INITIAL {\n",
        "WHITE_NOISE { a\n",
        "LOCAL a[2], b\n",
        "POST_EVENT(t) { x = t }\n",
        "LINEAR l { ~ a = b\n",
        "x[y[",
        "x'[1] = 2 ",
        "SOLVE x METHOD sparse IFERROR {\n",
    ];
    for piece in statements {
        check(&format!(
            "NEURON {{ SUFFIX t }}\nBREAKPOINT {{\n{}",
            piece.repeat(N / 10)
        ));
        check(&piece.repeat(N / 10));
        check(&format!("KINETIC k {{\n{}", piece.repeat(N / 10)));
        check(&format!("NET_RECEIVE (w) {{\n{}", piece.repeat(N / 10)));
        check(&format!("NEURON {{\n{}", piece.repeat(N / 10)));
        check(&format!("PARAMETER {{\n{}", piece.repeat(N / 10)));
    }
}

/// Sixteen times the source takes about sixteen times as long; the generous factor tells linear from quadratic.
#[test]
fn time_is_linear() {
    let rows = [
        (
            "PROCEDURE p() {\n",
            "if (v > 0) { LOCAL a a = 1(mV) + f(v)*m^3 }\n LOCAL b\n x = -K^n + * 2\n KINETIC\n",
        ),
        (
            "KINETIC k {\n",
            "COMPARTMENT i, v[i]*1(um) {a}\n ~ a + 2 b[1] <-> c (f, r)\n ~ a << (x)\n FROM i = 0 TO N { PROTECT x = 1 }\n",
        ),
        (
            "NET_RECEIVE (w) {\n",
            "INITIAL { a = 1 }\n WHILE (a) { LOCAL b }\n WATCH x\n",
        ),
        (
            "UNITS {\n",
            "(a) = (millimolar/mole-k) x = (faraday) (coul)\n y = (a) (z)\n",
        ),
        // All on one line.
        ("ASSIGNED { ", "a[3] (mV) b[N] <1> "),
        ("PROCEDURE p() { ", "\"a\" \" REPRESENTS a:b 1(2) c[3] = ~ "),
        ("", "DEFINE N 3 LOCAL a[N], b REPRESENTS ["),
    ];
    for (head, piece) in rows {
        let time = |n: usize| {
            let source = format!("NEURON {{ SUFFIX t }}\n{head}{}}}\n", piece.repeat(n));
            let best = (0..5).map(|_| {
                let started = Instant::now();
                let _ = parse(&source);
                started.elapsed()
            });
            best.min().unwrap_or_default()
        };
        let (small, large) = (time(1_000), time(16_000));
        assert!(
            large < small * 16 * 5,
            "16 times the source took {small:?} and {large:?}: {piece}"
        );
    }
}
