//! Runs `product_detail_scraping` in the whole engine against every kind of page.

mod dead_host;
mod gone;
mod kept;
mod stand_in;
mod unchanged;

use std::time::Duration;

use evenkeel::record::{Phase, Record};
use inventory::vehicles::{Vehicle, Vehicles as _};
use sandbox::{
    FaultKind, Scope, Service, Target,
    dealers::{Car, SiteSettings, Twist},
};
use serde_json::{Value, json};

use crate::bench::{Bench, Kind, run::MINUTE};

const SLUG: &str = "mesa-motors";

/// The job type, and a site with 12 cars.
struct Pages {
    bench: Bench,
    cars: Vec<Car>,
}

impl std::ops::Deref for Pages {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl Pages {
    async fn new(twists: &[(usize, Twist)]) -> Self {
        let bench = Bench::of(&[Kind::Pages]);
        bench.without_robots(SLUG).await;
        let mut settings = SiteSettings { cars: 12, ..SiteSettings::default() };
        bench.control().put_site(SLUG, &settings).await.unwrap();
        let cars = bench.control().cars(SLUG).await.unwrap();
        settings.twists =
            twists.iter().map(|(car, twist)| (cars[*car].vin.clone(), *twist)).collect();
        bench.control().put_site(SLUG, &settings).await.unwrap();
        Self { bench, cars }
    }

    fn send_page(&self, car: usize) {
        self.send(&self.body(car).to_string());
    }

    fn body(&self, car: usize) -> Value {
        let car = &self.cars[car];
        let url = format!("{}/{}", self.control().site_origin(SLUG), car.path);
        let payload = json!({"dealer_slug": SLUG, "vin": car.vin, "url": url});
        json!({"version": 1, "type": "product_detail_scraping", "id": car.vin, "payload": payload})
    }

    fn page(&self, car: usize) -> Record {
        let key = format!("product_detail_scraping#g:{}", self.cars[car].vin);
        self.store.record(&key).unwrap()
    }

    /// Stores the data of a car as a feed would.
    async fn keep(&self, car: usize) {
        let car = &self.cars[car];
        let data = json!({"vin": car.vin, "make": car.make, "year": car.year}).to_string();
        let (hash, list) = (Some("hash".to_owned()), "new".to_owned());
        let kept = Vehicle {
            vin: car.vin.clone(),
            hash,
            list,
            data,
            addresses: Vec::new(),
            asked: None,
            pending: None,
        };
        self.vehicles.keep(SLUG, &[kept], self.now()).await.unwrap();
    }

    async fn strike(&self, kind: FaultKind, calls: u64) {
        let on = Target { service: Some(Service::Dealers), ..Target::default() };
        let fault = sandbox::Fault { kind, on, scope: Scope::calls(calls), after_work: false };
        self.control().add_fault(&fault).await.unwrap();
    }
}

fn result(record: &Record) -> Value {
    match &record.phase {
        Phase::Succeeded { result, .. } => serde_json::from_str(result).unwrap(),
        other => panic!("{other:?}: {:?}", record.history),
    }
}

#[tokio::test(start_paused = true)]
async fn the_values_of_a_page_are_found_with_their_sources() {
    let pages = Pages::new(&[(1, Twist::BrokenJsonLd)]).await;
    for car in 0..3 {
        pages.send_page(car);
    }
    pages.drain().await;
    for (number, car) in pages.cars[..3].iter().enumerate() {
        let found = result(&pages.page(number));
        assert_eq!(found["vin"]["value"], json!(car.vin));
        assert_eq!(found["record"]["make"]["value"], json!(car.make), "{found}");
        assert_eq!(found["record"]["year"]["value"], json!(car.year));
        assert_eq!(found["record"]["price_cents"]["value"], json!(car.price * 100), "{found}");
        assert_eq!(found["record"]["make"]["from"], json!("data_layer"));
        assert!(found["quality"]["found"].as_array().unwrap().len() >= 12, "{found}");
        assert_eq!(found["without_page"], Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_without_data_falls_back_on_the_feed_and_fails_no_job() {
    let pages = Pages::new(&[(0, Twist::Bare), (1, Twist::Bare)]).await;
    pages.keep(0).await;
    pages.send_page(0);
    pages.send_page(1);
    pages.drain().await;
    for car in [0, 1] {
        let found = result(&pages.page(car));
        let missing = found["quality"]["missing"].as_array().unwrap();
        assert!(missing.contains(&json!("trim")), "the missing field is not listed: {found}");
    }
    let found = result(&pages.page(0));
    assert_eq!(found["record"]["make"]["from"], json!("feed"), "{found}");
}

#[tokio::test(start_paused = true)]
async fn data_from_a_page_about_another_car_is_not_used() {
    let pages = Pages::new(&[(0, Twist::OtherVin), (1, Twist::OtherVin)]).await;
    pages.keep(0).await;
    pages.send_page(0);
    pages.send_page(1);
    pages.drain().await;
    let found = result(&pages.page(0));
    assert!(found["without_page"].as_str().unwrap().contains("other_vehicle"), "{found}");
    assert_eq!(found["record"]["make"]["from"], json!("feed"));
    let Phase::Dead { why, .. } = pages.page(1).phase else {
        panic!("expected a dead job: there is no data about the car")
    };
    assert!(why.contains("permanent (other_vehicle)"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn temporary_failures_are_retried_and_a_missing_page_ends_the_job() {
    let pages = Pages::new(&[]).await;
    pages.strike(FaultKind::status(500), 2).await;
    pages.send_page(0);
    pages.drain().await;
    let record = pages.page(0);
    result(&record);
    // The second failure was no attempt: no other job had shown that the site works.
    assert_eq!((record.counters.claims, record.counters.attempts), (3, 2));
    pages.strike(FaultKind::status(404), u64::MAX).await;
    pages.send_page(1);
    pages.drain().await;
    let Phase::Dead { why, .. } = pages.page(1).phase else {
        panic!("expected a dead job: the page is missing")
    };
    assert!(why.contains("permanent (http_404)"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn after_a_bot_wall_no_further_call_is_made() {
    let pages = Pages::new(&[]).await;
    pages.strike(FaultKind::Challenge, 1_000_000).await;
    pages.keep(0).await;
    pages.send_page(0);
    pages.poll().await;
    for car in 1..6 {
        pages.send_page(car);
        pages.poll().await;
    }
    assert_eq!(pages.control().calls().await.unwrap().len(), 1);
    let found = result(&pages.page(0));
    assert!(found["without_page"].as_str().unwrap().contains("bot_wall"), "{found}");
    assert_eq!(pages.page(1).phase.name(), "parked");
}

/// The audit checks three results: one from a page, one from the feed's data only, one that is
/// empty.
#[tokio::test(start_paused = true)]
async fn results_of_both_kinds_are_sound_and_an_empty_one_is_produced_again() {
    let pages = Pages::new(&[]).await;
    for car in 0..3 {
        pages.keep(car).await;
    }
    pages.send_page(0);
    pages.send_page(2);
    pages.drain().await;
    pages.strike(FaultKind::Challenge, 1).await;
    pages.send_page(1);
    pages.poll().await;
    // The bot wall has opened the breaker.
    tokio::time::advance(MINUTE * 6).await;
    let mut empty = pages.page(2);
    if let Phase::Succeeded { result, .. } = &mut empty.phase {
        "{}".clone_into(result);
    }
    pages.store.put(&empty);
    for record in pages.store.records() {
        pages.ask_for_check(&record);
    }
    pages.poll().await;
    assert!(
        result(&pages.page(1))["without_page"].is_string(),
        "the result is not from the feed's data only"
    );
    let states = [0, 1, 2].map(|car| pages.page(car).phase.name());
    assert_eq!(states, ["succeeded", "succeeded", "waiting"]);
}

/// A lone page whose site is down for minutes waits. One whose site stays down ends with the data of the feed.
#[tokio::test(start_paused = true)]
async fn a_page_outlives_an_outage_of_its_site_and_falls_back_when_it_is_given_up() {
    for (hours, by_feed) in [(1, false), (25, true)] {
        let pages = Pages::new(&[]).await;
        pages.keep(0).await;
        pages.strike(FaultKind::status(503), u64::MAX).await;
        pages.send_page(0);
        pages.run_for(Duration::from_hours(hours)).await;
        pages.control().clear_faults().await.unwrap();
        pages.drain().await;
        let record = pages.page(0);
        let result = result(&record);
        assert_eq!(result["without_page"].is_string(), by_feed, "{hours} h: {result}");
    }
}

/// The sender's deadline passes while the site is down: the feed's data stands in, and without any the job is dead.
#[tokio::test(start_paused = true)]
async fn a_page_falls_back_at_its_deadline() {
    for is_known in [true, false] {
        let pages = Pages::new(&[]).await;
        if is_known {
            pages.keep(0).await;
        }
        pages.strike(FaultKind::status(503), u64::MAX).await;
        let deadline = pages.now() + Duration::from_mins(30);
        let mut body = pages.body(0);
        body["deadline"] = json!(deadline.to_string());
        pages.send(&body.to_string());
        pages.run_for(Duration::from_mins(33)).await;
        let record = pages.page(0);
        let ended = record.phase.ended_at().unwrap_or_else(|| panic!("{record:?}"));
        assert!(ended >= deadline, "{record:?}");
        let expected = if is_known { "succeeded" } else { "dead" };
        assert_eq!(record.phase.name(), expected, "{record:?}");
    }
}

/// The page of a car comes minutes after the feed has listed it. It is looked for four times, until three hours later.
#[tokio::test(start_paused = true)]
async fn a_page_that_does_not_exist_yet_is_looked_for_again() {
    for (minutes, by_feed) in [(25, false), (400, true)] {
        let pages = Pages::new(&[]).await;
        pages.keep(0).await;
        pages.strike(FaultKind::status(404), u64::MAX).await;
        pages.send_page(0);
        pages.run_for(Duration::from_mins(minutes)).await;
        pages.control().clear_faults().await.unwrap();
        pages.drain().await;
        let record = pages.page(0);
        let result = result(&record);
        assert_eq!(result["without_page"].is_string(), by_feed, "{minutes} min: {result}");
        let expected: &[u64] = if by_feed { &[0, 10, 30, 60, 180] } else { &[0, 10, 30] };
        let calls = pages.control().calls().await.unwrap();
        let looks: Vec<u64> = calls.iter().map(|call| call.at_ms - calls[0].at_ms).collect();
        assert_eq!(looks.len(), expected.len(), "{looks:?}");
        assert_eq!(record.counters.claims as usize, looks.len(), "{record:?}");
        for (at_ms, minute) in looks.iter().zip(expected) {
            // The sweeper releases a parked job with its next tick.
            let late_ms = at_ms.checked_sub(minute * 60_000);
            assert!(late_ms.is_some_and(|late| late <= 120_000), "{looks:?}");
        }
    }
}

/// Behind a wall, thousands of jobs answer from the feed at once, and the site is hardly called.
#[tokio::test(start_paused = true)]
async fn behind_a_wall_jobs_answer_from_the_feed_at_once() {
    // The jobs that came before the wall was seen may be parked for want of slots, for a quarter of an hour.
    for (first, minutes) in [(1, 2), (500, 25)] {
        let pages = Pages::new(&[]).await;
        pages.keep(0).await;
        pages.strike(FaultKind::status(403), u64::MAX).await;
        for n in 0..500 {
            let mut body = pages.body(0);
            body["id"] = json!(format!("job-{n}"));
            pages.send(&body.to_string());
            if n + 1 == first {
                pages.run_for(Duration::from_secs(5)).await;
            }
        }
        pages.run_for(Duration::from_mins(minutes)).await;
        let records = pages.store.records();
        let done = records.iter().filter(|record| record.phase.name() == "succeeded").count();
        assert_eq!((records.len(), done), (500, 500), "{first} before");
        assert!(records.iter().all(|record| result(record)["without_page"].is_string()));
        let calls = pages.control().calls().await.unwrap().len();
        assert!(calls <= 25, "{first} before: {calls} calls");
    }
}
