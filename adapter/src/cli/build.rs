//! `graddiff build`: sources to a catalogue that simulators load.

use std::path::PathBuf;

use compiler::emit::Names;
use compiler::emit::build::build;
use serde_json::json;

use super::compile::{CompileArgs, usage};
use super::{Context, ExitStatus, Failure};

/// Build a mechanism catalogue, with sensitivities if asked.
///
/// Compiles all files into one shared library that Arbor (arbor.load_catalogue) and graddiff's own
/// host load. It needs a C compiler (cc, or what CC names), but neither Arbor nor cmake, and is
/// optimised for the machine it is built on.
///
/// With --wrt the catalogue also holds, for each mechanism X, gd_X, which computes the derivatives
/// of its states, and gd0_cable, which computes those of the membrane voltage. Paint gd_X in place
/// of X, and gd0_cable on the whole cell. With --objective, gd_X moves parameters by itself, once
/// gains are painted: a law inside the mechanism, which needs no controller.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    compile: CompileArgs,
    /// The catalogue to write.
    #[arg(short, long, value_name = "NAME-catalogue.so")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    if args.output.extension().is_none_or(|e| e != "so") {
        return Err(usage(
            &format!("-o {}: a catalogue's name ends in .so", args.output.display()),
            "write -o NAME-catalogue.so",
        ));
    }
    let job = args.compile.compile(compiler::Integrator::Arbor, context)?;
    build(&job.compiled.c_source, &args.output)?;
    let path = args.output.display();
    if context.json {
        let mut out = job.json();
        out.insert("output".into(), json!(path.to_string()));
        return context.print_json(&out.into()).map(|()| ExitStatus::Done);
    }
    let mut names: Vec<String> = job.compiled.mechanisms.iter().map(|m| m.name.clone()).collect();
    if !job.compiled.slots.names.is_empty() {
        let augmented: Vec<String> = names.iter().map(|n| Names::augmented(n)).collect();
        names.push(Names::CARRIER.into());
        names.extend(augmented);
    }
    let (abi, integrator) = (job.options.abi, job.options.integrator.as_str());
    context.print(&format!("{path}"))?;
    context.summary(&format!("mechanisms: {}", names.join(", ")))?;
    context.summary(&format!("ABI {abi}, integrator {integrator}\n{}", job.summary()))?;
    Ok(ExitStatus::Done)
}
