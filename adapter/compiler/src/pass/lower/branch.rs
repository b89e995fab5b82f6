//! IF: both branches are executed, and what they leave behind is joined by selects.

use std::collections::BTreeSet;

use super::execute::{Env, Executor, SystemParts};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::ExprId;
use crate::syntax::ast::{Block, Ident};

/// A condition and whether it holds.
pub(super) type Taken = (ExprId, bool);

impl Executor<'_, '_> {
    /// `IF (condition) { then } ELSE { otherwise }`
    pub(super) fn branches(
        &mut self,
        (condition, span): (ExprId, Span),
        then: &Block,
        otherwise: Option<&Block>,
        env: &mut Env,
    ) {
        let before = env.system.clone();
        let mut taken = env.clone();
        self.path.push((condition, true));
        self.block(then, &mut taken);
        self.path.pop();
        if let Some(otherwise) = otherwise {
            self.path.push((condition, false));
            self.block(otherwise, env);
            self.path.pop();
        }
        self.merge(condition, &taken, env);
        self.merge_systems((condition, span), &before, &taken.system, &mut env.system);
    }

    /// After an IF: what either branch changed becomes a select.
    fn merge(&mut self, condition: ExprId, taken: &Env, env: &mut Env) {
        for (i, (mine, theirs)) in env.variables.iter_mut().zip(&taken.variables).enumerate() {
            // none: INITIAL has not set it yet
            if mine.is_some() || theirs.is_some() {
                let start = self.start(i);
                let joined = (theirs.unwrap_or(start), mine.unwrap_or(start));
                *mine = Some(self.graph.select(condition, joined.0, joined.1));
            }
        }
        for (mine, theirs) in env.scopes.iter_mut().zip(&taken.scopes) {
            for (name, value) in mine.iter_mut() {
                *value = self.join_local(condition, theirs.get(name).copied().flatten(), *value);
            }
        }
        let zero = self.graph.zero();
        let graph = &mut self.graph;
        let mut join = |a: Option<ExprId>, b: Option<ExprId>| match (a, b) {
            (None, None) => None,
            // no current, and no change, where the other branch is taken
            (a, b) => Some(graph.select(condition, a.unwrap_or(zero), b.unwrap_or(zero))),
        };
        if let Some(voltage) = join(Some(taken.voltage), Some(env.voltage)) {
            env.voltage = voltage;
        }
        for (mine, theirs) in env.currents.iter_mut().zip(&taken.currents) {
            *mine = join(*theirs, *mine);
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

    /// A LOCAL, 0 where no branch has set it; what is so is remembered, and when it is not.
    fn join_local(&mut self, condition: ExprId, taken: Option<ExprId>, other: Option<ExprId>) -> Option<ExprId> {
        if taken == other {
            return taken;
        }
        let zero = self.graph.zero();
        let (a, b) = (taken.unwrap_or(zero), other.unwrap_or(zero));
        let joined = self.graph.select(condition, a, b);
        // a condition known now, or twice the same value
        if joined == a && (taken.is_some() || a != b) {
            return taken;
        }
        if joined == b {
            return other;
        }
        let (mut set, mut whole) = (Vec::new(), true);
        for (value, side) in [(taken, true), (other, false)] {
            match value.map(|v| self.partly_set.get(&v)) {
                None => whole = false,
                Some(None) => set.push((condition, side)),
                // set whenever this branch is taken
                Some(Some(when)) if when.iter().any(|w| *w == (condition, side) || self.path.contains(w)) => {
                    set.push((condition, side));
                }
                Some(Some(when)) => {
                    whole = false;
                    set.extend(when);
                }
            }
        }
        if whole {
            self.partly_set.remove(&joined);
        } else {
            self.partly_set.insert(joined, set);
        }
        Some(joined)
    }

    /// True if only some branches have set the value, and none of them need have been taken to get here. Said once.
    fn is_partly_set(&mut self, value: ExprId) -> bool {
        let path = &self.path;
        let partly = self.partly_set.get(&value);
        let found = partly.is_some_and(|when| !when.iter().any(|w| path.contains(w)));
        if found {
            self.partly_set.remove(&value);
        }
        found
    }

    /// Warns if a LOCAL is read that only some branches have set.
    pub(super) fn warn_partly_set(&mut self, name: &str, span: Span, value: ExprId) {
        if self.is_partly_set(value) {
            self.warn_branch(
                span,
                format!("only one branch of an IF sets `{name}`, which is 0 in the other"),
            );
        }
    }

    /// The same of a FUNCTION.
    pub(super) fn warn_partly_returned(&mut self, callee: &Ident, value: ExprId) {
        if self.is_partly_set(value) {
            let message = format!(
                "only one branch of an IF sets the value of FUNCTION `{}`, which is 0 in the other",
                callee.name
            );
            self.warn_branch(callee.span, message);
        }
    }

    fn warn_branch(&mut self, span: Span, message: String) {
        let warning = Diagnostic::warning(Code::ReadBeforeWrite, span, message)
            .note("the simulators leave it undefined there")
            .help("set it before the IF, or in both branches");
        if !self.diagnostics.contains(&warning) {
            self.diagnostics.push(warning);
        }
    }

    /// What the branches say besides rates: the same number of equations, one in the place of the other.
    fn merge_systems(
        &mut self,
        (condition, span): (ExprId, Span),
        before: &SystemParts,
        taken: &SystemParts,
        env: &mut SystemParts,
    ) {
        if taken.equations.len() != env.equations.len() || taken.conserved.len() != env.conserved.len() {
            self.diagnostics.push(
                Diagnostic::error(
                    Code::SingularSystem,
                    span,
                    "the branches of this IF have different numbers of equations",
                )
                .note("how many unknowns a block has is decided when the file is compiled")
                .help("give both branches the same number of equations or CONSERVE statements"),
            );
        }
        let graph = &mut self.graph;
        for (mine, theirs) in env.equations.iter_mut().zip(&taken.equations) {
            mine.0 = graph.select(condition, theirs.0, mine.0);
        }
        for (mine, theirs) in env.conserved.iter_mut().zip(&taken.conserved) {
            mine.0 = graph.select(condition, theirs.0, mine.0);
            mine.1 = graph.select(condition, theirs.1, mine.1);
        }
        let one = graph.constant(1.0);
        let species: BTreeSet<usize> = taken.volumes.keys().chain(env.volumes.keys()).copied().collect();
        for state in species {
            let of = |parts: &SystemParts| parts.volumes.get(&state).or(before.volumes.get(&state)).copied();
            let volume = graph.select(condition, of(taken).unwrap_or(one), of(env).unwrap_or(one));
            env.volumes.insert(state, volume);
        }
    }
}
