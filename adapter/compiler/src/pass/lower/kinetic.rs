//! Statements of KINETIC blocks and loops: reactions become rates, loops are unrolled.

use super::execute::{Env, Executor};
use super::symbols::Symbol;
use crate::diagnostic::{Code, Span};
use crate::ir::graph::{Binary, ExprId};
use crate::syntax::ast::{Block, Expr, ExprKind, Ident, Place, Species};

/// What a reaction calls its fluxes afterwards.
pub(super) const FLUXES: [&str; 2] = ["f_flux", "b_flux"];

/// Turns of a loop that are unrolled.
const MOST_TURNS: u32 = 10_000;

impl Executor<'_, '_> {
    /// `FROM i = a TO b { … }`, unrolled.
    pub(super) fn repeat(
        &mut self,
        variable: &Ident,
        (from, to, by): (&Expr, &Expr, Option<&Expr>),
        body: &Block,
        env: &mut Env,
    ) {
        let mut bound = |expr: &Expr| {
            let value = self.number(expr, env);
            let known = self.graph.as_constant(value).filter(|x| x.is_finite());
            if known.is_none() {
                self.error(
                    Code::UnboundedLoop,
                    expr.span,
                    "this bound is not known when the file is compiled",
                );
            }
            known
        };
        let (first, last) = (bound(from), bound(to));
        let step = by.map_or(Some(1.0), &mut bound);
        let (Some(first), Some(last), Some(step)) = (first, last, step) else {
            return;
        };
        if step == 0.0 {
            self.error(Code::UnboundedLoop, variable.span, "the step of this loop is 0");
            return;
        }
        let mut turns: u32 = 0;
        let mut now = first;
        while (step > 0.0 && now <= last) || (step < 0.0 && now >= last) {
            if turns >= MOST_TURNS || self.is_exhausted() {
                self.error(
                    Code::UnboundedLoop,
                    variable.span,
                    "this loop has too many turns to unroll",
                );
                return;
            }
            let value = self.graph.constant(now);
            self.block_with(body, &[(variable.name.as_str(), Some(value))], env);
            turns += 1;
            now = f64::from(turns).mul_add(step, first);
        }
    }

    /// `WHILE (c) { … }`, unrolled as long as the condition is known.
    pub(super) fn repeat_while(&mut self, condition: &Expr, body: &Block, env: &mut Env) {
        for _ in 0..MOST_TURNS {
            let value = self.number(condition, env);
            match self.graph.as_constant(value) {
                Some(0.0) => return,
                Some(_) if !self.is_exhausted() => self.block(body, env),
                Some(_) => break,
                None => {
                    self.error(
                        Code::UnboundedLoop,
                        condition.span,
                        "whether this loop goes on is not known when the file is compiled",
                    );
                    return;
                }
            }
        }
        self.error(
            Code::UnboundedLoop,
            condition.span,
            "this loop has too many turns to unroll",
        );
    }

    /// `~ a + 2 b <-> c (f, r)`
    pub(super) fn reaction(
        &mut self,
        (left, right): (&[Species], &[Species]),
        (forward, backward): (&Expr, Option<&Expr>),
        span: Span,
        env: &mut Env,
    ) {
        let forward = self.number(forward, env);
        let forward = self.mass_action(forward, left, env);
        let backward = match backward {
            Some(rate) => {
                let rate = self.number(rate, env);
                self.mass_action(rate, right, env)
            }
            None => self.graph.zero(),
        };
        let net = self.graph.sub(forward, backward);
        for (side, sign) in [(left, -1.0), (right, 1.0)] {
            for species in side {
                let factor = self.graph.constant(sign * species.count);
                let change = self.graph.mul(factor, net);
                self.add_rate(&species.place, change, span, env);
            }
        }
        for (name, value) in FLUXES.into_iter().zip([forward, backward]) {
            env.bind(name, value);
        }
    }

    /// `~ a << (rate)`
    pub(super) fn influx(&mut self, species: &Species, rate: &Expr, span: Span, env: &mut Env) {
        let rate = self.number(rate, env);
        self.add_rate(&species.place, rate, span, env);
        let zero = self.graph.zero();
        for (name, value) in FLUXES.into_iter().zip([rate, zero]) {
            env.bind(name, value);
        }
    }

    fn mass_action(&mut self, rate: ExprId, side: &[Species], env: &mut Env) -> ExprId {
        let mut product = rate;
        for species in side {
            let amount = self.value_of(&species.place, env);
            let count = self.graph.constant(species.count);
            let power = self.graph.binary(Binary::Pow, amount, count);
            product = self.graph.mul(product, power);
        }
        product
    }

    fn value_of(&mut self, place: &Place, env: &mut Env) -> ExprId {
        let (span, name) = (place.name.span, place.name.clone());
        let kind = match &place.index {
            Some(index) => ExprKind::Element(name, Box::new(index.clone())),
            None => ExprKind::Name(name.name),
        };
        self.number(&Expr { kind, span }, env)
    }

    /// Adds to the rate of a species; what is no STATE is a reservoir that nothing changes.
    fn add_rate(&mut self, place: &Place, change: ExprId, span: Span, env: &mut Env) {
        let Some(variable) = self.variable_of(place, env) else {
            return;
        };
        if !self.symbols.variables[variable].is_state {
            return;
        }
        let zero = self.graph.zero();
        let (so_far, first) = env.rates.get(&variable).copied().unwrap_or((zero, span));
        let sum = self.graph.add(so_far, change);
        env.rates.insert(variable, (sum, first));
    }

    /// `COMPARTMENT i, volume { a b }`
    pub(super) fn compartment(&mut self, index: Option<&Ident>, volume: &Expr, species: &[Ident], env: &mut Env) {
        for ident in species {
            let (first, len) = match self.symbols.by_name.get(&ident.name) {
                Some(&Symbol::Array { first, len }) => (first, len),
                Some(&Symbol::Variable(i)) => (i, 1),
                Some(_) => continue, // a reservoir
                None => {
                    self.error(
                        Code::UnknownName,
                        ident.span,
                        format!("`{}` is not declared", ident.name),
                    );
                    continue;
                }
            };
            for i in 0..len {
                let value = match index {
                    Some(index) => {
                        let at = self.graph.constant(i as f64);
                        self.number_with(volume, &index.name, at, env)
                    }
                    None => self.number(volume, env),
                };
                env.system.volumes.insert(first + i, value);
            }
        }
    }
}
