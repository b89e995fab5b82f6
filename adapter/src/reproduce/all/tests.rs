use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::{Agreement, Comparison};
use super::*;
use crate::report::ProgressMode;

/// How often the first part has run.
static RUNS: AtomicUsize = AtomicUsize::new(0);

fn fine(job: &Job<'_>) -> Result<Outcome, Error> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    create_dir(job.output)?;
    let report = job.output.join("report.html");
    write_atomic(&report, b"a report")?;
    Ok(Outcome {
        passed: true,
        summary: "all is well".into(),
        comparisons: vec![Comparison::new(
            "width",
            "2 m",
            "3 m",
            Agreement::Differs,
            "another ruler",
        )],
        numbers: serde_json::Map::new(),
        report,
    })
}

fn broken(job: &Job<'_>) -> Result<Outcome, Error> {
    // a folder cannot be made where a file is
    write_atomic(job.output, b"in the way")?;
    create_dir(&job.output.join("below"))?;
    fine(job)
}

const fn part(name: &'static str, run: fn(&Job<'_>) -> Result<Outcome, Error>) -> Part {
    Part {
        name,
        title: "a test",
        place: "nowhere",
        takes_morphology: false,
        run,
    }
}

static TEST_PARTS: [Part; 3] = [part("one", fine), part("two", broken), part("three", fine)];

fn go(folder: &Path, scale: Scale, resume: bool) -> (Vec<(String, bool)>, String) {
    let job = Job {
        output: folder,
        scale,
        morphology: None,
        resume,
        progress: ProgressMode::Silent,
    };
    let mut ends = Vec::new();
    let report = run_parts(&TEST_PARTS, &job, resume, &mut |f| {
        ends.push((f.part.name.to_string(), f.result.is_ok()));
    })
    .unwrap();
    (ends, std::fs::read_to_string(report).unwrap())
}

#[test]
fn a_failing_part_stops_no_other_and_what_is_finished_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (ends, html) = go(folder.path(), Scale::Quick, false);
    let want = [("one", true), ("two", false), ("three", true)].map(|(n, ok)| (n.to_string(), ok));
    assert_eq!(ends, want);
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    for text in [
        "FAILED",
        "another ruler",
        "href=\"three/report.html\"",
        "differs",
        "quick run",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("href=\"two/report.html\""));

    // nothing is computed again, and the report is the same
    let (again, same) = go(folder.path(), Scale::Quick, true);
    assert_eq!((again, RUNS.load(Ordering::Relaxed)), (ends, 2));
    assert_eq!(same, html);
    // unless other options are given, or what was kept is damaged
    go(folder.path(), Scale::Default, true);
    assert_eq!(RUNS.load(Ordering::Relaxed), 4);
    std::fs::write(folder.path().join("one").join(OUTCOME), "{").unwrap();
    go(folder.path(), Scale::Default, true);
    assert_eq!(RUNS.load(Ordering::Relaxed), 5);
}
