//! What the sweeper has written about how things stand: the note `observe`, `now`, and minute by minute the notes
//! `history`. docs/sweeper.md describes them.

use std::collections::BTreeMap;

use evenkeel::base::time::Time;
use serde::Deserialize;

use crate::{deployment::Deployment, exit::Failure, ports::Ports};

/// The part of a note that is shown. Missing fields read as their defaults: other versions may write others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Observed {
    /// When the tick began, in milliseconds since the epoch; zero if there is no note.
    pub(crate) at: u64,
    /// By queue name.
    pub(crate) queues: BTreeMap<String, QueueSeen>,
    pub(crate) types: BTreeMap<String, TypeSeen>,
    pub(crate) dependencies: BTreeMap<String, DependencySeen>,
    /// Jobs of running batches.
    pub(crate) running: u64,
    /// Jobs whose lease is over and whose run has not come back.
    pub(crate) stuck: u64,
    pub(crate) forecasts: Vec<Forecast>,
    /// Records by state, as the last whole walk through the table counted them.
    pub(crate) states: BTreeMap<String, u64>,
    /// When that walk ended, in milliseconds since the epoch; zero before the first.
    pub(crate) states_at: u64,
}

/// A queue, by the approximate counts of SQS.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct QueueSeen {
    pub(crate) visible: u64,
    pub(crate) delayed: u64,
    pub(crate) dead_letter: bool,
}

/// Runs of a job type that ended within the last whole minute, and its jobs on the index.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct TypeSeen {
    pub(crate) succeeded: u64,
    pub(crate) retried: u64,
    pub(crate) deferred: u64,
    pub(crate) parked: u64,
    pub(crate) dead: u64,
    pub(crate) quarantined: u64,
    /// Median time from creation to success, in seconds.
    pub(crate) p50_s: Option<f64>,
    /// 95th percentile of the same time.
    pub(crate) p95_s: Option<f64>,
    /// Age of the oldest known job, in seconds.
    pub(crate) oldest_s: Option<u64>,
    /// Entries of the index by state, counted up to a cap.
    pub(crate) states: BTreeMap<String, u64>,
    /// Whether a count of `states` may have reached its cap.
    pub(crate) more: bool,
}

/// A dependency and its calls of the last whole minute.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct DependencySeen {
    /// The state of its breaker, such as `half_open`.
    pub(crate) breaker: String,
    /// Its parked jobs, counted up to a cap.
    pub(crate) parked: u64,
    /// Whether `parked` may have reached its cap.
    pub(crate) more: bool,
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) throttled: u64,
    pub(crate) p95_ms: Option<u64>,
}

/// Something that is about to happen, by the sweeper's estimate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Forecast {
    /// Such as `hits_hourly_limit`.
    pub(crate) what: String,
    /// The queue or the dependency.
    pub(crate) about: String,
    /// Seconds from the observation until it happens.
    pub(crate) in_s: Option<u64>,
    pub(crate) evidence: String,
}

impl TypeSeen {
    /// Runs that ended in any way.
    pub(crate) fn ended(&self) -> u64 {
        let counts =
            [self.succeeded, self.retried, self.deferred, self.parked, self.dead, self.quarantined];
        counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Jobs that ended without success.
    pub(crate) fn failed(&self) -> u64 {
        self.dead.saturating_add(self.quarantined)
    }
}

impl Observed {
    /// When the sweeper last reported; `None` if it has not for a day.
    pub(crate) fn at(&self) -> Option<Time> {
        (self.at > 0).then(|| Time::from_millis(self.at))
    }

    /// Runs of this type that ended within the last whole minute; `None` if nothing is known of the type.
    pub(crate) fn per_minute(&self, kind: &str) -> Option<u64> {
        self.types.get(kind).map(TypeSeen::ended)
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

/// Reads at most `most` observations from after this time on, earliest first, and what that cost. One that cannot be
/// read is left out.
pub(crate) async fn history<P: Ports>(
    ports: &P,
    stack: &Deployment,
    after: Time,
    most: usize,
) -> Result<(Vec<Observed>, f64), Failure> {
    let name = format!("{:015}", after.as_millis());
    let read = ports.notes_after(&stack.control, "history", &name, most).await?;
    let notes = read.value.iter().filter_map(|note| serde_json::from_str(&note.text).ok());
    Ok((notes.collect(), read.units))
}
