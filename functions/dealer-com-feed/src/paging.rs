//! Reading a list to its end: where the next page begins, when there is none, and whether all was
//! read.
//!
//! What sites say of themselves is not to be relied on. The page size asked for is capped without
//! a word, the total may be wrong, and some ignore where a page is to begin. So the cursor counts
//! what came.

use evenkeel::base::hash::sha256_hex;
use inventory::vin;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::PAGE_SIZE, inventory::Page, payload::Condition, vehicle::BadVehicle, vins::Vins,
};

/// Most pages of all lists: 5,000 cars at the smallest cap seen, 35, are 143 pages.
pub const MAX_PAGES: u32 = 1_000;

/// Most cars of all lists, at 17 bytes each in the cursor: more than any group of dealers has.
pub const MAX_VINS: u32 = 18_000;

/// Bytes that a cursor may take in its record; DynamoDB allows 400 KB in all.
const CURSOR_BYTES: usize = 340 * 1024;

const _: () = assert!(
    MAX_VINS as usize * vin::LENGTH + MAX_PAGES as usize * (PRINT_DIGITS + 3) < CURSOR_BYTES,
    "a cursor fits a record"
);

/// Pages in a row that bring no car that was not seen before, though they differ: the list has been
/// read, or the site answers at random. One may be an accident, when cars are added as we read.
const BARREN_PAGES: u32 = 3;

/// Hexadecimal digits of a page's fingerprint. 64 bits: no two of a thousand pages meet by chance.
const PRINT_DIGITS: usize = 16;

/// Entries that may be unreadable in a healthy read, in percent; one always may.
const MAX_BAD_PERCENT: u64 = 5;

/// How far the read of one list has come. It is stored when the work goes on in another run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    condition: Condition,
    /// Where the next page begins: the entries so far, from 0.
    start: u32,
    /// The highest total that the site has named.
    total: Option<u32>,
    vins: Vins,
    /// Unreadable entries.
    bad: u32,
    /// The fingerprint of every page.
    prints: Vec<String>,
    /// Pages in a row without a new car.
    barren: u32,
    ended: Option<End>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch the page that begins with this entry, from 0.
    Fetch {
        /// The entry.
        start: u32,
    },
    /// The list is over.
    Done(End),
}

/// Why a list is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// An empty page.
    Empty,
    /// The total that the site named is reached.
    Total,
    /// A page came again, or several pages brought nothing new.
    Repeated,
    /// More pages or cars than any dealer has.
    Capped,
}

impl Cursor {
    /// At the beginning of a list.
    #[must_use]
    pub fn new(condition: Condition) -> Self {
        Self {
            condition,
            start: 0,
            total: None,
            vins: Vins::default(),
            bad: 0,
            prints: Vec::new(),
            barren: 0,
            ended: None,
        }
    }

    /// What to do now, also for a cursor that comes from the store.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self.ended {
            Some(end) => Step::Done(end),
            None => Step::Fetch { start: self.start },
        }
    }

    /// Takes the page that [`Self::step`] asked for, and says what to do next. Once the list is
    /// over, further pages change nothing.
    pub fn next(&mut self, page: &Page) -> Step {
        if self.ended.is_none() {
            self.ended = self.take(page);
        }
        self.step()
    }

    fn take(&mut self, page: &Page) -> Option<End> {
        // A page beyond the end may name no total or zero; cars sold meanwhile do not matter.
        self.total = self.total.max(page.total);
        let entries = u32::try_from(page.vehicles.len()).unwrap_or(u32::MAX);
        if entries == 0 {
            return Some(End::Empty);
        }
        let print = fingerprint(page);
        if self.prints.contains(&print) {
            return Some(End::Repeated);
        }
        self.prints.push(print);
        self.start = self.start.saturating_add(entries);
        if self.count(page) {
            self.barren = 0;
        } else {
            self.barren += 1;
        }
        self.end(entries, page)
    }

    /// Counts the entries of a page that was not there before; says whether one of them is new.
    fn count(&mut self, page: &Page) -> bool {
        let cars = page.vehicles.iter().flatten();
        let new =
            cars.filter(|car| self.vins.count() < MAX_VINS && self.vins.insert(&car.vin)).count();
        let bad = page.vehicles.iter().filter(|entry| entry.is_err()).count();
        // Without any car the page itself is the news.
        let news = new > 0 || bad == page.vehicles.len();
        if news {
            self.bad = self.bad.saturating_add(u32::try_from(bad).unwrap_or(u32::MAX));
        }
        news
    }

    /// Whether the list is over with this page of so many entries.
    fn end(&self, entries: u32, page: &Page) -> Option<End> {
        // The last page of most lists is a short one. A full one at the total may mean that the
        // site named the page's count as the total: one more look is cheap.
        let full = entries >= page.page_size.filter(|size| *size > 0).unwrap_or(PAGE_SIZE);
        if self.barren >= BARREN_PAGES {
            Some(End::Repeated)
        } else if !full && self.believed_total().is_some_and(|total| self.start >= total) {
            Some(End::Total)
        } else if self.pages() >= MAX_PAGES || self.vins.count() >= MAX_VINS {
            Some(End::Capped)
        } else {
            None
        }
    }

    /// The total, unless there are more cars than it says.
    fn believed_total(&self) -> Option<u32> {
        self.total.filter(|total| self.vins.count() <= *total)
    }

    /// Whether the list was read to its end and every car of it was seen. Only then does it say
    /// anything that a car is not in it.
    ///
    /// A believable total decides. Without one only an empty page does: a page that comes again may
    /// mean that the site ignores where it is to begin.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match (self.ended, self.believed_total()) {
            (None | Some(End::Capped), _) => false,
            (Some(_), Some(total)) => self.vins.count().saturating_add(self.bad) >= total,
            (Some(end), None) => end == End::Empty,
        }
    }

    /// Whether what was read is mostly cars. A car in an entry that cannot be read looks gone.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let entries = u64::from(self.vins.count()) + u64::from(self.bad);
        self.bad <= 1 || u64::from(self.bad) * 100 <= entries * MAX_BAD_PERCENT
    }

    /// Ends the list where it is: the lists of this dealer together are longer than can be kept.
    pub fn cap(&mut self) {
        self.ended.get_or_insert(End::Capped);
    }

    /// Which list it is.
    #[must_use]
    pub const fn condition(&self) -> Condition {
        self.condition
    }

    /// The cars seen so far, each once.
    #[must_use]
    pub const fn vins(&self) -> &Vins {
        &self.vins
    }

    /// Entries so far that were no cars.
    #[must_use]
    pub const fn bad(&self) -> u32 {
        self.bad
    }

    /// Different pages so far.
    #[must_use]
    pub fn pages(&self) -> u32 {
        u32::try_from(self.prints.len()).unwrap_or(u32::MAX)
    }
}

/// What a page is known by when it comes again, in whatever order: its VINs, and if it has none,
/// what it has instead. Anything else in it may differ at every reading.
fn fingerprint(page: &Page) -> String {
    let vins = page.vehicles.iter().flatten().map(|car| car.vin.as_str());
    let mut parts: Vec<&str> = vins.collect();
    if parts.is_empty() {
        let bad = page.vehicles.iter().filter_map(|entry| entry.as_ref().err());
        parts.extend(bad.map(BadVehicle::mark));
    }
    parts.sort_unstable();
    let mut print = sha256_hex(&parts);
    print.truncate(PRINT_DIGITS);
    print
}

#[cfg(test)]
#[path = "paging_tests.rs"]
mod tests;
