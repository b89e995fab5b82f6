//! An unmodified Arbor 0.12.2, as `pip install arbor` brings it, in a child process that runs `arbor_host.py`.
//!
//! Arbor is told the same as the shim: each run is a [`Request`] with the cells painted anew at the run's slot values,
//! on the plan's own catalogue. Sensitivities are Arbor's: states of mechanisms that it takes for ordinary ones, and, of
//! the voltage, the internal concentration of an ion.
//!
//! Parts of a run end where epochs of Arbor do, so they change no step of a network; without connections the ends of steps
//! may differ in their last bits from those of one long run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use compiler::emit::Names;
use compiler::emit::build::build;
use host_shim::{AbiChoice, Catalogue, MechanismInfo, ProbeKind};

use super::process::Launch;
use super::remote::{Atlas, Begin, Dialect, Order, RemoteHost, warms};
use super::{Description, HostError, ShimHost};
use crate::plan::export::{Address, Changes, Request, Run};
use crate::plan::{Measured, Plan, PlannedChange, Variant};

/// The program that Python runs.
const PROGRAM: &str = concat!(include_str!("channel.py"), "\n\n", include_str!("arbor_host.py"));
/// The Arbor that this is checked with; others may number, sample or average differently.
pub const VERSION: &str = "0.12.2";
/// Steps in a part of a run: some milliseconds to some seconds of computation.
const PART: f64 = 2000.0;

/// Arbor, on a catalogue.
#[derive(Debug)]
struct Arbor {
    catalogue: PathBuf,
}

impl RemoteHost {
    /// Starts Arbor in `python`, and builds the plan's catalogue as `catalogue`. An answer may take as long as `patience`.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn arbor(plan: &Plan, catalogue: &Path, python: PathBuf, patience: Duration) -> Result<Self, HostError> {
        check(plan)?;
        // what is missing shows before the compiler runs
        let host = Self::arbor_on(plan, catalogue, python, patience)?;
        build(&plan.compiled.c_source, catalogue)?;
        Ok(host)
    }

    /// The same on a catalogue that exists, or will before the first run.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn arbor_on(plan: &Plan, catalogue: &Path, python: PathBuf, patience: Duration) -> Result<Self, HostError> {
        let launch = Launch {
            host: "Arbor",
            version: VERSION,
            python,
            program: PROGRAM,
            patience,
        };
        let catalogue = std::path::absolute(catalogue).unwrap_or_else(|_| catalogue.to_path_buf());
        Self::start(plan, launch, Box::new(Arbor { catalogue }))
    }

    /// Runs a request to Arbor, of whatever origin.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn run(&mut self, request: &Request) -> Result<Run, HostError> {
        self.run_order(order(request.clone()))
    }
}

impl Dialect for Arbor {
    fn describe(&self) -> Description {
        Description {
            name: "arbor",
            version: Some(VERSION),
        }
    }

    fn order(
        &self,
        plan: &Plan,
        x: &[f64],
        variant: Variant,
        t_end_ms: f64,
        threads: usize,
    ) -> Result<Order, HostError> {
        let mut request = Request::new(plan, &self.catalogue, x, variant)?.until(t_end_ms);
        request.threads = threads.min(request.groups.len()).max(1);
        Ok(order(request))
    }

    /// A checkpoint holds parameters and states, but neither stimuli nor temperatures nor the concentrations of ions,
    /// which carry u. Stimuli that change are written into their envelopes beforehand.
    fn foresee(&self, plan: &Plan, mut order: Order) -> Result<Order, HostError> {
        if warms(plan) {
            return Err(unsupported(
                "a perturbation changes the temperature, which Arbor's checkpoint does not hold".into(),
            ));
        }
        if plan.control.as_ref().is_some_and(|c| c.clip.is_some()) {
            return Err(unsupported(
                "`control.clip` would change concentrations, which Arbor's checkpoint does not hold".into(),
            ));
        }
        let dt_ms = plan.experiment.simulation.dt_ms;
        let Begin::Arbor(request) = &mut order.begin else {
            return Ok(order);
        };
        let mut factors: BTreeMap<(usize, usize), Vec<(f64, f64)>> = BTreeMap::new();
        for perturbation in &plan.perturbations {
            if let PlannedChange::Stimulus { number, factor } = perturbation.change {
                // between the starts of two steps: the second is the first that feels it
                let at_ms = (((perturbation.at_ms / dt_ms) - 1e-6).ceil() - 0.5) * dt_ms;
                factors
                    .entry((perturbation.cell, number))
                    .or_default()
                    .push((at_ms, factor));
            }
        }
        for ((cell, number), factors) in factors {
            let clamp = request.cells.get_mut(cell).and_then(|c| c.clamps.get_mut(number));
            if let Some(clamp) = clamp {
                clamp.envelope = scaled(&clamp.envelope, &factors);
            }
        }
        Ok(order)
    }

    fn possible(&self, changes: &mut Changes) {
        changes.clamps.clear();
    }

    fn atlas<'a>(
        &self,
        plan: &'a Plan,
        shim: &'a ShimHost,
        catalogue: &Path,
        variant: Variant,
        order: &'a Order,
    ) -> Result<Box<dyn Atlas + 'a>, HostError> {
        let Begin::Arbor(request) = &order.begin else {
            return Err(unsupported("it is asked for a run of another simulator".into()));
        };
        let catalogue = crate::catalogue::load_catalogue(catalogue, AbiChoice::Auto)?;
        Ok(Box::new(Checkpoint {
            plan,
            shim,
            variant,
            request,
            catalogue,
        }))
    }
}

fn unsupported(message: String) -> HostError {
    HostError::Refused {
        host: "Arbor",
        kind: "unsupported".into(),
        message,
    }
}

/// An envelope times a factor that changes at some times, ms, ascending.
fn scaled(envelope: &[(f64, f64)], factors: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let current = |t_ms: f64| {
        let k = envelope.partition_point(|(t, _)| *t <= t_ms);
        match (k.checked_sub(1).map(|k| envelope[k]), envelope.get(k)) {
            (None, _) => None,
            (Some((_, i)), None) => Some(i),
            (Some((t0, i0)), Some(&(t1, i1))) => Some(i0 + (i1 - i0) * (t_ms - t0) / (t1 - t0)),
        }
    };
    let mut out = Vec::new();
    let (mut now, mut k) = (1.0, 0);
    for &(at_ms, factor) in factors {
        while let Some(&(t, i)) = envelope.get(k).filter(|(t, _)| *t <= at_ms) {
            out.push((t, i * now));
            k += 1;
        }
        if let Some(i) = current(at_ms) {
            out.extend([(at_ms, i * now), (at_ms, i * factor)]);
        }
        now = factor;
    }
    out.extend(envelope[k..].iter().map(|&(t, i)| (t, i * now)));
    out
}

/// Arbor's checkpoint: per group of cells and mechanism, in the order of their full names, one array with the weights,
/// parameters and states of all instances, each padded (host-numerics.md §2.1), and the globals.
#[derive(Debug)]
struct Checkpoint<'a> {
    plan: &'a Plan,
    shim: &'a ShimHost,
    variant: Variant,
    request: &'a Request,
    catalogue: Arc<Catalogue>,
}

impl Checkpoint<'_> {
    /// The name that Arbor knows the mechanisms of a cell by, with the values of their globals.
    fn full(&self, cell: usize, name: &str) -> String {
        let globals = self.request.cells[cell].globals.get(name).filter(|g| !g.is_empty());
        let Some(globals) = globals else {
            return name.into();
        };
        let values: Vec<String> = globals.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
        format!("{name}/{}", values.join(","))
    }

    /// All mechanisms of a cell.
    fn all(&self, cell: usize) -> BTreeSet<String> {
        let row = &self.request.cells[cell];
        let painted = row.paint.iter().chain(&row.voltage_processes).map(|p| &p.mechanism);
        let placed = row.synapses.iter().chain(&row.junctions).map(|p| &p.mechanism);
        let mut names: BTreeSet<String> = painted.chain(placed).map(|name| self.full(cell, name)).collect();
        let methods = row.ions.values().filter_map(|ion| ion.reversal_method.as_ref());
        names.extend(methods.map(|m| m.mechanism.clone()));
        names
    }

    /// A row of a mechanism's arrays, for its instances on a cell. `row` finds it: 0 are the weights.
    fn row(
        &self,
        cell: usize,
        mechanism: &str,
        row: impl Fn(&MechanismInfo) -> Option<usize>,
        what: &str,
    ) -> Result<Vec<Address>, HostError> {
        let missing = || unsupported(format!("`{mechanism}` has no `{what}` on cell {cell}"));
        let name = self.plan.cells[cell].variant(self.variant).name(mechanism);
        let info = self.catalogue.mechanism(&name).ok_or_else(missing)?;
        let row = row(info).ok_or_else(missing)?;
        let full = self.full(cell, &name);
        let groups = &self.request.groups;
        let group = groups.iter().position(|g| g.contains(&cell)).ok_or_else(missing)?;
        let mut names = BTreeSet::new();
        let (mut width, mut first, mut own) = (0, 0, 0);
        for &member in &groups[group] {
            let all = self.all(member);
            if member == cell {
                first = width;
            }
            if all.contains(&full) {
                let name = self.plan.cells[member].variant(self.variant).name(mechanism);
                let instances = self.shim.instances(self.variant, member, &name)?.len();
                width += instances;
                if member == cell {
                    own = instances;
                }
            }
            names.extend(all);
        }
        let storage = names.iter().position(|n| *n == full).ok_or_else(missing)?;
        let block = lcm(info.alignment.max(1), 8 * info.partition_width.max(1)) / 8;
        let padded = width.div_ceil(block) * block;
        // behind them the globals
        let of = padded * (1 + info.parameters.len() + info.states.len()) + info.globals.len();
        let address = |k| Address::Stored {
            group,
            storage,
            at: padded * row + first + k,
            of,
        };
        Ok((0..own).map(address).collect())
    }
}

fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

impl Atlas for Checkpoint<'_> {
    fn parameter(&self, cell: usize, mechanism: &str, parameter: &str) -> Result<Vec<Address>, HostError> {
        let row = |info: &MechanismInfo| info.parameter(parameter).map(|k| 1 + k);
        self.row(cell, mechanism, row, parameter)
    }

    fn seeds(&self, cell: usize, mechanism: &str, parameter: &str, slot: usize) -> Result<Vec<Address>, HostError> {
        self.parameter(
            cell,
            mechanism,
            &Names::seed(parameter, &self.plan.slots[slot].in_catalogue),
        )
    }

    fn gradient(&self, probe: usize, slot: usize) -> Result<Option<Address>, HostError> {
        let probe = &self.plan.probes[probe];
        let cell = &self.plan.cells[probe.cell];
        if !cell.slots.contains(&slot) {
            return Ok(None);
        }
        let (Measured::ActiveState { mechanism, state }, None) = (&probe.measured, probe.target) else {
            let name = &probe.name;
            return Err(unsupported(format!(
                "the objective `{name}` is no variable of a density mechanism"
            )));
        };
        let name = Names::sensitivity(state, &self.plan.slots[slot].in_catalogue);
        let row = |info: &MechanismInfo| info.state(&name).map(|k| 1 + info.parameters.len() + k);
        let all = self.row(probe.cell, mechanism, row, &name)?;
        let cv = cell.discretisation.cv_nonempty(&probe.at);
        let painted = cell.variant(self.variant).name(mechanism);
        let cvs = self.shim.instances(self.variant, probe.cell, &painted)?;
        let at = cvs.iter().position(|c| *c == cv);
        Ok(at.and_then(|k| all.get(k).cloned()))
    }

    fn clipped(&self) -> Result<Vec<Vec<Address>>, HostError> {
        Ok(Vec::new())
    }
}

fn order(request: Request) -> Order {
    Order {
        probes: request.probes.clone(),
        quantities: request.record.len(),
        samples: request.samples_ms.len(),
        stops: stops(&request),
        begin: Begin::Arbor(Box::new(request)),
    }
}

/// Refuses what Arbor's Python module cannot sample, by the names of the experiment.
fn check(plan: &Plan) -> Result<(), HostError> {
    for probe in &plan.probes {
        let what = match plan.value_probe(probe, Variant::Plain) {
            ProbeKind::Parameter { parameter, .. } | ProbeKind::PointParameter { parameter, .. } => {
                format!("the parameter `{parameter}`")
            }
            ProbeKind::MembraneCurrent { .. } => "the current through the membrane".into(),
            ProbeKind::Voltage { .. }
            | ProbeKind::CvVoltage { .. }
            | ProbeKind::State { .. }
            | ProbeKind::PointState { .. }
            | ProbeKind::IonCurrent { .. }
            | ProbeKind::IonReversal { .. }
            | ProbeKind::IonInternal { .. }
            | ProbeKind::IonExternal { .. }
            | ProbeKind::IonDiffusive { .. }
            | ProbeKind::IonInternalInterpolated { .. } => continue,
        };
        return Err(HostError::Refused {
            host: "Arbor",
            kind: "unsupported".into(),
            message: format!("probe `{}` asks for {what}, which Arbor does not sample", probe.name),
        });
    }
    Ok(())
}

/// Where the parts of a run end, ms.
fn stops(request: &Request) -> Vec<f64> {
    let (end_ms, part_ms) = (request.duration_ms, PART * request.dt_ms);
    let delays = request.connections.iter().map(|c| c.delay_ms);
    // what Arbor takes for an epoch, and adds up in the same way
    let epoch_ms = delays.fold(f64::INFINITY, f64::min) / 2.0;
    let mut stops = Vec::new();
    if epoch_ms.is_finite() {
        let (mut t_ms, mut last_ms) = (0.0, 0.0);
        while t_ms < end_ms {
            if t_ms - last_ms >= part_ms {
                stops.push(t_ms);
                last_ms = t_ms;
            }
            t_ms += epoch_ms;
        }
    } else {
        let mut parts = 1.0;
        // the last may be longer, so that it is no sliver
        while (parts + 0.5) * part_ms < end_ms {
            stops.push(parts * part_ms);
            parts += 1.0;
        }
    }
    stops.push(end_ms);
    stops
}
