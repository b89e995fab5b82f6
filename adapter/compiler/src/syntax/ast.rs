//! The syntax tree of one NMODL file: what the user wrote, with a span on every node, nothing resolved.

use crate::diagnostic::Span;

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The name as written.
    pub name: String,
    /// Where.
    pub span: Span,
}

/// One `.mod` file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ast {
    /// `TITLE` text, if any.
    pub title: Option<String>,
    /// The NEURON block (empty if the file has none; the parser reports that).
    pub neuron: NeuronBlock,
    /// `UNITS` definitions: `(mV) = (millivolt)`, `F = 96485 (coul)`, `FARADAY = (faraday) (coulomb)`.
    pub units: Vec<UnitDef>,
    /// `PARAMETER` entries in order.
    pub parameters: Vec<ParameterDecl>,
    /// `CONSTANT` entries in order.
    pub constants: Vec<ParameterDecl>,
    /// `ASSIGNED` entries in order.
    pub assigned: Vec<VariableDecl>,
    /// `STATE` entries in order.
    pub states: Vec<VariableDecl>,
    /// `INITIAL`, if any.
    pub initial: Option<Block>,
    /// `BREAKPOINT`, if any.
    pub breakpoint: Option<Block>,
    /// `DERIVATIVE` blocks.
    pub derivatives: Vec<Callable>,
    /// `PROCEDURE` blocks.
    pub procedures: Vec<Callable>,
    /// `FUNCTION` blocks.
    pub functions: Vec<Callable>,
}

/// `NEURON { … }`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NeuronBlock {
    /// Span of the block (empty if absent).
    pub span: Span,
    /// `SUFFIX name`.
    pub suffix: Option<Ident>,
    /// `USEION` lines.
    pub ions: Vec<UseIon>,
    /// `NONSPECIFIC_CURRENT` names.
    pub nonspecific: Vec<Ident>,
    /// `RANGE` names.
    pub range: Vec<Ident>,
    /// `GLOBAL` names.
    pub global: Vec<Ident>,
    /// `THREADSAFE` seen.
    pub threadsafe: bool,
}

/// `USEION na READ ena WRITE ina VALENCE 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct UseIon {
    /// Ion name.
    pub ion: Ident,
    /// READ variables.
    pub read: Vec<Ident>,
    /// WRITE variables.
    pub write: Vec<Ident>,
    /// VALENCE, if given.
    pub valence: Option<i32>,
}

/// One line of UNITS.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitDef {
    /// What is defined: a unit name (parentheses stripped) or a constant's name.
    pub name: Ident,
    /// A numeric constant's value (`F = 96485.3 (coulomb)`), else `None`.
    pub value: Option<f64>,
    /// The unit text on the right, parentheses stripped.
    pub unit: String,
    /// True for `(mV) = (millivolt)`, false for a named constant.
    pub is_unit: bool,
}

/// One entry of PARAMETER or CONSTANT.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterDecl {
    /// Its name.
    pub name: Ident,
    /// Default value; `None` where the file gives none (`celsius`, `v`, `dt`, `area`, `diam`, `ena`).
    pub value: Option<f64>,
    /// Unit text, parentheses stripped; empty if none.
    pub unit: String,
    /// `<low, high>`.
    pub limits: Option<(f64, f64)>,
    /// Span of the whole entry.
    pub span: Span,
}

/// One entry of ASSIGNED or STATE.
#[derive(Debug, Clone, PartialEq)]
pub struct VariableDecl {
    /// Its name.
    pub name: Ident,
    /// Unit text, parentheses stripped; empty if none.
    pub unit: String,
    /// Span of the whole entry.
    pub span: Span,
}

/// DERIVATIVE, PROCEDURE or FUNCTION.
#[derive(Debug, Clone, PartialEq)]
pub struct Callable {
    /// Its name.
    pub name: Ident,
    /// Formal parameters (units skipped).
    pub params: Vec<Ident>,
    /// The body.
    pub body: Block,
    /// Span from keyword to closing brace.
    pub span: Span,
}

/// `{ LOCAL …; statements }`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// LOCAL names declared at this block's level.
    pub locals: Vec<Ident>,
    /// Statements in order.
    pub statements: Vec<Statement>,
    /// Span of the braces.
    pub span: Span,
}

/// A statement and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Where.
    pub span: Span,
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// `x = e`
    Assign {
        /// Left-hand side.
        target: Ident,
        /// Right-hand side.
        value: Expr,
    },
    /// `x' = e`
    Derivative {
        /// The state.
        state: Ident,
        /// Right-hand side.
        value: Expr,
    },
    /// `IF (c) { … } ELSE { … }`; `ELSE IF` nests.
    If {
        /// The condition.
        condition: Expr,
        /// Taken when true.
        then: Block,
        /// Taken when false.
        otherwise: Option<Block>,
    },
    /// `p(a, b)`
    Call {
        /// The procedure.
        callee: Ident,
        /// Arguments.
        args: Vec<Expr>,
    },
    /// `SOLVE block METHOD m` (and STEADYSTATE)
    Solve {
        /// The block's name.
        block: Ident,
        /// METHOD, if any.
        method: Option<Ident>,
        /// STEADYSTATE method, if any.
        steadystate: Option<Ident>,
    },
    /// `CONDUCTANCE g USEION na`
    Conductance {
        /// The conductance variable.
        conductance: Ident,
        /// The ion, if any.
        ion: Option<Ident>,
    },
    /// `TABLE a, b DEPEND c FROM x TO y WITH n`: replaced by the exact expressions, so only noted.
    Table {
        /// Tabulated names.
        names: Vec<Ident>,
    },
    /// A nested `{ … }`.
    Block(Block),
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A literal.
    Number(f64),
    /// A variable.
    Name(String),
    /// `-e`, `!e`
    Unary(UnaryOp, Box<Expr>),
    /// `a op b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `f(a, b)`
    Call(Ident, Vec<Expr>),
}

/// Prefix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// Arithmetic negation.
    Neg,
    /// Logical negation.
    Not,
}

/// Infix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
    /// `a ^ b`, right associative, binds tighter than a sign: `-x^2` is `-(x^2)`
    Pow,
    /// `a < b`
    Lt,
    /// `a <= b`
    Le,
    /// `a > b`
    Gt,
    /// `a >= b`
    Ge,
    /// `a == b`
    Eq,
    /// `a != b`
    Ne,
    /// `a && b`
    And,
    /// `a || b`
    Or,
}
