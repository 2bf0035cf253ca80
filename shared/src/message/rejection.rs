//! Bodies that are rejected, and how they are kept for operators.

use std::{fmt, time::Duration};

use crate::{
    base::{hash::sha256_hex, time::Time},
    failure::MESSAGE_BYTES,
    message::MAX_BODY_BYTES,
    policy::QUARANTINE_RETENTION,
    record::trace::Trace,
};

/// Why a body is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Not JSON, or not in the form of an envelope.
    Malformed,
    /// A field has an invalid value.
    Invalid,
    /// Longer than [`MAX_BODY_BYTES`](crate::message::MAX_BODY_BYTES).
    TooLong,
    /// For the job type of another queue.
    Alien,
    /// Of a version that this code does not read yet. It is kept, to be replayed after an update.
    Newer,
    /// A known ID with another payload.
    OtherPayload,
    /// No flaw was found, but no function ever acknowledged the message.
    Unacknowledged,
}

impl Flaw {
    /// In the order of docs/message.md.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Invalid,
        Self::TooLong,
        Self::Alien,
        Self::Newer,
        Self::OtherPayload,
        Self::Unacknowledged,
    ];

    /// The flaw with this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flaw| flaw.name() == name)
    }

    /// The name in records and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::TooLong => "too_long",
            Self::Alien => "alien",
            Self::Newer => "newer_version",
            Self::OtherPayload => "other_payload",
            Self::Unacknowledged => "unacknowledged",
        }
    }
}

/// Why a body is rejected, in detail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Rejection {
    pub flaw: Flaw,
    /// A sentence that names the field and what was expected.
    pub reason: String,
}

impl Rejection {
    /// The reason may quote the sender, so it is truncated to [`MESSAGE_BYTES`].
    #[must_use]
    pub fn new(flaw: Flaw, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MESSAGE_BYTES));
        Self { flaw, reason }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.flaw.name(), self.reason)
    }
}

/// A rejected message, kept for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct RejectedMessage {
    /// `q#` and the SHA-256 of queue and body. It never equals the key of a job.
    pub key: String,
    /// Job type of the queue.
    pub kind: String,
    /// ARN of the queue.
    pub queue: String,
    /// The SQS message ID.
    pub message_id: String,
    /// The first [`REJECTED_HEAD_BYTES`] of the body.
    pub head: String,
    /// Length of the whole body, in bytes.
    pub length: usize,
    pub rejection: Rejection,
    /// Message group ID, if the sender set one: when it is released, it must not get ahead of other groups.
    pub group: Option<String>,
    /// The trace that it belongs to, if it names one.
    pub trace: Option<Trace>,
    /// When the message was rejected.
    pub at: Time,
    /// When DynamoDB may delete the item.
    pub expires_at: Time,
}

/// Bytes of a rejected body that are kept: all of it, unless it is longer than any message may be.
pub const REJECTED_HEAD_BYTES: usize = MAX_BODY_BYTES;

impl RejectedMessage {
    /// Rejects a body that arrived on the queue with the ARN `queue`, of the job type `kind`.
    #[must_use]
    pub fn new(
        kind: &str,
        queue: &str,
        message_id: &str,
        body: &str,
        rejection: &Rejection,
        at: Time,
    ) -> Self {
        Self {
            key: Self::key_of(queue, body),
            kind: kind.to_owned(),
            queue: queue.to_owned(),
            message_id: message_id.to_owned(),
            head: body[..body.floor_char_boundary(REJECTED_HEAD_BYTES)].to_owned(),
            length: body.len(),
            rejection: rejection.clone(),
            group: None,
            trace: None,
            at,
            expires_at: at + QUARANTINE_RETENTION,
        }
    }

    /// The key under which a body is kept that arrived on the queue with the ARN `queue`.
    #[must_use]
    pub fn key_of(queue: &str, body: &str) -> String {
        format!("q#{}", sha256_hex(&[queue, "\n", body]))
    }

    /// The same message in this group.
    #[must_use]
    pub fn in_group(mut self, group: Option<&str>) -> Self {
        self.group = group.map(ToOwned::to_owned);
        self
    }

    /// The same message with this trace.
    #[must_use]
    pub fn traced(mut self, trace: Option<&Trace>) -> Self {
        self.trace = trace.cloned();
        self
    }

    /// The whole body; `None` if only its beginning was kept.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        (self.head.len() == self.length).then_some(self.head.as_str())
    }

    /// An item of the same body that was kept before this time may be overwritten by this one.
    #[must_use]
    pub fn replaces_older_than(&self) -> Time {
        self.at.before(Duration::from_hours(24))
    }
}
