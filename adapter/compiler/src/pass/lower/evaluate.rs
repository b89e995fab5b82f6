//! Expressions: names, operators and calls become nodes of the graph.

use super::execute::{Env, Executor, Kink};
use super::symbols::{Role, Symbol};
use crate::diagnostic::Code;
use crate::diagnostic::Span;
use crate::ir::graph::{Binary, ExprId, Leaf, Unary};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Ident, UnaryOp};

impl Executor<'_, '_> {
    pub(super) fn name(&mut self, name: &str, span: Span, env: &Env) -> ExprId {
        let local = env.scopes.iter().rev().find_map(|s| s.get(name));
        if let Some(value) = local {
            if let Some(&value) = value.as_ref() {
                self.warn_partly_set(name, span, value);
                return value;
            }
            self.error(
                Code::ReadBeforeWrite,
                span,
                format!("`{name}` is read before it is set"),
            );
            return self.graph.zero();
        }
        match self.symbols.by_name.get(name) {
            Some(Symbol::Voltage) => env.voltage,
            Some(Symbol::PeerVoltage) => self.graph.leaf(Leaf::PeerVoltage),
            Some(&Symbol::Noise(i)) => self.graph.leaf(Leaf::Noise(i)),
            Some(Symbol::Array { .. }) => {
                self.error(Code::BadIndex, span, format!("`{name}` is an array and needs an index"));
                self.graph.zero()
            }
            Some(Symbol::Dt) => self.graph.leaf(Leaf::Dt),
            Some(Symbol::Celsius) => self.graph.leaf(Leaf::Celsius),
            Some(Symbol::Diam) => self.graph.leaf(Leaf::Diam),
            Some(Symbol::Area) => self.graph.leaf(Leaf::Area),
            Some(&Symbol::Constant(value)) => self.graph.constant(value),
            Some(&Symbol::Parameter(i)) => self.graph.leaf(Leaf::Parameter(i)),
            Some(&Symbol::Global(i)) => self.graph.leaf(Leaf::Global(i)),
            Some(&Symbol::IonRead(i)) => self.graph.leaf(Leaf::IonRead(i)),
            Some(&Symbol::Variable(i)) if self.symbols.variables[i].role == Role::Time => env.time,
            Some(&Symbol::Variable(i)) => match env.variables[i] {
                Some(value) => value,
                None => self.unset(i, span),
            },
            Some(&Symbol::Current(i)) => {
                let current = &self.symbols.currents[i];
                let last = current.shadow.and_then(|s| env.variables[s]);
                match (env.currents[i], current.read) {
                    (Some(value), _) => value,
                    (None, Some(read)) => self.graph.leaf(Leaf::IonRead(read)),
                    (None, None) => last.unwrap_or_else(|| self.graph.zero()),
                }
            }
            None => {
                self.error(Code::UnknownName, span, format!("`{name}` is not declared"));
                self.graph.zero()
            }
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr, env: &mut Env) -> ExprId {
        match &expr.kind {
            ExprKind::Number(value) => self.graph.constant(*value),
            ExprKind::Name(name) => self.name(name, expr.span, env),
            ExprKind::Element(name, index) => self.element(name, index, env),
            ExprKind::Unary(UnaryOp::Neg, a) => {
                let a = self.number(a, env);
                self.graph.neg(a)
            }
            ExprKind::Unary(UnaryOp::Not, a) => {
                let a = self.expr(a, env);
                let a = self.graph.truth(a);
                self.graph.unary(Unary::Not, a)
            }
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, env),
            ExprKind::Call(callee, args) => self.call(callee, args, env),
        }
    }

    fn element(&mut self, name: &Ident, index: &Expr, env: &mut Env) -> ExprId {
        let Some(&Symbol::Array { first, len }) = self.symbols.by_name.get(&name.name) else {
            if self.symbols.by_name.contains_key(&name.name) {
                self.error(Code::BadIndex, name.span, format!("`{}` is not an array", name.name));
            } else {
                self.error(Code::UnknownName, name.span, format!("`{}` is not declared", name.name));
            }
            return self.graph.zero();
        };
        let Some(index) = self.index(name, Some(index), len, env) else {
            return self.graph.zero();
        };
        match env.variables[first + index] {
            Some(value) => value,
            None => self.unset(first + index, name.span),
        }
    }

    pub(super) fn number(&mut self, expr: &Expr, env: &mut Env) -> ExprId {
        let value = self.expr(expr, env);
        self.graph.number(value)
    }

    fn binary(&mut self, op: BinaryOp, a: &Expr, b: &Expr, env: &mut Env) -> ExprId {
        if let BinaryOp::And | BinaryOp::Or = op {
            let (a, b) = (self.expr(a, env), self.expr(b, env));
            let (a, b) = (self.graph.truth(a), self.graph.truth(b));
            return self
                .graph
                .binary(if op == BinaryOp::And { Binary::And } else { Binary::Or }, a, b);
        }
        let (a, b) = (self.number(a, env), self.number(b, env));
        match op {
            BinaryOp::Add => self.graph.add(a, b),
            BinaryOp::Sub => self.graph.sub(a, b),
            BinaryOp::Mul => self.graph.mul(a, b),
            BinaryOp::Div => self.graph.div(a, b),
            BinaryOp::Pow => self.graph.binary(Binary::Pow, a, b),
            BinaryOp::Lt => self.graph.binary(Binary::Lt, a, b),
            BinaryOp::Le => self.graph.binary(Binary::Le, a, b),
            BinaryOp::Gt => self.graph.binary(Binary::Lt, b, a),
            BinaryOp::Ge => self.graph.binary(Binary::Le, b, a),
            BinaryOp::Eq => self.graph.binary(Binary::Eq, a, b),
            BinaryOp::Ne => self.graph.binary(Binary::Ne, a, b),
            BinaryOp::And | BinaryOp::Or => unreachable!("handled above"),
        }
    }

    fn call(&mut self, callee: &Ident, args: &[Expr], env: &mut Env) -> ExprId {
        let user = self.symbols.functions.get(&callee.name).copied();
        if self.conductance_fails.is_some() && user.is_some() {
            // a constant of the conductance: the call sees the voltage itself
            let view = self.conductance_fails.take();
            let placeholder = std::mem::replace(&mut env.voltage, self.graph.leaf(Leaf::Voltage));
            let value = self.call(callee, args, env);
            env.voltage = placeholder;
            self.conductance_fails = view;
            return value;
        }
        let values: Vec<ExprId> = args.iter().map(|a| self.number(a, env)).collect();
        if let Some(function) = user {
            if !self.spend(callee.span) {
                return self.graph.zero();
            }
            return self.inline(function, callee, &values, env, true);
        }
        if self.symbols.procedures.contains_key(&callee.name) {
            self.error(
                Code::UnknownFunction,
                callee.span,
                format!("PROCEDURE `{}` has no value", callee.name),
            );
            return self.graph.zero();
        }
        let Some(arity) = super::builtin::arity(&callee.name) else {
            self.error(
                Code::UnknownFunction,
                callee.span,
                format!("there is no function `{}`", callee.name),
            );
            return self.graph.zero();
        };
        if arity != values.len() {
            self.error(
                Code::ArgumentCount,
                callee.span,
                format!("`{}` takes {arity} arguments, not {}", callee.name, values.len()),
            );
            return self.graph.zero();
        }
        if self.conductance_fails.is_some() && !super::builtin::modcc_differentiates(&callee.name) {
            self.conductance_fails = Some(true);
        }
        if let Some(what) = super::builtin::kink(&callee.name) {
            self.kinks.push(Kink {
                span: callee.span,
                decided_by: values.clone(),
                what,
            });
        }
        super::builtin::build(&mut self.graph, &callee.name, &values)
    }
}
