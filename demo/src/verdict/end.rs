//! How a job of the incident ended.

use super::outcome::Output;
use crate::incident::job::Kind;
use crate::scene::record::Record;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) kind: Kind,
    /// What the job is called.
    pub(crate) name: String,
    /// The key of its record.
    pub(crate) key: Option<String>,
    /// The state of its record.
    pub(crate) state: Option<String>,
    /// What the record says of the result, if that is true.
    pub(crate) outcome: Result<Output, String>,
    /// From sending the first message, or from being made by a feed, to the end of the record, in
    /// milliseconds.
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

    /// What became of it, in a word or two.
    pub(crate) fn standing(&self) -> &str {
        match (&self.outcome, self.state.as_deref()) {
            (Ok(_), _) => "succeeded",
            (Err(_), Some("succeeded")) => "wrong result",
            (Err(_), Some(state)) => state,
            (Err(_), None) => "no record",
        }
    }
}
