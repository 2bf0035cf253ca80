//! Counts entries of the index `due`, up to a cap.

use evenkeel::{
    base::time::Time,
    ports::{PortError, maintenance::TableMaintenance},
    record::{Phase, due::due_partitions},
};

use crate::records::{EVER, due_in, read};

/// Entries that are counted in one shard of an index partition.
const COUNTED: usize = 100;

/// Earliest entries of a partition whose records are read for the age of their jobs.
const FIRST: usize = 4;

/// How the keys of rejected messages begin.
const REJECTED: &str = "q#";

/// Entries of some index partitions.
#[derive(Debug, Default)]
pub struct Entries {
    /// How many there are, up to the cap of each shard.
    pub count: u64,
    /// Whether there may be more than `count`.
    pub more: bool,
    /// How many of these are rejected messages.
    pub rejected: u64,
    /// Keys of the earliest entries.
    pub first: Vec<String>,
}

/// Since when the longest of these jobs has been parked.
pub async fn longest_parked<S: TableMaintenance>(
    store: &S,
    keys: Vec<String>,
) -> Result<Option<Time>, PortError> {
    let records = read(store, keys).await?;
    let waiting = records.values().filter(|record| matches!(record.phase, Phase::Parked { .. }));
    Ok(waiting.filter_map(|record| Some(record.parking?.since)).min())
}

/// Counts the entries of these index partitions, up to [`COUNTED`] a shard.
pub async fn entries<S: TableMaintenance>(
    store: &S,
    names: &[String],
) -> Result<Entries, PortError> {
    let partitions: Vec<String> =
        names.iter().flat_map(|name| due_partitions(name.clone())).collect();
    entries_in(store, &partitions).await
}

/// The same for exactly these shards.
pub async fn entries_in<S: TableMaintenance>(
    store: &S,
    partitions: &[String],
) -> Result<Entries, PortError> {
    let lists = due_in(store, partitions, [Time::default(), EVER], COUNTED).await?;
    let mut due = lists.concat();
    due.sort();
    // Fewer than one shard's cap in total means that no shard was cut off.
    let (count, more) = (due.len() as u64, due.len() >= COUNTED);
    let rejected = due.iter().filter(|due| due.key.starts_with(REJECTED)).count() as u64;
    let first = due.into_iter().take(FIRST).map(|due| due.key).collect();
    Ok(Entries { count, more, rejected, first })
}
