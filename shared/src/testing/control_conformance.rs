//! The conformance suite of [`Control`]. Each case needs a store that has none of the case's names.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    base::time::Time,
    dependency::{
        breaker::{Breaker, State},
        limiter::{Grant, Limiter},
        quota::Usage,
        stats::{BUCKET, Bucket, BucketKey, Calls},
    },
    ports::{Control, LimiterSwap, Seen, Swapped},
    record::{
        decision::Decision,
        outcomes::{End, Outcomes},
    },
};

const NOW: Time = Time::from_millis(1_800_000_000_000);
const EXPIRES_AT: Time = Time::from_millis(1_900_000_000_000);

/// Runs every case.
///
/// # Panics
/// If the store does not conform.
pub async fn control<S: Control>(store: &S) {
    values_that_were_never_written_read_as_the_default(store).await;
    a_breaker_is_swapped_by_revision(store).await;
    every_state_of_a_breaker_round_trips(store).await;
    a_limiter_is_swapped_by_revision(store).await;
    several_values_are_read_in_one_call(store).await;
    several_limiters_are_swapped_each_on_its_own(store).await;
    a_quota_is_swapped_by_revision(store).await;
    one_of_two_concurrent_swaps_wins(store).await;
    adding_to_a_bucket_returns_its_totals(store).await;
    buckets_are_found_by_subject_shard_and_time(store).await;
    the_oldest_messages_are_kept_as_a_set(store).await;
}

fn open(generation: u64) -> Breaker {
    let state = State::Open { retry_at: NOW, wait: Duration::from_secs(60) };
    let why = "5 of 5 calls failed".into();
    let systemic = generation.is_multiple_of(2);
    let stopped_until = if systemic { EXPIRES_AT } else { Time::default() };
    Breaker { generation, state, since: NOW, why, systemic, stopped_until, down_since: NOW }
}

async fn values_that_were_never_written_read_as_the_default<S: Control>(store: &S) {
    assert_eq!(store.breaker("unknown").await, Ok(Seen::default()));
    assert_eq!(store.limiter("unknown").await, Ok(Seen::default()));
    assert_eq!(store.quota("unknown", "creations").await, Ok(Seen::default()));
    assert_eq!(store.buckets("unknown", 4, Time::default()).await, Ok(Vec::new()));
}

async fn a_breaker_is_swapped_by_revision<S: Control>(store: &S) {
    let name = "case/swap";
    assert_eq!(store.swap_breaker(name, &open(1), 0).await, Ok(Swapped::Yes));
    let first = Seen { value: open(1), revision: 1 };
    assert_eq!(store.breaker(name).await, Ok(first.clone()));
    let refused = store.swap_breaker(name, &open(2), 0).await;
    assert_eq!(refused, Ok(Swapped::No(first.clone())), "the breaker exists by now");
    let refused = store.swap_breaker(name, &open(2), 2).await;
    assert_eq!(refused, Ok(Swapped::No(first)), "another revision");
    assert_eq!(store.swap_breaker(name, &open(2), 1).await, Ok(Swapped::Yes));
    assert_eq!(store.breaker(name).await, Ok(Seen { value: open(2), revision: 2 }));
    assert_eq!(store.breaker("case/swap2").await, Ok(Seen::default()), "another dependency");
}

fn limiter(next_us: u64) -> Limiter {
    Limiter {
        next_us,
        next_hourly_us: next_us + 7,
        pace: 700,
        slowed_at: NOW,
        kept: vec![Grant { first_us: next_us - 1, interval_us: 5, count: 3 }],
        since_kept: 2,
        promised_us: next_us + 1,
        promised_high_us: next_us + 2,
    }
}

async fn several_values_are_read_in_one_call<S: Control>(store: &S) {
    let [one, other] = ["several/one", "several/other"];
    assert_eq!(store.swap_breaker(one, &open(1), 0).await, Ok(Swapped::Yes));
    assert_eq!(store.swap_limiter(other, &limiter(1), 0).await, Ok(Swapped::Yes));
    let names = [other, one, "several/unknown", one].map(str::to_owned);
    let first = Seen { value: open(1), revision: 1 };
    let expected = vec![Ok(Seen::default()), Ok(first.clone()), Ok(Seen::default()), Ok(first)];
    assert_eq!(store.breakers(&names).await, Ok(expected));
    let first = Seen { value: limiter(1), revision: 1 };
    let none = || Ok(Seen::default());
    let expected = vec![Ok(first), none(), none(), none()];
    assert_eq!(store.limiters(&names).await, Ok(expected));
}

async fn several_limiters_are_swapped_each_on_its_own<S: Control>(store: &S) {
    let swap = |name: &str, next: u64, revision: u64| LimiterSwap {
        name: format!("swaps/{name}"),
        next: limiter(next),
        revision,
    };
    let current =
        |next: u64, revision: u64| Ok(Swapped::No(Seen { value: limiter(next), revision }));
    let first = [swap("a", 1, 0), swap("b", 1, 0)];
    assert_eq!(store.swap_limiters(&first).await, Ok(vec![Ok(Swapped::Yes), Ok(Swapped::Yes)]));
    let next = [swap("a", 2, 1), swap("b", 2, 0), swap("c", 1, 0), swap("d", 1, 7)];
    let unknown = Ok(Swapped::No(Seen::default()));
    let expected = vec![Ok(Swapped::Yes), current(1, 1), Ok(Swapped::Yes), unknown];
    let answers = store.swap_limiters(&next).await;
    assert_eq!(answers, Ok(expected), "the next one, one that exists, a new one, one that is gone");
    let last = [swap("a", 3, 1), swap("b", 3, 1)];
    let expected = vec![current(2, 2), Ok(Swapped::Yes)];
    assert_eq!(store.swap_limiters(&last).await, Ok(expected));
    assert_eq!(store.limiter("swaps/b").await, Ok(Seen { value: limiter(3), revision: 2 }));
}

async fn every_state_of_a_breaker_round_trips<S: Control>(store: &S) {
    let wait = Duration::from_millis(90_500);
    let probes = BTreeMap::from([("a".to_owned(), NOW), ("b".to_owned(), EXPIRES_AT)]);
    let states = [
        State::Closed,
        State::Open { retry_at: NOW, wait },
        State::HalfOpen { probes, successes: 2, wait },
        State::HalfOpen { probes: BTreeMap::new(), successes: 0, wait },
        State::Forced { open: true, until: EXPIRES_AT },
        State::Forced { open: false, until: EXPIRES_AT },
    ];
    for (revision, state) in (0..).zip(states) {
        let breaker = Breaker { state, ..open(revision) };
        assert_eq!(store.swap_breaker("case/states", &breaker, revision).await, Ok(Swapped::Yes));
        let seen = Seen { value: breaker, revision: revision + 1 };
        assert_eq!(store.breaker("case/states").await, Ok(seen));
    }
}

async fn a_limiter_is_swapped_by_revision<S: Control>(store: &S) {
    let name = "case/limiter";
    assert_eq!(store.swap_limiter(name, &limiter(1), 0).await, Ok(Swapped::Yes));
    let first = Seen { value: limiter(1), revision: 1 };
    assert_eq!(store.limiter(name).await, Ok(first.clone()));
    assert_eq!(store.swap_limiter(name, &limiter(2), 0).await, Ok(Swapped::No(first)));
    assert_eq!(store.swap_limiter(name, &limiter(u64::MAX - 9), 1).await, Ok(Swapped::Yes));
    let second = Seen { value: limiter(u64::MAX - 9), revision: 2 };
    assert_eq!(store.limiter(name).await, Ok(second));
    assert_eq!(store.breaker(name).await, Ok(Seen::default()), "a breaker is a separate item");
}

async fn a_quota_is_swapped_by_revision<S: Control>(store: &S) {
    let usage = |used| Usage { month: NOW, used, warned: used > 1, token: format!("token {used}") };
    let (name, what) = ("case/quota", "creations");
    assert_eq!(store.swap_quota(name, what, &usage(1), 0).await, Ok(Swapped::Yes));
    let first = Seen { value: usage(1), revision: 1 };
    assert_eq!(store.quota(name, what).await, Ok(first.clone()));
    assert_eq!(store.swap_quota(name, what, &usage(2), 0).await, Ok(Swapped::No(first)));
    assert_eq!(store.swap_quota(name, what, &usage(2), 1).await, Ok(Swapped::Yes));
    let second = Seen { value: usage(2), revision: 2 };
    assert_eq!(store.quota(name, what).await, Ok(second));
    assert_eq!(store.quota(name, "others").await, Ok(Seen::default()), "an item of its own");
    assert_eq!(store.limiter(name).await, Ok(Seen::default()), "the limiter is another item");
}

async fn one_of_two_concurrent_swaps_wins<S: Control>(store: &S) {
    let (one, other) = (open(1), Breaker { why: "another".into(), ..open(1) });
    let (first, second) = tokio::join!(
        store.swap_breaker("case/race", &one, 0),
        store.swap_breaker("case/race", &other, 0),
    );
    let won = [&first, &second].into_iter().filter(|swapped| **swapped == Ok(Swapped::Yes)).count();
    assert_eq!(won, 1, "{first:?}, {second:?}");
    let seen = store.breaker("case/race").await;
    let lost = [first, second].into_iter().find(|swapped| *swapped != Ok(Swapped::Yes));
    assert_eq!(lost, Some(seen.map(Swapped::No)), "the loser gets the winner's value");
}

fn key(subject: &str, start: Time, generation: u64, shard: u8) -> BucketKey {
    BucketKey { subject: subject.into(), start, generation, shard }
}

fn calls(ok: u64, failed: u64) -> Bucket {
    let mut calls = Calls { ok, failed, first: ok + failed, ..Calls::default() };
    calls.latency.record(Duration::from_millis(80));
    calls.bucket()
}

async fn adding_to_a_bucket_returns_its_totals<S: Control>(store: &S) {
    let key = key("case/add", NOW, 3, 0);
    assert_eq!(store.add_to_bucket(&key, &calls(2, 1), EXPIRES_AT).await, Ok(calls(2, 1)));
    let total = store.add_to_bucket(&key, &calls(40, 0), EXPIRES_AT).await.unwrap_or_default();
    let total = Calls::from(&total);
    assert_eq!((total.ok, total.failed, total.first, total.latency.total()), (42, 1, 43, 2));
}

async fn buckets_are_found_by_subject_shard_and_time<S: Control>(store: &S) {
    let buckets = [
        key("case/find", NOW.before(BUCKET), 0, 0),
        key("case/find", NOW, 0, 0),
        key("case/find", NOW, 12, 0),
        key("case/find", NOW + BUCKET, 0, 0),
        key("case/find", NOW, 0, 1),
        key("case/find-another", NOW, 0, 0),
    ];
    for bucket in &buckets {
        assert!(store.add_to_bucket(bucket, &calls(1, 0), EXPIRES_AT).await.is_ok());
    }
    let found = async |shards| {
        let mut found = store.buckets("case/find", shards, NOW).await.unwrap_or_default();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found.into_iter().map(|(key, bucket)| (key, bucket == calls(1, 0))).collect::<Vec<_>>()
    };
    let expected = |places: &[usize]| {
        let mut keys: Vec<_> = places.iter().map(|&place| (buckets[place].clone(), true)).collect();
        keys.sort_by(|one, other| one.0.cmp(&other.0));
        keys
    };
    assert_eq!(found(1).await, expected(&[1, 2, 3]));
    assert_eq!(found(2).await, expected(&[1, 2, 3, 4]));
}

async fn the_oldest_messages_are_kept_as_a_set<S: Control>(store: &S) {
    let key = key("type:case", NOW, 0, 0);
    let mut total = Bucket::default();
    for age in [20, 30, 20] {
        let mut outcomes = Outcomes::default();
        outcomes.received("q", NOW.before(Duration::from_secs(age)));
        outcomes.record(&End::of(Decision::Succeed, NOW, NOW));
        total = store.add_to_bucket(&key, &outcomes.bucket(), EXPIRES_AT).await.unwrap_or_default();
    }
    let oldest: Vec<String> = total.oldest.iter().map(ToString::to_string).collect();
    assert_eq!(oldest, ["1799999970000#q", "1799999980000#q"]);
    assert_eq!(total.counts.get("succeeded"), Some(&3));
}
