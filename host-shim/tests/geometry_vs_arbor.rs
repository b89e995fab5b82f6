//! Geometry against Arbor 0.12.2: the same morphologies, policies, paint and stimulus in both.
//!
//! Structure (CVs, parents, segments read from SWC) must agree exactly, region ends to 1e-12. Conductances and capacitances
//! are not visible in Arbor's Python interface, so they are judged through what they do: a mechanism-free cell with painted
//! V, cm and rL relaxes under a current clamp, and voltage probes at ends, middles and forks must agree. The elimination in
//! this file is the test's own. The judge of last resort is the parity test of the whole step (`arbor_parity.rs`).

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use host_shim::{
    Cable, CableProperties, CvPolicy, Discretisation, Location, Morphology, Point, Region, SegmentTree, discretise,
    load_swc_arbor, load_swc_neuron,
};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A power of two, so that sample times fall exactly on steps (host-numerics §3.9). Short, because both eliminations lose
/// digits in proportion to g dt/C: with 2^-5 ms neither conserves charge better than 5e-10 on the cell with the largest g.
const DT_MS: f64 = 1.0 / 1024.0;
const STEPS: usize = 40;
const CLAMP_NA: f64 = 0.02;
/// Three times the worst difference seen. Tried: all g off by 1e-11 of their value fails 26 of the 30 cases.
const V_TOLERANCE_MV: f64 = 2e-11;
/// Region ends are quotients of lengths, rounded in another order.
const POS_TOLERANCE: f64 = 1e-12;

enum Shape {
    Segments(SegmentTree),
    SwcArbor(String),
    SwcNeuron(String),
}

struct Case {
    name: &'static str,
    shape: Shape,
    policy: CvPolicy,
    regions: Vec<(Region, String)>,
}

fn python() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = std::env::var_os("GRADDIFF_PYTHON").map_or(root.join(".venv/bin/python"), PathBuf::from);
    assert!(
        path.exists(),
        "no Python with Arbor at {}: run tests/run, or set GRADDIFF_PYTHON",
        path.display()
    );
    path
}

/// Hands the cases to Arbor and returns its answers.
fn ask_arbor(cases: &[Value]) -> Vec<Value> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/arbor_cv_data.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let text = serde_json::to_string(cases).unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "arbor_cv_data.py failed: its messages are above"
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["version"], "0.12.2", "the reference is Arbor 0.12.2");
    answer["cases"].as_array().unwrap().clone()
}

fn policy_text(policy: &CvPolicy) -> String {
    let flag = |interior: bool| {
        if interior {
            "(flag-interior-forks)"
        } else {
            "(flag-none)"
        }
    };
    match policy {
        CvPolicy::Single => "(single)".to_owned(),
        CvPolicy::FixedPerBranch { n, interior_forks } => {
            format!("(fixed-per-branch {n} (all) {})", flag(*interior_forks))
        }
        CvPolicy::MaxExtent { um, interior_forks } => format!("(max-extent {um:?} (all) {})", flag(*interior_forks)),
        CvPolicy::EverySegment => "(every-segment)".to_owned(),
        CvPolicy::Explicit(at) => at.iter().fold("(explicit (locset-nil))".to_owned(), |text, at| {
            let inner = text
                .trim_start_matches("(explicit ")
                .strip_suffix(')')
                .unwrap()
                .to_owned();
            format!("(explicit (sum {inner} (location {} {:?})))", at.branch, at.pos)
        }),
    }
}

/// Small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        self.unit();
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

fn cable() -> SegmentTree {
    let mut tree = SegmentTree::default();
    tree.append(
        None,
        Point::new(0.0, 0.0, 0.0, 2.0),
        Point::new(123.4, 0.0, 0.0, 2.0),
        1,
    )
    .unwrap();
    tree
}

/// A soma of two tapered segments, a dendrite that forks twice, a stepped axon.
fn branched() -> SegmentTree {
    let mut tree = SegmentTree::default();
    let s0 = tree
        .append(None, Point::new(0.0, 0.0, 0.0, 3.0), Point::new(7.0, 1.0, 0.0, 6.0), 1)
        .unwrap();
    let s1 = tree.extend(s0, Point::new(15.0, 2.0, 1.0, 2.5), 1).unwrap();
    let d0 = tree.extend(s1, Point::new(60.0, 30.0, 3.0, 1.1), 3).unwrap();
    let a0 = tree
        .append(
            Some(s1),
            Point::new(15.0, 2.0, 1.0, 0.9),
            Point::new(33.0, -30.0, 1.0, 0.4),
            2,
        )
        .unwrap();
    tree.extend(d0, Point::new(111.0, 60.0, 5.0, 0.4), 3).unwrap();
    let d2 = tree.extend(d0, Point::new(99.0, 20.0, -15.0, 0.8), 3).unwrap();
    tree.append(
        Some(a0),
        Point::new(33.0, -30.0, 1.0, 0.7),
        Point::new(50.0, -90.0, 2.0, 0.7),
        2,
    )
    .unwrap();
    let d3 = tree.extend(d2, Point::new(130.0, 20.0, -15.0, 0.3), 4).unwrap();
    tree.extend(d2, Point::new(99.0, 70.0, -15.0, 0.6), 4).unwrap();
    tree.extend(d2, Point::new(99.0, 20.0, -70.0, 0.2), 4).unwrap();
    tree.extend(d3, Point::new(150.0, 22.0, -15.0, 0.9), 4).unwrap();
    tree
}

/// Three branches that meet at the root.
fn forked_root() -> SegmentTree {
    let mut tree = SegmentTree::default();
    let root = Point::new(0.0, 0.0, 0.0, 1.5);
    tree.append(None, root, Point::new(40.0, 0.0, 0.0, 1.0), 1).unwrap();
    let second = tree.append(None, root, Point::new(-30.0, 0.0, 0.0, 0.7), 3).unwrap();
    tree.append(None, root, Point::new(0.0, 55.0, 0.0, 0.5), 2).unwrap();
    tree.extend(second, Point::new(-60.0, 10.0, 0.0, 0.4), 3).unwrap();
    tree.extend(second, Point::new(-60.0, -10.0, 0.0, 0.4), 3).unwrap();
    tree
}

/// One branch of cylinders and cones with jumps in radius, and a ring without length.
fn stepped() -> SegmentTree {
    let mut tree = SegmentTree::default();
    let mut last = tree
        .append(None, Point::new(0.0, 0.0, 0.0, 4.0), Point::new(11.0, 0.0, 0.0, 4.0), 1)
        .unwrap();
    for (i, (r0, r1, x)) in [
        (1.0, 1.0, 20.0),
        (1.0, 0.5, 33.0),
        (0.5, 0.9, 33.0),
        (0.9, 3.0, 61.0),
        (0.2, 0.2, 70.0),
    ]
    .iter()
    .enumerate()
    {
        let from = tree.segments()[last].dist;
        let tag = if i % 2 == 0 { 3 } else { 4 };
        last = tree
            .append(
                Some(last),
                Point { radius: *r0, ..from },
                Point::new(*x, 0.0, 0.0, *r1),
                tag,
            )
            .unwrap();
    }
    tree
}

/// At least 100 branches.
fn generated() -> SegmentTree {
    let mut random = Random(20_240_607);
    let mut tree = cable();
    let mut ends = vec![0];
    while ends.len() < 200 {
        let at = random.below(tree.segments().len());
        let from = tree.segments()[at].dist;
        let mut step = || 30.0 * (random.unit() - 0.5);
        let to = Point::new(
            from.x + step(),
            from.y + step(),
            from.z + step(),
            0.2 + 2.0 * random.unit(),
        );
        let tag = 1 + i32::try_from(random.below(4)).unwrap();
        ends.push(tree.extend(at, to, tag).unwrap());
    }
    tree
}

const SWC: &str = "# a cell with a three-sample soma\n\
    1 1 0 0 0 5 -1\n2 1 0 10 0 6 1\n3 1 0 -10 0 5.5 1\n\
    4 3 6 0 0 1.25 1\n5 3 40 5 0 1 4\n6 3 80 20 0 0.5 5\n7 3 80 -20 3 0.4 5\n\
    10 2 0 16.5 0 0.75 2\n12 2 3 90 0 0.3 10\n20 4 -70 0 0 0.8 1\n";
const SWC_POINT_SOMA: &str = "1 1 1 2 3 7.5 -1\n2 3 9 2 3 1 1\n3 3 60 2 3 0.5 2\n4 2 1 -60 3 0.4 1\n";

fn cases() -> Vec<Case> {
    use Shape::{Segments, SwcArbor, SwcNeuron};
    let fixed = |n, interior_forks| CvPolicy::FixedPerBranch { n, interior_forks };
    let extent = |um, interior_forks| CvPolicy::MaxExtent { um, interior_forks };
    let at = Location::new;
    let explicit = CvPolicy::Explicit;
    let case = |name, shape, policy| Case {
        name,
        shape,
        policy,
        regions: regions(),
    };
    let plain = |name, shape, policy| Case {
        name,
        shape,
        policy,
        regions: Vec::new(),
    };
    vec![
        plain("cable, 1 per branch", Segments(cable()), CvPolicy::default()),
        plain("cable, 16 per branch", Segments(cable()), fixed(16, false)),
        plain("cable, 3 inside", Segments(cable()), fixed(3, true)),
        plain("cable, extent", Segments(cable()), extent(12.34, false)),
        case("branched, 1 per branch", Segments(branched()), CvPolicy::default()),
        case("branched, trivial forks", Segments(branched()), fixed(5, false)),
        plain("branched, interior forks", Segments(branched()), fixed(4, true)),
        plain(
            "branched, one boundary inside each branch",
            Segments(branched()),
            fixed(1, true),
        ),
        plain(
            "branched, extent, trivial forks",
            Segments(branched()),
            extent(7.0, false),
        ),
        plain(
            "branched, extent, interior forks",
            Segments(branched()),
            extent(9.0, true),
        ),
        plain("branched, single", Segments(branched()), CvPolicy::Single),
        plain("branched, every segment", Segments(branched()), CvPolicy::EverySegment),
        plain("root fork, trivial", Segments(forked_root()), fixed(3, false)),
        plain("root fork, interior", Segments(forked_root()), fixed(3, true)),
        plain("root fork, single", Segments(forked_root()), CvPolicy::Single),
        plain(
            "root fork, explicit, nothing",
            Segments(forked_root()),
            explicit(vec![]),
        ),
        plain(
            "root fork, every segment",
            Segments(forked_root()),
            CvPolicy::EverySegment,
        ),
        case("stepped, 7 per branch", Segments(stepped()), fixed(7, false)),
        plain("stepped, every segment", Segments(stepped()), CvPolicy::EverySegment),
        plain(
            "stepped, boundaries on the ring",
            Segments(stepped()),
            explicit(vec![at(0, 33.0 / 70.0), at(0, 0.9)]),
        ),
        plain(
            "branched, explicit, unsorted and repeated",
            Segments(branched()),
            explicit(vec![
                at(3, 0.0),
                at(0, 0.25),
                at(1, 0.5),
                at(2, 1.0),
                at(0, 0.25),
                at(0, 0.0),
                at(4, 0.7),
            ]),
        ),
        plain(
            "branched, explicit, both sides of a fork",
            Segments(branched()),
            explicit(vec![at(0, 1.0), at(1, 0.0)]),
        ),
        plain("generated, 1 per branch", Segments(generated()), CvPolicy::default()),
        plain("generated, 3 per branch", Segments(generated()), fixed(3, false)),
        plain("generated, interior forks", Segments(generated()), fixed(2, true)),
        plain("generated, extent", Segments(generated()), extent(4.0, false)),
        plain(
            "generated, every segment",
            Segments(generated()),
            CvPolicy::EverySegment,
        ),
        case("swc as Arbor reads it", SwcArbor(SWC.to_owned()), extent(10.0, false)),
        case("swc as NEURON reads it", SwcNeuron(SWC.to_owned()), fixed(2, true)),
        plain(
            "swc, point soma as NEURON reads it",
            SwcNeuron(SWC_POINT_SOMA.to_owned()),
            fixed(3, false),
        ),
    ]
}

/// Regions that every shape with at least one branch has, in both spellings.
fn regions() -> Vec<(Region, String)> {
    let b = |region: &Region| Box::new(region.clone());
    let tag = |tag| Region::Tag(tag);
    let middle = Region::Cable(Cable::new(0, 0.2, 0.5));
    let distal = |pos, um| Region::DistalInterval {
        start: Location::new(0, pos),
        um,
    };
    let text = str::to_owned;
    vec![
        (Region::All, text("(all)")),
        (Region::Nil, text("(region-nil)")),
        (tag(1), text("(tag 1)")),
        (tag(3), text("(tag 3)")),
        (Region::Branch(0), text("(branch 0)")),
        (Region::Segment(1), text("(segment 1)")),
        (middle.clone(), text("(cable 0 0.2 0.5)")),
        (Region::Complement(b(&middle)), text("(complement (cable 0 0.2 0.5))")),
        (Region::Complement(b(&tag(3))), text("(complement (tag 3))")),
        (
            Region::Difference(b(&Region::All), b(&tag(1))),
            text("(difference (all) (tag 1))"),
        ),
        (Region::Join(vec![tag(1), tag(3)]), text("(join (tag 1) (tag 3))")),
        (
            Region::Intersect(vec![tag(1), middle]),
            text("(intersect (tag 1) (cable 0 0.2 0.5))"),
        ),
        (Region::RadiusBelow(0.95), text("(radius-lt (all) 0.95)")),
        (Region::RadiusAbove(0.95), text("(radius-gt (all) 0.95)")),
        (distal(0.3, 35.0), text("(distal-interval (location 0 0.3) 35.0)")),
        (distal(1.0, 12.0), text("(distal-interval (location 0 1) 12.0)")),
        (
            distal(0.0, f64::INFINITY),
            text("(distal-interval (location 0 0) 1e99)"),
        ),
        (
            Region::ProximalInterval {
                end: Location::new(0, 0.7),
                um: 5.0,
            },
            text("(proximal-interval (location 0 0.7) 5.0)"),
        ),
        (
            Region::ProximalInterval {
                end: Location::new(0, 0.7),
                um: 500.0,
            },
            text("(proximal-interval (location 0 0.7) 500.0)"),
        ),
    ]
}

/// The painted stretches of every branch: property, stretch, value.
fn paints(m: &Morphology) -> Vec<(&'static str, Cable, f64)> {
    (0..m.n_branches())
        .flat_map(|b| {
            let shift = (b * 7 % 23) as f64;
            [
                ("Vm", Cable::new(b, 0.0, 0.37), -80.0 + shift),
                ("Vm", Cable::new(b, 0.5, 0.75), -40.0 - shift),
                ("cm", Cable::new(b, 0.2, 0.61), 0.013 + 0.001 * shift),
                ("rL", Cable::new(b, 0.45, 0.8), 90.0 + shift),
                ("tempK", Cable::new(b, 0.1, 1.0), 300.0),
            ]
        })
        .collect()
}

fn properties(m: &Morphology) -> CableProperties {
    let mut props = CableProperties::default();
    for (name, cable, value) in paints(m) {
        let map = match name {
            "Vm" => &mut props.v_init_mv,
            "cm" => &mut props.cm_f_per_m2,
            "rL" => &mut props.rl_ohm_cm,
            _ => &mut props.temperature_k,
        };
        map.paint(&[cable], value).unwrap();
    }
    props
}

fn probes(m: &Morphology) -> Vec<Location> {
    let at = |b| [0.0, 0.001, 0.25, 0.5, 0.77, 1.0].map(|pos| Location::new(b, pos));
    (0..m.n_branches()).flat_map(at).collect()
}

fn tree_of(shape: &Shape) -> SegmentTree {
    match shape {
        Shape::Segments(tree) => tree.clone(),
        Shape::SwcArbor(text) => load_swc_arbor(text).unwrap(),
        Shape::SwcNeuron(text) => load_swc_neuron(text).unwrap(),
    }
}

fn point(p: &Point) -> Value {
    json!([p.x, p.y, p.z, p.radius])
}

fn segments(tree: &SegmentTree) -> Value {
    tree.segments()
        .iter()
        .map(|s| json!([s.parent, point(&s.prox), point(&s.dist), s.tag]))
        .collect()
}

fn question(case: &Case, m: &Morphology, clamp: &Location) -> Value {
    let (swc, reader) = match &case.shape {
        Shape::Segments(_) => (None, ""),
        Shape::SwcArbor(text) => (Some(text), "arbor"),
        Shape::SwcNeuron(text) => (Some(text), "neuron"),
    };
    let paint = |(name, c, value): (&str, Cable, f64)| json!([name, [c.branch, c.prox, c.dist], value]);
    json!({
        "segments": segments(m.segment_tree()),
        "swc": swc,
        "reader": reader,
        "policy": policy_text(&case.policy),
        "regions": case.regions.iter().map(|(_, text)| text).collect::<Vec<_>>(),
        "paints": paints(m).into_iter().map(paint).collect::<Vec<_>>(),
        "clamp": [clamp.branch, clamp.pos, CLAMP_NA],
        "probes": probes(m).iter().map(|at| json!([at.branch, at.pos])).collect::<Vec<_>>(),
        "steps": STEPS,
        "dt_ms": DT_MS,
    })
}

/// Voltages at step starts: row per step, entry per CV (host-numerics §3.5 without mechanisms).
fn relax(d: &Discretisation, clamped: usize) -> Vec<Vec<f64>> {
    let mut v = d.v_init_mv.clone();
    let mut rows = Vec::new();
    for _ in 0..STEPS {
        rows.push(v.clone());
        let mut diag: Vec<f64> = d.cap_pf.iter().map(|c| 1e-3 / DT_MS * c).collect();
        let mut rhs: Vec<f64> = diag.iter().zip(&v).map(|(g, v)| g * v).collect();
        rhs[clamped] += CLAMP_NA;
        for i in 1..d.n_cvs() {
            diag[i] += d.g_face_us[i];
            diag[d.parent[i].unwrap()] += d.g_face_us[i];
        }
        for i in (1..d.n_cvs()).rev() {
            let (p, g) = (d.parent[i].unwrap(), d.g_face_us[i]);
            diag[p] -= g * g / diag[i];
            rhs[p] += g * rhs[i] / diag[i];
        }
        v[0] = rhs[0] / diag[0];
        for i in 1..d.n_cvs() {
            v[i] = (rhs[i] + d.g_face_us[i] * v[d.parent[i].unwrap()]) / diag[i];
        }
    }
    rows
}

fn cables(value: &Value) -> Vec<Cable> {
    let cable = |c: &Value| {
        let branch = usize::try_from(c[0].as_u64().unwrap()).unwrap();
        Cable::new(branch, c[1].as_f64().unwrap(), c[2].as_f64().unwrap())
    };
    value.as_array().unwrap().iter().map(cable).collect()
}

fn assert_regions_agree(case: &Case, m: &Morphology, answer: &Value) {
    for ((region, text), theirs) in case.regions.iter().zip(answer["regions"].as_array().unwrap()) {
        let (ours, theirs) = (region.evaluate(m).unwrap(), cables(theirs));
        let close = |(a, b): (&Cable, &Cable)| {
            let near = (a.prox - b.prox).abs().max((a.dist - b.dist).abs()) <= POS_TOLERANCE;
            a.branch == b.branch && near
        };
        let agree = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(close);
        assert!(agree, "{}: {text}\nours   {ours:?}\nArbor's {theirs:?}", case.name);
    }
}

/// The greatest voltage difference over probes and steps, mV.
fn voltage_difference_mv(case: &Case, m: &Morphology, d: &Discretisation, clamp: &Location, answer: &Value) -> f64 {
    let rows = relax(d, d.cv_nonempty(clamp));
    let moved = rows[0]
        .iter()
        .zip(&rows[STEPS - 1])
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(
        moved > 0.01,
        "{}: the voltages hardly moved, so the comparison shows nothing",
        case.name
    );
    let mut worst: f64 = 0.0;
    for (at, theirs) in probes(m).iter().zip(answer["v"].as_array().unwrap()) {
        let weights = d.voltage_weights(m, &properties(m), at);
        let theirs = theirs.as_array().unwrap();
        assert_eq!(theirs.len(), STEPS, "{}: samples", case.name);
        for (row, theirs) in rows.iter().zip(theirs) {
            let ours: f64 = weights.iter().map(|&(cv, weight)| weight * row[cv]).sum();
            let difference = (ours - theirs.as_f64().unwrap()).abs();
            // `max` would forget a NaN.
            worst = if difference.is_nan() {
                f64::INFINITY
            } else {
                worst.max(difference)
            };
        }
    }
    worst
}

#[test]
fn cvs_regions_segments_and_passive_voltages_are_arbors() {
    let cases = cases();
    let clamp = Location::new(0, 0.4);
    let morphologies: Vec<Morphology> = cases
        .iter()
        .map(|c| Morphology::new(tree_of(&c.shape)).unwrap())
        .collect();
    assert!(morphologies.iter().any(|m| m.n_branches() >= 100));
    let questions: Vec<Value> = cases
        .iter()
        .zip(&morphologies)
        .map(|(c, m)| question(c, m, &clamp))
        .collect();
    let answers = ask_arbor(&questions);
    assert_eq!(answers.len(), cases.len());

    let mut failures = Vec::new();
    for ((case, m), answer) in cases.iter().zip(&morphologies).zip(&answers) {
        assert_eq!(
            segments(m.segment_tree()),
            answer["segments"],
            "{}: segments",
            case.name
        );
        let d = discretise(m, &case.policy, &properties(m)).unwrap();
        let theirs: Vec<Vec<Cable>> = answer["cables"].as_array().unwrap().iter().map(cables).collect();
        assert_eq!(d.cables.len(), theirs.len(), "{}: number of CVs", case.name);
        for (cv, (ours, theirs)) in d.cables.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "{}: cables of CV {cv}", case.name);
        }
        assert_eq!(json!(d.parent), answer["parents"], "{}: parents", case.name);
        assert_regions_agree(case, m, answer);
        let worst = voltage_difference_mv(case, m, &d, &clamp, answer);
        println!("{:45} {:5} CVs  max|dV| {worst:.1e} mV", case.name, d.n_cvs());
        if worst > V_TOLERANCE_MV {
            failures.push((case.name, worst));
        }
    }
    assert!(
        failures.is_empty(),
        "voltages differ by more than {V_TOLERANCE_MV} mV: {failures:?}"
    );
}
