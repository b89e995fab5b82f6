//! Expressions as text, for goldens, JSON and messages about bugs.

use std::collections::BTreeMap;

use super::graph::{Binary, ExprId, Graph, Leaf, Node, Unary};
use super::mechanism::{IonQuantity, Mechanism};

/// The source's name of an input.
pub fn leaf_name(m: &Mechanism, leaf: Leaf) -> String {
    match leaf {
        Leaf::Voltage => "v".into(),
        Leaf::PeerVoltage => "v_peer".into(),
        Leaf::Dt => "dt".into(),
        Leaf::Celsius => "celsius".into(),
        Leaf::Diam => "diam".into(),
        Leaf::Area => "area".into(),
        Leaf::Parameter(i) => m.parameters[i as usize].name.clone(),
        Leaf::Global(i) => m.globals[i as usize].name.clone(),
        Leaf::State(i) => m.states[i as usize].name.clone(),
        Leaf::IonRead(i) => {
            let read = m.ion_reads[i as usize];
            let ion = &m.ions[read.ion].name;
            match read.quantity {
                IonQuantity::ReversalPotential => format!("e{ion}"),
                IonQuantity::Internal => format!("{ion}i"),
                IonQuantity::External => format!("{ion}o"),
                IonQuantity::Diffusive => format!("{ion}d"),
                IonQuantity::Current => format!("i{ion}"),
                IonQuantity::Charge => format!("z{ion}"),
            }
        }
        Leaf::Noise(i) => m.noise[i as usize].clone(),
        Leaf::EventWeight => "event_weight".into(),
        Leaf::SinceSpike => "since_spike".into(),
        Leaf::Placeholder(i) => format!("?{i}"),
    }
}

/// Lower-case name of a unary function.
pub fn unary_name(op: Unary) -> &'static str {
    match op {
        Unary::Neg => "-",
        Unary::Exp => "exp",
        Unary::Log => "log",
        Unary::Sqrt => "sqrt",
        Unary::Sin => "sin",
        Unary::Cos => "cos",
        Unary::Asin => "asin",
        Unary::Acos => "acos",
        Unary::Atan => "atan",
        Unary::Tanh => "tanh",
        Unary::Abs => "fabs",
        Unary::Floor => "floor",
        Unary::Ceil => "ceil",
        Unary::Trunc => "trunc",
        Unary::Exprelr => "exprelr",
        Unary::DExprelr => "dexprelr",
        Unary::Not => "!",
    }
}

/// Infix symbol or name of a binary operation, and whether it is infix.
pub fn binary_name(op: Binary) -> (&'static str, bool) {
    match op {
        Binary::Add => ("+", true),
        Binary::Sub => ("-", true),
        Binary::Mul => ("*", true),
        Binary::Div => ("/", true),
        Binary::Pow => ("pow", false),
        Binary::Min => ("min", false),
        Binary::Max => ("max", false),
        Binary::Lt => ("<", true),
        Binary::Le => ("<=", true),
        Binary::Eq => ("==", true),
        Binary::Ne => ("!=", true),
        Binary::And => ("&&", true),
        Binary::Or => ("||", true),
    }
}

/// Expressions as straight-line text: whatever is used twice, or grows long, gets a name `%n`.
#[derive(Debug, Default)]
pub struct Listing {
    /// (name, text) in order of evaluation.
    pub definitions: Vec<(String, String)>,
    /// The text of each root.
    pub roots: Vec<String>,
}

/// Longest text that is not given a name.
const LISTING_WIDTH: usize = 60;

/// Lists `roots` and all they need.
pub fn listing(m: &Mechanism, roots: &[ExprId]) -> Listing {
    let g: &Graph = &m.graph;
    let order = g.reachable(roots);
    let mut uses: BTreeMap<ExprId, usize> = BTreeMap::new();
    for operand in order.iter().flat_map(|&id| g.operands(id)) {
        *uses.entry(operand).or_default() += 1;
    }
    let mut text: BTreeMap<ExprId, String> = BTreeMap::new();
    let mut out = Listing::default();
    for id in order {
        let of = |e: ExprId| text[&e].clone();
        let (own, atom) = match g.node(id) {
            Node::Const(bits) => (format!("{:?}", f64::from_bits(bits)), true),
            Node::Leaf(leaf) => (leaf_name(m, leaf), true),
            Node::Unary(op, a) => (format!("{}({})", unary_name(op), of(a)), false),
            Node::Binary(op, a, b) => match binary_name(op) {
                (name, true) => (format!("({} {name} {})", of(a), of(b)), false),
                (name, false) => (format!("{name}({}, {})", of(a), of(b)), false),
            },
            Node::Select(c, a, b) => (format!("({} ? {} : {})", of(c), of(a), of(b)), false),
        };
        let shared = uses.get(&id).copied().unwrap_or(0) > 1;
        if !atom && (shared || own.len() > LISTING_WIDTH) {
            let name = format!("%{}", out.definitions.len());
            out.definitions.push((name.clone(), own));
            text.insert(id, name);
        } else {
            text.insert(id, own);
        }
    }
    out.roots = roots.iter().map(|r| text[r].clone()).collect();
    out
}
