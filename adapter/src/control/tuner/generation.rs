//! One iteration without derivatives: a generation of points, simulated side by side.

use super::{Engine, Row, Termination, TuneError, Tuner};
use crate::control::Model;
use crate::control::cma_es::{CmaEs, CmaEsSettings, Spread};

impl Tuner {
    /// One generation; the row gets its best point.
    pub(super) fn generation<M: Model>(
        &mut self,
        model: &mut M,
        settings: CmaEsSettings,
        mut search: CmaEs,
        row: &mut Row,
    ) -> Result<Option<Termination>, TuneError<M::Error>> {
        let Ok(points) = search.ask(&settings, &self.state.y) else {
            return Ok(Some(Termination::NonFiniteLoss));
        };
        let losses = self.losses(model, &points)?;
        let Ok(spread) = search.tell(&settings, &self.state.y, &losses) else {
            return Ok(Some(Termination::NonFiniteLoss));
        };
        self.state.engine = Engine::CmaEs(settings, search);
        let finite = losses.iter().enumerate().filter_map(|(k, loss)| Some((k, (*loss)?)));
        // the first among equals
        let Some((k, loss)) = finite.min_by(|a, b| a.1.total_cmp(&b.1)) else {
            self.state.retreats += 1;
            let hopeless = self.state.retreats > self.settings.stop.max_retreats;
            return Ok(hopeless.then_some(Termination::NonFiniteLoss));
        };
        self.state.retreats = 0;
        self.state.previous = Some(std::mem::replace(&mut self.state.y, points[k].clone()));
        row.x = self.x();
        row.loss = Some(loss);
        row.accepted = true;
        self.note_best(row.horizon_ms, loss, &row.x);
        let mut ended = self.met_stop_rule(loss);
        if ended.is_none() && spread == Spread::Collapsed && self.at_full_horizon() {
            ended = Some(Termination::Stalled);
        }
        if ended.is_none() && !self.at_full_horizon() {
            self.state.growths += 1;
        }
        Ok(ended)
    }

    /// Counts and runs plain simulations of these coordinates up to the present horizon; none where the physical values
    /// or the loss are not finite.
    fn losses<M: Model>(
        &mut self,
        model: &mut M,
        points: &[Vec<f64>],
    ) -> Result<Vec<Option<f64>>, TuneError<M::Error>> {
        let horizon_ms = self.horizon_ms();
        let physical: Vec<Option<Vec<f64>>> = points.iter().map(|y| self.physical(y)).collect();
        let x: Vec<Vec<f64>> = physical.iter().flatten().cloned().collect();
        for _ in &x {
            self.state.counts.plain += 1;
            self.state.counts.plain_ms += horizon_ms;
        }
        let mut runs = model.simulate_many(&x, horizon_ms, false).into_iter();
        let mut losses = Vec::with_capacity(points.len());
        for x in physical {
            let run = x.and_then(|x| Some((x, runs.next()?)));
            losses.push(match run {
                None => None,
                Some((_, Ok(traces))) => Some(self.objective.loss(&traces, horizon_ms)?).filter(|l| l.is_finite()),
                Some((_, Err(source))) if M::is_divergence(&source) => None,
                Some((x, Err(source))) => {
                    return Err(TuneError::Model {
                        x,
                        t_end_ms: horizon_ms,
                        source,
                    });
                }
            });
        }
        Ok(losses)
    }
}
