//! The shim under control.

use compiler::emit::Names;
use host_shim::{Controller, Handle, Present, Probe, SampleView, Samples, Simulation};

use super::super::online::{ControlledRun, Driver, Find, Now, RowWatcher};
use super::{HostError, ShimHost, Watcher};
use crate::control::Traces;
use crate::plan::control::{clipped, in_cv};
use crate::plan::{Plan, PlannedLaw, Variant};

impl ShimHost {
    /// Runs from rest at the plan's slot values, under its control and perturbations; the host itself is left as it is.
    /// `plan` is the one that the host was made of, or one that differs in `control`, `perturbations` and times only.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn run_controlled(&self, plan: &Plan) -> Result<ControlledRun, HostError> {
        self.run_controlled_watched(plan, &mut |_, _, _| {}, &mut |_, _| {})
    }

    /// [`ShimHost::run_controlled`], with samples (without sensitivities) and rows of slots shown as soon as the host has
    /// them.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn run_controlled_watched(
        &self,
        plan: &Plan,
        watcher: &mut Watcher<'_>,
        rows: &mut RowWatcher<'_>,
    ) -> Result<ControlledRun, HostError> {
        let variant = match &plan.control {
            Some(_) => self.variant(true),
            None => self.variant(false),
        };
        let mut simulation = match (&self.tangent, variant) {
            (Some(tangent), Variant::Augmented) => tangent.clone(),
            (Some(_) | None, Variant::Plain) | (None, Variant::Augmented) => self.plain.clone(),
        };
        let setup = &*self.setup;
        let probes = match variant {
            Variant::Augmented => &setup.value_probes.1,
            Variant::Plain => &setup.value_probes.0,
        };
        setup.set(&mut simulation, variant, &plan.values(), probes)?;
        let painted = plan.law_paintings();
        for one in &painted {
            let n = simulation.instances(one.cell, &one.mechanism)?.len();
            simulation.set_parameter(one.cell, &one.mechanism, &one.parameter, &vec![one.value; n])?;
        }
        if !painted.is_empty() {
            // INITIAL puts slots at their start
            simulation.reset();
        }
        // where cells are built anew for each set of slot values, nobody has read back what painting made of them
        let read_back = match &setup.blueprint {
            Some((_, catalogue)) if plan.control.is_some() => {
                let at_zero = super::simulation(plan, catalogue, &vec![0.0; setup.n_slots], Variant::Augmented)?;
                super::moved(plan, &at_zero)?
            }
            Some(_) | None => Vec::new(),
        };
        let mut numbers = Numbers {
            plan,
            simulation: &simulation,
            variant,
        };
        let n_cvs = plan.cells.iter().map(|c| c.discretisation.n_cvs()).collect();
        let mut driver = Asked {
            driver: Driver::new(setup.moved.iter().chain(&read_back), plan, &mut numbers, rows)?,
            n_cvs,
        };
        let mut samples = Samples {
            n_probes: plan.probes.len(),
            ..Samples::default()
        };
        let time = &plan.experiment.simulation;
        simulation.run_controlled(
            time.duration_ms,
            setup.dt_ms,
            &host_shim::Schedule::Explicit(crate::plan::export::sample_times_ms(time)),
            probes,
            &mut |view: &SampleView<'_>| {
                samples.times_ms.push(view.time_ms);
                samples.values.extend_from_slice(view.values);
                watcher(view.time_ms, view.values, &[]);
            },
            &mut driver,
        )?;
        let driver = driver.driver;
        if let Some(error) = driver.error {
            return Err(error);
        }
        Ok(ControlledRun {
            traces: Traces {
                n_probes: samples.n_probes,
                n_slots: setup.n_slots,
                times_ms: samples.times_ms,
                values: samples.values,
                sens: Vec::new(),
            },
            spikes: simulation.spikes().to_vec(),
            ..driver.run
        })
    }
}

/// The driver, and how many control volumes each cell has.
struct Asked<'a> {
    driver: Driver<'a, Handle>,
    n_cvs: Vec<usize>,
}

/// The simulation, for the driver.
struct Between<'a, 'b> {
    now: &'a mut Present<'b>,
    n_cvs: &'a [usize],
}

impl Controller for Asked<'_> {
    fn control(&mut self, now: &mut Present<'_>) -> Option<f64> {
        let n_cvs = &self.n_cvs;
        self.driver.control(&mut Between { now, n_cvs })
    }
}

impl Now<Handle> for Between<'_, '_> {
    fn time_ms(&self) -> f64 {
        self.now.time_ms()
    }

    fn read(&self, handle: &Handle) -> f64 {
        self.now.read(handle)
    }

    fn write(&mut self, handle: &Handle, value: f64) {
        self.now.write(handle, value);
    }

    fn scale_clamp(&mut self, cell: usize, number: usize, factor: f64) -> Result<(), HostError> {
        Ok(self.now.scale_clamp(cell, number, factor)?)
    }

    fn set_temperature(&mut self, cell: usize, celsius: f64) -> Result<(), HostError> {
        let cvs: Vec<usize> = (0..self.n_cvs.get(cell).copied().unwrap_or(0)).collect();
        Ok(self.now.set_temperature(cell, &cvs, celsius)?)
    }
}

/// Where numbers are.
struct Numbers<'a> {
    plan: &'a Plan,
    simulation: &'a Simulation,
    variant: Variant,
}

impl Numbers<'_> {
    fn name(&self, cell: usize, mechanism: &str) -> String {
        self.plan.cells[cell].variant(self.variant).name(mechanism)
    }
}

impl Find for Numbers<'_> {
    type Handle = Handle;

    fn instances(&self, cell: usize, mechanism: &str) -> Result<Vec<usize>, HostError> {
        Ok(self.simulation.instances(cell, &self.name(cell, mechanism))?)
    }

    fn parameter(&mut self, cell: usize, mechanism: &str, parameter: &str) -> Result<Vec<Handle>, HostError> {
        let name = self.name(cell, mechanism);
        Ok(self.simulation.parameter_handles(cell, &name, parameter)?)
    }

    fn target(&mut self, cell: usize, target: usize, parameter: &str) -> Result<Handle, HostError> {
        Ok(self.simulation.target_handle(cell, target, parameter)?)
    }

    fn seeds(&mut self, cell: usize, mechanism: &str, parameter: &str, slot: usize) -> Result<Vec<Handle>, HostError> {
        let own = &self.plan.slots[slot].in_catalogue;
        let mut seeds = self.plan.compiled.slots.seeds.iter();
        let is = |s: &&compiler::emit::Seed| s.mechanism == mechanism && s.parameter == parameter && s.slot == *own;
        Ok(match seeds.find(is) {
            Some(seed) if self.variant == Variant::Augmented => {
                let name = self.name(cell, mechanism);
                self.simulation.parameter_handles(cell, &name, &seed.field)?
            }
            Some(_) | None => Vec::new(),
        })
    }

    fn gradient(&mut self, probe: usize, slot: usize) -> Result<Option<Handle>, HostError> {
        let probe = &self.plan.probes[probe];
        let Some(kind) = self.plan.sensitivity_probe(probe, slot) else {
            return Ok(None);
        };
        let cell = probe.cell;
        Ok(self.simulation.handles(&[Probe { cell, kind }])?.first().copied())
    }

    fn present(&mut self, slot: usize, law: &PlannedLaw) -> Result<Option<Handle>, HostError> {
        let name = Variant::Augmented.name(&law.mechanism);
        let state = Names::controlled(&self.plan.slots[slot].in_catalogue);
        let all = self.simulation.state_handles(law.cell, &name, &state)?;
        let instances = self.simulation.instances(law.cell, &name)?;
        Ok(instances
            .iter()
            .position(|cv| *cv == law.cv)
            .and_then(|k| all.get(k).copied()))
    }

    fn clipped(&mut self) -> Result<Vec<Vec<Handle>>, HostError> {
        let (plan, simulation) = (self.plan, self.simulation);
        let mut groups = Vec::new();
        for (c, cell) in plan.cells.iter().enumerate().filter(|(_, cell)| cell.carries) {
            let (states, ions) = clipped(&plan.compiled, cell, &plan.slots);
            for (mechanism, columns) in states {
                let columns = columns
                    .iter()
                    .map(|state| simulation.state_handles(c, &mechanism, state));
                let columns = columns.collect::<Result<Vec<Vec<Handle>>, _>>()?;
                let instances = columns.first().map_or(0, Vec::len);
                groups.extend((0..instances).map(|i| columns.iter().map(|column| column[i]).collect()));
            }
            let area = &cell.discretisation.area_um2;
            for cv in (0..area.len()).filter(|&cv| area[cv] > 0.0) {
                let probe = |ion: &String| Probe {
                    cell: c,
                    kind: in_cv(ion, cv),
                };
                let probes: Vec<Probe> = ions.iter().map(probe).collect();
                groups.push(simulation.handles(&probes)?);
            }
        }
        Ok(groups)
    }
}
