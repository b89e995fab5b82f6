//! A mechanism as JSON: tables and kernels as text, for people and scripts that want to look inside.

use std::fmt::Write as _;

use crate::ir::graph::ExprId;
use crate::ir::mechanism::{Field, Hook, Mechanism, Output};
use crate::ir::print::{Listing, leaf_name, listing};
use crate::pass::differentiate::{Partials, Tangent};

/// A JSON string literal.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value:?}")
    } else {
        "null".into()
    }
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn fields(fields: &[Field]) -> String {
    list(fields.iter().map(|f| {
        format!(
            "{{\"name\": {}, \"unit\": {}, \"default\": {}}}",
            quote(&f.name),
            quote(&f.unit),
            number(f.default)
        )
    }))
}

/// One kernel: its outputs by name, over definitions evaluated in order.
fn kernel(m: &Mechanism, outputs: &[(String, ExprId)]) -> String {
    let roots: Vec<ExprId> = outputs.iter().map(|&(_, e)| e).collect();
    let Listing { definitions, roots } = listing(m, &roots);
    let pair = |name: &str, text: &str| format!("      {}: {}", quote(name), quote(text));
    let defined: Vec<String> = definitions.iter().map(|(n, t)| pair(n, t)).collect();
    let result: Vec<String> = outputs.iter().zip(&roots).map(|((n, _), t)| pair(n, t)).collect();
    let block = |rows: &[String]| {
        if rows.is_empty() {
            "{}".to_string()
        } else {
            format!("{{\n{}\n    }}", rows.join(",\n"))
        }
    };
    format!(
        "{{\n    \"let\": {},\n    \"result\": {}\n  }}",
        block(&defined),
        block(&result)
    )
}

/// `d(output)/d(input)` for every nonzero partial.
fn partials(m: &Mechanism, output: Output, p: &Partials) -> Vec<(String, ExprId)> {
    let of = m.output_name(output);
    p.iter()
        .map(|&(leaf, e)| (format!("d({of})/d({})", leaf_name(m, leaf)), e))
        .collect()
}

/// The mechanism, and its tangent if it has one.
pub fn emit(m: &Mechanism, tangent: Option<&Tangent>) -> String {
    let states = list(m.states.iter().map(|s| {
        format!(
            "{{\"name\": {}, \"unit\": {}, \"storage\": {}}}",
            quote(&s.name),
            quote(&s.unit),
            quote(&format!("{:?}", s.storage).to_lowercase())
        )
    }));
    let mut sections = vec![
        ("name".to_string(), quote(&m.name)),
        ("kind".to_string(), quote(&format!("{:?}", m.kind).to_lowercase())),
        ("parameters".to_string(), fields(&m.parameters)),
        ("globals".to_string(), fields(&m.globals)),
        ("states".to_string(), states),
        ("ions".to_string(), list(m.ions.iter().map(|i| quote(&i.name)))),
    ];
    for hook in Hook::ALL {
        let outputs: Vec<(String, ExprId)> = m
            .kernel(hook)
            .outputs
            .iter()
            .map(|&(output, e)| (m.output_name(output), e))
            .collect();
        if !outputs.is_empty() {
            sections.push((hook.name().to_string(), kernel(m, &outputs)));
        }
    }
    if let Some(t) = tangent {
        for hook in Hook::ALL {
            let outputs: Vec<(String, ExprId)> = t
                .kernel(hook)
                .iter()
                .flat_map(|(output, p)| partials(&t.mechanism, *output, p))
                .collect();
            if !outputs.is_empty() {
                sections.push((format!("tangent_{}", hook.name()), kernel(&t.mechanism, &outputs)));
            }
        }
    }
    let rows: Vec<String> = sections
        .iter()
        .map(|(key, value)| format!("  {}: {value}", quote(key)))
        .collect();
    format!("{{\n{}\n}}\n", rows.join(",\n"))
}
