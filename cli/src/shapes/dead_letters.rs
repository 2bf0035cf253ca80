//! Output about dead letters.

use evenkeel::ports::notes::DeadLetter;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{deployment::queue_name, text::redact};

/// Dead letters and what became of them.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct DeadLetterList {
    /// The latest first.
    pub dead_letters: Vec<DeadLetterShown>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// DynamoDB's read units for this list.
    pub read_units: f64,
}

/// A message from a dead-letter queue. One that was received twice, because its deletion failed, is listed twice.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeadLetterShown {
    /// When the sweeper received it.
    pub at: u64,
    /// The job type of the queue.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id that SQS gave it.
    pub message_id: String,
    /// The key of its job, for `jobs show`; missing if the body could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The name of the queue that it came from.
    pub queue: String,
    /// When it was sent.
    pub sent_at: u64,
    /// How often it was received, as SQS counts.
    pub receives: u32,
    /// `sent_back`, `held`, `ended`, `already_due`, `lease_expiry_indexed` or `check`; docs/sweeper.md describes them.
    pub outcome: String,
    /// Why, as a sentence without secrets.
    pub reason: String,
    /// The key for `rejected show`, if it is `held`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

impl From<DeadLetter> for DeadLetterShown {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { at, kind, message_id, job, queue, sent_at, .. } = letter;
        Self {
            at,
            kind,
            message_id,
            job: job.map(|key| redact(&key)),
            queue: queue_name(&queue).to_owned(),
            sent_at,
            receives: letter.receives,
            outcome: letter.outcome,
            reason: redact(&letter.reason),
            rejected: letter.rejected,
        }
    }
}
