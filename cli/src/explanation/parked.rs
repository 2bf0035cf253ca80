//! What a parked job waits for: a breaker, a limiter, or the end of its own pause.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::breaker::{Breaker, State},
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

/// Jobs that the sweeper releases a minute where calls are not limited: ten a second (docs/sweeper.md).
const UNLIMITED_A_MINUTE: u64 = 600;

/// The pace of a limiter that no 429 has slowed down, in thousandths of its rate.
const FULL_PACE: u32 = 1_000;

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
    if let Some(gate) = breaker_gate(record, facts, now) {
        explanation.expected = Some(behind_breaker(&gate, record, run_after, now));
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
    let [fast, slow] = per_minute(facts);
    let after = |jobs: u64, per_minute: u64| {
        now + Duration::from_millis(jobs.saturating_mul(60_000) / per_minute)
    };
    let least = facts.ahead.map_or(0, |ahead| ahead.count);
    let until = most_before(record, facts).map(|most| after(most, slow) + A_TICK);
    Expected {
        from: Some(after(least, fast).as_millis()),
        until: until.map(Time::as_millis),
        how: format!(
            "the sweeper releases the dependency's parked jobs in turn, at most {fast} a minute at the limiter's \
             present pace"
        ),
    }
}

/// Jobs that the sweeper releases a minute: at the limiter's present pace, and once the hourly limit counts.
fn per_minute(facts: &Facts) -> [u64; 2] {
    let (Some(minute), Some(hour)) = (facts.limits.per_minute, facts.limits.per_hour) else {
        return [UNLIMITED_A_MINUTE; 2];
    };
    let pace = facts.limiter.as_ref().map_or(FULL_PACE, |limiter| limiter.pace);
    let fast = (u64::from(minute) * u64::from(pace) / u64::from(FULL_PACE)).max(1);
    [fast, (u64::from(hour) / 60).clamp(1, fast)]
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

/// When a job runs that a breaker holds back.
fn behind_breaker(gate: &Gate, record: &Record, run_after: Time, now: Time) -> Expected {
    let is_gated = record.parking.is_some_and(|parking| parking.gated);
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
    let from = gate.until.map_or(now.as_millis(), |until| until.max(now.as_millis()));
    let from = if is_gated { from } else { from.max(run_after.as_millis()) };
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
    (breaker.stopped_until > now).then(|| Gate {
        kind: GateKind::Limiter,
        of,
        state: "stopped".to_owned(),
        why: Some("the dependency answered 429 and asked for a pause".to_owned()),
        until: Some(breaker.stopped_until.as_millis()),
    })
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
