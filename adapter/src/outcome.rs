//! What a command leaves in its output folder: arrays, manifest, pictures and a report that explain themselves.
//!
//! `traces.npz` holds `t_ms` (time), `values` (time × probe) and, where there are sensitivities, `sensitivities`
//! (time × probe × slot, probe unit per slot unit). `spikes.csv` lists the threshold crossings of all cells.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use host_shim::Spike;
use ndarray::{ArrayD, ArrayViewD, IxDyn};

use crate::control::Traces;
use crate::plan::{Plan, PlannedProbe};
use crate::report::plot::{Figure, LinePlot, Panel, Picture, Series, Stroke};
use crate::report::{ArrayInfo, Error, InputFile, Manifest, Report, create_dir, write_atomic, write_npz};

/// An array on its way into a file.
#[derive(Debug, Clone)]
pub struct Named {
    /// Name inside the file.
    pub name: String,
    /// Unit; `1` if dimensionless.
    pub unit: String,
    /// What it is, axes included.
    pub meaning: String,
    /// The numbers.
    pub data: ArrayD<f64>,
}

impl Named {
    /// An array of this shape; the numbers are cut or padded with NaN if they do not fit, which is a bug elsewhere.
    pub fn new(name: &str, unit: &str, meaning: &str, shape: &[usize], mut data: Vec<f64>) -> Self {
        data.resize(shape.iter().product(), f64::NAN);
        let data = ArrayD::from_shape_vec(IxDyn(shape), data).unwrap_or_else(|_| ArrayD::zeros(IxDyn(&[0])));
        Self {
            name: name.into(),
            unit: unit.into(),
            meaning: meaning.into(),
            data,
        }
    }
}

/// The folder, and what has been put into it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// What will become `manifest.json`.
    pub manifest: Manifest,
    /// What will become `report.html`.
    pub report: Report,
}

impl Folder {
    /// Makes the folder and starts the manifest and the report of one command.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create(path: &Path, plan: &Plan, command: &str, host: &str, title: &str) -> Result<Self, Error> {
        create_dir(path)?;
        let mut manifest = Manifest::new(&plan.experiment.name);
        manifest.command = Some(command.into());
        manifest.inputs = plan
            .inputs
            .iter()
            .map(|i| InputFile::of(i.role, &i.path, &i.bytes))
            .collect();
        manifest.host = Some(host.into());
        manifest.integrator = Some(compiler::Integrator::from(plan.experiment.integrator).as_str().into());
        manifest.abi_level = Some(compiler::AbiLevel::default().to_string());
        manifest.carrier = (!plan.slots.is_empty()).then(|| carrier(plan).into());
        manifest.dt_ms = Some(plan.experiment.simulation.dt_ms);
        manifest.duration_ms = Some(plan.experiment.simulation.duration_ms);
        manifest.slots = plan.slots.iter().map(|s| s.name.clone()).collect();
        manifest.cells = plan.cells.iter().map(|c| c.name.clone()).collect();
        manifest.probes = plan.probes.iter().map(|p| p.name.clone()).collect();
        manifest.seed = crate::plan::draws_noise(&plan.compiled).then_some(plan.network.seed);
        manifest.pruned = Some(plan.pruned.clone()).filter(|p| !p.is_empty());
        manifest.warnings = warnings(plan);
        let mut report = Report::new(title);
        if let Some(caveat) = plan.caveat() {
            report.warnings(&[caveat]);
        }
        if let Some(description) = &plan.experiment.description {
            report.paragraph(description);
        }
        Ok(Self {
            path: path.to_path_buf(),
            manifest,
            report,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes arrays and lists them in the manifest.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn arrays(&mut self, file: &str, arrays: &[Named]) -> Result<(), Error> {
        let views: Vec<(&str, ArrayViewD<'_, f64>)> = arrays.iter().map(|a| (a.name.as_str(), a.data.view())).collect();
        write_npz(&self.path.join(file), &views)?;
        for a in arrays {
            self.manifest
                .arrays
                .push(ArrayInfo::of(file, &a.name, &a.data.view(), &a.unit, &a.meaning));
        }
        Ok(())
    }

    /// Writes a text file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn text(&mut self, file: &str, text: &str) -> Result<(), Error> {
        write_atomic(&self.path.join(file), text.as_bytes())
    }

    /// Writes a picture as SVG and PNG and puts it into the report.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn figure(&mut self, stem: &str, figure: &dyn Figure, caption: &str) -> Result<Picture, Error> {
        let picture = figure.save(&self.path, stem)?;
        self.report.figure(&picture.svg, caption);
        Ok(picture)
    }

    /// Writes the manifest and the report.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self) -> Result<PathBuf, Error> {
        self.report.warnings(&self.manifest.warnings);
        self.report.provenance(&self.manifest);
        self.manifest.write(&self.path.join("manifest.json"))?;
        let report = self.path.join("report.html");
        self.report.write(&report)?;
        Ok(report)
    }
}

/// The carrier, with a word on what it is worth.
fn carrier(plan: &Plan) -> &'static str {
    if plan.clones {
        "clone (APPROXIMATE)"
    } else if plan.caveat().is_some() {
        "diffusion (APPROXIMATE)"
    } else {
        "cable"
    }
}

/// What the plan has to say of its sensitivities, and the compiler's warnings, one line each.
fn warnings(plan: &Plan) -> Vec<String> {
    let compiler = plan.warnings().iter().map(|(file, d)| {
        let source = &plan.sources[*file];
        let (line, column) = compiler::diagnostic::line_col(&source.text, d.span.start);
        format!("{}:{line}:{column}: {} [{}]", source.name, d.message, d.code)
    });
    plan.caveat().map(String::from).into_iter().chain(compiler).collect()
}

/// `t_ms`, `values` and, if there are any, `sensitivities`.
pub fn trace_arrays(traces: &Traces) -> Vec<Named> {
    let (n, p, k) = (traces.times_ms.len(), traces.n_probes, traces.n_slots);
    let mut arrays = vec![
        Named::new("t_ms", "ms", "sample times", &[n], traces.times_ms.clone()),
        Named::new(
            "values",
            "probe's",
            "probe values, time × probe",
            &[n, p],
            traces.values.clone(),
        ),
    ];
    if !traces.sens.is_empty() {
        let meaning = "d(value)/d(slot), time × probe × slot";
        arrays.push(Named::new(
            "sensitivities",
            "probe's / slot's",
            meaning,
            &[n, p, k],
            traces.sens.clone(),
        ));
    }
    arrays
}

/// Values of one probe.
pub fn column(traces: &Traces, probe: usize) -> Vec<f64> {
    traces
        .values
        .iter()
        .skip(probe)
        .step_by(traces.n_probes.max(1))
        .copied()
        .collect()
}

/// Sensitivities of one probe to one slot.
pub fn sensitivity(traces: &Traces, probe: usize, slot: usize) -> Vec<f64> {
    let stride = traces.n_probes * traces.n_slots;
    traces
        .sens
        .iter()
        .skip(probe * traces.n_slots + slot)
        .step_by(stride.max(1))
        .copied()
        .collect()
}

/// Spikes in the order of time: times, cells and detectors as arrays. A cell has its position in the manifest's `cells`.
pub fn spike_arrays(spikes: &[Spike]) -> Vec<Named> {
    let spikes = by_time(spikes);
    let n = [spikes.len()];
    let of = |field: fn(&Spike) -> f64| spikes.iter().map(field).collect();
    vec![
        Named::new(
            "spike_times_ms",
            "ms",
            "threshold crossings of all detectors",
            &n,
            of(|s| s.time_ms),
        ),
        Named::new(
            "spike_cells",
            "1",
            "whose they are, by position in the list of cells",
            &n,
            of(|s| s.cell as f64),
        ),
        Named::new(
            "spike_detectors",
            "1",
            "which detector of the cell, from 0",
            &n,
            of(|s| s.detector as f64),
        ),
    ]
}

fn by_time(spikes: &[Spike]) -> Vec<Spike> {
    let mut spikes = spikes.to_vec();
    let key = |s: &Spike| (s.cell, s.detector);
    spikes.sort_by(|a, b| a.time_ms.total_cmp(&b.time_ms).then(key(a).cmp(&key(b))));
    spikes
}

/// `time_ms,cell,detector` with names; detectors without label by number.
pub fn spike_table(plan: &Plan, spikes: &[Spike]) -> String {
    let mut out = String::from("time_ms,cell,detector\n");
    let quoted = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    };
    for spike in by_time(spikes) {
        let Some(cell) = plan.cells.get(spike.cell) else {
            continue;
        };
        let label = cell.detector_labels.get(spike.detector).cloned().flatten();
        let label = label.unwrap_or_else(|| spike.detector.to_string());
        let _ = writeln!(out, "{:?},{},{label}", spike.time_ms, quoted(&cell.name));
    }
    out
}

/// Spikes of several cells as dots, one row per cell. None for one cell, whose trace shows them, or without spikes.
pub fn raster_plot(plan: &Plan, spikes: &[Spike]) -> Option<LinePlot> {
    if plan.cells.len() < 2 || spikes.is_empty() {
        return None;
    }
    let (x, y) = spikes.iter().map(|s| (s.time_ms, s.cell as f64)).unzip();
    let mut panel = Panel::new("cell").series(Series::new("spikes", x, y).stroke(Stroke::Points));
    panel.y_range = Some((-0.5, plan.cells.len() as f64 - 0.5));
    let mut plot = LinePlot::new("Spikes", "time (ms)").panel(panel);
    plot.x_range = Some((0.0, plan.experiment.simulation.duration_ms));
    Some(plot)
}

/// Probes by unit, in order of first appearance.
fn by_unit(probes: &[PlannedProbe]) -> Vec<(&str, Vec<usize>)> {
    let mut units: Vec<(&str, Vec<usize>)> = Vec::new();
    for (i, probe) in probes.iter().enumerate() {
        match units.iter_mut().find(|(unit, _)| *unit == probe.unit) {
            Some((_, members)) => members.push(i),
            None => units.push((&probe.unit, vec![i])),
        }
    }
    units
}

fn axis_label(unit: &str) -> String {
    match unit {
        "mV" => "V (mV)".into(),
        "" | "1" => "state (1)".into(),
        unit => format!("({unit})"),
    }
}

/// All probes against time, one panel per unit.
pub fn trace_plot(plan: &Plan, title: &str, traces: &Traces) -> LinePlot {
    let mut plot = LinePlot::new(title, "time (ms)");
    for (unit, members) in by_unit(&plan.probes) {
        let mut panel = Panel::new(&axis_label(unit));
        for &i in &members {
            panel = panel.series(Series::new(
                &plan.probes[i].name,
                traces.times_ms.clone(),
                column(traces, i),
            ));
        }
        plot = plot.panel(panel);
    }
    plot
}

/// Several runs, one panel per probe of `probes`; the runs after the first are dashed.
pub fn comparison_plot(plan: &Plan, title: &str, probes: &[usize], runs: &[(&str, &Traces)]) -> LinePlot {
    let mut plot = LinePlot::new(title, "time (ms)");
    for &i in probes {
        let mut panel = Panel::new(&axis_label(&plan.probes[i].unit));
        panel.title.clone_from(&plan.probes[i].name);
        for (r, (label, traces)) in runs.iter().enumerate() {
            let series = Series::new(label, traces.times_ms.clone(), column(traces, i));
            panel = panel.series(if r == 0 { series } else { series.stroke(Stroke::Dashed) });
        }
        plot = plot.panel(panel);
    }
    plot
}

/// θ ∂V/∂θ of every voltage probe, one panel per probe: the change for 100 % of the slot, so that slots of different units
/// share an axis. None if there are no sensitivities.
pub fn sensitivity_plot(plan: &Plan, traces: &Traces, x: &[f64]) -> Option<LinePlot> {
    if traces.sens.is_empty() {
        return None;
    }
    let mut plot = LinePlot::new("Sensitivities, scaled by the slot's value", "time (ms)");
    for (i, probe) in plan.probes.iter().enumerate().filter(|(_, p)| p.variable == "v") {
        let mut panel = Panel::new("θ ∂V/∂θ (mV)");
        panel.title.clone_from(&probe.name);
        for (k, slot) in plan.slots.iter().enumerate() {
            let scale = if x[k].abs() > 0.0 { x[k] } else { 1.0 };
            let y = sensitivity(traces, i, k).into_iter().map(|u| u * scale).collect();
            panel = panel.series(Series::new(&slot.name, traces.times_ms.clone(), y));
        }
        plot = plot.panel(panel);
    }
    (!plot.panels.is_empty()).then_some(plot)
}
