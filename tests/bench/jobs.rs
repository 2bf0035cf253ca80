//! The job types that a bench can run, and how a process of each starts.

use std::{path::Path, sync::OnceLock, time::Duration};

use dealer_com_feed::{DealerComFeed, fan_out::Queues};
use evenkeel::{
    dependency::{limiter::Rates, quota::Quota},
    http::{Hosts, Outbound, Reach},
    job::{Job, credential::Credential, robots::Robots},
    testing::{
        Faults, Faulty, MemoryStore, SimulatedSqs, TestClock, TestPorts, containers::Function,
    },
    worker::Worker,
};
use product_detail_scraping::ProductDetailScraping;
use url_shortening::{
    UrlShortening,
    rebrandly::{Rebrandly, Settings},
};

use super::{
    Shared,
    deployed::arn,
    errands::{DEPENDENCY, Errands},
    long_errands::LongErrands,
    newer_errands::NewerErrands,
    third_parties::{DOMAIN, SandboxTransport, UNLIMITED},
};

/// Rates that few tests reach, at which the sweeper can still plan each release.
const ROOMY: Rates = Rates::each_second(50, 180_000);

/// A job type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Jobs that do what their payload says, with the rates of their dependency.
    Errands(Option<Rates>),
    /// The same, given up after a day.
    LongErrands(Option<Rates>),
    /// `url_shortening` with the rates of its account.
    Shortening(Rates),
    /// `url_shortening` with roomy rates and a monthly allowance for links.
    ShorteningWithin(Quota),
    /// `dealer_com_feed`.
    Feeds,
    /// `product_detail_scraping`.
    Pages,
}

/// The ports of every function here.
type BenchPorts = TestPorts<Faulty<MemoryStore>, Faulty<SimulatedSqs<TestClock>>>;

impl Kind {
    /// `url_shortening` without effective rates.
    pub(crate) const SHORTENING: Self = Self::Shortening(UNLIMITED);

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Errands(_) | Self::LongErrands(_) => "errand",
            Self::Shortening(_) | Self::ShorteningWithin(_) => url_shortening::TYPE,
            Self::Feeds => dealer_com_feed::TYPE,
            Self::Pages => product_detail_scraping::TYPE,
        }
    }

    /// The dependency that all jobs of the type share.
    pub(super) const fn dependency(self) -> Option<&'static str> {
        match self {
            Self::Errands(_) | Self::LongErrands(_) => Some(DEPENDENCY),
            Self::Shortening(_) | Self::ShorteningWithin(_) => {
                Some(url_shortening::POLICY.dependency)
            }
            Self::Feeds | Self::Pages => None,
        }
    }

    /// The calls a second that this dependency allows.
    pub(super) fn per_second(self) -> Option<u32> {
        match self {
            Self::Errands(rates) | Self::LongErrands(rates) => {
                rates.map(|rates| rates.per_minute / 60)
            }
            Self::Shortening(rates) => Some(rates.per_minute / 60),
            Self::ShorteningWithin(_) => Some(ROOMY.per_minute / 60),
            Self::Feeds | Self::Pages => None,
        }
    }

    /// What its `function.toml` says; errands have none.
    fn manifest(self) -> Option<&'static generator::JobType> {
        static TYPES: OnceLock<Vec<generator::JobType>> = OnceLock::new();
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let types = TYPES.get_or_init(|| generator::read(root).unwrap());
        types.iter().find(|job_type| job_type.kind == self.name())
    }

    /// Time-out of the function.
    pub(super) fn timeout(self) -> Duration {
        let timeout = |manifest: &generator::JobType| manifest.function.timeout_s;
        let of_errands = if self.per_second().is_some() { 20 } else { 15 };
        Duration::from_secs(self.manifest().map_or(of_errands, timeout))
    }

    /// How long its mappings wait until a batch is full.
    pub(super) fn window(self) -> Duration {
        let window = self.manifest().map(|manifest| manifest.function.batching_window_s);
        Duration::from_secs(window.unwrap_or_default())
    }

    /// `MaximumConcurrency` of the queues of ordinary and of high priority.
    pub(super) fn concurrency(self) -> [u32; 2] {
        let concurrency = self.manifest().map(|manifest| manifest.function.concurrency);
        let of_errands = if self.per_second().is_some() { [4, 2] } else { [10, 4] };
        concurrency.map_or(of_errands, |of| [of.normal, of.high])
    }

    /// Starts a process of the function.
    pub(super) fn start(self, shared: &Shared, faults: &Faults) -> Box<dyn Function> {
        match self {
            Self::Errands(rates) => {
                let errands = errands(rates, shared, faults);
                if shared.processes.is_deployed() {
                    worker(NewerErrands(errands), shared, faults)
                } else {
                    worker(errands, shared, faults)
                }
            }
            Self::LongErrands(rates) => {
                worker(LongErrands(errands(rates, shared, faults)), shared, faults)
            }
            Self::Shortening(rates) => {
                worker(shortening(settings(rates, None, shared), shared, faults), shared, faults)
            }
            Self::ShorteningWithin(quota) => {
                let settings = settings(ROOMY, Some(quota), shared);
                worker(shortening(settings, shared, faults), shared, faults)
            }
            Self::Feeds => {
                let queues = Queues { scraping: scraping_queue(), shortening: shortening_queue() };
                let job = DealerComFeed::new(
                    outbound(shared),
                    robots(shared, faults),
                    faults.wrap(shared.vehicles.clone()),
                    faults.wrap(shared.store.clone()),
                    faults.wrap(shared.sqs.clone()),
                    queues,
                    shared.clock,
                );
                worker(job, shared, faults)
            }
            Self::Pages => {
                let vehicles = faults.wrap(shared.vehicles.clone());
                let (outbound, robots) = (outbound(shared), robots(shared, faults));
                worker(ProductDetailScraping::new(outbound, robots, vehicles), shared, faults)
            }
        }
    }
}

/// The queue of the pages that a feed has read.
pub(crate) fn scraping_queue() -> String {
    arn("test-product-detail-scraping")
}

/// The queue of the links to the cars that a feed has read.
pub(crate) fn shortening_queue() -> String {
    arn("test-url-shortening")
}

fn worker<J: Job>(job: J, shared: &Shared, faults: &Faults) -> Box<dyn Function> {
    Box::new(Worker::<J, BenchPorts>::new(
        job,
        faults.wrap(shared.store.clone()),
        faults.wrap(shared.sqs.clone()),
        shared.clock,
        shared.random.clone(),
    ))
}

fn errands(rates: Option<Rates>, shared: &Shared, faults: &Faults) -> Errands {
    let (journal, clock) = (shared.journal.clone(), shared.processes.right(shared.clock));
    Errands { journal, clock, rates, process: faults.clone() }
}

fn robots(shared: &Shared, faults: &Faults) -> Robots<Faulty<MemoryStore>, TestClock> {
    Robots::new(faults.wrap(shared.store.clone()), shared.clock)
}

fn outbound(shared: &Shared) -> Outbound<TestClock, SandboxTransport> {
    let transport = SandboxTransport(shared.sandbox.clone());
    Outbound::over(transport, Reach::WithLoopback, Hosts::public(), shared.clock)
}

fn settings(rates: Rates, links: Option<Quota>, shared: &Shared) -> Settings {
    let base_url = shared.sandbox.api_url();
    Settings { base_url, domain: DOMAIN.into(), workspace: None, rates, links }
}

fn shortening(settings: Settings, shared: &Shared, faults: &Faults) -> impl Job + use<> {
    let key = Credential::new(faults.wrap(shared.keys.clone()), shared.clock);
    let transport = SandboxTransport(shared.sandbox.clone());
    let rebrandly = Rebrandly::new(transport, settings, key, shared.clock);
    UrlShortening::new(rebrandly, faults.wrap(shared.vehicles.clone()), shared.clock)
}
