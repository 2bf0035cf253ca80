//! Minutes: tells what the containers have counted in each of them, and keeps the sums.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{
        Bucket, BucketKey, ContainerCounts, TYPE_BUCKET, TYPE_BUCKET_RETENTION, bucket_start,
    },
    ports::maintenance::TableMaintenance,
    telemetry,
};

use crate::{
    metrics,
    pass::patterns,
    ports::{Ports, Sweep},
    tick::Tick,
};

/// How long after the end of a minute its last counts may be written: at the end of a batch, which takes as long as the
/// longest time-out of a function.
const COUNTS_ARRIVE_WITHIN: Duration = Duration::from_secs(75);

/// Tells the counts of each minute that is over and was not told yet, with the minute's own time, and keeps them for
/// reports. Each is told once, however late the tick.
pub(super) async fn tell<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) {
    tick.memory.told.retain(|kind, _| sweep.config.job_type(kind).is_some());
    let last = bucket_start(tick.now.before(TYPE_BUCKET + COUNTS_ARRIVE_WITHIN), TYPE_BUCKET);
    for job in &sweep.config.types {
        // At first, only the last minute.
        let first = last.before(TYPE_BUCKET).as_millis();
        let told = tick.memory.told.get(&job.kind).copied().unwrap_or(first);
        let told = Time::from_millis(told);
        let Some(minutes) = tick.view.stats.get(&job.kind) else { continue };
        let due = minutes.iter().filter(|(start, _)| *start > told && *start <= last);
        let due: Vec<(Time, Bucket)> = due.cloned().collect();
        for (start, bucket) in due {
            tick.tell(&sweep.config, metrics::minute(&job.kind, &bucket, start));
            tick.memory.told.insert(job.kind.clone(), start.as_millis());
            tick.memory.quarantined[1] += bucket.count("quarantined");
            patterns::look(sweep, tick, &job.kind, &bucket).await;
            keep(&sweep.store, &job.kind, start, bucket).await;
        }
        tick.memory.told.insert(job.kind.clone(), last.max(told).as_millis());
    }
}

/// Keeps the counts of a minute of all containers.
async fn keep<S: TableMaintenance>(store: &S, kind: &str, start: Time, bucket: Bucket) {
    let key = BucketKey { subject: format!("type:{kind}"), start, generation: 0, shard: 0 };
    // Samples are notes of their own.
    let bucket = Bucket { samples: BTreeMap::new(), ..bucket };
    let expires_at = start + TYPE_BUCKET_RETENTION;
    let sum = ContainerCounts { key, bucket, expires_at, exists: false, changes: 0 };
    if let Err(error) = store.put_counts(&sum).await {
        telemetry::port_failed("put_counts", &error);
    }
}
