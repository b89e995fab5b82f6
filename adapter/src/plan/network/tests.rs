//! Rules expanded, on the cells of the repository's network experiment.

use std::collections::BTreeSet;
use std::path::Path;

use host_shim::{EventTimes, Network};
use serde_json::{Value, json};

use crate::plan::Plan;

/// The experiment with one connection of this rule from ring to ring, and one more change.
fn plan(rule: Value, change: impl FnOnce(&mut Value)) -> Network {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/experiments");
    let text = std::fs::read_to_string(folder.join("network.json")).expect("a file of ours");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    json["connections"] = json!([{
        "from": { "cell": "ring" }, "to": { "cell": "ring", "synapse": "in" },
        "rule": rule, "weight": 0.25, "delay_ms": 1.5
    }]);
    change(&mut json);
    let experiment = serde_json::from_value(json).expect("an experiment");
    Plan::of(experiment, folder, Vec::new()).expect("sound").network
}

/// (source, target cell, target) of each connection.
fn pairs(network: &Network) -> Vec<(usize, usize, usize)> {
    let row = |c: &host_shim::Connection| (c.source_cell, c.target.cell, c.target.target);
    network.connections.iter().map(row).collect()
}

// Junctions join the driver, ring[0] and ring[3], so that the cells are numbered driver, ring[0], ring[3], ring[1], …
const RING: [usize; 6] = [1, 3, 4, 2, 5, 6];

#[test]
fn all_to_all_leaves_out_the_cell_itself_unless_told_otherwise() {
    let network = plan(json!("all_to_all"), |_| ());
    let found: BTreeSet<_> = pairs(&network).into_iter().collect();
    assert_eq!((network.connections.len(), found.len()), (30, 30));
    assert!(
        found
            .iter()
            .all(|&(s, t, target)| s != t && s != 0 && t != 0 && target == 0)
    );
    assert!(
        network
            .connections
            .iter()
            .all(|c| (c.weight.to_bits(), c.delay_ms.to_bits(), c.detector)
                == (0.25_f32.to_bits(), 1.5_f32.to_bits(), 0))
    );
    let network = plan(json!("all_to_all"), |json| {
        json["connections"][0]["self_connections"] = json!(true)
    });
    assert_eq!(network.connections.len(), 36);
}

#[test]
fn one_to_one_pairs_places_in_the_order_of_members() {
    let network = plan(json!("one_to_one"), |json| {
        json["connections"][0]["self_connections"] = json!(true)
    });
    assert_eq!(pairs(&network), RING.map(|c| (c, c, 0)));
    // the members' three places: in, noise[0], noise[1]
    let one = plan(json!("one_to_one"), |json| {
        json["connections"][0]["from"]["cell"] = json!("ring[1]");
        json["connections"][0]["to"] = json!({ "cell": "ring[3]", "synapse": "noise[1]" });
    });
    assert_eq!(pairs(&one), [(RING[1], RING[3], 2)]);
}

#[test]
fn every_target_hears_of_so_many_different_sources() {
    let rule = |seed| json!({ "indegree": 3, "seed": seed });
    let network = plan(rule(4), |_| ());
    for target in RING {
        let sources: BTreeSet<usize> = pairs(&network).iter().filter(|p| p.1 == target).map(|p| p.0).collect();
        assert_eq!(sources.len(), 3);
        assert!(!sources.contains(&target));
    }
    assert_eq!(network.connections.len(), 18);
    assert_eq!(pairs(&plan(rule(4), |_| ())), pairs(&network), "the seed decides");
    assert_ne!(pairs(&plan(rule(5), |_| ())), pairs(&network), "and nothing else does");
}

#[test]
fn each_pair_has_its_chance() {
    let rule = |p: f64| json!({ "probability": p, "seed": 9 });
    let [none, some, all] = [0.0, 0.4, 1.0].map(|p| pairs(&plan(rule(p), |_| ())));
    assert_eq!((none.len(), all.len()), (0, 30));
    assert!((6..=18).contains(&some.len()), "{} of 30, wanted about 12", some.len());
    let with_self = pairs(&plan(rule(0.4), |json| {
        json["connections"][0]["self_connections"] = json!(true)
    }));
    let others: Vec<_> = with_self.into_iter().filter(|p| p.0 != p.1).collect();
    assert_eq!(others, some, "admitting self-connections changes no other");
}

#[test]
fn junctions_couple_both_ways_and_populations_pairwise_once() {
    let gaps = |network: &Network| -> Vec<(usize, usize)> {
        network
            .gap_junctions
            .iter()
            .map(|g| (g.local_cell, g.peer_cell))
            .collect()
    };
    let network = plan(json!("all_to_all"), |_| ());
    assert_eq!(gaps(&network), [(1, 2), (2, 1), (0, 2), (2, 0)]);
    let side = json!({ "cell": "ring", "junction": "gap" });
    let ring = |symmetric: bool| {
        let gap = json!([{ "a": side, "b": side, "symmetric": symmetric }]);
        let found = gaps(&plan(json!("all_to_all"), |json| json["gap_junctions"] = gap));
        assert_eq!(
            found.iter().collect::<BTreeSet<_>>().len(),
            found.len(),
            "no direction twice"
        );
        found.len()
    };
    assert_eq!((ring(true), ring(false)), (30, 30));
}

#[test]
fn every_place_of_every_member_has_a_train_of_its_own() {
    let network = plan(json!("all_to_all"), |_| ());
    let seed = |times: &EventTimes| match times {
        EventTimes::Poisson { seed, .. } => Some(*seed),
        EventTimes::Schedule(_) => None,
    };
    let seeds: Vec<u64> = network.generators.iter().filter_map(|g| seed(&g.times)).collect();
    assert_eq!(seeds.len(), 12, "two places on each of six members");
    assert_eq!(seeds.iter().collect::<BTreeSet<_>>().len(), 12);
    // the first place of the first member draws from the seed as it is written
    assert_eq!(seeds[0], 5);
    assert_eq!(
        (network.generators[0].target.cell, network.generators[0].target.target),
        (1, 1)
    );
}

#[test]
fn members_draw_places_of_their_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/experiments");
    let cells = Plan::load(&folder.join("network.json")).expect("sound").cells;
    let places: BTreeSet<u64> = RING
        .iter()
        .flat_map(|&c| &cells[c].synapses)
        .filter(|s| s.label == "noise")
        .map(|s| s.at.pos.to_bits())
        .collect();
    assert_eq!(places.len(), 12);
    // the region is the dendrite, which begins a sixth along the only branch
    let least = f64::from_bits(*places.first().expect("there are places"));
    assert!((1.0 / 6.0..1.0).contains(&least), "{least}");
}
