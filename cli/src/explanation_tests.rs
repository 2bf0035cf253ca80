//! One explanation for every state of a record, and for every gate.

use std::{collections::BTreeMap, time::Duration};

use clap::Parser as _;
use evenkeel::{
    base::time::Time,
    dependency::{
        breaker::{Breaker, State},
        limiter::Limiter,
    },
    message::{Flaw, RejectedMessage, Rejection},
    ports::{maintenance::Depth, notes::Limits},
    record::{
        Counters, FailedAttempt, LastFailure, Parking, Phase, Record, Work, journal::JournalEntry,
    },
};

use super::*;
use crate::args::Cli;

#[path = "explanation_tests/parked.rs"]
mod parked_tests;

const NOW: Time = Time::from_millis(1_800_000_000_000);

fn after(seconds: u64) -> Time {
    NOW + Duration::from_secs(seconds)
}

fn ago(seconds: u64) -> Time {
    NOW.before(Duration::from_secs(seconds))
}

fn record(phase: Phase) -> Record {
    Record {
        key: "link#g:a".into(),
        fence: 1,
        owner: "o".into(),
        message_id: "m".into(),
        counters: Counters { receives: 2, claims: 2, attempts: 1, ..Counters::default() },
        phase,
        work: Work {
            payload: "{}".into(),
            queue: "arn:aws:sqs:eu-west-1:1:s-link".into(),
            dependency: "shop".into(),
            retention: Duration::from_hours(24),
            created_at: ago(600),
            first_created_at: None,
            deadline: None,
            group: None,
            trace: None,
        },
        cursor: None,
        provisional: None,
        parking: None,
        last_failure: None,
        history: vec![FailedAttempt {
            at: ago(60).as_millis(),
            class: "transient".into(),
            code: "http_503".into(),
            message: "https://u:p@shop/ answered 503".into(),
        }],
        journal: Vec::new(),
    }
}

fn parked(run_after: Time, gated: bool) -> Record {
    let phase = Phase::Parked { run_after, why: "the breaker is open".into() };
    let parking =
        Parking { since: ago(120), gated, ends_at: Some(after(9_000)), paused_since: None };
    Record { parking: Some(parking), ..record(phase) }
}

fn facts() -> Facts {
    let depth = Some(Depth::default());
    Facts { stack: "--local".into(), depth, swept_at: Some(ago(20)), ..Facts::default() }
}

fn behind(state: State, systemic: bool) -> Facts {
    let why = "5 of 6 calls failed".to_owned();
    let breaker =
        Breaker { generation: 3, state, since: ago(90), why, systemic, ..Breaker::default() };
    Facts { breaker: Some(breaker), ..facts() }
}

fn open() -> State {
    State::Open { retry_at: after(40), wait: Duration::from_secs(60) }
}

#[test]
fn a_job_that_runs_waits_for_its_lease_at_most() {
    let phase = |lease_until| Phase::Running { lease_until, lease_expiry_indexed: false };
    let alive = explain(&record(phase(after(20))), &facts(), NOW);
    let gate = alive.gate.unwrap();
    assert_eq!(
        (gate.kind, gate.state.as_str(), gate.until),
        (GateKind::Lease, "held", Some(after(20).as_millis()))
    );
    assert_eq!((alive.state.as_str(), alive.advice), ("running", None));
    let lost = explain(&record(phase(ago(30))), &facts(), NOW);
    assert_eq!(lost.gate.unwrap().state, "over");
    assert!(
        lost.summary.contains("has not come back") && lost.advice.is_none(),
        "{}",
        lost.summary
    );
    let forgotten =
        explain(&record(phase(ago(900))), &Facts { swept_at: Some(ago(800)), ..facts() }, NOW);
    assert_eq!(
        forgotten.advice.unwrap().command.as_deref(),
        Some("evenkeel sweep --reason WHY --local")
    );
}

#[test]
fn a_job_that_waits_has_its_pause_and_then_the_queue_before_it() {
    let phase = |run_after| Phase::Waiting { run_after, due_at: run_after, why: "503".into() };
    let at = ago(60);
    let failure = LastFailure { class: "transient".into(), fingerprint: "f".into(), at };
    let waiting = Record { last_failure: Some(failure), ..record(phase(after(8))) };
    let paused = explain(&waiting, &facts(), NOW);
    assert_eq!(paused.summary, "It waits to be tried again: 503.");
    assert_eq!(
        (paused.since, paused.expected.unwrap().from),
        (Some(at.as_millis()), Some(after(8).as_millis()))
    );
    assert_eq!(paused.gate.unwrap().kind, GateKind::Pause);

    let depth = Some(Depth { visible: 90, ..Depth::default() });
    let busy = Facts { depth, per_minute: Some(30), ..facts() };
    let behind_others = explain(&record(phase(ago(5))), &busy, NOW);
    assert_eq!(behind_others.ahead, Some(Ahead { count: 90, at_least: false }));
    assert_eq!(behind_others.expected.unwrap().until, Some(after(180).as_millis()));

    let stopped = explain(&record(phase(ago(5))), &Facts { is_paused: true, ..facts() }, NOW);
    assert_eq!(stopped.gate.unwrap().state, "paused");
    assert!(stopped.expected.is_none() && stopped.advice.unwrap().text.contains("enable"));

    let refused = explain(&record(phase(after(8))), &behind(open(), false), NOW);
    assert_eq!(refused.gate.unwrap().kind, GateKind::Breaker);
    assert!(refused.summary.ends_with("the breaker will park it."), "{}", refused.summary);
}

#[test]
fn a_job_that_is_queued_is_on_its_way() {
    let queued = explain(&record(Phase::Queued { due_at: after(100) }), &facts(), NOW);
    assert_eq!((queued.state.as_str(), queued.since), ("queued", Some(ago(600).as_millis())));
    assert_eq!(queued.expected.unwrap().until, Some(after(220).as_millis()));
    assert!(queued.gate.is_none() && queued.advice.is_none());
}

/// Whether the command line takes a command, with a reason and a number in place of the words for them.
fn parses(command: &str) -> bool {
    let words = command.split_whitespace().map(|word| match word {
        "WHY" => "mended",
        "N" => "4",
        word => word,
    });
    Cli::try_parse_from(words).is_ok()
}

#[test]
fn what_helps_a_paused_or_overdue_job_is_a_command_that_acts() {
    let waiting = || {
        let at = ago(900);
        record(Phase::Waiting { run_after: at, due_at: at, why: "503".into() })
    };
    let running = Phase::Running { lease_until: ago(900), lease_expiry_indexed: true };
    let silent = || Facts { swept_at: Some(ago(800)), ..facts() };
    let backlog = Depth { visible: 9, ..Depth::default() };
    let cases = [
        (waiting(), Facts { is_paused: true, ..facts() }, "queues resume link --priority normal "),
        (waiting(), silent(), "sweep "),
        (
            waiting(),
            Facts { depth: Some(backlog), ..facts() },
            "queues set link --priority normal ",
        ),
        (waiting(), facts(), "jobs retry link#g:a "),
        (record(running), facts(), "sweep "),
        (parked(ago(900), false), facts(), "jobs retry link#g:a "),
        // It has no message that could wait behind others.
        (parked(ago(900), false), Facts { depth: Some(backlog), ..facts() }, "jobs retry "),
        (parked(ago(900), false), silent(), "sweep "),
    ];
    for (record, facts, expected) in cases {
        let advice = explain(&record, &facts, NOW).advice.unwrap();
        let command = advice.command.unwrap();
        assert!(command.starts_with(&format!("evenkeel {expected}")), "{command}");
        assert!(parses(&command), "{command}");
    }
    let mut high = waiting();
    high.work.queue += "-high";
    let advice = explain(&high, &Facts { is_paused: true, ..facts() }, NOW).advice.unwrap();
    assert!(advice.command.unwrap().contains(" --priority high "), "{}", advice.text);
    let paused = Facts { is_paused: true, ..facts() };
    let told = explain_unclaimed("link#g:a", "arn:aws:sqs:r:1:s-link-high", &paused, NOW);
    let command = told.advice.unwrap().command.unwrap();
    assert!(command.starts_with("evenkeel queues resume link --priority high "), "{command}");
    assert!(parses(&command), "{command}");
}

#[test]
fn a_job_that_has_ended_waits_for_nothing() {
    let (at, why) = (ago(60), "attempts spent".to_owned());
    let told = |phase| explain(&record(phase), &facts(), NOW);
    let succeeded = told(Phase::Succeeded { at, result: "{}".into() });
    assert_eq!((succeeded.state.as_str(), &succeeded.advice), ("succeeded", &None));
    let dead = told(Phase::Dead { at, why: why.clone() });
    assert_eq!(dead.summary, "It was given up: attempts spent.");
    let command = dead.advice.unwrap().command.unwrap();
    assert!(command.starts_with("evenkeel jobs retry link#"), "{command}");
    let quarantined = told(Phase::Quarantined { at, why: why.clone() });
    assert!(quarantined.advice.unwrap().command.unwrap().contains(" --local"));
    let cancelled = told(Phase::Cancelled { at, why });
    assert_eq!(
        (cancelled.summary.as_str(), cancelled.advice),
        ("It was cancelled: attempts spent.", None)
    );
    for ended in [&succeeded, &told(Phase::Dead { at, why: "x".into() })] {
        assert_eq!(
            (ended.since, &ended.gate, &ended.expected),
            (Some(at.as_millis()), &None, &None)
        );
    }
}

#[test]
fn what_has_happened_is_told_without_secrets() {
    let told = explain(&parked(after(1), true), &facts(), NOW);
    assert_eq!(told.history[0].message, "https://***@shop/ answered 503");
    assert_eq!(told.counts.unwrap().attempts, 1);
    assert_eq!(told.journal, [], "a record that has none, as all had in earlier versions");
    let entry = |what: &str| JournalEntry {
        at: ago(50).as_millis(),
        what: what.into(),
        ..JournalEntry::default()
    };
    let journal = vec![
        entry("parked, due in 300 s: breaker_open"),
        JournalEntry { op: Some("op".into()), ..entry("retry: of https://u:p@shop/") },
    ];
    let told = explain(&Record { journal, ..parked(after(1), true) }, &facts(), NOW);
    let told: Vec<(&str, Option<&str>)> =
        told.journal.iter().map(|noted| (noted.what.as_str(), noted.op.as_deref())).collect();
    let parking = ("parked, due in 300 s: breaker_open", None);
    assert_eq!(told, [parking, ("retry: of https://***@shop/", Some("op"))]);
    let mut provisional = parked(after(1), true);
    provisional.provisional = Some("{}".into());
    provisional.work.deadline = Some(ago(5));
    assert!(
        explain(&provisional, &facts(), NOW).summary.ends_with("a provisional result stands in.")
    );
}

#[test]
fn a_message_without_a_record_is_estimated_from_backlog_and_pace() {
    let depth = Some(Depth { visible: 120, ..Depth::default() });
    let busy = Facts { depth, per_minute: Some(60), ..facts() };
    let queue = "arn:aws:sqs:eu-west-1:1:s-link";
    let told = explain_unclaimed("link#g:a", queue, &busy, NOW);
    assert_eq!((told.state.as_str(), told.counts), ("unclaimed", None));
    assert_eq!(told.gate.unwrap().of, "s-link");
    assert_eq!(told.expected.unwrap().until, Some(after(120).as_millis()));
    let unknown = Facts { per_minute: None, ..busy.clone() };
    assert_eq!(explain_unclaimed("link#g:a", queue, &unknown, NOW).expected.unwrap().until, None);
    let empty = explain_unclaimed("link#g:a", queue, &facts(), NOW);
    assert!(empty.gate.is_none() && empty.expected.is_none());
    assert_eq!(empty.advice.unwrap().command.as_deref(), Some("evenkeel rejected list --local"));
    let paused = explain_unclaimed("link#g:a", queue, &Facts { is_paused: true, ..busy }, NOW);
    assert_eq!((paused.gate.unwrap().state.as_str(), paused.expected), ("paused", None));
}

#[test]
fn a_rejected_message_is_corrected_or_released_by_its_flaw() {
    let told = |flaw| {
        let rejection = Rejection::new(flaw, "payload.vin: missing");
        let message =
            RejectedMessage::new("link", "arn:aws:sqs:r:1:q", "m", "{}", &rejection, ago(9));
        explain_rejected(&message, &facts())
    };
    let invalid = told(Flaw::Invalid);
    assert_eq!(invalid.summary, "It is no valid job and was kept (invalid): payload.vin: missing.");
    assert_eq!(invalid.advice.unwrap().command.as_deref(), Some("evenkeel schema link --local"));
    for flaw in [Flaw::Newer, Flaw::Unacknowledged] {
        assert!(told(flaw).advice.unwrap().command.unwrap().contains("rejected release"));
    }
}
