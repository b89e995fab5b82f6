//! Which of the caller's groups share arrays and kernels' calls.
//!
//! A kernel's call costs tens of nanoseconds whatever its width, and is vectorised over instances: cells of a few CVs
//! should share it by the hundred. On the other hand threads take whole batches, and what a step touches should stay in
//! a core's second-level cache. The rule knows the cells only, never the machine, so that results depend on neither.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::layout::CellLayout;

/// A batch may be this small for the sake of parallelism, in CVs: the emitted kernels' block.
const MIN_CVS: usize = 64;
/// Batches that are enough for load balance on the usual number of cores. A power of two, to divide evenly.
const ENOUGH: usize = 16;
/// Bytes of kernels' arrays beyond which a batch is split: half of a second-level cache of 512 KiB.
const MAX_BYTES: usize = 256 << 10;
/// Values per CV besides mechanisms and ions: voltage, currents, geometry, the matrix.
const CABLE_ROWS: usize = 12;
/// Arrays per ion.
const ION_ROWS: usize = 6;

/// Batches as ranges of `families` (ranges of cells, one after the other), in order.
pub(crate) fn batches(families: &[Range<usize>], cells: &[CellLayout]) -> Vec<Range<usize>> {
    let family = |f: &Range<usize>| -> (usize, usize) {
        let members = &cells[f.clone()];
        (
            members.iter().map(|c| c.discretisation.n_cvs()).sum(),
            members.iter().map(bytes).sum(),
        )
    };
    let sizes: Vec<(usize, usize)> = families.iter().map(family).collect();
    let (cvs, bytes) = sizes.iter().fold((0, 0), |(n, b), size| (n + size.0, b + size.1));
    let count = count(cvs, bytes);
    let mut out: Vec<Range<usize>> = Vec::new();
    let (mut before, mut last) = (0, None);
    let mut valences = BTreeMap::new();
    for (k, (members, size)) in families.iter().zip(&sizes).enumerate() {
        // Where the middle of the family falls if all CVs are dealt out evenly.
        let share = (before + size.0 / 2) * count / cvs.max(1);
        before += size.0;
        let fits = admits(&mut valences, &cells[members.clone()]);
        match out.last_mut().filter(|_| fits && last == Some(share)) {
            Some(batch) => batch.end = k + 1,
            None => {
                valences.clear();
                admits(&mut valences, &cells[members.clone()]);
                out.push(k..k + 1);
            }
        }
        last = Some(share);
    }
    out
}

fn count(cvs: usize, bytes: usize) -> usize {
    let parallel = (cvs / MIN_CVS).clamp(1, ENOUGH);
    // Rounded down, to a power of two.
    let parallel = 1 << parallel.ilog2();
    let cached = bytes.div_ceil(MAX_BYTES);
    if cached > ENOUGH {
        cached.next_multiple_of(ENOUGH)
    } else {
        parallel.max(cached.next_power_of_two())
    }
}

/// What kernels and solver touch for one cell.
fn bytes(cell: &CellLayout) -> usize {
    let mechanisms = cell.mechanisms.values().map(|set| {
        let info = set.handle.info();
        let rows = 1 + info.parameters.len() + info.states.len() + (1 + info.ions.len()).div_ceil(2);
        rows * set.cv.len()
    });
    let ions = cell.ions.values().map(|ion| ION_ROWS * ion.cv.len());
    let values = mechanisms.chain(ions).sum::<usize>() + CABLE_ROWS * cell.discretisation.n_cvs();
    values * size_of::<f64>()
}

/// Whether the ions of `cells` have the valences noted so far, which are completed. In Arbor as here, an ion has one
/// valence in a group.
fn admits(valences: &mut BTreeMap<String, i32>, cells: &[CellLayout]) -> bool {
    let mut ions = cells.iter().flat_map(|c| &c.ions);
    ions.all(|(name, ion)| *valences.entry(name.clone()).or_insert(ion.valence) == ion.valence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cells_share_and_large_ones_do_not() {
        for (cvs, bytes, expected) in [
            (1, 200, 1),
            (10, 2000, 1),
            (127, 20_000, 1),
            (128, 20_000, 2),
            (1000, 200_000, 8),
            (5000, 1_000_000, 16),
            (50_000, 10_000_000, 48),
            // a hundred slots: the cache decides
            (400, 2_000_000, 8),
        ] {
            assert_eq!(count(cvs, bytes), expected, "{cvs} CVs, {bytes} bytes");
        }
    }
}
