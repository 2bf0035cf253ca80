//! Random numbers that depend only on the seed.

/// A stream of numbers: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 if that is 0. The bias of the remainder is negligible for the
    /// small bounds used here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.bits().checked_rem(bound).unwrap_or(0)
    }

    /// One of eight, each with the same probability.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T; 8]) -> &'a T {
        let [.., last] = from;
        let place = usize::try_from(self.below(8)).unwrap_or_default();
        from.get(place).unwrap_or(last)
    }

    /// The numbers of `range` in random order (Fisher-Yates).
    pub(crate) fn shuffled(&mut self, range: std::ops::Range<usize>) -> Vec<usize> {
        let mut numbers: Vec<usize> = range.collect();
        for place in (1..numbers.len()).rev() {
            let other = self.below(place as u64 + 1);
            numbers.swap(place, usize::try_from(other).unwrap_or(place));
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn the_stream_is_the_published_one() {
        // The reference implementation's first numbers for the seed 0.
        let mut chance = Chance::of(0);
        assert_eq!(chance.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(chance.bits(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn a_shuffle_keeps_every_number() {
        let mut shuffled = Chance::of(7).shuffled(3..40);
        assert_ne!(shuffled, (3..40).collect::<Vec<_>>());
        shuffled.sort_unstable();
        assert_eq!(shuffled, (3..40).collect::<Vec<_>>());
    }
}
