//! The port to the SQS queues.

use std::{future::Future, time::Duration};

use super::error::PortError;
use crate::message::OutgoingMessage;

/// A request to hide one received message for longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendVisibility {
    /// The receipt handle of its latest receive.
    pub receipt: String,
    /// How long the message stays hidden from now on, rounded up to whole seconds. SQS refuses an
    /// end more than 12 h after the receive.
    pub span: Duration,
}

/// The queues that messages are received from and sent to.
pub trait Queue: Send + Sync {
    /// Sends up to ten messages to the queue with this ARN in one call. Returns for each message
    /// whether SQS accepted it. Not idempotent: a repeated call sends the messages twice.
    fn send(
        &self,
        queue: &str,
        messages: &[OutgoingMessage],
    ) -> impl Future<Output = Result<Vec<bool>, PortError>> + Send;

    /// Hides messages of the queue with this ARN in one call: at most
    /// [`crate::policy::BATCH_SIZE`]. Best effort: an error means that any of the messages may have
    /// stayed visible.
    fn extend_visibility(
        &self,
        queue: &str,
        messages: &[ExtendVisibility],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
