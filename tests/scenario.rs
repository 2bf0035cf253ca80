//! A simulated function of `url_shortening` with its queue and tables. The job type and its HTTP
//! connection to the sandbox are real; time is simulated.

use std::{
    sync::{Arc, Mutex, atomic::AtomicUsize},
    time::Duration,
};

use evenkeel::{
    base::time::Clock,
    dependency::limiter::Rates,
    http::transport::Network,
    job::credential::Credential,
    ports::{PortError, SecretSource},
    testing::{
        Faults, Faulty, ManualClock, MemoryQueue, MemoryStore, SeededRandom, TestPorts,
        next_event_in, release_parked,
    },
    worker::{Worker, handle},
};
use sandbox::{
    Sandbox, Settings,
    rebrandly::{Link, Preload},
};
use serde_json::json;
use url_shortening::{
    UrlShortening,
    rebrandly::{Rebrandly, Settings as Account},
};

/// A secret that a test can rotate.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Mutex<String>>);

impl Default for Keys {
    fn default() -> Self {
        Self(Arc::new(Mutex::new("local-key".into())))
    }
}

impl Keys {
    pub(crate) fn rotate(&self, key: &str) {
        key.clone_into(&mut self.0.lock().unwrap());
    }
}

impl SecretSource for Keys {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

pub(crate) type TestWorker = Worker<
    UrlShortening<Faulty<Keys>, ManualClock>,
    TestPorts<Faulty<MemoryStore>, Faulty<MemoryQueue<ManualClock>>, ManualClock>,
>;

/// Number of events after which a scenario that has not ended fails.
const MOST_EVENTS: usize = 200;

/// One simulated function with its queue and tables, and a domain of its own in the sandbox.
pub(crate) struct Scenario {
    pub(crate) worker: TestWorker,
    pub(crate) store: MemoryStore,
    pub(crate) queue: MemoryQueue<ManualClock>,
    pub(crate) clock: ManualClock,
    pub(crate) faults: Faults,
    /// The API key that the function reads next.
    pub(crate) keys: Keys,
    pub(crate) domain: String,
}

/// A new domain. Each scenario has one, so that scenarios can share a sandbox without conflicts.
fn domain() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("go{number}.example")
}

impl Scenario {
    pub(crate) fn new(sandbox: &Sandbox, http: &reqwest::Client) -> Self {
        Self::against(sandbox.api_url(), http)
    }

    /// A scenario whose service is unreachable, for tests of what happens before the first call.
    pub(crate) fn offline(http: &reqwest::Client) -> Self {
        Self::against("http://127.0.0.1:9".into(), http)
    }

    fn against(base_url: String, http: &reqwest::Client) -> Self {
        let clock = ManualClock::default();
        let faults = Faults::default();
        let (store, queue) = (MemoryStore::default(), MemoryQueue::new(clock.clone()));
        let domain = domain();
        // The clock does not advance during calls, so a finite rate would not admit all of them.
        let rates = Rates { per_second: 1_000_000, per_hour: 1_000_000 };
        let settings = Account { base_url, domain: domain.clone(), workspace: None, rates };
        let keys = Keys::default();
        let key = faults.wrap(keys.clone());
        let credential = Credential::new(key, clock.clone());
        let rebrandly =
            Rebrandly::new(Network::new(http.clone()), settings, credential, clock.clone());
        let worker = Worker::new(
            UrlShortening::new(rebrandly),
            faults.wrap(store.clone()),
            faults.wrap(queue.clone()),
            clock.clone(),
            SeededRandom::new(1),
        );
        Self { worker, store, queue, clock, faults, keys, domain }
    }

    /// Polls until every message is acknowledged, and advances the clock while none is visible. The
    /// messages of a process that dies are received by the next one.
    pub(crate) async fn drain(&self) {
        for _ in 0..MOST_EVENTS {
            if !self.wait() {
                return;
            }
            self.poll().await;
        }
        let states = self.store.records().into_iter().map(|record| record.phase.name());
        panic!("the queue does not drain: {:?}", states.collect::<Vec<_>>());
    }

    /// Advances the clock to the next event; returns whether there is one.
    pub(crate) fn wait(&self) -> bool {
        let next = next_event_in(&self.store, &self.queue, self.clock.now());
        self.clock.advance(next.unwrap_or_default());
        next.is_some()
    }

    /// Releases parked jobs that are due and handles one event of visible messages. Returns whether
    /// the process survived it.
    pub(crate) async fn poll(&self) -> bool {
        release_parked(&self.store, &self.queue, self.clock.now());
        let event = self.queue.receive(10);
        let deadline = self.clock.now() + Duration::from_secs(15);
        tokio::select! {
            failed = handle(&self.worker, event.clone(), deadline) => {
                self.queue.acknowledge(&event, &failed.unwrap());
                true
            }
            () = self.faults.death() => {
                self.faults.revive();
                false
            }
        }
    }

    pub(crate) async fn links(&self, sandbox: &Sandbox) -> Vec<Link> {
        let links = sandbox.client().links().await.unwrap();
        links.into_iter().filter(|link| link.domain.full_name == self.domain).collect()
    }
}

pub(crate) fn message(vin: &str, destination: &str) -> String {
    let payload = json!({"destination": destination, "dealer_slug": "acme", "vin": vin});
    json!({"version": 1, "type": "url_shortening", "payload": payload}).to_string()
}

pub(crate) fn preload(domain: &str, slashtag: &str, destination: &str) -> Preload {
    let link = json!({"slashtag": slashtag, "destination": destination, "domain": domain});
    serde_json::from_value(link).unwrap()
}

/// Starts a sandbox without effective rate limits.
pub(crate) async fn open_sandbox() -> Sandbox {
    let unlimited =
        Settings { rate_per_second: 100_000, rate_per_hour: 10_000_000, ..Settings::default() };
    Sandbox::start_with(0, unlimited).await.unwrap()
}
