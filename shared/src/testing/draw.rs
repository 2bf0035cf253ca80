//! Draws that depend on what they decide and on nothing else.
//!
//! A stream of random numbers gives each decision whatever number comes next, so that one decision more
//! or less changes all that follow. Here each decision has a number of its own, whatever else happens.

/// Pseudo-random numbers of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    seed: u64,
}

impl Draw {
    /// The numbers of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// 64 bits for what the `nth` `call` of `actor` decides in this `stream`, such as whether it fails. They
    /// depend on the seed and the arguments only: FNV-1a over the names, mixed with the numbers by the
    /// finisher of SplitMix64.
    #[must_use]
    pub fn bits(self, stream: &str, actor: u64, call: &str, nth: u64) -> u64 {
        let bytes = stream.bytes().chain([0]).chain(call.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        [self.seed, actor, nth].into_iter().fold(mix(hash), |state, part| mix(state ^ mix(part)))
    }

    /// The same as a number from 0 (inclusive) to 1 (exclusive).
    #[must_use]
    pub fn unit(self, stream: &str, actor: u64, call: &str, nth: u64) -> f64 {
        let high = u32::try_from(self.bits(stream, actor, call, nth) >> 32).unwrap_or(u32::MAX);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    /// The same as a whole number below `end`; 0 if `end` is 0.
    #[must_use]
    pub fn below(self, end: u64, stream: &str, actor: u64, call: &str, nth: u64) -> u64 {
        self.bits(stream, actor, call, nth) % end.max(1)
    }
}

fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_each_of_its_arguments() {
        let draw = Draw::new(7);
        let one = draw.bits("fails", 1, "settle", 0);
        assert_eq!(one, Draw::new(7).bits("fails", 1, "settle", 0));
        let others = [
            Draw::new(8).bits("fails", 1, "settle", 0),
            draw.bits("hangs", 1, "settle", 0),
            draw.bits("fails", 2, "settle", 0),
            draw.bits("fails", 1, "insert", 0),
            draw.bits("fails", 1, "settle", 1),
        ];
        assert!(others.iter().all(|other| *other != one), "{one} {others:?}");
    }

    #[test]
    fn a_fifth_of_many_draws_is_below_a_fifth() {
        let draw = Draw::new(7);
        let under = (0..10_000).filter(|nth| draw.unit("a", 0, "b", *nth) < 0.2).count();
        assert!((1_900..2_100).contains(&under), "{under}");
        assert!((0..100).all(|nth| draw.below(3, "a", 0, "b", nth) < 3));
        assert_eq!(draw.below(0, "a", 0, "b", 0), 0);
    }
}
