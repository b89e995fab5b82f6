//! An unmodified NEURON 9.0.2, as `pip install neuron` brings it, in a child process that runs `neuron_host.py`.
//!
//! NEURON is given the plan's cells as [`Sections`], and its mechanisms as NMODL (`compiler::emit::nmodl`), which nrnivmodl
//! compiles in a folder of the run. Sensitivities are those of the `clone` carrier: right up to the time step.
//!
//! Fixed steps only. NEURON takes conductances from differences of currents, so its voltages are the shim's to some 1e-6.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compiler::CompileError;
use compiler::emit::nmodl::Simulator;

use super::process::Launch;
use super::remote::{Atlas, Begin, Dialect, Order, RemoteHost};
use super::{Description, HostError, ShimHost};
use crate::plan::export::{Address, Changes, Sections, sensitivity};
use crate::plan::{Measured, Plan, PlannedChange, PlannedPerturbation, Variant};
use crate::report::{create_dir, write_atomic};

/// The program that Python runs.
const PROGRAM: &str = concat!(include_str!("channel.py"), "\n\n", include_str!("neuron_host.py"));
/// The NEURON that this is checked with.
pub const VERSION: &str = "9.0.2";
/// Steps in a part of a run.
const PART: f64 = 2000.0;
/// NEURON, with the library that nrnivmodl has made in a folder.
#[derive(Debug)]
struct Neuron {
    mechanisms: PathBuf,
}

impl RemoteHost {
    /// Starts NEURON in `python`, writes the plan's mechanisms into `folder`, which is emptied first, and has them
    /// compiled. An answer may take as long as `patience`.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn neuron(plan: &Plan, folder: &Path, python: PathBuf, patience: Duration) -> Result<Self, HostError> {
        let launch = Launch {
            host: "NEURON",
            version: VERSION,
            python,
            program: PROGRAM,
            patience,
        };
        let mechanisms = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        // what cannot be brought into NEURON shows before anything is started or compiled
        let x = plan.values();
        let variant = if x.is_empty() {
            Variant::Plain
        } else {
            Variant::Augmented
        };
        Sections::new(plan, &mechanisms, &x, variant, plan.experiment.simulation.duration_ms)?;
        let files = files(plan)?;
        let dialect = Neuron {
            mechanisms: mechanisms.clone(),
        };
        let mut host = Self::start(plan, launch, Box::new(dialect))?;
        // of an earlier run, perhaps with other mechanisms
        let _ = std::fs::remove_dir_all(&mechanisms);
        create_dir(&mechanisms)?;
        for (name, text) in files {
            write_atomic(&mechanisms.join(name), text.as_bytes())?;
        }
        host.prepare(&mechanisms)?;
        Ok(host)
    }
}

/// The mechanisms and their clones as NMODL.
fn files(plan: &Plan) -> Result<Vec<(String, String)>, HostError> {
    let name = |source: &compiler::Source| {
        let path = Path::new(&source.name);
        path.file_name()
            .map_or_else(|| source.name.clone(), |n| n.to_string_lossy().into_owned())
    };
    let names: Vec<String> = plan.sources.iter().map(name).collect();
    match plan.compiled.nmodl(Simulator::Neuron, &names) {
        Ok(files) => Ok(files.into_iter().map(|f| (format!("{}.mod", f.name), f.text)).collect()),
        Err(error) => Err(HostError::Refused {
            host: "NEURON",
            kind: "unsupported".into(),
            message: reasons(&error, &names),
        }),
    }
}

/// What the compiler says against it.
fn reasons(error: &CompileError, names: &[String]) -> String {
    match error {
        CompileError::Rejected(found) => {
            let line = |(file, d): &compiler::FileDiagnostic| {
                let name = names.get(*file).map_or("", String::as_str);
                format!("{name}: {}", d.message)
            };
            found.iter().map(line).collect::<Vec<_>>().join("; ")
        }
        CompileError::DuplicateMechanism { .. }
        | CompileError::UnknownMechanism { .. }
        | CompileError::DuplicateSlot { .. }
        | CompileError::BadSlotName { .. } => error.to_string(),
    }
}

impl Dialect for Neuron {
    fn describe(&self) -> Description {
        Description {
            name: "neuron",
            version: Some(VERSION),
        }
    }

    fn order(&self, plan: &Plan, x: &[f64], variant: Variant, t_end_ms: f64, _: usize) -> Result<Order, HostError> {
        let sections = Sections::new(plan, &self.mechanisms, x, variant, t_end_ms)?;
        Ok(Order {
            probes: sections.probes.clone(),
            quantities: sections.record.len(),
            samples: sections.samples_ms.len(),
            stops: stops(t_end_ms, sections.dt_ms),
            begin: Begin::Neuron(Box::new(sections)),
        })
    }

    fn foresee(&self, plan: &Plan, order: Order) -> Result<Order, HostError> {
        // NEURON has one temperature
        let warmed = |at_ms: f64| {
            let of = |p: &&PlannedPerturbation| p.at_ms.to_bits() == at_ms.to_bits() && warm(p);
            plan.perturbations.iter().filter(of).count()
        };
        if let Some(p) = plan
            .perturbations
            .iter()
            .find(|p| warm(p) && warmed(p.at_ms) < plan.cells.len())
        {
            return Err(HostError::Refused {
                host: "NEURON",
                kind: "unsupported".into(),
                message: format!(
                    "the perturbation at {} ms warms some cells; NEURON has one temperature",
                    p.at_ms
                ),
            });
        }
        Ok(order)
    }

    fn possible(&self, _: &mut Changes) {}

    fn atlas<'a>(
        &self,
        plan: &'a Plan,
        shim: &'a ShimHost,
        _: &Path,
        variant: Variant,
        _: &'a Order,
    ) -> Result<Box<dyn Atlas + 'a>, HostError> {
        Ok(Box::new(Ranges { plan, shim, variant }))
    }
}

fn warm(p: &PlannedPerturbation) -> bool {
    matches!(p.change, PlannedChange::Temperature(_))
}

/// RANGE variables.
#[derive(Debug)]
struct Ranges<'a> {
    plan: &'a Plan,
    shim: &'a ShimHost,
    variant: Variant,
}

impl Ranges<'_> {
    fn on(&self, cell: usize, slot: Option<usize>, mechanism: &str, variable: &str) -> Result<Vec<Address>, HostError> {
        let name = self.plan.cells[cell].variant(self.variant).name(mechanism);
        let cvs = self.shim.instances(self.variant, cell, &name)?;
        let address = |cv| Address::Range {
            cell,
            slot,
            mechanism: mechanism.into(),
            variable: variable.into(),
            cv,
        };
        Ok(cvs.into_iter().map(address).collect())
    }
}

impl Atlas for Ranges<'_> {
    fn parameter(&self, cell: usize, mechanism: &str, parameter: &str) -> Result<Vec<Address>, HostError> {
        self.on(cell, None, mechanism, parameter)
    }

    fn seeds(&self, cell: usize, mechanism: &str, parameter: &str, slot: usize) -> Result<Vec<Address>, HostError> {
        self.on(cell, Some(slot), mechanism, &format!("seed_{parameter}"))
    }

    fn gradient(&self, probe: usize, slot: usize) -> Result<Option<Address>, HostError> {
        let probe = &self.plan.probes[probe];
        let cell = &self.plan.cells[probe.cell];
        match (&probe.measured, probe.target) {
            _ if !cell.slots.contains(&slot) => Ok(None),
            (Measured::ActiveState { mechanism, state }, None) => Ok(Some(Address::Range {
                cell: probe.cell,
                slot: Some(slot),
                mechanism: mechanism.clone(),
                variable: sensitivity(state),
                cv: cell.discretisation.cv_nonempty(&probe.at),
            })),
            _ => Err(HostError::Refused {
                host: "NEURON",
                kind: "unsupported".into(),
                message: format!("the objective `{}` is no variable of a density mechanism", probe.name),
            }),
        }
    }

    fn clipped(&self) -> Result<Vec<Vec<Address>>, HostError> {
        let mut groups = Vec::new();
        for (c, cell) in self.plan.cells.iter().enumerate() {
            let painted: BTreeSet<&str> = cell.pieces.iter().map(|p| p.mechanism.as_str()).collect();
            let mut all: Vec<(String, String, usize)> = Vec::new();
            for (m, tangent) in self.plan.compiled.mechanisms.iter().zip(&self.plan.compiled.tangents) {
                if !painted.contains(m.name.as_str()) {
                    continue;
                }
                let cvs = self
                    .shim
                    .instances(self.variant, c, &cell.variant(self.variant).name(&m.name))?;
                for &state in &tangent.active {
                    let name = sensitivity(&m.states[state].name);
                    all.extend(cvs.iter().map(|&cv| (m.name.clone(), name.clone(), cv)));
                }
            }
            let membranes = (0..cell.discretisation.n_cvs()).filter(|&cv| cell.discretisation.area_um2[cv] > 0.0);
            all.extend(membranes.map(|cv| (String::new(), "v".to_string(), cv)));
            for (mechanism, variable, cv) in all {
                let on = |&slot: &usize| Address::Range {
                    cell: c,
                    slot: Some(slot),
                    mechanism: mechanism.clone(),
                    variable: variable.clone(),
                    cv,
                };
                groups.push(cell.slots.iter().map(on).collect());
            }
        }
        Ok(groups)
    }
}

/// Where the parts of a run end, ms. The last may be longer, so that it is no sliver.
fn stops(end_ms: f64, dt_ms: f64) -> Vec<f64> {
    let part_ms = PART * dt_ms;
    let mut parts = 1.0;
    let mut stops = Vec::new();
    while (parts + 0.5) * part_ms < end_ms {
        stops.push(parts * part_ms);
        parts += 1.0;
    }
    stops.push(end_ms);
    stops
}
