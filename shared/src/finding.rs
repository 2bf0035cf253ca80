//! What an audit finds: a record, or what it led to, that is not as it should be.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ports::Place;

/// Kind of the notes that hold findings; each is named by the record's key.
pub const FINDING: &str = "finding";

/// How long a finding is kept.
pub const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

/// What a look at a job's result came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// It is as it was left.
    Sound,
    /// What it should have left is missing, for certain: doing the job again makes it.
    Missing(String),
    /// What it led to cannot be found any more; doing the job again puts it back.
    Lost(String),
    /// It is otherwise than it was left; somebody may have meant that.
    Changed(String),
}

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
    pub fn place(key: &str) -> Place {
        Place::new(FINDING, key)
    }
}
