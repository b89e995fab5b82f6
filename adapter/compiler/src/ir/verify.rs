//! Rules that hold of every mechanism after every pass. A violation is a bug of ours, never of the user's.
//!
//! 1. Operands are numbered before the node that uses them.
//! 2. Arithmetic takes numbers; `Not`, `And`, `Or` and the condition of a `Select` take truth values.
//! 3. Kernels yield numbers and read only leaves that the mechanism declares; placeholders do not survive.
//! 4. A kernel sets each stored variable at most once, and every stored variable that is not only observed is set by
//!    INITIAL.
//! 5. INITIAL does not read `dt`.

use std::fmt;

use super::graph::{Binary, ExprId, Graph, Leaf, Node, Type, Unary};
use super::mechanism::{Mechanism, Storage, Updates};

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong, with the node or variable.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

fn check_graph(graph: &Graph, broken: &mut Vec<Violation>) {
    for id in graph.ids() {
        for operand in graph.operands(id) {
            if operand >= id {
                broken.push(Violation {
                    what: format!("node {} uses later node {}", id.index(), operand.index()),
                });
            }
        }
        let wrong = match graph.node(id) {
            Node::Const(_) | Node::Leaf(_) => false,
            Node::Unary(Unary::Not, a) => graph.type_of(a) != Type::Truth,
            Node::Unary(_, a) => graph.type_of(a) != Type::Number,
            Node::Binary(Binary::And | Binary::Or, a, b) => {
                graph.type_of(a) != Type::Truth || graph.type_of(b) != Type::Truth
            }
            Node::Binary(_, a, b) => graph.type_of(a) != Type::Number || graph.type_of(b) != Type::Number,
            Node::Select(c, a, b) => {
                graph.type_of(c) != Type::Truth || graph.type_of(a) != Type::Number || graph.type_of(b) != Type::Number
            }
        };
        if wrong {
            broken.push(Violation {
                what: format!("node {} mixes numbers and truth values", id.index()),
            });
        }
    }
}

/// Checks that `roots` are numbers over leaves that `m` declares.
pub(crate) fn check_roots(m: &Mechanism, kernel: &str, roots: &[ExprId], broken: &mut Vec<Violation>) {
    for &root in roots {
        if m.graph.type_of(root) != Type::Number {
            broken.push(Violation {
                what: format!("{kernel} yields a truth value"),
            });
        }
    }
    for leaf in m.graph.leaves(roots) {
        let declared = match leaf {
            Leaf::Voltage | Leaf::Celsius | Leaf::Diam | Leaf::Area => true,
            Leaf::Dt => kernel != "init",
            Leaf::Parameter(i) => (i as usize) < m.parameters.len(),
            Leaf::Global(i) => (i as usize) < m.globals.len(),
            Leaf::State(i) => (i as usize) < m.states.len(),
            Leaf::IonRead(i) => (i as usize) < m.ion_reads.len(),
            Leaf::Placeholder(_) => false,
        };
        if !declared {
            broken.push(Violation {
                what: format!("{kernel} reads {leaf:?}, which is not there"),
            });
        }
    }
}

fn check_updates(m: &Mechanism, kernel: &str, updates: &Updates, broken: &mut Vec<Violation>) {
    let mut set = vec![false; m.states.len()];
    for &(state, _) in updates {
        match set.get_mut(state) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => broken.push(Violation {
                what: format!("{kernel} sets {} twice", m.states[state].name),
            }),
            None => broken.push(Violation {
                what: format!("{kernel} sets unknown state {state}"),
            }),
        }
    }
}

/// All broken rules; empty for a sound mechanism.
pub fn verify(m: &Mechanism) -> Vec<Violation> {
    let mut broken = Vec::new();
    check_graph(&m.graph, &mut broken);
    let exprs = |u: &Updates| u.iter().map(|&(_, e)| e).collect::<Vec<_>>();
    check_roots(m, "init", &exprs(&m.init), &mut broken);
    check_roots(m, "advance", &exprs(&m.advance), &mut broken);
    check_roots(m, "currents", &m.roots(), &mut broken);
    for (kernel, updates) in [
        ("init", &m.init),
        ("currents", &m.currents.updates),
        ("advance", &m.advance),
    ] {
        check_updates(m, kernel, updates, &mut broken);
    }
    for (i, state) in m.states.iter().enumerate() {
        if state.storage != Storage::Observed && !m.init.iter().any(|&(s, _)| s == i) {
            broken.push(Violation {
                what: format!("nothing initialises {}", state.name),
            });
        }
    }
    broken
}
