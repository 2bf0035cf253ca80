//! History: rolls minutes up to the hours of a day, so that reports over weeks read few items.
//!
//! An hour is rolled up some minutes after its end, from what the containers have written in it, and added to the day
//! that is stored. The day itself says which of its hours it knows, and is written only if nobody else has written it
//! since: a tick that dies, or two that overlap, add nothing twice. What three days have missed is made up.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{
        BUCKET_RETENTION, Bucket, BucketKey, COUNT_SHARDS, COUNTS_RETENTION, ContainerCounts,
        DAY_RETENTION, Day, DayKind, SHARDS, bucket_start, date, day_start,
    },
    ports::{Control as _, PortError, Swapped, maintenance::TableMaintenance as _, notes::NoteKey},
};

use crate::{
    config::Config,
    memory::Memory,
    pass::patterns,
    plan::{
        history::{self as plan, HOUR},
        observation::Observation,
    },
    ports::{Ports, Sweep},
    tick::Tick,
};

/// How long after the end of an hour its last counts may be written, with a margin.
const ARRIVE_WITHIN: Duration = Duration::from_mins(3);

/// How far back missed hours are made up. The buckets are kept for longer.
const MADE_UP: Duration = Duration::from_hours(72);

/// How often a day that another process has written meanwhile is completed again.
const MOST_RACES: usize = 3;

const NAME: &str = "history";

/// The hours of the oldest day may all be missing, so the buckets of the whole day must still be there.
const OLDEST_S: u64 = MADE_UP.as_secs() + 24 * 3_600;
const _: () =
    assert!(OLDEST_S < COUNTS_RETENTION.as_secs() && OLDEST_S < BUCKET_RETENTION.as_secs());

/// Rolls up the hours of each subject that are over and were not yet rolled up.
pub async fn history<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    hosts(sweep, &mut tick.memory).await?;
    let types = sweep.config.types.iter();
    let of_types = types.clone().map(|job| (DayKind::Type, job.kind.clone()));
    let of_dependencies =
        types.filter_map(|job| Some((DayKind::Dependency, job.dependency.clone()?)));
    let mut subjects: Vec<(DayKind, String)> = of_types.chain(of_dependencies).collect();
    subjects.sort();
    subjects.dedup();
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
    let first = day_start(next);
    let stored = Stored::read(sweep, kind, first, of).await?;
    let from = first + HOUR * u32::try_from(stored.day.hours).unwrap_or_default();
    if from < over {
        let buckets = read(sweep, kind, of, from).await?;
        let found = Found { kind, of, buckets, until: over };
        let (mut start, mut stored) = (first, stored);
        loop {
            complete(sweep, &tick.memory, &found, start, stored).await?;
            tick.count(NAME, "days", 1);
            start = start + HOUR * 24;
            if start >= over {
                break;
            }
            stored = Stored::read(sweep, kind, start, of).await?;
        }
    }
    tick.memory.rolled.insert(name, over.as_millis());
    Ok(())
}

/// A day as it is stored.
struct Stored {
    day: Day,
    revision: u64,
}

impl Stored {
    async fn read<P: Ports>(
        sweep: &Sweep<P>,
        kind: DayKind,
        start: Time,
        of: &str,
    ) -> Result<Self, PortError> {
        let key = NoteKey::new(kind.note(), of_day(start, of));
        let seen = sweep.store.note(&key).await?;
        Ok(Self::of(seen.value.as_deref(), seen.revision))
    }

    /// A day that cannot be read is made up like a missed one.
    fn of(text: Option<&str>, revision: u64) -> Self {
        let day = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { day, revision }
    }
}

/// What was read of a subject, for the hours that are over at `until`.
struct Found<'a> {
    kind: DayKind,
    of: &'a str,
    buckets: Vec<(BucketKey, Bucket)>,
    until: Time,
}

/// Adds the hours to a day that it does not know yet, and writes it.
async fn complete<P: Ports>(
    sweep: &Sweep<P>,
    memory: &Memory,
    found: &Found<'_>,
    start: Time,
    mut stored: Stored,
) -> Result<(), PortError> {
    let Found { kind, of, buckets, until } = found;
    let name = of_day(start, of);
    let opened = memory.opened.get(&name).filter(|_| *kind == DayKind::Dependency);
    let key = NoteKey::new(kind.note(), name.clone());
    for _ in 0..MOST_RACES {
        let added = plan::add_hours(&mut stored.day, start, *until, buckets);
        if added.is_empty() {
            return Ok(());
        }
        for hour in added {
            let hours = Range { start: hour, end: hour + 1 };
            let openings = opened.map_or(0, |day| day.count("opened", &hours));
            stored.day.add("opened", hour, openings);
        }
        // Before the day itself: as long as that lacks its last hour, another tick does this again.
        if *kind == DayKind::Type && stored.day.hours == 24 {
            of_patterns(sweep, of, start, &mut stored.day, buckets).await?;
        }
        let text = plan::text(&mut stored.day);
        let text = text.map_err(|error| PortError::Broken(error.to_string()))?;
        let expires_at = start + DAY_RETENTION;
        match sweep.store.swap_note(&key, &text, stored.revision, expires_at).await? {
            Swapped::Yes => return Ok(()),
            Swapped::No(current) => {
                stored = Stored::of(current.value.as_deref(), current.revision);
            }
        }
    }
    Err(PortError::Unavailable(format!("the day {name} is being changed")))
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

/// Writes the error patterns of a day of a type that is over, the most frequent ones.
async fn of_patterns<P: Ports>(
    sweep: &Sweep<P>,
    kind: &str,
    start: Time,
    day: &mut Day,
    buckets: &[(BucketKey, Bucket)],
) -> Result<(), PortError> {
    let most = plan::MOST_PATTERNS / sweep.config.types.len().max(1);
    for (fingerprint, mut day) in plan::take_patterns(day, buckets, most) {
        if day.sample.is_empty() {
            day.sample = patterns::sample(sweep, kind, &fingerprint).await?;
        }
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
pub(super) fn note_openings(config: &Config, memory: &mut Memory, seen: &Observation, now: Time) {
    let yesterday = date(now.before(HOUR * 24));
    memory.opened.retain(|name, _| name.as_str() >= yesterday.as_str());
    let opened = seen.dependencies.iter().filter(|(_, seen)| seen.opened);
    for (name, _) in opened.filter(|(name, _)| config.is_shared(name)) {
        memory.opened.entry(of_day(now, name)).or_default().add("opened", plan::hour(now), 1);
    }
}

/// Writes the calls to hosts in trouble of a day that is over, the worst ones.
async fn hosts<P: Ports>(sweep: &Sweep<P>, memory: &mut Memory) -> Result<(), PortError> {
    let start = Time::parse_rfc3339(&format!("{}T00:00:00Z", memory.hosts_before_on));
    if let Ok(start) = start {
        for (host, day) in &memory.hosts_before {
            put(sweep, DayKind::Host, start, host, &Day { hours: 24, ..day.clone() }).await?;
        }
    }
    memory.hosts_before = BTreeMap::new();
    Ok(())
}
