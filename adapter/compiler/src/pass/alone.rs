//! A mechanism that controls its own cell, as one mechanism without a carrier: for simulators that take NMODL.
//!
//! In a cell of one control volume nothing spreads, so ∂V/∂θ = u obeys an equation of its own, and can be a state like
//! any other. With the voltage's own step (C/dt + g)(V⁺ − V) = −i + stimulus, where the mechanism's is the only current
//! that depends on anything, the tangent of the step is
//!
//! ```text
//! (C/dt + g) u⁺ = (C/dt + g) u − Di + Dg (V − V⁺)          Di, Dg at V and the states of before
//! w⁺            = ∂Φ/∂V u⁺ + ∂Φ/∂s w + ∂Φ/∂p seed
//! ```
//!
//! for each slot; u and w forget, are clipped and move the slot as [`crate::emit::Law`] says. V of before is kept, since
//! a step of the states sees V⁺ alone. It is exact: the same numbers as the carrier's, to rounding.

use std::collections::BTreeMap;

use super::differentiate::{Partials, Tangent};
use crate::emit::{Law, Names, Seed, Slots};
use crate::ir::graph::{Binary, ExprId, Graph, Leaf, Unary};
use crate::ir::mechanism::{Field, Hook, Kernel, Mechanism, Output, StateVar, Storage};

/// Specific capacitance, µF/cm².
pub(crate) const CAPACITANCE: &str = "c_m";
/// Forgetting rate, 1/ms.
pub(crate) const FORGETTING: &str = "forgetting";
/// Bound on the norms of sensitivities.
pub(crate) const CLIP: &str = "clip";
/// When control begins, ms.
pub(crate) const BEGIN: &str = "begin";
/// What is left of that.
const WAITING: &str = "waiting";
/// The voltage before the step.
const LAST: &str = "v_last";
/// No bound.
const FAR: f64 = 1e30;

fn u32_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Why there is no such mechanism; nothing if there is.
pub(crate) fn objection(tangent: &Tangent) -> Option<&'static str> {
    let m = &tangent.mechanism;
    let kernels = || Hook::ALL.into_iter().map(|hook| tangent.kernel(hook));
    let inputs = || {
        kernels()
            .flatten()
            .flat_map(|(_, partials)| partials)
            .map(|&(leaf, _)| leaf)
    };
    if !m.noise.is_empty() {
        return Some("WHITE_NOISE: it needs METHOD stochastic, which integrates rates, and a law takes steps");
    }
    if inputs().any(|leaf| matches!(leaf, Leaf::IonRead(_) | Leaf::PeerVoltage)) {
        return Some("something of an ion or a peer that moves with the slots, which other mechanisms know");
    }
    let sets = |(output, _): &(Output, Partials)| matches!(output, Output::State(_));
    if tangent.kernel(Hook::Currents).iter().any(sets) {
        return Some("variables that move with the slots and are set in BREAKPOINT");
    }
    None
}

/// What a slot has in the mechanism: numbers to paint, and states by their position.
struct Slot {
    seeds: Vec<(usize, ExprId)>,
    start: ExprId,
    gain: ExprId,
    scale: ExprId,
    max_rate: ExprId,
    least: ExprId,
    greatest: ExprId,
    theta: (usize, ExprId),
    u: (usize, ExprId),
    /// By active state.
    w: Vec<(usize, ExprId)>,
    before: Option<(usize, ExprId)>,
}

/// Names of what a slot adds: (numbers to paint, states).
pub(crate) fn names_of(slot: &str) -> ([String; 6], [String; 3]) {
    let named = |stem: &str| format!("{stem}_{slot}");
    (
        ["start", "gain", "scale", "max_rate", "min", "max"].map(named),
        ["theta", "u", "before"].map(named),
    )
}

/// Names of what there is besides.
pub(crate) const COMMON: [&str; 6] = [CAPACITANCE, FORGETTING, CLIP, BEGIN, WAITING, LAST];

struct Builder {
    m: Mechanism,
}

impl Builder {
    fn parameter(&mut self, name: &str, unit: &str, default: f64) -> ExprId {
        let leaf = Leaf::Parameter(u32_of(self.m.parameters.len()));
        self.m.parameters.push(Field {
            name: name.into(),
            unit: unit.into(),
            default,
            limits: (f64::MIN, f64::MAX),
        });
        self.m.graph.leaf(leaf)
    }

    fn state(&mut self, name: &str, unit: &str) -> (usize, ExprId) {
        let at = self.m.states.len();
        self.m.states.push(StateVar {
            name: name.into(),
            unit: unit.into(),
            storage: Storage::State,
        });
        (at, self.m.graph.leaf(Leaf::State(u32_of(at))))
    }

    fn slot(&mut self, tangent: &Tangent, slots: &Slots, law: &Law, name: &str) -> Slot {
        let own = |seed: &&Seed| seed.slot == *name && seed.mechanism == tangent.mechanism.name;
        let fields = &tangent.mechanism.parameters;
        let moved: Vec<usize> = (slots.seeds.iter().filter(own))
            .filter_map(|seed| fields.iter().position(|f| f.name == seed.parameter))
            .collect();
        // a slot that is a parameter begins where that does
        let value = match moved.as_slice() {
            [only] if fields[*only].default.is_finite() => fields[*only].default,
            _ => 0.0,
        };
        let seeds = moved
            .iter()
            .map(|&p| (p, self.parameter(&Names::seed(&fields[p].name, name), "", 1.0)))
            .collect();
        let ([start, gain, scale, max_rate, least, greatest], [theta, u, before]) = names_of(name);
        let sensitivities = tangent
            .active
            .iter()
            .map(|&s| Names::sensitivity(&fields_of(tangent, s), name));
        let sensitivities: Vec<String> = sensitivities.collect();
        Slot {
            seeds,
            start: self.parameter(&start, "", value),
            gain: self.parameter(&gain, "/ms", 0.0),
            scale: self.parameter(&scale, "", if value == 0.0 { 1.0 } else { value.abs() }),
            max_rate: self.parameter(&max_rate, "/ms", FAR),
            least: self.parameter(&least, "", -FAR),
            greatest: self.parameter(&greatest, "", FAR),
            theta: self.state(&theta, ""),
            u: self.state(&u, ""),
            w: sensitivities.iter().map(|name| self.state(name, "")).collect(),
            before: law.increment.then(|| self.state(&before, "")),
        }
    }
}

fn fields_of(tangent: &Tangent, state: usize) -> String {
    tangent.mechanism.states[state].name.clone()
}

/// Σ partial · derivative of what it multiplies, at `values` of the inputs; what has no derivative adds nothing.
fn total(
    g: &mut Graph,
    partials: &Partials,
    values: &BTreeMap<Leaf, ExprId>,
    tangent: &mut dyn FnMut(&mut Graph, Leaf) -> Option<ExprId>,
) -> ExprId {
    let mut sum = g.zero();
    for &(leaf, partial) in partials {
        if let Some(of) = tangent(g, leaf) {
            let partial = g.substitute(&[partial], values)[0];
            let term = g.mul(partial, of);
            sum = g.add(sum, term);
        }
    }
    sum
}

/// The mechanism that controls the slots of the law, with the states and currents of its source; there must be no
/// [`objection`].
pub(crate) fn alone(tangent: &Tangent, slots: &Slots, law: &Law) -> Mechanism {
    let mut b = Builder {
        m: tangent.mechanism.clone(),
    };
    b.m.name = Names::augmented(&tangent.mechanism.name);
    let all: Vec<Slot> = law.slots.iter().map(|name| b.slot(tangent, slots, law, name)).collect();
    let capacitance = b.parameter(CAPACITANCE, "uF/cm2", 1.0);
    let forgetting = b.parameter(FORGETTING, "/ms", 0.0);
    let clip = law.clips.then(|| b.parameter(CLIP, "", FAR));
    let begin = b.parameter(BEGIN, "ms", 0.0);
    let waiting = b.state(WAITING, "ms");
    let last = b.state(LAST, "mV");
    let mut m = b.m;
    let present = present(&mut m.graph, tangent, &all);
    let mut earlier = present.clone();
    earlier.insert(Leaf::Voltage, last.1);

    let objective = tangent
        .active
        .iter()
        .position(|&s| tangent.mechanism.states[s].name == law.objective);
    let objective = objective.unwrap_or(0);
    let v = m.graph.leaf(Leaf::Voltage);
    let zero = m.graph.zero();
    let mut at_rest: Vec<(Output, ExprId)> = tangent.mechanism.init.outputs.clone();
    for slot in &all {
        let w = initial(&mut m.graph, tangent, slot);
        at_rest.extend([
            (Output::State(slot.theta.0), slot.start),
            (Output::State(slot.u.0), zero),
        ]);
        at_rest.extend(slot.before.map(|before| (Output::State(before.0), w[objective])));
        at_rest.extend(
            slot.w
                .iter()
                .zip(w)
                .map(|(place, value)| (Output::State(place.0), value)),
        );
    }
    at_rest.extend([(Output::State(waiting.0), begin), (Output::State(last.0), v)]);

    let substituted = |m: &mut Mechanism, hook: Hook| -> Vec<(Output, ExprId)> {
        let outputs = tangent.mechanism.kernel(hook).outputs.clone();
        let values: Vec<ExprId> = outputs.iter().map(|&(_, e)| e).collect();
        let values = m.graph.substitute(&values, &present);
        outputs.iter().zip(values).map(|(&(o, _), e)| (o, e)).collect()
    };
    let currents = substituted(&mut m, Hook::Currents);
    let mut advance = substituted(&mut m, Hook::Advance);

    let step = Step::new(&mut m.graph, tangent, &earlier, capacitance, forgetting);
    let mut u: Vec<ExprId> = all
        .iter()
        .map(|slot| step.voltage(&mut m.graph, tangent, &earlier, slot))
        .collect();
    let mut w: Vec<Vec<ExprId>> = (all.iter().zip(&u))
        .map(|(slot, &u)| step.states(&mut m.graph, tangent, &present, slot, u))
        .collect();
    if let Some(clip) = clip {
        for s in 0..tangent.active.len() {
            let column: Vec<ExprId> = w.iter().map(|w| w[s]).collect();
            for (w, clipped) in w.iter_mut().zip(clipped(&mut m.graph, &column, clip)) {
                w[s] = clipped;
            }
        }
        u = clipped(&mut m.graph, &u, clip);
    }
    let g = &mut m.graph;
    let slack = g.constant(1e-6);
    let slack = g.mul(slack, step.dt);
    let moves = g.binary(Binary::Le, waiting.1, slack);
    for ((slot, u), w) in all.iter().zip(u).zip(w) {
        let along = match slot.before {
            None => w[objective],
            Some(before) => {
                let left = g.mul(step.decay, before.1);
                let gained = g.sub(w[objective], left);
                g.div(gained, step.dt)
            }
        };
        let moved = law_step(g, slot, step.dt, along);
        let theta = g.select(moves, moved, slot.theta.1);
        advance.extend([(Output::State(slot.theta.0), theta), (Output::State(slot.u.0), u)]);
        advance.extend(slot.before.map(|before| (Output::State(before.0), w[objective])));
        advance.extend(
            slot.w
                .iter()
                .zip(w)
                .map(|(place, value)| (Output::State(place.0), value)),
        );
    }
    let less = g.sub(waiting.1, step.dt);
    let less = g.select(moves, waiting.1, less);
    advance.extend([(Output::State(waiting.0), less), (Output::State(last.0), v)]);
    for (kernel, outputs) in [
        (&mut m.init, at_rest),
        (&mut m.currents, currents),
        (&mut m.advance, advance),
    ] {
        *kernel = Kernel {
            outputs,
            solves: Vec::new(),
        };
        kernel.outputs.sort_unstable();
    }
    let spoken: Vec<ExprId> = m.spoken.iter().map(|&(e, _)| e).collect();
    let images = m.graph.substitute(&spoken, &present);
    for ((value, _), image) in m.spoken.iter_mut().zip(images) {
        *value = image;
    }
    m.linear = false;
    m
}

/// What parameters are that slots move: p + Σ seed (θ − start).
fn present(g: &mut Graph, tangent: &Tangent, slots: &[Slot]) -> BTreeMap<Leaf, ExprId> {
    let mut out = BTreeMap::new();
    for p in 0..tangent.mechanism.parameters.len() {
        let leaf = Leaf::Parameter(u32_of(p));
        let mut value = g.leaf(leaf);
        for slot in slots {
            for &(_, seed) in slot.seeds.iter().filter(|(of, _)| *of == p) {
                let gone = g.sub(slot.theta.1, slot.start);
                let term = g.mul(seed, gone);
                value = g.add(value, term);
                out.insert(leaf, value);
            }
        }
    }
    out
}

/// The derivative of a parameter.
fn seed(slot: &Slot, parameter: u32) -> Option<ExprId> {
    slot.seeds
        .iter()
        .find(|(p, _)| u32_of(*p) == parameter)
        .map(|&(_, e)| e)
}

/// The sensitivities that INITIAL makes.
fn initial(g: &mut Graph, tangent: &Tangent, slot: &Slot) -> Vec<ExprId> {
    let kernel = tangent.kernel(Hook::Init);
    let of = |s: &usize| kernel.iter().find(|(o, _)| *o == Output::State(*s)).map(|(_, p)| p);
    let nothing = Partials::new();
    let values = BTreeMap::new();
    let mut out = Vec::new();
    for s in &tangent.active {
        let mut of_input = |_: &mut Graph, leaf: Leaf| match leaf.into() {
            Input::Parameter(p) => seed(slot, p),
            Input::Voltage | Input::State(_) | Input::Fixed => None,
        };
        out.push(total(g, of(s).unwrap_or(&nothing), &values, &mut of_input));
    }
    out
}

/// An input, as far as its derivative goes.
enum Input {
    Voltage,
    State(u32),
    Parameter(u32),
    Fixed,
}

impl From<Leaf> for Input {
    fn from(leaf: Leaf) -> Self {
        match leaf {
            Leaf::Voltage => Input::Voltage,
            Leaf::State(s) => Input::State(s),
            Leaf::Parameter(p) => Input::Parameter(p),
            Leaf::PeerVoltage
            | Leaf::Dt
            | Leaf::Celsius
            | Leaf::Diam
            | Leaf::Area
            | Leaf::Global(_)
            | Leaf::IonRead(_)
            | Leaf::Noise(_)
            | Leaf::EventWeight
            | Leaf::SinceSpike
            | Leaf::Placeholder(_) => Input::Fixed,
        }
    }
}

/// What the equations of all slots have in common.
struct Step {
    dt: ExprId,
    decay: ExprId,
    /// C/dt + g, in S/cm².
    diagonal: ExprId,
    /// V − V⁺.
    fallen: ExprId,
}

impl Step {
    fn new(
        g: &mut Graph,
        tangent: &Tangent,
        earlier: &BTreeMap<Leaf, ExprId>,
        capacitance: ExprId,
        forgetting: ExprId,
    ) -> Self {
        let dt = g.leaf(Leaf::Dt);
        // 1 µF/cm² per ms is 1 mS/cm²
        let milli = g.constant(1e-3);
        let c = g.mul(milli, capacitance);
        let mut diagonal = g.div(c, dt);
        if let Some(conductance) = tangent.mechanism.currents.get(Output::Conductance) {
            let conductance = g.substitute(&[conductance], earlier)[0];
            diagonal = g.add(diagonal, conductance);
        }
        let exponent = g.mul(forgetting, dt);
        let exponent = g.neg(exponent);
        let decay = g.unary(Unary::Exp, exponent);
        let v = g.leaf(Leaf::Voltage);
        let last = earlier.get(&Leaf::Voltage).copied().unwrap_or(v);
        let fallen = g.sub(last, v);
        Self {
            dt,
            decay,
            diagonal,
            fallen,
        }
    }

    /// u⁺ of a slot.
    fn voltage(&self, g: &mut Graph, tangent: &Tangent, earlier: &BTreeMap<Leaf, ExprId>, slot: &Slot) -> ExprId {
        let kernel = tangent.kernel(Hook::Currents);
        let nothing = Partials::new();
        let of = |output: Output| kernel.iter().find(|(o, _)| *o == output).map_or(&nothing, |(_, p)| p);
        let mut of_input = |_: &mut Graph, leaf: Leaf| match leaf.into() {
            Input::Voltage => Some(slot.u.1),
            Input::State(s) => place(tangent, s).map(|at| slot.w[at].1),
            Input::Parameter(p) => seed(slot, p),
            Input::Fixed => None,
        };
        let di = total(g, of(Output::Current), earlier, &mut of_input);
        let dg = total(g, of(Output::Conductance), earlier, &mut of_input);
        let kept = g.mul(self.diagonal, slot.u.1);
        let right = g.sub(kept, di);
        let slope = g.mul(dg, self.fallen);
        let right = g.add(right, slope);
        let u = g.div(right, self.diagonal);
        g.mul(self.decay, u)
    }

    /// w⁺ of a slot, given u⁺.
    fn states(
        &self,
        g: &mut Graph,
        tangent: &Tangent,
        present: &BTreeMap<Leaf, ExprId>,
        slot: &Slot,
        u: ExprId,
    ) -> Vec<ExprId> {
        let kernel = tangent.kernel(Hook::Advance);
        let mut out = Vec::new();
        for (at, s) in tangent.active.iter().enumerate() {
            let Some((_, partials)) = kernel.iter().find(|(o, _)| *o == Output::State(*s)) else {
                // only currents or INITIAL set it: it stays
                out.push(slot.w[at].1);
                continue;
            };
            // u has forgotten already
            let mut of_input = |g: &mut Graph, leaf: Leaf| match leaf.into() {
                Input::Voltage => Some(u),
                Input::State(s) => place(tangent, s).map(|at| g.mul(self.decay, slot.w[at].1)),
                Input::Parameter(p) => seed(slot, p).map(|seed| g.mul(self.decay, seed)),
                Input::Fixed => None,
            };
            out.push(total(g, partials, present, &mut of_input));
        }
        out
    }
}

/// Position of a state among those that carry sensitivities.
fn place(tangent: &Tangent, state: u32) -> Option<usize> {
    tangent.active.iter().position(|&a| u32_of(a) == state)
}

/// Scaled down together if their norm exceeds the bound.
fn clipped(g: &mut Graph, column: &[ExprId], clip: ExprId) -> Vec<ExprId> {
    let zero = g.zero();
    let square = column.iter().fold(zero, |sum, &x| {
        let term = g.mul(x, x);
        g.add(sum, term)
    });
    let norm = g.unary(Unary::Sqrt, square);
    let beyond = g.binary(Binary::Lt, clip, norm);
    let ratio = g.div(clip, norm);
    let one = g.constant(1.0);
    let factor = g.select(beyond, ratio, one);
    column.iter().map(|&x| g.mul(x, factor)).collect()
}

/// Where a slot goes: down its gradient, no faster than it may, and within its bounds.
fn law_step(g: &mut Graph, slot: &Slot, dt: ExprId, along: ExprId) -> ExprId {
    let most = g.mul(slot.max_rate, slot.scale);
    let most = g.mul(most, dt);
    let gain = g.mul(dt, slot.gain);
    let gain = g.mul(gain, slot.scale);
    let down = g.mul(gain, along);
    let step = g.neg(down);
    let least = g.neg(most);
    let step = between(g, step, least, most);
    let moved = g.add(slot.theta.1, step);
    between(g, moved, slot.least, slot.greatest)
}

/// What is no number stays none, and shows.
fn between(g: &mut Graph, x: ExprId, least: ExprId, greatest: ExprId) -> ExprId {
    let below = g.binary(Binary::Lt, x, least);
    let above = g.binary(Binary::Lt, greatest, x);
    let upper = g.select(above, greatest, x);
    g.select(below, least, upper)
}
