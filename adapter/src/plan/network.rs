//! What joins cells: rules of connections expanded, gap junctions, generators of events.

use host_shim::{Connection, EventTimes, GapJunction, Generator, Network, Schedule, Target};

use super::cell::PlannedCell;
use super::point::find;
use super::roster::Roster;
use super::{PlanError, ascending};
use crate::experiment::{self, Experiment, NamedRule, Rule};
use crate::random::{SplitMix64, derived};

/// More pairs than this are a slip of the pen.
const MAX_PAIRS: usize = 10_000_000;

pub(super) fn plan(experiment: &Experiment, roster: &Roster, cells: &[PlannedCell]) -> Result<Network, PlanError> {
    let cx = Cx {
        experiment,
        roster,
        cells,
    };
    let mut network = Network {
        seed: experiment.simulation.seed,
        ..Network::default()
    };
    for (i, connection) in experiment.connections.iter().enumerate() {
        cx.connect(connection, &format!("connections[{i}]"), &mut network.connections)?;
    }
    for (i, gap) in experiment.gap_junctions.iter().enumerate() {
        cx.join(gap, &format!("gap_junctions[{i}]"), &mut network.gap_junctions)?;
    }
    for (cell, member) in roster.members.iter().enumerate() {
        for (i, generator) in member.cell.generators.iter().enumerate() {
            let place = format!("{}.generators[{i}]", member.place);
            cx.generate(cell, member.number, generator, &place, &mut network.generators)?;
        }
    }
    Ok(network)
}

struct Cx<'a> {
    experiment: &'a Experiment,
    roster: &'a Roster,
    cells: &'a [PlannedCell],
}

impl Cx<'_> {
    fn connect(
        &self,
        connection: &experiment::Connection,
        place: &str,
        out: &mut Vec<Connection>,
    ) -> Result<(), PlanError> {
        let weight = single(connection.weight, format!("{place}.weight"))?;
        let delay_ms = self.delay(connection.delay_ms, place)?;
        let sources = self.sources(&connection.from, &format!("{place}.from"))?;
        let targets = self.targets(&connection.to, &format!("{place}.to"))?;
        if sources.len().saturating_mul(targets.len()) > MAX_PAIRS {
            return Err(PlanError::Value {
                place: format!("{place}.rule"),
                value: sources.len() as f64 * targets.len() as f64,
                rule: "about at most ten million pairs of sources and targets",
            });
        }
        let admitted =
            |source: &(usize, usize), target: &Target| connection.self_connections || source.0 != target.cell;
        let mut add = |source: &(usize, usize), target: &Target| {
            out.push(Connection {
                source_cell: source.0,
                detector: source.1,
                target: *target,
                weight,
                delay_ms,
            });
        };
        match connection.rule {
            Rule::Named(NamedRule::AllToAll) => {
                for target in &targets {
                    sources
                        .iter()
                        .filter(|s| admitted(s, target))
                        .for_each(|s| add(s, target));
                }
            }
            Rule::Named(NamedRule::OneToOne) => {
                if sources.len() != targets.len() {
                    return Err(PlanError::Unequal {
                        place: format!("{place}.rule"),
                        sources: sources.len(),
                        targets: targets.len(),
                    });
                }
                let pairs = sources.iter().zip(&targets).filter(|(s, t)| admitted(s, t));
                pairs.for_each(|(s, t)| add(s, t));
            }
            Rule::Indegree(rule) => {
                let mut stream = SplitMix64::new(rule.seed);
                for target in &targets {
                    let candidates: Vec<_> = sources.iter().filter(|s| admitted(s, target)).collect();
                    if !(1..=candidates.len()).contains(&rule.indegree) {
                        return Err(PlanError::Indegree {
                            place: format!("{place}.rule.indegree"),
                            indegree: rule.indegree,
                            sources: candidates.len(),
                        });
                    }
                    for k in stream.sample(candidates.len(), rule.indegree) {
                        add(candidates[k], target);
                    }
                }
            }
            Rule::Probability(rule) => {
                if !(0.0..=1.0).contains(&rule.probability) {
                    return Err(PlanError::Value {
                        place: format!("{place}.rule.probability"),
                        value: rule.probability,
                        rule: "from 0 to 1",
                    });
                }
                let mut stream = SplitMix64::new(rule.seed);
                for target in &targets {
                    for source in &sources {
                        // one number per pair, admitted or not, so that self_connections does not change the others
                        if stream.unit() < rule.probability && admitted(source, target) {
                            add(source, target);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Delays are 32-bit floats, and cells hear of each other every half of the least one, so that no step may be longer.
    fn delay(&self, delay_ms: f64, place: &str) -> Result<f32, PlanError> {
        let place = format!("{place}.delay_ms");
        let delay = single(delay_ms, place.clone())?;
        let dt_ms = self.experiment.simulation.dt_ms;
        if delay <= 0.0 || dt_ms - f64::from(delay) / 2.0 > 10.0 * f64::from(f32::EPSILON) {
            return Err(PlanError::Value {
                place,
                value: delay_ms,
                rule: "positive and at least twice simulation.dt_ms",
            });
        }
        Ok(delay)
    }

    /// (cell, detector).
    fn sources(&self, from: &experiment::Sender, place: &str) -> Result<Vec<(usize, usize)>, PlanError> {
        let mut sources = Vec::new();
        for cell in self.roster.find(&from.cell, &format!("{place}.cell"))? {
            let labels = &self.cells[cell].detector_labels;
            let here = format!("{place}.detector");
            let detector = match &from.detector {
                Some(label) => {
                    labels
                        .iter()
                        .position(|l| l.as_ref() == Some(label))
                        .ok_or_else(|| PlanError::Unknown {
                            place: here,
                            what: "detector",
                            name: label.clone(),
                            known: labels.iter().flatten().cloned().collect(),
                        })?
                }
                None if labels.len() == 1 => 0,
                None => {
                    return Err(PlanError::Detector {
                        place: here,
                        cell: self.cells[cell].name.clone(),
                        count: labels.len(),
                    });
                }
            };
            sources.push((cell, detector));
        }
        Ok(sources)
    }

    fn targets(&self, to: &experiment::Receiver, place: &str) -> Result<Vec<Target>, PlanError> {
        let mut targets = Vec::new();
        for cell in self.roster.find(&to.cell, &format!("{place}.cell"))? {
            let synapses = &self.cells[cell].synapses;
            let found = find(synapses, &to.synapse, "synapse", &format!("{place}.synapse"))?;
            targets.extend(found.into_iter().map(|target| Target { cell, target }));
        }
        Ok(targets)
    }

    fn join(&self, gap: &experiment::GapJunction, place: &str, out: &mut Vec<GapJunction>) -> Result<(), PlanError> {
        if !gap.weight.is_finite() {
            return Err(PlanError::Value {
                place: format!("{place}.weight"),
                value: gap.weight,
                rule: "finite",
            });
        }
        let sites = |side: &experiment::Site, place: String| -> Result<Vec<(usize, usize)>, PlanError> {
            let mut sites = Vec::new();
            for cell in self.roster.find(&side.cell, &format!("{place}.cell"))? {
                let junctions = &self.cells[cell].junctions;
                let found = find(junctions, &side.junction, "junction", &format!("{place}.junction"))?;
                sites.extend(found.into_iter().map(|site| (cell, site)));
            }
            Ok(sites)
        };
        let (a, b) = (
            sites(&gap.a, format!("{place}.a"))?,
            sites(&gap.b, format!("{place}.b"))?,
        );
        if a.len().saturating_mul(b.len()) > MAX_PAIRS {
            return Err(PlanError::Value {
                place: place.into(),
                value: a.len() as f64 * b.len() as f64,
                rule: "about at most ten million pairs of sites",
            });
        }
        let before = out.len();
        for &local in &a {
            for &peer in b.iter().filter(|peer| peer.0 != local.0) {
                // within one population each pair comes up from both ends
                let again = gap.symmetric && a.contains(&peer) && b.contains(&local) && peer < local;
                if again {
                    continue;
                }
                let one_way = |local: (usize, usize), peer: (usize, usize)| GapJunction {
                    local_cell: local.0,
                    local_site: local.1,
                    peer_cell: peer.0,
                    peer_site: peer.1,
                    weight: gap.weight,
                };
                out.push(one_way(local, peer));
                if gap.symmetric {
                    out.push(one_way(peer, local));
                }
            }
        }
        if out.len() == before {
            return Err(PlanError::SelfJunction { place: place.into() });
        }
        Ok(())
    }

    fn generate(
        &self,
        cell: usize,
        member: usize,
        generator: &experiment::Generator,
        place: &str,
        out: &mut Vec<Generator>,
    ) -> Result<(), PlanError> {
        let weight = single(generator.weight, format!("{place}.weight"))?;
        let synapses = &self.cells[cell].synapses;
        let targets = find(synapses, &generator.target, "synapse", &format!("{place}.target"))?;
        for (k, target) in targets.iter().enumerate() {
            let stream = member * targets.len() + k;
            out.push(Generator {
                target: Target { cell, target: *target },
                weight,
                times: times(generator, stream, place)?,
            });
        }
        Ok(())
    }
}

/// Events of the `stream`-th generator made of one entry.
fn times(generator: &experiment::Generator, stream: usize, place: &str) -> Result<EventTimes, PlanError> {
    let check = |field: &str, value: f64, holds: bool, rule: &'static str| match holds {
        true => Ok(()),
        false => Err(PlanError::Value {
            place: format!("{place}.{field}"),
            value,
            rule,
        }),
    };
    let positive = |x: f64| x.is_finite() && x > 0.0;
    let span = |field: &str, start_ms: f64, stop_ms: Option<f64>| {
        let start = format!("{field}.start_ms");
        check(
            &start,
            start_ms,
            start_ms.is_finite() && start_ms >= 0.0,
            "finite and not negative",
        )?;
        let stop = stop_ms.unwrap_or(f64::INFINITY);
        check(&format!("{field}.stop_ms"), stop, stop >= start_ms, "at least start_ms")?;
        Ok::<f64, PlanError>(stop)
    };
    match (&generator.regular, &generator.times_ms, &generator.poisson) {
        (Some(r), None, None) => {
            check(
                "regular.interval_ms",
                r.interval_ms,
                positive(r.interval_ms),
                "positive and finite",
            )?;
            Ok(EventTimes::Schedule(Schedule::Regular {
                start_ms: r.start_ms,
                step_ms: r.interval_ms,
                stop_ms: span("regular", r.start_ms, r.stop_ms)?,
            }))
        }
        (None, Some(times), None) => {
            if !ascending(times) {
                return Err(PlanError::EventTimes {
                    place: format!("{place}.times_ms"),
                });
            }
            Ok(EventTimes::Schedule(Schedule::Explicit(times.clone())))
        }
        (None, None, Some(p)) => {
            check("poisson.rate_hz", p.rate_hz, positive(p.rate_hz), "positive and finite")?;
            Ok(EventTimes::Poisson {
                start_ms: p.start_ms,
                rate_per_ms: p.rate_hz / 1000.0,
                seed: derived(p.seed, stream),
                stop_ms: span("poisson", p.start_ms, p.stop_ms)?,
            })
        }
        _ => Err(PlanError::Choice {
            place: place.into(),
            fields: "`regular`, `times_ms` and `poisson`",
        }),
    }
}

/// As a 32-bit float, which is what Arbor keeps.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is refused below")]
fn single(value: f64, place: String) -> Result<f32, PlanError> {
    let short = value as f32;
    if !short.is_finite() {
        return Err(PlanError::Value {
            place,
            value,
            rule: "a number that a 32-bit float holds",
        });
    }
    Ok(short)
}

#[cfg(test)]
mod tests;
