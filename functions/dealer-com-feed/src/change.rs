//! Compares a read of the site with the store: which cars need jobs, and which are no longer
//! listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use inventory::link::{KeptLink, mark};
use url::Url;

use crate::{
    collapse::{self, Counts},
    content::content_hash,
    paging::Cursor,
    payload::{Condition, FanOut, Feed},
    vehicle::Vehicle,
    vins::Vins,
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

impl Listed<'_> {
    /// The car's VIN.
    #[must_use]
    pub fn vin(&self) -> &str {
        self.vehicle.vin.as_str()
    }
}

/// A link that the feed has asked for: the id of its job depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// As of when the address is right, in milliseconds since the epoch.
    pub as_of: u64,
    /// The [`mark`] of the address.
    pub address: String,
}

impl Asked {
    /// Parses the format that `Display` writes: `as_of:address`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (as_of, address) = text.split_once(':')?;
        Some(Self { as_of: as_of.parse().ok()?, address: address.to_owned() })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.as_of, self.address)
    }
}

/// What is stored about a car.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Of the content for which its jobs were created; `None` if the car is not listed.
    pub mark: Option<Mark>,
    /// Which link was asked for last.
    pub asked: Option<Asked>,
    /// [`mark`]s of its latest addresses.
    pub addresses: Vec<String>,
    /// The content hash of its data, if its jobs are not created yet.
    pub pending: Option<String>,
    /// The link kept for it.
    pub link: Option<KeptLink>,
}

/// A car with its content hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The car as the site lists it.
    pub vehicle: &'a Vehicle,
    /// The result of [`content_hash`].
    pub hash: String,
    /// The jobs already created for this content. A link was if it was asked for, or leads there.
    pub had: FanOut,
    /// Where its link has to lead; `None` if it has no page.
    pub destination: Option<Url>,
    /// The link that was asked for, or is to be.
    pub asked: Option<Asked>,
    /// Whether no link is kept for it.
    pub is_first_link: bool,
    /// The jobs that the feed asks for: none if the page is on another domain than the site.
    pub wanted: FanOut,
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

/// Compares cars with what is stored, by VIN. `as_of` is when this read of the feed began, in milliseconds since
/// 1970. If a VIN occurs twice, its first entry counts.
///
/// An unlisted car has no hash in the store, so it counts as new when the site lists it again.
#[must_use]
pub fn compare<'a>(
    vehicles: impl IntoIterator<Item = &'a Vehicle>,
    stored: &BTreeMap<String, Stored>,
    feed: &Feed,
    as_of: u64,
) -> Changes<'a> {
    let mut changes = Changes::default();
    let mut seen = BTreeSet::new();
    for vehicle in vehicles {
        let vin = vehicle.vin.as_str();
        if !seen.insert(vin) {
            continue;
        }
        let known = stored.get(vin);
        let listed = listed(vehicle, known, feed, as_of);
        let mark = known.and_then(|known| known.mark.as_ref());
        let place = match mark {
            None => &mut changes.new,
            Some(mark) if mark.hash != listed.hash => &mut changes.changed,
            // A read that has failed since has stored other data.
            Some(_) if is_pending_otherwise(known, &listed.hash) => &mut changes.changed,
            Some(_) if listed.had.and(listed.wanted) == listed.had => &mut changes.unchanged,
            Some(_) => &mut changes.lacking,
        };
        place.push(listed);
    }
    changes
}

/// A car, compared with what is stored about it.
pub(crate) fn listed<'a>(
    vehicle: &'a Vehicle,
    known: Option<&Stored>,
    feed: &Feed,
    as_of: u64,
) -> Listed<'a> {
    let hash = content_hash(vehicle);
    let mark = known.and_then(|known| known.mark.as_ref()).filter(|mark| mark.hash == hash);
    let page = vehicle.link.as_deref();
    let destination = page.and_then(|page| feed.links.destination(page));
    let (due, asked) = link_due(destination.as_ref(), known, as_of);
    let wanted = if is_on_site(feed, destination.as_ref()) { feed.fan_out } else { FanOut::NONE };
    // A feed that asks for no link leaves it to others to have asked.
    let asked = if wanted.shorten { asked } else { known.and_then(|car| car.asked.clone()) };
    let had = FanOut { scrape: mark.is_some_and(|mark| mark.had.scrape), shorten: !due };
    let is_first_link = known.is_none_or(|known| known.link.is_none());
    Listed { vehicle, hash, had, destination, asked, is_first_link, wanted }
}

/// Whether the feed may create jobs for this page. Without a page there is none.
fn is_on_site(feed: &Feed, page: Option<&Url>) -> bool {
    page.is_none_or(|page| feed.site().is_ok_and(|site| feed.links.allow(&site, page)))
}

fn is_pending_otherwise(known: Option<&Stored>, hash: &str) -> bool {
    known.and_then(|known| known.pending.as_deref()).is_some_and(|pending| pending != hash)
}

/// How long a link that was asked for may take. Then it is asked for again: its job may have ended for another address.
const ASKED_AGAIN_MS: u64 = 24 * 60 * 60 * 1_000;

/// Whether the feed has to ask for a car's link, and which link it has asked for then.
///
/// It asks if the link is wanted elsewhere, or if there is none; but not again for an address that it has asked for
/// since, unless the car's jobs may not have been created.
fn link_due(
    destination: Option<&Url>,
    known: Option<&Stored>,
    as_of: u64,
) -> (bool, Option<Asked>) {
    let before = known.and_then(|known| known.asked.clone());
    let Some(destination) = destination else { return (false, before) };
    let link = known.and_then(|known| known.link.as_ref());
    let address = mark(destination);
    let since = link.map_or(0, |link| link.as_of.as_millis());
    // What was asked for since the link was set: it may be on its way.
    let newer = before.clone().filter(|asked| asked.as_of > since);
    if link.is_some_and(|link| link.wanted == destination.as_str())
        && newer.as_ref().is_none_or(|asked| asked.address == address)
    {
        return (false, before);
    }
    let is_recent = |asked: &Asked| asked.as_of.saturating_add(ASKED_AGAIN_MS) > as_of;
    let again = newer.filter(|asked| asked.address == address && is_recent(asked));
    match again {
        Some(asked) => {
            let created =
                known.is_some_and(|known| known.mark.is_some() && known.pending.is_none());
            (!created, Some(asked))
        }
        None => (true, Some(Asked { as_of, address })),
    }
}

/// The stored VINs that the site no longer lists.
///
/// `stored` are VINs with the list in which each was last seen, `reads` the lists of this read, and
/// `last_good` the counts of the last good read. The result is empty unless every list was read
/// completely, is healthy, and the counts have not collapsed: a car may have moved to a list whose
/// read failed. A car counts as listed if any list has it. A car whose own list was not read is
/// never in the result. `foreign` are the VINs that the site lists for other accounts.
#[must_use]
pub fn gone<'a>(
    stored: impl IntoIterator<Item = (&'a str, Condition)>,
    reads: &[Cursor],
    last_good: &Counts,
    foreign: &Vins,
) -> Vec<&'a str> {
    let sound = reads.iter().all(|read| read.is_whole() && read.is_healthy());
    if !sound || collapse::judge(last_good, &Counts::of(reads)).is_some() {
        return Vec::new();
    }
    let was_read = |list: Condition| reads.iter().any(|read| read.condition() == list);
    let is_listed =
        |vin: &str| !foreign.contains(vin) && reads.iter().any(|read| read.vins().contains(vin));
    let gone = stored.into_iter().filter(|&(vin, list)| was_read(list) && !is_listed(vin));
    gone.map(|(vin, _)| vin).collect()
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
