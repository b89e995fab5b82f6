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
    /// `KINETIC` blocks.
    pub kinetics: Vec<Callable>,
    /// `LINEAR` blocks.
    pub linears: Vec<Callable>,
    /// `NONLINEAR` blocks.
    pub nonlinears: Vec<Callable>,
    /// `NET_RECEIVE`, if any.
    pub net_receive: Option<NetReceive>,
    /// `POST_EVENT(t)`, if any.
    pub post_event: Option<Callable>,
    /// `WHITE_NOISE` names in order.
    pub white_noise: Vec<Ident>,
    /// `LOCAL` at file level: variables that keep their value between blocks and steps.
    pub file_locals: Vec<VariableDecl>,
}

/// `NET_RECEIVE (w, a, b) { INITIAL { … } … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct NetReceive {
    /// The weight, then further values of the connection (units skipped).
    pub params: Vec<Ident>,
    /// The block inside that sets the further values.
    pub initial: Option<Block>,
    /// The statements besides.
    pub body: Block,
    /// Span from keyword to closing brace.
    pub span: Span,
}

/// What a mechanism is, by the line that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Process {
    /// `SUFFIX`: per membrane area.
    #[default]
    Density,
    /// `POINT_PROCESS`: at a place.
    Point,
    /// `ARTIFICIAL_CELL`: only events.
    ArtificialCell,
    /// `JUNCTION_PROCESS`: between two places.
    Junction,
    /// `VOLTAGE_PROCESS`: sets the voltage.
    Voltage,
}

/// `NEURON { … }`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NeuronBlock {
    /// Span of the block (empty if absent).
    pub span: Span,
    /// Which of SUFFIX, POINT_PROCESS … names it.
    pub process: Process,
    /// The name.
    pub suffix: Option<Ident>,
    /// `USEION` lines.
    pub ions: Vec<UseIon>,
    /// `NONSPECIFIC_CURRENT` names.
    pub nonspecific: Vec<Ident>,
    /// `ELECTRODE_CURRENT` names: positive into the cell.
    pub electrode: Vec<Ident>,
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
    /// VALENCE, if given as a number.
    pub valence: Option<i32>,
    /// VALENCE, if given as a name: that name then is the ion's charge number.
    pub valence_name: Option<Ident>,
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
    /// Length of an array (`ca[10]`); none for a scalar.
    pub len: Option<usize>,
    /// Unit text, parentheses stripped; empty if none.
    pub unit: String,
    /// Span of the whole entry.
    pub span: Span,
}

/// What is assigned: a variable or an element of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The name.
    pub name: Ident,
    /// The index, if any.
    pub index: Option<Expr>,
}

/// One side's entry of a reaction: `2 ca[i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Species {
    /// How many of it; 1 if not written.
    pub count: f64,
    /// Which.
    pub place: Place,
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
        target: Place,
        /// Right-hand side.
        value: Expr,
    },
    /// `x' = e`
    Derivative {
        /// The state.
        state: Place,
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
    /// `FROM i = a TO b BY c { … }`, both ends included.
    For {
        /// The loop variable; visible in the body only.
        variable: Ident,
        /// First value.
        from: Expr,
        /// Last value.
        to: Expr,
        /// Step; 1 if absent.
        by: Option<Expr>,
        /// What is repeated.
        body: Block,
    },
    /// `WHILE (c) { … }`
    While {
        /// Tested before each turn.
        condition: Expr,
        /// What is repeated.
        body: Block,
    },
    /// `~ a + 2 b <-> c (f, r)`; `->` has no backward rate.
    Reaction {
        /// What goes in.
        left: Vec<Species>,
        /// What comes out.
        right: Vec<Species>,
        /// Rate to the right.
        forward: Expr,
        /// Rate to the left.
        backward: Option<Expr>,
    },
    /// `~ a << (rate)`: a flux into one species.
    Influx {
        /// The species.
        species: Species,
        /// Its rate of change times its compartment's volume.
        rate: Expr,
    },
    /// `~ e = f` of LINEAR and NONLINEAR.
    Equation {
        /// Left-hand side.
        left: Expr,
        /// Right-hand side.
        right: Expr,
    },
    /// `CONSERVE a + 2 b = e`
    Conserve {
        /// The conserved sum: a linear expression in the states.
        sum: Expr,
        /// Its value.
        total: Expr,
    },
    /// `COMPARTMENT i, e { a b }`
    Compartment {
        /// The index of array species, if any.
        index: Option<Ident>,
        /// The volume, which may depend on the index.
        volume: Expr,
        /// Names of the species (whole arrays).
        species: Vec<Ident>,
    },
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
    /// `a[i]`
    Element(Ident, Box<Expr>),
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
