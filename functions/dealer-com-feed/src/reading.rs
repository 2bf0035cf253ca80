//! How far a reading of a feed has come, and what it says in the end.

use evenkeel::{
    failure::{Class, Failure},
    job::Progress,
};
use serde::{Deserialize, Serialize};

use crate::{
    fan_out::Made,
    inventory::Page,
    paging::{Cursor, MAX_PAGES, MAX_VINS, Step},
    payload::{Condition, Feed},
    site::Known,
};

/// Most runs without a page that was done with: each takes some of its cars.
const MOST_IDLE: u32 = 400;

/// Reasons that a summary keeps.
const MOST_REASONS: usize = 5;

/// What a success leaves in the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Cars listed, each once.
    pub vehicles: u32,
    /// Cars that were not known.
    pub new: u32,
    /// Cars of which something has changed.
    pub changed: u32,
    /// Cars as they were.
    pub unchanged: u32,
    /// Cars no longer listed.
    pub gone: u32,
    /// Entries that were no cars, with the first few reasons.
    pub bad: u32,
    /// Why, of the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_reasons: Vec<String>,
    /// Pages read.
    pub pages: u32,
    /// The jobs that came of it.
    #[serde(flatten)]
    pub made: Made,
    /// Whether every list was read to its end and most of it were cars.
    pub whole: bool,
    /// Whether the site gave nothing, and the last good snapshot stands.
    pub stale: bool,
    /// Why it is stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Summary {
    /// Counts the entries of a page that were no cars.
    pub(crate) fn note_bad(&mut self, page: &Page) {
        for bad in page.vehicles.iter().filter_map(|entry| entry.as_ref().err()) {
            self.bad += 1;
            if self.bad_reasons.len() < MOST_REASONS {
                self.bad_reasons.push(format!("entry {}: {}", bad.position, bad.reason));
            }
        }
    }
}

/// How far the work has come; it is kept as the cursor of the record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) site: Known,
    pub(crate) lists: Vec<Cursor>,
    pub(crate) summary: Summary,
    /// When it began, in milliseconds since the epoch.
    pub(crate) began: u64,
    /// Runs since a page was done with.
    #[serde(default)]
    idle: u32,
}

impl Reading {
    /// Nothing is read yet.
    pub(crate) fn begun(began: u64) -> Self {
        Self { began, ..Self::default() }
    }

    /// Whether a page before has shown this car.
    pub(crate) fn has(&self, vin: &str) -> bool {
        self.lists.iter().any(|list| list.vins().contains(vin))
    }

    /// Pages so far.
    pub(crate) fn pages(&self) -> u32 {
        self.lists.iter().map(Cursor::pages).sum()
    }

    /// The page to fetch next; `None` if every list is read.
    pub(crate) fn next(&mut self, feed: &Feed) -> Option<(Condition, u32)> {
        let vins: u32 = self.lists.iter().map(|list| list.vins().count()).sum();
        if vins >= MAX_VINS || self.pages() >= MAX_PAGES {
            self.lists.iter_mut().for_each(Cursor::cap);
            return None;
        }
        for condition in &feed.conditions {
            let started = self.lists.iter().find(|list| list.condition() == *condition);
            let step = if let Some(list) = started {
                list.step()
            } else {
                let list = Cursor::new(*condition);
                let step = list.step();
                self.lists.push(list);
                step
            };
            if let Step::Fetch { start } = step {
                return Some((*condition, start));
            }
        }
        None
    }

    pub(crate) fn advance(&mut self, condition: Condition, page: &Page) {
        if let Some(list) = self.lists.iter_mut().find(|list| list.condition() == condition) {
            list.next(page);
            self.idle = 0;
        }
    }

    /// The work goes on in another run, from here.
    ///
    /// It does not, if no page was done with for as many runs as the largest one may need: a page
    /// whose cars are others each time would never end, and make jobs each time.
    pub(crate) fn more(&mut self) -> Result<Progress<Summary>, Failure> {
        self.idle += 1;
        if self.idle > MOST_IDLE {
            let message = format!("a page that is not done with after {MOST_IDLE} runs");
            return Err(Failure::new(Class::Anomaly, "no_progress", message));
        }
        let no_json = |error: serde_json::Error| {
            Failure::new(Class::Permanent, "cursor_not_json", error.to_string())
        };
        Ok(Progress::More(serde_json::to_string(&self).map_err(no_json)?))
    }
}

pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_never_done_with_ends_the_work() {
        let mut reading = Reading::begun(0);
        for run in 0..MOST_IDLE {
            let Ok(Progress::More(cursor)) = reading.more() else { panic!("run {run}") };
            reading = serde_json::from_str(&cursor).unwrap();
        }
        assert_eq!(reading.more().unwrap_err().code(), "no_progress");
    }
}
