//! What a tick sees before it does anything: queues, leases, pulses, dependencies. A part that cannot
//! be seen is missing, and what rests on it waits for the next tick.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel::{
    oversight::{Depth, LEASE_SHARDS, Mailboxes, Oversight},
    parking::{Limits, PARKED},
    ports::PortError,
    pulse::{Beat, TYPE_BUCKET, bucket_start},
    record::Lease,
    telemetry,
    time::Time,
};
use futures_util::{StreamExt, stream};

use crate::{
    config::{Config, name},
    plan::{release::Dependency, rescue::OVERTAKEN_FOR},
    records::AT_ONCE,
};

/// Leases of one shard that are looked at in a tick. Each is a batch at work, or one that died.
const LEASES_A_SHARD: usize = 250;

/// Dependencies with parked jobs that are looked at in a tick.
const MOST_DEPENDENCIES: usize = 1_000;

/// What a tick sees.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// How deep each queue is, dead-letter queues included, by ARN.
    pub depths: BTreeMap<String, Depth>,
    /// Leases of batches, ended ones included.
    pub leases: Vec<Lease>,
    /// The last minutes of each job type's pulse.
    pub pulses: BTreeMap<String, Vec<(Time, Beat)>>,
    /// What has parked jobs, and what every job of a type depends on; with what its functions have
    /// noted, if they have.
    pub dependencies: BTreeMap<String, Dependency>,
    /// The text of each such note.
    pub notes: BTreeMap<String, String>,
    /// Whether all such notes could be read.
    pub knows_parked: bool,
}

/// Looks at everything. What fails is left out and logged.
pub async fn survey<S: Oversight, Q: Mailboxes>(
    store: &S,
    queue: &Q,
    config: &Config,
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
    let (depths, leases, pulses, notes) = tokio::join!(
        each("depth", queues, async |arn: &String| queue.depth(arn).await),
        each("leases", shards, async |shard: &u8| store.leases(*shard, LEASES_A_SHARD).await),
        each("beats", kinds, async |kind: &String| {
            store.beats(&format!("type:{kind}"), 1, from).await
        }),
        store.notes(PARKED, "", MOST_DEPENDENCIES),
    );
    let knows_parked = notes.is_ok();
    let notes: BTreeMap<String, String> = notes
        .unwrap_or_else(|error| {
            telemetry::port_failed("notes", &error);
            Vec::new()
        })
        .into_iter()
        .collect();
    let fixed = config.types.iter().filter_map(|job| job.dependency.clone());
    let names: BTreeSet<String> = notes.keys().cloned().chain(fixed).collect();
    let seen = each("breaker", names.into_iter().collect(), async |name: &String| {
        let (breaker, limiter) = tokio::join!(store.breaker(name), store.limiter(name));
        let limits = notes.get(name).and_then(|text| serde_json::from_str(text).ok());
        let limits: Limits = limits.unwrap_or_default();
        let (breaker, limiter) = (breaker?.value, limiter?.value);
        Ok(Dependency { limits, breaker, limiter, draining_since: None })
    });
    let buckets = |beats: Vec<(evenkeel::pulse::BucketKey, Beat)>| {
        beats.into_iter().map(|(key, beat)| (key.start, beat)).collect()
    };
    View {
        depths,
        leases: leases.into_values().flatten().collect(),
        pulses: pulses.into_iter().map(|(kind, beats)| (kind, buckets(beats))).collect(),
        dependencies: seen.await,
        notes,
        knows_parked,
    }
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
