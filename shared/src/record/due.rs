//! The sparse index on which the sweeper finds jobs that are due.

use super::{Phase, Record};
use crate::base::time::Time;

/// An entry of the sparse index on which somebody looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// `state#queue`, `parked#dependency` or `dead#type`, and a shard.
    pub partition: String,
    /// When somebody should look.
    pub due_at: Time,
}

/// Shards of an index partition: each takes 1,000 writes a second.
pub const LOOK_SHARDS: u32 = 4;

/// The index partition `name` of a record with this key: the name and a shard by the key.
#[must_use]
pub fn look_partition(name: &str, key: &str) -> String {
    let sum = key.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{name}#{}", sum % LOOK_SHARDS)
}

/// Every shard of the index partition `name`.
pub fn look_partitions(name: String) -> impl Iterator<Item = String> {
    (0..LOOK_SHARDS).map(move |shard| format!("{name}#{shard}"))
}

impl Record {
    /// What the sparse index says of it; `None` if nobody need look.
    #[must_use]
    pub fn look(&self) -> Option<Look> {
        let (name, due_at) = match &self.phase {
            Phase::Queued { due_at } => (format!("queued#{}", self.work.queue), *due_at),
            Phase::Running { lease_until, armed: true } => {
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
        Some(Look { partition: look_partition(&name, &self.key), due_at })
    }
}
