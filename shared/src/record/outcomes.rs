//! Outcomes of the jobs of a type.

use std::{collections::BTreeMap, time::Duration};

use crate::dependency::stats::{BUCKET, Bucket, Histogram, Oldest, bins, bucket_start};
use crate::{
    base::time::{Time, millis},
    record::decision::{Decision, Spends},
};

/// Counter of jobs, summed over all batches.
pub const JOBS: &str = "jobs";

/// Counter of running time in milliseconds, summed over all batches. Divided by [`JOBS`], it is the
/// mean cost of a job.
pub const BUSY_MS: &str = "busy_ms";

/// Counter of runs whose end was never written: their lease was over.
pub const NEVER_CAME_BACK: &str = "lease_over";

/// Counter of the warnings that most of a month's quota is used: one a month for the whole fleet.
pub const QUOTA_WARNED: &str = "quota_warned";

/// Outcomes of the jobs of a type, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    counts: BTreeMap<&'static str, u64>,
    took: Histogram,
    oldest: BTreeMap<String, Time>,
}

/// The name of the counter of runs that ended like this.
const fn counter(decision: &Decision) -> &'static str {
    match decision {
        Decision::Retry { spends: Spends::Crash, .. } => "crashed",
        decision => decision.name(),
    }
}

impl Outcomes {
    /// Counts the end of a run of a job that was created at `created_at`.
    pub fn record(&mut self, decision: &Decision, created_at: Time, now: Time) {
        *self.counts.entry(counter(decision)).or_default() += 1;
        if *decision == Decision::Succeed {
            self.took.record(now.since(created_at));
        }
    }

    /// Counts a run that never came back. The end of a job that is quarantined for it is counted besides.
    pub fn never_came_back(&mut self, is_quarantined: bool) {
        *self.counts.entry(NEVER_CAME_BACK).or_default() += 1;
        *self.counts.entry("crashed").or_default() += u64::from(!is_quarantined);
    }

    /// Counts a warning that most of a month's quota is used.
    pub fn warned_of_quota(&mut self) {
        *self.counts.entry(QUOTA_WARNED).or_default() += 1;
    }

    /// Takes back an end that was counted shortly before.
    pub fn take_back(&mut self, decision: &Decision, created_at: Time, now: Time) {
        if let Some(count) = self.counts.get_mut(counter(decision)) {
            *count = count.saturating_sub(1);
        }
        if *decision == Decision::Succeed {
            self.took.take_back(now.since(created_at));
        }
    }

    /// Takes note of a message that was received for the first time: the oldest of each queue is
    /// kept.
    pub fn received(&mut self, queue: &str, sent_at: Time) {
        let oldest = self.oldest.entry(queue.to_owned()).or_insert(sent_at);
        *oldest = (*oldest).min(sent_at);
    }

    /// Counts a batch of `jobs` jobs that took `took`.
    pub fn worked(&mut self, jobs: usize, took: Duration) {
        *self.counts.entry(JOBS).or_default() += jobs as u64;
        *self.counts.entry(BUSY_MS).or_default() += millis(took);
    }

    /// Whether nothing has been counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.oldest.is_empty()
    }

    /// The counts as counters of a bucket.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        let counts = self.counts.iter().map(|(name, count)| ((*name).to_owned(), *count));
        let oldest = self.oldest.iter().map(|(queue, at)| Oldest {
            sent_at: bucket_start(*at, BUCKET).as_millis(),
            queue: queue.clone(),
        });
        Bucket { oldest: oldest.collect(), ..Bucket::counting(counts.chain(bins('t', &self.took))) }
    }
}
