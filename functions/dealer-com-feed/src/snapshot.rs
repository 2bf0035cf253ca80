//! The last read that was good: what this one is compared with, and what stands in for it.

use std::collections::BTreeMap;

use evenkeel::failure::{Class, Failure};
use inventory::vehicles::Vehicles;
use serde::{Deserialize, Serialize};

use crate::{
    collapse::Counts,
    payload::{Condition, Feed},
    reading::Summary,
};

/// What was noted of the last read that was good: whole, healthy and no collapse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When, in milliseconds since the epoch.
    pub at: u64,
    /// Cars of all lists, each once.
    pub vehicles: u32,
    /// Cars by list, each as it was read last; some stand in two.
    pub counts: Counts,
    /// When each list was read last, in milliseconds since the epoch.
    #[serde(default)]
    pub read_at: BTreeMap<Condition, u64>,
}

/// The dealer's last good read, if there was one.
pub(crate) async fn last<V: Vehicles>(
    vehicles: &V,
    feed: &Feed,
) -> Result<Option<Snapshot>, Failure> {
    let note = vehicles.list(&feed.dealer_slug).await.map_err(|error| error.unstarted())?;
    Ok(note.and_then(|note| serde_json::from_str(&note).ok()))
}

/// What stands in when the site gives nothing and there is no more to try: the last good
/// snapshot, marked as stale. Without one the failure stands.
pub(crate) async fn stand_in<V: Vehicles>(
    vehicles: &V,
    feed: &Feed,
    last_try: bool,
    failure: Failure,
) -> Result<Summary, Failure> {
    let hopeless = match failure.class() {
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
