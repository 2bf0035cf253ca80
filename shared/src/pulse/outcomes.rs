//! What the jobs of a type came to.

use std::collections::BTreeMap;

use super::{BUCKET, Beat, Histogram, beat::bins, bucket_start};
use crate::{
    outcome::{Decision, Spends},
    time::Time,
};

/// What the jobs of a type came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    counts: BTreeMap<&'static str, u64>,
    took: Histogram,
    oldest: Option<Time>,
}

impl Outcomes {
    /// Counts the end of a run of a job that was made at `created_at`.
    pub fn record(&mut self, decision: &Decision, created_at: Time, now: Time) {
        let name = match decision {
            Decision::Retry { spends: Spends::Crash, .. } => "crashed",
            decision => decision.name(),
        };
        *self.counts.entry(name).or_default() += 1;
        if *decision == Decision::Succeed {
            self.took.record(now.since(created_at));
        }
    }

    /// Notes when the oldest message of a batch was sent.
    pub fn received(&mut self, sent_at: Time) {
        self.oldest = Some(self.oldest.map_or(sent_at, |oldest| oldest.min(sent_at)));
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.oldest.is_none()
    }

    /// These as counters of a bucket.
    #[must_use]
    pub fn beat(&self) -> Beat {
        let counts = self.counts.iter().map(|(name, count)| ((*name).to_owned(), *count));
        let oldest = self.oldest.map(|at| bucket_start(at, BUCKET).as_millis());
        Beat {
            oldest: oldest.into_iter().collect(),
            ..Beat::counting(counts.chain(bins('t', &self.took)))
        }
    }
}
