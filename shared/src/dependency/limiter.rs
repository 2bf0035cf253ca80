//! The limiter: how many calls a second and an hour an account may make, shared by the fleet.
//!
//! It is the generic cell rate algorithm (GCRA; ITU-T I.371, annex A), applied to two rates in one
//! item. For each rate, the item holds the theoretical arrival time (TAT) of the next call. The
//! per-second rate spaces calls evenly. The hourly rate allows a tenth of an hour's calls ahead of
//! time, so a burst runs at the per-second rate and a long backlog at the hourly rate.
//!
//! A slot is one call. A batch reserves its slots in one conditional write and starts each job at
//! its own slot. While slots are reserved ahead of time, one in [`KEPT_PART`] is kept for further calls of
//! runs in progress: without it, each of these calls would wait behind all jobs that have not begun.

mod block;
mod stop;

use std::time::Duration;

pub use block::{Block, block_size};

use crate::base::{
    mutants::{Mutant, is_on},
    time::Time,
};

/// How far ahead a slot can be reserved. A message whose slot is later is received again at that time.
pub const HORIZON: Duration = Duration::from_secs(5);

/// The same for jobs of high priority. The slots between the two horizons are theirs, however long the
/// backlog of the others is.
pub const HIGH_HORIZON: Duration = Duration::from_millis(6_500);

/// How far ahead a slot can be promised to a message that is hidden until then.
pub const PROMISE_HORIZON: Duration = Duration::from_secs(60);

/// One slot in this many is kept for further calls.
pub const KEPT_PART: u32 = 4;

/// A kept slot that is so near goes to whoever asks first.
const KEPT_UNTIL_BEFORE: Duration = Duration::from_secs(1);

/// Most ranges of kept slots in the item; the slots of the oldest ones are given up.
const MOST_KEPT_RANGES: usize = 16;

/// How long after its time a slot can still be used. A later call would crowd the slots that
/// follow.
pub const SLOT_LIFE: Duration = Duration::from_millis(250);

/// Microseconds of a minute.
const MINUTE_US: u64 = 60 * 1_000_000;
/// Microseconds of an hour.
const HOUR_US: u64 = 60 * MINUTE_US;

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

/// How far calls can run ahead of the hourly rate.
pub const AHEAD: Duration = Duration::from_secs(3_600 / AHEAD_PART);

/// One part in this many of an hour's calls can run ahead of the hourly rate.
const AHEAD_PART: u64 = 10;

/// The rates that an account allows, less what is left to its other users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Calls a minute, at least 1.
    pub per_minute: u32,
    /// Calls an hour, at least 1. No hour has more than eleven tenths of it.
    pub per_hour: u32,
    /// Calls that may be made at once after a pause, at least 1.
    pub burst: u32,
}

impl Rates {
    /// Evenly spaced calls: so many a second and an hour.
    #[must_use]
    pub const fn each_second(per_second: u32, per_hour: u32) -> Self {
        Self { per_minute: per_second.saturating_mul(60), per_hour, burst: 1 }
    }

    /// So many calls a minute, `burst` of them at once.
    #[must_use]
    pub const fn each_minute(per_minute: u32, burst: u32) -> Self {
        Self { per_minute, per_hour: per_minute.saturating_mul(60), burst }
    }

    /// Time between two calls at `pace` thousandths of the per-minute rate, in microseconds.
    fn interval_us(self, pace: u32) -> u64 {
        let full = MINUTE_US / u64::from(self.per_minute.max(1));
        (full * u64::from(FULL_PACE) / u64::from(pace.clamp(1, FULL_PACE))).max(1)
    }

    /// Time between two calls.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_micros(self.interval_us(FULL_PACE))
    }

    /// How far ahead of its even time a call may be, in microseconds.
    fn tolerance_us(self, pace: u32) -> u64 {
        self.interval_us(pace).saturating_mul(u64::from(self.burst.saturating_sub(1)))
    }

    /// Time between two calls at the hourly rate, in microseconds.
    fn hourly_interval_us(self) -> u64 {
        (HOUR_US / u64::from(self.per_hour.max(1))).max(1)
    }
}

/// A limit of calls, and the name under which the fleet shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The limiter's name in the control table.
    pub name: String,
    /// The rates of the calls.
    pub rates: Rates,
}

/// The item that the fleet shares.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Slots before `next_us` that are kept for further calls, in the order of their times.
    pub kept: Vec<Grant>,
    /// Number of slots since the last one that was kept.
    pub since_kept: u32,
    /// Time of the next slot that can be promised, in microseconds since the epoch.
    pub promised_us: u64,
    /// The same for jobs of high priority, which do not queue behind the others.
    pub promised_high_us: u64,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            next_us: 0,
            next_hourly_us: 0,
            pace: FULL_PACE,
            slowed_at: Time::default(),
            kept: Vec::new(),
            since_kept: 0,
            promised_us: 0,
            promised_high_us: 0,
        }
    }
}

/// Slots with the same distance from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Time of the first slot, in microseconds since the epoch.
    pub first_us: u64,
    /// Time between two slots, in microseconds.
    pub interval_us: u64,
    /// Number of slots.
    pub count: u32,
}

impl Grant {
    /// Adds a slot to the last range if it continues that, else as a range of its own.
    fn push(ranges: &mut Vec<Self>, at_us: u64, interval_us: u64) {
        match ranges.last_mut() {
            Some(last) if last.continues_at(at_us, interval_us) => last.count += 1,
            _ => ranges.push(Self { first_us: at_us, interval_us, count: 1 }),
        }
    }

    fn continues_at(&self, at_us: u64, interval_us: u64) -> bool {
        let end = self.first_us.saturating_add(self.interval_us.saturating_mul(self.count.into()));
        self.interval_us == interval_us && end == at_us
    }

    /// Removes the first slot.
    fn advance(&mut self) {
        self.first_us = self.first_us.saturating_add(self.interval_us);
        self.count -= 1;
    }

    /// Removes the slots before this time, and returns how many there were.
    fn forget_before(&mut self, earliest_us: u64) -> u32 {
        let passed = earliest_us.saturating_sub(self.first_us).div_ceil(self.interval_us.max(1));
        let passed = u32::try_from(passed).unwrap_or(u32::MAX).min(self.count);
        self.first_us =
            self.first_us.saturating_add(self.interval_us.saturating_mul(passed.into()));
        self.count -= passed;
        passed
    }
}

/// A request for slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Number of slots.
    pub want: u32,
    /// Whether they are for further calls of runs in progress.
    pub further: bool,
    /// How far ahead they can be.
    pub horizon: Duration,
}

impl Request {
    /// Slots for the first calls of jobs of ordinary priority.
    #[must_use]
    pub const fn first(want: u32) -> Self {
        Self { want, further: false, horizon: HORIZON }
    }

    /// Slots for further calls of runs in progress.
    #[must_use]
    pub const fn further(want: u32) -> Self {
        Self { want, further: true, horizon: HORIZON }
    }
}

/// The answer to a request for slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The limiter to write, and the slots that this write reserves: at least one, and at most
    /// those within the request's horizon.
    Granted(Limiter, Vec<Grant>),
    /// No slot is within the horizon, so there is nothing to write. Ask again after this delay.
    Refused(Duration),
}

impl Limiter {
    /// Requests slots from `now` on. `worked` is the number of calls that succeeded
    /// since the last request; they raise the pace.
    #[must_use]
    pub fn reserve(&self, rates: Rates, request: Request, worked: u32, now: Time) -> Reservation {
        let now_us = micros(now);
        let horizon_us = micros(now + request.horizon);
        let mut next = self.clone();
        next.pace = self.pace.saturating_add(worked.saturating_mul(RESTORED_BY_A_CALL));
        next.pace = next.pace.clamp(SLOWEST_PACE, FULL_PACE);
        next.forget_kept(rates, now_us);
        let mut granted = Vec::new();
        let mut missing = request.want;
        let mut at_us = next.first_us(rates, now_us);
        let interval_us = next.interval_us(rates, request.want, now_us);
        // A further call takes what comes first.
        let until_us =
            if request.further { at_us } else { micros(now + KEPT_UNTIL_BEFORE) }.min(horizon_us);
        while missing > 0 && next.kept.first().is_some_and(|kept| kept.first_us <= until_us) {
            Grant::push(&mut granted, next.take_kept(), interval_us);
            missing -= 1;
        }
        while missing > 0 && at_us <= horizon_us {
            next.since_kept = next.since_kept.saturating_add(1);
            let keeps = !request.further
                && next.since_kept >= KEPT_PART
                && at_us > micros(now + KEPT_UNTIL_BEFORE);
            if keeps {
                next.keep(rates, at_us, interval_us);
            } else {
                Grant::push(&mut granted, at_us, interval_us);
                missing -= 1;
            }
            next.next_hourly_us =
                next.next_hourly_us.max(now_us).saturating_add(rates.hourly_interval_us());
            next.next_us = next.next_us.max(at_us).saturating_add(interval_us);
            at_us = next.first_us(rates, at_us);
        }
        if granted.is_empty() {
            return Reservation::Refused(Duration::from_micros(at_us.saturating_sub(now_us)));
        }
        Reservation::Granted(if is_on(Mutant::SlotsShared) { self.clone() } else { next }, granted)
    }

    /// Promises slots to messages that wait for them in the queue: the limiter to write, and the times, each at
    /// most [`PROMISE_HORIZON`] ahead, so there may be fewer than `want`. A promise only spreads the
    /// messages. Each must reserve its slot when it is received again.
    ///
    /// Those of high priority (`is_high`) do not queue behind the promises of the others.
    #[must_use]
    pub fn promise(&self, rates: Rates, want: u32, is_high: bool, now: Time) -> (Self, Vec<Time>) {
        if want == 0 {
            return (self.clone(), Vec::new());
        }
        let now_us = micros(now);
        let interval_us = self.interval_us(rates, want, now_us);
        let promised_us = if is_high { self.promised_high_us } else { self.promised_us };
        let mut at_us = self.first_us(rates, now_us).max(promised_us);
        let mut times = Vec::new();
        for _ in 0..want {
            if at_us > micros(now + PROMISE_HORIZON) {
                break;
            }
            times.push(Time::from_millis(at_us.div_ceil(1_000)));
            at_us = at_us.saturating_add(interval_us);
        }
        let mut next = self.clone();
        *(if is_high { &mut next.promised_high_us } else { &mut next.promised_us }) = at_us;
        (next, times)
    }

    /// Time of the next new slot.
    fn first_us(&self, rates: Rates, now_us: u64) -> u64 {
        let next_hourly = self.next_hourly_us.max(now_us);
        let by_hour = next_hourly.saturating_add(rates.hourly_interval_us());
        let even = self.next_us.saturating_sub(rates.tolerance_us(self.pace));
        now_us.max(even).max(by_hour.saturating_sub(HOUR_US / AHEAD_PART))
    }

    /// Time between `want` new slots.
    fn interval_us(&self, rates: Rates, want: u32, now_us: u64) -> u64 {
        let hourly = rates.hourly_interval_us();
        let first_us = self.first_us(rates, now_us).saturating_add(HOUR_US / AHEAD_PART);
        let allowed = first_us.saturating_sub(self.next_hourly_us.max(now_us)) / hourly;
        let fast = rates.interval_us(self.pace);
        // The allowance does not cover all of these calls, so they follow the hourly rate.
        if allowed >= u64::from(want) { fast } else { fast.max(hourly) }
    }

    /// Removes the first kept slot and returns its time.
    fn take_kept(&mut self) -> u64 {
        let first = &mut self.kept[0];
        let at_us = first.first_us;
        first.advance();
        if first.count == 0 {
            self.kept.remove(0);
        }
        at_us
    }

    /// Keeps a slot for a further call.
    fn keep(&mut self, rates: Rates, at_us: u64, interval_us: u64) {
        Grant::push(&mut self.kept, at_us, interval_us.saturating_mul(KEPT_PART.into()));
        self.since_kept = 0;
        if self.kept.len() > MOST_KEPT_RANGES {
            let given_up = self.kept.remove(0).count;
            self.give_back(rates, given_up);
        }
    }

    /// Removes the kept slots that have passed: they are not used, so the hour has their calls again.
    fn forget_kept(&mut self, rates: Rates, earliest_us: u64) {
        let passed = self.kept.iter_mut().map(|range| range.forget_before(earliest_us));
        let passed = passed.fold(0, u32::saturating_add);
        self.kept.retain(|range| range.count > 0);
        self.give_back(rates, passed);
    }

    fn give_back(&mut self, rates: Rates, slots: u32) {
        let spent = rates.hourly_interval_us().saturating_mul(slots.into());
        self.next_hourly_us = self.next_hourly_us.saturating_sub(spent);
    }
}

/// A time in microseconds since the epoch.
const fn micros(time: Time) -> u64 {
    time.as_millis().saturating_mul(1_000)
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
