//! The dependencies that the sweeper watches: those with parked jobs, and those whose calls fail. There
//! may be thousands of hosts of which nobody need know anything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Kind of the notes that name them.
pub const WATCHED: &str = "watched";

/// How often a container says so again, while it parks jobs or fails.
pub const NOTED_FOR: Duration = Duration::from_mins(10);

/// How long a note stands. Jobs are parked for a day at most before somebody looks at them; the
/// sweeper keeps the note while there are any.
pub const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// What the sweeper must know of a dependency to let its jobs go again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Calls a second that its account allows, if that is limited.
    pub per_second: Option<u32>,
    /// Calls an hour, likewise.
    pub per_hour: Option<u32>,
    /// Probes that close its breaker.
    pub closes_with: u32,
    /// When this was noted, in milliseconds since the epoch.
    pub noted_at: u64,
}
