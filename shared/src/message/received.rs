//! Messages as SQS delivers them.

use crate::{base::time::Time, record::trace::Trace};

/// One received message. A field is `None` if SQS omits it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ReceivedMessage {
    /// The SQS message ID, which a partial batch response names.
    pub message_id: Option<String>,
    /// The receipt handle of this receive.
    pub receipt: Option<String>,
    pub body: Option<String>,
    /// ARN of the queue.
    pub queue: String,
    /// SQS attribute `ApproximateReceiveCount`, from 1.
    pub receives: u32,
    /// SQS attribute `SentTimestamp`.
    pub sent_at: Time,
    /// SQS attribute `ApproximateFirstReceiveTimestamp`.
    pub first_received_at: Time,
    /// The record that it wakes, if the engine sent it.
    pub wakes: Option<Woken>,
    /// Message group ID, if the sender set one.
    pub group: Option<String>,
    /// The trace that it belongs to, if it names one.
    pub trace: Option<Trace>,
    pub purpose: Purpose,
    /// ARN of the queue that SQS moved it from, if it is a dead letter and SQS names that queue.
    pub source: Option<String>,
}

impl ReceivedMessage {
    /// The body, or an empty string if SQS omitted it.
    #[must_use]
    pub fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    /// The SQS message ID, or an empty string if SQS omitted it.
    #[must_use]
    pub fn message_id(&self) -> &str {
        self.message_id.as_deref().unwrap_or_default()
    }
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To run a job: a sender's message, or one that wakes a waiting job.
    #[default]
    Work,
    /// To verify a job's result: see [`crate::job::Job::verify`].
    Check,
    /// To run the work of a dead letter. If this message becomes a dead letter too, it is rejected.
    Redrive,
}

impl Purpose {
    /// The value of the message attribute [`crate::message::wake::PURPOSE`]; `None` for ordinary
    /// work.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Work => None,
            Self::Check => Some("check"),
            Self::Redrive => Some("redrive"),
        }
    }

    /// The purpose with this name; [`Purpose::Work`] for `None` and for an unknown name.
    #[must_use]
    pub fn of(name: Option<&str>) -> Self {
        match name {
            Some("check") => Self::Check,
            Some("redrive") => Self::Redrive,
            _ => Self::Work,
        }
    }
}

/// The record that a message of the engine wakes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Woken {
    pub key: String,
    /// The fence of the record when the message was sent.
    pub fence: u64,
}
