//! Who is stuck, whose message is lost, and what to do about either.

use std::time::Duration;

use evenkeel::{
    oversight::Depth,
    record::{Phase, Record},
    time::Time,
};

use crate::step::{Call, Step};

/// How long after it is due a record is left to its message, which may be on its way.
pub const GRACE: Duration = Duration::from_secs(30);

/// For how long nothing but younger messages must have come before an older one counts as lost.
pub const OVERTAKEN_FOR: Duration = Duration::from_mins(5);

/// Span of the pulse's buckets (`evenkeel::pulse::TYPE_BUCKET`), by which times in them are uncertain.
const BUCKET: Duration = evenkeel::pulse::TYPE_BUCKET;

/// First time until somebody looks again at a job whose message was sent again.
const FIRST_PUSH: Duration = Duration::from_mins(1);
/// The longest: a job that comes to it has a message that nothing comes of.
pub const LONGEST_PUSH: Duration = Duration::from_hours(1);

/// Jobs that look stuck from which on the view itself is doubted, if they are more than a fifth of
/// those running.
pub const MANY_STUCK: usize = 20;

/// Ticks of the same view after which it is believed.
pub const DOUBTED_TICKS: u32 = 3;

/// Overdue for so long, behind a backlog, a job goes to the high queue.
pub const AGED: Duration = Duration::from_mins(15);

/// What the view of stuck jobs lets a tick do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caution {
    /// Rescue up to so many.
    Rescue(usize),
    /// Perhaps the view is what is broken: alarm, and wait for another tick.
    Doubt,
}

/// Whether so many stuck jobs, of so many running, are to be believed; `ticks` is for how many ticks
/// in a row, this one included, it has looked like that; `most` is the cap of a tick.
#[must_use]
pub fn caution(stuck: usize, running: usize, ticks: u32, most: usize) -> Caution {
    if looks_broken(stuck, running) && ticks <= DOUBTED_TICKS {
        Caution::Doubt
    } else {
        Caution::Rescue(most)
    }
}

/// Whether so many of those running look stuck that the view is doubted.
#[must_use]
pub const fn looks_broken(stuck: usize, running: usize) -> bool {
    stuck >= MANY_STUCK && stuck * 5 > running
}

/// Whether a run's lease is over.
#[must_use]
pub fn is_stuck(record: &Record, now: Time) -> bool {
    matches!(record.phase, Phase::Running { lease_until, .. } if lease_until <= now)
}

/// What to do about a job whose run never came back; nothing if its lease is not over.
///
/// The first time it runs again at once, the second time after minutes, the third time never.
#[must_use]
pub fn crash(record: &Record, owner: &str, now: Time) -> Option<Step> {
    if !is_stuck(record, now) {
        return None;
    }
    // Once something stands in for the result, only its type knows when to give up.
    let end = record.work.deadline.filter(|_| record.provisional.is_none());
    let crashed = record.crashed(owner, end, now);
    let Phase::Waiting { run_after, .. } = crashed.phase else {
        return Some(Step { guard: record.guard(), record: crashed, call: None });
    };
    let record_after = crashed.called(owner, run_after, run_after + FIRST_PUSH);
    let call = Call { queue: record.work.queue.clone(), at: run_after };
    Some(Step { guard: record.guard(), record: record_after, call: Some(call) })
}

/// Up to when a record of this queue must have been due for its message to count as lost; `None`
/// while the queue is merely backlogged.
///
/// `first_receives` tells for each bucket of the type's pulse when the oldest message was sent that
/// came for the first time then.
#[must_use]
pub fn lost_before(depth: Depth, first_receives: &[(Time, Time)], now: Time) -> Option<Time> {
    if depth.visible == 0 {
        return Some(now.before(GRACE));
    }
    let since = now.before(OVERTAKEN_FOR + BUCKET * 2);
    let recent = || first_receives.iter().filter(|(bucket, _)| *bucket >= since);
    let first = recent().map(|(bucket, _)| *bucket).min()?;
    let last = recent().map(|(bucket, _)| *bucket).max()?;
    // A queue from which nothing comes has overtaken nothing.
    if first + OVERTAKEN_FOR > now || last + BUCKET * 2 < now {
        return None;
    }
    let oldest = recent().map(|(_, sent_at)| *sent_at).min()?;
    Some(oldest.before(BUCKET).min(now.before(GRACE)))
}

/// Sends a job's message again, to `queue`; nothing if the record does not wait for one, or nobody
/// need look yet at `until`.
///
/// The next look is pushed first, twice as far each time.
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
    Some(Step { guard: record.guard(), record: record.called(owner, now, now + push), call })
}

#[cfg(test)]
#[path = "rescue_tests.rs"]
mod tests;
