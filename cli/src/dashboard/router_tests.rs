use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use evenkeel::{
    base::time::{Clock, Time},
    dependency::breaker::{Breaker, State as BreakerState},
    message::{Flaw, RejectedMessage, Rejection},
    record::{Counters, FailedAttempt, Phase, Record, Work, journal::JournalEntry},
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use tower::ServiceExt as _;

use super::*;
use crate::{
    dashboard::{badge::Badge, reader::Reader, security::Guard},
    deployment::Deployment,
    memory::MemoryPorts,
    ports::{Called, DueItem, Kept},
    stack,
    stack::Target,
};

#[path = "router_tests/acts.rs"]
mod acts_tests;
#[path = "router_tests/dependencies.rs"]
mod dependencies_tests;
#[path = "router_tests/hostile.rs"]
mod hostile_tests;

const NOW: Time = Time::from_millis(1_800_000_000_000);

const PORT: u16 = 8_770;

#[path = "router_tests/job.rs"]
mod job_tests;
#[path = "router_tests/lists.rs"]
mod lists_tests;
#[path = "router_tests/numbers.rs"]
mod numbers_tests;
#[path = "router_tests/overview.rs"]
mod overview_tests;
#[path = "router_tests/pins.rs"]
mod pins_tests;
#[path = "router_tests/requests.rs"]
mod requests_tests;
#[path = "router_tests/tabs.rs"]
mod tabs_tests;
#[path = "router_tests/unanswered.rs"]
mod unanswered_tests;

/// A clock that tests move by tokio's.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Time {
        NOW + self.0.elapsed()
    }
}

async fn deployment(ports: &MemoryPorts) -> Deployment {
    stack::find(ports, &Target::default()).await.unwrap()
}

/// The token of the pages.
const TOKEN: &str = "00000000000000010000000000000002";

/// The answer to a request. Of a stream that does not end, the text is empty.
async fn answer(ports: &MemoryPorts, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    answer_of(ports, Some(TOKEN), request).await
}

/// The same of a dashboard with this token. Without one it is read-only.
async fn answer_of(
    ports: &MemoryPorts,
    token: Option<&str>,
    request: Request<Body>,
) -> (StatusCode, HeaderMap, String) {
    let stack = deployment(ports).await;
    let (questions, asks) = mpsc::channel(4);
    let badge = Badge::of(&stack, true, token.is_none());
    let desk = Desk::new(questions, badge, Guard::new(PORT, token));
    let clock = Virtual(Instant::now());
    let reader = Reader::new(ports, &stack, &clock, desk.ticks());
    let app = router(desk);
    let response = tokio::select! {
        biased;
        () = reader.run(asks) => panic!("the reader ends only with the server"),
        response = app.oneshot(request) => response.unwrap(),
    };
    let (head, body) = response.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap());
    let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
    let text = if is_stream {
        String::new()
    } else {
        String::from_utf8(to_bytes(body, 1 << 24).await.unwrap().to_vec()).unwrap()
    };
    (head.status, head.headers, text)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn page(ports: &MemoryPorts, path: &str) -> String {
    let (status, _, text) =
        answer(ports, request("GET", path, &[("host", "localhost:8770")])).await;
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    text
}

fn ports() -> MemoryPorts {
    MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#)
}

/// What a page says beside this name, without its markup.
fn fact(page: &str, name: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("<dt>{name}</dt><dd>"))
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    let value = rest.split("</dd>").next().unwrap();
    value.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text).collect()
}

/// The chart with this id, with its legend and its table.
fn figure<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) = page
        .split_once(&format!("<figure id=\"{id}\">"))
        .unwrap_or_else(|| panic!("no {id}: {page}"));
    rest.split("</figure>").next().unwrap()
}

/// Every route: its path, its method, and the query or the form with which it answers. The tests below take each of
/// them.
const TABLE: [(&str, &str, &str); 18] = [
    ("/", "GET", ""),
    ("/queues", "GET", ""),
    ("/jobs", "GET", "class=c&group=g&dependency=d&fingerprint=f"),
    ("/job", "GET", "id=1"),
    ("/succeeded", "GET", "type=a"),
    ("/dependencies", "GET", ""),
    ("/errors", "GET", "since=1h"),
    ("/rejected", "GET", ""),
    ("/cars", "GET", "dealer=m"),
    ("/car", "GET", "dealer=m&vin=1"),
    ("/operations", "GET", ""),
    ("/operation", "GET", "id=9-a"),
    ("/confirm", "GET", "do=cancel&id=1"),
    ("/act", "POST", "do=retry&id=1&reason=mended"),
    ("/metrics", "GET", ""),
    ("/events", "GET", ""),
    ("/static/style.css", "GET", ""),
    ("/static/app.js", "GET", ""),
];

const HOST: (&str, &str) = ("host", "127.0.0.1:8770");
const OWN_SITE: (&str, &str) = ("sec-fetch-site", "same-origin");
const ORIGIN: (&str, &str) = ("origin", "http://127.0.0.1:8770");

const ENTRY: &str = r#"{"id":"9-a","at":1,"by":"","reason":"","act":{"do":"retry"},"state":"done",
    "counts":{"done":1}}"#;

/// A stack on which each route of the table has something to show, and whose operators' function answers once.
fn whole(route: &str) -> MemoryPorts {
    let preview = json!({ "dry_run": true, "as_of": 7, "count": 1, "more": false,
        "samples": ["a#g:1"], "takes_ms": 0 });
    let entry = serde_json::from_str(ENTRY).unwrap();
    let answer = if route == "/confirm" { preview } else { entry };
    ports()
        .with_record(&record("1", "{}", "gone"))
        .with_note("ops", "9-a", ENTRY)
        .with_other(car("1", "l"))
        .answering([Called::Answer(answer)])
}

/// A request as a page of the dashboard would send it, with these headers and this query or form.
fn sent(method: &str, path: &str, values: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let is_form = method == "POST";
    let target = match values {
        "" => path.to_owned(),
        _ if is_form => path.to_owned(),
        values => format!("{path}?{values}"),
    };
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !is_form {
        return request.body(Body::empty()).unwrap();
    }
    let kind = "application/x-www-form-urlencoded";
    request.header(CONTENT_TYPE, kind).body(Body::from(values.to_owned())).unwrap()
}

fn with_token(values: &str) -> String {
    format!("{values}&token={TOKEN}")
}

#[test]
fn the_table_has_every_route() {
    let routes: Vec<&str> = routes().into_iter().map(|(path, _)| path).collect();
    assert_eq!(TABLE.map(|(path, ..)| path).to_vec(), routes);
}

#[tokio::test]
async fn the_newest_successes_of_each_type_are_listed() {
    let ports = ports().with_succeeded("a", &[(NOW.before(Duration::from_mins(3)), "a#g:7")]);
    let shown = page(&ports, "/succeeded").await;
    assert!(shown.contains("/job?id=a%23g%3A7") && shown.contains("3 min ago"), "{shown}");
    let jobs = page(&ports, "/jobs").await;
    assert!(jobs.contains("href=\"/succeeded\""), "{jobs}");
}

#[tokio::test]
async fn every_answer_forbids_what_a_page_does_not_need() {
    let routes = TABLE.map(|(path, ..)| path);
    for route in routes.into_iter().chain(["/nothing", "/jobs?x=1"]) {
        let headers = [("host", "localhost:8770"), ("sec-fetch-site", "none")];
        let (status, headers, text) = answer(&ports(), request("GET", route, &headers)).await;
        assert!(!status.is_server_error(), "{route}: {text}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{route}");
        assert_eq!(headers["cache-control"], "no-store", "{route}");
        let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap());
        if kind.is_some_and(|kind| kind.starts_with("text/html")) {
            for inline in [" style=", " onclick=", " onload=", "javascript:"] {
                assert!(!text.contains(inline), "{route} has {inline}");
            }
            assert!(text.contains("<main") && text.contains("<h1>"), "{route}");
        }
    }
}

#[tokio::test]
async fn a_query_value_is_checked_and_the_page_says_what_was_expected() {
    let long = format!("/jobs?class={}", "x".repeat(5_001));
    for (path, status, part) in [
        ("/jobs?state=succeeded", 400, "expected one of queued"),
        ("/jobs?other=1", 400, "expected one of state"),
        ("/jobs?type=z", 400, "expected one of a"),
        ("/jobs?cursor=zz", 400, "cursor"),
        ("/jobs?since=soon", 400, "since"),
        ("/errors?since=-1", 400, "since"),
        ("/job?id=", 400, "id"),
        ("/car?dealer=d", 400, "vin"),
        ("/?x=1", 400, "expected one of none"),
        (&long, 400, "at most 5000 bytes"),
        ("/job?id=q%23nothing", 404, "no record"),
        ("/nothing", 404, "there is no such page"),
    ] {
        let request = request("GET", path, &[("host", "localhost:8770")]);
        let (found, _, text) = answer(&ports(), request).await;
        assert_eq!(found.as_u16(), status, "{path}");
        assert!(text.contains(part), "{path}: {text}");
    }
}

fn record(id: &str, payload: &str, text: &str) -> Record {
    let failed = FailedAttempt {
        at: NOW.as_millis() - 60_000,
        class: "transient".into(),
        code: "http_503".into(),
        message: text.into(),
    };
    Record {
        key: format!("a#g:{id}"),
        fence: 1,
        owner: "o".into(),
        message_id: "m".into(),
        counters: Counters { attempts: 3, ..Counters::default() },
        phase: Phase::Dead { at: NOW.before(Duration::from_secs(30)), why: text.into() },
        work: Work {
            payload: payload.into(),
            queue: "arn:aws:sqs:eu-west-1:123456789012:s-a".into(),
            dependency: text.into(),
            retention: Duration::from_hours(1),
            created_at: NOW.before(Duration::from_mins(2)),
            first_created_at: None,
            deadline: None,
            group: Some(text.into()),
            trace: None,
        },
        cursor: None,
        provisional: None,
        parking: None,
        last_failure: None,
        history: vec![failed],
        journal: vec![entry(60, text)],
    }
}

/// An entry of a job's journal, so many seconds ago.
fn entry(ago_s: u64, what: &str) -> JournalEntry {
    let at = NOW.before(Duration::from_secs(ago_s)).as_millis();
    JournalEntry { at, what: what.into(), ..JournalEntry::default() }
}

/// A car of the dealer `m`.
fn car(vin: &str, text: &str) -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("dealer".to_owned(), json!("m")),
        ("vin".to_owned(), json!(format!("car#{vin}"))),
        ("list".to_owned(), json!(text)),
        ("data".to_owned(), json!(json!({ "title": text }).to_string())),
    ])
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_shown_with_its_cause_and_its_next_probe() {
    let open = BreakerState::Open { retry_at: NOW + Duration::from_secs(40), wait: Duration::ZERO };
    let breaker = Breaker {
        generation: 4,
        state: open,
        why: "9 of 10 calls failed".into(),
        ..Breaker::default()
    };
    let ports = ports().with_breaker("d", breaker);
    let text = page(&ports, "/dependencies").await;
    for part in ["9 of 10 calls failed", "next probe", "in 40 s", ">open<"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let overview = page(&ports, "/").await;
    assert!(overview.contains("breaker open") && overview.contains("sweeper silent"), "{overview}");
    let metrics = page(&ports, "/metrics").await;
    assert!(metrics.contains("evenkeel_breaker_refuses_calls{dependency=\"d\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_job_is_shown_with_its_timeline_and_without_secrets() {
    let payload = r#"{"url":"https://u:p@shop.example/","api_key":"k-1"}"#;
    let ports = ports().with_record(&record("1", payload, "gone for good"));
    let text = page(&ports, "/job?id=1").await;
    for part in ["transient · http_503", "gone for good", "https://***@shop.example/", "3 attempts"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("k-1") && !text.contains("u:p@"), "{text}");
    let list = page(&ports, "/jobs?state=dead&type=a&group=gone+for+good").await;
    assert!(list.contains("/job?id=a%23g%3A1"), "{list}");
    let other = page(&ports, "/jobs?state=dead&group=other").await;
    assert!(other.contains("No job on the index matches"), "{other}");
}

#[tokio::test]
async fn deferrals_and_wake_ups_stand_on_the_timeline_beside_attempts() {
    let mut job = record("1", "{}", "gone for good");
    job.journal = vec![
        entry(50, "parked, due in 300 s: breaker_open"),
        entry(40, "woken: released by the sweeper"),
        JournalEntry { op: Some("op".into()), ..entry(35, "retry: the key was renewed") },
    ];
    let text = page(&ports().with_record(&job), "/job?id=1").await;
    let (_, timeline) = text.split_once("id=\"timeline\"").unwrap();
    let parts = [
        "transient · http_503",
        "parked, due in 300 s",
        "breaker_open",
        "woken",
        "released by the sweeper",
        "an operator",
        "retry: the key was renewed",
    ];
    let places = parts.map(|part| timeline.find(part));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}: {timeline}");
}
