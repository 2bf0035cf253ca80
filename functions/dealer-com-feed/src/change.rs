//! Compares a read of the site with the store: which cars need jobs, and which are no longer
//! listed.

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

/// The value stored as a car's hash: its content hash, and the jobs already created for this
/// content. Another feed of the same cars may ask for other jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The content hash, 64 hexadecimal digits.
    pub hash: String,
    /// The jobs that were created.
    pub had: FanOut,
}

impl Mark {
    /// Parses the format that [`Mark`]'s `Display` writes: the hash, and if not both jobs were
    /// created, `+` and their names.
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
    /// The car as the site lists it.
    pub vehicle: &'a Vehicle,
    /// The result of [`content_hash`].
    pub hash: String,
    /// The jobs already created for this content.
    pub had: FanOut,
}

/// The cars of a page, grouped by how they differ from the store. Each group is in the page's
/// order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// Cars that the store does not list.
    pub new: Vec<Listed<'a>>,
    /// Cars stored with another hash.
    pub changed: Vec<Listed<'a>>,
    /// Cars stored with this hash, for which a wanted job has not been created.
    pub lacking: Vec<Listed<'a>>,
    /// Cars stored with this hash, for which all wanted jobs have been created.
    pub unchanged: Vec<Listed<'a>>,
}

/// Compares cars with the marks in the store by VIN; `wanted` are the jobs that the feed asks for.
/// If a VIN occurs twice, its first entry counts.
///
/// An unlisted car has no hash in the store, so it counts as new when the site lists it again.
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

/// The stored VINs that the site no longer lists.
///
/// `stored` are VINs with the list in which each was last seen, `reads` the lists of this read, and
/// `last_good` the counts of the last good read. The result is empty unless every list was read
/// completely, is healthy, and the counts have not collapsed: a car may have moved to a list whose
/// read failed. A car counts as listed if any list has it. A car whose own list was not read is
/// never in the result.
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
