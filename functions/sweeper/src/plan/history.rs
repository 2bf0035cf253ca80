//! History: what becomes of buckets in the days that reports read.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{Bucket, BucketKey, Day, day_start},
    record::outcomes::OF_PATTERN,
};

use super::observation::DependencySeen;

/// The length of what is rolled up.
pub const HOUR: Duration = Duration::from_hours(1);

/// Error patterns of a day that are kept one by one, of all types together.
pub const MOST_PATTERNS: usize = 200;

/// Error patterns that stand in the day of a type.
const MOST_OF_TYPE: usize = 20;

/// Hosts in trouble that are kept of a day: the worst ones.
pub const MOST_HOSTS: usize = 50;

/// The hour of the day in UTC, from 0 to 23.
#[must_use]
pub fn hour(at: Time) -> usize {
    let into_day = at.since(day_start(at)).as_secs() / HOUR.as_secs();
    usize::try_from(into_day).unwrap_or_default().min(23)
}

/// The days from the one that begins at `from` until `until`, with the counts of these buckets. A day without any is
/// there as well, because nothing happened in it.
#[must_use]
pub fn days(buckets: &[(BucketKey, Bucket)], from: Time, until: Time) -> BTreeMap<Time, Day> {
    let mut days = BTreeMap::new();
    let mut start = from;
    while start < until {
        let end = start + HOUR * 24;
        let hours = if end <= until { 24 } else { hour(until) };
        days.insert(start, Day { hours, ..Day::default() });
        start = end;
    }
    for (key, bucket) in buckets.iter().filter(|(key, _)| key.start < until) {
        let Some(day) = days.get_mut(&day_start(key.start)) else { continue };
        for (name, count) in &bucket.counts {
            match name.strip_prefix(OF_PATTERN) {
                Some(fingerprint) => {
                    *day.patterns.entry(fingerprint.to_owned()).or_default() += count;
                }
                None => day.add(name, hour(key.start), *count),
            }
        }
    }
    for day in days.values_mut() {
        keep_most(&mut day.patterns, MOST_OF_TYPE, |count| *count);
    }
    days
}

/// The error patterns of the day that begins at `start`, by hour: the `most` most frequent ones.
#[must_use]
pub fn patterns(
    buckets: &[(BucketKey, Bucket)],
    start: Time,
    most: usize,
) -> BTreeMap<String, Day> {
    let mut found: BTreeMap<String, Day> = BTreeMap::new();
    for (key, bucket) in buckets.iter().filter(|(key, _)| day_start(key.start) == start) {
        for (fingerprint, count) in bucket.counts_of(OF_PATTERN) {
            let day = found.entry(fingerprint.to_owned()).or_default();
            day.hours = 24;
            day.add("failed", hour(key.start), count);
            if let Some(sample) = bucket.samples.get(fingerprint) {
                day.sample.clone_from(sample);
            }
        }
    }
    keep_most(&mut found, most, |day| day.count("failed", &(0..24)));
    found
}

/// Adds the calls of a minute to those of each host, and keeps the worst hosts.
pub fn count_hosts<'a>(
    hosts: &mut BTreeMap<String, Day>,
    seen: impl Iterator<Item = (&'a String, &'a DependencySeen)>,
    hour: usize,
) {
    for (name, seen) in seen.filter(|(_, seen)| seen.failed + seen.throttled > 0) {
        let day = hosts.entry(name.clone()).or_default();
        let counts =
            [("calls", seen.calls), ("failed", seen.failed), ("throttled", seen.throttled)];
        for (counter, more) in counts {
            day.add(counter, hour, more);
        }
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
    fn buckets_become_hours_of_their_days_and_empty_days_are_there() {
        assert_eq!(day_start(START), START);
        let buckets = [
            bucket(START, &[("dead", 1), ("pattern_ab", 2)]),
            bucket(START + HOUR, &[("dead", 4)]),
            bucket(START + HOUR * 48, &[("dead", 8)]),
            bucket(START + HOUR * 51, &[("dead", 16)]),
        ];
        let days = days(&buckets, START, START + HOUR * 51);
        let found: Vec<_> =
            days.values().map(|day| (day.hours, day.count("dead", &(0..24)))).collect();
        assert_eq!(found, [(24, 5), (24, 0), (3, 8)], "the hour in progress is left out");
        assert_eq!(days[&START].counts["dead"], [1, 4]);
        assert_eq!(days[&START].patterns["ab"], 2);
    }

    #[test]
    fn the_most_frequent_patterns_are_kept_by_hour() {
        let names: Vec<String> = (0..30).map(|n| format!("pattern_{n:02}")).collect();
        let buckets: Vec<_> = (0_u64..)
            .zip(&names)
            .map(|(n, name)| bucket(START + HOUR * 2, &[(name.as_str(), n + 1)]))
            .collect();
        let found = patterns(&buckets, START, 10);
        assert_eq!(found.keys().next().map(String::as_str), Some("20"));
        assert_eq!(found["29"].counts["failed"], [0, 0, 30]);
        assert_eq!(found.len(), 10);
    }

    #[test]
    fn fifty_hosts_are_kept_the_worst_ones() {
        let mut hosts = BTreeMap::new();
        let seen: BTreeMap<String, DependencySeen> = (0..80_u64)
            .map(|n| {
                (format!("page/{n}"), DependencySeen { failed: n, ..DependencySeen::default() })
            })
            .collect();
        count_hosts(&mut hosts, seen.iter(), 3);
        assert_eq!(hosts.len(), MOST_HOSTS);
        assert!(hosts.contains_key("page/79") && !hosts.contains_key("page/29"));
    }
}
