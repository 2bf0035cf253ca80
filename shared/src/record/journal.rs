//! The journal of a job: what was decided about it if it did not simply succeed, who woke it, and what operators have
//! done to it.
//!
//! An entry is part of a write that happens anyway. A job that is claimed and succeeds has none.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Record, decision::Decision};
use crate::{
    base::time::{Time, millis},
    failure::Failure,
};

/// Entries of a journal. A further one takes the place of the oldest that is no operator's act. If all are acts, another
/// act takes the place of the oldest, and anything else is left out.
pub const JOURNAL: usize = 12;

/// Longest text of an entry, in bytes.
pub const ENTRY_BYTES: usize = 120;

/// A decision about a job, a wake-up, or an operator's act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When it was done, in milliseconds since the epoch.
    pub at: u64,
    /// Id of the entry of the operations log, if it is an operator's act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// What was done and why, such as `parked, due in 60 s: breaker_open`, `woken: released by the sweeper` or
    /// `retry: the key was renewed`; at most [`ENTRY_BYTES`].
    pub what: String,
    /// Fields that only a newer version knows. They are written again as they are.
    #[serde(flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}

/// Who or what wakes a job. An operator's act has an entry of its own instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeUp {
    /// The sweeper releases the parked job: its time has come, or its breaker has closed.
    Released,
    /// The sweeper releases the parked job to find out whether its dependency works again.
    Probe,
    /// The sweeper has found its due entry over and its message lost, and sends the message again.
    SentAgain,
    /// The sweeper has found that its run never came back.
    Rescued,
    /// Its message was sent back from the dead-letter queue.
    Redriven,
    /// Another message for the same job has come.
    Repeated,
    /// A message has come that was sent after the job had ended without a result.
    Anew,
}

impl WakeUp {
    /// The text in the journal.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Released => "woken: released by the sweeper",
            Self::Probe => "woken: released by the sweeper to probe the breaker",
            Self::SentAgain => "woken: sent again by the sweeper",
            Self::Rescued => "woken: rescued by the sweeper",
            Self::Redriven => "woken: sent back from the dead-letter queue",
            Self::Repeated => "woken: by another message for it",
            Self::Anew => "begun anew: it was sent again",
        }
    }
}

/// The text about a job that runs again after a delay.
pub(super) fn due_in(name: &str, after: Duration, code: &str) -> String {
    // The code may be long, so what is cut off is its end.
    format!("{name}, due in {} s: {code}", millis(after).div_ceil(1_000))
}

/// The text about a decision; `None` on the healthy path.
fn text(decision: Decision, failure: Option<&Failure>) -> Option<String> {
    let (name, code) = (decision.name(), failure.map_or("no run began", Failure::code));
    match decision {
        Decision::Succeed | Decision::Continue => None,
        Decision::Retry { after, .. } | Decision::Park { after, .. } => {
            Some(due_in(name, after, code))
        }
        Decision::Bury(cause) => Some(format!("{name}, {}: {code}", cause.text())),
        Decision::Quarantine => Some(format!("{name}: {code}")),
    }
}

impl Record {
    /// The same record with an operator's act in its journal. A text that is too long is cut off.
    #[must_use]
    pub fn noted(mut self, op: &str, what: &str, now: Time) -> Self {
        self.enter(Some(op.to_owned()), what, now);
        self
    }

    /// The same record, whose journal says who wakes the job.
    #[must_use]
    pub fn woken_by(mut self, by: WakeUp, now: Time) -> Self {
        self.note(by.text(), now);
        self
    }

    /// The same record, whose journal says what was decided at the end of a run, unless that is the healthy path.
    pub(super) fn decided(
        mut self,
        decision: Decision,
        failure: Option<&Failure>,
        now: Time,
    ) -> Self {
        if let Some(what) = text(decision, failure) {
            self.note(&what, now);
        }
        self
    }

    /// Adds an entry that is no operator's act to the journal. A text that is too long is cut off.
    pub(crate) fn note(&mut self, what: &str, now: Time) {
        self.enter(None, what, now);
    }

    fn enter(&mut self, op: Option<String>, what: &str, now: Time) {
        while self.journal.len() >= JOURNAL {
            // By its act, an operation that goes on later knows that it has changed this job.
            match self.journal.iter().position(|entry| entry.op.is_none()) {
                Some(oldest) => self.journal.remove(oldest),
                None if op.is_none() => return,
                None => self.journal.remove(0),
            };
        }
        let what = what[..what.floor_char_boundary(ENTRY_BYTES)].to_owned();
        let at = now.as_millis();
        self.journal.push(JournalEntry { at, op, what, more: BTreeMap::new() });
    }

    /// Whether the operation with this id has acted on the job.
    #[must_use]
    pub fn has_noted(&self, op: &str) -> bool {
        self.journal.iter().any(|entry| entry.op.as_deref() == Some(op))
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
