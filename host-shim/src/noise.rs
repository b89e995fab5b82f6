//! Random numbers of WHITE_NOISE, as Arbor draws them: a pure function of who draws what for the how-manieth time
//! (host-numerics.md §2.6). Nothing is carried from one number to the next, so neither the order in which cells are
//! computed nor their grouping matters.
//!
//! References: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11,
//! doi:10.1145/2063384.2063405 (Threefry, a Threefish without the tweak, and its constants); Box and Muller, Ann. Math.
//! Stat. 29 (1958) 610–611; Arbor 0.12.2 for keys and counters.

use std::f64::consts::PI;

use crate::storage::Aligned;

/// Rounds of the cipher. Arbor's choice: the least that passes BigCrush.
const ROUNDS: usize = 12;
/// Numbers that one call of the cipher gives per variable and instance; they serve as many steps.
const STEPS_PER_DRAW: usize = 4;
/// Rotations of the two words mixed in each of eight rounds (Salmon et al., table 2, 4×64).
const ROTATIONS: [[u32; 2]; 8] = [
    [14, 16],
    [52, 57],
    [23, 40],
    [5, 37],
    [25, 33],
    [46, 12],
    [58, 22],
    [32, 32],
];
/// Parity of the extended key (Salmon et al., section 3.3; Skein 1.3).
const KEY_PARITY: u64 = 0x1BD1_1BDA_A9FC_1A22;
/// Arbor's filling of the key.
const KEY_TAIL: [u64; 2] = [0xdead_f00d, 0xdead_beef];

/// Threefry4x64 with `rounds` rounds.
fn threefry(counter: [u64; 4], key: [u64; 4], rounds: usize) -> [u64; 4] {
    let parity = key.iter().fold(KEY_PARITY, |parity, word| parity ^ word);
    let extended = [key[0], key[1], key[2], key[3], parity];
    let inject = |x: &mut [u64; 4], subkey: usize| {
        for (k, word) in x.iter_mut().enumerate() {
            *word = word.wrapping_add(extended[(subkey + k) % extended.len()]);
        }
        x[3] = x[3].wrapping_add(subkey as u64);
    };
    let mut x = counter;
    inject(&mut x, 0);
    for round in 0..rounds {
        let [first, second] = ROTATIONS[round % ROTATIONS.len()];
        // Instead of permuting the words after each round, alternate what they are mixed with.
        let (one, other) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        x[0] = x[0].wrapping_add(x[one]);
        x[one] = x[one].rotate_left(first) ^ x[0];
        x[2] = x[2].wrapping_add(x[other]);
        x[other] = x[other].rotate_left(second) ^ x[2];
        if round % 4 == 3 {
            inject(&mut x, round / 4 + 1);
        }
    }
    x
}

/// Two independent standard normal numbers from two words.
#[expect(clippy::cast_possible_wrap, reason = "the word is taken as a signed fraction of π")]
fn box_muller(u: u64, v: u64) -> [f64; 2] {
    // (-1, 1) and (0, 1): the half keeps both off their ends.
    let angle = PI * (u as i64 as f64 * 0.5f64.powi(63) + 0.5f64.powi(64));
    let uniform = v as f64 * 0.5f64.powi(64) + 0.5f64.powi(65);
    let radius = (-2.0 * uniform.ln()).sqrt();
    let (sin, cos) = angle.sin_cos();
    [radius * sin, radius * cos]
}

/// Who draws: what keys the numbers of a mechanism.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NoiseKeys {
    /// Of the simulation.
    pub(crate) seed: u64,
    /// Per instance.
    pub(crate) instances: Vec<NoiseKey>,
}

/// What keys the numbers of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoiseKey {
    /// Position of the mechanism among all of the cell's group (as the caller grouped cells), in the order of names.
    pub(crate) mechanism: u32,
    /// Global id of the cell.
    pub(crate) gid: u32,
    /// Number of the instance on the cell.
    pub(crate) instance: u32,
}

impl NoiseKeys {
    /// Appends the instances of one group, given the global id of each; those of a cell are numbered from 0.
    pub(crate) fn append(&mut self, mechanism: u32, gids: &[u32]) {
        for run in gids.chunk_by(|a, b| a == b) {
            let key = |(&gid, instance)| NoiseKey {
                mechanism,
                gid,
                instance,
            };
            self.instances.extend(run.iter().zip(0..).map(key));
        }
    }
}

/// Random numbers of one mechanism.
#[derive(Debug, Clone)]
pub(crate) struct Noise {
    keys: NoiseKeys,
    variables: usize,
    /// Length of a row, at least the number of instances; what is beyond stays 0.
    stride: usize,
    /// `STEPS_PER_DRAW` rows per variable.
    rows: Aligned<f64>,
    /// Steps begun.
    steps: u64,
}

impl Noise {
    pub(crate) fn new(keys: NoiseKeys, variables: usize, stride: usize, alignment: usize) -> Self {
        Self {
            keys,
            variables,
            stride,
            rows: Aligned::filled(variables * STEPS_PER_DRAW * stride, alignment, 0.0),
            steps: 0,
        }
    }

    /// Back to the first numbers.
    pub(crate) fn reset(&mut self) {
        self.steps = 0;
        self.rows.fill(0.0);
    }

    /// Bytes of the numbers and of who draws them.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[f64]>(&self.rows) + size_of_val(self.keys.instances.as_slice())
    }

    /// Draws the numbers of the next step.
    pub(crate) fn refresh(&mut self) {
        let counter = self.steps;
        self.steps += 1;
        if !counter.is_multiple_of(STEPS_PER_DRAW as u64) {
            return;
        }
        let variables = self.rows.chunks_exact_mut(STEPS_PER_DRAW * self.stride);
        for (variable, rows) in variables.enumerate() {
            for (k, who) in self.keys.instances.iter().enumerate() {
                let key = [u64::from(who.gid), u64::from(who.instance), KEY_TAIL[0], KEY_TAIL[1]];
                let counter = [self.keys.seed, u64::from(who.mechanism), variable as u64, counter];
                let words = threefry(counter, key, ROUNDS);
                let [a, b] = box_muller(words[0], words[1]);
                let [c, d] = box_muller(words[2], words[3]);
                for (step, value) in [a, b, c, d].into_iter().enumerate() {
                    rows[step * self.stride + k] = value;
                }
            }
        }
    }

    /// Where the numbers of the present step are, variable after variable.
    pub(crate) fn present(&mut self) -> impl Iterator<Item = *const f64> {
        // Before the first step any row will do: all are 0.
        let step = (self.steps.max(1) - 1) % STEPS_PER_DRAW as u64;
        let first = self.stride * usize::try_from(step).unwrap_or(0);
        let (rows, stride) = (self.rows.as_mut_ptr().cast_const(), self.stride);
        (0..self.variables).map(move |v| rows.wrapping_add(v * STEPS_PER_DRAW * stride + first))
    }
}

#[cfg(test)]
mod tests;
