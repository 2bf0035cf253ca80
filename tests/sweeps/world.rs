//! A simulated system for the tests of the sweeper: a job type, its function, and a sweeper, on
//! tables and queues in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use evenkeel::{
    base::time::{Clock, Time},
    dependency::{breaker::BreakerPolicy, call_timeout::CallTimes, limiter::Rates},
    failure::{Class, Failure},
    job::{Gate, Job, Progress, Run, Soundness},
    message::{OutgoingMessage, Purpose},
    payload::{Payload, Problems},
    policy::Policy,
    record::{Counters, Parking, Phase, Record, Work, lease::Lease},
    testing::{
        ARN, Faults, Faulty, MemoryMappings, MemoryQueue, MemoryStore, SeededRandom, TestClock,
        TestPorts,
    },
    worker::{Worker, handle},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sweeper::{
    Ports, Sweep, call,
    config::{Config, JobType, Source},
    tick::Report,
};

pub(crate) const HIGH: &str = "arn:aws:sqs:eu-west-1:123456789012:test-high";
pub(crate) const DEAD: &str = "arn:aws:sqs:eu-west-1:123456789012:test-dlq";
pub(crate) const DEPENDENCY: &str = "elsewhere";

/// Time-out of the simulated function.
const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    name: String,
}

impl Payload for Errand {
    fn check(&mut self, _: &mut Problems) {}
}

/// A log of the runs and calls of the errands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    runs: BTreeMap<String, usize>,
    calls: Vec<Time>,
}

impl Journal {
    /// How often an errand was run to its end.
    pub(crate) fn runs(&self, name: &str) -> usize {
        self.0.lock().unwrap().runs.get(name).copied().unwrap_or_default()
    }

    /// The times of all calls to the third party.
    pub(crate) fn calls(&self) -> Vec<Time> {
        self.0.lock().unwrap().calls.clone()
    }
}

/// The job type: each job calls the third party once and logs that in the journal.
#[derive(Clone, Debug)]
pub(crate) struct Errands {
    journal: Journal,
    clock: TestClock,
    rates: Option<Rates>,
}

pub(crate) const POLICY: Policy = Policy {
    dependency: DEPENDENCY,
    max_attempts: 4,
    max_deferrals: 3,
    backoff_base: Duration::from_secs(2),
    backoff_cap: Duration::from_secs(60),
    job_timeout: Duration::from_secs(5),
    rounds: 2,
    reserve: Duration::from_secs(3),
    concurrency: 10,
    dedup_window: Duration::from_secs(600),
    retryable: &[Class::Transient],
    give_up_after: Duration::from_secs(3600),
    breaker: BreakerPolicy {
        failures: 5,
        open_wait: Duration::from_secs(60),
        longest_wait: Duration::from_secs(240),
        probes: 2,
        successes: 3,
    },
    sheds_load: true,
    calls: CallTimes {
        shortest: Duration::from_millis(500),
        longest: Duration::from_secs(5),
        slow_after: Duration::from_secs(2),
    },
}
.checked();

impl Job for Errands {
    const TYPE: &'static str = "errand";
    const POLICY: Policy = POLICY;
    type Payload = Errand;
    type Output = String;

    fn rates(&self) -> Option<Rates> {
        self.rates
    }

    async fn run<G: Gate>(
        &self,
        errand: &Errand,
        run: &Run<'_, G>,
    ) -> Result<Progress<String>, Failure> {
        run.call(|_| async {
            let now = self.clock.now();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let mut pages = self.journal.0.lock().unwrap();
            pages.calls.push(now);
            *pages.runs.entry(errand.name.clone()).or_default() += 1;
            Ok(Progress::Done("done".to_owned()))
        })
        .await
    }

    async fn verify<G: Gate>(
        &self,
        _: &Errand,
        result: &str,
        _: &Run<'_, G>,
    ) -> Result<Soundness, Failure> {
        Ok(match result {
            "\"done\"" => Soundness::Sound,
            "{}" | "null" => Soundness::Missing("there is no result".into()),
            _ => Soundness::Lost("nothing was done".into()),
        })
    }
}

pub(crate) type Function = Worker<Errands, TestPorts>;

/// The sweeper's ports, in memory, with fault injection.
pub(crate) struct Doubles;

impl Ports for Doubles {
    type Store = Faulty<MemoryStore>;
    type Queue = Faulty<MemoryQueue<TestClock>>;
    type Mappings = Faulty<MemoryMappings>;
    type Clock = TestClock;
    type Random = SeededRandom;
}

pub(crate) type Sweeper = Sweep<Doubles>;

/// The tables, the queues, a function and a sweeper.
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) queue: MemoryQueue<TestClock>,
    pub(crate) mappings: MemoryMappings,
    pub(crate) clock: TestClock,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) function: Function,
    pub(crate) sweeper: Sweeper,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// A world whose job type limits its calls to these rates.
    pub(crate) fn with(rates: Option<Rates>) -> Self {
        let (clock, store, faults) =
            (TestClock::default(), MemoryStore::default(), Faults::default());
        let (queue, mappings) = (MemoryQueue::new(clock), MemoryMappings::default());
        let journal = Journal::default();
        let job = Errands { journal: journal.clone(), clock, rates };
        let function = Worker::new(job, store.clone(), queue.clone(), clock, SeededRandom::new(11));
        let namespace = "test".to_owned();
        let config = Config { types: vec![job_type()], balance: true, namespace };
        for source in config.types[0].sources() {
            mappings.put(&source.mapping, source.concurrency);
        }
        let sweeper = Sweep {
            store: faults.wrap(store.clone()),
            queue: faults.wrap(queue.clone()),
            mappings: faults.wrap(mappings.clone()),
            clock,
            random: SeededRandom::new(12),
            config,
        };
        Self { store, queue, mappings, clock, journal, faults, function, sweeper }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Runs one tick; `None` if it failed or the sweeper died in it.
    pub(crate) async fn tick(&self) -> Option<Report> {
        let deadline = self.now() + Duration::from_secs(50);
        tokio::select! {
            report = call::tick(&self.sweeper, deadline) => report.ok(),
            () = self.faults.death() => {
                self.faults.revive();
                None
            }
        }
    }

    /// Lets the function handle all visible messages.
    pub(crate) async fn poll(&self) {
        for queue in [HIGH, ARN] {
            loop {
                let event = self.queue.receive_from(queue, 10);
                if event.is_empty() {
                    break;
                }
                let failed = handle(&self.function, event.clone(), self.now() + TIMEOUT).await;
                self.queue.acknowledge(&event, &failed.unwrap());
            }
        }
    }

    /// Lets `seconds` pass; the function polls once a second.
    pub(crate) async fn work(&self, seconds: u64) {
        let until = self.now() + Duration::from_secs(seconds);
        while self.now() < until {
            self.poll().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Lets minutes pass, each with a tick, until every job has ended. Panics after `most` minutes.
    pub(crate) async fn settle(&self, most: usize) {
        for _ in 0..most {
            self.tick().await;
            self.work(60).await;
            let over = self.store.records().iter().all(|record| record.phase.ended_at().is_some());
            if over && self.queue.is_empty() {
                return;
            }
        }
        let open = self.store.records().into_iter().filter(|r| r.phase.ended_at().is_none());
        panic!("not ended: {:?}, {} messages left", open.collect::<Vec<_>>(), self.queue.len());
    }

    /// Stores a record that the engine could have written.
    pub(crate) fn put(&self, name: &str, phase: Phase) -> Record {
        let record = self.record(name, phase);
        self.store.put(&record);
        record
    }

    /// Stores a running record and the lease of its batch, which expired `ago`.
    pub(crate) async fn crash(&self, name: &str, crashes: u32, ago: Duration) {
        let until = self.now().before(ago);
        let phase = Phase::Running { lease_until: until, lease_expiry_indexed: false };
        let mut record = self.record(name, phase);
        record.owner = format!("batch-of-{name}");
        record.counters.crashes = crashes;
        self.store.put(&record);
        let lease = Lease { owner: record.owner, until, jobs: vec![record.key] };
        evenkeel::ports::Store::lease(&self.store, &lease).await.unwrap();
    }

    /// Stores a record that a gate has parked.
    pub(crate) fn park(&self, name: &str, due_at: Time) -> Record {
        let phase = Phase::Parked { run_after: due_at, why: "breaker_open".into() };
        let parking = Some(Parking { since: self.now(), gated: true });
        let record = Record { parking, ..self.record(name, phase) };
        self.store.put(&record);
        record
    }

    pub(crate) fn record(&self, name: &str, phase: Phase) -> Record {
        let ended = phase.ended_at().is_some();
        Record {
            key: key(name),
            fence: 1,
            owner: "earlier".into(),
            message_id: "gone".into(),
            counters: Counters {
                receives: 1,
                claims: 1,
                attempts: u32::from(ended),
                ..Counters::default()
            },
            phase,
            work: Work {
                payload: payload(name),
                queue: ARN.into(),
                dependency: DEPENDENCY.into(),
                retention: POLICY.retention(),
                created_at: self.now(),
                deadline: None,
                group: Some("acme".into()),
            },
            cursor: None,
            provisional: None,
            parking: None,
            last_failure: None,
            history: Vec::new(),
        }
    }

    /// The name of a job's state; `none` if it has no record.
    pub(crate) fn state(&self, name: &str) -> &'static str {
        self.store.record(&key(name)).map_or("none", |record| record.phase.name())
    }
}

pub(crate) fn job_type() -> JobType {
    let source = |queue: &str, mapping: &str, concurrency| Source {
        queue: queue.into(),
        mapping: mapping.into(),
        concurrency,
    };
    JobType {
        kind: "errand".into(),
        dependency: Some(DEPENDENCY.into()),
        weight: 1,
        normal: source(ARN, "normal", 10),
        high: source(HIGH, "high", 4),
        dead: DEAD.into(),
    }
}

pub(crate) fn key(name: &str) -> String {
    format!("errand#g:{name}")
}

fn payload(name: &str) -> String {
    json!({ "name": name }).to_string()
}

/// The body of a job's message, as a sender writes it.
pub(crate) fn body(name: &str) -> String {
    json!({"version": 1, "type": "errand", "id": name, "payload": {"name": name}}).to_string()
}

/// A message for the dead-letter queue.
pub(crate) fn dead_letter(body: String, purpose: Purpose) -> OutgoingMessage {
    OutgoingMessage { purpose, ..OutgoingMessage::new(body, None, Some("acme".into())) }
}
