//! What 429s, refusals and operators do to a whole fleet.

use super::*;
use crate::dependency::limiter::Limiter;

/// An answer of the dependency that is no success.
struct Answer {
    class: Class,
    retry_after: Option<Duration>,
}

impl Classified for Answer {
    fn class(&self) -> Class {
        self.class
    }

    fn code(&self) -> std::borrow::Cow<'_, str> {
        "code".into()
    }

    fn why(&self) -> String {
        "as asked".into()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn is_answer(&self) -> bool {
        true
    }
}

/// One run whose call is answered with a 429 that asks for a delay; or the code of its refusal.
async fn throttled(gates: &TestGates, asked: Duration) -> Result<(), String> {
    let answer = Answer { class: Class::Throttled, retry_after: Some(asked) };
    run_to(gates, Some(&answer), QUICK).await
}

const RATES: Rates = Rates::each_second(10, 36_000);

#[tokio::test(start_paused = true)]
async fn no_429_stops_a_container_for_longer_than_an_hour() {
    // The most that a header can say, and a time in milliseconds that was taken for seconds.
    for asked in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_hours(500_000)] {
        for rates in [None, Some(RATES)] {
            let mut fleet = Fleet::limited(rates);
            let gates = fleet.container();
            throttled(&gates, asked).await.unwrap();
            assert_eq!(run(&gates, None, QUICK).await, Err("rate_limit".into()));
            tokio::time::advance(Duration::from_hours(1) + Duration::from_secs(1)).await;
            assert_eq!(run(&gates, None, QUICK).await, Ok(()), "{asked:?} {rates:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_container_takes_no_slot() {
    let mut fleet = Fleet::limited(Some(RATES));
    let gates = fleet.container();
    run(&gates, None, QUICK).await.unwrap();
    // The stop is long, and the next slot is within the horizon: an operator has reset the limiter, say.
    gates.cache(DEPENDENCY, |cache| cache.stopped_until = fleet.clock.now() + HORIZON * 2);
    let before = fleet.store.limiter(DEPENDENCY).await.unwrap();
    for _ in 0..10 {
        assert_eq!(run(&gates, None, QUICK).await, Err("rate_limit".into()));
    }
    assert_eq!(fleet.store.limiter(DEPENDENCY).await.unwrap(), before, "no slot is lost");
}

/// After a short stop, runs wait for the slots behind it. Parked, they would wait for the sweeper.
#[tokio::test(start_paused = true)]
async fn a_short_stop_parks_no_run() {
    let mut fleet = Fleet::limited(Some(RATES));
    let gates = fleet.container();
    throttled(&gates, Duration::from_secs(1)).await.unwrap();
    assert_eq!(run(&gates, None, QUICK).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_429_without_rates_stops_the_whole_fleet() {
    let mut fleet = Fleet::default();
    let (one, other) = (fleet.container(), fleet.container());
    run(&other, None, QUICK).await.unwrap();
    throttled(&one, Duration::from_mins(1)).await.unwrap();
    assert_eq!(run(&one, None, QUICK).await, Err("rate_limit".into()));
    tokio::time::advance(BREAKER_CACHE_TIME.mul_f64(1.2)).await;
    assert_eq!(run(&other, None, QUICK).await, Err("rate_limit".into()), "within seconds");
    assert_eq!(fleet.breaker().await.state, State::Closed, "the dependency works");
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(run(&other, None, QUICK).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_cached_refusal_of_the_limiter_is_believed_for_five_seconds() {
    let mut fleet = Fleet::limited(Some(RATES));
    let gates = fleet.container();
    throttled(&gates, Duration::from_hours(1)).await.unwrap();
    gates.cache(DEPENDENCY, |cache| cache.stopped_until = Time::default());
    assert_eq!(run(&gates, None, QUICK).await, Err("rate_limit".into()));
    // An operator, or another container, has made way.
    let seen = fleet.store.limiter(DEPENDENCY).await.unwrap();
    let free = Limiter::default();
    assert_eq!(fleet.store.swap_limiter(DEPENDENCY, &free, seen.revision).await, Ok(Swapped::Yes));
    assert_eq!(run(&gates, None, QUICK).await, Err("rate_limit".into()), "still believed");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(run(&gates, None, QUICK).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_deleted_and_made_anew_is_believed() {
    let mut fleet = Fleet::default();
    let (one, other) = (fleet.container(), fleet.container());
    for _ in 0..3 {
        for _ in 0..5 {
            let _ = run(&one, Some(Class::Transient), QUICK).await;
        }
        tokio::time::advance(Duration::from_mins(10)).await;
    }
    let known = fleet.store.breaker(DEPENDENCY).await.unwrap();
    assert!(known.revision > 2 && run(&other, None, QUICK).await.is_ok(), "{known:?}");
    fleet.store.remove_breaker(DEPENDENCY);
    let state = State::Forced { open: true, until: fleet.clock.now() + Duration::from_hours(1) };
    let forced = Breaker { generation: 1, state, ..Breaker::default() };
    assert_eq!(fleet.store.swap_breaker(DEPENDENCY, &forced, 0).await, Ok(Swapped::Yes));
    tokio::time::advance(BREAKER_CACHE_TIME.mul_f64(1.2)).await;
    for gates in [&one, &other] {
        assert_eq!(run(gates, None, QUICK).await, Err("breaker_open".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_made_anew_does_not_count_the_calls_of_its_earlier_life() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    let mut generations = Vec::new();
    for _ in 0..2 {
        while fleet.breaker().await.state == State::Closed {
            run(&gates, Some(Class::Transient), QUICK).await.unwrap();
        }
        generations.push(fleet.breaker().await.generation);
        fleet.store.remove_breaker(DEPENDENCY);
        tokio::time::advance(Duration::from_mins(2)).await;
    }
    assert!(generations[0] < generations[1] && generations[0] > 1, "{generations:?}");
}

#[tokio::test(start_paused = true)]
async fn a_disbelieved_call_takes_back_its_own_success_alone() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    let mut disbelieved = gates.enter(DEPENDENCY, RunKind::First).await.unwrap();
    let end = gates.clock.now() + Duration::from_secs(5);
    disbelieved.until(end, end);
    disbelieved.begin().await.unwrap();
    disbelieved.end(None);
    // Its success is written, and a neighbour counts another one.
    gates.report(true).await;
    run(&gates, None, QUICK).await.unwrap();
    disbelieved.count_as_failed(&Failure::new(Class::Anomaly, "collapse", "nothing"));
    let now = fleet.clock.now();
    let calls = gates.cache(DEPENDENCY, |cache| cache.window.last(MEMORY, now, None));
    assert_eq!((calls.ok, calls.failed), (2, 1), "the neighbour's success stays");
}

/// A well-formed refusal of one request, as of a page that is gone, proves that the dependency works.
#[tokio::test(start_paused = true)]
async fn refused_requests_close_a_half_open_breaker() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for _ in 0..5 {
        run(&gates, Some(Class::Transient), QUICK).await.unwrap();
    }
    tokio::time::advance(Duration::from_mins(2)).await;
    let gone = Answer { class: Class::Permanent, retry_after: None };
    for _ in 0..POLICY.breaker.successes {
        run_to(&gates, Some(&gone), QUICK).await.unwrap();
    }
    assert_eq!(fleet.breaker().await.state, State::Closed);
}

/// Ten runs that ask at once. Returns how many of them were admitted.
async fn batch(gates: &TestGates, took: Duration) -> usize {
    let runs = (0..10).map(async |_| run(gates, None, took).await);
    let runs = futures_util::future::join_all(runs).await;
    runs.iter().filter(|run| run.is_ok()).count()
}

/// A container whose breaker is to be probed. Every answer of its table takes a while.
async fn half_open() -> (Fleet, TestGates) {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for _ in 0..5 {
        run(&gates, Some(Class::Transient), QUICK).await.unwrap();
    }
    tokio::time::advance(Duration::from_mins(2)).await;
    fleet.faults.slow(Duration::from_millis(5));
    (fleet, gates)
}

fn breaker_reads(fleet: &Fleet) -> usize {
    fleet.faults.trace().iter().filter(|call| call.name == "breaker").count()
}

/// Its runs ask at once.
#[tokio::test(start_paused = true)]
async fn a_half_open_breaker_is_read_at_most_twice_for_a_whole_batch() {
    let (fleet, gates) = half_open().await;
    let reads = || breaker_reads(&fleet);
    let before = reads();
    assert_eq!(batch(&gates, QUICK).await, POLICY.breaker.probes as usize);
    assert!(reads() - before <= 2, "{} reads", reads() - before);
    assert_ne!(fleet.breaker().await.state, State::Closed, "two of three successes");
}

/// Both probes are still under way when the next batches come.
#[tokio::test(start_paused = true)]
async fn it_is_believed_for_a_second_that_no_probe_is_free() {
    let (fleet, gates) = half_open().await;
    let reads = || breaker_reads(&fleet);
    let later = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        let before = reads();
        assert_eq!(batch(&gates, QUICK).await, 0, "both probes are under way");
        assert_eq!(reads() - before, 0, "within the second");
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(batch(&gates, QUICK).await, 0, "still");
        assert_eq!(reads() - before, 1, "after the second, once for all its runs");
    };
    let (admitted, ()) = tokio::join!(batch(&gates, Duration::from_millis(1_500)), later);
    assert_eq!(admitted, POLICY.breaker.probes as usize);
}
