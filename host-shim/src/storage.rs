//! The memory that kernels see: per-CV arrays of a cell group, ion arrays, and the instances of each mechanism.
//!
//! Everything a hook may touch is allocated here, aligned, and padded to the kernel's SIMD width (host-numerics.md
//! §2.1): padding lanes carry weight 0, default parameters and the last valid index, so that a full-width store is
//! harmless. Knows no morphology and no time loop.

mod aligned;
mod constraints;
#[cfg(test)]
mod tests;

use std::ffi::c_void;

use mech_abi::{AbiLevel, ConstraintPartition, EventStream, IonState, IonState06, Ppack};

pub(crate) use aligned::Aligned;
use constraints::Constraints;

use crate::catalogue::MechanismInfo;
use crate::load::{MechanismHandle, PointerTables};

/// Alignment of arrays that all mechanisms share, bytes: a cache line, and the widest vector register.
const SHARED_ALIGNMENT: usize = 64;

/// Per-CV arrays of one cell group. Lengths: the number of CVs, unless said otherwise.
#[derive(Debug)]
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
    /// Sorted by name.
    pub(crate) ions: Vec<IonStorage>,
}

/// Geometry that [`SharedStorage`] starts from; one value per CV.
pub(crate) struct SharedLayout {
    pub(crate) temperature_k: Vec<f64>,
    pub(crate) diam_um: Vec<f64>,
    pub(crate) area_um2: Vec<f64>,
    pub(crate) cell: Vec<i32>,
}

impl SharedStorage {
    pub(crate) fn new(layout: &SharedLayout, ions: Vec<IonStorage>) -> Self {
        let n = layout.area_um2.len();
        let copied = |values: &[f64]| Aligned::copied(values, n, SHARED_ALIGNMENT, 0.0);
        let celsius: Vec<f64> = layout.temperature_k.iter().map(|t| t - 273.15).collect();
        Self {
            voltage_mv: Aligned::filled(n, SHARED_ALIGNMENT, 0.0),
            current: Aligned::filled(n, SHARED_ALIGNMENT, 0.0),
            conductance: Aligned::filled(n, SHARED_ALIGNMENT, 0.0),
            temperature_degc: copied(&celsius),
            diam_um: copied(&layout.diam_um),
            area_um2: copied(&layout.area_um2),
            cell: Aligned::copied(&layout.cell, n, SHARED_ALIGNMENT, 0),
            ions,
        }
    }

    pub(crate) fn n_cvs(&self) -> usize {
        self.area_um2.len()
    }

    /// Step 3 of the loop: currents and conductances start from zero.
    pub(crate) fn zero_currents(&mut self) {
        self.current.fill(0.0);
        self.conductance.fill(0.0);
        for ion in &mut self.ions {
            ion.current.fill(0.0);
            ion.conductivity.fill(0.0);
        }
    }
}

/// Arrays of one ion in a group, one value per CV in which some mechanism uses it.
#[derive(Debug)]
pub(crate) struct IonStorage {
    pub(crate) name: String,
    /// Ascending.
    pub(crate) cv: Vec<i32>,
    pub(crate) current: Aligned<f64>,
    conductivity: Aligned<f64>,
    pub(crate) reversal_mv: Aligned<f64>,
    pub(crate) internal_mm: Aligned<f64>,
    pub(crate) external_mm: Aligned<f64>,
    diffusive_mm: Aligned<f64>,
    charge: Aligned<f64>,
    initial: IonInitial,
}

/// Where an ion's arrays start, one value per entry of [`IonStorage::cv`].
#[derive(Debug, Default)]
pub(crate) struct IonInitial {
    pub(crate) reversal_mv: Vec<f64>,
    /// Area averages over the whole CV.
    pub(crate) reset_internal_mm: Vec<f64>,
    pub(crate) reset_external_mm: Vec<f64>,
    /// Averages over the part that no writer covers, normalised by the whole area.
    pub(crate) init_internal_mm: Vec<f64>,
    pub(crate) init_external_mm: Vec<f64>,
    /// Some mechanism writes Xi (Xo).
    pub(crate) internal_written: bool,
    pub(crate) external_written: bool,
}

impl IonStorage {
    pub(crate) fn new(name: String, valence: i32, cv: Vec<i32>, initial: IonInitial) -> Self {
        let n = cv.len();
        let zeros = || Aligned::filled(n, SHARED_ALIGNMENT, 0.0);
        let copied = |values: &[f64]| Aligned::copied(values, n, SHARED_ALIGNMENT, 0.0);
        Self {
            name,
            cv,
            current: zeros(),
            conductivity: zeros(),
            reversal_mv: copied(&initial.reversal_mv),
            internal_mm: copied(&initial.init_internal_mm),
            external_mm: copied(&initial.init_external_mm),
            diffusive_mm: copied(&initial.reset_internal_mm),
            charge: Aligned::filled(1, SHARED_ALIGNMENT, f64::from(valence)),
            initial,
        }
    }

    /// Position of a CV in this ion's arrays.
    pub(crate) fn position(&self, cv: usize) -> Option<usize> {
        self.cv.binary_search(&i32::try_from(cv).ok()?).ok()
    }

    /// Start of a simulation. Arbor restores only what some mechanism declares to write; restoring all makes no
    /// difference to the first run, and lets a later one repeat it even if a kernel writes more than it declares.
    pub(crate) fn reset(&mut self) {
        self.internal_mm.copy_from_slice(&self.initial.reset_internal_mm);
        self.external_mm.copy_from_slice(&self.initial.reset_external_mm);
        self.diffusive_mm.copy_from_slice(&self.initial.reset_internal_mm);
        self.reversal_mv.copy_from_slice(&self.initial.reversal_mv);
    }

    /// Before `write_ions` adds the writers' parts.
    pub(crate) fn init_concentrations(&mut self) {
        if self.initial.internal_written {
            self.internal_mm.copy_from_slice(&self.initial.init_internal_mm);
        }
        if self.initial.external_written {
            self.external_mm.copy_from_slice(&self.initial.init_external_mm);
        }
    }

    fn view(&mut self, index: *mut i32) -> IonState06 {
        IonState06 {
            current_density: self.current.as_mut_ptr(),
            conductivity: self.conductivity.as_mut_ptr(),
            reversal_potential: self.reversal_mv.as_mut_ptr(),
            internal_concentration: self.internal_mm.as_mut_ptr(),
            external_concentration: self.external_mm.as_mut_ptr(),
            diffusive_concentration: self.diffusive_mm.as_mut_ptr(),
            ionic_charge: self.charge.as_mut_ptr(),
            index,
        }
    }
}

/// All instances of one mechanism in one group.
#[derive(Debug)]
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
    /// node_index, then one index list per ion: `index_stride` each.
    indices: Aligned<i32>,
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
    /// Covered part of the CV's area.
    pub(crate) weight: Vec<f64>,
    /// One vector per row of the parameter table.
    pub(crate) parameters: Vec<Vec<f64>>,
    /// One value per row of the table of globals.
    pub(crate) globals: Vec<f64>,
}

impl MechanismStorage {
    /// None if the layout does not fit the mechanism or the group: an instance off the membrane, a missing ion, a
    /// vector of the wrong length.
    pub(crate) fn new(
        name: String,
        mechanism: MechanismHandle,
        layout: &InstanceLayout,
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
            && info.random_variables.is_empty();
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

        let mut indices = Aligned::filled((1 + info.ions.len()) * index_stride, alignment, 0);
        let mut columns = indices.chunks_exact_mut(index_stride);
        let node_index = columns.next()?;
        extend(node_index, &layout.cv, *layout.cv.last()?);
        let constraints = Constraints::new(node_index, width, info.partition_width, mechanism.abi());
        let mut ions = Vec::with_capacity(info.ions.len());
        for dependency in &info.ions {
            let ion = shared
                .ions
                .binary_search_by(|i| i.name.as_str().cmp(&dependency.name))
                .ok()?;
            let cvs = &shared.ions[ion].cv;
            let at = |cv| i32::try_from(cvs.binary_search(cv).ok()?).ok();
            let index: Vec<i32> = layout.cv.iter().map(at).collect::<Option<_>>()?;
            extend(columns.next()?, &index, *index.last()?);
            ions.push(ion);
        }
        Some(Self {
            name,
            width,
            n_cvs: shared.n_cvs(),
            value_stride,
            index_stride,
            values,
            globals: layout.globals.clone(),
            indices,
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

    fn column(&self, k: usize) -> &[f64] {
        let start = k * self.value_stride;
        &self.values[start..start + self.width]
    }

    /// What a hook sees. Pointers are taken afresh for every call, so none outlives a Rust borrow of its array.
    ///
    /// `shared` must be the storage this was built for; the group owns both, and their sizes are asserted.
    pub(crate) fn ppack(&mut self, shared: &mut SharedStorage, dt_ms: f64) -> Ppack {
        assert_eq!(self.n_cvs, shared.n_cvs(), "mechanism storage belongs to another group");
        let (n_parameters, n_states) = (self.info().parameters.len(), self.info().states.len());
        let abi = self.mechanism.abi();
        let values = self.values.as_mut_ptr();
        let column = |k: usize| values.wrapping_add(k * self.value_stride);
        let indices = self.indices.as_mut_ptr();
        self.tables.parameters.clear();
        self.tables.parameters.extend((0..n_parameters).map(|k| column(1 + k)));
        self.tables.states.clear();
        self.tables
            .states
            .extend((0..n_states).map(|k| column(1 + n_parameters + k)));
        self.tables.ions.clear();
        self.tables.ions_06.clear();
        for (k, (&ion, &len)) in self.ions.iter().zip(&self.ion_lens).enumerate() {
            let ion = &mut shared.ions[ion];
            assert_eq!(ion.cv.len(), len, "mechanism storage belongs to another group");
            let view = ion.view(indices.wrapping_add((1 + k) * self.index_stride));
            match abi {
                AbiLevel::V0_6 => self.tables.ions_06.push(view),
                AbiLevel::V0_7 => self.tables.ions.push(without_conductivity(view)),
            }
        }
        let ion_states = match abi {
            AbiLevel::V0_6 => self.tables.ions_06.as_mut_ptr().cast::<c_void>(),
            AbiLevel::V0_7 => self.tables.ions.as_mut_ptr().cast::<c_void>(),
        };
        Ppack {
            width: u32_of(self.width),
            n_detectors: 0,
            vec_ci: shared.cell.as_mut_ptr(),
            dt: dt_ms,
            vec_v: shared.voltage_mv.as_mut_ptr(),
            vec_i: shared.current.as_mut_ptr(),
            vec_g: shared.conductance.as_mut_ptr(),
            temperature_degc: shared.temperature_degc.as_mut_ptr(),
            diam_um: shared.diam_um.as_mut_ptr(),
            area_um2: shared.area_um2.as_mut_ptr(),
            time_since_spike: std::ptr::null_mut(),
            node_index: indices,
            peer_index: std::ptr::null_mut(),
            multiplicity: std::ptr::null_mut(),
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
            random_numbers: std::ptr::null(),
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

fn without_conductivity(v: IonState06) -> IonState {
    IonState {
        current_density: v.current_density,
        reversal_potential: v.reversal_potential,
        internal_concentration: v.internal_concentration,
        external_concentration: v.external_concentration,
        diffusive_concentration: v.diffusive_concentration,
        ionic_charge: v.ionic_charge,
        index: v.index,
    }
}

/// Widths are below 2³¹ (checked on construction), and no list is longer than the width.
fn u32_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Array length for `width` instances: a multiple of both the SIMD width and the alignment.
fn padded<T>(width: usize, info: &MechanismInfo) -> usize {
    // Both are powers of two, so the larger is the least common multiple.
    let unit = info.alignment.max(info.partition_width * size_of::<T>()) / size_of::<T>();
    width.next_multiple_of(unit.max(1))
}

/// Copies `values` to the front and fills the rest with `pad`.
fn extend<T: Copy>(column: &mut [T], values: &[T], pad: T) {
    let (front, tail) = column.split_at_mut(values.len());
    front.copy_from_slice(values);
    tail.fill(pad);
}
