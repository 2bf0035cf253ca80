//! The last good read: each further read is compared with it, and it replaces the result of a read
//! that fails.

use std::collections::BTreeMap;

use evenkeel::{
    failure::{Class, Failure},
    job::robots::FORBIDDEN,
};
use inventory::vehicles::Vehicles;
use serde::{Deserialize, Serialize};

use crate::{
    collapse::Counts,
    growth::ANOMALY,
    payload::{Condition, Feed},
    reading::Summary,
};

/// What is stored about the last good read, which was complete, healthy and plausible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// End of the read, in milliseconds since the epoch.
    pub at: u64,
    /// Number of cars in all lists, each counted once.
    pub vehicles: u32,
    /// Number of cars in each list at its last good read. A car in two lists counts in both.
    pub counts: Counts,
    /// End of each list's last good read, in milliseconds since the epoch.
    #[serde(default)]
    pub read_at: BTreeMap<Condition, u64>,
    /// The lists that were empty at the last read and not before, each with the time when that was seen first, in
    /// milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub emptied: BTreeMap<Condition, u64>,
}

/// The dealer's last good read; `None` if there was none.
pub(crate) async fn last<V: Vehicles>(
    vehicles: &V,
    feed: &Feed,
) -> Result<Option<Snapshot>, Failure> {
    let note = vehicles.list(&feed.dealer_slug).await.map_err(|error| error.unstarted())?;
    Ok(note.and_then(|note| serde_json::from_str(&note).ok()))
}

/// The result of a read that failed and will not be retried: the last good snapshot, marked as
/// stale.
///
/// Returns `failure` if there is no snapshot or if the job will be retried.
pub(crate) async fn stand_in<V: Vehicles>(
    vehicles: &V,
    feed: &Feed,
    last_try: bool,
    failure: Failure,
) -> Result<Summary, Failure> {
    let hopeless = match failure.class() {
        // A person has to confirm what the site lists, or that it may be read.
        _ if [ANOMALY, FORBIDDEN].contains(&failure.code()) => false,
        Class::Transient | Class::Anomaly => last_try,
        Class::Systemic | Class::Permanent => true,
        _ => false,
    };
    if !hopeless {
        return Err(failure);
    }
    match last(vehicles, feed).await {
        Ok(Some(snapshot)) => Ok(Summary {
            vehicles: snapshot.vehicles,
            stale: true,
            why: Some(failure.to_string()),
            ..Summary::default()
        }),
        _ => Err(failure),
    }
}
