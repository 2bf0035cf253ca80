//! Acts on jobs: those that are named, and those that match a filter, page by page of the index `due`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    base::{
        random::Random as _,
        time::{Clock as _, Time},
    },
    ports::{
        PortError,
        maintenance::{DueJob, TableMaintenance},
    },
    record::Record,
};

use super::{
    entry::{Entry, Progress},
    log::Logged,
    request::{Filter, MOST_KEYS, On},
};
use crate::{
    config::Config,
    plan::operate::{JobAct, Mark, Verdict, decide},
    ports::{Ports, Sweep},
    records::{EVER, read},
    step::{self, Step},
};

/// Entries of the index that are read at once.
pub(super) const PAGE: usize = 100;

/// Entries of one due time that are read at once, at most as many as one query reads.
const MOST_OF_A_TIME: usize = 1_000;

/// Jobs a second where no rate limits the calls: as when parked jobs are released.
const UNLIMITED_A_SECOND: u32 = 10;

/// How far ahead the runs of jobs are planned: the time until the sweeper's next tick carries the act on.
const WINDOW: Duration = Duration::from_mins(1);

/// Time between two jobs of a type at the pace of its limiter.
pub(super) fn interval(config: &Config, kind: &str) -> Duration {
    let rate = config.job_type(kind).and_then(|job| job.per_second);
    Duration::from_secs(1) / rate.unwrap_or(UNLIMITED_A_SECOND).max(1)
}

/// Whether a job matches a filter, and is as old as what was shown at `as_of`.
pub(super) fn is_wanted(filter: &Filter, as_of: Time, record: &Record) -> bool {
    let is = |wanted: Option<&String>, found: Option<&str>| {
        wanted.is_none_or(|wanted| found == Some(wanted.as_str()))
    };
    let (work, failure) = (&record.work, record.last_failure.as_ref());
    let created_before = filter.created_before.map_or(as_of, Time::from_millis).min(as_of);
    record.kind() == filter.kind
        && filter.states.iter().any(|state| state == record.phase.name())
        && is(filter.dependency.as_ref(), Some(&work.dependency))
        && is(filter.class.as_ref(), failure.map(|failure| failure.class.as_str()))
        && is(filter.fingerprint.as_ref(), failure.map(|failure| failure.fingerprint.as_str()))
        && is(filter.group.as_ref(), work.group.as_deref())
        && work.created_at <= created_before
        && record.phase.ended_at().is_none_or(|at| at <= as_of)
}

/// The latest due time of a partition's entries that may match. Jobs that were given up are listed by their ends.
pub(super) fn last_due(partition: &str, as_of: Time) -> Time {
    if partition.starts_with("dead#") { as_of } else { EVER }
}

/// Does as much as there is time for.
pub(super) async fn work<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    act: JobAct,
    on: &On,
    end: Time,
) -> Result<Progress, PortError> {
    pending(sweep, &mut logged.entry, act).await?;
    if let Some(filter) = &on.filter {
        let as_of = Time::from_millis(on.as_of);
        let progress = matching(sweep, logged, act, filter, as_of, end).await?;
        if progress != Progress::Done {
            return Ok(progress);
        }
    }
    Ok(if logged.entry.pending.is_empty() { Progress::Done } else { Progress::Later })
}

/// Acts on the jobs that are pending. Those that run, and those of which it is not known whether they were written,
/// stay pending.
async fn pending<P: Ports>(
    sweep: &Sweep<P>,
    entry: &mut Entry,
    act: JobAct,
) -> Result<(), PortError> {
    let now = sweep.clock.now();
    let keys: BTreeSet<String> = entry.pending.iter().cloned().collect();
    if keys.is_empty() {
        return Ok(());
    }
    let records = read(&sweep.store, keys.iter().cloned().collect()).await?;
    let (op, owner, note) = (entry.id.clone(), sweep.random.token(), entry.note());
    let mark = Mark { op: &op, owner: &owner, note: &note };
    let (mut steps, mut left): (Vec<Step>, Vec<String>) = (Vec::new(), Vec::new());
    let mut at = now;
    for key in keys {
        let Some(record) = records.get(&key) else {
            entry.count("absent", 1);
            continue;
        };
        match decide(act, record, mark, at, now) {
            Verdict::Take(step) => {
                at = at + interval(&sweep.config, record.kind());
                steps.push(*step);
            }
            Verdict::Later => left.push(key),
            Verdict::Leave(why) => entry.count(why, 1),
        }
    }
    left.extend(take(sweep, entry, &steps, now).await);
    entry.pending = left;
    Ok(())
}

/// Takes steps and counts those that are written. Returns the keys of the others.
async fn take<P: Ports>(
    sweep: &Sweep<P>,
    entry: &mut Entry,
    steps: &[Step],
    now: Time,
) -> Vec<String> {
    let taken = step::take(&sweep.store, &sweep.queue, steps, now).await;
    entry.count("done", taken.written.len() as u64);
    let written: BTreeSet<usize> = taken.written.into_iter().collect();
    let others = steps.iter().enumerate().filter(|(place, _)| !written.contains(place));
    others.map(|(_, step)| step.record.key.clone()).collect()
}

/// Acts on the jobs that match, page by page, and writes down after each page how far it is.
async fn matching<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    act: JobAct,
    filter: &Filter,
    as_of: Time,
    end: Time,
) -> Result<Progress, PortError> {
    let partitions = filter.partitions(&sweep.config).map_err(PortError::Broken)?;
    while let Some(partition) = partitions.get(logged.entry.partition) {
        let now = sweep.clock.now();
        let is_ahead = Time::from_millis(logged.entry.next_at) > now + WINDOW;
        if now >= end || is_ahead || logged.entry.pending.len() > MOST_KEYS {
            return Ok(Progress::Later);
        }
        let span = [Time::from_millis(logged.entry.from), last_due(partition, as_of)];
        let due = whole_page(&sweep.store, partition, span).await?;
        let keys = due.iter().map(|due| due.key.clone()).filter(|key| !key.starts_with("q#"));
        let records = read(&sweep.store, keys.collect()).await?;
        let wanted = |record: &Record| is_wanted(filter, as_of, record);
        page(sweep, &mut logged.entry, act, &due, &records, wanted).await;
        if !logged.save(&sweep.store, sweep.clock.now()).await? {
            return Ok(Progress::Taken);
        }
    }
    Ok(Progress::Done)
}

/// Acts on the jobs of one page, as far as their runs fit into the window, and moves the cursor behind them.
async fn page<P: Ports>(
    sweep: &Sweep<P>,
    entry: &mut Entry,
    act: JobAct,
    due: &[DueJob],
    records: &BTreeMap<String, Record>,
    wanted: impl Fn(&Record) -> bool,
) {
    let now = sweep.clock.now();
    let (op, owner, note) = (entry.id.clone(), sweep.random.token(), entry.note());
    let mark = Mark { op: &op, owner: &owner, note: &note };
    let mut at = Time::from_millis(entry.next_at).max(now);
    let (mut steps, mut handled) = (Vec::new(), due.len());
    for (place, job) in due.iter().enumerate() {
        let Some(record) = records.get(&job.key).filter(|record| wanted(record)) else { continue };
        let Verdict::Take(step) = decide(act, record, mark, at, now) else { continue };
        if at > now + WINDOW {
            handled = place;
            break;
        }
        // Only runs have a pace; to cancel calls nobody.
        if act != JobAct::Cancel {
            at = at + interval(&sweep.config, record.kind());
        }
        steps.push(*step);
    }
    let left = take(sweep, entry, &steps, now).await;
    entry.pending.extend(left);
    entry.next_at = at.as_millis();
    advance(entry, due, handled);
}

/// A page of a partition. If all of its entries are due at the same time, as jobs with one deadline are, as many of that
/// time as one query reads: the cursor is a time, and would jump over the rest.
pub(super) async fn whole_page<S: TableMaintenance>(
    store: &S,
    partition: &str,
    span: [Time; 2],
) -> Result<Vec<DueJob>, PortError> {
    let page = store.due(partition, span, PAGE).await?;
    match (page.first(), page.last()) {
        (Some(first), Some(last)) if page.len() == PAGE && first.due_at == last.due_at => {
            store.due(partition, [first.due_at, first.due_at], MOST_OF_A_TIME).await
        }
        _ => Ok(page),
    }
}

/// Moves the cursor behind the entries that were handled.
pub(super) fn advance(entry: &mut Entry, due: &[DueJob], handled: usize) {
    match due.get(handled) {
        Some(next) => entry.from = next.due_at.as_millis(),
        None if due.len() < PAGE => (entry.partition, entry.from) = (entry.partition + 1, 0),
        None => {
            let [first, last] =
                [due.first(), due.last()].map(|due| due.map_or(0, |due| due.due_at.as_millis()));
            // Entries of one millisecond were read as a whole.
            entry.from = if last > first { last } else { last + 1 };
        }
    }
}
