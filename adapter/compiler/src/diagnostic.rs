//! What the compiler says about the user's model, as data.
//!
//! A [`Diagnostic`] states a fact about the source, with the span it is about; rendering is somebody else's job.
//! Diagnostics accumulate: no pass stops at the first one.

use std::fmt;

/// A half-open byte range of one source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset one past the last byte.
    pub end: usize,
}

impl Span {
    /// The range `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Whether it covers no byte.
    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span::new(self.start.min(other.start), self.end.max(other.end))
    }
}

/// One-based line and column (in characters) of a byte offset.
pub fn line_col(source: &str, offset: usize) -> (usize, usize) {
    let mut at = offset.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    let before = &source[..at];
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    (line, column)
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The mechanism is rejected.
    Error,
    /// The mechanism is accepted; the user should know.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal, $help:literal;)*) => {
        /// Every kind of diagnostic. The text form is stable: scripts and tests match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// All codes, in declaration order.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The kebab-case name.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// What the user can do about it, where the diagnostic itself gives no better advice.
            pub fn help(self) -> &'static str {
                match self { $(Code::$variant => $help,)* }
            }
        }
    };
}

codes! {
    /// A byte sequence that starts no token.
    UnexpectedCharacter => "unexpected-character", "remove it, or put it in a comment (: … to the end of the line)";
    /// COMMENT, VERBATIM, a quoted title … without its end.
    UnterminatedBlock => "unterminated-block", "close the block (ENDCOMMENT, ENDVERBATIM or a closing brace)";
    /// A number that cannot be read.
    BadNumber => "bad-number", "write numbers as 12, 1.5 or 1e-3";
    /// The grammar wanted something else here.
    UnexpectedToken => "unexpected-token", "write what is expected, or remove what stands here";
    /// An INCLUDE whose file cannot be put in its place.
    BadInclude => "bad-include", "give the path of a readable file, from the folder of the file that includes it";
    /// Expressions or blocks nested deeper than the parser follows.
    NestingTooDeep => "nesting-too-deep", "split the expression with LOCAL variables, or move inner blocks to a PROCEDURE";
    /// No NEURON block, or one without SUFFIX.
    MissingSuffix => "missing-suffix", "add NEURON { SUFFIX name }";
    /// A block that the mechanism needs is not there.
    MissingBlock => "missing-block", "add the block";
    /// The same name or block declared twice.
    DuplicateDefinition => "duplicate-definition", "keep one of the two declarations";
    /// A name that nothing declares.
    UnknownName => "unknown-name", "declare it in PARAMETER, ASSIGNED, STATE or as LOCAL";
    /// A call of something that is neither a builtin nor defined here.
    UnknownFunction => "unknown-function", "define it as FUNCTION or PROCEDURE in this file";
    /// Wrong number of arguments.
    ArgumentCount => "argument-count", "call it with the declared number of arguments";
    /// A function that calls itself, directly or through others.
    Recursion => "recursion", "write the recursion out: calls are inlined";
    /// A FUNCTION whose value is never assigned.
    NoReturnValue => "no-return-value", "assign the function's own name in its body";
    /// Assignment to something that may not be assigned.
    NotAssignable => "not-assignable", "assign an ASSIGNED, STATE or LOCAL variable instead";
    /// A name declared with `__`, which generated names reserve.
    ReservedName => "reserved-name", "rename it without a double underscore";
    /// USEION with a variable that is not one of iX, eX, Xi, Xo, Xd.
    UnknownIonVariable => "unknown-ion-variable", "use iX, eX, Xi, Xo or Xd, where X is the ion's name";
    /// A state that INITIAL does not set.
    UninitialisedState => "uninitialised-state", "set it in INITIAL";
    /// A variable read before anything set it.
    ReadBeforeWrite => "read-before-write", "set it in INITIAL, or before it is read";
    /// A state without an equation, in a solved block.
    StateWithoutEquation => "state-without-equation", "add its derivative, or make it ASSIGNED";
    /// A value that the language keeps per connection and we keep per instance.
    PerInstance => "per-instance", "give each connection a point process of its own";
    /// An array index that is not a whole number within bounds, known when the file is compiled.
    BadIndex => "bad-index", "use a whole number from 0 to one less than the length";
    /// A loop whose end depends on what happens at run time.
    UnboundedLoop => "unbounded-loop", "give the loop bounds that are known when the file is compiled";
    /// A system of equations that has no unique solution.
    SingularSystem => "singular-system", "give as many independent equations as there are unknowns";
    /// SOLVE of a block that is not there.
    UnknownBlock => "unknown-block", "name a DERIVATIVE block of this file";
    /// SOLVE … METHOD with a method that we do not have.
    UnknownMethod => "unknown-method", "use METHOD cnexp for independent linear equations, sparse or derivimplicit for coupled ones";
    /// cnexp on equations that depend on each other.
    CoupledCnexp => "coupled-cnexp", "use METHOD sparse or derivimplicit for coupled equations";
    /// cnexp on an equation that is not linear in its own state.
    NonlinearCnexp => "nonlinear-cnexp", "use METHOD derivimplicit";
    /// A construct that the language has and this version of the compiler does not support.
    Unsupported => "unsupported", "rewrite the mechanism without it";
    /// VERBATIM: C that we cannot read, so cannot differentiate.
    Verbatim => "verbatim", "write the same computation in NMODL";
    /// The sensitivity parameter asked for does not exist or is not a parameter.
    UnknownSlotParameter => "unknown-slot-parameter", "name a PARAMETER of the mechanism";
    /// A quantity on a path to a derivative that cannot be differentiated.
    NotDifferentiable => "not-differentiable", "build without --wrt, or rewrite the expression";
    /// The derivative of the branch taken is used at a kink or jump.
    OneSidedDerivative => "one-sided-derivative", "the derivative is that of the branch taken; smooth the expression if the kink matters";
    /// A construct that is read and then ignored, as the simulator does.
    Ignored => "ignored", "remove it, or check that it is not needed";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One statement about one place of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// The place it is about.
    pub span: Span,
    /// The fact, in lower case, without a full stop.
    pub message: String,
    /// The rule behind it, if it needs saying.
    pub notes: Vec<String>,
    /// What to do, where it is better than [`Code::help`].
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            span,
            message: message.into(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// A warning at `span`.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// Adds the rule behind the message.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Replaces the code's general advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The advice to show: the diagnostic's own, or its code's.
    pub fn help_text(&self) -> &str {
        self.help.as_deref().unwrap_or(self.code.help())
    }
}

/// True if any of them rejects the source.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}
