//! What one tick of the sweeper has seen: the numbers that its alarms, its page and its forecasts
//! are made of.
//!
//! A history of them is kept as JSON between ticks. A field that is missing reads as nothing, so
//! that what an older version wrote still reads; one that is unknown is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one tick has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observation {
    /// When, in milliseconds since the epoch.
    pub at: u64,
    /// By queue name.
    pub queues: BTreeMap<String, QueueSeen>,
    /// By job type.
    pub types: BTreeMap<String, TypeSeen>,
    /// By dependency.
    pub dependencies: BTreeMap<String, DependencySeen>,
    /// Jobs of running batches.
    pub running: u64,
    /// Of these, jobs whose lease is over.
    pub stuck: u64,
}

/// A queue, by the counts of SQS: they are approximate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSeen {
    /// Messages that can be received now.
    pub visible: u64,
    /// Messages that a function has received and not given back.
    pub in_flight: u64,
    /// Messages that cannot be received yet.
    pub delayed: u64,
    /// Whether it is where messages end that nobody could handle.
    pub dead_letter: bool,
    /// How many functions may work on it at a time, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Age, in seconds, of the oldest message that a function received first in the last minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_s: Option<u64>,
}

impl QueueSeen {
    /// Messages that wait: now or later they can be received.
    #[must_use]
    pub const fn backlog(&self) -> u64 {
        self.visible.saturating_add(self.delayed)
    }
}

/// A job type. Unless they say otherwise, the counts are of the last whole minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypeSeen {
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed and are to be repeated.
    pub retried: u64,
    /// Runs that were put off.
    pub deferred: u64,
    /// Jobs that were parked.
    pub parked: u64,
    /// Jobs that were given up.
    pub dead: u64,
    /// Runs that panicked, or whose process died.
    pub crashed: u64,
    /// Jobs that have killed what ran them too often.
    pub quarantined: u64,
    /// Time from creation to success that half of the jobs took at most, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_s: Option<f64>,
    /// The same for 95 of 100 jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_s: Option<f64>,
    /// Age of the oldest job known, in seconds, be it a record or a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_s: Option<u64>,
    /// Records that somebody has to look at, by state, counted up to a cap.
    pub states: BTreeMap<String, u64>,
    /// Whether a count of `states` stopped at its cap, so that there are more.
    pub more: bool,
}

/// A dependency: what the engine keeps of it, and its calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DependencySeen {
    /// State of its breaker, as the control table names it.
    pub breaker: String,
    /// Jobs that are parked because of it, counted up to a cap.
    pub parked: u64,
    /// Whether `parked` stopped at its cap, so that there are more.
    pub more: bool,
    /// How long the first of them has been parked, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_parked_s: Option<u64>,
    /// Calls of the last whole minute.
    pub calls: u64,
    /// Of these, calls that failed.
    pub failed: u64,
    /// Of these, calls that took long.
    pub slow: u64,
    /// Of these, calls that were answered with a 429.
    pub throttled: u64,
    /// Time within which 95 of 100 of these calls were over, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    /// How far calls were made ahead of the hourly rate, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_s: Option<u64>,
    /// How far they may be made ahead of it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_be_ahead_s: Option<u64>,
}

#[cfg(test)]
#[path = "observation_tests.rs"]
pub(super) mod tests;
