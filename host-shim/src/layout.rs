//! From a cell description to the instances of its mechanisms, CV by CV (host-numerics.md §4.4, §5.3).
//!
//! The weight of an instance is the covered part of its CV's area; a parameter is its area-weighted average over the
//! covered part. Knows nothing of groups, memory or time.

use std::collections::BTreeMap;

use crate::Catalogue;
use crate::catalogue::{MechanismInfo, MechanismKind};
use crate::cell::{CellDescription, DensityPaint};
use crate::discretise::{Discretisation, discretise};
use crate::load::MechanismHandle;
use crate::morphology::Cable;
use crate::name::{self, MechanismName};
use crate::sim_error::{Feature, SimError};
use std::sync::Arc;

/// A cell, laid out.
pub(crate) struct CellLayout {
    pub(crate) discretisation: Discretisation,
    /// By full name.
    pub(crate) mechanisms: BTreeMap<String, CellMechanism>,
    /// By ion name.
    pub(crate) ions: BTreeMap<String, CellIon>,
}

/// Instances of one mechanism on one cell, in CV order.
pub(crate) struct CellMechanism {
    /// Names under which it was painted.
    pub(crate) painted: Vec<String>,
    pub(crate) handle: MechanismHandle,
    pub(crate) globals: Vec<f64>,
    /// CVs of the cell, ascending.
    pub(crate) cv: Vec<usize>,
    pub(crate) weight: Vec<f64>,
    /// One vector per row of the parameter table.
    pub(crate) parameters: Vec<Vec<f64>>,
}

/// One ion on one cell, on the CVs where some mechanism uses it.
#[derive(Default)]
pub(crate) struct CellIon {
    pub(crate) valence: i32,
    /// CVs of the cell, ascending.
    pub(crate) cv: Vec<usize>,
    pub(crate) internal: Concentration,
    pub(crate) external: Concentration,
    pub(crate) reversal_mv: f64,
}

/// One side of an ion.
#[derive(Default)]
pub(crate) struct Concentration {
    pub(crate) written: bool,
    pub(crate) initial_mm: f64,
    /// Part of the area that no writer covers, per entry of [`CellIon::cv`].
    pub(crate) unwritten: Vec<f64>,
}

/// Lays out `cell`, the `index`-th of the simulation.
pub(crate) fn lay_out(
    index: usize,
    cell: &CellDescription,
    catalogues: &[Arc<Catalogue>],
) -> Result<CellLayout, SimError> {
    let geometry = |source| SimError::Geometry { cell: index, source };
    let discretisation = discretise(&cell.morphology, &cell.policy, &cell.properties).map_err(geometry)?;
    for cable in cell.densities.iter().flat_map(|p| &p.cables) {
        cell.morphology.check_cable(cable).map_err(geometry)?;
    }
    let mut sets: BTreeMap<String, (MechanismName, Vec<&DensityPaint>)> = BTreeMap::new();
    for paint in &cell.densities {
        let name = name::resolve(index, &paint.mechanism, cell.globals.get(&paint.mechanism))?;
        sets.entry(name.full.clone())
            .or_insert_with(|| (name, Vec::new()))
            .1
            .push(paint);
    }
    for mechanism in cell.globals.keys() {
        if !cell.densities.iter().any(|p| p.mechanism == *mechanism) {
            return Err(SimError::UnusedGlobals {
                cell: index,
                mechanism: mechanism.clone(),
            });
        }
    }
    let cx = Context {
        index,
        cell,
        discretisation: &discretisation,
    };
    let mut mechanisms = BTreeMap::new();
    let mut supports: Vec<(MechanismHandle, Vec<Cable>)> = Vec::new();
    for (full, (name, paints)) in sets {
        let handle = find(index, &name.base, catalogues)?;
        supported(handle.info())?;
        let globals = name.globals(index, handle.info())?;
        let cables = cx.disjoint(&full, &paints)?;
        let set = cx.instances(handle.clone(), globals, &paints)?;
        if !set.cv.is_empty() {
            supports.push((handle, cables));
            mechanisms.insert(full, set);
        }
    }
    let ions = cx.ions(&mechanisms, &supports)?;
    Ok(CellLayout {
        discretisation,
        mechanisms,
        ions,
    })
}

fn find(cell: usize, base: &str, catalogues: &[Arc<Catalogue>]) -> Result<MechanismHandle, SimError> {
    let mut found = catalogues.iter().filter_map(|c| MechanismHandle::find(c, base));
    let first = found.next().ok_or_else(|| SimError::UnknownMechanism {
        cell,
        mechanism: base.to_owned(),
    })?;
    match found.next() {
        Some(_) => Err(SimError::AmbiguousMechanism {
            mechanism: base.to_owned(),
        }),
        None => Ok(first),
    }
}

/// Refuses what the step does not do, rather than doing something else.
fn supported(info: &MechanismInfo) -> Result<(), SimError> {
    let feature = if info.kind != MechanismKind::Density {
        Feature::Kind(info.kind)
    } else if !info.random_variables.is_empty() {
        Feature::WhiteNoise
    } else if info.has_post_events {
        Feature::PostEvents
    } else if info.ions.iter().any(|i| i.use_diffusive) {
        Feature::DiffusiveIon
    } else if info.ions.iter().any(|i| i.write_reversal) {
        Feature::WriteReversal
    } else {
        return Ok(());
    };
    Err(SimError::Unsupported {
        mechanism: info.name.clone(),
        feature,
    })
}

struct Context<'a> {
    index: usize,
    cell: &'a CellDescription,
    discretisation: &'a Discretisation,
}

impl Context<'_> {
    /// All cables of a mechanism, sorted; an error if two overlap in more than a point.
    fn disjoint(&self, mechanism: &str, paints: &[&DensityPaint]) -> Result<Vec<Cable>, SimError> {
        let cables = sorted(paints.iter().flat_map(|p| &p.cables).copied());
        if let Some((first, second)) = overlapping(&cables) {
            return Err(SimError::OverlappingPaint {
                cell: self.index,
                mechanism: mechanism.to_owned(),
                first,
                second,
            });
        }
        Ok(cables)
    }

    /// Values of one paint, in the order of the parameter table; NaN where neither paint nor table has one.
    fn values(&self, info: &MechanismInfo, paint: &DensityPaint) -> Result<Vec<f64>, SimError> {
        let mut values: Vec<f64> = info.parameters.iter().map(|f| f.default.unwrap_or(f64::NAN)).collect();
        for (parameter, &value) in &paint.parameters {
            let (cell, mechanism, parameter) = (self.index, paint.mechanism.clone(), parameter.clone());
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
        if let Some(row) = values.iter().position(|v| v.is_nan()) {
            let cable = paint.cables.first().copied().unwrap_or(Cable::new(0, 0.0, 0.0));
            let (mechanism, parameter) = (paint.mechanism.clone(), info.parameters[row].name.clone());
            return Err(SimError::UnsetParameter {
                cell: self.index,
                mechanism,
                parameter,
                cable,
            });
        }
        Ok(values)
    }

    fn instances(
        &self,
        handle: MechanismHandle,
        globals: Vec<f64>,
        paints: &[&DensityPaint],
    ) -> Result<CellMechanism, SimError> {
        let info = handle.info();
        let values = paints
            .iter()
            .map(|p| self.values(info, p))
            .collect::<Result<Vec<_>, _>>()?;
        // (CV, covered area, paint)
        let mut parts: Vec<(usize, f64, usize)> = Vec::new();
        for (k, paint) in paints.iter().enumerate() {
            let overlap = self.discretisation.overlap(&self.cell.morphology, &paint.cables);
            parts.extend(overlap.into_iter().map(|(cv, area)| (cv, area, k)));
        }
        // Stable, so that sums run in the order of the paints.
        parts.sort_by_key(|&(cv, ..)| cv);
        let mut painted: Vec<String> = paints.iter().map(|p| p.mechanism.clone()).collect();
        painted.dedup();
        let (mut cv, mut weight) = (Vec::new(), Vec::new());
        let mut parameters = vec![Vec::new(); info.parameters.len()];
        for parts in parts.chunk_by(|a, b| a.0 == b.0) {
            let here = parts[0].0;
            let covered: f64 = parts.iter().map(|p| p.1).sum();
            cv.push(here);
            // Sums of parts may exceed the whole by rounding.
            weight.push((covered / self.discretisation.area_um2[here]).min(1.0));
            for (row, column) in parameters.iter_mut().enumerate() {
                column.push(average(
                    parts.iter().map(|&(_, area, k)| (area, values[k][row])),
                    covered,
                ));
            }
        }
        Ok(CellMechanism {
            painted,
            handle,
            globals,
            cv,
            weight,
            parameters,
        })
    }

    fn ions(
        &self,
        mechanisms: &BTreeMap<String, CellMechanism>,
        supports: &[(MechanismHandle, Vec<Cable>)],
    ) -> Result<BTreeMap<String, CellIon>, SimError> {
        let mut ions: BTreeMap<String, CellIon> = BTreeMap::new();
        for set in mechanisms.values() {
            let info = set.handle.info();
            for dependency in &info.ions {
                let name = &dependency.name;
                let (cell, mechanism, ion) = (self.index, info.name.clone(), name.clone());
                let Some(properties) = self.cell.ions.get(name) else {
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
                let entry = ions.entry(name.clone()).or_default();
                entry.valence = properties.valence;
                entry.reversal_mv = properties.rev_mv;
                entry.internal.initial_mm = properties.int_mm;
                entry.external.initial_mm = properties.ext_mm;
                entry.internal.written |= dependency.write_internal;
                entry.external.written |= dependency.write_external;
                entry.cv.extend(&set.cv);
            }
        }
        for (name, ion) in &mut ions {
            let bad = |what, value| SimError::BadIon {
                cell: self.index,
                ion: name.clone(),
                what,
                value,
            };
            if !ion.reversal_mv.is_finite() {
                return Err(bad("reversal potential", ion.reversal_mv));
            }
            for (what, value) in [
                ("internal concentration", ion.internal.initial_mm),
                ("external concentration", ion.external.initial_mm),
            ] {
                if !value.is_finite() {
                    return Err(bad(what, value));
                }
            }
            ion.cv.sort_unstable();
            ion.cv.dedup();
            let writers = |wanted: fn(&crate::IonDependency) -> bool| -> Vec<Cable> {
                let writing = supports
                    .iter()
                    .filter(|(h, _)| h.info().ions.iter().any(|d| d.name == *name && wanted(d)));
                sorted(writing.flat_map(|(_, cables)| cables).copied())
            };
            let internal = writers(|d| d.write_internal);
            let external = writers(|d| d.write_external);
            ion.internal.unwritten = self.unwritten(name, "internal", &ion.cv, &internal)?;
            ion.external.unwritten = self.unwritten(name, "external", &ion.cv, &external)?;
        }
        Ok(ions)
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

/// Area-weighted average; exact if all values agree, since integer parameters must survive it.
fn average(parts: impl Iterator<Item = (f64, f64)> + Clone, area: f64) -> f64 {
    let mut values = parts.clone().map(|p| p.1);
    let first = values.next().unwrap_or(f64::NAN);
    if values.all(|v| v.to_bits() == first.to_bits()) {
        return first;
    }
    parts.map(|(a, v)| a * v).sum::<f64>() / area
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
