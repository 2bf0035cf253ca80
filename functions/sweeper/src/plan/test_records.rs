//! Records for the tests of the plans.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    record::{Counters, Phase, Record, Work},
};

/// The present time in these tests.
pub(crate) const NOW: Time = Time::from_millis(1_800_000_000_000);

/// The queue of every record.
pub(crate) const QUEUE: &str = "arn:aws:sqs:eu-west-1:1:errand";

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A record in this state.
pub(crate) fn record(key: &str, phase: Phase) -> Record {
    Record {
        key: key.to_owned(),
        fence: 3,
        owner: "batch".into(),
        message_id: "message".into(),
        counters: Counters { receives: 2, claims: 2, ..Counters::default() },
        phase,
        work: Work {
            payload: r#"{"n":1}"#.into(),
            queue: QUEUE.into(),
            dependency: "elsewhere".into(),
            retention: Duration::from_hours(360),
            created_at: NOW.before(Duration::from_mins(20)),
            first_created_at: None,
            deadline: None,
            group: Some("acme".into()),
            trace: None,
        },
        cursor: None,
        provisional: None,
        parking: None,
        last_failure: None,
        history: Vec::new(),
        journal: Vec::new(),
    }
}

pub(crate) fn running(lease_until: Time) -> Phase {
    Phase::Running { lease_until, lease_expiry_indexed: false }
}

pub(crate) fn waiting(due_at: Time) -> Phase {
    Phase::Waiting { run_after: due_at, due_at, why: "http_503".into() }
}

pub(crate) fn parked(due_at: Time) -> Phase {
    Phase::Parked { run_after: due_at, why: "breaker_open".into() }
}

pub(crate) fn succeeded(at: Time) -> Phase {
    Phase::Succeeded { at, result: r#"{"a":1}"#.into() }
}
