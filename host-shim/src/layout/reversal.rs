//! Instances of the mechanisms that compute reversal potentials (host-numerics.md §5.3).
//!
//! An ion names its method. A method that writes several ions must be named, with the same parameters, by each of them.

use std::collections::BTreeMap;

use super::{CellIon, CellMechanism, Context};
use crate::catalogue::MechanismKind;
use crate::cell::ReversalMethod;
use crate::sim_error::SimError;

impl Context<'_> {
    /// Adds a set of instances per method, on all CVs of the ions that name it. An ion that nothing uses needs none.
    pub(super) fn reversal_potentials(
        &self,
        ions: &BTreeMap<String, CellIon>,
        mechanisms: &mut BTreeMap<String, CellMechanism>,
    ) -> Result<(), SimError> {
        let method_of = |ion: &str| self.cell.ions.get(ion).and_then(|p| p.reversal_method.as_ref());
        for (ion, properties) in &self.cell.ions {
            let Some(method) = &properties.reversal_method else {
                continue;
            };
            let (full, mut set) = self.named(&method.mechanism, MechanismKind::ReversalPotential)?;
            self.check_method(ion, method, &set, method_of)?;
            let values = self.values(set.handle.info(), &method.mechanism, &method.parameters, None)?;
            let Some(record) = ions.get(ion) else { continue };
            if let Some(known) = mechanisms.remove(&full) {
                set = known;
            }
            set.cv.extend(&record.cv);
            set.cv.sort_unstable();
            set.cv.dedup();
            // It adds no current.
            set.weight = vec![0.0; set.cv.len()];
            set.parameters = values.iter().map(|&value| vec![value; set.cv.len()]).collect();
            if !set.cv.is_empty() {
                mechanisms.insert(full, set);
            }
        }
        Ok(())
    }

    fn check_method<'a>(
        &self,
        ion: &str,
        method: &ReversalMethod,
        set: &CellMechanism,
        method_of: impl Fn(&str) -> Option<&'a ReversalMethod>,
    ) -> Result<(), SimError> {
        let bad = |ion: &str, what| SimError::Reversal {
            cell: self.index,
            mechanism: method.mechanism.clone(),
            ion: ion.to_owned(),
            what,
        };
        let mut writes_own = false;
        for (name, dependency) in set.dependencies() {
            if !dependency.write_reversal {
                continue;
            }
            if dependency.write_internal || dependency.write_external {
                return Err(bad(name, "writes a concentration too"));
            }
            writes_own |= name == ion;
            match method_of(name) {
                Some(other) if other == method => (),
                Some(_) => return Err(bad(name, "is not the method that this ion names")),
                None => return Err(bad(name, "writes this ion too, which names no method")),
            }
        }
        if writes_own {
            Ok(())
        } else {
            Err(bad(ion, "does not write its reversal potential"))
        }
    }
}
