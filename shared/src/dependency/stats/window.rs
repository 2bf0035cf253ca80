//! What a container knows of a dependency's last minutes.

use std::{collections::BTreeMap, time::Duration};

use crate::base::time::Time;
use crate::dependency::stats::{BUCKET, BucketKey, Calls, HOT_WRITES, MEMORY, bucket_start};

/// What a container knows of a dependency's last five minutes: the fleet's buckets, as it saw them
/// last, and what it has counted itself since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    seen: BTreeMap<(Time, u64, u8), Calls>,
    unsent: BTreeMap<(Time, u64), Calls>,
}

impl Window {
    /// Takes over what the table says of a bucket.
    pub fn see(&mut self, key: &BucketKey, calls: Calls) {
        self.seen.insert((key.start, key.generation, key.shard), calls);
    }

    /// What is counted now, not sent yet.
    pub fn counting(&mut self, now: Time, generation: u64) -> &mut Calls {
        self.unsent.entry((bucket_start(now, BUCKET), generation)).or_default()
    }

    /// Takes what is to be sent: one bucket of it, the oldest.
    pub fn take_unsent(&mut self) -> Option<((Time, u64), Calls)> {
        self.unsent.pop_first()
    }

    /// Whether anything is to be sent.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Counts what is about to be sent as part of its bucket, until the table says what is in it.
    pub fn assume(&mut self, key: &BucketKey, calls: &Calls) {
        self.seen.entry((key.start, key.generation, key.shard)).or_default().add(calls);
    }

    /// Forgets what is older than [`MEMORY`].
    pub fn forget(&mut self, now: Time) {
        let oldest = bucket_start(now.before(MEMORY), BUCKET);
        self.seen.retain(|(start, _, _), _| *start >= oldest);
        self.unsent.retain(|(start, _), _| *start >= oldest);
    }

    /// The sum of the buckets that began in the span from `from` to before `to`, of one generation
    /// or of all.
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

    /// The last `span` up to now; its first bucket counts whole.
    #[must_use]
    pub fn last(&self, span: Duration, now: Time, generation: Option<u64>) -> Calls {
        self.sum(bucket_start(now.before(span), BUCKET) + BUCKET, now + BUCKET, generation)
    }

    /// Whether so many containers write that the pulse should be spread.
    #[must_use]
    pub fn is_hot(&self, now: Time) -> bool {
        self.last(BUCKET * 2, now, None).writes >= HOT_WRITES
    }
}
