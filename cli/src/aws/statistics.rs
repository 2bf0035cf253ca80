//! Reads the call statistics of a dependency, and what the minutes of a job type keep.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use evenkeel::{
    aws::{
        bucket_partition, bucket_sort, decode_bucket, decode_key,
        item::{Item, s},
    },
    base::time::Time,
    dependency::stats::{Calls, SHARDS},
};
use futures_util::future::join_all;

use super::{fault::fault, limit, units};
use crate::ports::{Fault, Read};

/// Buckets that are read of one shard: of ten minutes, in a few generations.
const MOST_BUCKETS: usize = 200;

/// Minutes of a job type that are read for its newest successes. With half a kilobyte each, that is about four read
/// units.
const MOST_MINUTES: usize = 60;

/// The buckets of a dependency from `from` on, summed over shards and generations, earliest first.
pub(super) async fn calls(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    dependency: &str,
    from: Time,
) -> Result<Read<Vec<(Time, Calls)>>, Fault> {
    let mut sums: BTreeMap<Time, Calls> = BTreeMap::new();
    let mut units = 0.0;
    let shards = (0..SHARDS).map(|shard| of_shard(client, table, dependency, shard, from));
    for read in join_all(shards).await {
        let read = read?;
        units += read.units;
        for (start, calls) in &read.value {
            sums.entry(*start).or_default().add(calls);
        }
    }
    Ok(Read { value: sums.into_iter().collect(), units })
}

async fn of_shard(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    dependency: &str,
    shard: u8,
    from: Time,
) -> Result<Read<Vec<(Time, Calls)>>, Fault> {
    let query = client
        .query()
        .table_name(table)
        .key_condition_expression("pk = :pk AND sk >= :from")
        .expression_attribute_values(":pk", s(bucket_partition(dependency, shard)))
        .expression_attribute_values(":from", s(bucket_sort(from, 0)))
        .limit(limit(MOST_BUCKETS))
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    let answer = query.send().await.map_err(|error| fault("dynamodb:Query", &error))?;
    let bucket = |item: &Item| {
        let key = decode_key(dependency, shard, item)?;
        Some((key.start, Calls::from(&decode_bucket(item))))
    };
    let buckets = answer.items().iter().filter_map(bucket).collect();
    Ok(Read { value: buckets, units: units(answer.consumed_capacity.as_ref()) })
}

/// The newest successes of a job type, as the sums of its last minutes keep them.
pub(super) async fn succeeded(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    kind: &str,
    most: usize,
) -> Result<Read<Vec<(Time, String)>>, Fault> {
    let query = client
        .query()
        .table_name(table)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", s(bucket_partition(&format!("type:{kind}"), 0)))
        .scan_index_forward(false)
        .limit(limit(MOST_MINUTES))
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    let answer = query.send().await.map_err(|error| fault("dynamodb:Query", &error))?;
    let mut jobs = Vec::new();
    for item in answer.items() {
        let latest = decode_bucket(item).latest;
        jobs.extend(latest.newest_first().map(|(at, key)| (at, key.to_owned())));
        if jobs.len() >= most {
            break;
        }
    }
    jobs.truncate(most);
    Ok(Read { value: jobs, units: units(answer.consumed_capacity.as_ref()) })
}
