//! History: what becomes of buckets in the days that reports read.

use std::{cmp::Reverse, collections::BTreeMap, ops::Range, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{Bucket, BucketKey, Calls, Day, day_start},
    record::outcomes::OF_PATTERN,
};

/// The length of what is rolled up.
pub const HOUR: Duration = Duration::from_hours(1);

/// Error patterns of a day that are kept one by one, of all types together.
pub const MOST_PATTERNS: usize = 200;

/// Error patterns that stand in the day of a type.
const MOST_OF_TYPE: usize = 20;

/// Longest text of a day.
const MOST_BYTES: usize = 16 * 1_024;

/// Hosts in trouble that are kept of a day: the worst ones.
pub const MOST_HOSTS: usize = 50;

/// The hour of the day in UTC, from 0 to 23.
#[must_use]
pub fn hour(at: Time) -> usize {
    let into_day = at.since(day_start(at)).as_secs() / HOUR.as_secs();
    usize::try_from(into_day).unwrap_or_default().min(23)
}

/// How many hours of the day that begins at `start` are over at `until`.
#[must_use]
pub fn hours_over(start: Time, until: Time) -> usize {
    if until <= start {
        0
    } else if start + HOUR * 24 <= until {
        24
    } else {
        hour(until)
    }
}

/// Adds to the day that begins at `start` the hours that are over at `until` and that it does not know yet, with the
/// counts of these buckets. An hour without a bucket is known as well: nothing happened in it. Returns the hours that
/// were added.
pub fn add_hours(
    day: &mut Day,
    start: Time,
    until: Time,
    buckets: &[(BucketKey, Bucket)],
) -> Range<usize> {
    let added = day.hours..hours_over(start, until);
    if added.is_empty() {
        return added;
    }
    for (key, bucket) in buckets.iter().filter(|(key, _)| day_start(key.start) == start) {
        let hour = hour(key.start);
        if !added.contains(&hour) {
            continue;
        }
        for (name, count) in &bucket.counts {
            match name.strip_prefix(OF_PATTERN) {
                Some(fingerprint) => day.add_pattern(fingerprint, hour, *count),
                None => day.add(name, hour, *count),
            }
        }
    }
    day.hours = added.end;
    let sum = |hours: &Vec<u64>| hours.iter().copied().fold(0, u64::saturating_add);
    keep_most(&mut day.patterns_by_hour, MOST_PATTERNS, sum);
    let sums = day.patterns_by_hour.iter().map(|(name, hours)| (name.clone(), sum(hours)));
    day.patterns = sums.collect();
    keep_most(&mut day.patterns, MOST_OF_TYPE, |count| *count);
    added
}

/// The text of a day for its item. If it were too long, the least frequent patterns of the day in progress go.
pub fn text(day: &mut Day) -> serde_json::Result<String> {
    loop {
        let text = serde_json::to_string(day)?;
        let patterns = day.patterns_by_hour.len();
        if text.len() <= MOST_BYTES || patterns == 0 {
            return Ok(text);
        }
        keep_most(&mut day.patterns_by_hour, patterns * 3 / 4, |hours| {
            hours.iter().copied().fold(0, u64::saturating_add)
        });
    }
}

/// The days of the `most` most frequent error patterns of a day of a type that is over. That day then no longer has
/// their counts by hour. The samples are those of the buckets, as far as these have any.
pub fn take_patterns(
    day: &mut Day,
    buckets: &[(BucketKey, Bucket)],
    most: usize,
) -> BTreeMap<String, Day> {
    let hours = std::mem::take(&mut day.patterns_by_hour).into_iter();
    let mut found: BTreeMap<String, Day> = hours
        .map(|(fingerprint, hours)| {
            let counts = BTreeMap::from([("failed".to_owned(), hours)]);
            (fingerprint, Day { hours: 24, counts, ..Day::default() })
        })
        .collect();
    keep_most(&mut found, most, |day| day.count("failed", &(0..24)));
    for (fingerprint, sample) in buckets.iter().flat_map(|(_, bucket)| &bucket.samples) {
        if let Some(day) = found.get_mut(fingerprint) {
            day.sample.clone_from(sample);
        }
    }
    found
}

/// Adds the calls of a minute to those of a host, if some were in trouble, and keeps the worst hosts.
pub fn count_host(hosts: &mut BTreeMap<String, Day>, host: &str, calls: &Calls, hour: usize) {
    if calls.failed + calls.throttled == 0 {
        return;
    }
    let day = hosts.entry(host.to_owned()).or_default();
    let counts =
        [("calls", calls.conclusive()), ("failed", calls.failed), ("throttled", calls.throttled)];
    for (counter, more) in counts {
        day.add(counter, hour, more);
    }
    keep_most(hosts, MOST_HOSTS, |day| {
        day.count("failed", &(0..24)).saturating_add(day.count("throttled", &(0..24)))
    });
}

/// Keeps the `most` entries with the highest `rank`.
fn keep_most<T>(of: &mut BTreeMap<String, T>, most: usize, rank: impl Fn(&T) -> u64) {
    if of.len() <= most {
        return;
    }
    let mut order: Vec<(Reverse<u64>, String)> =
        of.iter().map(|(name, value)| (Reverse(rank(value)), name.clone())).collect();
    order.sort();
    for (_, name) in order.split_off(most) {
        of.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_millis(1_800_057_600_000);

    fn bucket(at: Time, counts: &[(&str, u64)]) -> (BucketKey, Bucket) {
        let key = BucketKey { subject: "s".into(), start: at, generation: 0, shard: 0 };
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        (key, Bucket { counts, ..Bucket::default() })
    }

    #[test]
    fn only_hours_that_are_over_and_unknown_are_added() {
        assert_eq!(day_start(START), START);
        let buckets = [
            bucket(START, &[("dead", 1), ("pattern_ab", 2)]),
            bucket(START + HOUR, &[("dead", 4), ("pattern_ab", 3)]),
            bucket(START + HOUR * 2, &[("dead", 8)]),
            bucket(START + HOUR * 25, &[("dead", 16)]),
        ];
        let mut day = Day::default();
        assert_eq!(add_hours(&mut day, START, START + HOUR, &buckets), 0..1);
        assert_eq!((day.hours, &day.counts["dead"]), (1, &vec![1]));
        // The same buckets again, and the next hour: what is known is not added twice.
        assert_eq!(add_hours(&mut day, START, START + HOUR, &buckets), 1..1);
        assert_eq!(add_hours(&mut day, START, START + HOUR * 2, &buckets), 1..2);
        assert_eq!((day.hours, &day.counts["dead"]), (2, &vec![1, 4]));
        assert_eq!((day.patterns["ab"], &day.patterns_by_hour["ab"]), (5, &vec![2, 3]));
        assert_eq!(add_hours(&mut day, START, START + HOUR * 60, &buckets), 2..24);
        assert_eq!((day.hours, &day.counts["dead"]), (24, &vec![1, 4, 8]));
        let hours = |hours| hours_over(START + HOUR * 24, START + HOUR * hours);
        assert_eq!([0, 24, 27, 48, 90].map(hours), [0, 0, 3, 24, 24]);
    }

    #[test]
    fn the_most_frequent_patterns_are_kept_by_hour() {
        let names: Vec<String> = (0..30).map(|n| format!("pattern_{n:02}")).collect();
        let buckets: Vec<_> = (0_u64..)
            .zip(&names)
            .map(|(n, name)| bucket(START + HOUR * 2, &[(name.as_str(), n + 1)]))
            .collect();
        let mut day = Day::default();
        add_hours(&mut day, START, START + HOUR * 24, &buckets);
        assert_eq!((day.patterns.len(), day.patterns.get("09")), (20, None));
        let found = take_patterns(&mut day, &buckets, 10);
        assert_eq!(found.keys().next().map(String::as_str), Some("20"));
        assert_eq!(found["29"].counts["failed"], [0, 0, 30]);
        assert_eq!((found.len(), day.patterns_by_hour.len()), (10, 0));
    }

    #[test]
    fn a_day_with_many_patterns_in_progress_is_not_too_long() {
        let mut day = Day { hours: 24, ..Day::default() };
        for (n, hour) in (0..MOST_PATTERNS).flat_map(|n| (0..24).map(move |hour| (n, hour))) {
            day.add_pattern(&format!("{n:016x}"), hour, 100 + n as u64);
        }
        let text = text(&mut day).unwrap();
        assert!((10_000..=MOST_BYTES).contains(&text.len()), "{} bytes", text.len());
        assert!(day.patterns_by_hour.contains_key(&format!("{:016x}", MOST_PATTERNS - 1)));
    }

    #[test]
    fn fifty_hosts_are_kept_the_worst_ones() {
        let mut hosts = BTreeMap::new();
        for n in 0..80_u64 {
            let calls = Calls { failed: n, ..Calls::default() };
            count_host(&mut hosts, &format!("page/{n}"), &calls, 3);
        }
        assert_eq!(hosts.len(), MOST_HOSTS);
        assert!(hosts.contains_key("page/79") && !hosts.contains_key("page/29"));
    }
}
