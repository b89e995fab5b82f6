//! `graddiff emit`: the compiler's output as text.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use super::compile::{CompileArgs, usage};
use super::{Context, ExitStatus, Failure};
use crate::report;

/// Write the generated code as text, to read it or to build it elsewhere.
///
/// `--to c` writes DIR/catalogue.c, the whole catalogue as one C11 file without dependencies;
/// `graddiff build` compiles the same text. `--to json` writes DIR/MECHANISM.json: tables, kernels
/// and, with --wrt, their derivatives as formulas.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    compile: CompileArgs,
    /// What to write.
    #[arg(long, value_enum)]
    to: Target,
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
    /// NMODL for Arbor: not yet.
    #[value(hide = true)]
    Arbor,
    /// NMODL for NEURON: not yet.
    #[value(hide = true)]
    Neuron,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    if let Target::Arbor | Target::Neuron = args.to {
        return Err(usage(
            "this version of graddiff does not write NMODL yet: `--to` takes c or json",
            "Arbor runs the catalogue that `graddiff build` makes as it is (arbor.load_catalogue); NEURON has to wait",
        ));
    }
    let job = args.compile.compile(context)?;
    let files: Vec<(String, String)> = match args.to {
        Target::Json => {
            let texts = job.compiled.json();
            texts
                .into_iter()
                .map(|(name, text)| (format!("{name}.json"), text))
                .collect()
        }
        Target::C | Target::Arbor | Target::Neuron => vec![("catalogue.c".into(), job.compiled.c_source.clone())],
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
        context.print_json(&out.into())?;
    } else {
        context.print(&written.join("\n"))?;
        context.summary(&job.summary())?;
    }
    Ok(ExitStatus::Done)
}
