//! Runs `dealer_com_feed` in the whole engine against every behaviour of a dealer's site.

mod emptied;
mod faults;
mod stand_in;

use std::{collections::BTreeSet, time::Duration};

use dealer_com_feed::{job::POLICY, reading::Summary};
use evenkeel::{
    message::OutgoingMessage,
    record::{Phase, Record, trace::Trace},
};
use sandbox::{
    CannedAnswer, FaultKind, Scope, Service, Target,
    dealers::{SiteChange, SiteSettings},
};
use serde_json::{Value, json};

use crate::bench::{
    Bench, Kind,
    jobs::{scraping_queue, shortening_queue},
};

const SLUG: &str = "mesa-motors";

/// The job type with one dealer's site. No function here runs the jobs that it creates.
struct Feeds(Bench);

impl std::ops::Deref for Feeds {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.0
    }
}

impl Feeds {
    async fn new(settings: SiteSettings) -> Self {
        let bench = Bench::of(&[Kind::Feeds]);
        bench.create_queue(&scraping_queue());
        bench.create_queue(&shortening_queue());
        bench.without_robots(SLUG).await;
        let feeds = Self(bench);
        feeds.put(&settings).await;
        feeds
    }

    /// Replaces the site.
    async fn put(&self, settings: &SiteSettings) {
        self.control().put_site(SLUG, settings).await.unwrap();
    }

    async fn change(&self, change: &SiteChange) {
        self.control().change_site(SLUG, change).await.unwrap();
    }

    async fn strike(&self, kind: FaultKind, calls: u64) -> u64 {
        let on = Target { service: Some(Service::Dealers), ..Target::default() };
        let fault = sandbox::Fault { kind, on, scope: Scope::calls(calls), after_work: false };
        self.control().add_fault(&fault).await.unwrap()
    }

    /// Sends a new feed job for the dealer, runs it to its end, and returns its record.
    async fn read(&self, id: &str) -> Record {
        self.send_feed(id).await;
        self.end(id).await
    }

    async fn send_feed(&self, id: &str) {
        self.send_for(id, &json!({"scrape": true, "shorten": true})).await;
    }

    async fn send_for(&self, id: &str, fan_out: &Value) {
        // Two reads of a dealer must not begin in the same millisecond.
        tokio::time::advance(Duration::from_secs(1)).await;
        let site = self.control().site_origin(SLUG);
        let payload = json!({
            "dealer_slug": SLUG, "site_url": site, "fan_out": fan_out, "max_new": 10_000,
        });
        self.send_payload(id, &payload);
    }

    fn send_payload(&self, id: &str, payload: &Value) {
        let body = json!({"version": 1, "type": "dealer_com_feed", "id": id, "payload": payload});
        self.send(&body.to_string());
    }

    /// Runs the job with this id to its end and returns its record.
    async fn end(&self, id: &str) -> Record {
        self.drain().await;
        self.feed(id)
    }

    fn feed(&self, id: &str) -> Record {
        self.store.record(&format!("dealer_com_feed#g:{id}")).unwrap()
    }

    /// The keys of the jobs of a type.
    fn jobs(&self, kind: &str) -> BTreeSet<String> {
        let records = self.store.records();
        records
            .into_iter()
            .filter(|record| record.kind() == kind)
            .map(|record| record.key)
            .collect()
    }
}

fn summary(record: &Record) -> Summary {
    match &record.phase {
        Phase::Succeeded { result, .. } => serde_json::from_str(result).unwrap(),
        other => panic!("{other:?}: {:?}", record.history),
    }
}

#[tokio::test(start_paused = true)]
async fn five_thousand_cars_are_read_completely_and_get_their_jobs_once() {
    let feeds = Feeds::new(SiteSettings { cars: 5_000, ..SiteSettings::default() }).await;
    let first = feeds.read("first").await;
    let read = summary(&first);
    assert_eq!((read.vehicles, read.new, read.changed, read.gone), (5_000, 5_000, 0, 0));
    assert!(read.whole && !read.stale && read.pages >= 143, "{read:?}");
    assert!(first.counters.claims >= 3, "the read took {} runs", first.counters.claims);
    assert_eq!(
        (first.counters.attempts, first.counters.crashes),
        (1, 0),
        "continuing spends no attempt"
    );
    assert_eq!(feeds.jobs("product_detail_scraping").len(), 5_000);
    assert_eq!(feeds.jobs("url_shortening").len(), 5_000);
    assert_eq!(feeds.sqs.bodies(&scraping_queue()).len(), 5_000);

    let (jobs, writes) = (feeds.store.records().len(), feeds.vehicles.writes());
    let second = summary(&feeds.read("second").await);
    assert_eq!((second.new, second.changed, second.vehicles), (0, 0, 5_000));
    assert_eq!(feeds.store.records().len(), jobs + 1, "no job was created but the feed itself");
    assert_eq!(feeds.vehicles.writes(), writes, "no car is written");

    let car = feeds.control().cars(SLUG).await.unwrap().swap_remove(777);
    let prices = [(car.vin.clone(), car.price + 500)].into();
    let change = SiteChange { prices, ..SiteChange::default() };
    feeds.change(&change).await;
    let third = summary(&feeds.read("third").await);
    assert_eq!((third.new, third.changed), (0, 1));
    assert_eq!((third.made.scraping_jobs, third.made.shortening_jobs), (1, 0));
    let scrapings = feeds.jobs("product_detail_scraping");
    let of_the_car = scrapings.iter().filter(|key| key.contains(&car.vin)).count();
    assert_eq!((scrapings.len(), of_the_car), (5_001, 2));
}

#[tokio::test(start_paused = true)]
async fn the_jobs_of_a_feed_belong_to_its_trace() {
    let feeds = Feeds::new(SiteSettings { cars: 40, ..SiteSettings::default() }).await;
    let trace = Trace::of_header("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
    let payload = json!({"dealer_slug": SLUG, "site_url": feeds.control().site_origin(SLUG)});
    let body = json!({"version": 1, "type": "dealer_com_feed", "id": "traced", "payload": payload});
    let message = OutgoingMessage::new(body.to_string(), None, None);
    let message = OutgoingMessage { trace: trace.clone(), ..message };
    feeds.sqs.send_to(feeds.queue(), message);
    assert_eq!(summary(&feeds.end("traced").await).made.scraping_jobs, 40);
    let records = feeds.store.records();
    assert_eq!(records.len(), 81, "the feed, and two jobs of each car");
    assert!(records.iter().all(|record| record.work.trace == trace));
    for queue in [scraping_queue(), shortening_queue()] {
        let sent = feeds.sqs.messages(&queue);
        assert_eq!(sent.len(), 40);
        assert!(sent.iter().all(|message| message.sent.trace == trace), "{queue}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_with_only_the_newer_endpoint_is_read() {
    let feeds = Feeds::new(SiteSettings { widget: false, ..SiteSettings::default() }).await;
    let read = summary(&feeds.read("feed").await);
    assert_eq!((read.vehicles, read.whole, read.stale), (40, true, false));
}

#[tokio::test(start_paused = true)]
async fn after_temporary_failures_the_endpoint_that_exists_is_used_again() {
    for widget in [true, false] {
        for calls in 1..8 {
            let settings = SiteSettings { widget, page_cap: 10, ..SiteSettings::default() };
            let feeds = Feeds::new(settings).await;
            let good = summary(&feeds.read("good").await).vehicles;
            feeds.strike(FaultKind::status(500), calls).await;
            let read = summary(&feeds.read("bad").await);
            let seen = (read.vehicles, read.gone, read.whole, read.stale);
            assert_eq!(seen, (good, 0, true, false), "widget {widget}, {calls} failures: {read:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_that_fails_temporarily_is_read_in_the_end() {
    let page = CannedAnswer { status: 200, html: true, ..CannedAnswer::default() };
    for (kind, calls) in [(FaultKind::status(500), 7), (FaultKind::Status(page), 7)] {
        let feeds = Feeds::new(SiteSettings::default()).await;
        feeds.strike(kind.clone(), calls).await;
        let record = feeds.read("feed").await;
        assert_eq!(summary(&record).vehicles, 40, "{kind:?}");
        assert!(record.counters.attempts > 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_good_snapshot_is_the_result_when_the_site_keeps_failing() {
    let feeds = Feeds::new(SiteSettings::default()).await;
    feeds.read("good").await;
    let fault = feeds.strike(FaultKind::status(500), 1_000_000).await;
    let record = feeds.read("bad").await;
    let read = summary(&record);
    assert!(read.stale && read.why.as_ref().unwrap().contains("http_500"), "{read:?}");
    assert_eq!(read.vehicles, 40);
    // It waits for the site while there is time, and then takes what it has.
    let lasted = record.phase.ended_at().unwrap().since(record.work.created_at);
    let time = POLICY.give_up_after;
    let latest = time + Duration::from_mins(2);
    assert!(lasted > time / 2 && lasted <= latest, "{lasted:?} of {time:?}");
    assert!(
        feeds.vehicles.vehicles().iter().all(|car| car.hash.is_some()),
        "no car is marked removed"
    );
    feeds.control().remove_fault(fault).await.unwrap();
    assert!(!summary(&feeds.read("again").await).stale);
}

#[tokio::test(start_paused = true)]
async fn a_collapse_marks_no_car_removed() {
    let feeds = Feeds::new(SiteSettings::default()).await;
    feeds.read("good").await;
    let collapsed = SiteChange { collapsed: Some(true), ..SiteChange::default() };
    feeds.change(&collapsed).await;
    let record = feeds.read("empty").await;
    let read = summary(&record);
    assert!(read.stale && read.why.as_ref().unwrap().contains("collapse"), "{read:?}");
    assert!(
        feeds.vehicles.vehicles().iter().all(|car| car.hash.is_some()),
        "no car is marked removed"
    );
    let buckets = feeds.store.all_buckets();
    let failed: u64 = buckets.iter().filter_map(|(_, bucket)| bucket.counts.get("failed")).sum();
    assert!(failed >= 1, "the collapse does not count as a failed call: {buckets:?}");
}

#[tokio::test(start_paused = true)]
async fn jobs_that_are_wanted_later_are_created_for_unchanged_cars() {
    let feeds = Feeds::new(SiteSettings { cars: 9, ..SiteSettings::default() }).await;
    let cases = [
        ("pages", json!({"scrape": true, "shorten": false}), (9, 0)),
        ("links", json!({"scrape": false, "shorten": true}), (0, 9)),
        ("both", json!({"scrape": true, "shorten": true}), (0, 0)),
    ];
    for (id, fan_out, expected) in cases {
        feeds.send_for(id, &fan_out).await;
        let read = summary(&feeds.end(id).await);
        let made = (read.made.scraping_jobs, read.made.shortening_jobs);
        assert_eq!((made, read.changed, read.made.duplicates), (expected, 0, 0), "{id}");
    }
    assert_eq!(feeds.jobs("product_detail_scraping").len(), 9);
    assert_eq!(feeds.jobs("url_shortening").len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_read_after_a_collapse_continues_over_several_runs() {
    let settings = SiteSettings { cars: 62, ..SiteSettings::default() };
    let feeds = Feeds::new(settings.clone()).await;
    feeds.read("good").await;
    let collapsed = SiteChange { collapsed: Some(true), ..SiteChange::default() };
    feeds.change(&collapsed).await;
    feeds.send_feed("long").await;
    feeds.poll().await;
    let record = feeds.store.record("dealer_com_feed#g:long").unwrap();
    assert_eq!(record.history.last().unwrap().code, "collapse", "{record:?}");
    let in_small_pages = SiteSettings { page_cap: 1, ..settings };
    feeds.put(&in_small_pages).await;
    let record = feeds.end("long").await;
    let read = summary(&record);
    assert_eq!((read.vehicles, read.gone, read.whole, read.stale), (62, 0, true, false));
    assert_eq!(
        record.counters.attempts, 2,
        "one attempt collapsed, the other one took several runs"
    );
}

#[tokio::test(start_paused = true)]
async fn a_removed_car_is_marked_and_counts_as_new_when_it_is_listed_again() {
    let feeds = Feeds::new(SiteSettings::default()).await;
    feeds.read("first").await;
    let cars = feeds.control().cars(SLUG).await.unwrap();
    let remove = vec![cars[3].vin.clone(), cars[4].vin.clone()];
    let change = SiteChange { remove: remove.clone(), ..SiteChange::default() };
    feeds.change(&change).await;
    let read = summary(&feeds.read("second").await);
    assert_eq!((read.gone, read.new), (2, 0));
    let unlisted = feeds.vehicles.vehicles().into_iter().filter(|car| car.hash.is_none());
    let unlisted: BTreeSet<String> = unlisted.map(|car| car.vin).collect();
    assert_eq!(unlisted, remove.into_iter().collect());
    feeds.put(&SiteSettings::default()).await;
    let read = summary(&feeds.read("third").await);
    assert_eq!((read.gone, read.new), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn after_a_bot_wall_no_further_call_is_made() {
    let feeds = Feeds::new(SiteSettings::default()).await;
    feeds.strike(FaultKind::Challenge, 1_000_000).await;
    for id in 0..5 {
        feeds.send_feed(&format!("feed-{id}")).await;
        feeds.poll().await;
    }
    let calls = feeds.control().calls().await.unwrap().len();
    assert_eq!(calls, 1, "one call meets the bot wall, and no further one is made");
    for record in feeds.store.records() {
        let Phase::Parked { why, .. } = &record.phase else { panic!("{record:?}") };
        assert!(why.contains("bot_wall"), "{why}");
        assert_eq!(record.counters.attempts, 0);
    }
}

/// Each car's mark says that its jobs were created, and the records of its scraping jobs are gone.
#[tokio::test(start_paused = true)]
async fn the_audit_finds_cars_without_their_jobs_and_they_get_them_again() {
    let feeds = Feeds::new(SiteSettings::default()).await;
    let record = feeds.read("first").await;
    let check = async || {
        tokio::time::advance(Duration::from_mins(10)).await;
        feeds.ask_for_check(&record);
        feeds.poll().await;
        feeds.store.record(&record.key).unwrap()
    };
    assert_eq!(check().await, record, "a check of a sound result changes nothing");
    for key in feeds.jobs("product_detail_scraping") {
        feeds.store.remove(&key);
    }
    let found = check().await;
    let Phase::Waiting { why, .. } = &found.phase else { panic!("{found:?}") };
    assert!(why.starts_with("done again: ") && why.contains("without their jobs"), "{why}");
    feeds.wake(&found);
    let read = summary(&feeds.end("first").await);
    assert_eq!((read.vehicles, read.new, read.gone), (40, 25, 0), "as many as one check examines");
    assert_eq!(feeds.jobs("product_detail_scraping").len(), 25);
}
