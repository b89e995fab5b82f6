//! Runs under control in another process: between its parts, numbers are read and written.
//!
//! The driver and its law are those of the shim. Which parameters slots move, and where, a shim of the same plan tells; it
//! runs nothing.

use std::collections::BTreeMap;
use std::path::Path;

use host_shim::Spike;

use super::super::online::{ControlledRun, Driver, Find, Now, RowWatcher};
use super::super::process::Process;
use super::super::{HostError, ShimHost, Watcher};
use super::{Order, RemoteHost, Setup, complete};
use crate::control::Traces;
use crate::plan::export::{Address, Answer, Changes, Question};
use crate::plan::{Plan, PlannedChange, PlannedLaw, Variant};

/// A part of a run is no longer than so many steps, so that silence means something.
const PART: f64 = 2000.0;

/// Says where numbers are, in the terms of a simulator. Mechanisms bear the names of their sources.
pub(in crate::hosts) trait Atlas: std::fmt::Debug {
    /// One address per control volume that has the mechanism.
    fn parameter(&self, cell: usize, mechanism: &str, parameter: &str) -> Result<Vec<Address>, HostError>;

    /// ∂(parameter)/∂(slot).
    fn seeds(&self, cell: usize, mechanism: &str, parameter: &str, slot: usize) -> Result<Vec<Address>, HostError>;

    /// ∂(probe)/∂(slot); none where it is zero.
    fn gradient(&self, probe: usize, slot: usize) -> Result<Option<Address>, HostError>;

    /// Sensitivities that are clipped together.
    fn clipped(&self) -> Result<Vec<Vec<Address>>, HostError>;
}

impl RemoteHost {
    /// Runs from rest at the plan's slot values, under its control and perturbations, with samples (without
    /// sensitivities) and rows of slots shown as they come. `catalogue` is where the plan's catalogue is, or is built.
    ///
    /// # Errors
    /// [`HostError`]; [`HostError::Refused`] for what the simulator cannot change in the midst of a run.
    pub fn run_controlled_watched(
        &mut self,
        catalogue: &Path,
        watcher: &mut Watcher<'_>,
        rows: &mut RowWatcher<'_>,
    ) -> Result<ControlledRun, HostError> {
        let setup = std::sync::Arc::clone(&self.setup);
        let plan = &setup.plan;
        if plan.control.as_ref().is_some_and(|c| c.within.is_some()) {
            return match setup.launch.host {
                "Arbor" => self.run_controlled(plan, catalogue),
                _ => Err(setup.unsupported(
                    "its mechanisms hold no law here: leave out `\"within\": \"mechanism\"` of control, or insert what \
                     `graddiff emit --to neuron` writes"
                        .into(),
                )),
            };
        }
        if plan.cells.iter().any(|c| c.moves_points()) {
            return Err(setup.unsupported(
                "slots move synapses, whose parameters control changes in graddiff's own host only".into(),
            ));
        }
        let shim = match catalogue.exists() {
            true => ShimHost::on_built(plan, catalogue)?,
            false => ShimHost::new(plan, catalogue)?,
        };
        let variant = setup.variant(plan.control.is_some());
        let end_ms = plan.experiment.simulation.duration_ms;
        let order = setup.dialect.order(plan, &plan.values(), variant, end_ms, 1)?;
        let order = setup.dialect.foresee(plan, order)?;
        let atlas = setup.dialect.atlas(plan, &shim, catalogue, variant, &order)?;
        if self.processes.is_empty() {
            self.processes.push(Process::start(&setup.launch)?);
        }
        let Some(process) = self.processes.first_mut() else {
            return Err(setup.unsupported("there is no process".into()));
        };
        setup.begin(process, &order)?;
        let mut board = Board {
            atlas,
            shim: &shim,
            plan,
            host: setup.launch.host,
            variant,
            addresses: Vec::new(),
        };
        let driver = Driver::new(shim.moved(), plan, &mut board, rows)?;
        let addresses = board.addresses;
        let values = setup.numbers(process, &Question::Watch { numbers: &addresses })?;
        check_board(&setup, plan, &values, &addresses)?;
        Running {
            setup: &setup,
            order: &order,
            process,
            driver,
        }
        .finish(values, end_ms, watcher)
    }
}

/// NaN where a finite number must be says that the simulator keeps its numbers elsewhere.
fn check_board(setup: &Setup, _: &Plan, values: &[f64], addresses: &[Address]) -> Result<(), HostError> {
    if values.len() != addresses.len() || values.iter().any(|v| v.is_nan()) {
        return Err(setup.unsupported("its state is not laid out as graddiff expects".into()));
    }
    Ok(())
}

/// A run under way.
struct Running<'a> {
    setup: &'a Setup,
    order: &'a Order,
    process: &'a mut Process,
    driver: Driver<'a, usize>,
}

impl Running<'_> {
    fn finish(mut self, values: Vec<f64>, end_ms: f64, watcher: &mut Watcher<'_>) -> Result<ControlledRun, HostError> {
        let plan = &self.setup.plan;
        let dt_ms = plan.experiment.simulation.dt_ms;
        let mut traces = Traces {
            n_probes: plan.probes.len(),
            n_slots: plan.slots.len(),
            ..Traces::default()
        };
        let mut spikes: Vec<Spike> = Vec::new();
        let mut now = Present {
            time_ms: 0.0,
            values,
            changes: Changes::default(),
            written: BTreeMap::new(),
        };
        loop {
            let next_ms = self.driver.control(&mut now);
            if let Some(error) = self.driver.error {
                return Err(error);
            }
            if now.time_ms >= end_ms {
                break;
            }
            self.write(&mut now)?;
            // the end of the first step that ends then or later
            let next_ms = next_ms.unwrap_or(f64::INFINITY).min(now.time_ms + PART * dt_ms);
            let until_ms = (((next_ms / dt_ms) - 1e-6).ceil() * dt_ms).min(end_ms);
            let part = self.setup.advance(self.process, self.order, until_ms)?;
            let (new, of_part) = self.setup.told(self.order, &part)?;
            for (t_ms, values) in new.times_ms.iter().zip(new.values.chunks(new.n_probes.max(1))) {
                watcher(*t_ms, values, &[]);
            }
            traces.times_ms.extend(new.times_ms);
            traces.values.extend(new.values);
            spikes.extend(of_part);
            now.time_ms = until_ms;
            now.values = self.setup.numbers(self.process, &Question::Read {})?;
        }
        complete(traces.times_ms.len(), self.order.samples)?;
        Ok(ControlledRun {
            traces,
            spikes,
            ..self.driver.run
        })
    }

    /// Tells the simulator what has changed.
    fn write(&mut self, now: &mut Present) -> Result<(), HostError> {
        let mut changes = std::mem::take(&mut now.changes);
        changes.numbers = std::mem::take(&mut now.written).into_iter().collect();
        if changes == Changes::default() {
            return Ok(());
        }
        self.setup.dialect.possible(&mut changes);
        if changes == Changes::default() {
            return Ok(());
        }
        let doing = "changing parameters";
        match self.process.ask(&Question::Write(&changes), doing)? {
            (Answer::Written {}, _) => Ok(()),
            (Answer::Failed(failure), _) => Err(self.setup.refused(failure)),
            (other, _) => Err(self.process.misunderstood(doing, &other).into()),
        }
    }
}

impl Setup {
    fn numbers(&self, process: &mut Process, question: &Question<'_>) -> Result<Vec<f64>, HostError> {
        let doing = "reading its state";
        match process.ask(question, doing)? {
            (Answer::Numbers(_), numbers) => Ok(numbers),
            (Answer::Failed(failure), _) => Err(self.refused(failure)),
            (other, _) => Err(process.misunderstood(doing, &other).into()),
        }
    }

    pub(in crate::hosts) fn unsupported(&self, message: String) -> HostError {
        HostError::Refused {
            host: self.launch.host,
            kind: "unsupported".into(),
            message,
        }
    }
}

/// What the driver sees between two parts: handles are positions in the list of addresses.
struct Present {
    time_ms: f64,
    values: Vec<f64>,
    changes: Changes,
    written: BTreeMap<usize, f64>,
}

impl Now<usize> for Present {
    fn time_ms(&self) -> f64 {
        self.time_ms
    }

    fn read(&self, handle: &usize) -> f64 {
        self.values.get(*handle).copied().unwrap_or(f64::NAN)
    }

    fn write(&mut self, handle: &usize, value: f64) {
        if let Some(number) = self.values.get_mut(*handle) {
            *number = value;
            self.written.insert(*handle, value);
        }
    }

    fn scale_clamp(&mut self, cell: usize, number: usize, factor: f64) -> Result<(), HostError> {
        self.changes.clamps.push((cell, number, factor));
        Ok(())
    }

    fn set_temperature(&mut self, _: usize, celsius: f64) -> Result<(), HostError> {
        self.changes.celsius = Some(celsius);
        Ok(())
    }
}

/// Collects the addresses that the driver asks for.
struct Board<'a> {
    atlas: Box<dyn Atlas + 'a>,
    shim: &'a ShimHost,
    plan: &'a Plan,
    host: &'static str,
    variant: Variant,
    addresses: Vec<Address>,
}

impl Board<'_> {
    fn handle(&mut self, address: Address) -> usize {
        self.addresses.push(address);
        self.addresses.len() - 1
    }

    fn handles(&mut self, addresses: Vec<Address>) -> Vec<usize> {
        addresses.into_iter().map(|a| self.handle(a)).collect()
    }
}

impl Find for Board<'_> {
    type Handle = usize;

    fn instances(&self, cell: usize, mechanism: &str) -> Result<Vec<usize>, HostError> {
        let name = self.plan.cells[cell].variant(self.variant).name(mechanism);
        Ok(self.shim.instances(self.variant, cell, &name)?)
    }

    fn parameter(&mut self, cell: usize, mechanism: &str, parameter: &str) -> Result<Vec<usize>, HostError> {
        let addresses = self.atlas.parameter(cell, mechanism, parameter)?;
        Ok(self.handles(addresses))
    }

    fn target(&mut self, cell: usize, _: usize, _: &str) -> Result<usize, HostError> {
        Err(HostError::Refused {
            host: self.host,
            kind: "unsupported".into(),
            message: format!("slots move synapses of cell `{}`", self.plan.cells[cell].name),
        })
    }

    fn seeds(&mut self, cell: usize, mechanism: &str, parameter: &str, slot: usize) -> Result<Vec<usize>, HostError> {
        if self.variant == Variant::Plain {
            return Ok(Vec::new());
        }
        let addresses = self.atlas.seeds(cell, mechanism, parameter, slot)?;
        Ok(self.handles(addresses))
    }

    fn gradient(&mut self, probe: usize, slot: usize) -> Result<Option<usize>, HostError> {
        let address = self.atlas.gradient(probe, slot)?;
        Ok(address.map(|a| self.handle(a)))
    }

    fn present(&mut self, _: usize, law: &PlannedLaw) -> Result<Option<usize>, HostError> {
        Err(HostError::Refused {
            host: self.host,
            kind: "unsupported".into(),
            message: format!("`{}` moves slots by itself", law.mechanism),
        })
    }

    fn clipped(&mut self) -> Result<Vec<Vec<usize>>, HostError> {
        let groups = self.atlas.clipped()?;
        Ok(groups.into_iter().map(|group| self.handles(group)).collect())
    }
}

/// Whether the plan changes the temperature.
pub(in crate::hosts) fn warms(plan: &Plan) -> bool {
    let warms = |change: &PlannedChange| matches!(change, PlannedChange::Temperature(_));
    plan.perturbations.iter().any(|p| warms(&p.change))
}
