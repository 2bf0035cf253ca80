//! The counts that containers write: of calls for each dependency, and of ended runs for the job type.

use super::*;
use crate::{
    dependency::stats::{BUCKET, BucketKey, Calls, ContainerCounts, TYPE_BUCKET, bucket_start},
    record::{
        decision::{Decision, Spends},
        outcomes::{End, Trouble},
    },
    testing::Fault,
};

#[tokio::test(start_paused = true)]
async fn call_statistics_are_written_once_a_second_and_add_up() {
    let mut fleet = Fleet::default();
    let (one, other) = (fleet.container(), fleet.container());
    for _ in 0..50 {
        tokio::join!(
            async {
                run(&one, None, QUICK).await.unwrap();
            },
            async {
                run(&other, Some(Class::Permanent), QUICK).await.unwrap();
            },
        );
        tokio::time::advance(Duration::from_millis(80)).await;
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::join!(one.report(true), other.report(true));
    let of_calls = |key: &BucketKey| key.subject == DEPENDENCY;
    let mut sum = Calls::default();
    for (_, bucket) in fleet.store.all_buckets().iter().filter(|(key, _)| of_calls(key)) {
        sum.add(&bucket.into());
    }
    assert_eq!((sum.ok, sum.first, sum.failed), (50, 100, 0));
    assert!(sum.writes <= 14, "{} writes by two containers in six seconds", sum.writes);
}

#[tokio::test(start_paused = true)]
async fn counts_whose_write_failed_stay_in_use_here_and_are_never_written_twice() {
    for fault in [Fault::Before, Fault::AnswerLost] {
        let mut fleet = Fleet::default();
        let gates = fleet.container();
        fleet.faults.on("add_to_bucket", fault);
        run(&gates, None, QUICK).await.unwrap();
        fleet.faults.clear();
        tokio::time::advance(Duration::from_secs(1)).await;
        gates.report(true).await;
        let written: u64 =
            fleet.store.all_buckets().iter().map(|(_, bucket)| Calls::from(bucket).ok).sum();
        assert_eq!(written, u64::from(fault == Fault::AnswerLost), "{fault:?}");
        let known =
            gates.cache(DEPENDENCY, |cache| cache.window.last(MEMORY, fleet.clock.now(), None).ok);
        assert_eq!(known, 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn hot_call_statistics_are_spread_over_shards() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    let start = bucket_start(fleet.clock.now(), BUCKET);
    let key = BucketKey { subject: DEPENDENCY.into(), start, generation: 0, shard: 0 };
    let busy = Calls { writes: 5_000, ..Calls::default() }.bucket();
    fleet.store.add_to_bucket(&key, &busy, start).await.unwrap();
    for _ in 0..9 {
        run(&gates, None, QUICK).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let shards: Vec<u8> = fleet
        .store
        .all_buckets()
        .iter()
        .map(|(key, _)| key.shard)
        .filter(|shard| *shard > 0)
        .collect();
    assert!(shards.len() >= 2, "{shards:?}");
}

/// The ends that are told of the job type, by minute.
fn ends(fleet: &Fleet) -> Vec<u64> {
    let buckets = fleet.store.all_buckets();
    let counts =
        buckets.iter().filter(|(key, _)| key.subject == ContainerCounts::subject("errand"));
    counts.map(|(_, bucket)| bucket.count("succeeded")).collect()
}

/// The write of a record fails until the minute in which its run ended is over and was written.
#[tokio::test(start_paused = true)]
async fn an_end_is_taken_back_from_the_minute_in_which_it_was_counted() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    let at = fleet.clock.now();
    gates.ended(&End::of(Decision::Succeed, at, at));
    gates.ended(&End::of(Decision::Succeed, at, at));
    gates.report(true).await;
    tokio::time::advance(TYPE_BUCKET).await;
    gates.ended(&End::of(Decision::Succeed, at, fleet.clock.now()));
    gates.report(true).await;
    assert_eq!(ends(&fleet), [2, 1]);
    gates.not_ended(&End::of(Decision::Succeed, at, at));
    gates.report(true).await;
    assert_eq!(ends(&fleet), [1, 1]);
}

/// Counts go with every write, samples once in ten minutes.
#[tokio::test(start_paused = true)]
async fn a_sample_of_an_error_pattern_is_written_once_in_ten_minutes() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    let failure = Failure::new(Class::Transient, "http_503", "host-7 answered 503");
    for _ in 0..12 {
        let decision = Decision::Retry { after: QUICK, spends: Spends::Attempt };
        let trouble = Some(Trouble::of(&failure, DEPENDENCY));
        let at = fleet.clock.now();
        gates.ended(&End { trouble, ..End::of(decision, at, at) });
        gates.report(true).await;
        tokio::time::advance(TYPE_BUCKET).await;
    }
    let buckets = fleet.store.all_buckets();
    let name = format!("pattern_{}", failure.fingerprint(DEPENDENCY));
    assert!(buckets.iter().all(|(_, bucket)| bucket.count(&name) == 1), "{buckets:?}");
    let samples: Vec<&String> =
        buckets.iter().flat_map(|(_, bucket)| bucket.samples.values()).collect();
    assert_eq!(samples, ["transient http_503: * answered *"; 2]);
}
