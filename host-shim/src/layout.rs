//! From a cell description to the instances of its mechanisms, CV by CV (host-numerics.md §4.4, §5.3, §6).
//!
//! Knows nothing of memory or time, and of the group only what gap junctions must know of it.

mod density;
mod ions;
mod junction;
mod point;
mod reversal;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Catalogue;
use crate::catalogue::{IonDependency, MechanismInfo, MechanismKind};
use crate::cell::CellDescription;
use crate::discretise::{Discretisation, discretise};
use crate::load::MechanismHandle;
use crate::morphology::{Cable, Location};
use crate::name;
use crate::sim_error::SimError;
pub(crate) use ions::CellIon;
pub(crate) use junction::connect;

/// A cell, laid out.
pub(crate) struct CellLayout {
    pub(crate) discretisation: Discretisation,
    /// By full name.
    pub(crate) mechanisms: BTreeMap<String, CellMechanism>,
    /// By ion name.
    pub(crate) ions: BTreeMap<String, CellIon>,
    /// By target number: full name of the mechanism, and instance on this cell.
    pub(crate) targets: Vec<(String, usize)>,
    /// Sites of gap junctions, as described.
    sites: Vec<junction::Site>,
}

/// Instances of one mechanism on one cell, in ascending CV order.
#[derive(Clone)]
pub(crate) struct CellMechanism {
    /// Names under which it was painted.
    pub(crate) painted: Vec<String>,
    pub(crate) handle: MechanismHandle,
    pub(crate) globals: Vec<f64>,
    /// The ion that stands for each row of the mechanism's table.
    pub(crate) ions: Vec<String>,
    /// CVs of the cell.
    pub(crate) cv: Vec<usize>,
    /// Factor from the mechanism's currents to A/m², but for units.
    pub(crate) weight: Vec<f64>,
    /// One vector per row of the parameter table.
    pub(crate) parameters: Vec<Vec<f64>>,
    /// How many placements each instance stands for; empty for mechanisms whose instances are never merged.
    pub(crate) multiplicity: Vec<usize>,
    /// CV of the group at the other side; gap junctions only.
    pub(crate) peer: Vec<usize>,
}

impl CellMechanism {
    /// The ions it uses, under their names on the cell.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = (&str, &IonDependency)> {
        self.ions.iter().map(String::as_str).zip(&self.handle.info().ions)
    }
}

/// Lays out `cell`, the `index`-th of the simulation, but for its gap junctions ([`connect`]).
pub(crate) fn lay_out(
    index: usize,
    cell: &CellDescription,
    catalogues: &[Arc<Catalogue>],
) -> Result<CellLayout, SimError> {
    let geometry = |source| SimError::Geometry { cell: index, source };
    let discretisation = discretise(&cell.morphology, &cell.policy, &cell.properties).map_err(geometry)?;
    let cx = Context {
        index,
        cell,
        catalogues,
        discretisation: &discretisation,
    };
    cx.check_globals()?;
    let mut mechanisms = BTreeMap::new();
    let supports = cx.paint(&cell.densities, MechanismKind::Density, &mut mechanisms)?;
    let clamped = cx.paint(&cell.voltage_processes, MechanismKind::Voltage, &mut mechanisms)?;
    if let Some((first, second)) = overlapping(&sorted(clamped.into_iter().flat_map(|(_, cables)| cables))) {
        return Err(SimError::OverlappingVoltage {
            cell: index,
            first,
            second,
        });
    }
    let targets = cx.points(&mut mechanisms)?;
    let sites = cx.sites()?;
    let ions = cx.ions(&mechanisms, &supports, &sites)?;
    cx.reversal_potentials(&ions, &mut mechanisms)?;
    Ok(CellLayout {
        discretisation,
        mechanisms,
        ions,
        targets,
        sites,
    })
}

struct Context<'a> {
    index: usize,
    cell: &'a CellDescription,
    catalogues: &'a [Arc<Catalogue>],
    discretisation: &'a Discretisation,
}

impl Context<'_> {
    /// Overrides of globals must be for something that is on the cell.
    fn check_globals(&self) -> Result<(), SimError> {
        let cell = self.cell;
        let used = |name: &String| {
            cell.densities.iter().any(|p| p.mechanism == *name)
                || cell.voltage_processes.iter().any(|p| p.mechanism == *name)
                || cell.synapses.iter().any(|p| p.mechanism == *name)
                || cell.junctions.iter().any(|p| p.mechanism == *name)
                || cell
                    .ions
                    .values()
                    .any(|i| i.reversal_method.as_ref().is_some_and(|m| m.mechanism == *name))
        };
        match cell.globals.keys().find(|name| !used(name)) {
            Some(mechanism) => Err(SimError::UnusedGlobals {
                cell: self.index,
                mechanism: mechanism.clone(),
            }),
            None => Ok(()),
        }
    }

    /// The full name of a mechanism, and a set of it without instances. It must be of the expected kind, and its ions
    /// such as it wants them.
    fn named(&self, painted: &str, expected: MechanismKind) -> Result<(String, CellMechanism), SimError> {
        let cell = self.index;
        let name = name::resolve(painted, self.cell.globals.get(painted));
        let mut found = self
            .catalogues
            .iter()
            .filter_map(|c| MechanismHandle::find(c, &name.base));
        let handle = found.next().ok_or_else(|| SimError::UnknownMechanism {
            cell,
            mechanism: name.base.clone(),
        })?;
        if found.next().is_some() {
            return Err(SimError::AmbiguousMechanism { mechanism: name.base });
        }
        let info = handle.info();
        if info.kind != expected {
            return Err(SimError::Kind {
                cell,
                mechanism: painted.to_owned(),
                found: info.kind,
                expected,
            });
        }
        let binding = name.bind(cell, info)?;
        for (ion, dependency) in binding.ions.iter().zip(&info.ions) {
            self.check_dependency(info, ion, dependency)?;
        }
        let parameters = vec![Vec::new(); info.parameters.len()];
        let set = CellMechanism {
            painted: vec![painted.to_owned()],
            handle,
            globals: binding.globals,
            ions: binding.ions,
            cv: Vec::new(),
            weight: Vec::new(),
            parameters,
            multiplicity: Vec::new(),
            peer: Vec::new(),
        };
        Ok((name.full, set))
    }

    fn check_dependency(&self, info: &MechanismInfo, ion: &str, dependency: &IonDependency) -> Result<(), SimError> {
        let (cell, mechanism, ion) = (self.index, info.name.clone(), ion.to_owned());
        let Some(properties) = self.cell.ions.get(&ion) else {
            return Err(SimError::UnknownIon { cell, mechanism, ion });
        };
        if let Some(expected) = dependency.expected_valence
            && expected != properties.valence
        {
            return Err(SimError::Valence {
                cell,
                mechanism,
                ion,
                found: properties.valence,
                expected,
            });
        }
        // Zero is how an ion without diffusivity is written down.
        if dependency.use_diffusive && properties.diffusivity_m2_per_s == 0.0 {
            return Err(SimError::NotDiffusive { cell, mechanism, ion });
        }
        Ok(())
    }

    /// Parameters as set in one place, in the order of the parameter table.
    fn values(
        &self,
        info: &MechanismInfo,
        mechanism: &str,
        set: &BTreeMap<String, f64>,
        place: Option<Cable>,
    ) -> Result<Vec<f64>, SimError> {
        let mut values: Vec<f64> = info.parameters.iter().map(|f| f.default.unwrap_or(f64::NAN)).collect();
        for (parameter, &value) in set {
            let (cell, mechanism, parameter) = (self.index, mechanism.to_owned(), parameter.clone());
            let Some(row) = info.parameter(&parameter) else {
                let is_global = info.global(&parameter).is_some();
                return Err(SimError::UnknownParameter {
                    cell,
                    mechanism,
                    parameter,
                    is_global,
                });
            };
            if !value.is_finite() {
                return Err(SimError::BadParameter {
                    cell,
                    mechanism,
                    parameter,
                    value,
                });
            }
            values[row] = value;
        }
        match values.iter().position(|v| v.is_nan()) {
            Some(row) => Err(SimError::UnsetParameter {
                cell: self.index,
                mechanism: mechanism.to_owned(),
                parameter: info.parameters[row].name.clone(),
                cable: place,
            }),
            None => Ok(values),
        }
    }

    /// The CV that takes what is placed at a point; it must have membrane.
    fn membrane(&self, mechanism: &str, at: &Location) -> Result<usize, SimError> {
        let geometry = |source| SimError::Geometry {
            cell: self.index,
            source,
        };
        self.cell.morphology.check_location(at).map_err(geometry)?;
        let cv = self.discretisation.cv_nonempty(at);
        if self.discretisation.area_um2[cv] > 0.0 {
            return Ok(cv);
        }
        Err(SimError::NoMembrane {
            cell: self.index,
            mechanism: mechanism.to_owned(),
            at: *at,
        })
    }
}

fn sorted(cables: impl Iterator<Item = Cable>) -> Vec<Cable> {
    let mut cables: Vec<Cable> = cables.collect();
    cables.sort_by(Cable::total_cmp);
    cables
}

/// The first two of the sorted cables that share more than a point.
fn overlapping(cables: &[Cable]) -> Option<(Cable, Cable)> {
    let lengthy: Vec<&Cable> = cables.iter().filter(|c| c.prox < c.dist).collect();
    let pair = lengthy
        .windows(2)
        .find(|w| w[0].branch == w[1].branch && w[1].prox < w[0].dist)?;
    Some((*pair[0], *pair[1]))
}
