//! An experiment made concrete: files read, mechanisms compiled, regions cut, slots tied to what they move.
//!
//! Every slot moves its parameters linearly, p = p₀ + Σ_k (∂p/∂x_k) x_k, so a painting is cut into pieces on which p₀ and
//! the seeds ∂p/∂x_k are constant. Knows no simulator: a host paints the pieces as they are.

mod carrier;
mod cell;
pub(crate) mod control;
mod describe;
mod error;
pub mod export;
mod ion;
pub(crate) mod law;
mod network;
mod point;
mod probe;
mod reach;
mod region;
mod roster;
mod shape;
mod sources;

use std::path::{Path, PathBuf};

use compiler::syntax::include::expand;
use compiler::{CompileError, Compiled, FileDiagnostic, Options, SlotSpec, Source};

use host_shim::{Network, ProbeKind};

use crate::control::Transform;
use crate::experiment::{Carrier, Experiment, Scale};
use crate::report::Pruned;
use roster::Roster;

pub use cell::{Piece, PlannedCell, Seeding};
pub use control::{PlannedChange, PlannedControl, PlannedPerturbation};
pub use describe::Variant;
pub(crate) use describe::describe;
pub use error::PlanError;
pub use ion::PlannedMethod;
pub use law::PlannedLaw;
pub use point::PlannedPoint;
pub use probe::{Measured, PlannedProbe};
pub(crate) use reach::of_mechanisms;
pub(crate) use sources::draws_noise;

/// A slot with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedSlot {
    /// Name.
    pub name: String,
    /// The value at which the experiment runs.
    pub value: f64,
    /// Unit of the value: that of the first target, empty for a factor.
    pub unit: String,
    /// How `tune` walks.
    pub transform: Transform,
    /// What it is called in the catalogue, where slots that meet on no cell share a name.
    pub in_catalogue: String,
}

/// A file that went into the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is: `experiment`, `mechanism`, `include`, `morphology`.
    pub role: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// An experiment made concrete.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The experiment as read.
    pub experiment: Experiment,
    /// Folder that relative paths start from.
    pub base: PathBuf,
    /// All files read, the experiment first.
    pub inputs: Vec<Input>,
    /// The sources of the mechanisms, for messages.
    pub sources: Vec<Source>,
    /// The catalogue.
    pub compiled: Compiled,
    /// The cells, in the order of the simulation: those of a group side by side.
    pub cells: Vec<PlannedCell>,
    /// Cells by group.
    pub groups: Vec<Vec<usize>>,
    /// What joins the cells, and what sends them events.
    pub network: Network,
    /// The slots, in order.
    pub slots: Vec<PlannedSlot>,
    /// The probes, in order.
    pub probes: Vec<PlannedProbe>,
    /// What is not computed, since nothing depends on it.
    pub pruned: Pruned,
    /// Which slots move while the experiment runs, and how.
    pub control: Option<PlannedControl>,
    /// What is done to the cells while it runs, in the order of time.
    pub perturbations: Vec<PlannedPerturbation>,
    /// Whether the simulator that runs it carries sensitivities by clones, whatever the experiment says: NEURON.
    pub clones: bool,
}

impl Plan {
    /// Reads the experiment and everything it names.
    ///
    /// # Errors
    /// [`PlanError`], with the place in the experiment.
    pub fn load(path: &Path) -> Result<Self, PlanError> {
        Self::load_with(path, |_| ())
    }

    /// The same after `change`, for options that overrule the file.
    ///
    /// # Errors
    /// As [`Plan::load`].
    pub fn load_with(path: &Path, change: impl FnOnce(&mut Experiment)) -> Result<Self, PlanError> {
        let bytes = read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| PlanError::Encoding {
            path: path.to_path_buf(),
        })?;
        let mut experiment = crate::experiment::read::parse(text).map_err(|defect| PlanError::Experiment {
            path: path.to_path_buf(),
            defect,
        })?;
        change(&mut experiment);
        let base = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_path_buf();
        let inputs = vec![Input {
            role: "experiment",
            path: path.to_path_buf(),
            bytes: bytes.clone(),
        }];
        Self::of(experiment, base, inputs)
    }

    /// Makes an experiment concrete whose relative paths start from `base`.
    ///
    /// # Errors
    /// [`PlanError`], with the place in the experiment.
    pub fn of(mut experiment: Experiment, base: PathBuf, mut inputs: Vec<Input>) -> Result<Self, PlanError> {
        check_name(&experiment.name)?;
        check_times(&experiment)?;
        let (mut sources, mut failures) = (Vec::new(), Vec::new());
        for path in &experiment.mechanisms {
            let path = join(&base, path);
            let bytes = read(&path)?;
            let text = String::from_utf8(bytes.clone()).map_err(|_| PlanError::Encoding { path: path.clone() })?;
            let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
            inputs.push(Input {
                role: "mechanism",
                path: path.clone(),
                bytes,
            });
            let expanded = expand(&text, |name| include(join(&folder, Path::new(name)), &mut inputs));
            failures.extend(expanded.failures.into_iter().map(|d| (sources.len(), d)));
            sources.push(Source {
                name: path.display().to_string(),
                text: expanded.text,
            });
        }
        if !failures.is_empty() {
            let source = CompileError::Rejected(failures);
            return Err(PlanError::Compile { sources, source });
        }
        let roster = Roster::new(&experiment)?;
        let expanded = control::expand(&mut experiment, &roster)?;
        let mut options = Options {
            slots: experiment
                .slots
                .iter()
                .map(|slot| SlotSpec {
                    name: slot.name.clone(),
                    targets: slot
                        .targets
                        .iter()
                        .map(|t| (t.mechanism.clone(), t.parameter.clone()))
                        .collect(),
                })
                .collect(),
            integrator: experiment.integrator.into(),
            keep: probe::read_back(&experiment),
            carrier: experiment.carrier.into(),
            law: law::wanted(&experiment, &expanded),
            ..Options::default()
        };
        let compile = |options: &Options| {
            compiler::compile(&sources, options).map_err(|source| PlanError::Compile {
                sources: sources.clone(),
                source,
            })
        };
        let mut compiled = compile(&options)?;
        let mut cells = cell::plan(&experiment, &roster, &base, &compiled, &mut inputs)?;
        let network = network::plan(&experiment, &roster, &cells)?;
        slot_places(&experiment, &roster, &cells)?;
        let mut slots = slots(&experiment, &compiled, &cells)?;
        reach::reach(&mut cells, &roster.groups, &network);
        let (shared, places) = reach::shared(&options.slots, &cells);
        if shared.len() < options.slots.len() {
            for (slot, &place) in slots.iter_mut().zip(&places) {
                slot.in_catalogue.clone_from(&shared[place].name);
            }
            let names = |of: fn(&PlannedSlot) -> &String| -> Vec<String> { slots.iter().map(of).cloned().collect() };
            let (own, common) = (names(|s| &s.name), names(|s| &s.in_catalogue));
            options.law = options.law.map(|law| law::renamed(law, &own, &common));
            options.slots = shared;
            compiled = compile(&options)?;
        }
        let probes = probe::plan(&experiment, &roster, &compiled, &cells)?;
        let pruned = reach::pruned(&compiled.pruned, &cells, &slots, &options.slots);
        let controlled = control::plan(&experiment, &expanded, &compiled, &cells, &slots, &probes)?;
        let perturbations = control::perturbations(&experiment, &roster, &compiled, &cells)?;
        Ok(Self {
            experiment,
            base,
            inputs,
            pruned,
            sources,
            compiled,
            cells,
            groups: roster.groups,
            network,
            slots,
            probes,
            control: controlled,
            perturbations,
            clones: false,
        })
    }

    /// Warnings of the compiler.
    pub fn warnings(&self) -> &[FileDiagnostic] {
        &self.compiled.warnings
    }

    /// What the reader of the sensitivities must know, if they are not exact.
    pub fn caveat(&self) -> Option<&'static str> {
        match self.experiment.carrier {
            _ if self.slots.is_empty() => None,
            _ if self.clones => Some(carrier::CLONES),
            Carrier::Cable => None,
            Carrier::Diffusion => Some(carrier::CAVEAT),
        }
    }

    /// Slot values at which the experiment runs.
    pub fn values(&self) -> Vec<f64> {
        self.slots.iter().map(|s| s.value).collect()
    }

    /// Whether equal point processes may share an instance. Not where one of them is looked at: which ones share depends
    /// on the slots, and the states of a shared instance are sums.
    pub fn coalesces(&self) -> bool {
        self.probes.iter().all(|p| p.target.is_none())
    }

    /// The probe of a probe's value, as the cell runs where `wanted` runs in the simulation.
    pub fn value_probe(&self, probe: &PlannedProbe, wanted: Variant) -> ProbeKind {
        let variant = self.cells[probe.cell].variant(wanted);
        if let (Measured::Parameter { mechanism, parameter }, Variant::Augmented) = (&probe.measured, variant)
            && let Some(state) = self.present(mechanism, parameter)
        {
            return ProbeKind::State {
                mechanism: variant.name(mechanism),
                state,
                at: probe.at,
            };
        }
        probe.value(|mechanism| variant.name(mechanism))
    }

    /// The probe of a probe's sensitivity to a slot; none where it is zero or unknown.
    pub fn sensitivity_probe(&self, probe: &PlannedProbe, slot: usize) -> Option<ProbeKind> {
        let reached = self.cells[probe.cell].slots.contains(&slot);
        let name = &self.slots.get(slot).filter(|_| reached)?.in_catalogue;
        probe.sensitivity(name)
    }

    /// Index of a slot.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.slots.iter().position(|s| s.name == name)
    }

    /// The catalogue's C for our own host: with the sensitivities in rows where that is faster and nobody asks for those of
    /// states by name. Cells of one CV alone have no tree to sweep; in columns they vectorise over the cells.
    pub fn c_for_shim(&self) -> &str {
        match &self.compiled.c_in_rows {
            Some(text) if self.in_rows() => text,
            _ => &self.compiled.c_source,
        }
    }

    /// Whether the sensitivities lie in rows there.
    pub fn in_rows(&self) -> bool {
        let named = |p: &PlannedProbe| matches!(p.measured, Measured::ActiveState { .. });
        let trees = self.cells.iter().any(|c| c.discretisation.n_cvs() > 1);
        self.compiled.c_in_rows.is_some() && trees && self.control.is_none() && !self.probes.iter().any(named)
    }

    /// A digest of all inputs and of the code made of them: what a checkpoint belongs to.
    pub fn fingerprint(&self) -> String {
        let mut all = self.compiled.c_source.clone().into_bytes();
        for input in &self.inputs {
            all.extend_from_slice(input.role.as_bytes());
            all.extend_from_slice(&input.bytes.len().to_le_bytes());
            all.extend_from_slice(&input.bytes);
        }
        crate::report::sha256_hex(&all)
    }
}

/// `path` below `base`, without the detours that relative paths bring (`examples/../mechanisms`).
pub(crate) fn join(base: &Path, path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in base.join(path).components() {
        let climbs = part == std::path::Component::ParentDir;
        let into_a_name = matches!(out.components().next_back(), Some(std::path::Component::Normal(_)));
        // behind a link, `..` leads elsewhere than the text says: such detours stay
        if climbs && into_a_name && !out.is_symlink() {
            out.pop();
        } else if part != std::path::Component::CurDir {
            out.push(part);
        }
    }
    out
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, PlanError> {
    std::fs::read(path).map_err(|source| PlanError::Read {
        path: path.to_path_buf(),
        source,
    })
}

/// The text of a file that a mechanism includes; a file that several include goes into the plan once.
fn include(path: PathBuf, inputs: &mut Vec<Input>) -> Result<String, String> {
    let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes.clone()).map_err(|_| "it is not UTF-8 text".to_string())?;
    if !inputs.iter().any(|i| i.path == path) {
        inputs.push(Input {
            role: "include",
            path,
            bytes,
        });
    }
    Ok(text)
}

/// More samples than this are a slip of the pen: one probe of so many takes 80 MB.
const MAX_SAMPLES: f64 = 1e7;

/// The name becomes part of file names.
fn check_name(name: &str) -> Result<(), PlanError> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(harmless) {
        return Err(PlanError::BadName { name: name.into() });
    }
    Ok(())
}

fn check_times(experiment: &Experiment) -> Result<(), PlanError> {
    let s = &experiment.simulation;
    for (field, value) in [
        ("duration_ms", s.duration_ms),
        ("dt_ms", s.dt_ms),
        ("sample_every_ms", s.sample_every_ms),
    ] {
        if !(value.is_finite() && value > 0.0) {
            return Err(PlanError::Value {
                place: format!("simulation.{field}"),
                value,
                rule: "positive and finite",
            });
        }
    }
    if s.duration_ms / s.sample_every_ms > MAX_SAMPLES {
        return Err(PlanError::Value {
            place: "simulation.sample_every_ms".into(),
            value: s.sample_every_ms,
            rule: "long enough for at most ten million samples",
        });
    }
    if !(experiment.forgetting_per_ms.is_finite() && experiment.forgetting_per_ms >= 0.0) {
        return Err(PlanError::Value {
            place: "forgetting_per_ms".into(),
            value: experiment.forgetting_per_ms,
            rule: "finite and not negative",
        });
    }
    let tolerance = experiment.verify.tolerance;
    if !(tolerance > 0.0 && tolerance < 1.0) {
        return Err(PlanError::Value {
            place: "verify.tolerance".into(),
            value: tolerance,
            rule: "between 0 and 1",
        });
    }
    if let Some(span) = experiment.verify.duration_ms
        && !(span > 0.0 && span <= s.duration_ms)
    {
        return Err(PlanError::Value {
            place: "verify.duration_ms".into(),
            value: span,
            rule: "positive and at most simulation.duration_ms",
        });
    }
    Ok(())
}

/// Finite, not negative, each at least the one before.
fn ascending(times: &[f64]) -> bool {
    let sound = times.iter().all(|t| t.is_finite() && *t >= 0.0);
    sound && times.windows(2).all(|w| w[0] <= w[1])
}

/// Cells and labels that slots name must exist, whether or not anything is moved there.
fn slot_places(experiment: &Experiment, roster: &Roster, cells: &[PlannedCell]) -> Result<(), PlanError> {
    for (k, slot) in experiment.slots.iter().enumerate() {
        for (t, target) in slot.targets.iter().enumerate() {
            let here = format!("slots[{k}].targets[{t}]");
            let meant = match &target.cell {
                Some(name) => roster.find(name, &here)?,
                None => (0..cells.len()).collect(),
            };
            let Some(label) = &target.synapse else { continue };
            let points: Vec<PlannedPoint> = meant
                .iter()
                .flat_map(|&c| cells[c].synapses.iter().chain(&cells[c].junctions))
                .filter(|p| p.mechanism == target.mechanism)
                .cloned()
                .collect();
            point::find(&points, label, "synapse", &format!("{here}.synapse"))?;
        }
    }
    Ok(())
}

fn slots(experiment: &Experiment, compiled: &Compiled, cells: &[PlannedCell]) -> Result<Vec<PlannedSlot>, PlanError> {
    let mut out = Vec::new();
    for (k, slot) in experiment.slots.iter().enumerate() {
        let place = format!("slots[{k}]");
        let bases: Vec<f64> = cells
            .iter()
            .flat_map(PlannedCell::seeds)
            .filter(|s| s.slot == k)
            .map(|s| s.painted)
            .collect();
        let Some(&first) = bases.first() else {
            return Err(PlanError::UnreachedSlot {
                place,
                slot: slot.name.clone(),
            });
        };
        let value = match (slot.value, slot.scale) {
            (Some(value), _) => value,
            (None, Scale::Relative) => 1.0,
            (None, Scale::Absolute) => {
                if let Some(&other) = bases.iter().find(|b| b.to_bits() != first.to_bits()) {
                    return Err(PlanError::AmbiguousValue {
                        place,
                        slot: slot.name.clone(),
                        first,
                        other,
                    });
                }
                first
            }
        };
        if !value.is_finite() {
            return Err(PlanError::Value {
                place: format!("{place}.value"),
                value,
                rule: "finite",
            });
        }
        let unit = match (slot.scale, slot.targets.first()) {
            (Scale::Absolute, Some(target)) => compiled
                .mechanisms
                .iter()
                .find(|m| m.name == target.mechanism)
                .and_then(|m| m.parameters.iter().find(|p| p.name == target.parameter))
                .map(|p| p.unit.clone())
                .unwrap_or_default(),
            (Scale::Absolute | Scale::Relative, _) => String::new(),
        };
        slot.transform.inverse(value).map_err(|source| PlanError::Transform {
            place: format!("{place}.transform"),
            slot: slot.name.clone(),
            source,
        })?;
        out.push(PlannedSlot {
            name: slot.name.clone(),
            value,
            unit,
            transform: slot.transform,
            in_catalogue: slot.name.clone(),
        });
    }
    Ok(out)
}
