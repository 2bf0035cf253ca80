//! What the calls to a dependency came to.

use std::time::Duration;

use crate::dependency::stats::{Bucket, Histogram, bucket::bins};
use crate::failure::Class;

/// What the calls to a dependency came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls that the dependency answered as it should; a conflict is such an answer.
    pub ok: u64,
    /// Calls that failed for a reason of the dependency's.
    pub failed: u64,
    /// Calls of either kind that took longer than the policy's `slow_after`.
    pub slow: u64,
    /// Calls that were asked to come later.
    pub throttled: u64,
    /// Runs that were a job's first attempt.
    pub first: u64,
    /// Runs that were a later attempt.
    pub retries: u64,
    /// Runs put off because trouble was foreseen.
    pub load_shed: u64,
    /// Writes to the bucket.
    pub writes: u64,
    /// How long the calls took.
    pub latency: Histogram,
}

impl Calls {
    /// Calls that say whether the dependency is well.
    #[must_use]
    pub const fn telling(&self) -> u64 {
        self.ok + self.failed
    }

    /// Counts one call that ended with `class`, or well.
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

    /// Adds others to these.
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

    /// These as counters of a bucket.
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

/// What the end of a call says of the dependency's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It works.
    Succeeded,
    /// It does not.
    Failed,
    /// Nothing: the failure was not its, or it only asked for patience.
    Neutral,
}

impl CallOutcome {
    /// The column "breaker" of the table of classes in docs/error-handling.md.
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
