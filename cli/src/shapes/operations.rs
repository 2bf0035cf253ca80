//! Output about operations: what operators do, and what would be done.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An entry of the operations log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OperationShown {
    /// Its id, for `ops show` and `ops stop`.
    pub id: String,
    /// When it was asked for.
    pub at: u64,
    /// ARN of the caller, as the caller declared it.
    pub by: String,
    /// Why, in the caller's words.
    pub reason: String,
    /// What is done: `do`, and its arguments.
    pub act: Value,
    /// `intent`, `running`, `done`, `failed` or `stopped`.
    pub state: String,
    /// Why it has failed, or why it goes on later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was confirmed so far, by outcome: `done`, `absent`, `ended` and others.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// Jobs or messages that are still to be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
}

impl OperationShown {
    /// The name of the act; of a note, that of the command that does it.
    #[must_use]
    pub fn what(&self) -> &str {
        let named = ["what", "do"].into_iter().find_map(|field| self.act.get(field));
        named.and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it notes what its caller does.
    #[must_use]
    pub fn is_note(&self) -> bool {
        self.act.get("do").is_some_and(|act| act == "note")
    }

    /// The last part of the caller's ARN.
    #[must_use]
    pub fn by_whom(&self) -> &str {
        whom(&self.by)
    }

    /// Whether it goes on by itself.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        matches!(self.state.as_str(), "intent" | "running") && !self.is_note()
    }
}

/// The last part of a caller's ARN.
pub(super) fn whom(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

/// The operations log.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct OperationList {
    /// The latest first.
    pub operations: Vec<OperationShown>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// Given as `--after`, the list goes on behind the last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// DynamoDB's read units for this list.
    pub read_units: f64,
}

/// What an act would do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// Always true: nothing was done.
    pub dry_run: bool,
    /// When this was so. An act with this time changes nothing that came later.
    pub as_of: u64,
    /// How many jobs, messages or other things would be changed.
    pub count: u32,
    /// Whether there are more than were counted.
    pub more: bool,
    /// Some of them, at most five.
    pub samples: Vec<String>,
    /// How long that takes at the pace of the limiter, in milliseconds.
    pub takes_ms: u64,
}

/// What a call of the sweeper has done.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Swept {
    /// The id of its entry in the operations log, for `ops show`.
    pub operation: String,
    /// Counts by pass, or what the audit has examined.
    pub answer: Value,
}

/// What the next tick of the sweeper would do about jobs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SweepPreview {
    /// Always true: nothing was done.
    pub dry_run: bool,
    /// When this was so.
    pub as_of: u64,
    /// Whether all dependencies with parked jobs were looked at.
    pub whole: bool,
    /// By pass and action; what would be done no times is left out.
    pub actions: Vec<SweepAction>,
}

/// What a pass of the sweeper would do. docs/sweeper.md lists the passes and their actions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SweepAction {
    /// The pass, such as `rescue`.
    pub pass: String,
    /// The action by the name of its count, such as `crashed`; of dead letters `received`.
    pub action: String,
    /// How many times, within the limits of a tick.
    pub count: u64,
    /// Keys of some of the jobs, at most five; of operators' acts their ids.
    pub samples: Vec<String>,
}

/// What the audit has found.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct FindingList {
    /// By the keys of their records.
    pub findings: Vec<FindingShown>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// Given as `--after`, the list goes on behind the last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// DynamoDB's read units for this list.
    pub read_units: f64,
}

/// A finding of the audit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingShown {
    /// The key of the record.
    pub key: String,
    /// The code of the finding.
    pub what: String,
    /// A sentence about it.
    pub detail: String,
    /// When it was found.
    pub at: u64,
    /// Whether it was repaired.
    pub repaired: bool,
}
