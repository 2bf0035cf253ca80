//! Output of `jobs explain`.

use schemars::JsonSchema;
use serde::Serialize;

use super::records::{Counts, Happened, Noted};

/// What a job waits for, when it will run, what has happened to it, and what would help.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Explanation {
    /// The record's key.
    pub key: String,
    /// The record's state; `rejected` for a rejected message, `unclaimed` if there is no record.
    pub state: String,
    /// What the job waits for, or how it has ended, in one or two sentences without secrets.
    pub summary: String,
    /// Since when it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// What stands between the job and its next run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// The jobs that go before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
    /// When it will run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// When it is given up, or keeps its provisional result, if nothing changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<u64>,
    /// How often what has happened; missing if there is no record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Its latest failures, the oldest first.
    pub history: Vec<Happened>,
    /// What was decided about it, who woke it, and what operators have done to it, the oldest first.
    pub journal: Vec<Noted>,
    /// The one act that would help; missing if there is nothing to do but wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
    /// DynamoDB's read units for this answer.
    pub read_units: f64,
}

/// What stands between a job and its next run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Gate {
    /// Which gate it is.
    pub kind: GateKind,
    /// The dependency or the queue that it belongs to.
    pub of: String,
    /// Its state, such as `open`.
    pub state: String,
    /// Why it is in this state, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Until when it holds the job back, as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// What may hold a job back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    /// The dependency's breaker refuses calls.
    Breaker,
    /// The dependency has asked for a pause, or its next slot is some time ahead.
    Limiter,
    /// A run holds the job's lease.
    Lease,
    /// The job's own pause after a failure or a refusal is not over.
    Pause,
    /// The job's message waits behind others, or its queue is paused.
    Queue,
}

/// Jobs that go before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ahead {
    /// Parked jobs in the same partition of the index, or visible messages in the queue.
    pub count: u64,
    /// Whether there may be more: the count has a cap, or is one of several partitions.
    pub at_least: bool,
}

/// When a job will run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Expected {
    /// Not before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Probably by this time; missing if it depends on something outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// What makes it run.
    pub how: String,
}

/// What an operator can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Advice {
    /// What to do, and why.
    pub text: String,
    /// A command that does it or helps with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}
