//! Messages as their queues deliver them.

use crate::base::time::Time;

/// One received message. What SQS leaves out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// SQS's id of the message: what a partial answer names.
    pub message_id: Option<String>,
    /// The handle of this receive.
    pub receipt: Option<String>,
    /// The body.
    pub body: Option<String>,
    /// ARN of the queue.
    pub queue: String,
    /// ApproximateReceiveCount, from 1.
    pub receives: u32,
    /// SentTimestamp.
    pub sent_at: Time,
    /// The record that it wakes, if we sent it ourselves.
    pub wakes: Option<Woken>,
    /// Its message group, if its sender gave one.
    pub group: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// ARN of the queue that it was moved from, if it is a dead letter and SQS says so.
    pub source: Option<String>,
}

impl ReceivedMessage {
    /// The body; empty if the queue gave none.
    #[must_use]
    pub fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    /// The message's id; empty if the queue gave none.
    #[must_use]
    pub fn message_id(&self) -> &str {
        self.message_id.as_deref().unwrap_or_default()
    }
}

/// What a message of ours is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To wake a job, or to do one.
    #[default]
    Work,
    /// To look at a job's result: see [`crate::job::Job::verify`].
    Check,
    /// The same as a dead letter was for, which it was once before.
    Redrive,
}

impl Purpose {
    /// Its name in the message attribute [`crate::message::wake::PURPOSE`]; none for ordinary work.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Work => None,
            Self::Check => Some("check"),
            Self::Redrive => Some("redrive"),
        }
    }

    /// The purpose of this name; ordinary work if there is none.
    #[must_use]
    pub fn of(name: Option<&str>) -> Self {
        match name {
            Some("check") => Self::Check,
            Some("redrive") => Self::Redrive,
            _ => Self::Work,
        }
    }
}

/// The record that a message of ours is to wake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Woken {
    /// Its key.
    pub key: String,
    /// Its fence when the message was sent.
    pub fence: u64,
}
