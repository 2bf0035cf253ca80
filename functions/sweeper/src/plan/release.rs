//! How many parked jobs of a dependency may go, and when.

use std::time::Duration;

use evenkeel::{
    breaker::{Breaker, State},
    limiter::{Limiter, Rates, Reservation},
    record::{Phase, Record},
    time::Time,
    watched::Limits,
};

use crate::step::{Call, Step};

/// For how long a tick lets jobs go: until the next one does.
pub const TICK: Duration = Duration::from_secs(60);

/// After a breaker has closed, one job a second goes, and twice as many each time that this is over:
/// a recovery must not be a second outage.
const DOUBLING: Duration = Duration::from_secs(5);

/// Jobs a second that go to a dependency that has no limit of its own.
const UNLIMITED: u64 = 10;

/// Time between two probes: enough for one to end before the next begins.
const BETWEEN_PROBES: Duration = Duration::from_secs(2);

/// When somebody looks whether the message of a released job got lost.
const LOOK_AFTER: Duration = Duration::from_mins(1);

/// When how many may go. Whoever waits for the breaker may, and whoever is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Whether the breaker is closed.
    pub is_closed: bool,
    /// A moment for each, in order.
    pub slots: Vec<Time>,
}

/// What is known of a dependency.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// What its functions have noted.
    pub limits: Limits,
    /// Its breaker.
    pub breaker: Breaker,
    /// Its limiter.
    pub limiter: Limiter,
    /// Since when jobs are let go under the breaker's present generation, if they are.
    pub draining_since: Option<Time>,
}

/// When how many parked jobs may go within a tick; `from` is until when others have been let go.
#[must_use]
pub fn way(dependency: &Dependency, from: Time, now: Time) -> Way {
    let breaker = dependency.breaker.at(now);
    let (start, end) = (from.max(now), now + TICK);
    let closes_with = dependency.limits.closes_with.max(1);
    let probes = |at: Time, missing: u32| {
        let each = (0..missing).map(|n| at.max(start) + BETWEEN_PROBES * n);
        Way { is_closed: false, slots: each.filter(|at| *at < end + BETWEEN_PROBES).collect() }
    };
    match breaker.state {
        State::Forced { open: true, .. } => Way { is_closed: false, slots: Vec::new() },
        State::Open { retry_at, .. } if retry_at >= end => {
            Way { is_closed: false, slots: Vec::new() }
        }
        // A second late rather than early: whoever comes too early is turned away.
        State::Open { retry_at, .. } => probes(retry_at + Duration::from_secs(1), closes_with),
        State::HalfOpen { successes, .. } => {
            probes(now, closes_with.saturating_sub(successes).max(1))
        }
        State::Closed | State::Forced { .. } => {
            let top = top_rate(&dependency.limits, &dependency.limiter, now);
            // One that was never open has nothing to recover from.
            let since = dependency.draining_since.unwrap_or(start);
            let since = (breaker.generation > 0).then_some(since);
            Way { is_closed: true, slots: ramp(since, top, start, end) }
        }
    }
}

/// Moments from `start` to `end` at the rate that has grown `since` the first one went, up to `top` a
/// second: the limiter's. If new jobs come as well, some are parked again.
fn ramp(since: Option<Time>, top: u64, start: Time, end: Time) -> Vec<Time> {
    let mut slots = Vec::new();
    let mut second = start;
    while second < end {
        let grown = since.map_or(top, |since| {
            let doublings = second.since(since).as_secs() / DOUBLING.as_secs();
            1 << doublings.min(20)
        });
        let rate = grown.min(top).max(1);
        let each = (0..rate).map(|n| second + Duration::from_millis(1_000 * n / rate));
        slots.extend(each.filter(|at| *at < end));
        second = second + Duration::from_secs(1);
    }
    slots
}

/// Jobs a second that may go once a breaker has been closed for a while.
fn top_rate(limits: &Limits, limiter: &Limiter, now: Time) -> u64 {
    let (Some(per_second), Some(per_hour)) = (limits.per_second, limits.per_hour) else {
        return UNLIMITED;
    };
    let rates = Rates { per_second, per_hour };
    let full = u64::from(per_second) * u64::from(limiter.pace) / 1_000;
    let hourly = u64::from(per_hour) / 3_600;
    // As many slots as a tick takes at full speed: if the hour does not allow them, it decides.
    let want = u32::try_from(full * TICK.as_secs()).unwrap_or(u32::MAX);
    match limiter.reserve(rates, want.max(1), 0, now) {
        Reservation::Granted(_, grant) if grant.interval_us * full.max(1) <= 1_100_000 => full,
        _ => hourly.min(full),
    }
}

/// Whether a parked job may go at `at`: its time has come, or it waits for the breaker alone.
#[must_use]
pub fn may_go(record: &Record, at: Time) -> bool {
    let Phase::Parked { run_after, .. } = record.phase else { return false };
    let gated = record.parking.is_some_and(|parking| parking.gated);
    gated || run_after <= at || is_overdue(record, at)
}

/// Whether the sender's deadline is over and its job's fallback does not stand in yet.
#[must_use]
pub fn is_overdue(record: &Record, at: Time) -> bool {
    record.provisional.is_none() && record.work.deadline.is_some_and(|deadline| deadline <= at)
}

/// Lets parked jobs go, those first that have waited longest in the index: `records` in that order.
///
/// While the breaker is not closed, whoever is past its deadline goes at once and takes no slot: its
/// fallback comes in, or its end, and the breaker turns it away before it makes a call.
#[must_use]
pub fn let_go(records: &[Record], way: &Way, owner: &str, now: Time) -> Vec<Step> {
    let mut slots = way.slots.iter();
    let mut steps = Vec::new();
    for record in records {
        let at = if !way.is_closed && is_overdue(record, now) {
            Some(now)
        } else {
            let next = slots.as_slice().first().copied();
            let next = next.filter(|at| may_go(record, *at));
            if next.is_some() {
                slots.next();
            }
            next
        };
        let (Some(at), Phase::Parked { .. }) = (at, &record.phase) else { continue };
        steps.push(Step {
            guard: record.guard(),
            record: record.called(owner, at, at + LOOK_AFTER),
            call: Some(Call { queue: record.work.queue.clone(), at }),
        });
    }
    steps
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
