//! `graddiff inspect`: what a catalogue holds.

use std::fmt::Write as _;
use std::path::PathBuf;

use host_shim::{AbiChoice, Catalogue, FieldInfo, IonDependency, MechanismInfo, MechanismKind};
use serde_json::{Value, json};

use super::compile::Abi;
use super::{Context, ExitStatus, Failure};
use crate::catalogue::load_catalogue;

/// Show what is in a mechanism catalogue.
///
/// Lists each mechanism with its kind, parameters (default, unit, range), globals, states and ions,
/// and for graddiff's own catalogues the slots and the parameters that seed them. Catalogues built
/// by arbor-build-catalogue do not say which version of the binary interface they use: they are
/// read as 0.7 unless --abi says otherwise.
///
/// This loads the file, which runs its code: inspect only catalogues that you would also simulate
/// with.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The catalogue.
    #[arg(value_name = "NAME-catalogue.so")]
    catalogue: PathBuf,
    /// Binary interface: 0.7 for Arbor 0.11 and 0.12, 0.6 for Arbor 0.9 and 0.10.
    #[arg(long, value_enum)]
    abi: Option<Abi>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitStatus, Failure> {
    let choice = args.abi.map_or(AbiChoice::Auto, |abi| AbiChoice::Level(abi.into()));
    let catalogue = load_catalogue(&args.catalogue, choice)?;
    let path = args.catalogue.display().to_string();
    if context.json {
        context.print_json(&to_json(&path, &catalogue))?;
    } else {
        context.print(to_text(&path, &catalogue, args.abi.is_some()).trim_end())?;
    }
    Ok(ExitStatus::Done)
}

fn to_text(path: &str, catalogue: &Catalogue, chosen: bool) -> String {
    let mut out = format!("{path}\n");
    match catalogue.info() {
        Some(info) => {
            let _ = writeln!(
                out,
                "  built by graddiff {} for ABI {}, integrator {}, carrier {}",
                info.graddiff_version, info.abi, info.integrator, info.carrier
            );
            for (i, slot) in info.slots.iter().enumerate() {
                let _ = writeln!(out, "  slot {i}: {slot}");
                for seed in info.seeds.iter().filter(|s| s.slot == i) {
                    let _ = writeln!(
                        out,
                        "    moves {}.{}, seeded by parameter {}",
                        seed.mechanism, seed.parameter, seed.seed
                    );
                }
            }
        }
        None => {
            let why = if chosen {
                "as asked"
            } else {
                "if Arbor 0.9 or 0.10 built it, give --abi 0.6"
            };
            let _ = writeln!(
                out,
                "  not built by graddiff, so it does not tell its ABI level; read as {} ({why})",
                catalogue.abi()
            );
        }
    }
    for mechanism in catalogue.mechanisms() {
        out.push('\n');
        describe(&mut out, mechanism);
    }
    out
}

fn describe(out: &mut String, m: &MechanismInfo) {
    let simd = match m.partition_width {
        1 => "scalar kernels".to_string(),
        n => format!("SIMD kernels, {n} wide"),
    };
    let _ = writeln!(out, "{}: {}, {simd}", m.name, m.kind);
    if m.has_post_events {
        out.push_str("  reacts to the cell's own spikes (POST_EVENT)\n");
    }
    for (title, fields) in [("parameters", &m.parameters), ("globals", &m.globals)] {
        if fields.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  {title}");
        let width = fields.iter().map(|f| f.name.len()).max().unwrap_or(0);
        for field in fields {
            let _ = writeln!(out, "    {:width$}  {}", field.name, value(field));
        }
    }
    if !m.states.is_empty() {
        let _ = writeln!(out, "  states      {}", join(m.states.iter().map(with_unit)));
    }
    if !m.ions.is_empty() {
        let _ = writeln!(
            out,
            "  ions        {}",
            join(
                m.ions
                    .iter()
                    .map(|i| format!("{} ({})", i.name, join(uses(i).into_iter())))
            )
        );
    }
    if !m.random_variables.is_empty() {
        let _ = writeln!(
            out,
            "  white noise {}",
            join(m.random_variables.iter().map(|r| r.name.clone()))
        );
    }
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn with_unit(field: &FieldInfo) -> String {
    if field.unit.is_empty() {
        field.name.clone()
    } else {
        format!("{} ({})", field.name, field.unit)
    }
}

/// `0.12 S/cm2, 0 to 1e9`.
fn value(field: &FieldInfo) -> String {
    let mut out = match (field.default, field.unit.as_str()) {
        (Some(x), "") => number(x),
        (Some(x), unit) => format!("{} {unit}", number(x)),
        (None, "") => "no default".into(),
        (None, unit) => format!("no default ({unit})"),
    };
    match (bound(field.low), bound(field.high)) {
        (None, None) => {}
        (Some(low), None) => out.push_str(&format!(", at least {}", number(low))),
        (None, Some(high)) => out.push_str(&format!(", at most {}", number(high))),
        (Some(low), Some(high)) => out.push_str(&format!(", {} to {}", number(low), number(high))),
    }
    out
}

/// A limit, unless it stands for "none": the ABI writes ±DBL_MAX, and infinities mean the same.
fn bound(limit: f64) -> Option<f64> {
    (limit.abs() < f64::MAX).then_some(limit)
}

/// Shortest form that reads back as the same number.
fn number(x: f64) -> String {
    if x.abs() >= 1e6 || (x != 0.0 && x.abs() < 1e-4) {
        format!("{x:e}")
    } else {
        format!("{x}")
    }
}

/// What a mechanism does with an ion, in NMODL's names.
fn uses(ion: &IonDependency) -> Vec<String> {
    let x = &ion.name;
    let mut out = Vec::new();
    let mut add = |yes: bool, text: String| {
        if yes {
            out.push(text);
        }
    };
    add(ion.read_reversal, format!("reads e{x}"));
    add(ion.read_internal, format!("reads {x}i"));
    add(ion.read_external, format!("reads {x}o"));
    add(ion.read_valence, "reads its valence".into());
    add(ion.write_reversal, format!("writes e{x}"));
    add(ion.write_internal, format!("writes {x}i"));
    add(ion.write_external, format!("writes {x}o"));
    add(ion.use_diffusive, format!("uses {x}d"));
    add(
        ion.expected_valence.is_some(),
        format!("valence {}", ion.expected_valence.unwrap_or(0)),
    );
    if out.is_empty() {
        // the ABI does not record who reads or writes a current
        out.push(format!("i{x} only"));
    }
    out
}

/// The kind as a word for programs; Arbor's spelling without `arb_mechanism_kind_`.
fn kind(kind: MechanismKind) -> &'static str {
    match kind {
        MechanismKind::Point => "point",
        MechanismKind::Density => "density",
        MechanismKind::ReversalPotential => "reversal_potential",
        MechanismKind::GapJunction => "gap_junction",
        MechanismKind::Voltage => "voltage",
    }
}

fn to_json(path: &str, catalogue: &Catalogue) -> Value {
    let info = catalogue.info().map(|info| {
        let seeds: Value = info
            .seeds
            .iter()
            .map(|s| json!({"slot": s.slot, "mechanism": s.mechanism, "parameter": s.parameter, "field": s.seed}))
            .collect();
        json!({
            "version": info.graddiff_version,
            "integrator": info.integrator,
            "carrier": info.carrier,
            "slots": info.slots,
            "seeds": seeds,
        })
    });
    json!({
        "path": path,
        "abi": catalogue.abi().to_string(),
        "graddiff": info,
        "mechanisms": catalogue.mechanisms().map(mechanism_json).collect::<Value>(),
    })
}

fn mechanism_json(m: &MechanismInfo) -> Value {
    // JSON has no infinity: a missing limit or default is null
    let field = |f: &FieldInfo| json!({"name": f.name, "unit": f.unit, "default": f.default, "low": bound(f.low), "high": bound(f.high)});
    let fields = |fields: &[FieldInfo]| fields.iter().map(field).collect::<Value>();
    let ion = |i: &IonDependency| {
        json!({
            "name": i.name,
            "read_internal": i.read_internal,
            "read_external": i.read_external,
            "read_reversal": i.read_reversal,
            "read_valence": i.read_valence,
            "write_internal": i.write_internal,
            "write_external": i.write_external,
            "write_reversal": i.write_reversal,
            "use_diffusive": i.use_diffusive,
            "expected_valence": i.expected_valence,
        })
    };
    json!({
        "name": m.name,
        "kind": kind(m.kind),
        "fingerprint": m.fingerprint,
        "linear": m.is_linear,
        "post_events": m.has_post_events,
        "simd_width": m.partition_width,
        "alignment_bytes": m.alignment,
        "parameters": fields(&m.parameters),
        "globals": fields(&m.globals),
        "states": fields(&m.states),
        "ions": m.ions.iter().map(ion).collect::<Value>(),
        "random_variables": m.random_variables.iter().map(|r| json!(r.name)).collect::<Value>(),
    })
}
