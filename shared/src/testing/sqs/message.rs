//! A message in a simulated queue.

use std::time::Duration;

use crate::{
    base::time::Time,
    message::{
        OutgoingMessage, ReceivedMessage,
        wake::{FENCE, JOB, PURPOSE, SENT_AT},
    },
};

/// Largest message, and largest batch of them, in bytes, attributes included (quota "Message size").
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Longest delay (quota "Message timers").
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// Longest message group id, in characters.
const MAX_GROUP: usize = 128;

/// A message in a queue, whether visible or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SimulatedMessage {
    /// Position in the order of all sends.
    pub(super) sequence: u64,
    pub id: String,
    /// What the sender gave.
    pub sent: OutgoingMessage,
    /// SQS's `SentTimestamp`. A dead letter keeps that of its first send.
    pub sent_at: Time,
    pub receives: u32,
    /// When it is visible, or was.
    pub visible_at: Time,
    /// End of the sender's delay.
    pub(super) delayed_until: Time,
    /// The first receive and the last one.
    pub first_received_at: Option<Time>,
    pub received_at: Option<Time>,
    /// ARN of the queue that it was moved from, if it is a dead letter.
    pub source: Option<String>,
}

/// Refuses what SQS refuses as an entry of a batch: the code and what is wrong.
pub(super) fn check(message: &OutgoingMessage) -> Result<(), String> {
    let OutgoingMessage { body, group, delay, .. } = message;
    if body.is_empty() {
        return Err("MissingParameter: the body is empty".into());
    }
    if size(message) > MAX_BYTES {
        return Err(format!("InvalidParameterValue: a message of {} bytes", size(message)));
    }
    if let Some(wrong) = body.chars().find(|c| !may_be_in_a_body(*c)) {
        return Err(format!("InvalidMessageContents: {wrong:?}"));
    }
    if *delay > LONGEST_DELAY {
        return Err(format!("InvalidParameterValue: a delay of {delay:?}"));
    }
    let sound = |group: &String| {
        (1..=MAX_GROUP).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match group {
        Some(group) if !sound(group) => Err(format!("InvalidParameterValue: group {group:?}")),
        _ => Ok(()),
    }
}

/// Size of a message in bytes: its body, and the name, type and value of each attribute. The trace is a system
/// attribute, which does not count.
pub(super) fn size(message: &OutgoingMessage) -> usize {
    let woken = message.wakes.as_ref();
    let attributes = [
        (FENCE, "Number", woken.map(|woken| woken.fence.to_string())),
        (JOB, "String", woken.map(|woken| woken.key.clone())),
        (PURPOSE, "String", message.purpose.name().map(str::to_owned)),
        (SENT_AT, "Number", message.sent_at.map(|at| at.as_millis().to_string())),
    ];
    let attribute = |(name, kind, value): &(&str, &str, Option<String>)| {
        value.as_ref().map_or(0, |value| name.len() + kind.len() + value.len())
    };
    message.body.len() + attributes.iter().map(attribute).sum::<usize>()
}

/// The characters of XML 1.0 (`SendMessage`, parameter `MessageBody`).
fn may_be_in_a_body(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

impl SimulatedMessage {
    pub(super) fn new(
        sequence: u64,
        sent: OutgoingMessage,
        source: Option<String>,
        now: Time,
    ) -> Self {
        // A delay has whole seconds.
        let visible_at = now + Duration::from_secs(sent.delay.as_secs());
        Self {
            sequence,
            id: format!("message-{sequence}"),
            sent,
            sent_at: now,
            receives: 0,
            visible_at,
            delayed_until: visible_at,
            first_received_at: None,
            received_at: None,
            source,
        }
    }

    /// The receipt handle of the latest receive.
    pub(in crate::testing) fn receipt(&self) -> String {
        format!("{}#{}", self.id, self.receives)
    }

    /// The message that a receipt handle belongs to, by its sequence.
    pub(super) fn sequence_of(receipt: &str) -> Option<u64> {
        receipt.strip_prefix("message-")?.split_once('#')?.0.parse().ok()
    }

    /// What a receive returns.
    pub(super) fn received(&self, queue: &str) -> ReceivedMessage {
        ReceivedMessage {
            message_id: Some(self.id.clone()),
            receipt: Some(self.receipt()),
            body: Some(self.sent.body.clone()),
            queue: queue.to_owned(),
            receives: self.receives,
            sent_at: self.sent.sent_at.unwrap_or(self.sent_at),
            first_received_at: self.first_received_at.unwrap_or_default(),
            wakes: self.sent.wakes.clone(),
            group: self.sent.group.clone(),
            trace: self.sent.trace.clone(),
            purpose: self.sent.purpose,
            source: self.source.clone(),
        }
    }

    /// Who sent it, for fair queues: its group, or itself if it has none.
    pub(super) fn tenant(&self) -> &str {
        self.sent.group.as_deref().unwrap_or(&self.id)
    }
}
