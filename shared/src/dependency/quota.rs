//! The quota: how many things an account may make in a month, counted for the whole fleet.
//!
//! ```text
//!  reserve a block (one write) ─► take a unit ─► call ─┬─ made it, or nobody knows ──► used
//!                                   ▲                  └─ made nothing for certain ─┐
//!                                   └──────────────── given back ◄──────────────────┘
//!  end of the batch: what is left of the block is given back (one write)
//! ```
//!
//! A unit counts as used from its reservation on, so the fleet never makes more than the quota. What is lost is
//! bounded: a process that dies loses its block, which is at most what its batch may need.

use std::time::Duration;

use crate::base::time::Time;

/// Nothing is made for so long before and after the turn of a month. A unit is used within one invocation, of at most a
/// minute, and clocks differ by seconds: so what is counted for a month is made in that month, also by the clock of the
/// service.
pub const TURN: Duration = Duration::from_mins(1);

/// Share of the quota, in percent, from which on there is a warning.
pub const WARN_AT_PERCENT: u64 = 80;

/// A block is at most one part in this many of what is left, but always a unit: close to the end, little may be lost.
const BLOCK_PART: u32 = 100;

/// How many things may be made in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What is counted, such as `creations`. Jobs that wait for the next month are parked under `DEPENDENCY/` and this.
    pub what: &'static str,
    /// How many may be made in a month, at least 1.
    pub most: u32,
    /// The day on which a month begins, in UTC: 1 to
    /// [`LATEST_MONTH_BEGIN`](crate::base::time::LATEST_MONTH_BEGIN).
    pub month_begins: u8,
}

/// How much of a quota is used: the item that the fleet shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// When the month began that is counted.
    pub month: Time,
    /// Units that are used or reserved.
    pub used: u32,
    /// Whether the fleet was warned in this month.
    pub warned: bool,
    /// Token of the latest write, by which a container recognizes its own if the answer was lost.
    pub token: String,
}

/// The permission to make one thing in the month that began then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    month: Time,
}

/// The answer to a request for units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The write that reserves a block of units.
    Granted {
        /// The usage to write.
        next: Usage,
        /// Units that this container may use from now on.
        block: Block,
        /// Whether this write is the one that must warn.
        warns: bool,
    },
    /// Nothing may be made until this time.
    Refused(Time),
}

impl Usage {
    /// Requests up to `want` units. `token` marks the write.
    #[must_use]
    pub fn reserve(&self, quota: Quota, want: u32, token: String, now: Time) -> Reservation {
        if let Some(until) = turn(quota, now) {
            return Reservation::Refused(until);
        }
        let [begin, end] = now.month(quota.month_begins);
        // A month that began later is that of a configuration that has changed since.
        let mut next = if self.month < begin {
            Self { month: begin, ..Self::default() }
        } else {
            self.clone()
        };
        let left = quota.most.saturating_sub(next.used);
        if left == 0 {
            return Reservation::Refused(end + TURN);
        }
        let units = want.min(left / BLOCK_PART).max(1);
        next.used += units;
        let warns =
            !next.warned && u64::from(next.used) * 100 >= u64::from(quota.most) * WARN_AT_PERCENT;
        next.warned |= warns;
        next.token = token;
        let block = Block { month: next.month, units };
        Reservation::Granted { next, block, warns }
    }

    /// The usage after this block was given back; `None` if it is of another month, or empty.
    #[must_use]
    pub fn without(&self, block: Block, token: String) -> Option<Self> {
        let is_counted = block.units > 0 && block.month == self.month;
        let used = self.used.saturating_sub(block.units);
        is_counted.then(|| Self { used, token, ..self.clone() })
    }
}

/// Until when nothing is made, if a month turns about now.
#[must_use]
pub fn turn(quota: Quota, now: Time) -> Option<Time> {
    let [begin, end] = now.month(quota.month_begins);
    if now < begin + TURN {
        return Some(begin + TURN);
    }
    (now + TURN >= end).then(|| end + TURN)
}

/// The units that a container has reserved and not used yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    month: Time,
    units: u32,
}

impl Block {
    /// Takes a unit; `None` if there is none, or if the month is over.
    pub fn take(&mut self, quota: Quota, now: Time) -> Option<Unit> {
        if turn(quota, now).is_some() || self.month < now.month(quota.month_begins)[0] {
            return None;
        }
        self.units = self.units.checked_sub(1)?;
        Some(Unit { month: self.month })
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.units == 0
    }

    /// Adds another block. Units of an earlier month are forgotten.
    pub fn add(&mut self, other: Self) {
        if other.month == self.month {
            self.units += other.units;
        } else if other.month > self.month {
            *self = other;
        }
    }

    /// Puts back a unit with which nothing was made. One of another month is forgotten.
    pub fn put_back(&mut self, unit: Unit) {
        self.units += u32::from(unit.month == self.month);
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
