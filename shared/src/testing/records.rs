//! Records for tests. A test names only the fields that it is about.

use std::time::Duration;

use super::{BEGINNING, POLICY, sqs::ARN};
use crate::record::{Phase, Record, Work};

/// What a sender asked for at the [`BEGINNING`]: an empty payload in the queue [`ARN`], and a record that is kept for a
/// day after the end.
#[must_use]
pub fn work() -> Work {
    Work {
        payload: "{}".to_owned(),
        queue: ARN.to_owned(),
        dependency: POLICY.dependency.to_owned(),
        retention: Duration::from_hours(24),
        created_at: BEGINNING,
        first_created_at: None,
        deadline: None,
        group: None,
        trace: None,
    }
}

/// The record of a job with this [`work`] after its first claim, in this state. Its counters are zero.
#[must_use]
pub fn record(key: &str, phase: Phase) -> Record {
    Record {
        fence: 1,
        owner: "batch".to_owned(),
        message_id: "message".to_owned(),
        phase,
        ..Record::queued(key.to_owned(), work(), BEGINNING)
    }
}
