//! Runs `product_detail_scraping` in the whole engine against every kind of page.

use std::time::Duration;

use evenkeel::{
    base::time::Clock,
    http::{Hosts, Outbound, Reach, Settings},
    message::{
        Purpose, Woken,
        wake::{self, OutgoingMessage},
    },
    record::{Phase, Record},
    testing::{
        ARN, Faults, Faulty, ManualClock, MemoryQueue, MemoryStore, SeededRandom, TestPorts,
        next_event_in, release_parked,
    },
    worker::{Worker, handle},
};
use inventory::{
    testing::MemoryVehicles,
    vehicles::{Vehicle, Vehicles},
};
use product_detail_scraping::ProductDetailScraping;
use sandbox::{
    FaultKind, Sandbox, Scope, Service, Target,
    dealers::{Car, SiteSettings, Twist},
};
use serde_json::{Value, json};

use crate::scenario::open_sandbox;

const SLUG: &str = "mesa-motors";

type TestWorker = Worker<
    ProductDetailScraping<MemoryVehicles, ManualClock>,
    TestPorts<Faulty<MemoryStore>, Faulty<MemoryQueue<ManualClock>>, ManualClock>,
>;

/// One simulated function of the job type, and a site with 12 cars.
struct Pages {
    worker: TestWorker,
    store: MemoryStore,
    queue: MemoryQueue<ManualClock>,
    vehicles: MemoryVehicles,
    clock: ManualClock,
    sandbox: Sandbox,
    cars: Vec<Car>,
}

impl Pages {
    async fn new(twists: &[(usize, Twist)]) -> Self {
        let sandbox = open_sandbox().await;
        let mut settings = SiteSettings { cars: 12, ..SiteSettings::default() };
        sandbox.client().put_site(SLUG, &settings).await.unwrap();
        let cars = sandbox.client().cars(SLUG).await.unwrap();
        settings.twists =
            twists.iter().map(|(car, twist)| (cars[*car].vin.clone(), *twist)).collect();
        sandbox.client().put_site(SLUG, &settings).await.unwrap();
        let (clock, faults) = (ManualClock::default(), Faults::default());
        let (store, queue) = (MemoryStore::default(), MemoryQueue::new(clock.clone()));
        let vehicles = MemoryVehicles::default();
        let reach = Settings { reach: Reach::WithLoopback, contact: None };
        let outbound = Outbound::new(&reach, Hosts::public(), clock.clone()).unwrap();
        let worker = Worker::new(
            ProductDetailScraping::new(outbound, vehicles.clone()),
            faults.wrap(store.clone()),
            faults.wrap(queue.clone()),
            clock.clone(),
            SeededRandom::new(1),
        );
        Self { worker, store, queue, vehicles, clock, sandbox, cars }
    }

    fn send(&self, car: usize) {
        let car = &self.cars[car];
        let url = format!("{}/{}", self.sandbox.site_origin(SLUG), car.path);
        let payload = json!({"dealer_slug": SLUG, "vin": car.vin, "url": url});
        let body = json!({"version": 1, "type": "product_detail_scraping", "id": car.vin,
            "payload": payload});
        self.queue.send(&body.to_string());
    }

    async fn poll(&self) {
        release_parked(&self.store, &self.queue, self.clock.now());
        let event = self.queue.receive(10);
        let deadline = self.clock.now() + Duration::from_secs(30);
        let failed = handle(&self.worker, event.clone(), deadline).await.unwrap();
        self.queue.acknowledge(&event, &failed);
    }

    async fn drain(&self) {
        for _ in 0..60 {
            let Some(wait) = next_event_in(&self.store, &self.queue, self.clock.now()) else {
                return;
            };
            self.clock.advance(wait);
            self.poll().await;
        }
        panic!("the queue does not drain: {:?}", self.store.records());
    }

    fn record(&self, car: usize) -> Record {
        let key = format!("product_detail_scraping#g:{}", self.cars[car].vin);
        self.store.record(&key).unwrap()
    }

    /// Stores the data of a car as a feed would.
    async fn keep(&self, car: usize) {
        let car = &self.cars[car];
        let data = json!({"vin": car.vin, "make": car.make, "year": car.year}).to_string();
        let (hash, list) = (Some("hash".to_owned()), "new".to_owned());
        let kept = Vehicle { vin: car.vin.clone(), hash, list, data };
        self.vehicles.keep(SLUG, &[kept], self.clock.now()).await.unwrap();
    }

    async fn strike(&self, kind: FaultKind, calls: u64) {
        let on = Target { service: Some(Service::Dealers), ..Target::default() };
        let fault = sandbox::Fault { kind, on, scope: Scope::calls(calls), after_work: false };
        self.sandbox.client().add_fault(&fault).await.unwrap();
    }
}

fn result(record: &Record) -> Value {
    match &record.phase {
        Phase::Succeeded { result, .. } => serde_json::from_str(result).unwrap(),
        other => panic!("{other:?}: {:?}", record.history),
    }
}

#[tokio::test]
async fn the_values_of_a_page_are_found_with_their_sources() {
    let pages = Pages::new(&[(1, Twist::BrokenJsonLd)]).await;
    for car in 0..3 {
        pages.send(car);
    }
    pages.drain().await;
    for (number, car) in pages.cars[..3].iter().enumerate() {
        let found = result(&pages.record(number));
        assert_eq!(found["vin"]["value"], json!(car.vin));
        assert_eq!(found["record"]["make"]["value"], json!(car.make), "{found}");
        assert_eq!(found["record"]["year"]["value"], json!(car.year));
        assert_eq!(found["record"]["price_cents"]["value"], json!(car.price * 100), "{found}");
        assert_eq!(found["record"]["make"]["from"], json!("data_layer"));
        assert!(found["quality"]["found"].as_array().unwrap().len() >= 12, "{found}");
        assert_eq!(found["without_page"], Value::Null);
    }
    pages.sandbox.shutdown().await;
}

#[tokio::test]
async fn a_page_without_data_falls_back_on_the_feed_and_fails_no_job() {
    let pages = Pages::new(&[(0, Twist::Bare), (1, Twist::Bare)]).await;
    pages.keep(0).await;
    pages.send(0);
    pages.send(1);
    pages.drain().await;
    for car in [0, 1] {
        let found = result(&pages.record(car));
        let missing = found["quality"]["missing"].as_array().unwrap();
        assert!(missing.contains(&json!("trim")), "the missing field is not listed: {found}");
    }
    let found = result(&pages.record(0));
    assert_eq!(found["record"]["make"]["from"], json!("feed"), "{found}");
    pages.sandbox.shutdown().await;
}

#[tokio::test]
async fn data_from_a_page_about_another_car_is_not_used() {
    let pages = Pages::new(&[(0, Twist::OtherVin), (1, Twist::OtherVin)]).await;
    pages.keep(0).await;
    pages.send(0);
    pages.send(1);
    pages.drain().await;
    let found = result(&pages.record(0));
    assert!(found["without_page"].as_str().unwrap().contains("other_vehicle"), "{found}");
    assert_eq!(found["record"]["make"]["from"], json!("feed"));
    let Phase::Dead { why, .. } = pages.record(1).phase else {
        panic!("expected a dead job: there is no data about the car")
    };
    assert!(why.contains("permanent (other_vehicle)"), "{why}");
    pages.sandbox.shutdown().await;
}

#[tokio::test]
async fn temporary_failures_are_retried_and_a_missing_page_ends_the_job() {
    let pages = Pages::new(&[]).await;
    pages.strike(FaultKind::status(500), 2).await;
    pages.send(0);
    pages.drain().await;
    let record = pages.record(0);
    result(&record);
    assert_eq!(record.counters.attempts, 3);
    pages.strike(FaultKind::status(404), 1).await;
    pages.send(1);
    pages.drain().await;
    let Phase::Dead { why, .. } = pages.record(1).phase else {
        panic!("expected a dead job: the page is missing")
    };
    assert!(why.contains("permanent (http_404)"), "{why}");
    pages.sandbox.shutdown().await;
}

#[tokio::test]
async fn after_a_bot_wall_no_further_call_is_made() {
    let pages = Pages::new(&[]).await;
    pages.strike(FaultKind::Challenge, 1_000_000).await;
    pages.keep(0).await;
    pages.send(0);
    pages.poll().await;
    for car in 1..6 {
        pages.send(car);
        pages.poll().await;
    }
    assert_eq!(pages.sandbox.client().calls().await.unwrap().len(), 1);
    let found = result(&pages.record(0));
    assert!(found["without_page"].as_str().unwrap().contains("bot_wall"), "{found}");
    assert_eq!(pages.record(1).phase.name(), "parked");
    pages.sandbox.shutdown().await;
}

/// The audit checks three results: one from a page, one from the feed's data only, one that is
/// empty.
#[tokio::test]
async fn results_of_both_kinds_are_sound_and_an_empty_one_is_produced_again() {
    let pages = Pages::new(&[]).await;
    for car in 0..3 {
        pages.keep(car).await;
    }
    pages.send(0);
    pages.send(2);
    pages.drain().await;
    pages.strike(FaultKind::Challenge, 1).await;
    pages.send(1);
    pages.poll().await;
    // The bot wall has opened the breaker.
    pages.clock.advance(Duration::from_mins(6));
    let mut empty = pages.record(2);
    if let Phase::Succeeded { result, .. } = &mut empty.phase {
        "{}".clone_into(result);
    }
    pages.store.put(&empty);
    for record in pages.store.records() {
        let woken = Woken { key: record.key.clone(), fence: record.fence };
        let message = OutgoingMessage::new(wake::body(&record).unwrap(), Some(woken), None);
        pages.queue.send_to(ARN, OutgoingMessage { purpose: Purpose::Check, ..message });
    }
    pages.poll().await;
    assert!(
        result(&pages.record(1))["without_page"].is_string(),
        "the result is not from the feed's data only"
    );
    let states = [0, 1, 2].map(|car| pages.record(car).phase.name());
    assert_eq!(states, ["succeeded", "succeeded", "waiting"]);
    pages.sandbox.shutdown().await;
}
