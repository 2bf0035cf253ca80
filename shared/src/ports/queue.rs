//! The queues that messages come from and go to.

use std::{future::Future, time::Duration};

use super::error::PortError;
use crate::message::OutgoingMessage;

/// One message to hide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendVisibility {
    /// The receipt handle of its latest receive.
    pub receipt: String,
    /// For how long from now, rounded up to a second. SQS refuses more than 12 h from the receive.
    pub span: Duration,
}

/// The queues that messages come from and go to.
pub trait Queue: Send + Sync {
    /// Sends messages to one queue, named by its ARN, in one call: at most ten. Answers whether each
    /// was taken. Repeated, they are sent twice.
    fn send(
        &self,
        queue: &str,
        messages: &[OutgoingMessage],
    ) -> impl Future<Output = Result<Vec<bool>, PortError>> + Send;

    /// Hides messages of one queue, named by its ARN, in one call: at most
    /// [`crate::policy::BATCH_SIZE`]. Best effort for each; an error means that none is known to be
    /// hidden.
    fn extend_visibility(
        &self,
        queue: &str,
        messages: &[ExtendVisibility],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
