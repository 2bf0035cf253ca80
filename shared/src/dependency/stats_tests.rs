use proptest::prelude::*;

use super::*;
use crate::{
    failure::Class,
    record::{
        decision::{Decision, Spends},
        outcomes::{End, Outcomes},
    },
};

const NOW: Time = Time::from_millis(1_800_000_005_000);
const QUICK: Duration = Duration::from_millis(80);
const SLOW_AFTER: Duration = Duration::from_secs(2);

fn key(start: Time, generation: u64, shard: u8) -> BucketKey {
    BucketKey { subject: "elsewhere".into(), start, generation, shard }
}

#[test]
fn each_class_is_counted_as_documented() {
    let counted = |class| {
        let mut calls = Calls::default();
        calls.record(class, QUICK, SLOW_AFTER);
        (calls.ok, calls.failed, calls.throttled)
    };
    assert_eq!(counted(None), (1, 0, 0));
    for class in Class::ALL {
        let expected = match class {
            Class::Conflict => (1, 0, 0),
            Class::Transient | Class::Anomaly | Class::Systemic => (0, 1, 0),
            Class::Throttled => (0, 0, 1),
            _ => (0, 0, 0),
        };
        assert_eq!(counted(Some(class)), expected, "{class:?}");
    }
    let mut calls = Calls::default();
    calls.record(None, SLOW_AFTER + QUICK, SLOW_AFTER);
    calls.record(Some(Class::Transient), SLOW_AFTER + QUICK, SLOW_AFTER);
    calls.record(Some(Class::Throttled), SLOW_AFTER + QUICK, SLOW_AFTER);
    assert_eq!((calls.slow, calls.latency.total()), (2, 2));
}

#[test]
fn a_quantile_is_rounded_up_to_the_bound_of_its_bin() {
    let mut histogram = Histogram::default();
    assert_eq!(histogram.quantile(0.5), None);
    for ms in 1..=100 {
        histogram.record(Duration::from_millis(ms));
    }
    let quantile = |q| histogram.quantile(q).unwrap().as_millis();
    assert_eq!([quantile(0.0), quantile(0.5), quantile(0.99), quantile(1.0)], [5, 50, 100, 100]);
    histogram.record(Duration::from_hours(2));
    assert_eq!(
        histogram.quantile(1.0),
        Some(Duration::from_mins(5)),
        "the last bin has no upper bound"
    );
}

#[test]
fn the_window_counts_by_generation_and_includes_unsent_calls() {
    let mut window = Window::default();
    let calls = |ok| Calls { ok, ..Calls::default() };
    let start = bucket_start(NOW, BUCKET);
    window.see(&key(start.before(BUCKET * 6), 1, 0), calls(1));
    window.see(&key(start.before(BUCKET * 5), 1, 0), calls(2));
    window.see(&key(start, 1, 0), calls(4));
    window.see(&key(start, 1, 1), calls(8));
    window.see(&key(start, 2, 0), calls(16));
    window.counting(NOW, 2).ok += 32;
    let minute = |generation| window.last(MINUTE, NOW, generation).ok;
    assert_eq!((minute(Some(1)), minute(Some(2)), minute(None)), (14, 48, 62));
    assert_eq!(window.last(MEMORY, NOW, None).ok, 63);
    window.see(&key(start, 2, 0), calls(48));
    assert_eq!(window.take_unsent().map(|(of, calls)| (of, calls.ok)), Some(((start, 2), 32)));
    assert_eq!(window.last(MINUTE, NOW, Some(2)).ok, 48, "the total replaces the earlier one");
    window.forget(NOW + MEMORY + BUCKET);
    assert!(window.is_sent());
    let everything = window.sum(Time::default(), NOW + MEMORY * 2, None);
    assert_eq!(everything, Calls::default(), "nothing is left");
}

#[test]
fn many_writes_make_the_statistics_hot() {
    let mut window = Window::default();
    let writes = |writes| Calls { writes, ..Calls::default() };
    window.see(&key(bucket_start(NOW, BUCKET), 0, 0), writes(HOT_WRITES - 1));
    assert!(!window.is_hot(NOW));
    window.see(&key(bucket_start(NOW, BUCKET), 0, 1), writes(1));
    assert!(window.is_hot(NOW), "the writes to all shards count");
}

#[test]
fn outcomes_include_durations_and_the_oldest_message() {
    let mut outcomes = Outcomes::default();
    assert!(outcomes.is_empty());
    outcomes.record(&End::of(Decision::Succeed, NOW.before(QUICK), NOW));
    let after = Duration::from_secs(1);
    for spends in [Spends::Crash, Spends::Deferral] {
        outcomes.record(&End::of(Decision::Retry { after, spends }, NOW, NOW));
    }
    outcomes.received("q", NOW);
    outcomes.received("q", NOW.before(Duration::from_secs(61)));
    outcomes.received("q-high", NOW);
    outcomes.worked(10, Duration::from_millis(700));
    outcomes.worked(2, Duration::from_millis(50));
    let bucket = outcomes.bucket();
    let counts: Vec<_> = bucket.counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
    let ends = ["busy_ms 750", "crashed 1", "deferred 1", "done_ms 80"];
    assert_eq!(counts, [&ends[..], &["jobs 12", "succeeded 1", "t6 1"]].concat());
    let oldest: Vec<String> = bucket.oldest.iter().map(ToString::to_string).collect();
    assert_eq!(oldest, ["1799999940000#q", "1800000000000#q-high"], "rounded down to ten seconds");
}

proptest! {
    #[test]
    fn calls_round_trip_through_buckets_and_add_up(
        one in proptest::array::uniform8(0..1_000_u64),
        other in proptest::array::uniform8(0..1_000_u64),
        took in proptest::collection::vec(0..400_000_u64, 0..20),
    ) {
        let calls = |counts: [u64; 8]| {
            let [ok, failed, slow, throttled, first, retries, load_shed, writes] = counts;
            let mut latency = Histogram::default();
            for ms in &took {
                latency.record(Duration::from_millis(*ms));
            }
            Calls { ok, failed, slow, throttled, first, retries, load_shed, writes, latency }
        };
        let (one, other) = (calls(one), calls(other));
        prop_assert_eq!(Calls::from(&one.bucket()), one);
        let (mut sum, mut buckets) = (one, one.bucket());
        sum.add(&other);
        buckets.add(&other.bucket());
        prop_assert_eq!(Calls::from(&buckets), sum);
    }

    #[test]
    fn a_quantile_is_an_upper_bound_of_its_share(
        took in proptest::collection::vec(0..300_000_u64, 1..50),
        percent in 0..=100_u32,
    ) {
        let mut histogram = Histogram::default();
        for ms in &took {
            histogram.record(Duration::from_millis(*ms));
        }
        let bound = millis(histogram.quantile(f64::from(percent) / 100.0).unwrap());
        let within = took.iter().filter(|ms| **ms <= bound).count();
        prop_assert!(within * 100 >= took.len() * percent as usize);
    }
}
