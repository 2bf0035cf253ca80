//! The pseudo-random draws for one car.

use crate::chance;

/// The draws for one car, which do not depend on those for any other car.
pub(super) struct Draws<'a> {
    seed: u64,
    key: &'a str,
    drawn: u64,
}

impl<'a> Draws<'a> {
    /// Starts the draws for `key` under `seed`.
    pub(super) fn new(seed: u64, key: &'a str) -> Self {
        Self { seed, key, drawn: 0 }
    }

    /// The next draw, as 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.drawn += 1;
        chance::draw(self.seed, self.key, self.drawn)
    }

    /// The next draw, from 0 (inclusive) to `bound` (exclusive).
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.bits() % u64::from(bound.max(1))).unwrap_or_default()
    }

    /// One element of a list, which must not be empty.
    pub(super) fn pick<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        let length = u32::try_from(list.len()).unwrap_or(u32::MAX);
        &list[usize::try_from(self.below(length)).unwrap_or_default()]
    }
}
