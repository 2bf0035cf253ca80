//! Release: parked jobs whose time has come, or whose breaker is out of the way.

use evenkeel::{
    breaker::State,
    oversight::{Due, Oversight},
    ports::{Place, PortError},
    record::Record,
    telemetry,
    time::{Clock, Time},
    watched::{KEPT_FOR, NOTED_FOR, WATCHED},
};

use crate::{
    lead::Leader,
    memory::Drain,
    plan::release::{self as plan, Dependency, Way, Whom},
    records::{EVER, due, read},
    step::{self, Step},
    survey::dependency,
    sweep::{Ports, Sweep},
    tick::Tick,
};

/// Jobs of one dependency that are looked at beyond those that may go: some wait for something else.
const LOOKED_AT: usize = 50;

/// Jobs of all dependencies that go in a tick.
const MOST: usize = 3_000;

/// Jobs that go together.
const TOGETHER: usize = 300;

const NAME: &str = "release";

/// Lets go whoever may, dependency by dependency: those first on which all jobs of a type depend, and
/// then those that had no turn in the last tick.
pub async fn release<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    leader: &mut Leader,
) -> Result<(), PortError> {
    let (mut gone, mut steps) = (0, Vec::new());
    for name in in_turn(sweep, tick) {
        if gone >= MOST {
            break;
        }
        match of_dependency(sweep, tick, &name, MOST - gone).await {
            Ok(more) => {
                gone += more.len();
                steps.extend(more);
            }
            Err(error) => {
                telemetry::port_failed(NAME, &error);
                tick.count(NAME, "unseen", 1);
            }
        }
        tick.memory.released_last = name;
        if steps.len() >= TOGETHER {
            take(sweep, tick, leader, std::mem::take(&mut steps)).await?;
        }
    }
    take(sweep, tick, leader, steps).await
}

/// The dependencies in the order in which they have their turn.
fn in_turn<P: Ports>(sweep: &Sweep<P>, tick: &Tick) -> Vec<String> {
    let fixed: Vec<String> =
        sweep.config.types.iter().filter_map(|job| job.dependency.clone()).collect();
    let others = tick.view.notes.keys().filter(|name| !fixed.contains(name)).cloned();
    let (before, after): (Vec<String>, Vec<String>) =
        others.partition(|name| *name <= tick.memory.released_last);
    fixed.into_iter().chain(after).chain(before).collect()
}

/// Who of a dependency's parked jobs goes now, at most so many.
async fn of_dependency<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    name: &str,
    most: usize,
) -> Result<Vec<Step>, PortError> {
    // The tick may have spent seconds on what came before.
    let now = sweep.clock.now();
    let note = tick.view.notes.get(name).cloned();
    let mut known = match tick.view.dependencies.get(name) {
        Some(known) => known.clone(),
        None => dependency(&sweep.store, name, note.as_deref()).await?,
    };
    tick.view.dependencies.insert(name.to_owned(), known.clone());
    let generation = known.breaker.at(now).generation;
    let drain = tick.memory.draining.get(name).filter(|drain| drain.generation == generation);
    known.draining_since = drain.map(|drain| Time::from_millis(drain.since));
    let from = tick.memory.released_until.get(name).copied().unwrap_or_default();
    let mut way = plan::way(&known, Time::from_millis(from), now);
    way.slots.truncate(most);
    let parked = parked(&sweep.store, name, &way, now).await?;
    tick.view.parked.insert(name.to_owned(), parked.len());
    keep_note(&sweep.store, tick, name, &known, parked.is_empty()).await?;
    if parked.is_empty() {
        tick.memory.draining.remove(name);
        return Ok(Vec::new());
    }
    let keys = tick.claim(parked.into_iter().map(|due| due.key).collect());
    let records = read(&sweep.store, keys.clone()).await?;
    let in_order: Vec<Record> = keys.iter().filter_map(|key| records.get(key).cloned()).collect();
    let steps = plan::let_go(&in_order, &way, &tick.owner, now);
    let last = steps.iter().filter_map(|step| step.call.as_ref()).map(|call| call.at).max();
    if let Some(last) = last.filter(|last| *last > now) {
        tick.memory.released_until.insert(name.to_owned(), last.as_millis() + 1);
    }
    if !steps.is_empty() && known.draining_since.is_none() {
        let drain = Drain { generation, since: now.as_millis() };
        tick.memory.draining.insert(name.to_owned(), drain);
    }
    Ok(steps)
}

/// Lets these go. Until when jobs have been let go is written down first: a tick that dies on its way
/// must not be repeated at once by the next.
async fn take<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    leader: &mut Leader,
    steps: Vec<Step>,
) -> Result<(), PortError> {
    if steps.is_empty() {
        return Ok(());
    }
    let now = sweep.clock.now();
    if !leader.keep(&sweep.store, &tick.memory, now).await? {
        return Err(PortError::Unavailable("another sweeper leads".into()));
    }
    let taken = step::take(&sweep.store, &sweep.queue, steps, now).await;
    tick.count(NAME, "released", taken.written);
    tick.count(NAME, "refused", taken.refused);
    tick.count(NAME, "failed", taken.failed);
    Ok(())
}

/// The parked jobs of a dependency that may go, or that have to be looked at for that: those with a
/// deadline first.
async fn parked<S: Oversight>(
    store: &S,
    name: &str,
    way: &Way,
    now: Time,
) -> Result<Vec<Due>, PortError> {
    let most = way.slots.len() + LOOKED_AT;
    let dated = [format!("dated#{name}")];
    if way.whom == Whom::Overdue {
        return due(store, &dated, [Time::default(), now], most).await;
    }
    // Those that wait for the breaker alone need not be due.
    let ever = [Time::default(), EVER];
    let mut all = due(store, &dated, ever, most).await?;
    all.truncate(most);
    let mut parked = due(store, &[format!("parked#{name}")], ever, most).await?;
    parked.truncate(most);
    all.append(&mut parked);
    Ok(all)
}

/// Keeps the note of a dependency while it has parked jobs, and forgets it once it has none and every
/// function would note it again.
async fn keep_note<S: Oversight>(
    store: &S,
    tick: &mut Tick,
    name: &str,
    known: &Dependency,
    is_empty: bool,
) -> Result<(), PortError> {
    let Some(text) = tick.view.notes.get(name) else { return Ok(()) };
    let (place, age) =
        (Place::new(WATCHED, name), tick.now.since(Time::from_millis(known.limits.noted_at)));
    let closed = matches!(known.breaker.at(tick.now).state, State::Closed);
    if is_empty && closed && age >= NOTED_FOR * 3 {
        store.remove_note(&place, text).await?;
        tick.count(NAME, "forgotten", 1);
    } else if !is_empty && age >= KEPT_FOR / 7 {
        store.put_note(&place, text, tick.now + KEPT_FOR).await?;
    }
    Ok(())
}
