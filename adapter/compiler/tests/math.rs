//! The accuracy of `gd_math.h`, as the C compiler that users have compiles it, against twice the precision.

#[path = "support/double_double.rs"]
mod double_double;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use double_double::DoubleDouble;

/// exp, log and expm1: one rounding of the reduction, one of the polynomial, one of the sum.
const BASIC_ULPS: f64 = 2.0;
/// Functions of those: a quotient or two on top.
const DERIVED_ULPS: f64 = 4.0;
/// Where results near zero lose relative meaning.
const TINY: f64 = 1e-300;

/// Compiles the harness with the flags of `emit::build`, plus `extra`.
fn harness(name: &str, extra: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("math-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder in target");
    fs::write(folder.join("gd_math.h"), include_str!("../src/emit/gd_math.h")).expect("a writable folder");
    fs::write(folder.join("harness.c"), include_str!("support/math_harness.c")).expect("a writable folder");
    let output = folder.join("harness");
    let status = Command::new(compiler::emit::build::compiler_command())
        .args([
            "-std=c11",
            "-ffp-contract=off",
            "-fno-math-errno",
            "-fno-trapping-math",
            "-Wall",
            "-Werror",
        ])
        .arg("-Wno-unknown-pragmas")
        .args(extra)
        .arg("-o")
        .arg(&output)
        .arg(folder.join("harness.c"))
        .arg("-lm")
        .status()
        .expect("a C compiler; set CC");
    assert!(status.success(), "gd_math.h does not compile");
    output
}

fn evaluate(program: &Path, function: &str, arguments: &[f64]) -> Vec<f64> {
    assert!(arguments.len() <= 1 << 20);
    let mut child = Command::new(program)
        .arg(function)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the harness runs");
    let bytes: Vec<u8> = arguments.iter().flat_map(|x| x.to_ne_bytes()).collect();
    // the harness reads all before it writes, so this cannot block
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&bytes).expect("the harness reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the harness ends");
    assert!(output.status.success());
    let values: Vec<f64> = output
        .stdout
        .chunks_exact(8)
        .map(|c| f64::from_ne_bytes(c.try_into().expect("eight bytes")))
        .collect();
    assert_eq!(values.len(), arguments.len());
    values
}

/// SplitMix64: seeded, so that a failure repeats.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 * 2f64.powi(-53)
    }
}

/// Dense over [low, high], denser over [-2, 2], and ± every magnitude down to the subnormals.
fn arguments(low: f64, high: f64) -> Vec<f64> {
    let mut random = Random(2);
    let mut x: Vec<f64> = (0..=25_000)
        .map(|i| low + (high - low) * f64::from(i) / 2.5e4)
        .collect();
    x.extend((0..25_000).map(|_| random.between(low, high)));
    x.extend((0..50_000).map(|_| random.between(-2.0, 2.0)));
    for _ in 0..25_000 {
        let magnitude = random.between(-745.0, 3.0).exp();
        x.extend([magnitude, -magnitude]);
    }
    x.extend([
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        -f64::MIN_POSITIVE,
        5e-324,
        -5e-324,
        low,
        high,
    ]);
    x.retain(|&x| low <= x && x <= high);
    x
}

/// The largest error in ulps and where, with the smallest values judged absolutely.
fn worst(program: &Path, function: &str, x: &[f64], exact: fn(f64) -> DoubleDouble, tiny: f64) -> (f64, f64) {
    let mut worst = (0.0, 0.0);
    for (&x, got) in x.iter().zip(evaluate(program, function, x)) {
        let want = exact(x);
        let ulps = if want.hi.abs() < tiny {
            if (got - want.hi).abs() < 1e-15 {
                0.0
            } else {
                f64::INFINITY
            }
        } else {
            want.ulps(got)
        };
        if ulps.is_nan() {
            return (ulps, x);
        }
        if ulps > worst.0 {
            worst = (ulps, x);
        }
    }
    worst
}

/// One line per function; the test fails if any is off by more than it may.
fn check(program: &Path) -> String {
    let mut report = String::new();
    let positive: Vec<f64> = {
        let mut random = Random(3);
        let mut x: Vec<f64> = (1..=50_000).map(|i| f64::from(i) * 2e-4).collect();
        x.extend((0..50_000).map(|_| f64::from_bits(random.bits() >> 1)));
        x.extend((0..50_000).map(|_| 1.0 + random.between(-1e-3, 1e-3)));
        x.extend([
            5e-324,
            1e-310,
            f64::MIN_POSITIVE,
            f64::MAX,
            1.0,
            1.0 - f64::EPSILON / 2.0,
            1.0 + f64::EPSILON,
        ]);
        x.retain(|x| x.is_finite() && *x > 0.0);
        x
    };
    let wide = arguments(-745.0, 709.78);
    type Row<'a> = (&'a str, Vec<f64>, fn(f64) -> DoubleDouble, f64, f64);
    let rows: [Row<'_>; 6] = [
        ("exp", wide.clone(), double_double::exp, 0.0, BASIC_ULPS),
        ("expm1", wide, double_double::expm1, 0.0, BASIC_ULPS),
        ("log", positive, double_double::log, 0.0, BASIC_ULPS),
        (
            "exprelr",
            arguments(-1e4, 1e3),
            double_double::exprelr,
            TINY,
            DERIVED_ULPS,
        ),
        (
            "dexprelr",
            arguments(-1e4, 1e3),
            double_double::exprelr_derivative,
            TINY,
            DERIVED_ULPS,
        ),
        ("tanh", arguments(-1e3, 1e3), double_double::tanh, 0.0, DERIVED_ULPS),
    ];
    let mut failures = Vec::new();
    for (function, x, exact, tiny, limit) in rows {
        let (ulps, at) = worst(program, function, &x, exact, tiny);
        report += &format!("gd_{function}: {ulps:.3} ulp at {at:e} over {} arguments\n", x.len());
        if ulps.is_nan() || ulps > limit {
            failures.push(format!(
                "gd_{function} is off by {ulps} ulp at {at:e}, more than {limit}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    report
}

/// The twice-precise functions against the standard library's, which are good to an ulp: a slip in the oracle shows.
#[test]
fn the_oracle_agrees_with_the_standard_library() {
    for x in arguments(-700.0, 700.0) {
        for (want, got) in [
            (double_double::exp(x), x.exp()),
            (double_double::expm1(x), x.exp_m1()),
            (double_double::log(x.abs().max(5e-324)), x.abs().max(5e-324).ln()),
            (double_double::tanh(x), x.tanh()),
        ] {
            assert!(want.ulps(got) <= 2.5, "{x:e}: {want:?} {got:e}");
        }
    }
    let x = 0.75f64;
    let series: f64 = -0.5 + x / 6.0 - x.powi(3) / 180.0 + x.powi(5) / 5040.0 - x.powi(7) / 151_200.0;
    assert!((double_double::exprelr_derivative(x).hi - series).abs() < 2e-8);
}

#[test]
fn vectorised_functions_are_accurate() {
    let native: &[&str] = if cfg!(target_arch = "x86_64") {
        &["-O3", "-march=native"]
    } else {
        &["-O3"]
    };
    println!("{}", check(&harness("native", native)));
}

#[test]
fn unoptimised_functions_give_the_same_bits() {
    let (fast, slow) = (harness("o3", &["-O3"]), harness("o0", &["-O0"]));
    for function in ["exp", "expm1", "log", "exprelr", "dexprelr", "tanh"] {
        let x = arguments(-800.0, 800.0);
        for ((x, a), b) in x
            .iter()
            .zip(evaluate(&fast, function, &x))
            .zip(evaluate(&slow, function, &x))
        {
            assert!(
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
                "gd_{function}({x:e})"
            );
        }
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "limits are exact")]
fn extremes_are_the_limits() {
    let program = harness("extremes", &["-O3"]);
    let inf = f64::INFINITY;
    let is = |function: &str, x: f64, want: f64| {
        let got = evaluate(&program, function, &[x])[0];
        assert!(
            got == want || (got.is_nan() && want.is_nan()),
            "gd_{function}({x:e}) = {got:e}, not {want:e}"
        );
    };
    for function in ["exp", "expm1", "log", "exprelr", "dexprelr", "tanh"] {
        is(function, f64::NAN, f64::NAN);
    }
    for x in [709.79, 710.0, 1e6, 1e308, inf] {
        is("exp", x, inf);
        is("expm1", x, inf);
        is("exp", -x - 40.0, 0.0);
        is("expm1", -x, -1.0);
        is("exprelr", x.max(800.0), 0.0);
        is("dexprelr", x.max(800.0), 0.0);
        is("dexprelr", -x, -1.0);
        is("tanh", x, 1.0);
        is("tanh", -x, -1.0);
    }
    is("exprelr", -inf, inf);
    is("log", inf, inf);
    is("log", 0.0, -inf);
    is("log", -0.0, -inf);
    is("log", -1.0, f64::NAN);
    is("log", -inf, f64::NAN);
    for (function, want) in [
        ("exp", 1.0),
        ("expm1", 0.0),
        ("exprelr", 1.0),
        ("dexprelr", -0.5),
        ("tanh", 0.0),
    ] {
        is(function, 0.0, want);
        is(function, -0.0, want);
    }
}
