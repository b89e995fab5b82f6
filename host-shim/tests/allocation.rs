//! A step allocates nothing: twice as many steps cost exactly as many allocations.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]
#![expect(
    unsafe_code,
    reason = "counts allocations, and loads a fixture that it has just compiled"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use host_shim::{
    AbiChoice, Catalogue, CellDescription, Connection, CvPolicy, Detector, EventTimes, Generator, IClamp, Location,
    Morphology, Network, Point, Probe, ProbeKind, SampleView, Schedule, SegmentTree, Simulation, SynapsePlacement,
    Target,
};

thread_local! {
    /// Of this thread only: others run other tests.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

impl Counting {
    fn count() {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
    }
}

// SAFETY: everything is passed on to the system's allocator; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on; every block is the system's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise, passed on; every block is the system's.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const DT_MS: f64 = 0.025;

/// A point process `leak` that draws random numbers and hears of events.
fn catalogue() -> Arc<Catalogue> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("allocation.so");
    let _ = std::fs::remove_file(&path);
    let status = Command::new("cc")
        .args(["-std=c11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden"])
        .args(["-DKIND=arb_mechanism_kind_point", "-DIS_LINEAR=0", "-DN_RANDOMS=1"])
        .arg("-I")
        .arg(tests.join("../../../mechanisms/abi/include"))
        .arg(tests.join("good.c"))
        .arg("-o")
        .arg(&path)
        .status();
    assert!(status.expect("a C compiler `cc` is needed for this test").success());
    // SAFETY: our own fixture, compiled a moment ago.
    unsafe { Catalogue::load(&path, AbiChoice::Auto) }.unwrap()
}

/// Two cables that a sine makes cross the threshold again and again.
fn simulation() -> Simulation {
    let mut tree = SegmentTree::default();
    let point = |x| Point::new(x, 0.0, 0.0, 2.0);
    tree.append(None, point(0.0), point(300.0), 1).unwrap();
    let policy = CvPolicy::FixedPerBranch {
        n: 30,
        interior_forks: false,
    };
    let mut cell = CellDescription::new(Morphology::new(tree).unwrap(), policy);
    let at = |pos| Location::new(0, pos);
    cell.synapses = vec![SynapsePlacement {
        mechanism: "leak".into(),
        at: [0.1, 0.4, 0.4, 0.8].map(at).to_vec(),
        parameters: BTreeMap::new(),
    }];
    cell.clamps = vec![IClamp {
        at: at(0.5),
        envelope: vec![(0.0, 5.0)],
        frequency_khz: 1.0,
        phase_rad: 0.0,
    }];
    cell.detectors = vec![Detector {
        at: at(0.5),
        threshold_mv: -60.0,
    }];
    let target = |cell, target| Target { cell, target };
    let connection = |source_cell, to| Connection {
        source_cell,
        detector: 0,
        target: to,
        weight: 0.5,
        delay_ms: 1.0,
    };
    let network = Network {
        connections: vec![connection(0, target(1, 0)), connection(1, target(0, 3))],
        generators: vec![Generator {
            target: target(0, 1),
            weight: 1.0,
            times: EventTimes::Schedule(Schedule::every_ms(0.1)),
        }],
        ..Network::default()
    };
    Simulation::with_network(vec![vec![cell.clone()], vec![cell]], &[catalogue()], &network).unwrap()
}

#[test]
fn steps_do_not_allocate() {
    let mut sim = simulation();
    assert_eq!(sim.n_batches(), 1, "one batch, so that no other thread takes part");
    let probe = |cell| Probe {
        cell,
        kind: ProbeKind::Voltage {
            at: Location::new(0, 0.5),
        },
    };
    let probes = [probe(0), probe(1)];
    // Allocations, samples and spikes of a run from rest.
    let mut run = |steps: f64| {
        sim.reset();
        let mut samples = 0;
        let before = ALLOCATIONS.with(Cell::get);
        let mut sink = |view: &SampleView<'_>| samples += usize::from(view.values.len() == 2);
        sim.run(steps * DT_MS, DT_MS, &Schedule::EveryStep, &probes, &mut sink)
            .unwrap();
        (ALLOCATIONS.with(Cell::get) - before, samples, sim.spikes().len())
    };
    // What grows with the number of spikes and events grows here, once.
    run(400.0);
    let (once, samples, spikes) = run(100.0);
    let (twice, more_samples, more_spikes) = run(200.0);
    assert!(samples >= 100 && more_samples >= 200, "{samples} {more_samples}");
    assert!(spikes >= 2 && more_spikes >= 2 + spikes, "{spikes} {more_spikes}");
    assert!(once > 0, "what a run prepares is not counted");
    assert_eq!(once, twice);
}
