//! Graph to C: the body of one loop over instances.
//!
//! Whatever depends on no instance (dt, globals) is hoisted before the loop; what depends on nothing else but the
//! temperature, which rarely differs within a cell, is kept apart. In the loop, shared or long expressions get a
//! temporary and the rest is written in place. The evaluation order is the graph's, so the text is deterministic and
//! every compiler rounds alike.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::ir::graph::{Binary, ExprId, Graph, Leaf, Node, Type, Unary};
use crate::ir::mechanism::Mechanism;
use crate::pass::economise::economise;

/// Longest expression that is written in place.
const INLINE_LIMIT: usize = 72;

/// C's binding strengths, as far as we use them.
mod strength {
    pub(super) const SELECT: u8 = 1;
    pub(super) const OR: u8 = 2;
    pub(super) const AND: u8 = 3;
    pub(super) const EQUALITY: u8 = 4;
    pub(super) const ORDER: u8 = 5;
    pub(super) const SUM: u8 = 6;
    pub(super) const PRODUCT: u8 = 7;
    pub(super) const PREFIX: u8 = 8;
    pub(super) const ATOM: u8 = 9;
}

/// A double as a C literal that reads back exactly.
pub(crate) fn literal(value: f64) -> String {
    if value.is_nan() {
        "NAN".into()
    } else if value.is_infinite() {
        if value > 0.0 {
            "HUGE_VAL".into()
        } else {
            "-HUGE_VAL".into()
        }
    } else {
        format!("{value:?}")
    }
}

/// How often an expression has to be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Varies {
    /// Once a step.
    Never,
    /// Where the temperature differs.
    WithTemperature,
    /// For every instance.
    Always,
}

/// The statements of a kernel: `hoisted` before the loop over blocks, `body` inside the loop over instances.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) hoisted: String,
    /// What depends on the temperature at most; needed before `body`.
    pub(super) climate: String,
    /// The names that `climate` defines and `body` uses.
    pub(super) climate_names: Vec<String>,
    pub(super) body: String,
    /// Outputs by expression: the C expression of each root, valid after `body` (or everywhere if uniform).
    pub(super) values: BTreeMap<ExprId, String>,
    /// Roots that do not vary over instances.
    pub(super) uniform: Vec<ExprId>,
    /// Inputs the kernel reads.
    pub(super) leaves: Vec<Leaf>,
    /// Whether `body` or a root reads the temperature itself.
    pub(super) reads_temperature: bool,
}

struct Writer<'a> {
    graph: &'a Graph,
    leaf_name: &'a dyn Fn(Leaf) -> String,
    uses: Vec<u32>,
    varies: Vec<Varies>,
    /// By node: whether it is a root or an operand of something that varies more.
    leaves_its_loop: Vec<bool>,
    /// How to write a node: text and binding strength.
    text: BTreeMap<ExprId, (String, u8)>,
    code: Code,
    temporaries: usize,
    hoisted: usize,
    climate: usize,
}

/// Writes the evaluation of `roots`, after [`economise`]; `values` are those that are no partials.
pub(super) fn write(m: &Mechanism, values: &[ExprId], roots: &[ExprId], leaf_name: &dyn Fn(Leaf) -> String) -> Code {
    let economised = economise(m, values, roots);
    let graph = &economised.graph;
    let images: Vec<ExprId> = roots.iter().map(|r| economised.image[r]).collect();
    let order = graph.reachable(&images);
    let mut uses = vec![0u32; graph.len()];
    let mut varies = vec![Varies::Never; graph.len()];
    let mut leaves_its_loop = vec![false; graph.len()];
    for &id in &order {
        let operands = graph.operands(id);
        varies[id.index()] = match graph.node(id) {
            Node::Const(_) | Node::Leaf(Leaf::Dt | Leaf::Global(_)) => Varies::Never,
            Node::Leaf(Leaf::Celsius) => Varies::WithTemperature,
            Node::Leaf(_) => Varies::Always,
            Node::Unary(..) | Node::Binary(..) | Node::Select(..) => operands
                .iter()
                .map(|o| varies[o.index()])
                .max()
                .unwrap_or(Varies::Never),
        };
        for operand in operands {
            uses[operand.index()] += 1;
            leaves_its_loop[operand.index()] |= varies[operand.index()] < varies[id.index()];
        }
    }
    for image in &images {
        uses[image.index()] += 1;
        leaves_its_loop[image.index()] = true;
    }
    let reads_temperature = order.iter().any(|&id| {
        let temperature = matches!(graph.node(id), Node::Leaf(Leaf::Celsius));
        temperature && leaves_its_loop[id.index()]
    });
    let mut writer = Writer {
        graph,
        leaf_name,
        uses,
        varies,
        leaves_its_loop,
        text: BTreeMap::new(),
        code: Code {
            leaves: graph.leaves(&images),
            reads_temperature,
            ..Code::default()
        },
        temporaries: 0,
        hoisted: 0,
        climate: 0,
    };
    for id in order {
        writer.node(id);
    }
    let mut code = writer.code;
    for (&root, &image) in roots.iter().zip(&images) {
        code.values.insert(root, writer.text[&image].0.clone());
        if writer.varies[image.index()] == Varies::Never {
            code.uniform.push(root);
        }
    }
    code
}

impl Writer<'_> {
    fn node(&mut self, id: ExprId) {
        let (text, binding) = self.expression(id);
        let varies = self.varies[id.index()];
        let trivial = matches!(self.graph.node(id), Node::Const(_) | Node::Leaf(_));
        let shared = self.uses[id.index()] > 1 || text.len() > INLINE_LIMIT;
        let wanted = match varies {
            Varies::Never => true,
            Varies::WithTemperature => shared || self.leaves_its_loop[id.index()],
            Varies::Always => shared,
        };
        if trivial || !wanted {
            self.text.insert(id, (text, binding));
            return;
        }
        let kind = if self.graph.type_of(id) == Type::Truth {
            "int"
        } else {
            "double"
        };
        let name = match varies {
            Varies::Never => {
                self.hoisted += 1;
                let name = format!("h{}", self.hoisted);
                let _ = writeln!(self.code.hoisted, "    const {kind} {name} = {text};");
                name
            }
            Varies::WithTemperature => {
                self.climate += 1;
                let name = format!("c{}", self.climate);
                let _ = writeln!(self.code.climate, "            const double {name} = {text};");
                if self.leaves_its_loop[id.index()] {
                    self.code.climate_names.push(name.clone());
                }
                if kind == "int" {
                    // kept as a number, which `&` does not take
                    self.text.insert(id, (format!("{name} != 0.0"), strength::EQUALITY));
                    return;
                }
                name
            }
            Varies::Always => {
                self.temporaries += 1;
                let name = format!("t{}", self.temporaries);
                let _ = writeln!(self.code.body, "            const {kind} {name} = {text};");
                name
            }
        };
        self.text.insert(id, (name, strength::ATOM));
    }

    /// An operand, in parentheses if it binds less tightly than `least`.
    fn operand(&self, id: ExprId, least: u8) -> String {
        let (text, binding) = &self.text[&id];
        if *binding < least {
            format!("({text})")
        } else {
            text.clone()
        }
    }

    fn expression(&self, id: ExprId) -> (String, u8) {
        match self.graph.node(id) {
            Node::Const(bits) => {
                let value = f64::from_bits(bits);
                (
                    literal(value),
                    if value.is_sign_negative() {
                        strength::PREFIX
                    } else {
                        strength::ATOM
                    },
                )
            }
            Node::Leaf(leaf) => ((self.leaf_name)(leaf), strength::ATOM),
            Node::Unary(Unary::Neg, a) => (format!("-{}", self.operand(a, strength::ATOM)), strength::PREFIX),
            Node::Unary(Unary::Not, a) => (format!("!{}", self.operand(a, strength::ATOM)), strength::PREFIX),
            Node::Unary(op, a) => (format!("{}({})", function(op), self.operand(a, 0)), strength::ATOM),
            Node::Binary(op, a, b) => self.infix(op, a, b),
            Node::Select(c, a, b) => {
                let text = format!(
                    "{} ? {} : {}",
                    self.operand(c, strength::OR),
                    self.operand(a, strength::OR),
                    self.operand(b, strength::OR)
                );
                (text, strength::SELECT)
            }
        }
    }

    fn call(&self, name: &str, a: ExprId, b: ExprId) -> (String, u8) {
        (
            format!("{name}({}, {})", self.operand(a, 0), self.operand(b, 0)),
            strength::ATOM,
        )
    }

    fn infix(&self, op: Binary, a: ExprId, b: ExprId) -> (String, u8) {
        let (symbol, own) = match op {
            Binary::Add => ("+", strength::SUM),
            Binary::Sub => ("-", strength::SUM),
            Binary::Mul => ("*", strength::PRODUCT),
            Binary::Div => ("/", strength::PRODUCT),
            Binary::Lt => ("<", strength::ORDER),
            Binary::Le => ("<=", strength::ORDER),
            Binary::Eq => ("==", strength::EQUALITY),
            Binary::Ne => ("!=", strength::EQUALITY),
            Binary::And => ("&", strength::AND),
            Binary::Or => ("|", strength::OR),
            Binary::Pow => return self.call("pow", a, b),
            Binary::Min => return self.call("gd_min", a, b),
            Binary::Max => return self.call("gd_max", a, b),
        };
        // truth values combine by bit, so that no branch is needed; parentheses keep C's odd precedence out of sight
        let least = if matches!(op, Binary::And | Binary::Or) {
            strength::ATOM
        } else {
            own
        };
        (
            format!(
                "{} {symbol} {}",
                self.operand(a, least),
                self.operand(b, least.saturating_add(1).min(9))
            ),
            own,
        )
    }
}

fn function(op: Unary) -> &'static str {
    match op {
        Unary::Exp => "gd_exp",
        Unary::Log => "gd_log",
        Unary::Exprelr => "gd_exprelr",
        Unary::DExprelr => "gd_dexprelr",
        Unary::Tanh => "gd_tanh",
        Unary::Neg
        | Unary::Sqrt
        | Unary::Sin
        | Unary::Cos
        | Unary::Asin
        | Unary::Acos
        | Unary::Atan
        | Unary::Abs
        | Unary::Floor
        | Unary::Ceil
        | Unary::Trunc
        | Unary::Not => crate::ir::print::unary_name(op),
    }
}
