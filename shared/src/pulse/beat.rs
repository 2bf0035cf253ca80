//! A bucket as the table holds it: what all containers can add to without reading.

use std::collections::{BTreeMap, BTreeSet};

use super::Histogram;
use crate::time::Time;

/// Counters of one bucket by name, as the table holds them, and the oldest messages received.
///
/// A beat is what all containers can add to without reading: numbers only grow, and a set only
/// gains members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Counters that are not zero, by name.
    pub counts: BTreeMap<String, u64>,
    /// When the oldest message of each batch was sent, in milliseconds, rounded down to ten
    /// seconds so that they are few.
    pub oldest: BTreeSet<u64>,
}

impl Beat {
    pub(super) fn counting(counts: impl IntoIterator<Item = (String, u64)>) -> Self {
        let counts = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        Self { counts, ..Self::default() }
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    pub(super) fn histogram(&self, prefix: char) -> Histogram {
        let mut histogram = Histogram::default();
        for (bin, count) in histogram.0.iter_mut().enumerate() {
            *count = self.count(&format!("{prefix}{bin}"));
        }
        histogram
    }

    /// Adds another beat to this one, as a bucket does.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.oldest.extend(&other.oldest);
    }
}

pub(super) fn bins(prefix: char, histogram: &Histogram) -> impl Iterator<Item = (String, u64)> {
    histogram.0.into_iter().enumerate().map(move |(bin, count)| (format!("{prefix}{bin}"), count))
}

/// Which bucket of which pulse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketKey {
    /// A dependency, or `type:` and a job type.
    pub pulse: String,
    /// When the bucket begins.
    pub start: Time,
    /// The breaker's generation of the calls that it counts: what was counted before a breaker
    /// opened must not open it again when it has just closed.
    pub generation: u64,
    /// From 0; more than one only while the pulse is hot.
    pub shard: u8,
}
