//! What `emit` and `build` share: which files, for whom, with respect to what.

use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use compiler::emit::nmodl::{NmodlFile, Simulator};
use compiler::{
    AbiLevel, Carrier, CompileError, Compiled, FileDiagnostic, Integrator, Keep, Law, Options, SlotSpec, Source,
};
use serde_json::{Value, json};

use super::diagnostics::{self, Style, Tally};
use super::{Context, ExitStatus, Failure, count, slots, sources};
use crate::plan::of_mechanisms;

/// Sources and how to compile them.
#[derive(Debug, clap::Args)]
pub(super) struct CompileArgs {
    /// Mechanisms in NMODL; all go into one catalogue.
    #[arg(required = true, value_name = "FILE.mod")]
    files: Vec<PathBuf>,
    /// Parameters to differentiate with respect to: `gnabar` in every mechanism that has it, `hh.gnabar` in that one.
    #[arg(long, value_name = "P,MECH.Q", value_delimiter = ',')]
    wrt: Vec<String>,
    /// Let gd_MECH lower its own STATE by moving the parameters of --wrt; gains are 0 until they are painted.
    #[arg(long, value_name = "MECH.STATE", requires = "wrt")]
    objective: Option<String>,
    /// Binary interface: 0.7 for Arbor 0.11 and 0.12, 0.6 for Arbor 0.9 and 0.10.
    #[arg(long, value_enum, default_value_t)]
    abi: Abi,
    /// Whose arithmetic `METHOD cnexp` follows: Arbor's Padé step or NEURON's exponential step. [default: arbor;
    /// neuron with `--to neuron`]
    #[arg(long, value_enum)]
    integrator: Option<IntegratorArg>,
}

/// [`AbiLevel`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Abi {
    /// Arbor 0.11 and 0.12.
    #[default]
    #[value(name = "0.7")]
    V0_7,
    /// Arbor 0.9 and 0.10.
    #[value(name = "0.6")]
    V0_6,
}

impl From<Abi> for AbiLevel {
    fn from(abi: Abi) -> Self {
        match abi {
            Abi::V0_7 => AbiLevel::V0_7,
            Abi::V0_6 => AbiLevel::V0_6,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IntegratorArg {
    /// Padé step.
    Arbor,
    /// Exponential step.
    Neuron,
}

/// A successful compilation and what it came from.
pub(super) struct Job {
    pub(super) sources: Vec<Source>,
    pub(super) options: Options,
    pub(super) compiled: Compiled,
}

impl CompileArgs {
    /// The law that `--objective` asks for, by which every slot moves.
    fn law(&self, slots: &[SlotSpec]) -> Result<Option<Law>, Failure> {
        let Some(asked) = &self.objective else { return Ok(None) };
        let Some((mechanism, objective)) = asked.split_once('.') else {
            return Err(Failure::message(
                ExitStatus::Usage,
                format!("--objective {asked} is not of the form MECH.STATE"),
                "name the mechanism and its variable with a dot between them, as in --objective hh_adapt.e",
            ));
        };
        let own = |s: &&SlotSpec| s.targets.iter().all(|(m, _)| m == mechanism);
        if let Some(other) = slots.iter().find(|s| !own(s)) {
            return Err(Failure::message(
                ExitStatus::Usage,
                format!(
                    "--wrt: `{}` moves another mechanism than `{mechanism}`, which knows its own only",
                    other.name
                ),
                format!("write parameters as {mechanism}.P, and leave those of other mechanisms out"),
            ));
        }
        Ok(Some(Law {
            mechanism: mechanism.into(),
            objective: objective.into(),
            slots: slots.iter().map(|s| s.name.clone()).collect(),
            increment: false,
            clips: true,
        }))
    }

    /// Whether sensitivities are to be carried in a simulator's NMODL.
    pub(super) fn carried(&self) -> bool {
        !self.wrt.is_empty() && self.objective.is_none()
    }

    /// Reads, compiles, and shows the diagnostics: as text on standard error, or with `--json`, if the sources are
    /// rejected, as the only member of the result. `native` is the arithmetic unless the user chose one.
    pub(super) fn compile(&self, native: Integrator, context: &Context) -> Result<Job, Failure> {
        let sources::Mods { sources, failures } = sources::read_mods(&self.files)?;
        if !failures.is_empty() {
            return Err(reject(&sources, CompileError::Rejected(failures), context));
        }
        let mut options = Options {
            rebound: Vec::new(),
            // nobody knows yet who will read what
            keep: Keep::Readable,
            slots: Vec::new(),
            integrator: match self.integrator {
                Some(IntegratorArg::Arbor) => Integrator::Arbor,
                Some(IntegratorArg::Neuron) => Integrator::Neuron,
                None => native,
            },
            abi: self.abi.into(),
            carrier: Carrier::Cable,
            law: None,
        };
        let broken = |s: &Source| compiler::diagnostic::has_errors(&compiler::syntax::parse(&s.text).1);
        // A file that does not parse may lack just the parameter asked for: its own errors come first.
        if !sources.iter().any(broken) {
            options.slots = slots::resolve(&self.wrt, &sources)?;
            options.law = self.law(&options.slots)?;
        }
        tracing::info!(files = sources.len(), slots = options.slots.len(), "compiling");
        match compiler::compile(&sources, &options) {
            Ok(compiled) => {
                if !context.json {
                    show(&sources, &compiled.warnings, context);
                }
                if let (Some(law), None) = (&options.law, &compiled.slots.law) {
                    return Err(no_law(law, &compiled));
                }
                Ok(Job {
                    sources,
                    options,
                    compiled,
                })
            }
            Err(error) => Err(reject(&sources, error, context)),
        }
    }
}

/// Why there is no law, though one was asked for.
fn no_law(law: &Law, compiled: &Compiled) -> Failure {
    let mut known: Vec<String> = Vec::new();
    for t in &compiled.tangents {
        let m = &t.mechanism;
        known.extend(t.active.iter().map(|&s| format!("{}.{}", m.name, m.states[s].name)));
    }
    let help = match known.as_slice() {
        [] => "no variable of these mechanisms moves with --wrt: name other parameters there".into(),
        _ => format!(
            "in a density mechanism without POST_EVENT, name one of: {}",
            known.join(", ")
        ),
    };
    let what = format!(
        "--objective {}.{}: no variable of a density mechanism that moves with the parameters of --wrt",
        law.mechanism, law.objective
    );
    Failure::message(ExitStatus::Usage, what, help)
}

/// Shows why the sources were rejected.
fn reject(sources: &[Source], error: CompileError, context: &Context) -> Failure {
    if let CompileError::Rejected(found) = &error {
        if context.json {
            let document = json!({ "diagnostics": diagnostics::to_json(sources, found) });
            if let Err(failure) = context.print_json(&document) {
                return failure;
            }
        } else {
            show(sources, found, context);
        }
    }
    error.into()
}

fn show(sources: &[Source], found: &[FileDiagnostic], context: &Context) {
    if !found.is_empty() {
        let style = Style::choose(&io::stderr());
        context.warn(&diagnostics::render_all(sources, found, style));
    }
}

impl Job {
    /// The mechanisms as NMODL, with clones or what diffuses if there are slots, or why not.
    pub(super) fn nmodl(&self, to: Simulator, diffusing: bool, context: &Context) -> Result<Vec<NmodlFile>, Failure> {
        let name = |s: &Source| {
            let file = Path::new(&s.name).file_name();
            file.map_or_else(|| s.name.clone(), |n| n.to_string_lossy().into_owned())
        };
        let files: Vec<String> = self.sources.iter().map(name).collect();
        let written = if diffusing {
            self.compiled.nmodl_diffusing(to, &files)
        } else {
            self.compiled.nmodl(to, &files)
        };
        written.map_err(|error| reject(&self.sources, error, context))
    }

    /// Slots, what was pruned, and warnings, to end a command's summary.
    pub(super) fn summary(&self) -> String {
        let slots = &self.compiled.slots.names;
        let slots = if slots.is_empty() {
            "no slots (give --wrt for sensitivities)".to_string()
        } else {
            let list: Vec<String> = self
                .options
                .slots
                .iter()
                .map(|s| {
                    let targets: Vec<String> = s.targets.iter().map(|(m, p)| format!("{m}.{p}")).collect();
                    format!("{} (d/d {})", s.name, targets.join(", "))
                })
                .collect();
            format!("{}: {}", count(slots.len(), "slot"), list.join(", "))
        };
        let mut lines = vec![slots];
        let pruned = of_mechanisms(&self.compiled.pruned).lines();
        lines.extend(pruned.iter().map(|line| format!("pruned: {line}")));
        let warnings = Tally::of(&self.compiled.warnings).warnings;
        if warnings > 0 {
            lines.push(count(warnings, "warning"));
        }
        lines.join("\n")
    }

    /// The same as JSON members.
    pub(super) fn json(&self) -> serde_json::Map<String, Value> {
        let mut out = serde_json::Map::new();
        let seeds = |slot: &str| -> Value {
            let of_slot = self.compiled.slots.seeds.iter().filter(|s| s.slot == slot);
            of_slot
                .map(|s| json!({"mechanism": s.mechanism, "parameter": s.parameter, "field": s.field}))
                .collect()
        };
        let names = &self.compiled.slots.names;
        let slots: Value = names.iter().map(|n| json!({"name": n, "seeds": seeds(n)})).collect();
        let mechanisms: Value = self.compiled.mechanisms.iter().map(|m| json!(m.name)).collect();
        out.insert("mechanisms".into(), mechanisms);
        out.insert("slots".into(), slots);
        out.insert("pruned".into(), json!(of_mechanisms(&self.compiled.pruned).mechanisms));
        out.insert("abi".into(), json!(self.options.abi.to_string()));
        out.insert("integrator".into(), json!(self.options.integrator.as_str()));
        let warnings = diagnostics::to_json(&self.sources, &self.compiled.warnings);
        out.insert("diagnostics".into(), warnings);
        out
    }
}

/// A wrong argument that clap cannot see.
pub(super) fn usage(message: &str, help: &str) -> Failure {
    Failure::message(ExitStatus::Usage, message, help)
}
