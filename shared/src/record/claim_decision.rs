//! The claim: what a message may do with its job, decided from the job's record by a pure function.

use std::time::Duration;

use crate::{
    base::{
        mutants::{Mutant, is_on},
        time::Time,
    },
    failure::Class,
    record::{
        Phase, Record, Work,
        decision::{Cause, Decision},
        journal::WakeUp,
    },
};

/// The batch and the messages that claim a job.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Claimant<'a> {
    /// The batch's token.
    pub owner: &'a str,
    /// SQS IDs of the messages for the job, at least one. The record keeps the first.
    pub message_ids: &'a [String],
    /// The latest `SentTimestamp` of the messages.
    pub sent_at: Time,
    /// Whether a message came back so often and so late that each of its receives may have ended with the
    /// process.
    pub may_kill: bool,
    /// The fence in a wake-up message of the engine; `None` for a sender's message.
    pub wakes: Option<u64>,
    /// Whether the body leads to another key than that of the record to wake.
    pub stray: bool,
    /// Whether a message was sent back from the dead-letter queue.
    pub redriven: bool,
    /// Whether most runs of the type crash. Then a crash is not counted.
    pub excuses_crashes: bool,
    /// How long after a success a message for the same job has no effect.
    pub dedup_window: Duration,
    /// The job type's fallback, as JSON. It becomes the provisional result after the deadline.
    pub fallback: Option<&'a str>,
    /// Whether the job type may have a result without a call, also after the deadline.
    pub stands_in: bool,
    /// How long after the deadline a job with a provisional result is still retried.
    pub give_up_after: Duration,
    /// The current time.
    pub now: Time,
    /// When the lease of the run ends.
    pub lease_until: Time,
}

impl<'a> Claimant<'a> {
    pub(crate) fn message_id(&self) -> &'a str {
        self.message_ids.first().map_or("", String::as_str)
    }

    /// Whether it asks for no new work.
    fn is_wake_up(&self) -> bool {
        self.wakes.is_some() && !is_on(Mutant::WakeUpReopens)
    }

    /// When the job was asked for.
    fn asked_at(&self) -> Time {
        let reopens = self.wakes.is_some() && is_on(Mutant::WakeUpReopens);
        if reopens || is_on(Mutant::ReopensByReceiveTime) { self.now } else { self.sent_at }
    }

    fn dedup_window(&self) -> Duration {
        if is_on(Mutant::DedupWindowIgnored) { Duration::ZERO } else { self.dedup_window }
    }
}

/// What a message may do with its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimDecision {
    /// Run the job, once the record has been written.
    Take {
        /// The record to write.
        record: Record,
        /// Whether the job must not share its process with other running jobs.
        isolated: bool,
    },
    /// This batch has already claimed the job; the response to that write was lost.
    AlreadyClaimed(Record),
    /// The job has ended and its result stands. The message can be deleted.
    Ended,
    /// The job must not run now, but it is on the index `due`, so the sweeper will resend it. The
    /// message can be deleted.
    AlreadyDue,
    /// Another run holds the job. Once the record is on the index `due` at this time, the end of
    /// the lease, the message can be deleted.
    IndexLeaseExpiry(Time),
    /// The job relies on this message, which must come back at this time.
    ComeBack(Time),
    /// Write this record. The message must come back at the given time; with `None` it can be
    /// deleted.
    Write(Record, Option<Time>),
    /// The ID is known with another payload.
    OtherPayload,
}

/// Decides what a message may do with the job `key`, which asks for `work`, given its record.
///
/// An expired record counts as absent, but its fence continues, because runs from before may still
/// write.
#[must_use]
pub fn claim(
    existing: Option<&Record>,
    key: &str,
    work: &Work,
    by: &Claimant<'_>,
) -> ClaimDecision {
    let known = existing.filter(|record| record.expires_at().is_none_or(|at| at > by.now));
    let Some(record) = known else {
        // The record to wake is gone, and the body leads to another key: there is no work to do.
        if by.stray {
            return ClaimDecision::Ended;
        }
        let fence = existing.map_or(0, |expired| expired.fence);
        let may_kill = existing.is_none() && by.may_kill;
        return take(fresh(key, work, fence, by), by, may_kill);
    };
    if record.owner == by.owner && matches!(record.phase, Phase::Running { .. }) {
        return ClaimDecision::AlreadyClaimed(record.clone());
    }
    // A wake-up message carries the payload of this very record, in the normal form of that time.
    let woken = by.wakes == Some(record.fence);
    let own_message = by.message_ids.contains(&record.message_id);
    if !woken && !own_message && !is_same(&record.work.payload, &work.payload) {
        return ClaimDecision::OtherPayload;
    }
    // One that waits for a quota is parked under another name.
    let of = if record.is_paused() { work } else { &record.work };
    let (payload, dependency) = (work.payload.clone(), of.dependency.clone());
    let record =
        &Record { work: Work { payload, dependency, ..record.work.clone() }, ..record.clone() };
    match &record.phase {
        Phase::Queued { .. } => take(record.clone(), by, false),
        Phase::Waiting { run_after, .. } | Phase::Parked { run_after, .. } => {
            // The sender of a wake-up message has read this very record, by a clock that may
            // differ.
            if *run_after <= by.now || woken {
                take(record.clone().heard(own_message || woken, by), by, false)
            } else if own_message && matches!(record.phase, Phase::Waiting { .. }) {
                ClaimDecision::ComeBack(*run_after)
            } else {
                ClaimDecision::AlreadyDue
            }
        }
        Phase::Running { lease_until, lease_expiry_indexed } => {
            if *lease_until <= by.now || is_on(Mutant::LeaseIgnored) {
                after_crash(record, by)
            } else if own_message {
                // If the run is dead, only this message wakes the job, so it stays in the queue.
                ClaimDecision::ComeBack(*lease_until)
            } else if *lease_expiry_indexed || is_on(Mutant::UnindexedLeaseAcknowledged) {
                ClaimDecision::AlreadyDue
            } else {
                ClaimDecision::IndexLeaseExpiry(*lease_until)
            }
        }
        // A wake-up message asks for no new work.
        phase if by.is_wake_up() && phase.ended_at().is_some() => ClaimDecision::Ended,
        Phase::Succeeded { at, .. } if by.asked_at() > *at + by.dedup_window() => {
            take(record.clone().reopened(work), by, false)
        }
        Phase::Dead { at, .. } | Phase::Cancelled { at, .. } if by.asked_at() > *at => {
            take(record.clone().reopened(work).woken_by(WakeUp::Anew, by.now), by, false)
        }
        Phase::Succeeded { .. }
        | Phase::Dead { .. }
        | Phase::Cancelled { .. }
        | Phase::Quarantined { .. } => ClaimDecision::Ended,
    }
}

/// Whether two payloads say the same. Two versions of a job type may write the same one differently.
fn is_same(one: &str, other: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let ignores = is_on(Mutant::OtherPayloadIgnored);
    ignores || one == other || value(one).is_some_and(|one| value(other) == Some(one))
}

impl Record {
    /// Whether the job may have crashed its process, counted or not.
    fn may_crash(&self) -> bool {
        let crash = Class::Crash.name();
        self.counters.crashes > 0
            || self.last_failure.as_ref().is_some_and(|last| last.class == crash)
    }

    /// Whether its run has not come back within its lease.
    pub(crate) fn is_overdue(&self, now: Time) -> bool {
        self.overdue_by(now).is_some()
    }

    /// For how long the lease of its run has been over; `None` if it is not, or if the job does not run.
    #[must_use]
    pub fn overdue_by(&self, now: Time) -> Option<Duration> {
        match self.phase {
            Phase::Running { lease_until, .. } if lease_until <= now => {
                Some(now.since(lease_until))
            }
            _ => None,
        }
    }

    /// The record as a message wakes its job. The journal says so unless the job waits for that message.
    fn heard(self, is_awaited: bool, by: &Claimant<'_>) -> Self {
        match (is_awaited, by.redriven) {
            (true, _) => self,
            (false, true) => self.woken_by(WakeUp::Redriven, by.now),
            (false, false) => self.woken_by(WakeUp::Repeated, by.now),
        }
    }

    /// The record as its next run begins.
    pub(crate) fn claimed(mut self, by: &Claimant<'_>) -> Self {
        self.fence += u64::from(!is_on(Mutant::ClaimRaisesNoFence));
        by.owner.clone_into(&mut self.owner);
        by.message_id().clone_into(&mut self.message_id);
        self.counters.receives += u32::try_from(by.message_ids.len()).unwrap_or(u32::MAX);
        self.counters.claims += u32::from(!is_on(Mutant::ClaimUncounted));
        self.phase = Phase::Running { lease_until: by.lease_until, lease_expiry_indexed: false };
        self
    }
}

/// A new record, which continues the fence of an expired record of the same key.
fn fresh(key: &str, work: &Work, fence: u64, by: &Claimant<'_>) -> Record {
    let record = Record { fence, ..Record::queued(key.to_owned(), work.clone(), by.now) };
    // A message that a sender has just sent is no wake-up.
    record.heard(!by.redriven, by)
}

fn take(record: Record, by: &Claimant<'_>, isolated: bool) -> ClaimDecision {
    let mut record = record.resumed(by.now);
    record.fall_back(by.fallback, by.now);
    if !by.stands_in && record.ends_at(by.give_up_after).is_some_and(|end| end <= by.now) {
        let mut record = record.claimed(by);
        let why = Cause::DeadlinePassed.text().to_owned();
        record.phase = Phase::Dead { at: by.now, why };
        let record = record.decided(Decision::Bury(Cause::DeadlinePassed), None, by.now);
        return ClaimDecision::Write(record, None);
    }
    let isolated = isolated || record.may_crash();
    ClaimDecision::Take { record: record.claimed(by), isolated }
}

/// The lease has expired without a settle: the process of the run died.
fn after_crash(record: &Record, by: &Claimant<'_>) -> ClaimDecision {
    let mut record = record.clone();
    record.fall_back(by.fallback, by.now);
    let end = record.ends_at(by.give_up_after);
    let mut record = record.crashed(by.owner, end, by.excuses_crashes, by.now);
    match record.phase {
        Phase::Waiting { run_after, .. } if run_after > by.now => {
            // From now on, the job waits for this message.
            by.message_id().clone_into(&mut record.message_id);
            ClaimDecision::Write(record, Some(run_after))
        }
        Phase::Waiting { .. } => take(record, by, true),
        _ => ClaimDecision::Write(record, None),
    }
}
