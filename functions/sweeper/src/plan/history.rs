//! History: what becomes of buckets in the days that reports read.

use std::{cmp::Reverse, collections::BTreeMap, ops::Range, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{Bucket, BucketKey, Calls, Day, day_start},
    record::outcomes::{OF_PATTERN, OTHER},
};

/// The length of what is rolled up.
pub const HOUR: Duration = Duration::from_hours(1);

/// Error patterns of a day that are kept, of all types together. If there are more, one of them is [`OTHER`], which
/// counts the less frequent ones.
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
    keep_patterns(&mut day.patterns_by_hour, MOST_PATTERNS);
    let sums = day.patterns_by_hour.iter().map(|(name, hours)| (name.clone(), sum(hours)));
    day.patterns = sums.collect();
    keep_most(&mut day.patterns, MOST_OF_TYPE, |count| *count);
    added
}

fn sum(hours: &[u64]) -> u64 {
    hours.iter().copied().fold(0, u64::saturating_add)
}

/// The text of a day for its item. If it were too long, the least frequent patterns of the day in progress are counted
/// as [`OTHER`]. If its counters alone are too long, those of the whole day go, and then the histograms.
pub fn text(day: &mut Day) -> serde_json::Result<String> {
    loop {
        let text = serde_json::to_string(day)?;
        if text.len() <= MOST_BYTES || !cut(day) {
            return Ok(text);
        }
    }
}

/// Makes a day shorter; `false` if nothing of it may go.
fn cut(day: &mut Day) -> bool {
    let (patterns, counters) = (day.patterns_by_hour.len(), day.counts.len());
    if patterns > 1 {
        keep_patterns(&mut day.patterns_by_hour, patterns * 3 / 4);
        return true;
    }
    if patterns == 1 || !day.patterns.is_empty() {
        day.patterns_by_hour.clear();
        day.patterns.clear();
        return true;
    }
    day.counts.retain(|name, _| !is_bin(name));
    day.counts.len() < counters
}

/// Whether a counter is a bin of a histogram, such as `t3`.
fn is_bin(name: &str) -> bool {
    let bin = name.strip_prefix(['t', 'w']);
    bin.is_some_and(|bin| !bin.is_empty() && bin.bytes().all(|digit| digit.is_ascii_digit()))
}

/// The days of the `most` most frequent error patterns of a day of a type that is over; if it has more, [`OTHER`] is one
/// of them. That day then no longer has their counts by hour. The samples are those of the buckets, as far as these have any.
pub fn take_patterns(
    day: &mut Day,
    buckets: &[(BucketKey, Bucket)],
    most: usize,
) -> BTreeMap<String, Day> {
    let mut hours = std::mem::take(&mut day.patterns_by_hour);
    keep_patterns(&mut hours, most);
    let mut found: BTreeMap<String, Day> = hours
        .into_iter()
        .map(|(fingerprint, hours)| {
            let counts = BTreeMap::from([("failed".to_owned(), hours)]);
            (fingerprint, Day { hours: 24, counts, ..Day::default() })
        })
        .collect();
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

/// Keeps the `most` most frequent error patterns. If there are more, the least frequent ones are counted as one of
/// them, by hour.
fn keep_patterns(of: &mut BTreeMap<String, Vec<u64>>, most: usize) {
    if of.len() <= most {
        return;
    }
    let mut rest = of.remove(OTHER).unwrap_or_default();
    for hours in take_least(of, most.saturating_sub(1), |hours| sum(hours)).into_values() {
        rest.resize(rest.len().max(hours.len()), 0);
        for (sum, count) in rest.iter_mut().zip(hours) {
            *sum = sum.saturating_add(count);
        }
    }
    of.insert(OTHER.to_owned(), rest);
}

/// Keeps the `most` entries with the highest `rank`.
fn keep_most<T>(of: &mut BTreeMap<String, T>, most: usize, rank: impl Fn(&T) -> u64) {
    take_least(of, most, rank);
}

/// Takes all but the `most` entries with the highest `rank`, and returns them.
fn take_least<T>(
    of: &mut BTreeMap<String, T>,
    most: usize,
    rank: impl Fn(&T) -> u64,
) -> BTreeMap<String, T> {
    if of.len() <= most {
        return BTreeMap::new();
    }
    let mut order: Vec<(Reverse<u64>, String)> =
        of.iter().map(|(name, value)| (Reverse(rank(value)), name.clone())).collect();
    order.sort();
    let least = order.split_off(most).into_iter();
    least.filter_map(|(_, name)| of.remove_entry(&name)).collect()
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
        assert_eq!(found.keys().next().map(String::as_str), Some("21"));
        assert_eq!(found["29"].counts["failed"], [0, 0, 30]);
        assert_eq!(found[OTHER].counts["failed"], [0, 0, (1..=21).sum::<u64>()]);
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
    fn patterns_beyond_two_hundred_are_counted_as_other_in_each_hour() {
        let pattern = |n: u64| (format!("{OF_PATTERN}{n:016x}"), n + 1);
        let of_hour = |hour: u32, from: u64| {
            let counts: Vec<(String, u64)> = (from..from + 150).map(pattern).collect();
            let counts: Vec<(&str, u64)> =
                counts.iter().map(|(n, many)| (n.as_str(), *many)).collect();
            bucket(START + HOUR * hour, &counts)
        };
        let buckets = [of_hour(0, 0), of_hour(1, 100), of_hour(2, 300)];
        let mut day = Day::default();
        for hours in 1..=3 {
            add_hours(&mut day, START, START + HOUR * hours, &buckets);
        }
        let kept = &day.patterns_by_hour;
        assert_eq!((kept.len(), kept.contains_key(OTHER)), (MOST_PATTERNS, true));
        let all = |hour: usize| -> u64 {
            kept.values().map(|hours| hours.get(hour).copied().unwrap_or_default()).sum()
        };
        let expected = [0..150, 100..250, 300..450];
        let expected = expected.map(|of| of.map(|n: u64| n + 1).sum::<u64>());
        assert_eq!([all(0), all(1), all(2)], expected, "none is lost");
        let found = take_patterns(&mut day, &buckets, MOST_PATTERNS);
        assert_eq!(found.len(), MOST_PATTERNS);
    }

    /// Every counter in each hour, at three thousand jobs a second, with the patterns of the whole day.
    #[test]
    fn a_day_of_the_largest_counters_is_not_too_long() {
        let mut day = Day { hours: 24, ..Day::default() };
        let bins = (0..24).flat_map(|bin| [format!("t{bin}"), format!("w{bin}")]);
        let names = bins.chain((0..32).map(|n| format!("a_counter_name_{n}")));
        for (name, hour) in names.flat_map(|name| (0..24).map(move |hour| (name.clone(), hour))) {
            day.add(&name, hour, 99_999_999);
        }
        for n in 0..MOST_PATTERNS {
            day.add_pattern(&format!("{n:016x}"), n % 24, 1_000);
        }
        day.patterns.insert("ab".into(), 1_000);
        let text = text(&mut day).unwrap();
        assert!((4_000..=MOST_BYTES).contains(&text.len()), "{} bytes", text.len());
        let kept: Day = serde_json::from_str(&text).unwrap();
        assert_eq!(kept.count("a_counter_name_31", &(0..24)), 24 * 99_999_999);
        assert_eq!((kept.counts.contains_key("t3"), kept.patterns_by_hour.len()), (false, 0));
    }

    #[test]
    fn bins_are_told_from_counters() {
        let told = ["t0", "w23", "t", "throttled", "t3x", "waited"].map(is_bin);
        assert_eq!(told, [true, true, false, false, false, false]);
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
