//! How the job types behave as guests of dealers' sites: robots.txt, and the rate of their calls to one host.

mod answers;

use std::{collections::BTreeMap, time::Duration};

use evenkeel::record::{Phase, Record};
use inventory::vehicles::{Vehicle, Vehicles as _};
use sandbox::{
    Call, Fault, FaultKind, Scope, Service, Target,
    dealers::{Car, SiteSettings},
};
use serde_json::{Value, json};

use crate::bench::{Bench, Kind, run::MINUTE, third_parties::shortening};

const SLUG: &str = "guest-motors";
const KINDS: [Kind; 3] = [Kind::Pages, Kind::Feeds, Kind::SHORTENING];

/// A bench with a site that has this robots.txt.
async fn site(robots: Option<&str>, cars: u32) -> (Bench, Vec<Car>) {
    let bench = Bench::of(&KINDS);
    let robots = robots.map(str::to_owned);
    let settings = SiteSettings { cars, robots, ..SiteSettings::default() };
    bench.control().put_site(SLUG, &settings).await.unwrap();
    let cars = bench.control().cars(SLUG).await.unwrap();
    (bench, cars)
}

fn send_page(bench: &Bench, car: &Car) {
    let url = format!("{}/{}", bench.control().site_origin(SLUG), car.path);
    let payload = json!({"dealer_slug": SLUG, "vin": car.vin, "url": url});
    let body =
        json!({"version": 1, "type": "product_detail_scraping", "id": car.vin, "payload": payload});
    bench.send(&body.to_string());
}

fn send_feed(bench: &Bench, id: &str, more: &Value) {
    let origin = bench.control().site_origin(SLUG);
    let fan_out = json!({"scrape": true, "shorten": false});
    let mut payload = json!({"dealer_slug": SLUG, "site_url": origin, "fan_out": fan_out});
    for (name, value) in more.as_object().into_iter().flatten() {
        payload[name] = value.clone();
    }
    let body = json!({"version": 1, "type": "dealer_com_feed", "id": id, "payload": payload});
    let queue = &bench.functions[1].job_type.normal.queue;
    let message = evenkeel::message::OutgoingMessage::new(body.to_string(), None, None);
    bench.sqs.send_to(queue, message);
}

fn page(bench: &Bench, car: &Car) -> Record {
    bench.store.record(&format!("product_detail_scraping#g:{}", car.vin)).unwrap()
}

fn result(record: &Record) -> Value {
    match &record.phase {
        Phase::Succeeded { result, .. } => serde_json::from_str(result).unwrap(),
        other => panic!("{other:?}: {:?}", record.history),
    }
}

/// The calls of the site, those of its robots.txt apart.
async fn calls(bench: &Bench) -> (Vec<Call>, Vec<Call>) {
    let calls = bench.control().calls().await.unwrap().into_iter();
    calls.filter(|call| call.visit.is_some()).partition(|call| call.path.ends_with("/robots.txt"))
}

#[tokio::test(start_paused = true)]
async fn a_page_that_robots_txt_forbids_is_answered_from_the_feed() {
    let robots = "User-agent: evenkeel\nDisallow: /used/\nDisallow: /certified/\n";
    // As many as a batch takes.
    let (bench, cars) = site(Some(robots), 10).await;
    for car in &cars {
        let data = json!({"vin": car.vin, "make": car.make}).to_string();
        let kept = Vehicle {
            vin: car.vin.clone(),
            hash: Some("h".into()),
            list: "used".into(),
            data,
            addresses: Vec::new(),
            asked: None,
            pending: None,
        };
        bench.vehicles.keep(SLUG, &[kept], bench.now()).await.unwrap();
        send_page(&bench, car);
    }
    bench.drain().await;
    let (robots, pages) = calls(&bench).await;
    assert_eq!(robots.len(), 1, "once for all pages");
    let allowed = cars.iter().filter(|car| car.path.starts_with("new/")).count();
    assert!(allowed > 0 && allowed < cars.len(), "{allowed}");
    assert_eq!(pages.len(), allowed);
    for car in &cars {
        let result = result(&page(&bench, car));
        let why = result["without_page"].as_str().unwrap_or_default();
        assert_eq!(why.contains("robots.txt forbids"), !car.path.starts_with("new/"), "{result}");
    }
    // Another container finds what was read.
    tokio::time::advance(Duration::from_hours(7)).await;
    bench.send(
        &json!({"version": 1, "type": "product_detail_scraping", "id": "again", "payload": {
            "dealer_slug": SLUG, "vin": cars[0].vin,
            "url": format!("{}/{}", bench.control().site_origin(SLUG), cars[0].path),
        }})
        .to_string(),
    );
    bench.drain().await;
    assert_eq!(calls(&bench).await.0.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_robots_txt_forbids_is_dead_unless_it_is_authorised() {
    let (bench, _) = site(Some("User-agent: *\nDisallow: /api\n"), 12).await;
    send_feed(&bench, "plain", &json!({}));
    bench.drain().await;
    let record = bench.store.record("dealer_com_feed#g:plain").unwrap();
    let Phase::Dead { why, .. } = &record.phase else { panic!("{record:?}") };
    assert!(why.contains("robots") && why.contains("authorised"), "{why}");
    let (robots, others) = calls(&bench).await;
    assert_eq!((robots.len(), others.len()), (1, 0));
    send_feed(&bench, "authorised", &json!({"authorised": true}));
    bench.drain().await;
    assert_eq!(bench.phase("dealer_com_feed#g:authorised"), "succeeded");
}

/// While robots.txt cannot be reached, nothing is called, but for an hour at most.
#[tokio::test(start_paused = true)]
async fn a_site_whose_robots_txt_fails_is_left_alone_for_an_hour() {
    let (bench, cars) = site(None, 1).await;
    let on = Target {
        service: Some(Service::Dealers),
        endpoint: Some(sandbox::Endpoint::Robots),
        ..Target::default()
    };
    let fault =
        Fault { kind: FaultKind::status(503), on, scope: Scope::share(1.0, 0), after_work: false };
    bench.control().add_fault(&fault).await.unwrap();
    send_page(&bench, &cars[0]);
    bench.run_for(Duration::from_mins(50)).await;
    assert_eq!(calls(&bench).await.1.len(), 0, "no page is called");
    bench.run_for(Duration::from_hours(3)).await;
    let record = page(&bench, &cars[0]);
    assert_eq!(result(&record)["without_page"], Value::Null, "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn a_crawl_delay_is_kept() {
    let (bench, cars) = site(Some("User-agent: *\nCrawl-delay: 5\n"), 8).await;
    send_page(&bench, &cars[0]);
    bench.drain().await;
    for car in &cars[1..] {
        send_page(&bench, car);
    }
    bench.drain().await;
    let pages = calls(&bench).await.1;
    assert_eq!(pages.len(), cars.len());
    for two in pages[1..].windows(2) {
        let apart = two[1].at_ms - two[0].at_ms;
        assert!(apart >= 4_900, "{apart} ms");
    }
}

/// A delay that is longer than a run waits for a slot, heard by a container that did not know it.
#[tokio::test(start_paused = true)]
async fn a_feed_is_read_at_the_pace_that_its_site_asks_for() {
    let (bench, _) = site(Some("User-agent: *\nCrawl-delay: 10\n"), 120).await;
    send_feed(&bench, "slow", &json!({"fan_out": {"scrape": false, "shorten": false}}));
    bench.run_for(Duration::from_mins(20)).await;
    assert_eq!(bench.phase("dealer_com_feed#g:slow"), "succeeded");
    let pages = calls(&bench).await.1;
    assert!(pages.len() >= 5, "{}", pages.len());
    for two in pages.windows(2) {
        let apart = two[1].at_ms - two[0].at_ms;
        assert!(apart >= 9_700, "{apart} ms");
    }
}

/// A feed and its pages call one host, and many links are made at the same time.
#[tokio::test(start_paused = true)]
async fn a_host_is_never_called_faster_than_its_limit_and_links_do_not_wait_for_it() {
    let (bench, _) = site(None, 500).await;
    send_feed(&bench, "feed", &json!({"max_new": 1_000}));
    for n in 0..100 {
        let body = shortening(&format!("{n:017}"), &format!("https://acme.example/{n}"));
        let queue = &bench.functions[2].job_type.normal.queue;
        let message = evenkeel::message::OutgoingMessage::new(body, None, None);
        bench.sqs.send_to(queue, message);
    }
    bench.run_for(MINUTE / 2).await;
    assert_eq!(bench.links().await.len(), 100, "no link waits for the host");
    bench.run_for(MINUTE * 12).await;
    let (robots, others) = calls(&bench).await;
    let mut at: Vec<u64> = robots.iter().chain(&others).map(|call| call.at_ms).collect();
    at.sort_unstable();
    assert!(at.len() > 500, "{}", at.len());
    for (calls, span_ms) in [(4, 1_000), (123, 60_000)] {
        let fastest =
            at.windows(calls).map(|calls| calls[calls.len() - 1] - calls[0]).min().unwrap();
        // A call takes 30 ms until it counts, and a slot may be used a quarter of a second late.
        assert!(fastest + 300 >= span_ms, "{calls} calls in {fastest} ms");
    }
    let done = |record: &Record| record.phase.name() == "succeeded";
    assert!(bench.store.all(done), "all pages are read in twelve minutes");
}

/// What a page costs at the tables while the pages of a feed wait for one host, of which each container knows too little.
#[tokio::test(start_paused = true)]
async fn a_page_costs_two_and_a_half_round_trips_and_nine_writes_at_most() {
    let (bench, cars) = site(None, 100).await;
    for car in &cars[..20] {
        send_page(&bench, car);
    }
    bench.drain().await;
    let (calls, units) = (bench.faults.calls().len(), bench.store.units());
    for car in &cars[20..] {
        send_page(&bench, car);
    }
    bench.drain().await;
    let pages = u64::try_from(cars.len() - 20).unwrap();
    let mut by_name = BTreeMap::<&str, u64>::new();
    for call in &bench.faults.calls()[calls..] {
        *by_name.entry(call).or_default() += 1;
    }
    let calls = u64::try_from(bench.faults.calls().len() - calls).unwrap();
    let writes = bench.store.units().writes - units.writes;
    assert!(2 * calls <= 5 * pages + 10, "{calls} round trips for {pages} pages: {by_name:?}");
    assert!(writes <= 9 * pages, "{writes} write units for {pages} pages");
}
