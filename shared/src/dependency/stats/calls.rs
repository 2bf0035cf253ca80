//! Calls to a dependency, counted by how they ended.

use std::time::Duration;

use crate::dependency::stats::{Bucket, Histogram, bucket::bins};
use crate::failure::Class;

/// Calls to a dependency, counted by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls that succeeded. A conflict counts as a success.
    pub ok: u64,
    /// Calls that failed because of the dependency.
    pub failed: u64,
    /// Calls of either kind that took longer than the policy's `slow_after`.
    pub slow: u64,
    /// Calls answered with 429.
    pub throttled: u64,
    /// Runs that were a job's first attempt.
    pub first: u64,
    /// Runs that were a later attempt.
    pub retries: u64,
    /// Runs deferred by load shedding.
    pub load_shed: u64,
    /// Writes to the bucket.
    pub writes: u64,
    /// Durations of the calls that succeeded or failed.
    pub latency: Histogram,
}

impl Calls {
    /// Calls that say something about the health of the dependency.
    #[must_use]
    pub const fn conclusive(&self) -> u64 {
        self.ok + self.failed
    }

    /// Counts one call. `class` is the class of its failure, or `None` if it succeeded.
    pub fn record(&mut self, class: Option<Class>, took: Duration, slow_after: Duration) {
        let outcome = CallOutcome::of(class);
        match outcome {
            CallOutcome::Succeeded => self.ok += 1,
            CallOutcome::Failed => self.failed += 1,
            CallOutcome::Neutral if class == Some(Class::Throttled) => self.throttled += 1,
            CallOutcome::Neutral => {}
        }
        if outcome != CallOutcome::Neutral {
            self.latency.record(took);
            self.slow += u64::from(took > slow_after);
        }
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.slow += other.slow;
        self.throttled += other.throttled;
        self.first += other.first;
        self.retries += other.retries;
        self.load_shed += other.load_shed;
        self.writes += other.writes;
        self.latency.add(&other.latency);
    }

    /// The counts as counters of a bucket.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        let counts = [
            ("ok", self.ok),
            ("failed", self.failed),
            ("slow", self.slow),
            ("throttled", self.throttled),
            ("first", self.first),
            ("retries", self.retries),
            ("load_shed", self.load_shed),
            ("writes", self.writes),
        ];
        let counts = counts.map(|(name, count)| (name.to_owned(), count));
        Bucket::counting(counts.into_iter().chain(bins('l', &self.latency)))
    }
}

impl From<&Bucket> for Calls {
    fn from(bucket: &Bucket) -> Self {
        Self {
            ok: bucket.count("ok"),
            failed: bucket.count("failed"),
            slow: bucket.count("slow"),
            throttled: bucket.count("throttled"),
            first: bucket.count("first"),
            retries: bucket.count("retries"),
            load_shed: bucket.count("load_shed"),
            writes: bucket.count("writes"),
            latency: bucket.histogram('l'),
        }
    }
}

/// What a call says about the health of its dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// The dependency works.
    Succeeded,
    /// The dependency does not work.
    Failed,
    /// Nothing: the failure had another cause, or the dependency only asked for fewer calls.
    Neutral,
}

impl CallOutcome {
    /// Follows the column "breaker" of the table of classes in docs/error-handling.md.
    #[must_use]
    pub const fn of(class: Option<Class>) -> Self {
        match class {
            None | Some(Class::Conflict) => Self::Succeeded,
            Some(Class::Transient | Class::Anomaly | Class::Systemic) => Self::Failed,
            Some(
                Class::Throttled
                | Class::Permanent
                | Class::Deferred
                | Class::Contended
                | Class::Unstarted
                | Class::Crash,
            ) => Self::Neutral,
        }
    }
}
