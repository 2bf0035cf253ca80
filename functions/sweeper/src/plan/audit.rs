//! What cannot be, and whether it may be mended without asking.

use std::{collections::BTreeSet, time::Duration};

use evenkeel::{
    oversight::Found,
    record::{Phase, Record},
    time::Time,
};

use crate::{
    config::Config,
    plan::rescue::{GRACE, LONGEST_PUSH},
};

/// A lease over for so long without anybody having seen to it has been lost with its batch.
const ABANDONED_AFTER: Duration = Duration::from_mins(10);

/// What to do about something found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Only say so.
    None,
    /// Write the record again as it is, with the index keys and the end that go with its state.
    Rewrite,
    /// Send its message again, which writes the record as well.
    SendAgain,
    /// Give the running record a look at its lease's end.
    Arm,
    /// Note that its dependency has parked jobs.
    NoteParked,
    /// Ask its job type to look at the result, and to do the job again if there is none.
    Check,
}

/// Something that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// A short, stable code.
    pub what: &'static str,
    /// A sentence.
    pub detail: String,
    /// What is safe to do about it.
    pub repair: Repair,
}

fn oddity(what: &'static str, detail: impl Into<String>, repair: Repair) -> Oddity {
    Oddity { what, detail: detail.into(), repair }
}

/// Looks at an item of the job table; `parked` are the dependencies that are known to have parked
/// jobs, if that is known.
#[must_use]
pub fn examine(
    found: &Found,
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

/// The index keys and the end that the item has, against those that go with its state.
fn index(found: &Found, record: &Record, now: Time) -> Option<Oddity> {
    let (state, expected) = (record.phase.name(), record.look());
    if found.look != expected {
        let (what, detail) = match (&found.look, &expected) {
            (None, _) => ("no_look", format!("{state}, and nobody would look at it")),
            (Some(_), None) => ("stale_look", format!("{state}, and still on the index")),
            (Some(_), Some(_)) => {
                ("wrong_look", format!("{state}, in the wrong place on the index"))
            }
        };
        // Nobody has looked: its message may be lost since long ago.
        let overdue = match record.phase {
            Phase::Queued { due_at } | Phase::Waiting { due_at, .. } => due_at + GRACE <= now,
            _ => false,
        };
        let lost = overdue && what == "no_look";
        return Some(oddity(what, detail, if lost { Repair::SendAgain } else { Repair::Rewrite }));
    }
    match (found.expires_at, record.expires_at()) {
        (Some(_), None) => {
            Some(oddity("would_expire", format!("{state}, and would be removed"), Repair::Rewrite))
        }
        (None, Some(_)) => Some(oddity(
            "never_expires",
            format!("{state}, and would stay for ever"),
            Repair::Rewrite,
        )),
        _ => None,
    }
}

fn state(record: &Record, now: Time) -> Option<Oddity> {
    match &record.phase {
        Phase::Running { lease_until, armed: false } if *lease_until + ABANDONED_AFTER <= now => {
            let detail = format!("running, its lease was over at {lease_until}");
            Some(oddity("abandoned", detail, Repair::Arm))
        }
        Phase::Succeeded { result, .. } if is_empty(result) => {
            Some(oddity("no_result", "succeeded, with nothing to show for it", Repair::Check))
        }
        Phase::Waiting { run_after, due_at, .. } if *due_at >= *run_after + LONGEST_PUSH => {
            let detail = "its message has been sent again for hours, and nothing comes of it";
            Some(oddity("keeps_waiting", detail, Repair::None))
        }
        phase if phase.ended_at().is_some_and(|at| at > now + ABANDONED_AFTER) => {
            Some(oddity("ends_later", "it has an end that is still to come", Repair::None))
        }
        _ => None,
    }
}

/// Whether a result says nothing: no JSON, `null`, `""`, `{}`.
fn is_empty(result: &str) -> bool {
    match serde_json::from_str::<serde_json::Value>(result) {
        Ok(serde_json::Value::Object(fields)) => fields.is_empty(),
        Ok(serde_json::Value::String(text)) => text.is_empty(),
        Ok(serde_json::Value::Null) | Err(_) => true,
        Ok(_) => false,
    }
}

fn counts(record: &Record) -> Option<Oddity> {
    let ledger = record.ledger;
    let ran = matches!(record.phase, Phase::Running { .. } | Phase::Succeeded { .. });
    if ran && ledger.claims == 0 {
        let detail = format!("{}, and was never claimed", record.phase.name());
        return Some(oddity("impossible_counts", detail, Repair::None));
    }
    if ledger.attempts > ledger.claims {
        let detail = format!("{} attempts in {} claims", ledger.attempts, ledger.claims);
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
            "{}, on a queue that nobody serves: {}",
            record.phase.name(),
            record.work.queue
        );
        return Some(oddity("unknown_queue", detail, Repair::None));
    }
    let is_parked = matches!(record.phase, Phase::Parked { .. });
    if is_parked && parked.is_some_and(|parked| !parked.contains(&record.work.dependency)) {
        let detail = format!("parked behind {}, of which nobody knows", record.work.dependency);
        return Some(oddity("parked_unnoted", detail, Repair::NoteParked));
    }
    None
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
