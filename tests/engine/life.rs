//! The life of a job over several receives: retries, deadlines, fallbacks, continuations.

use std::time::Duration;

use evenkeel::{record::Phase, testing::POLICY};

use crate::bench::{
    Bench,
    errands::{errand, key},
};

#[tokio::test(start_paused = true)]
async fn a_retry_runs_when_it_is_due_and_spends_an_attempt() {
    let bench = Bench::errands();
    bench.send(&errand("twice", 0, &["transient", "ok"]));
    bench.send(&errand("never", 0, &["transient"]));
    bench.send(&errand("hopeless", 0, &["permanent"]));
    assert_eq!(bench.failed().await.len(), 2, "one is dead immediately and acknowledged");
    assert_eq!(bench.state("twice"), "waiting");
    // Others show that the dependency works.
    let others = async {
        for n in 0..60 {
            bench.send(&errand(&format!("other-{n}"), 0, &[]));
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    };
    bench.run_while(others).await;
    bench.drain().await;
    assert_eq!((bench.state("twice"), bench.journal.runs("twice")), ("succeeded", 2));
    assert_eq!(bench.state("never"), "dead");
    assert_eq!((bench.state("hopeless"), bench.journal.runs("hopeless")), ("dead", 1));
    let record = bench.store.record(&key("never")).unwrap();
    let Phase::Dead { why, .. } = &record.phase else { panic!("not dead") };
    assert_eq!(why, "attempts spent: transient (code): as asked");
    assert_eq!((record.history.len(), record.counters.attempts), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_stands_in_at_the_deadline_and_is_upgraded_or_given_up() {
    let bench = Bench::errands();
    let send = |name: &str, ends: &[&str]| {
        let deadline = bench.now() + Duration::from_secs(30);
        let body =
            errand(name, 0, ends).replace("\"id\"", &format!("\"deadline\":\"{deadline}\",\"id\""));
        bench.send(&body);
    };
    let record = |name: &str| bench.store.record(&key(name)).unwrap();
    send(
        "fallback-upgraded",
        &["throttled", "throttled", "throttled", "throttled", "throttled", "ok"],
    );
    send("fallback-given-up", &["throttled"]);
    send("plain", &["throttled"]);
    bench.until(|bench| bench.state("plain") == "dead").await;
    let Phase::Dead { at, .. } = record("plain").phase else { panic!("not dead") };
    let late = at.since(record("plain").work.deadline.unwrap());
    assert!(late < Duration::from_secs(61), "a job without a fallback is dead: {late:?}");
    bench.until(|_| record("fallback-given-up").provisional.is_some()).await;
    let late = bench.now().since(record("fallback-given-up").work.deadline.unwrap());
    assert!(late < Duration::from_secs(61), "{late:?}");
    let standing = record("fallback-given-up");
    assert_eq!(standing.provisional.as_deref(), Some("\"instead\""));
    assert!(standing.due_entry().is_some(), "{standing:?}");
    bench.drain().await;
    let upgraded = record("fallback-upgraded");
    assert_eq!((upgraded.phase.name(), &upgraded.provisional), ("succeeded", &None));
    let given_up = record("fallback-given-up");
    assert_eq!(given_up.phase.name(), "dead");
    assert!(given_up.provisional.is_some(), "the fallback is kept");
    let Phase::Dead { at, .. } = given_up.phase else { panic!("not dead") };
    let late = at.since(given_up.work.deadline.unwrap());
    assert!(late >= POLICY.give_up_after, "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_wake_up_message_reopens_nothing() {
    let bench = Bench::errands();
    bench.send(&errand("job", 0, &["permanent"]));
    bench.poll().await;
    tokio::time::advance(Duration::from_secs(5)).await;
    bench.wake(&bench.only());
    bench.poll().await;
    assert_eq!((bench.state("job"), bench.journal.runs("job")), ("dead", 1));
    assert!(bench.sqs.is_empty());
    bench.send(&errand("job", 0, &["permanent"]));
    bench.poll().await;
    assert_eq!(bench.journal.runs("job"), 2, "a sender's message reopens it");
}

#[tokio::test(start_paused = true)]
async fn long_work_continues_from_its_cursor_and_spends_no_attempt() {
    let bench = Bench::errands();
    let body = errand("long", 100, &["ok", "ok", "transient", "ok"]);
    bench.send(&body.replace("\"takes_ms\"", "\"steps\":5,\"takes_ms\""));
    bench.poll().await;
    let record = bench.only();
    assert_eq!((record.phase.name(), record.cursor.as_deref()), ("waiting", Some("1 0")));
    assert_eq!((record.counters.attempts, record.counters.defers), (0, 0));
    assert!(record.due_entry().is_some(), "the sweeper finds the job if the message is lost");
    bench.drain().await;
    let record = bench.only();
    assert_eq!((record.phase.name(), &record.cursor), ("succeeded", &None));
    assert_eq!(bench.journal.runs("long"), 7, "six steps, one of them twice");
    assert_eq!(record.counters.attempts, 2, "the failure and the success");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_message_has_few_receives_left_is_parked() {
    let bench = Bench::errands();
    bench.send(&errand("contended", 0, &["contended"]));
    for _ in 0..60 {
        bench.next().await.unwrap();
    }
    let record = bench.only();
    assert_eq!(record.counters.claims, 60, "it is never lost to the dead-letter queue");
    assert!(bench.sqs.messages(bench.dead()).is_empty());
}

/// A run of five calls to a service that has become slow. It never has the time for all of them.
#[tokio::test(start_paused = true)]
async fn a_run_that_called_and_ran_out_of_time_is_an_attempt() {
    let bench = Bench::errands();
    let body = errand("slow", 0, &[]);
    bench.send(&body.replace("\"takes_ms\"", "\"calls\":5,\"call_ms\":1150,\"takes_ms\""));
    bench.drain().await;
    let record = bench.store.record(&key("slow")).unwrap();
    assert_eq!((record.phase.name(), record.history[0].code.as_str()), ("dead", "job_timeout"));
    assert!(record.counters.attempts > 0, "{record:?}");
    assert!(record.counters.claims < 50, "it was restarted each second: {record:?}");
}

/// The third party asks for fewer calls, and the job type knows no rates: all containers stop.
#[tokio::test(start_paused = true)]
async fn jobs_do_not_run_on_into_a_429() {
    let bench = Bench::errands();
    for n in 0..500 {
        bench.send(&errand(&format!("job-{n}"), 200, &["throttled", "ok"]));
    }
    bench.run_for(Duration::from_secs(5)).await;
    let calls = bench.journal.calls().len();
    assert!(calls <= 100, "{calls} calls into the same wall");
    bench.drain().await;
    let records = bench.store.records();
    assert!(records.iter().all(|record| record.phase.name() == "succeeded"));
    assert_eq!(records.len(), 500);
}
