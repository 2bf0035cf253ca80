//! The job record: its states, its counters, and how a run begins and ends it, as pure functions.
//! [`crate::record::claim_decision`] decides what a message may do with it.
//!
//! ```text
//!            claim                     settle
//! queued ─────────────► running ─────────────────► succeeded
//!   waiting, parked ──►    │  ├──────────────────► dead, quarantined
//!        ▲                 │  └─► waiting, parked ─┐
//!        └─────────────────┼──────────────────────┘
//!                          └─ lease expired: claimed again, counted as a crash
//! ```
//!
//! Each claim raises the fencing token, the **fence**. A settle takes effect only while the record
//! has the fence and the state of its claim. A late write of a run presumed dead has no effect.

pub mod claim_decision;
pub mod decision;
pub mod due;
pub mod item;
pub mod journal;
pub mod lease;
pub mod outcomes;
pub mod retry;
pub mod trace;
pub mod transition;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        mutants::{Mutant, is_on},
        time::Time,
    },
    policy::QUARANTINE_RETENTION,
    record::{decision::Spends, trace::Trace},
};

/// Counts of what has happened to a job. Only `attempts` counts towards the policy's
/// `max_attempts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that reached a claim.
    pub receives: u32,
    /// Runs that began.
    pub claims: u32,
    /// Runs that succeeded or failed.
    pub attempts: u32,
    /// Runs that were deferred: throttled, parked, out of time.
    pub defers: u32,
    /// Runs that panicked, or whose lease expired.
    pub crashes: u32,
    /// How long the job has waited for a quota, in milliseconds. This does not use up `give_up_after`.
    pub paused_ms: u64,
}

impl Counters {
    /// Counts the end of a run. Returns whether the history keeps its failure.
    fn count(&mut self, spends: Spends) -> bool {
        match spends {
            Spends::Attempt => self.attempts += 1,
            Spends::Deferral if is_on(Mutant::DeferralSpendsAttempt) => self.attempts += 1,
            Spends::Deferral => self.defers += 1,
            Spends::Crash => self.crashes += 1,
        }
        spends != Spends::Deferral
    }
}

/// A failed attempt in the history of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// When it failed, in milliseconds since the epoch.
    pub at: u64,
    /// [`Class::name`](crate::failure::Class::name).
    pub class: String,
    /// [`Failure::code`](crate::failure::Failure::code).
    pub code: String,
    /// [`Failure::message`](crate::failure::Failure::message).
    pub message: String,
}

/// What the sender asked for. No run changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The payload as canonical JSON.
    pub payload: String,
    /// ARN of the job's queue.
    pub queue: String,
    /// The third party that the job calls.
    pub dependency: String,
    /// How long the record is kept after the job has ended.
    pub retention: Duration,
    /// When the sender created the job, or else when its message was sent; if the audit or an operator has begun it
    /// anew, when that was. Its time to give up counts from here.
    pub created_at: Time,
    /// The `created_at` before the job was begun anew for the first time; `None` if it never was.
    pub first_created_at: Option<Time>,
    /// The sender's deadline, after which the job is not worth doing.
    pub deadline: Option<Time>,
    /// Message group ID, by which fair queues balance senders, if the sender set one.
    pub group: Option<String>,
    /// The trace that the message belongs to, if it names one.
    pub trace: Option<Trace>,
}

impl Work {
    /// When the sender asked for it. Beginning the job anew does not change that: what it asks for is no newer then.
    #[must_use]
    pub fn asked_at(&self) -> Time {
        self.first_created_at.unwrap_or(self.created_at)
    }

    /// The same work, whose time to give up begins at `at`.
    #[must_use]
    pub fn begun_anew(&self, at: Time) -> Self {
        Self { created_at: at, first_created_at: Some(self.asked_at()), ..self.clone() }
    }
}

/// Since when and why a job is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parking {
    /// When the job was first parked since it last reached its dependency.
    pub since: Time,
    /// Whether the job waits for a breaker. It need not wait longer once the breaker has closed.
    pub gated: bool,
    /// When the job ends if its dependency does not come back before. `None` if its deadline says that.
    pub ends_at: Option<Time>,
    /// Since when the job waits for a quota, if it does. Its time to give up stands still.
    pub paused_since: Option<Time>,
}

/// The kind of a job's latest failure, for lists of jobs that failed alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// [`Class::name`](crate::failure::Class::name).
    pub class: String,
    /// [`Failure::fingerprint`](crate::failure::Failure::fingerprint).
    pub fingerprint: String,
    /// When a run last failed that had begun; the epoch if none has.
    pub at: Time,
}

/// The state of a job, with only the data of that state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Phase {
    /// Recorded before its message was sent.
    Queued {
        /// When the sweeper checks whether the message was lost.
        due_at: Time,
    },
    /// Claimed by a run.
    Running {
        /// When the lease ends. Until then, the run may be alive.
        lease_until: Time,
        /// Whether the record is on the index `due` at the end of the lease.
        lease_expiry_indexed: bool,
    },
    /// To be run again when its message comes back.
    Waiting {
        /// Earliest start of the next run.
        run_after: Time,
        /// When the sweeper checks whether the message was lost.
        due_at: Time,
        /// What the job waits for.
        why: String,
    },
    /// Without a message, until an outside cause is resolved.
    Parked {
        /// Earliest start of the next run.
        run_after: Time,
        /// What the job waits for.
        why: String,
    },
    /// Ended with a result.
    Succeeded {
        at: Time,
        /// The result as JSON.
        result: String,
    },
    /// Ended without a result: no retry can succeed, or none is left.
    Dead { at: Time, why: String },
    /// Cancelled by an operator.
    Cancelled { at: Time, why: String },
    /// Stopped after [`MAX_CRASHES`](crate::policy::MAX_CRASHES) crashes. Only an operator may run it again.
    Quarantined { at: Time, why: String },
}

impl Phase {
    /// The state's name in the table.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Running { .. } => "running",
            Self::Waiting { .. } => "waiting",
            Self::Parked { .. } => "parked",
            Self::Succeeded { .. } => "succeeded",
            Self::Dead { .. } => "dead",
            Self::Cancelled { .. } => "cancelled",
            Self::Quarantined { .. } => "quarantined",
        }
    }

    /// When the job ended; `None` if it has not.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Time> {
        match self {
            Self::Succeeded { at, .. }
            | Self::Dead { at, .. }
            | Self::Cancelled { at, .. }
            | Self::Quarantined { at, .. } => Some(*at),
            _ => None,
        }
    }
}

/// The record of one job, which is the truth about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Record {
    /// `TYPE#g:ID` for an ID given by the sender, or `TYPE#d:HASH` for one derived from the
    /// payload.
    pub key: String,
    /// The fencing token. Every claim raises it, and so does the sweeper when it wakes the job.
    pub fence: u64,
    /// Token of the batch that claimed the job last. It stays when the run ends, so that a batch
    /// recognizes its own write if the response was lost.
    pub owner: String,
    /// SQS ID of the message that started the latest run, which a live run still holds.
    pub message_id: String,
    pub counters: Counters,
    pub phase: Phase,
    pub work: Work,
    /// Progress of a long job, in the job type's own notation.
    pub cursor: Option<String>,
    /// The provisional result, which replaces the result after the sender's deadline, as JSON.
    pub provisional: Option<String>,
    /// Set while the job is parked, until it reaches its dependency.
    pub parking: Option<Parking>,
    /// The failure of the latest failed run. A success does not remove it.
    pub last_failure: Option<LastFailure>,
    /// The latest failed attempts, oldest first, at most [`HISTORY`](crate::policy::HISTORY).
    pub history: Vec<FailedAttempt>,
    /// Decisions, wake-ups and operators' acts, oldest first, at most [`JOURNAL`](journal::JOURNAL). A job that is
    /// claimed and succeeds has none.
    pub journal: Vec<journal::JournalEntry>,
}

/// The condition of a write: state and fence of the record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// [`Phase::name`].
    pub state: &'static str,
    /// [`Record::fence`].
    pub fence: u64,
}

impl Record {
    /// The record of a job that no batch has claimed: without a run, a failure or progress. The sweeper checks at
    /// `due_at` whether the job's message was lost.
    #[must_use]
    pub fn queued(key: String, work: Work, due_at: Time) -> Self {
        Self {
            key,
            fence: 0,
            owner: String::new(),
            message_id: String::new(),
            counters: Counters::default(),
            phase: Phase::Queued { due_at },
            work,
            cursor: None,
            provisional: None,
            parking: None,
            last_failure: None,
            history: Vec::new(),
            journal: Vec::new(),
        }
    }

    /// The record with an entry on the index `due` at the end of its lease, if it is running.
    #[must_use]
    pub fn with_lease_expiry_indexed(&self) -> Self {
        let mut record = self.clone();
        if let Phase::Running { lease_expiry_indexed, .. } = &mut record.phase {
            *lease_expiry_indexed = true;
        }
        record
    }

    /// The job type.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.key.split('#').next().unwrap_or_default()
    }

    /// When the record may be deleted; `None` until the job has ended. A quarantined job waits for
    /// an operator, so it is kept for at least [`QUARANTINE_RETENTION`].
    #[must_use]
    pub fn expires_at(&self) -> Option<Time> {
        let retention = match self.phase {
            Phase::Quarantined { .. } => self.work.retention.max(QUARANTINE_RETENTION),
            _ => self.work.retention,
        };
        self.phase.ended_at().map(|at| at + retention)
    }

    /// When retrying ends: at the sender's deadline, or `give_up_after` later if there is a
    /// provisional result, not counting the time for which the job has waited for a quota. `None` without a deadline.
    #[must_use]
    pub fn ends_at(&self, give_up_after: Duration) -> Option<Time> {
        let upgradable = match self.provisional {
            Some(_) => give_up_after.saturating_add(self.paused()),
            None => Duration::ZERO,
        };
        self.work.deadline.map(|deadline| deadline + upgradable)
    }

    /// When a job without a deadline is given up.
    #[must_use]
    pub fn gives_up_at(&self, give_up_after: Duration) -> Time {
        self.work.created_at + give_up_after + self.paused()
    }

    /// Whether the job's end has come: no run may follow.
    #[must_use]
    pub fn is_over(&self, give_up_after: Duration, now: Time) -> bool {
        let end = self.ends_at(give_up_after);
        end.unwrap_or_else(|| self.gives_up_at(give_up_after)) <= now
    }

    /// How long the job has waited for a quota.
    const fn paused(&self) -> Duration {
        Duration::from_millis(self.counters.paused_ms)
    }

    /// Whether the job waits for a quota, under another name than its dependency's.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.parking.is_some_and(|parking| parking.paused_since.is_some())
    }

    /// When a parked job ends although its dependency is not back: then it must run once more, to be given up or to
    /// take its fallback.
    #[must_use]
    pub fn parked_until(&self) -> Option<Time> {
        let deadline = self.work.deadline.filter(|_| self.provisional.is_none());
        deadline.or(self.parking.and_then(|parking| parking.ends_at))
    }

    /// The condition of a write that changes this record.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard { state: self.phase.name(), fence: self.fence }
    }

    /// Whether this record, as read from the table, is what the batch of `written` meant to write:
    /// owner, fence and state are the same.
    #[must_use]
    pub fn is_write_of(&self, written: &Self) -> bool {
        (self.owner == written.owner || is_on(Mutant::OwnerUnchecked))
            && self.fence == written.fence
            && self.phase.name() == written.phase.name()
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
