//! Claims of jobs that have records already: what a batch of them costs, and that one in trouble is alone with it.

use evenkeel::{
    message::Flaw,
    record::{FailedAttempt, Phase, Record},
    testing::{EntryOutcome, Fault, TableHabits},
};

use crate::bench::Bench;

/// Stores a job that the sweeper has released after it was parked, and sends the message that wakes it. It was claimed
/// once before.
fn wake_one(bench: &Bench, name: &str) -> Record {
    let now = bench.now();
    let phase = Phase::Waiting { run_after: now, due_at: now, why: "released".into() };
    let record = bench.put(name, phase);
    bench.wake(&record);
    record
}

/// The same for ten jobs, which are one batch.
fn wake_ten(bench: &Bench) -> Vec<Record> {
    (0..10).map(|n| wake_one(bench, &format!("job-{n}"))).collect()
}

/// How often each of these calls was made.
fn made<const N: usize>(bench: &Bench, names: [&str; N]) -> [usize; N] {
    let calls = bench.faults.calls();
    names.map(|name| calls.iter().filter(|call| **call == name).count())
}

const CALLS: [&str; 4] = ["read_all", "replace_all", "read", "replace"];

fn claims(bench: &Bench) -> Vec<u32> {
    bench.store.records().iter().map(|record| record.counters.claims).collect()
}

#[tokio::test(start_paused = true)]
async fn ten_jobs_that_are_woken_are_read_in_one_call_and_claimed_in_one() {
    let bench = Bench::errands();
    wake_ten(&bench);
    assert_eq!(bench.failed().await, Vec::<String>::new());
    assert_eq!(made(&bench, CALLS), [1, 1, 0, 0]);
    assert!(bench.store.all(|record| record.phase.name() == "succeeded"));
    assert_eq!((claims(&bench), bench.journal.errands()), (vec![2; 10], 10));
}

#[tokio::test(start_paused = true)]
async fn a_single_job_that_is_woken_is_read_and_claimed_by_single_calls() {
    let bench = Bench::errands();
    wake_one(&bench, "alone");
    assert_eq!(bench.failed().await, Vec::<String>::new());
    assert_eq!((made(&bench, CALLS), bench.state("alone")), ([0, 0, 1, 1], "succeeded"));
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_record_keeps_none_of_nine_others_from_their_claims() {
    let bench = Bench::errands();
    let jobs = wake_ten(&bench);
    let unreadable = Some("errand#g:job-3");
    bench.store.behave(TableHabits { unreadable, ..TableHabits::default() });
    assert_eq!(bench.failed().await.len(), 1, "its message waits for a version that can read it");
    let records = bench.store.records();
    let done = records.iter().filter(|record| record.phase.name() == "succeeded").count();
    assert_eq!((done, &records[3]), (9, &jobs[3]), "it is left alone");
    assert_eq!(made(&bench, CALLS), [1, 1, 0, 0]);
}

/// The record of one has become too large for the table. A call of its own tells so.
#[tokio::test(start_paused = true)]
async fn a_record_that_the_table_refuses_keeps_none_of_nine_others_from_their_claims() {
    let bench = Bench::errands();
    let jobs = wake_ten(&bench);
    let message = "x".repeat(500_000);
    let (class, code) = ("transient".into(), "long".into());
    let history = vec![FailedAttempt { at: 7, class, code, message }];
    bench.store.put(&Record { history, ..jobs[3].clone() });
    assert_eq!(bench.failed().await, Vec::<String>::new());
    assert_eq!(made(&bench, CALLS), [1, 1, 0, 1]);
    let [kept] = &bench.store.rejected_messages()[..] else { panic!("one message is kept") };
    assert_eq!(kept.rejection.flaw, Flaw::Invalid);
    assert!(kept.rejection.reason.contains(&jobs[3].key), "{}", kept.rejection.reason);
    assert_eq!(bench.journal.errands(), 9, "the others run");
}

/// Some writes are refused, one is throttled, and one is written and answered with an error.
#[tokio::test(start_paused = true)]
async fn each_of_ten_claims_in_a_call_has_its_own_result() {
    use EntryOutcome::{Applied, InDoubt, Refused, Throttled};
    let bench = Bench::errands();
    wake_ten(&bench);
    bench.store.plan_entries("replace_all", [Applied, Refused, Throttled, InDoubt, Refused]);
    assert_eq!(bench.failed().await, Vec::<String>::new());
    // Those in doubt are read again, and the one that was not written is claimed alone, after those that were refused.
    assert_eq!(made(&bench, CALLS), [2, 2, 0, 1]);
    assert!(bench.store.all(|record| record.phase.name() == "succeeded"));
    assert_eq!((claims(&bench), bench.journal.errands()), (vec![2; 10], 10));
}

#[tokio::test(start_paused = true)]
async fn claims_whose_answer_is_lost_are_found_by_one_more_read() {
    let bench = Bench::errands();
    wake_ten(&bench);
    bench.faults.on("replace_all", Fault::AnswerLost);
    assert_eq!(bench.failed().await, Vec::<String>::new());
    assert_eq!(made(&bench, CALLS), [2, 1, 0, 0]);
    assert_eq!(claims(&bench), [2; 10], "no job is claimed twice");
}

/// A shared call that hangs costs no more time than one of a single job, and nothing has begun.
#[tokio::test(start_paused = true)]
async fn claims_whose_read_hangs_are_given_up_together_and_run_later() {
    let bench = Bench::errands();
    wake_ten(&bench);
    bench.faults.on("read_all", Fault::Hang);
    let started = bench.now();
    assert_eq!(bench.failed().await.len(), 10);
    let took = bench.now().since(started);
    assert_eq!((took.as_secs(), made(&bench, CALLS)), (2, [1, 0, 0, 0]), "{took:?}");
    bench.faults.clear();
    bench.drain().await;
    assert_eq!((claims(&bench), bench.journal.errands()), (vec![2; 10], 10));
}
