//! Literate rejection: `: error[code]` (or `: warning[code]`) at the end of a line of `reject/*.mod` asserts one diagnostic
//! of that code that starts on that line. A fixture yields these diagnostics and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use compiler::diagnostic::{Code, Diagnostic, Severity, line_col};
use compiler::syntax::include::{Expanded, expand};
use compiler::{CompileError, Options, SlotSpec, Source, syntax};

/// The source with its INCLUDEs, which start from the folder of the fixtures.
fn expanded(source: &str) -> Expanded {
    expand(source, |path| {
        fs::read_to_string(root().join("tests/reject").join(path))
    })
}

/// Everything the compiler has to say about a source. A comment `: slots: mechanism.parameter` asks for sensitivities.
fn all_diagnostics(source: &Expanded) -> Vec<Diagnostic> {
    source.complete(of_text(&source.text))
}

fn of_text(source: &str) -> Vec<Diagnostic> {
    let slots: Vec<SlotSpec> = source
        .lines()
        .filter_map(|line| line.strip_prefix(": slots: "))
        .flat_map(str::split_whitespace)
        .map(|target| {
            let (mechanism, parameter) = target.split_once('.').expect("mechanism.parameter");
            SlotSpec {
                name: parameter.into(),
                targets: vec![(mechanism.into(), parameter.into())],
            }
        })
        .collect();
    if slots.is_empty() {
        return compiler::check(source);
    }
    let file = Source {
        name: "fixture.mod".into(),
        text: source.into(),
    };
    let options = Options {
        slots,
        ..Options::default()
    };
    let found = match compiler::compile(&[file], &options) {
        Ok(compiled) => compiled.warnings,
        Err(CompileError::Rejected(found)) => found,
        Err(other) => unreachable!("the slots of a fixture are sound: {other}"),
    };
    found.into_iter().map(|(_, d)| d).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fixtures in order of their names.
fn fixtures() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("tests/reject")).expect("tests/reject is a folder");
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("readable entry").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "mod"));
    paths.sort();
    let read = |p: &PathBuf| {
        (
            p.display().to_string(),
            fs::read_to_string(p).expect("a fixture is UTF-8"),
        )
    };
    paths.iter().map(read).collect()
}

/// Line and `error[code]` of every expectation in the text, sorted.
fn expected(source: &str) -> Vec<(usize, String)> {
    let mut rows = Vec::new();
    for (number, line) in source.lines().enumerate() {
        for severity in ["error", "warning"] {
            for tail in line.split(&format!(": {severity}[")).skip(1) {
                let code = tail.split(']').next().unwrap_or_default();
                rows.push((number + 1, format!("{severity}[{code}]")));
            }
        }
    }
    rows.sort();
    rows
}

/// The same for what was reported.
fn reported(source: &str, diagnostics: &[Diagnostic]) -> Vec<(usize, String)> {
    let row = |d: &Diagnostic| {
        let severity = match d.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        (line_col(source, d.span.start).0, format!("{severity}[{}]", d.code))
    };
    let mut rows: Vec<_> = diagnostics.iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn fixtures_yield_what_they_announce() {
    let mut wrong = String::new();
    let fixtures = fixtures();
    assert!(fixtures.len() >= 20, "only {} fixtures found", fixtures.len());
    for (path, source) in fixtures {
        let expanded = expanded(&source);
        let diagnostics = all_diagnostics(&expanded);
        let (want, got) = (expected(&source), reported(&expanded.text, &diagnostics));
        assert!(!want.is_empty(), "{path} announces nothing");
        if want != got {
            let messages: Vec<_> = diagnostics.iter().map(|d| &d.message).collect();
            wrong += &format!("{path}\n  announced {want:?}\n  reported  {got:?}\n  messages  {messages:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_code_has_a_fixture() {
    let announced: String = fixtures().into_iter().map(|(_, source)| source).collect();
    for code in Code::ALL {
        assert!(announced.contains(&format!("[{code}]")), "no fixture announces {code}");
    }
}

/// [`syntax::CODES`] is what the sources of the parser mention, neither more nor less.
#[test]
fn the_list_of_syntax_codes_is_complete() {
    let folder = root().join("src/syntax");
    let mut mentioned = BTreeSet::new();
    for file in [
        "lexer.rs",
        "parser.rs",
        "parser/declarations.rs",
        "parser/events.rs",
        "parser/expressions.rs",
        "parser/file_level.rs",
        "parser/kinetics.rs",
        "parser/neuron.rs",
        "parser/quantity.rs",
        "parser/statements.rs",
        "parser/units.rs",
    ] {
        let text = fs::read_to_string(folder.join(file)).expect("a source of the parser");
        for tail in text.split("Code::").skip(1) {
            mentioned.insert(tail.chars().take_while(char::is_ascii_alphanumeric).collect::<String>());
        }
    }
    let listed: BTreeSet<String> = syntax::CODES.iter().map(|c| format!("{c:?}")).collect();
    assert_eq!(mentioned, listed);
}

#[test]
fn every_diagnostic_says_what_to_do() {
    for (path, source) in fixtures() {
        let source = expanded(&source);
        for d in all_diagnostics(&source) {
            assert!(!d.help_text().is_empty(), "{path}: {}", d.message);
            assert!(
                !d.message.is_empty() && !d.message.ends_with('.'),
                "{path}: {}",
                d.message
            );
            assert!(
                !source.text[d.span.start..d.span.end].contains('\n'),
                "{path}: the span of {:?} is not tight",
                d.message
            );
        }
    }
}
