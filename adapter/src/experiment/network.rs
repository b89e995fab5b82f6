//! What receives events, what sends them, and what joins cells.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::{Location, Region, Template};
use super::is_zero;

/// Point processes of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Synapse {
    /// Name, one per cell; its places are `label[0]`, `label[1]`, ….
    pub label: String,
    /// The point process.
    pub mechanism: String,
    /// Where.
    pub at: Placement,
    /// Its parameters, in the units of its source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, f64>,
}

/// Places: one, several, or drawn at random.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Placement {
    /// One.
    One(Location),
    /// Several, in this order.
    Several(Vec<Location>),
    /// Drawn uniformly by length; sorted by branch and position.
    Uniform(Uniform),
}

/// Places drawn at random, uniformly by length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uniform {
    /// Where.
    #[serde(default = "Region::all")]
    pub region: Region,
    /// How many.
    pub count: usize,
    /// Seed; members of a population draw places of their own from it.
    pub seed: u64,
}

/// Where a cell can be joined to another by gap junctions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Junction {
    /// Name, one per cell; its places are `label[0]`, `label[1]`, ….
    pub label: String,
    /// The junction process that carries the current on this side.
    pub mechanism: String,
    /// Where.
    pub at: Placement,
    /// Its parameters, in the units of its source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, f64>,
}

/// Events from outside for a synapse of the same cell; exactly one of `regular`, `times_ms` and `poisson`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// Label of the synapse; all its places receive events, each from a generator of its own. `label[i]` for one place.
    pub target: String,
    /// Weight of each event, in the unit of the point process.
    pub weight: f64,
    /// Events at equal intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regular: Option<Regular>,
    /// Times of events, ms, ascending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_ms: Option<Vec<f64>>,
    /// A Poisson process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poisson: Option<Poisson>,
}

/// Events at whole multiples of an interval, as Arbor's regular schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regular {
    /// Multiples before this time are left out, ms.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_ms: f64,
    /// Interval, ms.
    pub interval_ms: f64,
    /// Multiples from this time on are left out, ms; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_ms: Option<f64>,
}

/// A Poisson process, drawn as Arbor's Poisson schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poisson {
    /// Mean rate, 1/s.
    pub rate_hz: f64,
    /// Seed. The first place of the first member of a population draws from it as it is; the others from seeds made of it.
    pub seed: u64,
    /// Start, ms.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_ms: f64,
    /// End, ms; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_ms: Option<f64>,
}

/// Cells `name[0]` to `name[count − 1]` of one make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Name.
    pub name: String,
    /// How many.
    pub count: usize,
    /// What each is made of.
    pub cell: Template,
}

/// Connections between detectors and places of synapses. Sources are the detectors of the cells of `from`, targets the
/// places of the label on the cells of `to`, both in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Who sends.
    pub from: Sender,
    /// Who receives.
    pub to: Receiver,
    /// Which sources send to which targets.
    pub rule: Rule,
    /// Whether a cell may send to itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_connections: bool,
    /// Weight, in the unit of the point process.
    pub weight: f64,
    /// Delay, ms.
    pub delay_ms: f64,
}

/// Who sends spikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// Cell or population.
    pub cell: String,
    /// Label of the detector; the only one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
}

/// Who receives spikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// Cell or population.
    pub cell: String,
    /// Label of the synapse, or `label[i]` for one place of it.
    pub synapse: String,
}

/// Which sources are connected to which targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Rule {
    /// Without chance.
    Named(NamedRule),
    /// Every target hears of a number of sources.
    Indegree(Indegree),
    /// Every pair has a chance.
    Probability(Probability),
}

/// A rule without chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedRule {
    /// Every source to every target.
    AllToAll,
    /// The k-th source to the k-th target; there must be as many of the one as of the other.
    OneToOne,
}

/// Every target hears of `indegree` different sources, drawn without replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Indegree {
    /// How many sources.
    pub indegree: usize,
    /// Seed.
    pub seed: u64,
}

/// Each pair of a source and a target is connected with this probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probability {
    /// 0 to 1.
    pub probability: f64,
    /// Seed.
    pub seed: u64,
}

/// Gap junctions between the sites of two cells. Of populations, every cell of the one is joined to every other cell of
/// the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapJunction {
    /// One side.
    pub a: Site,
    /// The other.
    pub b: Site,
    /// Factor on the current.
    #[serde(default = "one")]
    pub weight: f64,
    /// Whether both sides feel each other; else only `a` feels `b`.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub symmetric: bool,
}

fn one() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

/// One side of a gap junction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Cell or population.
    pub cell: String,
    /// Label of the junction, or `label[i]` for one place of it.
    pub junction: String,
}
