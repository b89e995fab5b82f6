//! `graddiff check`: what the compiler thinks of mechanisms.

use std::io;
use std::path::PathBuf;

use compiler::FileDiagnostic;
use compiler::syntax::include::complete;

use super::diagnostics::{self, Style, Tally};
use super::{Context, ExitStatus, Failure, count, sources};

/// Check mechanisms without building anything.
///
/// Reads each .mod file and reports what is wrong (error: the mechanism cannot be used) or worth
/// knowing (warning), with the place in the file, the rule, and what to do. Each file is checked on
/// its own. Exit code 1 if there are errors.
///
/// With --json: an array of objects with file, line, column, end_line, end_column (from 1, in
/// characters, the end exclusive), code, severity, message, notes and help.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Mechanisms in NMODL.
    #[arg(required = true, value_name = "FILE.mod")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    let mods = sources::read_mods(&args.files)?;
    let sources = &mods.sources;
    let found: Vec<FileDiagnostic> = sources
        .iter()
        .enumerate()
        .flat_map(|(file, source)| {
            let all = complete(compiler::check(&source.text), &mods.failures_of(file));
            all.into_iter().map(move |d| (file, d))
        })
        .collect();
    let tally = Tally::of(&found);
    if context.json {
        context.print_json(&diagnostics::to_json(sources, &found))?;
    } else {
        if !found.is_empty() {
            let style = Style::choose(&io::stdout());
            context.print(&diagnostics::render_all(sources, &found, style))?;
        }
        context.summary(&format!("{} checked: {tally}", count(sources.len(), "file")))?;
    }
    Ok(if tally.errors == 0 {
        ExitStatus::Done
    } else {
        ExitStatus::Rejected
    })
}
