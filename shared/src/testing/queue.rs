//! A queue in memory: visibility, receive counts and a dead-letter queue, on the test's clock.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    base::time::{Clock, Time},
    message::{OutgoingMessage, ReceivedMessage, Woken},
    policy::MAX_RECEIVES,
    ports::{
        ExtendVisibility, PortError, Queue,
        maintenance::{Depth, QueueMaintenance},
    },
    record::Record,
};

/// The visibility time-out of the queue.
const VISIBILITY: Duration = Duration::from_secs(90);

/// ARN of the queue that is used unless another one is named.
pub const ARN: &str = "arn:aws:sqs:eu-west-1:123456789012:test-url-shortening";

/// A message in the queue.
#[derive(Clone, Debug)]
pub struct Held {
    id: String,
    sent_at: Time,
    receives: u32,
    visible_at: Time,
    queue: String,
    source: Option<String>,
    wake: OutgoingMessage,
}

/// [`Queue`] in memory; clones share it.
#[derive(Clone, Debug)]
pub struct MemoryQueue<C> {
    clock: C,
    messages: Arc<Mutex<Vec<Held>>>,
    calls: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl<C: Clock> MemoryQueue<C> {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: C) -> Self {
        Self { clock, messages: Arc::default(), calls: Arc::default(), sent: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Held>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message and returns its id.
    pub fn send(&self, body: &str) -> String {
        self.put(ARN, OutgoingMessage::new(body.to_owned(), None, None), None)
    }

    /// Sends a wake-up message for the job of this record, as the engine does.
    pub fn wake(&self, body: &str, record: &Record) -> String {
        let woken = Woken { key: record.key.clone(), fence: record.fence };
        self.put(ARN, OutgoingMessage::new(body.to_owned(), Some(woken), None), None)
    }

    /// Sends a message to the queue with this ARN.
    pub fn send_to(&self, queue: &str, wake: OutgoingMessage) -> String {
        self.put(queue, wake, None)
    }

    /// Puts a message that came from the queue `source` into the dead-letter queue `dead`.
    pub fn bury(&self, dead: &str, source: &str, wake: OutgoingMessage) -> String {
        self.put(dead, wake, Some(source.to_owned()))
    }

    /// Deletes every message of a queue without the engine's knowledge. Returns how many there
    /// were.
    pub fn purge(&self, queue: &str) -> usize {
        let mut messages = self.lock();
        let before = messages.len();
        messages.retain(|message| message.queue != queue);
        before - messages.len()
    }

    fn put(&self, queue: &str, wake: OutgoingMessage, source: Option<String>) -> String {
        let now = self.clock.now();
        let mut messages = self.lock();
        let id = format!("message-{}", self.sent.fetch_add(1, Relaxed));
        messages.push(Held {
            id: id.clone(),
            sent_at: wake.sent_at.unwrap_or(now),
            receives: 0,
            visible_at: now + wake.delay,
            queue: queue.to_owned(),
            source,
            wake,
        });
        id
    }

    /// Receives up to `most` visible messages and hides them. A message that has used up its
    /// receives counts as moved to the dead-letter queue: it stays here and is never received
    /// again.
    pub fn receive(&self, most: usize) -> Vec<ReceivedMessage> {
        self.receive_from(ARN, most)
    }

    /// The bodies in the queue with this ARN, in the order in which they were sent.
    #[must_use]
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        let messages = self.lock();
        let there = messages.iter().filter(|message| message.queue == queue);
        there.map(|message| message.wake.body.clone()).collect()
    }

    /// The same from the queue with this ARN.
    pub fn receive_from(&self, queue: &str, most: usize) -> Vec<ReceivedMessage> {
        let now = self.clock.now();
        let mut messages = self.lock();
        let visible = messages
            .iter_mut()
            .filter(|message| message.queue == queue)
            .filter(|message| message.visible_at <= now && message.receives < MAX_RECEIVES);
        visible
            .take(most)
            .map(|message| {
                message.receives += 1;
                message.visible_at = now + VISIBILITY;
                ReceivedMessage {
                    source: None,
                    message_id: Some(message.id.clone()),
                    receipt: Some(format!("{}#{}", message.id, message.receives)),
                    body: Some(message.wake.body.clone()),
                    queue: queue.to_owned(),
                    receives: message.receives,
                    sent_at: message.sent_at,
                    wakes: message.wake.wakes.clone(),
                    group: message.wake.group.clone(),
                    purpose: message.wake.purpose,
                }
            })
            .collect()
    }

    /// Deletes the messages of an event that its response did not name as failed, as the SQS poller
    /// does.
    pub fn acknowledge(&self, event: &[ReceivedMessage], failed: &[String]) {
        let done = |message: &Held| {
            event.iter().any(|d| d.message_id.as_ref() == Some(&message.id))
                && !failed.contains(&message.id)
        };
        self.lock().retain(|message| !done(message));
    }

    /// Makes every message visible immediately, as if its visibility time-out had passed.
    pub fn show_all(&self) {
        let now = self.clock.now();
        self.lock().iter_mut().for_each(|message| message.visible_at = now);
    }

    /// How long until a message is visible; `None` if there are none left to receive.
    #[must_use]
    pub fn next_in(&self) -> Option<Duration> {
        let now = self.clock.now();
        let messages = self.lock();
        let ours = messages.iter().filter(|message| message.queue == ARN);
        let alive = ours.filter(|message| message.receives < MAX_RECEIVES);
        alive.map(|message| message.visible_at.since(now)).min()
    }

    /// Number of port calls that a function has made.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    /// Number of messages that are not acknowledged, including those that count as dead letters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether every message was acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<C: Clock> Queue for MemoryQueue<C> {
    async fn send(
        &self,
        queue: &str,
        messages: &[OutgoingMessage],
    ) -> Result<Vec<bool>, PortError> {
        self.calls.fetch_add(1, Relaxed);
        for message in messages {
            self.put(queue, message.clone(), None);
        }
        Ok(vec![true; messages.len()])
    }

    async fn extend_visibility(
        &self,
        _: &str,
        messages: &[ExtendVisibility],
    ) -> Result<(), PortError> {
        self.calls.fetch_add(1, Relaxed);
        let now = self.clock.now();
        let mut held = self.lock();
        for hide in messages {
            let current = held
                .iter_mut()
                .find(|message| format!("{}#{}", message.id, message.receives) == hide.receipt);
            if let Some(message) = current {
                message.visible_at = now + hide.span;
            }
        }
        Ok(())
    }
}

impl<C: Clock> QueueMaintenance for MemoryQueue<C> {
    async fn depth(&self, queue: &str) -> Result<Depth, PortError> {
        let now = self.clock.now();
        let mut depth = Depth::default();
        for message in self.lock().iter().filter(|message| message.queue == queue) {
            match (message.visible_at <= now, message.receives) {
                (true, _) => depth.visible += 1,
                (false, 0) => depth.delayed += 1,
                (false, _) => depth.in_flight += 1,
            }
        }
        Ok(depth)
    }

    async fn receive(
        &self,
        queue: &str,
        hidden: Duration,
    ) -> Result<Vec<ReceivedMessage>, PortError> {
        let now = self.clock.now();
        let mut messages = self.lock();
        let visible = messages
            .iter_mut()
            .filter(|message| message.queue == queue && message.visible_at <= now);
        let received = visible.take(10).map(|message| {
            message.receives += 1;
            message.visible_at = now + hidden;
            ReceivedMessage {
                message_id: Some(message.id.clone()),
                receipt: Some(format!("{}#{}", message.id, message.receives)),
                body: Some(message.wake.body.clone()),
                queue: queue.to_owned(),
                receives: message.receives,
                sent_at: message.sent_at,
                wakes: message.wake.wakes.clone(),
                purpose: message.wake.purpose,
                group: message.wake.group.clone(),
                source: message.source.clone(),
            }
        });
        Ok(received.collect())
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), PortError> {
        let is_one = |message: &Held| {
            message.queue == queue
                && receipts.contains(&format!("{}#{}", message.id, message.receives))
        };
        self.lock().retain(|message| !is_one(message));
        Ok(())
    }
}
