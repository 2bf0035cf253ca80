//! The command `evenkeel` on tables that the engine has written, over the real SDK on dynoxide: what the engine
//! encodes, the command decodes.

use std::{path::PathBuf, time::Duration};

use clap::Parser as _;
use evenkeel::{
    base::time::{Clock as _, Time},
    ports::{Control as _, Store as _, notes::NoteKey},
    record::{Counters, Parking, Phase, Record, Work},
    testing::{self, BEGINNING, TestClock},
};
use evenkeel_cli::{
    Exit, Failure, Stop, Streams, Surroundings,
    args::Cli,
    aws::AwsPorts,
    memory::MemoryPorts,
    ports::{Kept, Ports as _},
    run,
};
use serde_json::Value;

use crate::local_tables::LocalTables;

const NOW: Time = Time::from_millis(1_800_000_000_000);

/// The record of a job with this key.
pub(crate) fn record(key: &str, phase: Phase) -> Record {
    let is_parked = matches!(phase, Phase::Parked { .. });
    let parking = Parking {
        since: NOW,
        gated: true,
        ends_at: Some(NOW + Duration::from_hours(9)),
        paused_since: None,
    };
    Record {
        fence: 7,
        owner: "token".into(),
        counters: Counters { receives: 3, claims: 2, attempts: 1, ..Counters::default() },
        work: Work {
            payload: r#"{"url":"https://u:p@shop.example/"}"#.into(),
            queue: "arn:aws:sqs:eu-west-1:123456789012:s-webhook".into(),
            dependency: "shop".into(),
            created_at: NOW,
            group: Some("tenant".into()),
            ..testing::work()
        },
        parking: is_parked.then_some(parking),
        ..testing::record(key, phase)
    }
}

fn records() -> [Record; 3] {
    let why = "the breaker is open".to_owned();
    [
        record(
            "webhook#g:waiting",
            Phase::Waiting { run_after: NOW, due_at: NOW, why: why.clone() },
        ),
        record("webhook#g:parked", Phase::Parked { run_after: NOW, why: why.clone() }),
        record("webhook#g:dead", Phase::Dead { at: NOW, why }),
    ]
}

#[tokio::test]
async fn over_a_socket_the_command_reads_what_the_engine_writes() {
    let tables = LocalTables::start().await;
    tables.store.enqueue(&records()).await.unwrap();
    let ports = AwsPorts::new(&tables.config);
    for record in records() {
        let read = ports.item("jobs", &record.key).await.unwrap();
        assert_eq!(read.value, Some(Kept::Job(Box::new(record.clone()))));
        let entry = record.due_entry().unwrap();
        let span = [entry.due_at; 2];
        let page = ports.due("jobs", &entry.partition, span, None, 10).await.unwrap().value;
        let [item] = page.items.as_slice() else { panic!("{}: {page:?}", record.key) };
        assert_eq!((&item.key, item.due_at, page.more), (&record.key, entry.due_at, false));
        assert_eq!((item.state.as_str(), item.kind.as_str()), (record.phase.name(), "webhook"));
        assert_eq!(item.group.as_deref(), Some("tenant"));
    }
    assert_eq!(ports.item("jobs", "webhook#g:none").await.unwrap().value, None);
    assert_eq!(ports.breaker("control", "shop").await.unwrap().value, None);
    for name in ["2026-11-28#webhook", "2026-11-29#webhook", "2026-11-30#webhook"] {
        let key = NoteKey::new("day:type", name);
        tables.store.put_note(&key, "{}", NOW + Duration::from_hours(1)).await.unwrap();
    }
    let span = ["2026-11-29".to_owned(), "2026-11-30~".to_owned()];
    let notes = ports.notes_between("control", "day:type", &span, 100).await.unwrap().value;
    let names: Vec<&str> = notes.iter().map(|note| note.name.as_str()).collect();
    assert_eq!(names, ["2026-11-29#webhook", "2026-11-30#webhook"]);
}

/// Runs a command on ports in memory; its exit status and its JSON.
async fn told(words: &[&str]) -> (Exit, Value) {
    told_of(&records(), words).await
}

/// The same on these records.
async fn told_of(records: &[Record], words: &[&str]) -> (Exit, Value) {
    let cli = Cli::parse_from(["evenkeel", "--json", "--stack", "s"].iter().chain(words));
    let environment = std::iter::empty::<(String, String)>().collect();
    let surroundings = Surroundings { environment, folder: PathBuf::new() };
    let feeds = r#"{"group":"s","role":"arn:aws:iam::1:role/r","types":["webhook"]}"#;
    let types = r#"[{"type":"webhook","dependency":"shop"}]"#;
    let mut ports = MemoryPorts::stack("s", types).with_parameter("/s/feeds", feeds);
    for record in records {
        ports = ports.with_record(record);
    }
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut out, &mut err);
    let connect = async |_: evenkeel_cli::Target| Ok::<_, Failure>(ports);
    let stop = Stop::default();
    let exit = run(&cli, &surroundings, &TestClock::default(), &stop, connect, &mut streams).await;
    let text = if out.is_empty() { &err } else { &out };
    (exit, serde_json::from_slice(text).unwrap())
}

#[tokio::test(start_paused = true)]
async fn every_command_that_reads_answers_with_json_of_its_shape() {
    let commands: [(&[&str], &str); 16] = [
        (&["jobs", "list"], "jobs"),
        (&["jobs", "list", "--state", "dead"], "jobs"),
        (&["jobs", "show", "parked"], "payload"),
        (&["jobs", "explain", "parked"], "summary"),
        (&["breaker", "list"], "breakers"),
        (&["breaker", "show", "shop"], "state"),
        (&["limiter", "show", "shop"], "in_use"),
        (&["queues", "list"], "queues"),
        (&["report"], "kpis"),
        (&["report", "--since", "7d", "--type", "webhook"], "patterns"),
        (&["rejected", "list"], "jobs"),
        (&["dlq"], "dead_letters"),
        (&["dlq", "--type", "webhook", "--limit", "1"], "more"),
        (&["ops", "log"], "operations"),
        (&["audit", "findings"], "findings"),
        (&["feeds", "list"], "feeds"),
    ];
    for (words, field) in commands {
        let (exit, value) = told(words).await;
        assert_eq!(exit, Exit::Done, "{words:?}: {value}");
        let is_flag = |word: &&&str| !word.starts_with("--");
        let command: Vec<&str> = words.iter().take_while(is_flag).take(2).copied().collect();
        let problems = evenkeel_cli::shapes::problems(&command.join(" "), &value);
        assert_eq!(problems, [], "{words:?}: {value}");
        assert!(value.get(field).is_some(), "{words:?}: {value}");
        assert!(!value.to_string().contains("u:p@"), "{words:?} shows a secret: {value}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_an_error_with_a_hint() {
    let (exit, value) = told(&["jobs", "show", "nope"]).await;
    assert_eq!((exit, &value["error"]["code"]), (Exit::Failed, &"not_found".into()));
    assert!(value["error"]["hint"].as_str().unwrap().contains("jobs explain nope"));
    let (exit, value) = told(&["health"]).await;
    assert_eq!((exit, &value["healthy"]), (Exit::No, &false.into()), "no sweeper has reported");
}

#[tokio::test(start_paused = true)]
async fn a_stuck_job_has_been_due_for_ten_minutes_and_has_not_ended() {
    let ago = |minutes| BEGINNING.before(Duration::from_mins(minutes));
    let why = || "x".to_owned();
    let waiting = |due_at| Phase::Waiting { run_after: due_at, due_at, why: why() };
    let parked = |key, gated| {
        let mut parked = record(key, Phase::Parked { run_after: ago(30), why: why() });
        parked.parking = parked.parking.map(|parking| Parking { gated, ..parking });
        parked
    };
    let lost = Phase::Running { lease_until: ago(20), lease_expiry_indexed: true };
    let records = [
        record("webhook#g:stuck", waiting(ago(11))),
        record("webhook#g:due", waiting(ago(9))),
        record("webhook#g:later", waiting(BEGINNING + Duration::from_mins(1))),
        parked("webhook#g:forgotten", false),
        // It waits for its breaker, and ends in hours.
        parked("webhook#g:gated", true),
        record("webhook#g:lost", lost),
        record("webhook#g:dead", Phase::Dead { at: ago(60), why: why() }),
    ];
    let keys = |value: &Value| -> Vec<String> {
        let jobs = value["jobs"].as_array().unwrap().iter();
        jobs.map(|job| job["key"].as_str().unwrap().to_owned()).collect()
    };
    let (exit, stuck) = told_of(&records, &["jobs", "list", "--stuck"]).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(keys(&stuck), ["webhook#g:forgotten", "webhook#g:lost", "webhook#g:stuck"]);
    let (_, all) = told_of(&records, &["jobs", "list"]).await;
    assert_eq!(keys(&all).len(), 6, "{all}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_job_that_does_not_end_fails_when_the_time_is_over() {
    let clock = TestClock::default();
    let (exit, value) = told(&["jobs", "wait", "waiting", "--timeout", "90s"]).await;
    assert_eq!((exit, &value["error"]["code"]), (Exit::Failed, &"timeout".into()));
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("evenkeel jobs explain waiting"), "{hint}");
    let waited = clock.now().since(BEGINNING);
    assert!((90..=92).contains(&waited.as_secs()), "{waited:?}");
    let (exit, value) = told(&["jobs", "wait", "dead", "--timeout", "90s"]).await;
    assert_eq!((exit, &value["state"]), (Exit::No, &"dead".into()));
}
