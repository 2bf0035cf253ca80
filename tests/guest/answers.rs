//! What sites answer besides pages: a robots.txt that is refused or overruled, and a 429.

use evenkeel::testing::LogLines;
use sandbox::{CannedAnswer, Endpoint};

use super::*;

/// Strikes the next `calls` calls for this part of the site.
async fn strike(bench: &Bench, endpoint: Endpoint, kind: FaultKind, calls: u64) {
    let on = Target { endpoint: Some(endpoint), ..Target::default() };
    let fault = Fault { kind, on, scope: Scope::calls(calls), after_work: false };
    bench.control().add_fault(&fault).await.unwrap();
}

/// RFC 9309, section 2.3.1.3: any 4xx means that there are no rules.
#[tokio::test(start_paused = true)]
async fn a_site_that_refuses_its_robots_txt_forbids_nothing() {
    for status in [401, 403, 404, 410] {
        let (bench, cars) = site(Some("User-agent: *\nDisallow: /\n"), 1).await;
        strike(&bench, Endpoint::Robots, FaultKind::status(status), 1).await;
        send_page(&bench, &cars[0]);
        bench.drain().await;
        let (robots, pages) = calls(&bench).await;
        assert_eq!((robots.len(), pages.len()), (1, 1), "{status}");
        let result = result(&page(&bench, &cars[0]));
        assert_eq!(result["without_page"], Value::Null, "{status}: {result}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_overrules_robots_txt_says_so_in_the_log() {
    let (bench, _) = site(Some("User-agent: *\nDisallow: /api\n"), 12).await;
    let lines = LogLines::default();
    let _guard = lines.collect();
    for (id, is_authorised) in [("plain", false), ("authorised", true)] {
        send_feed(&bench, id, &json!({"authorised": is_authorised}));
        bench.drain().await;
        let text = lines.text();
        let said: Vec<&str> =
            text.lines().filter(|line| line.contains("robots_overruled")).collect();
        assert_eq!(!said.is_empty(), is_authorised, "{text}");
        for line in said {
            let line: Value = serde_json::from_str(line).unwrap();
            let named = [&line["id"], &line["type"], &line["host"]];
            let host = format!("{SLUG}.localhost");
            let expected = ["dealer_com_feed#g:authorised", "dealer_com_feed", host.as_str()];
            assert_eq!(named.map(|field| field.as_str().unwrap()), expected, "{line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_that_asks_for_a_pause_is_left_alone_for_as_long() {
    let (bench, cars) = site(None, 40).await;
    send_page(&bench, &cars[0]);
    bench.drain().await;
    let retry_after = Some(120);
    let throttled = CannedAnswer { status: 429, retry_after, ..CannedAnswer::default() };
    strike(&bench, Endpoint::Detail, FaultKind::Status(throttled), 1).await;
    for car in &cars[1..] {
        send_page(&bench, car);
    }
    bench.drain().await;
    let pages = calls(&bench).await.1;
    let asked_at = pages.iter().find(|call| call.status == Some(429)).unwrap().at_ms;
    let after: Vec<u64> = pages.iter().map(|call| call.at_ms).filter(|at| *at > asked_at).collect();
    // Runs that have their slots already may still call, for as long as a slot is ahead.
    let meanwhile = |at: &&u64| **at > asked_at + 6_000 && **at < asked_at + 119_000;
    assert_eq!(after.iter().find(meanwhile), None, "asked at {asked_at}");
    assert!(after.iter().any(|at| *at >= asked_at + 119_000), "{after:?}");
    for car in &cars {
        let record = page(&bench, car);
        assert_eq!(result(&record)["without_page"], Value::Null, "{record:?}");
        assert!(record.counters.attempts <= 1, "no attempt is spent: {record:?}");
    }
}

/// A batch of pages of several hosts reserves the slots of all of them in one call.
#[tokio::test(start_paused = true)]
async fn a_batch_of_several_hosts_writes_its_limiters_in_one_call() {
    let bench = Bench::of(&[Kind::Pages]);
    let slugs: Vec<String> = (0..5).map(|n| format!("host-{n}")).collect();
    for slug in &slugs {
        let settings = SiteSettings { cars: 2, ..SiteSettings::default() };
        bench.control().put_site(slug, &settings).await.unwrap();
        bench.without_robots(slug).await;
    }
    for round in 0..3 {
        for slug in &slugs {
            for car in bench.control().cars(slug).await.unwrap() {
                let url = format!("{}/{}", bench.control().site_origin(slug), car.path);
                let payload = json!({"dealer_slug": slug, "vin": car.vin, "url": url});
                let id = format!("{slug}-{}-{round}", car.vin);
                let body = json!({"version": 1, "type": "product_detail_scraping", "id": id,
                    "payload": payload});
                bench.send(&body.to_string());
            }
        }
        let before = bench.faults.trace().len();
        bench.poll().await.unwrap();
        let trace = bench.faults.trace().split_off(before);
        let swaps: Vec<(&str, usize)> = trace
            .iter()
            .filter(|call| call.name.starts_with("swap_limiter"))
            .map(|call| (call.name, call.about.split(' ').count()))
            .collect();
        assert_eq!(swaps, [("swap_limiters", slugs.len())], "round {round}");
        tokio::time::advance(MINUTE).await;
    }
    bench.drain().await;
    assert!(bench.store.all(|record| record.phase.name() == "succeeded"));
}
