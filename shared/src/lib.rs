//! Evenkeel: the engine of a job queue on AWS Lambda, SQS and DynamoDB. It keeps running steadily
//! while the third parties that its jobs call fail, slow down or limit their callers.
//!
//! A job is one message on an SQS queue and one record in a DynamoDB table. A function receives a
//! batch of messages, claims the job of each, runs the jobs that it claimed, and settles their
//! records.
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
