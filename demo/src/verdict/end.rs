//! How a job of the incident ended.

use super::outcome::Output;
use crate::incident::job::Kind;
use crate::scene::record::Record;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) kind: Kind,
    /// Its name in the report.
    pub(crate) name: String,
    /// The key of its record.
    pub(crate) key: Option<String>,
    /// The state of its record.
    pub(crate) state: Option<String>,
    /// The result in the record, if it is right; otherwise why the job counts as failed.
    pub(crate) outcome: Result<Output, String>,
    /// Milliseconds from the first message, or from the feed that enqueued the job, to its end.
    pub(crate) took_ms: Option<u64>,
}

impl End {
    pub(crate) fn of(
        (kind, name): (Kind, String),
        record: Option<&Record>,
        began_ms: Option<u64>,
        outcome: Result<Output, String>,
    ) -> Self {
        let ended_ms = record.and_then(|record| record.ended_at);
        Self {
            kind,
            name,
            key: record.map(|record| record.pk.clone()),
            state: record.map(|record| record.state.clone()),
            outcome,
            took_ms: ended_ms.zip(began_ms).map(|(end, began)| end.saturating_sub(began)),
        }
    }

    /// The outcome in a word or two.
    pub(crate) fn standing(&self) -> &str {
        match (&self.outcome, self.state.as_deref()) {
            (Ok(_), _) => "succeeded",
            (Err(_), Some("succeeded")) => "wrong result",
            (Err(_), Some(state)) => state,
            (Err(_), None) => "no record",
        }
    }
}
