//! graddiff's command line: parse, log, run, and turn the outcome into an exit code. All the rest is in `graddiff::cli`.

use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::process::ExitCode;

use clap::Parser;
use graddiff::cli::{Cli, ExitStatus, Failure};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    set_hook(Box::new(apologise));
    let cli = Cli::parse();
    start_log(&cli);
    finish(|| cli.run()).into()
}

/// RUST_LOG if it is set and readable, else what `-v` says; always on standard error.
fn start_log(cli: &Cli) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(cli.log_filter()));
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    log.with_ansi(colour).init();
}

/// Runs the command, tells the user why it failed, and never unwinds.
fn finish(job: impl FnOnce() -> Result<ExitStatus, Failure>) -> ExitStatus {
    // Nothing of `job` is looked at after a panic.
    match catch_unwind(AssertUnwindSafe(job)) {
        Ok(Ok(status)) => status,
        Ok(Err(failure)) => {
            // without standard error the exit code still tells
            let _ = writeln!(io::stderr().lock(), "{}", failure.render());
            failure.status
        }
        Err(_) => ExitStatus::Bug,
    }
}

fn apologise(panic: &PanicHookInfo<'_>) {
    let _ = writeln!(
        io::stderr().lock(),
        "graddiff {}: internal error, please report it with the command line and its input files\n  {panic}",
        env!("CARGO_PKG_VERSION")
    );
    let trace = std::backtrace::Backtrace::capture();
    if trace.status() == std::backtrace::BacktraceStatus::Captured {
        let _ = writeln!(io::stderr().lock(), "{trace}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_exit_code_70() {
        assert_eq!(finish(|| panic!("provoked by a test")), ExitStatus::Bug);
    }

    #[test]
    fn outcomes_keep_their_status() {
        assert_eq!(finish(|| Ok(ExitStatus::Rejected)), ExitStatus::Rejected);
        let failure = Failure::message(ExitStatus::Environment, "provoked by a test", "nothing");
        assert_eq!(finish(|| Err(failure)), ExitStatus::Environment);
    }
}
