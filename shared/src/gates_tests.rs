use super::*;
use crate::{
    dependency::{breaker::BreakerPolicy, limiter::Rates},
    failure::Classified,
    job::Gate,
    testing::{Faults, Faulty, MemoryStore, POLICY, SeededRandom, TestClock, TestPorts},
};

type TestGates = Gates<TestPorts<Faulty<MemoryStore>>>;

const DEPENDENCY: &str = "elsewhere";

struct Fleet {
    store: MemoryStore,
    clock: TestClock,
    faults: Faults,
    rules: Rules,
    rates: Option<Rates>,
    containers: u64,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            store: MemoryStore::default(),
            clock: TestClock::default(),
            faults: Faults::default(),
            rules: Rules { kind: "errand", policy: &POLICY, breaker: POLICY.breaker },
            rates: None,
            containers: 0,
        }
    }
}

impl Fleet {
    /// A fleet whose calls are limited.
    fn limited(rates: impl Into<Option<Rates>>) -> Self {
        Self { rates: rates.into(), ..Self::default() }
    }

    fn container(&mut self) -> TestGates {
        self.containers += 1;
        let control = self.faults.wrap(self.store.clone());
        let random = SeededRandom::new(self.containers);
        let gates = Gates::new(self.rules, control, self.clock, random);
        let limit = self.rates.map(|rates| Limit { name: DEPENDENCY.into(), rates });
        gates.know_limit(DEPENDENCY, limit);
        gates
    }

    async fn breaker(&self) -> Breaker {
        self.store.breaker(DEPENDENCY).await.unwrap().value
    }
}

/// One run with one call that takes `took` and ends with `ends`; or the code of its refusal.
async fn run(gates: &TestGates, ends: Option<Class>, took: Duration) -> Result<(), String> {
    let failure = ends.map(|class| Failure::new(class, "code", "as asked"));
    run_to(gates, failure.as_ref().map(|failure| failure as &dyn Classified), took).await
}

/// The same with the call's error.
async fn run_to(
    gates: &TestGates,
    ends: Option<&dyn Classified>,
    took: Duration,
) -> Result<(), String> {
    let mut permit = match gates.enter(DEPENDENCY, RunKind::First).await {
        Ok(permit) => permit,
        Err(Refused::Deferred(failure)) => return Err(failure.code().to_owned()),
        Err(Refused::Broken(why)) => return Err(why),
    };
    let end = gates.clock.now() + Duration::from_secs(5);
    permit.until(end, end);
    permit.begin().await.unwrap();
    tokio::time::sleep(took).await;
    permit.end(ends);
    gates.leave(permit, RunEnd::Ended).await;
    gates.report(true).await;
    Ok(())
}

const QUICK: Duration = Duration::from_millis(20);

#[tokio::test(start_paused = true)]
async fn failures_of_several_containers_add_up_and_open_the_breaker_for_all() {
    let mut fleet = Fleet::default();
    let (one, other) = (fleet.container(), fleet.container());
    for _ in 0..2 {
        run(&one, Some(Class::Transient), QUICK).await.unwrap();
        run(&other, Some(Class::Transient), QUICK).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(
        fleet.breaker().await.state,
        State::Closed,
        "four of the five failures that trip it"
    );
    run(&one, Some(Class::Transient), QUICK).await.unwrap();
    assert_eq!(fleet.breaker().await.state.name(), "open");
    assert_eq!(
        run(&one, None, QUICK).await,
        Err("breaker_open".into()),
        "immediately in this container"
    );
    tokio::time::advance(BREAKER_CACHE_TIME.mul_f64(1.2)).await;
    assert_eq!(
        run(&other, None, QUICK).await,
        Err("breaker_open".into()),
        "within seconds in the other"
    );
}

#[tokio::test(start_paused = true)]
async fn failures_that_say_nothing_about_the_dependency_do_not_trip_the_breaker() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for class in [Class::Permanent, Class::Conflict, Class::Crash] {
        for _ in 0..10 {
            run(&gates, Some(class), QUICK).await.unwrap();
        }
    }
    assert_eq!(fleet.breaker().await, Breaker::default(), "and nothing is written");
    for _ in 0..10 {
        run(&gates, Some(Class::Throttled), QUICK).await.unwrap();
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    let Breaker { state, stopped_until, .. } = fleet.breaker().await;
    assert_eq!(state, State::Closed);
    assert!(stopped_until > Time::default(), "a 429 stops calls for a moment");
}

#[tokio::test(start_paused = true)]
async fn successful_probes_close_the_breaker() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for _ in 0..5 {
        run(&gates, Some(Class::Transient), QUICK).await.unwrap();
    }
    let wait = |breaker: &Breaker, clock: TestClock| match breaker.state {
        State::Open { retry_at, .. } => retry_at.since(clock.now()),
        _ => panic!("{breaker:?}"),
    };
    let first = wait(&fleet.breaker().await, fleet.clock);
    tokio::time::advance(first).await;
    run(&gates, Some(Class::Transient), QUICK).await.unwrap();
    let second = wait(&fleet.breaker().await, fleet.clock);
    assert!(first >= Duration::from_secs(57) && second <= Duration::from_secs(15), "{second:?}");
    tokio::time::advance(second).await;
    let (a, b, c) = tokio::join!(
        run(&gates, None, QUICK * 9),
        run(&gates, None, QUICK * 9),
        run(&gates, None, QUICK * 9),
    );
    assert_eq!([a, b, c], [Ok(()), Ok(()), Err("breaker_open".into())], "two probes at a time");
    assert_eq!(fleet.breaker().await.state.name(), "half_open");
    run(&gates, Some(Class::Throttled), QUICK).await.unwrap();
    assert_eq!(fleet.breaker().await.state.name(), "half_open", "a 429 proves nothing");
    tokio::time::advance(Duration::from_secs(5)).await;
    run(&gates, None, QUICK).await.unwrap();
    assert_eq!(fleet.breaker().await.state.name(), "closed");
    // Earlier failures belong to an older generation.
    run(&gates, Some(Class::Transient), QUICK).await.unwrap();
    assert_eq!(fleet.breaker().await.state.name(), "closed");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_counts_as_a_failed_call() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for _ in 0..5 {
        let Ok(mut permit) = gates.enter(DEPENDENCY, RunKind::First).await else {
            panic!("the breaker is closed")
        };
        let end = gates.clock.now() + Duration::from_secs(5);
        permit.until(end, end);
        permit.begin().await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        gates.leave(permit, RunEnd::TimedOut).await;
    }
    let why = "5 of 5 calls failed within a minute, most often with job_timeout";
    assert_eq!(fleet.breaker().await.why, why);
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_the_breaker() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for _ in 0..5 {
        run(&gates, None, Duration::from_secs(4)).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let _ = run(&gates, None, Duration::from_secs(4)).await;
    assert!(fleet.breaker().await.why.contains("calls were slow"), "{:?}", fleet.breaker().await);
}

#[tokio::test(start_paused = true)]
async fn a_closed_breaker_is_read_once_every_few_seconds() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    let reads = || fleet.faults.calls().iter().filter(|call| **call == "breaker").count();
    for _ in 0..100 {
        run(&gates, None, QUICK).await.unwrap();
        tokio::time::advance(Duration::from_millis(80)).await;
    }
    assert!((2..=3).contains(&reads()), "{} reads in ten seconds", reads());
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_a_call_follows_the_latency_that_the_fleet_sees() {
    let mut fleet = Fleet::default();
    let (one, other) = (fleet.container(), fleet.container());
    let limit = async |gates: &TestGates| {
        let Ok(mut permit) = gates.enter(DEPENDENCY, RunKind::First).await else {
            panic!("the breaker is closed")
        };
        let end = gates.clock.now() + Duration::from_secs(5);
        permit.until(end, end);
        let limit = permit.begin().await.unwrap();
        permit.end(None);
        limit.as_millis()
    };
    assert_eq!(limit(&one).await, 5_000, "no latency is known yet");
    for _ in 0..40 {
        run(&one, None, Duration::from_millis(600)).await.unwrap();
    }
    assert_eq!(limit(&one).await, 975, "1.5 times the end of the 650 ms bin");
    run(&other, None, QUICK).await.unwrap();
    assert_eq!(limit(&other).await, 975, "another container uses the same statistics");
}

#[tokio::test(start_paused = true)]
async fn a_container_caches_a_bounded_number_of_dependencies() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for n in 0..MOST_DEPENDENCIES * 3 {
        gates.read_breaker(&format!("page/host-{n}.example")).await;
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let state = gates.state();
    assert_eq!(state.dependencies.len(), MOST_DEPENDENCIES);
    assert!(
        state
            .dependencies
            .contains_key(&format!("page/host-{}.example", MOST_DEPENDENCIES * 3 - 1))
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_with_a_revoked_key_raises_an_alarm() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for _ in 0..5 {
        run(&gates, Some(Class::Transient), QUICK).await.unwrap();
    }
    assert!(!fleet.breaker().await.systemic, "an outage is not systemic");
    tokio::time::advance(Duration::from_secs(70)).await;
    run(&gates, Some(Class::Systemic), QUICK).await.unwrap();
    let breaker = fleet.breaker().await;
    assert!(breaker.systemic && breaker.state.name() == "open", "{breaker:?}");
}

#[tokio::test(start_paused = true)]
async fn an_implausible_response_counts_as_a_failed_call() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    for n in 0..9 {
        let Ok(mut permit) = gates.enter(DEPENDENCY, RunKind::First).await else { break };
        let end = gates.clock.now() + Duration::from_secs(5);
        permit.until(end, end);
        permit.begin().await.unwrap();
        permit.end(None);
        // Three of four responses have no content at all.
        if n % 4 > 0 {
            permit.count_as_failed(&Failure::new(Class::Anomaly, "collapse", "nothing"));
        }
        gates.leave(permit, RunEnd::Ended).await;
    }
    let why = "5 of 7 calls failed within a minute, most often with collapse";
    assert_eq!(fleet.breaker().await.why, why);
}

#[path = "gates_tests/answers.rs"]
mod answers;
#[path = "gates_tests/clocks.rs"]
mod clocks;
#[path = "gates_tests/counts.rs"]
mod counts;
#[path = "gates_tests/latest.rs"]
mod latest;
#[path = "gates_tests/load_shedding.rs"]
mod load_shedding;
#[path = "gates_tests/opening.rs"]
mod opening;
#[path = "gates_tests/recovery.rs"]
mod recovery;
#[path = "gates_tests/slots.rs"]
mod slots;
