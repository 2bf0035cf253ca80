//! What a parked job waits for: a breaker, a limiter, or the end of its own pause.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::breaker::{Breaker, State},
    ports::notes::ReleaseRate,
    record::{
        Record,
        due::{HIGH, Parked},
    },
};

use super::{A_TICK, Facts, base, ends_at};
use crate::{
    shapes::{Ahead, Expected, Explanation, Gate, GateKind},
    text::redact,
};

/// Explains a parked job.
pub(super) fn parked(
    record: &Record,
    run_after: Time,
    why: &str,
    facts: &Facts,
    now: Time,
) -> Explanation {
    let since = record.parking.map(|parking| parking.since);
    let mut explanation = base(record, &format!("It is parked, without a message: {why}."), since);
    explanation.ends_at = ends_at(record);
    explanation.ahead = facts.ahead;
    let is_gated = record.parking.is_some_and(|parking| parking.gated);
    let stop = facts.stopped_until(now);
    let earliest = if is_gated { stop } else { stop.max(run_after) };
    let stopped = || (stop > now && earliest == stop).then(|| stopped_gate(record, stop));
    if let Some(gate) = breaker_gate(record, facts, now).or_else(stopped) {
        explanation.expected = Some(behind_breaker(&gate, earliest, now));
        explanation.gate = Some(gate);
    } else if run_after > now && !is_gated {
        explanation.gate = Some(Gate {
            kind: GateKind::Pause,
            of: record.work.dependency.clone(),
            state: "waiting".to_owned(),
            why: None,
            until: Some(run_after.as_millis()),
        });
        explanation.expected = Some(Expected {
            from: Some(run_after.as_millis()),
            until: Some((run_after + A_TICK).as_millis()),
            how: "the sweeper releases it at its first tick after that time".to_owned(),
        });
    } else {
        explanation.gate = limiter_gate(record, facts, now);
        explanation.expected = Some(in_turn(record, facts, now));
    }
    explanation
}

/// When a job runs that no breaker holds back: as soon as those before it have gone.
fn in_turn(record: &Record, facts: &Facts, now: Time) -> Expected {
    let limiter = facts.limiter.clone().unwrap_or_default();
    let ReleaseRate { at_present, by_hour } = facts.limits.release_rate(&limiter, now);
    let after = |jobs: u64, per_minute: u64| {
        now + Duration::from_millis(jobs.saturating_mul(60_000) / per_minute)
    };
    let least = facts.ahead.map_or(0, |ahead| ahead.count);
    let until = most_before(record, facts).map(|most| after(most, by_hour) + A_TICK);
    Expected {
        from: Some(after(least, at_present).as_millis()),
        until: until.map(Time::as_millis),
        how: format!(
            "the sweeper releases the dependency's parked jobs in turn, at most {at_present} a \
             minute at the limiter's present pace"
        ),
    }
}

/// The most jobs that may go before this one; `None` if they are too many to be counted.
fn most_before(record: &Record, facts: &Facts) -> Option<u64> {
    let Some(Ahead { count, at_least }) = facts.ahead else { return Some(0) };
    let [_, ordinary] = Parked::of(&record.work.dependency).plain;
    let shards = if record.priority() == HIGH { 1 } else { ordinary.len() };
    let shards = u64::try_from(shards).unwrap_or(u64::MAX);
    // The shards take turns.
    let of_all_shards = count.saturating_add(1).saturating_mul(shards).saturating_sub(1);
    let by_turns = (!at_least).then_some(of_all_shards);
    let others = facts.parked.map(|all| all.saturating_sub(1).max(count));
    by_turns.zip(others).map(|(turns, others)| turns.min(others)).or(by_turns).or(others)
}

/// When a job runs that a breaker or a stop holds back, which may not run before `earliest`.
fn behind_breaker(gate: &Gate, earliest: Time, now: Time) -> Expected {
    let how = match gate.state.as_str() {
        "open" => {
            "probes are let through then; once enough have worked, parked jobs go, first one a second"
        }
        "half_open" => {
            "probes are under way; once enough have worked, parked jobs go, first one a second"
        }
        "stopped" => "calls are allowed again then",
        _ => "an operator has forced it open: jobs go when that ends or is taken back",
    };
    // A job that does not wait for the breaker is also released a quarter of an hour after it is due; it is then
    // parked again if the breaker is still open.
    let from = gate.until.unwrap_or_default().max(now.as_millis()).max(earliest.as_millis());
    Expected { from: Some(from), until: None, how: how.to_owned() }
}

/// The breaker of the job's dependency as a gate; `None` if it lets calls through.
pub(super) fn breaker_gate(record: &Record, facts: &Facts, now: Time) -> Option<Gate> {
    let breaker = facts.breaker.as_ref()?.at(now);
    let of = record.work.dependency.clone();
    let why = Some(redact(&breaker.why)).filter(|why| !why.is_empty());
    let kind = GateKind::Breaker;
    if breaker.state.refuses_calls() {
        let state = breaker.state.name().to_owned();
        return Some(Gate { kind, of, state, why, until: until(&breaker).map(Time::as_millis) });
    }
    (breaker.stopped_until > now).then(|| stopped_gate(record, breaker.stopped_until))
}

/// A stop of all calls as a gate.
fn stopped_gate(record: &Record, until: Time) -> Gate {
    Gate {
        kind: GateKind::Limiter,
        of: record.work.dependency.clone(),
        state: "stopped".to_owned(),
        why: Some("the dependency answered 429 and asked for a pause".to_owned()),
        until: Some(until.as_millis()),
    }
}

/// Until when a breaker refuses calls; `None` if that depends on its probes.
fn until(breaker: &Breaker) -> Option<Time> {
    match &breaker.state {
        State::Open { retry_at, .. } => Some(*retry_at),
        State::Forced { until, .. } => Some(*until),
        State::Closed | State::HalfOpen { .. } => None,
    }
}

/// The limiter as a gate; `None` if its next slot is within reach.
fn limiter_gate(record: &Record, facts: &Facts, now: Time) -> Option<Gate> {
    let limiter = facts.limiter.as_ref()?;
    let next = Time::from_millis(limiter.next_us / 1_000);
    (next > now).then(|| Gate {
        kind: GateKind::Limiter,
        of: record.work.dependency.clone(),
        state: if limiter.pace < 1_000 { "slowed" } else { "busy" }.to_owned(),
        why: Some(format!(
            "its slots are taken until then, at {} % of its rate",
            limiter.pace / 10
        )),
        until: Some(next.as_millis()),
    })
}
