//! The sparse index `due`, on which the sweeper finds the jobs that it must handle.

use super::{Phase, Record};
use crate::base::time::Time;

/// The entry of a record on the index `due`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEntry {
    /// `queued#QUEUE`, `running#QUEUE`, `waiting#QUEUE`, `dated#DEPENDENCY`, `parked#DEPENDENCY` or
    /// `dead#TYPE`, each followed by `#` and a shard.
    pub partition: String,
    /// When the job is due; for a job that is dead or quarantined, when it ended.
    pub due_at: Time,
}

/// Shards of an index partition. DynamoDB limits each to 1,000 writes a second.
pub const DUE_SHARDS: u32 = 4;

/// The partition `NAME#SHARD` of a record with this key; the key determines the shard.
#[must_use]
pub fn due_partition(name: &str, key: &str) -> String {
    let sum = key.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{name}#{}", sum % DUE_SHARDS)
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
            Phase::Parked { run_after, .. } => {
                let dependency = &self.work.dependency;
                match self.work.deadline.filter(|_| self.provisional.is_none()) {
                    // Ordered by deadline: while a breaker stays open, a job past its deadline must
                    // not be hidden behind others.
                    Some(deadline) => (format!("dated#{dependency}"), deadline),
                    None => (format!("parked#{dependency}"), *run_after),
                }
            }
            Phase::Dead { at, .. } | Phase::Quarantined { at, .. } => {
                (format!("dead#{}", self.kind()), *at)
            }
            _ => return None,
        };
        Some(DueEntry { partition: due_partition(&name, &self.key), due_at })
    }
}
