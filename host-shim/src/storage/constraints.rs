//! Index lists that tell SIMD kernels how the CVs of a block of instances lie (host-numerics.md §2.3).

use mech_abi::AbiLevel;

/// Instance indices by kind of block. Scalar kernels ignore them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Constraints {
    /// Level 0.7 (Arbor 0.12): `[start, end)` pairs. Level 0.6 (Arbor 0.9, 0.10): block starts.
    pub(crate) contiguous: Vec<i32>,
    pub(crate) constant: Vec<i32>,
    pub(crate) independent: Vec<i32>,
    pub(crate) none: Vec<i32>,
}

impl Constraints {
    /// `node_index` is padded; the first `width` entries are instances; `lanes` is the kernel's SIMD width.
    ///
    /// Entries are below 2³¹: the caller checked the width.
    pub(crate) fn new(node_index: &[i32], width: usize, lanes: usize, abi: AbiLevel) -> Self {
        let mut lists = Self::default();
        for (k, block) in node_index.chunks_exact(lanes).enumerate() {
            let (start, end) = (k * lanes, (k + 1) * lanes);
            if start >= width {
                break;
            }
            let (first, last) = (int(start), int(end));
            // Arbor 0.12 never classifies the tail; older ones classified it by its padding.
            if end > width && abi == AbiLevel::V0_7 {
                lists.none.push(first);
            } else if block.windows(2).all(|w| w[0] + 1 == w[1]) {
                match (abi, lists.contiguous.last_mut()) {
                    (AbiLevel::V0_6, _) => lists.contiguous.push(first),
                    (AbiLevel::V0_7, Some(open)) if *open == first => *open = last,
                    (AbiLevel::V0_7, _) => lists.contiguous.extend([first, last]),
                }
            } else if block.windows(2).all(|w| w[0] == w[1]) {
                lists.constant.push(first);
            } else if block.windows(2).all(|w| w[0] != w[1]) {
                lists.independent.push(first);
            } else {
                lists.none.push(first);
            }
        }
        lists
    }
}

fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
