//! Memory of the ions of a group.

use mech_abi::{IonState, IonState06};

use super::{Aligned, SHARED_ALIGNMENT};

/// Arrays of one ion in a group, one value per CV in which some mechanism uses it. Of an ion that is not complete all but
/// the internal concentration and the charge are empty.
#[derive(Debug, Clone)]
pub(crate) struct IonStorage {
    pub(crate) name: String,
    /// Ascending.
    pub(crate) cv: Vec<i32>,
    pub(crate) current: Aligned<f64>,
    /// Whether any mechanism may add to `current`.
    pub(super) carries_current: bool,
    /// Empty unless some mechanism is of level 0.6, which asks for it.
    pub(super) conductivity: Aligned<f64>,
    pub(crate) reversal_mv: Aligned<f64>,
    pub(crate) internal_mm: Aligned<f64>,
    pub(crate) external_mm: Aligned<f64>,
    pub(crate) diffusive_mm: Aligned<f64>,
    charge: Aligned<f64>,
    first: First,
}

/// [`IonInitial`], kept for resets.
#[derive(Debug, Clone)]
struct First {
    reversal_mv: Column,
    reset_internal_mm: Column,
    reset_external_mm: Column,
    /// None where no mechanism writes Xi (Xo).
    init_internal_mm: Option<Column>,
    init_external_mm: Option<Column>,
}

/// Values of an array; one alone where all are equal, as they mostly are.
#[derive(Debug, Clone)]
enum Column {
    Level(f64),
    Each(Vec<f64>),
}

impl Column {
    fn new(values: Vec<f64>) -> Self {
        match values.first() {
            Some(first) if values.iter().all(|v| v.to_bits() == first.to_bits()) => Self::Level(*first),
            _ => Self::Each(values),
        }
    }

    fn copy_to(&self, array: &mut [f64]) {
        match self {
            Self::Level(value) => array.fill(*value),
            // an array that the ion does without is empty
            Self::Each(values) => array.copy_from_slice(&values[..array.len()]),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Level(_) => 0,
            Self::Each(values) => size_of_val(values.as_slice()),
        }
    }
}

/// Where an ion's arrays start, one value per entry of [`IonStorage::cv`].
#[derive(Debug, Clone, Default)]
pub(crate) struct IonInitial {
    pub(crate) reversal_mv: Vec<f64>,
    /// Area averages over the whole CV.
    pub(crate) reset_internal_mm: Vec<f64>,
    pub(crate) reset_external_mm: Vec<f64>,
    /// Averages over the part that no writer covers, normalised by the whole area.
    pub(crate) init_internal_mm: Vec<f64>,
    pub(crate) init_external_mm: Vec<f64>,
    pub(crate) carries_current: bool,
    /// Whether anything but the internal concentration may be asked for.
    pub(crate) complete: bool,
    /// Some mechanism writes Xi (Xo).
    pub(crate) internal_written: bool,
    pub(crate) external_written: bool,
}

impl IonStorage {
    pub(crate) fn new(name: String, valence: i32, cv: Vec<i32>, initial: IonInitial, with_conductivity: bool) -> Self {
        let n = cv.len();
        let others = if initial.complete { n } else { 0 };
        let zeros = |n| Aligned::filled(n, SHARED_ALIGNMENT, 0.0);
        let copied = |values: &[f64], n| Aligned::copied(values, n, SHARED_ALIGNMENT, 0.0);
        Self {
            name,
            cv,
            current: zeros(others),
            carries_current: initial.carries_current,
            conductivity: zeros(if with_conductivity { n } else { 0 }),
            reversal_mv: copied(&initial.reversal_mv, others),
            internal_mm: copied(&initial.init_internal_mm, n),
            external_mm: copied(&initial.init_external_mm, others),
            diffusive_mm: copied(&initial.reset_internal_mm, others),
            charge: Aligned::filled(1, SHARED_ALIGNMENT, f64::from(valence)),
            first: First {
                reversal_mv: Column::new(initial.reversal_mv),
                reset_internal_mm: Column::new(initial.reset_internal_mm),
                reset_external_mm: Column::new(initial.reset_external_mm),
                init_internal_mm: initial.internal_written.then(|| Column::new(initial.init_internal_mm)),
                init_external_mm: initial.external_written.then(|| Column::new(initial.init_external_mm)),
            },
        }
    }

    /// Position of a CV in this ion's arrays.
    pub(crate) fn position(&self, cv: usize) -> Option<usize> {
        self.cv.binary_search(&i32::try_from(cv).ok()?).ok()
    }

    /// Start of a simulation. Arbor restores only what some mechanism declares to write; restoring all makes no
    /// difference to the first run, and lets a later one repeat it even if a kernel writes more than it declares.
    pub(crate) fn reset(&mut self) {
        self.first.reset_internal_mm.copy_to(&mut self.internal_mm);
        self.first.reset_external_mm.copy_to(&mut self.external_mm);
        self.first.reset_internal_mm.copy_to(&mut self.diffusive_mm);
        self.first.reversal_mv.copy_to(&mut self.reversal_mv);
    }

    /// Whether some mechanism writes a concentration.
    pub(super) fn is_written(&self) -> bool {
        self.first.init_internal_mm.is_some() || self.first.init_external_mm.is_some()
    }

    /// Before `write_ions` adds the writers' parts.
    pub(super) fn init_concentrations(&mut self) {
        if let Some(column) = &self.first.init_internal_mm {
            column.copy_to(&mut self.internal_mm);
        }
        if let Some(column) = &self.first.init_external_mm {
            column.copy_to(&mut self.external_mm);
        }
    }

    /// Bytes of all arrays, those that a reset starts from included.
    pub(super) fn bytes(&self) -> usize {
        let now = [
            &self.current,
            &self.conductivity,
            &self.reversal_mv,
            &self.internal_mm,
            &self.external_mm,
            &self.diffusive_mm,
            &self.charge,
        ];
        let first = [
            Some(&self.first.reversal_mv),
            Some(&self.first.reset_internal_mm),
            Some(&self.first.reset_external_mm),
            self.first.init_internal_mm.as_ref(),
            self.first.init_external_mm.as_ref(),
        ];
        let now: usize = now.iter().map(|array| array.len()).sum::<usize>() * size_of::<f64>();
        let first: usize = first.into_iter().flatten().map(Column::bytes).sum();
        now + first + size_of_val(self.cv.as_slice())
    }

    pub(super) fn view(&mut self, index: *mut i32) -> IonState06 {
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

/// The same view at level 0.7.
pub(super) fn without_conductivity(v: IonState06) -> IonState {
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
