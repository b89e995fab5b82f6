//! The blocks that declare.

use std::fmt::Write as _;

use super::expression::number;
use super::write::{Assignment, Target, Writer};
use super::{About, Simulator, all_roots, name_in};
use crate::ir::graph::{ExprId, Leaf, Node};
use crate::ir::mechanism::{Field, IonQuantity, Kind, Mechanism, Output, Storage};

/// Whether INITIAL gives a written concentration just what the ion has.
pub(super) fn starts_from_ion(m: &Mechanism, state: usize, value: ExprId) -> bool {
    let Some(concentration) = m.concentrations.iter().find(|c| c.state == state) else {
        return false;
    };
    match m.graph.node(value) {
        Node::Leaf(Leaf::IonRead(read)) => {
            let read = m.ion_reads[read as usize];
            read.ion == concentration.ion && read.quantity == concentration.quantity
        }
        Node::Leaf(_) | Node::Const(_) | Node::Unary(..) | Node::Binary(..) | Node::Select(..) => false,
    }
}

fn quantity_name(ion: &str, quantity: IonQuantity) -> String {
    match quantity {
        IonQuantity::ReversalPotential => format!("e{ion}"),
        IonQuantity::Internal => format!("{ion}i"),
        IonQuantity::External => format!("{ion}o"),
        IonQuantity::Diffusive => format!("{ion}d"),
        IonQuantity::Current => format!("i{ion}"),
        IonQuantity::Charge => format!("z{ion}"),
    }
}

fn quantity_unit(quantity: IonQuantity, kind: Kind) -> &'static str {
    match quantity {
        IonQuantity::ReversalPotential => "mV",
        IonQuantity::Internal | IonQuantity::External | IonQuantity::Diffusive => "mM",
        IonQuantity::Current => current_unit(kind),
        IonQuantity::Charge => "1",
    }
}

fn current_unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Density | Kind::ReversalPotential | Kind::Voltage => "mA/cm2",
        Kind::Point | Kind::Junction => "nA",
    }
}

/// One ion: what is read and written of it.
struct Used {
    name: String,
    valence: String,
    reads: Vec<IonQuantity>,
    writes: Vec<IonQuantity>,
}

fn ions(m: &Mechanism) -> Vec<Used> {
    let read = m.graph.leaves(&all_roots(m));
    m.ions
        .iter()
        .enumerate()
        .map(|(i, ion)| {
            let mut writes: Vec<IonQuantity> = Vec::new();
            for output in crate::ir::mechanism::Hook::ALL
                .into_iter()
                .flat_map(|h| &m.kernel(h).outputs)
            {
                let written = match output.0 {
                    Output::IonCurrent(of) if of == i => IonQuantity::Current,
                    Output::Reversal(of) if of == i => IonQuantity::ReversalPotential,
                    Output::Diffusive(of) if of == i => IonQuantity::Diffusive,
                    Output::State(_)
                    | Output::Current
                    | Output::Conductance
                    | Output::IonCurrent(_)
                    | Output::Reversal(_)
                    | Output::Diffusive(_)
                    | Output::Voltage => continue,
                };
                writes.push(written);
            }
            writes.extend(m.concentrations.iter().filter(|c| c.ion == i).map(|c| c.quantity));
            writes.sort_unstable();
            writes.dedup();
            let mut reads: Vec<IonQuantity> = Vec::new();
            let mut charge = false;
            for (at, of) in m.ion_reads.iter().enumerate().filter(|(_, of)| of.ion == i) {
                if read.contains(&Leaf::IonRead(u32::try_from(at).unwrap_or(u32::MAX))) {
                    charge |= of.quantity == IonQuantity::Charge;
                    if of.quantity != IonQuantity::Charge {
                        reads.push(of.quantity);
                    }
                }
            }
            reads.sort_unstable();
            let valence = match ion.valence {
                Some(n) => format!(" VALENCE {n}"),
                None if charge => format!(" VALENCE z{}", ion.name),
                None => String::new(),
            };
            Used {
                name: ion.name.clone(),
                valence,
                reads,
                writes,
            }
        })
        .filter(|used| !(used.reads.is_empty() && used.writes.is_empty() && used.valence.is_empty()))
        .collect()
}

/// Whether a stored variable is declared as STATE. What an ion takes over has to be one in Arbor. NEURON makes a
/// variable `x0` of every STATE `x`, and the C library has functions y0 and j0.
fn is_state(writer: &Writer<'_>, s: usize) -> bool {
    let m = &writer.m;
    let name = writer.state_name(s);
    let clashes = writer.to == Simulator::Neuron && ["j", "y"].contains(&name.as_str());
    let held = m.concentrations.iter().any(|c| c.state == s);
    (m.states[s].storage == Storage::State || held) && !clashes
}

fn with_unit(name: &str, unit: &str) -> String {
    if unit.is_empty() {
        name.to_owned()
    } else {
        format!("{name} ({unit})")
    }
}

fn parameter(field: &Field) -> String {
    let mut out = field.name.clone();
    if field.default.is_finite() {
        let _ = write!(out, " = {}", number(field.default));
    }
    out = with_unit(&out, &field.unit);
    let (low, high) = field.limits;
    if low > f64::MIN || high < f64::MAX {
        let _ = write!(out, " <{}, {}>", number(low.max(-1e9)), number(high.min(1e9)));
    }
    out
}

/// The units that the lines name, with what they are.
fn units(about: &About, lines: &[String]) -> Vec<String> {
    let known = |name: &str| about.units.iter().any(|(own, _)| own == name);
    let named = |name: &str| {
        let words = lines.iter().filter_map(|l| l.split_once('('));
        words
            .flat_map(|(_, unit)| unit.split(|c: char| !c.is_ascii_alphabetic()))
            .any(|word| word == name)
    };
    let own = about.units.iter().map(|(name, unit)| format!("({name}) = ({unit})"));
    let common = [
        ("mA", "milliamp"),
        ("mV", "millivolt"),
        ("mM", "milli/liter"),
        ("nA", "nanoamp"),
        ("uS", "microsiemens"),
    ];
    let missing = common.into_iter().filter(|(name, _)| named(name) && !known(name));
    own.chain(missing.map(|(name, unit)| format!("({name}) = ({unit})")))
        .collect()
}

fn section(head: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{head} {{\n");
    for line in lines {
        let _ = writeln!(out, "    {line}");
    }
    out.push_str("}\n");
    out
}

/// Everything up to INITIAL.
pub(super) fn head(writer: &Writer<'_>, about: &About, currents: &[Assignment]) -> String {
    let m = &writer.m;
    let mut out = format!("TITLE {}\n\nCOMMENT\n", about.title);
    for line in &about.comment {
        let _ = writeln!(out, "{line}");
    }
    out.push_str("ENDCOMMENT\n");
    out.push_str(&neuron_block(writer, about));
    let read = m.graph.leaves(&all_roots(m));
    let mut supplied: Vec<String> = Vec::new();
    for (leaf, text) in [
        (Leaf::Voltage, "v (mV)"),
        (Leaf::PeerVoltage, "v_peer (mV)"),
        (Leaf::Celsius, "celsius (degC)"),
        (Leaf::Diam, "diam (um)"),
        (Leaf::Area, "area (um2)"),
    ] {
        if read.contains(&leaf) || leaf == Leaf::Voltage {
            supplied.push(text.into());
        }
    }
    let mut parameters: Vec<String> = m.parameters.iter().chain(&m.globals).map(parameter).collect();
    let mut assigned: Vec<String> = Vec::new();
    let mut states: Vec<String> = Vec::new();
    for (s, state) in m.states.iter().enumerate() {
        let line = with_unit(&writer.state_name(s), &state.unit);
        if is_state(writer, s) {
            states.push(line);
        } else {
            assigned.push(line);
        }
    }
    match writer.to {
        Simulator::Arbor => parameters.extend(supplied),
        Simulator::Neuron => {
            if read.contains(&Leaf::Dt) {
                supplied.push("dt (ms)".into());
            }
            for used in ions(m) {
                let written = |q: &&IonQuantity| {
                    !m.concentrations
                        .iter()
                        .any(|c| m.ions[c.ion].name == used.name && c.quantity == **q)
                };
                let mut names: Vec<String> = used
                    .reads
                    .iter()
                    .chain(&used.writes)
                    .filter(written)
                    .map(|&q| with_unit(&quantity_name(&used.name, q), quantity_unit(q, m.kind)))
                    .collect();
                names.sort_unstable();
                names.dedup();
                supplied.extend(names);
            }
            if has_nonspecific(currents, about) {
                supplied.push(with_unit(&about.current, current_unit(m.kind)));
            }
            supplied.append(&mut assigned);
            assigned = supplied;
        }
    }
    let lines = [parameters.as_slice(), &assigned, &states].concat();
    out.push_str(&section("UNITS", &units(about, &lines)));
    out.push_str(&section("PARAMETER", &parameters));
    out.push_str(&section("ASSIGNED", &assigned));
    out.push_str(&section("STATE", &states));
    out.push_str(&section("WHITE_NOISE", &m.noise));
    out
}

fn has_nonspecific(currents: &[Assignment], about: &About) -> bool {
    let own = |a: &Assignment| matches!(&a.target, Target::Named(name) if *name == about.current);
    currents.iter().any(own)
}

/// Longest line of a list of names.
const LIST_WIDTH: usize = 104;

/// Names behind a word, on as many lines as it takes: modcc takes no list that goes on after a comma.
fn lists(word: &str, names: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for name in names {
        match lines.last_mut() {
            Some(line) if line.len() + name.len() + 2 <= LIST_WIDTH => {
                line.push_str(", ");
                line.push_str(name);
            }
            Some(_) | None => lines.push(format!("{word} {name}")),
        }
    }
    lines.iter().map(|line| format!("    {line}\n")).collect()
}

fn neuron_block(writer: &Writer<'_>, about: &About) -> String {
    let m = &writer.m;
    let neuron = writer.to == Simulator::Neuron;
    let process = match (m.kind, neuron) {
        (Kind::Density | Kind::ReversalPotential, _) => "SUFFIX",
        (Kind::Point, _) | (Kind::Junction, true) => "POINT_PROCESS",
        (Kind::Junction, false) => "JUNCTION_PROCESS",
        (Kind::Voltage, _) => "VOLTAGE_PROCESS",
    };
    let mut lines = vec![format!("{process} {}", name_in(m, writer.to))];
    if neuron {
        lines.push("THREADSAFE".into());
        if m.graph.leaves(&all_roots(m)).contains(&Leaf::PeerVoltage) {
            lines.push("POINTER v_peer".into());
        }
    }
    for used in ions(m) {
        let list = |word: &str, of: &[IonQuantity]| {
            let names: Vec<String> = of.iter().map(|&q| quantity_name(&used.name, q)).collect();
            if names.is_empty() {
                String::new()
            } else {
                format!(" {word} {}", names.join(", "))
            }
        };
        lines.push(format!(
            "USEION {}{}{}{}",
            used.name,
            list("READ", &used.reads),
            list("WRITE", &used.writes),
            used.valence
        ));
    }
    if writer.currents.contains(&about.current) {
        lines.push(format!("NONSPECIFIC_CURRENT {}", about.current));
    }
    let mut ranges: Vec<String> = m.parameters.iter().map(|f| f.name.clone()).collect();
    if neuron {
        let assigned = (0..m.states.len()).filter(|&s| !is_state(writer, s));
        ranges.extend(assigned.map(|s| writer.state_name(s)));
    }
    let globals: Vec<String> = m.globals.iter().map(|f| f.name.clone()).collect();
    let mut out = String::from("\nNEURON {\n");
    for line in lines {
        let _ = writeln!(out, "    {line}");
    }
    for (word, names) in [("RANGE", ranges), ("GLOBAL", globals)] {
        out.push_str(&lists(word, &names));
    }
    out.push_str("}\n");
    out
}
