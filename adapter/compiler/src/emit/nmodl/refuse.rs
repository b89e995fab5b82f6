//! What a simulator's NMODL has no words for: refused with its place and a way out.

use super::{Simulator, all_roots, declare};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::emit::Law;
use crate::ir::graph::{Graph, Leaf, Node, Unary};
use crate::ir::mechanism::{IonQuantity, Kind, Mechanism, Output};
use crate::pass::alone;
use crate::pass::clone_carrier::{BEFORE, COVER, LAST};
use crate::pass::differentiate::Tangent;
use crate::syntax::ast::{Ast, Ident};

/// Why the mechanism cannot be written for `to`; nothing if it can.
pub(crate) fn refusals(ast: &Ast, m: &Mechanism, to: Simulator) -> Vec<Diagnostic> {
    match to {
        Simulator::Arbor => for_arbor(ast, m),
        Simulator::Neuron => for_neuron(ast, m),
    }
}

pub(super) fn suffix(ast: &Ast) -> Span {
    ast.neuron.suffix.as_ref().map_or(ast.neuron.span, |s| s.span)
}

pub(super) fn refused(span: Span, what: String, note: &str, help: &str) -> Diagnostic {
    Diagnostic::error(Code::Unsupported, span, what).note(note).help(help)
}

fn for_neuron(ast: &Ast, m: &Mechanism) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    if let Some(noise) = ast.white_noise.first() {
        out.push(refused(
            noise.span,
            format!("NEURON has no WHITE_NOISE: `{}` cannot be written for it", noise.name),
            "its random numbers come from a Random object or RANDOM variables, with streams of their own",
            "run the mechanism in Arbor or in graddiff's host, or play a recorded noise into a PARAMETER",
        ));
    }
    if m.kind == Kind::Voltage {
        out.push(refused(
            suffix(ast),
            "NEURON has no VOLTAGE_PROCESS".into(),
            "its mechanisms cannot set the voltage",
            "clamp with SEClamp and a small series resistance",
        ));
    }
    if let Some(post) = &ast.post_event {
        out.push(refused(
            post.name.span,
            "NEURON has no POST_EVENT".into(),
            "its mechanisms are not told of their own cell's spikes",
            "let a NetCon from the cell's own voltage deliver them to NET_RECEIVE",
        ));
    }
    let charge = |r: &&crate::ir::mechanism::IonRead| r.quantity == IonQuantity::Charge;
    if m.ion_reads.iter().any(|r| charge(&r)) {
        let named: Option<&Ident> = ast.neuron.ions.iter().find_map(|i| i.valence_name.as_ref());
        out.push(refused(
            named.map_or(suffix(ast), |i| i.span),
            "NEURON knows no VALENCE by name: the charge of an ion cannot be read".into(),
            "nrnivmodl takes a number there",
            "make the charge a PARAMETER; Nernst potentials NEURON computes itself (ion_style)",
        ));
    }
    if let Some(ident) = diffusive(ast, m) {
        out.push(refused(
            ident.span,
            format!("NEURON has no diffusive concentration `{}`", ident.name),
            "its concentrations diffuse by LONGITUDINAL_DIFFUSION in a KINETIC block of the mechanism that holds them",
            "run the mechanism in Arbor or in graddiff's host",
        ));
    }
    out
}

/// The name in USEION of a diffusive concentration.
fn diffusive<'a>(ast: &'a Ast, m: &Mechanism) -> Option<&'a Ident> {
    let used = m.ion_reads.iter().any(|r| r.quantity == IonQuantity::Diffusive);
    let of = |i: &'a crate::syntax::ast::UseIon| {
        let name = format!("{}d", i.ion.name);
        i.read.iter().chain(&i.write).find(move |ident| ident.name == name)
    };
    ast.neuron.ions.iter().find_map(of).filter(|_| used)
}

fn for_arbor(ast: &Ast, m: &Mechanism) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    if let Some(name) = unknown_function(&m.graph, m) {
        out.push(refused(
            suffix(ast),
            format!("`{name}` is used here, a function that Arbor's compiler does not know"),
            "modcc has exp, log, sin, cos, sqrt, tanh, fabs, min and max",
            "write it by one of these, or let Arbor load the catalogue that `graddiff build` makes",
        ));
    }
    for concentration in &m.concentrations {
        let value = m.init.get(Output::State(concentration.state));
        let reads_itself = value.is_some_and(|value| {
            m.graph.leaves(&[value]).iter().any(|leaf| match *leaf {
                Leaf::IonRead(r) => {
                    let read = m.ion_reads[r as usize];
                    read.ion == concentration.ion && read.quantity == concentration.quantity
                }
                Leaf::Voltage
                | Leaf::PeerVoltage
                | Leaf::Dt
                | Leaf::Celsius
                | Leaf::Diam
                | Leaf::Area
                | Leaf::Parameter(_)
                | Leaf::Global(_)
                | Leaf::State(_)
                | Leaf::Noise(_)
                | Leaf::EventWeight
                | Leaf::SinceSpike
                | Leaf::Placeholder(_) => false,
            }) || declare::starts_from_ion(m, concentration.state, value)
        });
        if reads_itself {
            let ion = ast.neuron.ions.get(concentration.ion);
            out.push(refused(
                ion.map_or(suffix(ast), |i| i.ion.span),
                format!(
                    "`{}` starts from the ion's own concentration, which Arbor's compiler does not give to its writers",
                    m.states[concentration.state].name
                ),
                "in its code the STATE hides the ion's variable of the same name and starts as no number",
                "set it in INITIAL from a PARAMETER",
            ));
        }
    }
    out
}

/// A function that modcc lacks.
fn unknown_function(g: &Graph, m: &Mechanism) -> Option<&'static str> {
    g.reachable(&all_roots(m)).into_iter().find_map(|id| match g.node(id) {
        Node::Unary(op @ (Unary::Asin | Unary::Acos | Unary::Atan | Unary::Floor | Unary::Ceil | Unary::Trunc), _) => {
            Some(crate::ir::print::unary_name(op))
        }
        Node::Unary(..) | Node::Const(_) | Node::Leaf(_) | Node::Binary(..) | Node::Select(..) => None,
    })
}

/// Why the mechanism has no clone in `to`; nothing if it has one.
pub(crate) fn clone_refusals(ast: &Ast, m: &Mechanism, to: Simulator) -> Vec<Diagnostic> {
    let way = "`graddiff build --wrt` carries it exactly, in Arbor and in graddiff's host";
    let mut out = Vec::new();
    let mut refuse = |span: Span, what: &str, note: &str| out.push(refused(span, what.to_owned(), note, way));
    match m.kind {
        Kind::Density => {}
        Kind::Point if to == Simulator::Neuron => {}
        Kind::Point => refuse(
            suffix(ast),
            "a point process has no clone in Arbor",
            "its clone would have to be a junction, and junctions receive no events",
        ),
        Kind::ReversalPotential => refuse(
            suffix(ast),
            "a mechanism that computes reversal potentials has no clone",
            "clones take reversal potentials for constants",
        ),
        Kind::Junction => refuse(
            suffix(ast),
            "a junction has no clone",
            "its clone would have to read the clones of both cells",
        ),
        Kind::Voltage => refuse(
            suffix(ast),
            "a voltage process has no clone",
            "it sets the voltage, after which the clone's has to be set too",
        ),
    }
    if let Some(noise) = ast.white_noise.first() {
        refuse(
            noise.span,
            "a mechanism with WHITE_NOISE has no clone",
            "the clone would draw other numbers than the original",
        );
    }
    if let Some(post) = &ast.post_event {
        refuse(
            post.name.span,
            "a mechanism with POST_EVENT has no clone",
            "the clone's cable does not spike",
        );
    }
    for name in names(m).filter(|name| is_generated(m, name)) {
        refuse(
            suffix(ast),
            &format!("`{name}` is a name that the clone gives to something of its own"),
            "it declares d_STATE, seed_PARAMETER, v_before, v_last and cover",
        );
    }
    for used in &ast.neuron.ions {
        let reversal = format!("e{}", used.ion.name);
        if let Some(moving) = used.read.iter().find(|ident| ident.name != reversal) {
            refuse(
                moving.span,
                &format!(
                    "`{}` may move with a parameter, and its derivative has no way to the clone",
                    moving.name
                ),
                "clones take what they read of ions for constant, which only reversal potentials are taken to be",
            );
        }
        if let Some(written) = used
            .write
            .iter()
            .find(|ident| ident.name != format!("i{}", used.ion.name))
        {
            refuse(
                written.span,
                &format!(
                    "`{}` is written, and its derivative has no way to other clones",
                    written.name
                ),
                "clones tell each other voltages, nothing else",
            );
        }
    }
    out
}

/// Why the mechanism cannot control its own cell in a simulator's NMODL; nothing if it can.
pub(crate) fn alone_refusals(ast: &Ast, t: &Tangent, law: &Law) -> Vec<Diagnostic> {
    let way = "`graddiff build --objective` carries it, in Arbor and in graddiff's host";
    let mut out = Vec::new();
    if let Some(why) = alone::objection(t) {
        let what = format!("a law in NMODL is refused to a mechanism with {why}");
        let note = "in NMODL the law knows what stands in its mechanism, which steps states by assignment";
        out.push(refused(suffix(ast), what, note, way));
    }
    let own = law.slots.iter().flat_map(|slot| {
        let (painted, states) = alone::names_of(slot);
        painted.into_iter().chain(states)
    });
    let common = alone::COMMON.map(str::to_owned);
    for name in own.chain(common).filter(|name| declares(&t.mechanism, name)) {
        let what = format!("`{name}` is a name that the law gives to something of its own");
        let note = "it declares start_, gain_, scale_, max_rate_, min_, max_, theta_, u_ of each slot, c_m, forgetting, \
                    clip, begin, waiting and v_last";
        out.push(refused(suffix(ast), what, note, "rename it in the source"));
    }
    out
}

fn names(m: &Mechanism) -> impl Iterator<Item = &str> {
    let fields = m.parameters.iter().chain(&m.globals).map(|f| f.name.as_str());
    fields.chain(m.states.iter().map(|s| s.name.as_str()))
}

fn is_generated(m: &Mechanism, name: &str) -> bool {
    let of = |prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| names(m).any(|own| own == rest))
    };
    [BEFORE, LAST, COVER].contains(&name) || of("d_") || of("seed_")
}

/// Whether the mechanism has a variable of this name.
pub(super) fn declares(m: &Mechanism, name: &str) -> bool {
    names(m).any(|own| own == name)
}
