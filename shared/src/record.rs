//! The job record: its states, its counters, and how a run begins and ends it, as plain functions of
//! values. What a message may do with it is decided in [`crate::record::claim_decision`].
//!
//! ```text
//!            claim                     settle
//! queued ─────────────► running ─────────────────► succeeded
//!   waiting, parked ──►    │  ├──────────────────► dead, quarantined
//!        ▲                 │  └─► waiting, parked ─┐
//!        └─────────────────┼──────────────────────┘
//!                          └─ lease over: claimed again, one crash more
//! ```
//!
//! Each claim raises the fence; a settle counts only while fence and state are those of its
//! claim, so the late answer of a run believed dead changes nothing.

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

/// What has happened to a job, counted. Only `attempts` spends the retry allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that reached a claim.
    pub receives: u32,
    /// Runs begun.
    pub claims: u32,
    /// Runs that did the work or failed at it.
    pub attempts: u32,
    /// Runs put off: throttled, parked, out of time.
    pub defers: u32,
    /// Runs that panicked or never came back.
    pub crashes: u32,
}

impl Counters {
    /// Counts the end of a run; answers whether it is one to remember.
    fn count(&mut self, spends: Spends) -> bool {
        match spends {
            Spends::Attempt => self.attempts += 1,
            Spends::Deferral => self.defers += 1,
            Spends::Crash => self.crashes += 1,
        }
        spends != Spends::Deferral
    }
}

/// A failed attempt, remembered.
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

/// What was asked for, which no run changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The payload as canonical JSON.
    pub payload: String,
    /// ARN of the queue that the job belongs to.
    pub queue: String,
    /// The third party that it depends on.
    pub dependency: String,
    /// How long a terminal record is kept.
    pub retention: Duration,
    /// When the sender made it, or else when the message was sent.
    pub created_at: Time,
    /// When it is no longer worth doing.
    pub deadline: Option<Time>,
    /// Whom fair queues count its messages to, if its sender said.
    pub group: Option<String>,
}

/// How a job came to be parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parking {
    /// When it was parked first, of all the times since it last got through to its dependency.
    pub since: Time,
    /// Whether it waits for a breaker: then it need not wait longer once that is closed.
    pub gated: bool,
}

/// What kind of failure a job met last, for lists of jobs that failed alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// [`Class::name`].
    pub class: String,
    /// [`Failure::fingerprint`].
    pub fingerprint: String,
}

/// Where a job stands, with just the data of that state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Recorded before its message was sent.
    Queued {
        /// When somebody should look whether the message got lost.
        due_at: Time,
    },
    /// Claimed by a run.
    Running {
        /// Until when the run may still be alive.
        lease_until: Time,
        /// Whether the record has a look at the lease's end.
        lease_expiry_indexed: bool,
    },
    /// To be tried again when its message comes back.
    Waiting {
        /// Not before.
        run_after: Time,
        /// When somebody should look.
        due_at: Time,
        /// What it waits for.
        why: String,
    },
    /// Out of the way until something outside is mended.
    Parked {
        /// Not before; somebody looks then.
        run_after: Time,
        /// What it waits for.
        why: String,
    },
    /// Done.
    Succeeded {
        /// When.
        at: Time,
        /// The result as JSON.
        result: String,
    },
    /// Given up.
    Dead {
        /// When.
        at: Time,
        /// Why.
        why: String,
    },
    /// Called off by an operator.
    Cancelled {
        /// When.
        at: Time,
        /// Why.
        why: String,
    },
    /// Kills what runs it; for operators only.
    Quarantined {
        /// When.
        at: Time,
        /// Why.
        why: String,
    },
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

    /// When it ended, if it has.
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
pub struct Record {
    /// `type#id`.
    pub key: String,
    /// Raised by every claim, and whenever the sweeper wakes the job.
    pub fence: u64,
    /// Token of the batch that claimed it last; kept when the run ends, so that a batch can
    /// recognise a write of its own whose answer was lost.
    pub owner: String,
    /// The message that woke the latest run: the one that a live run still holds.
    pub message_id: String,
    /// The counters.
    pub counters: Counters,
    /// The state.
    pub phase: Phase,
    /// What was asked for.
    pub work: Work,
    /// How far a long job has come, in the job type's own notation.
    pub cursor: Option<String>,
    /// What stands in for the result since the sender's deadline, as JSON.
    pub provisional: Option<String>,
    /// How it came to be parked, until it gets through to its dependency.
    pub parking: Option<Parking>,
    /// The failure that the latest failed run ended with; a success leaves it.
    pub last_failure: Option<LastFailure>,
    /// The latest failed attempts, oldest first, at most [`HISTORY`].
    pub history: Vec<FailedAttempt>,
}

/// Code of the mishap of a run whose lease ran out.
pub const LEASE_OVER: &str = "lease_over";

/// When somebody should look at a job that goes on in another run: its message comes back at once.
const DUE_AFTER_CONTINUED: Duration = Duration::from_mins(5);

/// What a conditional write expects to find: the state and the fence of the record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// [`Phase::name`].
    pub state: &'static str,
    /// [`Record::fence`].
    pub fence: u64,
}

impl Record {
    /// The record with a look at its lease's end, if it runs.
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

    /// When the record may be removed; `None` while the job is not terminal. What is quarantined waits
    /// for people, so it is kept for [`QUARANTINE_RETENTION`] at least.
    #[must_use]
    pub fn expires_at(&self) -> Option<Time> {
        let retention = match self.phase {
            Phase::Quarantined { .. } => self.work.retention.max(QUARANTINE_RETENTION),
            _ => self.work.retention,
        };
        self.phase.ended_at().map(|at| at + retention)
    }

    /// When the job is no longer worth trying: at the sender's deadline, or `give_up_after` later once
    /// a provisional result stands in for the real one.
    #[must_use]
    pub fn ends_at(&self, give_up_after: Duration) -> Option<Time> {
        let upgradable = if self.provisional.is_some() { give_up_after } else { Duration::ZERO };
        self.work.deadline.map(|deadline| deadline + upgradable)
    }

    /// Takes the fallback for the result if the sender's deadline is over and nothing stands in yet.
    pub(crate) fn fall_back(&mut self, fallback: Option<&str>, now: Time) {
        let over = self.work.deadline.is_some_and(|deadline| deadline <= now);
        if over && self.provisional.is_none() {
            self.provisional = fallback.map(ToOwned::to_owned);
        }
    }

    /// The same wait in the record instead of in the queue, due at once.
    pub(crate) fn park(&mut self) {
        if let Phase::Waiting { run_after, why, .. } = &self.phase {
            let (run_after, why) = (*run_after, why.clone());
            self.phase = Phase::Parked { run_after, why };
        }
    }

    /// What a write that changes this record must still find.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard { state: self.phase.name(), fence: self.fence }
    }

    /// Whether this record of the table is what the batch of `written` meant to write: the same
    /// batch, claim and state.
    #[must_use]
    pub fn is_write_of(&self, written: &Self) -> bool {
        self.owner == written.owner
            && self.fence == written.fence
            && self.phase.name() == written.phase.name()
    }

    /// The record after its run ended with `decision`, because of `failure` if it failed.
    ///
    /// `result` is kept on success; of a run that goes on it is the cursor.
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
                // A deadline may pass while a run is only put off.
                counters.count(match failure.map(Failure::class) {
                    Some(Class::Crash) => Spends::Crash,
                    Some(class) if class.puts_off() => Spends::Deferral,
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
            record.met(failure, remember, now);
        }
        record
    }

    /// The record after its run's lease ran out without an end, which its process did not live to
    /// write: it may run again at once the first time, after [`CRASH_PAUSE`] the second, though not
    /// later than `end`, and never the third.
    ///
    /// `owner` is the token of who has found that out.
    #[must_use]
    pub fn crashed(&self, owner: &str, end: Option<Time>, now: Time) -> Self {
        let mut record = self.clone();
        // What is written here is the finder's word, not that of the run that is gone.
        owner.clone_into(&mut record.owner);
        record.counters.crashes += 1;
        let why = "the run never came back";
        record.met(&Failure::new(Class::Crash, LEASE_OVER, why), true, now);
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

    /// The record of a job that a message of ours is about to wake at `at`: from then on it waits for
    /// that message, and somebody looks at `due_at` whether it got lost.
    ///
    /// The fence goes up, so that of several who mean to wake the job one does.
    #[must_use]
    pub fn called(&self, owner: &str, at: Time, due_at: Time) -> Self {
        let mut record = self.clone();
        owner.clone_into(&mut record.owner);
        record.fence += 1;
        // At its deadline somebody looks in any case: its fallback is due, or its end.
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

    /// Takes over what kind of failure the job met, and the failure itself into the history if it was
    /// more than a deferral.
    fn met(&mut self, failure: &Failure, remember: bool, now: Time) {
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

    /// The record of a job that has ended, about to begin anew.
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
