//! Balance: sets how many batches of each queue may run at once.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    ports::{
        PortError,
        maintenance::{MappingMaintenance as _, MappingSlots},
    },
    record::outcomes::{BUSY_MS, JOBS},
    telemetry,
};

use crate::{
    config::{JobType, Source},
    plan::balance::{self as plan, Load},
    ports::{Ports, Sweep},
    survey::View,
    tick::Tick,
};

/// The time over which the load is measured.
const MEASURED_OVER: Duration = Duration::from_mins(7);

const NAME: &str = "balance";

/// What a tick sees of the queues.
#[derive(Default)]
struct Queues {
    /// The loads of the queues among which slots move.
    loads: Vec<Load>,
    /// The slots that all queues have together.
    slots: u32,
    /// The slots of queues that take no part, by job type.
    fixed: BTreeMap<String, u32>,
}

/// Moves slots between the event source mappings, by one step at most.
pub async fn balance<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    let Some(pins) = tick.pins.take() else {
        // A step might undo what an operator has pinned.
        tick.count(NAME, "waiting", 1);
        return Ok(());
    };
    let Queues { loads, slots, fixed } = queues(sweep, tick, &pins).await?;
    if !sweep.config.balance {
        tick.memory.wish = None;
        return Ok(());
    }
    let taken = fixed.values().fold(0, |sum: u32, slots| sum.saturating_add(*slots));
    let (step, wish) = plan::step(&loads, slots.saturating_sub(taken), tick.memory.wish.as_ref());
    tick.memory.wish = wish;
    let Some(step) = step else { return Ok(()) };
    let find = |name: &Option<String>| {
        let name = name.as_deref()?;
        let load = loads.iter().find(|load| load.queue == name)?;
        let sources = sweep.config.types.iter().flat_map(JobType::sources);
        let source = sources.into_iter().find(|source| source.name() == name)?;
        Some((source, load.current))
    };
    telemetry::balanced(step.from.as_deref(), step.to.as_deref(), step.slots, &step.why);
    // The donor is reduced before the receiver grows, so the total is never exceeded.
    if let Some((source, current)) = find(&step.from) {
        let slots = current.saturating_sub(step.slots).max(plan::LEAST);
        sweep.mappings.set_concurrency(&source.mapping, slots).await?;
    }
    if let Some((source, current)) = find(&step.to) {
        let slots = (current + step.slots).min(plan::MOST);
        sweep.mappings.set_concurrency(&source.mapping, slots).await?;
    }
    tick.count(NAME, "moved", step.slots as usize);
    Ok(())
}

/// Looks at every queue. Sets again what operators have pinned, and without balance what was deployed.
async fn queues<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    pins: &BTreeMap<String, u32>,
) -> Result<Queues, PortError> {
    let mut all = Queues::default();
    for job in &sweep.config.types {
        for source in job.sources() {
            // Read anew each tick, since a deployment resets it.
            let current = sweep.mappings.concurrency(&source.mapping).await?;
            let depth = tick.view.depths.contains_key(&source.queue);
            // A mapping that is paused keeps its slots and takes no part.
            let (Some(MappingSlots { slots: current, is_changing }), true) = (current, depth)
            else {
                tick.count(NAME, "left_out", 1);
                continue;
            };
            all.slots += source.concurrency;
            let mut fix = |slots| *all.fixed.entry(job.kind.clone()).or_default() += slots;
            // One that is being changed accepts no other change. The others share what it leaves.
            if is_changing {
                fix(current);
                tick.count(NAME, "left_out", 1);
                continue;
            }
            // Nor does one whose slots an operator has pinned. A deployment or an older step may have changed them.
            if let Some(pinned) = pins.get(&source.mapping).copied() {
                fix(pinned);
                if current != pinned {
                    sweep.mappings.set_concurrency(&source.mapping, pinned).await?;
                }
                tick.count(NAME, "pinned", 1);
                continue;
            }
            if !sweep.config.balance && current != source.concurrency {
                sweep.mappings.set_concurrency(&source.mapping, source.concurrency).await?;
                tick.count(NAME, "put_back", 1);
            }
            all.loads.push(load(&tick.view, job, source, current, tick.now));
        }
    }
    for load in &mut all.loads {
        load.beside = all.fixed.get(&load.kind).copied().unwrap_or_default();
    }
    Ok(all)
}

/// The load of a queue.
fn load(view: &View, job: &JobType, source: &Source, current: u32, now: Time) -> Load {
    let depth = view.depths.get(&source.queue).copied().unwrap_or_default();
    let buckets = view.stats.get(&job.kind).map(Vec::as_slice).unwrap_or_default();
    let recent = || buckets.iter().filter(|(start, _)| *start >= now.before(MEASURED_OVER));
    let sum = |name: &str| recent().map(|(_, bucket)| bucket.count(name)).sum::<u64>();
    let (busy_ms, jobs) = (sum(BUSY_MS), sum(JOBS));
    // The latest bucket says how far the queue has progressed.
    let oldest = view.first_receives(&job.kind, &source.queue).into_iter().max();
    let oldest = oldest.map_or(Duration::ZERO, |(_, sent_at)| now.since(sent_at));
    let shared = job.dependency.as_ref().and_then(|name| view.dependencies.get(name));
    let open = shared.is_some_and(|seen| seen.breaker.at(now).state.refuses_calls());
    let only_parks =
        sum("parked") > 0 && ["succeeded", "retried", "dead"].iter().all(|name| sum(name) == 0);
    Load {
        queue: source.name().to_owned(),
        kind: job.kind.clone(),
        deployed: source.concurrency,
        // Weighted by the deployed concurrency, so that idle queues return to it.
        weight: job.weight.saturating_mul(source.concurrency),
        current,
        backlog: depth.visible,
        in_flight: depth.in_flight,
        oldest: if depth.visible == 0 { Duration::ZERO } else { oldest },
        job_ms: (jobs > 0).then(|| busy_ms / jobs),
        held: open || only_parks,
        per_second: job.per_second,
        beside: 0,
    }
}
