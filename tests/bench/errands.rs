//! A job type for tests of the engine and the sweeper: each job does what its payload says.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use evenkeel::{
    base::time::{Clock as _, Time},
    dependency::limiter::Rates,
    failure::{Class, Failure},
    job::{Gate, Job, Progress, Run, Soundness},
    message::{OutgoingMessage, Purpose},
    payload::{Payload, Problems},
    policy::Policy,
    ports::{
        Control as _, Store as _,
        notes::{Limits, NoteKey},
    },
    record::{Counters, Parking, Phase, Record, Work, lease::Lease},
    testing::{self, Faults, POLICY, TestClock},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Bench;

/// The third party of all errands.
pub(crate) const DEPENDENCY: &str = POLICY.dependency;

fn usual_ms() -> u64 {
    50
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    name: String,
    /// How long its last call takes.
    #[serde(default = "usual_ms")]
    takes_ms: u64,
    /// Runs that it takes before the last one.
    #[serde(default)]
    steps: u32,
    /// Calls that it makes before the last one, and how long each of them takes.
    #[serde(default)]
    calls: u32,
    #[serde(default)]
    call_ms: u64,
    /// How each run ends, in order; the last entry repeats.
    #[serde(default)]
    ends: Vec<String>,
}

impl Payload for Errand {
    fn check(&mut self, _: &mut Problems) {
        assert_ne!(self.name, "panics-in-check", "as asked");
    }
}

/// A log of the errands of all processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    /// When the last call of each run began, by the errand's name.
    runs: BTreeMap<String, Vec<Time>>,
    calls: Vec<Time>,
    all_calls: Vec<Time>,
    busy: usize,
    most_busy: usize,
    /// Until when the network lets no call through.
    down_until: Time,
}

impl Journal {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap()
    }

    /// How often an errand was run.
    pub(crate) fn runs(&self, name: &str) -> usize {
        self.lock().runs.get(name).map_or(0, Vec::len)
    }

    /// When an errand was run.
    pub(crate) fn times(&self, name: &str) -> Vec<Time> {
        self.lock().runs.get(name).cloned().unwrap_or_default()
    }

    /// How many errands were run at least once.
    pub(crate) fn errands(&self) -> usize {
        self.lock().runs.len()
    }

    /// The times of all last calls to the third party.
    pub(crate) fn calls(&self) -> Vec<Time> {
        self.lock().calls.clone()
    }

    /// The times of all calls to the third party.
    pub(crate) fn all_calls(&self) -> Vec<Time> {
        self.lock().all_calls.clone()
    }

    /// The most calls at the same time.
    pub(crate) fn most_busy(&self) -> usize {
        self.lock().most_busy
    }

    /// Lets no call through until then.
    pub(crate) fn go_down(&self, until: Time) {
        self.lock().down_until = until;
    }

    /// Notes that a run begins its last call; returns how many there were before.
    fn begin(&self, name: &str, now: Time) -> usize {
        let mut entries = self.lock();
        entries.calls.push(now);
        entries.all_calls.push(now);
        entries.busy += 1;
        entries.most_busy = entries.most_busy.max(entries.busy);
        let runs = entries.runs.entry(name.to_owned()).or_default();
        runs.push(now);
        runs.len() - 1
    }
}

/// The job type.
#[derive(Clone, Debug)]
pub(crate) struct Errands {
    pub(crate) journal: Journal,
    pub(crate) clock: TestClock,
    pub(crate) rates: Option<Rates>,
    /// Its process, which a job can kill.
    pub(crate) process: Faults,
}

impl Job for Errands {
    const TYPE: &'static str = "errand";
    const POLICY: Policy = POLICY;
    type Payload = Errand;
    type Output = String;

    fn rates(&self, errand: &Errand) -> Option<Rates> {
        assert_ne!(errand.name, "panics-in-rates", "as asked");
        self.rates
    }

    async fn prepare(&self, errands: &[&Errand]) {
        for errand in errands {
            assert_ne!(errand.name, "panics-in-prepare", "as asked");
        }
    }

    fn dependency(errand: &Errand) -> Cow<'static, str> {
        assert_ne!(errand.name, "panics-in-dependency", "as asked");
        match errand.name.strip_prefix("at-") {
            Some(place) => {
                let host = place.split('/').next().unwrap_or_default();
                format!("page/{host}").into()
            }
            None => DEPENDENCY.into(),
        }
    }

    fn fallback(errand: &Errand) -> Option<String> {
        assert_ne!(errand.name, "panics-in-fallback", "as asked");
        errand.name.starts_with("fallback").then(|| "\"instead\"".to_owned())
    }

    async fn run<G: Gate>(
        &self,
        errand: &Errand,
        run: &Run<'_, G>,
    ) -> Result<Progress<String>, Failure> {
        // The cursor: steps that are done, and calls of the step in progress.
        let place = run.cursor.as_deref().and_then(|cursor| cursor.split_once(' '));
        let place = place.map(|(steps, calls)| (steps.parse().unwrap(), calls.parse().unwrap()));
        let (steps, begun): (u32, u32) = place.unwrap_or_default();
        for called in begun..errand.calls {
            let pause = Duration::from_millis(errand.call_ms);
            let call = async |_| {
                self.journal.lock().all_calls.push(self.clock.now());
                tokio::time::sleep(pause).await;
                Ok::<(), Failure>(())
            };
            match run.call(call).await {
                Err(failure) if failure.class() == Class::Deferred && called > begun => {
                    return Ok(Progress::More(format!("{steps} {called}")));
                }
                ended => ended?,
            }
        }
        let done = match run.call(|_| self.go(errand)).await {
            Err(failure) if failure.class() == Class::Deferred && errand.calls > begun => {
                return Ok(Progress::More(format!("{steps} {}", errand.calls)));
            }
            done => done?,
        };
        Ok(if steps < errand.steps {
            Progress::More(format!("{} 0", steps + 1))
        } else {
            Progress::Done(done)
        })
    }

    async fn verify<G: Gate>(
        &self,
        errand: &Errand,
        result: &str,
        _: &Run<'_, G>,
    ) -> Result<Soundness, Failure> {
        assert_ne!(errand.name, "panics-in-verify", "as asked");
        Ok(match result {
            "\"done\"" => Soundness::Sound,
            "{}" | "null" => Soundness::Missing("there is no result".into()),
            _ => Soundness::Lost("nothing was done".into()),
        })
    }
}

impl Errands {
    async fn go(&self, errand: &Errand) -> Result<String, Failure> {
        let turn = self.journal.begin(&errand.name, self.clock.now());
        tokio::time::sleep(Duration::from_millis(errand.takes_ms)).await;
        self.journal.lock().busy -= 1;
        if self.clock.now() < self.journal.lock().down_until {
            return Err(Failure::new(Class::Transient, "connect", "the network is down"));
        }
        match errand.ends.get(turn).or(errand.ends.last()).map_or("ok", String::as_str) {
            "panic" => panic!("as asked"),
            "kill" => {
                self.process.kill();
                std::future::pending().await
            }
            "ok" => Ok("done".into()),
            "long" => Ok("x".repeat(200_000)),
            name => {
                let class = Class::ALL.into_iter().find(|class| class.name() == name).unwrap();
                Err(Failure::new(class, "code", "as asked"))
            }
        }
    }
}

pub(crate) fn key(name: &str) -> String {
    format!("errand#g:{name}")
}

/// The body of an errand's message, as a sender writes it.
pub(crate) fn body(name: &str) -> String {
    json!({"version": 1, "type": "errand", "id": name, "payload": {"name": name}}).to_string()
}

/// The same for an errand that takes this long and ends like this.
pub(crate) fn errand(name: &str, takes_ms: u64, ends: &[&str]) -> String {
    let payload = json!({"name": name, "takes_ms": takes_ms, "ends": ends});
    json!({"version": 1, "type": "errand", "id": name, "payload": payload}).to_string()
}

/// The same for an errand that makes this many calls.
pub(crate) fn errand_of(name: &str, calls: u32) -> String {
    let payload = json!({"name": name, "calls": calls - 1, "call_ms": usual_ms()});
    json!({"version": 1, "type": "errand", "id": name, "payload": payload}).to_string()
}

/// A message for the dead-letter queue.
pub(crate) fn dead_letter(body: String, purpose: Purpose) -> OutgoingMessage {
    OutgoingMessage { purpose, ..OutgoingMessage::new(body, None, Some("acme".into())) }
}

impl Bench {
    /// A system of errands.
    pub(crate) fn errands() -> Self {
        Self::of(&[super::Kind::Errands(None)])
    }

    /// The same with rates.
    pub(crate) fn errands_at(rates: Rates) -> Self {
        Self::of(&[super::Kind::Errands(Some(rates))])
    }

    /// The name of an errand's state; `none` if it has no record.
    pub(crate) fn state(&self, name: &str) -> &'static str {
        self.phase(&key(name))
    }

    /// A record that the engine could have written.
    pub(crate) fn record(&self, name: &str, phase: Phase) -> Record {
        let attempts = u32::from(phase.ended_at().is_some());
        let work = Work {
            payload: json!({ "name": name }).to_string(),
            queue: self.queue().into(),
            retention: POLICY.retention(),
            created_at: self.now(),
            group: Some("acme".into()),
            ..testing::work()
        };
        Record {
            owner: "earlier".into(),
            message_id: "gone".into(),
            counters: Counters { receives: 1, claims: 1, attempts, ..Counters::default() },
            work,
            ..testing::record(&key(name), phase)
        }
    }

    /// Stores such a record.
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
        self.store.lease(&lease).await.unwrap();
    }

    /// Stores a record that a gate has parked.
    pub(crate) fn park(&self, name: &str, due_at: Time) -> Record {
        let phase = Phase::Parked { run_after: due_at, why: "breaker_open".into() };
        let parking =
            Some(Parking { since: self.now(), gated: true, ends_at: None, paused_since: None });
        let record = Record { parking, ..self.record(name, phase) };
        self.store.put(&record);
        record
    }

    /// Registers a dependency with parked jobs, with these rates.
    pub(crate) async fn note_parked(&self, dependency: &str, rates: Option<Rates>) {
        let limits = Limits {
            per_minute: rates.map(|rates| rates.per_minute),
            per_hour: rates.map(|rates| rates.per_hour),
            per_second: None,
            burst: None,
            limiter: None,
            closes_with: 3,
            noted_at: self.now().as_millis(),
        };
        let text = serde_json::to_string(&limits).unwrap();
        let until = self.now() + Duration::from_hours(24);
        self.store.put_note(&NoteKey::watched(dependency), &text, until).await.unwrap();
    }
}
