//! SQS, simulated on the test's clock.
//!
//! A queue begins calm: messages come in the order in which they were sent, once, and every entry of
//! a batch is accepted. Each further habit of the service is a switch of [`Habits`]. What is simulated
//! follows AWS's documentation ("Amazon SQS visibility timeout", "Using dead-letter queues", "How
//! Amazon SQS fair queues work", and the API reference).

mod fairness;
mod message;
mod observer;
mod ports;
mod queue;
mod settings;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::draw::Draw;
use crate::{
    base::time::Clock,
    message::{OutgoingMessage, ReceivedMessage},
    policy::BATCH_SIZE,
    ports::PortError,
};
pub use message::SimulatedMessage;
use observer::Observer;
pub use observer::QueueChange;
use queue::SimulatedQueue;
pub use settings::{Habits, QueueSettings, Redrive};

/// ARN of the queue that is used unless another one is named.
pub const ARN: &str = "arn:aws:sqs:eu-west-1:123456789012:test-url-shortening";

/// Every queue of a simulated account; clones share them.
#[derive(Clone, Debug)]
pub struct SimulatedSqs<C> {
    clock: C,
    state: Arc<Mutex<State>>,
    /// Notified when a message was sent, or its visibility was changed.
    changed: Arc<Notify>,
    observer: Observer,
}

#[derive(Debug)]
struct State {
    queues: BTreeMap<String, SimulatedQueue>,
    habits: Habits,
    draw: Draw,
    sent: u64,
    received: usize,
    calls: usize,
}

impl State {
    fn queue(&mut self, arn: &str) -> Result<&mut SimulatedQueue, PortError> {
        let missing =
            || PortError::Broken(format!("AWS.SimpleQueueService.NonExistentQueue: {arn}"));
        self.queues.get_mut(arn).ok_or_else(missing)
    }
}

impl<C: Clock> SimulatedSqs<C> {
    /// An account with one queue, [`ARN`], that has no dead-letter queue.
    #[must_use]
    pub fn new(clock: C) -> Self {
        let state = State {
            queues: BTreeMap::new(),
            habits: Habits::default(),
            draw: Draw::new(0),
            sent: 0,
            received: 0,
            calls: 0,
        };
        let (changed, observer) = Default::default();
        let sqs = Self { clock, state: Arc::new(Mutex::new(state)), changed, observer };
        sqs.create(ARN, QueueSettings::default());
        sqs
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates a queue, or replaces its settings.
    pub fn create(&self, arn: &str, settings: QueueSettings) {
        let mut state = self.lock();
        let messages = state.queues.remove(arn).map(SimulatedQueue::into_messages);
        let queue = SimulatedQueue::new(arn, settings, messages.unwrap_or_default());
        state.queues.insert(arn.to_owned(), queue);
    }

    /// Sets the habits of all queues. `seed` decides what they do.
    pub fn behave(&self, habits: Habits, seed: u64) {
        let mut state = self.lock();
        state.habits = habits;
        state.draw = Draw::new(seed);
    }

    /// Tells `observer` of each message that is sent or deleted from now on, once that is done.
    pub fn observe(&self, observer: impl FnMut(&QueueChange<'_>) + Send + 'static) {
        self.observer.set(observer);
    }

    /// Sends a body to the queue [`ARN`] and returns the message's id.
    pub fn send(&self, body: &str) -> String {
        self.send_to(ARN, OutgoingMessage::new(body.to_owned(), None, None))
    }

    /// Sends a message to the queue with this ARN and returns its id.
    ///
    /// # Panics
    /// If there is no such queue, or SQS would refuse the message.
    pub fn send_to(&self, queue: &str, message: OutgoingMessage) -> String {
        self.put(queue, message, None).unwrap_or_else(|why| panic!("{queue}: {why}"))
    }

    /// Puts a message that came from the queue `source` into the dead-letter queue `dead`.
    ///
    /// # Panics
    /// As [`SimulatedSqs::send_to`].
    pub fn bury(&self, dead: &str, source: &str, message: OutgoingMessage) -> String {
        let put = self.put(dead, message, Some(source.to_owned()));
        put.unwrap_or_else(|why| panic!("{dead}: {why}"))
    }

    fn put(
        &self,
        queue: &str,
        message: OutgoingMessage,
        source: Option<String>,
    ) -> Result<String, String> {
        message::check(&message)?;
        let now = self.clock.now();
        let mut state = self.lock();
        let sequence = state.sent;
        let place = state.queue(queue).map_err(|error| error.to_string())?;
        let message = SimulatedMessage::new(sequence, message, source, now);
        let id = message.id.clone();
        place.add(message.clone());
        state.sent += 1;
        drop(state);
        self.observer.tell(&QueueChange::Sent { queue, message: &message });
        self.changed.notify_waiters();
        Ok(id)
    }

    /// Receives up to `most` visible messages of the queue [`ARN`].
    #[must_use]
    pub fn receive(&self, most: usize) -> Vec<ReceivedMessage> {
        self.receive_from(ARN, most)
    }

    /// Receives up to `most` visible messages, at most ten, and hides them for the queue's visibility
    /// time-out. A message that was received too often is moved to the dead-letter queue instead.
    ///
    /// # Panics
    /// If there is no such queue.
    #[must_use]
    pub fn receive_from(&self, queue: &str, most: usize) -> Vec<ReceivedMessage> {
        let taken = self.poll(queue, most).unwrap_or_else(|error| panic!("{error}"));
        taken.iter().map(|message| message.received(queue)).collect()
    }

    /// The same as messages, for an event source mapping. Fails if there is no such queue.
    pub(super) fn poll(
        &self,
        queue: &str,
        most: usize,
    ) -> Result<Vec<SimulatedMessage>, PortError> {
        self.take(queue, most, None)
    }

    fn take(
        &self,
        arn: &str,
        most: usize,
        hidden: Option<Duration>,
    ) -> Result<Vec<SimulatedMessage>, PortError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let State { queues, habits, draw, received, .. } = &mut *state;
        let Some(queue) = queues.get_mut(arn) else { return state.queue(arn).map(|_| Vec::new()) };
        let taken = queue.receive(most.min(BATCH_SIZE), hidden, now, habits, *draw);
        *received += taken.received.len();
        let redrive = queue.settings.redrive.clone();
        if let Some(Redrive { dead, .. }) = redrive.filter(|_| !taken.dead.is_empty()) {
            let dead = state.queue(&dead)?;
            for message in taken.dead {
                dead.put(message);
            }
            drop(state);
            self.changed.notify_waiters();
        }
        Ok(taken.received)
    }

    /// Waits until a message of the queue is visible. Never returns for a queue without messages
    /// that nobody sends to.
    pub async fn visible(&self, queue: &str) {
        loop {
            let changed = self.changed.notified();
            let Some(wait) = self.next_in(queue) else {
                changed.await;
                continue;
            };
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Deletes received messages by their receipt handles. A handle that is not the latest of its
    /// message deletes nothing, and nobody is told.
    ///
    /// # Panics
    /// If there is no such queue.
    pub fn remove(&self, queue: &str, receipts: &[String]) {
        self.forget(queue, receipts).unwrap_or_else(|error| panic!("{error}"));
    }

    fn forget(&self, queue: &str, receipts: &[String]) -> Result<(), PortError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let (habits, draw) = (state.habits, state.draw);
        let place = state.queue(queue)?;
        let deleted: Vec<SimulatedMessage> = receipts
            .iter()
            .filter_map(|receipt| place.delete(receipt, now, &habits, draw))
            .collect();
        drop(state);
        for message in &deleted {
            self.observer.tell(&QueueChange::Deleted { queue, message });
        }
        Ok(())
    }

    /// Makes every message visible immediately, as if its visibility time-out had passed.
    pub fn show_all(&self) {
        let now = self.clock.now();
        self.lock().queues.values_mut().for_each(|queue| queue.show_all(now));
        self.changed.notify_waiters();
    }

    /// The messages of a queue, in the order in which they were sent.
    #[must_use]
    pub fn messages(&self, queue: &str) -> Vec<SimulatedMessage> {
        self.lock()
            .queues
            .get(queue)
            .map(|queue| queue.all().cloned().collect())
            .unwrap_or_default()
    }

    /// The bodies in a queue, in the order in which they were sent.
    #[must_use]
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        self.messages(queue).into_iter().map(|message| message.sent.body).collect()
    }

    /// The ARNs of all queues.
    #[must_use]
    pub fn queues(&self) -> Vec<String> {
        self.lock().queues.keys().cloned().collect()
    }

    /// The visibility time-out of a queue.
    pub(super) fn visibility(&self, queue: &str) -> Duration {
        let state = self.lock();
        state.queues.get(queue).map(|queue| queue.settings.visibility).unwrap_or_default()
    }

    /// How long until a message of the queue is visible; `None` if the queue is empty.
    #[must_use]
    pub fn next_in(&self, queue: &str) -> Option<Duration> {
        let now = self.clock.now();
        self.lock().queues.get(queue)?.next_visible_at().map(|at| at.since(now))
    }

    /// Number of port calls so far, without those of maintenance.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    /// Number of messages that were received so far, each time counted.
    #[must_use]
    pub fn received(&self) -> usize {
        self.lock().received
    }

    /// Number of messages in all queues.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().queues.values().map(|queue| queue.all().count()).sum()
    }

    /// Whether no queue has a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[path = "sqs/tests.rs"]
mod tests;
