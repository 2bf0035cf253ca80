//! Release: wakes parked jobs that are due or whose breaker lets calls through.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock, Time},
    dependency::breaker::State,
    ports::{
        PortError,
        maintenance::{DueJob, TableMaintenance},
        notes::{NOTED_FOR, NoteKey, WATCHED_RETENTION},
    },
    record::{Record, due::Parked},
    telemetry,
};

use crate::{
    memory::{Drain, Memory, Saved},
    plan::release::{self as plan, Dependency, Way},
    ports::{Ports, Sweep},
    records::{EVER, due_in, read, together},
    step::{self, Step},
    survey::dependency,
    tick::Tick,
};

/// Jobs of one dependency that are read beyond the free slots, since some of them may not go yet.
const MOST_EXAMINED: usize = 50;

/// Jobs past their deadline that are released while the dependency may not be called, of each partition of the
/// index.
const MOST_OVERDUE: usize = 250;

/// Jobs of all dependencies that a tick releases.
pub(super) const MOST: usize = 3_000;

/// Dependencies of one group: they are read, then their jobs are released. Each group that releases jobs writes the
/// sweeper's memory, which may be 20 KB, so that many small groups would be a hot item.
pub(super) const TOGETHER: usize = 256;

/// For how long the ramp after a breaker's deletion counts as the same.
const UNSEEN_RAMP: Duration = Duration::from_mins(10);

const NAME: &str = "release";

/// A dependency and its parked jobs.
pub(super) struct Seen {
    name: String,
    known: Dependency,
    way: Way,
    /// Until when its slots are taken by jobs that were released earlier.
    taken_until: Time,
    /// The candidates for release; not all parked jobs, if there is no slot.
    parked: Vec<DueJob>,
}

/// Releases the jobs that may go, one group of dependencies after the other: first those that job
/// types are configured with, then the others, beginning after the last one of the previous tick.
pub async fn release<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    saved: &mut Saved,
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
        left = left.saturating_sub(group(sweep, tick, saved, some, plan::TICK, left).await?);
        // Set only after the writes: a tick that is cut off before repeats this group.
        if let Some(last) = some.last().filter(|last| others.contains(last)) {
            tick.memory.released_last.clone_from(last);
        }
    }
    Ok(())
}

/// Releases jobs of these dependencies once more within a tick, for the next `window`.
pub async fn again<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    saved: &mut Saved,
    names: &[String],
    window: Duration,
) -> Result<(), PortError> {
    // Jobs that were released before may be parked again.
    tick.touched.clear();
    let mut left = MOST;
    for some in names.chunks(TOGETHER) {
        // They are read anew; if that fails, they stay as they were.
        let known: Vec<_> =
            some.iter().filter_map(|name| tick.view.dependencies.remove_entry(name)).collect();
        let released = group(sweep, tick, saved, some, window, left).await;
        for (name, known) in known {
            tick.view.dependencies.entry(name).or_insert(known);
        }
        left = left.saturating_sub(released?);
    }
    Ok(())
}

/// Releases at most `most` jobs of a group of dependencies, and returns how many. What cannot be read is left
/// out.
async fn group<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    saved: &mut Saved,
    names: &[String],
    window: Duration,
    most: usize,
) -> Result<usize, PortError> {
    let examined = names.iter().map(|name| examine(sweep, tick, name, window));
    let mut seen = together(examined.collect()).await;
    seen.sort_by_key(|(place, _)| *place);
    let mut memory = tick.memory.clone();
    let mut steps = Vec::new();
    for (_, seen) in seen {
        let left = most - steps.len();
        let more = match seen {
            Ok(seen) => match note(sweep, tick, &seen).await {
                Ok(()) => steps_of(sweep, tick, &mut memory, seen, window, left).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match more {
            Ok(more) => steps.extend(more),
            Err(error) => {
                telemetry::port_failed(NAME, &error);
                tick.count(NAME, "unseen", 1);
            }
        }
    }
    take(sweep, tick, saved, memory, &steps).await?;
    Ok(steps.len())
}

/// The dependencies in the order of their turns: those that job types are configured with, and the
/// others.
pub(super) fn in_turn<P: Ports>(sweep: &Sweep<P>, tick: &Tick) -> (Vec<String>, Vec<String>) {
    let fixed: Vec<String> =
        sweep.config.types.iter().filter_map(|job| job.dependency.clone()).collect();
    let others = tick.view.notes.keys().filter(|name| !fixed.contains(name)).cloned();
    let (before, mut after): (Vec<String>, Vec<String>) =
        others.partition(|name| *name <= tick.memory.released_last);
    after.extend(before);
    (fixed, after)
}

/// Reads a dependency: its breaker, its limiter, its parked jobs.
pub(super) async fn examine<P: Ports>(
    sweep: &Sweep<P>,
    tick: &Tick,
    name: &str,
    window: Duration,
) -> Result<Seen, PortError> {
    // The tick may have spent seconds on the groups before this one.
    let now = sweep.clock.now();
    let note = tick.view.notes.get(name).map(String::as_str);
    let mut known = match tick.view.dependencies.get(name) {
        Some(known) => known.clone(),
        None => dependency(&sweep.store, name, note).await?,
    };
    let generation = known.breaker.at(now).generation;
    // A breaker whose item was deleted has no generation of its own, so its ramp is told by its age.
    let is_present = |drain: &&Drain| {
        let since = Time::from_millis(drain.since);
        drain.generation == generation && (generation > 0 || since + UNSEEN_RAMP > now)
    };
    let drain = tick.memory.draining.get(name).filter(is_present);
    known.draining_since = drain.map(|drain| Time::from_millis(drain.since));
    let taken_until = tick.memory.released_until.get(name).copied().unwrap_or_default();
    let taken_until = Time::from_millis(taken_until);
    let way = plan::way(&known, taken_until, now, window);
    let parked = parked(&sweep.store, name, &way, now).await?;
    Ok(Seen { name: name.to_owned(), known, way, taken_until, parked })
}

/// Notes for the other passes what was seen of a dependency, and keeps its note in the table or removes it.
async fn note<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick, seen: &Seen) -> Result<(), PortError> {
    // Without a slot, the parked jobs were not read.
    if seen.way.slots.is_empty() {
        return Ok(());
    }
    tick.view.parked.insert(seen.name.clone(), seen.parked.len());
    keep_note(&sweep.store, tick, &seen.name, &seen.known, seen.parked.is_empty()).await
}

/// Plans the release of a dependency's parked jobs, at most `most`, and updates `memory`
/// accordingly. Writes nothing to a table.
pub(super) async fn steps_of<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    memory: &mut Memory,
    seen: Seen,
    window: Duration,
    most: usize,
) -> Result<Vec<Step>, PortError> {
    let Seen { name, mut known, mut way, taken_until, parked } = seen;
    let now = sweep.clock.now();
    tick.view.dependencies.insert(name.clone(), known.clone());
    let keys = tick.claim(parked.into_iter().map(|due| due.key).collect());
    let records = read(&sweep.store, keys.clone()).await?;
    let in_order: Vec<Record> = keys.iter().filter_map(|key| records.get(key).cloned()).collect();
    let mut is_recovery = known.breaker.generation > 0 && known.draining_since.is_none();
    if plan::recovers_unseen(&known, &in_order) {
        known.draining_since = Some(now);
        way = plan::way(&known, taken_until, now, window);
        is_recovery = true;
    }
    let mut steps = plan::let_go(&in_order, &way, &tick.owner, now);
    steps.truncate(most);
    let last = steps.iter().filter_map(|step| step.call.as_ref()).map(|call| call.at).max();
    if let Some(last) = last.filter(|last| *last > now) {
        memory.released_until.insert(name.clone(), last.as_millis() + 1);
    }
    if !steps.is_empty() && is_recovery {
        let generation = known.breaker.at(now).generation;
        memory.draining.insert(name, Drain { generation, since: now.as_millis() });
    }
    Ok(steps)
}

/// Releases these jobs. The memory with the slots that they take is written first, so that the next
/// tick does not use the slots again if this one dies midway. If it cannot be written, none is released.
async fn take<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    saved: &mut Saved,
    memory: Memory,
    steps: &[Step],
) -> Result<(), PortError> {
    if steps.is_empty() {
        return Ok(());
    }
    let now = sweep.clock.now();
    match saved.write(&sweep.store, &memory, now).await {
        Ok(true) => tick.memory = memory,
        Ok(false) => return Err(PortError::Unavailable("another sweeper leads".into())),
        Err(error) => {
            telemetry::port_failed("swap_note", &error);
            tick.count(NAME, "unseen", 1);
            return Ok(());
        }
    }
    let taken = step::take(&sweep.store, &sweep.queue, steps, now).await;
    tick.count(NAME, "released", taken.written.len());
    tick.count(NAME, "refused", taken.refused);
    tick.count(NAME, "failed", taken.failed);
    Ok(())
}

/// The due entries of a dependency's parked jobs that are candidates for release, in the order of their turns:
/// first those of high priority. The others take turns, one of each message group's shard and kind after the
/// other, so that no group starves another, nor jobs with a deadline those without.
async fn parked<S: TableMaintenance>(
    store: &S,
    name: &str,
    way: &Way,
    now: Time,
) -> Result<Vec<DueJob>, PortError> {
    let Parked { dated, plain } = Parked::of(name);
    let mut all = Vec::new();
    if !way.is_closed || way.is_stopped {
        let span = [Time::default(), now];
        all = due_in(store, &dated.concat(), span, MOST_OVERDUE).await?.concat();
    }
    if !way.is_closed {
        let span = [Time::default(), now.before(plan::LONG_DUE)];
        all.extend(due_in(store, &plain.concat(), span, MOST_OVERDUE).await?.concat());
    }
    if way.slots.is_empty() {
        return Ok(all);
    }
    // Jobs that wait only for the breaker may go before they are due.
    let (ever, most) = ([Time::default(), EVER], way.slots.len() + MOST_EXAMINED);
    let overdue = all.len();
    for (dated, plain) in dated.into_iter().zip(plain) {
        if all.len() < overdue + 2 * most {
            let lists = due_in(store, &[dated, plain].concat(), ever, most).await?;
            all.extend(in_turns(lists, overdue + 2 * most - all.len()));
        }
    }
    Ok(all)
}

/// Takes one entry of each list after the other, up to `most`.
fn in_turns(lists: Vec<Vec<DueJob>>, most: usize) -> Vec<DueJob> {
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut taken = Vec::new();
    loop {
        let before = taken.len();
        taken.extend(lists.iter_mut().filter_map(Iterator::next));
        if taken.len() == before || taken.len() >= most {
            taken.truncate(most);
            return taken;
        }
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
        (NoteKey::watched(name), tick.now.since(Time::from_millis(known.limits.noted_at)));
    let closed = matches!(known.breaker.at(tick.now).state, State::Closed);
    if is_empty && closed && age >= NOTED_FOR * 3 {
        store.remove_note(&place, text).await?;
        tick.count(NAME, "forgotten", 1);
    } else if !is_empty && age >= WATCHED_RETENTION / 7 {
        store.put_note(&place, text, tick.now + WATCHED_RETENTION).await?;
    }
    Ok(())
}
