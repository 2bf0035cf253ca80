//! What may change in a record, write by write. The rules are those of ARCHITECTURE.md and docs/records.md, written
//! down anew: nothing here calls the functions that decide.

use evenkeel::{
    base::time::{CLOCK_SKEW, Time},
    failure::Class,
    policy::HISTORY,
    record::{
        Phase, Record,
        journal::{ENTRY_BYTES, JOURNAL, JournalEntry},
    },
    testing::AppliedWrite,
};

use super::Broken;

/// Most messages that one claim counts: those of a batch.
const MOST_RECEIVES: u32 = 10;

/// Crashes after which a job is run again by an operator only.
const MOST_CRASHES: u32 = 3;

/// Whether the fence rises with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fence {
    Same,
    Raised,
}

/// States before, whether the fence rises, and states after.
type Move = (&'static [&'static str], Fence, &'static [&'static str]);

/// Every change of state that a record may make. One without a record before counts as having the fence 0.
const MOVES: [Move; 8] = [
    // A message claims the job. One whose deadline is over ends in the same write.
    (
        &["none", "queued", "waiting", "parked", "running", "succeeded", "dead", "cancelled"],
        Fence::Raised,
        &["running", "dead"],
    ),
    // Another job creates it, or creates it anew.
    (&["none"], Fence::Same, &["queued"]),
    (&["succeeded", "dead", "cancelled"], Fence::Raised, &["queued"]),
    // The sweeper wakes it, after a crash, for an operator, or because its message may be lost; or a check has found
    // its result gone.
    (
        &[
            "queued",
            "waiting",
            "parked",
            "running",
            "succeeded",
            "dead",
            "cancelled",
            "quarantined",
        ],
        Fence::Raised,
        &["waiting"],
    ),
    // An operator cancels it while no run holds it.
    (&["queued", "waiting", "parked"], Fence::Raised, &["cancelled"]),
    // Its run ends, or is found never to come back.
    (&["running"], Fence::Same, &["succeeded", "dead", "quarantined", "waiting", "parked"]),
    // The end of its lease is put on the index.
    (&["running"], Fence::Same, &["running"]),
    // Its type no longer takes its payload.
    (&["queued", "waiting"], Fence::Same, &["dead"]),
];

/// What else is known of a job when its record is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// When the latest message of a sender for the job was sent.
    pub(super) asked_at: Option<Time>,
    /// How long after a success its type does nothing for another message, in milliseconds.
    pub(super) dedup_ms: u64,
    /// Whether an operator has asked to retry jobs that are dead, and those that are quarantined.
    pub(super) retried: bool,
    pub(super) retried_quarantined: bool,
    /// Whether an operator has asked to cancel jobs.
    pub(super) cancelled: bool,
}

/// Checks one write.
pub(super) fn check(write: &AppliedWrite<'_>, known: &Known) -> Result<(), Broken> {
    let AppliedWrite { before, after, .. } = *write;
    let fence = before.map_or(0, |before| before.fence);
    if after.fence < fence {
        return Err(("the fence never falls", format!("from {fence} to {}", after.fence)));
    }
    // The audit writes a record again as it is.
    if before == Some(after) {
        return Ok(());
    }
    is_declared(before, after)?;
    bounds(after)?;
    let Some(before) = before else { return claimed(None, after) };
    if before.phase.ended_at().is_some() {
        return reopened(before, after, known);
    }
    let is_raised = after.fence > before.fence;
    match (&after.phase, is_raised) {
        (Phase::Cancelled { .. }, _) if !known.cancelled => {
            Err(("only an operator cancels a job", before.phase.name().into()))
        }
        (Phase::Running { .. } | Phase::Dead { .. }, true) => {
            lease_is_over(before, write.at)?;
            claimed(Some(before), after)
        }
        (Phase::Waiting { .. }, true) => {
            lease_is_over(before, write.at)?;
            woken(before, after)
        }
        (Phase::Running { .. }, false) => indexed(before, after),
        _ if matches!(before.phase, Phase::Running { .. }) => ended(before, after, write.at),
        _ => unchanged(before, after),
    }
}

fn is_declared(before: Option<&Record>, after: &Record) -> Result<(), Broken> {
    let from = before.map_or("none", |before| before.phase.name());
    let to = after.phase.name();
    let rise = after.fence - before.map_or(0, |before| before.fence);
    let fence = match rise {
        0 => Fence::Same,
        1 => Fence::Raised,
        more => return Err(("a fence rises by one", format!("{from} to {to}: by {more}"))),
    };
    let is = |one: &Move| one.0.contains(&from) && one.1 == fence && one.2.contains(&to);
    if MOVES.iter().any(is) {
        return Ok(());
    }
    Err(("every change of state is declared", format!("{from} to {to}, fence {fence:?}")))
}

fn bounds(after: &Record) -> Result<(), Broken> {
    if after.history.len() > HISTORY {
        return Err(("a history is bounded", format!("{} entries", after.history.len())));
    }
    let is_long = |entry: &JournalEntry| entry.what.len() > ENTRY_BYTES;
    if after.journal.len() > JOURNAL || after.journal.iter().any(is_long) {
        return Err(("a journal is bounded", format!("{:?}", after.journal)));
    }
    if after.counters.crashes >= MOST_CRASHES && after.phase.ended_at().is_none() {
        let what = format!("{} crashes, and it is {}", after.counters.crashes, after.phase.name());
        return Err(("a job that keeps crashing is stopped", what));
    }
    let why = match &after.phase {
        Phase::Dead { why, .. } | Phase::Quarantined { why, .. } => Some(why),
        _ => None,
    };
    match why {
        Some(why) if why.is_empty() => {
            Err(("no job is given up without a reason", after.phase.name().into()))
        }
        _ => Ok(()),
    }
}

/// Nobody takes a job from a run whose lease is not over, as far as clocks agree.
fn lease_is_over(before: &Record, at: Time) -> Result<(), Broken> {
    match before.phase {
        Phase::Running { lease_until, .. } if lease_until > at + CLOCK_SKEW => {
            Err(("leases do not overlap", format!("taken at {at}, held until {lease_until}")))
        }
        _ => Ok(()),
    }
}

fn counts(record: &Record) -> [u32; 5] {
    let counters = record.counters;
    let [receives, claims] = [counters.receives, counters.claims];
    [receives, claims, counters.attempts, counters.defers, counters.crashes]
}

fn miscounted(before: Option<&Record>, after: &Record) -> Broken {
    let before = before.map(counts).unwrap_or_default();
    let what = format!("from {before:?} to {:?} in {}", counts(after), after.phase.name());
    ("counters count what happened (receives, claims, attempts, defers, crashes)", what)
}

fn that(holds: bool, before: Option<&Record>, after: &Record) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(miscounted(before, after)) }
}

/// Whether a claim has counted its messages and itself.
fn counts_a_claim(before: [u32; 5], after: [u32; 5]) -> bool {
    let received = after[0].wrapping_sub(before[0]);
    (1..=MOST_RECEIVES).contains(&received) && after[1] == before[1] + 1
}

/// A crash that is found is counted, unless most runs of the type crash.
fn may_have_crashed(before: &Record, crashes: [u32; 2]) -> bool {
    let [from, to] = crashes;
    let ran = matches!(before.phase, Phase::Running { .. });
    to == from || (ran && to == from + 1)
}

/// Whether a write has found that a run never came back, and does not count that as a crash of the job.
pub(super) fn is_uncounted_crash(write: &AppliedWrite<'_>) -> bool {
    let AppliedWrite { before, after, .. } = *write;
    let Some(before) = before.filter(|before| matches!(before.phase, Phase::Running { .. })) else {
        return false;
    };
    let is_found = after.fence > before.fence || after.owner != before.owner;
    is_found && after.counters.crashes == before.counters.crashes
}

fn claimed(before: Option<&Record>, after: &Record) -> Result<(), Broken> {
    if matches!(after.phase, Phase::Queued { .. }) {
        return Ok(());
    }
    let [was, now] = [before.map(counts).unwrap_or_default(), counts(after)];
    let crashes = before.map_or(now[4] == 0, |before| may_have_crashed(before, [was[4], now[4]]));
    that(counts_a_claim(was, now) && was[2..4] == now[2..4] && crashes, before, after)
}

fn woken(before: &Record, after: &Record) -> Result<(), Broken> {
    let [was, now] = [counts(before), counts(after)];
    let crashes = may_have_crashed(before, [was[4], now[4]]);
    that(was[..4] == now[..4] && crashes, Some(before), after)
}

fn unchanged(before: &Record, after: &Record) -> Result<(), Broken> {
    that(counts(before) == counts(after), Some(before), after)
}

fn indexed(before: &Record, after: &Record) -> Result<(), Broken> {
    if before.with_lease_expiry_indexed() == *after {
        return Ok(());
    }
    Err(("only a claim changes who runs a job", "the fence is the same".into()))
}

/// An end of a run is written by the run, or it is a crash that somebody has found after its lease.
fn ended(before: &Record, after: &Record, at: Time) -> Result<(), Broken> {
    let [was, now] = [counts(before), counts(after)];
    let last = after.last_failure.as_ref().map(|last| last.class.as_str());
    if after.owner != before.owner {
        lease_is_over(before, at)?;
        let is_crash = matches!(after.phase, Phase::Waiting { .. } | Phase::Quarantined { .. });
        if !is_crash || last != Some(Class::Crash.name()) {
            return Err(("only its holder ends a run", after.phase.name().into()));
        }
        let crashes = may_have_crashed(before, [was[4], now[4]]);
        return that(was[..4] == now[..4] && crashes, Some(before), after);
    }
    let [attempts, defers] = [2, 3].map(|place: usize| now[place].wrapping_sub(was[place]));
    let holds = match attempts.wrapping_add(defers) {
        1 => [0, was[4]].contains(&now[4]),
        0 => [0, was[4], was[4] + 1].contains(&now[4]),
        _ => false,
    };
    let succeeded = matches!(after.phase, Phase::Succeeded { .. });
    let holds = holds && was[..2] == now[..2] && (!succeeded || attempts == 1);
    that(holds, Some(before), after)?;
    let why = match &after.phase {
        Phase::Waiting { why, .. } | Phase::Parked { why, .. } => why.as_str(),
        _ => return Ok(()),
    };
    let is_deferral = Class::ALL.iter().any(|of| of.is_deferral() && last == Some(of.name()));
    // A run that has more to do has not failed, so the failure in the record is an older one.
    let failed = why != "there is more to do";
    if failed && is_deferral && attempts > 0 {
        return Err(("no deferral spends an attempt", why.to_owned()));
    }
    Ok(())
}

/// A job that has ended begins anew if a sender asks for it after its end, or an operator, or if its result is gone.
fn reopened(before: &Record, after: &Record, known: &Known) -> Result<(), Broken> {
    let refused =
        |why: &str| Err(("a job that has ended stays so unless it may reopen", why.to_owned()));
    let ended_at = before.phase.ended_at().unwrap_or_default();
    let [was, now] = [counts(before), counts(after)];
    if let Phase::Waiting { why, .. } = &after.phase {
        let may = match before.phase {
            Phase::Succeeded { .. } => why.starts_with("done again:"),
            Phase::Quarantined { .. } => known.retried_quarantined,
            _ => known.retried,
        };
        if !may {
            return refused("nobody has asked the sweeper for it");
        }
        return that(was[..2] == now[..2] && now[2..] == [0; 3], Some(before), after);
    }
    if matches!(after.phase, Phase::Queued { .. }) {
        return that(now[2..] == [0; 3], Some(before), after);
    }
    let dedup_ms = match before.phase {
        Phase::Succeeded { .. } => known.dedup_ms,
        _ => 0,
    };
    let from = Time::from_millis(ended_at.as_millis().saturating_add(dedup_ms));
    if known.asked_at.is_none_or(|asked_at| asked_at <= from) {
        return refused("no sender has asked for it since its end");
    }
    that(counts_a_claim(was, now) && now[2..] == [0; 3], Some(before), after)
}

#[cfg(test)]
#[path = "moves_tests.rs"]
mod tests;
