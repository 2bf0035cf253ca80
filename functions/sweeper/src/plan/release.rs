//! When the parked jobs of a dependency are released, and how many at a time.

use std::time::Duration;

use evenkeel::{
    base::{
        mutants::{Mutant, is_on},
        time::Time,
    },
    dependency::{
        breaker::{Breaker, State},
        limiter::Limiter,
    },
    failure::Class,
    ports::notes::Limits,
    record::{Phase, Record, journal::WakeUp},
};

use crate::step::{Call, Step};

/// For how long a tick plans releases: until the next tick takes over.
pub const TICK: Duration = Duration::from_secs(60);

/// Time in which the release rate doubles. After a breaker has closed, the ramp begins with one job
/// a second, so that the burst of parked jobs does not cause a second outage.
const DOUBLING: Duration = Duration::from_secs(5);

/// Time between two probes, so that one usually ends before the next begins.
const BETWEEN_PROBES: Duration = Duration::from_secs(2);

/// How long a parked job that does not wait for the breaker may stay behind it once it is due.
pub const LONG_DUE: Duration = Duration::from_mins(15);

/// How long after its release a job's message counts as possibly lost.
const DUE_AFTER: Duration = Duration::from_mins(1);

/// The slots for the release of parked jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Whether the breaker is closed.
    pub is_closed: bool,
    /// Whether a 429 has stopped all calls. The slots begin when that ends.
    pub is_stopped: bool,
    /// Release times, one job each, in order.
    pub slots: Vec<Time>,
}

/// The state of a dependency.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// Its limits, as its functions have noted them.
    pub limits: Limits,
    /// Its breaker, as read from the control table.
    pub breaker: Breaker,
    /// Its limiter, as read from the control table.
    pub limiter: Limiter,
    /// When the first job was released under the breaker's present generation, if one was.
    pub draining_since: Option<Time>,
}

/// Whether the release of these jobs is a recovery although the breaker's item does not say so: they wait for a
/// breaker that has never been open, so an operator has deleted it.
#[must_use]
pub fn recovers_unseen(dependency: &Dependency, parked: &[Record]) -> bool {
    let is_gated = |record: &Record| record.parking.is_some_and(|parking| parking.gated);
    dependency.breaker.generation == 0
        && dependency.draining_since.is_none()
        && parked.iter().any(is_gated)
}

/// The slots of the next `window`. Those before `from` are taken by jobs that were released earlier.
#[must_use]
pub fn way(dependency: &Dependency, from: Time, now: Time, window: Duration) -> Way {
    let breaker = dependency.breaker.at(now);
    let Dependency { limits, limiter, .. } = dependency;
    let stop = limits.stopped_until(&dependency.breaker, limiter, now);
    let is_stopped = stop > now;
    let (start, end) = (from.max(now).max(stop), now + window);
    let closes_with = limits.closes_with.max(1);
    let closed_to = |slots| Way { is_closed: false, is_stopped, slots };
    let probes = |at: Time, missing: u32| {
        let each = (0..missing).map(|n| at.max(start) + BETWEEN_PROBES * n);
        closed_to(each.filter(|at| *at < end + BETWEEN_PROBES).collect())
    };
    match breaker.state {
        State::Forced { open: true, .. } => closed_to(Vec::new()),
        State::Open { .. } | State::HalfOpen { .. } if stop >= end => closed_to(Vec::new()),
        State::Open { retry_at, .. } if retry_at >= end => closed_to(Vec::new()),
        // A second late rather than early: the breaker refuses a probe that comes too early.
        State::Open { retry_at, .. } => probes(retry_at + Duration::from_secs(1), closes_with),
        State::HalfOpen { successes, .. } => {
            probes(now, closes_with.saturating_sub(successes).max(1))
        }
        State::Closed | State::Forced { .. } => {
            // During a stop, the limiter has no slot, whatever its rate is.
            let per_minute = limits.release_rate(limiter, now.max(stop)).at_present;
            // Without a ramp if the breaker has never been open, since there is no recovery.
            let begins = (breaker.generation > 0).then_some(start);
            let since = dependency.draining_since.or(begins);
            let slots = match per_minute / 60 {
                0 => slow(per_minute, start, end),
                top => ramp(since, top, start, end),
            };
            Way { is_closed: true, is_stopped, slots }
        }
    }
}

/// Slots from `start` to `end`. The rate starts at one job a second at `since` and doubles up to
/// `top`, the limiter's own rate; without `since` it is `top` at once. The slots do not allow for
/// new jobs: if there are any, some jobs are parked again.
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

/// Slots from `start` to `end` at a rate of less than one a second.
fn slow(per_minute: u64, start: Time, end: Time) -> Vec<Time> {
    let apart = Duration::from_millis(60_000 / per_minute.max(1));
    let slots = (0..60).map(|n| start + apart * n);
    slots.take_while(|at| *at < end).collect()
}

/// Whether a parked job may be released at `at`: it is due, or it waits only for the breaker.
#[must_use]
pub fn may_go(record: &Record, at: Time) -> bool {
    let Phase::Parked { run_after, .. } = record.phase else { return false };
    if is_on(Mutant::ParkedForEver) {
        return false;
    }
    let gated = record.parking.is_some_and(|parking| parking.gated);
    gated || run_after <= at || is_overdue(record, at)
}

/// Whether the job's end has come: the sender's deadline if no fallback result stands in yet, else the time when it is
/// given up. One whose end the index does not show must not stay behind the breaker either: once it is [`LONG_DUE`], it
/// runs, finds the breaker open, and waits for it.
#[must_use]
pub fn is_overdue(record: &Record, at: Time) -> bool {
    let Phase::Parked { run_after, .. } = record.phase else { return false };
    let gated = record.parking.is_some_and(|parking| parking.gated);
    match record.parked_until() {
        Some(_) if has_come_to_its_end(record, at) => true,
        Some(_) if gated => false,
        _ => run_after + LONG_DUE <= at,
    }
}

/// Whether the job's end is known and has come.
fn has_come_to_its_end(record: &Record, at: Time) -> bool {
    record.parked_until().is_some_and(|end| end <= at)
}

/// Whether the job is released although its dependency may not be called.
fn goes_without_a_slot(record: &Record, way: &Way, now: Time) -> bool {
    // A stop ends soon, so only those wait no longer whose end has come.
    !way.is_closed && is_overdue(record, now) || way.is_stopped && has_come_to_its_end(record, now)
}

/// The steps that release parked jobs, in the order of `records`, which is that of the due index.
///
/// While the breaker is not closed or a 429 has stopped all calls, a job past its deadline is released at once and
/// takes no slot: it gets its fallback result, or ends, without a call, since the gates refuse it.
#[must_use]
pub fn let_go(records: &[Record], way: &Way, owner: &str, now: Time) -> Vec<Step> {
    let mut slots = way.slots.iter();
    let mut steps = Vec::new();
    let mut in_turn: Vec<&Record> = records.iter().collect();
    if !way.is_closed {
        // The failures of a job that cannot succeed must not be all that the breaker hears of.
        in_turn.sort_by_key(|record| has_failed_systemically(record));
    }
    for record in in_turn {
        let has_no_slot = goes_without_a_slot(record, way, now);
        let at = if has_no_slot {
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
        let is_probe = !way.is_closed && !has_no_slot;
        let how = if is_probe { WakeUp::Probe } else { WakeUp::Released };
        steps.push(Step {
            guard: record.guard(),
            record: record.awaiting_wake_up(owner, at, at + DUE_AFTER).woken_by(how, now),
            call: Some(Call { queue: record.work.queue.clone(), at }),
        });
    }
    steps
}

/// Whether the job's last failure looked like one that all jobs would meet.
fn has_failed_systemically(record: &Record) -> bool {
    let last = record.last_failure.as_ref();
    last.is_some_and(|last| last.class == Class::Systemic.name())
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
