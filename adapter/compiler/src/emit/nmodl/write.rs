//! Kernels as statements: shared and long expressions become LOCALs, under the name the source has for them if it has
//! one; the rest is written in place.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::strength;
use super::{About, Simulator, wrapped};
use crate::ir::graph::{Binary, ExprId, Leaf, Node, Type};
use crate::ir::mechanism::{Mechanism, Storage};
use crate::ir::print::leaf_name;
use crate::pass::differentiate::derivatives_given;

/// Longest expression that is written in place, and shortest that keeps the name the source gives it.
const INLINE_LIMIT: usize = 90;
const NAME_FROM: usize = 12;

/// Where a result goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// A stored variable.
    State(usize),
    /// A stored variable's rate of change.
    Rate(usize),
    /// Something that kernels only set.
    Named(String),
}

/// A result and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) target: Target,
    pub(super) value: ExprId,
}

/// Writes the kernels of one mechanism.
pub(super) struct Writer<'a> {
    pub(super) m: Mechanism,
    pub(super) to: Simulator,
    about: &'a About,
    /// Currents that BREAKPOINT sets.
    pub(super) currents: Vec<String>,
    spoken: BTreeMap<ExprId, String>,
    /// What the file declares.
    taken: BTreeSet<String>,
    /// FUNCTIONs that the text calls.
    pub(super) exprelr: bool,
    pub(super) dexprelr: bool,
}

/// The statements of one block under construction.
pub(super) struct Body {
    uses: Vec<u32>,
    pub(super) text: BTreeMap<ExprId, (String, u8)>,
    locals: Vec<String>,
    statements: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(m: Mechanism, to: Simulator, about: &'a About) -> Self {
        let mut writer = Self {
            spoken: m.spoken.iter().cloned().collect(),
            taken: BTreeSet::new(),
            currents: Vec::new(),
            exprelr: false,
            dexprelr: false,
            m,
            to,
            about,
        };
        writer.taken = writer.declared();
        let taken = &writer.taken;
        writer.spoken.retain(|_, name| !taken.contains(name));
        writer
    }

    /// Every name that a LOCAL must leave alone.
    fn declared(&self) -> BTreeSet<String> {
        let m = &self.m;
        let mut taken: BTreeSet<String> = [
            "v", "v_peer", "t", "dt", "celsius", "diam", "area", "advance", "PI", "e",
        ]
        .map(str::to_owned)
        .into();
        taken.extend(m.globals.iter().chain(&m.parameters).map(|f| f.name.clone()));
        taken.extend((0..m.states.len()).map(|s| self.state_name(s)));
        taken.extend(m.noise.iter().cloned());
        taken.extend([
            self.about.current.clone(),
            self.about.weight.clone(),
            self.about.since.clone(),
        ]);
        taken.extend(self.about.units.iter().map(|(name, _)| name.clone()));
        for ion in &m.ions {
            let ion = &ion.name;
            taken.extend([
                ion.clone(),
                format!("i{ion}"),
                format!("e{ion}"),
                format!("{ion}i"),
                format!("{ion}o"),
                format!("{ion}d"),
                format!("z{ion}"),
            ]);
        }
        taken
    }

    /// What a stored variable is called: arrays are written as many scalars, and `t` is the simulators' own.
    pub(super) fn state_name(&self, s: usize) -> String {
        let state = &self.m.states[s];
        match state.storage {
            Storage::Time => "elapsed_time".into(),
            Storage::State | Storage::Carried | Storage::Observed => state.name.replace('[', "_").replace(']', ""),
        }
    }

    pub(super) fn leaf(&self, leaf: Leaf) -> String {
        match leaf {
            Leaf::State(s) => self.state_name(s as usize),
            Leaf::EventWeight => self.about.weight.clone(),
            Leaf::SinceSpike => self.about.since.clone(),
            Leaf::Voltage
            | Leaf::PeerVoltage
            | Leaf::Dt
            | Leaf::Celsius
            | Leaf::Diam
            | Leaf::Area
            | Leaf::Parameter(_)
            | Leaf::Global(_)
            | Leaf::IonRead(_)
            | Leaf::Noise(_)
            | Leaf::Placeholder(_) => leaf_name(&self.m, leaf),
        }
    }

    /// The line that advances the states.
    pub(super) fn solve_line(&self, noisy: bool) -> String {
        if noisy {
            "SOLVE advance METHOD stochastic".into()
        } else {
            "SOLVE advance".into()
        }
    }

    /// Currents as Arbor's compiler has to see them. It linearises each by the derivative of its right-hand side with
    /// LOCALs held constant; where that is not the conductance that we need, the current is written as its value plus
    /// the conductance times `v - v_now`, which is 0.
    pub(super) fn linearised(
        &mut self,
        roots: &[ExprId],
        named: Vec<(String, ExprId)>,
        conductance: ExprId,
    ) -> Vec<Assignment> {
        let assign = |(name, value): (String, ExprId)| Assignment {
            target: Target::Named(name),
            value,
        };
        let constants = self.local_nodes(roots);
        let g = &mut self.m.graph;
        let zero = g.zero();
        let known = constants.into_iter().map(|id| (id, zero)).collect();
        let values: Vec<ExprId> = named.iter().map(|&(_, e)| e).collect();
        let slopes = derivatives_given(g, &values, Leaf::Voltage, &known);
        let seen = slopes.iter().fold(zero, |sum, &slope| g.add(sum, slope));
        if seen == conductance {
            return named.into_iter().map(assign).collect();
        }
        // every value in a LOCAL of its own, so that only the last term is left to differentiate
        let now = g.leaf(Leaf::Placeholder(NOW));
        let v = g.leaf(Leaf::Voltage);
        let distance = g.sub(v, now);
        let term = g.mul(conductance, distance);
        let mut out = Vec::new();
        for (i, (name, value)) in named.into_iter().enumerate() {
            let held = u32::try_from(i).unwrap_or(u32::MAX) + NOW + 1;
            let mut sum = self.m.graph.leaf(Leaf::Placeholder(held));
            out.push(Assignment {
                target: Target::Named(held_name(held)),
                value,
            });
            if i == 0 {
                sum = self.m.graph.add(sum, term);
            }
            out.push(Assignment {
                target: Target::Named(name),
                value: sum,
            });
        }
        out
    }

    /// Nodes that would become LOCALs if `roots` were written.
    fn local_nodes(&mut self, roots: &[ExprId]) -> Vec<ExprId> {
        let mut body = self.body(roots);
        let before = (self.exprelr, self.dexprelr);
        let mut out = Vec::new();
        for id in self.m.graph.reachable(roots) {
            let count = body.locals.len();
            self.node(&mut body, id, &BTreeMap::new());
            if body.locals.len() > count {
                out.push(id);
            }
        }
        (self.exprelr, self.dexprelr) = before;
        out
    }

    fn body(&self, roots: &[ExprId]) -> Body {
        let g = &self.m.graph;
        let mut uses = vec![0u32; g.len()];
        for id in g.reachable(roots) {
            for operand in g.operands(id) {
                uses[operand.index()] += 1;
            }
        }
        for root in roots {
            uses[root.index()] += 1;
        }
        Body {
            uses,
            text: BTreeMap::new(),
            locals: Vec::new(),
            statements: String::new(),
        }
    }

    /// A whole block.
    pub(super) fn block(&mut self, head: &str, results: &[Assignment], solve: Option<&str>) -> String {
        let roots: Vec<ExprId> = results.iter().map(|a| a.value).collect();
        let mut body = self.body(&roots);
        let early = self.early(results, &roots);
        for id in self.m.graph.reachable(&roots) {
            self.node(&mut body, id, &early);
        }
        self.assign(&mut body, results, &early);
        let mut out = format!("\n{head} {{\n");
        let solve = solve.map(|s| format!("    {s}\n")).unwrap_or_default();
        let locals = if body.locals.is_empty() {
            String::new()
        } else {
            wrapped(&format!("LOCAL {}", body.locals.join(", ")), 1)
        };
        // modcc wants SOLVE first, nrnivmodl LOCAL
        match self.to {
            Simulator::Arbor => out.extend([solve, locals]),
            Simulator::Neuron => out.extend([locals, solve]),
        }
        if body.statements.contains(NOW_NAME) {
            out.push_str("    v_now = v\n");
        }
        out.push_str(&body.statements);
        out.push_str("}\n");
        out
    }

    /// Stored variables whose old value the block does not read: they are set where their value is first known, and
    /// serve as its name.
    fn early(&self, results: &[Assignment], roots: &[ExprId]) -> BTreeMap<ExprId, usize> {
        let read = self.m.graph.leaves(roots);
        let mut out: BTreeMap<ExprId, usize> = BTreeMap::new();
        // what is observed and carried has the better name: minf rather than m
        for wanted in [Storage::Observed, Storage::Carried, Storage::State] {
            for result in results {
                let Target::State(s) = result.target else { continue };
                let trivial = matches!(
                    self.m.graph.node(result.value),
                    Node::Const(_) | Node::Leaf(_) | Node::Select(..)
                );
                let own = Leaf::State(u32::try_from(s).unwrap_or(u32::MAX));
                if self.m.states[s].storage == wanted && !trivial && !read.contains(&own) {
                    out.entry(result.value).or_insert(s);
                }
            }
        }
        out
    }

    /// Sets what the block is for, such that no result is overwritten before everything that reads it is written.
    fn assign(&mut self, body: &mut Body, results: &[Assignment], early: &BTreeMap<ExprId, usize>) {
        let mut left: Vec<(Assignment, String, BTreeSet<u32>)> = Vec::new();
        for result in results {
            if let Target::State(s) = result.target
                && early.get(&result.value) == Some(&s)
            {
                continue;
            }
            let text = body.text[&result.value].0.clone();
            let reads = self.reads(body, result.value);
            left.push((result.clone(), text, reads));
        }
        while !left.is_empty() {
            let set = |a: &Assignment| match a.target {
                Target::State(s) | Target::Rate(s) => u32::try_from(s).ok(),
                Target::Named(_) => None,
            };
            let free = left.iter().enumerate().position(|(i, (a, ..))| {
                let own = set(a);
                !left
                    .iter()
                    .enumerate()
                    .any(|(j, (_, _, reads))| j != i && own.is_some_and(|s| reads.contains(&s)))
            });
            let Some(at) = free else {
                // a ring: the first of them is worked out before it is set
                let name = self.fresh(body, "next");
                body.statements
                    .push_str(&wrapped(&format!("{name} = {}", left[0].1), 1));
                left[0].1 = name;
                left[0].2.clear();
                // what the others read is still there
                let first = left.remove(0);
                left.push(first);
                continue;
            };
            let (assignment, text, _) = left.remove(at);
            let target = match assignment.target {
                Target::State(s) => self.state_name(s),
                Target::Rate(s) => format!("{}'", self.state_name(s)),
                Target::Named(name) => {
                    if name.ends_with(HELD_SUFFIX) {
                        body.locals.push(name.clone());
                    }
                    name
                }
            };
            if text.contains(NOW_NAME) {
                body.locals.push(NOW_NAME.into());
            }
            body.statements.push_str(&wrapped(&format!("{target} = {text}"), 1));
        }
    }

    /// Stored variables that the text of an expression reads, LOCALs left aside.
    fn reads(&self, body: &Body, id: ExprId) -> BTreeSet<u32> {
        let g = &self.m.graph;
        let named = |id: ExprId| {
            let plain = matches!(g.node(id), Node::Const(_) | Node::Leaf(_));
            !plain && body.text.get(&id).is_some_and(|(text, _)| is_name(text))
        };
        let mut out = BTreeSet::new();
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            if named(id) {
                continue;
            }
            if let Node::Leaf(Leaf::State(s)) = g.node(id) {
                out.insert(s);
            }
            todo.extend(g.operands(id));
        }
        out
    }

    fn node(&mut self, body: &mut Body, id: ExprId, early: &BTreeMap<ExprId, usize>) {
        let node = self.m.graph.node(id);
        let early = early.get(&id).map(|&s| self.state_name(s));
        if let Node::Select(c, a, b) = node {
            let name = self.local(body, id);
            let condition = body.text[&c].0.clone();
            let (a, b) = (body.text[&a].0.clone(), body.text[&b].0.clone());
            for (line, depth) in [
                (format!("if ({condition}) {{"), 1),
                (format!("{name} = {a}"), 2),
                ("} else {".into(), 1),
                (format!("{name} = {b}"), 2),
                ("}".into(), 1),
            ] {
                body.statements.push_str(&wrapped(&line, depth));
            }
            body.text.insert(id, (name, strength::ATOM));
            return;
        }
        if let (Node::Binary(op @ (Binary::Min | Binary::Max), a, b), Simulator::Neuron) = (node, self.to) {
            let name = self.local(body, id);
            let (a, b) = (body.text[&a].0.clone(), body.text[&b].0.clone());
            let sign = if op == Binary::Min { "<" } else { ">" };
            for (line, depth) in [
                (format!("if (({b}) {sign} ({a})) {{"), 1),
                (format!("{name} = {b}"), 2),
                ("} else {".into(), 1),
                (format!("{name} = {a}"), 2),
                ("}".into(), 1),
            ] {
                body.statements.push_str(&wrapped(&line, depth));
            }
            body.text.insert(id, (name, strength::ATOM));
            return;
        }
        let (text, binding) = self.expression(body, id);
        if let Some(name) = early {
            body.statements.push_str(&wrapped(&format!("{name} = {text}"), 1));
            body.text.insert(id, (name, strength::ATOM));
            return;
        }
        let trivial = matches!(node, Node::Const(_) | Node::Leaf(_)) || self.m.graph.type_of(id) == Type::Truth;
        let spoken = self.spoken.contains_key(&id) && text.len() >= NAME_FROM;
        let shared = body.uses[id.index()] > 1 && text.len() > 3;
        if trivial || !(spoken || shared || text.len() > INLINE_LIMIT) {
            body.text.insert(id, (text, binding));
            return;
        }
        let name = self.local(body, id);
        body.statements.push_str(&wrapped(&format!("{name} = {text}"), 1));
        body.text.insert(id, (name, strength::ATOM));
    }

    /// A new LOCAL for an expression.
    fn local(&self, body: &mut Body, id: ExprId) -> String {
        let stem = self.spoken.get(&id).map_or("x", String::as_str);
        self.fresh(body, stem)
    }

    fn fresh(&self, body: &mut Body, stem: &str) -> String {
        let free = |name: &String| !self.taken.contains(name) && !body.locals.contains(name);
        let plain = Some(stem.to_owned()).filter(|n| stem != "x" && free(n));
        let mut numbered = (1..).map(|n| format!("{stem}{n}")).filter(free);
        let name = plain.or_else(|| numbered.next()).unwrap_or_default();
        body.locals.push(name.clone());
        name
    }
}

/// Placeholders of currents whose conductance is written out: `v_now`, then a value each.
pub(super) const NOW: u32 = u32::MAX - 1000;
pub(super) const NOW_NAME: &str = "v_now";
const HELD_SUFFIX: &str = "_now";
/// A LOCAL that nothing reads.
pub(super) const APART: &str = "apart_now";

pub(super) fn held_name(held: u32) -> String {
    format!("i{}{HELD_SUFFIX}", held - NOW)
}

pub(super) fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !text.starts_with(|c: char| c.is_ascii_digit())
}
