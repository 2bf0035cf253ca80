//! Output about the stack: breakers, limiters, queues, checks; and about what was submitted.

use schemars::JsonSchema;
use serde::Serialize;

use super::operations::whom;

/// Breakers of dependencies.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct BreakerList {
    /// Those that refuse calls first.
    pub breakers: Vec<BreakerShown>,
    /// Dependencies that lately had trouble and were not read because there are too many.
    pub left_out: usize,
    /// DynamoDB's read units for this list.
    pub read_units: f64,
}

/// The breaker of a dependency.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BreakerShown {
    /// The dependency that it stands before.
    pub dependency: String,
    /// `closed`, `open`, `half_open`, `forced_open` or `forced_closed`.
    pub state: String,
    /// Whether calls are refused: all of them, or all but probes.
    pub refuses_calls: bool,
    /// Why it is in this state, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When the state began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// When the first probe is allowed, while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<u64>,
    /// Probes under way and probes that worked, while it is half-open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<[usize; 2]>,
    /// When an operator's override ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// When the outage began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_since: Option<u64>,
    /// Until when a 429 has stopped all calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_until: Option<u64>,
    /// Whether only an operator can fix the cause.
    pub systemic: bool,
    /// Raised by each change of state.
    pub generation: u64,
    /// DynamoDB's read units for this breaker.
    pub read_units: f64,
}

/// The limiter of a dependency.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LimiterShown {
    /// The dependency that was asked for.
    pub dependency: String,
    /// The limiter's name, which several dependencies of one host share.
    pub name: String,
    /// Whether it is in use: one that was not used for a day is not stored.
    pub in_use: bool,
    /// Calls a minute that the account or host allows, as the functions have noted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// The same an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<u32>,
    /// The present pace in percent of the rate: less than 100 after a 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace_percent: Option<f64>,
    /// When the next new slot is, by the rate a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_slot_at: Option<u64>,
    /// Up to when slots are promised to hidden messages of normal priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promised_until: Option<u64>,
    /// The same for those of high priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promised_high_until: Option<u64>,
    /// When a 429 last lowered the pace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowed_at: Option<u64>,
    /// Slots that are kept for further calls of runs in progress.
    pub kept_slots: u64,
    /// DynamoDB's read units for this answer.
    pub read_units: f64,
}

/// The queues of all job types.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct QueueList {
    /// By type: normal, high, dead letters.
    pub queues: Vec<QueueShown>,
    /// Why it is not known of every queue whether its concurrency is fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pins_unknown: Option<String>,
    /// DynamoDB's read units for this list.
    pub read_units: f64,
}

/// A queue and what delivers its messages.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct QueueShown {
    /// Its name, the last part of its ARN.
    pub queue: String,
    /// The job type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `normal`, `high` or `dead_letters`.
    pub role: String,
    /// Messages that can be received, as SQS approximates it.
    pub visible: u64,
    /// Messages that were received and not deleted.
    pub in_flight: u64,
    /// Messages whose delay is not over.
    pub delayed: u64,
    /// The state of the mapping that delivers them, such as `Enabled`; missing for dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// Batches that may be at work at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// What an operator has fixed with `queues set`; missing while balance may move the concurrency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<PinShown>,
}

/// A concurrency that an operator has fixed for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PinShown {
    /// What it was fixed to. After a deployment the sweeper's next tick sets it again.
    pub concurrency: u32,
    /// When that ends.
    pub until: u64,
    /// When it was asked for.
    pub since: u64,
    /// ARN of the caller, as the caller declared it.
    pub by: String,
    /// Why, in the caller's words.
    pub reason: String,
    /// The id of the operation, for `ops show` and `ops stop`.
    pub operation: String,
}

impl PinShown {
    /// The last part of the caller's ARN.
    #[must_use]
    pub fn by_whom(&self) -> &str {
        whom(&self.by)
    }
}

/// Whether the stack is well.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HealthReport {
    /// Whether there is no problem.
    pub healthy: bool,
    /// What is not well, the worst first.
    pub problems: Vec<Problem>,
    /// When the sweeper last wrote how things stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<u64>,
    /// DynamoDB's read units for this answer.
    pub read_units: f64,
}

/// Something that is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// A short, stable name for programs, such as `breaker_open`.
    pub code: String,
    /// The queue, dependency or job type.
    pub about: String,
    /// What is wrong, as a sentence without secrets.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// What `doctor` has checked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Checks {
    /// Whether no check has failed.
    pub ok: bool,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
}

/// One check and its remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What was checked, such as `table evenkeel-jobs`.
    pub what: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do; missing if it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is well.
    Good,
    /// It may explain trouble.
    Doubtful,
    /// It must be mended.
    Bad,
}

/// What `submit` has done.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Submitted {
    /// The name of the queue.
    pub queue: String,
    /// Whether nothing was sent because of `--dry-run`.
    pub dry_run: bool,
    /// Rows that were read, from the first line on.
    pub rows: u64,
    /// Messages that the queue has accepted; with `--dry-run`, those that would be sent.
    pub sent: u64,
    /// Rows that repeat an earlier one of the same file and were not sent.
    pub duplicates: u64,
    /// Rows that were not sent because of a problem.
    pub bad: u64,
    /// The problems, at most 1,000.
    pub problems: Vec<RowProblem>,
    /// The first line that was not dealt with, for `--from-line`; missing if all were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_at_line: Option<u64>,
    /// The first rows that were sent, at most 10.
    pub first: Vec<Row>,
    /// The id of its entry in the operations log, for `ops show`; missing if nothing was to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

/// A row that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Its id, if it has one: `jobs explain ID` follows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowProblem {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The field, such as `payload.vin`; `row` for the row as a whole.
    pub field: String,
    /// What is wrong, and what was expected.
    pub problem: String,
}
