//! End to end: known conductances come back from a synthetic trace. The work is counted, not timed.

use std::ops::ControlFlow;
use std::path::Path;

use graddiff::control::{Counts, Termination};
use graddiff::hosts::ShimHost;
use graddiff::plan::Plan;
use graddiff::tune::prepare;

/// What a run of an example came to.
struct Fit {
    termination: Termination,
    iterations: usize,
    counts: Counts,
    /// Greatest relative deviation of a slot from the truth.
    deviation: f64,
    /// The same at the start.
    deviation_at_start: f64,
}

#[expect(clippy::print_stdout, reason = "the figures of a run, shown with --nocapture")]
fn fit(example: &str) -> Fit {
    let plan =
        Plan::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example)).expect("a sound example");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut host = ShimHost::new(&plan, &folder.path().join("fit-catalogue.so")).expect("a host");
    let mut setup = prepare(&plan, &mut host, None).expect("a tuning run");
    let truth = setup.truth.clone().expect("a simulated target");
    let termination = setup
        .tuner
        .run(&mut host, |_| ControlFlow::Continue(()))
        .expect("a finished run");
    let worst = |x: &[f64]| {
        x.iter()
            .zip(&truth)
            .map(|(x, t)| (x / t - 1.0).abs())
            .fold(0.0, f64::max)
    };
    let fit = Fit {
        termination,
        iterations: setup.tuner.history().len(),
        counts: setup.tuner.counts(),
        deviation: worst(&setup.tuner.best().expect("a finite loss").x),
        deviation_at_start: worst(&setup.start),
    };
    println!(
        "{example}: {:?} after {} iterations ({} tangent, {} plain runs), worst deviation {:.1e} from {:.2}",
        fit.termination, fit.iterations, fit.counts.tangent, fit.counts.plain, fit.deviation, fit.deviation_at_start
    );
    fit
}

#[test]
fn adam_recovers_three_conductances_from_thirty_per_cent_off() {
    let fit = fit("hh-axon.json");
    assert_eq!(fit.termination, Termination::TargetReached);
    assert!(fit.deviation_at_start > 0.299);
    assert!(fit.iterations <= 200, "{} iterations", fit.iterations);
    assert!(fit.deviation < 0.01, "deviation {:.2e}", fit.deviation);
}

#[test]
fn levenberg_marquardt_recovers_them_with_a_growing_horizon_and_a_tenth_of_the_runs() {
    let fit = fit("hh-axon-lm.json");
    assert_eq!(fit.termination, Termination::TargetReached);
    assert!(fit.deviation_at_start > 0.299);
    assert!(fit.counts.tangent <= 20, "{} tangent runs", fit.counts.tangent);
    assert!(fit.deviation < 1e-6, "deviation {:.2e}", fit.deviation);
}
