//! Random numbers of WHITE_NOISE, as Arbor draws them: a pure function of who draws what for the how-manieth time
//! (host-numerics.md §2.6). Nothing is carried from one number to the next, so neither the order in which cells are
//! computed nor their grouping matters.
//!
//! References: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11,
//! doi:10.1145/2063384.2063405 (Threefry, a Threefish without the tweak, and its constants); Box and Muller, Ann. Math.
//! Stat. 29 (1958) 610–611; Arbor 0.12.2 for keys and counters.

mod normal;
#[cfg(test)]
mod tests;

use normal::{Draws, LANES};

use crate::storage::Aligned;

/// Groups of four rounds of the cipher. Arbor's choice, twelve rounds: the least that passes BigCrush.
const GROUPS: usize = 3;
/// Numbers that one call of the cipher gives per variable and instance; they serve as many steps.
const STEPS_PER_DRAW: usize = 4;
/// Rotations of the two words mixed in each of eight rounds, in two groups (Salmon et al., table 2, 4×64).
const ROTATIONS: [[[u32; 2]; 4]; 2] = [
    [[14, 16], [52, 57], [23, 40], [5, 37]],
    [[25, 33], [46, 12], [58, 22], [32, 32]],
];
/// Parity of the extended key (Salmon et al., section 3.3; Skein 1.3).
const KEY_PARITY: u64 = 0x1BD1_1BDA_A9FC_1A22;
/// Arbor's filling of the key.
const KEY_TAIL: [u64; 2] = [0xdead_f00d, 0xdead_beef];

/// Threefry4x64 with four rounds per group. Without branches, so that many go side by side.
#[inline(always)]
fn threefry<const GROUPS: usize>(counter: [u64; 4], key: [u64; 4]) -> [u64; 4] {
    let parity = key.iter().fold(KEY_PARITY, |parity, word| parity ^ word);
    let extended = [key[0], key[1], key[2], key[3], parity];
    let mut x = inject(counter, extended, 0);
    for group in 0..GROUPS {
        x = inject(four_rounds(x, ROTATIONS[group % 2]), extended, group + 1);
    }
    x
}

#[inline(always)]
fn inject(x: [u64; 4], extended: [u64; 5], subkey: usize) -> [u64; 4] {
    let word = |k: usize| x[k].wrapping_add(extended[(subkey + k) % 5]);
    [word(0), word(1), word(2), word(3).wrapping_add(subkey as u64)]
}

#[inline(always)]
fn four_rounds([a, b, c, d]: [u64; 4], rotations: [[u32; 2]; 4]) -> [u64; 4] {
    let mix = |x: u64, y: u64, rotation: u32| {
        let sum = x.wrapping_add(y);
        (sum, y.rotate_left(rotation) ^ sum)
    };
    // Instead of permuting the words after each round, alternate what they are mixed with.
    let ((a, b), (c, d)) = (mix(a, b, rotations[0][0]), mix(c, d, rotations[0][1]));
    let ((a, d), (c, b)) = (mix(a, d, rotations[1][0]), mix(c, b, rotations[1][1]));
    let ((a, b), (c, d)) = (mix(a, b, rotations[2][0]), mix(c, d, rotations[2][1]));
    let ((a, d), (c, b)) = (mix(a, d, rotations[3][0]), mix(c, b, rotations[3][1]));
    [a, b, c, d]
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
    /// One per step and variable, `steps_ahead` per variable.
    rows: Aligned<f64>,
    /// Steps whose numbers have been drawn.
    drawn: u64,
    /// Of the last ones drawn, the present step.
    present: usize,
    /// Steps whose numbers are drawn at once. A multiple of [`STEPS_PER_DRAW`]: a few instances alone would not fill the
    /// lanes.
    steps_ahead: usize,
    arch: pulp::Arch,
}

impl Noise {
    pub(crate) fn new(keys: NoiseKeys, variables: usize, stride: usize, alignment: usize) -> Self {
        let steps_ahead = STEPS_PER_DRAW * (LANES / keys.instances.len().max(1)).max(1);
        Self {
            keys,
            variables,
            stride,
            rows: Aligned::filled(variables * steps_ahead * stride, alignment, 0.0),
            drawn: 0,
            present: steps_ahead - 1,
            steps_ahead,
            arch: pulp::Arch::new(),
        }
    }

    /// Back to the first numbers.
    pub(crate) fn reset(&mut self) {
        self.drawn = 0;
        self.present = self.steps_ahead - 1;
        self.rows.fill(0.0);
    }

    /// Bytes of the numbers and of who draws them.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[f64]>(&self.rows) + size_of_val(self.keys.instances.as_slice())
    }

    /// Draws the numbers of the next step.
    pub(crate) fn refresh(&mut self) {
        self.present += 1;
        if self.present == self.steps_ahead {
            self.draw();
            self.present = 0;
        }
    }

    fn draw(&mut self) {
        let stride = self.stride;
        let mut draws = Draws::new();
        for (variable, rows) in (0..).zip(self.rows.chunks_exact_mut(self.steps_ahead * stride)) {
            for (chunk, instances) in self.keys.instances.chunks(LANES).enumerate() {
                // Lanes are filled with the instances of one draw after the other.
                let draws_ahead = self.steps_ahead / STEPS_PER_DRAW;
                let mut lane = 0;
                for draw in 0..draws_ahead {
                    for who in instances {
                        draws.who[0][lane] = u64::from(who.mechanism);
                        draws.who[1][lane] = self.drawn + (draw * STEPS_PER_DRAW) as u64;
                        draws.who[2][lane] = u64::from(who.gid);
                        draws.who[3][lane] = u64::from(who.instance);
                        lane += 1;
                    }
                }
                draws.draw(self.arch, self.keys.seed, variable);
                let mut lane = 0;
                for rows in rows.chunks_exact_mut(STEPS_PER_DRAW * stride) {
                    for k in chunk * LANES..chunk * LANES + instances.len() {
                        // One by one: a copy of a few takes longer to call than to do.
                        for (step, numbers) in draws.numbers.iter().enumerate() {
                            rows[step * stride + k] = numbers[lane];
                        }
                        lane += 1;
                    }
                }
            }
        }
        self.drawn += self.steps_ahead as u64;
    }

    /// Where the numbers of the present step are, variable after variable. Before the first step all are 0.
    pub(crate) fn present(&mut self) -> impl Iterator<Item = *const f64> {
        let first = self.stride * self.present;
        let (rows, apart) = (self.rows.as_mut_ptr().cast_const(), self.steps_ahead * self.stride);
        (0..self.variables).map(move |v| rows.wrapping_add(v * apart + first))
    }
}
