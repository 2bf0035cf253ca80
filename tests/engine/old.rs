use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::{
    base::time::{Clock as _, Time},
    dependency::limiter::Rates,
    failure::{Class, Failure},
    job::{Gate, Progress, Run},
    message::{Flaw, REJECTED_HEAD_BYTES, ReceivedMessage},
    payload::{Payload, Problems},
    policy::{Policy, tests::POLICY},
    ports::{Control, Store},
    record::Phase,
    testing::{
        Fault, Faults, InMemory, MemoryQueue, MemoryStore, SeededRandom, TestClock, TestPorts,
        next_event_in, release_parked,
    },
};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Errand {
    name: String,
    #[serde(default)]
    takes_ms: u64,
    /// Runs that it takes before the last one.
    #[serde(default)]
    steps: u32,
    /// Calls that it makes before the last one.
    #[serde(default)]
    calls: u32,
    /// How each run ends, in order; the last entry repeats.
    #[serde(default)]
    ends: Vec<String>,
}

impl Payload for Errand {
    fn check(&mut self, _: &mut Problems) {}
}

/// A job type that does what its payload says, and records when it ran.
#[derive(Clone, Default)]
struct Errands {
    runs: Arc<Mutex<HashMap<String, Vec<Time>>>>,
    clock: TestClock,
    busy: Arc<Mutex<(usize, usize)>>,
    rates: Option<Rates>,
}

impl Errands {
    fn runs(&self, name: &str) -> usize {
        self.runs.lock().unwrap().get(name).map_or(0, Vec::len)
    }
}

impl Job for Errands {
    const TYPE: &'static str = "errand";
    const POLICY: Policy = POLICY;
    type Payload = Errand;
    type Output = String;

    fn rates(&self) -> Option<Rates> {
        self.rates
    }

    fn fallback(errand: &Errand) -> Option<String> {
        errand.name.starts_with("fallback").then(|| "\"instead\"".to_owned())
    }

    async fn run<G: Gate>(
        &self,
        errand: &Errand,
        run: &Run<'_, G>,
    ) -> Result<Progress<String>, Failure> {
        for _ in 0..errand.calls {
            run.call(async |_| Ok::<(), Failure>(())).await?;
        }
        let done = run.call(|_| self.go(errand)).await?;
        let steps = run.cursor.as_ref().map_or(0, |cursor| cursor.parse::<u32>().unwrap());
        Ok(if steps < errand.steps {
            Progress::More((steps + 1).to_string())
        } else {
            Progress::Done(done)
        })
    }
}

impl Errands {
    async fn go(&self, errand: &Errand) -> Result<String, Failure> {
        let turn = {
            let mut runs = self.runs.lock().unwrap();
            let runs = runs.entry(errand.name.clone()).or_default();
            runs.push(self.clock.now());
            runs.len() - 1
        };
        {
            let mut busy = self.busy.lock().unwrap();
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        tokio::time::sleep(Duration::from_millis(errand.takes_ms)).await;
        self.busy.lock().unwrap().0 -= 1;
        match errand.ends.get(turn).or(errand.ends.last()).map_or("ok", String::as_str) {
            "panic" => panic!("as asked"),
            "ok" => Ok("done".into()),
            name => {
                let class = Class::ALL.into_iter().find(|class| class.name() == name).unwrap();
                Err(Failure::new(class, "code", "as asked"))
            }
        }
    }
}

type TestWorker<S = MemoryStore> = Worker<Errands, TestPorts<S>>;

fn worker() -> TestWorker {
    worker_on(MemoryStore::default())
}

fn worker_on<S: Store + Control + Clone + 'static>(store: S) -> TestWorker<S> {
    worker_with(store, None)
}

fn worker_with<S: Store + Control + Clone + 'static>(
    store: S,
    rates: Option<Rates>,
) -> TestWorker<S> {
    let clock = TestClock::default();
    let job = Errands { clock, rates, ..Errands::default() };
    Worker::new(job, store, MemoryQueue::new(clock), clock, SeededRandom::new(7))
}

fn errand(name: &str, takes_ms: u64, ends: &[&str]) -> String {
    let payload = json!({"name": name, "takes_ms": takes_ms, "ends": ends});
    json!({"version": 1, "type": "errand", "id": name, "payload": payload}).to_string()
}

/// Handles one event of visible messages, as the SQS poller does. Returns the ids that failed.
async fn poll(
    worker: &TestWorker<impl Store + Control + InMemory + Clone + 'static>,
) -> Vec<String> {
    release_parked(worker.store.memory(), &worker.queue, worker.clock.now());
    let event = worker.queue.receive(10);
    let deadline = worker.clock.now() + Duration::from_secs(15);
    let failed = handle(worker, event.clone(), deadline).await.unwrap();
    worker.queue.acknowledge(&event, &failed);
    failed
}

/// Polls until the queue is empty, waiting for hidden messages on the paused clock.
async fn drain(worker: &TestWorker<impl Store + Control + InMemory + Clone + 'static>) {
    let mut events = 0;
    while let Some(wait) = next_event_in(worker.store.memory(), &worker.queue, worker.clock.now()) {
        tokio::time::advance(wait).await;
        poll(worker).await;
        events += 1;
        assert!(events < 1_000, "the queue does not drain");
    }
}

fn phase(worker: &TestWorker, name: &str) -> &'static str {
    worker.store.record(&format!("errand#g:{name}")).unwrap().phase.name()
}

#[tokio::test(start_paused = true)]
async fn ten_healthy_jobs_are_claimed_and_settled_in_one_call_each() {
    let worker = worker();
    for n in 0..10 {
        worker.queue.send(&errand(&format!("job-{n}"), 20, &[]));
    }
    assert_eq!(poll(&worker).await, Vec::<String>::new());
    assert!(worker.queue.is_empty());
    let cold = ["breaker", "statistics", "the fleet's statistics", "the type's statistics"];
    assert_eq!(worker.store.calls(), 2 + cold.len(), "claim, settle");
    assert_eq!(worker.queue.calls(), 0);
    assert_eq!(worker.store.leases(), []);
    let most = worker.job.busy.lock().unwrap().1;
    assert_eq!(most, POLICY.concurrency, "as many run concurrently as the policy allows");
    for record in worker.store.records() {
        assert!(matches!(record.phase, Phase::Succeeded { .. }));
        assert_eq!((record.counters.claims, record.counters.attempts), (1, 1));
    }
}

/// The cost of a healthy queue with all gates active: at most half a round trip and 2.6 write units
/// per job, whether batches follow each other immediately or two seconds apart.
#[tokio::test(start_paused = true)]
async fn warm_batches_stay_within_their_budget() {
    for pause_ms in [0, 300, 1_000, 2_000] {
        let rates = Rates { per_second: 1_000, per_hour: 3_600_000 };
        let worker = worker_with(MemoryStore::default(), Some(rates));
        let mut before = (0, 0);
        for batch in 0..101 {
            for n in 0..10 {
                worker.queue.send(&errand(&format!("job-{batch}-{n}"), 50, &[]));
            }
            assert_eq!(poll(&worker).await, Vec::<String>::new());
            if batch == 0 {
                before = (worker.store.calls(), worker.store.writes());
            }
            tokio::time::advance(Duration::from_millis(pause_ms)).await;
        }
        let calls = worker.store.calls() - before.0;
        let units = worker.store.writes() - before.1;
        assert!(calls <= 500, "{pause_ms}: {calls} round trips for 1,000 jobs");
        assert!(units <= 2_600, "{pause_ms}: {units} write units for 1,000 jobs");
        let done = worker.store.records().iter().filter(|r| r.phase.name() == "succeeded").count();
        assert_eq!((done, worker.queue.calls()), (1_010, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_job_delays_no_other_beyond_the_settle_grouping() {
    let worker = worker();
    worker.queue.send(&errand("fast", 10, &[]));
    worker.queue.send(&errand("slow", 4000, &[]));
    let started = worker.clock.now();
    poll(&worker).await;
    let Phase::Succeeded { at, .. } = worker.store.record("errand#g:fast").unwrap().phase else {
        panic!("not done")
    };
    assert_eq!(at.since(started), Duration::from_millis(10));
    let gates = ["breaker", "statistics", "statistics again", "the fleet's", "the type's"];
    assert_eq!(worker.store.calls(), 3 + gates.len(), "claim, two settles");
    assert_eq!(worker.store.leases(), []);
}

#[tokio::test(start_paused = true)]
async fn a_retry_runs_when_it_is_due_and_spends_an_attempt() {
    let worker = worker();
    worker.queue.send(&errand("twice", 0, &["transient", "ok"]));
    worker.queue.send(&errand("never", 0, &["transient"]));
    worker.queue.send(&errand("hopeless", 0, &["permanent"]));
    assert_eq!(poll(&worker).await.len(), 2, "one is dead immediately and acknowledged");
    assert_eq!(phase(&worker, "twice"), "waiting");
    drain(&worker).await;
    assert_eq!((phase(&worker, "twice"), worker.job.runs("twice")), ("succeeded", 2));
    assert_eq!((phase(&worker, "never"), worker.job.runs("never")), ("dead", 4));
    assert_eq!((phase(&worker, "hopeless"), worker.job.runs("hopeless")), ("dead", 1));
    let Phase::Dead { why, .. } = worker.store.record("errand#g:never").unwrap().phase else {
        panic!("not dead")
    };
    assert_eq!(why, "attempts spent: transient (code): as asked");
    assert_eq!(worker.store.record("errand#g:never").unwrap().history.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_panic_does_not_affect_other_jobs() {
    let worker = worker();
    worker.queue.send(&errand("bomb", 0, &["panic"]));
    worker.queue.send(&errand("neighbour", 5, &[]));
    poll(&worker).await;
    assert_eq!(phase(&worker, "neighbour"), "succeeded");
    drain(&worker).await;
    assert_eq!((phase(&worker, "bomb"), worker.job.runs("bomb")), ("quarantined", 3));
    let runs = worker.job.runs.lock().unwrap()["bomb"].clone();
    let pauses = [runs[1].since(runs[0]), runs[2].since(runs[1])].map(|pause| pause.as_secs());
    assert_eq!(pauses, [1, 180], "the first retry comes immediately, the second after minutes");
}

#[tokio::test(start_paused = true)]
async fn copies_of_one_job_in_a_batch_cause_one_run() {
    let worker = worker();
    for _ in 0..10 {
        worker.queue.send(&errand("same", 10, &["transient", "ok"]));
    }
    assert_eq!(poll(&worker).await.len(), 10, "all copies share one disposition");
    let record = worker.store.record("errand#g:same").unwrap();
    assert_eq!((record.counters.receives, record.counters.claims), (10, 1));
    drain(&worker).await;
    assert_eq!((phase(&worker, "same"), worker.job.runs("same")), ("succeeded", 2));
}

#[tokio::test(start_paused = true)]
async fn one_id_with_two_payloads_runs_the_first_and_rejects_the_second() {
    let worker = worker();
    worker.queue.send(&errand("id", 0, &[]));
    worker.queue.send(&errand("id", 1, &[]));
    drain(&worker).await;
    assert_eq!(worker.job.runs("id"), 1);
    let kept = worker.store.rejected_messages();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].rejection.flaw, Flaw::OtherPayload);
    assert_eq!(kept[0].head, errand("id", 1, &[]));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_message_is_rejected_and_the_other_jobs_run() {
    let worker = worker();
    worker.queue.send("not json");
    worker.queue.send(&errand("good", 0, &[]));
    let long = format!("{{{}", "é".repeat(40_000));
    worker.queue.send(&long);
    assert_eq!(poll(&worker).await, Vec::<String>::new());
    assert_eq!(phase(&worker, "good"), "succeeded");
    let kept = worker.store.rejected_messages();
    assert_eq!(kept.len(), 2);
    let long_one = kept.iter().find(|body| body.length == long.len()).unwrap();
    assert_eq!(long_one.rejection.flaw, Flaw::TooLong);
    assert_eq!(long_one.head.len(), REJECTED_HEAD_BYTES - 1, "cut between characters");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_may_kill_its_process_runs_after_the_others_are_settled() {
    let worker = worker();
    worker.queue.send(&errand("suspect", 10, &[]));
    for _ in 0..3 {
        worker.queue.receive(10);
        worker.queue.show_all();
    }
    worker.queue.send(&errand("neighbour", 100, &[]));
    poll(&worker).await;
    assert_eq!(
        (phase(&worker, "suspect"), phase(&worker, "neighbour")),
        ("succeeded", "succeeded")
    );
    let runs = worker.job.runs.lock().unwrap();
    assert!(runs["suspect"][0] >= runs["neighbour"][0] + Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_no_longer_fits_is_not_started() {
    let worker = worker();
    worker.queue.send(&errand("late", 0, &[]));
    let event = worker.queue.receive(10);
    let just_enough = worker.clock.now() + POLICY.job_timeout + POLICY.reserve;
    let too_soon = just_enough.before(Duration::from_millis(1));
    let failed = handle(&worker, event.clone(), too_soon).await.unwrap();
    assert_eq!(failed.len(), 1);
    worker.queue.acknowledge(&event, &failed);
    let record = worker.store.record("errand#g:late").unwrap();
    assert_eq!((record.counters.attempts, record.counters.defers), (0, 1));
    drain(&worker).await;
    assert_eq!((phase(&worker, "late"), worker.job.runs("late")), ("succeeded", 1));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_hangs_is_cut_off_and_retried() {
    let worker = worker();
    worker.queue.send(&errand("hangs", 60_000, &[]));
    let started = worker.clock.now();
    poll(&worker).await;
    assert_eq!(worker.clock.now().since(started), POLICY.job_timeout);
    let record = worker.store.record("errand#g:hangs").unwrap();
    assert_eq!((record.phase.name(), record.history[0].code.as_str()), ("waiting", "job_timeout"));
}

#[tokio::test(start_paused = true)]
async fn a_message_to_redeliver_that_has_no_id_fails_the_event() {
    let worker = worker();
    let deadline = worker.clock.now() + Duration::from_secs(15);
    let nameless = |ends: &[&str]| {
        let body = Some(errand("nameless", 0, ends));
        ReceivedMessage {
            body,
            receives: 1,
            sent_at: worker.clock.now(),
            ..ReceivedMessage::default()
        }
    };
    let failed = handle(&worker, vec![nameless(&["transient"])], deadline).await;
    assert!(failed.unwrap_err().0.contains("messageId"));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_written_keeps_message_and_lease() {
    let (store, faults) = (MemoryStore::default(), Faults::default());
    let worker = worker_on(faults.wrap(store.clone()));
    worker.queue.send(&errand("done", 0, &[]));
    // Every call fails but the claim.
    faults.at(1, usize::MAX, Fault::Before);
    let started = worker.clock.now();
    assert_eq!(poll(&worker).await.len(), 1, "it is not acknowledged");
    let took = worker.clock.now().since(started);
    assert!(took < Duration::from_secs(15), "it answers before Lambda's deadline: {took:?}");
    assert_eq!(store.leases().len(), 1, "the lease stays for the sweeper");
    assert_eq!(store.records()[0].phase.name(), "running");

    faults.revive();
    drain(&worker).await;
    let record = &store.records()[0];
    assert_eq!((record.phase.name(), record.counters.crashes), ("succeeded", 1));
    assert!(worker.queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_an_operator_must_fix_fails_the_event_and_loses_nothing() {
    let (store, faults) = (MemoryStore::default(), Faults::default());
    faults.at(0, usize::MAX, Fault::Broken);
    let worker = worker_on(faults.wrap(store));
    worker.queue.send(&errand("refused", 0, &[]));
    let event = worker.queue.receive(10);
    let deadline = worker.clock.now() + Duration::from_secs(15);
    let error = handle(&worker, event, deadline).await.unwrap_err();
    assert!(error.0.contains("access denied"), "{error}");
    assert_eq!((worker.queue.len(), worker.job.runs("refused")), (1, 0));
}

/// Polls until the queue is empty; `back` ends the outage when it has lasted a minute.
async fn drain_through_an_outage(
    worker: &TestWorker<impl Store + Control + InMemory + Clone + 'static>,
    back: impl Fn(),
) {
    let over = worker.clock.now() + Duration::from_mins(1);
    let mut events = 0;
    while let Some(wait) = next_event_in(worker.store.memory(), &worker.queue, worker.clock.now()) {
        tokio::time::advance(wait).await;
        if worker.clock.now() >= over {
            back();
        }
        poll(worker).await;
        events += 1;
        assert!(events < 200, "the queue does not drain");
    }
}

#[tokio::test(start_paused = true)]
async fn a_minute_without_the_table_loses_nothing() {
    // The table becomes unavailable before, between and after the calls of the first batch.
    for healthy_calls in 0..4 {
        let (store, faults) = (MemoryStore::default(), Faults::default());
        let worker = worker_on(faults.wrap(store.clone()));
        for n in 0..25 {
            worker.queue.send(&errand(&format!("job-{n}"), 100, &[]));
        }
        faults.at(healthy_calls, usize::MAX, Fault::Before);
        drain_through_an_outage(&worker, || faults.revive()).await;
        assert!(worker.queue.is_empty(), "all are acknowledged");
        let records = store.records();
        assert_eq!(records.len(), 25);
        assert!(records.iter().all(|record| record.phase.name() == "succeeded"), "{records:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_hangs_never_delays_the_answer_past_the_deadline() {
    // The table begins to hang before, between and after the calls of the batch. Its jobs end
    // immediately, or shortly before their time limit.
    for (first_to_hang, takes_ms) in [(0, 0), (0, 4900), (1, 0), (2, 0), (2, 4900)] {
        let (store, faults) = (MemoryStore::default(), Faults::default());
        let worker = worker_on(faults.wrap(store.clone()));
        for n in 0..9 {
            worker.queue.send(&errand(&format!("job-{n}"), takes_ms, &[]));
        }
        worker.queue.send("not json");
        faults.at(first_to_hang, usize::MAX, Fault::Hang);
        let started = worker.clock.now();
        poll(&worker).await;
        let took = worker.clock.now().since(started);
        assert!(took < Duration::from_secs(15), "{first_to_hang}: {took:?}");
        assert_eq!(
            worker.queue.calls(),
            1,
            "{first_to_hang}: the messages to redeliver are hidden"
        );
        faults.revive();
        drain(&worker).await;
        let records = store.records();
        assert!(records.iter().all(|record| record.phase.name() == "succeeded"), "{records:?}");
        assert_eq!((records.len(), store.rejected_messages().len()), (9, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_record_does_not_affect_other_jobs() {
    let (store, faults) = (MemoryStore::default(), Faults::default());
    let worker = worker_on(faults.wrap(store));
    worker.queue.send(&errand("odd", 0, &[]));
    poll(&worker).await;
    // Only a record that exists already is read.
    faults.on("read", Fault::Unreadable);
    worker.queue.send(&errand("odd", 0, &[]));
    worker.queue.send(&errand("even", 0, &[]));
    assert_eq!(poll(&worker).await.len(), 1);
    assert_eq!((worker.job.runs("odd"), worker.job.runs("even")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_that_another_took_over_changes_nothing() {
    let first = worker();
    // A process whose clock is half a minute ahead considers the live lease expired.
    let clock = first.clock.ahead(Duration::from_secs(30));
    let (queue, random) = (MemoryQueue::new(clock), SeededRandom::new(8));
    let second: TestWorker =
        Worker::new(first.job.clone(), first.store.clone(), queue, clock, random);
    let body = errand("twice", 3000, &[]);
    first.queue.send(&body);
    let events = (first.queue.receive(10), {
        second.queue.send(&body);
        second.queue.receive(10)
    });
    let early = handle(&first, events.0, first.clock.now() + Duration::from_secs(15));
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle(&second, events.1, second.clock.now() + Duration::from_secs(15)).await
    };
    let zombie_settled = async {
        // Between the two ends: the settle of the first run was refused, and the second is still
        // running.
        tokio::time::sleep(Duration::from_millis(3500)).await;
        first.store.record("errand#g:twice").unwrap()
    };
    let (early, late, between) = tokio::join!(early, late, zombie_settled);
    assert_eq!((between.phase.name(), between.fence), ("running", 2));
    assert_eq!(early.unwrap().len(), 1, "it has nothing to acknowledge");
    assert_eq!(late, Ok(Vec::new()));
    let record = first.store.record("errand#g:twice").unwrap();
    assert_eq!((record.phase.name(), record.fence, record.counters.crashes), ("succeeded", 2, 1));
    assert_eq!(record.owner, between.owner);
}

#[tokio::test(start_paused = true)]
async fn runs_that_have_not_begun_when_the_breaker_opens_are_parked() {
    // A slot every quarter of a second: the jobs of a batch begin one after another.
    let rates = Rates { per_second: 4, per_hour: 14_400 };
    let worker = worker_with(MemoryStore::default(), Some(rates));
    for n in 0..4 {
        worker.queue.send(&errand(&format!("early-{n}"), 0, &["transient", "ok"]));
    }
    poll(&worker).await;
    tokio::time::advance(Duration::from_millis(250)).await;
    for n in 0..4 {
        worker.queue.send(&errand(&format!("late-{n}"), 0, &["transient", "ok"]));
    }
    let event = worker.queue.receive(10);
    let late: Vec<_> = event
        .iter()
        .filter(|message| message.body.as_ref().is_some_and(|body| body.contains("late")))
        .cloned()
        .collect();
    let deadline = worker.clock.now() + Duration::from_secs(15);
    let failed = handle(&worker, late.clone(), deadline).await.unwrap();
    assert_eq!(
        failed.len(),
        1,
        "the first fails and trips the breaker; the parked ones are acknowledged"
    );
    worker.queue.acknowledge(&late, &failed);
    let runs: Vec<usize> = (0..4).map(|n| worker.job.runs(&format!("late-{n}"))).collect();
    assert_eq!(runs, [1, 0, 0, 0]);
    for n in 1..4 {
        let record = worker.store.record(&format!("errand#g:late-{n}")).unwrap();
        assert_eq!((record.phase.name(), record.counters.attempts), ("parked", 0));
        assert_eq!(record.counters.defers, 1);
        let entry = record.due_entry().unwrap();
        assert!(entry.partition.starts_with("parked#elsewhere#"), "{entry:?}");
        let Phase::Parked { why, run_after, .. } = record.phase else { panic!("not parked") };
        assert!(why.starts_with("deferred (breaker_open): open: 5 of 5 calls failed"), "{why}");
        assert!(run_after.since(worker.clock.now()) >= Duration::from_secs(50));
    }
    drain(&worker).await;
    let done = worker.store.records().iter().filter(|r| r.phase.name() == "succeeded").count();
    assert_eq!(done, 8, "all succeed once the dependency works again");
}

#[tokio::test(start_paused = true)]
async fn jobs_whose_slots_are_too_far_ahead_are_parked_and_none_runs_early() {
    let rates = Rates { per_second: 4, per_hour: 14_400 };
    let worker = worker_with(MemoryStore::default(), Some(rates));
    for n in 0..30 {
        worker.queue.send(&errand(&format!("job-{n:02}"), 0, &[]));
    }
    tokio::join!(poll(&worker), poll(&worker), poll(&worker));
    let parked = worker.store.records().iter().filter(|r| r.phase.name() == "parked").count();
    assert!(parked >= 10, "{parked} are parked");
    drain(&worker).await;
    let mut times: Vec<Time> =
        worker.job.runs.lock().unwrap().values().flatten().copied().collect();
    times.sort_unstable();
    assert_eq!(times.len(), 30, "each ran once");
    for four in times.windows(5) {
        assert!(four[4].since(four[0]) >= Duration::from_millis(999), "{four:?}");
    }
    assert!(worker.store.records().iter().all(|record| record.counters.attempts == 1));
}

#[tokio::test(start_paused = true)]
async fn a_systemic_failure_parks_all_jobs_and_ends_none() {
    let worker = worker();
    let mut ends = vec!["systemic"; 1];
    ends.push("ok");
    worker.queue.send(&errand("first", 0, &ends));
    poll(&worker).await;
    for n in 0..20 {
        worker.queue.send(&errand(&format!("job-{n}"), 0, &[]));
    }
    poll(&worker).await;
    poll(&worker).await;
    let states: Vec<_> = worker.store.records().iter().map(|r| r.phase.name()).collect();
    assert_eq!(states, ["parked"; 21]);
    assert!(worker.queue.is_empty(), "one receive per outage, however long it lasts");
    assert_eq!(worker.job.runs.lock().unwrap().len(), 1, "no other job ran");
    drain(&worker).await;
    let records = worker.store.records();
    assert!(records.iter().all(|r| r.phase.name() == "succeeded" && r.counters.attempts == 1));
}

#[tokio::test(start_paused = true)]
async fn jobs_are_retried_when_the_gates_are_unavailable() {
    let (store, faults) = (MemoryStore::default(), Faults::default());
    let worker = worker_on(faults.wrap(store.clone()));
    worker.queue.send(&errand("job", 0, &[]));
    faults.on("breaker", Fault::Before);
    assert_eq!(poll(&worker).await.len(), 1, "the message becomes visible again");
    let record = store.record("errand#g:job").unwrap();
    assert_eq!(
        (record.phase.name(), record.counters.attempts, record.counters.defers),
        ("waiting", 0, 1)
    );
    faults.revive();
    drain(&worker).await;
    assert_eq!(store.record("errand#g:job").unwrap().phase.name(), "succeeded");

    let (store, faults) = (MemoryStore::default(), Faults::default());
    let worker = worker_on(faults.wrap(store.clone()));
    worker.queue.send(&errand("job", 0, &[]));
    faults.on("breaker", Fault::Broken);
    let event = worker.queue.receive(10);
    let deadline = worker.clock.now() + Duration::from_secs(15);
    let error = handle(&worker, event, deadline).await.unwrap_err();
    assert!(error.0.contains("breaker: access denied"), "{error}");
    let record = store.record("errand#g:job").unwrap();
    assert_eq!((record.phase.name(), record.counters.crashes), ("waiting", 0), "it did not crash");
    faults.revive();
    drain(&worker).await;
    assert_eq!(store.record("errand#g:job").unwrap().phase.name(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_stands_in_at_the_deadline_and_is_upgraded_or_given_up() {
    let worker = worker();
    let send = |name: &str, ends: &[&str]| {
        let deadline = worker.clock.now() + Duration::from_secs(30);
        let body =
            errand(name, 0, ends).replace("\"id\"", &format!("\"deadline\":\"{deadline}\",\"id\""));
        worker.queue.send(&body);
    };
    let record = |name: &str| worker.store.record(&format!("errand#g:{name}")).unwrap();
    send(
        "fallback-upgraded",
        &["throttled", "throttled", "throttled", "throttled", "throttled", "ok"],
    );
    send("fallback-given-up", &["throttled"]);
    send("plain", &["throttled"]);
    let (started, mut events) = (worker.clock.now(), 0);
    while worker.clock.now().since(started) < Duration::from_secs(31) {
        let wait = next_event_in(&worker.store, &worker.queue, worker.clock.now()).unwrap();
        tokio::time::advance(wait).await;
        poll(&worker).await;
        events += 1;
        assert!(events < 100);
    }
    assert_eq!(record("plain").phase.name(), "dead", "a job without a fallback is dead");
    let standing = record("fallback-given-up");
    assert_eq!(standing.provisional.as_deref(), Some("\"instead\""));
    assert!(standing.due_entry().is_some(), "{standing:?}");
    drain(&worker).await;
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
    let worker = worker();
    worker.queue.send(&errand("job", 0, &["permanent"]));
    poll(&worker).await;
    let record = worker.store.record("errand#g:job").unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    worker.queue.wake(&crate::message::wake::body(&record).unwrap(), &record);
    poll(&worker).await;
    assert_eq!((phase(&worker, "job"), worker.job.runs("job")), ("dead", 1));
    assert!(worker.queue.is_empty());
    worker.queue.send(&errand("job", 0, &["permanent"]));
    poll(&worker).await;
    assert_eq!(worker.job.runs("job"), 2, "a sender's message reopens it");
}

#[tokio::test(start_paused = true)]
async fn long_work_continues_from_its_cursor_and_spends_no_attempt() {
    let worker = worker();
    let body = errand("long", 100, &["ok", "ok", "transient", "ok"]);
    worker.queue.send(&body.replace("\"takes_ms\"", "\"steps\":5,\"takes_ms\""));
    poll(&worker).await;
    let record = worker.store.record("errand#g:long").unwrap();
    assert_eq!((record.phase.name(), record.cursor.as_deref()), ("waiting", Some("1")));
    assert_eq!((record.counters.attempts, record.counters.defers), (0, 0));
    assert!(record.due_entry().is_some(), "the sweeper finds the job if the message is lost");
    drain(&worker).await;
    let record = worker.store.record("errand#g:long").unwrap();
    assert_eq!((record.phase.name(), record.cursor), ("succeeded", None));
    assert_eq!(worker.job.runs("long"), 7, "six steps, one of them twice");
    assert_eq!(record.counters.attempts, 2, "the failure and the success");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_message_has_few_receives_left_is_parked() {
    let worker = worker();
    worker.queue.send(&errand("contended", 0, &["contended"]));
    for _ in 0..60 {
        let wait = next_event_in(&worker.store, &worker.queue, worker.clock.now()).unwrap();
        tokio::time::advance(wait).await;
        poll(&worker).await;
    }
    let record = worker.store.record("errand#g:contended").unwrap();
    assert_eq!(record.counters.claims, 60, "it is never lost to the dead-letter queue");
}

/// Jobs of four calls each, with far more calls than slots. Waiting for slots fails none of them.
#[tokio::test(start_paused = true)]
async fn waiting_for_slots_spends_no_attempt_and_ends_no_job() {
    let rates = Rates { per_second: 8, per_hour: 18_000 };
    let worker = worker_with(MemoryStore::default(), Some(rates));
    for n in 0..60 {
        let body = errand(&format!("job-{n}"), 50, &[]);
        worker.queue.send(&body.replace("\"takes_ms\"", "\"calls\":3,\"takes_ms\""));
    }
    let mut rounds = 0;
    while let Some(wait) = next_event_in(&worker.store, &worker.queue, worker.clock.now()) {
        tokio::time::advance(wait).await;
        tokio::join!(poll(&worker), poll(&worker), poll(&worker));
        rounds += 1;
        assert!(rounds < 300, "the queue does not drain");
    }
    for record in worker.store.records() {
        assert_eq!((record.phase.name(), record.counters.attempts), ("succeeded", 1), "{record:?}");
    }
    let breaker = worker.store.breaker("elsewhere").await.unwrap().value;
    assert_eq!(
        breaker.generation, 0,
        "waiting does not count as a failure of the dependency: {breaker:?}"
    );
}
