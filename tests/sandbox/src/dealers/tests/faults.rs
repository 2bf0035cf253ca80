//! Faults that are asked for, as the clients of the sites see them.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

use super::*;
use crate::faults::{CannedAnswer, Service};

fn on_site(endpoint: Endpoint) -> Target {
    Target { site: Some(SLUG.to_owned()), endpoint: Some(endpoint), ..Target::default() }
}

#[tokio::test(start_paused = true)]
async fn a_fault_can_be_limited_to_one_endpoint_of_one_site() {
    let stage = Stage::new(cars(3)).await;
    stage.control.put_site("harbor", &cars(3)).await.unwrap();
    stage.fault(FaultKind::status(500), on_site(Endpoint::Widget), Scope::calls(3)).await;
    let path = widget(Alias::All.name(), 0);
    let elsewhere = format!("{}/{path}", stage.control.site_url("harbor"));
    for _ in 0..3 {
        assert_eq!(stage.get(&path).await.status(), 500);
        assert_eq!(stage.http.get(&elsewhere).send().await.unwrap().status(), 200);
        assert_eq!(stage.get("").await.status(), 200);
    }
    assert_eq!(stage.get(&path).await.status(), 200);
    assert_eq!(stage.count(Endpoint::Widget, 500).await, 3);
    let counts = stage.control.call_counts().await.unwrap();
    assert_eq!(counts.of_site("harbor", Endpoint::Widget), 3);
    assert_eq!(
        (counts.of_site(SLUG, Endpoint::Widget), counts.of_site(SLUG, Endpoint::Home)),
        (4, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_collapse_affects_only_lists() {
    let stage = Stage::new(cars(3)).await;
    let id = stage.fault(FaultKind::Collapse, Target::default(), Scope::calls(1)).await;
    assert_eq!(stage.get("").await.status(), 200);
    let links = format!("{}/links", stage.sandbox.api_url());
    let links = stage.http.get(links).header("apikey", "local-key").send().await.unwrap();
    assert_eq!(links.status(), 200);
    assert_eq!(stage.control.faults().await.unwrap()[0].struck, 0);
    let list = stage.list(Alias::All.name(), 0).await;
    assert_eq!((vins(&list).len(), &list["pageInfo"]["totalCount"]), (0, &json!(0)));
    assert_eq!(vins(&stage.list(Alias::All.name(), 0).await).len(), 3);
    let call = stage.control.calls().await.unwrap().remove(2);
    assert_eq!((call.status, call.fault.as_deref()), (Some(200), Some("collapse")));
    stage.control.remove_fault(id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn bot_walls_error_pages_and_rate_limits_replace_responses() {
    let stage = Stage::new(cars(3)).await;
    let car = stage.cars().await.remove(1);
    let on_page = Target { vin: Some(car.vin.to_ascii_lowercase()), ..Target::default() };
    stage.fault(FaultKind::Challenge, on_page, Scope::calls(1)).await;
    let html = CannedAnswer { status: 200, html: true, ..CannedAnswer::default() };
    stage.fault(FaultKind::Status(html), on_site(Endpoint::Widget), Scope::calls(1)).await;
    let busy = CannedAnswer { status: 429, retry_after: Some(7), ..CannedAnswer::default() };
    stage.fault(FaultKind::Status(busy), on_site(Endpoint::Home), Scope::calls(1)).await;

    let other = stage.cars().await.remove(0);
    assert_eq!(stage.get(&other.path).await.status(), 200);
    let blocked = stage.get(&car.path).await;
    assert_eq!(blocked.status(), StatusCode::FORBIDDEN);
    assert!(blocked.text().await.unwrap().contains("challenge-form"));
    let call = stage.control.calls().await.unwrap().remove(1);
    assert_eq!(call.visit.unwrap().vin, Some(car.vin));

    let page = stage.get(&widget(Alias::All.name(), 0)).await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let limit = stage.get("").await;
    assert_eq!(
        (limit.status().as_u16(), &limit.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_site_delays_its_responses() {
    let stage = Stage::new(cars(3)).await;
    let dealers = Target { service: Some(Service::Dealers), ..Target::default() };
    stage.fault(FaultKind::Latency(30_000), dealers, Scope::for_ms(40_000)).await;
    let started = Instant::now();
    assert_eq!(stage.get("").await.status(), 200);
    assert_eq!(started.elapsed().as_secs(), 30);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(stage.get("").await.status(), 200);
    assert_eq!(started.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_is_listed_with_its_subject_until_it_is_released() {
    let stage = Stage::new(cars(3)).await;
    stage.fault(FaultKind::Hang, on_site(Endpoint::Widget), Scope::calls(1)).await;
    let url = format!("{}/{}", stage.control.site_url(SLUG), widget(Alias::Used.name(), 2));
    let call = tokio::spawn(stage.http.get(url).send());
    while stage.control.held().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let held = stage.control.held().await.unwrap().remove(0);
    let expected = Visit {
        site: SLUG.to_owned(),
        endpoint: Endpoint::Widget,
        vin: None,
        alias: Some(Alias::Used.name().to_owned()),
        start: Some(2),
    };
    assert_eq!((held.visit, held.fault.as_str()), (Some(expected), "hang"));
    assert_eq!(stage.control.release_held().await.unwrap(), 1);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_share_strikes_the_same_pages_for_the_same_seed() {
    let struck = async || {
        let stage = Stage::new(SiteSettings { page_cap: 1, ..cars(40) }).await;
        let scope = Scope::share(0.3, 7);
        stage.fault(FaultKind::status(500), on_site(Endpoint::Widget), scope).await;
        let mut struck = Vec::new();
        for start in 0..40 {
            if stage.get(&widget(Alias::All.name(), start)).await.status() == 500 {
                struck.push(start);
            }
        }
        struck
    };
    let first = struck().await;
    assert!((1..40).contains(&first.len()), "{first:?}");
    assert_eq!(struck().await, first);
}

#[tokio::test(start_paused = true)]
async fn a_call_to_an_unknown_site_is_recorded_and_spends_no_fault() {
    let stage = Stage::new(cars(3)).await;
    stage.fault(FaultKind::status(500), Target::default(), Scope::calls(1)).await;
    let url = stage.control.site_url("nowhere");
    assert_eq!(stage.http.get(url).send().await.unwrap().status(), 404);
    assert_eq!(stage.control.faults().await.unwrap()[0].struck, 0);
    let counts = stage.control.call_counts().await.unwrap();
    assert_eq!(counts.of_site("nowhere", Endpoint::Home), 1);
    let stray = stage.http.get(format!("{}/stray", stage.sandbox.url())).send().await.unwrap();
    assert_eq!(stray.status(), 404);
    assert_eq!(stage.control.calls().await.unwrap().len(), 1, "a stray call is for nobody");
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_shortener_leave_the_sites_alone() {
    let stage = Stage::new(cars(3)).await;
    let links = Target { service: Some(Service::Rebrandly), ..Target::default() };
    stage.fault(FaultKind::status(500), links, Scope::calls(1)).await;
    assert_eq!(stage.get("").await.status(), 200);
    let url = format!("{}/links", stage.sandbox.api_url());
    let response = stage.http.get(url).header("apikey", "local-key").send().await.unwrap();
    assert_eq!(response.status(), 500);
    let counts = stage.control.call_counts().await.unwrap();
    assert_eq!((counts.total, counts.of("GET", Some(500))), (1, 1));
    assert_eq!(stage.count(Endpoint::Home, 200).await, 1);
}
