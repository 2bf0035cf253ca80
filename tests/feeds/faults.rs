//! Every port call of a read fails in every way: each change is still seen once, and each job is created once.

use std::fmt::Debug;

use evenkeel::{record::Record, testing::Fault};
use sandbox::dealers::{SiteChange, SiteSettings};

use super::{Feeds, SLUG, summary};
use crate::bench::jobs::scraping_queue;

/// Asserts that a scenario has these calls; otherwise its faults would test nothing.
fn expect(calls: &[&str], expected: &[&str]) {
    for call in expected {
        assert!(calls.contains(call), "the scenario has no call {call}: {calls:?}");
    }
}

/// What a read stores: its jobs, and the cars. When it asked for a link depends on when its last run began.
fn left(feeds: &Feeds) -> impl PartialEq + Debug + use<> {
    let links: Vec<String> = feeds.jobs("url_shortening").into_iter().collect();
    let links: Vec<String> =
        links.iter().map(|key| key.rsplit_once(':').unwrap().0.to_owned()).collect();
    let mut cars = feeds.vehicles.vehicles();
    for car in &mut cars {
        let asked = car.asked.take().unwrap();
        car.asked = Some(asked.split_once(':').unwrap().1.to_owned());
    }
    (feeds.jobs("product_detail_scraping"), links, cars)
}

#[tokio::test(start_paused = true)]
async fn every_port_call_may_fail_and_each_job_is_created_once() {
    let settings = SiteSettings { cars: 9, page_cap: 4, ..SiteSettings::default() };
    let calm = Feeds::new(settings.clone()).await;
    calm.read("feed").await;
    let calls = calm.faults.calls();
    expect(&calls, &["known", "enqueue", "send", "keep", "unlist", "list", "keep_list"]);
    for (number, call) in calls.iter().enumerate() {
        for fault in Fault::ALL {
            let case = format!("{fault:?} at call {number}, {call}");
            let feeds = Feeds::new(settings.clone()).await;
            feeds.faults.at(number, number, fault);
            let record = feeds.read("feed").await;
            assert_eq!(record.phase.name(), "succeeded", "{case}: {record:?}");
            assert_eq!(left(&feeds), left(&calm), "{case}");
            for body in calm.sqs.bodies(&scraping_queue()) {
                assert!(
                    feeds.sqs.bodies(&scraping_queue()).contains(&body),
                    "{case}: {body} was not sent"
                );
            }
        }
    }
}

/// Reads a list, changes one of its cars and removes another, and reads it again with a fault at
/// one call of the second read. The second read has more pages than one run may read.
async fn read_again(fault: Option<(usize, Fault)>) -> (Feeds, Record) {
    let settings = SiteSettings { cars: 62, ..SiteSettings::default() };
    let feeds = Feeds::new(settings.clone()).await;
    feeds.read("first").await;
    let in_small_pages = SiteSettings { page_cap: 1, ..settings };
    feeds.put(&in_small_pages).await;
    let cars = feeds.control().cars(SLUG).await.unwrap();
    let (prices, remove) = ([(cars[7].vin.clone(), 1_234)].into(), vec![cars[8].vin.clone()]);
    let change = SiteChange { prices, remove, ..SiteChange::default() };
    feeds.change(&change).await;
    if let Some((number, fault)) = fault {
        let number = feeds.faults.calls().len() + number;
        feeds.faults.at(number, number, fault);
    }
    let record = feeds.read("second").await;
    (feeds, record)
}

#[tokio::test(start_paused = true)]
async fn a_change_and_a_removal_are_seen_once_whichever_call_of_a_long_read_fails() {
    let (calm, record) = read_again(None).await;
    let read = summary(&record);
    assert_eq!((read.vehicles, read.new, read.changed, read.gone), (61, 0, 1, 1), "{read:?}");
    assert!(record.counters.claims > 1, "the read took only one run: {record:?}");
    let all = calm.faults.calls();
    let calls = &all[all.iter().rposition(|call| *call == "keep_list").map_or(0, |last| {
        let before = &all[..last];
        before.iter().rposition(|call| *call == "keep_list").unwrap() + 1
    })..];
    expect(calls, &["known", "enqueue", "send", "keep", "unlist", "list", "keep_list"]);
    // Each of the many pages makes the same calls: four of each kind stand for all.
    let is_one_of_four =
        |number: usize| calls[..number].iter().filter(|call| **call == calls[number]).count() < 4;
    for fault in Fault::ALL {
        for (number, call) in calls.iter().enumerate().filter(|(n, _)| is_one_of_four(*n)) {
            let case = format!("{fault:?} at call {number} of the second read, about {call}");
            let (feeds, record) = read_again(Some((number, fault))).await;
            assert_eq!(record.phase.name(), "succeeded", "{case}: {record:?}");
            assert_eq!(left(&feeds), left(&calm), "{case}");
        }
    }
}
