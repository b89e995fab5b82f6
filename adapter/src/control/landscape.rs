//! Cuts through the loss: its value on a grid of one or two slots around a point, all other slots fixed.
//!
//! The grid is even in the slot's own scale, as random starts are ([`starts`](super::starts)): by factors for `log`, by
//! fractions of the value without transform, from bound to bound for `bounded`.

use super::objective::Objective;
use super::starts::near;
use super::transforms::Transform;
use super::{Model, TuneError};

/// How far the grid reaches: a factor e^±0.5, or half of the value.
const SPAN: f64 = 0.5;

/// One direction of a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct GridAxis {
    /// Index of the slot.
    pub slot: usize,
    /// Its values, slot unit.
    pub values: Vec<f64>,
}

impl GridAxis {
    /// `n` values around `x`, both ends included.
    pub fn around(slot: usize, transform: &Transform, x: f64, n: u32) -> Self {
        let steps = f64::from(n.saturating_sub(1).max(1));
        let value = |i: u32| near(transform, x, SPAN, f64::from(i) / steps);
        Self {
            slot,
            values: (0..n).map(value).collect(),
        }
    }
}

/// The loss over the grid, the last axis fastest; NaN where the model diverges. `progress` hears how many points are
/// done.
///
/// # Errors
/// [`TuneError`].
pub fn landscape<M: Model>(
    model: &mut M,
    objective: &Objective,
    horizon_ms: f64,
    x: &[f64],
    axes: &[GridAxis],
    mut progress: impl FnMut(usize),
) -> Result<Vec<f64>, TuneError<M::Error>> {
    let mut points = vec![x.to_vec()];
    for axis in axes {
        let along = |point: &Vec<f64>| -> Vec<Vec<f64>> {
            let at = |&value: &f64| {
                let mut point = point.clone();
                point[axis.slot] = value;
                point
            };
            axis.values.iter().map(at).collect()
        };
        points = points.iter().flat_map(along).collect();
    }
    // A row at a time: enough for all threads, and traces of a row only are in memory.
    let row = axes.last().map_or(1, |a| a.values.len()).max(1);
    let mut losses = Vec::with_capacity(points.len());
    for chunk in points.chunks(row) {
        for (x, run) in chunk.iter().zip(model.simulate_many(chunk, horizon_ms, false)) {
            losses.push(match run {
                Ok(traces) => objective.loss(&traces, horizon_ms)?,
                Err(source) if M::is_divergence(&source) => f64::NAN,
                Err(source) => {
                    return Err(TuneError::Model {
                        x: x.clone(),
                        t_end_ms: horizon_ms,
                        source,
                    });
                }
            });
        }
        progress(losses.len());
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::test_models::{Analytic, AnalyticError};

    /// `V = a + b t` at t = 0, 1 against (1, 2): L = ((a − 1)² + (a + b − 3)²)/2.
    fn line() -> (Analytic, Objective) {
        let model = Analytic::new(2, 1.0, |x, t| vec![(x[0] + x[1] * t, vec![1.0, t])]);
        let objective = Objective::new(model.target(&[1.0, 2.0], 2.0), vec![], &[]).unwrap();
        (model, objective)
    }

    #[test]
    fn axes_are_even_in_the_slots_own_scale() {
        let axis = |transform: Transform, x: f64| GridAxis::around(0, &transform, x, 5).values;
        let bounded = Transform::Bounded { low: -1.0, high: 3.0 };
        let rows = [
            (axis(Transform::Identity, 4.0), [2.0, 3.0, 4.0, 5.0, 6.0]),
            (axis(Transform::Identity, 0.0), [-0.5, -0.25, 0.0, 0.25, 0.5]),
            (
                axis(Transform::Log, 2.0),
                [-0.5, -0.25, 0.0, 0.25, 0.5].map(|y: f64| 2.0 * y.exp()),
            ),
            (axis(bounded, 2.9), [-1.0, 0.0, 1.0, 2.0, 3.0]),
        ];
        for (found, expected) in rows {
            assert!(
                found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-15),
                "{found:?} {expected:?}"
            );
        }
        assert_eq!(GridAxis::around(0, &Transform::Identity, 4.0, 1).values.len(), 1);
    }

    #[test]
    fn cuts_are_the_formula() {
        let (mut model, objective) = line();
        let formula = |a: f64, b: f64| ((a - 1.0).powi(2) + (a + b - 3.0).powi(2)) / 2.0;
        let a = GridAxis {
            slot: 0,
            values: vec![0.5, 1.0, 7.0],
        };
        let b = GridAxis {
            slot: 1,
            values: vec![-1.0, 2.0],
        };
        let mut heard = Vec::new();
        let at = [9.0, 4.0];
        let both = [b.clone(), a.clone()];
        let found = landscape(&mut model, &objective, 2.0, &at, &both, |n| heard.push(n)).unwrap();
        let expected: Vec<f64> = [-1.0, 2.0]
            .iter()
            .flat_map(|b| [0.5, 1.0, 7.0].map(|a| formula(a, *b)))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(heard, [3, 6]);
        let one = landscape(&mut model, &objective, 2.0, &at, &[a], |_| ()).unwrap();
        assert_eq!(one, [0.5, 1.0, 7.0].map(|a| formula(a, 4.0)));
        assert!(model.calls.iter().all(|(_, _, tangent)| !tangent));
    }

    #[test]
    fn diverging_points_are_holes_and_other_failures_end_it() {
        let (mut model, objective) = line();
        let axis = [GridAxis {
            slot: 0,
            values: vec![1.0, 8.0, 2.0],
        }];
        model.limit = (5.0, AnalyticError::Diverged);
        let found = landscape(&mut model, &objective, 2.0, &[1.0, 2.0], &axis, |_| ()).unwrap();
        assert_eq!(
            found.iter().map(|l| l.is_nan()).collect::<Vec<_>>(),
            [false, true, false]
        );
        model.limit = (5.0, AnalyticError::Environment);
        let found = landscape(&mut model, &objective, 2.0, &[1.0, 2.0], &axis, |_| ());
        assert!(matches!(found, Err(TuneError::Model { x, .. }) if x == [8.0, 2.0]));
    }
}
