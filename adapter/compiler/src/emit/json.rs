//! A mechanism as JSON: tables and kernels as text, for people and scripts that want to look inside.

use std::fmt::Write as _;

use crate::ir::graph::ExprId;
use crate::ir::mechanism::{Field, Mechanism, Updates};
use crate::ir::print::{Listing, listing};
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

fn named(m: &Mechanism, updates: &Updates) -> Vec<(String, ExprId)> {
    updates.iter().map(|&(s, e)| (m.states[s].name.clone(), e)).collect()
}

/// `d(output)/d(input)` for every nonzero partial.
fn partials(m: &Mechanism, output: &str, p: &Partials) -> Vec<(String, ExprId)> {
    let name = |input: &str| format!("d({output})/d({input})");
    let states = p.states.iter().map(|&(s, e)| (name(&m.states[s].name), e));
    let parameters = p.parameters.iter().map(|&(i, e)| (name(&m.parameters[i].name), e));
    p.voltage
        .map(|e| (name("v"), e))
        .into_iter()
        .chain(states)
        .chain(parameters)
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
    let mut currents = vec![
        ("current_ma_per_cm2".to_string(), m.currents.total),
        ("conductance_s_per_cm2".to_string(), m.currents.conductance),
    ];
    currents.extend(named(m, &m.currents.updates));
    let mut sections = vec![
        ("name", quote(&m.name)),
        ("parameters", fields(&m.parameters)),
        ("globals", fields(&m.globals)),
        ("states", states),
        ("ions", list(m.ions.iter().map(|i| quote(&i.name)))),
        ("init", kernel(m, &named(m, &m.init))),
        ("currents", kernel(m, &currents)),
        ("advance", kernel(m, &named(m, &m.advance))),
    ];
    if let Some(t) = tangent {
        let tm = &t.mechanism;
        let of_states = |updates: &[(usize, Partials)]| -> Vec<(String, ExprId)> {
            updates
                .iter()
                .flat_map(|(s, p)| partials(tm, &tm.states[*s].name, p))
                .collect()
        };
        let mut of_currents = partials(tm, "current", &t.current);
        of_currents.extend(partials(tm, "conductance", &t.conductance));
        of_currents.extend(of_states(&t.current_updates));
        sections.extend([
            ("tangent_init", kernel(tm, &of_states(&t.init))),
            ("tangent_currents", kernel(tm, &of_currents)),
            ("tangent_advance", kernel(tm, &of_states(&t.advance))),
        ]);
    }
    let rows: Vec<String> = sections
        .iter()
        .map(|(key, value)| format!("  {}: {value}", quote(key)))
        .collect();
    format!("{{\n{}\n}}\n", rows.join(",\n"))
}
