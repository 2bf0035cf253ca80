use super::*;
use crate::testing::{
    Fault, Faults, MemoryStore, POLICY, SimulatedSqs, TestClock, sqs::QueueSettings,
};

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:q";

fn job(id: &str) -> NewJob {
    let payload = format!(r#"{{"name":"{id}"}}"#);
    NewJob::new("errand", id, payload, &POLICY, "elsewhere".into(), QUEUE, "A dealer, é")
}

struct Office {
    store: MemoryStore,
    queue: SimulatedSqs<TestClock>,
    clock: TestClock,
    faults: Faults,
}

impl Office {
    fn new() -> Self {
        let clock = TestClock::default();
        let queue = SimulatedSqs::new(clock);
        queue.create(QUEUE, QueueSettings::default());
        Self { store: MemoryStore::default(), queue, clock, faults: Faults::default() }
    }

    /// Enqueues jobs from a process of its own. Fails if the process dies.
    async fn enqueue(&self, jobs: &[NewJob]) -> Result<Enqueued, PortError> {
        let process = self.faults.process();
        let store = process.wrap(self.store.clone());
        let queue = process.wrap(self.queue.clone());
        tokio::select! {
            biased;
            enqueued = enqueue(&store, &queue, &self.clock, jobs) => enqueued,
            () = process.death() => Err(PortError::Unavailable("the process died".into())),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_job_gets_its_record_before_its_message() {
    let office = Office::new();
    let jobs: Vec<NewJob> = (0..60).map(|n| job(&format!("job-{n}"))).collect();
    assert_eq!(office.enqueue(&jobs).await, Ok(Enqueued { made: 60, ..Enqueued::default() }));
    assert_eq!(office.faults.calls()[..3], ["enqueue"; 3], "25 records a call");
    assert_eq!(office.faults.calls()[3..], ["send"; 6], "ten messages a call");
    let records = office.store.records();
    assert!(records.iter().all(|record| record.due_entry().is_some()), "each is on the due index");
    let sent = office.queue.receive_from(QUEUE, 10);
    assert_eq!(sent[0].wakes.as_ref().map(|woken| woken.fence), Some(0));
    assert_eq!(
        sent[0].body.as_deref(),
        Some(r#"{"version":1,"type":"errand","id":"job-0","payload":{"name":"job-0"}}"#)
    );
    assert_eq!(jobs[0].group, "A-dealer,--");
}

#[tokio::test(start_paused = true)]
async fn a_job_and_its_message_belong_to_the_trace_of_the_run_that_creates_it() {
    let office = Office::new();
    let trace = Trace::of_header("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
    office.enqueue(&[job("a").traced(trace.as_ref())]).await.unwrap();
    assert_eq!(office.store.records()[0].work.trace, trace);
    assert_eq!(office.queue.receive_from(QUEUE, 10)[0].trace, trace);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_found_before_a_job_is_created() {
    let office = Office::new();
    office.enqueue(&[job("a")]).await.unwrap();
    let mut record = office.store.records().remove(0);
    let sent = |office: &Office| office.queue.bodies(QUEUE).len();
    let again = office.enqueue(&[job("a")]).await.unwrap();
    assert_eq!((again.made, again.sent_again), (0, 1), "never claimed: sent again");
    assert_eq!(sent(&office), 2);
    let now = office.clock.now();
    let (run_after, due_at, why) = (now, now, String::new());
    let live = [
        Phase::Running { lease_until: now, lease_expiry_indexed: false },
        Phase::Waiting { run_after, due_at, why: why.clone() },
        Phase::Parked { run_after, why: why.clone() },
        Phase::Succeeded { at: now, result: "{}".into() },
        Phase::Quarantined { at: now, why: why.clone() },
    ];
    for phase in live {
        record.phase = phase;
        office.store.put(&record);
        let enqueued = office.enqueue(&[job("a"), job("b")]).await.unwrap();
        assert_eq!(enqueued.duplicates, 1, "{:?}", record.phase);
        assert_eq!(office.store.record(&record.key), Some(record.clone()));
    }
    record.phase = Phase::Dead { at: now, why };
    office.store.put(&record);
    assert_eq!(office.enqueue(&[job("a")]).await.unwrap().made, 1, "a dead job is reopened");
    let reopened = office.store.record(&record.key).unwrap();
    assert_eq!((reopened.phase.name(), reopened.fence), ("queued", record.fence + 1));
    let told: Vec<&str> = reopened.journal.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(told, ["begun anew: it was sent again"]);
}

#[tokio::test(start_paused = true)]
async fn a_succeeded_job_is_reopened_only_after_its_dedup_window() {
    let office = Office::new();
    office.enqueue(&[job("a")]).await.unwrap();
    let mut record = office.store.records().remove(0);
    record.phase = Phase::Succeeded { at: office.clock.now(), result: "{}".into() };
    office.store.put(&record);
    tokio::time::advance(POLICY.dedup_window).await;
    assert_eq!(office.enqueue(&[job("a")]).await.unwrap().duplicates, 1);
    assert_eq!(office.enqueue(&[job("a").anew()]).await.unwrap().made, 1, "there is new work");
    office.store.put(&record);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(office.enqueue(&[job("a")]).await.unwrap().made, 1);
    assert_eq!(office.store.records()[0].journal, [], "a success is no reason for an entry");
}

/// Whichever call fails, enqueueing again creates each job once and leaves no job without a
/// message.
#[tokio::test(start_paused = true)]
async fn enqueueing_again_repairs_a_failure_at_any_call() {
    let jobs: Vec<NewJob> = (0..30).map(|n| job(&format!("job-{n}"))).collect();
    let calm = Office::new();
    calm.enqueue(&jobs).await.unwrap();
    for number in 0..calm.faults.calls().len() {
        for fault in Fault::ALL {
            let office = Office::new();
            office.faults.at(number, number, fault);
            assert!(office.enqueue(&jobs).await.is_err(), "{fault:?} at {number}");
            office.faults.clear();
            office.enqueue(&jobs).await.unwrap();
            assert_eq!(office.store.records().len(), 30);
            let bodies = office.queue.bodies(QUEUE);
            for job in &jobs {
                let body = wake::body_of(&job.key, &job.payload).unwrap();
                assert!(bodies.contains(&body), "{fault:?} at {number}: {}", job.key);
            }
        }
    }
}
