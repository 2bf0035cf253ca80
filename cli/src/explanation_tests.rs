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

#[test]
fn a_parked_job_names_the_state_of_its_breaker() {
    let job = parked(after(40), true);
    let probes = BTreeMap::from([("t".to_owned(), after(9))]);
    let half_open = State::HalfOpen { probes, successes: 1, wait: Duration::from_secs(60) };
    let forced = State::Forced { open: true, until: after(600) };
    let cases = [
        (open(), "open", Some(after(40)), false),
        (half_open, "half_open", None, false),
        (forced, "forced_open", Some(after(600)), true),
    ];
    for (state, name, until, has_advice) in cases {
        let told = explain(&job, &behind(state, false), NOW);
        let gate = told.gate.unwrap();
        assert_eq!(
            (gate.kind, gate.of.as_str(), gate.state.as_str()),
            (GateKind::Breaker, "shop", name)
        );
        assert_eq!(gate.until, until.map(Time::as_millis), "{name}");
        assert_eq!(gate.why.as_deref(), Some("5 of 6 calls failed"));
        assert_eq!(
            (told.since, told.ends_at),
            (Some(ago(120).as_millis()), Some(after(9_000).as_millis()))
        );
        assert_eq!(told.expected.unwrap().from, Some(until.unwrap_or(NOW).as_millis()), "{name}");
        assert_eq!(told.advice.is_some(), has_advice, "{name}");
    }
    let systemic = explain(&job, &behind(open(), true), NOW);
    assert!(systemic.advice.unwrap().text.contains("Fix what shop refuses"));
}

#[test]
fn a_parked_job_behind_a_closed_breaker_goes_in_its_turn() {
    let first = explain(&parked(after(40), true), &facts(), NOW);
    assert_eq!((first.gate, first.expected.unwrap().until), (None, Some(after(120).as_millis())));
    let ahead = Some(Ahead { count: 100, at_least: true });
    let limiter =
        Limiter { next_us: after(30).as_millis() * 1_000, pace: 500, ..Limiter::default() };
    let busy = Facts { ahead, limiter: Some(limiter), ..behind(State::Closed, false) };
    let later = explain(&parked(ago(10), false), &busy, NOW);
    let gate = later.gate.unwrap();
    assert_eq!(
        (gate.kind, gate.state.as_str(), gate.until),
        (GateKind::Limiter, "slowed", Some(after(30).as_millis()))
    );
    assert_eq!((later.ahead, later.expected.unwrap().until), (ahead, None));
    let expired = State::Forced { open: true, until: ago(1) };
    assert_eq!(
        explain(&parked(after(40), true), &behind(expired, false), NOW).gate,
        None,
        "it has expired"
    );
}

#[test]
fn a_parked_job_goes_when_those_before_it_have_gone() {
    let limits = Limits { per_minute: Some(480), per_hour: Some(18_000), ..Limits::default() };
    let slowed = Limiter { pace: 500, ..Limiter::default() };
    let told = |count, at_least, parked| {
        let facts = Facts {
            ahead: Some(Ahead { count, at_least }),
            parked,
            limits: limits.clone(),
            limiter: Some(slowed.clone()),
            ..facts()
        };
        let expected = explain(&parked_record(), &facts, NOW).expected.unwrap();
        assert!(expected.how.contains("at most 240 a minute"), "{}", expected.how);
        (expected.from.unwrap(), expected.until)
    };
    let tick = 120;
    let at = |seconds| after(seconds).as_millis();
    // 240 a minute at half the pace. The 16 shards take turns: 16 * 61 - 1 jobs at most.
    assert_eq!(told(60, false, None), (at(15), Some(after(tick).as_millis() + 243_750)));
    assert_eq!(told(60, false, Some(121)), (at(15), Some(at(30 + tick))), "120 others in all");
    assert_eq!(told(100, true, Some(961)), (at(25), Some(at(240 + tick))));
    assert_eq!(told(100, true, None), (at(25), None), "nobody has counted them");
    let host = Facts { ahead: Some(Ahead { count: 600, at_least: false }), ..facts() };
    let mut of_host = parked_record();
    of_host.work.dependency = "page/www.example.com".into();
    let expected = explain(&of_host, &host, NOW).expected.unwrap();
    assert_eq!(expected.until, Some(at(60 + tick)), "a host has one shard, and ten go a second");
}

#[test]
fn a_parked_job_waits_for_the_end_of_a_stop_at_its_limiter() {
    let limits = Limits { per_minute: Some(480), per_hour: Some(18_000), ..Limits::default() };
    let rates = limits.rates().unwrap();
    let limiter = Limiter::default().slowed(rates, Duration::from_secs(300), NOW);
    let told = |record: &Record, state| {
        let (limits, limiter) = (limits.clone(), Some(limiter.clone()));
        let told = explain(record, &Facts { limiter, limits, ..behind(state, false) }, NOW);
        let gate = told.gate.unwrap();
        (gate.kind, gate.state, gate.until, told.expected.unwrap().from)
    };
    let [soon, end, own] = [40, 300, 900].map(|seconds| Some(after(seconds).as_millis()));
    let stopped = (GateKind::Limiter, "stopped".to_owned(), end, end);
    assert_eq!(told(&parked_record(), State::Closed), stopped);
    let open_too = (GateKind::Breaker, "open".to_owned(), soon, end);
    assert_eq!(told(&parked_record(), open()), open_too, "no probe goes before");
    let later = (GateKind::Pause, "waiting".to_owned(), own, own);
    assert_eq!(told(&parked(after(900), false), State::Closed), later, "its own time is later");
}

/// A parked job that waits for its breaker only, which is closed.
fn parked_record() -> Record {
    parked(ago(10), true)
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
fn a_parked_job_that_waits_for_a_time_is_released_then() {
    let told = explain(&parked(after(300), false), &facts(), NOW);
    assert_eq!(told.gate.unwrap().kind, GateKind::Pause);
    assert_eq!(told.expected.unwrap().from, Some(after(300).as_millis()));
    let asked = Breaker { stopped_until: after(50), ..Breaker::default() };
    let stopped = Facts { breaker: Some(asked), ..facts() };
    let gate = explain(&parked(ago(1), false), &stopped, NOW).gate.unwrap();
    assert_eq!((gate.state.as_str(), gate.until), ("stopped", Some(after(50).as_millis())));
    let failure = LastFailure { class: "systemic".into(), fingerprint: "f".into(), at: ago(60) };
    let own = Record { last_failure: Some(failure), ..parked(after(30), false) };
    assert!(
        explain(&own, &facts(), NOW)
            .advice
            .unwrap()
            .text
            .contains("fix what it refuses about this one")
    );
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
