//! A car's life on a dealer's site: the three job types together, in virtual time.

mod export;
mod import;
mod life;
mod long_host;
mod page;

use std::time::Duration;

use dealer_com_feed::reading::Summary;
use evenkeel::record::{Phase, Record};
use inventory::{link::KeptLink, vehicles::Vehicles as _};
use sandbox::{
    dealers::{SiteChange, SiteSettings},
    rebrandly::Link,
};
use serde_json::{Value, json};

use crate::bench::{Bench, Kind};

const SLUG: &str = "lake-motors";
const HOUR: Duration = Duration::from_hours(1);

/// A dealer whose feed is read from time to time, with all its jobs.
struct Dealer {
    bench: Bench,
    /// What the payload of its feed says besides.
    policy: Value,
    reads: u32,
}

impl std::ops::Deref for Dealer {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl Dealer {
    async fn new(settings: &SiteSettings, policy: Value) -> Self {
        let bench = Bench::of(&[Kind::Feeds, Kind::SHORTENING, Kind::Pages]);
        bench.control().put_site(SLUG, settings).await.unwrap();
        Self { bench, policy, reads: 0 }
    }

    async fn change(&self, change: &SiteChange) {
        self.control().change_site(SLUG, change).await.unwrap();
    }

    /// Asks for a read of the feed, an hour later. Returns the key of its job.
    async fn ask(&mut self) -> String {
        tokio::time::advance(HOUR).await;
        self.reads += 1;
        let site = self.control().site_origin(SLUG);
        let mut payload = json!({"dealer_slug": SLUG, "site_url": site});
        for (name, value) in self.policy.as_object().into_iter().flatten() {
            payload[name] = value.clone();
        }
        let id = format!("read-{}", self.reads);
        let body = json!({"version": 1, "type": "dealer_com_feed", "id": id, "payload": payload});
        self.send(&body.to_string());
        format!("dealer_com_feed#g:{id}")
    }

    /// Reads the feed an hour later, and runs all jobs to their ends.
    async fn read(&mut self) -> Record {
        let key = self.ask().await;
        self.drain().await;
        self.store.record(&key).unwrap()
    }

    async fn summary(&mut self) -> Summary {
        summary(&self.read().await)
    }

    fn kept(&self, vin: &str) -> KeptLink {
        self.vehicles.kept_link(SLUG, vin).unwrap()
    }

    async fn only_link(&self) -> Link {
        let mut links = self.links().await;
        assert_eq!(links.len(), 1, "{links:?}");
        links.remove(0)
    }

    fn page(&self, path: &str) -> String {
        format!("{}/{path}", self.control().site_origin(SLUG))
    }
}

fn summary(record: &Record) -> Summary {
    match &record.phase {
        Phase::Succeeded { result, .. } => serde_json::from_str(result).unwrap(),
        other => panic!("{other:?}: {:?}", record.history),
    }
}

fn one_car() -> SiteSettings {
    SiteSettings { cars: 1, ..SiteSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn a_sold_car_keeps_its_link_which_leads_to_the_dealer_until_it_is_listed_again() {
    for is_led_away in [true, false] {
        let policy = json!({"fan_out": {"scrape": false, "shorten": true}});
        let mut dealer = Dealer::new(&SiteSettings::default(), policy).await;
        let stock = dealer.page("inventory");
        let leads = is_led_away.then_some(stock.as_str());
        dealer.policy["links"] = json!({"when_gone": leads});
        let made = dealer.summary().await.made.shortening_jobs;
        assert_eq!(made, 40);
        let car = dealer.control().cars(SLUG).await.unwrap().remove(3);
        let page = dealer.page(&car.path);
        let id = dealer.kept(&car.vin).link_id;
        dealer.change(&SiteChange { remove: vec![car.vin.clone()], ..SiteChange::default() }).await;
        assert_eq!(dealer.summary().await.gone, 1);
        let kept = dealer.kept(&car.vin);
        assert_eq!(
            (kept.link_id.as_str(), kept.wanted.as_str()),
            (id.as_str(), leads.unwrap_or(&page))
        );
        dealer.change(&SiteChange { relist: vec![car.vin.clone()], ..SiteChange::default() }).await;
        let read = dealer.summary().await;
        assert_eq!((read.new, read.made.shortening_jobs), (1, usize::from(leads.is_some())));
        let kept = dealer.kept(&car.vin);
        assert_eq!((kept.link_id.as_str(), kept.wanted.as_str()), (id.as_str(), page.as_str()));
        assert_eq!(dealer.links().await.len(), 40, "no car has a second link");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_with_too_many_new_cars_creates_no_job_until_it_is_confirmed() {
    let mut dealer =
        Dealer::new(&SiteSettings { cars: 10, ..SiteSettings::default() }, json!({})).await;
    dealer.summary().await;
    let jobs = dealer.store.records().len();
    dealer.change(&SiteChange { cars: Some(400), ..SiteChange::default() }).await;
    let record = dealer.read().await;
    let Phase::Dead { why, .. } = &record.phase else { panic!("{record:?}") };
    assert!(why.contains("390 new cars beside 10 known ones, expected at most 300"), "{why}");
    assert_eq!(dealer.store.records().len(), jobs + 1, "only the feed's own");
    let confirm = why.split("confirm ").nth(1).unwrap();
    let wrong = json!({"confirm": "0123456789abcdef"});
    for (policy, expected) in [(wrong, "dead"), (json!({"confirm": confirm}), "succeeded")] {
        dealer.policy = policy;
        assert_eq!(dealer.read().await.phase.name(), expected);
    }
    assert_eq!(dealer.links().await.len(), 400);
    dealer.policy = json!({});
    assert_eq!(dealer.summary().await.new, 0, "they are known now");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_stores_nothing_and_says_what_it_would_do() {
    let mut dealer = Dealer::new(&SiteSettings::default(), json!({"dry_run": true})).await;
    let read = dealer.summary().await;
    assert!(read.dry_run && read.whole, "{read:?}");
    assert_eq!((read.vehicles, read.new), (40, 40));
    assert_eq!((read.made.scraping_jobs, read.made.shortening_jobs), (40, 40));
    assert_eq!((dealer.store.records().len(), dealer.vehicles.vehicles().len()), (1, 0));
    assert_eq!(dealer.vehicles.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn utm_parameters_lead_the_links_and_not_the_scrapings() {
    let policy = json!({"links": {"utm": {"source": "sms", "campaign": "fall sale"}}});
    let mut dealer = Dealer::new(&one_car(), policy).await;
    let car = dealer.control().cars(SLUG).await.unwrap().remove(0);
    dealer.summary().await;
    let expected = format!("{}?utm_source=sms&utm_campaign=fall+sale", dealer.page(&car.path));
    assert_eq!(dealer.only_link().await.destination, expected);
    let scraping =
        dealer.store.records().into_iter().find(|r| r.kind() == "product_detail_scraping");
    assert!(!scraping.unwrap().work.payload.contains("utm"));
    assert_eq!(dealer.summary().await.made.shortening_jobs, 0, "the same address as before");
}

/// Only the cars of one account of a group.
#[tokio::test(start_paused = true)]
async fn cars_of_other_accounts_of_a_group_get_no_jobs() {
    let site = SiteSettings { rooftops: 4, ..SiteSettings::default() };
    let mut dealer = Dealer::new(&site, json!({"dry_run": true})).await;
    let all = dealer.summary().await.new;
    let cars = dealer.control().cars(SLUG).await.unwrap();
    let account = cars[0].account_id.clone();
    let ours = cars.iter().filter(|car| car.account_id == account).count();
    dealer.policy = json!({"account_ids": [account]});
    let read = dealer.summary().await;
    assert_eq!((all as usize, read.made.shortening_jobs), (cars.len(), ours));
    assert!(ours > 0 && ours < cars.len(), "{ours}");
    // A dealer's cars that the site lists for another account by now have left the dealer.
    let account = cars[0].account_id.clone();
    let mut dealer =
        Dealer::new(&site, json!({"fan_out": {"scrape": false, "shorten": false}})).await;
    assert_eq!(dealer.summary().await.new as usize, cars.len());
    dealer.policy = json!({"account_ids": [account]});
    assert_eq!(dealer.summary().await.gone as usize, cars.len() - ours);
}

/// Cars and links that do not match are findings of the audit; no job runs again for them.
#[tokio::test(start_paused = true)]
async fn the_audit_compares_cars_with_their_links() {
    use evenkeel::ports::notes::{FINDING, Finding};
    let mut dealer = Dealer::new(&SiteSettings::default(), json!({})).await;
    let record = dealer.read().await;
    let cars = dealer.control().cars(SLUG).await.unwrap();
    let found = async |dealer: &Dealer| {
        tokio::time::advance(HOUR * 30).await;
        dealer.ask_for_check(&record);
        dealer.poll().await;
        let notes = dealer.store.all_notes(FINDING).into_iter();
        let of_feed = notes.filter(|(name, _)| name.starts_with("dealer_com_feed"));
        let read = |(_, text): (String, String)| serde_json::from_str::<Finding>(&text).unwrap();
        of_feed.map(read).map(|finding| finding.detail).collect::<Vec<_>>()
    };
    assert_eq!(found(&dealer).await, Vec::<String>::new());
    let table = inventory::testing::TABLE;
    let link = dealer.kept(&cars[0].vin);
    dealer.store.remove_item(table, [SLUG, &format!("link#{}", cars[0].vin)]);
    let stray = "1HGCM82633A004352";
    assert_eq!(dealer.vehicles.replace_link(SLUG, stray, None, &link).await, Ok(true));
    let expected = format!(
        "1 listed cars without a link, {} among them; 1 links of unknown cars, {stray} among them",
        cars[0].vin
    );
    assert_eq!(found(&dealer).await, [expected]);
}
