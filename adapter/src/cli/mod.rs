//! The command line: arguments in, exit code out.
//!
//! A subcommand is one module with `Args` and `run(&Args, &Context) -> Result<ExitStatus, Failure>`; to add one, name it in
//! `Command` and in [`Cli::run`]. The doc comment of its `Args` is its help text. Commands print through [`Context`],
//! never with `println!`: a reader that closes the pipe must not look like a bug of ours.

mod bench;
mod build;
mod check;
mod compile;
pub mod diagnostics;
mod doctor;
mod emit;
mod failure;
mod inspect;
mod live;
mod load;
mod reproduce;
mod run;
mod slots;
pub mod sources;
mod threads;
mod tune;
mod verify;

use std::io::{self, Write};

use clap::{Parser, Subcommand};

use crate::report::ProgressMode;
pub use failure::{Failure, OrExit};

/// Exact parameter gradients for neuron models, in the simulator you already use.
///
/// graddiff reads mechanisms in NMODL (.mod files), derives how voltages and gating variables
/// change with their parameters, and builds catalogues that Arbor and graddiff's own host run.
/// `graddiff doctor` tells what this machine can do.
///
/// Exit codes: 0 done; 1 rejected model, above tolerance or not converged; 2 wrong usage;
/// 3 something is missing on this machine (compiler, file, simulator); 70 a bug in graddiff.
#[derive(Debug, Parser)]
#[command(name = "graddiff", version, verbatim_doc_comment)]
pub struct Cli {
    /// Print one JSON document on standard output instead of text, for scripts.
    #[arg(long, global = true, help_heading = OUTPUT)]
    json: bool,
    /// No progress and no summaries: only results, warnings and errors.
    #[arg(short, long, global = true, help_heading = OUTPUT)]
    quiet: bool,
    /// Log what graddiff does, on standard error: -v steps, -vv details, -vvv everything. RUST_LOG overrides it.
    #[arg(short, long, global = true, help_heading = OUTPUT, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

/// Heading of the options that every subcommand has.
const OUTPUT: &str = "Output";

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Emit(emit::Args),
    Build(build::Args),
    Inspect(inspect::Args),
    Doctor(doctor::Args),
    Run(run::Args),
    Verify(verify::Args),
    Tune(tune::Args),
    Bench(bench::Args),
    Reproduce(reproduce::Args),
}

impl Cli {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// A [`Failure`] if it could not do its job; a job whose result is "no" is an [`ExitStatus`].
    pub fn run(&self) -> Result<ExitStatus, Failure> {
        let context = Context {
            json: self.json,
            quiet: self.quiet,
            progress: ProgressMode::choose(self.quiet, self.json),
        };
        match &self.command {
            Command::Check(args) => check::run(args, &context),
            Command::Emit(args) => emit::run(args, &context),
            Command::Build(args) => build::run(args, &context),
            Command::Inspect(args) => inspect::run(args, &context),
            Command::Doctor(args) => doctor::run(args, &context),
            Command::Run(args) => run::run(args, &context),
            Command::Verify(args) => verify::run(args, &context),
            Command::Tune(args) => tune::run(args, &context),
            Command::Bench(args) => bench::run(args, &context),
            Command::Reproduce(args) => reproduce::run(args, &context),
        }
    }

    /// The log filter that `-v` stands for, in the syntax of RUST_LOG.
    pub fn log_filter(&self) -> &'static str {
        match self.verbose {
            0 => "warn",
            1 => "info",
            2 => "debug",
            _ => "trace",
        }
    }
}

/// How a command ends. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Did what was asked.
    Done = 0,
    /// The model is rejected, an error is above its tolerance, an optimisation did not converge.
    Rejected = 1,
    /// The command line asks for something that does not exist.
    Usage = 2,
    /// The machine lacks something: a compiler, a file, a simulator, space.
    Environment = 3,
    /// A bug in graddiff.
    Bug = 70,
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        (status as u8).into()
    }
}

/// What every subcommand is told, besides its own arguments.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// A program reads standard output: one JSON document, nothing else.
    pub json: bool,
    /// The user wants results, warnings and errors only.
    pub quiet: bool,
    /// How to show progress; already silent where `json` or `quiet` ask for it.
    pub progress: ProgressMode,
}

impl Context {
    /// Writes `text` and a line feed to standard output. A closed pipe is no error: the reader has seen enough.
    ///
    /// # Errors
    /// [`ExitStatus::Environment`] if standard output cannot be written for another reason, such as a full disk.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
                ExitStatus::Environment,
                anyhow::Error::new(error).context("cannot write to standard output"),
                "make room on the disk that receives the output, or send it elsewhere",
            )),
            _ => Ok(()),
        }
    }

    /// [`Context::print`] unless the output is quiet.
    ///
    /// # Errors
    /// As [`Context::print`].
    pub fn summary(&self, text: &str) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { self.print(text) }
    }

    /// One JSON document on standard output.
    ///
    /// # Errors
    /// As [`Context::print`].
    pub fn print_json(&self, value: &serde_json::Value) -> Result<(), Failure> {
        self.print(&format!("{value:#}"))
    }

    /// A message for the user beside the result, on standard error. Nothing can be done if that is closed.
    pub fn warn(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// `1 file`, `2 files`.
fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_argument_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_and_argument_is_explained() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }

    #[test]
    fn exit_codes_are_the_published_ones() {
        use ExitStatus::*;
        let codes = [Done, Rejected, Usage, Environment, Bug].map(|s| s as u8);
        assert_eq!(codes, [0, 1, 2, 3, 70]);
    }
}
