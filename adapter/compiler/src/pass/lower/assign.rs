//! Assignments and equations: where a value goes, and what a current's first one is as a conductance.

use std::collections::BTreeMap;

use super::Integrator;
use super::execute::{Env, Executor, InPlace, V_OF_CURRENT};
use super::solve;
use super::symbols::{Role, Symbol};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::ExprId;
use crate::ir::mechanism::Kind;
use crate::syntax::ast::{Expr, ExprKind, Ident, Place};

/// What an assignment may set.
enum Target {
    Local(String),
    Variable(usize),
    Current(usize),
    Voltage,
}

impl Executor<'_, '_> {
    pub(super) fn assign(&mut self, place: &Place, value: &Expr, env: &mut Env) {
        let new = self.number(value, env);
        let Some(target) = self.target(place, env) else { return };
        match target {
            Target::Local(name) => {
                self.speak(new, &name);
                if let Some(slot) = env.scopes.iter_mut().rev().find_map(|s| s.get_mut(&name)) {
                    *slot = Some(new);
                }
            }
            Target::Variable(i) => {
                self.speak(new, &place.name.name);
                env.variables[i] = Some(new);
            }
            Target::Voltage => env.voltage = new,
            Target::Current(i) => {
                if env.conductances[i].is_none() && self.integrator == Integrator::Arbor {
                    env.conductances[i] = Some(self.conductance(value, env));
                }
                env.currents[i] = Some(new);
                if let Some(shadow) = self.symbols.currents[i].shadow {
                    env.variables[shadow] = Some(new);
                }
            }
        }
    }

    fn target(&mut self, place: &Place, env: &mut Env) -> Option<Target> {
        let name = &place.name;
        if place.index.is_none() && env.scopes.iter().rev().any(|s| s.contains_key(&name.name)) {
            return Some(Target::Local(name.name.clone()));
        }
        let refused = match self.symbols.by_name.get(&name.name) {
            Some(&Symbol::Array { first, len }) => {
                let index = self.index(name, place.index.as_ref(), len, env)?;
                return Some(Target::Variable(first + index));
            }
            Some(_) if place.index.is_some() => {
                self.error(Code::BadIndex, name.span, format!("`{}` is not an array", name.name));
                return None;
            }
            Some(&Symbol::Variable(i)) if self.symbols.variables[i].role != Role::Time => {
                return Some(Target::Variable(i));
            }
            Some(&Symbol::Current(i)) => return Some(Target::Current(i)),
            Some(Symbol::Voltage) if self.symbols.kind == Kind::Voltage => return Some(Target::Voltage),
            Some(Symbol::Parameter(_) | Symbol::Global(_)) => Diagnostic::error(
                Code::NotAssignable,
                name.span,
                format!("`{}` is a PARAMETER and keeps its value", name.name),
            ),
            Some(_) => Diagnostic::error(
                Code::NotAssignable,
                name.span,
                format!("`{}` cannot be assigned here", name.name),
            ),
            None => Diagnostic::error(Code::UnknownName, name.span, format!("`{}` is not declared", name.name)),
        };
        if !self.diagnostics.contains(&refused) {
            self.diagnostics.push(refused);
        }
        None
    }

    /// The element that an index means; known when the file is compiled.
    pub(super) fn index(&mut self, array: &Ident, index: Option<&Expr>, len: usize, env: &mut Env) -> Option<usize> {
        let Some(index) = index else {
            self.error(
                Code::BadIndex,
                array.span,
                format!("`{}` is an array and needs an index", array.name),
            );
            return None;
        };
        let value = self.number(index, env);
        let found = self.graph.as_constant(value);
        let position = found.and_then(whole).filter(|&i| i < len);
        if position.is_none() {
            let what = match found {
                Some(x) => format!("the index {x} is none of the {len} elements of `{}`", array.name),
                None => format!("the index of `{}` is not known when the file is compiled", array.name),
            };
            self.error(Code::BadIndex, index.span, what);
        }
        position
    }

    /// `x' = e`
    pub(super) fn equation(&mut self, state: &Place, value: &Expr, span: Span, env: &mut Env) {
        let rate = self.number(value, env);
        match self.target(state, env) {
            Some(Target::Variable(i)) if self.symbols.variables[i].is_state => {
                env.rates.insert(i, (rate, span));
                match self.in_place {
                    Some(InPlace::Cnexp) => env.variables[i] = Some(self.cnexp_step(i, rate)),
                    Some(InPlace::Stochastic) => {
                        if let Some(now) = env.variables[i] {
                            let next = self.stochastic_step(now, rate, span);
                            let placeholder = solve::moved(self.symbols.variables.len(), self.moved.len());
                            self.moved.push((placeholder, next));
                            env.variables[i] = Some(self.graph.leaf(placeholder));
                        }
                    }
                    None => {}
                }
            }
            Some(_) => {
                let name = &state.name;
                self.error(
                    Code::NotAssignable,
                    name.span,
                    format!("`{}` is not a STATE", name.name),
                );
            }
            None => {}
        }
    }

    /// Arbor's conductance of a current whose first assignment has this right-hand side (host-numerics.md §7.4): its
    /// derivative by `v` where it is written, with LOCALs and calls of FUNCTIONs held constant; nothing if it calls a
    /// function that modcc's differentiation does not know.
    fn conductance(&mut self, value: &Expr, env: &Env) -> ExprId {
        let mut view = env.clone();
        view.voltage = self.graph.leaf(V_OF_CURRENT);
        let (kinks, said) = (self.kinks.len(), self.diagnostics.len());
        self.conductance_fails = Some(false);
        let of_v = self.expr(value, &mut view);
        let fails = self.conductance_fails.take() == Some(true);
        // the expression has been evaluated before: whatever it gave rise to is known
        self.kinks.truncate(kinks);
        self.diagnostics.truncate(said);
        if fails {
            return self.graph.zero();
        }
        let slope = crate::pass::differentiate::derivative(&mut self.graph, of_v, V_OF_CURRENT);
        self.graph
            .substitute(&[slope], &BTreeMap::from([(V_OF_CURRENT, env.voltage)]))[0]
    }
}

/// A small whole number.
fn whole(x: f64) -> Option<usize> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number of this size"
    )]
    let n = ((0.0..=1e6).contains(&x) && x.fract() == 0.0).then_some(x as usize);
    n
}

/// The place that an expression names, if it is one.
pub(super) fn as_place(expr: &Expr) -> Option<Place> {
    let (name, index) = match &expr.kind {
        ExprKind::Name(name) => (
            Ident {
                name: name.clone(),
                span: expr.span,
            },
            None,
        ),
        ExprKind::Element(name, index) => (name.clone(), Some((**index).clone())),
        ExprKind::Number(_) | ExprKind::Unary(..) | ExprKind::Binary(..) | ExprKind::Call(..) => return None,
    };
    Some(Place { name, index })
}
