//! What is done with a message from a dead-letter queue.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    message::{self, Flaw, Purpose, ReceivedMessage, Rejection},
    record::{Phase, Record},
};

use crate::config::JobType;

/// What is done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Delete it: its job has ended, or has a due entry by which a later tick finds it. The value
    /// is the name of the count.
    Drop(&'static str),
    /// Put its job, which is running, on the due index at the end of its lease; then delete it.
    IndexLeaseExpiry,
    /// Send it to its queue once more.
    Redrive,
    /// Keep it as a record for the operators, for this reason; then delete it.
    Hold(Rejection),
}

impl Action {
    /// The name of its count.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Drop(why) => why,
            Self::IndexLeaseExpiry => "lease_expiry_indexed",
            Self::Redrive => "sent_back",
            Self::Hold(_) => "held",
        }
    }
}

/// What a message asks for, by its own content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The job's key.
    pub key: String,
    /// The payload as the sender wrote it.
    pub payload: String,
}

/// How often a message is sent back while its type does no other work, to find out whether its function works again.
const TRIED_EVERY: Duration = Duration::from_mins(15);

/// How many messages a tick may send back, or hold because their function does not acknowledge them. While a type
/// does no other work, the function may be unable to start, and no message is to blame: only one is sent back now
/// and then. `redriven_at` is when that was done last.
#[must_use]
pub fn allowance(is_at_work: bool, redriven_at: Time, now: Time) -> Option<usize> {
    if is_at_work {
        return None;
    }
    Some(usize::from(redriven_at + TRIED_EVERY <= now))
}

/// Age from which a message is held, whatever its type does: the dead-letter queue keeps it for 14 days only.
pub const HELD_FROM_AGE: Duration = Duration::from_hours(10 * 24);

/// What is done with a message that would be sent back again, if it is too old for that.
#[must_use]
pub fn if_old(action: Action, message: &ReceivedMessage, now: Time) -> Action {
    if action != Action::Redrive || message.sent_at + HELD_FROM_AGE > now {
        return action;
    }
    let reason = "body: no function has acknowledged it for ten days; expected one that works";
    Action::Hold(Rejection::new(Flaw::Unacknowledged, reason))
}

/// Whether the message would be sent back, or held, because of what its function did with it.
#[must_use]
pub fn depends_on_the_function(action: &Action) -> bool {
    match action {
        Action::Redrive => true,
        Action::Hold(rejection) => rejection.flaw == Flaw::Unacknowledged,
        Action::Drop(_) | Action::IndexLeaseExpiry => false,
    }
}

/// Parses a message, or says why it must be rejected.
pub fn asked(job: &JobType, message: &ReceivedMessage) -> Result<Asked, Rejection> {
    let (key, payload) = message::key_of(&job.kind, message.body())?;
    // A message of the engine names its record. The key that is derived here may differ if the type
    // has changed since how it reads payloads.
    let key = message.wakes.as_ref().map_or(key, |woken| woken.key.clone());
    Ok(Asked { key, payload })
}

/// Whether two payloads are the same JSON value.
fn is_same(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one).is_some_and(|one| Some(one) == read(other))
}

/// Decides what is done with a message whose job has this record, or no record under the key of
/// `asked`.
///
/// Without an id, the key depends on how the job type reads the payload, which the sweeper does not
/// know. A record may then be missed; the function finds it when it receives the message again.
#[must_use]
pub fn action(message: &ReceivedMessage, asked: &Asked, record: Option<&Record>) -> Action {
    if message.purpose == Purpose::Check {
        return Action::Drop("check");
    }
    let asks_anew = |record: &Record| {
        message.wakes.is_none() && record.phase.ended_at().is_some_and(|at| at < message.sent_at)
    };
    // Only the function can tell whether this is the same work written differently, or other work
    // under a reused id.
    let differs =
        |record: &Record| message.wakes.is_none() && !is_same(&record.work.payload, &asked.payload);
    match record {
        Some(record) if asks_anew(record) || differs(record) => {}
        Some(record) if record.phase.ended_at().is_some() => return Action::Drop("ended"),
        Some(record) => {
            return match record.phase {
                Phase::Running { lease_expiry_indexed: false, .. } => Action::IndexLeaseExpiry,
                _ => Action::Drop("already_due"),
            };
        }
        None => {}
    }
    if message.purpose == Purpose::Redrive {
        let reason = "body: no function could acknowledge it in 25 receives, and not in 25 more \
                      after it was sent again; expected one that its function can claim";
        return Action::Hold(Rejection::new(Flaw::Unacknowledged, reason));
    }
    Action::Redrive
}

/// The queue to which a message is sent back: the one it came from, if SQS names it, else the queue
/// of normal priority.
#[must_use]
pub fn back_to<'a>(job: &'a JobType, message: &ReceivedMessage) -> &'a str {
    let source = message.source.as_deref();
    let known = job.sources().into_iter().find(|known| Some(known.queue.as_str()) == source);
    known.map_or(job.normal.queue.as_str(), |known| known.queue.as_str())
}

/// ARN of the queue that a message came from; the one of normal priority if SQS does not name it.
#[must_use]
pub fn came_from<'a>(job: &'a JobType, message: &'a ReceivedMessage) -> &'a str {
    message.source.as_deref().unwrap_or(&job.normal.queue)
}

#[cfg(test)]
#[path = "redrive_tests.rs"]
mod tests;
