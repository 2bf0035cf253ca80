//! One job or rejected message: what it waits for, what has happened to it, and what it holds.

use evenkeel::base::time::Time;
use serde_json::Value;

use super::Page;
use crate::{
    commands::shown::indented,
    dashboard::{
        acts::Act,
        cells,
        question::{Found, JobFound, Reply},
        view::{ActForm, Cell, Moment, Section, Tone},
    },
    shapes::{Explanation, Gate, JobShown, Noted, RejectedShown},
};

pub(in crate::dashboard) fn page(reply: &Reply) -> Page {
    let Found::Job(found) = &reply.found else { return Page::default() };
    let JobFound { job, rejected, explanation } = &**found;
    let mut sections = vec![explained(explanation, reply.now)];
    let acts = match (job, rejected) {
        (Some(job), _) => acts_on(job),
        (None, Some(message)) => {
            vec![Act::Release(message.key.clone()).form("Send again", 'R', Vec::new())]
        }
        (None, None) => Vec::new(),
    };
    if !acts.is_empty() {
        sections.push(Section { acts, ..Section::new("change", "Change") });
    }
    if let Some(job) = job {
        sections.push(timeline(job, reply.now));
        sections.push(record(job, reply.now));
        sections.push(Section::new("payload", "Payload").lines(&json(&job.payload)));
        if let Some(result) = &job.result {
            let title = if job.provisional { "Provisional result" } else { "Result" };
            sections.push(Section::new("result", title).lines(&json(result)));
        }
    }
    if let Some(message) = rejected {
        sections.push(kept(message, reply.now));
        sections.push(Section::new("body", "Body").lines(&json(&message.body)));
    }
    Page {
        title: format!("Job {}", Cell::text(&explanation.key).text),
        sections,
        ..Page::default()
    }
}

/// What can be done about a job in its state.
fn acts_on(job: &JobShown) -> Vec<ActForm> {
    let mut acts = Vec::new();
    if !matches!(job.state.as_str(), "running" | "succeeded") {
        acts.push(Act::RetryJob(job.key.clone()).form("Retry", 'R', Vec::new()));
    }
    if matches!(job.state.as_str(), "queued" | "waiting" | "parked" | "running") {
        acts.push(Act::CancelJob(job.key.clone()).form("Cancel …", 'C', Vec::new()));
    }
    acts
}

/// JSON in several lines; a text as it is.
fn json(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => indented(value),
    }
}

fn gate(gate: &Gate, now: Time) -> Cell {
    let kind = serde_json::to_value(gate.kind).unwrap_or_default();
    let mut text = format!("{} of {}: {}", kind.as_str().unwrap_or_default(), gate.of, gate.state);
    if let Some(until) = gate.until {
        text = format!("{text} until {}", cells::when_ms(until, now).text);
    }
    if let Some(why) = &gate.why {
        text = format!("{text} ({why})");
    }
    Cell::text(text).tone(Tone::Warn)
}

fn explained(found: &Explanation, now: Time) -> Section {
    let mut section = Section::new("explanation", "What it waits for").note(&found.summary);
    section.fact("key", Cell::text(&found.key));
    section.fact("state", cells::state(&found.state));
    section.fact_some("since", found.since.map(|ms| cells::when_ms(ms, now)));
    section.fact_some("gate", found.gate.as_ref().map(|it| gate(it, now)));
    if let Some(ahead) = found.ahead {
        section.fact("before it", cells::count(ahead.count, ahead.at_least));
    }
    if let Some(expected) = &found.expected {
        section.fact_some("runs from", expected.from.map(|ms| cells::when_ms(ms, now)));
        section.fact_some("probably by", expected.until.map(|ms| cells::when_ms(ms, now)));
        section.fact("by what", Cell::text(&expected.how));
    }
    section.fact_some("given up at", found.ends_at.map(|ms| cells::when_ms(ms, now)));
    match &found.advice {
        Some(advice) => {
            section.fact("what helps", Cell::text(&advice.text).tone(Tone::Warn));
            section.text = advice.command.as_deref().map(crate::text::clean_lines);
        }
        None => section.fact("what helps", Cell::text("Nothing needs to be done.")),
    }
    section
}

/// An entry of the journal: what happened, and why.
fn noted(entry: &Noted) -> (Cell, String) {
    if entry.op.is_some() {
        return (Cell::text("an operator"), entry.what.clone());
    }
    let (what, why) = entry.what.split_once(": ").unwrap_or((entry.what.as_str(), ""));
    let tone = if what == "woken" { Tone::Plain } else { Tone::Warn };
    (Cell::text(what).tone(tone), why.to_owned())
}

/// What has happened and what is to come, by time. The record keeps the latest failures, and in its journal the latest
/// decisions, wake-ups and operators' acts.
fn timeline(job: &JobShown, now: Time) -> Section {
    let mut events: Vec<(u64, Cell, String)> =
        vec![(job.created_at, Cell::text("created"), format!("on {}", job.queue))];
    for failed in &job.history {
        let what = Cell::text(format!("{} · {}", failed.class, failed.code)).tone(Tone::Bad);
        events.push((failed.at, what, failed.message.clone()));
    }
    for entry in &job.journal {
        let (what, why) = noted(entry);
        events.push((entry.at, what, why));
    }
    let why = job.why.clone().unwrap_or_default();
    for (at, what, detail) in [
        (job.parked_since, cells::state("parked"), why.clone()),
        (job.ended_at, cells::state(&job.state), why.clone()),
        (job.lease_until, Cell::text("lease ends"), "the run must have ended".to_owned()),
        (job.run_after, Cell::text("may run again"), why.clone()),
        (job.deadline, Cell::text("deadline"), "of the sender".to_owned()),
        (job.expires_at, Cell::text("record expires"), String::new()),
    ] {
        events.extend(at.map(|at| (at, what, detail)));
    }
    events.sort_by_key(|event| event.0);
    let moment = |(at, what, detail): (u64, Cell, String)| Moment {
        at: cells::when_ms(at, now),
        what,
        detail: crate::text::clean(&detail),
    };
    let counts = job.counts;
    let note = format!(
        "{} attempts, {} deferrals, {} crashes; {} claims of {} messages.",
        counts.attempts, counts.defers, counts.crashes, counts.claims, counts.receives
    );
    let moments = events.into_iter().map(moment).collect();
    Section { moments, ..Section::new("timeline", "Timeline").note(note) }
}

fn record(job: &JobShown, now: Time) -> Section {
    let mut section = Section::new("record", "Record");
    section.fact("type", Cell::text(&job.kind));
    section.fact_some("why", job.why.as_ref().map(Cell::text));
    section.fact("dependency", Cell::text(&job.dependency).href("/dependencies"));
    section.fact("queue", Cell::text(&job.queue));
    section.fact("priority", Cell::text(&job.priority));
    section.fact_some("group", job.group.as_ref().map(Cell::text));
    section.fact_some("trace", job.trace.as_ref().map(Cell::text));
    section.fact("created", cells::when_ms(job.created_at, now));
    section.fact("fence", Cell::number(job.fence.to_string()));
    section
}

fn kept(message: &RejectedShown, now: Time) -> Section {
    let mut section = Section::new("rejected", "Rejected message").note(&message.why);
    section.fact("type", Cell::text(&message.kind));
    section.fact("flaw", Cell::text(&message.flaw).tone(Tone::Warn));
    section.fact("queue", Cell::text(&message.queue));
    section.fact("message id", Cell::text(&message.message_id));
    section.fact_some("group", message.group.as_ref().map(Cell::text));
    section.fact_some("trace", message.trace.as_ref().map(Cell::text));
    section.fact("rejected", cells::when_ms(message.rejected_at, now));
    section.fact("expires", cells::when_ms(message.expires_at, now));
    section.fact("bytes", Cell::number(message.body_bytes.to_string()));
    section
}
