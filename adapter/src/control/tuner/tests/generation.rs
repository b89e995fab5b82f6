//! CMA-ES in the loop.

use super::*;

#[test]
fn generations_recover_two_exponentials_without_sensitivities() {
    for seed in 1..=3 {
        let mut model = Analytic::exponentials();
        let mut s = settings(4, cma_es(seed), 5.0, 400);
        s.stop.target_loss = Some(1e-12);
        let mut t = tuner(&model, s, &TRUTH, &START);
        assert_eq!(run(&mut model, &mut t), Termination::TargetReached, "seed {seed}");
        let best = t.best().unwrap();
        assert!(
            best.x.iter().zip(TRUTH).all(|(x, t)| (x - t).abs() < 1e-4),
            "seed {seed}: {:?}",
            best.x
        );
        let n = t.history().len();
        assert_eq!(t.counts().plain as usize, 10 * n);
        assert_eq!(t.counts().tangent, 0);
        assert!((t.counts().plain_ms - 50.0 * n as f64).abs() < 1e-9);
        assert!(
            model
                .calls
                .iter()
                .all(|(_, span, tangent)| !tangent && span.to_bits() == 5.0_f64.to_bits())
        );
    }
}

#[test]
fn a_row_is_the_best_of_its_generation() {
    let mut model = Analytic::exponentials();
    let mut t = tuner(&model, settings(4, cma_es(1), 5.0, 6), &TRUTH, &START);
    run(&mut model, &mut t);
    assert_eq!(model.calls.len(), 60);
    for (row, calls) in t.history().iter().zip(model.calls.chunks(10)) {
        let loss = |x: &[f64]| t.objective().loss(&model.traces(x, 5.0, false), 5.0).unwrap();
        let losses: Vec<f64> = calls.iter().map(|(x, _, _)| loss(x)).collect();
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(row.loss.unwrap().to_bits(), least.to_bits());
        assert_eq!(loss(&row.x).to_bits(), least.to_bits());
        assert!(row.accepted && row.gradient_norm.is_none());
    }
}

#[test]
fn points_without_loss_count_as_the_worst() {
    let mut model = Analytic::exponentials();
    // Half of the first points lie beyond, and none of the later ones need to.
    model.limit = (START[3], AnalyticError::Diverged);
    let mut s = settings(4, cma_es(2), 5.0, 400);
    let truth = [1.0, 0.5, -0.5, 1.2];
    s.stop.target_loss = Some(1e-12);
    let mut t = tuner(&model, s, &truth, &START);
    assert_eq!(run(&mut model, &mut t), Termination::TargetReached);
    let beyond = |(x, _, _): &&(Vec<f64>, f64, bool)| x.iter().any(|x| x.abs() > START[3]);
    assert!(model.calls[..10].iter().filter(beyond).count() >= 2);

    // Nowhere a loss.
    model.limit = (0.0, AnalyticError::Diverged);
    let mut s = settings(4, cma_es(2), 5.0, 400);
    s.stop.max_retreats = 2;
    let mut t = tuner(&model, s, &truth, &START);
    assert_eq!(run(&mut model, &mut t), Termination::NonFiniteLoss);
    assert_eq!(t.history().len(), 3);
    assert!(t.best().is_none());

    model.limit = (0.0, AnalyticError::Environment);
    let mut t = tuner(&model, settings(4, cma_es(2), 5.0, 400), &truth, &START);
    assert!(matches!(t.step(&mut model), Err(TuneError::Model { .. })));
    model.limit = (f64::INFINITY, AnalyticError::Environment);
    assert!(
        t.step(&mut model).unwrap().is_none(),
        "the run goes on when the cause is gone"
    );
}

#[test]
fn a_search_with_nothing_left_to_look_at_has_stalled() {
    let mut model = Analytic::exponentials();
    let mut s = settings(4, cma_es(1), 5.0, 5000);
    s.stop.target_loss = None;
    let mut t = tuner(&model, s, &TRUTH, &START);
    assert_eq!(run(&mut model, &mut t), Termination::Stalled);
    assert!(t.best().unwrap().loss < 1e-20);
}

#[test]
fn a_damaged_memory_is_refused() {
    let mut model = Analytic::exponentials();
    let mut t = tuner(&model, settings(4, cma_es(1), 5.0, 3), &TRUTH, &START);
    run(&mut model, &mut t);
    let text = t.checkpoint("").to_json().unwrap();
    let reopen = |text: &str| {
        let checkpoint = Checkpoint::from_json(text).unwrap();
        Tuner::resume(checkpoint, t.settings().clone(), t.objective().clone(), "")
    };
    assert!(reopen(&text).is_ok());
    for (from, to) in [
        ("\\\"sigma\\\":", "\\\"sogma\\\":"),
        ("\\\"p_sigma\\\":[", "\\\"p_sigma\\\":[0.5,"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let refused = reopen(&text.replacen(from, to, 1));
        assert!(
            matches!(
                refused,
                Err(CheckpointError::Shape {
                    found: 0,
                    expected: 4,
                    ..
                })
            ),
            "{to}"
        );
    }
}
