//! What is kept as the page of a car when several jobs read it.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    record::item::Value as Attribute,
    testing::{CallSite, Fault},
};
use inventory::{
    testing::EXPIRES_AT,
    vehicles::{RETENTION, Vehicles as _},
};
use sandbox::dealers::SiteChange;
use serde_json::{Value, json};

use super::{Pages, SLUG, result};

/// The price in cents that a result has.
fn price(result: &Value) -> &Value {
    &result["record"]["price_cents"]["value"]
}

impl Pages {
    /// Sends a job with this id for the first car's page.
    fn send_as(&self, id: &str) {
        let mut body = self.body(0);
        body["id"] = json!(id);
        self.send(&body.to_string());
    }

    /// How often the functions have made a port call with this name.
    fn count(&self, call: &str) -> usize {
        self.faults.calls().iter().filter(|made| **made == call).count()
    }

    /// The result of the job with this id.
    fn of_job(&self, id: &str) -> Value {
        result(&self.store.record(&format!("product_detail_scraping#g:{id}")).unwrap())
    }

    /// What is kept as the page of the first car.
    fn of_car(&self) -> Value {
        let item = self.vehicles.page(SLUG, &self.cars[0].vin).unwrap();
        let page = item.iter().find(|(name, _)| *name == "page");
        let Some((_, Attribute::Text(text))) = page else { panic!("{item:?}") };
        serde_json::from_str(text).unwrap()
    }

    /// Makes the first car so much cheaper than it was at first. Returns its new price in cents.
    async fn cut_price(&self, dollars: u32) -> Value {
        let price = self.cars[0].price - dollars;
        let prices = BTreeMap::from([(self.cars[0].vin.clone(), price)]);
        let change = SiteChange { prices, ..SiteChange::default() };
        self.control().change_site(SLUG, &change).await.unwrap();
        json!(price * 100)
    }
}

/// A call that names an item twice is refused as a whole.
#[tokio::test(start_paused = true)]
async fn jobs_about_one_car_in_one_batch_are_settled_by_one_call() {
    let pages = Pages::new(&[]).await;
    pages.send_as("one");
    pages.send_as("other");
    pages.drain().await;
    let prices = ["one", "other"].map(|id| price(&pages.of_job(id)).clone());
    assert_eq!(prices, [price(&pages.of_car()).clone(), json!(pages.cars[0].price * 100)]);
    // The second page is written by a call of its own.
    assert_eq!(["settle", "replace", "put_item"].map(|call| pages.count(call)), [1, 0, 1]);
}

/// The process of the first job is frozen when it has read the page. Meanwhile another job reads a newer one.
#[tokio::test(start_paused = true)]
async fn a_late_write_does_not_replace_what_was_read_after_it() {
    let pages = Pages::new(&[]).await;
    let soon = pages.now() + Duration::from_secs(8);
    pages.faults.decide(move |call: &CallSite| {
        let is_struck = call.name == "settle" && call.at < soon;
        is_struck.then_some(Fault::Freeze(Duration::from_secs(25)))
    });
    pages.send_as("frozen");
    let cut = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let cut = pages.cut_price(100).await;
        pages.send_as("later");
        tokio::time::sleep(Duration::from_secs(60)).await;
        cut
    };
    let cut = pages.work_while(cut).await;
    assert_eq!(price(&pages.of_job("frozen")), &json!(pages.cars[0].price * 100));
    assert_eq!(price(&pages.of_job("later")), &cut);
    assert_eq!(price(&pages.of_car()), &cut, "it was read later, and written earlier");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_read_again_is_written_with_the_end_of_its_run() {
    let pages = Pages::new(&[]).await;
    pages.send_as("one");
    pages.drain().await;
    let cut = pages.cut_price(100).await;
    pages.send_as("other");
    pages.drain().await;
    assert_eq!(price(&pages.of_car()), &cut);
    assert_eq!(["settle", "put_item"].map(|call| pages.count(call)), [2, 0]);
}

/// The car goes while the job waits. Its page is stored for the first time, and then once more.
#[tokio::test(start_paused = true)]
async fn a_page_that_is_read_after_its_car_has_gone_expires() {
    let pages = Pages::new(&[]).await;
    pages.keep(0).await;
    let vin = pages.cars[0].vin.clone();
    tokio::time::advance(Duration::from_mins(1)).await;
    let (vins, now) = ([vin.clone()], pages.now());
    pages.vehicles.unlist(SLUG, &vins, now, now).await.unwrap();
    for (id, dollars) in [("one", 100), ("other", 200)] {
        let cut = pages.cut_price(dollars).await;
        pages.send_as(id);
        pages.drain().await;
        assert_eq!(price(&pages.of_car()), &cut, "{id}");
        let item = pages.vehicles.page(SLUG, &vin).unwrap();
        let end = (EXPIRES_AT, Attribute::Number((now + RETENTION).as_secs_ceil()));
        assert!(item.contains(&end), "{id}: {item:?}");
    }
}
