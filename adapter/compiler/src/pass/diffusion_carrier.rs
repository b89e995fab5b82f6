//! The `diffusion` carrier, as the paper has it: a mechanism beside the original, on the same cable, that adds its share
//! to u = ∂V/∂θ, the concentration of a made-up ion for each slot, whose diffusion stands in for the axial currents.
//!
//! The mechanism repeats the original's states s, adds their sensitivities w = ∂s/∂θ for every slot, and works out
//!
//! ```text
//! Di = ∂i/∂V u + Σ_j ∂i/∂s_j w_j + Σ_p ∂i/∂p seed_p + Dg·(V(t) − V(t−dt)),      u ← u − dt Di / (c_m + dt max(∂i/∂V, 0)),
//! ```
//!
//! which without axial currents is the tangent of the simulator's implicit step but for the voltages in the last term
//! (see [`super::clone_carrier`]). In Arbor the mechanism sets the diffusive concentration, before it diffuses. In NEURON
//! one mechanism has to hold a concentration that diffuses, so others add Di and ∂i/∂V to currents of made-up ions, which
//! it reads; a current of no ion of the opposite sign keeps them from the membrane.
//!
//! What diffuses is right on a uniform unbranched cable only: that is the carrier's flaw, not ours.
//!
//! # Reference
//! Landsmeer et al. (2024), arXiv 2412.07327, section 2; host-numerics.md 4.6.

use std::collections::BTreeMap;

use super::clone_carrier::{BEFORE, LAST};
use super::differentiate::{Partials, Tangent, derivative};
use crate::emit::{Names, Slots};
use crate::ir::graph::{Binary, ExprId, Graph, Leaf};
use crate::ir::mechanism::{Field, Hook, IonQuantity, IonRead, IonUse, Kernel, Mechanism, Output, StateVar, Storage};

/// What a mechanism may write in order to add to u.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// Arbor: the diffusive concentration itself.
    Concentration,
    /// NEURON: the ion's current, for the mechanism that holds the concentration.
    Current,
}

/// Capacitance of the membrane, which mechanisms are not told, µF/cm².
pub(crate) const CAPACITANCE: &str = "c_m";

/// The ion whose current is the sum of ∂i/∂V, S/cm²; in NEURON.
pub(crate) const SLOPE_ION: &str = "gd_g";

/// mV/ms of 1 mA/cm² on 1 µF/cm².
pub(crate) const RATE: f64 = 1000.0;

fn u32_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One slot in the mechanism.
struct Slot {
    /// Position of its ion.
    ion: usize,
    /// u.
    u: ExprId,
    /// Position of the first w.
    first: usize,
    /// Derivatives of what kernels read.
    tangents: BTreeMap<Leaf, ExprId>,
}

/// The mechanism beside a density mechanism that reads no ion quantity but constant reversal potentials.
pub(crate) fn companion_of(tangent: &Tangent, slots: &Slots, through: Through) -> Mechanism {
    let mut m = tangent.mechanism.clone();
    m.name = Names::augmented(&m.name);
    let own: Vec<Slot> = slots
        .names
        .iter()
        .map(|slot| declare(&mut m, tangent, slots, slot, through))
        .collect();
    let before = m.states.len();
    for name in [BEFORE, LAST] {
        m.states.push(StateVar {
            name: name.into(),
            unit: "mV".into(),
            storage: Storage::Carried,
        });
    }
    let (now, last) = (
        m.graph.leaf(Leaf::Voltage),
        m.graph.leaf(Leaf::State(u32_of(before + 1))),
    );
    for hook in Hook::ALL {
        let mut outputs: Vec<(Output, ExprId)> = tangent
            .mechanism
            .kernel(hook)
            .states()
            .map(|(s, value)| (Output::State(s), value))
            .collect();
        for slot in &own {
            let mut tangents = slot.tangents.clone();
            if hook == Hook::Init {
                // where the voltage starts does not depend on θ, and the ion may not have been set yet
                tangents.remove(&Leaf::Voltage);
            }
            for (output, partials) in tangent.kernel(hook) {
                if let Output::State(s) = output
                    && let Some(place) = tangent.active.iter().position(|a| a == s)
                {
                    outputs.push((
                        Output::State(slot.first + place),
                        total(&mut m.graph, partials, &tangents),
                    ));
                }
            }
        }
        match hook {
            Hook::Init => outputs.extend([(before, now), (before + 1, now)].map(|(s, v)| (Output::State(s), v))),
            Hook::Advance => outputs.extend([(before, last), (before + 1, now)].map(|(s, v)| (Output::State(s), v))),
            Hook::Currents => outputs.extend(shares(&mut m, tangent, &own, through, before)),
            Hook::NetReceive | Hook::PostEvent => {}
        }
        outputs.sort_unstable();
        let kernel = Kernel {
            outputs,
            solves: Vec::new(),
        };
        match hook {
            Hook::Init => m.init = kernel,
            Hook::Currents => m.currents = kernel,
            Hook::Advance => m.advance = kernel,
            Hook::NetReceive => m.net_receive = kernel,
            Hook::PostEvent => m.post_event = kernel,
        }
    }
    m.linear = false;
    m
}

/// Declares what one slot needs.
fn declare(m: &mut Mechanism, tangent: &Tangent, slots: &Slots, slot: &str, through: Through) -> Slot {
    let ion = m.ions.len();
    let (quantity, valence) = match through {
        Through::Concentration => (IonQuantity::Diffusive, None),
        // NEURON wants a charge of an ion that it does not know
        Through::Current => (IonQuantity::Internal, Some(1)),
    };
    m.ions.push(IonUse {
        name: Names::voltage_ion(slot),
        valence,
    });
    let u = m.graph.leaf(Leaf::IonRead(u32_of(m.ion_reads.len())));
    m.ion_reads.push(IonRead { ion, quantity });
    let mut tangents = BTreeMap::from([(Leaf::Voltage, u)]);
    let first = m.states.len();
    for &s in &tangent.active {
        tangents.insert(
            Leaf::State(u32_of(s)),
            m.graph.leaf(Leaf::State(u32_of(m.states.len()))),
        );
        m.states.push(StateVar {
            name: Names::sensitivity(&m.states[s].name, slot),
            unit: String::new(),
            storage: Storage::State,
        });
    }
    for &p in &tangent.parameters {
        let of = |s: &&crate::emit::Seed| {
            s.slot == slot && s.mechanism == tangent.mechanism.name && s.parameter == m.parameters[p].name
        };
        let Some(seed) = slots.seeds.iter().find(of) else {
            continue;
        };
        tangents.insert(
            Leaf::Parameter(u32_of(p)),
            m.graph.leaf(Leaf::Parameter(u32_of(m.parameters.len()))),
        );
        m.parameters.push(Field {
            name: seed.field.clone(),
            unit: String::new(),
            default: 1.0,
            limits: (f64::MIN, f64::MAX),
        });
    }
    Slot {
        ion,
        u,
        first,
        tangents,
    }
}

/// Σ partial · derivative of what it multiplies.
fn total(g: &mut Graph, partials: &Partials, tangents: &BTreeMap<Leaf, ExprId>) -> ExprId {
    let zero = g.zero();
    partials
        .iter()
        .fold(zero, |sum, &(leaf, partial)| match tangents.get(&leaf) {
            Some(&of) => {
                let term = g.mul(partial, of);
                g.add(sum, term)
            }
            None => sum,
        })
}

/// What each slot's ion is given.
fn shares(
    m: &mut Mechanism,
    tangent: &Tangent,
    own: &[Slot],
    through: Through,
    before: usize,
) -> Vec<(Output, ExprId)> {
    let kernel = tangent.kernel(Hook::Currents);
    let of = |output: Output| kernel.iter().find(|(o, _)| *o == output).map(|(_, p)| p.clone());
    let current = of(Output::Current).unwrap_or_default();
    let zero = m.graph.zero();
    let slope = current
        .iter()
        .find(|(l, _)| *l == Leaf::Voltage)
        .map_or(zero, |&(_, e)| e);
    let damping = match m.graph.as_constant(slope) {
        Some(_) => slope,
        None => m.graph.binary(Binary::Max, slope, zero),
    };
    let (now, earlier) = (m.graph.leaf(Leaf::Voltage), m.graph.leaf(Leaf::State(u32_of(before))));
    let moved = m.graph.sub(now, earlier);
    let divisor = (through == Through::Concentration).then(|| divisor(m, damping));
    let mut out = Vec::new();
    let mut sum = zero;
    for slot in own {
        // the simulator's conductance: Arbor's compiler derives its own, NEURON takes a difference of currents
        let turn = match (through, of(Output::Conductance)) {
            (Through::Concentration, Some(partials)) => total(&mut m.graph, &partials, &slot.tangents),
            (Through::Concentration, None) => zero,
            (Through::Current, _) => {
                let second: Partials = slot
                    .tangents
                    .keys()
                    .map(|&leaf| (leaf, derivative(&mut m.graph, slope, leaf)))
                    .collect();
                total(&mut m.graph, &second, &slot.tangents)
            }
        };
        let g = &mut m.graph;
        let share = total(g, &current, &slot.tangents);
        let turned = g.mul(turn, moved);
        let share = g.add(share, turned);
        if g.is_zero(share) {
            continue;
        }
        match divisor {
            Some(divisor) => {
                let dt = g.leaf(Leaf::Dt);
                let rate = g.constant(RATE);
                let step = g.mul(rate, dt);
                let fall = g.mul(step, share);
                let fall = g.div(fall, divisor);
                out.push((Output::Diffusive(slot.ion), g.sub(slot.u, fall)));
            }
            None => {
                sum = g.add(sum, share);
                out.push((Output::IonCurrent(slot.ion), share));
            }
        }
    }
    if through == Through::Current && !out.is_empty() {
        let ion = m.ions.len();
        m.ions.push(IonUse {
            name: SLOPE_ION.into(),
            valence: Some(1),
        });
        sum = m.graph.add(sum, damping);
        out.push((Output::IonCurrent(ion), damping));
        out.push((Output::Current, m.graph.neg(sum)));
    }
    out
}

/// c_m + dt max(∂i/∂V, 0), in µF/cm².
fn divisor(m: &mut Mechanism, damping: ExprId) -> ExprId {
    let capacitance = m.graph.leaf(Leaf::Parameter(u32_of(m.parameters.len())));
    m.parameters.push(Field {
        name: CAPACITANCE.into(),
        unit: "uF/cm2".into(),
        default: 1.0,
        limits: (0.0, f64::MAX),
    });
    let g = &mut m.graph;
    let (rate, dt) = (g.constant(RATE), g.leaf(Leaf::Dt));
    let step = g.mul(rate, dt);
    let added = g.mul(step, damping);
    g.add(capacitance, added)
}
