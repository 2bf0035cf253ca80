//! The limiter: how many calls a minute and an hour an account may make, shared by the fleet.
//!
//! The generic cell rate algorithm (GCRA; ITU-T I.371, annex A), twice in one item: for each rate it
//! keeps the theoretical arrival time (TAT) of the next call. The per-second rate spaces calls
//! evenly; the per-hour rate lets a tenth of an hour's calls be made ahead of it, so that a burst
//! runs at the faster rate and a flood at the slower one.
//!
//! A slot is one call. A batch reserves its slots in one conditional write and begins each record at
//! its own.

use std::{collections::VecDeque, time::Duration};

use crate::base::time::{Time, millis};

/// A slot further ahead than this is not reserved: the record is parked instead.
pub const HORIZON: Duration = Duration::from_secs(2);

/// A slot that was not used by this long after its time is gone: used later, it would crowd others.
pub const SLOT_LIFE: Duration = Duration::from_millis(250);

/// Microseconds of a second and an hour.
const SECOND_US: u64 = 1_000_000;
const HOUR_US: u64 = 3_600 * SECOND_US;

/// Full pace, in thousandths of the configured rate.
const FULL_PACE: u32 = 1_000;

/// The slowest pace that 429s bring about: a tenth of the rate still finds out when they end.
const SLOWEST_PACE: u32 = 100;

/// What a call that works gives back to the pace, in thousandths: additive increase.
const RESTORED_BY_A_CALL: u32 = 8;

/// A 429 leaves this many tenths of the pace: multiplicative decrease.
const KEPT_TENTHS: u32 = 7;

/// 429s within this time of the last one that lowered the pace are answers to the same rate.
const SLOWED_FOR: Duration = Duration::from_secs(1);

/// The longest that one 429 stops the fleet; who asks for more is asked again by then.
const LONGEST_STOP: Duration = Duration::from_hours(1);

/// How far calls may be made ahead of the hourly rate.
pub const AHEAD: Duration = Duration::from_secs(3_600 / AHEAD_PART);

/// Part of an hour's calls that may be made ahead of the hourly rate.
const AHEAD_PART: u64 = 10;

/// What an account allows, less what we leave to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Calls a second, at least 1.
    pub per_second: u32,
    /// Calls an hour, at least 1. In no hour are more than eleven tenths of it made.
    pub per_hour: u32,
}

impl Rates {
    /// Time between two calls at the per-second rate and at `pace` thousandths, in microseconds.
    fn interval_us(self, pace: u32) -> u64 {
        let full = SECOND_US / u64::from(self.per_second.max(1));
        (full * u64::from(FULL_PACE) / u64::from(pace.clamp(1, FULL_PACE))).max(1)
    }

    /// Time between two calls at the hourly rate, in microseconds.
    fn hourly_interval_us(self) -> u64 {
        (HOUR_US / u64::from(self.per_hour.max(1))).max(1)
    }
}

/// The item that the fleet shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limiter {
    /// Earliest time of the next call by the per-second rate, in microseconds since the epoch.
    pub next_us: u64,
    /// The same by the hourly rate; it may lie ahead by a tenth of an hour.
    pub next_hourly_us: u64,
    /// Thousandths of the per-second rate that are used now.
    pub pace: u32,
    /// When a 429 lowered the pace last.
    pub slowed_at: Time,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { next_us: 0, next_hourly_us: 0, pace: FULL_PACE, slowed_at: Time::default() }
    }
}

/// Slots that are ours: `count` of them, `interval_us` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Time of the first, in microseconds since the epoch.
    pub first_us: u64,
    /// Time between two.
    pub interval_us: u64,
    /// How many.
    pub count: u32,
}

/// What a request for slots came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The limiter to write, and the slots that are then ours: one at least, all if they are near.
    Granted(Limiter, Grant),
    /// No slot within the horizon. Nothing is written; ask again after so long.
    Refused(Duration),
}

impl Limiter {
    /// Asks for up to `want` slots from `now` on; `worked` calls have worked since the last time.
    #[must_use]
    pub fn reserve(&self, rates: Rates, want: u32, worked: u32, now: Time) -> Reservation {
        let now_us = micros(now);
        let pace = self.pace.saturating_add(worked.saturating_mul(RESTORED_BY_A_CALL));
        let pace = pace.clamp(SLOWEST_PACE, FULL_PACE);
        let hourly = rates.hourly_interval_us();
        let ahead = HOUR_US / AHEAD_PART;
        let next_hourly = self.next_hourly_us.max(now_us);
        let first_us =
            now_us.max(self.next_us).max(next_hourly.saturating_add(hourly).saturating_sub(ahead));
        let fits =
            first_us.saturating_add(ahead).saturating_sub(next_hourly) / hourly >= u64::from(want);
        // What was saved up does not last for all of them: from here on the hour decides.
        let fast = rates.interval_us(pace);
        let interval_us = if fits { fast } else { fast.max(hourly) };
        let horizon_us = now_us + millis(HORIZON) * 1_000;
        if first_us > horizon_us || want == 0 {
            return Reservation::Refused(Duration::from_micros(first_us.saturating_sub(now_us)));
        }
        let count = ((horizon_us - first_us) / interval_us + 1).min(want.into());
        let limiter = Self {
            next_us: first_us.saturating_add(count * interval_us),
            next_hourly_us: next_hourly.saturating_add(count * hourly),
            pace,
            slowed_at: self.slowed_at,
        };
        let count = u32::try_from(count).unwrap_or(want);
        Reservation::Granted(limiter, Grant { first_us, interval_us, count })
    }

    /// The limiter after a 429 that asked for `retry_after`, which may be nothing: nobody calls before then, and the pace
    /// falls, once for all the 429s of a second.
    #[must_use]
    pub fn slowed(&self, retry_after: Duration, now: Time) -> Self {
        let stop = now + retry_after.min(LONGEST_STOP);
        let mut limiter = *self;
        limiter.next_us = limiter.next_us.max(micros(stop));
        if now.since(self.slowed_at) >= SLOWED_FOR {
            limiter.pace = (self.pace * KEPT_TENTHS / 10).max(SLOWEST_PACE);
            limiter.slowed_at = now;
        }
        limiter
    }
}

/// A moment in microseconds since the epoch.
const fn micros(time: Time) -> u64 {
    time.as_millis().saturating_mul(1_000)
}

/// Slots of a container that are not used yet, in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(VecDeque<Grant>);

impl Block {
    /// Adds the slots of a grant.
    pub fn add(&mut self, grant: Grant) {
        self.0.push_back(grant);
    }

    /// Gives every slot up: a 429 has moved the times.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the next slot: when it is.
    pub fn take(&mut self, now: Time) -> Option<Time> {
        self.forget(now);
        let grant = self.0.front_mut()?;
        let slot = Time::from_millis(grant.first_us.div_ceil(1_000));
        grant.first_us += grant.interval_us;
        grant.count -= 1;
        if grant.count == 0 {
            self.0.pop_front();
        }
        Some(slot)
    }

    /// How many slots can still be taken at `now`.
    pub fn left(&mut self, now: Time) -> u32 {
        self.forget(now);
        self.0.iter().map(|grant| grant.count).sum()
    }

    /// Drops the slots whose time is over by [`SLOT_LIFE`].
    fn forget(&mut self, now: Time) {
        let oldest_us = micros(now.before(SLOT_LIFE));
        for grant in &mut self.0 {
            let passed = oldest_us.saturating_sub(grant.first_us).div_ceil(grant.interval_us);
            let passed = u32::try_from(passed).unwrap_or(u32::MAX).min(grant.count);
            grant.first_us += u64::from(passed) * grant.interval_us;
            grant.count -= passed;
        }
        self.0.retain(|grant| grant.count > 0);
    }
}

/// How many slots a batch asks for: as many as it needs; or, once a block was used up while it was
/// fresh, a tenth of a second's, so that the item is written ten times a second at most by a busy
/// container.
#[must_use]
pub fn block_size(rates: Rates, need: u32, used_up: bool) -> u32 {
    if used_up { need.max(rates.per_second / 10) } else { need }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
