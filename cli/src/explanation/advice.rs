//! The one act that would help a job.

use evenkeel::{
    base::time::Time,
    dependency::breaker::State,
    failure::Class,
    message::Flaw,
    record::{Phase, Record, due::priority},
};

use super::{FORGOTTEN_AFTER, Facts};
use crate::{shapes::Advice, text::quoted};

/// `words` are those of the command behind `evenkeel`; the options that name the stack follow.
fn advice_of(text: impl Into<String>, words: &str, facts: &Facts) -> Advice {
    let command = format!("evenkeel {words} {}", facts.stack);
    Advice { text: text.into(), command: Some(command) }
}

/// A command that lets a job begin anew, or run now if it only waits.
fn retry(record: &Record) -> String {
    format!("jobs retry {} --reason WHY", quoted(&record.key))
}

/// What would help the job of this record; `None` if it has succeeded or needs nothing but time.
pub(super) fn advice(record: &Record, facts: &Facts, now: Time) -> Option<Advice> {
    let due = match &record.phase {
        Phase::Queued { due_at } => *due_at,
        Phase::Running { lease_until, .. } => *lease_until,
        Phase::Waiting { due_at, run_after, .. } => (*due_at).max(*run_after),
        Phase::Parked { run_after, .. } => return parked(record, *run_after, facts, now),
        Phase::Succeeded { .. } | Phase::Cancelled { .. } => return None,
        Phase::Dead { .. } => return Some(dead(record, facts)),
        Phase::Quarantined { .. } => return Some(quarantined(record, facts)),
    };
    if facts.is_paused {
        return Some(paused(record.kind(), &record.work.queue, facts));
    }
    overdue(record, due, facts, now)
}

/// Help for a job that the sweeper should have looked after.
fn overdue(record: &Record, due: Time, facts: &Facts, now: Time) -> Option<Advice> {
    if now.since(due) <= FORGOTTEN_AFTER {
        return None;
    }
    let is_running = matches!(record.phase, Phase::Running { .. });
    let has_message = matches!(record.phase, Phase::Queued { .. } | Phase::Waiting { .. });
    Some(if facts.is_sweeper_silent(now) {
        advice_of(
            "The sweeper has not reported for minutes, and only it finds such a job. This runs it once; `evenkeel doctor` \
             checks why it is not called.",
            "sweep --reason WHY",
            facts,
        )
    } else if has_message && facts.depth.is_some_and(|depth| depth.visible > 0) {
        let (kind, of) = (quoted(record.kind()), priority(&record.work.queue));
        advice_of(
            "Its message waits behind others. If `evenkeel queues list` shows few batches at once, and no limit is the \
             cause, more of them help:",
            &format!("queues set {kind} --priority {of} --concurrency N --for 1h --reason WHY"),
            facts,
        )
    } else if is_running {
        advice_of(
            "Its lease is over, and the sweeper, which works, has not found it: read its log lines about the key. This \
             runs it once more.",
            "sweep --reason WHY",
            facts,
        )
    } else {
        advice_of(
            "It is overdue although the sweeper works: read its log lines about the key. This sends it again.",
            &retry(record),
            facts,
        )
    })
}

/// Help for a job whose queue is paused.
fn paused(kind: &str, queue: &str, facts: &Facts) -> Advice {
    let (kind, of) = (quoted(kind), priority(queue));
    advice_of(
        "Its queue is paused: `evenkeel ops log` says who did it and why. If the reason is gone, enable the queue again.",
        &format!("queues resume {kind} --priority {of} --reason WHY"),
        facts,
    )
}

fn parked(record: &Record, run_after: Time, facts: &Facts, now: Time) -> Option<Advice> {
    let dependency = &record.work.dependency;
    let show = || format!("breaker show {}", quoted(dependency));
    let is_systemic = |class: &str| class == Class::Systemic.name();
    if let Some(breaker) = facts.breaker.as_ref().map(|breaker| breaker.at(now)) {
        if matches!(breaker.state, State::Forced { open: true, .. }) {
            let text =
                "An operator has forced the breaker open: take that back if its reason is gone.";
            let command = format!("breaker auto {} --reason WHY", quoted(dependency));
            return Some(advice_of(text, &command, facts));
        }
        if breaker.state.refuses_calls() && breaker.systemic {
            let text = format!(
                "Fix what {dependency} refuses, such as a revoked key, a plan's limit or a bot wall; \
                 the next probe then closes the breaker by itself."
            );
            return Some(advice_of(text, &show(), facts));
        }
        if breaker.state.refuses_calls() {
            return None;
        }
    }
    if record.last_failure.as_ref().is_some_and(|failure| is_systemic(&failure.class)) {
        let text = format!(
            "Calls of other jobs to {dependency} may work: fix what it refuses about this one, or the cause that its \
             history names."
        );
        return Some(advice_of(text, &show(), facts));
    }
    overdue(record, run_after, facts, now)
}

fn dead(record: &Record, facts: &Facts) -> Advice {
    advice_of(
        "Correct the cause that its history names, then let it begin anew, or send the same message again.",
        &retry(record),
        facts,
    )
}

fn quarantined(record: &Record, facts: &Facts) -> Advice {
    advice_of(
        "Find out why it crashes its process, from the function's log; no message opens it again. Then:",
        &retry(record),
        facts,
    )
}

/// Help for a job of this type without a record, whose message may be in the queue with this ARN.
pub(super) fn unclaimed(kind: &str, queue: &str, facts: &Facts, visible: u64) -> Advice {
    if facts.is_paused {
        return paused(kind, queue, facts);
    }
    let (text, command) = if visible > 0 {
        ("Wait for the queue, and compare the id with what was sent.", "queues list")
    } else {
        (
            "No message waits: compare the id with what was sent, and look among the rejected messages.",
            "rejected list",
        )
    };
    advice_of(text, command, facts)
}

/// Help for a rejected message.
pub(super) fn rejected(flaw: Flaw, kind: &str, facts: &Facts) -> Advice {
    let kind = quoted(kind);
    let release = |flaw: &str| format!("rejected release --type {kind} --flaw {flaw} --reason WHY");
    match flaw {
        Flaw::Newer => advice_of(
            "Update the functions to the version that its sender uses, then release all such messages:",
            &release(flaw.name()),
            facts,
        ),
        Flaw::Unacknowledged => advice_of(
            "Nothing is visibly wrong with it: once its function works again, release all such messages:",
            &release(flaw.name()),
            facts,
        ),
        Flaw::OtherPayload => advice_of(
            "Its id is known with another payload: send it under an id of its own.",
            &format!("schema {kind}"),
            facts,
        ),
        Flaw::Malformed | Flaw::Invalid | Flaw::TooLong | Flaw::Alien => advice_of(
            "Correct what the reason names, and send it as a new message.",
            &format!("schema {kind}"),
            facts,
        ),
    }
}
