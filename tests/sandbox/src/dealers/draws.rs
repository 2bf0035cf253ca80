//! Chance for one car.

use crate::chance;

/// The draws for one car, none of which depends on another car's.
pub(super) struct Draws<'a> {
    seed: u64,
    key: &'a str,
    drawn: u64,
}

impl<'a> Draws<'a> {
    /// The draws under a seed for a key.
    pub(super) fn new(seed: u64, key: &'a str) -> Self {
        Self { seed, key, drawn: 0 }
    }

    /// 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.drawn += 1;
        chance::draw(self.seed, self.key, self.drawn)
    }

    /// From 0 up to, but not reaching, the bound.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.bits() % u64::from(bound.max(1))).unwrap_or_default()
    }

    /// One of a list that is not empty.
    pub(super) fn pick<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        let length = u32::try_from(list.len()).unwrap_or(u32::MAX);
        &list[usize::try_from(self.below(length)).unwrap_or_default()]
    }
}
