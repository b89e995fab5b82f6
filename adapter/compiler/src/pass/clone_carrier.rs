//! The `clone` carrier: a mechanism for a second cable whose membrane voltage is u = ∂V/∂θ.
//!
//! The clone of a mechanism reads the original's voltage as that of its peer, repeats the original's states s from it,
//! and adds their sensitivities w = ∂s/∂θ. Its current is the tangent of the original's,
//!
//! ```text
//! Di = ∂i/∂V u + Σ_j ∂i/∂s_j w_j + Σ_p ∂i/∂p seed_p,
//! ```
//!
//! and its states move by w⁺ = ∂Φ/∂V u⁺ + Σ_j ∂Φ/∂s_j w_j + Σ_p ∂Φ/∂p seed_p, the tangent of the discrete step. One
//! cable stands for one slot, which its seeds ∂p/∂θ make.
//!
//! The exact tangent also has Dg·(V(t+dt) − V(t)), but the clone's currents are worked out before the original's next
//! voltage is known. The difference to the step before stands in for it, which is right to second order where the
//! voltage is smooth; at the edges of a stimulus one step is wrong by a term of first order.
//!
//! # Reference
//! design.md 2.2; Landsmeer et al. (2024), arXiv 2412.07327.

use std::collections::BTreeMap;

use super::differentiate::{Partials, Tangent, derivative};
use crate::emit::Names;
use crate::ir::graph::{ExprId, Graph, Leaf};
use crate::ir::mechanism::{Field, Hook, IonQuantity, Kernel, Kind, Mechanism, Output, StateVar, Storage};
use crate::ir::print::leaf_name;

/// How the clone's current enters its cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coupling {
    /// Arbor: a junction process, in nA and µS for a whole control volume.
    Junction,
    /// NEURON: the same kind of mechanism as the original, with a pointer to the original's voltage.
    Pointer,
}

/// Share of a control volume's membrane that the original covers; of a junction process.
pub(crate) const COVER: &str = "cover";

/// The original's voltage one step before that which currents see, and the latest.
pub(crate) const BEFORE: &str = "v_before";
pub(crate) const LAST: &str = "v_last";

fn u32_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// ∂variable/∂θ of the clone's slot.
pub(crate) fn sensitivity(variable: &str) -> String {
    format!("d_{variable}")
}

/// ∂parameter/∂θ of the clone's slot.
pub(crate) fn seed(parameter: &str) -> String {
    format!("seed_{parameter}")
}

/// What the clone's inputs are in terms of the original's.
struct Inputs {
    /// The original's voltage and ions.
    values: BTreeMap<Leaf, ExprId>,
    /// Their derivatives.
    tangents: BTreeMap<Leaf, ExprId>,
}

/// The clone of a mechanism that reads no ion quantity but constant reversal potentials.
pub(crate) fn clone_of(tangent: &Tangent, coupling: Coupling) -> Mechanism {
    let mut m = tangent.mechanism.clone();
    m.name = Names::augmented(&m.name);
    let inputs = inputs(&mut m, tangent);
    let first = tangent.mechanism.states.len();
    let place = |s: usize| tangent.active.iter().position(|&a| a == s).map(|k| first + k);
    let slope = slope(&mut m, tangent, coupling, &inputs);
    let lags = !m.graph.is_zero(slope);
    let before = m.states.len();
    for name in [BEFORE, LAST].into_iter().filter(|_| lags) {
        m.states.push(StateVar {
            name: name.into(),
            unit: "mV".into(),
            storage: Storage::Carried,
        });
    }
    for hook in Hook::ALL {
        let mut outputs: Vec<(Output, ExprId)> = Vec::new();
        for (s, value) in tangent.mechanism.kernel(hook).states() {
            outputs.push((Output::State(s), m.graph.substitute(&[value], &inputs.values)[0]));
        }
        for (output, partials) in tangent.kernel(hook) {
            let target = match *output {
                Output::State(s) => place(s).map(Output::State),
                Output::Current => Some(Output::Current),
                // currents of ions are part of the sum; a voltage process has no clone
                Output::Conductance
                | Output::IonCurrent(_)
                | Output::Reversal(_)
                | Output::Diffusive(_)
                | Output::Voltage => None,
            };
            if let Some(target) = target {
                outputs.push((target, total(&mut m.graph, partials, &inputs)));
            }
        }
        if lags {
            let kept = voltages(&mut m, hook, before);
            outputs.extend(kept.into_iter().map(|(s, value)| (Output::State(s), value)));
        }
        if hook == Hook::Currents {
            if lags {
                extrapolate(&mut m.graph, slope, before, &mut outputs);
            }
            linearise(&mut m, tangent, coupling, &inputs, &mut outputs);
        }
        outputs.sort_unstable();
        *kernel_mut(&mut m, hook) = Kernel {
            outputs,
            solves: Vec::new(),
        };
    }
    m.kind = match coupling {
        Coupling::Junction => Kind::Junction,
        Coupling::Pointer => m.kind,
    };
    m.ions.clear();
    m.ion_reads.clear();
    m.concentrations.clear();
    m.linear = false;
    let values: Vec<ExprId> = m.spoken.iter().map(|&(e, _)| e).collect();
    let images = m.graph.substitute(&values, &inputs.values);
    for ((value, _), image) in m.spoken.iter_mut().zip(images) {
        *value = image;
    }
    m
}

fn kernel_mut(m: &mut Mechanism, hook: Hook) -> &mut Kernel {
    match hook {
        Hook::Init => &mut m.init,
        Hook::Currents => &mut m.currents,
        Hook::Advance => &mut m.advance,
        Hook::NetReceive => &mut m.net_receive,
        Hook::PostEvent => &mut m.post_event,
    }
}

/// Declares what the clone has besides, and says what stands for what.
fn inputs(m: &mut Mechanism, tangent: &Tangent) -> Inputs {
    let g = &mut m.graph;
    let mut values = BTreeMap::from([(Leaf::Voltage, g.leaf(Leaf::PeerVoltage))]);
    let mut tangents = BTreeMap::from([(Leaf::Voltage, g.leaf(Leaf::Voltage))]);
    for &s in &tangent.active {
        tangents.insert(Leaf::State(u32_of(s)), g.leaf(Leaf::State(u32_of(m.states.len()))));
        let name = sensitivity(&m.states[s].name.replace('[', "_").replace(']', ""));
        m.states.push(StateVar {
            name,
            unit: String::new(),
            storage: Storage::State,
        });
    }
    for &p in &tangent.parameters {
        tangents.insert(
            Leaf::Parameter(u32_of(p)),
            g.leaf(Leaf::Parameter(u32_of(m.parameters.len()))),
        );
        m.parameters.push(Field {
            name: seed(&m.parameters[p].name),
            unit: String::new(),
            default: 0.0,
            limits: (f64::MIN, f64::MAX),
        });
    }
    for read in 0..m.ion_reads.len() {
        let leaf = Leaf::IonRead(u32_of(read));
        let name = leaf_name(&tangent.mechanism, leaf);
        values.insert(leaf, m.graph.leaf(Leaf::Parameter(u32_of(m.parameters.len()))));
        m.parameters.push(Field {
            default: usual(&name),
            unit: if m.ion_reads[read].quantity == IonQuantity::Charge {
                ""
            } else {
                "mV"
            }
            .into(),
            name,
            limits: (f64::MIN, f64::MAX),
        });
    }
    Inputs { values, tangents }
}

/// Reversal potentials that both simulators start from, mV (host-numerics.md 5.1).
fn usual(name: &str) -> f64 {
    match name {
        "ena" => 50.0,
        "ek" => -77.0,
        "eca" => 132.457_934_163_7,
        _ => f64::NAN,
    }
}

/// Σ partial · derivative of what it multiplies.
fn total(g: &mut Graph, partials: &Partials, inputs: &Inputs) -> ExprId {
    let zero = g.zero();
    partials.iter().fold(zero, |sum, &(leaf, partial)| {
        let partial = g.substitute(&[partial], &inputs.values)[0];
        match inputs.tangents.get(&leaf) {
            Some(&of) => {
                let term = g.mul(partial, of);
                g.add(sum, term)
            }
            None => sum,
        }
    })
}

/// Keeps the original's voltage of the step before, from position `before` of the stored variables on.
fn voltages(m: &mut Mechanism, hook: Hook, before: usize) -> Vec<(usize, ExprId)> {
    let peer = m.graph.leaf(Leaf::PeerVoltage);
    let last = m.graph.leaf(Leaf::State(u32_of(before + 1)));
    match hook {
        Hook::Init => vec![(before, peer), (before + 1, peer)],
        Hook::Advance => vec![(before, last), (before + 1, peer)],
        Hook::Currents | Hook::NetReceive | Hook::PostEvent => Vec::new(),
    }
}

/// Dg. Arbor's conductance is what its compiler derives; NEURON's is ∂i/∂V but for the width of its difference.
fn slope(m: &mut Mechanism, tangent: &Tangent, coupling: Coupling, inputs: &Inputs) -> ExprId {
    let kernel = tangent.kernel(Hook::Currents);
    let of = |output: Output| kernel.iter().find(|(o, _)| *o == output).map(|(_, p)| p);
    let partials = match coupling {
        Coupling::Junction => of(Output::Conductance).cloned().unwrap_or_default(),
        Coupling::Pointer => {
            let current = of(Output::Current).into_iter().flatten();
            let slopes: Vec<ExprId> = current.filter(|(l, _)| *l == Leaf::Voltage).map(|&(_, e)| e).collect();
            let mut second = Partials::new();
            for &leaf in inputs.tangents.keys() {
                second.extend(
                    slopes
                        .iter()
                        .map(|&slope| (leaf, derivative(&mut m.graph, slope, leaf))),
                );
            }
            second
        }
    };
    total(&mut m.graph, &partials, inputs)
}

/// Adds Dg·(V(t) − V(t−dt)) to the current.
fn extrapolate(g: &mut Graph, slope: ExprId, before: usize, outputs: &mut [(Output, ExprId)]) {
    let (now, earlier) = (g.leaf(Leaf::PeerVoltage), g.leaf(Leaf::State(u32_of(before))));
    let moved = g.sub(now, earlier);
    let term = g.mul(slope, moved);
    for (output, value) in outputs {
        if *output == Output::Current {
            *value = g.add(*value, term);
        }
    }
}

/// The conductance is the original's, so that both cables are solved with the same matrix; a junction process gives
/// both for a whole control volume: 1 µm² is 10⁻⁸ cm², so a mA/cm² is 0.01 nA.
fn linearise(
    m: &mut Mechanism,
    tangent: &Tangent,
    coupling: Coupling,
    inputs: &Inputs,
    outputs: &mut Vec<(Output, ExprId)>,
) {
    if let Some(conductance) = tangent.mechanism.currents.get(Output::Conductance) {
        let conductance = m.graph.substitute(&[conductance], &inputs.values)[0];
        outputs.push((Output::Conductance, conductance));
    }
    if coupling == Coupling::Pointer || m.kind != Kind::Density {
        return;
    }
    let cover = m.graph.leaf(Leaf::Parameter(u32_of(m.parameters.len())));
    m.parameters.push(Field {
        name: COVER.into(),
        unit: String::new(),
        default: 1.0,
        limits: (0.0, 1.0),
    });
    let (area, scale) = (m.graph.leaf(Leaf::Area), m.graph.constant(0.01));
    let scaled = m.graph.mul(scale, area);
    let scaled = m.graph.mul(scaled, cover);
    for (output, value) in outputs.iter_mut() {
        if matches!(output, Output::Current | Output::Conductance) {
            *value = m.graph.mul(scaled, *value);
        }
    }
}
