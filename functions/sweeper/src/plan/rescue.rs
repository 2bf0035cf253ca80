//! Which jobs are stuck, whose messages are lost, and what to do about either.

use std::time::Duration;

use evenkeel::{
    base::{
        mutants::{Mutant, is_on},
        time::Time,
    },
    dependency::limiter::PROMISE_HORIZON,
    ports::maintenance::Depth,
    record::{Phase, Record, journal::WakeUp},
};

use crate::step::{Call, Step};

/// How long a record may be overdue before its message counts as lost; until then it may be on its
/// way.
pub const GRACE: Duration = Duration::from_secs(30);

/// For how long only younger messages must have been received before an older one counts as lost.
pub const OVERTAKEN_FOR: Duration = Duration::from_mins(5);

/// Width of the buckets of a type's statistics, and so the uncertainty of the times in them.
const BUCKET: Duration = evenkeel::dependency::stats::TYPE_BUCKET;

/// How far `due_at` moves when a job's message is sent again for the first time. It doubles each
/// time.
const FIRST_PUSH: Duration = Duration::from_mins(1);
/// The farthest that `due_at` moves. A job that reaches this was sent several messages in vain.
pub const LONGEST_PUSH: Duration = Duration::from_hours(1);

/// Least number of stuck jobs that is doubted, if they are more than a fifth of those running.
pub const MANY_STUCK: usize = 20;

/// Consecutive ticks that wait; if there are still as many stuck jobs then, they are rescued.
pub const DOUBTED_TICKS: u32 = 3;

/// How long a job may be overdue behind a backlog before its message is copied to the high queue.
pub const AGED: Duration = Duration::from_mins(15);

/// What a tick may do about stuck jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caution {
    /// Rescue up to this many.
    Rescue(usize),
    /// Rescue none, and raise an alarm: clock skew or bad reads are more likely than so many dead
    /// processes.
    Doubt,
}

/// Decides whether so many stuck jobs, of so many running, are plausible. `ticks` counts the
/// consecutive ticks with implausibly many, this one included; `most` is the cap of a tick.
#[must_use]
pub fn caution(stuck: usize, running: usize, ticks: u32, most: usize) -> Caution {
    if seems_broken(stuck, running) && ticks <= DOUBTED_TICKS {
        Caution::Doubt
    } else {
        Caution::Rescue(most)
    }
}

/// Whether implausibly many of the running jobs are stuck.
#[must_use]
pub const fn seems_broken(stuck: usize, running: usize) -> bool {
    stuck >= MANY_STUCK && stuck * 5 > running
}

/// Crashed runs of five minutes from which on they may be a storm.
const STORM: u64 = 10;

/// Whether the reason of so many crashed runs of five minutes, of so many runs of the type, is likelier outside the
/// jobs than in each of them.
#[must_use]
pub const fn is_storm(crashed: u64, runs: u64) -> bool {
    crashed >= STORM && crashed * 2 > runs
}

/// Whether the job is running and its lease is over.
#[must_use]
pub fn is_stuck(record: &Record, now: Time) -> bool {
    matches!(record.phase, Phase::Running { lease_until, .. }
        if lease_until <= now || is_on(Mutant::SweeperIgnoresLease))
}

/// Counts a crash of a stuck job; `None` if the job is not stuck.
///
/// After the first crash it runs again at once, after the second three minutes later, and the third
/// quarantines it. If the crash is `excused`, it is not counted, and the job runs again three minutes later.
#[must_use]
pub fn crash(record: &Record, owner: &str, excused: bool, now: Time) -> Option<Step> {
    if !is_stuck(record, now) {
        return None;
    }
    // Once a fallback result stands in, the deadline is met and does not shorten the pause.
    let end = record.work.deadline.filter(|_| record.provisional.is_none());
    let crashed = record.crashed(owner, end, excused, now);
    let Phase::Waiting { run_after, .. } = crashed.phase else {
        return Some(Step { guard: record.guard(), record: crashed, call: None });
    };
    let record_after = crashed.awaiting_wake_up(owner, run_after, run_after + FIRST_PUSH);
    let record_after = record_after.woken_by(WakeUp::Rescued, now);
    let call = Call { queue: record.work.queue.clone(), at: run_after };
    Some(Step { guard: record.guard(), record: record_after, call: Some(call) })
}

/// The time before which a record of this queue must have been due for its message to count as
/// lost; `None` if the backlog alone may explain that it has not been received.
///
/// `first_receives` has, for each bucket of the type's statistics, its start and when the oldest
/// message was sent that was received for the first time then.
#[must_use]
pub fn lost_before(depth: Depth, first_receives: &[(Time, Time)], now: Time) -> Option<Time> {
    if is_on(Mutant::LossIsBacklog) {
        return None;
    }
    if depth.visible == 0 {
        // A message may be hidden until its slot comes.
        let hidden = if depth.in_flight > 0 { PROMISE_HORIZON } else { Duration::ZERO };
        return Some(now.before(GRACE + hidden));
    }
    let since = now.before(OVERTAKEN_FOR + BUCKET * 2);
    let recent = || first_receives.iter().filter(|(bucket, _)| *bucket >= since);
    let first = recent().map(|(bucket, _)| *bucket).min()?;
    let last = recent().map(|(bucket, _)| *bucket).max()?;
    // The receives must span five minutes and reach the present, else they have overtaken nothing.
    if first + OVERTAKEN_FOR > now || last + BUCKET * 2 < now {
        return None;
    }
    let oldest = recent().map(|(_, sent_at)| *sent_at).min()?;
    Some(oldest.before(BUCKET).min(now.before(GRACE)))
}

/// Sends a job's message again, to `queue`; `None` if the record does not wait for a message or is
/// not due by `until`.
///
/// The record is written first, with a later `due_at`: each time twice as far away, up to
/// [`LONGEST_PUSH`].
#[must_use]
pub fn send_again(
    record: &Record,
    queue: &str,
    until: Time,
    owner: &str,
    now: Time,
) -> Option<Step> {
    let (due_at, pushed) = match record.phase {
        Phase::Queued { due_at } => (due_at, Duration::ZERO),
        Phase::Waiting { run_after, due_at, .. } => (due_at, due_at.since(run_after)),
        _ => return None,
    };
    if due_at > until {
        return None;
    }
    let push = (pushed * 2).clamp(FIRST_PUSH, LONGEST_PUSH);
    let call = Some(Call { queue: queue.to_owned(), at: now });
    let record_after = record.awaiting_wake_up(owner, now, now + push);
    let record_after = record_after.woken_by(WakeUp::SentAgain, now);
    Some(Step { guard: record.guard(), record: record_after, call })
}

#[cfg(test)]
#[path = "rescue_tests.rs"]
mod tests;
