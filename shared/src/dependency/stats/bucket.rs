//! A bucket as the table holds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use crate::base::time::Time;
use crate::dependency::stats::{
    COUNT_SHARDS, COUNTS_RETENTION, Histogram, LATEST_BYTES_OF_ALL, Latest,
};

/// A bucket as the table holds it: counters by name, and the oldest messages received.
///
/// Containers add to a bucket without reading it first: counters only grow, and the set only gains
/// members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Counters by name, without those that are zero.
    pub counts: BTreeMap<String, u64>,
    /// For each batch, the oldest of its messages that were received for the first time.
    pub oldest: BTreeSet<Oldest>,
    /// Samples of error patterns, by fingerprint. A bucket to which several writers add has none.
    pub samples: BTreeMap<String, String>,
    /// The newest jobs that have succeeded. A bucket to which several writers add has none.
    pub latest: Latest,
}

/// When the oldest of some messages was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Oldest {
    /// In milliseconds since the epoch, rounded down to ten seconds so that there are few different
    /// values.
    pub sent_at: u64,
    /// Name of the queue.
    pub queue: String,
}

impl fmt::Display for Oldest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.sent_at, self.queue)
    }
}

impl FromStr for Oldest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (sent_at, queue) = text.split_once('#').ok_or(())?;
        Ok(Self { sent_at: sent_at.parse().map_err(|_| ())?, queue: queue.to_owned() })
    }
}

/// What one container has counted of a job type in a minute. It is the only writer of the item, and writes the whole
/// each time: a write that is repeated, or follows one that was lost, changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerCounts {
    /// Its subject is [`ContainerCounts::subject`] of the type, and its generation the container's number.
    pub key: BucketKey,
    /// The counters since the minute began.
    pub bucket: Bucket,
    /// When DynamoDB may remove it.
    pub expires_at: Time,
    /// Whether the item has been written before.
    pub exists: bool,
    /// How many changes the counters hold. It is not written.
    pub changes: u64,
}

impl ContainerCounts {
    /// The subject of the items of a job type.
    #[must_use]
    pub fn subject(kind: &str) -> String {
        format!("counts:{kind}")
    }

    /// What the container with this number has counted in the minute that began at `start`.
    #[must_use]
    pub fn new(kind: &str, container: u64, start: Time, bucket: Bucket) -> Self {
        let shard = u8::try_from(container % u64::from(COUNT_SHARDS)).unwrap_or_default();
        let key = BucketKey { subject: Self::subject(kind), start, generation: container, shard };
        Self { key, bucket, expires_at: start + COUNTS_RETENTION, exists: false, changes: 0 }
    }
}

impl Bucket {
    pub(crate) fn counting(counts: impl IntoIterator<Item = (String, u64)>) -> Self {
        let counts = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        Self { counts, ..Self::default() }
    }

    /// The counter `name`, or zero if it is absent.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// The histogram whose bins have names with this prefix, such as `l0`, `l1`.
    #[must_use]
    pub fn histogram(&self, prefix: char) -> Histogram {
        let mut histogram = Histogram::default();
        for (bin, count) in histogram.0.iter_mut().enumerate() {
            *count = self.count(&format!("{prefix}{bin}"));
        }
        histogram
    }

    /// The counters whose names begin with `prefix`, by the rest of the name.
    pub fn counts_of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
        let names = self.counts.iter();
        names.filter_map(move |(name, count)| Some((name.strip_prefix(prefix)?, *count)))
    }

    /// Adds the counters, the oldest messages, the samples and the newest jobs of another bucket.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.oldest.extend(other.oldest.iter().cloned());
        let samples = other.samples.iter().map(|(name, text)| (name.clone(), text.clone()));
        self.samples.extend(samples);
        self.latest.add(&other.latest, LATEST_BYTES_OF_ALL);
    }
}

pub(crate) fn bins(prefix: char, histogram: &Histogram) -> impl Iterator<Item = (String, u64)> {
    histogram.0.into_iter().enumerate().map(move |(bin, count)| (format!("{prefix}{bin}"), count))
}

/// Identifies a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketKey {
    /// A dependency, or `type:` and a job type.
    pub subject: String,
    /// When the bucket starts.
    pub start: Time,
    /// The breaker's generation of the calls. Calls counted before a breaker opened must not open
    /// it again after it has closed.
    pub generation: u64,
    /// From 0; above 0 only while the call statistics are hot.
    pub shard: u8,
}
