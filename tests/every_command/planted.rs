//! A stack whose every text from outside has secrets and control characters.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::breaker::{Breaker, State},
    message::{Flaw, RejectedMessage, Rejection},
    record::{FailedAttempt, Phase, Record, journal::JournalEntry},
    testing::BEGINNING,
};
use evenkeel_cli::{
    memory::MemoryPorts,
    ports::{Attributes, Called, Kept, Outgoing, Schedule, Schedules as _},
};
use serde_json::{Value, json};

use crate::operators::record;

/// The time of the test clock: the beginning of 2026.
const NOW: Time = BEGINNING;

/// The stack's job types. The first one calls its field `card` sensitive.
const TYPES: &str = r#"[{"type":"webhook","dependency":"shop"},
    {"type":"url_shortening","dependency":"rebrandly"},{"type":"dealer_com_feed"}]"#;

/// The key of the rejected message.
pub(super) const REJECTED: &str =
    "q#4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";

/// What no terminal may see of others: beginnings of control sequences in seven and in eight bits, and a turn of the
/// direction of writing.
const CONTROL: &str = "\u{1b}[2J\u{9b}31m\u{202e}";

/// A text with control characters, and with a secret in each form in which one is recognized.
pub(super) fn told(number: u32) -> String {
    let address = format!("https://u:PLANTED-b{number}@h.example/?token=PLANTED-c{number}");
    let header = format!("Authorization: Bearer PLANTED-d{number}");
    format!(r#"{CONTROL}sent {{"apikey":"PLANTED-a{number}"}} to {address} with {header}"#)
}

/// A payload with the same, and with a sensitive field at two places.
fn payload() -> String {
    let deep = json!([{ "password": "PLANTED-f", "note": told(1), "card": ["PLANTED-m"] }]);
    json!({ "apikey": "PLANTED-e", "card": "PLANTED-l", "deep": deep }).to_string()
}

fn planted(key: &str, phase: Phase) -> Record {
    let mut record = record(key, phase);
    record.work.payload = payload();
    record.provisional = Some(payload());
    let at = NOW.as_millis();
    let (class, code) = ("permanent".to_owned(), "http_403".to_owned());
    record.history = vec![FailedAttempt { at, class, code, message: told(2) }];
    record.journal = vec![JournalEntry { at, what: told(3), ..JournalEntry::default() }];
    record
}

fn rejected() -> RejectedMessage {
    RejectedMessage {
        trace: None,
        key: REJECTED.to_owned(),
        kind: "webhook".into(),
        queue: "arn:aws:sqs:eu-west-1:123456789012:s-webhook".into(),
        message_id: "message".into(),
        // A body that was cut off.
        head: format!(r#"{{"payload": {}, "secret": "PLANTED-g"#, payload()),
        length: 13,
        rejection: Rejection::new(Flaw::Malformed, told(4)),
        group: None,
        at: NOW,
        expires_at: NOW,
    }
}

fn car() -> Attributes {
    // It is of no job type's payload, so only telling names count.
    let of_car = json!({ "apikey": "PLANTED-n", "note": told(1) }).to_string();
    let attributes = [
        ("dealer", json!("example-motors")),
        ("vin", json!("car#1HGCM82633A004352")),
        ("data", json!(of_car)),
        ("page", json!(of_car)),
        ("link", json!(told(5))),
    ];
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

/// A stack with all of it, and nothing else.
pub(super) async fn stack() -> MemoryPorts {
    let feeds = r#"{"group":"s","role":"arn:aws:iam::1:role/r","types":["dealer_com_feed"]}"#;
    let at = NOW.as_millis();
    let ops = json!({
        "id": "1", "at": at, "by": format!("user/{CONTROL}"), "reason": told(6), "state": "failed",
        "act": { "do": "note", "what": "submit", "about": told(7) }, "why": told(8),
    });
    let finding = json!({ "what": "no_due_entry", "detail": told(9), "at": at, "repaired": false });
    let letter = json!({
        "at": at, "type": "webhook", "message_id": "m", "queue": "arn:aws:sqs:::s-webhook",
        "sent_at": at, "receives": 3, "outcome": "held", "reason": told(10),
    });
    let counts = json!({ "dead": [0, 10], "jobs": [0, 10] });
    let day = json!({ "hours": 24, "counts": counts, "patterns": { "abc": 10 } });
    let pattern = json!({ "first_at": 1, "sample": told(11) });
    let present =
        json!({ "at": at, "forecasts": [{ "what": "grows", "about": "q", "evidence": told(12) }] });
    let retry_at = NOW + Duration::from_mins(5);
    let state = State::Open { retry_at, wait: Duration::from_mins(1) };
    let breaker = Breaker { state, why: told(13), since: NOW, ..Breaker::default() };
    let ports = MemoryPorts::stack("s", TYPES)
        .with_parameter("/s/feeds", feeds)
        .with_record(&planted("webhook#g:parked", Phase::Parked { run_after: NOW, why: told(14) }))
        .with_record(&planted("webhook#g:dead", Phase::Dead { at: NOW, why: told(15) }))
        .with_record(&planted(
            "webhook#g:succeeded",
            Phase::Succeeded { at: NOW, result: payload() },
        ))
        .with_item(REJECTED, Kept::Rejected(Box::new(rejected())))
        .with_other(car())
        .with_breaker("shop", breaker)
        .with_note("ops", "1", &ops.to_string())
        .with_note("finding", "webhook#g:dead", &finding.to_string())
        .with_note("dead_letter", "webhook#000", &letter.to_string())
        .with_note("day:type", "2025-12-31#webhook", &day.to_string())
        .with_note("pattern", "webhook#abc", &pattern.to_string())
        .with_note("observe", "now", &present.to_string());
    let schedule = Schedule {
        name: "nightly".into(),
        expression: "rate(6 hours)".into(),
        time_zone: "UTC".into(),
        enabled: true,
        queue: "s-webhook".into(),
        message: Outgoing {
            body: format!(r#"{{"type":"webhook","payload":{}}}"#, payload()),
            group: None,
        },
    };
    ports.create_schedule("s", "arn:aws:iam::1:role/r", &schedule).await.unwrap();
    ports
}

/// What every function answers here: an entry of the operations log, a preview, a tick of the sweeper, an audit and an
/// import of links at once. Each command reads its own part of it.
pub(super) fn answer() -> Called {
    let key = format!("webhook#g:{CONTROL}https://u:PLANTED-h@h.example/");
    let action = json!({ "pass": "rescue", "action": "crashed", "count": 1, "samples": [key] });
    let link = json!({ "id": "1", "short_url": "go.example/b", "destination": told(16) });
    let report = json!({ "kept": ["1M8GDM9AXKP042788"], "known": [],
        "ambiguous": { "1HGCM82633A004352": [link] } });
    let import = json!({ "dealer": "example-motors", "names": [], "dry_run": false, "read": 3,
        "done": true, "report": report });
    let parts = [
        json!({ "id": "9-a", "at": 1, "by": "arn:aws:iam::1:user/o", "reason": told(17) }),
        json!({ "why": told(18), "act": { "do": "retry", "about": told(19) }, "state": "done" }),
        json!({ "pending": [key], "ended_at": 2, "counts": { "done": 1 } }),
        json!({ "dry_run": true, "as_of": 7, "count": 1, "more": false, "samples": [key] }),
        json!({ "takes_ms": 9, "whole": true, "actions": [action] }),
        json!({ "done": { "rescue": { "crashed": 1 } }, "examined": 3, "next": null }),
        json!({ "answer": import }),
    ];
    let fields = parts.iter().filter_map(Value::as_object).flatten();
    Called::Answer(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}
