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
pub mod lease;
pub mod outcomes;
pub mod retry;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    base::time::Time,
    failure::{Class, Failure},
    policy::{CRASH_PAUSE, HISTORY, MAX_CRASHES, QUARANTINE_RETENTION},
    record::decision::{Decision, Spends},
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
}

impl Counters {
    /// Counts the end of a run. Returns whether the history keeps its failure.
    fn count(&mut self, spends: Spends) -> bool {
        match spends {
            Spends::Attempt => self.attempts += 1,
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
    /// [`Class::name`].
    pub class: String,
    /// [`Failure::code`].
    pub code: String,
    /// [`Failure::message`].
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
    /// When the sender created the job, or else when its message was sent.
    pub created_at: Time,
    /// The sender's deadline, after which the job is not worth doing.
    pub deadline: Option<Time>,
    /// Message group ID, by which fair queues balance senders, if the sender set one.
    pub group: Option<String>,
}

/// Since when and why a job is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parking {
    /// When the job was first parked since it last reached its dependency.
    pub since: Time,
    /// Whether the job waits for a breaker. It need not wait longer once the breaker has closed.
    pub gated: bool,
}

/// The kind of a job's latest failure, for lists of jobs that failed alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// [`Class::name`].
    pub class: String,
    /// [`Failure::fingerprint`].
    pub fingerprint: String,
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
    /// Stopped after [`MAX_CRASHES`] crashes. Only an operator may run it again.
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

/// One job.
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
    /// The latest failed attempts, oldest first, at most [`HISTORY`].
    pub history: Vec<FailedAttempt>,
}

/// Code of the failure of a run whose lease expired.
pub const LEASE_OVER: &str = "lease_over";

/// When the sweeper checks on a job that continues in another run. Its message comes back
/// immediately, unless it was lost.
const DUE_AFTER_CONTINUED: Duration = Duration::from_mins(5);

/// The condition of a write: state and fence of the record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// [`Phase::name`].
    pub state: &'static str,
    /// [`Record::fence`].
    pub fence: u64,
}

impl Record {
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
    /// provisional result. `None` without a deadline.
    #[must_use]
    pub fn ends_at(&self, give_up_after: Duration) -> Option<Time> {
        let upgradable = if self.provisional.is_some() { give_up_after } else { Duration::ZERO };
        self.work.deadline.map(|deadline| deadline + upgradable)
    }

    /// Takes the fallback as the provisional result if the sender's deadline has passed and there
    /// is none yet.
    pub(crate) fn fall_back(&mut self, fallback: Option<&str>, now: Time) {
        let over = self.work.deadline.is_some_and(|deadline| deadline <= now);
        if over && self.provisional.is_none() {
            self.provisional = fallback.map(ToOwned::to_owned);
        }
    }

    /// Parks a waiting job until the same `run_after`, so that it no longer needs its message.
    pub(crate) fn park(&mut self) {
        if let Phase::Waiting { run_after, why, .. } = &self.phase {
            let (run_after, why) = (*run_after, why.clone());
            self.phase = Phase::Parked { run_after, why };
        }
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
        self.owner == written.owner
            && self.fence == written.fence
            && self.phase.name() == written.phase.name()
    }

    /// The record after its run ended with `decision`, because of `failure` if it failed.
    ///
    /// On success, `result` becomes the result; if the job continues, it becomes the cursor.
    #[must_use]
    pub fn settled(
        &self,
        decision: Decision,
        failure: Option<&Failure>,
        result: String,
        now: Time,
    ) -> Self {
        let mut record = self.clone();
        let why = failure.map(ToString::to_string).unwrap_or_default();
        let counters = &mut record.counters;
        let mut remember = true;
        record.phase = match decision {
            Decision::Succeed => {
                counters.attempts += 1;
                (record.provisional, record.cursor) = (None, None);
                Phase::Succeeded { at: now, result }
            }
            Decision::Continue => {
                record.cursor = Some(result);
                let why = "there is more to do".to_owned();
                Phase::Waiting { run_after: now, due_at: now + DUE_AFTER_CONTINUED, why }
            }
            Decision::Retry { after, spends } => {
                remember = counters.count(spends);
                let run_after = now + after;
                Phase::Waiting { run_after, due_at: run_after, why }
            }
            Decision::Park { after, spends } => {
                remember = counters.count(spends);
                let run_after = now + after;
                Phase::Parked { run_after, why }
            }
            Decision::Bury(cause) => {
                // The deadline may pass at a deferral, which is no attempt.
                counters.count(match failure.map(Failure::class) {
                    Some(Class::Crash) => Spends::Crash,
                    Some(class) if class.is_deferral() => Spends::Deferral,
                    _ => Spends::Attempt,
                });
                Phase::Dead { at: now, why: format!("{}: {why}", cause.text()) }
            }
            Decision::Quarantine => {
                counters.crashes += 1;
                Phase::Quarantined { at: now, why: quarantine_reason(counters.crashes, &why) }
            }
        };
        record.parking = match decision {
            Decision::Park { .. } => {
                let gated = failure.is_some_and(Failure::waits_for_breaker);
                Some(Parking { since: self.parking.map_or(now, |parking| parking.since), gated })
            }
            Decision::Retry { spends: Spends::Deferral, .. } => self.parking,
            _ => None,
        };
        if let Some(failure) = failure {
            record.record_failure(failure, remember, now);
        }
        record
    }

    /// The record after the lease of its run expired, because the process died before the settle.
    ///
    /// The job may run again immediately after its first crash, and [`CRASH_PAUSE`] after its
    /// second, though not later than `end`. The third crash quarantines it. `owner` is the token of
    /// whichever batch or sweep found the expired lease.
    #[must_use]
    pub fn crashed(&self, owner: &str, end: Option<Time>, now: Time) -> Self {
        let mut record = self.clone();
        // The finder writes this record, not the run that is gone.
        owner.clone_into(&mut record.owner);
        record.counters.crashes += 1;
        let why = "the run never came back";
        record.record_failure(&Failure::new(Class::Crash, LEASE_OVER, why), true, now);
        let pause = match record.counters.crashes {
            MAX_CRASHES.. => {
                let why = quarantine_reason(record.counters.crashes, why);
                record.phase = Phase::Quarantined { at: now, why };
                return record;
            }
            1 => Duration::ZERO,
            _ => CRASH_PAUSE,
        };
        let run_after = end.map_or(now + pause, |end| (now + pause).min(end));
        record.phase = Phase::Waiting { run_after, due_at: run_after, why: why.to_owned() };
        record
    }

    /// The record of a job that a message of the engine is about to wake at `at`. From then on, the
    /// job waits for that message; at `due_at`, the sweeper checks whether it was lost.
    ///
    /// The fence rises, so that only one of several concurrent attempts to wake the job succeeds.
    #[must_use]
    pub fn awaiting_wake_up(&self, owner: &str, at: Time, due_at: Time) -> Self {
        let mut record = self.clone();
        owner.clone_into(&mut record.owner);
        record.fence += 1;
        // The job is due at its deadline in any case: then it takes its fallback, or ends.
        let deadline =
            self.work.deadline.filter(|at_most| self.provisional.is_none() && *at_most > at);
        let due_at = deadline.map_or(due_at, |deadline| due_at.min(deadline));
        let why = match &self.phase {
            Phase::Waiting { why, .. } | Phase::Parked { why, .. } => why.clone(),
            _ => "a message was sent again".to_owned(),
        };
        record.phase = Phase::Waiting { run_after: at, due_at, why };
        record
    }

    /// Stores the kind of the failure, and the failure itself in the history if `remember`.
    fn record_failure(&mut self, failure: &Failure, remember: bool, now: Time) {
        self.last_failure = Some(LastFailure {
            class: failure.class().name().to_owned(),
            fingerprint: failure.fingerprint(&self.work.dependency),
        });
        if remember {
            self.remember(failure.class(), failure.code(), failure.message(), now);
        }
    }

    fn remember(&mut self, class: Class, code: &str, message: &str, now: Time) {
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(FailedAttempt {
            at: now.as_millis(),
            class: class.name().into(),
            code: code.into(),
            message: message.into(),
        });
    }

    /// The record of a job that has ended and starts anew, with `work`.
    #[must_use]
    pub fn reopened(self, work: &Work) -> Self {
        let Counters { receives, claims, .. } = self.counters;
        let counters = Counters { receives, claims, ..Counters::default() };
        Self {
            counters,
            history: Vec::new(),
            cursor: None,
            provisional: None,
            parking: None,
            last_failure: None,
            work: work.clone(),
            ..self
        }
    }
}

pub(crate) fn quarantine_reason(crashes: u32, why: &str) -> String {
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("crashed {crashes} times{why}")
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
