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
        assert_eq!(threefry::<5>(counter, key), answer);
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
        assert_eq!(threefry::<GROUPS>(counter, key), answer);
    }
    let words = threefry::<GROUPS>([42, 3, 1, 8], [7, 5, KEY_TAIL[0], KEY_TAIL[1]]);
    let drawn = by_the_library(words);
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
    let [_, largest, ..] = by_the_library([0; 4]);
    assert!((largest - 9.492_583_076_949_755).abs() < 1e-14, "{largest}");
}

/// What Random123 does: `boxmuller.hpp`, in words of our own, with the functions of the C library.
#[expect(clippy::cast_possible_wrap, reason = "the word is taken as a signed fraction of π")]
fn by_the_library(words: [u64; 4]) -> [f64; 4] {
    let pair = |u: u64, v: u64| {
        let angle = std::f64::consts::PI * (u as i64 as f64 * 0.5f64.powi(63) + 0.5f64.powi(64));
        let uniform = v as f64 * 0.5f64.powi(64) + 0.5f64.powi(65);
        let radius = (-2.0 * uniform.ln()).sqrt();
        [radius * angle.sin(), radius * angle.cos()]
    };
    let ([a, b], [c, d]) = (pair(words[0], words[1]), pair(words[2], words[3]));
    [a, b, c, d]
}

/// However many instances share the lanes, and however many steps are drawn ahead.
#[test]
fn numbers_are_the_librarys_to_the_last_bit() {
    for n in [1, 2, 5, 16, 17, 700] {
        let mut keys = NoiseKeys {
            seed: 9,
            ..NoiseKeys::default()
        };
        keys.append(4, &(0..n).map(|k| 100 + k / 3).collect::<Vec<u32>>());
        let instances = keys.instances.clone();
        let stride = instances.len() + 3;
        let mut noise = Noise::new(keys, 2, stride, 64);
        for step in 0..2 * STEPS_PER_DRAW * LANES {
            noise.refresh();
            let start = noise.rows.as_ptr();
            let shown: Vec<_> = noise.present().collect();
            for (variable, row) in (0..).zip(shown) {
                let row = (row.addr() - start.addr()) / size_of::<f64>();
                for (k, who) in instances.iter().enumerate() {
                    let drawn = (step - step % STEPS_PER_DRAW) as u64;
                    let key = [u64::from(who.gid), u64::from(who.instance), KEY_TAIL[0], KEY_TAIL[1]];
                    let words = threefry::<GROUPS>([9, 4, variable, drawn], key);
                    let expected = by_the_library(words)[step % STEPS_PER_DRAW];
                    let number = noise.rows[row + k];
                    assert_eq!(number.to_bits(), expected.to_bits(), "{n} {variable} {k} {step}");
                }
                assert!(
                    noise.rows[row + instances.len()..row + stride]
                        .iter()
                        .all(|x| x.to_bits() == 0)
                );
            }
        }
    }
}

/// Variable 1 of instance 5 of cell 7, mechanism 3, seed 42, in its steps 8 to 11: the numbers above.
#[test]
fn a_draw_serves_four_steps() {
    let gids = [3, 3, 7, 7, 7, 7, 7, 7, 9];
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
            noise.rows[row + 9..row + 12].iter().all(|x| x.abs() < 1e-300),
            "padding"
        );
    }
    assert!((drawn[8] - -0.082_645_149_809_535_273).abs() < 1e-15);
    assert!((drawn[11] - 2.315_583_811_545_813_4).abs() < 1e-15);
    noise.reset();
    noise.refresh();
    assert_eq!(noise.rows[48 + 7].to_bits(), drawn[0].to_bits());
}
