//! Release: wakes parked jobs that are due or whose breaker lets calls through.

use evenkeel::{
    base::time::{Clock, Time},
    dependency::breaker::State,
    ports::{
        PortError,
        maintenance::{DueJob, TableMaintenance},
        notes::{NOTED_FOR, NoteKey, WATCHED, WATCHED_RETENTION},
    },
    record::Record,
    telemetry,
};

use crate::{
    lead::Leader,
    memory::{Drain, Memory},
    plan::release::{self as plan, Dependency, Way},
    ports::{Ports, Sweep},
    records::{EVER, due, read, together},
    step::{self, Step},
    survey::dependency,
    tick::Tick,
};

/// Jobs of one dependency that are read beyond the free slots, since some of them may not go yet.
const MOST_EXAMINED: usize = 50;

/// Jobs past their deadline that are released while the breaker is not closed, of each shard of the
/// index.
const MOST_OVERDUE: usize = 250;

/// Jobs of all dependencies that a tick releases.
const MOST: usize = 3_000;

/// Dependencies of one group: they are read concurrently, then their jobs are released.
const TOGETHER: usize = 16;

const NAME: &str = "release";

/// A dependency and its parked jobs.
struct Seen {
    name: String,
    known: Dependency,
    way: Way,
    parked: Vec<DueJob>,
}

/// Releases the jobs that may go, one group of dependencies after the other: first those that job
/// types are configured with, then the others, beginning after the last one of the previous tick.
pub async fn release<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    leader: &mut Leader,
) -> Result<(), PortError> {
    if !tick.view.knows_watched {
        // The limits of the dependencies could not be read.
        tick.count(NAME, "unseen", 1);
        return Ok(());
    }
    let (fixed, others) = in_turn(sweep, tick);
    let mut left = MOST;
    for some in std::iter::once(fixed.as_slice()).chain(others.chunks(TOGETHER)) {
        if left == 0 {
            break;
        }
        let examined = some.iter().map(|name| examine(sweep, tick, name));
        let mut seen = together(examined.collect()).await;
        seen.sort_by_key(|(place, _)| *place);
        let mut memory = tick.memory.clone();
        let mut steps = Vec::new();
        for (_, seen) in seen {
            let more = match seen {
                Ok(seen) => plan(sweep, tick, &mut memory, seen, left).await,
                Err(error) => Err(error),
            };
            match more {
                Ok(more) => {
                    left -= more.len();
                    steps.extend(more);
                }
                Err(error) => {
                    telemetry::port_failed(NAME, &error);
                    tick.count(NAME, "unseen", 1);
                }
            }
        }
        take(sweep, tick, leader, memory, &steps).await?;
        // Set only after the writes: a tick that is cut off before repeats this group.
        if let Some(last) = some.last().filter(|last| others.contains(last)) {
            tick.memory.released_last.clone_from(last);
        }
    }
    Ok(())
}

/// The dependencies in the order of their turns: those that job types are configured with, and the
/// others.
fn in_turn<P: Ports>(sweep: &Sweep<P>, tick: &Tick) -> (Vec<String>, Vec<String>) {
    let fixed: Vec<String> =
        sweep.config.types.iter().filter_map(|job| job.dependency.clone()).collect();
    let others = tick.view.notes.keys().filter(|name| !fixed.contains(name)).cloned();
    let (before, mut after): (Vec<String>, Vec<String>) =
        others.partition(|name| *name <= tick.memory.released_last);
    after.extend(before);
    (fixed, after)
}

/// Reads a dependency: its breaker, its limiter, its parked jobs.
async fn examine<P: Ports>(sweep: &Sweep<P>, tick: &Tick, name: &str) -> Result<Seen, PortError> {
    // The tick may have spent seconds on the groups before this one.
    let now = sweep.clock.now();
    let note = tick.view.notes.get(name).map(String::as_str);
    let mut known = match tick.view.dependencies.get(name) {
        Some(known) => known.clone(),
        None => dependency(&sweep.store, name, note).await?,
    };
    let generation = known.breaker.at(now).generation;
    let drain = tick.memory.draining.get(name).filter(|drain| drain.generation == generation);
    known.draining_since = drain.map(|drain| Time::from_millis(drain.since));
    let from = tick.memory.released_until.get(name).copied().unwrap_or_default();
    let way = plan::way(&known, Time::from_millis(from), now);
    let parked = parked(&sweep.store, name, &way, now).await?;
    Ok(Seen { name: name.to_owned(), known, way, parked })
}

/// Plans the release of a dependency's parked jobs, at most `most`, and updates `memory`
/// accordingly.
async fn plan<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    memory: &mut Memory,
    seen: Seen,
    most: usize,
) -> Result<Vec<Step>, PortError> {
    let Seen { name, known, way, parked } = seen;
    let now = sweep.clock.now();
    tick.view.dependencies.insert(name.clone(), known.clone());
    tick.view.parked.insert(name.clone(), parked.len());
    keep_note(&sweep.store, tick, &name, &known, parked.is_empty()).await?;
    let keys = tick.claim(parked.into_iter().map(|due| due.key).collect());
    let records = read(&sweep.store, keys.clone()).await?;
    let in_order: Vec<Record> = keys.iter().filter_map(|key| records.get(key).cloned()).collect();
    let mut steps = plan::let_go(&in_order, &way, &tick.owner, now);
    steps.truncate(most);
    let last = steps.iter().filter_map(|step| step.call.as_ref()).map(|call| call.at).max();
    if let Some(last) = last.filter(|last| *last > now) {
        memory.released_until.insert(name.clone(), last.as_millis() + 1);
    }
    if !steps.is_empty() && known.draining_since.is_none() {
        let generation = known.breaker.at(now).generation;
        memory.draining.insert(name, Drain { generation, since: now.as_millis() });
    }
    Ok(steps)
}

/// Releases these jobs. The memory with the slots that they take is written first, so that the next
/// tick does not use the slots again if this one dies midway.
async fn take<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    leader: &mut Leader,
    memory: Memory,
    steps: &[Step],
) -> Result<(), PortError> {
    if steps.is_empty() {
        return Ok(());
    }
    let now = sweep.clock.now();
    tick.memory = memory;
    if !leader.keep(&sweep.store, &tick.memory, now).await? {
        return Err(PortError::Unavailable("another sweeper leads".into()));
    }
    let taken = step::take(&sweep.store, &sweep.queue, steps, now).await;
    tick.count(NAME, "released", taken.written.len());
    tick.count(NAME, "refused", taken.refused);
    tick.count(NAME, "failed", taken.failed);
    Ok(())
}

/// The due entries of a dependency's parked jobs that are candidates for release. Jobs with a
/// deadline and jobs without alternate, so that neither kind starves the other.
async fn parked<S: TableMaintenance>(
    store: &S,
    name: &str,
    way: &Way,
    now: Time,
) -> Result<Vec<DueJob>, PortError> {
    let (dated, plain) = ([format!("dated#{name}")], [format!("parked#{name}")]);
    let mut all = Vec::new();
    if !way.is_closed {
        all = due(store, &dated, [Time::default(), now], MOST_OVERDUE).await?;
    }
    if way.slots.is_empty() {
        return Ok(all);
    }
    // Jobs that wait only for the breaker may go before they are due.
    let (ever, most) = ([Time::default(), EVER], way.slots.len() + MOST_EXAMINED);
    let mut dated = due(store, &dated, ever, most).await?.into_iter();
    let mut plain = due(store, &plain, ever, most).await?.into_iter();
    let overdue = all.len();
    loop {
        let (one, other) = (dated.next(), plain.next());
        if one.is_none() && other.is_none() || all.len() >= overdue + 2 * most {
            return Ok(all);
        }
        all.extend(one.into_iter().chain(other));
    }
}

/// Extends the note of a dependency while it has parked jobs. Removes it once it has none and the
/// note is so old that every function would write it again before parking a job.
async fn keep_note<S: TableMaintenance>(
    store: &S,
    tick: &mut Tick,
    name: &str,
    known: &Dependency,
    is_empty: bool,
) -> Result<(), PortError> {
    let Some(text) = tick.view.notes.get(name) else { return Ok(()) };
    let (place, age) =
        (NoteKey::new(WATCHED, name), tick.now.since(Time::from_millis(known.limits.noted_at)));
    let closed = matches!(known.breaker.at(tick.now).state, State::Closed);
    if is_empty && closed && age >= NOTED_FOR * 3 {
        store.remove_note(&place, text).await?;
        tick.count(NAME, "forgotten", 1);
    } else if !is_empty && age >= WATCHED_RETENTION / 7 {
        store.put_note(&place, text, tick.now + WATCHED_RETENTION).await?;
    }
    Ok(())
}
