//! Minutes: tells what was counted in each of them once, and keeps the sums.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    base::time::Time,
    dependency::stats::{
        Bucket, BucketKey, Calls, ContainerCounts, TYPE_BUCKET, TYPE_BUCKET_RETENTION,
        bucket_start, date,
    },
    ports::maintenance::TableMaintenance,
    record::outcomes::OF_LABEL,
    telemetry,
};
use futures_util::{StreamExt as _, future::ready, stream};

use crate::{
    config::Config,
    memory::Memory,
    metrics::{self, table::MOST_LABELS},
    pass::{calls::ByMinute, patterns},
    plan::history as plan,
    ports::{Ports, Sweep},
    records::AT_ONCE,
    survey::{TOLD_WITHIN, View},
    tick::Tick,
};

/// How long after the end of a minute its last counts may be written: at the end of a batch, which takes as long as the
/// longest time-out of a function.
const COUNTS_ARRIVE_WITHIN: Duration = Duration::from_secs(75);

/// Minutes longer ago than this are not told of a host: there are fifty of them to be read.
const HOSTS_TOLD_WITHIN: Duration = Duration::from_mins(15);

/// Minutes of a job type that one tick tells. After a pause, the next ticks tell the others.
const MOST_A_TICK: usize = 60;

/// What a tick tells: minutes that are over and were not told yet.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    /// What the containers of a job type have counted, by the start of the minute.
    types: Vec<(String, Time, Bucket)>,
    /// Calls to dependencies that all jobs of a type share, by the start of the minute.
    calls: Vec<(String, Time, Calls)>,
}

/// The last minute whose counts have all been written.
fn last_over(now: Time) -> Time {
    bucket_start(now.before(TYPE_BUCKET + COUNTS_ARRIVE_WITHIN), TYPE_BUCKET)
}

/// The last minute whose calls to dependencies were told. At first, all but the last one.
fn calls_told(memory: &Memory, now: Time) -> Time {
    match memory.calls_told {
        0 => last_over(now).before(TYPE_BUCKET),
        told => Time::from_millis(told),
    }
}

/// The first minute whose calls to a dependency are to be told.
pub(super) fn calls_from(config: &Config, memory: &Memory, name: &str, now: Time) -> Time {
    let within = if config.is_shared(name) { TOLD_WITHIN } else { HOSTS_TOLD_WITHIN };
    let oldest = bucket_start(now.before(within), TYPE_BUCKET);
    oldest.max(calls_told(memory, now) + TYPE_BUCKET)
}

/// Takes the minutes that were not told yet, and remembers up to which they are told. Each is taken once, however late
/// the tick. Calls to hosts in trouble are counted for the history.
pub(super) fn take(
    config: &Config,
    view: &View,
    memory: &mut Memory,
    of_dependencies: &[(String, ByMinute)],
    now: Time,
) -> Minutes {
    let last = last_over(now);
    let types = types(config, view, memory, last);
    let told = calls_told(memory, now);
    let mut all: Vec<(Time, &str, Calls)> = Vec::new();
    for (name, by_minute) in of_dependencies {
        let due = by_minute.iter().filter(|(start, _)| **start > told && **start <= last);
        all.extend(due.map(|(start, calls)| (*start, name.as_str(), *calls)));
    }
    all.sort_by_key(|(start, ..)| *start);
    let mut calls = Vec::new();
    for (start, name, of_minute) in all {
        if config.is_shared(name) {
            calls.push((name.to_owned(), start, of_minute));
        } else {
            turn_day(memory, start);
            plan::count_host(&mut memory.hosts, name, &of_minute, plan::hour(start));
        }
    }
    turn_day(memory, last);
    memory.calls_told = last.max(told).as_millis();
    Minutes { types, calls }
}

/// The minutes of job types that were not told yet.
fn types(
    config: &Config,
    view: &View,
    memory: &mut Memory,
    last: Time,
) -> Vec<(String, Time, Bucket)> {
    memory.told.retain(|kind, _| config.job_type(kind).is_some());
    memory.kept.retain(|kind, _| config.job_type(kind).is_some());
    memory.labels.retain(|kind, _| config.job_type(kind).is_some());
    let mut taken = Vec::new();
    for job in &config.types {
        // At first, only the last minute.
        let first = last.before(TYPE_BUCKET).as_millis();
        let told = memory.told.get(&job.kind).copied().unwrap_or(first);
        // What was told is kept, unless it is known not to be.
        memory.kept.entry(job.kind.clone()).or_insert(told);
        let told = Time::from_millis(told);
        let Some(minutes) = view.stats.get(&job.kind) else { continue };
        let mut due = minutes.iter().filter(|(start, _)| *start > told && *start <= last);
        let mut until = told;
        for (start, bucket) in due.by_ref().take(MOST_A_TICK) {
            memory.quarantined[1] += bucket.count("quarantined");
            taken.push((job.kind.clone(), *start, bucket.clone()));
            until = *start;
        }
        let is_all = due.next().is_none();
        let until = if is_all { last.max(told) } else { until };
        memory.told.insert(job.kind.clone(), until.as_millis());
    }
    taken
}

/// Puts the hosts of a day aside, to be written, once a minute of another day is counted.
fn turn_day(memory: &mut Memory, minute: Time) {
    let day = date(minute);
    if memory.hosts_on != day {
        memory.hosts_before = std::mem::take(&mut memory.hosts);
        memory.hosts_before_on = std::mem::replace(&mut memory.hosts_on, day);
    }
}

/// Keeps the counts of job types of all containers for reports: of the minutes that are told, and of those that the
/// table has refused before. It is done before the minutes are noted as told: done twice, it changes nothing.
pub(super) async fn keep<S: TableMaintenance>(store: &S, view: &View, memory: &mut Memory) {
    let mut due = Vec::new();
    for (kind, kept) in &mut memory.kept {
        let Some(minutes) = view.stats.get(kind) else { continue };
        let told = memory.told.get(kind).copied().unwrap_or_default();
        let left = minutes.iter().filter(|(start, _)| {
            let start = start.as_millis();
            start > *kept && start <= told
        });
        let some: Vec<ContainerCounts> =
            left.take(MOST_A_TICK).map(|(start, bucket)| sum(kind, *start, bucket)).collect();
        // Unless one of them is refused, or there are more.
        *kept = match some.last() {
            Some(last) if some.len() == MOST_A_TICK => last.key.start.as_millis(),
            _ => told.max(*kept),
        };
        due.extend(some.into_iter().map(|sum| (kind.clone(), sum)));
    }
    let put = async |(kind, sum): (String, ContainerCounts)| {
        let error = store.put_counts(&sum).await.err()?;
        telemetry::port_failed("put_counts", &error);
        Some((kind, sum.key.start))
    };
    let refused = stream::iter(due).map(put).buffer_unordered(AT_ONCE).filter_map(ready);
    let refused: Vec<(String, Time)> = refused.collect().await;
    for (kind, start) in refused {
        let before = start.before(TYPE_BUCKET).as_millis();
        memory.kept.entry(kind).and_modify(|kept| *kept = (*kept).min(before));
    }
    memory.kept.retain(|kind, kept| memory.told.get(kind).is_some_and(|told| *kept < *told));
}

/// The counts of a minute as reports read them.
fn sum(kind: &str, start: Time, bucket: &Bucket) -> ContainerCounts {
    let key = BucketKey { subject: format!("type:{kind}"), start, generation: 0, shard: 0 };
    // Samples are notes of their own.
    let bucket = Bucket { samples: BTreeMap::new(), ..bucket.clone() };
    let expires_at = start + TYPE_BUCKET_RETENTION;
    ContainerCounts { key, bucket, expires_at, exists: false, changes: 0 }
}

/// The labels of a job type that are told: the first ones that were seen, and no others later. A type that invents
/// labels does not cost without a limit.
fn labels<'a>(memory: &'a mut Memory, kind: &str, bucket: &Bucket) -> &'a BTreeSet<String> {
    let labels = memory.labels.entry(kind.to_owned()).or_default();
    for (label, _) in bucket.counts_of(OF_LABEL) {
        if labels.len() < MOST_LABELS {
            labels.insert(label.to_owned());
        }
    }
    labels
}

/// Tells the counts of each minute with its own time, and then which error patterns are new.
pub(super) async fn tell<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick, minutes: Minutes) {
    // Nothing may come between these lines: a minute of which nobody tells is lost.
    for (name, start, calls) in &minutes.calls {
        tick.tell(&sweep.config, metrics::calls(name, calls, *start));
    }
    let mut sums: BTreeMap<String, Bucket> = BTreeMap::new();
    for (kind, start, bucket) in minutes.types {
        let labels = labels(&mut tick.memory, &kind, &bucket);
        let line = metrics::minute(&kind, &bucket, labels, start);
        tick.tell(&sweep.config, line);
        sums.entry(kind).or_default().add(&bucket);
    }
    for (kind, sum) in sums {
        patterns::look(sweep, tick, &kind, &sum).await;
    }
}

#[cfg(test)]
mod tests {
    use evenkeel::dependency::stats::Day;

    use super::*;

    const NOW: Time = Time::from_millis(1_800_057_600_000);

    fn config() -> Config {
        let types = r#"[{"type":"q","dependency":"d","concurrency":[2,2]}]"#;
        let types = Config::types(types, "arn:aws:sqs:r:1:").unwrap();
        Config { types, balance: true, namespace: "n".into() }
    }

    /// Ten failed calls in each minute of the last hours.
    fn calls() -> [(String, ByMinute); 2] {
        let first = bucket_start(NOW.before(TYPE_BUCKET * 200), TYPE_BUCKET);
        let ten = Calls { failed: 10, ..Calls::default() };
        let minutes: ByMinute = (0..400).map(|n| (first + TYPE_BUCKET * n, ten)).collect();
        [("d".to_owned(), minutes.clone()), ("page/h".to_owned(), minutes)]
    }

    #[test]
    fn each_minute_is_taken_once_by_ticks_that_are_early_or_late() {
        let (config, mut memory) = (config(), Memory::default());
        let mut taken = Vec::new();
        let mut now = NOW;
        for seconds in [0, 30, 45, 61, 119, 240, 7, 600, 60] {
            now = now + Duration::from_secs(seconds);
            let minutes = take(&config, &View::default(), &mut memory, &calls(), now);
            taken.extend(minutes.calls.into_iter().map(|(_, start, _)| start));
        }
        let all: Vec<Time> =
            (0_u32..).map(|n| taken[0] + TYPE_BUCKET * n).take(taken.len()).collect();
        assert_eq!(taken, all, "none is missing, and none is there twice");
        assert_eq!(*taken.last().unwrap(), last_over(now));
        // NOW is midnight: the first minutes are those of the day before.
        let failed = |hosts: &BTreeMap<String, Day>| {
            hosts.get("page/h").map_or(0, |day| day.count("failed", &(0..24)))
        };
        let both = failed(&memory.hosts) + failed(&memory.hosts_before);
        assert_eq!(both, 10 * taken.len() as u64);
        assert!(failed(&memory.hosts_before) > 0, "{memory:?}");
        assert_eq!(memory.hosts_before_on, date(NOW.before(TYPE_BUCKET)));
    }

    #[test]
    fn a_type_with_ever_new_labels_has_two_series_of_them() {
        let mut memory = Memory::default();
        let mut told = BTreeSet::new();
        for n in 0..9 {
            let counts = [(format!("{OF_LABEL}{}", 9 - n), 1), ("succeeded".to_owned(), 1)];
            let bucket = Bucket { counts: counts.into(), ..Bucket::default() };
            let labels = labels(&mut memory, "q", &bucket);
            let line = metrics::minute("q", &bucket, labels, NOW);
            told.extend(line.numbers.into_iter().map(|(name, ..)| name.into_owned()));
        }
        told.retain(|name| name.starts_with("Succeeded."));
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["Succeeded.8", "Succeeded.9"]);
    }
}
