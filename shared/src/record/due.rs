//! The sparse index `due`, on which the sweeper finds the jobs that it must handle.

use std::time::Duration;

use super::{Phase, Record};
use crate::base::{hash::shard, time::Time};

/// The entry of a record on the index `due`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEntry {
    /// `queued#QUEUE`, `running#QUEUE`, `waiting#QUEUE`, `dead#TYPE` or one of [`Parked`], each followed by
    /// `#` and a shard.
    pub partition: String,
    /// When the job is due; for a job that is dead or quarantined, when it ended.
    pub due_at: Time,
}

/// Shards of an index partition. DynamoDB limits each to 1,000 writes a second.
pub const DUE_SHARDS: u32 = 16;

/// Shards of the parked jobs of ordinary priority of a dependency that all jobs of a type share. They are
/// released in turn, so that the many jobs of one message group do not delay the few of another.
pub const GROUP_SHARDS: u32 = 16;

/// The partition `NAME#SHARD` of a record with this key; the key determines the shard.
#[must_use]
pub fn due_partition(name: &str, key: &str) -> String {
    format!("{name}#{}", shard(key, DUE_SHARDS))
}

/// How long before its deadline a job must have had its turn to be indexed by the time of that turn: longer than the
/// longest stop after a 429 and than the sweeper leaves a due job behind a breaker. A job that waits for a slot of a host
/// that dies is due long before its deadline, and must be found then.
const NEAR_END: Duration = Duration::from_hours(2);

/// The partitions of a dependency's parked jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Those that wait for a breaker, and those whose deadline comes within [`NEAR_END`] of their time and that have no
    /// provisional result, in the order of their ends, `dated#DEPENDENCY` and `dated-high#DEPENDENCY`. While a breaker
    /// stays open, a job past its end must not be hidden behind others.
    pub dated: [Vec<String>; 2],
    /// All others, `parked#DEPENDENCY` and `parked-high#DEPENDENCY`.
    pub plain: [Vec<String>; 2],
}

impl Parked {
    /// All partitions of a dependency: in each list, first that of the jobs of high priority, which go before the
    /// others; then the shards of the others.
    #[must_use]
    pub fn of(dependency: &str) -> Self {
        let shards = group_shards(dependency);
        let all = |name: &str| {
            let others = (0..shards).map(|shard| format!("{name}#{dependency}#{shard}"));
            [vec![format!("{name}-{HIGH}#{dependency}#0")], others.collect()]
        };
        Self { dated: all("dated"), plain: all("parked") }
    }
}

/// How many shards the parked jobs of ordinary priority of a dependency have. One that is named like `page/HOST`
/// is one of many, each with few jobs.
fn group_shards(dependency: &str) -> u32 {
    if dependency.contains('/') { 1 } else { GROUP_SHARDS }
}

/// Every shard of the partition `name`.
pub fn due_partitions(name: String) -> impl Iterator<Item = String> {
    (0..DUE_SHARDS).map(move |shard| format!("{name}#{shard}"))
}

/// The priority of the queue with this ARN: `high` or `normal`.
#[must_use]
pub fn priority(queue: &str) -> &'static str {
    if queue.ends_with(HIGH_QUEUE) { HIGH } else { "normal" }
}

/// The priority of the high-priority queues.
pub const HIGH: &str = "high";

/// How the names of high-priority queues end in template.yaml.
const HIGH_QUEUE: &str = "-high";

impl Record {
    /// The priority that the queue gives the job: `high` or `normal`.
    #[must_use]
    pub fn priority(&self) -> &'static str {
        priority(&self.work.queue)
    }

    /// The record's entry on the index `due`; `None` if the sweeper need not handle it.
    #[must_use]
    pub fn due_entry(&self) -> Option<DueEntry> {
        let (name, due_at) = match &self.phase {
            Phase::Queued { due_at } => (format!("queued#{}", self.work.queue), *due_at),
            Phase::Running { lease_until, lease_expiry_indexed: true } => {
                (format!("running#{}", self.work.queue), *lease_until)
            }
            Phase::Waiting { due_at, .. } => (format!("waiting#{}", self.work.queue), *due_at),
            Phase::Parked { run_after, .. } => return Some(self.parked_entry(*run_after)),
            Phase::Dead { at, .. } | Phase::Quarantined { at, .. } => {
                (format!("dead#{}", self.kind()), *at)
            }
            _ => return None,
        };
        Some(DueEntry { partition: due_partition(&name, &self.key), due_at })
    }

    /// The entry of a parked record. Those of one message group have one shard.
    fn parked_entry(&self, run_after: Time) -> DueEntry {
        let dependency = &self.work.dependency;
        let has_deadline = self.work.deadline.is_some() && self.provisional.is_none();
        let is_gated = self.parking.is_some_and(|parking| parking.gated);
        let by_its_end = |end: &Time| is_gated || has_deadline && *end < run_after + NEAR_END;
        // One that may not go yet must not hide others that end later.
        let (name, due_at) = match self.parked_until().filter(by_its_end) {
            Some(end) => ("dated", end),
            None => ("parked", run_after),
        };
        let partition = if self.priority() == HIGH {
            format!("{name}-{HIGH}#{dependency}#0")
        } else {
            let group = self.work.group.as_deref().unwrap_or(&self.key);
            format!("{name}#{dependency}#{}", shard(group, group_shards(dependency)))
        };
        DueEntry { partition, due_at }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{record::Parking, testing};

    fn numbered(name: &str, count: u32) -> Vec<String> {
        (0..count).map(|shard| format!("{name}#{shard}")).collect()
    }

    /// Functions and sweepers of two versions must find each other's parked jobs.
    #[test]
    fn a_shared_dependency_has_sixteen_shards_and_a_host_one_beside_those_of_high_priority() {
        for (dependency, shards) in [("rebrandly", 16), ("page/www.acme.example", 1)] {
            let all = |name: &str| {
                let high = numbered(&format!("{name}-high#{dependency}"), 1);
                [high, numbered(&format!("{name}#{dependency}"), shards)]
            };
            let expected = Parked { dated: all("dated"), plain: all("parked") };
            assert_eq!(Parked::of(dependency), expected);
        }
    }

    #[test]
    fn a_parked_job_is_indexed_by_its_turn_unless_its_end_is_near_or_it_waits_for_a_breaker() {
        let hour = Time::from_millis(3_600_000);
        let name = |deadline: Option<Time>, gated| {
            let phase = Phase::Parked { run_after: hour, why: String::new() };
            let mut record = testing::record("errand#g:1", phase);
            record.work.deadline = deadline;
            record.parking =
                Some(Parking { since: hour, gated, ends_at: None, paused_since: None });
            let entry = record.due_entry().unwrap();
            (entry.partition.split('#').next().unwrap().to_owned(), entry.due_at)
        };
        let far = hour + NEAR_END;
        let near = far.before(Duration::from_millis(1));
        assert_eq!(name(Some(near), false), ("dated".into(), near));
        assert_eq!(
            name(Some(far), false),
            ("parked".into(), hour),
            "it must be found when it is due"
        );
        assert_eq!(name(Some(far), true), ("dated".into(), far));
        assert_eq!(name(None, false), ("parked".into(), hour));
    }

    /// A parked job of this message group.
    fn entry(key: &str, group: Option<&str>, dependency: &str) -> String {
        let phase = Phase::Parked { run_after: Time::default(), why: String::new() };
        let mut record = testing::record(key, phase);
        record.work.group = group.map(str::to_owned);
        dependency.clone_into(&mut record.work.dependency);
        record.due_entry().map(|entry| entry.partition).unwrap_or_default()
    }

    #[test]
    fn the_parked_jobs_of_a_message_group_have_one_shard_which_stays() {
        let shards = [("mesa-motors", 5), ("dealer-a", 15), ("dealer-b", 10), ("dealer-q", 15)];
        for (group, shard) in shards {
            for key in ["errand#g:1", "errand#g:2", "errand#g:3"] {
                let expected = format!("parked#rebrandly#{shard}");
                assert_eq!(entry(key, Some(group), "rebrandly"), expected, "{group}");
                assert_eq!(entry(key, Some(group), "page/a.example"), "parked#page/a.example#0");
            }
        }
        let groups = (0..100).map(|n| format!("dealer-{n}"));
        let used = groups.map(|group| entry("errand#g:1", Some(&group), "rebrandly"));
        assert_eq!(used.collect::<BTreeSet<_>>().len(), 16, "all are used");
        let keys = (0..100).map(|n| format!("errand#g:{n}"));
        let used = keys.map(|key| entry(&key, None, "rebrandly"));
        assert_eq!(used.collect::<BTreeSet<_>>().len(), 16, "without a group, by the key");
    }
}
