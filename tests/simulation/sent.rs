//! A message of a simulation.

use std::time::Duration;

use evenkeel::message::{OutgoingMessage, Purpose, Woken};

/// The job types of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Errand,
    Link,
    Feed,
}

/// A message that is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) number: u64,
    pub(crate) at: Duration,
    pub(crate) kind: Kind,
    /// Whether it is sent to the queue of high priority.
    pub(crate) is_high: bool,
    pub(crate) group: String,
    pub(crate) body: String,
    /// The key of its job's record; `None` if the body is no message.
    pub(crate) key: Option<String>,
    /// What tells its payload from others with the same id.
    pub(crate) takes_ms: Option<u64>,
    /// Attributes that only the engine may send, if a sender has forged some.
    pub(crate) forgery: Option<Forgery>,
}

/// Forged attributes of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Forgery {
    pub(crate) wakes: Option<Woken>,
    pub(crate) purpose: Purpose,
}

impl Sent {
    /// The message, with this body in the place of its own.
    pub(crate) fn message(&self, body: String) -> OutgoingMessage {
        let group = Some(self.group.clone());
        let Some(Forgery { wakes, purpose }) = self.forgery.clone() else {
            return OutgoingMessage::new(body, None, group);
        };
        OutgoingMessage { purpose, ..OutgoingMessage::new(body, wakes, group) }
    }
}
