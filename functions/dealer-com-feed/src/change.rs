//! What differs between a read and the store: the cars that call for work, and those that are gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    collapse::{self, Counts},
    content::content_hash,
    paging::Cursor,
    payload::{Condition, FanOut},
    vehicle::Vehicle,
};

/// What stands in the store as a car's hash: its content hash, and which jobs it has had for this
/// content. Another feed of the same cars may ask for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The content hash.
    pub hash: String,
    /// The jobs that were made.
    pub had: FanOut,
}

impl Mark {
    /// Reads what [`Mark`]'s `Display` has written.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (hash, had) = text.split_once('+').unwrap_or((text, "scrape,shorten"));
        let has = |job| had.split(',').any(|name| name == job);
        Self { hash: hash.into(), had: FanOut { scrape: has("scrape"), shorten: has("shorten") } }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let had = match (self.had.scrape, self.had.shorten) {
            (true, true) => "",
            (true, false) => "+scrape",
            (false, true) => "+shorten",
            (false, false) => "+",
        };
        write!(f, "{}{had}", self.hash)
    }
}

/// A car with its content hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The car.
    pub vehicle: &'a Vehicle,
    /// Its hash, as [`content_hash`] makes it.
    pub hash: String,
    /// The jobs that it has had for this content.
    pub had: FanOut,
}

/// The cars of a page by what they call for, each in the page's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// Not in the store.
    pub new: Vec<Listed<'a>>,
    /// In the store with another hash.
    pub changed: Vec<Listed<'a>>,
    /// In the store with this hash, and without a job that is wanted now.
    pub lacking: Vec<Listed<'a>>,
    /// In the store with this hash.
    pub unchanged: Vec<Listed<'a>>,
}

/// Compares cars with the marks in the store, by VIN, when these jobs are `wanted`. Of a car that
/// stands there twice the first counts.
///
/// A car that was marked as gone has no hash in the store, so it is new when it comes back.
#[must_use]
pub fn compare<'a>(
    vehicles: impl IntoIterator<Item = &'a Vehicle>,
    stored: &BTreeMap<String, Mark>,
    wanted: FanOut,
) -> Changes<'a> {
    let mut changes = Changes::default();
    let mut seen = BTreeSet::new();
    for vehicle in vehicles {
        let vin = vehicle.vin.as_str();
        if !seen.insert(vin) {
            continue;
        }
        let (hash, known) = (content_hash(vehicle), stored.get(vin));
        let same = known.filter(|mark| mark.hash == hash);
        let listed = Listed { vehicle, hash, had: same.map_or(FanOut::NONE, |mark| mark.had) };
        let place = match (known, same) {
            (None, _) => &mut changes.new,
            (_, None) => &mut changes.changed,
            (_, Some(mark)) if mark.had.and(wanted) == mark.had => &mut changes.unchanged,
            _ => &mut changes.lacking,
        };
        place.push(listed);
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
