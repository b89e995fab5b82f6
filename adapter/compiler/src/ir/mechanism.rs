//! One mechanism as kernels over an expression graph: what the host calls, without C.

use super::graph::{ExprId, Graph};

/// A parameter or global as the host's tables list it.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Unit text of the source.
    pub unit: String,
    /// Default; NaN where the source gives none.
    pub default: f64,
    /// Admissible range.
    pub limits: (f64, f64),
}

/// Why a variable is stored between kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// A STATE with an equation or an initial value.
    State,
    /// An ASSIGNED variable that one kernel sets and another reads.
    Carried,
    /// A RANGE ASSIGNED variable that no kernel reads: written so that users can record it.
    Observed,
}

/// A stored variable.
#[derive(Debug, Clone, PartialEq)]
pub struct StateVar {
    /// Name.
    pub name: String,
    /// Unit text of the source.
    pub unit: String,
    /// Why it is stored.
    pub storage: Storage,
}

/// Which quantity of an ion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IonQuantity {
    /// `eX`, mV.
    ReversalPotential,
    /// `Xi`, mM.
    Internal,
    /// `Xo`, mM.
    External,
}

/// An ion the mechanism uses.
#[derive(Debug, Clone, PartialEq)]
pub struct IonUse {
    /// Name.
    pub name: String,
    /// VALENCE of the source.
    pub valence: Option<i32>,
}

/// An ion quantity read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IonRead {
    /// Position in [`Mechanism::ions`].
    pub ion: usize,
    /// Which quantity.
    pub quantity: IonQuantity,
}

/// New values of stored variables, all in terms of the old ones.
pub type Updates = Vec<(usize, ExprId)>;

/// The membrane current at V(t), s(t).
#[derive(Debug, Clone, PartialEq)]
pub struct Currents {
    /// Sum of all currents, mA/cm².
    pub total: ExprId,
    /// The conductance the host linearises with, S/cm².
    pub conductance: ExprId,
    /// Contribution to each ion's current, mA/cm².
    pub ions: Vec<(usize, ExprId)>,
    /// Stored variables that BREAKPOINT sets.
    pub updates: Updates,
}

/// A coupled linear implicit step `(I − dt J) s⁺ = s + dt b`, kept beside its solution so that the tangent can use the
/// same factors.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearStep {
    /// The states solved for.
    pub states: Vec<usize>,
    /// Right-hand sides f_i(s, …), in terms of the old states.
    pub rates: Vec<ExprId>,
    /// Factors of `I − dt J`, without pivoting: L's multipliers below the diagonal, U on and above it.
    pub factors: Vec<Vec<ExprId>>,
    /// The solution s⁺.
    pub next: Vec<ExprId>,
}

/// A mechanism, ready to be differentiated, interpreted or emitted.
#[derive(Debug, Clone)]
pub struct Mechanism {
    /// SUFFIX.
    pub name: String,
    /// All expressions.
    pub graph: Graph,
    /// Scalar parameters.
    pub globals: Vec<Field>,
    /// Per-instance parameters.
    pub parameters: Vec<Field>,
    /// Stored variables.
    pub states: Vec<StateVar>,
    /// Ions used.
    pub ions: Vec<IonUse>,
    /// Ion quantities read; [`super::graph::Leaf::IonRead`] indexes it.
    pub ion_reads: Vec<IonRead>,
    /// INITIAL.
    pub init: Updates,
    /// BREAKPOINT without SOLVE.
    pub currents: Currents,
    /// The SOLVEs: Φ of the design's equation (c).
    pub advance: Updates,
    /// Linear implicit steps among them.
    pub linear_steps: Vec<LinearStep>,
}

impl Mechanism {
    /// All expressions a kernel evaluates.
    pub fn roots(&self) -> Vec<ExprId> {
        let c = &self.currents;
        [c.total, c.conductance]
            .into_iter()
            .chain(c.ions.iter().map(|&(_, e)| e))
            .chain(self.init.iter().chain(&c.updates).chain(&self.advance).map(|&(_, e)| e))
            .collect()
    }
}
