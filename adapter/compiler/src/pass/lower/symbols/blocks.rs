//! What the blocks of a file say of it as a whole: its kind, its connections, what can be called and solved.

use super::{Role, Solvable, Symbol, Symbols, Variable};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::mechanism::Kind;
use crate::syntax::ast::{Ast, Callable, Ident, Process};

/// The parameter that scales the weights of events, where a slot asks for it.
pub(crate) const WEIGHT_FACTOR: &str = "weight";

impl<'a> Symbols<'a> {
    /// Values of a connection other than its weight. Arbor's interface knows no connections, so there is one set per
    /// instance: exact where each point process has one connection.
    pub(super) fn collect_connection(&mut self, ast: &Ast, diagnostics: &mut Vec<Diagnostic>) {
        let Some(receive) = &ast.net_receive else { return };
        for ident in receive.params.iter().skip(1) {
            let at = self.variables.len();
            self.variables.push(Variable {
                name: ident.name.clone(),
                unit: String::new(),
                span: ident.span,
                role: Role::Static,
                is_state: false,
                is_range: false,
            });
            self.define(ident, Symbol::Variable(at), diagnostics);
            diagnostics.push(
                Diagnostic::warning(
                    Code::PerInstance,
                    ident.span,
                    format!("`{}` belongs to the point process, not to the connection", ident.name),
                )
                .note("events carry a weight and nothing else; NEURON keeps this value for each connection"),
            );
        }
    }

    pub(super) fn collect_callables(&mut self, ast: &'a Ast, diagnostics: &mut Vec<Diagnostic>) {
        let mut seen: Vec<&str> = Vec::new();
        let mut fresh = |callable: &'a Callable, diagnostics: &mut Vec<Diagnostic>| {
            let known = seen.contains(&callable.name.name.as_str());
            if known {
                diagnostics.push(Diagnostic::error(
                    Code::DuplicateDefinition,
                    callable.name.span,
                    format!("`{}` is defined twice", callable.name.name),
                ));
            }
            seen.push(&callable.name.name);
            !known
        };
        for (callables, table) in [
            (&ast.procedures, &mut self.procedures),
            (&ast.functions, &mut self.functions),
        ] {
            for callable in callables {
                if fresh(callable, diagnostics) {
                    table.insert(callable.name.name.clone(), callable);
                }
            }
        }
        for (solvable, callables) in [
            (Solvable::Derivative, &ast.derivatives),
            (Solvable::Kinetic, &ast.kinetics),
            (Solvable::Linear, &ast.linears),
            (Solvable::Nonlinear, &ast.nonlinears),
        ] {
            for callable in callables {
                if fresh(callable, diagnostics) {
                    self.solvables.insert(callable.name.name.clone(), (solvable, callable));
                }
            }
        }
    }
}

/// True if events bring a weight that a slot may scale.
pub(crate) fn has_weight(ast: &Ast) -> bool {
    ast.neuron.process == Process::Point
        && ast.net_receive.as_ref().is_some_and(|r| !r.params.is_empty())
        && !ast.parameters.iter().any(|p| p.name.name == WEIGHT_FACTOR)
}

/// True if the file writes a reversal potential.
fn writes_reversal(ast: &Ast) -> bool {
    let mut ions = ast.neuron.ions.iter();
    ions.any(|u| u.write.iter().any(|w| w.name == format!("e{}", u.ion.name)))
}

/// What the mechanism is.
pub(super) fn kind(ast: &Ast, diagnostics: &mut Vec<Diagnostic>) -> Kind {
    let span = ast.neuron.suffix.as_ref().map_or(ast.neuron.span, |s| s.span);
    let kind = match ast.neuron.process {
        Process::Density => {
            let only_reversal = ast
                .neuron
                .ions
                .iter()
                .all(|u| u.write.iter().all(|w| w.name == format!("e{}", u.ion.name)));
            let currents = !ast.neuron.nonspecific.is_empty() || !ast.neuron.electrode.is_empty();
            if writes_reversal(ast) && only_reversal && !currents && ast.states.is_empty() {
                Kind::ReversalPotential
            } else {
                Kind::Density
            }
        }
        Process::Point => Kind::Point,
        Process::Junction => Kind::Junction,
        Process::Voltage => Kind::Voltage,
        Process::ArtificialCell => {
            diagnostics.push(
                Diagnostic::error(Code::Unsupported, span, "artificial cells have no membrane to simulate")
                    .note("graddiff compiles what acts on a cable; a source of events is the host's business")
                    .help("describe its events as a generator of the experiment (regular, Poisson or explicit times)"),
            );
            Kind::Point
        }
    };
    if let (Some(receive), false) = (&ast.net_receive, kind == Kind::Point) {
        let keyword = Span::new(receive.span.start, receive.span.start + "NET_RECEIVE".len());
        diagnostics.push(
            Diagnostic::error(Code::Unsupported, keyword, "only point processes receive events")
                .help("make it a POINT_PROCESS"),
        );
    }
    kind
}

/// Refuses a reversal potential among other things written.
pub(super) fn writes_more(ident: &Ident, ast: &Ast) -> Diagnostic {
    let what = if ast.neuron.process == Process::Density {
        "a mechanism that sets a reversal potential may write nothing else and have no STATE"
    } else {
        "only a mechanism with SUFFIX may set a reversal potential"
    };
    Diagnostic::error(
        Code::Unsupported,
        ident.span,
        format!("`{}` is written here", ident.name),
    )
    .note(what)
    .help("move the reversal potential to a mechanism of its own")
}
