//! A dependency that fails and comes back: the breaker closes, and the jobs end soon.

use std::cell::Cell;

use tokio::sync::Notify;

use super::*;
use crate::testing::Fault;

/// Each call of the control port fails in every way while a dependency fails and recovers. No
/// probe's lease stays taken, and the breaker closes in the end.
#[tokio::test(start_paused = true)]
async fn the_breaker_closes_whichever_call_of_the_control_port_fails() {
    async fn story(fleet: &mut Fleet) -> usize {
        let mut gates = fleet.container();
        let mut worked = 0;
        for second in 0..200 {
            let ends = (second < 20).then_some(Class::Transient);
            tokio::select! {
                biased;
                ended = run(&gates, ends, QUICK) => worked += usize::from(ended.is_ok() && second >= 20),
                () = fleet.faults.death() => {
                    fleet.faults = fleet.faults.process();
                    gates = fleet.container();
                }
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        worked
    }
    let fleet = || {
        let rates = Some(Rates::each_second(10, 36_000));
        Fleet {
            rules: Rules { kind: "errand", policy: &POLICY, breaker: POLICY.breaker },
            rates,
            ..Fleet::default()
        }
    };
    let mut calm = fleet();
    let usual = story(&mut calm).await;
    let calls = calm.faults.calls();
    for name in ["breaker", "swap_breaker", "limiter", "swap_limiter", "add_to_bucket", "buckets"] {
        assert!(calls.contains(&name), "the scenario makes the call {name}");
    }
    let interesting = calls
        .iter()
        .enumerate()
        .filter(|(number, name)| *number < 60 || **name == "swap_breaker" || **name == "breaker");
    for (number, name) in interesting {
        for fault in [Fault::Before, Fault::AnswerLost, Fault::DieBefore, Fault::DieAfter] {
            let mut fleet = fleet();
            fleet.faults.at(number, number, fault);
            let worked = story(&mut fleet).await;
            let case = format!("{fault:?} at call {number}, {name}");
            assert_eq!(fleet.breaker().await.state.name(), "closed", "{case}");
            // A probe whose process died holds its lease for a while; the breaker's wait may have
            // doubled once more.
            assert!(worked + 90 >= usual, "{case}: {worked} of {usual}");
        }
    }
}

/// The jobs that an open breaker refused. A simulated sweeper wakes them: a few while the breaker
/// is half-open, and increasingly many once it is closed.
#[derive(Default)]
pub(super) struct Parked {
    jobs: Cell<usize>,
    wake: Notify,
}

impl Parked {
    pub(super) async fn wait(&self) {
        self.jobs.update(|jobs| jobs + 1);
        self.wake.notified().await;
        self.jobs.update(|jobs| jobs - 1);
    }

    /// Checks the breaker every second and wakes jobs accordingly; never returns.
    pub(super) async fn release(&self, fleet: &Fleet) {
        let mut closed_for = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let breaker = fleet.breaker().await;
            let (admits, rate) = match breaker.admit(
                Probe::lease("release".into(), Duration::ZERO, fleet.clock.now()),
                &POLICY.breaker,
                fleet.clock.now(),
            ) {
                Admission::Permit => (true, 1 << (closed_for / 5).min(3)),
                Admission::Probe(_) => (false, 1),
                Admission::Wait(_) => (false, 0),
            };
            closed_for = if admits { closed_for + 1 } else { 0 };
            (0..rate).for_each(|_| self.wake.notify_one());
        }
    }
}

/// A short form of the experiment `outage`: one job a second, a dependency that is down for three
/// minutes, and an open breaker that waits at most a minute.
#[tokio::test(start_paused = true)]
async fn few_calls_reach_a_dependency_that_is_down_and_all_jobs_end_soon_after_it_recovers() {
    let mut fleet = Fleet::default();
    fleet.rules.breaker.longest_wait = Duration::from_secs(60);
    let containers: Vec<TestGates> = (0..3).map(|_| fleet.container()).collect();
    let (clock, parked) = (fleet.clock, Parked::default());
    let started = clock.now();
    let down = |now: Time| (20..200).contains(&now.since(started).as_secs());
    let (while_down, grown) = (Cell::new(0), Cell::new(0));
    let job = async |n: usize| {
        tokio::time::sleep(Duration::from_secs(n as u64)).await;
        let mut attempts = 0;
        loop {
            let turn = if attempts > 0 { RunKind::Retry } else { RunKind::First };
            let Ok(mut permit) = containers[n % 3].enter(DEPENDENCY, turn).await else {
                parked.wait().await;
                continue;
            };
            let end = clock.now() + Duration::from_secs(5);
            permit.until(end, end);
            permit.begin().await.unwrap();
            let fails = down(clock.now());
            while_down.update(|calls| calls + usize::from(fails));
            tokio::time::sleep(QUICK).await;
            let failure = fails.then(|| Failure::new(Class::Transient, "http_503", "down"));
            permit.end(failure.as_ref().map(|failure| failure as &dyn Classified));
            containers[n % 3].leave(permit, RunEnd::Ended).await;
            containers[n % 3].report(true).await;
            if !fails {
                return;
            }
            attempts += 1;
            grown.update(|most: u32| most.max(attempts));
            let wait = crate::record::retry::backoff(&POLICY, attempts, 0.5);
            tokio::time::sleep(wait.max(Duration::from_secs(1))).await;
        }
    };
    tokio::select! {
        biased;
        _ = futures_util::future::join_all((0..230).map(job)) => {}
        () = parked.release(&fleet) => {}
    }
    let recovered = clock.now().since(started + Duration::from_secs(200));
    assert!(while_down.get() < 30, "{} calls", while_down.get());
    assert!(recovered < Duration::from_mins(3), "{recovered:?}");
    assert!(grown.get() <= 5, "a parked job spends no attempt: {}", grown.get());
}
