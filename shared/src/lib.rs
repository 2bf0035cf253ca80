//! Evenkeel: the engine of a job queue of serverless functions that stays level while the third
//! parties it depends on do not.
//!
//! The modules stand in layers, from the lowest to the highest; no import runs upward. What decides is
//! pure: plain functions of values, with time and chance as arguments. What touches the world stands
//! at the top: [`aws`] and [`lambda`].

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
