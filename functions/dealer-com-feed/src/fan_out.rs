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
    record::trace::Trace,
};
use inventory::link::KeptLink;
use product_detail_scraping::Scraping;
use serde::{Deserialize, Serialize};
use url_shortening::Shortening;

use crate::{change::Listed, payload::Feed, vehicle::Vehicle};

/// Hexadecimal digits of a hash in a job's id. 64 bits suffice, because the id also names dealer
/// and VIN.
const ID_DIGITS: usize = 16;

/// Length of a link's title at Rebrandly, in characters.
const MIN_TITLE: usize = 3;
const MAX_TITLE: usize = 255;

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
    /// Cars whose pages are on another domain than the site; see [`crate::links::Links::allow`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub off_site: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Made {
    pub(crate) fn add(&mut self, other: Self) {
        self.scraping_jobs += other.scraping_jobs;
        self.shortening_jobs += other.shortening_jobs;
        self.duplicates += other.duplicates;
        self.without_page += other.without_page;
        self.off_site += other.off_site;
    }
}

/// Creates the jobs that the feed asks for and that these cars have not had, in the feed's `trace`. Idempotent.
pub(crate) async fn fan_out<S: Store, Q: Queue>(
    store: &S,
    queue: &Q,
    clock: &impl Clock,
    queues: &Queues,
    feed: &Feed,
    cars: &[&Listed<'_>],
    trace: Option<&Trace>,
) -> Result<Made, Failure> {
    let with_page: Vec<&Listed<'_>> =
        cars.iter().copied().filter(|car| car.destination.is_some()).collect();
    let linked: Vec<&Listed<'_>> =
        with_page.iter().copied().filter(|car| car.wanted == feed.fan_out).collect();
    let mut made = Made {
        without_page: cars.len() - with_page.len(),
        off_site: with_page.len() - linked.len(),
        ..Made::default()
    };
    if feed.fan_out.scrape {
        let due: Vec<_> = linked.iter().filter(|car| !car.had.scrape).collect();
        let jobs = due.iter().filter_map(|car| scraping(feed, queues, car));
        let jobs: Vec<NewJob> = jobs.map(|job| job.traced(trace)).collect();
        made.without_page += due.len() - jobs.len();
        let Enqueued { made: jobs, sent_again, duplicates } =
            enqueue(store, queue, clock, &jobs).await.map_err(|error| error.unstarted())?;
        made.scraping_jobs = jobs;
        made.duplicates += duplicates + sent_again;
    }
    if feed.fan_out.shorten {
        let due = linked.iter().filter(|car| !car.had.shorten);
        let jobs = due.filter_map(|car| shortening(feed, queues, car));
        let jobs: Vec<NewJob> = jobs.map(|job| job.traced(trace)).collect();
        let Enqueued { made: jobs, sent_again, duplicates } =
            enqueue(store, queue, clock, &jobs).await.map_err(|error| error.unstarted())?;
        made.shortening_jobs = jobs;
        made.duplicates += duplicates + sent_again;
    }
    Ok(made)
}

/// How many jobs [`fan_out`] would create for these cars.
pub(crate) fn planned(cars: &[&Listed<'_>]) -> Made {
    let mut made = Made::default();
    for car in cars.iter().filter(|car| car.destination.is_some()) {
        made.scraping_jobs += usize::from(car.wanted.scrape && !car.had.scrape);
        made.shortening_jobs += usize::from(car.wanted.shorten && !car.had.shorten);
    }
    made
}

/// The jobs by which the links of cars that are gone lead to the dealer instead. `links` are theirs, by VIN.
pub(crate) fn redirects(
    queues: &Queues,
    feed: &Feed,
    as_of: u64,
    links: &[(&str, &KeptLink)],
) -> Vec<NewJob> {
    let Some(page) = &feed.links.when_gone else { return Vec::new() };
    let moved = links.iter().filter(|(_, link)| link.wanted != *page);
    moved.filter_map(|(vin, _)| link_job(feed, queues, vin, page, as_of, None, false)).collect()
}

/// The keys of the jobs that were created for this car, as far as its data determines them.
pub(crate) fn keys(feed: &Feed, queues: &Queues, car: &Listed<'_>) -> Vec<String> {
    let scraping = car.had.scrape.then(|| scraping(feed, queues, car)).flatten();
    let shortening = car.had.shorten.then(|| shortening(feed, queues, car)).flatten();
    scraping.into_iter().chain(shortening).map(|job| job.key().to_owned()).collect()
}

/// The scraping job of a car. Its id contains the content hash, so each change of the car gets a
/// job. A car that is again what it was within hours has had another page meanwhile, so its job runs anew.
fn scraping(feed: &Feed, queues: &Queues, car: &Listed<'_>) -> Option<NewJob> {
    let link = car.vehicle.link.as_deref()?;
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
    Some(job.worth(SCRAPING_WORTH).anew())
}

/// The shortening job of a car. Its id contains what was asked for, so each move of the car gets a job, also back to
/// an address that it had before.
fn shortening(feed: &Feed, queues: &Queues, car: &Listed<'_>) -> Option<NewJob> {
    let (vin, destination) = (car.vehicle.vin.as_str(), car.destination.as_ref()?.as_str());
    let title = feed.links.title.then(|| title(car.vehicle)).flatten();
    link_job(feed, queues, vin, destination, car.asked.as_ref()?.as_of, title, car.is_first_link)
}

fn link_job(
    feed: &Feed,
    queues: &Queues,
    vin: &str,
    destination: &str,
    as_of: u64,
    title: Option<String>,
    first_link: bool,
) -> Option<NewJob> {
    let payload = normal(Shortening {
        destination: destination.to_owned(),
        dealer_slug: feed.dealer_slug.clone(),
        vin: vin.to_owned(),
        title,
        as_of: Some(as_of),
        first_link,
        recreate: feed.links.recreate,
    })?;
    let dependency = Shortener::dependency(&payload).into_owned();
    let address = sha256_hex(&[destination]);
    let id = format!("{}:{as_of}", id(feed, vin, &address));
    let canonical = serde_json::to_string(&payload).ok()?;
    let (policy, queue, group) = (&Shortener::POLICY, &queues.shortening, &feed.dealer_slug);
    Some(NewJob::new(Shortener::TYPE, &id, canonical, policy, dependency, queue, group))
}

/// The title of a car's link: year, make and model.
fn title(car: &Vehicle) -> Option<String> {
    let year = car.year.map(|year| year.to_string());
    let parts: Vec<String> =
        [year, car.make.clone(), car.model.clone()].into_iter().flatten().collect();
    let title: String = parts.join(" ").chars().take(MAX_TITLE).collect();
    (title.chars().count() >= MIN_TITLE).then_some(title)
}

type Scraper = product_detail_scraping::ProductDetailScraping<
    inventory::dynamo::DynamoVehicles,
    evenkeel::aws::DynamoStore,
    evenkeel::base::time::SystemClock,
>;

type Shortener = url_shortening::UrlShortening<
    evenkeel::aws::KeySource,
    inventory::dynamo::DynamoVehicles,
    evenkeel::base::time::SystemClock,
>;

/// `cli/src/commands/cars.rs` makes the ids anew from what is kept of a car.
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
