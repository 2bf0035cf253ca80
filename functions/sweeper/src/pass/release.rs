//! Release: parked jobs whose time has come, or whose breaker is out of the way.

use evenkeel::{
    oversight::{Due, Mailboxes, Oversight, Scaling},
    parking::{NOTED_FOR, PARKED},
    ports::{Place, PortError},
    random::Random,
    record::Record,
    time::{Clock, Time},
};

use crate::{
    lead::Leader,
    memory::Drain,
    plan::release::{self as plan, Dependency, TICK, Way, Whom},
    records::{due, read},
    step::{self, Step},
    sweep::Sweep,
    tick::Tick,
};

/// Jobs of one dependency that are looked at beyond those that may go: some wait for something else.
const LOOKED_AT: usize = 50;

/// Jobs of all dependencies that go in a tick.
const MOST: usize = 3_000;

const NAME: &str = "release";

/// Lets go whoever may.
///
/// Until when jobs have been let go is written down first: a tick that dies on its way must not be
/// repeated at once by the next.
pub async fn release<S, Q, M, C, R>(
    sweep: &Sweep<S, Q, M, C, R>,
    tick: &mut Tick,
    leader: &mut Leader,
) -> Result<(), PortError>
where
    S: Oversight,
    Q: Mailboxes,
    M: Scaling,
    C: Clock,
    R: Random,
{
    let noted: Vec<(String, Dependency)> = tick
        .view
        .dependencies
        .iter()
        .filter(|(name, _)| tick.view.notes.contains_key(*name))
        .map(|(name, seen)| (name.clone(), seen.clone()))
        .collect();
    // The tick may have spent seconds on what came before.
    let now = sweep.clock.now();
    let mut steps: Vec<Step> = Vec::new();
    for (name, mut dependency) in noted {
        let generation = dependency.breaker.at(now).generation;
        let drain = tick.memory.draining.get(&name).filter(|drain| drain.generation == generation);
        dependency.draining_since = drain.map(|drain| Time::from_millis(drain.since));
        let from = tick.memory.released_until.get(&name).copied().unwrap_or_default();
        let way = plan::way(&dependency, Time::from_millis(from), now);
        let parked = parked(&sweep.store, &name, &way, now).await?;
        if parked.is_empty() {
            tick.memory.draining.remove(&name);
            forget(&sweep.store, tick, &name, &dependency).await?;
            continue;
        }
        let keys = tick.claim(parked.into_iter().map(|due| due.key).collect());
        let records = read(&sweep.store, keys.clone()).await?;
        let in_order: Vec<Record> =
            keys.iter().filter_map(|key| records.get(key).cloned()).collect();
        let mut gone = plan::let_go(&in_order, &way, &tick.owner, now);
        gone.truncate(MOST.saturating_sub(steps.len()));
        let last = gone.iter().filter_map(|step| step.call.as_ref()).map(|call| call.at).max();
        if let Some(last) = last.filter(|last| *last > now) {
            tick.memory.released_until.insert(name.clone(), last.as_millis() + 1);
        }
        if !gone.is_empty() && dependency.draining_since.is_none() {
            tick.memory.draining.insert(name, Drain { generation, since: now.as_millis() });
        }
        steps.extend(gone);
    }
    if steps.is_empty() {
        return Ok(());
    }
    if !leader.keep(&sweep.store, &tick.memory, sweep.clock.now()).await? {
        return Err(PortError::Unavailable("another sweeper leads".into()));
    }
    let (taken, _) = step::take(&sweep.store, &sweep.queue, steps, now).await;
    tick.count(NAME, "released", taken.written);
    tick.count(NAME, "refused", taken.refused);
    tick.count(NAME, "failed", taken.failed);
    Ok(())
}

/// The parked jobs of a dependency that may go, or that have to be looked at for that.
async fn parked<S: Oversight>(
    store: &S,
    name: &str,
    way: &Way,
    now: Time,
) -> Result<Vec<Due>, PortError> {
    let most = way.slots.len() + LOOKED_AT;
    // Those that wait for the breaker alone need not be due.
    let until = match way.whom {
        Whom::Overdue => now,
        Whom::Anyone => Time::from_millis(u64::MAX >> 16),
    };
    let names = ["dated", "parked"].map(|kind| format!("{kind}#{name}"));
    let mut parked = due(store, &names, until, most).await?;
    // Whoever is due within the tick comes before whoever is not.
    parked.truncate(most.max(parked.partition_point(|due| due.due_at <= now + TICK).min(MOST)));
    Ok(parked)
}

/// Forgets a dependency that has no parked job any more, once all functions would note it again.
async fn forget<S: Oversight>(
    store: &S,
    tick: &mut Tick,
    name: &str,
    dependency: &Dependency,
) -> Result<(), PortError> {
    let noted_at = Time::from_millis(dependency.limits.noted_at);
    let gate = dependency.breaker.at(tick.now);
    let may_be_empty = !matches!(gate.state, evenkeel::breaker::State::Closed);
    let (Some(text), false) = (tick.view.notes.get(name), may_be_empty) else { return Ok(()) };
    if tick.now.since(noted_at) < NOTED_FOR * 3 {
        return Ok(());
    }
    store.remove_note(&Place::new(PARKED, name), text).await?;
    tick.count(NAME, "forgotten", 1);
    Ok(())
}
