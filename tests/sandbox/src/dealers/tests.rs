//! Dealer sites as their clients see them.

mod faults;

use std::collections::{BTreeMap, HashSet};

use reqwest::Response;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::client::{Client, ClientError};
use crate::faults::{Fault, FaultKind, Scope, Target};
use crate::in_process::InProcess;
use crate::settings::Settings;
use crate::test_http::TestHttp;

const SLUG: &str = "lake-side";

/// The number of pages after which a test stops reading a list that does not end.
const MOST_PAGES: usize = 20;

/// A sandbox with a site, its control client, and a client of the site.
struct Stage {
    sandbox: InProcess,
    control: Client,
    http: TestHttp,
}

impl Stage {
    async fn new(settings: SiteSettings) -> Self {
        let sandbox = InProcess::start(Settings::default(), 1_767_225_600_000);
        let control = sandbox.client();
        control.put_site(SLUG, &settings).await.unwrap();
        Self { control, http: TestHttp(sandbox.clone()), sandbox }
    }

    async fn cars(&self) -> Vec<Car> {
        self.control.cars(SLUG).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        let url = format!("{}/{path}", self.control.site_url(SLUG));
        self.http.get(url).send().await.unwrap()
    }

    async fn page(&self, car: &Car) -> String {
        let response = self.get(&car.path).await;
        assert_eq!(response.status(), 200, "{}", car.path);
        response.text().await.unwrap()
    }

    async fn list(&self, alias: &str, start: usize) -> Value {
        self.get(&widget(alias, start)).await.json().await.unwrap()
    }

    async fn post(&self, body: &Value) -> Response {
        let url = format!("{}/api/widget/ws-inv-data/getInventory", self.control.site_url(SLUG));
        self.http.post(url).json(body).send().await.unwrap()
    }

    async fn change(&self, change: SiteChange) {
        self.control.change_site(SLUG, &change).await.unwrap();
    }

    async fn fault(&self, kind: FaultKind, on: Target, scope: Scope) -> u64 {
        let fault = Fault { kind, on, scope, after_work: false };
        self.control.add_fault(&fault).await.unwrap()
    }

    /// The number of calls to this endpoint that were answered with this status.
    async fn count(&self, endpoint: Endpoint, status: u16) -> u64 {
        let counts = self.control.call_counts().await.unwrap();
        counts.of_site_answered(SLUG, endpoint, Some(status))
    }
}

fn cars(cars: u32) -> SiteSettings {
    SiteSettings { cars, ..SiteSettings::default() }
}

fn widget(alias: &str, start: usize) -> String {
    format!("apis/widget/{alias}:inventory-data-bus1/getInventory?start={start}&pageSize=100")
}

fn vins(list: &Value) -> Vec<String> {
    let vehicles = list["inventory"].as_array().unwrap();
    vehicles.iter().map(|vehicle| vehicle["vin"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_feed_is_read_completely_by_counting_the_received_entries() {
    let stage = Stage::new(cars(100)).await;
    let mut read = Vec::new();
    for _ in 0..MOST_PAGES {
        let list = stage.list(Alias::All.name(), read.len()).await;
        assert_eq!(list["pageInfo"]["totalCount"], 100);
        let page = vins(&list);
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    let there: Vec<String> = stage.cars().await.into_iter().map(|car| car.vin).collect();
    assert_eq!(read, there);
    assert_eq!(read.iter().collect::<HashSet<_>>().len(), 100);
    let calls = stage.control.calls().await.unwrap();
    let starts: Vec<_> = calls.iter().map(|call| call.visit.as_ref().unwrap().start).collect();
    assert_eq!(starts, [Some(0), Some(35), Some(70), Some(100)]);
    assert_eq!(stage.count(Endpoint::Widget, 200).await, 4);
    assert_eq!(stage.control.call_counts().await.unwrap().total, 0, "no call was for a link");
}

#[tokio::test(start_paused = true)]
async fn the_newer_endpoint_requires_the_id_on_the_home_page() {
    let stage = Stage::new(cars(40)).await;
    let home = stage.get("").await.text().await.unwrap();
    let (_, rest) = home.split_once("\"siteId\":\"").unwrap();
    let site_id = rest.split_once('"').unwrap().0;
    let ask = |site_id: &str, alias: &str| {
        json!({
            "siteId": site_id,
            "pageAlias": alias,
            "widgetName": "ws-inv-data",
            "inventoryParameters": {"start": ["35"]},
            "preferences": {"pageSize": "100", "listing.config.id": "auto-all"},
        })
    };
    let all = Alias::All.name();
    let list: Value = stage.post(&ask(site_id, all)).await.json().await.unwrap();
    assert_eq!(vins(&list), vins(&stage.list(all, 35).await));
    assert_eq!(vins(&list).len(), 5);
    for wrong in [ask("another", all), ask(site_id, "INVENTORY_LISTING_AUTO")] {
        let response = stage.post(&wrong).await;
        assert_eq!(response.status(), 200);
        let list: Value = response.json().await.unwrap();
        assert_eq!((vins(&list).len(), &list["pageInfo"]["totalCount"]), (0, &json!(0)));
    }
    assert_eq!(stage.post(&json!([])).await.status(), 400);
    assert_eq!(stage.count(Endpoint::InventoryPost, 200).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_alias_gives_an_empty_list_and_no_error() {
    let settings = SiteSettings { aliases: vec![Alias::New, Alias::Used], ..cars(40) };
    let stage = Stage::new(settings).await;
    for alias in [Alias::All.name(), "INVENTORY_LISTING_DEFAULT_AUTO_TRUCKS"] {
        let list = stage.list(alias, 0).await;
        assert_eq!((vins(&list).len(), &list["pageInfo"]["totalCount"]), (0, &json!(0)));
    }
    assert_eq!(vins(&stage.list(Alias::New.name(), 0).await).len(), 20);
    assert_eq!(stage.count(Endpoint::Widget, 200).await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_the_site_lacks_is_not_found() {
    let stage = Stage::new(SiteSettings { widget: false, ..cars(3) }).await;
    let all = Alias::All.name();
    assert_eq!(stage.get(&widget(all, 0)).await.status(), 404);
    let site_id = stage.control.sites().await.unwrap().remove(0).site_id;
    let body = json!({"siteId": site_id, "pageAlias": all});
    let list: Value = stage.post(&body).await.json().await.unwrap();
    assert_eq!(vins(&list).len(), 3);
    let change =
        SiteChange { widget: Some(true), inventory_post: Some(false), ..SiteChange::default() };
    stage.change(change).await;
    assert_eq!(vins(&stage.list(all, 0).await).len(), 3);
    assert_eq!(stage.post(&body).await.status(), 404);
}

#[tokio::test(start_paused = true)]
async fn a_relative_link_leads_to_the_page_from_either_address() {
    let stage = Stage::new(cars(3)).await;
    let car = stage.cars().await.remove(0);
    let by_path = Url::parse(&stage.control.site_url(SLUG)).unwrap();
    let list = stage.list(Alias::All.name(), 0).await;
    let page = by_path.join(list["inventory"][0]["link"].as_str().unwrap()).unwrap();
    let html = stage.http.get(page).send().await.unwrap().text().await.unwrap();
    assert!(html.contains(&car.vin));

    // Most machines cannot resolve the name, so the call gives it only in the header.
    let host = format!("{SLUG}.localhost:{}", by_path.port().unwrap());
    let by_host = async |path: &str| {
        let url = format!("{}{path}", stage.sandbox.url());
        stage.http.get(url).header("host", &host).send().await.unwrap()
    };
    let list: Value =
        by_host(&format!("/{}", widget(Alias::All.name(), 0))).await.json().await.unwrap();
    let link = list["inventory"][0]["link"].as_str().unwrap();
    assert_eq!(link, format!("/{}", car.path));
    let html = by_host(link).await.text().await.unwrap();
    assert!(html.contains(&car.vin) && html.contains(&host), "{html}");
    assert_eq!(by_host("/").await.status(), 200);
    assert_eq!(stage.count(Endpoint::Detail, 200).await, 2, "both ways count as one site");
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_page_is_not_sent_again() {
    let stage = Stage::new(cars(3)).await;
    let cars = stage.cars().await;
    let first = stage.get(&cars[0].path).await;
    let (etag, modified) =
        (first.headers()["etag"].clone(), first.headers()["last-modified"].clone());
    assert_eq!(modified, "Fri, 01 Aug 2025 00:00:00 GMT");
    let url = format!("{}/{}", stage.control.site_url(SLUG), cars[0].path);
    let ask = |name: &str, value: &reqwest::header::HeaderValue| {
        stage.http.get(&url).header(name, value.clone()).send()
    };
    let second = ask("if-none-match", &etag).await.unwrap();
    assert_eq!((second.status().as_u16(), &second.headers()["etag"]), (304, &etag));
    assert!(!second.headers().contains_key("content-type"));
    assert_eq!(second.bytes().await.unwrap().len(), 0);
    assert_eq!(ask("if-modified-since", &modified).await.unwrap().status(), 304);

    let prices = BTreeMap::from([(cars[0].vin.clone(), 12_345)]);
    stage.change(SiteChange { prices, ..SiteChange::default() }).await;
    let changed = ask("if-none-match", &etag).await.unwrap();
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.headers()["etag"], etag);
    assert!(changed.text().await.unwrap().contains("$12,345"));
    assert_eq!(ask("if-modified-since", &modified).await.unwrap().status(), 200);
    assert_eq!(stage.count(Endpoint::Detail, 304).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_changed_price_shows_everywhere_and_on_no_other_car() {
    let stage = Stage::new(cars(3)).await;
    let cars = stage.cars().await;
    let all = Alias::All.name();
    let (before, other) = (stage.list(all, 0).await, stage.page(&cars[1]).await);
    let prices = BTreeMap::from([(cars[0].vin.clone(), 12_345)]);
    stage.change(SiteChange { prices, ..SiteChange::default() }).await;
    let after = stage.list(all, 0).await;
    assert_eq!(after["inventory"][0]["trackingPricing"]["internetPrice"], 12_345);
    assert_eq!(after["inventory"][1], before["inventory"][1]);
    let page = stage.page(&cars[0]).await;
    for price in ["\"internetPrice\":12345", "\"price\":12345", "content=\"12345\""] {
        assert!(page.contains(price), "{price}: {page}");
    }
    assert_eq!(stage.page(&cars[1]).await, other);
}

#[tokio::test(start_paused = true)]
async fn removed_cars_have_no_page_and_a_collapse_leaves_the_pages() {
    let stage = Stage::new(cars(10)).await;
    let cars = stage.cars().await;
    let all = Alias::All.name();
    let remove = cars[..7].iter().map(|car| car.vin.clone()).collect();
    stage.change(SiteChange { remove, ..SiteChange::default() }).await;
    let list = stage.list(all, 0).await;
    assert_eq!((vins(&list).len(), &list["pageInfo"]["totalCount"]), (3, &json!(3)));
    assert_eq!(stage.get(&cars[0].path).await.status(), 404);

    let collapsed = |collapsed| SiteChange { collapsed: Some(collapsed), ..SiteChange::default() };
    stage.change(collapsed(true)).await;
    let list = stage.list(all, 0).await;
    assert_eq!((vins(&list).len(), &list["pageInfo"]["totalCount"]), (0, &json!(0)));
    assert!(stage.page(&cars[9]).await.contains(&cars[9].vin));
    stage.change(collapsed(false)).await;
    assert_eq!(vins(&stage.list(all, 0).await).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn twists_change_only_the_pages_of_their_cars() {
    let stage = Stage::new(cars(4)).await;
    let cars = stage.cars().await;
    let twists = [Twist::BrokenJsonLd, Twist::Bare, Twist::OtherVin];
    let twists = cars.iter().map(|car| car.vin.clone()).zip(twists).collect();
    stage.change(SiteChange { twists: Some(twists), ..SiteChange::default() }).await;

    let json_ld = |html: &str| {
        let block = html.rsplit_once("<script type=\"application/ld+json\">").unwrap().1;
        serde_json::from_str::<Value>(block.split_once("</script>").unwrap().0)
    };
    let broken = stage.page(&cars[0]).await;
    assert!(json_ld(&broken).is_err(), "{broken}");
    assert!(broken.contains("DDC.dataLayer['vehicles']") && broken.contains(&cars[0].vin));
    let bare = stage.page(&cars[1]).await;
    assert!(!bare.contains(&cars[1].vin) && !bare.contains("ld+json"), "{bare}");
    let other = json_ld(&stage.page(&cars[2]).await).unwrap();
    let vin = other["vehicleIdentificationNumber"].as_str().unwrap();
    assert!(vin.len() == 17 && cars.iter().all(|car| car.vin != vin), "{vin}");
    let sound = json_ld(&stage.page(&cars[3]).await).unwrap();
    assert_eq!(sound["vehicleIdentificationNumber"], json!(cars[3].vin));
}

#[tokio::test(start_paused = true)]
async fn the_control_api_lists_the_sites_and_refuses_invalid_requests() {
    let stage = Stage::new(cars(3)).await;
    let sites = stage.control.sites().await.unwrap();
    assert_eq!((sites.len(), sites[0].cars, &sites[0].settings), (1, 3, &cars(3)));
    assert_eq!(sites[0].path, format!("/dealers/{SLUG}"));
    let refused = stage.control.put_site("Lake", &cars(3)).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 400, .. }), "{refused}");
    let greedy = SiteSettings { page_cap: 0, ..cars(3) };
    let refused = stage.control.put_site(SLUG, &greedy).await.unwrap_err();
    assert!(refused.to_string().contains("page_cap: must be from 1"), "{refused}");
    let missing = stage.control.change_site("nowhere", &SiteChange::default()).await.unwrap_err();
    assert!(matches!(missing, ClientError::Refused { status: 404, .. }), "{missing}");
    let missing = stage.control.cars("nowhere").await.unwrap_err();
    assert!(matches!(missing, ClientError::Refused { status: 404, .. }), "{missing}");
    assert_eq!(stage.control.calls().await.unwrap(), [], "control counts no calls");
}
