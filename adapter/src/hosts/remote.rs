//! A plan in a simulator in another process. Nothing of a simulation is kept between runs, so a run is a function of the
//! slot values alone, as [`Model`](crate::control::Model) asks.
//!
//! A run goes in parts of some steps: so samples can be shown and kept while it goes on, and a simulator that hangs is told
//! from one that computes. What a simulator is told, and where parts end, its `Dialect` knows.

mod online;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use host_shim::Spike;

use super::process::{Launch, Process};
use super::{Description, Host, HostError, ShimHost, Watcher};
use crate::control::Traces;
use crate::plan::export::{
    Advanced, Answer, Changes, ExportError, Failure, ProbeRow, Question, Request, Run, Sections, Start, traces,
};
use crate::plan::{Plan, Variant, draws_noise};

pub(super) use online::{Atlas, warms};

/// What a simulator must be told, and how.
pub(super) trait Dialect: Debug + Send + Sync {
    /// Who it is.
    fn describe(&self) -> Description;

    /// A run from rest at slot values `x`, up to `t_end_ms`, on as many threads at most.
    ///
    /// # Errors
    /// [`HostError`].
    fn order(
        &self,
        plan: &Plan,
        x: &[f64],
        variant: Variant,
        t_end_ms: f64,
        threads: usize,
    ) -> Result<Order, HostError>;

    /// The order of a run under control, with what only a plan known in advance can do.
    ///
    /// # Errors
    /// [`HostError::Refused`] for what cannot change in the midst of a run.
    fn foresee(&self, plan: &Plan, order: Order) -> Result<Order, HostError>;

    /// Takes out of some changes what [`Dialect::foresee`] has seen to.
    fn possible(&self, changes: &mut Changes);

    /// Where numbers are in a run.
    ///
    /// # Errors
    /// [`HostError`].
    fn atlas<'a>(
        &self,
        plan: &'a Plan,
        shim: &'a ShimHost,
        catalogue: &Path,
        variant: Variant,
        order: &'a Order,
    ) -> Result<Box<dyn Atlas + 'a>, HostError>;
}

/// A run to be.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) begin: Begin,
    /// What the samples mean.
    pub(super) probes: Vec<ProbeRow>,
    /// Number of quantities that are sampled.
    pub(super) quantities: usize,
    /// Number of samples of each.
    pub(super) samples: usize,
    /// Where the parts of the run end, ms.
    pub(super) stops: Vec<f64>,
}

/// The cells.
#[derive(Debug)]
pub(super) enum Begin {
    Arbor(Box<Request>),
    Neuron(Box<Sections>),
}

impl Begin {
    fn question(&self) -> Start<'_> {
        match self {
            Begin::Arbor(request) => Start::Arbor(request),
            Begin::Neuron(sections) => Start::Neuron(sections),
        }
    }
}

/// A plan in another process.
#[derive(Debug)]
pub struct RemoteHost {
    pub(super) setup: Arc<Setup>,
    /// One for runs alone; more for runs at several points at once.
    pub(super) processes: Vec<Process>,
    spikes: Vec<Spike>,
}

/// What does not change from run to run, shared by replicas.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) plan: Plan,
    pub(super) dialect: Box<dyn Dialect>,
    pub(super) launch: Launch,
    /// Whether every run is with sensitivities, for the sake of the random numbers (see [`draws_noise`]).
    noisy: bool,
}

impl RemoteHost {
    /// Starts the simulator.
    pub(super) fn start(plan: &Plan, launch: Launch, dialect: Box<dyn Dialect>) -> Result<Self, HostError> {
        let process = Process::start(&launch)?;
        let setup = Setup {
            dialect,
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

    /// Has the mechanisms of a folder compiled.
    pub(super) fn prepare(&mut self, mechanisms: &Path) -> Result<(), HostError> {
        let Some(process) = self.processes.first_mut() else {
            return Ok(());
        };
        let doing = "compiling the mechanisms";
        match process.ask(&Question::Compile { mechanisms }, doing)? {
            (Answer::Started {}, _) => Ok(()),
            (Answer::Failed(failure), _) => Err(self.setup.refused(failure)),
            (other, _) => Err(process.misunderstood(doing, &other).into()),
        }
    }

    /// Runs whatever was ordered.
    pub(super) fn run_order(&mut self, order: Order) -> Result<Run, HostError> {
        let mut whole = Run {
            values: vec![Vec::new(); order.quantities],
            ..Run::default()
        };
        self.setup.run(self.processes.first_mut(), &order, &mut |part| {
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
    /// Which mechanisms run.
    pub(super) fn variant(&self, tangent: bool) -> Variant {
        if (tangent || self.noisy) && !self.plan.slots.is_empty() {
            Variant::Augmented
        } else {
            Variant::Plain
        }
    }

    /// Makes the cells.
    pub(super) fn begin(&self, process: &mut Process, order: &Order) -> Result<(), HostError> {
        let doing = "setting up the cells";
        match process.ask(&Question::Start(order.begin.question()), doing)? {
            (Answer::Started {}, _) => Ok(()),
            (Answer::Failed(failure), _) => Err(self.refused(failure)),
            (other, _) => Err(process.misunderstood(doing, &other).into()),
        }
    }

    /// Goes on.
    pub(super) fn advance(&self, process: &mut Process, order: &Order, until_ms: f64) -> Result<Run, HostError> {
        let doing = "running";
        match process.ask(&Question::Advance { until_ms }, doing)? {
            (Answer::Advanced(header), numbers) => part(order.quantities, header, &numbers),
            (Answer::Failed(failure), _) => Err(self.refused(failure)),
            (other, _) => Err(process.misunderstood(doing, &other).into()),
        }
    }

    /// Runs an order in a process, or in a new one, and hands on what comes.
    fn run(
        &self,
        process: Option<&mut Process>,
        order: &Order,
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
        self.begin(process, order)?;
        for &until_ms in &order.stops {
            take(self.advance(process, order, until_ms)?)?;
        }
        Ok(())
    }

    pub(super) fn refused(&self, failure: Failure) -> HostError {
        HostError::Refused {
            host: self.launch.host,
            kind: failure.kind,
            message: failure.message,
        }
    }

    /// The probes of a part, and its spikes. A simulator goes on whatever becomes of its voltages: we do not.
    pub(super) fn told(&self, order: &Order, part: &Run) -> Result<(Traces, Vec<Spike>), HostError> {
        let new = traces(&order.probes, order.quantities, part)?;
        let spike = |&(time_ms, cell, detector): &(f64, usize, usize)| Spike {
            time_ms,
            cell,
            detector,
        };
        let spikes = part.spikes.iter().map(spike).collect();
        if let Some(at) = new.values.iter().position(|v| !v.is_finite()) {
            return Err(HostError::NonFinite {
                probe: self.plan.probes[at % new.n_probes].name.clone(),
                t_ms: new.times_ms[at / new.n_probes],
            });
        }
        Ok((new, spikes))
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
        let mut order = self.dialect.order(plan, x, self.variant(tangent), t_end_ms, threads)?;
        if !tangent {
            order.probes.iter_mut().for_each(|p| p.sensitivities.clear());
        }
        let mut traces = Traces {
            n_probes: plan.probes.len(),
            n_slots,
            ..Traces::default()
        };
        let mut spikes = Vec::new();
        self.run(process, &order, &mut |part| {
            let (new, of_part) = self.told(&order, &part)?;
            spikes.extend(of_part);
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
        complete(traces.times_ms.len(), order.samples)?;
        Ok((traces, spikes))
    }
}

/// All samples that were asked for must have come.
pub(super) fn complete(found: usize, expected: usize) -> Result<(), HostError> {
    if found == expected {
        return Ok(());
    }
    let what = "samples";
    Err(ExportError::Shape { what, found, expected }.into())
}

impl Host for RemoteHost {
    fn describe(&self) -> Description {
        self.setup.dialect.describe()
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

/// The numbers behind a header.
fn part(quantities: usize, header: Advanced, numbers: &[f64]) -> Result<Run, HostError> {
    let n = header.samples;
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
