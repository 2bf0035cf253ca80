//! Whole batches: from an event of SQS to the answer, with tables in memory.

use std::{future::ready, time::Duration};

use evenkeel::{
    base::time::{Clock as _, Time},
    failure::Failure,
    job::{Gate, Job, Progress, Run},
    lambda,
    message::{Message, ReceivedMessage, decode},
    payload::{Payload, Problems},
    policy::Policy,
    testing::{
        ARN, BEGINNING, MemoryStore, POLICY, SeededRandom, SimulatedSqs, TestClock, TestPorts,
        gates::MeasuredGates,
    },
    worker::Worker,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url_shortening::Shortening;

use crate::case::Case;

/// Jobs of a batch.
pub(crate) const BATCH: usize = 10;

/// Time-out of the function.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Times that the shorter run handles a batch.
const BATCHES: u32 = 100;

/// What a container counts is written once a second, so time passes.
const BETWEEN_BATCHES: Duration = Duration::from_millis(100);

/// A job that makes one call, which works at once.
struct Errands;

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Errand {
    name: String,
}

impl Payload for Errand {
    fn check(&mut self, _: &mut Problems) {}
}

impl Job for Errands {
    const TYPE: &'static str = "errand";
    const POLICY: Policy = POLICY;
    type Payload = Errand;
    type Output = String;

    async fn run<G: Gate>(
        &self,
        errand: &Errand,
        run: &Run<'_, G>,
    ) -> Result<Progress<String>, Failure> {
        let name = errand.name.clone();
        let done = run.call(|_| ready(Ok::<_, Failure>(name))).await?;
        Ok(Progress::Done(done))
    }
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::pure("decode a batch of ten", "batch", 500, || {
            let event = event(BATCH, shortening).to_string();
            move || decoded(&event)
        }),
        Case::of_future("handle a batch of ten", "batch", BATCHES, handle_batches),
        Case::of_future("gates of a run with one call", "run", 5_000, pass_gates),
    ]
}

/// The messages of an event, decoded.
pub(crate) fn decoded(event: &str) -> Vec<Message<Shortening>> {
    let messages = lambda::messages(event).expect("an event of SQS");
    let bodies = messages.iter().map(ReceivedMessage::body);
    let decoded = bodies.map(|body| decode(url_shortening::TYPE, body).expect("a valid message"));
    decoded.collect()
}

async fn handle_batches(times: u32) {
    let clock = TestClock::default();
    let queue = SimulatedSqs::new(clock);
    let (store, random) = (MemoryStore::default(), SeededRandom::new(1));
    let worker = Worker::<_, TestPorts>::new(Errands, store, queue, clock, random);
    // Both runs prepare the events of the longer one.
    let all = 2 * BATCHES as usize;
    let events: Vec<Value> =
        (0..all).map(|batch| event(BATCH, |n| errand(batch * BATCH + n))).collect();
    for event in events.into_iter().take(times as usize) {
        let deadline: Time = clock.now() + TIMEOUT;
        let answer = lambda::invoke(&worker, event, deadline).await.expect("the tables work");
        tokio::time::advance(BETWEEN_BATCHES).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }), "every job succeeds");
    }
}

async fn pass_gates(times: u32) {
    let gates = MeasuredGates::new(TestClock::default());
    for _ in 0..times {
        gates.pass().await.expect("the breaker is closed");
    }
}

/// An event of SQS with so many messages, as Lambda delivers it.
pub(crate) fn event(count: usize, body: impl Fn(usize) -> String) -> Value {
    let sent = BEGINNING.as_millis().to_string();
    let record = |n: usize| {
        json!({
            "messageId": format!("059f36b4-87a3-44ab-83d2-{n:012}"),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a".repeat(5),
            "body": body(n),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": sent,
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": sent,
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": ARN,
            "awsRegion": "eu-west-1",
        })
    };
    json!({ "Records": (0..count).map(record).collect::<Vec<_>>() })
}

fn errand(n: usize) -> String {
    let name = format!("job-{n}");
    json!({"version": 1, "type": "errand", "id": name, "payload": {"name": name}}).to_string()
}

pub(crate) fn shortening(n: usize) -> String {
    let payload = json!({
        "destination": format!("https://www.acme.example/new/Honda/2026-Accord-{n}.htm?utm_source=mail"),
        "dealer_slug": "acme-motors",
        "vin": format!("1HGCM82633A{n:06}"),
        "title": "2026 Honda Accord EX",
    });
    json!({"version": 1, "type": url_shortening::TYPE, "payload": payload}).to_string()
}
