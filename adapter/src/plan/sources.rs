//! What the compiler says of a catalogue as a whole, in the plan's terms.

use compiler::Compiled;
use compiler::ir::mechanism::{self, Mechanism};

use crate::experiment::ReversalMethod;

/// What a mechanism is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Painted, per membrane area.
    Density,
    /// Placed in `synapses`.
    Point,
    /// Placed in `junctions`.
    Junction,
    /// Painted; sets the voltage.
    Voltage,
    /// Named in an ion's `reversal_method`.
    Reversal,
}

impl Kind {
    /// In a message.
    pub(super) fn what(self) -> &'static str {
        match self {
            Kind::Density => "density mechanism",
            Kind::Point => "point process",
            Kind::Junction => "junction process",
            Kind::Voltage => "voltage process",
            Kind::Reversal => "reversal potential mechanism",
        }
    }

    /// Where an experiment takes it.
    pub(super) fn belongs(self) -> &'static str {
        match self {
            Kind::Density | Kind::Voltage => "paint it in `paint`",
            Kind::Point => "place it in `synapses`",
            Kind::Junction => "place it in `junctions`",
            Kind::Reversal => "name it in the `reversal_method` of an ion",
        }
    }
}

/// What `mechanism` is.
pub(super) fn kind(mechanism: &Mechanism) -> Kind {
    match mechanism.kind {
        mechanism::Kind::Density => Kind::Density,
        mechanism::Kind::Point => Kind::Point,
        mechanism::Kind::ReversalPotential => Kind::Reversal,
        mechanism::Kind::Junction => Kind::Junction,
        mechanism::Kind::Voltage => Kind::Voltage,
    }
}

/// True if some mechanism draws random numbers. They are keyed by the mechanism's position in the list of its group, so
/// that a catalogue's plain and augmented mechanisms draw different ones: such experiments always run the latter.
pub(crate) fn draws_noise(compiled: &Compiled) -> bool {
    compiled.mechanisms.iter().any(|m| !m.noise.is_empty())
}

/// A reversal method's name taken apart: `nernst/x=ca,R=8.3`.
pub(super) struct MethodName<'a> {
    /// The mechanism in its source.
    pub(super) base: &'a str,
    /// What follows the slash: (left of `=`, right of it). A lone name is right of nothing.
    pub(super) assignments: Vec<(Option<&'a str>, &'a str)>,
}

impl<'a> MethodName<'a> {
    pub(super) fn parse(name: &'a str) -> Self {
        let (base, rest) = name.split_once('/').unwrap_or((name, ""));
        let assignments = rest
            .split(',')
            .filter(|a| !a.is_empty())
            .map(|a| match a.split_once('=') {
                Some((left, right)) => (Some(left), right),
                None => (None, a),
            });
        Self {
            base,
            assignments: assignments.collect(),
        }
    }
}

/// The name an experiment gives a method.
pub(super) fn method_name(method: &ReversalMethod) -> &str {
    match method {
        ReversalMethod::Named(name) => name,
        ReversalMethod::With(with) => &with.mechanism,
    }
}
