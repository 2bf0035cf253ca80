//! Pages through a list: where the next page begins, when the list has ended, and whether the read
//! is complete.
//!
//! What sites report about their lists is unreliable. They limit the page size without saying so,
//! report wrong totals, and some ignore the requested start. The cursor therefore counts the
//! entries that it receives.

use evenkeel::{base::hash::sha256_hex, policy::MAX_CURSOR_BYTES};
use inventory::vin;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::PAGE_SIZE, inventory::Page, payload::Condition, vehicle::BadVehicle, vins::Vins,
};

/// Most pages of all lists together. At the smallest page size observed, 35, 5,000 cars are 143
/// pages.
pub const MAX_PAGES: u32 = 1_000;

/// Most cars of all lists together, at 17 bytes each in the cursor. A group of dealers with more has a feed for each
/// dealer.
pub const MAX_VINS: u32 = 9_000;

/// Bytes of a cursor besides VINs and pages: the summary and the lists' own numbers.
const REST_BYTES: usize = 16 * 1024;

const _: () = assert!(
    MAX_VINS as usize * vin::LENGTH + MAX_PAGES as usize * (PRINT_DIGITS + 3) + REST_BYTES
        < MAX_CURSOR_BYTES,
    "the largest cursor fits into a record"
);

/// How many different pages in a row without a new car end the list: it has been read, or the site
/// returns random pages. A single one may be coincidence, when cars are added during the read.
const BARREN_PAGES: u32 = 3;

/// Hexadecimal digits of a page's fingerprint. 64 bits make a collision among a thousand pages
/// practically impossible.
const PRINT_DIGITS: usize = 16;

/// Most unreadable entries of a healthy read, in percent. One is always allowed.
const MAX_BAD_PERCENT: u64 = 5;

/// The progress of reading one list. It is stored when another run continues the read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    condition: Condition,
    /// First entry of the next page, counted from 0: the number of entries so far.
    start: u32,
    /// The highest total that the site has reported.
    total: Option<u32>,
    vins: Vins,
    /// Number of unreadable entries.
    bad: u32,
    /// How many of them are counted in `vins`, because their VIN could be read.
    #[serde(default)]
    named: u32,
    /// The fingerprints of all pages.
    prints: Vec<String>,
    /// Number of pages in a row without a new car.
    barren: u32,
    ended: Option<End>,
}

/// The next step of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch the next page.
    Fetch {
        /// First entry of the page, counted from 0.
        start: u32,
    },
    /// The list has ended.
    Done(End),
}

/// Why a list has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// A page was empty.
    Empty,
    /// As many entries were read as the site's total.
    Total,
    /// A page was returned twice, or several pages in a row had no new car.
    Repeated,
    /// The list has more pages or cars than [`MAX_PAGES`] and [`MAX_VINS`] allow.
    Capped,
}

impl Cursor {
    /// A cursor at the beginning of a list.
    #[must_use]
    pub fn new(condition: Condition) -> Self {
        Self {
            condition,
            start: 0,
            total: None,
            vins: Vins::default(),
            bad: 0,
            named: 0,
            prints: Vec::new(),
            barren: 0,
            ended: None,
        }
    }

    /// The next step. It is the same for a cursor that was stored and loaded.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self.ended {
            Some(end) => Step::Done(end),
            None => Step::Fetch { start: self.start },
        }
    }

    /// Counts the page that [`Self::step`] asked for, and returns the next step. After the end of
    /// the list, further pages change nothing.
    pub fn next(&mut self, page: &Page) -> Step {
        if self.ended.is_none() {
            self.ended = self.take(page);
        }
        self.step()
    }

    fn take(&mut self, page: &Page) -> Option<End> {
        // The highest total counts: a page beyond the end may report none or zero.
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
            self.barren = self.barren.saturating_add(1);
        }
        self.end(entries, page)
    }

    /// Counts the entries of a page; returns whether the page has anything new.
    fn count(&mut self, page: &Page) -> bool {
        let cars = page.vehicles.iter().flatten();
        let new =
            cars.filter(|car| self.vins.count() < MAX_VINS && self.vins.insert(&car.vin)).count();
        let bad = page.vehicles.iter().filter(|entry| entry.is_err()).count();
        // A page without a readable car counts as new, since its fingerprint is new.
        let news = new > 0 || bad == page.vehicles.len();
        if news {
            self.bad = self.bad.saturating_add(u32::try_from(bad).unwrap_or(u32::MAX));
        }
        // A car whose entry is damaged is listed, so it is not gone.
        let named = page.vehicles.iter().filter_map(|entry| entry.as_ref().err()?.vin());
        for vin in named {
            if self.vins.count() < MAX_VINS && self.vins.insert(vin) {
                self.named = self.named.saturating_add(1);
            }
        }
        news
    }

    /// Why the list ends with this page of `entries` entries; `None` if it goes on.
    fn end(&self, entries: u32, page: &Page) -> Option<End> {
        // Most lists end with a page that is not full. A full page at the total may mean that the
        // site reports the page's count as the total, so one more page is requested.
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

    /// The site's total, unless more cars than that were seen.
    fn believed_total(&self) -> Option<u32> {
        self.total.filter(|total| self.vins.count() <= *total)
    }

    /// Whether the list was read to its end and every car in it was seen. Only a complete read
    /// shows that a car is no longer listed.
    ///
    /// A plausible total decides. Without one the list must have ended with an empty page, because
    /// a repeated page may mean that the site ignores the requested start.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match (self.ended, self.believed_total()) {
            (None | Some(End::Capped), _) => false,
            (Some(_), Some(total)) => {
                let unnamed = self.bad.saturating_sub(self.named);
                self.vins.count().saturating_add(unnamed) >= total
            }
            (Some(end), None) => end == End::Empty,
        }
    }

    /// Whether few enough entries were unreadable. A car in an unreadable entry would seem removed, unless its VIN can be
    /// read.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let entries = u64::from(self.vins.count()) + u64::from(self.bad);
        self.bad <= 1 || u64::from(self.bad) * 100 <= entries * MAX_BAD_PERCENT
    }

    /// Ends the list here, because the dealer's lists together exceed the limits.
    pub fn cap(&mut self) {
        self.ended.get_or_insert(End::Capped);
    }

    /// The list that is read.
    #[must_use]
    pub const fn condition(&self) -> Condition {
        self.condition
    }

    /// The cars seen so far, each once.
    #[must_use]
    pub const fn vins(&self) -> &Vins {
        &self.vins
    }

    /// Number of unreadable entries so far.
    #[must_use]
    pub const fn bad(&self) -> u32 {
        self.bad
    }

    /// Number of different pages so far.
    #[must_use]
    pub fn pages(&self) -> u32 {
        u32::try_from(self.prints.len()).unwrap_or(u32::MAX)
    }
}

/// Identifies a page, so that it is recognised if the site returns it again, in any order: a hash
/// of its VINs, or of the bad entries' marks if it has no VIN. Other fields may differ at every
/// read.
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
