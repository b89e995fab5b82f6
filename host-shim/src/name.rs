//! Names of mechanisms as they are painted: `base`, or the derived `base/global=value,ion=other,…` (host-numerics.md
//! §1.5).

use std::collections::BTreeMap;

use crate::catalogue::MechanismInfo;
use crate::sim_error::SimError;

/// A painted name, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MechanismName {
    /// Name in a catalogue.
    pub(crate) base: String,
    /// Name with all assignments: instance sets are ordered by it, byte by byte, and differ where it does.
    pub(crate) full: String,
    /// What follows the slash; meanings depend on the mechanism.
    assignments: Vec<String>,
}

/// What the assignments of a name mean for its mechanism.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Binding {
    /// One value per row of the table of globals.
    pub(crate) globals: Vec<f64>,
    /// Which ion stands for each row of the table of ions.
    pub(crate) ions: Vec<String>,
}

/// Takes `painted` apart and appends the overrides given for it.
pub(crate) fn resolve(painted: &str, overrides: Option<&BTreeMap<String, f64>>) -> MechanismName {
    let mut full = painted.to_owned();
    let (base, suffix) = painted.rsplit_once('/').unwrap_or((painted, ""));
    let mut assignments: Vec<String> = suffix
        .split(',')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    for (global, value) in overrides.into_iter().flatten() {
        let assignment = format!("{global}={value}");
        full.push(if full.contains('/') { ',' } else { '/' });
        full.push_str(&assignment);
        assignments.push(assignment);
    }
    MechanismName {
        base: base.to_owned(),
        full,
        assignments,
    }
}

impl MechanismName {
    /// Globals: defaults, then assignments in order. Ions: `ion=other` lets the mechanism work on another one; for a
    /// mechanism with one ion the other's name alone will do.
    pub(crate) fn bind(&self, cell: usize, info: &MechanismInfo) -> Result<Binding, SimError> {
        let mut binding = Binding {
            globals: info.globals.iter().map(|f| f.default.unwrap_or(f64::NAN)).collect(),
            ions: info.ions.iter().map(|i| i.name.clone()).collect(),
        };
        for assignment in &self.assignments {
            let malformed = || SimError::DerivedName {
                cell,
                mechanism: self.full.clone(),
                assignment: assignment.clone(),
            };
            let (key, value) = match (assignment.split_once('='), info.ions.as_slice()) {
                (Some((key, value)), _) => (key.trim(), value.trim()),
                (None, [only]) => (only.name.as_str(), assignment.trim()),
                (None, _) => return Err(malformed()),
            };
            if let Some(row) = info.ions.iter().position(|i| i.name == key) {
                value.clone_into(&mut binding.ions[row]);
                continue;
            }
            let value = value.parse().map_err(|_| malformed())?;
            let (row, value) = self.global(cell, info, key, value)?;
            binding.globals[row] = value;
        }
        let twice = |ion: &&String| binding.ions.iter().filter(|i| i == ion).count() > 1;
        match binding.ions.iter().find(twice) {
            Some(ion) => Err(SimError::IonBoundTwice {
                cell,
                mechanism: self.full.clone(),
                ion: ion.clone(),
            }),
            None => Ok(binding),
        }
    }

    fn global(&self, cell: usize, info: &MechanismInfo, global: &str, value: f64) -> Result<(usize, f64), SimError> {
        let (mechanism, global) = (self.base.clone(), global.to_owned());
        let Some(row) = info.global(&global) else {
            return Err(SimError::UnknownGlobal {
                cell,
                mechanism,
                global,
            });
        };
        let (low, high) = (info.globals[row].low, info.globals[row].high);
        // Also refuses NaN.
        if value.is_finite() && low <= value && value <= high {
            return Ok((row, value));
        }
        Err(SimError::GlobalRange {
            cell,
            mechanism,
            global,
            value,
            low,
            high,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{FieldInfo, IonDependency, MechanismKind};

    fn info(globals: &[&str], ions: &[&str]) -> MechanismInfo {
        let field = |name: &&str| FieldInfo {
            name: (*name).into(),
            unit: String::new(),
            default: Some(0.5),
            low: -100.0,
            high: 100.0,
        };
        let ion = |name: &&str| IonDependency {
            name: (*name).into(),
            ..IonDependency::default()
        };
        MechanismInfo {
            name: "m".into(),
            fingerprint: String::new(),
            kind: MechanismKind::Density,
            is_linear: false,
            has_post_events: false,
            globals: globals.iter().map(field).collect(),
            states: vec![],
            parameters: vec![],
            ions: ions.iter().map(ion).collect(),
            random_variables: vec![],
            partition_width: 1,
            alignment: 8,
        }
    }

    #[test]
    fn assignments_follow_the_last_slash() {
        let name = resolve("pas/e=-60,g=1e-3", None);
        assert_eq!((name.base.as_str(), name.full.as_str()), ("pas", "pas/e=-60,g=1e-3"));
        let binding = name.bind(0, &info(&["g", "q", "e"], &[])).unwrap();
        assert_eq!(binding.globals, [1e-3, 0.5, -60.0]);
        assert_eq!(resolve("hh", None).full, "hh");
    }

    #[test]
    fn overrides_become_part_of_the_name() {
        let overrides = BTreeMap::from([("e".to_owned(), -61.5), ("g".to_owned(), 0.001)]);
        let name = resolve("pas", Some(&overrides));
        assert_eq!(name.full, "pas/e=-61.5,g=0.001");
        assert_eq!(name.bind(0, &info(&["e", "g"], &[])).unwrap().globals, [-61.5, 0.001]);
        assert_eq!(resolve("pas/e=1", Some(&overrides)).full, "pas/e=1,e=-61.5,g=0.001");
    }

    #[test]
    fn ions_are_rebound() {
        let one = info(&["q"], &["x"]);
        assert_eq!(resolve("nernst/x=ca", None).bind(0, &one).unwrap().ions, ["ca"]);
        assert_eq!(resolve("nernst/ca", None).bind(0, &one).unwrap().ions, ["ca"]);
        let both = resolve("nernst/q=2,x=ca", None).bind(0, &one).unwrap();
        assert_eq!((both.globals, both.ions), (vec![2.0], vec!["ca".to_owned()]));
        let two = info(&[], &["x", "gd_ion_x__k"]);
        let name = resolve("gd_nernst/x=ca,gd_ion_x__k=gd_ion_ca__k", None);
        assert_eq!(name.bind(0, &two).unwrap().ions, ["ca", "gd_ion_ca__k"]);
        let swapped = resolve("m/x=gd_ion_x__k,gd_ion_x__k=x", None);
        assert_eq!(swapped.bind(0, &two).unwrap().ions, ["gd_ion_x__k", "x"]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let refused = |text: &str, info: &MechanismInfo| resolve(text, None).bind(0, info).unwrap_err();
        let pas = info(&["e"], &[]);
        for text in ["pas/e", "pas/e=1.2.3", "pas/x=ca"] {
            let error = refused(text, &pas);
            assert!(matches!(error, SimError::DerivedName { .. }), "{error}");
        }
        assert!(matches!(refused("pas/f=1", &pas), SimError::UnknownGlobal { .. }));
        assert!(matches!(refused("pas/e=101", &pas), SimError::GlobalRange { .. }));
        assert!(matches!(refused("pas/e=nan", &pas), SimError::GlobalRange { .. }));
        let two = info(&[], &["x", "y"]);
        assert!(matches!(refused("m/ca", &two), SimError::DerivedName { .. }));
        assert!(matches!(refused("m/x=y", &two), SimError::IonBoundTwice { .. }));
    }
}
