//! Our catalogue in an unmodified Arbor 0.12.2, through `arbor.load_catalogue`.
//!
//! The same plan runs in the shim and, as a [`Request`], in Arbor: on every CV and at every sample, voltages, states
//! and all their sensitivities must agree; the sensitivities must be Arbor's own central differences; and voltages
//! must not notice that sensitivities are computed. Both hosts run the same kernels, so the comparison judges the
//! carrier and what graddiff tells it (tree, seeds, ions); the differences judge everything.

#[path = "hosts/arbor.rs"]
mod arbor;
#[path = "hosts/points.rs"]
mod points;

use std::ops::Range;
use std::path::Path;

use arbor::{Arbor, root};
use compiler::emit::Names;
use compiler::{AbiLevel, Options, SlotSpec};
use graddiff::control::Model as _;
use graddiff::hosts::{HostError, ShimHost};
use graddiff::plan::export::{Quantity, Request, Run, Variable};
use graddiff::plan::{Plan, Variant};
use host_shim::Probe;
use points::{Point, distance, originals, relative, sensitivities, values};
use serde_json::json;

/// Relative to the largest value of a lane. Issue 2, acceptance 3 asks for 1e-8; seen are 4e-12 and less.
const SAME: f64 = 1e-10;
/// Issue 2, acceptance 3: relative to the largest difference quotient of a lane.
const QUOTIENT: f64 = 1e-6;
/// By how much the largest of the three steps moves the voltage, mV. A spike is 100 mV high: the quotient's own error
/// is of the order of (0.1/100)² before extrapolation; rounding, amplified by spikes to some 1e-11 mV, is 1e-10 of it.
const NUDGE_MV: f64 = 0.1;

/// One experiment in both hosts.
struct Bench {
    name: &'static str,
    plan: Plan,
    shim: ShimHost,
    arbor: Arbor,
    x: Vec<f64>,
}

impl Bench {
    fn new(name: &'static str) -> Self {
        let path = root().join(format!("tests/experiments/{name}.json"));
        Self::of(name, Plan::load(&path).expect("a sound experiment"))
    }

    fn of(name: &'static str, mut plan: Plan) -> Self {
        // one catalogue for both hosts, and sensitivities of states by name
        plan.compiled.c_in_rows = None;
        // tests that run side by side each build their own
        let test = std::thread::current().name().unwrap_or(name).to_string();
        let catalogue = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hosts-{test}-catalogue.so"));
        let shim = ShimHost::new(&plan, &catalogue).expect("the shim takes it");
        let x = plan.values();
        Self {
            name,
            arbor: Arbor::start(&plan, &catalogue),
            plan,
            shim,
            x,
        }
    }

    fn request(&self, x: &[f64], variant: Variant) -> Request {
        Request::new(&self.plan, self.shim.catalogue(), x, variant).expect("a sound request")
    }

    /// Samples of points in Arbor: of the experiment's probes first, then of `points`.
    fn in_arbor(&mut self, mut request: Request, points: &[Point]) -> Run {
        request.record.extend(points.iter().map(|p| p.arbor.clone()));
        let expected = (request.record.len(), request.samples_ms.len());
        let run = self.arbor.run(&request);
        assert_eq!((run.values.len(), run.times_ms.len()), expected);
        run
    }

    fn in_shim(&mut self, points: &[Point]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let probes: Vec<Probe> = points
            .iter()
            .map(|p| Probe {
                cell: p.arbor.cell,
                kind: p.shim.clone(),
            })
            .collect();
        let end = self.plan.experiment.simulation.duration_ms;
        let samples = self.shim.record(&self.x, end, true, &probes).expect("a stable run");
        let values = (0..probes.len()).map(|k| samples.probe(k).collect()).collect();
        (samples.times_ms, values)
    }

    /// Arbor's difference quotients by one slot, extrapolated from the first two of the steps h, h/2, h/4, and from the
    /// last two.
    fn quotients(&mut self, slot: usize, points: &[Point], h: f64) -> [Vec<Vec<f64>>; 2] {
        let skip = self.request(&self.x, Variant::Plain).record.len();
        let mut rows = Vec::new();
        for step in [h, h / 2.0, h / 4.0] {
            let mut at = |shift: f64| {
                let mut x = self.x.clone();
                x[slot] += shift;
                let request = self.request(&x, Variant::Plain);
                (x[slot], self.in_arbor(request, points).values)
            };
            let ((above, plus), (below, minus)) = (at(step), at(-step));
            // the step that was taken in floating point, not the one asked for
            let width = above - below;
            let quotient = |(p, m): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
                p.iter().zip(m).map(|(p, m)| (p - m) / width).collect()
            };
            rows.push(plus.iter().zip(&minus).skip(skip).map(quotient).collect::<Vec<_>>());
        }
        let extrapolate = |coarse: &[Vec<f64>], fine: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let one = |(c, f): (&Vec<f64>, &Vec<f64>)| c.iter().zip(f).map(|(c, f)| (4.0 * f - c) / 3.0).collect();
            coarse.iter().zip(fine).map(one).collect()
        };
        [extrapolate(&rows[0], &rows[1]), extrapolate(&rows[1], &rows[2])]
    }

    /// All comparisons of one experiment; returns the table.
    fn check(&mut self, least_spikes: usize) -> String {
        let mut table = Table {
            name: self.name,
            text: String::new(),
        };
        let both = self.hosts_agree(least_spikes, &mut table);
        self.nothing_is_noticed(&both, &mut table);
        self.quotients_agree(&both, &mut table);
        table.text
    }

    /// Values, sensitivities and probes are the same in both hosts.
    fn hosts_agree(&mut self, least_spikes: usize, table: &mut Table) -> Both {
        let both = self.both();
        let spikes = both.run.spikes.len();
        assert!(spikes >= least_spikes, "{spikes} spikes");
        table.row(
            "values, Arbor - shim",
            both.distance(0..both.n_values),
            SAME,
            &format!("; {spikes} spikes"),
        );
        for (slot, range) in &both.slots {
            table.row(
                &format!("d/d {slot}, Arbor - shim"),
                both.distance(range.clone()),
                SAME,
                "",
            );
        }
        self.probes_agree(&both, table);
        both
    }

    /// Everything that can be compared, in both hosts.
    fn both(&mut self) -> Both {
        let mut points = values(&self.plan, Variant::Augmented);
        let n_values = points.len();
        let mut slots = Vec::new();
        for (k, slot) in self.plan.slots.iter().enumerate() {
            let of_slot = sensitivities(&self.plan, k);
            slots.push((slot.name.clone(), points.len()..points.len() + of_slot.len()));
            points.extend(of_slot);
        }
        let request = self.request(&self.x, Variant::Augmented);
        let mut run = self.in_arbor(request.clone(), &points);
        let arbor = run.values.split_off(request.record.len());
        let (times, shim) = self.in_shim(&points);
        assert_eq!(times.len(), run.times_ms.len());
        assert!(
            times.iter().zip(&run.times_ms).all(|(a, b)| (a - b).abs() < 1e-9),
            "the same samples"
        );
        Both {
            points,
            n_values,
            slots,
            request,
            run,
            arbor,
            shim,
        }
    }

    /// The experiment's own probes, as a host hands them to the controller.
    fn probes_agree(&mut self, both: &Both, table: &mut Table) {
        let end = self.plan.experiment.simulation.duration_ms;
        let found = both.request.traces(&both.run).expect("the shape asked for");
        let wanted = self.shim.simulate(&self.x, end, true).expect("a stable run");
        assert_eq!(
            (found.values.len(), found.sens.len()),
            (wanted.values.len(), wanted.sens.len())
        );
        assert!(!wanted.sens.is_empty());
        assert!(found.values.iter().chain(&found.sens).all(|v| v.is_finite()));
        let n_sens = found.n_probes * found.n_slots;
        for (found, wanted, stride) in [
            (&found.values, &wanted.values, found.n_probes),
            (&found.sens, &wanted.sens, n_sens),
        ] {
            let mut worst = (0.0, String::new());
            for lane in 0..stride {
                let pairs = || found.iter().zip(wanted).skip(lane).step_by(stride);
                let scale = pairs().fold(0.0f64, |s, (_, w)| s.max(w.abs()));
                let error = relative(pairs().fold(0.0, |s, (f, w)| s.max((f - w).abs())), scale);
                if error >= worst.0 {
                    worst = (
                        error,
                        self.plan.probes[lane * self.plan.probes.len() / stride].name.clone(),
                    );
                }
            }
            table.row("probes, Arbor - shim", worst, SAME, "");
        }
    }

    /// Voltages, states and spikes are the plain mechanisms' to the last bit.
    fn nothing_is_noticed(&mut self, both: &Both, table: &mut Table) {
        let points = values(&self.plan, Variant::Plain);
        let request = self.request(&self.x, Variant::Plain);
        let skip = request.record.len();
        let plain = self.in_arbor(request, &points);
        let lanes = plain.values[skip..].iter().zip(&both.arbor[..both.n_values]);
        let differing = lanes
            .flat_map(|(a, b)| a.iter().zip(b))
            .filter(|(a, b)| a.to_bits() != b.to_bits());
        let numbers = points.len() * plain.times_ms.len();
        let worst = (differing.count() as f64, format!("of {numbers} numbers"));
        table.row("plain - augmented, bits", worst, 0.0, "");
        assert_eq!(plain.spikes, both.run.spikes);
    }

    /// The sensitivities are Arbor's own difference quotients.
    fn quotients_agree(&mut self, both: &Both, table: &mut Table) {
        for (k, (slot, range)) in both.slots.iter().enumerate() {
            let originals = originals(&self.plan, k);
            let points = &both.points[range.clone()];
            assert!(
                points.iter().map(|p| &p.lane).eq(originals.iter().map(|p| &p.lane)),
                "the same order"
            );
            let of_voltage = points
                .iter()
                .zip(&both.arbor[range.clone()])
                .filter(|(p, _)| p.lane == "V");
            let largest = of_voltage.flat_map(|(_, u)| u).fold(0.0f64, |a, b| a.max(b.abs()));
            let h = NUDGE_MV / largest;
            let [coarse, fine] = self.quotients(k, &originals, h);
            let own = distance(points, coarse.iter().map(Vec::as_slice), &fine);
            let error = distance(points, both.arbor[range.clone()].iter().map(Vec::as_slice), &fine);
            table.row(&format!("{slot}, h/2 - h"), own, QUOTIENT, &format!("; h = {h:.1e}"));
            table.row(&format!("d/d {slot} - quotient"), error, QUOTIENT, "");
        }
    }
}

/// What both hosts say.
struct Both {
    points: Vec<Point>,
    /// So many of the points are values; the rest are sensitivities.
    n_values: usize,
    /// Slots, and which points are theirs.
    slots: Vec<(String, Range<usize>)>,
    request: Request,
    /// Arbor's answer, for the experiment's own probes.
    run: Run,
    arbor: Vec<Vec<f64>>,
    shim: Vec<Vec<f64>>,
}

impl Both {
    fn distance(&self, range: Range<usize>) -> (f64, String) {
        let arbor = self.arbor[range.clone()].iter().map(Vec::as_slice);
        distance(&self.points[range.clone()], arbor, &self.shim[range])
    }
}

/// The figures.
struct Table {
    name: &'static str,
    text: String,
}

impl Table {
    /// Writes a row, and fails if it is out of bounds.
    fn row(&mut self, what: &str, (error, lane): (f64, String), bound: f64, note: &str) {
        let row = format!(
            "{:<24} {what:<32} {error:>8.1e} <= {bound:.0e}  {lane}{note}\n",
            self.name
        );
        self.text.push_str(&row);
        assert!(error <= bound, "\n{}", self.text);
    }
}

#[test]
fn branched_with_trivial_forks() {
    println!("{}", Bench::new("branched-trivial-forks").check(3));
}

#[test]
fn branched_with_interior_forks() {
    println!("{}", Bench::new("branched-interior-forks").check(3));
}

#[test]
fn overlapping_channels_with_partial_cover() {
    println!("{}", Bench::new("overlapping-channels").check(3));
}

/// Both cells share one cell group in Arbor, too.
#[test]
fn two_cells_of_one_group_with_a_fork_at_a_root() {
    let mut bench = Bench::new("two-cells-root-fork");
    assert_eq!(bench.request(&bench.x, Variant::Augmented).groups, [[0, 1]]);
    println!("{}", bench.check(6));
}

/// Slots that share one of the catalogue, and a cell that runs plain.
#[test]
fn cells_with_slots_of_their_own_and_one_without() {
    println!("{}", Bench::new("apart").check(5));
}

/// What both hosts say of experiments whose mechanisms talk to each other, receive events, are joined or draw noise.
#[expect(clippy::print_stdout, reason = "the figures of a run, shown with --nocapture")]
fn agree(name: &'static str, least_spikes: usize) {
    let mut bench = Bench::new(name);
    let mut table = Table {
        name: bench.name,
        text: String::new(),
    };
    bench.hosts_agree(least_spikes, &mut table);
    println!("{}", table.text);
}

#[test]
fn synapses_with_generators() {
    agree("synapses", 4);
}

#[test]
fn synapses_by_label_place_and_region() {
    agree("placements", 4);
}

/// Concentrations, a pool, and Nernst's potential with its tangents bound as calcium is.
#[test]
fn calcium_between_mechanisms() {
    agree("calcium", 4);
}

/// Populations, rules, delays and gap junctions; cells that junctions join share a group.
#[test]
fn network_of_populations() {
    agree("network", 28);
}

/// The same random numbers in both hosts.
#[test]
fn noise_by_seed() {
    agree("noise", 4);
}

/// The rest of what a request can say: other policies, painted properties, ions, envelopes, ion probes, sample times
/// between steps, and forgetting, which makes every name a derived one.
#[test]
fn all_that_a_request_says_reaches_arbor() {
    let path = root().join("tests/experiments/branched-trivial-forks.json");
    let text = std::fs::read_to_string(path).expect("a file of ours");
    let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let cell = &mut json["cells"][0];
    cell["cv_policy"] = json!({ "max_extent": { "um": 23.0, "interior_forks": true } });
    cell["properties"] = json!({ "rl_ohm_cm": 90, "cm_f_per_m2": 0.011, "v_init_mv": -66, "temperature_degc": 7 });
    let dendrites = json!({ "v_init_mv": -60, "temperature_degc": 8, "rl_ohm_cm": 120, "cm_f_per_m2": 0.02 });
    let paint = json!({ "region": { "tag": 3 }, "properties": dendrites });
    cell["paint"].as_array_mut().expect("a list").push(paint);
    cell["ions"] = json!({ "na": { "reversal_mv": 52 }, "k": { "reversal_mv": -75 } });
    let envelope = json!([[1, 0], [5, 0.9], [30, 0.7], [31, 0.8]]);
    let at = json!({ "branch": 0, "pos": 0.05 });
    cell["stimuli"] = json!([{ "at": at, "envelope": envelope, "frequency_khz": 0.003, "phase_rad": 0.9 }]);
    for variable in ["ina", "ena", "ek"] {
        let probe = json!({ "name": variable, "variable": variable, "at": { "branch": 1, "pos": 0.4 } });
        json["probes"].as_array_mut().expect("a list").push(probe);
    }
    json["simulation"]["sample_every_ms"] = json!(0.11);
    json["forgetting_per_ms"] = json!(0.05);
    let experiment = serde_json::from_value(json).expect("an experiment");
    let plan = Plan::of(experiment, root().join("tests/experiments"), Vec::new()).expect("a sound experiment");
    let mut bench = Bench::of("all", plan);
    let mut table = Table {
        name: bench.name,
        text: String::new(),
    };
    bench.hosts_agree(2, &mut table);
    println!("{}", table.text);
    // forgetting did something in Arbor
    let points = sensitivities(&bench.plan, bench.plan.slot("gnabar").expect("a slot"));
    let largest = |bench: &mut Bench| {
        let request = bench.request(&bench.x, Variant::Augmented);
        let skip = request.record.len();
        bench.in_arbor(request, &points).values[skip..]
            .iter()
            .flatten()
            .fold(0.0f64, |a, b| a.max(b.abs()))
    };
    let with = largest(&mut bench);
    bench.plan.experiment.forgetting_per_ms = 0.0;
    assert!(largest(&mut bench) > 1.1 * with);
}

/// The comparison with the shim can fail: one number of the carrier's tree off by 1e-6 of itself shows in u.
#[test]
fn a_small_fault_of_the_carrier_is_seen() {
    let mut bench = Bench::new("branched-trivial-forks");
    let points = sensitivities(&bench.plan, bench.plan.slot("gnabar").expect("a slot"));
    let (_, wanted) = bench.in_shim(&points);
    let sound = bench.request(&bench.x, Variant::Augmented);
    for parameter in ["g_face", "fork_g", "cap"] {
        let mut request = sound.clone();
        let carriers = request.cells[0]
            .paint
            .iter_mut()
            .filter(|p| p.mechanism == Names::CARRIER);
        let value = carriers
            .filter_map(|p| p.parameters.get_mut(parameter))
            .find(|value| **value > 0.0);
        *value.expect("a positive one") *= 1.0 + 1e-6;
        let run = bench.in_arbor(request, &points);
        let (error, lane) = distance(
            &points,
            run.values[sound.record.len()..].iter().map(Vec::as_slice),
            &wanted,
        );
        println!("{parameter} off by 1e-6: {error:.1e} in {lane}");
        assert!(error > 100.0 * SAME, "{parameter}");
    }
}

/// The comparison with difference quotients can fail: a seed off by 1e-5 shows, though both hosts would agree.
#[test]
fn a_small_fault_of_a_seed_is_seen() {
    let mut bench = Bench::new("branched-trivial-forks");
    let points = sensitivities(&bench.plan, bench.plan.slot("gnabar").expect("a slot"));
    let mut request = bench.request(&bench.x, Variant::Augmented);
    let skip = request.record.len();
    let mut seeds = request.cells[0]
        .paint
        .iter_mut()
        .filter_map(|p| p.parameters.get_mut("seed_gnabar__gnabar"));
    *seeds.next().expect("a seed") *= 1.0 + 1e-5;
    let run = bench.in_arbor(request, &points);
    let originals = originals(&bench.plan, 0);
    let [_, wanted] = bench.quotients(0, &originals, 4e-6);
    let (error, lane) = distance(&points, run.values[skip..].iter().map(Vec::as_slice), &wanted);
    println!("seed off by 1e-5: {error:.1e} in {lane}");
    assert!(error > QUOTIENT);
}

/// Arbor 0.9 and 0.10 are not installed here; their ABI level runs in the shim, to the bit as the other does.
#[test]
fn the_older_abi_level_runs_as_the_newer_does() {
    let mut bench = Bench::new("overlapping-channels");
    let end = bench.plan.experiment.simulation.duration_ms;
    let newer = bench.shim.simulate(&bench.x, end, true).expect("a stable run");
    let spec = |slot: &graddiff::experiment::Slot| SlotSpec {
        name: slot.name.clone(),
        targets: slot
            .targets
            .iter()
            .map(|t| (t.mechanism.clone(), t.parameter.clone()))
            .collect(),
    };
    let options = Options {
        slots: bench.plan.experiment.slots.iter().map(spec).collect(),
        abi: AbiLevel::V0_6,
        ..Options::default()
    };
    let mut plan = bench.plan.clone();
    plan.compiled = compiler::compile(&plan.sources, &options).expect("it did for 0.7");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hosts-abi-0.6-catalogue.so");
    let mut shim = ShimHost::new(&plan, &path).expect("the shim takes it");
    let loaded = graddiff::catalogue::load_catalogue(&path, host_shim::AbiChoice::Auto).expect("our own");
    assert_eq!(loaded.abi(), AbiLevel::V0_6);
    let older = shim.simulate(&bench.x, end, true).expect("a stable run");
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&older.values), bits(&newer.values));
    assert_eq!(bits(&older.sens), bits(&newer.sens));
}

#[test]
fn arbor_says_what_it_cannot_do() {
    let mut bench = Bench::new("overlapping-channels");
    let sound = bench.request(&bench.x, Variant::Plain);
    let mut refused = |change: &dyn Fn(&mut Request)| -> (String, String) {
        let mut request = sound.clone();
        change(&mut request);
        match bench.arbor.ask(&request) {
            Err(HostError::Refused { kind, message, .. }) => (kind, message),
            other => panic!("it should have refused: {other:?}"),
        }
    };
    let ask = |of: Variable| {
        move |request: &mut Request| {
            request.record.push(Quantity {
                cell: 0,
                of: of.clone(),
            })
        }
    };
    assert_eq!(refused(&|r| r.protocol = 1).0, "protocol");
    let current = refused(&ask(Variable::MembraneCurrent { at: (0, 0.5) })).0;
    assert_eq!(current, "unsupported");
    // ih covers the far half only
    let uncovered = Variable::State {
        mechanism: "ih".into(),
        state: "m".into(),
        at: (0, 0.1),
    };
    assert_eq!(refused(&ask(uncovered)).0, "unsupported");
    let nameless = Variable::State {
        mechanism: "ih".into(),
        state: "l".into(),
        at: (4, 0.9),
    };
    assert_eq!(refused(&ask(nameless)).0, "RuntimeError");
    // Arbor's own words
    let unknown = refused(&|r| r.cells[0].paint[0].mechanism = "nowhere".into());
    assert!(unknown.1.contains("nowhere"), "{unknown:?}");
    // and it still answers
    bench.arbor.run(&sound);
}
