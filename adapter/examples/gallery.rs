//! Draws one of each kind of picture, and a report that holds them, into a folder: `cargo run --example gallery -- DIR`.
//!
//! The numbers are made up; the shapes are those of real results.

use std::f64::consts::TAU;
use std::path::Path;

use graddiff::report::plot::{
    ColourMap, Columns, Figure, HeatMap, LinePlot, MorphologyPlot, Panel, Projection, Rgb, Segment, Series, Stroke,
};
use graddiff::report::{Column, Error, InputFile, Manifest, Report, Table, create_dir};
use ndarray::Array2;

fn main() -> Result<(), Error> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "out/gallery".to_owned());
    draw_all(Path::new(&dir))
}

/// Every picture of the gallery, by file name.
pub(crate) fn figures() -> Vec<(&'static str, Box<dyn Figure>, &'static str)> {
    vec![
        (
            "traces",
            Box::new(traces()),
            "Target and model, and the sensitivities of the model's voltage.",
        ),
        (
            "wave",
            Box::new(wave()),
            "A sensitivity wave along an axon; one curve per CV, one legend for all panels.",
        ),
        ("loss", Box::new(loss()), "Loss and parameters against iterations."),
        (
            "check",
            Box::new(check()),
            "Error of a central difference against its step: the V-shaped curve.",
        ),
        (
            "times",
            Box::new(times()),
            "A trace with marked times, some of them close together.",
        ),
        ("odd", Box::new(odd()), "Constant, empty, broken and huge data."),
        (
            "matrix",
            Box::new(matrix()),
            "States against parameters, each row by its own maximum.",
        ),
        ("map", Box::new(map()), "A heat map with many columns and a hole."),
        ("axon", Box::new(axon()), "A ball and stick."),
        ("tree", Box::new(tree()), "A branched cell on its principal plane."),
    ]
}

/// Draws everything into `dir`.
pub(crate) fn draw_all(dir: &Path) -> Result<(), Error> {
    create_dir(dir)?;
    let mut report = Report::new("Gallery");
    report.summary(&[
        ("loss", "3.1 × 10⁻⁹ mV²"),
        ("iterations", "137 of 200"),
        ("host", "shim"),
        ("wall time", "12.3 s"),
    ]);
    report.warnings(&[
        "region `dend` has two CVs that lie in no slot",
        "`fabs` in hh.mod:31 is not smooth at 0",
    ]);
    report
        .section("Pictures")
        .paragraph("Numbers are made up; shapes are those of real results.");
    for (stem, figure, caption) in figures() {
        report.figure(&figure.save(dir, stem)?.svg, caption);
    }
    report.section("Parameters").table(&parameters());
    report.provenance(&manifest());
    manifest().write(&dir.join("manifest.json"))?;
    report.write(&dir.join("report.html"))
}

fn parameters() -> Table {
    let columns = vec![
        Column::text("slot"),
        Column::number("start"),
        Column::number("found"),
        Column::number("true"),
    ];
    let mut table = Table::new("Parameters.", columns);
    table
        .row(["gnabar (S/cm²)", "0.084", "0.12003", "0.12"])
        .row(["gkbar (S/cm²)", "0.0468", "0.03599", "0.036"]);
    table
}

fn manifest() -> Manifest {
    let mut manifest = Manifest::new("gallery");
    manifest.command = Some("tune".to_owned());
    (manifest.host, manifest.integrator) = (Some("shim".to_owned()), Some("arbor".to_owned()));
    (manifest.dt_ms, manifest.duration_ms) = (Some(0.025), Some(100.0));
    manifest.slots = ["gnabar", "gkbar"].map(str::to_owned).to_vec();
    manifest
        .inputs
        .push(InputFile::of("mechanism", Path::new("hh.mod"), b"NEURON { SUFFIX hh }"));
    manifest
}

fn sampled(n: u32, end: f64) -> Vec<f64> {
    (0..=n).map(|i| end * f64::from(i) / f64::from(n)).collect()
}

/// Something like a train of action potentials, mV.
fn voltage(t_ms: f64, period_ms: f64, delay_ms: f64) -> f64 {
    let phase = (t_ms - delay_ms).rem_euclid(period_ms);
    if t_ms < delay_ms {
        return -65.0;
    }
    -65.0 + 105.0 * (-((phase - 2.0) / 0.5).powi(2)).exp() - 9.0 * (-((phase - 6.0) / 3.0).powi(2)).exp()
}

fn series(name: &str, x: &[f64], f: impl Fn(f64) -> f64) -> Series {
    Series::new(name, x.to_vec(), x.iter().map(|&x| f(x)).collect())
}

fn traces() -> LinePlot {
    let t = sampled(4000, 100.0);
    let u = |scale: f64, shift: f64| {
        move |t: f64| scale * t / 100.0 * (voltage(t + 0.4, 17.0, shift) - voltage(t, 17.0, shift))
    };
    let voltages = Panel::new("V (mV)")
        .series(series("start", &t, |t| voltage(t, 19.0, 3.6)))
        .series(series("iteration 137", &t, |t| voltage(t, 17.02, 3.0)))
        .series(
            series("target", &t, |t| voltage(t, 17.0, 3.0))
                .stroke(Stroke::Dashed)
                .colour(Rgb(0, 0, 0)),
        );
    let sensitivities = Panel::new("∂V/∂θ (mV)")
        .series(series("gnabar, soma", &t, u(3e5, 3.0)))
        .series(series("gkbar, soma", &t, u(-1e5, 3.2)))
        .series(series("gl, dend", &t, u(4e4, 3.1)));
    LinePlot::new("hh-axon: voltage and sensitivities at the soma", "time (ms)")
        .panel(voltages)
        .panel(sensitivities)
}

fn wave() -> LinePlot {
    let t: Vec<f64> = sampled(640, 16.0).iter().map(|t| 92.0 + t).collect();
    let rows = [
        ("V (mV)", 100.0, -65.0),
        ("∂V/∂w (mV)", 34.0, 0.0),
        ("∂m/∂w", 0.3, 0.0),
        ("∂h/∂w", 2e-4, 0.0),
    ];
    let mut plot = LinePlot::new("Gradient wave", "time (ms)");
    plot.panel_height = 120.0;
    for (label, height, rest) in rows {
        let mut panel = Panel::new(label);
        for cv in 0..11 {
            let at = 97.0 + 0.35 * f64::from(cv);
            let name = if cv == 0 {
                "soma".to_owned()
            } else {
                format!("axon {cv}")
            };
            panel = panel.series(series(&name, &t, |t| rest + height * (-((t - at) / 0.6).powi(2)).exp()));
        }
        plot = plot.panel(panel);
    }
    plot
}

fn loss() -> LinePlot {
    let iterations = sampled(200, 200.0);
    let noise = |i: f64| 1.0 + 0.3 * (i * 1.7).sin();
    let losses = Panel::new("loss (mV²)")
        .log()
        .series(series("Adam", &iterations, |i| {
            300.0 * (-0.09 * i).exp() * noise(i) + 1e-6
        }))
        .series(
            series("Levenberg–Marquardt", &iterations[..12], |i| {
                300.0 * 10f64.powf(-i * i / 9.0)
            })
            .stroke(Stroke::LineAndPoints),
        );
    let parameter = |name: &str, rate: f64, off: f64| series(name, &iterations, |i| 1.0 + off * (-rate * i).exp());
    let values = Panel::new("θ / θ true")
        .series(parameter("gnabar", 0.05, -0.3))
        .series(parameter("gkbar", 0.03, 0.3))
        .series(parameter("gl", 0.02, -0.25));
    LinePlot::new("Tuning", "iteration").panel(losses).panel(values)
}

fn check() -> LinePlot {
    let exponents: Vec<f64> = (0..14).map(|i| -10.0 + 0.7 * f64::from(i)).collect();
    let error = |p: f64| 10f64.powf(p).powi(2) * 3.0 + 1e-13 / 10f64.powf(p);
    let panel = Panel::new("relative error")
        .log()
        .series(series("gnabar", &exponents, error).stroke(Stroke::LineAndPoints))
        .series(series("gkbar", &exponents, |p| 4.0 * error(p)).stroke(Stroke::LineAndPoints));
    LinePlot::new("", "log₁₀ of the relative step").panel(panel)
}

fn times() -> LinePlot {
    let t = sampled(40_000, 1000.0);
    let panel = Panel::new("V (mV)").series(series("", &t, |t| voltage(t, 170.0, 40.0)));
    let plot = LinePlot::new("Marked times", "time (ms)").panel(panel);
    [680, 695, 713, 728, 792, 837, 843]
        .into_iter()
        .fold(plot, |plot, t| plot.mark(f64::from(t), &t.to_string()))
}

fn odd() -> LinePlot {
    let x = sampled(100, 10.0);
    let broken = |x: f64| {
        if (3.0..4.0).contains(&x) {
            f64::NAN
        } else {
            (x * TAU / 5.0).sin()
        }
    };
    let mut plot = LinePlot::new("Data that a plot must survive", "x")
        .panel(Panel::new("constant").series(series("−65 mV", &x, |_| -65.0)))
        .panel(Panel::new("nothing"))
        .panel(Panel::new("gaps").series(series("NaN from 3 to 4", &x, broken)))
        .panel(
            Panel::new("a label that is much too long for its panel (mV·cm²·S⁻¹)").series(series(
                "×10²⁰⁰",
                &x,
                |x| x * 1e200,
            )),
        )
        .panel(Panel::new("log, negative").log().series(series("−x", &x, |x| -x)));
    plot.panel_height = 90.0;
    plot
}

fn matrix() -> HeatMap {
    let states = [
        "k", "l", "h", "n", "x (soma)", "Ca", "r", "s", "q", "h (axon)", "x (axon)",
    ];
    let slots = [
        "CaL", "h", "K_Ca", "ld", "la", "ls", "Na_s", "Kdr_s", "K_s", "CaH", "Na_a", "K_a",
    ];
    let value = |(i, j): (usize, usize)| ((i * 7 + j * 5) as f64).sin() * 10f64.powf((i as f64).sin() * 4.0 - 2.0);
    let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let values = Array2::from_shape_fn((states.len(), slots.len()), value);
    HeatMap::new(
        "State sensitivities at t = 680 ms",
        values,
        "∂s/∂θ",
        Columns::Names(names(&slots)),
        "parameter",
    )
    .rows("state", names(&states))
    .per_row()
}

fn map() -> HeatMap {
    let (cvs, samples) = (60, 4000);
    let mut values = Array2::from_shape_fn((cvs, samples), |(cv, i)| {
        let t = 20.0 * i as f64 / samples as f64;
        let front = 4.0 + 0.15 * cv as f64;
        3e-4 * (t - front) * (-((t - front) / 1.2).powi(2)).exp() * (1.0 - cv as f64 / 90.0)
    });
    values.slice_mut(ndarray::s![20..24, 2600..]).fill(f64::NAN);
    let columns = Columns::Range {
        start: 92.0,
        end: 112.0,
    };
    HeatMap::new(
        "∂V/∂gnabar along the cable",
        values,
        "∂V/∂gnabar (mV·cm²/S)",
        columns,
        "time (ms)",
    )
    .rows("CV", (0..cvs).map(|i| i.to_string()).collect())
}

fn axon() -> MorphologyPlot {
    let cable = |x0: f64, x1: f64, r: f64, value: f64| Segment {
        proximal_um: [x0, 0.0, 0.0],
        distal_um: [x1, 0.0, 0.0],
        proximal_radius_um: r,
        distal_radius_um: r,
        value: Some(value),
    };
    let mut segments = vec![cable(-10.0, 10.0, 10.0, 34.0)];
    segments.extend((0..10u32).map(|i| {
        let x = 10.0 + 40.0 * f64::from(i);
        cable(x, x + 40.0, 0.5, 30.0 - 2.4 * f64::from(i))
    }));
    MorphologyPlot::new("Peak of ∂V/∂w", segments, "max ∂V/∂w (mV)", ColourMap::Sequential)
        .site([0.0, 0.0, 0.0], "soma")
        .site([410.0, 0.0, 0.0], "axon, end")
}

fn tree() -> MorphologyPlot {
    let ball = Segment {
        proximal_um: [-8.0, 0.0, 0.0],
        distal_um: [8.0, 0.0, 0.0],
        proximal_radius_um: 8.0,
        distal_radius_um: 8.0,
        value: None,
    };
    let mut segments = vec![ball];
    for k in 0..5u32 {
        let angle = 0.4 + f64::from(k) * TAU / 5.0;
        grow(
            &mut segments,
            [8.0 * angle.cos(), 8.0 * angle.sin(), 0.0],
            angle,
            1.6,
            6,
        );
    }
    MorphologyPlot::new("∂V/∂gh at t = 728 ms", segments, "∂V/∂gh (mV)", ColourMap::Diverging)
        .projection(Projection::Principal)
        .site([0.0, 0.0, 0.0], "soma")
}

/// A regular tree that tapers and leaves the plane.
fn grow(segments: &mut Vec<Segment>, from: [f64; 3], angle: f64, radius_um: f64, depth: u32) {
    if depth == 0 {
        return;
    }
    let length = 14.0 + 4.0 * f64::from(depth);
    let to = [
        from[0] + 1.6 * length * angle.cos(),
        from[1] + length * angle.sin(),
        from[2] + 3.0 * (angle * 3.0).sin(),
    ];
    let value = Some((to[0] / 90.0).sin() * to[1].signum() * 3e-3);
    let thin = radius_um * 0.75;
    segments.push(Segment {
        proximal_um: from,
        distal_um: to,
        proximal_radius_um: radius_um,
        distal_radius_um: thin,
        value,
    });
    for turn in [-0.35, 0.3] {
        grow(segments, to, angle + turn, thin, depth - 1);
    }
}
