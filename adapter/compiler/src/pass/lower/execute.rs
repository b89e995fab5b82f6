//! Symbolic execution: statements become expressions.
//!
//! Every variable holds an expression over the kernel's inputs. Calls are inlined, LOCALs are scopes, and the two
//! branches of an IF are both executed and merged by a select, so a kernel ends up as pure expressions: new values as
//! functions of old ones.

use std::collections::BTreeMap;

use super::Integrator;
use super::symbols::{Role, Symbol, Symbols};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::{ExprId, Graph, Leaf};
use crate::ir::mechanism::{Kind, LinearSolve};
use crate::syntax::ast::{Block, Callable, Expr, ExprKind, Ident, Place, Statement, StatementKind};

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

/// What an assignment may set.
enum Target {
    Local(String),
    Variable(usize),
    Current(usize),
    Voltage,
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
    /// Linear systems solved by the kernel at hand.
    pub(super) solves: Vec<LinearSolve>,
    /// While a conductance is derived: whether Arbor's compiler would give up on the expression.
    pub(super) conductance_fails: Option<bool>,
    calls: Vec<String>,
    /// SOLVE may stand among the statements that run: in INITIAL.
    pub(super) solves_here: bool,
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
            in_place: None,
            solves: Vec::new(),
            conductance_fails: None,
            calls: Vec::new(),
            solves_here: false,
            budget: STATEMENT_BUDGET,
            exhausted: false,
            outermost: Span::default(),
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
                let mut taken = env.clone();
                self.block(then, &mut taken);
                if let Some(otherwise) = otherwise {
                    self.block(otherwise, env);
                }
                self.merge(condition_value, &taken, env);
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

    fn assign(&mut self, place: &Place, value: &Expr, env: &mut Env) {
        let new = self.number(value, env);
        let Some(target) = self.target(place, env) else { return };
        match target {
            Target::Local(name) => {
                if let Some(slot) = env.scopes.iter_mut().rev().find_map(|s| s.get_mut(&name)) {
                    *slot = Some(new);
                }
            }
            Target::Variable(i) => env.variables[i] = Some(new),
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
            _ if place.index.is_some() => {
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
    fn equation(&mut self, state: &Place, value: &Expr, span: Span, env: &mut Env) {
        let rate = self.number(value, env);
        match self.target(state, env) {
            Some(Target::Variable(i)) if self.symbols.variables[i].is_state => {
                env.rates.insert(i, (rate, span));
                match self.in_place {
                    Some(InPlace::Cnexp) => env.variables[i] = Some(self.cnexp_step(i, rate)),
                    Some(InPlace::Stochastic) => {
                        if let Some(now) = env.variables[i] {
                            env.variables[i] = Some(self.stochastic_step(now, rate, span));
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

fn as_place(expr: &Expr) -> Option<Place> {
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
