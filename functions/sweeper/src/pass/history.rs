//! History: rolls minutes up to the hours of a day, so that reports over weeks read few items.
//!
//! An hour is rolled up some minutes after its end, from what the containers have written, and the whole day is
//! written anew: a tick that dies, or two that overlap, change nothing. What three days have missed is made up.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{
        BUCKET_RETENTION, Bucket, BucketKey, COUNT_SHARDS, COUNTS_RETENTION, ContainerCounts,
        DAY_RETENTION, Day, DayKind, SHARDS, bucket_start, date, day_start,
    },
    ports::{Control as _, PortError, notes::NoteKey},
};

use crate::{
    plan::history::{self as plan, HOUR},
    ports::{Ports, Sweep},
    tick::Tick,
};

/// How long after the end of an hour its last counts may be written, with a margin.
const ARRIVE_WITHIN: Duration = Duration::from_mins(3);

/// How far back missed hours are made up. The buckets are kept for longer.
const MADE_UP: Duration = Duration::from_hours(72);

const NAME: &str = "history";

/// A day is written as a whole, so the buckets of the whole oldest day must still be there.
const OLDEST_S: u64 = MADE_UP.as_secs() + 24 * 3_600;
const _: () =
    assert!(OLDEST_S < COUNTS_RETENTION.as_secs() && OLDEST_S < BUCKET_RETENTION.as_secs());

/// Rolls up the hours of each subject that are over and were not yet rolled up.
pub async fn history<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    hosts(sweep, tick).await?;
    let types = sweep.config.types.iter();
    let of_types = types.clone().map(|job| (DayKind::Type, job.kind.clone()));
    let of_dependencies =
        types.filter_map(|job| Some((DayKind::Dependency, job.dependency.clone()?)));
    let mut subjects: Vec<(DayKind, String)> = of_types.chain(of_dependencies).collect();
    subjects.sort();
    subjects.dedup();
    note_openings(sweep, tick);
    let names: Vec<String> = subjects.iter().map(|(kind, of)| subject(*kind, of)).collect();
    tick.memory.rolled.retain(|name, _| names.contains(name));
    for (kind, of) in subjects {
        roll(sweep, tick, kind, &of).await?;
    }
    Ok(())
}

fn subject(kind: DayKind, of: &str) -> String {
    format!("{}#{of}", kind.note())
}

/// Rolls up the hours of a subject that are over.
async fn roll<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    kind: DayKind,
    of: &str,
) -> Result<(), PortError> {
    let over = bucket_start(tick.now.before(ARRIVE_WITHIN), HOUR);
    let name = subject(kind, of);
    let next = tick.memory.rolled.get(&name).copied().map(Time::from_millis);
    // A new stack begins with the present hour: there is nothing before it.
    let Some(next) = next else {
        tick.memory.rolled.insert(name, over.as_millis());
        return Ok(());
    };
    let next = next.max(bucket_start(tick.now.before(MADE_UP), HOUR));
    if next >= over {
        return Ok(());
    }
    let from = day_start(next);
    let buckets = read(sweep, kind, of, from).await?;
    let mut days = plan::days(&buckets, from, over);
    for (start, day) in &mut days {
        if kind == DayKind::Dependency
            && let Some(opened) = tick.memory.opened.get(&of_day(*start, of))
        {
            day.counts.extend(opened.counts.clone());
        }
        put(sweep, kind, *start, of, day).await?;
        if kind == DayKind::Type && day.hours == 24 {
            patterns(sweep, of, *start, &buckets).await?;
        }
    }
    tick.count(NAME, "days", days.len());
    tick.memory.rolled.insert(name, over.as_millis());
    Ok(())
}

async fn read<P: Ports>(
    sweep: &Sweep<P>,
    kind: DayKind,
    of: &str,
    from: Time,
) -> Result<Vec<(BucketKey, Bucket)>, PortError> {
    match kind {
        DayKind::Type => {
            sweep.store.buckets(&ContainerCounts::subject(of), COUNT_SHARDS, from).await
        }
        _ => sweep.store.buckets(of, SHARDS, from).await,
    }
}

async fn put<P: Ports>(
    sweep: &Sweep<P>,
    kind: DayKind,
    start: Time,
    of: &str,
    day: &Day,
) -> Result<(), PortError> {
    let key = NoteKey::new(kind.note(), of_day(start, of));
    let text = serde_json::to_string(day).map_err(|error| PortError::Broken(error.to_string()))?;
    sweep.store.put_note(&key, &text, start + DAY_RETENTION).await
}

/// Writes the error patterns of a day of a type, the most frequent ones.
async fn patterns<P: Ports>(
    sweep: &Sweep<P>,
    kind: &str,
    start: Time,
    buckets: &[(BucketKey, Bucket)],
) -> Result<(), PortError> {
    let most = plan::MOST_PATTERNS / sweep.config.types.len().max(1);
    for (fingerprint, day) in plan::patterns(buckets, start, most) {
        put(sweep, DayKind::Pattern, start, &format!("{kind}#{fingerprint}"), &day).await?;
    }
    Ok(())
}

/// The name of a subject's day.
fn of_day(start: Time, of: &str) -> String {
    format!("{}#{of}", date(start))
}

/// Takes note of the breakers that have opened since the last tick. Yesterday's are kept until its last hour is
/// rolled up.
fn note_openings<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) {
    let yesterday = date(tick.now.before(HOUR * 24));
    tick.memory.opened.retain(|name, _| name.as_str() >= yesterday.as_str());
    let Some(seen) = &tick.seen else { return };
    let opened = seen.dependencies.iter().filter(|(_, seen)| seen.opened);
    for (name, _) in opened.filter(|(name, _)| sweep.config.is_shared(name)) {
        let day = tick.memory.opened.entry(of_day(tick.now, name)).or_default();
        day.add("opened", plan::hour(tick.now), 1);
    }
}

/// Counts the calls to hosts in trouble, and writes those of the day before, the worst ones.
async fn hosts<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    let today = date(tick.now);
    if tick.memory.hosts_on != today {
        let hosts: BTreeMap<String, Day> = tick.memory.hosts.clone();
        let start = Time::parse_rfc3339(&format!("{}T00:00:00Z", tick.memory.hosts_on));
        if let Ok(start) = start {
            for (host, day) in &hosts {
                put(sweep, DayKind::Host, start, host, &Day { hours: 24, ..day.clone() }).await?;
            }
        }
        tick.memory.hosts.clear();
        tick.memory.hosts_on = today;
    }
    let Some(seen) = &tick.seen else { return Ok(()) };
    let hosts = seen.dependencies.iter().filter(|(name, _)| !sweep.config.is_shared(name));
    plan::count_hosts(&mut tick.memory.hosts, hosts, plan::hour(tick.now));
    Ok(())
}
