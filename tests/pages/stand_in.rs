//! When the data of the feed stands in for a page that fails by itself, while the site works for others.

use std::time::Duration;

use product_detail_scraping::POLICY;
use sandbox::{Fault, FaultKind, Scope, Target};
use serde_json::json;

use super::{Pages, result};

/// A page that answers 500 while those of other cars are read. Returns once its job has spent its attempts.
async fn spent() -> Pages {
    let pages = Pages::new(&[]).await;
    pages.unmetered();
    pages.keep(0).await;
    let on = Target { vin: Some(pages.cars[0].vin.clone()), ..Target::default() };
    let (kind, scope) = (FaultKind::status(500), Scope::calls(u64::MAX));
    let fault = Fault { kind, on, scope, after_work: false };
    pages.control().add_fault(&fault).await.unwrap();
    pages.send_page(0);
    let others = async {
        for n in 0..120 {
            let mut body = pages.body(1 + n % 11);
            body["id"] = json!(format!("other-{n}"));
            pages.send(&body.to_string());
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
    };
    pages.run_while(others).await;
    let record = pages.page(0);
    assert!(record.counters.attempts >= POLICY.max_attempts, "{record:?}");
    assert_eq!(record.phase.ended_at(), None, "spent attempts do not end it: {record:?}");
    pages
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_back_before_the_job_is_given_up_is_read() {
    let pages = spent().await;
    pages.control().clear_faults().await.unwrap();
    pages.drain().await;
    assert!(result(&pages.page(0))["without_page"].is_null());
}

#[tokio::test(start_paused = true)]
async fn the_feed_stands_in_for_a_page_when_its_job_is_given_up() {
    let pages = spent().await;
    pages.run_for(POLICY.give_up_after.saturating_sub(Duration::from_mins(45))).await;
    assert_eq!(pages.page(0).phase.ended_at(), None, "not before its time");
    pages.drain().await;
    let record = pages.page(0);
    let lasted = record.phase.ended_at().unwrap().since(record.work.created_at);
    let latest = POLICY.give_up_after + Duration::from_mins(2);
    assert!(lasted >= POLICY.give_up_after && lasted <= latest, "{lasted:?}");
    let result = result(&record);
    assert!(result["without_page"].as_str().unwrap().contains("http_500"), "{result}");
}
