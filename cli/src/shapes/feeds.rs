//! Output about feeds that run on a schedule.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Feeds with their schedules.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct FeedList {
    /// In the order of their names.
    pub feeds: Vec<FeedShown>,
    /// Names of schedules of the stack's group that are no feeds: another tool has made them.
    pub others: Vec<String>,
    /// Whether there are more schedules than were read.
    pub more: bool,
}

/// A feed and when it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FeedShown {
    /// Its name, which is that of its schedule.
    pub name: String,
    /// When it runs: `rate(…)` or `cron(…)`.
    pub schedule: String,
    /// The time zone of the schedule.
    pub time_zone: String,
    /// `on` or `paused`.
    pub state: String,
    /// The name of the queue that its message goes to.
    pub queue: String,
    /// The message group, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The payload of its message; secrets are hidden.
    pub payload: Value,
}

/// What a command has done to a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FeedChanged {
    /// `created`, `replaced`, `paused`, `resumed`, `removed`, `sent`, or `unchanged` if there was nothing to do.
    pub change: String,
    /// Whether nothing was done because of `--dry-run`.
    pub dry_run: bool,
    /// The feed, as it is afterwards; of a removed one, as it was.
    pub feed: FeedShown,
}
