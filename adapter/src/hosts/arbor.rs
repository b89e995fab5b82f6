//! An unmodified Arbor 0.12.2, as `pip install arbor` brings it, in a child process that runs `arbor_host.py`.
//!
//! Arbor is told the same as the shim: each run is a [`Request`] with the cells painted anew at the run's slot values,
//! on the plan's own catalogue. Sensitivities are Arbor's: states of mechanisms that it takes for ordinary ones, and, of
//! the voltage, the internal concentration of an ion. Nothing of a simulation is kept between runs, so a run is a function
//! of the slot values alone, as [`Model`](crate::control::Model) asks.
//!
//! A run goes in parts of some steps: so samples can be shown and kept while it goes on, and a simulator that hangs is told
//! from one that computes. Parts end where epochs of Arbor do, so they change no step of a network; without connections
//! the ends of steps may differ in their last bits from those of one long run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use compiler::emit::build::build;
use host_shim::{ProbeKind, Spike};

use super::process::{Launch, Process};
use super::{Description, Host, HostError, Watcher};
use crate::control::Traces;
use crate::plan::export::{Advanced, Answer, ExportError, Failure, Question, Request, Run};
use crate::plan::{Plan, Variant, draws_noise};

/// The program that Python runs.
const PROGRAM: &str = include_str!("arbor_host.py");
/// The Arbor that this is checked with; others may number, sample or average differently.
pub const VERSION: &str = "0.12.2";
/// Steps in a part of a run: some milliseconds to some seconds of computation.
const PART: f64 = 2000.0;

/// A plan in Arbor.
#[derive(Debug)]
pub struct ArborHost {
    setup: Arc<Setup>,
    /// One for runs alone; more for runs at several points at once.
    processes: Vec<Process>,
    spikes: Vec<Spike>,
}

/// What does not change from run to run, shared by replicas.
#[derive(Debug)]
struct Setup {
    plan: Plan,
    catalogue: PathBuf,
    launch: Launch,
    /// Whether every run is with sensitivities, for the sake of the random numbers (see [`draws_noise`]).
    noisy: bool,
}

impl ArborHost {
    /// Starts Arbor in `python`, and builds the plan's catalogue as `catalogue`. An answer may take as long as `patience`.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn new(plan: &Plan, catalogue: &Path, python: PathBuf, patience: Duration) -> Result<Self, HostError> {
        check(plan)?;
        // what is missing shows before the compiler runs
        let host = Self::start(plan, catalogue, python, patience)?;
        build(&plan.compiled.c_source, catalogue)?;
        Ok(host)
    }

    /// The same on a catalogue that exists, or will before the first run.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn start(plan: &Plan, catalogue: &Path, python: PathBuf, patience: Duration) -> Result<Self, HostError> {
        let launch = Launch {
            host: "Arbor",
            version: VERSION,
            python,
            program: PROGRAM,
            patience,
        };
        let process = Process::start(&launch)?;
        let setup = Setup {
            catalogue: std::path::absolute(catalogue).unwrap_or_else(|_| catalogue.to_path_buf()),
            launch,
            noisy: draws_noise(&plan.compiled),
            plan: plan.clone(),
        };
        Ok(Self {
            setup: Arc::new(setup),
            processes: vec![process],
            spikes: Vec::new(),
        })
    }

    /// The shared object in use.
    pub(super) fn catalogue(&self) -> &Path {
        &self.setup.catalogue
    }

    /// Runs a request of whatever origin.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn run(&mut self, request: &Request) -> Result<Run, HostError> {
        let mut whole = Run {
            values: vec![Vec::new(); request.record.len()],
            ..Run::default()
        };
        self.setup.run(self.processes.first_mut(), request, &mut |part| {
            whole.times_ms.extend(part.times_ms);
            whole.spikes.extend(part.spikes);
            for (all, new) in whole.values.iter_mut().zip(part.values) {
                all.extend(new);
            }
            Ok(())
        })?;
        Ok(whole)
    }
}

impl Setup {
    /// Runs a request in a process, or in a new one, and hands on what comes.
    fn run(
        &self,
        process: Option<&mut Process>,
        request: &Request,
        take: &mut dyn FnMut(Run) -> Result<(), HostError>,
    ) -> Result<(), HostError> {
        let mut own;
        let process = match process {
            Some(process) => process,
            None => {
                own = Process::start(&self.launch)?;
                &mut own
            }
        };
        let doing = "setting up the cells";
        match process.ask(&Question::Start(request), doing)? {
            (Answer::Started {}, _) => {}
            (Answer::Failed(failure), _) => return Err(self.refused(failure)),
            (other, _) => return Err(process.misunderstood(doing, &other).into()),
        }
        let doing = "running";
        for until_ms in stops(request) {
            match process.ask(&Question::Advance { until_ms }, doing)? {
                (Answer::Advanced(header), numbers) => take(part(request, header, &numbers)?)?,
                (Answer::Failed(failure), _) => return Err(self.refused(failure)),
                (other, _) => return Err(process.misunderstood(doing, &other).into()),
            }
        }
        Ok(())
    }

    fn refused(&self, failure: Failure) -> HostError {
        HostError::Refused {
            host: self.launch.host,
            kind: failure.kind,
            message: failure.message,
        }
    }

    /// Runs from rest with slot values `x`; spikes too.
    fn simulate(
        &self,
        process: Option<&mut Process>,
        x: &[f64],
        t_end_ms: f64,
        tangent: bool,
        threads: usize,
        watcher: &mut Watcher<'_>,
    ) -> Result<(Traces, Vec<Spike>), HostError> {
        let plan = &self.plan;
        let n_slots = plan.slots.len();
        let tangent = tangent && n_slots > 0;
        let variant = if tangent || (self.noisy && n_slots > 0) {
            Variant::Augmented
        } else {
            Variant::Plain
        };
        let mut request = Request::new(plan, &self.catalogue, x, variant)?.until(t_end_ms);
        request.threads = threads.min(request.groups.len()).max(1);
        if !tangent {
            request.probes.iter_mut().for_each(|p| p.sensitivities.clear());
        }
        let mut traces = Traces {
            n_probes: plan.probes.len(),
            n_slots,
            ..Traces::default()
        };
        let mut spikes = Vec::new();
        self.run(process, &request, &mut |part| {
            let new = request.traces(&part)?;
            let spike = |&(time_ms, cell, detector): &(f64, usize, usize)| Spike {
                time_ms,
                cell,
                detector,
            };
            spikes.extend(part.spikes.iter().map(spike));
            // Arbor goes on whatever becomes of its voltages
            if let Some(at) = new.values.iter().position(|v| !v.is_finite()) {
                return Err(HostError::NonFinite {
                    probe: plan.probes[at % new.n_probes].name.clone(),
                    t_ms: new.times_ms[at / new.n_probes],
                });
            }
            let width = new.n_probes * if tangent { n_slots } else { 0 };
            for (k, t_ms) in new.times_ms.iter().enumerate() {
                let values = &new.values[k * new.n_probes..][..new.n_probes];
                watcher(*t_ms, values, &new.sens[k * width..][..width]);
            }
            traces.times_ms.extend(new.times_ms);
            traces.values.extend(new.values);
            traces.sens.extend(new.sens);
            Ok(())
        })?;
        let (found, expected) = (traces.times_ms.len(), request.samples_ms.len());
        if found != expected {
            let what = "samples";
            return Err(ExportError::Shape { what, found, expected }.into());
        }
        Ok((traces, spikes))
    }
}

impl Host for ArborHost {
    fn describe(&self) -> Description {
        Description {
            name: "arbor",
            version: Some(VERSION),
        }
    }

    fn n_slots(&self) -> usize {
        self.setup.plan.slots.len()
    }

    fn simulate_watched(
        &mut self,
        x: &[f64],
        t_end_ms: f64,
        tangent: bool,
        watcher: &mut Watcher<'_>,
    ) -> Result<Traces, HostError> {
        self.spikes.clear();
        if self.processes.is_empty() {
            self.processes.push(Process::start(&self.setup.launch)?);
        }
        let threads = rayon::current_num_threads();
        let process = self.processes.first_mut();
        let (traces, spikes) = self.setup.simulate(process, x, t_end_ms, tangent, threads, watcher)?;
        self.spikes = spikes;
        Ok(traces)
    }

    /// In as many processes as threads.
    fn simulate_many(&mut self, points: &[Vec<f64>], t_end_ms: f64, tangent: bool) -> Vec<Result<Traces, HostError>> {
        self.spikes.clear();
        let workers = rayon::current_num_threads().min(points.len()).max(1);
        let mut idle: Vec<Option<Process>> = self.processes.drain(..).map(Some).collect();
        idle.resize_with(workers.max(idle.len()), || None);
        let (setup, next) = (&*self.setup, AtomicUsize::new(0));
        let (sender, results) = channel();
        std::thread::scope(|scope| {
            for slot in idle.iter_mut().take(workers) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let k = next.fetch_add(1, Ordering::Relaxed);
                        let Some(x) = points.get(k) else { return };
                        if slot.is_none() {
                            match Process::start(&setup.launch) {
                                Ok(process) => *slot = Some(process),
                                Err(error) => {
                                    let _ = sender.send((k, Err(error.into())));
                                    continue;
                                }
                            }
                        }
                        let nobody = &mut |_: f64, _: &[f64], _: &[f64]| {};
                        let result = setup.simulate(slot.as_mut(), x, t_end_ms, tangent, 1, nobody);
                        let _ = sender.send((k, result.map(|(traces, _)| traces)));
                    }
                });
            }
        });
        drop(sender);
        self.processes = idle.into_iter().flatten().collect();
        let mut done: Vec<(usize, Result<Traces, HostError>)> = results.iter().collect();
        done.sort_by_key(|(k, _)| *k);
        done.into_iter().map(|(_, result)| result).collect()
    }

    fn spikes(&self) -> &[Spike] {
        &self.spikes
    }

    fn replicas(&self, runs: usize) -> Vec<Box<dyn Host>> {
        let replica = |_| -> Box<dyn Host> {
            Box::new(Self {
                setup: Arc::clone(&self.setup),
                processes: Vec::new(),
                spikes: Vec::new(),
            })
        };
        (1..rayon::current_num_threads().min(runs)).map(replica).collect()
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

/// The numbers behind a header.
fn part(request: &Request, header: Advanced, numbers: &[f64]) -> Result<Run, HostError> {
    let (n, quantities) = (header.samples, request.record.len());
    let expected = n * (1 + quantities) + 3 * header.spikes;
    if numbers.len() != expected {
        let (what, found) = ("numbers", numbers.len());
        return Err(ExportError::Shape { what, found, expected }.into());
    }
    let (times_ms, rest) = numbers.split_at(n);
    let (values, spikes) = rest.split_at(n * quantities);
    Ok(Run {
        times_ms: times_ms.to_vec(),
        values: (0..quantities).map(|k| values[k * n..][..n].to_vec()).collect(),
        spikes: spikes
            .chunks_exact(3)
            .map(|spike| (spike[0], index(spike[1]), index(spike[2])))
            .collect(),
    })
}

/// A small whole number that came as a float.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was made from an index; `as` saturates"
)]
fn index(x: f64) -> usize {
    x as usize
}
