//! What the sweeper has last written about how things stand: the note `observe`, `now`.

use std::collections::BTreeMap;

use evenkeel::base::time::Time;
use serde::Deserialize;

use crate::{deployment::Deployment, exit::Failure, ports::Ports};

/// The part of the note that commands use. Missing fields read as their defaults: other versions may write others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Observed {
    /// When the tick began, in milliseconds since the epoch; zero if there is no note.
    pub(crate) at: u64,
    types: BTreeMap<String, TypeSeen>,
    /// Jobs whose lease is over and whose run has not come back.
    pub(crate) stuck: u64,
}

/// Runs of a job type that ended within the last whole minute.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct TypeSeen {
    succeeded: u64,
    retried: u64,
    deferred: u64,
    parked: u64,
    dead: u64,
    quarantined: u64,
}

impl Observed {
    /// When the sweeper last reported; `None` if it has not for a day.
    pub(crate) fn at(&self) -> Option<Time> {
        (self.at > 0).then(|| Time::from_millis(self.at))
    }

    /// Runs of this type that ended within the last whole minute; `None` if nothing is known of the type.
    pub(crate) fn per_minute(&self, kind: &str) -> Option<u64> {
        let seen = self.types.get(kind)?;
        let counts =
            [seen.succeeded, seen.retried, seen.deferred, seen.parked, seen.dead, seen.quarantined];
        Some(counts.iter().fold(0, |sum, count| sum.saturating_add(*count)))
    }
}

/// Reads the note, and what that cost. A note that cannot be read counts as absent.
pub(crate) async fn observed<P: Ports>(
    ports: &P,
    stack: &Deployment,
) -> Result<(Observed, f64), Failure> {
    let read = ports.notes(&stack.control, "observe", 1).await?;
    let text = read.value.first().map(|note| note.text.as_str()).unwrap_or_default();
    Ok((serde_json::from_str(text).unwrap_or_default(), read.units))
}
