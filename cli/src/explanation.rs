//! What a job waits for, when it will run, and what would help: decided from its record and the gates, without any
//! input or output.

mod advice;
mod parked;

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::{breaker::Breaker, limiter::Limiter},
    message::RejectedMessage,
    ports::{maintenance::Depth, notes::Limits},
    record::{Phase, Record},
};

use crate::{
    deployment::queue_name,
    shapes::{Ahead, Expected, Explanation, Gate, GateKind},
    text::redact,
};

/// The longest time from one tick of the sweeper to the end of what the next one does.
const A_TICK: Duration = Duration::from_mins(2);

/// How long after a time that has passed a job counts as forgotten: three ticks have not found it.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(5);

/// What is known besides the record. A part that could not be read is `None`, and the explanation says less.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The options by which commands name the stack.
    pub stack: String,
    /// The breaker of the job's dependency; `None` if it has never tripped.
    pub breaker: Option<Breaker>,
    /// The limiter of the job's dependency; `None` if it has none.
    pub limiter: Option<Limiter>,
    /// The depth of the job's queue.
    pub depth: Option<Depth>,
    /// Whether the function receives from the queue at present.
    pub is_paused: bool,
    /// Jobs of the type that ended or were put off within the last whole minute.
    pub per_minute: Option<u64>,
    /// Parked jobs before this one in its partition of the index.
    pub ahead: Option<Ahead>,
    /// All parked jobs of the dependency a minute ago; `None` if they were too many to be counted.
    pub parked: Option<u64>,
    /// What limits the calls of the dependency, as the functions have noted it.
    pub limits: Limits,
    /// When the sweeper last wrote how things stand.
    pub swept_at: Option<Time>,
}

impl Facts {
    /// Whether no tick has come for so long that nothing is released or resent.
    fn is_sweeper_silent(&self, now: Time) -> bool {
        self.swept_at.is_some_and(|at| now.since(at) > FORGOTTEN_AFTER)
    }

    /// When the stop ends that 429s have brought about; in the past if there is none.
    fn stopped_until(&self, now: Time) -> Time {
        let breaker = self.breaker.clone().unwrap_or_default();
        let limiter = self.limiter.clone().unwrap_or_default();
        self.limits.stopped_until(&breaker, &limiter, now)
    }

    /// Time until the visible messages of the queue have been received, at the pace of the last minute.
    fn backlog(&self) -> Option<Duration> {
        let visible = self.depth?.visible;
        let per_minute = self.per_minute.filter(|count| *count > 0)?;
        Some(Duration::from_secs(visible.saturating_mul(60) / per_minute))
    }
}

/// Explains a job from its record.
#[must_use]
pub fn explain(record: &Record, facts: &Facts, now: Time) -> Explanation {
    let mut explanation = match &record.phase {
        Phase::Queued { due_at } => queued(record, *due_at, facts, now),
        Phase::Running { lease_until, .. } => running(record, *lease_until, now),
        Phase::Waiting { run_after, due_at, why } => {
            waiting(record, [*run_after, *due_at], why, facts, now)
        }
        Phase::Parked { run_after, why } => parked::parked(record, *run_after, why, facts, now),
        Phase::Succeeded { at, .. } => base(record, "It has succeeded.", Some(*at)),
        Phase::Dead { at, why } => base(record, &format!("It was given up: {why}."), Some(*at)),
        Phase::Cancelled { at, why } => {
            base(record, &format!("It was cancelled: {why}."), Some(*at))
        }
        Phase::Quarantined { at, why } => {
            let summary = format!("It is quarantined, because it crashed too often: {why}.");
            base(record, &summary, Some(*at))
        }
    };
    if record.provisional.is_some() && record.phase.ended_at().is_none() {
        explanation.summary += " Its deadline is over, and a provisional result stands in.";
    }
    explanation.advice = advice::advice(record, facts, now);
    explanation
}

/// Explains a job of which there is no record: a message that is not yet claimed, or none at all. `queue` is the
/// ARN of the queue in which its message may be.
#[must_use]
pub fn explain_unclaimed(key: &str, queue: &str, facts: &Facts, now: Time) -> Explanation {
    let kind = key.split('#').next().unwrap_or_default();
    let visible = facts.depth.map_or(0, |depth| depth.visible);
    let mut summary = "There is no record: its message has not been claimed yet, was never sent, \
         or its record has expired."
        .to_owned();
    let (mut gate, mut expected) = (None, None);
    if facts.is_paused {
        summary += " The queue is paused, so no message is received.";
        gate = Some(queue_gate(queue, "paused"));
    } else if visible > 0 {
        gate = Some(queue_gate(queue, "backlog"));
        expected = Some(Expected {
            from: Some(now.as_millis()),
            until: facts.backlog().map(|span| (now + span).as_millis()),
            how: match facts.per_minute {
                Some(pace) if pace > 0 => format!(
                    "{visible} messages wait in the queue, and {pace} runs ended in the last minute"
                ),
                _ => format!("{visible} messages wait in the queue, and no run ended lately"),
            },
        });
    }
    Explanation {
        key: redact(key),
        state: "unclaimed".to_owned(),
        summary,
        since: None,
        gate,
        ahead: (visible > 0).then_some(Ahead { count: visible, at_least: false }),
        expected,
        ends_at: None,
        counts: None,
        history: Vec::new(),
        journal: Vec::new(),
        advice: Some(advice::unclaimed(kind, queue, facts, visible)),
        read_units: 0.0,
    }
}

/// Explains a rejected message.
#[must_use]
pub fn explain_rejected(message: &RejectedMessage, facts: &Facts) -> Explanation {
    let flaw = message.rejection.flaw;
    Explanation {
        key: message.key.clone(),
        state: "rejected".to_owned(),
        summary: redact(&format!(
            "It is no valid job and was kept ({}): {}.",
            flaw.name(),
            message.rejection.reason
        )),
        since: Some(message.at.as_millis()),
        gate: None,
        ahead: None,
        expected: None,
        ends_at: Some(message.expires_at.as_millis()),
        counts: None,
        history: Vec::new(),
        journal: Vec::new(),
        advice: Some(advice::rejected(flaw, &message.kind, facts)),
        read_units: 0.0,
    }
}

/// The explanation that needs no gate.
fn base(record: &Record, summary: &str, since: Option<Time>) -> Explanation {
    Explanation {
        key: redact(&record.key),
        state: record.phase.name().to_owned(),
        summary: redact(summary),
        since: since.map(Time::as_millis),
        gate: None,
        ahead: None,
        expected: None,
        ends_at: None,
        counts: Some(record.counters.into()),
        history: record.history.iter().map(Into::into).collect(),
        journal: record.journal.iter().map(Into::into).collect(),
        advice: None,
        read_units: 0.0,
    }
}

fn queue_gate(queue: &str, state: &str) -> Gate {
    let of = queue_name(queue).to_owned();
    Gate { kind: GateKind::Queue, of, state: state.to_owned(), why: None, until: None }
}

/// A job whose message is on its way, and when the sweeper looks after it.
fn on_its_way(
    mut explanation: Explanation,
    record: &Record,
    due_at: Time,
    facts: &Facts,
    now: Time,
) -> Explanation {
    let queue = &record.work.queue;
    let visible = facts.depth.map_or(0, |depth| depth.visible);
    if facts.is_paused {
        explanation.summary += " Its queue is paused, so no message is received.";
        explanation.gate = Some(queue_gate(queue, "paused"));
        return explanation;
    }
    if visible > 0 {
        explanation.gate = Some(queue_gate(queue, "backlog"));
        explanation.ahead = Some(Ahead { count: visible, at_least: false });
    }
    let latest = facts.backlog().map_or(due_at.max(now) + A_TICK, |span| now + span.max(A_TICK));
    explanation.expected = Some(Expected {
        from: Some(now.as_millis()),
        until: Some(latest.as_millis()),
        how: "its message is received, or the sweeper finds it lost and sends it again".to_owned(),
    });
    explanation
}

fn queued(record: &Record, due_at: Time, facts: &Facts, now: Time) -> Explanation {
    let summary = "It was recorded by another job, and its message is on the way.".to_owned();
    let explanation = base(record, &summary, Some(record.work.created_at));
    let mut explanation = on_its_way(explanation, record, due_at, facts, now);
    explanation.ends_at = ends_at(record);
    explanation
}

fn running(record: &Record, lease_until: Time, now: Time) -> Explanation {
    let is_alive = lease_until > now;
    let summary = if is_alive {
        "A run has it at work."
    } else {
        "Its run has not come back: the lease is over, so its process counts as dead."
    };
    let mut explanation = base(record, summary, None);
    explanation.gate = Some(Gate {
        kind: GateKind::Lease,
        of: record.work.queue.rsplit(':').next().unwrap_or_default().to_owned(),
        state: if is_alive { "held" } else { "over" }.to_owned(),
        why: None,
        until: Some(lease_until.as_millis()),
    });
    explanation.expected = Some(if is_alive {
        let (from, until) = (None, Some(lease_until.as_millis()));
        Expected { from, until, how: "the run ends, or its lease does".to_owned() }
    } else {
        let until = Some((lease_until.max(now) + A_TICK).as_millis());
        let how = "the sweeper or the message's return counts a crash, and it runs again";
        Expected { from: Some(now.as_millis()), until, how: how.to_owned() }
    });
    explanation.ends_at = ends_at(record);
    explanation
}

fn waiting(
    record: &Record,
    [run_after, due_at]: [Time; 2],
    why: &str,
    facts: &Facts,
    now: Time,
) -> Explanation {
    let since = record.last_failure.as_ref().map(|failure| failure.at);
    let since = since.filter(|at| *at > Time::default());
    let mut explanation = base(record, &format!("It waits to be tried again: {why}."), since);
    if run_after > now {
        explanation.gate = Some(Gate {
            kind: GateKind::Pause,
            of: record.work.dependency.clone(),
            state: "waiting".to_owned(),
            why: None,
            until: Some(run_after.as_millis()),
        });
        explanation.expected = Some(Expected {
            from: Some(run_after.as_millis()),
            until: facts.backlog().map(|span| (run_after + span + A_TICK).as_millis()),
            how: "its message becomes visible again at that time".to_owned(),
        });
    } else {
        explanation = on_its_way(explanation, record, due_at, facts, now);
    }
    // A message that arrives while the breaker refuses calls only parks its job.
    if let Some(gate) = parked::breaker_gate(record, facts, now) {
        explanation.summary += " When it is received, the breaker will park it.";
        explanation.expected = None;
        explanation.gate = Some(gate);
    }
    explanation.ends_at = ends_at(record);
    explanation
}

/// When a job ends although it has not succeeded, as far as the record tells.
fn ends_at(record: &Record) -> Option<u64> {
    record.parked_until().map(Time::as_millis)
}

#[cfg(test)]
#[path = "explanation_tests.rs"]
mod tests;
