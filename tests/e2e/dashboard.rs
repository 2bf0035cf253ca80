//! The dashboard's own process beside a local stack: what people on call see and do when a site turns us away.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, ORIGIN},
};
use sandbox::{
    Client as Control, Fault, FaultKind, Scope, Service, Target,
    dealers::{Endpoint, SiteSettings},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::form_urlencoded::Serializer;
use xtask::{
    artifact::{self, Profile},
    aws::{
        client::plain_http,
        dynamodb,
        sqs::{self, Outgoing},
    },
    local::{Options, Stack},
    workspace::Workspace,
};

use super::{PATIENCE, command::evenkeel, eventually};

/// How long after the table says that a breaker is open a page must show it, and how long after an act what it has
/// changed.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

const SLUG: &str = "walled";
const DEPENDENCY: &str = "page/walled.localhost";
const REASON: &str = "the dealer knows us now";
const HALF_AN_HOUR_MS: u64 = 30 * 60_000;

/// A dashboard as a browser uses it.
struct Browser {
    http: reqwest::Client,
    url: String,
}

impl Browser {
    fn at(url: &str) -> Self {
        Self { http: plain_http().unwrap(), url: url.to_owned() }
    }

    /// A tab: as long as it is there, the dashboard reads by itself.
    async fn tab(&self) -> Response {
        let events = self.http.get(format!("{}/events", self.url)).timeout(PATIENCE * 3);
        events.send().await.unwrap().error_for_status().unwrap()
    }

    async fn page(&self, path: &str) -> (StatusCode, String) {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// Waits until a page shows all of these texts, and returns it.
    async fn shows(&self, path: &str, texts: &[&str]) -> String {
        let mut found = String::new();
        eventually(&format!("{path} shows {texts:?}"), async || {
            (_, found) = self.page(path).await;
            texts.iter().all(|text| found.contains(text))
        })
        .await;
        found
    }

    /// Waits until a page shows all of these texts that is asked for within [`SHOWN_WITHIN`] of this call.
    async fn shows_soon(&self, path: &str, texts: &[&str]) {
        let changed = Instant::now();
        loop {
            let asked_after = changed.elapsed();
            let (_, found) = self.page(path).await;
            if texts.iter().all(|text| found.contains(text)) {
                return;
            }
            assert!(asked_after < SHOWN_WITHIN, "{path} does not show {texts:?}: {found}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends a form as a page of this dashboard does, and goes where the answer leads.
    async fn send(&self, fields: &[(String, String)]) -> Response {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.http
            .post(format!("{}/act", self.url))
            .header(ORIGIN, &self.url)
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap()
    }
}

/// Most pages that may be reached: no list leads to ever more of them.
const MOST_PAGES: usize = 200;

/// Every page of the stack's dashboard that the overview or a job's page leads to, by its path. Each page answers.
pub(super) async fn every_page(stack: &Stack, job: &str) -> BTreeMap<String, String> {
    let workspace = Workspace::find().await.unwrap();
    let built = artifact::build(&workspace, Profile::Dev).await.unwrap();
    let dashboard = stack.dashboard(built.path("evenkeel").unwrap()).await.unwrap();
    let browser = Browser::at(dashboard.url());
    let tab = browser.tab().await;
    browser.shows("/dependencies", &["rebrandly"]).await;
    let query = Serializer::new(String::new()).append_pair("id", job).finish();
    let mut ahead =
        BTreeSet::from(["/".to_owned(), "/metrics".to_owned(), format!("/job?{query}")]);
    let mut pages = BTreeMap::new();
    while let Some(path) = ahead.pop_first() {
        assert!(pages.len() < MOST_PAGES, "more than {MOST_PAGES} pages, such as {path}");
        let (status, text) = browser.page(&path).await;
        assert!(status.is_success(), "{path}: {status}: {text}");
        let links = text.split("href=\"/").skip(1).filter_map(|rest| rest.split('"').next());
        let links =
            links.map(|link| format!("/{}", link.replace("&amp;", "&").replace("&#38;", "&")));
        // Those ask whether to change something, and style the pages.
        let links =
            links.filter(|link| !link.starts_with("/confirm") && !link.starts_with("/static"));
        ahead.extend(links.filter(|link| *link != path && !pages.contains_key(link)));
        pages.insert(path, text);
    }
    drop(tab);
    dashboard.stop().await.unwrap();
    pages
}

/// What the form of a page sends besides what people write into it.
fn hidden(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    let field = |input: &str| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        (name.to_owned(), rest.split('"').next().unwrap().to_owned())
    };
    inputs.map(field).collect()
}

/// The item of the site's breaker; null while there is none.
async fn breaker(stack: &Stack) -> Value {
    let table = stack.output("ControlTableName").unwrap();
    let key = json!({ "pk": format!("breaker#{DEPENDENCY}"), "sk": "state" });
    dynamodb::get(stack.client(), table, &key).await.unwrap().unwrap_or_default()
}

/// A site that turns away who reads its pages, and a job that reads one.
async fn meet_a_wall(stack: &Stack) {
    let control = Control::new(stack.sandbox_url());
    let settings = SiteSettings { cars: 1, ..SiteSettings::default() };
    control.put_site(SLUG, &settings).await.unwrap();
    let wall = Fault {
        kind: FaultKind::Challenge,
        on: Target {
            service: Some(Service::Dealers),
            site: Some(SLUG.to_owned()),
            endpoint: Some(Endpoint::Detail),
            ..Target::default()
        },
        scope: Scope::calls(1_000),
        after_work: false,
    };
    control.add_fault(&wall).await.unwrap();
    let car = control.cars(SLUG).await.unwrap().remove(0);
    let url = format!("{}/{}", control.site_origin(SLUG), car.path);
    let payload = json!({ "dealer_slug": SLUG, "vin": car.vin, "url": url });
    let body = json!({
        "version": 1, "type": "product_detail_scraping", "id": "walled", "payload": payload,
    });
    let queue = stack.output("ProductDetailScrapingQueueUrl").unwrap();
    sqs::send_batch(stack.client(), queue, &[Outgoing::new(body.to_string())]).await.unwrap();
}

/// The latest entry of the operations log, and how many there are.
async fn log(stack: &Stack) -> (Value, usize) {
    let log = evenkeel(stack, &["ops", "log"]).await;
    let entries = log["operations"].as_array().unwrap();
    (entries.first().cloned().unwrap_or_default(), entries.len())
}

/// It is bound to 127.0.0.1: other addresses of this machine, of which 127.0.0.2 is one on Linux, lead nowhere.
async fn listens_on_one_address_only(browser: &Browser) {
    let other = browser.url.replace("127.0.0.1", "127.0.0.2");
    assert_ne!(other, browser.url);
    let refused = browser.http.get(other).timeout(SHOWN_WITHIN).send().await.unwrap_err();
    assert!(refused.is_connect() || refused.is_timeout(), "{refused:?}");
}

/// What the command changes while a dashboard is open: the job that waits behind the wall, and a limiter's pace.
async fn changes_are_shown(stack: &Stack, browser: &Browser) {
    let job = "/job?id=walled";
    browser.shows(job, &[">parked<"]).await;
    evenkeel(stack, &["jobs", "cancel", "walled", "--reason", "withdrawn"]).await;
    browser.shows_soon(job, &["It was cancelled", ">cancelled<"]).await;
    // Limiters are read every two seconds, and how long a read takes is the emulator's affair.
    evenkeel(stack, &["limiter", "set", "rebrandly", "--pace", "50", "--reason", "asked"]).await;
    browser.shows("/dependencies", &["<dt>pace</dt>", "50 % of the rate"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breaker_is_shown_at_once_and_forced_closed_from_the_page_unless_it_is_read_only() {
    let workspace = Workspace::find().await.unwrap();
    let options = Options { profile: Profile::Dev, ..Options::default() };
    let stack = Stack::start(&workspace, &options).await.unwrap();
    let built = artifact::build(&workspace, Profile::Dev).await.unwrap();
    let binary = built.path("evenkeel").unwrap();
    let dashboard = stack.dashboard(binary).await.unwrap();
    let browser = Browser::at(dashboard.url());
    let tab = browser.tab().await;
    browser.shows("/dependencies", &["rebrandly", ">closed<"]).await;
    listens_on_one_address_only(&browser).await;

    meet_a_wall(&stack).await;
    eventually("the breaker is open", async || breaker(&stack).await["state"] == "open").await;
    let opened = Instant::now();
    let shown = [DEPENDENCY, ">open<", "bot_wall", "<dt>next probe</dt>"];
    browser.shows("/dependencies", &shown).await;
    let took = opened.elapsed();
    assert!(took <= SHOWN_WITHIN, "it is shown after {took:?}");
    browser.shows("/", &["breaker open", DEPENDENCY]).await;
    changes_are_shown(&stack, &browser).await;

    let ask = "/confirm?do=close&for=30m&dependency=page%2Fwalled.localhost";
    let asked = browser.shows(ask, &["name=\"as_of\"", "bot_wall"]).await;
    let mut form = hidden(&asked);
    form.push(("reason".to_owned(), REASON.to_owned()));
    let done = browser.send(&form).await;
    assert!(done.url().path() == "/operation" && done.status().is_success(), "{done:?}");
    let (entry, acts) = log(&stack).await;
    let act = &entry["act"];
    assert_eq!((&act["set"], &act["dependency"]), (&json!("close"), &json!(DEPENDENCY)), "{entry}");
    assert_eq!(entry["reason"], REASON);
    let lasts = act["until"].as_u64().unwrap() - entry["at"].as_u64().unwrap();
    assert!((HALF_AN_HOUR_MS - 60_000..=HALF_AN_HOUR_MS).contains(&lasts), "{entry}");
    let forced = breaker(&stack).await;
    assert_eq!((&forced["state"], &forced["until"]), (&json!("forced_closed"), &act["until"]));
    browser.shows("/dependencies", &["forced closed", "<dt>forced until</dt>", REASON]).await;
    browser.shows("/operations", &[REASON, entry["id"].as_str().unwrap()]).await;

    let read_only = stack.read_only_dashboard(binary).await.unwrap();
    let reader = Browser::at(read_only.url());
    reader.shows("/dependencies", &["forced closed"]).await;
    assert_eq!(reader.page(ask).await.0, StatusCode::FORBIDDEN);
    let refused = reader.send(&form).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().await.unwrap().starts_with("read-only: "));
    assert_eq!(breaker(&stack).await, forced);
    assert_eq!(acts, 3, "a limiter, a job, a breaker");
    let (latest, entries) = log(&stack).await;
    assert_eq!((&latest["id"], entries), (&entry["id"], acts));

    drop(tab);
    read_only.stop().await.unwrap();
    dashboard.stop().await.unwrap();
    stack.stop().await.unwrap();
}
