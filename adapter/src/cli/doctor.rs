//! `graddiff doctor`: what this machine has of what graddiff needs.

use std::io::{Read, Seek};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use compiler::emit::build::{build, compiler_command};
use compiler::{Options, Source};
use host_shim::AbiChoice;
use serde_json::{Value, json};

use super::{Context, ExitStatus, Failure};
use crate::catalogue::load_catalogue;
use crate::hosts::process::python;

/// Tell what this machine has of what graddiff needs.
///
/// Looks for a C compiler and tries it (needed: exit code 3 without it), for Python with Arbor and
/// NEURON (optional: other hosts to run and compare with), and lists the processor's vector
/// instructions.
///
/// Python is what GRADDIFF_PYTHON names, else .venv/bin/python in the current folder, else python3.
/// The C compiler is what CC names, else cc.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {}

/// A program that says nothing for so long is not going to: importing NEURON takes seconds on a cold disk.
const PATIENCE: Duration = Duration::from_secs(60);

/// The mechanism that tries the C compiler: the simplest of the library.
const TRIAL: &str = include_str!("../../../mechanisms/pas/pas.mod");

/// One line of the report.
struct Finding {
    key: &'static str,
    title: &'static str,
    /// What was found, or why not.
    result: Result<String, String>,
    /// What to do if it was not.
    advice: &'static str,
    needed: bool,
}

pub(super) fn run(_: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let features = cpu_features();
    let (python, source) = python(None);
    let version = python_version(&python);
    let found = |module| match &version {
        Ok(_) => import(&python, module),
        Err(_) => Err("no Python to look in".into()),
    };
    let (arbor, neuron) = (found("arbor"), found("neuron"));
    let findings = [
        Finding {
            key: "c_compiler",
            title: "C compiler",
            advice: "install gcc or clang (Debian, Ubuntu: apt install gcc; macOS: xcode-select --install), or set CC",
            needed: true,
            result: c_compiler(),
        },
        Finding {
            key: "python",
            title: "Python",
            advice: "only needed for the hosts below; `tests/run` makes a virtual environment with all of them",
            needed: false,
            result: version.map(|v| format!("{v} ({}, from {source})", python.display())),
        },
        Finding {
            key: "arbor",
            title: "Arbor",
            advice: "optional, for --host arbor: python -m pip install arbor==0.12.2",
            needed: false,
            result: arbor,
        },
        Finding {
            key: "neuron",
            title: "NEURON",
            advice: "optional, for --host neuron: python -m pip install neuron==9.0.2",
            needed: false,
            result: neuron,
        },
    ];
    let ready = findings.iter().all(|f| f.result.is_ok() || !f.needed);
    if context.json {
        context.print_json(&to_json(&findings, cores, &features, ready))?;
    } else {
        let features = if features.is_empty() {
            "none detected".into()
        } else {
            features.join(" ")
        };
        let mut lines = vec![
            format!("graddiff    {}", env!("CARGO_PKG_VERSION")),
            format!(
                "processor   {}, {}",
                std::env::consts::ARCH,
                super::count(cores, "core")
            ),
            format!("vectors     {features}"),
        ];
        for f in &findings {
            match &f.result {
                Ok(text) => lines.push(format!("{:11} {text}", f.title)),
                Err(text) => {
                    lines.push(format!(
                        "{:11} {}: {text}",
                        f.title,
                        if f.needed { "MISSING" } else { "not found" }
                    ));
                    lines.push(format!("{:11} -> {}", "", f.advice));
                }
            }
        }
        context.print(&lines.join("\n"))?;
        context.summary(if ready {
            "ready"
        } else {
            "not ready: graddiff cannot build catalogues on this machine"
        })?;
    }
    Ok(if ready {
        ExitStatus::Done
    } else {
        ExitStatus::Environment
    })
}

fn to_json(findings: &[Finding], cores: usize, features: &[&str], ready: bool) -> Value {
    let mut out = serde_json::Map::new();
    out.insert("graddiff".into(), json!(env!("CARGO_PKG_VERSION")));
    out.insert("architecture".into(), json!(std::env::consts::ARCH));
    out.insert("cores".into(), json!(cores));
    out.insert("cpu_features".into(), json!(features));
    for f in findings {
        let value = match &f.result {
            Ok(text) => json!({"found": true, "needed": f.needed, "detail": text}),
            Err(text) => json!({"found": false, "needed": f.needed, "detail": text, "help": f.advice}),
        };
        out.insert(f.key.into(), value);
    }
    out.insert("ready".into(), json!(ready));
    out.into()
}

/// Vector instructions that matter to the emitted kernels.
fn cpu_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let known = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(target_arch = "aarch64")]
    let known = [("neon", std::arch::is_aarch64_feature_detected!("neon"))];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let known: [(&str, bool); 0] = [];
    known
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
        .collect()
}

/// Version of the C compiler, after it has built a catalogue that loads.
fn c_compiler() -> Result<String, String> {
    let command = compiler_command();
    let options = Options::default();
    let source = Source {
        name: "pas.mod".into(),
        text: TRIAL.into(),
    };
    let compiled = compiler::compile(&[source], &options).map_err(|e| chain(&e))?;
    let folder = tempfile::tempdir().map_err(|e| format!("cannot make a temporary folder: {e}"))?;
    let path = folder.path().join("doctor-catalogue.so");
    build(&compiled.c_source, &path).map_err(|e| chain(&e))?;
    let catalogue = load_catalogue(&path, AbiChoice::Auto).map_err(|e| chain(&e))?;
    if catalogue.mechanism("pas").is_none() {
        return Err(format!("`{command}` builds a catalogue without its mechanism"));
    }
    // a compiler that works need not know --version
    let mut words = command.split_whitespace();
    let mut process = Command::new(words.next().unwrap_or("cc"));
    process.args(words).arg("--version");
    let version = output(process)
        .ok()
        .and_then(|text| text.lines().next().map(str::to_string));
    let version = version.unwrap_or_else(|| "version unknown".into());
    Ok(format!("{version} ({command}); builds catalogues that load"))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn python_version(python: &PathBuf) -> Result<String, String> {
    let mut process = Command::new(python);
    process.args(["-c", "import platform; print(platform.python_version())"]);
    output(process)
}

/// Version of a Python module that can really be imported.
fn import(python: &PathBuf, module: &str) -> Result<String, String> {
    let mut process = Command::new(python);
    process
        .args(["-c", &format!("import {module}; print({module}.__version__)")])
        .env("NEURON_MODULE_OPTIONS", "-nogui");
    output(process)
}

/// What a program prints, trimmed; the last line of its complaint if it fails.
fn output(mut process: Command) -> Result<String, String> {
    let name = process.get_program().to_string_lossy().into_owned();
    // Files, not pipes: a talkative program must not wait for a reader that waits for it.
    let files = tempfile::tempfile().and_then(|out| Ok((out.try_clone()?, out, tempfile::tempfile()?)));
    let (for_child, mut out, mut err) = files.map_err(|e| format!("cannot make a temporary file: {e}"))?;
    let err_for_child = err
        .try_clone()
        .map_err(|e| format!("cannot share a temporary file: {e}"))?;
    process.stdin(Stdio::null()).stdout(for_child).stderr(err_for_child);
    let mut child = process.spawn().map_err(|e| format!("cannot run `{name}`: {e}"))?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                // it may end by itself in between; either way it is gone after `wait`
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{name}` did not answer within {} s", PATIENCE.as_secs()));
            }
            Err(e) => return Err(format!("cannot wait for `{name}`: {e}")),
        }
    };
    let (text, complaint) = (read(&mut out), read(&mut err));
    if status.success() {
        Ok(text.trim().to_string())
    } else {
        let last = complaint.lines().rev().find(|l| !l.trim().is_empty());
        Err(last.map_or_else(|| format!("`{name}` ended with {status}"), |l| l.trim().to_string()))
    }
}

/// The first 64 kB of a file that a child wrote; what cannot be read counts as nothing said.
fn read(file: &mut std::fs::File) -> String {
    let mut bytes = Vec::new();
    if file.rewind().is_ok() {
        let _ = file.take(1 << 16).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
