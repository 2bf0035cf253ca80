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
    record::trace::AWS_TRACE_HEADER,
};

/// Pollers at the start, how many are added each minute while messages are left over, and the most of
/// them.
const FIRST_POLLERS: usize = 5;
const POLLERS_A_MINUTE: usize = 300;
const MOST_POLLERS: usize = 1_250;

/// First pause before a throttled batch is tried again; it doubles up to the longest. AWS names
/// neither.
const THROTTLE_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_THROTTLE_PAUSE: Duration = Duration::from_secs(16);

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

/// The pollers of a mapping that scales up.
#[derive(Debug)]
struct Pollers {
    count: usize,
    /// Since when all of them have been busy while messages were left over.
    busy_since: Option<Instant>,
}

impl Pollers {
    const fn new() -> Self {
        Self { count: FIRST_POLLERS, busy_since: None }
    }

    /// Adds pollers for the time since the last look, if messages were left over all the while, and
    /// returns to the first ones when nothing is left to do.
    fn look(&mut self, busy: usize, is_backlogged: bool) {
        let now = Instant::now();
        if busy == 0 && !is_backlogged {
            *self = Self::new();
        } else if busy < self.count || !is_backlogged {
            self.busy_since = None;
        } else if let Some(since) = self.busy_since {
            let a_second = POLLERS_A_MINUTE / 60;
            let seconds = usize::try_from((now - since).as_secs()).unwrap_or(MOST_POLLERS);
            if seconds > 0 {
                self.count = (self.count + seconds * a_second).min(MOST_POLLERS);
                self.busy_since = Some(now);
            }
        } else {
            self.busy_since = Some(now);
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
        let mut pollers = Pollers::new();
        let mut invocations = FuturesUnordered::new();
        loop {
            let is_backlogged = self.sqs.next_in(self.queue()).is_some_and(|wait| wait.is_zero());
            pollers.look(invocations.len(), is_backlogged);
            let is_free = invocations.len() < self.allowed(&pollers);
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

    /// Delivers one batch of messages that are visible now; `None` if there are none, or if the mapping is paused.
    ///
    /// # Panics
    /// If its queue does not exist.
    pub async fn deliver(&self) -> Option<Delivery> {
        if self.mappings.is_paused(&self.settings.id) {
            return None;
        }
        let first = self.receive(self.settings.batch);
        if first.is_empty() { None } else { Some(self.complete_and_invoke(first).await) }
    }

    /// How many invocations may be in progress.
    fn allowed(&self, pollers: &Pollers) -> usize {
        if self.mappings.is_paused(&self.settings.id) {
            return 0;
        }
        let most = self.mappings.slots(&self.settings.id);
        let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        if self.settings.scales_up { most.min(pollers.count) } else { most }
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
        let invocation = self.invoke_until_hidden_no_more(&batch).await;
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

impl<C: Clock> EventSourceMapping<C> {
    /// Invokes the function. A throttled batch is tried again until its messages are visible again.
    async fn invoke_until_hidden_no_more(&self, batch: &[SimulatedMessage]) -> Invocation {
        let end = Instant::now() + self.sqs.visibility(self.queue());
        let mut pause = THROTTLE_PAUSE;
        loop {
            let invocation = self.function.invoke(event(batch, self.queue())).await;
            if invocation != Invocation::Throttled || Instant::now() + pause >= end {
                return invocation;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_THROTTLE_PAUSE);
        }
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
    let (group, trace) = (message.sent.group.clone(), message.sent.trace.as_ref());
    let all = [
        ("ApproximateReceiveCount", Some(message.receives.to_string())),
        ("SentTimestamp", Some(message.sent_at.as_millis().to_string())),
        (
            "ApproximateFirstReceiveTimestamp",
            message.first_received_at.map(|at| at.as_millis().to_string()),
        ),
        ("MessageGroupId", group),
        (AWS_TRACE_HEADER, trace.map(ToString::to_string)),
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
