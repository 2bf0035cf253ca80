//! The edge to AWS Lambda: the only file that uses `lambda_runtime`.

use crate::{
    aws::{DynamoStore, SqsQueue},
    base::{
        config::{ConfigError, Environment, Reader, Tables},
        random::SystemRandom,
        time::{SystemClock, Time},
    },
    http::transport,
    job::Job,
    message::{
        ReceivedMessage,
        sqs_record::{self, BadRecord},
    },
    policy::BATCH_SIZE,
    ports::Ports,
    telemetry,
    worker::{BatchError, Worker, answer_request, handle},
};
use std::{future::Future, time::Duration};

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// The allocator of a function's process. A batch makes some 4,000 short-lived allocations, and with that of the C
/// library they were two fifths of its CPU time outside the kernel (docs/performance.md).
pub use mimalloc::MiMalloc as Allocator;

/// Why a function did not start, or stopped.
pub type Error = lambda_runtime::Error;

/// The ports of a deployed function.
#[derive(Clone, Copy, Debug)]
struct Deployed;

impl Ports for Deployed {
    type Store = DynamoStore;
    type Queue = SqsQueue;
    type Clock = SystemClock;
    type Random = SystemRandom;
}

/// What a job type is built from: the environment, one HTTP client, one AWS configuration.
pub struct Start {
    /// The environment variables of the process.
    pub environment: Environment,
    /// The one HTTP client of the process.
    pub http: reqwest::Client,
    /// The AWS configuration, for the ports in [`crate::aws`].
    pub aws: crate::aws::Config,
}

/// Serves a job type until Lambda ends the process.
///
/// `build` creates the job from the configuration. If variables are missing or invalid, the process
/// ends during start-up with an error that names all of them.
pub async fn serve<J, B, F>(build: B) -> Result<(), Error>
where
    J: Job,
    B: FnOnce(Start) -> F,
    F: Future<Output = Result<J, ConfigError>>,
{
    telemetry::start();
    let environment = Environment::of_process();
    let http = transport::client()?;
    let aws = crate::aws::load(http.clone()).await;
    let mut reader = Reader::new(&environment);
    let tables = Tables::read(&mut reader);
    let longest_wait = J::POLICY.breaker.longest_wait.as_secs().try_into().unwrap_or(u32::MAX);
    let longest_wait = reader.count("BREAKER_LONGEST_WAIT_SECONDS", longest_wait);
    let tables = reader.finish(tables);
    let job = build(Start { environment: environment.clone(), http, aws: aws.clone() }).await;
    let (tables, job) = match (tables, job) {
        (Ok(tables), Ok(job)) => (tables, job),
        (tables, job) => {
            let error = ConfigError::all([tables.err(), job.err()]);
            telemetry::not_started(&error);
            return Err(error.into());
        }
    };
    let store = DynamoStore::new(&aws, tables);
    store.warm().await;
    let queue = SqsQueue::new(&aws);
    let worker = Worker::<J, Deployed>::new(job, store, queue, SystemClock, SystemRandom)
        .with_longest_wait(Duration::from_secs(longest_wait.into()));
    let worker = &worker;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| async move {
        let deadline = Time::from_millis(event.context.deadline);
        // On the heap: it holds every step of a batch.
        Box::pin(answer(worker, event.payload, deadline)).await
    }))
    .await
}

/// What the function of a job type is called with: an event of SQS, or a request of an operator.
#[derive(Deserialize)]
struct Event {
    /// Unparsed, so that one that cannot be decoded does not fail the event.
    #[serde(rename = "Records")]
    records: Option<Vec<Box<RawValue>>>,
    request: Option<Value>,
}

/// What it returns.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Batch(BatchResponse),
    Request(Value),
}

/// Lambda's partial batch response: the messages that SQS must deliver again.
#[derive(Default, Serialize)]
struct BatchResponse {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<ItemFailure>,
}

#[derive(Serialize)]
struct ItemFailure {
    #[serde(rename = "itemIdentifier")]
    id: String,
}

impl BatchResponse {
    fn add(&mut self, id: String) {
        self.failures.push(ItemFailure { id });
    }
}

/// Serves JSON requests with JSON responses until Lambda ends the process: the calls of a schedule
/// and of operators.
///
/// `build` creates the served value from the configuration. `answer` responds to one request before
/// the given deadline; an `Err` fails the request with that message.
pub async fn serve_calls<T, B, F>(
    build: B,
    answer: impl AsyncFn(&T, Value, Time) -> Result<Value, String>,
) -> Result<(), Error>
where
    B: FnOnce(Start) -> F,
    F: Future<Output = Result<T, ConfigError>>,
{
    telemetry::start();
    let environment = Environment::of_process();
    let http = transport::client()?;
    let aws = crate::aws::load(http.clone()).await;
    let served = build(Start { environment, http, aws }).await.map_err(|error| {
        telemetry::not_started(&error);
        Error::from(error)
    })?;
    let (served, answer) = (&served, &answer);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let deadline = Time::from_millis(event.context.deadline);
        answer(served, event.payload, deadline).await.map_err(CallFailed)
    }))
    .await
}

impl From<BatchError> for Diagnostic {
    fn from(error: BatchError) -> Self {
        Self { error_type: "BatchFailed".into(), error_message: error.0 }
    }
}

/// Why a call has no answer.
#[derive(Debug)]
struct CallFailed(String);

impl From<CallFailed> for Diagnostic {
    fn from(error: CallFailed) -> Self {
        Self { error_type: "CallFailed".into(), error_message: error.0 }
    }
}

/// Decodes an event, handles it, and returns the response: what [`serve`] does with each event, for
/// tests that bring the event themselves.
///
/// `event` and the response are JSON as Lambda exchanges it. Fails like [`handle`], and if `event` is
/// neither an event of SQS nor a request.
#[cfg(any(test, feature = "testing"))]
pub async fn invoke<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    event: Value,
    deadline: Time,
) -> Result<Value, BatchError> {
    let failed = |error: serde_json::Error| BatchError(error.to_string());
    let event = serde_json::from_value(event).map_err(failed)?;
    let response = answer(worker, event, deadline).await?;
    serde_json::to_value(response).map_err(failed)
}

/// The messages of an event of SQS, given as JSON, for benchmarks. Fails if the JSON is no such event;
/// a record that cannot be decoded is left out.
#[cfg(feature = "testing")]
pub fn messages(event: &str) -> Result<Vec<ReceivedMessage>, serde_json::Error> {
    let event: Event = serde_json::from_str(event)?;
    Ok(decode(&event.records.unwrap_or_default()).0)
}

async fn answer<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    event: Event,
    deadline: Time,
) -> Result<Answer, BatchError> {
    let records = match event {
        Event { records: Some(records), .. } => records,
        Event { request: Some(request), .. } => {
            return Ok(Answer::Request(answer_request(worker, &request, deadline).await));
        }
        Event { .. } => {
            let what = "neither Records nor request, expected an event of SQS or a request";
            return Err(BatchError(what.to_owned()));
        }
    };
    let (messages, bad) = decode(&records);
    drop(records);
    for record in &bad {
        telemetry::undecodable(J::TYPE, record.message_id.as_deref(), &record.problem);
    }
    let mut answer = BatchResponse::default();
    let mut messages = messages.into_iter();
    // A mapping with larger batches only costs time; no message is lost.
    while !messages.as_slice().is_empty() {
        let batch = messages.by_ref().take(BATCH_SIZE).collect();
        for id in handle(worker, batch, deadline).await? {
            answer.add(id);
        }
    }
    // Last: SQS would delete a record that the answer does not name, so one without an id fails the whole event. By
    // now its neighbours' jobs are settled, and what comes again of them only reads that.
    for record in bad {
        let why = "a record without messageId that cannot be decoded must come again";
        answer.add(record.message_id.ok_or_else(|| BatchError(why.to_owned()))?);
    }
    Ok(Answer::Batch(answer))
}

/// The messages of an event, and the records that are none.
fn decode(records: &[Box<RawValue>]) -> (Vec<ReceivedMessage>, Vec<BadRecord>) {
    let (mut messages, mut bad) = (Vec::with_capacity(records.len()), Vec::new());
    for record in records {
        match sqs_record::decode(record) {
            Ok(message) => messages.push(message),
            Err(record) => bad.push(record),
        }
    }
    (messages, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_type_of_ours_and_not_rusts() {
        let failed = Diagnostic::from(CallFailed("no such command".into()));
        assert_eq!(
            (&*failed.error_type, &*failed.error_message),
            ("CallFailed", "no such command")
        );
        let failed = Diagnostic::from(BatchError("the store is broken".into()));
        assert_eq!(failed.error_type, "BatchFailed");
    }

    #[test]
    fn an_event_without_records_is_no_empty_batch() {
        let read = |event: &str| serde_json::from_str::<Event>(event).unwrap();
        let batch = read(r#"{"Records": [{"messageId": "1", "body": "{}"}]}"#);
        assert_eq!(batch.records.unwrap().len(), 1);
        let request = read(r#"{"request": {"import_links": {}}}"#);
        assert!(request.records.is_none() && request.request.is_some());
        let neither = read("{}");
        assert!(neither.records.is_none() && neither.request.is_none());
    }

    #[test]
    fn the_response_lists_failures_as_lambda_expects() {
        let mut batch = BatchResponse::default();
        batch.add("id-1".to_owned());
        let json = serde_json::to_string(&Answer::Batch(batch)).unwrap();
        assert_eq!(json, r#"{"batchItemFailures":[{"itemIdentifier":"id-1"}]}"#);
    }
}
