//! The numbers that a job type runs by, checked at compile time.
//!
//! `tests/template.rs` compares `template.yaml` with them.

use std::time::Duration;

use crate::{
    base::time::{CLOCK_SKEW, LEASE_GRACE, millis},
    dependency::{
        breaker::{BreakerPolicy, PROBE_WAIT},
        call_timeout::CallTimes,
        limiter::{HIGH_HORIZON, PROMISE_HORIZON},
    },
    failure::Class,
};

/// Largest number of messages in one SQS event: the service's limit without a batching window.
pub const BATCH_SIZE: usize = 10;

/// Receives after which SQS moves a message to the dead-letter queue.
///
/// This is only a safety net of the infrastructure. A failing job reaches the caps of its policy
/// first, and a parked job has no message that could be received.
pub const MAX_RECEIVES: u32 = 25;

/// From this receive on, a job that would wait parks instead. Its message is close to the
/// dead-letter queue, and a run that dies still needs some receives.
pub const PARK_FROM_RECEIVE: u32 = MAX_RECEIVES - 5;

/// Crashes after which a job is quarantined, because it probably kills its process.
pub const MAX_CRASHES: u32 = 3;

/// From this receive on, a message without a record runs isolated if it came back as late as messages do whose
/// process was killed: this one may have killed it before the claim.
pub const ISOLATED_FROM_RECEIVE: u32 = 4;

/// How long after a receive a message comes back at the earliest if the process was killed. The queues'
/// visibility time-outs are longer. A message that waits for its slot comes back earlier.
pub const EARLIEST_RETURN: Duration = Duration::from_secs(100);

/// Delay before the second retry after a crash. The first retry comes without this pause.
pub const CRASH_PAUSE: Duration = Duration::from_mins(3);

/// Longest delay in the state `waiting`, in which the queue hides the message. A longer delay parks
/// the job.
pub const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// Longest visibility timeout of a message. SQS allows 12 hours, counted from the receive, and
/// rejects more; this leaves an hour for the run itself.
pub const LONGEST_VISIBILITY: Duration = Duration::from_hours(11);

/// Longest delay of any kind. A service that asks for more is called again after this time, so a
/// `Retry-After` of a year does not suspend a job for a year.
pub const LONGEST_PARK: Duration = Duration::from_hours(24);

/// Retention of messages on a source queue.
pub const QUEUE_RETENTION: Duration = Duration::from_hours(4 * 24);

/// Delay of a message whose first receive finds the store unavailable. It doubles with each
/// receive, up to [`LONGEST_WAIT`].
pub const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Time at the end of an invocation that is reserved for extending visibility timeouts and
/// answering.
pub const ANSWER_RESERVE: Duration = Duration::from_millis(1500);

/// How long a job parks after a systemic failure, unless its breaker closes earlier.
pub const SYSTEMIC_PAUSE: Duration = Duration::from_mins(1);

/// Shortest delay before a retry.
pub const SHORTEST_DELAY: Duration = Duration::from_secs(1);

/// Longest [`Policy::settle_grouping`]: the answer to a batch must not wait for it.
const LONGEST_GROUPING: Duration = Duration::from_secs(5);

/// How long a job type may prepare the runs of a batch.
pub const PREPARE_TIME: Duration = Duration::from_secs(1);

/// Number of failed attempts that a record keeps.
pub const HISTORY: usize = 12;

/// Longest result, in bytes.
pub const MAX_RESULT_BYTES: usize = 100 * 1024;

/// Longest cursor, in bytes. With a payload as long as a message may be and a provisional result, a record then stays
/// below the 400 KB that DynamoDB stores in an item.
pub const MAX_CURSOR_BYTES: usize = 190 * 1024;

/// Longest name of a dependency, in bytes: it is part of keys, which may have 1,024 (sort) or 2,048 bytes. A
/// host name has at most 253.
pub const MAX_DEPENDENCY_BYTES: usize = 512;

/// Longest life of a message: the retention of the dead-letter queue.
pub const LONGEST_MESSAGE_LIFE: Duration = Duration::from_hours(14 * 24);

/// Shortest retention of the record of an ended job. It exceeds the life of every message;
/// otherwise a late duplicate would run the job again.
pub const SHORTEST_RETENTION: Duration = Duration::from_hours(15 * 24);

/// Retention of quarantined jobs and rejected messages, which wait for an operator.
pub const QUARANTINE_RETENTION: Duration = Duration::from_hours(90 * 24);

/// How one job type runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The third party that the job type calls, as breakers and metrics name it.
    pub dependency: &'static str,
    /// Failed attempts after which a job is dead.
    pub max_attempts: u32,
    /// Classes whose failures count as an attempt and are retried. A failure of any other class
    /// that counts as an attempt is final.
    pub retryable: &'static [Class],
    /// Deferrals after which a throttled job parks instead of waiting in the queue. A deferral is
    /// no attempt.
    pub max_deferrals: u32,
    /// Upper bound of the first backoff, which is half of it on average. It doubles with each
    /// failure.
    pub backoff_base: Duration,
    /// Upper bound of every backoff.
    pub backoff_cap: Duration,
    /// Longest run of one job.
    pub job_timeout: Duration,
    /// Consecutive rounds of jobs that fit into one invocation: the batch, and one isolated job.
    pub rounds: u32,
    /// Time at the end of an invocation that is reserved for settling and answering.
    pub reserve: Duration,
    /// Jobs of a batch that run concurrently.
    pub concurrency: usize,
    /// How long a finished job waits for others of its batch, so that one write settles them all. If the process dies
    /// meanwhile, the job runs again. A result is seen later by as much, unless it is the last of its batch.
    pub settle_grouping: Duration,
    /// How long after a success a message for the same job has no effect.
    pub dedup_window: Duration,
    /// How long after the sender's deadline a job with a provisional result is still retried.
    pub give_up_after: Duration,
    /// How long the dependency's breaker must not have been closed for the dependency to count as gone. Then a job takes
    /// at once what stands in for its result, without a call. `None` if it waits until it is given up. Only for types
    /// for which something stands in: `Job::STANDS_IN`.
    pub gone_after: Option<Duration>,
    /// When the dependency's breaker opens and closes.
    pub breaker: BreakerPolicy,
    /// Whether a share of the jobs is deferred when the call statistics show rising failures or
    /// latency.
    pub sheds_load: bool,
    /// Time limits of its calls.
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
        settle_grouping: Duration::from_millis(250),
        dedup_window: Duration::from_hours(24),
        give_up_after: Duration::from_hours(24),
        gone_after: None,
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

    /// The same policy. In a constant, an invalid policy does not compile.
    ///
    /// # Panics
    /// If a number is out of range, or if a message could reach [`MAX_RECEIVES`] before its job
    /// reaches the caps.
    #[must_use]
    pub const fn checked(self) -> Self {
        assert!(self.max_attempts >= 1, "max_attempts is zero");
        // Jobs read their earlier failures from `Run::history`, so it must hold every attempt.
        assert!(self.max_attempts as usize <= HISTORY, "max_attempts exceeds HISTORY");
        assert!(
            self.concurrency >= 1 && self.concurrency <= BATCH_SIZE,
            "concurrency is not from 1 to BATCH_SIZE"
        );
        assert!(
            self.settle_grouping.as_millis() <= LONGEST_GROUPING.as_millis(),
            "settle_grouping exceeds LONGEST_GROUPING"
        );
        assert!(self.rounds >= 2, "rounds is below 2: the batch and one isolated job");
        assert!(self.backoff_base.as_millis() >= 100, "backoff_base is below 100 ms");
        assert!(
            self.backoff_base.as_millis() <= self.backoff_cap.as_millis(),
            "backoff_base exceeds backoff_cap"
        );
        assert!(
            self.backoff_cap.as_secs() <= LONGEST_WAIT.as_secs(),
            "backoff_cap exceeds LONGEST_WAIT"
        );
        assert!(
            self.max_attempts + self.max_deferrals + MAX_CRASHES < MAX_RECEIVES,
            "a message would reach MAX_RECEIVES before its job reaches the caps"
        );
        assert!(self.job_timeout.as_millis() >= 500, "job_timeout is below 500 ms");
        assert!(
            self.reserve.as_millis() >= ANSWER_RESERVE.as_millis() + 1000,
            "reserve is below ANSWER_RESERVE plus one second"
        );
        self.breaker.check();
        if let Some(gone_after) = self.gone_after {
            assert!(
                gone_after.as_secs() > self.breaker.open_wait.as_secs(),
                "gone_after is over before the first probe"
            );
            // Until then, its message comes back after a quarter of LONGEST_WAIT or more.
            assert!(
                gone_after.as_secs() * 4 <= LONGEST_WAIT.as_secs() * (PARK_FROM_RECEIVE as u64) / 2,
                "a job would use up its receives before its dependency counts as gone"
            );
        }
        // Every probe of one round ends before the first probe of the next round begins, even under
        // clock skew. Otherwise more probes could run than there are leases.
        // A breaker with one probe at a time waits for that one anyway.
        let longest_probe = millis(self.job_timeout) + millis(HIGH_HORIZON) + millis(CLOCK_SKEW);
        let shortest_wait = if self.breaker.open_wait.as_millis() < PROBE_WAIT.as_millis() {
            self.breaker.open_wait
        } else {
            PROBE_WAIT
        };
        assert!(
            self.breaker.probes == 1 || millis(shortest_wait) * 95 / 100 > longest_probe,
            "with several probes at a time, one could outlast the wait for the next ones"
        );
        assert!(self.calls.shortest.as_millis() >= 50, "calls.shortest is below 50 ms");
        assert!(
            self.calls.shortest.as_millis() <= self.calls.longest.as_millis(),
            "calls.shortest exceeds calls.longest"
        );
        assert!(
            self.calls.longest.as_millis() <= self.job_timeout.as_millis(),
            "calls.longest exceeds job_timeout"
        );
        self
    }

    /// The longest invocation: all rounds and the reserve. The function's time-out must be longer.
    #[must_use]
    pub const fn longest_run(&self) -> Duration {
        Duration::from_millis(millis(self.job_timeout) * self.rounds as u64 + millis(self.reserve))
    }

    /// How long the record of an ended job is kept. A message sent at the end of the deduplication
    /// window may still arrive [`LONGEST_MESSAGE_LIFE`] later.
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
const _: () = assert!(EARLIEST_RETURN.as_secs() > PROMISE_HORIZON.as_secs());
const _: () = assert!(CRASH_PAUSE.as_secs() <= LONGEST_WAIT.as_secs());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::POLICY;

    #[test]
    fn the_longest_run_is_all_rounds_and_the_reserve() {
        assert_eq!(POLICY.longest_run(), Duration::from_secs(13));
    }

    #[test]
    fn records_outlive_messages_and_the_deduplication_window() {
        let brief = Policy { dedup_window: Duration::ZERO, ..POLICY };
        assert_eq!(brief.retention(), SHORTEST_RETENTION);
        let longer = Policy { dedup_window: Duration::from_secs(90 * 86_400), ..POLICY };
        assert_eq!(longer.retention(), longer.dedup_window + LONGEST_MESSAGE_LIFE);
    }

    #[test]
    #[should_panic(expected = "a message would reach MAX_RECEIVES before its job reaches the caps")]
    fn caps_beyond_max_receives_do_not_compile() {
        let _ = Policy { max_deferrals: 20, ..POLICY }.checked();
    }

    #[test]
    #[should_panic(expected = "gone_after is over before the first probe")]
    fn a_dependency_that_is_gone_before_it_is_probed_does_not_compile() {
        let _ = Policy { gone_after: Some(POLICY.breaker.open_wait), ..POLICY }.checked();
    }

    #[test]
    #[should_panic(
        expected = "a job would use up its receives before its dependency counts as gone"
    )]
    fn an_outage_that_outlasts_the_receives_does_not_compile() {
        let _ = Policy { gone_after: Some(Duration::from_hours(1)), ..POLICY }.checked();
    }

    /// A run of eight seconds may wait 6.5 s for its slot, and clocks may differ by two.
    const LONG: Policy = Policy { job_timeout: Duration::from_secs(8), ..POLICY };

    #[test]
    #[should_panic(expected = "one could outlast the wait for the next ones")]
    fn a_wait_that_a_probe_may_outlast_does_not_compile() {
        let _ = LONG.checked();
    }

    #[test]
    fn a_single_probe_is_waited_for_and_may_be_longer() {
        let one = BreakerPolicy { probes: 1, ..POLICY.breaker };
        let policy = Policy { breaker: one, ..LONG };
        assert_eq!(policy.checked(), policy);
    }
}
