//! Padding, alignment and index lists.

use mech_abi::AbiLevel;

use super::aligned::Aligned;
use super::constraints::Constraints;
use super::padded;
use crate::catalogue::{MechanismInfo, MechanismKind};

fn info(partition_width: usize, alignment: usize) -> MechanismInfo {
    MechanismInfo {
        name: "m".into(),
        fingerprint: String::new(),
        kind: MechanismKind::Density,
        is_linear: false,
        has_post_events: false,
        globals: vec![],
        states: vec![],
        parameters: vec![],
        ions: vec![],
        random_variables: vec![],
        partition_width,
        alignment,
    }
}

#[test]
fn arrays_start_where_they_should_and_hold_what_they_should() {
    for alignment in [8, 16, 64, 256] {
        for len in [0, 1, 7, 64] {
            let mut a = Aligned::filled(len, alignment, 1.5f64);
            assert_eq!(a.as_mut_ptr().addr() % alignment, 0);
            assert_eq!(a.len(), len);
            assert!(a.iter().all(|&x| x.to_bits() == 1.5f64.to_bits()));
            let moved = a;
            assert_eq!(moved.as_ptr().addr() % alignment, 0);
            let copy = moved.clone();
            assert_eq!(copy.as_ptr().addr() % alignment, 0);
            assert_eq!(copy[..], moved[..]);
            let b = Aligned::copied(&[3i32; 2], len, alignment, 9);
            assert_eq!(b.as_ptr().addr() % alignment, 0);
            assert!(b.iter().skip(2).all(|&x| x == 9));
        }
    }
}

/// host-numerics.md §2.1: values to lcm(al, 8 pw)/8, indices to lcm(al, 4 pw)/4.
#[test]
fn widths_are_padded_to_lanes_and_alignment() {
    assert_eq!(padded::<f64>(5, &info(1, 8)), 5);
    assert_eq!(padded::<f64>(5, &info(4, 16)), 8);
    assert_eq!(padded::<i32>(5, &info(4, 16)), 8);
    assert_eq!(padded::<f64>(9, &info(4, 64)), 16);
    assert_eq!(padded::<i32>(9, &info(4, 64)), 16);
    assert_eq!(padded::<i32>(5, &info(1, 8)), 6);
}

#[test]
fn blocks_are_classified_and_contiguous_ones_merged() {
    //            contiguous  contiguous  constant    independent  none        tail
    let index = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 10, 12, 13, 14, 14, 15, 15, 16, 17, 17, 17,
    ];
    let c = Constraints::new(&index, 22, 4, AbiLevel::V0_7);
    assert_eq!(c.contiguous, [0, 8]);
    assert_eq!(c.constant, [8]);
    assert_eq!(c.independent, [12]);
    assert_eq!(c.none, [16, 20]);
}

#[test]
fn a_gap_starts_a_new_contiguous_range() {
    let index = [0, 1, 2, 3, 5, 5, 5, 5, 6, 7, 8, 9];
    let c = Constraints::new(&index, 12, 4, AbiLevel::V0_7);
    assert_eq!(c.contiguous, [0, 4, 8, 12]);
}

#[test]
fn old_catalogues_get_block_starts() {
    let index = [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8];
    let c = Constraints::new(&index, 9, 4, AbiLevel::V0_6);
    assert_eq!(c.contiguous, [0, 4]);
    // The padded tail looks constant, and old hosts said so.
    assert_eq!(c.constant, [8]);
    assert!(c.none.is_empty());
}

#[test]
fn scalar_kernels_have_one_lane() {
    let c = Constraints::new(&[3, 4, 9], 3, 1, AbiLevel::V0_7);
    assert_eq!(c.contiguous, [0, 3]);
}
