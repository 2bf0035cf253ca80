//! Messages that the engine sends, such as the one that wakes a waiting job.
//!
//! A wake-up message asks for no new work. It carries the fence of the job's record, so that a late
//! duplicate never reopens a job that has ended meanwhile.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    base::time::Time,
    message::{Purpose, VERSION, Woken},
    record::{Record, trace::Trace},
};

/// Message attribute with the fence of the job's record, as a decimal number.
pub const FENCE: &str = "evenkeel-fence";

/// Message attribute with the key of the job's record. The body may lead to another key once the
/// job type has changed the normal form of its payloads.
pub const JOB: &str = "evenkeel-job";

/// Message attribute that names the purpose; absent for ordinary work.
pub const PURPOSE: &str = "evenkeel-purpose";

/// Message attribute with the time at which the message was first sent, in milliseconds since the
/// epoch; absent if that is the `SentTimestamp`.
pub const SENT_AT: &str = "evenkeel-sent-at";

/// A message that the engine sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct OutgoingMessage {
    /// JSON of the message format; [`body()`] makes that of a record.
    pub body: String,
    /// Key and fence of the job's record, if the message wakes one.
    pub wakes: Option<Woken>,
    /// Message group ID, by which fair queues balance senders.
    pub group: Option<String>,
    /// Delay until the message becomes visible, in whole seconds; at most 15 minutes.
    pub delay: Duration,
    pub purpose: Purpose,
    /// When the message was first sent, if it is a redriven dead letter: it asks for nothing newer
    /// than the original did.
    pub sent_at: Option<Time>,
    /// The trace of the job, as the system attribute [`AWS_TRACE_HEADER`](crate::record::trace::AWS_TRACE_HEADER).
    pub trace: Option<Trace>,
}

impl OutgoingMessage {
    /// A message for ordinary work, visible immediately.
    #[must_use]
    pub const fn new(body: String, wakes: Option<Woken>, group: Option<String>) -> Self {
        let (delay, purpose) = (Duration::ZERO, Purpose::Work);
        Self { body, wakes, group, delay, purpose, sent_at: None, trace: None }
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

/// The body that leads to this record again: its type, its given ID if it has one, and its payload.
///
/// `None` if the payload is not JSON, which happens in no record that the engine wrote.
#[must_use]
pub fn body(record: &Record) -> Option<String> {
    body_of(&record.key, &record.work.payload)
}

/// The same for a job with this key and payload.
pub(crate) fn body_of(key: &str, payload: &str) -> Option<String> {
    let (kind, id) = key.split_once('#')?;
    let payload = serde_json::from_str::<&RawValue>(payload).ok()?;
    let id = id.strip_prefix("g:");
    serde_json::to_string(&Body { version: VERSION, kind, id, payload }).ok()
}
