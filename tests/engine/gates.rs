//! Breaker and limiter in front of whole batches.

use std::time::Duration;

use evenkeel::{
    base::time::Time, dependency::limiter::Rates, ports::Control as _, record::Phase,
    testing::POLICY,
};

use crate::bench::{
    Bench,
    errands::{DEPENDENCY, errand, key},
};

#[tokio::test(start_paused = true)]
async fn runs_that_have_not_begun_when_the_breaker_opens_are_parked() {
    // A slot every quarter of a second: the jobs of a batch begin one after another.
    let bench = Bench::errands_at(Rates::each_second(4, 14_400));
    for n in 0..4 {
        bench.send(&errand(&format!("early-{n}"), 0, &["transient", "ok"]));
    }
    bench.poll().await;
    // The next batch has only jobs that are new: the others wait for a second at least.
    tokio::time::advance(Duration::from_millis(200)).await;
    for n in 0..4 {
        bench.send(&errand(&format!("late-{n}"), 0, &["transient", "ok"]));
    }
    assert_eq!(
        bench.failed().await.len(),
        1,
        "the first fails and trips the breaker; the parked ones are acknowledged"
    );
    let runs: Vec<usize> = (0..4).map(|n| bench.journal.runs(&format!("late-{n}"))).collect();
    assert_eq!(runs, [1, 0, 0, 0]);
    for n in 1..4 {
        let record = bench.store.record(&key(&format!("late-{n}"))).unwrap();
        assert_eq!((record.phase.name(), record.counters.attempts), ("parked", 0));
        assert_eq!(record.counters.defers, 1);
        let entry = record.due_entry().unwrap();
        assert!(entry.partition.starts_with("dated#elsewhere#"), "{entry:?}");
        assert_eq!(entry.due_at.since(record.work.created_at), POLICY.give_up_after);
        let Phase::Parked { why, run_after, .. } = record.phase else { panic!("not parked") };
        assert!(why.starts_with("deferred (breaker_open): open: 5 of 5 calls failed"), "{why}");
        assert!(run_after.since(bench.now()) >= Duration::from_secs(50));
    }
    bench.drain().await;
    let done = bench.store.records().iter().filter(|r| r.phase.name() == "succeeded").count();
    assert_eq!(done, 8, "all succeed once the dependency works again");
}

#[tokio::test(start_paused = true)]
async fn jobs_whose_slots_are_too_far_ahead_wait_in_the_queue_and_none_runs_early() {
    let bench = Bench::errands_at(Rates::each_second(4, 14_400));
    for n in 0..30 {
        bench.send(&errand(&format!("job-{n:02}"), 0, &[]));
    }
    tokio::join!(bench.poll(), bench.poll(), bench.poll());
    let claimed = bench.store.records().len();
    assert!((15..=21).contains(&claimed), "{claimed} are claimed: those of five seconds");
    bench.drain().await;
    let defers: u32 = bench.store.records().iter().map(|record| record.counters.defers).sum();
    assert_eq!(defers, 0, "none was claimed in vain");
    let mut times: Vec<Time> = bench.journal.calls();
    times.sort_unstable();
    assert_eq!((times.len(), bench.journal.errands()), (30, 30), "each ran once");
    for four in times.windows(5) {
        assert!(four[4].since(four[0]) >= Duration::from_millis(999), "{four:?}");
    }
    assert!(bench.store.records().iter().all(|record| record.counters.attempts == 1));
}

#[tokio::test(start_paused = true)]
async fn a_systemic_failure_parks_all_jobs_and_ends_none() {
    let bench = Bench::errands();
    bench.send(&errand("first", 0, &["systemic", "ok"]));
    bench.poll().await;
    for n in 0..20 {
        bench.send(&errand(&format!("job-{n}"), 0, &[]));
    }
    bench.poll().await;
    bench.poll().await;
    let states: Vec<_> = bench.store.records().iter().map(|r| r.phase.name()).collect();
    assert_eq!(states, ["parked"; 21]);
    assert!(bench.sqs.is_empty(), "one receive per outage, however long it lasts");
    assert_eq!(bench.journal.errands(), 1, "no other job ran");
    bench.drain().await;
    let records = bench.store.records();
    assert!(records.iter().all(|r| r.phase.name() == "succeeded" && r.counters.attempts == 1));
}

/// Jobs of four calls each, with far more calls than slots. Waiting for slots fails none of them.
#[tokio::test(start_paused = true)]
async fn waiting_for_slots_spends_no_attempt_and_ends_no_job() {
    let bench = Bench::errands_at(Rates::each_second(8, 18_000));
    for n in 0..60 {
        let body = errand(&format!("job-{n}"), 50, &[]);
        bench.send(&body.replace("\"takes_ms\"", "\"calls\":3,\"takes_ms\""));
    }
    bench.drain().await;
    for record in bench.store.records() {
        assert_eq!((record.phase.name(), record.counters.attempts), ("succeeded", 1), "{record:?}");
    }
    let breaker = bench.store.breaker(DEPENDENCY).await.unwrap().value;
    assert_eq!(
        breaker.generation, 0,
        "waiting does not count as a failure of the dependency: {breaker:?}"
    );
}

/// One job always gets an answer as if a key were revoked: the site refuses one car, say. It is parked first, so it
/// is probed first. It must not keep the others from their dependency for ever.
#[tokio::test(start_paused = true)]
async fn a_job_with_systemic_trouble_of_its_own_does_not_hold_the_breaker_open() {
    let bench = Bench::errands();
    bench.send(&errand("cursed", 20, &["systemic"]));
    let sending = async {
        for n in 0..600 {
            bench.send(&errand(&format!("job-{n}"), 20, &[]));
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    };
    bench.run_while(sending).await;
    let before = bench.store.breaker(DEPENDENCY).await.unwrap().value;
    assert_eq!(before.state.name(), "closed");
    bench.drain().await;
    assert_eq!(bench.state("cursed"), "dead", "it has spent its attempts");
    let waited = |record: &evenkeel::record::Record| {
        record.phase.ended_at().unwrap().since(record.work.created_at)
    };
    let records = bench.store.records();
    let late = records.iter().filter(|record| waited(record) > Duration::from_mins(2)).count();
    // Those that came in the first minute and a half, at most: the breaker opens once for it.
    assert!(late < 30, "{late} of 600 jobs waited for over two minutes");
}

/// All jobs of a host share one partition of the index, and the cursed one is the oldest.
#[tokio::test(start_paused = true)]
async fn a_job_with_systemic_trouble_of_its_own_is_not_the_only_one_that_probes() {
    let bench = Bench::errands();
    bench.send(&errand("at-host/cursed", 20, &["systemic"]));
    bench.run_for(Duration::from_secs(5)).await;
    for n in 0..20 {
        bench.send(&errand(&format!("at-host/job-{n}"), 20, &[]));
    }
    bench.run_for(Duration::from_mins(10)).await;
    let records = bench.store.records();
    let done = records.iter().filter(|record| record.phase.name() == "succeeded").count();
    assert_eq!(done, 20, "{:?}", bench.store.breaker("page/host").await);
}

/// A job that is alone with its dependency meets calls that work and one that does not: that is an outage.
#[tokio::test(start_paused = true)]
async fn the_calls_of_a_jobs_own_earlier_runs_prove_nothing() {
    let bench = Bench::errands();
    let body = errand("alone", 20, &["transient"]).replace("\"ends\"", "\"calls\":1,\"ends\"");
    bench.send(&body);
    bench.run_for(Duration::from_mins(10)).await;
    let record = bench.store.record(&key("alone")).unwrap();
    assert_eq!((record.phase.ended_at(), record.counters.attempts), (None, 1), "{record:?}");
}

/// A container that has just started knows what others have met.
#[tokio::test(start_paused = true)]
async fn a_cold_container_knows_that_the_dependency_works_for_others() {
    let bench = Bench::errands();
    let settings = bench.containers().settings();
    // Each invocation starts a container.
    let idle = Some(Duration::ZERO);
    bench.containers().set(evenkeel::testing::containers::FunctionSettings { idle, ..settings });
    bench.send(&errand("broken", 20, &["transient"]));
    let others = async {
        for n in 0..100 {
            tokio::time::sleep(Duration::from_secs(6)).await;
            bench.send(&errand(&format!("job-{n}"), 20, &[]));
        }
    };
    bench.run_while(others).await;
    let record = bench.store.record(&key("broken")).unwrap();
    assert_eq!(record.phase.name(), "dead", "{record:?}");
    assert!(record.counters.attempts == POLICY.max_attempts, "{record:?}");
}

/// Its failures are not counted against the dependency either.
#[tokio::test(start_paused = true)]
async fn a_repeat_offender_does_not_trip_the_breaker_by_its_number_of_failures() {
    let bench = Bench::errands();
    bench.send(&errand("cursed", 20, &["systemic"]));
    bench.run_for(Duration::from_secs(70)).await;
    let mut opened = 0;
    for n in 0..20 {
        bench.send(&errand(&format!("job-{n}"), 20, &[]));
        bench.run_for(Duration::from_secs(20)).await;
        let breaker = bench.store.breaker(DEPENDENCY).await.unwrap().value;
        // At first, nothing tells its trouble from everybody's.
        opened += usize::from(n > 5 && breaker.state.name() != "closed");
    }
    assert_eq!(opened, 0);
    assert_eq!(bench.state("cursed"), "dead");
}
