//! Symbolic execution: statements become expressions.
//!
//! Every variable holds an expression over the kernel's inputs. Calls are inlined, LOCALs are scopes, and the two
//! branches of an IF are both executed and merged by a select, so a kernel ends up as pure expressions: new values as
//! functions of old ones.

use std::collections::BTreeMap;

use super::Integrator;
use super::assign::as_place;
use super::branch::Taken;
use super::symbols::{Role, Symbol, Symbols};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::{ExprId, Graph, Leaf, Node};
use crate::ir::mechanism::LinearSolve;
use crate::syntax::ast::{Block, Callable, Expr, Ident, Place, Statement, StatementKind};

/// Statements a kernel may execute, inlined calls counted: nested calls could otherwise grow without bound.
const STATEMENT_BUDGET: usize = 100_000;
/// Nodes of a graph, for the same reason.
const NODE_BUDGET: usize = 300_000;
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

/// What the source calls an expression, for those who write the expression out again.
#[derive(Debug, Clone)]
pub(super) struct Spoken {
    pub(super) value: ExprId,
    pub(super) name: String,
    /// Position in [`Executor::stood_for`] of what placeholders in the expression stand for.
    pub(super) block: usize,
}

/// What the variables hold at one point of a kernel.
#[derive(Debug, Clone)]
pub(super) struct Env {
    /// By position in the table of variables; none where INITIAL has not set it yet.
    pub(super) variables: Vec<Option<ExprId>>,
    /// Currents written so far.
    pub(super) currents: Vec<Option<ExprId>>,
    /// ∂(first assigned right-hand side)/∂v, other names held constant.
    pub(super) conductances: Vec<Option<ExprId>>,
    /// Right-hand sides of `x' = …` seen.
    pub(super) rates: BTreeMap<usize, (ExprId, Span)>,
    /// Values of the CONDUCTANCE hints, at the end of the block that holds them.
    pub(super) hints: Vec<ExprId>,
    /// What a KINETIC, LINEAR or NONLINEAR block has said besides rates.
    pub(super) system: SystemParts,
    /// `t`
    pub(super) time: ExprId,
    /// Hints met in blocks that have not ended.
    pending_hints: Vec<(String, Span)>,
    pub(super) voltage: ExprId,
    pub(super) scopes: Vec<BTreeMap<String, Option<ExprId>>>,
}

impl Env {
    /// Leaves the names of the block at hand behind, for one that does not see them.
    pub(super) fn enter(&mut self) -> Vec<BTreeMap<String, Option<ExprId>>> {
        std::mem::take(&mut self.scopes)
    }

    /// Back to the names that [`Env::enter`] returned.
    pub(super) fn leave(&mut self, scopes: Vec<BTreeMap<String, Option<ExprId>>>) {
        self.scopes = scopes;
    }

    /// Gives a bound name another value; nothing if no scope binds it.
    pub(super) fn bind(&mut self, name: &str, value: ExprId) {
        if let Some(slot) = self.scopes.iter_mut().rev().find_map(|s| s.get_mut(name)) {
            *slot = Some(value);
        }
    }
}

/// Parts of a system of equations that are no rates.
#[derive(Debug, Clone, Default)]
pub(super) struct SystemParts {
    /// COMPARTMENT: volume by variable.
    pub(super) volumes: BTreeMap<usize, ExprId>,
    /// CONSERVE: (sum − total, span).
    pub(super) conserved: Vec<(ExprId, ExprId, Span)>,
    /// `~ a = b`: a − b.
    pub(super) equations: Vec<(ExprId, Span)>,
}

/// How an equation moves its state as soon as it is met, so that what the block assigns below it sees the new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InPlace {
    /// `cnexp`, as both simulators do.
    Cnexp,
    /// `stochastic`, as Arbor does.
    Stochastic,
}

/// Executes the blocks of one file over one graph.
pub(super) struct Executor<'a, 's> {
    pub(super) graph: Graph,
    pub(super) symbols: &'s Symbols<'a>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) kinks: Vec<Kink>,
    pub(super) integrator: Integrator,
    /// While a block runs whose equations move their states at once.
    pub(super) in_place: Option<InPlace>,
    /// Values of states that a `stochastic` block has moved, by the placeholders that stand for them until it ends: the
    /// noise they contain is not that of the equations which read them.
    pub(super) moved: Vec<(Leaf, ExprId)>,
    /// Linear systems solved by the kernel at hand.
    pub(super) solves: Vec<LinearSolve>,
    /// While a conductance is derived: whether Arbor's compiler would give up on the expression.
    pub(super) conductance_fails: Option<bool>,
    /// Values of LOCALs that some branch of an IF has not set, and where they are set nevertheless.
    pub(super) partly_set: BTreeMap<ExprId, Vec<Taken>>,
    /// The branches around the statement being executed.
    pub(super) path: Vec<Taken>,
    calls: Vec<String>,
    /// SOLVE may stand among the statements that run: in INITIAL.
    pub(super) solves_here: bool,
    budget: usize,
    exhausted: bool,
    /// The statement of the kernel itself, outside all calls, that is being executed.
    outermost: Span,
    /// Names of LOCALs, of ASSIGNED variables and of what a FUNCTION returned, in the order of the assignments.
    pub(super) spoken: Vec<Spoken>,
    /// For each block of equations what its placeholders stood for.
    pub(super) stood_for: Vec<BTreeMap<Leaf, ExprId>>,
}

impl<'a, 's> Executor<'a, 's> {
    pub(super) fn new(symbols: &'s Symbols<'a>, integrator: Integrator) -> Self {
        Self {
            graph: Graph::default(),
            symbols,
            diagnostics: Vec::new(),
            kinks: Vec::new(),
            integrator,
            in_place: None,
            moved: Vec::new(),
            solves: Vec::new(),
            conductance_fails: None,
            partly_set: BTreeMap::new(),
            path: Vec::new(),
            calls: Vec::new(),
            solves_here: false,
            budget: STATEMENT_BUDGET,
            exhausted: false,
            outermost: Span::default(),
            spoken: Vec::new(),
            stood_for: Vec::new(),
        }
    }

    /// Notes what the source calls `value`.
    pub(super) fn speak(&mut self, value: ExprId, name: &str) {
        if self.conductance_fails.is_none() && !matches!(self.graph.node(value), Node::Const(_) | Node::Leaf(_)) {
            self.spoken.push(Spoken {
                value,
                name: name.to_owned(),
                block: self.stood_for.len(),
            });
        }
    }

    /// The state of affairs when a kernel starts: every variable is what was stored.
    pub(super) fn entry(&mut self) -> Env {
        let variables = (0..self.symbols.variables.len())
            .map(|i| Some(self.graph.leaf(self.symbols.entry(i))))
            .collect();
        let time = self.graph.leaf(self.symbols.entry(self.symbols.time()));
        let n = self.symbols.currents.len();
        Env {
            variables,
            currents: vec![None; n],
            conductances: vec![None; n],
            rates: BTreeMap::new(),
            hints: Vec::new(),
            pending_hints: Vec::new(),
            system: SystemParts::default(),
            time,
            voltage: self.graph.leaf(Leaf::Voltage),
            scopes: Vec::new(),
        }
    }

    /// The state of affairs when INITIAL starts: nothing is set.
    pub(super) fn blank(&mut self) -> Env {
        let mut env = self.entry();
        env.variables.fill(None);
        let zero = self.graph.zero();
        env.variables[self.symbols.time()] = Some(zero);
        env.time = zero;
        env
    }

    /// What a variable starts from before INITIAL sets it: the ion's value, a parameter of its name followed by `0`, or 0,
    /// as in NEURON.
    pub(super) fn start(&mut self, variable: usize) -> ExprId {
        let declared = &self.symbols.variables[variable];
        match declared.role {
            Role::Concentration { read, .. } | Role::Diffusive { read, .. } | Role::Reversal { read, .. } => {
                self.graph.leaf(Leaf::IonRead(read))
            }
            Role::Adjusted(parameter) => self.graph.leaf(parameter),
            Role::State | Role::Assigned | Role::Static | Role::Time => match self.start_parameter(variable) {
                Some(leaf) => self.graph.leaf(leaf),
                None => self.graph.zero(),
            },
        }
    }

    /// The parameter `x0` of a STATE `x`.
    pub(super) fn start_parameter(&self, variable: usize) -> Option<Leaf> {
        let declared = &self.symbols.variables[variable];
        let name = declared.name.split('[').next().unwrap_or_default();
        match self.symbols.by_name.get(&format!("{name}0")) {
            Some(&Symbol::Parameter(i)) if declared.is_state => Some(Leaf::Parameter(i)),
            Some(&Symbol::Global(i)) if declared.is_state => Some(Leaf::Global(i)),
            _ => None,
        }
    }

    /// The value of a variable that INITIAL reads before setting it, with a warning where it is a guess.
    pub(super) fn unset(&mut self, variable: usize, span: Span) -> ExprId {
        let declared = &self.symbols.variables[variable];
        let guessed = match declared.role {
            Role::State => self.start_parameter(variable).is_none(),
            Role::Assigned => true,
            Role::Static | Role::Adjusted(_) | Role::Time => false,
            Role::Concentration { .. } | Role::Diffusive { .. } | Role::Reversal { .. } => false,
        };
        if guessed {
            let warning = Diagnostic::warning(
                Code::ReadBeforeWrite,
                span,
                format!("`{}` is read before anything sets it, and is 0 here", declared.name),
            )
            .note("NEURON starts it at 0; in Arbor it is not a number");
            if !self.diagnostics.contains(&warning) {
                self.diagnostics.push(warning);
            }
        }
        self.start(variable)
    }

    /// True once the budget is spent: unrolled loops stop.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted || self.budget == 0
    }

    /// The variable that a place means; none, silently, for what kernels cannot set.
    pub(super) fn variable_of(&mut self, place: &Place, env: &mut Env) -> Option<usize> {
        match self.symbols.by_name.get(&place.name.name) {
            Some(&Symbol::Variable(i)) if place.index.is_none() => Some(i),
            Some(&Symbol::Array { first, len }) => {
                Some(first + self.index(&place.name, place.index.as_ref(), len, env)?)
            }
            _ => None,
        }
    }

    /// An expression with one more name bound.
    pub(super) fn number_with(&mut self, expr: &Expr, name: &str, value: ExprId, env: &mut Env) -> ExprId {
        env.scopes.push(BTreeMap::from([(name.to_string(), Some(value))]));
        let value = self.number(expr, env);
        env.scopes.pop();
        value
    }

    /// Runs `block` with some names bound, in a scope of their own.
    pub(super) fn block_with(&mut self, block: &Block, bound: &[(&str, Option<ExprId>)], env: &mut Env) {
        let scope = bound.iter().map(|&(n, v)| (n.to_string(), v)).collect();
        env.scopes.push(scope);
        self.block(block, env);
        env.scopes.pop();
    }

    pub(super) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::error(code, span, message);
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }

    pub(super) fn spend(&mut self, span: Span) -> bool {
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
            StatementKind::Derivative { state, value } => self.equation(state, value, statement.span, env),
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
                self.branches((condition_value, condition.span), then, otherwise.as_ref(), env);
            }
            StatementKind::Call { callee, args } => self.call_statement(callee, args, env),
            StatementKind::Solve {
                block,
                method,
                steadystate,
            } => {
                if self.solves_here && self.calls.is_empty() {
                    self.solve(block, method.as_ref(), steadystate.as_ref(), env);
                } else {
                    self.error(
                        Code::Unsupported,
                        statement.span,
                        "SOLVE is only supported as a statement of BREAKPOINT or INITIAL itself",
                    );
                }
            }
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
            StatementKind::For {
                variable,
                from,
                to,
                by,
                body,
            } => self.repeat(variable, (from, to, by.as_ref()), body, env),
            StatementKind::While { condition, body } => self.repeat_while(condition, body, env),
            StatementKind::Reaction {
                left,
                right,
                forward,
                backward,
            } => self.reaction((left, right), (forward, backward.as_ref()), statement.span, env),
            StatementKind::Influx { species, rate } => self.influx(species, rate, statement.span, env),
            StatementKind::Equation { left, right } => {
                let (left, right) = (self.number(left, env), self.number(right, env));
                let difference = self.graph.sub(left, right);
                env.system.equations.push((difference, statement.span));
            }
            StatementKind::Conserve { sum, total } => {
                let (sum, total) = (self.number(sum, env), self.number(total, env));
                env.system.conserved.push((sum, total, statement.span));
            }
            StatementKind::Compartment { index, volume, species } => {
                self.compartment(index.as_ref(), volume, species, env);
            }
        }
    }

    fn call_statement(&mut self, callee: &Ident, args: &[Expr], env: &mut Env) {
        match (callee.name.as_str(), args) {
            // a hint to integrators with a variable step
            ("at_time", [_]) => return,
            ("state_discontinuity", [place, value]) => {
                if let Some(place) = as_place(place) {
                    self.assign(&place, value, env);
                    return;
                }
            }
            ("net_send" | "net_move" | "net_event", _) => {
                let said = Diagnostic::error(
                    Code::Unsupported,
                    callee.span,
                    format!("`{}` needs events that a mechanism sends", callee.name),
                )
                .note("Arbor's interface delivers events to mechanisms and takes none from them")
                .help(
                    "integrate the delay as a STATE, or let a detector or a generator of the experiment send the event",
                );
                if !self.diagnostics.contains(&said) {
                    self.diagnostics.push(said);
                }
                return;
            }
            _ => {}
        }
        let values: Vec<ExprId> = args.iter().map(|a| self.number(a, env)).collect();
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

    pub(super) fn inline(
        &mut self,
        callee: &Callable,
        at: &Ident,
        args: &[ExprId],
        env: &mut Env,
        is_function: bool,
    ) -> ExprId {
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
            Some(value) => {
                self.warn_partly_returned(&callee.name, value);
                self.speak(value, &callee.name.name);
                value
            }
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
}
