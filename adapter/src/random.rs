//! Chance: where places are drawn, who is connected, where a search starts. Small, and the same on every machine.

/// SplitMix64.
///
/// # Reference
/// Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA, doi:10.1145/2660193.2660195, with
/// the finaliser of Stafford's variant 13.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1), with 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In [0, n); 0 for n = 0. The bias is below n/2⁶⁴.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.next()) * n as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// `count` different numbers below `n`, ascending; all of them if there are not as many (Floyd's algorithm).
    pub(crate) fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut chosen = std::collections::BTreeSet::new();
        for last in n.saturating_sub(count)..n {
            let candidate = self.below(last + 1);
            if !chosen.insert(candidate) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().collect()
    }
}

/// A seed for the `index`-th user of a seed; the first takes it as it is.
pub(crate) fn derived(seed: u64, index: usize) -> u64 {
    if index == 0 {
        return seed;
    }
    let mut stream = SplitMix64::new(SplitMix64::new(seed).next() ^ index as u64);
    stream.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First outputs for seed 1234567 as the reference implementation prints them (Vigna's splitmix64.c).
    #[test]
    fn known_answers() {
        let mut stream = SplitMix64::new(1_234_567);
        let found: Vec<u64> = (0..3).map(|_| stream.next()).collect();
        assert_eq!(
            found,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn samples_are_uniform_and_without_repetition() {
        let mut stream = SplitMix64::new(5);
        let mut counts = [0u32; 6];
        for _ in 0..6000 {
            let sample = stream.sample(6, 2);
            assert_eq!(sample.len(), 2);
            assert!(sample[0] < sample[1] && sample[1] < 6);
            for k in sample {
                counts[k] += 1;
            }
        }
        // mean 2000, standard deviation 37
        assert!(counts.iter().all(|c| (1800..2200).contains(c)), "{counts:?}");
        assert_eq!(stream.sample(3, 7), [0, 1, 2]);
        assert!(stream.sample(0, 2).is_empty());
    }

    #[test]
    fn derived_seeds_differ_and_the_first_is_the_seed() {
        let seeds: std::collections::BTreeSet<u64> = (0..3)
            .flat_map(|seed| (0..100).map(move |k| derived(seed, k)))
            .collect();
        assert_eq!(seeds.len(), 300);
        assert_eq!(derived(42, 0), 42);
    }
}
