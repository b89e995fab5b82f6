//! Numbers from a seed, the same on every machine and in every version.

/// SplitMix64: Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195.
pub(super) struct SplitMix(pub(super) u64);

impl SplitMix {
    /// Uniform in [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // 53 bits are a double's whole significand
        low + (high - low) * (z >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of 0 … n − 1.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let x = self.between(0.0, n as f64);
        (1..n).take_while(|&k| k as f64 <= x).count()
    }
}
