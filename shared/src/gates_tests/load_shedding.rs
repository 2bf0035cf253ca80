//! Load shedding: fewer calls to a dependency that becomes slow, before the breaker opens.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use super::{recovery::Parked, *};

/// A policy without load shedding.
const BLIND: Policy = Policy { sheds_load: false, ..POLICY };

/// A policy whose breaker hardly ever trips, to test load shedding in isolation.
const NEVER_TRIPS: Policy =
    Policy { breaker: BreakerPolicy { failures: 1_000, ..POLICY.breaker }, ..POLICY };

#[tokio::test(start_paused = true)]
async fn no_load_is_shed_for_a_healthy_dependency() {
    let mut fleet = Fleet::default();
    fleet.rules.policy = &NEVER_TRIPS;
    fleet.rules.breaker = NEVER_TRIPS.breaker;
    let gates = fleet.container();
    for n in 0..2_000_u64 {
        let took = Duration::from_millis(40 + gates.random.bits() % 200);
        // One call in twenty fails: that is no trend.
        let ends = (n % 20 == 7).then_some(Class::Transient);
        assert_eq!(run(&gates, ends, took).await, Ok(()), "call {n}");
    }
}

/// A dependency whose capacity shrinks over three minutes, stays low for two and recovers. Calls
/// above the capacity fail, and calls take longer the closer the load comes to it.
struct Degrading {
    started: Time,
    random: SeededRandom,
    latest: VecDeque<Time>,
}

impl Degrading {
    /// The capacity at `now`, in calls per second.
    fn capacity(&self, now: Time) -> f64 {
        match now.since(self.started).as_secs_f64() {
            seconds if seconds < 150.0 => 14.0,
            seconds if seconds < 330.0 => 14.0 - 12.0 * (seconds - 150.0) / 180.0,
            seconds if seconds < 450.0 => 2.0,
            _ => 14.0,
        }
    }

    /// How a call that begins now ends, and how long it takes.
    fn call(&mut self, now: Time) -> (Option<Class>, Duration) {
        self.latest.push_back(now);
        let second = now.before(Duration::from_secs(1));
        while self.latest.front().is_some_and(|at| *at <= second) {
            self.latest.pop_front();
        }
        let load = f64::from(u32::try_from(self.latest.len()).unwrap()) / self.capacity(now);
        let fails = self.random.unit() < 1.0 - 1.0 / load.max(1.0);
        let took = Duration::from_millis(80).mul_f64(1.0 / (1.0 - load.min(0.95)));
        (fails.then_some(Class::Transient), took)
    }
}

/// Runs 3,000 jobs, six a second, in four containers until each is done. Returns the number of
/// failed calls and of runs that load shedding refused.
async fn degrade(seed: u64, sheds_load: bool) -> (usize, usize) {
    let mut fleet = Fleet { containers: seed * 100, ..Fleet::default() };
    fleet.rules.policy = if sheds_load { &POLICY } else { &BLIND };
    let containers: Vec<TestGates> = (0..4).map(|_| fleet.container()).collect();
    let (clock, random, parked) = (fleet.clock, SeededRandom::new(seed), Parked::default());
    let latest = VecDeque::new();
    let upstream = Degrading { started: clock.now(), random: random.clone(), latest };
    let upstream = RefCell::new(upstream);
    let (failed, put_off) = (Cell::new(0), Cell::new(0));
    let job = async |n: usize| {
        let gates = &containers[n % 4];
        let number = u32::try_from(n).unwrap();
        tokio::time::sleep(Duration::from_secs(1) / 6 * number).await;
        let mut attempts = 0;
        loop {
            match gates
                .enter(DEPENDENCY, if attempts > 0 { RunKind::Retry } else { RunKind::First })
                .await
            {
                Ok(mut permit) => {
                    let end = clock.now() + Duration::from_secs(5);
                    permit.until(end, end);
                    permit.begin().await.unwrap();
                    let (ends, took) = upstream.borrow_mut().call(clock.now());
                    tokio::time::sleep(took).await;
                    let failure = ends.map(|class| Failure::new(class, "code", "overload"));
                    permit.end(failure.as_ref().map(|f| f as &dyn Classified));
                    gates.leave(permit, RunEnd::Ended).await;
                    gates.report(true).await;
                    if failure.is_none() {
                        return;
                    }
                    failed.update(|failed| failed + 1);
                    attempts += 1;
                    let wait = crate::record::retry::backoff(&POLICY, attempts, random.unit());
                    tokio::time::sleep(wait.max(Duration::from_secs(1))).await;
                }
                Err(Refused::Deferred(failure)) if failure.code() == "load_shed" => {
                    put_off.update(|put_off| put_off + 1);
                    tokio::time::sleep(failure.retry_after().unwrap()).await;
                }
                Err(_) => parked.wait().await,
            }
        }
    };
    tokio::select! {
        biased;
        _ = futures_util::future::join_all((0..3_000).map(job)) => {}
        () = parked.release(&fleet) => {}
    }
    (failed.get(), put_off.get())
}

#[tokio::test(start_paused = true)]
async fn load_shedding_reduces_failed_calls_for_the_same_work() {
    let (mut better, mut all) = (0, (0, 0));
    let mut told = Vec::new();
    for seed in 1..=10 {
        let (with, put_off) = degrade(seed, true).await;
        let (without, none) = degrade(seed, false).await;
        assert_eq!(none, 0);
        assert!(put_off > 0, "seed {seed}: no load was shed");
        better += usize::from(with < without);
        all = (all.0 + with, all.1 + without);
        told.push(format!(
            "seed {seed}: {with} failed calls instead of {without}, {put_off} runs shed"
        ));
    }
    assert!(
        better > 5 && all.0 * 10 <= all.1 * 9,
        "load shedding reduced failed calls in only {better} of 10 seeds: {told:#?}"
    );
}
