//! IF: both branches are executed, and what they leave behind is joined by selects.

use super::execute::{Env, Executor};
use crate::ir::graph::ExprId;

impl Executor<'_, '_> {
    /// After an IF: what either branch changed becomes a select.
    pub(super) fn merge(&mut self, condition: ExprId, taken: &Env, env: &mut Env) {
        let zero = self.graph.zero();
        let graph = &mut self.graph;
        let mut join = |a: Option<ExprId>, b: Option<ExprId>| match (a, b) {
            (None, None) => None,
            // set in one branch only: a correct file reads it only where that branch was taken
            (a, b) => Some(graph.select(condition, a.unwrap_or(zero), b.unwrap_or(zero))),
        };
        for (mine, theirs) in env.variables.iter_mut().zip(&taken.variables) {
            *mine = join(*theirs, *mine);
        }
        if let Some(voltage) = join(Some(taken.voltage), Some(env.voltage)) {
            env.voltage = voltage;
        }
        for (mine, theirs) in env.currents.iter_mut().zip(&taken.currents) {
            *mine = join(*theirs, *mine);
        }
        for (mine, theirs) in env.scopes.iter_mut().zip(&taken.scopes) {
            for (name, value) in mine.iter_mut() {
                *value = join(theirs.get(name).copied().flatten(), *value);
            }
        }
        for (&state, &(rate, span)) in &taken.rates {
            let otherwise = env.rates.get(&state).map(|&(r, _)| r);
            if let Some(joined) = join(Some(rate), otherwise) {
                env.rates.insert(state, (joined, span));
            }
        }
        for (state, (rate, _)) in &mut env.rates {
            if !taken.rates.contains_key(state)
                && let Some(joined) = join(None, Some(*rate))
            {
                *rate = joined;
            }
        }
        for (mine, theirs) in env.conductances.iter_mut().zip(&taken.conductances) {
            *mine = theirs.or(*mine); // the first assignment in the text, whichever branch it stands in
        }
        env.hints.extend(
            taken
                .hints
                .iter()
                .filter(|h| !env.hints.contains(h))
                .copied()
                .collect::<Vec<_>>(),
        );
    }
}
