//! Bulk reads of records, and of due entries.

use std::{collections::BTreeMap, future::Future};

use evenkeel::{
    base::time::Time,
    ports::{
        PortError, READ_AT_ONCE,
        maintenance::{DueJob, TableMaintenance},
    },
    record::{Record, due::due_partitions},
    telemetry,
};
use futures_util::{StreamExt, stream};

/// Requests in flight at the same time.
pub const AT_ONCE: usize = 16;

/// Runs futures, at most [`AT_ONCE`] at a time. The outputs come in order of completion, each with
/// the index of its future.
pub async fn together<F: Future>(futures: Vec<F>) -> Vec<(usize, F::Output)> {
    let placed = futures.into_iter().enumerate();
    let placed = placed.map(async |(place, future)| (place, future.await));
    stream::iter(placed).buffer_unordered(AT_ONCE).collect().await
}

/// Reads records, by key. One that cannot be parsed raises an alarm and is left out.
pub async fn read<S: TableMaintenance>(
    store: &S,
    keys: Vec<String>,
) -> Result<BTreeMap<String, Record>, PortError> {
    let chunks: Vec<&[String]> = keys.chunks(READ_AT_ONCE).collect();
    let mut records = BTreeMap::new();
    let reads = chunks.iter().map(|chunk| store.read_all(chunk));
    for (place, read) in together(reads.collect()).await {
        for (key, record) in chunks[place].iter().zip(read?) {
            match record {
                Ok(Some(record)) => {
                    records.insert(key.clone(), record);
                }
                Err(PortError::Unreadable(why)) => {
                    let problem = PortError::Unreadable(format!("{key}: {why}"));
                    telemetry::port_failed("read_all", &problem);
                }
                Err(error) => return Err(error),
                Ok(None) => {}
            }
        }
    }
    Ok(records)
}

/// A time that is later than any that occurs.
pub const EVER: Time = Time::from_millis(u64::MAX >> 16);

/// Reads the due entries of exactly these partitions within `span`, earliest first, up to `most` of each; a list
/// for each partition.
pub async fn due_in<S: TableMaintenance>(
    store: &S,
    partitions: &[String],
    span: [Time; 2],
    most: usize,
) -> Result<Vec<Vec<DueJob>>, PortError> {
    let asked = partitions.iter().map(|partition| store.due(partition, span, most));
    let mut lists = vec![Vec::new(); partitions.len()];
    for (place, due) in together(asked.collect()).await {
        lists[place] = due?;
    }
    Ok(lists)
}

/// Reads the due entries of these partitions within `span`, earliest first, up to `most` of each
/// shard.
pub async fn due<S: TableMaintenance>(
    store: &S,
    names: &[String],
    span: [Time; 2],
    most: usize,
) -> Result<Vec<DueJob>, PortError> {
    let partitions: Vec<String> =
        names.iter().flat_map(|name| due_partitions(name.clone())).collect();
    let lists = due_in(store, &partitions, span, most).await?;
    let mut all: Vec<DueJob> = lists.into_iter().flatten().collect();
    all.sort();
    Ok(all)
}
