//! Drops what nothing depends on: sensitivities that reach no output of the mechanism, and variables that are only
//! stored for users to record where no user does. What is left are the same expressions as before.

use std::collections::BTreeMap;

use crate::ir::graph::Leaf;
use crate::ir::mechanism::{Hook, Kernel, Mechanism, Output, Storage};
use crate::pass::differentiate::Partials;

/// What users read back from a catalogue; what the simulation itself needs is there anyway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Keep {
    /// All that a catalogue for anybody offers: every stored variable, and the sensitivities of every STATE.
    #[default]
    Readable,
    /// These variables by (mechanism, variable), with their sensitivities.
    Named(Vec<(String, String)>),
}

impl Keep {
    /// Whether the value of a stored variable has to be there.
    fn value(&self, m: &Mechanism, state: usize) -> bool {
        match self {
            Keep::Readable => true,
            Keep::Named(_) => m.states[state].storage != Storage::Observed || self.names(m, state),
        }
    }

    /// Positions of the stored variables whose sensitivities users read.
    pub(crate) fn sensitivities(&self, m: &Mechanism) -> Vec<usize> {
        let read = |&s: &usize| match self {
            Keep::Readable => m.states[s].storage == Storage::State,
            Keep::Named(_) => self.names(m, s),
        };
        (0..m.states.len()).filter(read).collect()
    }

    fn names(&self, m: &Mechanism, state: usize) -> bool {
        let is = |(mechanism, variable): &(String, String)| *mechanism == m.name && *variable == m.states[state].name;
        match self {
            Keep::Readable => false,
            Keep::Named(names) => names.iter().any(is),
        }
    }
}

/// What was dropped of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// Slots move it, but its sensitivities are not carried, since nothing depends on them.
    Sensitivities,
    /// Its value is not stored, since nobody reads it.
    Value,
}

/// A variable of which something was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Mechanism in its source.
    pub mechanism: String,
    /// Variable.
    pub variable: String,
    /// What is missing.
    pub dropped: Dropped,
}

/// Stored variables whose sensitivities some output of the mechanism depends on, backwards from the outputs to a fixed
/// point; those of `read` are wanted for themselves.
pub(crate) fn needed(
    m: &Mechanism,
    kernels: &BTreeMap<Hook, Vec<(Output, Partials)>>,
    ions: &[usize],
    read: &[usize],
) -> Vec<bool> {
    let mut needed = vec![false; m.states.len()];
    for &state in read {
        needed[state] = true;
    }
    for concentration in m.concentrations.iter().filter(|c| ions.contains(&c.ion)) {
        needed[concentration.state] = true;
    }
    loop {
        let before = needed.clone();
        for (output, partials) in kernels.values().flatten() {
            let counts = match *output {
                Output::State(s) => needed[s],
                Output::Current
                | Output::Conductance
                | Output::IonCurrent(_)
                | Output::Reversal(_)
                | Output::Diffusive(_)
                | Output::Voltage => true,
            };
            for (leaf, _) in partials.iter().filter(|_| counts) {
                if let Leaf::State(s) = *leaf {
                    needed[s as usize] = true;
                }
            }
        }
        if needed == before {
            return needed;
        }
    }
}

/// Where each stored variable goes if those nobody reads are dropped; none for these.
pub(crate) fn places(m: &Mechanism, keep: &Keep) -> Vec<Option<usize>> {
    let mut next = 0;
    let place = |s: usize| {
        keep.value(m, s).then(|| {
            next += 1;
            next - 1
        })
    };
    (0..m.states.len()).map(place).collect()
}

/// Drops stored variables that no kernel reads. They come last in the table, so that no input is renumbered.
pub(crate) fn drop_values(m: &mut Mechanism, places: &[Option<usize>]) {
    let all: Vec<_> = std::mem::take(&mut m.states);
    m.states = all
        .into_iter()
        .zip(places)
        .filter_map(|(s, place)| place.map(|_| s))
        .collect();
    let kernels: [&mut Kernel; 5] = [
        &mut m.init,
        &mut m.currents,
        &mut m.advance,
        &mut m.net_receive,
        &mut m.post_event,
    ];
    for kernel in kernels {
        kernel.outputs.retain_mut(|(output, _)| renumber(output, places));
    }
}

/// Puts the new number into a result's destination; false if there is none.
pub(crate) fn renumber(output: &mut Output, places: &[Option<usize>]) -> bool {
    match output {
        Output::State(s) => match places[*s] {
            Some(place) => {
                *s = place;
                true
            }
            None => false,
        },
        Output::Current
        | Output::Conductance
        | Output::IonCurrent(_)
        | Output::Reversal(_)
        | Output::Diffusive(_)
        | Output::Voltage => true,
    }
}
