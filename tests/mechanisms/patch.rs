//! A patch of membrane that keeps its voltage: one compartment of such a capacitance that no current moves it, except
//! pulses of one step that move it by a known amount.

use std::f64::consts::PI;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use compiler::{Options, Source, compile};
use graddiff::catalogue::load_catalogue;
use host_shim::{AbiChoice, Cable, Catalogue, CellDescription, CvPolicy, DensityPaint, EventTimes, Generator, IClamp};
use host_shim::{
    IonProperties, Location, Morphology, Network, Point, Probe, ProbeKind, Samples, Schedule, SegmentTree,
};
use host_shim::{Simulation, SynapsePlacement, Target};

pub(crate) const LENGTH_UM: f64 = 10.0;
pub(crate) const RADIUS_UM: f64 = 5.0;
pub(crate) const AREA_UM2: f64 = 2.0 * PI * RADIUS_UM * LENGTH_UM;
/// 1e14 times that of a real membrane: a current of 1 A/m² moves it by 1e-12 mV per ms.
const CAPACITANCE_F_PER_M2: f64 = 1e12;
pub(crate) const DT_MS: f64 = 0.025;
pub(crate) const MIDDLE: Location = Location { branch: 0, pos: 0.5 };

/// R, J/(K mol), and F, C/mol: exact since 2019 (CODATA 2018).
pub(crate) const GAS: f64 = 8.314_462_618_153_24;
pub(crate) const FARADAY: f64 = 96_485.332_123_310_02;

/// What is tested: all that needs no time step of its own.
const FILES: [&str; 23] = [
    "ca_hva/ca_hva",
    "calcium/ca_lva",
    "calcium/ca_pool",
    "clamp/v_clamp",
    "hh/hh",
    "homeostasis/hh_homeo",
    "ih/ih",
    "ions/nernst",
    "junction/gap",
    "k/bk",
    "k/km",
    "k/sk",
    "kv/kv",
    "na/na",
    "na/na_markov",
    "noise/ou_noise",
    "olive/axon",
    "olive/dend",
    "olive/soma",
    "pas/pas",
    "synapses/ampa_nmda",
    "synapses/exp2syn",
    "synapses/gaba",
];

/// A constant calcium current, mA/cm².
const INFLUX: &str = "
NEURON { SUFFIX influx USEION ca WRITE ica RANGE density }
PARAMETER { density = 0 (mA/cm2) }
BREAKPOINT { ica = density }
";

/// The library in one catalogue, without sensitivities.
pub(crate) fn library() -> &'static Arc<Catalogue> {
    static LIBRARY: OnceLock<Arc<Catalogue>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("mechanisms");
        let files = FILES.iter().chain(&["synapses/expsyn"]);
        let mut sources: Vec<Source> = files
            .map(|file| Source {
                name: format!("mechanisms/{file}.mod"),
                text: fs::read_to_string(root.join(file).with_extension("mod")).expect("a mechanism is UTF-8"),
            })
            .collect();
        sources.push(Source {
            name: "influx.mod".into(),
            text: INFLUX.into(),
        });
        let compiled = compile(&sources, &Options::default()).expect("the library compiles");
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("mechanisms-{}.so", std::process::id()));
        compiler::emit::build::build(&compiled.c_source, &path).expect("a C compiler; set CC");
        let catalogue = load_catalogue(&path, AbiChoice::Auto).expect("our own catalogue loads");
        fs::remove_file(&path).expect("our own file; the mapping outlives its name");
        catalogue
    })
}

/// A cell of one compartment and what is sent to its synapses.
pub(crate) struct Patch {
    pub(crate) cell: CellDescription,
    pub(crate) network: Network,
    v_mv: f64,
}

impl Patch {
    /// At `v_mv`, where it stays.
    pub(crate) fn held(v_mv: f64, celsius: f64) -> Self {
        Self::free(v_mv, celsius, CAPACITANCE_F_PER_M2)
    }

    /// At `v_mv` to begin with.
    pub(crate) fn free(v_mv: f64, celsius: f64, cm_f_per_m2: f64) -> Self {
        let mut tree = SegmentTree::default();
        let end = |x| Point::new(x, 0.0, 0.0, RADIUS_UM);
        tree.append(None, end(0.0), end(LENGTH_UM), 1).expect("a cylinder");
        let morphology = Morphology::new(tree).expect("a cylinder");
        let mut cell = CellDescription::new(morphology, CvPolicy::Single);
        let p = &mut cell.properties;
        p.cm_f_per_m2.set_default(cm_f_per_m2).expect("a capacitance");
        p.v_init_mv.set_default(v_mv).expect("a voltage");
        p.temperature_k.set_default(celsius + 273.15).expect("a temperature");
        Self {
            cell,
            network: Network::default(),
            v_mv,
        }
    }

    /// With `mechanism` all over it.
    pub(crate) fn with(mut self, mechanism: &str, parameters: &[(&str, f64)]) -> Self {
        let mut paint = DensityPaint::new(mechanism, vec![Cable::new(0, 0.0, 1.0)]);
        for &(name, value) in parameters {
            paint = paint.with(name, value);
        }
        self.cell.densities.push(paint);
        self
    }

    /// With these concentrations, mM.
    pub(crate) fn ion(mut self, ion: &str, valence: i32, int_mm: f64, ext_mm: f64) -> Self {
        let properties = IonProperties::new(valence, int_mm, ext_mm, 0.0);
        self.cell.ions.insert(ion.into(), properties);
        self
    }

    /// With one more point process, which receives events at `times_ms`.
    pub(crate) fn point(mut self, mechanism: &str, parameters: &[(&str, f64)], weight: f32, times_ms: &[f64]) -> Self {
        let target = self.cell.synapses.len();
        self.cell.synapses.push(SynapsePlacement {
            mechanism: mechanism.into(),
            at: vec![MIDDLE],
            parameters: parameters.iter().map(|&(n, v)| (n.into(), v)).collect(),
        });
        if !times_ms.is_empty() {
            self.network.generators.push(Generator {
                target: Target { cell: 0, target },
                weight,
                times: EventTimes::Schedule(Schedule::Explicit(times_ms.to_vec())),
            });
        }
        self
    }

    /// Puts a held patch to another voltage, in the step that begins at `t_ms`.
    pub(crate) fn step_to(mut self, t_ms: f64, v_mv: f64) -> Self {
        let picofarad = CAPACITANCE_F_PER_M2 * AREA_UM2;
        let nanoamp = 1e-3 * picofarad * (v_mv - self.v_mv) / DT_MS;
        // a margin on both sides keeps rounding of the step's start harmless
        self.cell
            .clamps
            .push(IClamp::pulse(MIDDLE, t_ms - 0.5 * DT_MS, DT_MS, nanoamp));
        self.v_mv = v_mv;
        self
    }

    pub(crate) fn simulation(self) -> Simulation {
        Simulation::with_network(vec![vec![self.cell]], std::slice::from_ref(library()), &self.network)
            .expect("a sound patch")
    }

    /// One list of values per quantity, at the start of each step.
    pub(crate) fn run(self, t_ms: f64, dt_ms: f64, kinds: &[ProbeKind]) -> Vec<Vec<f64>> {
        record(&mut self.simulation(), t_ms, dt_ms, kinds)
    }

    /// A state of a density mechanism as INITIAL sets it: the steady state at the patch's voltage.
    pub(crate) fn initial(self, mechanism: &str, state: &str) -> f64 {
        self.simulation().state(0, mechanism, state).expect("a state")[0]
    }
}

pub(crate) fn record(simulation: &mut Simulation, t_ms: f64, dt_ms: f64, kinds: &[ProbeKind]) -> Vec<Vec<f64>> {
    let probes: Vec<Probe> = kinds.iter().cloned().map(|kind| Probe { cell: 0, kind }).collect();
    let samples: Samples = simulation
        .record(t_ms, dt_ms, &Schedule::EveryStep, &probes)
        .expect("a stable run");
    (0..probes.len()).map(|i| samples.probe(i).collect()).collect()
}

pub(crate) fn voltage() -> ProbeKind {
    ProbeKind::Voltage { at: MIDDLE }
}

pub(crate) fn state(mechanism: &str, state: &str) -> ProbeKind {
    ProbeKind::State {
        mechanism: mechanism.into(),
        state: state.into(),
        at: MIDDLE,
    }
}

pub(crate) fn point_state(target: usize, state: &str) -> ProbeKind {
    ProbeKind::PointState {
        target,
        state: state.into(),
    }
}

/// Fails unless `got` is within `tolerance`, relative to `want`.
#[track_caller]
pub(crate) fn close(what: &str, got: f64, want: f64, tolerance: f64) {
    let error = (got - want).abs();
    assert!(
        error <= tolerance * want.abs(),
        "{what}: {got} instead of {want}, off by {:.2e} of it ({tolerance:.0e} allowed)",
        error / want.abs()
    );
}

/// Fails unless `got` is in `range`.
#[track_caller]
pub(crate) fn within(what: &str, got: f64, range: std::ops::RangeInclusive<f64>) {
    assert!(range.contains(&got), "{what}: {got} is not in {range:?}");
}

/// Time constant of a gate of `mechanism` at `to_mv`, ms: from how it relaxes after a step from `from_mv`, towards
/// `target`.
pub(crate) fn time_constant(patch: Patch, gate: (&str, &str), to_mv: f64, target: f64, over_ms: f64) -> f64 {
    let lane = &patch
        .step_to(2.0 * DT_MS, to_mv)
        .run(over_ms, DT_MS, &[state(gate.0, gate.1)])[0];
    // the step's own time step sees the new voltage already: from the sample after it on, the voltage is constant
    let (first, last) = (4, lane.len() - 1);
    let steps = u32::try_from(last - first).expect("few steps");
    let ratio = (lane[first] - target) / (lane[last] - target);
    assert!(ratio > 1.01, "{gate:?} hardly moves: {} to {}", lane[first], lane[last]);
    f64::from(steps) * DT_MS / ratio.ln()
}

/// The number of steps of `step_ms` in `t_ms`, to the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few hundred thousand at most, and not negative"
)]
pub(crate) fn steps(t_ms: f64, step_ms: f64) -> usize {
    (t_ms / step_ms).round() as usize
}
