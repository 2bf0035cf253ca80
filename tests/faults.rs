//! Every port call fails before its work, after it with the answer lost, and with the process dying
//! at either point. The harness counts the calls of a run without faults and then takes each in
//! turn, so a call that is added tomorrow is tested tomorrow.
//!
//! The job is the real one, against the sandbox over a real connection; only time is ours.

use std::{collections::BTreeMap, sync::atomic::AtomicUsize, time::Duration};

use evenkeel::{
    aws::KeySource,
    batch::Worker,
    message::Flaw,
    record::{Phase, Record},
    secret::{Credential, Secret},
    testing::{Fault, Faults, Faulty, ManualClock, MemoryQueue, MemoryStore, SeededRandom},
    time::Clock,
    transport,
};
use sandbox::{
    FaultKind, Method, Sandbox, Scope, Settings, Target,
    rebrandly::{Link, Preload},
};
use serde_json::json;
use url_shortening::{
    UrlShortening,
    job::{Shortened, Via},
    rebrandly::{Rebrandly, Settings as Account},
};

type Clocked<T> = Faulty<T>;
type TestWorker = Worker<
    UrlShortening<Clocked<KeySource>, ManualClock>,
    Clocked<MemoryStore>,
    Clocked<MemoryQueue<ManualClock>>,
    ManualClock,
    SeededRandom,
>;

/// Events after which a scenario that does not end is given up.
const MOST_EVENTS: usize = 60;

/// One simulated function with its queue and its tables, and a corner of the sandbox for itself.
struct Scenario {
    worker: TestWorker,
    store: MemoryStore,
    queue: MemoryQueue<ManualClock>,
    clock: ManualClock,
    faults: Faults,
    domain: String,
}

/// Every scenario has a domain of its own, so that they share a sandbox without meeting in it.
fn domain() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("go{number}.example")
}

impl Scenario {
    fn new(sandbox: &Sandbox, http: &reqwest::Client) -> Self {
        let clock = ManualClock::default();
        let faults = Faults::default();
        let (store, queue) = (MemoryStore::default(), MemoryQueue::new(clock.clone()));
        let domain = domain();
        let settings =
            Account { base_url: sandbox.api_url(), domain: domain.clone(), workspace: None };
        let key = faults.wrap(KeySource::Environment(Secret::new("local-key")));
        let credential = Credential::new(key, clock.clone());
        let rebrandly = Rebrandly::new(http.clone(), settings, credential, clock.clone());
        let worker = Worker {
            job: UrlShortening::new(rebrandly),
            store: faults.wrap(store.clone()),
            queue: faults.wrap(queue.clone()),
            clock: clock.clone(),
            random: SeededRandom::new(1),
        };
        Self { worker, store, queue, clock, faults, domain }
    }

    /// Polls until every message is acknowledged, letting time pass where nothing is visible. A
    /// process that dies leaves its messages to the next one.
    async fn drain(&self) {
        for _ in 0..MOST_EVENTS {
            let Some(wait) = self.queue.next_in() else { return };
            self.clock.advance(wait);
            let event = self.queue.receive(10);
            let deadline = self.clock.now() + Duration::from_secs(15);
            tokio::select! {
                failed = self.worker.handle(event.clone(), deadline) => {
                    self.queue.acknowledge(&event, &failed.unwrap());
                }
                () = self.faults.death() => self.faults.revive(),
            }
        }
        panic!("the queue does not drain: {:?}", self.store.records());
    }

    async fn links(&self, sandbox: &Sandbox) -> Vec<Link> {
        let links = sandbox.client().links().await.unwrap();
        links.into_iter().filter(|link| link.domain.full_name == self.domain).collect()
    }
}

const PLAIN: &str = "https://acme.example/plain";
const OURS: &str = "https://acme.example/ours";
const FOREIGN: &str = "https://acme.example/foreign";
const SHAKY: &str = "https://acme.example/shaky";

fn message(vin: &str, destination: &str) -> String {
    let payload = json!({"destination": destination, "dealer_slug": "acme", "vin": vin});
    json!({"version": 1, "type": "url_shortening", "payload": payload}).to_string()
}

fn preload(domain: &str, slashtag: &str, destination: &str) -> Preload {
    let link = json!({"slashtag": slashtag, "destination": destination, "domain": domain});
    serde_json::from_value(link).unwrap()
}

/// A bit of everything: a plain job twice, a slashtag that is ours already, one that is another's,
/// one whose first call fails after the link was made, and a body that is no message.
async fn everything(sandbox: &Sandbox, scenario: &Scenario) {
    let control = sandbox.client();
    let taken = [
        preload(&scenario.domain, "acme-000002", OURS),
        preload(&scenario.domain, "acme-000003", "https://other.example/"),
    ];
    control.preload(&taken).await.unwrap();
    let shaky = sandbox::Fault {
        kind: FaultKind::status(500),
        on: Target {
            method: Some(Method::Post),
            destination: Some(SHAKY.into()),
            ..Target::default()
        },
        scope: Scope::calls(1),
        after_work: true,
    };
    control.add_fault(&shaky).await.unwrap();
    scenario.queue.send(&message("1HGCM82633A000001", PLAIN));
    scenario.queue.send(&message("1HGCM82633A000001", PLAIN));
    scenario.queue.send(&message("1HGCM82633A000002", OURS));
    scenario.queue.send(&message("1HGCM82633A000003", FOREIGN));
    scenario.queue.send(&message("1HGCM82633A000004", SHAKY));
    scenario.queue.send("not a message");
}

/// What must be true of [`everything`] in the end, whatever went wrong on the way.
async fn check(sandbox: &Sandbox, scenario: &Scenario, case: &str) {
    let results = results(&scenario.store.records(), case);
    let candidate = |destination: &str| results[destination].candidate;
    assert_eq!(results[OURS].via, Via::Adopted, "{case}");
    assert_eq!([PLAIN, OURS, FOREIGN, SHAKY].map(candidate), [1, 1, 2, 1], "{case}");
    let links = scenario.links(sandbox).await;
    for (destination, result) in &results {
        let made: Vec<_> = links.iter().filter(|l| l.destination == *destination).collect();
        assert_eq!(made.len(), 1, "{case}: links to {destination}");
        assert_eq!(made[0].id, result.link_id, "{case}: the recorded link is the link");
    }
    let quarantined = scenario.store.quarantined();
    assert_eq!(quarantined.len(), 1, "{case}");
    assert_eq!(quarantined[0].rejection.flaw, Flaw::Malformed, "{case}");
}

/// The result of every job by its destination; all of them must have succeeded.
fn results(records: &[Record], case: &str) -> BTreeMap<String, Shortened> {
    let result = |record: &Record| match &record.phase {
        Phase::Succeeded { result, .. } => {
            let work: serde_json::Value = serde_json::from_str(&record.work.payload).unwrap();
            let destination = work["destination"].as_str().unwrap().to_owned();
            (destination, serde_json::from_str(result).unwrap())
        }
        other => panic!("{case}: {} is {other:?}", record.key),
    };
    let results: BTreeMap<_, _> = records.iter().map(result).collect();
    assert_eq!(results.len(), 4, "{case}");
    results
}

async fn open_sandbox() -> Sandbox {
    let unlimited =
        Settings { rate_per_second: 100_000, rate_per_hour: 10_000_000, ..Settings::default() };
    Sandbox::start_with(0, unlimited).await.unwrap()
}

#[tokio::test]
async fn every_port_call_may_fail_in_every_way() {
    let (sandbox, http) = (open_sandbox().await, transport::client().unwrap());
    let calm = Scenario::new(&sandbox, &http);
    everything(&sandbox, &calm).await;
    calm.drain().await;
    check(&sandbox, &calm, "no fault").await;
    assert_eq!(calm.store.leases(), [], "no fault: every lease is released");
    let places = calm.faults.calls();
    for call in ["insert", "settle", "release", "quarantine", "hide", "read", "replace", "fetch"] {
        assert!(places.contains(&call), "the scenario has a {call}: {places:?}");
    }

    for (number, call) in places.iter().enumerate() {
        for fault in Fault::ALL {
            let case = format!("{fault:?} at call {number}, {call}");
            let scenario = Scenario::new(&sandbox, &http);
            scenario.faults.at(number, number, fault);
            everything(&sandbox, &scenario).await;
            scenario.drain().await;
            check(&sandbox, &scenario, &case).await;
            let died = matches!(fault, Fault::DieBefore | Fault::DieAfter);
            for (record, calm) in scenario.store.records().iter().zip(calm.store.records()) {
                assert!(record.ledger.crashes <= u32::from(died), "{case}: {record:?}");
                if fault == Fault::AnswerLost && ["insert", "settle"].contains(call) {
                    assert_eq!(record.ledger.claims, calm.ledger.claims, "{case}: {record:?}");
                    assert_eq!(record.ledger.attempts, calm.ledger.attempts, "{case}");
                }
            }
        }
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_store_that_is_gone_for_a_while_loses_nothing() {
    let (sandbox, http) = (open_sandbox().await, transport::client().unwrap());
    for first in 0..12 {
        for fault in [Fault::Before, Fault::AnswerLost] {
            let case = format!("{fault:?} at calls {first} to {}", first + 6);
            let scenario = Scenario::new(&sandbox, &http);
            scenario.faults.at(first, first + 6, fault);
            everything(&sandbox, &scenario).await;
            scenario.drain().await;
            check(&sandbox, &scenario, &case).await;
        }
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_job_that_kills_every_process_is_quarantined_and_leaves_one_link() {
    let (sandbox, http) = (open_sandbox().await, transport::client().unwrap());
    let scenario = Scenario::new(&sandbox, &http);
    scenario.queue.send(&message("1HGCM82633A000001", PLAIN));
    let mut deaths = 0;
    while let Some(wait) = scenario.queue.next_in() {
        scenario.clock.advance(wait);
        // The work is done, and the process dies as it is about to say so.
        scenario.faults.on("settle", Fault::DieBefore);
        let event = scenario.queue.receive(10);
        let deadline = scenario.clock.now() + Duration::from_secs(15);
        tokio::select! {
            failed = scenario.worker.handle(event.clone(), deadline) => {
                scenario.queue.acknowledge(&event, &failed.unwrap());
            }
            () = scenario.faults.death() => {
                deaths += 1;
                scenario.faults.revive();
            }
        }
        assert!(deaths <= 3, "it is never given up");
    }
    let record = &scenario.store.records()[0];
    assert_eq!((record.phase.name(), deaths), ("quarantined", 3), "{record:?}");
    assert_eq!(scenario.links(&sandbox).await.len(), 1);
    sandbox.shutdown().await;
}
