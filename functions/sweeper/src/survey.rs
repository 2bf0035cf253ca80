//! What a tick sees before it does anything: queues, leases, pulses, dependencies. A part that cannot
//! be seen is missing, and what rests on it waits for the next tick.

use std::collections::BTreeMap;

use evenkeel::{
    oversight::{Depth, LEASE_SHARDS, Mailboxes, Oversight},
    ports::PortError,
    pulse::{Beat, TYPE_BUCKET, bucket_start},
    record::Lease,
    telemetry,
    time::Time,
    watched::{Limits, WATCHED},
};
use futures_util::{StreamExt, stream};

use crate::{
    config::{Config, name},
    plan::{release::Dependency, rescue::OVERTAKEN_FOR},
    records::AT_ONCE,
};

/// Leases of one shard that are looked at in a tick. Each is a batch at work, or one that died.
const LEASES_A_SHARD: usize = 250;

/// Notes of one query, and queries: ten thousand dependencies.
const NOTES_A_QUERY: usize = 1_000;
const MOST_QUERIES: usize = 10;

/// What a tick sees.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// How deep each queue is, dead-letter queues included, by ARN.
    pub depths: BTreeMap<String, Depth>,
    /// Leases of batches, ended ones included.
    pub leases: Vec<Lease>,
    /// The last minutes of each job type's pulse.
    pub pulses: BTreeMap<String, Vec<(Time, Beat)>>,
    /// The notes of the dependencies to watch, by name.
    pub notes: BTreeMap<String, String>,
    /// Whether they could be read.
    pub knows_watched: bool,
    /// Where to read on in the next tick, if there are more of them than a tick reads.
    pub watched_next: String,
    /// What is known of a dependency: of those that all jobs of a type have from the start, of others
    /// once a pass has looked.
    pub dependencies: BTreeMap<String, Dependency>,
    /// Jobs that are parked behind each, as far as a pass has seen.
    pub parked: BTreeMap<String, usize>,
}

/// Looks at everything. What fails is left out and logged.
pub async fn survey<S: Oversight, Q: Mailboxes>(
    store: &S,
    queue: &Q,
    config: &Config,
    watched_from: &str,
    now: Time,
) -> View {
    let from = bucket_start(now.before(OVERTAKEN_FOR + TYPE_BUCKET * 2), TYPE_BUCKET);
    let queues: Vec<String> = config
        .types
        .iter()
        .flat_map(|job| [&job.normal.queue, &job.high.queue, &job.dead])
        .cloned()
        .collect();
    let shards: Vec<u8> = (0..LEASE_SHARDS).collect();
    let kinds: Vec<String> = config.types.iter().map(|job| job.kind.clone()).collect();
    let (depths, leases, pulses, watched) = tokio::join!(
        each("depth", queues, async |arn: &String| queue.depth(arn).await),
        each("leases", shards, async |shard: &u8| store.leases(*shard, LEASES_A_SHARD).await),
        each("beats", kinds, async |kind: &String| {
            store.beats(&format!("type:{kind}"), 1, from).await
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
    let buckets = |beats: Vec<(evenkeel::pulse::BucketKey, Beat)>| {
        beats.into_iter().map(|(key, beat)| (key.start, beat)).collect()
    };
    View {
        depths,
        leases: leases.into_values().flatten().collect(),
        pulses: pulses.into_iter().map(|(kind, beats)| (kind, buckets(beats))).collect(),
        dependencies: seen.await,
        parked: BTreeMap::new(),
        notes,
        knows_watched,
        watched_next,
    }
}

/// The notes of the dependencies to watch, from a name on and round to it again, as many as a tick reads;
/// and where to go on, if that is not all of them.
async fn watched<S: Oversight>(
    store: &S,
    begin: &str,
) -> Result<(BTreeMap<String, String>, String), PortError> {
    let mut all = BTreeMap::new();
    let (mut from, mut is_round) = (begin.to_owned(), begin.is_empty());
    for _ in 0..MOST_QUERIES {
        let notes = store.notes(WATCHED, &from, NOTES_A_QUERY).await?;
        let is_end = notes.len() < NOTES_A_QUERY;
        // The first name after the last one.
        from = notes.last().map(|(name, _)| format!("{name}\0")).unwrap_or_default();
        all.extend(notes);
        if is_round && (is_end || *from >= *begin && !begin.is_empty()) {
            return Ok((all, String::new()));
        }
        if is_end {
            (from, is_round) = (String::new(), true);
        }
    }
    Ok((all, from))
}

/// What is known of a dependency of which its functions have noted this, if they have.
pub async fn dependency<S: Oversight>(
    store: &S,
    name: &str,
    note: Option<&str>,
) -> Result<Dependency, PortError> {
    let (breaker, limiter) = tokio::join!(store.breaker(name), store.limiter(name));
    let limits = note.and_then(|text| serde_json::from_str(text).ok());
    let limits = limits.unwrap_or_else(careful);
    let (breaker, limiter) = (breaker?.value, limiter?.value);
    Ok(Dependency { limits, breaker, limiter, draining_since: None })
}

/// Asks about each of these, several at a time; what fails is left out.
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
    /// For each bucket of a type's pulse when the oldest message was sent that then came from this
    /// queue for the first time.
    #[must_use]
    pub fn first_receives(&self, kind: &str, queue: &str) -> Vec<(Time, Time)> {
        let queue = name(queue);
        let buckets = self.pulses.get(kind).into_iter().flatten();
        buckets
            .filter_map(|(start, beat)| {
                let of_queue = beat.oldest.iter().filter(|oldest| oldest.queue == queue);
                let oldest = of_queue.map(|oldest| oldest.sent_at).min()?;
                Some((*start, Time::from_millis(oldest)))
            })
            .collect()
    }

    /// Jobs of all batches at work, those among them whose lease is over.
    #[must_use]
    pub fn running(&self) -> usize {
        self.leases.iter().map(|lease| lease.jobs.len()).sum()
    }
}

/// Limits where nobody has noted any: one call a second.
#[must_use]
pub fn careful() -> Limits {
    let (per_second, per_hour) = (Some(1), Some(3_600));
    Limits { per_second, per_hour, closes_with: 1, noted_at: 0 }
}
