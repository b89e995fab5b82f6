//! Symbolic execution: statements become expressions.
//!
//! Every variable holds an expression over the kernel's inputs. Calls are inlined, LOCALs are scopes, and the two
//! branches of an IF are both executed and merged by a select, so a kernel ends up as pure expressions: new values as
//! functions of old ones.

use std::collections::BTreeMap;

use super::Integrator;
use super::symbols::{Symbol, Symbols};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::{Binary, ExprId, Graph, Leaf, Unary};
use crate::syntax::ast::{BinaryOp, Block, Callable, Expr, ExprKind, Ident, Place, Statement, StatementKind, UnaryOp};

/// Statements a kernel may execute, inlined calls counted: nested calls could otherwise grow without bound.
const STATEMENT_BUDGET: usize = 100_000;
/// Nodes of a graph, for the same reason.
const NODE_BUDGET: usize = 1_000_000;
/// Depth of inlined calls.
const CALL_DEPTH: usize = 64;

/// The placeholder that stands for `v` where a conductance is derived.
pub(super) const V_OF_CURRENT: Leaf = Leaf::Placeholder(0);

/// A place where a derivative may be one-sided: the expressions that decide which side.
#[derive(Debug, Clone)]
pub(crate) struct Kink {
    pub(crate) span: Span,
    pub(crate) decided_by: Vec<ExprId>,
    pub(crate) what: &'static str,
}

/// What the variables hold at one point of a kernel.
#[derive(Debug, Clone)]
pub(super) struct Env {
    /// STATE and ASSIGNED.
    pub(super) variables: Vec<Option<ExprId>>,
    /// Currents written so far.
    pub(super) currents: Vec<Option<ExprId>>,
    /// ∂(first assigned right-hand side)/∂v, other names held constant.
    pub(super) conductances: Vec<Option<ExprId>>,
    /// Right-hand sides of `x' = …` seen.
    pub(super) rates: BTreeMap<usize, (ExprId, Span)>,
    /// Values of the CONDUCTANCE hints, at the end of the block that holds them.
    pub(super) hints: Vec<ExprId>,
    /// Hints met in blocks that have not ended.
    pending_hints: Vec<(String, Span)>,
    voltage: ExprId,
    scopes: Vec<BTreeMap<String, Option<ExprId>>>,
}

/// Executes the blocks of one file over one graph.
pub(super) struct Executor<'a, 's> {
    pub(super) graph: Graph,
    pub(super) symbols: &'s Symbols<'a>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) kinks: Vec<Kink>,
    pub(super) integrator: Integrator,
    /// While a `cnexp` block runs: an equation moves its state at once, as both simulators do, so that what the block
    /// assigns below it sees the new value.
    pub(super) steps_in_place: bool,
    /// While a conductance is derived: whether Arbor's compiler would give up on the expression.
    conductance_fails: Option<bool>,
    calls: Vec<String>,
    budget: usize,
    exhausted: bool,
    /// The statement of the kernel itself, outside all calls, that is being executed.
    outermost: Span,
}

impl<'a, 's> Executor<'a, 's> {
    pub(super) fn new(symbols: &'s Symbols<'a>, integrator: Integrator) -> Self {
        Self {
            graph: Graph::default(),
            symbols,
            diagnostics: Vec::new(),
            kinks: Vec::new(),
            integrator,
            steps_in_place: false,
            conductance_fails: None,
            calls: Vec::new(),
            budget: STATEMENT_BUDGET,
            exhausted: false,
            outermost: Span::default(),
        }
    }

    /// The state of affairs when a kernel starts: every variable is what was stored.
    pub(super) fn entry(&mut self) -> Env {
        let variables = (0..self.symbols.variables.len())
            .map(|i| Some(self.graph.leaf(Leaf::State(u32::try_from(i).unwrap_or(u32::MAX)))))
            .collect();
        let n = self.symbols.currents.len();
        Env {
            variables,
            currents: vec![None; n],
            conductances: vec![None; n],
            rates: BTreeMap::new(),
            hints: Vec::new(),
            pending_hints: Vec::new(),
            voltage: self.graph.leaf(Leaf::Voltage),
            scopes: Vec::new(),
        }
    }

    /// The state of affairs when INITIAL starts: nothing is set.
    pub(super) fn blank(&mut self) -> Env {
        let mut env = self.entry();
        env.variables.fill(None);
        env
    }

    pub(super) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::error(code, span, message);
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn spend(&mut self, span: Span) -> bool {
        if self.calls.is_empty() {
            self.outermost = span;
        }
        if self.budget == 0 || self.graph.len() > NODE_BUDGET {
            if !self.exhausted {
                self.exhausted = true;
                self.diagnostics.push(
                    Diagnostic::error(
                        Code::NestingTooDeep,
                        self.outermost,
                        "the calls of this block expand to too many statements",
                    )
                    .note("every call is inlined where it stands")
                    .help("store intermediate results in LOCAL variables instead of nesting calls"),
                );
            }
            return false;
        }
        self.budget -= 1;
        true
    }

    /// Runs the statements of a block in a scope of their own.
    pub(super) fn block(&mut self, block: &Block, env: &mut Env) {
        self.filtered_block(block, env, |_| true);
    }

    /// Ends a block: CONDUCTANCE means its variable's value here, wherever in the block it stands.
    fn leave(&mut self, env: &mut Env) {
        for (name, span) in std::mem::take(&mut env.pending_hints) {
            let value = self.name(&name, span, env);
            env.hints.push(value);
        }
        env.scopes.pop();
    }

    /// Runs some statements of a block in its scope; `keep` chooses them.
    pub(super) fn filtered_block(&mut self, block: &Block, env: &mut Env, keep: impl Fn(&StatementKind) -> bool) {
        let scope = block.locals.iter().map(|l| (l.name.clone(), None)).collect();
        env.scopes.push(scope);
        for statement in block.statements.iter().filter(|s| keep(&s.kind)) {
            self.statement(statement, env);
        }
        self.leave(env);
    }

    fn statement(&mut self, statement: &Statement, env: &mut Env) {
        if !self.spend(statement.span) {
            return;
        }
        match &statement.kind {
            StatementKind::Assign { target, value } => self.assign(target, value, env),
            StatementKind::Derivative { state, value } => {
                let rate = self.expr(value, env);
                let state = &state.name;
                match self.symbols.by_name.get(&state.name) {
                    Some(&Symbol::Variable(i)) if self.symbols.variables[i].is_state => {
                        env.rates.insert(i, (rate, statement.span));
                        if self.steps_in_place {
                            env.variables[i] = Some(self.cnexp_step(i, rate));
                        }
                    }
                    Some(_) => {
                        self.error(
                            Code::NotAssignable,
                            state.span,
                            format!("`{}` is not a STATE", state.name),
                        );
                    }
                    None => self.error(
                        Code::UnknownName,
                        state.span,
                        format!("`{}` is not declared", state.name),
                    ),
                }
            }
            StatementKind::If {
                condition,
                then,
                otherwise,
            } => {
                let condition_value = self.expr(condition, env);
                let condition_value = self.graph.truth(condition_value);
                self.kinks.push(Kink {
                    span: condition.span,
                    decided_by: vec![condition_value],
                    what: "this condition",
                });
                let mut taken = env.clone();
                self.block(then, &mut taken);
                if let Some(otherwise) = otherwise {
                    self.block(otherwise, env);
                }
                self.merge(condition_value, &taken, env);
            }
            StatementKind::Call { callee, args } => {
                let values: Vec<ExprId> = args.iter().map(|a| self.expr(a, env)).collect();
                if let Some(&procedure) = self.symbols.procedures.get(&callee.name) {
                    self.inline(procedure, callee, &values, env, false);
                } else if let Some(&function) = self.symbols.functions.get(&callee.name) {
                    self.inline(function, callee, &values, env, true);
                } else {
                    self.error(
                        Code::UnknownFunction,
                        callee.span,
                        format!("there is no PROCEDURE `{}` in this file", callee.name),
                    );
                }
            }
            StatementKind::Solve { .. } => self.error(
                Code::Unsupported,
                statement.span,
                "SOLVE is only supported as a statement of BREAKPOINT itself",
            ),
            StatementKind::Conductance { conductance, .. } => {
                // Arbor's compiler reads the hint and ignores it
                if self.integrator == Integrator::Neuron {
                    env.pending_hints.push((conductance.name.clone(), conductance.span));
                }
            }
            StatementKind::Table { .. } => {
                let warning = Diagnostic::warning(
                    Code::Ignored,
                    statement.span,
                    "TABLE is replaced by the exact expressions",
                )
                .note("interpolation errors of the table, and its range, do not apply");
                if !self.diagnostics.contains(&warning) {
                    self.diagnostics.push(warning);
                }
            }
            StatementKind::Block(inner) => self.block(inner, env),
            StatementKind::For { .. }
            | StatementKind::While { .. }
            | StatementKind::Reaction { .. }
            | StatementKind::Influx { .. }
            | StatementKind::Equation { .. }
            | StatementKind::Conserve { .. }
            | StatementKind::Compartment { .. } => {
                self.error(Code::Unsupported, statement.span, "this statement is not supported yet");
            }
        }
    }

    fn assign(&mut self, target: &Place, value: &Expr, env: &mut Env) {
        let target = &target.name;
        let new = self.expr(value, env);
        if let Some(slot) = env.scopes.iter_mut().rev().find_map(|s| s.get_mut(&target.name)) {
            *slot = Some(new);
            return;
        }
        match self.symbols.by_name.get(&target.name) {
            Some(&Symbol::Variable(i)) => env.variables[i] = Some(new),
            Some(&Symbol::Current(i)) => {
                if env.conductances[i].is_none() && self.integrator == Integrator::Arbor {
                    env.conductances[i] = Some(self.conductance(value, env));
                }
                env.currents[i] = Some(new);
            }
            Some(Symbol::Parameter(_) | Symbol::Global(_)) => {
                self.error(
                    Code::NotAssignable,
                    target.span,
                    format!("`{}` is a PARAMETER and keeps its value", target.name),
                );
            }
            Some(_) => self.error(
                Code::NotAssignable,
                target.span,
                format!("`{}` cannot be assigned here", target.name),
            ),
            None => self.error(
                Code::UnknownName,
                target.span,
                format!("`{}` is not declared", target.name),
            ),
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

    /// After an IF: what either branch changed becomes a select.
    fn merge(&mut self, condition: ExprId, taken: &Env, env: &mut Env) {
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

    fn inline(&mut self, callee: &Callable, at: &Ident, args: &[ExprId], env: &mut Env, is_function: bool) -> ExprId {
        let nan = self.graph.constant(f64::NAN);
        if self.calls.contains(&callee.name.name) {
            self.error(Code::Recursion, at.span, format!("`{}` calls itself", at.name));
            return nan;
        }
        if self.calls.len() >= CALL_DEPTH {
            self.error(Code::NestingTooDeep, at.span, "calls are nested too deeply");
            return nan;
        }
        if args.len() != callee.params.len() {
            self.error(
                Code::ArgumentCount,
                at.span,
                format!(
                    "`{}` takes {} arguments, not {}",
                    at.name,
                    callee.params.len(),
                    args.len()
                ),
            );
            return nan;
        }
        let mut scope: BTreeMap<String, Option<ExprId>> = callee
            .params
            .iter()
            .zip(args)
            .map(|(p, &a)| (p.name.clone(), Some(a)))
            .collect();
        if is_function {
            scope.insert(callee.name.name.clone(), None);
        }
        let outer = std::mem::replace(&mut env.scopes, vec![scope]);
        self.calls.push(callee.name.name.clone());
        self.block(&callee.body, env);
        self.calls.pop();
        let inner = std::mem::replace(&mut env.scopes, outer);
        if !is_function {
            return nan;
        }
        match inner.first().and_then(|s| s.get(&callee.name.name)).copied().flatten() {
            Some(value) => value,
            None if self.exhausted => nan, // its body was cut short
            None => {
                self.error(
                    Code::NoReturnValue,
                    callee.name.span,
                    format!("FUNCTION `{}` never sets its value", callee.name.name),
                );
                nan
            }
        }
    }

    fn name(&mut self, name: &str, span: Span, env: &Env) -> ExprId {
        let local = env.scopes.iter().rev().find_map(|s| s.get(name));
        if let Some(value) = local {
            if let Some(value) = value {
                return *value;
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
            Some(Symbol::Dt) => self.graph.leaf(Leaf::Dt),
            Some(Symbol::Celsius) => self.graph.leaf(Leaf::Celsius),
            Some(Symbol::Diam) => self.graph.leaf(Leaf::Diam),
            Some(Symbol::Area) => self.graph.leaf(Leaf::Area),
            Some(&Symbol::Constant(value)) => self.graph.constant(value),
            Some(&Symbol::Parameter(i)) => self.graph.leaf(Leaf::Parameter(i)),
            Some(&Symbol::Global(i)) => self.graph.leaf(Leaf::Global(i)),
            Some(&Symbol::IonRead(i)) => self.graph.leaf(Leaf::IonRead(i)),
            Some(&Symbol::Variable(i)) => match env.variables[i] {
                Some(value) => value,
                None => {
                    self.error(
                        Code::ReadBeforeWrite,
                        span,
                        format!("`{name}` is read before INITIAL sets it"),
                    );
                    self.graph.zero()
                }
            },
            Some(&Symbol::Current(i)) => match env.currents[i] {
                Some(value) => value,
                None => {
                    self.error(
                        Code::ReadBeforeWrite,
                        span,
                        format!("current `{name}` is read before it is set"),
                    );
                    self.graph.zero()
                }
            },
            Some(Symbol::Time) => {
                self.diagnostics.push(
                    Diagnostic::error(Code::Unsupported, span, "`t` is not visible to density mechanisms")
                        .note("Arbor hides the time from mechanisms")
                        .help("integrate a STATE with x' = 1 from INITIAL { x = 0 }"),
                );
                self.graph.zero()
            }
            None => {
                self.error(Code::UnknownName, span, format!("`{name}` is not declared"));
                self.graph.zero()
            }
        }
    }

    fn expr(&mut self, expr: &Expr, env: &mut Env) -> ExprId {
        match &expr.kind {
            ExprKind::Number(value) => self.graph.constant(*value),
            ExprKind::Name(name) => self.name(name, expr.span, env),
            ExprKind::Element(name, _) => {
                self.error(Code::Unsupported, name.span, "arrays are not supported yet");
                self.graph.zero()
            }
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

    fn number(&mut self, expr: &Expr, env: &mut Env) -> ExprId {
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
