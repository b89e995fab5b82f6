//! Every result, one folder each, and one report over all of them.
//!
//! What is finished is on disk before the next part starts: the part's outcome as `outcome.json` in its folder, and the
//! report anew. A run that was killed goes on from there.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Job, Outcome, PARTS, Part, Scale};
use crate::report::{self, Column, Progress, Report, Table, create_dir, write_atomic};

/// A part that ended.
#[derive(Debug)]
pub struct Finished {
    /// Which.
    pub part: &'static Part,
    /// How.
    pub result: Result<Outcome, Error>,
}

/// An outcome on disk, and what it is an outcome of.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: String,
    scale: Scale,
    morphology: Option<PathBuf>,
    outcome: Outcome,
}

/// What the report says of a part.
enum Entry {
    Done(Outcome),
    Failed(String),
    Waiting,
}

/// Computes every part into a folder of its own below `job.output`; `finished` is told of each. With `resume`, what an
/// earlier run with the same scale and morphology left is taken as it is. Returns the report.
///
/// # Errors
/// The folder or the report cannot be written. A part's own error goes to `finished`, and the others go on.
pub fn run(job: &Job<'_>, resume: bool, finished: &mut dyn FnMut(Finished)) -> Result<PathBuf, report::Error> {
    run_parts(PARTS, job, resume, finished)
}

fn run_parts(
    parts: &'static [Part],
    job: &Job<'_>,
    resume: bool,
    finished: &mut dyn FnMut(Finished),
) -> Result<PathBuf, report::Error> {
    create_dir(job.output)?;
    let path = job.output.join("report.html");
    let mut entries: Vec<Entry> = parts.iter().map(|_| Entry::Waiting).collect();
    let mut progress = Progress::new(job.progress, "results", parts.len() as u64);
    for (i, part) in parts.iter().enumerate() {
        progress.set(i as u64, part.name);
        let folder = job.output.join(part.name);
        let kept = resume.then(|| recall(&folder, job)).flatten();
        let result = match kept {
            Some(outcome) => Ok(outcome),
            None => (part.run)(&Job {
                output: &folder,
                ..*job
            }),
        };
        entries[i] = match &result {
            Ok(outcome) => {
                keep(&folder, job, outcome)?;
                Entry::Done(outcome.clone())
            }
            Err(error) => Entry::Failed(chain(error)),
        };
        write(&path, parts, job, &entries)?;
        finished(Finished { part, result });
    }
    progress.finish("all results are there");
    Ok(path)
}

const OUTCOME: &str = "outcome.json";

/// An earlier outcome with the same options. Whatever is unreadable or of another version is computed again.
fn recall(folder: &Path, job: &Job<'_>) -> Option<Outcome> {
    let text = std::fs::read_to_string(folder.join(OUTCOME)).ok()?;
    let kept: Kept = serde_json::from_str(&text).ok()?;
    let same = kept.version == env!("CARGO_PKG_VERSION")
        && kept.scale == job.scale
        && kept.morphology.as_deref() == job.morphology
        && kept.outcome.report.exists();
    same.then_some(kept.outcome)
}

fn keep(folder: &Path, job: &Job<'_>, outcome: &Outcome) -> Result<(), report::Error> {
    let kept = Kept {
        version: env!("CARGO_PKG_VERSION").into(),
        scale: job.scale,
        morphology: job.morphology.map(Path::to_path_buf),
        outcome: outcome.clone(),
    };
    // numbers and text only: they always are JSON
    let text = serde_json::to_string_pretty(&kept).unwrap_or_default();
    write_atomic(&folder.join(OUTCOME), text.as_bytes())
}

fn chain(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

fn write(path: &Path, parts: &[Part], job: &Job<'_>, entries: &[Entry]) -> Result<(), report::Error> {
    let mut report = Report::new("Gradient Diffusion, computed again");
    report.paragraph(
        "Landsmeer, Negrello, Hamdioui and Strydis, Gradient Diffusion (arXiv 2412.07327), result by result: the paper's \
         numbers, ours, and why they agree or differ. Every result has a folder with its data (npz), figures (SVG, PNG), \
         inputs that can be run again, and a report of its own. Where the paper says nothing to compare with, a number is \
         called new.",
    );
    report.paragraph(match job.scale {
        Scale::Quick => "This is a quick run: less of everything, to see that it works. Numbers are not final.",
        Scale::Default => "Lengths are scaled where the paper's take hours; each result says what was scaled.",
        Scale::Full => "The paper's own lengths.",
    });
    let columns = vec![
        Column::text("result"),
        Column::text("in the paper"),
        Column::word("our checks"),
        Column::text("what came out"),
    ];
    let mut overview = Table::new(
        "The results. A check passes if our sensitivities agree with central differences of the same simulation, and what else the result promises.",
        columns,
    );
    let (mut links, mut tables) = (Vec::new(), Vec::new());
    for (part, entry) in parts.iter().zip(entries) {
        let title = format!("{}: {}", part.name, part.title);
        let (check, summary) = match entry {
            Entry::Done(outcome) => {
                tables.push((title.clone(), numbers(part, outcome)));
                links.push((format!("{}/report.html", part.name), title.clone()));
                let check = if outcome.passed { "passed" } else { "NOT PASSED" };
                (check, outcome.summary.as_str())
            }
            Entry::Failed(message) => ("FAILED", message.as_str()),
            Entry::Waiting => ("-", "not computed yet"),
        };
        overview.row([title.as_str(), part.place, check, summary]);
    }
    report.table(&overview);
    report.section("Reports and data");
    report.links(&links);
    for (title, table) in tables {
        report.section(&title);
        report.table(&table);
    }
    report.write(path)
}

/// The paper's numbers beside ours.
fn numbers(part: &Part, outcome: &Outcome) -> Table {
    let columns = vec![
        Column::text("quantity"),
        Column::text("the paper"),
        Column::text("graddiff"),
        Column::word(""),
        Column::text("why"),
    ];
    let mut table = Table::new(&format!("The paper ({}) and graddiff.", part.place), columns);
    for c in &outcome.comparisons {
        let cells = [c.quantity.as_str(), &c.paper, &c.ours, c.agreement.as_str(), &c.why];
        table.row(cells);
    }
    table
}

#[cfg(test)]
mod tests;
