//! Lambda's event source mapping for SQS, simulated: it polls a queue, invokes a function with
//! batches, and deletes what the function does not report as failed.
//!
//! Protocol: "Using Lambda with Amazon SQS" and "Handling errors for an SQS event source" in the
//! Lambda developer guide.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Map, Value, json};
use tokio::{sync::Notify, time::Instant};

use super::{
    MemoryMappings,
    containers::{Containers, Invocation},
    sqs::{SimulatedMessage, SimulatedSqs},
};
use crate::{
    base::time::Clock,
    message::wake::{FENCE, JOB, PURPOSE, SENT_AT},
    policy::BATCH_SIZE,
};

/// Pollers at the start, and how many are added each minute while the mapping is busy.
const FIRST_POLLERS: usize = 5;
const POLLERS_A_MINUTE: usize = 300;

/// How often a mapping without a free slot looks at its `MaximumConcurrency` again.
const CONCURRENCY_CHECK: Duration = Duration::from_secs(1);

/// How a mapping is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingSettings {
    /// Its id, under which [`MemoryMappings`] has its `MaximumConcurrency`.
    pub id: String,
    /// ARN of the queue.
    pub queue: String,
    /// Most messages of a batch, at most ten.
    pub batch: usize,
    /// How long an incomplete batch waits for more messages.
    pub window: Duration,
    /// Whether the function's answer names the messages that failed (`ReportBatchItemFailures`).
    /// Without it, an answer deletes the whole batch.
    pub reports_failures: bool,
    /// Whether it begins with few pollers and adds more; if not, it has as many as it may invoke.
    pub scales_up: bool,
}

impl MappingSettings {
    /// The mapping of this queue as the template sets it up, but with all its pollers at once.
    #[must_use]
    pub fn new(id: &str, queue: &str) -> Self {
        Self {
            id: id.into(),
            queue: queue.into(),
            batch: BATCH_SIZE,
            window: Duration::ZERO,
            reports_failures: true,
            scales_up: false,
        }
    }
}

/// A batch and what became of it.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Delivery {
    pub messages: Vec<SimulatedMessage>,
    pub invocation: Invocation,
    /// Ids of the messages that were not deleted, in the order of the batch.
    pub failed: Vec<String>,
}

/// Tells mappings to receive no more.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// Tells all of them.
    pub fn stop(&self) {
        self.0.0.store(true, Relaxed);
        self.0.1.notify_waiters();
    }

    /// Whether they were told.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.0.load(Relaxed)
    }

    /// Returns when they are told.
    pub async fn told(&self) {
        let told = self.0.1.notified();
        if !self.is_set() {
            told.await;
        }
    }
}

/// An event source mapping.
#[derive(Debug)]
pub struct EventSourceMapping<C> {
    settings: MappingSettings,
    sqs: SimulatedSqs<C>,
    mappings: MemoryMappings,
    function: Arc<Containers<C>>,
}

impl<C: Clock> EventSourceMapping<C> {
    /// A mapping between a queue and a function.
    pub const fn new(
        settings: MappingSettings,
        sqs: SimulatedSqs<C>,
        mappings: MemoryMappings,
        function: Arc<Containers<C>>,
    ) -> Self {
        Self { settings, sqs, mappings, function }
    }

    /// The ARN of its queue.
    pub fn queue(&self) -> &str {
        &self.settings.queue
    }

    /// Polls until it is told to stop, and until its last invocation has ended.
    ///
    /// # Panics
    /// If its queue does not exist.
    pub async fn run(&self, stop: &Stop) {
        let began = Instant::now();
        let mut invocations = FuturesUnordered::new();
        loop {
            let is_free = invocations.len() < self.allowed(began);
            if stop.is_set() && invocations.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                Some(_) = invocations.next() => {}
                () = stop.told(), if !stop.is_set() => {}
                () = self.sqs.visible(self.queue()), if is_free && !stop.is_set() => {
                    let first = self.receive(self.settings.batch);
                    if !first.is_empty() {
                        invocations.push(self.complete_and_invoke(first));
                    }
                }
                () = tokio::time::sleep(CONCURRENCY_CHECK), if !is_free => {}
            }
        }
    }

    /// Delivers one batch of messages that are visible now; `None` if there are none.
    ///
    /// # Panics
    /// If its queue does not exist.
    pub async fn deliver(&self) -> Option<Delivery> {
        let first = self.receive(self.settings.batch);
        if first.is_empty() { None } else { Some(self.complete_and_invoke(first).await) }
    }

    /// How many invocations may be in progress.
    fn allowed(&self, began: Instant) -> usize {
        let most = self.mappings.all().get(&self.settings.id).copied();
        let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        if !self.settings.scales_up {
            return most;
        }
        let seconds = usize::try_from(began.elapsed().as_secs()).unwrap_or(usize::MAX);
        most.min(FIRST_POLLERS.saturating_add(seconds.saturating_mul(POLLERS_A_MINUTE / 60)))
    }

    fn receive(&self, most: usize) -> Vec<SimulatedMessage> {
        let received = self.sqs.poll(self.queue(), most);
        received.unwrap_or_else(|error| panic!("{}: {error}", self.settings.id))
    }

    /// Holds a batch until it is complete or its window is over, and invokes the function with it.
    async fn complete_and_invoke(&self, mut batch: Vec<SimulatedMessage>) -> Delivery {
        let end = Instant::now() + self.settings.window;
        while batch.len() < self.settings.batch && Instant::now() < end {
            tokio::select! {
                biased;
                () = self.sqs.visible(self.queue()) => {
                    batch.extend(self.receive(self.settings.batch - batch.len()));
                }
                () = tokio::time::sleep_until(end) => {}
            }
        }
        self.invoke(batch).await
    }

    async fn invoke(&self, batch: Vec<SimulatedMessage>) -> Delivery {
        let invocation = self.function.invoke(event(&batch, self.queue())).await;
        let ids = || batch.iter().map(|message| message.id.clone());
        let failed: Vec<String> = match &invocation {
            Invocation::Answered(_) if !self.settings.reports_failures => Vec::new(),
            Invocation::Answered(answer) => {
                let known: Vec<String> = ids().collect();
                failed_items(answer, &known).unwrap_or(known)
            }
            // The messages stay hidden until the queue's time-out, and this receive counts.
            _ => ids().collect(),
        };
        let done = batch.iter().filter(|message| !failed.contains(&message.id));
        let receipts: Vec<String> = done.map(SimulatedMessage::receipt).collect();
        self.sqs.remove(self.queue(), &receipts);
        Delivery { messages: batch, invocation, failed }
    }
}

/// The messages that an answer names as failed; `None` if the whole batch fails. An empty answer and
/// an empty list name none. An answer of another form, an empty or null identifier, another key, and
/// an identifier that is not of the batch fail the batch.
fn failed_items(answer: &Value, batch: &[String]) -> Option<Vec<String>> {
    let items = match answer {
        Value::Null => return Some(Vec::new()),
        Value::Object(answer) => answer.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return None,
    };
    let items = match items {
        Value::Null => return Some(Vec::new()),
        Value::Array(items) => items,
        _ => return None,
    };
    let named = items.iter().map(|item| Some(item.get("itemIdentifier")?.as_str()?.to_owned()));
    let named: Vec<String> = named.collect::<Option<_>>()?;
    named.iter().all(|id| batch.contains(id)).then_some(named)
}

/// The event of a batch, as Lambda delivers it.
fn event(batch: &[SimulatedMessage], queue: &str) -> Value {
    let region = queue.split(':').nth(3).unwrap_or_default();
    let record = |message: &SimulatedMessage| {
        json!({
            "messageId": message.id,
            "receiptHandle": message.receipt(),
            "body": message.sent.body,
            "attributes": system_attributes(message),
            "messageAttributes": message_attributes(message),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue,
            "awsRegion": region,
        })
    };
    json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() })
}

fn system_attributes(message: &SimulatedMessage) -> Map<String, Value> {
    let group = message.sent.group.clone();
    let all = [
        ("ApproximateReceiveCount", Some(message.receives.to_string())),
        ("SentTimestamp", Some(message.sent_at.as_millis().to_string())),
        ("MessageGroupId", group),
        ("DeadLetterQueueSourceArn", message.source.clone()),
    ];
    let set = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    set.collect()
}

fn message_attributes(message: &SimulatedMessage) -> Map<String, Value> {
    let woken = message.sent.wakes.as_ref();
    let sent_at = message.sent.sent_at.map(|at| at.as_millis().to_string());
    let all = [
        (FENCE, "Number", woken.map(|woken| woken.fence.to_string())),
        (JOB, "String", woken.map(|woken| woken.key.clone())),
        (PURPOSE, "String", message.sent.purpose.name().map(str::to_owned)),
        (SENT_AT, "Number", sent_at),
    ];
    let set = all.into_iter().filter_map(|(name, kind, value)| {
        Some((name.to_owned(), json!({ "dataType": kind, "stringValue": value? })))
    });
    set.collect()
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
