//! Threefry2x64-20: a counter-based random number generator of two 64-bit words.
//!
//! # Reference
//! Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, SC'11 (2011), §4.1 and table 2,
//! doi:10.1145/2063384.2063405; the key schedule is Threefish's (Ferguson et al., The Skein hash function family, 2010).

/// Rotations, repeating every eight rounds.
const ROTATIONS: [u32; 8] = [16, 42, 12, 31, 16, 32, 24, 21];
const ROUNDS: usize = 20;
/// Threefish's parity constant C₂₄₀.
const PARITY: u64 = 0x1BD1_1BDA_A9FC_1A22;

/// The random words that belong to a counter and a key.
pub(crate) fn threefry2x64(counter: [u64; 2], key: [u64; 2]) -> [u64; 2] {
    let schedule = [key[0], key[1], PARITY ^ key[0] ^ key[1]];
    let mut x = [counter[0].wrapping_add(key[0]), counter[1].wrapping_add(key[1])];
    let mut injections = 0u64;
    let mut subkey = 0;
    for round in 0..ROUNDS {
        x[0] = x[0].wrapping_add(x[1]);
        x[1] = x[1].rotate_left(ROTATIONS[round % 8]) ^ x[0];
        if round % 4 == 3 {
            injections += 1;
            subkey = (subkey + 1) % 3;
            x[0] = x[0].wrapping_add(schedule[subkey]);
            x[1] = x[1].wrapping_add(schedule[(subkey + 1) % 3]).wrapping_add(injections);
        }
    }
    x
}

/// A number in (0, 1]: the middle of the word's interval, as Random123's `u01`.
pub(crate) fn u01(word: u64) -> f64 {
    const STEP: f64 = f64::EPSILON / 4096.0; // 2⁻⁵² · 2⁻¹² = 2⁻⁶⁴
    // Both factors are powers of two: fused or not, the result is the same.
    word as f64 * STEP + 0.5 * STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random123's known answers (its file kat_vectors, threefry 2x64, 20 rounds).
    #[test]
    fn known_answers() {
        let all = u64::MAX;
        let digits_of_pi = [
            [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344],
            [0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89],
        ];
        for (counter, key, expected) in [
            ([0, 0], [0, 0], [0xc2b6_e3a8_c2c6_9865, 0x6f81_ed42_f350_084d]),
            ([all; 2], [all; 2], [0xe02c_b7c4_d95d_277a, 0xd066_33d0_893b_8b68]),
            (
                digits_of_pi[0],
                digits_of_pi[1],
                [0x263c_7d30_bb0f_0af1, 0x56be_8361_d331_1526],
            ),
        ] {
            assert_eq!(threefry2x64(counter, key), expected);
        }
    }

    #[test]
    fn uniform_numbers_are_never_zero() {
        assert_eq!(u01(0).to_bits(), (0.5f64).powi(65).to_bits());
        assert_eq!(u01(1 << 63).to_bits(), 0.5f64.to_bits());
        assert_eq!(u01(u64::MAX).to_bits(), 1f64.to_bits());
    }
}
