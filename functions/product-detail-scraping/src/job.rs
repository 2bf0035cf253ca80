//! The job: fetches a car's detail page once and reads the car's record from it. Values from a page
//! about another car are never used.

use std::{borrow::Cow, time::Duration};

use evenkeel::{
    aws::DynamoStore,
    base::{
        config::{ConfigError, Reader, Tables},
        time::{Clock, SystemClock, Time},
    },
    dependency::{breaker::BreakerPolicy, call_timeout::CallTimes, limiter::Rates},
    failure::{Class, Classified as _, Failure},
    http::{
        Content, FetchError, Fetched, Hosts, Outbound, Request, Settings, Validators, host_limiter,
        transport::{Network, Transport},
    },
    job::{
        Gate, Job, Progress, Run, Soundness,
        robots::{FORBIDDEN, Robots},
    },
    lambda::Start,
    policy::Policy,
    ports::Control,
    record::item::{Condition, TableItem, Value as Attribute},
};
use inventory::{
    dynamo::DynamoVehicles,
    long_text,
    vehicles::{PAGE_PREFIX, Vehicles},
};
use serde_json::Value;
use url::Url;

use crate::{
    feed_data,
    kept_reading::{self, KeptReading},
    known_cars::KnownCars,
    page::{self, PageError, Reading, record::Details},
    payload::Scraping,
    result::Outcome,
};

/// Attempts after which a page that names no VIN is accepted as it is.
const MAX_ATTEMPTS_WITHOUT_VIN: u32 = 3;

/// The `Accept` header of requests for a page.
const ACCEPT: &str = "text/html,application/xhtml+xml";

/// The name of the job type in messages, records and metrics.
pub const TYPE: &str = "product_detail_scraping";

/// The retry, concurrency and breaker limits of the job type.
pub const POLICY: Policy = Policy {
    dependency: "page",
    // Network errors and time-outs, and a page that names no car, which may be temporary.
    retryable: &[Class::Transient, Class::Anomaly],
    backoff_cap: Duration::from_secs(300),
    job_timeout: Duration::from_secs(12),
    // Each running job may hold a page of 10 MB in memory.
    concurrency: 5,
    // A host is called twice a second, and a page that is read twice does no harm.
    settle_grouping: Duration::from_secs(2),
    dedup_window: Duration::from_hours(6),
    // Longer than most sites are down. The feed's data is worth having, and the page is scraped again when the car changes.
    gone_after: Some(Duration::from_mins(30)),
    breaker: BreakerPolicy {
        failures: 10,
        open_wait: Duration::from_secs(300),
        longest_wait: Duration::from_secs(3600),
        probes: 1,
        successes: 3,
    },
    calls: CallTimes {
        shortest: Duration::from_secs(3),
        longest: Duration::from_secs(10),
        slow_after: Duration::from_secs(8),
    },
    ..Policy::DEFAULT
}
.checked();

/// The attribute of a kept page that says when the site was asked for it.
const ASKED_AT: &str = "asked_at";

/// Largest result that is kept as the page of its car, in bytes.
const MAX_PAGE_ITEM_BYTES: usize = 32 * 1024;

/// The job type.
pub struct ProductDetailScraping<V, N, C, T = Network> {
    outbound: Outbound<C, T>,
    robots: Robots<N, C>,
    cars: KnownCars<V>,
}

impl ProductDetailScraping<DynamoVehicles, DynamoStore, SystemClock> {
    /// Builds the job from the environment. Fails if a variable is missing or invalid.
    pub fn start(start: &Start) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&start.environment);
        let settings = Settings::read(&mut reader);
        let table = reader.required("VEHICLES_TABLE");
        let tables = Tables::read(&mut reader);
        let (settings, table, tables) = reader.finish((settings, table, tables))?;
        let robots = Robots::new(DynamoStore::new(&start.aws, tables), SystemClock);
        let outbound = Outbound::new(&settings, Hosts::public(), SystemClock)
            .map_err(|error| ConfigError::of("the outbound client", &error.to_string()))?;
        Ok(Self::new(outbound, robots, DynamoVehicles::new(&start.aws, table)))
    }
}

impl<V: Vehicles, N: Control, C: Clock, T: Transport> ProductDetailScraping<V, N, C, T> {
    /// A job that uses this HTTP client, what sites allow it, and this table of vehicles.
    pub const fn new(outbound: Outbound<C, T>, robots: Robots<N, C>, vehicles: V) -> Self {
        Self { outbound, robots, cars: KnownCars::new(vehicles) }
    }

    /// Fetches a page, or learns that it is still the one that gave the validators.
    async fn fetch(
        &self,
        address: &str,
        known: Option<&Validators>,
        limit: Duration,
    ) -> Result<Fetched, FetchError> {
        let request = Request::get("payload.url", address).accepting(ACCEPT).changed_since(known);
        self.outbound.fetch(&request, limit).await
    }

    /// The result, kept as the car's page beside its record: the record expires, and the car may be for sale for long.
    /// `basis` says when it may be used again. `asked_at` is our own clock's time before the site was asked, and `seen`
    /// that of the page which was kept then. A page that was asked for later stays: this run may have been frozen.
    fn keep(
        &self,
        payload: &Scraping,
        outcome: Outcome,
        basis: Option<String>,
        seen: Option<Time>,
        asked_at: Time,
    ) -> Progress<Outcome> {
        let text = outcome.page();
        let Some(table) = self.cars.vehicles.table().filter(|_| text.len() <= MAX_PAGE_ITEM_BYTES)
        else {
            return Progress::Done(outcome);
        };
        let attributes = vec![
            ("page", Attribute::Text(text)),
            (ASKED_AT, Attribute::Number(asked_at.as_millis())),
            // Empty instead of absent, since what is not set stays as it is.
            ("basis", Attribute::Text(basis.unwrap_or_default())),
        ];
        let item = TableItem {
            table: table.to_owned(),
            key: [
                ("dealer", payload.dealer_slug.clone()),
                ("vin", format!("{PAGE_PREFIX}{}", payload.vin)),
            ],
            attributes,
            condition: Condition::Latest { by: ASKED_AT, seen: seen.map(Time::as_millis) },
        };
        Progress::DoneWith(outcome, Box::new(item))
    }
}

/// The outcome if the site says that the page is as it was. What is kept stays as it is.
fn unchanged(kept: Option<KeptReading>) -> Result<Progress<Outcome>, Failure> {
    let not_asked = || Failure::new(Class::Transient, "http_304", "not asked for");
    Ok(Progress::Done(Outcome::unchanged(kept.ok_or_else(not_asked)?.result)))
}

/// Reads a page, a long one beside the runtime's thread.
async fn read(
    content: Content,
    vin: String,
    feed: Details,
) -> Result<Result<Reading, PageError>, Failure> {
    let Content { url, body, charset, .. } = content;
    let read = move |body| {
        let html = page::charset::text(body, charset.as_deref());
        page::read(&html, &url, &vin, &feed)
    };
    long_text::read(body.len(), move || read(body)).await
}

/// The outcome if the page gave nothing: a success with the feed's data, or `failure` if the table
/// has none.
fn fall_back(
    payload: &Scraping,
    address: &Url,
    feed: Option<&Details>,
    failure: Failure,
) -> Result<Progress<Outcome>, Failure> {
    let Some(feed) = feed else { return Err(failure) };
    let reading = page::without_page(address, &payload.vin, feed);
    Ok(Progress::Done(Outcome::of(reading, Some(failure.to_string()))))
}

/// The outcome if the page could not be fetched.
fn not_fetched<G: Gate>(
    payload: &Scraping,
    address: &Url,
    feed: Option<&Details>,
    error: FetchError,
    run: &Run<'_, G>,
    now: Time,
) -> Result<Progress<Outcome>, Failure> {
    match error {
        FetchError::BotWall { .. } => {
            let wall = bot_wall(&error.to_string());
            run.count_as_failed(&wall);
            fall_back(payload, address, feed, wall)
        }
        FetchError::Gone { .. } => {
            let failure = gone(error, run, now);
            if failure.class() != Class::Permanent {
                return Err(failure);
            }
            fall_back(payload, address, feed, failure)
        }
        error if run.is_last && error.class() == Class::Transient => {
            fall_back(payload, address, feed, error.into())
        }
        error => Err(error.into()),
    }
}

/// When a page that does not exist is looked for again, counted from the first look: a feed often lists a car minutes
/// before its page is there.
const LOOKS: [Duration; 4] = [
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_mins(60),
    Duration::from_mins(180),
];

/// The failure of a run whose page does not exist. It is permanent after the last of [`LOOKS`].
fn gone<G: Gate>(error: FetchError, run: &Run<'_, G>, now: Time) -> Failure {
    let permanent = Failure::from(error);
    let code = permanent.code().to_owned();
    let looks = run.history.iter().filter(|attempt| attempt.code == code).map(|look| look.at);
    let first = looks.clone().next().map_or(now, Time::from_millis);
    match LOOKS.get(looks.count()) {
        Some(after) => {
            let failure = Failure::new(Class::Anomaly, code, permanent.message().to_owned());
            failure.with_retry_after(Some((first + *after).since(now)))
        }
        None => permanent,
    }
}

/// The failure for a site that blocks bots. Its class opens the breaker, so the site is not called
/// again before the next probe.
fn bot_wall(what: &str) -> Failure {
    let message = format!("{what}; ask the dealer for an authorised feed");
    Failure::new(Class::Systemic, "bot_wall", message)
}

impl<V, N, C, T> Job for ProductDetailScraping<V, N, C, T>
where
    V: Vehicles + 'static,
    N: Control + 'static,
    C: Clock + 'static,
    T: Transport,
{
    const TYPE: &'static str = TYPE;
    const POLICY: Policy = POLICY;
    const STANDS_IN: bool = true;
    type Payload = Scraping;
    type Output = Outcome;

    fn label(outcome: &Outcome) -> Option<&'static str> {
        match outcome {
            Outcome::Read(scraped) if scraped.without_page.is_some() => Some("alternate"),
            Outcome::Read(_) | Outcome::Unchanged(_) => None,
        }
    }

    fn dependency(payload: &Scraping) -> Cow<'static, str> {
        let url = payload.url.parse::<Url>().ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        format!("{}/{host}", POLICY.dependency).into()
    }

    fn rates(&self, payload: &Scraping) -> Option<Rates> {
        let url = payload.url.parse().ok();
        Some(self.robots.rates(self.outbound.rates(), url.as_ref()))
    }

    fn limiter(payload: &Scraping) -> Cow<'static, str> {
        host_limiter(payload.url.parse().ok().as_ref()).into()
    }

    async fn prepare(&self, payloads: &[&Scraping]) {
        self.cars.prepare(payloads).await;
    }

    async fn run<G: Gate>(
        &self,
        payload: &Scraping,
        run: &Run<'_, G>,
    ) -> Result<Progress<Outcome>, Failure> {
        let invalid = |error: url::ParseError| {
            Failure::new(Class::Permanent, "invalid_payload", error.to_string())
        };
        let address: Url = payload.url.parse().map_err(invalid)?;
        // Before the fetch, so that no page is fetched in vain if the table cannot be read.
        let known = self.cars.of(payload).await.map_err(|error| error.unstarted())?;
        let feed = known.data.as_deref().map(feed_data::details);
        // A run that may make no call needs no permission for one.
        if !run.is_last && !self.robots.allows(&self.outbound, &address, run).await? {
            let why = "the site's robots.txt forbids the page";
            let failure = Failure::new(Class::Permanent, FORBIDDEN, why);
            return fall_back(payload, &address, feed.as_ref(), failure);
        }
        // Its own time: what the sender says of the job's age would make a reading old or young at will.
        let now = self.outbound.now();
        let seen = known.page.as_ref().and_then(|page| page.asked_at);
        let kept = KeptReading::of(&known, payload, now);
        let validators = kept.as_ref().map(KeptReading::validators);
        let content = match run.call(|limit| self.fetch(&payload.url, validators, limit)).await {
            Ok(Fetched::Content(content)) => *content,
            Ok(Fetched::NotModified) => return unchanged(kept),
            Err(error) => return not_fetched(payload, &address, feed.as_ref(), error, run, now),
        };
        let given = content.validators.clone();
        let of_feed = feed.clone().unwrap_or_default();
        let failure = match read(content, payload.vin.clone(), of_feed.clone()).await? {
            Ok(reading) => {
                let basis = kept_reading::basis(&reading, given.as_ref(), &known, payload, now);
                return Ok(self.keep(payload, Outcome::of(reading, None), basis, seen, now));
            }
            Err(error @ PageError::Challenge { .. }) => bot_wall(&error.to_string()),
            Err(error @ PageError::OtherVehicle { .. }) => {
                let failure = Failure::new(Class::Anomaly, "other_vehicle", error.to_string());
                run.count_as_failed(&failure);
                // The address will still show the other car tomorrow, so a retry is useless.
                let failure = Failure::new(Class::Permanent, "other_vehicle", error.to_string());
                return fall_back(payload, &address, feed.as_ref(), failure);
            }
            // A page without any VIN may be a temporary error page, so it is fetched again. If no
            // attempt finds a VIN, the job succeeds with the feed's data, and the result lists the
            // missing fields.
            Err(error @ PageError::NoVin) => {
                let failure = Failure::new(Class::Anomaly, "no_vin", error.to_string());
                run.count_as_failed(&failure);
                if run.counters.attempts + 1 < MAX_ATTEMPTS_WITHOUT_VIN {
                    return Err(failure);
                }
                let reading = page::without_page(&address, &payload.vin, &of_feed);
                return Ok(Progress::Done(Outcome::of(reading, Some(failure.to_string()))));
            }
        };
        // The HTTP response was a success, so the breaker does not count it as a failure by itself.
        run.count_as_failed(&failure);
        fall_back(payload, &address, feed.as_ref(), failure)
    }

    /// Checks only the stored result. The page is not fetched again, because its values may have
    /// changed since.
    async fn verify<G: Gate>(
        &self,
        _: &Scraping,
        result: &str,
        _: &Run<'_, G>,
    ) -> Result<Soundness, Failure> {
        let result: Value = serde_json::from_str(result).unwrap_or_default();
        if result["record"].is_object() {
            return Ok(Soundness::Sound);
        }
        Ok(Soundness::Missing("the result is no record of a car".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use inventory::long_text::LONG_BYTES;

    use super::*;

    const VIN: &str = "1HGCM82633A004352";

    /// A page about the car, of at least this many bytes.
    fn page(bytes: usize) -> Content {
        let car = format!("<script>DDC.dataLayer['vehicles'] = [{{\"vin\": \"{VIN}\"}}];</script>");
        Content {
            url: "https://www.dealer.example/used/1.htm".parse().unwrap(),
            media_type: None,
            charset: None,
            validators: None,
            body: format!("{car}{}", "<p>text</p>".repeat(bytes / 10)).into_bytes(),
        }
    }

    fn reading(bytes: usize) -> impl Future<Output = Result<Result<Reading, PageError>, Failure>> {
        read(page(bytes), VIN.to_owned(), Details::default())
    }

    /// Whether something else goes on while a page of this length is read.
    async fn lets_others_go_on(bytes: usize) -> bool {
        tokio::select! {
            biased;
            _ = reading(bytes) => false,
            () = ready(()) => true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_page_is_read_while_others_go_on() {
        assert!(!lets_others_go_on(0).await);
        assert!(lets_others_go_on(LONG_BYTES).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_waits_for_a_long_page() {
        for bytes in [0, LONG_BYTES] {
            let within = tokio::time::timeout(Duration::from_millis(1), reading(bytes)).await;
            assert_eq!(within.unwrap().unwrap().unwrap().vin.value, VIN, "{bytes}");
        }
    }
}
