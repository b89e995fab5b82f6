//! Rules that hold of every mechanism after every pass. A violation is a bug of ours, never of the user's.
//!
//! 1. Operands are numbered before the node that uses them.
//! 2. Arithmetic takes numbers; `Not`, `And`, `Or` and the condition of a `Select` take truth values.
//! 3. Kernels yield numbers and read only leaves that the mechanism declares; placeholders do not survive.
//! 4. A kernel gives each result at most once, and every stored variable that is not only observed is set by
//!    INITIAL.
//! 5. Step length, noise, events and spikes are read only by the hooks that know them, and each result belongs to its
//!    hook.

use std::fmt;

use super::graph::{Binary, ExprId, Graph, Leaf, Node, Type, Unary};
use super::mechanism::{Hook, Kernel, Kind, Mechanism, Output, Storage};

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

/// Checks that `roots` are numbers over leaves that `m` declares and `hook` may read.
pub(crate) fn check_roots(m: &Mechanism, hook: Hook, roots: &[ExprId], broken: &mut Vec<Violation>) {
    for &root in roots {
        if m.graph.type_of(root) != Type::Number {
            broken.push(Violation {
                what: format!("{} yields a truth value", hook.name()),
            });
        }
    }
    for leaf in m.graph.leaves(roots) {
        let declared = match leaf {
            Leaf::Voltage | Leaf::Celsius | Leaf::Diam | Leaf::Area => true,
            Leaf::PeerVoltage => m.kind == Kind::Junction,
            Leaf::Dt => matches!(hook, Hook::Currents | Hook::Advance),
            Leaf::Parameter(i) => (i as usize) < m.parameters.len(),
            Leaf::Global(i) => (i as usize) < m.globals.len(),
            Leaf::State(i) => (i as usize) < m.states.len(),
            Leaf::IonRead(i) => (i as usize) < m.ion_reads.len(),
            Leaf::Noise(i) => hook == Hook::Advance && (i as usize) < m.noise.len(),
            Leaf::EventWeight => hook == Hook::NetReceive,
            Leaf::SinceSpike => hook == Hook::PostEvent,
            Leaf::Placeholder(_) => false,
        };
        if !declared {
            broken.push(Violation {
                what: format!("{} reads {leaf:?}, which is not there", hook.name()),
            });
        }
    }
}

fn check_outputs(m: &Mechanism, hook: Hook, kernel: &Kernel, broken: &mut Vec<Violation>) {
    for (at, &(output, _)) in kernel.outputs.iter().enumerate() {
        let fits = match output {
            Output::State(s) => s < m.states.len(),
            Output::Current | Output::Conductance => hook == Hook::Currents,
            Output::IonCurrent(i) | Output::Reversal(i) => hook == Hook::Currents && i < m.ions.len(),
            Output::Diffusive(i) => i < m.ions.len(),
            Output::Voltage => hook == Hook::Currents && m.kind == Kind::Voltage,
        };
        if !fits {
            broken.push(Violation {
                what: format!("{} yields {output:?}", hook.name()),
            });
        }
        if kernel.outputs[..at].iter().any(|&(o, _)| o == output) {
            broken.push(Violation {
                what: format!("{} yields {output:?} twice", hook.name()),
            });
        }
    }
}

/// All broken rules; empty for a sound mechanism.
pub fn verify(m: &Mechanism) -> Vec<Violation> {
    let mut broken = Vec::new();
    check_graph(&m.graph, &mut broken);
    for hook in Hook::ALL {
        check_roots(m, hook, &m.kernel(hook).roots(), &mut broken);
        check_outputs(m, hook, m.kernel(hook), &mut broken);
    }
    for (i, state) in m.states.iter().enumerate() {
        if state.storage != Storage::Observed && m.init.get(Output::State(i)).is_none() {
            broken.push(Violation {
                what: format!("nothing initialises {}", state.name),
            });
        }
    }
    broken
}
