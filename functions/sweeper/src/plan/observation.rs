//! The observation of one tick: the numbers behind metrics, status notes and forecasts.
//!
//! A history of observations is kept as JSON. A missing field reads as its default and an unknown
//! one is ignored, so that other versions' observations can be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The observation of one tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observation {
    /// When the tick began, in milliseconds since the epoch.
    pub at: u64,
    /// By queue name.
    pub queues: BTreeMap<String, QueueSeen>,
    /// By job type.
    pub types: BTreeMap<String, TypeSeen>,
    /// What was seen of each dependency, by its name: the configured ones, and fifty others.
    pub dependencies: BTreeMap<String, DependencySeen>,
    /// What was seen of all other dependencies together.
    pub others: Others,
    /// Jobs of running batches.
    pub running: u64,
    /// Jobs among these whose lease is over.
    pub stuck: u64,
    /// Quarantined jobs and rejected messages, which wait for a person: at least so many.
    pub need_person: u64,
    /// Queues whose event source mapping is paused.
    pub paused_queues: u64,
    /// Queues among these whose pause no open act of an operator ends later, and 1 if balance has been off for too
    /// long.
    pub overdue_pauses: u64,
}

/// The dependencies that are not observed one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Others {
    /// How many breakers refuse calls, or let only probes through.
    pub open_breakers: u64,
    /// Their parked jobs, counted up to a cap each.
    pub parked: u64,
    /// Longest time for which one of the first parked jobs of each has been parked, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_parked_s: Option<u64>,
    /// When the last two were counted, in milliseconds since the epoch; 0 if not all have been counted yet.
    pub counted_at: u64,
}

/// A queue, by the approximate counts of SQS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSeen {
    /// Messages that can be received now.
    pub visible: u64,
    /// Messages that a function has received and not settled.
    pub in_flight: u64,
    /// Messages that cannot be received yet.
    pub delayed: u64,
    /// Whether it is a dead-letter queue.
    pub dead_letter: bool,
    /// `MaximumConcurrency` of its event source mapping, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Age, in seconds, of the oldest message among those received for the first time in the latest
    /// bucket of the statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_s: Option<u64>,
}

impl QueueSeen {
    /// Messages that wait: visible and delayed ones.
    #[must_use]
    pub const fn backlog(&self) -> u64 {
        self.visible.saturating_add(self.delayed)
    }
}

/// A job type. The counts of runs and jobs are those of the last complete minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypeSeen {
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed and will be retried.
    pub retried: u64,
    /// Runs that were deferred.
    pub deferred: u64,
    /// Jobs that were parked.
    pub parked: u64,
    /// Jobs that ended dead.
    pub dead: u64,
    /// Runs that panicked, or whose process died.
    pub crashed: u64,
    /// Jobs that were quarantined, because they crashed their process three times.
    pub quarantined: u64,
    /// Jobs of all batches that ended.
    pub jobs: u64,
    /// Time of these batches, in milliseconds.
    pub busy_ms: u64,
    /// Median time from creation to success, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_s: Option<f64>,
    /// 95th percentile of the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_s: Option<f64>,
    /// Age of the oldest known job in seconds, by its record or its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_s: Option<u64>,
    /// Entries of the due index by state, counted up to a cap.
    pub states: BTreeMap<String, u64>,
    /// Whether a count of `states` may have reached its cap, so that there may be more.
    pub more: bool,
}

/// A dependency: its state, its parked jobs and its calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DependencySeen {
    /// State of its breaker, by its name in the control table.
    pub breaker: String,
    /// Whether it has opened since the observation before.
    pub opened: bool,
    /// Its parked jobs, counted up to a cap.
    pub parked: u64,
    /// Whether `parked` may have reached its cap, so that there may be more.
    pub more: bool,
    /// Longest time for which one of the first parked jobs has been parked, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_parked_s: Option<u64>,
    /// Calls of the last complete minute.
    pub calls: u64,
    /// Calls among these that failed.
    pub failed: u64,
    /// Calls among these that the breaker counts as slow.
    pub slow: u64,
    /// Calls of the same minute that were answered with a 429.
    pub throttled: u64,
    /// 95th percentile of the time that these calls took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    /// 99th percentile of the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<u64>,
    /// How far calls are ahead of the hourly rate, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_s: Option<u64>,
    /// How far calls may be ahead of it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_be_ahead_s: Option<u64>,
}

#[cfg(test)]
#[path = "observation_tests.rs"]
pub(super) mod tests;
