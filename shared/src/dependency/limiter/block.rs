//! The slots that a container has reserved and not used yet.

use super::{Grant, Rates, SLOT_LIFE, micros};
use crate::base::time::Time;

/// Most slots that a container reserves without needing them.
const MOST_SPARE_SLOTS: u32 = 100;

/// A container's unused slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(Vec<Grant>);

impl Block {
    /// Adds the slots of a reservation.
    pub fn add(&mut self, grants: Vec<Grant>) {
        self.0.extend(grants);
    }

    /// Discards all slots, because a 429 has moved the times.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the next slot and returns its time.
    pub fn take(&mut self, now: Time) -> Option<Time> {
        self.forget(now);
        let grant = self.0.iter_mut().min_by_key(|grant| grant.first_us)?;
        let slot = Time::from_millis(grant.first_us.div_ceil(1_000));
        grant.advance();
        self.0.retain(|grant| grant.count > 0);
        Some(slot)
    }

    /// Number of slots that can still be taken at `now`.
    pub fn left(&mut self, now: Time) -> u32 {
        self.forget(now);
        self.0.iter().map(|grant| grant.count).sum()
    }

    /// Discards the slots that are older than [`SLOT_LIFE`].
    fn forget(&mut self, now: Time) {
        let oldest_us = micros(now.before(SLOT_LIFE));
        for grant in &mut self.0 {
            grant.forget_before(oldest_us);
        }
        self.0.retain(|grant| grant.count > 0);
    }
}

/// How many slots a batch requests: as many as it needs. If the last block was used up before it
/// expired, at least the slots of a tenth of a second, so that a busy container writes the item at
/// most ten times a second.
///
/// What a container does not use is lost to the account. So the surplus is never more than
/// [`MOST_SPARE_SLOTS`], or than a thousandth of an hour's calls.
#[must_use]
pub fn block_size(rates: Rates, need: u32, used_up: bool) -> u32 {
    let spare = (rates.per_minute / 600).min(rates.per_hour / 1_000).min(MOST_SPARE_SLOTS);
    if used_up { need.max(spare) } else { need }
}
