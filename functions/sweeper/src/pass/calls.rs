//! Calls: what a tick sees of a dependency, and its calls minute by minute.

use std::collections::BTreeMap;

use evenkeel::{
    base::time::{Time, millis},
    dependency::{
        limiter::AHEAD,
        stats::{Calls, SHARDS, TYPE_BUCKET, bucket_start},
    },
    ports::{PortError, maintenance::TableMaintenance},
    record::due::Parked,
};

use crate::{
    entries::{entries_in, longest_parked},
    plan::{observation::DependencySeen, release::Dependency},
};

/// The calls of each minute, by its start. A minute without calls is left out.
pub(super) type ByMinute = BTreeMap<Time, Calls>;

/// Observes a dependency: its parked jobs, its calls, its limiter. The second value has its calls of the minutes since
/// `from`.
pub(super) async fn observe<S: TableMaintenance>(
    store: &S,
    name: &str,
    known: &Dependency,
    from: Time,
    now: Time,
) -> Result<(DependencySeen, ByMinute), PortError> {
    let minute = bucket_start(now.before(TYPE_BUCKET), TYPE_BUCKET);
    let Parked { dated, plain } = Parked::of(name);
    let partitions = [dated.concat(), plain.concat()].concat();
    let (parked, buckets) =
        tokio::join!(entries_in(store, &partitions), store.buckets(name, SHARDS, from.min(minute)));
    let (parked, buckets) = (parked?, buckets?);
    let mut by_minute = ByMinute::new();
    for (key, bucket) in &buckets {
        let start = bucket_start(key.start, TYPE_BUCKET);
        by_minute.entry(start).or_default().add(&bucket.into());
    }
    let calls = by_minute.get(&minute).copied().unwrap_or_default();
    let longest = longest_parked(store, parked.first).await?;
    let limited = known.limits.per_hour.is_some();
    let ahead_us = known.limiter.next_hourly_us.saturating_sub(now.as_millis() * 1_000);
    let seen = DependencySeen {
        breaker: known.breaker.at(now).state.name().to_owned(),
        parked: parked.count,
        more: parked.more,
        longest_parked_s: longest.map(|since| now.since(since).as_secs()),
        calls: calls.conclusive(),
        failed: calls.failed,
        slow: calls.slow,
        throttled: calls.throttled,
        p95_ms: calls.latency.quantile(0.95).map(millis),
        p99_ms: calls.latency.quantile(0.99).map(millis),
        opened: false,
        ahead_s: limited.then(|| ahead_us.div_ceil(1_000_000)),
        may_be_ahead_s: limited.then(|| AHEAD.as_secs()),
    };
    Ok((seen, by_minute))
}
