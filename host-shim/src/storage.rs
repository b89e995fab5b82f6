//! The memory that kernels see: per-CV arrays of a cell group, ion arrays, and the instances of each mechanism.
//!
//! Everything a hook may touch is allocated here, aligned, and padded to the kernel's SIMD width (host-numerics.md
//! §2.1): padding lanes carry weight 0, default parameters and the last valid index, so that a full-width store is
//! harmless. Knows no morphology and no time loop.

mod aligned;
mod constraints;
mod ion;
mod memory;
#[cfg(test)]
mod tests;

use std::ffi::c_void;

use mech_abi::{AbiLevel, ConstraintPartition, EventStream, Ppack};

pub(crate) use aligned::Aligned;
use constraints::Constraints;
use ion::without_conductivity;
pub(crate) use ion::{IonInitial, IonStorage};

use crate::catalogue::{MechanismInfo, MechanismKind};
use crate::load::{MechanismHandle, PointerTables};
use crate::noise::{Noise, NoiseKeys};
use crate::sim_error::SimError;

/// Alignment of arrays that all mechanisms share, bytes: a cache line, and the widest vector register.
const SHARED_ALIGNMENT: usize = 64;

/// Per-CV arrays of one cell group. Lengths: the number of CVs, unless said otherwise.
#[derive(Debug, Clone)]
pub(crate) struct SharedStorage {
    pub(crate) voltage_mv: Aligned<f64>,
    /// A/m², outward positive; zeroed each step.
    pub(crate) current: Aligned<f64>,
    /// kS/m²; zeroed each step.
    pub(crate) conductance: Aligned<f64>,
    pub(crate) temperature_degc: Aligned<f64>,
    pub(crate) diam_um: Aligned<f64>,
    pub(crate) area_um2: Aligned<f64>,
    /// CV to cell of the group.
    cell: Aligned<i32>,
    /// Greatest number of detectors of a cell; 0 unless POST_EVENT blocks are to run.
    n_detectors: usize,
    /// Cell by cell, `n_detectors` each, ms; -1 where the step just done saw no spike.
    pub(crate) time_since_spike_ms: Aligned<f64>,
    /// Sorted by name. Mechanisms keep pointers into them.
    pub(crate) ions: Vec<IonStorage>,
    /// Those of which a concentration is written.
    written: Vec<usize>,
    /// Whether they have conductivities: at ABI level 0.6.
    has_conductivities: bool,
}

/// Geometry that [`SharedStorage`] starts from; one value per CV.
pub(crate) struct SharedLayout {
    pub(crate) temperature_k: Vec<f64>,
    pub(crate) diam_um: Vec<f64>,
    pub(crate) area_um2: Vec<f64>,
    pub(crate) cell: Vec<i32>,
    pub(crate) n_cells: usize,
    pub(crate) n_detectors: usize,
}

impl SharedStorage {
    pub(crate) fn new(layout: &SharedLayout, ions: Vec<IonStorage>) -> Self {
        let n = layout.area_um2.len();
        let copied = |values: &[f64]| Aligned::copied(values, n, SHARED_ALIGNMENT, 0.0);
        let written = (0..ions.len()).filter(|&k| ions[k].is_written());
        let celsius: Vec<f64> = layout.temperature_k.iter().map(|t| t - 273.15).collect();
        Self {
            voltage_mv: Aligned::filled(n, SHARED_ALIGNMENT, 0.0),
            current: Aligned::filled(n, SHARED_ALIGNMENT, 0.0),
            conductance: Aligned::filled(n, SHARED_ALIGNMENT, 0.0),
            temperature_degc: copied(&celsius),
            diam_um: copied(&layout.diam_um),
            area_um2: copied(&layout.area_um2),
            cell: Aligned::copied(&layout.cell, n, SHARED_ALIGNMENT, 0),
            n_detectors: layout.n_detectors,
            time_since_spike_ms: Aligned::filled(layout.n_cells * layout.n_detectors, SHARED_ALIGNMENT, -1.0),
            has_conductivities: ions.iter().any(|ion| !ion.conductivity.is_empty()),
            written: written.collect(),
            ions,
        }
    }

    pub(crate) fn n_cvs(&self) -> usize {
        self.area_um2.len()
    }

    /// Where [`SharedStorage::time_since_spike_ms`] keeps a detector of a cell of the group.
    pub(crate) fn detector_slot(&self, cell: usize, detector: usize) -> usize {
        cell * self.n_detectors + detector
    }

    /// Step 3 of the loop: currents and conductances start from zero.
    pub(crate) fn zero_currents(&mut self) {
        self.current.set_all(0.0);
        self.conductance.set_all(0.0);
        for ion in self.ions.iter_mut().filter(|ion| ion.carries_current) {
            ion.current.set_all(0.0);
        }
        // Their emptiness would cost a cell of one CV as much as filling them.
        if self.has_conductivities {
            self.ions.iter_mut().for_each(|ion| ion.conductivity.set_all(0.0));
        }
    }

    /// Written concentrations start from the part that no writer covers.
    pub(crate) fn init_concentrations(&mut self) {
        for &ion in &self.written {
            self.ions[ion].init_concentrations();
        }
    }
}

/// All instances of one mechanism in one group.
#[derive(Debug, Clone)]
pub(crate) struct MechanismStorage {
    name: String,
    mechanism: MechanismHandle,
    width: usize,
    n_cvs: usize,
    value_stride: usize,
    index_stride: usize,
    /// weight, parameters, states: `value_stride` each.
    values: Aligned<f64>,
    globals: Vec<f64>,
    /// node_index, the index lists of the ions as far as they differ, then multiplicity or peer_index if there is one:
    /// `index_stride` each.
    indices: Aligned<i32>,
    /// Which list of `indices` each ion uses.
    ion_lists: Vec<usize>,
    /// Which list of `indices` is the multiplicity.
    multiplicity: Option<usize>,
    /// Which list of `indices` is the peer index.
    peer: Option<usize>,
    noise: Option<Noise>,
    /// Positions in [`SharedStorage::ions`], in the order of the mechanism's table.
    ions: Vec<usize>,
    ion_lens: Vec<usize>,
    constraints: Constraints,
    tables: PointerTables,
}

/// What [`MechanismStorage`] is built from; one entry per instance, in ascending CV order.
#[derive(Debug, Default)]
pub(crate) struct InstanceLayout {
    pub(crate) cv: Vec<i32>,
    /// As the ABI wants it for the mechanism's kind.
    pub(crate) weight: Vec<f64>,
    /// One vector per row of the parameter table.
    pub(crate) parameters: Vec<Vec<f64>>,
    /// One value per row of the table of globals.
    pub(crate) globals: Vec<f64>,
    /// One name per row of the table of ions.
    pub(crate) ions: Vec<String>,
    /// Empty if the mechanism's instances are never merged.
    pub(crate) multiplicity: Vec<i32>,
    /// CV at the other side; empty unless this is a gap junction.
    pub(crate) peer: Vec<i32>,
    /// Who draws random numbers; used if the mechanism has random variables.
    pub(crate) noise: NoiseKeys,
}

impl MechanismStorage {
    /// None if the layout does not fit the mechanism or the group: an instance off the membrane, a missing ion, a
    /// vector of the wrong length.
    pub(crate) fn new(
        name: String,
        mechanism: MechanismHandle,
        layout: InstanceLayout,
        shared: &SharedStorage,
    ) -> Option<Self> {
        let info = mechanism.info();
        let width = layout.cv.len();
        let in_group = |&cv: &i32| usize::try_from(cv).is_ok_and(|cv| cv < shared.n_cvs());
        let fits = width > 0
            && i32::try_from(width).is_ok()
            && layout.cv.iter().all(in_group)
            && layout.cv.is_sorted()
            && layout.weight.len() == width
            && layout.parameters.len() == info.parameters.len()
            && layout.parameters.iter().all(|p| p.len() == width)
            && layout.globals.len() == info.globals.len()
            && layout.ions.len() == info.ions.len()
            && [0, width].contains(&layout.multiplicity.len())
            && layout.peer.len()
                == if info.kind == MechanismKind::GapJunction {
                    width
                } else {
                    0
                }
            && layout.peer.iter().all(in_group)
            && (info.random_variables.is_empty() || layout.noise.instances.len() == width);
        if !fits {
            return None;
        }
        let value_stride = padded::<f64>(width, info);
        let index_stride = padded::<i32>(width, info);
        let rows = 1 + info.parameters.len() + info.states.len();
        let alignment = info.alignment.max(SHARED_ALIGNMENT);

        let mut values = Aligned::filled(rows * value_stride, alignment, f64::NAN);
        let mut columns = values.chunks_exact_mut(value_stride);
        extend(columns.next()?, &layout.weight, 0.0);
        for (field, value) in info.parameters.iter().zip(&layout.parameters) {
            extend(columns.next()?, value, field.default.unwrap_or(f64::NAN));
        }
        for field in &info.states {
            columns.next()?.fill(field.default.unwrap_or(f64::NAN));
        }

        let (merged, joined) = (!layout.multiplicity.is_empty(), !layout.peer.is_empty());
        // Each list with what fills it up; equal ones are kept once, since most ions are on all CVs of a mechanism.
        let mut lists: Vec<(Vec<i32>, i32)> = Vec::new();
        let last = *layout.cv.last()?;
        lists.push((layout.cv, last));
        let (mut ions, mut ion_lists) = (Vec::new(), Vec::new());
        for name in &layout.ions {
            let ion = shared.ions.binary_search_by(|i| i.name.as_str().cmp(name)).ok()?;
            let cvs = &shared.ions[ion].cv;
            let at = |cv| i32::try_from(cvs.binary_search(cv).ok()?).ok();
            let index: Vec<i32> = lists[0].0.iter().map(at).collect::<Option<_>>()?;
            let known = lists.iter().position(|(list, _)| *list == index);
            ion_lists.push(known.unwrap_or(lists.len()));
            if known.is_none() {
                let last = *index.last()?;
                lists.push((index, last));
            }
            ions.push(ion);
        }
        let multiplicity = merged.then_some(lists.len());
        if merged {
            lists.push((layout.multiplicity, 0));
        }
        let peer = joined.then_some(lists.len());
        if joined {
            let last = *layout.peer.last()?;
            lists.push((layout.peer, last));
        }
        let mut indices = Aligned::filled(lists.len() * index_stride, alignment, 0);
        for (column, (list, pad)) in indices.chunks_exact_mut(index_stride).zip(&lists) {
            extend(column, list, *pad);
        }
        let node_index = &indices[..index_stride];
        let constraints = Constraints::new(node_index, width, info.partition_width, mechanism.abi());
        let variables = info.random_variables.len();
        let noise = (variables > 0).then(|| Noise::new(layout.noise, variables, value_stride, alignment));
        Some(Self {
            name,
            width,
            n_cvs: shared.n_cvs(),
            value_stride,
            index_stride,
            values,
            globals: layout.globals,
            indices,
            ion_lists,
            multiplicity,
            peer,
            noise,
            ion_lens: ions.iter().map(|&ion| shared.ions[ion].cv.len()).collect(),
            ions,
            constraints,
            tables: PointerTables::default(),
            mechanism,
        })
    }

    /// Full name, with assignments to globals: `hh` or `pas/e=-60`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn mechanism(&self) -> &MechanismHandle {
        &self.mechanism
    }

    pub(crate) fn info(&self) -> &MechanismInfo {
        self.mechanism.info()
    }

    /// Number of instances.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// CV of each instance.
    pub(crate) fn cvs(&self) -> &[i32] {
        &self.indices[..self.width]
    }

    /// Position of a RANGE parameter; `cell` is for the message.
    pub(crate) fn parameter_row(&self, cell: usize, parameter: &str) -> Result<usize, SimError> {
        let info = self.info();
        info.parameter(parameter).ok_or_else(|| SimError::UnknownParameter {
            cell,
            mechanism: self.name.clone(),
            parameter: parameter.to_owned(),
            is_global: info.global(parameter).is_some(),
        })
    }

    /// Values of one parameter, one per instance.
    pub(crate) fn parameter(&self, row: usize) -> &[f64] {
        self.column(1 + row)
    }

    /// As [`MechanismStorage::parameter`], for writing.
    pub(crate) fn parameter_mut(&mut self, row: usize) -> &mut [f64] {
        let start = (1 + row) * self.value_stride;
        &mut self.values[start..start + self.width]
    }

    /// Values of one state, one per instance.
    pub(crate) fn state(&self, row: usize) -> &[f64] {
        self.column(1 + self.info().parameters.len() + row)
    }

    /// As [`MechanismStorage::state`], for writing.
    pub(crate) fn state_mut(&mut self, row: usize) -> &mut [f64] {
        let start = (1 + self.info().parameters.len() + row) * self.value_stride;
        &mut self.values[start..start + self.width]
    }

    /// All states to the values of the table (NaN where it has none): INITIAL must set what the kernel uses.
    pub(crate) fn reset_states(&mut self) {
        let first = 1 + self.info().parameters.len();
        let defaults = self
            .mechanism
            .info()
            .states
            .iter()
            .map(|f| f.default.unwrap_or(f64::NAN));
        for (column, default) in self
            .values
            .chunks_exact_mut(self.value_stride)
            .skip(first)
            .zip(defaults)
        {
            column.fill(default);
        }
    }

    /// Random numbers start again.
    pub(crate) fn reset_noise(&mut self) {
        self.noise.iter_mut().for_each(Noise::reset);
        self.point_at_noise();
    }

    /// Draws the random numbers of the next step.
    pub(crate) fn refresh_noise(&mut self) {
        self.noise.iter_mut().for_each(Noise::refresh);
        self.point_at_noise();
    }

    fn column(&self, k: usize) -> &[f64] {
        let start = k * self.value_stride;
        &self.values[start..start + self.width]
    }

    /// What a hook sees. Pointers are taken once: the arrays never grow, and neither they nor the ions are ever exchanged.
    ///
    /// `shared` must be the storage this was built for; the group owns both, and that it is the same is asserted.
    pub(crate) fn ppack(&mut self, shared: &mut SharedStorage, dt_ms: f64) -> &mut Ppack {
        if self.tables.pack.is_none() {
            self.tables.pack = Some(self.bind(shared));
        }
        let Some(pack) = self.tables.pack.as_mut() else {
            unreachable!("it was bound a moment ago");
        };
        let same = pack.vec_v == shared.voltage_mv.as_mut_ptr();
        assert!(same, "mechanism storage belongs to another group");
        pack.dt = dt_ms;
        pack
    }

    fn bind(&mut self, shared: &mut SharedStorage) -> Ppack {
        assert_eq!(self.n_cvs, shared.n_cvs(), "mechanism storage belongs to another group");
        let (n_parameters, n_states) = (self.info().parameters.len(), self.info().states.len());
        let abi = self.mechanism.abi();
        let values = self.values.as_mut_ptr();
        let column = |k: usize| values.wrapping_add(k * self.value_stride);
        let indices = self.indices.as_mut_ptr();
        let list = |k: usize| indices.wrapping_add(k * self.index_stride);
        let tables = &mut self.tables;
        tables.parameters = (0..n_parameters).map(|k| column(1 + k)).collect();
        tables.states = (0..n_states).map(|k| column(1 + n_parameters + k)).collect();
        for (k, (&ion, &len)) in self.ions.iter().zip(&self.ion_lens).enumerate() {
            let ion = &mut shared.ions[ion];
            assert_eq!(ion.cv.len(), len, "mechanism storage belongs to another group");
            let view = ion.view(list(self.ion_lists[k]));
            match abi {
                AbiLevel::V0_6 => tables.ions_06.push(view),
                AbiLevel::V0_7 => tables.ions.push(without_conductivity(view)),
            }
        }
        tables.randoms = self.noise.iter_mut().flat_map(Noise::present).collect();
        let ion_states = match abi {
            AbiLevel::V0_6 => tables.ions_06.as_mut_ptr().cast::<c_void>(),
            AbiLevel::V0_7 => tables.ions.as_mut_ptr().cast::<c_void>(),
        };
        Ppack {
            width: u32_of(self.width),
            n_detectors: i32::try_from(shared.n_detectors).unwrap_or(0),
            vec_ci: shared.cell.as_mut_ptr(),
            dt: 0.0,
            vec_v: shared.voltage_mv.as_mut_ptr(),
            vec_i: shared.current.as_mut_ptr(),
            vec_g: shared.conductance.as_mut_ptr(),
            temperature_degc: shared.temperature_degc.as_mut_ptr(),
            diam_um: shared.diam_um.as_mut_ptr(),
            area_um2: shared.area_um2.as_mut_ptr(),
            time_since_spike: shared.time_since_spike_ms.as_mut_ptr(),
            node_index: indices,
            peer_index: self.peer.map_or(std::ptr::null_mut(), list),
            multiplicity: self.multiplicity.map_or(std::ptr::null_mut(), list),
            weight: values,
            mechanism_id: 0,
            events: EventStream {
                begin: std::ptr::null(),
                end: std::ptr::null(),
            },
            index_constraints: self.constraints.view(),
            parameters: self.tables.parameters.as_mut_ptr(),
            state_vars: self.tables.states.as_mut_ptr(),
            globals: self.globals.as_mut_ptr(),
            ion_states,
            random_numbers: self.tables.randoms.as_ptr(),
        }
    }

    /// Shows hooks the random numbers of the present step.
    fn point_at_noise(&mut self) {
        // In place: the pack points at this table.
        let present = self.noise.iter_mut().flat_map(Noise::present);
        for (shown, row) in self.tables.randoms.iter_mut().zip(present) {
            *shown = row;
        }
    }
}

impl Constraints {
    fn view(&mut self) -> ConstraintPartition {
        ConstraintPartition {
            n_contiguous: u32_of(self.contiguous.len()),
            n_constant: u32_of(self.constant.len()),
            n_independent: u32_of(self.independent.len()),
            n_none: u32_of(self.none.len()),
            contiguous: self.contiguous.as_mut_ptr(),
            constant: self.constant.as_mut_ptr(),
            independent: self.independent.as_mut_ptr(),
            none: self.none.as_mut_ptr(),
        }
    }
}

/// Widths are below 2³¹ (checked on construction), and no list is longer than the width.
/// Instances from which on an array is padded to whole cache lines.
const LONG: usize = 32;

fn u32_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Array length for `width` instances: a multiple of both the SIMD width and the alignment. Long arrays are also whole
/// cache lines, so that no vector of the next one lies across two; for a single instance that would be a waste.
fn padded<T>(width: usize, info: &MechanismInfo) -> usize {
    let line = if width < LONG { 1 } else { SHARED_ALIGNMENT };
    // All are powers of two, so the largest is the least common multiple.
    let unit = info.alignment.max(line).max(info.partition_width * size_of::<T>()) / size_of::<T>();
    width.next_multiple_of(unit.max(1))
}

/// Copies `values` to the front and fills the rest with `pad`.
fn extend<T: Copy>(column: &mut [T], values: &[T], pad: T) {
    let (front, tail) = column.split_at_mut(values.len());
    front.copy_from_slice(values);
    tail.fill(pad);
}
