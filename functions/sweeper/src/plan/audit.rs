//! Inconsistencies of records, and which of them may be repaired without an operator.

use std::{collections::BTreeSet, time::Duration};

use evenkeel::{
    base::time::Time,
    ports::maintenance::ScannedItem,
    record::{Phase, Record},
};

use crate::{
    config::Config,
    plan::rescue::{GRACE, LONGEST_PUSH},
};

/// How long after its lease a running record without a due entry counts as abandoned: the lease
/// item of its batch must be lost, or `rescue` would have found it.
const ABANDONED_AFTER: Duration = Duration::from_mins(10);

/// How an inconsistency is repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Not at all: it is only reported.
    None,
    /// Write the record again unchanged, which sets the index keys and the expiry of its state.
    Rewrite,
    /// Send its message again, which also writes the record.
    SendAgain,
    /// Put the running record on the due index at the end of its lease.
    IndexLeaseExpiry,
    /// Register its dependency as one with parked jobs.
    RegisterDependency,
    /// Ask its job type to check the result, and to run the job again if there is none.
    Check,
}

/// An inconsistency of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// A short, stable code; docs/sweeper.md lists them.
    pub what: &'static str,
    /// A sentence for operators.
    pub detail: String,
    /// The repair that is safe.
    pub repair: Repair,
}

fn oddity(what: &'static str, detail: impl Into<String>, repair: Repair) -> Oddity {
    Oddity { what, detail: detail.into(), repair }
}

/// Examines an item of the job table, and returns its first inconsistency. `parked` are the
/// dependencies that are registered with parked jobs; `None` if they could not be read.
#[must_use]
pub fn examine(
    found: &ScannedItem,
    config: &Config,
    parked: Option<&BTreeSet<String>>,
    now: Time,
) -> Option<Oddity> {
    let record = match found.record.as_ref()? {
        Ok(record) => record,
        Err(why) => return Some(oddity("unreadable", why, Repair::None)),
    };
    index(found, record, now)
        .or_else(|| state(record, now))
        .or_else(|| counts(record))
        .or_else(|| surroundings(record, config, parked))
}

/// Compares the item's index keys and expiry with those that its state requires.
fn index(found: &ScannedItem, record: &Record, now: Time) -> Option<Oddity> {
    let (state, expected) = (record.phase.name(), record.due_entry());
    if found.due_entry != expected {
        let (what, detail) = match (&found.due_entry, &expected) {
            (None, _) => ("no_due_entry", format!("{state}, but missing on the due index")),
            (Some(_), None) => ("stale_due_entry", format!("{state}, but still on the due index")),
            (Some(_), Some(_)) => {
                ("wrong_due_entry", format!("{state}, but in the wrong place on the due index"))
            }
        };
        // Without an entry `rescue` could not find it: its message may have been lost long ago.
        let overdue = match record.phase {
            Phase::Queued { due_at } | Phase::Waiting { due_at, .. } => due_at + GRACE <= now,
            _ => false,
        };
        let lost = overdue && what == "no_due_entry";
        return Some(oddity(what, detail, if lost { Repair::SendAgain } else { Repair::Rewrite }));
    }
    match (found.expires_at, record.expires_at()) {
        (Some(_), None) => {
            Some(oddity("would_expire", format!("{state}, but with an expiry"), Repair::Rewrite))
        }
        (None, Some(_)) => Some(oddity(
            "never_expires",
            format!("{state}, but without an expiry"),
            Repair::Rewrite,
        )),
        _ => None,
    }
}

fn state(record: &Record, now: Time) -> Option<Oddity> {
    match &record.phase {
        Phase::Running { lease_until, lease_expiry_indexed: false }
            if *lease_until + ABANDONED_AFTER <= now =>
        {
            let detail = format!("running, its lease was over at {lease_until}");
            Some(oddity("abandoned", detail, Repair::IndexLeaseExpiry))
        }
        Phase::Succeeded { result, .. } if is_empty(result) => {
            Some(oddity("no_result", "succeeded, but its result is empty", Repair::Check))
        }
        Phase::Waiting { run_after, due_at, .. } if *due_at >= *run_after + LONGEST_PUSH => {
            let detail = "its message has been sent again for hours without effect";
            Some(oddity("keeps_waiting", detail, Repair::None))
        }
        phase if phase.ended_at().is_some_and(|at| at > now + ABANDONED_AFTER) => {
            Some(oddity("ends_later", "it ended at a time in the future", Repair::None))
        }
        _ => None,
    }
}

/// Whether a result is empty: not JSON, `null`, `""` or `{}`.
fn is_empty(result: &str) -> bool {
    match serde_json::from_str::<serde_json::Value>(result) {
        Ok(serde_json::Value::Object(fields)) => fields.is_empty(),
        Ok(serde_json::Value::String(text)) => text.is_empty(),
        Ok(serde_json::Value::Null) | Err(_) => true,
        Ok(_) => false,
    }
}

fn counts(record: &Record) -> Option<Oddity> {
    let counters = record.counters;
    let ran = matches!(record.phase, Phase::Running { .. } | Phase::Succeeded { .. });
    if ran && counters.claims == 0 {
        let detail = format!("{}, but never claimed", record.phase.name());
        return Some(oddity("impossible_counts", detail, Repair::None));
    }
    if counters.attempts > counters.claims {
        let detail = format!("{} attempts in {} claims", counters.attempts, counters.claims);
        return Some(oddity("impossible_counts", detail, Repair::None));
    }
    None
}

fn surroundings(
    record: &Record,
    config: &Config,
    parked: Option<&BTreeSet<String>>,
) -> Option<Oddity> {
    if record.phase.ended_at().is_none() && !config.knows(&record.work.queue) {
        let detail = format!(
            "{}, on a queue without a function: {}",
            record.phase.name(),
            record.work.queue
        );
        return Some(oddity("unknown_queue", detail, Repair::None));
    }
    let is_parked = matches!(record.phase, Phase::Parked { .. });
    if is_parked && parked.is_some_and(|parked| !parked.contains(&record.work.dependency)) {
        let detail = format!("parked on {}, which is not registered", record.work.dependency);
        return Some(oddity("parked_unregistered", detail, Repair::RegisterDependency));
    }
    None
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
