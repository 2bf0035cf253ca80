//! The numbers that a job type runs by, checked when it is compiled.
//!
//! `tests/template.rs` holds `template.yaml` against the same numbers.

use std::time::Duration;

use crate::{
    base::time::{CLOCK_SKEW, LEASE_GRACE, millis},
    dependency::{breaker::BreakerPolicy, call_timeout::CallTimes, limiter::HORIZON},
    failure::Class,
};

/// Most messages of one SQS event (the service's limit for a batch without a window).
pub const BATCH_SIZE: usize = 10;

/// Receives after which SQS moves a message to the dead-letter queue. Infrastructure safety only: a
/// job that fails ends by its own caps before, and one that is parked has no message that could be
/// received.
pub const MAX_RECEIVES: u32 = 25;

/// A message on this receive waits in its record instead of in the queue: the dead-letter queue is
/// near, and a run that dies must still come back.
pub const WORN_OUT: u32 = MAX_RECEIVES - 4;

/// Crashes after which a job is quarantined: it kills what runs it.
pub const MAX_CRASHES: u32 = 3;

/// A message on this receive without a record may have killed its process before the claim:
/// from here on it runs alone.
pub const ISOLATED_FROM_RECEIVE: u32 = 4;

/// Pause before the second retry of a job that crashed (the first is at once).
pub const CRASH_PAUSE: Duration = Duration::from_mins(3);

/// Longest delay kept as `waiting`, with the message hidden until then; a longer one parks.
pub const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// Longest time for which a message is hidden. SQS allows 12 h counted from the receive and
/// refuses more, so this leaves an hour for the run itself.
pub const LONGEST_VISIBILITY: Duration = Duration::from_hours(11);

/// Longest delay at all. A service that asks for more is asked again by then: a header that says a
/// year must not bury a job alive.
pub const LONGEST_PARK: Duration = Duration::from_hours(24);

/// For how long a source queue keeps a message.
pub const QUEUE_RETENTION: Duration = Duration::from_hours(4 * 24);

/// How long a message waits when the store is gone at its first receive; it doubles.
pub const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Time kept for hiding messages and answering, whatever else happens.
pub const ANSWER_RESERVE: Duration = Duration::from_millis(1500);

/// How long a job is parked after a systemic failure, if nothing wakes it before.
pub const SYSTEMIC_PAUSE: Duration = Duration::from_mins(1);

/// Shortest delay before a retry.
pub const SHORTEST_DELAY: Duration = Duration::from_secs(1);

/// How long a finished job waits for its neighbours to be settled with them.
pub const SETTLE_GROUPING: Duration = Duration::from_millis(250);

/// Failed attempts that a record remembers.
pub const HISTORY: usize = 12;

/// A message lives at most this long: the dead-letter queue's retention.
pub const LONGEST_MESSAGE_LIFE: Duration = Duration::from_hours(14 * 24);

/// Terminal records outlive every message, or a late one would run its job again.
pub const SHORTEST_RETENTION: Duration = Duration::from_hours(15 * 24);

/// What is quarantined is kept for people, who may be away for a while.
pub const QUARANTINE_RETENTION: Duration = Duration::from_hours(90 * 24);

/// How one job type is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The third party that it depends on, as breakers and metrics name it.
    pub dependency: &'static str,
    /// Failed attempts after which a job is dead.
    pub max_attempts: u32,
    /// Classes of failures that are tried again, besides those that spend no attempt; any other is for
    /// good.
    pub retryable: &'static [Class],
    /// Deferrals after which a throttled job waits in its record and no longer in the queue. They
    /// spend no attempt.
    pub max_deferrals: u32,
    /// Mean of the first backoff is half of this.
    pub backoff_base: Duration,
    /// Longest backoff.
    pub backoff_cap: Duration,
    /// Longest run of one job.
    pub job_timeout: Duration,
    /// Rounds of jobs that fit one run of the function: the batch, and one that runs alone.
    pub rounds: u32,
    /// Time kept for settling and answering.
    pub reserve: Duration,
    /// Jobs of a batch that run at the same time.
    pub concurrency: usize,
    /// For how long after a success the same work is not done again.
    pub dedup_window: Duration,
    /// How long after the sender's deadline a provisional result is still worth upgrading.
    pub give_up_after: Duration,
    /// When its dependencies are left alone.
    pub breaker: BreakerPolicy,
    /// Whether a part of the load is put off when the pulse foretells trouble.
    pub sheds_load: bool,
    /// How long its calls may take.
    pub calls: CallTimes,
}

impl Policy {
    /// A policy to start from: `Policy { dependency: "…", ..Policy::DEFAULT }` says only what differs. It
    /// suits a job of one or two calls that take at most three seconds each.
    pub const DEFAULT: Self = Self {
        dependency: "unnamed",
        max_attempts: 8,
        retryable: &[Class::Transient, Class::Anomaly, Class::Conflict],
        max_deferrals: 9,
        backoff_base: Duration::from_secs(2),
        backoff_cap: Duration::from_secs(120),
        job_timeout: Duration::from_secs(5),
        rounds: 2,
        reserve: Duration::from_secs(3),
        concurrency: BATCH_SIZE,
        dedup_window: Duration::from_hours(24),
        give_up_after: Duration::from_hours(24),
        breaker: BreakerPolicy {
            failures: 5,
            open_wait: Duration::from_secs(60),
            longest_wait: Duration::from_secs(600),
            probes: 2,
            successes: 3,
        },
        sheds_load: true,
        calls: CallTimes {
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(3),
            slow_after: Duration::from_secs(2),
        },
    }
    .checked();

    /// The same policy, or a compile error where it is evaluated in a constant.
    ///
    /// # Panics
    /// If a number makes no sense or the caps do not fit into [`MAX_RECEIVES`].
    #[must_use]
    pub const fn checked(self) -> Self {
        assert!(self.max_attempts >= 1, "a job needs an attempt");
        // Jobs decide by what they met before (`Run::history`).
        assert!(self.max_attempts as usize <= HISTORY, "an attempt would be forgotten");
        assert!(self.concurrency >= 1 && self.concurrency <= BATCH_SIZE, "1 to a batch at once");
        assert!(self.rounds >= 2, "a batch, and one that runs alone");
        assert!(self.backoff_base.as_millis() >= 100, "a backoff under 100 ms is none");
        assert!(self.backoff_base.as_millis() <= self.backoff_cap.as_millis(), "base above cap");
        assert!(self.backoff_cap.as_secs() <= LONGEST_WAIT.as_secs(), "such a backoff would park");
        assert!(
            self.max_attempts + self.max_deferrals + MAX_CRASHES < MAX_RECEIVES,
            "the queue would give up before the policy"
        );
        assert!(self.job_timeout.as_millis() >= 500, "no call fits");
        assert!(
            self.reserve.as_millis() >= ANSWER_RESERVE.as_millis() + 1000,
            "settling needs a second"
        );
        self.breaker.check();
        // A probe of the last round is over before the first one of the next begins, also where
        // clocks differ, or there could be more of them than leases.
        let longest_probe = self.job_timeout.as_secs() + HORIZON.as_secs() + CLOCK_SKEW.as_secs();
        assert!(
            self.breaker.open_wait.as_secs() * 9 / 10 > longest_probe,
            "a probe outlives the wait"
        );
        assert!(self.calls.shortest.as_millis() >= 50, "no answer is that quick");
        assert!(self.calls.shortest.as_millis() <= self.calls.longest.as_millis(), "call times");
        assert!(
            self.calls.longest.as_millis() <= self.job_timeout.as_millis(),
            "a call fits a run"
        );
        self
    }

    /// The time that a full run of the function may take: its time-out must be longer.
    #[must_use]
    pub const fn longest_run(&self) -> Duration {
        Duration::from_millis(millis(self.job_timeout) * self.rounds as u64 + millis(self.reserve))
    }

    /// How long a terminal record is kept: a message sent within the window may arrive at the end of
    /// its life.
    #[must_use]
    pub const fn retention(&self) -> Duration {
        let late = self.dedup_window.saturating_add(LONGEST_MESSAGE_LIFE);
        if late.as_secs() > SHORTEST_RETENTION.as_secs() { late } else { SHORTEST_RETENTION }
    }
}

const _: () = assert!(SHORTEST_RETENTION.as_secs() > LONGEST_MESSAGE_LIFE.as_secs());
const _: () = assert!(LONGEST_WAIT.as_secs() * (MAX_RECEIVES as u64) < QUEUE_RETENTION.as_secs());
const _: () = assert!(LONGEST_WAIT.as_secs() <= LONGEST_VISIBILITY.as_secs());
const _: () = assert!(LEASE_GRACE.as_secs() >= 2 * CLOCK_SKEW.as_secs());
const _: () = assert!(CRASH_PAUSE.as_secs() <= LONGEST_WAIT.as_secs());

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A policy for tests of other modules.
    pub(crate) const POLICY: Policy = Policy {
        dependency: "elsewhere",
        max_attempts: 4,
        max_deferrals: 3,
        backoff_base: Duration::from_secs(2),
        backoff_cap: Duration::from_secs(60),
        job_timeout: Duration::from_secs(5),
        rounds: 2,
        reserve: Duration::from_secs(3),
        concurrency: 4,
        dedup_window: Duration::from_secs(600),
        retryable: &[Class::Transient, Class::Anomaly, Class::Conflict],
        give_up_after: Duration::from_secs(3600),
        breaker: BreakerPolicy {
            failures: 5,
            open_wait: Duration::from_secs(60),
            longest_wait: Duration::from_secs(240),
            probes: 2,
            successes: 3,
        },
        sheds_load: true,
        calls: CallTimes {
            shortest: Duration::from_millis(500),
            longest: Duration::from_secs(5),
            slow_after: Duration::from_secs(2),
        },
    }
    .checked();

    #[test]
    fn a_full_run_is_every_round_and_the_reserve() {
        assert_eq!(POLICY.longest_run(), Duration::from_secs(13));
    }

    #[test]
    fn records_outlive_messages_and_windows() {
        let brief = Policy { dedup_window: Duration::ZERO, ..POLICY };
        assert_eq!(brief.retention(), SHORTEST_RETENTION);
        let longer = Policy { dedup_window: Duration::from_secs(90 * 86_400), ..POLICY };
        assert_eq!(longer.retention(), longer.dedup_window + LONGEST_MESSAGE_LIFE);
    }

    #[test]
    #[should_panic(expected = "the queue would give up before the policy")]
    fn caps_that_the_queue_would_cut_short_do_not_compile() {
        let _ = Policy { max_deferrals: 20, ..POLICY }.checked();
    }
}
