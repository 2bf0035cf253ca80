//! The limiter: how many calls a second and an hour an account may make, shared by the fleet.
//!
//! It is the generic cell rate algorithm (GCRA; ITU-T I.371, annex A), applied to two rates in one
//! item. For each rate, the item holds the theoretical arrival time (TAT) of the next call. The
//! per-second rate spaces calls evenly. The hourly rate allows a tenth of an hour's calls ahead of
//! time, so a burst runs at the per-second rate and a long backlog at the hourly rate.
//!
//! A slot is one call. A batch reserves its slots in one conditional write and starts each job at
//! its own slot.

use std::{collections::VecDeque, time::Duration};

use crate::base::time::{Time, millis};

/// How far ahead a slot can be reserved. If the next slot is later, the job parks.
pub const HORIZON: Duration = Duration::from_secs(2);

/// How long after its time a slot can still be used. A later call would crowd the slots that
/// follow.
pub const SLOT_LIFE: Duration = Duration::from_millis(250);

/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;
/// Microseconds of an hour.
const HOUR_US: u64 = 3_600 * SECOND_US;

/// The full pace, in thousandths of the configured rate.
const FULL_PACE: u32 = 1_000;

/// The slowest pace after 429s, in thousandths of the configured rate. A tenth of the calls
/// suffices to notice that the 429s have ended.
const SLOWEST_PACE: u32 = 100;

/// How much a successful call raises the pace, in thousandths: additive increase.
const RESTORED_BY_A_CALL: u32 = 8;

/// Tenths of the pace that remain after a 429: multiplicative decrease.
const KEPT_TENTHS: u32 = 7;

/// A 429 within this time of the last decrease causes no further one, because it answers a call at
/// the old pace.
const SLOWED_FOR: Duration = Duration::from_secs(1);

/// Longest stop of the fleet after one 429. An account that asks for more is called again after
/// this time.
pub const LONGEST_STOP: Duration = Duration::from_hours(1);

/// Most slots that a container reserves without needing them.
const MOST_SPARE_SLOTS: u32 = 100;

/// How far calls can run ahead of the hourly rate.
pub const AHEAD: Duration = Duration::from_secs(3_600 / AHEAD_PART);

/// One part in this many of an hour's calls can run ahead of the hourly rate.
const AHEAD_PART: u64 = 10;

/// The rates that an account allows, less what is left to its other users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Calls a second, at least 1.
    pub per_second: u32,
    /// Calls an hour, at least 1. No hour has more than eleven tenths of it.
    pub per_hour: u32,
}

impl Rates {
    /// Time between two calls at `pace` thousandths of the per-second rate, in microseconds.
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
    /// Theoretical arrival time of the next call by the hourly rate, in microseconds since the
    /// epoch. Calls are allowed up to [`AHEAD`] before it.
    pub next_hourly_us: u64,
    /// Current pace, in thousandths of the per-second rate.
    pub pace: u32,
    /// When a 429 last lowered the pace.
    pub slowed_at: Time,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { next_us: 0, next_hourly_us: 0, pace: FULL_PACE, slowed_at: Time::default() }
    }
}

/// Slots that are reserved for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Time of the first slot, in microseconds since the epoch.
    pub first_us: u64,
    /// Time between two slots, in microseconds.
    pub interval_us: u64,
    /// Number of slots.
    pub count: u32,
}

/// The answer to a request for slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The limiter to write, and the slots that this write reserves: at least one, and at most
    /// those within [`HORIZON`].
    Granted(Limiter, Grant),
    /// No slot is within [`HORIZON`], so there is nothing to write. Ask again after this delay.
    Refused(Duration),
}

impl Limiter {
    /// Requests up to `want` slots from `now` on. `worked` is the number of calls that succeeded
    /// since the last request; they raise the pace.
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
        // The allowance does not cover all of these calls, so they follow the hourly rate.
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

    /// The limiter after a 429 that asked for the delay `retry_after`, which may be zero. No call
    /// is allowed before it is over. The pace falls too, but only once for all 429s of a second.
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

/// A time in microseconds since the epoch.
const fn micros(time: Time) -> u64 {
    time.as_millis().saturating_mul(1_000)
}

/// A container's unused slots, in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(VecDeque<Grant>);

impl Block {
    /// Adds the slots of a grant.
    pub fn add(&mut self, grant: Grant) {
        self.0.push_back(grant);
    }

    /// Discards all slots, because a 429 has moved the times.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the next slot and returns its time.
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

    /// Number of slots that can still be taken at `now`.
    pub fn left(&mut self, now: Time) -> u32 {
        self.forget(now);
        self.0.iter().map(|grant| grant.count).sum()
    }

    /// Discards the slots that are older than [`SLOT_LIFE`].
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

/// How many slots a batch requests: as many as it needs. If the last block was used up before it
/// expired, at least the slots of a tenth of a second, so that a busy container writes the item at
/// most ten times a second.
///
/// What a container does not use is lost to the account. So the surplus is never more than
/// [`MOST_SPARE_SLOTS`], or than a thousandth of an hour's calls.
#[must_use]
pub fn block_size(rates: Rates, need: u32, used_up: bool) -> u32 {
    let spare = (rates.per_second / 10).min(rates.per_hour / 1_000).min(MOST_SPARE_SLOTS);
    if used_up { need.max(spare) } else { need }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
