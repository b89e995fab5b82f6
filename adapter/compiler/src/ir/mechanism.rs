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

/// What a mechanism is, as the host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Per membrane area.
    #[default]
    Density,
    /// At a place; receives events.
    Point,
    /// Sets reversal potentials from concentrations, before the currents.
    ReversalPotential,
    /// Between two places.
    Junction,
    /// Sets the voltage, after the cable has been solved.
    Voltage,
}

/// Why a variable is stored between kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// A STATE with an equation or an initial value.
    State,
    /// An ASSIGNED variable that one kernel sets and another reads.
    Carried,
    /// The time since the start, which the host's interface does not tell.
    Time,
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
    /// `Xd`, mM: an internal concentration that diffuses along the cable.
    Diffusive,
    /// `iX`, mA/cm² in densities: what all mechanisms together have contributed so far in this step.
    Current,
    /// The charge number.
    Charge,
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

/// Where a result of a kernel goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// A stored variable.
    State(usize),
    /// The sum of all currents, outward: mA/cm², nA of point processes and junctions.
    Current,
    /// The conductance the host linearises with: S/cm², µS.
    Conductance,
    /// The contribution to an ion's current, in the unit of [`Output::Current`].
    IonCurrent(usize),
    /// An ion's reversal potential, mV.
    Reversal(usize),
    /// An ion's diffusive concentration, mM.
    Diffusive(usize),
    /// The membrane voltage, mV.
    Voltage,
}

/// `M x = r`, kept beside its solution so that the tangent can use the same factors:
/// `M dx = dr − dM x`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearSolve {
    /// M by rows.
    pub matrix: Vec<Vec<ExprId>>,
    /// r.
    pub rhs: Vec<ExprId>,
    /// Factors of M.
    pub factors: Factors,
    /// x.
    pub solution: Vec<ExprId>,
}

/// `P M Q = L U` without numerical pivoting.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// Row of M in each row of the factors.
    pub rows: Vec<usize>,
    /// Column of M in each column of the factors.
    pub columns: Vec<usize>,
    /// L's multipliers below the diagonal, U on and above it.
    pub entries: Vec<Vec<ExprId>>,
}

/// What one hook computes: all results in terms of what was there before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kernel {
    /// Results, sorted by where they go.
    pub outputs: Vec<(Output, ExprId)>,
    /// Linear systems that the results contain, in the order in which they are solved.
    pub solves: Vec<LinearSolve>,
}

impl Kernel {
    /// The result that goes to `output`.
    pub fn get(&self, output: Output) -> Option<ExprId> {
        self.outputs.iter().find(|(o, _)| *o == output).map(|&(_, e)| e)
    }

    /// New values of stored variables.
    pub fn states(&self) -> impl Iterator<Item = (usize, ExprId)> {
        self.outputs.iter().filter_map(|&(output, e)| {
            let Output::State(s) = output else { return None };
            Some((s, e))
        })
    }

    /// All results.
    pub fn roots(&self) -> Vec<ExprId> {
        self.outputs.iter().map(|&(_, e)| e).collect()
    }
}

/// A concentration that the mechanism contributes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concentration {
    /// Position in [`Mechanism::ions`].
    pub ion: usize,
    /// Internal or external.
    pub quantity: IonQuantity,
    /// The stored variable that holds it.
    pub state: usize,
}

/// A mechanism, ready to be differentiated, interpreted or emitted.
#[derive(Debug, Clone)]
pub struct Mechanism {
    /// SUFFIX, or the name of the point process.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// All expressions.
    pub graph: Graph,
    /// Scalar parameters.
    pub globals: Vec<Field>,
    /// Per-instance parameters.
    pub parameters: Vec<Field>,
    /// Indices of those that are per instance for a slot alone: the source has them as globals.
    pub ranged: Vec<u32>,
    /// Stored variables.
    pub states: Vec<StateVar>,
    /// Ions used.
    pub ions: Vec<IonUse>,
    /// Ion quantities read; [`super::graph::Leaf::IonRead`] indexes it.
    pub ion_reads: Vec<IonRead>,
    /// WHITE_NOISE variables; [`super::graph::Leaf::Noise`] indexes it.
    pub noise: Vec<String>,
    /// INITIAL.
    pub init: Kernel,
    /// BREAKPOINT without SOLVE.
    pub currents: Kernel,
    /// The SOLVEs: Φ of the design's equation (c).
    pub advance: Kernel,
    /// NET_RECEIVE.
    pub net_receive: Kernel,
    /// POST_EVENT.
    pub post_event: Kernel,
    /// Concentrations contributed to.
    pub concentrations: Vec<Concentration>,
    /// States superpose: instances with equal parameters may be merged into one.
    pub linear: bool,
    /// What the source calls some of the expressions; an expression stands once.
    pub spoken: Vec<(ExprId, String)>,
}

/// A hook of the host's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// INITIAL.
    Init,
    /// BREAKPOINT without SOLVE.
    Currents,
    /// The SOLVEs.
    Advance,
    /// NET_RECEIVE.
    NetReceive,
    /// POST_EVENT.
    PostEvent,
}

impl Hook {
    /// All, in the order of their first call.
    pub const ALL: [Hook; 5] = [
        Hook::Init,
        Hook::Currents,
        Hook::Advance,
        Hook::NetReceive,
        Hook::PostEvent,
    ];

    /// As JSON and listings call it.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Init => "init",
            Hook::Currents => "currents",
            Hook::Advance => "advance",
            Hook::NetReceive => "net_receive",
            Hook::PostEvent => "post_event",
        }
    }
}

impl Mechanism {
    /// The kernel behind a hook.
    pub fn kernel(&self, hook: Hook) -> &Kernel {
        match hook {
            Hook::Init => &self.init,
            Hook::Currents => &self.currents,
            Hook::Advance => &self.advance,
            Hook::NetReceive => &self.net_receive,
            Hook::PostEvent => &self.post_event,
        }
    }

    /// The source's name of what a result is.
    pub fn output_name(&self, output: Output) -> String {
        let ion = |i: usize| &self.ions[i].name;
        match output {
            Output::State(s) => self.states[s].name.clone(),
            Output::Current => "current".into(),
            Output::Conductance => "conductance".into(),
            Output::IonCurrent(i) => format!("i{}", ion(i)),
            Output::Reversal(i) => format!("e{}", ion(i)),
            Output::Diffusive(i) => format!("{}d", ion(i)),
            Output::Voltage => "v".into(),
        }
    }
}
