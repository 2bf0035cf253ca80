//! A day of a subject: its counters by hour, as reports read them.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use serde::{Deserialize, Serialize};

use crate::base::time::Time;
use crate::dependency::stats::{Bucket, bucket_start};

/// How long a day is kept.
pub const DAY_RETENTION: Duration = Duration::from_hours(400 * 24);

const DAY: Duration = Duration::from_hours(24);

/// What days are kept of. The note of a day has this kind, and `DATE#SUBJECT` as its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayKind {
    /// A job type: the counters of its runs.
    Type,
    /// A dependency that all jobs of a type share: the counters of its calls, and `opened`.
    Dependency,
    /// A host in trouble: `calls`, `failed`, `throttled`.
    Host,
    /// An error pattern: `failed`, and a sample. Its subject is `TYPE#FINGERPRINT`.
    Pattern,
}

impl DayKind {
    /// The kind of the notes.
    #[must_use]
    pub const fn note(self) -> &'static str {
        match self {
            Self::Type => "day:type",
            Self::Dependency => "day:dependency",
            Self::Host => "day:host",
            Self::Pattern => "day:pattern",
        }
    }
}

/// The start of the day in UTC that contains `at`.
#[must_use]
pub const fn day_start(at: Time) -> Time {
    bucket_start(at, DAY)
}

/// The date in UTC, such as `2026-11-29`.
#[must_use]
pub fn date(at: Time) -> String {
    at.to_string().chars().take("2026-11-29".len()).collect()
}

/// A day of a subject, by hour in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Day {
    /// The first hours of the day that are known; those after them are not over yet.
    pub hours: usize,
    /// Each counter in each hour from midnight on, without the zeros at the end.
    pub counts: BTreeMap<String, Vec<u64>>,
    /// The most frequent error patterns of a job type, by fingerprint, over the whole day.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub patterns: BTreeMap<String, u64>,
    /// Counts of the error patterns of a job type by hour, by fingerprint, until the day is over: then each of the most
    /// frequent ones has a day of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub patterns_by_hour: BTreeMap<String, Vec<u64>>,
    /// What the failures of an error pattern have in common.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sample: String,
}

/// Adds to what is counted under this name in an hour, from 0 to 23.
fn add(counts: &mut BTreeMap<String, Vec<u64>>, name: &str, hour: usize, more: u64) {
    if more == 0 {
        return;
    }
    if !counts.contains_key(name) {
        counts.insert(name.to_owned(), Vec::new());
    }
    let Some(hours) = counts.get_mut(name) else { return };
    if hours.len() <= hour {
        hours.resize(hour + 1, 0);
    }
    if let Some(count) = hours.get_mut(hour) {
        *count = count.saturating_add(more);
    }
}

impl Day {
    /// Adds to a counter in an hour, from 0 to 23.
    pub fn add(&mut self, counter: &str, hour: usize, more: u64) {
        add(&mut self.counts, counter, hour, more);
    }

    /// Adds to the count of an error pattern in an hour, from 0 to 23.
    pub fn add_pattern(&mut self, fingerprint: &str, hour: usize, more: u64) {
        add(&mut self.patterns_by_hour, fingerprint, hour, more);
    }

    /// Adds the counters of a bucket to an hour.
    pub fn add_bucket(&mut self, hour: usize, bucket: &Bucket) {
        for (name, count) in &bucket.counts {
            self.add(name, hour, *count);
        }
    }

    /// A counter over some hours.
    #[must_use]
    pub fn count(&self, counter: &str, hours: &Range<usize>) -> u64 {
        let counts = self.counts.get(counter).into_iter().flatten().enumerate();
        let within = counts.filter(|(hour, _)| hours.contains(hour));
        within.map(|(_, count)| *count).fold(0, u64::saturating_add)
    }

    /// The sum of some hours.
    #[must_use]
    pub fn sum(&self, hours: &Range<usize>) -> Bucket {
        let sums = self.counts.keys().map(|name| (name.clone(), self.count(name, hours)));
        Bucket::counting(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_add_up_and_those_outside_do_not_count() {
        let mut day = Day::default();
        for (hour, more) in [(0, 1), (5, 10), (5, 20), (23, 100), (7, 0)] {
            day.add("dead", hour, more);
        }
        assert_eq!(day.counts["dead"].len(), 24);
        let count = |hours: Range<usize>| day.count("dead", &hours);
        assert_eq!([count(0..24), count(1..23), count(0..5), count(6..23)], [131, 30, 1, 0]);
        assert_eq!(day.sum(&(5..6)).count("dead"), 30);
        assert_eq!(day.sum(&(6..7)), Bucket::default());
    }

    #[test]
    fn a_day_has_its_date_in_utc() {
        let noon = Time::parse_rfc3339("2026-11-29T12:34:56Z").unwrap();
        assert_eq!(date(noon), "2026-11-29");
        assert_eq!(day_start(noon).to_string(), "2026-11-29T00:00:00Z");
    }

    /// The largest day: every counter and every bin in each hour, at ten million jobs a month.
    #[test]
    fn a_day_takes_at_most_sixteen_kilobytes() {
        let mut day = Day { hours: 24, ..Day::default() };
        let names = (0..24).flat_map(|bin| [format!("t{bin}"), format!("w{bin}")]);
        let names = names.chain((0..32).map(|n| format!("a_counter_name_{n}")));
        for (name, hour) in names.flat_map(|name| (0..24).map(move |hour| (name.clone(), hour))) {
            let many = if name.starts_with('a') { 99_999 } else { 9_999 };
            day.add(&name, hour, many);
        }
        let text = serde_json::to_string(&day).unwrap();
        assert!((9_000..=16 * 1_024).contains(&text.len()), "{} bytes", text.len());
        assert_eq!(serde_json::from_str::<Day>(&text).unwrap(), day);
    }
}
