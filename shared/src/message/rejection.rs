//! Bodies that are no message for their queue, and how they are kept for operators.

use std::{fmt, time::Duration};

use crate::{
    base::{hash::sha256_hex, time::Time},
    failure::MESSAGE_BYTES,
    policy::QUARANTINE_RETENTION,
};

/// Why a body is no message for this queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Not JSON, or not of the envelope's shape.
    Malformed,
    /// A field has a value that it must not have.
    Invalid,
    /// Over [`MAX_BODY_BYTES`].
    TooLong,
    /// Of another queue's type.
    Alien,
    /// Of a version that this code does not know yet: held, to be replayed after an update.
    Newer,
    /// A known id with another payload.
    OtherPayload,
    /// Nothing is wrong with it that could be seen, but no function ever acknowledged it.
    Unacknowledged,
}

impl Flaw {
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

/// A body that is quarantined, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What kind of flaw.
    pub flaw: Flaw,
    /// A sentence that names the field and what was expected.
    pub reason: String,
}

impl Rejection {
    /// A rejection with its reason, which may quote the sender: cut to [`MESSAGE_BYTES`].
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

/// A body that was no message, kept for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedMessage {
    /// `q#` and the SHA-256 of queue and body: never a job's key.
    pub key: String,
    /// The job type of the queue that it came on.
    pub kind: String,
    /// ARN of that queue.
    pub queue: String,
    /// The message that brought it.
    pub message_id: String,
    /// The first 32 KiB of the body.
    pub head: String,
    /// Bytes of the whole body.
    pub length: usize,
    /// Why.
    pub rejection: Rejection,
    /// When it was quarantined.
    pub at: Time,
    /// When it may be removed.
    pub expires_at: Time,
}

/// Bytes of a quarantined body that are kept.
pub const REJECTED_HEAD_BYTES: usize = 32 * 1024;

impl RejectedMessage {
    /// A body that came on the queue with this ARN and is no message of the job type `kind`.
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
            key: format!("q#{}", sha256_hex(&[queue, "\n", body])),
            kind: kind.to_owned(),
            queue: queue.to_owned(),
            message_id: message_id.to_owned(),
            head: body[..body.floor_char_boundary(REJECTED_HEAD_BYTES)].to_owned(),
            length: body.len(),
            rejection: rejection.clone(),
            at,
            expires_at: at + QUARANTINE_RETENTION,
        }
    }

    /// A body kept before this moment is old enough for this one to take its place.
    #[must_use]
    pub fn renewed_after(&self) -> Time {
        self.at.before(Duration::from_hours(24))
    }
}
