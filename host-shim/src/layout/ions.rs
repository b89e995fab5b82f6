//! Ions of a cell: where each has a record, and who writes its concentrations (host-numerics.md §3.4, §5.3).

use std::collections::BTreeMap;

use mech_abi::AbiLevel;

use super::junction::Site;
use super::{CellLayout, CellMechanism, Context, overlapping, sorted};
use crate::catalogue::{IonDependency, MechanismKind};
use crate::morphology::Cable;
use crate::sim_error::SimError;

/// One ion on one cell: on the CVs where some density mechanism or point process uses it, on all if it diffuses.
#[derive(Default)]
pub(crate) struct CellIon {
    pub(crate) valence: i32,
    /// CVs of the cell, ascending.
    pub(crate) cv: Vec<usize>,
    pub(crate) internal: Concentration,
    pub(crate) external: Concentration,
    pub(crate) reversal_mv: f64,
    pub(crate) carries_current: bool,
    /// Whether anything but its internal concentration may be asked for.
    pub(crate) complete: bool,
    /// Exchange with the parent per CV, µm³ per µs; none if the ion does not diffuse.
    pub(crate) diffusive_faces: Option<Vec<f64>>,
}

/// One side of an ion.
#[derive(Default)]
pub(crate) struct Concentration {
    pub(crate) written: bool,
    pub(crate) initial_mm: f64,
    /// Part of the area that no writer covers, per entry of [`CellIon::cv`].
    pub(crate) unwritten: Vec<f64>,
}

impl Context<'_> {
    /// `supports` are the cables that density mechanisms cover.
    pub(super) fn ions(
        &self,
        mechanisms: &BTreeMap<String, CellMechanism>,
        supports: &[(String, Vec<Cable>)],
        sites: &[Site],
    ) -> Result<BTreeMap<String, CellIon>, SimError> {
        let mut ions: BTreeMap<String, CellIon> = BTreeMap::new();
        for (name, properties) in &self.cell.ions {
            let d = properties.diffusivity_m2_per_s;
            if d == 0.0 {
                continue;
            }
            if !(d.is_finite() && d > 0.0) {
                return Err(self.bad_ion(name, "diffusivity", d));
            }
            let ion = ions.entry(name.clone()).or_default();
            ion.cv = (0..self.discretisation.n_cvs()).collect();
            ion.diffusive_faces = Some(self.discretisation.diffusive_faces(&self.cell.morphology, d));
        }
        let giving = |set: &&CellMechanism| set.handle.info().kind != MechanismKind::Voltage;
        for set in mechanisms.values().filter(giving) {
            for (name, dependency) in set.dependencies() {
                let ion = ions.entry(name.to_owned()).or_default();
                ion.internal.written |= dependency.write_internal;
                ion.external.written |= dependency.write_external;
                ion.cv.extend(&set.cv);
            }
        }
        for (name, dependency) in sites.iter().flat_map(|s| s.set.dependencies()) {
            if let Some(ion) = ions.get_mut(name) {
                ion.internal.written |= dependency.write_internal;
                ion.external.written |= dependency.write_external;
            }
        }
        for (name, ion) in &mut ions {
            ion.cv.sort_unstable();
            ion.cv.dedup();
            self.initial(name, ion)?;
            let users = mechanisms.values().chain(sites.iter().map(|s| &s.set));
            ion.complete = ion.carries_current
                || ion.diffusive_faces.is_some()
                || users.flat_map(uses).any(|(of, more)| of == name && more);
            let writers = |wanted: fn(&IonDependency) -> bool| -> Vec<Cable> {
                let writing = supports.iter().filter(|(full, _)| {
                    let mut uses = mechanisms.get(full).into_iter().flat_map(CellMechanism::dependencies);
                    uses.any(|(ion, d)| ion == name && wanted(d))
                });
                sorted(writing.flat_map(|(_, cables)| cables).copied())
            };
            let internal = writers(|d| d.write_internal);
            let external = writers(|d| d.write_external);
            ion.internal.unwritten = self.unwritten(name, "internal", &ion.cv, &internal)?;
            ion.external.unwritten = self.unwritten(name, "external", &ion.cv, &external)?;
        }
        Ok(ions)
    }

    fn bad_ion(&self, ion: &str, what: &'static str, value: f64) -> SimError {
        SimError::BadIon {
            cell: self.index,
            ion: ion.to_owned(),
            what,
            value,
        }
    }

    fn initial(&self, name: &str, ion: &mut CellIon) -> Result<(), SimError> {
        let Some(properties) = self.cell.ions.get(name) else {
            // Every mechanism's ions were checked when it was named.
            return Ok(());
        };
        for (what, value) in [
            ("reversal potential", properties.rev_mv),
            ("internal concentration", properties.int_mm),
            ("external concentration", properties.ext_mm),
        ] {
            if !value.is_finite() {
                return Err(self.bad_ion(name, what, value));
            }
        }
        ion.valence = properties.valence;
        ion.reversal_mv = properties.rev_mv;
        ion.carries_current = properties.carries_current;
        ion.internal.initial_mm = properties.int_mm;
        ion.external.initial_mm = properties.ext_mm;
        Ok(())
    }

    /// Part of each CV's area that no writer covers.
    fn unwritten(&self, ion: &str, side: &'static str, cvs: &[usize], writers: &[Cable]) -> Result<Vec<f64>, SimError> {
        if let Some((first, second)) = overlapping(writers) {
            return Err(SimError::OverlappingWriters {
                cell: self.index,
                ion: ion.to_owned(),
                side,
                first,
                second,
            });
        }
        let mut free = vec![1.0; cvs.len()];
        for (cv, area) in self.discretisation.overlap(&self.cell.morphology, writers) {
            if let Ok(at) = cvs.binary_search(&cv) {
                let rest = 1.0 - area / self.discretisation.area_um2[cv];
                // What remains of a fully covered CV is rounding error.
                free[at] = if rest > 1e-12 { rest } else { 0.0 };
            }
        }
        Ok(free)
    }
}

/// The ions of a mechanism, each with whether it may want more than the internal concentration. Level 0.6 does not say
/// what it reads.
fn uses(set: &CellMechanism) -> impl Iterator<Item = (&str, bool)> {
    let unsaid = set.handle.abi() == AbiLevel::V0_6;
    set.dependencies().map(move |(ion, d)| {
        let external = d.read_external || d.write_external;
        let reversal = d.read_reversal || d.write_reversal;
        (ion, unsaid || external || reversal || d.use_diffusive)
    })
}

impl CellLayout {
    /// Every mechanism finds its ions wherever it has instances. Arbor does not check it, and reads past the ion's arrays.
    pub(crate) fn check_ions(&self, cell: usize) -> Result<(), SimError> {
        for (full, set) in &self.mechanisms {
            for (ion, _) in set.dependencies() {
                let record: &[usize] = self.ions.get(ion).map_or(&[], |i| &i.cv);
                if let Some(&cv) = set.cv.iter().find(|cv| record.binary_search(cv).is_err()) {
                    return Err(SimError::IonAbsent {
                        cell,
                        mechanism: full.clone(),
                        ion: ion.to_owned(),
                        cv,
                    });
                }
            }
        }
        Ok(())
    }
}
