//! The records that the functions leave in the job table, as a stranger would read them.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use super::job::Job;

/// A record; which attributes it has depends on its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) pk: String,
    pub(super) state: String,
    /// JSON in its canonical form; a quarantined body has none.
    pub(super) payload: Option<String>,
    /// A quarantined body.
    pub(super) body: Option<String>,
    pub(super) flaw: Option<String>,
    pub(super) why: Option<String>,
    /// JSON, of a success.
    pub(super) result: Option<String>,
    /// Epoch milliseconds.
    pub(super) ended_at: Option<u64>,
    pub(super) claims: u32,
    pub(super) attempts: u32,
    pub(super) defers: u32,
    pub(super) crashes: u32,
}

/// What a success leaves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Shortened {
    pub(super) short_url: String,
    pub(super) slashtag: String,
    pub(super) link_id: String,
    /// `created` or `adopted`.
    pub(super) via: String,
    /// From 1.
    pub(super) candidate: u32,
}

impl Record {
    pub(super) fn read(item: Value) -> Result<Self> {
        let shown = item.to_string();
        serde_json::from_value(item).with_context(|| format!("expected a record: {shown}"))
    }

    /// Whether this is the record of a job, by the given id or else by what it asks for.
    pub(super) fn is_of(&self, job: &Job) -> bool {
        match job.key() {
            Some(key) => self.pk == key,
            None => self
                .payload
                .as_ref()
                .and_then(|text| text.parse::<Value>().ok())
                .is_some_and(|payload| self.pk.contains("#d:") && payload == job.payload()),
        }
    }

    /// Whether this record keeps a body that is no message.
    pub(super) fn keeps(&self, body: &str) -> bool {
        self.is_kept_body() && self.body.as_deref() == Some(body)
    }

    /// Whether this is a body that was no message, and not a job.
    pub(super) fn is_kept_body(&self) -> bool {
        self.pk.starts_with("q#")
    }

    /// Whether nothing more happens to it.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(&*self.state, "succeeded" | "dead" | "cancelled" | "quarantined")
    }

    /// Whether its message may be gone and nothing is lost: it has ended, or somebody looks.
    pub(super) fn is_accounted_for(&self) -> bool {
        self.is_terminal() || self.is_waiting()
    }

    /// Whether it is to be tried again.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(&*self.state, "queued" | "waiting" | "parked")
    }
}
