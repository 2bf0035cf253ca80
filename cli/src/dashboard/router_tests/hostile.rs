//! Whatever a sender, a page or a query says is shown as text.

use super::*;

#[tokio::test]
async fn hostile_values_are_shown_as_texts_by_every_route() {
    for hostile in hostile() {
        // What fits an address; a form may hold more.
        let hostile: String = hostile.chars().take(1_000).collect();
        for (path, method, values) in TABLE {
            let mut known = url::form_urlencoded::Serializer::new(String::new());
            for (name, _) in url::form_urlencoded::parse(values.as_bytes()) {
                known.append_pair(&name, &hostile);
            }
            let known = known.finish();
            let known = if method == "POST" { with_token(&known) } else { known };
            let mut unknown = url::form_urlencoded::Serializer::new(known.clone());
            unknown.append_pair(&hostile, &hostile);
            for query in [known, unknown.finish()] {
                let request = sent(method, path, &query, &[HOST, OWN_SITE, ORIGIN]);
                let ports = whole(path);
                let (status, _, text) = answer(&ports, request).await;
                assert!(!status.is_server_error(), "{path}: {text}");
                assert_harmless(&text, path);
                assert_eq!(ports.invoked(), [], "{path}");
            }
        }
    }
}

/// A message that was rejected, with this text wherever a sender decides.
fn message(text: &str) -> RejectedMessage {
    RejectedMessage {
        key: format!("q#{}", "0".repeat(64)),
        kind: "a".into(),
        rejection: Rejection { flaw: Flaw::ALL[0], reason: text.into() },
        queue: "arn:aws:sqs:eu-west-1:123456789012:s-a".into(),
        message_id: text.into(),
        group: Some(text.into()),
        at: NOW.before(Duration::from_mins(5)),
        expires_at: NOW + Duration::from_hours(1),
        head: text.into(),
        length: text.len(),
        trace: None,
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

/// A stack that shows this text wherever a sender, a third party or an operator decides what is shown.
fn showing(text: &str) -> MemoryPorts {
    let payload = json!({ "note": text }).to_string();
    let open = BreakerState::Open { retry_at: NOW, wait: Duration::ZERO };
    let breaker =
        Breaker { generation: 1, state: open, why: text.to_owned(), ..Breaker::default() };
    let observed = json!({
        "at": NOW.as_millis() - 30_000,
        "queues": { text.to_owned(): { "visible": 3 } },
        "types": { text.to_owned(): { "succeeded": 1, "states": { "dead": 1 }, "p95_s": 2.0 } },
        "dependencies": { text.to_owned(): { "breaker": text, "calls": 1 } },
        "forecasts": [{ "what": "grows", "about": text, "evidence": text }],
    });
    let dead = DueItem {
        key: format!("a#g:{text}"),
        partition: "dead#a#3".into(),
        due_at: NOW.before(Duration::from_mins(5)),
        state: "dead".into(),
        kind: "a".into(),
        fingerprint: Some(text.to_owned()),
        group: Some(text.to_owned()),
        ..DueItem::default()
    };
    let rejected = DueItem { state: "rejected".into(), ..dead.clone() };
    let operation = json!({ "id": text, "at": 1, "by": text, "reason": text,
        "act": { "do": text, "x": text }, "state": text, "why": text,
        "counts": { text.to_owned(): 1 }, "pending": [text] });
    let preview = json!({ "dry_run": true, "as_of": 7, "count": 1, "more": true,
        "samples": [text], "takes_ms": 5_000 });
    ports()
        .with_record(&record("1", &payload, text))
        .with_breaker("d", breaker)
        .with_note("observe", "now", &observed.to_string())
        .with_note(
            "opened#1",
            "1",
            &json!({ "dependency": text, "at": NOW.as_millis() }).to_string(),
        )
        .with_note("history", &format!("{:015}", NOW.as_millis() - 60_000), &observed.to_string())
        .with_due([dead, rejected])
        .with_succeeded("a", &[(NOW, text)])
        .with_item(&format!("q#{}", "0".repeat(64)), Kept::Rejected(Box::new(message(text))))
        .with_note("ops", "9-a", &operation.to_string())
        .with_other(car("1", text))
        .answering([Called::Answer(preview)])
}

#[tokio::test]
async fn hostile_texts_are_shown_as_texts_on_every_page() {
    for text in hostile() {
        let ports = showing(&text);
        for path in [
            "/",
            "/queues",
            "/dependencies",
            "/jobs?state=dead",
            "/job?id=1",
            "/job?id=q%230000000000000000000000000000000000000000000000000000000000000000",
            "/succeeded",
            "/errors",
            "/rejected",
            "/cars?dealer=m",
            "/car?dealer=m&vin=1",
            "/operations",
            "/operation?id=9-a",
            "/confirm?do=cancel&id=1",
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

#[tokio::test]
async fn a_field_that_a_type_calls_sensitive_is_on_no_page() {
    let payload = json!({ "url": "https://shop.example/", "card": "PLANTED-1" }).to_string();
    let rejected_key = format!("q#{}", "0".repeat(64));
    let job = Record { key: "webhook#g:1".into(), ..record("1", &payload, "refused") };
    let (kind, length) = ("webhook".to_owned(), payload.len());
    let kept = RejectedMessage { kind, head: payload.clone(), length, ..message("refused") };
    let ports = MemoryPorts::stack("s", r#"[{"type":"webhook","dependency":"d"}]"#)
        .with_record(&job)
        .with_item(&rejected_key, Kept::Rejected(Box::new(kept)));
    let rejected = format!("/job?id={}", rejected_key.replace('#', "%23"));
    for path in ["/job?id=1", rejected.as_str()] {
        let text = page(&ports, path).await;
        assert!(text.contains("https://shop.example/"), "{path}: {text}");
        assert!(text.contains("***") && !text.contains("PLANTED"), "{path}: {text}");
    }
}
