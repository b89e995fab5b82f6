//! How much memory the arrays take: what a step may touch, without allocator overhead, names and descriptions.

use super::{Constraints, IonStorage, MechanismStorage, SharedStorage};

impl SharedStorage {
    /// Bytes of the arrays of the group and of its ions.
    pub(crate) fn bytes(&self) -> usize {
        let per_cv = [
            &self.voltage_mv,
            &self.current,
            &self.conductance,
            &self.temperature_degc,
            &self.diam_um,
            &self.area_um2,
            &self.time_since_spike_ms,
        ];
        let values: usize = per_cv.iter().map(|array| array.len()).sum::<usize>() * size_of::<f64>();
        let cells = size_of_val::<[i32]>(&self.cell);
        values + cells + self.ions.iter().map(IonStorage::bytes).sum::<usize>()
    }
}

impl MechanismStorage {
    /// Bytes of the arrays of all instances, padding included.
    pub(crate) fn bytes(&self) -> usize {
        let indices = size_of_val::<[i32]>(&self.indices) + self.constraints.bytes();
        let noise = self.noise.as_ref().map_or(0, crate::noise::Noise::bytes);
        size_of_val::<[f64]>(&self.values) + size_of_val(self.globals.as_slice()) + indices + noise
    }
}

impl Constraints {
    fn bytes(&self) -> usize {
        let lists = [&self.contiguous, &self.constant, &self.independent, &self.none];
        lists.iter().map(|list| size_of_val(list.as_slice())).sum()
    }
}
