//! Rescue: resumes jobs whose process died, and jobs whose message was lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    base::{
        random::Random as _,
        time::{Time, millis},
    },
    dependency::stats::{Bucket, ContainerCounts, TYPE_BUCKET, bucket_start},
    ports::{
        Control as _, PortError,
        maintenance::TableMaintenance,
        notes::{CRASH_STORM, CrashStorm, NoteKey},
    },
    record::{
        Phase, Record,
        lease::Lease,
        outcomes::{NEVER_CAME_BACK, OVERDUE_MS},
    },
    telemetry,
};

use crate::{
    config::JobType,
    plan::rescue::{self as plan, Caution},
    ports::{Ports, Sweep},
    records::{due, read, together},
    step::{self, Step},
    tick::Tick,
};

/// Running jobs with an ended lease that a tick reads.
const MOST_STUCK: usize = 500;
/// Jobs of one queue whose messages a tick sends again.
pub(super) const MOST_LOST: usize = 200;

/// Jobs of one type whose message a tick copies to the high queue while that is empty.
pub(super) const MOST_AGED: usize = 20;

/// The time in which the crashed runs of a type are compared with all of them.
const STORM_WINDOW: Duration = Duration::from_mins(5);

/// The counters of those that came back.
pub const ENDS: [&str; 6] = ["succeeded", "continued", "retried", "deferred", "parked", "dead"];

const NAME: &str = "rescue";

/// Resumes jobs that are stuck or lost.
pub async fn rescue<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    let mut trouble = vec![stuck(sweep, tick).await.err()];
    let config = sweep.config.clone();
    for job in &config.types {
        // A failure on one queue does not keep the others from being served.
        for source in job.sources() {
            trouble.push(lost(sweep, tick, job, &source.queue).await.err());
        }
        trouble.push(aged(sweep, tick, job).await.err());
    }
    trouble.into_iter().flatten().next().map_or(Ok(()), Err)
}

/// Running jobs whose lease is over.
pub(super) struct Stuck {
    /// The leases that are over.
    ended: Vec<Lease>,
    /// Keys of all jobs that were read.
    keys: BTreeSet<String>,
    /// Of these, those that are stuck.
    pub(super) records: Vec<Record>,
    /// How many there are, by extrapolation, and how many jobs run.
    pub(super) all: usize,
    pub(super) running: usize,
}

/// Reads the jobs that are stuck. Changes nothing.
pub(super) async fn find_stuck<P: Ports>(
    sweep: &Sweep<P>,
    tick: &Tick,
) -> Result<Stuck, PortError> {
    let now = tick.now;
    let ended: Vec<_> =
        tick.view.leases.iter().filter(|lease| lease.until <= now).cloned().collect();
    let mut keys: BTreeSet<String> =
        ended.iter().flat_map(|lease| lease.jobs.clone()).take(MOST_STUCK).collect();
    let sources = sweep.config.types.iter().flat_map(JobType::sources);
    let partitions: Vec<String> =
        sources.map(|source| format!("running#{}", source.queue)).collect();
    let expired = due(&sweep.store, &partitions, [Time::default(), now], MOST_STUCK).await?;
    keys.extend(expired.into_iter().map(|due| due.key));
    let records = read(&sweep.store, keys.iter().cloned().collect()).await?;
    let records: Vec<Record> =
        records.into_values().filter(|record| plan::is_stuck(record, now)).collect();
    // A tick reads only some of the jobs whose lease is over, and extrapolates to all of them.
    let over: usize = ended.iter().map(|lease| lease.jobs.len()).sum();
    let all = records.len() * over.max(keys.len()) / keys.len().max(1);
    let running = tick.view.running().max(all);
    Ok(Stuck { ended, keys, records, all, running })
}

/// How many stuck jobs a tick may rescue. `ticks` counts those before this one that found too many of them.
pub(super) fn caution(stuck: &Stuck, ticks: u32) -> (Caution, u32) {
    let doubt = plan::seems_broken(stuck.all, stuck.running);
    let ticks = if doubt { ticks + 1 } else { 0 };
    (plan::caution(stuck.all, stuck.running, ticks, MOST_STUCK), ticks)
}

/// Counts a crash of each running job whose lease is over, and wakes or quarantines it.
async fn stuck<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    let now = tick.now;
    let stuck = find_stuck(sweep, tick).await?;
    let (caution, ticks) = caution(&stuck, tick.memory.stuck_ticks);
    let Stuck { ended, keys, records, all, running } = stuck;
    (tick.stuck, tick.memory.stuck_ticks) = (all, ticks);
    let excused = excused(sweep, tick, &records).await;
    let overdue = |record: &Record| Some((record.key.clone(), record.overdue_by(now)?));
    let overdue: BTreeMap<String, Duration> = records.iter().filter_map(overdue).collect();
    let crash =
        |record: &Record| plan::crash(record, &tick.owner, excused.contains(record.kind()), now);
    let steps: Vec<Step> = records.iter().filter_map(crash).collect();
    let most = match caution {
        Caution::Rescue(most) => most,
        Caution::Doubt => {
            telemetry::many_stuck(steps.len(), running);
            tick.count(NAME, "doubted", steps.len());
            return Ok(());
        }
    };
    let steps: Vec<Step> = steps.into_iter().take(most).collect();
    tick.touched.extend(steps.iter().map(|step| step.record.key.clone()));
    let taken = step::take(&sweep.store, &sweep.queue, &steps, now).await;
    let found: Vec<&Record> = taken.written.iter().map(|place| &steps[*place].record).collect();
    tick.count(NAME, "crashed", found.len());
    tick.count(NAME, "failed", taken.failed);
    tell(sweep, &found, &overdue, now).await;
    close(&sweep.store, &ended, &keys).await
}

/// The types whose crashes are not counted, because most of their runs of the last five minutes crashed. The
/// functions learn it from a note.
async fn excused<P: Ports>(sweep: &Sweep<P>, tick: &Tick, stuck: &[Record]) -> BTreeSet<String> {
    let now = tick.now;
    let mut excused = BTreeSet::new();
    for job in &sweep.config.types {
        let found = stuck.iter().filter(|record| record.kind() == job.kind).count() as u64;
        let from = bucket_start(now.before(STORM_WINDOW), TYPE_BUCKET);
        let buckets = tick.view.stats.get(&job.kind).into_iter().flatten();
        let buckets: Vec<&Bucket> =
            buckets.filter(|(start, _)| *start >= from).map(|(_, bucket)| bucket).collect();
        let sum = |name: &str| buckets.iter().map(|bucket| bucket.count(name)).sum::<u64>();
        let crashed = found + sum(NEVER_CAME_BACK);
        let runs = crashed + ENDS.into_iter().map(sum).sum::<u64>();
        if !plan::is_storm(crashed, runs) {
            continue;
        }
        telemetry::crash_storm(&job.kind, crashed, runs);
        match storm(sweep, &job.kind, now).await {
            Ok(storm) if storm.excuses(now) => drop(excused.insert(job.kind.clone())),
            Ok(_) => {}
            Err(error) => telemetry::port_failed("put_note", &error),
        }
    }
    excused
}

/// Notes that the crashes of a type are a storm, and returns since when.
async fn storm<P: Ports>(sweep: &Sweep<P>, kind: &str, now: Time) -> Result<CrashStorm, PortError> {
    let key = NoteKey::new(CRASH_STORM, kind);
    let text = sweep.store.note(&key).await?.value.unwrap_or_default();
    let known: CrashStorm = serde_json::from_str(&text).unwrap_or_default();
    let goes_on = Time::from_millis(known.until) > now;
    let until = now + STORM_WINDOW + TYPE_BUCKET;
    let since = if goes_on { known.since } else { now.as_millis() };
    let storm = CrashStorm { since, until: until.as_millis() };
    let text =
        serde_json::to_string(&storm).map_err(|error| PortError::Broken(error.to_string()))?;
    sweep.store.put_note(&key, &text, until).await?;
    Ok(storm)
}

/// Counts crashes for their types, as the functions do with those that they find. `overdue` says by key for how long
/// each lease was over.
async fn tell<P: Ports>(
    sweep: &Sweep<P>,
    found: &[&Record],
    overdue: &BTreeMap<String, Duration>,
    now: Time,
) {
    let mut crashes: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    for record in found {
        telemetry::found(record);
        let ended = matches!(record.phase, Phase::Quarantined { .. });
        let name = if ended { "quarantined" } else { "crashed" };
        let counts = crashes.entry(record.kind()).or_default();
        *counts.entry(name.to_owned()).or_default() += 1;
        *counts.entry(NEVER_CAME_BACK.to_owned()).or_default() += 1;
        let overdue = overdue.get(&record.key).copied().unwrap_or_default();
        *counts.entry(OVERDUE_MS.to_owned()).or_default() += millis(overdue);
    }
    let number = sweep.random.bits();
    for (kind, counts) in crashes {
        let bucket = Bucket { counts, ..Bucket::default() };
        let counts = ContainerCounts::new(kind, number, bucket_start(now, TYPE_BUCKET), bucket);
        if let Err(error) = sweep.store.put_counts(&counts).await {
            telemetry::port_failed("put_counts", &error);
        }
    }
}

/// Removes leases whose owner runs none of their jobs any more. A lease with a job that this tick
/// has not read stays.
async fn close<S: TableMaintenance>(
    store: &S,
    ended: &[Lease],
    examined: &BTreeSet<String>,
) -> Result<(), PortError> {
    let whole = ended.iter().filter(|lease| lease.jobs.iter().all(|job| examined.contains(job)));
    let whole: Vec<_> = whole.collect();
    let keys: BTreeSet<String> = whole.iter().flat_map(|lease| lease.jobs.clone()).collect();
    let records = read(store, keys.into_iter().collect()).await?;
    let at_work = |lease: &Lease| {
        lease.jobs.iter().filter_map(|job| records.get(job)).any(|record| {
            record.owner == lease.owner && matches!(record.phase, Phase::Running { .. })
        })
    };
    let over = whole.into_iter().filter(|lease| !at_work(lease));
    for (_, released) in together(over.map(|lease| store.release(lease)).collect()).await {
        released?;
    }
    Ok(())
}

/// Sends the lost messages of a queue again.
async fn lost<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    job: &JobType,
    queue: &str,
) -> Result<(), PortError> {
    if !tick.view.depths.contains_key(queue) {
        return Ok(());
    }
    let Some(until) = lost_before(tick, job, queue) else {
        tick.count(NAME, "backlogged", 1);
        return Ok(());
    };
    let sent = send_again(sweep, tick, [queue, queue], until, MOST_LOST).await?;
    tick.count(NAME, "sent_again", sent);
    Ok(())
}

/// The time before which a job of this queue must have been due for its message to count as lost; `None` if the backlog
/// may explain it, or the depth of the queue is not known.
pub(super) fn lost_before(tick: &Tick, job: &JobType, queue: &str) -> Option<Time> {
    let depth = tick.view.depths.get(queue)?;
    let receives = tick.view.first_receives(&job.kind, queue);
    let until = plan::lost_before(*depth, &receives, tick.now)?;
    // Messages that wait for their slots are hidden, perhaps for a minute many times.
    let known = job.dependency.as_ref().and_then(|name| tick.view.dependencies.get(name));
    let promised_us = known.map_or(0, |known| {
        let limiter = &known.limiter;
        if queue == job.normal.queue { limiter.promised_us } else { limiter.promised_high_us }
    });
    let waits = promised_us > tick.now.as_millis() * 1_000;
    Some(if waits { until.min(tick.now.before(plan::AGED)) } else { until })
}

/// Copies the messages of jobs that have waited too long behind a backlog to the high queue, while
/// that is empty.
async fn aged<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick, job: &JobType) -> Result<(), PortError> {
    if !may_copy(tick, job) {
        return Ok(());
    }
    let queues = [job.normal.queue.as_str(), job.high.queue.as_str()];
    let sent = send_again(sweep, tick, queues, tick.now.before(plan::AGED), MOST_AGED).await?;
    tick.count(NAME, "aged", sent);
    Ok(())
}

/// Whether messages of a type wait behind a backlog while its high queue is empty.
pub(super) fn may_copy(tick: &Tick, job: &JobType) -> bool {
    let visible = |queue: &str| tick.view.depths.get(queue).map(|depth| depth.visible);
    visible(&job.high.queue) == Some(0) && visible(&job.normal.queue).is_some_and(|many| many > 0)
}

/// Sends the messages of records that belong to the queue `from`, and were due by `until`, to the
/// queue `to`. Returns how many.
async fn send_again<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    queues: [&str; 2],
    until: Time,
    most: usize,
) -> Result<usize, PortError> {
    let steps = again(sweep, tick, queues, until, most).await?;
    let taken = step::take(&sweep.store, &sweep.queue, &steps, tick.now).await;
    tick.count(NAME, "failed", taken.failed);
    Ok(taken.written.len())
}

/// The steps that send these messages again.
pub(super) async fn again<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    [from, to]: [&str; 2],
    until: Time,
    most: usize,
) -> Result<Vec<Step>, PortError> {
    let states = ["queued", "waiting"].map(|state| format!("{state}#{from}"));
    let mut due = due(&sweep.store, &states, [Time::default(), until], most).await?;
    due.truncate(most);
    let keys = tick.claim(due.into_iter().map(|due| due.key).collect());
    let records = read(&sweep.store, keys).await?;
    let plan = |record| plan::send_again(record, to, until, &tick.owner, tick.now);
    Ok(records.values().filter_map(plan).collect())
}
