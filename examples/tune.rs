//! Tuning from Rust: read an experiment, take a few steps with its own optimiser, and look at each.
//!
//! `cargo run -p acceptance --example tune [EXPERIMENT.json [ITERATIONS]]`
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;

use graddiff::hosts::ShimHost;
use graddiff::plan::Plan;
use graddiff::tune::prepare;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/hh-axon.json");
    let path = PathBuf::from(arguments.next().unwrap_or_else(|| default.into()));
    let iterations = arguments.next().map_or(Ok(20), |n| n.parse())?;

    // The plan is the experiment made concrete: files read, mechanisms differentiated and compiled, regions cut.
    let mut plan = Plan::load(&path)?;
    let names: Vec<String> = plan.slots.iter().map(|s| s.name.clone()).collect();
    // An experiment is plain data until it is used: here the stop rule changes.
    plan.experiment
        .tune
        .as_mut()
        .ok_or("the experiment has no `tune`")?
        .stop
        .max_iterations = iterations;

    // The host builds the catalogue with the C compiler and the cells on it.
    let folder = tempfile::tempdir()?;
    let mut host = ShimHost::new(&plan, &folder.path().join("tune-catalogue.so"))?;

    // `prepare` simulates or reads the target. No checkpoint: start afresh.
    let mut setup = prepare(&plan, &mut host, None)?;
    println!(
        "{:>9}  {:>12}  {:>9}  {}",
        "iteration",
        "loss (mV²)",
        "span (ms)",
        names.join(", ")
    );
    let termination = setup.tuner.run(&mut host, |tuner| {
        if let Some(row) = tuner.history().last() {
            let x: Vec<String> = row.x.iter().map(|x| format!("{x:.6}")).collect();
            let loss = row.loss.unwrap_or(f64::NAN);
            println!(
                "{:9}  {loss:12.4e}  {:9.1}  {}",
                row.iteration,
                row.horizon_ms,
                x.join(", ")
            );
        }
        ControlFlow::Continue(()) // Break stops the run
    })?;
    println!("ended: {termination:?}");

    // What `run` leaves behind: the history, the best point, and counts of simulations.
    let first = setup
        .tuner
        .history()
        .first()
        .and_then(|row| row.loss)
        .ok_or("the first loss is not finite")?;
    let best = setup.tuner.best().ok_or("no finite loss")?;
    println!("best: loss {:.4e} in iteration {}", best.loss, best.iteration);
    for (name, (found, start)) in names.iter().zip(best.x.iter().zip(&setup.start)) {
        println!("  {name}: {start:.6} -> {found:.6}");
    }
    if best.loss < first {
        Ok(())
    } else {
        Err("no step was an improvement".into())
    }
}
