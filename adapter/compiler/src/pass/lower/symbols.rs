//! What each name of a file means.

mod blocks;

use std::collections::BTreeMap;

pub(crate) use blocks::{WEIGHT_FACTOR, has_weight};
use blocks::{kind, writes_more};

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::ir::graph::Leaf;
use crate::ir::mechanism::{Field, IonQuantity, IonRead, IonUse, Kind};
use crate::syntax::ast::{Ast, Callable, Ident, ParameterDecl, UseIon, VariableDecl};

/// Meaning of a name at file scope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Symbol {
    /// `v`
    Voltage,
    /// `v_peer`
    PeerVoltage,
    /// `dt`
    Dt,
    /// `celsius`
    Celsius,
    /// `diam`
    Diam,
    /// `area`
    Area,
    /// A number known now (CONSTANT, UNITS).
    Constant(f64),
    /// Per-instance parameter.
    Parameter(u32),
    /// Scalar parameter.
    Global(u32),
    /// By position in [`Symbols::variables`].
    Variable(usize),
    /// `len` variables from `first` on.
    Array { first: usize, len: usize },
    /// Ion quantity read.
    IonRead(u32),
    /// A current written: position in [`Symbols::currents`].
    Current(usize),
    /// WHITE_NOISE.
    Noise(u32),
}

/// What becomes of a variable between kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// STATE.
    State,
    /// ASSIGNED.
    Assigned,
    /// LOCAL at file level, values of a connection, currents for other blocks to see: stored, and 0 until set.
    Static,
    /// A PARAMETER that the file assigns: stored, and the parameter's value until set.
    Adjusted(Leaf),
    /// `Xi`, `Xo` written: stored, and contributed to the ion.
    Concentration {
        ion: usize,
        quantity: IonQuantity,
        read: u32,
    },
    /// `Xd` written: lives in the ion.
    Diffusive { ion: usize, read: u32 },
    /// `eX` written: lives in the ion.
    Reversal { ion: usize, read: u32 },
    /// `t`.
    Time,
}

/// A variable that kernels may set.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) span: Span,
    pub(super) role: Role,
    /// Declared in STATE, or diffusive: may have an equation.
    pub(super) is_state: bool,
    /// In RANGE (or a STATE): users expect to be able to record it.
    pub(super) is_range: bool,
}

/// A current the mechanism writes.
#[derive(Debug, Clone)]
pub(super) struct CurrentVar {
    pub(super) name: String,
    /// Position in [`Symbols::ions`], or none for NONSPECIFIC_CURRENT and ELECTRODE_CURRENT.
    pub(super) ion: Option<usize>,
    /// ELECTRODE_CURRENT: positive into the cell.
    pub(super) inward: bool,
    /// The ion's total current, where READ too.
    pub(super) read: Option<u32>,
    /// The variable by which other blocks see it, where not READ.
    pub(super) shadow: Option<usize>,
    pub(super) span: Span,
}

/// All names of a file.
#[derive(Debug, Default)]
pub(super) struct Symbols<'a> {
    pub(super) kind: Kind,
    pub(super) by_name: BTreeMap<String, Symbol>,
    pub(super) parameters: Vec<Field>,
    /// Those of them that are globals but for a slot.
    pub(super) ranged: Vec<u32>,
    pub(super) globals: Vec<Field>,
    pub(super) variables: Vec<Variable>,
    pub(super) ions: Vec<IonUse>,
    pub(super) ion_reads: Vec<IonRead>,
    pub(super) currents: Vec<CurrentVar>,
    pub(super) noise: Vec<String>,
    /// The parameter that scales the weight of an event.
    pub(super) weight_factor: Option<u32>,
    pub(super) procedures: BTreeMap<String, &'a Callable>,
    pub(super) functions: BTreeMap<String, &'a Callable>,
    /// Blocks that SOLVE names, with the word that opens them.
    pub(super) solvables: BTreeMap<String, (Solvable, &'a Callable)>,
}

/// What SOLVE can solve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Solvable {
    Derivative,
    Kinetic,
    Linear,
    Nonlinear,
}

const BUILTINS: [(&str, Symbol); 5] = [
    ("v", Symbol::Voltage),
    ("dt", Symbol::Dt),
    ("celsius", Symbol::Celsius),
    ("diam", Symbol::Diam),
    ("area", Symbol::Area),
];

fn u32_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl<'a> Symbols<'a> {
    /// Collects the declarations of `ast`. `ranged` names parameters that become per-instance whether or not the file
    /// says RANGE: a slot's region is a painting.
    pub(super) fn collect(ast: &'a Ast, ranged: &[String], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut s = Symbols {
            kind: kind(ast, diagnostics),
            ..Symbols::default()
        };
        for (name, symbol) in BUILTINS {
            s.by_name.insert(name.into(), symbol);
        }
        if s.kind == Kind::Junction {
            s.by_name.insert("v_peer".into(), Symbol::PeerVoltage);
        }
        s.variable("t", "ms", Span::default(), Role::Time);
        for used in &ast.neuron.ions {
            s.collect_ion(used, ast, diagnostics);
        }
        s.collect_currents(ast, diagnostics);
        s.collect_constants(ast, diagnostics);
        let range: Vec<&str> = ast.neuron.range.iter().map(|i| i.name.as_str()).collect();
        s.shadow_currents(&range);
        for decl in &ast.parameters {
            s.collect_parameter(decl, &range, ranged, diagnostics);
        }
        if ranged.iter().any(|r| r == WEIGHT_FACTOR) && has_weight(ast) {
            s.weight_factor = Some(u32_of(s.parameters.len()));
            s.parameters.push(Field {
                name: WEIGHT_FACTOR.into(),
                unit: String::new(),
                default: 1.0,
                limits: (f64::MIN, f64::MAX),
            });
        }
        s.adjust_parameters(ast);
        for decl in &ast.states {
            s.collect_variable(decl, Role::State, &range, diagnostics);
        }
        for decl in &ast.assigned {
            s.collect_variable(decl, Role::Assigned, &range, diagnostics);
        }
        for decl in &ast.file_locals {
            s.collect_variable(decl, Role::Static, &range, diagnostics);
        }
        for ident in &ast.white_noise {
            s.define(ident, Symbol::Noise(u32_of(s.noise.len())), diagnostics);
            s.noise.push(ident.name.clone());
        }
        s.collect_connection(ast, diagnostics);
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

    /// What a variable holds when a kernel starts.
    pub(super) fn entry(&self, variable: usize) -> Leaf {
        match self.variables[variable].role {
            Role::Diffusive { read, .. } | Role::Reversal { read, .. } => Leaf::IonRead(read),
            Role::State
            | Role::Assigned
            | Role::Static
            | Role::Adjusted(_)
            | Role::Concentration { .. }
            | Role::Time => Leaf::State(u32_of(variable)),
        }
    }

    /// Position of `t`.
    pub(super) fn time(&self) -> usize {
        self.variables.iter().position(|v| v.role == Role::Time).unwrap_or(0)
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

    fn variable(&mut self, name: &str, unit: &str, span: Span, role: Role) -> usize {
        let at = self.variables.len();
        self.variables.push(Variable {
            name: name.into(),
            unit: unit.into(),
            span,
            role,
            is_state: matches!(role, Role::State | Role::Diffusive { .. }),
            is_range: role == Role::State,
        });
        self.by_name.insert(name.into(), Symbol::Variable(at));
        at
    }

    fn read(&mut self, ion: usize, quantity: IonQuantity) -> u32 {
        let read = IonRead { ion, quantity };
        let at = self.ion_reads.iter().position(|r| *r == read).unwrap_or_else(|| {
            self.ion_reads.push(read);
            self.ion_reads.len() - 1
        });
        u32_of(at)
    }

    fn collect_ion(&mut self, used: &UseIon, ast: &Ast, diagnostics: &mut Vec<Diagnostic>) {
        let name = &used.ion.name;
        if self.ions.iter().any(|i| i.name == *name) {
            diagnostics.push(Diagnostic::error(
                Code::DuplicateDefinition,
                used.ion.span,
                format!("USEION {name} stands twice"),
            ));
            return;
        }
        let ion = self.ions.len();
        self.ions.push(IonUse {
            name: name.clone(),
            valence: used.valence,
        });
        if let Some(valence) = &used.valence_name {
            let read = self.read(ion, IonQuantity::Charge);
            self.define(valence, Symbol::IonRead(read), diagnostics);
        }
        let quantities = [
            (format!("i{name}"), IonQuantity::Current),
            (format!("e{name}"), IonQuantity::ReversalPotential),
            (format!("{name}i"), IonQuantity::Internal),
            (format!("{name}o"), IonQuantity::External),
            (format!("{name}d"), IonQuantity::Diffusive),
        ];
        let quantity_of = |ident: &Ident| quantities.iter().find(|(n, _)| *n == ident.name).map(|&(_, q)| q);
        for ident in used.write.iter().chain(&used.read) {
            if quantity_of(ident).is_none() {
                diagnostics.push(Diagnostic::error(
                    Code::UnknownIonVariable,
                    ident.span,
                    format!("`{}` is not a quantity of ion {name}", ident.name),
                ));
            }
        }
        for ident in &used.write {
            let role = match quantity_of(ident) {
                Some(IonQuantity::Current) => {
                    let reads = used.read.iter().any(|r| r.name == ident.name);
                    let read = reads.then(|| self.read(ion, IonQuantity::Current));
                    self.currents.push(CurrentVar {
                        name: ident.name.clone(),
                        ion: Some(ion),
                        inward: false,
                        shadow: None,
                        read,
                        span: ident.span,
                    });
                    self.by_name
                        .insert(ident.name.clone(), Symbol::Current(self.currents.len() - 1));
                    continue;
                }
                Some(IonQuantity::ReversalPotential) => {
                    if self.kind != Kind::ReversalPotential {
                        diagnostics.push(writes_more(ident, ast));
                    }
                    let read = self.read(ion, IonQuantity::ReversalPotential);
                    Role::Reversal { ion, read }
                }
                Some(quantity @ (IonQuantity::Internal | IonQuantity::External)) => {
                    let read = self.read(ion, quantity);
                    Role::Concentration { ion, quantity, read }
                }
                Some(IonQuantity::Diffusive) => {
                    let read = self.read(ion, IonQuantity::Diffusive);
                    Role::Diffusive { ion, read }
                }
                Some(IonQuantity::Charge) | None => continue,
            };
            let unit = if matches!(role, Role::Reversal { .. }) {
                "mV"
            } else {
                "mM"
            };
            self.variable(&ident.name, unit, ident.span, role);
        }
        for ident in &used.read {
            if self.by_name.contains_key(&ident.name) {
                continue; // written too
            }
            if let Some(quantity) = quantity_of(ident) {
                let read = self.read(ion, quantity);
                self.by_name.insert(ident.name.clone(), Symbol::IonRead(read));
            }
        }
    }

    fn collect_currents(&mut self, ast: &Ast, diagnostics: &mut Vec<Diagnostic>) {
        for (idents, inward) in [(&ast.neuron.nonspecific, false), (&ast.neuron.electrode, true)] {
            for ident in idents {
                self.currents.push(CurrentVar {
                    name: ident.name.clone(),
                    ion: None,
                    inward,
                    shadow: None,
                    read: None,
                    span: ident.span,
                });
                let symbol = Symbol::Current(self.currents.len() - 1);
                self.define(ident, symbol, diagnostics);
            }
        }
    }

    /// Other blocks, and users who list it in RANGE, see what a current was last.
    fn shadow_currents(&mut self, range: &[&str]) {
        for i in 0..self.currents.len() {
            let current = self.currents[i].clone();
            if current.read.is_none() {
                self.currents[i].shadow = Some(self.variables.len());
                self.variables.push(Variable {
                    is_range: range.contains(&current.name.as_str()),
                    name: current.name,
                    unit: String::new(),
                    span: current.span,
                    role: Role::Static,
                    is_state: false,
                });
            }
        }
    }

    /// A PARAMETER that statements assign is a variable that starts as the parameter.
    fn adjust_parameters(&mut self, ast: &Ast) {
        for name in super::assigned::assigned_names(ast) {
            let leaf = match self.by_name.get(&name) {
                Some(&Symbol::Parameter(i)) => Leaf::Parameter(i),
                Some(&Symbol::Global(i)) => Leaf::Global(i),
                _ => continue,
            };
            let decl = ast.parameters.iter().find(|p| p.name.name == name);
            let span = decl.map_or(Span::default(), |p| p.name.span);
            let unit = decl.map_or(String::new(), |p| p.unit.clone());
            let at = self.variable(&name, &unit, span, Role::Adjusted(leaf));
            // the host's tables are one name space
            self.variables[at].name = format!("{name}__adjusted");
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
        match self.by_name.get(name) {
            Some(
                Symbol::Voltage
                | Symbol::PeerVoltage
                | Symbol::Dt
                | Symbol::Celsius
                | Symbol::Diam
                | Symbol::Area
                | Symbol::IonRead(_)
                | Symbol::Current(_),
            ) => true,
            Some(&Symbol::Variable(i)) => matches!(
                self.variables[i].role,
                Role::Time | Role::Concentration { .. } | Role::Diffusive { .. } | Role::Reversal { .. }
            ),
            Some(
                Symbol::Constant(_)
                | Symbol::Parameter(_)
                | Symbol::Global(_)
                | Symbol::Array { .. }
                | Symbol::Noise(_),
            )
            | None => false,
        }
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
        let declared = range.contains(&field.name.as_str());
        let symbol = if declared || ranged.contains(&field.name) {
            let index = u32_of(self.parameters.len());
            self.parameters.push(field);
            if !declared {
                self.ranged.push(index);
            }
            Symbol::Parameter(index)
        } else {
            let index = u32_of(self.globals.len());
            self.globals.push(field);
            Symbol::Global(index)
        };
        self.define(&decl.name, symbol, diagnostics);
    }

    fn collect_variable(&mut self, decl: &VariableDecl, role: Role, range: &[&str], diagnostics: &mut Vec<Diagnostic>) {
        let name = &decl.name.name;
        if let Some(&Symbol::Variable(i)) = self.by_name.get(name)
            && role == Role::State
            && matches!(
                self.variables[i].role,
                Role::Concentration { .. } | Role::Diffusive { .. }
            )
        {
            let variable = &mut self.variables[i];
            (variable.is_state, variable.is_range, variable.span) = (true, true, decl.name.span);
            return;
        }
        if role != Role::State && self.is_supplied(name) {
            return;
        }
        let ranged = role == Role::State || range.contains(&name.as_str());
        let first = self.variables.len();
        let names: Vec<String> = match decl.len {
            Some(len) => (0..len).map(|i| format!("{name}[{i}]")).collect(),
            None => vec![name.clone()],
        };
        for element in names {
            self.variables.push(Variable {
                name: element,
                unit: decl.unit.clone(),
                span: decl.name.span,
                role,
                is_state: role == Role::State,
                is_range: ranged,
            });
        }
        let symbol = match decl.len {
            Some(len) => Symbol::Array { first, len },
            None => Symbol::Variable(first),
        };
        self.define(&decl.name, symbol, diagnostics);
    }
}
