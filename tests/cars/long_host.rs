//! A car in a feed whose page is at a host with a name that no key of a table can hold.

use evenkeel::record::Phase;
use sandbox::{CannedAnswer, Endpoint, Fault, FaultKind, Scope, Target, dealers::SiteSettings};
use serde_json::json;

use super::{Dealer, SLUG};

/// A host on the dealer's domain with a name of 2,036 bytes. The key of its breaker's item would have more than the
/// 2,048 that DynamoDB takes.
fn long_host() -> String {
    let host = format!("hh.{}{SLUG}.localhost", "h.".repeat(1_006));
    assert_eq!(host.len(), 2_036);
    host
}

#[tokio::test(start_paused = true)]
async fn a_car_at_a_host_that_no_key_can_hold_ends_alone() {
    let settings = SiteSettings { cars: 2, ..SiteSettings::default() };
    let mut dealer = Dealer::new(&settings, json!({})).await;
    let cars = dealer.control().cars(SLUG).await.unwrap();
    let car = |n: usize, link: String| {
        let (vin, make, year) = (&cars[n].vin, &cars[n].make, cars[n].year);
        json!({"vin": vin, "make": make, "model": "Cumulus", "year": year, "type": "new", "link": link})
    };
    let listed =
        [car(0, format!("/{}", cars[0].path)), car(1, format!("http://{}/car", long_host()))];
    let body = json!({"pageInfo": {"totalCount": 2, "pageSize": 100}, "inventory": listed});
    let kind = FaultKind::Status(CannedAnswer {
        status: 200,
        body: Some(body.to_string()),
        ..CannedAnswer::default()
    });
    let on = Target { endpoint: Some(Endpoint::Widget), ..Target::default() };
    let fault = Fault { kind, on, scope: Scope::calls(u64::MAX), after_work: false };
    dealer.control().add_fault(&fault).await.unwrap();
    let read = dealer.summary().await;
    assert_eq!((read.vehicles, read.made.scraping_jobs, read.stale), (2, 2, false), "{read:?}");
    let records = dealer.store.records();
    let pages = records.iter().filter(|record| record.kind() == "product_detail_scraping");
    let (long, good): (Vec<_>, Vec<_>) =
        pages.partition(|record| record.work.payload.contains("h.h.h."));
    let [long] = &long[..] else { panic!("{records:?}") };
    let Phase::Dead { why, .. } = &long.phase else { panic!("{long:?}") };
    assert!(why.contains("dependency has 2041 bytes, expected 1 to 512"), "{why}");
    let states: Vec<&str> = good.iter().map(|record| record.phase.name()).collect();
    assert_eq!(states, ["succeeded"]);
}
