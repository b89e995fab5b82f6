//! The benchmarks' arithmetic and page: `tests/bench/run` itself takes too long, and needs a quiet machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn python(arguments: &[&str]) -> Output {
    let python = std::env::var_os("GRADDIFF_PYTHON").map_or(root().join(".venv/bin/python"), PathBuf::from);
    assert!(
        python.exists(),
        "no Python at {}: run tests/venv, or set GRADDIFF_PYTHON",
        python.display()
    );
    let mut command = Command::new(python);
    command.args(arguments).current_dir(root().join("tests/bench"));
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python starts")
}

fn succeeds(arguments: &[&str]) -> String {
    let out = python(arguments);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{errors}");
    errors
}

#[test]
fn medians_ratios_fits_and_verdicts() {
    let said = succeeds(&["-m", "unittest", "test_report"]);
    assert!(!said.contains("Ran 0 tests"), "{said}");
}

/// Page and README quote the figures of docs/benchmarks.json and no others.
#[test]
fn page_and_readme_say_what_was_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let (page, readme) = (folder.path().join("benchmarks.md"), folder.path().join("README.md"));
    let shown = fs::read_to_string(root().join("README.md")).expect("a README");
    fs::write(&readme, &shown).expect("room for a README");
    let record = root().join("docs/benchmarks.json");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (page_file, readme_file) = (text(&page), text(&readme));
    succeeds(&[
        "report.py",
        &text(&record),
        "--page",
        &page_file,
        "--readme",
        &readme_file,
    ]);
    let again = "run tests/bench/report.py docs/benchmarks.json --page docs/benchmarks.md --readme README.md";
    let kept = fs::read_to_string(root().join("docs/benchmarks.md")).expect("docs/benchmarks.md");
    assert_eq!(fs::read_to_string(page).expect("a page"), kept, "{again}");
    assert_eq!(fs::read_to_string(readme).expect("a README"), shown, "{again}");
}
