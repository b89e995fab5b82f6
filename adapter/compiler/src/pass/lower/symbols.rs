//! What each name of a file means.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::mechanism::{Field, IonQuantity, IonRead, IonUse};
use crate::syntax::ast::{Ast, Callable, Ident, ParameterDecl};

/// Meaning of a name at file scope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Symbol {
    /// `v`
    Voltage,
    /// `dt`
    Dt,
    /// `celsius`
    Celsius,
    /// `diam`
    Diam,
    /// `area`
    Area,
    /// `t`, which density mechanisms cannot see in Arbor.
    Time,
    /// A number known now (CONSTANT, UNITS).
    Constant(f64),
    /// Per-instance parameter.
    Parameter(u32),
    /// Scalar parameter.
    Global(u32),
    /// STATE or ASSIGNED, by position in [`Symbols::variables`].
    Variable(usize),
    /// Ion quantity read.
    IonRead(u32),
    /// A current written: position in [`Symbols::currents`].
    Current(usize),
}

/// A STATE or ASSIGNED variable.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) span: Span,
    pub(super) is_state: bool,
    /// In RANGE (or a STATE): users expect to be able to record it.
    pub(super) is_range: bool,
}

/// A current the mechanism writes.
#[derive(Debug, Clone)]
pub(super) struct CurrentVar {
    pub(super) name: String,
    /// Position in [`Symbols::ions`], or none for NONSPECIFIC_CURRENT.
    pub(super) ion: Option<usize>,
    pub(super) span: Span,
}

/// All names of a file.
#[derive(Debug, Default)]
pub(super) struct Symbols<'a> {
    pub(super) by_name: BTreeMap<String, Symbol>,
    pub(super) parameters: Vec<Field>,
    pub(super) globals: Vec<Field>,
    pub(super) variables: Vec<Variable>,
    pub(super) ions: Vec<IonUse>,
    pub(super) ion_reads: Vec<IonRead>,
    pub(super) currents: Vec<CurrentVar>,
    pub(super) procedures: BTreeMap<String, &'a Callable>,
    pub(super) functions: BTreeMap<String, &'a Callable>,
    pub(super) derivatives: BTreeMap<String, &'a Callable>,
}

const BUILTINS: [(&str, Symbol); 6] = [
    ("v", Symbol::Voltage),
    ("dt", Symbol::Dt),
    ("celsius", Symbol::Celsius),
    ("diam", Symbol::Diam),
    ("area", Symbol::Area),
    ("t", Symbol::Time),
];

impl<'a> Symbols<'a> {
    /// Collects the declarations of `ast`. `ranged` names parameters that become per-instance whether or not the file
    /// says RANGE: a slot's region is a painting.
    pub(super) fn collect(ast: &'a Ast, ranged: &[String], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut s = Symbols::default();
        for (name, symbol) in BUILTINS {
            s.by_name.insert(name.into(), symbol);
        }
        s.collect_ions(ast, diagnostics);
        s.collect_constants(ast, diagnostics);
        let range: Vec<&str> = ast.neuron.range.iter().map(|i| i.name.as_str()).collect();
        for decl in &ast.parameters {
            s.collect_parameter(decl, &range, ranged, diagnostics);
        }
        for (decls, is_state) in [(&ast.states, true), (&ast.assigned, false)] {
            for decl in decls {
                s.collect_variable(&decl.name, &decl.unit, is_state, &range, diagnostics);
            }
        }
        s.collect_callables(ast, diagnostics);
        for ident in ast.neuron.range.iter().chain(&ast.neuron.global) {
            if !s.by_name.contains_key(&ident.name) {
                diagnostics.push(
                    Diagnostic::error(
                        Code::UnknownName,
                        ident.span,
                        format!("`{}` is not declared", ident.name),
                    )
                    .note("RANGE and GLOBAL list names that PARAMETER, ASSIGNED or STATE declare"),
                );
            }
        }
        s
    }

    fn define(&mut self, ident: &Ident, symbol: Symbol, diagnostics: &mut Vec<Diagnostic>) {
        if ident.name.contains("__") {
            diagnostics.push(Diagnostic::error(
                Code::ReservedName,
                ident.span,
                format!(
                    "`{}` contains a double underscore, which generated names reserve",
                    ident.name
                ),
            ));
        }
        if self.by_name.insert(ident.name.clone(), symbol).is_some() {
            diagnostics.push(Diagnostic::error(
                Code::DuplicateDefinition,
                ident.span,
                format!("`{}` is declared twice", ident.name),
            ));
        }
    }

    fn collect_ions(&mut self, ast: &Ast, diagnostics: &mut Vec<Diagnostic>) {
        for used in &ast.neuron.ions {
            let name = &used.ion.name;
            if self.ions.iter().any(|i| i.name == *name) {
                diagnostics.push(Diagnostic::error(
                    Code::DuplicateDefinition,
                    used.ion.span,
                    format!("USEION {name} stands twice"),
                ));
                continue;
            }
            let ion = self.ions.len();
            self.ions.push(IonUse {
                name: name.clone(),
                valence: used.valence,
            });
            let (current, rev, int, ext) = (
                format!("i{name}"),
                format!("e{name}"),
                format!("{name}i"),
                format!("{name}o"),
            );
            let unknown = |ident: &Ident| {
                Diagnostic::error(
                    Code::UnknownIonVariable,
                    ident.span,
                    format!("`{}` is not a quantity of ion {name}", ident.name),
                )
            };
            for ident in &used.write {
                if ident.name == current {
                    self.currents.push(CurrentVar {
                        name: current.clone(),
                        ion: Some(ion),
                        span: ident.span,
                    });
                    self.by_name
                        .insert(current.clone(), Symbol::Current(self.currents.len() - 1));
                } else if [&rev, &int, &ext].contains(&&ident.name) || ident.name == format!("{name}d") {
                    diagnostics.push(
                        Diagnostic::error(
                            Code::Unsupported,
                            ident.span,
                            format!("writing `{}` is not supported yet", ident.name),
                        )
                        .note("mechanisms that set concentrations or reversal potentials come with the next version"),
                    );
                } else {
                    diagnostics.push(unknown(ident));
                }
            }
            for ident in &used.read {
                let quantity = if ident.name == rev {
                    IonQuantity::ReversalPotential
                } else if ident.name == int {
                    IonQuantity::Internal
                } else if ident.name == ext {
                    IonQuantity::External
                } else if ident.name == current || ident.name == format!("{name}d") {
                    if !used.write.iter().any(|w| w.name == current) {
                        diagnostics.push(Diagnostic::error(
                            Code::Unsupported,
                            ident.span,
                            format!("reading `{}` is not supported yet", ident.name),
                        ));
                    }
                    continue;
                } else {
                    diagnostics.push(unknown(ident));
                    continue;
                };
                self.ion_reads.push(IonRead { ion, quantity });
                let index = u32::try_from(self.ion_reads.len() - 1).unwrap_or(u32::MAX);
                self.by_name.insert(ident.name.clone(), Symbol::IonRead(index));
            }
        }
        for ident in &ast.neuron.nonspecific {
            self.currents.push(CurrentVar {
                name: ident.name.clone(),
                ion: None,
                span: ident.span,
            });
            let symbol = Symbol::Current(self.currents.len() - 1);
            self.define(ident, symbol, diagnostics);
        }
    }

    fn collect_constants(&mut self, ast: &Ast, diagnostics: &mut Vec<Diagnostic>) {
        for unit in ast.units.iter().filter(|u| !u.is_unit) {
            match unit.value {
                Some(value) => self.define(&unit.name, Symbol::Constant(value), diagnostics),
                None => diagnostics.push(Diagnostic::error(
                    Code::Unsupported,
                    unit.name.span,
                    format!(
                        "the value of the unit constant `{}` = ({}) is not known",
                        unit.name.name, unit.unit
                    ),
                )),
            }
        }
        for decl in &ast.constants {
            match decl.value {
                Some(value) => self.define(&decl.name, Symbol::Constant(value), diagnostics),
                None => diagnostics.push(Diagnostic::error(
                    Code::UnexpectedToken,
                    decl.span,
                    format!("CONSTANT `{}` has no value", decl.name.name),
                )),
            }
        }
    }

    /// True where a declaration only repeats something the host supplies (`v`, `celsius`, `ena`, `ina`).
    fn is_supplied(&self, name: &str) -> bool {
        matches!(
            self.by_name.get(name),
            Some(
                Symbol::Voltage
                    | Symbol::Dt
                    | Symbol::Celsius
                    | Symbol::Diam
                    | Symbol::Area
                    | Symbol::Time
                    | Symbol::IonRead(_)
                    | Symbol::Current(_)
            )
        )
    }

    fn collect_parameter(
        &mut self,
        decl: &ParameterDecl,
        range: &[&str],
        ranged: &[String],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        if self.is_supplied(&decl.name.name) {
            return;
        }
        let field = Field {
            name: decl.name.name.clone(),
            unit: decl.unit.clone(),
            default: decl.value.unwrap_or(f64::NAN),
            limits: decl.limits.unwrap_or((f64::MIN, f64::MAX)),
        };
        let per_instance = range.contains(&field.name.as_str()) || ranged.contains(&field.name);
        let table = if per_instance {
            &mut self.parameters
        } else {
            &mut self.globals
        };
        let index = u32::try_from(table.len()).unwrap_or(u32::MAX);
        table.push(field);
        let symbol = if per_instance {
            Symbol::Parameter(index)
        } else {
            Symbol::Global(index)
        };
        self.define(&decl.name, symbol, diagnostics);
    }

    fn collect_variable(
        &mut self,
        ident: &Ident,
        unit: &str,
        is_state: bool,
        range: &[&str],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        if !is_state && self.is_supplied(&ident.name) {
            return;
        }
        self.variables.push(Variable {
            name: ident.name.clone(),
            unit: unit.into(),
            span: ident.span,
            is_state,
            is_range: is_state || range.contains(&ident.name.as_str()),
        });
        let symbol = Symbol::Variable(self.variables.len() - 1);
        self.define(ident, symbol, diagnostics);
    }

    fn collect_callables(&mut self, ast: &'a Ast, diagnostics: &mut Vec<Diagnostic>) {
        let mut seen: Vec<&str> = Vec::new();
        let tables = [
            (&ast.procedures, &mut self.procedures),
            (&ast.functions, &mut self.functions),
            (&ast.derivatives, &mut self.derivatives),
        ];
        for (callables, table) in tables {
            for callable in callables {
                if seen.contains(&callable.name.name.as_str()) {
                    diagnostics.push(Diagnostic::error(
                        Code::DuplicateDefinition,
                        callable.name.span,
                        format!("`{}` is defined twice", callable.name.name),
                    ));
                    continue;
                }
                seen.push(&callable.name.name);
                table.insert(callable.name.name.clone(), callable);
            }
        }
    }
}
