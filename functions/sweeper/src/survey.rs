//! What a tick reads before its passes: queue depths, leases, call statistics, dependencies. A part
//! that cannot be read is left out, and the passes that need it wait for the next tick.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{Bucket, COUNT_SHARDS, ContainerCounts, TYPE_BUCKET, bucket_start},
    ports::{
        PortError,
        maintenance::{Depth, LEASE_SHARDS, QueueMaintenance, TableMaintenance},
        notes::{Limits, WATCHED},
    },
    record::lease::Lease,
    telemetry,
};
use futures_util::{StreamExt, future::try_join_all, stream};

use crate::{
    config::{Config, name},
    plan::{release::Dependency, rescue::OVERTAKEN_FOR},
    records::AT_ONCE,
};

/// Leases of one shard that a tick reads. Each is a batch at work, or one whose process died.
const LEASES_A_SHARD: usize = 250;

/// Minutes longer ago than this are not told as metrics: the survey would read too much.
pub(crate) const TOLD_WITHIN: Duration = Duration::from_hours(3);

/// Notes that one query reads. With a query of each kind, a tick reads those of sixteen thousand dependencies.
const NOTES_A_QUERY: usize = 1_000;

/// What a survey has read.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Message counts of each queue, dead-letter queues included, by ARN.
    pub depths: BTreeMap<String, Depth>,
    /// Leases of batches, those that are over included.
    pub leases: Vec<Lease>,
    /// Statistics of the last minutes by job type: start of the bucket, and its counts.
    pub stats: BTreeMap<String, Vec<(Time, Bucket)>>,
    /// The notes about watched dependencies, by name.
    pub notes: BTreeMap<String, String>,
    /// Whether `notes` could be read.
    pub knows_watched: bool,
    /// The names at which the next tick continues, of each kind of those notes; empty where all were read.
    pub watched_next: Vec<String>,
    /// The state of dependencies, by name. Those that a job type is configured with are read by the
    /// survey; the others are added by the pass that reads them.
    pub dependencies: BTreeMap<String, Dependency>,
    /// Parked jobs that a pass has found, by dependency.
    pub parked: BTreeMap<String, usize>,
}

/// Reads everything that the passes need: of the types' counts at least those since `counts_from`. What cannot be read
/// is left out and logged.
pub async fn survey<S: TableMaintenance, Q: QueueMaintenance>(
    store: &S,
    queue: &Q,
    config: &Config,
    watched_from: &[String],
    counts_from: Time,
    now: Time,
) -> View {
    let from = bucket_start(now.before(OVERTAKEN_FOR + TYPE_BUCKET * 2), TYPE_BUCKET);
    let from = from.min(counts_from).max(now.before(TOLD_WITHIN));
    let queues: Vec<String> = config
        .types
        .iter()
        .flat_map(|job| [&job.normal.queue, &job.high.queue, &job.dead])
        .cloned()
        .collect();
    let shards: Vec<u8> = (0..LEASE_SHARDS).collect();
    let kinds: Vec<String> = config.types.iter().map(|job| job.kind.clone()).collect();
    let (depths, leases, stats, watched) = tokio::join!(
        each("depth", queues, async |arn: &String| queue.depth(arn).await),
        each("leases", shards, async |shard: &u8| store.leases(*shard, LEASES_A_SHARD).await),
        each("buckets", kinds, async |kind: &String| {
            store.buckets(&ContainerCounts::subject(kind), COUNT_SHARDS, from).await
        }),
        watched(store, watched_from),
    );
    let knows_watched = watched.is_ok();
    let (notes, watched_next) = watched.unwrap_or_else(|error| {
        telemetry::port_failed("notes", &error);
        Default::default()
    });
    let fixed: Vec<String> = config.types.iter().filter_map(|job| job.dependency.clone()).collect();
    let seen = each("breaker", fixed, async |name: &String| {
        dependency(store, name, notes.get(name).map(String::as_str)).await
    });
    // The containers' counts of each minute, added up.
    let buckets = |buckets: Vec<(evenkeel::dependency::stats::BucketKey, Bucket)>| {
        let mut sums: BTreeMap<Time, Bucket> = BTreeMap::new();
        for (key, bucket) in buckets {
            sums.entry(key.start).or_default().add(&bucket);
        }
        sums.into_iter().collect()
    };
    View {
        depths,
        leases: leases.into_values().flatten().collect(),
        stats: stats.into_iter().map(|(kind, found)| (kind, buckets(found))).collect(),
        dependencies: seen.await,
        parked: BTreeMap::new(),
        notes,
        knows_watched,
        watched_next,
    }
}

/// Reads the notes about watched dependencies: of each kind up to what a query reads, from the name in `begin` on and
/// then from the first. The second value holds the names at which to continue, empty where all were read.
async fn watched<S: TableMaintenance>(
    store: &S,
    begin: &[String],
) -> Result<(BTreeMap<String, String>, Vec<String>), PortError> {
    let each = WATCHED.iter().enumerate().map(|(place, kind)| {
        let begin = begin.get(place).map_or("", String::as_str);
        watched_of_kind(store, kind, begin)
    });
    let (notes, next): (Vec<_>, Vec<_>) = try_join_all(each).await?.into_iter().unzip();
    Ok((notes.into_iter().flatten().collect(), next))
}

async fn watched_of_kind<S: TableMaintenance>(
    store: &S,
    kind: &'static str,
    begin: &str,
) -> Result<(Vec<(String, String)>, String), PortError> {
    // The smallest name that sorts after the last one, if there may be more.
    let next = |notes: &[(String, String)]| match notes.last() {
        Some((name, _)) if notes.len() >= NOTES_A_QUERY => format!("{name}\0"),
        _ => String::new(),
    };
    let mut notes = store.notes(kind, begin, NOTES_A_QUERY).await?;
    let mut end = next(&notes);
    if end.is_empty() && !begin.is_empty() {
        let first = store.notes(kind, "", NOTES_A_QUERY).await?;
        end = next(&first);
        if *end >= *begin {
            end.clear();
        }
        notes.extend(first);
    }
    Ok((notes, end))
}

/// Reads the state of a dependency. Its limits come from `note`, which its functions wrote.
pub async fn dependency<S: TableMaintenance>(
    store: &S,
    name: &str,
    note: Option<&str>,
) -> Result<Dependency, PortError> {
    let limits = Limits::read(note);
    let shared = limits.limiter.as_deref().unwrap_or(name);
    let (breaker, limiter) = tokio::join!(store.breaker(name), store.limiter(shared));
    let (breaker, limiter) = (breaker?.value, limiter?.value);
    Ok(Dependency { limits, breaker, limiter, draining_since: None })
}

/// Calls `ask` for each key, several at a time. A failure is logged under the name `call` and left
/// out.
async fn each<K: Ord, T>(
    call: &'static str,
    of: Vec<K>,
    ask: impl AsyncFn(&K) -> Result<T, PortError>,
) -> BTreeMap<K, T> {
    let ask = &ask;
    let mut asked = stream::iter(of)
        .map(async |key| {
            let answer = ask(&key).await;
            (key, answer)
        })
        .buffer_unordered(AT_ONCE);
    let mut seen = BTreeMap::new();
    while let Some((key, answer)) = asked.next().await {
        match answer {
            Ok(value) => {
                seen.insert(key, value);
            }
            Err(error) => telemetry::port_failed(call, &error),
        }
    }
    seen
}

impl View {
    /// For each bucket of a type's statistics: its start, and when the oldest message was sent that
    /// was received from this queue for the first time then.
    #[must_use]
    pub fn first_receives(&self, kind: &str, queue: &str) -> Vec<(Time, Time)> {
        let queue = name(queue);
        let buckets = self.stats.get(kind).into_iter().flatten();
        buckets
            .filter_map(|(start, bucket)| {
                let of_queue = bucket.oldest.iter().filter(|oldest| oldest.queue == queue);
                let oldest = of_queue.map(|oldest| oldest.sent_at).min()?;
                Some((*start, Time::from_millis(oldest)))
            })
            .collect()
    }

    /// Jobs of all batches, those whose lease is over included.
    #[must_use]
    pub fn running(&self) -> usize {
        self.leases.iter().map(|lease| lease.jobs.len()).sum()
    }
}
