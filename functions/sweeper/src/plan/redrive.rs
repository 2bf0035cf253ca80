//! What a dead letter is, and what becomes of it.

use evenkeel::{
    message::{self, Flaw, Rejection},
    oversight::Letter,
    ports::Purpose,
    record::{Phase, Record},
};

use crate::config::JobType;

/// What becomes of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has done its work, or its job has a look of its own: it may go.
    Drop(&'static str),
    /// Its job's run is alive, or not known to be dead: the record gets a look, then it may go.
    Arm,
    /// Nothing is known against it: it is sent once more.
    Redrive,
    /// It is held for operators, for this reason.
    Hold(Rejection),
}

/// What a dead letter asks for, as far as it alone tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The job's key.
    pub key: String,
    /// The payload as it was written.
    pub payload: String,
}

/// What a dead letter asks for, or why it is no message.
pub fn asked(job: &JobType, letter: &Letter) -> Result<Asked, Rejection> {
    let (key, payload) = message::key_of(&job.kind, &letter.body)?;
    // Who sent it knew the record; its type may read payloads otherwise by now.
    let key = letter.wakes.as_ref().map_or(key, |woken| woken.key.clone());
    Ok(Asked { key, payload })
}

/// Whether two payloads are the same value, however it is written.
fn is_same(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one).is_some_and(|one| Some(one) == read(other))
}

/// What becomes of a dead letter whose job has this record, or none that its body leads to.
///
/// Without an id, the key hangs on what the job type makes of the payload, which is not known here:
/// then the function itself finds the record when the letter comes again.
#[must_use]
pub fn fate(letter: &Letter, asked: &Asked, record: Option<&Record>) -> Fate {
    if letter.purpose == Purpose::Check {
        return Fate::Drop("check");
    }
    let asks_anew = |record: &Record| {
        letter.wakes.is_none() && record.phase.ended_at().is_some_and(|at| at < letter.sent_at)
    };
    // Its function says whether that is the same work in other words, or another's under its id.
    let differs =
        |record: &Record| letter.wakes.is_none() && !is_same(&record.work.payload, &asked.payload);
    match record {
        Some(record) if asks_anew(record) || differs(record) => {}
        Some(record) if record.phase.ended_at().is_some() => return Fate::Drop("ended"),
        Some(record) => {
            return match record.phase {
                Phase::Running { armed: false, .. } => Fate::Arm,
                _ => Fate::Drop("looked_after"),
            };
        }
        None => {}
    }
    if letter.purpose == Purpose::Redrive {
        let reason = "body: no function could acknowledge it in 25 receives, and not in 25 more \
                      after it was sent again; expected one that its function can claim";
        return Fate::Hold(Rejection::new(Flaw::Unacknowledged, reason));
    }
    Fate::Redrive
}

/// The queue that a dead letter goes back to: the one it came from, if the service says, else the
/// ordinary one.
#[must_use]
pub fn back_to<'a>(job: &'a JobType, letter: &Letter) -> &'a str {
    let source = letter.source.as_deref();
    let known = job.sources().into_iter().find(|known| Some(known.queue.as_str()) == source);
    known.map_or(job.normal.queue.as_str(), |known| known.queue.as_str())
}

#[cfg(test)]
#[path = "redrive_tests.rs"]
mod tests;
