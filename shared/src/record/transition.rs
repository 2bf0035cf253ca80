//! How a record changes: when a run ends, when a process died, when the job is woken, and when it begins
//! again. How a run begins is in [`super::claim_decision`].

use std::time::Duration;

use crate::{
    base::{
        mutants::{Mutant, is_on},
        time::{Time, millis},
    },
    failure::{Class, Failure},
    policy::{CRASH_PAUSE, HISTORY, MAX_CRASHES},
    record::{
        Counters, FailedAttempt, LastFailure, Parking, Phase, Record, Work,
        decision::{Cause, Decision, Spends},
        journal::due_in,
    },
};

/// Code of the failure of a run whose lease expired.
pub const LEASE_OVER: &str = "lease_over";

/// When the sweeper checks on a job that continues in another run. Its message comes back
/// immediately, unless it was lost.
const DUE_AFTER_CONTINUED: Duration = Duration::from_mins(5);

impl Record {
    /// Takes the fallback as the provisional result if the sender's deadline has passed and there
    /// is none yet.
    pub(crate) fn fall_back(&mut self, fallback: Option<&str>, now: Time) {
        let over = self.work.deadline.is_some_and(|deadline| deadline <= now);
        if over
            && self.provisional.is_none()
            && let Some(fallback) = fallback
        {
            self.provisional = Some(fallback.to_owned());
            self.note("deadline over: a provisional result stands in", now);
        }
    }

    /// Parks a waiting job until the same `run_after`, so that it no longer needs its message.
    pub(crate) fn park(&mut self, now: Time) {
        if let Phase::Waiting { run_after, why, .. } = &self.phase {
            let (run_after, why) = (*run_after, why.clone());
            self.phase = Phase::Parked { run_after, why };
            self.note("parked: its message has few receives left", now);
        }
    }

    /// Notes when the job ends at the latest, if it is parked and its deadline does not say that. While it waits for a
    /// quota, it has no other end.
    pub(crate) fn end_at(&mut self, end: Time) {
        let deadline = self.work.deadline.filter(|_| self.provisional.is_none());
        let parking = self.parking.as_mut().filter(|parking| parking.paused_since.is_none());
        if let Some(parking) = parking.filter(|_| deadline.is_none()) {
            parking.ends_at = Some(end);
        }
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
                counters.attempts += u32::from(!is_on(Mutant::AttemptUncounted));
                (record.provisional, record.cursor) = (None, None);
                Phase::Succeeded { at: now, result }
            }
            Decision::Continue => {
                record.cursor = Some(result).filter(|_| !is_on(Mutant::CursorLost));
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
                let why = format!("{}: {why}", cause.text());
                Phase::Dead {
                    at: now,
                    why: if is_on(Mutant::BuriedWithoutReason) { String::new() } else { why },
                }
            }
            Decision::Quarantine => {
                counters.crashes += 1;
                Phase::Quarantined { at: now, why: quarantine_reason(counters.crashes, &why) }
            }
        };
        // A job that has ended keeps the count, which says how it came to its end.
        let goes_on = record.phase.ended_at().is_none();
        if goes_on && failure.is_none_or(|failure| failure.class().ran()) {
            record.counters.crashes = 0;
        }
        record.parking = match decision {
            Decision::Park { .. } => Some(self.parked(failure, now)),
            Decision::Retry { spends: Spends::Deferral, .. } => self.parking,
            _ => None,
        };
        if let Some(failure) = failure {
            record.record_failure(failure, remember, now);
            // Until it is claimed again: whoever claims it knows the dependency from the payload.
            if let Some(name) = failure.parks_under().filter(|_| record.is_paused()) {
                name.clone_into(&mut record.work.dependency);
            }
        }
        record.decided(decision, failure, now)
    }

    /// Since when and why the job is parked after this failure.
    fn parked(&self, failure: Option<&Failure>, now: Time) -> Parking {
        let gated = failure.is_some_and(Failure::waits_for_breaker);
        let since = self.parking.map_or(now, |parking| parking.since);
        let waits_for_quota = failure.is_some_and(|failure| failure.parks_under().is_some());
        Parking { since, gated, ends_at: None, paused_since: waits_for_quota.then_some(now) }
    }

    /// The record of a job that waits no longer for a quota: its time runs again.
    pub(crate) fn resumed(mut self, now: Time) -> Self {
        let since = self.parking.as_mut().and_then(|parking| parking.paused_since.take());
        if let Some(since) = since {
            let paused = &mut self.counters.paused_ms;
            *paused = paused.saturating_add(millis(now.since(since)));
        }
        self
    }

    /// The record after the lease of its run expired, because the process died before the settle.
    ///
    /// The job may run again immediately after its first crash, and [`CRASH_PAUSE`] after its
    /// second, though not later than `end`. The third crash quarantines it. `owner` is the token of
    /// whichever batch or sweep found the expired lease.
    ///
    /// If the crash is `excused`, because most runs of the type crash, it is not counted, and the job runs again
    /// after [`CRASH_PAUSE`].
    #[must_use]
    pub fn crashed(&self, owner: &str, end: Option<Time>, excused: bool, now: Time) -> Self {
        let mut record = self.clone();
        // The finder writes this record, not the run that is gone.
        owner.clone_into(&mut record.owner);
        record.counters.crashes += u32::from(!excused && !is_on(Mutant::CrashUncounted));
        let why = "the run never came back";
        record.record_failure(&Failure::new(Class::Crash, LEASE_OVER, why), !excused, now);
        let pause = match record.counters.crashes {
            _ if excused => CRASH_PAUSE,
            MAX_CRASHES.. if !is_on(Mutant::CrasherNeverStopped) => {
                let why = quarantine_reason(record.counters.crashes, why);
                record.phase = Phase::Quarantined { at: now, why };
                record.note(&format!("{}: {LEASE_OVER}", Decision::Quarantine.name()), now);
                return record;
            }
            1 => Duration::ZERO,
            _ => CRASH_PAUSE,
        };
        let run_after = end.map_or(now + pause, |end| (now + pause).min(end));
        record.phase = Phase::Waiting { run_after, due_at: run_after, why: why.to_owned() };
        record.note(&due_in("crashed", run_after.since(now), LEASE_OVER), now);
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
        record.fence += u64::from(!is_on(Mutant::WakeUpRaisesNoFence));
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

    /// The record of a job that an operator has cancelled while no run held it. The fence rises, so that a message
    /// that wakes the job finds that it has ended.
    #[must_use]
    pub fn cancelled(&self, owner: &str, why: String, now: Time) -> Self {
        let mut record = self.clone();
        owner.clone_into(&mut record.owner);
        record.fence += 1;
        record.phase = Phase::Cancelled { at: now, why };
        record
    }

    /// The record of a job that ends as dead without another run.
    #[must_use]
    pub fn buried(&self, failure: &Failure, why: String, now: Time) -> Self {
        let mut record = self.clone();
        record.record_failure(failure, false, now);
        record.phase = Phase::Dead { at: now, why };
        record.decided(Decision::Bury(Cause::Permanent), Some(failure), now)
    }

    /// The record of a job that ends because the table refuses what its run has left, without that.
    pub(crate) fn unwritable(&self, failure: &Failure, now: Time) -> Self {
        let mut record = self.clone();
        (record.cursor, record.provisional, record.parking) = (None, None, None);
        record.history.clear();
        record.record_failure(failure, true, now);
        record.phase = Phase::Dead { at: now, why: failure.to_string() };
        record.decided(Decision::Bury(Cause::Permanent), Some(failure), now)
    }

    /// Stores the kind of the failure, and the failure itself in the history if `remember`.
    fn record_failure(&mut self, failure: &Failure, remember: bool, now: Time) {
        let before = self.last_failure.as_ref().map(|last| last.at).unwrap_or_default();
        self.last_failure = Some(LastFailure {
            at: if failure.class().ran() { now } else { before },
            class: failure.class().name().to_owned(),
            fingerprint: failure.fingerprint(&self.work.dependency),
        });
        if remember {
            self.remember(failure.class(), failure.code(), failure.message(), now);
        }
    }

    fn remember(&mut self, class: Class, code: &str, message: &str, now: Time) {
        // A version that keeps more may have written a longer list.
        while self.history.len() >= HISTORY {
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
        let begin =
            if is_on(Mutant::ReopenedKeepsCounters) { self.counters } else { Counters::default() };
        let counters = Counters { receives, claims, ..begin };
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
