//! Sources to catalogue: the compiler's front door.

mod text;

use mech_abi::AbiLevel;

use crate::diagnostic::{Code, Diagnostic, Severity, has_errors};
use crate::emit::carrier::Carrier;
use crate::emit::catalogue::{self, Entry};
use crate::emit::{Law, Layout, Names, Seed, Slots, json};
use crate::ir::graph::Leaf;
use crate::ir::mechanism::{Hook, IonQuantity, Kind, Mechanism, Output};
use crate::ir::verify::verify;
use crate::pass::differentiate::prune::{self, Dropped, Keep, Pruned};
use crate::pass::differentiate::{Movable, Tangent, differentiate};
use crate::pass::lower::{Integrator, Lowered, WEIGHT_FACTOR, has_weight, lower};
use crate::syntax::{ast::Ast, parse};

/// One `.mod` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What to call it in messages; usually its path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A tunable quantity: which parameters of which mechanisms it moves. Where and how much is painted later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSpec {
    /// Name; an identifier without `__`.
    pub name: String,
    /// (mechanism, parameter) pairs.
    pub targets: Vec<(String, String)>,
}

/// What to compile for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Slots, in order; none for a plain catalogue.
    pub slots: Vec<SlotSpec>,
    /// Whose arithmetic.
    pub integrator: Integrator,
    /// Which binary layout.
    pub abi: AbiLevel,
    /// Ions that a mechanism's users rebind: (mechanism, its ion, the ion it then means), as in `nernst/x=ca`. Reversal
    /// potential mechanisms need none: they are taken to act on every ion.
    pub rebound: Vec<(String, String, String)>,
    /// What users read back.
    pub keep: Keep,
    /// What brings ∂V/∂slot along the tree.
    pub carrier: Carrier,
    /// A law by which slots move by themselves. It is left out, and missing in [`Compiled::slots`], where the mechanism
    /// is not a density mechanism without POST_EVENT, or no slot reaches the objective.
    pub law: Option<Law>,
}

/// A diagnostic and the source it is about, by position.
pub type FileDiagnostic = (usize, Diagnostic);

/// Why there is no catalogue.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// Some source was rejected.
    #[error("{} in the mechanism sources", errors(.0))]
    Rejected(Vec<FileDiagnostic>),
    /// Two sources define the same mechanism.
    #[error("mechanism `{name}` is defined by both {first} and {second}")]
    DuplicateMechanism {
        /// The SUFFIX.
        name: String,
        /// Source name.
        first: String,
        /// Source name.
        second: String,
    },
    /// A slot names a mechanism that no source defines.
    #[error("slot `{slot}` names mechanism `{mechanism}`, which no source defines (there are: {})", .known.join(", "))]
    UnknownMechanism {
        /// The slot.
        slot: String,
        /// What it names.
        mechanism: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Two slots of the same name.
    #[error("slot `{slot}` is defined twice")]
    DuplicateSlot {
        /// The name.
        slot: String,
    },
    /// A slot name that cannot be part of an identifier.
    #[error("slot name `{slot}` is not a letter followed by letters, digits and single underscores")]
    BadSlotName {
        /// The name.
        slot: String,
    },
}

fn errors(diagnostics: &[FileDiagnostic]) -> String {
    let n = diagnostics
        .iter()
        .filter(|(_, d)| d.severity == Severity::Error)
        .count();
    if n == 1 {
        "1 error".into()
    } else {
        format!("{n} errors")
    }
}

/// A compiled catalogue.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The C text; `emit::build::build` makes the shared object.
    pub c_source: String,
    /// The same with its sensitivities in rows, if they can be: faster, but only for a host that allots a mechanism's
    /// columns in one piece, and nobody finds the sensitivities of states by name.
    pub c_in_rows: Option<String>,
    /// Slots and seeds, with the names of the generated parameters.
    pub slots: Slots,
    /// The mechanisms, in the order of the sources.
    pub mechanisms: Vec<Mechanism>,
    /// Their tangents, if there are slots.
    pub tangents: Vec<Tangent>,
    /// Ions that have a tangent ion for each slot ([`Names::tangent_ion`]), by the names the sources use.
    pub tangent_ions: Vec<String>,
    /// What was dropped since nothing depends on it, by mechanism.
    pub pruned: Vec<Pruned>,
    /// Warnings.
    pub warnings: Vec<FileDiagnostic>,
    /// The syntax trees, in the order of the sources.
    asts: Vec<Ast>,
}

impl Compiled {
    /// Each mechanism as JSON text.
    pub fn json(&self) -> Vec<(String, String)> {
        self.mechanisms
            .iter()
            .enumerate()
            .map(|(i, m)| (m.name.clone(), json::emit(m, self.tangents.get(i))))
            .collect()
    }
}

/// All that can be said about one source without slots: parsing and lowering. Where the parser has refused a construct
/// that it understands to be one, the rest is analysed nevertheless, save for what the construct may have supplied.
pub fn check(text: &str) -> Vec<Diagnostic> {
    let (ast, mut diagnostics) = parse(text);
    let refused = has_errors(&diagnostics);
    if diagnostics
        .iter()
        .all(|d| d.severity == Severity::Warning || is_refusal(d.code))
    {
        diagnostics.extend(reserved_suffix(&ast));
        let found = lower(&ast, Integrator::default(), &[]).1;
        diagnostics.extend(found.into_iter().filter(|d| !(refused && may_follow(d))));
    }
    diagnostics.sort_by_key(|d| (d.span, d.code));
    diagnostics
}

/// The parser knows what it is, and the rest of the file stands as written.
fn is_refusal(code: Code) -> bool {
    matches!(code, Code::Verbatim | Code::Unsupported)
}

/// Whether the diagnostic may only be there because something was refused: it declared the name, defined the function or
/// block, set the variable, or was the equation that is missed.
fn may_follow(d: &Diagnostic) -> bool {
    let missed = matches!(
        d.code,
        Code::UnknownName
            | Code::UnknownFunction
            | Code::UnknownBlock
            | Code::MissingBlock
            | Code::ReadBeforeWrite
            | Code::UninitialisedState
            | Code::StateWithoutEquation
            | Code::NoReturnValue
            | Code::SingularSystem
    );
    // a current that is never set
    missed || d.code == Code::Ignored && d.severity == Severity::Warning
}

/// Compiles a catalogue.
///
/// # Errors
/// [`CompileError::Rejected`] with all diagnostics of all sources, or a defect of the slots.
///
/// # Panics
/// Never for user input; if the intermediate representation breaks its own rules, which is a bug of ours.
pub fn compile(sources: &[Source], options: &Options) -> Result<Compiled, CompileError> {
    check_slot_names(&options.slots)?;
    let mut diagnostics: Vec<FileDiagnostic> = Vec::new();
    let parsed: Vec<Ast> = sources
        .iter()
        .enumerate()
        .map(|(i, source)| {
            let (ast, found) = parse(&source.text);
            diagnostics.extend(found.into_iter().map(|d| (i, d)));
            ast
        })
        .collect();
    reject(&diagnostics)?;
    let names: Vec<String> = parsed
        .iter()
        .map(|a| a.neuron.suffix.as_ref().map(|s| s.name.clone()).unwrap_or_default())
        .collect();
    for (i, name) in names.iter().enumerate() {
        diagnostics.extend(reserved_suffix(&parsed[i]).map(|d| (i, d)));
        if let Some(first) = names[..i].iter().position(|n| n == name) {
            return Err(CompileError::DuplicateMechanism {
                name: name.clone(),
                first: sources[first].name.clone(),
                second: sources[i].name.clone(),
            });
        }
    }
    reject(&diagnostics)?;
    let mut slots = seeds(&options.slots, &names, options.carrier)?;
    let mut lowered: Vec<Lowered> = Vec::new();
    for (i, ast) in parsed.iter().enumerate() {
        let ranged: Vec<String> = slots
            .seeds
            .iter()
            .filter(|s| s.mechanism == names[i])
            .map(|s| s.parameter.clone())
            .collect();
        diagnostics.extend(check_targets(ast, &ranged).into_iter().map(|d| (i, d)));
        let (one, found) = lower(ast, options.integrator, &ranged);
        diagnostics.extend(found.into_iter().map(|d| (i, d)));
        lowered.extend(one);
    }
    reject(&diagnostics)?;

    lowered.iter().for_each(|one| sound(&one.mechanism));
    let mut tangents = Vec::new();
    let traffic = Traffic::new(&lowered, &options.rebound);
    let tangent_ions = traffic.tangent_ions();
    for (i, one) in lowered.iter().enumerate().filter(|_| !slots.names.is_empty()) {
        let m = &one.mechanism;
        let (reads, ions) = traffic.movable(i);
        let parameters: Vec<usize> = (0..m.parameters.len())
            .filter(|&p| {
                let name = &m.parameters[p].name;
                slots
                    .seeds
                    .iter()
                    .any(|s| s.mechanism == m.name && s.parameter == *name)
            })
            .collect();
        diagnostics.extend(spike_times(&parsed[i], m).map(|d| (i, d)));
        let movable = Movable {
            parameters,
            reads,
            ions,
            read_back: options.keep.sensitivities(m),
        };
        let (tangent, warnings) = differentiate(m.clone(), &one.kinks, movable);
        sound(&tangent.mechanism);
        diagnostics.extend(warnings.into_iter().map(|d| (i, d)));
        tangents.push(tangent);
    }
    reject(&diagnostics)?;
    let mut mechanisms: Vec<Mechanism> = lowered.into_iter().map(|l| l.mechanism).collect();
    let pruned = drop_unread(&mut mechanisms, &mut tangents, &options.keep);
    slots.law = options.law.clone().filter(|law| fits(law, &tangents));
    let entries: Vec<Entry<'_>> = mechanisms
        .iter()
        .enumerate()
        .map(|(i, plain)| Entry {
            plain,
            tangent: tangents.get(i),
        })
        .collect();
    let emit = |layout| catalogue::emit(&entries, &slots, options.abi, options.integrator, layout);
    Ok(Compiled {
        c_source: emit(Layout::Columns),
        c_in_rows: catalogue::fits_rows(&tangents, &slots).then(|| emit(Layout::Rows)),
        slots,
        mechanisms,
        tangents,
        tangent_ions,
        pruned,
        warnings: diagnostics,
        asts: parsed,
    })
}

/// Whether a law has what it needs in its mechanism.
fn fits(law: &Law, tangents: &[Tangent]) -> bool {
    let own = tangents.iter().find(|t| t.mechanism.name == law.mechanism);
    own.is_some_and(|t| {
        let m = &t.mechanism;
        let objective = m.states.iter().position(|s| s.name == law.objective);
        // spikes come one by one, and would read what is painted
        m.kind == Kind::Density && m.post_event.outputs.is_empty() && objective.is_some_and(|s| t.active.contains(&s))
    })
}

/// Drops variables that are only there to be read where nobody does, and says what is missing besides.
fn drop_unread(mechanisms: &mut [Mechanism], tangents: &mut [Tangent], keep: &Keep) -> Vec<Pruned> {
    let mut pruned = Vec::new();
    for (i, m) in mechanisms.iter_mut().enumerate() {
        let places = prune::places(m, keep);
        for (state, place) in places.iter().enumerate() {
            let still = tangents.get(i).is_none_or(|t| !t.pruned.contains(&state));
            let dropped = match place {
                None => Dropped::Value,
                Some(_) if still => continue,
                Some(_) => Dropped::Sensitivities,
            };
            pruned.push(Pruned {
                mechanism: m.name.clone(),
                variable: m.states[state].name.clone(),
                dropped,
            });
        }
        prune::drop_values(m, &places);
        if let Some(tangent) = tangents.get_mut(i) {
            tangent.drop_values(&places);
            sound(&tangent.mechanism);
        }
        sound(m);
    }
    pruned
}

fn reject(diagnostics: &[FileDiagnostic]) -> Result<(), CompileError> {
    let rejected = diagnostics.iter().any(|(_, d)| d.severity == Severity::Error);
    if rejected {
        Err(CompileError::Rejected(diagnostics.to_vec()))
    } else {
        Ok(())
    }
}

fn sound(m: &Mechanism) {
    let broken = verify(m);
    assert!(
        broken.is_empty(),
        "internal compiler error: the representation of `{}` is unsound: {}",
        m.name,
        broken.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    );
}

/// Generated mechanisms live in the same name space as the user's.
fn reserved_suffix(ast: &Ast) -> Option<Diagnostic> {
    let suffix = ast.neuron.suffix.as_ref()?;
    let reserved = suffix.name.starts_with(Names::AUGMENTED_PREFIX) || suffix.name == Names::CARRIER;
    reserved.then(|| {
        Diagnostic::error(
            Code::ReservedName,
            suffix.span,
            format!("SUFFIX `{}` is reserved for generated mechanisms", suffix.name),
        )
        .help("choose a SUFFIX that does not begin with `gd_`")
    })
}

fn check_slot_names(slots: &[SlotSpec]) -> Result<(), CompileError> {
    for (i, slot) in slots.iter().enumerate() {
        let identifier = slot.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            // nor an underscore: `d_m___x` could be m and _x, or m_ and x
            && slot.name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
        if !identifier || slot.name.contains("__") {
            return Err(CompileError::BadSlotName {
                slot: slot.name.clone(),
            });
        }
        if slots[..i].iter().any(|s| s.name == slot.name) {
            return Err(CompileError::DuplicateSlot {
                slot: slot.name.clone(),
            });
        }
    }
    Ok(())
}

fn seeds(specs: &[SlotSpec], mechanisms: &[String], carrier: Carrier) -> Result<Slots, CompileError> {
    let mut slots = Slots {
        names: specs.iter().map(|s| s.name.clone()).collect(),
        seeds: Vec::new(),
        carrier,
        law: None,
    };
    for spec in specs {
        for (mechanism, parameter) in &spec.targets {
            if !mechanisms.contains(mechanism) {
                return Err(CompileError::UnknownMechanism {
                    slot: spec.name.clone(),
                    mechanism: mechanism.clone(),
                    known: mechanisms.to_vec(),
                });
            }
            let seed = Seed {
                slot: spec.name.clone(),
                mechanism: mechanism.clone(),
                parameter: parameter.clone(),
                field: Names::seed(parameter, &spec.name),
            };
            if !slots.seeds.contains(&seed) {
                slots.seeds.push(seed);
            }
        }
    }
    Ok(slots)
}

/// A slot's parameter must be a PARAMETER with a number, not something the host supplies.
fn check_targets(ast: &Ast, targets: &[String]) -> Vec<Diagnostic> {
    let supplied = ["v", "t", "dt", "celsius", "diam", "area"];
    let is_ion = |name: &str| {
        ast.neuron
            .ions
            .iter()
            .flat_map(|i| i.read.iter().chain(&i.write))
            .any(|ident| ident.name == name)
    };
    targets
        .iter()
        .filter(|t| **t != WEIGHT_FACTOR || !has_weight(ast))
        .filter(|t| !ast.parameters.iter().any(|p| p.name.name == **t) || supplied.contains(&t.as_str()) || is_ion(t))
        .map(|target| {
            let known: Vec<&str> = ast
                .parameters
                .iter()
                .map(|p| p.name.name.as_str())
                .filter(|n| !supplied.contains(n) && !is_ion(n))
                .collect();
            let span = ast.neuron.suffix.as_ref().map_or(ast.neuron.span, |s| s.span);
            Diagnostic::error(
                Code::UnknownSlotParameter,
                span,
                format!("a slot names `{target}`, which is no PARAMETER of this mechanism"),
            )
            .help(format!("name one of: {}", known.join(", ")))
        })
        .collect()
}

/// The time of a spike within its step moves with the voltage, and no hook is told how.
fn spike_times(ast: &Ast, m: &Mechanism) -> Option<Diagnostic> {
    let reads = m.graph.leaves(&m.post_event.roots()).contains(&Leaf::SinceSpike);
    let callable = ast.post_event.as_ref().filter(|_| reads)?;
    Some(
        Diagnostic::error(
            Code::NotDifferentiable,
            callable.params.first().map_or(callable.name.span, |p| p.span),
            "POST_EVENT uses the time since the spike, which moves with the voltage",
        )
        .note("the sensitivities hold spike times fixed, so this one would be wrong")
        .help("build without slots, or let POST_EVENT only count"),
    )
}

/// Which ion quantities mechanisms exchange.
struct Traffic<'a> {
    lowered: &'a [Lowered],
    rebound: &'a [(String, String, String)],
}

impl<'a> Traffic<'a> {
    fn new(lowered: &'a [Lowered], rebound: &'a [(String, String, String)]) -> Self {
        Self { lowered, rebound }
    }

    /// The ions that the `ion`-th ion of mechanism `i` may stand for; none for any.
    fn names(&self, i: usize, ion: usize) -> Option<Vec<&'a str>> {
        let m = &self.lowered[i].mechanism;
        if m.kind == Kind::ReversalPotential {
            return None;
        }
        let own = m.ions[ion].name.as_str();
        let others = self
            .rebound
            .iter()
            .filter(|(mechanism, from, _)| *mechanism == m.name && from == own)
            .map(|(_, _, to)| to.as_str());
        Some(std::iter::once(own).chain(others).collect())
    }

    /// Whether some mechanism changes the quantity.
    fn is_changed(&self, names: Option<&[&str]>, quantity: IonQuantity) -> bool {
        self.lowered.iter().enumerate().any(|(i, one)| {
            let m = &one.mechanism;
            (0..m.ions.len()).any(|ion| {
                let output = match quantity {
                    IonQuantity::Current => Output::IonCurrent(ion),
                    IonQuantity::ReversalPotential => Output::Reversal(ion),
                    IonQuantity::Diffusive => Output::Diffusive(ion),
                    IonQuantity::Internal | IonQuantity::External | IonQuantity::Charge => Output::State(usize::MAX),
                };
                let changes = Hook::ALL.into_iter().any(|h| m.kernel(h).get(output).is_some())
                    || m.concentrations.iter().any(|c| c.ion == ion && c.quantity == quantity);
                changes
                    && match (names, self.names(i, ion)) {
                        (Some(a), Some(b)) => a.iter().any(|name| b.contains(name)),
                        _ => true,
                    }
            })
        })
    }

    /// Positions of the ion reads of mechanism `i` that other mechanisms move.
    fn moved_reads(&self, i: usize) -> Vec<usize> {
        let m = &self.lowered[i].mechanism;
        (0..m.ion_reads.len())
            .filter(|&r| {
                let read = m.ion_reads[r];
                self.is_changed(self.names(i, read.ion).as_deref(), read.quantity)
            })
            .collect()
    }

    /// Names of the ions that need tangents: those of which something that moves is read, or all once reversal
    /// potentials are computed, since nothing says here for which ion.
    fn tangent_ions(&self) -> Vec<String> {
        let all = || self.lowered.iter().enumerate().map(|(i, one)| (i, &one.mechanism));
        let computed = all().any(|(_, m)| m.kind == Kind::ReversalPotential);
        let mut out: Vec<String> = Vec::new();
        for (i, m) in all() {
            if computed {
                out.extend(m.ions.iter().map(|ion| ion.name.clone()));
            }
            for read in self.moved_reads(i) {
                let ion = m.ion_reads[read].ion;
                out.extend(self.names(i, ion).into_iter().flatten().map(str::to_owned));
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Positions of moved reads and of ions with tangents, of mechanism `i`.
    fn movable(&self, i: usize) -> (Vec<usize>, Vec<usize>) {
        let m = &self.lowered[i].mechanism;
        let tangent = self.tangent_ions();
        let ions = (0..m.ions.len())
            .filter(|&ion| match self.names(i, ion) {
                Some(names) => names.iter().any(|n| tangent.iter().any(|t| t == n)),
                None => true,
            })
            .collect();
        (self.moved_reads(i), ions)
    }
}
