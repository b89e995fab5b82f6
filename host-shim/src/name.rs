//! Names of mechanisms as they are painted: `base`, or the derived `base/global=value,…` (host-numerics.md §1.5).

use std::collections::BTreeMap;

use crate::catalogue::MechanismInfo;
use crate::sim_error::{Feature, SimError};

/// A painted name, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MechanismName {
    /// Name in a catalogue.
    pub(crate) base: String,
    /// Name with all assignments: instance sets are ordered by it, byte by byte, and differ where it does.
    pub(crate) full: String,
    /// (global, value, as written).
    assignments: Vec<(String, f64)>,
}

/// Takes `painted` apart and appends the overrides given for it.
pub(crate) fn resolve(
    cell: usize,
    painted: &str,
    overrides: Option<&BTreeMap<String, f64>>,
) -> Result<MechanismName, SimError> {
    let mut full = painted.to_owned();
    let (base, suffix) = painted.rsplit_once('/').unwrap_or((painted, ""));
    let mut assignments = Vec::new();
    for part in suffix.split(',').filter(|part| !part.is_empty()) {
        let malformed = || SimError::DerivedName {
            cell,
            mechanism: painted.to_owned(),
            assignment: part.to_owned(),
        };
        let (key, value) = part.split_once('=').ok_or_else(malformed)?;
        let value: f64 = match value.trim().parse() {
            Ok(value) => value,
            // `x=ca`: a name on the right rebinds an ion.
            Err(_) if value.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                return Err(SimError::Unsupported {
                    mechanism: painted.to_owned(),
                    feature: Feature::IonRebinding,
                });
            }
            Err(_) => return Err(malformed()),
        };
        assignments.push((key.trim().to_owned(), value));
    }
    for (global, &value) in overrides.into_iter().flatten() {
        full.push(if full.contains('/') { ',' } else { '/' });
        full.push_str(&format!("{global}={value}"));
        assignments.push((global.clone(), value));
    }
    Ok(MechanismName {
        base: base.to_owned(),
        full,
        assignments,
    })
}

impl MechanismName {
    /// Values of the mechanism's globals: defaults, then assignments in order.
    pub(crate) fn globals(&self, cell: usize, info: &MechanismInfo) -> Result<Vec<f64>, SimError> {
        let mut values: Vec<f64> = info.globals.iter().map(|f| f.default.unwrap_or(f64::NAN)).collect();
        for (global, value) in &self.assignments {
            let (mechanism, global, value) = (self.base.clone(), global.clone(), *value);
            let Some(row) = info.global(&global) else {
                return Err(SimError::UnknownGlobal {
                    cell,
                    mechanism,
                    global,
                });
            };
            let (low, high) = (info.globals[row].low, info.globals[row].high);
            // Also refuses NaN.
            if !(value.is_finite() && low <= value && value <= high) {
                return Err(SimError::GlobalRange {
                    cell,
                    mechanism,
                    global,
                    value,
                    low,
                    high,
                });
            }
            values[row] = value;
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_follow_the_last_slash() {
        let name = resolve(0, "pas/e=-60,g=1e-3", None).unwrap();
        assert_eq!((name.base.as_str(), name.full.as_str()), ("pas", "pas/e=-60,g=1e-3"));
        assert_eq!(name.assignments, [("e".to_owned(), -60.0), ("g".to_owned(), 1e-3)]);
        assert_eq!(resolve(0, "hh", None).unwrap().full, "hh");
    }

    #[test]
    fn overrides_become_part_of_the_name() {
        let overrides = BTreeMap::from([("e".to_owned(), -61.5), ("g".to_owned(), 0.001)]);
        assert_eq!(resolve(0, "pas", Some(&overrides)).unwrap().full, "pas/e=-61.5,g=0.001");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(matches!(resolve(0, "pas/e", None), Err(SimError::DerivedName { .. })));
        assert!(matches!(
            resolve(0, "pas/e=1.2.3", None),
            Err(SimError::DerivedName { .. })
        ));
        let feature = Feature::IonRebinding;
        assert!(
            matches!(resolve(0, "nernst/x=ca", None), Err(SimError::Unsupported { feature: f, .. }) if f == feature)
        );
    }
}
