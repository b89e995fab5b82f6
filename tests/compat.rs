//! Mechanisms of others: `compat/report.py` over NEURON's and Arbor's .mod files and our own, its page in the documentation,
//! and the report's own judgement on a program that errs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Of Arbor's and NEURON's files without VERBATIM, in percent (issue 3).
const LEAST_ACCEPTED: u64 = 97;
const LEAST_DIFFERENTIATED: u64 = 92;
/// Error of a sensitivity against central differences (issue 3).
const TOLERANCE: f64 = 1e-6;

const PAGE: &str = "docs/compatibility.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn python() -> PathBuf {
    let python = std::env::var_os("GRADDIFF_PYTHON").map_or(root().join(".venv/bin/python"), PathBuf::from);
    assert!(
        python.exists(),
        "no Python at {}: run tests/venv, or set GRADDIFF_PYTHON",
        python.display()
    );
    python
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The program beside this test, brought up to date: cargo does not build the binary of another package for a test.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let folder = test.ancestors().nth(2).expect("deps lies in a profile's folder");
    let target = folder.parent().expect("a profile's folder lies in the target's");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--package", "graddiff", "--target-dir"]);
    build.arg(target);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let built = build.current_dir(root()).output().expect("cargo runs");
    assert!(built.status.success(), "{}", text(&built.stderr));
    folder.join(format!("graddiff{}", std::env::consts::EXE_SUFFIX))
}

fn report(program: &Path, arguments: &[&str]) -> Output {
    let mut report = Command::new(python());
    report.arg(root().join("tests/compat/report.py")).arg("--graddiff");
    report.arg(program).args(arguments).current_dir(root());
    report.output().expect("Python starts")
}

/// Where the Python with the reference simulators keeps a file that it must have.
fn of_python(expression: &str) -> PathBuf {
    let out = Command::new(python())
        .args(["-c", &format!("import sys, sysconfig; print({expression})")])
        .output()
        .expect("Python starts");
    let path = PathBuf::from(text(&out.stdout).trim());
    assert!(path.is_dir(), "no {}: run tests/venv", path.display());
    path
}

fn count(totals: &Value, key: &str) -> u64 {
    totals[key].as_u64().expect("a number of files")
}

/// The rows of one folder.
fn rows<'a>(report: &'a Value, label: &str) -> Vec<&'a Value> {
    let of = |row: &&Value| row["file"].as_str().is_some_and(|f| f.split('/').next() == Some(label));
    report["rows"].as_array().expect("rows").iter().filter(of).collect()
}

fn share(rows: &[&Value], what: &str) -> u64 {
    let fair = rows.iter().filter(|r| r["verbatim"] == false);
    let (of, n) = fair.fold((0, 0), |(of, n), row| (of + 1, n + u64::from(row[what] == true)));
    n * 100 / of
}

/// Numbers with an exponent are errors, whose digits depend on the processor.
fn without_errors(page: &str) -> String {
    let masked = |word: &str| {
        let bare = word.trim_end_matches(['.', ',', ';']);
        let error = bare.contains("e-") && bare.parse::<f64>().is_ok();
        if error {
            word.replacen(bare, "~", 1)
        } else {
            word.to_string()
        }
    };
    let lines = page
        .lines()
        .map(|l| l.split(' ').map(masked).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn mechanisms_of_arbor_neuron_and_ours_are_accepted_and_differentiated() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, page) = (folder.path().join("report.json"), folder.path().join("page.md"));
    let arbor = of_python("sys.prefix + '/share/graddiff/arbor-mechanisms'");
    let neuron = of_python("sysconfig.get_path('platlib') + '/neuron'");
    let folders = [
        format!("arbor={}", arbor.display()),
        format!("graddiff={}", root().join("mechanisms").display()),
        format!("neuron={}", neuron.display()),
    ];
    let jobs = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let mut arguments = vec!["--jobs", &jobs, "--json", json.to_str().expect("UTF-8")];
    arguments.extend(["--page", page.to_str().expect("UTF-8")]);
    arguments.extend(folders.iter().map(String::as_str));
    let out = report(&program(), &arguments);
    println!("{}", text(&out.stdout));
    assert!(out.status.success(), "{}", text(&out.stderr));

    let found: Value = serde_json::from_str(&fs::read_to_string(&json).expect("written")).expect("JSON");
    assert_eq!(count(&found["totals"], "wrong"), 0);
    let error = found["totals"]["worst_error"]
        .as_f64()
        .expect("something is differentiated");
    assert!(error <= TOLERANCE, "greatest error {error:e}");

    // what the releases hold that tests/requirements.txt and tests/venv pin
    let (arbors, neurons, ours) = (rows(&found, "arbor"), rows(&found, "neuron"), rows(&found, "graddiff"));
    assert_eq!((arbors.len(), neurons.len()), (48, 22));
    let theirs: Vec<&Value> = arbors.into_iter().chain(neurons).collect();
    assert!(share(&theirs, "accepted") >= LEAST_ACCEPTED);
    assert!(share(&theirs, "differentiated") >= LEAST_DIFFERENTIATED);
    assert!(ours.len() >= 25 && share(&ours, "differentiated") == 100);

    let page = fs::read_to_string(&page).expect("written");
    let kept = root().join(PAGE);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&kept, &page).expect("the page can be written");
    }
    let kept = fs::read_to_string(&kept).unwrap_or_default();
    assert_eq!(
        without_errors(&kept),
        without_errors(&page),
        "{PAGE} is out of date: UPDATE_EXPECT=1 writes it anew"
    );
}

/// A program that answers as told: what it says to check, build, inspect and verify, and its exit codes.
#[cfg(unix)]
fn pretend(folder: &Path, check: (u8, &str), verify: (u8, &str)) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;

    let inspected = r#"{"mechanisms": [{"name": "m", "kind": "density", "globals": [], "states": [],
        "parameters": [{"name": "g", "unit": "", "default": 2}]}]}"#;
    let script = format!(
        "#!/bin/sh\ncase $1 in\ncheck) echo '{}'; exit {};;\ninspect) echo '{inspected}';;\n\
         verify) echo '{}'; exit {};;\nesac\n",
        check.1, check.0, verify.1, verify.0
    );
    let path = folder.join("graddiff");
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    path
}

/// The report on one file of this text, by a program that answers so.
#[cfg(unix)]
fn judged(source: &str, check: (u8, &str), verify: (u8, &str)) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("m.mod"), source).expect("written");
    let program = pretend(folder.path(), check, verify);
    report(&program, &[folder.path().to_str().expect("UTF-8")])
}

#[cfg(unix)]
fn verdict(slots: &[[&str; 5]]) -> String {
    let row = |[name, error, doubt, sensitivity, status]: &[&str; 5]| {
        format!(
            r#"{{"name": "{name}", "value": 2, "rel_error": {error}, "fd_error_estimate": {doubt},
            "max_sensitivity": {sensitivity}, "status": "{status}"}}"#
        )
    };
    let rows: Vec<String> = slots.iter().map(row).collect();
    format!(r#"{{"parameters": [{}]}}"#, rows.join(", "))
}

#[cfg(unix)]
#[test]
fn the_report_fails_where_the_program_errs() {
    const PLAIN: &str = "NEURON { SUFFIX m RANGE g }";
    const C: &str = "NEURON { SUFFIX m }\nVERBATIM\n/* C */\nENDVERBATIM\n";
    const RIGHT: [&str; 5] = ["g", "3e-9", "1e-9", "5.0", "pass"];
    let also = |slot: [&str; 5]| verdict(&[RIGHT, slot]);
    let good = verdict(&[RIGHT]);
    let still = verdict(&[["g", "null", "null", "0", "unresolved"]]);
    let refused = |code: &str| format!(r#"[{{"severity": "error", "code": "{code}", "message": "words"}}]"#);
    let (verbatim, other) = (refused("verbatim"), refused("unexpected-token"));
    let wrong = also(["h", "2e-6", "1e-9", "5.0", "fail"]);
    let wrong_and_small = also(["h", "1", "1e-9", "1e-9", "fail"]);
    let infinite = also(["h", "null", "1e-9", "5.0", "fail"]);
    let doubtful = also(["h", "3e-6", "4e-6", "5.0", "unresolved"]);
    let doubtful_and_small = also(["h", "3e-6", "4e-6", "1e-9", "unresolved"]);
    let cases = [
        ("right", PLAIN, (0, "[]"), (0, good.as_str()), true),
        ("refused by the right rule", C, (1, verbatim.as_str()), (0, &good), true),
        ("refused by another", C, (1, other.as_str()), (0, &good), false),
        ("accepted, but must not be", C, (0, "[]"), (0, &good), false),
        ("crashed in check", PLAIN, (70, "[]"), (0, &good), false),
        ("crashed in verify", PLAIN, (0, "[]"), (101, &good), false),
        ("says nothing", PLAIN, (0, "[]"), (1, ""), false),
        ("wrong", PLAIN, (0, "[]"), (1, &wrong), false),
        (
            "wrong where little happens",
            PLAIN,
            (0, "[]"),
            (1, &wrong_and_small),
            false,
        ),
        ("not finite", PLAIN, (0, "[]"), (1, &infinite), false),
        ("unresolved", PLAIN, (0, "[]"), (1, &doubtful), false),
        (
            "unresolved where little happens",
            PLAIN,
            (0, "[]"),
            (1, &doubtful_and_small),
            true,
        ),
        ("does not act", PLAIN, (0, "[]"), (1, &still), false),
    ];
    for (what, source, check, verify, passes) in cases {
        let out = judged(source, check, verify);
        assert_eq!(
            out.status.success(),
            passes,
            "{what}: {}{}",
            text(&out.stdout),
            text(&out.stderr)
        );
        assert_eq!(
            text(&out.stdout).contains("WRONG"),
            !passes,
            "{what}: {}",
            text(&out.stdout)
        );
    }
}

#[test]
fn masking_hides_errors_only() {
    assert_eq!(
        without_errors("| 1.2e-10 | dt = 0.005 ms, 9e-9; 97.9 %"),
        "| ~ | dt = 0.005 ms, ~; 97.9 %"
    );
}
