use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use evenkeel::{
    base::time::{Clock, Time},
    dependency::breaker::{Breaker, State as BreakerState},
    record::{Counters, FailedAttempt, Phase, Record, Work},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::*;
use crate::{
    dashboard::{badge::Badge, reader::Reader},
    deployment::Deployment,
    memory::MemoryPorts,
    ports::DueItem,
    stack,
    stack::Target,
};

const NOW: Time = Time::from_millis(1_800_000_000_000);

const PORT: u16 = 8_770;

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

/// The answer to a request. Of a stream that does not end, the text is empty.
async fn answer(ports: &MemoryPorts, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let stack = deployment(ports).await;
    let (questions, asks) = mpsc::channel(4);
    let desk = Desk::new(questions, Badge::of(&stack, true, true), PORT);
    let clock = Virtual(Instant::now());
    let reader = Reader::new(ports, &stack, &clock, desk.ticks());
    let app = router(desk);
    let response = tokio::select! {
        biased;
        () = reader.run(asks) => panic!("the reader ends only with the server"),
        response = app.oneshot(request) => response.unwrap(),
    };
    let (head, body) = response.into_parts();
    let is_stream = head.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/event-stream");
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

const ROUTES: [&str; 13] = [
    "/",
    "/queues",
    "/jobs",
    "/job?id=1",
    "/dependencies",
    "/errors",
    "/rejected",
    "/cars",
    "/car?dealer=d&vin=v",
    "/metrics",
    "/events",
    "/static/style.css",
    "/static/app.js",
];

/// A method, headers, and the status of the answer.
type Refusal = (&'static str, &'static [(&'static str, &'static str)], u16);

#[tokio::test]
async fn every_route_refuses_what_does_not_come_from_its_own_pages() {
    const OWN: (&str, &str) = ("host", "127.0.0.1:8770");
    let cases: [Refusal; 9] = [
        ("GET", &[("host", "evil.example:8770")], 421),
        ("GET", &[("host", "127.0.0.1:1")], 421),
        ("GET", &[], 421),
        ("GET", &[OWN, ("host", "evil.example")], 421),
        ("GET", &[OWN, ("sec-fetch-site", "cross-site")], 403),
        ("GET", &[OWN, ("sec-fetch-site", "same-site")], 403),
        ("POST", &[OWN], 405),
        ("DELETE", &[OWN, ("sec-fetch-site", "same-origin")], 405),
        ("PUT", &[OWN, ("sec-fetch-site", "cross-site")], 403),
    ];
    for route in ROUTES {
        for (method, headers, status) in &cases {
            let (found, headers, _) = answer(&ports(), request(method, route, headers)).await;
            assert_eq!(found.as_u16(), *status, "{method} {route} {headers:?}");
            assert!(headers.contains_key("content-security-policy"), "{route}");
        }
        let absolute = format!("http://evil.example:8770{route}");
        let (found, ..) = answer(&ports(), request("GET", &absolute, &[OWN])).await;
        assert_eq!(found.as_u16(), 421, "{absolute}");
    }
}

#[tokio::test]
async fn every_answer_forbids_what_a_page_does_not_need() {
    for route in ROUTES.into_iter().chain(["/nothing", "/jobs?x=1"]) {
        let headers = [("host", "localhost:8770"), ("sec-fetch-site", "none")];
        let (status, headers, text) = answer(&ports(), request("GET", route, &headers)).await;
        assert!(!status.is_server_error(), "{route}: {text}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{route}");
        assert_eq!(headers["cache-control"], "no-store", "{route}");
        if headers["content-type"].to_str().unwrap().starts_with("text/html") {
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
        journal: Vec::new(),
    }
}

/// Texts that must stay texts, whatever shows them.
fn hostile() -> [String; 5] {
    [
        "<script>alert(1)</script>".to_owned(),
        "\" onmouseover=\"alert(1)' x='<img src=x onerror=alert(1)>".to_owned(),
        "</script></style></title></textarea><svg/onload=alert(1)>".to_owned(),
        "abc\u{202e}fdp.exe".to_owned(),
        "A".repeat(65_536),
    ]
}

/// What would be more than text on a page.
fn assert_harmless(page: &str, path: &str) {
    for part in ["<script>", "<img", "<svg/", "onmouseover=\"", "\u{202e}"] {
        assert!(!page.contains(part), "{path} has {part:?}");
    }
}

#[tokio::test]
async fn hostile_texts_are_shown_as_texts_on_every_page() {
    for text in hostile() {
        let payload = json!({ "note": text }).to_string();
        let open = BreakerState::Open { retry_at: NOW, wait: Duration::ZERO };
        let breaker =
            Breaker { generation: 1, state: open, why: text.clone(), ..Breaker::default() };
        let observed = json!({
            "at": NOW.as_millis() - 30_000,
            "queues": { text.clone(): { "visible": 3 } },
            "types": { text.clone(): { "succeeded": 1, "states": { "dead": 1 }, "p95_s": 2.0 } },
            "dependencies": { text.clone(): { "breaker": &text, "calls": 1 } },
            "forecasts": [{ "what": "grows", "about": &text, "evidence": &text }],
        });
        let dead = DueItem {
            key: format!("a#g:{text}"),
            partition: "dead#a#3".into(),
            due_at: NOW.before(Duration::from_mins(5)),
            state: "dead".into(),
            kind: "a".into(),
            fingerprint: Some(text.clone()),
            group: Some(text.clone()),
            ..DueItem::default()
        };
        let car: BTreeMap<String, Value> = BTreeMap::from([
            ("dealer".to_owned(), json!("m")),
            ("vin".to_owned(), json!("car#1")),
            ("list".to_owned(), json!(text)),
            ("data".to_owned(), json!(json!({ "title": text }).to_string())),
        ]);
        let ports = ports()
            .with_record(&record("1", &payload, &text))
            .with_breaker("d", breaker)
            .with_note("observe", "now", &observed.to_string())
            .with_note(
                "history",
                &format!("{:015}", NOW.as_millis() - 60_000),
                &observed.to_string(),
            )
            .with_due([dead])
            .with_other(car);
        for path in [
            "/",
            "/queues",
            "/dependencies",
            "/jobs?state=dead",
            "/job?id=1",
            "/errors",
            "/cars?dealer=m",
            "/car?dealer=m&vin=1",
        ] {
            assert_harmless(&page(&ports, path).await, path);
        }
        let shown = page(&ports, "/job?id=1").await;
        if text.len() > 1_000 {
            assert!(shown.contains(&text), "a long payload is shown as a whole");
        } else {
            assert!(shown.contains("alert(1)") || shown.contains("abc�fdp.exe"), "{shown}");
        }
        let asked = cells_path(&text);
        let request = request("GET", &asked, &[("host", "localhost:8770")]);
        let (_, _, shown) = answer(&ports, request).await;
        assert_harmless(&shown, "/jobs");
    }
}

/// A request whose values are the text.
fn cells_path(text: &str) -> String {
    let text: String = text.chars().take(1_000).collect();
    let values = [("class", text.as_str()), ("group", &text), ("dependency", &text)];
    crate::dashboard::cells::path("/jobs", &values)
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

#[tokio::test(start_paused = true)]
async fn the_reader_reads_by_itself_only_while_a_tab_listens() {
    let ports = ports();
    let stack = deployment(&ports).await;
    let (_questions, asks) = mpsc::channel(4);
    let ticks = Arc::new(watch::channel(0).0);
    let clock = Virtual(Instant::now());
    let reader = Reader::new(&ports, &stack, &clock, ticks.clone());
    let scenario = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(*ticks.borrow(), 0, "no tab, no read");
        let mut tab = ticks.subscribe();
        tab.changed().await.unwrap();
        let first = *tab.borrow_and_update();
        tab.changed().await.unwrap();
        let second = *tab.borrow_and_update();
        assert_eq!(second - first, 2_000, "what changes by the second is two seconds old at most");
        drop(tab);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(*ticks.borrow(), second, "the tab is closed");
    };
    tokio::select! {
        biased;
        () = reader.run(asks) => panic!("it runs as long as somebody may ask"),
        () = scenario => {}
    }
}
