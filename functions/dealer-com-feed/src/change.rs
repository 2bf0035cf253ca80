//! What differs between a read and the store: the cars that call for work, and those that are gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    collapse::{self, Counts},
    content::content_hash,
    paging::Cursor,
    payload::Condition,
    vehicle::Vehicle,
};

/// A car with its content hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The car.
    pub vehicle: &'a Vehicle,
    /// Its hash, as [`content_hash`] makes it.
    pub hash: String,
}

/// The cars of a page by what they call for, each in the page's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// Not in the store.
    pub new: Vec<Listed<'a>>,
    /// In the store with another hash.
    pub changed: Vec<Listed<'a>>,
    /// In the store with this hash.
    pub unchanged: Vec<Listed<'a>>,
}

/// Compares cars with the hashes in the store, by VIN. Of a car that stands there twice the first
/// counts.
///
/// A car that was marked as gone has no hash in the store, so it is new when it comes back.
#[must_use]
pub fn compare<'a>(
    vehicles: impl IntoIterator<Item = &'a Vehicle>,
    stored: &BTreeMap<String, String>,
) -> Changes<'a> {
    let mut changes = Changes::default();
    let mut seen = BTreeSet::new();
    for vehicle in vehicles {
        let vin = vehicle.vin.as_str();
        if !seen.insert(vin) {
            continue;
        }
        let listed = Listed { vehicle, hash: content_hash(vehicle) };
        match stored.get(vin) {
            None => changes.new.push(listed),
            Some(hash) if *hash == listed.hash => changes.unchanged.push(listed),
            Some(_) => changes.changed.push(listed),
        }
    }
    changes
}

/// The VINs in the store that are listed no more.
///
/// `stored` are VINs with the list in which they were last seen, `reads` all that this run has
/// read, and `last_good` the counts of the last good read. Nothing is gone unless every one of the
/// reads is whole and healthy and together they have not collapsed: a car may have moved into the
/// very list that failed. A car is looked for in all of the lists, and one whose own list was not
/// read is left alone.
#[must_use]
pub fn gone<'a>(
    stored: impl IntoIterator<Item = (&'a str, Condition)>,
    reads: &[Cursor],
    last_good: &Counts,
) -> Vec<&'a str> {
    let sound = reads.iter().all(|read| read.is_whole() && read.is_healthy());
    if !sound || collapse::judge(last_good, &Counts::of(reads)).is_some() {
        return Vec::new();
    }
    let was_read = |list: Condition| reads.iter().any(|read| read.condition() == list);
    let is_listed = |vin: &str| reads.iter().any(|read| read.vins().contains(vin));
    let gone = stored.into_iter().filter(|&(vin, list)| was_read(list) && !is_listed(vin));
    gone.map(|(vin, _)| vin).collect()
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
