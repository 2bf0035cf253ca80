//! A container's view of the call statistics of the last minutes.

use std::{collections::BTreeMap, time::Duration};

use crate::base::time::Time;
use crate::dependency::stats::{BUCKET, BucketKey, Calls, HOT_WRITES, MEMORY, bucket_start};

/// A container's view of the last five minutes of a dependency: the fleet's buckets as last read,
/// and its own counts since then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    seen: BTreeMap<(Time, u64, u8), Calls>,
    unsent: BTreeMap<(Time, u64), Calls>,
    /// How often counts were taken to be written.
    taken: u64,
}

/// Where a call was counted, so that it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    bucket: (Time, u64),
    taken: u64,
}

impl Window {
    /// Where a call is counted now.
    #[must_use]
    pub fn counted(&self, now: Time, generation: u64) -> Counted {
        Counted { bucket: (bucket_start(now, BUCKET), generation), taken: self.taken }
    }

    /// Takes back the success that was counted there. Once counts were taken to be written, the others may
    /// be those of other runs, so nothing is taken back.
    pub fn take_back(&mut self, counted: Counted) {
        let calls = self.unsent.get_mut(&counted.bucket).filter(|_| counted.taken == self.taken);
        if let Some(calls) = calls {
            calls.ok = calls.ok.saturating_sub(1);
        }
    }

    /// Takes back a failure that was counted there, if its count was not taken to be written.
    pub fn take_back_failure(&mut self, counted: Counted) {
        let calls = self.unsent.get_mut(&counted.bucket).filter(|_| counted.taken == self.taken);
        if let Some(calls) = calls {
            calls.failed = calls.failed.saturating_sub(1);
        }
    }

    /// Stores the fleet's totals of a bucket, as read from the table.
    pub fn see(&mut self, key: &BucketKey, calls: Calls) {
        self.seen.insert((key.start, key.generation, key.shard), calls);
    }

    /// The unsent counts of the current bucket, for the caller to add to.
    pub fn counting(&mut self, now: Time, generation: u64) -> &mut Calls {
        self.unsent.entry((bucket_start(now, BUCKET), generation)).or_default()
    }

    /// Takes the unsent counts of the oldest bucket, to write them.
    pub fn take_unsent(&mut self) -> Option<((Time, u64), Calls)> {
        self.taken += 1;
        self.unsent.pop_first()
    }

    /// Whether no counts are unsent.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Adds counts that are about to be written to their bucket, until [`Self::see`] stores the
    /// totals.
    pub fn assume(&mut self, key: &BucketKey, calls: &Calls) {
        self.seen.entry((key.start, key.generation, key.shard)).or_default().add(calls);
    }

    /// Discards everything older than [`MEMORY`].
    pub fn forget(&mut self, now: Time) {
        let oldest = bucket_start(now.before(MEMORY), BUCKET);
        self.seen.retain(|(start, _, _), _| *start >= oldest);
        self.unsent.retain(|(start, _), _| *start >= oldest);
    }

    /// The sum of the buckets that start from `from` on and before `to`, of one generation or of
    /// all.
    #[must_use]
    pub fn sum(&self, from: Time, to: Time, generation: Option<u64>) -> Calls {
        let counts = |start: Time, of: u64| {
            (from..to).contains(&start) && generation.is_none_or(|generation| generation == of)
        };
        let mut sum = Calls::default();
        for ((start, of, _), calls) in &self.seen {
            if counts(*start, *of) {
                sum.add(calls);
            }
        }
        for ((start, of), calls) in &self.unsent {
            if counts(*start, *of) {
                sum.add(calls);
            }
        }
        sum
    }

    /// The sum of the last `span` up to now, in whole buckets.
    #[must_use]
    pub fn last(&self, span: Duration, now: Time, generation: Option<u64>) -> Calls {
        self.sum(bucket_start(now.before(span), BUCKET) + BUCKET, now + BUCKET, generation)
    }

    /// Whether so many containers write that the statistics should be spread over several
    /// partitions.
    #[must_use]
    pub fn is_hot(&self, now: Time) -> bool {
        self.last(BUCKET * 2, now, None).writes >= HOT_WRITES
    }
}
