//! Evenkeel: the engine of a job queue on AWS Lambda, SQS and DynamoDB. It keeps running steadily
//! while the third parties that its jobs call fail, slow down or limit their callers.
//!
//! A job is one message on an SQS queue and one record in a DynamoDB table. A function receives a
//! batch of messages, claims the job of each, runs the jobs that it claimed, and settles their
//! records.
//!
//! # A job type from end to end
//!
//! A job type says what its messages carry, which numbers it runs by, and what a run does. The engine
//! does the rest: it decides when a run is retried, parked or given up, and keeps two runs of one job
//! apart. Here a webhook is delivered to a receiver that is down at the first attempt. The example runs on
//! simulated services; `cargo xtask new NAME` makes the folder of a job type that runs on AWS.
//!
#![cfg_attr(feature = "testing", doc = "```")]
#![cfg_attr(not(feature = "testing"), doc = "```ignore")]
//! use std::{sync::{Arc, atomic::{AtomicU32, Ordering}}, time::Duration};
//!
//! use evenkeel::{
//!     failure::{Class, Failure},
//!     job::{Gate, Job, Progress, Run},
//!     payload::{Payload, Problems},
//!     policy::Policy,
//!     record::Phase,
//!     testing::{
//!         ARN, Faults, MemoryMappings, MemoryStore, SeededRandom, SimulatedSqs, TestClock, TestPorts,
//!         containers::{Containers, Function, FunctionSettings},
//!         mapping::{EventSourceMapping, MappingSettings},
//!     },
//!     worker::Worker,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! // What a message carries. An unknown field is a mistake of the sender.
//! #[derive(Clone, Serialize, Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Webhook {
//!     url: String,
//!     event: String,
//! }
//!
//! impl Payload for Webhook {
//!     // Names every wrong field; such a message is rejected and kept for operators.
//!     fn check(&mut self, problems: &mut Problems) {
//!         if !self.url.starts_with("https://") {
//!             problems.add("url", "expected an address that begins with https://");
//!         }
//!         problems.check_length("event", &self.event, 1, 100);
//!     }
//! }
//!
//! // A receiver that answers 503 to its first caller, in place of an HTTP client.
//! #[derive(Default)]
//! struct Receiver {
//!     calls: AtomicU32,
//! }
//!
//! impl Receiver {
//!     async fn post(&self, _: &Webhook, _limit: Duration) -> Result<u16, Failure> {
//!         match self.calls.fetch_add(1, Ordering::Relaxed) {
//!             // An error says what it is; the policy decides what follows from it.
//!             0 => Err(Failure::new(Class::Transient, "http_503", "the receiver answered 503")),
//!             _ => Ok(200),
//!         }
//!     }
//! }
//!
//! // What a success leaves in the record, as JSON.
//! #[derive(Serialize)]
//! struct Delivered {
//!     status: u16,
//! }
//!
//! #[derive(Default)]
//! struct WebhookDelivery {
//!     receiver: Receiver,
//! }
//!
//! impl Job for WebhookDelivery {
//!     const TYPE: &'static str = "webhook_delivery";
//!     // Only what differs from the default. Numbers that contradict each other do not compile.
//!     const POLICY: Policy =
//!         Policy { dependency: "receiver", max_attempts: 5, ..Policy::DEFAULT }.checked();
//!     type Payload = Webhook;
//!     type Output = Delivered;
//!
//!     // May run again for the same job, so every effect must be harmless when repeated.
//!     async fn run<G: Gate>(
//!         &self,
//!         webhook: &Webhook,
//!         run: &Run<'_, G>,
//!     ) -> Result<Progress<Delivered>, Failure> {
//!         // Breaker, limiter and time limit stand before every call.
//!         let status = run.call(|limit| self.receiver.post(webhook, limit)).await?;
//!         Ok(Progress::Done(Delivered { status }))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! // Tables, a queue and a function in virtual time. A worker lives as long as its container.
//! let (tables, clock) = (MemoryStore::default(), TestClock::default());
//! let (store, queue) = (tables.clone(), SimulatedSqs::new(clock));
//! let sqs = queue.clone();
//! let start = move |_: &Faults| -> Box<dyn Function> {
//!     let (store, queue, random) = (store.clone(), queue.clone(), SeededRandom::new(1));
//!     Box::new(Worker::<_, TestPorts>::new(WebhookDelivery::default(), store, queue, clock, random))
//! };
//! let settings = FunctionSettings::with_timeout(Duration::from_secs(15));
//! let function = Arc::new(Containers::new(settings, clock, Faults::default(), start));
//! let settings = MappingSettings::new("normal", ARN);
//! let mapping = EventSourceMapping::new(settings, sqs.clone(), MemoryMappings::default(), function);
//!
//! sqs.send(
//!     r#"{ "version": 1, "type": "webhook_delivery", "id": "order-7",
//!          "payload": { "url": "https://shop.example/hooks", "event": "paid" } }"#,
//! );
//! let delivery = mapping.deliver().await.unwrap();
//! let record = tables.record("webhook_delivery#g:order-7").unwrap();
//! assert!(matches!(record.phase, Phase::Waiting { .. }), "503: it waits for its next attempt");
//! assert_eq!((record.counters.attempts, delivery.failed.len()), (1, 1), "SQS delivers it again");
//!
//! // The message is invisible until the wait is over.
//! sqs.visible(ARN).await;
//! mapping.deliver().await.unwrap();
//! let record = tables.record("webhook_delivery#g:order-7").unwrap();
//! let Phase::Succeeded { result, .. } = &record.phase else { panic!("it succeeds") };
//! assert_eq!(result, r#"{"status":200}"#);
//! assert!(sqs.is_empty());
//! # }
//! ```
//!
//! # The map of the crate
//!
//! The modules form layers, listed here from the lowest to the highest; no import runs upward.
//!
//! | Module | Content |
//! |---|---|
//! | [`base`] | time, random numbers, hashes, secrets, configuration |
//! | [`failure`], [`payload`] | the classes of failures; the job type's part of a message |
//! | [`dependency`] | breaker, limiter, call statistics, time limits, retry budget, load shedding |
//! | [`http`] | the outbound client, guarded against server-side request forgery |
//! | [`policy`], [`record`] | the numbers of a job type; the state machine of a job |
//! | [`message`] | what queues deliver and what the engine sends |
//! | [`ports`] | the traits of the store, the queue and the other services |
//! | [`job`] | what the author of a job type implements |
//! | [`telemetry`] | log lines |
//! | `gates` | the rules of [`dependency`], applied in a container |
//! | [`aws`] | the ports on AWS |
//! | [`worker`] | one event: decode, claim, run, settle, answer |
//! | [`lambda`] | the entry point of a function |
//!
//! Decisions are pure functions of values: the current time and random numbers are arguments.

pub mod base;
pub mod failure;
pub mod payload;

pub mod dependency;
pub mod http;

pub mod policy;
pub mod record;

pub mod message;

pub mod ports;

pub mod job;

pub mod telemetry;

mod gates;

pub mod aws;

pub mod worker;

pub mod lambda;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
