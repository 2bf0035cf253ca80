//! The sparse index on which the sweeper finds jobs that are due.

use super::{Phase, Record};
use crate::base::time::Time;

/// An entry of the sparse index on which somebody looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEntry {
    /// `state#queue`, `parked#dependency` or `dead#type`, and a shard.
    pub partition: String,
    /// When somebody should look.
    pub due_at: Time,
}

/// Shards of an index partition: each takes 1,000 writes a second.
pub const DUE_SHARDS: u32 = 4;

/// The index partition `name` of a record with this key: the name and a shard by the key.
#[must_use]
pub fn due_partition(name: &str, key: &str) -> String {
    let sum = key.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{name}#{}", sum % DUE_SHARDS)
}

/// Every shard of the index partition `name`.
pub fn due_partitions(name: String) -> impl Iterator<Item = String> {
    (0..DUE_SHARDS).map(move |shard| format!("{name}#{shard}"))
}

/// The priority of the queue with this ARN: `high` or `normal`.
#[must_use]
pub fn priority(queue: &str) -> &'static str {
    if queue.ends_with(HIGH_QUEUE) { "high" } else { "normal" }
}

/// How the names of high-priority queues end in template.yaml.
const HIGH_QUEUE: &str = "-high";

impl Record {
    /// The priority that the queue gives the job: `high` or `normal`.
    #[must_use]
    pub fn priority(&self) -> &'static str {
        priority(&self.work.queue)
    }

    /// What the sparse index says of it; `None` if nobody need look.
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
                    // In the order of their deadlines: a breaker that stays open must not hide one
                    // that is over behind others.
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
