//! Output about records: jobs, rejected messages, cars.

use std::collections::BTreeMap;

use evenkeel::record::{Counters, FailedAttempt, journal::JournalEntry};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{ports::DueItem, text::redact};

/// A list of jobs or of rejected messages.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct JobList {
    /// In the order of `due_at`.
    pub jobs: Vec<JobSummary>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// Given as `--after`, the list goes on behind the last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Hosts with parked jobs that were not asked because there are too many; `--dependency` asks one.
    pub dependencies_left_out: usize,
    /// DynamoDB's read units for this list.
    pub read_units: f64,
}

/// What the index `due` says of a job.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JobSummary {
    /// The record's key: `TYPE#g:ID`, `TYPE#d:HASH`, or `q#HASH` for a rejected message.
    pub key: String,
    /// The record's state, or `rejected`.
    pub state: String,
    /// The job type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the sweeper has to look at it; for a job that has ended, when that was.
    pub due_at: u64,
    /// Class of the latest failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What failures of the same kind share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its message group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `high` or `normal`, by the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// When the sender created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<u64>,
}

impl From<&DueItem> for JobSummary {
    fn from(item: &DueItem) -> Self {
        Self {
            key: redact(&item.key),
            state: item.state.clone(),
            kind: item.kind.clone(),
            due_at: item.due_at.as_millis(),
            class: item.class.clone(),
            fingerprint: item.fingerprint.clone(),
            group: item.group.clone(),
            priority: item.priority.clone(),
            created_at: item.created_at.map(evenkeel::base::time::Time::as_millis),
        }
    }
}

/// A change of a job, as it was seen: one line of `jobs tail`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct JobChange {
    /// When it was seen; it may have happened up to one look earlier.
    pub at: u64,
    /// The record's key.
    pub key: String,
    /// The job type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The state before; missing if the job was not on the index before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// The state now; `gone` if the record was removed, `rejected` for a rejected message.
    pub state: String,
    /// When the sweeper has to look at it; for a job that has ended, when that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<u64>,
    /// Class of the latest failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What failures of the same kind share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its message group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Why it has ended without success, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How often something has happened to a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Messages that reached a claim.
    pub receives: u32,
    /// Runs that began.
    pub claims: u32,
    /// Runs that did the work or failed at it; only these count towards the type's limit.
    pub attempts: u32,
    /// Runs that were put off without failing.
    pub defers: u32,
    /// Runs that panicked or never came back.
    pub crashes: u32,
    /// How long the job has waited for a monthly allowance, in milliseconds; this does not count towards its end.
    pub paused_ms: u64,
}

impl From<Counters> for Counts {
    fn from(counters: Counters) -> Self {
        let Counters { receives, claims, attempts, defers, crashes, paused_ms } = counters;
        Self { receives, claims, attempts, defers, crashes, paused_ms }
    }
}

/// A failed attempt or a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Happened {
    /// When it failed.
    pub at: u64,
    /// What kind of failure it was, such as `transient`.
    pub class: String,
    /// Its code, such as `http_503`.
    pub code: String,
    /// A sentence, without secrets.
    pub message: String,
}

impl From<&FailedAttempt> for Happened {
    fn from(failed: &FailedAttempt) -> Self {
        Self {
            at: failed.at,
            class: failed.class.clone(),
            code: failed.code.clone(),
            message: redact(&failed.message),
        }
    }
}

/// A job's record.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JobShown {
    /// The record's key.
    pub key: String,
    /// The job type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The record's state.
    pub state: String,
    /// Why it is in this state, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The third party that it depends on.
    pub dependency: String,
    /// ARN of the queue that it came on.
    pub queue: String,
    /// `high` or `normal`, by the queue.
    pub priority: String,
    /// Its message group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The id of its trace, as in log lines and X-Ray.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// When the sender created it, or its message was sent.
    pub created_at: u64,
    /// The sender's deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// Until when its run may be alive, if it is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<u64>,
    /// Not before this time it runs again, if it is waiting or parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_after: Option<u64>,
    /// When it was parked first since it last reached its dependency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked_since: Option<u64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// When DynamoDB may remove the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// How often what has happened.
    pub counts: Counts,
    /// The fencing token.
    pub fence: u64,
    /// Its latest failures, the oldest first.
    pub history: Vec<Happened>,
    /// What was decided about it, who woke it, and what operators have done to it, the oldest first; empty if it has
    /// simply succeeded.
    pub journal: Vec<Noted>,
    /// The payload in its normal form, without secrets.
    pub payload: Value,
    /// What it has produced, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Whether `result` only stands in for the real one.
    pub provisional: bool,
    /// DynamoDB's read units for this answer.
    pub read_units: f64,
}

/// A decision about a job, a wake-up, or an operator's act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Noted {
    /// In milliseconds since the epoch.
    pub at: u64,
    /// The id of the operation, for `ops show`, if it is an operator's act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// What and why, without secrets, such as `parked, due in 60 s: breaker_open`.
    pub what: String,
}

impl From<&JournalEntry> for Noted {
    fn from(entry: &JournalEntry) -> Self {
        Self { at: entry.at, op: entry.op.clone(), what: redact(&entry.what) }
    }
}

/// A rejected message.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RejectedShown {
    /// Its key, `q#` and a hash.
    pub key: String,
    /// The job type of the queue.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is wrong with it: one of the flaws in docs/message.md.
    pub flaw: String,
    /// A sentence that names the field and what was expected, without secrets.
    pub why: String,
    /// ARN of the queue that it came on.
    pub queue: String,
    /// The id that SQS gave it.
    pub message_id: String,
    /// Its message group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The id of its trace, as in log lines and X-Ray.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// When it was rejected.
    pub rejected_at: u64,
    /// When DynamoDB may remove it.
    pub expires_at: u64,
    /// The body, or its first 64 KiB, without secrets: JSON if it is JSON.
    pub body: Value,
    /// Length of the whole body, in bytes.
    pub body_bytes: usize,
    /// DynamoDB's read units for this answer.
    pub read_units: f64,
}

/// A dealer's cars.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct CarList {
    /// In the order of their VINs.
    pub cars: Vec<CarSummary>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// Given as `--after`, the list goes on behind the last car.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// DynamoDB's read units for this list.
    pub read_units: f64,
}

/// A car as the feed has left it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CarSummary {
    /// 17 characters.
    pub vin: String,
    /// `new`, `used` or `certified`: the list on which it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Whether the feed lists it.
    pub listed: bool,
    /// Whether its jobs are still to be created.
    pub pending: bool,
    /// When it was stored last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<u64>,
    /// When it was found gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlisted_at: Option<u64>,
}

/// All that is stored of a car. Each part has the attributes that docs/records.md describes, without secrets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CarShown {
    /// The dealer's slug.
    pub dealer: String,
    /// 17 characters.
    pub vin: String,
    /// The ids of the jobs that the feed has created last for it, as far as its items tell: of its page and of its
    /// link. Their records may have expired.
    pub jobs: Vec<String>,
    /// The car as the feed lists it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub car: Option<BTreeMap<String, Value>>,
    /// The car's short link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<BTreeMap<String, Value>>,
    /// The car as its page has shown it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<BTreeMap<String, Value>>,
    /// DynamoDB's read units for this answer.
    pub read_units: f64,
}
