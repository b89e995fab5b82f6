use std::collections::BTreeMap;

use super::*;
use crate::diagnostic::line_col;
use crate::syntax::{parse, sexpr};

/// Expands `text` among `files`.
fn expanded(text: &str, files: &[(&str, &str)]) -> Expanded {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    expand(text, |path| {
        let found = files.get(path).map(|t| (*t).to_owned());
        found.ok_or_else(|| format!("no {path}"))
    })
}

fn failures(text: &str, files: &[(&str, &str)]) -> Vec<(usize, String)> {
    let out = expanded(text, files);
    let place = |d: &Diagnostic| line_col(&out.text, d.span.start).0;
    out.failures.iter().map(|d| (place(d), d.message.clone())).collect()
}

const DECLARATIONS: &str = "TITLE shared\nCOMMENT\n  } many\n  lines {\nENDCOMMENT\nPARAMETER {\n  a = 1 (mV) : first\n  b = 2 (mA / cm2) ? second\n}\n\
     ASSIGNED { v (mV) i (mA/cm2) }\nPROCEDURE p(x) {\n  LOCAL y, z\n  y = x\n  z = -y\n}\nTITLE end";

#[test]
fn an_included_text_means_what_it_means_in_place() {
    let around = |middle: &str| {
        format!(
            "NEURON {{ SUFFIX x NONSPECIFIC_CURRENT i }}\n{middle} : a comment\nBREAKPOINT {{\n  p(v)\n  i = a*v + b*0\n}}\n"
        )
    };
    let out = expanded(&around("INCLUDE \"d.inc\""), &[("d.inc", DECLARATIONS)]);
    assert_eq!(out.failures, []);
    let (included, found) = parse(&out.text);
    assert_eq!(found, []);
    let (written, found) = parse(&around(
        &DECLARATIONS.replace("TITLE end", "").replace("TITLE shared", ""),
    ));
    assert_eq!(found, []);
    assert_eq!(sexpr::ast(&included), sexpr::ast(&written));
}

#[test]
fn lines_below_an_include_keep_their_numbers() {
    let text = "NEURON { SUFFIX x }\nINCLUDE \"d.inc\"\n\nBREAKPOINT { ? }";
    let out = expanded(text, &[("d.inc", DECLARATIONS)]);
    assert_eq!(out.text.lines().count(), text.lines().count());
    let at = out.text.find("BREAKPOINT").unwrap();
    assert_eq!(line_col(&out.text, at), (4, 1));
    let declared = parse(&out.text).0.parameters.iter().map(|p| p.name.span.start).max();
    assert_eq!(line_col(&out.text, declared.unwrap()).0, 2);
}

#[test]
fn a_fault_in_an_included_line_ends_with_it() {
    let faults = "PROCEDURE p() {\n  LOCAL y\n  y = = 1\n  y = = 2\n}\n";
    let out = expanded("INCLUDE \"p.inc\"", &[("p.inc", faults)]);
    let messages = |text: &str| parse(text).1.into_iter().map(|d| d.message).collect::<Vec<_>>();
    assert_eq!(messages(&out.text), messages(faults));
    assert!(messages(faults).len() >= 2, "{:?}", messages(faults));
}

#[test]
fn paths_start_from_the_including_file() {
    let files = [
        (
            "sub/a.inc",
            "INCLUDE \"b.inc\"\nINCLUDE \"../c.inc\"\nINCLUDE \"/d.inc\"",
        ),
        ("sub/b.inc", "DEFINE B 1"),
        ("sub/../c.inc", "DEFINE C 2"),
        ("/d.inc", "DEFINE D 3"),
    ];
    let out = expanded("INCLUDE \"sub/a.inc\"", &files);
    assert_eq!(out.failures, []);
    let words: Vec<&str> = out.text.split_whitespace().collect();
    assert_eq!(words.join(" "), "DEFINE B 1 DEFINE C 2 DEFINE D 3");
}

#[test]
fn a_missing_file_is_named_at_its_include() {
    let text = "DEFINE N 1\n  INCLUDE \"a.inc\" INCLUDE \"lost.inc\"\nINCLUDE \"b.inc\"";
    let files = [("a.inc", "DEFINE A 1"), ("b.inc", "INCLUDE \"gone.inc\"")];
    let found = failures(text, &files);
    let said: Vec<(usize, &str)> = found.iter().map(|(line, m)| (*line, m.as_str())).collect();
    let expected = [
        (2, "cannot read `lost.inc`: no lost.inc"),
        (3, "cannot read `gone.inc`: no gone.inc (included by `b.inc`)"),
    ];
    assert_eq!(said, expected);
    let out = expanded(text, &files);
    for failure in &out.failures {
        assert!(out.text[failure.span.start..failure.span.end].starts_with("INCLUDE \""));
        assert!(out.text[failure.span.start..failure.span.end].ends_with(".inc\""));
    }
    // the refusal of what is left gives way to the reason
    let all = out.complete(parse(&out.text).1);
    assert_eq!(all.iter().filter(|d| d.code == Code::BadInclude).count(), 2);
    assert!(all.iter().all(|d| d.code != Code::Unsupported), "{all:?}");
}

#[test]
fn cycles_are_refused() {
    let cycles = [
        ("a.inc", "INCLUDE \"b.inc\""),
        ("b.inc", "INCLUDE \"sub/../a.inc\""),
        ("deep/x.inc", "INCLUDE \"deep/x.inc\""),
    ];
    let found = failures("INCLUDE \"a.inc\"", &cycles);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].1,
        "`sub/../a.inc` includes itself (included by `b.inc`) (included by `a.inc`)"
    );
    // ever new names of the same file
    let mut reads = 0;
    let out = expand("INCLUDE \"x.inc\"", |_| -> Result<String, String> {
        reads += 1;
        Ok("INCLUDE \"x/x.inc\"".into())
    });
    assert!(out.failures[0].message.contains("too many files"), "{:?}", out.failures);
    assert_eq!(reads, MAX_DEPTH);
}

#[test]
fn growth_is_bounded() {
    let mut reads = 0;
    // each file includes the next one twice: 2^15 without a bound
    let out = expand("INCLUDE \"0\"", |path| -> Result<String, String> {
        reads += 1;
        let next: u32 = path.parse::<u32>().map_err(|e| e.to_string())? + 1;
        Ok(if next < 15 {
            format!("INCLUDE \"{next}\" INCLUDE \"{next}\"")
        } else {
            "x".into()
        })
    });
    assert!(out.failures[0].message.contains("too many files"));
    assert_eq!(reads, MAX_INCLUDES);
    let long = " ".repeat(MAX_BYTES / 2 + 1);
    let out = expand("INCLUDE \"a\" INCLUDE \"b\"", |_| -> Result<String, String> {
        Ok(long.clone())
    });
    assert_eq!(out.failures.len(), 1);
    assert!(out.failures[0].message.contains("longer than"));
}

#[test]
fn what_an_included_file_leaves_open_swallows_nothing() {
    for (text, what) in [
        ("\nCOMMENT open", "line 2: this COMMENT has no ENDCOMMENT"),
        ("VERBATIM open", "line 1: this VERBATIM has no ENDVERBATIM"),
        ("INCLUDE \"open", "line 1: this quoted text has no end"),
    ] {
        let found = failures("\nINCLUDE \"a.inc\"\nENDCOMMENT ENDVERBATIM", &[("a.inc", text)]);
        assert_eq!(found, [(2, format!("in `a.inc`, {what}"))]);
    }
}

#[test]
fn words_in_comments_and_texts_include_nothing() {
    let text = ": INCLUDE \"a\"\nCOMMENT INCLUDE \"a\" ENDCOMMENT\nTITLE INCLUDE \"a\"\nVERBATIM\n#INCLUDE \"a\"\nENDVERBATIM\nINCLUDE a\nINCLUDE \"";
    let out = expanded(text, &[]);
    assert_eq!(
        out,
        Expanded {
            text: text.into(),
            failures: Vec::new()
        }
    );
}
