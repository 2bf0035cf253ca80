//! The state of a read over several runs, and the summary that is its result.

use evenkeel::{
    failure::{Class, Failure},
    job::Progress,
};
use serde::{Deserialize, Serialize};

use crate::{
    fan_out::Made,
    inventory::Page,
    links::is_false,
    paging::{Cursor, MAX_PAGES, MAX_VINS, Step},
    payload::{Condition, Feed},
    site::Known,
    vins::Vins,
};

/// Most runs in a row that finish no page. Each of them processes some of the page's cars, so a
/// large page needs several.
const MOST_IDLE: u32 = 400;

/// Most reasons that a summary keeps: with 200 bytes each, half of what a cursor has room for beside the VINs.
const MOST_REASONS: usize = 40;

/// The result that a successful job stores in its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of listed cars, each counted once.
    pub vehicles: u32,
    /// Cars that were not stored as listed before.
    pub new: u32,
    /// Cars whose content hash has changed.
    pub changed: u32,
    /// Cars whose content hash is the same.
    pub unchanged: u32,
    /// Cars that are no longer listed.
    pub gone: u32,
    /// Number of unreadable entries.
    pub bad: u32,
    /// Why entries were unreadable; only the first forty reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_reasons: Vec<String>,
    /// Number of different pages read.
    pub pages: u32,
    /// The jobs that were created.
    #[serde(flatten)]
    pub made: Made,
    /// The lists that have fallen from some cars to none. Their cars stay listed until that is seen again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubted: Vec<Condition>,
    /// Whether nothing was stored and no job created; then the jobs are those that would be.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// Whether every list was read completely and few entries were unreadable.
    pub whole: bool,
    /// Whether the read failed, so that this is the last good snapshot.
    pub stale: bool,
    /// The failure, if the result is stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Summary {
    /// Counts the unreadable entries of a page and keeps the first reasons.
    pub(crate) fn note_bad(&mut self, page: &Page) {
        for bad in page.vehicles.iter().filter_map(|entry| entry.as_ref().err()) {
            self.bad += 1;
            if self.bad_reasons.len() < MOST_REASONS {
                self.bad_reasons.push(format!("entry {}: {}", bad.position, bad.reason));
            }
        }
    }
}

/// The state of a read. Between runs it is stored as the cursor of the job's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) site: Known,
    pub(crate) lists: Vec<Cursor>,
    pub(crate) summary: Summary,
    /// Start of the read, in milliseconds since the epoch.
    pub(crate) began: u64,
    /// Stored cars that the site lists for another account than the feed's: they have left this dealer.
    #[serde(default)]
    pub(crate) foreign: Vins,
    /// Whether the number of new cars was found plausible, so that jobs may be created.
    #[serde(default)]
    pub(crate) is_judged: bool,
    /// Number of runs since the last finished page.
    #[serde(default)]
    idle: u32,
}

impl Reading {
    /// A read that starts at `began`, in milliseconds since the epoch.
    pub(crate) fn begun(began: u64) -> Self {
        Self { began, ..Self::default() }
    }

    /// Whether an earlier page had this car.
    pub(crate) fn has(&self, vin: &str) -> bool {
        self.lists.iter().any(|list| list.vins().contains(vin))
    }

    /// Number of different pages of all lists so far.
    pub(crate) fn pages(&self) -> u32 {
        self.lists.iter().map(Cursor::pages).sum()
    }

    /// List and first entry of the page to fetch next; `None` if every list has ended.
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

    /// Ends this run so that another one continues from here.
    ///
    /// Fails with code `no_progress` after [`MOST_IDLE`] runs without a finished page. A page with
    /// other cars at every request would never be finished, and would create jobs in every run.
    pub(crate) fn more(&mut self) -> Result<Progress<Summary>, Failure> {
        self.idle = self.idle.saturating_add(1);
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

/// The cursor that a run leaves which has read a stored one and then `page`, or no page. `None` if the stored text is no
/// cursor, or if the read has ended. For fuzz targets.
#[must_use]
pub fn continued(cursor: &str, feed: &Feed, page: Option<&Page>) -> Option<String> {
    let mut reading: Reading = serde_json::from_str(cursor).ok()?;
    let (condition, _) = reading.next(feed)?;
    if let Some(page) = page {
        reading.advance(condition, page);
    }
    match reading.more() {
        Ok(Progress::More(next)) => Some(next),
        _ => None,
    }
}

pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory;

    #[test]
    fn cars_on_order_are_listed_by_their_placeholders() {
        let on_order = |n: u32| format!(r#"{{"vin": "0N0RDER33333338{n:02}"}}"#);
        let entries: Vec<String> = (0..60).map(on_order).collect();
        let body = format!(r#"{{"inventory": [{}]}}"#, entries.join(","));
        let page = inventory::read(body.as_bytes(), &"https://acme.example".parse().unwrap());
        let mut summary = Summary::default();
        summary.note_bad(&page.unwrap());
        assert_eq!((summary.bad, summary.bad_reasons.len()), (60, MOST_REASONS));
        let last = summary.bad_reasons.last().unwrap();
        assert!(last.starts_with("entry 39: vin: 0N0RDER3333333839 is a placeholder"), "{last}");
    }

    #[test]
    fn a_read_fails_if_a_page_is_never_finished() {
        let mut reading = Reading::begun(0);
        for run in 0..MOST_IDLE {
            let Ok(Progress::More(cursor)) = reading.more() else { panic!("run {run}") };
            reading = serde_json::from_str(&cursor).unwrap();
        }
        assert_eq!(reading.more().unwrap_err().code(), "no_progress");
    }

    #[test]
    fn a_cursor_whose_count_of_runs_is_at_its_end_is_never_finished() {
        let mut reading = Reading { idle: u32::MAX, ..Reading::begun(0) };
        assert_eq!(reading.more().unwrap_err().code(), "no_progress");
    }
}
