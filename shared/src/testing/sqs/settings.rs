//! What a simulated queue is created with, and how the service behaves.

use std::time::Duration;

use crate::policy::{MAX_RECEIVES, QUEUE_RETENTION};

/// What a queue is created with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message is hidden.
    pub visibility: Duration,
    /// How long a message is kept, counted from its first send.
    pub retention: Duration,
    /// Where messages go that were received too often; `None` if nowhere.
    pub redrive: Option<Redrive>,
}

/// A redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub dead: String,
    /// Receives after which the next one moves the message.
    pub max_receives: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { visibility: Duration::from_secs(90), retention: QUEUE_RETENTION, redrive: None }
    }
}

impl QueueSettings {
    /// A source queue whose messages go to the queue `dead` after [`MAX_RECEIVES`] receives.
    #[must_use]
    pub fn with_dead_letters(dead: &str) -> Self {
        let redrive = Redrive { dead: dead.to_owned(), max_receives: MAX_RECEIVES };
        Self { redrive: Some(redrive), ..Self::default() }
    }
}

/// What SQS does that a calm queue does not. Shares are between 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Habits {
    /// Visible messages are received in random order.
    pub shuffles: bool,
    /// Messages of groups that occupy the consumers are received after those of other groups.
    pub is_fair: bool,
    /// Share of receives after which the message stays visible, so that it is received twice.
    pub delivers_twice: f64,
    /// Share of deletions after which the message comes once more.
    pub comes_again: f64,
    /// Share of the entries of a batch send that are refused.
    pub refuses: f64,
}
