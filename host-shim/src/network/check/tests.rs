//! Networks that do not fit their cells.

use super::check;
use crate::cell::{CellDescription, JunctionPlacement, SynapsePlacement};
use crate::detector::Detector;
use crate::epoch::Schedule;
use crate::morphology::{Location, Morphology, Point, SegmentTree};
use crate::network::{Connection, EventTimes, GapJunction, Generator, Network, Target};
use crate::policy::CvPolicy;
use crate::sim_error::{Joint, SimError};
use std::collections::BTreeMap;

/// Three targets, one detector, two sites.
fn cell() -> CellDescription {
    let mut tree = SegmentTree::default();
    let (a, b) = (Point::new(0.0, 0.0, 0.0, 5.0), Point::new(0.0, 0.0, 20.0, 5.0));
    tree.append(None, a, b, 1).unwrap();
    let mut cell = CellDescription::new(Morphology::new(tree).unwrap(), CvPolicy::Single);
    let at = Location::new(0, 0.5);
    let synapse = |n| SynapsePlacement {
        mechanism: "syn".to_owned(),
        at: vec![at; n],
        parameters: BTreeMap::new(),
    };
    cell.synapses = vec![synapse(2), synapse(1)];
    cell.detectors = vec![Detector { at, threshold_mv: 0.0 }];
    let site = JunctionPlacement {
        mechanism: "gj".to_owned(),
        at,
        parameters: BTreeMap::new(),
    };
    cell.junctions = vec![site.clone(), site];
    cell
}

fn good() -> Network {
    let target = Target { cell: 1, target: 2 };
    Network {
        connections: vec![
            Connection {
                source_cell: 0,
                detector: 0,
                target,
                weight: 0.1,
                delay_ms: 1.0,
            };
            2
        ],
        gap_junctions: vec![GapJunction {
            local_cell: 0,
            local_site: 1,
            peer_cell: 1,
            peer_site: 0,
            weight: 1.0,
        }],
        generators: vec![Generator {
            target,
            weight: 0.1,
            times: EventTimes::Schedule(Schedule::every_ms(1.0)),
        }],
        seed: 0,
    }
}

/// Cells 0 and 1 share a group, cell 2 has its own.
fn refused(change: impl FnOnce(&mut Network)) -> SimError {
    let mut network = good();
    change(&mut network);
    check(&network, &[cell(), cell(), cell()], &[0, 0, 1]).unwrap_err()
}

#[test]
fn a_network_that_fits_is_accepted() {
    assert!(check(&good(), &[cell(), cell(), cell()], &[0, 0, 1]).is_ok());
}

macro_rules! refuses {
    ($change:expr, $pattern:pat) => {
        let error = refused($change);
        assert!(matches!(error, $pattern), "{error:?}");
    };
}

#[test]
fn connections_that_do_not_fit_are_refused_by_number() {
    refuses!(
        |n| n.connections[1].source_cell = 3,
        SimError::NetworkCell {
            joint: Joint::Connection(1),
            cell: 3,
            n_cells: 3,
        }
    );
    refuses!(
        |n| n.connections[1].detector = 1,
        SimError::NetworkEnd {
            joint: Joint::Connection(1),
            kind: "detector",
            index: 1,
            n: 1,
            ..
        }
    );
    refuses!(
        |n| n.connections[0].target.target = 3,
        SimError::NetworkEnd {
            joint: Joint::Connection(0),
            kind: "target",
            index: 3,
            n: 3,
            ..
        }
    );
    refuses!(
        |n| n.connections[0].target.cell = 7,
        SimError::NetworkCell { cell: 7, .. }
    );
    refuses!(
        |n| n.connections[1].weight = f32::NAN,
        SimError::NetworkWeight {
            joint: Joint::Connection(1),
            ..
        }
    );
    for delay in [0.0, -1.0, f32::INFINITY, f32::NAN] {
        refuses!(
            |n| n.connections[1].delay_ms = delay,
            SimError::Delay { connection: 1, .. }
        );
    }
}

#[test]
fn junctions_that_do_not_fit_are_refused_by_number() {
    refuses!(
        |n| n.gap_junctions[0].peer_cell = 2,
        SimError::JunctionAcrossGroups {
            junction: 0,
            local_cell: 0,
            peer_cell: 2,
        }
    );
    refuses!(
        |n| n.gap_junctions[0].local_site = 2,
        SimError::NetworkEnd {
            joint: Joint::GapJunction(0),
            kind: "junction site",
            ..
        }
    );
    refuses!(
        |n| n.gap_junctions[0].peer_site = 2,
        SimError::NetworkEnd { index: 2, n: 2, .. }
    );
    refuses!(
        |n| n.gap_junctions[0].local_cell = 9,
        SimError::NetworkCell { cell: 9, .. }
    );
    refuses!(
        |n| n.gap_junctions[0].weight = f64::INFINITY,
        SimError::NetworkWeight { .. }
    );
}

#[test]
fn generators_that_do_not_fit_are_refused_by_number() {
    refuses!(
        |n| n.generators[0].target.target = 3,
        SimError::NetworkEnd {
            joint: Joint::Generator(0),
            ..
        }
    );
    refuses!(
        |n| n.generators[0].weight = f32::INFINITY,
        SimError::NetworkWeight {
            joint: Joint::Generator(0),
            ..
        }
    );
    refuses!(
        |n| n.generators[0].times = EventTimes::Schedule(Schedule::EveryStep),
        SimError::GeneratorTimes { generator: 0, .. }
    );
}
