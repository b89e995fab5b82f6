//! Ions of a cell and the mechanisms that compute their reversal potentials.

use std::collections::BTreeMap;

use host_shim::{IonProperties, default_ions};

use super::PlanError;
use super::cell::{Cx, Seeding};
use super::sources::{Kind, MethodName, method_name};
use crate::experiment::{Ion, Region, ReversalMethod};

/// How a reversal potential is computed; its parameters are the same on the whole cell.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedMethod {
    /// The mechanism in its source.
    pub mechanism: String,
    /// Ions of the source and what they are on the cell.
    pub ions: BTreeMap<String, String>,
    /// Values of parameters that are not RANGE.
    pub globals: BTreeMap<String, f64>,
    /// Parameters that no slot moves.
    pub parameters: BTreeMap<String, f64>,
    /// Parameters that slots move.
    pub seeds: Vec<Seeding>,
}

impl Cx<'_> {
    pub(super) fn ions(&self) -> Result<BTreeMap<String, IonProperties>, PlanError> {
        let mut ions = default_ions();
        for (name, given) in &self.cell.ions {
            let place = format!("{}.ions.{name}", self.place);
            let ion = self.ion(given, ions.get(name), &place)?;
            ions.insert(name.clone(), ion);
        }
        Ok(ions)
    }

    fn ion(&self, given: &Ion, old: Option<&IonProperties>, place: &str) -> Result<IonProperties, PlanError> {
        let missing = |field: &'static str| PlanError::IncompleteIon {
            place: place.into(),
            field,
        };
        let number =
            |value: Option<f64>, old: Option<f64>, field: &'static str| value.or(old).ok_or_else(|| missing(field));
        let of = |field: fn(&IonProperties) -> f64| old.map(field);
        let valence = given.valence.or(old.map(|o| o.valence));
        let mut ion = IonProperties::new(
            valence.ok_or_else(|| missing("valence"))?,
            number(given.internal_mm, of(|o| o.int_mm), "internal_mm")?,
            number(given.external_mm, of(|o| o.ext_mm), "external_mm")?,
            number(given.reversal_mv, of(|o| o.rev_mv), "reversal_mv")?,
        );
        let diffusivity = given.diffusivity_m2_per_s;
        if !(diffusivity.is_finite() && diffusivity >= 0.0) {
            return Err(PlanError::Value {
                place: format!("{place}.diffusivity_m2_per_s"),
                value: diffusivity,
                rule: "finite and not negative",
            });
        }
        ion.diffusivity_m2_per_s = diffusivity;
        Ok(ion)
    }

    /// By ion.
    pub(super) fn methods(&self) -> Result<BTreeMap<String, PlannedMethod>, PlanError> {
        let mut methods = BTreeMap::new();
        for (name, given) in &self.cell.ions {
            if let Some(method) = &given.reversal_method {
                let place = format!("{}.ions.{name}.reversal_method", self.place);
                methods.insert(name.clone(), self.method(name, method, &place)?);
            }
        }
        Ok(methods)
    }

    fn method(&self, ion: &str, method: &ReversalMethod, place: &str) -> Result<PlannedMethod, PlanError> {
        let full = method_name(method);
        let name = MethodName::parse(full);
        let mechanism = self.mechanism(name.base, place)?;
        self.of_kind(mechanism, &[Kind::Reversal], place)?;
        let own: Vec<String> = mechanism.ions.iter().map(|i| i.name.clone()).collect();
        let mut ions: BTreeMap<String, String> = own.iter().map(|i| (i.clone(), i.clone())).collect();
        let mut globals = BTreeMap::new();
        for (left, right) in &name.assignments {
            let unknown = |name: &str| PlanError::Unknown {
                place: place.into(),
                what: "ion or global parameter",
                name: name.into(),
                known: own
                    .iter()
                    .chain(mechanism.globals.iter().map(|g| &g.name))
                    .cloned()
                    .collect(),
            };
            match (left, own.as_slice()) {
                (None, [only]) => ions.insert(only.clone(), (*right).to_string()),
                (None, _) => return Err(unknown(right)),
                (Some(left), _) if ions.contains_key(*left) => ions.insert((*left).to_string(), (*right).to_string()),
                (Some(left), _) => {
                    let number: Option<f64> = right.parse().ok().filter(|x: &f64| x.is_finite());
                    match number.filter(|_| mechanism.globals.iter().any(|g| g.name == *left)) {
                        Some(value) => globals.insert((*left).to_string(), value),
                        None => return Err(unknown(left)),
                    };
                    None
                }
            };
        }
        if !ions.values().any(|i| i == ion) {
            return Err(PlanError::OtherIon {
                place: place.into(),
                method: full.into(),
                ion: ion.into(),
            });
        }
        let given = match method {
            ReversalMethod::Named(_) => &BTreeMap::new(),
            ReversalMethod::With(with) => &with.parameters,
        };
        let mut all_globals = BTreeMap::from([(mechanism.name.clone(), globals)]);
        let mut parameters = self.split_globals(mechanism, given, &mut all_globals, place)?;
        let mut seeds = Vec::new();
        for (slot, target, here) in self.targets(&mechanism.name) {
            if target.region != Region::all() || target.synapse.is_some() {
                return Err(PlanError::WholeCell {
                    place: here,
                    mechanism: mechanism.name.clone(),
                });
            }
            self.seed(&mut parameters, &mut seeds, mechanism, slot, &target.parameter, &here)?;
        }
        self.all_set(mechanism, &parameters, &seeds, place)?;
        Ok(PlannedMethod {
            mechanism: mechanism.name.clone(),
            ions,
            globals: all_globals.remove(&mechanism.name).unwrap_or_default(),
            parameters,
            seeds,
        })
    }
}
