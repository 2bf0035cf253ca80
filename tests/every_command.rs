//! What holds for every command of `evenkeel`, whatever it does. Its commands are found in the command line itself, so
//! a new one is tested, or named here with the reason why not.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};
use evenkeel::{
    base::time::Time,
    dependency::breaker::{Breaker, State},
    message::{Flaw, RejectedMessage, Rejection},
    record::{FailedAttempt, Phase, Record, journal::JournalEntry},
    testing::{BEGINNING, TestClock},
};
use evenkeel_cli::{
    Exit, Failure, Stop, Streams, Surroundings, Target,
    args::Cli,
    memory::MemoryPorts,
    ports::{Attributes, Kept, Outgoing, Schedule, Schedules as _},
    run, shapes,
};
use serde_json::json;

use crate::operators::record;

/// The time of the test clock: the beginning of 2026.
const NOW: Time = BEGINNING;

/// Commands without a JSON shape of their own, and why.
const WITHOUT_SHAPE: [(&str, &str); 3] = [
    ("completions", "its output is a script"),
    ("dashboard", "its output is the address that it serves"),
    ("schema", "its output is a JSON Schema"),
];

/// Commands that ask the operators' function for a change: their answer is an `operation`, or a `preview`.
const CHANGES: [&str; 12] = [
    "breaker auto",
    "breaker close",
    "breaker open",
    "jobs cancel",
    "jobs reset",
    "jobs retry",
    "limiter set",
    "ops stop",
    "queues pause",
    "queues resume",
    "queues set",
    "rejected release",
];

/// Shapes that belong to no single command.
const SHARED_SHAPES: [&str; 4] = ["error", "operation", "preview", "sweep --dry-run"];

/// Commands that show what a stack holds, as they are called below.
const READING: [(&str, &[&str]); 24] = [
    ("audit findings", &[]),
    ("breaker list", &["--all"]),
    ("breaker show", &["shop"]),
    ("cars export", &["--dealer", "example-motors"]),
    ("cars list", &["example-motors"]),
    ("cars show", &["example-motors", "1HGCM82633A004352"]),
    ("dlq", &[]),
    ("doctor", &[]),
    ("feeds list", &[]),
    ("health", &[]),
    ("jobs explain", &["parked"]),
    ("jobs explain", &["dead"]),
    ("jobs list", &[]),
    ("jobs list", &["--state", "dead"]),
    ("jobs show", &["succeeded"]),
    ("jobs tail", &["--type", "webhook", "--for", "10s"]),
    ("jobs wait", &["dead"]),
    ("limiter show", &["shop"]),
    ("ops log", &[]),
    ("ops show", &["1"]),
    ("queues list", &[]),
    ("rejected list", &[]),
    ("rejected show", &[REJECTED]),
    ("report", &["--since", "48h"]),
];

/// Commands that show nothing that a stack holds, and why.
const NOT_READING: [(&str, &str); 14] = [
    ("audit run", "its answer is the sweeper's counts"),
    ("cars import-links", "it shows what was done with short links and cars by number"),
    ("completions", "it asks no stack"),
    ("dashboard", "the tests of its routes plant secrets"),
    ("feeds add", "it repeats what it was given"),
    ("feeds pause", "it names a schedule"),
    ("feeds remove", "it names a schedule"),
    ("feeds resume", "it names a schedule"),
    ("feeds run", "it names a schedule"),
    ("lint", "it asks no stack"),
    ("schema", "it asks no stack"),
    ("submit", "it names lines and fields of its own input"),
    ("sweep", "its answer is the sweeper's counts"),
    ("ops stop", "its answer is that of `ops show`"),
];

const REJECTED: &str = "q#4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";

/// The names of all commands that do something, such as `jobs list`, with the command of each.
fn leaves() -> Vec<(String, clap::Command)> {
    fn below(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let name = format!("{path} {}", inner.get_name()).trim().to_owned();
            if inner.has_subcommands() {
                below(inner, &name, found);
            } else {
                found.push((name, inner.clone()));
            }
        }
    }
    let mut found = Vec::new();
    below(&Cli::command(), "", &mut found);
    assert!(found.len() > 35, "the commands are found: {}", found.len());
    found
}

#[test]
fn the_help_of_every_command_begins_with_an_example() {
    for (name, command) in leaves() {
        let help = command.clone().render_help().to_string();
        assert!(help.starts_with("Example: evenkeel "), "{name}: {help}");
    }
}

#[test]
fn every_command_refuses_an_unknown_option_with_status_2_and_names_it() {
    for (name, _) in leaves() {
        let words = name.split(' ').chain(["--no-such-option"]);
        let parsed = Cli::try_parse_from(std::iter::once("evenkeel").chain(words));
        let error = parsed.expect_err(&name);
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::UnknownArgument, 2), "{name}");
        assert!(error.to_string().contains("'--no-such-option'"), "{name}: {error}");
    }
}

#[test]
fn every_command_has_a_json_shape_or_is_named_with_the_reason_why_not() {
    let shapes: BTreeSet<&str> = shapes::all().into_iter().map(|(name, _)| name).collect();
    let leaves = leaves();
    let names: BTreeSet<&str> = leaves.iter().map(|(name, _)| name.as_str()).collect();
    let without = WITHOUT_SHAPE.map(|(name, _)| name);
    for name in &names {
        let places = [shapes.contains(name), without.contains(name), CHANGES.contains(name)];
        assert_eq!(places.iter().filter(|is_there| **is_there).count(), 1, "{name}: {places:?}");
    }
    let is_known = |name: &&str| names.contains(name) || SHARED_SHAPES.contains(name);
    let stale: Vec<&&str> = shapes.iter().filter(|name| !is_known(name)).collect();
    assert!(stale.is_empty(), "shapes of no command: {stale:?}");
    let known = SHARED_SHAPES.iter().all(|name| shapes.contains(name));
    assert!(known && without.iter().chain(&CHANGES).all(|name| names.contains(name)));
}

#[test]
fn every_command_is_tested_for_secrets_or_named_with_the_reason_why_not() {
    let reading: BTreeSet<&str> = READING.map(|(name, _)| name).into();
    let others: BTreeSet<&str> = NOT_READING.map(|(name, _)| name).into();
    for (name, _) in leaves() {
        let name = name.as_str();
        // The answer of a change is an operation, as `ops show` shows one, or a preview: counts, and keys of jobs.
        let is_other = others.contains(name) || CHANGES.contains(&name);
        assert!(reading.contains(name) != is_other, "{name}: reads {}", reading.contains(name));
    }
}

/// A text with a secret in each form in which one is recognized.
fn told(number: u32) -> String {
    let address = format!("https://u:PLANTED-b{number}@h.example/?token=PLANTED-c{number}");
    let header = format!("Authorization: Bearer PLANTED-d{number}");
    format!(r#"sent {{"apikey":"PLANTED-a{number}"}} to {address} with {header}"#)
}

/// A payload with the same.
fn payload() -> String {
    json!({ "apikey": "PLANTED-e", "deep": [{ "password": "PLANTED-f", "note": told(1) }] })
        .to_string()
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
    let attributes = [
        ("dealer", json!("example-motors")),
        ("vin", json!("car#1HGCM82633A004352")),
        ("data", json!(payload())),
        ("page", json!(payload())),
        ("link", json!(told(5))),
    ];
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

/// A stack whose every text from outside has secrets.
async fn stack() -> MemoryPorts {
    let types = r#"[{"type":"webhook","dependency":"shop"}]"#;
    let feeds = r#"{"group":"s","role":"arn:aws:iam::1:role/r","types":["webhook"]}"#;
    let at = NOW.as_millis();
    let ops = json!({
        "id": "1", "at": at, "by": "arn:aws:iam::1:user/o", "reason": told(6), "state": "failed",
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
    let ports = MemoryPorts::stack("s", types)
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
        message: Outgoing { body: format!(r#"{{"payload":{}}}"#, payload()), group: None },
    };
    ports.create_schedule("s", "arn:aws:iam::1:role/r", &schedule).await.unwrap();
    ports
}

/// Runs a command; its exit status, and all that it has written.
async fn written(words: &[&str]) -> (Exit, String) {
    let parsed = Cli::try_parse_from(["evenkeel", "--stack", "s"].iter().chain(words));
    let cli = parsed.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let environment = std::iter::empty::<(String, String)>().collect();
    let surroundings = Surroundings { environment, folder: PathBuf::new() };
    let ports = stack().await;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut out, &mut err);
    let connect = async |_: Target| Ok::<_, Failure>(ports);
    let (stop, clock) = (Stop::default(), TestClock::default());
    let exit = run(&cli, &surroundings, &clock, &stop, connect, &mut streams).await;
    (exit, String::from_utf8_lossy(&[out, err].concat()).into_owned())
}

#[tokio::test(start_paused = true)]
async fn no_reading_command_shows_a_secret_in_any_form() {
    let mut hidden = BTreeSet::new();
    for (name, arguments) in READING {
        for form in ["text", "json", "jsonl"] {
            let words: Vec<&str> = name
                .split(' ')
                .chain(arguments.iter().copied())
                .chain(["--output", form])
                .collect();
            let (exit, text) = written(&words).await;
            // A dead job is a no, as is an unhealthy stack; `doctor` finds no functions here.
            let is_answer = matches!(exit, Exit::Done | Exit::No) || name == "doctor";
            let is_failed_act = name == "ops show" && exit == Exit::Failed;
            assert!(is_answer || is_failed_act, "{words:?}: {exit:?}: {text}");
            assert!(!text.contains("PLANTED"), "{words:?} shows a secret: {text}");
            if text.contains("***") {
                hidden.insert(name);
            }
        }
    }
    for (words, form) in [(["report", "--markdown"], "Markdown"), (["report", "--html"], "a page")]
    {
        let (exit, text) = written(&[&words[..], &["--since", "48h"]].concat()).await;
        assert_eq!(exit, Exit::Done, "{form}: {text}");
        assert!(!text.contains("PLANTED"), "{form}: {text}");
    }
    assert!(hidden.len() >= 8, "the secrets were there to be shown: {hidden:?}");
}
