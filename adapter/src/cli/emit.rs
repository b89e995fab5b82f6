//! `graddiff emit`: the compiler's output as text.

use std::path::PathBuf;

use clap::ValueEnum;
use compiler::Integrator;
use compiler::emit::nmodl::Simulator;
use serde_json::json;

use super::compile::{CompileArgs, usage};
use super::{Context, ExitStatus, Failure};
use crate::report;

/// Write the generated code as text, to read it or to build it elsewhere.
///
/// `--to c` writes DIR/catalogue.c, the whole catalogue as one C11 file without dependencies;
/// `graddiff build` compiles the same text. `--to json` writes DIR/MECHANISM.json: tables, kernels
/// and, with --wrt, their derivatives as formulas. `--to arbor` and `--to neuron` write
/// DIR/MECHANISM.mod: NMODL that arbor-build-catalogue and nrnivmodl compile as it is, and with
/// --wrt also DIR/gd_MECHANISM.mod, its clone: on a second cable, whose voltage it makes dV/dP,
/// it computes the derivatives of the states. With --carrier diffusion it stands beside MECHANISM
/// instead, and dV/dP is a made-up ion's concentration: approximate but for uniform unbranched
/// cables. With --objective, gd_MECHANISM.mod instead controls its own cell, of one control volume.
/// The head of each file says what it needs.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    compile: CompileArgs,
    /// What to write.
    #[arg(long, value_enum)]
    to: Target,
    /// What brings dV/dP along the tree, in NMODL.
    #[arg(long, value_enum, requires = "wrt", conflicts_with = "objective")]
    carrier: Option<CarrierArg>,
    /// Folder for the files; made if it does not exist.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// C behind Arbor's mechanism interface.
    C,
    /// Tables and formulas.
    Json,
    /// NMODL for Arbor 0.12.
    Arbor,
    /// NMODL for NEURON 9.
    Neuron,
}

/// Ways for sensitivities through a simulator that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CarrierArg {
    /// A second cable for each parameter: exact as the step goes to 0. The default.
    Clone,
    /// The paper's made-up ions: approximate.
    Diffusion,
}

/// What the user has to know of what diffuses.
const APPROXIMATE: &str =
    "warning: the carrier `diffusion` is approximate: where diameters, capacitances or lengths of \
    control volumes differ, or branches meet, dV/dP is wrong by percents to factors at every step
  help: `--carrier clone` is exact as dt goes to 0, the carrier `cable` of `graddiff build` at every dt";

impl Target {
    /// Whose NMODL, and whose arithmetic unless asked otherwise.
    fn simulator(self) -> Option<Simulator> {
        match self {
            Target::Arbor => Some(Simulator::Arbor),
            Target::Neuron => Some(Simulator::Neuron),
            Target::C | Target::Json => None,
        }
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    let simulator = args.to.simulator();
    let native = match simulator {
        Some(Simulator::Neuron) => Integrator::Neuron,
        Some(Simulator::Arbor) | None => Integrator::Arbor,
    };
    if args.carrier.is_some() && simulator.is_none() {
        return Err(usage(
            "--carrier is for NMODL, and --to asks for something else",
            "leave --carrier out, or write with --to arbor or --to neuron",
        ));
    }
    let diffusing = args.carrier == Some(CarrierArg::Diffusion);
    let job = args.compile.compile(native, context)?;
    let files: Vec<(String, String)> = match simulator {
        Some(simulator) => {
            let written = job.nmodl(simulator, diffusing, context)?;
            written
                .into_iter()
                .map(|f| (format!("{}.mod", f.name), f.text))
                .collect()
        }
        None if args.to == Target::Json => {
            let texts = job.compiled.json();
            texts
                .into_iter()
                .map(|(name, text)| (format!("{name}.json"), text))
                .collect()
        }
        None => vec![("catalogue.c".into(), job.compiled.c_source.clone())],
    };
    report::create_dir(&args.output)?;
    let mut written = Vec::new();
    for (name, text) in &files {
        let path = args.output.join(name);
        report::write_atomic(&path, text.as_bytes())?;
        written.push(path.display().to_string());
    }
    if context.json {
        let mut out = job.json();
        out.insert("files".into(), json!(written));
        if simulator.is_some() && args.compile.carried() {
            let carrier = if diffusing { "diffusion" } else { "clone" };
            out.insert("carrier".into(), json!(carrier));
        }
        context.print_json(&out.into())?;
    } else {
        context.print(&written.join("\n"))?;
        context.summary(&job.summary())?;
        if diffusing && simulator == Some(Simulator::Arbor) {
            context.summary(
                "diffusivity to paint for Arbor 0.11 and 0.12: diam/(4e5 rL cm len) m2/s, in um, Ohm cm, F/m2 and um",
            )?;
        }
    }
    if diffusing {
        context.warn(APPROXIMATE);
    }
    Ok(ExitStatus::Done)
}
