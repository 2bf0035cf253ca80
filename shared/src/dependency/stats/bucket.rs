//! A bucket as the table holds it: what all containers can add to without reading.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use crate::base::time::Time;
use crate::dependency::stats::Histogram;

/// Counters of one bucket by name, as the table holds them, and the oldest messages received.
///
/// A bucket is what all containers can add to without reading: numbers only grow, and a set only
/// gains members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Counters that are not zero, by name.
    pub counts: BTreeMap<String, u64>,
    /// When the oldest message that came for the first time was sent, batch by batch.
    pub oldest: BTreeSet<Oldest>,
}

/// When the oldest of some messages was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Oldest {
    /// In milliseconds, rounded down to ten seconds so that they are few.
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

impl Bucket {
    pub(crate) fn counting(counts: impl IntoIterator<Item = (String, u64)>) -> Self {
        let counts = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        Self { counts, ..Self::default() }
    }

    /// A counter; zero if nothing was counted.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// The histogram whose bins begin with this letter.
    #[must_use]
    pub fn histogram(&self, prefix: char) -> Histogram {
        let mut histogram = Histogram::default();
        for (bin, count) in histogram.0.iter_mut().enumerate() {
            *count = self.count(&format!("{prefix}{bin}"));
        }
        histogram
    }

    /// Adds another bucket to this one, as a bucket does.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.oldest.extend(other.oldest.iter().cloned());
    }
}

pub(crate) fn bins(prefix: char, histogram: &Histogram) -> impl Iterator<Item = (String, u64)> {
    histogram.0.into_iter().enumerate().map(move |(bin, count)| (format!("{prefix}{bin}"), count))
}

/// Which bucket of which pulse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketKey {
    /// A dependency, or `type:` and a job type.
    pub subject: String,
    /// When the bucket begins.
    pub start: Time,
    /// The breaker's generation of the calls that it counts: what was counted before a breaker
    /// opened must not open it again when it has just closed.
    pub generation: u64,
    /// From 0; more than one only while the pulse is hot.
    pub shard: u8,
}
