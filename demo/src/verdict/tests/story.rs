//! A demo that went well, for tests that let one thing of it go wrong.

use sandbox::rebrandly::{CreatedBy, Domain, Link, LinkStatus};
use sandbox::{Fault, FaultKind, FaultReport, Scope, Target};
use serde_json::{Value, json};

use crate::incident::car::Car;
use crate::incident::chance::Chance;
use crate::incident::event::Message;
use crate::incident::job::{Feed, Job, Shortening, Spelling, Taken, Work};
use crate::incident::site::{Page, Site};
use crate::replay::Sent;
use crate::replay::accident::Accident;
use crate::scene::record::{Record, Vehicle};
use crate::verdict::{Evidence, Verdict, judge};

/// The places of the scraping and of the feed, and of the first record of a job that the feed made.
pub(super) const SCRAPING: usize = 3;
pub(super) const FEED: usize = 4;
pub(super) const MADE: usize = 5;

/// Five jobs that went well: three links, the second without an id, the third after its process
/// was killed; a page; and a feed of two cars, which made four jobs more. And a body that is no
/// message.
pub(super) struct Story {
    pub(super) jobs: Vec<Job>,
    pub(super) sent: Vec<Sent>,
    pub(super) records: Vec<Record>,
    pub(super) vehicles: Vec<Vehicle>,
    pub(super) links: Vec<Link>,
    pub(super) faults: Vec<FaultReport>,
    pub(super) accident: Option<Accident>,
    pub(super) queued: u64,
    pub(super) dead_letters: u64,
}

impl Story {
    pub(super) fn good() -> Self {
        let Site { slug, url, pages } = Site::made_up("lakeside-toyota", 2);
        let mut jobs: Vec<Job> = (0..3).map(shortening).collect();
        let page = Site::made_up("harbor-honda", 1).pages.remove(0);
        jobs.push(Job { id: Some("page".into()), work: Work::Scrape(page.clone()) });
        let feed = Feed { dealer_slug: slug, site_url: url, lists: &[], pages: pages.clone() };
        jobs.push(Job { id: Some("feed".into()), work: Work::Read(feed) });
        let mut sent: Vec<Sent> = (0..5)
            .map(|n| sent(Some(n), jobs[n].body(Spelling::Plain), 1_000 * n as u64))
            .collect();
        sent.push(sent_again(&sent[1], 9_000));
        sent.push(self::sent(None, "nonsense".into(), 5));
        let mut results: Vec<Value> =
            (0..3).map(|n| shortened(&first_slashtag(&jobs[n]), &format!("l{n}"))).collect();
        results.extend([scraped(&page), read(2)]);
        let mut records: Vec<Record> = jobs
            .iter()
            .zip(results)
            .enumerate()
            .map(|(n, (job, result))| succeeded(job, &result, n))
            .collect();
        records[2].crashes = 1;
        let mut links: Vec<Link> =
            (0..3).map(|n| link(n, &first_slashtag(&jobs[n]), &destination(&jobs[n]))).collect();
        for (n, page) in pages.iter().enumerate() {
            let slashtag = format!("made-{n}");
            records.push(made("product_detail_scraping", page, &scraped(page)));
            let result = shortened(&slashtag, &format!("l{}", n + 3));
            records.push(made("url_shortening", page, &result));
            links.push(link(n + 3, &slashtag, &page.url));
        }
        records.push(Record {
            pk: "q#abc".into(),
            state: "rejected".into(),
            body: Some("nonsense".into()),
            ended_at: Some(6),
            ..Record::default()
        });
        let cars = pages.iter().map(|page| format!("car#{}", page.vin));
        let vehicles = cars.chain(["#list".to_owned()]);
        let vehicles = vehicles.map(|sort| vehicle("lakeside-toyota", &sort)).collect();
        let faults = vec![fault(2)];
        let accident = Some(Accident { job: 2, pid: 7, at_ms: 2_100 });
        let (queued, dead_letters) = (0, 0);
        Self { jobs, sent, records, vehicles, links, faults, accident, queued, dead_letters }
    }

    pub(super) fn evidence(&self) -> Evidence<'_> {
        Evidence {
            jobs: &self.jobs,
            sent: &self.sent,
            records: &self.records,
            vehicles: &self.vehicles,
            links: &self.links,
            faults: &self.faults,
            accident: self.accident,
            queued: self.queued,
            dead_letters: self.dead_letters,
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        judge(&self.evidence())
    }

    /// The one thing that is wrong.
    pub(super) fn finding(&self) -> String {
        let verdict = self.verdict();
        assert!(!verdict.holds());
        assert_eq!(verdict.findings.len(), 1, "{:?}", verdict.findings);
        verdict.findings[0].clone()
    }
}

fn shortening(n: usize) -> Job {
    let serial = u32::try_from(n).expect("small");
    let car = Car::draw(&mut Chance::of(n as u64), serial);
    let id = (n != 1).then(|| format!("listing-{n}"));
    Job { id, work: Work::Shorten(Shortening { car, titled: n == 0, taken: Taken::Free }) }
}

fn destination(job: &Job) -> String {
    job.shortening().expect("a link").car.destination.clone()
}

fn first_slashtag(job: &Job) -> String {
    job.shortening().expect("a link").car.first_slashtag()
}

fn sent(job: Option<usize>, body: String, at_ms: u64) -> Sent {
    Sent { message: Message { job, body }, at_ms }
}

fn sent_again(first: &Sent, at_ms: u64) -> Sent {
    Sent { at_ms, ..first.clone() }
}

fn shortened(slashtag: &str, link_id: &str) -> Value {
    json!({
        "short_url": format!("rebrand.ly/{slashtag}"), "slashtag": slashtag, "link_id": link_id,
        "via": "created", "candidate": 1,
    })
}

pub(super) fn scraped(page: &Page) -> Value {
    json!({
        "vin": page.vin,
        "fields": { "year": page.year, "price_cents": page.price * 100 },
        "quality": { "found": ["year", "price_cents"], "missing": ["trim"], "conflicting": [] },
    })
}

pub(super) fn read(cars: usize) -> Value {
    json!({
        "vehicles": cars, "new": cars, "changed": 0, "unchanged": 0, "gone": 0, "bad": 0,
        "pages": 1, "stale": false, "scraping_jobs": cars, "shortening_jobs": cars,
    })
}

fn succeeded(job: &Job, result: &Value, n: usize) -> Record {
    Record {
        pk: job.key().unwrap_or_else(|| "url_shortening#d:0f".into()),
        state: "succeeded".into(),
        payload: Some(job.payload().to_string()),
        result: Some(result.to_string()),
        ended_at: Some(1_000 * n as u64 + 500),
        claims: 1,
        attempts: 1,
        ..Record::default()
    }
}

/// A job that a feed made of a car.
fn made(kind: &str, page: &Page, result: &Value) -> Record {
    let payload = json!({ "dealer_slug": page.dealer_slug, "vin": page.vin });
    Record {
        pk: format!("{kind}#g:{}:{}:0f", page.dealer_slug, page.vin),
        state: "succeeded".into(),
        payload: Some(payload.to_string()),
        result: Some(result.to_string()),
        created_at: Some(4_200),
        ended_at: Some(4_250),
        claims: 1,
        attempts: 1,
        ..Record::default()
    }
}

fn vehicle(dealer: &str, vin: &str) -> Vehicle {
    Vehicle { dealer: dealer.to_owned(), vin: vin.to_owned() }
}

fn link(n: usize, slashtag: &str, destination: &str) -> Link {
    Link {
        id: format!("l{n}"),
        title: slashtag.to_owned(),
        slashtag: slashtag.to_owned(),
        destination: destination.to_owned(),
        domain: Domain { id: "d".into(), full_name: "rebrand.ly".into() },
        status: LinkStatus::Active,
        visible: true,
        created_by: CreatedBy::Api,
        created_at_ms: 1,
        updated_at_ms: 1,
    }
}

/// A fault that was to strike two calls.
pub(super) fn fault(struck: u64) -> FaultReport {
    let (kind, on, scope) = (FaultKind::Html, Target::default(), Scope::calls(2));
    let fault = Fault { kind, on, scope, after_work: false };
    FaultReport { id: 1, fault, struck, spent: struck == 2 }
}
