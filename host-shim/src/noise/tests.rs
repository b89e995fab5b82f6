//! The cipher and the transform against published and independently computed values.

use super::*;

/// Digits of π, as the published vectors use them.
const PI_COUNTER: [u64; 4] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
];
const PI_KEY: [u64; 4] = [
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6c,
    0xc0ac_29b7_c97c_50dd,
    0x3f84_d5b5_b547_0917,
];

/// Known answers published with Random123 (`kat_vectors`, threefry4x64 with 20 rounds).
#[test]
fn twenty_rounds_give_the_published_answers() {
    let answers = [
        (
            [0; 4],
            [0; 4],
            [
                0x0921_8ebd_e6c8_5537,
                0x5594_1f52_66d8_6105,
                0x4bd2_5e16_2824_34dc,
                0xee29_ec84_6bd2_e40b,
            ],
        ),
        (
            [u64::MAX; 4],
            [u64::MAX; 4],
            [
                0x29c2_4097_942b_ba1b,
                0x0371_bbfb_0f6f_4e11,
                0x3c23_1ffa_33f8_3a1c,
                0xcd29_113f_de32_d168,
            ],
        ),
        (
            PI_COUNTER,
            PI_KEY,
            [
                0xbb89_3fd4_2eac_50eb,
                0x7ca8_b229_05f3_443a,
                0xe204_b8dc_b4da_ace7,
                0x3e10_70a2_327b_fc09,
            ],
        ),
    ];
    for (counter, key, answer) in answers {
        assert_eq!(threefry(counter, key, 20), answer);
    }
}

/// From Random123 1.14 itself, compiled in C++.
#[test]
fn twelve_rounds_and_the_transform_agree_with_random123() {
    let answers = [
        (
            [0; 4],
            [0; 4],
            [
                0x0068_c71d_9376_b741,
                0x4009_33a1_4e65_d6c4,
                0xeae3_34ba_caee_db8e,
                0x4e8f_dcfa_edb0_c1bb,
            ],
        ),
        (
            PI_COUNTER,
            PI_KEY,
            [
                0xe685_08ac_bec0_c220,
                0x5cdc_1fe2_3b00_cdec,
                0x55d5_204a_eb36_1141,
                0xb744_bacd_d6d6_e33d,
            ],
        ),
    ];
    for (counter, key, answer) in answers {
        assert_eq!(threefry(counter, key, ROUNDS), answer);
    }
    let words = threefry([42, 3, 1, 8], [7, 5, KEY_TAIL[0], KEY_TAIL[1]], ROUNDS);
    let drawn = [box_muller(words[0], words[1]), box_muller(words[2], words[3])].concat();
    let expected = [
        -0.082_645_149_809_535_273,
        -0.727_952_870_077_691_61,
        -1.064_736_494_701_315_2,
        2.315_583_811_545_813_4,
    ];
    for (a, b) in drawn.iter().zip(expected) {
        assert!((a - b).abs() < 1e-15, "{a} {b}");
    }
    // Neither end of the uniform interval is reached.
    let [_, largest] = box_muller(0, 0);
    assert!((largest - 9.492_583_076_949_755).abs() < 1e-14, "{largest}");
}

/// Variable 1 of instance 5 of cell 7, mechanism 3, seed 42, in its steps 8 to 11: the numbers above.
#[test]
fn a_draw_serves_four_steps() {
    let gids = [3, 3, 7, 7, 7, 7, 7, 7];
    let mut keys = NoiseKeys {
        seed: 42,
        ..NoiseKeys::default()
    };
    keys.append(3, &gids);
    let numbered = |k: usize| (keys.instances[k].gid, keys.instances[k].instance);
    assert_eq!(numbered(2), (7, 0));
    assert_eq!(numbered(7), (7, 5));
    let mut noise = Noise::new(keys, 2, 12, 64);
    let mut drawn = Vec::new();
    for step in 0..12 {
        noise.refresh();
        let row = 12 * (4 + step % 4);
        drawn.push(noise.rows[row + 7]);
        let base = noise.rows.as_ptr();
        let present: Vec<_> = noise.present().collect();
        assert_eq!(present[1], base.wrapping_add(row), "step {step}");
        assert!(
            noise.rows[row + 8..row + 12].iter().all(|x| x.abs() < 1e-300),
            "padding"
        );
    }
    assert!((drawn[8] - -0.082_645_149_809_535_273).abs() < 1e-15);
    assert!((drawn[11] - 2.315_583_811_545_813_4).abs() < 1e-15);
    noise.reset();
    noise.refresh();
    assert_eq!(noise.rows[48 + 7].to_bits(), drawn[0].to_bits());
}
