//! The jobs that new and changed cars give rise to.

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

/// Hexadecimal digits of a hash in an id: 64 bits, for one car of one dealer.
const ID_DIGITS: usize = 16;

/// ARNs of the queues that the jobs go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Of `product_detail_scraping`.
    pub scraping: String,
    /// Of `url_shortening`.
    pub shortening: String,
}

/// How many jobs were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Of `product_detail_scraping`.
    pub scraping_jobs: usize,
    /// Of `url_shortening`.
    pub shortening_jobs: usize,
    /// Jobs that were there already.
    pub duplicates: usize,
    /// Cars whose page has no address, or none that a job could have.
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

/// Makes the jobs that are wanted of these cars and that they have not had; harmless when repeated.
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

/// The keys of the jobs that this car has had, as far as they can be told from it.
pub(crate) fn keys(feed: &Feed, queues: &Queues, car: &Listed<'_>) -> Vec<String> {
    let Some(link) = car.vehicle.link.as_deref() else { return Vec::new() };
    let scraping = car.had.scrape.then(|| scraping(feed, queues, car, link)).flatten();
    let shortening = car.had.shorten.then(|| shortening(feed, queues, car, link)).flatten();
    scraping.into_iter().chain(shortening).map(|job| job.key().to_owned()).collect()
}

/// One scraping job for each state of a car that the feed has shown.
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
    Some(NewJob::new(Scraper::TYPE, &id, canonical, policy, dependency, queue, &feed.dealer_slug))
}

/// One shortening job for each address that a car has had.
fn shortening(feed: &Feed, queues: &Queues, car: &Listed<'_>, link: &str) -> Option<NewJob> {
    let vin = car.vehicle.vin.as_str();
    let payload = normal(Shortening {
        destination: link.to_owned(),
        dealer_slug: feed.dealer_slug.clone(),
        vin: vin.to_owned(),
        // A title changes more often than what the link leads to.
        title: None,
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

type Shortener =
    url_shortening::UrlShortening<evenkeel::aws::KeySource, evenkeel::base::time::SystemClock>;

fn id(feed: &Feed, vin: &str, hash: &str) -> String {
    format!("{}:{vin}:{}", feed.dealer_slug, &hash[..hash.len().min(ID_DIGITS)])
}

/// The payload as its own type's function will read it; `None` if that would refuse it, as an
/// address that is too long. Such a car is counted and not lost: its data is kept.
fn normal<P: Payload>(mut payload: P) -> Option<P> {
    let mut problems = Problems::default();
    payload.check(&mut problems);
    problems.is_empty().then_some(payload)
}
