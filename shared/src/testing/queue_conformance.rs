//! The conformance suite of [`Queue`](crate::ports::Queue) and [`QueueMaintenance`]: what AWS's
//! documentation says of SQS, as far as the engine relies on it.
//!
//! Stand-ins of AWS differ from it here and there. So a case does not panic: the suite returns the
//! cases that fail, and a caller compares them with those that it knows of.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::time::Instant;

use crate::{
    base::time::Time,
    message::{OutgoingMessage, Purpose, ReceivedMessage, Woken},
    ports::{
        ExtendVisibility, PortError,
        maintenance::{Depth, QueueMaintenance},
    },
    record::trace::Trace,
};

/// The queues of one case, by ARN. Nobody else uses them.
#[derive(Clone, Debug)]
pub struct CaseQueues {
    /// A queue that sends its messages to `dead` after [`MAX_RECEIVES`] receives.
    pub source: String,
    /// Its dead-letter queue.
    pub dead: String,
}

/// Receives after which the next one moves a message of [`CaseQueues::source`].
pub const MAX_RECEIVES: u32 = 2;

/// A case that failed, and how.
pub type Deviation = (&'static str, String);

/// How long a case waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Visibility time-outs and delays of the cases.
const BRIEF: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_mins(5);

/// How often a case looks whether something has happened.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// How much sooner than documented something may happen, since clocks and rounding differ.
const SLACK: Duration = Duration::from_millis(300);

type CaseResult = Result<(), String>;

/// Runs every case, all at the same time, each on queues that `create` makes for the name of the
/// case. Returns the deviations in order of the cases' names.
pub async fn queue<Q: QueueMaintenance>(
    port: &Q,
    create: impl AsyncFn(&'static str) -> CaseQueues,
) -> Vec<Deviation> {
    let mut cases = Vec::new();
    for (name, run) in all::<Q>() {
        cases.push((name, run, Case { port, queues: create(name).await }));
    }
    let runs = cases.iter().map(async |(name, run, case)| (*name, run(case).await));
    let results = join_all(runs).await;
    results.into_iter().filter_map(|(name, result)| Some((name, result.err()?))).collect()
}

struct Case<'a, Q> {
    port: &'a Q,
    queues: CaseQueues,
}

/// A case's name, and what it does.
type Named<'a, Q> = (&'static str, for<'b> fn(&'b Case<'a, Q>) -> BoxFuture<'b, CaseResult>);

/// Every case, sorted by name.
fn all<'a, Q: QueueMaintenance>() -> [Named<'a, Q>; 14] {
    [
        ("attributes-arrive-as-sent", |case| Box::pin(case.attributes_arrive_as_sent())),
        ("batches-have-at-most-one-mebibyte", |case| Box::pin(case.batches_have_one_mebibyte())),
        ("batches-have-one-to-ten-entries", |case| Box::pin(case.batches_have_ten_entries())),
        ("delayed-messages-come-later", |case| Box::pin(case.delayed_messages_come_later())),
        ("entries-are-refused-one-by-one", |case| Box::pin(case.entries_are_refused())),
        ("hidden-at-most-twelve-hours", |case| Box::pin(case.hidden_at_most_twelve_hours())),
        ("hidden-at-most-twelve-hours-from-the-receive", |case| {
            Box::pin(case.hidden_at_most_twelve_hours_from_the_receive())
        }),
        ("hidden-messages-come-again", |case| Box::pin(case.hidden_messages_come_again())),
        ("latest-handle-deletes", |case| Box::pin(case.latest_handle_deletes())),
        ("missing-queue-is-broken", |case| Box::pin(case.missing_queue_is_broken())),
        ("moved-on-the-receive-after-the-last", |case| {
            Box::pin(case.moved_on_the_receive_after_the_last())
        }),
        ("only-messages-in-flight-are-hidden", |case| {
            Box::pin(case.only_messages_in_flight_are_hidden())
        }),
        ("stale-handle-deletes-nothing-silently", |case| {
            Box::pin(case.stale_handle_deletes_nothing())
        }),
        ("traces-arrive-as-sent", |case| Box::pin(case.traces_arrive_as_sent())),
    ]
}

impl<Q: QueueMaintenance> Case<'_, Q> {
    fn source(&self) -> &str {
        &self.queues.source
    }

    async fn send(&self, message: OutgoingMessage) -> CaseResult {
        let sent = self.port.send(self.source(), &[message]).await.map_err(text)?;
        same("it is accepted", &sent, &vec![true])
    }

    async fn send_plain(&self) -> CaseResult {
        self.send(plain()).await
    }

    /// Receives until a message comes.
    async fn receive(&self, queue: &str, hidden: Duration) -> Result<ReceivedMessage, String> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let mut received = self.port.receive(queue, hidden).await.map_err(text)?;
            if let Some(message) = received.pop() {
                return Ok(message);
            }
        }
        Err(format!("no message within {PATIENCE:?}"))
    }

    async fn depth(&self, queue: &str) -> Result<Depth, String> {
        self.port.depth(queue).await.map_err(text)
    }

    /// Waits until the queue has this depth.
    async fn until(&self, queue: &str, holds: impl Fn(&Depth) -> bool) -> CaseResult {
        let end = Instant::now() + PATIENCE;
        loop {
            let depth = self.depth(queue).await?;
            if holds(&depth) {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(format!("after {PATIENCE:?}: {depth:?}"));
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    async fn nothing_comes(&self, queue: &str) -> CaseResult {
        let received = self.port.receive(queue, BRIEF).await.map_err(text)?;
        same("nothing is received", &received, &Vec::new())
    }

    async fn hide(&self, message: &ReceivedMessage, span: Duration) -> Result<(), PortError> {
        let receipt = message.receipt.clone().unwrap_or_default();
        self.port.extend_visibility(self.source(), &[ExtendVisibility { receipt, span }]).await
    }

    async fn delete(&self, message: &ReceivedMessage) -> CaseResult {
        let receipt = message.receipt.clone().unwrap_or_default();
        self.port.delete(self.source(), &[receipt]).await.map_err(text)
    }

    /// `SendMessage`, `ReceiveMessage`: attributes of a message, and its group.
    async fn attributes_arrive_as_sent(&self) -> CaseResult {
        let sent = OutgoingMessage {
            wakes: Some(Woken { key: "errand#g:a b/ü".into(), fence: 7 }),
            group: Some("acme".into()),
            purpose: Purpose::Redrive,
            sent_at: Some(Time::from_millis(1_800_000_000_123)),
            ..plain()
        };
        self.send(sent.clone()).await?;
        let got = self.receive(self.source(), LONG).await?;
        same("body", &got.body.as_ref(), &Some(&sent.body))?;
        same("wakes", &got.wakes, &sent.wakes)?;
        same("group", &got.group, &sent.group)?;
        same("purpose", &got.purpose, &sent.purpose)?;
        same("first sent", &Some(got.sent_at), &sent.sent_at)?;
        same("receives", &got.receives, &1)?;
        same("queue", &got.queue.as_str(), &self.source())
    }

    /// `SendMessageBatch`: errors `EmptyBatchRequest` and `TooManyEntriesInBatchRequest`.
    async fn batches_have_ten_entries(&self) -> CaseResult {
        for entries in [0, 11] {
            let batch = vec![plain(); entries];
            let sent = self.port.send(self.source(), &batch).await;
            fails(&format!("{entries} entries"), &sent)?;
        }
        let sent = self.port.send(self.source(), &vec![plain(); 10]).await.map_err(text)?;
        same("ten entries", &sent, &vec![true; 10])
    }

    /// `SendMessageBatch`: "the total size of all messages that you send in a single call can't exceed
    /// 1,048,576 bytes".
    async fn batches_have_one_mebibyte(&self) -> CaseResult {
        let long = OutgoingMessage { body: "x".repeat(600 * 1024), ..plain() };
        let sent = self.port.send(self.source(), &[long.clone(), long.clone()]).await;
        fails("two messages of 600 KB", &sent)?;
        self.send(long).await
    }

    /// "Amazon SQS message timers".
    async fn delayed_messages_come_later(&self) -> CaseResult {
        let began = Instant::now();
        self.send(OutgoingMessage { delay: SPAN, ..plain() }).await?;
        let depth = self.depth(self.source()).await?;
        same("depth", &depth, &Depth { delayed: 1, ..Depth::default() })?;
        self.nothing_comes(self.source()).await?;
        let got = self.receive(self.source(), LONG).await?;
        not_before(SPAN, began)?;
        same("receives", &got.receives, &1)
    }

    /// `SendMessageBatch`: "the result of sending each message is reported individually".
    async fn entries_are_refused(&self) -> CaseResult {
        let late = OutgoingMessage { delay: Duration::from_mins(16), ..plain() };
        let sent = self.port.send(self.source(), &[plain(), late, plain()]).await.map_err(text)?;
        same("accepted", &sent, &vec![true, false, true])
    }

    /// `ChangeMessageVisibility`: at most 43,200 seconds.
    async fn hidden_at_most_twelve_hours(&self) -> CaseResult {
        self.send_plain().await?;
        let got = self.receive(self.source(), LONG).await?;
        let hidden = self.hide(&got, Duration::from_hours(12) + BRIEF).await;
        fails("12 hours and a second", &hidden)?;
        self.hide(&got, Duration::from_hours(11)).await.map_err(text)
    }

    /// "Amazon SQS visibility timeout": the 12 hours begin with the receive, and extending the time
    /// does not reset them. A second after the receive, 12 more hours are too many.
    async fn hidden_at_most_twelve_hours_from_the_receive(&self) -> CaseResult {
        self.send_plain().await?;
        let got = self.receive(self.source(), LONG).await?;
        let end = Instant::now() + SPAN;
        while self.hide(&got, Duration::from_hours(12)).await.is_ok() {
            if Instant::now() >= end {
                return Err(format!("12 hours, {SPAN:?} after the receive, succeed"));
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(())
    }

    /// "Amazon SQS visibility timeout", and the attribute `ApproximateReceiveCount`.
    async fn hidden_messages_come_again(&self) -> CaseResult {
        self.send_plain().await?;
        let began = Instant::now();
        let first = self.receive(self.source(), SPAN).await?;
        self.nothing_comes(self.source()).await?;
        let depth = self.depth(self.source()).await?;
        same("depth", &depth, &Depth { in_flight: 1, ..Depth::default() })?;
        let second = self.receive(self.source(), LONG).await?;
        not_before(SPAN, began)?;
        same("receives", &[first.receives, second.receives], &[1, 2])?;
        same("first sent", &first.sent_at, &second.sent_at)?;
        self.hide(&second, BRIEF).await.map_err(text)?;
        self.until(self.source(), |depth| depth.visible == 1).await
    }

    /// `DeleteMessage`.
    async fn latest_handle_deletes(&self) -> CaseResult {
        self.send_plain().await?;
        let got = self.receive(self.source(), BRIEF).await?;
        self.delete(&got).await?;
        self.nothing_comes(self.source()).await?;
        same("depth", &self.depth(self.source()).await?, &Depth::default())?;
        self.delete(&got).await.map_err(|error| format!("a second time: {error}"))
    }

    /// The error `QueueDoesNotExist`, which no retry mends.
    async fn missing_queue_is_broken(&self) -> CaseResult {
        let none = format!("{}-none", self.source());
        match self.port.depth(&none).await {
            Err(PortError::Broken(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// "Using dead-letter queues in Amazon SQS": a message is moved when it would be received once
    /// more than allowed; the time of its first send stays.
    async fn moved_on_the_receive_after_the_last(&self) -> CaseResult {
        self.send_plain().await?;
        let first = self.receive(self.source(), BRIEF).await?;
        self.receive(self.source(), BRIEF).await?;
        self.until(self.source(), |depth| depth.visible == 1).await?;
        let dead = self.depth(&self.queues.dead).await?;
        same("before that receive, dead letters", &dead, &Depth::default())?;
        self.nothing_comes(self.source()).await?;
        let got = self.receive(&self.queues.dead, LONG).await?;
        same("first sent", &got.sent_at, &first.sent_at)?;
        same("source", &got.source.as_deref(), &Some(self.source()))?;
        same("body", &got.body, &first.body)
    }

    /// `ChangeMessageVisibility`: the error `MessageNotInflight`.
    async fn only_messages_in_flight_are_hidden(&self) -> CaseResult {
        self.send_plain().await?;
        let got = self.receive(self.source(), BRIEF).await?;
        self.until(self.source(), |depth| depth.visible == 1).await?;
        fails("hiding a visible message", &self.hide(&got, LONG).await)
    }

    /// `DeleteMessage`: with an old receipt handle "the request succeeds, but the message might not be
    /// deleted".
    async fn stale_handle_deletes_nothing(&self) -> CaseResult {
        self.send_plain().await?;
        let stale = self.receive(self.source(), BRIEF).await?;
        let latest = self.receive(self.source(), LONG).await?;
        self.delete(&stale).await?;
        let depth = self.depth(self.source()).await?;
        same("depth", &depth, &Depth { in_flight: 1, ..Depth::default() })?;
        self.delete(&latest).await
    }

    /// `SendMessageBatch`: the system attribute `AWSTraceHeader`, of each message on its own.
    async fn traces_arrive_as_sent(&self) -> CaseResult {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let trace = Trace::of_header(header);
        self.send(OutgoingMessage { trace: trace.clone(), ..plain() }).await?;
        let got = self.receive(self.source(), LONG).await?;
        same("trace", &got.trace, &trace)?;
        self.send_plain().await?;
        let other = self.receive(self.source(), LONG).await?;
        same("no trace", &other.trace, &None)
    }
}

fn plain() -> OutgoingMessage {
    OutgoingMessage::new("{\"a\":\"ü\"}".into(), None, None)
}

#[expect(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn text(error: PortError) -> String {
    error.to_string()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> CaseResult {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?}, expected {expected:?}"))
    }
}

fn fails<T: std::fmt::Debug>(what: &str, result: &Result<T, PortError>) -> CaseResult {
    match result {
        Err(_) => Ok(()),
        Ok(value) => Err(format!("{what} succeeds: {value:?}")),
    }
}

fn not_before(span: Duration, began: Instant) -> CaseResult {
    let took = began.elapsed();
    if took + SLACK >= span { Ok(()) } else { Err(format!("after {took:?}, expected {span:?}")) }
}
