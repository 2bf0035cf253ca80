//! The table or the gates are unavailable, hang, or must be fixed by an operator.

use std::time::Duration;

use evenkeel::testing::{Fault, PartitionLimits, containers::Invocation};

use crate::bench::{
    Bench,
    errands::{DEPENDENCY, errand, key},
    run::MINUTE,
};

#[tokio::test(start_paused = true)]
async fn a_store_that_an_operator_must_fix_fails_the_event_and_loses_nothing() {
    let bench = Bench::errands();
    bench.faults.at(0, usize::MAX, Fault::Broken);
    bench.send(&errand("refused", 0, &[]));
    let Some(Invocation::Failed(why)) = bench.poll().await.map(|delivery| delivery.invocation)
    else {
        panic!("the event does not fail")
    };
    assert!(why.contains("access denied"), "{why}");
    assert_eq!((bench.sqs.len(), bench.journal.runs("refused")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_minute_without_the_table_loses_nothing() {
    // The table becomes unavailable before, between and after the calls of the first batch.
    for healthy_calls in 0..4 {
        let bench = Bench::errands();
        for n in 0..25 {
            bench.send(&errand(&format!("job-{n}"), 100, &[]));
        }
        bench.faults.spare("extend_visibility");
        bench.faults.at(healthy_calls, usize::MAX, Fault::Before);
        bench.run_for(MINUTE).await;
        assert!(!bench.is_quiet(), "{healthy_calls}: the outage has no effect");
        bench.faults.clear();
        bench.drain().await;
        assert!(bench.sqs.is_empty(), "all are acknowledged");
        let records = bench.store.records();
        assert_eq!(records.len(), 25);
        assert!(records.iter().all(|record| record.phase.name() == "succeeded"), "{records:?}");
    }
}

/// The table is read, and takes no write, as a partition with too much traffic. Messages wait longer each time, and none is
/// held for a person.
#[tokio::test(start_paused = true)]
async fn a_table_that_takes_no_write_for_minutes_uses_up_no_receives() {
    let bench = Bench::errands();
    bench.send(&errand("before", 10, &[]));
    bench.run_for(MINUTE).await;
    for n in 0..10 {
        bench.send(&errand(&format!("job-{n}"), 10, &[]));
    }
    let limits = PartitionLimits { writes: 0, ..PartitionLimits::AWS };
    bench.store.limit_table("jobs", Some(limits));
    bench.run_for(MINUTE * 4).await;
    let mut messages = bench.sqs.messages(bench.queue());
    // The audit asks about the job that has ended before.
    messages.retain(|message| message.sent.body.contains("job-"));
    assert_eq!(messages.len(), 10, "none is in the dead-letter queue");
    let receives = messages.iter().map(|message| message.receives).max();
    assert!(receives <= Some(7), "{receives:?}");
    bench.store.limit(None);
    bench.drain().await;
    assert_eq!(bench.store.rejected_messages(), []);
    let records = bench.store.records();
    assert!(records.iter().all(|record| record.phase.name() == "succeeded"), "{records:?}");
    assert_eq!(records.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_hangs_never_delays_the_answer_past_the_deadline() {
    // The table begins to hang before, between and after the calls of the batch. Its jobs end
    // immediately, or shortly before their time limit.
    for (first_to_hang, takes_ms) in [(0, 0), (0, 4900), (1, 0), (2, 0), (2, 4900)] {
        let bench = Bench::errands();
        for n in 0..9 {
            bench.send(&errand(&format!("job-{n}"), takes_ms, &[]));
        }
        bench.send("not json");
        bench.faults.spare("extend_visibility");
        bench.faults.at(first_to_hang, usize::MAX, Fault::Hang);
        let started = bench.now();
        let delivery = bench.poll().await.unwrap();
        assert!(matches!(delivery.invocation, Invocation::Answered(_)), "{first_to_hang}");
        let took = bench.now().since(started);
        assert!(took < Duration::from_secs(15), "{first_to_hang}: {took:?}");
        assert_eq!(bench.sqs.calls(), 1, "{first_to_hang}: the messages to redeliver are hidden");
        bench.faults.clear();
        bench.drain().await;
        let records = bench.store.records();
        assert!(records.iter().all(|record| record.phase.name() == "succeeded"), "{records:?}");
        assert_eq!((records.len(), bench.store.rejected_messages().len()), (9, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_retried_when_the_gates_are_unavailable() {
    let bench = Bench::errands();
    bench.send(&errand("job", 0, &[]));
    bench.faults.on("breaker", Fault::Before);
    assert_eq!(bench.failed().await.len(), 1, "the message becomes visible again");
    let record = bench.store.record(&key("job")).unwrap();
    assert_eq!(
        (record.phase.name(), record.counters.attempts, record.counters.defers),
        ("waiting", 0, 1)
    );
    bench.faults.clear();
    bench.drain().await;
    assert_eq!(bench.state("job"), "succeeded");

    let bench = Bench::errands();
    bench.send(&errand("job", 0, &[]));
    bench.faults.on("breaker", Fault::Broken);
    let Some(Invocation::Failed(why)) = bench.poll().await.map(|delivery| delivery.invocation)
    else {
        panic!("the event does not fail")
    };
    assert!(why.contains("breaker: access denied"), "{why}");
    let record = bench.store.record(&key("job")).unwrap();
    assert_eq!((record.phase.name(), record.counters.crashes), ("waiting", 0), "it did not crash");
    bench.faults.clear();
    bench.drain().await;
    assert_eq!(bench.state("job"), "succeeded");
}

/// The note that a dependency has parked jobs cannot be written. The jobs park all the same, and the audit finds
/// them.
#[tokio::test(start_paused = true)]
async fn a_parking_job_settles_although_its_dependency_cannot_be_registered() {
    let bench = Bench::errands();
    bench.send(&errand("job", 0, &["systemic", "ok"]));
    bench.faults.on("put_note", Fault::Before);
    assert_eq!(bench.failed().await, Vec::<String>::new(), "it needs its message no more");
    let trace = bench.faults.trace();
    let notes = trace.iter().filter(|call| call.name == "put_note" && call.about == DEPENDENCY);
    assert_eq!(notes.count(), 4, "as the breaker opens, for the batch, and twice for the job");
    let record = bench.store.record(&key("job")).unwrap();
    assert_eq!((record.phase.name(), record.counters.crashes), ("parked", 0), "{record:?}");
    bench.faults.clear();
    bench.drain().await;
    assert_eq!(bench.state("job"), "succeeded");
}

/// After an outage, each message was received often, and none has a record. They run side by side again.
#[tokio::test(start_paused = true)]
async fn after_an_outage_a_batch_does_not_run_one_by_one() {
    let bench = Bench::errands();
    for n in 0..10 {
        bench.send(&errand(&format!("job-{n}"), 500, &[]));
    }
    bench.faults.on("insert", Fault::Before);
    for call in ["read", "read_all"] {
        bench.faults.on(call, Fault::Before);
    }
    for _ in 0..5 {
        while bench.poll().await.is_none() {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
    bench.faults.clear();
    bench.drain().await;
    assert!(bench.journal.most_busy() > 1, "one by one");
    assert_eq!(bench.journal.errands(), 10);
}
