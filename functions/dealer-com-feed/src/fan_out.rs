//! Creates the jobs for new and changed cars.

use std::time::Duration;

use evenkeel::{
    base::{hash::sha256_hex, time::Clock},
    failure::Failure,
    job::{
        Job,
        enqueue::{Enqueued, NewJob, enqueue},
    },
    payload::{Payload, Problems},
    ports::{Queue, Store},
};
use product_detail_scraping::Scraping;
use serde::{Deserialize, Serialize};
use url_shortening::Shortening;

use crate::{change::Listed, payload::Feed};

/// Hexadecimal digits of a hash in a job's id. 64 bits suffice, because the id also names dealer
/// and VIN.
const ID_DIGITS: usize = 16;

/// How long the page of a car is worth reading. Then the feed's data stands.
const SCRAPING_WORTH: Duration = Duration::from_hours(24);

/// ARNs of the queues to which the jobs are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// The queue of `product_detail_scraping`.
    pub scraping: String,
    /// The queue of `url_shortening`.
    pub shortening: String,
}

/// How many jobs were created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Jobs of type `product_detail_scraping`.
    pub scraping_jobs: usize,
    /// Jobs of type `url_shortening`.
    pub shortening_jobs: usize,
    /// Jobs that existed already.
    pub duplicates: usize,
    /// Cars without an address of their page, or with one that the jobs' payloads do not allow.
    pub without_page: usize,
}

impl Made {
    pub(crate) fn add(&mut self, other: Self) {
        self.scraping_jobs += other.scraping_jobs;
        self.shortening_jobs += other.shortening_jobs;
        self.duplicates += other.duplicates;
        self.without_page += other.without_page;
    }
}

/// Creates the jobs that the feed asks for and that these cars have not had. Idempotent.
pub(crate) async fn fan_out<S: Store, Q: Queue>(
    store: &S,
    queue: &Q,
    clock: &impl Clock,
    queues: &Queues,
    feed: &Feed,
    cars: &[&Listed<'_>],
) -> Result<Made, Failure> {
    let linked: Vec<(&Listed<'_>, &str)> =
        cars.iter().filter_map(|car| Some((*car, car.vehicle.link.as_deref()?))).collect();
    let mut made = Made { without_page: cars.len() - linked.len(), ..Made::default() };
    if feed.fan_out.scrape {
        let due: Vec<_> = linked.iter().filter(|(car, _)| !car.had.scrape).collect();
        let jobs: Vec<NewJob> =
            due.iter().filter_map(|(car, link)| scraping(feed, queues, car, link)).collect();
        made.without_page += due.len() - jobs.len();
        let Enqueued { made: jobs, sent_again, duplicates } =
            enqueue(store, queue, clock, &jobs).await.map_err(|error| error.unstarted())?;
        made.scraping_jobs = jobs;
        made.duplicates += duplicates + sent_again;
    }
    if feed.fan_out.shorten {
        let due = linked.iter().filter(|(car, _)| !car.had.shorten);
        let jobs: Vec<NewJob> =
            due.filter_map(|(car, link)| shortening(feed, queues, car, link)).collect();
        let Enqueued { made: jobs, sent_again, duplicates } =
            enqueue(store, queue, clock, &jobs).await.map_err(|error| error.unstarted())?;
        made.shortening_jobs = jobs;
        made.duplicates += duplicates + sent_again;
    }
    Ok(made)
}

/// The keys of the jobs that were created for this car, as far as its data determines them.
pub(crate) fn keys(feed: &Feed, queues: &Queues, car: &Listed<'_>) -> Vec<String> {
    let Some(link) = car.vehicle.link.as_deref() else { return Vec::new() };
    let scraping = car.had.scrape.then(|| scraping(feed, queues, car, link)).flatten();
    let shortening = car.had.shorten.then(|| shortening(feed, queues, car, link)).flatten();
    scraping.into_iter().chain(shortening).map(|job| job.key().to_owned()).collect()
}

/// The scraping job of a car. Its id contains the content hash, so each change of the car gets a
/// job.
fn scraping(feed: &Feed, queues: &Queues, car: &Listed<'_>, link: &str) -> Option<NewJob> {
    let vin = car.vehicle.vin.as_str();
    let payload = normal(Scraping {
        dealer_slug: feed.dealer_slug.clone(),
        vin: vin.to_owned(),
        url: link.to_owned(),
        content_hash: Some(car.hash.clone()),
    })?;
    let dependency = Scraper::dependency(&payload).into_owned();
    let id = id(feed, vin, &car.hash);
    let canonical = serde_json::to_string(&payload).ok()?;
    let (policy, queue) = (&Scraper::POLICY, &queues.scraping);
    let group = &feed.dealer_slug;
    let job = NewJob::new(Scraper::TYPE, &id, canonical, policy, dependency, queue, group);
    Some(job.worth(SCRAPING_WORTH))
}

/// The shortening job of a car. Its id contains a hash of the address, so each new address of the
/// car gets a job.
fn shortening(feed: &Feed, queues: &Queues, car: &Listed<'_>, link: &str) -> Option<NewJob> {
    let vin = car.vehicle.vin.as_str();
    let payload = normal(Shortening {
        destination: link.to_owned(),
        dealer_slug: feed.dealer_slug.clone(),
        vin: vin.to_owned(),
        // Left out because titles change more often than destinations.
        title: None,
        as_of: None,
        first_link: false,
        recreate: false,
    })?;
    let dependency = Shortener::dependency(&payload).into_owned();
    let id = id(feed, vin, &sha256_hex(&[link]));
    let canonical = serde_json::to_string(&payload).ok()?;
    let (policy, queue) = (&Shortener::POLICY, &queues.shortening);
    Some(NewJob::new(Shortener::TYPE, &id, canonical, policy, dependency, queue, &feed.dealer_slug))
}

type Scraper = product_detail_scraping::ProductDetailScraping<
    inventory::dynamo::DynamoVehicles,
    evenkeel::base::time::SystemClock,
>;

type Shortener = url_shortening::UrlShortening<
    evenkeel::aws::KeySource,
    inventory::dynamo::DynamoVehicles,
    evenkeel::base::time::SystemClock,
>;

fn id(feed: &Feed, vin: &str, hash: &str) -> String {
    format!("{}:{vin}:{}", feed.dealer_slug, &hash[..hash.len().min(ID_DIGITS)])
}

/// The payload in its normal form; `None` if the job type would reject it, for example because the
/// address is too long. Such a car is counted in [`Made::without_page`]; its data is stored.
fn normal<P: Payload>(mut payload: P) -> Option<P> {
    let mut problems = Problems::default();
    payload.check(&mut problems);
    problems.is_empty().then_some(payload)
}
