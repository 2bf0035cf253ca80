//! Waking a job: the message that we send ourselves for a record that waits.
//!
//! A wake-up call asks for nothing new. It carries the fence that the record had, so that a copy
//! which comes late never opens a job that has ended meanwhile.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    base::time::Time,
    message::{Purpose, VERSION, Woken},
    record::Record,
};

/// Name of the message attribute that holds the fence, a whole number as text.
pub const FENCE: &str = "evenkeel-fence";

/// Name of the message attribute that holds the key of the job's record: what the body leads to may be
/// another one once its type has changed how it reads payloads.
pub const JOB: &str = "evenkeel-job";

/// Name of the message attribute that says what the message is for, if it is not ordinary work.
pub const PURPOSE: &str = "evenkeel-purpose";

/// Name of the message attribute that says when a message was sent first, in milliseconds since the
/// epoch, if it was not now.
pub const SENT_AT: &str = "evenkeel-sent-at";

/// A message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Its body, see [`crate::message::wake`].
    pub body: String,
    /// Key and fence of the job's record, if the message stands for one.
    pub wakes: Option<Woken>,
    /// Whom fair queues count it to.
    pub group: Option<String>,
    /// When it becomes visible, from now, in whole seconds; at most 15 minutes.
    pub delay: Duration,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was sent first, if it is a dead letter that is sent once more: it asks for nothing
    /// newer than it did then.
    pub sent_at: Option<Time>,
}

impl OutgoingMessage {
    /// A message that is visible at once.
    #[must_use]
    pub const fn new(body: String, wakes: Option<Woken>, group: Option<String>) -> Self {
        let (delay, purpose) = (Duration::ZERO, Purpose::Work);
        Self { body, wakes, group, delay, purpose, sent_at: None }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    version: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    payload: &'a RawValue,
}

/// The body that leads to this record again: its type, its given id if it has one, and its payload.
///
/// `None` if the record's payload is no JSON, which no record that we wrote has.
#[must_use]
pub fn body(record: &Record) -> Option<String> {
    body_of(&record.key, &record.work.payload)
}

/// The same for a job that has this key and payload.
pub(crate) fn body_of(key: &str, payload: &str) -> Option<String> {
    let (kind, id) = key.split_once('#')?;
    let payload = serde_json::from_str::<&RawValue>(payload).ok()?;
    let id = id.strip_prefix("g:");
    serde_json::to_string(&Body { version: VERSION, kind, id, payload }).ok()
}
