//! One event: what is claimed, run and settled together, and what each message's answer is.

use std::time::Duration;

use evenkeel::{
    dependency::limiter::Rates,
    message::{Flaw, REJECTED_HEAD_BYTES, ReceivedMessage},
    record::Phase,
    testing::{
        ARN, Faults, MemoryStore, POLICY, SeededRandom, SimulatedSqs, TableHabits, TestClock,
        TestPorts,
        containers::{FunctionSettings, Invocation},
    },
    worker::{Worker, handle},
};

use crate::bench::{
    Bench,
    errands::{Errands, Journal, errand, key},
};

/// Time-out of the function.
const TIMEOUT: Duration = Duration::from_secs(15);

#[tokio::test(start_paused = true)]
async fn ten_healthy_jobs_are_claimed_and_settled_in_one_call_each() {
    let bench = Bench::errands();
    for n in 0..10 {
        bench.send(&errand(&format!("job-{n}"), 20, &[]));
    }
    assert_eq!(bench.failed().await, Vec::<String>::new());
    assert!(bench.sqs.is_empty());
    let cold = ["breaker", "statistics", "the fleet's statistics"];
    assert_eq!(bench.store.calls(), 2 + cold.len(), "claim, settle");
    assert_eq!(bench.sqs.calls(), 0);
    assert_eq!(bench.store.leases(), []);
    let most = bench.journal.most_busy();
    assert_eq!(most, POLICY.concurrency, "as many run concurrently as the policy allows");
    for record in bench.store.records() {
        assert!(matches!(record.phase, Phase::Succeeded { .. }));
        assert_eq!((record.counters.claims, record.counters.attempts), (1, 1));
    }
}

/// The cost of a healthy queue with all gates active: at most half a round trip and 2.6 write units
/// per job, whether batches follow each other immediately or two seconds apart.
#[tokio::test(start_paused = true)]
async fn warm_batches_stay_within_their_budget() {
    for pause_ms in [0, 300, 1_000, 2_000] {
        let bench = Bench::errands_at(Rates::each_second(1_000, 3_600_000));
        let mut before = (0, 0);
        for batch in 0..101 {
            for n in 0..10 {
                bench.send(&errand(&format!("job-{batch}-{n}"), 50, &[]));
            }
            assert_eq!(bench.failed().await, Vec::<String>::new());
            if batch == 0 {
                before = (bench.store.calls(), bench.store.units().writes);
            }
            tokio::time::advance(Duration::from_millis(pause_ms)).await;
        }
        let calls = bench.store.calls() - before.0;
        let units = bench.store.units().writes - before.1;
        assert!(calls <= 500, "{pause_ms}: {calls} round trips for 1,000 jobs");
        assert!(units <= 2_600, "{pause_ms}: {units} write units for 1,000 jobs");
        let done = bench.store.records().iter().filter(|r| r.phase.name() == "succeeded").count();
        assert_eq!((done, bench.sqs.calls(), bench.containers().started()), (1_010, 0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_job_delays_no_other_beyond_the_settle_grouping() {
    let bench = Bench::errands();
    bench.send(&errand("fast", 10, &[]));
    bench.send(&errand("slow", 4000, &[]));
    let started = bench.now();
    bench.poll().await;
    let Phase::Succeeded { at, .. } = bench.store.record(&key("fast")).unwrap().phase else {
        panic!("not done")
    };
    assert_eq!(at.since(started), Duration::from_millis(10));
    let gates = ["breaker", "statistics", "statistics again", "the fleet's"];
    assert_eq!(bench.store.calls(), 3 + gates.len(), "claim, two settles");
    assert_eq!(bench.store.leases(), []);
}

#[tokio::test(start_paused = true)]
async fn a_panic_does_not_affect_other_jobs() {
    let bench = Bench::errands();
    bench.send(&errand("bomb", 0, &["panic"]));
    bench.send(&errand("neighbour", 5, &[]));
    bench.poll().await;
    assert_eq!(bench.state("neighbour"), "succeeded");
    bench.drain().await;
    assert_eq!((bench.state("bomb"), bench.journal.runs("bomb")), ("quarantined", 3));
    let runs = bench.journal.times("bomb");
    let pauses = [runs[1].since(runs[0]), runs[2].since(runs[1])].map(|pause| pause.as_secs());
    assert_eq!(pauses, [1, 180], "the first retry comes immediately, the second after minutes");
}

/// During an update, senders may be ahead of the functions for a while.
#[tokio::test(start_paused = true)]
async fn a_message_of_a_newer_version_waits_for_hours_and_is_then_kept() {
    let bench = Bench::errands();
    bench.send(&errand("job", 0, &[]).replace("\"version\":1", "\"version\":2"));
    bench.run_for(Duration::from_mins(20 * 15 - 1)).await;
    assert_eq!((bench.sqs.len(), bench.store.rejected_messages().len()), (1, 0), "it waits");
    bench.run_for(Duration::from_mins(2)).await;
    let [kept] = &bench.store.rejected_messages()[..] else { panic!("one is kept") };
    assert_eq!((bench.sqs.len(), kept.rejection.flaw), (0, Flaw::Newer));
}

/// Code of a job type runs in four more places than its run.
#[tokio::test(start_paused = true)]
async fn a_panic_at_a_body_rejects_that_body_alone() {
    for name in ["panics-in-check", "panics-in-dependency", "panics-in-fallback"] {
        let bench = Bench::errands();
        bench.send(&errand(name, 0, &[]));
        for n in 0..9 {
            bench.send(&errand(&format!("job-{n}"), 20, &[]));
        }
        assert_eq!(bench.failed().await, Vec::<String>::new(), "{name}");
        assert_eq!(bench.journal.errands(), 9, "{name}: its neighbours run");
        let [kept] = &bench.store.rejected_messages()[..] else { panic!("{name}: one is kept") };
        assert_eq!(kept.rejection.flaw, Flaw::Invalid, "{name}");
        assert!(
            kept.rejection.reason.starts_with("payload: its job type cannot read it: "),
            "{}",
            kept.rejection.reason
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_check_of_a_result_affects_no_other_job() {
    let bench = Bench::errands();
    bench.send(&errand("panics-in-verify", 0, &[]));
    bench.drain().await;
    bench.ask_for_check(&bench.store.record(&key("panics-in-verify")).unwrap());
    bench.send(&errand("neighbour", 0, &[]));
    assert_eq!(bench.failed().await, Vec::<String>::new());
    assert_eq!(bench.state("neighbour"), "succeeded");
    assert_eq!(bench.state("panics-in-verify"), "succeeded", "nothing is known of its result");
}

#[tokio::test(start_paused = true)]
async fn what_no_item_of_the_table_can_hold_ends_the_job_with_the_reason() {
    let bench = Bench::errands();
    bench.send(&errand("long", 0, &["long"]));
    let host = format!("\"name\":\"at-{}.example\"", "h".repeat(2_036));
    bench.send(&errand("at", 0, &[]).replace("\"name\":\"at\"", &host));
    for n in 0..8 {
        bench.send(&errand(&format!("job-{n}"), 20, &[]));
    }
    assert_eq!(bench.failed().await, Vec::<String>::new());
    assert_eq!((bench.state("long"), bench.journal.errands()), ("dead", 9));
    let record = bench.store.record(&key("long")).unwrap();
    let Phase::Dead { why, .. } = &record.phase else { panic!("not dead") };
    assert!(why.contains("result_too_long"), "{why}");
    let [kept] = &bench.store.rejected_messages()[..] else { panic!("one is kept") };
    assert!(
        kept.rejection.reason.contains("dependency has 2049 bytes, expected 1 to 512"),
        "{}",
        kept.rejection.reason
    );
}

/// DynamoDB refuses an item for a reason that nothing here foresees. That is the job's end, and no trouble of others.
#[tokio::test(start_paused = true)]
async fn a_record_that_the_table_refuses_ends_its_job_alone() {
    let bench = Bench::errands();
    bench.store.behave(TableHabits { refuses: Some("waiting"), ..TableHabits::default() });
    bench.send(&errand("refused", 20, &["transient"]));
    for n in 0..8 {
        bench.send(&errand(&format!("job-{n}"), 20, &[]));
    }
    assert_eq!(bench.failed().await, Vec::<String>::new());
    let record = bench.store.record(&key("refused")).unwrap();
    let Phase::Dead { why, .. } = &record.phase else { panic!("{record:?}") };
    assert!(why.contains("unwritable") && why.contains("as asked"), "{why}");
    bench.store.behave(TableHabits { refuses: Some("running"), ..TableHabits::default() });
    bench.send(&errand("unclaimed", 20, &[]));
    assert_eq!(bench.failed().await, Vec::<String>::new());
    let [kept] = &bench.store.rejected_messages()[..] else { panic!("it is kept") };
    assert!(kept.rejection.reason.contains("the table refuses it"), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn copies_of_one_job_in_a_batch_cause_one_run() {
    let bench = Bench::errands();
    for _ in 0..10 {
        bench.send(&errand("same", 10, &["transient", "ok"]));
    }
    assert_eq!(bench.failed().await.len(), 10, "all copies share one disposition");
    let record = bench.store.record(&key("same")).unwrap();
    assert_eq!((record.counters.receives, record.counters.claims), (10, 1));
    bench.drain().await;
    assert_eq!((bench.state("same"), bench.journal.runs("same")), ("succeeded", 2));
}

#[tokio::test(start_paused = true)]
async fn one_id_with_two_payloads_runs_the_first_and_rejects_the_second() {
    let bench = Bench::errands();
    bench.send(&errand("id", 0, &[]));
    bench.send(&errand("id", 1, &[]));
    bench.drain().await;
    assert_eq!(bench.journal.runs("id"), 1);
    let kept = bench.store.rejected_messages();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].rejection.flaw, Flaw::OtherPayload);
    assert_eq!(kept[0].head, errand("id", 1, &[]));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_message_is_rejected_and_the_other_jobs_run() {
    let bench = Bench::errands();
    bench.send("not json");
    bench.send(&errand("good", 0, &[]));
    let long = format!("{{{}", "é".repeat(40_000));
    bench.send(&long);
    assert_eq!(bench.failed().await, Vec::<String>::new());
    assert_eq!(bench.state("good"), "succeeded");
    let kept = bench.store.rejected_messages();
    assert_eq!(kept.len(), 2);
    let long_one = kept.iter().find(|body| body.length == long.len()).unwrap();
    assert_eq!(long_one.rejection.flaw, Flaw::TooLong);
    assert_eq!(long_one.head.len(), REJECTED_HEAD_BYTES - 1, "cut between characters");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_may_kill_its_process_runs_after_the_others_are_settled() {
    let bench = Bench::errands();
    bench.send(&errand("suspect", 10, &[]));
    bench.received_in_vain(3).await;
    bench.send(&errand("neighbour", 100, &[]));
    bench.poll().await;
    assert_eq!((bench.state("suspect"), bench.state("neighbour")), ("succeeded", "succeeded"));
    let [suspect, neighbour] = ["suspect", "neighbour"].map(|name| bench.journal.times(name)[0]);
    assert!(suspect >= neighbour + Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn jobs_that_came_back_after_an_outage_run_together() {
    let bench = Bench::errands();
    for name in ["first", "second"] {
        bench.send(&errand(name, 100, &[]));
    }
    bench.received_in_vain(3).await;
    bench.send(&errand("neighbour", 100, &[]));
    bench.poll().await;
    let starts = ["first", "second", "neighbour"].map(|name| bench.journal.times(name)[0]);
    let (earliest, latest) = (starts.iter().min().unwrap(), starts.iter().max().unwrap());
    assert!(
        *latest < *earliest + Duration::from_millis(100),
        "none waits for another to be settled"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_no_longer_fits_is_not_started() {
    let bench = Bench::errands();
    bench.send(&errand("late", 0, &[]));
    let just_enough = POLICY.job_timeout + POLICY.reserve;
    let too_short = just_enough.saturating_sub(Duration::from_millis(1));
    bench.containers().set(FunctionSettings::with_timeout(too_short));
    assert_eq!(bench.failed().await.len(), 1);
    let record = bench.store.record(&key("late")).unwrap();
    assert_eq!((record.counters.attempts, record.counters.defers), (0, 1));
    bench.containers().set(FunctionSettings::with_timeout(TIMEOUT));
    bench.drain().await;
    assert_eq!((bench.state("late"), bench.journal.runs("late")), ("succeeded", 1));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_hangs_is_cut_off_and_retried() {
    let bench = Bench::errands();
    bench.send(&errand("hangs", 60_000, &[]));
    let started = bench.now();
    bench.poll().await;
    assert_eq!(bench.now().since(started), POLICY.job_timeout);
    let record = bench.store.record(&key("hangs")).unwrap();
    assert_eq!((record.phase.name(), record.history[0].code.as_str()), ("waiting", "job_timeout"));
}

/// A worker without a bench around it.
fn worker(
    store: MemoryStore,
    clock: TestClock,
    journal: Journal,
    seed: u64,
) -> Worker<Errands, TestPorts> {
    let job = Errands { journal, clock, rates: None, process: Faults::default() };
    Worker::new(job, store, SimulatedSqs::new(clock), clock, SeededRandom::new(seed))
}

#[tokio::test(start_paused = true)]
async fn a_message_to_redeliver_that_has_no_id_fails_the_event() {
    use evenkeel::base::time::Clock as _;
    let worker = worker(MemoryStore::default(), TestClock::default(), Journal::default(), 7);
    let nameless = ReceivedMessage {
        body: Some(errand("nameless", 0, &["transient"])),
        receives: 1,
        sent_at: worker.clock.now(),
        ..ReceivedMessage::default()
    };
    let failed = handle(&worker, vec![nameless], worker.clock.now() + TIMEOUT).await;
    assert!(failed.unwrap_err().0.contains("messageId"));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_written_keeps_message_and_lease() {
    let bench = Bench::errands();
    bench.send(&errand("done", 0, &[]));
    // Every call fails but the claim.
    bench.faults.spare("extend_visibility");
    bench.faults.at(1, usize::MAX, evenkeel::testing::Fault::Before);
    let started = bench.now();
    assert_eq!(bench.failed().await.len(), 1, "it is not acknowledged");
    let took = bench.now().since(started);
    assert!(took < TIMEOUT, "it answers before Lambda's deadline: {took:?}");
    assert_eq!(bench.store.leases().len(), 1, "the lease stays for the sweeper");
    assert_eq!(bench.only().phase.name(), "running");

    bench.faults.clear();
    bench.drain().await;
    let record = bench.only();
    assert_eq!((record.phase.name(), record.counters.crashes), ("succeeded", 1));
    assert!(bench.sqs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_record_does_not_affect_other_jobs() {
    let bench = Bench::errands();
    bench.send(&errand("odd", 0, &[]));
    bench.poll().await;
    // Only a record that exists already is read.
    bench.faults.on("read", evenkeel::testing::Fault::Unreadable);
    bench.send(&errand("odd", 0, &[]));
    bench.send(&errand("even", 0, &[]));
    assert_eq!(bench.failed().await.len(), 1);
    assert_eq!((bench.journal.runs("odd"), bench.journal.runs("even")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_that_another_took_over_changes_nothing() {
    use evenkeel::base::time::Clock as _;
    let (store, journal) = (MemoryStore::default(), Journal::default());
    let first = worker(store.clone(), TestClock::default(), journal.clone(), 7);
    // A process whose clock is half a minute ahead considers the live lease expired.
    let second = worker(store.clone(), first.clock.ahead(Duration::from_secs(30)), journal, 8);
    let events = [&first, &second].map(|worker| {
        worker.queue.send(&errand("twice", 3000, &[]));
        worker.queue.receive_from(ARN, 10)
    });
    let [one, other] = events;
    let early = handle(&first, one, first.clock.now() + TIMEOUT);
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle(&second, other, second.clock.now() + TIMEOUT).await
    };
    let zombie_settled = async {
        // Between the two ends: the settle of the first run was refused, and the second is still
        // running.
        tokio::time::sleep(Duration::from_millis(3500)).await;
        store.record(&key("twice")).unwrap()
    };
    let (early, late, between) = tokio::join!(early, late, zombie_settled);
    assert_eq!((between.phase.name(), between.fence), ("running", 2));
    assert_eq!(early.unwrap().len(), 1, "it has nothing to acknowledge");
    assert_eq!(late, Ok(Vec::new()));
    let record = store.record(&key("twice")).unwrap();
    assert_eq!((record.phase.name(), record.fence, record.counters.crashes), ("succeeded", 2, 1));
    assert_eq!(record.owner, between.owner);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_not_of_sqs_fails_with_the_reason() {
    let bench = Bench::errands();
    let event = serde_json::json!({ "Records": "none" });
    let Invocation::Failed(why) = bench.containers().invoke(event).await else {
        panic!("it is no event")
    };
    assert!(why.contains("expected a sequence"), "{why}");
}
