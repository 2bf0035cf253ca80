//! One car's page read: fetched once, understood as far as it goes, and never taken for another's.

use std::{borrow::Cow, time::Duration};

use evenkeel::{
    aws::DynamoVehicles,
    breaker::BreakerPolicy,
    config::{ConfigError, Reader},
    error::{Class, Failure},
    finding::Soundness,
    http::{Content, FetchError, Fetched, Hosts, Outbound, Request, Settings},
    job::{Gate, Job, Progress, Run},
    lambda::Start,
    policy::{CallTimes, Policy},
    time::{Clock, SystemClock},
    vehicles::Vehicles,
    vin::Vin,
};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::{
    feed_data,
    page::{self, PageError, Reading},
    payload::Scraping,
};

/// Times that a page without any car is looked at before what is missing is taken as missing.
const LOOKS_FOR_A_CAR: u32 = 3;

/// What a page is asked for.
const ACCEPT: &str = "text/html,application/xhtml+xml";

/// The numbers of the job type.
pub const POLICY: Policy = Policy {
    dependency: "page",
    max_attempts: 8,
    // The plan's `network`, `timeout` and `econnreset`; and a page that is none of a car's for now.
    retryable: &[Class::Transient, Class::Anomaly],
    max_deferrals: 9,
    backoff_base: Duration::from_secs(2),
    backoff_cap: Duration::from_secs(300),
    job_timeout: Duration::from_secs(12),
    rounds: 2,
    reserve: Duration::from_secs(3),
    // Each may hold a page of 10 MB.
    concurrency: 5,
    dedup_window: Duration::from_hours(6),
    give_up_after: Duration::from_hours(24),
    breaker: BreakerPolicy {
        failures: 10,
        open_wait: Duration::from_secs(300),
        longest_wait: Duration::from_secs(3600),
        probes: 2,
        successes: 3,
    },
    predicts: true,
    calls: CallTimes {
        shortest: Duration::from_secs(3),
        longest: Duration::from_secs(10),
        slow_after: Duration::from_secs(8),
    },
}
.checked();

/// What a success leaves in the record.
#[derive(Clone, Debug, Serialize)]
pub struct Scraped {
    /// What is known of the car, field by field, with how good that is.
    #[serde(flatten)]
    pub reading: Reading,
    /// Why the page itself gave nothing, and all is from the feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_page: Option<String>,
    /// What is odd about the VIN, which is no reason to reject it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vin_warning: Option<&'static str>,
}

/// The job type.
pub struct ProductDetailScraping<V, C> {
    outbound: Outbound<C>,
    vehicles: V,
}

impl ProductDetailScraping<DynamoVehicles, SystemClock> {
    /// Builds the job from the environment.
    pub fn start(start: &Start) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&start.environment);
        let settings = Settings::read(&mut reader);
        let table = reader.required("VEHICLES_TABLE");
        let (settings, table) = reader.finish((settings, table))?;
        let outbound = Outbound::new(&settings, Hosts::public(), SystemClock)
            .map_err(|error| ConfigError::of("the outbound client", &error.to_string()))?;
        Ok(Self::new(outbound, DynamoVehicles::new(&start.aws, table)))
    }
}

impl<V: Vehicles, C: Clock> ProductDetailScraping<V, C> {
    /// The job over this client and these vehicles.
    pub const fn new(outbound: Outbound<C>, vehicles: V) -> Self {
        Self { outbound, vehicles }
    }

    async fn fetch(&self, address: &str, limit: Duration) -> Result<Box<Content>, FetchError> {
        let request = Request::get("payload.url", address).accepting(ACCEPT);
        match self.outbound.fetch(&request, limit).await? {
            Fetched::Content(content) => Ok(content),
            // It cannot be: nothing was said to be known.
            Fetched::NotModified => {
                let failure = Failure::new(Class::Transient, "http_304", "not asked for");
                Err(FetchError::NotCalled(failure))
            }
        }
    }

    /// What the feed knows of the car; `None` if it knows none.
    async fn known(&self, payload: &Scraping) -> Result<Option<page::record::Details>, Failure> {
        let data = self.vehicles.data(&payload.dealer_slug, &payload.vin).await;
        Ok(data.map_err(|error| error.unstarted())?.as_deref().map(feed_data::details))
    }
}

/// What is left to say when the page says nothing of the car: the feed's data, if there is any.
fn fall_back(
    payload: &Scraping,
    address: &Url,
    known: Option<&page::record::Details>,
    failure: Failure,
) -> Result<Progress<Scraped>, Failure> {
    let Some(known) = known else { return Err(failure) };
    let reading = page::without_page(address, &payload.vin, known);
    Ok(Progress::Done(scraped(reading, Some(failure.to_string()))))
}

fn scraped(reading: Reading, without_page: Option<String>) -> Scraped {
    let odd = Vin::parse(&reading.vin.value).is_ok_and(|vin| !vin.check_digit_holds());
    let vin_warning = odd.then_some("check digit: does not fit, as of many cars made elsewhere");
    Scraped { reading, without_page, vin_warning }
}

/// A site that does not want us. Nobody calls it again until the breaker lets a probe through.
fn bot_wall(what: &str) -> Failure {
    let message = format!("{what}; ask the dealer for an authorised feed");
    Failure::new(Class::Systemic, "bot_wall", message)
}

impl<V, C> Job for ProductDetailScraping<V, C>
where
    V: Vehicles + 'static,
    C: Clock + 'static,
{
    const TYPE: &'static str = "product_detail_scraping";
    const POLICY: Policy = POLICY;
    type Payload = Scraping;
    type Output = Scraped;

    fn dependency(payload: &Scraping) -> Cow<'static, str> {
        let url = payload.url.parse::<Url>().ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        format!("{}/{host}", POLICY.dependency).into()
    }

    async fn run<G: Gate>(
        &self,
        payload: &Scraping,
        run: &Run<'_, G>,
    ) -> Result<Progress<Scraped>, Failure> {
        let invalid = |error: url::ParseError| {
            Failure::new(Class::Permanent, "invalid_payload", error.to_string())
        };
        let address: Url = payload.url.parse().map_err(invalid)?;
        // First, so that no page is fetched in vain while the table cannot be read.
        let known = self.known(payload).await?;
        let content = match run.call(|limit| self.fetch(&payload.url, limit)).await {
            Ok(content) => content,
            Err(error @ FetchError::BotWall { .. }) => {
                let wall = bot_wall(&error.to_string());
                run.disbelieve(&wall);
                return fall_back(payload, &address, known.as_ref(), wall);
            }
            Err(error) => return Err(error.into()),
        };
        let Content { url, body, .. } = *content;
        // Most are UTF-8, and then this is no copy.
        let html = String::from_utf8(body)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let of_feed = known.clone().unwrap_or_default();
        let failure = match page::read(&html, &url, &payload.vin, &of_feed) {
            Ok(reading) => return Ok(Progress::Done(scraped(reading, None))),
            Err(error @ PageError::Challenge { .. }) => bot_wall(&error.to_string()),
            Err(error @ PageError::OtherVehicle { .. }) => {
                let failure = Failure::new(Class::Anomaly, "other_vehicle", error.to_string());
                run.disbelieve(&failure);
                // It will be no other car's tomorrow.
                let failure = Failure::new(Class::Permanent, "other_vehicle", error.to_string());
                return fall_back(payload, &address, known.as_ref(), failure);
            }
            // A page that names no car at all may be one of a bad moment. If it stays so, it says
            // nothing wrong of this car: what is missing is listed.
            Err(error @ PageError::NoVin) => {
                let failure = Failure::new(Class::Anomaly, "no_vin", error.to_string());
                run.disbelieve(&failure);
                if run.ledger.attempts + 1 < LOOKS_FOR_A_CAR {
                    return Err(failure);
                }
                let reading = page::without_page(&address, &payload.vin, &of_feed);
                return Ok(Progress::Done(scraped(reading, Some(failure.to_string()))));
            }
        };
        // The answer was well-formed and says nothing of the car: the breaker hears of it.
        run.disbelieve(&failure);
        fall_back(payload, &address, known.as_ref(), failure)
    }

    /// The page itself is not asked again: it may show another price by now.
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
