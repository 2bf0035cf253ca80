//! One bench for every scenario: job types with their queues, tables and event source mappings, the
//! sweeper, and the third parties, all simulated in virtual time.
//!
//! ```text
//! scenario ─ sends ─► SimulatedSqs ─► EventSourceMapping ─► Containers ─ Worker ─► MemoryStore
//!                          ▲                                     │  └─ Transport ─► sandbox
//!                          └────────── sweeper, each minute ◄────┴──────────────────┘
//! ```
//!
//! A test builds a [`Bench`] of some job types, and lets it run: for a time ([`Bench::run_for`]), until
//! nothing is left to do ([`Bench::settle`]), batch by batch ([`Bench::poll`]) or through a whole
//! [`Scenario`](scenario::Scenario).

mod deployed;
pub(crate) mod errands;
pub(crate) mod jobs;
mod long_errands;
mod newer_errands;
pub(crate) mod processes;
pub(crate) mod run;
pub(crate) mod scenario;
mod sweeping;
pub(crate) mod third_parties;

use std::{cell::Cell, sync::Arc};

use evenkeel::{
    base::time::{Clock as _, Time},
    message::OutgoingMessage,
    policy::EARLIEST_RETURN,
    record::Record,
    testing::{
        BEGINNING, Faults, MemoryMappings, MemoryStore, SeededRandom, SimulatedSqs, TestClock,
        mapping::MappingSettings, sqs::QueueSettings,
    },
};
use inventory::testing::MemoryVehicles;
use sandbox::{Client, InProcess, rebrandly::Link};
use sweeper::config::Config;

use deployed::Deployed;
pub(crate) use deployed::arn;
use errands::Journal;
pub(crate) use jobs::Kind;
use processes::Processes;
use third_parties::{DOMAIN, Keys};

/// What the processes of all functions share.
#[derive(Clone)]
pub(crate) struct Shared {
    /// The right time; of a process's copy, the time by its own clock.
    pub(crate) clock: TestClock,
    /// How the clocks and random numbers of processes differ.
    pub(crate) processes: Processes,
    pub(crate) store: MemoryStore,
    pub(crate) sqs: SimulatedSqs<TestClock>,
    pub(crate) vehicles: MemoryVehicles,
    pub(crate) mappings: MemoryMappings,
    pub(crate) sandbox: InProcess,
    /// The API key that a function reads next.
    pub(crate) keys: Keys,
    pub(crate) journal: Journal,
    random: SeededRandom,
}

/// A simulated system.
pub(crate) struct Bench {
    pub(crate) shared: Shared,
    pub(crate) functions: Vec<Deployed>,
    /// Faults at the port calls of all functions.
    pub(crate) faults: Faults,
    /// Faults at the port calls of the sweeper.
    pub(crate) sweeper_faults: Faults,
    config: std::cell::RefCell<Config>,
    /// When the schedule fires next.
    next_tick: Cell<Time>,
    /// The metrics that the sweeper has told, by ticks that have ended.
    pub(crate) told: std::cell::RefCell<Vec<sweeper::metrics::Line>>,
}

impl std::ops::Deref for Bench {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Bench {
    /// A system with these job types.
    pub(crate) fn of(kinds: &[Kind]) -> Self {
        Self::with_mappings(kinds, |_| {})
    }

    /// The same with event source mappings that `change` has changed.
    pub(crate) fn with_mappings(kinds: &[Kind], change: fn(&mut MappingSettings)) -> Self {
        let clock = TestClock::default();
        let settings = third_parties::unlimited();
        let store = MemoryStore::default();
        let shared = Shared {
            clock,
            processes: Processes::default(),
            vehicles: MemoryVehicles::beside(&store),
            store,
            sqs: SimulatedSqs::new(clock),
            mappings: MemoryMappings::default(),
            sandbox: InProcess::start(settings, BEGINNING.as_millis()),
            keys: Keys::default(),
            journal: Journal::default(),
            random: SeededRandom::new(11),
        };
        let (faults, sweeper_faults) = (Faults::default(), Faults::default());
        let functions: Vec<Deployed> =
            kinds.iter().map(|kind| Deployed::new(*kind, &shared, &faults, change)).collect();
        let types = functions.iter().map(|function| function.job_type.clone()).collect();
        let config = Config { types, balance: true, namespace: "test".to_owned() };
        let (config, next_tick) = (config.into(), Cell::new(clock.now() + run::MINUTE));
        let told = std::cell::RefCell::default();
        Self { shared, functions, faults, sweeper_faults, config, next_tick, told }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// The control client of the third parties.
    pub(crate) fn control(&self) -> Client {
        self.sandbox.client()
    }

    /// The only or first function.
    pub(crate) fn function(&self) -> &Deployed {
        &self.functions[0]
    }

    /// Its queue of ordinary priority.
    pub(crate) fn queue(&self) -> &str {
        &self.function().job_type.normal.queue
    }

    /// Its queue of high priority.
    pub(crate) fn high(&self) -> &str {
        &self.function().job_type.high.queue
    }

    /// Its dead-letter queue.
    pub(crate) fn dead(&self) -> &str {
        &self.function().job_type.dead
    }

    /// Sends a body to its queue of ordinary priority.
    pub(crate) fn send(&self, body: &str) {
        self.sqs.send_to(self.queue(), OutgoingMessage::new(body.to_owned(), None, None));
    }

    /// Receives all messages so often as if the process had been killed each time.
    pub(crate) async fn received_in_vain(&self, times: usize) {
        for _ in 0..times {
            let _ = self.sqs.receive_from(self.queue(), 10);
            tokio::time::advance(EARLIEST_RETURN).await;
            self.sqs.show_all();
        }
    }

    /// Sends the message that wakes the job of this record.
    pub(crate) fn wake(&self, record: &Record) {
        use evenkeel::message::{Woken, wake};
        let woken = Woken { key: record.key.clone(), fence: record.fence };
        let message = OutgoingMessage::new(wake::body(record).unwrap(), Some(woken), None);
        self.sqs.send_to(self.queue(), message);
    }

    /// Asks for a check of the result of this record's job, as the audit does.
    pub(crate) fn ask_for_check(&self, record: &Record) {
        use evenkeel::message::{Purpose, Woken, wake};
        let woken = Woken { key: record.key.clone(), fence: record.fence };
        let message = OutgoingMessage::new(wake::body(record).unwrap(), Some(woken), None);
        let message = OutgoingMessage { purpose: Purpose::Check, ..message };
        self.sqs.send_to(self.queue(), message);
    }

    /// Puts a message into its dead-letter queue, as if it came from its queue of ordinary priority.
    pub(crate) fn bury(&self, message: OutgoingMessage) {
        self.sqs.bury(self.dead(), self.queue(), message);
    }

    /// Lets the schedule fire no tick before `at`.
    pub(crate) fn miss_ticks_until(&self, at: Time) {
        self.next_tick.set(self.next_tick.get().max(at));
    }

    /// Creates a queue that no function here receives from.
    pub(crate) fn create_queue(&self, arn: &str) {
        self.sqs.create(arn, QueueSettings::default());
    }

    /// Changes the sweeper's configuration.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config.borrow_mut());
    }

    /// Notes that the site with this slug has no robots.txt, so that no job asks for it.
    pub(crate) async fn without_robots(&self, slug: &str) {
        use evenkeel::ports::{Control as _, notes::NoteKey};
        let end = Time::from_millis(u64::MAX / 2_000);
        let text = serde_json::json!({"read_at": end.as_millis(), "rules": ""}).to_string();
        let key = NoteKey::new("robots", self.control().site_origin(slug));
        self.store.put_note(&key, &text, end).await.unwrap();
    }

    /// The only record there is.
    pub(crate) fn only(&self) -> Record {
        let records = self.store.records();
        assert_eq!(records.len(), 1, "{records:?}");
        records.into_iter().next().unwrap()
    }

    /// The name of a record's state; `none` if there is no such record.
    pub(crate) fn phase(&self, key: &str) -> &'static str {
        self.store.record(key).map_or("none", |record| record.phase.name())
    }

    /// The links on our domain.
    pub(crate) async fn links(&self) -> Vec<Link> {
        let links = self.control().links().await.unwrap();
        links.into_iter().filter(|link| link.domain.full_name == DOMAIN).collect()
    }

    /// The containers of the only or first function.
    pub(crate) fn containers(&self) -> &Arc<evenkeel::testing::containers::Containers<TestClock>> {
        &self.function().containers
    }
}
