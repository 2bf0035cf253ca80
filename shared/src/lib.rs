//! Evenkeel: the engine of a job queue of serverless functions that stays level while the third
//! parties it depends on do not.
//!
//! The modules stand in the order in which data flows. What decides is pure: plain functions of
//! values, with time and chance as arguments. What touches the world stands at the rim: `lambda`
//! and `aws`.

pub mod message;

pub mod batch;
mod check;
mod claim;
mod fate;
mod quarantine;
mod run;
mod settle;

pub mod executor;
pub mod job;
pub mod policy;

pub mod breaker;
pub mod enqueue;
mod gates;
pub mod limiter;
pub mod prediction;
pub mod pulse;
pub mod timeout;
pub mod watched;

pub mod error;
pub mod finding;
pub mod outcome;
pub mod record;
pub mod retry;
pub mod verdict;
pub mod wake;

pub mod slashtag;
pub mod vehicles;
pub mod vin;

pub mod config;
pub mod http;
pub mod oversight;
pub mod ports;
pub mod random;
pub mod secret;
pub mod telemetry;
pub mod time;
pub mod transport;

pub mod aws;
pub mod lambda;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
