//! The engine's ports on simulated SQS.

use std::time::Duration;

use super::{
    SimulatedSqs,
    message::{MAX_BYTES, size},
};
use crate::{
    base::time::Clock,
    message::{OutgoingMessage, ReceivedMessage},
    policy::BATCH_SIZE,
    ports::{
        ExtendVisibility, PortError, Queue,
        maintenance::{Depth, QueueMaintenance},
    },
};

/// How long [`QueueMaintenance::receive`] waits for a first message.
const RECEIVE_WAIT: Duration = Duration::from_secs(1);

impl<C: Clock> Queue for SimulatedSqs<C> {
    async fn send(
        &self,
        queue: &str,
        messages: &[OutgoingMessage],
    ) -> Result<Vec<bool>, PortError> {
        batch(messages.len())?;
        let bytes: usize = messages.iter().map(size).sum();
        if bytes > MAX_BYTES {
            return Err(PortError::Broken(format!("BatchRequestTooLong: {bytes} bytes")));
        }
        let refused: Vec<bool> = {
            let mut state = self.lock();
            state.calls += 1;
            state.queue(queue)?;
            let (refuses, draw) = (state.habits.refuses, state.draw);
            let call = u64::try_from(state.calls).unwrap_or_default();
            let each = (0..).zip(messages);
            each.map(|(place, _)| draw.unit("refused", call, queue, place) < refuses).collect()
        };
        let sent = messages.iter().zip(refused);
        Ok(sent
            .map(|(message, refused)| !refused && self.put(queue, message.clone(), None).is_ok())
            .collect())
    }

    async fn extend_visibility(
        &self,
        queue: &str,
        messages: &[ExtendVisibility],
    ) -> Result<(), PortError> {
        batch(messages.len())?;
        let now = self.clock.now();
        let mut failed = Vec::new();
        {
            let mut state = self.lock();
            state.calls += 1;
            let queue = state.queue(queue)?;
            for hide in messages {
                failed.extend(queue.hide(&hide.receipt, hide.span, now).err());
            }
        }
        self.changed.notify_waiters();
        match failed.first() {
            None => Ok(()),
            Some(why) => Err(PortError::Unavailable(format!(
                "{} of {} messages: {why}",
                failed.len(),
                messages.len()
            ))),
        }
    }
}

/// Refuses a batch without entries or with too many.
fn batch(entries: usize) -> Result<(), PortError> {
    match entries {
        0 => Err(PortError::Broken("EmptyBatchRequest".into())),
        1..=BATCH_SIZE => Ok(()),
        more => Err(PortError::Broken(format!("TooManyEntriesInBatchRequest: {more}"))),
    }
}

impl<C: Clock> QueueMaintenance for SimulatedSqs<C> {
    async fn depth(&self, queue: &str) -> Result<Depth, PortError> {
        let now = self.clock.now();
        Ok(self.lock().queue(queue)?.depth(now))
    }

    async fn receive(
        &self,
        queue: &str,
        hidden: Duration,
    ) -> Result<Vec<ReceivedMessage>, PortError> {
        self.lock().queue(queue)?;
        let _ = tokio::time::timeout(RECEIVE_WAIT, self.visible(queue)).await;
        let taken = self.take(queue, BATCH_SIZE, Some(hidden))?;
        Ok(taken.iter().map(|message| message.received(queue)).collect())
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), PortError> {
        batch(receipts.len())?;
        self.forget(queue, receipts)
    }
}
