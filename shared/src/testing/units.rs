//! Capacity units of the simulated tables, counted by partition ("Read and write operations" and "Best
//! practices for designing and using partition keys", DynamoDB developer guide).

use std::{collections::BTreeMap, ops::AddAssign};

use crate::base::time::Time;

/// Bytes of an item that one unit writes, and that one unit reads.
const WRITE_UNIT_BYTES: usize = 1024;
const READ_UNIT_BYTES: usize = 4096;

/// Capacity units that were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Units of writes, of 1 KB each.
    pub writes: u64,
    /// Halves of read units: an eventually consistent read costs one.
    pub half_reads: u64,
}

impl Units {
    /// A write of an item whose size was and is at most `bytes`.
    pub(super) fn write(bytes: usize) -> Self {
        let writes = u64::try_from(bytes.div_ceil(WRITE_UNIT_BYTES).max(1)).unwrap_or(u64::MAX);
        Self { writes, half_reads: 0 }
    }

    /// A strongly consistent read of `bytes`.
    pub(super) fn read(bytes: usize) -> Self {
        Self { writes: 0, half_reads: 2 * blocks(bytes) }
    }

    /// An eventually consistent read of `bytes`.
    pub(super) fn read_eventually(bytes: usize) -> Self {
        Self { writes: 0, half_reads: blocks(bytes) }
    }
}

fn blocks(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(READ_UNIT_BYTES).max(1)).unwrap_or(u64::MAX)
}

impl AddAssign for Units {
    fn add_assign(&mut self, more: Self) {
        self.writes += more.writes;
        self.half_reads += more.half_reads;
    }
}

/// What one partition serves in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PartitionLimits {
    pub writes: u64,
    pub reads: u64,
}

impl PartitionLimits {
    /// The quota of DynamoDB.
    pub const AWS: Self = Self { writes: 1_000, reads: 3_000 };
}

/// Requests that a table or an index has refused because a partition of it had no units left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Throttles {
    pub reads: u64,
    pub writes: u64,
}

/// What was used of a partition.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    total: Units,
    /// The last second in which it was used, and what was used in that.
    second: u64,
    recent: Units,
    /// The most writes, and the most reads, of one second.
    peak: Units,
}

impl Use {
    /// What is used of the partition in this second, with these units.
    fn with(&self, units: Units, second: u64) -> Units {
        let mut recent = if self.second == second { self.recent } else { Units::default() };
        recent += units;
        recent
    }

    fn add(&mut self, units: Units, second: u64) {
        self.recent = self.with(units, second);
        self.second = second;
        self.total += units;
        self.peak.writes = self.peak.writes.max(self.recent.writes);
        self.peak.half_reads = self.peak.half_reads.max(self.recent.half_reads);
    }
}

/// The units used by each partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    pub(super) limits: Option<PartitionLimits>,
    /// The only table or index that is limited; `None` if all are.
    pub(super) limited: Option<String>,
    /// Whether nobody asks for the units. Then they are counted only while partitions are limited.
    pub(super) is_idle: bool,
    used: BTreeMap<String, Use>,
    throttles: BTreeMap<String, Throttles>,
}

/// The table or index of a partition.
fn table(partition: &str) -> &str {
    partition.split_once('/').map_or(partition, |(table, _)| table)
}

impl Meter {
    /// Whether units are counted.
    pub(super) const fn counts(&self) -> bool {
        !self.is_idle || self.limits.is_some()
    }

    /// Uses units of a partition, unless it has no more of them in this second. Returns whether they
    /// were used.
    pub(super) fn spend(&mut self, partition: &str, units: Units, now: Time) -> bool {
        let second = now.as_millis() / 1_000;
        let is_limited = self.limited.as_deref().is_none_or(|limited| limited == table(partition));
        if let Some(limits) = self.limits.filter(|_| is_limited) {
            let used = self.used.get(partition).copied().unwrap_or_default();
            let after = used.with(units, second);
            if after.writes > limits.writes || after.half_reads > 2 * limits.reads {
                let throttles = self.throttles.entry(table(partition).to_owned()).or_default();
                let refused =
                    if units.writes > 0 { &mut throttles.writes } else { &mut throttles.reads };
                *refused += 1;
                return false;
            }
        }
        match self.used.get_mut(partition) {
            Some(used) => used.add(units, second),
            None => self.used.entry(partition.to_owned()).or_default().add(units, second),
        }
        true
    }

    /// All units used.
    pub(super) fn total(&self) -> Units {
        let mut total = Units::default();
        self.used.values().for_each(|used| total += used.total);
        total
    }

    /// The requests that each table and index has refused.
    pub(super) fn throttles(&self) -> BTreeMap<String, Throttles> {
        self.throttles.clone()
    }

    /// The units used by each partition.
    pub(super) fn by_partition(&self) -> BTreeMap<String, Units> {
        self.used.iter().map(|(name, used)| (name.clone(), used.total)).collect()
    }

    /// The most writes, and the most reads, of one second by each partition.
    pub(super) fn peaks(&self) -> BTreeMap<String, Units> {
        self.used.iter().map(|(name, used)| (name.clone(), used.peak)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_rounded_up() {
        assert_eq!(Units::write(1).writes, 1);
        assert_eq!(Units::write(1024).writes, 1);
        assert_eq!(Units::write(1025).writes, 2);
        assert_eq!(Units::read(0).half_reads, 2, "a read that finds nothing costs one unit");
        assert_eq!(Units::read(4097).half_reads, 4);
        assert_eq!(Units::read_eventually(4097).half_reads, 2);
    }

    #[test]
    fn an_idle_meter_counts_only_while_partitions_are_limited() {
        let limits = Some(PartitionLimits { writes: 3, reads: 1 });
        let counts = |limits, is_idle| Meter { limits, is_idle, ..Meter::default() }.counts();
        assert!(counts(None, false) && counts(limits, true) && !counts(None, true));
    }

    #[test]
    fn a_partition_serves_no_more_than_its_limit_in_a_second_and_others_are_not_affected() {
        let limits = Some(PartitionLimits { writes: 3, reads: 1 });
        let mut meter = Meter { limits, ..Meter::default() };
        let (now, write) = (Time::from_millis(5_000), Units::write(1));
        let served = (0..5).filter(|_| meter.spend("hot", write, now)).count();
        assert_eq!((served, meter.spend("cool", write, now)), (3, true));
        assert!(meter.spend("hot", Units::read(1), now));
        assert!(!meter.spend("hot", Units::read_eventually(1), now));
        assert!(meter.spend("hot", write, Time::from_millis(6_000)), "the next second");
        assert_eq!(meter.total(), Units { writes: 5, half_reads: 2 });
        assert_eq!(meter.by_partition()["hot"].writes, 4);
        assert_eq!(meter.throttles()["hot"], Throttles { reads: 1, writes: 2 });
    }

    #[test]
    fn one_table_alone_can_be_limited() {
        let limits = Some(PartitionLimits { writes: 0, reads: 9 });
        let limited = Some("jobs".to_owned());
        let mut meter = Meter { limits, limited, ..Meter::default() };
        let (now, write) = (Time::from_millis(5_000), Units::write(1));
        let served = ["jobs/a", "due/queued#q", "control/jobs"];
        assert_eq!(served.map(|partition| meter.spend(partition, write, now)), [false, true, true]);
        let throttles = Throttles { reads: 0, writes: 1 };
        assert_eq!(meter.throttles(), BTreeMap::from([("jobs".to_owned(), throttles)]));
    }
}
