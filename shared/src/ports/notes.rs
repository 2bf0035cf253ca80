//! Notes in the control table: findings of the audit, and the dependencies that the sweeper watches.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a note stands in the control table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoteKey {
    /// What kind of note it is; notes of a kind stand together, sorted by name.
    pub kind: &'static str,
    /// Its name among them.
    pub name: String,
}

impl NoteKey {
    /// The place of this name.
    #[must_use]
    pub fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

/// Kind of the notes that hold findings; each is named by the record's key.
pub const FINDING: &str = "finding";

/// How long a finding is kept.
pub const FINDING_RETENTION: Duration = Duration::from_hours(30 * 24);

/// One finding, as a note holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A short, stable code, such as `no_look`.
    pub what: String,
    /// A sentence.
    pub detail: String,
    /// When it was found, in milliseconds since the epoch.
    pub at: u64,
    /// Whether it is mended.
    pub repaired: bool,
}

impl Finding {
    /// Where the finding about the record with this key is noted.
    #[must_use]
    pub fn note_key(key: &str) -> NoteKey {
        NoteKey::new(FINDING, key)
    }
}

/// Kind of the notes that name them.
pub const WATCHED: &str = "watched";

/// How often a container says so again, while it parks jobs or fails.
pub const NOTED_FOR: Duration = Duration::from_mins(10);

/// How long a note stands. Jobs are parked for a day at most before somebody looks at them; the
/// sweeper keeps the note while there are any.
pub const WATCHED_RETENTION: Duration = Duration::from_hours(7 * 24);

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
