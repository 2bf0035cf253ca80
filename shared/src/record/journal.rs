//! The journal of a job: what operators have done to it. No run writes it, so a job that nobody touches has none.

use serde::{Deserialize, Serialize};

use super::Record;
use crate::base::time::Time;

/// Entries of a journal. A further one takes the place of the oldest.
pub const JOURNAL: usize = 12;

/// Longest text of an entry, in bytes.
pub const ENTRY_BYTES: usize = 120;

/// An act on a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When it was done, in milliseconds since the epoch.
    pub at: u64,
    /// Id of the entry of the operations log to which the act belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// What was done and why, such as `retry: the key was renewed`; at most [`ENTRY_BYTES`].
    pub what: String,
}

impl Record {
    /// The same record with one more entry in its journal. A text that is too long is cut off.
    #[must_use]
    pub fn noted(mut self, op: &str, what: &str, now: Time) -> Self {
        while self.journal.len() >= JOURNAL {
            self.journal.remove(0);
        }
        let end = what.floor_char_boundary(ENTRY_BYTES);
        let (at, op) = (now.as_millis(), Some(op.to_owned()));
        self.journal.push(JournalEntry { at, op, what: what[..end].to_owned() });
        self
    }

    /// Whether the operation with this id has acted on the job.
    #[must_use]
    pub fn has_noted(&self, op: &str) -> bool {
        self.journal.iter().any(|entry| entry.op.as_deref() == Some(op))
    }
}
