//! What a message may do with its job, given the job's record: the claim, as a plain function.

use std::time::Duration;

use crate::{
    base::time::Time,
    policy::ISOLATED_FROM_RECEIVE,
    record::{Counters, Phase, Record, Work, decision::Cause},
};

/// Who claims, on whose behalf, and when.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    /// The batch's token.
    pub owner: &'a str,
    /// The messages that bring the job, at least one; the first speaks for them.
    pub message_ids: &'a [String],
    /// SQS's SentTimestamp of the latest of them.
    pub sent_at: Time,
    /// The highest ApproximateReceiveCount of them.
    pub receives: u32,
    /// The fence that the record had when we sent the message ourselves; `None` if a sender did.
    pub wakes: Option<u64>,
    /// Whether the message's body leads to another job than the record that it is to wake.
    pub stray: bool,
    /// For how long after a success the work is not done again.
    pub dedup_window: Duration,
    /// What may stand in for the result once the deadline is over.
    pub fallback: Option<&'a str>,
    /// How long after the deadline the real result is still wanted.
    pub give_up_after: Duration,
    /// The present.
    pub now: Time,
    /// Until when the run may last.
    pub lease_until: Time,
}

impl<'a> Claimant<'a> {
    pub(crate) fn message_id(&self) -> &'a str {
        self.message_ids.first().map_or("", String::as_str)
    }
}

/// What a message may do with its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimDecision {
    /// Run it, once this record is written.
    Take {
        /// The record to write.
        record: Record,
        /// Whether it must not share its process with other jobs.
        isolated: bool,
    },
    /// This batch has claimed it already; the answer was lost.
    Ours(Record),
    /// Terminal: the result stands, the message has done its work.
    Ended,
    /// Not now, but the record has a look of its own: the message may go.
    AlreadyDue,
    /// A run holds it: once the record has a look at the lease's end, the message may go.
    IndexLeaseExpiry(Time),
    /// The message is the job's own wake-up call and must come back then.
    ComeBack(Time),
    /// Write this record; the message comes back at the given time, or has done its work.
    Note(Record, Option<Time>),
    /// The id is known with another payload.
    OtherPayload,
}

/// Decides what a message of the job `key`, with `work`, may do, given its record.
///
/// An expired record counts as absent, but its fence goes on, for runs that are still out there.
#[must_use]
pub fn claim(
    existing: Option<&Record>,
    key: &str,
    work: &Work,
    by: &Claimant<'_>,
) -> ClaimDecision {
    let known = existing.filter(|record| record.expires_at().is_none_or(|at| at > by.now));
    let Some(record) = known else {
        // A message of ours that leads elsewhere by now asks for nothing new.
        if by.stray {
            return ClaimDecision::Ended;
        }
        let fence = existing.map_or(0, |expired| expired.fence);
        let may_kill = existing.is_none() && by.receives >= ISOLATED_FROM_RECEIVE;
        return take(fresh(key, work, fence, by.now), by, may_kill);
    };
    if record.owner == by.owner && matches!(record.phase, Phase::Running { .. }) {
        return ClaimDecision::Ours(record.clone());
    }
    // Who woke it has sent the payload of this very record, as it was normal then.
    let woken = by.wakes == Some(record.fence);
    if record.work.payload != work.payload && !woken {
        return ClaimDecision::OtherPayload;
    }
    let record = &Record {
        work: Work { payload: work.payload.clone(), ..record.work.clone() },
        ..record.clone()
    };
    let own_message = by.message_ids.contains(&record.message_id);
    match &record.phase {
        Phase::Queued { .. } => take(record.clone(), by, false),
        Phase::Waiting { run_after, .. } | Phase::Parked { run_after, .. } => {
            // Who woke it has seen this very record, by a clock that may differ from ours.
            if *run_after <= by.now || woken {
                take(record.clone(), by, record.counters.crashes > 0)
            } else if own_message && matches!(record.phase, Phase::Waiting { .. }) {
                ClaimDecision::ComeBack(*run_after)
            } else {
                ClaimDecision::AlreadyDue
            }
        }
        Phase::Running { lease_until, lease_expiry_indexed } => {
            if *lease_until <= by.now {
                after_crash(record, by)
            } else if own_message {
                // Nobody else would wake the job if its run is dead: this message stays.
                ClaimDecision::ComeBack(*lease_until)
            } else if *lease_expiry_indexed {
                ClaimDecision::AlreadyDue
            } else {
                ClaimDecision::IndexLeaseExpiry(*lease_until)
            }
        }
        // A wake-up call of ours asks for nothing new.
        phase if by.wakes.is_some() && phase.ended_at().is_some() => ClaimDecision::Ended,
        Phase::Succeeded { at, .. } if by.sent_at > *at + by.dedup_window => {
            take(record.clone().reopened(work), by, false)
        }
        Phase::Dead { at, .. } | Phase::Cancelled { at, .. } if by.sent_at > *at => {
            take(record.clone().reopened(work), by, false)
        }
        Phase::Succeeded { .. }
        | Phase::Dead { .. }
        | Phase::Cancelled { .. }
        | Phase::Quarantined { .. } => ClaimDecision::Ended,
    }
}

impl Record {
    /// The record as its next run begins.
    pub(crate) fn claimed(mut self, by: &Claimant<'_>) -> Self {
        self.fence += 1;
        by.owner.clone_into(&mut self.owner);
        by.message_id().clone_into(&mut self.message_id);
        self.counters.receives += u32::try_from(by.message_ids.len()).unwrap_or(u32::MAX);
        self.counters.claims += 1;
        self.phase = Phase::Running { lease_until: by.lease_until, lease_expiry_indexed: false };
        self
    }
}

/// The record of a job of which nothing is known but the fence of one that has expired.
fn fresh(key: &str, work: &Work, fence: u64, now: Time) -> Record {
    Record {
        key: key.to_owned(),
        fence,
        owner: String::new(),
        message_id: String::new(),
        counters: Counters::default(),
        phase: Phase::Queued { due_at: now },
        work: work.clone(),
        cursor: None,
        provisional: None,
        parking: None,
        last_failure: None,
        history: Vec::new(),
    }
}

fn take(mut record: Record, by: &Claimant<'_>, isolated: bool) -> ClaimDecision {
    record.fall_back(by.fallback, by.now);
    if record.ends_at(by.give_up_after).is_some_and(|end| end <= by.now) {
        let mut record = record.claimed(by);
        let why = Cause::DeadlineOver.text().to_owned();
        record.phase = Phase::Dead { at: by.now, why };
        return ClaimDecision::Note(record, None);
    }
    let isolated = isolated || record.counters.crashes > 0;
    ClaimDecision::Take { record: record.claimed(by), isolated }
}

/// The lease of a run is over and it never settled: its process died.
fn after_crash(record: &Record, by: &Claimant<'_>) -> ClaimDecision {
    let mut record = record.clone();
    record.fall_back(by.fallback, by.now);
    let mut record = record.crashed(by.owner, record.ends_at(by.give_up_after), by.now);
    match record.phase {
        Phase::Waiting { run_after, .. } if record.counters.crashes > 1 => {
            // From now on this message is the one to wait for.
            by.message_id().clone_into(&mut record.message_id);
            ClaimDecision::Note(record, Some(run_after))
        }
        Phase::Waiting { .. } => take(record, by, true),
        _ => ClaimDecision::Note(record, None),
    }
}
