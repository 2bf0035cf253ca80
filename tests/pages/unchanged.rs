//! Pages that are scraped again: whole, or by asking whether they have changed.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::record::item::Value as Attribute;
use inventory::testing::TABLE;
use sandbox::{
    Endpoint,
    dealers::{Prices, Shapes, SiteChange, SiteSettings},
};
use serde_json::{Value, json};

use super::{Pages, SLUG, result};

impl Pages {
    /// The result of a job with this id for the first car's page.
    async fn scraped(&self, id: &str) -> Value {
        self.scraped_at(id, &self.cars[0].path).await
    }

    async fn scraped_at(&self, id: &str, path: &str) -> Value {
        let mut body = self.body(0);
        body["id"] = json!(id);
        body["payload"]["url"] = json!(format!("{}/{path}", self.control().site_origin(SLUG)));
        self.send(&body.to_string());
        self.drain().await;
        result(&self.store.record(&format!("product_detail_scraping#g:{id}")).unwrap())
    }

    /// How many requests for pages were answered as unchanged, and how many with the whole page.
    async fn answers(&self) -> [u64; 2] {
        let counts = self.control().call_counts().await.unwrap();
        [304, 200].map(|status| counts.of_site_answered(SLUG, Endpoint::Detail, Some(status)))
    }

    /// What the kept reading of the first car rests on.
    fn basis(&self) -> Option<Value> {
        let item = self.vehicles.page(SLUG, &self.cars[0].vin).unwrap();
        item.iter().find_map(|(name, value)| match value {
            Attribute::Text(text) if *name == "basis" => serde_json::from_str(text).ok(),
            _ => None,
        })
    }

    /// Replaces what the kept reading rests on.
    fn rest_on(&self, basis: &Value) {
        let vin = &self.cars[0].vin;
        let mut item = self.vehicles.page(SLUG, vin).unwrap();
        item.retain(|(name, _)| *name != "basis");
        item.push(("basis", Attribute::Text(basis.to_string())));
        self.store.set_item(TABLE, [SLUG, &format!("page#{vin}")], item);
    }

    async fn change(&self, change: SiteChange) {
        self.control().change_site(SLUG, &change).await.unwrap();
    }
}

fn is_unchanged(result: &Value) -> bool {
    result["unchanged"] == json!(true)
}

#[tokio::test(start_paused = true)]
async fn a_page_that_has_not_changed_gives_its_kept_reading() {
    let pages = Pages::new(&[]).await;
    let first = pages.scraped("first").await;
    assert_eq!((is_unchanged(&first), pages.answers().await), (false, [0, 1]));
    for (id, answers) in [("second", [1, 1]), ("third", [2, 1])] {
        let mut again = pages.scraped(id).await;
        assert_eq!((is_unchanged(&again), pages.answers().await), (true, answers));
        again.as_object_mut().unwrap().remove("unchanged");
        assert_eq!(again, first);
    }
    let price = pages.cars[0].price - 100;
    let prices = BTreeMap::from([(pages.cars[0].vin.clone(), price)]);
    pages.change(SiteChange { prices, ..SiteChange::default() }).await;
    let changed = pages.scraped("fourth").await;
    assert_eq!((is_unchanged(&changed), pages.answers().await), (false, [2, 2]));
    assert_eq!(changed["record"]["price_cents"]["value"], json!(price * 100));
}

#[tokio::test(start_paused = true)]
async fn a_site_without_etags_sends_whole_pages() {
    let pages = Pages::new(&[]).await;
    let settings = SiteSettings { cars: 12, etags: false, ..SiteSettings::default() };
    pages.control().put_site(SLUG, &settings).await.unwrap();
    for id in ["first", "second"] {
        assert!(!is_unchanged(&pages.scraped(id).await));
    }
    assert_eq!((pages.answers().await, pages.basis()), ([0, 2], None));
}

#[tokio::test(start_paused = true)]
async fn a_reading_by_other_rules_is_not_used() {
    let pages = Pages::new(&[]).await;
    pages.scraped("first").await;
    let now = pages.basis().unwrap();
    let mut before = now.clone();
    before["rules"] = json!(now["rules"].as_u64().unwrap() + 1);
    pages.rest_on(&before);
    assert!(!is_unchanged(&pages.scraped("second").await));
    assert_eq!((pages.answers().await, &pages.basis().unwrap()["rules"]), ([0, 2], &now["rules"]));
    assert!(is_unchanged(&pages.scraped("third").await));
}

#[tokio::test(start_paused = true)]
async fn a_page_at_another_address_is_fetched_whole() {
    let pages = Pages::new(&[]).await;
    pages.scraped("first").await;
    let path = format!("{}2.htm", pages.cars[0].path.trim_end_matches(".htm"));
    let moves = BTreeMap::from([(pages.cars[0].vin.clone(), path.clone())]);
    pages.change(SiteChange { moves, ..SiteChange::default() }).await;
    assert!(!is_unchanged(&pages.scraped_at("second", &path).await));
    assert!(is_unchanged(&pages.scraped_at("third", &path).await));
    assert_eq!(pages.answers().await, [1, 2]);
}

/// What the feed says is part of a reading.
#[tokio::test(start_paused = true)]
async fn after_a_change_of_the_feed_the_page_is_fetched_whole() {
    let pages = Pages::new(&[]).await;
    pages.scraped("first").await;
    pages.keep(0).await;
    assert!(!is_unchanged(&pages.scraped("second").await));
    assert!(is_unchanged(&pages.scraped("third").await));
    assert_eq!(pages.answers().await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_page_without_a_price_is_fetched_whole() {
    let pages = Pages::new(&[]).await;
    let shapes = Shapes { prices: Prices::ContactUs, ..Shapes::default() };
    pages.change(SiteChange { shapes: Some(shapes), ..SiteChange::default() }).await;
    for id in ["first", "second"] {
        let result = pages.scraped(id).await;
        assert_eq!(result["record"]["price_cents"], Value::Null);
        assert!(!is_unchanged(&result));
    }
    assert_eq!((pages.answers().await, pages.basis()), ([0, 2], None));
}

/// The sender's clock, or a date that it puts into every message, says nothing of the reading's age.
#[tokio::test(start_paused = true)]
async fn a_reading_grows_old_by_our_clock_whatever_the_sender_says() {
    let pages = Pages::new(&[]).await;
    let asked = async |id: &str| {
        let mut body = pages.body(0);
        (body["id"], body["created_at"]) = (json!(id), json!("2031-01-01T00:00:00Z"));
        pages.send(&body.to_string());
        pages.drain().await;
        result(&pages.store.record(&format!("product_detail_scraping#g:{id}")).unwrap())
    };
    asked("first").await;
    assert!(is_unchanged(&asked("second").await));
    let kept = pages.basis();
    tokio::time::advance(Duration::from_hours(8 * 24)).await;
    assert!(!is_unchanged(&asked("third").await), "it is older than seven days");
    assert_ne!(pages.basis(), kept);
}

/// Another job may have stored a newer reading meanwhile.
#[tokio::test(start_paused = true)]
async fn an_unchanged_page_leaves_what_is_kept_as_it_is() {
    let pages = Pages::new(&[]).await;
    pages.scraped("first").await;
    let page = |pages: &Pages| pages.vehicles.page(SLUG, &pages.cars[0].vin);
    let kept = page(&pages);
    tokio::time::advance(Duration::from_hours(7)).await;
    assert!(is_unchanged(&pages.scraped("second").await));
    assert_eq!(page(&pages), kept);
}
