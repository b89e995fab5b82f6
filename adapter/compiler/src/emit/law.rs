//! A control law inside the mechanism that carries its objective: parameters that move by themselves.
//!
//! A controlled slot's value θ is a stored variable of each instance, as is E = ∂e/∂θ of the objective e. At the end of
//! `advance_state`, when E is that of the step's end,
//!
//! ```text
//! θ ← bounds(θ − dt α s g)        g = E                                memory: accumulated
//!                                 g = (E − e^(−λ dt) E before)/dt      memory: increment
//! p = p painted + Σ ∂p/∂θ (θ − θ at the start)
//! ```
//!
//! with the change bounded by dt s times a greatest rate, and every kernel of the next step reads p. That is what a
//! controller would do that reads E and writes p between all steps, so a host that only advances states runs the
//! controlled cell. Gains are 0 unless painted: then p is what is painted, to the last bit.
//!
//! Sensitivities are clipped before, by each mechanism its own; those of the voltage by the carrier, at the beginning of the
//! next step, when nobody has read them yet.

use std::fmt::Write as _;

use super::Names;
use super::mechanism::Unit;
use crate::ir::mechanism::{Field, Hook};

/// A control law for one mechanism of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Law {
    /// The mechanism.
    pub mechanism: String,
    /// Its stored variable that is to become small.
    pub objective: String,
    /// The slots that move.
    pub slots: Vec<String>,
    /// Whether slots follow what the objective gains in a step, rather than the objective itself.
    pub increment: bool,
    /// Whether sensitivities are clipped: of all mechanisms, and of the voltage.
    pub clips: bool,
}

/// A slot's number that is painted: name in the catalogue, unit, default.
type Painted = (fn(&str) -> String, &'static str, f64);

/// A controlled slot's numbers.
const PAINTED: [Painted; 6] = [
    (Names::start, "", 0.0),
    (Names::gain, "/ms", 0.0),
    (Names::scale, "", 1.0),
    (Names::max_rate, "/ms", f64::MAX),
    (Names::least, "", f64::MIN),
    (Names::greatest, "", f64::MAX),
];

/// Bound on sensitivities, of a mechanism and of the carrier.
pub(super) fn clip_parameter() -> Field {
    field(Names::CLIP.into(), "", f64::MAX)
}

fn field(name: String, unit: &str, default: f64) -> Field {
    Field {
        name,
        unit: unit.into(),
        default,
        limits: (f64::MIN, f64::MAX),
    }
}

/// The law in a mechanism, with positions instead of names.
struct Here<'a> {
    law: &'a Law,
    /// Position of the objective among the variables that carry sensitivities.
    objective: usize,
    /// Positions of the controlled slots among those of the catalogue.
    slots: Vec<usize>,
    /// Parameters that they move, ascending.
    moved: Vec<usize>,
    /// The first parameter and the first stored variable of the law.
    parameter: usize,
    state: usize,
}

impl Here<'_> {
    /// C of a slot's painted number; `which` as in [`PAINTED`].
    fn painted(&self, slot: usize, which: usize) -> String {
        format!(
            "pp->parameters[{}] + begin",
            self.parameter + PAINTED.len() * slot + which
        )
    }

    fn begin(&self) -> String {
        let at = self.parameter + PAINTED.len() * self.slots.len();
        format!("pp->parameters[{at}] + begin")
    }

    fn theta(&self, slot: usize) -> String {
        format!("pp->state_vars[{}] + begin", self.state + slot)
    }

    fn now(&self, moved: usize) -> String {
        let at = self.state + self.slots.len() + moved;
        format!("pp->state_vars[{at}] + begin")
    }

    fn wait(&self) -> String {
        let at = self.state + self.slots.len() + self.moved.len();
        format!("pp->state_vars[{at}] + begin")
    }

    fn before(&self, slot: usize) -> String {
        let at = self.state + self.slots.len() + self.moved.len() + 1 + slot;
        format!("pp->state_vars[{at}] + begin")
    }
}

impl Unit<'_> {
    /// The law, if it is this mechanism's.
    fn law(&self) -> Option<Here<'_>> {
        let (_, slots) = self.tangent?;
        let law = slots.law.as_ref().filter(|law| law.mechanism == self.mechanism.name)?;
        let states = &self.mechanism.states;
        let objective = self.active(states.iter().position(|s| s.name == law.objective)?)?;
        let of = |name: &String| slots.names.iter().position(|n| n == name);
        let controlled: Vec<usize> = law.slots.iter().filter_map(of).collect();
        let columns = self.seed_columns();
        let mut moved: Vec<usize> = (columns.iter())
            .filter(|(slot, ..)| controlled.contains(slot))
            .map(|&(_, parameter, _)| parameter)
            .collect();
        moved.sort_unstable();
        moved.dedup();
        Some(Here {
            law,
            objective,
            slots: controlled,
            moved,
            parameter: self.mechanism.parameters.len() + columns.len() + usize::from(self.clips()),
            state: self.mechanism.states.len() + self.sensitivity_columns() + self.term_states().len(),
        })
    }

    /// Whether the mechanism clips its sensitivities.
    fn clips(&self) -> bool {
        self.active_count() > 0 && self.tangent.is_some_and(|(_, slots)| slots.clips())
    }

    /// The parameters that the law adds, after the seeds.
    pub(super) fn law_parameters(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = self.clips().then(clip_parameter).into_iter().collect();
        if let Some(here) = self.law() {
            for slot in &here.law.slots {
                fields.extend(
                    PAINTED
                        .iter()
                        .map(|(name, unit, default)| field(name(slot), unit, *default)),
                );
            }
            fields.push(field(Names::BEGIN.into(), "ms", 0.0));
        }
        fields
    }

    /// The stored variables that the law adds, after all others.
    pub(super) fn law_states(&self) -> Vec<Field> {
        let Some(here) = self.law() else { return Vec::new() };
        let of_slots = |name: fn(&str) -> String| here.law.slots.iter().map(move |s| field(name(s), "", 0.0));
        let mut fields: Vec<Field> = of_slots(Names::controlled).collect();
        for &parameter in &here.moved {
            let moved = &self.mechanism.parameters[parameter];
            fields.push(field(Names::present(&moved.name), &moved.unit, 0.0));
        }
        fields.push(field(Names::WAIT.into(), "ms", 0.0));
        if here.law.increment {
            fields.extend(of_slots(Names::before));
        }
        fields
    }

    /// How a parameter is loaded in a loop over instances, if it moves: pointers, and its present value.
    pub(super) fn moving_parameter(&self, hook: Hook, parameter: usize) -> Option<(String, String)> {
        // INITIAL comes before anything has moved
        let here = self
            .law()
            .filter(|here| hook != Hook::Init && here.moved.contains(&parameter))?;
        let name = &self.mechanism.parameters[parameter].name;
        let mut pointers = String::new();
        let mut value = format!("p_{name}__at[j]");
        for (slot, _, column) in self.controlled_seeds(&here, parameter) {
            let (theta, start) = (here.theta(slot), here.painted(slot, 0));
            let tag = format!("{name}__{slot}");
            let _ = write!(
                pointers,
                "        const double *seed_{tag} = pp->parameters[{column}] + begin, *theta_{tag} = {theta};
        const double* start_{tag} = {start};
"
            );
            value = format!("gd_fma(seed_{tag}[j], theta_{tag}[j] - start_{tag}[j], {value})");
        }
        Some((pointers, value))
    }

    /// The seeds by which controlled slots move a parameter; slots by their position in the law.
    fn controlled_seeds(&self, here: &Here<'_>, parameter: usize) -> Vec<(usize, usize, usize)> {
        let columns = self.seed_columns().into_iter();
        columns
            .filter(|&(_, of, _)| of == parameter)
            .filter_map(|(slot, of, column)| Some((here.slots.iter().position(|&s| s == slot)?, of, column)))
            .collect()
    }

    /// What the law does at the end of a hook, block by block.
    pub(super) fn law_block(&self, hook: Hook) -> String {
        let mut text = String::new();
        if !matches!(hook, Hook::Init | Hook::Advance) {
            return text;
        }
        if self.clips() {
            text.push_str(&self.clip_block());
        }
        if let Some(here) = self.law() {
            text.push_str(&match hook {
                Hook::Init => self.law_at_rest(&here),
                Hook::Advance | Hook::Currents | Hook::NetReceive | Hook::PostEvent => self.law_step(&here),
            });
        }
        text
    }

    /// Scales sensitivities down whose norm over the slots exceeds the bound.
    fn clip_block(&self) -> String {
        let column = format!(
            "pp->state_vars[{} + {} * k + a]",
            self.mechanism.states.len(),
            self.active_count()
        );
        let bound = self.mechanism.parameters.len() + self.seeds().len();
        format!(
            "        /* norms over the slots are bounded */
        for (uint32_t a = 0; a < {}; ++a) {{
            const double* clip = pp->parameters[{bound}] + begin;
            for (uint32_t j = 0; j < n; ++j) {{
                double square = 0.0;
                for (uint32_t k = 0; k < N_SLOTS; ++k) square += {column}[begin + j] * {column}[begin + j];
                const double norm = sqrt(square);
                if (!(norm > clip[j])) continue;
                for (uint32_t k = 0; k < N_SLOTS; ++k) {column}[begin + j] *= clip[j] / norm;
            }}
        }}
",
            self.active_count()
        )
    }

    fn law_at_rest(&self, here: &Here<'_>) -> String {
        let mut text = format!(
            "        memcpy({}, {}, n * sizeof(double));\n",
            here.wait(),
            here.begin()
        );
        for slot in 0..here.slots.len() {
            let (theta, start) = (here.theta(slot), here.painted(slot, 0));
            let _ = writeln!(text, "        memcpy({theta}, {start}, n * sizeof(double));");
            if here.law.increment {
                let (before, sensitivity) = (here.before(slot), self.objective_sensitivity(here, slot));
                let _ = writeln!(text, "        memcpy({before}, {sensitivity}, n * sizeof(double));");
            }
        }
        for (i, parameter) in here.moved.iter().enumerate() {
            let now = here.now(i);
            let _ = writeln!(
                text,
                "        memcpy({now}, pp->parameters[{parameter}] + begin, n * sizeof(double));"
            );
        }
        text
    }

    /// C of ∂e/∂θ.
    fn objective_sensitivity(&self, here: &Here<'_>, slot: usize) -> String {
        let column = self.sensitivity_column(here.objective, &here.slots[slot].to_string());
        format!("{column} + begin")
    }

    fn law_step(&self, here: &Here<'_>) -> String {
        let mut text = format!(
            "        /* theta' = -alpha s d(e)/d(theta), from the time on at which control begins */
        double* restrict wait = {};
",
            here.wait()
        );
        if here.law.increment {
            let _ = writeln!(
                text,
                "        const double kept = gd_decay(pp->globals[{}], pp->dt);",
                self.mechanism.globals.len()
            );
        }
        for (slot, name) in here.law.slots.iter().enumerate() {
            let _ = write!(
                text,
                "        {{ /* {name} */
            double* restrict theta = {};
            const double* sensitivity = {};
",
                here.theta(slot),
                self.objective_sensitivity(here, slot)
            );
            for (which, name) in ["gain", "scale", "rate", "least", "greatest"].iter().enumerate() {
                let _ = writeln!(
                    text,
                    "            const double* {name} = {};",
                    here.painted(slot, which + 1)
                );
            }
            let mut along = "sensitivity[j]";
            let mut after = String::new();
            if here.law.increment {
                let _ = writeln!(text, "            double* restrict before = {};", here.before(slot));
                along = "(sensitivity[j] - kept * before[j]) / pp->dt";
                after = "                before[j] = sensitivity[j];\n".into();
            }
            let _ = write!(
                text,
                "            for (uint32_t j = 0; j < n; ++j) {{
                const double along = {along};
                const double most = rate[j] * scale[j] * pp->dt;
                double step = -pp->dt * gain[j] * scale[j] * along;
                if (!(fabs(along) < INFINITY)) step = NAN; /* which stays, and shows in the voltage */
                step = step < -most ? -most : step > most ? most : step;
                step += theta[j];
                step = step < least[j] ? least[j] : step > greatest[j] ? greatest[j] : step;
                if (wait[j] <= 1e-6 * pp->dt) theta[j] = step;
{after}            }}
        }}
"
            );
        }
        for (i, &parameter) in here.moved.iter().enumerate() {
            let Some((pointers, value)) = self.moving_parameter(Hook::Advance, parameter) else {
                continue;
            };
            let name = &self.mechanism.parameters[parameter].name;
            let _ = write!(
                text,
                "        {{ /* as samples show it */
            double* restrict now = {};
            const double* p_{name}__at = pp->parameters[{parameter}] + begin;
{}            for (uint32_t j = 0; j < n; ++j) now[j] = {value};
        }}
",
                here.now(i),
                pointers.replace("        const", "            const")
            );
        }
        text.push_str("        for (uint32_t j = 0; j < n; ++j) wait[j] -= wait[j] <= 1e-6 * pp->dt ? 0.0 : pp->dt;\n");
        text
    }
}
