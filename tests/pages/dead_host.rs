//! Thousands of pages of a site that gives nothing: a wall, a dead host, and a host that comes back.

use std::time::Duration;

use evenkeel::record::Record;
use sandbox::{FaultKind, dealers::SiteSettings};
use serde_json::json;

use super::{Pages, SLUG, result};
use crate::bench::{Bench, Kind};

/// Half an hour, after which a host counts as gone.
const GONE_AFTER: Duration = product_detail_scraping::POLICY.gone_after.unwrap();

/// So many jobs for one page at a site that answers in this way.
async fn flooded(jobs: usize, kind: FaultKind) -> Pages {
    let pages = Pages::new(&[]).await;
    pages.unmetered();
    pages.keep(0).await;
    pages.strike(kind, u64::MAX).await;
    for n in 0..jobs {
        let mut body = pages.body(0);
        body["id"] = json!(format!("job-{n}"));
        pages.send(&body.to_string());
    }
    pages
}

impl Pages {
    /// How many jobs have ended with the data of the feed, and how many with that of the page.
    fn ended(&self) -> (usize, usize) {
        let records = self.store.records();
        let done = records.iter().filter(|record| record.phase.name() == "succeeded");
        let by_feed: Vec<bool> =
            done.map(|record| result(record)["without_page"].is_string()).collect();
        let count = |expected: bool| by_feed.iter().filter(|by_feed| **by_feed == expected).count();
        (count(true), count(false))
    }

    async fn calls(&self) -> usize {
        self.control().calls().await.unwrap().len()
    }
}

#[tokio::test(start_paused = true)]
async fn five_thousand_jobs_drain_at_a_wall_within_the_hour() {
    let pages = flooded(5_000, FaultKind::status(403)).await;
    pages.run_for(Duration::from_hours(1)).await;
    assert_eq!(pages.ended(), (5_000, 0));
    let calls = pages.calls().await;
    assert!(calls <= 50, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn five_thousand_jobs_drain_at_a_dead_host_within_the_hour() {
    let pages = flooded(5_000, FaultKind::Reset).await;
    pages.run_for(GONE_AFTER.saturating_sub(Duration::from_mins(1))).await;
    assert_eq!(pages.ended(), (0, 0), "a short outage is waited out");
    pages.run_for(Duration::from_mins(31)).await;
    assert_eq!(pages.ended(), (5_000, 0));
    // The breaker probes every quarter of a minute for ten minutes.
    let calls = pages.calls().await;
    assert!(calls <= 120, "{calls} calls");
    // Jobs that come later are answered at once. The first may be the probe that is due; no other makes a call.
    pages.send_page(0);
    pages.run_for(Duration::from_secs(5)).await;
    assert!(result(&pages.page(0))["without_page"].as_str().unwrap().contains("breaker_open"));
    let probed = pages.calls().await;
    assert!(probed <= calls + 1, "{probed} after {calls}");
    let mut late = pages.body(0);
    late["id"] = json!("job-late");
    pages.send(&late.to_string());
    pages.run_for(Duration::from_secs(5)).await;
    assert_eq!(pages.ended(), (5_002, 0));
    assert_eq!(pages.calls().await, probed, "without a call");
}

#[tokio::test(start_paused = true)]
async fn the_pages_of_a_host_that_comes_back_in_time_are_read() {
    let pages = flooded(200, FaultKind::Reset).await;
    pages.run_for(Duration::from_mins(20)).await;
    assert_eq!(pages.ended(), (0, 0));
    pages.control().clear_faults().await.unwrap();
    pages.run_for(Duration::from_mins(25)).await;
    assert_eq!(pages.ended(), (0, 200));
}

/// Without data of a feed there is nothing to answer with, so the jobs wait, as they do for any dependency.
#[tokio::test(start_paused = true)]
async fn at_a_dead_host_a_page_that_no_feed_knows_is_waited_for() {
    let pages = flooded(30, FaultKind::Reset).await;
    pages.send_page(1);
    pages.run_for(Duration::from_hours(2)).await;
    assert_eq!(pages.ended(), (30, 0));
    assert_eq!(pages.page(1).phase.ended_at(), None);
    pages.control().clear_faults().await.unwrap();
    pages.drain().await;
    assert!(result(&pages.page(1))["without_page"].is_null());
}

/// They have their slots for half an hour to come, and a deadline tomorrow.
#[tokio::test(start_paused = true)]
async fn jobs_that_are_parked_for_slots_of_a_host_that_dies_do_not_wait_for_their_deadline() {
    let bench = Bench::of(&[Kind::Pages]);
    let robots = Some("User-agent: *\nCrawl-delay: 4\n".to_owned());
    let settings = SiteSettings { cars: 12, robots, ..SiteSettings::default() };
    bench.control().put_site(SLUG, &settings).await.unwrap();
    let cars = bench.control().cars(SLUG).await.unwrap();
    let pages = Pages { bench, cars };
    pages.keep(0).await;
    let deadline = pages.now() + Duration::from_hours(24);
    for n in 0..500 {
        let mut body = pages.body(0);
        body["id"] = json!(format!("job-{n}"));
        body["deadline"] = json!(deadline.to_string());
        pages.send(&body.to_string());
    }
    pages.run_for(Duration::from_mins(2)).await;
    let waits_for_slot = |record: &Record| record.parking.is_some_and(|parking| !parking.gated);
    let parked = pages.store.records().iter().filter(|record| waits_for_slot(record)).count();
    assert!(parked >= 100, "{parked} are parked for a slot");
    pages.strike(FaultKind::Reset, u64::MAX).await;
    pages.run_for(GONE_AFTER + Duration::from_hours(1)).await;
    let (by_feed, by_page) = pages.ended();
    assert_eq!(by_feed + by_page, 500, "{by_feed} by the feed, {by_page} by the page");
    assert!(by_feed >= parked, "{by_feed} by the feed, {parked} were parked");
}
