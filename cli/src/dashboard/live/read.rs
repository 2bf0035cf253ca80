//! Reads the parts. Nothing is changed here, so that the parts can be read side by side.

use std::cmp::Reverse;

use evenkeel::{
    base::time::Time,
    dependency::stats::{BUCKET, Calls},
    ports::notes::{OPENED, Opened},
};
use futures_util::future::join_all;

use super::{HISTORY, LATELY, Live, Part};
use crate::{
    commands::{
        breaker::breakers,
        dependencies::{self, Known},
        health, limiter,
        observed::{self, Observed},
        queues,
    },
    deployment::Deployment,
    exit::Failure,
    ports::Ports,
    shapes::{BreakerShown, LimiterShown, Problem, QueueList},
};

/// Observations of one read: a whole hour at once would use the allowance of many seconds.
const HISTORY_PAGE: usize = 10;

/// Open acts of operators that are looked at for what they have pinned. Each is a read, every ten seconds.
const MOST_OPEN: usize = 10;

/// Openings of breakers that are read: those of the last seconds, even if many sites fail at once.
const LATEST_OPENED: usize = 20;

/// Calls of a dependency: its name, from when on they were read, and the buckets.
pub(super) type CallsSince = (String, Time, Vec<(Time, Calls)>);

/// What was read of a part.
pub(super) enum Update {
    Known(Known),
    /// The latest first.
    Opened(Vec<Opened>),
    Observed(Observed),
    Gates(Vec<BreakerShown>, Vec<LimiterShown>),
    Calls(Vec<CallsSince>),
    Queues(QueueList),
    /// The next observations, and whether these were all.
    History(Vec<Observed>, bool),
    Ended(Vec<Problem>),
}

/// Reads a part: what is new since `before`, of the dependencies `names`. Returns the read units as well.
pub(super) async fn part<P: Ports>(
    part: Part,
    names: &[String],
    before: (&Live, &Known),
    ports: &P,
    stack: &Deployment,
    now: Time,
) -> Result<(Update, f64), Failure> {
    let (live, known) = before;
    Ok(match part {
        Part::Known => {
            let known = dependencies::known(ports, stack).await?;
            let units = known.units;
            (Update::Known(known), units)
        }
        Part::Opened => opened(ports, stack).await?,
        Part::Observed => {
            let (observed, units) = observed::observed(ports, stack).await?;
            (Update::Observed(observed), units)
        }
        Part::Gates => gates(ports, stack, names, known, now).await?,
        Part::Calls => calls(ports, stack, names, live, now).await?,
        Part::Queues => {
            let list = queues::with_pins(ports, stack, MOST_OPEN, now).await?;
            let units = list.read_units;
            (Update::Queues(list), units)
        }
        Part::History => {
            let oldest = now.before(HISTORY);
            let last = live.history.last().and_then(Observed::at);
            let after = last.map_or(oldest, |last| last.max(oldest));
            let (more, units) = observed::history(ports, stack, after, HISTORY_PAGE).await?;
            let is_whole = more.len() < HISTORY_PAGE;
            (Update::History(more, is_whole), units)
        }
        Part::Ended => {
            let (ended, units) = health::of_ended(ports, stack, now).await?;
            (Update::Ended(ended), units)
        }
    })
}

/// The breakers that have opened last. A note of another version that cannot be read is left out: the sweeper reports
/// its breaker within a minute.
async fn opened<P: Ports>(ports: &P, stack: &Deployment) -> Result<(Update, f64), Failure> {
    let reads = OPENED.map(|kind| ports.notes(&stack.control, kind, LATEST_OPENED));
    let (mut opened, mut units) = (Vec::new(), 0.0);
    for read in join_all(reads).await {
        let read = read?;
        units += read.units;
        opened.extend(read.value.iter().filter_map(|note| serde_json::from_str(&note.text).ok()));
    }
    opened.sort_by_key(|one: &Opened| Reverse(one.at));
    opened.truncate(LATEST_OPENED);
    Ok((Update::Opened(opened), units))
}

/// Breakers and limiters of these dependencies.
async fn gates<P: Ports>(
    ports: &P,
    stack: &Deployment,
    names: &[String],
    known: &Known,
    now: Time,
) -> Result<(Update, f64), Failure> {
    let breakers = breakers(ports, stack, names, now).await?;
    let mut units = breakers.iter().map(|breaker| breaker.read_units).sum::<f64>();
    let reads = names.iter().map(|name| limiter::read(ports, stack, known, name));
    let mut limiters = Vec::with_capacity(names.len());
    for limiter in join_all(reads).await {
        let limiter = limiter?;
        units += limiter.read_units;
        limiters.push(limiter);
    }
    Ok((Update::Gates(breakers, limiters), units))
}

/// Call statistics of these dependencies, from the last bucket that was still filling on.
async fn calls<P: Ports>(
    ports: &P,
    stack: &Deployment,
    names: &[String],
    live: &Live,
    now: Time,
) -> Result<(Update, f64), Failure> {
    let oldest = now.before(LATELY);
    let (mut found, mut units) = (Vec::with_capacity(names.len()), 0.0);
    for name in names {
        let last = live.calls.get(name).and_then(|known| known.last());
        // Containers write late by a second or two: the bucket before the last may still grow as well.
        let last = last.map_or(oldest, |(start, _)| start.before(BUCKET));
        let from = last.max(oldest);
        let read = ports.calls(&stack.control, name, from).await?;
        units += read.units;
        found.push((name.clone(), from, read.value));
    }
    Ok((Update::Calls(found), units))
}
