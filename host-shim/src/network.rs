//! What joins cells: connections, gap junctions, and generators of events. Data only.

mod check;

pub(crate) use check::check;

use crate::epoch::Schedule;

/// Everything beyond single cells. Cells are numbered as in [`crate::Simulation::new`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Network {
    /// Connections, in an order that does not matter.
    pub connections: Vec<Connection>,
    /// Gap junctions; a symmetric one is two entries.
    pub gap_junctions: Vec<GapJunction>,
    /// Sources of events that are no cells.
    pub generators: Vec<Generator>,
    /// Seed of the random numbers that mechanisms draw (WHITE_NOISE).
    pub seed: u64,
}

/// A target of events: a point process of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Position of the cell in the simulation.
    pub cell: usize,
    /// Position among the cell's targets (see [`crate::cell::SynapsePlacement`]).
    pub target: usize,
}

/// A detector connected to a point process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Connection {
    /// Position of the source cell in the simulation.
    pub source_cell: usize,
    /// Position in its [`crate::CellDescription::detectors`].
    pub detector: usize,
    /// Who receives.
    pub target: Target,
    /// Weight, in the mechanism's unit; Arbor keeps it as a 32-bit float.
    pub weight: f32,
    /// Delay, ms; Arbor keeps it as a 32-bit float.
    pub delay_ms: f32,
}

/// One direction of a gap junction: the local side feels the peer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GapJunction {
    /// Position of the cell whose site feels the other.
    pub local_cell: usize,
    /// Position in its [`crate::CellDescription::junctions`].
    pub local_site: usize,
    /// Position of the other cell.
    pub peer_cell: usize,
    /// Position in its [`crate::CellDescription::junctions`].
    pub peer_site: usize,
    /// Factor on the current.
    pub weight: f64,
}

/// Events from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Generator {
    /// Who receives.
    pub target: Target,
    /// Weight of every event.
    pub weight: f32,
    /// When.
    pub times: EventTimes,
}

/// When a generator sends.
#[derive(Debug, Clone, PartialEq)]
pub enum EventTimes {
    /// As a sampling schedule: regular or explicit.
    Schedule(Schedule),
    /// A Poisson process, drawn as Arbor's `poisson_schedule` draws it.
    Poisson {
        /// First time admitted, ms.
        start_ms: f64,
        /// Mean rate, 1/ms.
        rate_per_ms: f64,
        /// Seed.
        seed: u64,
        /// First time no more admitted, ms; infinite for no end.
        stop_ms: f64,
    },
}

impl EventTimes {
    /// All times before `end_ms`, ascending; none for [`Schedule::EveryStep`], which has no times of its own.
    pub fn before(&self, end_ms: f64) -> Vec<f64> {
        let mut times = Vec::new();
        crate::generator::Times::new(self).within(0.0, end_ms, |t| times.push(t));
        times
    }
}
